//! The account and its pools.

use super::{Number, text};
use crate::cardboss::{CHINA, DOOR};
use kachi_engine::Catalogue;
use kachi_engine::catalogue::AccountInfo;
use kachi_engine::figures::{PoolFigures, Standing};
use serde::{Deserialize, Serialize};

/// The signature of messages to people where the account has none of its own.
const SIGNATURE: &str = "【物联网卡运营平台】";

/// What `apply` keeps of whom to speak to.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Contact {
    phone: String,
    linkman: String,
    warning_mails: String,
    warning_phones: String,
    extcode: String,
    signature: Option<String>,
}

/// customer/get.
#[derive(Serialize)]
pub struct Customer<'a> {
    sid: &'a str,
    name: &'a str,
    telephone: String,
    status: &'static str,
    balance: Number,
    extcode: String,
    loginname: &'a str,
    linkman: String,
    warningmails: String,
    warningphones: String,
    signature: String,
    cardqty: i64,
}

impl<'a> Customer<'a> {
    /// The account that asks by its sid.
    pub fn of(sid: &'a str, info: &'a AccountInfo, standing: &'a Standing) -> Customer<'a> {
        let contact: Contact = serde_json::from_str(&info.account.contact).unwrap_or_default();
        Customer {
            sid,
            name: &info.account.name,
            telephone: contact.phone,
            status: "1",
            balance: Number::money(standing.balance.minor, standing.balance.currency.exponent()),
            extcode: contact.extcode,
            loginname: text(&standing.login),
            linkman: contact.linkman,
            warningmails: contact.warning_mails,
            warningphones: contact.warning_phones,
            signature: contact.signature.unwrap_or_else(|| SIGNATURE.to_owned()),
            cardqty: standing.own_cards,
        }
    }
}

/// pool/list.
#[derive(Serialize)]
pub struct Pools<'a> {
    /// How many there are.
    pub count: usize,
    /// The pools.
    pub pools: Vec<PoolLine<'a>>,
}

/// A pool.
#[derive(Serialize)]
pub struct PoolLine<'a> {
    sid: String,
    state: &'static str,
    tbsj: String,
    poolid: String,
    poolname: &'a str,
    ptcardcount: i64,
    pttotalflow: Number,
    ptactcardcount: i64,
    ptacttotalflow: Number,
    pkgid: String,
    pkgname: &'a str,
    pkgsize: Number,
    usedflow: Number,
}

impl<'a> PoolLine<'a> {
    /// A pool. Its totals are those of a joint one's cards, which each bring their own of its package, else of the subscription in use.
    pub fn of(catalogue: &'a Catalogue, figures: &'a PoolFigures) -> PoolLine<'a> {
        let (pool, in_force) = (&figures.view.pool, figures.in_force());
        let package = catalogue.package(pool.package);
        let size = package.map_or(0, |p| p.terms.allowance) / pool.slots.max(1);
        let total = if pool.is_joint() { size.saturating_mul(figures.view.members) } else { in_force.total_bytes };
        PoolLine {
            sid: catalogue.key_of(DOOR, pool.account).map_or_else(|| pool.account.to_string(), ToOwned::to_owned),
            state: if figures.view.active.is_some() || pool.is_joint() { "1" } else { "0" },
            tbsj: figures.as_of.map_or_else(String::new, |t| CHINA.text(t)),
            poolid: pool.id.to_string(),
            poolname: if pool.memo.is_empty() { text(&pool.code) } else { &pool.memo },
            ptcardcount: figures.view.members,
            pttotalflow: Number::kb(total),
            ptactcardcount: in_force.cards,
            ptacttotalflow: Number::kb(in_force.total_bytes),
            pkgid: pool.package.to_string(),
            pkgname: package.map_or("", |p| &p.name),
            pkgsize: Number::kb(size),
            usedflow: Number::kb(in_force.used_bytes),
        }
    }
}
