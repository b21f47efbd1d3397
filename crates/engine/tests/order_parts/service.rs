//! Cards whose packages end are stopped at their carrier, and let on again when the next one starts.

use super::*;
use kachi_store::catalogue::Product;
use kachi_testkit::world::{MB, line, sim_id};

const DAY: i64 = 86_400;

fn spend(w: &World, card: u64, megabytes: i64, at: i64) {
    let id = RECORDS.fetch_add(1, Ordering::SeqCst);
    w.cdr(&format!("use {id}"), &line(id, card, at - 1, at, megabytes * MB));
}

fn change_product(w: &World, change: impl Fn(Product) -> Product + Send + 'static) {
    let act = move |tx: &mut kachi_store::Tx<'_>, catalogue: &kachi_engine::Catalogue, _: &_| {
        let product = catalogue.product_by_code("1US-1").expect("a product").clone();
        tx.put_product(&change(product))?;
        Ok(tx.touch_catalogue()?)
    };
    w.engine.write(act).expect("it is changed");
}

#[test]
fn a_card_is_stopped_when_its_last_package_ends_and_let_on_when_the_next_starts() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        w.buy(0, "Q100-30D", "second").expect("a package");
        spend(&w, 0, 100, w.now().0);
        work(&w, &carrier, 3, 1);
        assert_eq!(story(&w, 0), "", "the second has started");
        w.pass(10);
        spend(&w, 0, 100, w.now().0);
        work(&w, &carrier, 3, 1);
        assert_eq!((story(&w, 0).as_str(), is_off(&w, &carrier, 0)), ("stop confirmed", true), "by quota");
        w.buy(0, "T-7D", "third").expect("a package");
        work(&w, &carrier, 3, 1);
        assert_eq!((story(&w, 0).as_str(), is_off(&w, &carrier, 0)), ("stop confirmed, resume confirmed", false));
        w.pass(7 * DAY);
        work(&w, &carrier, 3, 1);
        assert!(is_off(&w, &carrier, 0), "by its time");
        let bought = w.buy(0, "Q100-30D", "fourth").expect("a package");
        work(&w, &carrier, 3, 1);
        assert!(!is_off(&w, &carrier, 0));
        w.refund(0, bought.order).expect("it is taken back");
        work(&w, &carrier, 3, 1);
        assert!(is_off(&w, &carrier, 0), "by refund");
        assert_eq!(w.card(0).blocks().names(), ["no_package"]);
        assert_eq!([1, 2, 3].map(|card| story(&w, card)), ["", "", ""]);
        w.assert_sound();
    });
}

#[test]
fn a_past_that_is_told_again_asks_for_nothing() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        w.pass(3600);
        let t = w.now().0;
        spend(&w, 0, 60, t);
        // Late records: the first ends the package earlier than now, the second makes that end earlier still.
        w.pass(10);
        spend(&w, 0, 50, t - 600);
        assert_eq!(story(&w, 0), "stop stored");
        work(&w, &carrier, 3, 1);
        for (megabytes, ago) in [(45, 1200), (1, 1800), (30, 2400)] {
            w.pass(10);
            spend(&w, 0, megabytes, t - ago);
            work(&w, &carrier, 3, 1);
        }
        assert_eq!(story(&w, 0), "stop confirmed");
        w.buy(0, "Q100-30D", "second").expect("a package");
        work(&w, &carrier, 3, 1);
        w.pass(10);
        spend(&w, 0, 1, t - 3000);
        work(&w, &carrier, 3, 1);
        assert_eq!((story(&w, 0).as_str(), is_off(&w, &carrier, 0)), ("stop confirmed, resume confirmed", false));
        w.assert_sound();
    });
}

#[test]
fn whoever_else_keeps_a_card_off_keeps_it_off() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        // Its owner's stop, asked for and not answered yet, stands when a package starts.
        spend(&w, 0, 100, w.now().0);
        work(&w, &carrier, 3, 1);
        switch(&w, 0, Write::Stop, "s").expect("it is asked for");
        w.buy(0, "Q100-30D", "a").expect("a package");
        work(&w, &carrier, 5, 1);
        assert_eq!((story(&w, 0).as_str(), is_off(&w, &carrier, 0)), ("stop confirmed, stop confirmed", true));
        w.buy(0, "Q100-30D", "b").expect("a package");
        switch(&w, 0, Write::Resume, "r").expect("it is asked for");
        work(&w, &carrier, 5, 1);
        assert!(!is_off(&w, &carrier, 0));
        // Let on by its owner without a package, it stays off until there is one.
        w.pass(60);
        spend(&w, 0, 200, w.now().0);
        switch(&w, 0, Write::Stop, "s-2").expect("it is asked for");
        work(&w, &carrier, 5, 1);
        let lifted = switch(&w, 0, Write::Resume, "r-2").expect("it is let go");
        assert!(matches!(lifted, Switched::Lifted { .. }), "{lifted:?}");
        work(&w, &carrier, 5, 1);
        assert_eq!((w.card(0).blocks().names(), is_off(&w, &carrier, 0)), (vec!["quota"], true));
        w.buy(0, "Q100-30D", "c").expect("a package");
        work(&w, &carrier, 5, 1);
        assert!(!is_off(&w, &carrier, 0));
        // A lock outlives a package, and a package's end a lock.
        lock(&w, 0);
        w.pass(60);
        spend(&w, 0, 100, w.now().0);
        work(&w, &carrier, 5, 1);
        w.pass(UNLOCK_PAUSE);
        unlock(&w, 0).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert_eq!((w.card(0).blocks().names(), is_off(&w, &carrier, 0)), (vec!["quota"], true));
        w.buy(0, "Q100-30D", "d").expect("a package");
        work(&w, &carrier, 5, 1);
        assert!(!is_off(&w, &carrier, 0));
        w.assert_sound();
    });
}

#[test]
fn an_owners_stop_that_is_refused_gives_way_to_what_is_wanted_else() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let refused = || Fault::Refused { code: "12089".into(), reason: "not now".into() };
        carrier.world.fail(OVERLOADED);
        switch(&w, 0, Write::Stop, "s").expect("it is asked for");
        work(&w, &carrier, 3, 1);
        spend(&w, 0, 100, w.now().0);
        assert_eq!(story(&w, 0), "stop stored", "one is enough");
        carrier.world.fail(refused());
        work(&w, &carrier, 30, 1);
        assert_eq!((story(&w, 0).as_str(), is_off(&w, &carrier, 0)), ("stop refused, stop confirmed", true));
        // Ours that is refused is on the record, and is not asked for again before something else is wanted.
        carrier.world.fail(refused());
        w.buy(0, "Q100-30D", "a").expect("a package");
        work(&w, &carrier, 7200, 600);
        assert_eq!(story(&w, 0), "stop refused, stop confirmed, resume refused");
        assert_eq!(w.events(0).iter().filter(|kind| *kind == "service_refused").count(), 1);
        w.assert_sound();
    });
}

#[test]
fn where_cards_are_not_stopped_nothing_is_asked_for_packages() {
    for (settings, bare) in
        [(json!({"stop_cards": false}), false), (json!({}), true), (json!({"without": ["stop_resume"]}), false)]
    {
        each(|store| {
            let (w, carrier) = world(store, settings.clone());
            change_product(&w, move |product| Product { bare_use: bare, ..product });
            spend(&w, 0, 100, w.now().0);
            w.buy(0, "Q100-30D", "a").expect("a package");
            work(&w, &carrier, 5, 1);
            assert_eq!(story(&w, 0), "", "{settings} {bare}");
            assert_eq!(w.card(0).blocks().names(), [""; 0]);
        });
    }
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.buy(0, "Q100-30D", "a").expect("a package");
        spend(&w, 0, 100, w.now().0);
        assert_eq!(story(&w, 0), "", "a person is not asked for every card");
    });
}

#[test]
fn a_card_that_was_stopped_for_its_packages_is_let_on_although_cards_are_not_stopped_any_more() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        spend(&w, 0, 100, w.now().0);
        work(&w, &carrier, 3, 1);
        assert!(is_off(&w, &carrier, 0));
        change_product(&w, |product| Product { bare_use: true, ..product });
        w.buy(0, "Q100-30D", "a").expect("a package");
        work(&w, &carrier, 3, 1);
        assert_eq!((story(&w, 0).as_str(), is_off(&w, &carrier, 0)), ("stop confirmed, resume confirmed", false));
    });
}

#[test]
fn a_card_that_was_never_on_is_activated_with_its_first_package() {
    for (settings, story_then) in [(json!({}), "activate confirmed"), (json!({"without": ["activate"]}), "")] {
        each(|store| {
            let (w, carrier) = world(store, settings.clone());
            w.add_cards(ACME, 9..10);
            let sim = sim_id(&w, 9);
            carrier.world.stand(World::iccid(9).as_str(), BaseState::Ready, w.now());
            let ready = move |tx: &mut kachi_store::Tx<'_>, _: &_, _: &_| {
                let card = tx.sim_by_id(sim)?.expect("a card");
                Ok(tx.set_sim_state(sim, BaseState::Ready.word(), card.blocks, None)?)
            };
            w.engine.write(ready).expect("it is ready");
            w.buy(9, "Q100-30D", "a").expect("a package");
            work(&w, &carrier, 3, 1);
            assert_eq!(story(&w, 9), story_then, "{settings}");
            if !story_then.is_empty() {
                assert_eq!(there(&w, &carrier, 9).base(), BaseState::Active);
            }
            w.buy(9, "Q100-30D", "b").expect("a package");
            work(&w, &carrier, 3, 1);
            assert_eq!(story(&w, 9), story_then, "once");
        });
    }
}

#[test]
fn what_has_no_last_word_is_asked_for_once_more() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        carrier.world.fail(Fault::Hollow);
        carrier.world.fail(Fault::Hollow);
        spend(&w, 0, 100, w.now().0);
        work(&w, &carrier, PATIENCE + 3_600, 600);
        assert_eq!(story(&w, 0), "stop superseded, stop in_doubt");
        work(&w, &carrier, PATIENCE + 3_600, 600);
        assert_eq!(story(&w, 0), "stop superseded, stop in_doubt", "then a person looks");
        assert!(writes(&w)[1].due_at.is_none() && !is_off(&w, &carrier, 0));
        // The next wish makes up for it.
        w.buy(0, "Q100-30D", "a").expect("a package");
        w.pass(60);
        spend(&w, 0, 100, w.now().0);
        work(&w, &carrier, 60, 5);
        assert!(is_off(&w, &carrier, 0), "{}", story(&w, 0));
    });
}

#[test]
fn many_cards_that_end_at_once_are_written_together() {
    each(|store| {
        let (w, carrier) = world(store, json!({"submit_batch": 100}));
        let cards = 100..1_300;
        w.add_cards(ACME, cards.clone());
        let pay = |tx: &mut kachi_store::Tx<'_>, _: &_, how: &kachi_engine::cards::Settling| {
            let postings = kachi_domain::ledger::top_up(ACME, 1_000_000);
            tx.post(ACME, kachi_domain::ledger::Journal::TopUp, "more", &postings, how.now)?;
            Ok(())
        };
        w.engine.write(pay).expect("money");
        for card in cards.clone() {
            w.buy(card, "Q100-30D", &format!("o-{card}")).expect("a package");
        }
        let (now, from) = (w.now().0, RECORDS.fetch_add(2_000, Ordering::SeqCst));
        let lines: Vec<String> = cards.clone().map(|card| line(from + card as i64, card, now - 1, now, 100 * MB)).collect();
        w.cdr("all of them", &lines.concat());
        let stored = writes(&w);
        assert_eq!(stored.len(), cards.clone().count());
        let mut references: Vec<String> = stored.iter().map(|i| request(i)["reference"].to_string()).collect();
        references.sort_unstable();
        references.dedup();
        assert_eq!(references.len(), stored.len());
        carrier.work(&w.engine);
        assert!(cards.clone().all(|card| is_off(&w, &carrier, card)));
        w.assert_sound();
    });
}
