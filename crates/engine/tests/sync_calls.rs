//! What keeping up with a carrier costs, counted on its own side of the wire. On both engines.

use kachi_connectors::{open, sandbox};
use kachi_domain::address::{Addresses, Network};
use kachi_domain::carrier::Connector;
use kachi_domain::sim::BaseState;
use kachi_domain::{Iccid, PlatformId};
use kachi_engine::{Fail, Settings, intents, sims, sync};
use kachi_simulator::{CardSpec, Platform, Simulator, Stop};
use kachi_store::Store;
use kachi_store::catalogue::Product;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, World};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;

const HOUR: i64 = 3_600;
const CARDS: usize = 10_000;

/// OneLink with so many cards, and all of them ours.
struct Far {
    w: World,
    sim: Simulator,
    connector: Arc<dyn Connector>,
    platform: PlatformId,
    iccids: Vec<String>,
}

impl Far {
    fn new(store: Store, cards: usize, settings: Settings) -> Far {
        let specs = (0..cards).map(|_| CardSpec::new(Platform::OneLink)).collect();
        let sim = Simulator::start(kachi_simulator::Settings { cards: specs, ..kachi_simulator::Settings::default() });
        let sim = sim.expect("it starts");
        let keys = json!({"appid": "100001", "password": "pw123", "url": sim.url(Platform::OneLink), "requests_per_second": 0});
        let addresses = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
        let connector = open("onelink", &keys, &sandbox::World::default(), &addresses).expect("it opens");
        let w = World::with(store, settings);
        w.set_now(sim.now());
        let iccids = sim.iccids(Platform::OneLink);
        let (platform, connector) = (add(&w, &iccids), Arc::<dyn Connector>::from(connector));
        intents::remember(&w.engine, &HashMap::from([(platform, connector.clone())])).expect("it is kept");
        Far { w, sim, connector, platform, iccids }
    }

    /// Time passes on both sides.
    fn pass(&self, seconds: i64) {
        self.sim.advance(seconds);
        self.w.set_now(self.sim.now());
    }

    /// A worker does all that is due.
    fn work(&self) {
        while sync::at(&self.w.engine, (self.platform, self.connector.as_ref()), 7).expect("a step") > 0 {}
    }

    fn count(&self, state: &str) -> usize {
        let (iccids, state) = (&self.iccids, state.to_owned());
        let mut n = 0;
        for part in iccids.chunks(1_000) {
            let part: Vec<&str> = part.iter().map(String::as_str).collect();
            let sims = self.w.engine.read(|tx, _| Ok(tx.sims_by_iccid(&kachi_domain::account::Path::root(), &part)?));
            n += sims.expect("cards").into_iter().filter(|s| s.state == state).count();
        }
        n
    }
}

fn add(w: &World, iccids: &[String]) -> PlatformId {
    let platform = w.engine.write(|tx, catalogue, _| {
        tx.put_platform(0, "onelink-1", "onelink", "{}")?;
        let platform = tx.platforms()?.into_iter().find(|p| p.code == "onelink-1").map(|p| p.id);
        let platform = platform.ok_or_else(|| Fail::fault("platform"))?;
        let known = catalogue.product_by_code("1US-1").ok_or_else(|| Fail::fault("product"))?;
        tx.put_product(&Product { platform, ..known.clone() })?;
        tx.touch_catalogue()?;
        Ok(platform)
    });
    for part in iccids.chunks(2_000) {
        let part = part.to_vec();
        let added = w.engine.write(move |tx, catalogue, how| {
            let product = catalogue.product_by_code("1US-1").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
            let mut arrivals = sims::Arrivals::default();
            for iccid in &part {
                let mut sim = sims::blank(&Iccid::parse(iccid).map_err(|e| Fail::fault(e.to_string()))?, ACME, product);
                sim.state = BaseState::Active.word().into();
                // Nothing of ours is in the way, so that a stop is the carrier's.
                sim.blocks = 0;
                arrivals.put(tx, catalogue, how, &sim)?;
            }
            arrivals.settle(tx, catalogue, how)
        });
        added.expect("cards are added");
    }
    platform.expect("the product moves")
}

/// A tenth of 100,000 cards with 20,000 changes in 2,500 requests, and the feed's pages ten times as far apart. (The whole is measured by the
/// benchmark `sync`.)
#[test]
fn a_days_usage_and_changes_of_ten_thousand_cards_cost_no_more_than_250_requests() {
    each(|store| {
        let mut settings = Settings::default();
        settings.sync.feed_page_seconds = 1_500;
        // The walks through the feed leave less of a small number of requests.
        settings.sync.reason_requests /= 20;
        let far = Far::new(store, CARDS, settings);
        far.work();
        let first = far.sim.calls(Platform::OneLink);
        assert!(first >= CARDS as u64 + 100, "every card's state is read once, and a day of all: {first}");
        assert_eq!(far.count("active"), CARDS);
        // To the next midnight in China, so that the day that is counted is a whole one.
        far.pass(16 * HOUR + 601);
        far.work();
        let before = far.sim.calls(Platform::OneLink);
        for hour in 0..24 {
            for n in (0..CARDS / 5).filter(|n| n % 24 == hour) {
                far.sim.set(&far.iccids[n * 5], |card| card.stop(Stop::Owner));
                far.sim.use_bytes(&far.iccids[n * 5 + 1], 1 << 20);
            }
            far.pass(HOUR);
            far.work();
        }
        far.pass(HOUR);
        far.work();
        let made = far.sim.calls(Platform::OneLink) - before;
        assert_eq!((far.count("stopped"), far.count("active")), (CARDS / 5, CARDS - CARDS / 5), "every change is here");
        let shown = sync::show(&far.w.engine, Some(far.platform)).expect("it is shown").remove(0);
        let days = shown.facts.iter().find(|f| f.what == "day").expect("days");
        assert_eq!((days.cards, days.never, days.stale), (CARDS as i64, 0, 0), "and every card's day");
        assert!(made <= 250, "{made} requests");
        let reasons = shown.calls_today.iter().find(|(what, _)| what == "reason").map_or(0, |(_, calls)| *calls);
        assert!((1..=15).contains(&reasons), "{reasons} of them for reasons, which are read of what is left over");
        let logins = shown.calls_today.iter().find(|(what, _)| what == "login").map_or(0, |(_, calls)| *calls);
        assert!(logins > 0, "logging in is counted too: {:?}", shown.calls_today);
        println!("first sync {first} requests, the day {made}");
    });
}
