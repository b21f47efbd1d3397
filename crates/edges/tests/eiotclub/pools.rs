//! Pools: each operation's good answer as the contract declares it, what is refused with which code, the same request
//! again, and the notice that a used up pool causes.

use crate::client::{Answer, Client};
use crate::contract::{self, faults, object_faults};
use kachi_edges::eiotclub::notice;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED, FOREIGN, NOBODY, NORTH, READY, START, Trade, secret};
use serde_json::{Value, json};

const TYPE: &str = "POOL-100M-7D";
const ONE: &str = "POOL-100M-7D-1";
const MB: i64 = 1 << 20;
const DAY: i64 = 86_400;

/// `data` of a success whose every field is as the contract declares it.
fn good(client: &Client<'_>, path: &str, fields: Value) -> Value {
    let answer = client.ask(path, fields);
    assert_eq!((answer.status, answer.code()), (200, "200"), "{path}: {}", answer.text);
    let wrong = faults(&answer.json, contract::answer(path), path);
    assert!(wrong.is_empty(), "{wrong:#?}");
    answer.data().clone()
}

fn list(client: &Client<'_>, path: &str, fields: Value) -> Vec<Value> {
    good(client, path, fields)["list"].as_array().expect("a list").clone()
}

fn create(client: &Client<'_>, type_code: &str, memo: &str) -> i64 {
    good(client, "pool/create", json!({"pool_type_code": type_code, "memo": memo}))["pool_object_id"].as_i64().unwrap()
}

fn sub(pool: i64, type_code: &str, out_trade_no: &str) -> Value {
    json!({"pool_object_id": pool, "pool_type_code": type_code, "out_trade_no": out_trade_no})
}

fn cards(pool: i64, iccids: &str) -> Value {
    json!({"pool_object_id": pool, "iccid_arr": iccids})
}

#[test]
fn a_pool_from_its_making_to_its_end() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let pool = create(&client, TYPE, "memo info");
        let now = trade.now().0;
        let empty = json!({"pool_object_id": pool, "pool_lines": 2, "used_pool_lines": 0, "total": 0, "remain": 0, "total_active": 0,
                           "available_days": 0, "expire_timestamp": 0, "status": 1, "create_at": now, "memo": "memo info"});
        assert_eq!(list(&client, "pool/list", json!({})), [empty], "waits for its first subscription");

        let order = good(&client, "pool/sub", sub(pool, TYPE, "out_trade_no_1"));
        assert_eq!(order["order_no"].as_str().unwrap().len(), 32);
        assert_eq!((trade.balance(ACME), trade.balance(NORTH)), (9_500, 10_100), "the reseller earned its share");
        let three = format!("{CARD},{READY},{CHINESE},{CLOSED},{FOREIGN},{NOBODY}");
        let addable = list(&client, "pool/card/can_add_list", cards(pool, &three));
        assert_eq!(addable, [json!({"iccid": CARD}), json!({"iccid": READY})]);
        assert_eq!(good(&client, "pool/card/add", cards(pool, &format!("{CARD},{READY}"))), json!({}));
        let members = list(&client, "pool/card/list", json!({"pool_object_id": pool}));
        assert_eq!(members, [json!({"iccid": CARD, "create_at": now}), json!({"iccid": READY, "create_at": now})]);
        assert_eq!(good(&client, "pool/by_iccid", json!({"iccid": READY})), json!({"pool_object_id": pool}));
        assert_eq!(good(&client, "pool/by_iccid", json!({"iccid": CHINESE})), json!({"pool_object_id": 0}));
        let ready = client.ask("card/getCardsInfo", json!({"iccid": READY}));
        assert_eq!(ready.data()["cardStatus"], "ACTIVATED_NAME", "a card lives of its pool");

        good(&client, "pool/sub", sub(pool, TYPE, "out_trade_no_2"));
        trade.pass(3600);
        trade.traffic(CARD, START.plus(1800), 30 * MB);
        let line = json!({"pool_object_id": pool, "pool_lines": 2, "used_pool_lines": 2, "total": 100 * MB, "remain": 70 * MB,
                          "total_active": 7, "available_days": 7, "expire_timestamp": now + 7 * DAY, "status": 2, "create_at": now,
                          "memo": "memo info"});
        let flow = |card: &Value| [&card["remainFlowType"], &card["dataFlow"], &card["remainFlow"]].map(Clone::clone);
        assert_eq!(flow(&good(&client, "card/getCardsInfo", json!({"iccid": READY}))), [json!(1), json!(100), json!(70)]);
        let all = good(&client, "card/getAllCardInfo", json!({"pageNum": "1", "iccids": format!("{READY},{CHINESE}")}));
        assert_eq!(flow(&all["cardInfoList"][0]), [json!(1), json!(100), json!(70)]);
        assert_eq!(flow(&all["cardInfoList"][1]), [json!(0), json!(0), json!(0)]);
        let found = |fields: Value| list(&client, "pool/list", fields);
        assert_eq!(found(json!({"pool_object_id_arr": format!("{pool},999")})), vec![line.clone()]);
        assert_eq!((found(json!({"memo": "info"})), found(json!({"memo": "other"}))), (vec![line], vec![]));
        let records = list(&client, "pool/record/list", json!({"pool_object_id": pool, "page": 1, "page_size": 10}));
        assert_eq!(
            records[0],
            json!({"pool_record_id": records[0]["pool_record_id"], "order_no": order["order_no"], "out_trade_no": "out_trade_no_1",
                   "pool_type_code": TYPE, "status_code": 3, "expire_timestamp": now + 7 * DAY, "active_timestamp": now,
                   "total": 100 * MB, "used": 30 * MB, "create_at": now})
        );
        assert_eq!((&records[1]["status_code"], &records[1]["active_timestamp"]), (&json!(2), &json!(0)));

        assert_eq!(
            client.ask("pool/unsub", json!({"pool_object_id": pool, "order_no": order["order_no"]})).code(),
            "42008",
            "used"
        );
        let back = json!({"pool_object_id": pool.to_string(), "out_trade_no": "out_trade_no_2"});
        assert_eq!(good(&client, "pool/unsub", back), json!({}));
        assert_eq!((trade.balance(ACME), trade.balance(NORTH)), (9_500, 10_100), "whole, and the share with it");
        trade.pass(7 * DAY);
        let over = &found(json!({}))[0];
        assert_eq!((&over["status"], &over["total"], &over["remain"]), (&json!(-1), &json!(0), &json!(0)));
        let states: Vec<Value> = list(&client, "pool/record/list", json!({"pool_object_id": pool, "page": 1, "page_size": 10}))
            .iter()
            .map(|r| r["status_code"].clone())
            .collect();
        assert_eq!(states, [-1, -2]);
        let stopped = good(&client, "card/getCardsInfo", json!({"iccid": READY}));
        assert_eq!((&stopped["cardStatus"], flow(&stopped)), (&json!("DEACTIVATED_NAME"), [json!(0), json!(0), json!(0)]));

        assert_eq!(good(&client, "pool/card/remove", cards(pool, &format!("{CARD},{READY}"))), json!({}));
        assert_eq!(good(&client, "pool/by_iccid", json!({"iccid": READY})), json!({"pool_object_id": 0}));
        assert_eq!(good(&client, "pool/delete", json!({"pool_object_id": pool})), json!({}));
        assert_eq!(found(json!({})), Vec::<Value>::new());
    });
}

#[test]
fn a_pool_with_money_in_it_is_not_deleted() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let pool = create(&client, TYPE, "");
        let delete = || client.ask("pool/delete", json!({"pool_object_id": pool})).code().to_owned();
        good(&client, "pool/sub", sub(pool, TYPE, "a"));
        good(&client, "pool/sub", sub(pool, TYPE, "b"));
        good(&client, "pool/card/add", cards(pool, READY));
        trade.pass(3600);
        trade.traffic(READY, trade.now().plus(-60), MB);
        good(&client, "pool/card/remove", cards(pool, READY));
        assert_eq!(delete(), "43332", "b is paid and unused");
        let records = json!({"pool_object_id": pool, "page": 1, "page_size": 10});
        assert_eq!(list(&client, "pool/record/list", records).len(), 2, "nothing is gone");
        good(&client, "pool/unsub", json!({"pool_object_id": pool, "out_trade_no": "b"}));
        assert_eq!((delete(), trade.balance(ACME)), ("200".into(), 9_500), "what is left of a has no price any more");
        trade.assert_sound();
    });
}

#[test]
fn what_types_there_are() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let codes = |fields: Value| -> Vec<String> {
            let lines = list(&client, "pool/pkg/list", fields);
            lines.iter().map(|l| l["pool_type_code"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(codes(json!({})), [TYPE, ONE, "POOL-DEAR", "POOL-CN"], "not in another currency");
        assert_eq!(codes(json!({"iccid": CHINESE})), ["POOL-CN"]);
        let pool = create(&client, ONE, "");
        assert_eq!(codes(json!({"pool_object_id": pool})), [ONE], "of as many slots");
        assert_eq!(codes(json!({"iccid": CHINESE, "pool_object_id": pool})), Vec::<String>::new());
        let line = &list(&client, "pool/pkg/list", json!({"iccid": CARD}))[0];
        assert_eq!(*line, json!({"pool_type_code": TYPE, "pool_lines": 2, "total_active": 7, "total_data": 100 * MB}));
        let offers = client.ask("package/listOrderPackageByIccid", json!({"iccid": CARD}));
        assert!(!offers.text.contains("POOL-"), "cards are not sold pools");
    });
}

#[test]
fn records_are_filtered_and_paged() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let pool = create(&client, ONE, "");
        let start = trade.now().0;
        let orders: Vec<String> = (0..5)
            .map(|i| {
                let order = good(&client, "pool/sub", sub(pool, ONE, &format!("n{i}")));
                trade.pass(60);
                order["order_no"].as_str().unwrap().to_owned()
            })
            .collect();
        let numbers = |fields: Value| -> Vec<String> {
            let mut all = json!({"pool_object_id": pool, "page": 1, "page_size": 1000});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let lines = list(&client, "pool/record/list", all);
            lines.iter().map(|l| l["out_trade_no"].as_str().unwrap().to_owned()).collect()
        };
        for (fields, wanted) in [
            (json!({}), vec!["n0", "n1", "n2", "n3", "n4"]),
            (json!({"page": 2, "page_size": 2}), vec!["n2", "n3"]),
            (json!({"page": "9"}), vec![]),
            (json!({"status_code_arr": "3"}), vec!["n0"]),
            (json!({"status_code_arr": "2,-1"}), vec!["n1", "n2", "n3", "n4"]),
            (json!({"order_no_arr": format!("{},{}", orders[3], orders[1])}), vec!["n1", "n3"]),
            (json!({"out_trade_no_arr": "n4, n0,zz"}), vec!["n0", "n4"]),
            (json!({"pool_type_code_arr": TYPE}), vec![]),
            (json!({"create_at_start": start + 60, "create_at_end": start + 120}), vec!["n1", "n2"]),
            (json!({"active_timestamp_start": 1}), vec!["n0"]),
            (json!({"active_timestamp_start": 0}), vec!["n0"]),
            (json!({"active_timestamp_end": i64::MAX}), vec!["n0"]),
            (json!({"expire_timestamp_end": i64::MAX}), vec!["n0"]),
            (json!({"expire_timestamp_end": 1}), vec![]),
            (json!({"expire_timestamp_start": start + 7 * DAY, "expire_timestamp_end": start + 7 * DAY}), vec!["n0"]),
        ] {
            assert_eq!(numbers(fields.clone()), wanted, "{fields}");
        }
    });
}

/// (operation, fields, code): `pool` is full of `READY`, `other` is empty, `theirs` is a stranger's.
fn table([pool, other, theirs]: [i64; 3]) -> Vec<(&'static str, Value, &'static str)> {
    let many = vec![CARD; 101].join(",");
    let name = |pool: Value| json!({"pool_object_id": pool});
    let records = |field: &str, value: Value| {
        let mut fields = json!({"pool_object_id": pool, "page": 1, "page_size": 10});
        fields[field] = value;
        fields
    };
    let mut table = vec![
        ("pool/pkg/list", json!({"iccid": "12"}), "41003"),
        ("pool/pkg/list", json!({"iccid": FOREIGN}), "42405"),
        ("pool/pkg/list", name(json!("x")), "42404"),
        ("pool/create", json!({}), "41018"),
        ("pool/create", json!({"pool_type_code": "no-such"}), "42007"),
        ("pool/create", json!({"pool_type_code": "GJ-100M-30D"}), "42007"),
        ("pool/create", json!({"pool_type_code": "POOL-YEN"}), "42007"),
        ("pool/create", json!({"pool_type_code": ONE, "memo": "m".repeat(201)}), "43332"),
        ("pool/create", json!({"pool_type_code": ONE, "memo": [1]}), "43332"),
        ("pool/list", json!({"pool_object_id_arr": "1,x"}), "42404"),
        ("pool/list", json!({"memo": {}}), "43332"),
        ("pool/delete", name(json!(pool)), "43332"),
        ("pool/sub", json!({"pool_object_id": pool, "out_trade_no": "n"}), "41018"),
        ("pool/sub", sub(pool, "no-such", "n"), "42007"),
        ("pool/sub", sub(pool, "GJ-100M-30D", "n"), "42007"),
        ("pool/sub", sub(pool, TYPE, "n"), "41050"),
        ("pool/sub", sub(pool, "POOL-CN", "n"), "41050"),
        ("pool/sub", sub(other, "POOL-DEAR", "n"), "45112"),
        ("pool/sub", sub(pool, ONE, ""), "42001"),
        ("pool/sub", sub(pool, ONE, &"x".repeat(33)), "42001"),
        ("pool/sub", sub(pool, ONE, "1,2"), "42001"),
        ("pool/sub", sub(pool, ONE, "taken"), "42002"),
        ("pool/sub", sub(pool, ONE, "a card's"), "42002"),
        ("pool/record/list", json!({"pool_object_id": pool, "page_size": 10}), "42403"),
        ("pool/record/list", json!({"pool_object_id": pool, "page": 1}), "42407"),
        ("pool/record/list", records("page", json!(0)), "42403"),
        ("pool/record/list", records("page_size", json!(1001)), "42407"),
        ("pool/record/list", records("status_code_arr", json!("2,x")), "43332"),
        ("pool/record/list", records("create_at_start", json!("yesterday")), "42409"),
        ("pool/unsub", name(json!(pool)), "42003"),
        ("pool/unsub", json!({"pool_object_id": pool, "order_no": "no-such"}), "42004"),
        ("pool/unsub", json!({"pool_object_id": other, "out_trade_no": "taken"}), "42004"),
        ("pool/unsub", json!({"pool_object_id": pool, "out_trade_no": "a card's"}), "42004"),
        ("pool/unsub", json!({"pool_object_id": pool, "order_no": "x", "out_trade_no": "taken"}), "42004"),
        ("pool/unsub", json!({"pool_object_id": pool, "out_trade_no": "taken"}), "42008"),
        ("pool/card/can_add_list", name(json!(pool)), "41001"),
        ("pool/card/add", cards(pool, CARD), "43332"),
        ("pool/card/add", cards(other, READY), "43332"),
        ("pool/card/add", cards(other, CHINESE), "41050"),
        ("pool/card/add", cards(other, CLOSED), "41036"),
        ("pool/card/add", cards(other, &format!("{CARD},{FOREIGN}")), "42405"),
        ("pool/card/add", cards(other, &format!("{CARD},{NOBODY}")), "42405"),
        ("pool/card/remove", cards(pool, &format!("{READY},{CARD}")), "43332"),
        ("pool/card/remove", cards(pool, FOREIGN), "42405"),
        ("pool/by_iccid", json!({}), "41003"),
        ("pool/by_iccid", json!({"iccid": FOREIGN}), "42405"),
    ];
    for path in ["pool/card/add", "pool/card/remove", "pool/card/can_add_list"] {
        table.push((path, cards(other, ""), "41001"));
        table.push((path, cards(other, "12"), "41002"));
        table.push((path, cards(other, &many), "41007"));
    }
    for wrong in [json!(null), json!("x"), json!(-1), json!(theirs), json!(999)] {
        table.push(("pool/delete", name(wrong.clone()), "42404"));
        table.push(("pool/sub", json!({"pool_object_id": wrong, "pool_type_code": ONE, "out_trade_no": "n"}), "42404"));
        table.push(("pool/record/list", records("pool_object_id", wrong.clone()), "42404"));
        table.push(("pool/unsub", json!({"pool_object_id": wrong, "out_trade_no": "taken"}), "42404"));
        table.push(("pool/card/can_add_list", json!({"pool_object_id": wrong, "iccid_arr": CARD}), "42404"));
        table.push(("pool/card/add", json!({"pool_object_id": wrong, "iccid_arr": CARD}), "42404"));
        table.push(("pool/card/list", name(wrong.clone()), "42404"));
        table.push(("pool/card/remove", json!({"pool_object_id": wrong, "iccid_arr": CARD}), "42404"));
    }
    table.push(("pool/pkg/list", name(json!(theirs)), "42404"));
    table
}

#[test]
fn a_refused_pool_request_has_its_code_and_changes_nothing() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let (pool, other) = (create(&client, ONE, "full"), create(&client, TYPE, "other"));
        let theirs =
            client.ask_as("other", "pool/create", json!({"pool_type_code": ONE})).data()["pool_object_id"].as_i64().unwrap();
        let first = good(&client, "pool/sub", sub(pool, ONE, "taken"));
        good(&client, "pool/card/add", cards(pool, READY));
        let card_order = client.order(CARD, "GJ-100M-30D", "a card's");
        trade.pass(600);
        trade.traffic(READY, trade.now().plus(-60), MB);
        let everything = || {
            let records = |id: i64| client.ask("pool/record/list", json!({"pool_object_id": id, "page": 1, "page_size": 9})).text;
            let members = |id: i64| client.ask("pool/card/list", json!({"pool_object_id": id})).text;
            let pools = client.ask("pool/list", json!({})).text;
            (trade.balance(ACME), pools, records(pool), records(other), members(pool), members(other))
        };
        let before = everything();
        for (path, fields, code) in table([pool, other, theirs]) {
            let answer = client.ask(path, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{path} {fields}: {}", answer.text);
            let named = match (code, fields["out_trade_no"].as_str()) {
                ("42002", Some("taken")) => first.clone(),
                ("42002", _) => json!({"order_no": card_order.data()["orderNumber"]}),
                _ => Value::Null,
            };
            assert_eq!(*answer.data(), named, "{path} {fields}");
            assert!(!answer.json["message"].as_str().unwrap().is_empty());
        }
        assert_eq!(everything(), before, "nothing changed");
        let foreign = |id: i64| client.ask("pool/card/list", json!({"pool_object_id": id})).text;
        assert_eq!(foreign(theirs), foreign(999), "a stranger's pool is not there");
        assert_eq!(list(&client, "pool/card/can_add_list", cards(pool, CARD)), Vec::<Value>::new(), "every slot is taken");
        assert_eq!(client.order(CARD, "GJ-100M-30D", "taken").code(), "42002", "a number buys once, whatever it bought");
    });
}

#[test]
fn a_pool_is_bought_for_once() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let pool = create(&client, ONE, "");
        let body = client.sealed("acme", &sub(pool, ONE, "a"));
        let first = client.post("pool/sub", &body);
        assert_eq!(first.code(), "200", "{}", first.text);
        assert_eq!(client.post("pool/sub", &body), first, "the identical request gets the first answer to the letter");
        let again = client.ask("pool/sub", sub(pool, ONE, "a"));
        assert_eq!((again.code(), again.data()), ("42002", first.data()));
        let back = client.sealed("acme", &json!({"pool_object_id": pool, "out_trade_no": "a"}));
        let given: Answer = client.post("pool/unsub", &back);
        assert_eq!((given.code(), client.post("pool/unsub", &back)), ("200", given.clone()));
        assert_eq!(trade.balance(ACME), 10_000);

        let answers = client.race("pool/sub", (0..32).map(|_| client.sealed("acme", &sub(pool, ONE, "b"))).collect());
        assert_eq!(answers.iter().filter(|a| a.code() == "200").count(), 1);
        assert!(answers.iter().all(|a| matches!(a.code(), "200" | "42002")));
        assert_eq!(trade.balance(ACME), 10_000 - 300, "charged once");
        // Many at once for the one slot: one gets it.
        let bodies = (0..16).map(|i| client.sealed("acme", &cards(pool, if i % 2 == 0 { CARD } else { READY }))).collect();
        let answers = client.race("pool/card/add", bodies);
        assert!(answers.iter().all(|a| matches!(a.code(), "200" | "43332")), "{answers:#?}");
        assert_eq!(list(&client, "pool/card/list", json!({"pool_object_id": pool})).len(), 1);
    });
}

/// The notice that an event of the card becomes, with the name it has.
fn notices(trade: &Trade, iccid: &str, event: &str) -> Vec<Value> {
    let id = trade.sim(iccid).0;
    let events = trade.engine.store().read(|tx| tx.events_newest(&[ACME], 1_000)).expect("events");
    let of_card = events.iter().rev().filter(|e| e.2 == Some(id));
    let rendered = of_card.filter_map(|e| notice(&e.3, &e.5, "CNTUlkm0pzRujPBr2tN8NNa7", START.0, 40_974, &secret("acme")));
    rendered.map(|text| serde_json::from_str::<Value>(&text).expect("JSON")).filter(|v| v["event"] == event).collect()
}

#[test]
fn a_used_up_pool_stops_its_cards_and_they_are_told() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let pool = create(&client, TYPE, "");
        good(&client, "pool/sub", sub(pool, TYPE, "a"));
        good(&client, "pool/card/add", cards(pool, &format!("{CARD},{READY}")));
        assert_eq!(client.order(CARD, "GJ-100M-30D", "own").code(), "200");
        trade.pass(3600);
        trade.traffic(CARD, trade.now().plus(-60), 100 * MB);
        let told = notices(&trade, READY, "CardStopped");
        assert_eq!(told.len(), 1, "the card without a package of its own");
        let wrong = object_faults(&told[0], &contract::notice("CardStopped"), "CardStopped");
        assert!(wrong.is_empty() && told[0]["iccid"] == READY, "{wrong:#?}");
        // Known by EID, the other has the twin of that notice.
        assert!(notices(&trade, CARD, "CloudESimCardStopped").is_empty(), "the other goes on with its own");
        trade.traffic(CARD, trade.now().plus(-30), 100 * MB);
        assert_eq!(notices(&trade, CARD, "CloudESimCardStopped").len(), 1, "until that is used up");
    });
}
