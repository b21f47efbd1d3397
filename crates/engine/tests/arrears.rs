//! Accounts in arrears: their cards stop at their carriers where they are set so, and go on when they have paid. On both engines.

use kachi_domain::carrier::Write;
use kachi_domain::diagnose::Lang;
use kachi_domain::ids::Imei;
use kachi_domain::ledger::{Journal, Posting};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, Currency, Money, Refusal};
use kachi_engine::card_reads::{self, Ask, What};
use kachi_engine::stock::Key;
use kachi_engine::switch::{self, Force};
use kachi_engine::{Fail, arrears, diagnose, imei, money, sims};
use kachi_store::accounts::Account;
use kachi_store::imei::ImeiGroup;
use kachi_store::{Place, Store};
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, NORTH, STRANGER, World, line_in};
use serde_json::json;
use std::sync::mpsc;

/// Acme's cards 0..3 and a stranger's card 9, at a carrier that is asked.
fn world(store: Store) -> (World, Carrier) {
    let w = World::new(store);
    let carrier = Carrier::of(&w.engine, "1US-1", json!({}), &[]);
    carrier.remember(&w.engine);
    w.add_cards(ACME, 0..3);
    w.add_cards(STRANGER, 9..10);
    for card in 0..3 {
        w.buy(card, "Q100-30D", &format!("n-{card}")).unwrap();
    }
    (w, carrier)
}

/// Acme may owe so much, and its cards stop or do not.
fn set(w: &World, credit_minor: i64, credit_stop: bool) {
    let put = w.engine.write(move |tx, catalogue, how| {
        let acme = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
        tx.put_account(&Account { credit_minor, credit_stop, ..acme }, how.now)?;
        Ok(tx.touch_catalogue()?)
    });
    put.unwrap();
}

fn spend(w: &World, minor: i64) {
    let postings = kachi_domain::ledger::sms_charge(ACME, minor);
    w.engine.write(move |tx, _, how| Ok(tx.post(ACME, Journal::SmsCharge, "test", &postings, how.now)?)).unwrap();
}

fn pay(w: &World, minor: i64, cause: &'static str) {
    let amount = Money { minor, currency: Currency::USD };
    w.engine.write(move |tx, catalogue, how| money::top_up(tx, catalogue, ACME, amount, cause, how.now)).unwrap();
}

/// The worker, and then the carrier, do what is due.
fn work(w: &World, carrier: &Carrier) {
    while arrears::step(&w.engine).unwrap() > 0 {}
    carrier.work(&w.engine);
    w.pass(5);
    carrier.work(&w.engine);
}

/// Whether each of Acme's cards has the block, and whether its carrier keeps it off.
fn stand(w: &World, carrier: &Carrier) -> Vec<(bool, bool)> {
    let off = |n: u64| carrier.world.card(World::iccid(n).as_str(), w.now()).stopped.is_some();
    (0..3).map(|n| (w.card(n).blocks().has(Blocks::CREDIT), off(n))).collect()
}

fn told(w: &World) -> Vec<String> {
    let all = w.engine.read(|tx, _| Ok(tx.events_newest(&[ACME], 1_000)?)).unwrap();
    let mut told: Vec<String> = all.into_iter().filter(|e| e.3 == "account_arrears").map(|e| e.5).collect();
    told.reverse();
    told
}

#[test]
fn cards_of_an_account_that_used_all_its_credit_stop_and_go_on_when_it_pays() {
    each(|store| {
        let (w, carrier) = world(store);
        set(&w, 500, true);
        work(&w, &carrier);
        assert_eq!(stand(&w, &carrier), [(false, false); 3]);
        spend(&w, w.balance(ACME) + 499);
        work(&w, &carrier);
        assert_eq!(stand(&w, &carrier), [(false, false); 3], "it has a cent of credit left");
        spend(&w, 1);
        work(&w, &carrier);
        assert_eq!(stand(&w, &carrier), [(true, true); 3]);
        assert!(w.card(9).blocks().is_empty() || !w.card(9).blocks().has(Blocks::CREDIT), "a stranger's goes on");
        // Its owner cannot let it on; why, and who can, is in the diagnosis.
        let (acme, key) = (w.actor(ACME), Key::Iccid(World::iccid(0)));
        let asked = w.engine.write(move |tx, c, how| switch::switch(tx, c, how, &acme, (&key, Write::Resume, "r1")));
        let Err(Fail::Refused(Refusal::KeptOff { by })) = asked else { panic!("{asked:?}") };
        assert_eq!(by.iter().map(|cause| cause.word()).collect::<Vec<_>>(), ["credit"]);
        let report = diagnose::diagnose(&w.engine, &w.actor(ACME), &World::iccid(0), None).unwrap();
        let found = &report.causes[0];
        let row = found.cause.row();
        assert_eq!((found.cause.word(), row.who.word(), row.act.word()), ("credit", "reseller", "pay"));
        let command = found.command(World::iccid(0).as_str()).unwrap();
        assert!(command.starts_with("kachi admin balance top-up acme "), "{command}");
        // What else is in a card's way stays when the arrears are paid.
        let operator = w.actor(AccountId(1));
        let force = move |tx: &mut kachi_store::Tx<'_>, c: &kachi_engine::Catalogue, how: &kachi_engine::cards::Settling| {
            switch::force(tx, c, how, &operator, (&World::iccid(1), Force::Stop, "Li", "a test"))
        };
        w.engine.write(force).unwrap();
        w.pass(600);
        pay(&w, 1, "p1");
        work(&w, &carrier);
        w.pass(600);
        work(&w, &carrier);
        assert_eq!(stand(&w, &carrier), [(false, false), (false, true), (false, false)]);
        let told = told(&w);
        assert!(told.len() == 2 && told[0].contains("are stopped") && told[1].contains("are let on"), "{told:?}");
        assert_eq!(arrears::step(&w.engine).unwrap(), 0, "and nothing is left to do");
        w.assert_sound();
    });
}

#[test]
fn one_that_owes_stops_too_and_only_where_it_is_set_so() {
    each(|store| {
        let (w, carrier) = world(store);
        let owes = [Posting { account: ACME, bucket: kachi_domain::ledger::Bucket::Owed, minor: -40 }];
        let gets = [Posting { account: AccountId(1), bucket: kachi_domain::ledger::Bucket::Revenue, minor: 40 }];
        let all = [owes, gets].concat();
        spend(&w, w.balance(ACME));
        w.engine.write(move |tx, _, how| Ok(tx.post(ACME, Journal::Refund, "test", &all, how.now)?)).unwrap();
        work(&w, &carrier);
        assert_eq!(stand(&w, &carrier), [(false, false); 3], "it is not set so");
        set(&w, 0, true);
        work(&w, &carrier);
        assert_eq!(stand(&w, &carrier), [(true, true); 3]);
        w.pass(600);
        pay(&w, 39, "p1");
        work(&w, &carrier);
        assert_eq!(stand(&w, &carrier), [(true, true); 3], "a cent is owed");
        let report = diagnose::diagnose(&w.engine, &w.actor(ACME), &World::iccid(0), None).unwrap();
        for (lang, words) in [(Lang::En, "0.00 USD, may owe 0.00, owes 0.01"), (Lang::Zh, "0.00 USD, 信用额度 0.00，欠款 0.01")]
        {
            let looks = report.looks(&report.causes[0], lang);
            assert!(looks.iter().flatten().any(|look| look.value == words), "{words}: {looks:?}");
        }
        set(&w, 0, false);
        work(&w, &carrier);
        w.pass(600);
        work(&w, &carrier);
        assert_eq!(stand(&w, &carrier), [(false, false); 3], "no longer set so");
        w.assert_sound();
    });
}

#[test]
fn a_card_that_leaves_its_imei_group_and_its_accounts_arrears_at_once_is_on() {
    each(|store| {
        let (w, carrier) = world(store);
        let group = ImeiGroup { id: 7, account: ACME, code: "g7".into(), unlocks_per_month: 3, bound_sim: None };
        let (made, operator) = (group.clone(), w.actor(AccountId(1)));
        let joined = w.engine.write(move |tx, c, how| {
            tx.add_imei_group(&made, how.now)?;
            tx.add_imei(&made, &Imei::parse("867530912345678").expect("an IMEI"))?;
            imei::join(tx, c, how, &operator, (&World::iccid(0), &group), None)
        });
        joined.unwrap();
        w.pass(600);
        let at = w.now().0;
        w.cdr("seen", &line_in(1, 0, at - 60, at - 30, 1, 355_000_000_000_017));
        set(&w, 500, true);
        spend(&w, w.balance(ACME) + 500);
        work(&w, &carrier);
        assert_eq!(w.card(0).blocks(), Blocks(Blocks::CREDIT.0 | Blocks::IMEI_LOCK.0));
        w.pass(600);
        let operator = w.actor(AccountId(1));
        w.engine.write(move |tx, c, how| sims::transfer(tx, c, how, &operator, &World::iccid(0), NORTH)).unwrap();
        assert!(w.card(0).blocks().is_empty(), "{:?}", w.card(0).blocks().names());
        work(&w, &carrier);
        w.pass(600);
        work(&w, &carrier);
        assert!(carrier.world.card(World::iccid(0).as_str(), w.now()).stopped.is_none(), "and its carrier lets it on");
        w.assert_sound();
    });
}

#[test]
fn a_card_leaves_the_block_behind_and_takes_that_of_where_it_comes_to() {
    each(|store| {
        let (w, carrier) = world(store);
        set(&w, 500, true);
        spend(&w, w.balance(ACME) + 500);
        work(&w, &carrier);
        w.pass(600);
        let goes = |card: u64, to: AccountId| {
            let operator = w.actor(AccountId(1));
            let moved =
                w.engine.write(move |tx, c, how| sims::transfer(tx, c, how, &operator, &World::iccid(card), to).map(|_| ()));
            moved.unwrap();
        };
        goes(0, NORTH);
        goes(9, ACME);
        assert!(!w.card(0).blocks().has(Blocks::CREDIT) && w.card(9).blocks().has(Blocks::CREDIT));
        w.add_cards(ACME, 4..5);
        assert!(w.card(4).blocks().has(Blocks::CREDIT));
        work(&w, &carrier);
        let off = |n: u64| carrier.world.card(World::iccid(n).as_str(), w.now()).stopped.is_some();
        assert_eq!([0, 9, 4].map(off), [false, true, true], "one that is new there stops too");
        w.assert_sound();
    });
}

/// Acme uses all its credit; nobody has looked yet.
fn spend_all(w: &World) {
    set(w, 500, true);
    spend(w, w.balance(ACME) + 500);
}

fn is_stopped(w: &World, card: u64) -> bool {
    w.card(card).blocks().has(Blocks::CREDIT)
}

#[test]
fn stopping_many_cards_looks_at_each_once_and_an_account_that_stays_in_arrears_at_none() {
    each(|store| {
        let (w, _carrier) = world(store);
        w.add_cards(ACME, 10..447);
        spend_all(&w);
        assert_eq!(arrears::step(&w.engine).unwrap(), 1 + 200);
        // One that it has looked at is let on behind its back: that is not found by looking at all of them again.
        let first = w.card(0).sim;
        let blocks = first.blocks & !Blocks::CREDIT.0;
        w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(first.id, &first.state, blocks, first.activated_at)?)).unwrap();
        // One that comes has a number that was passed.
        let operator = w.actor(AccountId(1));
        w.engine.write(move |tx, c, how| sims::transfer(tx, c, how, &operator, &World::iccid(9), ACME)).unwrap();
        assert!(is_stopped(&w, 9) && !is_stopped(&w, 446));
        let steps: Vec<usize> = (0..3).map(|_| arrears::step(&w.engine).unwrap()).collect();
        assert_eq!(steps, [200, 40, 0]);
        assert!((1..3).chain(9..447).all(|n| is_stopped(&w, n)) && !is_stopped(&w, 0));
        let found = kachi_engine::audit::audit(&w.engine).unwrap().violations;
        assert_eq!(found, [format!("card {}: not stopped for its account's arrears", w.card(0).sim.id)]);
        pay(&w, 1, "p1");
        let steps: Vec<usize> = (0..4).map(|_| arrears::step(&w.engine).unwrap()).collect();
        assert_eq!(steps, [1 + 200, 200, 40, 0]);
        assert!((0..3).chain(9..447).all(|n| !is_stopped(&w, n)));
        w.assert_sound();
    });
}

/// The carrier tells where a card stands.
fn tell(w: &World, carrier: &Carrier, card: u64, base: BaseState) {
    carrier.world.stand(World::iccid(card).as_str(), base, w.now());
    let ask = Ask { iccid: World::iccid(card), platform: None, product: None, what: What::Status };
    let actor = w.actor(AccountId(1));
    w.engine.write(move |tx, catalogue, how| card_reads::ask(tx, catalogue, how, &actor, &ask)).unwrap();
    carrier.read(&w.engine);
    w.pass(600);
}

fn place(w: &World, card: u64, base: BaseState) {
    let sim = w.card(card).sim;
    w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, base.word(), sim.blocks, None)?)).unwrap();
}

/// What was asked of the carrier for the card, the oldest first.
fn asked(w: &World, card: u64) -> Vec<&'static str> {
    let id = w.card(card).sim.id;
    let all = w.engine.read(|tx, _| Ok(tx.intents(false, 1_000)?)).unwrap();
    let mut all: Vec<_> = all.into_iter().filter(|i| i.sim == id).collect();
    all.sort_by_key(|i| i.id);
    let word = |request: &str| ["stop", "resume", "activate"].into_iter().find(|w| request.contains(&format!("\"{w}\"")));
    all.iter().filter_map(|i| word(&i.request)).collect()
}

#[test]
fn cards_in_stock_are_not_asked_to_stop_before_they_leave_it() {
    each(|store| {
        let (w, carrier) = world(store);
        w.add_cards(ACME, 10..15);
        place(&w, 10, BaseState::Inventory);
        place(&w, 11, BaseState::Testing);
        place(&w, 12, BaseState::Ready);
        place(&w, 13, BaseState::Inventory);
        place(&w, 14, BaseState::Inventory);
        // Its carrier is being asked to let this one on when the account falls into arrears.
        let (acme, key) = (w.actor(ACME), Key::Iccid(World::iccid(14)));
        w.engine.write(move |tx, c, how| switch::switch(tx, c, how, &acme, (&key, Write::Resume, "r1"))).unwrap();
        spend_all(&w);
        work(&w, &carrier);
        assert!((10..15).all(|n| is_stopped(&w, n)), "so that no door lets them on");
        assert_eq!([10, 11, 12].map(|n| asked(&w, n)), [vec![], vec![], vec!["stop"]]);
        assert_eq!((w.card(14).base_state(), asked(&w, 14)), (BaseState::Active, vec!["activate", "stop"]));
        // Its user puts it into a device, and the carrier tells; or its first package starts.
        w.pass(600);
        tell(&w, &carrier, 10, BaseState::Active);
        tell(&w, &carrier, 11, BaseState::Ready);
        assert_eq!([10, 11].map(|n| w.card(n).base_state()), [BaseState::Active, BaseState::Ready]);
        assert_eq!([10, 11].map(|n| asked(&w, n)), [vec!["stop"], vec!["stop"]]);
        work(&w, &carrier);
        w.pass(600);
        pay(&w, 1_000, "p1");
        work(&w, &carrier);
        w.pass(600);
        work(&w, &carrier);
        assert_eq!([10, 13].map(|n| (is_stopped(&w, n), asked(&w, n))), [(false, vec!["stop", "resume"]), (false, vec![])]);
        w.assert_sound();
    });
}

#[test]
fn a_card_that_comes_back_to_life_stands_by_its_accounts_arrears() {
    each(|store| {
        let (w, carrier) = world(store);
        place(&w, 0, BaseState::Closed);
        spend_all(&w);
        work(&w, &carrier);
        assert_eq!([0, 1].map(|n| is_stopped(&w, n)), [false, true]);
        w.pass(600);
        tell(&w, &carrier, 0, BaseState::Active);
        assert_eq!((w.card(0).base_state(), is_stopped(&w, 0)), (BaseState::Active, true));
        assert_eq!(asked(&w, 0), ["stop"]);
        // One that was closed while it was stopped, and comes back when its account has paid, is on.
        place(&w, 1, BaseState::Closed);
        pay(&w, 1_000, "p1");
        work(&w, &carrier);
        w.pass(600);
        tell(&w, &carrier, 1, BaseState::Active);
        assert_eq!((w.card(1).base_state(), is_stopped(&w, 1)), (BaseState::Active, false));
        w.assert_sound();
    });
}

/// Returns when so many transactions of a PostgreSQL database wait for others. SQLite has one writer, for which all wait anyway.
fn until_so_many_wait(place: &Place, many: usize) {
    if !matches!(place, Place::Postgres(_)) {
        return;
    }
    // Fewer are a division by zero.
    let asked = format!(
        "SELECT 1 / (COUNT(*) / {many}) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    );
    let waits = (0..100_000).any(|_| {
        std::thread::yield_now();
        kachi_store::db::execute_in(place, &asked).is_ok()
    });
    assert!(waits, "{many} do not wait");
}

/// Moves Acme's card 0 to its reseller, and does this before that is committed.
fn move_away(w: &World, before_commit: impl FnOnce() + Send + 'static) {
    let operator = w.actor(AccountId(1));
    let moved = w.engine.write(move |tx, c, how| {
        sims::transfer(tx, c, how, &operator, &World::iccid(0), NORTH)?;
        before_commit();
        Ok(())
    });
    moved.unwrap();
}

/// The move and a look run together as told, when Acme has just paid or has just used all its credit.
fn moves_while_it_turns(store: &Store, together: impl Fn(&World)) {
    for pays in [true, false] {
        let database = Database::like(store);
        let (w, carrier) = world(database.open());
        spend_all(&w);
        if pays {
            work(&w, &carrier);
            w.pass(600);
            pay(&w, 1_000, "p1");
        }
        together(&w);
        assert_eq!(w.card(0).sim.account, NORTH);
        assert_eq!([0, 1, 2].map(|n| is_stopped(&w, n)), [false, !pays, !pays]);
        work(&w, &carrier);
        w.assert_sound();
    }
}

#[test]
fn a_card_that_moves_just_before_a_look_leaves_the_block_behind() {
    each(|store| {
        moves_while_it_turns(&store, |w| {
            let (moved, is_moved) = mpsc::channel();
            let place = w.engine.store().place().clone();
            std::thread::scope(|s| {
                s.spawn(|| {
                    move_away(w, move || {
                        moved.send(()).unwrap();
                        until_so_many_wait(&place, 1);
                    });
                });
                is_moved.recv().unwrap();
                // Waits for the card, which is another's then.
                arrears::step(&w.engine).unwrap();
            });
        });
    });
}

#[test]
fn a_card_that_moves_just_after_a_look_leaves_the_block_behind() {
    each(|store| {
        moves_while_it_turns(&store, |w| {
            let (held, is_held) = mpsc::channel();
            let (place, last) = (w.engine.store().place().clone(), w.card(2).sim.id);
            std::thread::scope(|s| {
                // The look has the card and waits for another; the move waits for the look.
                s.spawn(|| {
                    let hold = w.engine.write(move |tx, _, _| {
                        tx.state_locked(last)?;
                        held.send(()).unwrap();
                        until_so_many_wait(&place, 2);
                        Ok(())
                    });
                    hold.unwrap();
                });
                is_held.recv().unwrap();
                s.spawn(|| arrears::step(&w.engine).unwrap());
                until_so_many_wait(w.engine.store().place(), 1);
                move_away(w, || {});
            });
        });
    });
}

#[test]
fn a_look_that_sleeps_while_its_account_pays_and_falls_back_skips_no_card() {
    each(|store| {
        let (w, carrier) = world(store);
        spend_all(&w);
        work(&w, &carrier);
        // Of a look at cards that are stopped, the last of them is still to be done.
        let last = w.card(2).sim;
        let undone = w.engine.write(move |tx, _, how| {
            tx.set_sim_state(last.id, &last.state, last.blocks & !Blocks::CREDIT.0, last.activated_at)?;
            Ok(tx.set_credit_stop(ACME, true, how.now)?)
        });
        undone.unwrap();
        let (held, is_held) = mpsc::channel();
        let place = w.engine.store().place().clone();
        std::thread::scope(|s| {
            // Two looks wait for a card that somebody holds.
            s.spawn(|| {
                let hold = w.engine.write(move |tx, _, _| {
                    tx.state_locked(last.id)?;
                    held.send(()).unwrap();
                    until_so_many_wait(&place, 2);
                    Ok(())
                });
                hold.unwrap();
            });
            is_held.recv().unwrap();
            s.spawn(|| arrears::step(&w.engine).unwrap());
            until_so_many_wait(w.engine.store().place(), 1);
            pay(&w, 1_000, "p1");
            arrears::step(&w.engine).unwrap();
            assert!(!is_stopped(&w, 0) && !is_stopped(&w, 1));
            spend(&w, 1_000);
            s.spawn(|| arrears::step(&w.engine).unwrap());
        });
        work(&w, &carrier);
        assert_eq!([0, 1, 2].map(|n| is_stopped(&w, n)), [true; 3]);
        w.assert_sound();
    });
}

#[test]
fn a_look_counts_for_the_turn_that_it_began_in_and_for_no_later_one() {
    each(|store| {
        let (w, _carrier) = world(store);
        let counts = w.engine.write(|tx, _, how| {
            tx.set_credit_stop(ACME, true, how.now)?;
            let was = tx.credit_stop(ACME)?;
            tx.set_credit_stop(ACME, false, how.now)?;
            tx.set_credit_stop(ACME, true, how.now)?;
            let now = tx.credit_stop(ACME)?;
            Ok([was, now].map(|turn| tx.credit_looked(ACME, turn, None)))
        });
        assert_eq!(counts.unwrap().map(Result::unwrap), [false, true]);
    });
}

#[test]
fn a_card_that_comes_while_its_account_falls_into_arrears_stops_too() {
    each(|store| {
        let (w, carrier) = world(store);
        spend_all(&w);
        let is_postgres = matches!(w.engine.store().place(), Place::Postgres(_));
        let (put, is_put) = mpsc::channel();
        let (looked, is_looked) = mpsc::channel::<()>();
        std::thread::scope(|s| {
            let engine = w.engine.clone();
            s.spawn(move || {
                let add = engine.write(move |tx, catalogue, how| {
                    let product = catalogue.product_by_code("1US-1").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
                    let active = BaseState::Active.word().to_owned();
                    let sim = kachi_store::sims::Sim { state: active, ..sims::blank(&World::iccid(4), ACME, product) };
                    sims::put(tx, catalogue, how, &sim)?;
                    let operator = catalogue.actor(AccountId(1)).ok_or_else(|| Fail::fault("operator"))?;
                    sims::transfer(tx, catalogue, how, &operator, &World::iccid(9), ACME)?;
                    put.send(()).unwrap();
                    if is_postgres {
                        is_looked.recv().unwrap();
                    }
                    Ok(())
                });
                add.unwrap();
            });
            is_put.recv().unwrap();
            // Nobody waits for the cards that come: the account turns at the next look.
            arrears::step(&w.engine).unwrap();
            _ = looked.send(());
        });
        work(&w, &carrier);
        assert!([0, 1, 2, 4, 9].into_iter().all(|n| is_stopped(&w, n)));
        w.assert_sound();
    });
}
