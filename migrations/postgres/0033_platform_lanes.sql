-- What is due by platform, so that one that is silent holds up no other.
CREATE INDEX intent_platform_due ON intent (platform_id, due_at, id) WHERE due_at IS NOT NULL;
DROP INDEX intent_due;
CREATE INDEX card_read_platform_due ON card_read (platform_id, due_at, id) WHERE due_at IS NOT NULL;
DROP INDEX card_read_due;
