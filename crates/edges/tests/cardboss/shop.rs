//! A trade with a CardBOSS door, and a partner that signs and sends to it, without a socket.

use crate::contract;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use kachi_dialects::cardboss::{Form, Method, Operation, Port, Written, sign};
use kachi_domain::order::Channel;
use kachi_domain::package::{Category, Kind, Terms, Window};
use kachi_domain::{Iccid, PoolId, Span, Timestamp, Zone};
use kachi_edges::cardboss::{DOOR, Door, DoorSettings, router};
use kachi_engine::orders::{self, Place};
use kachi_engine::pools::{self, CreateJoint};
use kachi_engine::sims;
use kachi_store::Store;
use kachi_store::catalogue::Package;
use kachi_store::sims::Sim;
use kachi_store::sms::Template;
use kachi_testkit::trade::{ACME, CARD, CHINESE, FOREIGN, NORTH, OTHER, Trade, package};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// The sid of `ACME`, whose cards they are.
pub const SID: &str = "10043";
/// The sid of `NORTH`, above it.
pub const NORTH_SID: &str = "10042";
/// The sid of `OTHER`, a stranger.
pub const OTHER_SID: &str = "10045";
/// Telephone numbers of `CARD`, `CHINESE` and of the stranger's `FOREIGN`.
pub const MSISDN: &str = "1064700000001";
pub const MSISDN_CN: &str = "1064700000002";
pub const MSISDN_FOREIGN: &str = "1064700000009";

/// The apikey of a sid.
pub fn apikey(sid: &str) -> String {
    format!("{sid:0>32}")
}

/// The settings of the tests: the defaults.
pub fn settings() -> DoorSettings {
    let next = AtomicU64::new(1);
    DoorSettings {
        window_seconds: 300,
        body_bytes_max: 1 << 20,
        lockout: None,
        retired: true,
        carrier_wait: Duration::from_secs(10),
        token: Arc::new(move || format!("{:032x}", next.fetch_add(1, Ordering::Relaxed))),
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
}

impl Answer {
    /// The result code.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or("no text")
    }

    /// `result`.
    pub fn result(&self) -> &Value {
        &self.json["result"]
    }
}

/// The partner and its trade.
pub struct Shop {
    /// The trade it works in.
    pub trade: Trade,
    /// The door.
    pub door: Door,
    data: Router,
    direct: Router,
    runtime: Runtime,
}

impl Shop {
    /// A trade with a door of the given settings.
    pub fn with(store: Store, settings: DoorSettings) -> Shop {
        Shop::of(Trade::build(store), settings)
    }

    /// A door to a trade.
    pub fn of(trade: Trade, settings: DoorSettings) -> Shop {
        stock(&trade);
        let door = Door::new(trade.engine.clone(), Arc::new(settings));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
        let (data, direct) = (router(door.clone(), Port::Data), router(door.clone(), Port::Direct));
        Shop { trade, door, data, direct, runtime }
    }

    /// A trade with a door of the default settings.
    pub fn new(store: Store) -> Shop {
        Shop::with(store, settings())
    }

    /// `yyyyMMddHHmmss` in China, seconds from now.
    pub fn ts(&self, seconds: i64) -> String {
        Zone::find("Asia/Shanghai").expect("a zone").digits(self.trade.now().plus(seconds))
    }

    /// A signed query or form; fields that are given stand, also the system's own; `null` leaves one out.
    pub fn sealed(&self, sid: &str, operation: Operation, fields: &Value) -> String {
        let mut all = Map::new();
        all.insert("sid".into(), sid.into());
        all.insert("ts".into(), self.ts(0).into());
        all.extend(fields.as_object().expect("fields").clone());
        all.retain(|_, value| !value.is_null());
        if fields.get("sign").is_none() {
            let form: Form = all.iter().map(|(n, v)| (n.as_str(), v.as_str().expect("text"))).collect();
            let sign = sign(operation, &form, &apikey(sid), Written::Utf8).expect("UTF-8");
            all.insert("sign".into(), sign.into());
        }
        let pair = |(name, value): (&String, &Value)| format!("{name}={}", escaped(value.as_str().expect("text").as_bytes()));
        all.iter().map(pair).collect::<Vec<_>>().join("&")
    }

    /// Asks as `ACME`.
    pub fn ask(&self, operation: Operation, fields: Value) -> Answer {
        self.ask_as(SID, operation, fields)
    }

    /// Asks as a sid.
    pub fn ask_as(&self, sid: &str, operation: Operation, fields: Value) -> Answer {
        self.send(operation, &self.sealed(sid, operation, &fields))
    }

    /// Asks as `ACME` and holds the good answer to the contract.
    pub fn good(&self, operation: Operation, fields: Value) -> Value {
        self.good_as(SID, operation, fields)
    }

    /// Asks as a sid and holds the good answer to the contract.
    pub fn good_as(&self, sid: &str, operation: Operation, fields: Value) -> Value {
        let answer = self.ask_as(sid, operation, fields.clone());
        assert_eq!((answer.status, answer.code()), (200, "0"), "{operation:?} {fields}: {}", answer.text);
        let wrong = contract::faults(operation, &answer.json);
        assert!(wrong.is_empty(), "{operation:?}: {wrong:#?}\n{}", answer.text);
        answer.json.get("result").or(answer.json.get("customer")).cloned().unwrap_or_default()
    }

    /// Sends a query or form as it is.
    pub fn send(&self, operation: Operation, form: &str) -> Answer {
        self.send_to(operation.path(), operation.method(), operation.port(), form, "127.0.0.1")
    }

    /// Sends anything anywhere.
    pub fn send_to(&self, path: &str, method: Method, port: Port, form: &str, peer: &str) -> Answer {
        let router = if port == Port::Data { self.data.clone() } else { self.direct.clone() };
        let request = request(method, path, form, peer);
        self.runtime.block_on(answered(router, request))
    }

    /// Posts forms at once.
    pub fn race(&self, operation: Operation, forms: Vec<String>) -> Vec<Answer> {
        let router = if operation.port() == Port::Data { &self.data } else { &self.direct };
        self.runtime.block_on(async {
            let mut all = tokio::task::JoinSet::new();
            for form in forms {
                all.spawn(answered(router.clone(), request(operation.method(), operation.path(), &form, "127.0.0.1")));
            }
            all.join_all().await
        })
    }

    /// Everything in the database, but for which body a refused request's signature came with.
    pub fn whole(&self) -> Vec<String> {
        let tables = self.trade.engine.store().read(|tx| tx.dump()).expect("the database");
        let lines = tables.iter().flat_map(|(table, rows)| rows.iter().map(move |row| format!("{table}: {row}")));
        lines.filter(|row| !row.starts_with("idempotency: ") || !row.contains("\"answer\":\"\"")).collect()
    }

    /// Buys a package for a card as its owner `ACME`, at once.
    pub fn buy(&self, iccid: &str, package_code: &str, number: &str) {
        let place = Place {
            iccid: Iccid::parse(iccid).expect("a well-formed ICCID"),
            package_code: package_code.into(),
            out_trade_no: Some(number.into()),
            channel: Channel::Api,
            custom_data: None,
            number: format!("{number:0>32}"),
        };
        let actor = self.trade.actor(ACME);
        let bought = self.trade.engine.write(move |tx, catalogue, how| orders::place(tx, catalogue, how, &actor, &place));
        bought.expect("an order");
    }

    /// Sells a package at 1.00 for the product of `CARD`, its terms changed from those of 100 MB of data.
    pub fn sell(&self, code: &'static str, validity: Span, change: impl Fn(&mut Terms) + Send + 'static) {
        let sold = self.trade.engine.write(move |tx, catalogue, _| {
            let product = catalogue.product_by_code("1US-1").expect("a product").id;
            let mut package = package(code, product, Kind::Quota, validity, 100);
            change(&mut package.terms);
            tx.put_package(&package)?;
            Ok(tx.touch_catalogue()?)
        });
        sold.expect("a package");
    }

    /// Makes a joint pool of `ACME` named gates.
    pub fn joint_pool(&self, package: &'static str, member_cap_bytes: Option<i64>, cards: &[&str]) -> PoolId {
        let actor = self.trade.actor(ACME);
        let cards: Vec<Iccid> = cards.iter().map(|c| Iccid::parse(c).expect("a number")).collect();
        let made = self.trade.engine.write(move |tx, catalogue, how| {
            let named = (PoolId(0), "gates".to_owned());
            let cmd = CreateJoint { package_code: package.into(), memo: "gates".into(), member_cap_bytes, named };
            let id = pools::create_joint(tx, catalogue, how, &actor, &cmd)?;
            pools::join(tx, catalogue, how, &actor, (id, &cards))?;
            Ok(id)
        });
        made.expect("a pool")
    }

    /// Midnight in China of a day, days from today.
    pub fn midnight(&self, days: i64) -> Timestamp {
        let zone = Zone::find("Asia/Shanghai").expect("a zone");
        zone.start_of_day(zone.day(self.trade.now()) + days)
    }
}

fn stock(trade: &Trade) {
    let changed = trade.engine.write(|tx, catalogue, how| {
        for (sid, account) in [(SID, ACME), (NORTH_SID, NORTH), (OTHER_SID, OTHER)] {
            tx.put_credential(DOOR, sid, account, &apikey(sid))?;
        }
        let chinese = catalogue.product_by_code("CN-1").expect("a product").id;
        tx.put_package(&package("CN-50M-7D", chinese, Kind::Quota, Span::Days(7), 50))?;
        for (iccid, msisdn, details) in [
            (CARD, MSISDN, r#"{"sbbh":"gate 7"}"#),
            (
                CHINESE,
                MSISDN_CN,
                r#"{"isxn":true,"apns":["CMIOT","M2MIOT"],"test_until":"2026-04-30T16:00:00Z","sleep_until":"2026-07-31T16:00:00Z"}"#,
            ),
            (FOREIGN, MSISDN_FOREIGN, "{}"),
        ] {
            let sim = tx.sim_by_iccid(&kachi_domain::account::Path::root(), iccid)?.expect("a card of this trade");
            sims::put(tx, catalogue, how, &Sim { msisdn: Some(msisdn.into()), details: details.into(), ..sim })?;
        }
        tx.touch_catalogue()?;
        Ok(())
    });
    changed.expect("keys and numbers");
}

/// Sells a month package of 1.00 a month and a package of 3 months at 5.00, both for `CHINESE`.
pub fn renewable(shop: &Shop) {
    let sold = shop.trade.engine.write(|tx, catalogue, _| {
        let product = catalogue.product_by_code("CN-1").expect("a product").id;
        let mut month = Package { price_minor: 100, ..package("CN-MONTH", product, Kind::Quota, Span::Months(1), 100) };
        (month.terms.category, month.terms.window) = (Category::Month, Window::CalendarMonth);
        tx.put_package(&month)?;
        tx.put_package(&package("CN-3MO", product, Kind::Quota, Span::Months(3), 500))?;
        tx.touch_catalogue()?;
        Ok(())
    });
    sold.expect("packages");
}

/// Templates of `ACME`: `T1` at 0.10 a part, `T2` that is not approved, `DEAR` that nobody can pay.
pub fn templates(shop: &Shop) {
    let set = shop.trade.engine.store().write(|tx| {
        for (code, approved, price_minor) in [("T1", true, 10), ("T2", false, 10), ("DEAR", true, 10_000_000)] {
            let (code, text, signature) = (code.to_owned(), "@1@用量剩余@2@".to_owned(), "【物联网卡运营平台】".to_owned());
            tx.put_sms_template(&Template { code, account: ACME, text, signature, price_minor, approved })?;
        }
        tx.touch_catalogue()
    });
    set.expect("templates");
}

/// Percent-encoded, every byte that is no letter or digit.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|b| if b.is_ascii_alphanumeric() { char::from(*b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn request(method: Method, path: &str, form: &str, peer: &str) -> Request<Body> {
    let peer = SocketAddr::new(peer.parse().expect("an address"), 40_000);
    let (method, uri, body) = match method {
        Method::Get => ("GET", format!("/iotapi/rest/v2/{path}?{form}"), String::new()),
        Method::Post => ("POST", format!("/iotapi/rest/v2/{path}"), form.to_owned()),
    };
    let request = Request::builder().method(method).uri(uri).extension(ConnectInfo(peer));
    // The source asks for this header; it names the character set.
    request.header(header::CONTENT_ENCODING, "utf-8").body(Body::from(body)).expect("a request")
}

async fn answered(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.expect("infallible");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json;charset=utf-8");
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 24).await.expect("a body");
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    let json = serde_json::from_str(&text).expect("JSON");
    Answer { status, text, json }
}
