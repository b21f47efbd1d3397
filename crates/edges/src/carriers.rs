//! Where carriers call us: `/carrier/CODE`, one address a card platform, to be entered in the carrier's own portal.
//!
//! The platform's connector knows the carrier's calls from a stranger's; this door knows no carrier. A good call is answered with
//! 200 when it is kept, one that is not the carrier's with 403, one for a platform that tells nothing with 404; what could not be
//! kept with 503, so that the carrier tells it again.

use crate::http;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use kachi_domain::carrier::Callback;
use kachi_engine::intents::Connectors;
use kachi_engine::news::{self, Heard};
use kachi_engine::{Engine, Result};
use std::fmt;
use std::sync::Arc;

/// Tells the connectors of the platforms as they are open now.
pub type Open = Arc<dyn Fn() -> Result<Arc<Connectors>> + Send + Sync>;

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    engine: Engine,
    open: Open,
    body_bytes_max: usize,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("body_bytes_max", &self.body_bytes_max).finish_non_exhaustive()
    }
}

impl Door {
    /// A door to the engine, for the calls of these platforms; `limits.body_bytes_max` bounds what is read.
    pub fn new(engine: Engine, open: Open, body_bytes_max: usize) -> Door {
        Door { engine, open, body_bytes_max }
    }
}

/// The route.
pub fn router(door: Door) -> Router {
    Router::new().route("/carrier/{code}", get(hear).post(hear)).with_state(door)
}

async fn hear(State(door): State<Door>, Path(code): Path<String>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<(String, String)> = request.headers().iter().map(|(n, v)| (n.as_str().to_owned(), text(v))).collect();
    let asked = http::take(request, door.body_bytes_max, door.engine.now()).await;
    let Some(body) = asked.body else { return said(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n", &asked.id) };
    let (open, platform) = (door.open.clone(), code.clone());
    let heard = door.engine.off_thread(move |engine| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        news::hear(engine, &*open()?, &platform, &Callback { query: &query, headers: &headers, body: &body })
    });
    match heard.await {
        Ok(Heard::Kept(kept)) => {
            tracing::debug!(platform = %code, kept, "a carrier told something");
            said(StatusCode::OK, "ok\n", &asked.id)
        }
        Ok(Heard::Refused(reason)) => {
            tracing::warn!(platform = %code, %reason, "a call to a carrier's address is refused");
            said(StatusCode::FORBIDDEN, "this call is not the carrier's\n", &asked.id)
        }
        Ok(Heard::NoPlatform) => said(StatusCode::NOT_FOUND, "no card platform is told things here\n", &asked.id),
        Err(fail) => {
            tracing::error!(platform = %code, error = %fail, "what a carrier told could not be kept");
            said(StatusCode::SERVICE_UNAVAILABLE, "not kept; tell it again\n", &asked.id)
        }
    }
}

fn said(status: StatusCode, words: &'static str, request_id: &str) -> Response {
    let mut response = Response::new(Body::from(words));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(http::REQUEST_ID, id);
    }
    response
}
