//! CDR files on their way to customers, on SQLite and on PostgreSQL: what they name, what becomes of them when the server
//! on the far side fails, and the same against servers that others wrote.

#[path = "cdr_delivery/content.rs"]
mod content;
#[path = "cdr_delivery/faults.rs"]
mod faults;
#[path = "cdr_delivery/password.rs"]
mod password;
#[path = "cdr_delivery/real.rs"]
mod real;

use kachi_domain::cdr::delivery::{Protocol, Target};
use kachi_domain::{AccountId, PlatformId, Timestamp, Zone};
use kachi_edges::outbound::{Network, Outbound};
use kachi_edges::upload::Uploader;
use kachi_engine::cdr_deliveries::{self, CdrDelivery};
use kachi_engine::import;
use kachi_store::Store;
use kachi_testkit::ftp::{PASSWORD, Server};
use kachi_testkit::trade::{OPERATOR, Trade};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A trade whose CDR files go out.
pub struct Post {
    /// The trade.
    pub trade: Trade,
    /// The worker.
    pub uploader: Uploader,
    runtime: Runtime,
}

impl Post {
    /// At a half hour whose files, none, are made.
    pub fn new(store: Store) -> Post {
        let trade = Trade::build(store);
        let loopback = ["127.0.0.1", "::1"].map(|n| Network::parse(n).expect("a network"));
        let outbound = Outbound::new(loopback.to_vec());
        // Far from the tokens that tests write down.
        let next = AtomicU64::new(2_000_000);
        let random = Arc::new(move || next.fetch_add(2, Ordering::Relaxed));
        let uploader = Uploader { outbound, timeout: Duration::from_secs(30), random };
        let post = Post { trade, uploader, runtime: Post::runtime() };
        assert_eq!(post.make(), 1, "the first look begins at the half hour it is in");
        post
    }

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().expect("a runtime")
    }

    /// Gives the account a folder.
    pub fn folder(&self, account: AccountId, target: &Target) {
        let target = target.clone();
        let put = self.trade.engine.write(move |tx, _, how| Ok(tx.put_cdr_target(account, &target, how.now)?));
        put.expect("the folder");
    }

    /// Makes the half hours that have come; the answer is how many.
    pub fn make(&self) -> usize {
        (0..).find(|_| cdr_deliveries::make_due(&self.trade.engine).expect("half hours") == 0).expect("an end")
    }

    /// Uploads what is due; the answer is how many attempts.
    pub fn upload(&self) -> usize {
        let step = || self.runtime.block_on(self.uploader.step(&self.trade.engine)).expect("a step");
        (0..).find(|_| step() == 0).expect("an end")
    }

    /// So many records of a card, numbered from 1, that stopped at the instant, in one file.
    pub fn traffic_many(&self, iccid: &str, stop: Timestamp, records: i64) {
        let utc = Zone::find("UTC").expect("a zone");
        let (from, to) = (utc.text(stop.plus(-60)), utc.text(stop));
        let lines: String = (1..=records).map(|id| format!("{id},{from},{to},{iccid},460001234567890,1,,31026\n")).collect();
        let mut content = Cursor::new(lines);
        let report = import::import(&self.trade.engine, PlatformId(1), "many.csv", &mut content, &mut |_| {}).expect("an import");
        assert_eq!(report.loaded, records, "{report:?}");
    }

    /// Waits for what a server of the test does.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The next half hour: its files are made and uploaded.
    pub fn half_hour(&self) {
        self.trade.pass(1800);
        assert_eq!(self.make(), 1);
        self.upload();
    }

    /// Deliveries, the oldest first.
    pub fn deliveries(&self) -> Vec<CdrDelivery> {
        let mut rows = cdr_deliveries::newest(&self.trade.engine, OPERATOR, None, 1000).expect("deliveries");
        rows.reverse();
        rows
    }

    /// The newest delivery.
    pub fn last(&self) -> CdrDelivery {
        self.deliveries().pop().expect("a delivery")
    }
}

/// The folder on the test's own server.
pub fn target(server: &Server) -> Target {
    Target {
        protocol: if server.fingerprint.is_empty() { Protocol::Ftp } else { Protocol::FtpsImplicit },
        host: server.address.ip().to_string(),
        port: server.address.port(),
        user: "u".into(),
        password: PASSWORD.into(),
        private_key: String::new(),
        directory: "/upload".into(),
        fingerprint: server.fingerprint.clone(),
    }
}
