//! What no honest client sends: bodies that are no request, numbers that are none, texts that are too much.

use crate::client::{Client, settings};
use kachi_dialects::eiotclub::{Form, Limits, Params, sign};
use kachi_edges::eiotclub::DoorSettings;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, Trade, secret};
use serde_json::{Value, json};

const INFO: &str = "card/getCardsInfo";
const LIST: &str = "card/getAllCardInfo";

#[test]
fn a_body_that_is_no_request_is_refused_whatever_it_is_called() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let good = client.sealed("acme", &json!({"iccid": CARD}));
        let uri = format!("/api/v3/{INFO}");
        for kind in
            [None, Some("application/json"), Some("text/plain;charset=GBK"), Some("application/x-www-form-urlencoded"), Some("")]
        {
            let answer = client.raw("POST", &uri, kind, good.clone().into_bytes());
            assert_eq!((answer.status, answer.code()), (200, "200"), "{kind:?}: what it is called is not looked at");
        }
        let with = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
        let mark = [b"\xef\xbb\xbf", good.as_bytes()].concat();
        let marked = client.raw("POST", &uri, Some("application/json"), mark.clone());
        assert_eq!((marked.status, marked.code()), (200, "200"), "a byte order mark is passed over");
        for (what, body) in [
            ("two byte order marks", [b"\xef\xbb\xbf", mark.as_slice()].concat()),
            ("Latin-1", with(CARD, "caf\u{e9}").into_iter().map(|b| if b == 0xc3 { 0xe9 } else { b }).collect()),
            ("half a character", with(CARD, r"\ud83d")),
            ("a number with a leading zero", with("{", r#"{"n":01,"#)),
            ("not a number", with("{", r#"{"n":NaN,"#)),
            ("single quotes", with(&format!("\"{CARD}\""), &format!("'{CARD}'"))),
            ("a comma too many", with("{", "{,")),
            ("a comment", with("{", "{/* */")),
            ("two requests", [good.as_bytes(), good.as_bytes()].concat()),
            ("a name twice, once escaped", with("{", r#"{"icc\u0069d":"1","#)),
            ("a list of one", format!("[{good}]").into_bytes()),
            ("a form", format!("iccid={CARD}&appkey=key-acme").into_bytes()),
            ("nothing", Vec::new()),
        ] {
            let answer = client.raw("POST", &uri, Some("application/json"), body);
            assert_eq!((answer.status, answer.code(), answer.data()), (200, "43332", &Value::Null), "{what}: {}", answer.text);
        }
        for (method, uri, status) in [
            ("HEAD", uri.clone(), 405),
            ("OPTIONS", uri.clone(), 405),
            ("DELETE", uri.clone(), 405),
            ("POST", format!("{uri}/"), 404),
            ("POST", format!("{uri}/.."), 404),
            ("POST", uri.replace("getCards", "GETCARDS"), 404),
            ("POST", uri.replace("card/", "card%2f"), 404),
            ("POST", "/api/v3".into(), 404),
        ] {
            if method == "HEAD" {
                assert_eq!(client.send(method, INFO), status);
                continue;
            }
            let answer = client.raw(method, &uri, None, good.clone().into_bytes());
            assert_eq!((answer.status, answer.code()), (status, "43332"), "{method} {uri}");
        }
        assert_eq!(
            client.raw("POST", &format!("{uri}?iccid=1"), None, good.into_bytes()).code(),
            "200",
            "nothing is read of a query"
        );
    });
}

#[test]
fn a_body_may_be_as_large_as_it_may_be_and_no_larger() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let sized = |client: &Client<'_>, pad: usize| {
            client.post(INFO, &client.sealed("acme", &json!({"iccid": CARD, "pad": "x".repeat(pad)})))
        };
        let bare = client.sealed("acme", &json!({"iccid": CARD, "pad": ""})).len();
        let small = Client::at(&trade, DoorSettings { body_bytes_max: bare + 100, ..settings() });
        assert_eq!((sized(&small, 100).code(), sized(&small, 101).code()), ("200", "43332"));
        // As full as it may be, of whatever can be many: read once, and refused or answered.
        let many = (0..100_000).map(|i| format!("n{i}")).collect::<Vec<_>>().join(",");
        let numbers = (0..100_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
        let fields: serde_json::Map<String, Value> = (0..20_000).map(|i| (format!("f{i}"), json!(i))).collect();
        let details = json!({"orderNumberArrStr": many, "outTradeNoArrStr": "a", "state": 0, "page": 1, "pageSize": 50});
        for (path, fields, code) in [
            ("package/getOrderPackageDetails", details, "42009"),
            ("cloudesim/list", json!({"pageNum": 1, "eids": many}), "41007"),
            (LIST, json!({"pageNum": 1, "iccids": many}), "41007"),
            ("package/packageOrderRecord", json!({"iccid": CARD, "orderIdArrStr": numbers}), "200"),
            ("pool/list", json!({"pool_object_id_arr": numbers}), "200"),
            ("task/query", json!({"ids": numbers}), "43332"),
            ("agent/balance", Value::Object(fields), "200"),
        ] {
            let answer = client.ask(path, fields);
            assert_eq!((answer.status, answer.code()), (200, code), "{path}");
        }
    });
}

#[test]
fn a_number_is_digits_as_text_or_number_and_nothing_else() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        // Tokens as they are sent: what JSON calls a number need not be one of ours.
        let page = |token: &str| {
            let now = trade.now().0;
            let body = format!(r#"{{"appkey":"key-acme","timestamp":{now},"nonce":12345,"pageNum":{token}}}"#);
            let params = Params::parse(body.as_bytes(), Limits::default()).expect("parameters");
            let sign = sign(&params, &secret("acme"), Form::CANONICAL);
            client.post(LIST, &body.replacen('{', &format!(r#"{{"sign":"{sign}","#), 1)).code().to_owned()
        };
        for token in ["1", "\"1\"", "\"01\"", "\"0000000000000000000000000000000000000001\""] {
            assert_eq!(page(token), "200", "{token}");
        }
        for token in [
            "0",
            "-0",
            "-1",
            "1.0",
            "1e0",
            "\"+1\"",
            "\" 1\"",
            "\"1 \"",
            "\"１\"",
            "\"٣\"",
            "\"0x1\"",
            "\"1_0\"",
            "18446744073709551616",
            "\"9223372036854775808\"",
        ] {
            assert_eq!(page(token), "42403", "{token}");
        }
    });
}

#[test]
fn texts_of_any_script_go_through_whole() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        for (i, number) in
            ["订单-1", "ордер №1", "a&b=c", "x&sign=0", "%27 OR 1=1 --", "\u{1f4b3}\u{200d}\u{1f4b3}", "é", "e\u{301}"]
                .into_iter()
                .enumerate()
        {
            let order = client.order(CARD, "GJ-100M-30D", number);
            assert_eq!(order.code(), "200", "{number}: {}", order.text);
            let fields = json!({"iccid": CARD, "orderIdArrStr": order.data()["orderId"]});
            assert_eq!(client.ask("package/packageOrderRecord", fields).data()[0]["outTradeNo"], number, "{i}");
            assert_eq!(client.order(CARD, "GJ-100M-30D", number).code(), "42002", "{number}");
        }
        assert_eq!(trade.balance(ACME), 10_000 - 8 * 130);
    });
}
