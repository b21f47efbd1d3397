//! Clients of the carriers' platforms, one module each, all behind [`Connector`].
//!
//! The engine opens a connector by name, asks what it can do and hands it one write at a time. What a connector
//! promises: a call works with the login it is handed and says `NoLogin` when that is over; a login that the platform refuses
//! refuses no write and leaves none in doubt: it is `Later`, for nothing was taken; a write is `Accepted` only if
//! the carrier took it; an answer that does not say whether it was taken is `InDoubt`, and [`Connector::look`] settles it, for
//! which a question that is refused is no word on the write; what must not be done twice (an order, a message), and what the card
//! shows afterwards, is `Later` only if it was not taken;
//! a reference submitted twice is taken once; an act outside its capabilities is `Refused` before anything is sent;
//! [`Connector::read`] tells a card as it is and changes nothing.
//! `tests/contract/` holds every connector of [`NAMES`] to this.
//!
//! What it does not: keep state, retry later, decide anything, or read a clock.

use kachi_domain::address::Addresses;
use kachi_domain::carrier::{Answer, Capabilities, Connector, Purpose, Request, Sent, Write};
use kachi_domain::time::{DEFAULT_ZONE, Timestamp, Zone};
use serde_json::{Map, Value};

mod amount;
pub mod cardboss;
pub mod ctwing;
pub mod eiotclub;
mod http;
pub mod jasper;
mod json;
mod keys;
pub mod manual;
pub mod onelink;
mod order;
mod plans;
pub mod sandbox;
mod speeds;
mod telecom;
pub mod telecom_des;
pub mod unicom;

/// Every connector, in the order the documentation lists them.
pub const NAMES: &[&str] = &["manual", "sandbox", "onelink", "ctwing", "telecom_des", "unicom", "jasper", "eiotclub", "cardboss"];

/// Opens the connector of that name with a card platform's settings (an object, or null for none).
///
/// The key `stop_cards` (true or false) is the engine's, of every platform: whether its cards are stopped when their packages are
/// used up.
///
/// Every connector that makes requests has the keys of their rate besides its own: `requests_per_second` or
/// `requests_per_minute` (0: any number), `requests_burst` (how many at once after a quiet while), `requests_per_day` (0: any
/// number) and `requests_kept_percent` (of burst and day, for what somebody waits for).
///
/// `world` is the network of [`sandbox`]; the others do not touch it, and dial what `addresses` permits. An unknown name, an
/// unknown key or a bad value is an error that says which and what is possible.
pub fn open(
    connector: &str,
    settings: &Value,
    world: &sandbox::World,
    addresses: &Addresses,
) -> Result<Box<dyn Connector>, String> {
    let mut settings = match settings {
        Value::Null => Map::new(),
        Value::Object(keys) => keys.clone(),
        other => return Err(format!("connector {connector}: settings must be an object, not {other}")),
    };
    if let Some(other) = settings.remove("stop_cards").filter(|value| !value.is_boolean()) {
        return Err(format!("connector {connector}: stop_cards: {other} is not true or false"));
    }
    let settings = &settings;
    let opened: Result<Box<dyn Connector>, String> = match connector {
        "manual" => manual::Manual::open(settings).map(|c| Box::new(c) as _),
        "sandbox" => sandbox::Sandbox::open(settings, world).map(|c| Box::new(c) as _),
        "onelink" => onelink::OneLink::open(settings, addresses).map(|c| Box::new(c) as _),
        "ctwing" => ctwing::CtWing::open(settings, addresses).map(|c| Box::new(c) as _),
        "telecom_des" => telecom_des::TelecomDes::open(settings, addresses).map(|c| Box::new(c) as _),
        "unicom" => unicom::Unicom::open(settings, addresses).map(|c| Box::new(c) as _),
        "jasper" => jasper::Jasper::open(settings, addresses).map(|c| Box::new(c) as _),
        "eiotclub" => eiotclub::Eiotclub::open(settings, addresses).map(|c| Box::new(c) as _),
        "cardboss" => cardboss::CardBoss::open(settings, addresses).map(|c| Box::new(c) as _),
        _ => return Err(format!("there is no connector \"{connector}\"; there are: {}", NAMES.join(", "))),
    };
    let opened = opened.and_then(|c| wide_enough(c.as_ref()).map(|()| c));
    opened.map_err(|e| format!("connector {connector}: {e}"))
}

/// Refuses a rate at which a card could never be read: what is not kept for acts must be enough for all that is told of one.
fn wide_enough(connector: &dyn Connector) -> Result<(), String> {
    let can = connector.capabilities();
    let (needed, free) = (i64::from(connector.cost(can.facts)), can.pace.at_once(Purpose::Sync));
    if needed <= free {
        return Ok(());
    }
    Err(format!(
        "requests_burst: reading a card makes {needed} requests, and {free} are left at once beside those kept for acts; raise it"
    ))
}

/// The error for a settings key that does not exist.
fn unknown_key(key: &str, keys: &[&str]) -> String {
    match keys {
        [] => format!("unknown key \"{key}\"; it has no settings"),
        _ => format!("unknown key \"{key}\"; the keys are: {}", keys.join(", ")),
    }
}

/// Seconds to wait with a write before which something could not be read.
const AGAIN_SECONDS: i64 = 5;

/// What platforms say when they are in trouble and do not say more, in small letters.
const TROUBLE: [&str; 14] = [
    "系统错误",
    "系统异常",
    "系统内部错误",
    "系统繁忙",
    "系统忙",
    "未知错误",
    "未知异常",
    "其他错误",
    "其它错误",
    "system error",
    "system busy",
    "internal error",
    "server error",
    "unknown error",
];

/// Whether a platform's words say that it is in trouble, and not what it makes of the request.
fn in_trouble(words: &str) -> bool {
    let lower = words.to_lowercase();
    TROUBLE.iter().any(|w| lower.contains(w))
}

/// A refusal under a code that has no class of its own, shown as it is. One whose words say no more than that the platform is in trouble does
/// not say whether a write was taken; a question is asked again.
fn refused(code: &str, words: &str) -> Answer {
    match words {
        "" => Answer::Refused { code: code.to_owned(), reason: "without words".into() },
        words if in_trouble(words) => Answer::InDoubt { reason: format!("{code} {words}") },
        words => Answer::Refused { code: code.to_owned(), reason: words.to_owned() },
    }
}

/// Something that was read before anything was sent: what is not known of it is no doubt about the write.
fn before(answer: Answer) -> Answer {
    match answer {
        Answer::InDoubt { reason } => Answer::Later { seconds: AGAIN_SECONDS, reason },
        other => other,
    }
}

/// Sends a write, if it is one of those that can be asked.
fn submitted(can: Capabilities, request: &Request, send: impl FnOnce() -> Result<Answer, Answer>) -> Answer {
    can.refuse(&request.write).unwrap_or_else(|| send().unwrap_or_else(|no| no))
}

/// Asks about a write that was sent before. That the question is refused, or can be asked no more, says nothing of the write: it is in
/// doubt, and the money for it is not given back.
fn looked(can: Capabilities, request: &Request, ask: impl FnOnce() -> Result<Answer, Answer>) -> Answer {
    let told = can.refuse(&request.write).map_or_else(ask, Err);
    told.unwrap_or_else(|no| match no {
        Answer::Refused { code, reason } => {
            Answer::InDoubt { reason: format!("the question about it is refused: {code} {reason}") }
        }
        Answer::Already => Answer::InDoubt { reason: "the question about it was answered with \"already\"".into() },
        other => other,
    })
}

/// A write that was refused, perhaps because the card is so already, as `shows` tells. Without an answer it is in doubt: it may be
/// so by an earlier sending whose answer was lost. A card of which the platform refuses to tell anything is none of its own: the refusal
/// stands. (What is sent again was asked about just before, and so is none of those.)
fn refused_or_so(refused: Answer, shows: impl FnOnce() -> Result<bool, Answer>) -> Answer {
    match (&refused, shows()) {
        (_, Ok(true)) => Answer::Already,
        (_, Ok(false) | Err(Answer::Refused { .. })) => refused,
        (Answer::Refused { code, reason }, Err(_)) => {
            Answer::InDoubt { reason: format!("{code} {reason}; whether it is so already is not told") }
        }
        (_, Err(_)) => refused,
    }
}

/// A package is ordered once, from now on, for as long as it lasts: where the carrier can be told no more, a renewal of several
/// cycles or for a later start is refused before it is sent, and its money goes back.
fn one_order(write: &Write) -> Result<(), Answer> {
    match write {
        Write::Subscribe { months, lasts, .. } if months.unwrap_or(1) > lasts.unwrap_or(1) => {
            Err(Answer::unsupported("order several cycles at once"))
        }
        write => from_now(write),
    }
}

/// The same where what is ordered lasts until it is changed: for a later start alone.
fn from_now(write: &Write) -> Result<(), Answer> {
    match write {
        Write::Subscribe { from: Some(_), .. } => Err(Answer::unsupported("order for a later start")),
        _ => Ok(()),
    }
}

/// What came of a request of a write that takes several, so many after the first: what those before it did is done, so that no
/// "not now" says that nothing was.
fn after(n: usize, answer: Answer) -> Answer {
    if n == 0 { answer } else { Answer::InDoubt { reason: format!("a part of it only: {answer:?}") } }
}

/// What a card shows of a write: done; or not yet, while it may still show; or it may be sent again.
fn by_sight(done: bool, now: Timestamp, sent: &Sent, apply_seconds: i64) -> Answer {
    let late = now.since(sent.at) >= apply_seconds;
    match (done, late, sent.accepted) {
        (true, ..) => Answer::Confirmed,
        (false, true, _) => Answer::Unknown,
        (false, false, Some(_)) => Answer::Accepted { job: sent.job.clone() },
        (false, false, None) => Answer::InDoubt { reason: "it does not show yet".into() },
    }
}

/// Hands writes in together. Where one of them makes the carrier refuse them all, with nothing recorded for any, they go again by
/// halves, so that the one that cannot is left by itself.
fn by_halves(
    requests: &[Request],
    together: &dyn Fn(&[Request]) -> Result<Answer, Answer>,
    is_poisoned: &dyn Fn(&Answer) -> bool,
    alone: &dyn Fn(&Request) -> Answer,
) -> Vec<Answer> {
    if let [request] = requests {
        return vec![alone(request)];
    }
    match together(requests) {
        Err(answer) if is_poisoned(&answer) => {
            let (first, second) = requests.split_at(requests.len() / 2);
            let mut all = by_halves(first, together, is_poisoned, alone);
            all.extend(by_halves(second, together, is_poisoned, alone));
            all
        }
        Ok(answer) | Err(answer) => vec![answer; requests.len()],
    }
}

/// The zone of carriers' days and times.
fn china() -> Zone {
    Zone::find(DEFAULT_ZONE).expect("it is compiled in")
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
        open(connector, &settings, &sandbox::World::default(), &Addresses::default()).err().expect("an error")
    }

    #[test]
    fn every_name_opens_without_settings_or_says_which_it_needs() {
        for name in NAMES {
            for settings in [Value::Null, json!({}), json!({"stop_cards": false})] {
                let opened = open(name, &settings, &sandbox::World::default(), &Addresses::default());
                let needs_none = matches!(*name, "manual" | "sandbox");
                assert_eq!(opened.is_ok(), needs_none, "{name}");
                assert!(opened.err().is_none_or(|e| e.ends_with(" is missing")), "{name}");
            }
        }
    }

    #[test]
    fn errors_say_which_and_what_is_possible() {
        assert_eq!(
            error("sandbx", json!({})),
            "there is no connector \"sandbx\"; there are: manual, sandbox, onelink, ctwing, telecom_des, unicom, jasper, eiotclub, cardboss"
        );
        assert_eq!(error("manual", json!({"lag": 1})), "connector manual: unknown key \"lag\"; it has no settings");
        assert!(
            error("sandbox", json!({"lag": 1})).starts_with("connector sandbox: unknown key \"lag\"; the keys are: account, ")
        );
        let narrow = json!({"appid": "1", "password": "p", "requests_burst": 9});
        assert_eq!(
            error("onelink", narrow),
            "connector onelink: requests_burst: reading a card makes 10 requests, and 8 are left at once beside those kept for acts; raise it"
        );
        assert_eq!(error("manual", json!({"stop_cards": "no"})), "connector manual: stop_cards: \"no\" is not true or false");
        assert_eq!(error("manual", json!([])), "connector manual: settings must be an object, not []");
    }
}
