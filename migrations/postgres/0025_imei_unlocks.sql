-- How cards that left their IMEI group were unlocked there: it counts in the next one.
CREATE TABLE imei_unlocks (
  sim_id BIGINT PRIMARY KEY,
  unlocked_at BIGINT NOT NULL,
  unlocks BIGINT NOT NULL,
  unlocks_until BIGINT NOT NULL
);
