-- Each account has a list of the cards it sees, its own and those of the accounts below it. A card gets the next place of a
-- list when it comes in sight, and keeps it; one that leaves leaves a hole (no card, left_at), which is closed later.
CREATE TABLE sim_place (
  account_id INTEGER NOT NULL,
  place INTEGER NOT NULL,
  sim_id INTEGER,
  stage INTEGER NOT NULL,
  warned INTEGER NOT NULL,
  left_at INTEGER,
  PRIMARY KEY (account_id, place)
) WITHOUT ROWID;
CREATE UNIQUE INDEX sim_place_sim ON sim_place (sim_id, account_id);
CREATE INDEX sim_place_stage ON sim_place (account_id, stage, place);
CREATE INDEX sim_place_warned ON sim_place (account_id, place) WHERE warned <> 0;
CREATE INDEX sim_place_hole ON sim_place (account_id, left_at) WHERE left_at IS NOT NULL;

-- The next free place of each list.
CREATE TABLE sim_list (account_id INTEGER PRIMARY KEY, next_place INTEGER NOT NULL);
-- When a page of a list with holes was last asked for.
CREATE TABLE sim_walk (account_id INTEGER PRIMARY KEY, asked_at INTEGER NOT NULL);

-- Cards of each kind in a list: in all, and in each block of 1024 places. Kinds: 0 places, holes too; 1-5 stages; 6 ever
-- activated; 7 ever had a package; 8-10 the warnings. A change is a row that is summed up later (block -1: of no block).
CREATE TABLE sim_total (
  account_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  cards INTEGER NOT NULL,
  PRIMARY KEY (account_id, kind)
) WITHOUT ROWID;
CREATE TABLE sim_block (
  account_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  block INTEGER NOT NULL,
  cards INTEGER NOT NULL,
  PRIMARY KEY (account_id, kind, block)
) WITHOUT ROWID;
CREATE TABLE sim_count_change (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  block INTEGER NOT NULL,
  cards INTEGER NOT NULL
);
CREATE INDEX sim_count_change_account ON sim_count_change (account_id, kind);

-- Whether the card ever had a package; the warning lines it is below. The timers find the latter out for cards that are there.
ALTER TABLE sim ADD COLUMN ordered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sim_state ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
UPDATE sim SET ordered = 1 WHERE id IN (SELECT sim_id FROM subscription WHERE available_at IS NOT NULL);
UPDATE sim_state SET due_at = 0 WHERE due_at IS NOT NULL;

INSERT INTO sim_place (account_id, place, sim_id, stage, warned)
SELECT a.id, ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY s.id) - 1, s.id,
  CASE WHEN s.state IN ('inventory', 'testing') THEN 1 WHEN s.state = 'ready' THEN 2
    WHEN s.state IN ('pre_closed', 'closed', 'replaced') THEN 5 WHEN s.state = 'active' AND s.blocks = 0 THEN 3 ELSE 4 END, 0
FROM sim s JOIN account o ON o.id = s.account_id JOIN account a ON o.path LIKE a.path || '%';
INSERT INTO sim_list SELECT account_id, COUNT(*) FROM sim_place GROUP BY account_id;
INSERT INTO sim_block SELECT account_id, 0, place / 1024, COUNT(*) FROM sim_place GROUP BY account_id, place / 1024;
INSERT INTO sim_block SELECT account_id, stage, place / 1024, COUNT(*) FROM sim_place GROUP BY account_id, stage, place / 1024;
INSERT INTO sim_total SELECT account_id, kind, SUM(cards) FROM sim_block GROUP BY account_id, kind;
INSERT INTO sim_total SELECT p.account_id, 6, COUNT(*) FROM sim_place p JOIN sim s ON s.id = p.sim_id
WHERE s.activated_at IS NOT NULL OR s.state IN ('active', 'stopped') GROUP BY p.account_id;
INSERT INTO sim_total SELECT p.account_id, 7, COUNT(*) FROM sim_place p JOIN sim s ON s.id = p.sim_id
WHERE s.ordered = 1 GROUP BY p.account_id;
