-- The zone in which a subscription was bought: its calendar months stay those of that zone, wherever its card goes.
ALTER TABLE subscription ADD COLUMN time_zone TEXT;
-- Until now they were those of whoever had the card, or the pool.
UPDATE subscription SET time_zone = (SELECT a.time_zone FROM sim s JOIN account a ON a.id = s.account_id WHERE s.id = subscription.sim_id)
WHERE pool_id IS NULL;
UPDATE subscription SET time_zone = (SELECT a.time_zone FROM pool p JOIN account a ON a.id = p.account_id WHERE p.id = subscription.pool_id)
WHERE pool_id IS NOT NULL;
