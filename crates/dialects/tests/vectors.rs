//! Bodies signed by the independent Python client, verified here. Needs `python3`.

use kachi_dialects::eiotclub::{Form, Limits, Params, System, canonical, verify};
use std::process::Command;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/eiotclub.py");

#[test]
fn ten_thousand_vectors_of_another_signer() {
    let output = Command::new("python3").args([CLIENT, "vectors", "--count", "10000", "--seed", "7"]).output();
    let output = output.expect("python3 must be installed: the signer that shares no code with us is written in it");
    assert!(output.status.success(), "{CLIENT} failed: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let mut seen = [0; Form::ALL.len()];
    for line in lines.lines() {
        let (secret, body) = line.split_once('\t').expect("secret, tab, body");
        let params = Params::parse(body.as_bytes(), Limits::default()).unwrap_or_else(|e| panic!("{e}: {body}"));
        System::extract(&params).unwrap_or_else(|e| panic!("{e}: {body}"));
        let form =
            verify(&params, secret).unwrap_or_else(|| panic!("{body}\nsigned here: {}", canonical(&params, Form::CANONICAL)));
        seen[form.index()] += 1;
        assert_eq!(verify(&params, &secret[1..]), None, "{body}");
    }
    assert_eq!(seen.iter().sum::<i32>(), 10_000);
    assert!(seen.iter().all(|count| *count > 20), "every form is used: {seen:?}");
}
