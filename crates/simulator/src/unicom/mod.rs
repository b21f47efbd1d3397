//! China Unicom's gateway: POST of JSON to `/api/NAME/V1/1Main/vV1.1`, with a token that is the SM3 of the request's own numbers. Each answer has a status
//! outside and a result code inside. Codes other than `0000` and `1074` are ours [G].

mod reads;
mod writes;

pub(crate) use writes::move_to;

use crate::Platform;
use crate::calendar;
use crate::fault::FaultKind;
use crate::house::{Ask, House, Reply, Seen};
use crate::world::acts::Refusal;
use crate::world::{Base, Card};
use serde_json::{Value, json};
use sm3::{Digest, Sm3};

/// What the gateway keeps of its callers.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    seen: Seen,
}

/// A code with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) &'static str, pub(crate) &'static str);

// Of the gateway: outside.
const BAD_FORM: Code = Code("1001", "请求报文格式错误");
const BAD_APP: Code = Code("1002", "app_id或openId无效");
const BAD_TOKEN: Code = Code("1003", "token校验失败");
const STALE: Code = Code("1004", "timestamp超出允许范围");
const REPEATED: Code = Code("1005", "trans_id重复");
const NO_API: Code = Code("1006", "接口不存在");
const TOO_MANY: Code = Code("1007", "超出调用频次限制");
// Of the platform behind it: inside.
pub(crate) const BAD_PARAMETER: Code = Code("1000", "参数错误");
pub(crate) const NO_CARD: Code = Code("1011", "终端不存在");
pub(crate) const WRONG_STATE: Code = Code("1025", "当前状态不允许该操作");
pub(crate) const TOO_SOON: Code = Code("1026", "该终端有未完成的操作，请稍后再试");
pub(crate) const OUT_OF_RANGE: Code = Code("1074", "无数据或超出查询范围");
const NOT_GRANTED: Code = Code("1050", "未开通该能力");
pub(crate) const OTHER: Code = Code("9999", "系统错误");

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Code {
        if matches!(refusal, Refusal::TooSoon | Refusal::Busy) { TOO_SOON } else { WRONG_STATE }
    }
}

/// What `data` holds beside its code, or the code.
pub(crate) type Answer = Result<Value, Code>;

pub(crate) fn answer(house: &mut House, ask: &Ask) -> Reply {
    let name = ask.path.strip_prefix("/api/").and_then(|rest| rest.strip_suffix("/V1/1Main/vV1.1"));
    let (Some(name), "POST") = (name, ask.method.as_str()) else {
        return Reply::with(404, "text/plain", String::new());
    };
    let body = match ask.json().filter(Value::is_object) {
        Some(body) => body,
        None => return outside(BAD_FORM),
    };
    if let Err(code) = admitted(house, &body) {
        return outside(code);
    }
    let data = &body["data"];
    match reads::route(house, ask, data, name).or_else(|| writes::route(house, ask, data, name)) {
        Some(answer) => inside(house, data, answer),
        None => outside(NO_API),
    }
}

fn outside(Code(status, message): Code) -> Reply {
    Reply::json(&json!({"status": status, "message": message}))
}

fn inside(house: &House, data: &Value, answer: Answer) -> Reply {
    let (mut fields, Code(code, text)) = match answer {
        Ok(fields) => (fields, Code("0000", "成功")),
        Err(code) => (json!({}), code),
    };
    fields["resultCode"] = code.into();
    fields["resultDesc"] = text.into();
    fields["messageId"] = data["messageId"].clone();
    fields["version"] = "1.0".into();
    fields["timestamp"] = calendar::stamp(house.world.now).into();
    Reply::json(&json!({"app_id": house.settings.logins.unicom.app_id, "status": "0000", "message": "success", "data": fields}))
}

/// The gateway's words for what the request is not to blame for.
pub(crate) fn refusal(kind: FaultKind) -> Reply {
    let Code(code, text) = match kind {
        FaultKind::RateLimited => return outside(TOO_MANY),
        FaultKind::NotGranted => NOT_GRANTED,
        _ => OTHER,
    };
    Reply::json(&json!({"status": "0000", "message": "success", "data": {"resultCode": code, "resultDesc": text}}))
}

/// Who asks, when, a number that did not come yet, and the token made of these.
fn admitted(house: &mut House, body: &Value) -> Result<(), Code> {
    let text = |name: &str| body[name].as_str().ok_or(BAD_FORM);
    let (app, timestamp, number, token) = (text("app_id")?, text("timestamp")?, text("trans_id")?, text("token")?);
    let login = &house.settings.logins.unicom;
    if app != login.app_id || body["data"]["openId"].as_str() != Some(&login.open_id) {
        return Err(BAD_APP);
    }
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let bare: String = timestamp.chars().filter(char::is_ascii_digit).collect();
    let shaped = timestamp.len() == 23 && digits(&bare, 17) && digits(number, 23);
    if !shaped || body["data"]["version"].as_str() != Some("1.0") {
        return Err(BAD_FORM);
    }
    if token != make_token(app, timestamp, number, &login.app_secret) {
        return Err(BAD_TOKEN);
    }
    if !calendar::china_instant(&bare[..14]).is_some_and(|at| house.is_fresh(at)) {
        return Err(STALE);
    }
    if house.unicom.seen.is_new(number) { Ok(()) } else { Err(REPEATED) }
}

fn make_token(app: &str, timestamp: &str, number: &str, secret: &str) -> String {
    let plain = format!("app_id{app}timestamp{timestamp}trans_id{number}{secret}");
    Sm3::digest(plain.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// The card of a full ICCID.
pub(crate) fn find(house: &House, iccid: &str) -> Result<u32, Code> {
    let card = house.world.find(Platform::Unicom, iccid).ok_or(NO_CARD)?;
    let card = &house.world.cards[card as usize];
    if card.iccid.eq_ignore_ascii_case(iccid) && !card.foreign { Ok(card.number) } else { Err(NO_CARD) }
}

/// The one card of the request.
pub(crate) fn card(house: &House, data: &Value) -> Result<u32, Code> {
    find(house, data["iccid"].as_str().ok_or(BAD_PARAMETER)?)
}

/// A number, as JSON number or as text.
pub(crate) fn number(value: &Value) -> Option<u32> {
    value.as_u64().map_or_else(|| value.as_str()?.parse().ok(), |n| u32::try_from(n).ok())
}

/// The number of the card's state.
pub(crate) fn status(card: &Card) -> &'static str {
    match card.base {
        Base::Testing | Base::TestEnded => "0",
        Base::Ready => "1",
        Base::Active => "2",
        Base::Stopped => "3",
        Base::Closed => "4",
        Base::Replaced => "6",
        Base::Inventory => "7",
        Base::PreClosed => "9",
    }
}

/// The state that a number stands for, as far as a card can be brought into it.
pub(crate) fn base_of(status: &str) -> Option<Base> {
    Some(match status {
        "0" => Base::Testing,
        "1" => Base::Ready,
        "2" => Base::Active,
        "3" => Base::Stopped,
        "4" => Base::Closed,
        "7" => Base::Inventory,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_as_published() {
        let token = make_token("demoApp001", "2018-12-05 10:23:35 649", "20181205102335649500357", "demoSecret9876");
        assert_eq!(token, "13b305b29c92ec4abe0b67131f9b006205b2b9324d9f2757e7c69bb5b8d240b9");
    }
}
