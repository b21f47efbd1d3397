//! Joint pools: cards that use the sum of their own packages. On both engines.

use kachi_domain::package::{Category, Terms};
use kachi_domain::sim::Blocks;
use kachi_domain::{PoolId, Refusal};
use kachi_engine::pools::{CreateJoint, Sum};
use kachi_engine::{Fail, Result, pools, sims};
use kachi_store::Store;
use kachi_store::catalogue::Package;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line};

const DAY: i64 = 86_400;

fn world(store: Store) -> World {
    let w = World::new(store);
    w.add_cards(ACME, 0..5);
    w.add_cards(STRANGER, 9..10);
    for card in 0..3 {
        w.buy(card, "M50-3M", &format!("n-{card}")).unwrap();
    }
    w
}

/// A pool of `M50-3M`: 50 MB a month from each card.
fn pool(w: &World, cap_mb: Option<i64>) -> PoolId {
    let actor = w.actor(ACME);
    let cmd = CreateJoint {
        package_code: "M50-3M".into(),
        memo: "gates".into(),
        member_cap_bytes: cap_mb.map(|mb| mb * MB),
        named: (PoolId(0), "gates".into()),
    };
    w.engine.write(move |tx, catalogue, how| pools::create_joint(tx, catalogue, how, &actor, &cmd)).unwrap()
}

fn join(w: &World, id: PoolId, cards: &[u64]) -> Result<()> {
    let (actor, cards) = (w.actor(ACME), cards.iter().map(|n| World::iccid(*n)).collect::<Vec<_>>());
    w.engine.write(move |tx, catalogue, how| pools::join(tx, catalogue, how, &actor, (id, &cards)))
}

fn take_out(w: &World, id: PoolId, cards: &[u64]) -> Result<()> {
    let (actor, cards) = (w.actor(ACME), cards.iter().map(|n| World::iccid(*n)).collect::<Vec<_>>());
    w.engine.write(move |tx, catalogue, how| pools::take_out(tx, catalogue, how, &actor, (id, &cards)))
}

fn sum(w: &World, id: PoolId) -> Sum {
    let now = w.now();
    let read = w.engine.read(|tx, catalogue| {
        let pool = tx.pool_by_id(id)?.expect("a pool");
        pools::sum(tx, catalogue, &pool, now)
    });
    read.unwrap()
}

fn mb(cards: i64, total: i64, used: i64) -> Sum {
    Sum { cards, total_bytes: total * MB, used_bytes: used * MB }
}

fn blocks(w: &World, cards: &[u64]) -> Vec<Blocks> {
    cards.iter().map(|n| w.card(*n).blocks()).collect()
}

fn count(w: &World, card: u64, kind: &str) -> usize {
    w.events(card).iter().filter(|k| *k == kind).count()
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn cards_share_the_sum_of_their_own_packages_month_by_month() {
    each(|store| {
        let w = world(store);
        let id = pool(&w, None);
        join(&w, id, &[0, 1, 2, 3]).unwrap();
        assert_eq!(sum(&w, id), mb(3, 150, 0), "a card without the package brings nothing");
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &line(1, 0, t - 900, t - 600, 120 * MB));
        w.pass(0);
        assert_eq!((sum(&w, id), w.card(0).blocks()), (mb(3, 150, 120), Blocks::NONE), "more than its own");
        w.cdr("two", &line(2, 1, t - 500, t - 400, 30 * MB));
        w.pass(0);
        assert_eq!(sum(&w, id), mb(3, 150, 150));
        assert_eq!(blocks(&w, &[0, 1, 2]), [Blocks::POOL_EXHAUSTED; 3]);
        assert!(w.card(3).blocks().0 & Blocks::NO_PACKAGE.0 != 0);
        assert_eq!(count(&w, 2, "sim_stopped"), 1, "told once, also to one that used nothing");
        w.assert_sound();
        w.pass(60);
        w.buy(3, "M50-3M", "n-3").unwrap();
        w.pass(0);
        assert_eq!((sum(&w, id), blocks(&w, &[0, 1, 2, 3])), (mb(4, 200, 150), vec![Blocks::NONE; 4]), "another stake");
        assert_eq!(count(&w, 2, "sim_restored"), 2, "free at first, and again now");
        w.pass(60);
        let t = w.now().0;
        w.cdr("three", &line(3, 2, t - 50, t - 10, 80 * MB));
        w.pass(0);
        assert_eq!((sum(&w, id), blocks(&w, &[0, 3])), (mb(4, 200, 230), vec![Blocks::POOL_EXHAUSTED; 2]));
        assert_eq!(w.card(2).state.outflow_bytes, 0, "what is beyond the sum is the pool's");
        assert_eq!([0, 1, 2, 3].map(|n| count(&w, n, "sim_stopped")), [2, 2, 2, 1], "each stop of the month is told");
        w.pass(31 * DAY);
        assert_eq!((sum(&w, id), blocks(&w, &[0, 1, 2, 3])), (mb(4, 200, 0), vec![Blocks::NONE; 4]), "a new month");
        w.pass(70 * DAY);
        assert_eq!(sum(&w, id), mb(0, 0, 0), "every package is over");
        assert!(blocks(&w, &[0, 1, 2, 3]).iter().all(|b| b.0 & Blocks::EXPIRED.0 != 0));
        w.assert_sound();
    });
}

#[test]
fn one_that_takes_its_cap_is_stopped_alone() {
    each(|store| {
        let w = world(store);
        let id = pool(&w, Some(60));
        join(&w, id, &[0, 1, 2]).unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &line(1, 0, t - 900, t - 600, 60 * MB));
        w.pass(0);
        assert_eq!(blocks(&w, &[0, 1, 2]), [Blocks::POOL_EXHAUSTED, Blocks::NONE, Blocks::NONE]);
        w.buy(0, "TOP20-5D", "top").unwrap();
        w.pass(0);
        assert!(w.card(0).blocks().is_empty(), "a package of its own beside sets it free");
        let t = w.now().0;
        w.cdr("two", &line(2, 0, t - 60, t, 5 * MB));
        w.pass(1);
        assert_eq!(w.card(0).state.live.iter().map(|l| l.used / MB).collect::<Vec<_>>(), [60, 5], "and pays for it");
        w.engine
            .write(move |tx, _, _| {
                tx.set_pool(id, None, "gates")?;
                let there: Vec<_> = tx.pool_members(id)?.iter().map(|m| kachi_domain::SimId(m.0)).collect();
                Ok(tx.stir_pools(&there)?)
            })
            .unwrap();
        w.pass(0);
        assert!(w.card(0).state.stake.is_some_and(|s| s.until.is_none()), "without the cap there is something again");
        w.assert_sound();
    });
}

#[test]
fn a_card_that_leaves_goes_on_with_its_own_use_of_its_own() {
    each(|store| {
        let w = world(store);
        let id = pool(&w, None);
        join(&w, id, &[0, 1]).unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &[line(1, 0, t - 900, t - 600, 70 * MB), line(2, 1, t - 800, t - 700, 10 * MB)].concat());
        w.pass(0);
        take_out(&w, id, &[0, 1]).unwrap();
        assert_eq!((w.card(0).blocks(), w.card(1).blocks()), (Blocks::QUOTA, Blocks::NONE));
        assert_eq!(w.card(1).state.remaining_bytes(), 40 * MB);
        assert_eq!((sum(&w, id), w.card(0).state.stake), (mb(0, 0, 0), None));
        assert_eq!(refusal(take_out(&w, id, &[0])), Refusal::NotInPool);
        w.assert_sound();
        let sim = w.card(2).sim.id;
        w.engine.write(move |tx, _, how| Ok(tx.join_pool(id, sim, ACME, how.now)?)).unwrap();
        let report = kachi_engine::audit::audit(&w.engine).unwrap();
        assert!(report.violations.iter().any(|v| v.contains("a stake without a joint pool")), "{report:?}");
        w.engine.write(move |tx, _, how| Ok(tx.leave_pool(id, sim, how.now)?)).unwrap();
        join(&w, id, &[1, 2]).unwrap();
        let operator = w.actor(kachi_domain::AccountId(1));
        w.engine
            .write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &operator, &World::iccid(1), NORTH).map(|_| ()))
            .unwrap();
        assert_eq!((sum(&w, id), w.card(1).state.stake), (mb(1, 50, 0), None), "one that is moved leaves");
        w.pass(60);
        w.assert_sound();
    });
}

#[test]
fn what_was_told_in_a_joint_pool_is_not_told_again_after_the_card_left_it() {
    each(|store| {
        let w = world(store);
        let id = pool(&w, Some(60));
        join(&w, id, &[0, 1, 2]).unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &line(1, 0, t - 900, t - 600, 60 * MB));
        w.pass(60);
        assert_eq!(count(&w, 0, "sim_stopped"), 1, "its cap");
        let set_free = |cap: Option<i64>| {
            w.engine.write(move |tx, _, _| {
                tx.set_pool(id, cap, "gates")?;
                let there: Vec<_> = tx.pool_members(id)?.iter().map(|m| kachi_domain::SimId(m.0)).collect();
                Ok(tx.stir_pools(&there)?)
            })
        };
        set_free(None).unwrap();
        w.pass(60);
        w.pass(60);
        take_out(&w, id, &[0]).unwrap();
        w.pass(60);
        assert_eq!((w.card(0).blocks(), count(&w, 0, "sim_stopped")), (Blocks::QUOTA, 2), "more than its own");
        for (n, at) in [t - 1_200, t + 30, t + 100, t + 170].into_iter().enumerate() {
            w.cdr(&format!("late {n}"), &line(10 + n as i64, 0, at - 10, at, MB));
            w.pass(1);
        }
        assert_eq!(count(&w, 0, "sim_stopped"), 2);
        join(&w, id, &[0]).unwrap();
        w.pass(60);
        assert_eq!((w.card(0).blocks(), count(&w, 0, "sim_restored")), (Blocks::NONE, 3));
        take_out(&w, id, &[0]).unwrap();
        w.pass(60);
        assert_eq!(count(&w, 0, "sim_stopped"), 3, "as often as it leaves");
        w.assert_sound();
    });
}

#[test]
fn a_stop_by_its_own_package_in_a_used_up_joint_pool_is_told_once_whenever_it_was() {
    each(|store| {
        let w = world(store);
        let made = w.engine.write(|tx, catalogue, _| {
            let month = catalogue.package_by_code("M50-3M").cloned().expect("a month package");
            let terms = Terms { category: Category::TopUp, allowance: 20 * MB, ..month.terms.clone() };
            tx.put_package(&Package { code: "TOPM20-3M".into(), terms, ..month })?;
            Ok(tx.touch_catalogue()?)
        });
        made.unwrap();
        let id = pool(&w, None);
        join(&w, id, &[0, 1, 2]).unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("all of it", &line(1, 1, t - 900, t - 600, 150 * MB));
        w.pass(60);
        assert_eq!(count(&w, 0, "sim_stopped"), 1);
        w.buy(0, "TOPM20-3M", "top").unwrap();
        w.pass(600);
        assert_eq!(w.card(0).blocks(), Blocks::NONE, "its own beside sets it free");
        let t = w.now().0;
        w.cdr("own", &line(2, 0, t - 60, t - 30, 20 * MB));
        w.pass(60);
        assert_eq!((w.card(0).blocks(), count(&w, 0, "sim_stopped")), (Blocks::POOL_EXHAUSTED, 2));
        w.cdr("before it", &line(3, 0, t - 300, t - 200, 20 * MB));
        w.pass(60);
        assert_eq!(count(&w, 0, "sim_stopped"), 2, "it came earlier, and is the same");
        w.assert_sound();
    });
}

#[test]
fn late_shuffled_and_repeated_records_give_the_same_sum() {
    each(|store| {
        let w = world(store);
        let id = pool(&w, None);
        join(&w, id, &[0, 1, 2]).unwrap();
        w.pass(7200);
        let t = w.now().0;
        let lines: Vec<String> = (0..12).map(|n| line(n + 1, (n % 3) as u64, t - 60 * n - 60, t - 60 * n, 10 * MB)).collect();
        for n in [7, 2, 11, 0, 5, 2, 9] {
            w.cdr(&format!("f{n}-{}", w.now().0), &lines[n]);
            w.pass(1);
        }
        assert_eq!((sum(&w, id), blocks(&w, &[0, 1, 2])), (mb(3, 150, 60), vec![Blocks::NONE; 3]));
        w.cdr("all", &lines.concat());
        w.cdr("late", &line(99, 2, t - 7000, t - 6900, 30 * MB));
        w.pass(1);
        assert_eq!((sum(&w, id), blocks(&w, &[0, 1, 2])), (mb(3, 150, 150), vec![Blocks::POOL_EXHAUSTED; 3]));
        // A record from before the stop is told again with it, and changes nothing of it.
        let stopped = w.card(0).state.stake;
        w.pass(60);
        w.cdr("later", &line(100, 0, t - 100, t - 90, MB));
        w.pass(1);
        assert_eq!((sum(&w, id), blocks(&w, &[0, 1, 2])), (mb(3, 150, 151), vec![Blocks::POOL_EXHAUSTED; 3]));
        assert_eq!(w.card(0).state.stake, stopped, "stopped since the same instant");
        assert_eq!([0, 1, 2].map(|n| count(&w, n, "sim_stopped")), [1; 3]);
        w.assert_sound();
    });
}

#[test]
fn only_what_fits_comes_in_and_the_other_kind_of_pool_does_not_know_it() {
    each(|store| {
        let w = world(store);
        let (id, actor) = (pool(&w, None), w.actor(ACME));
        assert_eq!(refusal(join(&w, id, &[9])), Refusal::UnknownSim);
        assert_eq!(refusal(join(&w, PoolId(99), &[0])), Refusal::UnknownPool);
        join(&w, id, &[0]).unwrap();
        join(&w, id, &[0]).unwrap();
        let now = w.now();
        let (seen, added, of_card) = w
            .engine
            .write(move |tx, catalogue, how| {
                let seen = pools::list(tx, catalogue, &actor, (None, None), now)?.len();
                let added = pools::add(tx, catalogue, how, &actor, (id, &[World::iccid(1)])).map_err(|e| format!("{e:?}"));
                let of_card = pools::with_slots_of_card(tx, &actor, &World::iccid(0))?;
                Ok((seen, added, of_card))
            })
            .unwrap();
        assert_eq!((seen, of_card), (0, None));
        assert!(added.is_err_and(|e| e.contains("UnknownPool")));
        w.assert_sound();
    });
}
