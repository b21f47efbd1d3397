//! CDR files to customers: what was delivered and what waits; one with its attempts; sending again.

use super::{account, code, instant, refuse_backwards};
use crate::args::Cdr;
use crate::exit::Exit;
use crate::print;
use kachi_domain::Refusal;
use kachi_domain::cdr::delivery::Slot;
use kachi_domain::ledger::OPERATOR;
use kachi_engine::Engine;
use kachi_engine::cdr_deliveries::{self, CdrDelivery};
use serde_json::{Value, json};

const COLUMNS: [&str; 10] = ["id", "account", "file", "state", "attempts", "due", "done", "records", "bytes", "answer"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Cdr) -> Result<(), Exit> {
    match verb {
        Cdr::List { account: of, state, limit, shape } => {
            let owner = of.map_or(Ok(OPERATOR), |code| account(engine, &code))?;
            let found = cdr_deliveries::newest(engine, owner, state.as_deref(), limit)?;
            let rows = found.into_iter().map(|d| row(engine, d)).collect::<Result<Vec<_>, _>>()?;
            print::table(&COLUMNS, &rows, shape.json)
        }
        Cdr::Show { id, shape } => {
            let Some((delivery, attempts)) = cdr_deliveries::show(engine, id)? else {
                return Err(Exit::refused(format!("ID: there is no CDR file {id}; `kachi admin cdr list` lists them")));
            };
            let attempt = |(n, at, millis, answer)| vec![json!(n), json!(instant(at)), json!(millis), json!(answer)];
            let attempts: Vec<Vec<Value>> = attempts.into_iter().map(attempt).collect();
            let columns = ["attempt", "at", "millis", "answer"];
            let row = row(engine, delivery)?;
            if shape.json {
                let named = |names: &[&str], row: &[Value]| -> Value {
                    names.iter().map(|n| (*n).to_owned()).zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into()
                };
                let attempts: Vec<Value> = attempts.iter().map(|a| named(&columns, a)).collect();
                return print::json(&json!({"delivery": named(&COLUMNS, &row), "attempts": attempts}));
            }
            print::table(&COLUMNS, &[row], false)?;
            print::table(&columns, &attempts, false)
        }
        Cdr::Resend { from, to, account: of, shape } => {
            let owner = of.map(|code| account(engine, &code)).transpose()?;
            refuse_backwards(from, to)?;
            match cdr_deliveries::resend(engine, owner, from, to.unwrap_or(from))? {
                0 => {
                    let what = "there is no CDR file with that number that is not being sent already";
                    Err(Exit::refused(Refusal::see("FROM", what, "admin cdr list")))
                }
                n => print::done(shape.json, &json!({"files": n}), format_args!("{n} CDR files will be sent again")),
            }
        }
    }
}

fn row(engine: &Engine, d: CdrDelivery) -> Result<Vec<Value>, Exit> {
    Ok(vec![
        json!(d.id),
        json!(code(engine, d.account)?),
        json!(Slot::at(d.slot).file_name(d.account)),
        json!(d.state),
        json!(d.attempts),
        json!(d.due_at.map(instant)),
        json!(d.done_at.map(instant)),
        json!(d.records),
        json!(d.bytes),
        json!(d.last_answer),
    ])
}
