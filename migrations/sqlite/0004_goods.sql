-- Orders are looked up by their long number.
CREATE INDEX orders_number ON orders (number);

-- What each level between buyer and operator earned on a sale, negative for what went back; the money itself is in the
-- journals, from which the lines of earlier sales are made here.
CREATE TABLE profit (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  minor INTEGER NOT NULL,
  child_minor INTEGER NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX profit_account ON profit (account_id, id);
INSERT INTO profit (account_id, order_id, sim_id, minor, child_minor, at)
SELECT p.account_id, o.id, o.sim_id, p.minor,
  COALESCE((SELECT SUM(c.minor) FROM posting c WHERE c.journal_id = p.journal_id AND c.line > p.line AND c.bucket = 'available'), 0), j.at
FROM journal j JOIN posting p ON p.journal_id = j.id JOIN orders o ON o.id = CAST(substr(j.cause, 7) AS INTEGER)
WHERE j.name IN ('purchase', 'capture', 'refund') AND j.cause LIKE 'order %' AND p.line > 1 AND p.bucket = 'available'
ORDER BY j.id, p.line;

-- eSIM goods: a profile with its first package. A profile is a card; order_id names the order that took it from the stock.
CREATE TABLE esim_goods (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  package_id INTEGER NOT NULL,
  price_minor INTEGER NOT NULL
);
CREATE TABLE esim_profile (
  sim_id INTEGER PRIMARY KEY,
  goods_id INTEGER NOT NULL,
  activation_code TEXT NOT NULL,
  order_id INTEGER UNIQUE
);
CREATE INDEX esim_profile_stock ON esim_profile (goods_id, sim_id) WHERE order_id IS NULL;
CREATE TABLE esim_order (
  order_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  goods_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL
);
