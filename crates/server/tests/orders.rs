//! Orders by command: found, shown, taken back; and what is said of what is not there. On both engines, with a partner who bought them.

mod common;

use common::partner::Key;
use common::{Done, House, iccid, sims};
use serde_json::Value;

on_both!(
    orders_are_listed_shown_and_taken_back,
    a_carriers_order_waits_and_what_takes_it_back_is_told,
    what_is_not_there_is_told_with_the_command_that_shows_what_is,
);

const ACME: Key = Key { name: "acme-key", secret: "acme-a1b1c1d1" };

fn world(house: &House) {
    house.apply(&format!(
        r#"
accounts:
  - {{code: north, currency: USD, prices: [{{package: GJ-100M-30D, price: "1.00", retail_price: "1.30"}}]}}
  - {{code: acme, id: 10001, parent: north, currency: USD, opening_balance: "100.00", credentials: {{eiotclub: {{appkey: {key}, secret: {secret}}}}}}}
  - {{code: other, currency: USD}}
platforms: [{{code: hand, connector: manual}}]
products: [{{code: 1US-1, name: US, carrier: INTL, platform: hand}}]
packages:
  - {{code: GJ-100M-30D, product: 1US-1, data: 100MB, validity: 30d, price: "1.00", currency: USD}}
  - {{code: GJ-CARRIER, product: 1US-1, data: 100MB, validity: 30d, price: "2.00", currency: USD, fulfil: carrier}}
sims:
{cards}"#,
        key = ACME.name,
        secret = ACME.secret,
        cards = sims(0..3, "acme", "1US-1"),
    ));
}

fn order(house: &House, words: &[&str]) -> Done {
    house.run(&[&["admin", "order"], words].concat(), &[])
}

/// The orders that are listed, by their short numbers.
fn listed(house: &House, words: &[&str]) -> Vec<i64> {
    let done = order(house, &[&["list", "--json"], words].concat());
    assert_eq!(done.code, 0, "{words:?}: {done:?}");
    done.json().as_array().expect("a list").iter().map(|o| o["order"].as_i64().expect("a number")).collect()
}

fn orders_are_listed_shown_and_taken_back(house: &House) {
    world(house);
    let server = house.serve(&[]);
    let buy = |card, own| ACME.bought(&server.address, card, "GJ-100M-30D", own);
    let bought = [buy(0, "o-1"), buy(0, "o-2"), buy(1, "o-3")];
    let [one, two, three] = bought;
    server.stop();
    let number = |n: i64| n.to_string();
    for (words, wanted) in [
        (vec![], vec![three, two, one]),
        (vec!["--limit", "2"], vec![three, two]),
        (vec!["--before", &number(two)], vec![one]),
        (vec!["--account", "north"], vec![three, two, one]),
        (vec!["--account", "other"], vec![]),
        (vec!["--iccid", &iccid(0)], vec![two, one]),
        (vec!["--iccid", &iccid(2)], vec![]),
        (vec!["--account", "acme", "--iccid", &iccid(1), "--state", "done"], vec![three]),
        (vec!["--state", "refunded"], vec![]),
    ] {
        assert_eq!(listed(house, &words), wanted, "{words:?}");
    }
    let table = order(house, &["list", "--limit", "2"]).out;
    assert!(table.starts_with("order ") && table.ends_with(&format!("\nthere are older ones: --before {two}\n")), "{table}");
    assert!(!order(house, &["list", "--limit", "3"]).out.contains("older"), "there are none");
    let first = order(house, &["list", "--json", "--limit", "1"]).json()[0].clone();
    for (key, value) in [
        ("out_trade_no", "o-3"),
        ("account", "acme"),
        ("iccid", &iccid(1)),
        ("package", "GJ-100M-30D"),
        ("state", "done"),
        ("price", "1.30"),
        ("refunded", "0.00"),
        ("currency", "USD"),
        ("channel", "API"),
    ] {
        assert_eq!(first[key], value, "{key}: {first}");
    }
    let long = first["number"].as_str().expect("a long number").to_owned();
    shown_by_each_of_its_numbers(house, three, &long);
    taken_back_once(house, three, &long);
    assert_eq!((listed(house, &["--state", "refunded"]), listed(house, &["--state", "done"])), (vec![three], vec![two, one]));
    house.assert_sound();
}

fn shown_by_each_of_its_numbers(house: &House, short: i64, long: &str) {
    for which in [&[short.to_string().as_str()][..], &[long], &["--account", "acme", "--out-trade-no", "o-3"]] {
        let shown = order(house, &[&["show", "--json"], which].concat()).json();
        assert_eq!((shown["order"].as_i64(), &shown["number"]), (Some(short), &Value::from(long)), "{which:?}: {shown}");
        assert_eq!(shown["shares"], serde_json::json!([{"account": "north", "amount": "0.30"}]));
        let sub = &shown["subscription"];
        assert_eq!((&sub["state"], &sub["used_bytes"], &sub["left_bytes"]), (&"active".into(), &0.into(), &(100 << 20).into()));
        let moved: Vec<_> = shown["postings"].as_array().expect("a list").iter().map(|p| (&p["account"], &p["amount"])).collect();
        let wanted = [("acme", "-1.30"), ("operator", "1.00"), ("north", "0.30")].map(|(a, m)| (Value::from(a), Value::from(m)));
        assert_eq!(moved, wanted.each_ref().map(|(a, m)| (a, m)), "{shown}");
        assert_eq!((&shown["writes"], &shown["refund_remark"]), (&Value::Array(vec![]), &Value::Null));
    }
    let text = order(house, &["show", &short.to_string()]).out;
    for words in ["out_trade_no", "GJ-100M-30D", "purchase", "left_bytes", "104857600", "north"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for (which, code, words) in [
        (vec!["1"], 1, "NUMBER: there is no order 1: see `kachi admin order list`"),
        (vec!["abc"], 1, "NUMBER: there is no order abc"),
        (vec!["--account", "acme", "--out-trade-no", "o-9"], 1, "--out-trade-no: acme has no order o-9"),
        (vec!["--account", "nobody", "--out-trade-no", "o-3"], 1, "--account: there is no account nobody"),
        (vec!["--account", "acme"], 2, "--out-trade-no"),
        (vec!["--out-trade-no", "o-3"], 2, "--account"),
        (vec!["1", "--account", "acme", "--out-trade-no", "o-3"], 2, "cannot be used with"),
        (vec!["1", "--account", "acme"], 2, "cannot be used with"),
        (vec![], 2, "NUMBER"),
    ] {
        for verb in ["show", "refund"] {
            let said: &[&str] = if verb == "refund" { &["--by", "Li", "--reason", "r"] } else { &[] };
            let refused = order(house, &[&[verb], &which[..], said].concat());
            assert!(refused.code == code && refused.err.contains(words), "{verb} {which:?}: {refused:?}");
        }
    }
    for (words, code, says) in [
        (vec!["--iccid", "12"], 1, "ICCID: "),
        (vec!["--iccid", &iccid(9)], 1, "ICCID: there is no card"),
        (vec!["--account", "nobody"], 1, "--account: there is no account nobody"),
        (vec!["--state", "lost"], 2, "\"lost\" is not one of in_review, pending, done, failed, refunded"),
        (vec!["--limit", "0"], 2, "--limit"),
    ] {
        let refused = order(house, &[&["list"], &words[..]].concat());
        assert!(refused.code == code && refused.err.contains(says), "{words:?}: {refused:?}");
    }
}

fn taken_back_once(house: &House, short: i64, long: &str) {
    let which = short.to_string();
    let before = house.money(10_001);
    let would = order(house, &["refund", &which, "--dry-run"]);
    assert_eq!(
        would.out,
        format!("order {which} ({long}): 1.30 of 1.30 USD would go back to acme; nothing was changed\n"),
        "{would:?}"
    );
    let would = order(house, &["refund", long, "--dry-run", "--json"]).json();
    assert_eq!((&would["back"], &would["currency"], &would["done"]), (&"1.30".into(), &"USD".into(), &false.into()));
    for said in [&["--by", "Li"][..], &["--reason", "twice"], &[]] {
        assert_eq!(order(house, &[&["refund", &which], said].concat()).code, 2, "{said:?}");
    }
    let unsaid = order(house, &["refund", &which, "--by", "Li", "--reason", " "]);
    assert!(unsaid.code == 1 && unsaid.err.contains(" --reason: must have 1 to 200 characters"), "{unsaid:?}");
    assert_eq!(house.money(10_001), before, "nothing was changed");
    let done = order(house, &["refund", &which, "--by", "Li", "--reason", "bought twice"]);
    assert_eq!(
        done.out,
        format!("order {which} ({long}): 1.30 of 1.30 USD went back to acme, by Li (bought twice)\n"),
        "{done:?}"
    );
    assert_eq!(house.money(10_001), (before.0 + 130, before.1));
    for words in [&["--dry-run"][..], &["--by", "Li", "--reason", "bought twice"]] {
        let again = order(house, &[&["refund", &which], words].concat());
        let says = format!(
            "NUMBER: order {which} cannot be refunded, it is refunded: its money went back already: see `kachi admin order show {which}`"
        );
        assert!(again.code == 1 && again.err.contains(&says), "{again:?}");
    }
    assert_eq!(house.money(10_001), (before.0 + 130, before.1), "once");
    let shown = order(house, &["show", &which, "--json"]).json();
    assert_eq!(
        (&shown["state"], &shown["refunded"], &shown["refund_remark"]),
        (&"refunded".into(), &"1.30".into(), &"refunded by Li (bought twice)".into())
    );
    let sum: Vec<_> = shown["postings"].as_array().expect("a list").iter().map(|p| p["act"].clone()).collect();
    assert_eq!(sum, ["purchase", "purchase", "purchase", "refund", "refund", "refund"].map(Value::from));
    assert!(order(house, &["show", &which]).out.contains("refunded by Li (bought twice)"));
}

fn a_carriers_order_waits_and_what_takes_it_back_is_told(house: &House) {
    world(house);
    let server = house.serve(&[]);
    let held = ACME.bought(&server.address, 0, "GJ-CARRIER", "o-1").to_string();
    let shown = || order(house, &["show", &held, "--json"]).json();
    assert_eq!((&shown()["state"], &shown()["subscription"]["state"]), (&"pending".into(), &"pending".into()));
    let write = shown()["writes"][0].clone();
    assert!(write["request"].to_string().contains("GJ-CARRIER"), "{write}");
    let refund = || order(house, &["refund", &held, "--by", "Li", "--reason", "no use"]);
    let refused = refund();
    let says = "cannot be refunded, it is pending: its carrier has the word, and if that is no its money goes back: see `kachi admin intent";
    assert!(refused.code == 1 && refused.err.contains(says), "{refused:?}");
    let confirm = ["admin", "intent", "confirm", &write["id"].to_string()];
    house.done(&confirm);
    let again = house.run(&confirm, &[]);
    let says = format!("ID: write {} is confirmed already: see `kachi admin intent list --all`", write["id"]);
    assert!(again.code == 1 && again.err.contains(&says), "{again:?}");
    let done = refund();
    assert!(done.out.contains("2.00 of 2.00 USD went back to acme, by Li (no use); its carrier is being asked"), "{done:?}");
    let writes = shown()["writes"].clone();
    assert_eq!((writes.as_array().map(Vec::len), &writes[0]["state"]), (Some(2), &"confirmed".into()), "{writes}");
    server.stop();
    house.assert_sound();
}

fn what_is_not_there_is_told_with_the_command_that_shows_what_is(house: &House) {
    world(house);
    for (words, says) in [
        ("intent confirm 9", "ID: there is no write 9: see `kachi admin intent list`"),
        ("intent refuse 9 --by Li --reason ", "--reason: must have 1 to 200 characters, all printable"),
        ("task stop 9", "ID: there is no task 9: see `kachi admin task list`"),
        ("claim settle 9 --accept", "ID: there is no claim 9 that waits or was refused: see `kachi admin claim list --all`"),
        ("profit settle 9 --by Li", "ID: there is no withdrawal 9: see `kachi admin profit list`"),
        ("template approve T9", "CODE: there is no template T9: see `kachi admin template list`"),
        ("pool take-out 9 89860000000000000001", "ID: there is no pool 9: see `kachi admin pool list`"),
        (
            "cdr resend 9",
            "FROM: there is no CDR file with that number that is not being sent already: see `kachi admin cdr list`",
        ),
        ("sim stop 89860000000000000001", "ICCID: there is no card 89860000000000000001: see `kachi export sims`"),
        ("delivery replay 9 --by ", "--by: must have 1 to 200 characters, all printable"),
    ] {
        let words: Vec<&str> = ["admin"].into_iter().chain(words.split(' ')).collect();
        let done = house.run(&words, &[]);
        assert!(done.code == 1 && done.err == format!("kachi: {says}\n"), "{words:?}: {done:?}");
    }
}
