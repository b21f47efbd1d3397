-- What accounts owe of shares that went back after they were spent: few ever do, so it is summed when asked.
CREATE INDEX posting_owed ON posting (account_id, minor) WHERE bucket = 'owed';

-- Since when a platform's readings are looked at for their age, and since when the operator knows that some are older than they may be;
-- none: none is.
ALTER TABLE sync_place ADD COLUMN watched_since BIGINT;
ALTER TABLE sync_place ADD COLUMN stale_since BIGINT;
