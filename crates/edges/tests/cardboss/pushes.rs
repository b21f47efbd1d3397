//! Pushes, held against the contract and signed so that a receiver can check them; and which warnings the trade gives.

use crate::contract;
use crate::shop::{MSISDN, SID, Shop, apikey, settings};
use kachi_dialects::cardboss::{Operation, Push, sign_push};
use kachi_domain::alert::Lines;
use kachi_domain::event::{Body, EventKind, Warning, WarningKind};
use kachi_domain::order::Channel;
use kachi_domain::package::{Category, Resource};
use kachi_domain::{Iccid, Span};
use kachi_edges::cardboss::data_push;
use kachi_engine::{card_reads, cards, overview, pools};
use kachi_store::accounts::Account;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, READY, Trade};
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
        total: 100 << 20,
        used: (95 << 20) + 512,
        outflow: 0,
    })
}

#[test]
fn every_push_is_as_published() {
    let renewal = |done: bool, waits: bool| Body::Renewal {
        iccid: CARD.into(),
        msisdn: MSISDN.into(),
        imsi: "460001234567890".into(),
        equipment: "gate 7".into(),
        number: "CR2603011200001234".into(),
        package_code: "xagx020".into(),
        package_name: "1G".into(),
        months: 12,
        done,
        waits,
        reason: if done { String::new() } else { "13009".into() },
    };
    let (push, data) = pushed(EventKind::RenewalSettled, &renewal(true, false));
    assert_eq!(
        (&push["sn"], &push["level"], &push["time"], &push["id"]),
        (&json!("OD1002"), &json!("info"), &json!("2026-03-01 12:00:00"), &json!(ID))
    );
    assert_eq!((&data["status"], &data["month"], &data["orderid"]), (&json!("1"), &json!("12"), &json!("CR2603011200001234")));
    assert_eq!(contract::object_faults(&data, contract::push("OD1002"), "OD1002"), Vec::<String>::new());
    assert_eq!(data["msg"], "订单续费成功, 资费已生效");
    let (_, data) = pushed(EventKind::RenewalSettled, &renewal(true, true));
    assert_eq!((&data["status"], &data["msg"]), (&json!("1"), &json!("订单续费成功, 资费待生效")), "done, and its package waits");
    let (push, data) = pushed(EventKind::RenewalSettled, &renewal(false, false));
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
        let (total, used) = match number {
            12 | 22 => (json!(1_747_627), json!(1_660_254)),
            13 | 14 | 23 | 24 => (json!(104_857_600), json!(99_615_232)),
            _ => (json!(102_400), json!(97_280.5)),
        };
        assert_eq!(
            data,
            json!({"id": ID, "date": "2026-03", "mon": "UN", "msisdn": MSISDN, "iccid": CARD, "imei": "867530912345678",
                   "equipment": "gate 7", "type": number.to_string(), "planname": "100M", "cardexpiry": "", "planexpiry": "2026-03-01",
                   "total": total, "usage": used, "outflow": 0})
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
    platform(shop, r#"{"stop_cards":true}"#);
}

/// The settings of the cards' platform, which are stopped when they are used up.
fn platform(shop: &Shop, settings: &'static str) {
    let set = shop.trade.engine.store().write(move |tx| {
        tx.put_platform(1, "hand", "manual", settings)?;
        tx.touch_catalogue()
    });
    set.unwrap();
}

#[test]
fn a_card_that_its_carrier_leaves_on_is_not_told_as_stopped() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        platform(&shop, "{}");
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        shop.trade.traffic(CARD, shop.trade.now(), 100 << 20);
        assert_eq!(told(&shop), [11], "used up to the byte, and on");
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 1 << 20);
        assert_eq!(told(&shop), [11, 21]);
    });
}

/// What of a month no package paid for is told once, with that month's bytes and none of another's.
#[test]
fn late_records_of_an_earlier_month_are_told_as_that_months() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 1 << 20);
        assert_eq!(told(&shop), [11]);
        shop.trade.traffic(CARD, shop.trade.now().plus(-2 * DAY), 5 << 20);
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 110 << 20);
        let over: Vec<Value> = data(&shop).into_iter().filter(|d| d["type"] == "21").collect();
        let shown = over.iter().map(|d| json!([d["date"], d["planname"], d["total"], d["outflow"]])).collect::<Vec<_>>();
        assert_eq!(shown, [json!(["2026-02", "", 0, 5 << 10]), json!(["2026-03", "name of GJ-100M-30D", 100 << 10, 11 << 10])]);
        let past = shop.good(Operation::UsagePast, json!({"msisdns": MSISDN, "month": "202602"}))["usages"][0].clone();
        assert_eq!(past["outflowusage"], 5 << 10, "as the figures have it");
    });
}

#[test]
fn a_top_up_that_ends_is_warned_of_as_every_package_is() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        shop.sell("TOP-20D", Span::Days(20), |t| t.category = Category::TopUp);
        shop.buy(CARD, "GJ-TIME-1MO", "n-1");
        shop.buy(CARD, "TOP-20D", "n-2");
        for (days, expected) in [(12, &[][..]), (1, &[31]), (6, &[31]), (1, &[31, 32]), (4, &[31, 32, 31, 42])] {
            shop.trade.pass(days * DAY);
            while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
            assert_eq!(told(&shop), expected);
        }
    });
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
        assert_eq!(told(&shop), [11], "the line of bytes and that of the share are one warning");
        shop.trade.traffic(CARD, shop.trade.now(), 10 << 20);
        assert_eq!(told(&shop), [11, 51, 21]);
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 10 << 20);
        assert_eq!(told(&shop), [11, 51, 21], "data beyond every package is told once a month");
        shop.buy(CARD, "GJ-TIME-1MO", "n-2");
        shop.trade.pass(25 * DAY);
        while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
        assert_eq!(told(&shop), [11, 51, 21, 31, 42]);
        shop.trade.pass(10 * DAY);
        while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
        assert_eq!(told(&shop), [11, 51, 21, 31, 42, 32, 41]);
        let waiting = shop.trade.engine.store().read(|tx| tx.deliveries_newest(&[ACME], None, 100)).unwrap();
        assert_eq!(waiting.iter().filter(|d| d.2 == "card_warning").count(), 7, "each is on its way");
        assert!(waiting.iter().all(|d| d.2 == "card_warning"), "and nothing that this address is not told");
        shop.trade.assert_sound();
    });
}

#[test]
fn what_nothing_paid_for_is_told_as_much_as_it_is_this_month() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        for mb in [7, 3] {
            shop.trade.pass(31 * DAY);
            shop.trade.traffic(CARD, shop.trade.now(), mb << 20);
        }
        let claim = kachi_engine::webhooks::claim(&shop.trade.engine, 7, &kachi_engine::webhooks::Silent::default()).unwrap();
        let told: Vec<Value> = claim.lanes.concat().iter().map(|job| amounts(&job.kind, &job.body)).collect();
        assert_eq!(told, [json!(["21", "", 0, 0, 7 << 10]), json!(["21", "", 0, 0, 3 << 10])]);
    });
}

#[test]
fn a_package_that_ends_is_warned_of_while_another_waits_behind_it() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        shop.buy(CARD, "GJ-TIME-1MO", "n-1");
        shop.buy(CARD, "GJ-TIME-1MO", "n-2");
        shop.trade.pass(24 * DAY - 1);
        while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
        assert_eq!(told(&shop), Vec::<i64>::new());
        shop.trade.pass(1);
        while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
        assert_eq!(told(&shop), [31], "seven days before the first of two is over");
        shop.trade.pass(8 * DAY);
        while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
        assert_eq!(told(&shop), [31, 32], "the card goes on");
        shop.trade.pass(22 * DAY);
        while cards::settle_due(&shop.trade.engine).unwrap() > 0 {}
        assert_eq!(told(&shop), [31, 32, 31, 42]);
    });
}

#[test]
fn little_data_left_is_one_warning_whichever_line_is_crossed_first() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        shop.sell("GJ-200M", Span::Days(30), |t| t.allowance = 200 << 20);
        shop.buy(CARD, "GJ-200M", "n-1");
        let use_up = |mb: i64| {
            shop.trade.pass(60);
            shop.trade.traffic(CARD, shop.trade.now(), mb << 20);
        };
        use_up(150);
        assert_eq!(told(&shop), [11], "less than 100 MB");
        use_up(35);
        assert_eq!(told(&shop), [11], "less than a tenth: the same subscription still has little left");
        shop.buy(CARD, "GJ-200M", "n-2");
        use_up(130);
        assert_eq!(told(&shop), [11, 11], "more was bought, and little is left of that too");
    });
}

/// The data of the pushes that are on their way.
fn data(shop: &Shop) -> Vec<Value> {
    let claim = kachi_engine::webhooks::claim(&shop.trade.engine, 7, &kachi_engine::webhooks::Silent::default()).unwrap();
    let read = |job: &kachi_engine::webhooks::Job| {
        let push = data_push(&job.kind, &job.body, ID, NOW, (SID, "k")).expect("a push");
        let push: Value = serde_json::from_str(&push).unwrap();
        serde_json::from_str(push["data"].as_str().unwrap()).unwrap()
    };
    claim.lanes.concat().iter().map(read).collect()
}

#[test]
fn a_warning_names_the_end_of_the_last_package_and_the_device_of_its_own_record() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        shop.sell("SMS-60D", Span::Days(60), |t| (t.resource, t.allowance) = (Resource::Sms, 10));
        shop.buy(READY, "SMS-60D", "n-1");
        shop.buy(READY, "GJ-100M-30D", "n-2");
        shop.trade.traffic_in(READY, shop.trade.now(), 110 << 20, "867530912345678");
        let shown = shop.good(Operation::CardDetail, json!({"iccids": READY}))["cards"][0].clone();
        assert_eq!((&shown["expiredate"], &shown["imei"]), (&json!("2026-04-30"), &json!("867530912345678")));
        let data = data(&shop);
        let types: Vec<_> = data.iter().map(|d| d["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["11", "51", "21"]);
        for told in &data {
            assert_eq!((&told["cardexpiry"], &told["imei"]), (&shown["expiredate"], &shown["imei"]), "{told}");
        }
    });
}

#[test]
fn voice_messages_and_connections_are_warned_of_when_they_are_counted() {
    db::each(|store| {
        let lines = Lines { connections: 3, ..Lines::default() };
        let shop = Shop::of(Trade::build(store).under(kachi_engine::Settings { lines, ..Default::default() }), settings());
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        let carrier = Carrier::of(&shop.trade.engine, "1US-1", json!({"lag_seconds": 0, "cool_down_seconds": 0}), &[]);
        carrier.remember(&shop.trade.engine);
        shop.sell("GJ-SMS", Span::Days(30), |t| (t.resource, t.allowance) = (Resource::Sms, 10));
        shop.sell("GJ-VOICE", Span::Days(30), |t| (t.resource, t.allowance) = (Resource::Voice, 600));
        for (n, package) in ["GJ-TIME-1MO", "GJ-SMS", "GJ-VOICE"].iter().enumerate() {
            shop.buy(CARD, package, &format!("n-{n}"));
        }
        let message = |n: i64| {
            shop.good(Operation::SmsIot, json!({"mobile": MSISDN, "content": format!("message {n}")}));
            carrier.work(&shop.trade.engine);
            shop.trade.pass(1);
        };
        (0..9).for_each(message);
        assert_eq!(told(&shop), Vec::<i64>::new(), "one of ten is left");
        message(9);
        assert_eq!(told(&shop), [13]);
        (10..12).for_each(message);
        assert_eq!(told(&shop), [13, 23], "once each, however many follow");
        let speak = |seconds: i64| {
            carrier.world.speak(CARD, seconds, shop.trade.now());
            let actor = shop.trade.actor(ACME);
            let asked = shop.trade.engine.write(move |tx, catalogue, how| {
                let iccid = Iccid::parse(CARD).expect("a number");
                let ask = card_reads::Ask { iccid, platform: None, product: None, what: card_reads::What::Traffic };
                card_reads::ask(tx, catalogue, how, &actor, &ask)
            });
            asked.expect("it is to be read");
            carrier.read(&shop.trade.engine);
        };
        speak(540);
        assert_eq!(told(&shop), [13, 23]);
        speak(1);
        speak(60);
        assert_eq!(told(&shop), [13, 23, 12, 22]);
        let voice = &shop.good(Operation::UsageCurrent, json!({"msisdns": MSISDN}))["usages"][0];
        assert_eq!((&voice["voiceusage"], &voice["smsusage"]), (&json!(11), &json!(12)), "601 seconds are eleven minutes");
        let page = overview::card(&shop.trade.engine, &shop.trade.actor(ACME), &Iccid::parse(CARD).expect("a number"));
        let counts: Vec<_> = page.expect("a card").subscriptions.iter().map(|s| s.counts).collect();
        assert_eq!(
            counts,
            [Some((Resource::Voice, Some((601, 0)))), Some((Resource::Sms, Some((12, 0)))), None],
            "used and left"
        );
        for crossed in [&[13, 23, 12, 22][..], &[13, 23, 12, 22], &[13, 23, 12, 22, 14], &[13, 23, 12, 22, 14, 24]] {
            shop.trade.pass(60);
            shop.trade.traffic(CARD, shop.trade.now(), 1 << 20);
            assert_eq!(told(&shop), crossed);
        }
        let claim = kachi_engine::webhooks::claim(&shop.trade.engine, 7, &kachi_engine::webhooks::Silent::default()).unwrap();
        let amounts: Vec<Value> = claim.lanes.concat().iter().map(|job| amounts(&job.kind, &job.body)).collect();
        assert_eq!(
            amounts,
            [
                json!(["13", "name of GJ-SMS", 10, 10, 0]),
                json!(["23", "name of GJ-SMS", 10, 11, 1]),
                json!(["12", "name of GJ-VOICE", 10, 10, 0]),
                json!(["22", "name of GJ-VOICE", 10, 11, 1]),
                json!(["14", "", 3, 3, 0]),
                json!(["24", "", 3, 4, 1]),
            ],
            "minutes and pieces"
        );
        shop.trade.assert_sound();
    });
}

/// Type, package, whole, used and beyond of a push.
fn amounts(kind: &str, body: &str) -> Value {
    let push: Value = serde_json::from_str(&data_push(kind, body, ID, NOW, (SID, "k")).expect("a push")).unwrap();
    let data: Value = serde_json::from_str(push["data"].as_str().unwrap()).unwrap();
    json!([data["type"], data["planname"], data["total"], data["usage"], data["outflow"]])
}

#[test]
fn a_pools_cards_are_warned_of_their_cap_and_of_the_pools_end() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        for (n, card) in [CARD, READY].iter().enumerate() {
            shop.buy(card, "GJ-100M-30D", &format!("n-{n}"));
        }
        shop.joint_pool("GJ-100M-30D", Some(150 << 20), &[CARD, READY]);
        let use_up = |card: &str, mb: i64| {
            shop.trade.pass(60);
            shop.trade.traffic(card, shop.trade.now(), mb << 20);
            while pools::settle_due(&shop.trade.engine).unwrap() > 0 {}
        };
        use_up(CARD, 149);
        assert_eq!(told(&shop), Vec::<i64>::new(), "more than its own is nothing to be warned of");
        use_up(CARD, 1);
        assert_eq!(told(&shop), [15, 51], "the card took its cap and is stopped");
        use_up(READY, 50);
        assert_eq!(told(&shop), [15, 51, 51], "the pool is used up: the other is stopped too");
        use_up(READY, 1);
        assert_eq!(told(&shop), [15, 51, 51], "once each");
        shop.trade.assert_sound();
    });
}

#[test]
fn a_card_whose_pool_of_slots_is_used_up_is_warned() {
    db::each(|store| {
        let shop = Shop::new(store);
        subscribed(&shop, r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#);
        let actor = shop.trade.actor(ACME);
        let made = shop.trade.engine.write(move |tx, catalogue, how| {
            let create = pools::Create { type_code: "POOL-100M-7D".into(), ..pools::Create::default() };
            let pool = pools::create(tx, catalogue, how, &actor, &create)?;
            let (type_code, out_trade_no, number) = ("POOL-100M-7D".into(), "p-1".into(), "p1".into());
            let subscribe = pools::Subscribe { pool, type_code, out_trade_no, channel: Channel::Api, number };
            pools::subscribe(tx, catalogue, how, &actor, &subscribe)?;
            pools::add(tx, catalogue, how, &actor, (pool, &[Iccid::parse(CARD).expect("a number")]))
        });
        made.unwrap();
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 100 << 20);
        assert_eq!(told(&shop), [15, 51]);
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
