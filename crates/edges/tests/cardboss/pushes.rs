//! Pushes, held against the contract and signed so that a receiver can check them; and which warnings the trade gives.

use crate::contract;
use crate::shop::{MSISDN, SID, Shop, apikey};
use kachi_dialects::cardboss::{Push, sign_push};
use kachi_domain::event::{Body, EventKind, Warning, WarningKind};
use kachi_edges::cardboss::data_push;
use kachi_engine::cards;
use kachi_store::accounts::Account;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD};
use serde_json::{Value, json};

const ID: &str = "KN0000000000000000000007";
const NOW: i64 = 1_772_337_600;
const DAY: i64 = 86_400;

/// The push of an event, its signature checked, and its data read.
fn pushed(kind: EventKind, body: &Body) -> (Value, Value) {
    let text = serde_json::to_string(body).unwrap();
    let push = data_push(kind.word(), &text, ID, NOW, (SID, &apikey(SID))).expect("a push");
    let push: Value = serde_json::from_str(&push).unwrap();
    let of = |name: &str| push[name].as_str().unwrap_or_else(|| panic!("{name} is text"));
    let parts = Push {
        sid: of("sid"),
        id: of("id"),
        sn: of("sn"),
        level: of("level"),
        api: of("api"),
        time: of("time"),
        data: of("data"),
        desc: of("desc"),
    };
    assert_eq!(sign_push(&parts, &apikey(SID)), of("sign"));
    let data = serde_json::from_str(of("data")).expect("data is JSON text");
    (push, data)
}

fn warning(warning: WarningKind) -> Body {
    Body::Warning(Warning {
        warning,
        at: NOW,
        carrier: "CU".into(),
        iccid: CARD.into(),
        msisdn: MSISDN.into(),
        imei: "867530912345678".into(),
        equipment: "gate 7".into(),
        package_name: "100M".into(),
        package_ends_at: Some(NOW + 12 * 3600),
        card_ends_at: None,
        total_bytes: 100 << 20,
        used_bytes: (95 << 20) + 512,
        outflow_bytes: 0,
    })
}

#[test]
fn every_push_is_as_published() {
    let renewal = |done: bool| Body::Renewal {
        iccid: CARD.into(),
        msisdn: MSISDN.into(),
        imsi: "460001234567890".into(),
        equipment: "gate 7".into(),
        number: "CR2603011200001234".into(),
        package_code: "xagx020".into(),
        package_name: "1G".into(),
        months: 12,
        done,
        reason: if done { String::new() } else { "13009".into() },
    };
    let (push, data) = pushed(EventKind::RenewalSettled, &renewal(true));
    assert_eq!(
        (&push["sn"], &push["level"], &push["time"], &push["id"]),
        (&json!("OD1002"), &json!("info"), &json!("2026-03-01 12:00:00"), &json!(ID))
    );
    assert_eq!((&data["status"], &data["month"], &data["orderid"]), (&json!("1"), &json!("12"), &json!("CR2603011200001234")));
    assert_eq!(contract::object_faults(&data, contract::push("OD1002"), "OD1002"), Vec::<String>::new());
    let (push, data) = pushed(EventKind::RenewalSettled, &renewal(false));
    assert_eq!((&push["level"], &data["status"]), (&json!("error"), &json!("0")));
    assert!(data["msg"].as_str().unwrap().contains("13009"));

    let mut numbers = Vec::new();
    for (kind, number) in WarningKind::ALL {
        let (push, data) = pushed(EventKind::CardWarning, &warning(kind));
        assert_eq!(
            (&push["sn"], &push["level"], &data["type"]),
            (&json!("OD1010"), &json!("warning"), &json!(number.to_string()))
        );
        assert_eq!(contract::object_faults(&data, contract::push("OD1010"), "OD1010"), Vec::<String>::new());
        numbers.push(number);
        assert_eq!(
            data,
            json!({"id": ID, "date": "2026-03", "mon": "UN", "msisdn": MSISDN, "iccid": CARD, "imei": "867530912345678",
                   "equipment": "gate 7", "type": number.to_string(), "planname": "100M", "cardexpiry": "", "planexpiry": "2026-03-01",
                   "total": 102_400, "usage": 97_280.5, "outflow": 0})
        );
    }
    assert_eq!(numbers, contract::warning_types());
    let body = serde_json::to_string(&warning(WarningKind::DataLow)).unwrap();
    assert!(data_push("usage_alert", &body, ID, NOW, (SID, "k")).is_none(), "no push for what this door does not tell");
}

/// The warnings of a card told so far, by their numbers.
fn told(shop: &Shop) -> Vec<i64> {
    let sees = shop.trade.actor(ACME).sees;
    let mut events = shop.trade.engine.store().read(move |tx| tx.events_newest(&sees, 1000)).unwrap();
    events.reverse();
    let number = |e: &kachi_store::events::EventRow| match serde_json::from_str(&e.5).unwrap() {
        Body::Warning(w) => Some(w.warning.number()),
        _ => None,
    };
    events.iter().filter_map(number).collect()
}

fn subscribed(shop: &Shop, notify: &str) {
    let notify = notify.to_owned();
    let set = shop.trade.engine.store().write(move |tx| {
        let account = tx.accounts()?.into_iter().find(|a| a.id == ACME).expect("an account");
        tx.put_account(&Account { notify: notify.clone(), ..account }, kachi_domain::Timestamp(0))?;
        tx.touch_catalogue()
    });
    set.unwrap();
}

#[test]
fn a_card_warns_of_what_becomes_of_it_once() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 95 << 20);
        shop.trade.pass(60);
        assert_eq!(told(&shop), [11, 11], "the line of bytes, and that of the share");
        shop.trade.traffic(CARD, shop.trade.now(), 10 << 20);
        assert_eq!(told(&shop), [11, 11, 51, 21]);
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 10 << 20);
        assert_eq!(told(&shop), [11, 11, 51, 21], "data beyond every package is told once a month");
        shop.buy(CARD, "GJ-TIME-1MO", "n-2");
        shop.trade.pass(25 * DAY);
        while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
        assert_eq!(told(&shop), [11, 11, 51, 21, 31, 42]);
        shop.trade.pass(10 * DAY);
        while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
        assert_eq!(told(&shop), [11, 11, 51, 21, 31, 42, 32, 41]);
        let waiting = shop.trade.engine.store().read(|tx| tx.deliveries_newest(&[ACME], None, 100)).unwrap();
        assert_eq!(waiting.iter().filter(|d| d.2 == "card_warning").count(), 8, "each is on its way");
        assert!(waiting.iter().all(|d| d.2 == "card_warning"), "and nothing that this address is not told");
        shop.trade.assert_sound();
    });
}

#[test]
fn nobody_is_warned_who_did_not_ask() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"eiotclub":"http://127.0.0.1:9/n","cardboss_sms":"http://127.0.0.1:9/s"}"#);
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        shop.trade.traffic(CARD, shop.trade.now(), 110 << 20);
        assert_eq!(told(&shop), Vec::<i64>::new());
        let waiting = shop.trade.engine.store().read(|tx| tx.deliveries_newest(&[ACME], None, 100)).unwrap();
        assert!(!waiting.is_empty() && waiting.iter().all(|d| d.4 == "eiotclub"));
    });
}
