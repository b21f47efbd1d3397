-- Who began to pay profits out (none: begun before it was kept), and who said that they were, or will not be; the note is why not.
ALTER TABLE withdrawal ADD COLUMN begun_by TEXT;
ALTER TABLE withdrawal ADD COLUMN settled_by TEXT;
UPDATE withdrawal SET settled_by = note, note = '' WHERE state = 'done';
UPDATE withdrawal SET settled_by = substr(note, 1, instr(note, ': ') - 1), note = substr(note, instr(note, ': ') + 2)
WHERE state = 'failed' AND instr(note, ': ') > 0;

-- The day on which money reached the bank, as days since 1970, and what was said of it beside.
ALTER TABLE money_act ADD COLUMN value_day INTEGER;
ALTER TABLE money_act ADD COLUMN remark TEXT NOT NULL DEFAULT '';
