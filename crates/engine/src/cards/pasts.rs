//! The pasts of cards that are told again.
//!
//! A late record makes its card's history anew. Its readings are found by card where the log is indexed by it; what came in since then is
//! looked through, so many late cards of one file share a look. Promised: what is read is the same, asked for alone or together.

use super::decode;
use crate::error::{Result, fault};
use kachi_domain::rating::{CardState, Position};
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::{SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::readings::Rated;
use kachi_store::states::StateRow;
use std::collections::HashMap;

/// Pasts of [`DAYS`] read together, fewer of longer ones; bounds memory.
const AT_ONCE: usize = 128;
/// Days with records that lie before what a late record changes, as a rule (`usage.late_days`).
const DAYS: usize = 40;
/// Days by which the beginnings of pasts that are read together lie apart at most.
const APART_DAYS: i64 = 31;

/// What a card's history is told again from.
pub(super) struct Past {
    /// The kept state.
    pub base: CardState,
    /// The readings since the day of its last input, at least.
    pub readings: Vec<Rated>,
}

/// Pasts that are wanted soon.
#[derive(Default)]
pub(super) struct Pasts {
    /// Cards that will be told again, by number.
    expected: Vec<i64>,
    read: HashMap<i64, Past>,
}

impl Pasts {
    /// These cards, sorted by number, will be told again.
    pub fn expect(&mut self, sims: Vec<i64>) {
        debug_assert!(sims.is_sorted());
        self.expected = sims;
        self.read.clear();
    }

    /// The past of a card; with it those of the next that are expected are read.
    pub fn take(&mut self, tx: &mut Tx<'_>, sim: SimId, now: Timestamp) -> Result<Past> {
        if !self.read.contains_key(&sim.0) {
            let from = self.expected.partition_point(|other| *other < sim.0);
            let is_expected = self.expected.get(from) == Some(&sim.0);
            let next = self.expected[from..].iter().copied().filter(|next| !self.read.contains_key(next));
            let ids: Vec<i64> = if is_expected { next.take(AT_ONCE).collect() } else { vec![sim.0] };
            self.read.extend(read(tx, &ids, now)?);
        }
        self.read.remove(&sim.0).ok_or_else(|| fault(format!("card {sim} has no state row")))
    }
}

/// Whether what begins there is late for the card: something that comes after it was folded before.
pub(crate) fn is_late(row: &StateRow, first: Option<Position>) -> Result<bool> {
    let Some(first) = first.filter(|_| !row.head.is_empty()) else { return Ok(false) };
    let last = CardState::last_in(&row.head).map_err(|e| fault(format!("a stored card state does not read: {e}")))?;
    Ok(last.is_some_and(|last| first <= last))
}

/// The past of the first of these cards, and of those others that are about as long.
fn read(tx: &mut Tx<'_>, ids: &[i64], now: Timestamp) -> Result<HashMap<i64, Past>> {
    let mut bases = Vec::with_capacity(ids.len());
    for (sim, base) in tx.state_bases(ids)? {
        let base = decode(&base)?;
        bases.push((sim, first_day(&base), base));
    }
    let wanted = bases.iter().find(|(sim, ..)| *sim == ids[0]).map_or(i64::MIN, |(_, day, _)| *day);
    let first = wanted.saturating_sub(APART_DAYS);
    bases.retain(|(_, day, _)| (first..=wanted.saturating_add(APART_DAYS)).contains(day));
    bases.sort_by_key(|(sim, ..)| *sim);
    let days = tx.days_with_readings(first, last_day(now))?.len().max(DAYS);
    bases.truncate((AT_ONCE * DAYS / days).max(1));
    let ids: Vec<i64> = bases.iter().map(|(sim, ..)| *sim).collect();
    let mut pasts: HashMap<i64, Past> =
        bases.into_iter().map(|(sim, _, base)| (sim, Past { base, readings: Vec::new() })).collect();
    for reading in tx.readings_of_sims(&ids, first, last_day(now))? {
        if let Some(past) = pasts.get_mut(&reading.0) {
            past.readings.push(reading);
        }
    }
    Ok(pasts)
}

/// A card's readings from the day of the state's last input on.
pub(super) fn readings_since(tx: &mut Tx<'_>, sim: SimId, base: &CardState, now: Timestamp) -> Result<Vec<Rated>> {
    Ok(tx.readings_of_sims(&[sim.0], first_day(base), last_day(now))?)
}

fn first_day(base: &CardState) -> i64 {
    base.last.map_or(i64::MIN / DAY_SECONDS, |p| p.0.0.div_euclid(DAY_SECONDS))
}

/// A record may be a little ahead.
fn last_day(now: Timestamp) -> i64 {
    now.0.div_euclid(DAY_SECONDS) + 1
}
