//! `kachi admin task`, `kachi admin sms` and `kachi admin template`: work over many cards, and messages, with what became of
//! each; templates.

use super::{code, instant};
use crate::args::{Shape, Sms, Task, Template};
use crate::exit::Exit;
use crate::print;
use kachi_domain::Money;
use kachi_domain::ledger::OPERATOR;
use kachi_domain::task::ItemState;
use kachi_engine::tasks::{self, Progress};
use kachi_engine::{Engine, sms as messages};
use serde_json::{Value, json};

const TASK: [&str; 11] =
    ["id", "account", "kind", "state", "cards", "done", "failed", "stopped", "created_at", "started_at", "finished_at"];
const CARD: [&str; 5] = ["line", "iccid", "state", "result", "updated_at"];

/// Runs the verb.
pub fn tasks(engine: &Engine, verb: Task) -> Result<(), Exit> {
    match verb {
        Task::List { limit, shape } => {
            let found = engine.read(|tx, _| tasks::newest(tx, limit))?;
            let rows = found.iter().map(|p| row(engine, p)).collect::<Result<Vec<_>, _>>()?;
            print::table(&TASK, &rows, shape.json)
        }
        Task::Show { id, shape } => show(engine, id, shape),
        Task::Stop { id, shape } => {
            let stopped = engine.write(move |tx, _, how| tasks::stop(tx, how, id))?;
            let words = format!("task {id}: stopped; {stopped} cards were not asked for");
            print::done(shape.json, &json!({"id": id, "stopped": stopped}), words)
        }
    }
}

fn row(engine: &Engine, progress: &Progress) -> Result<Vec<Value>, Exit> {
    let task = &progress.task;
    Ok(vec![
        json!(task.id),
        json!(code(engine, task.account)?),
        json!(task.kind),
        json!(task.state.word()),
        json!(progress.items.len()),
        json!(progress.count(ItemState::Done)),
        json!(progress.count(ItemState::Failed)),
        json!(progress.count(ItemState::Stopped)),
        json!(instant(task.created_at)),
        json!(task.started_at.map(instant)),
        json!(task.finished_at.map(instant)),
    ])
}

fn show(engine: &Engine, id: i64, shape: Shape) -> Result<(), Exit> {
    let operator = engine.catalogue()?.actor(OPERATOR).ok_or_else(|| Exit::cannot("there is no operator"))?;
    let found = engine.read(|tx, _| tasks::query(tx, &operator, &[id]))?;
    let Some(progress) = found.first() else {
        return Err(Exit::refused(format!("ID: there is no task {id}; `kachi admin task list` lists them")));
    };
    let task = row(engine, progress)?;
    let card = |i: &kachi_store::tasks::Item| {
        vec![json!(i.line), json!(i.iccid), json!(i.state.word()), json!(i.result), json!(instant(i.updated_at))]
    };
    let cards: Vec<Vec<Value>> = progress.items.iter().map(card).collect();
    if shape.json {
        let named = |names: &[&str], row: &[Value]| -> Value {
            names.iter().map(|n| (*n).to_owned()).zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into()
        };
        let cards: Vec<Value> = cards.iter().map(|c| named(&CARD, c)).collect();
        return print::json(&json!({"task": named(&TASK, &task), "cards": cards}));
    }
    print::table(&TASK, &[task], false)?;
    print::line("")?;
    print::table(&CARD, &cards, false)
}

/// Runs the verb.
pub fn sms(engine: &Engine, verb: Sms) -> Result<(), Exit> {
    match verb {
        Sms::List { waiting, limit, shape } => list_sms(engine, waiting, limit, shape),
        Sms::Refuse { name, reason, by, shape } => {
            let named = name.clone();
            let refused = engine.write(move |tx, catalogue, how| messages::refuse(tx, catalogue, how, &named, (&by, &reason)))?;
            let (count, back) = (refused.messages, refused.back.to_decimal());
            let words = format!("{name}: {count} refused; {back} {} is back", refused.back.currency);
            print::done(shape.json, &json!({"name": name, "refused": count, "back": back}), words)
        }
    }
}

fn list_sms(engine: &Engine, waiting: bool, limit: i64, shape: Shape) -> Result<(), Exit> {
    let columns = ["id", "account", "iccid", "number", "state", "note", "created_at", "updated_at", "text"];
    let (found, iccids) = engine.read(|tx, _| {
        let found = if waiting { tx.sms_held(limit)? } else { tx.sms_newest(limit)? };
        let iccids = tx.iccids_of(&found.iter().map(|s| s.sim).collect::<Vec<_>>())?;
        Ok((found, iccids))
    })?;
    let mut rows = Vec::new();
    for s in found {
        rows.push(vec![
            json!(s.id),
            json!(code(engine, s.account)?),
            json!(iccids.iter().find(|(id, _)| *id == s.sim.0).map(|(_, iccid)| iccid)),
            json!(s.number),
            json!(s.state.word()),
            json!(s.note),
            json!(instant(s.created_at)),
            json!(instant(s.updated_at)),
            json!(s.text),
        ]);
    }
    print::table(&columns, &rows, shape.json)
}

/// Runs the verb.
pub fn templates(engine: &Engine, verb: Template) -> Result<(), Exit> {
    let (code, approved, shape) = match verb {
        Template::List(shape) => return list_templates(engine, shape),
        Template::Approve { code, shape } => (code, true, shape),
        Template::Withdraw { code, shape } => (code, false, shape),
    };
    let named = code.clone();
    engine.write(move |tx, _, _| messages::approve(tx, &named, approved))?;
    let words = format!("template {code}: {}", if approved { "approved" } else { "withdrawn" });
    print::done(shape.json, &json!({"code": code, "approved": approved}), words)
}

fn list_templates(engine: &Engine, shape: Shape) -> Result<(), Exit> {
    let mut rows = Vec::new();
    for t in engine.read(|tx, _| Ok(tx.sms_templates()?))? {
        let price = engine.catalogue()?.account(t.account).map(|a| Money { minor: t.price_minor, currency: a.account.currency });
        let owner = code(engine, t.account)?;
        let price = price.map(|p| p.to_decimal());
        rows.push(vec![json!(t.code), json!(owner), json!(t.approved), json!(price), json!(t.signature), json!(t.text)]);
    }
    print::table(&["code", "account", "approved", "price", "signature", "text"], &rows, shape.json)
}
