//! Why cards are stopped, where asking for it costs requests of its own. On both engines.

#[path = "sync/scene.rs"]
#[allow(dead_code)]
mod scene;

use kachi_domain::carrier::{Answer, Capabilities, Fact, Facts};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_engine::{Settings, sync};
use kachi_store::Store;
use kachi_testkit::db::each;
use scene::Scene;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A world whose cards have nothing of ours in the way, on a platform whose reasons cost a request each.
fn unblocked(store: Store, cards: u64, reason_requests: i64) -> Scene {
    let can = Capabilities { facts: Facts::of(&[Fact::State, Fact::StopReason]), ..Capabilities::default() };
    let mut settings = Settings::default();
    settings.sync.reason_requests = reason_requests;
    let s = Scene::with(store, can, cards, settings);
    for card in 0..cards {
        let id = s.sim(card);
        s.w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(id, "active", 0, None)?)).expect("it stands so");
    }
    s.fake.book().reason_costs = 1;
    s
}

#[test]
fn a_reason_that_costs_a_request_is_read_once_a_stop_after_everything_else() {
    each(|store| {
        let s = unblocked(store, 3, 100);
        for card in [0, 1] {
            s.fake.book().states.insert(card, BaseState::Stopped);
        }
        s.fake.book().reasons.insert(0, Blocks::REAL_NAME);
        let first = s.work();
        assert_eq!(first.len(), 5, "{first:?}");
        assert!(first[..3].iter().all(|asked| asked.starts_with("state: ")), "{first:?}: what is more urgent first");
        assert_eq!(first[3..], ["reason: 0", "reason: 1"]);
        assert_eq!((s.state(0).as_str(), s.w.card(0).blocks().names()), ("stopped", vec!["no_package", "real_name"]));
        assert_eq!(s.later(HOUR + 300).len(), 3, "the states again, and no reason a second time");
        // Let on and stopped again: that is another stop.
        s.fake.book().states.insert(0, BaseState::Active);
        s.later(DAY);
        assert_eq!((s.state(0).as_str(), s.w.card(0).blocks().names()), ("active", vec!["no_package"]));
        s.fake.book().states.insert(0, BaseState::Stopped);
        let again = s.later(HOUR + 300);
        assert_eq!(again[3..], ["reason: 0"], "{again:?}");
        let shown = sync::show(&s.w.engine, Some(s.platform)).expect("it is shown").remove(0);
        assert_eq!(shown.calls_today.iter().find(|(what, _)| what == "reason"), Some(&("reason".to_owned(), 1)));
        s.w.assert_sound();
    });
}

#[test]
fn reasons_take_so_many_requests_a_day_spread_over_it_and_no_more() {
    for (most, expected) in [(0, [0; 5]), (4, [3, 0, 1, 1, 0])] {
        each(|store| {
            let s = unblocked(store, 5, most);
            for card in 0..5 {
                s.fake.book().states.insert(card, BaseState::Stopped);
            }
            let reasons = |asked: Vec<String>| asked.iter().filter(|what| what.starts_with("reason: ")).count();
            let noon = reasons(s.work());
            let later = [HOUR, 10 * HOUR, DAY, DAY].map(|seconds| reasons(s.later(seconds)));
            assert_eq!((noon, later.as_slice()), (expected[0], &expected[1..]), "the rest on the next day");
        });
    }
}

#[test]
fn a_card_that_is_stopped_again_the_same_day_is_asked_about_again() {
    each(|store| {
        let s = unblocked(store, 1, 100);
        let reasons = |asked: Vec<String>| asked.iter().filter(|what| what.starts_with("reason: ")).count();
        let mut stands = |base| {
            s.fake.book().states.insert(0, base);
            reasons(s.later(HOUR + 300))
        };
        assert_eq!([BaseState::Stopped, BaseState::Active, BaseState::Stopped].map(&mut stands), [1, 0, 1]);
    });
}

#[test]
fn a_reason_that_is_refused_waits_for_a_day_and_one_without_an_answer_does_not() {
    each(|store| {
        let s = unblocked(store, 2, 100);
        for card in [0, 1] {
            s.fake.book().states.insert(card, BaseState::Stopped);
        }
        let refused = Answer::Refused { code: "11000".into(), reason: "not for this account".into() };
        s.fake.book().reasons_no.insert(0, refused);
        s.fake.book().reasons_no.insert(1, Answer::InDoubt { reason: "no answer in time".into() });
        let reasons = |asked: Vec<String>| asked.into_iter().filter(|what| what.starts_with("reason: ")).collect::<Vec<_>>();
        assert_eq!(reasons(s.work()), ["reason: 0", "reason: 1"]);
        assert_eq!(reasons(s.later(300)), [""; 0]);
        s.fake.book().reasons_no.remove(&1);
        assert_eq!(reasons(s.later(600)), ["reason: 1"], "it is asked again, and no other");
        s.fake.book().reasons_no.remove(&0);
        assert_eq!(reasons(s.later(DAY - 1_200)), [""; 0]);
        assert_eq!(reasons(s.later(1_200)), ["reason: 0"]);
    });
}

#[test]
fn a_reason_that_is_not_told_is_asked_for_again_after_a_day() {
    each(|store| {
        let s = unblocked(store, 2, 100);
        s.fake.book().states.insert(0, BaseState::Stopped);
        s.fake.book().mute.insert(0);
        let reasons = |asked: Vec<String>| asked.iter().filter(|what| what.starts_with("reason: ")).count();
        assert_eq!(reasons(s.work()), 1);
        assert_eq!(reasons(s.later(DAY - 600)), 0);
        assert_eq!(reasons(s.later(1_200)), 1);
    });
}
