-- Keeping up with the carriers: what was read of each card, how far each feed of changes was followed, and where the carriers'
-- counts differ from the records.

-- Whether the platform is kept up with, and what its cards' usage is rated by: records (cdr) or the carrier's days (counter).
ALTER TABLE platform ADD COLUMN sync INTEGER NOT NULL DEFAULT 1;
ALTER TABLE platform ADD COLUMN usage TEXT NOT NULL DEFAULT 'cdr';
-- A virtual carrier invents what it tells.
UPDATE platform SET sync = 0 WHERE connector = 'sandbox';

-- A count now says what it counts: a day, a billing month, or everything (total); and since when.
CREATE TABLE counter_kept (
  sim_id INTEGER NOT NULL,
  source TEXT NOT NULL,
  counts TEXT NOT NULL,
  from_at INTEGER NOT NULL,
  as_of INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  platform_id INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  -- What an earlier reading of the same count showed, where that was more.
  fell_from INTEGER,
  PRIMARY KEY (sim_id, source, counts, from_at, as_of)
) WITHOUT ROWID;
INSERT INTO counter_kept (sim_id, source, counts, from_at, as_of, account_id, platform_id, bytes, received_at)
  SELECT sim_id, source, 'total', 0, as_of, account_id, platform_id, bytes, received_at FROM counter_reading;
DROP TABLE counter_reading;
ALTER TABLE counter_kept RENAME TO counter_reading;
CREATE INDEX counter_reading_fell ON counter_reading (platform_id, received_at) WHERE fell_from IS NOT NULL;

-- How far a platform is kept up with.
CREATE TABLE sync_place (
  platform_id INTEGER PRIMARY KEY,
  due_at INTEGER NOT NULL,
  words TEXT NOT NULL,
  -- Since when every card is read once, before the feed is used; none: not begun, or there is no feed.
  filling_since INTEGER,
  -- The feed: the day of the present walk, its page (none: the walk is yet to begin), when it began, its pages so far, and when the next begins.
  feed_day INTEGER,
  feed_page TEXT,
  walk_began INTEGER,
  walk_pages INTEGER NOT NULL,
  walk_due INTEGER,
  -- Reconciling: the last card that was looked at, and when the next look at all of them begins.
  compared_sim INTEGER NOT NULL,
  compare_due INTEGER NOT NULL
);

-- A fact of a card: as of when it is known, and when it was last asked for.
CREATE TABLE sync_read (
  sim_id INTEGER NOT NULL,
  what TEXT NOT NULL,
  platform_id INTEGER NOT NULL,
  as_of INTEGER,
  asked_at INTEGER NOT NULL,
  held_until INTEGER,
  words TEXT NOT NULL,
  PRIMARY KEY (sim_id, what)
) WITHOUT ROWID;

-- Requests made on a day in China.
CREATE TABLE sync_calls (
  platform_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  what TEXT NOT NULL,
  calls INTEGER NOT NULL,
  PRIMARY KEY (platform_id, day, what)
) WITHOUT ROWID;

-- A card's billing month in which the records and the carrier's count are further apart than allowed.
CREATE TABLE finding (
  sim_id INTEGER NOT NULL,
  cycle_from INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  platform_id INTEGER NOT NULL,
  record_bytes INTEGER NOT NULL,
  record_as_of INTEGER,
  carrier_bytes INTEGER NOT NULL,
  carrier_as_of INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  resolved_at INTEGER,
  PRIMARY KEY (sim_id, cycle_from)
) WITHOUT ROWID;
CREATE INDEX finding_open ON finding (platform_id, sim_id) WHERE resolved_at IS NULL;
