-- Messages that were handed in together, each to one number; those to people's telephones have sim_id 0.
ALTER TABLE sms ADD COLUMN batch TEXT NOT NULL DEFAULT '';
ALTER TABLE sms ADD COLUMN mobile TEXT NOT NULL DEFAULT '';
CREATE INDEX sms_created ON sms (created_at);

-- What became of a message of a batch, and what devices wrote back: each is handed out once.
CREATE TABLE sms_report (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  batch TEXT NOT NULL,
  mobile TEXT NOT NULL,
  state TEXT NOT NULL,
  at INTEGER NOT NULL,
  taken_at INTEGER
);
CREATE INDEX sms_report_waiting ON sms_report (account_id, id) WHERE taken_at IS NULL;
CREATE INDEX sms_report_at ON sms_report (at);

CREATE TABLE sms_reply (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  platform_id INTEGER NOT NULL,
  carrier_id TEXT NOT NULL,
  sim_id INTEGER NOT NULL,
  mobile TEXT NOT NULL,
  sent_to TEXT NOT NULL,
  text TEXT NOT NULL,
  at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  taken_at INTEGER,
  UNIQUE (platform_id, carrier_id)
);
CREATE INDEX sms_reply_waiting ON sms_reply (account_id, id) WHERE taken_at IS NULL;
CREATE INDEX sms_reply_received ON sms_reply (received_at);

-- Texts that an account may send to people's telephones.
CREATE TABLE sms_template (
  code TEXT PRIMARY KEY,
  account_id INTEGER NOT NULL,
  text TEXT NOT NULL,
  signature TEXT NOT NULL,
  price_minor INTEGER NOT NULL,
  approved INTEGER NOT NULL
);
