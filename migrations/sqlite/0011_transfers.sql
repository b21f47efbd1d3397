-- A subscription whose rest went to another card: where from, where to, and what was left. "rest" is what the first card's
-- history says now, "given" what the new subscription has of it (both JSON); a late record makes them differ for a while.
CREATE TABLE transfer (
  subscription_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  to_subscription_id INTEGER NOT NULL UNIQUE,
  to_sim_id INTEGER NOT NULL,
  rest TEXT NOT NULL,
  given TEXT NOT NULL,
  memo TEXT NOT NULL
);
CREATE INDEX transfer_sim ON transfer (sim_id);
CREATE INDEX transfer_to_sim ON transfer (to_sim_id);
CREATE INDEX transfer_due ON transfer (subscription_id) WHERE rest <> given;

-- Of an order that such a transfer made: the order, card and EID it came from, JSON.
ALTER TABLE orders ADD COLUMN origin TEXT;

-- Cards known by EID are listed by themselves.
CREATE INDEX sim_eid ON sim (account_id, id) WHERE eid IS NOT NULL;
