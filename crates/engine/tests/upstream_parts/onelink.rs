//! The same against OneLink's side of the wire, which shares no code with the connector and knows the truth.

use super::{states, switch, writes};
use kachi_domain::address::{Addresses, Network};
use kachi_domain::carrier::{Call, Connector, Login, Write};
use kachi_engine::sims;
use kachi_simulator::{Base, CardSpec, Fault, FaultKind, Platform, Settings, Simulator};
use kachi_store::Store;
use kachi_store::sims::Sim;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, World};
use serde_json::json;
use std::sync::Arc;

const CARDS: u64 = 30;
/// The one that was never on.
const READY: u64 = CARDS - 1;
/// The carrier knows cards by all digits but the last, so ours are ten apart.
const STEP: u64 = 10;

/// Our cards, as the carrier has them; both clocks begin together.
struct Far {
    w: World,
    sim: Simulator,
    carrier: Carrier,
}

impl Far {
    fn new(store: Store, more: &[(&str, i64)]) -> Far {
        let base = |n| if n == READY { Base::Ready } else { Base::Active };
        let spec = |n| CardSpec::new(Platform::OneLink).iccid(World::iccid(n * STEP).as_str()).msisdn(&msisdn(n)).base(base(n));
        let cards = (0..CARDS).map(spec).collect();
        let sim = Simulator::start(Settings { start: BEGIN, cards, ..Settings::default() }).expect("it starts");
        let mut settings =
            json!({"appid": "100001", "password": "pw123", "url": sim.url(Platform::OneLink), "apply_seconds": 60});
        more.iter().for_each(|(key, value)| settings[*key] = json!(value));
        let w = World::new(store);
        for n in 0..CARDS {
            w.add_cards(ACME, n * STEP..n * STEP + 1);
            let known = Sim { msisdn: Some(msisdn(n)), ..w.card(n * STEP).sim };
            w.engine.write(move |tx, catalogue, how| sims::put(tx, catalogue, how, &known).map(|_| ())).expect("it is kept");
        }
        let local = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
        let world = kachi_connectors::sandbox::World::default();
        let connector: Arc<dyn Connector> =
            Arc::from(kachi_connectors::open("onelink", &settings, &world, &local).expect("it opens"));
        let carrier = Carrier::by(&w.engine, "1US-1", ("onelink", settings, connector), &[]);
        Far { w, sim, carrier }
    }

    /// Both clocks go on by whole steps, and the workers work.
    fn work(&self, seconds: i64, step: i64) {
        for _ in 0..seconds / step {
            self.carrier.work(&self.w.engine);
            self.w.pass(step);
            self.sim.advance(step);
        }
        self.carrier.work(&self.w.engine);
    }

    fn stop(&self, cards: std::ops::Range<u64>) {
        for card in cards {
            switch(&self.w, card * STEP, Write::Stop, &format!("s-{card}"));
        }
    }

    fn is_stopped(&self, card: u64) -> (bool, bool) {
        let there = self.sim.card(World::iccid(card * STEP).as_str()).base == Base::Stopped;
        (there, self.w.card(card * STEP).blocks().names().contains(&"owner_stop"))
    }

    fn logins(&self) -> u64 {
        self.sim.calls_of(Platform::OneLink, "get/token")
    }

    fn fault(&self, kind: FaultKind, card: u64, count: u32) {
        let fault = Fault::new(Platform::OneLink, kind).iccid(World::iccid(card * STEP).as_str()).count(count);
        self.sim.fault(fault).expect("it is armed");
    }
}

fn msisdn(n: u64) -> String {
    format!("1440000{n:06}")
}

#[test]
fn many_cards_are_stopped_by_one_job_and_count_when_they_show_it() {
    each(|store| {
        let far = Far::new(store, &[]);
        far.stop(0..20);
        far.carrier.work(&far.w.engine);
        assert_eq!(far.sim.calls_of(Platform::OneLink, "change/sim-status"), 1, "one job");
        assert_eq!((far.is_stopped(0), states(&far.w, ["sent", "stored", "confirmed"])), ((false, false), [20, 0, 0]));
        far.work(60, 1);
        assert_eq!(states(&far.w, ["confirmed", "sent", "stored"]), [20, 0, 0]);
        assert!((0..20).all(|card| far.is_stopped(card) == (true, true)));
        assert_eq!((far.logins(), far.is_stopped(20)), (1, (false, false)));
    });
}

#[test]
fn a_job_that_one_card_poisons_goes_on_without_it() {
    each(|store| {
        let far = Far::new(store, &[]);
        // Somebody else wrote to one of them: whatever names it is refused, four times with others and once by itself.
        far.fault(FaultKind::TooSoon, 5, 5);
        far.fault(FaultKind::RowFails, 8, 1);
        far.fault(FaultKind::AcceptedNeverApplied, 11, 1);
        far.stop(0..20);
        far.work(30, 1);
        assert_eq!(states(&far.w, ["confirmed", "stored", "refused"])[..2], [17, 1], "{:?}", writes(&far.w));
        assert_eq!((far.is_stopped(5), far.is_stopped(8)), ((false, false), (false, false)));
        let made = far.sim.calls_of(Platform::OneLink, "change/sim-status");
        assert_eq!((made, far.sim.faults_left(Platform::OneLink, FaultKind::TooSoon)), (9, 0), "found by halves");
        far.work(300, 5);
        let all = (0..20).filter(|card| far.is_stopped(*card) == (true, true)).count();
        assert_eq!((all, far.is_stopped(5), far.is_stopped(11)), (19, (true, true), (true, true)), "{:?}", writes(&far.w));
        assert_eq!(states(&far.w, ["confirmed", "refused", "sent"]), [19, 1, 0]);
    });
}

#[test]
fn a_second_login_kills_ours_and_one_new_one_is_asked_for() {
    each(|store| {
        let far = Far::new(store, &[]);
        far.stop(0..2);
        far.work(10, 1);
        assert_eq!(far.logins(), 1);
        for round in 0..3 {
            // A dealer's own program logs in under our account.
            let (connector, login) = (far.carrier.connectors.values().next().expect("one"), Login::default());
            connector.renew(&Call::new(&login, far.w.now(), 900_000 + round)).expect("it logs in");
            let before = far.logins();
            far.stop(2 + round * 8..10 + round * 8);
            let other = super::beside(&far.w);
            std::thread::scope(|scope| {
                for engine in [&far.w.engine, &other.engine, &far.w.engine, &other.engine] {
                    scope.spawn(|| far.carrier.work(engine));
                }
            });
            far.work(20, 1);
            assert_eq!(far.logins() - before, 1, "round {round}");
        }
        assert_eq!(states(&far.w, ["confirmed", "sent", "stored"]), [26, 0, 0]);
    });
}

#[test]
fn the_carrier_counts_no_more_requests_than_the_rate_allows() {
    each(|store| {
        let far = Far::new(store, &[("requests_per_second", 2), ("requests_burst", 12)]);
        for card in 0..12 {
            super::cut(&far.w, card * STEP, &format!("c-{card}"));
        }
        far.stop(12..24);
        for second in 0..120 {
            far.work(1, 1);
            let made = far.sim.calls(Platform::OneLink);
            // A question that made more than it took is waited for, and there is one at a time.
            assert!(made <= 12 + 2 * (second + 1) + 4, "{made} requests within {second} seconds");
        }
        assert_eq!(states(&far.w, ["confirmed", "sent", "stored"]), [24, 0, 0]);
    });
}

/// This carrier stops no card that was never on, and a resume of one is refused there.
#[test]
fn a_card_that_was_never_on_and_was_to_be_stopped_before_it_was_activated_is_activated() {
    each(|store| {
        let far = Far::new(store, &[]);
        let (w, card) = (&far.w, READY * STEP);
        far.carrier.remember(&w.engine);
        let sim = w.card(card).sim;
        let ready = move |tx: &mut kachi_store::Tx<'_>, _: &_, _: &_| Ok(tx.set_sim_state(sim.id, "ready", sim.blocks, None)?);
        w.engine.write(ready).expect("it is ready");
        w.buy(card, "Q100-30D", "a").expect("a package");
        switch(w, card, Write::Stop, "s");
        far.work(600, 10);
        let asked: Vec<(String, String)> = writes(w)
            .into_iter()
            .map(|i| (serde_json::from_str::<serde_json::Value>(&i.request).expect("JSON")["write"]["act"].to_string(), i.state))
            .collect();
        let told = |act: &str, state: &str| (format!("\"{act}\""), state.to_owned());
        assert_eq!(asked, [told("activate", "superseded"), told("stop", "refused"), told("activate", "confirmed")]);
        let there = far.sim.card(World::iccid(card).as_str()).base;
        assert_eq!((w.card(card).sim.state.as_str(), there), ("active", Base::Active));
    });
}
