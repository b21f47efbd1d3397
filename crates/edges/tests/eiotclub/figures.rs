//! Figures of a card that several of its packages, or its pool, have a part in; and what becomes of an order that its
//! carrier refuses.

use crate::answers::{good, good_as};
use crate::client::Client;
use crate::cloudesim::{EID, told};
use crate::lists::give;
use kachi_domain::Span;
use kachi_domain::package::{Category, Kind, StartRule, Terms};
use kachi_engine::intents;
use kachi_store::catalogue::Package;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, OTHER, READY, Trade, package};
use serde_json::{Value, json};

const MB: i64 = 1 << 20;

/// Top-ups of 30 days: one that runs at once and one that begins with the next month.
fn top_ups(trade: &Trade) {
    let sold = trade.engine.write(|tx, catalogue, _| {
        let us = catalogue.product_by_code("1US-1").expect("a product").id;
        for (code, start) in [("TOPUP", StartRule::Now), ("TOPUP-NEXT", StartRule::NextMonth)] {
            let plain = package(code, us, Kind::Quota, Span::Days(30), 100);
            let terms = Terms { category: Category::TopUp, ..plain.terms.clone() };
            tx.put_package(&Package { terms, start, ..plain })?;
        }
        Ok(tx.touch_catalogue()?)
    });
    sold.expect("top-ups");
}

#[test]
fn a_card_is_expected_to_end_with_the_last_package_that_keeps_it_active_top_ups_too() {
    db::each(|store| {
        let trade = Trade::build(store);
        top_ups(&trade);
        let client = Client::new(&trade);
        let ends = |date: &str| {
            let first = |data: Value| data["cardInfoList"][0].clone();
            for card in [
                good(&client, "card/getCardsInfo", json!({"iccid": CARD})),
                first(good(&client, "card/getAllCardInfo", json!({"pageNum": "1", "iccids": CARD}))),
                good(&client, "cloudesim/get", json!({"eid": EID})),
                first(good(&client, "cloudesim/list", json!({"pageNum": "1", "eids": EID}))),
            ] {
                assert_eq!(card["expectedEndDate"], date, "{card}");
            }
        };
        ends("");
        let main = client.order(CARD, "GJ-ONCE", "main").data()["orderId"].to_string();
        ends("2026-03-08 12:00:00");
        client.order(CARD, "TOPUP", "running");
        ends("2026-03-31 12:00:00");
        client.order(CARD, "TOPUP-NEXT", "waiting");
        ends("2026-05-01 00:00:00");
        good(&client, "package/refundPackage", json!({"iccid": CARD, "orderId": main, "remark": "r"}));
        ends("2026-05-01 00:00:00");
        for _ in 0..3 {
            client.order(CARD, "GJ-100M-30D", &format!("m-{}", trade.now().0));
            trade.pass(1);
        }
        ends("2026-05-30 12:00:00");
    });
}

#[test]
fn all_that_a_card_used_is_the_sum_of_its_records_whoever_paid() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let used = |mb: i64, why: &str| {
            let days = json!({"dateType": "daily", "startDate": "2026-03-01", "endDate": "2026-03-31", "iccids": CARD});
            let sum = good(&client, "cdr/traffic/query", days)[0]["traffic"].clone();
            let card = good(&client, "card/getCardsInfo", json!({"iccid": CARD}));
            let list = good(&client, "card/getAllCardInfo", json!({"pageNum": "1", "iccids": CARD}));
            assert_eq!(sum, (mb * MB).to_string(), "{why}");
            assert_eq!((&card["totalUseFlow"], &list["cardInfoList"][0]["totalUseFlow"]), (&json!(mb), &json!(mb)), "{why}");
        };
        let burn = |mb: i64| {
            trade.pass(60);
            trade.traffic(CARD, trade.now().plus(-30), mb * MB);
        };
        burn(3);
        used(3, "before it had a package");
        client.order(CARD, "GJ-100M-30D", "own");
        burn(4);
        used(7, "of its package");
        let pool = good(&client, "pool/create", json!({"pool_type_code": "POOL-100M-7D", "memo": ""}))["pool_object_id"].clone();
        good(&client, "pool/sub", json!({"pool_object_id": pool, "pool_type_code": "POOL-100M-7D", "out_trade_no": "p"}));
        let member = json!({"pool_object_id": pool, "iccid_arr": CARD});
        good(&client, "pool/card/add", member.clone());
        burn(20);
        used(27, "of its pool");
        burn(90);
        used(117, "of its pool and then of its package");
        good(&client, "pool/card/remove", member);
        burn(1);
        used(118, "after its time in the pool");
        trade.assert_sound();
        give(&trade, CARD, OTHER);
        let card = good_as(&client, "other", "card/getCardsInfo", json!({"iccid": CARD}));
        let days = json!({"dateType": "daily", "startDate": "2026-03-01", "endDate": "2026-03-31", "iccids": CARD});
        let sum = good_as(&client, "other", "cdr/traffic/query", days);
        assert_eq!((&card["totalUseFlow"], sum), (&json!(118), json!([])), "the card's use goes along, its records stay");
    });
}

#[test]
fn a_card_in_a_pool_is_warned_of_its_own_packages() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let warned = || {
            let found = good(&client, "outputApi/queryAccountWarningCard", json!({"pageNum": 1}));
            let types = found["cardInfoList"].as_array().unwrap().iter().map(|w| w["type"].as_str().unwrap().to_owned());
            types.collect::<Vec<_>>()
        };
        client.order(CARD, "GJ-100M-30D", "own");
        trade.pass(60);
        trade.traffic(CARD, trade.now(), 95 * MB);
        assert_eq!(warned(), ["1", "2"]);
        trade.pass(60);
        let pool = good(&client, "pool/create", json!({"pool_type_code": "POOL-100M-7D", "memo": ""}))["pool_object_id"].clone();
        good(&client, "pool/sub", json!({"pool_object_id": pool, "pool_type_code": "POOL-100M-7D", "out_trade_no": "p"}));
        good(&client, "pool/card/add", json!({"pool_object_id": pool, "iccid_arr": CARD}));
        trade.pass(60);
        trade.traffic(CARD, trade.now(), MB);
        assert_eq!(warned(), ["1", "2"], "its pool's 99 MB do not count");
    });
}

#[test]
fn an_order_is_a_renewal_if_the_card_ever_had_a_package() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        client.order(READY, "GJ-CARRIER", "refused");
        intents::refuse(&trade.engine, 1, "a person", "no such plan").unwrap();
        let first = client.order(READY, "GJ-ONCE", "first").data()["orderId"].to_string();
        good(&client, "package/refundPackage", json!({"iccid": READY, "orderId": first, "remark": "r"}));
        client.order(READY, "GJ-100M-30D", "second");
        let record = good(&client, "package/packageOrderRecord", json!({"iccid": READY}));
        let renews: Vec<&Value> = record.as_array().unwrap().iter().map(|line| &line["renew"]).collect();
        assert_eq!(renews, [0, 0, 1]);
    });
}

#[test]
fn an_order_that_its_carrier_refuses_is_told_from_one_that_waits() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let mut intent = 0;
        for (iccid, event, number) in [(READY, "Refund", "orderId"), (CARD, "CloudESimRefund", "eshopOrderId")] {
            let order = client.order(iccid, "GJ-CARRIER", &format!("c-{number}")).data().clone();
            let id = &order["orderId"];
            let stands = || {
                let status = good(&client, "package/queryPackage", json!({"iccid": iccid, "orderId": id.to_string()}));
                let record =
                    good(&client, "package/packageOrderRecord", json!({"iccid": iccid, "orderIdArrStr": id.to_string()}));
                let state = record[0]["state"].clone();
                let asked = json!({"orderNumberArrStr": order["orderNumber"], "state": state, "page": 1, "pageSize": 1});
                let detail = good(&client, "package/getOrderPackageDetails", asked);
                assert_eq!(detail[0]["isRefund"], record[0]["isRefund"]);
                if iccid == CARD {
                    let by_eid = good(&client, "cloudesim/pkg/record/list", json!({"eid": EID}));
                    assert_eq!((&by_eid["list"][0]["isRefund"], &by_eid["list"][0]["state"]), (&record[0]["isRefund"], &state));
                }
                [status["status"].clone(), state, record[0]["isRefund"].clone(), record[0]["price"].clone()]
            };
            assert_eq!((stands(), told(&trade, iccid).len()), ([json!(0), json!(0), json!(0), json!(2)], 0), "it waits");
            let balance = trade.balance(ACME);
            intent += 1;
            intents::refuse(&trade.engine, intent, "a person", "no such plan").unwrap();
            assert_eq!(trade.balance(ACME), balance + 200);
            assert_eq!(stands(), [json!(-1), json!(2), json!(1), json!(2)], "it came to nothing, and its money went back");
            let told = told(&trade, iccid);
            let [(name, notice)] = &told[..] else { panic!("one notice: {told:?}") };
            assert_eq!((name.as_str(), &notice[number], &notice["outTradeNo"]), (event, id, &json!(format!("c-{number}"))));
            assert_eq!((&notice["orderAmount"], &notice["refundAmount"]), (&json!("2.00"), &json!("2.00")));
        }
        trade.assert_sound();
    });
}
