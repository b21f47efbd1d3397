//! The main journeys of the built binary, on both engines: a partner's day, traffic that becomes notices, packages that a
//! carrier must confirm, and orders that race.

mod common;

use common::partner::{Key, order};
use common::{House, client, finished, iccid, now, sims, until};
use kachi_domain::Timestamp;
use kachi_domain::cdr::FileName;
use kachi_testkit::world::{MB, line};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::Barrier;

on_both!(
    a_partners_day,
    traffic_becomes_notices,
    a_carrier_confirms_or_refuses,
    a_person_confirms_or_refuses,
    what_is_applied_while_the_server_runs_is_worked_on,
    what_is_asked_of_a_carrier_has_its_result,
    one_number_buys_once,
    orders_race_for_the_last_money,
    an_import_keeps_no_order_waiting,
    a_resellers_profit_is_paid_out,
    orders_are_written_out_with_what_they_cost,
);

const NORTH: i64 = 10_001;
const ACME: i64 = 10_002;
const RACER: i64 = 10_004;
const ACME_KEY: Key = Key { name: "acme-key", secret: "acme-a1b1c1d1" };
const RACER_KEY: Key = Key { name: "racer-key", secret: "racer-a1b1c1d1" };
/// What Acme pays for `GJ-100M-30D`, in cents.
const PRICE: i64 = 130;
/// Cards 0 to 5 are Acme's, of the product on the platform `hand`.
const CARD: u64 = 0;
const SECOND_CARD: u64 = 1;
const FOREIGN_CARD: u64 = 50;
const PLAY_CARD: u64 = 60;
const STRICT_CARD: u64 = 61;
/// Cards 70 to 77 are the racer's.
const RACE_CARD: u64 = 70;

/// A reseller chain, a stranger and a racer; a platform by hand, a virtual carrier and one that refuses everything.
fn world(notify: &str) -> String {
    let accounts = format!(
        r#"
accounts:
  - {{code: acme, id: 10002, parent: north, name: Acme, currency: USD, language: en, opening_balance: "100.00",
     credentials: {{eiotclub: {{appkey: acme-key, secret: acme-a1b1c1d1}}}}, notify: {{eiotclub: "{notify}"}},
     prices: [{{package: GJ-100M-30D, price: "1.30"}}]}}
  - {{code: north, id: 10001, currency: USD, prices: [{{package: GJ-100M-30D, price: "1.00"}}]}}
  - {{code: other, id: 10003, currency: USD}}
  - {{code: racer, id: 10004, currency: USD, opening_balance: "10.40", credit: "2.60", prices: [{{package: GJ-100M-30D, price: "1.30"}}],
     credentials: {{eiotclub: {{appkey: racer-key, secret: racer-a1b1c1d1}}}}}}
"#
    );
    let catalogue = r#"
platforms:
  - {code: hand, connector: manual}
  - {code: play, connector: sandbox, settings: {lag_seconds: 1}}
  - {code: strict, connector: sandbox, settings: {account: strict, fault_every: 1, faults: [refused]}}
products:
  - {code: 1US-1, name: US, platform: hand}
  - {code: 1EU-1, name: Europe, platform: play, networks: [ATT, TMobile]}
  - {code: 1JP-1, name: Japan, platform: strict}
packages:
  - {code: GJ-100M-30D, product: 1US-1, data: 100MB, validity: 30d, price: "0.80", retail_price: "2.00", currency: USD, stack_max: 1000}
  - {code: GJ-DEAR, product: 1US-1, kind: time, validity: 30d, price: "100000.00", currency: USD}
  - {code: GJ-HAND, product: 1US-1, data: 100MB, validity: 30d, price: "2.00", currency: USD, fulfil: carrier}
  - {code: EU-CARRIER, product: 1EU-1, data: 100MB, validity: 30d, price: "3.00", currency: USD, fulfil: carrier}
  - {code: JP-CARRIER, product: 1JP-1, data: 100MB, validity: 30d, price: "4.00", currency: USD, fulfil: carrier}
sims:
"#;
    let cards = [(0..6, "acme", "1US-1"), (50..51, "other", "1US-1"), (60..61, "acme", "1EU-1"), (61..62, "acme", "1JP-1")];
    let cards: String = cards.into_iter().map(|(range, account, product)| sims(range, account, product)).collect();
    [accounts, catalogue.to_owned(), cards, sims(70..78, "racer", "1US-1")].concat()
}

/// A world whose notices go nowhere.
fn quiet(house: &House) {
    house.apply(&world("http://127.0.0.1:9/nowhere"));
}

fn a_partners_day(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    let mut journey = client("eiotclub.py");
    journey.args(["journey", "--base", &format!("http://{}", server.address)]);
    journey.args(["--appkey", ACME_KEY.name, "--secret", ACME_KEY.secret, "--iccid", &iccid(CARD), "--package", "GJ-100M-30D"]);
    journey.args(["--foreign", &iccid(FOREIGN_CARD), "--costly", "GJ-DEAR", "--page-size", "3"]);
    let done = finished(&mut journey);
    assert!(done.code == 0 && done.out.contains("checks passed"), "{done:?}");
    let log = server.stop();
    let counted = |what: &str| log.lines().any(|l| l.contains("answered so far") && l.contains(what));
    assert!(counted("words/dropped/plain") && counted("package/orderPackage"), "what was asked, and how it was signed: {log}");
    assert_eq!(house.money(ACME), (10_000, 0), "what was bought was given back");
    house.assert_sound();
}

/// A receiver that shares no code with us, and fails the first attempt of every notice.
struct Independent {
    child: Child,
    url: String,
}

impl Independent {
    fn start(house: &House) -> Independent {
        let mut command = client("receiver.py");
        command.args(["--secret", ACME_KEY.secret, "--fail-first", "1", "--out"]).arg(house.path("notices.jsonl"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the receiver starts");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("its port")).read_line(&mut port).expect("its port");
        Independent { child, url: format!("http://127.0.0.1:{}/notices", port.trim()) }
    }
}

impl Drop for Independent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A CDR file of one record, in the standard name and form; the instant is the record's.
fn cdr(house: &House, path: &str, id: i64, card: u64, at: i64, megabytes: i64) -> String {
    let name = FileName { account: "acme".into(), start: Timestamp(at), end: Timestamp(at + 1), generated: Timestamp(at + id) };
    let part = house.path(&format!("{path}.{id}.part"));
    std::fs::write(&part, line(id, card, at - 60, at, megabytes * MB)).expect("a file");
    let whole = format!("{path}{name}");
    std::fs::rename(part, house.path(&whole)).expect("the whole file");
    whole
}

/// What is told of a card with two packages that are used up, and of one whose package is taken back.
const USED_UP: [&str; 9] = [
    "SubPkgList",
    "PkgEffective",
    "SubPkgList",
    "FlowAlert",
    "PkgQuantityList",
    "PkgEffective",
    "FlowAlert",
    "PkgQuantityList",
    "CardStopped",
];
const TAKEN_BACK: [&str; 5] = ["SubPkgList", "PkgEffective", "Refund", "PkgQuantityList", "CardStopped"];

fn traffic_becomes_notices(house: &House) {
    let receiver = Independent::start(house);
    std::fs::create_dir(house.path("in")).expect("a folder");
    house.apply(&world(&receiver.url));
    let server = house.serve(&[
        ("KACHI_WEBHOOKS__RETRY", r#"["0s", "1s", "1s", "1s"]"#),
        ("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.1"]"#),
        ("KACHI_CDR__WATCH", r#"[{dir = "in", platform = "hand", every_seconds = 1}]"#),
    ]);
    let at = &server.address;
    for number in ["first", "second"] {
        ACME_KEY.bought(at, CARD, "GJ-100M-30D", number);
    }
    let returned = ACME_KEY.bought(at, SECOND_CARD, "GJ-100M-30D", "returned");
    let began = now();
    // Of 200 MB: 60 leave 140; 50 leave 90 of the second package; 75 leave 15; 10 leave 5; 20 are more than there is.
    for (id, megabytes) in (1..).zip([60, 50, 75, 10, 20]) {
        if id % 2 == 1 {
            let file = cdr(house, "", id, CARD, began + id, megabytes);
            house.done(&["import", "cdr", &file, "--platform", "hand"]);
        } else {
            let file = cdr(house, "in/", id, CARD, began + id, megabytes);
            until("the watched folder takes the file in", || {
                (!house.path(&file).exists() && house.path("in/imported").exists()).then_some(())
            });
        }
    }
    let fields = [("iccid", &*iccid(SECOND_CARD)), ("orderId", &*returned.to_string()), ("remark", "a test")];
    assert_eq!(ACME_KEY.ask(at, "package/refundPackage", &fields)["code"], "200");
    let deliveries = until("every notice is done", || {
        let rows = house.deliveries();
        let is_all = rows.len() == USED_UP.len() + TAKEN_BACK.len();
        (is_all && rows.iter().all(|d| d["state"] == "done")).then_some(rows)
    });
    server.stop();
    check_notices(&deliveries, &attempts(house));
    assert_eq!(house.assert_sound(), 5);
}

/// The receiver's lines.
fn attempts(house: &House) -> Vec<Value> {
    let text = std::fs::read_to_string(house.path("notices.jsonl")).expect("the receiver's lines");
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

/// Each notice came twice, failed and acknowledged, the same both times; first attempts per card in the order things happened.
fn check_notices(deliveries: &[Value], attempts: &[Value]) {
    let mut statuses: HashMap<&str, Vec<i64>> = HashMap::new();
    let mut first: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
    let number = |d: &Value| d["id"].as_i64().expect("a number");
    let cards: HashMap<i64, &str> = deliveries.iter().map(|d| (number(d), d["iccid"].as_str().expect("an ICCID"))).collect();
    for attempt in attempts {
        assert_eq!(attempt["ok"], true, "not signed: {attempt}");
        let id = attempt["id"].as_str().expect("an id");
        let seen = statuses.entry(id).or_default();
        if seen.is_empty() {
            let delivery: i64 = id.trim_start_matches("KN").parse().expect("a number");
            let event = attempt["event"].as_str().expect("an event");
            first.entry(cards[&delivery]).or_default().push((delivery, event));
        }
        seen.push(attempt["status"].as_i64().expect("a status"));
    }
    assert_eq!(statuses.len(), deliveries.len(), "each notice has one id");
    assert!(statuses.values().all(|s| s == &[500, 200]), "failed once, then acknowledged: {statuses:?}");
    for arrivals in first.values() {
        assert!(arrivals.is_sorted_by_key(|(id, _)| id), "out of order: {arrivals:?}");
    }
    let events = |card| first[&*iccid(card)].iter().map(|(_, event)| *event).collect::<Vec<_>>();
    assert_eq!(events(CARD), USED_UP);
    assert_eq!(events(SECOND_CARD), TAKEN_BACK);
}

fn a_carrier_confirms_or_refuses(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    let taken = ACME_KEY.bought(&server.address, PLAY_CARD, "EU-CARRIER", "taken");
    assert_eq!(ACME_KEY.order_state(&server.address, PLAY_CARD, taken), 0, "accepted is not done");
    assert_eq!(house.money(ACME), (9_700, 300), "the money is held");
    until("the carrier confirms", || (ACME_KEY.order_state(&server.address, PLAY_CARD, taken) == 1).then_some(()));
    assert_eq!(house.money(ACME), (9_700, 0), "the money is taken");
    let refused = ACME_KEY.bought(&server.address, STRICT_CARD, "JP-CARRIER", "refused");
    until("the money is given back", || (house.money(ACME) == (9_700, 0)).then_some(()));
    assert_eq!(ACME_KEY.order_state(&server.address, STRICT_CARD, refused), -1);
    server.stop();
    assert_eq!(house.done(&["admin", "intent", "list", "--json"]).out.trim(), "[]");
    house.assert_sound();
}

fn what_is_applied_while_the_server_runs_is_worked_on(house: &House) {
    std::fs::create_dir(house.path("in")).expect("a folder");
    let server = house.serve(&[("KACHI_CDR__WATCH", r#"[{dir = "in", platform = "hand", every_seconds = 1}]"#)]);
    until("the folder's platform is missed", || {
        server.log().contains("cdr.watch names a platform that does not exist").then_some(())
    });
    quiet(house);
    let order = ACME_KEY.bought(&server.address, PLAY_CARD, "EU-CARRIER", "taken");
    until("the new platform confirms", || (ACME_KEY.order_state(&server.address, PLAY_CARD, order) == 1).then_some(()));
    let file = cdr(house, "in/", 1, CARD, now(), 1);
    until("the watched folder takes the file in", || {
        (!house.path(&file).exists() && house.path("in/imported").exists()).then_some(())
    });
    house.apply("platforms: [{code: play, connector: sandbox, settings: {lag_seconds: 1, fault_every: 1, faults: [refused]}}]");
    ACME_KEY.bought(&server.address, PLAY_CARD, "EU-CARRIER", "refused");
    until("the platform is asked with its new settings", || (house.money(ACME) == (9_700, 0)).then_some(()));
    server.stop();
    assert_eq!(house.assert_sound(), 1);
}

fn a_person_confirms_or_refuses(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    let orders = ["confirmed", "refused"].map(|number| ACME_KEY.bought(&server.address, CARD, "GJ-HAND", number));
    assert_eq!(house.money(ACME), (9_600, 400));
    let open = house.done(&["admin", "intent", "list", "--json"]).json();
    let intent = |order: i64| {
        let row = open.as_array().expect("a list").iter().find(|i| i["order"] == order).expect("the order's write");
        row["id"].to_string()
    };
    assert!(open.as_array().expect("a list").iter().all(|i| i["asked_by"] == "acme"), "{open}");
    let waits = house.done(&["admin", "sim", "show", &iccid(CARD), "--json"]).json()["not_confirmed"].to_string();
    assert!(orders.iter().all(|o| waits.contains(&format!("of order {o} waits for its carrier"))), "{waits}");
    let why = house.done(&["admin", "diagnose", &iccid(CARD)]).out;
    assert!(why.contains("a package is paid for, and a person has to book it at the carrier") && !why.contains("buy"), "{why}");
    assert!(why.contains(&format!("kachi admin intent confirm {}", intent(orders[0]))), "{why}");
    house.done(&["admin", "intent", "confirm", &intent(orders[0])]);
    house.done(&["admin", "intent", "refuse", &intent(orders[1]), "--reason", "no stock"]);
    assert_eq!(house.run(&["admin", "intent", "confirm", &intent(orders[1])], &[]).code, 1, "refused is final");
    assert_eq!(orders.map(|o| ACME_KEY.order_state(&server.address, CARD, o)), [1, -1]);
    assert_eq!(house.money(ACME), (9_800, 0));
    server.stop();
    house.assert_sound();
}

fn orders_are_written_out_with_what_they_cost(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    let bought = |package: &str, number: &str| ACME_KEY.bought(&server.address, CARD, package, number);
    bought("GJ-100M-30D", "=kept");
    let back = bought("GJ-100M-30D", "back").to_string();
    bought("GJ-HAND", "open");
    let refused = bought("GJ-HAND", "refused");
    let card = iccid(CARD);
    let fields = [("iccid", &*card), ("orderId", &*back), ("remark", "a test")];
    assert_eq!(ACME_KEY.ask(&server.address, "package/refundPackage", &fields)["code"], "200");
    let open = house.done(&["admin", "intent", "list", "--json"]).json();
    let write = open.as_array().expect("a list").iter().find(|i| i["order"] == refused).expect("the order's write");
    house.done(&["admin", "intent", "refuse", &write["id"].to_string(), "--reason", "no stock"]);
    let sheet = house.done(&["export", "orders", "--account", "acme", "--from", "2020-01-01", "--to", "2099-12-31"]).out;
    let mut lines = csv::Reader::from_reader(sheet.as_bytes());
    let rows: Vec<csv::StringRecord> = lines.records().map(|r| r.expect("a row")).collect();
    // The partner's number, account, package, state, currency, price, held, refunded, cost.
    let told: Vec<String> = rows.iter().map(|r| [2, 3, 6, 8, 9, 10, 11, 12, 13].map(|i| &r[i]).join(" ")).collect();
    assert_eq!(
        told,
        [
            "refused acme GJ-HAND failed USD 2.00 0.00 0.00 0.00",
            "open acme GJ-HAND pending USD 2.00 2.00 0.00 0.00",
            "back acme GJ-100M-30D refunded USD 1.30 0.00 1.30 0.00",
            "'=kept acme GJ-100M-30D done USD 1.30 0.00 0.00 1.30",
        ]
    );
    assert!(rows.iter().all(|r| r[4] == card && r[5].is_empty()), "{sheet}");
    assert_eq!(house.money(ACME), (10_000 - 130 - 200, 200), "what is told is what it cost and what is held");
    let none = house.done(&["export", "orders", "--from", "2019-01-01", "--to", "2019-12-31"]).out;
    assert_eq!(none.lines().count(), 1, "{none}");
    server.stop();
    house.assert_sound();
}

fn what_is_asked_of_a_carrier_has_its_result(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    let ask = |operation: &str, fields: &[(&str, &str)]| ACME_KEY.ask(&server.address, operation, fields);
    let (play, strict, hand) = (iccid(PLAY_CARD), iccid(STRICT_CARD), iccid(CARD));
    assert_eq!(ask("card/switchOperator", &[("iccid", &play), ("network", "ATT")])["code"], "200");
    until("the card is on the network", || {
        (ask("card/switchOptions", &[("iccid", &play)])["data"]["network"] == "ATT").then_some(())
    });
    assert_eq!(ask("card/refreshUsage", &[("iccid", &play)])["code"], "200");
    let shown = || house.done(&["admin", "sim", "show", &play, "--json"]).json();
    until("the carrier's counter is there", || (shown()["counter_bytes"] == 0).then_some(()));
    assert!(shown()["counter_as_of"].is_string());
    assert_eq!(ask("card/refreshUsage", &[("iccid", &hand)])["code"], "41032", "nobody to ask");

    let message = |card: &str| {
        let sent = ask("sms/sendSms", &[("iccid", card), ("message", "hello")]);
        sent["data"]["trans_id"].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned()
    };
    let delivered = message(&play);
    let sms = |number: &str| {
        let list = house.done(&["admin", "sms", "list", "--json"]).json();
        list.as_array().expect("a list").iter().find(|m| m["number"] == number).expect("the message").clone()
    };
    until("the message is delivered", || (sms(&delivered)["state"] == "delivered").then_some(()));
    assert_eq!(ask("sms/sendSms", &[("iccid", &hand), ("message", "hello")])["code"], "41032", "nobody to send it");
    assert_eq!(house.done(&["admin", "sms", "list", "--waiting", "--json"]).json(), serde_json::json!([]));

    let made = ask("card/reset", &[("iccids", &[&*play, &strict, &hand].join(","))]);
    let id = made["data"]["taskId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let task = || house.done(&["admin", "task", "show", &id, "--json"]).json();
    let states = |task: &Value| -> Vec<String> {
        task["cards"].as_array().expect("cards").iter().map(|c| c["state"].as_str().expect("a word").to_owned()).collect()
    };
    until("all but the person have answered", || (states(&task()) == ["done", "failed", "sent"]).then_some(()));
    assert_eq!(ask("task/query", &[("ids", &id)])["data"][0]["status"], "1");
    let open = house.done(&["admin", "intent", "list", "--json"]).json();
    let mine = open.as_array().expect("a list").iter().find(|w| w["request"]["reference"] == format!("task-{id}-3"));
    house.done(&["admin", "intent", "confirm", &mine.expect("the person's write")["id"].to_string()]);
    until("the task ends", || (ask("task/query", &[("ids", &id)])["data"][0]["status"] == "2").then_some(()));
    assert_eq!(states(&task()), ["done", "failed", "done"]);
    let listed = house.done(&["admin", "task", "list", "--json"]).json();
    assert_eq!((&listed[0]["state"], &listed[0]["done"], &listed[0]["failed"]), (&"done".into(), &2.into(), &1.into()));
    assert_eq!(house.run(&["admin", "task", "stop", &id], &[]).code, 1, "it is over");
    assert_eq!(house.run(&["admin", "task", "show", "999"], &[]).code, 1);
    server.stop();
    house.assert_sound();
}

/// So many threads, let go at once; their answers in no order.
fn race(threads: usize, act: impl Fn(usize) -> Value + Sync) -> Vec<Value> {
    let start = Barrier::new(threads);
    let run = |i: usize| {
        start.wait();
        act(i)
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|i| scope.spawn(move || run(i))).collect();
        all.into_iter().map(|t| t.join().expect("an answer")).collect()
    })
}

fn one_number_buys_once(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    let answers = race(64, |i| ACME_KEY.order(&server.address, i as u64 % 6, "GJ-100M-30D", "the only one"));
    let (good, known): (Vec<&Value>, Vec<&Value>) = answers.iter().partition(|a| a["code"] == "200");
    assert_eq!((good.len(), known.len()), (1, 63));
    for answer in known {
        assert_eq!((&answer["code"], &answer["data"]), (&"42002".into(), &good[0]["data"]));
    }
    assert_eq!(house.money(ACME), (10_000 - PRICE, 0), "charged once");
    let body = ACME_KEY.sealed(&order(&iccid(CARD), "GJ-100M-30D", "the same request"));
    let answers = race(64, |_| common::partner::post(&server.address, "package/orderPackage", &body).expect("an answer"));
    assert!(answers.iter().all(|a| a["code"] == "200" && *a == answers[0]), "the stored first answer: {answers:?}");
    assert_eq!(house.money(ACME), (10_000 - 2 * PRICE, 0), "charged once");
    server.stop();
    house.assert_sound();
}

fn orders_race_for_the_last_money(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    let mut lowest = i64::MAX;
    let answers = std::thread::scope(|scope| {
        let order = |i| RACER_KEY.order(&server.address, RACE_CARD + i as u64 % 8, "GJ-100M-30D", &format!("race-{i}"));
        let racers = scope.spawn(move || race(64, order));
        while !racers.is_finished() {
            lowest = lowest.min(house.money(RACER).0);
        }
        racers.join().expect("the answers")
    });
    let bought = answers.iter().filter(|a| a["code"] == "200").count();
    let refused = answers.iter().filter(|a| a["code"] == "45112").count();
    assert_eq!((bought, refused), (10, 54), "13.00 buy ten at 1.30: {answers:?}");
    assert!(lowest >= -260, "the balance fell to {lowest}, below the credit line");
    assert_eq!(house.money(RACER), (-260, 0));
    server.stop();
    house.assert_sound();
}

fn an_import_keeps_no_order_waiting(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    let began = now();
    let rows: String = (0..12_000).map(|id| line(id, id as u64 % 6, began - 3_600, began - id % 3_600, 1)).collect();
    house.write("cdr_many.csv", &rows);
    let words = ["import", "cdr", "cdr_many.csv", "--platform", "hand"];
    ACME_KEY.bought(&server.address, CARD, "GJ-100M-30D", "before");
    let mut importer = house.command(&words, &[("KACHI_LIMITS__IMPORT_ROWS", "200")]).spawn().expect("the importer starts");
    let mut orders = 0;
    while importer.try_wait().expect("its state").is_none() {
        let answer = ACME_KEY.order(&server.address, SECOND_CARD, "GJ-100M-30D", &format!("meanwhile-{orders}"));
        assert!(answer["code"] == "200" || answer["code"] == "45112", "bought, or no money left: {answer}");
        orders += 1;
    }
    let done = importer.wait_with_output().expect("its end");
    assert!(done.status.success(), "{done:?}");
    assert!(orders >= 10, "only {orders} orders were answered while a file was taken in");
    server.stop();
    assert_eq!(house.assert_sound(), 12_000);
}

/// North earns 30 cents on each order of Acme's.
fn a_resellers_profit_is_paid_out(house: &House) {
    quiet(house);
    let server = house.serve(&[]);
    for number in ["one", "two"] {
        ACME_KEY.bought(&server.address, CARD, "GJ-100M-30D", number);
    }
    let listed = || house.done(&["admin", "profit", "list", "--json"]).json();
    assert_eq!(listed(), serde_json::json!([]));
    let waiting = || house.done(&["admin", "profit", "waiting", "--json"]).json();
    let waits = serde_json::json!([{"account": "north", "currency": "USD", "waiting": "0.60", "lines": 2}]);
    assert_eq!(waiting(), waits);
    let withdraw = ["admin", "profit", "withdraw", "--account", "north", "--by", "Li"];
    let unsaid = house.run(&withdraw[..5], &[]);
    assert!(unsaid.code == 2 && unsaid.err.contains("--by <NAME>"), "{unsaid:?}");
    let tried = house.done(&[&withdraw[..], &["--dry-run"]].concat());
    assert_eq!(tried.out, "0.60 USD of north would be withdrawn, lines: 2\na try: nothing was changed\n");
    let tried = house.done(&[&withdraw[..], &["--dry-run", "--json"]].concat()).json();
    assert_eq!((&tried["amount"], &tried["currency"], &tried["lines"]), (&"0.60".into(), &"USD".into(), &2.into()));
    assert_eq!((waiting(), listed()), (waits.clone(), serde_json::json!([])), "nothing was changed");
    let held = house.done(&withdraw);
    assert_eq!(waiting(), serde_json::json!([]), "it is held");
    assert!(held.out.contains("withdrawal 1: 0.60 USD of north, review"), "{held:?}");
    let one = &listed()[0];
    assert_eq!((&one["minor"], &one["amount"], &one["currency"]), (&60.into(), &"0.60".into(), &"USD".into()));
    let shown = house.done(&["admin", "profit", "list"]).out;
    assert!(shown.contains("0.60") && shown.contains("USD") && !shown.contains("minor"), "{shown}");
    assert_eq!(house.money(NORTH), (0, 60));
    for more in [&[][..], &["--dry-run"]] {
        let again = house.run(&[&withdraw[..], more].concat(), &[]);
        assert!(
            again.code == 1 && again.err.contains("no profit that waits to be paid out; `kachi admin profit waiting` lists"),
            "{again:?}"
        );
    }
    let silent = house.run(&["admin", "profit", "fail", "1", "--reason", " ", "--by", "Bo"], &[]);
    assert!(silent.code == 1 && silent.err.contains("reason: must have 1 to 200 characters"), "{silent:?}");
    house.done(&["admin", "profit", "fail", "1", "--reason", "no bank account", "--by", "Bo"]);
    let failed = &listed()[0];
    assert_eq!(
        (&failed["begun_by"], &failed["settled_by"], &failed["note"]),
        (&"Li".into(), &"Bo".into(), &"no bank account".into())
    );
    assert_eq!((house.money(NORTH), &listed()[0]["state"]), ((60, 0), &"failed".into()));
    assert_eq!(waiting(), waits, "it was not paid out");
    let second = house.done(&withdraw).out;
    let second = second.split([' ', ':']).nth(1).expect("a number");
    house.done(&["admin", "profit", "settle", second, "--by", "Ann"]);
    assert_eq!((house.money(NORTH), &listed()[0]["settled_by"]), ((0, 0), &"Ann".into()));
    let again = house.run(&["admin", "profit", "settle", second, "--by", "Ann"], &[]);
    assert!(again.code == 1 && again.err.contains("is settled already: done at "), "once: {again:?}");
    server.stop();
    house.assert_sound();
}
