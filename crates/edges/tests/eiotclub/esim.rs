//! eSIM goods: one profile is sold once, and what is told of it.

use crate::answers::{good, good_as};
use crate::client::{Answer, Client};
use crate::contract::{self, faults};
use kachi_domain::carrier::Write;
use kachi_domain::ledger::{self, Journal};
use kachi_domain::order::Channel;
use kachi_domain::sim::Blocks;
use kachi_domain::{Iccid, Refusal};
use kachi_engine::network::CardKey;
use kachi_engine::orders::{self, Place};
use kachi_engine::renewals::{self, Again, Renew, Review};
use kachi_engine::stock::Key;
use kachi_engine::switch::{self, Force};
use kachi_engine::{Actor, Fail, arrears, intents, sims};
use kachi_store::accounts::Account;
use kachi_store::esim::GoodsPrice;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, KYOTO, NORTH, OPERATOR, OTHER, Trade};
use serde_json::{Value, json};

const PROFILES: [&str; 3] = ["8910300000000000001", "8910300000000000002", "8910300000000000003"];
const BUY: &str = "esim/purchase";
const STATUS: &str = "esim/orderStatus";
const REFUND: &str = "esim/refund";

fn bought(client: &Client<'_>, goods: &str, number: &str) -> Value {
    good(client, BUY, json!({"eSIMGoodsCode": goods, "outTradeNo": number}))
}

/// A refusal of the declared types with a numeric code.
fn refused(answer: &Answer, path: &str, code: u32) {
    assert_eq!((answer.status, &answer.json["code"]), (200, &json!(code)), "{}", answer.text);
    let wrong = faults(&answer.json["code"], &contract::answer(path)["properties"]["code"], path);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_profile_is_bought_told_and_refunded() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM-US-100M", "GJ-100M-30D", 400, &PROFILES);
        trade.esim_goods("ESIM-YEN", "GJ-YEN", 900, &[]);
        let client = Client::new(&trade);
        let goods = good(&client, "esim/goods", json!({}));
        assert_eq!(goods["list"].as_array().unwrap().len(), 1, "not in another currency");
        let line = &goods["list"][0];
        assert_eq!(
            (&line["code"], &line["name"], &line["price"]),
            (&json!("ESIM-US-100M"), &json!("name of ESIM-US-100M"), &json!(400))
        );
        assert_eq!((&line["package"]["productCode"], &line["package"]["flowSize"]), (&json!("1US-1"), &json!(100)));
        let yen = good_as(&client, "kyoto", "esim/goods", json!({}));
        assert_eq!((&yen["list"][0]["code"], &yen["list"][0]["price"]), (&json!("ESIM-YEN"), &json!(900)));

        let first = bought(&client, "ESIM-US-100M", "e-1");
        assert_eq!(first["iccid"], PROFILES[0]);
        assert_eq!(first["activationCode"], format!("LPA:1$smdp.example${}", PROFILES[0]));
        assert_eq!(trade.balance(ACME), 10_000 - 400);
        let card = good(&client, "card/getCardsInfo", json!({"iccid": PROFILES[0]}));
        assert_eq!((&card["cardStatus"], &card["packageCode"]), (&json!("ACTIVATED_NAME"), &json!("GJ-100M-30D")));
        assert_eq!(bought(&client, "ESIM-US-100M", "e-2")["iccid"], PROFILES[1], "the next of the stock");

        let id = first["orderId"].as_str().unwrap();
        let status = |id: &str| good(&client, STATUS, json!({"orderId": id}));
        assert_eq!(status(id), json!({"status": 2, "iccid": PROFILES[0], "activationCode": first["activationCode"]}));
        let again = client.ask(BUY, json!({"eSIMGoodsCode": "ESIM-US-100M", "outTradeNo": "e-1"}));
        refused(&again, BUY, 503_016);
        assert_eq!(again.data(), &first, "the order that has the number");

        assert_eq!(good(&client, "esim/queryRefundAmount", json!({"orderId": id})), json!({"amount": 400, "currency": "USD"}));
        assert_eq!(good(&client, REFUND, json!({"orderId": id, "remark": "r"})), json!({}));
        assert_eq!(status(id), json!({"status": 3, "iccid": "", "activationCode": ""}));
        assert_eq!(trade.balance(ACME), 10_000 - 400);
        refused(&client.ask(REFUND, json!({"orderId": id, "remark": "r"})), REFUND, 45113);
        assert_eq!(client.ask("esim/queryRefundAmount", json!({"orderId": id})).code(), "45113");
        assert_eq!(bought(&client, "ESIM-US-100M", "e-3")["iccid"], PROFILES[2], "a profile that was told is not sold again");
        trade.assert_sound();
    });
}

#[test]
fn each_level_has_its_price_and_earns_its_difference() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM", "GJ-100M-30D", 400, &PROFILES);
        let client = Client::new(&trade);
        let price = |account: &str| good_as(&client, account, "esim/goods", json!({}))["list"][0]["price"].clone();
        let sets = |account, price_minor: Option<i64>, retail_minor: Option<i64>| {
            let done = trade.engine.write(move |tx, _, _| {
                let goods = tx.esim_goods()?[0].id;
                tx.put_esim_price(&GoodsPrice { account, goods, price_minor, retail_minor })?;
                Ok(tx.touch_catalogue()?)
            });
            done.expect("a price");
        };
        assert_eq!(
            (price("north"), price("acme"), price("other")),
            (json!(400), json!(400), json!(400)),
            "none set: one for all"
        );
        sets(NORTH, Some(350), Some(500));
        assert_eq!((price("north"), price("acme"), price("other")), (json!(350), json!(500), json!(400)));
        let first = bought(&client, "ESIM", "p-1");
        assert_eq!((trade.balance(ACME), trade.balance(NORTH)), (10_000 - 500, 10_000 + 150));
        let lines = good_as(&client, "north", "outputApi/listProfitInfo", json!({"pageNum": 1, "pageSize": 9}));
        let number = |field: &str| lines["data"][0][field].as_f64();
        assert_eq!((number("actualProfit"), number("actualPrice")), (Some(1.5), Some(5.0)));
        let id = first["orderId"].as_str().unwrap();
        assert_eq!(good(&client, REFUND, json!({"orderId": id, "remark": "r"})), json!({}));
        assert_eq!((trade.balance(ACME), trade.balance(NORTH)), (10_000, 10_000), "all of it goes back");
        sets(ACME, Some(300), None);
        let none = good(&client, "esim/goods", json!({}));
        assert_eq!(none["list"], json!([]), "a level above would sell below its own cost");
        refused(&client.ask(BUY, json!({"eSIMGoodsCode": "ESIM", "outTradeNo": "p-2"})), BUY, 45109);
        trade.assert_sound();
    });
}

#[test]
fn the_carriers_word_makes_or_undoes_the_order() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM-CARRIER", "GJ-CARRIER", 300, &PROFILES[..1]);
        let moved = trade.engine.write(|tx, catalogue, how| {
            let acme = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
            tx.put_account(&Account { time_zone: "America/New_York".into(), ..acme }, how.now)?;
            Ok(tx.touch_catalogue()?)
        });
        moved.unwrap();
        let client = Client::new(&trade);
        let waiting = bought(&client, "ESIM-CARRIER", "c-1");
        assert_eq!((&waiting["iccid"], &waiting["activationCode"]), (&json!(""), &json!("")), "not told before it is true");
        let id = waiting["orderId"].as_str().unwrap().to_owned();
        let status = |id: &str| good(&client, STATUS, json!({"orderId": id}))["status"].clone();
        assert_eq!((status(&id), trade.balance(ACME)), (json!(1), 10_000 - 300), "the money is held");
        refused(&client.ask(BUY, json!({"eSIMGoodsCode": "ESIM-CARRIER", "outTradeNo": "c-2"})), BUY, 45110);
        refused(&client.ask(REFUND, json!({"orderId": id, "remark": "r"})), REFUND, 45113);
        intents::refuse(&trade.engine, 1, "a person", "no such plan").unwrap();
        assert_eq!((status(&id), trade.balance(ACME)), (json!(-1), 10_000));
        assert_eq!(trade.engine.read(|tx, _| Ok(tx.sim_by_id(trade.sim(PROFILES[0]))?)).unwrap().unwrap().account, OPERATOR);

        let id = bought(&client, "ESIM-CARRIER", "c-3")["orderId"].as_str().unwrap().to_owned();
        intents::confirm(&trade.engine, 2, "a person").unwrap();
        let told = good(&client, STATUS, json!({"orderId": id}));
        assert_eq!((&told["status"], &told["iccid"]), (&json!(2), &json!(PROFILES[0])), "the profile was in stock again");
        let bought =
            trade.engine.read(|tx, _| Ok(tx.subscriptions(trade.sim(PROFILES[0]))?)).unwrap().pop().expect("it is bought");
        let zone = bought.zone.as_ref().map(kachi_domain::Zone::name);
        assert_eq!(
            (bought.account, zone),
            (ACME, Some("America/New_York")),
            "the buyer's months, though the card was the operator's"
        );
        trade.assert_sound();
    });
}

#[test]
fn a_profile_that_comes_to_an_account_in_arrears_is_stopped() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM-CARRIER", "GJ-CARRIER", 300, &PROFILES[..1]);
        let client = Client::new(&trade);
        bought(&client, "ESIM-CARRIER", "c-1");
        let spent = trade.engine.write(|tx, catalogue, how| {
            let acme = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
            tx.put_account(&Account { credit_minor: 500, credit_stop: true, ..acme }, how.now)?;
            let (available, ..) = tx.balance(ACME)?;
            tx.post(ACME, Journal::SmsCharge, "test", &ledger::sms_charge(ACME, available + 500), how.now)?;
            Ok(tx.touch_catalogue()?)
        });
        spent.unwrap();
        while arrears::step(&trade.engine).unwrap() > 0 {}
        intents::confirm(&trade.engine, 1, "a person").unwrap();
        let card = trade.engine.read(|tx, _| Ok(tx.sim_by_id(trade.sim(PROFILES[0]))?)).unwrap().expect("the card");
        assert_eq!(card.account, ACME);
        assert!(Blocks(card.blocks).has(Blocks::CREDIT), "{:?}", Blocks(card.blocks).names());
        assert_eq!(arrears::step(&trade.engine).unwrap(), 0);
        trade.assert_sound();
    });
}

#[test]
fn nothing_is_done_with_a_profile_that_is_not_sold_yet() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM-CARRIER", "GJ-CARRIER", 300, &PROFILES[..1]);
        let client = Client::new(&trade);
        let [all, mine] = [OPERATOR, ACME].map(|who| trade.actor(who));
        let list = || good(&client, "card/getAllCardInfo", json!({"pageNum": "1"}))["cardInfoList"].clone();
        let cards = || list().as_array().expect("a list").iter().map(|c| c["iccid"].clone()).collect::<Vec<_>>();
        let before = cards();
        assert!(!before.is_empty());
        let id = bought(&client, "ESIM-CARRIER", "c-1")["orderId"].as_str().unwrap().to_owned();
        assert_eq!(cards(), before, "the card is not the buyer's before the carrier has confirmed");
        assert_eq!(client.order(PROFILES[0], "GJ-100M-30D", "more").code(), "42405");
        assert_eq!(client.ask("card/getCardsInfo", json!({"iccid": PROFILES[0]})).code(), "42405");
        let refused_to = |who: &Actor| {
            let (who, iccid) = (who.clone(), Iccid::parse(PROFILES[0]).unwrap());
            let renew = renewal_of(iccid.clone());
            let place = order_for(iccid.clone());
            [
                trade.engine.write({
                    let who = who.clone();
                    move |tx, catalogue, how| orders::place(tx, catalogue, how, &who, &place).map(|_| ())
                }),
                trade.engine.write({
                    let who = who.clone();
                    move |tx, catalogue, how| renewals::renew(tx, catalogue, how, &who, &renew).map(|_| ())
                }),
                trade.engine.write({
                    let (who, key) = (who.clone(), Key::Iccid(iccid.clone()));
                    move |tx, catalogue, how| switch::switch(tx, catalogue, how, &who, (&key, Write::Stop, "s-1")).map(|_| ())
                }),
                trade.engine.write({
                    let (who, iccid) = (who.clone(), iccid.clone());
                    let why = (Force::Stop, "a person", "no reason");
                    move |tx, catalogue, how| switch::force(tx, catalogue, how, &who, (&iccid, why.0, why.1, why.2)).map(|_| ())
                }),
                trade.engine.write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &who, &iccid, OTHER).map(|_| ())),
            ]
        };
        let unsold = |done: &Result<(), Fail>| match done {
            Err(Fail::Refused(Refusal::BadField { field, rule })) => field == "iccid" && rule.contains("not sold yet"),
            _ => false,
        };
        let none = |done: &Result<(), Fail>| matches!(done, Err(Fail::Refused(Refusal::UnknownSim)));
        assert!(refused_to(&all).iter().all(unsold) && refused_to(&mine).iter().all(none), "while it is pending");
        intents::refuse(&trade.engine, 1, "a person", "no such plan").unwrap();
        assert_eq!(good(&client, STATUS, json!({"orderId": id}))["status"], -1);
        assert!(refused_to(&all).iter().all(unsold), "in stock");
        assert_eq!(trade.balance(ACME), 10_000);
        good_as(&client, "other", BUY, json!({"eSIMGoodsCode": "ESIM-CARRIER", "outTradeNo": "c-2"}));
        intents::confirm(&trade.engine, 2, "a person").unwrap();
        let theirs = good_as(&client, "other", "package/packageOrderRecord", json!({"iccid": PROFILES[0]}));
        assert_eq!(
            theirs.as_array().map(Vec::len),
            Some(1),
            "the package that came with it, and nothing of anybody else's: {theirs}"
        );
        assert_eq!(client.ask("card/getCardsInfo", json!({"iccid": PROFILES[0]})).code(), "42405");
        trade.assert_sound();
    });
}

fn order_for(iccid: Iccid) -> Place {
    let (package_code, number) = ("GJ-100M-30D".to_owned(), "1".repeat(32));
    Place { iccid, package_code, out_trade_no: None, channel: Channel::Api, custom_data: None, number }
}

fn renewal_of(iccid: Iccid) -> Renew {
    Renew {
        card: CardKey::Iccid(iccid),
        package_code: "GJ-100M-30D".into(),
        months: 1,
        again: Again::Refuse,
        start_day: None,
        review: Review::Automatic,
        remark: None,
        digits: 1,
    }
}

#[test]
fn a_profile_that_is_another_accounts_or_has_a_package_is_not_sold() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM", "GJ-100M-30D", 400, &PROFILES);
        let client = Client::new(&trade);
        // As a database may have it in which profiles could be moved.
        let moved = trade.sim(PROFILES[0]);
        trade.engine.write(move |tx, _, how| Ok(tx.move_sim(moved, OTHER, how.now)?)).unwrap();
        let report = kachi_engine::audit::audit(&trade.engine).unwrap();
        assert_eq!(report.violations, [format!("card {moved}: in the stock of eSIM goods, but another account's")]);
        let order = json!({"iccid": PROFILES[0], "packageCode": "GJ-100M-30D", "outTradeNo": "theirs"});
        assert_eq!(client.ask_as("other", "package/orderPackage", order).code(), "200");
        assert_eq!(bought(&client, "ESIM", "e-1")["iccid"], PROFILES[1], "the first is another customer's card");
        trade.engine.write(move |tx, _, how| Ok(tx.move_sim(moved, OPERATOR, how.now)?)).unwrap();
        assert_eq!(bought(&client, "ESIM", "e-2")["iccid"], PROFILES[2], "it has that customer's package");
        refused(&client.ask(BUY, json!({"eSIMGoodsCode": "ESIM", "outTradeNo": "e-3"})), BUY, 45110);
    });
}

#[test]
fn sixty_four_at_once_buy_the_last_profile_once() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM-LAST", "GJ-100M-30D", 100, &PROFILES[..1]);
        let client = Client::new(&trade);
        let accounts = ["acme", "north", "other"];
        let body =
            |i: usize| client.sealed(accounts[i % 3], &json!({"eSIMGoodsCode": "ESIM-LAST", "outTradeNo": format!("n-{i}")}));
        let answers = client.race(BUY, (0..64).map(body).collect());
        let count = |code: &str| answers.iter().filter(|a| a.any_code() == code).count();
        assert_eq!((count("200"), count("45110")), (1, 63), "{answers:#?}");
        let paid: i64 =
            [ACME, kachi_testkit::trade::NORTH, kachi_testkit::trade::OTHER].iter().map(|a| 10_000 - trade.balance(*a)).sum();
        assert_eq!(paid, 100, "paid once");
        trade.assert_sound();
    });
}

#[test]
fn what_is_refused() {
    db::each(|store| {
        let trade = Trade::build(store);
        trade.esim_goods("ESIM", "GJ-100M-30D", 400, &PROFILES[..1]);
        trade.esim_goods("EMPTY", "GJ-100M-30D", 1, &[]);
        trade.esim_goods("DEAR", "GJ-100M-30D", 20_000, &PROFILES[1..]);
        let client = Client::new(&trade);
        let card_order = client.order(CARD, "GJ-100M-30D", "card").data()["orderId"].to_string();
        let theirs = client.ask_as("other", BUY, json!({"eSIMGoodsCode": "ESIM", "outTradeNo": "o"})).data()["orderId"].clone();
        let balance = trade.balance(ACME);
        let order = |goods: Value, number: Value| json!({"eSIMGoodsCode": goods, "outTradeNo": number});
        for (path, fields, code) in [
            (BUY, order(json!(null), json!("n")), 43332),
            (BUY, order(json!("x".repeat(256)), json!("n")), 43332),
            (BUY, order(json!("ESIM"), json!(null)), 42001),
            (BUY, order(json!("ESIM"), json!("x".repeat(33))), 42001),
            (BUY, order(json!("ESIM"), json!("1,2")), 42001),
            (BUY, order(json!("no-such"), json!("n")), 45109),
            (BUY, order(json!("EMPTY"), json!("n")), 45110),
            (BUY, order(json!("DEAR"), json!("n")), 45112),
            (REFUND, json!({"orderId": theirs, "remark": "r"}), 45111),
            (REFUND, json!({"orderId": card_order, "remark": "r"}), 45111),
            (REFUND, json!({"orderId": theirs}), 45106),
            (REFUND, json!({"remark": "r"}), 42003),
        ] {
            let answer = client.ask(path, fields.clone());
            refused(&answer, path, code);
            assert_eq!(answer.data(), &Value::Null, "{path} {fields}");
        }
        for path in [STATUS, "esim/queryRefundAmount"] {
            for (fields, code) in [
                (json!({}), "42003"),
                (json!({"orderId": "x"}), "42003"),
                (json!({"orderId": "99999999"}), "45111"),
                (json!({"orderId": theirs}), "45111"),
                (json!({"orderId": card_order}), "45111"),
            ] {
                assert_eq!(client.ask(path, fields.clone()).code(), code, "{path} {fields}");
            }
        }
        let taken = client.ask(BUY, order(json!("DEAR"), json!("card")));
        refused(&taken, BUY, 503_016);
        assert_eq!(taken.data(), &json!({"orderId": card_order, "iccid": "", "activationCode": ""}), "a card's order has it");
        assert_eq!((trade.balance(ACME), trade.balance(KYOTO)), (balance, 10_000), "nothing was charged");
        let unsigned = client.post(BUY, "{}");
        assert!(unsigned.json["code"].is_u64(), "also for who is not known: {}", unsigned.text);
    });
}
