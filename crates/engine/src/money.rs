//! Money in, what an account has, and what a person books.
//!
//! Who acts: the operator, by command; `apply`, for what an account brings along. Promised: a reference books once, for ever, on
//! one account; the journal names who booked it; a balance never falls below its credit line. Not promised: that the money has
//! come: that is the word of whoever books it. What the account owes ([`crate::profits`]) is paid of it first.

use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::{notices, profits};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::{self, Journal, OPERATOR};
use kachi_domain::{AccountId, Money, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::ledger::NewJournal;
use kachi_store::money_acts::MoneyAct;

/// Characters of a reference, a name or a reason, at most.
const TEXT_MAX: usize = 200;

/// Credits money that came in from outside. The cause makes it once: the same cause again changes nothing.
pub fn top_up(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    account: AccountId,
    amount: Money,
    cause: &str,
    now: Timestamp,
) -> Result<bool> {
    if amount.minor <= 0 {
        return bad("amount", "must be more than zero".into());
    }
    tx.lock_balances(&[account])?;
    if tx.journal_exists(account, Journal::TopUp, cause)? {
        return Ok(false);
    }
    tx.post(account, Journal::TopUp, cause, &ledger::top_up(account, amount.minor), now)?;
    let body = Body::Money { amount: amount.to_decimal(), currency: amount.currency.to_string() };
    tx.tell(&[notices::event(catalogue, account, None, EventKind::ToppedUp, &body, now)?], now)?;
    Ok(true)
}

/// What a person books.
#[derive(Debug, Clone)]
pub struct ByHand {
    /// Money that came in, or a correction of what was booked.
    pub correction: Option<String>,
    /// Whose balance.
    pub account: AccountId,
    /// How much more the account may spend; a correction may be negative.
    pub amount: Money,
    /// What it is known by outside; no other act has it.
    pub reference: String,
    /// Who books it.
    pub by: String,
}

/// Books money that came in, or a correction with its reason. False: this very act is booked already.
pub fn book(tx: &mut Tx<'_>, catalogue: &Catalogue, act: &ByHand, now: Timestamp) -> Result<bool> {
    let ByHand { correction, account, amount, reference, by } = act;
    let (account, amount) = (*account, *amount);
    let name = if correction.is_some() { Journal::Correction } else { Journal::TopUp };
    for (field, text) in [("reference", Some(reference)), ("by", Some(by)), ("reason", correction.as_ref())] {
        let good = |t: &String| !t.trim().is_empty() && t.chars().count() <= TEXT_MAX && !t.chars().any(char::is_control);
        if text.is_some_and(|t| !good(t)) {
            return bad(field, format!("must have 1 to {TEXT_MAX} characters, all printable"));
        }
    }
    if account == OPERATOR {
        return bad("account", "the operator has no balance; name the account whose money it is".into());
    }
    if amount.minor == 0 || (correction.is_none() && amount.minor < 0) {
        return bad("amount", "must be more than zero; what was booked wrongly is put right with a correction".into());
    }
    tx.lock_balances(&[account])?;
    if let Some(booked) = tx.money_act(reference)? {
        if (booked.account, booked.name.as_str(), booked.minor) == (account, name.word(), amount.minor) {
            return Ok(false);
        }
        let info = catalogue.account(booked.account);
        let code = info.map_or_else(|| booked.account.to_string(), |a| a.account.code.clone());
        let currency = info.map_or(amount.currency, |a| a.account.currency);
        let was = Money { minor: booked.minor, currency }.to_decimal();
        let rule = format!("{reference} booked {} of {was} {currency} to {code} at {}; choose another", booked.name, booked.at);
        return bad("reference", rule);
    }
    let (available, _, credit) = tx.balance(account)?;
    let after = available.checked_add(amount.minor);
    if after.is_none_or(|after| amount.minor < 0 && after < -credit) {
        let least = Money { minor: -(available + credit), currency: amount.currency }.to_decimal();
        return bad("amount", format!("the account would fall below its credit line; {least} is the least"));
    }
    let cause = format!("{reference}, by {by}");
    let (postings, kind) = match correction {
        None => (ledger::top_up(account, amount.minor), EventKind::ToppedUp),
        Some(_) => (ledger::correction(account, amount.minor), EventKind::BalanceCorrected),
    };
    let mut journal = [NewJournal { account, name, cause, postings }];
    profits::debts_first(tx, &mut journal)?;
    tx.post_all(&journal, now)?;
    tx.add_money_act(&MoneyAct {
        reference: reference.clone(),
        account,
        name: name.word().to_owned(),
        minor: amount.minor,
        said_by: by.clone(),
        reason: correction.clone().unwrap_or_default(),
        at: now,
    })?;
    let body = Body::Money { amount: amount.to_decimal(), currency: amount.currency.to_string() };
    tx.tell(&[notices::event(catalogue, account, None, kind, &body, now)?], now)?;
    Ok(true)
}

/// What an account can buy for now: what it has and what it may owe. This is what an order is held against.
pub fn spendable(tx: &mut Tx<'_>, catalogue: &Catalogue, account: AccountId) -> Result<Money> {
    let (available, _, credit) = tx.balance(account)?;
    Ok(Money { minor: available.saturating_add(credit), ..balance(tx, catalogue, account)? })
}

/// What an account has now, below zero where it uses its credit.
pub fn balance(tx: &mut Tx<'_>, catalogue: &Catalogue, account: AccountId) -> Result<Money> {
    let (available, _, _) = tx.balance(account)?;
    let currency = catalogue.account(account).map_or(kachi_domain::Currency::CNY, |a| a.account.currency);
    Ok(Money { minor: available, currency })
}

fn bad<T>(field: &str, rule: String) -> Result<T> {
    Err(Refusal::BadField { field: field.into(), rule }.into())
}
