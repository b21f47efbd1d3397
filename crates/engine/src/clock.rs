//! The program's clock, handed in from the roof: nothing below reads the time by itself.

use crate::desk::Engine;
use crate::error::Result;
use crate::failing::{Ended, Failing, Turn};
use kachi_domain::Timestamp;
use kachi_domain::time::DAY_SECONDS;
use std::sync::Arc;

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock from any source of time.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// Up to when things were noted, where that is more than a day ahead of the clock: it was ahead then, or is behind now. What was
/// put off by such a clock waits until then.
pub fn noted_ahead(engine: &Engine) -> Result<Option<Timestamp>> {
    let (newest, now) = (engine.read(|tx, _| Ok(tx.newest_noted()?))?, engine.now());
    Ok(newest.filter(|newest| newest.since(now) > DAY_SECONDS))
}

/// Seconds by which clocks may be apart for nobody to mind: instants are whole seconds.
const APART_SECONDS_MAX: i64 = 2;

/// By how many seconds the program's clock is ahead of PostgreSQL's (less than nothing: behind it), where that is more than moments.
/// By it the servers of one database know how each other's clocks stand. None on SQLite.
pub fn apart(engine: &Engine) -> Result<Option<i64>> {
    let before = engine.now();
    let theirs = engine.read(|tx, _| Ok(tx.servers_clock()?))?;
    let after = engine.now();
    // It was told at some instant between the two.
    let ahead = theirs.map(|theirs| before.since(theirs).max(0) - theirs.since(after).max(0));
    Ok(ahead.filter(|seconds| seconds.abs() > APART_SECONDS_MAX))
}

/// Tells the log once when the two clocks are apart, and once when they are together again.
pub fn watch(engine: &Engine, apart_since: &Failing<()>) -> Result<usize> {
    let ahead = apart(engine)?;
    let ended = if ahead.is_some() { Ended::ForAPerson } else { Ended::Well };
    match (apart_since.note(&(), ended, engine.now()), ahead) {
        (Some(Turn::Back(_)), _) => tracing::info!("this machine's clock and PostgreSQL's are together again"),
        (Some(_), Some(ahead_seconds)) => {
            tracing::warn!(
                ahead_seconds,
                "this machine's clock and PostgreSQL's are apart; `kachi admin doctor` says what to do"
            );
        }
        _ => {}
    }
    Ok(0)
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
