//! The order record of a card, page by page; and orders looked up by their numbers, whatever card they were for.
//!
//! Who asks: whoever sees the card. Promised: its owner sees every order behind its subscriptions, whether he bought it, a
//! level above did, or the account that had the card before; of an order whose buyer he does not see he is not told what
//! was paid, and the buyer's own number only if the buyer sees him. An order that came to nothing is its buyer's alone.

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::lists::QUIET_SECONDS;
use crate::orders::Record;
use crate::sims;
use kachi_domain::order::OrderState;
use kachi_domain::{Iccid, OrderId, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::orders::Order;
pub use kachi_store::records::RecordFilter;
use kachi_store::records::RecordsOf;
use std::sync::Arc;

/// How an order is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderName {
    /// By its number.
    Id(OrderId),
    /// By its long number.
    Number(String),
}

/// An order that the account sees: bought by it or below it, or for a card that it sees.
pub fn find(tx: &mut Tx<'_>, actor: &Actor, name: &OrderName) -> Result<Order> {
    let found = match name {
        OrderName::Id(id) => tx.order_by_id(*id)?,
        OrderName::Number(number) => tx.orders_by_numbers(&[], std::slice::from_ref(number), &[])?.pop(),
    };
    let order = found.ok_or(Refusal::UnknownOrder)?;
    let seen = actor.may_see(order.account)
        || order.state != OrderState::Failed && tx.sim_by_id(order.sim)?.is_some_and(|s| actor.may_see(s.account));
    if seen { Ok(order) } else { Err(Refusal::UnknownOrder.into()) }
}

/// An order that the account sees, without what is the buyer's own business: 0 for what was paid.
pub(crate) fn as_seen(catalogue: &Catalogue, actor: &Actor, order: Order) -> Order {
    if actor.may_see(order.account) {
        return order;
    }
    let out_trade_no = order.out_trade_no.filter(|_| catalogue.sees(order.account, actor.account));
    Order { paid_minor: 0, refunded_minor: 0, shares: "[]".into(), out_trade_no, ..order }
}

/// Orders with one of the long numbers or one of the buyer's own numbers, oldest first, each with the ICCID of its card.
/// What the account does not see is left out, as is what was bought for a card that is a stranger's by now.
pub fn by_numbers(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    (numbers, out_trade_nos): (&[String], &[String]),
    now: Timestamp,
) -> Result<Vec<(String, Record)>> {
    let mut found = Vec::new();
    for order in tx.orders_by_numbers(&actor.sees, numbers, out_trade_nos)? {
        let Some(sim) = tx.sim_by_id(order.sim)?.filter(|s| actor.may_see(s.account)) else { continue };
        if order.state == OrderState::Failed && !actor.may_see(order.account) {
            continue;
        }
        let order = as_seen(catalogue, actor, order);
        let Some(subscription) = tx.subscription_of_order(order.id, sim.id)? else { continue };
        let (view, used_at) = (sims::present(tx, catalogue, &sim, now)?, tx.usage_came_at(sim.id)?);
        found.push((sim.iccid, Record::of(order, subscription, &view, used_at)));
    }
    Ok(found)
}

/// Which orders of a card's record, and which stretch of them.
#[derive(Debug, Clone, Default)]
pub struct RecordList {
    /// Which.
    pub filter: RecordFilter,
    /// The newest first; else the oldest.
    pub newest_first: bool,
    /// Orders to pass over.
    pub offset: i64,
    /// Orders at most.
    pub limit: i64,
}

/// Some orders of a card's record.
#[derive(Debug, Clone)]
pub struct Records {
    /// The orders.
    pub records: Vec<Record>,
    /// Orders of the whole record.
    pub total: i64,
    /// It is being read from this order on: [`Engine::records`] notes it.
    walk: Option<(SimId, OrderId)>,
}

/// A page of a card's order record.
///
/// Oldest first, nothing moves the pages. Newest first, later pages begin at the order that was the newest when the account
/// read the first page, so that an order placed meanwhile moves none, as long as each page is asked for within
/// [`QUIET_SECONDS`] of the one before. Not promised: that of two clients of one account that read the same record at once
/// the first is not moved by what was ordered until the second began.
pub fn of_card(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    (iccid, list): (&Iccid, &RecordList),
    now: Timestamp,
) -> Result<Records> {
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let mut filter = list.filter.clone();
    if list.newest_first && list.offset > 0 {
        filter.newest = tx.record_walk(actor.account, sim.id, now.plus(-QUIET_SECONDS))?;
    }
    let of = RecordsOf { sim: sim.id, accounts: &actor.sees, filter: &filter };
    let found = tx.records(of, list.newest_first, (list.offset, list.limit))?;
    let total = tx.records_count(of)?;
    let goes_on = list.newest_first && (list.offset > 0 || total > found.len() as i64);
    let walk = match filter.newest {
        Some(newest) => Some((sim.id, newest)),
        None if goes_on => tx.newest_order_of(sim.id)?.map(|newest| (sim.id, newest)),
        None => None,
    };
    let (view, used_at) = (sims::present(tx, catalogue, &sim, now)?, tx.usage_came_at(sim.id)?);
    let record = |(order, subscription)| Record::of(as_seen(catalogue, actor, order), subscription, &view, used_at);
    let records = found.into_iter().map(record);
    Ok(Records { records: records.collect(), total, walk })
}

impl Engine {
    /// A page of a card's order record.
    pub async fn records(&self, catalogue: &Arc<Catalogue>, actor: &Actor, iccid: &Iccid, list: RecordList) -> Result<Records> {
        let (who, iccid, now) = (actor.clone(), iccid.clone(), self.now());
        let found = self.question(catalogue, move |tx, catalogue| of_card(tx, catalogue, &who, (&iccid, &list), now)).await?;
        if let Some((sim, newest)) = found.walk {
            let account = actor.account;
            let note = move |tx: &mut Tx<'_>| tx.note_record_walk(account, sim, newest, now).map_err(Fail::from);
            self.store().write_async(note).await?;
        }
        Ok(found)
    }

    /// Orders by their long numbers or the buyer's own numbers, oldest first, each with the ICCID of its card.
    pub async fn records_by_numbers(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        numbers: Vec<String>,
        out_trade_nos: Vec<String>,
    ) -> Result<Vec<(String, Record)>> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, catalogue| by_numbers(tx, catalogue, &actor, (&numbers, &out_trade_nos), now)).await
    }
}
