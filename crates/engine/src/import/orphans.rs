//! Lines whose card was not known, when the card appears; lines ahead of the clock, when their time has come.
//!
//! Promised: a card that appears after its usage ends as one whose usage came in order. The lines of all cards that appeared
//! are loaded together, one batch a file and day, and rated once a card. One transaction takes at most
//! [`LINES_AT_ONCE`] of them, the oldest first; what is left is taken by [`adopt_stragglers`], so the card's usage may be
//! complete only some seconds after the card is there.

use super::rate::{self, Fact};
use super::stretch::{Batch, Card, Pending, Rating, pending};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use kachi_domain::PlatformId;
use kachi_domain::cdr::{Line, Reader};
use kachi_store::Tx;
use kachi_store::files::Waiting;
use std::collections::HashMap;

/// Lines that become readings in one transaction: bounds how long others wait for it.
pub const LINES_AT_ONCE: i64 = 2_000;

/// Cards whose lines are looked for together.
const CARDS_AT_ONCE: i64 = 1_000;

/// Cards are there: lines that waited for them become their readings. The answer is how many did, [`LINES_AT_ONCE`] at most.
pub fn adopt_orphans(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, iccids: &[&str]) -> Result<usize> {
    let waiting = tx.orphans_of(iccids, LINES_AT_ONCE)?;
    take_up(tx, catalogue, how, &waiting)?;
    Ok(waiting.len())
}

/// Looks at lines again that were set aside, their cards being there: each becomes a reading, or is set aside anew.
fn take_up(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, waiting: &[Waiting]) -> Result<()> {
    let mut facts = Vec::new();
    for ((platform, file), records) in by_file(waiting) {
        let mut iccids: Vec<&str> = records.iter().map(|(iccid, _)| *iccid).collect();
        iccids.sort_unstable();
        iccids.dedup();
        let cards: HashMap<String, Card> = tx
            .sims_of_platform(platform, &iccids)?
            .into_iter()
            .map(|(iccid, sim, account, moved)| (iccid, Card { sim, account, moved }))
            .collect();
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for (iccid, mut record) in records {
            match cards.get(iccid) {
                Some(card) => {
                    record.is_of(*card);
                    known.push(record);
                }
                None => unknown.push(record),
            }
        }
        let mut batch = Batch::new(tx, how, platform, file);
        facts.extend(batch.take(&known, &unknown, Rating::Now)?.iter().map(Fact::of));
        batch.finish()?;
    }
    rate::rate(tx, catalogue, how, &mut facts)?;
    Ok(tx.settle_asides(&waiting.iter().map(|w| w.id).collect::<Vec<_>>(), how.now)?)
}

/// A platform and its file, and the records of it, each with its ICCID.
type OfFile<'w> = ((PlatformId, i64), Vec<(&'w str, Pending)>);

/// The records of each file of each platform with their cards, in the order in which the files came.
fn by_file(waiting: &[Waiting]) -> Vec<OfFile<'_>> {
    let mut files: Vec<OfFile<'_>> = Vec::new();
    let mut reader = Reader::new();
    for line in waiting {
        let Line::Record(raw) = reader.line(line.text.as_bytes()) else { continue };
        let of = (PlatformId(line.platform), line.file);
        let record = (line.iccid.as_str(), Pending { line: line.line, ..pending(&raw, of.0) });
        match files.iter_mut().rev().find(|(file, _)| *file == of) {
            Some((_, records)) => records.push(record),
            None => files.push((of, vec![record])),
        }
    }
    files
}

/// Lines whose card is there become readings: those that were set aside while their card appeared, and those that were too
/// many for the transaction that added it. The answer is how many did.
pub fn adopt_stragglers(engine: &Engine) -> Result<usize> {
    let waiting = engine.store().look(|tx| tx.orphans_with_card(CARDS_AT_ONCE).map_err(Fail::from))?;
    let mut adopted = 0;
    while !waiting.is_empty() {
        let waiting = waiting.clone();
        let n = engine.write(move |tx, catalogue, how| {
            adopt_orphans(tx, catalogue, how, &waiting.iter().map(String::as_str).collect::<Vec<_>>())
        })?;
        adopted += n;
        if n == 0 {
            break;
        }
    }
    Ok(adopted)
}

/// Lines that were ahead of the clock and are not any more become readings. The answer is how many were looked at.
pub fn adopt_due(engine: &Engine) -> Result<usize> {
    let now = engine.now();
    let mut adopted = 0;
    while !engine.store().look(|tx| tx.asides_due(now, 1).map_err(Fail::from))?.is_empty() {
        adopted += engine.write(|tx, catalogue, how| {
            let due = tx.asides_due(how.now, LINES_AT_ONCE)?;
            take_up(tx, catalogue, how, &due)?;
            Ok(due.len())
        })?;
    }
    Ok(adopted)
}
