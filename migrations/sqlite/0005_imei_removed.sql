-- A device that was taken out of its group still counts for what was seen until then.
ALTER TABLE imei_device ADD COLUMN removed_at INTEGER;
