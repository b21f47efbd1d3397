//! Work over many cards: each once, one that cools down holds nobody, and nobody's death loses or repeats any. On both
//! engines.

use kachi_connectors::sandbox::{self, Fault};
use kachi_domain::address::Addresses;
use kachi_domain::sim::BaseState;
use kachi_domain::task::{ItemState, TaskState};
use kachi_domain::{Iccid, Refusal};
use kachi_engine::tasks::{self, Progress};
use kachi_engine::{Fail, Settings, sims};
use kachi_store::Store;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, NORTH, STRANGER, World, sim_id};
use serde_json::json;
use std::sync::Arc;

const CARDS: u64 = 120;

fn world(store: Store) -> (World, Carrier) {
    let w = World::new(store);
    w.add_cards(ACME, 0..CARDS);
    let carrier = Carrier::of(&w.engine, "1US-1", json!({"lag_seconds": 1}), &[]);
    for card in 0..CARDS {
        carrier.world.connect(World::iccid(card).as_str(), w.now());
    }
    (w, carrier)
}

fn reset(w: &World, cards: impl Iterator<Item = u64>) -> kachi_engine::Result<i64> {
    let (actor, iccids) = (w.actor(ACME), cards.map(World::iccid).collect::<Vec<Iccid>>());
    w.engine.write(move |tx, _, how| tasks::reset(tx, how, &actor, &iccids))
}

fn progress(w: &World, id: i64) -> Progress {
    let actor = w.actor(ACME);
    w.engine.read(|tx, _| tasks::query(tx, &actor, &[id])).unwrap().remove(0)
}

fn work(w: &World, carrier: &Carrier, seconds: i64) {
    for _ in 0..4 {
        carrier.work(&w.engine);
        w.pass(seconds / 4);
    }
    carrier.work(&w.engine);
}

/// Every card was asked for once and reset once.
fn each_once(carrier: &Carrier, id: i64, w: &World, cards: u64) {
    assert_eq!(w.engine.read(|tx, _| Ok(tx.intents(false, 1_000)?)).unwrap().len(), cards as usize);
    for line in 1..=cards {
        assert_eq!(carrier.world.effects(&format!("task-{id}-{line}")), 1, "card {line}");
    }
    for card in 0..cards {
        assert_eq!(carrier.world.card(World::iccid(card).as_str(), w.now()).sessions, 2, "card {card}");
    }
}

#[test]
fn every_card_has_its_result_and_a_cooling_one_holds_nobody() {
    each(|store| {
        let (w, carrier) = world(store);
        let iccid = |n: u64| World::iccid(n).as_str().to_owned();
        carrier.world.fail_card(&iccid(3), Fault::Cooling { seconds: 1800 });
        carrier.world.fail_card(&iccid(4), Fault::Refused { code: "12089".into(), reason: "barred".into() });
        carrier.world.fail_card(&iccid(5), Fault::Lost);
        carrier.world.fail_card(&iccid(6), Fault::AppliedTimedOut);
        let id = reset(&w, 0..CARDS).unwrap();
        let fresh = progress(&w, id);
        assert_eq!((fresh.task.state, fresh.settled(), fresh.items.len()), (TaskState::Waiting, 0, CARDS as usize));
        work(&w, &carrier, 40);
        let now = progress(&w, id);
        assert_eq!((now.task.state, now.settled()), (TaskState::Running, CARDS as usize - 1), "all but the cooling one");
        let card = |p: &Progress, n: usize| (p.items[n].state, p.items[n].result.clone());
        assert_eq!(card(&now, 3), (ItemState::Sent, "later: 13009 too many writes for one card".into()));
        assert_eq!(card(&now, 4), (ItemState::Failed, "12089 barred".into()));
        work(&w, &carrier, 1800);
        work(&w, &carrier, 40);
        let end = progress(&w, id);
        assert_eq!((end.task.state, end.count(ItemState::Done), end.count(ItemState::Failed)), (TaskState::Done, 119, 1));
        assert!(end.task.finished_at >= end.task.started_at && end.task.started_at.is_some());
        for line in 1..=CARDS {
            let effects = u32::from(line != 5);
            assert_eq!(carrier.world.effects(&format!("task-{id}-{line}")), effects, "card {line}");
        }
        w.assert_sound();
    });
}

/// What a partner is told of a card whose carrier has no wire names no command of the operator's.
#[test]
fn a_card_that_waits_for_a_person_says_so_in_plain_words() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let manual =
            kachi_connectors::open("manual", &json!({}), &sandbox::World::default(), &Addresses::default()).expect("it opens");
        let carrier = Carrier::by(&w.engine, "1US-1", ("manual", json!({}), Arc::from(manual)), &[]);
        let id = reset(&w, 0..1).unwrap();
        work(&w, &carrier, 40);
        let card = progress(&w, id).items.remove(0);
        assert_eq!((card.state, card.result.as_str()), (ItemState::Sent, "later: waits for a person"));
    });
}

#[test]
fn a_task_fails_when_no_card_was_done() {
    each(|store| {
        let (w, carrier) = world(store);
        for card in [0, 1] {
            let refused = Fault::Refused { code: "1".into(), reason: "no".into() };
            carrier.world.fail_card(World::iccid(card).as_str(), refused);
        }
        let sim = sim_id(&w, 2);
        w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim, BaseState::Closed.word(), 0, None)?)).unwrap();
        let id = reset(&w, 0..4).unwrap();
        let operator = w.actor(kachi_domain::AccountId(1));
        let move_away = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &_| {
            sims::transfer(tx, catalogue, how, &operator, &World::iccid(3), STRANGER)
        };
        w.engine.write(move_away).unwrap();
        work(&w, &carrier, 40);
        let end = progress(&w, id);
        let results: Vec<&str> = end.items.iter().map(|i| i.result.as_str()).collect();
        assert_eq!(end.task.state, TaskState::Failed);
        assert_eq!(results, ["1 no", "1 no", "the card is closed", "the card is no longer this account's"]);
    });
}

#[test]
fn a_stopped_task_asks_for_no_more_cards() {
    each(|store| {
        let (w, carrier) = world(store);
        let id = reset(&w, 0..CARDS).unwrap();
        assert_eq!(tasks::step(&w.engine).unwrap(), 1);
        let stopped = w.engine.write(move |tx, _, how| tasks::stop(tx, how, id)).unwrap();
        work(&w, &carrier, 40);
        let end = progress(&w, id);
        assert_eq!(end.task.state, TaskState::Stopped);
        assert_eq!((end.count(ItemState::Stopped), end.count(ItemState::Done)), (stopped, CARDS as usize - stopped));
        assert!(stopped > 0 && stopped < CARDS as usize, "what was sent before still ended");
        let again = w.engine.write(move |tx, _, how| tasks::stop(tx, how, id));
        assert!(matches!(again, Err(Fail::Refused(Refusal::BadField { .. }))), "{again:?}");
    });
}

#[test]
fn a_dead_worker_loses_nothing_and_repeats_nothing() {
    each(|store| {
        let (w, carrier) = world(store.clone());
        let id = reset(&w, 0..CARDS).unwrap();
        tasks::step(&w.engine).unwrap();
        // A worker claims some cards and dies before it calls; another calls and dies before it notes the answer.
        let platform = w.engine.read(|tx, _| Ok(tx.intents(true, 1)?)).unwrap()[0].platform;
        let claim = |token| {
            w.engine.write(move |tx, _, how| Ok(tx.claim_intents(how.now, (how.now.plus(60), token), (platform, &[]), 20)?))
        };
        assert_eq!(claim(-1).unwrap().len(), 20);
        for intent in claim(-2).unwrap() {
            let request = serde_json::from_str(&intent.request).unwrap();
            carrier.hand_in(&request, w.now());
        }
        drop(w);
        // The process that comes after it.
        let w = World::open(store, Settings::default());
        work(&w, &carrier, 40);
        assert_eq!(progress(&w, id).settled(), CARDS as usize - 40, "what is leased waits for the lease");
        w.pass(60);
        work(&w, &carrier, 40);
        assert_eq!((progress(&w, id).task.state, progress(&w, id).count(ItemState::Done)), (TaskState::Done, CARDS as usize));
        each_once(&carrier, id, &w, CARDS);
    });
}

#[test]
fn many_workers_ask_for_each_card_once() {
    each(|store| {
        let (w, carrier) = world(store);
        let id = reset(&w, 0..CARDS).unwrap();
        for _ in 0..4 {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| carrier.work(&w.engine));
                }
            });
            w.pass(10);
        }
        assert_eq!(progress(&w, id).task.state, TaskState::Done);
        each_once(&carrier, id, &w, CARDS);
    });
}

#[test]
fn a_task_is_seen_by_its_account_and_those_above() {
    each(|store| {
        let (w, _) = world(store);
        assert!(matches!(reset(&w, [0, 999].into_iter()), Err(Fail::Refused(Refusal::UnknownSim))));
        let id = reset(&w, 0..2).unwrap();
        let seen = |account| {
            let actor = w.actor(account);
            w.engine.read(|tx, _| tasks::query(tx, &actor, &[id, id + 1])).unwrap().len()
        };
        assert_eq!((seen(ACME), seen(NORTH), seen(STRANGER)), (1, 1, 0));
        assert_eq!(w.engine.read(|tx, _| tasks::newest(tx, 10)).unwrap().len(), 1, "the refused one left nothing");
    });
}
