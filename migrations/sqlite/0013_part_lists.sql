-- Each part of an account's list (the cards of a stage, those with an EID, the warnings) is a list of its own. What comes to a
-- part takes its next place; what leaves it leaves a hole (no card, left_at), which is closed later. Parts: 1-5 stages; 6-8
-- the warnings of one type, 9 of all; 10 with an EID, 11-15 of them by stage. what: the type of a warning, else 0.
CREATE TABLE sim_part (
  account_id INTEGER NOT NULL,
  part INTEGER NOT NULL,
  place INTEGER NOT NULL,
  sim_id INTEGER,
  what INTEGER NOT NULL,
  left_at INTEGER,
  PRIMARY KEY (account_id, part, place)
) WITHOUT ROWID;
CREATE INDEX sim_part_sim ON sim_part (sim_id, account_id) WHERE sim_id IS NOT NULL;
CREATE INDEX sim_part_hole ON sim_part (account_id, part, left_at) WHERE left_at IS NOT NULL;

-- The next free place of each part; on PostgreSQL part 0 is locked by whoever gives places.
CREATE TABLE sim_part_list (
  account_id INTEGER NOT NULL,
  part INTEGER NOT NULL,
  next_place INTEGER NOT NULL,
  PRIMARY KEY (account_id, part)
) WITHOUT ROWID;

-- Cards of which something changed that decides in which parts of the account's list they are.
CREATE TABLE sim_part_change (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL
);
CREATE INDEX sim_part_change_account ON sim_part_change (account_id, id);
CREATE INDEX sim_part_change_sim ON sim_part_change (sim_id, account_id);

INSERT INTO sim_part (account_id, part, place, sim_id, what)
SELECT account_id, stage, ROW_NUMBER() OVER (PARTITION BY account_id, stage ORDER BY place) - 1, sim_id, 0
FROM sim_place WHERE sim_id IS NOT NULL;
INSERT INTO sim_part (account_id, part, place, sim_id, what)
SELECT p.account_id, 10, ROW_NUMBER() OVER (PARTITION BY p.account_id ORDER BY p.place) - 1, p.sim_id, 0
FROM sim_place p JOIN sim s ON s.id = p.sim_id WHERE s.eid IS NOT NULL;
INSERT INTO sim_part (account_id, part, place, sim_id, what)
SELECT p.account_id, 10 + p.stage, ROW_NUMBER() OVER (PARTITION BY p.account_id, p.stage ORDER BY p.place) - 1, p.sim_id, 0
FROM sim_place p JOIN sim s ON s.id = p.sim_id WHERE s.eid IS NOT NULL;
-- Warnings: those of international cards, each type by itself and all together.
INSERT INTO sim_part (account_id, part, place, sim_id, what)
SELECT p.account_id, 5 + w.type, ROW_NUMBER() OVER (PARTITION BY p.account_id, w.type ORDER BY p.place) - 1, p.sim_id, w.type
FROM sim_place p JOIN sim s ON s.id = p.sim_id JOIN product r ON r.id = s.product_id
JOIN (SELECT 1 AS type, 1 AS bit UNION ALL SELECT 2, 2 UNION ALL SELECT 3, 4) w ON p.warned / w.bit % 2 = 1
WHERE r.carrier = 'INTL';
INSERT INTO sim_part (account_id, part, place, sim_id, what)
SELECT p.account_id, 9, ROW_NUMBER() OVER (PARTITION BY p.account_id ORDER BY p.place, w.type) - 1, p.sim_id, w.type
FROM sim_place p JOIN sim s ON s.id = p.sim_id JOIN product r ON r.id = s.product_id
JOIN (SELECT 1 AS type, 1 AS bit UNION ALL SELECT 2, 2 UNION ALL SELECT 3, 4) w ON p.warned / w.bit % 2 = 1
WHERE r.carrier = 'INTL';
INSERT INTO sim_part_list SELECT account_id, part, COUNT(*) FROM sim_part GROUP BY account_id, part;

-- Stages are counted as a whole (kinds 1-5), warnings no more; places of parts by block (kinds 21-35).
DELETE FROM sim_block WHERE kind <> 0;
DELETE FROM sim_total WHERE kind >= 8;
DELETE FROM sim_count_change WHERE kind >= 8;
UPDATE sim_count_change SET block = -1 WHERE kind BETWEEN 1 AND 5;
INSERT INTO sim_block SELECT account_id, 20 + part, place / 1024, COUNT(*) FROM sim_part GROUP BY account_id, part, place / 1024;
INSERT INTO sim_total SELECT account_id, kind, SUM(cards) FROM sim_block WHERE kind > 20 GROUP BY account_id, kind;

DROP INDEX sim_place_stage;
DROP INDEX sim_place_warned;
ALTER TABLE sim_place DROP COLUMN stage;
ALTER TABLE sim_place DROP COLUMN warned;

-- Cards are found by EID.
DROP INDEX sim_eid;
CREATE INDEX sim_eid ON sim (eid) WHERE eid IS NOT NULL;

-- Who reads a card's order record from its newest order on, and which that was: later pages begin there too.
CREATE TABLE record_walk (
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  newest_order INTEGER NOT NULL,
  asked_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, sim_id)
) WITHOUT ROWID;
CREATE INDEX record_walk_asked ON record_walk (asked_at);
