-- From whom a card went to another account, and when: what is counted of it for who has it now begins there.
CREATE TABLE sim_move (
  sim_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  from_account INTEGER NOT NULL,
  PRIMARY KEY (sim_id, at, from_account)
) WITHOUT ROWID;
INSERT INTO sim_move (sim_id, at, from_account)
SELECT DISTINCT sim_id, at, account_id FROM event WHERE kind = 'sim_moved' AND body LIKE '%moved away%' AND sim_id IS NOT NULL;
