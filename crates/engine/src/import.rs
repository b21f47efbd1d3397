//! Taking in CDR files: from bytes to rated usage.
//!
//! A file is known by its content. Its row is written first, so the same file twice, or two workers at once, is one
//! file. It is read in stretches of `limits.import_rows` records; each stretch is one transaction that loads the readings,
//! rates them, rolls them up, sets the odd lines aside and moves the file's mark. Kill the process anywhere: the next
//! run goes on at the mark and the result is the same. A record is dropped as a duplicate only if its key *and* content
//! are known; the same key with other content is a conflict, kept aside.
//!
//! The steps of a stretch, in order: [`sort`] fates, look up cards, drop duplicates inside the stretch, load, (only if the
//! load met known keys: tell duplicates from conflicts, load the rest), settle the cards touched, add the days, mark.

use crate::cards::{self, Settling};
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use kachi_domain::cdr::{Feed, Line, Position, RawRecord};
use kachi_domain::rating::{Input, Usage};
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::usage::{Fate, admission};
use kachi_domain::{AccountId, Iccid, PlatformId, SimId, Timestamp};
use kachi_store::files::{Aside, CdrFile};
use kachi_store::readings::Reading;
use kachi_store::sims::Sim;
use kachi_store::{Store, Tx};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The file's number with us.
    pub file: i64,
    /// The whole file was known before.
    pub known: bool,
    /// Readings that are new.
    pub loaded: i64,
    /// Lines that were known.
    pub duplicate: i64,
    /// Lines whose card is not known.
    pub orphan: i64,
    /// Lines set aside for any other reason.
    pub bad: i64,
}

/// A record with its line, before its card is known.
struct Pending {
    line: i64,
    iccid: CardNumber,
    reading: Reading,
}

/// An ICCID without an allocation: at most 22 characters.
type CardNumber = [u8; 22];

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

/// Cards looked up before, bounded: (card, account), or not known.
struct Known {
    cards: HashMap<CardNumber, (i64, i64)>,
}

/// Bytes of a usual line, to read no more at once than a stretch takes.
const LINE_BYTES: usize = 100;

/// Cards remembered between stretches; about 60 bytes each.
const KNOWN_MAX: usize = 400_000;

/// One stretch of a file.
#[derive(Default)]
struct Stretch {
    records: Vec<Pending>,
    asides: Vec<Aside>,
}

/// Takes in a CDR file of the platform. `progress` is told the bytes read so far.
pub fn import_file(engine: &Engine, platform: PlatformId, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Report> {
    let mut file = std::fs::File::open(path).map_err(|e| fault(format!("{}: {e}", path.display())))?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    import(engine, platform, &name, &mut file, progress)
}

/// Takes in CDR content that can be read twice: once for its digest, once for its lines.
pub fn import(
    engine: &Engine,
    platform: PlatformId,
    name: &str,
    content: &mut (impl Read + Seek),
    progress: &mut dyn FnMut(u64),
) -> Result<Report> {
    let unreadable = |e: std::io::Error| fault(format!("{name}: {e}"));
    let (digest, bytes) = digest(content).map_err(unreadable)?;
    let owned = name.to_owned();
    let row = engine.write(move |tx, _, how| Ok(tx.receive_file(platform, &owned, &digest, bytes, how.now)?))?;
    if row.done {
        return Ok(Report { known: true, ..report(&row) });
    }
    let mut head = vec![0; 1 << 16];
    content.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let n = read_full(content, &mut head).map_err(unreadable)?;
    let at = Position { offset: row.offset_bytes as u64, line: row.lines as u64 };
    let mut feed = Feed::resume(&head[..n], at);
    content.seek(SeekFrom::Start(at.offset)).map_err(unreadable)?;
    let mut known = Known { cards: HashMap::new() };
    let mut mark = row;
    let mut stretch = Stretch::default();
    // A stretch ends with a block, so blocks are no longer than a stretch of short lines.
    let mut block = vec![0; engine.settings().import_rows.saturating_mul(LINE_BYTES).clamp(1 << 10, 1 << 20)];
    loop {
        let n = read_full(content, &mut block).map_err(unreadable)?;
        let mut each = |line: Line<'_>| stretch.take(line, platform);
        let last = n < block.len();
        let (position, ended) = if last {
            feed.block(&block[..n], &mut each);
            (std::mem::take(&mut feed).finish(&mut each), true)
        } else {
            feed.block(&block[..n], &mut each);
            (feed.position(), false)
        };
        if ended || stretch.records.len() + stretch.asides.len() >= engine.settings().import_rows {
            mark = commit_stretch(engine, platform, mark, std::mem::take(&mut stretch), position, ended, &mut known)?;
            progress(position.offset);
        }
        if ended {
            return Ok(report(&mark));
        }
    }
}

fn report(row: &CdrFile) -> Report {
    Report { file: row.id, known: false, loaded: row.loaded, duplicate: row.duplicate, orphan: row.orphan, bad: row.bad }
}

fn digest(content: &mut (impl Read + Seek)) -> std::io::Result<(String, i64)> {
    content.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = content.read(&mut block)?;
        if n == 0 {
            return Ok((hash.finalize().iter().map(|b| format!("{b:02x}")).collect(), bytes));
        }
        hash.update(&block[..n]);
        bytes += n as i64;
    }
}

fn read_full(content: &mut impl Read, block: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < block.len() {
        match content.read(&mut block[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

impl Stretch {
    fn take(&mut self, line: Line<'_>, platform: PlatformId) {
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
            }),
            Line::Skip => {}
        }
    }
}

fn pending(raw: &RawRecord<'_>, platform: PlatformId) -> Pending {
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
        },
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

/// Tries of a stretch that lost a race against another loader of the same keys.
const RACE_TRIES: usize = 5;

fn commit_stretch(
    engine: &Engine,
    platform: PlatformId,
    mark: CdrFile,
    stretch: Stretch,
    position: Position,
    ended: bool,
    known: &mut Known,
) -> Result<CdrFile> {
    look_up(engine.store(), &stretch.records, known)?;
    let Stretch { mut records, asides } = stretch;
    let mut unknown = Vec::new();
    records.retain_mut(|p| match known.cards.get(&p.iccid) {
        Some((sim, account)) => {
            (p.reading.sim, p.reading.account) = (*sim, *account);
            true
        }
        None => {
            unknown.push(Pending { line: p.line, iccid: p.iccid, reading: p.reading });
            false
        }
    });
    let records = std::sync::Arc::new((records, unknown, asides));
    let mut tries = 0;
    loop {
        let (records, mark) = (records.clone(), mark.clone());
        let result = engine.write(move |tx, catalogue, how| {
            let row = tx.file_locked(mark.id)?;
            if row.offset_bytes != mark.offset_bytes || row.done {
                // Another worker is reading the same file and was faster.
                return Err(fault("the file is being read by another worker; it goes on from its mark"));
            }
            let mut batch = Batch::new(tx, catalogue, how, platform, mark.id);
            batch.asides.extend(records.2.iter().cloned());
            batch.take(&records.0, &records.1)?;
            let mut done = batch.finish()?;
            done.offset_bytes = position.offset as i64;
            done.lines = position.line as i64;
            done.done = ended;
            let row = add(&row, &done);
            tx.advance_file(&row, how.now)?;
            Ok(row)
        });
        match result {
            Err(Fail::Fault(kachi_store::Error::Constraint(_))) if tries < RACE_TRIES => tries += 1,
            other => return other,
        }
    }
}

fn add(row: &CdrFile, done: &CdrFile) -> CdrFile {
    CdrFile {
        id: row.id,
        done: done.done,
        offset_bytes: done.offset_bytes,
        lines: done.lines,
        loaded: row.loaded + done.loaded,
        duplicate: row.duplicate + done.duplicate,
        orphan: row.orphan + done.orphan,
        bad: row.bad + done.bad,
    }
}

/// Finds the cards of a stretch that are not remembered yet.
fn look_up(store: &Store, records: &[Pending], known: &mut Known) -> Result<()> {
    let mut wanted: Vec<CardNumber> = records.iter().map(|p| p.iccid).filter(|n| !known.cards.contains_key(n)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if known.cards.len() + wanted.len() > KNOWN_MAX {
        known.cards.clear();
        wanted = records.iter().map(|p| p.iccid).collect();
        wanted.sort_unstable();
        wanted.dedup();
    }
    let texts: Vec<&str> = wanted.iter().map(card_text).collect();
    let found = store.look(|tx| tx.sims_of_iccids(&texts).map_err(Fail::from))?;
    known.cards.extend(found.into_iter().map(|(iccid, sim, account)| (card_number(&iccid), (sim, account))));
    Ok(())
}

/// The work of one stretch inside its transaction.
struct Batch<'a, 'c> {
    tx: &'a mut Tx<'c>,
    catalogue: &'a Catalogue,
    how: &'a Settling,
    platform: PlatformId,
    file: i64,
    asides: Vec<Aside>,
    done: CdrFile,
}

impl<'a, 'c> Batch<'a, 'c> {
    fn new(tx: &'a mut Tx<'c>, catalogue: &'a Catalogue, how: &'a Settling, platform: PlatformId, file: i64) -> Self {
        Batch { tx, catalogue, how, platform, file, asides: Vec::new(), done: CdrFile::default() }
    }

    fn take(&mut self, records: &[Pending], unknown: &[Pending]) -> Result<()> {
        let mut admitted: Vec<&Pending> = Vec::with_capacity(records.len());
        for p in records {
            match admission(Timestamp(p.reading.stop), self.how.now, self.how.late_days) {
                Ok(()) => admitted.push(p),
                Err(fate) => self.asides.push(p.aside(fate, self.admission_reason(fate))),
            }
        }
        self.set_orphans_aside(unknown)?;
        let readings = self.distinct(admitted);
        let new = self.load(readings)?;
        self.done.loaded += new.len() as i64;
        self.note_batches(&new)?;
        rate(self.tx, self.catalogue, self.how, new)
    }

    fn admission_reason(&self, fate: Fate) -> String {
        match fate {
            Fate::Ahead => format!("stop_time is more than {} s ahead of the clock", kachi_domain::usage::AHEAD_SECONDS_MAX),
            _ => format!("stop_time is more than {} days ago (usage.late_days)", self.how.late_days),
        }
    }

    /// A card that appears between look-up and here is found by [`adopt_stragglers`].
    fn set_orphans_aside(&mut self, unknown: &[Pending]) -> Result<()> {
        let orphans: Vec<Aside> = unknown.iter().map(|p| p.aside(Fate::Orphan, "no such card".into())).collect();
        let new = self.tx.add_asides(self.platform, self.file, &orphans, self.how.now)?;
        self.done.orphan += new as i64;
        self.done.duplicate += (orphans.len() - new) as i64;
        Ok(())
    }

    /// Sorts by key and drops what stands twice in the stretch.
    fn distinct(&mut self, mut admitted: Vec<&Pending>) -> Vec<Reading> {
        admitted.sort_by_key(|p| (p.reading.day, p.reading.source_id, p.line));
        let mut kept: Vec<&Pending> = Vec::with_capacity(admitted.len());
        for p in admitted {
            match kept.last().filter(|l| (l.reading.day, l.reading.source_id) == (p.reading.day, p.reading.source_id)) {
                None => kept.push(p),
                Some(first) if first.reading.same_content(&p.reading) => self.done.duplicate += 1,
                Some(first) => self.asides.push(conflict(p, &first.reading)),
            }
        }
        kept.into_iter().map(|p| p.reading).collect()
    }

    /// Loads; keys that were known are told apart into duplicates and conflicts.
    fn load(&mut self, mut readings: Vec<Reading>) -> Result<Vec<Reading>> {
        match self.tx.load_readings(&readings) {
            Ok(()) => return Ok(readings),
            Err(kachi_store::Error::Constraint(_)) => {}
            Err(e) => return Err(e.into()),
        }
        let known: HashMap<(i64, i64), Reading> =
            self.tx.known_readings(&readings)?.into_iter().map(|(new, there)| ((new.day, new.source_id), there)).collect();
        let mut fresh = Vec::with_capacity(readings.len().saturating_sub(known.len()));
        for r in readings.drain(..) {
            match known.get(&(r.day, r.source_id)) {
                None => fresh.push(r),
                Some(there) if there.same_content(&r) => self.done.duplicate += 1,
                Some(there) => {
                    let iccid = self.tx.sim_by_id(SimId(r.sim))?.map(|s| s.iccid).unwrap_or_default();
                    let p = Pending { line: 0, iccid: card_number(&iccid), reading: r };
                    self.asides.push(conflict(&p, there));
                }
            }
        }
        self.tx.load_readings(&fresh)?;
        Ok(fresh)
    }

    fn note_batches(&mut self, new: &[Reading]) -> Result<()> {
        for run in new.chunk_by(|a, b| a.day == b.day) {
            self.tx.add_batch(run[0].day, self.platform.0, run[0].source_id, run[run.len() - 1].source_id, run.len() as i64)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<CdrFile> {
        self.done.bad += self.asides.len() as i64;
        self.tx.add_asides(self.platform, self.file, &self.asides, self.how.now)?;
        Ok(self.done)
    }
}

fn conflict(p: &Pending, there: &Reading) -> Aside {
    let words = format!(
        "id {} is known that day with other content: {} bytes at {}, here {} bytes at {}",
        p.reading.source_id,
        there.bytes,
        Timestamp(there.stop),
        p.reading.bytes,
        Timestamp(p.reading.stop)
    );
    p.aside(Fate::Conflict, words)
}

/// Rates new readings, card by card, each card's state written once; then adds the days.
fn rate(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, mut new: Vec<Reading>) -> Result<()> {
    new.sort_unstable_by_key(|r| (r.sim, r.stop, r.start, r.source_id));
    let mut inputs = Vec::new();
    for group in new.chunk_by(|a, b| a.sim == b.sim).collect::<Vec<_>>().chunks(STATES_AT_ONCE) {
        let ids: Vec<i64> = group.iter().map(|g| g[0].sim).collect();
        let mut rows = tx.states(&ids)?;
        let mut days = Vec::with_capacity(group.len());
        for (row, readings) in rows.iter_mut().zip(group) {
            debug_assert_eq!(row.sim.0, readings[0].sim);
            inputs.clear();
            inputs.extend(readings.iter().map(|r| {
                Input::Usage(Usage { stop: Timestamp(r.stop), start: Timestamp(r.start), source_id: r.source_id, bytes: r.bytes })
            }));
            let latest = readings[readings.len() - 1].stop;
            row.as_of = Some(row.as_of.map_or(latest, |a| a.max(latest)));
            cards::settle(tx, catalogue, how, row, &inputs)?;
            add_days(catalogue, readings, &mut days);
        }
        if rows.len() != group.len() {
            return Err(fault("a card without a state row"));
        }
        tx.put_states(&rows)?;
        tx.add_days(&days)?;
    }
    Ok(())
}

/// States read, settled and written together; bounds memory.
const STATES_AT_ONCE: usize = 4_000;

fn add_days(catalogue: &Catalogue, readings: &[Reading], days: &mut Vec<kachi_store::states::DayRow>) {
    let zone = catalogue.zone(AccountId(readings[0].account));
    for r in readings {
        let day = zone.day(Timestamp(r.stop));
        match days.last_mut().filter(|d| d.0 == r.sim && d.1 == day) {
            Some(d) => {
                d.3 += r.bytes;
                d.4 += 1;
                d.5 = d.5.max(r.stop);
            }
            None => days.push((r.sim, day, r.account, r.bytes, 1, r.stop)),
        }
    }
}

/// A card has appeared: the lines that waited for it become its readings.
pub fn adopt_orphans(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sim: &Sim) -> Result<()> {
    let mut reader = kachi_domain::cdr::Reader::new();
    for (aside, platform, text) in tx.orphans_of(&sim.iccid)? {
        if let Line::Record(raw) = reader.line(text.as_bytes()) {
            let mut p = pending(&raw, PlatformId(platform));
            (p.reading.sim, p.reading.account) = (sim.id.0, sim.account.0);
            let mut batch = Batch::new(tx, catalogue, how, PlatformId(platform), 0);
            batch.take(&[p], &[])?;
            batch.finish()?;
        }
        tx.settle_aside(aside, how.now)?;
    }
    Ok(())
}

/// Orphans whose card has appeared while they were being set aside are adopted; the answer is how many cards.
pub fn adopt_stragglers(engine: &Engine) -> Result<usize> {
    let waiting = engine.store().look(|tx| tx.orphans_with_card(100).map_err(Fail::from))?;
    let n = waiting.len();
    for iccid in waiting {
        engine.write(move |tx, catalogue, how| match tx.sim_by_iccid(&kachi_domain::account::Path::root(), &iccid)? {
            Some(sim) => adopt_orphans(tx, catalogue, how, &sim),
            None => Ok(()),
        })?;
    }
    Ok(n)
}

/// Brings the by-card order of the log up to date, a few stretches at a time; the answer is how many were done.
pub fn index(engine: &Engine) -> Result<usize> {
    engine.write(|tx, _, _| Ok(tx.index_batches(4)?))
}
