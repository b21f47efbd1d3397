//! Rating by the carrier's own days, where a platform gives no records (`usage: counter`).
//!
//! Promised: a day that is over is one record a card: from the day's first second to its last, under the card's number as the source's
//! id, so that the day and the card are its natural key. It is taken in like a file of records: the same figure told again is a
//! duplicate, another one a conflict that is listed, and what is too old is set aside. It comes before the reading is noted, so that a crash between the
//! two brings the same again. Not promised: anything of a day before it is over, or corrections of one that was told.

use super::{Told, china};
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::import;
use kachi_domain::account::Path;
use kachi_domain::carrier::{Card, Line};
use kachi_domain::time::day_text;
use kachi_domain::usage::CdrRecord;
use kachi_domain::{Iccid, PlatformId, SimId, cdr};
use std::collections::HashMap;
use std::io::Cursor;

/// Takes in a day of these cards, if the platform is rated by its counters.
pub(super) fn rate(engine: &Engine, platform: PlatformId, day: i64, cards: &[Card], told: &[Told<Line>]) -> Result<()> {
    if !engine.catalogue()?.platform(platform).is_some_and(|p| p.by_counter) {
        return Ok(());
    }
    let iccids: Vec<&str> = cards.iter().map(|c| c.iccid.as_str()).collect();
    let sims = engine.store().look(|tx| tx.sims_by_iccid(&Path::root(), &iccids).map_err(Fail::from))?;
    let ids: HashMap<String, SimId> = sims.into_iter().map(|s| (s.iccid, s.id)).collect();
    let (start, end) = (china().start_of_day(day), china().start_of_day(day + 1));
    let mut records = Vec::new();
    for (card, told) in cards.iter().zip(told) {
        let whole = told.as_ref().ok().and_then(|line| line.day).filter(|d| d.counter.as_of >= end && d.counter.bytes > 0);
        let (Some(period), Some(id), Ok(iccid)) = (whole, ids.get(&card.iccid), Iccid::parse(&card.iccid)) else { continue };
        let record = CdrRecord::of_counted_day(*id, iccid, (start, end), period.counter.bytes);
        cdr::write_record(&mut records, &record);
    }
    if records.is_empty() {
        return Ok(());
    }
    let name = format!("carrier_counter of {}, {} cards from {}", day_text(day), cards.len(), cards[0].iccid);
    import::import(engine, platform, &name, &mut Cursor::new(records), &mut |_| {})?;
    Ok(())
}
