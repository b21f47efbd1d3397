//! Money along a chain of three levels: what each earns, what a refund takes back, whatever is bought and refunded when.

use kachi_domain::account::Path;
use kachi_domain::order::Channel;
use kachi_domain::{AccountId, Currency, OrderId};
use kachi_engine::orders::{self, Place};
use kachi_engine::profits::{ProfitLine, ProfitList};
use kachi_engine::{money, refunds};
use kachi_store::accounts::Account;
use kachi_store::catalogue::Price;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, World, line};

/// A customer of [`ACME`].
const SHOP: AccountId = AccountId(10_020);

/// North pays 1.00, Acme 1.30, the shop 1.75.
fn world(store: kachi_store::Store) -> World {
    let w = World::new(store);
    w.engine
        .write(|tx, catalogue, how| {
            let path = Path::root().child(NORTH).child(ACME).child(SHOP);
            let currency = Currency::USD;
            let above = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
            tx.put_account(&Account { id: SHOP, code: "shop".into(), path, currency, ..above }, how.now)?;
            let package = catalogue.package_by_code("Q100-30D").map(|p| p.id).expect("a package");
            let price = |account, price: i64, retail: i64| Price {
                account,
                package,
                price_minor: Some(price),
                retail_minor: Some(retail),
                listed: None,
            };
            tx.put_price(&price(NORTH, 100, 130))?;
            tx.put_price(&price(ACME, 130, 175))?;
            tx.touch_catalogue()?;
            Ok(())
        })
        .unwrap();
    w.engine
        .write(|tx, catalogue, how| {
            let amount = kachi_domain::Money { minor: 100_000, currency: Currency::USD };
            money::top_up(tx, catalogue, SHOP, amount, "opening balance", how.now)
        })
        .unwrap();
    w.add_cards(SHOP, 0..2);
    w
}

fn buy(w: &World, card: u64, number: String) -> OrderId {
    let actor = w.actor(SHOP);
    let place = Place {
        iccid: World::iccid(card),
        package_code: "Q100-30D".into(),
        out_trade_no: Some(number.clone()),
        channel: Channel::Api,
        custom_data: None,
        number,
    };
    w.engine.write(move |tx, catalogue, how| orders::place(tx, catalogue, how, &actor, &place)).unwrap().order
}

fn profits(w: &World, account: AccountId) -> Vec<ProfitLine> {
    let (engine, actor) = (w.engine.clone(), w.actor(account));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let list = ProfitList { limit: 10_000, ..ProfitList::default() };
    runtime.block_on(async { engine.profits(&engine.catalogue()?, &actor, list).await }).unwrap().0
}

#[test]
fn each_level_earns_its_difference_and_sees_what_is_below_it() {
    each(|store| {
        let w = world(store);
        let order = buy(&w, 0, "a".into());
        assert_eq!([SHOP, ACME, NORTH].map(|a| w.balance(a)), [100_000 - 175, 10_000 + 45, 10_000 + 30]);
        let own = |a| profits(&w, a).iter().map(|l| (l.minor, l.child_minor)).collect::<Vec<_>>();
        assert_eq!((own(NORTH), own(ACME), own(SHOP)), (vec![(30, 45)], vec![(45, 0)], vec![]));
        let actor = w.actor(SHOP);
        let refund =
            move |tx: &mut kachi_store::Tx<'_>, catalogue: &kachi_engine::Catalogue, how: &kachi_engine::cards::Settling| {
                refunds::refund(tx, catalogue, how, &actor, &World::iccid(0), order, "r")
            };
        assert_eq!(w.engine.write(refund).unwrap().minor, 175);
        assert_eq!((own(NORTH), own(ACME)), (vec![(30, 45), (-30, -45)], vec![(45, 0), (-45, 0)]), "the exact negative");
        assert_eq!([SHOP, ACME, NORTH].map(|a| w.balance(a)), [100_000, 10_000, 10_000]);
        w.assert_sound();
    });
}

/// The next of a series of numbers that looks like chance and is the same every time.
fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn whatever_is_bought_and_refunded_the_lists_are_the_ledger() {
    each(|store| {
        let w = world(store);
        let mut seed = 7;
        let (mut orders, mut paid, mut back) = (Vec::new(), 0, 0);
        for i in 0..60_u64 {
            let card = draw(&mut seed) % 2;
            match draw(&mut seed) % 4 {
                0 | 1 => {
                    orders.push((card, buy(&w, card, format!("n{i}"))));
                    paid += 175;
                }
                2 => {
                    let t = w.now().0;
                    w.cdr(&format!("f{i}"), &line(i as i64, card, t - 60, t - 30, (draw(&mut seed) % 80) as i64 * MB));
                }
                _ if !orders.is_empty() => {
                    let (card, order) = orders.swap_remove(draw(&mut seed) as usize % orders.len());
                    let actor = w.actor(SHOP);
                    let given = w.engine.write(move |tx, catalogue, how| {
                        refunds::refund(tx, catalogue, how, &actor, &World::iccid(card), order, "r")
                    });
                    let minor = given.map_or(0, |quote| quote.minor);
                    assert!((0..=175).contains(&minor), "never more than was paid: {minor}");
                    back += minor;
                }
                _ => {}
            }
            w.pass((draw(&mut seed) % 200_000) as i64);
        }
        for (account, opening) in [(NORTH, 10_000), (ACME, 10_000)] {
            let earned: i64 = profits(&w, account).iter().map(|l| l.minor).sum();
            assert_eq!(w.balance(account), opening + earned);
        }
        assert_eq!(w.balance(SHOP), 100_000 - paid + back);
        assert!(back > 0 && back < paid, "the series has refunds in it: {back} of {paid}");
        w.assert_sound();
    });
}
