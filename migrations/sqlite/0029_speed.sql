-- The speed at which a throttled package goes on without allowance, kilobits a second.
ALTER TABLE package ADD COLUMN speed_kbps INTEGER;

-- The speed that a card is to have at its carrier, kilobits a second (null: as fast as it can), and how often it was asked for.
CREATE TABLE card_speed (
  sim_id INTEGER PRIMARY KEY,
  kbps INTEGER,
  asks INTEGER NOT NULL,
  wanted_at INTEGER NOT NULL
);
