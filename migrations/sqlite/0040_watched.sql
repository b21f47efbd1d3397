-- Since when the readings of a product's cards are looked at for their age on the platform it is on; none: not looked at since it came
-- there, or since its platform is kept up with.
ALTER TABLE product ADD COLUMN watched_since INTEGER;
UPDATE product SET watched_since = (SELECT watched_since FROM sync_place WHERE sync_place.platform_id = product.platform_id);
ALTER TABLE sync_place DROP COLUMN watched_since;
-- Until when nothing can be older than it may be, by what was found at the last look at every card; and with which sync.alert_seconds.
ALTER TABLE sync_place ADD COLUMN quiet_until INTEGER;
ALTER TABLE sync_place ADD COLUMN quiet_alert INTEGER;

-- Cards that became another product, and since when they are looked at there; none: not looked at since.
CREATE TABLE sync_since (
  sim_id INTEGER PRIMARY KEY,
  at INTEGER
) WITHOUT ROWID;
