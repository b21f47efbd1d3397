//! Acts that are passed straight to the carrier: its word is the answer, its pauses are kept here too, and nothing is done
//! that was said to have failed. On both engines.

use kachi_connectors::sandbox::Fault;
use kachi_domain::carrier::{Card, Request, Write};
use kachi_domain::diagnose::Cause;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, Refusal, Timestamp};
use kachi_engine::card_reads::{self, Ask, What};
use kachi_engine::direct::{Act, Outcome, PAUSE_SECONDS, VOICE_PAUSE_SECONDS};
use kachi_engine::network::CardKey;
use kachi_engine::{Fail, RequestKey, Result, Settings, intents, sims};
use kachi_store::Store;
use kachi_store::sims::Sim;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line, sim_id};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Cards without a package, which are left on.
fn world(store: Store, mut settings: Value) -> (World, Carrier) {
    settings["stop_cards"] = json!(false);
    let w = World::new(store);
    w.add_cards(ACME, 0..4);
    let carrier = Carrier::of(&w.engine, "1US-1", settings, &[]);
    carrier.remember(&w.engine);
    (w, carrier)
}

fn wait_for(w: &World, account: AccountId, card: u64, act: Act, key: &str, wait: Duration) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let key =
        RequestKey { door: "test", key: key.into(), number: None, body_hash: format!("{card} {act:?}"), correct_seconds: 0 };
    let asked = (CardKey::Iccid(World::iccid(card)), act, format!("ref-{}", key.key));
    let catalogue = w.engine.catalogue().unwrap();
    runtime.block_on(w.engine.act_now(&catalogue, &w.actor(account), key, asked, wait))
}

/// What is known at once.
fn ask(w: &World, card: u64, act: Act, key: &str) -> Result<Outcome> {
    wait_for(w, ACME, card, act, key, Duration::ZERO)
}

/// What comes of it when the workers work, for so many minutes.
fn end(w: &World, carrier: &Carrier, card: u64, act: Act, key: &str, minutes: usize) -> Outcome {
    ask(w, card, act.clone(), key).unwrap();
    for _ in 0..minutes {
        carrier.work(&w.engine);
        w.pass(60);
    }
    ask(w, card, act, key).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Base state and what keeps the card from the network, but for packages.
fn stands(w: &World, card: u64) -> (String, Vec<&'static str>) {
    let sim = w.card(card).sim;
    (sim.state, Blocks(sim.blocks & !Blocks::PACKAGE.0).names())
}

fn place(w: &World, card: u64, base: BaseState, blocks: Blocks) {
    let sim = w.card(card).sim;
    w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, base.word(), sim.blocks | blocks.0, None)?)).unwrap();
}

fn give_apns(w: &World, card: u64, apns: &[&str]) {
    let details = json!({ "apns": apns }).to_string();
    let sim = Sim { details, ..w.card(card).sim };
    w.engine.write(move |tx, catalogue, how| sims::put(tx, catalogue, how, &sim).map(|_| ())).unwrap();
}

fn off(apn: &str) -> Act {
    Act::DataOff { apn: (!apn.is_empty()).then(|| apn.to_owned()) }
}

fn on(apn: &str, margin_percent: u32) -> Act {
    Act::DataOn { apn: (!apn.is_empty()).then(|| apn.to_owned()), margin_percent }
}

fn list(numbers: &str) -> Vec<String> {
    numbers.split_whitespace().map(str::to_owned).collect()
}

fn add(numbers: &str) -> Act {
    Act::VoiceAdd { numbers: list(numbers), group: String::new() }
}

fn delete(numbers: &str) -> Act {
    Act::VoiceDelete { numbers: list(numbers), group: String::new() }
}

fn done(left: &[Cause]) -> Outcome {
    Outcome::Done { left: left.to_vec() }
}

#[test]
fn the_card_is_what_the_carrier_has_confirmed() {
    let (testing, ready, active, stopped) = (BaseState::Testing, BaseState::Ready, BaseState::Active, BaseState::Stopped);
    for (before, act, state, blocks) in [
        (testing, Act::EndTest, "ready", vec![]),
        (ready, Act::Activate, "active", vec![]),
        (active, Act::Stop, "active", vec!["owner_stop"]),
        (stopped, Act::Resume, "active", vec![]),
        (active, off(""), "active", vec!["data_off"]),
        (active, on("", 0), "active", vec![]),
    ] {
        each(|store| {
            let (w, carrier) = world(store, json!({"lag_seconds": 30}));
            carrier.world.stand(World::iccid(0).as_str(), before, w.now());
            place(&w, 0, before, Blocks::NONE);
            assert_eq!(ask(&w, 0, act.clone(), "k").unwrap(), Outcome::Unanswered);
            carrier.work(&w.engine);
            let so_far = ask(&w, 0, act.clone(), "k").unwrap();
            assert!(matches!(so_far, Outcome::Accepted | Outcome::Done { .. }), "{so_far:?}");
            if so_far == Outcome::Accepted {
                assert_eq!(stands(&w, 0), (before.word().to_owned(), vec![]), "accepted is not done");
            }
            let outcome = end(&w, &carrier, 0, act.clone(), "k", 3);
            assert!(matches!(outcome, Outcome::Done { .. }), "{act:?}: {outcome:?}");
            assert_eq!(stands(&w, 0), (state.to_owned(), blocks.clone()), "{act:?} of {before:?}");
            w.assert_sound();
        });
    }
}

#[test]
fn whatever_the_carrier_does_its_word_is_the_answer_and_it_is_done_once_or_never() {
    let no = |code: &str, reason: &str| Outcome::Refused { code: code.into(), reason: reason.into() };
    let stopped = || done(&[Cause::OwnerStop, Cause::NoPackage]);
    for (fault, outcome, effects) in [
        (None, stopped(), 1),
        (Some(Fault::AppliedTimedOut), stopped(), 1),
        (Some(Fault::Garbage), stopped(), 1),
        (Some(Fault::Lost), stopped(), 1),
        (Some(Fault::TokenKilled), stopped(), 1),
        (Some(Fault::NeverApplied { forget_seconds: None }), Outcome::Accepted, 0),
        (Some(Fault::Refused { code: "12089".into(), reason: "not now".into() }), no("12089", "not now"), 0),
        (Some(Fault::Cooling { seconds: 180 }), no("13009", "too many writes for one card"), 0),
        (Some(Fault::Overloaded { seconds: 30 }), no("later", "the platform is overloaded"), 0),
    ] {
        each(|store| {
            let (w, carrier) = world(store, json!({"lag_seconds": 30}));
            fault.iter().for_each(|f| carrier.world.fail(f.clone()));
            assert_eq!(end(&w, &carrier, 0, Act::Stop, "k", 12), outcome, "{fault:?}");
            assert_eq!(carrier.world.effects("ref-k"), effects, "{fault:?}");
            let blocked = !stands(&w, 0).1.is_empty();
            assert_eq!(blocked, effects == 1, "{fault:?}");
            w.assert_sound();
        });
    }
}

#[test]
fn the_same_act_waits_three_minutes_a_card_unless_the_carrier_refused_it() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let soon = |seconds| Refusal::TooSoon { seconds };
        assert!(matches!(end(&w, &carrier, 0, Act::Stop, "a", 2), Outcome::Done { .. }));
        assert_eq!(refusal(ask(&w, 0, Act::Resume, "b")), soon(PAUSE_SECONDS - 120), "stopping and resuming are one interface");
        assert_eq!(refusal(wait_for(&w, NORTH, 0, Act::Stop, "b", Duration::ZERO)), soon(PAUSE_SECONDS - 120), "whoever asks");
        let other = World::open(w.engine.store().clone(), Settings::default());
        other.set_now(w.now().0 + 30);
        assert_eq!(refusal(ask(&other, 0, Act::Stop, "b")), soon(PAUSE_SECONDS - 150), "in whatever process");
        ask(&w, 1, Act::Stop, "c").unwrap();
        ask(&w, 0, off(""), "d").unwrap();
        assert_eq!(refusal(ask(&w, 0, on("", 0), "e")), soon(PAUSE_SECONDS));
        carrier.work(&w.engine);
        w.pass(PAUSE_SECONDS - 121);
        assert_eq!(refusal(ask(&w, 0, Act::Resume, "f")), soon(1));
        w.pass(1);
        carrier.world.fail(Fault::Refused { code: "1".into(), reason: "no".into() });
        assert!(matches!(end(&w, &carrier, 0, Act::Resume, "f", 1), Outcome::Refused { .. }));
        assert_eq!(end(&w, &carrier, 0, Act::Resume, "g", 2), done(&[Cause::DataOff, Cause::NoPackage]));
        assert!(!stands(&w, 0).1.contains(&"owner_stop"));
        w.assert_sound();
    });
}

#[test]
fn the_same_request_asks_once_and_nothing_is_asked_for_a_stranger() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 30}));
        for _ in 0..3 {
            assert_eq!(ask(&w, 0, Act::Stop, "k").unwrap(), Outcome::Unanswered);
        }
        assert_eq!(refusal(ask(&w, 1, Act::Stop, "k")), Refusal::KeyReused);
        assert_eq!(refusal(wait_for(&w, STRANGER, 0, Act::Stop, "s", Duration::ZERO)), Refusal::UnknownSim);
        assert_eq!(refusal(ask(&w, 9, Act::Stop, "n")), Refusal::UnknownSim);
        place(&w, 2, BaseState::Closed, Blocks::NONE);
        assert_eq!(refusal(ask(&w, 2, Act::Activate, "c")), Refusal::SimOver);
        assert_eq!(w.engine.read(|tx, _| Ok(tx.intents(false, 100)?)).unwrap().len(), 1);
        end(&w, &carrier, 0, Act::Stop, "k", 3);
        assert_eq!(carrier.world.effects("ref-k"), 1);
    });
}

#[test]
fn what_another_does_meanwhile_to_the_card_is_not_undone() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        end(&w, &carrier, 0, Act::Stop, "a", 4);
        place(&w, 0, BaseState::Active, Blocks::FORCED);
        let (sim, (ready, is_ready)) = (w.card(0).sim, mpsc::channel());
        let (done, is_done) = mpsc::channel();
        std::thread::scope(|threads| {
            let engine = w.engine.clone();
            threads.spawn(move || {
                let lock = engine.write(move |tx, _, _| {
                    tx.state_locked(sim.id)?;
                    ready.send(()).unwrap();
                    // Whoever asks now must wait for the end of this.
                    assert!(is_done.recv_timeout(Duration::from_millis(300)).is_err());
                    Ok(tx.set_sim_state(sim.id, &sim.state, sim.blocks | Blocks::IMEI_LOCK.0, None)?)
                });
                lock.unwrap();
            });
            is_ready.recv().unwrap();
            // Its owner's stop is taken away, and nothing else.
            let lifted = ask(&w, 0, Act::Resume, "b").unwrap();
            let _ = done.send(());
            assert!(matches!(lifted, Outcome::Done { .. }), "{lifted:?}");
        });
        assert_eq!(stands(&w, 0).1, ["forced", "imei_lock"]);
    });
}

#[test]
fn the_caller_is_woken_by_the_last_word() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let stop = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    carrier.work(&w.engine);
                    w.set_now(w.now().0 + 1);
                }
            });
            let outcome = wait_for(&w, ACME, 0, off(""), "k", Duration::from_secs(60)).unwrap();
            stop.store(true, Ordering::Relaxed);
            assert_eq!(outcome, done(&[Cause::DataOff, Cause::NoPackage]));
        });
    });
}

#[test]
fn a_person_has_the_last_word_where_one_does_the_work() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        for (card, yes) in [(0, true), (1, false)] {
            let key = format!("k{card}");
            ask(&w, card, Act::Stop, &key).unwrap();
            let id = w.engine.read(|tx, _| Ok(tx.intents(true, 1)?)).unwrap()[0].id;
            let word = if yes { intents::confirm(&w.engine, id, "Li") } else { intents::refuse(&w.engine, id, "Li", "no") };
            word.unwrap();
            let outcome = ask(&w, card, Act::Stop, &key).unwrap();
            assert_eq!(matches!(outcome, Outcome::Done { .. }), yes, "{outcome:?}");
            assert_eq!(stands(&w, card).1.len(), usize::from(yes));
        }
    });
}

#[test]
fn of_several_access_points_one_is_named_and_the_card_is_off_when_all_are() {
    each(|store| {
        let (w, carrier) = world(store, json!({"cool_down_seconds": 0}));
        give_apns(&w, 0, &["CMIOT", "M2MIOT"]);
        give_apns(&w, 1, &["CMIOT"]);
        let apns = || list("CMIOT M2MIOT");
        for act in [off(""), on("", 0)] {
            assert_eq!(refusal(ask(&w, 0, act, "a")), Refusal::WhichApn { apns: apns() });
        }
        assert_eq!(refusal(ask(&w, 0, off("CMNET"), "a")), Refusal::UnknownApn { apns: apns() });
        let told = |card: u64| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let catalogue = w.engine.catalogue().unwrap();
            let told = runtime.block_on(w.engine.apns(&catalogue, &w.actor(ACME), vec![sim_id(&w, card)])).unwrap();
            told[0].1.iter().map(|(apn, off)| format!("{apn}:{off}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(0), "CMIOT:false M2MIOT:false");
        assert!(matches!(end(&w, &carrier, 0, off("CMIOT"), "b", 4), Outcome::Done { .. }));
        assert_eq!((told(0).as_str(), stands(&w, 0).1), ("CMIOT:true M2MIOT:false", vec![]));
        // The sandbox has one access point for all: what it is switched to already it says so, which counts as done.
        assert!(matches!(end(&w, &carrier, 0, off("M2MIOT"), "c", 4), Outcome::Done { .. }));
        assert_eq!((told(0).as_str(), stands(&w, 0).1), ("CMIOT:true M2MIOT:true", vec!["data_off"]));
        assert!(matches!(end(&w, &carrier, 0, on("CMIOT", 0), "d", 4), Outcome::Done { .. }));
        assert_eq!((told(0).as_str(), stands(&w, 0).1), ("CMIOT:false M2MIOT:true", vec![]));
        assert!(matches!(end(&w, &carrier, 1, off(""), "e", 4), Outcome::Done { .. }));
        assert_eq!((told(1).as_str(), stands(&w, 1).1), ("CMIOT:true", vec!["data_off"]));
        w.assert_sound();
    });
}

fn off_at(w: &World, card: u64) -> String {
    let off = w.engine.read(|tx, _| Ok(tx.apns_off(&[sim_id(w, card)])?)).unwrap();
    off.into_iter().map(|(_, apn)| apn).collect::<Vec<_>>().join(" ")
}

#[test]
fn data_let_on_without_a_name_is_on_everywhere_where_no_access_point_is_known() {
    each(|store| {
        let (w, carrier) = world(store, json!({"cool_down_seconds": 0}));
        assert!(matches!(end(&w, &carrier, 0, off("CMIOT"), "a", 4), Outcome::Done { .. }));
        assert_eq!((off_at(&w, 0).as_str(), stands(&w, 0).1), ("CMIOT", vec!["data_off"]));
        assert!(matches!(end(&w, &carrier, 0, on("", 0), "b", 4), Outcome::Done { .. }));
        assert_eq!((off_at(&w, 0).as_str(), stands(&w, 0).1), ("", vec![]), "nothing stays off");
        assert!(matches!(end(&w, &carrier, 0, off(""), "c", 4), Outcome::Done { .. }));
        assert_eq!(stands(&w, 0).1, ["data_off"]);
        assert!(matches!(end(&w, &carrier, 0, on("CMNET", 0), "d", 4), Outcome::Done { .. }));
        assert_eq!(stands(&w, 0).1, ["data_off"], "one that is named is that one");
        // One that a carrier told of without a name is no name that others are held against.
        give_apns(&w, 1, &[""]);
        assert!(matches!(end(&w, &carrier, 1, off("CMNET"), "e", 4), Outcome::Done { .. }));
        assert_eq!(off_at(&w, 1), "CMNET");
    });
}

/// The carrier has one access point, `sandbox`.
#[test]
fn access_points_are_as_the_carrier_tells_them() {
    each(|store| {
        let (w, carrier) = world(store, json!({"cool_down_seconds": 0}));
        let read = |card: u64| {
            let ask = Ask { iccid: World::iccid(card), platform: None, product: None, what: What::Info };
            let actor = w.actor(ACME);
            w.engine.write(move |tx, catalogue, how| card_reads::ask(tx, catalogue, how, &actor, &ask)).unwrap();
            carrier.work(&w.engine);
        };
        let names = |card: u64| serde_json::from_str::<Value>(&w.card(card).sim.details).unwrap()["apns"].clone();
        give_apns(&w, 1, &["CMIOT", "M2MIOT"]);
        for card in 0..3 {
            read(card);
        }
        assert_eq!((names(0), names(1)), (json!(["sandbox"]), json!(["CMIOT", "M2MIOT"])), "what a person named stays");
        assert_eq!(off_at(&w, 0), "");
        // Off without a name, before it is known which there are.
        assert!(matches!(end(&w, &carrier, 3, off(""), "a", 4), Outcome::Done { .. }));
        read(3);
        assert_eq!((names(3), off_at(&w, 3).as_str(), stands(&w, 3).1), (json!(["sandbox"]), "sandbox", vec!["data_off"]));
        // The carrier lets it on by itself, and cuts another one.
        let by_itself = |card: u64, write: Write| {
            let card = Card::of_iccid(World::iccid(card).as_str());
            carrier.hand_in(&Request { reference: format!("by itself {}", card.iccid), card, write }, w.now());
            w.pass(60);
        };
        by_itself(3, Write::DataOn { apn: None, kbps: None });
        by_itself(2, Write::DataOff { apn: None });
        read(3);
        read(2);
        assert_eq!((off_at(&w, 3).as_str(), stands(&w, 3).1), ("", vec![]), "data is on there again");
        assert_eq!((off_at(&w, 2).as_str(), stands(&w, 2).1), ("sandbox", vec![]), "it shows, and is no block of its owner's");
        w.assert_sound();
    });
}

#[test]
fn data_comes_back_only_above_the_margin() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        w.buy(0, "Q100-30D", "a").unwrap();
        w.buy(1, "T-7D", "b").unwrap();
        let now = w.now().0;
        w.cdr("one.csv", &line(1, 0, now + 10, now + 20, 71 * MB));
        w.pass(60);
        let below = |left_percent, margin_percent| Refusal::BelowMargin { left_percent, margin_percent };
        assert_eq!(refusal(ask(&w, 0, on("", 30), "a")), below(29, 30));
        assert_eq!(refusal(ask(&w, 0, on("", 29), "a")), below(29, 29));
        assert_eq!(refusal(ask(&w, 2, on("", 1), "a")), below(0, 1), "a card without a package has nothing left");
        assert!(matches!(refusal(ask(&w, 0, on("", 101), "a")), Refusal::BadField { field, .. } if field == "marginrat"));
        ask(&w, 0, on("", 28), "b").unwrap();
        ask(&w, 1, on("", 99), "c").unwrap();
        ask(&w, 2, on("", 0), "d").unwrap();
    });
}

#[test]
fn numbers_by_the_rules_of_the_list() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let on_it = || w.engine.read(|tx, _| Ok(tx.voice_numbers(sim_id(&w, 0))?)).unwrap().join(" ");
        assert!(matches!(refusal(ask(&w, 0, delete("111 222 333"), "x")), Refusal::BadField { field, .. } if field == "content"));
        assert_eq!(end(&w, &carrier, 0, add("111 222 333 444"), "a", 0), Outcome::Unanswered);
        assert_eq!(refusal(ask(&w, 0, add("555"), "b")), Refusal::TooSoon { seconds: VOICE_PAUSE_SECONDS });
        assert_eq!(on_it(), "", "asked for is not done");
        w.pass(VOICE_PAUSE_SECONDS);
        assert_eq!(refusal(ask(&w, 0, add("555 666"), "b")), Refusal::VoiceListFull { max: 5 }, "what is on its way counts");
        assert_eq!(end(&w, &carrier, 0, add("111 222 333 444"), "a", 4), done(&[Cause::NoPackage]));
        assert_eq!(on_it(), "111 222 333 444");
        assert_eq!(end(&w, &carrier, 0, add("444 555"), "c", 4), done(&[Cause::NoPackage]));
        assert_eq!(refusal(ask(&w, 0, add("666"), "d")), Refusal::VoiceListFull { max: 5 });
        carrier.world.fail(Fault::Refused { code: "12144".into(), reason: "used up".into() });
        assert!(matches!(end(&w, &carrier, 0, delete("111"), "e", 4), Outcome::Refused { code, .. } if code == "12144"));
        assert_eq!(end(&w, &carrier, 0, delete("111 555"), "f", 4), done(&[Cause::NoPackage]));
        assert_eq!(on_it(), "222 333 444");
        assert_eq!(refusal(ask(&w, 0, delete("222"), "g")), Refusal::VoiceDeleteUsedUp);
        assert_eq!(end(&w, &carrier, 0, add("666 777"), "h", 4), done(&[Cause::NoPackage]));
        w.set_now(Timestamp::parse_rfc3339("2026-03-31T15:59:59Z").unwrap().0);
        assert_eq!(refusal(ask(&w, 0, delete("222"), "g")), Refusal::VoiceDeleteUsedUp);
        w.set_now(w.now().0 + 1);
        assert_eq!(end(&w, &carrier, 0, delete("222"), "g", 4), done(&[Cause::NoPackage]));
        assert_eq!(on_it(), "333 444 666 777");
        w.assert_sound();
    });
}

#[test]
fn a_card_that_others_keep_off_is_not_let_on_by_its_owner() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        end(&w, &carrier, 0, Act::Stop, "a", 4);
        place(&w, 0, BaseState::Active, Blocks::FORCED);
        let kept = done(&[Cause::NoPackage, Cause::Forced]);
        assert_eq!(end(&w, &carrier, 0, Act::Resume, "b", 4), kept);
        assert!(carrier.world.card(World::iccid(0).as_str(), w.now()).stopped.is_some(), "the carrier was not asked");
        assert_eq!(stands(&w, 0).1, ["forced"]);
    });
}
