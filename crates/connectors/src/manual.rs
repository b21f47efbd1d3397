//! The connector for a platform without an interface: a person does the act in the carrier's own portal.
//!
//! Every write is accepted and stays so, whoever asks and however often: the write intent waits, visibly, until the
//! person confirms or refuses it by command. The connector never says `Confirmed` or `Refused` by itself, sends
//! nothing and needs no login; the one it is handed comes back untouched.

use kachi_domain::carrier::{Answer, Capabilities, Connector, Login, Request};
use kachi_domain::time::Timestamp;
use serde_json::{Map, Value};

/// A person with the carrier's portal.
#[derive(Debug, Clone, Copy)]
pub struct Manual;

impl Manual {
    /// There is nothing to set.
    pub fn open(settings: &Map<String, Value>) -> Result<Manual, String> {
        settings.keys().next().map_or(Ok(Manual), |key| Err(crate::unknown_key(key, &[])))
    }
}

impl Connector for Manual {
    fn capabilities(&self) -> Capabilities {
        Capabilities { subscribe: true, unsubscribe: true, stop_resume: true, look: false, by_hand: true }
    }

    fn submit(&self, login: Login, _: &Request, _: Timestamp) -> (Answer, Login) {
        (Answer::Accepted, login)
    }

    fn look(&self, login: Login, _: &Request, _: Timestamp) -> (Answer, Login) {
        (Answer::Accepted, login)
    }
}
