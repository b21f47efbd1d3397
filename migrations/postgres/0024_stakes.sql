-- The stake of a card in a joint pool from an instant on: its own package; package_id null: none.
CREATE TABLE pool_stake (
  sim_id BIGINT NOT NULL,
  at BIGINT NOT NULL,
  pool_id BIGINT NOT NULL,
  package_id BIGINT,
  until_at BIGINT,
  capped BIGINT NOT NULL,
  PRIMARY KEY (sim_id, at, pool_id)
);

-- Cards in joint pools, of which something changed since their pool was added up.
CREATE TABLE pool_stir (
  sim_id BIGINT PRIMARY KEY
);
