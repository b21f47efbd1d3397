//! The connector for a platform without an interface: a person does the act in the carrier's own portal.
//!
//! Every write that a person can do is accepted and stays so, whoever asks and however often: the write intent waits,
//! visibly, until the person confirms or refuses it by command. Messages and usage counters are not for a person: they
//! are refused. The connector never says `Confirmed` by itself, sends
//! nothing and needs no login; the one it is handed comes back untouched.

use kachi_domain::carrier::{Answer, Call, Capabilities, Card, Connector, Facts, Line, Login, Request, Sent};
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
            activate: true,
            end_test: true,
            data_switch: true,
            functions: true,
            voice_list: true,
            session_reset: true,
            network: true,
            by_hand: true,
            ..Capabilities::default()
        }
    }

    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer> {
        Ok(call.login.clone())
    }

    fn submit(&self, _: &Call<'_>, request: &Request) -> Answer {
        self.capabilities().refuse(&request.write).unwrap_or(Answer::ACCEPTED)
    }

    fn look(&self, call: &Call<'_>, request: &Request, _: &Sent) -> Answer {
        self.submit(call, request)
    }

    fn read(&self, _: &Call<'_>, _: &Card, _: Facts) -> Result<Line, Answer> {
        Err(Answer::unsupported("be read"))
    }
}
