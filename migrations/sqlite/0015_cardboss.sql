-- What a card's own account at the carrier has, minor units of yuan; below zero the card owes. Kept as it was last told.
CREATE TABLE carrier_balance (
  sim_id INTEGER PRIMARY KEY,
  minor INTEGER NOT NULL,
  as_of INTEGER NOT NULL
);
CREATE INDEX carrier_balance_owed ON carrier_balance (sim_id) WHERE minor < 0;

-- Messages are counted by card and month.
CREATE INDEX sms_sim ON sms (sim_id, created_at);
