//! What is left of a subscription goes to another card, as a partner asks for it and is told of it.

use crate::answers::{good, same};
use crate::client::Client;
use crate::cloudesim::{EID, known_by, told};
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED, FOREIGN, NOBODY, READY, START, Trade};
use serde_json::{Value, json};

const MOVE: &str = "card/transferPkg";
const EID_MOVE: &str = "cloudesim/transferPkg";
/// Of [`READY`], once it is known by one.
const READY_EID: &str = "89049032000000000000000000000003";

#[test]
fn a_subscription_moves_and_both_cards_are_told() {
    db::each(|store| {
        let trade = Trade::build(store);
        known_by(&trade, CHINESE, "89049032000000000000000000000002");
        let client = Client::new(&trade);
        let order = client.order(READY, "GJ-100M-30D", "m-1").data().clone();
        trade.pass(3600);
        trade.traffic(READY, START.plus(1800), 26_214_400);
        let balance = trade.balance(ACME);
        let fields =
            json!({"oldIccid": READY, "newIccid": CARD, "orderId": order["orderId"], "orderNumber": "none", "memo": "换设备"});
        let moved = good(&client, MOVE, fields);
        assert_eq!(moved["newPkgCode"], "GJ-100M-30D");
        assert_eq!(trade.balance(ACME), balance, "no money moves");
        let card = good(&client, "card/getCardsInfo", json!({"iccid": CARD}));
        assert_eq!((&card["monthRemainFlow"], &card["packageEndDate"]), (&json!(75), &json!("2026-03-31 12:00:00")));
        assert_eq!((&card["monthUseFlow"], &card["totalUseFlow"]), (&json!(25), &json!(0)), "it used none of it itself");
        let was = good(&client, "card/getCardsInfo", json!({"iccid": READY}));
        assert_eq!(was["totalUseFlow"], 25, "each byte is one card's");
        let old = good(&client, "package/packageOrderRecord", json!({"iccid": READY}));
        assert_eq!((&old[0]["flowUsageBytes"], &old[0]["flowRemain"]), (&json!(26_214_400), &json!(0)), "what was left is gone");
        assert_eq!(
            (&old[0]["state"], &old[0]["isRefund"], &old[0]["endDate"]),
            (&json!(2), &json!(0), &json!("2026-03-01 13:00:00"))
        );
        let new = good(&client, "package/packageOrderRecord", json!({"iccid": CARD}));
        assert_eq!((&new[0]["orderId"], &new[0]["price"], &new[0]["totalActive"]), (&moved["newOrderId"], &json!(0), &json!(30)));
        assert_eq!((&new[0]["flowUsageBytes"], &new[0]["flowRemain"]), (&json!(0), &json!(75)));
        for (iccid, id) in [(READY, &order["orderId"]), (CARD, &moved["newOrderId"])] {
            let fields = json!({"iccid": iccid, "orderId": id.to_string(), "remark": "r"});
            assert_eq!(client.ask("package/refundPackage", fields).code(), "42008", "what has moved is not refunded");
        }

        let old = told(&trade, READY);
        let events = |told: &[(String, Value)]| told.iter().map(|(event, _)| event.clone()).collect::<Vec<_>>();
        assert_eq!(events(&old), ["SubPkgList", "PkgEffective", "FlowAlert", "PkgQuantityList", "CardStopped"]);
        same(&old[3].1["data"][0], &order, &["orderId"]);
        let new = told(&trade, CARD);
        assert_eq!(events(&new), ["CloudESimSubPkgList", "CloudESimPkgActivate"], "the new card is known by its EID");
        for data in [&new[0].1["data"][0], &new[1].1["data"]] {
            assert_eq!((&data["salesChannel"], &data["fromOrderId"]), (&json!("TRANSFER"), &order["orderId"]));
        }
        trade.assert_sound();
    });
}

#[test]
fn by_order_number_and_by_eid_alike() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let order = client.order(CARD, "GJ-TIME-1MO", "m-1").data().clone();
        let fields = json!({"oldIccid": CARD, "newIccid": READY, "orderNumber": order["orderNumber"]});
        let first = good(&client, MOVE, fields);
        let bought = &told(&trade, READY)[0];
        assert_eq!((bought.0.as_str(), &bought.1["data"][0]["fromIccid"]), ("SubPkgList", &json!(CARD)));
        known_by(&trade, READY, READY_EID);
        let fields = json!({"oldEid": READY_EID, "newEid": EID, "oldEshopOrderId": first["newOrderId"]});
        let back = good(&client, EID_MOVE, fields.clone());
        assert_eq!(back["newPkgCode"], "GJ-TIME-1MO");
        let record = good(&client, "cloudesim/pkg/record/list", json!({"eid": EID}));
        assert_eq!((&record["list"][1]["eshopOrderId"], &record["list"][1]["state"]), (&back["newEshopOrderId"], &json!(1)));
        let all = told(&trade, CARD);
        let bought = all.iter().rev().find(|(event, _)| event == "CloudESimSubPkgList").expect("told");
        assert_eq!(
            (&bought.1["data"][0]["fromEid"], &bought.1["data"][0]["fromOrderId"]),
            (&json!(READY_EID), &first["newOrderId"])
        );
        assert_eq!(client.ask(EID_MOVE, fields).code(), "42006", "it is gone");
        trade.assert_sound();
    });
}

#[test]
fn sixty_four_at_once_move_it_once() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let order = client.order(CARD, "GJ-100M-30D", "m-1").data()["orderId"].clone();
        let fields = json!({"oldIccid": CARD, "newIccid": READY, "orderId": order});
        let answers = client.race(MOVE, (0..64).map(|_| client.sealed("acme", &fields)).collect());
        let count = |code: &str| answers.iter().filter(|a| a.code() == code).count();
        assert_eq!((count("200"), count("42006")), (1, 63), "{answers:#?}");
        assert_eq!(client.ask("package/packageOrderRecord", json!({"iccid": READY})).json["total"], 1);
        trade.assert_sound();
    });
}

#[test]
fn what_is_refused() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let order = client.order(CARD, "GJ-100M-30D", "m-1").data()["orderId"].clone();
        let once = client.order(CARD, "GJ-ONCE", "m-2").data()["orderId"].clone();
        let carried = client.order(CARD, "GJ-CARRIER", "m-3").data()["orderId"].clone();
        assert_eq!(client.order(READY, "GJ-ONCE", "m-4").code(), "200");
        let theirs = client.ask_as(
            "other",
            "package/orderPackage",
            json!({"iccid": FOREIGN, "packageCode": "GJ-100M-30D", "outTradeNo": "o"}),
        );
        let theirs = theirs.data()["orderId"].clone();
        known_by(&trade, READY, READY_EID);
        let record = || client.ask("package/packageOrderRecord", json!({"iccid": CARD})).text;
        let before = (trade.balance(ACME), record());
        let ask = |from: Value, to: Value, order: Value| json!({"oldIccid": from, "newIccid": to, "orderId": order});
        let by_eid = |from: Value, to: Value, order: Value| json!({"oldEid": from, "newEid": to, "oldEshopOrderId": order});
        let mut long = ask(json!(CARD), json!(READY), order.clone());
        long["memo"] = "x".repeat(201).into();
        for (path, fields, code) in [
            (MOVE, ask(json!(null), json!(READY), order.clone()), "41003"),
            (MOVE, ask(json!(CARD), json!("12"), order.clone()), "41003"),
            (MOVE, ask(json!(CARD), json!(NOBODY), order.clone()), "42405"),
            (MOVE, ask(json!(CARD), json!(FOREIGN), order.clone()), "42405"),
            (MOVE, ask(json!(CARD), json!(CARD), order.clone()), "43332"),
            (MOVE, ask(json!(CARD), json!(CHINESE), order.clone()), "41050"),
            (MOVE, ask(json!(CARD), json!(CLOSED), order.clone()), "41036"),
            (MOVE, ask(json!(CARD), json!(READY), json!(null)), "42003"),
            (MOVE, ask(json!(CARD), json!(READY), json!("x")), "42003"),
            (MOVE, ask(json!(CARD), json!(READY), json!(99_999_999)), "42004"),
            (MOVE, ask(json!(CARD), json!(READY), theirs.clone()), "42004"),
            (MOVE, ask(json!(CARD), json!(READY), carried), "41032"),
            (MOVE, ask(json!(CARD), json!(READY), once), "41036"),
            (MOVE, long, "43332"),
            (EID_MOVE, by_eid(json!("12"), json!(READY_EID), order.clone()), "41003"),
            (EID_MOVE, by_eid(json!(EID), json!(null), order.clone()), "41003"),
            (EID_MOVE, by_eid(json!(EID), json!("89049032000000000000000000000009"), order.clone()), "42405"),
            (EID_MOVE, by_eid(json!(EID), json!(READY_EID), json!(null)), "42003"),
            (EID_MOVE, by_eid(json!(EID), json!(READY_EID), theirs), "45111"),
        ] {
            let answer = client.ask(path, fields.clone());
            assert_eq!(
                (answer.status, answer.code(), answer.data()),
                (200, code, &Value::Null),
                "{path} {fields}: {}",
                answer.text
            );
        }
        assert_eq!((trade.balance(ACME), record()), before, "nothing changed");
    });
}
