-- Each reading names the batch that brought it, each batch its file; a batch may be loaded before it is rated.
-- Readings from before this step have batch 0; their batches are brought into the by-card order here.

INSERT INTO reading_by_sim (day, sim_id, stop_at, start_at, source_id, platform_id, bytes)
SELECT r.day, r.sim_id, r.stop_at, r.start_at, r.source_id, r.platform_id, r.bytes
FROM reading_batch b JOIN reading r
ON r.day = b.day AND r.platform_id = b.platform_id AND r.source_id >= b.source_min AND r.source_id <= b.source_max
WHERE b.indexed = 0
ON CONFLICT (day, sim_id, stop_at, start_at, source_id, platform_id) DO NOTHING;
UPDATE reading_batch SET indexed = 1 WHERE indexed = 0;

ALTER TABLE reading ADD COLUMN batch_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reading_batch ADD COLUMN file_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reading_batch ADD COLUMN rated BIGINT NOT NULL DEFAULT 1;
CREATE INDEX reading_batch_unrated ON reading_batch (file_id) WHERE rated = 0;

-- Waiting batches of the file are rated for cards numbered up to rated_sim; moved_at: when the file was last worked on.
ALTER TABLE cdr_file ADD COLUMN rated_sim BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cdr_file ADD COLUMN moved_at BIGINT NOT NULL DEFAULT 0;
