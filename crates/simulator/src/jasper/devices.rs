//! Devices: lists, one in full, its usage, session and trail, and changes to it.

use super::{Answer, BAD_PARAMETER, Fail, NOT_FOUND, Params, base_of, instant, page, stamp, status};
use crate::Platform;
use crate::calendar;
use crate::house::{Ask, House};
use crate::unicom;
use crate::world::Card;
use crate::world::acts::Act;
use serde_json::{Value, json};

/// Longest window of a list.
const WINDOW_SECONDS: i64 = 366 * 86_400;
/// Most days of a trail.
const TRAIL_DAYS: i64 = 365;
/// The communication plan that lets no data through. Names of plans are each account's own.
const DATA_OFF: &str = "COMM-OFF";

/// Cards that were changed in a window, which must be given, in the order of their changes.
pub(super) fn list(house: &House, params: &Params) -> Answer {
    let since = instant(params.get("modifiedSince").ok_or(BAD_PARAMETER)?)?;
    let till = params.get("modifiedTill").map_or(Ok(house.world.now), |t| instant(t))?;
    if till - since > WINDOW_SECONDS || since > till {
        return Err(BAD_PARAMETER);
    }
    let wanted = params.get("status");
    let is = |c: &&Card| {
        c.platform == Platform::Jasper
            && !c.foreign
            && (since..=till).contains(&c.modified)
            && wanted.is_none_or(|w| w == status(c))
    };
    let mut all: Vec<&Card> = house.world.cards.iter().filter(is).collect();
    all.sort_by_key(|c| (c.modified, c.number));
    let row = |c: &Card| json!({"iccid": c.iccid, "status": status(c), "ratePlan": c.rate_plan, "communicationPlan": plan(c)});
    let (number, rows, last) = page(params, all)?;
    Ok(json!({"pageNumber": number, "devices": rows.into_iter().map(row).collect::<Vec<_>>(), "lastPage": last}))
}

fn plan(card: &Card) -> &str {
    if card.data_off.is_empty() { &card.communication_plan } else { DATA_OFF }
}

/// One card, or one thing about it.
pub(super) fn about(house: &mut House, ask: &Ask, params: &Params, card: u32, what: &str) -> Answer {
    match what {
        "" => Ok(full(house, card)),
        "ctdUsages" => Ok(usage(house, ask, card)),
        "usageInZone" => Ok(json!({"usageInZone": [{"zone": "Domestic", "dataUsage": usage(house, ask, card)["ctdDataUsage"]}]})),
        "sessionInfo" => Ok(session(house.world.card(card))),
        "auditTrails" => trail(house, params, card),
        "locationHistory" => Ok(json!({"locationHistory": []})),
        "usages" => closed(house, params, card),
        _ => Err(NOT_FOUND),
    }
}

fn full(house: &mut House, card: u32) -> Value {
    let account = house.settings.logins.jasper.account_id.clone();
    let card = house.world.card(card);
    let mut all = json!({
        "iccid": card.iccid, "imsi": card.imsi, "msisdn": card.msisdn, "imei": card.imei, "status": status(card), "ratePlan": card.rate_plan,
        "communicationPlan": plan(card), "customer": null, "endConsumerId": null, "dateActivated": card.activated.map(stamp),
        "dateAdded": stamp(card.opened), "dateUpdated": stamp(card.modified), "dateShipped": stamp(card.opened), "accountId": account,
        "fixedIPAddress": null, "simNotes": null, "deviceID": null, "modemID": null, "globalSimType": null,
    });
    for name in custom_names() {
        all[name] = card.custom.get(name).map_or(Value::Null, |v| v.as_str().into());
    }
    all
}

fn usage(house: &mut House, ask: &Ask, card: u32) -> Value {
    let behind = house.settings.lag.jasper_seconds;
    let bytes = house.shown_cycle(ask, card, behind);
    let now = house.world.now;
    let days = Platform::Jasper.cycle().around(calendar::day_of(now));
    let card = house.world.card(card);
    let month = card.usage.sum(&days);
    json!({
        "iccid": card.iccid, "timestamp": stamp(now - behind), "imsi": card.imsi, "msisdn": card.msisdn, "imei": card.imei, "status": status(card),
        "ratePlan": card.rate_plan, "communicationPlan": plan(card), "ctdDataUsage": bytes, "ctdSMSUsage": month.sms, "ctdVoiceUsage": 0,
        "ctdSessionCount": month.sessions, "overageLimitReached": bytes >= card.allowance(now), "overageLimitOverride": card.overage,
    })
}

/// A closed cycle's bytes.
fn closed(house: &mut House, params: &Params, card: u32) -> Answer {
    let digits: u32 = params.get("billingCycle").and_then(|t| t.parse().ok()).ok_or(BAD_PARAMETER)?;
    let days = Platform::Jasper.cycle().named(digits).ok_or(BAD_PARAMETER)?;
    if days.end > calendar::day_of(house.world.now) {
        return Err(NOT_FOUND);
    }
    let card = house.world.card(card);
    let month = card.usage.sum(&days);
    Ok(
        json!({"iccid": card.iccid, "billingCycle": digits.to_string(), "dataUsage": month.bytes, "smsUsage": month.sms, "voiceUsage": 0}),
    )
}

fn session(card: &Card) -> Value {
    match &card.session {
        Some(s) => json!({
            "iccid": card.iccid, "ipAddress": s.ip, "ipv6Address": null, "dateSessionStarted": stamp(s.since), "dateSessionEnded": null, "apn": s.apn,
        }),
        None => json!({
            "iccid": card.iccid, "ipAddress": null, "ipv6Address": null, "dateSessionStarted": card.activated.map(stamp),
            "dateSessionEnded": stamp(card.modified), "apn": card.apn(),
        }),
    }
}

/// Changes of the last days, newest first.
fn trail(house: &mut House, params: &Params, card: u32) -> Answer {
    let days: i64 = params.get("daysOfHistory").map_or(Ok(30), |t| t.parse()).map_err(|_| BAD_PARAMETER)?;
    if !(1..=TRAIL_DAYS).contains(&days) {
        return Err(BAD_PARAMETER);
    }
    let since = house.world.now - days * 86_400;
    let user = house.settings.logins.jasper.username.clone();
    let card = house.world.card(card);
    let as_was = |base| {
        let mut then = card.clone();
        then.base = base;
        status(&then)
    };
    let row = |at: i64, field: &str, from: &str, to: &str| {
        let text = json!({
            "field": field, "priorValue": from, "value": to, "effectiveDate": stamp(at), "status": "Completed", "userName": user, "delegatedUser": null,
        });
        (at, text)
    };
    let changes = card.changes.iter().map(|c| row(c.at, "SIM Status", as_was(c.from), as_was(c.to)));
    let edits = card.edits.iter().map(|e| row(e.at, &e.field, &e.from, &e.to));
    let mut all: Vec<(i64, Value)> = changes.chain(edits).filter(|(at, _)| *at >= since).collect();
    all.sort_by_key(|(at, _)| -at);
    let (number, rows, last) = page(params, all)?;
    let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    Ok(json!({"pageNumber": number, "deviceAuditTrails": rows, "lastPage": last}))
}

/// Names of the fields that are the customer's own.
fn custom_names() -> impl Iterator<Item = &'static str> {
    const NAMES: [&str; 20] = [
        "operatorCustom1",
        "operatorCustom2",
        "operatorCustom3",
        "operatorCustom4",
        "operatorCustom5",
        "accountCustom1",
        "accountCustom2",
        "accountCustom3",
        "accountCustom4",
        "accountCustom5",
        "accountCustom6",
        "accountCustom7",
        "accountCustom8",
        "accountCustom9",
        "accountCustom10",
        "customerCustom1",
        "customerCustom2",
        "customerCustom3",
        "customerCustom4",
        "customerCustom5",
    ];
    NAMES.into_iter()
}

/// Exactly one field a call.
pub(super) fn change(house: &mut House, ask: &Ask, card: u32) -> Answer {
    let body = ask.json().ok_or(BAD_PARAMETER)?;
    let fields: Vec<(&String, &Value)> =
        body.as_object().ok_or(BAD_PARAMETER)?.iter().filter(|(n, _)| *n != "effectiveDate").collect();
    let [(name, value)] = fields.as_slice() else { return Err(BAD_PARAMETER) };
    let text = value.as_str().ok_or(BAD_PARAMETER)?;
    let act = act(house.world.card(card), name, text)?;
    house.write(ask, card, act)?;
    Ok(json!({"iccid": house.world.cards[card as usize].iccid}))
}

fn act(card: &Card, name: &str, text: &str) -> Result<Act, Fail> {
    Ok(match name {
        "status" => unicom::move_to(card, base_of(text).ok_or(BAD_PARAMETER)?),
        "ratePlan" if !text.is_empty() => Act::Edit("ratePlan", text.to_owned()),
        "communicationPlan" if text == DATA_OFF => Act::Data { apn: None, on: false },
        "communicationPlan" if !text.is_empty() => Act::Plan(text.to_owned()),
        "overageLimitOverride" if matches!(text, "DEFAULT" | "TEMPORARY_OVERRIDE" | "PERMANENT_OVERRIDE") => {
            Act::Edit("overageLimitOverride", text.to_owned())
        }
        other => Act::Edit(custom_names().find(|n| *n == other).ok_or(BAD_PARAMETER)?, text.to_owned()),
    })
}
