//! `kachi admin profit`: profits that are paid out.

use super::{account, code, instant};
use crate::args::{Profit, Shape};
use crate::exit::Exit;
use crate::print;
use kachi_domain::profit::WithdrawalKind;
use kachi_domain::{AccountId, Currency, Money};
use kachi_engine::profits::Withdrawal;
use kachi_engine::{Engine, profits};
use serde_json::json;

const WITHDRAWAL: [&str; 11] =
    ["id", "account", "kind", "state", "amount", "currency", "created_at", "begun_by", "settled_at", "settled_by", "note"];

const WAITING: [&str; 4] = ["account", "currency", "waiting", "lines"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Profit) -> Result<(), Exit> {
    match verb {
        Profit::List { limit, shape } => {
            let found = engine.read(|tx, _| Ok(tx.withdrawals(limit)?))?;
            let mut rows = Vec::with_capacity(found.len());
            for w in &found {
                let paid = money(engine, w)?;
                rows.push(vec![
                    json!(w.id),
                    json!(code(engine, w.account)?),
                    json!(w.kind.word()),
                    json!(w.state.word()),
                    json!(paid.to_decimal()),
                    json!(paid.currency.as_str()),
                    json!(instant(w.created_at)),
                    json!(w.begun_by),
                    json!(w.settled_at.map(instant)),
                    json!(w.settled_by),
                    json!(w.note),
                ]);
            }
            if !shape.json {
                return print::table(&WITHDRAWAL, &rows, false);
            }
            rows.iter_mut().zip(&found).for_each(|(row, w)| row.push(json!(w.minor)));
            print::table(&[&WITHDRAWAL[..], &["minor"]].concat(), &rows, true)
        }
        Profit::Waiting(shape) => waiting(engine, shape),
        Profit::Withdraw { account: of, dry_run: true, shape, .. } => would_withdraw(engine, &of, shape),
        Profit::Withdraw { account: of, daily, by, shape, .. } => {
            let owner = account(engine, &of)?;
            let kind = if daily { WithdrawalKind::Daily } else { WithdrawalKind::Manual };
            let w = engine.write(move |tx, catalogue, how| profits::withdraw(tx, catalogue, how, owner, (kind, &by)))?;
            let (paid, state) = (money(engine, &w)?, w.state.word());
            let (amount, currency) = (paid.to_decimal(), paid.currency);
            let said = json!({
                "id": w.id, "account": of, "minor": w.minor, "amount": amount, "currency": currency.as_str(), "state": state,
                "begun_by": w.begun_by,
            });
            print::done(shape.json, &said, format_args!("withdrawal {}: {amount} {currency} of {of}, {state}", w.id))
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

/// What a withdrawal would pay out; an account that has nothing to be paid out is refused here as there.
fn would_withdraw(engine: &Engine, of: &str, shape: Shape) -> Result<(), Exit> {
    let owner = account(engine, of)?;
    let (minor, lines) = engine.read(|tx, catalogue| profits::to_withdraw(tx, catalogue, owner))?;
    let paid = of_account(engine, owner, minor)?;
    let (amount, currency) = (paid.to_decimal(), paid.currency);
    let said = json!({
        "account": of, "minor": minor, "amount": amount, "currency": currency.as_str(), "lines": lines, "dry_run": true,
    });
    let words = format_args!("{amount} {currency} of {of} would be withdrawn, lines: {lines}\na try: nothing was changed");
    print::done(shape.json, &said, words)
}

/// What waits to be paid out; below zero where a refund took back what was paid out before.
fn waiting(engine: &Engine, shape: Shape) -> Result<(), Exit> {
    let catalogue = engine.catalogue()?;
    let mut rows = Vec::new();
    for (of, minor, lines) in engine.read(|tx, _| Ok(tx.profits_waiting(None)?))? {
        let currency = catalogue.account(AccountId(of)).map_or(Currency::CNY, |a| a.account.currency);
        let waits = Money { minor, currency }.to_decimal();
        rows.push(vec![json!(code(engine, AccountId(of))?), json!(currency.as_str()), json!(waits), json!(lines)]);
    }
    print::table(&WAITING, &rows, shape.json)
}

/// What a withdrawal pays out, in its account's currency.
fn money(engine: &Engine, w: &Withdrawal) -> Result<Money, Exit> {
    of_account(engine, w.account, w.minor)
}

fn of_account(engine: &Engine, account: AccountId, minor: i64) -> Result<Money, Exit> {
    let currency = engine.catalogue()?.account(account).map_or(Currency::CNY, |a| a.account.currency);
    Ok(Money { minor, currency })
}
