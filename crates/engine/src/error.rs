//! Two kinds of no: a refusal, which is an answer, and a fault, which is ours.

use kachi_domain::Refusal;
use std::fmt;

/// Why an act was not done. Nothing was changed.
#[derive(Debug)]
pub enum Fail {
    /// The rules refuse it; the outside is told why.
    Refused(Refusal),
    /// Something below failed; the outside is told only that, the log has the words.
    Fault(kachi_store::Error),
    /// The caller worked from an old catalogue: read it again and retry.
    Stale,
    /// Another worker takes this usage file in: [`crate::import::Watch`] says when it is worth trying again.
    InHand {
        /// The file's number with us.
        file: i64,
    },
}

/// What an act comes to.
pub type Result<T> = std::result::Result<T, Fail>;

impl Fail {
    /// Whether the database could not be reached, which the log has already.
    pub fn is_told(&self) -> bool {
        matches!(self, Fail::Fault(kachi_store::Error::Unreachable(_)))
    }

    /// Whether the disk lost what was written: the log has it already, and nothing goes on until the program is started again.
    pub fn is_lost(&self) -> bool {
        matches!(self, Fail::Fault(kachi_store::Error::Lost(_)))
    }

    /// A fault in the caller's words.
    pub fn fault(words: impl Into<String>) -> Fail {
        fault(words)
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fail::Refused(r) => r.fmt(f),
            Fail::Fault(e) => e.fmt(f),
            Fail::Stale => write!(f, "the catalogue has changed meanwhile"),
            Fail::InHand { .. } => write!(
                f,
                "another worker is taking this file in; wait until it is done, then take it in again to see what came of it"
            ),
        }
    }
}

impl std::error::Error for Fail {}

impl From<kachi_store::Error> for Fail {
    fn from(e: kachi_store::Error) -> Fail {
        Fail::Fault(e)
    }
}

impl From<Refusal> for Fail {
    fn from(r: Refusal) -> Fail {
        Fail::Refused(r)
    }
}

/// A fault in our own words.
pub(crate) fn fault(words: impl Into<String>) -> Fail {
    Fail::Fault(kachi_store::Error::Engine(words.into()))
}
