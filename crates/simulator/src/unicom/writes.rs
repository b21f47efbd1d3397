//! Writes at Unicom's gateway.

use super::{Answer, BAD_PARAMETER, Code, base_of, card, number};
use crate::Base;
use crate::calendar;
use crate::house::{Ask, House};
use crate::world::Card;
use crate::world::acts::Act;
use crate::{Offer, Platform};
use serde_json::{Value, json};

/// The network access plan that lets no data through. Numbers of plans are each account's own.
pub(super) const DATA_OFF: &str = "NAC-OFF";

/// Answers if the name is one of this file's.
pub(super) fn route(house: &mut House, ask: &Ask, data: &Value, name: &str) -> Option<Answer> {
    Some(match name {
        "wsEditTerminal" => edit(house, ask, data),
        "wsEditNetworkAccessConfig" => config(house, ask, data),
        "addRatePlan" => add_plan(house, ask, data),
        "wsSendSms" => send(house, data),
        _ => return None,
    })
}

fn edit(house: &mut House, ask: &Ask, data: &Value) -> Answer {
    let card = card(house, data)?;
    let kind = number(&data["changeType"]).ok_or(BAD_PARAMETER)?;
    let value = data["targetValue"].as_str().ok_or(BAD_PARAMETER)?;
    let act = match kind {
        3 => move_to(house.world.card(card), base_of(value).ok_or(BAD_PARAMETER)?),
        4 => Act::Edit("ratePlan", value.to_owned()),
        7 if matches!(value, "DEFAULT" | "TEMPORARY_OVERRIDE" | "PERMANENT_OVERRIDE") => {
            Act::Edit("overageLimitOverride", value.to_owned())
        }
        7 => return Err(BAD_PARAMETER),
        other => Act::Edit(field(other).ok_or(BAD_PARAMETER)?, value.to_owned()),
    };
    house.write(ask, card, act)?;
    let card = &house.world.cards[card as usize];
    Ok(json!({"iccid": card.iccid, "effectiveDate": calendar::stamp(house.world.now + house.settings.write_seconds)}))
}

/// What brings a card into a state: the owner's stop and its end, or a move.
pub(crate) fn move_to(card: &Card, to: Base) -> Act {
    match (card.base, to) {
        (_, Base::Stopped) => Act::Suspend,
        (Base::Stopped, Base::Active) => Act::Resume,
        // Out of these there is no way; out of the state itself neither.
        (Base::Closed | Base::Replaced, _) => Act::Move(Base::TestEnded, to),
        (from, to) if from == to => Act::Move(Base::TestEnded, to),
        (Base::Active, Base::Testing | Base::Ready | Base::Inventory) => Act::Move(Base::TestEnded, to),
        (from, to) => Act::Move(from, to),
    }
}

/// The card's feature behind a number of the operation.
fn field(kind: u32) -> Option<&'static str> {
    const CUSTOM: [&str; 10] = [
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
    ];
    const OPERATOR: [&str; 5] = ["operatorCustom1", "operatorCustom2", "operatorCustom3", "operatorCustom4", "operatorCustom5"];
    const CUSTOMER: [&str; 5] = ["customerCustom1", "customerCustom2", "customerCustom3", "customerCustom4", "customerCustom5"];
    Some(match kind {
        1 => "deviceID",
        2 => "modemID",
        6 => "customer",
        17..=19 => CUSTOM[kind as usize - 17],
        73..=79 => CUSTOM[kind as usize - 70],
        42..=46 => OPERATOR[kind as usize - 42],
        47..=51 => CUSTOMER[kind as usize - 47],
        68 => "saleDate",
        _ => return None,
    })
}

fn config(house: &mut House, ask: &Ask, data: &Value) -> Answer {
    let card = card(house, data)?;
    let plan = data["nacId"].as_str().filter(|p| !p.is_empty()).ok_or(BAD_PARAMETER)?;
    let act = match plan {
        DATA_OFF => Act::Data { apn: None, on: false },
        other => Act::Plan(other.to_owned()),
    };
    house.write(ask, card, act)?;
    Ok(json!({"iccid": house.world.cards[card as usize].iccid}))
}

/// So many additional packages of 100 MB until the cycle's end.
fn add_plan(house: &mut House, ask: &Ask, data: &Value) -> Answer {
    let card = card(house, data)?;
    let name = data["addPlanName"].as_str().filter(|n| !n.is_empty()).ok_or(BAD_PARAMETER)?;
    let count = number(&data["addQuantity"]).filter(|n| (1..=100).contains(n)).ok_or(BAD_PARAMETER)?;
    let now = house.world.now;
    let until = calendar::start_of(Platform::Unicom.cycle().around(calendar::day_of(now)).end);
    let offer =
        Offer { id: name.into(), name: name.into(), bytes: u64::from(count) * (100 << 20), from: now, until, main: false };
    house.write(ask, card, Act::Order(offer))?;
    Ok(json!({"iccid": house.world.cards[card as usize].iccid}))
}

fn send(house: &mut House, data: &Value) -> Answer {
    let card = card(house, data)?;
    let text = data["messageText"].as_str().ok_or::<Code>(BAD_PARAMETER)?;
    Ok(json!({"smsMsgId": house.world.send_sms(card, text).to_string()}))
}
