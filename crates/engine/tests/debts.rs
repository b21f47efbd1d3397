//! Debts: whatever gives an account money, it pays what it owes of it first. Any sequence of acts leaves nobody who owes and has
//! something to spend. On both engines.

use kachi_domain::account::Path;
use kachi_domain::order::Channel;
use kachi_domain::profit::WithdrawalKind;
use kachi_domain::{AccountId, Currency, Money, OrderId};
use kachi_engine::orders::{self, Place};
use kachi_engine::{Result, money, profits, refunds};
use kachi_store::accounts::Account;
use kachi_store::catalogue::Price;
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, NORTH, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A customer of [`ACME`].
const SHOP: AccountId = AccountId(10_020);
/// Cards of the shop and of Acme.
const CARDS: [u64; 4] = [0, 1, 10, 11];
/// Activated here, and by the carrier.
const PACKAGES: [&str; 2] = ["Q100-30D", "C100-30D"];

/// North pays less than Acme, and Acme less than the shop; Acme may owe so much.
fn world(store: kachi_store::Store, credit_minor: i64) -> World {
    let w = World::new(store);
    w.engine
        .write(move |tx, catalogue, how| {
            let path = Path::root().child(NORTH).child(ACME).child(SHOP);
            let acme = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
            tx.put_account(&Account { id: SHOP, code: "shop".into(), path, ..acme.clone() }, how.now)?;
            tx.put_account(&Account { credit_minor, ..acme }, how.now)?;
            for code in PACKAGES {
                let package = catalogue.package_by_code(code).map(|p| p.id).expect("a package");
                for (account, price, retail) in [(NORTH, 100, 130), (ACME, 130, 175)] {
                    let (price_minor, retail_minor) = (Some(price), Some(retail));
                    tx.put_price(&Price { account, package, price_minor, retail_minor, listed: None })?;
                }
            }
            tx.touch_catalogue()?;
            Ok(())
        })
        .unwrap();
    top_up(&w, SHOP, 50_000, "opening").unwrap();
    w.add_cards(SHOP, 0..2);
    w.add_cards(ACME, 10..12);
    w
}

fn top_up(w: &World, account: AccountId, minor: i64, cause: &'static str) -> Result<bool> {
    let amount = Money { minor, currency: Currency::USD };
    w.engine.write(move |tx, catalogue, how| money::top_up(tx, catalogue, account, amount, cause, how.now))
}

fn book(w: &World, account: AccountId, minor: i64, reference: String) -> Result<bool> {
    let amount = Money { minor, currency: Currency::USD };
    let act = money::ByHand {
        correction: Some("test".into()),
        account,
        amount,
        reference,
        by: "a person".into(),
        value_day: None,
        remark: None,
    };
    w.engine.write(move |tx, catalogue, how| money::book(tx, catalogue, &act, how.now))
}

fn buyer(card: u64) -> AccountId {
    if card < 10 { SHOP } else { ACME }
}

fn buy(w: &World, card: u64, package: &str, number: String) -> Result<OrderId> {
    let actor = w.actor(buyer(card));
    let place = Place {
        iccid: World::iccid(card),
        package_code: package.into(),
        out_trade_no: Some(number.clone()),
        channel: Channel::Api,
        custom_data: None,
        number,
    };
    w.engine.write(move |tx, catalogue, how| orders::place(tx, catalogue, how, &actor, &place)).map(|placed| placed.order)
}

fn refund(w: &World, card: u64, order: OrderId) -> Result<i64> {
    let actor = w.actor(buyer(card));
    w.engine.write(move |tx, c, how| refunds::refund(tx, c, how, &actor, &World::iccid(card), order, "r")).map(|q| q.minor)
}

/// The carrier's last word on an order.
fn answered(w: &World, order: OrderId, good: bool) -> Result<()> {
    w.engine.write(move |tx, catalogue, how| match good {
        true => orders::fulfilled(tx, catalogue, how, order),
        false => orders::failed(tx, catalogue, how, order, "the carrier refuses"),
    })
}

/// (available, held, credit, owed), minor units.
fn stands(w: &World, account: AccountId) -> (i64, i64, i64, i64) {
    w.engine
        .read(|tx, _| {
            let (available, held, credit) = tx.balance(account)?;
            Ok((available, held, credit, tx.owed(&[account])?.first().map_or(0, |o| o.1)))
        })
        .unwrap()
}

/// Acme spends all but so much.
fn spend_all_but(w: &World, left: i64) {
    let (available, _, credit, _) = stands(w, ACME);
    if available + credit > left {
        book(w, ACME, left - available - credit, format!("spent {} {}", w.now().0, available)).unwrap();
    }
}

/// Acme owes 45: a share that went back when it had nothing any more.
fn indebted(store: kachi_store::Store) -> (World, OrderId, OrderId) {
    let w = world(store, 0);
    let sold = buy(&w, 0, "Q100-30D", "sold".into()).unwrap();
    let own = buy(&w, 10, "Q100-30D", "own".into()).unwrap();
    let waits = buy(&w, 11, "C100-30D", "waits".into()).unwrap();
    spend_all_but(&w, 0);
    refund(&w, 0, sold).unwrap();
    assert_eq!(stands(&w, ACME), (0, 130, 0, 45));
    (w, own, waits)
}

#[test]
fn what_a_failed_order_held_pays_a_debt_first() {
    each(|store| {
        let (w, _, waits) = indebted(store);
        answered(&w, waits, false).unwrap();
        assert_eq!(stands(&w, ACME), (130 - 45, 0, 0, 0));
        w.assert_sound();
    });
}

#[test]
fn what_comes_back_of_an_own_purchase_pays_a_debt_first() {
    each(|store| {
        let (w, own, _) = indebted(store);
        assert_eq!(refund(&w, 10, own).unwrap(), 130, "the customer is told what went back, wherever it went");
        assert_eq!(stands(&w, ACME), (130 - 45, 130, 0, 0));
        w.assert_sound();
    });
}

#[test]
fn an_opening_balance_pays_a_debt_first_and_is_known_as_it_was_given() {
    each(|store| {
        let (w, ..) = indebted(store);
        top_up(&w, ACME, 60, "later").unwrap();
        assert_eq!(stands(&w, ACME), (15, 130, 0, 0));
        assert!(!top_up(&w, ACME, 60, "later").unwrap());
        let given = |cause: &'static str| {
            w.engine.read(move |tx, _| Ok(tx.journal_amount(ACME, kachi_domain::ledger::Journal::TopUp, cause)?)).unwrap()
        };
        assert_eq!((given("later"), given("never")), (Some(60), None));
        w.assert_sound();
    });
}

#[derive(Debug, Clone)]
enum Step {
    Buy { card: usize, package: usize },
    Refund(usize),
    Answer { nth: usize, good: bool },
    SpendAllBut(i64),
    Book { who: usize, minor: i64 },
    Withdraw(bool),
    Settle { good: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize, 0..2_usize).prop_map(|(card, package)| Step::Buy { card, package }),
        5 => any::<usize>().prop_map(Step::Refund),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(nth, good)| Step::Answer { nth, good }),
        3 => (0..60_i64).prop_map(Step::SpendAllBut),
        2 => (0..3_usize, -100..200_i64).prop_map(|(who, minor)| Step::Book { who, minor }),
        1 => any::<bool>().prop_map(Step::Withdraw),
        1 => any::<bool>().prop_map(|good| Step::Settle { good }),
    ]
}

fn live(w: &World, steps: &[Step]) -> bool {
    let (mut open, mut done, mut asked, mut owed_once) = (Vec::new(), Vec::new(), Vec::new(), false);
    for (n, step) in steps.iter().enumerate() {
        // What is refused changes nothing; that it is refused is held elsewhere.
        match step {
            Step::Buy { card, package } => {
                let (card, package) = (CARDS[*card], PACKAGES[*package]);
                if let Ok(order) = buy(w, card, package, format!("n{n}")) {
                    if package == "C100-30D" { open.push((card, order)) } else { done.push((card, order)) }
                }
            }
            Step::Refund(nth) if !done.is_empty() => {
                let (card, order) = done.swap_remove(nth % done.len());
                let _ = refund(w, card, order);
            }
            Step::Answer { nth, good } if !open.is_empty() => {
                let one = open.swap_remove(nth % open.len());
                answered(w, one.1, *good).expect("an answer is heard");
                if *good {
                    done.push(one);
                }
            }
            Step::SpendAllBut(left) => spend_all_but(w, *left),
            Step::Book { who, minor } => drop(book(w, [NORTH, ACME, SHOP][*who], *minor, format!("b{n}"))),
            Step::Withdraw(daily) => {
                let kind = if *daily { WithdrawalKind::Daily } else { WithdrawalKind::Manual };
                asked.extend(w.engine.write(move |tx, c, how| profits::withdraw(tx, c, how, ACME, (kind, "Li"))));
            }
            Step::Settle { good } => {
                let why = (!good).then_some("it came back");
                if let Some(id) = asked.last().map(|withdrawal| withdrawal.id) {
                    let _ = w.engine.write(move |tx, _, how| profits::settle(tx, how, id, why, "a person"));
                }
            }
            _ => {}
        }
        w.pass(3_600);
        for account in [NORTH, ACME, SHOP] {
            let (available, held, credit, owed) = stands(w, account);
            assert!(available + credit >= 0 && held >= 0 && owed >= 0, "{account}: {:?}", stands(w, account));
            assert!(owed == 0 || available + credit == 0, "after step {n}: {account} owes {owed} and has {available}");
            owed_once |= owed > 0;
        }
    }
    w.assert_sound();
    owed_once
}

fn run(database: impl Fn() -> Database, cases: u32) {
    let mut runner = TestRunner::new_with_rng(
        Config { cases, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let owed = std::cell::Cell::new(0);
    let lives = (prop_oneof![Just(0_i64), Just(100)], prop::collection::vec(step(), 5..40));
    runner
        .run(&lives, |(credit, steps)| {
            let database = database();
            let w = world(database.open(), credit);
            owed.set(owed.get() + u32::from(live(&w, &steps)));
            Ok(())
        })
        .unwrap();
    assert!(owed.get() > 0, "some of them come to owe");
}

#[test]
fn nobody_who_owes_has_money_to_spend_on_sqlite() {
    run(Database::sqlite, 24);
}

#[test]
fn nobody_who_owes_has_money_to_spend_on_postgresql() {
    run(Database::postgres, 6);
}
