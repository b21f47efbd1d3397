//! getAllCardInfo over HTTP: what the last full page costs against the first, of the whole list and of parts of it.
//!
//! `cargo run --release -p kachi-bench --bin pages -- [CARDS] [sqlite|postgres] [ROUNDS]`

use kachi_bench::{APPKEY, NOW, SECRET, add_cards, engine, peak_mb, place};
use kachi_dialects::eiotclub::{Form, Limits, Params, sign};
use kachi_domain::sim::BaseState;
use kachi_edges::eiotclub::{Door, DoorSettings, router};
use kachi_engine::{Settings, lists};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const PAGE: i64 = 500;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (cards, rounds) = (number(0, 1_000_000), number(2, 41) as usize);
    let which = args.get(1).cloned().unwrap_or_else(|| "sqlite".into());
    let dir = tempfile::tempdir().expect("a folder");
    let engine = tokio::task::block_in_place(|| {
        let engine = engine(place(&which, dir.path(), "pages"), 0, Settings::default());
        let began = Instant::now();
        // Every thousandth is closed, the tenth of each ten ready, the others active without a package.
        add_cards(&engine, 0..cards, |n| match n {
            n if n % 1000 == 999 => BaseState::Closed,
            n if n % 10 == 9 => BaseState::Ready,
            _ => BaseState::Active,
        });
        println!("{cards} cards added | {which} | {:.0} cards/s", cards as f64 / began.elapsed().as_secs_f64());
        while lists::tidy(&engine).expect("summed up") > 0 {}
        if which == "postgres" {
            kachi_store::db::execute_in(engine.store().place(), "VACUUM ANALYZE").expect("analysed");
        }
        engine
    });
    let settings = DoorSettings {
        window_seconds: 300,
        body_bytes_max: 1 << 20,
        page_max: PAGE,
        iccids_max: 100,
        lockout: None,
        order_number: Arc::new(String::new),
    };
    let app = router(Door::new(engine, Arc::new(settings)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let partner =
        Partner { client: reqwest::Client::new(), at: listener.local_addr().expect("an address"), nonce: AtomicU64::new(10_000) };
    tokio::spawn(async move { axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await });
    for (list, status) in [
        ("all", None),
        ("DEACTIVATED_NAME", Some("DEACTIVATED_NAME")),
        ("ACTIVATION_READY_NAME", Some("ACTIVATION_READY_NAME")),
        ("RETIRED_NAME", Some("RETIRED_NAME")),
    ] {
        let (_, answer) = partner.page(1, status).await;
        let mut last = answer["data"]["totalPage"].as_i64().expect("pages");
        let is_full = |answer: &Value| answer["data"]["cardInfoList"].as_array().map(Vec::len) == Some(PAGE as usize);
        if last > 1 && !is_full(&partner.page(last, status).await.1) {
            last -= 1;
        }
        let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            firsts.push(partner.page(1, status).await.0);
            lasts.push(partner.page(last, status).await.0);
        }
        let (first, late) = (median(firsts), median(lasts));
        println!(
            "getAllCardInfo {list}, {cards} cards | {which} | page 1 {:.2} ms | page {} {:.2} ms | ratio {:.2}",
            first * 1e3,
            last,
            late * 1e3,
            late / first
        );
    }
    println!("peak memory {} MB", peak_mb());
}

struct Partner {
    client: reqwest::Client,
    at: SocketAddr,
    nonce: AtomicU64,
}

impl Partner {
    /// Seconds until the whole page was there, and the page.
    async fn page(&self, number: i64, status: Option<&str>) -> (f64, Value) {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        let mut body =
            json!({"appkey": APPKEY, "timestamp": NOW, "nonce": nonce, "pageNum": number.to_string(), "pageSize": PAGE});
        if let Some(status) = status {
            body["cardStatus"] = status.into();
        }
        let params = Params::parse(body.to_string().as_bytes(), Limits::default()).expect("our own JSON");
        body["sign"] = sign(&params, SECRET, Form::CANONICAL).into();
        let began = Instant::now();
        let url = format!("http://{}/api/v3/card/getAllCardInfo", self.at);
        let sent = self.client.post(url).timeout(Duration::from_secs(60)).body(body.to_string()).send().await;
        let text = sent.expect("answered").text().await.expect("a whole answer");
        let seconds = began.elapsed().as_secs_f64();
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(answer["code"], "200", "{text}");
        assert!(!answer["data"]["cardInfoList"].as_array().expect("cards").is_empty());
        (seconds, answer)
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
