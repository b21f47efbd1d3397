//! Keeping the cards' package states: the one place where inputs meet the stored fold.
//!
//! [`Settle`] is used inside the caller's transaction with the cards' state rows locked. It applies fresh inputs to the
//! state after the last one, or, if one of them belongs before it, folds the card's whole history again from the kept
//! base. It then lets time pass up to now and turns what came to pass into subscription rows, card blocks, events and
//! notices, each announced once; what follows for many cards is read and written together. Crash anywhere: the
//! transaction is gone and with it everything; the next try does the same.

mod allowances;
mod follow;
mod pasts;
pub(crate) mod speed;
mod stop;
mod warnings;

pub(crate) use allowances::{connected, counted, spent};
pub(crate) use follow::{note, reset_open};
pub(crate) use pasts::is_late;

use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::transfers;
use kachi_domain::alert::{self, Below, Crossing, Level, Lines, Period};
use kachi_domain::rating::{CardState, Happening, Input, Live, PoolStand, Position, Purchase, Stake, Usage};
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::{AccountId, PackageId, SimId, SubscriptionId, Timestamp, Zone};
use kachi_store::Tx;
use kachi_store::events::NewEvent;
use kachi_store::orders::Subscription;
use kachi_store::readings::Rated;
use kachi_store::states::StateRow;
use pasts::{Past, Pasts, readings_since};
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

/// A state that was written before it was kept in which zone each subscription was bought learns it from the subscriptions.
pub fn keep_zones(state: &mut CardState, bought: impl FnOnce() -> Result<Vec<Subscription>>) -> Result<()> {
    if state.live.iter().any(Live::lacks_zone) {
        let bought = bought()?;
        for live in &mut state.live {
            live.keep_zone(bought.iter().find(|s| s.id == live.id).and_then(|s| s.zone.as_ref()));
        }
    }
    Ok(())
}

/// What came to pass on a card, before anything is written.
struct Fold {
    sim: SimId,
    account: AccountId,
    head: CardState,
    happenings: Vec<Happening>,
    crossings: Vec<Crossing>,
    /// Whether the card was stopped before what came to pass.
    was_off: bool,
    /// The kept state from which history was told again, if it was.
    base: Option<CardState>,
    /// Whether something was bought for it.
    bought: bool,
    /// Whether pools may have changed how the card stands.
    pooled: bool,
    /// The packages in use that are about to end, each with since when it is.
    ending: Vec<(Timestamp, SubscriptionId)>,
    /// By month (202611) of the owner's zone: when data was used last that nothing could pay for, and how many bytes; of what is told
    /// here, if there is more of it than there was and someone is told.
    outflow: BTreeMap<i64, (Timestamp, i64)>,
    /// The device the card was last seen in, 0 before any.
    seen: i64,
    /// The state as it is now.
    present: CardState,
}

impl Fold {
    /// Whether the card may stand otherwise than before.
    fn moves(&self) -> bool {
        self.base.is_some() || self.pooled || !self.happenings.is_empty()
    }

    /// Whether subscriptions have another verdict.
    fn judges(&self) -> bool {
        let told = |h: &Happening| matches!(h, Happening::Started(..) | Happening::Ended(..) | Happening::Blocked(..));
        self.base.is_some() || self.happenings.iter().any(told)
    }
}

/// Cards that are settled together.
#[derive(Default)]
pub struct Settle {
    folds: Vec<Fold>,
    events: Vec<NewEvent>,
    /// Cards that have a package now, perhaps their first.
    ordered: Vec<SimId>,
    /// Cards that are below other warning lines than before.
    warned: Vec<SimId>,
    /// Cards with a stake, of which something changed that counts for the others of their joint pool.
    stirred: Vec<SimId>,
    pasts: Pasts,
}

impl Settle {
    /// These cards, sorted by number, will be told again: their pasts are read together.
    pub fn expect_late(&mut self, sims: Vec<i64>) {
        self.pasts.expect(sims);
    }

    /// Tells something before what follows from the cards.
    pub fn tell(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// Applies fresh inputs (sorted; their rows are already written) to a card. The state row itself the caller writes with
    /// others; all else that follows is written by [`Settle::finish`]. A card comes once.
    pub fn fold(
        &mut self,
        tx: &mut Tx<'_>,
        catalogue: &Catalogue,
        how: &Settling,
        row: &mut StateRow,
        fresh: &[Input],
    ) -> Result<()> {
        self.fold_told(tx, catalogue, how, row, fresh, None)
    }

    /// As [`Settle::fold`]; from `retell` on, what the card's pools paid or how they stood is different from what it was told.
    pub fn fold_told(
        &mut self,
        tx: &mut Tx<'_>,
        catalogue: &Catalogue,
        how: &Settling,
        row: &mut StateRow,
        fresh: &[Input],
        retell: Option<Position>,
    ) -> Result<()> {
        let zone = catalogue.zone(row.account);
        let mut head = decode(&row.head)?;
        keep_zones(&mut head, || Ok(tx.subscriptions(row.sim)?))?;
        let bought = fresh.iter().any(|i| matches!(i, Input::Purchase(_)));
        self.ordered.extend((bought && head.live.is_empty()).then_some(row.sim));
        let first = [fresh.first().map(Input::position), retell].into_iter().flatten().min();
        let late = retell.is_some() || first.is_some_and(|f| head.last.is_some_and(|last| f <= last));
        if retell.is_some() || fresh.iter().any(|i| matches!(i, Input::Usage(_))) {
            row.used_at = how.now.0;
        }
        let mut fold = Fold {
            sim: row.sim,
            account: row.account,
            was_off: head.told.is_some(),
            head,
            happenings: Vec::new(),
            crossings: Vec::new(),
            base: None,
            bought,
            pooled: late && row.pool_moves > 0 || fresh.iter().any(|i| matches!(i, Input::Pool(..) | Input::Stake(..))),
            ending: Vec::new(),
            outflow: BTreeMap::new(),
            seen: row.seen.imei,
            present: CardState::new(),
        };
        let (unpaid, staked) = (fold.head.outflow_bytes, fold.head.stake.is_some());
        if late {
            let past = self.pasts.take(tx, row.sim, how.now)?;
            refold(tx, how, row, &mut fold, (past, zone), first)?;
        } else {
            apply(&mut fold, fresh, &how.lines, zone);
        }
        let news = first.filter(|_| fold.head.outflow_bytes > unpaid && warnings::wanted(catalogue, row.account));
        fold.outflow.retain(|month, _| news.is_some_and(|first| *month >= month_number(first.0, zone)));
        fold.present = fold.head.clone();
        fold.present.advance(how.now, zone, &mut fold.happenings);
        let due = alert::days_due(&fold.present, &how.lines, zone);
        if let Some((at, period)) = due.filter(|(at, _)| *at <= how.now) {
            fold.crossings.push(Crossing { alert_type: 3, threshold: how.lines.remaining_days, period: Period::of(period), at });
        }
        let (ending, later): (Vec<_>, Vec<_>) =
            alert::packages_ending(&fold.present, &how.lines).partition(|(at, _)| *at <= how.now);
        fold.ending = ending;
        let counts = |h: &Happening| matches!(h, Happening::Started(..) | Happening::Ended(..) | Happening::Refilled(..));
        let stirs = fresh.iter().any(|i| !matches!(i, Input::Stake(..))) || fold.happenings.iter().any(counts);
        if stirs && (staked || fold.head.stake.is_some()) {
            self.stirred.push(row.sim);
        }
        let below = Below::of(&fold.present, &how.lines, zone);
        if below != row.warned {
            row.warned = below;
            self.warned.push(row.sim);
        }
        let ahead = later.into_iter().chain(due.filter(|(at, _)| *at > how.now)).map(|(at, _)| at);
        row.due_at = ahead.chain(fold.present.next_due(zone)).min().map(|t| t.0);
        row.head = fold.head.to_bytes();
        if fold.moves() || fold.bought || !fold.crossings.is_empty() || !fold.outflow.is_empty() || !fold.ending.is_empty() {
            self.folds.push(fold);
        }
        Ok(())
    }

    /// Writes everything that follows from the cards but their state rows.
    pub fn finish(mut self, tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling) -> Result<()> {
        tx.set_ordered(&self.ordered)?;
        tx.relist(&self.warned)?;
        tx.stir_pools(&self.stirred)?;
        self.folds.sort_by_key(|f| f.sim);
        for part in self.folds.chunks(FOLDS_AT_ONCE) {
            follow::follow(tx, catalogue, how, part, &mut self.events)?;
        }
        if !self.events.is_empty() {
            tx.tell(&self.events, how.now)?;
        }
        Ok(())
    }
}

/// Cards whose subscriptions are read together; bounds memory.
const FOLDS_AT_ONCE: usize = 1_000;

/// Settles one card: applies fresh inputs (sorted; their rows are already written) and writes everything that follows from
/// them except the state row itself.
pub fn settle(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, row: &mut StateRow, fresh: &[Input]) -> Result<()> {
    let mut settle = Settle::default();
    settle.fold(tx, catalogue, how, row, fresh)?;
    settle.finish(tx, catalogue, how)
}

/// Cards settled in one transaction by [`settle_due`].
const DUE_AT_ONCE: i64 = 200;

/// Lets time pass for cards on which something is due: ends, starts, refills and warnings happen at their instants even
/// if no traffic comes, and moved subscriptions get what was really left of them. The answer is how many were due.
pub fn settle_due(engine: &Engine) -> Result<usize> {
    let settled = engine.write(|tx, catalogue, how| {
        let mut due: Vec<i64> = tx.states_due(how.now, DUE_AT_ONCE)?.into_iter().map(|(sim, _)| sim).collect();
        due.sort_unstable();
        let mut rows = tx.states(&due)?;
        let mut settle = Settle::default();
        for row in &mut rows {
            settle.fold(tx, catalogue, how, row, &[])?;
        }
        settle.finish(tx, catalogue, how)?;
        tx.put_states(&rows)?;
        Ok(due.len())
    })?;
    // Last: a transfer that cannot be followed must not hold up the cards' own timers.
    Ok(transfers::follow_due(engine)? + settled)
}

fn apply(fold: &mut Fold, fresh: &[Input], lines: &Lines, zone: &Zone) {
    let state = &mut fold.head;
    let mut level = Level::of(state);
    for input in fresh {
        let (before, unpaid) = (fold.happenings.len(), state.outflow_bytes);
        state.reach(input, zone, &mut fold.happenings);
        if fold.happenings.len() > before {
            level = Level::of(state); // a refill or start comes before what is used then
        }
        state.apply(input, zone, &mut fold.happenings);
        let after = Level::of(state);
        if let Input::Usage(usage) = input {
            alert::crossings(level, after, lines, usage.stop, &mut fold.crossings);
            if state.outflow_bytes > unpaid {
                let of_month = fold.outflow.entry(month_number(usage.stop, zone)).or_insert((usage.stop, 0));
                *of_month = (usage.stop, of_month.1 + state.outflow_bytes - unpaid);
            }
        }
        level = after;
    }
}

/// The month of an instant in a zone, such as 202611.
fn month_number(at: Timestamp, zone: &Zone) -> i64 {
    zone.text(at)[..7].replace('-', "").parse().unwrap_or(0)
}

/// Folds the card's history again from the kept base, and moves the base up to what can no longer change.
fn refold(
    tx: &mut Tx<'_>,
    how: &Settling,
    row: &StateRow,
    fold: &mut Fold,
    (past, zone): (Past, &Zone),
    first: Option<Position>,
) -> Result<()> {
    let Past { mut base, mut readings } = past;
    if first.is_some_and(|f| base.last.is_some_and(|last| f <= last)) {
        // It is older than what was thought settled (`usage.late_days` was raised): told again from the beginning.
        tx.put_state_base(fold.sim, None)?;
        base = CardState::new();
        readings = readings_since(tx, fold.sim, &base, how.now)?;
    }
    keep_zones(&mut base, || Ok(tx.subscriptions(row.sim)?))?;
    let stops_by_now = |state: &CardState| {
        let mut present = state.clone();
        present.advance(how.now, zone, &mut Vec::new());
        present.stops
    };
    let stops_before = stops_by_now(&fold.head);
    let inputs = history(tx, row, &base, readings)?;
    // A record older than this is set aside, so nothing before it changes any more.
    let settled = how.now.plus(-(how.late_days + 1) * DAY_SECONDS);
    let split = inputs.partition_point(|i| i.position().0 < settled);
    fold.head = base;
    apply(fold, &inputs[..split], &how.lines, zone);
    // The warnings of what is settled were given when it happened, and its stops were told.
    fold.crossings.clear();
    fold.happenings.retain(|h| !matches!(h, Happening::Blocked(..)));
    fold.was_off = fold.head.told.is_some();
    if split > 0 {
        tx.put_state_base(fold.sim, Some(&fold.head.to_bytes()))?;
    }
    fold.base = Some(fold.head.clone());
    apply(fold, &inputs[split..], &how.lines, zone);
    // A pool may have kept on a card that was told to be stopped: the next stop is another one all the same.
    fold.head.stops += stops_before.saturating_sub(stops_by_now(&fold.head));
    Ok(())
}

/// Every input of the card after the base, in order; the readings are those from the day of its last input on, at least.
fn history(tx: &mut Tx<'_>, row: &StateRow, base: &CardState, readings: Vec<Rated>) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for s in tx.subscriptions(row.sim)? {
        if let Some(purchase) = purchase(&s) {
            inputs.push(Input::Purchase(purchase));
        }
        if let Some(at) = s.refunded_at {
            inputs.push(Input::Refund(Timestamp(at), s.id));
        }
    }
    for (_, stop, start, source_id, bytes) in readings {
        inputs.push(Input::Usage(Usage { stop: Timestamp(stop), start: Timestamp(start), source_id, bytes }));
    }
    if row.pool_moves > 0 {
        let from = base.last.map_or(Timestamp(i64::MIN), |l| l.0);
        hear_pools(tx, row.sim, from, &mut inputs)?;
        hear_stakes(tx, row.sim, from, &mut inputs)?;
    }
    transfers::add_to_history(tx, row.sim, &mut inputs)?;
    inputs.retain(|i| base.last.is_none_or(|last| i.position() > last));
    inputs.sort_by_key(Input::position);
    Ok(inputs)
}

/// Bytes of the card that nothing could pay for, from an instant on and before another: asked of its history.
pub fn outflow_between(tx: &mut Tx<'_>, sim: SimId, zone: &Zone, from: Timestamp, to: Timestamp, now: Timestamp) -> Result<i64> {
    let row = tx.states_page(sim.0 - 1, 1)?.pop().filter(|r| r.sim == sim);
    let row = row.ok_or_else(|| fault(format!("card {sim} has no state row")))?;
    let mut kept = decode(&tx.state_bases(&[sim.0])?.pop().unwrap_or_default().1)?;
    keep_zones(&mut kept, || Ok(tx.subscriptions(sim)?))?;
    let mut state = if kept.last.is_some_and(|last| last.0 < from) { kept } else { CardState::new() };
    let readings = readings_since(tx, sim, &state, now)?;
    let inputs = history(tx, &row, &state, readings)?;
    let [before, within] = [from, to].map(|at| inputs.partition_point(|i| i.position().0 < at));
    let mut unheard = Vec::new();
    inputs[..before].iter().for_each(|i| state.apply(i, zone, &mut unheard));
    let until_then = state.outflow_bytes;
    inputs[before..within].iter().for_each(|i| state.apply(i, zone, &mut unheard));
    Ok(state.outflow_bytes - until_then)
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

/// Adds how the card's stake stood: one a instant, of the joint pool that it was in then.
fn hear_stakes(tx: &mut Tx<'_>, sim: SimId, from: Timestamp, inputs: &mut Vec<Input>) -> Result<()> {
    let mut stakes: BTreeMap<i64, Option<Stake>> = BTreeMap::new();
    for (_, at, _, package, until, capped) in tx.pool_stakes_of(sim, from)? {
        let until = until.map(Timestamp);
        let stake = package.map(|id| Stake { package: PackageId(id), until, capped: capped != 0 });
        let there = stakes.entry(at).or_default();
        *there = stake.or(*there);
    }
    inputs.extend(stakes.into_iter().map(|(at, stake)| Input::Stake(Timestamp(at), stake)));
    Ok(())
}

/// The subscription as an input of the fold; none while the carrier has not confirmed it. That it was moved here, and what
/// was left of its validity then, is kept elsewhere ([`transfers`]).
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
        moved: false,
        left_seconds: None,
        zone: s.zone.clone(),
    })
}
