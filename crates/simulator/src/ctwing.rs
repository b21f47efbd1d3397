//! China Telecom 5G CMP: the same cards' words as the older portal, with a signature over query, body, secret and time in a header.

use crate::Platform;
use crate::calendar;
use crate::ct::{self, Answer, Code, Form, json, main_status, xml};
use crate::house::{Ask, House, Reply};
use crate::settings::TimeZoneOf;
use crate::world::acts::Act;
use crate::world::{Base, Card};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most cards of a batch.
const CARDS: usize = 100;
/// Cards on a page.
const PAGE: usize = 50;

/// Where the platform has what (facts C3.2); of what is not named here the sources do not tell the whole path.
const PLACES: [(&str, &[&str]); 8] = [
    (
        "/openapi/v1/prodinst/",
        &[
            "queryCardMainStatus",
            "getTelephone",
            "gete2einfo",
            "getSIMList",
            "getSIMAmount",
            "getOnlineStatus",
            "prodInstQuery",
            "realNameQueryIot",
        ],
    ),
    ("/api/v1/openbill/", &["queryTraffic", "queryTrafficByDate"]),
    ("/api/v1/batchQry/", &["batchQryFlowByMonth", "batchQryFlowByDate"]),
    ("/api/v1/prod/", &["batchQrySimInfo", "batchQrySimStatus"]),
    ("/api/v1/realName/", &["qryRealNameStatus"]),
    ("/api/v1/dac/connect/", &["getImsiInfo"]),
    (
        "/5gcmp/openapi/v1/common/",
        &["disabledNumberService", "singleCutNet", "offNetAction", "requestServActive", "speedLimitAction"],
    ),
    ("/api/v1/na/notice/message/", &["sendSms"]),
];

type Params = BTreeMap<String, String>;

pub(crate) fn answer(house: &mut House, ask: &Ask) -> Reply {
    let answer = match admitted(house, ask) {
        Ok(()) => route(house, ask),
        Err(code) => Err((ct::form(&ask.path), code)),
    };
    ct::reply(house, ask, answer)
}

/// The key, a time near now, and the signature of exactly what was sent.
fn admitted(house: &House, ask: &Ask) -> Result<(), Code> {
    let header = |name| ask.header(name).ok_or(ct::MISSING);
    let (key, time, sign) = (header("appkey")?, header("timestamp")?, header("sign")?);
    let login = &house.settings.logins.ctwing;
    if key != login.app_key {
        return Err(ct::BAD_LOGIN);
    }
    let at = match house.settings.ctwing_time {
        TimeZoneOf::Gmt => calendar::utc_instant(time),
        TimeZoneOf::China => calendar::china_instant(time),
    };
    let right = at.is_some_and(|at| house.is_fresh(at)) && sign == signature(ask, &login.secret_key, time);
    if right { Ok(()) } else { Err(ct::BAD_SIGN) }
}

/// Sorted parameters, body, secret and time; MD5 as lower-case digits; those digits' own bytes as upper-case digits.
fn signature(ask: &Ask, secret: &str, time: &str) -> String {
    let mut pairs = ask.query_pairs();
    pairs.sort();
    let query = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let plain = [query.as_bytes(), &ask.body, secret.as_bytes(), time.as_bytes()].concat();
    let digest: String = Md5::digest(&plain).iter().map(|b| format!("{b:02x}")).collect();
    digest.bytes().map(|b| format!("{b:02X}")).collect()
}

fn route(house: &mut House, ask: &Ask) -> Answer {
    let params: Params = ask.query_pairs().into_iter().collect();
    let name = ask.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let prefixed = ["/openapi/v1/", "/api/v1/", "/5gcmp/openapi/v1/"].iter().any(|p| ask.path.starts_with(p));
    let elsewhere = |(place, names): &(&str, &[&str])| names.contains(&name) && ask.path != format!("{place}{name}");
    if !prefixed || PLACES.iter().any(elsewhere) {
        return Err((Form::Json, Code("404", "接口不存在")));
    }
    if ask.method == "POST" {
        let body = ask.json().filter(Value::is_object).ok_or((Form::Json, ct::MISSING))?;
        return json(post(house, ask, &body, name));
    }
    match name {
        "getSIMList" | "getSIMAmount" | "cradStatus" => return json(list(house, &params, name)),
        "forwardFlowPoolMember" => return json(pool_members(house, &params)),
        "diagnosis" => return json(card_in_path(house, &ask.path, 1).map(|card| diagnosis(house, card))),
        "apn" => return json(card_in_path(house, &ask.path, 1).map(|card| apns(house.world.card(card)))),
        _ if ask.path.contains("/qryProdInstInfo/") => {
            return json(card_in_path(house, &ask.path, 0).map(|card| products(house.world.card(card))));
        }
        _ => {}
    }
    let card = card(house, &params).map_err(|code| (ct::form(name), code))?;
    match name {
        "queryTraffic" | "queryTrafficByDate" => xml(traffic(house, ask, &params, card, name)),
        "prodInstQuery" => xml(Ok(ct::product_xml(house, card))),
        "realNameQueryIot" => xml(Ok(ct::real_name_xml(house.world.card(card)))),
        "disabledNumberService" | "singleCutNet" | "offNetAction" => {
            xml(write(house, ask, &params, card, name).map(|()| ct::accepted(ct::GOOD)))
        }
        "speedLimitAction" | "apnMoudleSpeedLimitAction" => {
            json(write(house, ask, &params, card, name).map(|()| json!({"resultCode": "0000", "resultMsg": "成功"})))
        }
        "requestServActive" | "apnNetStatusAction" => {
            json(write(house, ask, &params, card, name).map(|()| json!({"RESULT": "0", "SMSG": "成功"})))
        }
        _ => json(question(house, card, name)),
    }
}

/// By access number, or by the ICCID without its check digit.
fn card(house: &House, params: &Params) -> Result<u32, Code> {
    let given = |name: &str| params.get(name).map(String::as_str).filter(|v| !v.is_empty());
    match (given("access_number"), given("iccid")) {
        (Some(number), _) => find(house, number),
        (None, Some(iccid)) if iccid.len() == 19 => {
            let card = house.world.find(Platform::CtWing, iccid).ok_or(ct::NO_CARD)?;
            if house.world.cards[card as usize].foreign { Err(ct::NO_CARD) } else { Ok(card) }
        }
        (None, Some(_)) => Err(ct::NO_CARD),
        (None, None) => Err(ct::MISSING),
    }
}

fn find(house: &House, number: &str) -> Result<u32, Code> {
    let card = house.world.find(Platform::CtWing, number).ok_or(ct::NO_CARD)?;
    let card = &house.world.cards[card as usize];
    if card.msisdn == number && !card.foreign { Ok(card.number) } else { Err(ct::NO_CARD) }
}

/// The card whose number stands in the path, so many parts from its end.
fn card_in_path(house: &House, path: &str, from_end: usize) -> Result<u32, Code> {
    find(house, path.trim_end_matches('/').rsplit('/').nth(from_end).unwrap_or_default())
}

fn question(house: &mut House, card: u32, name: &str) -> Result<Value, Code> {
    if name == "queryCardMainStatus" {
        return Ok(ct::main_status_answer(house, card));
    }
    let card = house.world.card(card);
    Ok(match name {
        "getTelephone" => json!({"RESULT": "0", "SMSG": card.msisdn}),
        "gete2einfo" => json!({"RESULT": "0", "SMSG": "成功", "IMEI": card.imei}),
        "getImsiInfo" => json!({"RESULT": "0", "SMSG": "成功", "imsi": card.imsi}),
        "getOnlineStatus" => ct::online(card),
        "queryUsingAPN" => apns(card),
        _ => return Err(Code("404", "接口不存在")),
    })
}

fn apns(card: &Card) -> Value {
    let row = |apn: &String| json!({"apn": apn, "status": if card.data_off.contains(apn) { "0" } else { "1" }});
    json!({"code": 0, "msg": "成功", "data": card.apns.iter().map(row).collect::<Vec<_>>()})
}

fn products(card: &Card) -> Value {
    let row = |o: &crate::Offer| json!({"prod_name": o.name, "prod_id": o.id, "eff_date": calendar::stamp(o.from), "exp_date": calendar::stamp(o.until)});
    json!({"code": 0, "msg": "成功", "body": {"prod_insts_info": card.offers.iter().map(row).collect::<Vec<_>>()}})
}

/// The carrier's own look at why a card is offline.
fn diagnosis(house: &mut House, card: u32) -> Value {
    let cut = ct::is_cut(house, card);
    let card = house.world.card(card);
    let row = |item: &str, good: bool, text: &str| json!({"item": item, "result": if good { "1" } else { "0" }, "desc": text});
    json!({"code": 0, "msg": "成功", "data": [
        row("主状态", card.base == Base::Active, main_status(card).1),
        row("断网状态", card.data_off.is_empty() && !cut, if cut { "已达量断网" } else { "单独断网" }),
        row("实名", card.real_name, "实名状态"),
        row("在线", card.online, "会话"),
    ]})
}

fn traffic(house: &mut House, ask: &Ask, params: &Params, card: u32, name: &str) -> Result<String, Code> {
    let text = |name: &str| params.get(name).map_or("", String::as_str);
    let (bytes, days) = if name == "queryTraffic" {
        let month = Platform::CtWing.cycle().around(calendar::day_of(house.world.now));
        (ct::shown_month(house, ask, card), month)
    } else {
        let days = ct::days(text("startDate"), text("endDate")).ok_or(ct::MISSING)?;
        (ct::shown_days(house, card, &days), days)
    };
    let detail = (text("needDtl") == "1").then_some(&days);
    // This platform writes the tags of the same answer in lower case.
    let upper = ["TOTAL_BYTES_CNT", "IRESULT", "GROUP_TRANSACTIONID"];
    let answer = ct::usage_xml(house, card, bytes, detail);
    Ok(upper
        .iter()
        .fold(answer, |text, tag| text.replace(tag, &tag.to_lowercase()))
        .replace("</iresult>", "</iresult><smsg>成功</smsg>"))
}

fn write(house: &mut House, ask: &Ask, params: &Params, card: u32, name: &str) -> Result<(), Code> {
    let text = |name: &str| params.get(name).map_or("", String::as_str);
    let act = match name {
        "disabledNumberService" => ct::disabled_number(text("orderTypeId")),
        "singleCutNet" => ct::single_cut(text("action")),
        "offNetAction" => ct::off_net(text("action"), text("quota"), text("type")),
        "speedLimitAction" | "apnMoudleSpeedLimitAction" => ct::speed_limit(text("action"), text("speedValue")),
        "requestServActive" => Some(Act::Move(Base::Ready, Base::Active)),
        "apnNetStatusAction" => apn_act(house.world.card(card), text("apn"), text("action")),
        _ => None,
    };
    Ok(house.write(ask, card, act.ok_or(ct::MISSING)?)?)
}

/// ADD cuts data on one APN, DEL restores it.
fn apn_act(card: &Card, apn: &str, action: &str) -> Option<Act> {
    let on = match action {
        "ADD" => false,
        "DEL" => true,
        _ => return None,
    };
    card.apns.iter().any(|a| a == apn).then(|| Act::Data { apn: Some(apn.to_owned()), on })
}

/// The platform's own cards, page by page (pages from 1), by number, ICCID or state.
fn list(house: &mut House, params: &Params, name: &str) -> Result<Value, Code> {
    let text = |name: &str| params.get(name).map(String::as_str).filter(|v| !v.is_empty());
    let is = |card: &&Card| {
        card.platform == Platform::CtWing
            && !card.foreign
            && text("access_number").is_none_or(|n| card.msisdn == n)
            && text("iccid").is_none_or(|i| card.iccid.starts_with(i))
            && text("simStatus").is_none_or(|s| main_status(card).0 == s)
    };
    let all: Vec<&Card> = house.world.cards.iter().filter(is).collect();
    if name == "getSIMAmount" {
        return Ok(json!({"code": 0, "msg": "成功", "data": all.len()}));
    }
    let page =
        text("pageIndex").or(text("page")).map_or(Ok(1), str::parse::<usize>).ok().filter(|p| *p > 0).ok_or(ct::MISSING)?;
    let size = text("size").map_or(Ok(PAGE), str::parse::<usize>).ok().filter(|s| (1..=CARDS).contains(s)).ok_or(ct::MISSING)?;
    let rows: Vec<Value> = all.iter().skip((page - 1) * size).take(size).map(|c| info(c)).collect();
    Ok(json!({"code": 0, "msg": "成功", "data": {"total": all.len(), "list": rows}}))
}

fn info(card: &Card) -> Value {
    let (code, name) = main_status(card);
    json!({
        "accessNumber": card.msisdn, "iccid": card.iccid.get(..19).unwrap_or(&card.iccid), "imsi": card.imsi, "imei": card.imei,
        "simStatus": code, "simStatusName": name, "activationTime": card.activated.map(calendar::stamp),
        "lastChangeTime": calendar::stamp(card.modified),
    })
}

fn pool_members(house: &mut House, params: &Params) -> Result<Value, Code> {
    let number = params.get("poolNbr").ok_or(ct::MISSING)?;
    let pool = house.world.pool(Platform::CtWing, number).ok_or(ct::NO_CARD)?;
    let (total, used) = (house.world.pools[pool as usize].bytes, house.world.pool_bytes(pool));
    let cards = &house.world.cards;
    let members: Vec<&str> =
        house.world.pools[pool as usize].members.iter().map(|c| cards[*c as usize].msisdn.as_str()).collect();
    Ok(
        json!({"code": 0, "msg": "成功", "data": {"poolNbr": number, "total": ct::with_unit(total), "used": ct::with_unit(used), "members": members}}),
    )
}

/// Texts of a list in the body; the platform takes both spellings of the name.
fn numbers(body: &Value) -> Result<Vec<&str>, Code> {
    let list = ["accessNumbers", "accessNumber"].iter().find_map(|n| body[*n].as_array()).ok_or(ct::MISSING)?;
    let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    if texts.len() != list.len() || texts.is_empty() || texts.len() > CARDS {
        return Err(ct::MISSING);
    }
    Ok(texts)
}

fn post(house: &mut House, ask: &Ask, body: &Value, name: &str) -> Result<Value, Code> {
    if name == "sendSms" {
        return send(house, body);
    }
    let texts = numbers(body)?;
    if name.starts_with("batch") && body["custNumber"].as_str() != Some(&house.settings.logins.ctwing.cust_number) {
        return Err(ct::BAD_LOGIN);
    }
    let (month, from, to) = (body["month"].as_str(), body["startDate"].as_str(), body["endDate"].as_str());
    let mut rows = Vec::new();
    for number in texts {
        let card = find(house, number);
        rows.push(match (name, card) {
            ("batchQryFlowByMonth", Ok(card)) => flow_of_month(house, ask, card, month.ok_or(ct::MISSING)?)?,
            ("batchQryFlowByDate", Ok(card)) => {
                let days = from.zip(to).and_then(|(from, to)| ct::days(from, to)).ok_or(ct::MISSING)?;
                let bytes = ct::shown_days(house, card, &days);
                flow(house.world.card(card), bytes)
            }
            ("batchQrySimInfo", Ok(card)) => info(house.world.card(card)),
            ("batchQrySimStatus", Ok(card)) => {
                let (code, text) = main_status(house.world.card(card));
                json!({"accessNumber": number, "result": "0", "simStatus": code, "simStatusName": text})
            }
            ("qryRealNameStatus", Ok(card)) => {
                json!({"accessNumber": number, "status": if house.world.card(card).real_name { 1 } else { 0 }})
            }
            (_, Err(Code(code, text))) => json!({"accessNumber": number, "result": code, "statusDesc": text}),
            _ => return Err(Code("404", "接口不存在")),
        });
    }
    let data = match name {
        "batchQrySimInfo" => json!({"qrySimInfoList": rows}),
        "qryRealNameStatus" => json!({"statusList": rows}),
        _ => json!(rows),
    };
    Ok(json!({"code": 0, "msg": "成功", "data": data}))
}

fn flow_of_month(house: &mut House, ask: &Ask, card: u32, month: &str) -> Result<Value, Code> {
    let digits: u32 = month.parse().map_err(|_| ct::MISSING)?;
    let cycle = Platform::CtWing.cycle();
    let days = cycle.named(digits).ok_or(ct::MISSING)?;
    let running = cycle.name(calendar::day_of(house.world.now)) == digits;
    let bytes = if running { ct::shown_month(house, ask, card) } else { ct::shown_days(house, card, &days) };
    let mut row = flow(house.world.card(card), bytes);
    row["month"] = month.into();
    Ok(row)
}

fn flow(card: &Card, bytes: u64) -> Value {
    let (code, text) = main_status(card);
    json!({
        "accessNumber": card.msisdn, "result": "0", "unit": "MB", "flowAmount": ct::megabytes(bytes), "status": code, "statusDesc": text,
    })
}

/// One message; its text is encrypted under the first nine characters of the secret.
fn send(house: &mut House, body: &Value) -> Result<Value, Code> {
    let number = body["accessNumber"].as_str().ok_or(ct::MISSING)?;
    let content = body["content"].as_str().ok_or(ct::MISSING)?;
    let card = find(house, number)?;
    let key: String = house.settings.logins.ctwing.secret_key.chars().take(9).collect();
    let text = crate::telecom::des::decrypt(content, &key).ok_or(ct::MISSING)?;
    let id = house.world.send_sms(card, &text);
    Ok(json!({"code": 0, "msg": "成功", "data": {"messageId": id.to_string()}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(query: &str, body: &str, secret: &str, time: &str) -> String {
        let ask = Ask {
            platform: Platform::CtWing,
            method: "GET".into(),
            path: "/".into(),
            query: query.into(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        signature(&ask, secret, time)
    }

    #[test]
    fn requests_are_signed_as_published() {
        let body = "{\"name\":\"xf\",\"age\":\"dd\"}";
        assert_eq!(
            signed("c=3&a=1&b=2", body, "d1209cfefe895364e03", "20201101021435"),
            "3863613035653132306631333231313733383637376333326536316631643934"
        );
        assert_eq!(
            signed("access_number=14912345678", "", "SECRET123", "20240102030405"),
            "3537383963653365386366346565393463613531666537363636623031363262"
        );
        assert_eq!(
            signed("", "{\"accessNumbers\":[\"14912345678\"],\"custNumber\":\"C1\"}", "SECRET123", "20240102030405"),
            "6538643461653438323732633133613739373834316465383262303339336338"
        );
    }
}
