//! China Telecom's older portal: GET with a `method`, the password and the signature encrypted under the account's nine characters.

pub(crate) mod des;

use crate::Platform;
use crate::calendar;
use crate::ct::{self, Answer, Code, json, xml};
use crate::house::{Ask, House, Reply};
use crate::world::acts::Act;
use crate::world::{Base, Stop};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Members of a pool on a page.
const PAGE: usize = 50;

type Params = BTreeMap<String, String>;

/// Methods by the path that serves them; any other path knows none.
const QUERIES: &str = "/m2m_ec/query.do";
const ORDERS: &str = "/m2m_ec/app/serviceAccept.do";
const PLACES: &str = "/m2m_ec/app/location.do";
const ORDER_METHODS: [&str; 4] = ["orderFlow", "unsubScribe", "speedLimitAction", "IMEIReRecord"];

pub(crate) fn answer(house: &mut House, ask: &Ask) -> Reply {
    if !matches!(ask.path.as_str(), QUERIES | ORDERS | PLACES) {
        return Reply::with(404, "text/plain", String::new());
    }
    let params: Params = ask.query_pairs().into_iter().collect();
    let answer = route(house, ask, &params);
    ct::reply(house, ask, answer)
}

fn get<'a>(params: &'a Params, name: &str) -> Result<&'a str, Code> {
    params.get(name).map(String::as_str).filter(|v| !v.is_empty()).ok_or(ct::MISSING)
}

fn route(house: &mut House, ask: &Ask, params: &Params) -> Answer {
    let method = params.get("method").map_or("", String::as_str);
    let form = ct::form(method);
    if let Err(code) = admitted(house, params, method) {
        return Err((form, code));
    }
    let ordering = ORDER_METHODS.contains(&method);
    if (ask.path == ORDERS) != ordering || (ask.path == PLACES) != (method == "getLocationByPhone") {
        return Err((form, ct::MISSING));
    }
    if matches!(method, "getPoolList" | "poolQry" | "getPoolMember") {
        return json(pools(house, params, method));
    }
    let card = card(house, params).map_err(|code| (form, code))?;
    match method {
        "queryTraffic" | "queryTrafficOfToday" | "queryTrafficByDate" => xml(traffic(house, ask, params, card, method)),
        "queryPakage" => xml(packages(house, params, card)),
        "prodInstQuery" => xml(Ok(ct::product_xml(house, card))),
        "realNameQueryIot" => xml(Ok(ct::real_name_xml(house.world.card(card)))),
        "disabledNumber" | "singleCutNet" | "offNetAction" | "orderFlow" | "unsubScribe" => {
            xml(write(house, ask, params, card, method).map(|()| ct::accepted(ct::GOOD)))
        }
        "speedLimitAction" => {
            json(write(house, ask, params, card, method).map(|()| json!({"resultCode": "0000", "resultMsg": "成功"})))
        }
        "IMEIReRecord" | "requestServActive" | "flowAlarmSet" => {
            json(write(house, ask, params, card, method).map(|()| json!({"RESULT": "0", "SMSG": "成功"})))
        }
        "getLocationByPhone" => Ok(place(house, card)),
        _ => json(question(house, card, method)),
    }
}

/// User, password and signature, in this order.
fn admitted(house: &House, params: &Params, method: &str) -> Result<(), Code> {
    let login = &house.settings.logins.telecom;
    for name in ["method", "user_id", "passWord", "sign"] {
        get(params, name)?;
    }
    if params["user_id"] != login.user_id || params["passWord"] != des::encrypt(&login.password, &login.key) {
        return Err(ct::BAD_LOGIN);
    }
    let signs = |names: &[&str]| {
        let mut values = vec![login.user_id.as_str(), login.password.as_str(), method];
        values.extend(subject(params));
        values.extend(names.iter().map(|n| params.get(*n).map_or("", String::as_str)));
        values.sort_unstable_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        params["sign"] == des::encrypt(&values.join(","), &login.key)
    };
    if signed(method).iter().any(|names| signs(names)) { Ok(()) } else { Err(ct::BAD_SIGN) }
}

fn subject(params: &Params) -> Option<&str> {
    ["access_number", "iccid"].iter().find_map(|n| params.get(*n)).map(String::as_str)
}

/// The business values that are signed beside the usual ones. Where the sources do not say, both ways are taken [G].
fn signed(method: &str) -> &'static [&'static [&'static str]] {
    match method {
        "disabledNumber" => &[&["orderTypeId", "acctCd"]],
        "singleCutNet" => &[&["action"]],
        "offNetAction" => &[&["action", "quota", "type"]],
        "orderFlow" | "unsubScribe" => &[&["flowValue"]],
        "poolQry" => &[&["poolNbr"]],
        "getPoolMember" => &[&["poolNbr", "currentPage"], &["poolNbr"]],
        "speedLimitAction" => &[&["action", "speedValue"], &["action"], &[]],
        "IMEIReRecord" => &[&["action"], &[]],
        "queryTrafficByDate" => &[&[], &["startDate", "endDate"]],
        _ => &[&[]],
    }
}

/// By access number, or by the ICCID without its check digit.
fn card(house: &House, params: &Params) -> Result<u32, Code> {
    let name = subject(params).filter(|n| !n.is_empty()).ok_or(ct::MISSING)?;
    let by_iccid = params.get("access_number").is_none();
    if by_iccid && name.len() != 19 {
        return Err(ct::NO_CARD);
    }
    let card = house.world.find(Platform::Telecom, name).ok_or(ct::NO_CARD)?;
    let card = &house.world.cards[card as usize];
    let right = if by_iccid { card.iccid.starts_with(name) } else { card.msisdn == name };
    if right && !card.foreign { Ok(card.number) } else { Err(ct::NO_CARD) }
}

fn question(house: &mut House, card: u32, method: &str) -> Result<Value, Code> {
    let days = Platform::Telecom.cycle().around(calendar::day_of(house.world.now));
    Ok(match method {
        "getTelephone" => json!({"RESULT": "0", "SMSG": house.world.card(card).msisdn}),
        "queryIMSI" => json!({"RESULT": "0", "SMSG": "成功", "imsi": house.world.card(card).imsi}),
        "queryCardMainStatus" => ct::main_status_answer(house, card),
        "queryCardStatus" => {
            let card = house.world.card(card);
            let (code, name) = ct::product_status(card);
            json!({"resultCode": "0", "resultMsg": "成功", "number": card.msisdn, "productStatusCd": code, "productStatusName": name})
        }
        "getOnlineStatus" => ct::online(house.world.card(card)),
        "queryOwe" => json!({"RESULT": "0", "SMSG": "成功", "OWE": "0"}),
        "queryBalance" => json!({"RESULT": "0", "SMSG": "成功", "BALANCE": "10000"}),
        "querySmsDetail" => {
            let count = house.world.card(card).usage.sum(&days).sms;
            json!({"RESULT": "0", "SMSG": "成功", "TOTALCOUNT": count.to_string()})
        }
        "queryVoice" => json!({"RESULT": "0", "SMSG": "成功", "TOTALCOUNT": "0"}),
        "queryBindDetection" => {
            let card = house.world.card(card);
            let apart = card.stops.contains(&Stop::Separation) || card.bound_imei.as_ref().is_some_and(|b| *b != card.imei);
            json!({"RESULT": "0", "SMSG": "成功", "bindStatus": if apart { "1" } else { "0" }, "imei": card.imei, "bindImei": card.bound_imei})
        }
        _ => return Err(ct::MISSING),
    })
}

/// Packages of the month whose first day `monthDate` names, the running one without it, and what was used of them in it.
fn packages(house: &mut House, params: &Params, card: u32) -> Result<String, Code> {
    let named = |text: &String| text.parse().ok().and_then(calendar::day_of_digits).ok_or(ct::MISSING);
    let day = params.get("monthDate").map(named).transpose()?.unwrap_or(calendar::day_of(house.world.now));
    let month = Platform::Telecom.cycle().around(day);
    let (from, until) = (calendar::start_of(month.start), calendar::start_of(month.end));
    let mut left = ct::shown_days(house, card, &month);
    let card = house.world.card(card);
    let mut rows = String::new();
    for offer in card.offers.iter().filter(|o| o.from < until && from < o.until) {
        let used = left.min(offer.bytes);
        left -= used;
        let at = |at| calendar::china(at, "%Y%m%d%H%M%S");
        let (total, used) = (offer.bytes >> 10, used >> 10);
        let _ = write!(
            rows,
            "<CumulRspList><ACCU_NAME>{0}</ACCU_NAME><CUMULATION_ALREADY>{used}</CUMULATION_ALREADY><CUMULATION_LEFT>{1}</CUMULATION_LEFT>\
             <CUMULATION_TOTAL>{total}</CUMULATION_TOTAL><END_TIME>{2}</END_TIME><OFFER_ID>{3}</OFFER_ID><OFFER_NAME>{0}</OFFER_NAME>\
             <START_TIME>{4}</START_TIME><UNIT_NAME>KB</UNIT_NAME></CumulRspList>",
            offer.name,
            total - used,
            at(offer.until),
            offer.id,
            at(offer.from)
        );
    }
    Ok(format!(
        "<root><web:CurrAcuRsp xmlns:web=\"http://www.example.org/webservice\">{rows}<IRESULT>0</IRESULT><SMSG>成功</SMSG>\
         <number>{}</number></web:CurrAcuRsp></root>",
        card.msisdn
    ))
}

fn traffic(house: &mut House, ask: &Ask, params: &Params, card: u32, method: &str) -> Result<String, Code> {
    let today = calendar::day_of(house.world.now);
    let days = match method {
        "queryTraffic" => Platform::Telecom.cycle().around(today),
        "queryTrafficOfToday" => today..today + 1,
        _ => ct::days(get(params, "startDate")?, get(params, "endDate")?).ok_or(ct::MISSING)?,
    };
    let bytes = if method == "queryTraffic" { ct::shown_month(house, ask, card) } else { ct::shown_days(house, card, &days) };
    let detail = params.get("needDtl").is_some_and(|d| d == "1");
    Ok(ct::usage_xml(house, card, bytes, detail.then_some(&days)))
}

fn write(house: &mut House, ask: &Ask, params: &Params, card: u32, method: &str) -> Result<(), Code> {
    let text = |name: &str| params.get(name).map_or("", String::as_str);
    let imei = house.world.card(card).imei.clone();
    let act = match method {
        "disabledNumber" => ct::disabled_number(text("orderTypeId")),
        "singleCutNet" => ct::single_cut(text("action")),
        "offNetAction" => ct::off_net(text("action"), text("quota"), text("type")),
        "speedLimitAction" => ct::speed_limit(text("action"), text("speedValue")),
        "orderFlow" => ct::top_up(house.world.now, text("flowValue")),
        "unsubScribe" => Some(Act::Unsubscribe(format!("ADD{}", text("flowValue")))),
        "IMEIReRecord" => Some(Act::Bind(Some(imei))),
        "requestServActive" => Some(Act::Move(Base::Ready, Base::Active)),
        "flowAlarmSet" => Some(Act::Edit("flowAlarm", text("alarmValue").to_owned())),
        _ => None,
    };
    Ok(house.write(ask, card, act.ok_or(ct::MISSING)?)?)
}

fn pools(house: &mut House, params: &Params, method: &str) -> Result<Value, Code> {
    let ours: Vec<u32> =
        (0..house.world.pools.len() as u32).filter(|p| house.world.pools[*p as usize].platform == Platform::Telecom).collect();
    if method == "getPoolList" {
        let names: Vec<Value> = ours.iter().map(|p| json!({"poolNbr": house.world.pools[*p as usize].number})).collect();
        return Ok(json!({"resultCode": "0", "resultMsg": "成功", "poolList": names}));
    }
    let pool = house.world.pool(Platform::Telecom, get(params, "poolNbr")?).ok_or(ct::NO_CARD)?;
    let (number, total) = (house.world.pools[pool as usize].number.clone(), house.world.pools[pool as usize].bytes);
    if method == "poolQry" {
        let used = house.world.pool_bytes(pool);
        let left = ct::with_unit(total.saturating_sub(used));
        return Ok(json!({
            "resultCode": "0", "resultMsg": "成功", "poolNbr": number, "poolTotal": ct::with_unit(total), "poolUsed": ct::with_unit(used), "poolLeft": left,
        }));
    }
    let page: usize = params.get("currentPage").map_or(Ok(1), |p| p.parse()).ok().filter(|p| *p > 0).ok_or(ct::MISSING)?;
    let members: Vec<u32> = house.world.pools[pool as usize].members.iter().copied().collect();
    let mut rows = Vec::new();
    for card in members.iter().skip((page - 1) * PAGE).take(PAGE) {
        let used = house.world.cycle_bytes(*card, house.world.now);
        rows.push(json!({"accNumber": house.world.cards[*card as usize].msisdn, "usedFlow": ct::with_unit(used)}));
    }
    Ok(
        json!({"resultCode": "0", "resultMsg": "成功", "poolNbr": number, "totalCount": members.len().to_string(), "memberList": rows}),
    )
}

/// Where the card is: the body itself is encrypted.
fn place(house: &mut House, card: u32) -> ct::Said {
    let key = house.settings.logins.telecom.key.clone();
    let card = house.world.card(card);
    let text = json!({"result": "0", "number": card.msisdn, "longitude": "118.796877", "latitude": "32.060255"}).to_string();
    ct::Said::Plain(des::encrypt(&text, &key))
}
