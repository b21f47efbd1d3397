-- The zone in which a subscription was bought: its calendar months stay those of that zone, wherever its card goes.
ALTER TABLE subscription ADD COLUMN time_zone TEXT;
-- Until now they were those of whoever had the card, or the pool.
UPDATE subscription SET time_zone = (SELECT a.time_zone FROM sim s JOIN account a ON a.id = s.account_id WHERE s.id = subscription.sim_id)
WHERE pool_id IS NULL;
UPDATE subscription SET time_zone = (SELECT a.time_zone FROM pool p JOIN account a ON a.id = p.account_id WHERE p.id = subscription.pool_id)
WHERE pool_id IS NOT NULL;
-- A profile that its carrier has yet to confirm is still the operator's: its months are to be its buyer's.
UPDATE subscription SET time_zone = (SELECT a.time_zone FROM orders o JOIN account a ON a.id = o.account_id WHERE o.id = subscription.order_id)
WHERE state = 'pending' AND sim_id IN (SELECT id FROM sim WHERE account_id = 1);
