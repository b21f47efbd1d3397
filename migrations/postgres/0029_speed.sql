-- The speed at which a throttled package goes on without allowance, kilobits a second.
ALTER TABLE package ADD COLUMN speed_kbps BIGINT;

-- The speed that a card is to have at its carrier, kilobits a second (null: as fast as it can), and how often it was asked for.
CREATE TABLE card_speed (
  sim_id BIGINT PRIMARY KEY,
  kbps BIGINT,
  asks BIGINT NOT NULL,
  wanted_at BIGINT NOT NULL
);
