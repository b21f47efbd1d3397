//! The connectors of the platforms, open as the catalogue names them now.
//!
//! A platform that is added while the program runs, or whose settings change, has its connector opened at the next look, in
//! every process that works. One that cannot be opened is logged once and keeps the connector it had.

use crate::exit::Exit;
use kachi_connectors::sandbox::World;
use kachi_domain::PlatformId;
use kachi_domain::address::Addresses;
use kachi_domain::carrier::Connector;
use kachi_engine::intents::{self, Connectors};
use kachi_engine::{Engine, Result};
use kachi_store::catalogue::Platform;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The connectors, and what they were opened with.
pub struct Carriers {
    engine: Engine,
    addresses: Addresses,
    /// The sandbox's carrier lives as long as the program, whichever connectors lead to it.
    world: World,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The catalogue's version then.
    version: Option<i64>,
    open: Arc<Connectors>,
    /// For each platform its connector's name and settings, opened or not.
    tried: HashMap<PlatformId, (String, String)>,
}

impl Carriers {
    /// Opens them when somebody looks; one that cannot be opened is logged then.
    pub fn new(engine: &Engine, addresses: Addresses) -> Carriers {
        Carriers { engine: engine.clone(), addresses, world: World::default(), kept: Mutex::default() }
    }

    /// Opens all; one that cannot be opened is an error here.
    pub fn open(engine: &Engine, addresses: Addresses) -> std::result::Result<Carriers, Exit> {
        let carriers = Carriers::new(engine, addresses);
        for platform in engine.catalogue()?.platforms() {
            carriers.connector(platform).map_err(|e| Exit::cannot(format!("platform {}: {e}", platform.code)))?;
        }
        carriers.now()?;
        Ok(carriers)
    }

    /// The connectors as the catalogue is now. What a newly opened one can do is kept with its platform, so that doors, perhaps
    /// of other processes, refuse at once what the carrier's platform cannot do.
    pub fn now(&self) -> Result<Arc<Connectors>> {
        // Read under the lock: nobody may go back to an older one.
        let mut kept = self.kept.lock().expect("no look panics");
        let catalogue = self.engine.catalogue()?;
        if kept.version == Some(catalogue.version) {
            return Ok(kept.open.clone());
        }
        let mut opened = Connectors::new();
        let (mut open, mut tried) = (Connectors::clone(&kept.open), kept.tried.clone());
        for platform in catalogue.platforms() {
            let wanted = (platform.connector.clone(), platform.settings.clone());
            if tried.get(&platform.id) == Some(&wanted) {
                continue;
            }
            match self.connector(platform) {
                Ok(connector) => {
                    opened.insert(platform.id, connector.clone());
                    open.insert(platform.id, connector);
                }
                Err(e) => {
                    tracing::error!(platform = %platform.code, error = %e, "the platform's connector cannot be opened; mend its settings with `kachi apply`");
                }
            }
            tried.insert(platform.id, wanted);
        }
        intents::remember(&self.engine, &opened)?;
        *kept = Kept { version: Some(catalogue.version), open: Arc::new(open), tried };
        Ok(kept.open.clone())
    }

    fn connector(&self, platform: &Platform) -> std::result::Result<Arc<dyn Connector>, String> {
        let settings = serde_json::from_str(&platform.settings).map_err(|e| format!("settings: {e}"))?;
        let opened = kachi_connectors::open(&platform.connector, &settings, &self.world, &self.addresses);
        opened.map(Arc::from).map_err(|e| e.to_string())
    }
}
