//! Keeping up with a carrier as the operator meets it: from the apply file to findings in a file, with the built binary on both engines.

mod common;

use common::{House, now};
use kachi_simulator::{CardSpec, Platform, Settings, Shape, Simulator, Stop};
use serde_json::{Value, json};

on_both!(what_the_carrier_knows_is_read_and_held_against_records);

/// The n-th card; the carrier knows it by 19 digits.
fn iccid(n: u64) -> String {
    common::iccid(n * 10)
}

/// When the simulator's world begins: 10 March 2026, 20:00 in China.
const BEGIN: i64 = 1_773_144_000;
const MONTHS: i64 = 70 * 86_400;

fn world(url: &str) -> String {
    let sim = |n: u64| format!("  - {{iccid: \"{}\", product: CM-1, account: acme, state: active}}\n", iccid(n));
    format!(
        "accounts: [{{code: acme, id: 10002, currency: USD}}]
platforms:
  - {{code: onelink-1, connector: onelink, settings: {{appid: \"100001\", password: pw123, url: \"{url}\"}}}}
  - {{code: play, connector: sandbox}}
products: [{{code: CM-1, name: CM, carrier: CM, platform: onelink-1}}]
sims:\n{}{}",
        sim(0),
        sim(1)
    )
}

/// The rows of a command that prints JSON, when the program's clock is the simulator's, moved by so many seconds.
fn rows(house: &House, words: &[&str], seconds: i64) -> Value {
    let done = run(house, words, seconds);
    serde_json::from_str(&done).unwrap_or_else(|e| panic!("{words:?}: {e}: {done}"))
}

fn run(house: &House, words: &[&str], seconds: i64) -> String {
    let offset = (BEGIN + seconds - now()).to_string();
    let environment = [
        ("KACHI_CLOCK__TEST", "true"),
        ("KACHI_CLOCK__OFFSET_SECONDS", offset.as_str()),
        ("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.1"]"#),
        ("KACHI_RECONCILE__AFTER_SECONDS", "0"),
    ];
    let done = house.run(words, &environment);
    assert_eq!(done.code, 0, "{words:?}: {done:?}");
    done.out
}

fn what_the_carrier_knows_is_read_and_held_against_records(house: &House) {
    let card = |n: u64, shape| CardSpec::new(Platform::OneLink).iccid(&iccid(n)).shape(shape).rate(10 << 20);
    let cards = vec![card(0, Shape::Steady), card(1, Shape::Silent)];
    let sim = Simulator::start(Settings { start: BEGIN, cards, ..Settings::default() }).expect("it starts");
    sim.set(&iccid(1), |card| card.stop(Stop::Owner));
    house.write("world.yaml", &world(&sim.url(Platform::OneLink)));
    // The cards are ours for longer than the month that is over.
    run(house, &["apply", "world.yaml"], -MONTHS);

    let made = rows(house, &["admin", "sync", "run", "--platform", "onelink-1", "--json"], 0);
    assert!(made[0]["requests"].as_i64().is_some_and(|n| n > 0), "{made}");
    let shown = rows(house, &["admin", "sync", "show", "--json"], 0);
    assert_eq!((&shown[0]["platform"], &shown[0]["on"]), (&json!("onelink-1"), &json!(true)));
    for fact in shown[0]["facts"].as_array().expect("a list") {
        assert_eq!((&fact["cards"], &fact["never"], &fact["stale"]), (&json!(2), &json!(0), &json!(0)), "{shown}");
    }
    assert_eq!(
        (&shown[1]["platform"], &shown[1]["on"]),
        (&json!("play"), &json!(false)),
        "a virtual carrier invents what it tells"
    );
    let text = run(house, &["admin", "sync", "show", "--platform", "onelink-1"], 0);
    assert!(text.contains("requests today: ") && text.contains("2026-03-10, due"), "{text}");

    // One that is not kept up with has no next time: that is said, and is nothing for a script.
    assert!(made[0]["next"].as_str().is_some_and(|next| next.starts_with("2026-03-")), "{made}");
    let text = run(house, &["admin", "sync", "run", "--platform", "play"], 0);
    assert_eq!(text.lines().nth(1).map(str::trim_end), Some("play      0         not kept up with"), "{text}");
    assert_eq!(rows(house, &["admin", "sync", "run", "--platform", "play", "--json"], 0)[0]["next"], Value::Null);

    let report = rows(house, &["admin", "reconcile", "run", "--json"], 0);
    assert_eq!(report, json!({"compared": 2, "apart": 1, "settled": 0}));
    let found = rows(house, &["admin", "reconcile", "list", "--json"], 0);
    let f = &found[0];
    assert_eq!((&f["iccid"], &f["platform"], &f["account"]), (&json!(iccid(0)), &json!("onelink-1"), &json!("acme")));
    assert_eq!((&f["record_bytes"], &f["record_as_of"]), (&json!(0), &Value::Null));
    let counted = f["carrier_bytes"].as_i64().expect("a number");
    assert!(counted > 10 << 20, "{f}");
    let doctor = house.run(&["admin", "doctor"], &[]).out;
    assert!(doctor.contains("are apart in 1 months of 1 cards: kachi admin reconcile list"), "{doctor}");
    assert_eq!((&f["difference"], &f["month_from"]), (&json!(-counted), &json!("2026-01-31T16:00:00Z")));

    run(house, &["export", "reconcile", "--format", "csv", "--out", "apart.csv"], 0);
    let text = std::fs::read_to_string(house.path("apart.csv")).expect("it is written");
    let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!((lines.len(), lines[0][0], lines[0][4]), (2, "iccid", "record_bytes"));
    assert_eq!((lines[1][0], lines[1][6]), (iccid(0).as_str(), counted.to_string().as_str()));
    assert_eq!(run(house, &["export", "reconcile"], 0), text);
    house.write("apart.csv", "kept");
    let again = ["export", "reconcile", "--out", "apart.csv"];
    let refused = house.run(&again, &[]);
    let words = "--out: apart.csv is there already: name a new file, or write over it with --overwrite";
    assert!(refused.code == 1 && refused.err.contains(words), "{refused:?}");
    assert_eq!(std::fs::read_to_string(house.path("apart.csv")).expect("it is there"), "kept");
    run(house, &[&again[..], &["--overwrite"]].concat(), 0);
    assert_eq!(std::fs::read_to_string(house.path("apart.csv")).expect("it is there"), text);
    assert_eq!(run(house, &["export", "reconcile", "--out", "/dev/stdout"], 0), text, "a pipe keeps nothing");

    let cards = run(house, &["export", "sims"], 0);
    let cards: Vec<&str> = cards.lines().collect();
    assert_eq!((cards.len(), cards[0].split(',').next()), (3, Some("iccid")));
    assert!(cards[2].starts_with(&format!("{},,,,,acme,CM-1,active,no_package,", iccid(0))), "{cards:?}");

    let refused = house.run(&["admin", "sync", "show", "--platform", "nowhere"], &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("--platform: there is no platform nowhere"), "{refused:?}");
    house.write("bad.yaml", "platforms: [{code: hand, connector: manual, usage: counter}]\n");
    let refused = house.run(&["apply", "bad.yaml"], &[]);
    assert!(refused.code == 1 && refused.err.contains("platforms[0].usage: connector manual does not tell"), "{refused:?}");
}
