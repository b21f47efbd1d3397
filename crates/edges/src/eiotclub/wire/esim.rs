//! eSIM goods and their orders.

use super::packages::Package;
use kachi_engine::Catalogue;
use kachi_engine::esim::EsimOrder;
use kachi_engine::refunds::RefundQuote;
use serde::Serialize;

/// A line of esim/goods: the price in minor units.
#[derive(Serialize)]
pub struct EsimGoods<'a> {
    code: &'a str,
    name: &'a str,
    price: i64,
    package: Package<'a>,
}

impl<'a> EsimGoods<'a> {
    /// Goods by their code; none if the catalogue has lost them.
    pub fn of(
        catalogue: &'a Catalogue,
        code: &'a str,
        name: &'a str,
        package: kachi_domain::PackageId,
        price: i64,
    ) -> Option<Self> {
        Some(EsimGoods { code, name, price, package: Package::with_goods(catalogue, package)? })
    }
}

/// esim/purchase. The card and its code are empty while the carrier has not confirmed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EsimBought {
    order_id: String,
    iccid: String,
    activation_code: String,
}

impl EsimBought {
    /// The order just placed, or the one that has the partner's number.
    pub fn of(order: &EsimOrder) -> EsimBought {
        let (iccid, activation_code) = order.profile.clone().unwrap_or_default();
        EsimBought { order_id: order.order.to_string(), iccid, activation_code }
    }

    /// An order that is no eSIM's, under the partner's number.
    pub fn of_other(order: i64) -> EsimBought {
        EsimBought { order_id: order.to_string(), iccid: String::new(), activation_code: String::new() }
    }
}

/// esim/orderStatus. The card and its code are told of a done order only.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EsimStatus {
    status: i64,
    iccid: String,
    activation_code: String,
}

impl EsimStatus {
    /// Where the order stands.
    pub fn of(order: EsimOrder) -> EsimStatus {
        let (iccid, activation_code) = order.profile.unwrap_or_default();
        EsimStatus { status: order.state.esim_wire(), iccid, activation_code }
    }
}

/// What would be given back, minor units.
#[derive(Serialize)]
pub struct RefundAmount<'a> {
    amount: i64,
    currency: &'a str,
}

impl<'a> RefundAmount<'a> {
    /// Of a quote.
    pub fn of(quote: &'a RefundQuote) -> RefundAmount<'a> {
        RefundAmount { amount: quote.minor, currency: quote.currency.as_str() }
    }
}
