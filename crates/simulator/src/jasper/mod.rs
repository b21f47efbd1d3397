//! Jasper REST: `/rws/api/v1/...` with HTTP Basic, the API key in the password's place. Errors have their HTTP status and a body
//! `{errorMessage, errorCode}`.

mod devices;
mod messages;

use crate::fault::FaultKind;
use crate::house::{Ask, House, JSON, Reply};
use crate::world::acts::Refusal;
use crate::world::{Base, Card};
use crate::{Platform, calendar};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the platform keeps of its callers: requests of the running minute.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    minute: i64,
    requests: u32,
}

/// An HTTP status, the platform's number [G] and its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fail(u16, &'static str, &'static str);

const BAD_LOGIN: Fail = Fail(401, "10000001", "Full authentication is required to access this resource");
pub(crate) const BAD_PARAMETER: Fail = Fail(400, "10000003", "Invalid request parameter");
pub(crate) const NOT_FOUND: Fail = Fail(404, "20000001", "Resource not found");
const NO_METHOD: Fail = Fail(405, "10000025", "Request method not supported");
const WRONG_STATE: Fail = Fail(400, "20000030", "Invalid SIM state transition");
const TOO_SOON: Fail = Fail(409, "20000031", "A previous change of this device is in progress");
const RATE_LIMIT: Fail = Fail(429, "40000029", "Rate limit exceeded");
const NOT_GRANTED: Fail = Fail(200, "10000024", "The API function is not available to the account");
const OTHER: Fail = Fail(200, "30000001", "Unknown server error");

impl From<Refusal> for Fail {
    fn from(refusal: Refusal) -> Fail {
        if matches!(refusal, Refusal::TooSoon | Refusal::Busy) { TOO_SOON } else { WRONG_STATE }
    }
}

/// The body, or why there is none.
pub(crate) type Answer = Result<Value, Fail>;

pub(crate) fn answer(house: &mut House, ask: &Ask) -> Reply {
    match route(house, ask) {
        Ok(value) => Reply::json(&value),
        Err(Fail(status, code, words)) => {
            Reply::with(status, JSON, json!({"errorMessage": words, "errorCode": code}).to_string())
        }
    }
}

/// The platform's words for what the request is not to blame for.
pub(crate) fn refusal(kind: FaultKind) -> Reply {
    let Fail(status, code, words) = match kind {
        FaultKind::RateLimited => RATE_LIMIT,
        FaultKind::NotGranted => NOT_GRANTED,
        _ => OTHER,
    };
    Reply::with(status, JSON, json!({"errorMessage": words, "errorCode": code}).to_string())
}

type Params = BTreeMap<String, String>;

fn route(house: &mut House, ask: &Ask) -> Answer {
    let path = ask.path.strip_prefix("/rws/api/v1/").ok_or(NOT_FOUND)?;
    admitted(house, ask)?;
    let parts: Vec<&str> = path.split('/').collect();
    let params: Params = ask.query_pairs().into_iter().collect();
    match (ask.method.as_str(), parts.as_slice()) {
        ("GET", ["echo", text]) => Ok(json!({"param": text})),
        ("GET", ["devices"]) => devices::list(house, &params),
        ("GET", ["smsMessages"]) => messages::list(house, &params),
        ("GET", ["smsMessages", id]) => messages::one(house, id),
        ("POST", ["devices", iccid, "smsMessages"]) => {
            let card = find(house, iccid)?;
            messages::send(house, ask, card)
        }
        ("PUT", ["devices", iccid]) => {
            let card = find(house, iccid)?;
            devices::change(house, ask, card)
        }
        ("GET", ["devices", iccid, rest @ ..]) if rest.len() <= 1 => {
            let card = find(house, iccid)?;
            devices::about(house, ask, &params, card, rest.first().copied().unwrap_or_default())
        }
        ("GET" | "PUT" | "POST", _) => Err(NOT_FOUND),
        _ => Err(NO_METHOD),
    }
}

fn admitted(house: &mut House, ask: &Ask) -> Result<(), Fail> {
    let login = &house.settings.logins.jasper;
    let wanted = STANDARD.encode(format!("{}:{}", login.username, login.api_key));
    let given = ask.header("authorization").and_then(|h| h.strip_prefix("Basic "));
    if given != Some(wanted.as_str()) {
        return Err(BAD_LOGIN);
    }
    let (minute, most) = (house.world.now.div_euclid(60), house.settings.jasper_per_minute);
    if house.jasper.minute != minute {
        house.jasper = Desk { minute, requests: 0 };
    }
    house.jasper.requests += 1;
    if most > 0 && house.jasper.requests > most { Err(RATE_LIMIT) } else { Ok(()) }
}

/// The card of a full ICCID.
fn find(house: &House, iccid: &str) -> Result<u32, Fail> {
    let card = house.world.find(Platform::Jasper, iccid).ok_or(NOT_FOUND)?;
    let card = &house.world.cards[card as usize];
    if card.iccid.eq_ignore_ascii_case(iccid) && !card.foreign { Ok(card.number) } else { Err(NOT_FOUND) }
}

/// An instant as the platform writes it.
fn stamp(at: i64) -> String {
    calendar::utc(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// Reads an instant with its offset, `2026-03-01T00:00:00Z` or `...+08:00`.
fn instant(text: &str) -> Result<i64, Fail> {
    // A `+` that was not encoded arrives as a blank.
    let text = text.replace(' ', "+");
    text.parse::<jiff::Timestamp>().map(|t| t.as_second()).map_err(|_| BAD_PARAMETER)
}

/// The page that is asked for, from 1, and whether it is the last.
fn page<T>(params: &Params, all: Vec<T>) -> Result<(usize, Vec<T>, bool), Fail> {
    let number = |name: &str, or: usize| params.get(name).map_or(Ok(or), |t| t.parse().map_err(|_| BAD_PARAMETER));
    let (size, page) = (number("pageSize", 50)?, number("pageNumber", 1)?);
    if !(1..=50).contains(&size) || page == 0 {
        return Err(BAD_PARAMETER);
    }
    let last = page * size >= all.len();
    Ok((page, all.into_iter().skip((page - 1) * size).take(size).collect(), last))
}

/// The name of the card's state.
fn status(card: &Card) -> &'static str {
    match card.base {
        Base::Testing | Base::TestEnded => "TEST_READY",
        Base::Inventory => "INVENTORY",
        Base::Ready => "ACTIVATION_READY",
        Base::Active => "ACTIVATED",
        Base::Stopped => "DEACTIVATED",
        Base::PreClosed | Base::Closed => "RETIRED",
        Base::Replaced => "REPLACED",
    }
}

/// The state that a name stands for, as far as a card can be brought into it.
fn base_of(name: &str) -> Option<Base> {
    Some(match name {
        "TEST_READY" => Base::Testing,
        "INVENTORY" => Base::Inventory,
        "ACTIVATION_READY" => Base::Ready,
        "ACTIVATED" => Base::Active,
        "DEACTIVATED" => Base::Stopped,
        "RETIRED" => Base::Closed,
        _ => return None,
    })
}
