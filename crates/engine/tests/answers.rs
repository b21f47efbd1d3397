//! What becomes of an order, and of its money, when the answer does not say whether the carrier took it, or says that the login is refused:
//! against the carriers' side of the wire, which knows the truth. On both engines.

use kachi_domain::address::{Addresses, Network};
use kachi_domain::carrier::Connector;
use kachi_domain::order::OrderState;
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, OrderId};
use kachi_engine::direct::{Act, Outcome};
use kachi_engine::intents;
use kachi_engine::network::CardKey;
use kachi_engine::switch::{self, Force, Forced};
use kachi_simulator::{Base, Card, CardSpec, Fault, FaultKind, Platform, Settings, Simulator};
use kachi_store::Store;
use kachi_store::catalogue::Package;
use kachi_store::intents::Intent;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, BEGIN, World};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const PRICE: i64 = 200;
const HOUR: i64 = 3_600;

/// Where packages are ordered, with what a request for one is known by.
const CARRIERS: [(Platform, &str, &str); 4] = [
    (Platform::OneLink, "onelink", "order/gprspackage-order"),
    (Platform::Telecom, "telecom_des", "orderFlow"),
    (Platform::Unicom, "unicom", "wsEditTerminal"),
    (Platform::Jasper, "jasper", "PUT "),
];

/// The same for a card's state, and its data.
fn switches(platform: Platform) -> [&'static str; 2] {
    match platform {
        Platform::OneLink => ["change/sim-status", "operate/sim-apn-function"],
        Platform::Telecom | Platform::CtWing => ["disabledNumber", "singleCutNet"],
        Platform::Unicom => ["wsEditTerminal", "wsEditNetworkAccessConfig"],
        Platform::Jasper => ["PUT "; 2],
    }
}

/// A login that is good, and the key of it that makes it bad.
fn login(platform: Platform) -> (Value, &'static str) {
    match platform {
        Platform::OneLink => (json!({"appid": "100001", "password": "pw123", "main_offer": "1"}), "password"),
        Platform::Telecom | Platform::CtWing => {
            (json!({"user_id": "demoUser", "password": "demoPass1", "key": "k1ak2bk3c"}), "password")
        }
        Platform::Unicom => {
            let account = json!({"app_id": "demoApp001", "app_secret": "demoSecret9876", "open_id": "demoOpen1",
                "nac_on": "COMM-1", "nac_off": "NAC-OFF"});
            (account, "app_secret")
        }
        Platform::Jasper => {
            (json!({"username": "demoUser", "api_key": "demoKey1", "plan_on": "COMM-1", "plan_off": "COMM-OFF"}), "api_key")
        }
    }
}

/// The code that the carrier has for the package.
fn code(platform: Platform) -> &'static str {
    match platform {
        Platform::OneLink => "2",
        Platform::Telecom | Platform::CtWing => "100",
        Platform::Unicom | Platform::Jasper => "PLAN-2",
    }
}

/// Acme's card 0 at a carrier, and what it may spend; both clocks begin together.
struct Far {
    w: World,
    sim: Simulator,
    carrier: Carrier,
    platform: Platform,
    name: &'static str,
    on: &'static str,
    had: i64,
}

impl Far {
    fn new(store: Store, (platform, name, on): (Platform, &'static str, &'static str)) -> Far {
        let card = CardSpec::new(platform).iccid(World::iccid(0).as_str());
        let sim = Simulator::start(Settings { start: BEGIN, cards: vec![card], ..Settings::default() }).expect("it starts");
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let kept = w.engine.write(move |tx, catalogue, _| {
            let known = catalogue.package_by_code("C100-30D").expect("it is sold").clone();
            tx.put_package(&Package { carrier_code: Some(code(platform).into()), price_minor: PRICE, ..known })?;
            Ok(tx.touch_catalogue()?)
        });
        kept.expect("it is kept");
        let carrier = open(&w, &sim, (platform, name), None);
        let had = w.balance(ACME);
        Far { w, sim, carrier, platform, name, on, had }
    }

    /// From now on by this word in the place of the secret; none: the right one.
    fn login_is(&mut self, secret: Option<&str>) {
        self.carrier = open(&self.w, &self.sim, (self.platform, self.name), secret);
    }

    /// Both clocks go on, and the workers work.
    fn work(&self, seconds: i64, step: i64) {
        for _ in 0..seconds / step {
            self.carrier.work(&self.w.engine);
            self.w.pass(step);
            self.sim.advance(step);
        }
        self.carrier.work(&self.w.engine);
    }

    fn buy(&self) -> OrderId {
        self.w.buy(0, "C100-30D", "o-1").expect("it is ordered").order
    }

    fn fault(&self, fault: Fault) {
        self.sim.fault(fault.on(self.on)).expect("every carrier has it");
    }

    /// The next request that this is known by is taken, and a busy gateway answers it.
    fn busy(&self, on: &str) {
        self.sim.fault(Fault::new(self.platform, FaultKind::AppliedButUnavailable).on(on)).expect("every carrier has it");
    }

    fn there(&self) -> Card {
        self.sim.card(World::iccid(0).as_str())
    }

    fn has_struck(&self, kind: FaultKind) -> bool {
        self.sim.faults_left(self.platform, kind) == 0
    }

    /// How the order stands, what it has cost Acme, and how often the card has what was ordered.
    fn stands(&self, order: OrderId) -> (OrderState, i64, usize) {
        let state = self.w.engine.read(|tx, _| Ok(tx.order(&[ACME], order)?)).expect("the database").expect("an order").state;
        let card = self.there();
        let plans = card.edits.iter().filter(|edit| edit.field == "ratePlan" && edit.to == "PLAN-2").count();
        let offers = card.offers.iter().filter(|offer| !offer.main).count();
        (state, self.had - self.w.balance(ACME), plans + offers)
    }

    /// Whether an order shows at the card: elsewhere one of another order's could be taken for it.
    fn shows(&self) -> bool {
        matches!(self.platform, Platform::Unicom | Platform::Jasper)
    }

    fn write(&self) -> Intent {
        let all = self.w.engine.read(|tx, _| Ok(tx.intents(false, 10)?)).expect("writes");
        all.into_iter().find(|write| write.order.is_some()).expect("the order's")
    }
}

fn open(w: &World, sim: &Simulator, (platform, name): (Platform, &'static str), secret: Option<&str>) -> Carrier {
    let (mut settings, key) = login(platform);
    settings["url"] = json!(sim.url(platform));
    settings["apply_seconds"] = json!(60);
    if let Some(secret) = secret {
        settings[key] = json!(secret);
    }
    let local = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
    let world = kachi_connectors::sandbox::World::default();
    let connector: Arc<dyn Connector> = Arc::from(kachi_connectors::open(name, &settings, &world, &local).expect("it opens"));
    let carrier = Carrier::by(&w.engine, "1US-1", (name, settings, connector), &[]);
    carrier.remember(&w.engine);
    carrier
}

fn each_carrier(test: impl Fn(Far)) {
    each(|store| {
        for carrier in CARRIERS {
            let database = Database::like(&store);
            test(Far::new(database.open(), carrier));
        }
    });
}

#[test]
fn an_order_that_was_taken_behind_a_gateway_in_trouble_is_paid_once_and_never_given_back() {
    each_carrier(|far| {
        far.fault(Fault::new(far.platform, FaultKind::AppliedButUnavailable));
        let order = far.buy();
        far.work(600, 10);
        assert!(far.has_struck(FaultKind::AppliedButUnavailable), "{}", far.name);
        if !far.shows() {
            assert_eq!(far.stands(order), (OrderState::Pending, PRICE, 1), "{}: nobody knows whose it is", far.name);
            far.work(25 * HOUR, HOUR);
            let write = far.write();
            assert_eq!((write.state.as_str(), write.due_at), ("in_doubt", None), "{}: it is left to a person", far.name);
            assert_eq!(far.stands(order), (OrderState::Pending, PRICE, 1), "{}", far.name);
            intents::confirm(&far.w.engine, write.id, "Li").expect("a person has looked");
        }
        assert_eq!(far.stands(order), (OrderState::Done, PRICE, 1), "{}", far.name);
        far.w.assert_sound();
    });
}

#[test]
fn an_order_that_no_carrier_heard_of_is_sent_again_when_a_look_shows_so_and_else_its_money_waits_for_a_person() {
    let kinds = [FaultKind::Unavailable, FaultKind::ErrorBody];
    for kind in kinds {
        each_carrier(|far| {
            far.fault(Fault::new(far.platform, kind));
            let order = far.buy();
            far.work(30, 10);
            assert!(far.has_struck(kind), "{}", far.name);
            assert_eq!(
                (far.write().state.as_str(), far.stands(order)),
                ("in_doubt", (OrderState::Pending, PRICE, 0)),
                "{}",
                far.name
            );
            far.work(600, 10);
            if far.shows() {
                assert_eq!(far.stands(order), (OrderState::Done, PRICE, 1), "{}", far.name);
            } else {
                assert_eq!(far.stands(order), (OrderState::Pending, PRICE, 0), "{}", far.name);
                intents::refuse(&far.w.engine, far.write().id, "Li", "it is not there").expect("a person has looked");
                let (state, cost, times) = far.stands(order);
                assert_eq!((state, cost, times), (OrderState::Failed, 0, 0), "{}", far.name);
            }
            far.w.assert_sound();
        });
    }
}

#[test]
fn an_order_under_a_login_that_is_refused_waits_and_is_sent_once_when_the_login_is_right() {
    each_carrier(|mut far| {
        far.login_is(Some("wrong"));
        let order = far.buy();
        far.work(3 * 24 * HOUR, HOUR);
        let write = far.write();
        let said = write.last_answer.clone().unwrap_or_default();
        assert_eq!((write.state.as_str(), write.due_at.is_some()), ("stored", true), "{}: {said}", far.name);
        assert!(said.contains("\"later\""), "{}: {said}", far.name);
        assert_eq!(far.stands(order), (OrderState::Pending, PRICE, 0), "{}", far.name);
        far.login_is(None);
        far.work(HOUR, 60);
        assert_eq!(far.stands(order), (OrderState::Done, PRICE, 1), "{}", far.name);
        far.w.assert_sound();
    });
}

#[test]
fn an_order_under_a_login_that_stays_refused_goes_back_when_a_person_says_so() {
    each_carrier(|mut far| {
        far.login_is(Some("wrong"));
        let order = far.buy();
        far.work(2 * HOUR, HOUR);
        intents::refuse(&far.w.engine, far.write().id, "Li", "the account is closed").expect("it is open");
        assert_eq!(far.stands(order), (OrderState::Failed, 0, 0), "{}", far.name);
        far.login_is(None);
        far.work(2 * HOUR, 600);
        assert_eq!(far.stands(order), (OrderState::Failed, 0, 0), "{}: it is not sent any more", far.name);
        far.w.assert_sound();
    });
}

#[test]
fn a_card_whose_stop_was_taken_behind_a_busy_gateway_is_let_on_when_its_reason_is_gone() {
    each_carrier(|far| {
        let force = |force, why: &'static str| {
            let operator = far.w.actor(AccountId(1));
            let forced = far.w.engine.write(move |tx, catalogue, how| {
                switch::force(tx, catalogue, how, &operator, (&World::iccid(0), force, "Li", why))
            });
            assert_eq!(forced.expect("it is the operator"), Forced::Changed);
        };
        far.busy(switches(far.platform)[0]);
        force(Force::Stop, "fraud");
        far.work(10, 10);
        assert!(far.has_struck(FaultKind::AppliedButUnavailable), "{}", far.name);
        assert_eq!(far.there().base, Base::Stopped, "{}: it was taken", far.name);
        force(Force::Lift, "settled");
        far.work(1_800, 30);
        assert_eq!(far.there().base, Base::Active, "{}: nothing keeps it off", far.name);
        far.w.assert_sound();
    });
}

#[test]
fn an_owners_switch_that_was_taken_behind_a_busy_gateway_is_done_and_not_refused() {
    each_carrier(|far| {
        far.busy(switches(far.platform)[1]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (catalogue, actor) = (far.w.engine.catalogue().expect("a catalogue"), far.w.actor(ACME));
        let switch = || {
            let asked = (CardKey::Iccid(World::iccid(0)), Act::DataOff { apn: None }, "ref-off".to_owned());
            let told = far.w.engine.act_now(&catalogue, &actor, World::key("off", "off"), asked, Duration::ZERO);
            runtime.block_on(told).expect("it is asked for")
        };
        assert_eq!(switch(), Outcome::Unanswered, "{}", far.name);
        far.work(0, 1);
        assert!(far.has_struck(FaultKind::AppliedButUnavailable), "{}", far.name);
        assert_eq!(switch(), Outcome::Unanswered, "{}: nobody knows", far.name);
        far.work(120, 5);
        assert!(matches!(switch(), Outcome::Done { .. }), "{}: {:?}", far.name, switch());
        assert!(!far.there().data_off.is_empty() && far.w.card(0).blocks().has(Blocks::DATA_OFF), "{}", far.name);
        far.w.assert_sound();
    });
}
