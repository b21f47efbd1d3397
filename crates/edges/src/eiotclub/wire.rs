//! Answers as they are written: names, types and order as published.
//!
//! A number that is published as `double` is computed from integers and written with at most as many decimals as it
//! has: `100`, `97.5`, `0.04`. Megabytes are bytes / 1,048,576, rounded down to two decimals. Dates are
//! `yyyy-MM-dd HH:mm:ss` in China time. What has no value is "" or 0 (QUIRKS.md).

mod acts;
mod cards;
mod cloudesim;
mod esim;
mod imei;
mod packages;
pub mod pools;
mod profits;
mod transfers;

pub use acts::{SmsName, SwitchOptions, TaskLine, TaskName, done, tasks};
pub use cards::{CardInfo, CardNumbers, Cards, Warning, Warnings, stage_of};
pub use cloudesim::{EidCard, EidCards, EidPlaced, EidRecord, EidRecords, EidStatus};
pub use esim::{EsimBought, EsimGoods, EsimStatus, RefundAmount};
pub use imei::Unlocked;
pub use packages::{List, OrderDetail, Package};
pub use profits::{Profit, Profits};
pub use transfers::{EidTransferred, Transferred};

use super::CHINA;
use super::errors::No;
use kachi_dialects::eiotclub::codes::{Language, SUCCESS, message};
use kachi_domain::money::decimal;
use kachi_domain::package::{Category, Kind, Resource, Terms};
use kachi_domain::{Currency, Money, Span, Timestamp};
use kachi_engine::Catalogue;
use kachi_engine::catalogue::Quote;
use kachi_engine::orders::{Placed, Record};
use kachi_engine::refunds::RefundQuote;
use serde::Serialize;
use serde_json::value::RawValue;

/// A whole answer.
#[derive(Serialize)]
struct Answer<'a, T> {
    code: Code,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    data: T,
}

/// A result code as most operations publish it, or as a few do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeAs {
    /// `"200"`
    Text,
    /// `200`
    Number,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Code {
    Text(String),
    Number(u32),
}

/// A good answer.
pub fn good(language: Language, data: &impl Serialize) -> String {
    write(CodeAs::Text, SUCCESS, language, None, data)
}

/// A good answer of an operation that publishes `code` as a number.
pub fn good_numbered(language: Language, data: &impl Serialize) -> String {
    write(CodeAs::Number, SUCCESS, language, None, data)
}

/// A good answer of an operation that has no `data`.
pub fn good_bare(language: Language) -> String {
    #[derive(Serialize)]
    struct Bare<'a> {
        code: String,
        message: &'a str,
    }
    let message = message(SUCCESS, language).unwrap_or_default();
    serde_json::to_string(&Bare { code: SUCCESS.to_string(), message }).expect("an answer can be written")
}

/// A good answer that counts what its list was taken from.
pub fn good_of(language: Language, total: i64, data: &impl Serialize) -> String {
    write(CodeAs::Text, SUCCESS, language, Some(total), data)
}

/// A refusal: `data` is null, but for a known partner number, where it names the order. `total` where the operation has one.
pub fn refusal(code_as: CodeAs, language: Language, no: &No, total: Option<i64>) -> String {
    let code = no.code();
    match no {
        No::Exists { order, number } => {
            write(code_as, code, language, total, &OrderName { order_number: number, order_id: *order })
        }
        No::Told { data, .. } => write(code_as, code, language, total, data),
        No::Code(_) | No::Stale | No::Fault(_) => write(code_as, code, language, total, &()),
    }
}

fn write<T: Serialize>(code_as: CodeAs, code: u32, language: Language, total: Option<i64>, data: &T) -> String {
    let message = message(code, language).unwrap_or_default();
    let code = match code_as {
        CodeAs::Text => Code::Text(code.to_string()),
        CodeAs::Number => Code::Number(code),
    };
    serde_json::to_string(&Answer { code, message, total, data }).expect("an answer can be written")
}

/// A number written from integers, without trailing zeros.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Number(Box<RawValue>);

impl Number {
    fn of(minor: i64, places: u32) -> Number {
        let text = decimal(minor, places);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        Number(RawValue::from_string(text.to_owned()).expect("digits are JSON"))
    }

    fn money(minor: i64, currency: Currency) -> Number {
        Number::of(minor, currency.exponent())
    }

    fn megabytes(bytes: i64) -> Number {
        Number::of(((i128::from(bytes.max(0)) * 100) >> 20) as i64, 2)
    }
}

/// Money as text, with at least two decimals: "retain two decimals" holds for yen too.
fn two_decimals(money: Money) -> String {
    let text = money.to_decimal();
    if text.contains('.') { text } else { text + ".00" }
}

fn date(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| CHINA.text(at))
}

fn bytes_of(terms: &Terms) -> i64 {
    let counts_bytes = matches!(terms.resource, Resource::Data | Resource::Nb) && terms.kind != Kind::Time;
    if counts_bytes { terms.allowance } else { 0 }
}

/// Bytes that can be used before a package ends, or stops the card; none of one without limit.
fn limit_of(terms: &Terms) -> i64 {
    if terms.category == Category::Postpaid { 0 } else { bytes_of(terms) }
}

/// card/product.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Product<'a> {
    /// Its code.
    pub product_code: &'a str,
}

/// A package that can be bought for a card.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer<'a> {
    operator: i64,
    package_code: &'a str,
    package_name: &'a str,
    product_code: &'a str,
    price: Number,
    package_type: i64,
    gzh_price: Number,
    gzh_package_name: &'a str,
    gzh_status: i64,
    flow_size: Number,
    period_size: u32,
    period_type: i64,
}

impl<'a> Offer<'a> {
    /// The package with what the account pays and asks; none if the catalogue has lost it.
    pub fn of(catalogue: &'a Catalogue, package: kachi_domain::PackageId, quote: &Quote) -> Option<Offer<'a>> {
        let package = catalogue.package(package)?;
        let product = catalogue.product(package.product)?;
        let (period_size, period_type) = period(package.terms.validity);
        Some(Offer {
            operator: operator(&product.carrier),
            package_code: &package.code,
            package_name: &package.name,
            product_code: &product.code,
            price: Number::money(quote.price_minor, package.currency),
            package_type: package.terms.kind.package_type(),
            gzh_price: Number::money(quote.retail_minor, package.currency),
            gzh_package_name: &package.retail_name,
            gzh_status: quote.listed.into(),
            flow_size: Number::megabytes(bytes_of(&package.terms)),
            period_size,
            period_type,
        })
    }
}

/// The source publishes one operator number only, 5 for international cards; ours for the rest follow its order of carriers.
fn operator(carrier: &str) -> i64 {
    match carrier {
        "CM" => 1,
        "CU" => 2,
        "CT" => 3,
        "CB" => 4,
        _ => 5,
    }
}

/// Validity and its unit: 1 months, 2 days.
fn period(validity: Span) -> (u32, i64) {
    match validity {
        Span::Months(n) => (n, 1),
        Span::Days(n) => (n, 2),
    }
}

/// What names an order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderName<'a> {
    order_number: &'a str,
    order_id: i64,
}

impl<'a> OrderName<'a> {
    /// Of an order just placed.
    pub fn of(placed: &'a Placed) -> OrderName<'a> {
        OrderName { order_number: &placed.number, order_id: placed.order.0 }
    }
}

/// One line of a card's order record.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordLine<'a> {
    order_id: i64,
    package_name: &'a str,
    package_code: &'a str,
    iccid: &'a str,
    state: i64,
    price: Number,
    currency: &'a str,
    create_date: String,
    update_date: String,
    start_date: String,
    end_date: String,
    flow_total: Number,
    flow_remain: Number,
    flow_usage_bytes: i64,
    gzh_package_name: &'a str,
    total_active: u32,
    renew: i64,
    package_type: i64,
    is_refund: i64,
    period_type: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_trade_no: Option<&'a str>,
}

impl<'a> RecordLine<'a> {
    /// The record of an order of this card.
    pub fn of(catalogue: &'a Catalogue, iccid: &'a str, record: &'a Record) -> RecordLine<'a> {
        let (order, sub) = (&record.order, &record.subscription);
        let package = catalogue.package(order.package);
        let (total_active, period_type) = period(sub.terms.validity);
        let total = limit_of(&sub.terms);
        RecordLine {
            order_id: order.id.0,
            package_name: package.map_or("", |p| &p.name),
            package_code: package.map_or("", |p| &p.code),
            iccid,
            state: sub.state.wire(),
            price: Number::money(order.paid_minor, order.currency),
            currency: order.currency.as_str(),
            create_date: date(Some(Timestamp(order.created_at))),
            update_date: date(Some(record.updated_at)),
            start_date: date(sub.started_at.map(Timestamp)),
            end_date: date(sub.ended_at.or(sub.ends_at).map(Timestamp)),
            flow_total: Number::megabytes(total),
            flow_remain: Number::megabytes(total.min(record.left_bytes)),
            flow_usage_bytes: record.used_bytes,
            gzh_package_name: package.map_or("", |p| &p.retail_name),
            total_active,
            renew: order.renewal.into(),
            package_type: sub.terms.kind.package_type(),
            is_refund: order.state.gave_back().into(),
            period_type,
            out_trade_no: order.out_trade_no.as_deref(),
        }
    }
}

/// package/queryPackage.
#[derive(Serialize)]
pub struct OrderStatus {
    /// 0 not yet, 1 done, -1 its money went back.
    pub status: i64,
}

/// package/queryRefundAmount.
#[derive(Serialize)]
pub struct Refundable<'a> {
    amount: String,
    amount_int: i64,
    currency: &'a str,
}

impl<'a> Refundable<'a> {
    /// What would be given back, with the currency's own decimals.
    pub fn of(quote: &'a RefundQuote) -> Refundable<'a> {
        let amount = Money { minor: quote.minor, currency: quote.currency }.to_decimal();
        Refundable { amount, amount_int: quote.minor, currency: quote.currency.as_str() }
    }
}

/// agent/balance.
#[derive(Serialize)]
pub struct Balance {
    balance: String,
    currency: String,
}

impl Balance {
    /// What may be spent.
    pub fn of(money: Money) -> Balance {
        Balance { currency: money.currency.to_string(), balance: two_decimals(money) }
    }
}

/// `data` of an act that has nothing to say.
#[derive(Serialize)]
pub struct Nothing {}

/// One line of cdr/traffic/query.
#[derive(Serialize)]
pub struct Traffic {
    /// The card.
    pub iccid: String,
    /// Bytes, as text.
    pub traffic: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_from_integers() {
        let json = |n: &Number| serde_json::to_string(n).unwrap();
        for (bytes, text) in [
            (0, "0"),
            (1, "0"),
            (10_485, "0"),
            (10_486, "0.01"),
            (104_857_600, "100"),
            (104_857_599, "99.99"),
            (1_572_864, "1.5"),
            (i64::MAX, "8796093022207.99"),
            (-5, "0"),
        ] {
            assert_eq!(json(&Number::megabytes(bytes)), text, "{bytes}");
        }
        assert_eq!(json(&Number::money(130, Currency::USD)), "1.3");
        assert_eq!(json(&Number::money(9_007_199_254_740_993, Currency::USD)), "90071992547409.93");
        let jpy = Currency::parse("JPY").unwrap();
        assert_eq!(json(&Number::money(120, jpy)), "120");
        assert_eq!(two_decimals(Money { minor: -5, currency: Currency::USD }), "-0.05");
        assert_eq!(two_decimals(Money { minor: 120, currency: jpy }), "120.00");
    }
}
