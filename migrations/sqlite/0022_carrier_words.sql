-- What its carrier last said of a card: where it stands, why it is stopped, its sessions (JSON), each with the time it was read.
CREATE TABLE carrier_word (
  sim_id INTEGER PRIMARY KEY,
  base TEXT,
  raw TEXT,
  since INTEGER,
  standing_at INTEGER,
  stop_blocks INTEGER,
  stop_raw TEXT,
  stop_words TEXT,
  stop_at INTEGER,
  sessions TEXT,
  sessions_at INTEGER
);
