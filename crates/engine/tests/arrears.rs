//! Accounts in arrears: their cards stop at their carriers where they are set so, and go on when they have paid. On both engines.

use kachi_domain::carrier::Write;
use kachi_domain::ids::Imei;
use kachi_domain::ledger::{Journal, Posting};
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, Currency, Money, Refusal};
use kachi_engine::stock::Key;
use kachi_engine::switch::{self, Force};
use kachi_engine::{Fail, arrears, diagnose, imei, money, sims};
use kachi_store::Store;
use kachi_store::accounts::Account;
use kachi_store::imei::ImeiGroup;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, NORTH, STRANGER, World, line_in};
use serde_json::json;

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
        work(&w, &carrier);
        let off = |n: u64| carrier.world.card(World::iccid(n).as_str(), w.now()).stopped.is_some();
        assert_eq!([0, 9, 4].map(off), [false, true, true], "one that is new there stops too");
        w.assert_sound();
    });
}
