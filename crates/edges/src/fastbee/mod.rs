//! The card module of FastBee (`/card`, and `/iot/card` as its own pages call it): cards, their platforms and devices, for
//! an account with a bearer token.
//!
//! Files: `auth` says who asks, `fields` reads what is asked, `routes` is the list of operations, `wire` writes answers,
//! `errors` gives each refusal its status and words. Where the source contradicts itself or is silent: QUIRKS.md in this
//! folder. What devices report over the broker is taken in elsewhere ([`crate::mqtt`]).

mod auth;
mod errors;
mod fields;
mod routes;
mod wire;

pub use auth::token_name;

use crate::http::{self, Counts};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::MethodRouter;
use kachi_domain::Zone;
use kachi_domain::time::DEFAULT_ZONE;
use kachi_engine::Engine;
use routes::Operation;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The name of this door in credentials and in cards' details.
pub const DOOR: &str = "fastbee";

/// The zone of every date on this wire.
static CHINA: LazyLock<Zone> = LazyLock::new(|| Zone::find(DEFAULT_ZONE).expect("the default zone is compiled in"));

/// What the configuration says about this door.
#[derive(Clone)]
pub struct DoorSettings {
    /// `limits.body_bytes_max`: most bytes of a request.
    pub body_bytes_max: usize,
    /// `limits.page_max`: most rows of one page.
    pub page_max: i64,
    /// `limits.iccids_max`: most cards that one request may name.
    pub cards_max: usize,
    /// How long a caller waits for a carrier's answer.
    pub patience: Duration,
    /// Makes a reference that no other carrier write has; randomness comes from the roof.
    pub reference: Arc<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for DoorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorSettings")
            .field("body_bytes_max", &self.body_bytes_max)
            .field("page_max", &self.page_max)
            .field("cards_max", &self.cards_max)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    engine: Engine,
    settings: Arc<DoorSettings>,
    counts: Arc<Counts>,
}

impl Door {
    /// A door to the engine.
    pub fn new(engine: Engine, settings: Arc<DoorSettings>) -> Door {
        Door { engine, settings, counts: Arc::default() }
    }

    /// Answers given so far, by operation and status.
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }
}

/// The routes, with every prefix they are served under.
pub fn router(door: Door) -> Router {
    let mut router = Router::new();
    for prefix in ["/card", "/iot/card"] {
        router = router.merge(under(prefix, Operation::ALL));
    }
    router.merge(under("/iot/cardPlatform", Operation::PLATFORMS)).with_state(door)
}

fn under(prefix: &str, operations: &[Operation]) -> Router<Door> {
    let mut paths: Vec<(String, MethodRouter<Door>)> = Vec::new();
    for operation in operations.iter().copied() {
        let path = format!("{prefix}{}", operation.path_under(prefix));
        let serve =
            move |State(door): State<Door>, request: Request| async move { routes::serve(&door, operation, request).await };
        let place = paths.iter().position(|(p, _)| *p == path);
        let before = place.map_or_else(MethodRouter::new, |i| paths.swap_remove(i).1);
        paths.push((path, before.on(operation.method(), serve)));
    }
    let mut router = Router::new();
    for (path, methods) in paths {
        router = router.route(&path, methods.fallback(wrong_method));
    }
    router
}

async fn wrong_method(State(door): State<Door>, request: Request) -> Response {
    refuse(&door, request, errors::No::Method).await
}

async fn refuse(door: &Door, request: Request, no: errors::No) -> Response {
    let asked = http::take(request, 0, door.engine.now()).await;
    http::json(no.status(), wire::refusal(&no), &asked.id)
}
