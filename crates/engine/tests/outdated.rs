//! What was read of a card before its carrier confirmed a write about it says nothing of it afterwards. On both engines.

#[allow(dead_code)]
#[path = "sync/scene.rs"]
mod scene;

use kachi_domain::carrier::{Batches, Capabilities, Connector, Fact, Facts};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_engine::card_reads::{self, Ask, What};
use kachi_engine::direct::{Act, Outcome, PAUSE_SECONDS};
use kachi_engine::network::{self, CardKey};
use kachi_engine::{RequestKey, intents};
use kachi_store::Store;
use kachi_store::catalogue::Product;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, World};
use scene::{Scene, day};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const HOUR: i64 = 3_600;

fn able() -> Capabilities {
    Capabilities { facts: Facts::of(&[Fact::State, Fact::Apns]), stop_resume: true, data_switch: true, ..Capabilities::default() }
}

/// Platforms that tell states one by one, of many cards at once, and by a feed; every card is read once.
fn scenes(store: Store, n: usize) -> Scene {
    let batches = Batches { state: 100, ..Batches::default() };
    let can = [able(), Capabilities { batches, ..able() }, Capabilities { changes: true, ..able() }];
    let s = Scene::new(store, can[n], 3);
    s.work();
    s
}

/// Asks for an act; the number of its write, and what is known of it.
fn ask(s: &Scene, card: u64, act: Act, key: &str) -> (i64, Outcome) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let request = RequestKey { door: "test", key: key.into(), number: None, body_hash: String::new(), correct_seconds: 0 };
    let asked = (CardKey::Iccid(World::iccid(card)), act, format!("ref-{key}"));
    let (catalogue, actor) = (s.w.engine.catalogue().expect("a catalogue"), s.w.actor(ACME));
    let outcome = runtime.block_on(s.w.engine.act_now(&catalogue, &actor, request, asked, Duration::ZERO)).expect("it is asked");
    let sim = s.sim(card);
    let last = s.w.engine.read(|tx, _| Ok(tx.intents_of_sim(sim, 1)?)).expect("the database");
    (last.first().map_or(0, |i| i.id), outcome)
}

/// While the platform is asked the next time, the carrier confirms the write.
fn meanwhile(s: &Scene, write: i64) {
    let engine = s.w.engine.clone();
    s.fake.book().meanwhile = Some(Box::new(move || intents::confirm(&engine, write, "the carrier").expect("it is done")));
    s.fake.book().feed.insert(day("03-10"), vec![vec![(0, true)]]);
}

fn blocks(s: &Scene) -> Vec<&'static str> {
    Blocks(s.w.card(0).sim.blocks & !Blocks::PACKAGE.0).names()
}

fn heard(s: &Scene) -> Option<BaseState> {
    let sim = s.sim(0);
    s.w.engine.read(|tx, _| Ok(tx.carrier_word(sim)?)).expect("the database").base()
}

fn power(s: &Scene) -> Option<bool> {
    let sim = s.sim(0);
    s.w.engine.read(|tx, _| Ok(tx.carrier_word(sim)?)).expect("the database").power.map(|(is_on, _)| is_on)
}

#[test]
fn a_state_read_before_a_stop_was_confirmed_is_none_after_it() {
    for n in 0..3 {
        each(|store| {
            let s = scenes(store, n);
            assert_eq!((s.state(0).as_str(), heard(&s)), ("active", Some(BaseState::Active)));
            s.w.pass(2 * HOUR);
            let (write, _) = ask(&s, 0, Act::Stop, "stop");
            s.fake.book().powers.insert(0, true);
            meanwhile(&s, write);
            assert!(!s.work().is_empty());
            assert_eq!((heard(&s), blocks(&s)), (None, vec!["owner_stop"]), "way {n}: it is not known to be on");
            assert_eq!(power(&s), None, "way {n}: nor its device");
            s.w.pass(PAUSE_SECONDS);
            let (resume, outcome) = ask(&s, 0, Act::Resume, "resume");
            assert!(resume > write && outcome == Outcome::Unanswered, "way {n}: its carrier is asked");
            // Read again, without anything in between, it is what the carrier tells.
            s.fake.book().states.insert(0, BaseState::Stopped);
            s.later(2 * HOUR);
            assert_eq!(heard(&s), Some(BaseState::Stopped), "way {n}: it is read again");
            assert!(n == 2 || power(&s) == Some(true), "way {n}: and so is its device");
            meanwhile(&s, resume);
            s.later(2 * HOUR);
            assert_eq!((s.state(0).as_str(), heard(&s), blocks(&s)), ("active", None, vec![]), "way {n}: no stop from before it");
        });
    }
}

#[test]
fn data_that_was_on_before_it_was_switched_off_is_off() {
    each(|store| {
        let s = scenes(store, 1);
        s.w.pass(2 * HOUR);
        let off = || s.w.engine.read(|tx, _| Ok(tx.apns_off(&[s.sim(0)])?.len())).expect("the database");
        let (write, _) = ask(&s, 0, Act::DataOff { apn: None }, "off");
        s.fake.book().apns.insert(0, vec![("CMIOT".into(), true)]);
        meanwhile(&s, write);
        s.work();
        assert_eq!((off(), blocks(&s)), (1, vec!["data_off"]), "what was on before is not on because of it");
        s.later(2 * HOUR);
        assert_eq!((off(), blocks(&s)), (0, vec![]), "what is on afterwards is");
        // The other way round: off before, and let on meanwhile.
        s.w.pass(HOUR);
        let (write, _) = ask(&s, 0, Act::DataOff { apn: None }, "off again");
        intents::confirm(&s.w.engine, write, "the carrier").expect("it is done");
        s.w.pass(HOUR);
        let (write, _) = ask(&s, 0, Act::DataOn { apn: None, margin_percent: 0 }, "on");
        s.fake.book().apns.insert(0, vec![("CMIOT".into(), false)]);
        meanwhile(&s, write);
        s.later(2 * HOUR);
        assert_eq!((off(), blocks(&s)), (0, vec![]), "nor off because of it");
    });
}

#[test]
fn a_network_read_before_a_switch_was_confirmed_is_not_the_cards() {
    each(|store| {
        let can = Capabilities { facts: Facts::of(&[Fact::Network]), network: true, ..able() };
        let s = Scene::new(store, can, 1);
        let offered = s.w.engine.write(|tx, catalogue, _| {
            let known = catalogue.product_by_code("1US-1").expect("a product").clone();
            tx.put_product(&Product { details: r#"{"networks":["ATT","TMO"]}"#.into(), ..known })?;
            Ok(tx.touch_catalogue()?)
        });
        offered.expect("it offers networks");
        let actor = s.w.actor(ACME);
        let asked = s.w.engine.write(move |tx, catalogue, how| {
            network::switch(tx, catalogue, how, &actor, (&CardKey::Iccid(World::iccid(0)), "ATT", "n"))
        });
        asked.expect("it is asked for");
        let write = s.w.engine.read(|tx, _| Ok(tx.intents_of_sim(s.sim(0), 1)?)).expect("the database")[0].id;
        s.fake.book().networks.insert(0, "TMO".into());
        let actor = s.w.actor(ACME);
        let ask = Ask { iccid: World::iccid(0), platform: None, product: None, what: What::Status };
        let asked = s.w.engine.write(move |tx, catalogue, how| card_reads::ask(tx, catalogue, how, &actor, &ask));
        asked.expect("it is asked for");
        let read = || {
            let open: Arc<dyn Connector> = s.fake.clone();
            let read = card_reads::step(&s.w.engine, &HashMap::from([(s.platform, open)]), 7).expect("it is read");
            (read, s.w.card(0).sim.network)
        };
        meanwhile(&s, write);
        assert_eq!(read(), (1, "ATT".into()), "what it was before is not what it is");
        s.w.pass(1);
        assert_eq!(read(), (1, "TMO".into()), "who asked for it is told what it is afterwards");
        s.w.pass(1);
        assert_eq!(read(), (0, "TMO".into()), "and that is all");
    });
}
