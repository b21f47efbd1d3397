//! Reads the contract and says what is wrong with an answer, field by field.

use kachi_dialects::cardboss::codes::TABLE;
use kachi_dialects::cardboss::{Method, Operation, Port};
use serde_json::Value;
use std::sync::LazyLock;

static CONTRACT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/contracts/cardboss.yaml");
    let text = std::fs::read_to_string(path).expect("the contract is there");
    serde_yaml::from_str(&text).expect("the contract is YAML")
});

/// The row of an operation.
pub fn row(operation: Operation) -> &'static Value {
    let path = format!("/{}", operation.path());
    let rows = CONTRACT["endpoints"].as_array().expect("a list");
    rows.iter().find(|r| r["path"] == path.as_str()).unwrap_or_else(|| panic!("{path} is not in the contract"))
}

/// The operation of a name in the contract.
pub fn operation(id: &str) -> Operation {
    let rows = CONTRACT["endpoints"].as_array().expect("a list");
    let row = rows.iter().find(|r| r["id"] == id).unwrap_or_else(|| panic!("{id} is not in the contract"));
    let path = row["path"].as_str().expect("a path").trim_start_matches('/');
    Operation::find(path).unwrap_or_else(|| panic!("{path} is not served"))
}

/// The fields of a data push of the number, or of the message push of the type.
pub fn push(name: &str) -> &'static Value {
    let pushes = &CONTRACT["pushes"];
    [&pushes["data"][name], &pushes["sms"][name]].into_iter().find(|v| v.is_object()).unwrap_or_else(|| panic!("no push {name}"))
}

/// The warning types of OD1010.
pub fn warning_types() -> Vec<i64> {
    let types = CONTRACT["pushes"]["data"]["warning_types"].as_object().expect("types");
    types.keys().map(|k| k.parse().expect("a number")).collect()
}

/// What of a good answer is not as declared: missing, of another type, or not declared at all.
pub fn faults(operation: Operation, answer: &Value) -> Vec<String> {
    let row = row(operation);
    let payload = row["payload"].as_str().expect("a payload");
    let mut found = Vec::new();
    for name in ["code", "msg", "detail"] {
        if !answer[name].is_string() {
            found.push(format!("{name}: {} is no string", answer[name]));
        }
    }
    let own = answer.as_object().expect("an object").keys().filter(|k| !["code", "msg", "detail", payload].contains(&k.as_str()));
    found.extend(own.map(|k| format!("{k} is not declared")));
    if payload != "none" {
        found.extend(object_faults(&answer[payload], &row["fields"], payload));
    }
    found
}

/// What of an object is not as its fields declare.
pub fn object_faults(value: &Value, fields: &Value, at: &str) -> Vec<String> {
    let Some(object) = value.as_object() else { return vec![format!("{at}: {value} is no object")] };
    let fields = fields.as_object().expect("fields");
    let mut found = Vec::new();
    let mut declared: Vec<String> = Vec::new();
    for (name, kind) in fields {
        for name in names(name, kind) {
            match object.get(&name) {
                Some(inner) => found.extend(value_faults(inner, kind, &format!("{at}.{name}"))),
                None => found.push(format!("{at}.{name} is missing")),
            }
            declared.push(name);
        }
    }
    found.extend(
        object
            .keys()
            .filter(|k| !declared.contains(k) && !EXTRA.contains(&k.as_str()))
            .map(|k| format!("{at}.{k} is not declared")),
    );
    found
}

/// Spellings of the source that its contract does not list as aliases.
const EXTRA: [&str; 3] = ["iccids", "tasked", "scode"];

/// The name and its other spellings: `alias iccids in the example`.
fn names(name: &str, kind: &Value) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    if let Some((_, after)) = kind.as_str().and_then(|k| k.split_once("alias ")) {
        all.extend(after.split_whitespace().next().map(ToOwned::to_owned));
    }
    all
}

fn value_faults(value: &Value, kind: &Value, at: &str) -> Vec<String> {
    if let Some(items) = kind.as_array() {
        let Some(list) = value.as_array() else { return vec![format!("{at}: {value} is no list")] };
        return list.iter().enumerate().flat_map(|(i, v)| object_faults(v, &items[0], &format!("{at}[{i}]"))).collect();
    }
    let kind = kind.as_str().expect("a kind");
    let first = kind.split([' ', ',', ';']).next().unwrap_or_default();
    let date = |length: usize| value.as_str().is_some_and(|t| t.is_empty() || t.len() == length);
    let good = match first {
        "string" | "see" | "unique" | "1" | "order" | "year-month" | "CM|CT|UN|CB" => value.is_string(),
        "integer" | "count" | "minutes" => value.is_i64(),
        "number" | "kb" => value.is_number(),
        "boolean" => value.is_boolean(),
        "date" => date(10),
        "datetime" => date(19),
        "any" => true,
        other => panic!("{at}: the contract has a kind {other}"),
    };
    if good { Vec::new() } else { vec![format!("{at}: {value} is no {kind}")] }
}

#[test]
fn the_operations_are_those_of_the_contract() {
    let rows = CONTRACT["endpoints"].as_array().expect("a list");
    assert_eq!(rows.len(), Operation::ALL.len());
    for operation in Operation::ALL.iter().copied() {
        let row = row(operation);
        let method = if operation.method() == Method::Get { "GET" } else { "POST" };
        let port = if operation.port() == Port::Data { "data" } else { "direct" };
        assert_eq!((row["method"].as_str(), row["port"].as_str()), (Some(method), Some(port)), "{operation:?}");
        let signed: Vec<_> = row["sign"].as_array().expect("a list").iter().filter_map(Value::as_str).skip(3).collect();
        assert_eq!(signed, operation.signed(), "{operation:?}");
        assert_eq!(row["retired"].as_bool().unwrap_or(false), operation.is_retired(), "{operation:?}");
        let params = row["params"].as_object().expect("parameters");
        assert!(operation.signed().iter().all(|name| params.contains_key(*name)), "{operation:?}");
    }
    let codes: Vec<String> = TABLE.iter().map(|(code, _)| code.to_string()).collect();
    let published = CONTRACT["codes"].as_object().expect("codes");
    assert!(published.len() == codes.len() && codes.iter().all(|code| published.contains_key(code)));
}

#[test]
fn the_checker_finds_what_it_should() {
    let of =
        |result: Value| faults(Operation::UsageDay, &serde_json::json!({"code": "0", "msg": "", "detail": "", "result": result}));
    let line = |usage: Value| serde_json::json!({"count": 1, "day": "20260301", "usages": [{"msisdn": "", "iccid": "", "usage": usage}]});
    assert!(of(line(1.into())).is_empty());
    assert_eq!(of(line("1".into())), ["result.usages[0].usage: \"1\" is no kb"]);
    assert_eq!(of(serde_json::json!({"count": 0, "usages": [], "x": 1})), ["result.day is missing", "result.x is not declared"]);
}
