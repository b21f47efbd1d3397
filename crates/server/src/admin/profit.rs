//! `kachi admin profit`: profits that are paid out.

use super::{account, code, instant};
use crate::args::Profit;
use crate::exit::Exit;
use crate::print;
use kachi_domain::profit::WithdrawalKind;
use kachi_engine::{Engine, profits};
use serde_json::json;

const WITHDRAWAL: [&str; 8] = ["id", "account", "kind", "state", "minor", "created_at", "settled_at", "note"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Profit) -> Result<(), Exit> {
    match verb {
        Profit::List { limit, shape } => {
            let found = engine.read(|tx, _| Ok(tx.withdrawals(limit)?))?;
            let mut rows = Vec::with_capacity(found.len());
            for w in found {
                rows.push(vec![
                    json!(w.id),
                    json!(code(engine, w.account)?),
                    json!(w.kind.word()),
                    json!(w.state.word()),
                    json!(w.minor),
                    json!(instant(w.created_at)),
                    json!(w.settled_at.map(instant)),
                    json!(w.note),
                ]);
            }
            print::table(&WITHDRAWAL, &rows, shape.json)
        }
        Profit::Withdraw { account: of, daily, shape } => {
            let owner = account(engine, &of)?;
            let kind = if daily { WithdrawalKind::Daily } else { WithdrawalKind::Manual };
            let w = engine.write(move |tx, catalogue, how| profits::withdraw(tx, catalogue, how, owner, (kind, how.now)))?;
            let words = format!("withdrawal {}: {} minor units of {of}, {}", w.id, w.minor, w.state.word());
            print::done(shape.json, &json!({"id": w.id, "account": of, "minor": w.minor, "state": w.state.word()}), words)
        }
        Profit::Settle { id, by, shape } => {
            engine.write(move |tx, _, how| profits::settle(tx, how, id, None, &by))?;
            print::done(shape.json, &json!({"id": id, "state": "done"}), format_args!("withdrawal {id}: paid out"))
        }
        Profit::Fail { id, reason, by, shape } => {
            engine.write(move |tx, _, how| profits::settle(tx, how, id, Some(&reason), &by))?;
            print::done(shape.json, &json!({"id": id, "state": "failed"}), format_args!("withdrawal {id}: not paid out"))
        }
    }
}
