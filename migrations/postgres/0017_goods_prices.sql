-- What an account pays and asks for eSIM goods where that differs from the goods' own price.
CREATE TABLE esim_price (
  account_id BIGINT NOT NULL,
  goods_id BIGINT NOT NULL,
  price_minor BIGINT,
  retail_minor BIGINT,
  PRIMARY KEY (account_id, goods_id)
);
