//! Notices, held against the contract and signed so that a receiver can check them.

use crate::client::Client;
use crate::contract::{self, faults, object_faults};
use kachi_dialects::eiotclub::{Form, Limits, Params, sign};
use kachi_domain::event::{Body, EventKind, SubscriptionSnapshot};
use kachi_edges::eiotclub::notice;
use kachi_engine::webhooks::{self, Silent};
use kachi_store::accounts::Account;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, Trade};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SECRET: &str = "a1b1c1d1";

fn render(kind: EventKind, body: &Body) -> Option<Value> {
    let body = serde_json::to_string(body).unwrap();
    let text = notice(kind.word(), &body, "CNTUlkm0pzRujPBr2tN8NNa7", 1_772_337_600, 40_974, SECRET)?;
    let params = Params::parse(text.as_bytes(), Limits::default()).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    for form in Form::ALL {
        let how = form.label();
        assert_eq!(value["sign"], sign(&params, SECRET, form), "signed as a request without an appkey, whoever checks it: {how}");
    }
    Some(value)
}

/// The notice with its `data` read, each field as the contract declares it.
fn declared(kind: EventKind, body: &Body, event: &str) -> Value {
    let mut value = render(kind, body).unwrap();
    assert_eq!(value["event"], event);
    if let Some(data) = value.get("data") {
        value["data"] = serde_json::from_str(data.as_str().expect("data is JSON text")).unwrap();
    }
    let wrong = object_faults(&value, &contract::notice(event), event);
    assert!(wrong.is_empty(), "{wrong:#?}");
    value
}

fn subscription(state: i64, out_trade_no: Option<&str>) -> Body {
    Body::Subscription(SubscriptionSnapshot {
        iccid: "89423053323291099364".into(),
        eid: None,
        order: 10_004_728,
        package_code: "A-TM-50M-1D".into(),
        package_name: "A-TM-50M-1天".into(),
        retail_name: String::new(),
        package_type: 3,
        state,
        channel: "API".into(),
        out_trade_no: out_trade_no.map(Into::into),
        bought_at: 1_716_860_087,
        started_at: (state > 0).then_some(1_716_860_088),
        ends_at: (state > 0).then_some(1_716_946_488),
        origin: None,
        custom_data: None,
    })
}

#[test]
fn every_notice_is_as_published() {
    let bought = declared(EventKind::SubscriptionBought, &subscription(0, Some("630")), "SubPkgList");
    assert_eq!(
        bought["data"],
        json!([{"iccid": "89423053323291099364", "orderId": 10_004_728, "packageName": "A-TM-50M-1天", "packageCode": "A-TM-50M-1D",
                "state": 0, "gzhPackageName": "", "packageType": 3, "createDate": "2024-05-28 09:34:47", "outTradeNo": "630",
                "salesChannel": "API"}])
    );
    let started = declared(EventKind::SubscriptionStarted, &subscription(1, None), "PkgEffective");
    assert_eq!(started["data"]["startDate"], "2024-05-28 09:34:48");
    assert_eq!(started["data"]["endDate"], "2024-05-29 09:34:48");
    assert!(started["data"].get("outTradeNo").is_none());
    let ended = declared(EventKind::SubscriptionEnded, &subscription(2, None), "PkgQuantityList");
    assert_eq!(ended["data"][0]["state"], 2);

    let stopped = Body::Sim { iccid: "89852000263320817044".into(), eid: None, detail: "quota".into() };
    assert_eq!(declared(EventKind::SimStopped, &stopped, "CardStopped")["iccid"], "89852000263320817044");
    let alert = Body::Alert { iccid: "89852012345678901234".into(), eid: None, alert_type: 1, threshold: 100 };
    let alert = declared(EventKind::UsageAlert, &alert, "FlowAlert");
    assert_eq!((&alert["alert_type"], &alert["alert_value"]), (&json!(1), &json!("100")));
    for (paid, refunded, shown) in [("1.30", "0.65", ("1.30", "0.65")), ("120", "0", ("120.00", "0.00"))] {
        let (iccid, paid, refunded) = ("89423053323291099364".to_owned(), paid.into(), refunded.into());
        let number = "0000000000000000000000000000002a".to_owned();
        let body = Body::Refund { iccid, eid: None, order: 10_004_728, number, out_trade_no: None, paid, refunded };
        let refund = declared(EventKind::Refunded, &body, "Refund");
        assert_eq!((refund["orderAmount"].as_str().unwrap(), refund["refundAmount"].as_str().unwrap()), shown);
        assert_eq!(refund["outTradeNo"], "0000000000000000000000000000002a", "never empty, which is signed in two ways");
    }
}

#[test]
fn data_is_signed_as_the_text_that_is_sent() {
    let value = render(EventKind::SubscriptionBought, &subscription(0, None)).unwrap();
    let data = value["data"].as_str().unwrap();
    assert!(data.starts_with(r#"[{"iccid":"89423053323291099364","orderId":10004728,"packageName":"A-TM-50M-1天","#), "{data}");
    assert!(faults(&value["id"], &json!({"type": "string"}), "id").is_empty());
}

#[test]
fn what_is_no_notice_of_this_door_is_not_rendered() {
    let money = Body::Money { amount: "1.00".into(), currency: "USD".into() };
    assert!(render(EventKind::ToppedUp, &money).is_none());
    assert!(render(EventKind::SimStopped, &money).is_none(), "the body of another event");
    assert!(notice("no_such_kind", "{}", "i", 1, 10_000, SECRET).is_none());
    assert!(notice("sim_stopped", "not JSON", "i", 1, 10_000, SECRET).is_none());
}

#[test]
fn an_account_with_several_keys_is_told_with_the_first() {
    db::each(|store| {
        let trade = Trade::build(store);
        let added = trade.engine.write(|tx, catalogue, how| {
            // Beside `key-acme`.
            for (name, secret) in [("key-z", "after"), ("key-0", "before")] {
                tx.put_credential("eiotclub", name, ACME, secret)?;
            }
            let acme = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
            tx.put_account(&Account { notify: r#"{"eiotclub":"http://127.0.0.1:9/n"}"#.into(), ..acme }, how.now)?;
            Ok(tx.touch_catalogue()?)
        });
        added.expect("two more keys");
        assert_eq!(Client::new(&trade).order(CARD, "GJ-100M-30D", "a").code(), "200", "the partner's own key still counts");
        let claim = webhooks::claim(&trade.engine, 1, &Silent::default()).unwrap();
        let secrets: BTreeSet<&str> = claim.lanes.iter().flatten().map(|job| job.secret.as_str()).collect();
        assert_eq!(secrets.into_iter().collect::<Vec<_>>(), ["before"]);
    });
}
