-- Pools: an allowance that cards share. A pool type is a package that is sold for pools; a pool's orders and subscriptions
-- are rows like those of cards, with sim_id 0 and the pool's number on the subscription.

CREATE TABLE pool_type (
  package_id INTEGER PRIMARY KEY,
  slots INTEGER NOT NULL
);

-- state: after the pool's last input, JSON.
CREATE TABLE pool (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL,
  code TEXT,
  package_id INTEGER NOT NULL,
  slots INTEGER NOT NULL,
  member_cap_bytes INTEGER,
  memo TEXT NOT NULL,
  state TEXT NOT NULL,
  due_at INTEGER,
  created_at INTEGER NOT NULL,
  deleted_at INTEGER
);
CREATE UNIQUE INDEX pool_code ON pool (code) WHERE code IS NOT NULL;
CREATE INDEX pool_account ON pool (account_id, id);
CREATE INDEX pool_due ON pool (due_at) WHERE due_at IS NOT NULL;

-- A pool's state before the first input of a UTC day, to fold again from.
CREATE TABLE pool_mark (
  pool_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (pool_id, day)
) WITHOUT ROWID;

-- Who was in which pool from when until when; the end is not in it.
CREATE TABLE pool_member (
  id INTEGER PRIMARY KEY,
  pool_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  joined_at INTEGER NOT NULL,
  left_at INTEGER
);
CREATE UNIQUE INDEX pool_member_once ON pool_member (sim_id) WHERE left_at IS NULL;
CREATE INDEX pool_member_sim ON pool_member (sim_id);
CREATE INDEX pool_member_pool ON pool_member (pool_id, id);

-- What a pool paid of a member's reading.
CREATE TABLE pool_payment (
  sim_id INTEGER NOT NULL,
  stop_at INTEGER NOT NULL,
  start_at INTEGER NOT NULL,
  source_id INTEGER NOT NULL,
  pool_id INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (sim_id, stop_at, start_at, source_id)
) WITHOUT ROWID;

-- How a pool stood to a card from an instant on; until_at null: not at all.
CREATE TABLE pool_stand (
  sim_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  pool_id INTEGER NOT NULL,
  until_at INTEGER,
  last_id INTEGER,
  PRIMARY KEY (sim_id, at, pool_id)
) WITHOUT ROWID;

ALTER TABLE subscription ADD COLUMN pool_id INTEGER;
CREATE INDEX subscription_pool ON subscription (pool_id, id) WHERE pool_id IS NOT NULL;

-- How often the card joined or left a pool.
ALTER TABLE sim_state ADD COLUMN pool_moves INTEGER NOT NULL DEFAULT 0;
