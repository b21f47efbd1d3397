//! Questions at Unicom's gateway.

use super::{Answer, BAD_PARAMETER, Code, NO_CARD, OUT_OF_RANGE, card, find, number, status};
use crate::calendar;
use crate::house::{Ask, House};
use crate::world::{Card, Stop};
use crate::{Platform, ct};
use serde_json::{Value, json};

/// Most cards of a request.
const CARDS: usize = 50;
/// Rows on a page.
const PAGE: usize = 50;

/// Answers if the name is one of this file's.
pub(super) fn route(house: &mut House, ask: &Ask, data: &Value, name: &str) -> Option<Answer> {
    Some(match name {
        "wsGetTerminalDetails" => details(house, ask, data),
        "wsGetTerminalsByMsisdn" => by_names(house, ask, &data["msisdns"]),
        "wsGetTerminalsByImsi" => by_names(house, ask, &data["imsis"]),
        "wsGetModifiedTerminals" => modified(house, data),
        "wsGetTerminalUsage" => usage(house, data),
        "wsGetTerminalUsageDataDetails" => sessions(house, data),
        "wsGetNetworkAccessConfig" => configs(house, data),
        "wsStatus" => card(house, data).map(|c| json!({"iccid": house.world.card(c).iccid, "status": "complete"})),
        "sessionInfo" | "wsGetSessionInfo" => card(house, data).map(|c| session(house.world.card(c))),
        "wsGetTerminalEvents" => card(house, data).map(|c| events(house.world.card(c))),
        "realNameStatusQuery" => card(house, data).map(|c| {
            let named = house.world.card(c).real_name;
            json!({"rspcode": if named { "0001" } else { "0000" }, "rspdesc": if named { "已实名" } else { "未实名" }})
        }),
        "LocationBasedService" => card(house, data).map(|_| json!({"longitude": "118.796877", "latitude": "32.060255"})),
        _ => return None,
    })
}

fn texts(value: &Value) -> Result<Vec<&str>, Code> {
    let list = value.as_array().ok_or(BAD_PARAMETER)?;
    let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    if texts.is_empty() || texts.len() != list.len() || texts.len() > CARDS { Err(BAD_PARAMETER) } else { Ok(texts) }
}

/// Cards that are not there are left out of the answer; if none is there, so is the answer.
fn details(house: &mut House, ask: &Ask, data: &Value) -> Answer {
    let found: Vec<u32> = texts(&data["iccids"])?.into_iter().filter_map(|i| find(house, i).ok()).collect();
    terminals(house, ask, found)
}

fn by_names(house: &mut House, ask: &Ask, names: &Value) -> Answer {
    let is_ours = |c: &u32| !house.world.cards[*c as usize].foreign;
    let found = texts(names)?.into_iter().filter_map(|n| house.world.find(Platform::Unicom, n)).filter(is_ours).collect();
    terminals(house, ask, found)
}

fn terminals(house: &mut House, ask: &Ask, found: Vec<u32>) -> Answer {
    if found.is_empty() {
        return Err(NO_CARD);
    }
    let rows: Vec<Value> = found.into_iter().map(|card| terminal(house, ask, card)).collect();
    Ok(json!({"terminals": rows}))
}

fn terminal(house: &mut House, ask: &Ask, card: u32) -> Value {
    let behind = house.settings.lag.unicom_seconds;
    let bytes = house.shown_cycle(ask, card, behind);
    let days = Platform::Unicom.cycle().around(calendar::day_of(house.world.now));
    let account = house.settings.logins.jasper.account_id.clone();
    let card = house.world.card(card);
    let month = card.usage.sum(&days);
    let over = card.line(calendar::start_of(days.start)).is_some_and(|line| bytes >= line)
        || bytes >= card.allowance(card.opened.max(card.modified));
    let mut row = json!({
        "iccid": card.iccid, "imsi": card.imsi, "msisdn": card.msisdn, "imei": card.imei, "simStatus": status(card),
        "ratePlan": card.rate_plan, "realNameStatus": if card.real_name { "2" } else { "0" },
        "monthToDateUsage": ct::megabytes(bytes), "monthToDateDataUsage": ct::megabytes(bytes),
        "monthToDateSMSUsage": month.sms, "monthToDateVoiceUsage": 0, "ctdSessionCount": month.sessions,
        "overageLimitReached": over, "overageLimitOverride": card.overage, "dateActivated": card.activated.map(calendar::stamp),
        "dateAdded": calendar::stamp(card.opened), "dateShipped": calendar::stamp(card.opened), "dateModified": calendar::stamp(card.modified),
        "lockStatus": if card.stops.contains(&Stop::Separation) { "1" } else { "0" }, "networkType": "4G", "accountId": account,
        "customer": card.custom.get("customer"), "testableDataUsage": 0,
    });
    for (name, value) in card.custom.iter().filter(|(name, _)| *name != "customer") {
        row[name] = value.as_str().into();
    }
    row
}

/// Cards that changed since an instant, page by page [G].
fn modified(house: &House, data: &Value) -> Answer {
    let bare: String = data["since"].as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    let since = bare.get(..14).and_then(calendar::china_instant).ok_or(BAD_PARAMETER)?;
    let page = number(&data["pageNumber"]).unwrap_or(1).max(1) as usize;
    let is = |c: &&Card| c.platform == Platform::Unicom && !c.foreign && c.modified >= since;
    let mut all: Vec<&Card> = house.world.cards.iter().filter(is).collect();
    all.sort_by_key(|c| (c.modified, c.number));
    let row = |c: &&Card| json!({"iccid": c.iccid, "simStatus": status(c), "dateModified": calendar::stamp(c.modified)});
    let rows: Vec<Value> = all.iter().skip((page - 1) * PAGE).take(PAGE).map(row).collect();
    Ok(json!({"terminals": rows, "totalCount": all.len(), "pageNumber": page}))
}

/// Of closed cycles only; the running one has no figure here.
fn usage(house: &mut House, data: &Value) -> Answer {
    let card = card(house, data)?;
    let digits = number(&data["billingCycle"]).ok_or(BAD_PARAMETER)?;
    let days = Platform::Unicom.cycle().named(digits).ok_or(BAD_PARAMETER)?;
    let today = calendar::day_of(house.world.now);
    if days.end > today || days.end < today - 366 {
        return Err(OUT_OF_RANGE);
    }
    let card = house.world.card(card);
    let month = card.usage.sum(&days);
    Ok(json!({
        "iccid": card.iccid, "billingCycle": digits.to_string(), "totalDataVolume": ct::megabytes(month.bytes),
        "totalSMSVolume": month.sms, "totalVoiceVolume": 0, "ratePlan": card.rate_plan,
    }))
}

fn sessions(house: &mut House, data: &Value) -> Answer {
    let card = card(house, data)?;
    let bare: String = data["cycleStartDate"].as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    let day = bare.get(..8).and_then(|d| d.parse().ok()).and_then(calendar::day_of_digits).ok_or(BAD_PARAMETER)?;
    let days = Platform::Unicom.cycle().around(day);
    let page = number(&data["pageNumber"]).unwrap_or(1).max(1) as usize;
    let until = calendar::start_of(days.end).min(house.world.now - house.settings.lag.unicom_seconds + 1);
    let all = house.world.records_of(card, calendar::start_of(days.start), until);
    let pages = all.len().div_ceil(PAGE).max(1);
    let row = |r: &crate::Record| json!({"recordOpenTime": calendar::stamp(r.start), "duration": r.stop - r.start, "dataVolume": ct::megabytes(r.bytes), "recordId": r.id});
    let rows: Vec<Value> = all.iter().skip((page - 1) * PAGE).take(PAGE).map(row).collect();
    Ok(json!({"usageDetails": rows, "totalPages": pages, "pageNumber": page}))
}

fn configs(house: &mut House, data: &Value) -> Answer {
    let found = texts(&data["iccids"])?.into_iter().map(|i| find(house, i)).collect::<Result<Vec<u32>, Code>>()?;
    let rows: Vec<Value> = found
        .into_iter()
        .map(|c| {
            let card = house.world.card(c);
            let nac = if card.data_off.is_empty() { card.communication_plan.as_str() } else { super::writes::DATA_OFF };
            json!({"iccid": card.iccid, "nacId": nac})
        })
        .collect();
    Ok(json!({"nacs": rows}))
}

fn session(card: &Card) -> Value {
    match &card.session {
        Some(s) => {
            json!({"iccid": card.iccid, "ipAddress": s.ip, "dateSessionStarted": calendar::stamp(s.since), "dateSessionEnded": null, "apn": s.apn})
        }
        None => {
            let ended = calendar::stamp(card.modified);
            json!({"iccid": card.iccid, "ipAddress": null, "dateSessionStarted": null, "dateSessionEnded": ended, "apn": card.apn()})
        }
    }
}

fn events(card: &Card) -> Value {
    let as_was = |base| {
        let mut then = card.clone();
        then.base = base;
        status(&then)
    };
    let row = |c: &crate::Change| json!({"eventType": "simStateChange", "date": calendar::stamp(c.at), "previousValue": as_was(c.from), "value": as_was(c.to)});
    json!({"terminalEvents": card.changes.iter().map(row).collect::<Vec<_>>()})
}
