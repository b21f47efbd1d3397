//! The same request again, and again at once.

use crate::client::Client;
use kachi_store::Place;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, Trade};
use serde_json::{Value, json};

const ORDER: &str = "package/orderPackage";

fn order(out_trade_no: &str) -> Value {
    json!({"iccid": CARD, "packageCode": "GJ-100M-30D", "outTradeNo": out_trade_no})
}

#[test]
fn the_identical_signed_request_gets_the_first_answer_to_the_letter() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let body = client.sealed("acme", &order("a"));
        let first = client.post(ORDER, &body);
        assert_eq!(first.code(), "200", "{}", first.text);
        trade.pass(299);
        assert_eq!(client.post(ORDER, &body), first);
        let spaced = body.replace(',', " ,\n ").to_owned();
        assert_eq!(client.post(ORDER, &spaced), first, "written again it is the same request");
        assert_eq!(trade.balance(ACME), 10_000 - 130);

        let again = client.ask(ORDER, order("a"));
        assert_eq!((again.code(), again.data()), ("42002", first.data()), "a new request with the old number");

        let id = first.data()["orderId"].to_string();
        let refund = client.sealed("acme", &json!({"iccid": CARD, "orderId": id, "remark": "r"}));
        let given = client.post("package/refundPackage", &refund);
        assert_eq!(given.code(), "200", "{}", given.text);
        assert_eq!(client.post("package/refundPackage", &refund), given);
        assert_eq!(trade.balance(ACME), 10_000);
        trade.pass(2);
        assert_eq!(client.post(ORDER, &body).code(), "42203", "past the window it is stale");
    });
}

#[test]
fn one_signature_is_good_for_one_body() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let mut fields = order("a");
        fields["remark"] = "x&zz=1".into();
        let body = client.sealed("acme", &fields);
        assert_eq!(client.post(ORDER, &body).code(), "200");
        let moved = body.replace(r#""remark":"x&zz=1""#, r#""remark":"x","zz":"1""#);
        assert_eq!(client.post(ORDER, &moved).code(), "42402", "signed alike, but another body");
        let unsigned = body.replace('{', r#"{"empty":"","#);
        assert_eq!(client.post(ORDER, &unsigned).code(), "42402", "what is not signed belongs to the body too");
        assert_eq!(trade.balance(ACME), 10_000 - 130);
        // A question is no act: asked again it is answered again.
        let question = client.sealed("acme", &json!({}));
        let before = client.post("agent/balance", &question);
        client.ask(ORDER, order("b"));
        let after = client.post("agent/balance", &question);
        assert_eq!((before.data()["balance"].clone(), after.data()["balance"].clone()), (json!("98.70"), json!("97.40")));
    });
}

/// Values are joined as they are, so the end of an order's number can be moved into a field of its own and back, and a nonce can take
/// in the field behind it.
#[test]
fn one_signature_buys_once_whatever_number_it_is_read_with() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let mut fields = order("a");
        fields["p"] = "1".into();
        fields["note"] = "hi".into();
        let long = order("b&p=1");
        for (sent, from, to) in [
            (&fields, r#""outTradeNo":"a","p":"1""#, r#""outTradeNo":"a&p=1""#),
            (&long, r#""outTradeNo":"b&p=1""#, r#""outTradeNo":"b","p":"1""#),
        ] {
            let before = trade.balance(ACME);
            let body = client.sealed("acme", sent);
            let first = client.post(ORDER, &body);
            assert_eq!(first.code(), "200", "{}", first.text);
            let moved = body.replace(from, to);
            assert_ne!(moved, body, "{body}");
            assert_eq!(client.post(ORDER, &moved).code(), "42402", "signed alike, but another number");
            assert_eq!(client.post(ORDER, &body), first, "and still the first answer");
            assert_eq!(client.post(ORDER, &moved).code(), "42402");
            assert_eq!(trade.balance(ACME), before - 130);
        }
    });
}

/// Another body under an order's signature takes nothing away from who placed it.
#[test]
fn the_first_answer_stays_whatever_came_under_its_signature_since() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let mut fields = order("a");
        fields["note"] = "hi".into();
        let body = client.sealed("acme", &fields);
        let first = client.post(ORDER, &body);
        assert_eq!(first.code(), "200", "{}", first.text);
        let nonce = serde_json::from_str::<Value>(&body).expect("an object")["nonce"].clone();
        let written = format!(r#""nonce":{nonce}"#);
        let with_note = format!(r#""nonce":"{}&note=hi""#, nonce.to_string().trim_matches('"'));
        for other in [
            body.replace('{', r#"{"remark":"","#),
            body.replace(&written, &with_note).replace(r#""note":"hi","#, ""),
            body.replace(r#","packageCode":"GJ-100M-30D""#, "")
                .replace(r#""outTradeNo":"a""#, r#""outTradeNo":"a&packageCode=GJ-100M-30D""#),
        ] {
            assert_ne!(other, body);
            let refused = client.post(ORDER, &other);
            assert!(["42402", "41018"].contains(&refused.code()), "{other}: {}", refused.text);
            assert_eq!(client.post(ORDER, &body), first, "after {other}");
        }
        assert_eq!(trade.balance(ACME), 10_000 - 130);
    });
}

/// The path is not signed, and honest callers whose nonce is always the same ask for two acts with one signature.
#[test]
fn one_signature_buys_at_one_path_and_asks_for_other_acts_at_others() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let mut fields = order("a");
        fields["eSIMGoodsCode"] = "E1".into();
        let body = client.sealed("acme", &fields);
        let first = client.post(ORDER, &body);
        assert_eq!(first.code(), "200", "{}", first.text);
        let elsewhere = client.post("esim/purchase", &body);
        assert!(elsewhere.text.contains("42402"), "{}", elsewhere.text);
        assert_eq!(client.post("card/refreshUsage", &body).code(), "200");
        assert_eq!(client.post(ORDER, &body), first);
        let none = client
            .sealed("acme", &json!({"iccid": CARD, "packageCode": "GJ-100M-30D", "outTradeNo": "b", "a": "x&outTradeNo=\0"}));
        assert_eq!(client.post(ORDER, &none).code(), "200", "what is read as a number may be none");
    });
}

/// Keys had the path, the time and the nonce too, which may hold what parts them.
#[test]
fn what_was_answered_before_an_upgrade_is_answered_so_after_it() {
    db::each(|store| {
        let place = store.place().clone();
        let run = |statements: &str| kachi_store::db::execute_in(&place, statements).expect("done");
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let body = client.sealed("acme", &order("a"));
        let first = client.post(ORDER, &body);
        let (id, number) = (first.data()["orderId"].to_string(), first.data()["orderNumber"].clone());
        assert!(number.is_string(), "{}", first.text);
        let refund = client.sealed("acme", &json!({"iccid": CARD, "orderId": id, "remark": "r"}));
        let given = client.post("package/refundPackage", &refund);
        assert_eq!(given.code(), "200", "{}", given.text);
        for table in ["idempotency", "order_answer"] {
            let path = "SUBSTR(body_hash, 1, LENGTH(body_hash) - 65)";
            run(&format!(
                "UPDATE {table} SET request_key = {path} || '|1772337600|12|' || SUBSTR(request_key, LENGTH(request_key) - 39), body_hash = SUBSTR(body_hash, LENGTH(body_hash) - 63)"
            ));
        }
        run(
            "INSERT INTO idempotency SELECT account_id, door, REPLACE(request_key, '|12|', '|1|2|'), 'another', '', created_at - 1 FROM idempotency",
        );
        run(match &place {
            Place::File(_) => include_str!("../../../../migrations/sqlite/0055_request_keys.sql"),
            Place::Postgres(_) => include_str!("../../../../migrations/postgres/0055_request_keys.sql"),
        });
        assert_eq!(client.post(ORDER, &body), first);
        assert_eq!(client.post("package/refundPackage", &refund), given);
    });
}

#[test]
fn a_signature_that_was_refused_is_good_for_no_other_body() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let mut fields = order("a");
        let code = fields["packageCode"].as_str().expect("a code").to_owned();
        fields["packageCode"] = format!("{code}&zz=1").into();
        let body = client.sealed("acme", &fields);
        assert_eq!(client.post(ORDER, &body).code(), "42007", "there is no such package");
        let moved = body.replace("&zz=1\"", r#"","zz":"1""#);
        assert_ne!(moved, body);
        assert_eq!(client.post(ORDER, &moved).code(), "42402", "signed alike, but another body");
        assert_eq!(trade.balance(ACME), 10_000);
    });
}

#[test]
fn a_refused_act_may_be_tried_again_as_it_is() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let dear = client.sealed("acme", &json!({"iccid": CARD, "packageCode": "GJ-DEAR", "outTradeNo": "d"}));
        assert_eq!(client.post(ORDER, &dear).code(), "45112");
        let usd = kachi_domain::Currency::USD;
        let paid = trade.engine.write(move |tx, catalogue, how| {
            let amount = kachi_domain::Money { minor: 10_000_000, currency: usd };
            kachi_engine::money::top_up(tx, catalogue, ACME, amount, "wire 1", how.now)
        });
        assert!(paid.unwrap());
        assert_eq!(client.post(ORDER, &dear).code(), "200");
    });
}

#[test]
fn sixty_four_at_once_buy_once() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let bodies = (0..64).map(|_| client.sealed("acme", &order("one"))).collect();
        let answers = client.race(ORDER, bodies);
        let (good, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.code() == "200");
        assert_eq!((good.len(), refused.len()), (1, 63));
        assert!(refused.iter().all(|a| a.code() == "42002" && a.data() == good[0].data()), "{refused:#?}");
        assert_eq!(trade.balance(ACME), 10_000 - 130, "charged once");
        let record = client.ask("package/packageOrderRecord", json!({"iccid": CARD}));
        assert_eq!(record.json["total"], 1);

        let body = client.sealed("acme", &order("two"));
        let answers = client.race(ORDER, vec![body; 64]);
        assert!(answers.iter().all(|a| a == &answers[0] && a.code() == "200"), "one request, one answer");
        assert_eq!(trade.balance(ACME), 10_000 - 2 * 130);
    });
}

#[test]
fn the_balance_never_goes_below_the_credit_line() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let body = |i: usize| json!({"iccid": CARD, "packageCode": "GJ-TIME-1MO", "outTradeNo": format!("n{i}")});
        let answers = client.race(ORDER, (0..20).map(|i| client.sealed("acme", &body(i))).collect());
        let count = |code: &str| answers.iter().filter(|a| a.code() == code).count();
        assert_eq!((count("200"), count("45112")), (11, 9), "100.00 buys eleven at 9.00");
        assert_eq!(trade.balance(ACME), 10_000 - 11 * 900);
    });
}

#[test]
fn the_balance_told_is_what_an_order_may_cost() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let now = trade.now();
        let lent = trade.engine.store().write(move |tx| {
            let mut accounts = tx.accounts()?;
            let mut acme = accounts.swap_remove(accounts.iter().position(|a| a.id == ACME).expect("acme"));
            acme.credit_minor = 750;
            tx.put_account(&acme, now)?;
            tx.touch_catalogue()
        });
        lent.expect("credit");
        let told = || client.ask("agent/balance", json!({})).data()["balance"].as_str().expect("text").to_owned();
        assert_eq!(told(), "107.50");
        for i in 0..11 {
            assert_eq!(client.order(CARD, "GJ-TIME-1MO", &format!("n{i}")).code(), "200");
        }
        assert_eq!((told(), trade.balance(ACME)), ("8.50".into(), 100));
        assert_eq!(client.order(CARD, "GJ-TIME-1MO", "dear").code(), "45112", "9.00");
        assert_eq!(client.order(CARD, "GJ-SLOW-30D", "fits").code(), "200", "7.00");
        assert_eq!((told(), trade.balance(ACME)), ("1.50".into(), -600), "never below zero, whatever is owed");
    });
}
