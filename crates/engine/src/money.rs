//! Money in, what an account has, and what a person books; and the one way in which the engine moves money at all ([`post_all`]).
//!
//! Who acts: the operator, by command; `apply`, for what an account brings along. Promised: a reference books once, for ever, on
//! one account; the journal names who booked it; a balance never falls below its credit line. Not promised: that the money has
//! come: that is the word of whoever books it. Whatever gives an account money, it pays what it owes ([`crate::profits`]) of it first.

use crate::act::refuse_unsaid;
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::notices;
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::{self, Bucket, Journal, OPERATOR, Posting};
use kachi_domain::{AccountId, Money, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::ledger::NewJournal;
use kachi_store::money_acts::MoneyAct;
use std::collections::{BTreeMap, BTreeSet};

/// The most that one act may book, minor units: far more than anybody pays in, and far from where a balance ends.
pub const BOOKED_MINOR_MAX: i64 = 1_000_000_000_000;

/// Books journals, whatever they are: who gets money by one pays what it owes first. The caller holds the balances of all
/// who get some. So an account that owes has nothing to spend that could pay it, unless its credit line rose since.
pub(crate) fn post_all(tx: &mut Tx<'_>, mut journals: Vec<NewJournal>, now: Timestamp) -> Result<()> {
    let gets = |p: &&Posting| p.bucket == Bucket::Available && p.minor > 0;
    let get: BTreeSet<AccountId> = journals.iter().flat_map(|j| &j.postings).filter(gets).map(|p| p.account).collect();
    if !get.is_empty() {
        let owed = tx.owed(&get.into_iter().collect::<Vec<_>>())?;
        let mut debts: BTreeMap<AccountId, i64> = owed.into_iter().map(|(account, minor)| (AccountId(account), minor)).collect();
        for j in &mut journals {
            j.postings = ledger::debts_first(std::mem::take(&mut j.postings), &mut debts);
        }
    }
    Ok(tx.post_all(&journals, now)?)
}

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
    refuse_beyond(amount)?;
    tx.lock_balances(&[account])?;
    if tx.journal_exists(account, Journal::TopUp, cause)? {
        return Ok(false);
    }
    let postings = ledger::top_up(account, amount.minor);
    post_all(tx, vec![NewJournal { account, name: Journal::TopUp, cause: cause.to_owned(), postings }], now)?;
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
    refuse_unsaid(&[("reference", reference.as_str()), ("by", by.as_str())])?;
    if let Some(reason) = correction {
        refuse_unsaid(&[("reason", reason.as_str())])?;
    }
    if reference.trim() != reference {
        return bad("reference", "must not begin or end with a blank: it would pass for another one; leave the blank out".into());
    }
    if account == OPERATOR {
        return bad("account", "the operator has no balance; name the account whose money it is".into());
    }
    if correction.is_some() && amount.minor == 0 {
        return bad(
            "amount",
            "must not be zero; write how much more the account may spend, or with a minus how much less".into(),
        );
    }
    if correction.is_none() && amount.minor <= 0 {
        return bad("amount", "must be more than zero; what was booked wrongly is put right with a correction".into());
    }
    refuse_beyond(amount)?;
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
    let Some(after) = available.checked_add(amount.minor) else {
        let most = Money { minor: i64::MAX, currency: amount.currency }.to_decimal();
        return bad("amount", format!("the balance would pass {most} {}, the most that one can be", amount.currency));
    };
    if amount.minor < 0 && after < -credit {
        let least = Money { minor: -available.saturating_add(credit), currency: amount.currency }.to_decimal();
        return bad("amount", format!("the account would fall below its credit line; {least} is the least"));
    }
    let cause = format!("{reference}, by {by}");
    let (postings, kind) = match correction {
        None => (ledger::top_up(account, amount.minor), EventKind::ToppedUp),
        Some(_) => (ledger::correction(account, amount.minor), EventKind::BalanceCorrected),
    };
    post_all(tx, vec![NewJournal { account, name, cause, postings }], now)?;
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

fn refuse_beyond(amount: Money) -> Result<()> {
    if amount.minor.unsigned_abs() <= BOOKED_MINOR_MAX.unsigned_abs() {
        return Ok(());
    }
    let most = Money { minor: BOOKED_MINOR_MAX, currency: amount.currency }.to_decimal();
    bad("amount", format!("one act books at most {most} {}; look whether it is meant, and book more in several", amount.currency))
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
