//! Lists of cards and their numbers: each answer held against the contract, each refusal with its code.

use crate::client::{Answer, Client};
use crate::cloudesim::told;
use crate::contract::{self, faults};
use kachi_domain::package::{Kind, Resource};
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Iccid, Span};
use kachi_engine::{lists, sims};
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED, FOREIGN, NOBODY, OTHER, READY, START, Trade, package};
use serde_json::{Value, json};

const LIST: &str = "card/getAllCardInfo";
const NUMBERS: &str = "outputApi/queryCardNumber";
const WARNINGS: &str = "outputApi/queryAccountWarningCard";
const MB: i64 = 1 << 20;

/// A success whose every field is as the contract declares it.
fn good(client: &Client<'_>, account: &str, path: &str, fields: Value) -> Value {
    let answer = client.ask_as(account, path, fields);
    assert_eq!((answer.status, answer.code()), (200, "200"), "{path}: {}", answer.text);
    let wrong = faults(&answer.json, contract::answer(path), path);
    assert!(wrong.is_empty(), "{wrong:#?}");
    answer.data().clone()
}

fn order(client: &Client<'_>, iccid: &str, package: &str, out_trade_no: &str) -> Answer {
    let answer = client.order(iccid, package, out_trade_no);
    assert_eq!(answer.code(), "200", "{}", answer.text);
    answer
}

pub fn give(trade: &Trade, iccid: &str, to: AccountId) {
    let (actor, iccid) = (trade.actor(AccountId(1)), Iccid::parse(iccid).unwrap());
    trade.engine.write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &actor, &iccid, to)).unwrap();
}

#[test]
fn a_number_in_small_letters_is_answered_in_capitals() {
    db::each(|store| {
        let trade = Trade::build(store);
        let made = trade.engine.write(|tx, catalogue, how| {
            let product = catalogue.product_by_code("1US-1").expect("a product").id;
            let iccid = Iccid::parse("8986001234567890abcd").expect("an ICCID");
            sims::put(tx, catalogue, how, &sims::blank(&iccid, ACME, product))
        });
        made.expect("a card");
        let client = Client::new(&trade);
        for iccid in ["8986001234567890abcd", "8986001234567890ABCD"] {
            let card = good(&client, "acme", "card/getCardsInfo", json!({"iccid": iccid}));
            assert_eq!(card["iccid"], "8986001234567890ABCD");
        }
    });
}

fn numbers(of: [i64; 5]) -> Value {
    let [total, activated, using, ordered, deactivated] = of;
    json!({"totalCard": total, "activatedCard": activated, "usingCard": using, "orderedCard": ordered, "deactivatedCard": deactivated})
}

#[test]
fn card_numbers_follow_the_cards() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let counted = |account: &str| good(&client, account, NUMBERS, json!({}));
        assert_eq!(counted("acme"), numbers([4, 2, 0, 0, 2]), "two active cards without a package, one ready, one closed");
        assert_eq!(counted("other"), numbers([1, 1, 0, 0, 1]));
        let first = order(&client, CARD, "GJ-100M-30D", "n-1");
        order(&client, READY, "GJ-100M-30D", "n-2");
        assert_eq!(counted("acme"), numbers([4, 3, 2, 2, 1]), "a card that is used is activated");
        let carried = order(&client, CARD, "GJ-CARRIER", "n-3").data()["orderId"].as_i64().unwrap();
        assert_eq!(counted("north"), numbers([4, 3, 2, 2, 1]), "the reseller sees its customer's");
        let id = first.data()["orderId"].to_string();
        let refund = client.ask("package/refundPackage", json!({"iccid": CARD, "orderId": id, "remark": "r"}));
        assert_eq!(refund.code(), "200", "{}", refund.text);
        assert_eq!(counted("acme"), numbers([4, 3, 1, 2, 2]), "given back is ordered all the same");
        give(&trade, READY, OTHER);
        assert_eq!((counted("acme"), counted("other")), (numbers([3, 2, 0, 1, 2]), numbers([2, 2, 1, 1, 1])));
        let failed =
            move |tx: &mut kachi_store::Tx<'_>, catalogue: &kachi_engine::Catalogue, how: &kachi_engine::cards::Settling| {
                kachi_engine::orders::failed(tx, catalogue, how, kachi_domain::OrderId(carried), "no")
            };
        trade.engine.write(failed).unwrap();
        while lists::tidy(&trade.engine).unwrap() > 0 {}
        assert_eq!((counted("acme"), counted("other")), (numbers([3, 2, 0, 1, 2]), numbers([2, 2, 1, 1, 1])), "summed up");
        assert_eq!(counted("operator")["totalCard"], 6);
    });
}

#[test]
fn a_package_that_the_carrier_never_confirmed_was_not_ordered() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let ordered = || good(&client, "acme", NUMBERS, json!({}))["orderedCard"].clone();
        let id = order(&client, CARD, "GJ-CARRIER", "c-1").data()["orderId"].as_i64().unwrap();
        assert_eq!(ordered(), 0);
        trade.engine.write(move |tx, c, how| kachi_engine::orders::fulfilled(tx, c, how, kachi_domain::OrderId(id))).unwrap();
        assert_eq!(ordered(), 1);
    });
}

#[test]
fn warnings_are_what_the_cards_are_now() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let asked = |fields: Value| {
            let data = good(&client, "acme", WARNINGS, fields);
            (data["cardInfoList"].clone(), data["totalPage"].as_i64().unwrap())
        };
        let line = |iccid: &str, kind: &str, value: i64| json!({"iccid": iccid, "type": kind, "earlyWarningValue": value});
        assert_eq!(asked(json!({"pageNum": 1})), (json!([]), 0));
        order(&client, CARD, "GJ-100M-30D", "w-1");
        order(&client, READY, "GJ-TIME-1MO", "w-2");
        assert_eq!(asked(json!({"pageNum": "1"})), (json!([]), 0), "100 MB are not below 100 MB");
        trade.pass(3600);
        trade.traffic(CARD, START.plus(1800), 5 * MB);
        assert_eq!(asked(json!({"pageNum": 1})), (json!([line(CARD, "1", 100)]), 1));
        trade.traffic(CARD, START.plus(2000), 86 * MB);
        let both = json!([line(CARD, "1", 100), line(CARD, "2", 10)]);
        assert_eq!(asked(json!({"pageNum": 1})), (both.clone(), 1));
        trade.pass(24 * 86_400);
        while kachi_engine::cards::settle_due(&trade.engine).unwrap() > 0 {}
        let all = json!([line(CARD, "1", 100), line(CARD, "2", 10), line(CARD, "3", 7), line(READY, "3", 7)]);
        assert_eq!(asked(json!({"pageNum": 1})), (all.clone(), 1));
        assert_eq!(asked(json!({"pageNum": 2})), (json!([]), 1));
        assert_eq!(asked(json!({"pageNum": 100, "type": 1})), (json!([]), 1), "the published example");
        assert_eq!(asked(json!({"pageNum": 1, "type": "3"})), (json!([all[2], all[3]]), 1));
        assert_eq!(asked(json!({"pageNum": 1, "iccid": CARD})), (json!([all[0], all[1], all[2]]), 1));
        assert_eq!(asked(json!({"pageNum": 1, "iccid": CARD, "type": 2})), (json!([all[1]]), 1));
        assert_eq!(asked(json!({"pageNum": 2, "iccid": CARD})), (json!([]), 1));
        // A card of China's is told its FlowAlert, and is not listed: the list is of international cards.
        order(&client, CHINESE, "CN-100M-30D", "w-cn");
        trade.traffic(CHINESE, trade.now().plus(-60), 99 * MB);
        assert_eq!(asked(json!({"pageNum": 1})), (all.clone(), 1));
        assert_eq!(asked(json!({"pageNum": 1, "iccid": CHINESE, "type": ""})), (json!([]), 0));
        let others = good(&client, "other", WARNINGS, json!({"pageNum": 1}));
        assert_eq!(others, json!({"totalPage": 0, "cardInfoList": []}), "a stranger's warnings are not listed");
        order(&client, CARD, "GJ-100M-30D", "w-3");
        let more = asked(json!({"pageNum": 1}));
        assert_eq!(more, (json!([line(READY, "3", 7)]), 1), "with another package there is enough");
    });
}

#[test]
fn a_card_that_one_record_uses_up_is_listed_as_it_was_told() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let listed = |fields: Value| {
            let found = good(&client, "acme", WARNINGS, fields)["cardInfoList"].clone();
            found.as_array().unwrap().iter().map(|l| l["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let asked = || (listed(json!({"pageNum": 1})), listed(json!({"pageNum": 1, "iccid": READY})));
        let both = |types: &[&str]| {
            let types = types.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
            (types.clone(), types)
        };
        for number in ["first", "second"] {
            order(&client, READY, "GJ-100M-30D", number);
            assert_eq!(asked(), both(&[]), "there is enough");
            trade.pass(60);
            trade.traffic(READY, trade.now(), 100 * MB);
            trade.pass(60);
            assert_eq!(asked(), both(&["1", "2"]));
        }
        let alerts = told(&trade, READY).into_iter().filter(|(event, _)| event == "FlowAlert");
        let types: Vec<Value> = alerts.map(|(_, body)| body["alert_type"].clone()).collect();
        assert_eq!(types, [1, 2, 1, 2]);
        let id = trade.sim(READY);
        let closed = trade.engine.write(move |tx, _, _| {
            let sim = tx.sims_by_id(&[id.0])?.remove(0);
            Ok(tx.set_sim_state(id, BaseState::Closed.word(), sim.blocks, sim.activated_at)?)
        });
        closed.unwrap();
        assert_eq!(asked(), both(&[]), "closed, it wants nothing any more");
        trade.assert_sound();
    });
}

#[test]
fn a_throttled_card_is_warned_and_one_with_voice_is_not() {
    db::each(|store| {
        let trade = Trade::build(store);
        let made = trade.engine.write(|tx, catalogue, _| {
            let us = catalogue.product_by_code("1US-1").expect("a product").id;
            let mut voice = package("GJ-VOICE", us, Kind::Quota, Span::Days(30), 100);
            (voice.terms.resource, voice.terms.allowance) = (Resource::Voice, 600);
            tx.put_package(&voice)?;
            Ok(tx.touch_catalogue()?)
        });
        made.unwrap();
        let client = Client::new(&trade);
        order(&client, READY, "GJ-VOICE", "v");
        order(&client, CARD, "GJ-SLOW-30D", "s");
        trade.pass(3600);
        trade.traffic(CARD, trade.now().plus(-60), 99 * MB);
        let listed = good(&client, "acme", WARNINGS, json!({"pageNum": 1}))["cardInfoList"].clone();
        let types: Vec<(&Value, &Value)> = listed.as_array().unwrap().iter().map(|l| (&l["iccid"], &l["type"])).collect();
        assert_eq!(types, [(&json!(CARD), &json!("1")), (&json!(CARD), &json!("2"))]);
        let alerts = |iccid: &str| told(&trade, iccid).iter().filter(|(event, _)| event.ends_with("FlowAlert")).count();
        assert_eq!((alerts(CARD), alerts(READY)), (2, 0));
        trade.assert_sound();
    });
}

#[test]
fn lists_are_refused_with_their_codes() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        for (fields, code) in [
            (json!({}), "42403"),
            (json!({"pageNum": 0}), "42403"),
            (json!({"pageNum": ""}), "42403"),
            (json!({"pageNum": -1}), "42403"),
            (json!({"pageNum": "one"}), "42403"),
            (json!({"pageNum": 1, "type": 0}), "43332"),
            (json!({"pageNum": 1, "type": 4}), "43332"),
            (json!({"pageNum": 1, "type": "low"}), "43332"),
            (json!({"pageNum": 1, "type": [1]}), "43332"),
            (json!({"pageNum": 1, "iccid": "123"}), "41003"),
            (json!({"pageNum": 1, "iccid": {}}), "41003"),
            (json!({"pageNum": 1, "iccid": NOBODY}), "42405"),
            (json!({"pageNum": 1, "iccid": FOREIGN}), "42405"),
            (json!({"pageNum": 1, "nonce": null}), "42301"),
        ] {
            let answer = client.ask(WARNINGS, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{fields}: {}", answer.text);
            assert_eq!(answer.data(), &Value::Null);
        }
        for (fields, code) in [(json!({"sign": "00"}), "42402"), (json!({"appkey": "nobody"}), "42102")] {
            assert_eq!(client.ask(NUMBERS, fields).code(), code);
        }
    });
}

#[test]
fn a_card_that_changes_its_status_moves_no_other_while_pages_are_read() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let page = |status: &str, number: i64| {
            let data = good(&client, "acme", LIST, json!({"pageNum": number, "pageSize": 1, "cardStatus": status}));
            let cards: Vec<Value> = data["cardInfoList"].as_array().unwrap().iter().map(|c| c["iccid"].clone()).collect();
            (cards, data["totalPage"].as_i64().unwrap())
        };
        assert_eq!(page("DEACTIVATED_NAME", 1), (vec![json!(CARD)], 2));
        order(&client, CARD, "GJ-100M-30D", "s-1");
        assert_eq!(page("DEACTIVATED_NAME", 2), (vec![json!(CHINESE)], 2), "none is passed over");
        assert_eq!(page("DEACTIVATED_NAME", 1), (vec![], 2), "the card that has a package now is not shown as one without");
        assert_eq!(page("ACTIVATED_NAME", 1), (vec![json!(CARD)], 1));
        trade.pass(lists::QUIET_SECONDS + 1);
        while lists::tidy(&trade.engine).unwrap() > 0 {}
        assert_eq!(page("DEACTIVATED_NAME", 1), (vec![json!(CHINESE)], 1), "at rest every page is full");
        trade.assert_sound();
    });
}

#[test]
fn an_order_placed_meanwhile_moves_no_page_of_the_record() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let ids: Vec<i64> =
            (0..5).map(|n| order(&client, CARD, "GJ-100M-30D", &format!("r-{n}")).data()["orderId"].as_i64().unwrap()).collect();
        let page = |number: i64, order_by: &str| {
            let fields = json!({"iccid": CARD, "page": number, "pageSize": 2, "orderBy": order_by});
            let answer = client.ask("package/packageOrderRecord", fields);
            assert_eq!(answer.code(), "200", "{}", answer.text);
            let lines: Vec<i64> = answer.data().as_array().unwrap().iter().map(|l| l["orderId"].as_i64().unwrap()).collect();
            (lines, answer.json["total"].as_i64().unwrap())
        };
        const NEWEST: &str = "createDateDesc";
        assert_eq!((page(1, ""), page(1, NEWEST)), ((ids[..2].to_vec(), 5), (vec![ids[4], ids[3]], 5)));
        let new = order(&client, CARD, "GJ-100M-30D", "r-new").data()["orderId"].as_i64().unwrap();
        assert_eq!(page(2, ""), (ids[2..4].to_vec(), 6), "oldest first, a new one stands last");
        assert_eq!(page(2, NEWEST), (vec![ids[2], ids[1]], 5), "newest first, later pages begin where the first did");
        trade.pass(lists::QUIET_SECONDS - 1);
        assert_eq!(page(3, NEWEST), (vec![ids[0]], 5));
        assert_eq!(page(1, NEWEST), (vec![new, ids[4]], 6), "the first page is always the newest");
        assert_eq!(page(2, NEWEST), (vec![ids[3], ids[2]], 6));
        order(&client, CARD, "GJ-100M-30D", "r-newer");
        trade.pass(lists::QUIET_SECONDS);
        assert_eq!(page(2, NEWEST), (vec![ids[4], ids[3]], 7), "who comes back later begins anew");
    });
}

#[test]
fn a_moved_card_moves_no_other_while_pages_are_read() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let page = |number: i64| {
            let data = good(&client, "acme", LIST, json!({"pageNum": number.to_string(), "pageSize": 2}));
            let cards: Vec<Value> = data["cardInfoList"].as_array().unwrap().iter().map(|c| c["iccid"].clone()).collect();
            (cards, data["totalPage"].as_i64().unwrap())
        };
        assert_eq!(page(1), (vec![json!(CARD), json!(READY)], 2));
        give(&trade, CARD, OTHER);
        assert_eq!(page(2), (vec![json!(CHINESE), json!(CLOSED)], 2), "none is passed over");
        assert_eq!(page(1), (vec![json!(READY)], 2));
        give(&trade, CARD, ACME);
        assert_eq!(page(3), (vec![json!(CARD)], 3), "a card that comes stands last");
        trade.pass(lists::QUIET_SECONDS + 1);
        while lists::tidy(&trade.engine).unwrap() > 0 {}
        assert_eq!(page(1), (vec![json!(READY), json!(CHINESE)], 2), "at rest every page is full");
        assert_eq!(page(2), (vec![json!(CLOSED), json!(CARD)], 2));
    });
}

#[test]
fn a_part_is_whole_however_much_has_changed_before_it_is_read() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        order(&client, CARD, "GJ-100M-30D", "a");
        let used = || {
            let list = good(&client, "acme", LIST, json!({"pageNum": 1, "cardStatus": "ACTIVATED_NAME"}));
            let cards = list["cardInfoList"].as_array().expect("a list").iter();
            cards.map(|c| c["iccid"].as_str().expect("an ICCID").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(used(), [CARD]);
        let card = trade.sim(CARD);
        // As if it had changed more often than one step takes in; then another comes to the part.
        let noted = trade.engine.write(move |tx, _, _| Ok((0..5_001).try_for_each(|_| tx.relist(&[card]))?));
        noted.expect("noted");
        order(&client, READY, "GJ-100M-30D", "b");
        assert_eq!(used(), [CARD, READY]);
    });
}
