//! Keeping a card's package state: the one place where inputs meet the stored fold.
//!
//! [`settle`] is called inside the caller's transaction with the card's state row locked. It applies fresh inputs to the
//! state after the last one, or, if one of them belongs before it, folds the card's whole history again from the kept
//! base. It then lets time pass up to now and turns what came to pass into subscription rows, card blocks, events and
//! notices, each announced once. Crash anywhere: the transaction is gone and with it everything; the next try does the
//! same.

use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::notices;
use kachi_domain::alert::{self, Below, Crossing, Level, Lines};
use kachi_domain::event::EventKind;
use kachi_domain::order::SubscriptionState;
use kachi_domain::rating::{CardState, Happening, Input, PackageBlock, PoolStand, Position, Purchase, Usage};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::{SimId, SubscriptionId, Timestamp, Zone};
use kachi_store::Tx;
use kachi_store::orders::Subscription;
use kachi_store::states::StateRow;
use std::collections::{BTreeMap, HashMap};

/// What the fold needs besides the card: the present, how late a record may be, and the warning lines.
#[derive(Debug, Clone, Copy)]
pub struct Settling {
    /// The present instant.
    pub now: Timestamp,
    /// Records older than this many days are not rated (`usage.late_days`).
    pub late_days: i64,
    /// The warnings.
    pub lines: Lines,
}

/// Reads a stored state; an empty one is a card before its first input.
pub fn decode(head: &[u8]) -> Result<CardState> {
    if head.is_empty() {
        return Ok(CardState::new());
    }
    CardState::from_bytes(head).map_err(|e| fault(format!("a stored card state does not read: {e}")))
}

/// The fold's own outcome, before anything is written.
struct Fold {
    head: CardState,
    happenings: Vec<Happening>,
    crossings: Vec<Crossing>,
    refolded: bool,
}

/// Applies fresh inputs (sorted; their rows are already written) to the card and writes everything that follows from
/// them except the state row itself, which the caller writes with others.
pub fn settle(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, row: &mut StateRow, fresh: &[Input]) -> Result<()> {
    settle_told(tx, catalogue, how, row, fresh, None)
}

/// As [`settle`]; from `retell` on, what the card's pools paid or how they stood is different from what it was told.
pub fn settle_told(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    row: &mut StateRow,
    fresh: &[Input],
    retell: Option<Position>,
) -> Result<()> {
    let zone = catalogue.zone(row.account);
    let head = decode(&row.head)?;
    if head.live.is_empty() && fresh.iter().any(|i| matches!(i, Input::Purchase(_))) {
        tx.set_ordered(row.sim)?;
    }
    let first = [fresh.first().map(Input::position), retell].into_iter().flatten().min();
    let late = retell.is_some() || first.is_some_and(|f| head.last.is_some_and(|last| f <= last));
    let pooled = late && row.pool_moves > 0 || fresh.iter().any(|i| matches!(i, Input::Pool(..)));
    let mut fold = if late { refold(tx, how, row, zone, first)? } else { apply(head, fresh, &how.lines, zone) };
    let mut present = fold.head.clone();
    present.advance(how.now, zone, &mut fold.happenings);
    let due = alert::days_due(&present, &how.lines, zone);
    if let Some((at, period)) = due.filter(|(at, _)| *at <= how.now) {
        fold.crossings.push(Crossing { alert_type: 3, threshold: how.lines.remaining_days, period, at });
    }
    let changed = fold.refolded || pooled || !fold.happenings.is_empty();
    let subs = if changed { write_verdicts(tx, how, row, &fold, &present)? } else { Vec::new() };
    announce(tx, catalogue, how, row, &fold, &subs)?;
    announce_same_instant_stop(tx, catalogue, how, row, &subs, &present)?;
    let below = Below::of(&present, &how.lines, zone);
    if below != row.warned {
        tx.set_warned(row.sim, row.warned, below)?;
        row.warned = below;
    }
    let ahead = due.map(|(at, _)| at).filter(|at| *at > how.now);
    row.due_at = [present.next_due(zone), ahead].into_iter().flatten().min().map(|t| t.0);
    row.head = fold.head.to_bytes();
    Ok(())
}

/// Settles one card by itself: locks its state, applies, writes it back.
pub fn settle_one(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sim: SimId, fresh: &[Input]) -> Result<()> {
    let mut row = tx.state_locked(sim)?;
    settle(tx, catalogue, how, &mut row, fresh)?;
    tx.put_states(&[row])?;
    Ok(())
}

/// Cards settled in one transaction by [`settle_due`].
const DUE_AT_ONCE: i64 = 200;

/// Lets time pass for cards on which something is due: ends, starts, refills and warnings happen at their instants even
/// if no traffic comes. The answer is how many were due.
pub fn settle_due(engine: &Engine) -> Result<usize> {
    engine.write(|tx, catalogue, how| {
        let mut due = tx.states_due(how.now, DUE_AT_ONCE)?;
        due.sort_unstable();
        for (sim, _) in &due {
            settle_one(tx, catalogue, how, SimId(*sim), &[])?;
        }
        Ok(due.len())
    })
}

fn apply(mut state: CardState, fresh: &[Input], lines: &Lines, zone: &Zone) -> Fold {
    let mut happenings = Vec::new();
    let mut crossings = Vec::new();
    let mut level = Level::of(&state);
    for input in fresh {
        state.apply(input, zone, &mut happenings);
        let after = Level::of(&state);
        if let Input::Usage(usage) = input {
            alert::crossings(level, after, lines, usage.stop, &mut crossings);
        }
        level = after;
    }
    Fold { head: state, happenings, crossings, refolded: false }
}

/// Folds the card's history again from the kept base, and moves the base up to what can no longer change.
fn refold(tx: &mut Tx<'_>, how: &Settling, row: &StateRow, zone: &Zone, first: Option<Position>) -> Result<Fold> {
    let mut base = decode(&tx.state_base(row.sim)?.unwrap_or_default())?;
    if first.is_some_and(|f| base.last.is_some_and(|last| f <= last)) {
        // It is older than what was thought settled (`usage.late_days` was raised): told again from the beginning.
        tx.put_state_base(row.sim, None)?;
        base = CardState::new();
    }
    let inputs = history(tx, row, &base, how.now)?;
    // A record older than this is set aside, so nothing before it changes any more.
    let settled = how.now.plus(-(how.late_days + 1) * DAY_SECONDS);
    let split = inputs.partition_point(|i| i.position().0 < settled);
    let old = apply(base, &inputs[..split], &how.lines, zone);
    if split > 0 {
        tx.put_state_base(row.sim, Some(&old.head.to_bytes()))?;
    }
    let mut fold = apply(old.head, &inputs[split..], &how.lines, zone);
    let recent = std::mem::replace(&mut fold.happenings, old.happenings);
    fold.happenings.extend(recent);
    fold.refolded = true;
    Ok(fold)
}

/// Every input of the card after the base, in order.
fn history(tx: &mut Tx<'_>, row: &StateRow, base: &CardState, now: Timestamp) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for s in tx.subscriptions(row.sim)? {
        if let Some(purchase) = purchase(&s) {
            inputs.push(Input::Purchase(purchase));
        }
        if let Some(at) = s.refunded_at {
            inputs.push(Input::Refund(Timestamp(at), s.id));
        }
    }
    let first = base.last.map_or(i64::MIN / DAY_SECONDS, |p| p.0.0.div_euclid(DAY_SECONDS));
    let last = now.0.div_euclid(DAY_SECONDS) + 1;
    for (_, stop, start, source_id, bytes) in tx.readings_of_sims(&[row.sim.0], first, last)? {
        inputs.push(Input::Usage(Usage { stop: Timestamp(stop), start: Timestamp(start), source_id, bytes }));
    }
    if row.pool_moves > 0 {
        hear_pools(tx, row.sim, base.last.map_or(Timestamp(i64::MIN), |l| l.0), &mut inputs)?;
    }
    inputs.retain(|i| base.last.is_none_or(|last| i.position() > last));
    inputs.sort_by_key(Input::position);
    Ok(inputs)
}

/// Takes what pools paid off the readings, and adds how they stood: one a instant, of the pool that the card was in then.
fn hear_pools(tx: &mut Tx<'_>, sim: SimId, from: Timestamp, inputs: &mut Vec<Input>) -> Result<()> {
    let paid: HashMap<(i64, i64, i64), i64> =
        tx.pool_payments(&[sim.0], from)?.into_iter().map(|p| ((p.1, p.2, p.3), p.5)).collect();
    for input in inputs.iter_mut() {
        if let Input::Usage(u) = input {
            u.bytes -= paid.get(&(u.stop.0, u.start.0, u.source_id)).copied().unwrap_or(0);
        }
    }
    let mut stands: BTreeMap<i64, Option<PoolStand>> = BTreeMap::new();
    for (_, at, _, until, last) in tx.pool_stands_of(sim, from)? {
        let stand = until.zip(last).map(|(until, last)| PoolStand { until: Timestamp(until), last: SubscriptionId(last) });
        let there = stands.entry(at).or_default();
        *there = stand.or(*there);
    }
    inputs.extend(stands.into_iter().map(|(at, stand)| Input::Pool(Timestamp(at), stand)));
    Ok(())
}

/// The subscription as an input of the fold; none while the carrier has not confirmed it.
pub fn purchase(s: &Subscription) -> Option<Purchase> {
    Some(Purchase {
        subscription: s.id,
        package: s.package,
        order: s.order,
        at: Timestamp(s.available_at?),
        terms: s.terms.clone(),
        start: s.start,
        not_before: s.not_before.map(Timestamp),
        used_before: s.used_before,
    })
}

/// Writes what the happenings mean for the card's subscriptions and the card; the answer is the subscriptions as they are now.
fn write_verdicts(
    tx: &mut Tx<'_>,
    how: &Settling,
    row: &StateRow,
    fold: &Fold,
    present: &CardState,
) -> Result<Vec<Subscription>> {
    let told = |h: &Happening| matches!(h, Happening::Started(..) | Happening::Ended(..) | Happening::Blocked(..));
    if !fold.refolded && !fold.happenings.iter().any(told) {
        set_card(tx, how, row, fold, present)?;
        return Ok(Vec::new());
    }
    let mut subs = tx.subscriptions(row.sim)?;
    let before = subs.clone();
    if fold.refolded {
        let base = decode(&tx.state_base(row.sim)?.unwrap_or_default())?;
        reset_open(&mut subs, &base);
    }
    for happening in &fold.happenings {
        note(&mut subs, happening);
    }
    for (new, old) in subs.iter_mut().zip(&before) {
        if new != old {
            new.updated_at = how.now.0;
            tx.set_subscription_verdict(new)?;
        }
    }
    set_card(tx, how, row, fold, present)?;
    Ok(subs)
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
        Happening::Refilled(..)
        | Happening::Slowed(..)
        | Happening::PoolOver(..)
        | Happening::Blocked(..)
        | Happening::Unblocked(..) => {}
    }
}

/// The card's blocks follow the present; a card that was never active becomes so when its first subscription starts or its
/// pool can pay.
fn set_card(tx: &mut Tx<'_>, how: &Settling, row: &StateRow, fold: &Fold, present: &CardState) -> Result<()> {
    let Some(sim) = tx.sim_by_id(row.sim)? else { return Err(fault(format!("card {} vanished", row.sim))) };
    let first_start = fold.happenings.iter().find_map(|h| match h {
        Happening::Started(_, at, _) | Happening::Unblocked(at) => Some(*at),
        _ => None,
    });
    let blocks = Blocks(sim.blocks).with_state(present).0;
    let dormant = matches!(BaseState::parse(&sim.state), Ok(BaseState::Inventory | BaseState::Testing | BaseState::Ready));
    let state = if dormant && first_start.is_some() { BaseState::Active.word() } else { &sim.state };
    let activated_at = sim.activated_at.or(first_start.map(|t| t.0));
    if (state, blocks, activated_at) != (&sim.state, sim.blocks, sim.activated_at) {
        tx.change_sim_state(&sim, state, blocks, activated_at)?;
        if state != sim.state {
            notices::sim_event(
                tx,
                row,
                &sim.iccid,
                EventKind::SimStateChanged,
                &format!("{} -> {state}", sim.state),
                how.now,
                how.now,
            )?;
        }
    }
    Ok(())
}

/// One thing to tell.
enum Telling<'f> {
    Crossed(&'f Crossing),
    Happened(&'f Happening),
}

/// Tells what was not told before, in the order it happened; a warning comes before the end of the same instant.
fn announce(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    row: &StateRow,
    fold: &Fold,
    subs: &[Subscription],
) -> Result<()> {
    let mut tellings: Vec<(Timestamp, Telling<'_>)> = fold.crossings.iter().map(|c| (c.at, Telling::Crossed(c))).collect();
    tellings.extend(fold.happenings.iter().map(|h| (h.at(), Telling::Happened(h))));
    tellings.sort_by_key(|(at, _)| *at);
    let mut last_ended = None;
    for (at, telling) in tellings {
        match telling {
            Telling::Crossed(crossing) => {
                let kind = ["alert1", "alert2", "alert3"][(crossing.alert_type - 1) as usize];
                if tx.announce(row.sim, kind, crossing.period.0)? {
                    notices::alert(tx, catalogue, row, crossing, how.now)?;
                }
            }
            Telling::Happened(Happening::Started(id, ..)) => {
                tell_once(tx, catalogue, how, row, subs, *id, EventKind::SubscriptionStarted, at)?;
            }
            Telling::Happened(Happening::Ended(id, ..)) => {
                last_ended = Some(*id);
                tell_once(tx, catalogue, how, row, subs, *id, EventKind::SubscriptionEnded, at)?;
            }
            Telling::Happened(Happening::PoolOver(id, _)) => last_ended = Some(*id),
            Telling::Happened(Happening::Blocked(block, _)) => {
                let over = || subs.iter().rev().find(|s| s.ended_at == Some(at.0)).map(|s| s.id);
                let subject = last_ended.or_else(over).map_or(at.0, |id| id.0);
                if tx.announce(row.sim, "stopped", subject)? {
                    notices::stopped(tx, catalogue, row, block_word(*block), at, how.now)?;
                }
            }
            Telling::Happened(Happening::Unblocked(_)) => {
                if tx.announce(row.sim, "restored", at.0)? {
                    notices::restored(tx, row, at, how.now)?;
                }
            }
            Telling::Happened(Happening::Refilled(..) | Happening::Slowed(..)) => {}
        }
    }
    Ok(())
}

/// Bought and taken back within one second, a card is blocked before and after that instant, so the fold tells no change.
/// The customer was told of the start, so the stop is told too: once, for the subscription that ended now.
fn announce_same_instant_stop(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    row: &StateRow,
    subs: &[Subscription],
    present: &CardState,
) -> Result<()> {
    let Some(block) = present.verdict() else { return Ok(()) };
    let Some(last) = subs.iter().filter(|s| s.ended_at.is_some()).max_by_key(|s| (s.ended_at, s.id)) else { return Ok(()) };
    let at = last.ended_at.filter(|at| last.started_at == Some(*at));
    if let Some(at) = at
        && tx.announce(row.sim, "stopped", last.id.0)?
    {
        notices::stopped(tx, catalogue, row, block_word(block), Timestamp(at), how.now)?;
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn tell_once(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    row: &StateRow,
    subs: &[Subscription],
    id: SubscriptionId,
    kind: EventKind,
    at: Timestamp,
) -> Result<()> {
    let Ok(i) = subs.binary_search_by_key(&id, |s| s.id) else { return Ok(()) };
    if tx.announce(row.sim, kind.word(), id.0)? {
        notices::subscription(tx, catalogue, row, &subs[i], kind, at, how.now)?;
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
