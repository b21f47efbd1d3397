//! Cards known by EID and what is bought for them; usage in bytes.

use super::cards::{allowance, card_status, left, text};
use super::{Number, date, limit_of, period};
use kachi_domain::Timestamp;
use kachi_domain::rating::Live;
use kachi_engine::Catalogue;
use kachi_engine::cloudesim::EidOrder;
use kachi_engine::orders::{Placed, Record};
use kachi_engine::pools::CardFigures;
use kachi_engine::sims::Card;
use serde::Serialize;

/// A card, alone or in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EidCard<'a> {
    eid: &'a str,
    activate_date: String,
    card_status: &'static str,
    current_pkg_remain_bytes: i64,
    current_pkg_used_bytes: i64,
    current_pkg_total_bytes: i64,
    total_flow_bytes: i64,
    remain_flow_bytes: i64,
    expected_end_date: String,
    product_code: &'a str,
    package_end_date: String,
    package_code: &'a str,
    package_type: i64,
    package_name: &'a str,
}

impl<'a> EidCard<'a> {
    /// The card as it is now.
    pub fn of(catalogue: &'a Catalogue, card: &'a Card) -> EidCard<'a> {
        let (sim, state, used) = (&card.sim, &card.state, card.in_use());
        let product = catalogue.product(sim.product);
        let package = used.and_then(|l| catalogue.package(l.package));
        let sum = |part: fn(&Live) -> i64| state.live.iter().map(part).fold(0, i64::saturating_add);
        EidCard {
            eid: text(&sim.eid),
            activate_date: date(sim.activated_at.map(Timestamp)),
            card_status: card_status(card.base_state(), card.blocks(), product.is_some_and(|p| p.bare_use)),
            current_pkg_remain_bytes: used.map_or(0, left),
            current_pkg_used_bytes: used.map_or(0, |l| l.window_used),
            current_pkg_total_bytes: used.map_or(0, allowance),
            total_flow_bytes: sum(allowance),
            remain_flow_bytes: sum(left),
            expected_end_date: date(state.last_paying_end(catalogue.zone(sim.account))),
            product_code: product.map_or("", |p| &p.code),
            package_end_date: date(used.and_then(|l| l.running).map(|(_, end)| end)),
            package_code: package.map_or("", |p| &p.code),
            package_type: used.map_or(0, |l| l.terms.kind.package_type()),
            package_name: package.map_or("", |p| &p.name),
        }
    }

    /// With what its pool has for the card, which burns first: the total and what is left of it are the pool's then.
    pub fn pooled(self, figures: Option<&CardFigures>) -> EidCard<'a> {
        let Some(pool) = figures.and_then(|f| f.supply) else { return self };
        EidCard { total_flow_bytes: pool.total_bytes, remain_flow_bytes: pool.left_bytes, ..self }
    }
}

/// A page of cards.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EidCards<'a> {
    /// The cards.
    pub card_info_list: Vec<EidCard<'a>>,
    /// Pages in all.
    pub total_page: i64,
}

/// One line of a card's order record.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EidRecord<'a> {
    eid: &'a str,
    order_id: i64,
    eshop_order_id: i64,
    package_name: &'a str,
    package_code: &'a str,
    package_type: i64,
    gzh_package_name: &'a str,
    state: i64,
    price: Number,
    currency: &'a str,
    create_date: String,
    start_date: String,
    end_date: String,
    total_active: u32,
    period_type: i64,
    flow_total_bytes: i64,
    flow_remain_bytes: i64,
    renew: i64,
    is_refund: i64,
}

impl<'a> EidRecord<'a> {
    /// The record of an order of this card.
    pub fn of(catalogue: &'a Catalogue, eid: &'a str, record: &'a Record) -> EidRecord<'a> {
        let (order, sub) = (&record.order, &record.subscription);
        let package = catalogue.package(order.package);
        let (total_active, period_type) = period(sub.terms.validity);
        let total = limit_of(&sub.terms);
        EidRecord {
            eid,
            order_id: order.id.0,
            eshop_order_id: order.id.0,
            package_name: package.map_or("", |p| &p.name),
            package_code: package.map_or("", |p| &p.code),
            package_type: sub.terms.kind.package_type(),
            gzh_package_name: package.map_or("", |p| &p.retail_name),
            state: sub.state.wire(),
            price: Number::money(order.paid_minor, order.currency),
            currency: order.currency.as_str(),
            create_date: date(Some(Timestamp(order.created_at))),
            start_date: date(sub.started_at.map(Timestamp)),
            end_date: date(sub.ended_at.or(sub.ends_at).map(Timestamp)),
            total_active,
            period_type,
            flow_total_bytes: total,
            flow_remain_bytes: total.min(record.left_bytes),
            renew: order.renewal.into(),
            is_refund: order.state.gave_back().into(),
        }
    }
}

/// A stretch of a card's order record.
#[derive(Serialize)]
pub struct EidRecords<'a> {
    /// The lines.
    pub list: Vec<EidRecord<'a>>,
    /// Lines in all.
    pub total: i64,
}

/// cloudesim/purchase, and the order that has a repeated number.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EidPlaced<'a> {
    /// The partner's own number.
    pub out_trade_no: &'a str,
    /// The order's long number.
    pub order_id: &'a str,
    /// Its number.
    pub eshop_order_id: i64,
}

impl<'a> EidPlaced<'a> {
    /// An order just placed.
    pub fn of(out_trade_no: &'a str, placed: &'a Placed) -> EidPlaced<'a> {
        EidPlaced { out_trade_no, order_id: &placed.number, eshop_order_id: placed.order.0 }
    }
}

/// cloudesim/orderStatus.
#[derive(Serialize)]
pub struct EidStatus {
    status: i64,
    eid: String,
}

impl EidStatus {
    /// Where the order stands.
    pub fn of(order: EidOrder) -> EidStatus {
        EidStatus { status: order.state.esim_wire(), eid: order.eid }
    }
}
