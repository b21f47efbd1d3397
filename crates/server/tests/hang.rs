//! A PostgreSQL that hangs, or is gone without a word: everybody has an answer in time, what works by itself waits, and when it is back,
//! or another is there, the same server goes on and nothing is half done.

mod common;

use common::partner::{Key, order, post};
use common::{House, Server, iccid, until};
use kachi_store::{Error, Place, Store};
use kachi_testkit::db::Database;
use kachi_testkit::proxy::{Holds, Proxy};
use kachi_testkit::world::line;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const KEY: Key = Key { name: "hang-key", secret: "hang-a1b1c1d1" };
const PACKAGE: &str = "GJ-100M-30D";
const ACME: i64 = 10_002;

/// Callers wait two seconds.
const SOON: (&str, &str) = ("KACHI_DATABASE__TIMEOUT_SECONDS", "2");
/// So many answers that take no longer come within this on a busy machine.
const IN_TIME: Duration = Duration::from_secs(30);

/// A house whose server goes to its database by a way that can be blocked.
struct Scene {
    house: House,
    proxy: Proxy,
    url: String,
    database: String,
}

impl Scene {
    fn new() -> Scene {
        let database = Database::postgres();
        let (direct, proxy) = (database.url(), Proxy::to(&database.url()));
        let url = proxy.url(&direct);
        let house = House::new(database);
        let cards: String =
            (0..8).map(|n| format!("  - {{iccid: \"{}\", product: 1US-1, account: acme, state: active}}\n", iccid(n))).collect();
        house.apply(&format!(
            r#"
accounts:
  - {{code: acme, id: {ACME}, currency: USD, opening_balance: "100.00",
     credentials: {{eiotclub: {{appkey: {}, secret: {}}}}}, language: en}}
platforms: [{{code: hand, connector: manual}}]
products: [{{code: 1US-1, platform: hand}}]
packages:
  - {{code: {PACKAGE}, product: 1US-1, data: 100MB, validity: 30d, price: "1.00", retail_price: "2.00", currency: USD, stack_max: 100}}
sims:
{cards}"#,
            KEY.name, KEY.secret
        ));
        let name = direct.split('?').next().and_then(|address| address.rsplit('/').next()).expect("a name").to_owned();
        Scene { house, proxy, url, database: name }
    }

    fn serve(&self) -> Server {
        self.house.serve_over(&self.url, &[SOON])
    }

    /// `kachi` by the way that can be blocked.
    fn run(&self, words: &[&str]) -> common::Done {
        common::finished(&mut self.house.command_over(&self.url, words, &[SOON]))
    }

    /// The data are sound, and so many orders were paid for.
    fn assert_paid(&self, orders: i64) {
        self.house.assert_sound();
        assert_eq!(self.house.money(ACME), (10_000 - 100 * orders, 0), "each order once");
    }

    /// How many orders have this number of the buyer's.
    fn is_there(&self, number: &'static str) -> bool {
        let read = self.house.store().read(move |tx| tx.order_by_out_trade_no(kachi_domain::AccountId(ACME), number));
        read.expect("it answers").is_some()
    }

    fn count(&self, server: &Server, words: &str) -> usize {
        server.log().lines().filter(|line| line.contains(words)).count()
    }
}

/// A request to the web door: the status line's number and the body.
fn get(server: &Server, path: &str) -> (u32, String) {
    sent(server, &format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
}

/// The status of the answer to a login that nobody has.
fn log_in(server: &Server) -> u32 {
    let form = "login=nobody&password=none";
    let head = "POST /login HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded";
    sent(server, &format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len())).0
}

fn sent(server: &Server, request: &str) -> (u32, String) {
    let mut stream = TcpStream::connect(&server.address).expect("it listens");
    stream.set_read_timeout(Some(common::PATIENCE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a status"), body.to_owned())
}

fn until_ready(server: &Server) {
    until("it is ready again", || (get(server, "/readyz").0 == 200).then_some(()));
}

/// The body of an order, to be sent as often as it takes.
fn body(card: u64, number: &str) -> String {
    KEY.sealed(&order(&iccid(card), PACKAGE, number))
}

fn ask(server: &Server, body: &str) -> Value {
    post(&server.address, "package/orderPackage", body).expect("an answer in time")
}

fn assert_later(answer: &Value) {
    assert_eq!((&answer["code"], &answer["message"]), (&"500".into(), &"Operation failed, try again later.".into()), "{answer}");
}

#[test]
fn everybody_has_an_answer_in_time_while_it_hangs_and_is_served_when_it_goes_on() {
    let scene = Scene::new();
    let server = scene.serve();
    KEY.bought(&server.address, 0, PACKAGE, "hang-0");
    until_ready(&server);
    let asked = body(1, "hang-1");

    scene.proxy.hold();
    let began = Instant::now();
    for _ in 0..2 {
        let (status, words) = get(&server, "/readyz");
        assert_eq!((status, words.contains("not ready: the database gives no answer")), (503, true), "{words}");
    }
    assert_later(&ask(&server, &asked));
    assert_later(&KEY.ask(&server.address, "card/getCardsInfo", &[("iccid", &iccid(0))]));
    assert_later(&KEY.ask(&server.address, "agent/balance", &[]));
    assert_eq!(get(&server, "/healthz").0, 200, "the process is good");
    for _ in 0..2 {
        assert_eq!(log_in(&server), 500, "a login that waits in vain is in nobody's way");
    }
    let doctor = scene.run(&["admin", "doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("no answer within 2 s: it hangs, or what lies between does"), "{doctor:?}");
    assert!(!doctor.out.contains("reachable") && doctor.out.contains("clock"), "{doctor:?}");
    assert!(began.elapsed() < IN_TIME, "{:?}", began.elapsed());
    let count = |words: &str| scene.count(&server, words);
    assert_eq!((count("the database gives no answer"), count("not ready")), (1, 1), "{}", server.log());
    assert_eq!((count("can be reached again"), count("ready again")), (0, 0), "{}", server.log());

    scene.proxy.go_on();
    until_ready(&server);
    let back = || (count("the database can be reached again"), count("ready again"));
    until("the log has both", || (back() == (1, 1)).then_some(()));
    assert_eq!((count("the database gives no answer"), count("not ready")), (1, 1), "{}", server.log());
    assert!(!scene.is_there("hang-1"), "whoever was told that it failed is not sold it later");
    assert_eq!(ask(&server, &asked)["code"], "200");
    scene.assert_paid(2);
}

#[test]
fn what_hangs_in_the_middle_is_undone_or_done_and_never_half() {
    let scene = Scene::new();
    let server = scene.serve();
    // With the order's own number: its look-up, then its row.
    for (number, texts, holds, is_done) in [
        ("hang-1", &["hang-1"][..], Holds::Statement, false),
        ("hang-2", &["hang-2", "hang-2"], Holds::Statement, false),
        ("hang-3", &["hang-3", "hang-3"], Holds::Answer, false),
        ("hang-4", &["hang-4", "COMMIT"], Holds::Answer, true),
    ] {
        let asked = body(2, number);
        scene.proxy.hold_at(texts, holds);
        assert_later(&ask(&server, &asked));
        scene.proxy.until_held();
        scene.proxy.go_on();
        until_ready(&server);
        assert_eq!(scene.is_there(number), is_done, "{number}");
        let (first, again) = (ask(&server, &asked), ask(&server, &asked));
        assert_eq!((first["code"].as_str(), &first), (Some("200"), &again), "{number}");
    }
    scene.assert_paid(4);
}

#[test]
fn another_server_in_its_place_is_taken_without_a_new_start() {
    let scene = Scene::new();
    let server = scene.serve();
    KEY.bought(&server.address, 0, PACKAGE, "hang-0");
    let asked = body(1, "hang-1");
    scene.proxy.hold_at(&["hang-1", "hang-1"], Holds::Statement);
    assert_later(&ask(&server, &asked));
    scene.proxy.cut();
    // Whatever lay idle is not tried by callers one by one.
    assert_eq!(ask(&server, &asked)["code"], "200");
    until_ready(&server);
    scene.assert_paid(2);

    // The same while nobody waits for it, as when PostgreSQL is started anew.
    let sessions = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", scene.database);
    kachi_store::db::execute(&kachi_testkit::db::postgres_url(), &sessions).expect("it is done");
    let (bought, card) =
        (ask(&server, &body(2, "hang-2")), KEY.ask(&server.address, "card/getCardsInfo", &[("iccid", &iccid(2))]));
    assert_eq!((bought["code"].as_str(), card["code"].as_str()), (Some("200"), Some("200")), "{bought} {card}");
    scene.house.assert_sound();
}

/// With so few connections one that is never given up would be noticed: all loops want one too.
#[test]
fn a_peer_that_is_gone_without_a_word_is_noticed() {
    let scene = Scene::new();
    let more = if scene.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{more}tcp_user_timeout=2000&keepalives_idle=1&keepalives_interval=1&connect_timeout=2", scene.url);
    let server = scene.house.serve_over(&url, &[SOON, ("KACHI_DATABASE__CONNECTIONS_MAX", "2")]);
    KEY.bought(&server.address, 0, PACKAGE, "hang-0");
    let asked = body(1, "hang-1");
    scene.proxy.hold_at(&["hang-1", "hang-1"], Holds::Answer);
    assert_later(&ask(&server, &asked));
    scene.proxy.until_held();
    scene.proxy.vanish();
    until_ready(&server);
    until("it is sold", || (ask(&server, &asked)["code"] == "200").then_some(()));
    scene.assert_paid(2);
}

/// What works by command waits as long as it takes.
#[test]
fn an_import_is_not_cut_by_the_patience_of_callers() {
    let scene = Scene::new();
    let records: String = (0..50).map(|id| line(id, id as u64 % 8, common::now() - 600, common::now() - 60, 1024)).collect();
    scene.house.write("cdr.csv", &records);
    scene.proxy.hold_at(&["COPY"], Holds::Answer);
    let mut import = scene.house.command_over(&scene.url, &["import", "cdr", "cdr.csv", "--platform", "hand"], &[SOON]);
    let mut import = import.stdout(Stdio::piped()).spawn().expect("it starts");
    scene.proxy.until_held();
    // Twice as long as callers wait.
    for _ in 0..2 {
        assert_eq!(scene.run(&["admin", "doctor"]).code, 1);
    }
    assert!(import.try_wait().expect("its state").is_none(), "it waits");
    scene.proxy.go_on();
    let status = import.wait().expect("it ends");
    assert!(status.success(), "{status}");
    assert_eq!(scene.house.assert_sound(), 50);
}

/// A schema that is brought up to date is not cut, and the check that waited in vain is named.
#[test]
fn the_doctor_waits_for_the_opening_and_names_the_check_that_hangs() {
    let scene = Scene::new();
    scene.proxy.hold_at(&["pg_advisory_lock"], Holds::Answer);
    let opening = scene.house.command_over(&scene.url, &["admin", "doctor"], &[SOON]).spawn().expect("it starts");
    scene.proxy.until_held();
    // Twice as long as callers wait.
    for _ in 0..2 {
        assert_eq!(scene.run(&["admin", "doctor"]).code, 1);
    }
    scene.proxy.go_on();
    let done = opening.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&done.stdout);
    assert!(words.contains("reachable, schema up to date") && !words.contains("no answer"), "{words}");

    scene.proxy.hold_at(&["FROM cdr_delivery"], Holds::Statement);
    let done = scene.run(&["admin", "doctor"]);
    let of = |check: &str| done.out.lines().filter(|line| line.starts_with(check)).collect::<Vec<_>>();
    let (database, deliveries) = (of("database"), of("deliveries"));
    assert!(database.len() == 1 && database[0].contains("reachable"), "{done:?}");
    assert!(deliveries.len() == 1 && deliveries[0].contains("no answer within 2 s"), "{done:?}");
    assert!(of("usage").is_empty() && of("clock").len() == 1, "{done:?}");
    scene.proxy.go_on();
}

/// What is committed together is committed while all wait for it; where one's time is over the others lose nothing by that.
#[test]
fn one_whose_time_is_over_fails_nobody_else_of_its_group() {
    let database = Database::postgres();
    let store = Store::open(Place::Postgres(database.url()), 4).expect("it opens");
    let version = || store.look(|tx| tx.catalogue_version()).expect("it answers");
    let before = version();
    let hasty = store.within(Duration::from_secs(3));
    let ((go, both_wait), (told, is_over)) = (channel::<()>(), channel::<()>());
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    let first = store.write_in_lane(1, move |tx| {
        counted.fetch_add(1, Ordering::SeqCst);
        // The second time the sender is gone.
        let _ = both_wait.recv();
        tx.touch_catalogue()
    });
    let second = async {
        let answer = hasty.write_in_lane(1, move |_| Ok::<_, Error>(is_over.recv().is_err())).await;
        drop(told);
        answer
    };
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    let (first, second, ()) = runtime.block_on(async { tokio::join!(first, second, async { drop(go) }) });
    assert!(matches!(second, Err(Error::Unreachable(_))), "{second:?}");
    first.expect("it had all the time");
    assert_eq!((turns.load(Ordering::SeqCst), version()), (2, before + 1), "it was done again, and once");
}

#[test]
fn a_server_stops_in_time_while_it_hangs() {
    let scene = Scene::new();
    let server = scene.serve();
    scene.proxy.hold();
    assert_eq!(get(&server, "/readyz").0, 503);
    let took = server.stop_in_trouble();
    assert!(took < Duration::from_secs(50), "{took:?}");
    scene.house.assert_sound();
}

/// Whose fault it is that no copy is made, and where to mend it.
#[test]
fn a_backup_tells_the_databases_faults_from_the_files() {
    let scene = Scene::new();
    scene.proxy.hold_at(&["FETCH"], Holds::Statement);
    let mut backup = scene.house.command_over(&scene.url, &["backup", "copy.db"], &[SOON]);
    let backup = backup.spawn().expect("it starts");
    scene.proxy.until_held();
    scene.proxy.cut();
    let done = backup.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.code() == Some(3) && words.starts_with("kachi: database.url: postgres://"), "{words}");
    let left: Vec<_> = std::fs::read_dir(scene.house.path("")).expect("a folder").flatten().map(|f| f.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("copy.db")), "{left:?}");
    assert_eq!(scene.run(&["backup", "copy.db"]).code, 0);
    let again = scene.run(&["backup", "copy.db"]);
    assert!(again.code == 1 && again.err.contains("FILE: copy.db is there already"), "{again:?}");
}
