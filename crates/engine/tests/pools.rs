//! Pools from inside: bought, burned, used up, expired, taken back; joined and left. On both engines.

#[path = "pools_parts/mod.rs"]
mod parts;

use kachi_domain::diagnose::{Lang, Topic};
use kachi_domain::order::SubscriptionState;
use kachi_domain::rating::EndReason;
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, PoolId, Refusal, Timestamp};
use kachi_engine::{Fail, Result, diagnose, pools, sims};
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line, sim_id};
use parts::{add, create, records, remove, stock, subscribe, unsubscribe, view};
use serde_json::json;

const DAY: i64 = 86_400;

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// A world with cards 0..4 of ACME and a stranger's card 9.
fn world(store: kachi_store::Store) -> World {
    let w = World::new(store);
    w.add_cards(ACME, 0..4);
    w.add_cards(STRANGER, 9..10);
    stock(&w);
    w
}

/// Bytes left of what is in use.
fn left(w: &World, pool: PoolId) -> Option<i64> {
    view(w, ACME, pool).expect("the pool").active.and_then(|l| l.left())
}

fn blocks(w: &World, cards: &[u64]) -> Vec<Blocks> {
    cards.iter().map(|n| w.card(*n).blocks()).collect()
}

fn count(w: &World, card: u64, kind: &str) -> usize {
    w.events(card).iter().filter(|k| *k == kind).count()
}

#[test]
fn members_burn_the_pool_before_their_own_packages_until_it_is_used_up() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", None);
        assert_eq!(w.balance(ACME), 10_000, "a pool itself costs nothing");
        subscribe(&w, pool, "P100-7D", "s1").unwrap();
        assert_eq!((w.balance(ACME), left(&w, pool)), (9_500, Some(100 * MB)));
        w.buy(1, "Q100-30D", "own").unwrap();
        add(&w, pool, &[0, 1]).unwrap();
        assert!(w.card(0).blocks().is_empty(), "the pool is enough");
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &[line(1, 0, t - 900, t - 600, 30 * MB), line(2, 1, t - 600, t - 300, 50 * MB)].concat());
        assert_eq!(left(&w, pool), Some(20 * MB));
        assert_eq!(w.card(1).state.live[0].used, 0, "its own package is untouched");
        w.assert_sound();
        w.cdr("two", &[line(3, 0, t - 200, t - 100, 50 * MB), line(4, 1, t - 90, t - 50, 5 * MB)].concat());
        let now = view(&w, ACME, pool).unwrap();
        let over = now.over.map(|over| (over.since, over.why));
        assert_eq!((now.active, over), (None, Some((Timestamp(t - 100), Some(EndReason::Quota)))));
        let known = diagnose::diagnose(&w.engine, &w.actor(ACME), &World::iccid(0), None).unwrap().card;
        let words = |lang| known.look(Topic::Pool, lang).unwrap().value;
        assert_eq!(words(Lang::En), format!("{}: has had nothing left for the card since {}", pool.0, Timestamp(t - 100)));
        assert!(words(Lang::Zh).contains("对该卡已无余量"));
        assert_eq!((w.card(0).blocks(), w.card(0).state.outflow_bytes), (Blocks::POOL_EXHAUSTED, 30 * MB));
        assert_eq!(w.card(1).state.live[0].used, 5 * MB, "the member with a package goes on with it");
        assert!(w.card(1).blocks().is_empty());
        assert_eq!((count(&w, 0, "sim_stopped"), count(&w, 1, "sim_stopped")), (1, 0));
        let record = &records(&w, pool)[0];
        assert_eq!((record.subscription.state, record.used_bytes), (SubscriptionState::Ended, 100 * MB));
        assert_eq!(record.subscription.ended_at, Some(t - 100), "at the instant of the record that used it up");
        subscribe(&w, pool, "P100-7D", "s2").unwrap();
        assert!(w.card(0).blocks().is_empty(), "bought again, it is free again");
        w.pass(1);
        assert_eq!((count(&w, 0, "sim_restored"), count(&w, 0, "sim_stopped")), (2, 1));
        w.assert_sound();
    });
}

#[test]
fn a_card_that_leaves_its_pool_with_nothing_of_its_own_is_stopped_at_its_carrier() {
    each(|store| {
        let w = world(store);
        let carrier = Carrier::of(&w.engine, "1US-1", json!({}), &[]);
        carrier.remember(&w.engine);
        let off = || carrier.world.card(World::iccid(0).as_str(), w.now()).stopped.is_some();
        let pool = create(&w, "P100-7D", None);
        subscribe(&w, pool, "P100-7D", "s1").unwrap();
        add(&w, pool, &[0]).unwrap();
        carrier.work(&w.engine);
        assert!(!off());
        remove(&w, pool, &[0]).unwrap();
        carrier.work(&w.engine);
        w.pass(5);
        assert_eq!((w.card(0).blocks(), off()), (Blocks::NO_PACKAGE, true), "it had a place there");
        w.assert_sound();
    });
}

#[test]
fn each_stop_of_a_card_that_leaves_pools_is_told_once_in_whatever_order_its_records_come() {
    const ORDERS: [[usize; 3]; 7] = [[0, 1, 2], [0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    each(|store| {
        let w = world(store);
        w.add_cards(ACME, 10..17);
        let cards: Vec<u64> = (10..17).collect();
        let pools: Vec<PoolId> = cards.iter().map(|_| create(&w, "P100-7D", None)).collect();
        for (card, pool) in cards.iter().zip(&pools) {
            w.buy(*card, "M50-3M", &format!("own {card}")).unwrap();
            subscribe(&w, *pool, "P100-7D", &format!("pool {card}")).unwrap();
        }
        let (begin, hour) = (w.now().0, 3_600);
        // Its own month is used up before it joins; something is used in the pool, and something after it left.
        let record = |card: u64, n: usize| {
            let (stop, mb) = [(begin + hour, 50), (begin + 3 * hour, 10), (begin + 5 * hour, 5)][n];
            line((card * 10) as i64 + n as i64, card, stop - 60, stop, mb * MB)
        };
        let come = |card: u64, n: usize| {
            w.cdr(&format!("{card} {n} {}", w.now().0), &record(card, n));
        };
        let all = |act: &dyn Fn(u64, PoolId)| cards.iter().zip(&pools).for_each(|(card, pool)| act(*card, *pool));
        w.pass(hour);
        come(10, 0);
        w.pass(hour);
        all(&|card, pool| add(&w, pool, &[card]).unwrap());
        w.pass(hour);
        come(10, 1);
        w.pass(hour);
        assert_eq!(count(&w, 10, "sim_stopped"), 1);
        all(&|card, pool| remove(&w, pool, &[card]).unwrap());
        w.pass(hour);
        come(10, 2);
        w.pass(hour);
        let told = || cards.iter().map(|card| count(&w, *card, "sim_stopped")).collect::<Vec<_>>();
        assert_eq!(told(), [2, 0, 0, 0, 0, 0, 0], "the second stop is told too");
        for (card, order) in cards.iter().zip(ORDERS).skip(1) {
            order.iter().for_each(|n| come(*card, *n));
        }
        w.pass(1);
        assert_eq!(told(), [2; 7]);
        all(&|card, pool| add(&w, pool, &[card]).unwrap());
        w.pass(hour);
        all(&|card, pool| remove(&w, pool, &[card]).unwrap());
        w.pass(1);
        assert_eq!(told(), [3; 7], "and the third");
        for card in &cards {
            let (id, stop) = (1_000 + *card as i64, begin + hour / 2);
            w.cdr(&format!("late {card}"), &line(id, *card, stop - 60, stop, MB));
            come(*card, 0);
        }
        w.pass(1);
        assert_eq!((told(), blocks(&w, &cards)), (vec![3; 7], vec![Blocks::QUOTA; 7]), "told again, it tells nothing twice");
        w.pass(31 * DAY);
        let t = w.now().0;
        for card in &cards {
            w.cdr(&format!("april {card}"), &line(2_000 + *card as i64, *card, t - 60, t - 1, 50 * MB));
        }
        w.pass(1);
        assert_eq!(told(), [4; 7], "another month");
        w.assert_sound();
    });
}

#[test]
fn a_late_record_that_moves_a_stop_before_a_stay_tells_the_stop_that_was_not_told() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", None);
        subscribe(&w, pool, "P100-7D", "s1").unwrap();
        w.buy(0, "M50-3M", "own").unwrap();
        w.pass(3_600);
        let t = w.now().0;
        w.cdr("before", &line(1, 0, t - 900, t - 600, 45 * MB));
        add(&w, pool, &[0]).unwrap();
        w.pass(3_600);
        remove(&w, pool, &[0]).unwrap();
        w.pass(3_600);
        w.cdr("after", &line(2, 0, t + 7_000, t + 7_100, 5 * MB));
        w.pass(1);
        assert_eq!(count(&w, 0, "sim_stopped"), 1, "after it left");
        w.cdr("late", &line(3, 0, t - 500, t - 400, 5 * MB));
        w.pass(1);
        assert_eq!(count(&w, 0, "sim_stopped"), 2, "once before it joined, and once as it left, which is told already");
        w.cdr("later", &line(4, 0, t - 300, t - 200, MB));
        w.pass(1);
        assert_eq!(count(&w, 0, "sim_stopped"), 2);
        w.assert_sound();
    });
}

#[test]
fn a_pool_expires_at_its_instant_without_traffic_and_the_next_follows() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P30-2D", None);
        subscribe(&w, pool, "P30-2D", "a").unwrap();
        let begun = w.now().0;
        subscribe(&w, pool, "P30-2D", "b").unwrap();
        add(&w, pool, &[0]).unwrap();
        w.set_now(begun + 2 * DAY - 1);
        assert_eq!(records(&w, pool)[1].subscription.state, SubscriptionState::Waiting);
        w.set_now(begun + 2 * DAY);
        let states: Vec<_> = records(&w, pool).iter().map(|r| r.subscription.state).collect();
        assert_eq!(states, [SubscriptionState::Ended, SubscriptionState::Active], "the answer needs no timer");
        w.set_now(begun + 4 * DAY - 1);
        assert!(w.card(0).blocks().is_empty());
        w.set_now(begun + 4 * DAY);
        assert_eq!(w.card(0).blocks(), Blocks::POOL_EXHAUSTED);
        assert_eq!(count(&w, 0, "sim_stopped"), 0, "but it is told by one");
        w.pass(0);
        assert_eq!(count(&w, 0, "sim_stopped"), 1);
        let rows = w.engine.read(|tx, _| Ok(tx.subscriptions_of_pool(pool)?)).unwrap();
        let ends: Vec<_> = rows.iter().map(|s| (s.state, s.ended_at)).collect();
        let over = |at| (SubscriptionState::Ended, Some(at));
        assert_eq!(ends, [over(begun + 2 * DAY), over(begun + 4 * DAY)]);
        w.assert_sound();
    });
}

#[test]
fn a_late_record_of_one_member_changes_what_the_other_was_told() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", None);
        subscribe(&w, pool, "P100-7D", "s").unwrap();
        add(&w, pool, &[0, 1]).unwrap();
        w.buy(1, "Q100-30D", "own").unwrap();
        w.pass(2 * DAY);
        let t = w.now().0;
        w.cdr("first", &line(1, 1, t - 200, t - 100, 80 * MB));
        assert_eq!((left(&w, pool), w.card(1).state.live[0].used), (Some(20 * MB), 0));
        w.pass(60);
        // A day earlier the other card had used half of the pool.
        w.cdr("late", &line(2, 0, t - DAY - 60, t - DAY, 50 * MB));
        assert_eq!((left(&w, pool), w.card(1).state.live[0].used), (None, 30 * MB), "its own package bears the rest");
        assert_eq!(w.card(0).blocks(), Blocks::POOL_EXHAUSTED);
        assert_eq!(records(&w, pool)[0].subscription.ended_at, Some(t - 100));
        w.assert_sound();
        // Later still, 30 MB from before the purchase of the pool: they are nobody's but the card's.
        w.cdr("older", &line(3, 0, t - 2 * DAY - 120, t - 2 * DAY - 60, 30 * MB));
        assert_eq!((w.card(0).state.outflow_bytes, w.card(1).state.live[0].used), (30 * MB, 30 * MB));
        w.assert_sound();
    });
}

#[test]
fn a_subscription_is_taken_back_whole_until_its_first_use() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", None);
        add(&w, pool, &[0]).unwrap();
        assert_eq!(refusal(unsubscribe(&w, pool, "a")), Refusal::UnknownOrder);
        subscribe(&w, pool, "P100-7D", "a").unwrap();
        subscribe(&w, pool, "P100-7D", "b").unwrap();
        w.pass(3 * DAY);
        unsubscribe(&w, pool, "a").unwrap();
        assert_eq!(w.balance(ACME), 10_000 - 500, "all of it, days later");
        assert_eq!(refusal(unsubscribe(&w, pool, "a")), Refusal::NotRefundable);
        let t = w.now().0;
        assert_eq!(records(&w, pool)[1].subscription.started_at, Some(t), "the next starts at that very instant");
        w.pass(60);
        w.cdr("one", &line(1, 0, t + 1, t + 20, 1));
        assert_eq!(refusal(unsubscribe(&w, pool, "b")), Refusal::NotRefundable);
        assert_eq!(
            refusal(subscribe(&w, pool, "P100-7D", "a")).to_string(),
            "the order number was used before, for order 10000001"
        );
        subscribe(&w, pool, "P100-7D", "c").unwrap();
        w.pass(20 * DAY);
        assert_eq!(refusal(unsubscribe(&w, pool, "c")), Refusal::NotRefundable, "unused, but over");
        assert_eq!(w.balance(ACME), 10_000 - 1_000);
        w.assert_sound();
    });
}

#[test]
fn a_card_is_in_one_pool_and_slots_bound_the_members() {
    each(|store| {
        let w = world(store);
        let (one, two) = (create(&w, "P100-7D", None), create(&w, "P30-2D", None));
        add(&w, one, &[0, 1]).unwrap();
        add(&w, one, &[1]).unwrap();
        assert_eq!(refusal(add(&w, one, &[2])), Refusal::PoolFull { slots: 2 });
        assert_eq!(refusal(add(&w, two, &[2, 1])), Refusal::InPool { pool: one.0 });
        assert_eq!(refusal(add(&w, two, &[2, 9])), Refusal::UnknownSim, "a stranger's card");
        assert_eq!(refusal(add(&w, PoolId(77), &[2])), Refusal::UnknownPool);
        assert_eq!(view(&w, ACME, two).unwrap().members, 0, "all of them or none");
        assert_eq!(refusal(remove(&w, one, &[0, 2])), Refusal::NotInPool);
        assert_eq!(view(&w, ACME, one).unwrap().members, 2);
        assert!(view(&w, NORTH, one).is_some() && view(&w, STRANGER, one).is_none());
        let actor = w.actor(ACME);
        let delete = |id: PoolId| {
            let actor = actor.clone();
            w.engine.write(move |tx, c, how| pools::delete(tx, c, how, &actor, id))
        };
        assert_eq!(refusal(delete(one)), Refusal::PoolNotEmpty);
        remove(&w, one, &[0, 1]).unwrap();
        add(&w, two, &[1]).unwrap();
        delete(one).unwrap();
        assert!(view(&w, ACME, one).is_none());
        for answer in [refusal(delete(one)), refusal(add(&w, one, &[0])), refusal(subscribe(&w, one, "P100-7D", "x").map(|_| ()))]
        {
            assert_eq!(answer, Refusal::UnknownPool);
        }
        assert_eq!(refusal(subscribe(&w, two, "P100-7D-WIDE", "x")), Refusal::PackageMisfit, "of other slots");
        assert_eq!(refusal(subscribe(&w, two, "Q100-30D", "x")), Refusal::UnknownPackage, "a card's package");
        assert_eq!(refusal(w.buy(0, "P100-7D", "x")), Refusal::UnknownPackage, "a pool's package");
        assert_eq!(w.balance(ACME), 10_000);
        w.assert_sound();
    });
}

#[test]
fn traffic_counts_for_the_pool_from_joining_up_to_leaving() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", None);
        subscribe(&w, pool, "P100-7D", "s").unwrap();
        w.pass(1000);
        let joined = w.now().0;
        add(&w, pool, &[0]).unwrap();
        w.pass(1000);
        let left_at = w.now().0;
        remove(&w, pool, &[0]).unwrap();
        assert_eq!(w.card(0).blocks(), Blocks::NO_PACKAGE);
        w.pass(1000);
        let lines: String = [joined - 1, joined, left_at - 1, left_at]
            .iter()
            .enumerate()
            .map(|(i, at)| line(i as i64 + 1, 0, at - 30, *at, (i as i64 + 1) * MB))
            .collect();
        w.cdr("late", &lines);
        assert_eq!((left(&w, pool), w.card(0).state.outflow_bytes), (Some(95 * MB), 5 * MB));
        w.assert_sound();
        // A record that was rated before its card joined, but happened after: it is the pool's.
        let t = w.now().0;
        w.cdr("ahead", &line(9, 1, t + 50, t + 100, 7 * MB));
        assert_eq!(w.card(1).state.outflow_bytes, 7 * MB);
        add(&w, pool, &[1]).unwrap();
        assert_eq!((left(&w, pool), w.card(1).state.outflow_bytes), (Some(88 * MB), 0));
        remove(&w, pool, &[1]).unwrap();
        assert_eq!((left(&w, pool), w.card(1).state.outflow_bytes), (Some(95 * MB), 7 * MB));
        w.assert_sound();
    });
}

#[test]
fn a_member_takes_no_more_than_its_cap_of_one_subscription() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", Some(40 * MB));
        subscribe(&w, pool, "P100-7D", "a").unwrap();
        subscribe(&w, pool, "P100-7D", "b").unwrap();
        add(&w, pool, &[0, 1]).unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &[line(1, 0, t - 900, t - 600, 50 * MB), line(2, 1, t - 600, t - 300, 10 * MB)].concat());
        assert_eq!((left(&w, pool), w.card(0).blocks()), (Some(50 * MB), Blocks::POOL_EXHAUSTED));
        assert!(w.card(1).blocks().is_empty());
        assert_eq!(count(&w, 0, "sim_stopped"), 1);
        w.pass(7 * DAY);
        assert!(w.card(0).blocks().is_empty(), "the next subscription, a new share");
        assert_eq!(count(&w, 0, "sim_restored"), 2);
        w.assert_sound();
    });
}

#[test]
fn a_stop_that_a_late_record_takes_back_hides_no_later_one() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", Some(50 * MB));
        subscribe(&w, pool, "P100-7D", "a").unwrap();
        subscribe(&w, pool, "P100-7D", "b").unwrap();
        add(&w, pool, &[0, 1]).unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("its share", &line(1, 0, t - 660, t - 600, 50 * MB));
        w.cdr("the other's", &line(2, 1, t - 360, t - 300, 50 * MB));
        w.pass(1);
        assert_eq!((w.card(0).blocks(), count(&w, 0, "sim_stopped"), count(&w, 0, "sim_restored")), (Blocks::NONE, 1, 2));
        // The other one had been there first: the card used the first one up, and went on with the second.
        w.cdr("late", &line(3, 1, t - 960, t - 900, 50 * MB));
        w.pass(1);
        assert_eq!((w.card(0).blocks(), count(&w, 0, "sim_stopped")), (Blocks::NONE, 1));
        w.cdr("its second share", &line(4, 0, t - 60, t - 30, 50 * MB));
        w.pass(1);
        assert_eq!((w.card(0).blocks(), count(&w, 0, "sim_stopped")), (Blocks::POOL_EXHAUSTED, 2));
        w.cdr("later", &line(5, 0, t - 50, t - 20, MB));
        w.pass(1);
        assert_eq!(count(&w, 0, "sim_stopped"), 2);
        w.assert_sound();
    });
}

#[test]
fn a_package_given_back_at_once_while_the_pool_pays_is_no_stop() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", None);
        subscribe(&w, pool, "P100-7D", "s").unwrap();
        add(&w, pool, &[0]).unwrap();
        w.pass(60);
        let order = w.buy(0, "Q100-30D", "own").unwrap().order;
        w.refund(0, order).unwrap();
        w.pass(60);
        assert_eq!((w.card(0).blocks(), count(&w, 0, "sim_stopped")), (Blocks::NONE, 0));
        w.cdr("all of it", &line(1, 0, w.now().0 - 30, w.now().0, 100 * MB));
        w.pass(60);
        assert_eq!((w.card(0).blocks(), count(&w, 0, "sim_stopped")), (Blocks::POOL_EXHAUSTED, 1));
        w.assert_sound();
    });
}

#[test]
fn a_card_that_moves_to_another_account_leaves_its_pool() {
    each(|store| {
        let w = world(store);
        let pool = create(&w, "P100-7D", None);
        subscribe(&w, pool, "P100-7D", "s").unwrap();
        add(&w, pool, &[0]).unwrap();
        w.pass(600);
        let (operator, t) = (w.actor(AccountId(1)), w.now().0);
        let moved = w.engine.write(move |tx, c, how| sims::transfer(tx, c, how, &operator, &World::iccid(0), STRANGER)).unwrap();
        assert_eq!((moved.pool, view(&w, ACME, pool).unwrap().members), (Some(pool), 0));
        assert_eq!((w.card(0).blocks(), w.card(0).sim.account), (Blocks::NO_PACKAGE, STRANGER));
        w.cdr("late", &line(1, 0, t - 60, t - 30, 9 * MB));
        assert_eq!(left(&w, pool), Some(91 * MB), "it was the pool's while it was in it");
        w.assert_sound();
    });
}

#[test]
fn a_card_that_becomes_another_product_leaves_its_pool() {
    each(|store| {
        let w = world(store);
        w.engine
            .write(|tx, catalogue, _| {
                let us = catalogue.product_by_code("1US-1").cloned().ok_or_else(|| Fail::fault("product"))?;
                let eu = kachi_store::catalogue::Product { id: kachi_domain::ProductId(0), code: "2EU-1".into(), ..us };
                tx.put_product(&eu)?;
                Ok(tx.touch_catalogue()?)
            })
            .unwrap();
        let pool = create(&w, "P100-7D", None);
        subscribe(&w, pool, "P100-7D", "s").unwrap();
        add(&w, pool, &[0, 1]).unwrap();
        w.pass(60);
        let operator = w.actor(AccountId(1));
        let switch = move |tx: &mut kachi_store::Tx<'_>, c: &kachi_engine::Catalogue, how: &kachi_engine::cards::Settling| {
            sims::switch_product(tx, c, how, &operator, (&World::iccid(0), "2EU-1"))
        };
        w.engine.write(switch).unwrap();
        assert_eq!(view(&w, ACME, pool).unwrap().members, 1);
        assert_eq!((w.card(0).blocks(), w.card(1).blocks()), (Blocks::NO_PACKAGE, Blocks::NONE));
        assert_eq!(refusal(add(&w, pool, &[0])), Refusal::PackageMisfit);
        w.assert_sound();
    });
}

#[test]
fn a_card_whose_change_is_refused_stays_in_its_pool() {
    each(|store| {
        let w = world(store);
        let eu = w.engine.write(|tx, catalogue, _| {
            let us = catalogue.product_by_code("1US-1").cloned().ok_or_else(|| Fail::fault("product"))?;
            let eu = kachi_store::catalogue::Product { id: kachi_domain::ProductId(0), code: "2EU-1".into(), ..us };
            tx.put_product(&eu)?;
            tx.touch_catalogue()?;
            Ok(tx.products()?.iter().find(|p| p.code == "2EU-1").map(|p| p.id))
        });
        let (pool, eu) = (create(&w, "P100-7D", None), eu.unwrap().unwrap());
        subscribe(&w, pool, "P100-7D", "s").unwrap();
        add(&w, pool, &[0, 1]).unwrap();
        let eid = || Some("89049032000000000000000000000001".to_owned());
        let holder = kachi_store::sims::Sim { eid: eid(), ..w.card(9).sim };
        let wanted = kachi_store::sims::Sim { product: eu, eid: eid(), ..w.card(0).sim };
        // As an import does it: a refused card does not undo the others of its transaction.
        let done = w.engine.write(move |tx, c, how| {
            sims::put(tx, c, how, &holder)?;
            Ok(refusal(sims::put(tx, c, how, &wanted)))
        });
        assert!(matches!(done.unwrap(), Refusal::BadField { field, .. } if field == "eid"));
        assert_eq!((view(&w, ACME, pool).unwrap().members, w.card(0).blocks()), (2, Blocks::NONE), "nothing half done");
        w.assert_sound();
    });
}

#[test]
fn a_card_that_becomes_another_product_as_it_joins_is_in_no_pool_of_the_old_one() {
    each(|store| {
        let w = world(store);
        w.engine
            .write(|tx, catalogue, _| {
                let us = catalogue.product_by_code("1US-1").cloned().ok_or_else(|| Fail::fault("product"))?;
                let eu = kachi_store::catalogue::Product { id: kachi_domain::ProductId(0), code: "2EU-1".into(), ..us };
                tx.put_product(&eu)?;
                Ok(tx.touch_catalogue()?)
            })
            .unwrap();
        let pool = create(&w, "P100-7D", None);
        let become_product = |code: &'static str| {
            let operator = w.actor(AccountId(1));
            w.engine.write(move |tx, c, how| sims::switch_product(tx, c, how, &operator, (&World::iccid(0), code)))
        };
        let us = w.card(0).sim.product;
        for round in 0..30 {
            let together = std::sync::Barrier::new(2);
            std::thread::scope(|s| {
                let joins = s.spawn(|| {
                    together.wait();
                    // Whichever comes first, the other is refused, begins again or undoes it.
                    let _ = add(&w, pool, &[0]);
                });
                together.wait();
                let _ = become_product("2EU-1");
                joins.join().expect("a card that joins, or not");
            });
            let (members, product) = (view(&w, ACME, pool).unwrap().members, w.card(0).sim.product);
            assert!(members == 0 || product == us, "round {round}: a card of another product is in the pool");
            if members > 0 {
                remove(&w, pool, &[0]).unwrap();
            }
            if product != us {
                become_product("1US-1").unwrap();
            }
        }
        w.assert_sound();
    });
}

#[test]
fn a_card_in_no_pool_is_kept_as_short_as_ever() {
    each(|store| {
        let w = world(store);
        w.buy(0, "Q100-30D", "own").unwrap();
        let t = w.now().0;
        w.pass(600);
        w.cdr("one", &line(1, 0, t + 1, t + 2, MB));
        let id = sim_id(&w, 0);
        let row = w.engine.write(move |tx, _, _| Ok(tx.states(&[id.0])?.remove(0))).unwrap();
        assert_eq!((row.pool_moves, row.head[0]), (0, 1 | 4), "the form of a card in no pool, with the count of its stops");
    });
}
