//! Carrier writes of one card: in their order, none that nobody wants any more, none that another's purchase answers for, and
//! in the end the card stands at its carrier as it does here. On both engines, against the virtual carrier.

#[path = "order_parts/agree.rs"]
mod agree;
#[path = "order_parts/bare.rs"]
mod bare;
#[path = "order_parts/close.rs"]
mod close;
#[path = "order_parts/doors.rs"]
mod doors;
#[path = "order_parts/owed.rs"]
mod owed;
#[path = "order_parts/purchases.rs"]
mod purchases;
#[path = "order_parts/refused.rs"]
mod refused;
#[path = "order_parts/service.rs"]
mod service;

use kachi_connectors::sandbox::{Card, Fault};
use kachi_domain::carrier::Write;
use kachi_domain::ids::Imei;
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Refusal};
use kachi_engine::direct::{Act, Outcome};
use kachi_engine::imei::{self, Joined};
use kachi_engine::network::{self, CardKey, Paced};
use kachi_engine::stock::Key;
use kachi_engine::switch::{self, Switched};
use kachi_engine::{Fail, RequestKey, Result, Settings};
use kachi_store::Store;
use kachi_store::imei::ImeiGroup;
use kachi_store::intents::Intent;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, World, line_in};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};

/// The device of the group, and another.
const OWN: i64 = 867_530_912_345_678;
const FOREIGN: i64 = 355_000_000_000_017;
/// Seconds until an unlocked card may be unlocked again.
const UNLOCK_PAUSE: i64 = 300;
const PATIENCE: i64 = 72 * 3600;

static RECORDS: AtomicI64 = AtomicI64::new(1);

/// Cards 0 to 3 at a virtual carrier whose powers are known; the first two in an IMEI group.
fn world(store: Store, settings: Value) -> (World, Carrier) {
    let w = World::with(store, Settings { last_word_seconds: PATIENCE, ..Settings::default() });
    w.add_cards(ACME, 0..4);
    let carrier = Carrier::of(&w.engine, "1US-1", settings, &["ATT", "TMobile"]);
    carrier.remember(&w.engine);
    let group = ImeiGroup { id: 7, account: ACME, code: "g7".into(), unlocks_per_month: 1_000, bound_sim: None };
    let (made, operator) = (group.clone(), w.actor(AccountId(1)));
    let fill = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &kachi_engine::cards::Settling| {
        tx.add_imei_group(&made, how.now)?;
        tx.add_imei(&made, &Imei::parse(&OWN.to_string()).expect("an IMEI"))?;
        for card in 0..2 {
            let joined = imei::join(tx, catalogue, how, &operator, (&World::iccid(card), &group), None)?;
            assert_eq!(joined, Joined::Joined);
        }
        Ok(())
    };
    w.engine.write(fill).expect("a group");
    for card in 0..4 {
        w.buy(card, "Q100-30D", &format!("first {card}")).expect("a package");
    }
    assert_eq!(writes(&w).len(), 0, "a card that is on is not let on");
    w.pass(60);
    (w, carrier)
}

/// The card is seen in a device that is not its group's.
fn lock(w: &World, card: u64) {
    let (id, now) = (RECORDS.fetch_add(1, Ordering::SeqCst), w.now().0);
    w.cdr(&format!("seen {id}"), &line_in(id, card, now - 1, now, 0, FOREIGN));
}

fn unlock(w: &World, card: u64) -> Result<i64> {
    let actor = w.actor(ACME);
    w.engine.write(move |tx, catalogue, how| imei::unlock(tx, catalogue, how, &actor, &World::iccid(card)))
}

/// Cards without a package, of the same product, in the same group.
fn add_bare(w: &World, cards: std::ops::Range<u64>) {
    w.add_cards(ACME, cards.clone());
    let operator = w.actor(AccountId(1));
    let join = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &kachi_engine::cards::Settling| {
        let group = tx.imei_group(7)?.expect("the group");
        for card in cards.clone() {
            imei::join(tx, catalogue, how, &operator, (&World::iccid(card), &group), None)?;
        }
        Ok(())
    };
    w.engine.write(join).expect("they are in");
    w.pass(60);
}

/// With us the card stands so from now on.
fn place(w: &World, card: u64, base: BaseState) {
    let sim = w.card(card).sim;
    w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, base.word(), sim.blocks, None)?)).expect("it stands so");
}

/// The act passed straight to the carrier, and what is known of it at once.
fn directly(w: &World, card: u64, act: Act, key: &str) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let key =
        RequestKey { door: "test", key: key.into(), number: None, body_hash: format!("{card} {act:?}"), correct_seconds: 0 };
    let asked = (CardKey::Iccid(World::iccid(card)), act, format!("ref-{}", key.key));
    let catalogue = w.engine.catalogue().expect("catalogue");
    runtime.block_on(w.engine.act_now(&catalogue, &w.actor(ACME), key, asked, std::time::Duration::ZERO))
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn switch(w: &World, card: u64, write: Write, reference: &str) -> Result<Switched> {
    let (actor, reference, key) = (w.actor(ACME), reference.to_owned(), Key::Iccid(World::iccid(card)));
    w.engine.write(move |tx, catalogue, how| switch::switch(tx, catalogue, how, &actor, (&key, write, &reference)))
}

/// All writes, the oldest first.
fn writes(w: &World) -> Vec<Intent> {
    let mut all = w.engine.read(|tx, _| Ok(tx.intents(false, 10_000)?)).expect("writes");
    all.reverse();
    all
}

fn request(intent: &Intent) -> Value {
    serde_json::from_str(&intent.request).expect("JSON")
}

/// What was asked for a card and what became of it, the oldest first: `stop confirmed, resume stored`.
fn story(w: &World, card: u64) -> String {
    let iccid = World::iccid(card).to_string();
    let line = |i: &Intent| format!("{} {}", request(i)["write"]["act"].as_str().expect("an act"), i.state);
    let all = writes(w);
    all.iter().filter(|i| request(i)["iccid"] == iccid).map(line).collect::<Vec<_>>().join(", ")
}

/// How often the n-th write was done.
fn effects(w: &World, carrier: &Carrier, n: usize) -> u32 {
    carrier.world.effects(request(&writes(w)[n])["reference"].as_str().expect("a reference"))
}

/// The card as it is at its carrier.
fn there(w: &World, carrier: &Carrier, card: u64) -> Card {
    carrier.world.card(World::iccid(card).as_str(), w.now())
}

fn is_off(w: &World, carrier: &Carrier, card: u64) -> bool {
    there(w, carrier, card).stopped.is_some()
}

/// Lets time pass by whole steps, and the workers work.
fn work(w: &World, carrier: &Carrier, seconds: i64, step: i64) {
    for _ in 0..seconds / step {
        carrier.work(&w.engine);
        w.pass(step);
    }
    carrier.work(&w.engine);
}

const OVERLOADED: Fault = Fault::Overloaded { seconds: 12 };

#[test]
fn a_lock_that_the_carrier_never_heard_of_goes_with_its_lift() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        carrier.world.fail(OVERLOADED);
        lock(&w, 0);
        carrier.work(&w.engine);
        assert_eq!(story(&w, 0), "stop stored");
        unlock(&w, 0).expect("it is unlocked");
        work(&w, &carrier, 60, 1);
        assert_eq!(story(&w, 0), "stop superseded, resume confirmed");
        assert_eq!(effects(&w, &carrier, 0), 0, "the stop was never sent");
        assert!(!is_off(&w, &carrier, 0));
        w.assert_sound();
    });
}

#[test]
fn what_was_sent_has_its_last_word_before_its_contrary_is_sent() {
    for fault in [Fault::AppliedTimedOut, Fault::Lost, Fault::Garbage, Fault::NeverApplied { forget_seconds: Some(90) }] {
        each(|store| {
            let (w, carrier) = world(store, json!({"lag_seconds": 5}));
            carrier.world.fail(fault.clone());
            lock(&w, 0);
            carrier.work(&w.engine);
            unlock(&w, 0).expect("it is unlocked");
            for _ in 0..300 {
                carrier.work(&w.engine);
                let all = writes(&w);
                assert!(all[0].state == "confirmed" || all[1].attempts == 0, "{fault:?}: {}", story(&w, 0));
                w.pass(1);
            }
            assert_eq!(story(&w, 0), "stop confirmed, resume confirmed", "{fault:?}");
            assert_eq!([0, 1].map(|n| effects(&w, &carrier, n)), [1, 1], "{fault:?}");
            assert!(!is_off(&w, &carrier, 0), "{fault:?}");
            w.assert_sound();
        });
    }
}

#[test]
fn a_write_waits_for_those_about_the_same_matter_alone() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        carrier.world.fail(Fault::NeverApplied { forget_seconds: None });
        switch(&w, 0, Write::Stop, "s").expect("it is asked for");
        carrier.work(&w.engine);
        let (actor, key) = (w.actor(ACME), CardKey::Iccid(World::iccid(0)));
        let ask = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &_| {
            network::ask(tx, catalogue, how, &actor, (&key, Paced::RefreshUsage, "u"))?;
            network::switch(tx, catalogue, how, &actor, (&key, "ATT", "n"))
        };
        w.engine.write(ask).expect("they are asked for");
        lock(&w, 0);
        work(&w, &carrier, 30, 1);
        assert_eq!(
            story(&w, 0),
            "stop sent, refresh_usage confirmed, switch_network confirmed",
            "the lock asks for no second stop"
        );
        // Unlocked, its owner's stop stands and nothing else is wanted; the owner cannot take back what was sent.
        unlock(&w, 0).expect("it is unlocked");
        assert!(matches!(switch(&w, 0, Write::Resume, "r"), Err(Fail::Refused(Refusal::SwitchBarred))));
        assert_eq!(writes(&w).len(), 3);
        w.assert_sound();
    });
}

#[test]
fn what_is_left_to_a_person_holds_up_nothing_and_goes_when_its_contrary_is_asked_for() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        carrier.world.fail(Fault::NeverApplied { forget_seconds: None });
        switch(&w, 0, Write::Stop, "s").expect("it is asked for");
        work(&w, &carrier, PATIENCE + 1_800, 600);
        assert_eq!(story(&w, 0), "stop in_doubt");
        let on = switch(&w, 0, Write::Resume, "r").expect("it is on");
        assert!(matches!(on, Switched::Already { .. }), "with us it never was off: {on:?}");
        lock(&w, 0);
        work(&w, &carrier, 3, 1);
        assert_eq!(story(&w, 0), "stop superseded, stop confirmed");
        unlock(&w, 0).expect("it is unlocked");
        work(&w, &carrier, 3, 1);
        assert_eq!(story(&w, 0), "stop superseded, stop confirmed, resume confirmed");
        assert!(!is_off(&w, &carrier, 0));
    });
}

#[test]
fn an_owners_act_that_was_not_sent_gives_way_to_his_contrary_and_to_nobody_elses() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        carrier.world.fail(OVERLOADED);
        switch(&w, 0, Write::Stop, "s-1").expect("it is asked for");
        carrier.work(&w.engine);
        assert_eq!(switch(&w, 0, Write::Stop, "s-2").expect("it is one with the first"), Switched::Waiting);
        let asked = switch(&w, 0, Write::Resume, "r-1").expect("the stop was not sent");
        assert!(matches!(asked, Switched::Asked { .. }), "{asked:?}");
        work(&w, &carrier, 30, 1);
        assert_eq!((story(&w, 0).as_str(), is_off(&w, &carrier, 0)), ("stop superseded, resume confirmed", false));
        switch(&w, 0, Write::Stop, "s-3").expect("it is asked for");
        work(&w, &carrier, 3, 1);
        carrier.world.fail(OVERLOADED);
        switch(&w, 0, Write::Resume, "r-2").expect("it is asked for");
        carrier.work(&w.engine);
        // The lock waits behind the owner's resume, which is his to give up.
        lock(&w, 0);
        work(&w, &carrier, 30, 1);
        assert_eq!(
            story(&w, 0).split(", ").skip(2).collect::<Vec<_>>(),
            ["stop confirmed", "resume confirmed", "stop confirmed"]
        );
        assert!(is_off(&w, &carrier, 0));
        unlock(&w, 0).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert!(!is_off(&w, &carrier, 0));
        // A stop that was not sent, and then a lock: the owner's lets go, the lock's stays.
        carrier.world.fail(OVERLOADED);
        switch(&w, 0, Write::Stop, "s-4").expect("it is asked for");
        carrier.work(&w.engine);
        w.pass(UNLOCK_PAUSE);
        lock(&w, 0);
        let lifted = switch(&w, 0, Write::Resume, "r-4").expect("it is let go");
        assert!(matches!(lifted, Switched::Lifted { .. }), "{lifted:?}");
        work(&w, &carrier, 3, 1);
        assert_eq!((w.card(0).blocks().names(), is_off(&w, &carrier, 0)), (vec!["imei_lock"], true));
        w.assert_sound();
    });
}

#[test]
fn a_switch_that_does_not_show_bars_no_other_after_ten_minutes() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let switch = |network: &'static str, reference: &'static str| {
            let (actor, key) = (w.actor(ACME), CardKey::Iccid(World::iccid(0)));
            w.engine.write(move |tx, catalogue, how| network::switch(tx, catalogue, how, &actor, (&key, network, reference)))
        };
        carrier.world.fail(OVERLOADED);
        switch("TMobile", "n-0").expect("it is asked for");
        carrier.work(&w.engine);
        carrier.world.fail(Fault::Hollow);
        switch("ATT", "n-1").expect("the first was not sent");
        work(&w, &carrier, network::DOUBT_SECONDS - 10, 10);
        w.pass(9);
        assert_eq!(story(&w, 0), "switch_network superseded, switch_network in_doubt");
        assert!(matches!(switch("TMobile", "n-2"), Err(Fail::Refused(Refusal::SwitchBarred))));
        switch("ATT", "n-3").expect("it is one with the first");
        assert_eq!(writes(&w).len(), 2);
        w.pass(1);
        switch("TMobile", "n-4").expect("the one in doubt gives way");
        work(&w, &carrier, 5, 1);
        assert_eq!(story(&w, 0), "switch_network superseded, switch_network superseded, switch_network confirmed");
        assert_eq!(w.card(0).sim.network, "TMobile");
        // Without another wish a doubt ends too: it is left to a person, and bars nothing.
        carrier.world.fail(Fault::Hollow);
        switch("ATT", "n-5").expect("it is asked for");
        work(&w, &carrier, PATIENCE + 1_800, 600);
        assert!(writes(&w)[3].due_at.is_none());
        switch("ATT", "n-6").expect("it is asked for anew");
        work(&w, &carrier, 5, 1);
        assert_eq!(w.card(0).sim.network, "ATT");
    });
}
