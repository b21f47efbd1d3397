-- When usage of the card last came in, whenever it was: its subscriptions in use changed then.
ALTER TABLE sim_state ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
