-- What an account pays and asks for eSIM goods where that differs from the goods' own price.
CREATE TABLE esim_price (
  account_id INTEGER NOT NULL,
  goods_id INTEGER NOT NULL,
  price_minor INTEGER,
  retail_minor INTEGER,
  PRIMARY KEY (account_id, goods_id)
) WITHOUT ROWID;
