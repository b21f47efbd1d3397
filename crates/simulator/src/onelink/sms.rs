//! Messages. The public sources name the calls; the names of their rows are ours [G].

use super::{Answer, BAD_PARAMETER, Params, all_cards};
use crate::calendar;
use crate::house::{Ask, House};
use serde_json::{Value, json};

/// Most cards of a batch that sends or reads messages.
const READ: usize = 20;
const SEND: usize = 100;

/// Answers if the name is one of this file's.
pub(super) fn route(house: &mut House, _: &Ask, params: &Params, name: &str) -> Option<Answer> {
    Some(match name {
        "operate/sim-mt-sms" => send(house, params),
        "query/sim-mt-sms/batch" => list(house, params, false),
        "query/sim-mo-sms/batch" => list(house, params, true),
        _ => return None,
    })
}

/// A template's number (`actionid`) and its values; the text is made of both.
fn send(house: &mut House, params: &Params) -> Answer {
    let (_, found) = all_cards(house, params, SEND)?;
    params.need("actionid")?;
    let text = params.need("params")?.to_owned();
    let mut rows = Vec::new();
    for card in found {
        let id = house.world.send_sms(card, &text);
        rows.push(json!({"msisdn": house.world.cards[card as usize].msisdn, "messageId": id.to_string(), "status": "0"}));
    }
    Ok(json!({"resultList": rows}))
}

/// The messages of a day (`queryDate`, today if it is left out).
fn list(house: &mut House, params: &Params, from_card: bool) -> Answer {
    let (_, found) = all_cards(house, params, READ)?;
    let day = match params.get("queryDate") {
        Some(digits) => digits.parse().ok().and_then(calendar::day_of_digits).ok_or(BAD_PARAMETER)?,
        None => calendar::day_of(house.world.now),
    };
    let mut rows = Vec::new();
    for card in found {
        let card = house.world.card(card);
        for sms in card.sms.iter().filter(|s| s.from_card == from_card && calendar::day_of(s.at) == day) {
            rows.push(row(&card.msisdn, sms));
        }
    }
    Ok(json!({"smsList": rows}))
}

fn row(msisdn: &str, sms: &crate::Sms) -> Value {
    json!({
        "msisdn": msisdn, "messageId": sms.id.to_string(), "content": sms.text, "sendTime": calendar::stamp(sms.at),
        "status": if sms.delivered.is_some() { "1" } else { "0" },
        "deliverTime": sms.delivered.map_or_else(|| " ".to_owned(), calendar::stamp),
    })
}
