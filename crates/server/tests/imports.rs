//! What `kachi import` says of what it took in. On both engines.

mod common;

use common::{House, iccid, now};
use serde_json::json;

on_both!(
    every_line_that_is_not_loaded_is_named_by_its_number,
    what_is_in_is_said_whatever_fails_afterwards,
    a_persons_text_is_no_formula_in_a_spreadsheet
);

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

    // Whatever ends its lines, a bad one has its number, and its text can be put right and imported again.
    for end in ["\n", "\r\n"] {
        let lines = ["iccid,alias", &format!("{},\"a, b\"", iccid(0)), "12,\"c, \"\"d\"\"\"", &format!("{},", iccid(1)), ""];
        house.write("ends.csv", &lines.join(end));
        let sims = house.run(&["import", "sims", "ends.csv", "--platform", "hand", "--account", "acme"], &[]);
        assert_eq!(sims.code, 1, "{sims:?}");
        let mut bad = csv::Reader::from_path(house.path("ends.csv.bad.csv")).expect("the lines not loaded");
        let rows: Vec<csv::StringRecord> = bad.records().map(|r| r.expect("a row")).collect();
        let told: Vec<(&str, &str)> = rows.iter().map(|r| (&r[0], &r[3])).collect();
        assert_eq!(told, [("3", "12,\"c, \"\"d\"\"\"")], "{end:?}");
    }
    house.assert_sound();
}

fn a_persons_text_is_no_formula_in_a_spreadsheet(house: &House) {
    world(house);
    house.write("texts.csv", &format!("iccid,alias,group,remark\n{},=HYPERLINK(1),-2+3,@SUM(1) - a\n", iccid(0)));
    let import = house.run(&["import", "sims", "texts.csv", "--platform", "hand", "--account", "acme"], &[]);
    assert_eq!(import.code, 0, "{import:?}");
    let sheet = house.run(&["export", "sims"], &[]).out;
    let line = sheet.lines().find(|l| l.starts_with(&iccid(0))).expect("the card");
    assert!(line.ends_with(",'=HYPERLINK(1),'-2+3,'@SUM(1) - a"), "{line}");
    let others = sheet.lines().filter(|l| l.contains('\''));
    assert_eq!(others.count(), 1, "nothing else is touched: {sheet}");
}

fn what_is_in_is_said_whatever_fails_afterwards(house: &House) {
    world(house);
    house.write("a.csv", &record(1, 0, 10));
    house.write("b.csv", &[record(2, 1, 20), record(3, 1, -1)].concat());
    house.write("c.csv", &record(4, 2, 40));
    for (missing, words) in [("none.csv", "none.csv: cannot be read ("), (".", ".: is a folder: name a CSV file")] {
        let refused = import(house, &["a.csv", missing, "--json"]);
        assert!(refused.code == 1 && refused.out.is_empty() && refused.err.contains(words), "{refused:?}");
        let sims = house.run(&["import", "sims", missing, "--platform", "hand"], &[]);
        assert!(sims.code == 1 && sims.err.contains(words), "{sims:?}");
    }
    assert_eq!(house.assert_sound(), 0, "nothing is taken in unless all can be read");
    // A folder stands where the bad lines are to go.
    std::fs::create_dir(house.path("b.csv.bad.csv")).expect("a folder");
    let done = import(house, &["a.csv", "b.csv", "c.csv", "--json"]);
    let counts: Vec<_> =
        done.json().as_array().expect("a list").iter().map(|r| (r["loaded"].clone(), r["bad"].clone())).collect();
    assert_eq!(counts, [(json!(1), json!(0)), (json!(1), json!(1))], "{done:?}");
    let said = |words: &str| done.err.contains(words);
    assert!(done.code == 3 && said("b.csv.bad.csv: cannot be written (") && said("the good lines are in"), "{done:?}");
    assert!(said("; not taken in: c.csv"), "{done:?}");
    let plain = import(house, &["b.csv"]);
    assert!(plain.code == 3 && plain.out.contains("loaded 0, duplicate 1, orphan 0, bad 1 (known before"), "{plain:?}");
    std::fs::remove_dir(house.path("b.csv.bad.csv")).expect("an empty folder");
    assert_eq!(import(house, &["b.csv", "c.csv"]).code, 1);
    std::fs::create_dir(house.path("sims.csv.bad.csv")).expect("a folder");
    house.write("sims.csv", &format!("iccid\n{}\n12\n", iccid(7)));
    let sims = house.run(&["import", "sims", "sims.csv", "--platform", "hand"], &[]);
    assert!(sims.code == 3 && sims.out.contains("loaded 1, changed 0, duplicate 0, bad 1\n"), "{sims:?}");
    assert!(sims.err.contains("sims.csv.bad.csv: cannot be written ("), "{sims:?}");
    assert_eq!(house.assert_sound(), 3);
}
