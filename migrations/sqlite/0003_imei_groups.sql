-- IMEI groups: which devices a card may be seen in. A group with a bound_sim is the binding of one card to one device.

CREATE TABLE imei_group (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL,
  code TEXT NOT NULL UNIQUE,
  unlocks_per_month INTEGER NOT NULL,
  bound_sim INTEGER,
  created_at INTEGER NOT NULL
);

-- serial: the first fourteen digits of the IMEI; check_digit: its fifteenth, where it says anything.
CREATE TABLE imei_device (
  group_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  serial INTEGER NOT NULL,
  check_digit INTEGER,
  imei TEXT NOT NULL,
  PRIMARY KEY (group_id, serial, imei)
) WITHOUT ROWID;

-- A card is in one group at most. lock_*: the earliest sighting outside the group since it joined or was last unlocked.
CREATE TABLE imei_member (
  sim_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  group_id INTEGER NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER,
  lock_at INTEGER,
  lock_imei INTEGER,
  unlocked_at INTEGER,
  unlocks INTEGER NOT NULL,
  unlocks_until INTEGER NOT NULL
);
CREATE INDEX imei_member_group ON imei_member (group_id, sim_id);
CREATE INDEX imei_member_due ON imei_member (until) WHERE until IS NOT NULL;

-- The device a card was last seen in, by the time of the reading; and whether readings are to be held against a group.
ALTER TABLE sim_state ADD COLUMN imei INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sim_state ADD COLUMN imei_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sim_state ADD COLUMN imei_group INTEGER;
