-- The operator's switch of an account: on, paused, off.
ALTER TABLE account ADD COLUMN switch TEXT NOT NULL DEFAULT 'on';

-- Signatures that came again with another body: refused, and kept for the operator. One row a signature.
CREATE TABLE reused_request (
  account_id INTEGER NOT NULL,
  door TEXT NOT NULL,
  request_key TEXT NOT NULL,
  peer TEXT NOT NULL,
  times INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, door, request_key)
);
CREATE INDEX reused_request_last ON reused_request (last_at);

-- A message to a person's telephone that waits for a platform that sends such messages.
ALTER TABLE sms ADD COLUMN unsent INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sms_unsent ON sms (id) WHERE unsent = 1;

-- Seconds that a card spoke in a billing month of its platform, as its carrier last told; `from_at` is when the month began.
CREATE TABLE voice_use (
  sim_id INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  seconds INTEGER NOT NULL,
  as_of INTEGER NOT NULL,
  PRIMARY KEY (sim_id, from_at)
);
