//! Signed getCardsInfo over HTTP against the same server answering a constant of the same size (SQLite), or against
//! `pgbench -S` (PostgreSQL).
//!
//! `cargo run --release -p kachi-bench --bin cards -- [CARDS] [sqlite|postgres] [SECONDS]`

use axum::Router;
use axum::routing::post;
use kachi_bench::load::{ask, drive, serve};
use kachi_bench::{APPKEY, NOW, SECRET, engine, iccid, multiply, peak_mb, place, postgres_url, report};
use kachi_dialects::eiotclub::{Form, Limits, Params, sign};
use kachi_edges::eiotclub::{Door, DoorSettings, router};
use kachi_engine::Settings;
use std::sync::Arc;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (cards, seconds) = (number(0, 1_000_000), number(2, 8));
    let which = args.get(1).cloned().unwrap_or_else(|| "sqlite".into());
    let dir = tempfile::tempdir().expect("a folder");
    let (engine, at) = tokio::task::block_in_place(|| {
        let at = place(&which, dir.path(), "cards");
        let engine = engine(at.clone(), 1, Settings::default());
        multiply(&at, cards);
        (engine, at)
    });
    let settings = DoorSettings {
        window_seconds: 300,
        body_bytes_max: 1 << 20,
        page_max: 500,
        iccids_max: 100,
        lockout: None,
        order_number: Arc::new(String::new),
    };
    let ours = serve(router(Door::new(engine, Arc::new(settings)))).await;
    let requests: Arc<Vec<Vec<u8>>> = Arc::new((0..20_000).map(|i| request(i, cards)).collect());
    let first = ask(ours, &requests[7]).await;
    assert!(first.contains("\"code\":\"200\""), "{first}");
    let body = first.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned();
    println!("one answer: {} bytes; place {at:?}", body.len());
    let constant =
        serve(Router::new().route("/api/v3/card/getCardsInfo", post(move |_: axum::body::Bytes| async move { body.clone() })))
            .await;
    for round in 0..3 {
        let baseline = drive(constant, &requests, seconds).await;
        let speed = drive(ours, &requests, seconds).await;
        report(&format!("getCardsInfo, {cards} cards, round {round}, against a constant"), &which, speed, baseline, "requests/s");
    }
    if which == "postgres" {
        let pgbench = tokio::task::block_in_place(|| pgbench(seconds));
        let speed = drive(ours, &requests, seconds).await;
        report(&format!("getCardsInfo, {cards} cards, against pgbench -S"), &which, speed, pgbench, "/s");
    }
    println!("peak memory {} MB", peak_mb());
}

fn request(i: u64, cards: u64) -> Vec<u8> {
    let card = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % cards;
    let body =
        format!("{{\"appkey\":\"{APPKEY}\",\"timestamp\":{NOW},\"nonce\":{},\"iccid\":\"{}\"", 10_000 + i % 90_000, iccid(card));
    let params = Params::parse(format!("{body}}}").as_bytes(), Limits::default()).expect("our own JSON");
    let body = format!("{body},\"sign\":\"{}\"}}", sign(&params, SECRET, Form::CANONICAL));
    format!(
        "POST /api/v3/card/getCardsInfo HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn pgbench(seconds: u64) -> f64 {
    let run = |args: &[&str]| {
        let out = std::process::Command::new("pgbench").args(args).arg(postgres_url()).output().expect("pgbench runs");
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    run(&["-i", "-s", "10", "-q"]);
    let out = run(&["-S", "-M", "prepared", "-c", "32", "-j", "2", "-T", &seconds.to_string()]);
    let speed =
        out.lines().find(|l| l.starts_with("tps = ")).and_then(|l| l.split_whitespace().nth(2)).and_then(|t| t.parse().ok());
    speed.unwrap_or_else(|| panic!("no figure in {out}"))
}
