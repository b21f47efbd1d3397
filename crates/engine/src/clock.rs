//! The program's clock, handed in from the roof: nothing below reads the time by itself.

use crate::desk::Engine;
use crate::error::Result;
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

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
