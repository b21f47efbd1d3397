//! Taking in CDR files against loading the same rows into one table with a primary key.
//!
//! `cargo run --release -p kachi-bench --bin cdr -- [ROWS] [CARDS] [sqlite|postgres] [CARDS KNOWN]`

use kachi_bench::{NOW, engine, iccid, multiply, peak_mb, per_second, place, platform, postgres_url, report, write_cdr};
use kachi_domain::Timestamp;
use kachi_engine::{Settings, import};
use std::io::{BufRead, Read, Write};
use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (rows, cards) = (number(0, 5_000_000), number(1, 100_000));
    let which = args.get(2).cloned().unwrap_or_else(|| "sqlite".into());
    let known = number(3, cards);
    let dir = tempfile::tempdir().expect("a folder");
    let file = write_cdr(dir.path(), "cdr_1_bench.csv", rows, cards, 1);
    let place = place(&which, dir.path(), "cdr");
    let settings =
        Settings { import_rows: number(4, 100_000) as usize, scratch_dir: dir.path().to_owned(), ..Settings::default() };
    let engine = engine(place.clone(), 1, settings);
    // Cards in the middle of their lives: each has a running package and has had traffic (of no bytes) before.
    used_once(&engine);
    multiply(&place, known);
    let baseline = match which.as_str() {
        "sqlite" => sqlite_baseline(dir.path(), &file, rows),
        _ => postgres_baseline(&file, rows),
    };
    let before = peak_mb();
    let ours = per_second(rows, || {
        let done = import::import_file(&engine, platform(&engine), &file, &mut |_| {}).expect("imported");
        assert_eq!(done.loaded, rows as i64, "{done:?}");
    });
    report(&format!("import {rows} rows over {cards} of {known} cards"), &which, ours, baseline, "rows/s");
    println!("peak memory {} MB before the import, {} MB after", before, peak_mb());
    let indexed = per_second(rows, || while import::index(&engine).expect("indexed") > 0 {});
    println!("by-card order afterwards: {indexed:.0} rows/s");
    let audit = kachi_engine::audit::audit(&engine).expect("audit");
    // The cards that the benchmark copied by the hundred thousand are in no account's list.
    let wrong: Vec<_> = audit.violations.iter().filter(|v| !v.contains("has no place in the list")).collect();
    println!("audit: {} readings, {wrong:?}", audit.readings);
    assert!(wrong.is_empty());
}

fn used_once(engine: &kachi_engine::Engine) {
    let stop = Timestamp(NOW - 100_000);
    let record = kachi_domain::usage::CdrRecord {
        source_id: i64::MAX,
        start: stop,
        stop,
        iccid: kachi_domain::Iccid::parse(&iccid(0)).expect("well-formed"),
        imsi: 0,
        bytes: 0,
        imei: 0,
        mccmnc: 0,
    };
    let mut line = Vec::new();
    kachi_domain::cdr::write_record(&mut line, &record);
    let done = import::import(engine, platform(engine), "before", &mut std::io::Cursor::new(line), &mut |_| {});
    assert_eq!(done.expect("imported").loaded, 1);
}

fn sqlite_baseline(dir: &Path, file: &Path, rows: u64) -> f64 {
    let conn = rusqlite::Connection::open(dir.join("baseline.db")).expect("opens");
    conn.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
         CREATE TABLE cdr (id INTEGER PRIMARY KEY, start_time TEXT, stop_time TEXT, iccid TEXT, imsi TEXT, data_usage INTEGER, imei TEXT, mccmnc TEXT);
         BEGIN IMMEDIATE",
    )
    .expect("made");
    let speed = per_second(rows, || {
        let mut insert = conn.prepare("INSERT INTO cdr VALUES (?,?,?,?,?,?,?,?)").expect("prepared");
        for line in std::io::BufReader::new(std::fs::File::open(file).expect("opens")).lines() {
            let line = line.expect("reads");
            let f: Vec<&str> = line.split(',').collect();
            let (id, bytes): (i64, i64) = (f[0].parse().expect("id"), f[5].parse().expect("bytes"));
            insert.execute(rusqlite::params![id, f[1], f[2], f[3], f[4], bytes, f[6], f[7]]).expect("inserted");
        }
        conn.execute_batch("COMMIT").expect("committed");
    });
    std::fs::remove_file(dir.join("baseline.db")).expect("removed");
    speed
}

fn postgres_baseline(file: &Path, rows: u64) -> f64 {
    let mut client = postgres::Client::connect(&postgres_url(), postgres::NoTls).expect("connects");
    client
        .batch_execute(
            "DROP TABLE IF EXISTS kachi_baseline;
             CREATE TABLE kachi_baseline (id BIGINT PRIMARY KEY, start_time TEXT, stop_time TEXT, iccid TEXT, imsi TEXT, data_usage BIGINT, imei TEXT, mccmnc TEXT)",
        )
        .expect("made");
    let speed = per_second(rows, || {
        let mut copy = client.copy_in("COPY kachi_baseline FROM STDIN (FORMAT csv)").expect("copies");
        let mut file = std::fs::File::open(file).expect("opens");
        let mut block = vec![0; 1 << 20];
        loop {
            let n = file.read(&mut block).expect("reads");
            if n == 0 {
                break;
            }
            copy.write_all(&block[..n]).expect("sent");
        }
        copy.finish().expect("finished");
    });
    client.batch_execute("DROP TABLE kachi_baseline").expect("dropped");
    speed
}
