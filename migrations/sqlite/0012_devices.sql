-- Devices that report over a message broker, what they reported, and their claims to cards.

CREATE TABLE device (
  id INTEGER PRIMARY KEY,
  serial TEXT NOT NULL UNIQUE,
  account_id INTEGER NOT NULL,
  product TEXT NOT NULL,
  -- What it last named: its card, its own identity, the card's platform, whose it is.
  iccid TEXT,
  imei TEXT,
  platform_id INTEGER,
  user_number INTEGER,
  -- The card it is bound to, and where its newest claim stands.
  sim_id INTEGER,
  claim TEXT NOT NULL,
  rssi INTEGER,
  status INTEGER,
  firmware TEXT NOT NULL,
  longitude TEXT NOT NULL,
  latitude TEXT NOT NULL,
  summary TEXT NOT NULL,
  reports INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  reported_at INTEGER NOT NULL
);
CREATE INDEX device_account ON device (account_id, id);
-- A card is in one device.
CREATE UNIQUE INDEX device_sim ON device (sim_id) WHERE sim_id IS NOT NULL;

-- Every report, as long as it is kept.
CREATE TABLE device_report (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  iccid TEXT,
  imei TEXT,
  platform_id INTEGER,
  rssi INTEGER,
  status INTEGER,
  firmware TEXT,
  longitude TEXT,
  latitude TEXT
);
CREATE INDEX device_report_device ON device_report (device_id, id);

-- One device's claim to one card.
CREATE TABLE device_claim (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  iccid TEXT NOT NULL,
  imei INTEGER NOT NULL,
  platform_id INTEGER,
  state TEXT NOT NULL,
  doubt TEXT NOT NULL,
  words TEXT NOT NULL,
  settled_by TEXT NOT NULL,
  tries INTEGER NOT NULL,
  due_at INTEGER,
  lease_token INTEGER,
  lease_until INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (device_id, iccid)
);
CREATE INDEX device_claim_state ON device_claim (state, id);
CREATE INDEX device_claim_due ON device_claim (due_at, id) WHERE due_at IS NOT NULL;

-- Cards that somebody wants to see as they are at their carrier now.

CREATE TABLE card_read (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  iccid TEXT NOT NULL,
  -- None: the card is to be added as this product if the platform knows it.
  sim_id INTEGER,
  product_id INTEGER,
  platform_id INTEGER NOT NULL,
  what TEXT NOT NULL,
  state TEXT NOT NULL,
  words TEXT NOT NULL,
  tries INTEGER NOT NULL,
  due_at INTEGER,
  lease_token INTEGER,
  lease_until INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX card_read_due ON card_read (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX card_read_card ON card_read (account_id, iccid, id);
-- Payloads that could not be read: the newest of them, and how many there were in all.
CREATE TABLE device_aside (
  id INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  payload TEXT NOT NULL,
  reason TEXT NOT NULL,
  received_at INTEGER NOT NULL
);
CREATE TABLE device_aside_count (reason TEXT PRIMARY KEY, payloads INTEGER NOT NULL);

-- Work that one process does at a time.
CREATE TABLE lease (name TEXT PRIMARY KEY, token INTEGER NOT NULL, until INTEGER NOT NULL);
