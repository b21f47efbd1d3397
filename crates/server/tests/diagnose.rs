//! A card that is off line, from the question at night to the act that lifts it, with the built binary on both engines.

mod common;

use common::{Done, House, iccid, until};
use kachi_domain::Timestamp;
use kachi_domain::account::Path;
use kachi_domain::carrier::{Heard, Line, Standing, Stop};
use kachi_domain::sim::{BaseState, Blocks};
use serde_json::Value;

on_both!(a_card_off_line_is_explained_and_what_can_be_lifted_is_lifted);

fn world() -> String {
    format!(
        r#"
accounts: [{{code: acme, id: 10002, currency: USD, opening_balance: "5.00"}}]
platforms: [{{code: play, connector: sandbox, settings: {{lag_seconds: 0, cool_down_seconds: 0}}}}]
products: [{{code: 1US-1, name: US, platform: play}}]
sims:
  - {{iccid: "{}", msisdn: "1440000000001", product: 1US-1, account: acme, state: active}}
  - {{iccid: "{}", product: 1US-1, account: acme, state: active}}
"#,
        iccid(0),
        iccid(1)
    )
}

fn causes(report: &Value) -> Vec<&str> {
    report["causes"].as_array().expect("causes").iter().map(|c| c["cause"].as_str().expect("a word")).collect()
}

fn looked_at<'r>(report: &'r Value, topic: &str) -> &'r Value {
    let all = report["causes"].as_array().expect("causes").iter().flat_map(|c| c["looked_at"].as_array().expect("a list"));
    all.chain(report["device"].as_array().expect("a list")).find(|l| l["topic"] == topic).expect("it was looked at")
}

fn a_card_off_line_is_explained_and_what_can_be_lifted_is_lifted(house: &House) {
    house.apply(&world());
    let card = iccid(0);
    let why = |words: &[&str]| house.done(&[&["admin", "diagnose", "--json"], words].concat()).json();
    let by_number = why(&["1440000000001"]);
    assert_eq!((&by_number["iccid"], causes(&by_number)), (&card.clone().into(), vec!["no_package"]));
    assert_eq!(looked_at(&by_number, "session")["not_known"], "never_read");

    let server = house.serve(&[]);
    assert!(house.done(&["admin", "sim", "stop", &card]).out.contains("its carrier is being asked"));
    let stopped = until("the carrier's word", || Some(why(&[&card])).filter(|r| causes(r).contains(&"owner_stop")));
    assert_eq!(causes(&stopped), ["owner_stop", "no_package"]);
    assert_eq!(stopped["causes"][0]["command"], format!("kachi admin sim resume {card}"));
    let fresh = why(&["--fresh", &card]);
    assert_eq!((&fresh["read"], causes(&fresh)), (&"done".into(), vec!["owner_stop", "no_package"]));
    let there = looked_at(&fresh, "carrier_state");
    assert!(there["source"] == "carrier" && there["value"].as_str().expect("words").starts_with("stopped"), "{there}");
    let resumed = house.done(&["admin", "sim", "resume", &card, "--json"]).json();
    // It never had a package: it is on again as it was, and what it still lacks is told.
    assert_eq!((&resumed["outcome"], &resumed["left"]), (&"asked".into(), &serde_json::json!(["no_package"])));
    until("the carrier's word", || Some(why(&[&card])).filter(|r| causes(r) == ["no_package"]));
    // It is not on as long as something is in its way: that is said, with who takes it away and how.
    let nothing = house.done(&["admin", "sim", "resume", &card]).out;
    assert!(nothing.contains("nothing to lift: its owner has not stopped it\nleft in its way: no_package"), "{nothing}");
    assert!(nothing.contains("package/orderPackage: buy a package for the card") && !nothing.contains("is on"), "{nothing}");
    let forced = |verb: &str| house.done(&["admin", "sim", verb, &card, "--by", "Li", "--reason", "a test", "--json"]).json();
    assert_eq!(forced("force-stop")["outcome"], "forced");
    let report = why(&[&card]);
    let of_force = report["causes"].as_array().expect("causes").iter().find(|c| c["cause"] == "forced").expect("the force");
    assert_eq!(of_force["command"], format!("kachi admin sim force-lift {card} --by NAME --reason TEXT"));
    assert_eq!(forced("force-lift")["outcome"], "lifted");
    assert_eq!(forced("force-lift")["outcome"], "already");
    server.stop();

    // What its carrier said bars the other one: nothing is asked, and who can lift it is told.
    let line = Line {
        standing: Some(Standing { base: BaseState::Stopped, raw: "4".into(), since: None }),
        stop: Some(Stop { blocks: Blocks::CREDIT, raw: "000020000000".into(), words: "信控双向停机".into() }),
        ..Line::default()
    };
    let other = iccid(1);
    let number = other.clone();
    let at = Timestamp(common::now());
    house
        .store()
        .write(move |tx| {
            let sim = tx.sim_by_iccid(&Path::root(), &number)?.map(|s| s.id).expect("the card");
            tx.put_carrier_word(sim, &Heard::default().hear(&line, at))
        })
        .expect("kept");
    let barred: Done = house.run(&["admin", "sim", "resume", &other], &[]);
    assert!(barred.code == 1 && barred.err.contains("carrier_credit") && barred.err.contains("the operator"), "{barred:?}");
    let shown = house.done(&["admin", "sim", "show", &other, "--json"]).json();
    assert_eq!((&shown["carrier_raw"], &shown["stop_reason"]), (&"4".into(), &serde_json::json!(["credit"])));
    assert_eq!(shown["carrier_as_of"], at.to_string());
    let text = house.done(&["admin", "diagnose", &other]).out;
    assert!(text.contains("state at the carrier: stopped (its word: 4)") && text.contains("000020000000"), "{text}");
    let text = house.done(&["admin", "diagnose", &other, "--language", "zh"]).out;
    assert!(text.contains("该卡无套餐") && text.contains("运营商信控停机（欠费）"), "{text}");

    for (words, wanted) in [("89860099999999999999", "there is no card"), ("nonsense", "is 11 to 32 digits")] {
        let no = house.run(&["admin", "diagnose", words], &[]);
        assert!(no.code == 1 && no.err.contains(wanted), "{no:?}");
    }
    house.assert_sound();
}
