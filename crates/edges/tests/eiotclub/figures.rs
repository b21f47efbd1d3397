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
