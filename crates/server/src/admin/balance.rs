//! `kachi admin balance`: what accounts have, and money that a person books.

use super::{code, instant};
use crate::args::{Balance, Shape};
use crate::exit::Exit;
use crate::print;
use kachi_domain::ledger::OPERATOR;
use kachi_domain::time::day_text;
use kachi_domain::{AccountId, Money};
use kachi_engine::Engine;
use kachi_engine::money::{self, ByHand};
use kachi_store::accounts::Account;
use kachi_store::money_acts::MoneyAct;
use serde_json::json;
use std::collections::HashMap;

const BALANCE: [&str; 6] = ["account", "currency", "available", "held", "credit", "owed"];
const ACT: [&str; 10] = ["reference", "account", "act", "amount", "currency", "by", "reason", "at", "value_date", "remark"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Balance) -> Result<(), Exit> {
    match verb {
        Balance::Show { account, shape } => show(engine, account.as_deref(), shape),
        Balance::List { account, limit, shape } => list(engine, account.as_deref(), limit, shape),
        Balance::TopUp { account, amount, reference, value_date: value_day, remark, by, shape } => {
            let (account, amount) = given(engine, &account, &amount)?;
            book(engine, ByHand { correction: None, account, amount, reference, by, value_day, remark }, shape)
        }
        Balance::Correct { account, amount, reference, reason, by, shape } => {
            let (account, amount) = given(engine, &account, &amount)?;
            let act = ByHand { correction: Some(reason), account, amount, reference, by, value_day: None, remark: None };
            book(engine, act, shape)
        }
    }
}

/// The account and the amount in its currency.
fn given(engine: &Engine, code: &str, amount: &str) -> Result<(kachi_domain::AccountId, Money), Exit> {
    let catalogue = engine.catalogue()?;
    let found = catalogue.account_by_code(code);
    let account = &found
        .ok_or_else(|| Exit::refused(format!("ACCOUNT: there is no account {code}: `kachi apply` makes accounts")))?
        .account;
    let amount = Money::parse(amount, account.currency).map_err(|e| Exit::refused(format!("AMOUNT: {e}")))?;
    Ok((account.id, amount))
}

fn book(engine: &Engine, act: ByHand, shape: Shape) -> Result<(), Exit> {
    let asked = act.clone();
    let (is_new, now, owed, kept) = engine.write(move |tx, catalogue, how| {
        let is_new = money::book(tx, catalogue, &asked, how.now)?;
        let kept = tx.money_act(&asked.reference)?;
        Ok((is_new, money::balance(tx, catalogue, asked.account)?, tx.owed(&[asked.account])?, kept))
    })?;
    let kept = kept.ok_or_else(|| Exit::cannot(format!("what {} booked vanished", act.reference)))?;
    let (of, currency) = (code(engine, act.account)?, act.amount.currency);
    let owed = Money { minor: owed.first().map_or(0, |o| o.1), currency };
    let (amount, reference, now) = (act.amount.to_decimal(), &act.reference, now.to_decimal());
    let said = json!({
        "account": of, "amount": amount, "currency": currency.as_str(), "reference": reference, "booked": is_new, "balance": now,
        "owed": owed.to_decimal(), "by": kept.said_by, "at": instant(kept.at.0), "value_date": kept.value_day.map(day_text),
        "remark": kept.remark,
    });
    let words = if is_new {
        format!("booked{}", beside(&kept))
    } else {
        format!("was booked before, at {} by {}{}: nothing changed", kept.at, kept.said_by, beside(&kept))
    };
    // What comes in pays what is owed first: without this word it would seem to be lost.
    let owes = if owed.minor == 0 { String::new() } else { format!(", and it owes {} {currency}", owed.to_decimal()) };
    print::done(
        shape.json,
        &said,
        format_args!("{of}: {amount} {currency} under {reference} {words}; the balance is {now} {currency}{owes}"),
    )
}

/// What was said of an act beside its amount.
fn beside(act: &MoneyAct) -> String {
    let day = act.value_day.map(|day| format!(", value date {}", day_text(day))).unwrap_or_default();
    let remark = if act.remark.is_empty() { String::new() } else { format!(", remark \"{}\"", act.remark) };
    day + &remark
}

/// One account as an object, all of them as a list: parents before children, without the operator, who has no balance.
fn show(engine: &Engine, of: Option<&str>, shape: Shape) -> Result<(), Exit> {
    let asked = of.map(|of| given(engine, of, "0")).transpose()?.map(|(id, _)| id);
    let rows = engine.read(|tx, catalogue| {
        let mut shown: Vec<_> = catalogue.accounts().map(|a| &a.account).collect();
        shown.retain(|a| asked.map_or(a.id != OPERATOR, |id| a.id == id));
        shown.sort_by_key(|a| a.path.chain());
        let ids: Vec<AccountId> = shown.iter().map(|a| a.id).collect();
        let owed: HashMap<i64, i64> = tx.owed(&ids)?.into_iter().collect();
        let has: HashMap<i64, (i64, i64, i64)> = tx.balances(&ids)?.into_iter().map(|b| (b.0, (b.1, b.2, b.3))).collect();
        let row = |a: &&Account| {
            let money = |minor: i64| json!(Money { minor, currency: a.currency }.to_decimal());
            let (available, held, credit) = has.get(&a.id.0).copied().unwrap_or((0, 0, 0));
            let owed = owed.get(&a.id.0).copied().unwrap_or(0);
            vec![json!(a.code), json!(a.currency.as_str()), money(available), money(held), money(credit), money(owed)]
        };
        Ok(shown.iter().map(row).collect::<Vec<_>>())
    })?;
    match rows.first() {
        Some(row) if asked.is_some() && shape.json => {
            let named = BALANCE.iter().map(|c| (*c).to_owned()).zip(row.iter().cloned());
            print::json(&named.collect::<serde_json::Map<_, _>>())
        }
        _ => print::table(&BALANCE, &rows, shape.json),
    }
}

fn list(engine: &Engine, of: Option<&str>, limit: i64, shape: Shape) -> Result<(), Exit> {
    let mut rows = Vec::new();
    let of = of.map(|of| super::account(engine, of)).transpose()?;
    let catalogue = engine.catalogue()?;
    for act in engine.read(|tx, _| Ok(tx.money_acts(of, limit)?))? {
        let currency = catalogue.account(act.account).map_or(kachi_domain::Currency::CNY, |a| a.account.currency);
        rows.push(vec![
            json!(act.reference),
            json!(code(engine, act.account)?),
            json!(act.name),
            json!(Money { minor: act.minor, currency }.to_decimal()),
            json!(currency.as_str()),
            json!(act.said_by),
            json!(act.reason),
            json!(instant(act.at.0)),
            json!(act.value_day.map(day_text)),
            json!(act.remark),
        ]);
    }
    print::table(&ACT, &rows, shape.json)
}
