//! CardBOSS requests, sealed messages and pushes: against an independent signer (`python3`), and against tricks.

use kachi_dialects::cardboss::codes::{self, message};
use kachi_dialects::cardboss::{
    Form, Method, Operation, Port, Push, Written, push_body, read, seal, sign, sign_push, sms_push_body, unseal, verify,
};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::process::Command;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/cardboss.py");
const KEY: &str = "0123456789abcdef0123456789abcdef";

fn written(word: &str) -> Written {
    if word == "gb2312" { Written::Gb2312 } else { Written::Utf8 }
}

#[test]
fn two_thousand_vectors_of_another_signer() {
    let output = Command::new("python3").args([CLIENT, "vectors", "--count", "2000", "--seed", "7"]).output();
    let output = output.expect("python3 must be installed: the signer that shares no code with us is written in it");
    assert!(output.status.success(), "{CLIENT} failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut seen: HashMap<(&str, &str), usize> = HashMap::new();
    for line in text.lines() {
        match *line.split('\t').collect::<Vec<_>>() {
            ["request", path, apikey, encoding, form] => {
                let operation = Operation::find(path).unwrap_or_else(|| panic!("no operation {path}"));
                let form = read(operation, form.as_bytes()).unwrap_or_else(|e| panic!("{e:?}: {line}"));
                let fits = verify(operation, &form, apikey).unwrap_or_else(|| panic!("the signature does not fit: {line}"));
                let ascii = operation.signed().iter().all(|name| form.get(name).is_ascii());
                assert!(ascii || fits == written(encoding), "{line}");
                assert_eq!(verify(operation, &form, &apikey[1..]), None, "{line}");
                *seen.entry((path, if ascii { "" } else { encoding })).or_default() += 1;
            }
            ["seal", apikey, encoding, mobiles, content, text] => {
                let open = unseal(text, apikey).unwrap_or_else(|code| panic!("{code}: {line}"));
                assert_eq!((open.mobiles.as_str(), open.content.as_str()), (mobiles, content.trim_end()), "{line}");
                assert_eq!(seal(mobiles, content, apikey, written(encoding)).as_deref(), Some(text), "{line}");
            }
            ["push", apikey, body] => {
                let body: BTreeMap<String, String> = serde_json::from_str(body).expect("a push");
                let of = |name: &str| body[name].as_str();
                let push = Push {
                    sid: of("sid"),
                    id: of("id"),
                    sn: of("sn"),
                    level: of("level"),
                    api: of("api"),
                    time: of("time"),
                    data: of("data"),
                    desc: of("desc"),
                };
                assert_eq!(sign_push(&push, apikey), of("sign"), "{line}");
                let ours: BTreeMap<String, String> = serde_json::from_str(&push_body(&push, apikey)).expect("JSON");
                assert_eq!(ours, body);
            }
            _ => panic!("{line}"),
        }
    }
    let gb = seen.iter().filter(|((_, encoding), _)| *encoding == "gb2312").map(|(_, n)| n).sum::<usize>();
    assert!(gb > 50 && Operation::ALL.iter().all(|o| seen.keys().any(|(path, _)| *path == o.path())), "{seen:?}");
}

#[test]
fn the_formulas_are_those_printed() {
    // md5 of "10043" + the apikey + "20170401100312" and what follows, computed with md5sum.
    let form = |pairs: &[(&'static str, &'static str)]| {
        [("sid", "10043"), ("ts", "20170401100312")].into_iter().chain(pairs.iter().copied()).collect::<Form>()
    };
    for (operation, pairs, hex) in [
        (Operation::CustomerGet, &[][..], "cf31aa49681cb92c49e2c6e4fd32cb8d"),
        (Operation::CardList, &[("pageindex", "1")][..], "d51960c856bf6db759e6db44431c3a74"),
        (
            Operation::PkgRenew,
            &[("msisdn", "1064710578361"), ("pkgcode", "xagx031"), ("month", "12"), ("audit", "2")][..],
            "9632bf6f438e3f7d19dd73f52bffa821",
        ),
    ] {
        assert_eq!(sign(operation, &form(pairs), KEY, Written::Utf8).as_deref(), Some(hex), "{operation:?}");
    }
    let iot = form(&[("mobile", "1064844353790"), ("content", "重启")]);
    assert_eq!(sign(Operation::SmsIot, &iot, KEY, Written::Utf8).as_deref(), Some("e0963d16ff9e8ef061a54ae3e7226df7"));
    assert_eq!(sign(Operation::SmsIot, &iot, KEY, Written::Gb2312).as_deref(), Some("5d986e741190c4165e1c5a7c7c7c2801"));
    assert_eq!(sign(Operation::SmsIot, &form(&[("mobile", "1"), ("content", "😀")]), KEY, Written::Gb2312), None);
}

#[test]
fn a_message_that_is_not_one_has_its_code() {
    let sealed = |text: &str| {
        let (mobiles, content) = text.split_once("##").unwrap_or((text, ""));
        seal(mobiles, content, KEY, Written::Utf8).unwrap()
    };
    let good = sealed("1064844353790##on");
    assert_eq!(unseal(&good, KEY).unwrap().content, "on");
    let wrapped = format!("{}\r\n{}", &good[..10], &good[10..]);
    assert_eq!(unseal(&wrapped, KEY).unwrap().mobiles, "1064844353790");
    for (text, key, code) in [
        ("%%%", KEY, 1042),
        ("", KEY, 1042),
        ("YWJj", KEY, 1040),
        (good.as_str(), "fedcba98765432100123456789abcdef", 1040),
        (good.as_str(), "short", 1040),
        // `1064844353790 on`, by other people's means: it decrypts, and is not of the form.
        ("n+DeMa/Kv7pJZM7NG2BYrQ==", KEY, 1041),
        (sealed("##on").as_str(), KEY, 1041),
        (sealed("1064844353790##").as_str(), KEY, 1041),
        (sealed("1064844353790##  ").as_str(), KEY, 1041),
    ] {
        assert_eq!(unseal(text, key), Err(code), "{text} {key}");
    }
}

/// As printed (v2.2.2, 5.2), with its spaces.
#[test]
fn codes_have_the_texts_of_the_source() {
    for (code, text) in [
        (1004, "Http 请求方式错误"),
        (1006, "IP 鉴权失败"),
        (1025, "全局 IP 黑名单"),
        (1030, "超过 ip 最大请求速度"),
        (1033, "Ops 服务不存在或停用"),
        (1098, "API 停用"),
    ] {
        assert_eq!(codes::message(code), Some(text));
    }
}

#[test]
fn a_value_that_can_be_read_two_ways_is_refused_before_it_is_hashed() {
    let many = |n: usize| vec!["1064800000001"; n].join(",");
    for (operation, fields, code) in [
        (Operation::CardDetail, "msisdns=1064800000001&iccids=", 0),
        (Operation::CardDetail, "msisdns=106480000000&iccids=1", 1008),
        (Operation::CardDetail, "", 1012),
        (Operation::CardDetail, "msisdns=1064800000001,%201064800000001", 1008),
        (Operation::CardDetail, "msisdns=1064800000001,", 1008),
        (Operation::CardDetail, &format!("msisdns={}", many(100)), 0),
        (Operation::CardDetail, &format!("msisdns={}", many(101)), 1031),
        (Operation::CardDetail, "iccids=898607b8101700000001", 0),
        (Operation::CardDetail, "iccids=898607b810170000000", 0),
        (Operation::CardDetail, "iccids=898607b81017000000", 1008),
        (Operation::UsagePast, "month=202601&showday=1&msisdns=00000000000&iccids=08900000000000000000", 1008),
        (Operation::PkgRenew, "msisdn=1064800000001&pkgcode=xagx03&month=112", 1031),
        (Operation::PkgRenew, "msisdn=1064800000001&pkgcode=xagx03&month=012", 1031),
        (Operation::PkgRenew, "msisdn=1064800000001&pkgcode=xagx03&month=0", 1031),
        (Operation::PkgRenew, "msisdn=1064800000001&pkgcode=xagx03&month=12&startdate=2026-3-1", 1024),
        (Operation::PkgRenew, "msisdn=1064800000001&pkgcode=xagx03&month=12&audit=3", 1031),
        (Operation::PkgRenew, "msisdn=1064800000001&pkgcode=xagx03", 1012),
        (Operation::PkgRenew, "pkgcode=xagx03&month=12", 1012),
        (Operation::StopKeep, "msisdn=1064800000001&stopkeep=2", 1031),
        (Operation::StopKeep, "msisdn=1064800000001", 1012),
        (Operation::SwitchNet, "msisdn=1064800000001&opertype=1&marginrat=030", 1031),
        (Operation::SwitchNet, "msisdn=1064800000001&opertype=1&marginrat=101", 1031),
        (Operation::SwitchNet, "msisdn=1064800000001&opertype=1&apnname=CM%20IOT", 1031),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=0&content=13800000001_13800000002_13800000003", 1031),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&content=051288888888", 0),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&content=213800000001", 1008),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&content=10086", 0),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&content=95588", 0),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&content=4001234567", 0),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=0&content=10086_4001234567", 0),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&taskid=77&content=13800000001", 0),
        // With a group before it, it could be another group's or none's.
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&taskid=7&content=10086", 1008),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&content=12", 1008),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&content=23800000001", 1008),
        // Only to take numbers off are two joined.
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=0&content=13800000001_13800000002", 0),
        (Operation::VoiceWhitelist, "msisdn=1064800000001&opertype=1&content=13800000001_13800000002", 1031),
        (Operation::UsagePast, "iccid=898607b8101700000001&month=202602", 0),
        (Operation::UsagePast, "iccid=898607b81017000000&month=202602", 1008),
        (Operation::UsagePast, "iccid=898607b8101700000001&iccids=898607b81017000000&month=202602", 1008),
        (Operation::UsageDay, "iccid=898607b8101700000001&day=20260201", 1012),
        (Operation::UsagePast, "msisdns=1064800000001&month=2026-02", 1024),
        (Operation::UsagePast, "msisdns=1064800000001&month=202602&showday=7", 1031),
        (Operation::UsageDay, "msisdns=1064800000001&day=202602", 1024),
        (Operation::CardList, "pageindex=0", 1031),
        (Operation::CardList, "pageindex=01", 1031),
        (Operation::CardList, "", 1012),
        (Operation::SmsIot, &format!("mobile={}&content=a", many(1001)), 1003),
        (Operation::SmsIot, &format!("mobile=1064800000001&content={}", "字".repeat(351)), 1002),
        (Operation::SmsIot, "mobile=1064800000001&content=a%00b", 1031),
        (Operation::SmsPhone, "mobile=1380000000&tplid=T1&content=a", 1008),
        (Operation::SmsPhone, "mobile=13800000001&tplid=T1", 1012),
        (Operation::SmsIot, "mobile=1064800000001&content=%zz", 1031),
        (Operation::SmsIot, "mobile=1064800000001&content=%ff%ff", 1031),
        (Operation::SmsIot, "mobile=1064800000001&content=a&content=b", 1031),
    ] {
        let raw = format!("sid=1&sign=2&ts=20260301120000&&{fields}");
        let found = read(operation, raw.as_bytes()).map_or_else(|fault| fault.code, |_| 0);
        assert_eq!(found, code, "{operation:?} {fields}");
        assert!(message(found).is_some());
    }
    for (raw, code) in [("sid=1&ts=20260301120000", 1012), ("sid=1&sign=2&ts=2026", 1024), ("sign=2&ts=20260301120000", 1012)] {
        assert_eq!(read(Operation::CustomerGet, raw.as_bytes()).unwrap_err().code, code, "{raw}");
    }
}

#[test]
fn every_operation_stands_at_its_method_and_port() {
    let count = |f: fn(&Operation) -> bool| Operation::ALL.iter().filter(|o| f(o)).count();
    assert_eq!(Operation::ALL.len(), 20);
    assert_eq!((count(|o| o.method() == Method::Get), count(|o| o.port() == Port::Direct)), (11, 5));
    assert_eq!(count(|o| o.is_retired()), 2);
    assert_eq!(Operation::find("sms/sendiotsms"), Some(Operation::SmsIot));
    assert!(codes::TABLE.is_sorted_by_key(|row| row.0) && codes::TABLE.len() == 38);
    let push: Value = serde_json::from_str(&sms_push_body("P0001", "[]")).unwrap();
    assert_eq!(push, serde_json::json!({"type": "P0001", "data": "[]"}));
}

fn msisdn() -> impl Strategy<Value = String> {
    prop_oneof!["1[0-9]{10}", "1[0-9]{12}"]
}

fn iccid() -> impl Strategy<Value = String> {
    prop_oneof!["89[0-9]{17}", "89[0-9]{18}"]
}

fn list(one: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec(one, 0..3).prop_map(|all| all.join(","))
}

/// The values of an operation, often cut at other places than they were put together.
fn values(operation: Operation) -> impl Strategy<Value = Vec<String>> {
    let one = move |name: &str| -> BoxedStrategy<String> {
        match name {
            "msisdns" => list(msisdn()).boxed(),
            "iccids" => list(iccid()).boxed(),
            "msisdn" => prop_oneof![Just(String::new()), msisdn()].boxed(),
            "iccid" => prop_oneof![Just(String::new()), iccid()].boxed(),
            "day" => "2026030[1-9]".boxed(),
            "month" => "20260[1-9]".boxed(),
            "showday" => "[01]?".boxed(),
            "stopkeep" | "opertype" => "[01]".boxed(),
            other => panic!("{other}"),
        }
    };
    operation.signed().iter().map(|name| one(name)).collect::<Vec<_>>()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A white-list's group and its numbers, cut at another place, are never another request's.
    #[test]
    fn a_group_is_never_a_part_of_a_number(
        group in "[0-9]{0,3}", number in prop_oneof!["[01][0-9]{10}", "0[3-9][0-9]{10}", "[0-9]{3,10}"], cut in 0_usize..16,
    ) {
        let query = |group: &str, number: &str| {
            let fields = format!("msisdn=1064800000001&opertype=1&taskid={group}&content={number}");
            read(Operation::VoiceWhitelist, format!("sid=1&sign=2&ts=20260301120000&{fields}").as_bytes()).is_ok()
        };
        let joined = format!("{group}{number}");
        let cut = cut.min(joined.len());
        if query(&group, &number) && cut != group.len() {
            prop_assert!(!query(&joined[..cut], &joined[cut..]), "{group} {number} at {cut}");
        }
    }

    /// Wherever the joined values are cut differently and still keep the grammar, they are the same values. Left out: a
    /// package's code before the months and a message behind a number, which the stored body answers.
    #[test]
    fn joined_values_are_read_one_way(
        (operation, values) in prop::sample::select(vec![
            Operation::CardDetail, Operation::UsagePast, Operation::UsageDay, Operation::PkgGet, Operation::StopKeep,
        ]).prop_flat_map(|o| (Just(o), values(o))),
        shift in prop::collection::vec(-3_i32..=3, 4),
    ) {
        let names = operation.signed();
        let query = |values: &[String]| {
            let pairs = names.iter().zip(values).map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
            read(operation, format!("sid=1&sign=2&ts=20260301120000&{pairs}").as_bytes())
        };
        let joined = values.concat();
        let mut cuts: Vec<i32> = values.iter().scan(0, |at, v| { *at += v.len() as i32; Some(*at) }).collect();
        cuts.pop();
        let moved: Vec<usize> = cuts.iter().zip(&shift).map(|(c, s)| (c + s).clamp(0, joined.len() as i32) as usize).collect();
        if query(&values).is_ok() && moved.is_sorted() {
            let mut parts = Vec::new();
            let mut from = 0;
            for to in moved.into_iter().chain([joined.len()]) {
                parts.push(joined[from..to].to_owned());
                from = to;
            }
            if parts != values {
                prop_assert!(query(&parts).is_err(), "{values:?} and {parts:?}");
            }
        }
    }

    #[test]
    fn no_other_value_has_the_signature(field in 0_usize..4, change in "[0-9]") {
        let pairs = [("msisdn", "1064800000001"), ("iccid", "89860012345678901234"), ("pkgcode", "P"), ("month", "12")];
        let sealed: Form = pairs.into_iter().chain([("sid", "1"), ("ts", "20260301120000")]).collect();
        let given = sign(Operation::PkgRenew, &sealed, KEY, Written::Utf8).unwrap();
        let changed = format!("{}{change}", pairs[field].1);
        let other: Form = pairs.iter().enumerate().map(|(i, (n, v))| (*n, if i == field { changed.as_str() } else { v }))
            .chain([("sid", "1"), ("ts", "20260301120000"), ("sign", given.as_str())]).collect();
        prop_assert_eq!(verify(Operation::PkgRenew, &other, KEY), None);
    }
}
