-- CDR files to customers. An account's folder on a file server; which half hour first names a batch's facts; one row a file.

CREATE TABLE cdr_target (
  account_id INTEGER PRIMARY KEY,
  protocol TEXT NOT NULL,
  host TEXT NOT NULL,
  port INTEGER NOT NULL,
  user_name TEXT NOT NULL,
  password TEXT NOT NULL,
  private_key TEXT NOT NULL,
  directory TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

-- Half hours whose files are made.
CREATE TABLE cdr_slot (slot INTEGER PRIMARY KEY);

-- cdr_slot: the first half hour that saw the batch rated; what is there before this step was never late.
ALTER TABLE reading_batch ADD COLUMN cdr_slot INTEGER;
ALTER TABLE reading_batch ADD COLUMN stop_min INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reading_batch ADD COLUMN stop_max INTEGER NOT NULL DEFAULT 0;
UPDATE reading_batch SET cdr_slot = 0, stop_min = day * 86400, stop_max = day * 86400 + 86399;
CREATE INDEX reading_batch_cdr ON reading_batch (cdr_slot);
CREATE INDEX reading_batch_day ON reading_batch (day);

CREATE TABLE cdr_delivery (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  due_at INTEGER,
  lease_token INTEGER,
  lease_until INTEGER,
  done_at INTEGER,
  records INTEGER,
  bytes INTEGER,
  last_answer TEXT,
  UNIQUE (account_id, slot)
);
CREATE INDEX cdr_delivery_due ON cdr_delivery (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX cdr_delivery_leased ON cdr_delivery (account_id) WHERE lease_until IS NOT NULL;

CREATE TABLE cdr_delivery_attempt (
  delivery_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  millis INTEGER NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (delivery_id, attempt)
) WITHOUT ROWID;
