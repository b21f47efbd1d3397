//! What the benchmarks share: a catalogue, cards by the hundred thousand, CDR files, and how a line is printed.

pub mod load;

use kachi_domain::account::Path;
use kachi_domain::package::{Category, Fulfil, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Currency, Iccid, PackageId, PlatformId, ProductId, Span, Timestamp};
use kachi_engine::{Clock, Engine, Fail, Settings, sims};
use kachi_store::accounts::Account;
use kachi_store::catalogue::{Package, Product};
use kachi_store::{Place, Store};
use std::path::{Path as FilePath, PathBuf};
use std::time::Instant;

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The present of every benchmark: 2026-03-02T00:00:00Z.
pub const NOW: i64 = 1_772_409_600;
/// The account that owns the cards.
pub const OWNER: AccountId = AccountId(10_002);
/// Its key.
pub const APPKEY: &str = "000001";
/// Its secret.
pub const SECRET: &str = "a1b1c1d1";

/// Its sid at the CardBOSS door.
pub const SID: &str = "10043";
/// Its apikey there.
pub const APIKEY: &str = "0123456789abcdef0123456789abcdef";

/// The n-th card.
pub fn iccid(n: u64) -> String {
    format!("8986001{n:013}")
}

/// Prints a figure with its baseline and ratio.
pub fn report(work: &str, engine: &str, ours: f64, baseline: f64, unit: &str) {
    println!("{work} | {engine} | ours {ours:.0} {unit} | baseline {baseline:.0} {unit} | ratio {:.2}", ours / baseline);
}

/// Times something; the answer is units per second.
pub fn per_second(units: u64, f: impl FnOnce()) -> f64 {
    let began = Instant::now();
    f();
    units as f64 / began.elapsed().as_secs_f64()
}

/// A database for the run: a file in `dir`, or a fresh PostgreSQL database.
pub fn place(engine: &str, dir: &FilePath, name: &str) -> Place {
    match engine {
        "sqlite" => Place::File(dir.join(format!("{name}.db"))),
        _ => {
            let url = postgres_url();
            for statement in [
                format!("DROP DATABASE IF EXISTS kachi_bench_{name} WITH (FORCE)"),
                format!("CREATE DATABASE kachi_bench_{name}"),
            ] {
                kachi_store::db::execute(&url, &statement).expect("PostgreSQL answers");
            }
            Place::Postgres(format!("{}/kachi_bench_{name}", url.rsplit_once('/').map_or(url.as_str(), |u| u.0)))
        }
    }
}

/// Where PostgreSQL is.
pub fn postgres_url() -> String {
    std::env::var("KACHI_TEST_POSTGRES").unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".into())
}

/// An engine with a catalogue and `cards` cards, each with one running package of 100 GB.
pub fn engine(place: Place, cards: u64, settings: Settings) -> Engine {
    let store = Store::open(place, 40).expect("the database opens");
    let engine = Engine::open(store, Clock::new(|| Timestamp(NOW)), settings).expect("the engine opens");
    engine.write(|tx, _, how| fill(tx, how.now)).expect("catalogue");
    add_cards(&engine, 0..cards, |_| BaseState::Active);
    if std::env::var_os("KACHI_BENCH_BARE").is_none() {
        bring_packages(&engine, cards);
    }
    engine
}

/// Cards in one transaction.
const BATCH: u64 = 20_000;

/// Adds cards of the owner, each in the base state told by its number.
pub fn add_cards(engine: &Engine, range: std::ops::Range<u64>, state: fn(u64) -> BaseState) {
    for from in range.clone().step_by(BATCH as usize) {
        let part = from..(from + BATCH).min(range.end);
        engine
            .write(move |tx, catalogue, how| {
                let product = catalogue.product_by_code("P").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
                let mut arrivals = sims::Arrivals::default();
                for n in part {
                    let mut sim = sims::blank(&Iccid::parse(&iccid(n)).map_err(|e| Fail::fault(e.to_string()))?, OWNER, product);
                    sim.state = state(n).word().into();
                    arrivals.put(tx, catalogue, how, &sim)?;
                }
                arrivals.settle(tx, catalogue, how)
            })
            .expect("cards");
    }
}

fn bring_packages(engine: &Engine, cards: u64) {
    for from in (0..cards).step_by(BATCH as usize) {
        engine
            .write(move |tx, catalogue, how| {
                let package = catalogue.package_by_code("BIG").map(|p| p.id).ok_or_else(|| Fail::fault("package"))?;
                for n in from..(from + BATCH).min(cards) {
                    let sim = tx.sim_by_iccid(&Path::root(), &iccid(n))?.ok_or_else(|| Fail::fault("card"))?;
                    let (started, number) = (Timestamp(NOW - 86_400 * 2), format!("{n:032}"));
                    let brought = sims::Brought { package, started, used_bytes: 0, number };
                    sims::bring_subscription(tx, catalogue, how, &sim, brought)?;
                }
                Ok(())
            })
            .expect("packages");
    }
}

/// The platform of the cards.
pub fn platform(engine: &Engine) -> PlatformId {
    engine.catalogue().expect("catalogue").platform_by_code("hand").expect("platform").id
}

fn fill(tx: &mut kachi_store::Tx<'_>, now: Timestamp) -> kachi_engine::Result<()> {
    let account = |id: AccountId, code: &str, path: Path| Account {
        id,
        code: code.into(),
        path,
        name: code.into(),
        currency: Currency::USD,
        time_zone: "Asia/Shanghai".into(),
        language: "en".into(),
        credit_minor: 0,
        ip_allow: "[]".into(),
        notify: "{}".into(),
        contact: "{}".into(),
        switch: kachi_domain::account::Switch::On,
        claims: false,
        credit_stop: false,
    };
    tx.put_account(&account(AccountId(1), "operator", Path::root()), now)?;
    tx.put_account(&account(OWNER, "owner", Path::root().child(OWNER)), now)?;
    tx.put_credential("eiotclub", APPKEY, OWNER, SECRET)?;
    tx.put_credential("cardboss", SID, OWNER, APIKEY)?;
    tx.put_platform(0, "hand", "manual", "{}")?;
    let platform = tx.platforms()?[0].id;
    let details = "{}".to_owned();
    tx.put_product(&Product {
        id: ProductId(0),
        code: "P".into(),
        name: "P".into(),
        carrier: "INTL".into(),
        platform,
        bare_use: false,
        details,
    })?;
    let product = tx.products()?[0].id;
    for (code, gigabytes) in [("BIG", 100), ("SMALL", 1)] {
        tx.put_package(&Package {
            id: PackageId(0),
            code: code.into(),
            name: code.into(),
            retail_name: String::new(),
            product,
            terms: Terms {
                kind: Kind::Quota,
                category: Category::Long,
                resource: Resource::Data,
                allowance: gigabytes << 30,
                validity: Span::Days(300),
                window: Window::Whole,
            },
            start: StartRule::Queue,
            fulfil: Fulfil::Local,
            price_minor: 1,
            retail_minor: 2,
            currency: Currency::USD,
            listed: true,
            stack_max: 1_000_000,
            speed_kbps: None,
            carrier_code: None,
        })?;
    }
    let postings = kachi_domain::ledger::top_up(OWNER, 1_000_000_000);
    tx.post(OWNER, kachi_domain::ledger::Journal::TopUp, "opening balance", &postings, now)?;
    Ok(tx.touch_catalogue()?)
}

/// Writes a CDR file of `rows` records over cards `0..cards`, ids from `first_id`, all of one day before [`NOW`].
pub fn write_cdr(dir: &FilePath, name: &str, rows: u64, cards: u64, first_id: u64) -> PathBuf {
    use std::io::Write;
    let path = dir.join(name);
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&path).expect("a file"));
    let mut line = Vec::with_capacity(200);
    for i in 0..rows {
        line.clear();
        let stop = NOW - 86_400 + (i as i64 * 80_000 / rows as i64);
        let card = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % cards;
        let record = kachi_domain::usage::CdrRecord {
            source_id: (first_id + i) as i64,
            start: Timestamp(stop - 900),
            stop: Timestamp(stop),
            iccid: Iccid::parse(&iccid(card)).expect("well-formed"),
            imsi: 460_001_234_500_000 + (card % 100_000) as i64,
            bytes: 1000 + (i % 5000) as i64,
            imei: 867_530_900_000_000 + (card % 100_000) as i64,
            mccmnc: 46_000,
        };
        kachi_domain::cdr::write_record(&mut line, &record);
        out.write_all(&line).expect("written");
    }
    out.flush().expect("written");
    path
}

/// Peak resident memory of this process so far, in MB.
pub fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Multiplies the one card of an engine's database into `cards`, by the database's own means: each with the same
/// running package. They are in no list.
pub fn multiply(place: &Place, cards: u64) {
    let number = |n: &str| match place {
        Place::File(_) => format!("'8986001' || printf('%013d', {n})"),
        Place::Postgres(_) => format!("'8986001' || lpad(CAST({n} AS TEXT), 13, '0')"),
    };
    let series = match place {
        Place::File(_) => format!("WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {}) ", cards - 1),
        Place::Postgres(_) => format!("WITH g AS (SELECT generate_series(1, {}) AS n) ", cards - 1),
    };
    let text = format!(
        "INSERT INTO sim (id, account_id, iccid, product_id, state, blocks, activated_at, network, real_name, alias, group_name, remark, details, created_at)
         {series} SELECT 1 + n, s.account_id, {}, s.product_id, s.state, s.blocks, s.activated_at, '', 0, '', '', '', '{{}}', 0 FROM g, sim s WHERE s.id = 1;
         INSERT INTO sim_key (number, kind, sim_id, account_id) SELECT iccid, 'iccid', id, account_id FROM sim WHERE id > 1;
         INSERT INTO sim_state (sim_id, account_id, head, due_at, as_of, version) SELECT s.id, s.account_id, t.head, t.due_at, t.as_of, 1 FROM sim s, sim_state t WHERE s.id > 1 AND t.sim_id = 1;",
        number("n")
    );
    match place {
        Place::File(path) => {
            let conn = rusqlite::Connection::open(path).expect("opens");
            conn.execute_batch(&format!("BEGIN IMMEDIATE; {text} COMMIT; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);"))
                .expect("multiplied");
        }
        Place::Postgres(url) => {
            let mut client = postgres::Client::connect(url, postgres::NoTls).expect("connects");
            client.batch_execute(&text).expect("multiplied");
            client.batch_execute("VACUUM ANALYZE").expect("analysed");
        }
    }
}
