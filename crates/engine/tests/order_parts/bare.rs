//! Cards that nobody here stopped, or whose packages never began: each is left as its carrier has it, until a package is paid for.

use super::*;
use kachi_domain::carrier::{Line, Matter, Standing, Stop};
use kachi_domain::package::{Resource, Terms};
use kachi_domain::sim::Blocks;
use kachi_domain::{PackageId, ProductId, Timestamp};
use kachi_engine::card_reads::{self, Ask, What};
use kachi_engine::sims::{self, Brought};
use kachi_store::catalogue::{Package, Product};
use kachi_store::intents::Wish;
use kachi_store::sims::Sim;
use kachi_testkit::world::{MB, line, sim_id};

const DAY: i64 = 86_400;

fn refused() -> Fault {
    Fault::Refused { code: "12089".into(), reason: "not now".into() }
}

/// A second product of the same platform.
fn add_product(w: &World, code: &'static str) {
    let add = move |tx: &mut kachi_store::Tx<'_>, catalogue: &kachi_engine::Catalogue, _: &_| {
        let known = catalogue.product_by_code("1US-1").expect("a product").clone();
        tx.put_product(&Product { id: ProductId(0), code: code.into(), ..known })?;
        Ok(tx.touch_catalogue()?)
    };
    w.engine.write(add).expect("it is added");
}

/// The cards of these products live on another platform from now on.
fn move_to(w: &World, platform: &'static str, products: [&'static str; 2]) {
    let go = move |tx: &mut kachi_store::Tx<'_>, catalogue: &kachi_engine::Catalogue, _: &_| {
        let platform = catalogue.platform_by_code(platform).expect("a platform").id;
        for code in products {
            let known = catalogue.product_by_code(code).expect("a product").clone();
            tx.put_product(&Product { platform, ..known })?;
        }
        Ok(tx.touch_catalogue()?)
    };
    w.engine.write(go).expect("they have moved");
}

fn sell_as(w: &World, card: u64, product: &'static str) {
    let operator = w.actor(AccountId(1));
    w.engine
        .write(move |tx, catalogue, how| sims::switch_product(tx, catalogue, how, &operator, (&World::iccid(card), product)))
        .expect("it is sold so");
}

/// What its carrier said of the card when it was last read.
fn told(w: &World, card: u64, base: BaseState, reasons: Blocks) {
    let sim = w.card(card).sim.id;
    let line = Line {
        standing: Some(Standing { base, raw: "4".into(), since: None }),
        stop: Some(Stop { blocks: reasons, ..Stop::default() }),
        ..Line::default()
    };
    let keep = move |tx: &mut kachi_store::Tx<'_>, _: &_, how: &kachi_engine::cards::Settling| {
        let word = tx.carrier_word(sim)?.hear(&line, how.now);
        Ok(tx.put_carrier_word(sim, &word)?)
    };
    w.engine.write(keep).expect("it is kept");
}

#[test]
fn a_live_card_that_never_had_a_package_is_left_on() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        add_product(&w, "2US-1");
        add_bare(&w, 10..16);
        // Sold as another product, by a file and by hand.
        let product = w.engine.catalogue().expect("catalogue").product_by_code("2US-1").expect("a product").id;
        let sim = Sim { product, ..w.card(10).sim };
        w.engine.write(move |tx, catalogue, how| sims::put(tx, catalogue, how, &sim).map(|_| ())).expect("it is put");
        sell_as(&w, 10, "1US-1");
        assert_eq!(story(&w, 10), "");
        // What an account asked for, and the carrier refused.
        place(&w, 11, BaseState::Stopped);
        carrier.world.fail(refused());
        switch(&w, 11, Write::Resume, "r").expect("it is asked for");
        work(&w, &carrier, 5, 1);
        carrier.world.fail(Fault::Cooling { seconds: 180 });
        directly(&w, 12, Act::Stop, "s").expect("it is asked for");
        work(&w, &carrier, 5, 1);
        carrier.world.fail(refused());
        directly(&w, 13, Act::Activate, "a").expect("it is asked for");
        work(&w, &carrier, 5, 1);
        assert_eq!([11, 12, 13].map(|n| story(&w, n)), ["resume refused", "stop refused", "activate refused"]);
        // A lock, and its lift.
        lock(&w, 14);
        work(&w, &carrier, 5, 1);
        assert!(is_off(&w, &carrier, 14));
        unlock(&w, 14).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert_eq!((story(&w, 14).as_str(), is_off(&w, &carrier, 14)), ("stop confirmed, resume confirmed", false));
        // Its owner's stop, and its owner's resume.
        switch(&w, 15, Write::Stop, "s-2").expect("it is asked for");
        work(&w, &carrier, 5, 1);
        let asked = switch(&w, 15, Write::Resume, "r-2").expect("it is asked for");
        assert!(matches!(asked, Switched::Asked { .. }), "{asked:?}");
        work(&w, &carrier, 5, 1);
        assert!(!is_off(&w, &carrier, 15));
        w.assert_sound();
    });
}

#[test]
fn a_card_whose_package_ended_here_stays_off_whatever_is_lifted() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        add_bare(&w, 10..11);
        let bought = w.buy(10, "Q100-30D", "a").expect("a package");
        work(&w, &carrier, 5, 1);
        w.refund(10, bought.order).expect("it is taken back");
        work(&w, &carrier, 5, 1);
        lock(&w, 10);
        work(&w, &carrier, 5, 1);
        unlock(&w, 10).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert_eq!((w.card(10).blocks().names(), story(&w, 10).as_str()), (vec!["no_package"], "stop confirmed"));
        assert!(is_off(&w, &carrier, 10));
    });
}

/// What a card had of voice says nothing of its data.
#[test]
fn a_card_that_had_voice_alone_never_had_data() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let sold = w.engine.write(|tx, catalogue, _| {
            let like = catalogue.package_by_code("Q100-30D").cloned().expect("a package");
            let terms = Terms { resource: Resource::Voice, allowance: 6_000, ..like.terms.clone() };
            tx.put_package(&Package { id: PackageId(0), code: "VOICE".into(), terms, ..like })?;
            Ok(tx.touch_catalogue()?)
        });
        sold.expect("a package");
        add_bare(&w, 10..12);
        w.buy(10, "VOICE", "a").expect("a package");
        w.buy(11, "Q100-30D", "b").expect("a package");
        work(&w, &carrier, 5, 1);
        w.pass(31 * DAY);
        while kachi_engine::cards::settle_due(&w.engine).expect("it is settled") > 0 {}
        work(&w, &carrier, 5, 1);
        for card in [10, 11] {
            lock(&w, card);
            work(&w, &carrier, 5, 1);
            unlock(&w, card).expect("it is unlocked");
            work(&w, &carrier, 5, 1);
        }
        assert_eq!([10, 11].map(|n| is_off(&w, &carrier, n)), [false, true], "{} / {}", story(&w, 10), story(&w, 11));
    });
}

#[test]
fn a_package_that_was_brought_along_used_up_stops_its_card() {
    for (before, used_mb) in [(100, 0), (40, 60)] {
        each(|store| {
            let (w, carrier) = world(store, json!({}));
            add_bare(&w, 10..11);
            let sim = w.card(10).sim;
            let bring = move |tx: &mut kachi_store::Tx<'_>, catalogue: &kachi_engine::Catalogue, how: &_| {
                let package = catalogue.package_by_code("Q100-30D").expect("a package").id;
                let brought = Brought { package, started: yesterday(how), used_bytes: before * MB, number: "B-1".into() };
                sims::bring_subscription(tx, catalogue, how, &sim, brought)
            };
            assert!(w.engine.write(bring).expect("it is brought"));
            if used_mb > 0 {
                work(&w, &carrier, 5, 1);
                assert_eq!(story(&w, 10), "");
                let id = RECORDS.fetch_add(1, Ordering::SeqCst);
                w.cdr(&format!("use {id}"), &line(id, 10, w.now().0 - 1, w.now().0, used_mb * MB));
            }
            work(&w, &carrier, 5, 1);
            assert_eq!((w.card(10).blocks().names(), story(&w, 10).as_str()), (vec!["quota"], "stop confirmed"));
        });
    }
}

fn yesterday(how: &kachi_engine::cards::Settling) -> Timestamp {
    how.now.plus(-DAY)
}

#[test]
fn a_card_that_is_known_to_be_stopped_is_let_on_with_its_package() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        add_bare(&w, 10..14);
        let stop = |card: u64| carrier.world.stand(World::iccid(card).as_str(), BaseState::Stopped, w.now());
        // It came so; its carrier said so; it did, of a card that is to be activated; and of one that it stopped itself.
        (10..14).for_each(stop);
        place(&w, 10, BaseState::Stopped);
        told(&w, 11, BaseState::Stopped, Blocks::NONE);
        place(&w, 12, BaseState::Ready);
        told(&w, 12, BaseState::Stopped, Blocks::OWNER_STOP);
        told(&w, 13, BaseState::Stopped, Blocks::CREDIT);
        for card in 10..14 {
            w.buy(card, "Q100-30D", &format!("a {card}")).expect("a package");
        }
        work(&w, &carrier, 5, 1);
        let to_be_activated = "resume confirmed, activate confirmed";
        assert_eq!([10, 11, 12].map(|n| story(&w, n)), ["resume confirmed", "resume confirmed", to_be_activated]);
        assert_eq!((10..14).map(|n| is_off(&w, &carrier, n)).collect::<Vec<_>>(), [false, false, false, true]);
        assert_eq!((story(&w, 13).as_str(), w.card(10).sim.state.as_str()), ("", "active"), "what it would refuse is not asked");
        // Let on by us, stopped by others since: its next package finds it out.
        w.pass(60);
        let now = w.now().0;
        let id = RECORDS.fetch_add(1, Ordering::SeqCst);
        w.cdr(&format!("use {id}"), &line(id, 11, now - 1, now, 100 * MB));
        w.buy(11, "Q100-30D", "b").expect("a package");
        work(&w, &carrier, 5, 1);
        stop(11);
        place(&w, 11, BaseState::Stopped);
        w.pass(31 * DAY);
        w.buy(11, "Q100-30D", "c").expect("a package");
        work(&w, &carrier, 5, 1);
        assert!(!is_off(&w, &carrier, 11), "{}", story(&w, 11));
        w.assert_sound();
    });
}

#[test]
fn a_card_that_was_never_on_is_let_go_with_its_lock() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        add_bare(&w, 10..12);
        for card in 10..12 {
            carrier.world.stand(World::iccid(card).as_str(), BaseState::Ready, w.now());
            place(&w, card, BaseState::Ready);
        }
        // The carrier never heard of it.
        carrier.world.fail(OVERLOADED);
        lock(&w, 10);
        carrier.work(&w.engine);
        unlock(&w, 10).expect("it is unlocked");
        work(&w, &carrier, 60, 1);
        assert_eq!((story(&w, 10).as_str(), is_off(&w, &carrier, 10)), ("stop superseded", false));
        // It did; and then the first package starts.
        lock(&w, 11);
        work(&w, &carrier, 5, 1);
        assert!(is_off(&w, &carrier, 11));
        let (actor, ask) = (w.actor(ACME), Ask { iccid: World::iccid(11), platform: None, product: None, what: What::Status });
        w.engine.write(move |tx, catalogue, how| card_reads::ask(tx, catalogue, how, &actor, &ask)).expect("it is asked for");
        work(&w, &carrier, 5, 1);
        assert_eq!(
            (w.card(11).sim.state.as_str(), w.card(11).sim.activated_at),
            ("ready", None),
            "it is what it was, and kept off"
        );
        unlock(&w, 11).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert_eq!((story(&w, 11).as_str(), is_off(&w, &carrier, 11)), ("stop confirmed, resume confirmed", false));
        w.buy(11, "Q100-30D", "a").expect("a package");
        work(&w, &carrier, 5, 1);
        assert_eq!(story(&w, 11), "stop confirmed, resume confirmed, activate confirmed");
        // Locked while its first package starts, it is let on with the lift.
        w.pass(UNLOCK_PAUSE);
        lock(&w, 10);
        w.buy(10, "Q100-30D", "b").expect("a package");
        work(&w, &carrier, 5, 1);
        unlock(&w, 10).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert!(!is_off(&w, &carrier, 10), "{}", story(&w, 10));
        w.assert_sound();
    });
}

#[test]
fn a_card_whose_life_is_over_is_not_let_on_with_its_lock() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        add_bare(&w, 10..11);
        lock(&w, 10);
        work(&w, &carrier, 5, 1);
        assert_eq!((story(&w, 10).as_str(), is_off(&w, &carrier, 10)), ("stop confirmed", true));
        place(&w, 10, BaseState::PreClosed);
        unlock(&w, 10).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert_eq!((story(&w, 10).as_str(), is_off(&w, &carrier, 10)), ("stop confirmed", true));
    });
}

#[test]
fn a_test_that_was_ended_hides_no_stop() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        lock(&w, 0);
        work(&w, &carrier, 5, 1);
        let (sim, platform) = (sim_id(&w, 0), *carrier.connectors.keys().next().expect("a platform"));
        let request = json!({"reference": "t", "iccid": World::iccid(0).as_str(), "write": {"act": "end_test"}}).to_string();
        let ended = move |tx: &mut kachi_store::Tx<'_>, _: &_, how: &kachi_engine::cards::Settling| {
            let wish = Wish {
                account: ACME,
                sim,
                platform,
                cause: "end_test",
                task: None,
                asked_by: Some(ACME),
                matter: Matter::Service.number(),
                request: &request,
            };
            let id = tx.add_wish(&wish, how.now)?;
            Ok(tx.settle_intent_by_hand(id, "confirmed", "done", how.now)?)
        };
        assert!(w.engine.write(ended).expect("it is kept"));
        unlock(&w, 0).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert!(!is_off(&w, &carrier, 0), "{}", story(&w, 0));
    });
}

#[test]
fn writes_of_a_cards_former_platform_hold_up_none_of_its_new_one() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let moving = ["2US-1", "3US-1"];
        for code in moving {
            add_product(&w, code);
        }
        for card in [0, 1] {
            sell_as(&w, card, "3US-1");
        }
        lock(&w, 0);
        work(&w, &carrier, 5, 1);
        // On its new platform it is to be stopped too; back on the first it is known to be.
        move_to(&w, "play", moving);
        sell_as(&w, 0, "2US-1");
        assert_eq!(story(&w, 0), "stop confirmed, stop stored");
        move_to(&w, "virtual", moving);
        sell_as(&w, 0, "3US-1");
        assert_eq!(story(&w, 0), "stop confirmed, stop stored");
        // What is not over there waits for nobody here.
        carrier.world.fail(Fault::NeverApplied { forget_seconds: None });
        switch(&w, 1, Write::Stop, "s").expect("it is asked for");
        carrier.work(&w.engine);
        move_to(&w, "play", moving);
        switch(&w, 1, Write::Stop, "s-2").expect("it is asked for there");
        assert_eq!(story(&w, 1), "stop sent, stop stored");
        let claim = |tx: &mut kachi_store::Tx<'_>, catalogue: &kachi_engine::Catalogue, how: &kachi_engine::cards::Settling| {
            let there = catalogue.platform_by_code("play").expect("a platform").id;
            Ok(tx.claim_intents(how.now, (how.now.plus(30), -1), (there, &[]), 10)?)
        };
        let claimed = w.engine.write(claim).expect("they are claimed");
        let mine = claimed.iter().filter(|i| i.sim == sim_id(&w, 1)).count();
        assert_eq!(mine, 1, "{claimed:?}");
    });
}
