//! The sandbox: a carrier platform that exists only inside the process, for demos, trials and tests.
//!
//! [`Sandbox`] is the client and, like every connector, keeps nothing; [`World`] is the far side of its wire: logins,
//! cards, jobs and faults, handed in when the connector is opened as if it were the network. Writes come true
//! `lag_seconds` after they were taken, cards cool down, tokens expire and kill one another, and each [`Fault`] can be
//! asked for. All is deterministic: `now` comes with the call, and `seed` only shifts which write meets which fault.
//!
//! It promises what every connector promises, and that [`World::effects`] counts what really happened. It does not
//! outlive its process: after a restart the carrier has forgotten every token and reference, so a stored login is
//! refused and an open write is `Unknown`. The world grows with the references it has seen.

mod card;
mod fault;
mod settings;
mod world;

pub use card::Card;
pub use fault::Fault;
pub use settings::Settings;
pub use world::World;

use kachi_domain::carrier::{
    Answer, Ask, Call, Capabilities, Card as Named, Changes, Connector, Facts, Line, Login, Request, Sent, Uplink,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use world::Reply;

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

    /// Makes a request with the login that was handed in; one that is over is not tried.
    fn ask(&self, call: &Call<'_>, send: impl FnOnce(&str) -> Reply) -> Result<Reply, Answer> {
        if !call.login.is_live(call.now) {
            return Err(Answer::NoLogin { reason: "there is no live login".into() });
        }
        call.next()?;
        Ok(send(&call.login.token))
    }

    fn word(&self, call: &Call<'_>, request: &Request, send: impl FnOnce(&str) -> Reply) -> Answer {
        match self.capabilities().refuse(&request.write) {
            Some(refused) => refused,
            None => self.ask(call, send).map_or_else(|not_asked| not_asked, answer),
        }
    }
}

impl Connector for Sandbox {
    fn capabilities(&self) -> Capabilities {
        self.settings.capabilities
    }

    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer> {
        call.next()?;
        Ok(self.world.login(&self.settings, call.now))
    }

    fn submit(&self, call: &Call<'_>, request: &Request) -> Answer {
        self.word(call, request, |token| self.world.write(&self.settings, token, request, call.now))
    }

    fn submit_many(&self, call: &Call<'_>, requests: &[Request]) -> Vec<Answer> {
        let can = self.capabilities();
        if can.submit_batch < 2 || requests.iter().any(|r| can.refuse(&r.write).is_some() || r.write != requests[0].write) {
            return requests.iter().map(|request| self.submit(call, request)).collect();
        }
        let mut told = BTreeMap::new();
        let mut rest = vec![requests.to_vec()];
        while let Some(some) = rest.pop() {
            match self.ask(call, |token| self.world.write_many(&self.settings, token, &some, call.now)) {
                Ok(Reply::Many(replies)) => {
                    told.extend(some.iter().map(|r| r.reference.clone()).zip(replies.into_iter().map(answer)));
                }
                // One cools down, and nothing was taken for any: by halves, so that it is left by itself.
                Ok(Reply::Busy { .. }) if some.len() > 1 => {
                    let (first, second) = some.split_at(some.len() / 2);
                    rest.extend([second.to_vec(), first.to_vec()]);
                }
                reply => {
                    let answer = reply.map_or_else(|not_asked| not_asked, answer);
                    told.extend(some.iter().map(|r| (r.reference.clone(), answer.clone())));
                }
            }
        }
        let unasked = || Answer::InDoubt { reason: "two writes under one reference".into() };
        requests.iter().map(|r| told.get(&r.reference).cloned().unwrap_or_else(unasked)).collect()
    }

    fn look(&self, call: &Call<'_>, request: &Request, _: &Sent) -> Answer {
        self.word(call, request, |token| self.world.look(&self.settings, token, request, call.now))
    }

    fn read(&self, call: &Call<'_>, card: &Named, wanted: Facts) -> Result<Line, Answer> {
        let can = self.capabilities();
        match self.ask(call, |token| self.world.read(&self.settings, token, (card, wanted), call.now))? {
            Reply::Line(line) => {
                let line = *line;
                Ok(Line { network: line.network.filter(|_| can.network), counter: line.counter.filter(|_| can.usage), ..line })
            }
            other => Err(answer(other)),
        }
    }

    fn read_many(&self, call: &Call<'_>, cards: &[Named], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        let batches = self.capabilities().batches;
        let most = match ask {
            Ask::State => batches.state,
            Ask::Day(_) => batches.day,
            Ask::Month(_) => batches.month,
        };
        crate::bound(cards.len(), most)?;
        match self.ask(call, |token| self.world.read_many(&self.settings, token, (cards, ask), call.now))? {
            Reply::Lines(lines) => Ok(lines.into_iter().map(Ok).collect()),
            other => Err(answer(other)),
        }
    }

    fn changes(&self, call: &Call<'_>, day: i64, _: Option<&str>) -> Result<Changes, Answer> {
        if !self.capabilities().changes {
            return Err(Answer::unsupported("tell what changed"));
        }
        match self.ask(call, |token| self.world.changes(&self.settings, token, day, call.now))? {
            Reply::Changes(changes) => Ok(Changes { changes, next: None }),
            other => Err(answer(other)),
        }
    }

    fn tells_uplinks(&self) -> bool {
        true
    }

    fn uplinks(&self, call: &Call<'_>, cards: &[Named]) -> Result<Vec<Uplink>, Answer> {
        match self.ask(call, |token| self.world.uplinks(&self.settings, token, cards, call.now))? {
            Reply::Uplinks(uplinks) => Ok(uplinks),
            other => Err(answer(other)),
        }
    }
}

fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::Taken => Answer::ACCEPTED,
        Reply::Done => Answer::Confirmed,
        Reply::AlreadySo => Answer::Already,
        Reply::Refused { code, reason } => Answer::Refused { code, reason },
        Reply::Busy { seconds, reason } => Answer::Later { seconds, reason },
        Reply::TokenRefused => Answer::NoLogin { reason: "12021 token refused".into() },
        Reply::NeverHeard => Answer::Unknown,
        Reply::Line(_) | Reply::Lines(_) | Reply::Changes(_) | Reply::Uplinks(_) | Reply::Many(_) => {
            Answer::InDoubt { reason: "another question was answered".into() }
        }
        Reply::Silence => Answer::InDoubt { reason: "no answer in time".into() },
        Reply::Noise(text) => Answer::InDoubt { reason: format!("unreadable answer: {text}") },
    }
}
