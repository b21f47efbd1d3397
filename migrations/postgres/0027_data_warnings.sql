-- Warnings are of data, and of throttled data too: cards with other packages than limited data are looked at again.
UPDATE sim_state SET due_at = 0 WHERE sim_id IN (SELECT sim_id FROM subscription WHERE sim_id > 0 AND state IN ('waiting', 'active')
  AND (terms LIKE '%"throttled"%' OR terms LIKE '%"voice"%' OR terms LIKE '%"sms"%'));
