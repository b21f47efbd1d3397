//! Cards whose throttled package is used up are slower until something has an allowance again, whatever the carrier does. On
//! both engines.

use kachi_connectors::sandbox::Fault;
use kachi_domain::Span;
use kachi_domain::package::{Category, Kind, Window};
use kachi_engine::direct::{self, Act};
use kachi_engine::network::CardKey;
use kachi_engine::{RequestKey, intents};
use kachi_store::Store;
use kachi_store::catalogue::Package;
use kachi_store::db::execute_in;
use kachi_store::intents::Intent;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, World, line};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: i64 = 86_400;

/// Three throttled packages of 100 MB: one for 30 days with a speed, one for three months that refills, one without a speed.
fn world(store: Store, settings: Value) -> (World, Carrier) {
    let w = World::new(store);
    w.add_cards(ACME, 0..3);
    w.engine
        .write(|tx, catalogue, _| {
            let known = catalogue.package_by_code("Q100-30D").expect("a package").clone();
            for (code, validity, window, speed_kbps) in [
                ("SLOW-30D", Span::Days(30), Window::Whole, Some(512)),
                ("SLOW-3M", Span::Months(3), Window::CalendarMonth, Some(1024)),
                ("SLOW-PLAIN", Span::Days(30), Window::Whole, None),
            ] {
                let terms = kachi_domain::package::Terms {
                    kind: Kind::Throttled,
                    category: Category::Long,
                    validity,
                    window,
                    ..known.terms.clone()
                };
                tx.put_package(&Package { code: code.into(), terms, speed_kbps, ..known.clone() })?;
            }
            Ok(tx.touch_catalogue()?)
        })
        .expect("packages");
    let carrier = Carrier::of(&w.engine, "1US-1", settings, &[]);
    carrier.remember(&w.engine);
    (w, carrier)
}

/// The card uses so much, now.
fn spend(w: &World, id: i64, card: u64, mb: i64) {
    let now = w.now().0;
    assert_eq!(w.cdr(&format!("f-{id}"), &line(id, card, now - 60, now, mb * MB)).loaded, 1);
}

fn work(w: &World, carrier: &Carrier, seconds: i64) {
    for _ in 0..seconds / 5 {
        carrier.work(&w.engine);
        w.pass(5);
    }
    carrier.work(&w.engine);
}

fn speed(w: &World, carrier: &Carrier, card: u64) -> Option<u32> {
    carrier.world.card(World::iccid(card).as_str(), w.now()).speed
}

fn writes(w: &World) -> Vec<Intent> {
    w.engine.read(|tx, _| Ok(tx.intents(false, 100)?)).expect("writes")
}

/// What the card's record says of its speed, in order.
fn said(w: &World, card: u64) -> Vec<String> {
    let id = w.card(card).sim.id;
    let read = w.engine.read(|tx, catalogue| {
        let sees = catalogue.account(kachi_domain::AccountId(1)).map(|a| a.sees.clone()).unwrap_or_default();
        Ok(tx.events_newest(&sees, 10_000)?)
    });
    let mut words: Vec<String> = read
        .expect("events")
        .into_iter()
        .filter(|e| e.2 == Some(id.0) && e.3 == "speed_changed")
        .map(|e| serde_json::from_str::<Value>(&e.5).expect("JSON")["detail"].as_str().expect("words").to_owned())
        .collect();
    words.reverse();
    words
}

#[test]
fn a_used_up_package_slows_the_card_until_the_next_one_starts() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 5}));
        w.buy(0, "SLOW-30D", "o-1").unwrap();
        spend(&w, 1, 0, 99);
        work(&w, &carrier, 60);
        assert_eq!((speed(&w, &carrier, 0), writes(&w).len()), (None, 0), "something is left");
        spend(&w, 2, 0, 2);
        assert_eq!(speed(&w, &carrier, 0), None, "asked for is not done");
        work(&w, &carrier, 60);
        assert_eq!(speed(&w, &carrier, 0), Some(512));
        assert!(w.card(0).blocks().is_empty(), "it is slower, not stopped");
        spend(&w, 3, 0, 50);
        work(&w, &carrier, 60);
        assert_eq!(writes(&w).len(), 1, "asked for once");
        w.buy(0, "SLOW-30D", "o-2").unwrap();
        work(&w, &carrier, 60);
        assert_eq!(speed(&w, &carrier, 0), Some(512), "the next one waits");
        w.pass(30 * DAY);
        work(&w, &carrier, 60);
        assert_eq!(speed(&w, &carrier, 0), None, "it has started");
        let expected = [
            "a speed of 512 kbit/s is asked of the carrier",
            "a speed of 512 kbit/s is set at the carrier",
            "full speed is asked of the carrier",
            "full speed is set at the carrier",
        ];
        assert_eq!(said(&w, 0), expected);
        w.assert_sound();
    });
}

#[test]
fn a_month_that_refills_and_a_top_up_bring_the_speed_back() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        w.buy(0, "SLOW-3M", "o-1").unwrap();
        spend(&w, 1, 0, 200);
        work(&w, &carrier, 60);
        assert_eq!(speed(&w, &carrier, 0), Some(1024));
        w.buy(0, "TOP20-5D", "o-2").unwrap();
        work(&w, &carrier, 60);
        assert_eq!(speed(&w, &carrier, 0), None, "the top-up has an allowance");
        spend(&w, 2, 0, 30);
        work(&w, &carrier, 60);
        assert_eq!(speed(&w, &carrier, 0), Some(1024), "no more");
        // The first of April in China.
        w.pass(BEGIN + 31 * DAY - w.now().0);
        work(&w, &carrier, 60);
        assert_eq!(speed(&w, &carrier, 0), None, "refilled, though no traffic came");
    });
}

#[test]
fn what_is_wanted_by_the_end_is_what_the_card_has_whatever_went_wrong() {
    for fault in [
        Fault::Cooling { seconds: 600 },
        Fault::Lost,
        Fault::AppliedTimedOut,
        Fault::TokenKilled,
        Fault::Overloaded { seconds: 600 },
    ] {
        each(|store| {
            let (w, carrier) = world(store, json!({"cool_down_seconds": 180}));
            carrier.world.fail(fault.clone());
            w.buy(0, "SLOW-PLAIN", "o-1").unwrap();
            spend(&w, 1, 0, 200);
            carrier.work(&w.engine);
            w.pass(5);
            // While that is under way, something has an allowance again; later that is used up too.
            w.buy(0, "TOP20-5D", "o-2").unwrap();
            work(&w, &carrier, 60);
            let open = writes(&w).iter().filter(|i| !matches!(i.state.as_str(), "confirmed" | "refused")).count();
            assert!(open <= 1, "{fault:?}: one at a time");
            work(&w, &carrier, 1_800);
            assert_eq!(speed(&w, &carrier, 0), None, "{fault:?}: {:?}", writes(&w));
            spend(&w, 2, 0, 30);
            work(&w, &carrier, 1_800);
            assert_eq!(speed(&w, &carrier, 0), Some(128), "{fault:?}: the usual lower speed");
            w.assert_sound();
        });
    }
}

#[test]
fn a_speed_that_is_left_to_a_person_holds_up_no_other() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        carrier.world.fail(Fault::NeverApplied { forget_seconds: None });
        w.buy(0, "SLOW-30D", "o-1").unwrap();
        spend(&w, 1, 0, 200);
        work(&w, &carrier, 60);
        w.buy(0, "TOP20-5D", "o-2").unwrap();
        for _ in 0..450 {
            carrier.work(&w.engine);
            w.pass(600);
        }
        let states: Vec<String> = writes(&w).into_iter().rev().map(|i| i.state).collect();
        assert_eq!(states, ["superseded", "confirmed"], "full speed is wanted since");
        assert_eq!(said(&w, 0).last().unwrap(), "full speed is set at the carrier");
        w.assert_sound();
    });
}

#[test]
fn a_platform_that_cannot_limit_speeds_leaves_the_card_as_it_is_and_says_so() {
    each(|store| {
        let (w, carrier) = world(store, json!({"without": ["speed"]}));
        w.buy(0, "SLOW-30D", "o-1").unwrap();
        spend(&w, 1, 0, 200);
        work(&w, &carrier, 60);
        assert_eq!((speed(&w, &carrier, 0), writes(&w).len()), (None, 0));
        assert_eq!(said(&w, 0), ["a speed of 512 kbit/s is due, but card platform virtual cannot limit speeds"]);
    });
}

fn ask_data(w: &World, act: Act, key: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let key = RequestKey { door: "test", key: key.into(), number: None, body_hash: format!("{act:?}"), correct_seconds: 0 };
    let asked = (CardKey::Iccid(World::iccid(0)), act, format!("ref-{}", key.key));
    let catalogue = w.engine.catalogue().expect("a catalogue");
    let actor = w.actor(ACME);
    runtime.block_on(w.engine.act_now(&catalogue, &actor, key, asked, Duration::ZERO)).expect("it is asked for");
}

fn switch_data(w: &World, carrier: &Carrier, act: Act, key: &str) {
    ask_data(w, act, key);
    work(w, carrier, 60);
    w.pass(direct::PAUSE_SECONDS);
}

#[test]
fn where_data_and_speed_are_one_plan_a_card_is_slowed_again_when_its_data_is_on_again() {
    for (one_plan, wanted) in [(true, 2), (false, 1)] {
        each(|store| {
            let (w, carrier) = world(store, json!({"one_plan": one_plan}));
            w.buy(0, "SLOW-30D", "o-1").unwrap();
            spend(&w, 1, 0, 200);
            work(&w, &carrier, 60);
            assert_eq!(speed(&w, &carrier, 0), Some(512));
            switch_data(&w, &carrier, Act::DataOff { apn: None }, "off");
            assert_eq!(speed(&w, &carrier, 0), (!one_plan).then_some(512), "a card with the plan without data has no speed");
            switch_data(&w, &carrier, Act::DataOn { apn: None, margin_percent: 0 }, "on");
            assert_eq!(speed(&w, &carrier, 0), Some(512), "what is wanted is asked for again");
            let asked = writes(&w).iter().filter(|w| w.cause == "speed").count();
            assert_eq!(asked, wanted, "and where data and speed are apart it is not");
        });
    }
}

/// Writes about speed as versions before stored them where data and speed are one plan.
const STORED: [&str; 2] = [
    "UPDATE intent SET matter = 4 WHERE request LIKE '%limit_speed%'",
    "UPDATE intent SET matter = 3 WHERE request LIKE '%limit_speed%'",
];

#[test]
fn where_data_and_speed_are_one_plan_writes_stored_before_it_was_known_go_in_their_order_too() {
    for stored in STORED {
        each(|store| {
            let (w, carrier) = world(store.clone(), json!({"one_plan": true, "lag_seconds": 20}));
            w.buy(0, "SLOW-30D", "o-1").unwrap();
            spend(&w, 1, 0, 200);
            execute_in(store.place(), stored).unwrap();
            ask_data(&w, Act::DataOff { apn: None }, "off");
            carrier.work(&w.engine);
            let states = |w: &World| writes(w).into_iter().rev().map(|i| i.state).collect::<Vec<_>>();
            assert_eq!(states(&w), ["sent", "stored"], "{stored}: the switch of data waits for the speed");
            work(&w, &carrier, 120);
            assert_eq!((states(&w), speed(&w, &carrier, 0)), (vec!["confirmed".into(); 2], None), "{stored}");
        });
    }
}

#[test]
fn where_data_and_speed_are_one_plan_a_speed_stored_before_it_was_known_is_given_up_for_another() {
    for stored in STORED {
        each(|store| {
            let (w, carrier) = world(store.clone(), json!({"one_plan": true}));
            carrier.world.fail(Fault::NeverApplied { forget_seconds: None });
            w.buy(0, "SLOW-30D", "o-1").unwrap();
            spend(&w, 1, 0, 200);
            execute_in(store.place(), stored).unwrap();
            for _ in 0..450 {
                carrier.work(&w.engine);
                w.pass(600);
            }
            assert_eq!(writes(&w)[0].state, "in_doubt", "it is left to a person");
            w.buy(0, "TOP20-5D", "o-2").unwrap();
            work(&w, &carrier, 60);
            let states: Vec<String> = writes(&w).into_iter().rev().map(|i| i.state).collect();
            assert_eq!(states, ["superseded", "confirmed"], "{stored}");
        });
    }
}

#[test]
fn a_card_that_is_used_up_while_its_data_is_off_is_slowed_when_it_is_on() {
    each(|store| {
        let (w, carrier) = world(store, json!({"one_plan": true}));
        w.buy(0, "SLOW-30D", "o-1").unwrap();
        switch_data(&w, &carrier, Act::DataOff { apn: None }, "off");
        spend(&w, 1, 0, 200);
        work(&w, &carrier, 60);
        assert_eq!(speed(&w, &carrier, 0), None);
        let refused = "a speed of 512 kbit/s is refused by the carrier: data_off the card has the plan without data";
        assert_eq!(said(&w, 0), ["a speed of 512 kbit/s is asked of the carrier", refused]);
        switch_data(&w, &carrier, Act::DataOn { apn: None, margin_percent: 0 }, "on");
        assert_eq!(speed(&w, &carrier, 0), Some(512));
    });
}

#[test]
fn a_refusal_is_on_the_record_and_a_person_may_settle_what_is_left() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        carrier.world.fail(Fault::Refused { code: "12089".into(), reason: "barred".into() });
        w.buy(0, "SLOW-30D", "o-1").unwrap();
        spend(&w, 1, 0, 200);
        work(&w, &carrier, 60);
        assert_eq!(said(&w, 0)[1], "a speed of 512 kbit/s is refused by the carrier: 12089 barred");
        carrier.world.fail(Fault::NeverApplied { forget_seconds: None });
        w.buy(1, "SLOW-30D", "o-2").unwrap();
        spend(&w, 2, 1, 200);
        work(&w, &carrier, 60);
        w.buy(1, "TOP20-5D", "o-3").unwrap();
        let left = writes(&w)[0].clone();
        assert_eq!(left.state, "sent");
        intents::confirm(&w.engine, left.id, "Ann").unwrap();
        work(&w, &carrier, 60);
        assert_eq!((writes(&w).len(), speed(&w, &carrier, 1)), (3, None), "what is wanted by now is asked for");
        assert_eq!(said(&w, 1).last().expect("words"), "full speed is set at the carrier");
    });
}
