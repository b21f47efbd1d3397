-- A card whose messages (4) or voice (8) alone are off works: it was listed and counted as stopped (4), and is as working (3).
INSERT INTO sim_part_change (account_id, sim_id)
SELECT p.account_id, s.id FROM sim s JOIN sim_place p ON p.sim_id = s.id
WHERE s.state = 'active' AND s.blocks IN (4, 8, 12) ORDER BY s.id;
INSERT INTO sim_count_change (account_id, kind, block, cards)
SELECT p.account_id, 4, -1, -COUNT(*) FROM sim s JOIN sim_place p ON p.sim_id = s.id
WHERE s.state = 'active' AND s.blocks IN (4, 8, 12) GROUP BY p.account_id;
INSERT INTO sim_count_change (account_id, kind, block, cards)
SELECT p.account_id, 3, -1, COUNT(*) FROM sim s JOIN sim_place p ON p.sim_id = s.id
WHERE s.state = 'active' AND s.blocks IN (4, 8, 12) GROUP BY p.account_id;
