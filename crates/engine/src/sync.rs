//! Keeping up with the carriers: what they know of our cards is known here, no older than the operator wants it, for as few
//! requests as can be.
//!
//! Who acts: a worker, for every platform that is not switched off and that no person stands for; the operator by command. Promised:
//! each card's state, its data of every day once the day is over, and its billing month are read within their freshness as
//! far as the platform's budget goes, the cheapest call first and the stalest and most at risk first ([`kachi_domain::sync`]);
//! where the carrier tells what changed, every card is read once and from then on the changes are followed, a day being
//! followed until a walk began after its end. What is read is a reading: counts are kept with source, instant and what they count,
//! and a card stands as if somebody had asked for it ([`crate::told`]). A card that a platform does not tell of holds up no
//! other; it is asked for again later. Where a platform is rated by its counters, a day that is over comes as one record a card, by
//! the way that all records come ([`days`]). Why a card is stopped is learned with its state where that costs no request more; else when
//! nothing else is due, of some cards a day ([`reasons`]). Not promised: any freshness while the platform's budget is empty or it gives no answer.
//!
//! One worker at a time has a platform, under a lease that it keeps with everything it settles; each call is made with no
//! transaction open. Killed anywhere: the lease runs out, and another goes on with the same cards, or at the same page of the
//! feed. What was read twice is the same reading.

pub mod days;
mod reasons;
mod show;
mod stale;
mod voice;
mod walk;

pub use show::{Shown, show};
pub use stale::watch;

use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::upstream::{self, Purpose, Told};
use crate::{cards, told};
use kachi_domain::carrier::{Answer, Ask, Call, Capabilities, Card, Connector, Count, Cycle, Fact, Facts, Line};
use kachi_domain::rating::CardState;
use kachi_domain::sim::BaseState;
use kachi_domain::sync::{self, Feed, Known, Place, Risk, Step, What};
use kachi_domain::time::DEFAULT_ZONE;
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp, Zone};
use kachi_store::sync::{Asked, Candidate, SyncPlace};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

/// Requests that are planned at once.
const REQUESTS_AT_ONCE: u32 = 200;
/// Cards that are read one by one and settled together.
const READS_AT_ONCE: usize = 20;
/// Seconds until a card is asked for again that the carrier refuses to tell of.
const REFUSED_SECONDS: i64 = 86_400;
/// The same for one that got no answer, or a figure that says nothing new yet.
const AGAIN_SECONDS: i64 = 600;
/// Seconds until a platform is asked again that gave no answer.
const REST_SECONDS: i64 = 60;

/// Does what is due at a platform, some calls at once; the answer is how many requests were made. `token` must be new each time.
pub fn at(engine: &Engine, (platform, connector): (PlatformId, &dyn Connector), token: i64) -> Result<usize> {
    let (can, now) = (connector.capabilities(), engine.now());
    let catalogue = engine.catalogue()?;
    if can.by_hand || !catalogue.platform(platform).is_some_and(|p| p.sync) {
        return Ok(0);
    }
    if engine.store().look(|tx| tx.sync_place(platform).map_err(Fail::from))?.due_at > now {
        return Ok(0);
    }
    let (lease, seconds) = (format!("sync {platform}"), engine.settings().lease_seconds);
    let name = lease.clone();
    let row = engine.write(move |tx, _, how| {
        let taken = tx.take_lease(&name, token, how.now.plus(seconds), how.now)?;
        Ok(if taken { Some(tx.sync_place(platform)?) } else { None })
    })?;
    let Some(row) = row.filter(|row| row.due_at <= now) else { return Ok(0) };
    let speaking = HashSet::new();
    let mut work = Work { engine, platform, connector, can, lease, token, row, speaking, made: 0, lost: false, refused: false };
    work.run()?;
    let (lease, made) = (work.lease, work.made);
    engine.write(move |tx, _, _| Ok(tx.give_lease(&lease, token)?))?;
    Ok(made as usize)
}

/// Everything that is due at the platform is due now, whenever it was to be.
pub fn hurry(engine: &Engine, platform: PlatformId) -> Result<()> {
    engine.write(move |tx, _, how| {
        let row = tx.sync_place(platform)?;
        let walk_due = row.walk_due.map(|due| due.min(how.now));
        Ok(tx.put_sync_place(platform, &SyncPlace { due_at: Timestamp(0), walk_due, ..row })?)
    })
}

/// A platform at work.
struct Work<'e> {
    engine: &'e Engine,
    platform: PlatformId,
    connector: &'e dyn Connector,
    can: Capabilities,
    lease: String,
    token: i64,
    /// How far it is kept up with, as stored.
    row: SyncPlace,
    /// Cards with a voice package in use whose usage may be due.
    speaking: HashSet<String>,
    /// Requests made.
    made: u32,
    /// Another has the platform now: nothing more counts.
    lost: bool,
    /// The platform refused to be asked, which is told once.
    refused: bool,
}

/// Whether the work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    On,
    Rests,
}

/// Whether it says nothing of the card that was asked about, but of its platform.
fn is_silent(told: &Told<Line>) -> bool {
    matches!(told, Err(no) if !matches!(no, Answer::Refused { .. }))
}

/// Reads cards one after the other, up to the first that gets no answer.
fn one_by_one(
    connector: &dyn Connector,
    call: &Call<'_>,
    cards: &[Card],
    wanted: Facts,
) -> std::result::Result<Vec<Told<Line>>, Answer> {
    let mut told = Vec::with_capacity(cards.len());
    for card in cards {
        match connector.read(call, card, wanted) {
            Err(no @ Answer::NoLogin { .. }) => return Err(no),
            one => told.push(one),
        }
        if told.last().is_some_and(is_silent) {
            break;
        }
    }
    Ok(told)
}

impl Work<'_> {
    fn run(&mut self) -> Result<()> {
        let now = self.engine.now();
        let terms = self.engine.settings().sync;
        let feed = self.feed(now)?;
        let place = Place::new(now, self.can, feed, terms);
        let (known, found) = self.candidates(&place)?;
        let connector = self.connector;
        let steps = sync::plan(&place, &known, &|facts| connector.cost(facts), REQUESTS_AT_ONCE);
        if steps.is_empty() {
            let before = self.made;
            if self.reasons()? == Went::Rests || self.made > before || self.lost {
                return Ok(());
            }
            return self.rest(self.engine.settings().sync_every_seconds, String::new());
        }
        let mut reads: Vec<(Ask, Card)> = Vec::new();
        for step in steps {
            let went = match step {
                Step::Feed { pages } => self.walk(pages)?,
                Step::Read { ask, cards, .. } => {
                    let cards: Vec<Card> = cards.iter().filter_map(|c| found.get(c)).map(named).collect();
                    if self.in_batches(ask) {
                        self.batch(ask, &cards)?
                    } else {
                        reads.extend(cards.into_iter().map(|card| (ask, card)));
                        Went::On
                    }
                }
            };
            if went == Went::Rests || self.lost {
                return Ok(());
            }
        }
        for alike in reads.chunk_by(|a, b| a.0 == b.0) {
            for part in alike.chunks(self.at_once(sync::facts(alike[0].0))) {
                let cards: Vec<Card> = part.iter().map(|(_, card)| card.clone()).collect();
                if self.singly(part[0].0, &cards)? == Went::Rests || self.lost {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// How the feed of changes stands; every card is read once before it counts, and again when it was lost sight of.
    fn feed(&mut self, now: Timestamp) -> Result<Feed> {
        if !self.can.changes {
            return Ok(Feed::Absent);
        }
        if self.row.feed_day.is_some_and(|day| sync::lost_track(day, now)) {
            self.row = SyncPlace { due_at: self.row.due_at, ..SyncPlace::NEW };
        }
        let since = match (self.row.feed_day, self.row.filling_since) {
            (Some(_), _) => {
                let due = self.row.feed_page.is_some() || self.row.walk_due.is_none_or(|due| due <= now);
                return Ok(Feed::On { due });
            }
            (None, Some(since)) => since,
            (None, None) => {
                self.row.filling_since = Some(now);
                self.keep_row()?;
                now
            }
        };
        let (platform, what) = (self.platform, What::State.word());
        if self.engine.store().look(|tx| tx.has_unasked(platform, what, since).map_err(Fail::from))? {
            return Ok(Feed::Filling(since));
        }
        // What changed since the first card was read is in the feed of that day.
        self.row.feed_day = Some(china().day(since));
        self.keep_row()?;
        Ok(Feed::On { due: true })
    }

    /// Cards that may be due, as many as can be asked for at once.
    fn candidates(&mut self, place: &Place) -> Result<(Vec<Known>, HashMap<i64, Candidate>)> {
        let (mut known, mut found, now) = (Vec::new(), HashMap::new(), self.engine.now());
        let catalogue = self.engine.catalogue()?;
        let batches = self.can.batches;
        for (what, at_once) in [(What::State, batches.state), (What::Day, batches.day), (What::Month, batches.month)] {
            let Some(stale) = place.stale(what) else { continue };
            let limit = i64::from(REQUESTS_AT_ONCE) * i64::from(at_once.max(1));
            let (of, before) = ((self.platform, what.word()), (stale.as_of, stale.since));
            let rows = self.engine.store().look(|tx| tx.sync_candidates(of, before, now, limit).map_err(Fail::from))?;
            for row in rows {
                if what != What::State && voice::is_in_use(&row)? {
                    self.speaking.insert(row.iccid.clone());
                }
                known.push(Known {
                    card: row.sim,
                    what,
                    as_of: row.as_of.map(Timestamp),
                    held_until: None,
                    since: Timestamp(row.since),
                    risk: risk(&catalogue, &row, now)?,
                });
                found.insert(row.sim, row);
            }
        }
        Ok((known, found))
    }

    /// Cards that are read one by one together: as many as the platform's requests are enough for at once.
    fn at_once(&self, wanted: Facts) -> usize {
        let cost = i64::from(self.connector.cost(wanted.and(self.can.facts)).max(1));
        usize::try_from(self.can.pace.at_once(Purpose::Sync) / cost).unwrap_or(1).clamp(1, READS_AT_ONCE)
    }

    fn in_batches(&self, ask: Ask) -> bool {
        0 < match ask {
            Ask::State => self.can.batches.state,
            Ask::Day(_) => self.can.batches.day,
            Ask::Month(_) => self.can.batches.month,
        }
    }

    /// One question to the platform, with no transaction open.
    fn ask<T>(&mut self, requests: u32, question: &dyn Fn(&Call<'_>) -> Told<T>) -> Result<Told<T>> {
        let made = Cell::new(0);
        let counted = |call: &Call<'_>| {
            let told = question(call);
            made.set(made.get() + call.requests());
            told
        };
        let at = (self.platform, self.connector);
        let told = upstream::ask_costing(self.engine, at, (Purpose::Sync, requests), &counted)?;
        self.made += made.get();
        Ok(told)
    }

    /// Asks one thing of many cards at once.
    fn batch(&mut self, ask: Ask, cards: &[Card]) -> Result<Went> {
        let (connector, before, asked_at) = (self.connector, self.made, self.engine.now());
        let told = match self.ask(1, &|call| connector.read_many(call, cards, ask))? {
            // The platform takes no such question, or none of these cards: each is as if it had been refused.
            Err(refused @ Answer::Refused { .. }) => {
                if !std::mem::replace(&mut self.refused, true) {
                    let (catalogue, first) = (self.engine.catalogue_last(), cards.first().map_or("", |c| &c.iccid));
                    let platform = catalogue.platform_code(self.platform);
                    tracing::warn!(platform, %ask, first, reason = %refused, "the platform refuses to be asked this of its cards");
                }
                vec![Err(refused); cards.len()]
            }
            Err(other) => return self.no_answer(other),
            Ok(told) => told,
        };
        let mute = voice::mute(cards, &told);
        match self.settle((ask, asked_at), cards, told, self.made - before)? {
            Went::On if !self.lost => self.voices(ask, &mute),
            went => Ok(went),
        }
    }

    /// What is read of a card: what is asked, and what comes with it for nothing.
    fn wanted(&self, ask: Ask) -> Facts {
        let wanted = sync::facts(ask).and(self.can.facts);
        let more = wanted.or(Facts::of(&[Fact::StopReason]).and(self.can.facts));
        let is_free = ask == Ask::State && self.connector.cost(more) == self.connector.cost(wanted);
        if is_free { more } else { wanted }
    }

    /// Asks cards one by one, and stops at the first that gets no answer.
    fn singly(&mut self, ask: Ask, cards: &[Card]) -> Result<Went> {
        let (connector, before, wanted) = (self.connector, self.made, self.wanted(ask));
        let asked_at = self.engine.now();
        let requests = connector.cost(wanted).saturating_mul(u32::try_from(cards.len()).unwrap_or(u32::MAX));
        let told = self.ask(requests, &|call| one_by_one(connector, call, cards, wanted))?;
        let told = match told {
            Err(no) => return self.no_answer(no),
            Ok(told) => told,
        };
        let silent = told.last().filter(|last| is_silent(last)).and_then(|last| last.as_ref().err()).cloned();
        let asked = &cards[..told.len()];
        let went = self.settle((ask, asked_at), asked, told, self.made - before)?;
        match silent {
            // The card waits for itself, so that it is not the first one for ever; and the platform, which may be in trouble, rests.
            Some(no) if went == Went::On && !self.lost => self.no_answer(no),
            _ => Ok(went),
        }
    }

    /// Keeps what was told of each card, under the lease.
    fn settle(
        &mut self,
        (ask, asked_at): (Ask, Timestamp),
        cards: &[Card],
        told: Vec<Told<Line>>,
        requests: u32,
    ) -> Result<Went> {
        if let Ask::Day(day) = ask {
            days::rate(self.engine, self.platform, day, cards, &told)?;
        }
        let read: HashMap<String, Told<Line>> = cards.iter().map(|c| c.iccid.clone()).zip(told).collect();
        let (platform, what) = (self.platform, what(ask));
        self.under_lease(move |tx, catalogue, how| {
            let iccids: Vec<&str> = read.keys().map(String::as_str).collect();
            let mut sims = tx.sims_by_iccid(&kachi_domain::account::Path::root(), &iccids)?;
            sims.sort_unstable_by_key(|s| s.id);
            let cycle = told::cycle(catalogue, platform);
            let (mut asked, mut counts) = (Vec::with_capacity(sims.len()), Vec::new());
            let lines = sims.iter().filter_map(|s| Some((s.id, read.get(&s.iccid)?.as_ref().ok()?)));
            let lines: Vec<(SimId, &Line)> = lines.filter(|_| ask == Ask::State).collect();
            let outdated = told::stand(tx, catalogue, how, &lines, asked_at)?;
            let untold = Ok(Line::default());
            for sim in &sims {
                let Some(told) = read.get(&sim.iccid) else { continue };
                if let Ok(line) = told {
                    counts.extend(Count::all(cycle, line).into_iter().map(|count| (sim.id, sim.account, count)));
                    told::spoke(tx, catalogue, how, sim.id, line)?;
                }
                let told = if outdated.contains(&sim.id) { &untold } else { told };
                asked.push(noted((ask, cycle), sim.id, told, how.now));
            }
            told::counts(tx, platform, &counts, how.now)?;
            tx.note_asked(platform, what.word(), &asked, how.now)?;
            tx.add_sync_calls(platform, china().day(how.now), what.word(), i64::from(requests))?;
            Ok(())
        })
    }

    /// Writes in one transaction, if the platform is still ours.
    fn under_lease(
        &mut self,
        f: impl FnOnce(&mut kachi_store::Tx<'_>, &Catalogue, &cards::Settling) -> Result<()> + Send + 'static,
    ) -> Result<Went> {
        let (lease, token, seconds) = (self.lease.clone(), self.token, self.engine.settings().lease_seconds);
        let kept = self.engine.write(move |tx, catalogue, how| {
            if !tx.keep_lease(&lease, token, how.now.plus(seconds))? {
                return Ok(false); // whoever has had it since decides
            }
            f(tx, catalogue, how)?;
            Ok(true)
        })?;
        self.lost |= !kept;
        Ok(if kept { Went::On } else { Went::Rests })
    }

    fn keep_row(&mut self) -> Result<Went> {
        let (platform, row) = (self.platform, self.row.clone());
        self.under_lease(move |tx, _, _| Ok(tx.put_sync_place(platform, &row)?))
    }

    /// The platform is let alone for a while.
    fn rest(&mut self, seconds: i64, words: String) -> Result<()> {
        self.row.due_at = self.engine.now().plus(seconds);
        self.row.words = words;
        self.keep_row()?;
        Ok(())
    }

    /// It gave no answer, or has no budget left: it says when to come again, or we do.
    fn no_answer(&mut self, answer: Answer) -> Result<Went> {
        let (seconds, words) = match answer {
            Answer::Later { seconds, reason } => (seconds.clamp(1, REFUSED_SECONDS), reason),
            Answer::Refused { code, reason } => (AGAIN_SECONDS, format!("{code} {reason}")),
            Answer::InDoubt { reason } | Answer::NoLogin { reason } => (REST_SECONDS, reason),
            other => (REST_SECONDS, format!("{other:?}")),
        };
        self.rest(seconds, words)?;
        Ok(Went::Rests)
    }
}

fn what(ask: Ask) -> What {
    match ask {
        Ask::State => What::State,
        Ask::Day(_) => What::Day,
        Ask::Month(_) => What::Month,
    }
}

fn named(c: &Candidate) -> Card {
    Card { iccid: c.iccid.clone(), msisdn: c.msisdn.clone() }
}

/// What is noted of a card that was asked for. A day or a month that is over is known as of what was told; a state and a
/// running month as of now, however old the carrier's figure is: it has no newer one.
fn noted((ask, cycle): (Ask, Cycle), sim: SimId, told: &Told<Line>, now: Timestamp) -> Asked {
    let again = |seconds: i64| Some(now.plus(seconds).0);
    let (as_of, held_until, words) = match told {
        Ok(line) => {
            let month = line.month.map(|m| m.counter);
            let (as_of, until) = match ask {
                Ask::State => (line.standing.as_ref().map(|_| now), now),
                Ask::Day(day) => (line.day.map(|d| d.counter.as_of), china().start_of_day(day + 1)),
                Ask::Month(over) if over < cycle.month(china().day(now)) => (month.map(|m| m.as_of), cycle.start(over.after())),
                Ask::Month(_) => (month.or(line.counter).map(|_| now), now),
            };
            let whole = as_of.is_some_and(|at| at >= until);
            (as_of.map(|at| at.0), again(AGAIN_SECONDS).filter(|_| !whole), String::new())
        }
        Err(Answer::Refused { code, reason }) => (None, again(REFUSED_SECONDS), format!("{code} {reason}")),
        Err(Answer::Later { seconds, reason }) => (None, again((*seconds).clamp(REST_SECONDS, REFUSED_SECONDS)), reason.clone()),
        Err(Answer::InDoubt { reason } | Answer::NoLogin { reason }) => (None, again(AGAIN_SECONDS), reason.clone()),
        Err(other) => (None, again(AGAIN_SECONDS), format!("{other:?}")),
    };
    Asked { sim: sim.0, as_of, held_until, words }
}

/// A platform's words for what it does not tell.
fn noted_no(no: &Answer) -> String {
    match no {
        Answer::Refused { code, reason } => format!("{code} {reason}"),
        Answer::Later { reason, .. } | Answer::InDoubt { reason } | Answer::NoLogin { reason } => reason.clone(),
        other => format!("{other:?}"),
    }
}

/// What hangs on knowing a card's figures, by its packages as they were after its last input.
fn risk(catalogue: &Catalogue, card: &Candidate, now: Timestamp) -> Result<Risk> {
    if card.state != BaseState::Active.word() || card.head.is_empty() {
        return Ok(Risk::of(card.state == BaseState::Active.word(), None, None));
    }
    let state: CardState = cards::decode(&card.head)?;
    let allowances = state
        .live
        .iter()
        .filter(|l| l.takes_bytes() && l.terms.is_limited())
        .fold(0_i64, |sum, l| sum.saturating_add(l.terms.allowance));
    let left = (allowances > 0).then(|| i128::from(state.remaining_bytes()) * 1_000 / i128::from(allowances));
    let ends = state.expected_end(catalogue.zone(AccountId(card.account)));
    Ok(Risk::of(true, left.and_then(|l| i64::try_from(l).ok()), ends.map(|end| end.since(now))))
}

/// How a platform's feed stood at an instant, by what is stored of it.
fn feed_of(row: &SyncPlace, can: Capabilities, at: Timestamp) -> Feed {
    match (can.changes, row.feed_day, row.filling_since) {
        (false, ..) => Feed::Absent,
        (true, Some(_), _) => Feed::On { due: row.walk_due.is_some_and(|due| due <= at) },
        (true, None, since) => Feed::Filling(since.map_or(at, |since| Timestamp(since.0.min(at.0)))),
    }
}

/// The zone in which carriers count days.
fn china() -> Zone {
    Zone::find(DEFAULT_ZONE).expect("it is compiled in")
}
