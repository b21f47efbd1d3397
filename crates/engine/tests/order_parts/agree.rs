//! Whatever happens to a card and whatever its carrier does, in the end both see it alike.

use super::*;
use kachi_domain::OrderId;
use kachi_domain::order::OrderState;
use kachi_domain::service::{Service, UsedUp, wanted};
use kachi_engine::intents;
use kachi_testkit::db::Database;
use kachi_testkit::world::{MB, line};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

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
        8 => (0..400_i64).prop_map(Step::Work),
    ]
}

struct Life {
    world: World,
    carrier: Carrier,
    orders: Vec<(OrderId, String)>,
    made: usize,
    /// Faults that wait for a write.
    hollow: bool,
}

impl Life {
    fn new(store: Store) -> Life {
        let (world, carrier) = world(store, json!({"lag_seconds": 3}));
        Life { world, carrier, orders: Vec::new(), made: 0, hollow: false }
    }

    /// An act that is refused is none.
    fn take(&mut self, step: &Step) {
        self.made += 1;
        let (w, carrier) = (&self.world, &self.carrier);
        match step {
            Step::Lock => lock(w, 0),
            Step::Unlock => drop(unlock(w, 0)),
            Step::Stop => drop(switch(w, 0, Write::Stop, &format!("r-{}", self.made))),
            Step::Resume => drop(switch(w, 0, Write::Resume, &format!("r-{}", self.made))),
            Step::Direct(act) => drop(directly(w, 0, act.clone(), &format!("d-{}", self.made))),
            Step::Order(package) => {
                // The carrier tells nothing of a purchase by which a hollow word could be known.
                if !(self.hollow && package.starts_with('C'))
                    && let Ok(placed) = w.buy(0, package, &format!("o-{}", self.made))
                {
                    self.orders.push((placed.order, placed.number));
                }
            }
            Step::Refund(n) => {
                if !self.orders.is_empty() && !self.hollow {
                    let (order, _) = self.orders[n % self.orders.len()];
                    let _ = w.refund(0, order);
                }
            }
            Step::Use(megabytes, late) => {
                let (id, stop) = (RECORDS.fetch_add(1, Ordering::SeqCst), w.now().0 - late);
                w.cdr(&format!("use {id}"), &line(id, 0, stop - 1, stop, megabytes * MB));
            }
            Step::Fault(Fault::Hollow) => {
                let buys = |i: &Intent| matches!(request(i)["write"]["act"].as_str(), Some("subscribe" | "unsubscribe"));
                if !writes(w).iter().any(|i| buys(i) && i.due_at.is_some()) {
                    carrier.world.fail_card(World::iccid(0).as_str(), Fault::Hollow);
                    self.hollow = true;
                }
            }
            Step::Fault(fault) => carrier.world.fail_card(World::iccid(0).as_str(), fault.clone()),
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
                let off = is_off(w, carrier, 0);
                match request(left)["write"]["act"].as_str() {
                    Some("stop") if off => intents::confirm(&w.engine, left.id, "a person"),
                    Some("resume" | "activate") if !off => intents::confirm(&w.engine, left.id, "a person"),
                    Some("stop" | "resume" | "activate") => intents::refuse(&w.engine, left.id, "a person", "it is not so"),
                    other => panic!("{other:?} is left"),
                }
                .expect("it is settled");
            }
            if writes(w).iter().all(|i| i.due_at.is_none() && i.state != "in_doubt") {
                return;
            }
            w.pass(300);
        }
        panic!("it never ends: {}", story(w, 0));
    }

    fn assert_agreed(&self) {
        let (w, carrier) = (&self.world, &self.carrier);
        let card = w.card(0);
        let service = wanted(card.base_state(), card.blocks(), UsedUp::Stopped).expect("it is a card in use");
        let told = || format!("{:?}\n{}", card.blocks().names(), story(w, 0));
        assert_eq!(service == Service::Off, is_off(w, carrier, 0), "{}", told());
        let done = |order: OrderId| {
            let found = w.engine.read(|tx, _| Ok(tx.order(&[ACME], order)?)).expect("the database").expect("an order");
            let by_carrier =
                w.engine.catalogue().expect("catalogue").package(found.package).expect("a package").code.starts_with('C');
            by_carrier && found.state == OrderState::Done
        };
        let mut ours: Vec<String> = self.orders.iter().filter(|(id, _)| done(*id)).map(|(_, number)| number.clone()).collect();
        ours.sort_unstable();
        assert_eq!(ours, there(w, carrier, 0).bought.into_keys().collect::<Vec<_>>(), "{}", told());
        w.assert_sound();
    }
}

fn run(database: fn() -> Database, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let steps = prop::collection::vec(step(), 5..40);
    let outcome = runner.run(&steps, |steps| {
        let database = database();
        let mut life = Life::new(database.open());
        steps.iter().for_each(|step| life.take(step));
        life.settle();
        life.assert_agreed();
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
        let mut life = Life::new(store);
        steps.iter().for_each(|step| life.take(step));
        life.settle();
        life.assert_agreed();
        assert_eq!(story(&life.world, 0), "stop confirmed, resume superseded, activate confirmed, resume confirmed");
    });
}

#[test]
fn in_the_end_a_card_stands_at_its_carrier_as_it_does_here_on_sqlite() {
    run(Database::sqlite, 60);
}

#[test]
fn in_the_end_a_card_stands_at_its_carrier_as_it_does_here_on_postgres() {
    run(Database::postgres, 20);
}
