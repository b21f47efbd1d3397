//! One card asked about at two doors: neither gets round what keeps it off, and each sees what the other has asked for.

use super::*;
use kachi_domain::diagnose::Cause;
use kachi_engine::switch::{Force, Forced};
use kachi_testkit::world::{MB, line};

fn spend(w: &World, card: u64, megabytes: i64) {
    let (id, at) = (RECORDS.fetch_add(1, Ordering::SeqCst), w.now().0);
    w.cdr(&format!("use {id}"), &line(id, card, at - 1, at, megabytes * MB));
}

fn kept_off(by: Cause) -> Refusal {
    Refusal::KeptOff { by: vec![by] }
}

#[test]
fn no_door_lets_a_card_on_whose_packages_are_used_up() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        spend(&w, 0, 100);
        work(&w, &carrier, 5, 1);
        assert!(is_off(&w, &carrier, 0));
        for act in [Act::Resume, Act::Activate, Act::EndTest] {
            assert_eq!(refusal(directly(&w, 0, act.clone(), &format!("{act:?}"))), kept_off(Cause::Quota), "{act:?}");
        }
        let already = switch(&w, 0, Write::Resume, "r").expect("there is nothing to lift");
        assert_eq!(already, Switched::Already { left: vec![Cause::Quota] });
        // Not only the stop that stands: also one that is to come.
        carrier.world.fail(OVERLOADED);
        spend(&w, 1, 100);
        carrier.work(&w.engine);
        assert_eq!(refusal(directly(&w, 1, Act::Activate, "a-1")), kept_off(Cause::Quota));
        work(&w, &carrier, 60, 1);
        assert_eq!([0, 1].map(|n| story(&w, n)), ["stop confirmed", "stop confirmed"]);
        assert!(is_off(&w, &carrier, 0) && is_off(&w, &carrier, 1));
        w.assert_sound();
    });
}

#[test]
fn activating_and_ending_a_test_are_no_ways_round_a_stop() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        add_bare(&w, 10..13);
        // Locked, whatever it was before; the stop is not given up.
        for (card, base) in [(10, BaseState::Ready), (11, BaseState::Active)] {
            carrier.world.stand(World::iccid(card).as_str(), base, w.now());
            place(&w, card, base);
            carrier.world.fail(OVERLOADED);
            lock(&w, card);
            carrier.work(&w.engine);
            for act in [Act::Activate, Act::EndTest] {
                let refused = refusal(directly(&w, card, act.clone(), &format!("{card} {act:?}")));
                assert_eq!(refused, kept_off(Cause::ImeiLock), "{act:?}");
            }
            work(&w, &carrier, 60, 1);
            assert_eq!((story(&w, card).as_str(), is_off(&w, &carrier, card)), ("stop confirmed", true));
        }
        // Stopped by whomever: a resume lets it on, and nothing else.
        place(&w, 12, BaseState::Stopped);
        for act in [Act::Activate, Act::EndTest] {
            assert_eq!(refusal(directly(&w, 12, act.clone(), &format!("{act:?}"))), kept_off(Cause::Stopped), "{act:?}");
        }
        // A stop that is on its way counts.
        switch(&w, 2, Write::Stop, "s").expect("it is asked for");
        for act in [Act::Activate, Act::EndTest] {
            assert_eq!(refusal(directly(&w, 2, act.clone(), &format!("2 {act:?}"))), kept_off(Cause::Stopped), "{act:?}");
        }
        // One that is on has no test to end.
        let done = directly(&w, 3, Act::EndTest, "e").expect("it has ended");
        assert_eq!((done, story(&w, 3).as_str()), (Outcome::Done { left: vec![] }, ""));
        w.assert_sound();
    });
}

#[test]
fn what_the_operator_forces_off_stays_off_until_he_lifts_it() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let force = |force: Force, why: &'static str| {
            let operator = w.actor(AccountId(1));
            w.engine.write(move |tx, catalogue, how| {
                switch::force(tx, catalogue, how, &operator, (&World::iccid(0), force, "Li", why))
            })
        };
        assert!(matches!(refusal(force(Force::Stop, " ")), Refusal::BadField { field, .. } if field == "reason"));
        assert_eq!(force(Force::Stop, "fraud").expect("it is forced off"), Forced::Changed);
        assert_eq!(force(Force::Stop, "fraud").expect("it is so"), Forced::Already);
        work(&w, &carrier, 5, 1);
        assert_eq!((w.card(0).blocks().names(), is_off(&w, &carrier, 0)), (vec!["forced"], true));
        assert_eq!(refusal(switch(&w, 0, Write::Resume, "r")), kept_off(Cause::Forced));
        for act in [Act::Resume, Act::Activate, Act::EndTest] {
            assert_eq!(refusal(directly(&w, 0, act.clone(), &format!("{act:?}"))), kept_off(Cause::Forced), "{act:?}");
        }
        assert_eq!(force(Force::Lift, "settled").expect("it is lifted"), Forced::Changed);
        work(&w, &carrier, 5, 1);
        assert_eq!((story(&w, 0).as_str(), is_off(&w, &carrier, 0)), ("stop confirmed, resume confirmed", false));
        assert_eq!(w.events(0).iter().filter(|kind| *kind == "sim_state_changed").count(), 2, "both are on its record");
        w.assert_sound();
    });
}

#[test]
fn a_resume_asked_for_again_is_refused_once_the_operator_has_forced_the_card_off() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        add_bare(&w, 10..11);
        for (card, base, sent) in [(0, BaseState::Stopped, "resume"), (10, BaseState::Ready, "activate")] {
            carrier.world.stand(World::iccid(card).as_str(), base, w.now());
            place(&w, card, base);
            carrier.world.fail(Fault::NeverApplied { forget_seconds: None });
            let resume = |n: u8| switch(&w, card, Write::Resume, &format!("{card} {n}"));
            assert!(matches!(resume(1), Ok(Switched::Asked { .. })));
            carrier.work(&w.engine);
            assert_eq!(resume(2).expect("it is one with the first"), Switched::Waiting);
            let operator = w.actor(AccountId(1));
            let forced = w.engine.write(move |tx, catalogue, how| {
                switch::force(tx, catalogue, how, &operator, (&World::iccid(card), Force::Stop, "Li", "fraud"))
            });
            assert_eq!(forced.expect("it is forced off"), Forced::Changed);
            assert_eq!(refusal(resume(3)), kept_off(Cause::Forced), "card {card}");
            assert_eq!(story(&w, card), format!("{sent} sent, stop stored"));
        }
        w.assert_sound();
    });
}

#[test]
fn a_door_sees_what_another_has_asked_for() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 30}));
        switch(&w, 0, Write::Stop, "s-1").expect("it is asked for");
        work(&w, &carrier, 60, 5);
        directly(&w, 0, Act::Resume, "r-1").expect("it is asked for");
        carrier.work(&w.engine);
        // It is stopped here still, and is being let on.
        assert_eq!(refusal(switch(&w, 0, Write::Stop, "s-2")), Refusal::SwitchBarred);
        assert_eq!(switch(&w, 0, Write::Resume, "r-2").expect("it is one with the first"), Switched::Waiting);
        work(&w, &carrier, 60, 5);
        let asked = switch(&w, 0, Write::Stop, "s-3").expect("it is asked for");
        assert!(matches!(asked, Switched::Asked { .. }), "{asked:?}");
        work(&w, &carrier, 60, 5);
        assert!(is_off(&w, &carrier, 0), "the last wish counts");
        // What was not sent gives way at once, and counts for no pause.
        w.pass(180);
        directly(&w, 0, Act::Resume, "r-3").expect("it is asked for");
        switch(&w, 0, Write::Stop, "s-4").expect("the resume was not sent");
        work(&w, &carrier, 60, 5);
        assert!(is_off(&w, &carrier, 0), "{}", story(&w, 0));
        directly(&w, 0, Act::Resume, "r-5").expect("no resume was sent for three minutes");
        work(&w, &carrier, 60, 5);
        assert!(!is_off(&w, &carrier, 0), "{}", story(&w, 0));
        w.assert_sound();
    });
}

#[test]
fn a_doubt_about_which_the_carrier_is_being_asked_is_not_given_up() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let switch = |network: &'static str, reference: &'static str| {
            let (actor, key) = (w.actor(ACME), CardKey::Iccid(World::iccid(0)));
            w.engine.write(move |tx, catalogue, how| network::switch(tx, catalogue, how, &actor, (&key, network, reference)))
        };
        carrier.world.fail(Fault::Hollow);
        switch("ATT", "n-1").expect("it is asked for");
        work(&w, &carrier, network::DOUBT_SECONDS + 600, 10);
        assert_eq!(story(&w, 0), "switch_network in_doubt");
        let (platform, lease) = (*carrier.connectors.keys().next().expect("a platform"), 30);
        w.pass(600);
        let claim = move |tx: &mut kachi_store::Tx<'_>, _: &_, how: &kachi_engine::cards::Settling| {
            Ok(tx.claim_intents(how.now, (how.now.plus(lease), -1), (platform, &[]), 10)?.len())
        };
        assert_eq!(w.engine.write(claim).expect("it is claimed"), 1);
        assert_eq!(refusal(switch("TMobile", "n-2")), Refusal::SwitchBarred, "a worker has it on the wire");
        w.pass(lease + 1);
        switch("TMobile", "n-3").expect("the worker is gone");
        work(&w, &carrier, 5, 1);
        assert_eq!(story(&w, 0), "switch_network superseded, switch_network confirmed");
    });
}
