//! What is sold with its zones, orders by their numbers, and what a level earned.

use crate::answers::{good, good_as};
use crate::client::Client;
use kachi_domain::profit::WithdrawalKind;
use kachi_domain::{AccountId, Currency, Iccid, Money};
use kachi_engine::{money, profits, sims};
use kachi_store::accounts::Account;
use kachi_store::catalogue::Price;
use kachi_store::sims::Sim;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, FOREIGN, KYOTO, NOBODY, NORTH, START, Trade, secret};
use serde_json::{Value, json};

const PRODUCT: &str = "package/listOrderPackageByProduct";
const PACKAGE: &str = "package/queryOrderPackageByPackageCode";
const DETAILS: &str = "package/getOrderPackageDetails";
const PROFITS: &str = "outputApi/listProfitInfo";

#[test]
fn packages_come_with_the_zone_they_work_in() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let zone = json!({"name": "North America", "img": "na.png", "countries": [{"name": "United States", "img": "us.png",
            "operators": [{"name": "AT&T", "networkType": "LTE"}, {"name": "VAT", "networkType": "5G"}]}]});
        let offers = good(&client, PRODUCT, json!({"productCode": "1US-1"}));
        assert_eq!(
            offers["list"][0],
            json!({"packageCode": "GJ-100M-30D", "packageName": "name of GJ-100M-30D", "price": 130, "packageType": 2, "flowSize": 100,
                   "periodSize": 30, "periodType": 2, "zone": zone})
        );
        let codes = |offers: &Value| -> Vec<String> {
            offers["list"].as_array().unwrap().iter().map(|o| o["packageCode"].as_str().unwrap().into()).collect()
        };
        assert!(!codes(&offers).contains(&"GJ-YEN".to_owned()), "not in another currency");
        let yen = good_as(&client, "kyoto", PRODUCT, json!({"productCode": "1US-1"}));
        assert_eq!((codes(&yen), &yen["list"][0]["price"]), (vec!["GJ-YEN".to_owned()], &json!(120)));

        let month = good(&client, PACKAGE, json!({"packageCode": "GJ-TIME-1MO"}));
        let bare = json!({"name": "North America", "countries": [{"name": "United States",
            "operators": [{"name": "AT&T", "networkType": "LTE"}, {"name": "VAT", "networkType": "5G"}]}]});
        assert_eq!(
            month,
            json!({"packageCode": "GJ-TIME-1MO", "packageName": "name of GJ-TIME-1MO", "packageType": 3, "flowSize": 0, "periodSize": 1,
                   "periodType": 1, "zone": bare})
        );
    });
}

#[test]
fn orders_are_found_by_either_number() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let placed = |number: &str| client.order(CARD, "GJ-100M-30D", number).data()["orderNumber"].as_str().unwrap().to_owned();
        let first = placed("d-1");
        trade.pass(60);
        let second = placed("d-2");
        trade.traffic(CARD, START.plus(30), 1_048_576);
        let theirs = client.ask_as(
            "other",
            "package/orderPackage",
            json!({"iccid": FOREIGN, "packageCode": "GJ-100M-30D", "outTradeNo": "d-1"}),
        );
        assert_eq!(theirs.code(), "200", "{}", theirs.text);
        let asked = |fields: Value| {
            let mut all = json!({"state": 0, "page": 1, "pageSize": 50});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = good(&client, DETAILS, all);
            found.as_array().unwrap().iter().map(|d| d["outTradeNo"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(asked(json!({"orderNumberArrStr": first.clone(), "state": 1})), ["d-1"]);
        assert_eq!(asked(json!({"orderNumberArrStr": first.clone(), "outTradeNoArrStr": "d-2,d-9", "state": 0})), ["d-2"]);
        assert_eq!(
            asked(json!({"outTradeNoArrStr": "d-1", "state": "1"})),
            ["d-1"],
            "a stranger's order with the number is not there"
        );
        assert!(asked(json!({"orderNumberArrStr": theirs.data()["orderNumber"], "state": 1})).is_empty());
        let detail = good(&client, DETAILS, json!({"orderNumberArrStr": first, "state": 1, "page": 1, "pageSize": 2}));
        assert_eq!(
            detail[0],
            json!({"orderNumber": first, "outTradeNo": "d-1", "iccid": CARD, "packageCode": "GJ-100M-30D", "price": 1.3, "currency": "USD",
                   "state": 1, "totalActive": 30, "flowTotal": 100, "packageName": "name of GJ-100M-30D", "packageType": 2,
                   "createDate": "2026-03-01 12:00:00", "renew": 0, "periodType": 2, "isRefund": 0, "startDate": "2026-03-01 12:00:00",
                   "endDate": "2026-03-31 12:00:00", "flowRemain": 99, "gzhPackageName": "retail GJ-100M-30D"})
        );
        for i in 3..6 {
            placed(&format!("d-{i}"));
        }
        let all = "d-1,d-2,d-3,d-4,d-5";
        assert_eq!(asked(json!({"outTradeNoArrStr": all})), ["d-2", "d-3", "d-4", "d-5"]);
        assert_eq!(asked(json!({"outTradeNoArrStr": all, "page": 2, "pageSize": 3})), ["d-5"]);
        let id = client.ask("package/packageOrderRecord", json!({"iccid": CARD, "state": 0})).data()[0]["orderId"].to_string();
        assert_eq!(client.ask("package/refundPackage", json!({"iccid": CARD, "orderId": id, "remark": "r"})).code(), "200");
        assert_eq!(asked(json!({"orderNumberArrStr": second, "state": 2})), ["d-2"], "a refunded one is over");
    });
}

#[test]
fn a_level_lists_what_it_earned_and_a_refund_takes_exactly_that_back() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let first = client.order(CARD, "GJ-100M-30D", "p-1");
        trade.pass(60);
        client.order(CARD, "GJ-100M-30D", "p-2");
        client.order(CARD, "GJ-TIME-1MO", "p-3");
        assert_eq!(trade.balance(NORTH), 10_000 + 60, "nothing is earned on the third");
        let list = |fields: Value| {
            let mut all = json!({"pageNum": 1, "pageSize": 100});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            good_as(&client, "north", PROFITS, all)
        };
        let number = first.data()["orderNumber"].clone();
        let found = list(json!({"orderNumber": number}));
        assert_eq!(
            found["data"][0],
            json!({"id": found["data"][0]["id"], "iccid": CARD, "platformId": 5, "orderId": first.data()["orderId"], "payCurrency": "USD",
                   "actualPrice": 1.3, "settleCurrency": "USD", "incomeMoney": 0.3, "actualProfit": 0.3, "childProfit": 0, "company": "NORTH",
                   "type": 1, "createDate": "2026-03-01 12:00:00",
                   "mem": format!("【Pkg Sell】,retail GJ-100M-30D,CardNo:{CARD},IncomeBenefit:0.30 USD"),
                   "packageUserName": "retail GJ-100M-30D", "packageCode": "GJ-100M-30D", "payRate": "1", "renew": 0})
        );
        let id = first.data()["orderId"].to_string();
        assert_eq!(client.ask("package/refundPackage", json!({"iccid": CARD, "orderId": id, "remark": "r"})).code(), "200");
        assert_eq!(trade.balance(NORTH), 10_000 + 30);
        let count = |fields: Value| list(fields)["data"].as_array().unwrap().len();
        for (fields, lines) in [
            (json!({}), 3),
            (json!({"orderNumber": number}), 2),
            (json!({"orderNumber": first.data()["orderId"]}), 2),
            (json!({"orderNumber": format!(" {} ", first.data()["orderId"])}), 2),
            (json!({"orderNumber": "99999999"}), 0),
            (json!({"param": CARD}), 3),
            (json!({"param": FOREIGN}), 0),
            (json!({"param": "13800000000"}), 0),
            (json!({"productCode": "1US-1"}), 3),
            (json!({"productCode": "CN-1"}), 0),
            (json!({"startDate": "2026-03-01 12:01:00"}), 2),
            (json!({"endDate": "2026-03-01 12:00:59"}), 1),
            (json!({"startDate": "2026-03-01 12:01:00", "endDate": "2026-03-01 12:00:59"}), 0),
            (json!({"ifWithdrawDeposit": 0}), 3),
            (json!({"ifWithdrawDeposit": 2}), 0),
            (json!({"withdrawDepositType": 1}), 0),
            (json!({"pageNum": 2, "pageSize": 2}), 1),
        ] {
            assert_eq!(count(fields.clone()), lines, "{fields}");
        }
        assert_eq!(list(json!({"pageSize": 2}))["total"], 2, "pages, not lines");
        let both = list(json!({"orderNumber": number}));
        let sum: f64 = both["data"].as_array().unwrap().iter().map(|l| l["actualProfit"].as_f64().unwrap()).sum();
        assert_eq!((sum, &both["data"][1]["type"], &both["data"][1]["incomeMoney"]), (0.0, &json!(2), &json!(-0.3)));
        let own = good(&client, PROFITS, json!({"pageNum": 1, "pageSize": 10}));
        assert_eq!(own, json!({"total": 0, "data": []}), "the buyer earned nothing");
        trade.assert_sound();
    });
}

#[test]
fn yen_are_earned_without_decimals() {
    const OSAKA: AccountId = AccountId(14);
    db::each(|store| {
        let trade = Trade::build(store);
        let made = trade.engine.store().write(|tx| {
            let kyoto = tx.accounts()?.into_iter().find(|a| a.id == KYOTO).expect("kyoto");
            let path = kyoto.path.child(OSAKA);
            tx.put_account(&Account { id: OSAKA, code: "osaka".into(), path, ..kyoto }, START)?;
            tx.put_credential("eiotclub", "key-osaka", OSAKA, &secret("osaka"))?;
            let yen = tx.packages()?.into_iter().find(|p| p.code == "GJ-YEN").expect("a package").id;
            tx.put_price(&Price { account: KYOTO, package: yen, price_minor: Some(100), retail_minor: Some(120), listed: None })?;
            tx.touch_catalogue()
        });
        made.expect("an account below");
        let paid = trade.engine.write(|tx, catalogue, how| {
            let yen = Money { minor: 1_000, currency: Currency::parse("JPY").expect("a currency") };
            money::top_up(tx, catalogue, OSAKA, yen, "opening balance", how.now)?;
            let product = catalogue.product_by_code("1US-1").expect("a product").id;
            let blank = sims::blank(&Iccid::parse(NOBODY).expect("an ICCID"), OSAKA, product);
            sims::put(tx, catalogue, how, &Sim { state: "active".into(), ..blank })
        });
        paid.expect("money and a card");
        let client = Client::new(&trade);
        let order = json!({"iccid": NOBODY, "packageCode": "GJ-YEN", "outTradeNo": "y-1"});
        assert_eq!(client.ask_as("osaka", "package/orderPackage", order).code(), "200");
        let earned = good_as(&client, "kyoto", PROFITS, json!({"pageNum": 1, "pageSize": 10}));
        let line = &earned["data"][0];
        assert_eq!(
            (&line["actualPrice"], &line["incomeMoney"], &line["actualProfit"], &line["settleCurrency"]),
            (&json!(120), &json!(20), &json!(20), &json!("JPY"))
        );
    });
}

#[test]
fn profits_are_paid_out() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let lines = |field: &str| {
            let asked = |number: i64| good_as(&client, "north", PROFITS, json!({"pageNum": 1, "pageSize": 9, field: number}));
            (0..=3)
                .filter(|n| field == "ifWithdrawDeposit" || (1..=2).contains(n))
                .map(|n| asked(n)["data"].as_array().unwrap().len())
                .collect::<Vec<_>>()
        };
        client.order(CARD, "GJ-100M-30D", "w-1");
        assert_eq!((lines("ifWithdrawDeposit"), lines("withdrawDepositType")), (vec![1, 0, 0, 0], vec![0, 0]));
        let withdraw = |kind| {
            trade.engine.write(move |tx, catalogue, how| profits::withdraw(tx, catalogue, how, NORTH, (kind, "Li"))).unwrap().id
        };
        let held = withdraw(WithdrawalKind::Manual);
        assert_eq!((lines("ifWithdrawDeposit"), lines("withdrawDepositType")), (vec![0, 1, 0, 0], vec![1, 0]));
        trade.engine.write(move |tx, _, how| profits::settle(tx, how, held, Some("no bank account"), "Ann")).unwrap();
        assert_eq!((lines("ifWithdrawDeposit"), trade.balance(NORTH)), (vec![0, 0, 0, 1], 10_030));
        client.order(CARD, "GJ-100M-30D", "w-2");
        withdraw(WithdrawalKind::Daily);
        assert_eq!((lines("ifWithdrawDeposit"), lines("withdrawDepositType")), (vec![0, 0, 2, 0], vec![0, 2]));
        assert_eq!(trade.balance(NORTH), 10_000, "it has left");
        trade.assert_sound();
    });
}

#[test]
fn what_is_refused() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let many = (0..51).map(|i| format!("n{i}")).collect::<Vec<_>>().join(",");
        let page = |fields: Value| {
            let mut all = json!({"outTradeNoArrStr": "a", "state": 0, "page": 1, "pageSize": 50});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            all
        };
        for (path, fields, code) in [
            (PRODUCT, json!({}), "43332"),
            (PRODUCT, json!({"productCode": "no-such"}), "45108"),
            (PACKAGE, json!({}), "41018"),
            (PACKAGE, json!({"packageCode": "no-such"}), "42007"),
            (PACKAGE, json!({"packageCode": "GJ-YEN"}), "42007"),
            (DETAILS, page(json!({"outTradeNoArrStr": null})), "43332"),
            (DETAILS, page(json!({"outTradeNoArrStr": many})), "42009"),
            (DETAILS, page(json!({"state": null})), "43332"),
            (DETAILS, page(json!({"state": 3})), "43332"),
            (DETAILS, page(json!({"page": 0})), "42403"),
            (DETAILS, page(json!({"page": null})), "42403"),
            (DETAILS, page(json!({"pageSize": 51})), "42407"),
            (DETAILS, page(json!({"pageSize": null})), "42407"),
            (PROFITS, json!({"pageSize": 10}), "42403"),
            (PROFITS, json!({"pageNum": 1}), "42407"),
            (PROFITS, json!({"pageNum": 1, "pageSize": 501}), "42407"),
            (PROFITS, json!({"pageNum": 1, "pageSize": 10, "param": "x"}), "43332"),
            (PROFITS, json!({"pageNum": 1, "pageSize": 10, "productCode": "x"}), "45108"),
            (PROFITS, json!({"pageNum": 1, "pageSize": 10, "startDate": "2026-02-30 00:00:00"}), "42409"),
            (PROFITS, json!({"pageNum": 1, "pageSize": 10, "ifWithdrawDeposit": 4}), "43332"),
            (PROFITS, json!({"pageNum": 1, "pageSize": 10, "withdrawDepositType": 0}), "43332"),
        ] {
            let answer = client.ask(path, fields.clone());
            assert_eq!(
                (answer.status, answer.code(), answer.data()),
                (200, code, &Value::Null),
                "{path} {fields}: {}",
                answer.text
            );
        }
        assert_eq!(trade.balance(ACME), 10_000);
    });
}
