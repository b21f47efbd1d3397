//! Renewals: what they answer, what is in their way, one signature one body, and the push of their result.

use crate::contract;
use crate::shop::{MSISDN, MSISDN_CN, MSISDN_FOREIGN, NORTH_SID, SID, Shop, escaped, renewable};
use kachi_dialects::cardboss::Operation;
use kachi_domain::Span;
use kachi_domain::package::Category;
use kachi_engine::records::OrderName;
use kachi_engine::renewals;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED};
use serde_json::{Value, json};

const RENEW: Operation = Operation::PkgRenew;

fn shop(store: kachi_store::Store) -> Shop {
    let shop = Shop::new(store);
    renewable(&shop);
    shop
}

fn month(months: &str) -> Value {
    json!({"msisdn": MSISDN_CN, "iccid": CHINESE, "pkgcode": "CN-MONTH", "month": months, "audit": "2"})
}

fn held(shop: &Shop) -> (i64, i64) {
    let money = shop.trade.engine.store().read(|tx| tx.balance(ACME)).expect("the balance");
    (money.0, money.1)
}

#[test]
fn a_renewal_is_held_or_taken_and_named() {
    db::each(|store| {
        let shop = shop(store);
        let taken = shop.good(RENEW, month("12"));
        assert_eq!(
            (&taken["msisdn"], &taken["orderamount"], &taken["ordertime"]),
            (&json!(MSISDN_CN), &json!(12), &json!("2026-03-01 12:00:00"))
        );
        let number = taken["orderid"].as_str().unwrap();
        assert!(number.len() == 18 && number.starts_with("CR260301120000"), "{number}");
        assert_eq!(held(&shop), (10_000 - 1200, 0), "local and automatic: taken at once");
        let mut manual = month("12");
        manual.as_object_mut().unwrap().remove("audit");
        shop.trade.pass(1);
        shop.good(RENEW, manual);
        assert_eq!(held(&shop), (10_000 - 2400, 1200), "reviewed: held");
        let packages = shop.good(Operation::PkgGet, json!({"msisdn": MSISDN_CN}));
        assert_eq!((&packages["pkgs"][0]["buycycle"], &packages["pkgs"][0]["pkgcategory"]), (&json!(12), &json!("1")));
        shop.trade.assert_sound();
    });
}

#[test]
fn what_a_renewal_holds_leaves_the_balance_when_it_takes_effect() {
    db::each(|store| {
        let shop = shop(store);
        let shown = || shop.good(Operation::CustomerGet, json!({}))["balance"].clone();
        let mut manual = month("60");
        manual["audit"] = json!("1");
        let number = shop.good(RENEW, manual)["orderid"].as_str().unwrap().to_owned();
        assert_eq!((shown(), held(&shop)), (json!(100), (4_000, 6_000)), "handed in, and nothing of it done");
        shop.trade.pass(1);
        let mut more = month("41");
        more["repetition"] = json!("1");
        assert_eq!(shop.ask(RENEW, more).code(), "1007", "what is held buys nothing else");
        let name = OrderName::Number(number);
        let approved = shop.trade.engine.write(move |tx, c, how| renewals::approve(tx, c, how, &name, "Li"));
        approved.expect("it takes effect");
        assert_eq!((shown(), held(&shop)), (json!(40), (4_000, 0)));
    });
}

#[test]
fn what_is_wrong_with_a_renewal_is_said_in_chinese_and_as_it_is() {
    db::each(|store| {
        let shop = shop(store);
        let with = |name: &str, value: &str| {
            let mut fields = month("12");
            fields[name] = json!(value);
            fields
        };
        for (fields, detail) in [
            (with("month", "100"), "month为1至99的整数, 不带前导零"),
            (with("month", "6"), "month须为12至99个月"),
            (json!({"msisdn": MSISDN_CN, "pkgcode": "CN-3MO", "month": "4", "audit": "2"}), "month须为3至99个月, 且为3的整数倍"),
            (with("startdate", "2026-02-28"), "startdate须为今日起3660日内的日期, 格式为yyyy-MM-dd"),
        ] {
            let answer = shop.ask(RENEW, fields.clone());
            assert_eq!((answer.code(), &answer.json["detail"]), ("1031", &json!(detail)), "{fields}");
        }
        assert_eq!(shop.ask(RENEW, month("99")).code(), "0", "as many as it says");
        shop.trade.pass(1);
        let mut taken = with("startdate", "2026-04-01");
        taken["repetition"] = json!("1");
        let (answer, before) = (shop.ask(RENEW, taken), held(&shop));
        let detail = "startdate须为2034-06-01或之后的日期, 此前卡有其他套餐; 不填写则顺延至最后到期的套餐之后";
        assert_eq!((answer.code(), &answer.json["detail"], held(&shop)), ("1031", &json!(detail), before));
    });
}

/// A top-up adds to what is in use: without a date it starts at once, whatever waits for its own.
#[test]
fn a_top_up_without_a_date_does_not_wait_for_that_of_another() {
    db::each(|store| {
        let shop = shop(store);
        shop.sell("TOP-1MO", Span::Months(1), |t| t.category = Category::TopUp);
        shop.buy(CARD, "GJ-TIME-1MO", "n-1");
        let mut dated = json!({"msisdn": MSISDN, "pkgcode": "TOP-1MO", "month": "1", "audit": "2", "startdate": "2026-03-10"});
        shop.good(RENEW, dated.clone());
        shop.trade.pass(60);
        _ = dated.as_object_mut().expect("fields").remove("startdate");
        shop.good(RENEW, dated);
        let pkgs = shop.good(Operation::PkgGet, json!({"msisdn": MSISDN}))["pkgs"].clone();
        let starts: Vec<_> =
            pkgs.as_array().expect("packages").iter().map(|p| p["startdate"].as_str().expect("a date")).collect();
        assert_eq!(starts, ["2026-03-01", "2026-03-10", "2026-03-01"], "{pkgs}");
    });
}

#[test]
fn what_is_in_the_way_has_its_code_and_changes_nothing() {
    db::each(|store| {
        let shop = shop(store);
        let mut open = month("12");
        open["audit"] = json!("1");
        let first = shop.good(RENEW, open)["orderid"].as_str().unwrap().to_owned();
        shop.trade.pass(1);
        let before = shop.whole();
        let with = |name: &str, value: &str| {
            let mut fields = month("12");
            fields[name] = json!(value);
            fields["repetition"] = json!("1");
            fields
        };
        for (fields, code) in [
            (json!({"pkgcode": "CN-MONTH", "month": "12"}), "1012"),
            (with("month", "0"), "1031"),
            (with("month", "5"), "1031"),
            (with("month", "11"), "1031"),
            (json!({"msisdn": MSISDN_CN, "pkgcode": "CN-3MO", "month": "4", "repetition": "1"}), "1031"),
            (with("pkgcode", "no-such"), "1031"),
            (with("pkgcode", "GJ-100M-30D"), "1031"),
            (with("startdate", "2026-02-30"), "1024"),
            (with("startdate", "2026-02-01"), "1031"),
            (with("audit", "3"), "1031"),
            (with("msisdn", MSISDN_FOREIGN), "1032"),
            (json!({"msisdn": MSISDN_FOREIGN, "pkgcode": "CN-MONTH", "month": "12"}), "1032"),
            (json!({"msisdn": MSISDN, "pkgcode": "GJ-DEAR", "month": "1", "audit": "2"}), "1007"),
            (json!({"iccid": CLOSED, "pkgcode": "GJ-100M-30D", "month": "1"}), "1080"),
            (month("12"), "1080"),
        ] {
            shop.trade.pass(1);
            let answer = shop.ask(RENEW, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{fields}: {}", answer.text);
            if code == "1080" {
                assert_eq!(contract::faults(RENEW, &answer.json), Vec::<String>::new(), "a refusal too has a result");
                assert_eq!((&answer.result()["orderid"], &answer.result()["orderamount"]), (&json!(""), &json!(0)));
            } else {
                assert!(answer.json.get("result").is_none());
            }
        }
        let again = shop.ask(RENEW, month("12"));
        assert_eq!(again.json["msg"], "套餐续费失败");
        assert_eq!(again.json["detail"], format!("续费失败, 原因: {MSISDN_CN} 存在重复续费单, 单号: {first}"));
        assert_eq!(shop.whole(), before, "nothing changed");
        assert_eq!(
            shop.ask_as(NORTH_SID, RENEW, with("remark", "for the gates")).code(),
            "0",
            "an account acts for those below it"
        );
    });
}

#[test]
fn the_order_of_an_account_above_is_in_the_way_and_not_named() {
    db::each(|store| {
        let shop = shop(store);
        let mut open = month("12");
        open["audit"] = json!("1");
        let number = shop.good_as(NORTH_SID, RENEW, open)["orderid"].as_str().unwrap().to_owned();
        shop.trade.pass(1);
        let below = shop.ask(RENEW, month("12"));
        assert_eq!(below.json["detail"], format!("续费失败, 原因: {MSISDN_CN} 存在重复续费单"));
        assert!(below.code() == "1080" && !below.text.contains(&number), "{}", below.text);
        let above = shop.ask_as(NORTH_SID, RENEW, month("12"));
        assert_eq!(above.json["detail"], format!("续费失败, 原因: {MSISDN_CN} 存在重复续费单, 单号: {number}"));
    });
}

#[test]
fn one_signature_is_good_for_one_body() {
    db::each(|store| {
        let shop = shop(store);
        let mut fields = month("12");
        fields["audit"] = json!("1");
        let form = shop.sealed(SID, RENEW, &fields);
        let first = shop.send(RENEW, &form);
        assert_eq!(first.code(), "0", "{}", first.text);
        let before = shop.whole();
        let all = shop.race(RENEW, vec![form.clone(); 8]);
        assert!(all.iter().all(|answer| answer.text == first.text), "to the letter");
        let shuffled: Vec<&str> = form.split('&').rev().collect();
        assert_eq!(shop.send(RENEW, &shuffled.join("&")).text, first.text, "the order of parameters does not matter");
        // The parameters that no signature covers.
        for other in [
            form.replace("audit=1", "audit=2"),
            format!("{form}&repetition=1"),
            format!("{form}&startdate={}", escaped(b"2026-04-01")),
            format!("{form}&remark=x"),
        ] {
            let answer = shop.send(RENEW, &other);
            assert_eq!(answer.code(), "1005", "{other}: {}", answer.text);
        }
        let after: Vec<String> = shop.whole().into_iter().filter(|row| !row.starts_with("reused_request: ")).collect();
        assert_eq!(after, before, "but for the record of it");
        let kept = shop.trade.engine.read(|tx, _| Ok(tx.reused_requests(10)?)).expect("the record");
        assert_eq!(kept.len(), 1, "one row a signature: {kept:?}");
        let (account, door, key, peer, times, first, last) = &kept[0];
        assert_eq!((*account, door.as_str(), peer.as_str(), *times), (ACME.0, "cardboss", "127.0.0.1", 4));
        let sign = form.split("sign=").nth(1).and_then(|rest| rest.split('&').next()).expect("a signature");
        assert_eq!((key.as_str(), *first, *last), (&*format!("card/pkg/renew|{sign}"), shop.trade.now().0, shop.trade.now().0));
        let counted = shop.door.counts().all();
        assert!(counted.contains(&("signature with another body", 1005, 4)), "{counted:?}");
        assert_eq!(held(&shop), (10_000 - 1200, 1200), "bought once");
    });
}

/// Whoever saw a refused renewal does not order with its signature what the buyer did not ask for.
#[test]
fn a_refused_request_binds_its_signature_to_its_body() {
    db::each(|store| {
        let shop = shop(store);
        shop.good(RENEW, json!({"msisdn": MSISDN_CN, "iccid": CHINESE, "pkgcode": "CN-3MO", "month": "3"}));
        let before = shop.whole();
        let reused = || shop.trade.engine.read(|tx, _| Ok(tx.reused_requests(10)?)).expect("the record").len();
        let mut refused = 0;
        let unread = ["&remark=%zz", "&remark=%01", "&remark=%FF%FF", "&remark=a&remark=b", "&%E4=1"].map(|rest| (rest, "1031"));
        let read = [("", "1080"), ("&audit=3", "1031"), ("&startdate=2026-02-01", "1080"), ("&startdate=x", "1024")];
        for (first, code) in read.into_iter().chain(unread) {
            shop.trade.pass(1);
            let mut plain = month("12");
            plain.as_object_mut().unwrap().remove("audit");
            let form = shop.sealed(SID, RENEW, &plain);
            let answer = shop.send(RENEW, &format!("{form}{first}"));
            assert_eq!(answer.code(), code, "{first}: {}", answer.text);
            shop.trade.pass(2);
            for other in ["&repetition=1&audit=2", "&repetition=1", "&repetition=1&startdate=2026-04-01"] {
                let answer = shop.send(RENEW, &format!("{form}{other}"));
                assert_eq!(answer.code(), "1005", "{first} then {other}: {}", answer.text);
            }
            assert_eq!(shop.send(RENEW, &format!("{form}{first}")).code(), code, "the same again is as it was");
            refused += 1;
            assert_eq!(reused(), refused, "a row a signature");
        }
        let after: Vec<String> = shop.whole().into_iter().filter(|row| !row.starts_with("reused_request: ")).collect();
        assert_eq!(after, before, "but for the record of it");
    });
}

/// 1080 says to ask again with `repetition=1`: who does so within the second signs alike.
#[test]
fn a_refused_request_may_be_corrected_at_once() {
    db::each(|store| {
        let shop = shop(store);
        shop.good(RENEW, json!({"msisdn": MSISDN_CN, "pkgcode": "CN-3MO", "month": "3"}));
        let form = shop.sealed(SID, RENEW, &month("12"));
        assert_eq!(shop.send(RENEW, &form).code(), "1080");
        let done = shop.send(RENEW, &format!("{form}&repetition=1"));
        assert_eq!(done.code(), "0", "{}", done.text);
        assert_eq!(shop.send(RENEW, &format!("{form}&repetition=1")).text, done.text, "and then has its one answer");
        assert_eq!(shop.send(RENEW, &form).code(), "1005", "which is bound to the body that was taken");
    });
}

#[test]
fn a_refused_request_may_be_tried_again_as_it_was() {
    db::each(|store| {
        let shop = shop(store);
        let open = shop.good(RENEW, json!({"msisdn": MSISDN_CN, "pkgcode": "CN-3MO", "month": "3"}));
        let form = shop.sealed(SID, RENEW, &month("12"));
        assert_eq!(shop.send(RENEW, &form).code(), "1080");
        assert_eq!(shop.send(RENEW, &form).code(), "1080");
        let name = OrderName::Number(open["orderid"].as_str().unwrap().to_owned());
        let rejected = shop.trade.engine.write(move |tx, c, how| renewals::reject(tx, c, how, &name, ("Li", "no")));
        rejected.expect("the one in its way is gone");
        let done = shop.send(RENEW, &form);
        assert_eq!(done.code(), "0", "{}", done.text);
        assert_eq!(shop.send(RENEW, &form).text, done.text, "and then has its one answer");
        assert_eq!(held(&shop), (10_000 - 1200, 0), "bought once");
    });
}

#[test]
fn the_result_is_on_its_way_to_the_buyer() {
    db::each(|store| {
        let shop = shop(store);
        let set = shop.trade.engine.store().write(|tx| {
            let account = tx.accounts()?.into_iter().find(|a| a.id == ACME).expect("an account");
            let notify = r#"{"cardboss_data":"http://127.0.0.1:9/d"}"#.to_owned();
            tx.put_account(&kachi_store::accounts::Account { notify, ..account }, kachi_domain::Timestamp(0))?;
            tx.touch_catalogue()
        });
        set.unwrap();
        shop.good(RENEW, month("12"));
        let claim = kachi_engine::webhooks::claim(&shop.trade.engine, 7, &kachi_engine::webhooks::Silent::default()).unwrap();
        let job = claim.lanes.concat().into_iter().find(|j| j.kind == "renewal_settled").expect("a delivery");
        assert_eq!((job.door.as_str(), job.name.as_str()), ("cardboss_data", SID));
        let push = kachi_edges::cardboss::data_push(&job.kind, &job.body, "id", 0, (&job.name, &job.secret)).expect("a push");
        let push: Value = serde_json::from_str(&push).unwrap();
        let data: Value = serde_json::from_str(push["data"].as_str().unwrap()).unwrap();
        assert_eq!((&push["sn"], &data["status"], &data["msisdn"]), (&json!("OD1002"), &json!("1"), &json!(MSISDN_CN)));
        assert_eq!(contract::object_faults(&data, contract::push("OD1002"), "OD1002"), Vec::<String>::new());
    });
}
