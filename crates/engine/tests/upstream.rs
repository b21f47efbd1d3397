//! The way to a card platform, shared by processes: its requests, its login, writes that go together, what is read back. On
//! both engines, against the virtual carrier.

#[path = "upstream_parts/gate.rs"]
mod gate;
#[path = "upstream_parts/onelink.rs"]
mod onelink;

use gate::Gate;
use kachi_connectors::sandbox::Fault;
use kachi_domain::carrier::Write;
use kachi_engine::network::{self, CardKey, Paced};
use kachi_engine::stock::Key;
use kachi_engine::switch::{self as switching, Switched};
use kachi_engine::{Settings, intents, sms, sync};
use kachi_store::Store;
use kachi_store::intents::Intent;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, World};
use serde_json::{Value, json};
use std::sync::Arc;

const CARDS: u64 = 40;
const ACCOUNT: &str = "sandbox";

fn world(store: Store, settings: Value) -> (World, Carrier) {
    let w = World::new(store);
    w.add_cards(ACME, 0..CARDS);
    let carrier = Carrier::of(&w.engine, "1US-1", settings, &[]);
    (0..CARDS).for_each(|card| carrier.world.connect(World::iccid(card).as_str(), w.now()));
    (w, carrier)
}

/// Another process on the same database, at the same time of day.
fn beside(w: &World) -> World {
    let store = Store::open(w.engine.store().place().clone(), 4).expect("the database opens");
    let other = World::open(store, Settings::default());
    other.set_now(w.now().0);
    other
}

fn cut(w: &World, card: u64, reference: &str) {
    let (actor, reference) = (w.actor(ACME), reference.to_owned());
    let key = CardKey::Iccid(World::iccid(card));
    let ask = (key, Paced::CancelSession, reference);
    w.engine
        .write(move |tx, catalogue, how| network::ask(tx, catalogue, how, &actor, (&ask.0, ask.1, &ask.2)))
        .expect("it is asked for");
}

fn switch(w: &World, card: u64, write: Write, reference: &str) {
    let (actor, reference) = (w.actor(ACME), reference.to_owned());
    let key = Key::Iccid(World::iccid(card));
    let told = w.engine.write(move |tx, catalogue, how| switching::switch(tx, catalogue, how, &actor, (&key, write, &reference)));
    assert!(matches!(told.expect("it is asked for"), Switched::Asked { .. }));
}

fn writes(w: &World) -> Vec<Intent> {
    let mut all = w.engine.read(|tx, _| Ok(tx.intents(false, 1_000)?)).expect("writes");
    all.reverse();
    all
}

/// How many writes stand in each of the states.
fn states(w: &World, states: [&str; 3]) -> [usize; 3] {
    let all = writes(w);
    states.map(|state| all.iter().filter(|i| i.state == state).count())
}

/// Lets time pass by whole steps, and the workers work.
fn work(w: &World, carrier: &Carrier, seconds: i64, step: i64) {
    for _ in 0..seconds / step {
        carrier.work(&w.engine);
        w.pass(step);
    }
    carrier.work(&w.engine);
}

#[test]
fn all_processes_together_keep_a_platforms_rate() {
    each(|store| {
        let (a, carrier) = world(store, json!({"requests_per_second": 1, "requests_burst": 3}));
        let (b, begun) = (beside(&a), a.now());
        for card in 0..20 {
            cut(&a, card, &format!("c-{card}"));
        }
        let mut most = 0;
        for second in 0..80 {
            a.set_now(begun.0 + second);
            b.set_now(begun.0 + second);
            std::thread::scope(|scope| {
                scope.spawn(|| carrier.work(&a.engine));
                scope.spawn(|| carrier.work(&b.engine));
            });
            // The login is a request too, which the account of requests does not count.
            let made = carrier.world.requests(ACCOUNT) + carrier.world.logins(ACCOUNT);
            assert!(made <= 3 + second.unsigned_abs(), "{made} requests within {second} seconds");
            most = made;
        }
        assert_eq!(states(&a, ["confirmed", "sent", "stored"]), [20, 0, 0]);
        assert!(most >= 40, "each was asked for and asked about: {most}");
        a.assert_sound();
    });
}

#[test]
fn a_days_requests_end_and_begin_again_at_midnight_in_china() {
    each(|store| {
        let (w, carrier) = world(store, json!({"requests_per_day": 11}));
        for card in 0..10 {
            cut(&w, card, &format!("c-{card}"));
        }
        work(&w, &carrier, 600, 5);
        assert_eq!(carrier.world.requests(ACCOUNT) + carrier.world.logins(ACCOUNT), 11);
        assert!(states(&w, ["confirmed", "sent", "stored"])[0] < 10);
        let said: Vec<String> = writes(&w).into_iter().filter_map(|i| i.last_answer).collect();
        assert!(said.iter().any(|words| words.contains("are used up for now")), "{said:?}");
        // The world begins at eight in the morning in China.
        w.pass(16 * 3600);
        work(&w, &carrier, 600, 5);
        assert_eq!(states(&w, ["confirmed", "sent", "stored"]), [10, 0, 0]);
    });
}

#[test]
fn what_keeps_us_up_to_date_leaves_a_share_for_acts() {
    each(|store| {
        let rate = json!({"requests_per_second": 1, "requests_burst": 4, "requests_kept_percent": 50});
        let (w, carrier) = world(store, rate);
        let actor = w.actor(ACME);
        let send = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &_| {
            sms::send(tx, catalogue, how, &actor, (&World::iccid(0), "hello", "m-1"))
        };
        w.engine.write(send).expect("it is sent");
        work(&w, &carrier, 60, 5);
        let before = carrier.world.requests(ACCOUNT);
        for _ in 0..10 {
            carrier.collect(&w.engine);
        }
        assert_eq!(carrier.world.requests(ACCOUNT) - before, 2, "half of four are kept");
        cut(&w, 1, "c-1");
        cut(&w, 2, "c-2");
        cut(&w, 3, "c-3");
        carrier.work(&w.engine);
        assert_eq!(states(&w, ["sent", "stored", "confirmed"]), [2, 1, 1], "which two acts have, at once");
        work(&w, &carrier, 60, 1);
        assert_eq!(states(&w, ["sent", "stored", "confirmed"]), [0, 0, 4]);
    });
}

#[test]
fn keeping_up_with_a_carrier_takes_its_share_and_no_more() {
    each(|store| {
        let (w, carrier) = world(
            store,
            json!({"requests_per_second": 1, "requests_burst": 10, "requests_kept_percent": 50, "without": ["batches", "changes"]}),
        );
        carrier.remember(&w.engine);
        let (platform, connector) = carrier.connectors.iter().next().map(|(p, c)| (*p, c.clone())).expect("a platform");
        let begun = w.now();
        for second in 0..90 {
            w.set_now(begun.0 + second);
            while sync::at(&w.engine, (platform, connector.as_ref()), second + 1).expect("a step") > 0 {}
            let made = carrier.world.requests(ACCOUNT);
            assert!(made <= 5 + second.unsigned_abs(), "{made} requests within {second} seconds");
        }
        assert!(carrier.world.requests(ACCOUNT) > CARDS, "it goes on as the requests come back");
        cut(&w, 1, "c-1");
        carrier.work(&w.engine);
        assert_eq!(states(&w, ["sent", "stored", "confirmed"]), [1, 0, 0], "an act has its turn at once");
    });
}

#[test]
fn one_worker_of_all_processes_logs_in() {
    each(|store| {
        let (a, carrier) = world(store, json!({"token_seconds": 100}));
        let gate = Arc::new(Gate::default());
        let (b, carrier) = (beside(&a), Gate::around(&gate, carrier));
        for (round, card) in [(1, 0), (2, 2)] {
            cut(&a, card, &format!("c-{card}"));
            gate.close();
            std::thread::scope(|scope| {
                let first = scope.spawn(|| carrier.work(&a.engine));
                gate.wait_for_one();
                cut(&b, card + 1, &format!("c-{}", card + 1));
                // While one is logging in, nobody else does, and nothing is sent under a login that is over.
                let before = carrier.world.requests(ACCOUNT);
                carrier.work(&b.engine);
                assert_eq!((gate.renewals(), carrier.world.requests(ACCOUNT)), (round, before));
                gate.open();
                first.join().expect("it works");
            });
            for w in [&a, &b] {
                w.set_now(a.now().0 + 1);
            }
            work(&a, &carrier, 10, 1);
            carrier.work(&b.engine);
            assert_eq!((gate.renewals(), carrier.world.logins(ACCOUNT)), (round, round));
            assert_eq!(states(&a, ["confirmed", "sent", "stored"]), [2 * round as usize, 0, 0]);
            a.pass(200);
            b.set_now(a.now().0);
        }
        let shown = kachi_engine::sync::show(&a.engine, None).expect("it is shown");
        let calls: Vec<_> = shown.into_iter().flat_map(|p| p.calls_today).collect();
        assert_eq!(calls, [("login".to_owned(), 2)], "they are of the same budget");
    });
}

#[test]
fn a_login_that_somebody_else_killed_is_renewed_once_whoever_finds_it() {
    each(|store| {
        let (a, carrier) = world(store, json!({}));
        let b = beside(&a);
        cut(&a, 0, "c-0");
        work(&a, &carrier, 5, 1);
        assert_eq!(carrier.world.logins(ACCOUNT), 1);
        for round in 1..4_u64 {
            b.set_now(a.now().0);
            for card in 1..10 {
                let card = (round * 10 + card) % CARDS;
                cut(&a, card, &format!("c-{round}-{card}"));
            }
            carrier.world.kill_token(ACCOUNT);
            std::thread::scope(|scope| {
                for engine in [&a.engine, &b.engine, &a.engine, &b.engine] {
                    scope.spawn(|| carrier.work(engine));
                }
            });
            work(&a, &carrier, 20, 1);
            assert_eq!(carrier.world.logins(ACCOUNT), 1 + round);
        }
        assert_eq!(states(&a, ["confirmed", "sent", "stored"]), [28, 0, 0]);
    });
}

#[test]
fn a_worker_that_dies_while_it_logs_in_holds_the_others_no_longer_than_its_lease() {
    each(|store| {
        let (a, carrier) = world(store, json!({}));
        let gate = Arc::new(Gate::default());
        let (b, carrier) = (beside(&a), Gate::around(&gate, carrier));
        cut(&a, 0, "c-0");
        gate.dies_at_login();
        let died = std::thread::scope(|scope| scope.spawn(|| carrier.work(&a.engine)).join());
        assert!(died.is_err(), "the connector took the worker with it");
        cut(&b, 1, "c-1");
        let lease = b.engine.settings().lease_seconds;
        work(&b, &carrier, lease - 1, 1);
        assert_eq!((gate.renewals(), states(&b, ["confirmed", "sent", "stored"])), (1, [0, 0, 2]), "it may still be at it");
        work(&b, &carrier, 10, 1);
        assert_eq!((gate.renewals(), states(&b, ["confirmed", "sent", "stored"])), (2, [2, 0, 0]));
    });
}

#[test]
fn a_login_that_is_refused_is_left_alone_until_a_person_could_have_looked() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let gate = Arc::new(Gate::default());
        let carrier = Gate::around(&gate, carrier);
        gate.refuses_logins();
        for card in 0..5 {
            cut(&w, card, &format!("c-{card}"));
        }
        work(&w, &carrier, 590, 10);
        assert_eq!((gate.renewals(), states(&w, ["confirmed", "sent", "stored"])), (1, [0, 0, 5]));
        let said = writes(&w)[4].last_answer.clone().expect("words");
        assert!(said.contains("the platform refuses our login: 12022 wrong password"), "{said}");
        gate.open();
        // Whoever starts the workers anew may have put it right.
        carrier.remember(&w.engine);
        work(&w, &carrier, 620, 10);
        assert_eq!((gate.renewals(), states(&w, ["confirmed", "sent", "stored"])), (2, [5, 0, 0]));
    });
}

#[test]
fn the_same_act_for_many_cards_is_one_request_and_each_card_has_its_own_word() {
    each(|store| {
        let (w, carrier) = world(store, json!({"submit_batch": 100, "lag_seconds": 2}));
        cut(&w, 39, "first");
        work(&w, &carrier, 10, 1);
        for card in 0..30 {
            switch(&w, card, Write::Stop, &format!("s-{card}"));
        }
        let refused = Fault::Refused { code: "12089".into(), reason: "barred".into() };
        carrier.world.fail_card(World::iccid(7).as_str(), refused);
        let before = carrier.world.requests(ACCOUNT);
        carrier.work(&w.engine);
        assert_eq!(carrier.world.requests(ACCOUNT) - before, 1, "thirty in one");
        assert_eq!(states(&w, ["sent", "refused", "stored"]), [29, 1, 0]);
        work(&w, &carrier, 10, 1);
        assert_eq!(states(&w, ["confirmed", "refused", "sent"]), [30, 1, 0]);
        for card in 0..30 {
            let effects = carrier.world.effects(&format!("s-{card}"));
            assert_eq!(
                (effects, w.card(card).blocks().names().contains(&"owner_stop")),
                (u32::from(card != 7), card != 7),
                "{card}"
            );
        }
        w.assert_sound();
    });
}

#[test]
fn a_card_that_cools_down_holds_up_no_other_and_has_its_turn() {
    each(|store| {
        let (w, carrier) = world(store, json!({"submit_batch": 100, "cool_down_seconds": 180}));
        // Of one we know that it cools down, for we wrote to it; of another the carrier alone.
        cut(&w, 3, "before");
        work(&w, &carrier, 10, 1);
        carrier.world.fail_card(World::iccid(9).as_str(), Fault::Cooling { seconds: 120 });
        for card in 0..20 {
            switch(&w, card, Write::Stop, &format!("s-{card}"));
        }
        let before = carrier.world.requests(ACCOUNT);
        carrier.work(&w.engine);
        assert_eq!(states(&w, ["sent", "stored", "confirmed"]), [18, 2, 1]);
        let made = carrier.world.requests(ACCOUNT) - before;
        assert!((2..12).contains(&made), "found by halves, not one by one: {made}");
        let said = |card: usize| writes(&w)[1 + card].last_answer.clone().expect("words");
        assert!(said(3).contains("so soon after another"), "we do not even ask: {}", said(3));
        assert!(said(9).contains("13009"), "{}", said(9));
        work(&w, &carrier, 20, 1);
        assert_eq!(states(&w, ["sent", "stored", "confirmed"]), [0, 2, 19]);
        work(&w, &carrier, 120, 5);
        assert_eq!(states(&w, ["sent", "stored", "confirmed"]), [0, 1, 20]);
        work(&w, &carrier, 60, 5);
        assert_eq!(states(&w, ["sent", "stored", "confirmed"]), [0, 0, 21]);
        for card in 0..20 {
            assert_eq!(carrier.world.effects(&format!("s-{card}")), 1, "card {card}");
        }
    });
}

#[test]
fn a_card_is_not_written_to_again_while_it_cools_down() {
    each(|store| {
        let (w, carrier) = world(store, json!({"cool_down_seconds": 180}));
        switch(&w, 0, Write::Stop, "s-1");
        work(&w, &carrier, 10, 1);
        switch(&w, 0, Write::Resume, "s-2");
        let before = carrier.world.requests(ACCOUNT);
        work(&w, &carrier, 165, 5);
        assert_eq!((carrier.world.requests(ACCOUNT), states(&w, ["confirmed", "sent", "stored"])), (before, [1, 0, 1]));
        work(&w, &carrier, 20, 5);
        assert_eq!(states(&w, ["confirmed", "sent", "stored"]), [2, 0, 0]);
        // A message is none of what carriers count.
        let actor = w.actor(ACME);
        let send = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &_| {
            sms::send(tx, catalogue, how, &actor, (&World::iccid(0), "hello", "m-1"))
        };
        w.engine.write(send).expect("it is sent");
        carrier.work(&w.engine);
        assert!(writes(&w)[2].last_answer.as_ref().expect("words").contains("13009"), "that the carrier itself says");
    });
}

#[test]
fn of_two_writes_for_one_card_the_later_is_sent_later() {
    each(|store| {
        let (w, carrier) = world(store, json!({"submit_batch": 100}));
        let wanted =
            [(1, Write::Stop), (2, Write::Stop), (3, Write::Resume), (2, Write::Resume), (3, Write::Stop), (1, Write::Resume)];
        let stored = wanted.into_iter().enumerate().map(|(n, (card, write))| {
            let card = w.card(card).sim;
            let named = kachi_domain::carrier::Card::of_iccid(&card.iccid);
            let request = kachi_domain::carrier::Request { reference: format!("o-{n}"), card: named, write };
            (card, serde_json::to_string(&request).expect("JSON"))
        });
        let (stored, platform): (Vec<_>, _) = (stored.collect(), *carrier.connectors.keys().next().expect("a platform"));
        let put = move |tx: &mut kachi_store::Tx<'_>, _: &_, how: &kachi_engine::cards::Settling| {
            for (card, request) in &stored {
                tx.add_intent(card.account, card.id, platform, None, (request, 1), how.now)?;
            }
            Ok(())
        };
        w.engine.write(put).expect("they are stored");
        work(&w, &carrier, 30, 1);
        let stopped = |card: u64| carrier.world.card(World::iccid(card).as_str(), w.now()).stopped.is_some();
        assert_eq!([stopped(1), stopped(2), stopped(3)], [false, false, true]);
    });
}

#[test]
fn a_worker_that_dies_with_a_batch_leaves_it_to_be_asked_about() {
    each(|store| {
        let (a, carrier) = world(store, json!({"submit_batch": 100, "lag_seconds": 2}));
        let gate = Arc::new(Gate::default());
        let (b, carrier) = (beside(&a), Gate::around(&gate, carrier));
        cut(&a, 39, "first");
        work(&a, &carrier, 10, 1);
        b.set_now(a.now().0);
        for card in 0..30 {
            switch(&a, card, Write::Stop, &format!("s-{card}"));
        }
        gate.dies_after_submit();
        let died = std::thread::scope(|scope| scope.spawn(|| carrier.work(&a.engine)).join());
        assert!(died.is_err(), "the connector took the worker with it");
        gate.open();
        work(&b, &carrier, 50, 10);
        assert_eq!(states(&b, ["confirmed", "sent", "stored"]), [1, 0, 30], "it may still be at it");
        let before = gate.submits();
        work(&b, &carrier, 60, 5);
        assert_eq!((gate.submits(), states(&b, ["confirmed", "sent", "stored"])), (before, [31, 0, 0]), "asked, not sent again");
        for card in 0..30 {
            assert_eq!(carrier.world.effects(&format!("s-{card}")), 1, "card {card}");
        }
    });
}

#[test]
fn what_another_worker_has_taken_over_is_not_sent() {
    each(|store| {
        let (a, carrier) = world(store, json!({}));
        let gate = Arc::new(Gate::default());
        let (b, carrier) = (beside(&a), Gate::around(&gate, carrier));
        cut(&a, 0, "c-0");
        cut(&a, 1, "c-1");
        gate.close();
        std::thread::scope(|scope| {
            // It claims both, and is then slow with the first.
            let slow = scope.spawn(|| carrier.work(&a.engine));
            gate.wait_for_one();
            b.pass(a.engine.settings().lease_seconds + 2);
            a.set_now(b.now().0);
            gate.open();
            work(&b, &carrier, 10, 1);
            slow.join().expect("it works");
        });
        a.set_now(b.now().0);
        work(&a, &carrier, 10, 1);
        assert_eq!((gate.submits(), states(&a, ["confirmed", "sent", "stored"])), (2, [2, 0, 0]), "each was sent by one of them");
        assert_eq!([carrier.world.effects("c-0"), carrier.world.effects("c-1")], [1, 1]);
    });
}

#[test]
fn a_stop_counts_when_the_card_shows_it() {
    for (fault, state, blocked) in [
        (None, "confirmed", true),
        (Some(Fault::Hollow), "in_doubt", false),
        (Some(Fault::NeverApplied { forget_seconds: None }), "in_doubt", false),
        (Some(Fault::AppliedTimedOut), "confirmed", true),
        (Some(Fault::Lost), "confirmed", true),
    ] {
        each(|store| {
            let (w, carrier) = world(store, json!({"lag_seconds": 5}));
            fault.iter().for_each(|f| carrier.world.fail(f.clone()));
            switch(&w, 0, Write::Stop, "s-1");
            work(&w, &carrier, 3600, 60);
            let stopped = || w.card(0).blocks().names().contains(&"owner_stop");
            assert_eq!(stopped(), blocked, "{fault:?}: {:?}", writes(&w)[0]);
            assert!(!w.events(0).contains(&"write_left".to_owned()), "{fault:?}: it still is asked for");
            work(&w, &carrier, 24 * 3600, 600);
            assert_eq!((writes(&w)[0].state.as_str(), stopped()), (state, blocked), "{fault:?}");
            let left = w.events(0).iter().filter(|kind| *kind == "write_left").count();
            assert_eq!(left, usize::from(state == "in_doubt"), "{fault:?}");
            if state == "in_doubt" {
                let said = writes(&w)[0].last_answer.clone().expect("words");
                assert!(said.contains("no last word within 24 hours") && said.contains("kachi admin intent"), "{said}");
                let asked = carrier.world.requests(ACCOUNT);
                work(&w, &carrier, 24 * 3600, 3600);
                assert_eq!(carrier.world.requests(ACCOUNT), asked, "not for ever");
                intents::confirm(&w.engine, writes(&w)[0].id, "Ann").expect("a person has looked");
                assert!(stopped());
            }
            w.assert_sound();
        });
    }
}

#[test]
fn other_settings_are_logged_in_anew() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        cut(&w, 0, "c-0");
        work(&w, &carrier, 5, 1);
        let login = || {
            let platform = *carrier.connectors.keys().next().expect("a platform");
            w.engine.read(|tx, _| Ok(tx.platform_login(platform)?)).expect("a login")
        };
        let put = |settings: &'static str| {
            w.engine.write(move |tx, _, _| Ok(tx.put_platform(0, "virtual", "sandbox", settings)?)).expect("it is kept");
        };
        assert_ne!(login(), "{}");
        put("{}");
        assert_ne!(login(), "{}", "the same settings");
        put(r#"{"account":"another"}"#);
        assert_eq!(login(), "{}");
    });
}
