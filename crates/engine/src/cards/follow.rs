//! What follows from folds: verdicts on subscriptions, how the card stands, and what is told. Read and written for many
//! cards together.

use super::{Fold, Settling, speed, stop, warnings};
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::{notices, service, transfers};
use kachi_domain::alert::Crossing;
use kachi_domain::event::EventKind;
use kachi_domain::order::SubscriptionState;
use kachi_domain::rating::{CardState, Happening, PackageBlock};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{OrderId, SimId, SubscriptionId, Timestamp};
use kachi_store::Tx;
use kachi_store::events::NewEvent;
use kachi_store::lists::NewState;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// What cards, subscriptions and orders are when the folds are written.
struct Known {
    sims: HashMap<SimId, Sim>,
    subs: HashMap<SimId, Vec<Subscription>>,
    orders: HashMap<OrderId, Order>,
}

impl Known {
    /// Reads what the folds (sorted by card) speak of.
    fn read(tx: &mut Tx<'_>, folds: &[Fold]) -> Result<Known> {
        let ids: Vec<i64> = folds.iter().map(|f| f.sim.0).collect();
        let sims = tx.sims_by_id(&ids)?.into_iter().map(|s| (s.id, s)).collect();
        let ids: Vec<i64> = folds.iter().filter(|f| f.judges()).map(|f| f.sim.0).collect();
        let mut subs: HashMap<SimId, Vec<Subscription>> = HashMap::new();
        if !ids.is_empty() {
            for s in tx.subscriptions_of(&ids)? {
                subs.entry(s.sim).or_default().push(s);
            }
        }
        let named = |h: &Happening| match h {
            Happening::Started(id, ..) | Happening::Ended(id, ..) => Some(*id),
            _ => None,
        };
        let told: HashSet<SubscriptionId> = folds.iter().flat_map(|f| f.happenings.iter().filter_map(named)).collect();
        let ids: Vec<OrderId> = subs.values().flatten().filter(|s| told.contains(&s.id)).map(|s| s.order).collect();
        let orders = if ids.is_empty() { Vec::new() } else { tx.orders_by_id(&ids)? };
        Ok(Known { sims, subs, orders: orders.into_iter().map(|o| (o.id, o)).collect() })
    }
}

/// Writes what the folds mean for subscriptions and cards, and adds what is to be told.
pub(super) fn follow(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    folds: &[Fold],
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let mut known = Known::read(tx, folds)?;
    for fold in folds {
        let Some(sim) = known.sims.get_mut(&fold.sim) else { return Err(fault(format!("card {} vanished", fold.sim))) };
        sim.account = fold.account;
    }
    let (mut verdicts, mut rests, mut stands, mut wanted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for fold in folds {
        let sim = &known.sims[&fold.sim];
        let mut subs = known.subs.remove(&fold.sim).unwrap_or_default();
        let first_start = first_start(fold, &subs, sim);
        judge(fold, &mut subs, how.now, &mut verdicts);
        if fold.bought || first_start.is_some() {
            wanted.push(sim);
        }
        if fold.moves() {
            stands.extend(stand(catalogue, how, (fold, first_start), sim, events)?);
        }
        if fold.base.is_some() || fold.happenings.iter().any(|h| matches!(h, Happening::Moved(..))) {
            rests.push((fold, subs.clone()));
        }
        announce(catalogue, fold, sim, &subs, &known.orders, events)?;
        warnings::warn(catalogue, fold, sim, &subs, events)?;
    }
    tx.change_sim_states(&stands)?;
    service::follow_wants(tx, catalogue, (&stands, &wanted), how.now)?;
    speed::follow(tx, catalogue, how, (folds, &known.sims), events)?;
    if !verdicts.is_empty() {
        tx.set_subscription_verdicts(&verdicts)?;
    }
    // Only now, when the verdicts are written: what is left of a moved subscription is told from them.
    for (fold, subs) in rests {
        transfers::note_rests(tx, fold.sim, &fold.happenings, &subs)?;
    }
    Ok(())
}

/// Brings the card's subscriptions up to the fold; those that changed are verdicts to be written.
fn judge(fold: &Fold, subs: &mut [Subscription], now: Timestamp, verdicts: &mut Vec<Subscription>) {
    let before = subs.to_vec();
    if let Some(base) = &fold.base {
        reset_open(subs, base);
    }
    for happening in &fold.happenings {
        note(subs, happening);
    }
    for (new, old) in subs.iter_mut().zip(&before) {
        if new != old {
            new.updated_at = now.0;
            verdicts.push(new.clone());
        }
    }
}

/// Before history is told again, what it will tell must be untold: subscriptions not yet over at the base start anew.
pub(crate) fn reset_open(subs: &mut [Subscription], base: &CardState) {
    for s in subs.iter_mut().filter(|s| !matches!(s.state, SubscriptionState::Pending | SubscriptionState::Void)) {
        let at_base = base.live.iter().find(|l| l.id == s.id);
        let known_at_base = base.last.is_some_and(|last| s.available_at.is_some_and(|at| Timestamp(at) <= last.0));
        match at_base.and_then(|l| l.running) {
            Some((start, end)) => {
                (s.state, s.started_at, s.ends_at) = (SubscriptionState::Active, Some(start.0), Some(end.0));
                (s.ended_at, s.end_reason) = (None, None);
            }
            None if at_base.is_some() || !known_at_base => {
                (s.state, s.started_at, s.ends_at) = (SubscriptionState::Waiting, None, None);
                (s.ended_at, s.end_reason) = (None, None);
            }
            None => {} // over before the base: that is settled
        }
    }
}

/// Writes a start or an end into the subscription it is about.
pub(crate) fn note(subs: &mut [Subscription], happening: &Happening) {
    let mut with = |id: SubscriptionId, f: &mut dyn FnMut(&mut Subscription)| {
        if let Ok(i) = subs.binary_search_by_key(&id, |s| s.id) {
            f(&mut subs[i]);
        }
    };
    match happening {
        Happening::Started(id, at, end) => with(*id, &mut |s| {
            (s.state, s.started_at, s.ends_at) = (SubscriptionState::Active, Some(at.0), Some(end.0));
            (s.ended_at, s.end_reason) = (None, None);
        }),
        Happening::Ended(id, at, reason, used) => with(*id, &mut |s| {
            (s.state, s.ended_at, s.end_reason) = (SubscriptionState::Ended, Some(at.0), Some(reason.word().to_owned()));
            s.used_bytes = *used;
        }),
        Happening::Moved(..)
        | Happening::Refilled(..)
        | Happening::Slowed(..)
        | Happening::PoolOver(..)
        | Happening::Blocked(..)
        | Happening::Unblocked(..) => {}
    }
}

/// When the first subscription of the fold starts or the card's pool can pay, if that is news: a past that is told again starts
/// nothing.
fn first_start(fold: &Fold, subs: &[Subscription], sim: &Sim) -> Option<Timestamp> {
    let had_started = |id: SubscriptionId| subs.iter().any(|s| s.id == id && s.started_at.is_some());
    fold.happenings.iter().find_map(|h| match h {
        Happening::Started(id, at, _) if !had_started(*id) => Some(*at),
        Happening::Unblocked(at) if Blocks(sim.blocks).has(Blocks::PACKAGE) => Some(*at),
        _ => None,
    })
}

/// The card's blocks follow the present; a card that was never active becomes so when its first subscription starts or its
/// pool can pay. The answer is how it stands from now on, if otherwise than before.
fn stand<'s>(
    catalogue: &Catalogue,
    how: &Settling,
    (fold, first_start): (&Fold, Option<Timestamp>),
    sim: &'s Sim,
    events: &mut Vec<NewEvent>,
) -> Result<Option<NewState<'s>>> {
    let blocks = Blocks(sim.blocks).with_state(&fold.present).0;
    let dormant = matches!(BaseState::parse(&sim.state), Ok(BaseState::Inventory | BaseState::Testing | BaseState::Ready));
    let state = if dormant && first_start.is_some() { BaseState::Active.word() } else { &sim.state };
    let activated_at = sim.activated_at.or(first_start.map(|t| t.0));
    if (state, blocks, activated_at) == (&sim.state, sim.blocks, sim.activated_at) {
        return Ok(None);
    }
    if state != sim.state {
        let detail = format!("{} -> {state}", sim.state);
        events.push(notices::sim(catalogue, sim, EventKind::SimStateChanged, &detail, how.now)?);
    }
    Ok(Some(NewState { before: sim, state, blocks, activated_at }))
}

/// One thing to tell.
enum Telling<'f> {
    Crossed(&'f Crossing),
    Happened(&'f Happening),
}

/// Tells what was not told before, in the order it happened; a warning comes before the end of the same instant.
fn announce(
    catalogue: &Catalogue,
    fold: &Fold,
    sim: &Sim,
    subs: &[Subscription],
    orders: &HashMap<OrderId, Order>,
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let mut tellings: Vec<(Timestamp, Telling<'_>)> = fold.crossings.iter().map(|c| (c.at, Telling::Crossed(c))).collect();
    tellings.extend(fold.happenings.iter().map(|h| (h.at(), Telling::Happened(h))));
    tellings.sort_by_key(|(at, _)| *at);
    let mut once =
        |kind: Cow<'static, str>, subject, event: NewEvent| events.push(NewEvent { once: Some((kind, subject)), ..event });
    let of_subscription = |id: SubscriptionId, kind: EventKind, at| {
        let Ok(i) = subs.binary_search_by_key(&id, |s| s.id) else { return Ok(None) };
        notices::subscription(catalogue, (sim, orders.get(&subs[i].order)), &subs[i], kind, at).map(Some)
    };
    let stopped = |block, at| notices::sim(catalogue, sim, EventKind::SimStopped, block_word(block), at);
    let mut off = fold.was_off;
    for (at, telling) in tellings {
        match telling {
            Telling::Crossed(crossing) => {
                let kind = crossing.period.named(&format!("alert{}", crossing.alert_type));
                once(kind.into(), crossing.period.subscription.0, notices::alert(catalogue, sim, crossing)?);
            }
            Telling::Happened(Happening::Started(id, ..)) => {
                if let Some(event) = of_subscription(*id, EventKind::SubscriptionStarted, at)? {
                    once(EventKind::SubscriptionStarted.word().into(), id.0, event);
                }
            }
            Telling::Happened(Happening::Ended(id, _, reason, _)) => {
                if let Some(event) = of_subscription(*id, EventKind::SubscriptionEnded, at)? {
                    once(EventKind::SubscriptionEnded.word().into(), id.0, event);
                }
                // Bought and taken back within one second, a card is blocked before and after that instant, so the fold tells
                // no change. The customer was told of the start, so the stop is told too.
                let stays_off = off && !fold.happenings.contains(&Happening::Unblocked(at));
                if let Some(id) = stop::fleeting(subs, at).filter(|_| stays_off) {
                    once("stopped".into(), id.0, stopped(reason.block(), at)?);
                }
            }
            Telling::Happened(Happening::Blocked(block, _, number)) => {
                off = true;
                let (name, subject) = stop::named("stopped", *number);
                once(name.into(), subject, stopped(*block, at)?);
            }
            Telling::Happened(Happening::Unblocked(_)) => {
                off = false;
                let event = notices::sim(catalogue, sim, EventKind::SimRestored, "a subscription can pay again", at)?;
                once("restored".into(), at.0, event);
            }
            Telling::Happened(
                Happening::Moved(..) | Happening::Refilled(..) | Happening::Slowed(..) | Happening::PoolOver(..),
            ) => {}
        }
    }
    Ok(())
}

fn block_word(block: PackageBlock) -> &'static str {
    match block {
        PackageBlock::NoPackage => "no_package",
        PackageBlock::Quota => "quota",
        PackageBlock::Expired => "expired",
        PackageBlock::PoolExhausted => "pool_exhausted",
    }
}
