//! Placing orders: what each command means, what it locks, costs and makes.

use super::{Place, Placed, store_subscribe};
use crate::act::Actor;
use crate::cards::{self, Settle, Settling};
use crate::catalogue::{Catalogue, Quote};
use crate::error::{Fail, Result, fault};
use crate::{esim, money, notices, profits};
use kachi_domain::event::EventKind;
use kachi_domain::ledger::{self, Journal, Share};
use kachi_domain::order::{OrderState, SubscriptionState};
use kachi_domain::package::{Fulfil, StartRule};
use kachi_domain::rating::Input;
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, OrderId, PackageId, Refusal, SubscriptionId, Timestamp};
use kachi_store::Tx;
use kachi_store::catalogue::Package;
use kachi_store::ledger::NewJournal;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;
use kachi_store::states::StateRow;

/// An order that may be placed, if the money is there.
struct Chosen<'c> {
    cmd: &'c Place,
    sim: Sim,
    package: &'c Package,
    quote: Quote,
    renewal: bool,
}

/// Buys one package.
pub fn place(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &Place) -> Result<Placed> {
    place_all(tx, catalogue, how, actor, &[cmd])?.pop().unwrap_or_else(|| Err(fault("an order without an outcome")))
}

/// Whether the two may be handed to one [`place_all`]: what one does must not matter to the other's card or number.
pub fn apart(a: &Place, b: &Place) -> bool {
    a.iccid != b.iccid && (a.out_trade_no.is_none() || a.out_trade_no != b.out_trade_no)
}

/// Buys packages, each for another card: checks, takes or holds the money, and makes the subscriptions or the carrier's
/// intents. Each order stands or falls by itself, and one that is refused changes nothing; a fault undoes them all.
pub fn place_all(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    cmds: &[&Place],
) -> Result<Vec<Result<Placed>>> {
    debug_assert!(cmds.iter().enumerate().all(|(i, a)| cmds[..i].iter().all(|b| apart(a, b))));
    tx.lock_balances(&[actor.account])?;
    let mut chosen = choose(tx, catalogue, actor, cmds)?;
    refuse_unsold(tx, &mut chosen)?;
    let mut rows = lock(tx, catalogue, actor, &mut chosen)?;
    look_at_stacks(tx, &rows, &mut chosen)?;
    refuse_unpaid(tx, actor, &mut chosen)?;
    let good: Vec<&Chosen<'_>> = chosen.iter().filter_map(|c| c.as_ref().ok()).collect();
    let orders = add_orders(tx, actor, &good, how.now)?;
    let subs = add_subscriptions(tx, catalogue, &good, &orders, how.now)?;
    let mut settle = Settle::default();
    for ((choice, order), sub) in good.iter().zip(&orders).zip(&subs) {
        let sim = &choice.sim;
        if is_local(choice.package) {
            let row = rows.iter_mut().find(|r| r.sim == sim.id).ok_or_else(|| fault("a card without a state row"))?;
            begin(tx, catalogue, how, &mut settle, (sim, order, sub), row)?;
        } else {
            store_subscribe(tx, catalogue, (sim, order), (None, None), how.now)?;
            let detail = format!("order {}: waits for the carrier", order.id);
            settle.tell(notices::sim(catalogue, sim, EventKind::OrderHeld, &detail, how.now)?);
        }
    }
    settle.finish(tx, catalogue, how)?;
    rows.retain(|r| good.iter().any(|c| c.sim.id == r.sim && is_local(c.package)));
    tx.put_states(&rows)?;
    let mut placed = orders.into_iter();
    let outcome = |c: Result<Chosen<'_>>| {
        c.and_then(|_| placed.next().ok_or_else(|| fault("an order without a number"))).map(|o| Placed {
            order: o.id,
            number: o.number,
            state: o.state,
        })
    };
    Ok(chosen.into_iter().map(outcome).collect())
}

fn is_local(package: &Package) -> bool {
    package.fulfil == Fulfil::Local
}

/// Finds out what each command means: its number is not used, the card is seen and not over, the package fits and has a price.
fn choose<'c>(tx: &mut Tx<'_>, catalogue: &'c Catalogue, actor: &Actor, cmds: &[&'c Place]) -> Result<Vec<Result<Chosen<'c>>>> {
    let numbers: Vec<&str> = cmds.iter().filter_map(|c| c.out_trade_no.as_deref()).collect();
    let before = if numbers.is_empty() { Vec::new() } else { tx.orders_by_out_trade_no(actor.account, &numbers)? };
    let sims = tx.sims_by_iccid(&actor.path, &cmds.iter().map(|c| c.iccid.as_str()).collect::<Vec<_>>())?;
    let one = |cmd: &'c Place| {
        if let Some(o) = before.iter().find(|o| o.out_trade_no.is_some() && o.out_trade_no == cmd.out_trade_no) {
            return Err(Refusal::DuplicateOrder { order: o.id.0, number: o.number.clone() }.into());
        }
        let sim = sims.iter().find(|s| s.iccid == cmd.iccid.as_str()).cloned().ok_or(Refusal::UnknownSim)?;
        if BaseState::parse(&sim.state).is_ok_and(BaseState::is_over) {
            return Err(Refusal::SimOver.into());
        }
        let package = catalogue.package_by_code(&cmd.package_code).ok_or(Refusal::UnknownPackage)?;
        if package.product != sim.product {
            return Err(Refusal::PackageMisfit.into());
        }
        let quote = catalogue.quote(actor.account, package).ok_or(Refusal::NoPrice)?;
        Ok(Chosen { cmd, sim, package, quote, renewal: false })
    };
    Ok(cmds.iter().map(|cmd| one(cmd)).collect())
}

/// Nothing is bought for a profile of eSIM goods before it is sold.
fn refuse_unsold(tx: &mut Tx<'_>, chosen: &mut [Result<Chosen<'_>>]) -> Result<()> {
    for outcome in chosen {
        let Ok(c) = outcome else { continue };
        match esim::refuse_unsold(tx, [&c.sim]) {
            Err(Fail::Refused(refusal)) => *outcome = Err(refusal.into()),
            checked => checked?,
        }
    }
    Ok(())
}

/// Locks what the orders will change: the balances of the levels above the buyer, the nearest first, then the cards' states.
/// Whoever read a card before it was moved to another account reads it again.
fn lock(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, chosen: &mut [Result<Chosen<'_>>]) -> Result<Vec<StateRow>> {
    let good = || chosen.iter().filter_map(|c| c.as_ref().ok());
    let earns = |a: &AccountId| good().any(|c| c.quote.shares.iter().any(|s| s.account == *a));
    let chain = catalogue.account(actor.account).map_or_else(Vec::new, |a| a.account.path.chain());
    tx.lock_balances(&chain.iter().rev().copied().filter(earns).collect::<Vec<_>>())?;
    let mut ids: Vec<i64> = good().map(|c| c.sim.id.0).collect();
    ids.sort_unstable();
    let rows = tx.states(&ids)?;
    for c in chosen.iter_mut() {
        let moved = |c: &Chosen<'_>| !rows.iter().any(|r| r.sim == c.sim.id && r.account == c.sim.account);
        if c.as_ref().is_ok_and(moved) {
            *c = Err(Fail::Stale);
        }
    }
    Ok(rows)
}

/// A partner's number buys once, for ever; the refusal names what it bought.
pub(crate) fn refuse_repeated(tx: &mut Tx<'_>, actor: &Actor, out_trade_no: Option<&str>) -> Result<()> {
    let Some(out_trade_no) = out_trade_no else { return Ok(()) };
    match tx.order_by_out_trade_no(actor.account, out_trade_no)? {
        Some(o) => Err(Refusal::DuplicateOrder { order: o.id.0, number: o.number }.into()),
        None => Ok(()),
    }
}

/// Of one package only so many may be open at once.
pub(crate) fn refuse_overstacked(
    there: impl IntoIterator<Item = (PackageId, SubscriptionState)>,
    package: &Package,
) -> Result<()> {
    let open = |(id, state): &(PackageId, SubscriptionState)| {
        *id == package.id && !matches!(state, SubscriptionState::Ended | SubscriptionState::Void)
    };
    if there.into_iter().filter(open).count() as i64 >= package.stack_max {
        return Err(Refusal::StackFull { stack_max: package.stack_max }.into());
    }
    Ok(())
}

/// Looks at what each card has already: its state names what is open, but for what waits for a carrier or a person. What a card has
/// had is read only where nothing of it is live.
fn look_at_stacks(tx: &mut Tx<'_>, rows: &[StateRow], chosen: &mut [Result<Chosen<'_>>]) -> Result<()> {
    let mut ids: Vec<i64> = chosen.iter().filter_map(|c| c.as_ref().ok()).map(|c| c.sim.id.0).collect();
    ids.sort_unstable();
    let pending = tx.pending_of(&ids)?;
    for outcome in chosen {
        let Ok(c) = outcome else { continue };
        let row = rows.iter().find(|r| r.sim == c.sim.id).ok_or_else(|| fault("a card without a state row"))?;
        let live = cards::decode(&row.head)?.live;
        let there = if live.is_empty() {
            tx.holdings(c.sim.id)?
        } else {
            let waits = pending.iter().filter(|(sim, _)| *sim == c.sim.id).map(|(_, package)| *package);
            let open = live.iter().map(|l| (l.package, SubscriptionState::Waiting));
            open.chain(waits.map(|package| (package, SubscriptionState::Pending))).collect()
        };
        c.renewal = there.iter().any(|(_, state)| *state != SubscriptionState::Void);
        if let Err(full) = refuse_overstacked(there, c.package) {
            *outcome = Err(full);
        }
    }
    Ok(())
}

/// The money goes to the orders in their order, as far as it reaches.
fn refuse_unpaid(tx: &mut Tx<'_>, actor: &Actor, chosen: &mut [Result<Chosen<'_>>]) -> Result<()> {
    let (available, _, credit) = tx.balance(actor.account)?;
    let mut left = available.saturating_add(credit);
    for outcome in chosen {
        let Ok(c) = outcome else { continue };
        if left < c.quote.price_minor {
            *outcome = Err(Refusal::InsufficientBalance.into());
        } else {
            left -= c.quote.price_minor;
        }
    }
    Ok(())
}

/// Writes the orders and what they cost.
fn add_orders(tx: &mut Tx<'_>, actor: &Actor, chosen: &[&Chosen<'_>], now: Timestamp) -> Result<Vec<Order>> {
    let mut orders = chosen.iter().map(|c| new_order(actor, c, now)).collect::<Result<Vec<Order>>>()?;
    let ids = tx.add_orders(&orders)?;
    for (order, id) in orders.iter_mut().zip(ids) {
        order.id = id;
    }
    let paid = |(c, o): (&&Chosen<'_>, &Order)| price_of(o, &c.quote.shares, is_local(c.package));
    money::post_all(tx, chosen.iter().zip(&orders).map(paid).collect(), now)?;
    for (choice, order) in chosen.iter().zip(&orders).filter(|(c, _)| is_local(c.package)) {
        profits::earned(tx, order, &choice.quote.shares, now)?;
    }
    Ok(orders)
}

/// Takes or holds the money of one order.
pub(crate) fn pay(tx: &mut Tx<'_>, actor: &Actor, order: &Order, shares: &[Share], local: bool, now: Timestamp) -> Result<()> {
    let (available, _, credit) = tx.balance(actor.account)?;
    if available.saturating_add(credit) < order.paid_minor {
        return Err(Refusal::InsufficientBalance.into());
    }
    money::post_all(tx, vec![price_of(order, shares, local)], now)?;
    if local {
        profits::earned(tx, order, shares, now)?;
    }
    Ok(())
}

/// What an order costs: taken at once, or held until the carrier has confirmed.
fn price_of(order: &Order, shares: &[Share], local: bool) -> NewJournal {
    let (name, postings) = if local {
        (Journal::Purchase, ledger::purchase(order.account, order.paid_minor, shares))
    } else {
        (Journal::Hold, ledger::hold(order.account, order.paid_minor))
    };
    NewJournal { account: order.account, name, cause: format!("order {}", order.id), postings }
}

fn add_subscriptions(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    chosen: &[&Chosen<'_>],
    orders: &[Order],
    now: Timestamp,
) -> Result<Vec<Subscription>> {
    let of = |(c, o): (&&Chosen<'_>, &Order)| new_subscription(catalogue, (&c.sim, o), c.package, is_local(c.package), now);
    let mut subs: Vec<Subscription> = chosen.iter().zip(orders).map(of).collect();
    let ids = tx.add_subscriptions(&subs)?;
    for (sub, id) in subs.iter_mut().zip(ids) {
        sub.id = id;
    }
    Ok(subs)
}

fn new_order(actor: &Actor, chosen: &Chosen<'_>, now: Timestamp) -> Result<Order> {
    let Chosen { cmd, sim, package, quote, renewal } = chosen;
    Ok(Order {
        id: OrderId(0),
        account: actor.account,
        number: cmd.number.clone(),
        sim: sim.id,
        package: package.id,
        out_trade_no: cmd.out_trade_no.clone(),
        state: if is_local(package) { OrderState::Done } else { OrderState::Pending },
        paid_minor: quote.price_minor,
        currency: package.currency,
        shares: serde_json::to_string(&quote.shares).map_err(|e| fault(e.to_string()))?,
        channel: cmd.channel.word().to_owned(),
        custom_data: cmd.custom_data.clone(),
        renewal: *renewal,
        created_at: now.0,
        updated_at: now.0,
        refunded_minor: 0,
        origin: None,
    })
}

/// The card has the subscription from now on: it is told, and the fold decides whether it starts. Whoever read the card
/// before it was moved to another account reads it again.
pub(crate) fn start(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (sim, order): (&Sim, &Order),
    sub: &Subscription,
) -> Result<()> {
    let mut row = tx.state_locked(sim.id)?;
    if row.account != sim.account {
        return Err(Fail::Stale);
    }
    let mut settle = Settle::default();
    begin(tx, catalogue, how, &mut settle, (sim, order, sub), &mut row)?;
    settle.finish(tx, catalogue, how)?;
    tx.put_states(&[row])?;
    Ok(())
}

fn begin(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    settle: &mut Settle,
    (sim, order, sub): (&Sim, &Order, &Subscription),
    row: &mut StateRow,
) -> Result<()> {
    settle.tell(notices::subscription(catalogue, (sim, Some(order)), sub, EventKind::SubscriptionBought, how.now)?);
    let input = Input::Purchase(cards::purchase(sub).ok_or_else(|| fault("a local subscription is available at once"))?);
    settle.fold(tx, catalogue, how, row, &[input])
}

/// The subscription that an order buys for a card.
pub(crate) fn new_subscription(
    catalogue: &Catalogue,
    (sim, order): (&Sim, &Order),
    package: &Package,
    local: bool,
    now: Timestamp,
) -> Subscription {
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
        zone: Some(catalogue.zone(sim.account).clone()),
    }
}
