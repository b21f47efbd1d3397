//! Signatures made and verified at a terminal.

mod common;

use common::finished;
use std::process::Command;
use tempfile::TempDir;

#[test]
fn the_worked_example_is_signed_and_verified() {
    let here = TempDir::new().expect("a folder");
    let sign = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kachi"));
        finished(command.args(["sign", "eiotclub", "--secret", "a1b1c1d1"]).args(words).current_dir(here.path()))
    };
    let body = r#"{"appkey":"000001","timestamp":1556595508,"nonce":24523,"userName":"wx","age":"24","sex":"1"}"#;
    let made = sign(&[body]);
    let text = "age=24&appkey=000001&nonce=24523&sex=1&timestamp=1556595508&userName=wx";
    assert_eq!(made.out, format!("sign: 963A56BAEBED746F2746E4D9B3B77BE0F2E171E7\nsigned text: {text}&secret=***\n"));
    let signed = body.replacen('{', r#"{"sign":"963A56BAEBED746F2746E4D9B3B77BE0F2E171E7","#, 1);
    assert_eq!(sign(&["--verify", &signed]).out, "ok\n");
    let table = [
        (body.to_owned(), "sign: is missing"),
        (signed.replace("963A", "963B"), "sign: does not fit in any accepted form"),
        (signed.replace("963A", "63A"), "is not 40 hexadecimal digits"),
        (signed.replacen('{', r#"{"remark":"x","#, 1), "remark: was left out of the signed text"),
    ];
    for (body, words) in table {
        let done = sign(&["--verify", &body]);
        assert!(done.code == 1 && done.err.contains(words), "{words}: {done:?}");
    }
    assert_eq!(sign(&["[1]"]).code, 1);
    let odd = sign(&[&body.replace("wx", "wx&x=1")]);
    assert!(odd.code == 0 && odd.err.contains("servers answer one signature for one body only"), "{odd:?}");
}
