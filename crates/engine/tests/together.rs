//! Orders of one account that wait are placed in one transaction: each comes out as if it had been placed by itself. On both
//! engines.

use kachi_domain::order::Channel;
use kachi_engine::orders::{self, Place};
use kachi_engine::{Fail, Once, OrderNumber, RequestKey, Result};
use kachi_store::Store;
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line, sim_id};
use std::collections::BTreeMap;
use std::sync::mpsc;

/// Cards of ACME; the next one is a stranger's, the one after that nobody's.
const CARDS: u64 = 12;
const FOREIGN: u64 = CARDS;
const NOBODY: u64 = CARDS + 1;

fn world(store: Store) -> World {
    let w = World::new(store);
    w.add_cards(ACME, 0..CARDS);
    w.add_cards(STRANGER, FOREIGN..NOBODY);
    // Some cards had a package before, one of them used it up.
    for card in [1, 4, 7] {
        w.buy(card, "Q100-30D", &format!("before-{card}")).unwrap();
    }
    w.cdr("one.csv", &line(1, 4, w.now().0 + 10, w.now().0 + 20, 101 * MB));
    w.pass(60);
    w
}

fn order(card: u64, package: &str, out_trade_no: &str) -> Place {
    Place {
        iccid: World::iccid(card),
        package_code: package.into(),
        out_trade_no: Some(out_trade_no.into()),
        channel: Channel::Api,
        custom_data: None,
        number: format!("{out_trade_no:0>32}"),
    }
}

/// One of each kind, each for another card; what money there is does not reach for the last expensive ones.
fn mixed() -> Vec<Place> {
    vec![
        order(0, "Q100-30D", "a"),
        order(1, "Q100-30D", "b"),
        order(2, "C100-30D", "c"),
        order(3, "NO-SUCH", "d"),
        order(4, "Q1000-30D", "e"),
        order(FOREIGN, "Q100-30D", "f"),
        order(NOBODY, "Q100-30D", "g"),
        order(5, "Q100-30D", "before-1"),
        order(6, "T-7D", "h"),
        order(7, "TOP20-5D", "i"),
        order(8, "M50-3M", "j"),
        order(9, "Q1000-30D", "k"),
        order(10, "Q1000-30D", "l"),
        order(11, "TOP20-5D", "m"),
    ]
}

/// Leaves the account just so much that "k" and "l" cannot be paid, and "m" can.
fn spend_to(w: &World, left: i64) {
    let minor = w.balance(ACME) - left;
    w.engine
        .write(move |tx, _, how| {
            let postings: Vec<_> = kachi_domain::ledger::top_up(ACME, -minor);
            Ok(tx.post(ACME, kachi_domain::ledger::Journal::Correction, "test", &postings, how.now)?)
        })
        .unwrap();
}

/// What is to be seen of it all: outcomes, money, and each card with its events and subscriptions.
fn picture(w: &World, outcomes: &[Result<orders::Placed>]) -> Vec<String> {
    let mut seen: Vec<String> = outcomes
        .iter()
        .map(|o| match o {
            Ok(p) => format!("{} {:?}", p.number, p.state),
            // Which number an order has does not matter.
            Err(e) => e.to_string(),
        })
        .collect();
    seen.push(format!("{} {} {}", w.balance(ACME), w.balance(NORTH), w.balance(STRANGER)));
    for card in 0..NOBODY {
        let id = sim_id(w, card);
        let subs = w.engine.read(|tx, _| Ok(tx.subscriptions(id)?)).unwrap();
        let subs: Vec<_> = subs.iter().map(|s| (s.state, s.started_at, s.ends_at, s.available_at)).collect();
        let sim = w.card(card).sim;
        seen.push(format!("{card} {} {} {:?} {:?} {subs:?}", sim.state, sim.blocks, sim.activated_at, w.events(card)));
    }
    seen
}

#[test]
fn placed_together_is_as_placed_one_by_one() {
    let mut pictures = Vec::new();
    for database in [Database::sqlite(), Database::postgres()] {
        let w = world(database.open());
        spend_to(&w, 2_200);
        let actor = w.actor(ACME);
        let outcomes = w
            .engine
            .write(move |tx, catalogue, how| {
                let cmds = mixed();
                orders::place_all(tx, catalogue, how, &actor, &cmds.iter().collect::<Vec<_>>())
            })
            .unwrap();
        pictures.push(picture(&w, &outcomes));
        w.assert_sound();

        let other = Database::sqlite();
        let w = world(other.open());
        spend_to(&w, 2_200);
        let outcomes: Vec<_> = mixed()
            .into_iter()
            .map(|cmd| {
                let actor = w.actor(ACME);
                w.engine.write(move |tx, catalogue, how| orders::place(tx, catalogue, how, &actor, &cmd))
            })
            .collect();
        pictures.push(picture(&w, &outcomes));
        w.assert_sound();
    }
    assert!(pictures[0].iter().any(|line| line.contains("balance")), "some could not be paid: {:#?}", pictures[0]);
    for other in &pictures[1..] {
        assert_eq!(&pictures[0], other);
    }
}

/// Many callers at once: repeats of one request, of one number, of one card, on several accounts' orders.
#[test]
fn callers_at_once_get_each_their_own_answer() {
    each(|store| {
        let w = world(store);
        let (acme, north) = (w.balance(ACME), w.balance(NORTH));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let catalogue = w.engine.catalogue().unwrap();
        let ask = |n: usize| {
            let (engine, catalogue) = (w.engine.clone(), catalogue.clone());
            // Every third is the same request as the one before it; every fifth buys with a number that is used.
            let (n, number) = (n - usize::from(n % 3 == 2), if n % 5 == 4 { "before-1".to_owned() } else { format!("n{n}") });
            let number = if n % 3 == 1 { format!("n{n}") } else { number };
            let actor = w.actor(if n % 2 == 0 { ACME } else { NORTH });
            let cmd = order(n as u64 % CARDS, "TOP20-5D", &number);
            // Of some the key covers the number.
            let key = RequestKey { number: (n % 4 < 2).then(|| told(&number)), ..World::key(&format!("key-{n}"), &number) };
            runtime.spawn(async move { (n, number, engine.place(&catalogue, &actor, key, cmd, |p| p.number.clone()).await) })
        };
        let mut done = BTreeMap::<usize, Vec<String>>::new();
        for asked in (0..120).map(ask).collect::<Vec<_>>() {
            let (n, number, outcome) = runtime.block_on(asked).unwrap();
            match outcome {
                Ok(Once::Done(answer)) => done.entry(n).or_default().insert(0, answer),
                Ok(Once::Repeated(answer)) => done.entry(n).or_default().push(answer),
                Err(Fail::Refused(kachi_domain::Refusal::DuplicateOrder { .. })) => assert_eq!(number, "before-1"),
                Err(other) => panic!("{n}: {other}"),
            }
        }
        assert!(
            done.iter()
                .all(|(n, answers)| answers.iter().all(|a| *a == format!("{:0>32}", format!("n{n}")) || a.ends_with("before-1")))
        );
        let bought = |account| {
            let placed = w.engine.read(|tx, _| Ok(tx.orders_newest(&[account], 500)?)).unwrap();
            placed.iter().filter(|o| o.created_at == w.now().0).map(|o| o.paid_minor).sum::<i64>()
        };
        assert!(bought(ACME) > 0 && bought(NORTH) > 0);
        assert_eq!(w.balance(ACME), acme - bought(ACME), "each is charged once");
        // What ACME pays is NORTH's price too: nothing is left between them.
        assert_eq!(w.balance(NORTH), north - bought(NORTH));
        w.assert_sound();
    });
}

fn told(number: &str) -> OrderNumber {
    OrderNumber { told: number.to_owned(), is_the_orders: true }
}

#[test]
fn the_answer_to_an_order_is_found_by_the_buyers_own_number() {
    each(|store| {
        let w = world(store);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let catalogue = w.engine.catalogue().unwrap();
        let (before, times) = (w.balance(ACME), std::cell::Cell::new(0));
        let ask = |key: &str, covers: bool, number: &str, body: &str| {
            times.set(times.get() + 1);
            let (nth, actor) = (times.get(), w.actor(ACME));
            let key = RequestKey { number: covers.then(|| told(number)), ..World::key(key, body) };
            let render = move |p: &orders::Placed| format!("{} for the {nth}. time", p.order);
            match runtime.block_on(w.engine.place(&catalogue, &actor, key, order(0, "TOP20-5D", number), render)) {
                Ok(Once::Done(answer)) => format!("done: {answer}"),
                Ok(Once::Repeated(answer)) => format!("again: {answer}"),
                Err(Fail::Refused(refusal)) => format!("{refusal:?}").split(' ').next().unwrap_or_default().to_owned(),
                Err(other) => panic!("{other}"),
            }
        };
        let kept = || {
            let rows = w.engine.read(|tx, _| Ok(tx.dump()?)).unwrap();
            ["order_answer", "idempotency"].map(|table| rows.get(table).map_or(0, Vec::len))
        };
        let first = ask("one", true, "n1", "body");
        assert_eq!(kept(), [1, 0], "with the order, not apart");
        assert_eq!(ask("one", true, "n1", "body"), first.replace("done", "again"));
        assert_eq!(ask("one", true, "n1", "other"), "KeyReused");
        assert_eq!(ask("two", true, "n1", "body"), "DuplicateOrder");
        // What was kept apart, by a key that does not cover the number or by an earlier version, counts as well.
        let apart = ask("three", false, "n2", "body");
        assert_eq!(kept(), [1, 1]);
        assert_eq!(ask("three", true, "n2", "body"), apart.replace("done", "again"));
        assert_eq!(ask("three", true, "n2", "other"), "KeyReused");
        assert_eq!(before - w.balance(ACME), 2 * price(&w), "each is charged once");
        let now = w.now();
        assert_eq!(w.engine.write(move |tx, _, _| Ok(tx.forget_answers(now)?)).unwrap(), 0);
        assert_eq!(w.engine.write(move |tx, _, _| Ok(tx.forget_answers(now.plus(1))?)).unwrap(), 2);
        assert_eq!(kept(), [0, 0]);
        assert_eq!(ask("one", true, "n1", "body"), "DuplicateOrder", "a number buys once, for ever");
        w.assert_sound();
    });
}

/// What a top-up costs ACME.
fn price(w: &World) -> i64 {
    let newest = w.engine.read(|tx, _| Ok(tx.orders_newest(&[ACME], 1)?)).unwrap();
    newest[0].paid_minor
}

/// PostgreSQL alone has locks of rows: orders that meet one together are placed by themselves, and wait.
#[test]
fn orders_that_meet_a_lock_are_placed_once_it_is_gone() {
    let database = Database::postgres();
    let store = database.open();
    let w = world(store.clone());
    let id = sim_id(&w, 3);
    let (held, holding) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        store.write(move |tx| {
            tx.states(&[id.0])?;
            held.send(()).expect("the test waits");
            released.recv().expect("the test says when");
            Ok::<(), Fail>(())
        })
    });
    holding.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let catalogue = w.engine.catalogue().unwrap();
    let ask = |card: u64| {
        let (engine, catalogue, actor) = (w.engine.clone(), catalogue.clone(), w.actor(ACME));
        let cmd = order(card, "TOP20-5D", &format!("locked-{card}"));
        let key = World::key(&format!("locked-{card}"), "");
        runtime.spawn(async move { engine.place(&catalogue, &actor, key, cmd, |p| p.number.clone()).await })
    };
    let asked = [3, 5, 6].map(ask);
    // Whoever acts on several cards does not wait for the lock of one.
    let impatient = w.engine.store().write_impatient(move |tx| tx.states(&[id.0]).map_err(Fail::from));
    assert!(matches!(impatient, Err(Fail::Fault(_))));
    release.send(()).unwrap();
    holder.join().unwrap().unwrap();
    for one in asked {
        assert!(matches!(runtime.block_on(one).unwrap(), Ok(Once::Done(_))));
    }
    w.assert_sound();
}
