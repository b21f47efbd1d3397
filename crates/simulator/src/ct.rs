//! What both platforms of China Telecom have in common: numbers of states, the acts behind their writes, and their answers, some
//! in XML and some in JSON.

use crate::calendar::{self, Day};
use crate::house::{Ask, House, Reply, XML};
use crate::world::acts::{Act, Refusal};
use crate::world::{Base, Card, CutOff, Stop, usage};
use crate::{Offer, Platform};
use serde_json::{Value, json};
use std::fmt::Write;
use std::ops::Range;

/// A code with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) &'static str, pub(crate) &'static str);

pub(crate) const GOOD: Code = Code("0", "成功");
pub(crate) const BAD_LOGIN: Code = Code("-1", "用户名或密码错误");
pub(crate) const MISSING: Code = Code("-2", "缺少参数");
pub(crate) const BAD_SIGN: Code = Code("-3", "签名错误");
pub(crate) const NO_CARD: Code = Code("-4", "号码不存在或不属于该客户");
pub(crate) const HAS_ALREADY: Code = Code("-5", "已订购，不能重复订购");
pub(crate) const BUSY: Code = Code("-7", "业务在途，请稍后再试");
pub(crate) const TOO_SOON: Code = Code("101004", "操作过于频繁");
pub(crate) const REFUSED: Code = Code("100008", "当前状态不允许该操作");
pub(crate) const OTHER: Code = Code("-99", "系统错误");

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Code {
        match refusal {
            Refusal::TooSoon => TOO_SOON,
            Refusal::Busy => BUSY,
            Refusal::State | Refusal::NotOwners | Refusal::Expired | Refusal::Frozen => REFUSED,
            Refusal::Already => HAS_ALREADY,
        }
    }
}

/// An answer in the form of its method.
#[derive(Debug)]
pub(crate) enum Said {
    Json(Value),
    Xml(String),
    /// Neither.
    Plain(String),
}

/// An answer, or a code that is written in the form in which the method answers.
pub(crate) type Answer = Result<Said, (Form, Code)>;

/// How a method answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Xml,
}

/// In which form the method answers that a path or query names.
pub(crate) fn form(what: &str) -> Form {
    const XML_METHODS: [&str; 9] = [
        "queryTraffic",
        "queryPakage",
        "prodInstQuery",
        "realNameQuery",
        "disabledNumber",
        "singleCutNet",
        "offNetAction",
        "orderFlow",
        "unsubScribe",
    ];
    if XML_METHODS.iter().any(|m| what.contains(m)) { Form::Xml } else { Form::Json }
}

/// JSON, or the code in JSON.
pub(crate) fn json(answer: Result<Value, Code>) -> Answer {
    answer.map(Said::Json).map_err(|c| (Form::Json, c))
}

/// XML, or the code in XML.
pub(crate) fn xml(answer: Result<String, Code>) -> Answer {
    answer.map(Said::Xml).map_err(|c| (Form::Xml, c))
}

/// The answer as it goes out.
pub(crate) fn reply(house: &House, ask: &Ask, answer: Answer) -> Reply {
    match answer {
        Ok(Said::Json(value)) => Reply::json(&value),
        Err((Form::Json, Code(code, text))) => {
            let number = code.parse::<i64>().unwrap_or(-99);
            Reply::json(&json!({
                "code": number, "msg": text, "resultCode": code, "result": code, "resultMsg": text, "RESULT": code, "SMSG": text,
            }))
        }
        Ok(Said::Plain(text)) => Reply::with(200, "text/plain;charset=UTF-8", text),
        Ok(Said::Xml(text)) => in_xml(house, ask, text),
        Err((Form::Xml, code)) => in_xml(house, ask, accepted(code)),
    }
}

fn in_xml(house: &House, ask: &Ask, text: String) -> Reply {
    let mut reply = Reply::with(200, XML, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{text}"));
    if ask.platform == Platform::Telecom && house.settings.telecom_gbk {
        reply.encode_gbk();
    }
    reply
}

/// The answer to a write, or an error of a method that answers in XML.
pub(crate) fn accepted(Code(code, text): Code) -> String {
    let kind = if code == "0" { "0" } else { "1" };
    format!(
        "<root><SvcCont><Response><RspType>{kind}</RspType><RspCode>{code}</RspCode><RspDesc>{text}</RspDesc></Response></SvcCont>\
         <IRESULT>{code}</IRESULT><SMSG>{text}</SMSG></root>"
    )
}

/// Number and name of the main state.
pub(crate) fn main_status(card: &Card) -> (&'static str, &'static str) {
    match card.base {
        Base::Ready | Base::Inventory => ("1", "可激活"),
        Base::Testing => ("2", "测试激活"),
        Base::TestEnded => ("3", "测试去激活"),
        Base::Active => ("4", "在用"),
        Base::Stopped if card.stops.iter().any(|s| matches!(s, Stop::Management | Stop::Forced | Stop::RealName)) => {
            ("6", "运营商管理状态")
        }
        Base::Stopped => ("5", "停机"),
        Base::PreClosed | Base::Closed | Base::Replaced => ("7", "拆机"),
    }
}

/// Number and name of the state of the product, as older methods tell it.
pub(crate) fn product_status(card: &Card) -> (&'static str, &'static str) {
    let has = |s| card.stops.contains(&s);
    match card.base {
        Base::Ready | Base::Inventory => ("140003", "未激活"),
        Base::Testing | Base::TestEnded => ("19", "活卡待激活"),
        Base::Active => ("1", "在用"),
        Base::Stopped if has(Stop::RealName) => ("150001", "未实名违规停机"),
        Base::Stopped if has(Stop::Forced) || has(Stop::Management) => ("7", "违章停机"),
        Base::Stopped if has(Stop::Credit) => ("5", "欠停双向"),
        Base::Stopped if has(Stop::Owner) => ("2", "用户报停"),
        Base::Stopped => ("120000", "停机"),
        Base::PreClosed | Base::Closed | Base::Replaced => ("3", "用户拆机"),
    }
}

/// The answer of queryCardMainStatus.
pub(crate) fn main_status_answer(house: &mut House, card: u32) -> Value {
    let number = house.world.next_number();
    let cut = is_cut(house, card);
    let card = house.world.card(card);
    let (code, name) = main_status(card);
    json!({
        "resultCode": "0", "result": "0", "resultMsg": "成功", "GROUP_TRANSACTIONID": format!("{number:020}"), "number": card.msisdn,
        "servCreateDate": calendar::china(card.opened, "%Y%m%d%H%M%S"), "authStatus": if card.real_name { "1" } else { "0" },
        "netBlockStatusName": if cut || !card.data_off.is_empty() { "已断网" } else { "未断网" },
        "productInfo": [{"productMainStatusCd": code, "productMainStatusName": name}],
    })
}

/// Whether the card's data is cut because it reached its line.
pub(crate) fn is_cut(house: &mut House, card: u32) -> bool {
    let now = house.world.now;
    house.world.card(card);
    usage::is_cut(&mut house.world.cards[card as usize], now)
}

/// 停机保号, 复机, 测试去激活, 去激活复机.
pub(crate) fn disabled_number(order: &str) -> Option<Act> {
    Some(match order {
        "19" => Act::Suspend,
        "20" => Act::Resume,
        "21" => Act::Move(Base::Testing, Base::TestEnded),
        "22" => Act::Move(Base::TestEnded, Base::Testing),
        _ => return None,
    })
}

/// ADD cuts the data off, DEL restores it.
pub(crate) fn single_cut(action: &str) -> Option<Act> {
    match action {
        "ADD" => Some(Act::Data { apn: None, on: false }),
        "DEL" => Some(Act::Data { apn: None, on: true }),
        _ => None,
    }
}

/// Actions 1 and 2 set the line of so many MB, 3 takes it away; type 2 counts what is beyond the package.
pub(crate) fn off_net(action: &str, quota: &str, kind: &str) -> Option<Act> {
    let beyond_package = match kind {
        "1" => false,
        "2" => true,
        _ => return None,
    };
    match action {
        "1" | "2" => Some(Act::CutOff(Some(CutOff { bytes: quota.parse::<u64>().ok()?.checked_mul(1 << 20)?, beyond_package }))),
        "3" => Some(Act::CutOff(None)),
        _ => None,
    }
}

/// ADD sets the speed of the code, DEL takes it away.
pub(crate) fn speed_limit(action: &str, code: &str) -> Option<Act> {
    match action {
        "ADD" if !code.is_empty() => Some(Act::Speed(Some(code.to_owned()))),
        "DEL" => Some(Act::Speed(None)),
        _ => None,
    }
}

/// A top-up of so many MB until the month's end.
pub(crate) fn top_up(now: i64, megabytes: &str) -> Option<Act> {
    let bytes = megabytes.parse::<u64>().ok().filter(|mb| (1..=1 << 20).contains(mb))? << 20;
    let until = calendar::start_of(Platform::Telecom.cycle().around(calendar::day_of(now)).end);
    Some(Act::Order(Offer {
        id: format!("ADD{megabytes}"),
        name: format!("{megabytes}MB"),
        bytes,
        from: now,
        until,
        main: false,
    }))
}

/// Bytes as text with a unit, two decimals, cut off: `12.34MB`.
pub(crate) fn with_unit(bytes: u64) -> String {
    let (shift, unit) = match bytes {
        0..0x10_0000 => (10, "KB"),
        0x10_0000..0x4000_0000 => (20, "MB"),
        _ => (30, "GB"),
    };
    let hundredths = (u128::from(bytes) * 100) >> shift;
    format!("{}.{:02}{unit}", hundredths / 100, hundredths % 100)
}

/// Megabytes with two decimals, cut off.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    let hundredths = (u128::from(bytes) * 100) >> 20;
    format!("{}.{:02}", hundredths / 100, hundredths % 100).parse().unwrap_or(0.0)
}

/// Days from yyyymmdd to yyyymmdd, both included.
pub(crate) fn days(start: &str, end: &str) -> Option<Range<Day>> {
    let day = |text: &str| text.parse().ok().and_then(calendar::day_of_digits);
    let days = day(start)?..day(end)? + 1;
    (!days.is_empty()).then_some(days)
}

/// Bytes of some days, as old as the platform's counters are.
pub(crate) fn shown_days(house: &mut House, card: u32, days: &Range<Day>) -> u64 {
    let at = house.world.now - house.settings.lag.ct_seconds;
    house.world.card(card).usage.days_as_of(days, at)
}

/// Bytes of the month, as old as the platform's counters are.
pub(crate) fn shown_month(house: &mut House, ask: &Ask, card: u32) -> u64 {
    let behind = house.settings.lag.ct_seconds;
    house.shown_cycle(ask, card, behind)
}

/// The usage answer: a total, and the records if they are wanted.
pub(crate) fn usage_xml(house: &mut House, card: u32, bytes: u64, detail: Option<&Range<Day>>) -> String {
    let number = house.world.next_number();
    let at = house.world.now - house.settings.lag.ct_seconds;
    let records = match detail {
        Some(days) => {
            let (from, to) = (calendar::start_of(days.start), calendar::start_of(days.end).min(at + 1));
            house.world.records_of(card, from, to)
        }
        None => Vec::new(),
    };
    let card = &house.world.cards[card as usize];
    let mut out = format!(
        "<root><web:NEW_DATA_TICKET_QRsp xmlns:web=\"http://www.example.org/webservice\"><CHARGE_CNT_CH>0元</CHARGE_CNT_CH>\
         <DURATION_CNT_CH>0秒</DURATION_CNT_CH><IRESULT>0</IRESULT><TOTALCOUNT>{}</TOTALCOUNT><TOTALPAGE>1</TOTALPAGE>\
         <TOTAL_BYTES_CNT>{}</TOTAL_BYTES_CNT><GROUP_TRANSACTIONID>{number:020}</GROUP_TRANSACTIONID><number>{}</number>",
        records.len(),
        with_unit(bytes),
        card.msisdn
    );
    for r in records {
        let _ = write!(
            out,
            "<NEW_DATA_TICKET_QR><TICKET_NUMBER>{}</TICKET_NUMBER><TICKET_TYPE>南京</TICKET_TYPE><SERVICE_TYPE>LTE</SERVICE_TYPE>\
             <START_TIME>{}</START_TIME><DURATION_CH>{}秒</DURATION_CH><BYTES_CNT>{}</BYTES_CNT><TICKET_CHARGE_CH>0元</TICKET_CHARGE_CH>\
             <CCG_PRODUCT_NAME>{}</CCG_PRODUCT_NAME></NEW_DATA_TICKET_QR>",
            r.id,
            calendar::stamp(r.start),
            r.stop - r.start,
            with_unit(r.bytes),
            card.offers.first().map_or("", |o| o.name.as_str())
        );
    }
    out + "</web:NEW_DATA_TICKET_QRsp></root>"
}

/// The answer of prodInstQuery: the card as a product, with its functions and packages.
pub(crate) fn product_xml(house: &mut House, card: u32) -> String {
    let cut = is_cut(house, card);
    let card = house.world.card(card);
    let (_, name) = product_status(card);
    let line = card.cut_off.map_or(String::new(), |c| format!("{}MB", c.bytes >> 20));
    let mut out = format!(
        "<root><SvcCont><IRESULT>0</IRESULT><result><prodInfos><phoneNum>{}</phoneNum><productName>物联网</productName>\
         <prodStatusName>{name}</prodStatusName><stopFlag>{}</stopFlag><custName>演示客户</custName><commonRegionName>南京</commonRegionName>\
         <funProdInfos><productName>达量断网</productName><attrInfos><attrName>是否已达量断网</attrName><attrValue>{}</attrValue></attrInfos>\
         <attrInfos><attrName>断网阀值</attrName><attrValue>{line}</attrValue></attrInfos></funProdInfos>",
        card.msisdn,
        if card.base == Base::Stopped { "1" } else { "0" },
        if cut { "是" } else { "否" },
    );
    for offer in &card.offers {
        let day = |at| calendar::china(at, "%Y%m%d%H%M%S");
        let _ = write!(
            out,
            "<prodOfferInfos><prodOfferName>{}</prodOfferName><prodOfferNbr>{}</prodOfferNbr><effDate>{}</effDate><expDate>{}</expDate></prodOfferInfos>",
            offer.name,
            offer.id,
            day(offer.from),
            day(offer.until)
        );
    }
    out + "</prodInfos></result></SvcCont></root>"
}

/// The answer of realNameQueryIot.
pub(crate) fn real_name_xml(card: &Card) -> String {
    let (code, text) = if card.real_name { ("0", "已实名") } else { ("1", "未实名") };
    format!("<root><rspcode>{code}</rspcode><rspdesc>{text}</rspdesc><number>{}</number></root>", card.msisdn)
}

/// The answer of getOnlineStatus.
pub(crate) fn online(card: &Card) -> Value {
    match &card.session {
        Some(s) => json!({
            "resultCode": "0", "resultMsg": "成功", "number": card.msisdn, "onlineFlag": "1", "ip": s.ip, "apn": s.apn, "rat": s.rat.to_string(),
            "imei": card.imei, "startTime": calendar::stamp(s.since),
        }),
        None => json!({"resultCode": "0", "resultMsg": "成功", "number": card.msisdn, "onlineFlag": "0", "imei": card.imei}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_unit_that_fits_them() {
        for (bytes, text) in [
            (0, "0.00KB"),
            (512, "0.50KB"),
            ((1 << 20) - 1, "1023.99KB"),
            (12_939_428, "12.34MB"),
            (1 << 30, "1.00GB"),
            (5 << 29, "2.50GB"),
        ] {
            assert_eq!(with_unit(bytes), text);
        }
        assert_eq!(megabytes(12_939_428), 12.34);
    }
}
