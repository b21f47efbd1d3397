//! Messages to and from devices.

use super::{Answer, BAD_PARAMETER, NOT_FOUND, Params, instant, page, stamp};
use crate::Platform;
use crate::house::{Ask, House};
use crate::world::{Card, Sms};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A text, plain or in Base64.
pub(super) fn send(house: &mut House, ask: &Ask, card: u32) -> Answer {
    let body = ask.json().ok_or(BAD_PARAMETER)?;
    let text = body["messageText"].as_str().ok_or(BAD_PARAMETER)?;
    let text = match body["messageEncoding"].as_str().unwrap_or("LITERAL") {
        "LITERAL" => text.to_owned(),
        "BASE64" => STANDARD.decode(text).ok().and_then(|b| String::from_utf8(b).ok()).ok_or(BAD_PARAMETER)?,
        _ => return Err(BAD_PARAMETER),
    };
    Ok(json!({"smsMessageId": house.world.send_sms(card, &text)}))
}

fn row(card: &Card, sms: &Sms) -> Value {
    let status = match (sms.from_card, sms.delivered) {
        (true, _) => "Received",
        (false, Some(_)) => "Delivered",
        (false, None) => "Pending",
    };
    json!({
        "smsMessageId": sms.id, "iccid": card.iccid, "messageText": sms.text, "status": status, "messageType": if sms.from_card { "MO" } else { "MT" },
        "dateSent": stamp(sms.at), "dateReceived": sms.delivered.map(stamp),
    })
}

fn all(house: &House) -> impl Iterator<Item = (&Card, &Sms)> {
    let ours = house.world.cards.iter().filter(|c| c.platform == Platform::Jasper && !c.foreign);
    ours.flat_map(|c| c.sms.iter().map(move |s| (c, s)))
}

/// Messages since an instant, oldest first.
pub(super) fn list(house: &House, params: &Params) -> Answer {
    let from = instant(params.get("fromDate").ok_or(BAD_PARAMETER)?)?;
    let to = params.get("toDate").map_or(Ok(house.world.now), |t| instant(t))?;
    let mut found: Vec<(&Card, &Sms)> = all(house).filter(|(_, s)| (from..=to).contains(&s.at)).collect();
    found.sort_by_key(|(_, s)| (s.at, s.id));
    let (number, rows, last) = page(params, found)?;
    let rows: Vec<Value> = rows.into_iter().map(|(card, sms)| row(card, sms)).collect();
    Ok(json!({"pageNumber": number, "smsMessages": rows, "lastPage": last}))
}

/// One message.
pub(super) fn one(house: &House, id: &str) -> Answer {
    let id: u64 = id.parse().map_err(|_| BAD_PARAMETER)?;
    all(house).find(|(_, s)| s.id == id).map(|(card, sms)| row(card, sms)).ok_or(NOT_FOUND)
}
