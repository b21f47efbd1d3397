//! `kachi admin pool`: pools in numbers, and taking cards out.

use super::code;
use crate::args::{Pool, Shape};
use crate::exit::Exit;
use crate::print;
use kachi_domain::ledger::OPERATOR;
use kachi_domain::rating::EndReason;
use kachi_domain::{Iccid, PoolId, Refusal};
use kachi_engine::figures::PoolFigures;
use kachi_engine::{Engine, Fail, figures, pools};
use serde_json::{Value, json};

const LINE: [&str; 12] = [
    "id",
    "code",
    "account",
    "package",
    "slots",
    "cards",
    "active",
    "total_bytes",
    "used_bytes",
    "member_cap_bytes",
    "state",
    "over_since",
];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Pool) -> Result<(), Exit> {
    match verb {
        Pool::List(shape) => list(engine, shape),
        Pool::TakeOut { id, iccids, shape } => {
            let read = |text: &String| Iccid::parse(text).map_err(|e| Exit::refused(format!("ICCIDS: {text}: {e}")));
            let cards = iccids.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            let n = cards.len();
            let done = engine.write(move |tx, catalogue, how| {
                let id = PoolId(id);
                let operator = catalogue.actor(OPERATOR).ok_or(Refusal::UnknownPool)?;
                match tx.pool_by_id(id)?.is_some_and(|p| p.is_joint()) {
                    true => pools::take_out(tx, catalogue, how, &operator, (id, &cards)),
                    false => pools::remove(tx, catalogue, how, &operator, (id, &cards)),
                }
            });
            done.map_err(|e| match e {
                Fail::Refused(Refusal::UnknownPool) => {
                    Exit::refused(Refusal::see("ID", format_args!("there is no pool {id}"), "admin pool list"))
                }
                other => other.into(),
            })?;
            print::done(shape.json, &json!({"id": id, "cards": n}), format_args!("pool {id}: {n} cards taken out"))
        }
    }
}

/// Of a joint pool the bytes are those of its cards' own packages; of another, of the subscription in use.
fn list(engine: &Engine, shape: Shape) -> Result<(), Exit> {
    let catalogue = engine.catalogue()?;
    let operator = catalogue.actor(OPERATOR).ok_or_else(|| Exit::cannot("there is no operator"))?;
    let now = engine.now();
    let found = engine.read(|tx, catalogue| figures::pools(tx, catalogue, &operator, now))?;
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for f in found {
        let (pool, active) = (&f.view.pool, f.view.active.as_ref());
        let (total, used) = match (f.sum, active) {
            (Some(sum), _) => (sum.total_bytes, sum.used_bytes),
            (None, Some(live)) => (live.terms.allowance, live.used),
            (None, None) => (0, 0),
        };
        rows.push(vec![
            json!(pool.id.0),
            json!(pool.code),
            json!(code(engine, pool.account)?),
            json!(catalogue.package(pool.package).map(|p| &p.code)),
            json!((!pool.is_joint()).then_some(pool.slots)),
            json!(f.view.members),
            json!(f.sum.map_or(f.activated, |s| s.cards)),
            json!(total),
            json!(used),
            json!(pool.member_cap_bytes),
            json!(state(&f)),
            json!(f.view.over.map(|over| over.since.to_string())),
        ]);
    }
    print::table(&LINE, &rows, shape.json)
}

/// Whether the pool has something, and if not why.
fn state(f: &PoolFigures) -> &'static str {
    let is_used = f.view.active.is_some() || f.sum.is_some_and(|sum| sum.cards > 0 && !sum.is_used_up());
    match f.view.over.map(|over| over.why) {
        Some(Some(EndReason::Expired)) => "expired",
        Some(_) => "used up",
        None if f.sum.is_some_and(|sum| sum.is_used_up()) => "used up",
        None if is_used => "in use",
        None => "never had anything",
    }
}
