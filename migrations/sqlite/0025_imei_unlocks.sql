-- How cards that left their IMEI group were unlocked there: it counts in the next one.
CREATE TABLE imei_unlocks (
  sim_id INTEGER PRIMARY KEY,
  unlocked_at INTEGER NOT NULL,
  unlocks INTEGER NOT NULL,
  unlocks_until INTEGER NOT NULL
);
