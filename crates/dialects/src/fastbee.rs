//! Device reports as FastBee's devices publish them: topics, payloads and the answer.
//!
//! Payloads are written by firmware, often by hand with `printf`, so they are read leniently: a value or a name without
//! quotes, as the ICCID of the source's own example, is taken as the text it is; long numbers are never read as floats;
//! a comma too many is passed over. What names a card or a device must be well-formed, or the whole payload is refused
//! with a reason that begins with one word to count by; what is only told (signal, version, place) is dropped if it makes
//! no sense.

use kachi_domain::device::Report;
use kachi_domain::ids::Imei;
use kachi_domain::{Iccid, PlatformId};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Bytes of a payload that is read, at most.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Characters of a serial number, at most.
const SERIAL_MAX: usize = 64;
/// Characters kept of a text that is only told.
const TEXT_MAX: usize = 64;
/// Bytes of the summary that are kept, at most; a longer one is dropped.
const SUMMARY_BYTES_MAX: usize = 4096;

/// The topics on which devices report, as a filter: any product, any serial number.
pub const INFO_POST: &str = "/+/+/info/post";

/// Who reports: the product and serial number of a topic `/{product}/{serial}/info/post`.
pub fn speaker(topic: &str) -> Result<(&str, &str), String> {
    let mut parts = topic.split('/');
    let named = match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(""), Some(product), Some(serial), Some("info"), Some("post"), None) => Some((product, serial)),
        _ => None,
    };
    let good = |text: &str| (1..=SERIAL_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    match named {
        Some((product, serial)) if good(product) && good(serial) => Ok((product, serial)),
        Some(_) => Err(format!("topic: product and serial number must have 1 to {SERIAL_MAX} characters")),
        None => Err("topic: is not /PRODUCT/SERIAL/info/post".to_owned()),
    }
}

/// Reads a payload of `info/post`.
pub fn report(payload: &[u8]) -> Result<Report, String> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(format!("size: {} bytes, at most {PAYLOAD_BYTES_MAX} are read", payload.len()));
    }
    let text = String::from_utf8_lossy(payload);
    let repaired = repair(text.trim_start_matches('\u{feff}'));
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(&repaired).map_err(|e| format!("json: is no object ({e})"))?;
    let get = |name: &str| fields.get(name).and_then(|raw| scalar(raw));
    let summary = fields.get("summary").map(|raw| raw.get()).filter(|raw| raw.starts_with('{'));
    let inner: BTreeMap<String, &RawValue> = summary.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default();
    let imei = get("imei").or_else(|| inner.get("imei").and_then(|raw| scalar(raw)));
    let named = |value: Option<String>| value.filter(|t| !t.chars().all(|c| c == '0'));
    let iccid = named(get("iccid")).map(|t| Iccid::parse(&t).map_err(|e| format!("{e}, not \"{}\"", cut(&t)))).transpose()?;
    let imei = named(imei).map(|t| Imei::parse(&t).map_err(|e| format!("{e}, not \"{}\"", cut(&t)))).transpose()?;
    let platform = named(get("cardPlatformId"))
        .map(|t| whole(&t).filter(|n| *n > 0).map(PlatformId).ok_or_else(|| platform_rule(&t)))
        .transpose()?;
    let number = |name: &str| get(name).and_then(|t| whole(&t));
    let told = |name: &str| get(name).map(|t| cut(&t));
    Ok(Report {
        iccid,
        platform,
        imei,
        user: number("userId"),
        rssi: number("rssi").filter(|dbm| (-200..=100).contains(dbm)),
        status: number("status").filter(|s| (1..=4).contains(s)),
        firmware: told("firmwareVersion"),
        longitude: told("longitude").filter(|t| is_decimal(t)),
        latitude: told("latitude").filter(|t| is_decimal(t)),
        summary: summary.filter(|raw| raw.len() <= SUMMARY_BYTES_MAX).map(str::to_owned),
    })
}

fn platform_rule(text: &str) -> String {
    format!("cardPlatformId: must be the number of a card platform, or 0 for any, not \"{}\"", cut(text))
}

/// The topic and payload of the answer to a report, as the source's platform gives it: `status/post`.
pub fn status(product: &str, serial: &str, report: &Report) -> (String, String) {
    /// The device is on line: it has just reported.
    const ON_LINE: i64 = 3;
    let payload = serde_json::json!({
        "status": report.status.filter(|s| *s == 2).unwrap_or(ON_LINE),
        "isShadow": 0,
        "rssi": report.rssi.unwrap_or(0),
    });
    (format!("/{product}/{serial}/status/post"), payload.to_string())
}

/// The JSON that a sloppy text was meant to be: bare words quoted, commas before an end dropped. Texts in quotes are left
/// alone; what cannot be mended fails to parse afterwards.
fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '"' => {
                let end = end_of_string(rest);
                out.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            ',' => {
                rest = &rest[1..];
                let ahead = rest.trim_start().chars().next();
                if !matches!(ahead, Some('}' | ']')) {
                    out.push(',');
                }
            }
            '{' | '}' | '[' | ']' | ':' => {
                out.push(c);
                rest = &rest[1..];
            }
            c if c.is_whitespace() => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
            _ => {
                let end = rest.find(|c: char| ",:{}[]\"".contains(c) || c.is_whitespace()).unwrap_or(rest.len());
                bare(&rest[..end], &mut out);
                rest = &rest[end..];
            }
        }
    }
    out
}

/// Where a quoted text ends, or the whole if it never does.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// A word without quotes: a number or one of JSON's words stays, anything else becomes a text.
fn bare(word: &str, out: &mut String) {
    if matches!(word, "true" | "false" | "null") || is_json_number(word) {
        out.push_str(word);
    } else {
        out.push_str(&serde_json::Value::from(word).to_string());
    }
}

/// Whether JSON takes the word as a number (no leading zeros, no plus).
fn is_json_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    is_decimal(word) && !word.starts_with('+') && !leading_zero && !digits.starts_with('.') && !word.ends_with('.')
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    !digits.is_empty() && digits != "." && all(whole) && all(part)
}

/// A text, or the digits of a number as they were sent; empty ones, null, lists and objects are none.
fn scalar(raw: &RawValue) -> Option<String> {
    let text = match raw.get().chars().next()? {
        '"' => serde_json::from_str::<String>(raw.get()).ok()?,
        '{' | '[' | 'n' => return None,
        _ => raw.get().to_owned(),
    };
    Some(text.trim().to_owned()).filter(|t| !t.is_empty())
}

/// A whole number; what stands behind a point is dropped.
fn whole(text: &str) -> Option<i64> {
    Some(text).filter(|t| is_decimal(t))?.split('.').next()?.trim_start_matches('+').parse().ok()
}

/// As much as is kept of a text that is only told, without what steers a terminal.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The payload that the source prints: its ICCID has a letter and no quotes.
    const SOURCE: &str = r#"{
"rssi": -43,
"firmwareVersion": 1.2,
"status": 3,
"userId": 2,
"longitude": 0,
"latitude": 0,
"iccid": 898604293620C0000970,
"cardPlatformId": 0,
"summary": {
"name": "FastBee",
"chip": "ESP8266",
"author": "kerwincui",
"deliveryTime": "2023-06-06",
"activeTime": "2022-10-01"
}
}"#;

    #[test]
    fn the_payload_of_the_source_is_read() {
        let read = report(SOURCE.as_bytes()).expect("it reads");
        assert_eq!(read.iccid.as_ref().map(Iccid::as_str), Some("898604293620C0000970"));
        assert_eq!((read.rssi, read.status, read.user, read.platform), (Some(-43), Some(3), Some(2), None));
        assert_eq!((read.firmware.as_deref(), read.longitude.as_deref()), (Some("1.2"), Some("0")));
        let summary: serde_json::Value = serde_json::from_str(&read.summary.expect("a summary")).expect("JSON");
        assert_eq!(summary["chip"], "ESP8266");
    }

    #[test]
    fn sloppy_payloads_are_read_and_wrong_ones_refused_with_a_reason() {
        let iccid = |payload: &str| report(payload.as_bytes()).map(|r| r.iccid.map(|i| i.to_string()));
        let found = |text: &str| Ok(Some(text.to_owned()));
        for (payload, card) in [
            (r#"{"iccid":"898604293620c0000970"}"#, "898604293620C0000970"),
            (r#"{"iccid":89860429362000000970}"#, "89860429362000000970"), // beyond what a float or an i64 holds
            (r#"{iccid:89860429362000000970,}"#, "89860429362000000970"),
            (r#"{"iccid": 898604293620C0000970 ,"rssi":-43,}"#, "898604293620C0000970"),
            (r#"{"iccid":" 89860429362000000970 "}"#, "89860429362000000970"),
            ("\u{feff}{\"note\":\"a \\\" {b, c:\",\"iccid\":89860429362000000970}", "89860429362000000970"),
        ] {
            assert_eq!(iccid(payload), found(card), "{payload}");
        }
        for payload in ["{}", r#"{"iccid":""}"#, r#"{"iccid":null}"#, r#"{"iccid":0}"#, r#"{"rssi":"strong","iccid":"0000"}"#] {
            assert_eq!(iccid(payload), Ok(None), "{payload}");
        }
        for (payload, reason) in [
            ("", "json: "),
            ("hello", "json: "),
            ("[1]", "json: "),
            (r#"{"iccid":"8986"#, "json: "),
            (r#"{"iccid":8986}"#, "iccid: must be 18"),
            (r#"{"iccid":8.98604293620e19}"#, "iccid: must be 18"),
            (r#"{"imei":"12"}"#, "imei: must be 15"),
            (r#"{"cardPlatformId":"mobile"}"#, "cardPlatformId: must be the number"),
            (r#"{"cardPlatformId":-1}"#, "cardPlatformId: must be the number"),
        ] {
            let refused = report(payload.as_bytes()).expect_err(payload);
            assert!(refused.starts_with(reason), "{payload}: {refused}");
        }
        let large = format!(r#"{{"note":"{}"}}"#, "x".repeat(PAYLOAD_BYTES_MAX));
        assert!(report(large.as_bytes()).expect_err("too large").starts_with("size: "));
    }

    #[test]
    fn an_imei_may_stand_in_the_summary_and_told_things_are_dropped_when_senseless() {
        let read =
            report(br#"{"summary":{"imei":867530912345678},"rssi":-4300,"status":9,"longitude":"east"}"#).expect("it reads");
        assert_eq!(read.imei.as_ref().map(Imei::as_str), Some("867530912345678"));
        assert_eq!((read.rssi, read.status, read.longitude), (None, None, None));
        let read = report(b"{\"firmwareVersion\":\"v1\\u0000\\u001b[2J\"}").expect("it reads");
        assert_eq!(read.firmware.as_deref(), Some("v1[2J"));
    }

    #[test]
    fn a_topic_names_who_reports_and_is_answered() {
        assert_eq!(speaker("/7/D1/info/post"), Ok(("7", "D1")));
        for topic in ["7/D1/info/post", "/7/D1/info/get", "/7/D1/info/post/x", "/7/info/post", "/7//info/post", ""] {
            assert!(speaker(topic).is_err(), "{topic}");
        }
        assert!(speaker(&format!("/7/{}/info/post", "D".repeat(65))).is_err());
        let (topic, payload) = status("7", "D1", &report(SOURCE.as_bytes()).expect("it reads"));
        assert_eq!(topic, "/7/D1/status/post");
        let payload: serde_json::Value = serde_json::from_str(&payload).expect("JSON");
        assert_eq!(payload, serde_json::json!({"status": 3, "isShadow": 0, "rssi": -43}));
    }

    proptest::proptest! {
        #[test]
        fn no_payload_breaks_the_reader(payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = report(&payload);
        }

        #[test]
        fn good_json_is_never_mended_into_something_else(name in "[a-z]{1,8}", value in "\\PC{0,20}") {
            let text = serde_json::json!({name: value, "list": [1, -2.5, true, null]}).to_string();
            let mended: serde_json::Value = serde_json::from_str(&repair(&text)).expect("JSON");
            proptest::prop_assert_eq!(mended, serde_json::from_str::<serde_json::Value>(&text).expect("JSON"));
        }
    }
}
