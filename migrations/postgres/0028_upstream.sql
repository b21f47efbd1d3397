-- What the callers of a card platform share, whatever process they are in: the numbers of calls given out; what is left of
-- its requests, in sixtieths of one, and how many were made of the day (days since 1970-01-01 in China); and who renews its
-- login, until when nobody else may, and why.
CREATE TABLE upstream (
  platform_id BIGINT PRIMARY KEY,
  calls BIGINT NOT NULL,
  sixtieths BIGINT,
  filled_at BIGINT,
  day BIGINT,
  today BIGINT,
  renewal BIGINT,
  renewal_until BIGINT,
  renewal_words TEXT NOT NULL
);
INSERT INTO upstream (platform_id, calls, renewal_words)
SELECT p.id, v.number, '' FROM platform p JOIN version v ON v.name = 'platform calls ' || p.id;
DELETE FROM version WHERE name LIKE 'platform calls %';

-- Cards for which a carrier write was taken, and until when their carrier takes no other.
CREATE TABLE card_cooling (
  sim_id BIGINT PRIMARY KEY,
  until BIGINT NOT NULL
);

-- The carrier's number of a write, under which it tells what became of it.
ALTER TABLE intent ADD COLUMN job TEXT;
UPDATE intent SET job = CAST(request AS JSON) -> 'sent' ->> 'job' WHERE state NOT IN ('confirmed', 'refused');
CREATE INDEX intent_job ON intent (platform_id, job) WHERE job IS NOT NULL;
