//! What the upstream tells: signed data pushes (v2.2.2, 4), of which the result of a renewal is news; and reports and replies as it
//! hands them out. Pushes about messages are unsigned there, so that none is taken.

use crate::json;
use kachi_dialects::cardboss::{Push, verify_push};
use kachi_domain::carrier::{Answer, Callback, News, Uplink};
use kachi_domain::time::Timestamp;
use serde_json::Value;

/// Reads a data push of the account.
pub(super) fn read(sid: &str, apikey: &str, callback: &Callback<'_>) -> Result<Vec<News>, Answer> {
    let no = |code: &str, reason: &str| Answer::Refused { code: code.to_owned(), reason: reason.to_owned() };
    let told: Value = serde_json::from_slice(callback.body).map_err(|_| no("data", "the push is no JSON"))?;
    // A null is signed as an empty text.
    let field = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let push = Push {
        sid: field("sid"),
        id: field("id"),
        sn: field("sn"),
        level: field("level"),
        api: field("api"),
        time: field("time"),
        data: field("data"),
        desc: field("desc"),
    };
    if push.sid != sid || !verify_push(&push, apikey, field("sign")) {
        return Err(no("signature", "the push is not signed with our apikey"));
    }
    if push.sn.trim() != "OD1002" {
        return Ok(Vec::new());
    }
    let data: Value = serde_json::from_str(push.data).map_err(|_| no("data", "the push's data is no JSON"))?;
    let Some(job) = json::text(&data, "orderid") else { return Err(no("data", "the push names no order")) };
    let answer = match json::text(&data, "status").as_deref() {
        Some("1") => Answer::Confirmed,
        Some("0") => Answer::Refused { code: "OD1002".into(), reason: json::text(&data, "msg").unwrap_or_default() },
        _ => return Err(no("data", "the push does not say whether the renewal took effect")),
    };
    Ok(vec![News::Message { job, answer }])
}

/// What became of a message.
pub(super) fn report(row: &Value) -> Option<News> {
    let (job, state) = (json::text(row, "taskid")?, json::text(row, "state").or_else(|| json::text(row, "stat"))?);
    let answer =
        if state == "DELIVRD" { Answer::Confirmed } else { Answer::Refused { code: state, reason: "not delivered".into() } };
    Some(News::Message { job, answer })
}

/// What a device wrote; the upstream does not say when.
pub(super) fn reply(row: &Value, now: Timestamp) -> Option<News> {
    let to = json::text(row, "spcode").or_else(|| json::text(row, "scode")).unwrap_or_default();
    let (id, card) = (json::text(row, "apmid")?, json::text(row, "mobile")?);
    Some(News::Wrote(Uplink { id, card, to, text: json::text(row, "content").unwrap_or_default(), at: now }))
}
