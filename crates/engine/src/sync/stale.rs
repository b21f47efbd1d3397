//! The operator is told when what a platform's cards are known by is older than it may be, and when it no longer is.
//!
//! Promised: one event a platform when something of its cards has been stale for `sync.alert_seconds`, whatever the reason (no
//! answer, no budget, no worker), and one when nothing is; until then no other. Cards that the carrier refuses to tell of count too: nobody knows
//! how they stand.

use super::feed_of;
use crate::desk::Engine;
use crate::error::Result;
use crate::notices;
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::sync::{Feed, Place, What};
use kachi_domain::{PlatformId, Timestamp};
use kachi_store::Tx;

/// Looks at a platform that is kept up with; the answer is 1 if there was something to tell.
pub fn watch(engine: &Engine, platform: PlatformId) -> Result<usize> {
    let terms = engine.settings().sync;
    let catalogue = engine.catalogue()?;
    let Some(known) = catalogue.platform(platform).filter(|p| terms.alert_seconds > 0 && p.sync) else { return Ok(0) };
    let Some(can) = known.capabilities.filter(|can| !can.by_hand) else { return Ok(0) };
    // What was stale then and is not read yet has been stale ever since.
    let then = engine.now().plus(-terms.alert_seconds);
    let (watched_since, was) = engine.write(move |tx, _, how| Ok(tx.look_at_age(platform, how.now)?))?;
    if watched_since > then {
        return Ok(0); // it had no time yet to become fresh
    }
    let old = engine.read(|tx, _| {
        let row = tx.sync_place(platform)?;
        let feed = feed_of(&row, can, then);
        let place = Place::new(then, can, feed, terms);
        let mut old = Vec::new();
        for what in What::ALL {
            let Some(stale) = place.stale(what) else { continue };
            let since = Timestamp(stale.since.0.min(then.0));
            let figure = tx.sync_figure((platform, what.word()), (stale.as_of, since))?;
            let cards = figure.never + figure.stale;
            if cards > 0 {
                old.push(format!("{} of {cards} of {} cards", what.word(), figure.cards));
            }
        }
        if feed == (Feed::On { due: true }) {
            old.push("the feed of changes".to_owned());
        }
        Ok(old)
    })?;
    if was != old.is_empty() {
        return Ok(0);
    }
    let code = known.code.clone();
    engine.write(move |tx, catalogue, how| {
        let (since, kind) =
            if old.is_empty() { (None, EventKind::ReadingsFresh) } else { (Some(how.now), EventKind::ReadingsStale) };
        if !tx.set_stale(platform, since)? {
            return Ok(0); // another process has told it
        }
        let detail = if old.is_empty() { code.clone() } else { format!("{code}: {}", old.join(", ")) };
        tell(tx, catalogue, kind, detail, how.now)?;
        Ok(1)
    })
}

fn tell(tx: &mut Tx<'_>, catalogue: &crate::Catalogue, kind: EventKind, detail: String, now: Timestamp) -> Result<()> {
    let body = Body::Account { account: OPERATOR.0, detail };
    notices::emit(tx, catalogue, OPERATOR, None, kind, &body, now, now)
}
