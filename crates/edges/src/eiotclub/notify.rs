//! Notices as the partner's receiver gets them: pure text from a stored event.
//!
//! The event's own order, names and types are the source's; `data` is JSON text inside a string, and exactly that text
//! is signed. Dates are China time.

use super::CHINA;
use kachi_dialects::eiotclub::notice_body;
use kachi_domain::Timestamp;
use kachi_domain::event::{Body, EventKind, SubscriptionSnapshot};
use serde::Serialize;
use serde_json::Value;

/// The signed notice of an event: `event_kind` and `body_json` as stored, `id` the same at every attempt, `timestamp`
/// Unix seconds and `nonce` (10000-99999) of this attempt. None: this door has no notice for it, or the body is not one
/// of that event.
pub fn notice(event_kind: &str, body_json: &str, id: &str, timestamp: i64, nonce: u32, secret: &str) -> Option<String> {
    let body: Body = serde_json::from_str(body_json).ok()?;
    let (event, fields) = match (EventKind::parse(event_kind).ok()?, &body) {
        (EventKind::UsageAlert, Body::Alert { iccid, eid, alert_type, threshold }) => {
            let (event, mut fields) = known(iccid, eid.as_deref(), ["FlowAlert", "CloudESimFlowAlert"]);
            fields.extend([("alert_type", (*alert_type).into()), ("alert_value", threshold.to_string().into())]);
            (event, fields)
        }
        (EventKind::SubscriptionBought, Body::Subscription(s)) => {
            (of(s, ["SubPkgList", "CloudESimSubPkgList"]), vec![("data", text(&[Line::bought(s)]))])
        }
        (EventKind::SubscriptionStarted, Body::Subscription(s)) => {
            (of(s, ["PkgEffective", "CloudESimPkgActivate"]), vec![("data", text(&Line::started(s)))])
        }
        (EventKind::SubscriptionEnded, Body::Subscription(s)) => {
            (of(s, ["PkgQuantityList", "CloudESimPkgDeactivate"]), vec![("data", text(&[Line::ended(s)]))])
        }
        (EventKind::SimStopped, Body::Sim { iccid, eid, .. }) => {
            known(iccid, eid.as_deref(), ["CardStopped", "CloudESimCardStopped"])
        }
        (EventKind::Refunded, Body::Refund { iccid, eid, order, number, out_trade_no, paid, refunded }) => {
            // It is required, and receivers disagree about signing an empty text: without one it is the order's own number.
            let number = if number.is_empty() { order.to_string() } else { number.clone() };
            let (event, mut fields) = known(iccid, eid.as_deref(), ["Refund", "CloudESimRefund"]);
            fields.extend([
                (if eid.is_some() { "eshopOrderId" } else { "orderId" }, (*order).into()),
                ("outTradeNo", out_trade_no.clone().unwrap_or(number).into()),
                ("orderAmount", two_decimals(paid).into()),
                ("refundAmount", two_decimals(refunded).into()),
            ]);
            (event, fields)
        }
        (EventKind::SimLocked, Body::Lock { iccid, eid, .. }) => {
            known(iccid, eid.as_deref(), ["CardIMEILocked", "CloudESimLocked"])
        }
        (EventKind::SimUnlocked, Body::Lock { iccid, eid, .. }) => {
            known(iccid, eid.as_deref(), ["IMEIUnLock", "CloudESimUnLock"])
        }
        (EventKind::ImeiGroupJoined, Body::ImeiGroup { iccid, group }) => ("CardMovedInIMEIPool", pool(iccid, *group)),
        (EventKind::ImeiGroupLeft, Body::ImeiGroup { iccid, group }) => ("CardMovedOutIMEIPool", pool(iccid, *group)),
        (EventKind::ProductSwitched, Body::Product { iccid, eid, product_code }) => {
            let (event, mut line) = known(iccid, eid.as_deref(), ["SwitchProduct", "CloudESimSwitchProduct"]);
            line.push(("productCode", product_code.as_str().into()));
            let line: serde_json::Map<String, Value> = line.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            (event, vec![("data", text(&[line]))])
        }
        _ => return None,
    };
    Some(notice_body(id, event, timestamp, nonce, &fields, secret))
}

/// The event and what it names: a card known by its EID has events of its own.
fn known(iccid: &str, eid: Option<&str>, events: [&'static str; 2]) -> (&'static str, Vec<(&'static str, Value)>) {
    match eid {
        None => (events[0], vec![("iccid", iccid.into())]),
        Some(eid) => (events[1], vec![("eid", eid.into())]),
    }
}

/// The event of a subscription, by how its card is known.
fn of(s: &SubscriptionSnapshot, events: [&'static str; 2]) -> &'static str {
    events[usize::from(s.eid.is_some())]
}

fn pool(iccid: &str, group: i64) -> Vec<(&'static str, Value)> {
    vec![("iccid", iccid.into()), ("plockGroupId", group.into())]
}

/// Whether the receiver took the notice of an event (`event_kind` and `body_json` as stored): HTTP 200 and
/// `{"status":"SUCCESS"}`, however spaced; any 2xx where the answer is published without fields.
pub fn acknowledged(event_kind: &str, body_json: &str, status: u16, answer: &[u8]) -> bool {
    if has_bare_answer(event_kind, body_json) {
        return (200..300).contains(&status);
    }
    let answer = serde_json::from_slice::<Value>(answer).unwrap_or_default();
    status == 200 && answer.get("status").and_then(Value::as_str) == Some("SUCCESS")
}

/// Whether the event is one of the four whose receiver answers with an object without fields: CardMovedInIMEIPool,
/// CardMovedOutIMEIPool, CloudESimLocked, CloudESimUnLock.
fn has_bare_answer(event_kind: &str, body_json: &str) -> bool {
    match EventKind::parse(event_kind) {
        Ok(EventKind::ImeiGroupJoined | EventKind::ImeiGroupLeft) => true,
        Ok(EventKind::SimLocked | EventKind::SimUnlocked) => {
            matches!(serde_json::from_str(body_json), Ok(Body::Lock { eid: Some(_), .. }))
        }
        _ => false,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iccid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eshop_order_id: Option<i64>,
    package_name: &'a str,
    package_code: &'a str,
    state: i64,
    gzh_package_name: &'a str,
    package_type: i64,
    create_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_trade_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sales_channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_iccid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_eid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_order_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn bought(s: &'a SubscriptionSnapshot) -> Line<'a> {
        let origin = s.origin.as_ref();
        let by_eid = origin.and_then(|o| o.eid.as_deref()).filter(|_| s.eid.is_some());
        Line {
            sales_channel: Some(&s.channel),
            from_iccid: origin.filter(|_| s.eid.is_none()).map(|o| o.iccid.as_str()),
            from_eid: by_eid,
            from_order_id: origin.map(|o| o.order),
            custom_data: s.custom_data.as_deref(),
            ..Line::ended(s)
        }
    }

    fn started(s: &'a SubscriptionSnapshot) -> Line<'a> {
        let date = |at: Option<i64>| Some(at.map_or_else(String::new, china));
        // Of the two, the notice of what was bought alone has the buyer's data.
        Line { start_date: date(s.started_at), end_date: date(s.ends_at), custom_data: None, ..Line::bought(s) }
    }

    fn ended(s: &'a SubscriptionSnapshot) -> Line<'a> {
        Line {
            iccid: s.eid.is_none().then_some(&s.iccid),
            eid: s.eid.as_deref(),
            order_id: s.eid.is_none().then_some(s.order),
            eshop_order_id: s.eid.is_some().then_some(s.order),
            package_name: &s.package_name,
            package_code: &s.package_code,
            state: s.state,
            gzh_package_name: &s.retail_name,
            package_type: s.package_type,
            create_date: china(s.bought_at),
            start_date: None,
            end_date: None,
            out_trade_no: s.out_trade_no.as_deref(),
            sales_channel: None,
            from_iccid: None,
            from_eid: None,
            from_order_id: None,
            custom_data: None,
        }
    }
}

fn china(at: i64) -> String {
    CHINA.text(Timestamp(at))
}

fn text(data: &impl Serialize) -> Value {
    serde_json::to_string(data).expect("a notice can be written").into()
}

/// "Two decimals" holds for yen too.
fn two_decimals(amount: &str) -> String {
    if amount.contains('.') { amount.to_owned() } else { format!("{amount}.00") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_an_acknowledgement_unless_the_answer_has_no_fields() {
        for (status, body, taken) in [
            (200, r#"{"status":"SUCCESS"}"#, true),
            (200, "\n{ \"status\" :\t\"SUCCESS\", \"more\": 1 }\n", true),
            (201, r#"{"status":"SUCCESS"}"#, false),
            (200, r#"{"status":"success"}"#, false),
            (200, r#"{"status":"FAIL"}"#, false),
            (200, "SUCCESS", false),
            (200, r#""SUCCESS""#, false),
            (200, "", false),
        ] {
            assert_eq!(acknowledged("sim_stopped", "{}", status, body.as_bytes()), taken, "{status} {body}");
        }
        for (status, taken) in [(200, true), (204, true), (302, false), (500, false)] {
            assert_eq!(acknowledged("imei_group_joined", "{}", status, b""), taken, "{status}");
        }
    }
}
