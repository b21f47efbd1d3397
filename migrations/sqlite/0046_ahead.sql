-- A record ahead of the clock is looked at again when its time has come.
ALTER TABLE aside ADD COLUMN due_at INTEGER;
UPDATE aside SET due_at = created_at WHERE fate = 'ahead' AND settled_at IS NULL;
CREATE INDEX aside_due ON aside (due_at, id) WHERE due_at IS NOT NULL;
