//! A caller with a bearer token at the router, without a socket, and card platforms that tell what the test says.

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use kachi_domain::AccountId;
use kachi_domain::carrier::{Answer, Call, Capabilities, Card, Connector, Facts, Line, Login, Request as CarrierRequest, Sent};
use kachi_edges::fastbee::{DOOR, Door, DoorSettings, router, token_name};
use kachi_engine::card_reads;
use kachi_engine::intents::Connectors;
use kachi_testkit::world::{ACME, STRANGER, World};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tower::ServiceExt;

pub const ACME_TOKEN: &str = "acme-token";
pub const STRANGER_TOKEN: &str = "stranger-token";

/// How long a caller waits for a platform that answers, and for one that does not; how often the platform's worker looks.
const PATIENCE: Duration = Duration::from_secs(60);
const IMPATIENCE: Duration = Duration::from_millis(200);
const WORKER_LOOKS: Duration = Duration::from_millis(5);

/// An answer as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub text: String,
    pub json: Value,
}

impl Reply {
    /// `data`.
    pub fn data(&self) -> &Value {
        &self.json["data"]
    }
}

/// What a platform tells of cards; of others that it knows none.
pub struct Tells(HashMap<String, Result<Line, Answer>>);

impl Tells {
    pub fn of(cards: &[(&str, Result<Line, Answer>)]) -> Arc<Tells> {
        Arc::new(Tells(cards.iter().map(|(iccid, told)| ((*iccid).to_owned(), told.clone())).collect()))
    }
}

impl Connector for Tells {
    fn capabilities(&self) -> Capabilities {
        Capabilities { usage: true, network: true, facts: Facts::ALL, ..Capabilities::default() }
    }
    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer> {
        Ok(call.login.clone())
    }
    fn submit(&self, _: &Call<'_>, _: &CarrierRequest) -> Answer {
        Answer::Unknown
    }
    fn look(&self, _: &Call<'_>, _: &CarrierRequest, _: &Sent) -> Answer {
        Answer::Unknown
    }
    fn read(&self, _: &Call<'_>, card: &Card, _: Facts) -> Result<Line, Answer> {
        let unknown = || Err(Answer::Refused { code: "404".into(), reason: "no such card".into() });
        self.0.get(&card.iccid).cloned().unwrap_or_else(unknown)
    }
}

/// The caller.
pub struct Client<'w> {
    world: &'w World,
    door: Door,
    settings: Arc<DoorSettings>,
    runtime: Arc<Runtime>,
    token: Option<String>,
    platform: Option<Arc<Tells>>,
    lease: Arc<AtomicI64>,
}

impl<'w> Client<'w> {
    /// A caller as ACME at a door with the default settings.
    pub fn new(world: &'w World) -> Client<'w> {
        let tokens = |token: &str, account: AccountId| (token_name(token), account);
        let tokens = [tokens(ACME_TOKEN, ACME), tokens(STRANGER_TOKEN, STRANGER)];
        world
            .engine
            .write(move |tx, _, _| {
                for (name, account) in &tokens {
                    tx.put_credential(DOOR, name, *account, "")?;
                }
                Ok(tx.touch_catalogue()?)
            })
            .expect("tokens");
        let next = AtomicU64::new(1);
        let settings = Arc::new(DoorSettings {
            body_bytes_max: 1 << 20,
            page_max: 500,
            cards_max: 100,
            patience: PATIENCE,
            reference: Arc::new(move || format!("r{}", next.fetch_add(1, Ordering::Relaxed))),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime");
        Client {
            world,
            door: Door::new(world.engine.clone(), settings.clone()),
            settings,
            runtime: Arc::new(runtime),
            token: Some(ACME_TOKEN.to_owned()),
            platform: None,
            lease: Arc::new(AtomicI64::new(1)),
        }
    }

    fn copy(&self) -> Client<'w> {
        Client {
            world: self.world,
            door: self.door.clone(),
            settings: self.settings.clone(),
            runtime: self.runtime.clone(),
            token: self.token.clone(),
            platform: self.platform.clone(),
            lease: self.lease.clone(),
        }
    }

    /// The same with another token.
    pub fn as_token(&self, token: &str) -> Client<'w> {
        self.with(Some(token))
    }

    /// The same with another token, or none.
    pub fn with(&self, token: Option<&str>) -> Client<'w> {
        Client { token: token.map(str::to_owned), ..self.copy() }
    }

    /// The same while a worker asks a platform that tells this.
    pub fn working(&self, tells: &Arc<Tells>) -> Client<'w> {
        Client { platform: Some(tells.clone()), ..self.copy() }
    }

    /// The same, but it does not wait long for a platform.
    pub fn impatient(&self) -> Client<'w> {
        let settings = DoorSettings { patience: IMPATIENCE, ..(*self.settings).clone() };
        Client { door: Door::new(self.world.engine.clone(), Arc::new(settings)), ..self.copy() }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "application/json", String::new())
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, "application/json", String::new())
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, "application/json", body.to_string())
    }

    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, "application/json", body.to_string())
    }

    pub fn post_text(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, "text/csv", body.to_owned())
    }

    fn send(&self, method: &str, path: &str, kind: &str, body: String) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, kind);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body)).expect("a request");
        let done = AtomicBool::new(false);
        let answered = async {
            let reply = answer(router(self.door.clone()).oneshot(request)).await;
            done.store(true, Ordering::Relaxed);
            reply
        };
        self.runtime.block_on(async { tokio::join!(answered, self.worker(&done)).0 })
    }

    /// Reads at the platform what is due until the call is done, and what it has begun to its end.
    async fn worker(&self, done: &AtomicBool) {
        let Some(tells) = self.platform.clone() else { return };
        let connector: Arc<dyn Connector> = tells;
        let connectors: Connectors = HashMap::from([(self.world.platform(), connector)]);
        while !done.load(Ordering::Relaxed) {
            let token = self.lease.fetch_add(1, Ordering::Relaxed);
            let (engine, connectors) = (self.world.engine.clone(), connectors.clone());
            let step = tokio::task::spawn_blocking(move || card_reads::step(&engine, &connectors, token));
            step.await.expect("the worker lives").expect("a step");
            tokio::time::sleep(WORKER_LOOKS).await;
        }
    }
}

async fn answer(sent: impl Future<Output = Result<axum::response::Response, std::convert::Infallible>>) -> Reply {
    let response = sent.await.expect("an answer");
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), 1 << 24).await.expect("a body");
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    Reply { status, json: serde_json::from_str(&text).unwrap_or(Value::Null), text }
}
