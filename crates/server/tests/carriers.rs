//! The built binary and carriers: several servers on one database ask one carrier, and carriers call us. On both engines.

mod common;

use common::{House, now, until};
use kachi_domain::carrier::{Card, Request, Write};
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp};
use kachi_simulator::{Base, CardSpec, Platform, Settings, Simulator};
use kachi_store::Tx;
use std::io::{Read, Write as _};
use std::net::TcpStream;

on_both!(several_servers_ask_one_carrier_and_a_killed_one_loses_nothing, carriers_call_us);

const CARDS: u64 = 31;
const ACME: AccountId = AccountId(10_002);
/// What was claimed by a killed server is free again this soon.
const LEASE: [(&str, &str); 2] = [("KACHI_LIMITS__LEASE_SECONDS", "5"), ("KACHI_OUTBOUND__ALLOW", "[\"127.0.0.0/8\"]")];

/// The carrier knows cards by all digits but the last, so ours are ten apart.
fn iccid(n: u64) -> String {
    common::iccid(n * 10)
}

fn msisdn(n: u64) -> String {
    format!("1440000{n:06}")
}

/// The carrier with our cards, on the real clock.
fn onelink() -> Simulator {
    let spec = |n| CardSpec::new(Platform::OneLink).iccid(&iccid(n)).msisdn(&msisdn(n));
    let cards = (0..CARDS).map(spec).collect();
    Simulator::start(Settings { start: now(), speed: 1, write_seconds: 1, cards, ..Settings::default() }).expect("it starts")
}

fn world(url: &str) -> String {
    let sims: String = (0..CARDS)
        .map(|n| {
            let (iccid, msisdn) = (iccid(n), msisdn(n));
            format!("  - {{iccid: \"{iccid}\", msisdn: \"{msisdn}\", product: CN-1, account: acme, state: active}}\n")
        })
        .collect();
    format!(
        r#"
accounts:
  - {{code: acme, id: 10002, currency: USD}}
platforms:
  - {{code: cmcc, connector: onelink, settings: {{appid: "100001", password: pw123, url: "{url}", requests_per_second: 20}}}}
  - {{code: jasper, connector: jasper, settings: {{username: u, api_key: k, push_secret: s3cret}}}}
products:
  - {{code: CN-1, carrier: CM, platform: cmcc}}
sims:
{sims}"#
    )
}

fn stop(tx: &mut Tx<'_>, platform: PlatformId, sim: SimId, card: u64) {
    let named = Card { iccid: iccid(card), msisdn: Some(msisdn(card)) };
    let request = Request { reference: format!("s-{card}"), card: named, write: Write::Stop };
    let text = serde_json::to_string(&request).expect("JSON");
    tx.add_intent(ACME, sim, platform, None, (&text, 1), Timestamp(now())).expect("it is stored");
}

/// Stores that these cards are to be stopped.
fn ask(house: &House, cards: std::ops::Range<u64>) {
    let stored = house.store().write(move |tx| {
        let platform = tx.platforms()?.into_iter().find(|p| p.code == "cmcc").expect("a platform").id;
        for card in cards.clone() {
            let sim = tx.sim_by_iccid(&kachi_domain::account::Path::root(), &iccid(card))?.expect("a card").id;
            stop(tx, platform, sim, card);
        }
        Ok::<_, kachi_store::Error>(())
    });
    stored.expect("they are stored");
}

/// How many writes stand so.
fn count(house: &House, state: &str) -> usize {
    let all = house.store().read(|tx| tx.intents(false, 1_000)).expect("writes");
    all.iter().filter(|i| i.state == state).count()
}

fn several_servers_ask_one_carrier_and_a_killed_one_loses_nothing(house: &House) {
    let carrier = onelink();
    house.apply(&world(&carrier.url(Platform::OneLink)));
    let [first, second, third] = [(); 3].map(|()| house.serve(&LEASE));
    ask(house, 0..1);
    until("the first card is stopped", || (count(house, "confirmed") == 1).then_some(()));
    assert_eq!(carrier.calls_of(Platform::OneLink, "get/token"), 1, "one of them logged in");
    ask(house, 1..CARDS);
    until("some are under way", || (carrier.calls_of(Platform::OneLink, "change/sim-status") > 1).then_some(()));
    first.kill();
    until("all are stopped", || (count(house, "confirmed") == CARDS as usize).then_some(()));
    let stopped = (0..CARDS).filter(|card| carrier.card(&iccid(*card)).base == Base::Stopped).count();
    assert_eq!(stopped, CARDS as usize);
    assert_eq!(carrier.calls_of(Platform::OneLink, "get/token"), 1, "and nobody else after it");
    second.stop();
    third.stop();
    house.assert_sound();
}

/// The status of an answer.
fn post(address: &str, path: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    write!(stream, "{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

/// Of a card that is not ours, signed over the timestamp with `s3cret` (HMAC-SHA256, made by Python's `hmac`).
const SIGNED: &str = "timestamp=2026-03-01T00%3A00%3A00Z&signature2=TadoqCbcDIYxzebxT3AqHxbbcpnPM0rp%2FQ5Ah0Kl1WU%3D\
    &data=%3Ca%3E%3Ciccid%3E89860019999999999999%3C%2Ficcid%3E%3C%2Fa%3E";

fn carriers_call_us(house: &House) {
    house.apply(&world("https://api.iot.10086.cn"));
    let server = house.serve(&[("KACHI_LIMITS__BODY_BYTES_MAX", "2048")]);
    for (path, body, status) in [
        ("/carrier/jasper", SIGNED.to_owned(), 200),
        ("/carrier/jasper", SIGNED.replace("2026", "2027"), 403),
        ("/carrier/jasper", String::new(), 403),
        ("/carrier/jasper", "x".repeat(3_000), 413),
        ("/carrier/cmcc", SIGNED.to_owned(), 404),
        ("/carrier/nowhere", SIGNED.to_owned(), 404),
    ] {
        assert_eq!(post(&server.address, path, &body), status, "{path} {body}");
    }
    let log = server.log();
    assert!(log.contains("a call to a carrier's address is refused") && !log.contains("s3cret"), "{log}");
    server.stop();
}
