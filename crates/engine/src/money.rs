//! Money in, and what an account has.

use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::notices;
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::{self, Journal};
use kachi_domain::{AccountId, Money, Refusal, Timestamp};
use kachi_store::Tx;

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
        return Err(Refusal::BadField { field: "amount".into(), rule: "must be more than zero".into() }.into());
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
