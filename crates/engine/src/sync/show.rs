//! How far a platform is kept up with, for people.

use super::{china, walk};
use crate::desk::Engine;
use crate::error::Result;
use kachi_domain::PlatformId;
use kachi_domain::sync::{Feed, Place, What};
use kachi_domain::time::{DAY_SECONDS, day_text};
use serde::Serialize;

/// Days over which counters that fell are shown.
const FALLEN_DAYS: i64 = 35;
/// Of them at most so many.
const FALLEN_MAX: i64 = 100;

/// A fact of the platform's cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactShown {
    /// `state`, `day` or `month`.
    pub what: &'static str,
    /// Cards it is kept of.
    pub cards: i64,
    /// Of them never read.
    pub never: i64,
    /// Of the others, stale.
    pub stale: i64,
    /// The oldest instant as of which it is known, seconds.
    pub oldest: Option<i64>,
}

/// A counter that went backwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fallen {
    /// The card.
    pub iccid: String,
    /// What it counts: `day`, `month` or `total`.
    pub counts: String,
    /// As of when it fell, seconds.
    pub as_of: i64,
    /// To so many bytes.
    pub bytes: i64,
    /// From so many.
    pub fell_from: i64,
}

/// A platform as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its code.
    pub platform: String,
    /// Whether it is kept up with.
    pub on: bool,
    /// What its cards are rated by: `cdr` or `counter`.
    pub usage: &'static str,
    /// How its feed of changes stands.
    pub feed: String,
    /// When it is worked on next, seconds.
    pub due_at: i64,
    /// Its last word where that was no answer.
    pub words: String,
    /// Requests made today, China's day: (for what, requests).
    pub calls_today: Vec<(String, i64)>,
    /// The facts it tells.
    pub facts: Vec<FactShown>,
    /// Counters that went backwards lately, the newest first.
    pub fallen: Vec<Fallen>,
}

/// Every platform that a machine stands for, or one.
pub fn show(engine: &Engine, of: Option<PlatformId>) -> Result<Vec<Shown>> {
    let (now, terms) = (engine.now(), engine.settings().sync);
    let catalogue = engine.catalogue()?;
    let mut platforms: Vec<_> = catalogue.platforms().filter(|p| of.is_none_or(|of| p.id == of)).collect();
    platforms.sort_by_key(|p| p.id);
    let mut shown = Vec::new();
    for p in platforms {
        let can = p.capabilities.unwrap_or_default();
        if can.by_hand {
            continue;
        }
        let seen = engine.read(|tx, _| {
            let row = tx.sync_place(p.id)?;
            let (feed, words) = match (can.changes, row.feed_day, row.filling_since) {
                (false, ..) => (Feed::Absent, "none".to_owned()),
                (true, Some(day), _) => {
                    let next = walk::next_walk(row.walk_due, row.feed_page.as_deref());
                    (Feed::On { due: false }, format!("{}, {next}", day_text(day)))
                }
                (true, None, Some(since)) => (Feed::Filling(since), format!("first every card is read, since {since}")),
                (true, None, None) => (Feed::Filling(now), "not begun".to_owned()),
            };
            let place = Place::new(now, can, feed, terms);
            let mut facts = Vec::new();
            for what in What::ALL {
                let Some(stale) = place.stale(what) else { continue };
                let figure = tx.sync_figure((p.id, what.word()), (stale.as_of, stale.since))?;
                let (cards, never, stale, oldest) = (figure.cards, figure.never, figure.stale, figure.oldest);
                facts.push(FactShown { what: what.word(), cards, never, stale, oldest });
            }
            let fallen = tx.fallen_counts(p.id, now.plus(-FALLEN_DAYS * DAY_SECONDS), FALLEN_MAX)?;
            let fallen = fallen.into_iter();
            Ok(Shown {
                platform: p.code.clone(),
                on: p.sync,
                usage: if p.by_counter { "counter" } else { "cdr" },
                feed: words,
                due_at: row.due_at.0,
                words: row.words,
                calls_today: tx.sync_calls(p.id, china().day(now))?,
                facts,
                fallen: fallen
                    .map(|(iccid, counts, as_of, bytes, fell_from)| Fallen { iccid, counts, as_of, bytes, fell_from })
                    .collect(),
            })
        })?;
        shown.push(seen);
    }
    Ok(shown)
}
