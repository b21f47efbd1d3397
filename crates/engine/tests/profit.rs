//! Money along a chain of three levels: what each earns, what a refund takes back, whatever is bought and refunded when; and
//! profits that are paid out.

use kachi_domain::account::Path;
use kachi_domain::order::Channel;
use kachi_domain::profit::{WithdrawalKind, WithdrawalState};
use kachi_domain::{AccountId, Currency, OrderId};
use kachi_engine::orders::{self, Place};
use kachi_engine::profits::{self, ProfitLine, ProfitList, Withdrawal};
use kachi_engine::{Fail, money, refunds};
use kachi_store::accounts::Account;
use kachi_store::catalogue::Price;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line};

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

fn earned(w: &World, account: AccountId) -> Vec<ProfitLine> {
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
        let own = |a| earned(&w, a).iter().map(|l| (l.minor, l.child_minor)).collect::<Vec<_>>();
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

#[test]
fn pages_of_profits_put_together_are_the_list() {
    each(|store| {
        let w = world(store);
        for n in 0..9 {
            let order = buy(&w, n % 2, format!("n{n}"));
            if n % 4 == 0 {
                refund(&w, n % 2, order).unwrap();
            }
            w.pass(60);
        }
        let whole = earned(&w, ACME);
        assert_eq!(whole.len(), 12);
        let to = Some(w.now());
        let lists = [
            ProfitList::default(),
            ProfitList { to, ..ProfitList::default() },
            ProfitList { withdrawal: Some(None), ..ProfitList::default() },
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for list in lists {
            let mut together = Vec::new();
            for (offset, there) in [(0, 5), (5, 5), (10, 2), (15, 0)] {
                let (engine, actor) = (w.engine.clone(), w.actor(ACME));
                let page = ProfitList { offset, limit: 5, ..list.clone() };
                let (lines, total) =
                    runtime.block_on(async { engine.profits(&engine.catalogue()?, &actor, page).await }).unwrap();
                assert_eq!((lines.len(), total), (there, 12), "{list:?} from {offset}");
                together.extend(lines);
            }
            assert_eq!(together, whole, "{list:?}");
        }
        w.assert_sound();
    });
}

fn refund(w: &World, card: u64, order: OrderId) -> kachi_engine::Result<i64> {
    let actor = w.actor(SHOP);
    w.engine.write(move |tx, c, how| refunds::refund(tx, c, how, &actor, &World::iccid(card), order, "r")).map(|q| q.minor)
}

/// What an account owes, minor units.
fn owed(w: &World, account: AccountId) -> i64 {
    w.engine.read(|tx, _| Ok(tx.owed(&[account])?)).unwrap().first().map_or(0, |o| o.1)
}

/// ACME buys messages for all it has but so much.
fn spend_all_but(w: &World, left: i64) {
    let minor = w.balance(ACME) - left;
    let spent = w.engine.write(move |tx, _, how| {
        tx.lock_balances(&[ACME])?;
        let all = kachi_domain::ledger::sms_charge(ACME, minor);
        Ok(tx.post(ACME, kachi_domain::ledger::Journal::SmsCharge, "test", &all, how.now)?)
    });
    spent.unwrap();
}

#[test]
fn a_share_that_went_back_after_it_was_spent_is_owed_and_paid_first() {
    each(|store| {
        let w = world(store);
        let own = |w: &World| earned(w, ACME).iter().map(|l| (l.minor, l.child_minor)).collect::<Vec<_>>();
        // Buy, pay out, refund: as often as one likes, it brings nothing.
        let first = buy(&w, 0, "a".into());
        withdraw(&w, WithdrawalKind::Daily).unwrap();
        spend_all_but(&w, 5);
        assert_eq!(refund(&w, 0, first).unwrap(), 175, "the customer's refund does not fail for it");
        assert_eq!((own(&w), w.balance(ACME), owed(&w, ACME)), (vec![(45, 0), (-45, 0)], 0, 40), "it pays what it can");
        assert_eq!([SHOP, NORTH].map(|a| w.balance(a)), [100_000, 10_000], "the others have what they had");
        w.assert_sound();
        let second = buy(&w, 0, "b".into());
        assert_eq!((w.balance(ACME), owed(&w, ACME)), (5, 0), "the next share pays it first");
        assert!(refusal(withdraw(&w, WithdrawalKind::Manual)).contains("nothing to be paid out"));
        refund(&w, 0, second).unwrap();
        assert_eq!((w.balance(ACME), owed(&w, ACME)), (0, 40));
        w.assert_sound();
        // Two orders placed together: the second finds the debt that the first one left.
        for n in 0..2 {
            buy(&w, 1, format!("c{n}"));
        }
        assert_eq!((w.balance(ACME), owed(&w, ACME)), (50, 0));
        assert_eq!(
            withdraw(&w, WithdrawalKind::Manual).unwrap().minor,
            45,
            "90 earned since, less the 45 that were paid out before"
        );
        w.assert_sound();
    });
}

#[test]
fn what_is_owed_is_paid_of_money_that_comes_in_and_not_paid_out() {
    each(|store| {
        let w = world(store);
        let orders = [buy(&w, 0, "a".into()), buy(&w, 1, "b".into())];
        spend_all_but(&w, 0);
        refund(&w, 0, orders[0]).unwrap();
        assert_eq!((w.balance(ACME), owed(&w, ACME)), (0, 45));
        let correct = |minor: i64, correction: Option<&str>, reference: &str| {
            let amount = kachi_domain::Money { minor, currency: Currency::USD };
            let (correction, reference) = (correction.map(str::to_owned), reference.to_owned());
            let act = money::ByHand {
                correction,
                account: ACME,
                amount,
                reference,
                by: "a person".into(),
                value_day: None,
                remark: None,
            };
            w.engine.write(move |tx, catalogue, how| money::book(tx, catalogue, &act, how.now)).unwrap();
        };
        correct(60, Some("a gift"), "r1");
        assert_eq!((w.balance(ACME), owed(&w, ACME)), (15, 0), "45 of it paid the debt");
        let found = refusal(withdraw(&w, WithdrawalKind::Manual));
        assert!(found.contains("has 0.15 USD of the 0.45 USD"), "{found}");
        w.assert_sound();
        correct(30, None, "r2");
        assert_eq!(withdraw(&w, WithdrawalKind::Manual).unwrap().minor, 45);
        w.assert_sound();
    });
}

#[test]
fn a_withdrawal_under_review_is_not_paid_out_to_one_who_came_to_owe() {
    each(|store| {
        let w = world(store);
        let first = buy(&w, 0, "a".into());
        spend_all_but(&w, 45);
        let asked = withdraw(&w, WithdrawalKind::Manual).unwrap();
        assert_eq!((asked.minor, w.balance(ACME)), (45, 0));
        refund(&w, 0, first).unwrap();
        assert_eq!(owed(&w, ACME), 45);
        let found = refusal(settle(&w, asked.id, None));
        assert!(found.contains("came to owe"), "{found}");
        assert_eq!(owed(&w, ACME), 45, "nothing left");
        settle(&w, asked.id, Some("it went back")).unwrap();
        assert_eq!((w.balance(ACME), owed(&w, ACME)), (0, 0), "what was held paid the debt");
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
        let (mut orders, mut paid, mut back, mut spent, mut owed_once) = (Vec::new(), 0, 0, 0, false);
        for i in 0..60_u64 {
            let card = draw(&mut seed) % 2;
            if i % 7 == 0 {
                let had = w.balance(ACME);
                spend_all_but(&w, had.min(3));
                spent += had - had.min(3);
            }
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
                    owed_once |= owed(&w, ACME) > 0;
                }
                _ => {}
            }
            w.pass((draw(&mut seed) % 200_000) as i64);
        }
        for (account, opening) in [(NORTH, 10_000), (ACME, 10_000 - spent)] {
            let earned: i64 = earned(&w, account).iter().map(|l| l.minor).sum();
            assert_eq!(w.balance(account) - owed(&w, account), opening + earned);
        }
        assert!(owed_once, "the series has levels that cannot pay back");
        assert_eq!(w.balance(SHOP), 100_000 - paid + back);
        assert!(back > 0 && back < paid, "the series has refunds in it: {back} of {paid}");
        w.assert_sound();
    });
}

/// What ACME's lines add up to, by the state of their withdrawal: none, review, done, failed.
fn by_state(w: &World) -> [i64; 4] {
    let states = [None, Some(WithdrawalState::Review), Some(WithdrawalState::Done), Some(WithdrawalState::Failed)];
    states.map(|state| {
        let (engine, actor) = (w.engine.clone(), w.actor(ACME));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let list = ProfitList { withdrawal: Some(state), limit: 10_000, ..ProfitList::default() };
        let asked = async { engine.profits(&engine.catalogue()?, &actor, list).await };
        runtime.block_on(asked).unwrap().0.iter().map(|l| l.minor).sum()
    })
}

fn withdraw(w: &World, kind: WithdrawalKind) -> kachi_engine::Result<Withdrawal> {
    w.engine.write(move |tx, catalogue, how| profits::withdraw(tx, catalogue, how, ACME, (kind, "Li")))
}

fn settle(w: &World, id: i64, why_not: Option<&'static str>) -> kachi_engine::Result<()> {
    w.engine.write(move |tx, _, how| profits::settle(tx, how, id, why_not, "a person"))
}

fn refusal<T: std::fmt::Debug>(outcome: kachi_engine::Result<T>) -> String {
    match outcome {
        Err(Fail::Refused(refusal)) => refusal.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn profits_are_paid_out_once_and_come_back_when_they_are_not() {
    each(|store| {
        let w = world(store);
        assert!(refusal(withdraw(&w, WithdrawalKind::Manual)).contains("no profit that waits"));
        for n in 0..3 {
            buy(&w, 0, format!("p{n}"));
        }
        assert_eq!((by_state(&w), w.balance(ACME)), ([135, 0, 0, 0], 10_135));
        let first = withdraw(&w, WithdrawalKind::Manual).unwrap();
        assert_eq!((first.minor, first.state, w.balance(ACME)), (135, WithdrawalState::Review, 10_000), "the money is held");
        buy(&w, 1, "later".into());
        assert_eq!(by_state(&w), [45, 135, 0, 0]);
        w.assert_sound();
        settle(&w, first.id, Some("the bank refuses")).unwrap();
        assert_eq!((by_state(&w), w.balance(ACME)), ([45, 0, 0, 135], 10_180), "it may be spent again");
        w.assert_sound();
        let second = withdraw(&w, WithdrawalKind::Manual).unwrap();
        assert_eq!((second.minor, by_state(&w)), (180, [0, 180, 0, 0]), "what failed is taken again");
        settle(&w, second.id, None).unwrap();
        assert_eq!((by_state(&w), w.balance(ACME)), ([0, 0, 180, 0], 10_000));
        for id in [first.id, second.id] {
            let found = refusal(settle(&w, id, None));
            assert!(found.contains("settled already: ") && found.contains("`kachi admin profit list` tells by whom"), "{found}");
        }
        assert!(refusal(settle(&w, 99, None)).contains("there is no withdrawal 99: see `kachi admin profit list`"));
        assert!(refusal(withdraw(&w, WithdrawalKind::Daily)).contains("no profit that waits"), "paid once");
        w.assert_sound();
    });
}

#[test]
fn a_withdrawal_keeps_who_began_and_who_settled_it() {
    each(|store| {
        let w = world(store);
        let would = || w.engine.read(|tx, catalogue| profits::to_withdraw(tx, catalogue, ACME));
        let listed = || w.engine.read(|tx, _| Ok(tx.withdrawals(9)?)).unwrap();
        let says = |w: &Withdrawal| (w.begun_by.clone(), w.settled_by.clone(), w.note.clone());
        let by = |name: &str| Some(name.to_owned());
        assert!(refusal(would()).contains("no profit that waits"));
        for n in 0..2 {
            buy(&w, 0, format!("w{n}"));
        }
        assert_eq!(would().unwrap(), (90, 2));
        assert_eq!((would().unwrap(), listed(), w.balance(ACME)), ((90, 2), vec![], 10_090), "asking changes nothing");
        let silent = w.engine.write(|tx, c, how| profits::withdraw(tx, c, how, ACME, (WithdrawalKind::Manual, " ")));
        assert!(refusal(silent).contains("by"));
        let first = withdraw(&w, WithdrawalKind::Manual).unwrap();
        assert_eq!((first.minor, says(&first)), (90, (by("Li"), None, String::new())));
        settle(&w, first.id, Some("no bank account")).unwrap();
        assert_eq!(would().unwrap(), (90, 2), "what failed waits again");
        let second = withdraw(&w, WithdrawalKind::Manual).unwrap();
        settle(&w, second.id, None).unwrap();
        buy(&w, 1, "w2".into());
        withdraw(&w, WithdrawalKind::Daily).unwrap();
        let all: Vec<_> = listed().iter().map(says).collect();
        assert_eq!(
            all,
            [
                (by("Li"), by("Li"), String::new()),
                (by("Li"), by("a person"), String::new()),
                (by("Li"), by("a person"), "no bank account".into()),
            ]
        );
        w.assert_sound();
    });
}

#[test]
fn what_went_back_or_is_spent_is_not_paid_out() {
    each(|store| {
        let w = world(store);
        let order = buy(&w, 0, "a".into());
        let daily = withdraw(&w, WithdrawalKind::Daily).unwrap();
        assert_eq!((daily.minor, daily.state, w.balance(ACME)), (45, WithdrawalState::Done, 10_000));
        let shop = w.actor(SHOP);
        let back = w.engine.write(move |tx, c, how| refunds::refund(tx, c, how, &shop, &World::iccid(0), order, "r"));
        back.unwrap();
        assert_eq!((by_state(&w), w.balance(ACME)), ([-45, 0, 45, 0], 9_955));
        assert!(refusal(withdraw(&w, WithdrawalKind::Manual)).contains("nothing to be paid out"));
        assert_eq!(by_state(&w), [-45, 0, 45, 0], "nothing half done");
        for n in 0..2 {
            buy(&w, 1, format!("b{n}"));
        }
        let spent = w.engine.write(|tx, _, how| {
            tx.lock_balances(&[ACME])?;
            let all = kachi_domain::ledger::purchase(ACME, 10_040, &[]);
            Ok(tx.post(ACME, kachi_domain::ledger::Journal::Purchase, "test", &all, how.now)?)
        });
        spent.unwrap();
        assert!(refusal(withdraw(&w, WithdrawalKind::Manual)).contains("the rest is spent"));
        assert_eq!((by_state(&w), w.balance(ACME)), ([45, 0, 45, 0], 5));
        w.assert_sound();
    });
}

#[test]
fn the_audit_finds_a_withdrawal_that_is_wrong() {
    let table = [
        (
            "UPDATE withdrawal SET minor = minor + 1",
            "0.46 USD of acme, review; its lines add up to 0.45 USD, its journals hold 0.45 USD and paid out 0.00 USD",
        ),
        (
            "UPDATE withdrawal SET state = 'done'",
            "0.45 USD of acme, done; its lines add up to 0.45 USD, its journals hold 0.45 USD and paid out 0.00 USD",
        ),
        (
            "UPDATE withdrawal SET state = 'failed'",
            "0.45 USD of acme, failed; its lines add up to 0.45 USD, its journals hold 0.45 USD and paid out 0.00 USD",
        ),
        (
            "UPDATE profit SET withdrawal_id = NULL WHERE account_id = 10002",
            "0.45 USD of acme, review; its lines add up to 0.00 USD, its journals hold 0.45 USD and paid out 0.00 USD",
        ),
    ];
    for (wrong, words) in table {
        each(|store| {
            let w = world(store.clone());
            buy(&w, 0, "a".into());
            withdraw(&w, WithdrawalKind::Manual).unwrap();
            w.assert_sound();
            kachi_store::db::execute_in(store.place(), wrong).unwrap();
            let found = kachi_engine::audit::audit(&w.engine).unwrap().violations;
            let told: Vec<_> = found.iter().filter(|v| v.starts_with("withdrawal ")).collect();
            assert_eq!(told, [&format!("withdrawal 1: {words}")], "{wrong}: {found:?}");
        });
    }
}

#[test]
fn a_shop_without_a_price_of_its_own_shows_no_less_than_its_owner_pays() {
    each(|store| {
        let w = World::new(store);
        w.engine
            .write(|tx, catalogue, _| {
                let package = catalogue.package_by_code("Q100-30D").expect("a package").id;
                tx.put_price(&Price { account: ACME, package, price_minor: Some(1_000), retail_minor: None, listed: None })?;
                Ok(tx.touch_catalogue()?)
            })
            .expect("a price");
        let catalogue = w.engine.catalogue().expect("catalogue");
        let package = catalogue.package_by_code("Q100-30D").expect("a package");
        assert_eq!([ACME, STRANGER].map(|of| catalogue.shop(of, package).0), [1_000, package.retail_minor]);
    });
}
