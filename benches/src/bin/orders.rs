//! orderPackage by 32 clients, durable, against a minimal transaction of one insert and one balance update.
//!
//! `cargo run --release -p kachi-bench --bin orders -- [SECONDS] [sqlite|postgres] [scattered]`
//!
//! The partner numbers its orders one after the other; `scattered`: by numbers that lie nowhere near each other.

use kachi_bench::{OWNER, engine, iccid, place, postgres_url, report};
use kachi_domain::Iccid;
use kachi_domain::order::Channel;
use kachi_engine::orders::Place;
use kachi_engine::{Once, OrderNumber, RequestKey, Settings};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

const CLIENTS: usize = 32;
const CARDS: u64 = 20_000;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let seconds: u64 = args.first().and_then(|a| a.parse().ok()).unwrap_or(8);
    let which = args.get(1).cloned().unwrap_or_else(|| "sqlite".into());
    let scattered = args.get(2).is_some_and(|a| a == "scattered");
    let dir = tempfile::tempdir().expect("a folder");
    let engine = tokio::task::block_in_place(|| engine(place(&which, dir.path(), "orders"), CARDS, Settings::default()));
    for round in 0..3 {
        let baseline = tokio::task::block_in_place(|| match which.as_str() {
            "sqlite" => sqlite(dir.path(), seconds),
            _ => postgres(seconds),
        });
        let worked = writer_seconds();
        let ours = orders(&engine, seconds, round, scattered).await;
        if let (Some(before), Some(after)) = (worked, writer_seconds()) {
            let an_order = (after - before) * 1e6 / (ours * seconds as f64);
            println!(
                "the writer worked {:.0} % of the time, {an_order:.1} microseconds an order",
                (after - before) * 100.0 / seconds as f64
            );
        }
        report(&format!("orderPackage, {CLIENTS} clients, round {round}"), &which, ours, baseline, "orders/s");
    }
    let audit = tokio::task::block_in_place(|| kachi_engine::audit::audit(&engine).expect("audit"));
    assert!(audit.clean, "{:?}", audit.violations);
}

async fn orders(engine: &kachi_engine::Engine, seconds: u64, round: usize, scattered: bool) -> f64 {
    let catalogue = tokio::task::block_in_place(|| engine.catalogue().expect("catalogue"));
    let actor = catalogue.actor(OWNER).expect("the owner");
    let done = Arc::new(AtomicU64::new(0));
    let (began, until) = (Instant::now(), Instant::now() + Duration::from_secs(seconds));
    let mut tasks = tokio::task::JoinSet::new();
    for c in 0..CLIENTS {
        let (engine, catalogue, actor, done) = (engine.clone(), catalogue.clone(), actor.clone(), done.clone());
        tasks.spawn(async move {
            let mut i = 0;
            while Instant::now() < until {
                let number = match scattered {
                    false => format!("{round}-{:010}-{c}", done.load(Ordering::Relaxed)),
                    true => format!("{:016x}", hash(round, c, i)),
                };
                let place = Place {
                    iccid: Iccid::parse(&iccid((c as u64 * 7919 + i * 31) % CARDS)).expect("well-formed"),
                    package_code: "SMALL".into(),
                    out_trade_no: Some(number.clone()),
                    channel: Channel::Api,
                    custom_data: None,
                    number: order_number(done.load(Ordering::Relaxed), c),
                };
                let key = RequestKey {
                    door: "bench",
                    key: request_key(round, c, i),
                    number: Some(OrderNumber { told: number, is_the_orders: true }),
                    body_hash: format!("package/orderPackage|{}", "0".repeat(64)),
                    correct_seconds: 0,
                };
                let once = engine.place(&catalogue, &actor, key, place, |p| p.number.clone()).await.expect("placed");
                assert!(matches!(once, Once::Done(_)));
                done.fetch_add(1, Ordering::Relaxed);
                i += 1;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a client ends well");
    }
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

/// Seconds of a processor that SQLite's one writer has used, as the system tells.
fn writer_seconds() -> Option<f64> {
    let of = |task: std::fs::DirEntry| {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).ok();
        (read("comm")?.trim() == "sqlite-writer").then(|| read("schedstat")?.split(' ').next()?.parse::<f64>().ok())?
    };
    std::fs::read_dir("/proc/self/task").ok()?.flatten().find_map(of).map(|nanos| nanos / 1e9)
}

/// A number that no other is near.
fn hash(round: usize, client: usize, i: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (round, client, i).hash(&mut hasher);
    hasher.finish()
}

/// The key that the partner's door makes of an order: the signature.
fn request_key(round: usize, client: usize, i: u64) -> String {
    let (a, b) = (hash(round, client, i), hash(client, round, i));
    format!("order|{a:016X}{b:016X}{:08X}", a as u32)
}

/// A long number as the program makes them, in the order of time.
fn order_number(placed: u64, client: usize) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    format!("{:012x}{placed:016x}{client:04x}", since.as_millis())
}

fn clients(seconds: u64, client: impl Fn(usize, Instant) -> u64 + Sync) -> f64 {
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let done: u64 = std::thread::scope(|scope| {
        let running: Vec<_> = (0..CLIENTS)
            .map(|c| {
                scope.spawn({
                    let client = &client;
                    move || client(c, until)
                })
            })
            .collect();
        running.into_iter().map(|r| r.join().expect("a client ends well")).sum()
    });
    done as f64 / began.elapsed().as_secs_f64()
}

fn sqlite(dir: &Path, seconds: u64) -> f64 {
    let path = dir.join("baseline.db");
    let open = || {
        let conn = rusqlite::Connection::open(&path).expect("opens");
        conn.execute_batch("PRAGMA busy_timeout=60000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL").expect("set");
        conn
    };
    open().execute_batch("DROP TABLE IF EXISTS o; DROP TABLE IF EXISTS b; CREATE TABLE o (id INTEGER PRIMARY KEY, t TEXT); CREATE TABLE b (id INTEGER PRIMARY KEY, m INTEGER); INSERT INTO b VALUES (1, 0)").expect("made");
    clients(seconds, |c, until| {
        let conn = open();
        let mut n = 0;
        while Instant::now() < until {
            conn.execute_batch("BEGIN IMMEDIATE").expect("begun");
            conn.prepare_cached("INSERT INTO o (t) VALUES (?)")
                .and_then(|mut s| s.execute([format!("{c}-{n}")]))
                .expect("inserted");
            conn.prepare_cached("UPDATE b SET m = m - 1 WHERE id = 1").and_then(|mut s| s.execute([])).expect("updated");
            conn.execute_batch("COMMIT").expect("committed");
            n += 1;
        }
        n
    })
}

fn postgres(seconds: u64) -> f64 {
    let open = || postgres::Client::connect(&postgres_url(), postgres::NoTls).expect("connects");
    open()
        .batch_execute("DROP TABLE IF EXISTS kb_o; DROP TABLE IF EXISTS kb_b; CREATE TABLE kb_o (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t TEXT); CREATE TABLE kb_b (id BIGINT PRIMARY KEY, m BIGINT); INSERT INTO kb_b VALUES (1, 0)")
        .expect("made");
    let speed = clients(seconds, |c, until| {
        let mut client = open();
        let insert = client.prepare("INSERT INTO kb_o (t) VALUES ($1)").expect("prepared");
        let update = client.prepare("UPDATE kb_b SET m = m - 1 WHERE id = 1").expect("prepared");
        let mut n = 0;
        while Instant::now() < until {
            let mut tx = client.transaction().expect("begun");
            tx.execute(&insert, &[&format!("{c}-{n}")]).expect("inserted");
            tx.execute(&update, &[]).expect("updated");
            tx.commit().expect("committed");
            n += 1;
        }
        n
    });
    open().batch_execute("DROP TABLE kb_o; DROP TABLE kb_b").expect("dropped");
    speed
}
