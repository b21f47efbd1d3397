//! The EIOTCLUB open API v3 (`/api/v3`): signed JSON questions and acts of a partner, and the notices sent to it.
//!
//! Files: `auth` says who asks, `fields` reads what is asked, `routes` is the list of operations, `wire` writes answers,
//! `errors` gives each refusal its published code, `notify` writes notices. Where the source contradicts itself:
//! QUIRKS.md in this folder.

mod auth;
mod errors;
mod fields;
mod notify;
mod routes;
mod wire;

pub use notify::{acknowledged, notice};

use crate::http::{self, Counts};
use crate::lockout::Lockout;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use kachi_domain::Zone;
use kachi_domain::time::DEFAULT_ZONE;
use kachi_engine::Engine;
use routes::Operation;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The name of this door in credentials, notify addresses and stored answers.
pub const DOOR: &str = "eiotclub";

/// The zone of every date on this wire.
static CHINA: LazyLock<Zone> = LazyLock::new(|| Zone::find(DEFAULT_ZONE).expect("the default zone is compiled in"));

/// What the configuration says about this door.
#[derive(Clone)]
pub struct DoorSettings {
    /// `sign.window_seconds`: how far a caller's clock may be off, either way.
    pub window_seconds: i64,
    /// `limits.body_bytes`: most bytes of a request.
    pub body_bytes_max: usize,
    /// `limits.page`: most cards or records of one page.
    pub page_max: i64,
    /// `limits.iccids`: most cards named in one request.
    pub iccids_max: usize,
    /// `sign.lockout`: so many wrong signatures in a row shut an appkey out from that address for a window; none = never.
    pub lockout: Option<u32>,
    /// Makes an order number that no other order has; randomness comes from the roof.
    pub order_number: Arc<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for DoorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorSettings")
            .field("window_seconds", &self.window_seconds)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("page_max", &self.page_max)
            .field("iccids_max", &self.iccids_max)
            .field("lockout", &self.lockout)
            .finish_non_exhaustive()
    }
}

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    engine: Engine,
    settings: Arc<DoorSettings>,
    counts: Arc<Counts>,
    lockout: Arc<Lockout>,
}

impl Door {
    /// A door to the engine.
    pub fn new(engine: Engine, settings: Arc<DoorSettings>) -> Door {
        Door { engine, settings, counts: Arc::default(), lockout: Arc::default() }
    }

    /// Answers given so far, by operation and code; and good signatures by the form in which they were made.
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }
}

/// Every path that the door serves, below `/api/v3/`.
pub fn paths() -> impl Iterator<Item = &'static str> {
    Operation::ALL.iter().map(|operation| operation.path())
}

/// The routes, with their prefix `/api/v3`.
pub fn router(door: Door) -> Router {
    let mut inner = Router::new();
    for operation in Operation::ALL.iter().copied() {
        let serve =
            move |State(door): State<Door>, request: Request| async move { routes::serve(&door, operation, request).await };
        inner = inner.route(&format!("/{}", operation.path()), post(serve));
    }
    let inner = inner.method_not_allowed_fallback(wrong_method).fallback(unknown_path).with_state(door.clone());
    Router::new().nest("/api/v3", inner)
}

async fn unknown_path(State(door): State<Door>, request: Request) -> Response {
    refuse(&door, request, StatusCode::NOT_FOUND).await
}

async fn wrong_method(State(door): State<Door>, request: Request) -> Response {
    refuse(&door, request, StatusCode::METHOD_NOT_ALLOWED).await
}

/// There is no published code for these two: the HTTP status tells, the body is a refusal like any other.
async fn refuse(door: &Door, request: Request, status: StatusCode) -> Response {
    let asked = http::take(request, 0, door.engine.now()).await;
    let no = errors::No::Code(kachi_dialects::eiotclub::codes::PARAMETER_WRONG);
    http::json(status, wire::refusal(wire::CodeAs::Text, auth::LANGUAGE_UNKNOWN, &no, None), &asked.id)
}
