//! A carrier's word on what it was asked.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a write waits at a platform where a person does the work ([`Answer::Later`]).
pub const BY_HAND: &str = "waits for a person: settle it with kachi admin intent confirm|refuse";

/// The carrier's word on a write, or why a reading was not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// Taken; not yet known to be done.
    Accepted {
        /// The carrier's number under which it can be asked for, where it gives one. Behind a blank a connector may keep with it what
        /// it will want to know then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<String>,
    },
    /// Done, says the carrier. What can be read back is read back before it counts.
    Confirmed,
    /// Was already so; counts as done.
    Already,
    /// Refused for good.
    Refused {
        /// The carrier's code.
        code: String,
        /// The carrier's words.
        reason: String,
    },
    /// Not now (cooling down, overloaded); ask again no earlier than this many seconds.
    Later {
        /// Seconds to wait, 1 or more.
        seconds: i64,
        /// The carrier's words.
        reason: String,
    },
    /// No answer, or none that says whether it was done: settled by asking, never by guessing.
    InDoubt {
        /// What was seen.
        reason: String,
    },
    /// The carrier has never heard of it: it may be sent again.
    Unknown,
    /// The login is missing, over or killed; nothing was done under it. Renew it, then ask again.
    NoLogin {
        /// The carrier's words, or ours if it was not asked.
        reason: String,
    },
}

impl fmt::Display for Answer {
    /// For the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Accepted { .. } => f.write_str("taken"),
            Answer::Confirmed => f.write_str("done"),
            Answer::Already => f.write_str("it was so already"),
            Answer::Refused { code, reason } => write!(f, "{code}: {reason}"),
            Answer::Later { seconds, reason } => write!(f, "not within {seconds} s: {reason}"),
            Answer::InDoubt { reason } => f.write_str(reason),
            Answer::Unknown => f.write_str("the carrier has never heard of it"),
            Answer::NoLogin { reason } => write!(f, "no login: {reason}"),
        }
    }
}

impl Answer {
    /// Taken, without a number to ask for.
    pub const ACCEPTED: Answer = Answer::Accepted { job: None };

    /// Whether the carrier has the last word on it: done, or refused for good.
    pub fn is_last(&self) -> bool {
        matches!(self, Answer::Confirmed | Answer::Already | Answer::Refused { .. })
    }

    /// The refusal of what a platform cannot do.
    pub fn unsupported(act: &str) -> Answer {
        Answer::Refused { code: "unsupported".into(), reason: format!("this card platform cannot {act}") }
    }

    /// The answer with `NoLogin` as an error, as [`super::logged_in`] wants it.
    pub fn or_no_login(self) -> Result<Answer, Answer> {
        if matches!(self, Answer::NoLogin { .. }) { Err(self) } else { Ok(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use crate::carrier::Ask;

    /// The log is read by people who know neither our types nor our numbers.
    #[test]
    fn words_for_the_log_are_a_persons() {
        let refused = Answer::Refused { code: "20001".into(), reason: "no such card".into() };
        let later = Answer::Later { seconds: 60, reason: "overloaded".into() };
        assert_eq!(
            (refused.to_string(), later.to_string()),
            ("20001: no such card".into(), "not within 60 s: overloaded".into())
        );
        assert_eq!(
            (Ask::Day(20_454).to_string(), Ask::State.to_string()),
            ("usage of the day 2026-01-01".into(), "state".into())
        );
    }
}
