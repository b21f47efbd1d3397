//! What stands in the log when others fail: who, and why, once when it begins and once when it is over, and nothing that is
//! secret. With the built binary on both engines.

mod common;

use common::{House, iccid, now, until};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp};
use kachi_store::Place;
use kachi_store::events::NewEvent;
use kachi_testkit::db::{Database, postgres_url};
use kachi_testkit::world::line;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

on_both!(
    a_carrier_and_a_receiver_that_fail_are_told_once_and_dead_notices_each,
    what_a_clock_that_was_ahead_left_behind_is_told,
    a_name_with_a_line_feed_splits_no_line,
    a_file_is_told_as_what_came_of_it_now,
);

/// The other side: it fails, with words of its own, until it is mended.
#[derive(Clone)]
struct Other {
    good: &'static str,
    asked: Arc<AtomicUsize>,
    is_good: Arc<AtomicBool>,
}

impl Other {
    /// One that answers this when it is mended.
    fn answering(good: &'static str) -> Other {
        Other { good, asked: Arc::default(), is_good: Arc::default() }
    }

    /// Its address.
    fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let me = self.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(me.answer(&stream))));
        address
    }

    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let (mut reader, mut length, mut line) = (BufReader::new(stream), 0, String::new());
        while reader.read_line(&mut line)? > 2 {
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        reader.read_exact(&mut vec![0; length])?;
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (head, body) = if self.is_good.load(Ordering::SeqCst) { ("200 OK", self.good) } else { ("500 No", "hunter2") };
        write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn tell(house: &House, at: i64) {
    let body = Body::Alert { iccid: iccid(0), eid: None, alert_type: 1, threshold: 100 };
    let event = NewEvent {
        account: AccountId(10_002),
        sim: None,
        kind: EventKind::UsageAlert,
        at: Timestamp(at),
        body: serde_json::to_string(&body).expect("JSON"),
        doors: vec!["eiotclub".into()],
        once: None,
    };
    house.store().write(move |tx| tx.tell(&[event], Timestamp(at))).expect("it is told");
}

fn a_carrier_and_a_receiver_that_fail_are_told_once_and_dead_notices_each(house: &House) {
    let carrier = Other::answering(r#"{"status":"0","message":"good","result":[{"token":"t0ken","ttl":"3600"}]}"#);
    let receiver = Other::answering(r#"{"status":"SUCCESS"}"#);
    let (at, to) = (carrier.listen(), receiver.listen());
    house.apply(&format!(
        "accounts: [{{code: acme, id: 10002, currency: USD, notify: {{eiotclub: \"http://{to}/n?key=s3cret\"}}}}]
platforms: [{{code: onelink-1, connector: onelink, settings: {{appid: \"100001\", password: pw123, url: \"http://{at}\"}}}}]
products: [{{code: CM-1, name: CM, carrier: CM, platform: onelink-1}}]
sims: [{{iccid: \"{}\", product: CM-1, account: acme, state: active}}]",
        iccid(0)
    ));
    house.done(&["admin", "key", "create", "--account", "acme"]);
    let doctor = || house.run(&["admin", "doctor"], &[("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.1"]"#)]);
    assert!(doctor().out.contains("none of the last 7 days used up its schedule"), "{:?}", doctor());
    tell(house, now());
    let server = house.serve(&[
        ("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.1"]"#),
        ("KACHI_WEBHOOKS__RETRY", r#"["0s", "0s", "0s", "0s"]"#),
        ("KACHI_SYNC__EVERY_SECONDS", "1"),
    ]);
    let lines = |words: &[&str]| -> Vec<String> {
        let log = server.log();
        log.lines().filter(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned).collect()
    };
    let once = |words: &[&str]| until(&words.join(" "), || lines(words).pop());

    once(&["WARN", "the notice is dead", "account=acme", "door=eiotclub", "kind=usage_alert", "notice=1"]);
    let address = format!("address=http://{to} reason=HTTP 500");
    once(&["WARN", "the address does not take its notices", "account=acme", &address]);
    let found = doctor();
    let remedy = "1 notices of the last 7 days used up their schedule";
    assert!(found.code == 1 && found.out.contains(remedy) && found.out.contains("admin delivery replay"), "{found:?}");
    receiver.is_good.store(true, Ordering::SeqCst);
    let replay = |more: &[&str]| house.run(&[&["admin", "delivery", "replay", "1"], more].concat(), &[]);
    assert_eq!((replay(&[]).code, replay(&["2"]).code), (0, 1), "a dead one is sent again, and waits then");
    once(&["INFO", "the address takes its notices again", "account=acme"]);
    let state = || house.done(&["admin", "delivery", "list", "--state", "done"]).out;
    until("it is recorded", || state().contains("usage_alert").then_some(()));
    let of_account = |more: &[&str]| house.run(&[&["admin", "delivery", "replay", "--account", "acme"], more].concat(), &[]);
    let none = of_account(&[]);
    assert!(none.code == 1 && none.err.contains("--account: none of these notices is dead"), "{none:?}");
    assert!(of_account(&["--done"]).err.contains("--done: without FROM"), "{:?}", of_account(&["--done"]));
    let counted = of_account(&["--done", "--since", "2026-01-01T00:00:00Z", "--dry-run"]);
    assert_eq!(counted.out, "1 notices would be sent again\n  acme eiotclub: 1\n");
    let refused = replay(&[]);
    let words = "FROM: none is dead; 1 of these notices were acknowledged: --done sends them again too";
    assert!(refused.code == 1 && refused.err.contains(words), "{refused:?}");
    let backwards = replay(&["0"]);
    assert!(backwards.code == 2 && backwards.err.contains("TO: 0 is before FROM, 1"), "{backwards:?}");
    let nothing = house.run(&["admin", "delivery", "replay"], &[]);
    assert!(nothing.code == 2 && nothing.err.contains("FROM, --account: say which notices"), "{nothing:?}");
    let again = replay(&["--done"]);
    assert!(again.code == 0 && again.out == "1 notices will be sent again\n", "{again:?}");

    once(&["WARN", "the card platform fails", "platform=onelink-1", "reason=HTTP 500"]);
    let tried = carrier.asked();
    until("it is tried again", || (carrier.asked() > tried).then_some(()));
    carrier.is_good.store(true, Ordering::SeqCst);
    once(&["INFO", "the card platform answers again", "platform=onelink-1"]);

    assert_eq!(lines(&["the card platform fails"]).len() + lines(&["does not take its notices"]).len(), 2, "once each");
    let log = server.stop();
    for secret in ["hunter2", "s3cret", "pw123", "t0ken"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

fn what_a_clock_that_was_ahead_left_behind_is_told(house: &House) {
    house.apply("accounts: [{code: acme, id: 10002, currency: USD}]\nplatforms: [{code: hand, connector: manual}]");
    let doctor = house.run(&["admin", "doctor"], &[]);
    assert!(doctor.code == 0 && doctor.out.contains("nothing is of a time to come"), "{doctor:?}");
    let day = 86_400;
    tell(house, now() + day - 60);
    assert_eq!(house.run(&["admin", "doctor"], &[]).code, 0, "a day is nothing");
    let ahead = Timestamp(now() + 40 * day);
    tell(house, ahead.0);
    let write = r#"{"reference":"r","card":{"iccid":"1"},"write":{"act":"stop"}}"#;
    let wish = house.store().write(move |tx| tx.add_intent(AccountId(10_002), SimId(1), PlatformId(9), None, (write, 0), ahead));
    let wish = wish.expect("it is stored");
    let doctor = house.run(&["admin", "doctor"], &[]);
    let (noted, far) = (format!("the database holds things of {ahead}"), format!("no schedule does: {wish}: settle them"));
    assert!(doctor.code == 1 && doctor.out.contains(&noted) && doctor.out.contains(&far), "{doctor:?}");
    let log = house.serve(&[]).log();
    let warned = |line: &str| line.contains("WARN") && line.contains(&format!("newest={ahead}"));
    assert_eq!(log.lines().filter(|line| warned(line)).count(), 1, "{log}");
}

fn a_name_with_a_line_feed_splits_no_line(house: &House) {
    house.apply("platforms: [{code: hand, connector: manual}]");
    std::fs::create_dir(house.path("in")).expect("a folder");
    house.write("in/a\n2026 ERROR b\rc\u{1b}[2J.csv", "no record\n");
    let server = house.serve(&[("KACHI_CDR__WATCH", r#"[{dir = "in", platform = "hand", every_seconds = 1}]"#)]);
    let taken = |line: &&str| line.contains("CDR file taken in");
    let line = until("it is taken in", || server.log().lines().find(taken).map(str::to_owned));
    assert!(line.contains("file=in/a\\n2026 ERROR b\\rc\\u{1b}[2J.csv ") && line.contains(" bad=1"), "{line}");
}

/// Each server of a database goes by its own clock: this one's is a minute ahead.
#[test]
fn a_clock_that_is_apart_from_postgresqls_is_told() {
    let house = House::new(Database::postgres());
    house.apply("platforms: [{code: hand, connector: manual}]");
    let minute = [("KACHI_CLOCK__TEST", "true"), ("KACHI_CLOCK__OFFSET_SECONDS", "60")];
    let (together, apart) = (house.run(&["admin", "doctor"], &[]), house.run(&["admin", "doctor"], &minute));
    assert_eq!(together.code, 0, "{together:?}");
    let told = (57..=63).any(|n| apart.out.contains(&format!("this machine's clock is {n} s ahead of PostgreSQL's: set both")));
    assert!(apart.code == 1 && told, "{apart:?}");
    let server = house.serve(&minute);
    let count = || server.log().lines().filter(|l| l.contains("WARN") && l.contains("PostgreSQL's are apart")).count();
    until("the log tells it", || (count() == 1).then_some(()));
}

/// The database refuses every connection for a while.
#[test]
fn a_database_that_cannot_be_reached_is_told_once_and_once_that_it_is_back() {
    let database = Database::postgres();
    let name = database.url().rsplit('/').next().expect("a name").to_owned();
    let sql = |text: &str| kachi_store::db::execute(&postgres_url(), text).expect("a statement");
    let house = House::new(database);
    house.apply("platforms: [{code: hand, connector: manual}, {code: other, connector: manual}]");
    let server = house.serve(&[]);
    let is_good = || {
        TcpStream::connect(&server.address).and_then(|mut stream| {
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer.starts_with("HTTP/1.1 200"))
        })
    };
    sql(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
    let count = |words: &[&str]| server.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    until("it is told", || {
        // Why is what the first try met: it is refused, or was cut off while it came in.
        (count(&["ERROR", "the database cannot be reached", &name, "cannot connect to the database: "]) == 1).then_some(())
    });
    // Every loop has had a turn that failed.
    let later = now() + 8;
    until("they try again", || (now() > later).then_some(()));
    assert!(!is_good().expect("an answer"));
    sql(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    until("it is back", || (count(&["INFO", "the database can be reached again", &name]) == 1).then_some(()));
    until("it is good", || is_good().expect("an answer").then_some(()));
    let of_loops = count(&["kachi::workers"]);
    assert_eq!((count(&["the database cannot be reached"]), of_loops), (1, 0), "{}", server.log());
}

/// Whoever asks whether it is ready asks all the time.
#[test]
fn what_is_in_the_way_of_being_ready_is_told_once_and_once_that_it_is_gone() {
    let database = Database::sqlite();
    let Place::File(path) = database.place.clone() else { panic!("a file") };
    let house = House::new(database);
    house.apply("platforms: [{code: hand, connector: manual}]");
    let server = house.serve(&[]);
    let asked = || {
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    assert!(asked().starts_with("HTTP/1.1 200"));
    let away = path.with_extension("away");
    std::fs::rename(&path, &away).expect("taken away");
    for _ in 0..3 {
        let answer = asked();
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("nothing can be written into the database"), "{answer}");
    }
    std::fs::rename(&away, &path).expect("put back");
    for _ in 0..3 {
        assert!(asked().starts_with("HTTP/1.1 200"));
    }
    let count = |words: &[&str]| server.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    until("the log has it", || (count(&["INFO", "ready again", "failed_seconds="]) == 1).then_some(()));
    assert_eq!((count(&["ERROR", "not ready", "was taken away"]), count(&["not ready"])), (1, 1), "{}", server.log());
}

fn a_file_is_told_as_what_came_of_it_now(house: &House) {
    house.apply("platforms: [{code: hand, connector: manual}]");
    std::fs::create_dir(house.path("in")).expect("a folder");
    let file = |name: &str, id: i64| {
        house.write(&format!("in/{name}"), &line(id, 0, now() - 60, now(), 1024));
    };
    let moved = |name: &str| until("the file is taken", || (!house.path(&format!("in/{name}")).exists()).then_some(()));
    let watch = [("KACHI_CDR__WATCH", r#"[{dir = "in", platform = "hand", every_seconds = 1}]"#)];
    file("first.csv", 1);
    std::fs::copy(house.path("in/first.csv"), house.path("in/second.csv")).expect("the same again");
    let server = house.serve(&watch);
    moved("first.csv");
    moved("second.csv");
    let log = server.stop();
    let count = |log: &str, words: &str| log.lines().filter(|line| line.contains(words)).count();
    let (taken, again) = ("CDR file taken in", "was taken in before: nothing of it is taken in again");
    assert_eq!((count(&log, taken), count(&log, again)), (1, 1), "{log}");
    assert!(log.lines().any(|line| line.contains(again) && line.contains("second.csv")), "{log}");

    // What was taken in shortly before a start is looked at again, and there is nothing to tell of it.
    file("third.csv", 3);
    let server = house.serve(&watch);
    moved("third.csv");
    let log = server.stop();
    assert_eq!((count(&log, taken), count(&log, again)), (1, 0), "{log}");
}
