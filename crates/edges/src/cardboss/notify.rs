//! Pushes as the partner's receivers get them: pure text from a stored event.
//!
//! A data push is signed and taken by any 2xx; a push about messages is unsigned, as in the source, and taken by the word
//! `success`. One event is one push and one row of it, so none has more than the 10,000 that the source allows.

use super::CHINA;
use super::wire::{self, Number};
use kachi_dialects::cardboss::{Push, push_body, sms_push_body};
use kachi_domain::Timestamp;
use kachi_domain::event::{Body, Counts, EventKind, Warning, WarningKind};
use serde::Serialize;
use serde_json::json;

/// The signed data push of an event: `event_kind` and `body_json` as stored, `id` the same at every attempt, `now` the time
/// of this attempt. None: this door has no push for it, or the body is not one of that event.
pub fn data_push(event_kind: &str, body_json: &str, id: &str, now: i64, (sid, apikey): (&str, &str)) -> Option<String> {
    let body: Body = serde_json::from_str(body_json).ok()?;
    let (sn, level, desc, data) = match (EventKind::parse(event_kind).ok()?, &body) {
        (EventKind::RenewalSettled, Body::Renewal { done, .. }) => {
            ("OD1002", if *done { "info" } else { "error" }, "续费结果", renewal(&body)?)
        }
        (EventKind::CardWarning, Body::Warning(w)) => ("OD1010", "warning", "预警", warning(w, id)),
        _ => return None,
    };
    let time = CHINA.text(Timestamp(now));
    Some(push_body(&Push { sid, id, sn, level, api: "", time: &time, data: &data, desc }, apikey))
}

fn renewal(body: &Body) -> Option<String> {
    let Body::Renewal { iccid, msisdn, imsi, equipment, number, package_code, package_name, months, done, waits, reason } = body
    else {
        return None;
    };
    let data = json!({
        "level": if *done { "info" } else { "error" },
        "msg": match (done, waits) {
            (true, false) => "订单续费成功, 资费已生效".to_owned(),
            (true, true) => "订单续费成功, 资费待生效".to_owned(),
            (false, _) => format!("订单续费失败, 原因: {reason}"),
        },
        "status": if *done { "1" } else { "0" },
        "orderid": number,
        "msisdn": msisdn,
        "iccid": iccid,
        "imsi": imsi,
        "equipment": equipment,
        "pkgcode": package_code,
        "pkgname": package_name,
        "month": months.to_string(),
    });
    Some(data.to_string())
}

/// The data of OD1010.
#[derive(Serialize)]
struct Warned<'a> {
    id: &'a str,
    date: String,
    mon: &'a str,
    msisdn: &'a str,
    iccid: &'a str,
    imei: &'a str,
    equipment: &'a str,
    r#type: String,
    planname: &'a str,
    cardexpiry: String,
    planexpiry: String,
    total: Number,
    usage: Number,
    outflow: Number,
}

fn warning(w: &Warning, id: &str) -> String {
    // An end is the first instant that is over: the day of the second before it is the last one.
    let last_day = |at: Option<i64>| wire::date(at.map(|at| Timestamp(at - 1)));
    let mut date = wire::date(Some(Timestamp(w.at)));
    date.truncate(7);
    let warned = Warned {
        id,
        date,
        mon: wire::mno(&w.carrier),
        msisdn: &w.msisdn,
        iccid: &w.iccid,
        imei: &w.imei,
        equipment: &w.equipment,
        r#type: w.warning.number().to_string(),
        planname: &w.package_name,
        cardexpiry: last_day(w.card_ends_at),
        planexpiry: last_day(w.package_ends_at),
        total: amount(w.warning, w.total),
        usage: amount(w.warning, w.used),
        outflow: amount(w.warning, w.outflow),
    };
    serde_json::to_string(&warned).expect("a warning can be written")
}

/// An amount as the warning's kind is counted: kb, minutes begun, or pieces.
fn amount(warning: WarningKind, n: i64) -> Number {
    match warning.counts() {
        Counts::Bytes => Number::kb(n),
        Counts::Seconds => Number::Whole(wire::minutes(n)),
        Counts::Pieces => Number::Whole(n),
    }
}

/// What became of messages: unsigned. None: this door has no push for the event.
pub fn sms_push(event_kind: &str, body_json: &str) -> Option<String> {
    let body: Body = serde_json::from_str(body_json).ok()?;
    let (kind, line) = match (EventKind::parse(event_kind).ok()?, body) {
        (EventKind::SmsReported, Body::SmsReport { mobile, state, task }) => {
            ("P0001", json!({"mobile": mobile, "state": state, "taskId": task}))
        }
        (EventKind::SmsReplied, Body::SmsReply { mobile, id, to, text }) => {
            ("P0002", json!({"mobile": mobile, "apmid": id, "spcode": to, "content": text}))
        }
        _ => return None,
    };
    Some(sms_push_body(kind, &json!([line]).to_string()))
}

/// Whether the receiver took a data push: any 2xx.
pub fn data_acknowledged(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Whether the receiver took a push about messages: it says `success`.
pub fn sms_acknowledged(status: u16, body: &[u8]) -> bool {
    (200..300).contains(&status) && body.trim_ascii() == b"success"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_word_for_taken() {
        for (status, body, data, sms) in [
            (200, "success", true, true),
            (204, "", true, false),
            (201, " success\r\n", true, true),
            (200, "\"success\"", true, false),
            (200, "SUCCESS", true, false),
            (302, "success", false, false),
            (500, "success", false, false),
        ] {
            assert_eq!(data_acknowledged(status), data, "{status} {body}");
            assert_eq!(sms_acknowledged(status, body.as_bytes()), sms, "{status} {body}");
        }
    }
}
