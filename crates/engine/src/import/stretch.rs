//! One stretch of a CDR file, loaded in one transaction.
//!
//! The steps, in order: look up cards, sort fates, drop duplicates inside the stretch, load, (only if the load met
//! known keys: tell duplicates from conflicts, load the rest), rate at once if the file ends here, move the mark.

use super::racing;
use super::rate::{self, Fact};
use crate::cards::Settling;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use kachi_domain::cdr::{Line, Position, RawRecord};
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::usage::{AHEAD_SECONDS_MAX, Fate, admission};
use kachi_domain::{Iccid, PlatformId, SimId, Timestamp};
use kachi_store::files::{Aside, CdrFile};
pub use kachi_store::readings::Rating;
use kachi_store::readings::Reading;
use kachi_store::{Store, Tx};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A record with its line, before its card is known.
pub struct Pending {
    pub line: i64,
    pub iccid: CardNumber,
    pub reading: Reading,
    /// The card had another owner before.
    pub moved: bool,
}

impl Pending {
    /// The card is known.
    pub fn is_of(&mut self, card: Card) {
        (self.reading.sim, self.reading.account, self.moved) = (card.sim, card.account, card.moved);
    }
}

/// A card that is known: its number, whose it is, and whether it had another owner before.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    pub sim: i64,
    pub account: i64,
    pub moved: bool,
}

/// An ICCID without an allocation: at most 22 characters.
pub type CardNumber = [u8; 22];

fn card_number(text: &str) -> CardNumber {
    let mut number = [0; 22];
    let n = text.len().min(22);
    number[..n].copy_from_slice(&text.as_bytes()[..n]);
    number
}

fn card_text(number: &CardNumber) -> &str {
    let n = number.iter().position(|b| *b == 0).unwrap_or(22);
    std::str::from_utf8(&number[..n]).unwrap_or_default()
}

/// Cards looked up before, in 25 bytes each: files name the same cards again and again.
#[derive(Default)]
pub struct Known {
    cards: HashMap<[u32; 3], ([u32; 2], u32)>,
    /// Accounts by the place that the cards hold, each with whether the cards there had another before.
    accounts: Vec<(i64, bool)>,
    /// Cards of this stretch that did not fit.
    beyond: HashMap<[u32; 3], Card>,
}

/// Cards remembered between stretches.
const KNOWN_MAX: usize = 1_800_000;

impl Known {
    fn get(&self, number: &CardNumber) -> Option<Card> {
        let key = packed(number);
        let kept = self.cards.get(&key).map(|([high, low], place)| {
            let (account, moved) = self.accounts[*place as usize];
            Card { sim: ((u64::from(*high) << 32) | u64::from(*low)).cast_signed(), account, moved }
        });
        kept.or_else(|| self.beyond.get(&key).copied())
    }

    fn add(&mut self, number: &CardNumber, card: Card) {
        let key = packed(number);
        if self.cards.len() >= KNOWN_MAX {
            self.beyond.insert(key, card);
            return;
        }
        let of = (card.account, card.moved);
        let place = self.accounts.iter().position(|a| *a == of).unwrap_or_else(|| {
            self.accounts.push(of);
            self.accounts.len() - 1
        });
        let sim = card.sim.cast_unsigned();
        self.cards.insert(key, ([(sim >> 32) as u32, sim as u32], place as u32));
    }
}

/// An ICCID, at most 22 hexadecimal digits, with its length.
fn packed(number: &CardNumber) -> [u32; 3] {
    let text = card_text(number);
    let digits = u128::from_str_radix(text, 16).unwrap_or(0) | ((text.len() as u128) << 88);
    [(digits >> 64) as u32, (digits >> 32) as u32, digits as u32]
}

/// One stretch of a file.
#[derive(Default)]
pub struct Stretch {
    records: Vec<Pending>,
    asides: Vec<Aside>,
}

impl Stretch {
    /// Lines in it.
    pub fn len(&self) -> usize {
        self.records.len() + self.asides.len()
    }

    /// Adds a line.
    pub fn take(&mut self, line: Line<'_>, platform: PlatformId) {
        match line {
            Line::Record(raw) => self.records.push(pending(&raw, platform)),
            Line::Bad(bad) => self.asides.push(Aside {
                line: bad.line as i64,
                fate: Fate::Bad.word(),
                reason: bad.reason,
                iccid: None,
                source_id: None,
                bytes: None,
                text: bad.text,
                due_at: None,
            }),
            Line::Skip => {}
        }
    }
}

/// A record with its key and content, its card not known yet.
pub fn pending(raw: &RawRecord<'_>, platform: PlatformId) -> Pending {
    Pending {
        line: raw.line as i64,
        iccid: card_number(&raw.iccid()),
        reading: Reading {
            day: raw.stop.0.div_euclid(DAY_SECONDS),
            platform: platform.0,
            source_id: raw.source_id,
            account: 0,
            sim: 0,
            start: raw.start.0,
            stop: raw.stop.0,
            bytes: raw.bytes,
            imsi: raw.imsi,
            imei: raw.imei,
            mccmnc: raw.mccmnc,
            batch: 0,
        },
        moved: false,
    }
}

impl Pending {
    fn aside(&self, fate: Fate, reason: String) -> Aside {
        Aside {
            line: self.line,
            fate: fate.word(),
            reason,
            iccid: Some(card_text(&self.iccid).to_owned()),
            source_id: Some(self.reading.source_id),
            bytes: Some(self.reading.bytes),
            text: self.text(),
            due_at: (fate == Fate::Ahead).then(|| self.reading.stop - AHEAD_SECONDS_MAX),
        }
    }

    /// The record as a line of the standard form, so that it can be read again later.
    fn text(&self) -> String {
        let r = &self.reading;
        let Ok(iccid) = Iccid::parse(card_text(&self.iccid)) else { return String::new() };
        let record = kachi_domain::usage::CdrRecord {
            source_id: r.source_id,
            start: Timestamp(r.start),
            stop: Timestamp(r.stop),
            iccid,
            imsi: r.imsi,
            bytes: r.bytes,
            imei: r.imei,
            mccmnc: r.mccmnc,
        };
        let mut out = Vec::new();
        kachi_domain::cdr::write_record(&mut out, &record);
        String::from_utf8_lossy(&out).trim_end().to_owned()
    }
}

/// Loads a stretch, and rates it too if told so; the answer is the file's new mark and what waits for its rating.
pub fn commit(
    engine: &Engine,
    platform: PlatformId,
    mark: &CdrFile,
    stretch: Stretch,
    (position, ended): (Position, bool),
    rating: Rating,
    known: &mut Known,
) -> Result<(CdrFile, Vec<Fact>)> {
    let work = Arc::new(part_unknown(engine.store(), platform, stretch, known)?);
    racing(|| {
        let (work, mark) = (work.clone(), mark.clone());
        engine.write(move |tx, catalogue, how| {
            let row = tx.file_locked(mark.id)?;
            // Whatever another worker moved since: what was found waiting before is not what waits now.
            if row != mark || row.done {
                return Err(Fail::InHand { file: mark.id });
            }
            let mut batch = Batch { tx, how, platform, file: mark.id, asides: work.asides.clone(), done: CdrFile::default() };
            let new = batch.take(&work.records, &work.unknown, rating)?;
            let done = batch.finish()?;
            let mut facts: Vec<Fact> = new.iter().map(Fact::of).collect();
            if rating == Rating::Now {
                rate::rate(tx, catalogue, how, &mut facts)?;
                facts.clear();
            }
            let row = CdrFile {
                done: ended && rating == Rating::Now,
                offset_bytes: position.offset as i64,
                lines: position.line as i64,
                loaded: row.loaded + done.loaded,
                duplicate: row.duplicate + done.duplicate,
                orphan: row.orphan + done.orphan,
                bad: row.bad + done.bad,
                ..row
            };
            tx.advance_file(&row, how.now)?;
            Ok((row, facts))
        })
    })
}

/// A stretch whose cards are looked up.
struct Work {
    records: Vec<Pending>,
    unknown: Vec<Pending>,
    asides: Vec<Aside>,
}

fn part_unknown(store: &Store, platform: PlatformId, stretch: Stretch, known: &mut Known) -> Result<Work> {
    look_up(store, platform, &stretch.records, known)?;
    let Stretch { mut records, asides } = stretch;
    let mut unknown = Vec::new();
    records.retain_mut(|p| match known.get(&p.iccid) {
        Some(card) => {
            p.is_of(card);
            true
        }
        None => {
            unknown.push(Pending { ..*p });
            false
        }
    });
    Ok(Work { records, unknown, asides })
}

/// Finds the cards of a stretch that are not remembered yet. A card of another platform is not known here: its own platform
/// tells what it uses, and two that told the same would be read twice.
fn look_up(store: &Store, platform: PlatformId, records: &[Pending], known: &mut Known) -> Result<()> {
    known.beyond.clear();
    let mut wanted: Vec<CardNumber> = records.iter().map(|p| p.iccid).filter(|n| known.get(n).is_none()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let texts: Vec<&str> = wanted.iter().map(card_text).collect();
    for (iccid, sim, account, moved) in store.look(|tx| tx.sims_of_platform(platform, &texts).map_err(Fail::from))? {
        known.add(&card_number(&iccid), Card { sim, account, moved });
    }
    Ok(())
}

/// Why a record is an orphan, and what is to be done.
const NO_CARD: &str = "no such card on this platform: add it, or take the file in for the platform where it lives";

/// The work of one stretch inside its transaction.
pub struct Batch<'a, 'c> {
    tx: &'a mut Tx<'c>,
    how: &'a Settling,
    platform: PlatformId,
    file: i64,
    asides: Vec<Aside>,
    done: CdrFile,
}

impl<'a, 'c> Batch<'a, 'c> {
    /// Work for one platform; its readings name `file` as their source.
    pub fn new(tx: &'a mut Tx<'c>, how: &'a Settling, platform: PlatformId, file: i64) -> Self {
        Batch { tx, how, platform, file, asides: Vec::new(), done: CdrFile::default() }
    }

    /// Gives each record its fate and loads what is new; the answer is what was loaded.
    pub fn take(&mut self, records: &[Pending], unknown: &[Pending], rating: Rating) -> Result<Vec<Reading>> {
        let mut admitted: Vec<&Pending> = Vec::with_capacity(records.len());
        for p in records {
            match admission(Timestamp(p.reading.stop), self.how.now, self.how.late_days) {
                Ok(()) => admitted.push(p),
                Err(fate) => self.asides.push(p.aside(fate, self.admission_reason(fate))),
            }
        }
        self.set_orphans_aside(unknown)?;
        let (distinct, again) = distinct(admitted);
        let new = self.load(&distinct, &again, rating)?;
        self.done.loaded += new.len() as i64;
        Ok(new)
    }

    fn admission_reason(&self, fate: Fate) -> String {
        match fate {
            Fate::Ahead => format!("stop_time is more than {} s ahead of the clock", AHEAD_SECONDS_MAX),
            _ => format!("stop_time is more than {} days ago (usage.late_days)", self.how.late_days),
        }
    }

    /// A card that appears between look-up and here is found by [`super::adopt_stragglers`].
    fn set_orphans_aside(&mut self, unknown: &[Pending]) -> Result<()> {
        let orphans: Vec<Aside> = unknown.iter().map(|p| p.aside(Fate::Orphan, NO_CARD.into())).collect();
        let new = self.tx.add_asides(self.platform, self.file, &orphans, self.how.now)?;
        self.done.orphan += new as i64;
        self.done.duplicate += (orphans.len() - new) as i64;
        Ok(())
    }

    /// The readings, each of the account that owned the card when it counts: one that comes in after the card was moved is of the
    /// owner before.
    fn of_their_owners(&mut self, records: &[&Pending]) -> Result<Vec<Reading>> {
        let mut readings: Vec<Reading> = records.iter().map(|p| p.reading).collect();
        let mut sims: Vec<i64> = records.iter().filter(|p| p.moved).map(|p| p.reading.sim).collect();
        sims.sort_unstable();
        sims.dedup();
        if !sims.is_empty() {
            let moves = self.tx.moves_of(&sims)?;
            for (reading, _) in readings.iter_mut().zip(records).filter(|(_, p)| p.moved) {
                let later = moves.partition_point(|(sim, at, _)| (*sim, *at) <= (reading.sim, reading.stop));
                let owner = moves.get(later).filter(|(sim, ..)| *sim == reading.sim).map(|m| m.2);
                reading.account = owner.unwrap_or(reading.account);
            }
        }
        Ok(readings)
    }

    /// Loads; keys that were known are told apart into duplicates and conflicts, and so is what stands in the stretch again.
    fn load(&mut self, records: &[&Pending], again: &[(&Pending, usize)], rating: Rating) -> Result<Vec<Reading>> {
        let mut readings = self.of_their_owners(records)?;
        let known = match self.tx.load_readings(self.file, &mut readings, rating) {
            Ok(()) => None,
            Err(kachi_store::Error::Constraint(_)) => Some(self.known(&readings, again)?),
            Err(e) => return Err(e.into()),
        };
        for (p, first) in again.iter().map(|(p, first)| (p, records[*first])) {
            match known.as_ref().and_then(|known| known.get(&p.reading.key())) {
                None => self.tell_apart(p, &first.reading, card_text(&first.iccid)),
                Some((there, card)) => self.tell_apart(p, there, card),
            }
        }
        let Some(known) = known else { return Ok(readings) };
        let mut fresh = Vec::with_capacity(readings.len().saturating_sub(known.len()));
        for (p, reading) in records.iter().zip(readings) {
            match known.get(&p.reading.key()) {
                None => fresh.push(reading),
                Some((there, card)) => self.tell_apart(p, there, card),
            }
        }
        self.tx.load_readings(self.file, &mut fresh, rating)?;
        Ok(fresh)
    }

    /// What is known under the keys of the readings, by key; with its card's number where that may be another's.
    fn known(&mut self, readings: &[Reading], again: &[(&Pending, usize)]) -> Result<HashMap<(i64, i64), (Reading, String)>> {
        let known = self.tx.known_readings(readings)?;
        let again: BTreeSet<_> = again.iter().map(|(p, _)| p.reading.key()).collect();
        let others = known.iter().filter(|(new, there)| new.sim != there.sim || again.contains(&new.key()));
        let others: BTreeSet<SimId> = others.map(|(_, there)| SimId(there.sim)).collect();
        let iccids: HashMap<i64, String> = self.tx.iccids_of(&others.into_iter().collect::<Vec<_>>())?.into_iter().collect();
        let card = |sim: i64| iccids.get(&sim).cloned().unwrap_or_default();
        Ok(known.into_iter().map(|(new, there)| (new.key(), (there, card(there.sim)))).collect())
    }

    /// A record whose key another has: of `card` (no text: of none of ours), with that content.
    fn tell_apart(&mut self, p: &Pending, there: &Reading, card: &str) {
        if there.same_content(&p.reading) {
            self.done.duplicate += 1;
        } else {
            self.asides.push(conflict(p, there, if card.is_empty() { "no card of ours" } else { card }));
        }
    }

    /// Keeps the lines set aside; the answer is what came of the lines.
    pub fn finish(mut self) -> Result<CdrFile> {
        self.done.bad += self.asides.len() as i64;
        self.tx.add_asides(self.platform, self.file, &self.asides, self.how.now)?;
        Ok(self.done)
    }
}

/// Sorts by key: the first record of each, and each that stands in the stretch again, with the place of the first among those.
fn distinct(mut admitted: Vec<&Pending>) -> (Vec<&Pending>, Vec<(&Pending, usize)>) {
    admitted.sort_by_key(|p| (p.reading.key(), p.line));
    let (mut firsts, mut again): (Vec<&Pending>, _) = (Vec::with_capacity(admitted.len()), Vec::new());
    for p in admitted {
        match firsts.last() {
            Some(first) if first.reading.key() == p.reading.key() => again.push((p, firsts.len() - 1)),
            _ => firsts.push(p),
        }
    }
    (firsts, again)
}

/// The record under a key that is known with other content; what differs is named, as it is known first. `card` is that of what is known.
fn conflict(p: &Pending, there: &Reading, card: &str) -> Aside {
    let here = &p.reading;
    let number = |n: i64| if n == 0 { "none".to_owned() } else { n.to_string() };
    let mut differs = Vec::new();
    if there.sim != here.sim {
        differs.push(format!("card {card}, here {}", card_text(&p.iccid)));
    }
    for (name, there, here) in [("start", there.start, here.start), ("stop", there.stop, here.stop)] {
        if there != here {
            differs.push(format!("{name} {}, here {}", Timestamp(there), Timestamp(here)));
        }
    }
    if there.bytes != here.bytes {
        differs.push(format!("{} bytes, here {}", there.bytes, here.bytes));
    }
    for (name, there, here) in
        [("IMSI", there.imsi, here.imsi), ("IMEI", there.imei, here.imei), ("network", there.mccmnc, here.mccmnc)]
    {
        if there != here {
            differs.push(format!("{name} {}, here {}", number(there), number(here)));
        }
    }
    p.aside(Fate::Conflict, format!("id {} is known that day with other content: {}", here.source_id, differs.join("; ")))
}
