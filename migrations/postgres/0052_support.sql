-- A notice that is sent again gets its whole schedule: attempts counts those of it, attempts_before those made until then.
ALTER TABLE delivery ADD COLUMN attempts_before BIGINT NOT NULL DEFAULT 0;
-- Dead notices, so that those of an account are found at once.
CREATE INDEX delivery_dead ON delivery (account_id, id) WHERE state = 'dead';

-- Cards that something keeps off, but a missing package (block 6): their list is read by this. Switched-off messages and voice
-- (blocks 2 and 3) keep no card off. As an equality, which planners take for rare.
CREATE INDEX sim_kept_off ON sim (account_id, id)
  WHERE (CASE WHEN state IN ('stopped', 'unknown') OR (state = 'active' AND (blocks & -77) <> 0) THEN 1 ELSE 0 END) = 1;

-- Cards by the last digits that people read out, of ICCID and MSISDN.
CREATE INDEX sim_key_tail ON sim_key (right(number, 4)) WHERE kind IN ('iccid', 'msisdn');
