-- How often the waiting batches of the file were rated to their end: an importer that looked before knows that they are gone.
ALTER TABLE cdr_file ADD COLUMN rounds BIGINT NOT NULL DEFAULT 0;
