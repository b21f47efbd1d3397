//! Buying a package for a card.
//!
//! Who acts: a partner's key or a person, for a card the account sees. Promised: one partner number buys once, for
//! ever; the price is taken, the shares are paid, the subscription is the card's and the notice is queued, all in one
//! transaction, or nothing is. A package that the carrier must confirm first is paid from held money and waits; the
//! intent's worker calls [`fulfilled`] or [`failed`] once the carrier's word is final. Not promised: that a carrier
//! answers soon. On a crash between the carrier's act and our note of it, the intent is asked for again.

use crate::act::Actor;
use crate::cards::{self, Settling};
use crate::catalogue::{Catalogue, Quote};
use crate::error::{Fail, Result, fault};
use crate::{esim, notices, profits};
use kachi_domain::carrier::{Request, Write};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::{self, Journal, Share};
use kachi_domain::order::{Channel, OrderState, SubscriptionState};
use kachi_domain::package::{Fulfil, StartRule};
use kachi_domain::rating::Input;
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Iccid, OrderId, Refusal, SubscriptionId, Timestamp};
use kachi_store::Tx;
use kachi_store::catalogue::Package;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;
use kachi_store::states::StateRow;

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

/// Buys the package: checks, takes or holds the money, and makes the subscription or the carrier's intent.
pub fn place(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &Place) -> Result<Placed> {
    tx.lock_balances(&[actor.account])?;
    refuse_repeated(tx, actor, cmd.out_trade_no.as_deref())?;
    let (sim, package, quote) = choose(tx, catalogue, actor, cmd)?;
    tx.lock_balances(&quote.shares.iter().rev().map(|s| s.account).collect::<Vec<_>>())?;
    let subs = tx.subscriptions(sim.id)?;
    refuse_overstacked(&subs, package)?;
    let local = package.fulfil == Fulfil::Local;
    let order = new_order(actor, cmd, &sim, package, &quote, subs.iter().any(|s| s.state != SubscriptionState::Void), how.now)?;
    let order = Order { id: tx.add_order(&order)?, ..order };
    pay(tx, actor, &order, &quote.shares, local, how.now)?;
    let sub = new_subscription(&sim, package, &order, local, how.now);
    let sub = Subscription { id: tx.add_subscription(&sub)?, ..sub };
    if local {
        start(tx, catalogue, how, (&sim, &order), &sub)?;
    } else {
        lock(tx, &sim)?;
        let request = Request {
            reference: order.number.clone(),
            iccid: sim.iccid.clone(),
            write: Write::Subscribe { package: package.code.clone() },
        };
        store_intent(tx, catalogue, &sim, &order, &request, how.now)?;
        let body = Body::Sim { iccid: sim.iccid.clone(), detail: format!("order {}: waits for the carrier", order.id) };
        notices::emit(tx, catalogue, sim.account, Some(sim.id), EventKind::OrderHeld, &body, how.now, how.now)?;
    }
    Ok(Placed { order: order.id, number: order.number, state: order.state })
}

/// A partner's number buys once, for ever; the refusal names what it bought.
pub(crate) fn refuse_repeated(tx: &mut Tx<'_>, actor: &Actor, out_trade_no: Option<&str>) -> Result<()> {
    let Some(out_trade_no) = out_trade_no else { return Ok(()) };
    match tx.order_by_out_trade_no(actor.account, out_trade_no)? {
        Some(o) => Err(Fail::Refused(Refusal::DuplicateOrder { order: o.id.0, number: o.number })),
        None => Ok(()),
    }
}

fn choose<'c>(tx: &mut Tx<'_>, catalogue: &'c Catalogue, actor: &Actor, cmd: &Place) -> Result<(Sim, &'c Package, Quote)> {
    let sim = tx.sim_by_iccid(&actor.path, cmd.iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    if BaseState::parse(&sim.state).is_ok_and(BaseState::is_over) {
        return Err(Refusal::SimOver.into());
    }
    let package = catalogue.package_by_code(&cmd.package_code).ok_or(Refusal::UnknownPackage)?;
    if package.product != sim.product {
        return Err(Refusal::PackageMisfit.into());
    }
    let quote = catalogue.quote(actor.account, package).ok_or(Refusal::NoPrice)?;
    Ok((sim, package, quote))
}

pub(crate) fn refuse_overstacked(subs: &[Subscription], package: &Package) -> Result<()> {
    let open =
        |s: &&Subscription| s.package == package.id && !matches!(s.state, SubscriptionState::Ended | SubscriptionState::Void);
    if subs.iter().filter(open).count() as i64 >= package.stack_max {
        return Err(Refusal::StackFull { stack_max: package.stack_max }.into());
    }
    Ok(())
}

fn new_order(
    actor: &Actor,
    cmd: &Place,
    sim: &Sim,
    package: &Package,
    quote: &Quote,
    renewal: bool,
    now: Timestamp,
) -> Result<Order> {
    Ok(Order {
        id: OrderId(0),
        account: actor.account,
        number: cmd.number.clone(),
        sim: sim.id,
        package: package.id,
        out_trade_no: cmd.out_trade_no.clone(),
        state: if package.fulfil == Fulfil::Local { OrderState::Done } else { OrderState::Pending },
        paid_minor: quote.price_minor,
        currency: package.currency,
        shares: serde_json::to_string(&quote.shares).map_err(|e| fault(e.to_string()))?,
        channel: cmd.channel.word().to_owned(),
        custom_data: cmd.custom_data.clone(),
        renewal,
        created_at: now.0,
        updated_at: now.0,
        refunded_minor: 0,
    })
}

/// Takes or holds the money of an order.
pub(crate) fn pay(tx: &mut Tx<'_>, actor: &Actor, order: &Order, shares: &[Share], local: bool, now: Timestamp) -> Result<()> {
    let (available, _, credit) = tx.balance(actor.account)?;
    if available.saturating_add(credit) < order.paid_minor {
        return Err(Refusal::InsufficientBalance.into());
    }
    let cause = format!("order {}", order.id);
    if local {
        tx.post(actor.account, Journal::Purchase, &cause, &ledger::purchase(actor.account, order.paid_minor, shares), now)?;
        profits::earned(tx, order, shares, now)?;
    } else {
        tx.post(actor.account, Journal::Hold, &cause, &ledger::hold(actor.account, order.paid_minor), now)?;
    }
    Ok(())
}

pub(crate) fn new_subscription(sim: &Sim, package: &Package, order: &Order, local: bool, now: Timestamp) -> Subscription {
    Subscription {
        id: SubscriptionId(0),
        account: sim.account,
        sim: sim.id,
        order: order.id,
        package: package.id,
        terms: package.terms.clone(),
        start: if package.terms.category.is_side() { package.start } else { StartRule::Queue },
        not_before: None,
        bought_at: now.0,
        available_at: local.then_some(now.0),
        used_before: 0,
        state: if local { SubscriptionState::Waiting } else { SubscriptionState::Pending },
        started_at: None,
        ends_at: None,
        ended_at: None,
        end_reason: None,
        used_bytes: 0,
        refunded_at: None,
        updated_at: now.0,
    }
}

/// The card has the subscription from now on: it is told, and the fold decides whether it starts.
pub(crate) fn start(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (sim, order): (&Sim, &Order),
    sub: &Subscription,
) -> Result<()> {
    let mut row = lock(tx, sim)?;
    notices::bought(tx, catalogue, (sim, order), sub, how.now)?;
    let input = Input::Purchase(cards::purchase(sub).ok_or_else(|| fault("a local subscription is available at once"))?);
    cards::settle(tx, catalogue, how, &mut row, &[input])?;
    tx.put_states(&[row])?;
    Ok(())
}

/// The card's state, locked; whoever read the card before it was moved to another account reads it again.
fn lock(tx: &mut Tx<'_>, sim: &Sim) -> Result<StateRow> {
    let row = tx.state_locked(sim.id)?;
    if row.account == sim.account { Ok(row) } else { Err(Fail::Stale) }
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
    tx.add_intent(sim.account, sim.id, product.platform, Some(order.id.0), &text, now)?;
    Ok(())
}

/// Stores the wish that the carrier takes back what an order had it activate.
pub(crate) fn store_unsubscribe(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, order: &Order, now: Timestamp) -> Result<()> {
    let Some(package) = catalogue.package(order.package).filter(|p| p.fulfil == Fulfil::Carrier) else { return Ok(()) };
    let write = Write::Unsubscribe { package: package.code.clone() };
    let request = Request { reference: format!("{}-back", order.number), iccid: sim.iccid.clone(), write };
    store_intent(tx, catalogue, sim, order, &request, now)
}

/// The carrier confirmed: the held money is taken and the subscription is the card's from now on.
pub fn fulfilled(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, id: OrderId) -> Result<()> {
    let Some((order, sim, sub)) = pending(tx, catalogue, id)? else { return Ok(()) };
    let shares: Vec<Share> = serde_json::from_str(&order.shares).map_err(|e| fault(e.to_string()))?;
    lock_sale(tx, order.account, &shares)?;
    tx.post(
        order.account,
        Journal::Capture,
        &format!("order {id}"),
        &ledger::capture(order.account, order.paid_minor, &shares),
        how.now,
    )?;
    profits::earned(tx, &order, &shares, how.now)?;
    tx.set_order_state(id, OrderState::Done, how.now)?;
    tx.set_subscription_available(sub.id, how.now)?;
    let sub = Subscription { available_at: Some(how.now.0), state: SubscriptionState::Waiting, ..sub };
    start(tx, catalogue, how, (&sim, &order), &sub)
}

/// Locks the buyer and then the levels above it, the nearest first (shares are listed from the top down).
pub(crate) fn lock_sale(tx: &mut Tx<'_>, buyer: AccountId, shares: &[Share]) -> Result<()> {
    tx.lock_balances(&[buyer])?;
    tx.lock_balances(&shares.iter().rev().map(|s| s.account).collect::<Vec<_>>())?;
    Ok(())
}

/// The carrier refused for good: the held money goes back and the subscription never was.
pub fn failed(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, id: OrderId, reason: &str) -> Result<()> {
    let Some((order, sim, sub)) = pending(tx, catalogue, id)? else { return Ok(()) };
    tx.lock_balances(&[order.account])?;
    tx.post(order.account, Journal::Release, &format!("order {id}"), &ledger::release(order.account, order.paid_minor), how.now)?;
    tx.set_order_state(id, OrderState::Failed, how.now)?;
    tx.set_subscription_void(sub.id, how.now)?;
    esim::put_back(tx, id, how.now)?;
    let body = Body::Sim { iccid: sim.iccid.clone(), detail: format!("order {id}: {reason}") };
    notices::emit(tx, catalogue, sim.account, Some(sim.id), EventKind::OrderFailed, &body, how.now, how.now)
}

fn pending(tx: &mut Tx<'_>, catalogue: &Catalogue, id: OrderId) -> Result<Option<(Order, Sim, Subscription)>> {
    let all: Vec<_> = catalogue.accounts().map(|a| a.account.id).collect();
    let Some(order) = tx.order_locked(&all, id)?.filter(|o| o.state == OrderState::Pending) else { return Ok(None) };
    let sim = tx.sim_by_id(order.sim)?.ok_or_else(|| fault(format!("card {} vanished", order.sim)))?;
    let sub = tx.subscription_of_order(id, order.sim)?.ok_or_else(|| fault(format!("order {id} has no subscription")))?;
    Ok(Some((order, sim, sub)))
}

/// An order of a card, as the account may see it: a stranger's, or another card's, is not there.
pub fn find(tx: &mut Tx<'_>, actor: &Actor, iccid: &Iccid, id: OrderId) -> Result<(Order, Sim)> {
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let order = tx.order(&actor.sees, id)?.filter(|o| o.sim == sim.id).ok_or(Refusal::UnknownOrder)?;
    Ok((order, sim))
}

/// An order with its subscription, for a list.
#[derive(Debug, Clone)]
pub struct Record {
    /// The order.
    pub order: Order,
    /// What it bought.
    pub subscription: Subscription,
    /// Bytes used so far.
    pub used_bytes: i64,
}

/// The order record of a card, oldest first: what the account, or an account below it, bought.
pub fn records(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, iccid: &Iccid, now: Timestamp) -> Result<Vec<Record>> {
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let view = crate::sims::present(tx, catalogue, &sim, now)?;
    let mut subs = tx.subscriptions(sim.id)?;
    let mut found = Vec::new();
    for order in tx.orders_of_sim(sim.id)?.into_iter().filter(|o| actor.may_see(o.account)) {
        if let Some(i) = subs.iter().position(|s| s.order == order.id) {
            let subscription = subs.swap_remove(i);
            let live = view.live.iter().find(|l| l.id == subscription.id);
            let used_bytes = live.map_or(subscription.used_bytes, |l| l.used);
            found.push(Record { order, subscription, used_bytes });
        }
    }
    Ok(found)
}
