//! What China Telecom's two platforms have in common: answers that are XML or JSON as the method pleases, states, codes.

use crate::amount;
use crate::http::{Reply, excerpt};
use crate::json;
use crate::speeds;
use kachi_domain::carrier::{Answer, LOGIN_REFUSED_SECONDS, Line, Session, Standing, Stop, Write};
use kachi_domain::sim::{BaseState, Blocks};
use serde_json::Value;

pub mod product;

/// Seconds to wait while the carrier is busy with the same card.
const BUSY_SECONDS: i64 = 60;

/// The fields of an answer in their order, each by its name without a prefix; a blank one is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads XML or JSON; the error is an excerpt of what is neither.
    pub fn read(text: &str) -> Result<Fields, String> {
        let text = text.trim();
        let mut fields = Vec::new();
        if text.starts_with('<') {
            let tree = roxmltree::Document::parse(text).map_err(|_| excerpt(text))?;
            for node in tree.descendants().filter(|n| n.is_element() && !n.children().any(|c| c.is_element())) {
                let value = node.text().unwrap_or_default().trim();
                if !value.is_empty() {
                    fields.push((node.tag_name().name().to_owned(), value.to_owned()));
                }
            }
            return if fields.is_empty() { Err(excerpt(text)) } else { Ok(Fields(fields)) };
        }
        let value: Value = serde_json::from_str(text).map_err(|_| excerpt(text))?;
        if !value.is_object() {
            return Err(excerpt(text));
        }
        flatten(&value, "", &mut fields);
        Ok(Fields(fields))
    }

    /// The first field of one of these names, whatever their case.
    pub fn get(&self, names: &[&str]) -> Option<&str> {
        let named = |name: &str| self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        names.iter().find_map(|name| named(name))
    }

    /// The rows of a list, by the names that its rows are made of: a new row begins where a name comes again.
    pub fn rows(&self, names: &[&str]) -> Vec<Fields> {
        let mut rows: Vec<Fields> = Vec::new();
        for (name, value) in self.0.iter().filter(|(name, _)| names.iter().any(|n| n.eq_ignore_ascii_case(name))) {
            match rows.last_mut().filter(|row| row.get(&[name]).is_none()) {
                Some(row) => row.0.push((name.clone(), value.clone())),
                None => rows.push(Fields(vec![(name.clone(), value.clone())])),
            }
        }
        rows
    }
}

fn flatten(value: &Value, name: &str, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(value, name, into)),
        Value::Array(rows) => rows.iter().for_each(|row| flatten(row, name, into)),
        single => into.extend(json::word(single).map(|word| (name.to_owned(), word))),
    }
}

/// Opens an answer: its fields, or what the carrier refuses with. One that does not read says nothing.
pub fn open(reply: &Reply, cool_down_seconds: i64) -> Result<Fields, Answer> {
    let doubt = |seen: String| Answer::InDoubt { reason: format!("HTTP {}: {seen}", reply.status) };
    let fields = Fields::read(&reply.text).map_err(&doubt)?;
    match refusal(&fields, cool_down_seconds) {
        Some(refused) => Err(refused),
        None if reply.status != 200 => Err(doubt(excerpt(&reply.text))),
        None => Ok(fields),
    }
}

/// Where an answer keeps its code, and which codes say yes.
const CODES: [&str; 8] = ["RspCode", "IRESULT", "resultCode", "RESULT", "result", "code", "errorCode", "rspcode"];

/// The refusal in an answer; none if it says yes, or does not say.
fn refusal(fields: &Fields, cool_down_seconds: i64) -> Option<Answer> {
    let code = fields.get(&CODES)?;
    if code.bytes().all(|b| b == b'0') {
        return None;
    }
    let words =
        fields.get(&["RspDesc", "SMSG", "resultMsg", "resultDesc", "errorMsg", "msg", "message"]).unwrap_or("without words");
    Some(answer(code, words, cool_down_seconds))
}

/// Our word for the carrier's code (facts C2.7). A password or a signature that is wrong is the account's: it says nothing of the card.
pub fn answer(code: &str, words: &str, cool_down_seconds: i64) -> Answer {
    let reason = format!("{code} {words}");
    match code {
        "-1" | "-3" => Answer::Later { seconds: LOGIN_REFUSED_SECONDS, reason },
        "-5" => Answer::Already,
        "-9" if words.contains("已订购") || words.contains("重复") => Answer::Already,
        "-7" => Answer::Later { seconds: BUSY_SECONDS, reason },
        "101004" => Answer::Later { seconds: cool_down_seconds.max(1), reason },
        _ => crate::refused(code, words),
    }
}

/// A card's main state.
pub fn main_state(raw: &str) -> BaseState {
    match raw {
        "1" => BaseState::Ready,
        "2" | "3" => BaseState::Testing,
        "4" => BaseState::Active,
        "5" | "6" => BaseState::Stopped,
        "7" => BaseState::Closed,
        _ => BaseState::Unknown,
    }
}

/// A card's state as the older list of product states has it.
pub fn product_state(raw: &str) -> BaseState {
    match raw {
        "1" | "100001" => BaseState::Active,
        "19" | "140003" => BaseState::Ready,
        "2" | "5" | "6" | "7" | "8" | "120000" | "150001" => BaseState::Stopped,
        "3" | "99999" => BaseState::Closed,
        _ => BaseState::Unknown,
    }
}

/// Why a card is stopped, by its product state.
pub fn product_stop(raw: &str) -> Stop {
    let (blocks, words) = match raw {
        "2" => (Blocks::OWNER_STOP, "用户报停"),
        "5" => (Blocks::CREDIT, "欠停双向"),
        "6" => (Blocks::CREDIT, "欠停单向"),
        "7" => (Blocks::FORCED, "违章停机"),
        "8" => (Blocks::OWNER_STOP, "挂失"),
        "150001" => (Blocks::REAL_NAME, "未实名违规停机"),
        "120000" => (Blocks::NONE, "停机"),
        _ => (Blocks::NONE, ""),
    };
    Stop { blocks, raw: raw.to_owned(), words: words.to_owned() }
}

/// The main state in an answer.
pub fn standing(fields: &Fields) -> Option<Standing> {
    let raw = fields.get(&["productMainStatusCd", "simStatus", "status"])?;
    Some(Standing { base: main_state(raw), raw: raw.to_owned(), since: None })
}

/// Whether the card's data is cut, where that is told.
pub fn is_cut(fields: &Fields) -> Option<bool> {
    fields.get(&["netBlockStatusName", "netBlockStatus"]).map(|word| word.contains("已断网") && !word.contains("未断网"))
}

/// Why a card has no network, by its main state and whether its data is cut.
pub fn main_stop(fields: &Fields) -> Option<Stop> {
    let standing = standing(fields)?;
    let managed = if standing.raw == "6" { Blocks::CARRIER_MANAGEMENT } else { Blocks::NONE };
    let cut = if is_cut(fields) == Some(true) { Blocks::DATA_OFF } else { Blocks::NONE };
    let words = [(managed, "运营商管理状态"), (cut, "已断网")];
    let words: Vec<&str> = words.iter().filter(|(b, _)| !b.is_empty()).map(|(_, w)| *w).collect();
    Some(Stop { blocks: Blocks(managed.0 | cut.0), raw: standing.raw, words: words.join(", ") })
}

/// Whether the carrier knows more of why such a card has no network than its main state says: it is stopped, or its data is cut.
pub fn wants_reason(stop: &Stop) -> bool {
    main_state(&stop.raw) == BaseState::Stopped || stop.blocks.has(Blocks::DATA_OFF)
}

/// The session in an answer. The platforms name its fields each in their own way.
pub fn session(line: &mut Line, fields: &Fields) {
    let flag = fields.get(&["onlineStatus", "online", "onlineFlag", "isOnline", "status", "netStatus"]).unwrap_or_default();
    let up = matches!(flag.to_ascii_lowercase().as_str(), "1" | "01" | "true" | "online" | "在线" | "y" | "yes");
    let since = fields.get(&["startTime", "eventTimestamp", "onlineTime", "start_time", "start", "createDate"]);
    let session = Session {
        since: since.and_then(time),
        apn: fields.get(&["apn", "apnName"]).map(str::to_owned),
        ip: fields.get(&["ip", "ipAddress", "framedIpAddress", "ipv4"]).map(str::to_owned),
        rat: fields.get(&["rat", "ratType", "netModel", "network"]).map(str::to_owned),
    };
    line.sessions = Some(if up { vec![session] } else { Vec::new() });
}

/// `yyyy-MM-dd HH:mm:ss` or `yyyyMMddHHmmss` in China.
fn time(text: &str) -> Option<kachi_domain::time::Timestamp> {
    let digits = text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit());
    let dashed = || {
        let part = |from: usize, to: usize| &text[from..to];
        format!("{}-{}-{} {}:{}:{}", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14))
    };
    crate::china().parse(&if digits { dashed() } else { text.get(..19).unwrap_or(text).replace('T', " ") }).ok()
}

/// Bytes in a usage answer.
pub fn total_bytes(fields: &Fields) -> Option<i64> {
    fields.get(&["TOTAL_BYTES_CNT"]).and_then(amount::with_unit)
}

/// Whether a card needs nothing more.
pub fn is_so(write: &Write, standing: &Standing) -> bool {
    match write {
        Write::Stop => standing.base == BaseState::Stopped,
        Write::Resume | Write::Activate => standing.base == BaseState::Active,
        Write::EndTest => standing.raw != "2",
        _ => false,
    }
}

/// The act's number at the carrier, for those that are done by `disabledNumber`.
pub fn order_type(write: &Write) -> Option<&'static str> {
    match write {
        Write::Stop => Some("19"),
        Write::Resume => Some("20"),
        Write::EndTest => Some("21"),
        _ => None,
    }
}

/// The carrier's codes of speeds, as a setting: `KILOBITS=CODE`, joined by commas. One is public: 12 is 1 Mbps (facts C2.4).
pub const SPEED_CODES: &str = "1024=12";

/// Reads the codes of speeds, of which there must be one.
pub fn speeds(text: &str) -> Result<Vec<(u32, String)>, String> {
    let read = speeds::read("speed_codes", text)?;
    if read.is_empty() { Err("speed_codes: it names no speed".into()) } else { Ok(read) }
}

/// What sets this speed, or the fastest known below it, or the slowest; none lifts the limit.
pub fn speed(speeds: &[(u32, String)], kbps: Option<u32>) -> Vec<(&'static str, &str)> {
    let Some(kbps) = kbps else { return vec![("action", "DEL")] };
    vec![("action", "ADD"), ("speedValue", speeds::step(speeds, kbps).unwrap_or_default())]
}

/// The 19 digits that the carrier knows of a card number: without the check digit.
pub fn iccid19(iccid: &str) -> &str {
    iccid.get(..19).unwrap_or(iccid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: &str = r#"<?xml version="1.0" encoding="GBK"?><root><web:NEW_DATA_TICKET_QRsp xmlns:web="http://www.example.org/webservice">
        <CHARGE_CNT_CH>0元</CHARGE_CNT_CH><IRESULT>0</IRESULT><TOTAL_BYTES_CNT>12.34MB</TOTAL_BYTES_CNT><EMPTY/></web:NEW_DATA_TICKET_QRsp></root>"#;

    #[test]
    fn xml_and_json_are_read_by_their_fields_names() {
        let xml = Fields::read(USAGE).unwrap();
        assert_eq!((total_bytes(&xml), refusal(&xml, 180), xml.get(&["EMPTY"])), (Some(12_939_428), None, None));
        let json = Fields::read(r#"{"resultCode":"0","productInfo":[{"productMainStatusCd":"4"}],"n":" "}"#).unwrap();
        assert_eq!(standing(&json).map(|s| s.base), Some(BaseState::Active));
        for noise in ["<html><body>", "[1]", "oops", "", "<a/>"] {
            assert!(Fields::read(noise).is_err(), "{noise}");
        }
    }

    #[test]
    fn every_code_has_its_class() {
        for (code, words, class) in [
            ("-1", "", "later"),
            ("-2", "", "refused"),
            ("-3", "", "later"),
            ("-4", "", "refused"),
            ("-5", "", "already"),
            ("-7", "", "later"),
            ("-9", "已订购该产品,不能重复订购", "already"),
            ("-9", "x", "refused"),
            ("101004", "", "later"),
            ("100008", "", "refused"),
            ("77", "", "refused"),
            ("-99", "系统错误", "in_doubt"),
            ("-9", "系统繁忙，请稍后再试", "in_doubt"),
        ] {
            assert_eq!(serde_json::to_value(answer(code, words, 180)).unwrap()["answer"], class, "{code}");
        }
        assert_eq!(refusal(&Fields::read(r#"{"RspCode":"0000"}"#).unwrap(), 1), None);
    }

    #[test]
    fn states_and_reasons_of_both_lists() {
        let main: Vec<&str> = ["1", "2", "3", "4", "5", "6", "7", "8"].iter().map(|s| main_state(s).word()).collect();
        assert_eq!(main, ["ready", "testing", "testing", "active", "stopped", "stopped", "closed", "unknown"]);
        for (raw, base, blocks) in [
            ("1", "active", Blocks::NONE),
            ("2", "stopped", Blocks::OWNER_STOP),
            ("3", "closed", Blocks::NONE),
            ("5", "stopped", Blocks::CREDIT),
            ("6", "stopped", Blocks::CREDIT),
            ("7", "stopped", Blocks::FORCED),
            ("19", "ready", Blocks::NONE),
            ("100001", "active", Blocks::NONE),
            ("140003", "ready", Blocks::NONE),
            ("150001", "stopped", Blocks::REAL_NAME),
            ("99999", "closed", Blocks::NONE),
            ("4", "unknown", Blocks::NONE),
        ] {
            assert_eq!((product_state(raw).word(), product_stop(raw).blocks), (base, blocks), "{raw}");
        }
        let cut = Fields::read(r#"{"productMainStatusCd":"6","netBlockStatusName":"已断网"}"#).unwrap();
        assert_eq!(main_stop(&cut).unwrap().blocks, Blocks(Blocks::CARRIER_MANAGEMENT.0 | Blocks::DATA_OFF.0));
    }

    #[test]
    fn a_speed_is_the_next_step_below() {
        let steps = speeds("512=10, 1024=12").unwrap();
        let code = |kbps| speed(&steps, Some(kbps))[1].1;
        assert_eq!((code(1024), code(1)), ("12", "10"));
        assert_eq!(speed(&steps, None), [("action", "DEL")]);
        assert_eq!(speeds(SPEED_CODES).unwrap(), [(1024, "12".to_owned())]);
        assert!(speeds("").unwrap_err().starts_with("speed_codes: "));
    }

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(time("20260310080000"), time("2026-03-10 08:00:00"));
        assert!(time("20260310080000").is_some() && time("soon").is_none());
    }
}
