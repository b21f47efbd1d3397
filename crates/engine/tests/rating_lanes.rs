//! A file's cards are rated in lanes, side by side where the engine can write so: what comes of it is that of one transaction,
//! and each lane goes on at its own mark. On both engines.

#[allow(dead_code)]
#[path = "pools_parts/mod.rs"]
mod parts;

use kachi_domain::PoolId;
use kachi_engine::{Fail, Settings};
use kachi_store::Store;
use kachi_store::db::execute_in;
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, MB, World, line, sim_id};
use parts::{add, create, records, stock, subscribe, view};
use std::sync::mpsc;

const CARDS: u64 = 10;
const RECORDS: i64 = 80;

fn small() -> Settings {
    Settings { import_rows: 6, rate_rows: 40, ..Settings::default() }
}

/// A world whose cards have packages, and of which all but two are in one of two pools, the members of each among all of them.
fn begin(store: &Store, settings: Settings) -> (World, [PoolId; 2]) {
    let now = World::new(store.clone()).now();
    let w = World::open(store.clone(), settings);
    w.set_now(now.0);
    w.add_cards(ACME, 0..CARDS);
    stock(&w);
    let pools = [create(&w, "P100-7D-WIDE", None), create(&w, "P100-7D-WIDE", None)];
    add(&w, pools[0], &[0, 3, 4, 7]).expect("they join");
    add(&w, pools[1], &[1, 2, 5, 6]).expect("they join");
    for (i, pool) in pools.iter().enumerate() {
        subscribe(&w, *pool, "P100-7D-WIDE", &format!("pool {i}")).expect("bought");
    }
    for card in 0..CARDS {
        w.buy(card, if card % 2 == 0 { "Q100-30D" } else { "TOP20-5D" }, &format!("own {card}")).expect("bought");
    }
    w.pass(3_600);
    (w, pools)
}

/// Traffic of all cards in the hour after `from`, in no order: the later rounds are late for the earlier ones.
fn traffic(round: i64, from: i64) -> String {
    let of = |n: i64| {
        let stop = from + (n * 37 + round * 11) % 3_400;
        line(round * 1_000 + n, (n * 7 + round) as u64 % CARDS, stop - 5, stop, MB * (n % 3 + 1) / 2 + n)
    };
    (1..=RECORDS).map(of).collect()
}

fn shape(w: &World, pools: [PoolId; 2]) -> Vec<String> {
    let card = |n| {
        let c = w.card(n);
        let subs = w.engine.read(move |tx, _| Ok(tx.subscriptions(c.sim.id)?)).expect("subscriptions");
        let subs: Vec<_> = subs.iter().map(|s| (s.state, s.started_at, s.ended_at, s.used_bytes)).collect();
        let live: Vec<_> = c.state.live.iter().map(|l| (l.running, l.used)).collect();
        format!("{n}: {live:?} {} {:?} {subs:?}", c.state.outflow_bytes, c.blocks().names())
    };
    let pool = |id| {
        let v = view(w, ACME, id).expect("the pool");
        let used: Vec<i64> = records(w, id).iter().map(|r| r.used_bytes).collect();
        format!("{:?} {:?} {used:?}", v.active.map(|l| (l.running, l.used)), v.members)
    };
    (0..CARDS).map(card).chain(pools.map(pool)).collect()
}

#[test]
fn cards_that_share_pools_end_in_lanes_as_in_one_transaction() {
    each(|store| {
        let at_once = Database::like(&store);
        let (whole, pools) = begin(&at_once.open(), Settings::default());
        let (lanes, same) = begin(&store, small());
        assert_eq!(pools, same);
        let from = whole.now().0;
        for w in [&whole, &lanes] {
            w.pass(3_600);
        }
        for round in 0..6 {
            let content = traffic(round, from);
            for w in [&whole, &lanes] {
                assert_eq!(w.cdr(&format!("round {round}"), &content).loaded, RECORDS);
            }
            assert_eq!(shape(&whole, pools), shape(&lanes, pools), "round {round}");
        }
        let used_up = pools.iter().all(|id| view(&lanes, ACME, *id).is_some_and(|v| v.active.is_none()));
        assert!(used_up, "the traffic uses the pools up: {:#?}", shape(&lanes, pools));
        lanes.assert_sound();
    });
}

/// Rating that stops at one card: cards of the other lane are rated meanwhile, and the next run does the rest, once.
#[test]
fn each_lane_goes_on_at_its_own_mark() {
    each(|store| {
        let at_once = Database::like(&store);
        let (whole, pools) = begin(&at_once.open(), Settings::default());
        let (w, _) = begin(&store, Settings { rate_rows: 1_000, ..small() });
        let from = whole.now().0;
        for w in [&whole, &w] {
            w.pass(3_600);
        }
        let content = traffic(0, from);
        whole.cdr("all", &content);
        let broken = sim_id(&w, CARDS - 1); // in no pool, and the last of the last lane
        let head = set_head(&w, broken, vec![0xff; 3]);
        let told = w.try_cdr("all", &content).expect_err("a state that does not read").to_string();
        assert!(told.contains("does not read"), "{told}");
        set_head(&w, broken, head);
        let lanes = w.engine.read(|tx, _| Ok(tx.rating_lanes(1)?)).expect("the lanes");
        assert_eq!(lanes.len(), w.engine.store().writers().min(2), "{lanes:?}");
        assert!(lanes.iter().any(|lane| lane.rated_sim > lane.from_sim), "something was rated: {lanes:?}");
        let audit = kachi_engine::audit::audit(&w.engine).expect("the audit");
        assert!(audit.clean && (1..RECORDS).contains(&audit.unrated), "{audit:?}");
        let report = w.cdr("all", &content);
        assert_eq!((report.loaded, report.duplicate, report.known), (RECORDS, 0, false));
        assert_eq!(shape(&whole, pools), shape(&w, pools));
        assert_eq!(w.engine.read(|tx, _| Ok(tx.rating_lanes(1)?)).expect("the lanes"), []);
        // One who slept through the end of a rating takes the next one, which begins alike, for none of his.
        let moved = w.engine.write(|tx, _, how| {
            let stale = tx.open_rating_lanes(1, &[0], how.now)?[0];
            tx.close_batches(1, how.now)?;
            let fresh = tx.open_rating_lanes(1, &[0], how.now)?[0];
            let moved = (tx.rate_up_to(stale, 5, how.now)?, tx.rate_up_to(fresh, 5, how.now)?);
            tx.close_batches(1, how.now)?;
            Ok(moved)
        });
        assert_eq!(moved.expect("lanes"), (false, true));
        w.assert_sound();
    });
}

/// Who goes on with a rating takes all of its lanes: of two, each with a lane of the other's, neither would come to the end.
#[test]
fn who_goes_on_with_a_rating_has_all_of_its_lanes() {
    each(|store| {
        let (w, _) = begin(&store, small());
        w.cdr("all", &traffic(0, w.now().0 - 9_000));
        let moved = w.engine.write(|tx, _, how| {
            let one = tx.open_rating_lanes(1, &[0, 5], how.now)?;
            let other = tx.take_rating_lanes(1, how.now)?;
            let mut moved = Vec::new();
            for lane in one.iter().chain(&other) {
                moved.push(tx.rate_up_to(*lane, lane.from_sim + 1, how.now)?);
            }
            tx.close_batches(1, how.now)?;
            Ok(moved)
        });
        assert_eq!(moved.expect("lanes"), [false, false, true, true]);
    });
}

/// A rating that broke off is gone on with by several at once: one of them comes to the end, and the others are told who has it.
#[test]
fn of_several_who_go_on_with_a_rating_one_comes_to_its_end() {
    each(|store| {
        for round in 0..6 {
            let database = Database::like(&store);
            let (w, _) = begin(&database.open(), Settings { rate_rows: 1_000, ..small() });
            w.pass(3_600);
            let content = traffic(0, w.now().0 - 9_000);
            let broken = sim_id(&w, CARDS - 1);
            let head = set_head(&w, broken, vec![0xff; 3]);
            w.try_cdr("all", &content).expect_err("a state that does not read");
            set_head(&w, broken, head);
            let together = std::sync::Barrier::new(3);
            let came: Vec<_> = std::thread::scope(|s| {
                let one = || {
                    together.wait();
                    w.try_cdr("all", &content)
                };
                let all: Vec<_> = (0..3).map(|_| s.spawn(one)).collect();
                all.into_iter().map(|one| one.join().expect("an answer")).collect()
            });
            let is_told = |r: &kachi_engine::Result<_>| matches!(r, Ok(_) | Err(kachi_engine::Fail::InHand { .. }));
            assert!(came.iter().all(is_told) && came.iter().any(Result::is_ok), "round {round}: {came:?}");
            assert!(w.cdr("all", &content).known);
            w.assert_sound();
        }
    });
}

/// Writes a card's state as it stands in the database; the answer is what was there.
fn set_head(w: &World, sim: kachi_domain::SimId, head: Vec<u8>) -> Vec<u8> {
    let set = w.engine.write(move |tx, _, _| {
        let mut row = tx.state_locked(sim)?;
        let before = std::mem::replace(&mut row.head, head);
        tx.put_states(&[row])?;
        Ok(before)
    });
    set.expect("written")
}

/// Only on PostgreSQL can two transactions wait for each other. The import is the one that waits first, so the one that is ended:
/// it does its part again.
#[test]
fn a_part_that_met_a_deadlock_is_rated_again() {
    let database = Database::postgres();
    let (w, pools) = begin(&database.open(), small());
    let from = w.now().0;
    w.pass(3_600);
    let [first, last] = [0, CARDS - 1].map(|card| sim_id(&w, card));
    let lone = format!("{}{}", line(1, 0, from, from + 5, MB), line(2, CARDS - 1, from, from + 5, MB));
    std::thread::scope(|scope| {
        let (holds, held) = mpsc::channel();
        let (w, place) = (&w, &database.place);
        let other = scope.spawn(move || {
            let place = place.clone();
            w.engine.write(move |tx, _, _| {
                tx.state_locked(last)?;
                holds.send(()).map_err(|e| Fail::fault(e.to_string()))?;
                execute_in(&place, SOMEBODY_WAITS)?;
                Ok(tx.state_locked(first)?.sim)
            })
        });
        held.recv().expect("the other holds its card");
        assert_eq!(w.cdr("lone", &lone).loaded, 2);
        assert_eq!(other.join().expect("no panic").expect("it is the import that gives way"), first);
    });
    assert_eq!(w.card(CARDS - 1).state.live[0].used, MB);
    assert_eq!(view(&w, ACME, pools[0]).expect("the pool").active.map(|l| l.used), Some(MB));
    w.assert_sound();
}

/// Ends when somebody in the database has waited for a lock for a third of a second: a deadlock is looked for after a second.
const SOMEBODY_WAITS: &str = "DO $$ BEGIN FOR i IN 1..2000 LOOP
  PERFORM 1 FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '300 milliseconds'
    AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database());
  IF FOUND THEN RETURN; END IF;
  PERFORM pg_sleep(0.005);
END LOOP; RAISE 'nobody waits'; END $$";
