//! Questions about one card.

use super::{Answer, Code, Params, card, kilobytes, status};
use crate::calendar;
use crate::house::{Ask, House};
use crate::world::{Card, Stop};
use serde_json::{Value, json};

/// The region limit of a card may be asked for once in so many seconds.
const REGION_SECONDS: i64 = 3600;
/// A value that is not there.
const BLANK: &str = " ";

/// Answers if the name is one of this file's.
pub(super) fn route(house: &mut House, ask: &Ask, params: &Params, name: &str) -> Option<Answer> {
    let work: fn(&mut House, &Ask, &Params, u32) -> Answer = match name {
        "query/sim-basic-info" => |h, _, _, c| Ok(basic(h.world.card(c))),
        "query/sim-status" => |h, _, _, c| Ok(state(h.world.card(c))),
        "query/sim-change-history" => |h, _, _, c| Ok(history(h.world.card(c))),
        "query/sim-imei" => |h, _, _, c| Ok(json!({"imei": h.world.card(c).imei})),
        "query/sim-stop-reason" => |h, _, _, c| Ok(stop_reason(h.world.card(c))),
        "query/sim-manage-stop-restart-status" => |h, _, _, c| Ok(freeze(h.world.card(c))),
        "query/sim-data-usage" => month,
        "query/sim-data-margin" => margin,
        "query/sim-data-usage-inpool" => in_pool,
        "query/sim-sms-usage" => |h, _, _, c| Ok(json!({"smsAmount": sms_of_month(h, c).to_string()})),
        "query/sim-sms-margin" => sms_margin,
        "query/sim-voice-usage" => |_, _, _, _| Ok(json!({"voiceAmount": "0"})),
        "query/on-off-status" => |h, _, _, c| Ok(json!({"status": if h.world.card(c).powered { "1" } else { "0" }})),
        "query/sim-session" => |h, _, _, c| Ok(session(h.world.card(c))),
        "query/sim-communication-function-status" => |h, _, _, c| Ok(functions(h.world.card(c))),
        "query/apn-info" => |h, _, _, c| Ok(apns(h.world.card(c))),
        "query/card-bind-status" => bind,
        "query/sim-real-name-status" => {
            |h, _, _, c| Ok(json!({"realNameStatus": if h.world.card(c).real_name { "1" } else { "0" }}))
        }
        "secure/sim-real-name-reg" => real_name_page,
        "query/region-limit-status" => region,
        "query/sim-region-limit-area" => |_, _, _, _| Ok(json!({"restrictedArea": BLANK})),
        "query/ordered-offerings" => |h, _, _, c| Ok(offers(h.world.card(c))),
        "query/group-by-member" => super::group::of_card,
        _ => return None,
    };
    Some(card(house, params).and_then(|card| work(house, ask, params, card)))
}

fn basic(card: &Card) -> Value {
    let active = card.activated.map_or_else(|| BLANK.to_owned(), calendar::stamp);
    json!({
        "msisdn": card.msisdn, "imsi": card.imsi, "iccid": card.iccid, "activeDate": active,
        "openDate": calendar::stamp(card.opened), "remark": card.custom.get("remark").map_or(BLANK, String::as_str),
    })
}

fn state(card: &Card) -> Value {
    let at = card.changes.last().map_or(card.opened, |c| c.at);
    json!({"cardStatus": status(card), "lastChangeDate": calendar::stamp(at)})
}

/// Every change, in an order of the platform's own: newest first but for the oldest, which leads.
fn history(card: &Card) -> Value {
    let as_was = |base| {
        let mut then = card.clone();
        then.base = base;
        status(&then)
    };
    let row = |c: &crate::Change| json!({"descStatus": as_was(c.from), "targetStatus": as_was(c.to), "changeDate": calendar::stamp(c.at)});
    let mut rows: Vec<Value> = card.changes.iter().map(row).collect();
    rows.reverse();
    rows.rotate_right(1.min(card.changes.len()));
    json!({"changeHistoryList": rows})
}

/// The place of each reason among the twelve digits, from 1, and its words.
fn place(stop: Stop) -> (usize, &'static str) {
    match stop {
        Stop::OfferExpired => (1, "窄带网商品到期失效停机"),
        Stop::Separation => (2, "机卡分离停机"),
        Stop::Management | Stop::RealName => (4, "M2M管理停机"),
        Stop::Credit => (5, "信控双向停机"),
        Stop::Owner => (9, "主动（申请）双向停机"),
        Stop::Region => (10, "区域限制（位置固定）管理型停机"),
        Stop::Forced => (11, "强制双向停机"),
    }
}

fn stop_reason(card: &Card) -> Value {
    let mut digits = [b'0'; 12];
    let mut words = Vec::new();
    for (at, text) in card.stops.iter().map(|s| place(*s)) {
        digits[at - 1] = b'2';
        words.push(text);
    }
    json!({
        "platformType": platform_type(card), "stopReason": String::from_utf8_lossy(&digits), "shutdownReasonDesc": words.join(","),
    })
}

pub(super) fn platform_type(card: &Card) -> &'static str {
    if card.pb { "OneLink-PB" } else { "OneLink-CT" }
}

fn freeze(card: &Card) -> Value {
    if card.frozen {
        json!({"manageStopRestartStatus": "1", "reason": "违规使用"})
    } else {
        json!({"manageStopRestartStatus": "0"})
    }
}

/// Bytes of the month as they are shown: in real time for CT cards, up to yesterday's end for PB cards.
fn shown(house: &mut House, ask: &Ask, card: u32) -> u64 {
    if !house.world.cards[card as usize].pb {
        return house.shown_cycle(ask, card, 0);
    }
    let today = calendar::day_of(house.world.now);
    let first = ask.platform.cycle().around(today).start;
    house.world.card(card).usage.sum(&(first..today)).bytes
}

fn month(house: &mut House, ask: &Ask, _: &Params, card: u32) -> Answer {
    let bytes = shown(house, ask, card);
    let amount = kilobytes(bytes, house.settings.kb_decimals);
    let apn = house.world.card(card).apn().to_owned();
    let used = json!({"apnName": apn, "apnUseAmount": amount, "pccCodeUseAmountList": []});
    Ok(json!({"dataAmount": amount, "apnUseAmountList": [used]}))
}

fn margin(house: &mut House, ask: &Ask, _: &Params, card: u32) -> Answer {
    let mut left = shown(house, ask, card);
    let (now, decimals) = (house.world.now, house.settings.kb_decimals);
    let kb = |bytes| kilobytes(bytes, decimals);
    let card = house.world.card(card);
    let mut rows = Vec::new();
    for offer in card.offers.iter().filter(|o| o.from <= now && now < o.until) {
        let used = left.min(offer.bytes);
        left -= used;
        rows.push(json!({
            "offeringId": offer.id, "offeringName": offer.name, "apnName": card.apn(), "totalAmount": kb(offer.bytes),
            "useAmount": kb(used), "remainAmount": kb(offer.bytes - used), "pccCode": BLANK,
        }));
    }
    Ok(json!({"accmMarginList": rows}))
}

fn in_pool(house: &mut House, ask: &Ask, _: &Params, card: u32) -> Answer {
    let member = house.world.card(card).pool.is_some();
    let bytes = if member { shown(house, ask, card) } else { 0 };
    Ok(json!({"dataAmount": kilobytes(bytes, house.settings.kb_decimals)}))
}

fn sms_of_month(house: &mut House, card: u32) -> u32 {
    let days = crate::Platform::OneLink.cycle().around(calendar::day_of(house.world.now));
    house.world.card(card).usage.sum(&days).sms
}

fn sms_margin(house: &mut House, _: &Ask, _: &Params, card: u32) -> Answer {
    const GIVEN: u32 = 200;
    let used = sms_of_month(house, card);
    let left = GIVEN.saturating_sub(used);
    let row = json!({"offeringId": "SMS200", "offeringName": "200条", "totalAmount": GIVEN.to_string(), "useAmount": used.to_string(), "remainAmount": left.to_string()});
    Ok(json!({"accmMarginList": [row]}))
}

fn session(card: &Card) -> Value {
    let row = |apn: &String| match card.session.as_ref().filter(|s| s.apn == *apn) {
        Some(s) => {
            json!({"apnId": apn, "status": "01", "ip": s.ip, "ipv6": BLANK, "createDate": calendar::stamp(s.since), "rat": s.rat.to_string()})
        }
        None => json!({"apnId": apn, "status": "00", "ip": BLANK, "ipv6": BLANK, "createDate": BLANK, "rat": BLANK}),
    };
    json!({"simSessionList": card.apns.iter().map(row).collect::<Vec<_>>()})
}

fn functions(card: &Card) -> Value {
    let switch = |off: bool| if off { "0" } else { "1" };
    let mut rows = vec![
        json!({"serviceType": "01", "serviceStatus": switch(card.voice_off), "apnName": BLANK}),
        json!({"serviceType": "08", "serviceStatus": switch(card.sms_off), "apnName": BLANK}),
    ];
    rows.extend(
        card.apns
            .iter()
            .map(|apn| json!({"serviceType": "11", "serviceStatus": switch(card.data_off.contains(apn)), "apnName": apn})),
    );
    json!({"serviceTypeList": rows})
}

fn apns(card: &Card) -> Value {
    let row = |apn: &String| json!({"apnName": apn, "status": if card.data_off.contains(apn) { "0" } else { "1" }});
    json!({"apnList": card.apns.iter().map(row).collect::<Vec<_>>()})
}

fn bind(house: &mut House, _: &Ask, params: &Params, card: u32) -> Answer {
    if !matches!(params.need("testType")?, "0" | "1") {
        return Err(super::BAD_PARAMETER);
    }
    let card = house.world.card(card);
    let apart = card.stops.contains(&Stop::Separation)
        || card.bound_imei.as_ref().is_some_and(|imei| !card.imei.starts_with(imei.as_str()));
    let at = if apart { calendar::stamp(card.modified) } else { BLANK.to_owned() };
    Ok(json!({"result": if apart { "0" } else { "1" }, "sepTime": at}))
}

fn real_name_page(_: &mut House, _: &Ask, params: &Params, card: u32) -> Answer {
    match params.need("urlType")? {
        "1" | "2" => Ok(json!({"url": format!("https://realname.invalid/card/{card}")})),
        _ => Err(super::BAD_PARAMETER),
    }
}

fn region(house: &mut House, _: &Ask, _: &Params, card: u32) -> Answer {
    let now = house.world.now;
    let card = &mut house.world.cards[card as usize];
    if now < card.region_asked.saturating_add(REGION_SECONDS) {
        return Err(Code("13009", "同一卡号1小时内只能查询一次"));
    }
    card.region_asked = now;
    Ok(json!({"regionLimitStatus": if card.region_limited { "1" } else { "0" }}))
}

fn offers(card: &Card) -> Value {
    let row = |o: &crate::Offer| {
        json!({
            "offeringId": o.id, "offeringName": o.name, "effectiveDate": calendar::stamp(o.from),
            "expiriedDate": calendar::stamp(o.until), "apnName": card.apn(), "pccCode": BLANK,
        })
    };
    json!({"offeringInfoList": card.offers.iter().map(row).collect::<Vec<_>>()})
}
