-- Every tenant-owned table carries account_id; instants are epoch seconds UTC; money is minor units; usage is bytes.

CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  parent_id INTEGER,
  path TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  currency TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  language TEXT NOT NULL,
  credit_minor INTEGER NOT NULL,
  ip_allow TEXT NOT NULL,
  notify TEXT NOT NULL,
  contact TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE credential (
  door TEXT NOT NULL,
  name TEXT NOT NULL,
  account_id INTEGER NOT NULL,
  secret TEXT NOT NULL,
  PRIMARY KEY (door, name)
);

CREATE TABLE login (
  name TEXT PRIMARY KEY,
  account_id INTEGER NOT NULL,
  role TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE session (
  token_hash TEXT PRIMARY KEY,
  login TEXT NOT NULL,
  account_id INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);

CREATE TABLE platform (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  connector TEXT NOT NULL,
  settings TEXT NOT NULL,
  login TEXT NOT NULL
);

CREATE TABLE product (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  carrier TEXT NOT NULL,
  platform_id INTEGER NOT NULL,
  bare_use INTEGER NOT NULL,
  details TEXT NOT NULL
);

CREATE TABLE package (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  retail_name TEXT NOT NULL,
  product_id INTEGER NOT NULL,
  terms TEXT NOT NULL,
  start_rule TEXT NOT NULL,
  fulfil TEXT NOT NULL,
  price_minor INTEGER NOT NULL,
  retail_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  listed INTEGER NOT NULL,
  stack_max INTEGER NOT NULL
);

CREATE TABLE price (
  account_id INTEGER NOT NULL,
  package_id INTEGER NOT NULL,
  price_minor INTEGER,
  retail_minor INTEGER,
  listed INTEGER,
  PRIMARY KEY (account_id, package_id)
);

-- The catalogue's version: caches of accounts, credentials, products and packages compare it.
CREATE TABLE version (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
INSERT INTO version VALUES ('catalogue', 1);

CREATE TABLE sim (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  iccid TEXT NOT NULL UNIQUE,
  imsi TEXT,
  msisdn TEXT,
  eid TEXT,
  imei TEXT,
  product_id INTEGER NOT NULL,
  state TEXT NOT NULL,
  blocks INTEGER NOT NULL,
  activated_at INTEGER,
  network TEXT NOT NULL,
  real_name INTEGER NOT NULL,
  alias TEXT NOT NULL,
  group_name TEXT NOT NULL,
  remark TEXT NOT NULL,
  details TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX sim_account ON sim (account_id, id);

-- The one narrow look-up from any printed number to the card.
CREATE TABLE sim_key (
  number TEXT NOT NULL,
  kind TEXT NOT NULL,
  sim_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  PRIMARY KEY (number, kind)
) WITHOUT ROWID;

-- Package state after the card's last input (head) and at an older point to fold again from (base).
CREATE TABLE sim_state (
  sim_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  head BLOB NOT NULL,
  base BLOB,
  due_at INTEGER,
  as_of INTEGER,
  version INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX sim_state_due ON sim_state (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE subscription (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  package_id INTEGER NOT NULL,
  terms TEXT NOT NULL,
  start_rule TEXT NOT NULL,
  not_before INTEGER,
  bought_at INTEGER NOT NULL,
  available_at INTEGER,
  used_before INTEGER NOT NULL,
  state TEXT NOT NULL,
  started_at INTEGER,
  ends_at INTEGER,
  ended_at INTEGER,
  end_reason TEXT,
  used_bytes INTEGER NOT NULL,
  refunded_at INTEGER,
  updated_at INTEGER NOT NULL
);
CREATE INDEX subscription_sim ON subscription (sim_id, id);

CREATE TABLE orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL,
  number TEXT NOT NULL,
  sim_id INTEGER NOT NULL,
  package_id INTEGER NOT NULL,
  out_trade_no TEXT,
  state TEXT NOT NULL,
  paid_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  shares TEXT NOT NULL,
  channel TEXT NOT NULL,
  custom_data TEXT,
  renewal INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  refunded_minor INTEGER NOT NULL,
  refund_basis TEXT,
  remark TEXT
);
CREATE UNIQUE INDEX orders_out_trade_no ON orders (account_id, out_trade_no) WHERE out_trade_no IS NOT NULL;
CREATE INDEX orders_sim ON orders (sim_id, id);
CREATE INDEX orders_account ON orders (account_id, id);

-- The partner API's orders count from 10000001.
INSERT INTO sqlite_sequence (name, seq) VALUES ('orders', 10000000);

CREATE TABLE journal (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  cause TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX journal_account ON journal (account_id, id);

CREATE TABLE posting (
  journal_id INTEGER NOT NULL,
  line INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  bucket TEXT NOT NULL,
  minor INTEGER NOT NULL,
  PRIMARY KEY (journal_id, line)
) WITHOUT ROWID;

-- Kept from the postings in the same transaction, for the buckets that must not go below a line.
CREATE TABLE balance (
  account_id INTEGER PRIMARY KEY,
  available_minor INTEGER NOT NULL,
  held_minor INTEGER NOT NULL,
  credit_minor INTEGER NOT NULL,
  CHECK (available_minor >= -credit_minor),
  CHECK (held_minor >= 0)
);

-- A request that changed something keeps its first answer.
CREATE TABLE idempotency (
  account_id INTEGER NOT NULL,
  door TEXT NOT NULL,
  request_key TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  answer TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, door, request_key)
) WITHOUT ROWID;

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sim_id INTEGER,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX event_account ON event (account_id, id);

-- What was told once per card, kind and period is not told again.
CREATE TABLE announced (
  sim_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject INTEGER NOT NULL,
  PRIMARY KEY (sim_id, kind, subject)
) WITHOUT ROWID;

CREATE TABLE delivery (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  event_id INTEGER NOT NULL,
  door TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_at INTEGER,
  lease_token INTEGER,
  lease_until INTEGER,
  done_at INTEGER,
  last_answer TEXT
);
CREATE INDEX delivery_due ON delivery (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_first ON delivery (sim_id, id) WHERE attempts = 0 AND due_at IS NOT NULL;
CREATE INDEX delivery_account ON delivery (account_id, id);

CREATE TABLE delivery_attempt (
  delivery_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  millis INTEGER NOT NULL,
  status INTEGER,
  answer TEXT NOT NULL,
  PRIMARY KEY (delivery_id, attempt)
) WITHOUT ROWID;

CREATE TABLE intent (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  platform_id INTEGER NOT NULL,
  order_id INTEGER,
  request TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_at INTEGER,
  lease_token INTEGER,
  lease_until INTEGER,
  last_answer TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX intent_due ON intent (due_at, id) WHERE due_at IS NOT NULL;

CREATE TABLE cdr_file (
  id INTEGER PRIMARY KEY,
  platform_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  done INTEGER NOT NULL,
  offset_bytes INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  header TEXT,
  loaded INTEGER NOT NULL,
  duplicate INTEGER NOT NULL,
  orphan INTEGER NOT NULL,
  bad INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  done_at INTEGER,
  UNIQUE (platform_id, digest)
);

-- Lines that are not, or not yet, readings.
CREATE TABLE aside (
  id INTEGER PRIMARY KEY,
  platform_id INTEGER NOT NULL,
  file_id INTEGER NOT NULL,
  line INTEGER NOT NULL,
  fate TEXT NOT NULL,
  reason TEXT NOT NULL,
  iccid TEXT,
  source_id INTEGER,
  bytes INTEGER,
  text TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  settled_at INTEGER
);
CREATE INDEX aside_orphan ON aside (iccid) WHERE fate = 'orphan' AND settled_at IS NULL;
CREATE INDEX aside_file ON aside (file_id, line);
CREATE UNIQUE INDEX aside_once ON aside (platform_id, fate, source_id, text) WHERE fate = 'orphan' AND settled_at IS NULL;

-- The log of usage facts, with the one key that dedupes and nothing else.
CREATE TABLE reading (
  day INTEGER NOT NULL,
  platform_id INTEGER NOT NULL,
  source_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  start_at INTEGER NOT NULL,
  stop_at INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  imsi INTEGER NOT NULL,
  imei INTEGER NOT NULL,
  mccmnc INTEGER NOT NULL,
  PRIMARY KEY (day, platform_id, source_id)
) WITHOUT ROWID;

-- Stretches of the log that the by-card index below does not cover yet.
CREATE TABLE reading_batch (
  id INTEGER PRIMARY KEY,
  day INTEGER NOT NULL,
  platform_id INTEGER NOT NULL,
  source_min INTEGER NOT NULL,
  source_max INTEGER NOT NULL,
  records INTEGER NOT NULL,
  indexed INTEGER NOT NULL
);
CREATE INDEX reading_batch_open ON reading_batch (id) WHERE indexed = 0;

CREATE TABLE reading_by_sim (
  day INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  stop_at INTEGER NOT NULL,
  start_at INTEGER NOT NULL,
  source_id INTEGER NOT NULL,
  platform_id INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (day, sim_id, stop_at, start_at, source_id, platform_id)
) WITHOUT ROWID;

-- Roll-up per card and day of the account's zone.
CREATE TABLE sim_day (
  sim_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  records INTEGER NOT NULL,
  as_of INTEGER NOT NULL,
  PRIMARY KEY (sim_id, day, account_id)
) WITHOUT ROWID;
