//! Answers as they are written: names, types and order as published; where table and example of the source spell a name
//! differently, both are there.
//!
//! Bytes are told in kb (bytes / 1024, rounded down to two decimals) and money in yuan, as numbers computed from integers.
//! Dates are `yyyy-MM-dd` in China time. What has no value is "" or 0 (QUIRKS.md).

mod cards;
mod customers;
mod messages;

pub use cards::{CardInDebt, Cards, CurrentUse, DayUse, Detail, ListedCard, Package, Packages, Page, PastUse, Usages, mno};
pub use customers::{Customer, PoolLine, Pools};
pub use messages::{Handed, Replies, ReplyLine, ReportLine, Reports};

use super::CHINA;
use super::errors::No;
use kachi_dialects::cardboss::codes::{SUCCESS, message};
use kachi_domain::Timestamp;
use kachi_domain::money::decimal;
use kachi_engine::renewals::Renewed;
use serde::Serialize;
use serde_json::value::RawValue;

/// A whole answer.
#[derive(Serialize)]
struct Answer<'a, T> {
    code: &'a str,
    msg: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<T>,
}

/// A good answer with a `result`.
pub fn good(result: &impl Serialize) -> String {
    write(SUCCESS, "", None, Some(result))
}

/// A good answer with a `customer`.
pub fn customer(customer: &Customer<'_>) -> String {
    write(SUCCESS, "", Some(customer), None)
}

/// A good answer that has nothing to say.
pub fn done() -> String {
    write::<()>(SUCCESS, "", None, None)
}

/// A good answer with something that is to be known of it.
pub fn done_but(detail: &str) -> String {
    write::<()>(SUCCESS, detail, None, None)
}

/// A carrier's own refusal.
#[derive(Serialize)]
struct Passed<'a> {
    status: &'a str,
    message: &'a str,
    result: [(); 0],
}

/// A refusal. One of a renewal has a `result` that names no order.
pub fn refusal(no: &No) -> String {
    match no {
        No::NotRenewed { msisdn, at, .. } => write(no.code(), no.detail(), None, Some(&Renewal::none(msisdn, *at))),
        No::Passed { status, message } => {
            let passed = Passed { status, message, result: [] };
            serde_json::to_string(&passed).expect("an answer can be written")
        }
        _ => write::<()>(no.code(), no.detail(), None, None),
    }
}

/// card/pkg/renew.
#[derive(Serialize)]
pub struct Renewal<'a> {
    msisdn: &'a str,
    orderid: &'a str,
    ordertime: String,
    orderamount: Number,
}

impl<'a> Renewal<'a> {
    /// A renewal that was ordered.
    pub fn of(renewed: &'a Renewed) -> Renewal<'a> {
        let orderamount = Number::money(renewed.amount.minor, renewed.amount.currency.exponent());
        Renewal { msisdn: &renewed.msisdn, orderid: &renewed.number, ordertime: CHINA.text(renewed.at), orderamount }
    }

    fn none(msisdn: &'a str, at: Timestamp) -> Renewal<'a> {
        Renewal { msisdn, orderid: "", ordertime: CHINA.text(at), orderamount: Number::Whole(0) }
    }
}

fn write<T: Serialize>(code: u32, detail: &str, customer: Option<&T>, result: Option<&T>) -> String {
    let answer = Answer { code: &code.to_string(), msg: message(code).unwrap_or_default(), detail, customer, result };
    serde_json::to_string(&answer).expect("an answer can be written")
}

/// A number written from an integer, with no more decimals than it has.
#[derive(Debug, Clone)]
pub enum Number {
    /// A whole one.
    Whole(i64),
    /// One with decimals.
    Decimal(Box<RawValue>),
}

impl Number {
    /// Bytes as kb.
    pub fn kb(bytes: i64) -> Number {
        let bytes = bytes.max(0);
        if bytes % 1024 == 0 {
            return Number::Whole(bytes / 1024);
        }
        let hundredths = i64::try_from(i128::from(bytes) * 100 / 1024).unwrap_or(i64::MAX);
        Number::of(hundredths, 2)
    }

    /// Minor units, of which a hundred (or as many as the currency has) are one.
    pub fn money(minor: i64, places: u32) -> Number {
        Number::of(minor, places)
    }

    fn of(minor: i64, places: u32) -> Number {
        let text = decimal(minor, places);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        match text.parse() {
            Ok(whole) => Number::Whole(whole),
            Err(_) => Number::Decimal(RawValue::from_string(text.to_owned()).expect("a number is JSON")),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Number::Whole(n) => serializer.serialize_i64(*n),
            Number::Decimal(raw) => raw.serialize(serializer),
        }
    }
}

/// Seconds of voice as minutes, one that has begun counting whole.
pub fn minutes(seconds: i64) -> i64 {
    seconds.max(0) / 60 + i64::from(seconds > 0 && seconds % 60 != 0)
}

/// `yyyy-MM-dd` in China time; empty of no instant.
pub fn date(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |t| CHINA.date(t))
}

/// A text that may not be known.
pub fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_from_integers() {
        let json = |n: Number| serde_json::to_string(&n).unwrap();
        for (bytes, text) in
            [(0, "0"), (1023, "0.99"), (1024, "1"), (1025, "1"), (1536, "1.5"), (-5, "0"), (i64::MAX, "9007199254740991.99")]
        {
            assert_eq!(json(Number::kb(bytes)), text, "{bytes}");
        }
        assert_eq!(json(Number::money(2880, 2)), "28.8");
        assert_eq!(json(Number::money(-160, 2)), "-1.6");
        assert_eq!(json(Number::money(120, 0)), "120");
        assert_eq!(json(Number::money(i64::MIN, 2)), "-92233720368547758.08");
    }
}
