-- The stake of a card in a joint pool from an instant on: its own package; package_id null: none.
CREATE TABLE pool_stake (
  sim_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  pool_id INTEGER NOT NULL,
  package_id INTEGER,
  until_at INTEGER,
  capped INTEGER NOT NULL,
  PRIMARY KEY (sim_id, at, pool_id)
);

-- Cards in joint pools, of which something changed since their pool was added up.
CREATE TABLE pool_stir (
  sim_id INTEGER PRIMARY KEY
);
