-- How often an account turned, so that who looks at its cards sees that it turned and turned back meanwhile.
ALTER TABLE credit_stop ADD COLUMN turns BIGINT NOT NULL DEFAULT 0;
