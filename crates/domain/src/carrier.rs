//! What every carrier platform looks like from inside: what it can do, what it is asked, and its answers.
//!
//! A connector keeps nothing. Each call is handed the platform's stored login, the time and numbers that no other call on
//! the platform has, in whatever process; it answers in the words of this file. It never renews a login by itself: a
//! missing or dead one is answered with [`Answer::NoLogin`], so that whoever asks can have one refresher an account.

use crate::cdr::{self, Feed};
use crate::time::{Timestamp, day_text};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::fmt;

mod answer;
mod can;
mod count;
mod cycle;
mod heard;
mod line;
mod matter;
mod pace;
mod sight;
mod write;

pub use answer::{Answer, BY_HAND};
pub use can::{Batches, Capabilities, Fact, Facts};
pub use count::{Count, Of};
pub use cycle::{Cycle, Month};
pub use heard::Heard;
pub use line::{Apn, Bought, Counter, Line, Period, Session, Spoken, Standing, Stop};
pub use matter::Matter;
pub use pace::{Bucket, Grant, Pace, Purpose};
pub use sight::Sight;
pub use write::{Card, Function, Request, Sent, Write};

/// The carrier of products whose cards are international ones (EIOTCLUB: operator 5).
pub const INTERNATIONAL: &str = "INTL";

/// Requests that one call may make, at most.
pub const REQUESTS_MAX: u32 = 100;

/// Logins that one question asks for, at most: a missing one, and one that another client killed meanwhile.
pub const RENEWALS_MAX: u32 = 2;

/// Seconds to wait when the platform refuses our login: a person has to look.
pub const LOGIN_REFUSED_SECONDS: i64 = 600;

/// The platform's stored login. A call is handed it; a new one comes from [`Connector::renew`] alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Login {
    /// The token, empty before the first login.
    pub token: String,
    /// When it is to be renewed: a margin before it stops working.
    pub expires: Option<Timestamp>,
}

impl Login {
    /// Whether it may still work. That another login has killed it is known only by asking.
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.token.is_empty() && self.expires.is_none_or(|end| now < end)
    }
}

/// The circumstances of one call, the count of requests it made, and whether the last of them got an answer.
#[derive(Debug)]
pub struct Call<'a> {
    /// The platform's login as it is stored.
    pub login: &'a Login,
    /// The caller's clock.
    pub now: Timestamp,
    number: u64,
    requests_max: u32,
    requests: Cell<u32>,
    unanswered: RefCell<Option<String>>,
}

impl<'a> Call<'a> {
    /// A call with a number that no other call on this platform has, in whatever process, ever.
    pub fn new(login: &'a Login, now: Timestamp, number: u64) -> Call<'a> {
        Call { login, now, number, requests_max: REQUESTS_MAX, requests: Cell::new(0), unanswered: RefCell::default() }
    }

    /// The same, making at most this many requests: what the platform's rate budget has left.
    pub fn limited(self, requests_max: u32) -> Call<'a> {
        Call { requests_max: requests_max.min(REQUESTS_MAX), ..self }
    }

    /// The number of the next request, before it is sent: unlike that of every other request on the platform. The error
    /// is `Later`: the call may make no further one.
    pub fn next(&self) -> Result<u64, Answer> {
        let made = self.requests.get();
        if made >= self.requests_max {
            return Err(Answer::Later { seconds: 1, reason: format!("the call may make {made} requests and needs more") });
        }
        self.requests.set(made + 1);
        Ok(self.number.wrapping_mul(u64::from(REQUESTS_MAX)).wrapping_add(u64::from(made)))
    }

    /// How many requests it made.
    pub fn requests(&self) -> u32 {
        self.requests.get()
    }

    /// Notes whether a request got an answer, whatever that says of cards; if not, why, in words that hold nothing of what
    /// was sent or came back.
    pub fn note(&self, unanswered: Option<String>) {
        self.unanswered.replace(unanswered);
    }

    /// Why its last request got no answer; none: it got one, or none was made.
    pub fn unanswered(&self) -> Option<String> {
        self.unanswered.borrow().clone()
    }
}

/// What [`Connector::read_many`] asks about many cards at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Where each stands.
    State,
    /// Data of one day in China, days since 1970-01-01.
    Day(i64),
    /// Data of one of the platform's billing months.
    Month(Month),
}

impl fmt::Display for Ask {
    /// For the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::State => f.write_str("state"),
            Ask::Day(day) => write!(f, "usage of the day {}", day_text(*day)),
            Ask::Month(month) => write!(f, "usage of the month {month}"),
        }
    }
}

/// A card as the carrier tells it has changed; of its numbers those that are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Card number.
    pub iccid: Option<String>,
    /// Telephone number.
    pub msisdn: Option<String>,
    /// How it stands now, if that is told; else it is to be read.
    pub standing: Option<Standing>,
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The cards.
    pub changes: Vec<Change>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<String>,
}

/// A call that the carrier makes to us.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// What stands behind the `?`.
    pub query: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body as it came.
    pub body: &'a [u8],
}

/// What a carrier tells by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A card changed.
    Changed(Change),
    /// What became of a message, or of an order for a package.
    Message {
        /// The job under which it was accepted.
        job: String,
        /// The word on it.
        answer: Answer,
    },
    /// A card's device wrote.
    Wrote(Uplink),
}

/// A message from a card's device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// The carrier's number of it: the same message may come again under it.
    pub id: String,
    /// The card, by whichever number is told.
    pub card: String,
    /// The number it was sent to.
    pub to: String,
    /// What it says.
    pub text: String,
    /// When it was sent, or told.
    pub at: Timestamp,
}

/// One carrier platform's client. State lives outside: each call is handed what it needs.
///
/// Errors of reads are `Refused`, `Later`, `InDoubt` or `NoLogin`. What is outside of [`Connector::capabilities`] is
/// `Refused` before anything is sent.
pub trait Connector: Send + Sync {
    /// What this platform can do.
    fn capabilities(&self) -> Capabilities;
    /// Logs in. Where one account has one live token this kills the last one: one refresher an account.
    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer>;
    /// Sends a write.
    fn submit(&self, call: &Call<'_>, request: &Request) -> Answer;
    /// Sends writes of the same act for at most [`Capabilities::submit_batch`] cards; an answer for each, in their order.
    /// One that the carrier does not take for itself never holds up the others: they are `Later`.
    fn submit_many(&self, call: &Call<'_>, requests: &[Request]) -> Vec<Answer> {
        requests.iter().map(|request| self.submit(call, request)).collect()
    }
    /// Asks what became of an earlier write; `sent` is what is known of it. `Unknown`: it may be sent again.
    fn look(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Answer;
    /// Reads of a card what is wanted and can be told; the rest of the answer is empty.
    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer>;
    /// How many requests such a reading makes, at most.
    fn cost(&self, wanted: Facts) -> u32 {
        let _ = wanted;
        1
    }
    /// Reads one fact of many cards, and what else the same answer tells of them, at most as many as [`Capabilities::batches`] says; an answer for each, in their order.
    fn read_many(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        let _ = (call, cards, ask);
        Err(Answer::unsupported("be read card by card only"))
    }
    /// Cards that changed on the China day `day` (days since 1970-01-01) or since its start, from a page on.
    fn changes(&self, call: &Call<'_>, day: i64, from: Option<&str>) -> Result<Changes, Answer> {
        let _ = (call, day, from);
        Err(Answer::unsupported("tell what changed"))
    }
    /// Messages that devices of these cards sent; the same ones may come again. Nothing where the carrier has no such question.
    fn uplinks(&self, call: &Call<'_>, cards: &[Card]) -> Result<Vec<Uplink>, Answer> {
        let _ = (call, cards);
        Ok(Vec::new())
    }
    /// Whether the platform tells of cards one by one what their devices wrote ([`Connector::uplinks`]).
    fn tells_uplinks(&self) -> bool {
        false
    }
    /// Whether the platform hands out news once, to whoever asks first ([`Connector::waiting`]).
    fn hands_out(&self) -> bool {
        false
    }
    /// What the platform hands out once: what became of messages, and what devices wrote.
    fn waiting(&self, call: &Call<'_>) -> Result<Vec<News>, Answer> {
        let _ = call;
        Ok(Vec::new())
    }
    /// Reads what the carrier tells by itself; one that is not the carrier's is refused.
    fn read_callback(&self, callback: &Callback<'_>, now: Timestamp) -> Result<Vec<News>, Answer> {
        let _ = (callback, now);
        Err(Answer::unsupported("tell anything by itself"))
    }
    /// Reads a CDR file of this carrier, line by line. Where it has no form of its own, it is the one of the domain.
    fn read_cdrs(&self, file: &[u8], each: &mut dyn FnMut(cdr::Line<'_>)) {
        let mut feed = Feed::new();
        feed.block(file, &mut |line| each(line));
        feed.finish(&mut |line| each(line));
    }
}

/// Makes a call with a login that works: a missing one is renewed, one that then is killed once more, and the call made again. `number` hands out
/// numbers as [`Call::new`] wants them. A login that is refused is `Later`: it says nothing of what was asked. For callers that
/// are alone with the account.
pub fn logged_in<T>(
    connector: &dyn Connector,
    login: &mut Login,
    now: Timestamp,
    number: &mut dyn FnMut() -> u64,
    ask: &dyn Fn(&Call<'_>) -> Result<T, Answer>,
) -> Result<T, Answer> {
    let mut told = ask(&Call::new(login, now, number()));
    for _ in 0..RENEWALS_MAX {
        if !matches!(told, Err(Answer::NoLogin { .. })) {
            break;
        }
        *login = match connector.renew(&Call::new(login, now, number())) {
            Ok(renewed) => renewed,
            Err(Answer::Refused { code, reason }) => {
                let reason = format!("the platform refuses our login: {code} {reason}");
                return Err(Answer::Later { seconds: LOGIN_REFUSED_SECONDS, reason });
            }
            Err(other) => return Err(other),
        };
        told = ask(&Call::new(login, now, number()));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_all_calls_have_numbers_of_their_own_and_an_end() {
        let login = Login::default();
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..50 {
            let call = Call::new(&login, Timestamp(0), number);
            while let Ok(n) = call.next() {
                assert!(seen.insert(n), "{n} twice");
            }
            assert_eq!(call.requests(), REQUESTS_MAX);
        }
        let call = Call::new(&login, Timestamp(0), 50).limited(1);
        assert!(call.next().is_ok() && matches!(call.next(), Err(Answer::Later { .. })));
    }

    #[test]
    fn a_login_lives_until_its_end() {
        let login = |token: &str, end: Option<i64>| Login { token: token.into(), expires: end.map(Timestamp) };
        assert!(login("t", None).is_live(Timestamp(5)) && login("t", Some(6)).is_live(Timestamp(5)));
        assert!(!login("t", Some(5)).is_live(Timestamp(5)) && !login("", Some(6)).is_live(Timestamp(5)));
    }
}
