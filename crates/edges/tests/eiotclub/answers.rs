//! Good answers: each field of its published name and type, and what stands in it.

use crate::client::{Client, signed};
use crate::contract::{self, faults};
use kachi_dialects::eiotclub::Form;
use kachi_domain::Span;
use kachi_domain::package::{Category, Kind, Window};
use kachi_store::catalogue::Package;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED, KYOTO_CARD, NORTH, READY, START, Trade, package, secret};
use serde_json::{Value, json};

/// A success whose every field is as the contract declares it.
pub fn good(client: &Client<'_>, path: &str, fields: Value) -> Value {
    good_as(client, "acme", path, fields)
}

pub fn good_as(client: &Client<'_>, account: &str, path: &str, fields: Value) -> Value {
    let answer = client.ask_as(account, path, fields);
    assert_eq!((answer.status, answer.any_code().as_str()), (200, "200"), "{path}: {}", answer.text);
    let wrong = faults(&answer.json, contract::answer(path), path);
    assert!(wrong.is_empty(), "{wrong:#?}");
    answer.data().clone()
}

/// Both tell these fields, and alike: two that tell nothing are not alike.
pub fn same(one: &Value, other: &Value, fields: &[&str]) {
    for name in fields {
        assert!(!one[*name].is_null(), "{name} is not told: {one}");
        assert_eq!(one[*name], other[*name], "{name}");
    }
}

fn order(client: &Client<'_>, package: &str, out_trade_no: &str) -> Value {
    good(client, "package/orderPackage", json!({"iccid": CARD, "packageCode": package, "outTradeNo": out_trade_no}))
}

#[test]
fn a_card_as_it_is_now() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let bare = good(&client, "card/getCardsInfo", json!({"iccid": READY}));
        assert_eq!(bare["cardStatus"], "ACTIVATION_READY_NAME");
        for name in ["eid", "imsi", "activateDate", "packageEndDate", "expectedEndDate", "network", "packageCode", "remark"] {
            assert_eq!(bare[name], "", "{name} has no value");
        }
        for name in ["monthRemainFlow", "dataFlow", "totalUseFlow", "packageKind", "isRealName"] {
            assert_eq!(bare[name], 0, "{name} has no value");
        }
        assert_eq!(good(&client, "card/getCardsInfo", json!({"iccid": CARD}))["cardStatus"], "DEACTIVATED_NAME");
        assert_eq!(good(&client, "card/getCardsInfo", json!({"iccid": CLOSED}))["cardStatus"], "RETIRED_NAME");

        let first = order(&client, "GJ-100M-30D", "a-1");
        order(&client, "GJ-SLOW-30D", "a-2");
        trade.pass(3600);
        trade.traffic(CARD, START.plus(1800), 26_214_401);
        let card = good(&client, "card/getCardsInfo", json!({"iccid": CARD}));
        for (name, wanted) in [
            ("cardStatus", json!("ACTIVATED_NAME")),
            ("imsi", json!("460001234567890")),
            ("eid", json!("89049032000000000000000000000001")),
            ("remark", json!("shelf 7")),
            ("network", json!("VAT")),
            ("isRealName", json!(1)),
            ("activateDate", json!("2026-02-28 12:00:00")),
            ("packageCode", json!("GJ-100M-30D")),
            ("packageKind", json!(0)),
            ("packageEndDate", json!("2026-03-31 12:00:00")),
            ("expectedEndDate", json!("2026-04-30 12:00:00")),
            ("monthUseFlow", json!(25)),
            ("monthRemainFlow", json!(74.99)),
            ("dataFlow", json!(200)),
            ("remainFlow", json!(174.99)),
            ("totalUseFlow", json!(25)),
            ("productCode", json!("1US-1")),
        ] {
            assert_eq!(card[name], wanted, "{name}");
        }

        let list = good(&client, "card/getAllCardInfo", json!({"pageNum": "1", "iccids": CARD}));
        let listed = &list["cardInfoList"][0];
        assert_eq!((&listed["orderId"], &listed["packageType"]), (&first["orderId"], &json!(2)));
        assert_eq!((&listed["flowTotal"], &listed["flowRemain"]), (&json!(100), &json!(74.99)));
        assert_eq!(
            (&listed["packageName"], &listed["gzhPackageName"]),
            (&json!("name of GJ-100M-30D"), &json!("retail GJ-100M-30D"))
        );
        assert_eq!(listed["imei"], "867530912345678");
        assert_eq!(good(&client, "card/product", json!({"iccid": CHINESE})), json!({"productCode": "CN-1"}));
    });
}

#[test]
fn cards_come_page_by_page() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let list = |fields: Value| {
            let data = good(&client, "card/getAllCardInfo", fields);
            let cards: Vec<String> =
                data["cardInfoList"].as_array().unwrap().iter().map(|c| c["iccid"].as_str().unwrap().into()).collect();
            (cards, data["totalPage"].as_i64().unwrap())
        };
        let all = vec![CARD.to_owned(), READY.into(), CHINESE.into(), CLOSED.into()];
        assert_eq!(list(json!({"pageNum": "1"})), (all.clone(), 1), "a stranger's cards are not listed");
        assert_eq!(list(json!({"pageNum": 1, "pageSize": 3})), (all[..3].to_vec(), 2), "the number may be a number");
        assert_eq!(list(json!({"pageNum": "2", "pageSize": "3"})), (all[3..].to_vec(), 2));
        assert_eq!(list(json!({"pageNum": "9", "pageSize": 3})), (vec![], 2));
        assert_eq!(list(json!({"pageNum": "9223372036854775807", "pageSize": 500})), (vec![], 1));
        assert_eq!(list(json!({"pageNum": "1", "cardStatus": "RETIRED_NAME"})), (vec![CLOSED.to_owned()], 1));
        assert_eq!(list(json!({"pageNum": "1", "cardStatus": "ACTIVATED_NAME"})), (vec![], 0));
        let some = format!("{READY}, {CARD},{READY},89860099999999999999");
        assert_eq!(list(json!({"pageNum": "1", "iccids": some})), (all[..2].to_vec(), 1));
        order(&client, "GJ-100M-30D", "p-1");
        assert_eq!(list(json!({"pageNum": "1", "cardStatus": "ACTIVATED_NAME"})), (vec![CARD.to_owned()], 1));
    });
}

#[test]
fn what_can_be_bought() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let offers = good(&client, "package/listOrderPackageByIccid", json!({"iccid": CARD}));
        assert!(offers.as_array().unwrap().iter().all(|o| o["packageCode"] != "GJ-YEN"), "not in another currency");
        assert_eq!(
            offers[0],
            json!({"operator": 5, "packageCode": "GJ-100M-30D", "packageName": "name of GJ-100M-30D", "productCode": "1US-1",
                   "price": 1.3, "packageType": 2, "gzhPrice": 1.95, "gzhPackageName": "retail GJ-100M-30D", "gzhStatus": 1,
                   "flowSize": 100, "periodSize": 30, "periodType": 2})
        );
        let month = offers.as_array().unwrap().iter().find(|o| o["packageCode"] == "GJ-TIME-1MO").unwrap();
        assert_eq!((&month["periodSize"], &month["periodType"], &month["flowSize"]), (&json!(1), &json!(1), &json!(0)));
        let chinese = good(&client, "package/listOrderPackageByIccid", json!({"iccid": CHINESE}));
        assert_eq!(chinese[0]["operator"], 1);
        let yen = good_as(&client, "kyoto", "package/listOrderPackageByIccid", json!({"iccid": KYOTO_CARD}));
        assert_eq!((yen.as_array().unwrap().len(), &yen[0]["price"]), (1, &json!(120)));
    });
}

#[test]
fn an_order_its_record_and_its_refund() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let first = order(&client, "GJ-100M-30D", "630000198311142676");
        assert_eq!(first["orderNumber"].as_str().unwrap().len(), 32);
        assert_eq!((trade.balance(ACME), trade.balance(NORTH)), (10_000 - 130, 10_000 + 30), "the reseller earned its share");
        trade.pass(60);
        let second = order(&client, "GJ-TIME-1MO", "b-2");
        let carried = order(&client, "GJ-CARRIER", "b-3");
        assert_eq!(trade.balance(ACME), 10_000 - 130 - 900 - 200, "held money is not spendable");
        let status = |order: &Value| {
            let id = order["orderId"].as_i64().unwrap().to_string();
            good(&client, "package/queryPackage", json!({"iccid": CARD, "orderId": id}))["status"].clone()
        };
        assert_eq!((status(&first), status(&carried)), (json!(1), json!(0)));
        trade.pass(60);
        trade.traffic(CARD, START.plus(90), 1_048_576);
        let record = good(&client, "package/packageOrderRecord", json!({"iccid": CARD}));
        assert_eq!(
            record[0],
            json!({"orderId": first["orderId"], "packageName": "name of GJ-100M-30D", "packageCode": "GJ-100M-30D", "iccid": CARD, "state": 1,
                   "price": 1.3, "currency": "USD", "createDate": "2026-03-01 12:00:00", "updateDate": record[0]["updateDate"],
                   "startDate": "2026-03-01 12:00:00", "endDate": "2026-03-31 12:00:00", "flowTotal": 100, "flowRemain": 99,
                   "flowUsageBytes": 1_048_576, "gzhPackageName": "retail GJ-100M-30D", "totalActive": 30, "renew": 0,
                   "packageType": 2, "isRefund": 0, "periodType": 2, "outTradeNo": "630000198311142676"})
        );
        assert_eq!((&record[1]["startDate"], &record[1]["state"], &record[1]["renew"]), (&json!(""), &json!(0), &json!(1)));

        let id = first["orderId"].to_string();
        let quote = good(&client, "package/queryRefundAmount", json!({"iccid": CARD, "orderId": id}));
        assert_eq!(quote, json!({"amount": "1.30", "amount_int": 130, "currency": "USD"}));
        let done = good(&client, "package/refundPackage", json!({"iccid": CARD, "orderId": id, "remark": "用户要求"}));
        assert_eq!((done, status(&first)), (json!({}), json!(-1)));
        assert_eq!((trade.balance(ACME), trade.balance(NORTH)), (10_000 - 900 - 200, 10_000), "the share went back too");
        assert_eq!(status(&second), json!(1));
        let record = good(&client, "package/packageOrderRecord", json!({"iccid": CARD, "orderIdArrStr": id}));
        assert_eq!((&record[0]["isRefund"], &record[0]["state"]), (&json!(1), &json!(2)));
        let balance = good(&client, "agent/balance", json!({}));
        assert_eq!(balance, json!({"balance": "89.00", "currency": "USD"}));
    });
}

#[test]
fn an_order_has_one_figure_whatever_is_asked() {
    db::each(|store| {
        let trade = Trade::build(store);
        monthly(&trade);
        let client = Client::new(&trade);
        let order = order(&client, "GJ-MONTHLY", "m-1");
        let figures = || {
            let list = good(&client, "card/getAllCardInfo", json!({"pageNum": "1", "iccids": CARD}));
            let card = list["cardInfoList"][0].clone();
            let record = good(&client, "package/packageOrderRecord", json!({"iccid": CARD}))[0].clone();
            let by_eid = json!({"eid": "89049032000000000000000000000001"});
            let by_eid = good(&client, "cloudesim/pkg/record/list", by_eid)["list"][0].clone();
            let asked = json!({"orderNumberArrStr": order["orderNumber"], "state": record["state"], "page": 1, "pageSize": 1});
            let detail = good(&client, "package/getOrderPackageDetails", asked)[0].clone();
            same(&record, &detail, &["flowRemain", "flowTotal"]);
            assert_eq!(record["flowRemain"].as_i64().unwrap() << 20, by_eid["flowRemainBytes"].as_i64().unwrap());
            if record["state"] == 1 {
                same(&record, &card, &["flowRemain", "flowTotal"]);
                assert_eq!(card["flowRemain"], card["monthRemainFlow"]);
            }
            (record["flowRemain"].as_i64().unwrap(), record["flowUsageBytes"].as_i64().unwrap() >> 20)
        };
        assert_eq!(figures(), (100, 0));
        trade.pass(3600);
        trade.traffic(CARD, trade.now().plus(-60), 100 << 20);
        assert_eq!(figures(), (0, 100), "March is used up");
        trade.pass(31 * 86_400);
        assert_eq!(figures(), (100, 100), "April has all of its own");
        trade.traffic(CARD, trade.now().plus(-60), 30 << 20);
        assert_eq!(figures(), (70, 130));
        trade.pass(90 * 86_400);
        while kachi_engine::cards::settle_due(&trade.engine).unwrap() > 0 {}
        assert_eq!(figures(), (0, 130), "over: nothing can be used any more");
    });
}

/// A package of 100 MB a month for three months.
fn monthly(trade: &Trade) {
    let made = trade.engine.write(|tx, catalogue, _| {
        let us = catalogue.product_by_code("1US-1").expect("a product").id;
        let mut package = package("GJ-MONTHLY", us, Kind::Quota, Span::Months(3), 300);
        package.terms.window = Window::CalendarMonth;
        tx.put_package(&package)?;
        Ok(tx.touch_catalogue()?)
    });
    made.expect("a package");
}

#[test]
fn orders_are_numbered_from_10000001() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let ids: Vec<_> = ["f-1", "f-2"].map(|number| order(&client, "GJ-100M-30D", number)["orderId"].clone()).into();
        assert_eq!(ids, [10_000_001, 10_000_002]);
    });
}

#[test]
fn an_order_record_is_filtered_and_paged() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let placed = |i: i64| {
            let id = order(&client, "GJ-100M-30D", &format!("r-{i}"))["orderId"].as_i64().unwrap();
            trade.pass(60);
            id
        };
        let all: Vec<i64> = (1..=5).map(placed).collect();
        let place_of = |id: &Value| all.iter().position(|a| id == a).map_or(0, |i| i + 1);
        let ids = |fields: Value| {
            let mut fields = fields;
            fields["iccid"] = CARD.into();
            let answer = client.ask("package/packageOrderRecord", fields);
            assert!(faults(&answer.json, contract::answer("package/packageOrderRecord"), "record").is_empty(), "{}", answer.text);
            let ids = answer.data().as_array().unwrap().iter().map(|r| place_of(&r["orderId"])).collect::<Vec<_>>();
            (ids, answer.json["total"].as_i64().unwrap())
        };
        for (fields, wanted, total) in [
            (json!({}), vec![1, 2, 3, 4, 5], 5),
            (json!({"orderBy": "createDateDesc"}), vec![5, 4, 3, 2, 1], 5),
            (json!({"orderBy": ""}), vec![1, 2, 3, 4, 5], 5),
            (json!({"page": 2, "pageSize": 2}), vec![3, 4], 5),
            (json!({"page": "3", "pageSize": "2", "orderBy": "createDateDesc"}), vec![1], 5),
            (json!({"state": 1}), vec![1], 1),
            (json!({"state": "0"}), vec![2, 3, 4, 5], 4),
            (json!({"stateArrStr": "1,2"}), vec![1], 1),
            (json!({"state": 0, "stateArrStr": "0,1"}), vec![2, 3, 4, 5], 4),
            (json!({"state": 2, "stateArrStr": "0,1"}), vec![], 0),
            (json!({"orderIdArrStr": format!("{},{}", all[3], all[1])}), vec![2, 4], 2),
            (json!({"orderIdArrStr": all[3]}), vec![4], 1),
            (json!({"createDateStart": "2026-03-01 12:01:00", "createDateEnd": "2026-03-01 12:02:00"}), vec![2, 3], 2),
            (json!({"createDateStart": "2026-03-01 12:03:01"}), vec![5], 1),
            (json!({"createDateStart": "2026-03-01 12:02:00", "createDateEnd": "2026-03-01 12:01:00"}), vec![], 0),
            (json!({"updateDateStart": "2026-03-01 12:04:00", "updateDateEnd": ""}), vec![5], 1),
        ] {
            assert_eq!(ids(fields.clone()), (wanted, total), "{fields}");
        }
    });
}

#[test]
fn usage_moves_the_date_of_change_of_what_is_in_use() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let first = order(&client, "GJ-100M-30D", "u-1")["orderId"].clone();
        order(&client, "GJ-100M-30D", "u-2");
        let changed = |from: &str, to: &str| {
            let fields = json!({"iccid": CARD, "updateDateStart": from, "updateDateEnd": to});
            let record = good(&client, "package/packageOrderRecord", fields);
            let line = |r: &Value| (r["orderId"].clone(), r["updateDate"].as_str().unwrap().to_owned());
            record.as_array().unwrap().iter().map(line).collect::<Vec<_>>()
        };
        trade.pass(7200);
        assert_eq!(changed("2026-03-01 12:00:01", ""), []);
        // A record of an hour ago comes in now: whoever asks for what changed since then gets it.
        trade.traffic(CARD, START.plus(3600), 1 << 20);
        let line = (first.clone(), "2026-03-01 14:00:00".to_owned());
        assert_eq!(changed("2026-03-01 13:30:00", ""), std::slice::from_ref(&line), "in use; the one that waits did not change");
        assert_eq!(changed("2026-03-01 13:30:00", "2026-03-01 14:00:00"), [line]);
        assert_eq!(changed("", "2026-03-01 13:59:59").len(), 1, "the other");
        assert_eq!(changed("2026-03-01 14:00:01", ""), []);
        trade.pass(600);
        trade.traffic(CARD, START.plus(3500), 1 << 20);
        assert_eq!(changed("2026-03-01 14:10:00", "")[0].0, first, "one that comes late as well");
    });
}

#[test]
fn bytes_over_days_and_months() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        order(&client, "GJ-100M-30D", "t-1");
        trade.pass(3 * 86_400);
        // 23:59 on 1 March and 00:01 on 2 March in China are one day in UTC.
        trade.traffic(CARD, START.plus(12 * 3600 - 60), 1000);
        trade.traffic(CARD, START.plus(12 * 3600 + 60), 30);
        let bytes = |fields: Value| good(&client, "cdr/traffic/query", fields);
        let both = format!("{READY},{CARD}");
        let line = |bytes: &str| json!([{"iccid": CARD, "traffic": bytes}]);
        let daily = |from: &str, to: &str| bytes(json!({"dateType": "daily", "iccids": both, "startDate": from, "endDate": to}));
        assert_eq!(daily("2026-03-01", "2026-03-02"), line("1030"));
        assert_eq!(daily("2026-03-01", "2026-03-01"), line("1000"));
        assert_eq!(daily("2026-03-02", "2026-03-31"), line("30"));
        assert_eq!(daily("2026-02-01", "2026-02-28"), json!([]));
        let monthly = |month: &str| bytes(json!({"dateType": "monthly", "iccids": CARD, "month": month, "startDate": ""}));
        assert_eq!((monthly("2026-03"), monthly("2026-02")), (line("1030"), json!([])));
    });
}

#[test]
fn yen_have_no_decimals_but_in_the_balance() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let fields = json!({"iccid": KYOTO_CARD, "packageCode": "GJ-YEN", "outTradeNo": "y-1"});
        let order = good_as(&client, "kyoto", "package/orderPackage", fields);
        let asked = json!({"iccid": KYOTO_CARD, "orderId": order["orderId"]});
        let quote = good_as(&client, "kyoto", "package/queryRefundAmount", asked);
        assert_eq!(quote, json!({"amount": "120", "amount_int": 120, "currency": "JPY"}));
        assert_eq!(good_as(&client, "kyoto", "agent/balance", json!({})), json!({"balance": "9880.00", "currency": "JPY"}));
    });
}

#[test]
fn every_accepted_form_of_signing_is_let_in() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        for form in Form::ALL {
            let body = json!({"appkey": "key-acme", "timestamp": trade.now().0.to_string(), "nonce": "12345", "iccid": CARD,
                              "on": true, "on1": 1, "none": null, "deep": {"a/b": ["é", 1.50]}, "note": "未知字段"});
            let answer = client.post("card/getCardsInfo", &signed(body, &secret("acme"), form));
            assert_eq!(answer.code(), "200", "{}: {}", form.label(), answer.text);
        }
        let counts = client.door.counts().all();
        for form in Form::ALL {
            assert!(counts.contains(&(form.label(), 200, 1)), "{}: {counts:?}", form.label());
        }
        assert_eq!(client.ask("agent/balance", json!({})).json["message"], "Success");
        assert_eq!(client.ask_as("north", "agent/balance", json!({})).json["message"], "成功");
    });
}

#[test]
fn numbers_stand_in_the_published_order() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let text = client.ask("card/getCardsInfo", json!({"iccid": CARD})).text;
        assert!(text.starts_with(r#"{"code":"200","message":"Success","data":{"iccid":"89860012345678901234","eid":"#), "{text}");
        assert!(text.ends_with(r#""packageCode":"","packageKind":0,"remark":"shelf 7"}}"#), "{text}");
        let text = client.ask("card/getAllCardInfo", json!({"pageNum": "1", "iccids": CARD})).text;
        assert!(
            text.contains(r#""packageKind":0,"orderId":0,"flowTotal":0,"flowRemain":0,"packageType":0,"packageName":"""#),
            "{text}"
        );
        let text = client.ask("package/packageOrderRecord", json!({"iccid": CARD})).text;
        assert_eq!(text, r#"{"code":"200","message":"Success","total":0,"data":[]}"#);
    });
}

#[test]
fn a_card_whose_carrier_misses_a_real_name_is_not_shown_with_one() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let named = || good(&client, "card/getCardsInfo", json!({"iccid": CARD}))["isRealName"].clone();
        assert_eq!(named(), 1);
        let set = |block: i64| {
            let sim = trade.sim(CARD);
            let done = trade.engine.write(move |tx, _, _| {
                let there = tx.sim_by_id(sim)?.expect("the card");
                let blocks = there.blocks & !kachi_domain::sim::Blocks::REAL_NAME.0 | block;
                Ok(tx.set_sim_state(sim, &there.state, blocks, there.activated_at)?)
            });
            done.expect("a block");
        };
        set(kachi_domain::sim::Blocks::REAL_NAME.0);
        assert_eq!(named(), 0);
        set(0);
        assert_eq!(named(), 1);
    });
}

#[test]
fn a_package_without_a_limit_counts_neither_in_the_whole_nor_in_what_is_left() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let made = trade.engine.write(|tx, catalogue, _| {
            let known = catalogue.package_by_code("GJ-100M-30D").cloned().expect("a package");
            let terms = kachi_domain::package::Terms { category: Category::Postpaid, ..known.terms.clone() };
            tx.put_package(&Package { code: "GJ-AFTER".into(), terms, ..known })?;
            Ok(tx.touch_catalogue()?)
        });
        made.expect("a package");
        order(&client, "GJ-AFTER", "p-1");
        trade.pass(3600);
        trade.traffic(CARD, START.plus(1800), 10 << 20);
        let card = good(&client, "card/getCardsInfo", json!({"iccid": CARD}));
        let flows = ["dataFlow", "remainFlow", "monthRemainFlow", "monthUseFlow"].map(|name| card[name].clone());
        assert_eq!(flows, [json!(0), json!(0), json!(0), json!(10)]);
        let listed = good(&client, "card/getAllCardInfo", json!({"pageNum": "1", "iccids": CARD}))["cardInfoList"][0].clone();
        let by_eid = good(&client, "cloudesim/get", json!({"eid": "89049032000000000000000000000001"}));
        let record = good(&client, "package/packageOrderRecord", json!({"iccid": CARD}))[0].clone();
        for (of, whole, left) in [
            (&listed, "flowTotal", "flowRemain"),
            (&by_eid, "totalFlowBytes", "remainFlowBytes"),
            (&by_eid, "currentPkgTotalBytes", "currentPkgRemainBytes"),
            (&record, "flowTotal", "flowRemain"),
        ] {
            assert_eq!((&of[whole], &of[left]), (&json!(0), &json!(0)), "{whole}");
        }
    });
}
