//! What is refused, with which code, and that nothing changed.

use crate::shop::{MSISDN, MSISDN_FOREIGN, SID, Shop};
use kachi_dialects::cardboss::Operation;
use kachi_testkit::db;
use kachi_testkit::trade::{CARD, FOREIGN, NOBODY};
use serde_json::{Value, json};

fn questions() -> Vec<(Operation, Value, &'static str)> {
    let many = vec![MSISDN; 101].join(",");
    let detail = |name: &str, value: &str| (Operation::CardDetail, json!({name: value}));
    let mut all: Vec<(Operation, Value, &'static str)> = vec![
        (Operation::CardList, json!({}), "1012"),
        (Operation::CardList, json!({"pageindex": "0"}), "1031"),
        (Operation::CardList, json!({"pageindex": "-1"}), "1031"),
        (Operation::CardAbnormal, json!({"pageindex": "x"}), "1031"),
        (Operation::UsageCurrent, json!({}), "1012"),
        (Operation::UsageCurrent, json!({"msisdns": many}), "1031"),
        (Operation::UsagePast, json!({"msisdns": MSISDN}), "1012"),
        (Operation::UsagePast, json!({"msisdns": MSISDN, "month": "202511"}), "1031"),
        (Operation::UsagePast, json!({"msisdns": MSISDN, "month": "202604"}), "1031"),
        (Operation::UsagePast, json!({"msisdns": MSISDN, "month": "202613"}), "1024"),
        (Operation::UsageDay, json!({"msisdns": MSISDN}), "1012"),
        (Operation::UsageDay, json!({"msisdns": MSISDN, "day": "20260221"}), "1031"),
        (Operation::UsageDay, json!({"msisdns": MSISDN, "day": "20260302"}), "1031"),
        (Operation::UsageDay, json!({"msisdns": MSISDN, "day": "20260230"}), "1024"),
        (Operation::PkgGet, json!({}), "1012"),
        (Operation::PkgGet, json!({"msisdn": "12345"}), "1008"),
        (Operation::PkgGet, json!({"msisdn": MSISDN_FOREIGN}), "1032"),
        (Operation::PkgGet, json!({"iccid": NOBODY}), "1032"),
    ];
    for ((operation, fields), code) in [
        (detail("msisdns", ""), "1012"),
        (detail("msisdns", &many), "1031"),
        (detail("msisdns", "106470000000"), "1008"),
        (detail("iccids", "8986001234567890123x"), "1008"),
        (detail("msisdns", MSISDN_FOREIGN), "1032"),
        (detail("iccids", FOREIGN), "1032"),
        (detail("iccids", NOBODY), "1032"),
    ] {
        all.push((operation, fields, code));
    }
    all
}

#[test]
fn a_refused_request_has_its_code_and_changes_nothing() {
    db::each(|store| {
        let shop = Shop::new(store);
        shop.buy(CARD, "GJ-100M-30D", "n-1");
        let before = shop.whole();
        for (operation, fields, code) in questions() {
            let answer = shop.ask(operation, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{operation:?} {fields}: {}", answer.text);
            assert!(!answer.json["msg"].as_str().unwrap().is_empty() && !answer.json["detail"].as_str().unwrap().is_empty());
            assert!(answer.json.get("result").is_none(), "{}", answer.text);
        }
        for operation in Operation::ALL.iter().copied() {
            let unsigned = shop.sealed(SID, operation, &json!({"sign": "0".repeat(32), "msisdn": MSISDN, "msisdns": MSISDN,
                "pageindex": "1", "month": if operation == Operation::UsagePast { "202602" } else { "1" }, "day": "20260301",
                "pkgcode": "P", "stopkeep": "0", "opertype": "1", "content": "13800000001", "mobile": "13800000001", "text": "x", "tplid": "T"}));
            assert_eq!(shop.send(operation, &unsigned).code(), "1005", "{operation:?}");
        }
        assert_eq!(shop.whole(), before, "nothing changed");
    });
}

#[test]
fn a_foreign_card_answers_as_one_that_is_not_there() {
    db::each(|store| {
        let shop = Shop::new(store);
        for (operation, name) in
            [(Operation::CardDetail, "iccids"), (Operation::UsageCurrent, "iccids"), (Operation::PkgGet, "iccid")]
        {
            let (foreign, nobody) = (shop.ask(operation, json!({name: FOREIGN})), shop.ask(operation, json!({name: NOBODY})));
            assert_eq!(foreign.text, nobody.text);
            assert_eq!(foreign.code(), "1032");
        }
    });
}
