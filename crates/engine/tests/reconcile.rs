//! Records held against carriers' counts, month by month. On both engines.

#[allow(dead_code)]
#[path = "sync/scene.rs"]
mod scene;

use kachi_domain::carrier::{Batches, Capabilities, Cycle, Fact, Facts};
use kachi_domain::diagnose::{Lang, Topic};
use kachi_engine::{Settings, diagnose, reconcile};
use kachi_store::Store;
use kachi_store::reconcile::Listed;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, World, line};
use scene::{Scene, at, day};

const HOUR: i64 = 3_600;

fn scene(store: Store, can: Capabilities, cards: u64) -> Scene {
    let mut settings = Settings::default();
    settings.reconcile.after_seconds = 0;
    Scene::with(store, can, cards, settings)
}

fn monthly(cycle: Cycle) -> Capabilities {
    Capabilities { facts: Facts::of(&[Fact::Month]), cycle, ..Capabilities::default() }
}

fn findings(s: &Scene, open_only: bool) -> Vec<Listed> {
    let platform = s.platform;
    s.w.engine.read(move |tx, _| Ok(tx.findings(Some(platform), open_only, 100)?)).expect("they are read")
}

/// The card used so many MB in a record that ended then.
fn record(s: &Scene, id: i64, card: u64, stop: &str, mb: i64) {
    let stop = at(stop).0;
    let report = s.w.cdr(&format!("{id}.csv"), &line(id, card, stop - 60, stop, mb * MB));
    assert_eq!(report.loaded, 1, "{report:?}");
}

/// The platform counts so many MB of each card's month now.
fn counts(s: &Scene, months: &[(u64, i64)]) {
    let now = s.w.now();
    for (card, mb) in months {
        s.fake.book().months.insert(*card, (mb * MB, now));
    }
    s.work();
}

#[test]
fn what_is_apart_is_listed_with_both_numbers_until_late_records_close_it() {
    each(|store| {
        let s = scene(store, monthly(Cycle::NATURAL), 3);
        record(&s, 1, 0, "03-09 10:00", 100);
        record(&s, 2, 1, "03-09 10:00", 60);
        record(&s, 3, 1, "02-27 10:00", 900);
        counts(&s, &[(0, 100), (1, 100), (2, 0)]);
        // Later than the count: it is not in it.
        s.w.pass(HOUR);
        record(&s, 4, 0, "03-10 12:30", 50);
        let report = reconcile::run(&s.w.engine, None, 1).expect("they are compared");
        assert_eq!((report.compared, report.apart, report.settled), (3, 1, 0));
        let found = findings(&s, true);
        assert_eq!(found.len(), 1);
        let f = &found[0].finding;
        assert_eq!((f.sim, f.cycle_from), (s.sim(1), at("03-01 00:00")));
        assert_eq!((f.record_bytes / MB, f.carrier_bytes / MB), (60, 100));
        assert_eq!((f.record_as_of, f.carrier_as_of), (Some(at("03-09 10:00").0), at("03-10 12:00").0));
        let first = found[0].first_seen;
        // Whoever looks at the card is told, and nobody of one of which both agree.
        let look = |card: u64| {
            let report = diagnose::diagnose(&s.w.engine, &s.w.actor(ACME), &World::iccid(card), None).expect("a diagnosis");
            report.at_the_device(Lang::En).into_iter().flatten().find(|e| e.topic == Topic::Findings).map(|e| e.value)
        };
        let words =
            "billing month since 2026-02-28T16:00:00Z: 60.0 MB by records (last 2026-03-09T02:00:00Z), 100.0 MB by the carrier";
        assert!(look(1).is_some_and(|value| value.starts_with(words)), "{:?}", look(1));
        assert_eq!((look(0), s.w.engine.read(|tx, _| Ok(tx.findings_open()?)).expect("counted")), (None, (1, 1)));

        s.w.pass(HOUR);
        record(&s, 5, 1, "03-08 10:00", 20);
        reconcile::run(&s.w.engine, None, 1).expect("they are compared");
        let found = findings(&s, true);
        assert_eq!((found[0].finding.record_bytes / MB, found[0].first_seen), (80, first));
        assert_eq!(found[0].last_seen, s.w.now().0);

        record(&s, 6, 1, "03-07 10:00", 20);
        let report = reconcile::run(&s.w.engine, None, 1).expect("they are compared");
        assert_eq!((report.apart, report.settled), (0, 1));
        assert_eq!((findings(&s, true), look(1)), (Vec::new(), None));
        let all = findings(&s, false);
        assert_eq!((all.len(), all[0].resolved_at, all[0].finding.record_bytes / MB), (1, Some(s.w.now().0), 100));
        s.w.assert_sound();
    });
}

#[test]
fn days_that_are_all_known_are_a_months_count_and_are_held_against_days() {
    each(|store| {
        let can = Capabilities { batches: Batches { day: 100, ..Batches::default() }, ..Capabilities::default() };
        let s = scene(store, can, 2);
        s.w.set_now(at("03-02 05:00").0);
        for (card, mb) in [(0, 10), (1, 10)] {
            s.fake.book().days.insert((card, day("03-01")), mb * MB);
            s.fake.book().days.insert((card, day("03-02")), 20 * MB);
        }
        s.work();
        s.w.set_now(at("03-03 05:00").0);
        s.work();
        // To the last second of the second day, which is one day on in China and the same in UTC.
        record(&s, 1, 0, "03-01 10:00", 10);
        record(&s, 2, 0, "03-02 23:59", 20);
        record(&s, 3, 0, "03-03 00:01", 40);
        record(&s, 4, 1, "03-01 10:00", 10);
        let report = reconcile::run(&s.w.engine, None, 1).expect("they are compared");
        assert_eq!((report.compared, report.apart), (2, 1));
        let f = findings(&s, true).remove(0).finding;
        assert_eq!((f.sim, f.record_bytes / MB, f.carrier_bytes / MB), (s.sim(1), 10, 30));
        assert_eq!(f.carrier_as_of, at("03-03 00:00").0);
        // A day that is missing: there is no count of the month.
        s.w.set_now(at("03-30 05:00").0);
        s.work();
        assert_eq!(reconcile::run(&s.w.engine, None, 1).expect("they are compared").compared, 0);
    });
}

#[test]
fn a_month_from_the_27th_is_compared_as_one() {
    each(|store| {
        let s = scene(store, monthly(Cycle { first_day: 27 }), 1);
        s.w.set_now(at("03-28 12:00").0);
        record(&s, 1, 0, "03-26 23:59", 500);
        record(&s, 2, 0, "03-27 00:01", 7);
        record(&s, 3, 0, "03-28 11:59", 8);
        counts(&s, &[(0, 15)]);
        let report = reconcile::run(&s.w.engine, None, 1).expect("they are compared");
        assert_eq!((report.compared, report.apart), (1, 0));
    });
}

#[test]
fn a_young_count_waits_for_its_records_and_a_new_card_is_not_compared() {
    each(|store| {
        let s = Scene::new(store, monthly(Cycle::NATURAL), 1);
        s.w.add_cards(kachi_testkit::world::ACME, 1..2);
        counts(&s, &[(0, 100), (1, 100)]);
        let compared = |s: &Scene| reconcile::run(&s.w.engine, None, 1).expect("they are compared").compared;
        assert_eq!(compared(&s), 0, "six hours are its own");
        s.w.pass(6 * HOUR);
        assert_eq!(compared(&s), 1, "what a card used before it was ours is in no record");
    });
}

#[test]
fn the_workers_look_goes_on_where_it_was_and_comes_back_later() {
    each(|store| {
        let s = scene(store, monthly(Cycle::NATURAL), 2);
        counts(&s, &[(0, 5), (1, 0)]);
        let looked = |s: &Scene| reconcile::step(&s.w.engine, 1).expect("a step");
        assert_eq!(looked(&s), 2);
        assert_eq!(looked(&s), 0, "not before its time");
        assert_eq!(findings(&s, true).len(), 1);
        s.w.pass(6 * HOUR);
        assert_eq!(looked(&s), 2);
        let name = format!("reconcile {}", s.platform);
        s.w.pass(6 * HOUR);
        let until = s.w.now().plus(60);
        s.w.engine.write(move |tx, _, how| Ok(tx.take_lease(&name, 99, until, how.now)?)).expect("another has it");
        assert_eq!(looked(&s), 0);
        s.w.pass(61);
        assert_eq!(looked(&s), 2);
    });
}
