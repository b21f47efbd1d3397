//! `kachi admin balance`: what accounts have, and money that a person books.

use super::{code, instant};
use crate::args::{Balance, Shape};
use crate::exit::Exit;
use crate::print;
use kachi_domain::Money;
use kachi_engine::Engine;
use kachi_engine::money::{self, ByHand};
use serde_json::{Value, json};

const ACT: [&str; 8] = ["reference", "account", "act", "amount", "currency", "by", "reason", "at"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Balance) -> Result<(), Exit> {
    match verb {
        Balance::Show { account, shape } => show(engine, &account, shape),
        Balance::List { limit, shape } => list(engine, limit, shape),
        Balance::TopUp { account, amount, reference, by, shape } => {
            let (account, amount) = given(engine, &account, &amount)?;
            book(engine, ByHand { correction: None, account, amount, reference, by }, shape)
        }
        Balance::Correct { account, amount, reference, reason, by, shape } => {
            let (account, amount) = given(engine, &account, &amount)?;
            book(engine, ByHand { correction: Some(reason), account, amount, reference, by }, shape)
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
    let (is_new, now) = engine.write(move |tx, catalogue, how| {
        Ok((money::book(tx, catalogue, &asked, how.now)?, money::balance(tx, catalogue, asked.account)?))
    })?;
    let (of, currency) = (code(engine, act.account)?, act.amount.currency);
    let (amount, reference, now) = (act.amount.to_decimal(), &act.reference, now.to_decimal());
    let said = json!({
        "account": of, "amount": amount, "currency": currency.as_str(), "reference": reference, "booked": is_new, "balance": now,
    });
    let words = if is_new { "booked" } else { "was booked before, nothing changed" };
    print::done(
        shape.json,
        &said,
        format_args!("{of}: {amount} {currency} under {reference} {words}; the balance is {now} {currency}"),
    )
}

fn show(engine: &Engine, of: &str, shape: Shape) -> Result<(), Exit> {
    let (account, zero) = given(engine, of, "0")?;
    let ((available, held, credit), owed) = engine.read(|tx, _| Ok((tx.balance(account)?, tx.owed(&[account])?)))?;
    let owed = owed.first().map_or(0, |o| o.1);
    let money = |minor: i64| Value::from(Money { minor, ..zero }.to_decimal());
    let columns = ["account", "currency", "available", "held", "credit", "owed"];
    let row = vec![json!(of), json!(zero.currency.as_str()), money(available), money(held), money(credit), money(owed)];
    if shape.json {
        let named = columns.iter().map(|c| (*c).to_owned()).zip(row);
        return print::json(&named.collect::<serde_json::Map<_, _>>());
    }
    print::table(&columns, &[row], false)
}

fn list(engine: &Engine, limit: i64, shape: Shape) -> Result<(), Exit> {
    let mut rows = Vec::new();
    let catalogue = engine.catalogue()?;
    for act in engine.read(|tx, _| Ok(tx.money_acts(limit)?))? {
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
        ]);
    }
    print::table(&ACT, &rows, shape.json)
}
