-- Keeping up with the carriers: what was read of each card, how far each feed of changes was followed, and where the carriers'
-- counts differ from the records.

-- Whether the platform is kept up with, and what its cards' usage is rated by: records (cdr) or the carrier's days (counter).
ALTER TABLE platform ADD COLUMN sync BIGINT NOT NULL DEFAULT 1;
ALTER TABLE platform ADD COLUMN usage TEXT NOT NULL DEFAULT 'cdr';
-- A virtual carrier invents what it tells.
UPDATE platform SET sync = 0 WHERE connector = 'sandbox';

-- A count now says what it counts: a day, a billing month, or everything (total); and since when.
ALTER TABLE counter_reading ADD COLUMN counts TEXT NOT NULL DEFAULT 'total';
ALTER TABLE counter_reading ADD COLUMN from_at BIGINT NOT NULL DEFAULT 0;
-- What an earlier reading of the same count showed, where that was more.
ALTER TABLE counter_reading ADD COLUMN fell_from BIGINT;
ALTER TABLE counter_reading DROP CONSTRAINT counter_reading_pkey;
ALTER TABLE counter_reading ADD PRIMARY KEY (sim_id, source, counts, from_at, as_of);
CREATE INDEX counter_reading_fell ON counter_reading (platform_id, received_at) WHERE fell_from IS NOT NULL;

-- How far a platform is kept up with.
CREATE TABLE sync_place (
  platform_id BIGINT PRIMARY KEY,
  due_at BIGINT NOT NULL,
  words TEXT NOT NULL,
  -- Since when every card is read once, before the feed is used; none: not begun, or there is no feed.
  filling_since BIGINT,
  -- The feed: the day of the present walk, its page (none: the walk is yet to begin), when it began, its pages so far, and when the next begins.
  feed_day BIGINT,
  feed_page TEXT,
  walk_began BIGINT,
  walk_pages BIGINT NOT NULL,
  walk_due BIGINT,
  -- Reconciling: the last card that was looked at, and when the next look at all of them begins.
  compared_sim BIGINT NOT NULL,
  compare_due BIGINT NOT NULL
);

-- A fact of a card: as of when it is known, and when it was last asked for.
CREATE TABLE sync_read (
  sim_id BIGINT NOT NULL,
  what TEXT NOT NULL,
  platform_id BIGINT NOT NULL,
  as_of BIGINT,
  asked_at BIGINT NOT NULL,
  held_until BIGINT,
  words TEXT NOT NULL,
  PRIMARY KEY (sim_id, what)
);

-- Requests made on a day in China.
CREATE TABLE sync_calls (
  platform_id BIGINT NOT NULL,
  day BIGINT NOT NULL,
  what TEXT NOT NULL,
  calls BIGINT NOT NULL,
  PRIMARY KEY (platform_id, day, what)
);

-- A card's billing month in which the records and the carrier's count are further apart than allowed.
CREATE TABLE finding (
  sim_id BIGINT NOT NULL,
  cycle_from BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  platform_id BIGINT NOT NULL,
  record_bytes BIGINT NOT NULL,
  record_as_of BIGINT,
  carrier_bytes BIGINT NOT NULL,
  carrier_as_of BIGINT NOT NULL,
  first_seen BIGINT NOT NULL,
  last_seen BIGINT NOT NULL,
  resolved_at BIGINT,
  PRIMARY KEY (sim_id, cycle_from)
);
CREATE INDEX finding_open ON finding (platform_id, sim_id) WHERE resolved_at IS NULL;
