//! Orders looked up by their numbers, whatever card they were for.

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Result;
use crate::orders::Record;
use crate::sims;
use kachi_domain::{OrderId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::orders::Order;
use std::sync::Arc;

/// How an order is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderName {
    /// By its number.
    Id(OrderId),
    /// By its long number.
    Number(String),
}

/// An order that the account sees.
pub fn find(tx: &mut Tx<'_>, actor: &Actor, name: &OrderName) -> Result<Order> {
    let found = match name {
        OrderName::Id(id) => tx.order(&actor.sees, *id)?,
        OrderName::Number(number) => tx.orders_by_numbers(&actor.sees, std::slice::from_ref(number), &[])?.pop(),
    };
    Ok(found.ok_or(Refusal::UnknownOrder)?)
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
        let Some(subscription) = tx.subscription_of_order(order.id, sim.id)? else { continue };
        let view = sims::present(tx, catalogue, &sim, now)?;
        let live = view.live.iter().find(|l| l.id == subscription.id);
        let used_bytes = live.map_or(subscription.used_bytes, |l| l.used);
        found.push((sim.iccid, Record { order, subscription, used_bytes }));
    }
    Ok(found)
}

impl Engine {
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
