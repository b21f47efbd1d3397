//! Notices: what we send and sign ourselves.

use super::form::Form;
use super::params::Params;
use super::sign::sign;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// The events whose `nonce` is published as a string; everywhere else it is an integer. The signature is the same.
const NONCE_IS_TEXT: [&str; 2] = ["CardMovedInIMEIPool", "CardMovedOutIMEIPool"];

/// The signature of a notice: as for a request, in the canonical form and without any `appkey`.
/// Where a notice has `data`, it is JSON text inside a string, and exactly that text is signed.
pub fn sign_notice(params: &Params, secret: &str) -> String {
    sign(params, secret, Form::CANONICAL)
}

/// The JSON text of a notice: `id`, `event`, `timestamp` (Unix seconds) and `nonce` (10000-99999), then the event's
/// own fields in the order given, then `sign`.
///
/// A whole floating-point number is written without its `.0`, because receivers that parse it and print it again to
/// check the signature would lose it. Give no `null` and no empty value: receivers disagree about signing those.
///
/// # Panics
/// If a field is named like one of the five or stands twice: the caller's table of events is wrong.
pub fn notice_body(id: &str, event: &str, timestamp: i64, nonce: u32, fields: &[(&str, Value)], secret: &str) -> String {
    let nonce = if NONCE_IS_TEXT.contains(&event) { Value::from(nonce.to_string()) } else { Value::from(nonce) };
    let own = [("id", id.into()), ("event", event.into()), ("timestamp", timestamp.into()), ("nonce", nonce)];
    let pairs: Vec<_> = own.iter().chain(fields).map(|(name, value)| (name.to_string(), raw(value))).collect();
    assert!(fields.iter().all(|(name, _)| *name != "sign" && *name != "appkey"), "a notice signs itself: {event}");
    let params = Params::from_pairs(pairs.clone()).expect("an event's fields have names of their own");
    let mut body = String::from("{");
    for (name, value) in &pairs {
        body.extend([&Value::from(name.as_str()).to_string(), ":", value.get(), ","]);
    }
    body.extend(["\"sign\":\"", &sign_notice(&params, secret), "\"}"]);
    body
}

fn raw(value: &Value) -> Box<RawValue> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value.as_f64().filter(|number| value.is_f64() && number.fract() == 0.0 && number.abs() < EXACT) {
        Some(whole) => to_raw_value(&(whole as i64)),
        None => to_raw_value(value),
    }
    .expect("JSON values can be written")
}
