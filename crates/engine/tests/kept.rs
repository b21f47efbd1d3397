//! Answers that are kept while nothing changes: never an old one, whoever wrote; and not made again for nothing. On both engines.

use kachi_domain::{AccountId, SimId, Timestamp};
use kachi_engine::Fail;
use kachi_store::Store;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, NORTH, World};
use std::cell::Cell;

/// Asks, and answers with what a card's account at its carrier has, as it is read when the answer is made.
struct Asker<'w> {
    w: &'w World,
    made: Cell<usize>,
}

impl Asker<'_> {
    fn ask(&self, account: AccountId, question: &str, until: Timestamp) -> String {
        let (catalogue, actor) = (self.w.engine.catalogue().unwrap(), self.w.actor(account));
        let make = async {
            self.made.set(self.made.get() + 1);
            let found = self.w.engine.read(|tx, _| Ok(tx.carrier_balances(&[1])?))?;
            Ok::<_, Fail>((format!("{account} {question} {found:?}"), until))
        };
        let told = self.w.engine.kept(&catalogue, &actor, question.to_owned(), make);
        let told = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(told).unwrap();
        String::from_utf8(told.to_vec()).unwrap()
    }
}

fn put(store: &Store, minor: i64, now: Timestamp) {
    store.write(move |tx| tx.put_carrier_balance(SimId(1), minor, now)).unwrap();
}

fn an_answer_is_never_older_than_what_was_written_on(store: Store) {
    let w = World::new(store);
    w.add_cards(ACME, 0..1);
    let asker = Asker { w: &w, made: Cell::new(0) };
    let later = w.now().plus(100);
    assert_eq!(asker.ask(ACME, "a", later), format!("{ACME} a []"));
    // Written by this process and, through connections that it does not know, by another.
    let other = Store::open(w.engine.store().place().clone(), 2).unwrap();
    for minor in 1..=20 {
        put(if minor % 2 == 0 { w.engine.store() } else { &other }, minor, w.now());
        for _ in 0..3 {
            assert_eq!(asker.ask(ACME, "a", later), format!("{ACME} a [(1, {minor})]"));
            assert_eq!(asker.ask(NORTH, "a", later), format!("{NORTH} a [(1, {minor})]"));
            assert_eq!(asker.ask(ACME, "b", later), format!("{ACME} b [(1, {minor})]"));
        }
    }
}
#[test]
fn an_answer_is_never_older_than_what_was_written() {
    each(an_answer_is_never_older_than_what_was_written_on);
}

/// Other databases of a PostgreSQL server change its stamp too, so there one unchanged answer in a thousand is enough.
fn an_answer_is_made_once_while_nothing_changes_on(store: Store) {
    let w = World::new(store);
    w.add_cards(ACME, 0..1);
    let asker = Asker { w: &w, made: Cell::new(0) };
    let later = w.now().plus(100);
    let found = (0..1_000).any(|_| {
        let before = asker.made.get();
        asker.ask(ACME, "a", later);
        asker.ask(ACME, "a", later);
        asker.made.get() - before < 2
    });
    assert!(found, "asked {} times, made each time", asker.made.get());
}
#[test]
fn an_answer_is_made_once_while_nothing_changes() {
    each(an_answer_is_made_once_while_nothing_changes_on);
}

/// Those who ask at once share a reading of the stamp: none is forgotten, and none is told one of before it asked.
fn those_who_ask_at_once_are_told_what_was_committed_on(store: Store) {
    const AT_ONCE: usize = 16;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let all = || {
        let asked: Vec<_> = (0..AT_ONCE).map(|_| store.clone()).map(|s| runtime.spawn(async move { s.stamp().await })).collect();
        asked.into_iter().map(|told| runtime.block_on(told).unwrap().unwrap()).collect::<Vec<_>>()
    };
    let mut before = all();
    for minor in 1..=30 {
        put(&store, minor, Timestamp(minor));
        let after = all();
        assert_eq!(after.len(), AT_ONCE);
        assert!(after.iter().all(|stamp| !before.contains(stamp)), "{minor}: {before:?}, then {after:?}");
        before = after;
    }
}
#[test]
fn those_who_ask_at_once_are_told_what_was_committed() {
    each(those_who_ask_at_once_are_told_what_was_committed_on);
}

fn an_answer_ends_when_time_makes_another_on(store: Store) {
    let w = World::new(store);
    w.add_cards(ACME, 0..1);
    let asker = Asker { w: &w, made: Cell::new(0) };
    for _ in 0..5 {
        let before = asker.made.get();
        asker.ask(ACME, "a", w.now().plus(10));
        w.pass(10);
        asker.ask(ACME, "a", w.now().plus(10));
        assert!(asker.made.get() > before, "the first is over");
        // One that is over when it is made is never given again.
        let before = asker.made.get();
        asker.ask(ACME, "c", w.now());
        asker.ask(ACME, "c", w.now());
        assert_eq!(asker.made.get(), before + 2);
        w.pass(60);
    }
}
#[test]
fn an_answer_ends_when_time_makes_another() {
    each(an_answer_ends_when_time_makes_another_on);
}
