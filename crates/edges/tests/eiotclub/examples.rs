//! The examples that the source prints (`tests/contracts/eiotclub.examples.txt`): every request is sent as it stands there, and
//! every answer and notice of ours has each field of its example, of the same JSON type.
//!
//! What of a request is replaced: appkey, timestamp and sign by ours (the timestamp as text where it is text there); what
//! names something (cards, orders, packages, pools, groups) by what the scene has, of the same JSON type. The rest is as it is.

use crate::calls::{Call, filled, refusal_faults};
use crate::client::{Answer, Client};
use crate::contract::{self, faults};
use crate::scene::{Names, Scene};
use kachi_testkit::db;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const EXAMPLES: &str = include_str!("../../../../tests/contracts/eiotclub.examples.txt");
const QUIRKS: &str = include_str!("../../src/eiotclub/QUIRKS.md");

/// The replay. `replay` sends an example with the named fields replaced: operation, field=name..., `|`, the code (200 where
/// none stands) and what to remember; other lines are calls that the examples need before or beside them.
const SCRIPT: &str = r#"
replay package/orderPackage iccid=card packageCode=package | 200 | order=orderId number=orderNumber
package/orderPackage | 200 | {"iccid": "$card", "packageCode": "GJ-100M-30D", "outTradeNo": "second"} | second=orderId second_number=orderNumber
@ use card 99000000
replay card/getAllCardInfo
replay card/getCardsInfo iccid=card
replay package/packageOrderRecord iccid=card orderIdArrStr=order
replay package/listOrderPackageByIccid iccid=card
replay card/refreshCard iccid=card
replay outputApi/queryAccountWarningCard
@ pass 60
replay outputApi/queryCardNumber
north: replay outputApi/listProfitInfo
replay card/switchOptions iccid=card
replay card/switchOperator imsi=imsi
@ work
@ group 7 acme
@ join chinese 7
@ see chinese strange
replay card/imeiUnlock iccid=chinese
replay card/plockAddImei plockGroupId=group
replay sms/sendSms iccid=card
replay package/queryRefundAmount iccid=card orderId=order
replay agent/balance
replay package/queryPackage iccid=card orderId=order
replay card/product iccid=card
replay package/listOrderPackageByProduct productCode=product
replay package/queryOrderPackageByPackageCode packageCode=package
replay esim/goods
replay esim/purchase eSIMGoodsCode=goods | 42001
esim/purchase | 200 | {"eSIMGoodsCode": "ESIM-US", "outTradeNo": "esim"} | esim=orderId
replay esim/orderStatus orderId=esim
replay esim/queryRefundAmount orderId=esim
replay esim/refund orderId=esim | 45106
esim/refund | 200 | {"orderId": "$esim", "remark": "r"}
replay package/refundPackage iccid=card orderId=second
replay package/getOrderPackageDetails orderNumberArrStr=second_number
replay card/bindDevice iccid=ready imei=own
replay card/unbindDevice iccid=ready
replay card/transferPkg oldIccid=card orderId=order newIccid=ready
replay cdr/traffic/query iccids=both
replay cloudesim/purchase eid=eid packageCode=package | 200 | eshop=eshopOrderId
replay card/refreshUsage iccid=card
replay card/cancelLocation iccid=card
replay card/reset iccids=card
replay cloudesim/list
replay cloudesim/get eid=eid
replay cloudesim/pkg/list eid=eid
replay cloudesim/pkg/record/list eid=eid
replay cloudesim/refreshUsage eid=ready_eid
replay cloudesim/cancelSession eid=ready_eid
replay cloudesim/orderStatus eshopOrderId=eshop
replay cloudesim/queryRefundAmount eshopOrderId=eshop
replay cloudesim/refund eshopOrderId=eshop
cloudesim/purchase | 200 | {"eid": "$eid", "packageCode": "GJ-100M-30D", "outTradeNo": "moves"} | eshop=eshopOrderId
replay cloudesim/transferPkg oldEid=eid newEid=ready_eid oldEshopOrderId=eshop
@ use ready 95000000
outputApi/queryAccountWarningCard | 200 | {"pageNum": 1}
replay pool/create pool_type_code=pool_type | 200 | pool=pool_object_id
replay pool/pkg/list iccid=card pool_object_id=pool
replay pool/list pool_object_id_arr=pool
replay pool/sub pool_object_id=pool pool_type_code=pool_type | 200 | order_no=order_no
replay pool/record/list pool_object_id=pool
replay pool/card/can_add_list pool_object_id=pool iccid_arr=both
replay pool/card/add pool_object_id=pool iccid_arr=both
replay pool/card/list pool_object_id=pool
replay pool/by_iccid iccid=card
replay pool/card/remove pool_object_id=pool iccid_arr=both
replay pool/unsub pool_object_id=pool order_no=order_no out_trade_no=bought
replay pool/delete pool_object_id=pool
"#;

/// Where an example answer differs from what we answer, and the words of QUIRKS.md that say so.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("card/getAllCardInfo", ".data.cardInfoList[].packageType: a string there, a number here", "getAllCardInfo: `packageType`"),
    (
        "package/listOrderPackageByProduct",
        ".data: a list there, an object here",
        "listOrderPackageByProduct, getOrderPackageDetails",
    ),
    ("package/getOrderPackageDetails", ".data[].orderId: missing", "listOrderPackageByProduct, getOrderPackageDetails"),
    ("esim/goods", ".data.list[].zone: missing", "esim/goods: `zone`, `name`, `package`"),
];

/// (what, of which operation or event, the text as it stands there)
fn examples(kind: &str) -> Vec<(&'static str, &'static str)> {
    let lines = EXAMPLES.lines().filter_map(|l| l.strip_prefix(kind)?.strip_prefix(' '));
    lines.map(|l| l.split_once(' ').unwrap_or((l, ""))).collect()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What of an example is not in ours, or of another type; of lists, every entry there is held against our first one.
fn uncovered(example: &Value, ours: &Value, at: &str, found: &mut BTreeSet<String>) {
    match (example, ours) {
        (Value::Object(there), Value::Object(here)) => {
            for (name, value) in there {
                match here.get(name) {
                    Some(own) => uncovered(value, own, &format!("{at}.{name}"), found),
                    None => drop(found.insert(format!("{at}.{name}: missing"))),
                }
            }
        }
        (Value::Array(there), Value::Array(here)) => {
            for value in there {
                match here.first() {
                    Some(own) => uncovered(value, own, &format!("{at}[]"), found),
                    None => drop(found.insert(format!("{at}: empty here"))),
                }
            }
        }
        _ if kind_of(example) == kind_of(ours) => {}
        _ => drop(found.insert(format!("{at}: {} there, {} here", kind_of(example), kind_of(ours)))),
    }
}

/// The example's request with its place-holders filled and the named fields replaced by the scene's.
fn request(client: &Client<'_>, account: &str, text: &str, replaced: &[(&str, &Value)]) -> String {
    let now = client.trade.now().0;
    let mut fields: Value = serde_json::from_str(&text.replace("{{TIMESTAMP}}", &now.to_string())).expect("JSON");
    for (name, value) in replaced {
        let there = fields.get(*name).unwrap_or_else(|| panic!("{text}: the example has no {name}"));
        let digits = value.as_str().map_or_else(|| value.to_string(), Into::into);
        fields[*name] = if there.is_number() { digits.parse::<i64>().expect("a number").into() } else { digits.into() };
    }
    if !fields["timestamp"].is_string() {
        fields["timestamp"] = now.into();
    }
    fields["appkey"] = format!("key-{account}").into();
    fields.as_object_mut().expect("fields").remove("sign");
    client.sealed(account, &fields)
}

struct Replay<'w> {
    client: Client<'w>,
    names: Names,
    replayed: BTreeSet<&'static str>,
    answers: BTreeMap<&'static str, Vec<Value>>,
}

impl Replay<'_> {
    fn note(&mut self, path: &'static str, answer: &Answer, code: u32, remember: &str) {
        assert_eq!((answer.status, answer.any_code()), (200, code.to_string()), "{path}: {}", answer.text);
        if code != 200 {
            assert_eq!(refusal_faults(path, answer), Vec::<String>::new(), "{}", answer.text);
            return;
        }
        let wrong = faults(&contract::as_published(path, &answer.json), contract::answer(path), path);
        assert!(wrong.is_empty(), "{wrong:#?}");
        for (name, field) in remember.split_whitespace().filter_map(|pair| pair.split_once('=')) {
            self.names.insert(name.to_owned(), answer.data()[field].clone());
        }
        self.answers.entry(path).or_default().push(answer.json.clone());
    }

    fn line(&mut self, line: &'static str) {
        let (account, rest) = line.strip_prefix("north: ").map_or(("acme", line), |rest| ("north", rest));
        let Some(replay) = rest.strip_prefix("replay ") else {
            let call = Call::read(line);
            let answer = self.client.ask_as(call.account, call.path, filled(call.fields, &self.names));
            return self.note(call.path, &answer, call.code, call.remember);
        };
        let mut columns = replay.split(" | ");
        let mut words = columns.next().unwrap_or_default().split_whitespace();
        let path = words.next().expect("an operation");
        let text = examples("request").into_iter().find(|(p, _)| *p == path).unwrap_or_else(|| panic!("{path}: no example")).1;
        let pairs: Vec<(&str, &str)> = words.map(|w| w.split_once('=').expect("field=name")).collect();
        let replaced: Vec<(&str, &Value)> = pairs.iter().map(|(field, name)| (*field, &self.names[*name])).collect();
        let answer = self.client.post(path, &request(&self.client, account, text, &replaced));
        let code = columns.next().map_or(200, |c| c.parse().expect("a code"));
        self.replayed.insert(path);
        self.note(path, &answer, code, columns.next().unwrap_or_default());
    }
}

#[test]
fn every_example_request_is_replayed_and_every_example_answer_covered() {
    db::each(|store| {
        let scene = Scene::build(store);
        let mut names = Scene::names();
        let both = format!("{},{}", names["card"].as_str().expect("text"), names["ready"].as_str().expect("text"));
        for (name, text) in [
            ("package", "GJ-100M-30D"),
            ("product", "1US-1"),
            ("goods", "ESIM-US"),
            ("pool_type", "POOL-100M-7D"),
            ("group", "7"),
            ("bought", "out_trade_no_1"),
            ("both", &both),
        ] {
            names.insert(name.to_owned(), text.into());
        }
        let client = Client::new(&scene.trade);
        let mut replay = Replay { client, names, replayed: BTreeSet::new(), answers: BTreeMap::new() };
        for line in SCRIPT.lines().filter(|l| !l.is_empty()) {
            match line.strip_prefix("@ ") {
                Some(words) => scene.happen(&words.split_whitespace().collect::<Vec<_>>(), &replay.names),
                None => replay.line(line),
            }
        }
        let printed: BTreeSet<&str> = examples("request").into_iter().map(|(path, _)| path).collect();
        assert_eq!(replay.replayed, printed, "every example is replayed");
        for (path, text) in examples("answer") {
            let example: Value = serde_json::from_str(text).expect("JSON");
            let listed =
                DIFFERENCES.iter().filter(|(p, ..)| *p == path).map(|(_, difference, _)| (*difference).to_owned()).collect();
            let differences = replay.answers[path].iter().map(|ours| {
                let mut found = BTreeSet::new();
                uncovered(&example, ours, "", &mut found);
                found
            });
            let fewest = differences.min_by_key(BTreeSet::len).expect("an answer");
            assert_eq!(fewest, listed, "{path}: where the example differs from our answer");
        }
        scene.trade.assert_sound();
    });
}

#[test]
fn every_operation_has_its_example_and_every_difference_stands_in_the_quirks() {
    let with: BTreeSet<&str> = examples("request").into_iter().map(|(path, _)| path).collect();
    let without: BTreeSet<&str> = examples("none request").into_iter().map(|(path, _)| path).collect();
    assert_eq!(without, BTreeSet::from(["task/query"]), "the source prints an empty list of examples for it");
    assert!(with.is_disjoint(&without));
    assert_eq!(with.union(&without).copied().collect::<BTreeSet<_>>(), contract::paths().collect(), "one for every operation");
    for (path, difference, words) in DIFFERENCES.iter().chain(NOTICE_DIFFERENCES) {
        assert!(QUIRKS.contains(words), "{path} {difference}: QUIRKS.md has no \"{words}\"");
    }
}

/// As [`DIFFERENCES`], of notices.
const NOTICE_DIFFERENCES: &[(&str, &str, &str)] = &[];

/// Holds notices as they were sent (with `data` read) against the examples of their events.
///
/// # Panics
/// If an example has a field that ours of that event has not, or of another type, and QUIRKS.md does not say so.
pub fn notices_cover_their_examples(sent: &BTreeMap<String, Vec<Value>>) {
    let printed = examples("notice");
    assert_eq!(printed.len(), 16, "four events of IMEI groups have none");
    for (event, text) in printed {
        let mut example: Value = serde_json::from_str(text).expect("JSON");
        if let Some(data) = example["data"].as_str() {
            example["data"] = serde_json::from_str(data).expect("JSON");
        }
        let listed = NOTICE_DIFFERENCES.iter().filter(|(e, ..)| *e == event).map(|(_, difference, _)| (*difference).to_owned());
        let listed: BTreeSet<String> = listed.collect();
        let differences = sent[event].iter().map(|ours| {
            let mut found = BTreeSet::new();
            uncovered(&example, ours, "", &mut found);
            found
        });
        assert_eq!(differences.min_by_key(BTreeSet::len).expect("sent"), listed, "{event}");
    }
}

/// Where an example of an answer or notice is not as its own schema declares it, and the words of QUIRKS.md that say so.
const NOT_AS_DECLARED: &[(&str, &[&str], &str)] = &[
    ("card/getAllCardInfo", &[".data.cardInfoList[].packageType is no integer"], "getAllCardInfo: `packageType`"),
    ("outputApi/listProfitInfo", &[".data.data[].payRate is missing"], "a rate that the example leaves out"),
    ("card/switchOptions", &[".data.network is missing"], "| switchOptions `network` | required, missing in the example |"),
    ("package/listOrderPackageByProduct", &[".data is no object"], "listOrderPackageByProduct, getOrderPackageDetails"),
    ("package/getOrderPackageDetails", &[".data[].orderId is not declared"], "listOrderPackageByProduct, getOrderPackageDetails"),
    (
        "esim/goods",
        &[".data.list[].name is missing", ".data.list[].package is missing", ".data.list[].zone is not declared"],
        "esim/goods: `zone`, `name`, `package`",
    ),
    ("esim/orderStatus", &[".data.activationCode is missing", ".data.iccid is missing"], "esim/orderStatus: card and code"),
    (
        "cloudesim/pkg/record/list",
        &[".data.list[].eshopOrderId is missing"],
        "cloudesim/pkg/record/list, cloudesim/purchase: examples",
    ),
    ("cloudesim/purchase", &[".data.orderId is missing"], "cloudesim/pkg/record/list, cloudesim/purchase: examples"),
    ("SubPkgList", &[".data[].salesChannel is missing"], BOUGHT),
    ("CloudESimSubPkgList", &[".data[].salesChannel is missing"], BOUGHT),
    ("PkgEffective", STARTED, BOUGHT),
    ("CloudESimPkgActivate", STARTED, BOUGHT),
    ("Refund", REFUNDED, "Refund, CloudESimRefund: examples"),
    ("CloudESimRefund", REFUNDED, "Refund, CloudESimRefund: examples"),
];
const BOUGHT: &str = "SubPkgList, PkgEffective and their twins: examples";
const STARTED: &[&str] = &[".data.endDate is missing", ".data.salesChannel is missing", ".data.startDate is missing"];
const REFUNDED: &[&str] = &[".orderAmount is missing", ".refundAmount is missing"];

/// A fault without the value and the place in a list.
fn kept_short(fault: &str) -> String {
    let mut short = match (fault.split_once(": "), fault.rsplit_once(" is no ")) {
        (Some((at, _)), Some((_, wanted))) => format!("{at} is no {wanted}"),
        _ => fault.to_owned(),
    };
    while let Some((before, rest)) = short.split_once(|c: char| c.is_ascii_digit()).map(|(b, r)| (b.to_owned(), r.to_owned())) {
        short = before + &rest;
    }
    short
}

#[test]
fn every_example_is_as_declared_or_the_quirks_say_so() {
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in examples("answer") {
        let example: Value = serde_json::from_str(text).expect("JSON");
        found.entry(path).or_default().extend(faults(&example, contract::answer(path), "").iter().map(|f| kept_short(f)));
    }
    for (event, text) in examples("notice") {
        let mut example: Value = serde_json::from_str(text).expect("JSON");
        if let Some(data) = example["data"].as_str() {
            example["data"] = serde_json::from_str(data).expect("JSON");
        }
        let wrong = contract::object_faults(&example, &contract::notice(event), "");
        found.entry(event).or_default().extend(wrong.iter().map(|f| kept_short(f)));
    }
    found.retain(|_, faults| !faults.is_empty());
    let listed: BTreeMap<&str, BTreeSet<String>> =
        NOT_AS_DECLARED.iter().map(|(of, faults, _)| (*of, faults.iter().map(|f| (*f).to_owned()).collect())).collect();
    assert_eq!(found, listed, "where an example is not as its own schema declares it");
    for (of, _, words) in NOT_AS_DECLARED {
        assert!(QUIRKS.contains(words), "{of}: QUIRKS.md has no \"{words}\"");
    }
}

#[test]
fn a_missing_field_and_another_type_are_found() {
    let mut found = BTreeSet::new();
    uncovered(&json!({"a": [{"b": 1, "c": "x"}], "d": {}}), &json!({"a": [{"b": "1"}]}), "", &mut found);
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [".a[].b: a number there, a string here", ".a[].c: missing", ".d: missing"]
    );
}
