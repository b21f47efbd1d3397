//! Taking in CDR files: from bytes to rated usage.
//!
//! A file is known by its content. Its row is written first, so the same file twice, or two workers at once, is one
//! file. It is loaded in stretches of `limits.import_rows` records, each one transaction ([`stretch`]) that loads the
//! readings, sets the odd lines aside and moves the file's mark. Loaded readings wait in [`spill`], parted by card, and
//! are rated ([`rate`]) when the file ends or `limits.rate_rows` wait: some thousand cards a transaction, so that each
//! card's state and days are written once however often the file names it. A file of one stretch is loaded and rated in
//! one transaction.
//!
//! Until it is rated a reading is in the log and in no answer. The marks of the rating are card numbers: the file's waiting
//! batches are rated for cards of a lane up to its mark, which moves in the transaction that rates. There are as many lanes,
//! each a range of cards, as the engine can write at once. Kill the process anywhere: the next run goes on at all marks and
//! the result is the same. A file whose importer never comes back is rated as
//! far as it was loaded by [`finish_left`].
//!
//! A record is dropped as a duplicate only if its key *and* content are known; the same key with other content is a
//! conflict, kept aside.

mod orphans;
mod rate;
mod spill;
mod stretch;

pub use orphans::{LINES_AT_ONCE, adopt_due, adopt_orphans, adopt_stragglers};
pub(crate) use rate::Fact;

use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use kachi_domain::cdr::{Feed, Line, Position};
use kachi_domain::usage::Fate;
use kachi_domain::{PlatformId, Timestamp};
use kachi_store::files::{CdrFile, LeftFile};
use kachi_store::rating_lanes::RatingLane;
use sha2::{Digest, Sha256};
use spill::Spill;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use stretch::{Known, Stretch};

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

/// Bytes of a usual line, to read no more at once than a stretch takes.
const LINE_BYTES: usize = 100;

/// Bad lines told of one file, at most.
const BAD_LINES_MAX: i64 = 1_000_000;

/// Tries of a transaction that lost a race against another writer of the same rows.
const RACE_TRIES: usize = 5;

/// A file that has not moved for so long has lost its importer.
pub(crate) const LEFT_SECONDS: i64 = 600;

/// Takes in a CDR file of the platform. `progress` is told the bytes read so far. [`Fail::InHand`] if another worker moves its marks
/// meanwhile; what that one leaves is taken in by coming again.
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
    let mut taking = Taking { engine, platform, mark: row, known: Known::default(), spill: Spill::open(engine)? };
    taking.find_waiting()?;
    let mut stretch = Stretch::default();
    // A stretch ends with a block, so blocks are no longer than a stretch of short lines.
    let mut block = vec![0; engine.settings().import_rows.saturating_mul(LINE_BYTES).clamp(1 << 10, 1 << 20)];
    loop {
        let n = read_full(content, &mut block).map_err(unreadable)?;
        let mut each = |line: Line<'_>| stretch.take(line, platform);
        feed.block(&block[..n], &mut each);
        let ended = n < block.len();
        let position = if ended { std::mem::take(&mut feed).finish(&mut each) } else { feed.position() };
        if ended || stretch.len() >= engine.settings().import_rows {
            taking.take(std::mem::take(&mut stretch), position, ended)?;
            progress(position.offset);
        }
        if ended {
            return Ok(report(&taking.mark));
        }
    }
}

/// A file that another worker has in hand ([`Fail::InHand`]), watched by who would take it in too: its marks are looked at, and not the
/// file.
#[derive(Debug)]
pub struct Watch {
    mark: (CdrFile, Vec<RatingLane>),
    moved: Timestamp,
}

impl Watch {
    /// Watches the file with this number from now on.
    pub fn begin(engine: &Engine, file: i64) -> Result<Watch> {
        Ok(Watch { mark: marks(engine, file)?, moved: engine.now() })
    }

    /// Whether the file is to be taken in again: the other is done with it, or none of its marks has moved for
    /// `limits.lease_seconds`. A worker that was only slow loses nothing by it: who moves a mark next goes on.
    pub fn is_free(&mut self, engine: &Engine) -> Result<bool> {
        let now = engine.now();
        let mark = marks(engine, self.mark.0.id)?;
        if mark != self.mark {
            *self = Watch { mark, moved: now };
        }
        Ok(self.mark.0.done || now.since(self.moved) >= engine.settings().lease_seconds)
    }
}

/// How far a file is: its row, and the lanes in which it is rated.
fn marks(engine: &Engine, file: i64) -> Result<(CdrFile, Vec<RatingLane>)> {
    engine.store().read(|tx| Ok((tx.cdr_file(file)?, tx.rating_lanes(file)?)))
}

/// A file being taken in.
struct Taking<'e> {
    engine: &'e Engine,
    platform: PlatformId,
    mark: CdrFile,
    known: Known,
    spill: Spill,
}

impl Taking<'_> {
    /// What an earlier run loaded and did not rate.
    fn find_waiting(&mut self) -> Result<()> {
        let begun = rate::find_waiting(self.engine.store(), self.mark.id, &mut self.spill)?;
        if begun.is_empty() { Ok(()) } else { rate::rate_waiting(self.engine, &mut self.mark, &mut self.spill, begun) }
    }

    fn take(&mut self, stretch: Stretch, position: Position, ended: bool) -> Result<()> {
        let rating = if ended && self.spill.is_empty() { stretch::Rating::Now } else { stretch::Rating::Later };
        let (mark, loaded) =
            stretch::commit(self.engine, self.platform, &self.mark, stretch, (position, ended), rating, &mut self.known)?;
        self.mark = mark;
        self.spill.extend(&loaded)?;
        if (ended && !self.spill.is_empty()) || self.spill.len() >= self.engine.settings().rate_rows {
            rate::rate_waiting(self.engine, &mut self.mark, &mut self.spill, Vec::new())?;
        }
        if ended && !self.mark.done {
            self.mark = rate::end(self.engine, &self.mark)?;
        }
        Ok(())
    }
}

/// Rates what is loaded of files whose importers went away; the answer is how many files. Their rest comes when they
/// are taken in again.
pub fn finish_left(engine: &Engine) -> Result<usize> {
    let before = engine.now().plus(-LEFT_SECONDS);
    let left = engine.store().look(|tx| tx.files_left_unrated(before).map_err(Fail::from))?;
    for &file in &left {
        let mut mark = engine.store().look(|tx| tx.file_locked(file).map_err(Fail::from))?;
        let mut spill = Spill::open(engine)?;
        let begun = rate::find_waiting(engine.store(), file, &mut spill)?;
        rate::rate_waiting(engine, &mut mark, &mut spill, begun)?;
        tracing::info!(file, "rated what an importer that went away had loaded");
    }
    Ok(left.len())
}

/// Files that nobody has in hand and that were not read to their end, those left last first; so many at most. Who waits for one in
/// another's hands takes it over after `limits.lease_seconds`, so that long at least it may be waited for.
pub fn left(engine: &Engine, limit: i64) -> Result<Vec<LeftFile>> {
    let before = engine.now().plus(-LEFT_SECONDS.max(engine.settings().lease_seconds));
    engine.store().look(|tx| tx.files_left(before, limit).map_err(Fail::from))
}

/// The lines of a file that were set aside and are its own fault, as (line, fate, reason, text): so many at most, the rest are in the
/// database. An orphan is none: it waits for its card.
pub fn bad_lines(engine: &Engine, file: i64) -> Result<Vec<(i64, String, String, String)>> {
    let mut lines = engine.store().look(|tx| tx.asides_of_file(file, BAD_LINES_MAX).map_err(Fail::from))?;
    lines.retain(|line| line.1 != Fate::Orphan.word());
    Ok(lines)
}

/// Runs a transaction again that lost a race.
fn racing<T>(mut f: impl FnMut() -> Result<T>) -> Result<T> {
    let mut tries = 0;
    loop {
        match f() {
            Err(Fail::Fault(kachi_store::Error::Constraint(_) | kachi_store::Error::Deadlock(_))) if tries < RACE_TRIES => {
                tries += 1
            }
            other => return other,
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

/// Brings the by-card order of the log up to date, a few batches at a time; the answer is how many were done.
pub fn index(engine: &Engine) -> Result<usize> {
    engine.write(|tx, _, _| Ok(tx.index_batches(4)?))
}
