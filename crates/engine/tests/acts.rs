//! What is asked of the carrier for a card: networks, sessions, counters and messages, whatever the carrier does. On both
//! engines.

use kachi_connectors::sandbox::Fault;
use kachi_domain::sms::SmsState;
use kachi_domain::{Refusal, Timestamp};
use kachi_engine::network::{self, CardKey, PAUSE_SECONDS, Paced};
use kachi_engine::{Fail, Result, intents, sms};
use kachi_store::intents::Intent;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, World, sim_id};
use serde_json::{Value, json};
use std::sync::mpsc;
use std::time::Duration;

const DAY: i64 = 86_400;

fn world(store: kachi_store::Store, settings: Value) -> (World, Carrier) {
    let w = World::new(store);
    w.add_cards(ACME, 0..4);
    let carrier = Carrier::of(&w.engine, "1US-1", settings, &["ATT", "TMobile"]);
    (w, carrier)
}

fn key(card: u64) -> CardKey {
    CardKey::Iccid(World::iccid(card))
}

fn switch(w: &World, card: u64, network: &'static str, reference: &'static str) -> Result<()> {
    let actor = w.actor(ACME);
    w.engine.write(move |tx, catalogue, how| network::switch(tx, catalogue, how, &actor, (&key(card), network, reference)))
}

fn ask(w: &World, account: kachi_domain::AccountId, card: u64, act: Paced, reference: &str) -> Result<()> {
    let (actor, reference) = (w.actor(account), reference.to_owned());
    w.engine.write(move |tx, catalogue, how| network::ask(tx, catalogue, how, &actor, (&key(card), act, &reference)))
}

fn send(w: &World, card: u64, text: &'static str, number: &'static str) -> Result<()> {
    let actor = w.actor(ACME);
    w.engine.write(move |tx, catalogue, how| sms::send(tx, catalogue, how, &actor, (&World::iccid(card), text, number)))
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// All writes, the newest first.
fn writes(w: &World) -> Vec<Intent> {
    w.engine.read(|tx, _| Ok(tx.intents(false, 1_000)?)).unwrap()
}

fn message(w: &World, number: &str) -> (SmsState, String) {
    let found = w.engine.read(|tx, _| Ok(tx.sms(number)?)).unwrap().expect("a message");
    (found.state, found.note)
}

/// Lets time pass and the workers work until the write has its last word, for two days at most.
fn settle(w: &World, carrier: &Carrier) -> String {
    for _ in 0..300 {
        carrier.work(&w.engine);
        let state = writes(w)[0].state.clone();
        if matches!(state.as_str(), "confirmed" | "refused") {
            return state;
        }
        w.pass(600);
    }
    writes(w)[0].state.clone()
}

#[test]
fn a_write_says_which_account_asked_for_it() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        ask(&w, NORTH, 0, Paced::RefreshUsage, "r-1").unwrap();
        ask(&w, ACME, 0, Paced::CancelSession, "r-2").unwrap();
        switch(&w, 1, "ATT", "r-3").unwrap();
        send(&w, 1, "hello", "r-4").unwrap();
        let north = w.actor(NORTH);
        w.engine.write(move |tx, _, how| kachi_engine::tasks::reset(tx, how, &north, &[World::iccid(2)])).unwrap();
        kachi_engine::tasks::step(&w.engine).unwrap();
        w.buy(3, "C100-30D", "o").unwrap();
        let mut asked: Vec<_> = writes(&w).into_iter().map(|i| i.asked_by).collect();
        asked.reverse();
        assert_eq!(asked, [NORTH, ACME, ACME, ACME, NORTH, ACME].map(Some), "in the order they were asked for");
    });
}

/// What passes, and what a switch then comes to: the write's last state, the network, and how often it was done.
fn faults() -> Vec<(Option<Fault>, &'static str, &'static str, u32)> {
    vec![
        (None, "confirmed", "ATT", 1),
        (Some(Fault::AppliedTimedOut), "confirmed", "ATT", 1),
        (Some(Fault::Garbage), "confirmed", "ATT", 1),
        (Some(Fault::Lost), "confirmed", "ATT", 1),
        (Some(Fault::TokenKilled), "confirmed", "ATT", 1),
        (Some(Fault::Overloaded { seconds: 30 }), "confirmed", "ATT", 1),
        (Some(Fault::Cooling { seconds: 180 }), "confirmed", "ATT", 1),
        (Some(Fault::NeverApplied { forget_seconds: Some(90) }), "confirmed", "ATT", 1),
        (Some(Fault::NeverApplied { forget_seconds: None }), "in_doubt", "", 0),
        (Some(Fault::Refused { code: "12089".into(), reason: "no".into() }), "refused", "", 0),
        (Some(Fault::Hollow), "in_doubt", "", 0),
    ]
}

#[test]
fn a_network_is_another_only_when_the_carrier_shows_it() {
    for (fault, state, network, effects) in faults() {
        each(|store| {
            let (w, carrier) = world(store, json!({"lag_seconds": 60}));
            fault.iter().for_each(|f| carrier.world.fail(f.clone()));
            switch(&w, 0, "ATT", "s-1").unwrap();
            carrier.work(&w.engine);
            assert_eq!(w.card(0).sim.network, "", "{fault:?}: submitted is not done");
            assert_eq!(settle(&w, &carrier), state, "{fault:?}: {:?}", writes(&w)[0].last_answer);
            assert_eq!((w.card(0).sim.network.as_str(), carrier.world.effects("s-1")), (network, effects), "{fault:?}");
            let told = w.events(0).iter().filter(|kind| *kind == "network_switched").count();
            assert_eq!(told, effects as usize, "{fault:?}");
            w.assert_sound();
        });
    }
}

#[test]
fn a_switch_in_doubt_is_closed_by_a_person_and_the_next_one_passes() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        carrier.world.fail(Fault::Hollow);
        switch(&w, 0, "ATT", "s-1").unwrap();
        for _ in 0..3 {
            carrier.work(&w.engine);
            w.pass(1);
        }
        let said = writes(&w)[0].last_answer.clone().unwrap();
        assert!(said.contains("said to be done, but the card's network is none"), "{said}");
        assert_eq!(refusal(switch(&w, 0, "TMobile", "s-2")), Refusal::SwitchBarred);
        intents::refuse(&w.engine, writes(&w)[0].id, "a test", "looked it up").unwrap();
        switch(&w, 0, "TMobile", "s-2").unwrap();
        assert_eq!((settle(&w, &carrier).as_str(), w.card(0).sim.network.as_str()), ("confirmed", "TMobile"));
    });
}

#[test]
fn one_switch_of_a_card_at_a_time() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 60}));
        assert_eq!(refusal(switch(&w, 0, "Verizon", "s-0")), Refusal::NetworkUnfit);
        switch(&w, 0, "ATT", "s-1").unwrap();
        switch(&w, 0, "ATT", "s-2").unwrap();
        assert_eq!(writes(&w).len(), 1, "the same is asked for once");
        carrier.work(&w.engine);
        assert_eq!(refusal(switch(&w, 0, "TMobile", "s-3")), Refusal::SwitchBarred);
        switch(&w, 1, "TMobile", "s-4").unwrap();
        assert_eq!(settle(&w, &carrier), "confirmed");
        assert_eq!(w.card(1).sim.network, "TMobile");
        assert_eq!(w.card(0).sim.network, "ATT");
        switch(&w, 0, "TMobile", "s-5").unwrap();
        assert_eq!((settle(&w, &carrier).as_str(), w.card(0).sim.network.as_str()), ("confirmed", "TMobile"));
        assert_eq!(refusal(switch(&w, 9, "ATT", "s-6")), Refusal::UnknownSim);
    });
}

#[test]
fn a_refreshed_counter_is_kept_with_its_instant_and_never_rated() {
    for fault in [None, Some(Fault::AppliedTimedOut), Some(Fault::Lost), Some(Fault::Cooling { seconds: 180 })] {
        for broken_read in [None, Some(Fault::Lost), Some(Fault::Overloaded { seconds: 30 }), Some(Fault::TokenKilled)] {
            each(|store| {
                let (w, carrier) = world(store, json!({"lag_seconds": 60}));
                let counter = || w.engine.read(|tx, _| Ok(tx.counter(sim_id(&w, 0))?)).unwrap();
                w.buy(0, "Q100-30D", "a").unwrap();
                let before = w.card(0);
                carrier.world.spend(World::iccid(0).as_str(), 7 * MB, w.now());
                fault.iter().for_each(|f| carrier.world.fail(f.clone()));
                broken_read.iter().for_each(|f| carrier.world.fail_read(f.clone()));
                let asked = w.now();
                ask(&w, ACME, 0, Paced::RefreshUsage, "u-1").unwrap();
                carrier.work(&w.engine);
                assert_eq!(counter(), None, "submitted is not done");
                assert_eq!(settle(&w, &carrier), "confirmed", "{fault:?} {broken_read:?}");
                let told = counter().expect("a reading");
                assert_eq!(told.bytes, 7 * MB);
                assert!(asked < told.as_of && told.as_of <= w.now(), "{told:?}");
                let after = w.card(0);
                assert_eq!((after.state.total_used(), after.as_of), (before.state.total_used(), before.as_of), "CDRs rate");
                w.assert_sound();
            });
        }
    }
}

#[test]
fn a_refresh_and_the_end_of_a_session_each_once_in_five_minutes_a_card() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let iccid = World::iccid(0);
        carrier.world.connect(iccid.as_str(), Timestamp(w.now().0 - 60));
        for (n, act) in [Paced::RefreshUsage, Paced::CancelSession, Paced::RefreshCard].into_iter().enumerate() {
            ask(&w, ACME, 0, act, &format!("a-{n}")).unwrap();
            assert_eq!(refusal(ask(&w, ACME, 0, act, "again")), Refusal::TooSoon { seconds: PAUSE_SECONDS });
            assert_eq!(refusal(ask(&w, NORTH, 0, act, "again")), Refusal::TooSoon { seconds: PAUSE_SECONDS }, "whoever asks");
            ask(&w, ACME, 1, act, &format!("b-{n}")).unwrap();
        }
        assert_eq!(writes(&w).len(), 6);
        carrier.work(&w.engine);
        w.pass(PAUSE_SECONDS - 1);
        carrier.work(&w.engine);
        assert_eq!(carrier.world.card(iccid.as_str(), w.now()).sessions, 2, "the device connected anew, once");
        assert_eq!(refusal(ask(&w, ACME, 0, Paced::CancelSession, "again")), Refusal::TooSoon { seconds: 1 });
        w.pass(1);
        ask(&w, ACME, 0, Paced::CancelSession, "c").unwrap();
        carrier.work(&w.engine);
        assert_eq!(carrier.world.card(iccid.as_str(), w.now()).sessions, 3);
    });
}

#[test]
fn of_two_at_once_the_second_is_too_soon() {
    each(|store| {
        let (w, _) = world(store, json!({}));
        let (asked, first_asked) = mpsc::channel();
        let (done, second_done) = mpsc::channel();
        std::thread::scope(|scope| {
            let (actor, engine) = (w.actor(ACME), w.engine.clone());
            scope.spawn(move || {
                let first = engine.write(move |tx, catalogue, how| {
                    network::ask(tx, catalogue, how, &actor, (&key(0), Paced::CancelSession, "first"))?;
                    asked.send(()).unwrap();
                    // Not committed yet: whoever asks now must wait for the end of this.
                    let overtaken = second_done.recv_timeout(Duration::from_millis(300));
                    assert!(overtaken.is_err(), "the second was answered before the first had ended");
                    Ok(())
                });
                first.unwrap();
            });
            first_asked.recv().unwrap();
            let second = ask(&w, NORTH, 0, Paced::CancelSession, "second");
            let _ = done.send(());
            assert_eq!(refusal(second), Refusal::TooSoon { seconds: PAUSE_SECONDS });
        });
        assert_eq!(writes(&w).len(), 1);
    });
}

#[test]
fn the_end_of_a_session_is_asked_for_once_whatever_goes_wrong() {
    for (fault, state, _, effects) in faults().into_iter().filter(|f| f.0 != Some(Fault::Hollow)) {
        each(|store| {
            let (w, carrier) = world(store, json!({"lag_seconds": 60}));
            carrier.world.connect(World::iccid(0).as_str(), w.now());
            fault.iter().for_each(|f| carrier.world.fail(f.clone()));
            ask(&w, ACME, 0, Paced::CancelSession, "c-1").unwrap();
            assert_eq!(settle(&w, &carrier), state, "{fault:?}");
            assert_eq!(carrier.world.effects("c-1"), effects, "{fault:?}");
            assert_eq!(carrier.world.card(World::iccid(0).as_str(), w.now()).sessions, 1 + effects, "{fault:?}");
        });
    }
}

#[test]
fn what_the_platform_cannot_do_is_refused_when_that_is_known() {
    each(|store| {
        let without = json!({"without": ["session_reset", "network", "usage", "sms"]});
        let (w, carrier) = world(store, without);
        ask(&w, ACME, 0, Paced::RefreshUsage, "u-1").unwrap();
        assert_eq!(settle(&w, &carrier), "refused", "not known: found out by asking");
        carrier.remember(&w.engine);
        let before = writes(&w).len();
        assert_eq!(refusal(ask(&w, ACME, 1, Paced::RefreshUsage, "u-2")), Refusal::Unsupported);
        assert_eq!(refusal(ask(&w, ACME, 1, Paced::CancelSession, "c-1")), Refusal::Unsupported);
        assert_eq!(refusal(switch(&w, 1, "ATT", "s-1")), Refusal::Unsupported);
        assert_eq!(writes(&w).len(), before, "nothing was kept");
    });
}

#[test]
fn a_message_keeps_what_became_of_it() {
    use SmsState::{Delivered, Failed, Queued, Sent};
    let refused = Fault::Refused { code: "9".into(), reason: "barred".into() };
    for (fault, first, last, note, delivered) in [
        (None, Sent, Delivered, "delivered", 1),
        (Some(Fault::AppliedTimedOut), Queued, Delivered, "delivered", 1),
        (Some(Fault::Lost), Queued, Delivered, "delivered", 1),
        (Some(Fault::Cooling { seconds: 180 }), Queued, Delivered, "delivered", 1),
        (Some(refused), Failed, Failed, "9 barred", 0),
        (Some(Fault::NeverApplied { forget_seconds: None }), Sent, Sent, "sent, not known to be delivered", 0),
    ] {
        each(|store| {
            let (w, carrier) = world(store, json!({"lag_seconds": 60}));
            fault.iter().for_each(|f| carrier.world.fail(f.clone()));
            send(&w, 0, "hello", "m-1").unwrap();
            assert_eq!(message(&w, "m-1"), (Queued, String::new()));
            carrier.work(&w.engine);
            assert_eq!(message(&w, "m-1").0, first, "{fault:?}");
            settle(&w, &carrier);
            assert_eq!(message(&w, "m-1"), (last, note.to_owned()), "{fault:?}");
            let arrived = carrier.world.card(World::iccid(0).as_str(), w.now()).messages;
            assert_eq!(arrived, vec!["hello"; delivered], "{fault:?}");
        });
    }
}

#[test]
fn a_message_waits_for_a_platform_that_can_send_it_and_says_so() {
    each(|store| {
        let (w, mute) = world(store, json!({"without": ["sms"]}));
        let waits = (SmsState::Queued, "waits: card platform virtual cannot send messages".to_owned());
        send(&w, 0, "one", "m-1").unwrap();
        mute.work(&w.engine);
        assert_eq!(message(&w, "m-1"), waits, "found out by asking");
        send(&w, 0, "two", "m-2").unwrap();
        mute.remember(&w.engine);
        assert_eq!(refusal(send(&w, 0, "three", "m-3")), Refusal::Unsupported, "known before");
        assert!(w.engine.read(|tx, _| Ok(tx.sms("m-3")?)).unwrap().is_none());
        w.pass(DAY);
        mute.work(&w.engine);
        assert_eq!((message(&w, "m-1"), message(&w, "m-2")), (waits.clone(), waits), "a day later too");
        let able = Carrier::of(&w.engine, "1US-1", json!({}), &[]);
        able.remember(&w.engine);
        for _ in 0..3 {
            w.pass(3600);
            able.work(&w.engine);
        }
        assert_eq!((message(&w, "m-1").0, message(&w, "m-2").0), (SmsState::Delivered, SmsState::Delivered));
        assert_eq!(able.world.card(World::iccid(0).as_str(), w.now()).messages, ["one", "two"]);
    });
}
