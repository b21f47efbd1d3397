//! Device reports through a real Mosquitto into the built binary, on both engines.

mod common;

use common::broker::Broker;
use common::{House, client, finished, until};
use kachi_domain::AccountId;
use kachi_testkit::db::Database;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

on_both!(
    the_payload_of_the_source_binds_its_card,
    nothing_is_published_unless_replies_are_wanted,
    a_broker_is_spoken_to_by_tls_and_another_authority_is_refused,
    no_report_is_lost_when_the_broker_restarts_and_we_are_killed,
);

const CARD: &str = "898604293620C0000970";

const WORLD: &str = r#"
accounts: [{code: acme, id: 10002, currency: USD}]
platforms: [{code: hand, connector: manual}]
products: [{code: P, name: P, platform: hand}]
sims: [{iccid: "898604293620C0000970", product: P, account: acme, state: active}]
"#;

fn say(broker: &Broker, topic: &str, payload: &str) {
    let said = finished(client("mqtt.py").args(["say", &broker.port.to_string(), topic, payload]));
    assert_eq!(said.code, 0, "{said:?}");
}

/// The device once a report of it is kept: it is published until then, because the broker knows no session of ours at first.
fn reported(house: &House, broker: &Broker, serial: &str) -> serde_json::Value {
    until("a report is kept", || {
        say(broker, &format!("/7/{serial}/info/post"), "-");
        let shown = house.run(&["admin", "device", "show", serial, "--json"], &[]);
        (shown.code == 0).then(|| shown.json())
    })
}

fn the_payload_of_the_source_binds_its_card(house: &House) {
    house.apply(WORLD);
    let broker = Broker::start();
    let server = house.serve(&[("KACHI_MQTT__URL", &broker.url())]);
    let device = reported(house, &broker, "D1");
    say(&broker, "/7/D1/info/post", "{\"iccid\": 8986}");
    say(&broker, "/7/D2/info/post", "no JSON");
    assert_eq!((&device["device"]["iccid"], &device["device"]["claim"]), (&CARD.into(), &"bound".into()), "{device}");
    assert_eq!((&device["device"]["rssi"], &device["device"]["summary"]["chip"]), (&(-43).into(), &"ESP8266".into()));
    let shown = house.done(&["admin", "sim", "show", CARD, "--json"]).json();
    assert_eq!((&shown["device"], &shown["account"]), (&"D1".into(), &"acme".into()));
    let aside = until("what cannot be read is set aside", || {
        let aside = house.done(&["admin", "device", "aside", "--json"]).json();
        (aside["payloads"] == 2).then_some(aside)
    });
    let reasons: Vec<&str> = aside["kept"].as_array().expect("a list").iter().filter_map(|a| a["reason"].as_str()).collect();
    assert!(reasons[0].starts_with("json: ") && reasons[1].starts_with("iccid: must be 18"), "{reasons:?}");
    server.stop();
    house.assert_sound();
}

fn nothing_is_published_unless_replies_are_wanted(house: &House) {
    house.apply(WORLD);
    let broker = Broker::start();
    for (reply, answers) in [("false", false), ("true", true)] {
        let server = house.serve(&[("KACHI_MQTT__URL", &broker.url()), ("KACHI_MQTT__REPLY", reply)]);
        let mut watcher = client("mqtt.py")
            .args(["watch", &broker.port.to_string(), "/end"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a watcher");
        let mut seen = BufReader::new(watcher.stdout.take().expect("its words")).lines().map_while(Result::ok);
        assert_eq!(seen.next().as_deref(), Some("watching"));
        let serial = format!("R-{reply}");
        reported(house, &broker, &serial);
        // What was published until the server has ended is seen before this.
        server.stop();
        say(&broker, "/end", "x");
        let published: Vec<String> = seen.filter(|line| line.contains("/status/post")).collect();
        assert_eq!(published.is_empty(), !answers, "{published:?}");
        if let Some(answer) = published.first() {
            let (topic, payload) = answer.split_once('\t').expect("a topic and a payload");
            assert_eq!(topic, format!("/7/{serial}/status/post"));
            let payload: serde_json::Value = serde_json::from_str(payload).expect("JSON");
            assert_eq!(payload, serde_json::json!({"status": 3, "isShadow": 0, "rssi": -43}));
        }
        assert!(watcher.wait().expect("it ends").success());
    }
}

fn a_broker_is_spoken_to_by_tls_and_another_authority_is_refused(house: &House) {
    house.apply(WORLD);
    let broker = Broker::with_tls();
    let (url, right, wrong) = (broker.tls_url(), broker.authority("ca.pem"), broker.authority("other.pem"));
    for authority in [Some(&wrong), None] {
        let mut environment = vec![("KACHI_MQTT__URL", url.as_str())];
        environment.extend(authority.map(|path| ("KACHI_MQTT__CA", path.as_str())));
        let server = house.serve(&environment);
        until("the certificate is refused", || {
            server.log().contains("certificate is not accepted (UnknownIssuer): mqtt.ca must name the authority").then_some(())
        });
        server.stop();
    }
    let server = house.serve(&[("KACHI_MQTT__URL", &url), ("KACHI_MQTT__CA", &right)]);
    let device = reported(house, &broker, "D1");
    assert_eq!((&device["device"]["iccid"], &device["device"]["claim"]), (&CARD.into(), &"bound".into()), "{device}");
    server.stop();
    // What speaks no TLS is told too, and so is a file that is no use to anybody.
    let plain = format!("mqtts://127.0.0.1:{}", broker.port);
    let server = house.serve(&[("KACHI_MQTT__URL", plain.as_str()), ("KACHI_MQTT__CA", &right)]);
    until("it is told", || server.log().contains("needs a broker that speaks TLS at that port").then_some(()));
    server.stop();
    let checked = house.run(&["config", "check"], &[("KACHI_MQTT__URL", &broker.url()), ("KACHI_MQTT__CA", &right)]);
    assert!(
        checked.code != 0 && checked.err.contains("mqtt.ca must be left out unless mqtt.url begins with mqtts://"),
        "{checked:?}"
    );
    house.assert_sound();
}

/// A broker that answers everybody alike, and then says no more. Its address.
fn broker_that_says(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut peer in listener.incoming().map_while(Result::ok) {
            let _ = peer.read(&mut [0; 512]);
            let _ = peer.write_all(answer);
            open.push(peer);
        }
    });
    format!("mqtt://{address}")
}

#[test]
fn the_doctor_tells_of_a_broker_that_does_not_let_us_in() {
    let house = House::new(Database::sqlite());
    house.apply(WORLD);
    let broker = Broker::with_tls();
    let (right, wrong) = (broker.authority("ca.pem"), broker.authority("other.pem"));
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let table = [
        (broker.url(), None, " lets us in"),
        (broker.tls_url(), Some(&right), " lets us in"),
        (broker.tls_url(), Some(&wrong), "certificate is not accepted (UnknownIssuer): mqtt.ca must name the authority"),
        (format!("mqtt://{gone}"), None, "Connection refused (os error 111): start the broker there, or mend mqtt.url"),
        (broker_that_says(&[0x20, 2, 0, 4]), None, "mend mqtt.username and mqtt.password, or the login in mqtt.url"),
        (broker_that_says(&[0x20, 2, 0, 2]), None, "see whether `kachi serve` is let in"),
        (broker_that_says(&[0x20, 2, 0, 3]), None, "look at the broker"),
        (broker_that_says(&[0x20, 2, 0, 5]), None, "mend mqtt.username and mqtt.password, or the login in mqtt.url"),
        (broker_that_says(&[]), None, "no answer within 4 s: look at the broker, and at what lies between"),
    ];
    for (i, (url, authority, words)) in table.iter().enumerate() {
        let mut environment = vec![("KACHI_MQTT__URL", url.as_str())];
        environment.extend(authority.map(|path| ("KACHI_MQTT__CA", path.as_str())));
        let doctor = house.run(&["admin", "doctor"], &environment);
        let line = doctor.out.lines().find(|line| line.starts_with("mqtt ")).unwrap_or_default();
        assert!(line.contains(words) && doctor.code == i32::from(i > 1), "{url}: {doctor:?}");
    }
}

/// Reports of the storm, and the devices they come from.
const REPORTS: usize = 3_000;
const DEVICES: usize = 40;

fn no_report_is_lost_when_the_broker_restarts_and_we_are_killed(house: &House) {
    house.apply(WORLD);
    let mut broker = Broker::start();
    let url = broker.url();
    let environment = [("KACHI_MQTT__URL", url.as_str()), ("KACHI_LIMITS__REPORT_BATCH", "50")];
    let server = house.serve(&environment);
    // The session is there once a first report has come through.
    until("listening", || {
        say(&broker, "/7/D0/info/post", "{\"firmwareVersion\":\"first\"}");
        kept(house).contains("first").then_some(())
    });
    let devices = client("mqtt.py")
        .args(["pub", &broker.port.to_string(), &DEVICES.to_string(), &REPORTS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("devices");
    until("some are kept", || (kept(house).len() > 200).then_some(()));
    server.kill();
    broker.restart();
    let server = house.serve(&environment);
    let before = kept(house).len();
    until("it goes on", || (kept(house).len() > before + 100 || kept(house).len() > REPORTS).then_some(()));
    broker.restart();
    let sent = devices.wait_with_output().expect("the devices end");
    assert!(sent.status.success(), "{sent:?}");
    let all = until("all are kept", || Some(kept(house)).filter(|k| k.len() > REPORTS));
    assert!((0..REPORTS).all(|n| all.contains(&n.to_string())), "each of them");
    server.stop();
    house.assert_sound();
}

/// What the kept reports are numbered with.
fn kept(house: &House) -> HashSet<String> {
    let read = house.store().read(|tx| {
        let mut all = HashSet::new();
        for device in tx.devices_newest(&[AccountId(1), AccountId(10_002)], 1_000)? {
            all.extend(tx.device_reports(device.id, 1_000_000)?.into_iter().filter_map(|r| r.6));
        }
        Ok::<_, kachi_store::Error>(all)
    });
    read.expect("the database")
}
