-- Cards that their carriers show stopped, and of which no reason was read since: few at a time, so that they are found at once.
CREATE INDEX carrier_word_unexplained ON carrier_word (sim_id) WHERE base = 'stopped' AND stop_at IS NULL;
