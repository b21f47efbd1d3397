//! Writes. One card cools down for three minutes after each; a batch with one that cools down is refused as a whole.

use super::{Answer, BAD_PARAMETER, Code, Params, all_cards, card};
use crate::house::{Ask, House};
use crate::world::acts::Act;
use crate::{Base, Offer, Platform, calendar};
use serde_json::json;

/// Most cards of a batch.
const CARDS: usize = 100;

/// Answers if the name is one of this file's.
pub(super) fn route(house: &mut House, ask: &Ask, params: &Params, name: &str) -> Option<Answer> {
    let one: fn(&mut House, &Params) -> Result<Act, Code> = match name {
        "change/sim-status" => |_, p| single(p),
        "operate/sim-call-function" => |_, p| Ok(Act::Voice(opens(p)?)),
        "operate/sim-sms-function" => |_, p| Ok(Act::Sms(opens(p)?)),
        "operate/sim-apn-function" => |_, p| Ok(Act::Data { apn: Some(p.need("apnName")?.to_owned()), on: opens(p)? }),
        "operate/network-speed" => |_, p| speed(p),
        "operate/sim-gprs-status-reset" => |_, _| Ok(Act::Reset),
        "order/gprspackage-order" => return Some(order(house, ask, params)),
        "query/order-info" => return Some(order_info(house, params)),
        "change/sim-status/batch" => return Some(many(house, ask, params, batch_move)),
        "operate/sim-communication-function/batch" => return Some(many(house, ask, params, |_, p| function(p))),
        "operate/card-bind-by-bill/batch" => return Some(many(house, ask, params, |_, p| bind(p))),
        _ => return None,
    };
    Some(write(house, ask, params, one))
}

fn write(house: &mut House, ask: &Ask, params: &Params, act: fn(&mut House, &Params) -> Result<Act, Code>) -> Answer {
    let card = card(house, params)?;
    let act = act(house, params)?;
    if let Act::Data { apn: Some(apn), .. } = &act
        && !house.world.cards[card as usize].apns.contains(apn)
    {
        return Err(BAD_PARAMETER);
    }
    house.write(ask, card, act)?;
    let card = &house.world.cards[card as usize];
    Ok(json!({"msisdn": card.msisdn, "iccid": card.iccid, "imsi": card.imsi}))
}

fn many(house: &mut House, ask: &Ask, params: &Params, act: fn(&mut House, &Params) -> Result<Act, Code>) -> Answer {
    let act = act(house, params)?;
    let (_, found) = all_cards(house, params, CARDS)?;
    let job = house.write_batch(ask, found.into_iter().map(|card| (card, act.clone())).collect())?;
    Ok(json!({"jobId": job}))
}

/// 0 opens, 1 closes.
fn opens(params: &Params) -> Result<bool, Code> {
    match params.need("operType")? {
        "0" => Ok(true),
        "1" => Ok(false),
        _ => Err(BAD_PARAMETER),
    }
}

/// The numbers of the call for one card.
fn single(params: &Params) -> Result<Act, Code> {
    use Base::{Active, Inventory, Ready, Testing};
    Ok(match params.need("operType")? {
        "0" => Act::Suspend,
        "1" => Act::Resume,
        "2" => Act::Move(Inventory, Active),
        "3" => Act::Move(Testing, Inventory),
        "4" => Act::Move(Testing, Ready),
        "5" => Act::Move(Testing, Active),
        "6" => Act::Move(Ready, Active),
        "8" => Act::Move(Ready, Inventory),
        "9" => Act::Move(Inventory, Ready),
        _ => return Err(BAD_PARAMETER),
    })
}

/// The numbers of the call for many cards, which are others.
fn batch_move(house: &mut House, params: &Params) -> Result<Act, Code> {
    let number = params.number("operType")?;
    match number {
        1..=7 => {
            let (from, to) = house.settings.batch_moves[number as usize - 1];
            Ok(Act::Move(from, to))
        }
        9 | 11 if params.get("reason") != Some("01") => Err(BAD_PARAMETER),
        9 => Ok(Act::Suspend),
        11 => Ok(Act::Resume),
        _ => Err(BAD_PARAMETER),
    }
}

fn function(params: &Params) -> Result<Act, Code> {
    let on = opens(params)?;
    match params.need("serviceType")? {
        "01" => Ok(Act::Voice(on)),
        "08" => Ok(Act::Sms(on)),
        "10" => Ok(Act::Edit("roaming", on.to_string())),
        "11" => Ok(Act::Data { apn: Some(params.need("apnName")?.to_owned()), on }),
        _ => Err(BAD_PARAMETER),
    }
}

/// 1 takes the limit away; the rest are speeds. It is not taken away by itself with the next month.
fn speed(params: &Params) -> Result<Act, Code> {
    params.need("apnName")?;
    match params.need("serviceUsageState")? {
        "1" => Ok(Act::Speed(None)),
        code @ ("91" | "92" | "93" | "94") => Ok(Act::Speed(Some(code.to_owned()))),
        _ => Err(BAD_PARAMETER),
    }
}

/// An order for one card, with a number by which it is asked for later [G].
fn order(house: &mut House, ask: &Ask, params: &Params) -> Answer {
    let card = card(house, params)?;
    if !matches!(params.need("maincommoDity")?, "0" | "1") {
        return Err(BAD_PARAMETER);
    }
    let act = top_up(house, params)?;
    act.check(house.world.card(card))?;
    let number = house.write_batch(ask, vec![(card, act)])?;
    Ok(json!({"orderNum": number}))
}

/// Where an order stands; days and times without separators.
fn order_info(house: &House, params: &Params) -> Answer {
    let number = params.need("orderNum")?;
    let job = house.world.jobs.get(number).ok_or(BAD_PARAMETER)?;
    let status = match job.rows.first().and_then(|(_, result)| *result) {
        None => "inProgress",
        Some(Ok(())) => "completed",
        Some(Err(_)) => "failed",
    };
    let stamp = |at| calendar::china(at, "%Y%m%d%H%M%S");
    Ok(json!({"orderNum": number, "status": status, "statusDate": stamp(house.world.now), "createDate": stamp(job.at)}))
}

/// The top-ups of the public price list: 100 MB and 500 MB, for the rest of the month.
fn top_up(house: &mut House, params: &Params) -> Result<Act, Code> {
    let kind = params.need("packageType")?;
    let megabytes = match kind {
        "0" => 100,
        "2" => 500,
        _ => return Err(BAD_PARAMETER),
    };
    let now = house.world.now;
    let end = Platform::OneLink.cycle().around(calendar::day_of(now)).end;
    Ok(Act::Order(Offer {
        id: format!("ADD{kind}-{}", Platform::OneLink.cycle().name(calendar::day_of(now))),
        name: format!("{megabytes} MB"),
        bytes: megabytes << 20,
        from: now,
        until: calendar::start_of(end),
        main: false,
    }))
}

/// operType 1 binds to the device segment `tac`, 2 lets go.
fn bind(params: &Params) -> Result<Act, Code> {
    match params.need("operType")? {
        "1" => Ok(Act::Bind(Some(params.need("tac")?.to_owned()))),
        "2" => Ok(Act::Bind(None)),
        _ => Err(BAD_PARAMETER),
    }
}
