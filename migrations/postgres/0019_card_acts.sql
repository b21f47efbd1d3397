-- Access points of cards whose data is switched off; an empty name is the card's only one.
CREATE TABLE sim_apn_off (
  sim_id BIGINT NOT NULL,
  apn TEXT NOT NULL,
  off_at BIGINT NOT NULL,
  PRIMARY KEY (sim_id, apn)
);

-- The numbers that a card may call and be called by, as the carrier has confirmed them.
CREATE TABLE voice_number (
  sim_id BIGINT NOT NULL,
  number TEXT NOT NULL,
  added_at BIGINT NOT NULL,
  PRIMARY KEY (sim_id, number)
);
