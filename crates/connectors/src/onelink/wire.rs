//! OneLink's words: numbers of requests, envelopes, states, reasons, codes.

use crate::amount::{self, Unit};
use crate::http::excerpt;
use crate::json;
use kachi_domain::carrier::{Answer, Standing, Stop, Write};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::time::Timestamp;
use serde_json::Value;

/// Seconds until a request may be tried again that came too soon by the carrier's one-minute rule.
const MINUTE_SECONDS: i64 = 60;

/// The number of a request: appid, China time, and eight digits that no other request of that second has.
pub fn transid(appid: &str, now: Timestamp, number: u64) -> String {
    format!("{appid}{}{:08}", crate::china().digits(now), number % 100_000_000)
}

/// What stands in the envelope.
#[derive(Debug)]
pub enum Envelope {
    /// The rows of the result.
    Rows(Vec<Value>),
    /// The carrier's code and words.
    No(String, String),
    /// It does not read; nothing is known.
    Noise(String),
}

/// Opens an envelope.
pub fn open(status: u16, text: &str) -> Envelope {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else {
        return Envelope::Noise(format!("HTTP {status}: {}", excerpt(text)));
    };
    let code = fields.get("status").and_then(json::word);
    match (code.as_deref(), fields.get("result")) {
        (Some("0"), Some(Value::Array(rows))) => Envelope::Rows(rows.clone()),
        (Some("0"), None | Some(Value::Null)) => Envelope::Rows(Vec::new()),
        (Some("0"), Some(row)) => Envelope::Rows(vec![row.clone()]),
        (Some(code), _) => {
            let words = fields.get("message").and_then(json::word).unwrap_or_default();
            Envelope::No(code.to_owned(), words)
        }
        (None, _) => Envelope::Noise(format!("HTTP {status}: {}", excerpt(text))),
    }
}

/// The code for any other error: that there is one, and no more.
const OTHER: &str = "19010";

/// Our word for the carrier's code (facts C1.6). Codes that are not known are refused and shown as they are.
pub fn answer(code: &str, words: &str, cool_down_seconds: i64) -> Answer {
    let reason = if words.is_empty() { "without words" } else { words };
    match code {
        "12021" => Answer::NoLogin { reason: format!("12021 {reason}") },
        "12047" | "12048" => Answer::Already,
        "13009" => Answer::Later { seconds: cool_down_seconds.max(1), reason: format!("13009 {reason}") },
        "13010" => Answer::Later { seconds: MINUTE_SECONDS, reason: format!("13010 {reason}") },
        // The account itself is refused: it says nothing of the card, and a person has to look.
        "12004" | "12022" => {
            let seconds = kachi_domain::carrier::LOGIN_REFUSED_SECONDS;
            Answer::Later { seconds, reason: format!("{code} {reason}") }
        }
        OTHER => Answer::InDoubt { reason: format!("{code} {reason}") },
        _ => crate::refused(code, words),
    }
}

/// Whether a card may be why many that were asked about together got no figures: a refusal, or an error that says nothing.
pub fn may_be_one_cards(answer: &Answer) -> bool {
    match answer {
        Answer::Refused { .. } => true,
        Answer::InDoubt { reason } => reason.starts_with(OTHER),
        _ => false,
    }
}

/// A card's state: one digit on the CT platform, two on the PB platform.
pub fn state(raw: &str) -> BaseState {
    match raw {
        "1" | "07" => BaseState::Ready,
        "2" | "00" => BaseState::Active,
        "4" | "01" | "02" | "06" => BaseState::Stopped,
        "6" => BaseState::Testing,
        "7" => BaseState::Inventory,
        "8" | "03" => BaseState::PreClosed,
        "9" | "04" => BaseState::Closed,
        "05" => BaseState::Replaced,
        _ => BaseState::Unknown,
    }
}

/// Whether a state is one of the PB platform's, whose counters are those of yesterday's midnight.
pub fn is_pb(raw: &str) -> bool {
    raw.len() == 2
}

/// A row with a state and perhaps the time of its last change.
pub fn standing(row: &Value, changed: &str) -> Option<Standing> {
    let raw = json::text(row, "cardStatus")?;
    let since = json::text(row, changed).and_then(|t| crate::china().parse(&t).ok());
    Some(Standing { base: state(&raw), raw, since })
}

/// The number of the act in the call for one card; none: nothing leads there from this state.
pub fn single(write: &Write, from: BaseState) -> Option<&'static str> {
    match (write, from) {
        (Write::Stop, _) => Some("0"),
        (Write::Resume, _) => Some("1"),
        (Write::Activate, BaseState::Inventory) => Some("2"),
        (Write::Activate, BaseState::Testing) => Some("5"),
        (Write::Activate, BaseState::Ready) => Some("6"),
        (Write::EndTest, BaseState::Testing) => Some("4"),
        _ => None,
    }
}

/// The number of the act in the call for many cards, which counts otherwise than [`single`].
pub fn batch(write: &Write) -> Option<&'static str> {
    match write {
        Write::Stop => Some("9"),
        Write::Resume => Some("11"),
        _ => None,
    }
}

/// The steps of speed, in kilobits a second, and the number that lifts the limit (facts C1.5, 23M04).
const SPEEDS: [(u32, &str); 4] = [(2048, "91"), (1024, "92"), (512, "93"), (128, "94")];
const NO_LIMIT: &str = "1";

/// The number of a speed: of the fastest step that is not above it, else of the slowest.
pub fn speed(kbps: Option<u32>) -> &'static str {
    let slowest = SPEEDS[SPEEDS.len() - 1].1;
    kbps.map_or(NO_LIMIT, |kbps| SPEEDS.iter().find(|(step, _)| *step <= kbps).map_or(slowest, |(_, number)| number))
}

/// Whether a card that stands there needs nothing more.
pub fn is_so(write: &Write, state: BaseState) -> bool {
    match write {
        Write::Stop => state == BaseState::Stopped,
        Write::Resume | Write::Activate => state == BaseState::Active,
        Write::EndTest => !matches!(state, BaseState::Testing | BaseState::Unknown),
        _ => false,
    }
}

const REASONS: [(usize, Blocks, &str); 7] = [
    (1, Blocks::EXPIRED, "窄带网商品到期失效停机"),
    (2, Blocks::SEPARATION, "机卡分离停机"),
    (4, Blocks::CARRIER_MANAGEMENT, "M2M管理停机"),
    (5, Blocks::CREDIT, "信控双向停机"),
    (9, Blocks::OWNER_STOP, "主动（申请）双向停机"),
    (10, Blocks::REGION, "区域限制（位置固定）管理型停机"),
    (11, Blocks::FORCED, "强制双向停机"),
];

/// Why a card is stopped: twelve positions, each `0` or `2`; those that are not documented are named by their number.
pub fn stop(raw: &str) -> Stop {
    let (mut blocks, mut words) = (0, Vec::new());
    for (n, _) in raw.bytes().enumerate().filter(|(_, b)| *b != b'0') {
        match REASONS.iter().find(|(position, _, _)| *position == n + 1) {
            Some((_, block, reason)) => {
                blocks |= block.0;
                words.push((*reason).to_owned());
            }
            None => words.push(format!("position {} is not documented", n + 1)),
        }
    }
    Stop { blocks: Blocks(blocks), raw: raw.to_owned(), words: words.join(", ") }
}

/// The radio of a session.
pub fn rat(code: &str) -> String {
    match code {
        "1" => "3G".into(),
        "2" => "2G".into(),
        "6" => "LTE".into(),
        "8" => "NB".into(),
        "10" => "5G-NSA".into(),
        "51" => "5G-SA".into(),
        other => other.into(),
    }
}

/// KB as text, as bytes.
pub fn kb(row: &Value, field: &str) -> Option<i64> {
    json::text(row, field).and_then(|text| amount::bytes(&text, Unit::Kb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_request_is_as_in_the_example() {
        let at = crate::china().parse("2015-03-14 11:22:33").unwrap();
        assert_eq!(transid("100001", at, 7), "1000012015031411223300000007");
        assert_eq!(transid("100001", at, 100_000_007), "1000012015031411223300000007", "eight digits");
    }

    #[test]
    fn envelopes_are_opened_with_and_without_a_result() {
        let rows = open(200, r#"{"status":"0","message":"正确","result":[{"token":"T-100001-abc","ttl":"3600"}]}"#);
        assert!(matches!(rows, Envelope::Rows(rows) if json::text(&rows[0], "ttl").as_deref() == Some("3600")));
        let no = open(200, r#"{"status":"12021","message":"token不存在或已过期"}"#);
        assert!(matches!(no, Envelope::No(code, words) if code == "12021" && words.starts_with("token")));
        for noise in ["<html>502</html>", "[]", "{}", ""] {
            assert!(matches!(open(502, noise), Envelope::Noise(_)), "{noise}");
        }
    }

    #[test]
    fn every_state_of_both_platforms_is_known() {
        for (raw, base) in [
            ("1", "ready"),
            ("2", "active"),
            ("4", "stopped"),
            ("6", "testing"),
            ("7", "inventory"),
            ("8", "pre_closed"),
            ("9", "closed"),
            ("00", "active"),
            ("01", "stopped"),
            ("02", "stopped"),
            ("03", "pre_closed"),
            ("04", "closed"),
            ("05", "replaced"),
            ("06", "stopped"),
            ("07", "ready"),
            ("99", "unknown"),
            ("3", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(state(raw).word(), base, "{raw}");
            assert_eq!(is_pb(raw), raw.len() == 2);
        }
    }

    #[test]
    fn reasons_are_read_position_by_position() {
        for (raw, blocks, words) in [
            ("000000000000", Blocks::NONE, ""),
            ("000020000020", Blocks(Blocks::CREDIT.0 | Blocks::FORCED.0), "信控双向停机, 强制双向停机"),
            ("000000002000", Blocks::OWNER_STOP, "主动（申请）双向停机"),
            (
                "220200000200",
                Blocks(Blocks::EXPIRED.0 | Blocks::SEPARATION.0 | Blocks::CARRIER_MANAGEMENT.0 | Blocks::REGION.0),
                "窄带网商品到期失效停机, 机卡分离停机, M2M管理停机, 区域限制（位置固定）管理型停机",
            ),
            ("002000000002", Blocks::NONE, "position 3 is not documented, position 12 is not documented"),
        ] {
            let read = stop(raw);
            assert_eq!((read.blocks, read.words.as_str(), read.raw.as_str()), (blocks, words, raw));
        }
    }

    #[test]
    fn one_card_and_many_count_their_acts_differently() {
        let state = BaseState::Active;
        assert_eq!((single(&Write::Stop, state), batch(&Write::Stop)), (Some("0"), Some("9")));
        assert_eq!((single(&Write::Resume, state), batch(&Write::Resume)), (Some("1"), Some("11")));
        let from = |base| single(&Write::Activate, base);
        assert_eq!(
            (from(BaseState::Inventory), from(BaseState::Testing), from(BaseState::Ready)),
            (Some("2"), Some("5"), Some("6"))
        );
        assert_eq!((from(BaseState::Closed), single(&Write::EndTest, BaseState::Testing)), (None, Some("4")));
    }

    #[test]
    fn a_speed_is_the_next_step_below() {
        let numbers: Vec<&str> = [4096, 2048, 2047, 512, 511, 1].map(|kbps| speed(Some(kbps))).to_vec();
        assert_eq!(numbers, ["91", "91", "92", "93", "94", "94"]);
        assert_eq!(speed(None), "1");
    }

    #[test]
    fn every_code_has_its_class() {
        for (code, class) in [
            ("11000", "refused"),
            ("12004", "later"),
            ("12009", "refused"),
            ("12010", "refused"),
            ("12021", "no_login"),
            ("12022", "later"),
            ("12034", "refused"),
            ("12047", "already"),
            ("12048", "already"),
            ("12089", "refused"),
            ("12098", "refused"),
            ("12099", "refused"),
            ("12100", "refused"),
            ("12144", "refused"),
            ("12199", "refused"),
            ("13009", "later"),
            ("13010", "later"),
            ("19010", "in_doubt"),
            ("19019", "refused"),
            ("99999", "refused"),
        ] {
            let answer = answer(code, "words", 180);
            assert_eq!(serde_json::to_value(&answer).unwrap()["answer"], class, "{code}");
            if let Answer::Later { seconds, .. } = answer {
                assert_eq!(
                    seconds,
                    match code {
                        "13009" => 180,
                        "13010" => 60,
                        _ => 600,
                    }
                );
            }
        }
    }
}
