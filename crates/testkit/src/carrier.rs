//! The virtual carrier behind a product of a test's world, and the workers that ask it.

use kachi_connectors::sandbox;
use kachi_domain::Timestamp;
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{Connector, Login, Request, logged_in};
use kachi_engine::intents::{self, Connectors};
use kachi_engine::{Engine, Fail, card_reads, sms, tasks};
use kachi_store::catalogue::Product;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Rounds after which work that never ends is a failure.
const ROUNDS_MAX: usize = 1_000;

/// Lease tokens given out, unlike each other whoever works.
static TOKENS: AtomicI64 = AtomicI64::new(1);

/// A virtual carrier with its connector.
pub struct Carrier {
    /// What the carrier knows, and the way to break it.
    pub world: sandbox::World,
    /// The way there.
    pub connectors: Connectors,
}

impl Carrier {
    /// Moves a product to a sandbox platform with these settings, lets it offer these networks, and opens the connector.
    ///
    /// # Panics
    /// If there is no such product, or the settings are no good.
    pub fn of(engine: &Engine, product: &'static str, settings: Value, networks: &[&str]) -> Carrier {
        let world = sandbox::World::default();
        let connector = kachi_connectors::open("sandbox", &settings, &world, &Addresses::default()).expect("the connector opens");
        Carrier { world, ..Carrier::by(engine, product, ("sandbox", settings, Arc::from(connector)), networks) }
    }

    /// As [`Carrier::of`], by a connector of the test's own; its world is nobody's.
    ///
    /// # Panics
    /// If there is no such product.
    pub fn by(
        engine: &Engine,
        product: &'static str,
        (name, settings, connector): (&'static str, Value, Arc<dyn Connector>),
        networks: &[&str],
    ) -> Carrier {
        let details = json!({ "networks": networks }).to_string();
        let text = settings.to_string();
        engine
            .write(move |tx, catalogue, _| {
                tx.put_platform(0, "virtual", name, &text)?;
                let platform = tx.platforms()?.into_iter().find(|p| p.code == "virtual").map(|p| p.id);
                let platform = platform.ok_or_else(|| Fail::fault("platform"))?;
                let known = catalogue.product_by_code(product).ok_or_else(|| Fail::fault("product"))?;
                tx.put_product(&Product { platform, details, ..known.clone() })?;
                Ok(tx.touch_catalogue()?)
            })
            .expect("the product moves");
        let platform = engine.catalogue().expect("catalogue").platform_by_code("virtual").map(|p| p.id).expect("platform");
        Carrier { world: sandbox::World::default(), connectors: HashMap::from([(platform, connector)]) }
    }

    /// The same, with a connector around its own.
    #[must_use]
    pub fn around(self, wrap: impl Fn(Arc<dyn Connector>) -> Arc<dyn Connector>) -> Carrier {
        let connectors = self.connectors.into_iter().map(|(platform, inner)| (platform, wrap(inner))).collect();
        Carrier { connectors, ..self }
    }

    /// Tells the engine what the connector can do, as the server does when it starts.
    ///
    /// # Panics
    /// If the database fails.
    pub fn remember(&self, engine: &Engine) {
        intents::remember(engine, &self.connectors).expect("it is kept");
    }

    /// A worker hands the write in and dies before it notes the answer.
    ///
    /// # Panics
    /// If no connector is open.
    pub fn hand_in(&self, request: &Request, now: Timestamp) {
        let connector = self.connectors.values().next().expect("a connector");
        let (mut login, mut number) = (Login::default(), 0);
        let mut next = || {
            number += 1;
            number
        };
        let sent =
            logged_in(connector.as_ref(), &mut login, now, &mut next, &|call| connector.submit(call, request).or_no_login());
        sent.expect("it is handed in");
    }

    /// Lets the workers do all that is due.
    ///
    /// # Panics
    /// If the database fails, or the work never ends although no time passes.
    pub fn work(&self, engine: &Engine) {
        for _ in 0..ROUNDS_MAX {
            let token = TOKENS.fetch_add(1, Ordering::SeqCst);
            let moved = tasks::step(engine).expect("tasks move")
                + intents::step(engine, &self.connectors, token).expect("writes move")
                + card_reads::step(engine, &self.connectors, token).expect("readings move");
            if moved == 0 {
                return;
            }
        }
        panic!("the work never ends");
    }

    /// Reads at the carrier whatever is to be read.
    ///
    /// # Panics
    /// If the database fails.
    pub fn read(&self, engine: &Engine) {
        while card_reads::step(engine, &self.connectors, TOKENS.fetch_add(1, Ordering::SeqCst)).expect("cards are read") > 0 {}
    }

    /// Asks what devices wrote, once; the answer is how many messages are new.
    ///
    /// # Panics
    /// If the database fails.
    pub fn collect(&self, engine: &Engine) -> usize {
        sms::collect(engine, &self.connectors).expect("it is kept")
    }
}
