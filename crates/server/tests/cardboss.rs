//! The CardBOSS door of the built binary and a partner in Python that shares no code with us.

mod common;

use common::{House, client, finished};
use serde_json::Value;
use std::net::TcpListener;

const APIKEY: &str = "0123456789abcdef0123456789abcdef";
const CARD: &str = "1064700000001";
/// A card whose carrier is the sandbox, which answers at once.
const ACTING: &str = "1064700000005";
const FOREIGN: &str = "1064700000009";

on_both!(a_partners_day, what_the_operator_does);

/// What the client cannot send, or nobody answers, is told in a line, and not as a fault of the client.
#[test]
fn a_call_that_the_client_does_not_know_or_nobody_answers_is_told() {
    for (words, code, says) in [
        (&["call", "card/nothing"][..], 2, "argument PATH: invalid choice: 'card/nothing' (choose from "),
        (&["call", "card/detail", "msisdns"], 2, "argument name=value: 'msisdns' is not name=value"),
        (&["call", "card/detail", "msisdns=1"], 1, "no answer from --data http://127.0.0.1:1: "),
    ] {
        let mut call = client("cardboss.py");
        call.args(words).args([
            "--data",
            "http://127.0.0.1:1",
            "--direct",
            "http://127.0.0.1:1",
            "--sid",
            "1",
            "--apikey",
            APIKEY,
        ]);
        let done = finished(&mut call);
        assert!(done.code == code && done.err.contains(says) && !done.err.contains("Traceback"), "{words:?}: {done:?}");
    }
}

fn world(port: u16) -> String {
    format!(
        r#"
accounts:
  - code: acme
    id: 10043
    currency: CNY
    opening_balance: "1000.00"
    credentials: {{cardboss: {{sid: "10043", apikey: {APIKEY}}}}}
    notify: {{cardboss_data: "http://127.0.0.1:{port}/d", cardboss_sms: "http://127.0.0.1:{port}/s"}}
    contact: {{phone: "0512-1", linkman: Li, extcode: "003"}}
  - {{code: other, id: 10044, currency: CNY, credentials: {{cardboss: {{}}}}}}
platforms:
  - {{code: hand, connector: manual}}
  - {{code: play, connector: sandbox, settings: {{lag_seconds: 0}}}}
products:
  - {{code: CN-1, name: China, carrier: CM, platform: hand}}
  - {{code: CN-2, name: China, carrier: CM, platform: play}}
packages:
  - {{code: xagx020, name: 1G, product: CN-1, kind: quota, category: month, window: calendar_month, data: 1GB, validity: 1mo, price: "2.40", currency: CNY}}
sims:
  - {{iccid: "89860012345678901234", msisdn: "{CARD}", product: CN-1, account: acme, state: active, apns: [CMIOT], balance: "-1.60"}}
  - {{iccid: "89860012345678901259", msisdn: "{ACTING}", product: CN-2, account: acme, state: active}}
  - {{iccid: "89860012345678901242", msisdn: "{FOREIGN}", product: CN-1, account: other, state: active}}
sms_templates:
  - {{code: T1, account: acme, text: "@1@ has @2@ left", signature: "【Acme】"}}
"#
    )
}

fn a_partners_day(house: &House) {
    // A port that is free now is the receiver's a moment later.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    house.apply(&world(port));
    let again = house.done(&["apply", "world.yaml"]);
    assert!(again.out.contains("nothing changed"), "{again:?}");
    let server =
        house.serve(&[("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.1"]"#), ("KACHI_WEBHOOKS__RETRY", r#"["0s", "0s", "1s"]"#)]);
    let open = |key: &str| format!("http://{}", server.open(key));
    let (data, direct) = (open("listen.cardboss_data"), open("listen.cardboss_direct"));
    let mut journey = client("cardboss.py");
    journey.args(["journey", "--data", &data, "--direct", &direct, "--sid", "10043", "--apikey", APIKEY]);
    journey.args([
        "--card",
        CARD,
        "--foreign",
        FOREIGN,
        "--package",
        "xagx020",
        "--months",
        "12",
        "--receive",
        &port.to_string(),
    ]);
    journey.args(["--acting", ACTING, "--template", "T1"]);
    let done = finished(&mut journey);
    assert!(done.code == 0 && done.out.contains("checks passed"), "{done:?}");
    server.stop();
    assert_eq!(house.money(10_043), (100_000 - 2 * 2880 - 40, 2880), "a renewal is paid, one is held, four messages are paid");
    let reused = house.done(&["admin", "signature", "reused", "--json"]).json();
    let times: Vec<i64> = reused.as_array().expect("a list").iter().filter_map(|r| r["times"].as_i64()).collect();
    assert_eq!(times.iter().sum::<i64>(), 4, "each signature that came with another body is kept: {reused}");
    house.assert_sound();
}

/// Accounts switched, cards that share a package, templates: by file and command.
fn what_the_operator_does(house: &House) {
    house.apply(&world(9));
    let pool = |members: &str| {
        format!(
            "pools:\n  - {{id: 1310, code: gates, account: acme, package: xagx020, members: [{members}], member_cap: 500MB}}\n"
        )
    };
    house.write("pool.yaml", &pool("\"89860012345678901234\""));
    house.done(&["apply", "pool.yaml"]);
    assert!(house.done(&["apply", "pool.yaml"]).out.contains("nothing changed"));
    let listed = house.done(&["admin", "pool", "list", "--json"]).json();
    let row = &listed[0];
    assert_eq!((&row["id"], &row["package"], &row["slots"]), (&1310.into(), &"xagx020".into(), &Value::Null), "{listed}");
    assert_eq!((&row["cards"], &row["active"], &row["member_cap_bytes"]), (&1.into(), &0.into(), &(500_i64 << 20).into()));
    assert_eq!((&row["state"], &row["over_since"]), (&"never had anything".into(), &Value::Null));
    for (yaml, said) in [
        ("pools:\n  - {code: gates, type: POOL}\n", "pools[0].type: gates is a xagx020, which never changes"),
        ("pools:\n  - {code: doors, account: acme}\n", "pools[0].type: is missing"),
        ("pools:\n  - {code: doors, account: acme, package: none}\n", "pools[0].package: there is no package none"),
        ("accounts:\n  - {code: acme, state: perhaps}\n", "accounts[0].state"),
    ] {
        house.write("bad.yaml", yaml);
        let done = house.run(&["apply", "bad.yaml"], &[]);
        assert!(done.code == 1 && done.err.contains(said), "{yaml}: {done:?}");
    }
    house.done(&["admin", "pool", "take-out", "1310", "89860012345678901234"]);
    assert_eq!(house.done(&["admin", "pool", "list", "--json"]).json()[0]["cards"], 0);
    assert_eq!(house.run(&["admin", "pool", "take-out", "1310", "89860012345678901234"], &[]).code, 1);

    assert_eq!(house.done(&["admin", "account", "pause", "acme"]).out, "acme: paused (was on)\n");
    let accounts = house.done(&["admin", "account", "list", "--json"]).json();
    let acme = accounts.as_array().expect("a list").iter().find(|a| a["code"] == "acme").expect("acme");
    assert_eq!((&acme["switch"], &acme["holds"]), (&"paused".into(), &"paused".into()));
    house.write("on.yaml", "accounts:\n  - {code: acme, state: on}\n");
    assert!(house.done(&["apply", "on.yaml"]).out.contains("state"));
    assert_eq!(house.run(&["admin", "account", "off", "operator"], &[]).code, 1);
    assert_eq!(house.done(&["admin", "template", "withdraw", "T1"]).out, "template T1: withdrawn\n");
    assert_eq!(house.done(&["admin", "template", "list", "--json"]).json()[0]["approved"], false);
    assert_eq!(house.done(&["admin", "template", "approve", "T1"]).out, "template T1: approved\n");
    assert_eq!(house.run(&["admin", "template", "approve", "T9"], &[]).code, 1);
    assert_eq!(house.done(&["admin", "signature", "reused", "--json"]).json(), Value::Array(Vec::new()));
    house.assert_sound();
}

#[test]
fn a_signature_by_hand_is_that_of_the_door() {
    let house = House::new(kachi_testkit::db::Database::sqlite());
    let form = "sid=10043&ts=20170401100312&pageindex=1";
    let done = house.done(&["sign", "cardboss", "card/list", form, "--apikey", APIKEY]);
    assert!(done.out.starts_with("sign: d51960c856bf6db759e6db44431c3a74\n"), "{done:?}");
    assert!(done.out.contains("signed text: 10043***201704011003121\n"), "no apikey is shown: {done:?}");
    let signed = format!("{form}&sign=d51960c856bf6db759e6db44431c3a74");
    assert_eq!(
        house.done(&["sign", "cardboss", "/iotapi/rest/v2/card/list", &signed, "--apikey", APIKEY, "--verify"]).out,
        "ok\n"
    );
    for (words, said) in [
        (
            vec!["sign", "cardboss", "card/list", &signed, "--apikey", "another apikey, long enough", "--verify"],
            "sign: does not fit",
        ),
        (vec!["sign", "cardboss", "card/none", form, "--apikey", APIKEY], "there is no operation card/none"),
        (vec!["sign", "cardboss", "card/list", "sid=1&ts=20170401100312", "--apikey", APIKEY], "code 1012"),
    ] {
        let done = house.run(&words, &[]);
        assert!(done.code == 1 && done.err.contains(said), "{words:?}: {done:?}");
    }
}
