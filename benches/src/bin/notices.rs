//! Notices from event row to stored acknowledgement, against the same client posting the same bodies and storing nothing.
//!
//! `cargo run --release -p kachi-bench --bin notices -- [NOTICES] [sqlite|postgres]`

use axum::Router;
use axum::routing::post;
use kachi_bench::{NOW, OWNER, SECRET, engine, place, report};
use kachi_domain::account::Path;
use kachi_domain::event::{Body, EventKind};
use kachi_domain::{AccountId, Currency, SimId, Timestamp};
use kachi_edges::eiotclub;
use kachi_edges::outbound::{Network, Outbound};
use kachi_edges::sender::{Dialect, Sender, SenderSettings};
use kachi_engine::Settings;
use kachi_store::accounts::Account;
use kachi_store::events::NewEvent;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const RECEIVERS: usize = 50;
const PARALLEL: usize = 50;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let notices: usize = args.first().and_then(|a| a.parse().ok()).unwrap_or(100_000);
    let which = args.get(1).cloned().unwrap_or_else(|| "sqlite".into());
    let dir = tempfile::tempdir().expect("a folder");
    let mut receivers = Vec::new();
    for _ in 0..RECEIVERS {
        receivers.push(receiver().await);
    }
    let settings = Settings { delivery_batch: 2_000, ..Settings::default() };
    let engine = tokio::task::block_in_place(|| engine(place(&which, dir.path(), "notices"), 1, settings));
    tokio::task::block_in_place(|| fill(&engine, &receivers, notices));
    let outbound = Outbound::new(vec![Network::parse("127.0.0.0/8").expect("a network")]);
    let baseline = bare(&outbound, &receivers, notices).await;
    let dialect = Dialect {
        render: |job, id, timestamp, nonce| eiotclub::notice(&job.kind, &job.body, id, timestamp, nonce, &job.secret),
        acknowledged: |job, status, answer| eiotclub::acknowledged(&job.kind, &job.body, status, answer),
        timeout: None,
    };
    let settings = SenderSettings {
        outbound,
        timeout: Duration::from_secs(15),
        parallel: PARALLEL,
        answer_bytes_max: 4096,
        random: Arc::new(rand::random::<u64>),
    };
    let sender = Sender::new(settings, HashMap::from([(eiotclub::DOOR, dialect)])).expect("a sender");
    let began = Instant::now();
    let mut sent = 0;
    loop {
        match sender.step(&engine).await.expect("sent") {
            0 => break,
            n => sent += n,
        }
    }
    let ours = sent as f64 / began.elapsed().as_secs_f64();
    assert_eq!(sent, notices);
    report(&format!("{notices} notices to {RECEIVERS} receivers"), &which, ours, baseline, "notices/s");
}

async fn receiver() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/n", post(|_: axum::body::Bytes| async { r#"{"status":"SUCCESS"}"# }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn body(i: usize) -> Body {
    Body::Alert { iccid: kachi_bench::iccid(i as u64), eid: None, alert_type: 1, threshold: 100 }
}

fn fill(engine: &kachi_engine::Engine, receivers: &[SocketAddr], notices: usize) {
    let receivers = receivers.to_vec();
    engine
        .write(move |tx, _, how| {
            for (i, address) in receivers.iter().enumerate() {
                let id = AccountId(20_000 + i as i64);
                let parent = Path::root().child(OWNER);
                let account = Account {
                    id,
                    code: format!("r{i}"),
                    path: parent.child(id),
                    name: String::new(),
                    currency: Currency::USD,
                    time_zone: "Asia/Shanghai".into(),
                    language: "en".into(),
                    credit_minor: 0,
                    ip_allow: "[]".into(),
                    notify: format!("{{\"eiotclub\":\"http://{address}/n\"}}"),
                    contact: "{}".into(),
                    switch: kachi_domain::account::Switch::On,
                    claims: false,
                    credit_stop: false,
                };
                tx.put_account(&account, how.now)?;
                tx.put_credential("eiotclub", &format!("k{i}"), id, SECRET)?;
            }
            tx.touch_catalogue()?;
            let event = |i: usize| NewEvent {
                account: AccountId(20_000 + (i % receivers.len()) as i64),
                sim: Some(SimId(1_000_000 + i as i64)),
                kind: EventKind::UsageAlert,
                at: how.now,
                body: serde_json::to_string(&body(i)).expect("JSON"),
                doors: vec![eiotclub::DOOR.to_owned()],
                once: None,
            };
            Ok(tx.tell(&(0..notices).map(event).collect::<Vec<_>>(), how.now)?)
        })
        .expect("filled");
}

async fn bare(outbound: &Outbound, receivers: &[SocketAddr], notices: usize) -> f64 {
    let client = outbound.client(Duration::from_secs(15)).expect("a client");
    let began = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for _ in 0..PARALLEL {
        let (client, receivers, next) = (client.clone(), receivers.to_vec(), next.clone());
        running.spawn(async move {
            loop {
                let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if i >= notices {
                    return;
                }
                let kind = EventKind::UsageAlert.word();
                let text = serde_json::to_string(&body(i)).expect("JSON");
                let wire = eiotclub::notice(kind, &text, "KN0000000000000000000001", Timestamp(NOW).0, 12345, SECRET)
                    .expect("a word for it");
                let url = format!("http://{}/n", receivers[i % receivers.len()]);
                let answer = client
                    .post(url)
                    .header("content-type", "application/json;charset=utf-8")
                    .body(wire)
                    .send()
                    .await
                    .expect("posted");
                let status = answer.status().as_u16();
                assert!(eiotclub::acknowledged(kind, &text, status, &answer.bytes().await.expect("read")));
            }
        });
    }
    while running.join_next().await.is_some() {}
    notices as f64 / began.elapsed().as_secs_f64()
}
