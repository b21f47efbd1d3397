//! Keeping up with OneLink: the first reading of every card against the connector alone, then a day with a change in every fifth card,
//! counted in requests at the carrier's side of the wire.
//!
//! `cargo run --release -p kachi-bench --bin sync -- [CARDS] [sqlite|postgres]`
//!
//! The day's usage of all cards and all changes must cost no more than 25 requests a thousand cards (2,500 of 100,000); the
//! walks through the feed have their price in the number of cards too, so it is meant for 100,000.

use kachi_bench::{OWNER, engine, per_second, place, report};
use kachi_connectors::{open, sandbox};
use kachi_domain::address::{Addresses, Network};
use kachi_domain::carrier::{Card, Connector, Fact, Facts, Login, logged_in};
use kachi_domain::sim::BaseState;
use kachi_domain::{Iccid, PlatformId, Timestamp};
use kachi_engine::{Clock, Engine, Fail, Settings, intents, sims, sync};
use kachi_simulator::{CardSpec, Platform, Simulator, Stop};
use kachi_store::catalogue::Product;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

const HOUR: i64 = 3_600;
/// Cards read by the connector alone.
const BASELINE_CARDS: usize = 5_000;

struct Far {
    sim: Simulator,
    now: Arc<AtomicI64>,
    engine: Engine,
    connector: Arc<dyn Connector>,
    platform: PlatformId,
    iccids: Vec<String>,
}

impl Far {
    fn pass(&self, seconds: i64) {
        self.sim.advance(seconds);
        self.now.store(self.sim.now(), Ordering::SeqCst);
    }

    fn work(&self) {
        while sync::at(&self.engine, (self.platform, self.connector.as_ref()), 7).expect("a step") > 0 {}
    }

    fn calls(&self) -> u64 {
        self.sim.calls(Platform::OneLink)
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let cards: u64 = args.first().and_then(|a| a.parse().ok()).unwrap_or(100_000);
    let which = args.get(1).cloned().unwrap_or_else(|| "sqlite".into());
    let dir = tempfile::tempdir().expect("a folder");
    let far = far(&which, dir.path(), cards);
    let began = far.calls();
    let ours = per_second(cards, || far.work());
    let made = far.calls() - began;
    report("first reading of every card, its state alone and yesterday in batches", &which, ours, baseline(&far), "cards/s");
    println!("{made} requests for {cards} cards");

    // To a little past midnight in China, so that the day that is counted is a whole one.
    far.pass(16 * HOUR + 601);
    far.work();
    let (before, started) = (far.calls(), Instant::now());
    for hour in 0..24 {
        for n in (0..cards / 5).filter(|n| n % 24 == hour) {
            far.sim.set(&far.iccids[n as usize * 5], |card| card.stop(Stop::Owner));
        }
        far.pass(HOUR);
        far.work();
    }
    far.pass(HOUR);
    far.work();
    let made = far.calls() - before;
    println!("a day: {made} requests, {} ms of work and of the other side's", started.elapsed().as_millis());
    let shown = sync::show(&far.engine, Some(far.platform)).expect("it is shown").remove(0);
    for fact in &shown.facts {
        // Of a month that is over nothing is asked: the cards were not ours all along.
        let of = if fact.what == "month" { 0 } else { cards as i64 };
        assert_eq!((fact.cards, fact.never, fact.stale), (of, 0, 0), "{}", fact.what);
    }
    let stopped = far.engine.read(|tx, catalogue| {
        let owner = catalogue.account(OWNER).ok_or_else(|| Fail::fault("owner"))?;
        Ok(tx.sims_alike(&owner.sees)?.into_iter().filter(|a| a.1 == "stopped").map(|a| a.3).sum::<i64>())
    });
    assert_eq!(stopped.expect("counted"), (cards / 5) as i64, "every change is here");
    assert!(made * 1_000 <= cards * 25, "{made} requests of {} allowed", cards * 25 / 1_000);
}

fn far(which: &str, dir: &std::path::Path, cards: u64) -> Far {
    let specs = (0..cards).map(|_| CardSpec::new(Platform::OneLink)).collect();
    let sim = Simulator::start(kachi_simulator::Settings { cards: specs, ..kachi_simulator::Settings::default() });
    let sim = sim.expect("it starts");
    let keys = json!({"appid": "100001", "password": "pw123", "url": sim.url(Platform::OneLink), "requests_per_second": 0});
    let addresses = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
    let connector = open("onelink", &keys, &sandbox::World::default(), &addresses).expect("it opens");
    let connector: Arc<dyn Connector> = Arc::from(connector);
    let made = engine(place(which, dir, "sync"), 0, Settings::default());
    let now = Arc::new(AtomicI64::new(sim.now()));
    let hand = now.clone();
    let clock = Clock::new(move || Timestamp(hand.load(Ordering::SeqCst)));
    let mut settings = Settings::default();
    // The usual ones are meant for 100,000 cards too.
    settings.sync.reason_requests = settings.sync.reason_requests * cards as i64 / 100_000;
    let engine = Engine::open(made.store().clone(), clock, settings).expect("the engine opens");
    let iccids = sim.iccids(Platform::OneLink);
    let platform = stock(&engine, &iccids);
    intents::remember(&engine, &HashMap::from([(platform, connector.clone())])).expect("it is kept");
    Far { sim, now, engine, connector, platform, iccids }
}

/// The product moves to OneLink, and the cards are ours.
fn stock(engine: &Engine, iccids: &[String]) -> PlatformId {
    let platform = engine.write(|tx, catalogue, _| {
        tx.put_platform(0, "onelink-1", "onelink", "{}")?;
        let platform = tx.platforms()?.into_iter().find(|p| p.code == "onelink-1").map(|p| p.id);
        let platform = platform.ok_or_else(|| Fail::fault("platform"))?;
        let known = catalogue.product_by_code("P").ok_or_else(|| Fail::fault("product"))?;
        tx.put_product(&Product { platform, ..known.clone() })?;
        tx.touch_catalogue()?;
        Ok(platform)
    });
    for part in iccids.chunks(10_000) {
        let part = part.to_vec();
        let added = engine.write(move |tx, catalogue, how| {
            let product = catalogue.product_by_code("P").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
            let mut arrivals = sims::Arrivals::default();
            for iccid in &part {
                let mut sim = sims::blank(&Iccid::parse(iccid).map_err(|e| Fail::fault(e.to_string()))?, OWNER, product);
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

/// Cards a second that the connector reads when nothing is kept.
fn baseline(far: &Far) -> f64 {
    let (mut login, mut number) = (Login::default(), 1_u64 << 40);
    per_second(far.iccids.len().min(BASELINE_CARDS) as u64, || {
        for iccid in far.iccids.iter().take(BASELINE_CARDS) {
            let mut next = || {
                number += 1;
                number
            };
            let card = Card::of_iccid(iccid);
            let now = Timestamp(far.sim.now());
            let told = logged_in(far.connector.as_ref(), &mut login, now, &mut next, &|call| {
                far.connector.read(call, &card, Facts::of(&[Fact::State]))
            });
            told.expect("it is told");
        }
    })
}
