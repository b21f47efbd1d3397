//! Taking an order back: what may be given back is a pure function ([`kachi_domain::refund`]) whose inputs are stored
//! with the refund, so that the amount can be checked later.

use crate::act::{Actor, refuse_unsaid};
use crate::cards::{self, Settling};
use crate::catalogue::Catalogue;
use crate::error::{Fail, Result, fault};
use crate::records::{self, OrderName};
use crate::{notices, orders, profits, sims};
use kachi_domain::ledger::Share;
use kachi_domain::order::{OrderState, SubscriptionState};
use kachi_domain::rating::Input;
use kachi_domain::refund::{RefundBasis, refundable_minor};
use kachi_domain::{Currency, Iccid, OrderId, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;

/// What would be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundQuote {
    /// Minor units.
    pub minor: i64,
    /// In which currency.
    pub currency: Currency,
}

/// What would be given back for the order now.
pub fn quote(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    iccid: &Iccid,
    id: OrderId,
    now: Timestamp,
) -> Result<RefundQuote> {
    let (order, sim) = bought(tx, actor, iccid, id)?;
    let (minor, _, _) = amount(tx, catalogue, &order, &sim, now)?;
    Ok(RefundQuote { minor, currency: order.currency })
}

/// Takes the order back: the subscription ends, the money and the shares go back, the owner is told.
pub fn refund(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    iccid: &Iccid,
    id: OrderId,
    remark: &str,
) -> Result<RefundQuote> {
    let (found, sim) = bought(tx, actor, iccid, id)?;
    let shares: Vec<Share> = serde_json::from_str(&found.shares).map_err(|e| fault(e.to_string()))?;
    // The order before the balances, as the carrier's confirmation does it.
    let order = tx.order_locked(&actor.sees, id)?.ok_or(Refusal::UnknownOrder)?;
    orders::lock_sale(tx, order.account, &shares)?;
    let mut row = tx.state_locked(sim.id)?;
    let (minor, basis, sub) = amount(tx, catalogue, &order, &sim, how.now)?;
    profits::go_back(tx, &order, minor, &shares, how.now)?;
    let basis = serde_json::to_string(&basis).map_err(|e| fault(e.to_string()))?;
    tx.set_order_refunded(id, minor, &basis, remark, how.now)?;
    // Another node's clock may be a little ahead: a subscription is not taken back before it was there.
    let at = Timestamp(how.now.0.max(sub.available_at.unwrap_or(how.now.0)));
    tx.set_subscription_refunded(sub.id, at)?;
    tx.tell(&[notices::refunded(catalogue, &sim, &order, minor, how.now)?], how.now)?;
    cards::settle(tx, catalogue, how, &mut row, &[Input::Refund(at, sub.id)])?;
    tx.put_states(&[row])?;
    orders::store_unsubscribe(tx, catalogue, &sim, &order, how.now)?;
    Ok(RefundQuote { minor, currency: order.currency })
}

/// Takes an order back by hand: as [`refund`], with who does it and why kept where a buyer's remark is.
///
/// Who acts: whoever sees the order; who may is the caller's to see to. Refused: what [`refund`] refuses, and an order of a pool.
pub fn by_hand(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (name, who, why): (&OrderName, &str, &str),
) -> Result<(Order, RefundQuote)> {
    refuse_unsaid(&[("by", who), ("reason", why)])?;
    let (order, iccid) = of_a_card(tx, actor, name)?;
    let back = refund(tx, catalogue, how, actor, &iccid, order.id, &format!("refunded by {who} ({why})"))?;
    Ok((order, back))
}

/// What [`by_hand`] would give back now, without doing it.
pub fn quote_by_hand(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    name: &OrderName,
    now: Timestamp,
) -> Result<(Order, RefundQuote)> {
    let (order, iccid) = of_a_card(tx, actor, name)?;
    let back = quote(tx, catalogue, actor, &iccid, order.id, now)?;
    Ok((order, back))
}

/// An order by its number, and the card it is for.
fn of_a_card(tx: &mut Tx<'_>, actor: &Actor, name: &OrderName) -> Result<(Order, Iccid)> {
    let order = records::find(tx, actor, name)?;
    if order.sim == SimId(0) {
        let rule = format!("{} is of a pool: its buyer takes it back by pool/unsub, before its first use", order.id);
        return Err(Refusal::BadField { field: "order".into(), rule }.into());
    }
    let sim = tx.sim_by_id(order.sim)?.ok_or_else(|| fault(format!("card {} vanished", order.sim)))?;
    let iccid = Iccid::parse(&sim.iccid).map_err(|e| fault(e.to_string()))?;
    Ok((order, iccid))
}

/// An order of a card that the account, or one below it, bought. What another bought for its card it cannot take back: the
/// money would go to that other.
fn bought(tx: &mut Tx<'_>, actor: &Actor, iccid: &Iccid, id: OrderId) -> Result<(Order, Sim)> {
    let (order, sim) = orders::find(tx, actor, iccid, id)?;
    if actor.may_see(order.account) { Ok((order, sim)) } else { Err(Refusal::NotRefundable.into()) }
}

fn amount(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    order: &Order,
    sim: &Sim,
    now: Timestamp,
) -> Result<(i64, RefundBasis, Subscription)> {
    if order.state != OrderState::Done {
        return Err(Fail::Refused(Refusal::NotRefundable));
    }
    let sub =
        tx.subscription_of_order(order.id, sim.id)?.ok_or_else(|| fault(format!("order {} has no subscription", order.id)))?;
    // What is left is on another card by now, or came from one for nothing.
    if order.origin.is_some() || tx.transfer(sub.id)?.is_some() {
        return Err(Fail::Refused(Refusal::NotRefundable));
    }
    let present = sims::present(tx, catalogue, sim, now)?;
    let live = present.live.iter().find(|l| l.id == sub.id);
    let basis = RefundBasis {
        paid_minor: order.paid_minor,
        bought_at: Timestamp(order.created_at),
        at: now,
        kind: sub.terms.kind,
        validity: sub.terms.validity,
        window: sub.terms.window,
        running: live.and_then(|l| l.running).or(sub.started_at.zip(sub.ends_at).map(|(s, e)| (Timestamp(s), Timestamp(e)))),
        ended_at: if live.is_some() {
            None
        } else {
            sub.ended_at.map(Timestamp).or((sub.state == SubscriptionState::Ended).then_some(now))
        },
        allowance_bytes: sub.terms.allowance,
        used_bytes: live.map_or(sub.used_bytes, |l| l.used),
        zone: sub.zone.clone().unwrap_or_else(|| catalogue.zone(sim.account).clone()),
    };
    let minor = refundable_minor(&basis);
    if minor == 0 && basis.ended_at.is_some() {
        return Err(Fail::Refused(Refusal::NotRefundable));
    }
    Ok((minor, basis, sub))
}
