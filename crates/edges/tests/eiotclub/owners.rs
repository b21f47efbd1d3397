//! What the owner of a card sees of orders that others bought for it: a level above him, or the account that had the card
//! before. What they paid is theirs.

use crate::answers::{good, good_as, same};
use crate::client::Client;
use crate::cloudesim::{EID, told};
use crate::lists::give;
use kachi_domain::Iccid;
use kachi_engine::sims;
use kachi_store::db::Place;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, FOREIGN, OPERATOR, OTHER, READY, Trade};
use serde_json::{Value, json};

const RECORD: &str = "package/packageOrderRecord";

fn bought(client: &Client<'_>, account: &str, iccid: &str, number: &str) -> Value {
    let fields = json!({"iccid": iccid, "packageCode": "GJ-100M-30D", "outTradeNo": number});
    good_as(client, account, "package/orderPackage", fields)
}

#[test]
fn an_order_that_a_level_above_bought_is_in_the_record_without_its_price() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let order = bought(&client, "north", READY, "from-above");
        let id = order["orderId"].as_i64().unwrap().to_string();
        let list = good(&client, "card/getAllCardInfo", json!({"pageNum": 1, "iccids": READY}));
        same(&list["cardInfoList"][0], &order, &["orderId"]);
        let line = |account: &str| {
            let record = good_as(&client, account, RECORD, json!({"iccid": READY}))[0].clone();
            ["orderId", "price", "outTradeNo", "state"].map(|name| record[name].clone())
        };
        assert_eq!(line("acme"), [order["orderId"].clone(), json!(0), json!("from-above"), json!(1)]);
        assert_eq!(line("north"), [order["orderId"].clone(), json!(1), json!("from-above"), json!(1)]);
        let named = json!({"iccid": READY, "orderId": id});
        assert_eq!(good(&client, "package/queryPackage", named.clone()), json!({"status": 1}));
        let details = |numbers: &str, own: &str| {
            let fields = json!({"orderNumberArrStr": numbers, "outTradeNoArrStr": own, "state": 1, "page": 1, "pageSize": 9});
            good(&client, "package/getOrderPackageDetails", fields)
        };
        let found = details(order["orderNumber"].as_str().unwrap(), "");
        assert_eq!((&found[0]["iccid"], &found[0]["price"]), (&json!(READY), &json!(0)));
        assert_eq!(details("", "from-above"), json!([]), "another's own number names nothing here");

        // The money would go to who bought it, so it is his to take it back, and his to know how much.
        let mut back = named.clone();
        back["remark"] = "r".into();
        assert_eq!(client.ask("package/queryRefundAmount", named).code(), "42008");
        assert_eq!(client.ask("package/refundPackage", back.clone()).code(), "42008");
        let moved = good(&client, "card/transferPkg", json!({"oldIccid": READY, "newIccid": CARD, "orderId": id}));
        let by_eid = good(&client, "cloudesim/pkg/record/list", json!({"eid": EID}));
        assert_eq!((&by_eid["list"][0]["eshopOrderId"], &by_eid["list"][0]["price"]), (&moved["newOrderId"], &json!(0)));
        let status = good(&client, "cloudesim/orderStatus", json!({"eshopOrderId": moved["newOrderId"]}));
        assert_eq!(status, json!({"status": 2, "eid": EID}));

        let again = bought(&client, "north", READY, "from-above-2");
        back["orderId"] = again["orderId"].to_string().into();
        assert_eq!(good_as(&client, "north", "package/refundPackage", back), json!({}));
        let notices = told(&trade, READY);
        let refund = &notices.iter().rev().find(|(event, _)| event == "Refund").expect("told").1;
        let told = ["orderAmount", "refundAmount", "outTradeNo"].map(|name| refund[name].as_str().unwrap());
        assert_eq!(told, ["0.00", "0.00", "from-above-2"], "what went back to the level above is not told below");
        trade.assert_sound();
    });
}

#[test]
fn a_buyers_data_comes_back_in_the_notice_of_what_was_bought() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM", "GJ-100M-30D", 400, &["8910300000000000001"]);
        let client = Client::new(&trade);
        let data = "用户 7".repeat(25);
        let buys = |account: &str, path: &str, mut fields: Value, data: Value| {
            fields["customData"] = data;
            client.ask_as(account, path, fields).any_code()
        };
        let by_iccid = |n: &str| json!({"iccid": READY, "packageCode": "GJ-100M-30D", "outTradeNo": n});
        assert_eq!(buys("acme", "package/orderPackage", by_iccid("a"), json!(data)), "200");
        assert_eq!(buys("north", "package/orderPackage", by_iccid("b"), json!("of the level above")), "200");
        let by_eid = json!({"eid": EID, "packageCode": "GJ-100M-30D", "outTradeNo": "c"});
        assert_eq!(buys("acme", "cloudesim/purchase", by_eid, json!(5)), "200");
        let esim = json!({"eSIMGoodsCode": "ESIM", "outTradeNo": "d"});
        assert_eq!(buys("acme", "esim/purchase", esim.clone(), json!("x".repeat(126))), "43332");
        assert_eq!(buys("acme", "esim/purchase", esim, json!("x")), "200");
        assert_eq!(buys("acme", "package/orderPackage", by_iccid("e"), json!([1])), "43332");
        let sent = |iccid: &str| -> Vec<(String, Value)> {
            let line = |n: &Value| if n["data"].is_array() { n["data"][0].clone() } else { n["data"].clone() };
            let about = |event: &String| event.contains("Pkg");
            told(&trade, iccid)
                .iter()
                .filter(|(e, _)| about(e))
                .map(|(e, n)| (e.clone(), line(n)["customData"].clone()))
                .collect()
        };
        let named = |event: &str, data: Value| (event.to_owned(), data);
        assert_eq!(
            sent(READY),
            [
                named("SubPkgList", json!(data)),
                named("PkgEffective", Value::Null),
                named("SubPkgList", json!("of the level above"))
            ]
        );
        assert_eq!(sent(CARD)[0], named("CloudESimSubPkgList", json!("5")));
        assert_eq!(sent("8910300000000000001")[0], named("SubPkgList", json!("x")));
        give(&trade, READY, OTHER);
        assert!(sent(READY)[3..].iter().all(|(_, data)| data.is_null()), "a stranger is not told");
    });
}

#[test]
fn a_card_brings_its_orders_along() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let order = bought(&client, "acme", READY, "before");
        let failed = client.order(READY, "GJ-CARRIER", "never").data()["orderId"].as_i64().unwrap();
        trade
            .engine
            .write(move |tx, c, how| kachi_engine::orders::failed(tx, c, how, kachi_domain::OrderId(failed), "no"))
            .unwrap();
        give(&trade, READY, OTHER);
        let record = client.ask_as("other", RECORD, json!({"iccid": READY}));
        assert_eq!((record.code(), &record.json["total"]), ("200", &json!(1)), "{}", record.text);
        let line = &record.data()[0];
        assert_eq!((&line["orderId"], &line["price"], line.get("outTradeNo")), (&order["orderId"], &json!(0), None));
        let id = order["orderId"].as_i64().unwrap();
        let status = |account: &str, iccid: &str, id: i64| {
            client.ask_as(account, "package/queryPackage", json!({"iccid": iccid, "orderId": id.to_string()})).code().to_owned()
        };
        assert_eq!(status("other", READY, id), "200");
        assert_eq!(status("other", FOREIGN, id), "42004", "another card's");
        assert_eq!(status("other", READY, failed), "42004", "what came to nothing is its buyer's alone");
        assert_eq!(status("acme", READY, id), "42405", "the card is not the buyer's any more");
        let fields = json!({"oldIccid": READY, "newIccid": FOREIGN, "orderId": id.to_string()});
        let moved = good_as(&client, "other", "card/transferPkg", fields);
        assert_eq!(status("other", FOREIGN, moved["newOrderId"].as_i64().unwrap()), "200");
        assert_eq!(trade.balance(ACME), 10_000 - 130, "no money moved");
        trade.assert_sound();
    });
}

#[test]
fn a_pool_shows_what_a_level_above_bought_for_it() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let pool = good(&client, "pool/create", json!({"pool_type_code": "POOL-100M-7D", "memo": ""}))["pool_object_id"].clone();
        let sub = json!({"pool_object_id": pool, "pool_type_code": "POOL-100M-7D", "out_trade_no": "above"});
        let order = good_as(&client, "north", "pool/sub", sub)["order_no"].clone();
        let records = good(&client, "pool/record/list", json!({"pool_object_id": pool, "page": 1, "page_size": 9}));
        assert_eq!((&records["list"][0]["order_no"], &records["list"][0]["status_code"]), (&order, &json!(3)));
        let unsub = json!({"pool_object_id": pool, "order_no": order});
        assert_eq!(client.ask("pool/unsub", unsub.clone()).code(), "42008", "the money is not its own");
        assert_eq!(good_as(&client, "north", "pool/unsub", unsub), json!({}));
        trade.assert_sound();
    });
}

/// Returns when a transaction of a PostgreSQL database waits for another. SQLite has one writer, for which all wait anyway.
fn until_somebody_waits(place: &Place) {
    if !matches!(place, Place::Postgres(_)) {
        return;
    }
    // No row is a division by zero.
    let asked = "SELECT 1 / COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = (0..100_000).any(|_| {
        std::thread::yield_now();
        kachi_store::db::execute_in(place, asked).is_ok()
    });
    assert!(waits, "nobody waits for the card");
}

#[test]
fn an_act_that_waited_for_a_card_which_was_moved_away_meanwhile_finds_it_gone() {
    db::each(|store| {
        let place = store.place().clone();
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let (moved, is_moved) = std::sync::mpsc::channel();
        let (engine, all) = (trade.engine.clone(), trade.actor(OPERATOR));
        let mover = std::thread::spawn(move || {
            engine.write(move |tx, catalogue, how| {
                let card = Iccid::parse(CARD).expect("an ICCID");
                let gone = sims::transfer(tx, catalogue, how, &all, &card, OTHER)?;
                moved.send(()).expect("the test goes on");
                until_somebody_waits(&place);
                Ok(gone)
            })
        });
        is_moved.recv().expect("the card is moved");
        assert_eq!(client.order(CARD, "GJ-100M-30D", "late").code(), "42405");
        mover.join().expect("the mover").expect("moved");
        trade.assert_sound();
    });
}
