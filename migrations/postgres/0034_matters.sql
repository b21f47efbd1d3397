-- What of a card a write is about: writes of one card about one matter go in their order. 0: nothing that stays.
ALTER TABLE intent ADD COLUMN matter BIGINT NOT NULL DEFAULT 0;
UPDATE intent SET matter = CASE CAST(request AS JSON) -> 'write' ->> 'act'
  WHEN 'stop' THEN 1 WHEN 'resume' THEN 1 WHEN 'activate' THEN 1 WHEN 'end_test' THEN 1
  WHEN 'subscribe' THEN 2 WHEN 'unsubscribe' THEN 2
  WHEN 'data_off' THEN 3 WHEN 'data_on' THEN 3
  WHEN 'limit_speed' THEN 4
  WHEN 'allow_calls' THEN 5 WHEN 'bar_calls' THEN 5
  WHEN 'switch_network' THEN 6
  ELSE 0 END;
CREATE INDEX intent_matter ON intent (sim_id, matter, id);
CREATE INDEX intent_open ON intent (sim_id, matter, id) WHERE due_at IS NOT NULL;
