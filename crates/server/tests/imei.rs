//! A card in the wrong device, from the apply file to the customer's receiver, with the built binary on both engines.

mod common;

use common::receiver::Receiver;
use common::{House, iccid, now, until};
use kachi_domain::Timestamp;
use kachi_domain::cdr::FileName;
use kachi_testkit::world::line_in;

on_both!(a_card_lent_to_a_group_is_locked_and_comes_back_when_its_time_is_over);

const SECRET: &str = "acme-a1b1c1d1";

fn world(notify: &str, until: i64) -> String {
    format!(
        r#"
accounts:
  - {{code: acme, id: 10002, currency: USD, credentials: {{eiotclub: {{appkey: acme-key, secret: {SECRET}}}}}, notify: {{eiotclub: "{notify}"}}}}
platforms: [{{code: hand, connector: manual}}]
products: [{{code: 1US-1, name: US, platform: hand}}]
sims: [{{iccid: "{card}", product: 1US-1, account: acme, state: active}}]
imei_groups:
  - {{id: 380, code: g1, account: acme, imeis: ["867530912345678"], sims: [{{iccid: "{card}", until: "{until}"}}]}}
"#,
        card = iccid(0),
        until = Timestamp(until)
    )
}

fn a_card_lent_to_a_group_is_locked_and_comes_back_when_its_time_is_over(house: &House) {
    let receiver = Receiver::start(SECRET);
    house.apply(&world(&receiver.url, now() + 3600));
    let at = now() + 60;
    let name = FileName { account: "acme".into(), start: Timestamp(at), end: Timestamp(at + 1), generated: Timestamp(at) };
    house.write(&name.to_string(), &line_in(1, 0, at - 60, at, 5, 355_000_000_000_017));
    house.done(&["import", "cdr", &name.to_string(), "--platform", "hand"]);
    let shown = house.done(&["admin", "sim", "show", &iccid(0), "--json"]).json();
    assert_eq!((&shown["imei_group"], &shown["locked_by_imei"]), (&"g1".into(), &"355000000000017".into()));
    // Two hours later its time in the group has passed: the server's timer takes it out.
    let server = house.serve(&[
        ("KACHI_CLOCK__TEST", "true"),
        ("KACHI_CLOCK__OFFSET_SECONDS", "7200"),
        ("KACHI_WEBHOOKS__RETRY", r#"["0s", "1s", "1s", "1s"]"#),
        ("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.1"]"#),
    ]);
    let all = until("four notices", || receiver.look(|a| (a.acknowledged.len() == 4).then(|| a.notices.clone())));
    server.stop();
    receiver.look(|a| assert!(a.wrong.is_empty(), "{:?}", a.wrong));
    let events: Vec<&str> = all.values().map(|n| n["event"].as_str().expect("an event")).collect();
    assert_eq!(events, ["CardMovedInIMEIPool", "CardIMEILocked", "IMEIUnLock", "CardMovedOutIMEIPool"]);
    assert!(all.values().all(|n| n["iccid"] == iccid(0)) && all.values().all(|n| n.get("eid").is_none()));
    assert_eq!(house.done(&["admin", "sim", "show", &iccid(0), "--json"]).json()["blocks"], serde_json::json!(["no_package"]));
    let asked: Vec<String> = house
        .done(&["admin", "intent", "list", "--all", "--json"])
        .json()
        .as_array()
        .expect("a list")
        .iter()
        .map(|i| i["request"]["write"]["act"].as_str().expect("an act").to_owned())
        .collect();
    assert_eq!(asked, ["resume", "stop"], "newest first: the carrier was asked to stop it, and to let it on again");
    house.assert_sound();
}
