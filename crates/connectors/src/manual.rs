//! The connector for a platform without an interface: a person does the act in the carrier's own portal.
//!
//! Every write that a person can do is accepted and stays so, whoever asks and however often: the write intent waits,
//! visibly, until the person confirms or refuses it by command. Messages and usage counters are not for a person: they
//! are refused. The connector never says `Confirmed` by itself, sends
//! nothing and needs no login; the one it is handed comes back untouched.

use kachi_domain::carrier::{Answer, Capabilities, Connector, Line, Login, Request};
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
        Capabilities {
            subscribe: true,
            unsubscribe: true,
            stop_resume: true,
            session_reset: true,
            network: true,
            usage: false,
            sms: false,
            look: false,
            by_hand: true,
        }
    }

    fn submit(&self, login: Login, request: &Request, _: Timestamp) -> (Answer, Login) {
        (crate::unable(self.capabilities(), &request.write).unwrap_or(Answer::Accepted), login)
    }

    fn look(&self, login: Login, request: &Request, now: Timestamp) -> (Answer, Login) {
        self.submit(login, request, now)
    }

    fn read(&self, login: Login, _: &str, _: Timestamp) -> (Result<Line, Answer>, Login) {
        (Err(crate::unsupported("be read")), login)
    }
}
