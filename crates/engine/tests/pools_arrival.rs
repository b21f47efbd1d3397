//! Rules 7 and 8 for pools, through the database: two pools with two cards each live the same life, but the records of one
//! arrive as they happen and those of the other late, shuffled, in any split, repeated, across restarts. They must end
//! alike, cards and pools, also where their owner takes another time zone. And imports, timers, orders and members that
//! come and go at once do not wait in a ring. On both engines.

#[path = "pools_parts/mod.rs"]
mod parts;

use kachi_domain::PoolId;
use kachi_engine::Settings;
use kachi_store::Store;
use kachi_store::accounts::Account;
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, BEGIN, MB, World, line};
use parts::{add, create, records, remove, stock, subscribe, unsubscribe, view};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const HOUR: i64 = 3600;
/// Cards of the pool whose records come in order, and of the other.
const IN_ORDER: [u64; 2] = [0, 1];
const SHUFFLED: [u64; 2] = [10, 11];

#[derive(Debug, Clone)]
enum Step {
    /// Both pools buy; some take it back at once.
    Subscribe { type_code: &'static str, back: bool },
    /// The same card of both buys a package of its own.
    Buy { card: usize, package: &'static str },
    /// The same card of both leaves its pool, or joins it.
    Move { card: usize },
    /// Traffic of a card that ended so many minutes ago.
    Traffic { card: usize, minutes_ago: i64, megabytes: i64 },
    /// Waiting records of the shuffled come in, so many at a time, from this end.
    Arrive { part: usize, from_the_back: bool },
    /// Everything that came in for the shuffled comes in once more.
    Repeat,
    /// Their owner takes another time zone.
    Zone(&'static str),
    /// Time passes.
    Pass(i64),
    /// The program is started anew.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just("P100-7D"), Just("P30-2D"), Just("P60-1MO")];
    let package = prop_oneof![Just("Q100-30D"), Just("TOP20-5D")];
    prop_oneof![
        3 => (kind, prop::bool::weighted(0.2)).prop_map(|(type_code, back)| Step::Subscribe { type_code, back }),
        1 => (0..2_usize, package).prop_map(|(card, package)| Step::Buy { card, package }),
        2 => (0..2_usize).prop_map(|card| Step::Move { card }),
        10 => (0..2_usize, 0..90_i64, 0..45_i64)
            .prop_map(|(card, minutes_ago, megabytes)| Step::Traffic { card, minutes_ago, megabytes }),
        3 => (1..6_usize, any::<bool>()).prop_map(|(part, from_the_back)| Step::Arrive { part, from_the_back }),
        1 => Just(Step::Repeat),
        4 => (1..40_i64).prop_map(Step::Pass),
        1 => prop::sample::select(vec!["Asia/Shanghai", "UTC", "America/New_York"]).prop_map(Step::Zone),
        1 => Just(Step::Restart),
    ]
}

struct Life {
    world: World,
    store: Store,
    pools: [PoolId; 2],
    inside: [bool; 2],
    waiting: Vec<String>,
    arrived: Vec<String>,
    made: i64,
}

impl Life {
    fn new(store: Store, member_cap: Option<i64>) -> Life {
        let world = World::new(store.clone());
        // The day of the month lies near its end, where a month ends at another instant in another zone.
        world.pass(27 * 24 * HOUR);
        world.add_cards(ACME, 0..2);
        world.add_cards(ACME, 10..12);
        stock(&world);
        let pools = [create(&world, "P100-7D", member_cap), create(&world, "P100-7D", member_cap)];
        let mut life = Life { world, store, pools, inside: [false; 2], waiting: Vec::new(), arrived: Vec::new(), made: 0 };
        life.take(&Step::Move { card: 0 });
        life.take(&Step::Move { card: 1 });
        life
    }

    fn take(&mut self, step: &Step) {
        self.made += 1;
        let w = &self.world;
        match step {
            Step::Subscribe { type_code, back } => {
                // Not in the second of a record: what is known of that second decides whether it can be taken back.
                w.pass(1);
                for (i, pool) in self.pools.iter().enumerate() {
                    let number = format!("{i}-{}", self.made);
                    let bought = subscribe(w, *pool, type_code, &number).is_ok();
                    assert!(!bought || !back || unsubscribe(w, *pool, &number).is_ok(), "unused it can be taken back");
                }
                w.pass(1);
            }
            Step::Buy { card, package } => {
                for card in [IN_ORDER[*card], SHUFFLED[*card]] {
                    let _ = w.buy(card, package, &format!("own {card}-{}", self.made));
                }
                w.pass(1);
            }
            Step::Move { card } => {
                let act = if self.inside[*card] { remove } else { add };
                act(w, self.pools[0], &[IN_ORDER[*card]]).expect("the first moves");
                act(w, self.pools[1], &[SHUFFLED[*card]]).expect("the second moves");
                self.inside[*card] = !self.inside[*card];
                w.pass(1);
            }
            Step::Traffic { card, minutes_ago, megabytes } => self.traffic(*card, *minutes_ago, *megabytes),
            Step::Arrive { part, from_the_back } => self.arrive(*part, *from_the_back),
            Step::Repeat => {
                if !self.arrived.is_empty() {
                    let again = w.cdr(&format!("again {}", self.made), &format!("{}\n", self.arrived.concat()));
                    assert_eq!(again.loaded, 0, "nothing is new");
                }
            }
            Step::Zone(zone) => w.put_account_like(ACME, |acme| Account { time_zone: (*zone).into(), ..acme }),
            Step::Pass(hours) => w.pass(hours * HOUR),
            Step::Restart => {
                let now = w.now().0;
                self.world = World::open(self.store.clone(), Settings { import_rows: 2, rate_rows: 3, ..Settings::default() });
                self.world.set_now(now);
            }
        }
    }

    fn traffic(&mut self, card: usize, minutes_ago: i64, megabytes: i64) {
        let stop = (self.world.now().0 - minutes_ago * 60).max(BEGIN);
        let bytes = megabytes * MB + self.made;
        self.world.cdr(&format!("now {}", self.made), &line(self.made, IN_ORDER[card], stop - 60, stop, bytes));
        self.waiting.push(line(1_000_000 + self.made, SHUFFLED[card], stop - 60, stop, bytes));
    }

    fn arrive(&mut self, part: usize, from_the_back: bool) {
        if from_the_back {
            self.waiting.reverse();
        }
        let n = part.min(self.waiting.len());
        let lines: Vec<String> = self.waiting.drain(..n).collect();
        if !lines.is_empty() {
            self.world.cdr(&format!("late {}", self.made), &lines.concat());
            self.arrived.extend(lines);
        }
    }

    fn finish(&mut self) {
        while !self.waiting.is_empty() {
            self.made += 1;
            self.arrive(3, true);
        }
        self.world.pass(1);
        for (a, b) in IN_ORDER.into_iter().zip(SHUFFLED) {
            assert_eq!(self.card(a), self.card(b));
        }
        assert_eq!(self.pool(self.pools[0]), self.pool(self.pools[1]));
        self.world.assert_sound();
    }

    /// Everything of a card that must be alike, numbers that differ by nature left out.
    fn card(&self, card: u64) -> String {
        let now = self.world.card(card);
        let id = now.sim.id;
        let subs = self.world.engine.read(|tx, _| Ok(tx.subscriptions(id)?)).expect("subscriptions");
        let rows: Vec<_> =
            subs.iter().map(|s| (s.state, s.started_at, s.ends_at, s.ended_at, s.end_reason.clone(), s.used_bytes)).collect();
        let live: Vec<_> = now.state.live.iter().map(|l| (l.running, l.window_used, l.used)).collect();
        let stand = now.state.pool.map(|p| p.until);
        let (outflow, blocks) = (now.state.outflow_bytes, now.blocks().names());
        let kept = self.world.engine.read(|tx, _| Ok(tx.sim_by_id(id)?.map(|s| (s.state, s.blocks)))).expect("the card");
        format!("{rows:#?} {live:#?} {stand:?} {} {outflow} {blocks:?} {kept:?}", now.state.ended_bytes)
    }

    fn pool(&self, pool: PoolId) -> String {
        let lines: Vec<_> = records(&self.world, pool)
            .iter()
            .map(|r| {
                let s = &r.subscription;
                (s.state, s.started_at, s.ends_at, s.ended_at, s.end_reason.clone(), r.used_bytes, r.order.refunded_minor)
            })
            .collect();
        let v = view(&self.world, ACME, pool).expect("the pool");
        format!("{lines:#?} {:?} {} {:?}", v.active.map(|l| (l.running, l.used)), v.members, v.over)
    }
}

fn run(database: impl Fn() -> Database, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() });
    let lives = (proptest::collection::vec(step(), 10..45), proptest::option::weighted(0.3, 20..60_i64));
    let result = runner.run(&lives, |(steps, cap_megabytes)| {
        let database = database();
        let mut life = Life::new(database.open(), cap_megabytes.map(|mb| mb * MB));
        for step in &steps {
            life.take(step);
        }
        life.finish();
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
}

#[test]
fn records_in_any_order_give_the_same_pools_on_sqlite() {
    run(Database::sqlite, 24);
}

#[test]
fn records_in_any_order_give_the_same_pools_on_postgresql() {
    run(Database::postgres, 8);
}

#[test]
fn all_at_once_nobody_waits_in_a_ring() {
    each(|store| {
        let w = World::new(store.clone());
        w.add_cards(ACME, 0..8);
        stock(&w);
        let pools: Vec<PoolId> = (0..2).map(|_| create(&w, "P100-7D-WIDE", None)).collect();
        // Members lie across: whoever locked cards before pools, or in the order named, would meet the other.
        add(&w, pools[0], &[0, 3, 4, 7]).unwrap();
        add(&w, pools[1], &[1, 2, 5, 6]).unwrap();
        for (i, pool) in pools.iter().enumerate() {
            subscribe(&w, *pool, "P100-7D-WIDE", &format!("first {i}")).unwrap();
        }
        w.pass(3600);
        let now = w.now().0;
        std::thread::scope(|scope| {
            let (w, pools) = (&w, &pools);
            for worker in 0..3_i64 {
                scope.spawn(move || {
                    for round in 0..6_i64 {
                        let id = |n: i64| worker * 1_000 + round * 10 + n + 1;
                        let lines: String = (0..8_i64)
                            .map(|n| line(id(n), n as u64, now - 900, now - 60 * ((n * 7 + round + worker) % 11) - 1, MB))
                            .collect();
                        assert_eq!(w.cdr(&format!("{worker}-{round}"), &lines).loaded, 8);
                    }
                });
            }
            scope.spawn(move || {
                for round in 0..8 {
                    let (pool, cards) = if round % 2 == 0 { (pools[0], [7, 0]) } else { (pools[1], [6, 1]) };
                    remove(w, pool, &cards).unwrap();
                    add(w, pool, &cards).unwrap();
                }
            });
            scope.spawn(move || {
                for round in 0..8_u64 {
                    let _ = w.buy(round, "TOP20-5D", &format!("own {round}"));
                    w.pass(0);
                }
            });
        });
        w.pass(1);
        w.assert_sound();
    });
}
