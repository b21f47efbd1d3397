//! Everything about one order.

use super::card::{payer, subscription_line};
use super::{About, SubscriptionLine, abouts};
use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::records::{self, OrderName};
use crate::{pools, sims};
use kachi_domain::order::OrderState;
use kachi_domain::{PoolId, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use kachi_store::ledger::Posted;
use kachi_store::orders::Order;

/// Everything about one order.
#[derive(Debug, Clone)]
pub struct OrderPage {
    /// As kept.
    pub order: Order,
    /// For what.
    pub about: About,
    /// What it bought, as it is now.
    pub subscription: SubscriptionLine,
    /// What its journals moved, in the order booked.
    pub postings: Vec<Posted>,
    /// What its carrier was asked for, oldest first.
    pub writes: Vec<Intent>,
    /// What was said when it was taken back, and the inputs that the amount was computed from, JSON.
    pub refund: Option<(String, String)>,
}

/// Everything about one order.
///
/// Who asks: the operator. What it tells of money is the business of all levels between, so it is for nobody below.
pub fn order(engine: &Engine, operator: &Actor, name: &OrderName) -> Result<OrderPage> {
    let now = engine.now();
    engine.read(|tx, catalogue| {
        let order = records::find(tx, operator, name)?;
        let about = abouts(tx, operator, std::slice::from_ref(&order))?.remove(&order.id.0);
        Ok(OrderPage {
            about: about.unwrap_or(About::Nothing),
            subscription: bought(tx, catalogue, &order, now)?,
            postings: tx.posted_of_order(order.account, order.id)?,
            writes: tx.intents_of_order(order.sim, order.id)?,
            refund: tx.refund_of_order(order.id)?,
            order,
        })
    })
}

fn bought(tx: &mut Tx<'_>, catalogue: &Catalogue, order: &Order, now: Timestamp) -> Result<SubscriptionLine> {
    let vanished = |what: &str| fault(format!("order {}: its {what} vanished", order.id));
    let mut sub = tx.subscription_of_order(order.id, order.sim)?.ok_or_else(|| vanished("subscription"))?;
    let (state, payer) = if order.sim == SimId(0) {
        let pool = tx.pools_of_orders(&[order.id])?.first().map(|p| PoolId(p.1));
        let pool = pool.map(|id| tx.pool_by_id(id)).transpose()?.flatten().ok_or_else(|| vanished("pool"))?;
        let (state, subs) = pools::present(tx, catalogue, &pool, now)?;
        sub = subs.into_iter().find(|s| s.id == sub.id).unwrap_or(sub);
        (state.burn, None)
    } else {
        let sim = tx.sim_by_id(order.sim)?.ok_or_else(|| vanished("card"))?;
        let state = sims::present(tx, catalogue, &sim, now)?;
        let payer = payer(&state, catalogue.zone(sim.account));
        (state, payer)
    };
    let in_review = order.state == OrderState::InReview;
    Ok(SubscriptionLine { in_review, ..subscription_line(tx, catalogue, (&state, payer), &sub)? })
}
