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
use kachi_domain::time::day_text;
use kachi_domain::{AccountId, Currency, Money, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::ledger::NewJournal;
use kachi_store::money_acts::MoneyAct;
use std::collections::{BTreeMap, BTreeSet};

/// The most that one act may book, minor units: far more than anybody pays in, and far from where a balance ends.
pub const BOOKED_MINOR_MAX: i64 = 1_000_000_000_000;
/// How many days ago the money of a top-up may have reached the bank.
const VALUE_DAYS_MAX: i64 = 366;

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
    /// The day on which the money reached the bank, in the account's zone, as days since 1970.
    pub value_day: Option<i64>,
    /// What is to be kept beside it.
    pub remark: Option<String>,
}

/// Books money that came in, or a correction with its reason. False: this very act is booked already, and stays as it was booked
/// whatever day or remark is given now.
pub fn book(tx: &mut Tx<'_>, catalogue: &Catalogue, act: &ByHand, now: Timestamp) -> Result<bool> {
    let ByHand { correction, account, amount, reference, by, value_day, remark } = act;
    let (account, amount) = (*account, *amount);
    let name = if correction.is_some() { Journal::Correction } else { Journal::TopUp };
    refuse_unsaid(&[("reference", reference.as_str()), ("by", by.as_str())])?;
    if let Some(reason) = correction {
        refuse_unsaid(&[("reason", reason.as_str())])?;
    }
    if let Some(remark) = remark {
        refuse_unsaid(&[("remark", remark.as_str())])?;
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
        return refuse_taken(catalogue, &booked);
    }
    if let Some(day) = value_day {
        refuse_value_day(*day, catalogue.zone(account).day(now))?;
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
        value_day: *value_day,
        remark: remark.clone().unwrap_or_default(),
    })?;
    let body = Body::Money { amount: amount.to_decimal(), currency: amount.currency.to_string() };
    tx.tell(&[notices::event(catalogue, account, None, kind, &body, now)?], now)?;
    Ok(true)
}

/// The reference is another act's.
fn refuse_taken(catalogue: &Catalogue, booked: &MoneyAct) -> Result<bool> {
    let info = catalogue.account(booked.account);
    let code = info.map_or_else(|| booked.account.to_string(), |a| a.account.code.clone());
    let currency = info.map_or(Currency::CNY, |a| a.account.currency);
    let was = Money { minor: booked.minor, currency }.to_decimal();
    let (reference, name, at) = (&booked.reference, &booked.name, booked.at);
    bad("reference", format!("{reference} booked {name} of {was} {currency} to {code} at {at}; choose another"))
}

fn refuse_value_day(day: i64, today: i64) -> Result<()> {
    let (said, now) = (day_text(day), day_text(today));
    if day > today {
        return bad("value_date", format!("{said} is after today, {now}; write the day on which the money reached the bank"));
    }
    if day < today - VALUE_DAYS_MAX {
        return bad("value_date", format!("{said} is more than {VALUE_DAYS_MAX} days before today, {now}; look at its year"));
    }
    Ok(())
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
    let currency = catalogue.account(account).map_or(Currency::CNY, |a| a.account.currency);
    Ok(Money { minor: available, currency })
}

fn bad<T>(field: &str, rule: String) -> Result<T> {
    Err(Refusal::BadField { field: field.into(), rule }.into())
}
