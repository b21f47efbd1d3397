//! `kachi admin delivery`: notices to customers, and sending them again.

use super::{account, code, instant, refuse_backwards};
use crate::args::{Delivery, Replay};
use crate::exit::Exit;
use crate::print;
use kachi_domain::Timestamp;
use kachi_domain::ledger::OPERATOR;
use kachi_engine::{Engine, webhooks};
use serde_json::{Value, json};

/// Newest notices searched for the one to be shown.
const NEWEST: i64 = 100_000;

/// Runs the verb.
pub fn run(engine: &Engine, verb: Delivery) -> Result<(), Exit> {
    match verb {
        Delivery::List { account: of, state, limit, shape } => {
            let owner = of.map_or(Ok(OPERATOR), |code| account(engine, &code))?;
            let rows: Vec<_> = webhooks::newest(engine, owner, state, limit)?.into_iter().map(delivery_row).collect();
            print::table(&DELIVERY, &rows, shape.json)
        }
        Delivery::Show { id, shape } => show_delivery(engine, id, shape),
        Delivery::Replay(asked) => replay(engine, &asked),
    }
}

fn replay(engine: &Engine, asked: &Replay) -> Result<(), Exit> {
    if asked.from.is_none() && asked.account.is_none() {
        return Err(Exit::usage(
            "FROM, --account: say which notices: their numbers, or --account CODE for all dead ones of an account",
        ));
    }
    asked.from.map_or(Ok(()), |from| refuse_backwards(from, asked.to))?;
    let numbers = asked.from.map(|from| (from, asked.to.unwrap_or(from)));
    let since = asked.since.as_deref().map(Timestamp::parse_rfc3339).transpose();
    let of = webhooks::Replay {
        numbers,
        account: asked.account.as_deref().map(|code| account(engine, code)).transpose()?,
        door: asked.door.clone(),
        since: since.map_err(|e| Exit::refused(format!("--since: {e}")))?,
        done: asked.done,
    };
    if of.done && numbers.is_none() && of.since.is_none() {
        return Err(Exit::refused(
            "--done: without FROM it would send all that the account was ever told: give --since TIME too",
        ));
    }
    let found = match asked.dry_run {
        true => webhooks::replayable(engine, &of)?,
        false => webhooks::replay(engine, &of, asked.limit, &asked.by)?,
    };
    let left = match found.acknowledged {
        0 => String::new(),
        n => format!("{n} of these notices were acknowledged: --done sends them again too"),
    };
    if found.total() == 0 {
        return Err(Exit::refused(match numbers {
            _ if !left.is_empty() => format!("FROM: none is dead; {left}"),
            Some(_) => "FROM: there is no settled notice with that number; `kachi admin delivery list` tells them".to_owned(),
            None => "--account: none of these notices is dead; `kachi admin delivery list` tells how they stand".to_owned(),
        }));
    }
    if asked.shape.json {
        let name = |((id, door), n): (&webhooks::Endpoint, &i64)| -> Result<Value, Exit> {
            Ok(json!({"account": code(engine, *id)?, "door": door, "notices": n}))
        };
        let endpoints = found.notices.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        return print::json(&json!({
            "notices": found.total(), "more": found.more, "acknowledged": found.acknowledged, "dry_run": asked.dry_run,
            "endpoints": endpoints,
        }));
    }
    let will = if asked.dry_run { "would" } else { "will" };
    print::line(format_args!("{} notices {will} be sent again", found.total()))?;
    if of.account.is_some() {
        for ((id, door), n) in &found.notices {
            print::line(format_args!("  {} {door}: {n}", code(engine, *id)?))?;
        }
    }
    if found.more > 0 {
        print::line(format_args!("{} more wait for another turn: give the command again, or a greater --limit", found.more))?;
    }
    if left.is_empty() { Ok(()) } else { print::line(left) }
}

const DELIVERY: [&str; 10] = ["id", "event", "kind", "iccid", "door", "state", "attempts", "due", "done", "answer"];

fn delivery_row(d: kachi_store::webhooks::DeliveryRow) -> Vec<Value> {
    let (id, event, kind, iccid, door, state, attempts, due, done, answer, _) = d;
    vec![
        json!(id),
        json!(event),
        json!(kind),
        json!(iccid),
        json!(door),
        json!(state),
        json!(attempts),
        json!(due.map(instant)),
        json!(done.map(instant)),
        json!(answer),
    ]
}

fn show_delivery(engine: &Engine, id: i64, shape: crate::args::Shape) -> Result<(), Exit> {
    let row = webhooks::newest(engine, OPERATOR, None, NEWEST)?.into_iter().find(|d| d.0 == id);
    let attempts = engine.read(|tx, _| Ok(tx.delivery_attempts(id)?))?;
    if row.is_none() && attempts.is_empty() {
        return Err(Exit::refused(format!("ID: there is no notice {id}; `kachi admin delivery list` lists them")));
    }
    let row = row.map(delivery_row);
    let columns = ["attempt", "at", "millis", "status", "answer"];
    let tried: Vec<Vec<Value>> = attempts
        .into_iter()
        .map(|(n, at, millis, status, answer)| vec![json!(n), json!(instant(at)), json!(millis), json!(status), json!(answer)])
        .collect();
    if shape.json {
        let named = |names: &[&str], row: &[Value]| -> Value {
            names.iter().map(|n| (*n).to_owned()).zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into()
        };
        let attempts: Vec<Value> = tried.iter().map(|t| named(&columns, t)).collect();
        return print::json(&json!({"delivery": row.map(|r| named(&DELIVERY, &r)), "attempts": attempts}));
    }
    if let Some(row) = row {
        print::table(&DELIVERY, &[row], false)?;
    }
    print::table(&columns, &tried, false)
}
