//! Rules 7 and 8 through the database: two cards live the same life, but the records of one arrive as they happen and
//! those of the other late, shuffled, in any split, repeated, across restarts. They must end alike, also where they go to an
//! account in another time zone and back or their account takes another. On both engines.

use kachi_domain::{AccountId, OrderId, SubscriptionId};
use kachi_engine::{Settings, sims};
use kachi_store::Store;
use kachi_store::accounts::Account;
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, BEGIN, MB, World, line};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const HOUR: i64 = 3600;
const IN_ORDER: u64 = 0;
const SHUFFLED: u64 = 1;

#[derive(Debug, Clone)]
enum Step {
    /// Both cards buy.
    Buy(&'static str),
    /// Both cards give their newest order back.
    Refund,
    /// Traffic that ended so many minutes ago.
    Traffic { minutes_ago: i64, megabytes: i64 },
    /// The shuffled card's waiting records come in, so many at a time, from this end.
    Arrive { part: usize, from_the_back: bool },
    /// Everything that came in for the shuffled card comes in once more.
    Repeat,
    /// Both cards go to the account below that is in New York, or back.
    Move,
    /// Their account takes another time zone.
    Zone(&'static str),
    /// Time passes.
    Pass(i64),
    /// The program is started anew.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let package = prop_oneof![Just("Q100-30D"), Just("M50-3M"), Just("T-7D"), Just("TOP20-5D")];
    prop_oneof![
        2 => package.prop_map(Step::Buy),
        1 => Just(Step::Refund),
        8 => (0..90_i64, 0..45_i64).prop_map(|(minutes_ago, megabytes)| Step::Traffic { minutes_ago, megabytes }),
        3 => (1..6_usize, any::<bool>()).prop_map(|(part, from_the_back)| Step::Arrive { part, from_the_back }),
        1 => Just(Step::Repeat),
        4 => (1..60_i64).prop_map(Step::Pass),
        1 => Just(Step::Move),
        1 => prop::sample::select(vec!["Asia/Shanghai", "UTC", "America/New_York"]).prop_map(Step::Zone),
        1 => Just(Step::Restart),
    ]
}

struct Life {
    world: World,
    store: Store,
    waiting: Vec<String>,
    arrived: Vec<String>,
    orders: Vec<(OrderId, OrderId)>,
    made: i64,
}

impl Life {
    fn new(store: Store) -> Life {
        let world = World::new(store.clone());
        // A month turns in most lives.
        world.pass(27 * 24 * HOUR);
        world.add_cards(ACME, 0..2);
        world.put_account_like(ACME, |acme| Account {
            id: BELOW,
            code: "below".into(),
            path: acme.path.child(BELOW),
            ..in_zone(acme, NEW_YORK)
        });
        Life { world, store, waiting: Vec::new(), arrived: Vec::new(), orders: Vec::new(), made: 0 }
    }

    fn take(&mut self, step: &Step) {
        self.made += 1;
        match step {
            Step::Buy(package) => {
                let buy = |card: u64| self.world.buy(card, package, &format!("{card}-{}", self.made)).map(|p| p.order);
                if let (Ok(a), Ok(b)) = (buy(IN_ORDER), buy(SHUFFLED)) {
                    self.orders.push((a, b));
                }
                self.world.pass(1);
            }
            Step::Refund => {
                // What is given back may differ (it is reckoned from what is known); that it ends does not.
                if let Some((a, b)) = self.orders.pop() {
                    let (a, b) = (self.world.refund(IN_ORDER, a).is_ok(), self.world.refund(SHUFFLED, b).is_ok());
                    if a != b {
                        self.orders.clear();
                    }
                }
                self.world.pass(1);
            }
            Step::Traffic { minutes_ago, megabytes } => self.traffic(*minutes_ago, *megabytes),
            Step::Arrive { part, from_the_back } => self.arrive(*part, *from_the_back),
            Step::Repeat => {
                if !self.arrived.is_empty() {
                    let again = self.world.cdr(&format!("again {}", self.made), &format!("{}\n", self.arrived.concat()));
                    assert_eq!(again.loaded, 0, "nothing is new");
                }
            }
            Step::Move => {
                let to = if self.world.card(IN_ORDER).sim.account == ACME { BELOW } else { ACME };
                for card in [IN_ORDER, SHUFFLED] {
                    let actor = self.world.actor(ACME);
                    let act = self
                        .world
                        .engine
                        .write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &actor, &World::iccid(card), to));
                    act.expect("the card is moved");
                }
                self.world.pass(1);
            }
            Step::Zone(zone) => self.world.put_account_like(ACME, |acme| in_zone(acme, zone)),
            Step::Pass(hours) => self.world.pass(hours * HOUR),
            Step::Restart => {
                let now = self.world.now().0;
                self.world = World::open(self.store.clone(), Settings::default());
                self.world.set_now(now);
            }
        }
    }

    /// The in-order card's record comes in at once; only its own clock decides, so it may still be later than an order.
    fn traffic(&mut self, minutes_ago: i64, megabytes: i64) {
        let stop = (self.world.now().0 - minutes_ago * 60).max(BEGIN);
        let bytes = megabytes * MB + self.made;
        self.world.cdr(&format!("now {}", self.made), &line(self.made, IN_ORDER, stop - 60, stop, bytes));
        self.waiting.push(line(1_000_000 + self.made, SHUFFLED, stop - 60, stop, bytes));
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
            self.arrive(3, true);
        }
        self.world.pass(1);
        assert_eq!(self.shape(IN_ORDER), self.shape(SHUFFLED));
        self.world.assert_sound();
    }

    /// Everything that must be alike, numbers that differ by nature left out.
    fn shape(&self, card: u64) -> String {
        let now = self.world.card(card);
        let id = now.sim.id;
        let subs = self.world.engine.read(|tx, _| Ok(tx.subscriptions(id)?)).expect("subscriptions");
        let place = |id: SubscriptionId| subs.iter().position(|s| s.id == id);
        let rows: Vec<_> =
            subs.iter().map(|s| (s.state, s.started_at, s.ends_at, s.ended_at, s.end_reason.clone(), s.used_bytes)).collect();
        let live: Vec<_> = now.state.live.iter().map(|l| (place(l.id), l.running, l.window_used, l.used, l.refill)).collect();
        let read = self.world.engine.read(|tx, catalogue| {
            let sees = catalogue.account(ACME).map(|a| a.sees.clone()).unwrap_or_default();
            Ok(tx.usage_of_days(&sees, &[id.0], 0, 100_000)?.first().map(|d| d.1))
        });
        let days = read.expect("days");
        format!(
            "{rows:#?} {live:#?} {:?} {} {} {days:?} {:?}",
            now.state.block,
            now.state.ended_bytes,
            now.state.outflow_bytes,
            now.blocks().names()
        )
    }
}

const BELOW: AccountId = AccountId(10_009);
const NEW_YORK: &str = "America/New_York";

fn in_zone(account: Account, zone: &str) -> Account {
    Account { time_zone: zone.into(), ..account }
}

fn run(database: impl Fn() -> Database, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() });
    let lives = proptest::collection::vec(step(), 10..50);
    let result = runner.run(&lives, |steps| {
        let database = database();
        let mut life = Life::new(database.open());
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
fn records_in_any_order_give_the_same_card_on_sqlite() {
    run(Database::sqlite, 24);
}

#[test]
fn records_in_any_order_give_the_same_card_on_postgresql() {
    run(Database::postgres, 8);
}

/// More cards than are read together, some of them late and some not, some with a package, some with a kept state: each is told again by
/// its own past.
#[test]
fn many_late_cards_of_one_file_are_each_told_again_by_their_own_past() {
    const CARDS: u64 = 300;
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..CARDS);
        let has_package = |card: u64| card.is_multiple_of(29) && card < 290;
        (0..CARDS).filter(|card| has_package(*card)).for_each(|card| drop(w.buy(card, "Q100-30D", &format!("{card}")).unwrap()));
        w.pass(10 * HOUR);
        let (mut files, mut sums) = (0, vec![[0_i64; 2]; CARDS as usize]);
        // A file with a record of each of these cards, so many hours ago.
        let mut file = |cards: &dyn Fn(u64) -> bool, hours_ago: &dyn Fn(u64) -> i64, bytes: i64, is_paid: bool| {
            files += 1;
            let mut lines = String::new();
            for card in (0..CARDS).filter(|card| cards(*card)) {
                let (stop, bytes) = (w.now().0 - hours_ago(card) * HOUR, bytes + card as i64);
                lines += &line((files * CARDS + card) as i64, card, stop - 60, stop, bytes);
                sums[card as usize][usize::from(!(is_paid && has_package(card)))] += bytes;
            }
            assert_eq!(w.cdr(&format!("{files}"), &lines).bad, 0);
            for (card, sums) in (0..).zip(&sums) {
                let state = w.card(card).state;
                assert_eq!([state.total_used(), state.outflow_bytes], *sums, "file {files}, card {card}");
            }
        };
        let (all, even) = (|_: u64| true, |card: u64| card.is_multiple_of(2));
        file(&all, &|_| 2, MB, true);
        file(&all, &|card| if card.is_multiple_of(3) { 1 } else { 3 }, 1_000, true);
        // The packages are over, and what came in is settled: the states of those that are told again are kept.
        w.pass(40 * 24 * HOUR);
        file(&all, &|_| 2, 10, false);
        file(&even, &|_| 3, 20, false);
        file(&all, &|_| 4, 30, false);
        w.assert_sound();
    });
}
