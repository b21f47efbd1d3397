//! The operator is told when what a platform's cards are known by is older than it may be, and when it no longer is.
//!
//! Promised: one event a platform when something of its cards has been stale for `sync.alert_seconds`, whatever the reason (no
//! answer, no budget, no worker), and one when nothing is; until then no other. Cards that the carrier refuses to tell of count too: nobody knows
//! how they stand. Cards count once they have been looked at for so long: since their product is on the platform, they are of that
//! product, and the platform is kept up with. Every card is looked at in one walk, and not again before something can have become too
//! old: where all are read hourly, about once a day.

use super::feed_of;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::notices;
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::sync::{Feed, Place, Stale, What};
use kachi_domain::{PlatformId, Timestamp};
use kachi_store::Tx;
use kachi_store::sync::Age;

/// Steps in which it is looked ahead for when something can become too old.
const LOOK_AHEAD_SECONDS: i64 = 3_600;

/// Looks at a platform that is kept up with; the answer is 1 if there was something to tell.
pub fn watch(engine: &Engine, platform: PlatformId) -> Result<usize> {
    let terms = engine.settings().sync;
    let catalogue = engine.catalogue()?;
    let Some(known) = catalogue.platform(platform).filter(|p| terms.alert_seconds > 0 && p.sync) else { return Ok(0) };
    let Some(can) = known.capabilities.filter(|can| !can.by_hand) else { return Ok(0) };
    // What was stale then and is not read yet has been stale ever since.
    let then = engine.now().plus(-terms.alert_seconds);
    let alert = terms.alert_seconds;
    let looked = engine.write(move |tx, _, how| Ok(tx.look_at_age(platform, (then, how.now), alert)?))?;
    if looked.since.is_some_and(|since| since > then) {
        return Ok(0); // it had no time yet to become fresh
    }
    let row = engine.store().look(|tx| tx.sync_place(platform).map_err(Fail::from))?;
    let place = |at: Timestamp| {
        let feed = feed_of(&row, can, at);
        (Place::new(at, can, feed, terms), feed == Feed::On { due: true })
    };
    let feed_is_old = place(then).1;
    if !looked.is_stale && !feed_is_old && looked.quiet_until.is_some_and(|until| until > engine.now()) {
        return Ok(0); // nothing can have become too old since the last look at every card
    }
    let stale = What::ALL.map(|what| place(then).0.stale(what));
    let ages = engine.store().look(|tx| tx.sync_ages(platform, stale, then).map_err(Fail::from))?;
    let told = What::ALL.into_iter().zip(ages).filter(|(_, age)| age.old > 0);
    let mut old: Vec<String> = told.map(|(what, age)| format!("{} of {} of {} cards", what.word(), age.old, age.cards)).collect();
    old.extend(feed_is_old.then(|| "the feed of changes".to_owned()));
    if old.is_empty() {
        let until = quiet_until(&|at| place(at).0, (&stale, &ages), (engine.now(), alert));
        engine.write(move |tx, _, _| Ok(tx.set_quiet(platform, until, alert)?))?;
    }
    if looked.is_stale != old.is_empty() {
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

/// Until when nothing can be older than it may be, if nothing more is read: every card was read, and what is known of the one that
/// was read longest ago tells of all. Cards and products that come later have their own time.
fn quiet_until(
    place: &dyn Fn(Timestamp) -> Place,
    (stale, ages): (&[Option<Stale>; 3], &[Age; 3]),
    (now, alert): (Timestamp, i64),
) -> Timestamp {
    if ages.iter().any(|age| age.unread > 0) {
        return now;
    }
    let mut until = now;
    while until < now.plus(alert) {
        let next = until.plus(LOOK_AHEAD_SECONDS).min(now.plus(alert));
        let then = place(next.plus(-alert));
        let can_be_old = |(what, (stale, age)): (What, (&Option<Stale>, &Age))| match (then.stale(what), stale) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(then), Some(now)) => then.since > now.since || age.oldest.is_some_and(|at| at < then.as_of),
        };
        if What::ALL.into_iter().zip(stale.iter().zip(ages)).any(can_be_old) {
            break;
        }
        until = next;
    }
    until
}

fn tell(tx: &mut Tx<'_>, catalogue: &crate::Catalogue, kind: EventKind, detail: String, now: Timestamp) -> Result<()> {
    let body = Body::Account { account: OPERATOR.0, detail };
    notices::emit(tx, catalogue, OPERATOR, None, kind, &body, now, now)
}
