//! Answers about the carrier's network, tasks and messages.

use kachi_dialects::eiotclub::codes::{Language, SUCCESS, message};
use kachi_domain::task::ItemState;
use kachi_engine::tasks::Progress;
use serde::Serialize;

/// card/switchOptions.
#[derive(Serialize)]
pub struct SwitchOptions {
    /// Networks the card may switch to.
    pub operators: Vec<String>,
    /// The one it is on, "" if that is not known.
    pub network: String,
}

/// sms/sendSms.
#[derive(Serialize)]
pub struct SmsName<'a> {
    /// What names the message.
    pub trans_id: &'a str,
}

/// card/reset.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskName {
    /// The task's number, as text.
    pub task_id: String,
}

#[derive(Serialize)]
struct Done<'a> {
    code: String,
    message: &'a str,
}

/// A good answer without `data`.
pub fn done(language: Language) -> String {
    let message = message(SUCCESS, language).unwrap_or_default();
    write(&Done { code: SUCCESS.to_string(), message })
}

/// One task of task/query.
#[derive(Serialize)]
pub struct TaskLine {
    id: String,
    status: String,
    result: String,
}

/// `result` of a task: JSON text.
#[derive(Serialize)]
struct TaskResult<'a> {
    total: usize,
    done: usize,
    failed: usize,
    stopped: usize,
    open: usize,
    cards: Vec<CardResult<'a>>,
}

#[derive(Serialize)]
struct CardResult<'a> {
    iccid: &'a str,
    state: &'static str,
    result: &'a str,
}

impl TaskLine {
    /// Where a task stands, with the last word on each of its cards.
    pub fn of(progress: &Progress) -> TaskLine {
        let items = progress.items.iter();
        let cards: Vec<_> = items.map(|i| CardResult { iccid: &i.iccid, state: i.state.word(), result: &i.result }).collect();
        let result = TaskResult {
            total: cards.len(),
            done: progress.count(ItemState::Done),
            failed: progress.count(ItemState::Failed),
            stopped: progress.count(ItemState::Stopped),
            open: cards.len() - progress.settled(),
            cards,
        };
        TaskLine { id: progress.task.id.to_string(), status: progress.task.state.wire().to_string(), result: write(&result) }
    }
}

#[derive(Serialize)]
struct Tasks<'a> {
    code: String,
    data: &'a [TaskLine],
}

/// task/query has no `message`.
pub fn tasks(lines: &[TaskLine]) -> String {
    write(&Tasks { code: SUCCESS.to_string(), data: lines })
}

fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an answer can be written")
}
