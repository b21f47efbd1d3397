-- What a card had spoken in the newest billing month that was told when it moved, or, where that month was told only afterwards, when
-- it first was: that is not its new owner's.
ALTER TABLE sim_move ADD COLUMN voice_from BIGINT;
ALTER TABLE sim_move ADD COLUMN voice_seconds BIGINT;
