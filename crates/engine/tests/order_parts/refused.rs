//! A card stands as on when its carrier has let it on: an activation that is confirmed counts whatever was read meanwhile, and
//! one that is refused is none; what wants the card on then asks again, once.

use super::*;
use kachi_domain::diagnose::Cause;
use kachi_engine::card_reads::{self, Ask, What};
use kachi_engine::diagnose;
use kachi_testkit::world::{MB, line};

const DAY: i64 = 86_400;

/// Card 9, which its carrier is to activate.
const NEW: u64 = 9;

fn no() -> Fault {
    Fault::Refused { code: "12000".into(), reason: "not granted".into() }
}

fn new_card(w: &World, carrier: &Carrier, base: BaseState) {
    w.add_cards(ACME, NEW..NEW + 1);
    carrier.world.stand(World::iccid(NEW).as_str(), base, w.now());
    place(w, NEW, base);
}

/// Has the card read at its carrier.
pub(super) fn read(w: &World, carrier: &Carrier, card: u64) {
    let ask = Ask { iccid: World::iccid(card), platform: None, product: None, what: What::Status };
    let actor = w.actor(ACME);
    w.engine.write(move |tx, catalogue, how| card_reads::ask(tx, catalogue, how, &actor, &ask)).expect("asked");
    carrier.read(&w.engine);
}

fn next_write_meets(carrier: &Carrier, card: u64, fault: Fault) {
    carrier.world.fail_card(World::iccid(card).as_str(), fault);
}

fn spend(w: &World, card: u64, megabytes: i64, at: i64) {
    let id = RECORDS.fetch_add(1, Ordering::SeqCst);
    w.cdr(&format!("use {id}"), &line(id, card, at - 1, at, megabytes * MB));
}

/// The cards that the doctor names.
fn not_let_on(w: &World) -> Vec<String> {
    kachi_engine::not_let_on_cards(&w.engine, 10).expect("cards")
}

/// What is to be done, as a person is told it.
fn advice(w: &World, card: u64) -> Vec<(Cause, Option<String>)> {
    let iccid = World::iccid(card);
    let report = diagnose::diagnose(&w.engine, &w.actor(ACME), &iccid, None).expect("a report");
    let one = |f: &kachi_domain::diagnose::Found| (f.cause, f.cause.row().act.command(iccid.as_str(), &f.of));
    report.causes.iter().map(one).collect()
}

#[test]
fn an_activation_that_is_confirmed_counts_whatever_was_read_meanwhile() {
    for base in [BaseState::Inventory, BaseState::Testing, BaseState::Ready] {
        each(|store| {
            let (w, carrier) = world(store, json!({}));
            new_card(&w, &carrier, base);
            next_write_meets(&carrier, NEW, Fault::Cooling { seconds: 180 });
            w.buy(NEW, "Q100-30D", "a").expect("a package");
            carrier.work(&w.engine);
            w.pass(30);
            read(&w, &carrier, NEW);
            assert_eq!((story(&w, NEW).as_str(), w.card(NEW).base_state()), ("activate stored", base), "so it stands there");
            work(&w, &carrier, 180, 10);
            let stands = (w.card(NEW).base_state(), there(&w, &carrier, NEW).base());
            assert_eq!((story(&w, NEW).as_str(), stands), ("activate confirmed", (BaseState::Active, BaseState::Active)));
            assert!(not_let_on(&w).is_empty());
            w.assert_sound();
        });
    }
}

#[test]
fn an_activation_that_has_no_last_word_is_asked_for_once_more_whatever_was_read_meanwhile() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        new_card(&w, &carrier, BaseState::Ready);
        next_write_meets(&carrier, NEW, Fault::Hollow);
        w.buy(NEW, "Q100-30D", "a").expect("a package");
        carrier.work(&w.engine);
        read(&w, &carrier, NEW);
        work(&w, &carrier, PATIENCE + 3_600, 600);
        let stands = (w.card(NEW).base_state(), there(&w, &carrier, NEW).base());
        let both = (BaseState::Active, BaseState::Active);
        assert_eq!((story(&w, NEW).as_str(), stands), ("activate superseded, activate confirmed", both));
        w.assert_sound();
    });
}

/// What wants a card on, tried on one whose activation or resume was refused.
type Want = (&'static str, fn(&World, &Carrier, u64));

const WANTS: [Want; 3] = [
    ("an order", |w, _, card| drop(w.buy(card, "Q100-30D", "c").expect("a package"))),
    ("the start of the next", |w, carrier, _| work(w, carrier, 31 * DAY, DAY)),
    ("its owner", |w, _, card| drop(switch(w, card, Write::Resume, "r").expect("it is asked for"))),
];

#[test]
fn an_activation_that_is_refused_is_none_and_what_wants_the_card_on_asks_again() {
    for (want, act) in WANTS {
        each(|store| {
            let (w, carrier) = world(store, json!({}));
            new_card(&w, &carrier, BaseState::Ready);
            next_write_meets(&carrier, NEW, no());
            w.buy(NEW, "Q100-30D", "a").expect("a package");
            w.buy(NEW, "Q100-30D", "b").expect("another");
            work(&w, &carrier, 60, 5);
            let card = w.card(NEW);
            assert_eq!((story(&w, NEW).as_str(), card.base_state()), ("activate refused", BaseState::Ready), "{want}");
            assert_eq!(card.sim.activated_at, None, "it was never on");
            let resume = format!("kachi admin sim resume {}", World::iccid(NEW));
            for cause in [Cause::NotActivated, Cause::LetOnRefused] {
                assert!(advice(&w, NEW).contains(&(cause, Some(resume.clone()))), "{:?}", advice(&w, NEW));
            }
            assert_eq!(not_let_on(&w), [World::iccid(NEW).to_string()]);
            // What comes late of its past wants nothing.
            spend(&w, NEW, 0, w.now().0 - 50);
            spend(&w, NEW, 0, w.now().0 - 55);
            work(&w, &carrier, 60, 5);
            assert_eq!((story(&w, NEW).as_str(), w.card(NEW).base_state()), ("activate refused", BaseState::Ready), "{want}");
            act(&w, &carrier, NEW);
            work(&w, &carrier, 60, 5);
            assert_eq!(story(&w, NEW), "activate refused, activate confirmed", "{want}");
            let stands = (w.card(NEW).base_state(), there(&w, &carrier, NEW).base());
            assert_eq!(stands, (BaseState::Active, BaseState::Active), "{want}");
            assert!(w.card(NEW).sim.activated_at.is_some(), "{want}");
            assert!(not_let_on(&w).is_empty());
            w.assert_sound();
        });
    }
}

#[test]
fn a_resume_that_is_refused_is_none_and_what_wants_the_card_on_asks_again() {
    for (want, act) in WANTS {
        each(|store| {
            let (w, carrier) = world(store, json!({}));
            spend(&w, 0, 100, w.now().0);
            work(&w, &carrier, 60, 5);
            next_write_meets(&carrier, 0, no());
            w.buy(0, "Q100-30D", "a").expect("a package");
            w.buy(0, "Q100-30D", "b").expect("another");
            work(&w, &carrier, 60, 5);
            let stands = (w.card(0).base_state(), is_off(&w, &carrier, 0));
            assert_eq!((story(&w, 0).as_str(), stands), ("stop confirmed, resume refused", (BaseState::Stopped, true)), "{want}");
            let resume = format!("kachi admin sim resume {}", World::iccid(0));
            for cause in [Cause::Stopped, Cause::LetOnRefused] {
                assert!(advice(&w, 0).contains(&(cause, Some(resume.clone()))), "{:?}", advice(&w, 0));
            }
            assert_eq!(not_let_on(&w), [World::iccid(0).to_string()]);
            spend(&w, 0, 1, w.now().0 - 50);
            work(&w, &carrier, 60, 5);
            assert_eq!(story(&w, 0), "stop confirmed, resume refused", "{want}");
            act(&w, &carrier, 0);
            work(&w, &carrier, 60, 5);
            assert_eq!(story(&w, 0), "stop confirmed, resume refused, resume confirmed", "{want}");
            assert_eq!((w.card(0).base_state(), is_off(&w, &carrier, 0)), (BaseState::Active, false), "{want}");
            assert!(not_let_on(&w).is_empty());
            w.assert_sound();
        });
    }
}

#[test]
fn what_is_refused_each_time_is_asked_for_once_by_each_act() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        new_card(&w, &carrier, BaseState::Ready);
        for n in 1..4 {
            next_write_meets(&carrier, NEW, no());
            w.buy(NEW, "Q100-30D", &format!("o-{n}")).expect("a package");
            work(&w, &carrier, 3_600, 600);
            assert_eq!(story(&w, NEW), vec!["activate refused"; n].join(", "));
        }
        assert_eq!(w.card(NEW).base_state(), BaseState::Ready);
        // The last word of a refusal is a reading's: somebody let it on by hand.
        carrier.world.stand(World::iccid(NEW).as_str(), BaseState::Active, w.now());
        read(&w, &carrier, NEW);
        assert_eq!(w.card(NEW).base_state(), BaseState::Active);
        assert_eq!(story(&w, NEW), ["activate refused"; 3].join(", "));
        w.assert_sound();
    });
}
