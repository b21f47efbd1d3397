//! Posting notices: a receiver that accepts and never answers holds up nobody else's. On SQLite and PostgreSQL.

use axum::Router;
use axum::routing::post;
use kachi_domain::event::{Body, EventKind};
use kachi_domain::{AccountId, SimId};
use kachi_edges::eiotclub;
use kachi_edges::outbound::{Network, Outbound};
use kachi_edges::sender::{Dialect, Sender, SenderSettings};
use kachi_engine::Settings;
use kachi_engine::webhooks::Silent;
use kachi_store::accounts::Account;
use kachi_store::events::NewEvent;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, STRANGER, World};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Lanes at once.
const PARALLEL: usize = 10;
/// Notices that wait for the silent receiver.
const MANY: usize = 3_000;

/// A receiver that counts what it gets, and answers unless it is told not to.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<AtomicU64>,
    silent: Arc<AtomicBool>,
}

impl Receiver {
    fn listen(&self, runtime: &Runtime) -> SocketAddr {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let me = self.clone();
        let app = Router::new().route(
            "/n",
            post(move |_: axum::body::Bytes| {
                let me = me.clone();
                async move {
                    me.got.fetch_add(1, Ordering::SeqCst);
                    if me.silent.load(Ordering::SeqCst) {
                        std::future::pending::<()>().await;
                    }
                    r#"{"status":"SUCCESS"}"#
                }
            }),
        );
        runtime.spawn(async move { axum::serve(listener, app).await });
        address
    }

    fn got(&self) -> u64 {
        self.got.load(Ordering::SeqCst)
    }
}

fn sender() -> Sender {
    let dialect = Dialect {
        render: |job, id, timestamp, nonce| eiotclub::notice(&job.kind, &job.body, id, timestamp, nonce, &job.secret),
        acknowledged: |job, status, body| eiotclub::acknowledged(&job.kind, &job.body, status, body),
        timeout: None,
    };
    let next = AtomicU64::new(2);
    let settings = SenderSettings {
        outbound: Outbound::new(vec![Network::parse("127.0.0.0/8").expect("a network")]),
        timeout: Duration::from_secs(1),
        parallel: PARALLEL,
        answer_bytes_max: 4096,
        random: Arc::new(move || next.fetch_add(2, Ordering::SeqCst)),
    };
    Sender::new(settings, HashMap::from([(eiotclub::DOOR, dialect)])).expect("a sender")
}

fn tell(w: &World, account: AccountId, notices: std::ops::Range<usize>) {
    let event = move |i: usize| NewEvent {
        account,
        sim: Some(SimId(1_000_000 + i as i64)),
        kind: EventKind::UsageAlert,
        at: w.now(),
        body: serde_json::to_string(&Body::Alert {
            iccid: World::iccid(i as u64).to_string(),
            eid: None,
            alert_type: 1,
            threshold: 100,
        })
        .expect("JSON"),
        doors: vec![eiotclub::DOOR.to_owned()],
        once: None,
    };
    let events: Vec<NewEvent> = notices.map(event).collect();
    w.engine.write(move |tx, _, how| Ok(tx.tell(&events, how.now)?)).expect("told");
}

/// The account's deliveries that are acknowledged.
fn done(w: &World, account: AccountId) -> i64 {
    let counted = w.engine.read(|tx, _| Ok(tx.deliveries_counted(&[account])?)).expect("deliveries");
    counted.into_iter().find(|(state, _)| state == "done").map_or(0, |(_, n)| n)
}

fn notify(w: &World, account: AccountId, address: SocketAddr) {
    w.engine
        .write(move |tx, catalogue, how| {
            let before = catalogue.account(account).expect("an account").account.clone();
            tx.put_account(&Account { notify: format!(r#"{{"eiotclub":"http://{address}/n"}}"#), ..before }, how.now)?;
            Ok(tx.touch_catalogue()?)
        })
        .expect("an address");
}

/// Waits for what was begun aside.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited too long: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_receiver_that_never_answers_holds_up_nobody() {
    each(|store| {
        let w = World::with(store, Settings { delivery_batch: 500, ..Settings::default() });
        let runtime = Runtime::new().expect("a runtime");
        let (mute, good) = (Receiver::default(), Receiver::default());
        mute.silent.store(true, Ordering::SeqCst);
        notify(&w, ACME, mute.listen(&runtime));
        notify(&w, STRANGER, good.listen(&runtime));
        let sender = sender();
        let step = || runtime.block_on(sender.step(&w.engine)).expect("a step");
        tell(&w, ACME, 0..MANY);
        tell(&w, STRANGER, 0..2);
        step();
        assert_eq!(done(&w, STRANGER), 2, "its first attempts go out in the next step");
        assert!(mute.got() <= 2 * PARALLEL as u64, "{} were sent to who does not answer", mute.got());
        // It rests: nothing waits for it.
        let before = mute.got();
        tell(&w, STRANGER, 2..3);
        assert_eq!((step(), done(&w, STRANGER), mute.got()), (1, 3, before));
        // It is tried aside, with a few; the others do not wait for the outcome.
        w.pass(30);
        tell(&w, STRANGER, 3..4);
        step();
        assert_eq!(done(&w, STRANGER), 4);
        until("a few are tried", || mute.got() == before + 3);
        let attempts = || {
            let newest = w.engine.read(|tx, _| Ok(tx.deliveries_newest(&[ACME], None, MANY as i64)?)).expect("deliveries");
            newest.iter().map(|d| d.6).sum::<i64>() as u64
        };
        until("they are recorded", || attempts() == before + 3);
        assert_eq!(step(), 0, "it rests again");
        // It answers again: everything comes to it, once each.
        mute.silent.store(false, Ordering::SeqCst);
        w.pass(60);
        step();
        until("it is found to answer", || done(&w, ACME) == 3);
        w.pass(86_400);
        while step() > 0 {}
        assert_eq!((done(&w, ACME), done(&w, STRANGER)), (MANY as i64, 4));
        assert_eq!(mute.got(), before + 3 + MANY as u64);
    });
}

#[test]
fn a_long_queue_leaves_others_their_share_and_each_card_its_order() {
    each(|store| {
        let w = World::with(store, Settings { delivery_batch: 8, ..Settings::default() });
        tell(&w, ACME, 0..20);
        tell(&w, ACME, 0..1);
        tell(&w, STRANGER, 0..2);
        let claim = |token| kachi_engine::webhooks::claim(&w.engine, token, &Default::default()).expect("a claim");
        let ids = |token| -> Vec<i64> { claim(token).lanes.concat().iter().map(|j| j.id).collect() };
        assert_eq!(ids(1), [1, 22, 2, 23, 3, 4, 5, 6], "by turns; what one does not need is the other's");
        assert_eq!(ids(2), [7, 8, 9, 10, 11, 12, 13, 14]);
        let rest: Vec<i64> = [ids(3), ids(4)].concat();
        assert_eq!(rest, [15, 16, 17, 18, 19, 20], "the second notice of a card waits for its first");
    });
}

#[test]
fn silent_endpoints_are_tried_as_far_as_there_is_room_and_something_is_due() {
    each(|store| {
        let w = World::new(store);
        tell(&w, ACME, 0..5);
        tell(&w, STRANGER, 5..10);
        let end = |account: AccountId| (account, eiotclub::DOOR.to_owned());
        // Others are silent too, and nothing is due for them.
        let tried = (1..100).map(|n| end(AccountId(n))).chain([end(ACME), end(STRANGER)]).collect();
        let silent = Silent { tried, room: 1, ..Silent::default() };
        let claim = kachi_engine::webhooks::claim(&w.engine, 1, &silent).expect("a claim");
        let accounts: HashSet<AccountId> = claim.probes.iter().map(|job| job.account).collect();
        assert_eq!((claim.lanes.len(), claim.probes.len(), accounts.len()), (0, 3, 1));
        let claim = kachi_engine::webhooks::claim(&w.engine, 2, &Silent { room: 2, ..silent }).expect("a claim");
        let accounts: HashSet<AccountId> = claim.probes.iter().map(|job| job.account).collect();
        assert_eq!((claim.lanes.len(), accounts.len()), (0, 2));
    });
}
