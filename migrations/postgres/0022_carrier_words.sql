-- What its carrier last said of a card: where it stands, why it is stopped, its sessions (JSON), each with the time it was read.
CREATE TABLE carrier_word (
  sim_id BIGINT PRIMARY KEY,
  base TEXT,
  raw TEXT,
  since BIGINT,
  standing_at BIGINT,
  stop_blocks BIGINT,
  stop_raw TEXT,
  stop_words TEXT,
  stop_at BIGINT,
  sessions TEXT,
  sessions_at BIGINT
);
