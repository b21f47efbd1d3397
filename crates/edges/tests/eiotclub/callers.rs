//! Who is let in.

use crate::client::{Client, settings, signed};
use kachi_dialects::eiotclub::Form;
use kachi_domain::Timestamp;
use kachi_edges::eiotclub::DoorSettings;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, NOBODY, Trade, secret};
use serde_json::{Value, json};

const BALANCE: &str = "agent/balance";

#[test]
fn a_request_without_a_good_signature_in_time_is_refused() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let now = trade.now().0;
        for (fields, code) in [
            (json!({}), "200"),
            (json!({"timestamp": now - 300}), "200"),
            (json!({"timestamp": now + 300}), "200"),
            (json!({"timestamp": now.to_string(), "nonce": "54321"}), "200"),
            (json!({"appkey": null}), "42101"),
            (json!({"appkey": ""}), "42101"),
            (json!({"appkey": "key-nobody"}), "42102"),
            (json!({"timestamp": null}), "42201"),
            (json!({"timestamp": ""}), "42201"),
            (json!({"timestamp": "now"}), "42204"),
            (json!({"timestamp": now - 301}), "42203"),
            (json!({"timestamp": now + 301}), "42203"),
            (json!({"timestamp": now * 1000}), "42203"),
            (json!({"timestamp": i64::MIN}), "42203"),
            (json!({"nonce": null}), "42301"),
            (json!({"sign": ""}), "42401"),
            (json!({"sign": "0"}), "42402"),
            (json!({"sign": "0".repeat(40)}), "42402"),
            (json!({"appkey": "key-north"}), "42402"),
            (json!({"nonce": "1\u{0}2"}), "42301"),
            (json!({"appkey": "key-acme\u{0}"}), "42101"),
            (json!({"sign": "\u{0}"}), "42401"),
            (json!({"remark": "a\u{0}\n\u{1}b"}), "200"),
        ] {
            let answer = client.ask(BALANCE, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{fields}: {}", answer.text);
        }
        let missing = client.sealed("acme", &json!({})).replace("\"sign\":", "\"sing\":");
        assert_eq!(client.post(BALANCE, &missing).code(), "42401");
        let changed = client.sealed("acme", &json!({"iccid": CARD})).replace(CARD, NOBODY);
        assert_eq!(client.post("card/getCardsInfo", &changed).code(), "42402");
        let lower = client.sealed("acme", &json!({}));
        let sign = serde_json::from_str::<Value>(&lower).unwrap()["sign"].as_str().unwrap().to_owned();
        assert_eq!(client.post(BALANCE, &lower.replace(&sign, &sign.to_lowercase())).code(), "200");
        for body in ["", "[]", "{", "null", r#"{"appkey":"a","appkey":"b"}"#] {
            assert_eq!(client.post(BALANCE, body).code(), "43332", "{body}");
        }
        assert!(client.door.counts().all().contains(&(BALANCE, 200, 6)));
    });
}

#[test]
fn a_refusal_speaks_the_language_of_the_account_that_the_appkey_names() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        for (account, words) in [
            ("acme", ["Timestamp is empty.", "Invalid time format.", "Timestamp is inaccurate.", "Nonce is empty."]),
            ("north", ["时间戳为空", "时间格式异常", "时间戳时间不准确", "nonce为空"]),
            ("nobody", ["时间戳为空", "时间格式异常", "时间戳时间不准确", "nonce为空"]),
        ] {
            let fields = [json!({"timestamp": null}), json!({"timestamp": "now"}), json!({"timestamp": 1}), json!({"nonce": ""})];
            for (fields, words) in fields.into_iter().zip(words) {
                assert_eq!(client.ask_as(account, BALANCE, fields).json["message"], words, "{account}");
            }
            let english = account == "acme";
            let unsigned = client.ask_as(account, BALANCE, json!({"sign": ""})).json["message"].clone();
            assert_eq!(unsigned, if english { "Signature string is empty." } else { "签名串为空" });
        }
        assert_eq!(client.ask(BALANCE, json!({"appkey": null})).json["message"], "appkey为空", "nobody is named");
        assert_eq!(client.post(BALANCE, "{").json["message"], "参数错误");
    });
}

#[test]
fn only_the_published_paths_and_post_are_served() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        assert_eq!(client.send("POST", "no/such"), 404);
        assert_eq!(client.send("GET", BALANCE), 405);
        assert_eq!(client.send("PUT", "card/getCardsInfo"), 405);
        let small = Client::at(&trade, DoorSettings { body_bytes_max: 200, ..settings() });
        let large = small.sealed("acme", &json!({"note": "x".repeat(200)}));
        assert_eq!(small.post(BALANCE, &large).code(), "43332");
    });
}

#[test]
fn a_new_key_is_known_at_once_and_an_old_one_forgotten() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let with = |secret: &str| {
            let body = json!({"appkey": "key-acme", "timestamp": trade.now().0, "nonce": 12345});
            client.post(BALANCE, &signed(body, secret, Form::CANONICAL))
        };
        assert_eq!(with(&secret("acme")).code(), "200");
        let turn = trade.engine.store().write(|tx| {
            tx.put_credential("eiotclub", "key-acme", ACME, "a new secret")?;
            tx.touch_catalogue()
        });
        turn.unwrap();
        assert_eq!(with("a new secret").code(), "200");
        assert_eq!(with(&secret("acme")).code(), "42402");
    });
}

#[test]
fn an_old_secret_is_refused_although_the_door_still_knows_it() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        assert_eq!(client.ask(BALANCE, json!({})).code(), "200");
        let turn = trade.engine.store().write(|tx| {
            tx.put_credential("eiotclub", "key-acme", ACME, "a new secret")?;
            tx.touch_catalogue()
        });
        turn.unwrap();
        let old = client.order(CARD, "GJ-100M-30D", "n");
        assert_eq!(old.code(), "42402", "the engine finds the catalogue old and the door begins again: {}", old.text);
        assert_eq!(trade.balance(ACME), 10_000);
    });
}

#[test]
fn only_listed_addresses_are_let_in() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let listed = trade.engine.store().write(|tx| {
            let mut accounts = tx.accounts()?;
            let mut acme = accounts.swap_remove(accounts.iter().position(|a| a.id == ACME).unwrap());
            acme.ip_allow = r#"["10.0.0.0/8","192.0.2.7"]"#.into();
            tx.put_account(&acme, Timestamp(0))?;
            tx.touch_catalogue()
        });
        listed.unwrap();
        let from = |peer: &str| client.post_from(peer, BALANCE, &client.sealed("acme", &json!({})));
        assert_eq!((from("10.9.8.7").code(), from("192.0.2.7").code()), ("200", "200"));
        assert_eq!((from("192.0.2.8").code(), from("::1").code()), ("42104", "42104"));
        let wrong = client.sealed("acme", &json!({"sign": "0".repeat(40)}));
        assert_eq!(client.post_from("192.0.2.8", BALANCE, &wrong).code(), "42402", "the list is told only to who can sign");
    });
}

#[test]
fn a_caller_is_locked_out_only_where_that_is_set() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::at(&trade, DoorSettings { lockout: Some(3), ..settings() });
        let wrong = |peer: &str| client.post_from(peer, BALANCE, &client.sealed("acme", &json!({"sign": "0".repeat(40)})));
        let right = |peer: &str| client.post_from(peer, BALANCE, &client.sealed("acme", &json!({})));
        let codes: Vec<_> = (0..4).map(|_| wrong("10.0.0.1").code().to_owned()).collect();
        assert_eq!(codes, ["42402", "42402", "42402", "501"]);
        assert_eq!((right("10.0.0.1").code(), right("10.0.0.2").code()), ("501", "200"));
        trade.pass(301);
        assert_eq!(right("10.0.0.1").code(), "200");
        let open = Client::new(&trade);
        for _ in 0..5 {
            assert_eq!(open.ask(BALANCE, json!({"sign": "0".repeat(40)})).code(), "42402");
        }
        assert_eq!(open.ask(BALANCE, json!({})).code(), "200");
    });
}
