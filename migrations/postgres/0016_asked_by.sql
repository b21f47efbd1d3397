-- The account that asked for a carrier write; none where nobody did (a lock, a timer), or before this step. Of an order it is
-- the one that bought, of a task the one that made it.
ALTER TABLE intent ADD COLUMN asked_by BIGINT;
UPDATE intent SET asked_by = (SELECT o.account_id FROM orders o WHERE o.id = intent.order_id) WHERE order_id IS NOT NULL;
UPDATE intent SET asked_by = (SELECT t.account_id FROM task t WHERE t.id = intent.task_id) WHERE task_id IS NOT NULL;
