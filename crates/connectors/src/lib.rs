//! Clients of the carriers' platforms, one module each, all behind [`Connector`].
//!
//! The engine opens a connector by name, asks what it can do and hands it one write at a time. What a connector
//! promises: a call works with the login it is handed and says `NoLogin` when that is over; a write is `Accepted` only if
//! the carrier took it; an answer that does not say whether it was taken is `InDoubt`, and [`Connector::look`] settles it;
//! a reference submitted twice is taken once; an act outside its capabilities is `Refused` before anything is sent;
//! [`Connector::read`] tells a card as it is and changes nothing.
//! `tests/contract/` holds every connector of [`NAMES`] to this.
//!
//! What it does not: keep state, retry later, decide anything, or read a clock.

use kachi_domain::carrier::{Answer, Connector};
use serde_json::{Map, Value};

pub mod manual;
pub mod sandbox;

/// Every connector, in the order the documentation lists them.
pub const NAMES: &[&str] = &["manual", "sandbox"];

/// Opens the connector of that name with a card platform's settings (an object, or null for none).
///
/// `world` is the network of [`sandbox`]; the others do not touch it. An unknown name, an unknown key or a bad value
/// is an error that says which and what is possible.
pub fn open(connector: &str, settings: &Value, world: &sandbox::World) -> Result<Box<dyn Connector>, String> {
    let none = Map::new();
    let settings = match settings {
        Value::Null => &none,
        Value::Object(keys) => keys,
        other => return Err(format!("connector {connector}: settings must be an object, not {other}")),
    };
    let opened: Result<Box<dyn Connector>, String> = match connector {
        "manual" => manual::Manual::open(settings).map(|c| Box::new(c) as _),
        "sandbox" => sandbox::Sandbox::open(settings, world).map(|c| Box::new(c) as _),
        _ => return Err(format!("there is no connector \"{connector}\"; there are: {}", NAMES.join(", "))),
    };
    opened.map_err(|e| format!("connector {connector}: {e}"))
}

/// The error for a settings key that does not exist.
fn unknown_key(key: &str, keys: &[&str]) -> String {
    match keys {
        [] => format!("unknown key \"{key}\"; it has no settings"),
        _ => format!("unknown key \"{key}\"; the keys are: {}", keys.join(", ")),
    }
}

/// The refusal of a batch that is larger than the platform takes.
fn bound(cards: usize, most: u16) -> Result<(), Answer> {
    match most {
        0 => Err(Answer::unsupported("be asked about many cards at once")),
        most if cards > usize::from(most) => {
            let reason = format!("{cards} cards at once, at most {most}");
            Err(Answer::Refused { code: "too many".into(), reason })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(connector: &str, settings: Value) -> String {
        open(connector, &settings, &sandbox::World::default()).err().expect("an error")
    }

    #[test]
    fn every_name_opens_without_settings() {
        for name in NAMES {
            for settings in [Value::Null, json!({})] {
                assert!(open(name, &settings, &sandbox::World::default()).is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn errors_say_which_and_what_is_possible() {
        assert_eq!(error("sandbx", json!({})), "there is no connector \"sandbx\"; there are: manual, sandbox");
        assert_eq!(error("manual", json!({"lag": 1})), "connector manual: unknown key \"lag\"; it has no settings");
        assert!(
            error("sandbox", json!({"lag": 1})).starts_with("connector sandbox: unknown key \"lag\"; the keys are: account, ")
        );
        assert_eq!(error("manual", json!([])), "connector manual: settings must be an object, not []");
    }
}
