//! A partner that signs and posts to the router, without a socket.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use kachi_dialects::eiotclub::{Form, Limits, Params, sign};
use kachi_edges::eiotclub::{Door, DoorSettings, router};
use kachi_testkit::trade::{Trade, secret};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// The settings of the tests: the defaults.
pub fn settings() -> DoorSettings {
    let next = AtomicU64::new(1);
    DoorSettings {
        window_seconds: 300,
        body_bytes_max: 1 << 20,
        page_max: 500,
        iccids_max: 100,
        lockout: None,
        order_number: Arc::new(move || format!("{:032x}", next.fetch_add(1, Ordering::Relaxed))),
    }
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body to the letter.
    pub text: String,
    /// The body read.
    pub json: Value,
    /// Since when the operation is deprecated, as the header says.
    pub deprecation: Option<String>,
}

impl Answer {
    /// The result code.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or("no text")
    }

    /// The result code, as text or as a number, whichever way it is written.
    pub fn any_code(&self) -> String {
        self.json["code"].as_str().map_or_else(|| self.json["code"].to_string(), Into::into)
    }

    /// `data`.
    pub fn data(&self) -> &Value {
        &self.json["data"]
    }
}

/// The partner.
pub struct Client<'w> {
    /// The trade it works in.
    pub trade: &'w Trade,
    /// The door.
    pub door: Door,
    router: Router,
    runtime: Runtime,
    nonce: AtomicU64,
}

impl<'w> Client<'w> {
    /// A partner at a door with the given settings.
    pub fn at(trade: &'w Trade, settings: DoorSettings) -> Client<'w> {
        let door = Door::new(trade.engine.clone(), Arc::new(settings));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().expect("a runtime");
        Client { trade, router: router(door.clone()), door, runtime, nonce: AtomicU64::new(10_000) }
    }

    /// A partner at a door with the default settings.
    pub fn new(trade: &'w Trade) -> Client<'w> {
        Client::at(trade, settings())
    }

    /// A signed body of an account; fields that are given stand, also the system's own; `null` leaves one out.
    pub fn sealed(&self, account: &str, fields: &Value) -> String {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        let mut body = Map::new();
        body.insert("appkey".into(), format!("key-{account}").into());
        body.insert("timestamp".into(), self.trade.now().0.into());
        body.insert("nonce".into(), nonce.into());
        body.extend(fields.as_object().expect("fields").clone());
        body.retain(|_, value| !value.is_null());
        signed(Value::Object(body), &secret(account), Form::CANONICAL)
    }

    /// Asks as `acme`.
    pub fn ask(&self, path: &str, fields: Value) -> Answer {
        self.ask_as("acme", path, fields)
    }

    /// Asks as an account.
    pub fn ask_as(&self, account: &str, path: &str, fields: Value) -> Answer {
        self.post(path, &self.sealed(account, &fields))
    }

    /// Buys a package as `acme`.
    pub fn order(&self, iccid: &str, package: &str, out_trade_no: &str) -> Answer {
        self.ask("package/orderPackage", json!({"iccid": iccid, "packageCode": package, "outTradeNo": out_trade_no}))
    }

    /// Posts a body as it is.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.post_from("127.0.0.1", path, body)
    }

    /// Posts a body as it is from an address.
    pub fn post_from(&self, peer: &str, path: &str, body: &str) -> Answer {
        self.runtime.block_on(send(self.router.clone(), request("POST", peer, path, body)))
    }

    /// Sends with any method.
    pub fn send(&self, method: &str, path: &str) -> u16 {
        let router = self.router.clone();
        let request = request(method, "127.0.0.1", path, "");
        self.runtime.block_on(async { router.oneshot(request).await.expect("infallible").status().as_u16() })
    }

    /// Sends these bytes to a path below the root, whatever they are, with or without a content type.
    pub fn raw(&self, method: &str, uri: &str, content_type: Option<&str>, body: Vec<u8>) -> Answer {
        let peer = SocketAddr::new([127, 0, 0, 1].into(), 40_000);
        let mut request = Request::builder().method(method).uri(uri).extension(ConnectInfo(peer));
        if let Some(kind) = content_type {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(Body::from(body)).expect("a request");
        self.runtime.block_on(send(self.router.clone(), request))
    }

    /// Posts all bodies at once.
    pub fn race(&self, path: &str, bodies: Vec<String>) -> Vec<Answer> {
        self.runtime.block_on(async {
            let mut all = tokio::task::JoinSet::new();
            for body in bodies {
                all.spawn(send(self.router.clone(), request("POST", "127.0.0.1", path, &body)));
            }
            all.join_all().await
        })
    }
}

/// The object with its signature in the form.
pub fn signed(mut body: Value, secret: &str, form: Form) -> String {
    if body.get("sign").is_none() {
        let params = Params::parse(body.to_string().as_bytes(), Limits::default()).expect("parameters");
        body["sign"] = sign(&params, secret, form).into();
    }
    body.to_string()
}

fn request(method: &str, peer: &str, path: &str, body: &str) -> Request<Body> {
    let peer = SocketAddr::new(peer.parse().expect("an address"), 40_000);
    let request = Request::builder().method(method).uri(format!("/api/v3/{path}")).extension(ConnectInfo(peer));
    request.body(Body::from(body.to_owned())).expect("a request")
}

async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.expect("infallible");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json;charset=utf-8");
    assert!(response.headers().contains_key("x-request-id"));
    let status = response.status().as_u16();
    let deprecation = response.headers().get("deprecation").map(|v| v.to_str().expect("text").to_owned());
    let body = to_bytes(response.into_body(), 1 << 24).await.expect("a body");
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    let json = serde_json::from_str(&text).expect("JSON");
    Answer { status, text, json, deprecation }
}
