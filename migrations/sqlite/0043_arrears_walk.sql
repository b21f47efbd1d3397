-- Every account has a row, so that whoever brings a card to it can hold on to what it says. How far its cards were looked at: the last card's
-- number; none: all were.
ALTER TABLE credit_stop ADD COLUMN looked_to INTEGER;
INSERT INTO credit_stop (account_id, since, stops) SELECT id, created_at, 0 FROM account WHERE id NOT IN (SELECT account_id FROM credit_stop);
-- Where cards are stopped, are being let on, or were left stopped, all are looked at once more.
UPDATE credit_stop SET looked_to = 0 WHERE stops = 1 OR account_id IN (SELECT account_id FROM sim WHERE (blocks & 128) <> 0);
