//! Who is let in, and where.

use crate::shop::{MSISDN, NORTH_SID, SID, Shop, apikey, settings};
use kachi_dialects::cardboss::{Method, Operation, Port};
use kachi_domain::account::Switch;
use kachi_edges::cardboss::DoorSettings;
use kachi_engine::accounts;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, NORTH, OPERATOR};
use serde_json::json;

#[test]
fn a_request_without_a_good_signature_in_time_is_refused() {
    db::each(|store| {
        let shop = Shop::new(store);
        for (fields, code) in [
            (json!({}), "0"),
            (json!({"ts": shop.ts(-300)}), "0"),
            (json!({"ts": shop.ts(300)}), "0"),
            (json!({"ts": shop.ts(-301)}), "1005"),
            (json!({"ts": shop.ts(301)}), "1005"),
            (json!({"ts": "20260230120000"}), "1024"),
            (json!({"ts": "2026030112"}), "1024"),
            (json!({"ts": null}), "1012"),
            (json!({"sid": null}), "1012"),
            (json!({"sid": ""}), "1012"),
            (json!({"sid": "nobody"}), "1005"),
            (json!({"sid": "10042"}), "1005"),
            (json!({"sign": ""}), "1012"),
            (json!({"sign": "0"}), "1005"),
            (json!({"sign": "0".repeat(32)}), "1005"),
            (json!({"remark": "a\u{0}b"}), "1031"),
            (json!({"pageindex": "an unsigned one"}), "0"),
        ] {
            let answer = shop.ask(Operation::CustomerGet, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{fields}: {}", answer.text);
        }
        let sealed = shop.sealed(SID, Operation::CardList, &json!({"pageindex": "1"}));
        assert_eq!(shop.send(Operation::CardList, &sealed.replace("pageindex=1", "pageindex=2")).code(), "1005");
        let (_, sign) = sealed.split_once("sign=").unwrap();
        let sign = sign.split('&').next().unwrap();
        assert_eq!(shop.send(Operation::CardList, &sealed.replace(sign, &sign.to_uppercase())).code(), "0");
        assert!(shop.door.counts().all().contains(&("customer/get", 0, 4)));
    });
}

#[test]
fn each_operation_is_served_at_its_own_method_and_listener() {
    db::each(|store| {
        let shop = Shop::new(store);
        for operation in Operation::ALL.iter().copied() {
            let wrong = if operation.method() == Method::Get { Method::Post } else { Method::Get };
            for path in operation.paths() {
                let answer = shop.send_to(path, wrong, operation.port(), "", "127.0.0.1");
                assert_eq!((answer.status, answer.code()), (200, "1004"), "{path}");
                let other = if operation.port() == Port::Data { Port::Direct } else { Port::Data };
                assert_eq!(shop.send_to(path, operation.method(), other, "", "127.0.0.1").status, 404, "{path}");
            }
        }
        assert_eq!(shop.send_to("no/such", Method::Get, Port::Data, "", "127.0.0.1").status, 404);
        let small =
            Shop::with(db::Database::like(shop.trade.engine.store()).open(), DoorSettings { body_bytes_max: 64, ..settings() });
        assert_eq!(small.ask(Operation::PkgRenew, json!({"remark": "x".repeat(100)})).code(), "1031");
    });
}

#[test]
fn only_listed_addresses_are_let_in() {
    db::each(|store| {
        let shop = Shop::new(store);
        let listed = shop.trade.engine.store().write(|tx| {
            let account = tx.accounts()?.into_iter().find(|a| a.id == ACME).expect("an account");
            tx.put_account(
                &kachi_store::accounts::Account { ip_allow: r#"["10.1.0.0/16"]"#.into(), ..account },
                kachi_domain::Timestamp(0),
            )?;
            tx.touch_catalogue()
        });
        listed.unwrap();
        let ask = |peer: &str, form: &str| shop.send_to("customer/get", Method::Get, Port::Data, form, peer).code().to_owned();
        let good = shop.sealed(SID, Operation::CustomerGet, &json!({}));
        assert_eq!(ask("127.0.0.1", &good), "1006");
        assert_eq!(ask("10.1.2.3", &good), "0");
        let bad = shop.sealed(SID, Operation::CustomerGet, &json!({"sign": "0".repeat(32)}));
        assert_eq!(ask("127.0.0.1", &bad), "1005", "who cannot sign learns nothing of the list");
    });
}

#[test]
fn a_new_key_is_known_at_once_and_an_old_one_forgotten() {
    db::each(|store| {
        let shop = Shop::new(store);
        assert_eq!(shop.ask(Operation::CustomerGet, json!({})).code(), "0");
        let turn = shop.trade.engine.store().write(|tx| {
            tx.put_credential("cardboss", SID, ACME, "another apikey, long enough")?;
            tx.put_credential("cardboss", "10099", ACME, &apikey("10099"))?;
            tx.touch_catalogue()
        });
        turn.unwrap();
        assert_eq!(shop.ask_as("10099", Operation::CustomerGet, json!({})).code(), "0");
        assert_eq!(shop.ask(Operation::CustomerGet, json!({})).code(), "1005");
    });
}

#[test]
fn wrong_signatures_shut_a_caller_out_for_a_while() {
    db::each(|store| {
        let shop = Shop::with(store, DoorSettings { lockout: Some(2), ..settings() });
        let bad = || shop.ask(Operation::CustomerGet, json!({"sign": "0".repeat(32)}));
        assert_eq!((bad().code(), bad().code()), ("1005", "1005"));
        assert_eq!(shop.ask(Operation::CustomerGet, json!({})).code(), "1030");
        shop.trade.pass(301);
        assert_eq!(shop.ask(Operation::CustomerGet, json!({})).code(), "0");
    });
}

#[test]
fn operations_out_of_use_are_served_unless_switched_off() {
    db::each(|store| {
        let shop = Shop::with(store, DoorSettings { retired: false, ..settings() });
        for (operation, fields) in [
            (Operation::CardAbnormal, json!({"pageindex": "1"})),
            (Operation::UsageDay, json!({"day": "20260301", "msisdns": MSISDN})),
        ] {
            assert_eq!(shop.ask(operation, fields).code(), "1098");
        }
        assert_eq!(shop.ask(Operation::CardAbnormal, json!({"pageindex": "1", "sign": "0".repeat(32)})).code(), "1005");
    });
}

#[test]
fn an_account_that_is_off_is_let_in_nowhere_and_a_paused_one_may_ask() {
    db::each(|store| {
        let shop = Shop::new(store);
        let switch = |id, to| {
            let before = shop.trade.engine.write(move |tx, catalogue, how| accounts::switch(tx, catalogue, how, id, (to, "me")));
            before.expect("an account")
        };
        let codes = |sid: &str| -> Vec<(Operation, String)> {
            let ask = |o: Operation| (o, shop.ask_as(sid, o, whole(o)).code().to_owned());
            Operation::ALL.iter().copied().map(ask).collect()
        };
        assert_eq!(switch(ACME, Switch::Paused), Switch::On);
        for (operation, code) in codes(SID) {
            assert_eq!(code == "1001", operation.method() == Method::Post, "{operation:?}: {code}");
        }
        assert_eq!(shop.good_as(NORTH_SID, Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0]["state"], "2");
        assert_eq!(switch(NORTH, Switch::Off), Switch::On);
        let before = shop.whole();
        for sid in [SID, NORTH_SID] {
            for (operation, code) in codes(sid) {
                assert_eq!(code, "1001", "{operation:?} of {sid}");
            }
        }
        assert_eq!(shop.whole(), before);
        let off = shop.ask(Operation::CustomerGet, json!({}));
        assert_eq!((&off.json["msg"], &off.json["detail"]), (&json!("账号被禁用"), &json!("联系客服人员开启")));
        let bad = shop.ask(Operation::CustomerGet, json!({"sign": "0".repeat(32)}));
        assert_eq!(bad.code(), "1005", "who cannot sign learns nothing of the switch");
        switch(NORTH, Switch::On);
        switch(ACME, Switch::On);
        assert_eq!(shop.ask(Operation::CustomerGet, json!({})).code(), "0");
        let refused = shop.trade.engine.write(|tx, c, how| accounts::switch(tx, c, how, OPERATOR, (Switch::Off, "me")));
        assert!(refused.is_err(), "the operator stays on");
    });
}

/// Fields that are in every request's place.
fn whole(operation: Operation) -> serde_json::Value {
    let month = if operation == Operation::UsagePast { "202602" } else { "1" };
    json!({"msisdn": MSISDN, "msisdns": MSISDN, "pageindex": "1", "month": month, "day": "20260301", "pkgcode": "P",
        "stopkeep": "0", "opertype": "1", "content": "13800000001", "mobile": "13800000001", "text": "x", "tplid": "T"})
}
