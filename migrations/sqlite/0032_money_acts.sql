-- Money that a person booked, each act under a reference of its own, which books it once.
CREATE TABLE money_act (
  reference TEXT PRIMARY KEY,
  account_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  minor INTEGER NOT NULL,
  said_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX money_act_at ON money_act (at);
