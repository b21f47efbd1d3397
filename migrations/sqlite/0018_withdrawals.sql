-- Profits that are paid out. kind: manual or daily; state: review (the money is held), done (it has left) or failed (it is the
-- account's to spend again, and the lines wait for another withdrawal).
CREATE TABLE withdrawal (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  minor INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  settled_at INTEGER,
  note TEXT NOT NULL
);
CREATE INDEX withdrawal_account ON withdrawal (account_id, id);

-- The last withdrawal that took the line; none while it waits for its first.
ALTER TABLE profit ADD COLUMN withdrawal_id INTEGER;
CREATE INDEX profit_withdrawal ON profit (withdrawal_id) WHERE withdrawal_id IS NOT NULL;
