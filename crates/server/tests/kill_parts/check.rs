//! What must add up when nobody kills any more.

use super::driver::{Driver, KEY, Known, LOCAL};
use super::files::{Files, Oracle};
use super::{ACME, CARDS, CARRIER_CARDS, OPENING};
use crate::common::partner::order;
use crate::common::receiver::{Arrived, Receiver};
use crate::common::{House, iccid, until};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Every file is taken in to its end; again, nothing new is in any of them.
pub fn imports(house: &House, files: &Files, oracle: &Oracle) {
    let mut words = vec!["import", "cdr", "--platform", "hand", "--json"];
    words.extend(files.names.iter().map(String::as_str));
    let first = house.run(&words, &crate::ENVIRONMENT);
    assert_eq!(first.code, 1, "there are bad lines: {first:?}");
    let again = house.run(&words, &crate::ENVIRONMENT);
    for report in again.json().as_array().expect("a list") {
        assert!(report["known"] == true && report["loaded"] == 0, "{report}");
        assert_eq!(report["bad"], Files::bad_lines(), "{report}");
    }
    let orphans = house.done(&["admin", "orphan", "list", "--json"]).json();
    assert_eq!(orphans[0]["lines"], oracle.orphans(), "{orphans}");
}

/// Bytes of every card, as the partner is told.
pub fn usage(address: &str, oracle: &Oracle) {
    let day = |at: i64| kachi_domain::Zone::find("UTC").expect("a zone").text(kachi_domain::Timestamp(at))[..10].to_owned();
    let (first, last) = (day(crate::common::now() - 5 * 86_400), day(crate::common::now() + 86_400));
    let all: Vec<String> = (0..CARDS).map(iccid).collect();
    let fields = [("dateType", "daily"), ("startDate", &*first), ("endDate", &*last), ("iccids", &*all.join(","))];
    let answer = KEY.ask(address, "cdr/traffic/query", &fields);
    let told: BTreeMap<String, String> = answer["data"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .iter()
        .map(|row| (row["iccid"].as_str().unwrap_or_default().to_owned(), row["traffic"].as_str().unwrap_or_default().to_owned()))
        .collect();
    let known: BTreeMap<String, String> = oracle.bytes.iter().map(|(card, bytes)| (iccid(*card), bytes.to_string())).collect();
    assert_eq!(told, known);
}

/// Carriers' writes that are still open are confirmed by hand: the virtual carrier dies with its server and remembers
/// nothing, so asking it again takes ever longer.
pub fn carriers(house: &House) {
    until("no write is open", || {
        let open = house.done(&["admin", "intent", "list", "--json"]).json();
        for intent in open.as_array().expect("a list") {
            // 1: the worker was faster.
            let done = house.run(&["admin", "intent", "confirm", &intent["id"].to_string()], &[]);
            assert!([0, 1].contains(&done.code), "{done:?}");
        }
        (open == Value::Array(Vec::new())).then_some(())
    });
}

/// Every task comes to its end with a result for each card, and none of its cards was asked for twice.
pub fn tasks(house: &House, address: &str, driver: &Driver) {
    assert!(!driver.tasks.is_empty());
    for id in &driver.tasks {
        let task = until("the task ends", || {
            let answer = KEY.ask(address, "task/query", &[("ids", id)]);
            (answer["data"][0]["status"] == "2").then(|| answer["data"][0].clone())
        });
        let result: Value = serde_json::from_str(task["result"].as_str().expect("text")).expect("JSON");
        assert_eq!((&result["total"], &result["done"]), (&CARRIER_CARDS.into(), &CARRIER_CARDS.into()), "{task}");
    }
    let writes = house.done(&["admin", "intent", "list", "--all", "--limit", "100000", "--json"]).json();
    let names = writes.as_array().expect("a list").iter().filter_map(|w| w["request"]["reference"].as_str());
    let asked: Vec<&str> = names.filter(|name| name.starts_with("task-")).collect();
    let cards: HashSet<&&str> = asked.iter().collect();
    assert_eq!(asked.len(), cards.len(), "each card of each task once");
}

/// Every order is there exactly once, and its number buys nothing more.
pub fn orders(address: &str, driver: &Driver) {
    let mut there: HashMap<String, Vec<Value>> = HashMap::new();
    let cards: HashSet<u64> = driver.orders.iter().map(|o| o.card).collect();
    for card in cards {
        let card = iccid(card);
        let answer = KEY.ask(address, "package/packageOrderRecord", &[("iccid", &*card), ("page", "1"), ("pageSize", "500")]);
        for row in answer["data"].as_array().unwrap_or_else(|| panic!("{answer}")) {
            there.entry(row["outTradeNo"].as_str().expect("our number").to_owned()).or_default().push(row.clone());
        }
    }
    assert_eq!(there.len(), driver.orders.len(), "no order that is not ours, none missing");
    for ours in &driver.orders {
        let rows = &there[&ours.number];
        assert_eq!(rows.len(), 1, "{rows:?}");
        let refunded = i64::from(ours.known == Known::Refunded);
        assert_eq!((&rows[0]["orderId"], &rows[0]["isRefund"]), (&ours.id.into(), &refunded.into()), "{ours:?}");
        let state = if refunded == 1 { -1 } else { 1 };
        assert_eq!(KEY.order_state(address, ours.card, ours.id), state, "{ours:?}");
        let again = KEY.ask(address, "package/orderPackage", &order(&iccid(ours.card), ours.package, &ours.number));
        assert_eq!((&again["code"], &again["data"]["orderId"]), (&"42002".into(), &ours.id.into()), "{again}");
    }
}

/// What was paid is what was bought and not taken back.
pub fn money(house: &House, driver: &Driver) {
    let price = |package| if package == LOCAL { 130 } else { 300 };
    let paid: i64 = driver.orders.iter().filter(|o| o.known == Known::Bought).map(|o| price(o.package)).sum();
    assert_eq!(house.money(ACME), (OPENING - paid - driver.renewals.paid(house), 0));
}

/// Every notice arrived, genuine, acknowledged, and first attempts of a card in the order things happened.
pub fn notices(house: &House, receiver: &Receiver, driver: &Driver) {
    let open = ["admin", "delivery", "list", "--state", "waiting", "--json"];
    until("every notice is settled", || (house.done(&open).out.trim() == "[]").then_some(()));
    let deliveries = house.deliveries();
    receiver.look(|arrived| {
        assert_eq!(arrived.wrong, Vec::<String>::new());
        let mut cards: HashMap<u64, &str> = HashMap::new();
        for delivery in &deliveries {
            let id = delivery["id"].as_u64().expect("a number");
            assert!(delivery["state"] == "done" && arrived.acknowledged.contains(&id), "lost: {delivery}");
            cards.insert(id, delivery["iccid"].as_str().expect("an ICCID"));
        }
        assert_eq!(cards.len(), arrived.notices.len(), "nothing arrived that is not in the books");
        let mut last: HashMap<&str, u64> = HashMap::new();
        for id in &arrived.order {
            let before = last.insert(cards[id], *id).unwrap_or(0);
            assert!(before < *id, "card {}: {before} arrived before {id}", cards[id]);
        }
        told_once(arrived, driver);
    });
}

/// Each order was told once as bought, each refund once as given back; nothing of an order was told twice.
fn told_once(arrived: &Arrived, driver: &Driver) {
    let mut told: HashMap<(&str, i64), usize> = HashMap::new();
    for notice in arrived.notices.values() {
        let data: Value = notice["data"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).expect("JSON"));
        let order = [&notice["orderId"], &data["orderId"], &data[0]["orderId"]].into_iter().find_map(Value::as_i64);
        if let Some(order) = order {
            *told.entry((notice["event"].as_str().expect("an event"), order)).or_default() += 1;
        }
    }
    assert!(told.values().all(|n| *n == 1), "told twice: {:?}", told.iter().find(|(_, n)| **n > 1));
    for ours in &driver.orders {
        assert!(told.contains_key(&("SubPkgList", ours.id)), "{ours:?}");
        assert_eq!(told.contains_key(&("Refund", ours.id)), ours.known == Known::Refunded, "{ours:?}");
    }
}
