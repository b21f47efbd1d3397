//! Where a card's data and its speed are one plan (China Unicom, Jasper), against the carrier's side of the wire, which takes a plan when it
//! is given one and gives it to the card later: whichever of the two is asked for first, the card ends with both. On both engines.

use kachi_domain::address::{Addresses, Network};
use kachi_domain::carrier::Connector;
use kachi_domain::package::Kind;
use kachi_domain::sim::Blocks;
use kachi_engine::direct::{self, Act};
use kachi_engine::network::CardKey;
use kachi_engine::{RequestKey, intents};
use kachi_simulator::{CardSpec, Platform, Settings, Simulator};
use kachi_store::Store;
use kachi_store::catalogue::Package;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, World, line};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Seconds from when a plan is taken until the card has it.
const LAG: i64 = 40;
/// Plans with data, without, and slow.
type Plans = [&'static str; 3];

/// Acme's card 0, which has used up its throttled package or is about to, at a carrier; both clocks begin together.
struct Far {
    w: World,
    sim: Simulator,
    carrier: Carrier,
    plans: Plans,
}

impl Far {
    fn new(store: Store, platform: Platform) -> Far {
        let (name, mut settings, plans) = login(platform);
        let card = CardSpec::new(platform).iccid(World::iccid(0).as_str());
        let far = Settings {
            start: BEGIN,
            cards: vec![card],
            write_seconds: LAG,
            cooldown_seconds: 0,
            overlap: true,
            ..Settings::default()
        };
        let sim = Simulator::start(far).expect("it starts");
        settings["url"] = json!(sim.url(platform));
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let slow = w.engine.write(|tx, catalogue, _| {
            let known = catalogue.package_by_code("Q100-30D").expect("a package").clone();
            let terms = kachi_domain::package::Terms { kind: Kind::Throttled, ..known.terms.clone() };
            tx.put_package(&Package { code: "SLOW".into(), terms, speed_kbps: Some(512), ..known })?;
            Ok(tx.touch_catalogue()?)
        });
        slow.expect("a package");
        let local = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
        let world = kachi_connectors::sandbox::World::default();
        let connector: Arc<dyn Connector> = Arc::from(kachi_connectors::open(name, &settings, &world, &local).expect("it opens"));
        let carrier = Carrier::by(&w.engine, "1US-1", (name, settings, connector), &[]);
        intents::remember(&w.engine, &carrier.connectors).expect("it is kept");
        w.buy(0, "SLOW", "o-1").expect("bought");
        Far { w, sim, carrier, plans }
    }

    /// Both clocks go on, and the workers work. The answer is the plans that the card had, each once.
    fn work(&self, seconds: i64) -> Vec<String> {
        let mut had = vec![self.plan()];
        for _ in 0..seconds / 5 {
            self.carrier.work(&self.w.engine);
            self.w.pass(5);
            self.sim.advance(5);
            had.push(self.plan());
            had.dedup();
        }
        had
    }

    /// The plan that the card truly has.
    fn plan(&self) -> String {
        let card = self.sim.card(World::iccid(0).as_str());
        if card.data_off.is_empty() { card.communication_plan } else { self.plans[1].to_owned() }
    }

    /// The card uses up what it has, and its carrier is asked to slow it.
    fn use_up(&self) {
        let now = self.w.now().0;
        self.w.cdr("used up", &line(1, 0, now - 60, now, 200 * MB));
    }

    fn switch(&self, act: Act, key: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let key = RequestKey { door: "test", key: key.into(), number: None, body_hash: format!("{act:?}"), correct_seconds: 0 };
        let asked = (CardKey::Iccid(World::iccid(0)), act, format!("ref-{}", key.key));
        let catalogue = self.w.engine.catalogue().expect("a catalogue");
        let actor = self.w.actor(ACME);
        runtime.block_on(self.w.engine.act_now(&catalogue, &actor, key, asked, Duration::ZERO)).expect("it is asked for");
    }

    fn off(&self) {
        self.switch(Act::DataOff { apn: None }, "off");
    }

    fn on(&self) {
        self.switch(Act::DataOn { apn: None, margin_percent: 0 }, "on");
    }

    fn is_off(&self) -> bool {
        self.w.card(0).blocks().has(Blocks::DATA_OFF)
    }
}

fn login(platform: Platform) -> (&'static str, Value, Plans) {
    match platform {
        Platform::Unicom => (
            "unicom",
            json!({
                "app_id": "demoApp001", "app_secret": "demoSecret9876", "open_id": "demoOpen1",
                "nac_on": "COMM-1", "nac_off": "NAC-OFF", "nac_speeds": "1024=NAC-1M,128=NAC-128K",
            }),
            ["COMM-1", "NAC-OFF", "NAC-128K"],
        ),
        _ => (
            "jasper",
            json!({
                "username": "demoUser", "api_key": "demoKey1",
                "plan_on": "COMM-1", "plan_off": "COMM-OFF", "plan_speeds": "1024=COMM-1M,128=COMM-128K",
            }),
            ["COMM-1", "COMM-OFF", "COMM-128K"],
        ),
    }
}

fn each_carrier(test: impl Fn(Far)) {
    each(|store| {
        let other = kachi_testkit::db::Database::like(&store);
        test(Far::new(store, Platform::Unicom));
        test(Far::new(other.open(), Platform::Jasper));
    });
}

#[test]
fn a_speed_that_is_wanted_while_data_is_being_switched_off_leaves_it_off() {
    each_carrier(|far| {
        let [on, off, slow] = far.plans;
        far.off();
        far.work(10);
        far.use_up();
        assert_eq!(far.work(600), [on, off]);
        assert!(far.is_off());
        // Switched on, it is as slow as is wanted, and never faster.
        far.on();
        assert_eq!(far.work(600), [off, slow]);
        assert!(!far.is_off());
        far.w.assert_sound();
    });
}

#[test]
fn data_that_is_switched_off_while_a_speed_is_being_set_is_off() {
    each_carrier(|far| {
        let [on, off, slow] = far.plans;
        far.use_up();
        far.work(10);
        far.off();
        assert_eq!(far.work(600), [on, slow, off]);
        assert!(far.is_off());
        far.on();
        assert_eq!(far.work(600), [off, slow]);
        far.w.assert_sound();
    });
}

#[test]
fn data_and_speed_that_are_asked_for_at_once_are_both_had_at_the_end() {
    each_carrier(|far| {
        let [on, off, slow] = far.plans;
        far.off();
        assert_eq!(far.work(600), [on, off]);
        far.w.pass(direct::PAUSE_SECONDS);
        far.sim.advance(direct::PAUSE_SECONDS);
        far.on();
        far.work(10);
        far.use_up();
        assert_eq!(far.work(600), [off, on, slow], "its data was on its way before it was to be slow");
        assert!(!far.is_off());
        far.w.assert_sound();
    });
}
