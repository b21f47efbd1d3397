//! Whatever happens to a card and whatever its carrier does, in the end both see it alike.

use super::*;
use kachi_domain::OrderId;
use kachi_domain::order::OrderState;
use kachi_domain::service::{Service, UsedUp, wanted};
use kachi_engine::intents;
use kachi_testkit::db::Database;
use kachi_testkit::world::{MB, line};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

/// Cases that failed once are tried first, on both engines.
const FAILED_ONCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/agree.txt");

/// A card that was never on.
const NEW: u64 = 9;

#[derive(Debug, Clone)]
enum Step {
    Lock,
    Unlock,
    Stop,
    Resume,
    /// The same, and others, by the door that passes them straight on.
    Direct(Act),
    /// Buys a package: of ours, or one that the carrier activates.
    Order(&'static str),
    /// Takes back an order, one of those there are.
    Refund(usize),
    /// Uses data: some, or so much that packages end; the record comes so much later than it was.
    Use(i64, i64),
    /// The next write for the card meets this.
    Fault(Fault),
    /// The card is read at its carrier.
    Read,
    /// Time passes, and the workers work before and after it.
    Work(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        2 => Just(OVERLOADED),
        2 => Just(Fault::Lost),
        2 => Just(Fault::AppliedTimedOut),
        1 => Just(Fault::Hollow),
        1 => Just(Fault::Garbage),
        1 => Just(Fault::TokenKilled),
        1 => Just(Fault::Cooling { seconds: 180 }),
        1 => Just(Fault::NeverApplied { forget_seconds: Some(90) }),
        2 => Just(Fault::Refused { code: "12000".into(), reason: "not granted".into() }),
    ];
    prop_oneof![
        3 => Just(Step::Lock),
        3 => Just(Step::Unlock),
        3 => Just(Step::Stop),
        3 => Just(Step::Resume),
        4 => prop_oneof![
            3 => Just(Act::Stop),
            3 => Just(Act::Resume),
            2 => Just(Act::Activate),
            1 => Just(Act::EndTest),
        ].prop_map(Step::Direct),
        2 => Just(Step::Order("Q100-30D")),
        1 => Just(Step::Order("T-7D")),
        3 => Just(Step::Order("C100-30D")),
        3 => any::<usize>().prop_map(Step::Refund),
        4 => (prop_oneof![Just(30), Just(120)], prop_oneof![Just(0), Just(900)]).prop_map(|(mb, late)| Step::Use(mb, late)),
        5 => fault.prop_map(Step::Fault),
        3 => Just(Step::Read),
        8 => (0..400_i64).prop_map(Step::Work),
    ]
}

/// Where the card stands when it comes: on, with a package, or never on, without one; and whether its carrier has an act of its own
/// for a card that was never on.
fn start() -> impl Strategy<Value = (BaseState, bool)> {
    use BaseState::{Active, Inventory, Ready, Testing};
    (prop_oneof![4 => Just(Active), 4 => Just(Ready), 1 => Just(Testing), 1 => Just(Inventory)], any::<bool>())
}

struct Life {
    world: World,
    carrier: Carrier,
    card: u64,
    orders: Vec<(OrderId, String)>,
    made: usize,
    /// Faults that wait for a write.
    hollow: bool,
}

impl Life {
    fn new(store: Store, (start, activates): (BaseState, bool)) -> Life {
        let card = if start.is_dormant() { NEW } else { 0 };
        let without = if activates { json!([]) } else { json!(["activate"]) };
        let (world, carrier) = world(store, json!({"lag_seconds": 3, "without": without}));
        if card == NEW {
            add_bare(&world, NEW..NEW + 1);
            place(&world, NEW, start);
        }
        // A carrier without such an act has none of these states.
        if card == NEW && activates {
            carrier.world.stand(World::iccid(NEW).as_str(), start, world.now());
        }
        Life { world, carrier, card, orders: Vec::new(), made: 0, hollow: false }
    }

    /// An act that is refused is none.
    fn take(&mut self, step: &Step) {
        self.made += 1;
        let (w, carrier, card) = (&self.world, &self.carrier, self.card);
        match step {
            Step::Lock => lock(w, card),
            Step::Unlock => drop(unlock(w, card)),
            Step::Stop => drop(switch(w, card, Write::Stop, &format!("r-{}", self.made))),
            Step::Resume => drop(switch(w, card, Write::Resume, &format!("r-{}", self.made))),
            Step::Direct(act) => drop(directly(w, card, act.clone(), &format!("d-{}", self.made))),
            Step::Order(package) => {
                // The carrier tells nothing of a purchase by which a hollow word could be known.
                if !(self.hollow && package.starts_with('C'))
                    && let Ok(placed) = w.buy(card, package, &format!("o-{}", self.made))
                {
                    self.orders.push((placed.order, placed.number));
                }
            }
            Step::Refund(n) => {
                if !self.orders.is_empty() && !self.hollow {
                    let (order, _) = self.orders[n % self.orders.len()];
                    let _ = w.refund(card, order);
                }
            }
            Step::Use(megabytes, late) => {
                let (id, stop) = (RECORDS.fetch_add(1, Ordering::SeqCst), w.now().0 - late);
                w.cdr(&format!("use {id}"), &line(id, card, stop - 1, stop, megabytes * MB));
            }
            Step::Fault(Fault::Hollow) => {
                let buys = |i: &Intent| matches!(request(i)["write"]["act"].as_str(), Some("subscribe" | "unsubscribe"));
                if !writes(w).iter().any(|i| buys(i) && i.due_at.is_some()) {
                    carrier.world.fail_card(World::iccid(card).as_str(), Fault::Hollow);
                    self.hollow = true;
                }
            }
            Step::Fault(fault) => carrier.world.fail_card(World::iccid(card).as_str(), fault.clone()),
            Step::Read => refused::read(w, carrier, card),
            Step::Work(seconds) => {
                carrier.work(&w.engine);
                w.pass(*seconds);
                carrier.work(&w.engine);
            }
        }
    }

    /// The storm is over: the workers come to an end, and a person settles by what he sees what is left to him.
    fn settle(&self) {
        let (w, carrier) = (&self.world, &self.carrier);
        carrier.world.calm();
        for _ in 0..2_000 {
            carrier.work(&w.engine);
            for left in writes(w).iter().filter(|i| i.state == "in_doubt" && i.due_at.is_none()) {
                self.settle_by_hand(left);
            }
            if writes(w).iter().all(|i| i.due_at.is_none() && i.state != "in_doubt") {
                return;
            }
            w.pass(300);
        }
        panic!("it never ends: {}", self.story());
    }

    fn settle_by_hand(&self, left: &Intent) {
        let (engine, there) = (&self.world.engine, there(&self.world, &self.carrier, self.card));
        let is_so = match request(left)["write"]["act"].as_str() {
            Some("stop") => there.stopped.is_some(),
            Some("resume") => there.stopped.is_none(),
            Some("activate") => there.base() == BaseState::Active,
            Some("end_test") => there.base() != BaseState::Testing,
            other => panic!("{other:?} is left"),
        };
        if is_so {
            intents::confirm(engine, left.id, "a person").expect("it is settled");
        } else {
            intents::refuse(engine, left.id, "a person", "it is not so").expect("it is settled");
        }
    }

    fn story(&self) -> String {
        let card = self.world.card(self.card);
        format!("{} {:?}\n{}", card.sim.state, card.blocks().names(), story(&self.world, self.card))
    }

    /// Whether the last that was asked of the carrier here was refused, and is not asked again until something else is wanted.
    fn last_is_refused(&self) -> bool {
        let iccid = World::iccid(self.card).to_string();
        let switches = |i: &Intent| matches!(request(i)["write"]["act"].as_str(), Some("stop" | "resume" | "activate"));
        let all = writes(&self.world);
        let last = all.iter().rfind(|i| request(i)["iccid"] == iccid && i.state != "superseded" && switches(i));
        last.is_some_and(|i| i.state == "refused" && i.asked_by.is_none())
    }

    /// Here and there the card is let on or kept off. What the carrier has refused is what it is.
    fn assert_agreed(&self) {
        let (w, sim) = (&self.world, self.world.card(self.card).sim.id);
        let (card, there) = (w.card(self.card), there(w, &self.carrier, self.card));
        let had_one = w.engine.read(|tx, _| Ok(!tx.sims_with_a_past(&[sim.0])?.is_empty())).expect("the database");
        let used_up = if had_one { UsedUp::Stopped } else { UsedUp::Untouched };
        match wanted(card.base_state(), card.blocks(), used_up) {
            _ if self.last_is_refused() => {}
            Some(Service::On) => {
                assert_eq!([card.base_state(), there.base()], [BaseState::Active; 2], "{}", self.story());
            }
            wanted => assert_eq!(there.stopped.is_some(), wanted == Some(Service::Off), "{wanted:?}: {}", self.story()),
        }
        let done = |order: OrderId| {
            let found = w.engine.read(|tx, _| Ok(tx.order(&[ACME], order)?)).expect("the database").expect("an order");
            let by_carrier =
                w.engine.catalogue().expect("catalogue").package(found.package).expect("a package").code.starts_with('C');
            by_carrier && found.state == OrderState::Done
        };
        let mut ours: Vec<String> = self.orders.iter().filter(|(id, _)| done(*id)).map(|(_, number)| number.clone()).collect();
        ours.sort_unstable();
        // A refund is one although the carrier does not take its package back.
        let writes = writes(w);
        let kept = |number: &String| writes.iter().any(|i| i.state == "refused" && request(i)["write"]["of"] == **number);
        let theirs: Vec<String> = there.bought.into_keys().filter(|number| !kept(number)).collect();
        assert_eq!(ours, theirs, "{}", self.story());
        w.assert_sound();
    }

    /// All of it, to the end: and then one more order, behind which no refusal stands.
    fn live(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.take(step));
        self.settle();
        self.assert_agreed();
        self.take(&Step::Order("Q100-30D"));
        self.settle();
        self.assert_agreed();
        let (card, there) = (self.world.card(self.card), there(&self.world, &self.carrier, self.card));
        if wanted(card.base_state(), card.blocks(), UsedUp::Stopped) != Some(Service::Off) {
            assert_eq!([card.base_state(), there.base()], [BaseState::Active; 2], "{}", self.story());
        }
    }
}

/// As many cases as are asked for by `PROPTEST_CASES`, or these.
fn run(database: fn() -> Database, cases: u32) {
    let known = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { known.cases } else { cases };
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(FAILED_ONCE)) as Box<_>);
    let mut runner = TestRunner::new(Config { cases, failure_persistence, ..known });
    let lives = (start(), prop::collection::vec(step(), 3..40));
    let outcome = runner.run(&lives, |(start, steps)| {
        let database = database();
        Life::new(database.open(), start).live(&steps);
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
}

/// What the property found once. A resume that was said to be done and was not waits for its last word; the act behind it is
/// another, so the resume is asked for once more.
#[test]
fn a_card_that_was_activated_behind_a_hollow_resume_is_let_on() {
    let steps = [
        Step::Fault(Fault::AppliedTimedOut),
        Step::Fault(Fault::Hollow),
        Step::Lock,
        Step::Work(0),
        Step::Unlock,
        Step::Direct(Act::Activate),
        Step::Work(3),
    ];
    each(|store| {
        let mut life = Life::new(store, (BaseState::Active, true));
        life.live(&steps);
        assert_eq!(story(&life.world, 0), "stop confirmed, resume superseded, activate confirmed, resume confirmed");
    });
}

/// The stop that a resume was to lift had its last word while the resume waited for it: that is no word on the resume.
#[test]
fn a_resume_that_is_refused_behind_the_stop_it_was_to_lift_is_none() {
    let refused = Fault::Refused { code: "12000".into(), reason: "not granted".into() };
    let steps = [Step::Lock, Step::Work(0), Step::Fault(refused), Step::Unlock, Step::Work(3)];
    each(|store| {
        let mut life = Life::new(store, (BaseState::Active, true));
        life.live(&steps);
        assert_eq!(story(&life.world, 0), "stop confirmed, resume refused, resume confirmed");
    });
}

/// What becomes of a card that was never on, at a carrier that has an act of its own for that, and what is asked there for it.
fn of_a_ready_card(steps: &[Step], asked: &str) {
    each(|store| {
        let mut life = Life::new(store, (BaseState::Ready, true));
        life.live(steps);
        assert_eq!(story(&life.world, NEW), asked);
    });
}

const ORDER: Step = Step::Order("Q100-30D");

#[test]
fn a_card_that_was_ordered_again_before_its_activation_went_out_is_activated() {
    of_a_ready_card(&[ORDER, Step::Refund(0), ORDER, Step::Work(0)], "activate superseded, stop superseded, activate confirmed");
}

#[test]
fn a_card_that_was_ordered_while_its_owner_had_it_stopped_is_resumed_and_then_activated() {
    of_a_ready_card(&[Step::Stop, ORDER, Step::Work(3), Step::Resume], "stop confirmed, resume confirmed, activate confirmed");
}

#[test]
fn a_card_that_was_locked_before_its_activation_went_out_is_resumed_and_then_activated() {
    of_a_ready_card(
        &[ORDER, Step::Lock, Step::Work(0), Step::Unlock],
        "activate superseded, stop confirmed, resume confirmed, activate confirmed",
    );
}

#[test]
fn a_card_that_was_ordered_behind_a_refused_resume_is_resumed_and_then_activated() {
    let refused = Fault::Refused { code: "12000".into(), reason: "not granted".into() };
    of_a_ready_card(
        &[Step::Lock, Step::Work(0), Step::Fault(refused), Step::Unlock, Step::Work(3)],
        "stop confirmed, resume refused, resume confirmed, activate confirmed",
    );
}

#[test]
fn a_card_that_its_owner_stops_and_lets_on_is_resumed_and_then_activated() {
    of_a_ready_card(&[Step::Stop, Step::Work(3), Step::Resume], "stop confirmed, resume confirmed, activate confirmed");
}

/// One stop is done, another was never sent: to give that up lifts none.
#[test]
fn a_card_whose_second_stop_was_never_sent_is_resumed_and_then_activated() {
    let asked = "stop confirmed, stop superseded, resume confirmed, activate confirmed";
    for seconds in [0, 3] {
        of_a_ready_card(&[Step::Lock, Step::Work(seconds), Step::Direct(Act::Stop), Step::Unlock, Step::Resume], asked);
    }
}

/// Most carriers refuse to stop a card that was never on: there is nothing to lift then.
#[test]
fn a_card_whose_carrier_stops_none_that_was_never_on_is_activated_alone() {
    let refused = Fault::Refused { code: "12089".into(), reason: "not in this state".into() };
    of_a_ready_card(
        &[ORDER, Step::Lock, Step::Fault(refused), Step::Work(0), Step::Unlock],
        "activate superseded, stop refused, activate confirmed",
    );
}

#[test]
fn in_the_end_a_card_stands_at_its_carrier_as_it_does_here_on_sqlite() {
    run(Database::sqlite, 60);
}

#[test]
fn in_the_end_a_card_stands_at_its_carrier_as_it_does_here_on_postgres() {
    run(Database::postgres, 20);
}
