//! The demo's receiver: a customer's endpoint as small as it can be. It checks the signature of each notice, keeps the
//! newest in memory, and acknowledges them all.

use super::html::{Html, Table, View};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use kachi_dialects::eiotclub::{Limits, Params, verify};
use kachi_domain::Timestamp;
use kachi_engine::Clock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the receiver listens.
pub const PATH: &str = "/demo/receiver";

/// Notices kept.
const KEPT_MAX: usize = 200;

/// Notices shown.
const SHOWN_MAX: usize = 30;

/// Longest body that is taken.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A notice as it came in.
#[derive(Debug, Clone)]
struct Received {
    number: u64,
    at: Timestamp,
    event: String,
    genuine: bool,
    body: String,
}

/// What came in, newest first. Cheap to clone: all clones are one receiver.
#[derive(Clone)]
pub struct Receiver {
    clock: Clock,
    secrets: Arc<Vec<String>>,
    kept: Arc<Mutex<(u64, VecDeque<Received>)>>,
}

impl Receiver {
    /// A receiver that knows these accounts' secrets.
    pub fn new(clock: Clock, secrets: Vec<String>) -> Receiver {
        Receiver { clock, secrets: Arc::new(secrets), kept: Arc::default() }
    }

    fn take(&self, body: &[u8]) {
        let params = Params::parse(body, Limits::default()).ok();
        let event = params.as_ref().and_then(|p| p.text("event").map(|e| e.into_owned())).unwrap_or_default();
        let genuine = params.is_some_and(|p| self.secrets.iter().any(|s| verify(&p, s).is_some()));
        let body = String::from_utf8_lossy(body).into_owned();
        let at = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0 += 1;
        let number = kept.0;
        kept.1.push_front(Received { number, at, event, genuine, body });
        kept.1.truncate(KEPT_MAX);
    }

    /// What came in, as a table.
    pub fn section(&self, view: &View) -> Html {
        let l = view.lang;
        let heads = [
            (l.pick("Event", "事件"), ""),
            (l.pick("Signature", "签名"), ""),
            (l.pick("Received", "接收"), ""),
            (l.pick("Body", "内容"), "answer"),
        ];
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let caption = l.pick(
            format!("Newest {} of {} received", kept.1.len().min(SHOWN_MAX), kept.0),
            format!("共收到 {} 条，显示最新 {} 条", kept.0, kept.1.len().min(SHOWN_MAX)),
        );
        let mut table = Table::new(&caption, &heads);
        for r in kept.1.iter().take(SHOWN_MAX) {
            let signature = match r.genuine {
                true => Html::tag("good", l.pick("verifies", "验签通过")),
                false => Html::tag("bad", l.pick("does not verify", "验签失败")),
            };
            let body: String = r.body.chars().take(600).collect();
            let body = Html(format!("<code>{}</code>", Html::text(&body)));
            table.row(&r.number.to_string(), &[Html::text(&r.event), signature, view.time(Some(r.at)), body]);
        }
        table.or_empty(l.pick("Nothing has come in yet.", "尚未收到通知。"))
    }
}

/// `POST /demo/receiver`
pub fn router(receiver: Receiver) -> Router {
    Router::new().route(PATH, post(receive)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(receiver)
}

async fn receive(State(receiver): State<Receiver>, body: Bytes) -> Response {
    receiver.take(&body);
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"SUCCESS"}"#).into_response()
}
