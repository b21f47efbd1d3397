//! What every carrier platform looks like from inside: capabilities and three verbs, asked with the stored login.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a connector can do; the engine asks before it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Activates packages at the carrier.
    pub subscribe: bool,
    /// Takes packages back at the carrier.
    pub unsubscribe: bool,
    /// Stops and resumes cards.
    pub stop_resume: bool,
    /// Cuts a card's session, so that its device connects anew.
    pub session_reset: bool,
    /// Switches a card to another network, and tells which one it is on.
    pub network: bool,
    /// Tells a card's usage counter.
    pub usage: bool,
    /// Sends a message to a card and tells what became of it.
    pub sms: bool,
    /// Tells what became of a write.
    pub look: bool,
    /// A person does the work and confirms it by hand.
    pub by_hand: bool,
}

impl Capabilities {
    /// Whether the act can be asked of this platform.
    pub fn can(self, write: &Write) -> bool {
        match write {
            Write::Subscribe { .. } => self.subscribe,
            Write::Unsubscribe { .. } => self.unsubscribe,
            Write::Stop | Write::Resume => self.stop_resume,
            Write::ResetSession => self.session_reset,
            Write::SwitchNetwork { .. } => self.network,
            Write::RefreshUsage => self.usage,
            Write::SendSms { .. } => self.sms,
        }
    }
}

/// The platform's stored login. A call is handed it and returns the new one; a connector keeps nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Login {
    /// The token, empty before the first login.
    pub token: String,
    /// When it stops working.
    pub expires: Option<Timestamp>,
}

/// What is asked of the carrier for one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Write {
    /// Activate a package, under our own reference.
    Subscribe {
        /// The carrier's code of the package.
        package: String,
    },
    /// Take a package back.
    Unsubscribe {
        /// The carrier's code of the package.
        package: String,
    },
    /// Cut the card off.
    Stop,
    /// Let the card on again.
    Resume,
    /// Cut the card's session; its device connects anew by itself.
    ResetSession,
    /// Let the card use this network from now on.
    SwitchNetwork {
        /// The network, as the card's product names it.
        network: String,
    },
    /// Bring the usage counter up to date; what it then shows is read with [`Connector::read`].
    RefreshUsage,
    /// Send a message to the card's device. Accepted is sent, confirmed is delivered.
    SendSms {
        /// What it says.
        text: String,
    },
}

/// A write for one card, with the reference under which its outcome can be asked for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Our reference; the same for every try of the same act.
    pub reference: String,
    /// The card.
    pub iccid: String,
    /// The act.
    pub write: Write,
}

/// The carrier's word on a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// Taken; not yet known to be done.
    Accepted,
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
        /// Seconds to wait.
        seconds: i64,
        /// The carrier's words.
        reason: String,
    },
    /// No answer, or none that says whether it was done: settled by asking, never by guessing.
    InDoubt {
        /// What was seen.
        reason: String,
    },
    /// The carrier has never heard of the reference.
    Unknown,
}

/// What a carrier tells of a card. What it does not tell is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// The network it may use, as its product names it.
    pub network: Option<String>,
    /// Since when its present session is up.
    pub session: Option<Timestamp>,
    /// Its usage counter.
    pub counter: Option<Counter>,
}

/// A carrier's own count of a card's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Bytes since the carrier began to count.
    pub bytes: i64,
    /// When that was so.
    pub as_of: Timestamp,
}

/// One carrier platform's client. State lives outside: each call takes the login and returns the new one.
pub trait Connector: Send + Sync {
    /// What this platform can do.
    fn capabilities(&self) -> Capabilities;
    /// Sends a write. `now` is the caller's clock.
    fn submit(&self, login: Login, request: &Request, now: Timestamp) -> (Answer, Login);
    /// Asks what became of an earlier write.
    fn look(&self, login: Login, request: &Request, now: Timestamp) -> (Answer, Login);
    /// Reads a card as it is at the carrier. The error is `Refused`, `Later` or `InDoubt`.
    fn read(&self, login: Login, iccid: &str, now: Timestamp) -> (Result<Line, Answer>, Login);
}
