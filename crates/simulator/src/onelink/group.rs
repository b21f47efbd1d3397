//! Groups: cards that share the sum of their packages, and the bytes that a member may take.

use super::batch::page;
use super::{Answer, BAD_PARAMETER, Code, GROUP_NOT_OWNED, Params, card, kilobytes};
use crate::Platform;
use crate::house::{Ask, House};
use crate::world::acts::Act;
use serde_json::{Value, json};

/// Answers if the name is one of this file's.
pub(super) fn route(house: &mut House, ask: &Ask, params: &Params, name: &str) -> Option<Answer> {
    Some(match name {
        "query/group-data-usage" => group(house, params).map(|pool| used(house, pool)),
        "query/group-data-margin" => group(house, params).map(|pool| margin(house, pool)),
        "query/group-member" => group(house, params).and_then(|pool| members(house, params, pool)),
        "query/group-info" => all(house, params),
        "limit/group-member-data-usage" => limit(house, ask, params),
        "operate/group-management" => manage(house, ask, params),
        _ => return None,
    })
}

fn group(house: &House, params: &Params) -> Result<u32, Code> {
    house.world.pool(Platform::OneLink, params.need("groupId")?).ok_or(GROUP_NOT_OWNED)
}

fn used(house: &mut House, pool: u32) -> Value {
    let bytes = house.world.pool_bytes(pool);
    json!({"useAmount": kilobytes(bytes, house.settings.kb_decimals)})
}

fn margin(house: &mut House, pool: u32) -> Value {
    let used = house.world.pool_bytes(pool);
    let (decimals, total) = (house.settings.kb_decimals, house.world.pools[pool as usize].bytes);
    let number = &house.world.pools[pool as usize].number;
    let kb = |bytes| kilobytes(bytes, decimals);
    let row = json!({
        "offeringId": number, "offeringName": format!("{} MB", total >> 20), "apnName": Platform::OneLink.apn(), "totalAmount": kb(total),
        "useAmount": kb(used), "remainAmount": kb(total.saturating_sub(used)), "pccCode": " ",
    });
    json!({"accmMarginList": [row]})
}

fn members(house: &House, params: &Params, pool: u32) -> Answer {
    let all: Vec<u32> = house.world.pools[pool as usize].members.iter().copied().collect();
    let total = all.len();
    let row = |c: u32| {
        let card = &house.world.cards[c as usize];
        json!({"msisdn": card.msisdn, "iccid": card.iccid, "imsi": card.imsi})
    };
    let rows: Vec<Value> = page(params, all)?.into_iter().map(row).collect();
    Ok(json!({"totalCount": total.to_string(), "memberInfoList": rows}))
}

fn row(house: &House, pool: u32) -> Value {
    let pool = &house.world.pools[pool as usize];
    json!({"groupId": pool.number, "groupName": pool.number, "offeringId": pool.number, "offeringName": format!("{} MB", pool.bytes >> 20)})
}

fn all(house: &House, params: &Params) -> Answer {
    let ours = |at: &u32| house.world.pools[*at as usize].platform == Platform::OneLink;
    let all: Vec<u32> = (0..house.world.pools.len() as u32).filter(ours).collect();
    let total = all.len();
    let rows: Vec<Value> = page(params, all)?.into_iter().map(|p| row(house, p)).collect();
    Ok(json!({"totalCount": total.to_string(), "groupList": rows}))
}

/// The groups of one card.
pub(super) fn of_card(house: &mut House, _: &Ask, _: &Params, card: u32) -> Answer {
    let pool = house.world.card(card).pool;
    Ok(json!({"groupList": pool.map(|p| row(house, p)).into_iter().collect::<Vec<_>>()}))
}

/// operType 1 sets, 2 takes away, 3 changes; the value is in MB. Data stops at it until the next cycle.
fn limit(house: &mut House, ask: &Ask, params: &Params) -> Answer {
    let pool = group(house, params)?;
    let card = member(house, params, pool)?;
    let bytes = match params.need("operType")? {
        "1" | "3" => Some(u64::from(params.number("limitValue")?) << 20),
        "2" => None,
        _ => return Err(BAD_PARAMETER),
    };
    house.write(ask, card, Act::Pool(Some((pool, bytes))))?;
    Ok(json!({}))
}

fn member(house: &House, params: &Params, pool: u32) -> Result<u32, Code> {
    let card = card(house, params)?;
    if house.world.pools[pool as usize].members.contains(&card) { Ok(card) } else { Err(GROUP_NOT_OWNED) }
}

/// operType 1 takes a card in, 2 out.
fn manage(house: &mut House, ask: &Ask, params: &Params) -> Answer {
    let pool = group(house, params)?;
    let (card, place) = match params.need("operType")? {
        "1" => (card(house, params)?, Some((pool, None))),
        "2" => (member(house, params, pool)?, None),
        _ => return Err(BAD_PARAMETER),
    };
    house.write(ask, card, Act::Pool(place))?;
    Ok(json!({}))
}
