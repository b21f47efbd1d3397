//! China Mobile OneLink, EC API v5: `/v5/ec/...`, a token from appid and password, and a `transid` that never repeats.
//!
//! A request may be GET with a query or POST with JSON. Errors are HTTP 200 with a status other than "0" and without `result`.

mod batch;
mod group;
mod read;
mod sms;
mod write;

use crate::calendar;
use crate::fault::FaultKind;
use crate::house::{Ask, House, Reply, Seen};
use crate::world::acts::Refusal;
use crate::world::{Base, Card};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// What the platform keeps of its callers.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// Living tokens and when they were given.
    tokens: HashMap<String, i64>,
    seen: Seen,
}

/// A status of the envelope with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) &'static str, pub(crate) &'static str);

pub(crate) const BAD_PARAMETER: Code = Code("11000", "请求参数错误");
pub(crate) const NOT_AUTHENTICATED: Code = Code("12004", "transid/appid/token鉴权失败");
pub(crate) const NOT_OWNED: Code = Code("12009", "该卡不属于该集团客户");
pub(crate) const NO_SUCH_CARD: Code = Code("12010", "卡号不存在");
pub(crate) const NO_TOKEN: Code = Code("12021", "token不存在或已过期");
pub(crate) const BAD_LOGIN: Code = Code("12022", "appid或password错误");
pub(crate) const GROUP_NOT_OWNED: Code = Code("12034", "该群组不属于该集团客户");
pub(crate) const HAS_ALREADY: Code = Code("12047", "已订购该商品");
pub(crate) const WRONG_STATE: Code = Code("12089", "当前状态不允许该操作");
pub(crate) const NOT_SELF_SERVICE: Code = Code("12098", "停机原因非自主停机，不允许复机");
pub(crate) const OFFER_EXPIRED: Code = Code("12099", "主商品已到期，不允许复机");
pub(crate) const SAME_CARD: Code = Code("13009", "同一卡号3分钟内不能重复办理");
const NOT_GRANTED: Code = Code("12000", "未开通该接口");
pub(crate) const OTHER: Code = Code("19010", "其他错误");

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Code {
        match refusal {
            Refusal::TooSoon | Refusal::Busy => SAME_CARD,
            Refusal::State | Refusal::Frozen => WRONG_STATE,
            Refusal::NotOwners => NOT_SELF_SERVICE,
            Refusal::Expired => OFFER_EXPIRED,
            Refusal::Already => HAS_ALREADY,
        }
    }
}

/// What `result` holds, or a code.
pub(crate) type Answer = Result<Value, Code>;

/// Parameters of a request, from its query or its JSON body.
#[derive(Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    fn of(ask: &Ask) -> Result<Params, Code> {
        let mut all: BTreeMap<String, String> = ask.query_pairs().into_iter().collect();
        match ask.json() {
            Some(Value::Null) => {}
            Some(Value::Object(fields)) => all.extend(fields.into_iter().map(|(name, value)| (name, plain(&value)))),
            _ => return Err(BAD_PARAMETER),
        }
        Ok(Params(all))
    }

    /// A parameter that is there and not blank.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    pub(crate) fn need(&self, name: &str) -> Result<&str, Code> {
        self.get(name).ok_or(BAD_PARAMETER)
    }

    pub(crate) fn number(&self, name: &str) -> Result<u32, Code> {
        self.need(name)?.parse().map_err(|_| BAD_PARAMETER)
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn answer(house: &mut House, ask: &Ask) -> Reply {
    if !matches!(ask.method.as_str(), "GET" | "POST") {
        return Reply::with(405, "text/plain", String::new());
    }
    let Some(name) = ask.path.strip_prefix("/v5/ec/") else {
        return Reply::with(404, "text/plain", String::new());
    };
    envelope(route(house, ask, name))
}

fn envelope(answer: Answer) -> Reply {
    match answer {
        Ok(Value::Array(rows)) => Reply::json(&json!({"status": "0", "message": "正确", "result": rows})),
        Ok(result) => Reply::json(&json!({"status": "0", "message": "正确", "result": [result]})),
        Err(Code(status, message)) => Reply::json(&json!({"status": status, "message": message})),
    }
}

/// The platform's words for what the request is not to blame for.
pub(crate) fn refusal(kind: FaultKind) -> Reply {
    envelope(Err(match kind {
        FaultKind::RateLimited => Code("12001", "接口调用超过频次限制"),
        FaultKind::NotGranted => NOT_GRANTED,
        _ => OTHER,
    }))
}

fn route(house: &mut House, ask: &Ask, name: &str) -> Answer {
    let params = Params::of(ask)?;
    check_transid(house, &params)?;
    if name == "get/token" {
        return give_token(house, &params);
    }
    check_token(house, ask, &params)?;
    for room in [read::route, batch::route, group::route, sms::route, write::route] {
        if let Some(answer) = room(house, ask, &params, name) {
            return answer;
        }
    }
    Err(BAD_PARAMETER)
}

/// appid, 14 digits of China time near now, 8 digits; and never twice.
fn check_transid(house: &mut House, params: &Params) -> Result<(), Code> {
    let transid = params.need("transid").map_err(|_| NOT_AUTHENTICATED)?;
    let rest = transid.strip_prefix(house.settings.logins.onelink.appid.as_str()).unwrap_or_default();
    if rest.len() != 22 || !rest.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NOT_AUTHENTICATED);
    }
    let fresh = calendar::china_instant(&rest[..14]).is_some_and(|at| house.is_fresh(at));
    if fresh && house.onelink.seen.is_new(transid) { Ok(()) } else { Err(NOT_AUTHENTICATED) }
}

fn give_token(house: &mut House, params: &Params) -> Answer {
    let login = &house.settings.logins.onelink;
    if params.get("appid") != Some(&login.appid) || params.get("password") != Some(&login.password) {
        return Err(BAD_LOGIN);
    }
    let number = house.world.next_number();
    let dice = crate::traffic::draw(house.settings.seed, number, 20);
    let token = format!("T-{}-{number}-{dice:016x}", login.appid);
    let (now, ttl) = (house.auth_now(), house.settings.token_seconds);
    let tokens = &mut house.onelink.tokens;
    tokens.retain(|_, at| now - *at < ttl);
    if house.settings.second_login_kills {
        tokens.clear();
    }
    tokens.insert(token.clone(), now);
    Ok(json!({"token": token, "ttl": ttl.to_string()}))
}

fn check_token(house: &mut House, ask: &Ask, params: &Params) -> Result<(), Code> {
    let token = params.get("token").ok_or(NO_TOKEN)?;
    let (now, ttl) = (house.auth_now(), house.settings.token_seconds);
    let lives = house.onelink.tokens.get(token).is_some_and(|at| now - *at < ttl);
    if !lives {
        return Err(NO_TOKEN);
    }
    if house.token_is_killed(ask) {
        house.onelink.tokens.clear();
        return Err(NO_TOKEN);
    }
    Ok(())
}

/// Key names of one card, and of many.
const ONE: [&str; 3] = ["msisdn", "iccid", "imsi"];
const MANY: [&str; 3] = ["msisdns", "iccids", "imsis"];

/// The one card of the request, by exactly one of its three keys.
pub(crate) fn card(house: &House, params: &Params) -> Result<u32, Code> {
    let mut keys = ONE.iter().filter_map(|name| params.get(name));
    let (Some(key), None) = (keys.next(), keys.next()) else { return Err(BAD_PARAMETER) };
    find(house, key)
}

fn find(house: &House, key: &str) -> Result<u32, Code> {
    let card = house.world.find(crate::Platform::OneLink, key).ok_or(NO_SUCH_CARD)?;
    if house.world.cards[card as usize].foreign { Err(NOT_OWNED) } else { Ok(card) }
}

/// The cards of a batch and the key they were asked by; a card that is not there has its code instead.
pub(crate) struct Batch {
    /// `msisdn`, `iccid` or `imsi`.
    pub(crate) key: &'static str,
    /// What was asked for, and what it is.
    pub(crate) rows: Vec<(String, Result<u32, Code>)>,
}

/// The cards of a batch of at most so many, by exactly one of the three keys, joined by `_`.
pub(crate) fn cards(house: &House, params: &Params, most: usize) -> Result<Batch, Code> {
    let mut keys = MANY.iter().zip(ONE).filter_map(|(name, key)| params.get(name).map(|text| (key, text)));
    let (Some((key, text)), None) = (keys.next(), keys.next()) else { return Err(BAD_PARAMETER) };
    let names: Vec<&str> = text.split('_').collect();
    if names.len() > most || names.iter().any(|n| n.is_empty()) {
        return Err(BAD_PARAMETER);
    }
    Ok(Batch { key, rows: names.into_iter().map(|n| (n.to_owned(), find(house, n))).collect() })
}

/// The same, where one card that is not there refuses all.
pub(crate) fn all_cards(house: &House, params: &Params, most: usize) -> Result<(Batch, Vec<u32>), Code> {
    let batch = cards(house, params, most)?;
    let found = batch.rows.iter().map(|(_, card)| *card).collect::<Result<Vec<u32>, Code>>()?;
    Ok((batch, found))
}

/// The card's state in the numbers of its platform.
pub(crate) fn status(card: &Card) -> &'static str {
    if card.pb {
        return match card.base {
            Base::Active => "00",
            Base::Stopped => "02",
            Base::PreClosed => "03",
            Base::Closed => "04",
            Base::Replaced => "05",
            Base::Ready | Base::Inventory | Base::Testing | Base::TestEnded => "07",
        };
    }
    match card.base {
        Base::Ready => "1",
        Base::Active => "2",
        Base::Stopped => "4",
        Base::Testing | Base::TestEnded => "6",
        Base::Inventory => "7",
        Base::PreClosed => "8",
        Base::Closed | Base::Replaced => "9",
    }
}

/// The state that a number of OneLink-CT stands for.
pub(crate) fn base_of(status: &str) -> Option<Base> {
    Some(match status {
        "1" => Base::Ready,
        "2" => Base::Active,
        "4" => Base::Stopped,
        "6" => Base::Testing,
        "7" => Base::Inventory,
        "8" => Base::PreClosed,
        "9" => Base::Closed,
        _ => return None,
    })
}

/// Bytes as decimal text in KB, cut off after so many decimals.
pub(crate) fn kilobytes(bytes: u64, decimals: u32) -> String {
    let scale = 10_u128.pow(decimals.min(10));
    let units = u128::from(bytes) * scale / 1024;
    let fraction = format!("{:0width$}", units % scale, width = decimals.min(10) as usize);
    let fraction = fraction.trim_end_matches('0');
    let whole = units / scale;
    if fraction.is_empty() || decimals == 0 { whole.to_string() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_kilobytes_without_floats() {
        for (bytes, decimals, text) in [
            (20_971_520 + 512, 2, "20480.5"),
            (0, 2, "0"),
            (1, 2, "0"),
            (1, 10, "0.0009765625"),
            (1025, 0, "1"),
            (1_126, 2, "1.09"),
            (u64::MAX, 2, "18014398509481983.99"),
        ] {
            assert_eq!(kilobytes(bytes, decimals), text, "{bytes}");
        }
    }
}
