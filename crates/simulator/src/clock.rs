//! The virtual clock: it stands still, runs with the real one, or runs many times as fast; and it can be put forward.

use std::time::Instant;

/// Unix seconds as the virtual world has them, and as its owner's wall has them.
#[derive(Debug)]
pub(crate) struct Clock {
    start: i64,
    ahead: i64,
    speed: u32,
    since: Instant,
}

impl Clock {
    /// Starts at `start` (unix seconds) and runs `speed` times as fast as the real clock; 0 stands still.
    pub(crate) fn starting_at(start: i64, speed: u32) -> Clock {
        Clock { start, ahead: 0, speed, since: Instant::now() }
    }

    /// Now in the virtual world.
    pub(crate) fn now(&self) -> i64 {
        let elapsed = self.since.elapsed().as_millis() * u128::from(self.speed) / 1000;
        self.start.saturating_add(self.ahead).saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX / 4))
    }

    /// The start and the real time that has passed since: what clients outside take for now.
    pub(crate) fn wall(&self) -> i64 {
        self.start.saturating_add_unsigned(self.since.elapsed().as_secs())
    }

    /// Puts the virtual clock forward; backwards is not possible.
    pub(crate) fn advance(&mut self, seconds: i64) {
        self.ahead = self.ahead.saturating_add(seconds.max(0));
    }
}
