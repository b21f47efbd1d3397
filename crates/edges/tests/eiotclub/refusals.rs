//! What is refused, with which code, and that nothing changed.

use crate::client::Client;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED, FOREIGN, NOBODY, Trade};
use serde_json::{Value, json};

const ORDER: &str = "package/orderPackage";
const REFUND: &str = "package/refundPackage";
const LIST: &str = "card/getAllCardInfo";
const RECORD: &str = "package/packageOrderRecord";
const TRAFFIC: &str = "cdr/traffic/query";

fn table(order_id: &str) -> Vec<(&'static str, Value, &'static str)> {
    let order = |iccid: &str, code: Value, number: Value| json!({"iccid": iccid, "packageCode": code, "outTradeNo": number});
    let long = "GJ-100M-30D";
    let many = vec![CARD; 101].join(",");
    let day = |from: &str, to: &str| json!({"dateType": "daily", "iccids": CARD, "startDate": from, "endDate": to});
    let record = |name: &str, value: Value| json!({"iccid": CARD, name: value});
    vec![
        ("card/getCardsInfo", json!({}), "41003"),
        ("card/getCardsInfo", json!({"iccid": "123"}), "41003"),
        ("card/getCardsInfo", json!({"iccid": [CARD]}), "41003"),
        (LIST, json!({}), "42403"),
        (LIST, json!({"pageNum": ""}), "42403"),
        (LIST, json!({"pageNum": "0"}), "42403"),
        (LIST, json!({"pageNum": "-1"}), "42403"),
        (LIST, json!({"pageNum": "one"}), "42403"),
        (LIST, json!({"pageNum": 1.5}), "42403"),
        (LIST, json!({"pageNum": true}), "42403"),
        (LIST, json!({"pageNum": "1", "pageSize": 0}), "42407"),
        (LIST, json!({"pageNum": "1", "pageSize": 501}), "42407"),
        (LIST, json!({"pageNum": "1", "pageSize": "many"}), "42407"),
        (LIST, json!({"pageNum": "1", "cardStatus": "ACTIVATED_BASE"}), "43332"),
        (LIST, json!({"pageNum": "1", "cardStatus": "active"}), "43332"),
        (LIST, json!({"pageNum": "1", "iccids": "x,y"}), "41001"),
        (LIST, json!({"pageNum": "1", "iccids": " "}), "41001"),
        (LIST, json!({"pageNum": "1", "iccids": format!("{CARD},")}), "41001"),
        (LIST, json!({"pageNum": "1", "iccids": many}), "41007"),
        (ORDER, order(CARD, json!(null), json!("n")), "41018"),
        (ORDER, order(CARD, json!("  "), json!("n")), "41018"),
        (ORDER, order(CARD, json!("no-such"), json!("n")), "42007"),
        (ORDER, order(CARD, json!("GJ-YEN"), json!("n")), "42007"),
        (ORDER, order(CARD, json!("CN-100M-30D"), json!("n")), "41050"),
        (ORDER, order(CHINESE, json!(long), json!("n")), "41050"),
        (ORDER, order(CLOSED, json!(long), json!("n")), "41036"),
        (ORDER, order(CARD, json!(long), json!(null)), "42001"),
        (ORDER, order(CARD, json!(long), json!("")), "42001"),
        (ORDER, order(CARD, json!(long), json!("x".repeat(33))), "42001"),
        (ORDER, order(CARD, json!(long), json!(["x"])), "42001"),
        (ORDER, order(CARD, json!(long), json!("1,2,,3")), "42001"),
        (ORDER, order(CARD, json!("GJ-DEAR"), json!("n")), "45112"),
        (ORDER, order(CARD, json!("GJ-ONCE"), json!("n")), "41036"),
        (ORDER, order(CARD, json!(long), json!("taken")), "42002"),
        ("package/queryPackage", json!({"iccid": CARD}), "42003"),
        ("package/queryPackage", json!({"iccid": CARD, "orderId": "ten"}), "42003"),
        ("package/queryPackage", json!({"iccid": CARD, "orderId": "-1"}), "42003"),
        ("package/queryPackage", json!({"iccid": CARD, "orderId": "99999999999"}), "42004"),
        ("package/queryPackage", json!({"iccid": CHINESE, "orderId": order_id}), "42004"),
        ("package/queryRefundAmount", json!({"iccid": CARD, "orderId": "99999999999"}), "42004"),
        (REFUND, json!({"iccid": CARD, "orderId": order_id}), "45106"),
        (REFUND, json!({"iccid": CARD, "orderId": order_id, "remark": " "}), "45106"),
        (REFUND, json!({"iccid": CARD, "orderId": order_id, "remark": "用".repeat(201)}), "43332"),
        (REFUND, json!({"iccid": CARD, "orderId": "", "remark": "r"}), "42003"),
        (REFUND, json!({"iccid": CARD, "orderId": "99999999999", "remark": "r"}), "42004"),
        (RECORD, record("state", json!(3)), "43332"),
        (RECORD, record("stateArrStr", json!("0,x")), "43332"),
        (RECORD, record("orderBy", json!("price")), "43332"),
        (RECORD, record("orderIdArrStr", json!("a,b")), "42003"),
        (RECORD, record("createDateStart", json!("2026-02-30 00:00:00")), "42409"),
        (RECORD, record("updateDateEnd", json!("2026-02-01")), "42409"),
        (RECORD, record("page", json!(0)), "42403"),
        (RECORD, record("pageSize", json!(501)), "42407"),
        (TRAFFIC, json!({"iccids": CARD}), "41006"),
        (TRAFFIC, json!({"dateType": "yearly", "iccids": CARD}), "41006"),
        (TRAFFIC, day("", "2026-03-01"), "41004"),
        (TRAFFIC, day("2026-02-30", "2026-03-01"), "41004"),
        (TRAFFIC, day("2026-03-01", "1 March"), "41005"),
        (TRAFFIC, day("2026-03-02", "2026-03-01"), "41006"),
        (TRAFFIC, json!({"dateType": "monthly", "iccids": CARD, "month": "2026-13"}), "41009"),
        (TRAFFIC, json!({"dateType": "monthly", "iccids": CARD}), "41009"),
        (TRAFFIC, json!({"dateType": "monthly", "month": "2026-03"}), "41001"),
        (TRAFFIC, json!({"dateType": "monthly", "month": "2026-03", "iccids": format!("{CARD},12")}), "41002"),
        (TRAFFIC, json!({"dateType": "monthly", "month": "2026-03", "iccids": many}), "41007"),
    ]
}

#[test]
fn a_refused_request_has_its_code_and_changes_nothing() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let first = client.order(CARD, "GJ-ONCE", "taken");
        assert_eq!(first.code(), "200", "{}", first.text);
        let order_id = first.data()["orderId"].to_string();
        let record = || client.ask(RECORD, json!({"iccid": CARD})).text;
        let before = (trade.balance(ACME), record());
        for (path, fields, code) in table(&order_id) {
            let answer = client.ask(path, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{path} {fields}: {}", answer.text);
            assert_eq!(answer.json.get("total").is_some(), path == RECORD, "{}", answer.text);
            let named = if code == "42002" { first.data() } else { &Value::Null };
            assert_eq!(answer.data(), named, "{path} {fields}");
            assert!(!answer.json["message"].as_str().unwrap().is_empty());
        }
        assert_eq!((trade.balance(ACME), record()), before, "nothing changed");
    });
}

#[test]
fn a_foreign_card_answers_as_one_that_is_not_there() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let mine = client.order(CARD, "GJ-100M-30D", "mine").data()["orderId"].to_string();
        let fields = json!({"iccid": FOREIGN, "packageCode": "GJ-100M-30D", "outTradeNo": "theirs"});
        let theirs = client.ask_as("other", ORDER, fields).data()["orderId"].to_string();
        let balance = trade.balance(ACME);
        for (path, fields) in [
            ("card/getCardsInfo", json!({})),
            ("card/product", json!({})),
            ("package/listOrderPackageByIccid", json!({})),
            (ORDER, json!({"packageCode": "GJ-100M-30D", "outTradeNo": "n"})),
            (ORDER, json!({"packageCode": "no-such", "outTradeNo": "n"})),
            ("package/queryPackage", json!({"orderId": theirs})),
            (RECORD, json!({})),
            ("package/queryRefundAmount", json!({"orderId": theirs})),
            (REFUND, json!({"orderId": theirs, "remark": "r"})),
            (TRAFFIC, json!({"dateType": "monthly", "month": "2026-03"})),
        ] {
            let with = |iccid: &str| {
                let mut fields = fields.clone();
                fields["iccid"] = iccid.into();
                fields["iccids"] = format!("{CARD},{iccid}").into();
                client.ask(path, fields)
            };
            let (foreign, nobody) = (with(FOREIGN), with(NOBODY));
            assert_eq!(foreign.code(), "42405", "{path}: {}", foreign.text);
            assert_eq!(foreign.text, nobody.text, "{path}");
        }
        // Another account's order of another card, asked for with a card of one's own.
        let asked = |id: &str| client.ask("package/queryPackage", json!({"iccid": CARD, "orderId": id}));
        assert_eq!(asked(&theirs).text, asked("99999999").text);
        assert_eq!(asked(&mine).code(), "200");
        // The list leaves it out without a word.
        assert_eq!(client.ask(LIST, json!({"pageNum": "1", "iccids": FOREIGN})).data()["cardInfoList"], json!([]));
        assert_eq!(trade.balance(ACME), balance);
    });
}

#[test]
fn a_refund_is_given_once() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let id = client.order(CARD, "GJ-100M-30D", "o").data()["orderId"].to_string();
        let refund = || client.ask(REFUND, json!({"iccid": CARD, "orderId": id, "remark": "r"}));
        assert_eq!(refund().code(), "200");
        let balance = trade.balance(ACME);
        assert_eq!((refund().code(), refund().code()), ("42008", "42008"));
        assert_eq!(client.ask("package/queryRefundAmount", json!({"iccid": CARD, "orderId": id})).code(), "42008");
        assert_eq!((trade.balance(ACME), balance), (10_000, 10_000));
    });
}
