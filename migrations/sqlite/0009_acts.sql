-- What is asked of the carrier for a card beyond packages, tasks over many cards, messages, and the carriers' own counters.

-- What it was asked for; some acts may be asked for once in a while only. And the task it is a part of.
ALTER TABLE intent ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE intent ADD COLUMN task_id INTEGER;
-- A task asks for each of its cards once.
CREATE UNIQUE INDEX intent_task ON intent (task_id, sim_id) WHERE task_id IS NOT NULL;
CREATE INDEX intent_sim ON intent (sim_id, cause, id);

-- What the platform's connector can do, JSON, as it was last opened; empty: not known.
ALTER TABLE platform ADD COLUMN capabilities TEXT NOT NULL DEFAULT '';

-- A carrier's own count of a card's data: a reading that reconciles and is never rated.
CREATE TABLE counter_reading (
  sim_id INTEGER NOT NULL,
  source TEXT NOT NULL,
  as_of INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  platform_id INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (sim_id, source, as_of)
) WITHOUT ROWID;

CREATE TABLE task (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  due_at INTEGER,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER
);
CREATE INDEX task_due ON task (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX task_account ON task (account_id, id);

-- One card of a task.
CREATE TABLE task_item (
  task_id INTEGER NOT NULL,
  line INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  iccid TEXT NOT NULL,
  state TEXT NOT NULL,
  result TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (task_id, line)
) WITHOUT ROWID;

-- Messages to cards.
CREATE TABLE sms (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sim_id INTEGER NOT NULL,
  number TEXT NOT NULL UNIQUE,
  text TEXT NOT NULL,
  state TEXT NOT NULL,
  note TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX sms_account ON sms (account_id, id);
