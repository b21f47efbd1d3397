//! Lines whose card was not known, when the card appears.

use super::rate::{self, Fact};
use super::stretch::{Batch, Rating, pending};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use kachi_domain::PlatformId;
use kachi_domain::cdr::{Line, Reader};
use kachi_store::Tx;
use kachi_store::sims::Sim;

/// A card has appeared: the lines that waited for it become its readings.
pub fn adopt_orphans(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sim: &Sim) -> Result<()> {
    let mut reader = Reader::new();
    for (aside, platform, file, text) in tx.orphans_of(&sim.iccid)? {
        if let Line::Record(raw) = reader.line(text.as_bytes()) {
            let mut p = pending(&raw, PlatformId(platform));
            (p.reading.sim, p.reading.account) = (sim.id.0, sim.account.0);
            let mut batch = Batch::new(tx, how, PlatformId(platform), file);
            let new = batch.take(&[p], &[], Rating::Now)?;
            batch.finish()?;
            rate::rate(tx, catalogue, how, &mut new.iter().map(Fact::of).collect::<Vec<_>>())?;
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
