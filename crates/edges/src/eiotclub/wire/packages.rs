//! Packages with the zone they work in, and orders looked up by their numbers.

use super::{Number, bytes_of, date, limit_of, period};
use kachi_domain::coverage::{Country, Coverage, Operator};
use kachi_domain::{PackageId, Timestamp};
use kachi_engine::Catalogue;
use kachi_engine::catalogue::Quote;
use kachi_engine::orders::Record;
use serde::Serialize;

/// A zone, its pictures only where the operation publishes them.
#[derive(Serialize)]
struct Zone<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    img: Option<&'a str>,
    countries: Vec<ZoneCountry<'a>>,
}

#[derive(Serialize)]
struct ZoneCountry<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    img: Option<&'a str>,
    operators: Vec<ZoneOperator<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ZoneOperator<'a> {
    name: &'a str,
    network_type: &'a str,
}

impl<'a> Zone<'a> {
    fn of(coverage: &'a Coverage, pictures: bool) -> Zone<'a> {
        let img = |img: &'a str| pictures.then_some(img);
        let operator = |o: &'a Operator| ZoneOperator { name: &o.name, network_type: &o.network_type };
        let country = |c: &'a Country| ZoneCountry {
            name: &c.name,
            img: img(&c.img),
            operators: c.operators.iter().map(operator).collect(),
        };
        Zone { name: &coverage.name, img: img(&coverage.img), countries: coverage.countries.iter().map(country).collect() }
    }
}

/// A package as one operation or another publishes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Package<'a> {
    package_code: &'a str,
    package_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<i64>,
    package_type: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_size_bytes: Option<i64>,
    period_size: u32,
    period_type: i64,
    zone: Zone<'a>,
}

impl<'a> Package<'a> {
    /// As package/queryOrderPackageByPackageCode writes it; none if the catalogue has lost it.
    pub fn alone(catalogue: &'a Catalogue, id: PackageId) -> Option<Package<'a>> {
        Package::of(catalogue, id, false)
    }

    /// As package/listOrderPackageByProduct writes it: the price in minor units.
    pub fn listed(catalogue: &'a Catalogue, id: PackageId, quote: &Quote) -> Option<Package<'a>> {
        Some(Package { price: Some(quote.price_minor), ..Package::of(catalogue, id, true)? })
    }

    /// As cloudesim/pkg/list writes it: the price in minor units, the size in bytes.
    pub fn in_bytes(catalogue: &'a Catalogue, id: PackageId, quote: &Quote) -> Option<Package<'a>> {
        let bytes = bytes_of(&catalogue.package(id)?.terms);
        let sized = Package { flow_size: None, flow_size_bytes: Some(bytes), ..Package::with_goods(catalogue, id)? };
        Some(Package { price: Some(quote.price_minor), ..sized })
    }

    /// As esim/goods writes it.
    pub fn with_goods(catalogue: &'a Catalogue, id: PackageId) -> Option<Package<'a>> {
        let product = catalogue.product(catalogue.package(id)?.product)?;
        Some(Package { product_code: Some(&product.code), ..Package::of(catalogue, id, true)? })
    }

    fn of(catalogue: &'a Catalogue, id: PackageId, pictures: bool) -> Option<Package<'a>> {
        let package = catalogue.package(id)?;
        let (period_size, period_type) = period(package.terms.validity);
        Some(Package {
            package_code: &package.code,
            package_name: &package.name,
            product_code: None,
            price: None,
            package_type: package.terms.kind.package_type(),
            flow_size: Some(bytes_of(&package.terms) >> 20),
            flow_size_bytes: None,
            period_size,
            period_type,
            zone: Zone::of(catalogue.coverage(package.product)?, pictures),
        })
    }
}

/// `data` with nothing but a list.
#[derive(Serialize)]
pub struct List<T> {
    /// The list.
    pub list: Vec<T>,
}

/// One line of package/getOrderPackageDetails.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderDetail<'a> {
    order_number: &'a str,
    out_trade_no: &'a str,
    iccid: &'a str,
    package_code: &'a str,
    price: Number,
    currency: &'a str,
    state: i64,
    total_active: u32,
    flow_total: Number,
    package_name: &'a str,
    package_type: i64,
    create_date: String,
    renew: i64,
    period_type: i64,
    is_refund: i64,
    start_date: String,
    end_date: String,
    flow_remain: Number,
    gzh_package_name: &'a str,
}

impl<'a> OrderDetail<'a> {
    /// The order of a card.
    pub fn of(catalogue: &'a Catalogue, iccid: &'a str, record: &'a Record) -> OrderDetail<'a> {
        let (order, sub) = (&record.order, &record.subscription);
        let package = catalogue.package(order.package);
        let (total_active, period_type) = period(sub.terms.validity);
        let total = limit_of(&sub.terms);
        OrderDetail {
            order_number: &order.number,
            out_trade_no: order.out_trade_no.as_deref().unwrap_or_default(),
            iccid,
            package_code: package.map_or("", |p| &p.code),
            price: Number::money(order.paid_minor, order.currency),
            currency: order.currency.as_str(),
            state: sub.state.wire(),
            total_active,
            flow_total: Number::megabytes(total),
            package_name: package.map_or("", |p| &p.name),
            package_type: sub.terms.kind.package_type(),
            create_date: date(Some(Timestamp(order.created_at))),
            renew: order.renewal.into(),
            period_type,
            is_refund: order.state.gave_back().into(),
            start_date: date(sub.started_at.map(Timestamp)),
            end_date: date(sub.ended_at.or(sub.ends_at).map(Timestamp)),
            flow_remain: Number::megabytes(total.min(record.left_bytes)),
            gzh_package_name: package.map_or("", |p| &p.retail_name),
        }
    }
}
