//! How long a caller waits for PostgreSQL. A server that hangs is still there, so no connection ends: whoever is waited for counts the
//! time. After it the caller is told so, nothing of what it asked for is begun any more, and what was begun is not committed; only
//! whether a commit that was on its way arrived is not known. The thread that asked stays with its connection until that one answers
//! or ends.

use super::{Error, Store};
use std::future::Future;
use std::time::{Duration, Instant};

/// The present, to measure by.
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Until when a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    began: Instant,
    patience: Duration,
}

impl Deadline {
    /// So long from now on.
    pub(super) fn after(patience: Duration) -> Deadline {
        Deadline { began: now(), patience }
    }

    /// When the waiting began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// How long it still lasts; nothing when it is over.
    pub(super) fn left(&self) -> Duration {
        self.patience.saturating_sub(self.began.elapsed())
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// The one that is over first.
    pub(super) fn or_sooner(self, other: Option<Deadline>) -> Deadline {
        other.filter(|other| other.began + other.patience < self.began + self.patience).unwrap_or(self)
    }

    /// What is told to those who waited in vain.
    pub(super) fn no_answer(&self) -> Error {
        Error::Unreachable(format!("PostgreSQL gave no answer within {} s", self.patience.as_secs()))
    }

    /// The same where answers came, but to others.
    pub(super) fn none_free(&self, connections: usize) -> Error {
        let seconds = self.patience.as_secs();
        Error::Unreachable(format!("none of the {connections} {NONE_FREE} within {seconds} s"))
    }
}

/// What is said where all connections are in use.
const NONE_FREE: &str = "connections to PostgreSQL (database.connections_max) was free";

impl Error {
    /// Whether the caller waited in vain for one of the connections, all of which were in use: PostgreSQL itself may be good.
    pub fn is_none_free(&self) -> bool {
        matches!(self, Error::Unreachable(words) if words.contains(NONE_FREE))
    }
}

impl Store {
    /// The same database for callers who wait no longer than that for PostgreSQL, in all: then they are told [`Error::Unreachable`].
    /// Of two such bounds the shorter counts. A SQLite file is not waited for.
    pub fn within(&self, patience: Duration) -> Store {
        let shorter = self.patience.map_or(patience, |other| other.min(patience));
        Store { patience: (!self.is_file()).then_some(shorter), ..self.clone() }
    }

    /// The same database for what nobody waits for: it takes as long as it takes.
    pub fn unhurried(&self) -> Store {
        Store { patience: None, deadline: None, ..self.clone() }
    }

    /// The same database for one caller, who waits from now on, however many transactions it needs.
    pub fn from_now(&self) -> Store {
        Store { deadline: self.deadline(), ..self.clone() }
    }

    /// Waits for what another thread does for the caller, no longer than the caller does.
    ///
    /// # Errors
    /// If that was too long; then the other thread may still be at it.
    pub async fn awaited<T>(&self, answer: impl Future<Output = T>) -> Result<T, Error> {
        let Some(deadline) = self.deadline() else { return Ok(answer.await) };
        match tokio::time::timeout(deadline.left(), answer).await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.inner.pool.waited_in_vain(&deadline)),
        }
    }

    /// Until when the caller waits, if it began to wait or begins now.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.deadline.or_else(|| self.patience.map(Deadline::after))
    }
}

#[cfg(test)]
mod tests {
    use super::Deadline;
    use std::time::Duration;

    #[test]
    fn the_deadline_that_is_over_first_counts() {
        let (long, short) = (Deadline::after(Duration::from_secs(60)), Deadline::after(Duration::ZERO));
        assert!(short.is_over() && !long.is_over());
        assert!(long.or_sooner(Some(short)).is_over() && short.or_sooner(Some(long)).is_over());
        assert!(!long.or_sooner(None).is_over());
        assert_eq!(long.no_answer().to_string(), "PostgreSQL gave no answer within 60 s");
        assert!(long.none_free(3).is_none_free() && !long.no_answer().is_none_free());
    }
}
