//! Messages: plain, encrypted and by template; their reports and replies, handed out once and pushed.

use crate::contract;
use crate::shop::{MSISDN, MSISDN_FOREIGN, SID, Shop, apikey, escaped, templates};
use kachi_dialects::cardboss::{Operation, Written, seal};
use kachi_edges::cardboss::sms_push;
use kachi_engine::webhooks;
use kachi_store::Store;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, FOREIGN, READY};
use serde_json::{Value, json};

fn shop(store: Store) -> (Shop, Carrier) {
    let shop = Shop::new(store);
    let set = shop.trade.engine.store().write(|tx| {
        let account = tx.accounts()?.into_iter().find(|a| a.id == ACME).expect("an account");
        let notify = r#"{"cardboss_sms":"http://127.0.0.1:9/s"}"#.to_owned();
        tx.put_account(&kachi_store::accounts::Account { notify, ..account }, kachi_domain::Timestamp(0))?;
        tx.touch_catalogue()
    });
    set.expect("an address");
    templates(&shop);
    let carrier = Carrier::of(&shop.trade.engine, "1US-1", json!({"lag_seconds": 0, "cool_down_seconds": 0}), &[]);
    carrier.remember(&shop.trade.engine);
    (shop, carrier)
}

fn work(shop: &Shop, carrier: &Carrier) {
    for _ in 0..4 {
        carrier.work(&shop.trade.engine);
        shop.trade.pass(20);
    }
}

/// The pushes that wait at the address for messages: type and rows.
fn pushes(shop: &Shop) -> Vec<(String, Value)> {
    let claim = webhooks::claim(&shop.trade.engine, 7, &kachi_engine::webhooks::Silent::default()).expect("a claim");
    let mut jobs = claim.lanes.concat();
    jobs.sort_by_key(|j| j.id);
    let read = |job: &webhooks::Job| {
        let push: Value = serde_json::from_str(&sms_push(&job.kind, &job.body).expect("a push")).expect("JSON");
        let rows: Value = serde_json::from_str(push["data"].as_str().expect("text")).expect("JSON text");
        (push["type"].as_str().expect("a type").to_owned(), rows)
    };
    jobs.iter().map(read).collect()
}

#[test]
fn a_message_goes_out_and_what_became_of_it_is_told_once() {
    db::each(|store| {
        let (shop, carrier) = shop(store);
        let sent = shop.good(Operation::SmsIot, json!({"mobile": format!("{MSISDN},{READY}"), "content": "字".repeat(71)}));
        assert_eq!((&sent["count"], &sent["fee"]), (&json!(2), &json!(4)), "71 characters are two of 67");
        work(&shop, &carrier);
        let reports = shop.good(Operation::SmsReport, json!({}));
        assert_eq!(reports["count"], 2);
        let first = &reports["rpts"][0];
        assert_eq!((&first["taskid"], &first["state"], &first["stat"]), (&sent["taskid"], &json!("DELIVRD"), &json!("DELIVRD")));
        assert_eq!(shop.good(Operation::SmsReport, json!({}))["count"], 0, "each is handed out once");
        carrier.world.write_from(CARD, "mo-1", "on", shop.trade.now());
        carrier.collect(&shop.trade.engine);
        let replies = shop.good(Operation::SmsMo, json!({}));
        let reply = &replies["mos"][0];
        assert_eq!(
            (&replies["count"], &reply["content"], &reply["apmid"], &reply["mobile"]),
            (&json!(1), &json!("on"), &json!("mo-1"), &json!(MSISDN))
        );
        assert_eq!(shop.good(Operation::SmsMo, json!({}))["count"], 0);
        let pushed = pushes(&shop);
        let kinds: Vec<_> = pushed.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["P0001", "P0001", "P0002"]);
        for (kind, rows) in &pushed {
            assert_eq!(contract::object_faults(&rows[0], contract::push(kind), kind), Vec::<String>::new());
        }
        assert_eq!(
            shop.good(Operation::UsageCurrent, json!({"msisdns": MSISDN}))["usages"][0]["smsusage"],
            2,
            "as many as it is charged for"
        );
        shop.trade.assert_sound();
    });
}

#[test]
fn chinese_is_read_in_both_encodings_and_counted() {
    db::each(|store| {
        let (shop, _carrier) = shop(store);
        let utf8 = shop.sealed(SID, Operation::SmsIot, &json!({"mobile": MSISDN, "content": "重启"}));
        assert_eq!(shop.send(Operation::SmsIot, &utf8).code(), "0");
        // 重启 in GB2312, signed over those bytes and sent as such, by other people's means.
        let form: kachi_dialects::cardboss::Form =
            [("sid", SID), ("ts", &shop.ts(1)), ("mobile", MSISDN), ("content", "重启")].into_iter().collect();
        let gb = kachi_dialects::cardboss::sign(Operation::SmsIot, &form, &apikey(SID), Written::Gb2312).expect("in GB2312");
        let text = format!("sid={SID}&ts={}&mobile={MSISDN}&content={}&sign={gb}", shop.ts(1), escaped(b"\xD6\xD8\xC6\xF4"));
        assert_eq!(
            shop.send_to(
                "sms/sendiotsms",
                kachi_dialects::cardboss::Method::Post,
                kachi_dialects::cardboss::Port::Data,
                &text,
                "127.0.0.1"
            )
            .code(),
            "0"
        );
        let counts = shop.door.counts().all();
        assert!(counts.contains(&("text in utf-8", 0, 1)) && counts.contains(&("text in gb2312", 0, 1)), "{counts:?}");
    });
}

#[test]
fn an_encrypted_message_is_one_like_any_other() {
    db::each(|store| {
        let (shop, _carrier) = shop(store);
        let text = |mobiles: &str, content: &str| seal(mobiles, content, &apikey(SID), Written::Utf8).expect("sealed");
        let sent = shop.good(Operation::SmsIotEncrypted, json!({"text": text(MSISDN, "wake")}));
        assert_eq!((&sent["count"], &sent["fee"]), (&json!(1), &json!(1)));
        let before = shop.whole();
        for (text, code) in [
            ("%%%".to_owned(), "1042"),
            ("YWJj".to_owned(), "1040"),
            // `1064700000001 on`, by other people's means.
            ("460iEa58LQ/tgRzoUXrxjA==".to_owned(), "1041"),
            (text("", "wake"), "1041"),
            (text(MSISDN, ""), "1041"),
            (text("12", "wake"), "1008"),
            (text(MSISDN_FOREIGN, "wake"), "1032"),
            (text(MSISDN, &"a".repeat(351)), "1002"),
            (text(&vec![MSISDN; 1001].join(","), "a"), "1003"),
            (String::new(), "1012"),
        ] {
            let answer = shop.ask(Operation::SmsIotEncrypted, json!({"text": text}));
            assert_eq!((answer.status, answer.code()), (200, code), "{}", answer.text);
        }
        for (fields, code) in [
            (json!({"mobile": MSISDN}), "1012"),
            (json!({"content": "a"}), "1012"),
            (json!({"mobile": FOREIGN, "content": "a"}), "1032"),
            (json!({"mobile": format!("{MSISDN},{FOREIGN}"), "content": "a"}), "1032"),
            (json!({"mobile": MSISDN, "content": "a".repeat(351)}), "1002"),
        ] {
            let answer = shop.ask(Operation::SmsIot, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{fields}: {}", answer.text);
        }
        assert_eq!(shop.whole(), before, "nothing changed");
    });
}

#[test]
fn the_values_of_a_template_are_read_as_the_source_prints_them() {
    db::each(|store| {
        let (shop, _carrier) = shop(store);
        let ask =
            |content: &str| shop.ask(Operation::SmsPhone, json!({"mobile": "13800000001", "tplid": "T1", "content": content}));
        let printed = ask("@1@=xx 客户 @2@=用量即将到期");
        assert_eq!(printed.code(), "0", "{}", printed.text);
        shop.trade.pass(1);
        let short = ask("@1@=xx");
        let rule = "content须为短信模板的每个变量各给一个值, 格式为@1@=值|@2@=值";
        assert_eq!((short.code(), short.json["detail"].as_str()), ("1031", Some(rule)));
        shop.trade.pass(1);
        let empty = shop.ask(Operation::SmsIot, json!({"mobile": MSISDN, "content": " "}));
        assert_eq!((empty.code(), empty.json["detail"].as_str()), ("1031", Some("content不能为空")));
    });
}

#[test]
fn a_message_by_template_is_paid_a_part() {
    db::each(|store| {
        let (shop, _carrier) = shop(store);
        let fields = json!({"mobile": "13800000001,13800000002", "tplid": "T1", "content": "@1@=王|@2@=1G"});
        let form = shop.sealed(SID, Operation::SmsPhone, &fields);
        let sent = shop.send(Operation::SmsPhone, &form);
        assert_eq!(sent.code(), "0", "{}", sent.text);
        assert_eq!(contract::faults(Operation::SmsPhone, &sent.json), Vec::<String>::new());
        assert_eq!((&sent.result()["count"], &sent.result()["fee"]), (&json!(2), &json!(2)));
        assert_eq!(shop.trade.balance(ACME), 10_000 - 20);
        let before = shop.whole();
        assert_eq!(shop.send(Operation::SmsPhone, &form).text, sent.text, "the same again is paid once");
        let phishing = form.replace(&escaped("王".as_bytes()), &escaped("骗".as_bytes()));
        assert_eq!(shop.send(Operation::SmsPhone, &phishing).code(), "1005", "the unsigned text is a part of the body");
        assert_eq!(shop.trade.engine.read(|tx, _| Ok(tx.reused_requests(10)?)).expect("the record").len(), 1);
        for (name, value, code) in
            [("tplid", "no-such", "1031"), ("tplid", "T2", "1031"), ("mobile", "1380000000", "1008"), ("content", "", "1012")]
        {
            let mut fields = fields.clone();
            fields[name] = json!(value);
            let answer = shop.ask(Operation::SmsPhone, fields);
            assert_eq!((answer.status, answer.code()), (200, code), "{name}: {}", answer.text);
        }
        let after: Vec<String> = shop.whole().into_iter().filter(|row| !row.starts_with("reused_request: ")).collect();
        assert_eq!(after, before, "nothing changed but the record of it");
        shop.trade.assert_sound();
    });
}
