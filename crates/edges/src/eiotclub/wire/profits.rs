//! Lines of outputApi/listProfitInfo.

use super::{Number, date, operator};
use kachi_domain::{Money, Timestamp};
use kachi_engine::Catalogue;
use kachi_engine::profits::ProfitLine;
use serde::Serialize;

/// A stretch of an account's profits.
#[derive(Serialize)]
pub struct Profits<'a> {
    /// Pages in all.
    pub total: i64,
    /// The lines.
    pub data: Vec<Profit<'a>>,
}

/// What an account earned on one sale, or what of it went back (`type` 2, amounts below zero).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profit<'a> {
    id: i64,
    iccid: &'a str,
    platform_id: i64,
    order_id: i64,
    pay_currency: &'a str,
    actual_price: Number,
    settle_currency: &'a str,
    income_money: Number,
    actual_profit: Number,
    child_profit: i64,
    company: &'a str,
    r#type: i64,
    create_date: String,
    mem: String,
    package_user_name: &'a str,
    package_code: &'a str,
    pay_rate: &'static str,
    renew: i64,
}

impl<'a> Profit<'a> {
    /// The line of `company`'s account.
    pub fn of(catalogue: &'a Catalogue, company: &'a str, line: &'a ProfitLine) -> Profit<'a> {
        let package = catalogue.package(line.package);
        let carrier = package.and_then(|p| catalogue.product(p.product)).map_or("", |p| &p.carrier);
        let name = package.map_or("", |p| if p.retail_name.is_empty() { &p.name } else { &p.retail_name });
        let number = |minor| Number::money(minor, line.currency);
        let went_back = line.minor < 0;
        let income = line.minor + line.child_minor;
        let words = Money { minor: income, currency: line.currency }.to_decimal();
        let act = if went_back { "Pkg Refund" } else { "Pkg Sell" };
        Profit {
            id: line.id,
            iccid: &line.iccid,
            platform_id: operator(carrier),
            order_id: line.order.0,
            pay_currency: line.currency.as_str(),
            actual_price: number(line.paid_minor),
            settle_currency: line.currency.as_str(),
            income_money: number(income),
            actual_profit: number(line.minor),
            child_profit: line.child_minor / 10_i64.pow(line.currency.exponent()),
            company,
            r#type: if went_back { 2 } else { 1 },
            create_date: date(Some(Timestamp(line.at))),
            mem: format!("【{act}】,{name},CardNo:{},IncomeBenefit:{words} {}", line.iccid, line.currency.as_str()),
            package_user_name: name,
            package_code: package.map_or("", |p| &p.code),
            pay_rate: "1",
            renew: line.renewal.into(),
        }
    }
}
