-- Whether the card's device was switched on (1) or off (0) as its carrier last said, and when that was read.
ALTER TABLE carrier_word ADD COLUMN power INTEGER;
ALTER TABLE carrier_word ADD COLUMN power_at INTEGER;
