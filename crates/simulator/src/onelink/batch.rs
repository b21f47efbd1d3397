//! Questions about many cards, jobs, and the feed of changes.

use super::{Answer, BAD_PARAMETER, Batch, Code, Params, all_cards, base_of, cards, kilobytes, read, status};
use crate::calendar::{self, Day};
use crate::house::{Ask, House};
use crate::{Base, Platform};
use serde_json::{Value, json};
use std::ops::Range;

/// Most cards of a batch.
const CARDS: usize = 100;
/// Most rows of a page.
const PAGE: usize = 50;
/// A row that went well.
const GOOD: Code = Code("0", "正确");

/// Answers if the name is one of this file's.
pub(super) fn route(house: &mut House, _: &Ask, params: &Params, name: &str) -> Option<Answer> {
    Some(match name {
        "query/sim-card-info/batch" => rows(house, params, |h, c| {
            let card = h.world.card(c);
            json!({"msisdn": card.msisdn, "iccid": card.iccid, "imsi": card.imsi})
        }),
        "query/sim-platform/batch" => rows(house, params, |h, c| {
            let card = h.world.card(c);
            json!({"msisdn": card.msisdn, "iccid": card.iccid, "imsi": card.imsi, "platformType": read::platform_type(card)})
        }),
        "query/sim-data-usage-daily/batch" => daily(house, params).and_then(|days| data(house, params, &days)),
        "query/sim-data-usage-monthly/batch" => monthly(house, params).and_then(|days| data(house, params, &days)),
        "query/sim-sms-usage-daily/batch" => daily(house, params).and_then(|days| messages(house, params, &days)),
        "query/sim-sms-usage-monthly/batch" => monthly(house, params).and_then(|days| messages(house, params, &days)),
        "query/sim-batch-result" => job(house, params),
        "query/changeable-sim-date" => changed(house, params),
        "query/ec-sim-status-number" => Ok(numbers(house)),
        "query/sim-total-num-ec" => Ok(json!({"totalNumber": ours(house).count().to_string()})),
        "query/balance-info" => Ok(json!({"accountId": "A1", "amount": "1000.00"})),
        "query/account-info" => Ok(json!({"accountId": "A1", "accountName": "演示客户"})),
        _ => return None,
    })
}

/// A row for each card that was asked for, each with its own status.
fn rows(house: &mut House, params: &Params, of: fn(&mut House, u32) -> Value) -> Answer {
    let batch = cards(house, params, CARDS)?;
    let mut rows = Vec::new();
    for (name, card) in batch.rows {
        let (mut row, Code(status, message)) = match card {
            Ok(card) => (of(house, card), GOOD),
            Err(code) => (json!({batch.key: name}), code),
        };
        row["status"] = status.into();
        row["message"] = message.into();
        rows.push(row);
    }
    // The rows stand in `result` themselves, not in a list of their own.
    Ok(Value::Array(rows))
}

/// The last seven days, up to yesterday.
fn daily(house: &House, params: &Params) -> Result<Range<Day>, Code> {
    let day = calendar::day_of_digits(params.number("queryDate")?).ok_or(BAD_PARAMETER)?;
    let today = calendar::day_of(house.world.now);
    if (today - 7..today).contains(&day) { Ok(day..day + 1) } else { Err(BAD_PARAMETER) }
}

/// The last six months; the present one up to yesterday.
fn monthly(house: &House, params: &Params) -> Result<Range<Day>, Code> {
    let cycle = Platform::OneLink.cycle();
    let digits = params.number("queryDate")?;
    let days = cycle.named(digits).ok_or(BAD_PARAMETER)?;
    let today = calendar::day_of(house.world.now);
    let (now, then) = (cycle.name(today), digits);
    let months = |d: u32| i64::from(d / 100 * 12 + d % 100);
    if !(0..6).contains(&(months(now) - months(then))) {
        return Err(BAD_PARAMETER);
    }
    Ok(days.start..days.end.min(today))
}

fn named(batch: &Batch, at: usize) -> Value {
    json!({batch.key: batch.rows[at].0})
}

fn data(house: &mut House, params: &Params, days: &Range<Day>) -> Answer {
    let (batch, found) = all_cards(house, params, CARDS)?;
    let decimals = house.settings.kb_decimals;
    let mut rows = Vec::new();
    for (at, card) in found.into_iter().enumerate() {
        let card = house.world.card(card);
        let amount = kilobytes(card.usage.sum(days).bytes, decimals);
        let mut row = named(&batch, at);
        row["apnDataAmountList"] = json!([{"apnName": card.apn(), "apnDataAmount": amount}]);
        row["dataAmount"] = amount.into();
        rows.push(row);
    }
    Ok(json!({"dataAmountList": rows}))
}

fn messages(house: &mut House, params: &Params, days: &Range<Day>) -> Answer {
    let (batch, found) = all_cards(house, params, CARDS)?;
    let mut rows = Vec::new();
    for (at, card) in found.into_iter().enumerate() {
        let mut row = named(&batch, at);
        row["smsAmount"] = house.world.card(card).usage.sum(days).sms.to_string().into();
        rows.push(row);
    }
    Ok(json!({"smsAmountList": rows}))
}

/// 0 waiting, 1 at work, 2 done, 3 done with failures, 4 failed; rows only for the last three.
fn job(house: &House, params: &Params) -> Answer {
    let job = house.world.jobs.get(params.need("jobId")?).ok_or(BAD_PARAMETER)?;
    let open = job.rows.iter().filter(|(_, result)| result.is_none()).count();
    if open > 0 {
        let state = if house.world.now == job.at { "0" } else { "1" };
        return Ok(json!({"jobStatus": state}));
    }
    let failed = job.rows.iter().filter(|(_, result)| matches!(result, Some(Err(_)))).count();
    let state = match failed {
        0 => "2",
        n if n == job.rows.len() => "4",
        _ => "3",
    };
    let row = |(card, result): &(u32, Option<Result<(), crate::world::acts::Refusal>>)| {
        let Code(status, message) = result.and_then(Result::err).map_or(GOOD, Code::from);
        json!({"resultId": house.world.cards[*card as usize].msisdn, "status": status, "message": message})
    };
    // A job that failed as a whole has no rows [G].
    let rows: Vec<Value> = if state == "4" { Vec::new() } else { job.rows.iter().map(row).collect() };
    Ok(json!({"jobStatus": state, "resultType": "1", "resultList": rows}))
}

/// From `startNum` (the first is 1), at most `pageSize` of 50.
pub(super) fn page<T>(params: &Params, all: Vec<T>) -> Result<Vec<T>, Code> {
    let size = params.number("pageSize")? as usize;
    let start = params.number("startNum")? as usize;
    if !(1..=PAGE).contains(&size) || start == 0 {
        return Err(BAD_PARAMETER);
    }
    // Pages are numbered, not rows.
    Ok(all.into_iter().skip((start - 1) * size).take(size).collect())
}

/// Cards whose state changed on a day and is now the one that is asked for, page by page.
fn changed(house: &mut House, params: &Params) -> Answer {
    let day = calendar::day_of_digits(params.number("changeDate")?).ok_or(BAD_PARAMETER)?;
    let wanted = params.get("cardStatus").map(|s| base_of(s).ok_or(BAD_PARAMETER)).transpose()?;
    let is = |base: Base| wanted.is_none_or(|w| w == base);
    let all = house.world.changed_on(Platform::OneLink, day);
    let cards = &house.world.cards;
    let some: Vec<u32> = all.into_iter().filter(|c| is(cards[*c as usize].base) && !cards[*c as usize].foreign).collect();
    let total = some.len();
    let row = |card: u32| {
        let card = &cards[card as usize];
        let at = card.changes.last().map_or(card.opened, |c| c.at);
        json!({"msisdn": card.msisdn, "iccid": card.iccid, "imsi": card.imsi, "cardStatus": status(card), "changeDate": calendar::stamp(at)})
    };
    let rows: Vec<Value> = page(params, some)?.into_iter().map(row).collect();
    Ok(json!({"totalCount": total.to_string(), "changeableSimList": rows}))
}

fn ours(house: &House) -> impl Iterator<Item = &crate::Card> {
    house.world.cards.iter().filter(|c| c.platform == Platform::OneLink && !c.foreign)
}

fn numbers(house: &House) -> Value {
    let mut counts = std::collections::BTreeMap::<&str, u32>::new();
    for card in ours(house) {
        *counts.entry(status(card)).or_default() += 1;
    }
    let rows: Vec<Value> = counts.iter().map(|(s, n)| json!({"cardStatus": s, "number": n.to_string()})).collect();
    json!({"statusNumberList": rows})
}
