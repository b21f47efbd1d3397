//! What can go wrong at the virtual carrier, by name.
//!
//! A fault strikes one new write: either the next that comes ([`super::World::fail`]) or every n-th by the settings.
//! A reference the carrier already took is answered from its job and meets no fault. A reading meets one only if asked
//! for ([`super::World::fail_read`]): the token killed, overloaded, noise, or no answer for any other.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A fault; in settings its name alone, or `{"name": {..}}` with its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The token dies just before the write arrives; nothing is taken under it.
    TokenKilled,
    /// The card cools down: not now, for this many seconds.
    Cooling {
        /// Seconds until the card takes writes again.
        #[serde(default = "cooling_seconds")]
        seconds: i64,
    },
    /// Refused for good, and remembered as refused.
    Refused {
        /// The carrier's code.
        #[serde(default = "refused_code")]
        code: String,
        /// The carrier's words.
        #[serde(default = "refused_reason")]
        reason: String,
    },
    /// Taken and done as usual, but the answer never arrives.
    AppliedTimedOut,
    /// Accepted and never done.
    NeverApplied {
        /// Seconds after which the carrier no longer knows the reference; none: it says "accepted" for ever.
        #[serde(default)]
        forget_seconds: Option<i64>,
    },
    /// Lost on the way: no answer, nothing taken.
    Lost,
    /// The platform is overloaded and takes nothing.
    Overloaded {
        /// Seconds it asks to wait.
        #[serde(default = "overloaded_seconds")]
        seconds: i64,
    },
    /// Taken and done as usual, but the answer is noise.
    Garbage,
    /// Said to be done, and nothing was.
    Hollow,
}

impl Fault {
    /// Every fault's name.
    pub const NAMES: &[&str] =
        &["token_killed", "cooling", "refused", "applied_timed_out", "never_applied", "lost", "overloaded", "garbage", "hollow"];

    /// Reads a name, or a name with its figures.
    pub fn read(value: &Value) -> Result<Fault, String> {
        let fault = match value {
            Value::String(name) if !Fault::NAMES.contains(&name.as_str()) => Err(String::new()),
            Value::String(name) => serde_json::from_value(value.clone())
                .or_else(|_| serde_json::from_value(json!({ name: {} })))
                .map_err(|e| format!(" ({e})")),
            _ => serde_json::from_value(value.clone()).map_err(|e| format!(" ({e})")),
        };
        let fault = fault.map_err(|why| format!("{value} is not a fault{why}; the faults are: {}", Fault::NAMES.join(", ")))?;
        match fault {
            Fault::Cooling { seconds }
            | Fault::Overloaded { seconds }
            | Fault::NeverApplied { forget_seconds: Some(seconds) }
                if seconds < 1 =>
            {
                Err(format!("{value}: its seconds must be 1 or more"))
            }
            fault => Ok(fault),
        }
    }
}

fn cooling_seconds() -> i64 {
    180
}

fn overloaded_seconds() -> i64 {
    30
}

fn refused_code() -> String {
    "12089".into()
}

fn refused_reason() -> String {
    "operation not allowed in the present state".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_alone() {
        for name in Fault::NAMES {
            Fault::read(&json!(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }

    #[test]
    fn figures_are_read_and_checked() {
        assert_eq!(Fault::read(&json!({"overloaded": {"seconds": 5}})), Ok(Fault::Overloaded { seconds: 5 }));
        assert_eq!(
            Fault::read(&json!({"never_applied": {"forget_seconds": 9}})),
            Ok(Fault::NeverApplied { forget_seconds: Some(9) })
        );
        assert!(Fault::read(&json!({"cooling": {"seconds": 0}})).unwrap_err().ends_with("must be 1 or more"));
        assert!(Fault::read(&json!({"cooling": {"minutes": 1}})).unwrap_err().contains("minutes"));
        assert!(Fault::read(&json!("fire")).unwrap_err().starts_with("\"fire\" is not a fault; the faults are: token_killed"));
    }
}
