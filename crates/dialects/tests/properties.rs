//! EIOTCLUB signatures over any parameters: every form verifies, no changed value does.

use kachi_dialects::eiotclub::{Booleans, Form, Limits, Params, canonical, sign, verify};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Any JSON token that a client may send, with white space and escapes of its own.
fn token() -> impl Strategy<Value = String> {
    let text = prop_oneof![Just(String::new()), "[ -~]{0,12}", "\\PC{0,8}", "[a-z/中文é😀\\n]{0,6}"];
    let string = (text, any::<bool>()).prop_map(|(text, escape)| {
        let json = serde_json::Value::from(text).to_string();
        if escape { json.replace('/', "\\/").replace('中', "\\u4E2D") } else { json }
    });
    let number = prop_oneof!["-?(0|[1-9][0-9]{0,20})", "-?[1-9]\\.[0-9]{1,4}", "[1-9][eE][+-]?[0-9]{1,3}"];
    let leaf = prop_oneof![4 => string, 3 => number, 2 => prop_oneof![Just("true".into()), Just("false".into())], 1 => Just("null".into())];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[ {} ]", items.join(" ,")));
        let map = prop::collection::btree_map("[a-z/é]{0,3}", inner, 0..3).prop_map(|items| {
            let items: Vec<_> = items.iter().map(|(k, v)| format!("{}\t: {v}", serde_json::Value::from(k.as_str()))).collect();
            format!("{{{}}}", items.join(", "))
        });
        prop_oneof![list, map]
    })
}

fn body(fields: &BTreeMap<String, String>) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, token)| format!("\"{name}\": {token}")).collect();
    format!("{{{}}}", fields.join(",\n"))
}

fn parse(fields: &BTreeMap<String, String>) -> Params {
    Params::parse(body(fields).as_bytes(), Limits::default()).expect("valid JSON")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_in_any_form_verifies(fields in prop::collection::btree_map("[A-Za-z_]{1,6}", token(), 1..8), secret in "[a-f0-9]{1,32}") {
        for form in Form::ALL {
            let mut sent = fields.clone();
            let plain = parse(&sent);
            sent.insert("sign".into(), format!("\"{}\"", sign(&plain, &secret, form)));
            let matched = verify(&parse(&sent), &secret).expect("our own signature");
            prop_assert_eq!(canonical(&plain, matched), canonical(&plain, form), "the form that matched signs the same text");
            prop_assert!(matched.index() <= form.index() || matched.booleans == Booleans::Words, "the plainer one");
            prop_assert_eq!(verify(&parse(&sent), &format!("{secret}0")), None);
        }
    }

    #[test]
    fn any_changed_value_fails(
        fields in prop::collection::btree_map("[A-Za-z_]{1,6}", token(), 1..8),
        at in any::<prop::sample::Index>(), form in 0_usize..8, salt in "[a-z]{1,4}",
    ) {
        let name = fields.keys().nth(at.index(fields.len())).expect("in range").clone();
        prop_assume!(name != "sign");
        let good = sign(&parse(&fields), "s", Form::ALL[form]);
        let mut sent = fields;
        sent.insert("sign".into(), format!("\"{good}\""));
        sent.insert(name.clone(), format!("\"changed {salt}\""));
        prop_assert_eq!(verify(&parse(&sent), "s"), None, "value of {} changed", name);
        sent.remove(&name);
        sent.insert("added".into(), "\"1\"".into());
        prop_assert_eq!(verify(&parse(&sent), "s"), None, "a parameter was exchanged");
    }

    #[test]
    fn no_body_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[{}\\[\\]\",:\\\\u0-9a-f ntrl-]{0,40}") {
        for body in [bytes.as_slice(), text.as_bytes(), format!("{{\"a\":{text}}}").as_bytes()] {
            if let Ok(params) = Params::parse(body, Limits::default()) {
                Form::ALL.iter().for_each(|form| drop(canonical(&params, *form)));
                prop_assert_eq!(verify(&params, "s"), None);
            }
        }
    }
}
