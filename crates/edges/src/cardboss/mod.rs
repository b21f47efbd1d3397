//! The CardBOSS partner API v2.2.2 (`/iotapi/rest/v2`): signed questions and acts of a partner at two listeners, and the
//! pushes sent to it.
//!
//! Files: `auth` says who asks, `routes` does what is asked, `wire` writes answers, `errors` gives each refusal its
//! published code, `notify` writes pushes. What operations there are, what they sign and how their fields must look is
//! `kachi_dialects::cardboss`. Where the source contradicts itself: QUIRKS.md in this folder.

mod auth;
mod errors;
mod notify;
mod routes;
mod wire;

pub use notify::{data_acknowledged, data_push, sms_acknowledged, sms_push};

use crate::http::{self, Counts};
use crate::lockout::Lockout;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;
use kachi_dialects::cardboss::{Operation, Port, codes};
use kachi_domain::Zone;
use kachi_domain::time::DEFAULT_ZONE;
use kachi_engine::Engine;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The name of this door in credentials and stored answers.
pub const DOOR: &str = "cardboss";
/// Data pushes, in notify addresses.
pub const DATA: &str = "cardboss_data";
/// Pushes of what became of messages, in notify addresses.
pub const SMS: &str = "cardboss_sms";

/// How long a receiver may take with a push about messages (v2.2.2, 3.5.6).
pub const SMS_PUSH_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// The zone of every date on this wire.
static CHINA: LazyLock<Zone> = LazyLock::new(|| Zone::find(DEFAULT_ZONE).expect("the default zone is compiled in"));

/// What the configuration says about this door.
#[derive(Clone)]
pub struct DoorSettings {
    /// `sign.window_seconds`: how far a caller's clock may be off, either way.
    pub window_seconds: i64,
    /// `limits.body_bytes_max`: most bytes of a request.
    pub body_bytes_max: usize,
    /// `sign.lockout`: so many wrong signatures in a row shut a sid out from that address for a window; none = never.
    pub lockout: Option<u32>,
    /// `cardboss.retired`: whether operations that the source marks as out of use are served.
    pub retired: bool,
    /// `cardboss.carrier_wait_seconds`: how long an act waits for the carrier's word.
    pub carrier_wait: std::time::Duration,
    /// 32 hexadecimal digits that were never made before; randomness comes from the roof.
    pub token: Arc<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for DoorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorSettings")
            .field("window_seconds", &self.window_seconds)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("lockout", &self.lockout)
            .field("retired", &self.retired)
            .field("carrier_wait", &self.carrier_wait)
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

    /// Answers given so far, by operation and code; and texts of messages, by how they were written.
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }
}

/// What every path of the door begins with.
const PREFIX: &str = "/iotapi/rest/v2";

/// The routes of one listener. Each path is written whole: a nested router takes every address apart and writes it anew, and those of
/// questions about many cards are long.
pub fn router(door: Door, port: Port) -> Router {
    let mut routes = Router::new();
    for operation in Operation::ALL.iter().copied().filter(|o| o.port() == port) {
        for path in operation.paths() {
            let serve =
                move |State(door): State<Door>, request: Request| async move { routes::serve(&door, operation, request).await };
            routes = routes.route(&format!("{PREFIX}/{path}"), any(serve));
        }
    }
    for other in ["", "/", "/{*path}"] {
        routes = routes.route(&format!("{PREFIX}{other}"), any(unknown_path));
    }
    routes.with_state(door)
}

/// There is no published code for this: the HTTP status tells, the body is a refusal like any other.
async fn unknown_path(State(door): State<Door>, request: Request) -> Response {
    let asked = http::take(request, 0, door.engine.now()).await;
    let no = errors::No::said(codes::VALUE_WRONG, "请求地址不存在");
    http::json(StatusCode::NOT_FOUND, wire::refusal(&no), &asked.id)
}
