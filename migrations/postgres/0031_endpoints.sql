-- What is due by endpoint, so that each has its share of a claim, whatever waits for the others.
CREATE INDEX delivery_endpoint ON delivery (account_id, door, due_at, id) WHERE due_at IS NOT NULL;
DROP INDEX delivery_due;
