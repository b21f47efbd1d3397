//! Rating what is loaded: card by card, each card's state and days written once.

use super::racing;
use super::spill::{Spill, Walk};
use crate::cards::{self, Settle, Settling};
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::{imei, pools};
use kachi_domain::imei::Sighting;
use kachi_domain::rating::{Input, Usage};
use kachi_domain::{AccountId, SimId, Timestamp};
use kachi_store::files::CdrFile;
use kachi_store::rating_lanes::RatingLane;
use kachi_store::readings::Reading;
use kachi_store::states::{DayRow, StateRow};
use kachi_store::{Store, Tx};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// A reading as the rating needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The card.
    pub sim: i64,
    /// Who owned it.
    pub account: i64,
    /// When the session part ended; the instant at which it counts.
    pub stop: i64,
    /// When it began.
    pub start: i64,
    /// The source's own id.
    pub source_id: i64,
    /// Bytes.
    pub bytes: i64,
    /// Device identity seen, digits; 0 where absent.
    pub imei: i64,
}

impl Fact {
    /// By this they are rated: card by card, and of a card in the order of time.
    fn place(&self) -> (i64, i64, i64, i64) {
        (self.sim, self.stop, self.start, self.source_id)
    }

    fn sighting(&self) -> Sighting {
        Sighting { at: Timestamp(self.stop), imei: self.imei }
    }
}

impl Fact {
    /// As an input of a fold.
    pub fn usage(&self) -> Usage {
        Usage { stop: Timestamp(self.stop), start: Timestamp(self.start), source_id: self.source_id, bytes: self.bytes }
    }

    /// Of a reading.
    pub fn of(r: &Reading) -> Fact {
        let Reading { sim, account, stop, start, source_id, bytes, imei, .. } = *r;
        Fact { sim, account, stop, start, source_id, bytes, imei }
    }
}

/// Readings of an earlier run looked up at once.
const FOUND_AT_ONCE: i64 = 20_000;

/// Puts what is loaded of the file and not rated into the spill; the answer is the lanes in which its rating had begun.
pub fn find_waiting(store: &Store, file: i64, spill: &mut Spill) -> Result<Vec<RatingLane>> {
    let lanes = store.look(|tx| tx.rating_lanes(file).map_err(Fail::from))?;
    for mut batch in store.look(|tx| tx.unrated_batches(file).map_err(Fail::from))? {
        loop {
            let found = store.look(|tx| tx.waiting_readings(&mut batch, FOUND_AT_ONCE).map_err(Fail::from))?;
            if found.is_empty() {
                break;
            }
            let waiting = found.iter().filter(|r| !lanes.iter().any(|lane| lane.has_rated(r.sim)));
            spill.extend(&waiting.map(Fact::of).collect::<Vec<_>>())?;
        }
    }
    Ok(lanes)
}

/// Lanes in which a file is rated, where the engine can write as much at once.
const LANES: usize = 2;

/// Rates all that waits, some cards a transaction, in as many lanes as the engine can write at once, and closes the file's batches.
/// `begun` are the lanes in which an earlier run had begun.
pub fn rate_waiting(engine: &Engine, mark: &mut CdrFile, spill: &mut Spill, begun: Vec<RatingLane>) -> Result<()> {
    let lanes = begin(engine, mark, spill, begun)?;
    let ends = lanes.iter().skip(1).map(|next| next.from_sim).chain([i64::MAX]);
    let ways: Vec<(RatingLane, Walk)> = lanes.iter().zip(ends).map(|(l, end)| (*l, spill.walk(l.rated_sim, end))).collect();
    let (shared, failed) = (&Mutex::new(&mut *spill), &AtomicBool::new(false));
    std::thread::scope(|scope| {
        let at_work: Vec<_> =
            ways.into_iter().map(|(lane, walk)| scope.spawn(move || rate_lane(engine, lane, walk, shared, failed))).collect();
        let ended = at_work.into_iter().map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect::<Result<()>>()
    })?;
    spill.clear();
    let before = mark.clone();
    *mark = engine.write(move |tx, _, how| {
        let row = locked(tx, &before)?;
        tx.close_batches(row.id, how.now)?;
        Ok(CdrFile { rounds: row.rounds + 1, ..row })
    })?;
    Ok(())
}

/// The file's lanes: those in which an earlier run had begun, or new ones. Who goes on with lanes takes all of them, so that of two who
/// do one is left; lanes that moved since they were seen are another's.
fn begin(engine: &Engine, mark: &mut CdrFile, spill: &Spill, begun: Vec<RatingLane>) -> Result<Vec<RatingLane>> {
    let (before, from_sims) = (mark.clone(), spill.lanes(LANES.min(engine.store().writers())));
    let (row, lanes) = engine.write(move |tx, _, how| {
        let row = locked(tx, &before)?;
        let lanes = match begun.as_slice() {
            [] => tx.open_rating_lanes(row.id, &from_sims, how.now)?,
            _ => tx.take_rating_lanes(row.id, how.now)?,
        };
        let marks = |lanes: &[RatingLane]| lanes.iter().map(|l| (l.from_sim, l.rated_sim)).collect::<Vec<_>>();
        if !begun.is_empty() && marks(&lanes) != marks(&begun) {
            return Err(Fail::InHand { file: row.id });
        }
        Ok((CdrFile { rounds: row.rounds + 1, ..row }, lanes))
    })?;
    *mark = row;
    Ok(lanes)
}

/// Rates the cards of a lane. While a part is rated the next is read and put in order. Cards of other lanes are met only
/// through what cards share (a pool, say), whose locks are taken before what they guard is read, as by any other writer.
fn rate_lane(
    engine: &Engine,
    mut lane: RatingLane,
    mut walk: Walk,
    spill: &Mutex<&mut Spill>,
    failed: &AtomicBool,
) -> Result<()> {
    let rated = std::thread::scope(|scope| {
        let (next, parts) = mpsc::sync_channel(0);
        scope.spawn(move || {
            while let Some(part) = next_part(spill, &mut walk).transpose() {
                if next.send(part).is_err() {
                    return; // what was rated last failed
                }
            }
        });
        for part in parts {
            if failed.load(Ordering::Relaxed) {
                return Ok(()); // another lane tells why
            }
            let (up_to, facts) = part?;
            racing(|| {
                let facts = facts.clone();
                engine.write(move |tx, catalogue, how| {
                    if !tx.rate_up_to(lane, up_to, how.now)? {
                        return Err(Fail::InHand { file: lane.file });
                    }
                    rate(tx, catalogue, how, &mut facts.to_vec())
                })
            })?;
            lane.rated_sim = up_to;
        }
        Ok(())
    });
    failed.fetch_or(rated.is_err(), Ordering::Relaxed);
    rated
}

/// The next facts on the way in the order in which they are rated, and up to which card they are.
fn next_part(spill: &Mutex<&mut Spill>, walk: &mut Walk) -> Result<Option<(i64, Arc<Vec<Fact>>)>> {
    let found = spill.lock().map_err(|_| fault("another lane's reader panicked"))?.next(walk)?;
    Ok(found.map(|(up_to, mut facts)| {
        facts.sort_unstable_by_key(Fact::place);
        (up_to, Arc::new(facts))
    }))
}

/// The file is loaded and rated to its end.
pub fn end(engine: &Engine, mark: &CdrFile) -> Result<CdrFile> {
    let mark = mark.clone();
    engine.write(move |tx, _, how| {
        let row = CdrFile { done: true, ..locked(tx, &mark)? };
        tx.advance_file(&row, how.now)?;
        Ok(row)
    })
}

/// The file's row, if no other worker moved it.
fn locked(tx: &mut Tx<'_>, mark: &CdrFile) -> Result<CdrFile> {
    let row = tx.file_locked(mark.id)?;
    if row == *mark { Ok(row) } else { Err(Fail::InHand { file: mark.id }) }
}

/// States read, settled and written together; bounds memory.
const STATES_AT_ONCE: usize = 4_000;

/// Rates facts: first in the pools of their cards, then card by card, each card's state written once; holds cards in IMEI
/// groups to them; then adds the days.
pub fn rate(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, facts: &mut [Fact]) -> Result<()> {
    facts.sort_unstable_by_key(Fact::place);
    let pooled = pools::rate(tx, catalogue, how, facts)?;
    let mut inputs = Vec::new();
    for group in touched(facts, &pooled).chunks(STATES_AT_ONCE) {
        let ids: Vec<i64> = group.iter().map(|(sim, _)| *sim).collect();
        let mut rows = tx.states(&ids)?;
        let mut days = Vec::with_capacity(group.len());
        let mut watched = Vec::new();
        let mut settle = Settle::default();
        settle.expect_late(late(&rows, group, &pooled)?);
        for (row, (sim, of_card)) in rows.iter_mut().zip(group) {
            debug_assert_eq!(row.sim.0, *sim);
            let news = pooled.news.get(sim);
            inputs.clear();
            inputs.extend(of_card.iter().map(|f| Input::Usage(Usage { bytes: f.bytes - pooled.paid(f), ..f.usage() })));
            if let Some(news) = news {
                inputs.extend(news.stands.iter().cloned());
                inputs.sort_by_key(Input::position);
            }
            if let Some(latest) = of_card.last().map(|f| f.stop) {
                pooled.check(SimId(*sim), row.pool_moves)?;
                row.as_of = Some(row.as_of.map_or(latest, |a| a.max(latest)));
                add_days(catalogue, of_card, &mut days);
            }
            // Before the fold, whose warnings name the device.
            let seen = of_card.iter().map(Fact::sighting).filter(|s| s.imei != 0);
            row.seen = seen.clone().fold(row.seen, Sighting::max);
            settle.fold_told(tx, catalogue, how, row, &inputs, news.and_then(|n| n.retell))?;
            if row.imei_group.is_some() {
                watched.push((row.sim, seen.collect()));
            }
        }
        if rows.len() != group.len() {
            return Err(fault("a card without a state row"));
        }
        settle.finish(tx, catalogue, how)?;
        imei::watch(tx, catalogue, how, &watched)?;
        tx.put_states(&rows)?;
        tx.add_days(&days)?;
        let used: Vec<i64> = group.iter().filter(|(_, of_card)| !of_card.is_empty()).map(|(sim, _)| *sim).collect();
        cards::connected(tx, catalogue, how, &used)?;
    }
    Ok(())
}

/// Those of the cards for which something is late.
fn late(rows: &[StateRow], group: &[(i64, &[Fact])], pooled: &pools::Rated) -> Result<Vec<i64>> {
    let mut late = Vec::new();
    for (row, (sim, of_card)) in rows.iter().zip(group) {
        let news = pooled.news.get(sim);
        let stands = news.iter().flat_map(|n| &n.stands).map(Input::position);
        let first = of_card.first().map(|f| Input::Usage(f.usage()).position()).into_iter().chain(stands).min();
        if news.is_some_and(|n| n.retell.is_some()) || cards::is_late(row, first)? {
            late.push(*sim);
        }
    }
    Ok(late)
}

/// The cards that something happened to, by number, each with its facts: none where only its pool has news for it.
fn touched<'f>(facts: &'f [Fact], pooled: &pools::Rated) -> Vec<(i64, &'f [Fact])> {
    let mut cards: Vec<(i64, &[Fact])> = facts.chunk_by(|a, b| a.sim == b.sim).map(|of_card| (of_card[0].sim, of_card)).collect();
    let with_facts = cards.len();
    for sim in pooled.news.keys() {
        if cards[..with_facts].binary_search_by_key(sim, |c| c.0).is_err() {
            cards.push((*sim, &[]));
        }
    }
    cards.sort_unstable_by_key(|c| c.0);
    cards
}

/// The days of a card's facts, each in the zone of the account that owned the card then.
fn add_days(catalogue: &Catalogue, of_card: &[Fact], days: &mut Vec<DayRow>) {
    let mut of = (of_card[0].account, catalogue.zone(AccountId(of_card[0].account)));
    for f in of_card {
        if f.account != of.0 {
            of = (f.account, catalogue.zone(AccountId(f.account)));
        }
        let day = of.1.day(Timestamp(f.stop));
        let mut of_day = days.iter_mut().rev().take_while(|d| d.0 == f.sim && d.1 == day);
        match of_day.find(|d| d.2 == f.account) {
            Some(d) => {
                d.3 += f.bytes;
                d.4 += 1;
                d.5 = d.5.max(f.stop);
            }
            None => days.push((f.sim, day, f.account, f.bytes, 1, f.stop)),
        }
    }
}
