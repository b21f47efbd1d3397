//! A world with pool types, and pools in it as ACME has them.

use kachi_domain::order::Channel;
use kachi_domain::package::{Category, Fulfil, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::{AccountId, Currency, Iccid, PackageId, PoolId, Span};
use kachi_engine::orders::Placed;
use kachi_engine::pools::{self, Create, PoolRecord, Subscribe, View, Which};
use kachi_engine::{Fail, Result};
use kachi_store::catalogue::Package;
use kachi_testkit::world::{ACME, MB, World};
use std::sync::atomic::{AtomicU64, Ordering};

/// Types of pool: (code, slots, MB, validity, price in cents).
const TYPES: &[(&str, i64, i64, Span, i64)] = &[
    ("P100-7D", 2, 100, Span::Days(7), 500),
    ("P30-2D", 2, 30, Span::Days(2), 200),
    ("P60-1MO", 2, 60, Span::Months(1), 300),
    ("P100-7D-WIDE", 5, 100, Span::Days(7), 900),
];

static MADE: AtomicU64 = AtomicU64::new(1);

/// Puts the types into the world's catalogue.
pub fn stock(w: &World) {
    w.engine
        .write(|tx, catalogue, _| {
            let product = catalogue.product_by_code("1US-1").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
            for (code, slots, mb, validity, price) in TYPES {
                tx.put_package(&Package {
                    id: PackageId(0),
                    code: (*code).into(),
                    name: (*code).into(),
                    retail_name: String::new(),
                    product,
                    terms: Terms {
                        kind: Kind::Quota,
                        category: Category::Long,
                        resource: Resource::Data,
                        allowance: mb * MB,
                        validity: *validity,
                        window: Window::Whole,
                    },
                    start: StartRule::Queue,
                    fulfil: Fulfil::Local,
                    price_minor: *price,
                    retail_minor: *price,
                    currency: Currency::USD,
                    listed: false,
                    stack_max: 24,
                    speed_kbps: None,
                    carrier_code: None,
                })?;
                let id = tx.packages()?.iter().find(|p| p.code == *code).map_or(PackageId(0), |p| p.id);
                tx.put_pool_type(id, *slots)?;
            }
            Ok(tx.touch_catalogue()?)
        })
        .expect("pool types");
}

/// ACME makes a pool.
pub fn create(w: &World, type_code: &str, member_cap_bytes: Option<i64>) -> PoolId {
    let actor = w.actor(ACME);
    let cmd = Create { type_code: type_code.into(), member_cap_bytes, ..Create::default() };
    w.engine.write(move |tx, c, how| pools::create(tx, c, how, &actor, &cmd)).expect("a pool")
}

/// ACME buys for a pool.
pub fn subscribe(w: &World, pool: PoolId, type_code: &str, out_trade_no: &str) -> Result<Placed> {
    let actor = w.actor(ACME);
    let cmd = Subscribe {
        pool,
        type_code: type_code.into(),
        out_trade_no: out_trade_no.into(),
        channel: Channel::Api,
        number: format!("pool-{}", MADE.fetch_add(1, Ordering::SeqCst)),
    };
    w.engine.write(move |tx, c, how| pools::subscribe(tx, c, how, &actor, &cmd))
}

/// ACME takes a subscription back.
pub fn unsubscribe(w: &World, pool: PoolId, out_trade_no: &str) -> Result<()> {
    let actor = w.actor(ACME);
    let which = Which { out_trade_no: Some(out_trade_no.into()), number: None };
    w.engine.write(move |tx, c, how| pools::unsubscribe(tx, c, how, &actor, (pool, &which)))
}

fn iccids(cards: &[u64]) -> Vec<Iccid> {
    cards.iter().map(|n| World::iccid(*n)).collect()
}

/// Cards join.
pub fn add(w: &World, pool: PoolId, cards: &[u64]) -> Result<()> {
    let (actor, list) = (w.actor(ACME), iccids(cards));
    w.engine.write(move |tx, c, how| pools::add(tx, c, how, &actor, (pool, &list)))
}

/// Cards leave.
pub fn remove(w: &World, pool: PoolId, cards: &[u64]) -> Result<()> {
    let (actor, list) = (w.actor(ACME), iccids(cards));
    w.engine.write(move |tx, c, how| pools::remove(tx, c, how, &actor, (pool, &list)))
}

/// A pool as an account sees it now.
pub fn view(w: &World, account: AccountId, pool: PoolId) -> Option<View> {
    let (actor, now) = (w.actor(account), w.now());
    w.engine.read(|tx, c| pools::list(tx, c, &actor, (Some(&[pool.0]), None), now)).expect("pools").pop()
}

/// What was bought for a pool.
pub fn records(w: &World, pool: PoolId) -> Vec<PoolRecord> {
    let (actor, now) = (w.actor(ACME), w.now());
    w.engine.read(|tx, c| pools::records(tx, c, &actor, pool, now)).expect("records")
}
