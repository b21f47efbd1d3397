//! Work over many cards, with a result for each.
//!
//! Who acts: a partner's key makes a task over cards the account sees; a worker's [`step`] moves it on; a person may stop
//! it. Promised: each card is asked for once, whoever dies when: a card's carrier write is stored in the transaction that
//! takes the card off the waiting ones, and it is settled by the same worker and lease as any other. A card that cools
//! down, or is in doubt, holds nobody but the end of its task. A step is one transaction that holds its task, so two
//! workers never do the same one and a dead one leaves nothing behind. Not promised: an order among the cards.

use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::intents::BY_COMMAND;
use crate::{esim, network};
use kachi_domain::carrier::{Answer, Write};
use kachi_domain::task::{ItemState, TaskState};
use kachi_domain::{Iccid, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use kachi_store::tasks::{Item, Task};

/// Cards that one step asks for.
const STEP_CARDS: usize = 50;

const RESET: &str = "reset";

/// A task with its cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The task.
    pub task: Task,
    /// Its cards, in the order asked for.
    pub items: Vec<Item>,
}

impl Progress {
    /// How many of its cards are in this state.
    pub fn count(&self, state: ItemState) -> usize {
        self.items.iter().filter(|i| i.state == state).count()
    }

    /// How many of its cards have their last word.
    pub fn settled(&self) -> usize {
        self.items.iter().filter(|i| i.state.is_settled()).count()
    }
}

/// Makes a task that cuts the session of each card, so that its device connects anew; the answer is its number. A card
/// that the account does not see refuses the whole.
pub fn reset(tx: &mut Tx<'_>, how: &Settling, actor: &Actor, iccids: &[Iccid]) -> Result<i64> {
    let wanted: Vec<&str> = iccids.iter().map(Iccid::as_str).collect();
    let known = tx.sims_of_iccids(&wanted)?;
    let mut cards = Vec::with_capacity(wanted.len());
    for iccid in wanted {
        let mine = known.iter().find(|k| k.0 == iccid && actor.may_see(kachi_domain::AccountId(k.2)));
        cards.push((SimId(mine.ok_or(Refusal::UnknownSim)?.1), iccid));
    }
    Ok(tx.add_task(actor.account, RESET, &cards, how.now)?)
}

/// Moves the task that is due first one step on; the answer is 1, or 0 if none is due.
pub fn step(engine: &Engine) -> Result<usize> {
    engine.write(|tx, catalogue, how| {
        let Some(task) = tx.due_task(how.now)? else { return Ok(0) };
        let items = tx.task_items(&[task.id])?;
        let waiting: Vec<&Item> = items.iter().filter(|i| i.state == ItemState::Waiting).take(STEP_CARDS).collect();
        for item in &waiting {
            begin(tx, catalogue, how, &task, item)?;
        }
        let states: Vec<ItemState> = items.iter().map(|i| i.state).collect();
        if waiting.is_empty() {
            // The last card to be settled wakes the task again.
            tx.move_task(task.id, TaskState::end(&states).unwrap_or(TaskState::Running), None, how.now)?;
        } else {
            tx.move_task(task.id, TaskState::Running, Some(how.now), how.now)?;
        }
        Ok(1)
    })
}

/// Asks the carrier for one card.
fn begin(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, task: &Task, item: &Item) -> Result<()> {
    let mine = |account| catalogue.actor(task.account).is_some_and(|a| a.may_see(account));
    let sim = tx.sim_by_id(item.sim)?.filter(|s| mine(s.account));
    let refused = match &sim {
        None => Some("the card is no longer this account's"),
        Some(sim) if network::refuse_over(sim).is_err() => Some("the card is closed"),
        Some(sim) => match esim::refuse_unsold(tx, [sim]) {
            Err(Fail::Refused(_)) => Some("the card is not sold yet"),
            other => other.map(|()| None)?,
        },
    };
    match (sim, refused) {
        (Some(sim), None) => {
            let reference = format!("task-{}-{}", task.id, item.line);
            network::wish(tx, catalogue, &sim, (RESET, Some(task.id), task.account), (&reference, Write::ResetSession), how.now)?;
            tx.set_task_item(task.id, item.sim, ItemState::Sent, "", how.now)?;
        }
        (_, reason) => {
            tx.set_task_item(task.id, item.sim, ItemState::Failed, reason.unwrap_or_default(), how.now)?;
        }
    }
    Ok(())
}

/// The carrier's word on one card of a task.
pub(crate) fn told(tx: &mut Tx<'_>, intent: &Intent, answer: &Answer, now: Timestamp) -> Result<()> {
    let Some(task) = intent.task else { return Ok(()) };
    let (state, result) = ItemState::told(answer);
    // Whoever made the task reads it, who has none of the operator's commands.
    let result = result.strip_suffix(BY_COMMAND).unwrap_or(&result);
    tx.set_task_item(task, intent.sim, state, result, now)?;
    if state.is_settled() {
        tx.wake_task(task, now)?;
    }
    Ok(())
}

/// Stops a task: cards that nothing was asked for are left alone. The answer is how many.
pub fn stop(tx: &mut Tx<'_>, how: &Settling, id: i64) -> Result<usize> {
    let refused = |what| Refusal::see("task", what, "admin task list");
    let task = tx.task_locked(id)?.ok_or_else(|| refused(format!("there is no task {id}")))?;
    if !matches!(task.state, TaskState::Waiting | TaskState::Running) {
        return Err(refused(format!("task {id} is {} already", task.state.word())).into());
    }
    let stopped = tx.stop_task_items(task.id, how.now)?;
    tx.move_task(task.id, TaskState::Stopped, None, how.now)?;
    Ok(stopped)
}

/// Tasks by their numbers, with their cards; those the account does not see are left out.
pub fn query(tx: &mut Tx<'_>, actor: &Actor, ids: &[i64]) -> Result<Vec<Progress>> {
    let tasks = tx.tasks(&actor.sees, ids)?;
    with_items(tx, tasks)
}

/// The newest tasks of all accounts, newest first.
pub fn newest(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Progress>> {
    let tasks = tx.tasks_newest(limit)?;
    with_items(tx, tasks)
}

fn with_items(tx: &mut Tx<'_>, tasks: Vec<Task>) -> Result<Vec<Progress>> {
    let mut items = tx.task_items(&tasks.iter().map(|t| t.id).collect::<Vec<_>>())?;
    let of = |task: Task| {
        let (mine, rest) = std::mem::take(&mut items).into_iter().partition(|i| i.task == task.id);
        items = rest;
        Progress { task, items: mine }
    };
    Ok(tasks.into_iter().map(of).collect())
}
