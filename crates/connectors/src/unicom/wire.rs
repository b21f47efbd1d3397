//! The gateway's words: tokens, the two nested envelopes, states.

use crate::http::excerpt;
use crate::json;
use kachi_domain::carrier::{Answer, LOGIN_REFUSED_SECONDS, Write};
use kachi_domain::sim::BaseState;
use kachi_domain::time::Timestamp;
use serde_json::Value;
use sm3::{Digest, Sm3};

/// Seconds to wait when the gateway is busy.
const BUSY_SECONDS: i64 = 30;

/// Lower-case hexadecimal SM3 of labels and values, the secret last and without a label.
pub fn token(app_id: &str, timestamp: &str, trans_id: &str, secret: &str) -> String {
    let digest = Sm3::digest(format!("app_id{app_id}timestamp{timestamp}trans_id{trans_id}{secret}"));
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// The time and the number of a request: nine digits that no other request of that second has stand for the milliseconds and
/// for the six random ones.
pub fn stamps(now: Timestamp, number: u64) -> (String, String) {
    let number = number % 1_000_000_000;
    let (millis, rest) = (number / 1_000_000, number % 1_000_000);
    let china = crate::china();
    (format!("{} {millis:03}", china.text(now)), format!("{}{millis:03}{rest:06}", china.digits(now)))
}

/// What stands inside of both envelopes, or the word of the one that says no; `write`: to a write.
pub fn open(status: u16, text: &str, write: bool) -> Result<Value, Answer> {
    let doubt = || Answer::InDoubt { reason: format!("HTTP {status}: {}", excerpt(text)) };
    let outer: Value = serde_json::from_str(text).map_err(|_| doubt())?;
    let code = json::text(&outer, "status").ok_or_else(doubt)?;
    if code != "0000" {
        let words = json::text(&outer, "message").unwrap_or_default();
        return Err(outer_no(&code, &words, write));
    }
    let inner = outer.get("data").ok_or_else(doubt)?;
    match json::text(inner, "resultCode") {
        Some(code) if code.bytes().all(|b| b == b'0') => Ok(inner.clone()),
        Some(code) => Err(inner_no(&code, &json::text(inner, "resultDesc").unwrap_or_default())),
        None => Err(doubt()),
    }
}

/// The gateway itself says no: it says nothing of the card. Its codes are not public, and one may say that it waited in vain for what
/// is behind it, so that it is no word on a write, unless its words say that the request came no further.
fn outer_no(code: &str, words: &str, write: bool) -> Answer {
    let lower = words.to_ascii_lowercase();
    let says = |any: &[&str]| any.iter().any(|w| lower.contains(w));
    let busy = says(&["频繁", "限流", "流量", "too many", "rate", "limit", "busy", "frequen", "频次"]);
    let reason = format!("{code} {words}");
    // Words that stand in other sentences too ("rate plan", "time limit") do not say that a write was not taken.
    if write && !says(&["频繁", "频次", "限流", "too many"]) && !refuses_login(&lower) {
        return Answer::InDoubt { reason };
    }
    Answer::Later { seconds: if busy { BUSY_SECONDS } else { LOGIN_REFUSED_SECONDS }, reason }
}

/// Whether the gateway refuses who asks, by what a request is signed with (facts C4.1), which it looks at before it passes anything on. A
/// number that came before is none of it: the request that had it may have been taken.
fn refuses_login(lower: &str) -> bool {
    let says = |any: &[&str]| any.iter().any(|w| lower.contains(w));
    let is_wrong =
        ["失败", "错误", "无效", "过期", "失效", "超出", "不存在", "不正确", "wrong", "invalid", "expired", "incorrect"];
    let waited = ["超时", "timeout", "timed out", "trans_id"];
    says(&["token", "app_id", "appid", "openid", "timestamp", "签名", "鉴权"])
        && says(&is_wrong)
        && !says(&waited)
        && !crate::in_trouble(lower)
}

fn inner_no(code: &str, words: &str) -> Answer {
    let lower = words.to_ascii_lowercase();
    let busy =
        ["频繁", "限流", "稍后", "未完成", "too many", "too frequent", "rate limit", "busy"].iter().any(|w| lower.contains(w));
    if busy && !crate::in_trouble(words) {
        return Answer::Later { seconds: BUSY_SECONDS, reason: format!("{code} {words}") };
    }
    crate::refused(code, words)
}

/// A card's state.
pub fn state(raw: &str) -> BaseState {
    match raw {
        "0" => BaseState::Testing,
        "1" => BaseState::Ready,
        "2" => BaseState::Active,
        "3" => BaseState::Stopped,
        "4" | "5" => BaseState::Closed,
        "6" => BaseState::Replaced,
        "7" => BaseState::Inventory,
        "9" => BaseState::PreClosed,
        _ => BaseState::Unknown,
    }
}

/// The number of a card's communication plan, wherever its row stands.
pub fn plan_of(told: &Value, iccid: &str) -> Option<String> {
    let is_its = |row: &Value| json::text(row, "iccid").is_none_or(|told| told.eq_ignore_ascii_case(iccid));
    match told {
        Value::Array(rows) => rows.iter().find_map(|row| plan_of(row, iccid)),
        Value::Object(fields) => {
            let here = json::text(told, "nacId").filter(|_| is_its(told));
            here.or_else(|| fields.values().find_map(|inner| plan_of(inner, iccid)))
        }
        _ => None,
    }
}

/// The state that an act asks for.
pub fn target(write: &Write) -> Option<&'static str> {
    match write {
        Write::Stop => Some("3"),
        Write::Resume | Write::Activate => Some("2"),
        Write::EndTest => Some("1"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_token_is_as_in_the_vector() {
        let token = token("demoApp001", "2018-12-05 10:23:35 649", "20181205102335649500357", "demoSecret9876");
        assert_eq!(token, "13b305b29c92ec4abe0b67131f9b006205b2b9324d9f2757e7c69bb5b8d240b9");
    }

    #[test]
    fn stamps_are_chinas_time_and_all_different() {
        let at = crate::china().parse("2018-12-05 10:23:35").unwrap();
        let expected = ("2018-12-05 10:23:35 649".to_owned(), "20181205102335649500357".to_owned());
        assert_eq!(stamps(at, 649_500_357), expected);
        assert_ne!(stamps(at, 1), stamps(at, 2));
    }

    #[test]
    fn both_envelopes_are_checked() {
        let class_of = |text: &str, write| match open(200, text, write) {
            Ok(_) => "ok".to_owned(),
            Err(answer) => serde_json::to_value(answer).unwrap()["answer"].as_str().unwrap().to_owned(),
        };
        for (text, expected) in [
            (r#"{"status":"0000","message":"ok","data":{"resultCode":"0000","resultDesc":"ok"}}"#, "ok"),
            (r#"{"status":"0000","data":{"resultCode":"1074","resultDesc":"no data"}}"#, "refused"),
            (r#"{"status":"0000","data":{"resultCode":"1026","resultDesc":"该终端有未完成的操作，请稍后再试"}}"#, "later"),
            (r#"{"status":"0000","data":{"resultCode":"9999","resultDesc":"系统繁忙，请稍后再试"}}"#, "in_doubt"),
            (r#"{"status":"0001","message":"token wrong"}"#, "later"),
            (r#"{"status":"0000"}"#, "in_doubt"),
            (r#"{"status":"0000","data":{}}"#, "in_doubt"),
            ("<html>", "in_doubt"),
        ] {
            assert_eq!(class_of(text, false), expected, "{text}");
        }
        let write = |words: &str| class_of(&format!(r#"{{"status":"0001","message":"{words}"}}"#), true);
        assert_eq!((write("no answer from behind").as_str(), write("too many").as_str()), ("in_doubt", "later"));
        assert_eq!(write("change of rate plan: timeout").as_str(), "in_doubt", "a word for busy stands in it");
        for (words, expected) in [
            ("token校验失败", "later"),
            ("Token expired", "later"),
            ("app_id或openId无效", "later"),
            ("timestamp超出允许范围", "later"),
            ("超出调用频次限制", "later"),
            ("trans_id重复", "in_doubt"),
            ("timestamp or trans_id invalid", "in_doubt"),
            ("系统错误 timestamp 2026-03-10", "in_doubt"),
            ("获取token失败: timeout", "in_doubt"),
            ("失败", "in_doubt"),
        ] {
            assert_eq!(write(words), expected, "{words}");
        }
    }

    #[test]
    fn a_plan_is_found_wherever_its_row_stands() {
        let two = json!({"nacs": [{"iccid": "1", "nacId": "A"}, {"iccid": "2", "nacId": 7}]});
        assert_eq!((plan_of(&two, "2"), plan_of(&two, "3")), (Some("7".into()), None));
        assert_eq!(plan_of(&json!({"resultCode": "0000", "nacId": "B"}), "1").as_deref(), Some("B"));
    }

    #[test]
    fn every_state_is_known() {
        let all: Vec<&str> = (0..=9).map(|n: i32| state(&n.to_string()).word()).collect();
        let expected =
            ["testing", "ready", "active", "stopped", "closed", "closed", "replaced", "inventory", "unknown", "pre_closed"];
        assert_eq!(all, expected);
    }
}
