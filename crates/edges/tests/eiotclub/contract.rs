//! Reads the contract and says what is wrong with a value, field by field.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static CONTRACT: LazyLock<Value> =
    LazyLock::new(|| serde_yaml::from_str(include_str!("../../../../tests/contracts/eiotclub.openapi.yaml")).expect("YAML"));

/// The published codes, each with its words.
pub static CODES: LazyLock<Codes> =
    LazyLock::new(|| Codes(serde_yaml::from_str(include_str!("../../../../tests/contracts/eiotclub.codes.yaml")).expect("YAML")));

/// See [`CODES`].
pub struct Codes(BTreeMap<u64, Value>);

impl Codes {
    /// Every code.
    pub fn all(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }

    /// Whether the words are the code's own, in one of the two languages.
    pub fn says(&self, code: u64, words: &str) -> bool {
        !words.is_empty() && self.0.get(&code).is_some_and(|known| known["en"] == words || known["zh"] == words)
    }
}

/// The operations, below `/api/v3/`.
pub fn paths() -> impl Iterator<Item = &'static str> {
    CONTRACT["paths"].as_object().expect("paths").keys().map(|p| p.strip_prefix("/api/v3/").expect("the prefix"))
}

/// The events that notices tell.
pub fn events() -> impl Iterator<Item = &'static str> {
    CONTRACT["webhooks"].as_object().expect("webhooks").keys().map(String::as_str)
}

/// The schema of an operation's own fields.
pub fn request(path: &str) -> &'static Value {
    let body = &CONTRACT["paths"][format!("/api/v3/{path}")]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let schema = &body["allOf"][1];
    assert!(schema["properties"].is_object(), "{path} is not in the contract");
    schema
}

/// The answer without what this door adds to the published shape (QUIRKS.md): the task's number of card/reset.
pub fn as_published(path: &str, answer: &Value) -> Value {
    let mut answer = answer.clone();
    if path == "card/reset" {
        answer.as_object_mut().expect("an object").remove("data");
    }
    answer
}

/// The schema of an operation's answer.
pub fn answer(path: &str) -> &'static Value {
    let schema =
        &CONTRACT["paths"][format!("/api/v3/{path}")]["post"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{path} is not in the contract");
    schema
}

/// The schemas that a notice must meet together.
pub fn notice(event: &str) -> Vec<&'static Value> {
    let schema = &CONTRACT["webhooks"][event]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let parts = schema["allOf"].as_array().unwrap_or_else(|| panic!("{event} is not in the contract"));
    parts.iter().map(|part| part["$ref"].as_str().map_or(part, referred)).collect()
}

/// Whether the receiver of a notice must say that it took it.
pub fn asks_for_status(event: &str) -> bool {
    let answer = &CONTRACT["webhooks"][event]["post"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(answer["type"], "object", "{event} is not in the contract");
    answer["required"].as_array().is_some_and(|fields| fields.contains(&"status".into()))
}

fn referred(reference: &str) -> &'static Value {
    &CONTRACT["components"]["schemas"][reference.rsplit('/').next().unwrap_or_default()]
}

/// What of `value` is not as declared: missing, of another type, or not declared at all.
pub fn faults(value: &Value, schema: &Value, at: &str) -> Vec<String> {
    let type_of = schema["type"].as_str();
    let good = match type_of {
        Some("object") => return object_faults(value, &[schema], at),
        Some("array") => return array_faults(value, schema, at),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        None => true,
        Some(other) => panic!("{at}: the contract has a type {other}"),
    };
    if good { Vec::new() } else { vec![format!("{at}: {value} is no {}", type_of.unwrap_or_default())] }
}

fn array_faults(value: &Value, schema: &Value, at: &str) -> Vec<String> {
    let Some(items) = value.as_array() else { return vec![format!("{at}: {value} is no array")] };
    items.iter().enumerate().flat_map(|(i, item)| faults(item, &schema["items"], &format!("{at}[{i}]"))).collect()
}

/// As [`faults`], for an object that must meet several schemas together; the later ones say it more exactly.
pub fn object_faults(value: &Value, schemas: &[&Value], at: &str) -> Vec<String> {
    let Some(object) = value.as_object() else { return vec![format!("{at}: {value} is no object")] };
    let mut found = Vec::new();
    for name in schemas.iter().filter_map(|s| s["required"].as_array()).flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            found.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, inner) in object {
        match schemas.iter().rev().find_map(|s| s["properties"].get(name)) {
            Some(schema) => found.extend(faults(inner, schema, &format!("{at}.{name}"))),
            None => found.push(format!("{at}.{name} is not declared")),
        }
    }
    found
}

#[test]
fn the_checker_finds_what_it_should() {
    let schema = answer("agent/balance");
    let of = |text: &str| faults(&serde_json::from_str(text).unwrap(), schema, "answer");
    assert!(of(r#"{"code":"200","message":"","data":{"balance":"0.00","currency":"USD"}}"#).is_empty());
    assert_eq!(of(r#"{"code":200,"message":"","data":{"balance":"0.00","currency":"USD"}}"#), ["answer.code: 200 is no string"]);
    assert_eq!(of(r#"{"code":"200","message":"","data":{"balance":"0.00"}}"#), ["answer.data.currency is missing"]);
    assert_eq!(
        of(r#"{"code":"200","message":"","data":{"balance":"0.00","currency":"USD","x":1}}"#),
        ["answer.data.x is not declared"]
    );
}
