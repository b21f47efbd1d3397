-- Since when a card is to be on that its carrier has yet to activate: that is asked for when nothing keeps it off and no stop is to be lifted.
ALTER TABLE sim ADD COLUMN activation_owed_since INTEGER;
-- Until now such a card was resumed alone when it had been stopped before its activation went out. What an earlier version asked for tells of
-- it: an activation that was given up for a stop, or that has no last word yet, and none since that the carrier has done or refused.
UPDATE sim SET activation_owed_since = (SELECT MIN(i.created_at) FROM intent i
  WHERE i.sim_id = sim.id AND i.matter = 1 AND i.cause IN ('service', 'service_again') AND i.state NOT IN ('confirmed', 'refused')
  AND json_extract(i.request, '$.write.act') = 'activate'
  AND NOT EXISTS (SELECT 1 FROM intent n WHERE n.sim_id = i.sim_id AND n.matter = 1 AND n.id > i.id AND n.state IN ('confirmed', 'refused')
    AND json_extract(n.request, '$.write.act') = 'activate')
  AND NOT EXISTS (SELECT 1 FROM carrier_word w WHERE w.sim_id = i.sim_id AND w.base = 'active'))
WHERE id IN (SELECT sim_id FROM intent WHERE matter = 1);
-- Where their carriers have them is read soon.
UPDATE sync_read SET as_of = NULL, held_until = NULL
WHERE what = 'state' AND sim_id IN (SELECT id FROM sim WHERE activation_owed_since IS NOT NULL);
