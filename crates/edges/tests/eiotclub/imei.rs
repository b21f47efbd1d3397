//! IMEI groups and bindings at the door: locks, unlocking and its limits, devices, and the notices of each act.

use crate::answers::good;
use crate::client::Client;
use crate::contract::{self, object_faults};
use kachi_domain::event::EventKind;
use kachi_domain::ids::Imei;
use kachi_domain::{AccountId, Iccid, Timestamp};
use kachi_edges::eiotclub::notice;
use kachi_engine::imei::{self, Joined};
use kachi_engine::sims;
use kachi_store::imei::ImeiGroup;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, FOREIGN, NOBODY, NORTH, OPERATOR, OTHER, READY, START, Trade, secret};
use serde_json::{Value, json};

const UNLOCK: &str = "card/imeiUnlock";
const ADD: &str = "card/plockAddImei";
const BIND: &str = "card/bindDevice";
const UNBIND: &str = "card/unbindDevice";

/// In the group.
const OWN: &str = "867530912345678";
/// Not in it.
const STRANGE: &str = "355000000000017";

fn group(trade: &Trade, id: i64, account: AccountId) -> ImeiGroup {
    let group = ImeiGroup { id, account, code: format!("g{id}"), unlocks_per_month: 3, bound_sim: None };
    let made = group.clone();
    trade
        .engine
        .write(move |tx, _, how| {
            tx.add_imei_group(&made, how.now)?;
            tx.add_imei(&made, &Imei::parse(OWN).expect("an IMEI"))?;
            Ok(())
        })
        .expect("a group");
    group
}

fn join(trade: &Trade, iccid: &str, group: &ImeiGroup, until: Option<Timestamp>) {
    let (actor, iccid, group) = (trade.actor(OPERATOR), Iccid::parse(iccid).expect("an ICCID"), group.clone());
    let joined = trade.engine.write(move |tx, catalogue, how| imei::join(tx, catalogue, how, &actor, (&iccid, &group), until));
    assert_eq!(joined.expect("it joins"), Joined::Joined);
}

/// The card is seen in a device, now.
fn see(trade: &Trade, iccid: &str, imei: &str) {
    trade.pass(10);
    trade.traffic_in(iccid, trade.now(), 1, imei);
}

/// The notices of the card's events of these kinds, oldest first, each signed and as the contract declares it.
fn notices(trade: &Trade, iccid: &str) -> Vec<Value> {
    let ours = [
        EventKind::SimLocked,
        EventKind::SimUnlocked,
        EventKind::ImeiGroupJoined,
        EventKind::ImeiGroupLeft,
        EventKind::ProductSwitched,
    ];
    let sim = trade.sim(iccid);
    let mut events = trade.engine.read(|tx, _| Ok(tx.events_newest(&[NORTH, ACME, OTHER], 1_000)?)).expect("events");
    events.reverse();
    let mut found = Vec::new();
    for (_, _, of, kind, _, body) in events {
        let known = EventKind::parse(&kind).expect("a kind");
        if of != Some(sim.0) || !ours.contains(&known) {
            continue;
        }
        assert!(known.is_notice());
        let text = notice(&kind, &body, "CNTUlkm0pzRujPBr2tN8NNa7", trade.now().0, 40_974, &secret("acme")).expect(&body);
        let mut value: Value = serde_json::from_str(&text).expect("JSON");
        if let Some(data) = value.get("data") {
            value["data"] = serde_json::from_str(data.as_str().expect("data is JSON text")).expect("JSON");
        }
        let event = value["event"].as_str().expect("an event").to_owned();
        let wrong = object_faults(&value, &contract::notice(&event), &event);
        assert!(wrong.is_empty(), "{wrong:#?}");
        for own in ["id", "timestamp", "nonce", "sign"] {
            value.as_object_mut().expect("an object").remove(own);
        }
        found.push(value);
    }
    found
}

#[test]
fn a_card_seen_outside_its_group_is_locked_and_unlocked_within_limits() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let info = || good(&client, "card/getCardsInfo", json!({"iccid": CHINESE}));
        let pool = || {
            let card = info();
            ["isIMEIPool", "imeiPoolStatus", "imeiPoolUnlockCount"].map(|name| card[name].as_i64().unwrap())
        };
        let unlock = || client.ask(UNLOCK, json!({"iccid": CHINESE}));
        let order = json!({"iccid": CHINESE, "packageCode": "CN-100M-30D", "outTradeNo": "a"});
        assert_eq!(client.ask("package/orderPackage", order).code(), "200");
        assert_eq!(pool(), [0, 0, 0]);
        join(&trade, CHINESE, &group(&trade, 7, ACME), None);
        assert_eq!((pool(), unlock().code()), ([1, 0, 0], "45104"));

        see(&trade, CHINESE, OWN);
        assert_eq!((pool(), info()["cardStatus"].clone()), ([1, 0, 0], json!("ACTIVATED_NAME")));
        see(&trade, CHINESE, STRANGE);
        assert_eq!((pool(), info()["cardStatus"].clone()), ([1, 1, 0], json!("DEACTIVATED_NAME")));
        let list =
            good(&client, "card/getAllCardInfo", json!({"pageNum": "1", "iccids": CHINESE, "cardStatus": "DEACTIVATED_NAME"}));
        let listed = &list["cardInfoList"][0];
        assert_eq!((&listed["imei"], &listed["imeiPoolStatus"]), (&json!(STRANGE), &json!(1)));

        assert_eq!(good(&client, UNLOCK, json!({"iccid": CHINESE})), json!({"imeiPoolUnlockCount": 1}));
        assert_eq!((pool(), info()["cardStatus"].clone()), ([1, 0, 1], json!("ACTIVATED_NAME")));
        assert_eq!(unlock().code(), "45104", "it is not locked");
        see(&trade, CHINESE, STRANGE);
        assert_eq!(unlock().code(), "45102", "ten seconds later");
        trade.pass(289);
        assert_eq!((unlock().code(), pool()), ("45102", [1, 1, 1]));
        trade.pass(1);
        assert_eq!(good(&client, UNLOCK, json!({"iccid": CHINESE})), json!({"imeiPoolUnlockCount": 2}));
        for (code, locked) in [("200", [1, 0, 3]), ("45103", [1, 1, 3])] {
            trade.pass(600);
            see(&trade, CHINESE, STRANGE);
            assert_eq!((unlock().code(), pool()), (code, locked));
        }
        trade.pass(31 * 86_400);
        assert_eq!(good(&client, UNLOCK, json!({"iccid": CHINESE})), json!({"imeiPoolUnlockCount": 1}), "another month");
        assert_eq!(pool(), [1, 0, 1]);
    });
}

#[test]
fn a_locked_card_that_is_to_be_activated_keeps_its_status_until_it_is() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let stands = || {
            let card = good(&client, "card/getCardsInfo", json!({"iccid": READY}));
            (card["cardStatus"].as_str().unwrap().to_owned(), card["imeiPoolStatus"].as_i64().unwrap())
        };
        join(&trade, READY, &group(&trade, 7, ACME), None);
        see(&trade, READY, STRANGE);
        assert_eq!(stands(), ("ACTIVATION_READY_NAME".to_owned(), 1));
        assert_eq!(client.order(READY, "GJ-100M-30D", "a").code(), "200");
        assert_eq!(stands(), ("DEACTIVATED_NAME".to_owned(), 1), "its package runs, and its lock holds");
        trade.pass(600);
        good(&client, UNLOCK, json!({"iccid": READY}));
        assert_eq!(stands(), ("ACTIVATED_NAME".to_owned(), 0));
    });
}

#[test]
fn one_unlock_is_one_however_often_it_is_asked_for() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        join(&trade, CHINESE, &group(&trade, 7, ACME), None);
        see(&trade, CHINESE, STRANGE);
        let body = client.sealed("acme", &json!({"iccid": CHINESE}));
        let first = client.post(UNLOCK, &body);
        assert_eq!((first.code(), client.post(UNLOCK, &body)), ("200", first.clone()), "the same request, the same answer");
        trade.pass(600);
        see(&trade, CHINESE, STRANGE);
        let bodies = (0..16).map(|_| client.sealed("acme", &json!({"iccid": CHINESE}))).collect();
        let answers = client.race(UNLOCK, bodies);
        let count = |code: &str| answers.iter().filter(|a| a.code() == code).count();
        assert_eq!((count("200"), count("45104")), (1, 15), "{answers:#?}");
    });
}

#[test]
fn a_device_is_added_to_a_group() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let g = group(&trade, 7, ACME);
        join(&trade, CHINESE, &g, None);
        let add = json!({"imei": STRANGE, "plockGroupId": 7});
        assert_eq!(good(&client, ADD, add.clone()), json!({}));
        assert_eq!(good(&client, ADD, add), json!({}), "it is in already");
        see(&trade, CHINESE, STRANGE);
        assert_eq!(client.ask(UNLOCK, json!({"iccid": CHINESE})).code(), "45104", "it belongs there");
        // The owner of a group above adds to it as well; a stranger, and the account below, see no such group.
        let above = group(&trade, 8, NORTH);
        let ask = |account: &str, group: i64| client.ask_as(account, ADD, json!({"imei": STRANGE, "plockGroupId": group}));
        assert_eq!(
            [("north", g.id), ("acme", above.id), ("other", g.id)].map(|(a, g)| ask(a, g).code().to_owned()),
            ["200", "42408", "42408"]
        );
        let held = |id: i64| trade.engine.read(move |tx, _| Ok(tx.imeis_of_group(id)?)).unwrap();
        assert_eq!((held(7), held(8)), (vec![STRANGE.to_owned(), OWN.into()], vec![OWN.to_owned()]));
    });
}

#[test]
fn a_card_is_bound_to_one_device_and_freed() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let bare = |path: &str, fields: Value| assert_eq!(good(&client, path, fields), Value::Null);
        let pool = |iccid: &str| good(&client, "card/getCardsInfo", json!({"iccid": iccid}))["isIMEIPool"].clone();
        let count = || {
            let card = good(&client, "card/getCardsInfo", json!({"iccid": CHINESE}));
            ["imeiPoolStatus", "imeiPoolUnlockCount"].map(|name| card[name].as_i64().unwrap())
        };
        bare(BIND, json!({"iccid": CHINESE, "imei": OWN}));
        bare(BIND, json!({"iccid": CHINESE, "imei": OWN}));
        assert_eq!((notices(&trade, CHINESE).len(), pool(CHINESE)), (1, json!(1)), "bound already");
        see(&trade, CHINESE, OWN);
        assert_eq!(client.ask(UNLOCK, json!({"iccid": CHINESE})).code(), "45104");
        see(&trade, CHINESE, STRANGE);
        // Bound to the other device, the lock has lost its reason: that is an unlock.
        bare(BIND, json!({"iccid": CHINESE, "imei": STRANGE}));
        assert_eq!(count(), [0, 1]);
        see(&trade, CHINESE, STRANGE);
        assert_eq!(client.ask(UNLOCK, json!({"iccid": CHINESE})).code(), "45104");
        let bound = notices(&trade, CHINESE);
        let group = bound.last().unwrap()["plockGroupId"].as_i64().unwrap();
        assert_ne!(bound[0]["plockGroupId"], group);
        let add = client.ask(ADD, json!({"imei": OWN, "plockGroupId": group}));
        assert_eq!(add.code(), "42408", "a binding is to one device");
        see(&trade, CHINESE, OWN);
        trade.pass(300);
        bare(UNBIND, json!({"iccid": CHINESE}));
        bare(UNBIND, json!({"iccid": CHINESE}));
        assert_eq!((pool(CHINESE), pool(READY)), (json!(0), json!(0)));
        see(&trade, CHINESE, STRANGE);
        let events: Vec<_> = notices(&trade, CHINESE).iter().map(|n| n["event"].as_str().unwrap().to_owned()).collect();
        assert_eq!(
            events,
            [
                "CardMovedInIMEIPool",
                "CardIMEILocked",
                "IMEIUnLock",
                "CardMovedOutIMEIPool",
                "CardMovedInIMEIPool",
                "CardIMEILocked",
                "IMEIUnLock",
                "CardMovedOutIMEIPool"
            ]
        );
        let report = kachi_engine::audit::audit(&trade.engine).unwrap();
        assert!(report.clean, "{report:?}");
    });
}

#[test]
fn binding_and_freeing_are_no_way_around_the_limits_of_unlocking() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let code = |path: &str, imei: &str| client.ask(path, json!({"iccid": CHINESE, "imei": imei})).code().to_owned();
        let count = || {
            let card = good(&client, "card/getCardsInfo", json!({"iccid": CHINESE}));
            ["isIMEIPool", "imeiPoolStatus", "imeiPoolUnlockCount"].map(|name| card[name].as_i64().unwrap())
        };
        assert_eq!((code(BIND, OWN), count()), ("200".into(), [1, 0, 0]));
        see(&trade, CHINESE, STRANGE);
        assert_eq!((code(UNLOCK, ""), count()), ("200".into(), [1, 0, 1]));
        // Free already, it goes and comes back: the pause and the count come back with it.
        assert_eq!((code(UNBIND, ""), code(BIND, OWN), count()), ("200".into(), "200".into(), [1, 0, 1]));
        see(&trade, CHINESE, STRANGE);
        for path in [UNLOCK, UNBIND, BIND] {
            assert_eq!((code(path, STRANGE), count()), ("45102".into(), [1, 1, 1]), "{path}");
        }
        assert_eq!(code(BIND, OWN), "200", "it is bound to that device already, and stays locked");
        for (path, imei, unlocks) in [(BIND, STRANGE, 2), (UNBIND, "", 0)] {
            trade.pass(300);
            see(&trade, CHINESE, if imei == STRANGE { STRANGE } else { OWN });
            assert_eq!(code(path, imei), "200", "{path}");
            assert_eq!(count(), [i64::from(unlocks > 0), 0, unlocks], "{path}");
        }
        trade.pass(300);
        assert_eq!((code(BIND, OWN), count()), ("200".into(), [1, 0, 3]), "freeing counted too");
        see(&trade, CHINESE, STRANGE);
        for path in [UNLOCK, UNBIND, BIND] {
            assert_eq!((code(path, STRANGE), count()), ("45103".into(), [1, 1, 3]), "{path}");
        }
        trade.pass(31 * 86_400);
        assert_eq!((code(UNBIND, ""), count()), ("200".into(), [0, 0, 0]), "in another month");
        trade.assert_sound();
    });
}

#[test]
fn what_is_refused_of_groups_and_bindings_changes_nothing() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        join(&trade, CHINESE, &group(&trade, 7, ACME), None);
        group(&trade, 8, OTHER);
        see(&trade, CHINESE, STRANGE);
        let before = (notices(&trade, CHINESE), client.ask("card/getCardsInfo", json!({"iccid": CHINESE})).text);
        let mut table = vec![
            (BIND, json!({"iccid": CHINESE, "imei": OWN}), "43332"), // it is in a group of several
            (UNBIND, json!({"iccid": CHINESE}), "43332"),
            (ADD, json!({"imei": OWN}), "43332"),
            (ADD, json!({"imei": OWN, "plockGroupId": "seven"}), "43332"),
            (ADD, json!({"imei": OWN, "plockGroupId": [7]}), "43332"),
            (ADD, json!({"imei": OWN, "plockGroupId": 6}), "42408"),
            (ADD, json!({"imei": OWN, "plockGroupId": 8}), "42408"), // a stranger's
        ];
        for imei in [json!(null), json!(""), json!("asdf"), json!("86753091234567"), json!("86753091234567890"), json!([OWN])] {
            table.push((BIND, json!({"iccid": READY, "imei": imei}), "41015"));
            table.push((ADD, json!({"imei": imei, "plockGroupId": 7}), "41015"));
        }
        for path in [UNLOCK, BIND, UNBIND] {
            for (iccid, code) in
                [(json!(null), "41003"), (json!("123"), "41003"), (json!(NOBODY), "42405"), (json!(FOREIGN), "42405")]
            {
                table.push((path, json!({"iccid": iccid, "imei": OWN}), code));
            }
        }
        for (path, fields, code) in table {
            let answer = client.ask(path, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{path} {fields}: {}", answer.text);
            assert!(answer.data().is_null() && !answer.json["message"].as_str().unwrap().is_empty());
        }
        assert_eq!((notices(&trade, CHINESE), client.ask("card/getCardsInfo", json!({"iccid": CHINESE})).text), before);
        assert!(notices(&trade, READY).is_empty() && notices(&trade, FOREIGN).is_empty());
    });
}

#[test]
fn each_act_of_a_group_is_told_as_published() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let g = group(&trade, 7, ACME);
        let until = START.plus(7200);
        for iccid in [CHINESE, CARD] {
            join(&trade, iccid, &g, Some(until));
            assert_eq!(good(&client, "card/getCardsInfo", json!({"iccid": iccid}))["isIMEIPool"], 2, "for a time");
            see(&trade, iccid, STRANGE);
            good(&client, UNLOCK, json!({"iccid": iccid}));
            let (actor, card) = (trade.actor(OPERATOR), Iccid::parse(iccid).unwrap());
            let other = if iccid == CHINESE { "1US-1" } else { "CN-1" };
            let switch =
                trade.engine.write(move |tx, catalogue, how| sims::switch_product(tx, catalogue, how, &actor, (&card, other)));
            switch.expect("another product");
        }
        trade.pass(7200);
        assert_eq!(good(&client, "card/getCardsInfo", json!({"iccid": CARD}))["isIMEIPool"], 0);
        assert_eq!((imei::end_due(&trade.engine).unwrap(), imei::end_due(&trade.engine).unwrap()), (2, 0));
        let moved = |event: &str, iccid: &str| json!({"event": event, "iccid": iccid, "plockGroupId": 7});
        assert_eq!(
            notices(&trade, CHINESE),
            [
                moved("CardMovedInIMEIPool", CHINESE),
                json!({"event": "CardIMEILocked", "iccid": CHINESE}),
                json!({"event": "IMEIUnLock", "iccid": CHINESE}),
                json!({"event": "SwitchProduct", "data": [{"iccid": CHINESE, "productCode": "1US-1"}]}),
                moved("CardMovedOutIMEIPool", CHINESE),
            ]
        );
        let eid = "89049032000000000000000000000001";
        assert_eq!(
            notices(&trade, CARD),
            [
                moved("CardMovedInIMEIPool", CARD),
                json!({"event": "CloudESimLocked", "eid": eid}),
                json!({"event": "CloudESimUnLock", "eid": eid}),
                json!({"event": "CloudESimSwitchProduct", "data": [{"eid": eid, "productCode": "CN-1"}]}),
                moved("CardMovedOutIMEIPool", CARD),
            ]
        );
    });
}
