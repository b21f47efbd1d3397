-- What a renewal was asked for besides its order: for how many months, from which day (days since 1970-01-01 in the
-- account's zone), who lets it go to the carrier, and who decided what when.
CREATE TABLE renewal (
  order_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  number TEXT NOT NULL UNIQUE,
  months INTEGER NOT NULL,
  start_day INTEGER,
  review TEXT NOT NULL,
  remark TEXT NOT NULL,
  decided_by TEXT,
  decided_at INTEGER,
  reason TEXT NOT NULL
);
CREATE INDEX renewal_sim ON renewal (sim_id, order_id);
CREATE INDEX orders_in_review ON orders (id) WHERE state = 'in_review';
