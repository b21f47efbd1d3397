//! Good answers to questions, each as the contract declares it, with figures that are true.

use crate::shop::{MSISDN, MSISDN_CN, MSISDN_FOREIGN, NORTH_SID, OTHER_SID, SID, Shop, renewable};
use kachi_dialects::cardboss::Operation;
use kachi_domain::carrier::{Line, Session, Standing};
use kachi_domain::package::{Category, Fulfil, Kind, Resource};
use kachi_domain::sim::BaseState;
use kachi_domain::sms::SmsState;
use kachi_domain::{Iccid, PoolId, Span, Timestamp};
use kachi_engine::{intents, pools, refunds, sims};
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, NORTH, READY, package};
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const KB: i64 = 1024;
const MB: i64 = 1 << 20;

fn of<'v>(value: &'v Value, names: &[&str]) -> Vec<&'v Value> {
    names.iter().map(|name| &value[*name]).collect()
}

#[test]
fn an_account_as_it_is() {
    db::each(|store| {
        let shop = Shop::new(store);
        let contact = shop.trade.engine.store().write(|tx| {
            let account = tx.accounts()?.into_iter().find(|a| a.id == ACME).expect("an account");
            let contact = r#"{"phone":"0512-1","linkman":"Li","warning_mails":"a@b.example","warning_phones":"13800000001","extcode":"003"}"#;
            tx.put_account(&kachi_store::accounts::Account { contact: contact.into(), ..account }, kachi_domain::Timestamp(0))?;
            tx.put_login("acme-owner", ACME, "owner", "x", kachi_domain::Timestamp(0))?;
            tx.touch_catalogue()
        });
        contact.unwrap();
        let customer = shop.good(Operation::CustomerGet, json!({}));
        assert_eq!(
            customer,
            json!({"sid": SID, "name": "ACME", "telephone": "0512-1", "status": "1", "balance": 100, "extcode": "003",
                   "loginname": "acme-owner", "linkman": "Li", "warningmails": "a@b.example", "warningphones": "13800000001",
                   "signature": "【物联网卡运营平台】", "cardqty": 4})
        );
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        assert_eq!(shop.good(Operation::CustomerGet, json!({}))["balance"], json!(98.7));
        let above = shop.good_as(NORTH_SID, Operation::CustomerGet, json!({}));
        assert_eq!((&above["cardqty"], &above["loginname"]), (&json!(0), &json!("")), "the cards of accounts below do not count");
    });
}

#[test]
fn cards_come_a_hundred_a_page() {
    db::each(|store| {
        let shop = Shop::new(store);
        let page = shop.good(Operation::CardList, json!({"pageindex": "1"}));
        assert_eq!(of(&page, &["count", "pageindex", "totalpage"]), [&json!(4), &json!(1), &json!(1)]);
        assert_eq!(
            page["cards"][0],
            json!({"msisdn": MSISDN, "msisdns": MSISDN, "iccid": CARD, "imsi": "460001234567890", "state": "1"})
        );
        assert_eq!(page["cards"][3]["state"], "1", "closed for good, which is not the owner's switch");
        assert_eq!(shop.good(Operation::CardList, json!({"pageindex": "2"}))["cards"], json!([]));
        assert_eq!(
            shop.good_as(NORTH_SID, Operation::CardList, json!({"pageindex": "1"}))["count"],
            4,
            "an account sees below it"
        );
        assert_eq!(shop.good_as(OTHER_SID, Operation::CardList, json!({"pageindex": "1"}))["count"], 1);
    });
}

#[test]
fn a_card_in_detail() {
    db::each(|store| {
        let shop = Shop::new(store);
        shop.trade.engine.note_carrier_balance(shop.trade.sim(CHINESE), -160, shop.trade.now()).unwrap();
        shop.buy(CHINESE, "CN-100M-30D", "n-1");
        shop.trade.traffic(CHINESE, shop.midnight(-1), 7 * MB);
        shop.trade.traffic(CHINESE, shop.trade.now(), 805 * KB + 512);
        let detail = shop.good(Operation::CardDetail, json!({"msisdns": MSISDN_CN}));
        let card = &detail["cards"][0];
        assert_eq!(detail["count"], 1);
        for (name, wanted) in [
            ("msisdn", json!(MSISDN_CN)),
            ("iccid", json!(CHINESE)),
            ("state", json!("1")),
            ("balance", json!(-1.6)),
            ("status", json!("00-正常")),
            ("msstatus", json!("2")),
            ("msStatus", json!("2")),
            ("cycle", json!("3")),
            ("activedate", json!("2026-03-01")),
            ("stoptestdate", json!("2026-03-01")),
            ("stopsleepdate", json!("2026-07-31")),
            ("expiredate", json!("2026-03-31")),
            ("openpool", json!("0")),
            ("mno", json!("CM")),
            ("yys", json!("CM")),
            ("pkgcode", json!("CN-100M-30D")),
            ("pkgname", json!("name of CN-100M-30D")),
            ("isxn", json!("1")),
            ("isjyb", json!("0")),
            ("imei", json!("867530912345678")),
            ("openapns", json!("CMIOT,M2MIOT")),
            ("apnstatus", json!("CMIOT:正常,M2MIOT:正常")),
            ("pkgtotalflow", json!(102_400)),
            ("pkgusedflow", json!(805.5)),
            ("pkgtotalusedflow", json!(805.5)),
            ("pkgleftflow", json!(101_594.5)),
            ("flowusage", json!(805.5)),
            ("connectusage", json!(1)),
            ("outflowusage", json!(0)),
            ("monthsincdate", json!("2026-03-01")),
        ] {
            assert_eq!(card[name], wanted, "{name}");
        }
        let two = shop.good(Operation::CardDetail, json!({"iccids": format!("{},{CARD},{CARD}", READY.to_lowercase())}));
        let found: Vec<_> = two["cards"].as_array().unwrap().iter().map(|c| c["iccid"].as_str().unwrap()).collect();
        assert_eq!(found, [READY, CARD], "in the order asked, each once");
        assert_eq!(of(&two["cards"][1], &["sbbh", "mno", "yys"]), [&json!("gate 7"), &json!("INTL"), &json!("INTL")]);
        let both = shop.good(Operation::CardDetail, json!({"msisdns": MSISDN, "iccids": READY}));
        assert_eq!(both["cards"][0]["iccid"], CARD, "telephone numbers win");
        let above = shop.good_as(NORTH_SID, Operation::CardDetail, json!({"msisdns": MSISDN}));
        assert_eq!(above["count"], 1, "a card of an account below");
        let some = shop.good(Operation::CardDetail, json!({"msisdns": format!("{MSISDN},{MSISDN_FOREIGN}")}));
        assert_eq!(some["count"], 1, "a stranger's card is left out");
    });
}

#[test]
fn what_a_month_package_used_in_earlier_months_is_not_of_the_month_in_which_it_ends() {
    db::each(|store| {
        let shop = Shop::new(store);
        renewable(&shop);
        shop.good(Operation::PkgRenew, json!({"msisdn": MSISDN_CN, "pkgcode": "CN-MONTH", "month": "12", "audit": "2"}));
        let traffic = |mb: i64| {
            shop.trade.traffic(CHINESE, shop.trade.now(), mb * MB);
            shop.trade.pass(60);
        };
        let used = || {
            let usage = shop.good(Operation::UsageCurrent, json!({"msisdns": MSISDN_CN}))["usages"][0].clone();
            ["pkgusedflow", "pkgtotalusedflow", "flowusage"].map(|name| usage[name].as_i64().expect("kb") / KB)
        };
        traffic(30);
        shop.trade.pass(364 * DAY);
        traffic(7);
        shop.trade.pass(DAY - 300);
        assert_eq!(used(), [0, 0, 0], "a new month");
        traffic(2);
        assert_eq!(used(), [2, 2, 2]);
        shop.trade.pass(300);
        while kachi_engine::cards::settle_due(&shop.trade.engine).expect("it is settled") > 0 {}
        assert_eq!(used(), [0, 2, 2], "of its life's 39");
        shop.buy(CHINESE, "CN-50M-7D", "n-1");
        traffic(5);
        assert_eq!(used(), [5, 7, 7]);
    });
}

/// What the carrier last said of a card, told at the trade's time.
fn said(shop: &Shop, iccid: &str, line: Line) {
    let id = shop.trade.sim(iccid);
    let kept = shop.trade.engine.write(move |tx, _, how| {
        let word = tx.carrier_word(id)?.hear(&line, how.now);
        Ok(tx.put_carrier_word(id, &word)?)
    });
    kept.expect("its word");
}

#[test]
fn a_card_is_connected_as_its_carrier_last_said() {
    db::each(|store| {
        let shop = Shop::new(store);
        let names = ["online", "gprsStatus", "apn", "rat", "ip", "onoff", "onOff", "statusyncdate"];
        let shown = || {
            let card = shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0].clone();
            of(&card, &names).into_iter().map(|v| v.as_str().expect("text").to_owned()).collect::<Vec<_>>().join("|")
        };
        shop.trade.traffic(CARD, shop.trade.now(), MB);
        assert_eq!(shown(), "|||||||", "nobody told: not even that it is off, nor when it stood so");
        let session = |rat: &str| {
            let (apn, ip, rat) = (Some("cmiot".to_owned()), Some("10.0.0.7".to_owned()), Some(rat.to_owned()));
            Session { since: None, apn, ip, rat }
        };
        shop.trade.pass(86_400);
        said(&shop, CARD, Line { sessions: Some(vec![session("LTE")]), ..Line::default() });
        assert_eq!(shown(), "在线|在线|4G|cmiot|10.0.0.7|||", "the source has the two names the other way round");
        said(&shop, CARD, Line { sessions: Some(vec![session("2G")]), ..Line::default() });
        assert_eq!(shown(), "在线|在线|2G|cmiot|10.0.0.7|||");
        let standing = Some(Standing { base: BaseState::Active, raw: "2".into(), since: None });
        said(&shop, CARD, Line { sessions: Some(Vec::new()), standing, ..Line::default() });
        assert_eq!(shown(), "离线|离线||||||2026-03-02", "its state has a time of its own");
        let usage = shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0]["monthsincdate"].clone();
        assert_eq!(usage, "2026-03-01");
        said(&shop, CARD, Line { power: Some(true), ..Line::default() });
        assert_eq!(shown(), "离线|离线||||开机|1|2026-03-02", "switched on and not connected");
        said(&shop, CARD, Line { power: Some(false), ..Line::default() });
        assert_eq!(shown(), "离线|离线||||关机|0|2026-03-02");
        shop.trade.pass(86_400);
        assert_eq!(shown(), "离线|离线||||关机|0|2026-03-02");
        shop.trade.pass(1);
        assert_eq!(shown(), "|||||||2026-03-02", "what was read more than a day ago says nothing of now, whoever asked before");
    });
}

#[test]
fn what_was_bought_this_month_is_what_the_card_had() {
    db::each(|store| {
        let shop = Shop::new(store);
        let sold = shop.trade.engine.write(|tx, catalogue, _| {
            let product = catalogue.product_by_code("1US-1").expect("a product").id;
            for (code, category, fulfil) in [
                ("TOP", Category::TopUp, Fulfil::Local),
                ("TOP-C", Category::TopUp, Fulfil::Carrier),
                ("SAFE-C", Category::Safety, Fulfil::Carrier),
            ] {
                let mut package = package(code, product, Kind::Quota, Span::Days(30), 10);
                (package.terms.category, package.fulfil) = (category, fulfil);
                tx.put_package(&package)?;
            }
            Ok(tx.touch_catalogue()?)
        });
        sold.expect("packages");
        let marks = || {
            let card = shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0].clone();
            of(&card, &["isjyb", "isaxb"]).into_iter().map(|v| v.as_str().expect("text").to_owned()).collect::<String>()
        };
        shop.buy(CARD, "TOP-C", "n-1");
        shop.buy(CARD, "SAFE-C", "n-2");
        assert_eq!(marks(), "00", "ordered, and not confirmed by the carrier");
        for (order, yes) in shop.trade.engine.read(|tx, _| Ok(tx.intents(true, 10)?)).expect("writes").iter().zip([false, true]) {
            let engine = &shop.trade.engine;
            if yes { intents::confirm(engine, order.id, "Li") } else { intents::refuse(engine, order.id, "Li", "no") }
                .expect("a word");
        }
        assert!(["10", "01"].contains(&marks().as_str()), "of two one came: {}", marks());
        let before = marks();
        shop.buy(CARD, "TOP", "n-3");
        assert_eq!(&marks()[..1], "1");
        let (actor, card) = (shop.trade.actor(ACME), Iccid::parse(CARD).unwrap());
        let refunded = shop.trade.engine.write(move |tx, catalogue, how| {
            let sim = tx.sim_by_iccid(&actor.path, card.as_str())?.expect("a card");
            let last = tx.subscriptions(sim.id)?.pop().expect("a subscription").order;
            refunds::refund(tx, catalogue, how, &actor, &card, last, "")
        });
        refunded.expect("taken back");
        assert_eq!(marks(), before, "taken back, it was not bought");
    });
}

#[test]
fn the_day_a_card_expires_is_its_last_one() {
    db::each(|store| {
        let shop = Shop::new(store);
        shop.trade.pass(shop.midnight(1).since(shop.trade.now()));
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        let day = || shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0]["expiredate"].clone();
        assert_eq!(day(), "2026-03-31", "thirty days from the 2nd: midnight after the 31st");
        let package = shop.good(Operation::PkgGet, json!({"msisdn": MSISDN}))["pkgs"][0]["enddate"].clone();
        assert_eq!(package, day(), "as its only package says");
    });
}

#[test]
fn a_card_expires_with_the_last_of_its_packages_whatever_that_is_and_only_a_main_one_is_its_package() {
    db::each(|store| {
        let shop = Shop::new(store);
        shop.sell("SMS-60D", Span::Days(60), |t| (t.resource, t.allowance) = (Resource::Sms, 10));
        shop.sell("SAFE-1Y", Span::Months(12), |t| t.category = Category::Safety);
        let shown = || {
            let card = shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0].clone();
            let pkgs = shop.good(Operation::PkgGet, json!({"msisdn": MSISDN}))["pkgs"].clone();
            let ends: Vec<_> = pkgs.as_array().unwrap().iter().map(|p| p["enddate"].as_str().unwrap().to_owned()).collect();
            assert!(ends.iter().all(|end| !end.is_empty()), "each has an end: {pkgs}");
            assert_eq!(card["expiredate"].as_str(), ends.iter().max().map(String::as_str), "{pkgs}");
            of(&card, &["expiredate", "pkgcode", "pkgname"]).into_iter().cloned().collect::<Vec<_>>()
        };
        shop.buy(CARD, "SMS-60D", "n-1");
        assert_eq!(shown(), [json!("2026-04-30"), json!(""), json!("")], "messages are no main package");
        shop.buy(CARD, "GJ-100M-30D", "n-2");
        assert_eq!(shown(), [json!("2026-04-30"), json!("GJ-100M-30D"), json!("name of GJ-100M-30D")]);
        shop.buy(CARD, "SAFE-1Y", "n-3");
        assert_eq!(shown()[0], "2027-03-01");
        shop.trade.traffic(CARD, shop.trade.now(), 200 * MB);
        assert_eq!(shown(), [json!("2026-04-30"), json!(""), json!("")], "the data is used up, the messages are not");
        shop.good(Operation::PkgRenew, json!({"msisdn": MSISDN, "pkgcode": "SMS-60D", "month": "2", "audit": "2"}));
        assert_eq!(shown()[0], "2026-06-29", "behind the last of its like");
    });
}

/// Numbers that the operation does not sign name no card, however they came along.
#[test]
fn a_card_is_named_by_what_is_signed() {
    db::each(|store| {
        let shop = Shop::new(store);
        let many = vec![MSISDN; 101].join(",");
        for (operation, list) in [
            (Operation::CardDetail, "cards"),
            (Operation::UsageCurrent, "usages"),
            (Operation::UsagePast, "usages"),
            (Operation::UsageDay, "usages"),
        ] {
            let fields = json!({"iccids": READY, "month": "202602", "day": "20260301"});
            let form = shop.sealed(SID, operation, &fields);
            for added in [format!("&msisdn={MSISDN}"), format!("&msisdn={many}"), format!("&iccid={CARD}")] {
                let answer = shop.send(operation, &format!("{form}{added}"));
                let cards = answer.result()[list].as_array().unwrap_or_else(|| panic!("{operation:?} {added}: {}", answer.text));
                let found: Vec<&str> = cards.iter().map(|c| c["iccid"].as_str().unwrap()).collect();
                assert_eq!(found, [READY], "{operation:?} {}", &added[..12]);
            }
        }
        let form = shop.sealed(SID, Operation::PkgGet, &json!({"iccid": READY}));
        for added in [format!("&msisdns={MSISDN}"), format!("&iccids={CARD}")] {
            let answer = shop.send(Operation::PkgGet, &format!("{form}{added}"));
            assert_eq!((answer.code(), &answer.result()["msisdn"]), ("0", &json!("")), "{added}: {}", answer.text);
        }
        let form = shop.sealed(SID, Operation::UsagePast, &json!({"month": "202602", "iccids": CARD}));
        let past = shop.send(Operation::UsagePast, &form.replace("iccids=", "iccid="));
        assert_eq!(past.result()["usages"][0]["iccid"], CARD, "as the table of the source names it: {}", past.text);
    });
}

#[test]
fn what_a_card_did_before_it_moved_is_not_its_new_owners() {
    db::each(|store| {
        let shop = Shop::new(store);
        let id = shop.trade.sim(CARD);
        let does = |number: &'static str| {
            shop.trade.traffic(CARD, shop.trade.now(), 5 * MB);
            let done = shop.trade.engine.write(move |tx, _, how| {
                tx.put_voice(id, how.now, 600, how.now)?;
                tx.add_sms(ACME, id, number, "x", how.now)?;
                Ok(tx.set_sms(number, SmsState::Sent, "", how.now)?)
            });
            done.expect("it spoke and was written to");
            shop.trade.pass(60);
        };
        let goes = |to| {
            let (actor, card) = (shop.trade.actor(NORTH), Iccid::parse(CARD).unwrap());
            let gone = shop.trade.engine.write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &actor, &card, to));
            gone.expect("it moves");
            shop.trade.pass(60);
        };
        let names = ["smsusage", "voiceusage", "outflowusage", "flowusage"];
        let shown = |sid: &str| {
            let card = shop.good_as(sid, Operation::UsageCurrent, json!({"iccids": CARD}))["usages"][0].clone();
            of(&card, &names).into_iter().map(|v| v.as_i64().expect("a number")).collect::<Vec<_>>()
        };
        let kb = 5 * 1024;
        does("m-1");
        assert_eq!(shown(SID), [1, 10, kb, kb]);
        goes(NORTH);
        does("m-2");
        assert_eq!(shown(NORTH_SID), [2, 20, 2 * kb, 2 * kb], "who is above both sees all of it");
        goes(ACME);
        assert_eq!(shown(SID), [0, 0, 0, kb], "nothing of what it did while it was another's");
        does("m-3");
        assert_eq!(shown(SID), [1, 10, kb, 2 * kb]);
        assert_eq!(shown(NORTH_SID), [3, 30, 3 * kb, 3 * kb]);
        shop.trade.assert_sound();
    });
}

#[test]
fn what_a_card_spoke_in_the_month_it_moved_in_is_parted_at_the_move() {
    db::each(|store| {
        let shop = Shop::new(store);
        let (id, month) = (shop.trade.sim(CARD), shop.trade.now());
        let speaks = |from: Timestamp, minutes: i64| {
            shop.trade.pass(60);
            shop.trade.engine.write(move |tx, _, how| Ok(tx.put_voice(id, from, minutes * 60, how.now)?)).expect("it spoke");
        };
        let goes = |to| {
            shop.trade.pass(60);
            let (actor, card) = (shop.trade.actor(NORTH), Iccid::parse(CARD).unwrap());
            let gone = shop.trade.engine.write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &actor, &card, to));
            gone.expect("it moves");
        };
        let shown = |sid: &str| {
            let asked = shop.good_as(sid, Operation::UsageCurrent, json!({"iccids": CARD}));
            asked["usages"][0]["voiceusage"].as_i64().expect("minutes")
        };
        speaks(month, 10);
        goes(NORTH);
        assert_eq!(shown(NORTH_SID), 10, "who is above both sees all of it");
        speaks(month, 14);
        goes(ACME);
        assert_eq!(shown(SID), 0);
        speaks(month, 21);
        assert_eq!((shown(SID), shown(NORTH_SID)), (7, 21), "what the month's count grew by since");
        speaks(month.plus(3_600), 2);
        assert_eq!((shown(SID), shown(NORTH_SID)), (9, 23), "and the months after");
        // Of a month that was not told before the move, it is what came after it was.
        shop.trade.pass(7_200);
        goes(NORTH);
        let next = shop.trade.now().plus(-30);
        goes(ACME);
        speaks(next, 5);
        assert_eq!(shown(SID), 0);
        speaks(next, 8);
        assert_eq!((shown(SID), shown(NORTH_SID)), (3, 31));
        shop.trade.assert_sound();
    });
}

#[test]
fn use_of_this_month_of_past_months_and_of_days() {
    db::each(|store| {
        let shop = Shop::new(store);
        // Twenty days back lies in February; 100 MB bought then are used up there with 10 MB that nothing pays for.
        let february = shop.midnight(-20);
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        shop.trade.traffic(CARD, february, 3 * MB);
        shop.trade.traffic(CARD, shop.trade.now(), 103 * MB);
        shop.trade.pass(3600);
        shop.trade.traffic(CARD, shop.trade.now(), 5 * MB);
        let now = &shop.good(Operation::UsageCurrent, json!({"msisdns": MSISDN}))["usages"][0];
        let names =
            ["flowusage", "connectusage", "outflowusage", "pkgtotalflow", "pkgusedflow", "pkgtotalusedflow", "pkgleftflow"];
        let kb = |mb: i64| json!(mb * 1024);
        assert_eq!(of(now, &names), [&kb(108), &json!(2), &kb(8), &json!(0), &json!(0), &kb(100), &json!(0)]);
        let past = &shop.good(Operation::UsagePast, json!({"month": "202602", "iccids": CARD}))["usages"][0];
        assert_eq!(of(past, &["month", "flowusage", "outflowusage"]), [&json!("202602"), &kb(3), &kb(3)]);
        let same = &shop.good(Operation::UsagePast, json!({"month": "202603", "showday": "1", "iccids": CARD}))["usages"][0];
        assert_eq!(of(same, &["flowusage", "outflowusage"]), [&kb(108), &kb(8)]);
        let empty = &shop.good(Operation::UsagePast, json!({"month": "202512", "iccids": CARD}))["usages"][0];
        assert_eq!(of(empty, &["flowusage", "connectusage"]), [&json!(0), &json!(0)]);
        let day = shop.good(Operation::UsageDay, json!({"day": "20260301", "msisdns": format!("{MSISDN},{MSISDN_CN}")}));
        assert_eq!(of(&day, &["count", "day"]), [&json!(2), &json!("20260301")]);
        assert_eq!(of(&day["usages"][0], &["msisdn", "usage"]), [&json!(MSISDN), &kb(108)]);
        assert_eq!(day["usages"][1]["usage"], 0);
        assert_eq!(shop.good(Operation::UsageDay, json!({"day": "20260222", "msisdns": MSISDN}))["usages"][0]["usage"], 0);
    });
}

#[test]
fn packages_in_use_and_waiting() {
    db::each(|store| {
        let shop = Shop::new(store);
        shop.buy(CHINESE, "CN-100M-30D", "n-1");
        shop.buy(CHINESE, "CN-50M-7D", "n-2");
        let found = shop.good(Operation::PkgGet, json!({"msisdn": MSISDN_CN}));
        assert_eq!(of(&found, &["msisdn", "count"]), [&json!(MSISDN_CN), &json!(2)]);
        assert_eq!(
            found["pkgs"][0],
            json!({"msisdn": MSISDN_CN, "pkgcode": "CN-100M-30D", "pkgname": "name of CN-100M-30D", "startdate": "2026-03-01",
                   "enddate": "2026-03-31", "buycycle": 1, "pkgtype": "1", "pkgcategory": "2", "mainpkg": true, "totalflow": 102_400})
        );
        assert_eq!(of(&found["pkgs"][1], &["startdate", "enddate"]), [&json!("2026-03-31"), &json!("2026-04-07")]);
        let none = shop.good(Operation::PkgGet, json!({"iccid": READY}));
        assert_eq!((&none["count"], &none["pkgs"]), (&json!(0), &json!([])));
    });
}

#[test]
fn pools_with_those_of_accounts_below() {
    db::each(|store| {
        let shop = Shop::new(store);
        let actor = shop.trade.actor(ACME);
        let made = shop.trade.engine.write(move |tx, catalogue, how| {
            let create = pools::Create { type_code: "POOL-100M-7D".into(), memo: "gates".into(), ..pools::Create::default() };
            let id = pools::create(tx, catalogue, how, &actor, &create)?;
            let subscribe = pools::Subscribe {
                pool: id,
                type_code: "POOL-100M-7D".into(),
                out_trade_no: "p-1".into(),
                channel: kachi_domain::order::Channel::Api,
                number: "p1".into(),
            };
            pools::subscribe(tx, catalogue, how, &actor, &subscribe)?;
            let cards = [CARD, READY].map(|i| Iccid::parse(i).expect("a number"));
            pools::add(tx, catalogue, how, &actor, (id, &cards[..1]))?;
            Ok(id)
        });
        let PoolId(id) = made.unwrap();
        shop.trade.traffic(CARD, shop.trade.now(), 3 * MB);
        let list = shop.good_as(NORTH_SID, Operation::PoolList, json!({}));
        let pool = &list["pools"][0];
        assert_eq!(list["count"], 1);
        for (name, wanted) in [
            ("sid", json!(SID)),
            ("state", json!("1")),
            ("tbsj", json!("2026-03-01 12:00:00")),
            ("poolid", json!(id.to_string())),
            ("poolname", json!("gates")),
            ("ptcardcount", json!(1)),
            ("pttotalflow", json!(102_400)),
            ("ptactcardcount", json!(1)),
            ("ptacttotalflow", json!(102_400)),
            ("pkgname", json!("name of POOL-100M-7D")),
            ("pkgsize", json!(51_200)),
            ("usedflow", json!(3072)),
        ] {
            assert_eq!(pool[name], wanted, "{name}");
        }
        assert_eq!(shop.good_as(OTHER_SID, Operation::PoolList, json!({}))["count"], 0);
        let member = &shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0];
        let names = ["openpool", "pkgtotalflow", "pkgusedflow", "pkgtotalusedflow", "pkgleftflow", "flowusage"];
        let zero = json!(0);
        assert_eq!(of(member, &names), [&json!("1"), &zero, &zero, &zero, &zero, &json!(3072)]);
    });
}

#[test]
fn a_pool_of_slots_has_what_its_subscription_in_use_has_whoever_is_in_it() {
    db::each(|store| {
        let shop = Shop::new(store);
        // Bytes that three slots cannot part evenly.
        shop.trade
            .engine
            .write(|tx, catalogue, _| {
                let (package, _) = catalogue.pool_type_by_code("POOL-100M-7D").expect("a type");
                tx.put_pool_type(package.id, 3)?;
                Ok(tx.touch_catalogue()?)
            })
            .unwrap();
        let actor = shop.trade.actor(ACME);
        let buy = |pool: Option<PoolId>, number: &'static str| {
            let actor = actor.clone();
            let made = shop.trade.engine.write(move |tx, catalogue, how| {
                let type_code = || "POOL-100M-7D".to_owned();
                let create = pools::Create { type_code: type_code(), ..pools::Create::default() };
                let id = pool.map_or_else(|| pools::create(tx, catalogue, how, &actor, &create), Ok)?;
                let channel = kachi_domain::order::Channel::Api;
                let (out_trade_no, number) = (number.to_owned(), number.to_owned());
                let subscribe = pools::Subscribe { pool: id, type_code: type_code(), out_trade_no, channel, number };
                pools::subscribe(tx, catalogue, how, &actor, &subscribe).map(|_| id)
            });
            made.unwrap()
        };
        let told = || {
            let list = shop.good(Operation::PoolList, json!({}));
            let names = ["state", "ptcardcount", "pttotalflow", "ptactcardcount", "ptacttotalflow", "usedflow"];
            json!(of(&list["pools"][0], &names))
        };
        let id = buy(None, "p-1");
        let cards = [CARD, READY].map(|i| Iccid::parse(i).expect("a number"));
        let member = actor.clone();
        shop.trade.engine.write(move |tx, catalogue, how| pools::add(tx, catalogue, how, &member, (id, &cards))).unwrap();
        assert_eq!(told(), json!(["1", 2, 102_400, 2, 102_400, 0]), "a slot stands empty");
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 100 * MB);
        assert_eq!(told(), json!(["0", 2, 0, 0, 0, 0]), "it is used up");
        buy(Some(id), "p-2");
        let member = actor.clone();
        let gone = [Iccid::parse(READY).expect("a number")];
        shop.trade.engine.write(move |tx, catalogue, how| pools::remove(tx, catalogue, how, &member, (id, &gone))).unwrap();
        assert_eq!(told(), json!(["1", 1, 102_400, 1, 102_400, 0]), "one card is in it, and all of the bytes");
    });
}

#[test]
fn a_pool_of_its_cards_own_packages() {
    db::each(|store| {
        let shop = Shop::new(store);
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        let id = shop.joint_pool("GJ-100M-30D", None, &[CARD, READY]);
        shop.trade.pass(60);
        shop.trade.traffic(CARD, shop.trade.now(), 30 * MB);
        let list = shop.good(Operation::PoolList, json!({}));
        let pool = &list["pools"][0];
        for (name, wanted) in [
            ("sid", json!(SID)),
            ("state", json!("1")),
            ("poolid", json!(id.to_string())),
            ("poolname", json!("gates")),
            ("ptcardcount", json!(2)),
            ("pttotalflow", json!(204_800)),
            ("ptactcardcount", json!(1)),
            ("ptacttotalflow", json!(102_400)),
            ("pkgname", json!("name of GJ-100M-30D")),
            ("pkgsize", json!(102_400)),
            ("usedflow", json!(30_720)),
        ] {
            assert_eq!(pool[name], wanted, "{name}");
        }
        let member = &shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0];
        let names = ["openpool", "pkgtotalflow", "pkgusedflow", "pkgtotalusedflow", "pkgleftflow", "flowusage"];
        let zero = json!(0);
        assert_eq!(of(member, &names), [&json!("1"), &zero, &zero, &zero, &zero, &json!(30_720)]);
        shop.trade.assert_sound();
    });
}

#[test]
fn cards_that_owe_their_carrier() {
    db::each(|store| {
        let shop = Shop::new(store);
        let note =
            |iccid: &str, minor| shop.trade.engine.note_carrier_balance(shop.trade.sim(iccid), minor, shop.trade.now()).unwrap();
        note(CARD, 500);
        note(CHINESE, -160);
        note(kachi_testkit::trade::FOREIGN, -10);
        let page = shop.good(Operation::CardAbnormal, json!({"pageindex": "1"}));
        assert_eq!(of(&page, &["count", "totalpage"]), [&json!(1), &json!(1)]);
        assert_eq!(page["cards"], json!([{"msisdn": MSISDN_CN, "iccid": CHINESE, "imsi": "", "state": "1", "balance": -1.6}]));
        note(CHINESE, 0);
        assert_eq!(shop.good(Operation::CardAbnormal, json!({"pageindex": "1"}))["count"], 0);
    });
}
