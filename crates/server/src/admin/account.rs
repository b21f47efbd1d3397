//! `kachi admin account` and `kachi admin signature`: accounts' switches, and signatures that came twice.

use super::{code, instant};
use crate::args::{Accounts, Shape, Signature, Switching};
use crate::exit::Exit;
use crate::print;
use kachi_domain::AccountId;
use kachi_domain::account::Switch;
use kachi_engine::{Engine, accounts};
use serde_json::{Value, json};

/// Runs the verb.
pub fn run(engine: &Engine, verb: Accounts) -> Result<(), Exit> {
    match verb {
        Accounts::List(shape) => list(engine, shape),
        Accounts::On(whom) => switch(engine, whom, Switch::On),
        Accounts::Pause(whom) => switch(engine, whom, Switch::Paused),
        Accounts::Off(whom) => switch(engine, whom, Switch::Off),
    }
}

fn switch(engine: &Engine, Switching { account: of, by, shape }: Switching, to: Switch) -> Result<(), Exit> {
    let found = engine.catalogue()?.account_by_code(&of).map(|a| a.account.id);
    let id = found.ok_or_else(|| Exit::refused(format!("ACCOUNT: there is no account {of}: `kachi apply` makes accounts")))?;
    let before = engine.write(move |tx, catalogue, how| accounts::switch(tx, catalogue, how, id, (to, &by)))?;
    let said = json!({"account": of, "switch": to.word(), "was": before.word()});
    print::done(shape.json, &said, format_args!("{of}: {} (was {})", to.word(), before.word()))
}

/// `switch` is its own, `holds` the strictest of it and those above.
fn list(engine: &Engine, shape: Shape) -> Result<(), Exit> {
    let catalogue = engine.catalogue()?;
    let mut all: Vec<_> = catalogue.accounts().collect();
    all.sort_by_key(|a| a.account.id);
    let parent = |id: AccountId| catalogue.parent(id).and_then(|p| catalogue.account(p)).map(|p| p.account.code.clone());
    let row = |a: &&kachi_engine::catalogue::AccountInfo| {
        let kept = &a.account;
        let words = (kept.switch.word(), a.switch.word());
        vec![json!(kept.id.0), json!(kept.code), json!(parent(kept.id)), json!(kept.name), json!(words.0), json!(words.1)]
    };
    let rows: Vec<Vec<Value>> = all.iter().map(row).collect();
    print::table(&["id", "code", "parent", "name", "switch", "holds"], &rows, shape.json)
}

/// Runs the verb.
pub fn signatures(engine: &Engine, verb: Signature) -> Result<(), Exit> {
    let Signature::Reused { limit, shape } = verb;
    let mut rows = Vec::new();
    for (of, door, key, peer, times, first, last) in engine.read(|tx, _| Ok(tx.reused_requests(limit)?))? {
        let of = code(engine, AccountId(of))?;
        rows.push(vec![
            json!(of),
            json!(door),
            json!(key),
            json!(peer),
            json!(times),
            json!(instant(first)),
            json!(instant(last)),
        ]);
    }
    print::table(&["account", "door", "request", "peer", "times", "first_at", "last_at"], &rows, shape.json)
}
