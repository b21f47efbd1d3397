//! Signed CardBOSS card/detail of 100 cards over HTTP against the same server answering a constant of the same size.
//!
//! A partner polls the same cards over and over, here a tenth of a million, and their answers are kept while nothing changes; then
//! the same without that, each answer made anew.
//!
//! `cargo run --release -p kachi-bench --bin details -- [CARDS] [sqlite|postgres] [SECONDS]`

use axum::Router;
use axum::routing::get;
use kachi_bench::load::{ask, drive, serve};
use kachi_bench::{APIKEY, NOW, SID, engine, iccid, multiply, peak_mb, place, report};
use kachi_dialects::cardboss::{Form, Operation, Port, Written, sign};
use kachi_domain::{Timestamp, Zone};
use kachi_edges::cardboss::{Door, DoorSettings, router};
use kachi_engine::{Clock, Engine, Settings};
use kachi_store::Store;
use std::sync::Arc;
use std::time::Duration;

/// Cards of one request: as many as may be.
const ASKED: u64 = 100;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (cards, seconds) = (number(0, 1_000_000), number(2, 8));
    let which = args.get(1).cloned().unwrap_or_else(|| "sqlite".into());
    let dir = tempfile::tempdir().expect("a folder");
    let (kept, anew) = tokio::task::block_in_place(|| {
        let at = place(&which, dir.path(), "details");
        let kept = engine(at.clone(), 1, Settings::default());
        multiply(&at, cards);
        let store = Store::open(at, 40).expect("the database opens again");
        let without = Settings { kept_answers_bytes: 0, ..Settings::default() };
        (kept, Engine::open(store, Clock::new(|| Timestamp(NOW)), without).expect("the engine opens again"))
    });
    let settings = DoorSettings {
        window_seconds: 300,
        body_bytes_max: 1 << 20,
        lockout: None,
        retired: true,
        carrier_wait: Duration::from_secs(10),
        token: Arc::new(String::new),
    };
    let settings = Arc::new(settings);
    let [ours, anew] = [kept, anew].map(|engine| router(Door::new(engine, settings.clone()), Port::Data));
    let (ours, anew) = (serve(ours).await, serve(anew).await);
    let requests: Arc<Vec<Vec<u8>>> = Arc::new((0..1_000).map(|i| request(i, cards)).collect());
    let first = ask(ours, &requests[7]).await;
    assert!(first.contains("\"code\":\"0\"") && first.contains("\"count\":100"), "{first}");
    let body = first.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned();
    println!("one answer: {} bytes", body.len());
    let constant = serve(Router::new().route("/iotapi/rest/v2/card/detail", get(move || async move { body.clone() }))).await;
    for request in requests.iter() {
        ask(ours, request).await;
    }
    for round in 0..3 {
        let baseline = drive(constant, &requests, seconds).await;
        for (how, door) in [("asked again", ours), ("made anew", anew)] {
            let speed = drive(door, &requests, seconds).await;
            report(
                &format!("card/detail of {ASKED}, {cards} cards, {how}, round {round}"),
                &which,
                speed,
                baseline,
                "requests/s",
            );
        }
    }
    println!("peak memory {} MB", peak_mb());
}

fn request(i: u64, cards: u64) -> Vec<u8> {
    let card = |k: u64| iccid((i * ASKED + k).wrapping_mul(0x9e37_79b9_7f4a_7c15) % cards);
    let iccids = (0..ASKED).map(card).collect::<Vec<_>>().join(",");
    let ts = Zone::find("Asia/Shanghai").expect("a zone").digits(Timestamp(NOW));
    let form: Form = [("sid", SID), ("ts", ts.as_str()), ("iccids", iccids.as_str())].into_iter().collect();
    let sign = sign(Operation::CardDetail, &form, APIKEY, Written::Utf8).expect("ASCII");
    format!(
        "GET /iotapi/rest/v2/card/detail?sid={SID}&sign={sign}&ts={ts}&msisdns=&iccids={iccids} HTTP/1.1\r\nhost: bench\r\n\r\n"
    )
    .into_bytes()
}
