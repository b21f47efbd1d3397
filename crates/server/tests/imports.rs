//! What `kachi import` says of what it took in. On both engines.

mod common;

use common::{House, iccid, now};
use serde_json::json;

on_both!(every_line_that_is_not_loaded_is_named_by_its_number);

fn world(house: &House) {
    let world = r#"
accounts: [{code: acme, currency: USD}]
platforms: [{code: hand, connector: manual}]
products: [{code: P1, platform: hand}]
sims:
"#;
    house.apply(&format!("{world}{}", common::sims(0..3, "acme", "P1")));
}

/// A record of a minute ago, so that it is neither late nor ahead.
fn record(id: i64, card: u64, bytes: i64) -> String {
    let at = now() / 60 * 60 - 60;
    kachi_testkit::world::line(id, card, at - 30, at, bytes)
}

fn import(house: &House, words: &[&str]) -> common::Done {
    house.run(&[&["import", "cdr", "--platform", "hand"], words].concat(), &[])
}

fn every_line_that_is_not_loaded_is_named_by_its_number(house: &House) {
    world(house);
    house.write("first.csv", &[record(1, 0, 10), record(2, 1, 20)].concat());
    assert_eq!(import(house, &["first.csv"]).code, 0);
    // Known with other content: by an earlier file in line 3, by this one in line 4.
    house.write("second.csv", &[record(3, 0, 30), record(1, 0, 10), record(2, 1, 21), record(3, 0, 31)].concat());
    let second = import(house, &["second.csv", "--json"]);
    assert_eq!((second.code, &second.json()[0]["bad"], &second.json()[0]["loaded"]), (1, &json!(2), &json!(1)), "{second:?}");
    let bad = std::fs::read_to_string(house.path("second.csv.bad.csv")).expect("the lines not loaded");
    let fates: Vec<&str> = bad.lines().skip(1).map(|l| &l[..l.len().min(11)]).collect();
    assert_eq!(fates, ["3,conflict,", "4,conflict,"], "{bad}");

    let mut sheet = format!("iccid,alias\n{},one\n", iccid(0)).into_bytes();
    sheet.extend_from_slice(iccid(1).as_bytes());
    // Two characters of GBK.
    sheet.extend_from_slice(b",\xbf\xa8\xb3\xd8\n");
    std::fs::write(house.path("sims.csv"), sheet).expect("a file");
    let sims = house.run(&["import", "sims", "sims.csv", "--platform", "hand", "--account", "acme"], &[]);
    assert!(sims.code == 1 && sims.out.contains("changed 1, duplicate 0, bad 1"), "{sims:?}");
    let bad = std::fs::read_to_string(house.path("sims.csv.bad.csv")).expect("the lines not loaded");
    let line = format!("3,bad,is not UTF-8: save the sheet as CSV (UTF-8),\"{},", iccid(1));
    assert!(bad.lines().nth(1).is_some_and(|l| l.starts_with(&line)), "{bad}");
    house.assert_sound();
}
