//! Messages and voice of a card, switched by themselves at its carrier. On both engines.

use kachi_domain::carrier::Function;
use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_domain::{AccountId, Refusal};
use kachi_engine::card_reads::{self, Ask, What};
use kachi_engine::functions::{self, Set};
use kachi_engine::lists::{self, Part};
use kachi_engine::{Fail, Result, diagnose, intents};
use kachi_store::catalogue::Product;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, World};
use serde_json::{Value, json};
use std::cell::Cell;

fn world(store: kachi_store::Store, settings: Value) -> (World, Carrier) {
    let w = World::new(store);
    let carrier = Carrier::of(&w.engine, "1US-1", settings, &[]);
    carrier.remember(&w.engine);
    w.add_cards(ACME, 0..2);
    w.buy(0, "Q100-30D", "n-1").unwrap();
    w.pass(60);
    carrier.work(&w.engine);
    (w, carrier)
}

fn set(w: &World, asked: &Cell<u32>, card: u64, what: (Function, bool)) -> Result<Set> {
    asked.set(asked.get() + 1);
    let (actor, reference) = (w.actor(AccountId(1)), format!("f-{}", asked.get()));
    w.engine.write(move |tx, c, how| functions::set(tx, c, how, &actor, (&World::iccid(card), what, &reference)))
}

#[test]
fn a_cards_messages_and_voice_are_off_when_its_carrier_has_switched_them() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 60}));
        let (asked, off) = (Cell::new(0), |what| (what, false));
        let there = || carrier.world.card(World::iccid(0).as_str(), w.now());
        assert_eq!(set(&w, &asked, 0, (Function::Sms, true)).unwrap(), Set::Already);
        assert_eq!(set(&w, &asked, 0, off(Function::Sms)).unwrap(), Set::Asked);
        assert_eq!(set(&w, &asked, 0, off(Function::Sms)).unwrap(), Set::Waiting);
        carrier.work(&w.engine);
        assert!(w.card(0).blocks().is_empty(), "not before its carrier has done it");
        w.pass(120);
        carrier.work(&w.engine);
        assert_eq!((w.card(0).blocks(), there().functions_off), (Blocks::SMS_OFF, vec![Function::Sms]));
        assert!(there().stopped.is_none(), "the card goes on");
        assert_eq!(set(&w, &asked, 0, off(Function::Voice)).unwrap(), Set::Asked);
        w.pass(120);
        carrier.work(&w.engine);
        w.pass(120);
        carrier.work(&w.engine);
        assert_eq!(w.card(0).blocks().names(), ["sms_off", "voice_off"]);
        let report = diagnose::diagnose(&w.engine, &w.actor(ACME), &World::iccid(0), None).unwrap();
        let found: Vec<_> = report.causes.iter().map(|f| (f.cause.word(), f.cause.row().who.word())).collect();
        assert_eq!(found, [("sms_off", "operator"), ("voice_off", "operator")]);
        let command = report.causes[0].command(World::iccid(0).as_str());
        assert_eq!(command, Some(format!("kachi admin sim sms {} on", World::iccid(0))));
        // What was not sent yet gives way to its contrary.
        assert_eq!(set(&w, &asked, 0, (Function::Sms, true)).unwrap(), Set::Asked);
        assert_eq!(set(&w, &asked, 0, off(Function::Sms)).unwrap(), Set::Asked);
        w.pass(120);
        carrier.work(&w.engine);
        w.pass(120);
        carrier.work(&w.engine);
        assert_eq!(w.card(0).blocks().names(), ["sms_off", "voice_off"]);
        for what in [Function::Sms, Function::Voice] {
            assert_eq!(set(&w, &asked, 0, (what, true)).unwrap(), Set::Asked);
            w.pass(120);
            carrier.work(&w.engine);
            w.pass(120);
            carrier.work(&w.engine);
        }
        assert!(w.card(0).blocks().is_empty() && there().functions_off.is_empty());
        w.assert_sound();
    });
}

/// How many of the account's cards work and how many are stopped, as counted and as listed.
fn stages(w: &World) -> [(i64, Vec<String>); 2] {
    let (now, actor) = (w.now(), w.actor(ACME));
    w.engine.write(move |tx, _, _| lists::settle_parts(tx, ACME, now)).unwrap();
    let counts = w.engine.read(|tx, _| lists::counts(tx, &actor)).unwrap();
    [Stage::Working, Stage::Stopped].map(|stage| {
        let catalogue = w.engine.catalogue().unwrap();
        let page = lists::cards(w.engine.store(), &catalogue, &actor, Some(Part::Of(stage)), (0, 9), now).unwrap();
        (counts.of(stage), page.entries.into_iter().map(|card| card.sim.iccid).collect())
    })
}

/// Data is what is sold: a card without messages works, in every number and list, and one that its carrier stopped does not.
#[test]
fn a_card_without_messages_works_until_it_is_stopped() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let [first, other] = [0, 1].map(|card| World::iccid(card).to_string());
        let (one, both) = ([(1, vec![first.clone()]), (1, vec![other.clone()])], [(0, vec![]), (2, vec![other, first])]);
        assert_eq!(stages(&w), one, "a card with a package and one without");
        set(&w, &Cell::new(0), 0, (Function::Sms, false)).unwrap();
        carrier.work(&w.engine);
        w.pass(120);
        carrier.work(&w.engine);
        assert_eq!((w.card(0).blocks(), stages(&w)), (Blocks::SMS_OFF, one));
        w.assert_sound();
        carrier.world.stand(World::iccid(0).as_str(), BaseState::Stopped, w.now());
        let ask = Ask { iccid: World::iccid(0), platform: None, product: None, what: What::Status };
        let actor = w.actor(ACME);
        w.engine.write(move |tx, catalogue, how| card_reads::ask(tx, catalogue, how, &actor, &ask)).unwrap();
        carrier.read(&w.engine);
        assert_eq!((w.card(0).base_state(), stages(&w)), (BaseState::Stopped, both), "that messages are off is not why");
        w.assert_sound();
    });
}

#[test]
fn the_migration_lists_and_counts_cards_without_messages_as_working() {
    each(|store| {
        let (w, _) = world(store.clone(), json!({}));
        let id = w.card(0).sim.id;
        w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(id, "active", Blocks::QUOTA.0, None)?)).unwrap();
        assert_eq!(stages(&w).map(|s| s.0), [0, 2]);
        // What a card of which messages and voice were off was listed and counted as.
        let run = |statements: &str| kachi_store::db::execute_in(store.place(), statements).unwrap();
        run(&format!("UPDATE sim SET blocks = {} WHERE id = {id}", Blocks::BESIDE_DATA.0));
        assert!(!kachi_engine::audit::audit(&w.engine).unwrap().clean);
        run(match store.place() {
            kachi_store::Place::File(_) => include_str!("../../../migrations/sqlite/0050_beside_data.sql"),
            kachi_store::Place::Postgres(_) => include_str!("../../../migrations/postgres/0050_beside_data.sql"),
        });
        assert_eq!(stages(&w).map(|s| s.0), [1, 1]);
        w.assert_sound();
    });
}

#[test]
fn what_nobody_knows_is_asked_for() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 100 * 86_400}));
        let asked = Cell::new(0);
        assert_eq!(set(&w, &asked, 0, (Function::Sms, false)).unwrap(), Set::Asked);
        carrier.work(&w.engine);
        w.pass(4 * 86_400);
        carrier.work(&w.engine);
        let open = w.engine.read(|tx, _| Ok(tx.last_intent_number()?)).unwrap();
        let left = w.engine.read(move |tx, _| Ok(tx.intent(open)?)).unwrap().expect("the write");
        assert_eq!((left.state.as_str(), left.due_at), ("in_doubt", None), "it is left to a person");
        assert_eq!(set(&w, &asked, 0, (Function::Sms, true)).unwrap(), Set::Asked, "it may be off");
        w.assert_sound();
    });
}

#[test]
fn a_carrier_without_the_switch_keeps_no_block_of_another() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let asked = Cell::new(0);
        assert_eq!(set(&w, &asked, 0, (Function::Sms, false)).unwrap(), Set::Asked);
        for _ in 0..2 {
            w.pass(120);
            carrier.work(&w.engine);
        }
        assert_eq!(w.card(0).blocks(), Blocks::SMS_OFF);
        let other = Carrier::of(&w.engine, "1US-1", json!({"without": ["functions"]}), &[]);
        other.remember(&w.engine);
        assert_eq!(set(&w, &asked, 0, (Function::Sms, true)).unwrap(), Set::Lifted);
        assert!(w.card(0).blocks().is_empty());
        w.assert_sound();
    });
}

/// A write that an earlier carrier of the card has not answered says nothing of how it is at its present one.
#[test]
fn what_another_carrier_was_asked_is_no_word_of_the_present_one() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 100 * 86_400}));
        let asked = Cell::new(0);
        assert_eq!(set(&w, &asked, 0, (Function::Sms, false)).unwrap(), Set::Asked);
        carrier.work(&w.engine);
        let open = w.engine.read(|tx, _| Ok(tx.last_intent_number()?)).unwrap();
        let moved = w.engine.write(|tx, catalogue, _| {
            let can = catalogue.platform_by_code("virtual").and_then(|p| p.capabilities).ok_or_else(|| Fail::fault("known"))?;
            tx.put_platform(0, "other", "sandbox", "{}")?;
            let other = tx.platforms()?.into_iter().find(|p| p.code == "other").ok_or_else(|| Fail::fault("platform"))?.id;
            tx.put_platform_capabilities(other, can)?;
            let known = catalogue.product_by_code("1US-1").ok_or_else(|| Fail::fault("product"))?;
            tx.put_product(&Product { platform: other, ..known.clone() })?;
            Ok(tx.touch_catalogue()?)
        });
        moved.unwrap();
        assert_eq!(set(&w, &asked, 0, (Function::Sms, false)).unwrap(), Set::Asked, "its present carrier was not asked");
        assert_eq!(set(&w, &asked, 0, (Function::Sms, false)).unwrap(), Set::Waiting, "now it was");
        intents::confirm(&w.engine, open, "a person").unwrap();
        assert!(w.card(0).blocks().is_empty(), "what the other one did is over with it");
        w.assert_sound();
    });
}

#[test]
fn a_carrier_that_refuses_or_cannot_changes_nothing() {
    each(|store| {
        let (w, _) = world(store, json!({"without": ["functions"]}));
        let found = set(&w, &Cell::new(0), 0, (Function::Voice, false));
        assert!(matches!(found, Err(Fail::Refused(Refusal::Unsupported))), "{found:?}");
    });
    each(|store| {
        let (w, _) = world(store, json!({}));
        assert_eq!(set(&w, &Cell::new(0), 0, (Function::Voice, false)).unwrap(), Set::Asked);
        let id = w.engine.read(|tx, _| Ok(tx.last_intent_number()?)).unwrap();
        intents::refuse(&w.engine, id, "a person", "not in the contract").unwrap();
        assert!(w.card(0).blocks().is_empty());
        w.assert_sound();
    });
}
