//! What each level earned on the sales below it, line by line.
//!
//! The money itself moves in the journal of the sale or refund ([`kachi_domain::ledger`]); the lines here are written in the
//! same transaction, so that an account's lines always add up to what those journals posted to it. A share is the account's to
//! spend at once; paying it out takes it from the balance. What a refund takes back of a share that is spent is owed: whatever
//! gives the account money pays that first ([`money::post_all`]), and nothing is paid out meanwhile that is needed for it. The audit
//! compares all of it.

use crate::act::{Actor, refuse_unsaid};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::money;
use crate::records::OrderName;
use kachi_domain::ledger::{self, Journal, Share};
use kachi_domain::profit::{self, WithdrawalKind, WithdrawalState};
use kachi_domain::{AccountId, Money, ProductId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::ledger::NewJournal;
use kachi_store::orders::Order;
use kachi_store::profits::ProfitFilter;
pub use kachi_store::profits::{ProfitLine, Withdrawal};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The order was paid: each level between has its line.
pub fn earned(tx: &mut Tx<'_>, order: &Order, shares: &[Share], now: Timestamp) -> Result<()> {
    Ok(tx.add_profits(order, &profit::of_sale(shares), now)?)
}

/// Gives `back` of what was paid for the order to its buyer, and takes their part of it from the levels that earned on it:
/// what a level no longer has, it owes. The caller holds their balances.
pub fn go_back(tx: &mut Tx<'_>, order: &Order, back: i64, shares: &[Share], now: Timestamp) -> Result<()> {
    let mut can_pay = BTreeMap::new();
    for share in shares {
        let (available, _, credit) = tx.balance(share.account)?;
        can_pay.insert(share.account, available.saturating_add(credit));
    }
    let postings = ledger::rest_owed(ledger::refund(order.account, order.paid_minor, back, shares), &can_pay);
    let cause = format!("order {}", order.id);
    money::post_all(tx, vec![NewJournal { account: order.account, name: Journal::Refund, cause, postings }], now)?;
    Ok(tx.add_profits(order, &profit::of_refund(order.paid_minor, back, shares), now)?)
}

/// What a withdrawal would pay out now: minor units, and of how many lines. Refused: if nothing waits, if it adds up to nothing,
/// or if the account has spent it: credit is not paid out, nor what the account owes.
pub fn to_withdraw(tx: &mut Tx<'_>, catalogue: &Catalogue, account: AccountId) -> Result<(i64, i64)> {
    let refuse = |rule: String| Err(Refusal::BadField { field: "account".into(), rule }.into());
    let currency = catalogue.account(account).map_or(kachi_domain::Currency::CNY, |a| a.account.currency);
    let told = |minor| format!("{} {currency}", Money { minor, currency }.to_decimal());
    let (available, _, _) = tx.balance(account)?;
    let Some((_, minor, lines)) = tx.profits_waiting(Some(account))?.first().copied() else {
        return refuse("has no profit that waits to be paid out; `kachi admin profit waiting` lists who has".into());
    };
    if minor <= 0 {
        return refuse(format!("earned {} that waits, nothing to be paid out", told(minor)));
    }
    let owed = tx.owed(&[account])?.first().map_or(0, |o| o.1);
    if available - owed < minor {
        return refuse(format!("has {} of the {} it earned: the rest is spent", told(available - owed), told(minor)));
    }
    Ok((minor, lines))
}

/// Begins to pay out what the account earned and has not been paid out: the money is held, and the lines are under review. Of the
/// daily kind it is paid out at once. The answer is the withdrawal.
///
/// Who acts: the operator. Promised: a line is paid out once; what went back of a sale is taken off; who began it is kept. Refused:
/// what [`to_withdraw`] refuses.
pub fn withdraw(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    account: AccountId,
    (kind, by): (WithdrawalKind, &str),
) -> Result<Withdrawal> {
    refuse_unsaid(&[("by", by)])?;
    // Sales and refunds that earn it something wait for its balance too.
    tx.lock_balances(&[account])?;
    let (minor, _) = to_withdraw(tx, catalogue, account)?;
    let id = tx.add_withdrawal(account, (kind, by), minor, how.now)?;
    let postings = ledger::hold(account, minor);
    money::post_all(tx, vec![NewJournal { account, name: Journal::Hold, cause: cause(id), postings }], how.now)?;
    if kind == WithdrawalKind::Daily {
        settle(tx, how, id, None, by)?;
    }
    tx.withdrawal(id)?.ok_or_else(|| fault(format!("withdrawal {id} vanished")))
}

/// The last word on a withdrawal under review: the money has left, or (with a reason why not) is the account's again, which pays
/// what it owes with it first. Refused: that the money has left, while the account owes some.
pub fn settle(tx: &mut Tx<'_>, how: &Settling, id: i64, why_not: Option<&str>, by: &str) -> Result<()> {
    let refuse = |rule: String| Err(Refusal::BadField { field: "withdrawal".into(), rule }.into());
    refuse_unsaid(&[("by", by), ("reason", why_not.unwrap_or("paid out"))])?;
    let missing = || Refusal::see("withdrawal", format!("there is no withdrawal {id}"), "admin profit list");
    let w = tx.withdrawal(id)?.ok_or_else(missing)?;
    tx.lock_balances(&[w.account])?;
    if why_not.is_none() && tx.owed(&[w.account])?.iter().any(|(_, minor)| *minor > 0) {
        return refuse(format!("{id} is of an account that came to owe money: book what it pays, or let the withdrawal fail"));
    }
    let (state, name, postings) = match why_not {
        None => (WithdrawalState::Done, Journal::Withdrawal, ledger::withdrawal(w.account, w.minor)),
        Some(_) => (WithdrawalState::Failed, Journal::Release, ledger::release(w.account, w.minor)),
    };
    if !tx.settle_withdrawal(id, state, (by, why_not.unwrap_or_default()), how.now)? {
        let (was, at) = tx.withdrawal(id)?.map_or((w.state, w.settled_at), |now| (now.state, now.settled_at));
        let at = at.map_or_else(String::new, |at| format!(" at {}", Timestamp(at)));
        return refuse(format!("{id} is settled already: {}{at}; `kachi admin profit list` tells by whom", was.word()));
    }
    money::post_all(tx, vec![NewJournal { account: w.account, name, cause: cause(id), postings }], how.now)
}

fn cause(id: i64) -> String {
    format!("withdrawal {id}")
}

/// Which lines are asked for; every field given narrows.
#[derive(Debug, Clone, Default)]
pub struct ProfitList {
    /// ICCID or telephone number of the card.
    pub number: Option<String>,
    /// The product of what was sold.
    pub product: Option<ProductId>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Not after this instant.
    pub to: Option<Timestamp>,
    /// The order.
    pub order: Option<OrderName>,
    /// Lines whose last withdrawal is in this state; `Some(None)`: those that no withdrawal has taken.
    pub withdrawal: Option<Option<WithdrawalState>>,
    /// Lines whose last withdrawal is of this kind.
    pub kind: Option<WithdrawalKind>,
    /// Lines to pass over.
    pub offset: i64,
    /// Lines at most.
    pub limit: i64,
}

impl Engine {
    /// A stretch of what the account itself earned, oldest first, and how many lines there are in all.
    pub async fn profits(&self, catalogue: &Arc<Catalogue>, actor: &Actor, list: ProfitList) -> Result<(Vec<ProfitLine>, i64)> {
        let account = actor.account;
        self.question(catalogue, move |tx, catalogue| {
            let of_pools = |product| catalogue.pool_types().into_iter().map(|t| t.0).filter(move |p| p.product == product);
            let all = |product| catalogue.packages_of(product).into_iter().chain(of_pools(product)).map(|p| p.id.0);
            let packages = list.product.map(|product| all(product).collect::<Vec<_>>());
            let (order, order_number) = match &list.order {
                Some(OrderName::Id(id)) => (Some(*id), None),
                Some(OrderName::Number(number)) => (None, Some(number.as_str())),
                None => (None, None),
            };
            let filter = ProfitFilter {
                number: list.number.as_deref(),
                packages: packages.as_deref(),
                from: list.from,
                to: list.to,
                order,
                order_number,
                withdrawal: list.withdrawal,
                kind: list.kind,
            };
            Ok((tx.profits(account, &filter, list.offset, list.limit)?, tx.profits_count(account, &filter)?))
        })
        .await
    }
}
