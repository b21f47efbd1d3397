-- What an order writes at places of its own, it writes at fewer of them. The orders of a card are found by what they bought: each
-- order has a subscription of the same card.
DROP INDEX orders_sim;

-- The first answer to a request that placed an order with the buyer's own number: found by that number, kept in the order of time.
CREATE TABLE order_answer (
  order_id INTEGER PRIMARY KEY,
  door TEXT NOT NULL,
  request_key TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  answer TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
