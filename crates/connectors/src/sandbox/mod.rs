//! The sandbox: a carrier platform that exists only inside the process, for demos, trials and tests.
//!
//! [`Sandbox`] is the client and, like every connector, keeps nothing; [`World`] is the far side of its wire: logins,
//! cards, jobs and faults, handed in when the connector is opened as if it were the network. Writes come true
//! `lag_seconds` after they were taken, cards cool down, tokens expire and kill one another, and each [`Fault`] can be
//! asked for. All is deterministic: `now` comes with the call, and `seed` only shifts which write meets which fault.
//!
//! It promises what every connector promises, and that [`World::effects`] counts what really happened. It does not
//! outlive its process: after a restart the carrier has forgotten every token and reference, so a stored login is
//! renewed and an open write is `Unknown`. The world grows with the references it has seen.

mod card;
mod fault;
mod settings;
mod world;

pub use card::Card;
pub use fault::Fault;
pub use settings::Settings;
pub use world::World;

use kachi_domain::carrier::{Answer, Capabilities, Connector, Line, Login, Request};
use kachi_domain::time::Timestamp;
use serde_json::{Map, Value};
use world::Reply;

/// Seconds to wait when every fresh token was refused: another client logs in at the same time.
const LOGIN_LATER_SECONDS: i64 = 1;

/// The client of the virtual carrier.
#[derive(Debug, Clone)]
pub struct Sandbox {
    settings: Settings,
    world: World,
}

impl Sandbox {
    /// Reads the settings and remembers the way to the world.
    pub fn open(settings: &Map<String, Value>, world: &World) -> Result<Sandbox, String> {
        Ok(Sandbox { settings: Settings::read(settings)?, world: world.clone() })
    }

    /// Makes a call with a login that works: a missing or expired one is renewed first, a refused one once.
    fn call(&self, login: Login, now: Timestamp, send: impl Fn(&str) -> Reply) -> (Reply, Login) {
        let usable = !login.token.is_empty() && login.expires.is_some_and(|end| now < end);
        let mut login = if usable { login } else { self.world.login(&self.settings, now) };
        let mut reply = send(&login.token);
        if matches!(reply, Reply::TokenRefused) {
            login = self.world.login(&self.settings, now);
            reply = send(&login.token);
        }
        (reply, login)
    }
}

impl Connector for Sandbox {
    fn capabilities(&self) -> Capabilities {
        self.settings.capabilities
    }

    fn submit(&self, login: Login, request: &Request, now: Timestamp) -> (Answer, Login) {
        match crate::unable(self.capabilities(), &request.write) {
            Some(refused) => (refused, login),
            None => answered(self.call(login, now, |token| self.world.write(&self.settings, token, request, now))),
        }
    }

    fn look(&self, login: Login, request: &Request, now: Timestamp) -> (Answer, Login) {
        match crate::unable(self.capabilities(), &request.write) {
            Some(refused) => (refused, login),
            None => answered(self.call(login, now, |token| self.world.look(&self.settings, token, request, now))),
        }
    }

    fn read(&self, login: Login, iccid: &str, now: Timestamp) -> (Result<Line, Answer>, Login) {
        let can = self.capabilities();
        let (reply, login) = self.call(login, now, |token| self.world.read(&self.settings, token, iccid, now));
        let line = match reply {
            Reply::Line(line) => Ok(Line {
                network: line.network.filter(|_| can.network),
                session: line.session,
                counter: line.counter.filter(|_| can.usage),
            }),
            other => Err(answer(other)),
        };
        (line, login)
    }
}

fn answered((reply, login): (Reply, Login)) -> (Answer, Login) {
    (answer(reply), login)
}

fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::Taken => Answer::Accepted,
        Reply::Done => Answer::Confirmed,
        Reply::AlreadySo => Answer::Already,
        Reply::Refused { code, reason } => Answer::Refused { code, reason },
        Reply::Busy { seconds, reason } => Answer::Later { seconds, reason },
        Reply::TokenRefused => {
            Answer::Later { seconds: LOGIN_LATER_SECONDS, reason: "12021 token refused right after the login".into() }
        }
        Reply::NeverHeard => Answer::Unknown,
        Reply::Line(_) => Answer::InDoubt { reason: "a card was told where a write was asked about".into() },
        Reply::Silence => Answer::InDoubt { reason: "no answer in time".into() },
        Reply::Noise(text) => Answer::InDoubt { reason: format!("unreadable answer: {text}") },
    }
}
