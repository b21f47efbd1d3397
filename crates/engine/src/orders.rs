//! Buying a package for a card.
//!
//! Who acts: a partner's key or a person, for a card the account sees. Promised: one partner number buys once, for
//! ever; the price is taken, the shares are paid, the subscription is the card's and the notice is queued, all in one
//! transaction, or nothing is. A package that the carrier must confirm first is paid from held money and waits; the
//! intent's worker calls [`fulfilled`] or [`failed`] once the carrier's word is final. Not promised: that a carrier
//! answers soon. On a crash between the carrier's act and our note of it, the intent is asked for again.

mod place;
mod together;

pub use place::{apart, place, place_all};
pub(crate) use place::{new_subscription, pay, refuse_overstacked, refuse_repeated, start};
pub(crate) use together::{Buying, Waiting};

use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::records::{self, OrderName};
use crate::{esim, money, network, notices, profits, renewals};
use kachi_domain::carrier::{Request, Write};
use kachi_domain::event::EventKind;
use kachi_domain::ledger::{self, Journal, Share};
use kachi_domain::order::{Channel, OrderState, SubscriptionState};
use kachi_domain::package::{Fulfil, Kind};
use kachi_domain::rating::CardState;
use kachi_domain::{AccountId, Iccid, OrderId, Refusal, Span, Timestamp};
use kachi_store::Tx;
use kachi_store::ledger::NewJournal;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;

/// What is to be bought.
#[derive(Debug, Clone)]
pub struct Place {
    /// For which card.
    pub iccid: Iccid,
    /// Which package.
    pub package_code: String,
    /// The partner's own number, 1-32 characters.
    pub out_trade_no: Option<String>,
    /// Who buys.
    pub channel: Channel,
    /// The caller's own data.
    pub custom_data: Option<String>,
    /// A number for the order that no other has (made at the roof).
    pub number: String,
}

/// What was bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The order.
    pub order: OrderId,
    /// Its long number.
    pub number: String,
    /// Where it stands.
    pub state: OrderState,
}

pub(crate) fn store_intent(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    sim: &Sim,
    order: &Order,
    request: &Request,
    now: Timestamp,
) -> Result<()> {
    let product = catalogue.product(sim.product).ok_or_else(|| fault(format!("product {} vanished", sim.product)))?;
    let text = serde_json::to_string(request).map_err(|e| fault(e.to_string()))?;
    let matter = request.write.matter().number();
    tx.add_intent(sim.account, sim.id, product.platform, Some(order.id.0), (&text, matter), now)?;
    Ok(())
}

/// Stores the wish that the carrier activates what an order bought: once, or for so many months and from an instant on.
pub(crate) fn store_subscribe(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (sim, order): (&Sim, &Order),
    (months, from): (Option<u32>, Option<Timestamp>),
    now: Timestamp,
) -> Result<()> {
    let package = catalogue.package(order.package).ok_or_else(|| fault(format!("package {} vanished", order.package)))?;
    let lasts = match package.terms.validity {
        Span::Months(months) => Some(months),
        _ => None,
    };
    let write = Write::Subscribe { package: package.at_carrier().to_owned(), months, lasts, from };
    let request = Request { reference: order.number.clone(), card: network::named(sim), write };
    store_intent(tx, catalogue, sim, order, &request, now)
}

/// Stores the wish that the carrier takes back what an order had it activate.
pub(crate) fn store_unsubscribe(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, order: &Order, now: Timestamp) -> Result<()> {
    let Some(package) = catalogue.package(order.package).filter(|p| p.fulfil == Fulfil::Carrier) else { return Ok(()) };
    let write = Write::Unsubscribe { package: package.at_carrier().to_owned(), of: Some(order.number.clone()) };
    let request = Request { reference: format!("{}-back", order.number), card: network::named(sim), write };
    store_intent(tx, catalogue, sim, order, &request, now)
}

/// The carrier, or the operator where no carrier has to, confirmed: the held money is taken and the subscription is the card's from now on.
pub fn fulfilled(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, id: OrderId) -> Result<()> {
    let Some((order, sim, sub)) = held(tx, catalogue, id)? else { return Ok(()) };
    let shares: Vec<Share> = serde_json::from_str(&order.shares).map_err(|e| fault(e.to_string()))?;
    lock_sale(tx, order.account, &shares)?;
    let postings = ledger::capture(order.account, order.paid_minor, &shares);
    let cause = format!("order {id}");
    money::post_all(tx, vec![NewJournal { account: order.account, name: Journal::Capture, cause, postings }], how.now)?;
    profits::earned(tx, &order, &shares, how.now)?;
    tx.set_order_state(id, OrderState::Done, how.now)?;
    tx.set_subscription_available(sub.id, how.now)?;
    let sim = esim::hand_over(tx, catalogue, &order, sim, how.now)?;
    let sub = Subscription { available_at: Some(how.now.0), state: SubscriptionState::Waiting, ..sub };
    start(tx, catalogue, how, (&sim, &order), &sub)?;
    renewals::settled(tx, catalogue, &sim, &order, Ok(()), how.now)
}

/// Locks the buyer and then the levels above it, the nearest first (shares are listed from the top down).
pub(crate) fn lock_sale(tx: &mut Tx<'_>, buyer: AccountId, shares: &[Share]) -> Result<()> {
    tx.lock_balances(&[buyer])?;
    tx.lock_balances(&shares.iter().rev().map(|s| s.account).collect::<Vec<_>>())?;
    Ok(())
}

/// The carrier refused for good, or the operator rejected: the held money goes back and the subscription never was.
pub fn failed(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, id: OrderId, reason: &str) -> Result<()> {
    let Some((order, sim, sub)) = held(tx, catalogue, id)? else { return Ok(()) };
    tx.lock_balances(&[order.account])?;
    let (cause, postings) = (format!("order {id}"), ledger::release(order.account, order.paid_minor));
    money::post_all(tx, vec![NewJournal { account: order.account, name: Journal::Release, cause, postings }], how.now)?;
    tx.set_order_state(id, OrderState::Failed, how.now)?;
    tx.set_subscription_void(sub.id, how.now)?;
    let profile = esim::put_back(tx, &order, &sim)?;
    let known = profile.as_ref().unwrap_or(&sim);
    let mut events = vec![notices::sim(catalogue, known, EventKind::OrderFailed, &format!("order {id}: {reason}"), how.now)?];
    // Who bought an eSIM's profile was never told its card; and what came to nothing is its buyer's alone.
    if profile.is_none() && catalogue.sees(sim.account, order.account) {
        events.push(notices::refunded(catalogue, &sim, &order, order.paid_minor, how.now)?);
    }
    tx.tell(&events, how.now)?;
    renewals::settled(tx, catalogue, known, &order, Err(reason), how.now)
}

/// An order whose money is set aside, locked, with its card and subscription.
fn held(tx: &mut Tx<'_>, catalogue: &Catalogue, id: OrderId) -> Result<Option<(Order, Sim, Subscription)>> {
    let all: Vec<_> = catalogue.accounts().map(|a| a.account.id).collect();
    let Some(order) = tx.order_locked(&all, id)?.filter(|o| o.state.holds_money()) else { return Ok(None) };
    let sim = tx.sim_by_id(order.sim)?.ok_or_else(|| fault(format!("card {} vanished", order.sim)))?;
    let sub = tx.subscription_of_order(id, order.sim)?.ok_or_else(|| fault(format!("order {id} has no subscription")))?;
    Ok(Some((order, sim, sub)))
}

/// An order of a card that the account sees, whoever bought it; another card's is not there.
pub fn find(tx: &mut Tx<'_>, actor: &Actor, iccid: &Iccid, id: OrderId) -> Result<(Order, Sim)> {
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let order = records::find(tx, actor, &OrderName::Id(id))?;
    if order.sim == sim.id { Ok((order, sim)) } else { Err(Refusal::UnknownOrder.into()) }
}

/// An order with its subscription, for a list.
#[derive(Debug, Clone)]
pub struct Record {
    /// The order.
    pub order: Order,
    /// What it bought.
    pub subscription: Subscription,
    /// Bytes that the card used of it so far.
    pub used_bytes: i64,
    /// Bytes that can still be used of its present allowance: none of what has no limit or is over.
    pub left_bytes: i64,
    /// When anything of it changed last: usage that came in changes what is in use.
    pub updated_at: Timestamp,
}

impl Record {
    /// An order and its subscription on a card that stands so now, usage of which came in last at the instant.
    pub(crate) fn of(order: Order, subscription: Subscription, card: &CardState, usage_came_at: i64) -> Record {
        let live = card.live.iter().find(|l| l.id == subscription.id);
        let used_bytes = live.map_or(subscription.used_bytes, |l| l.used);
        let pending = subscription.state == SubscriptionState::Pending && subscription.terms.kind != Kind::Time;
        let left_bytes = match live {
            Some(live) if live.takes_bytes() => live.left().unwrap_or(0),
            None if pending => subscription.terms.allowance,
            _ => 0,
        };
        let used_at = if subscription.state == SubscriptionState::Active { usage_came_at } else { 0 };
        let updated_at = Timestamp(order.updated_at.max(subscription.updated_at).max(used_at));
        Record { order, subscription, used_bytes, left_bytes, updated_at }
    }
}
