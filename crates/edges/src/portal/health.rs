//! Whether the process runs and can work, for whoever balances load or starts it anew.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kachi_engine::failing::{Ended, Failing, Turn};
use kachi_engine::{Engine, Fail, overview};
use std::sync::Arc;
use std::time::Duration;

/// How long `/readyz` waits for the database: who asks it, asks often and gives up soon.
const READY_PATIENCE: Duration = Duration::from_secs(5);

/// `GET /healthz`: the process runs. `GET /readyz`: its database answers soon and takes writes, and there is room for them.
pub fn health_router(engine: &Engine) -> Router {
    let health = Health { engine: engine.within(READY_PATIENCE), failing: Arc::default() };
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(health)
}

#[derive(Clone)]
struct Health {
    engine: Engine,
    failing: Arc<Failing<()>>,
}

async fn ready(State(health): State<Health>) -> Response {
    let found = health.engine.off_thread(overview::ready).await;
    // Asked again and again: the log has each turn once.
    let ended = if found.is_ok() { Ended::Well } else { Ended::ForAPerson };
    let turn = health.failing.note(&(), ended, health.engine.now());
    let Err(fail) = found else {
        if let Some(Turn::Back(seconds)) = turn {
            tracing::info!(failed_seconds = seconds, "ready again");
        }
        return "ready\n".into_response();
    };
    if turn.is_some() {
        tracing::error!(error = %fail, "not ready");
    }
    // Anybody may ask; where the database is, is for the log.
    let words = match (&fail, fail.is_told()) {
        (Fail::Fault(e), _) if e.is_none_free() => {
            "not ready: all connections to the database are in use (database.connections_max); the log tells more\n"
        }
        (_, true) => "not ready: the database gives no answer; the log tells more\n",
        (_, false) => "not ready: nothing can be written into the database; the log tells why\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}
