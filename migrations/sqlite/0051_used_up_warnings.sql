-- A card that is used up is below the lines of data, and a closed card is warned of nothing: such cards are looked at again.
UPDATE sim_state SET due_at = 0 WHERE sim_id IN
  (SELECT id FROM sim WHERE blocks & 16 <> 0 AND state NOT IN ('pre_closed', 'closed', 'replaced'));
INSERT INTO sim_part_change (account_id, sim_id) SELECT p.account_id, p.sim_id FROM sim s JOIN sim_state t ON t.sim_id = s.id
  JOIN sim_place p ON p.sim_id = s.id WHERE t.warned <> 0 AND s.state IN ('pre_closed', 'closed', 'replaced') ORDER BY s.id;
-- A stop is told by its number from now on. The one that each of these cards is in was told by another name, and is its first.
INSERT INTO announced (sim_id, kind, subject) SELECT s.id, k.kind, 1 FROM sim s
  CROSS JOIN (SELECT 'stopped#' AS kind UNION ALL SELECT 'warned51#' UNION ALL SELECT 'warned41#') k
  WHERE s.blocks & 16432 <> 0; -- quota, expired, pool_exhausted
