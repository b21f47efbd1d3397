//! Tasks over many cards, and each of their cards.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::page::integers;
use kachi_domain::task::{ItemState, TaskState};
use kachi_domain::{AccountId, SimId, Timestamp};

/// A task as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub id: i64,
    /// Who asked for it.
    pub account: AccountId,
    /// What is done: `reset`.
    pub kind: String,
    /// Where it stands.
    pub state: TaskState,
    /// When it was asked for.
    pub created_at: i64,
    /// When its first card was worked on.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// One card of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its task.
    pub task: i64,
    /// Its place in it, from 1.
    pub line: i64,
    /// The card.
    pub sim: SimId,
    /// Its printed number.
    pub iccid: String,
    /// Where it stands.
    pub state: ItemState,
    /// The last word on it.
    pub result: String,
    /// When that was.
    pub updated_at: i64,
}

type R = (i64, i64, String, String, i64, Option<i64>, Option<i64>);
const COLUMNS: &str = "id, account_id, kind, state, created_at, started_at, finished_at";

fn task(r: R) -> Result<Task, Error> {
    Ok(Task {
        id: r.0,
        account: AccountId(r.1),
        kind: r.2,
        state: TaskState::parse(&r.3).map_err(Error::Engine)?,
        created_at: r.4,
        started_at: r.5,
        finished_at: r.6,
    })
}

/// Rows in one statement.
const GROUP: usize = 50;

impl Tx<'_> {
    /// Stores a task over these cards (card, printed number), due at once; the answer is its number.
    pub fn add_task(&mut self, account: AccountId, kind: &str, cards: &[(SimId, &str)], now: Timestamp) -> Result<i64, Error> {
        let row = self.row::<(i64,)>(
            "INSERT INTO task (account_id, kind, state, due_at, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
            &binds![account.0, kind, TaskState::Waiting.word(), now.0, now.0],
        )?;
        let id = row.map(|r| r.0).ok_or_else(|| Error::Engine("a new task has no number".into()))?;
        let text = "INSERT INTO task_item (task_id, line, account_id, sim_id, iccid, state, result, updated_at) VALUES {}";
        let numbered: Vec<(i64, &(SimId, &str))> = (1..).zip(cards).collect();
        for part in numbered.chunks(GROUP) {
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 8);
            for (line, (sim, iccid)) in part {
                values.extend(binds![id, *line, account.0, sim.0, *iccid, ItemState::Waiting.word(), "", now.0]);
            }
            self.run_group(text, "(?, ?, ?, ?, ?, ?, ?, ?)", part.len(), GROUP, &values)?;
        }
        Ok(id)
    }

    /// The task that is due first; it is this transaction's alone until its end.
    pub fn due_task(&mut self, now: Timestamp) -> Result<Option<Task>, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let text =
            format!("SELECT {COLUMNS} FROM task WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at, id LIMIT 1{lock}");
        self.row::<R>(&text, &binds![now.0])?.map(task).transpose()
    }

    /// A task, locked where the engine locks rows.
    pub fn task_locked(&mut self, id: i64) -> Result<Option<Task>, Error> {
        let text = format!("SELECT {COLUMNS} FROM task WHERE id = ?{}", self.for_update());
        self.row::<R>(&text, &binds![id])?.map(task).transpose()
    }

    /// Tasks by their numbers that the accounts may see.
    pub fn tasks(&mut self, accounts: &[AccountId], ids: &[i64]) -> Result<Vec<Task>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM task WHERE id IN ({}) AND account_id IN ({}) ORDER BY id",
            integers(ids.iter().copied()),
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows_once::<R>(&text, &[])?.into_iter().map(task).collect()
    }

    /// The newest tasks of all accounts.
    pub fn tasks_newest(&mut self, limit: i64) -> Result<Vec<Task>, Error> {
        let text = format!("SELECT {COLUMNS} FROM task ORDER BY id DESC LIMIT ?");
        self.rows::<R>(&text, &binds![limit])?.into_iter().map(task).collect()
    }

    /// Moves a task: it began at `started` if it had not, and ended now unless it is due again or woken later.
    pub fn move_task(&mut self, id: i64, state: TaskState, due: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
        let ended = !matches!(state, TaskState::Waiting | TaskState::Running);
        self.run(
            "UPDATE task SET state = ?, due_at = ?, started_at = COALESCE(started_at, ?), finished_at = ? WHERE id = ?",
            &binds![state.word(), due.map(|d| d.0), now.0, ended.then_some(now.0), id],
        )?;
        Ok(())
    }

    /// A card of the task has news: an open task is looked at again at once.
    pub fn wake_task(&mut self, id: i64, now: Timestamp) -> Result<(), Error> {
        self.run("UPDATE task SET due_at = ? WHERE id = ? AND finished_at IS NULL", &binds![now.0, id])?;
        Ok(())
    }

    /// The cards of tasks, in order.
    pub fn task_items(&mut self, tasks: &[i64]) -> Result<Vec<Item>, Error> {
        let text = format!(
            "SELECT task_id, line, sim_id, iccid, state, result, updated_at FROM task_item WHERE task_id IN ({}) ORDER BY task_id, line",
            integers(tasks.iter().copied())
        );
        type I = (i64, i64, i64, String, String, String, i64);
        let item = |r: I| {
            let state = ItemState::parse(&r.4).map_err(Error::Engine)?;
            Ok(Item { task: r.0, line: r.1, sim: SimId(r.2), iccid: r.3, state, result: r.5, updated_at: r.6 })
        };
        self.rows_once::<I>(&text, &[])?.into_iter().map(item).collect()
    }

    /// The last word on a card of a task that is not settled yet; false if it is.
    pub fn set_task_item(
        &mut self,
        task: i64,
        sim: SimId,
        state: ItemState,
        result: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let n = self.run(
            "UPDATE task_item SET state = ?, result = ?, updated_at = ?
             WHERE task_id = ? AND sim_id = ? AND state IN ('waiting', 'sent')",
            &binds![state.word(), result, now.0, task, sim.0],
        )?;
        Ok(n > 0)
    }

    /// The cards that nothing was asked for yet will not be asked for; the answer is how many.
    pub fn stop_task_items(&mut self, task: i64, now: Timestamp) -> Result<usize, Error> {
        self.run(
            "UPDATE task_item SET state = 'stopped', result = 'stopped before its turn', updated_at = ? WHERE task_id = ? AND state = 'waiting'",
            &binds![now.0, task],
        )
    }
}
