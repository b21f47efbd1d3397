//! Pools as this wire has them: bytes and epoch seconds as integers; what has no value is 0 or "".

use kachi_domain::order::SubscriptionState;
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::{Span, Timestamp};
use kachi_engine::Catalogue;
use kachi_engine::pools::{Offer, PoolRecord, View};
use serde::Serialize;

/// `data` of every list.
#[derive(Serialize)]
pub struct List<T> {
    /// Its lines.
    pub list: Vec<T>,
}

/// A type of pool that can be bought.
#[derive(Serialize)]
pub struct TypeLine<'a> {
    pool_type_code: &'a str,
    pool_lines: i64,
    total_active: i64,
    total_data: i64,
}

impl<'a> TypeLine<'a> {
    /// Of a type; none if the catalogue has lost it.
    pub fn of(catalogue: &'a Catalogue, offer: &Offer) -> Option<TypeLine<'a>> {
        let package = catalogue.package(offer.package)?;
        Some(TypeLine {
            pool_type_code: &package.code,
            pool_lines: offer.slots,
            total_active: days(package.terms.validity),
            total_data: package.terms.allowance,
        })
    }
}

/// Types are sold in days (`kachi apply` knows no other); a month would be 30.
fn days(validity: Span) -> i64 {
    match validity {
        Span::Days(n) => n.into(),
        Span::Months(n) => i64::from(n) * 30,
    }
}

/// What names a pool; 0 is none.
#[derive(Serialize)]
pub struct PoolName {
    /// Its number.
    pub pool_object_id: i64,
}

/// A pool as it is now.
#[derive(Serialize)]
pub struct PoolLine<'a> {
    pool_object_id: i64,
    pool_lines: i64,
    used_pool_lines: i64,
    total: i64,
    remain: i64,
    total_active: i64,
    available_days: i64,
    expire_timestamp: i64,
    status: i64,
    create_at: i64,
    memo: &'a str,
}

impl<'a> PoolLine<'a> {
    /// Of a pool at the instant: figures of the subscription in use, 0 where none is. Days that have begun count.
    pub fn of(view: &'a View, now: Timestamp) -> PoolLine<'a> {
        let active = view.active.as_ref();
        let end = active.and_then(|l| l.running).map(|(_, end)| end);
        let seconds_left = end.map_or(0, |end| end.since(now).max(0));
        PoolLine {
            pool_object_id: view.pool.id.0,
            pool_lines: view.pool.slots,
            used_pool_lines: view.members,
            total: active.map_or(0, |l| l.terms.allowance),
            remain: active.and_then(|l| l.left()).unwrap_or(0),
            total_active: active.map_or(0, |l| days(l.terms.validity)),
            available_days: (seconds_left + DAY_SECONDS - 1) / DAY_SECONDS,
            expire_timestamp: end.map_or(0, |end| end.0),
            status: match (active, view.over.is_some()) {
                (Some(_), _) => 2,
                (None, true) => -1,
                (None, false) => 1,
            },
            create_at: view.pool.created_at,
            memo: &view.pool.memo,
        }
    }
}

/// What names an order here.
#[derive(Serialize)]
pub struct OrderNo<'a> {
    /// Its long number.
    pub order_no: &'a str,
}

/// A subscription of a pool.
#[derive(Serialize)]
pub struct RecordLine<'a> {
    pool_record_id: i64,
    /// Its order.
    pub order_no: &'a str,
    /// The partner's own number.
    pub out_trade_no: &'a str,
    /// Its type.
    pub pool_type_code: &'a str,
    /// 2 waiting, 3 in use, -1 over, -2 taken back.
    pub status_code: i64,
    /// The end of its validity, or its real end once it is over.
    pub expire_timestamp: i64,
    /// In use since.
    pub active_timestamp: i64,
    total: i64,
    used: i64,
    /// When it was bought.
    pub create_at: i64,
}

impl<'a> RecordLine<'a> {
    /// Of a subscription with its order.
    pub fn of(catalogue: &'a Catalogue, record: &'a PoolRecord) -> RecordLine<'a> {
        let (order, sub) = (&record.order, &record.subscription);
        RecordLine {
            pool_record_id: sub.id.0,
            order_no: &order.number,
            out_trade_no: order.out_trade_no.as_deref().unwrap_or_default(),
            pool_type_code: catalogue.package(order.package).map_or("", |p| &p.code),
            status_code: match sub.state {
                SubscriptionState::Pending => 0,
                SubscriptionState::Waiting => 2,
                SubscriptionState::Active => 3,
                SubscriptionState::Ended if sub.refunded_at.is_none() => -1,
                SubscriptionState::Ended | SubscriptionState::Void => -2,
            },
            expire_timestamp: sub.ended_at.or(sub.ends_at).unwrap_or(0),
            active_timestamp: sub.started_at.unwrap_or(0),
            total: sub.terms.allowance,
            used: record.used_bytes,
            create_at: order.created_at,
        }
    }
}

/// A card of a list.
#[derive(Serialize)]
pub struct CardName {
    /// Its number.
    pub iccid: String,
}

/// A card in a pool.
#[derive(Serialize)]
pub struct MemberLine {
    /// Its number.
    pub iccid: String,
    /// Since when.
    pub create_at: i64,
}
