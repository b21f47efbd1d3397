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
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, BEGIN, STRANGER, World};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

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
    speaking(dialect())
}

fn dialect() -> Dialect {
    Dialect {
        render: |job, id, timestamp, nonce| eiotclub::notice(&job.kind, &job.body, id, timestamp, nonce, &job.secret),
        acknowledged: |job, status, body| eiotclub::acknowledged(&job.kind, &job.body, status, body),
        timeout: None,
    }
}

fn speaking(dialect: Dialect) -> Sender {
    speaking_for(Duration::from_secs(1), dialect)
}

/// One that waits so long for an answer.
fn speaking_for(timeout: Duration, dialect: Dialect) -> Sender {
    let next = AtomicU64::new(2);
    let settings = SenderSettings {
        outbound: Outbound::new(vec![Network::parse("127.0.0.0/8").expect("a network")]),
        timeout,
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
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
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
        let attempts = || {
            let newest = w.engine.read(|tx, _| Ok(tx.deliveries_newest(&[ACME], None, MANY as i64)?)).expect("deliveries");
            newest.iter().map(|d| d.6).sum::<i64>() as u64
        };
        until("those are over", || attempts() == mute.got());
        // It is tried aside, with a few, at once and then after a rest; the others do not wait for the outcome.
        let before = mute.got();
        for (turn, rest) in [(1, 0), (2, 30)] {
            w.pass(rest);
            tell(&w, STRANGER, 1 + turn..2 + turn);
            step();
            assert_eq!(done(&w, STRANGER), 2 + turn as i64);
            until("a few are tried", || mute.got() == before + 3 * turn as u64);
            until("they are recorded", || attempts() == before + 3 * turn as u64);
            assert_eq!(step(), 0, "it rests: nothing waits for it");
        }
        // It answers again: everything comes to it, once each.
        mute.silent.store(false, Ordering::SeqCst);
        w.pass(60);
        step();
        until("it is found to answer", || done(&w, ACME) == 3);
        w.pass(86_400);
        while step() > 0 {}
        assert_eq!((done(&w, ACME), done(&w, STRANGER)), (MANY as i64, 4));
        assert_eq!(mute.got(), before + 6 + MANY as u64);
    });
}

/// Of one receiver the notices of some cards hang and the others are answered, so that it is never silent. Nothing waits for those that
/// hang: not the others' notices, not those of its other cards, and in the end they come too.
#[test]
fn a_receiver_that_hangs_for_some_cards_holds_up_nobody() {
    each(|store| {
        let w = World::with(store, Settings::default());
        let runtime = Runtime::new().expect("a runtime");
        let (go, good) = (Arc::new(Semaphore::new(0)), Receiver::default());
        let hangs: Vec<String> = (0..2).map(|i| World::iccid(i).to_string()).collect();
        let (answers, hung) = (go.clone(), Arc::new(AtomicU64::new(0)));
        let hanging = hung.clone();
        let router = Router::new().route(
            "/n",
            post(move |body: String| {
                let (answers, hanging, hangs) =
                    (answers.clone(), hanging.clone(), hangs.iter().any(|iccid| body.contains(iccid)));
                async move {
                    if hangs {
                        hanging.fetch_add(1, Ordering::SeqCst);
                        let _ = answers.acquire().await;
                    }
                    r#"{"status":"SUCCESS"}"#
                }
            }),
        );
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        notify(&w, ACME, listener.local_addr().expect("an address"));
        runtime.spawn(async move { axum::serve(listener, router).await });
        notify(&w, STRANGER, good.listen(&runtime));
        // It answers in the end, so it is never given up.
        let sender = speaking_for(Duration::from_secs(60), dialect());
        let step = || runtime.block_on(sender.step(&w.engine)).expect("a step");
        tell(&w, ACME, 0..6);
        tell(&w, STRANGER, 0..3);
        let all = |acme, stranger| {
            until("all but what hangs is done", || (done(&w, ACME), done(&w, STRANGER)) == (acme, stranger));
            assert_eq!(hung.load(Ordering::SeqCst), 2, "of a card that hangs what comes later waits for its turn");
        };
        step();
        until("two hang", || hung.load(Ordering::SeqCst) == 2);
        all(4, 3);
        for turn in 1..4 {
            tell(&w, ACME, 2..4);
            tell(&w, ACME, 0..1);
            tell(&w, STRANGER, 0..1);
            step();
            all(4 + 2 * turn, 3 + turn);
        }
        go.close();
        until("what hung is done", || done(&w, ACME) == 12);
        step();
        until("what waited behind it is done", || (done(&w, ACME), done(&w, STRANGER)) == (15, 6));
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

#[test]
fn what_an_act_that_waited_tells_does_not_overtake_what_came_before_it() {
    each(|store| {
        let w = World::with(store, Settings { delivery_batch: 2, ..Settings::default() });
        let at = |seconds: i64| w.set_now(BEGIN + seconds);
        // The second act began a second before the first and waited for the card; the fifth card's was told by a clock ahead.
        for (seconds, card) in [(10, 0), (9, 0), (10, 0), (8, 1), (3_600, 2), (9, 2)] {
            at(seconds);
            tell(&w, ACME, card..card + 1);
        }
        at(10);
        let claim = |token| kachi_engine::webhooks::claim(&w.engine, token, &Default::default()).expect("a claim").lanes;
        let ids = |token| -> Vec<Vec<i64>> { claim(token).iter().map(|lane| lane.iter().map(|j| j.id).collect()).collect() };
        assert_eq!(ids(1), [vec![4], vec![1, 2]], "the longest due, and what it would overtake");
        assert_eq!(ids(2), [[5, 6]], "the third waits for those in hand");
    });
}

#[test]
fn a_silent_endpoint_is_tried_with_the_first_notice_of_a_card_alone() {
    each(|store| {
        let w = World::new(store);
        (0..3).for_each(|_| tell(&w, ACME, 0..1));
        let silent = Silent { tried: HashSet::from([(ACME, eiotclub::DOOR.to_owned())]), room: 1, ..Silent::default() };
        let probes = |token| kachi_engine::webhooks::claim(&w.engine, token, &silent).expect("a claim").probes;
        let ids = |token| -> Vec<i64> { probes(token).iter().map(|j| j.id).collect() };
        assert_eq!(ids(1), [1], "side by side the others might come before it");
        assert_eq!(ids(2), [0; 0], "they wait for it");
    });
}

/// Notices of each card as they came, by their stable ids.
type Arrivals = Arc<Mutex<HashMap<String, Vec<String>>>>;

/// A receiver that notes what comes in which order; every third notice of a card it refuses at first.
fn noting(arrivals: &Arrivals, runtime: &Runtime) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    let arrivals = arrivals.clone();
    let took = move |text: String| {
        let (id, card) = text.split_once(' ').expect("two words");
        let mut all = arrivals.lock().expect("no panic while it is held");
        let ids = all.entry(card.to_owned()).or_default();
        let is_new = !ids.iter().any(|there| there == id);
        if is_new {
            ids.push(id.to_owned());
        }
        if is_new && ids.len().is_multiple_of(3) { "no" } else { "yes" }
    };
    let app = Router::new().route("/n", post(move |text: String| std::future::ready(took(text))));
    runtime.spawn(async move { axum::serve(listener, app).await });
    address
}

#[test]
fn two_servers_on_one_database_send_first_attempts_in_each_cards_order() {
    const ROUNDS: usize = 40;
    const CARDS: usize = 12;
    let dialect = Dialect {
        render: |job, id, _, _| Some(format!("{id} {}", job.body)),
        acknowledged: |_, _, body| body == b"yes",
        timeout: None,
    };
    let database = Database::postgres();
    let settings = Settings { delivery_batch: 20, retry_seconds: vec![0, 0, 0, 0], ..Settings::default() };
    let servers =
        [World::with(database.open(), settings.clone()), World::open(database.open(), settings)].map(|w| (w, speaking(dialect)));
    let (runtime, arrivals) = (Runtime::new().expect("a runtime"), Arrivals::default());
    notify(&servers[0].0, ACME, noting(&arrivals, &runtime));
    let told = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (w, sender) in &servers {
            let (runtime, told) = (&runtime, &told);
            scope.spawn(move || {
                let step = || runtime.block_on(sender.step(&w.engine)).expect("a step");
                // What is not to be had now the other has in hand.
                while step() > 0 || !told.load(Ordering::SeqCst) || done(w, ACME) < (2 * ROUNDS * CARDS) as i64 {}
            });
        }
        // At both in turn; what the first tells began a second before what it comes after.
        for round in 0..ROUNDS as i64 {
            for ((w, _), ahead) in servers.iter().zip([0, 1]).rev() {
                w.set_now(BEGIN + round + ahead);
                tell(w, ACME, 0..CARDS);
            }
        }
        told.store(true, Ordering::SeqCst);
    });
    for (card, ids) in arrivals.lock().expect("no panic while it is held").iter() {
        assert_eq!(ids.len(), 2 * ROUNDS, "{card}");
        assert!(ids.is_sorted(), "{card}: {ids:?}");
    }
}

#[test]
fn while_much_waits_more_is_claimed_beside_the_posting_and_each_card_keeps_its_order() {
    const CARDS: usize = 60;
    const BATCH: usize = 20;
    each(|store| {
        let dialect = Dialect {
            render: |job, id, _, _| Some(format!("{id} {}", job.body)),
            acknowledged: |_, _, body| body == b"yes",
            timeout: None,
        };
        let settings = Settings { delivery_batch: BATCH as i64, retry_seconds: vec![0, 0, 0, 0], ..Settings::default() };
        let (w, sender) = (World::with(store, settings), speaking(dialect));
        let (runtime, arrivals) = (Runtime::new().expect("a runtime"), Arrivals::default());
        notify(&w, ACME, noting(&arrivals, &runtime));
        let mut told = 0;
        until("a step that goes beyond its claim", || {
            tell(&w, ACME, 0..CARDS);
            tell(&w, ACME, 0..CARDS);
            let mut most = 0;
            while let tried @ 1.. = runtime.block_on(sender.step(&w.engine)).expect("a step") {
                most = most.max(tried);
            }
            told += 2;
            most > BATCH
        });
        let arrivals = arrivals.lock().expect("no panic while it is held");
        assert!(arrivals.len() == CARDS && arrivals.values().all(|ids| ids.len() == told && ids.is_sorted()), "{arrivals:?}");
        assert_eq!(done(&w, ACME), (told * CARDS) as i64);
    });
}
