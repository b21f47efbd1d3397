-- Whether an account's cards are stopped while it is in arrears.
ALTER TABLE account ADD COLUMN credit_stop BIGINT NOT NULL DEFAULT 0;

-- Accounts whose cards are stopped for it (stops: 1) or are being let on again (0), and since when.
CREATE TABLE credit_stop (
  account_id BIGINT PRIMARY KEY,
  since BIGINT NOT NULL,
  stops BIGINT NOT NULL
);

-- Cards that are stopped for it (block 7, credit), so that they are found at once.
CREATE INDEX sim_in_arrears ON sim (account_id, id) WHERE (blocks & 128) <> 0;

-- The how-manieth line of its account a profit is: lines only come, so that a page is found by it.
ALTER TABLE profit ADD COLUMN nth BIGINT NOT NULL DEFAULT 0;
UPDATE profit SET nth = n.nth FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY id) AS nth FROM profit) AS n WHERE n.id = profit.id;
DROP INDEX profit_account;
CREATE UNIQUE INDEX profit_nth ON profit (account_id, nth);
