//! The shape of an `apply` file. Every key is known or an error; a key left out says nothing.

use super::shape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    pub accounts: Vec<Account>,
    pub platforms: Vec<Platform>,
    pub products: Vec<Product>,
    pub packages: Vec<Package>,
    pub sims: Vec<Sim>,
    pub subscriptions: Vec<Subscription>,
    pub pool_types: Vec<PoolType>,
    pub pools: Vec<Pool>,
    pub imei_groups: Vec<ImeiGroup>,
    pub esim_goods: Vec<EsimGoods>,
    pub sms_templates: Vec<SmsTemplate>,
}

impl Document {
    /// Reads the text; the error names the place and what is possible there.
    pub fn parse(text: &str) -> Result<Document, String> {
        let document = shape::read::<Option<Document>>(text)?.unwrap_or_default();
        document.unsupported().map_or(Ok(()), |place| Err(format!("{place}: not supported by this version; leave it out")))?;
        Ok(document)
    }

    /// The first place that asks for what is not there yet: better refused than silently left undone.
    fn unsupported(&self) -> Option<String> {
        for (i, p) in self.packages.iter().enumerate() {
            let keys = [
                ("category: postpaid", p.category.as_deref() == Some("postpaid")),
                ("sms", p.sms.unwrap_or(0) != 0 && p.resource.as_deref() != Some("sms")),
                ("voice", p.voice.unwrap_or(0) != 0 && p.resource.as_deref() != Some("voice")),
            ];
            if let Some((key, _)) = keys.iter().find(|(_, given)| *given) {
                return Some(format!("packages[{i}].{key}"));
            }
        }
        None
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub code: String,
    pub id: Option<i64>,
    pub parent: Option<String>,
    pub name: Option<String>,
    pub currency: Option<String>,
    pub time_zone: Option<String>,
    pub opening_balance: Option<String>,
    pub credit: Option<String>,
    pub credit_stop: Option<bool>,
    pub credentials: Option<Credentials>,
    pub ip_allow: Option<Vec<String>>,
    pub notify: Option<BTreeMap<String, String>>,
    pub cdr_ftp: Option<CdrFtp>,
    #[serde(default)]
    pub prices: Vec<Price>,
    #[serde(default)]
    pub users: Vec<User>,
    pub language: Option<String>,
    pub fastbee: Option<Fastbee>,
    pub contact: Option<Contact>,
    pub state: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub eiotclub: Option<EiotclubKey>,
    pub cardboss: Option<CardbossKey>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EiotclubKey {
    pub appkey: Option<String>,
    pub secret: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardbossKey {
    pub sid: Option<String>,
    pub apikey: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fastbee {
    pub token: Option<String>,
    pub claim: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CdrFtp {
    pub protocol: Option<String>,
    pub tls: Option<String>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub password_file: Option<String>,
    pub private_key_file: Option<String>,
    pub directory: Option<String>,
    pub fingerprint: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub package: String,
    pub price: Option<String>,
    pub retail_price: Option<String>,
    pub listed: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub login: String,
    pub role: String,
    pub password_file: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linkman: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning_mails: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning_phones: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extcode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    pub id: Option<i64>,
    pub code: String,
    pub connector: String,
    pub settings: Option<serde_json::Value>,
    pub sync: Option<bool>,
    pub usage: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    pub code: String,
    pub name: Option<String>,
    pub carrier: Option<String>,
    pub platform: Option<String>,
    pub networks: Option<Vec<String>>,
    pub bare_use: Option<bool>,
    pub zone: Option<kachi_domain::coverage::Coverage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub code: String,
    pub name: Option<String>,
    pub retail_name: Option<String>,
    pub product: Option<String>,
    pub kind: Option<String>,
    pub category: Option<String>,
    pub resource: Option<String>,
    pub data: Option<Size>,
    pub validity: Option<String>,
    pub window: Option<String>,
    pub price: Option<String>,
    pub retail_price: Option<String>,
    pub currency: Option<String>,
    pub listed: Option<bool>,
    pub stack_max: Option<i64>,
    pub sms: Option<i64>,
    pub voice: Option<i64>,
    pub start: Option<String>,
    /// Kilobits a second.
    pub speed: Option<i64>,
    pub fulfil: Option<String>,
    /// The code under which its carrier knows it; empty: its own.
    pub carrier_code: Option<String>,
}

/// `100MB`, or bytes as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "must be a size; write 100MB, or bytes as a whole number")]
pub enum Size {
    Bytes(i64),
    Text(String),
}

impl Size {
    /// In bytes.
    pub fn bytes(&self) -> Result<i64, String> {
        match self {
            Size::Bytes(n) if *n >= 0 => Ok(*n),
            Size::Bytes(n) => Err(format!("{n} is not a size: write 500KB, 100MB or 1GB")),
            Size::Text(text) => kachi_domain::package::parse_size(text),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sim {
    pub iccid: String,
    pub imsi: Option<String>,
    pub msisdn: Option<String>,
    pub eid: Option<String>,
    pub product: Option<String>,
    pub account: Option<String>,
    pub state: Option<String>,
    pub imei: Option<String>,
    pub apns: Option<Vec<String>>,
    pub sbbh: Option<String>,
    pub isxn: Option<bool>,
    pub alias: Option<String>,
    pub group: Option<String>,
    pub remark: Option<String>,
    pub real_name: Option<bool>,
    pub test_until: Option<String>,
    pub sleep_until: Option<String>,
    pub balance: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolType {
    pub code: String,
    pub name: Option<String>,
    pub product: Option<String>,
    pub lines: Option<i64>,
    pub days: Option<u32>,
    pub data: Option<Size>,
    pub price: Option<String>,
    pub currency: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    pub id: Option<i64>,
    pub code: String,
    pub account: Option<String>,
    pub r#type: Option<String>,
    pub package: Option<String>,
    pub memo: Option<String>,
    #[serde(default)]
    pub members: Vec<String>,
    /// `null` takes a cap away.
    #[serde(default, deserialize_with = "given")]
    pub member_cap: Option<Option<Size>>,
}

/// Tells a key with `null` from one that is left out.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    pub iccid: String,
    pub package: String,
    pub start: String,
    pub used: Option<Size>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImeiGroup {
    pub id: Option<i64>,
    pub code: String,
    pub account: Option<String>,
    #[serde(default)]
    pub imeis: Vec<String>,
    #[serde(default)]
    pub sims: Vec<GroupCard>,
    pub unlocks_per_month: Option<i64>,
}

/// `"8986..."`, or `{iccid: "8986...", until: "2026-06-01T00:00:00Z"}`.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "must be an ICCID in quotes, or one with its end; write \"8986...\", or {iccid: \"8986...\", until: \"2026-06-01T00:00:00Z\"}"
)]
pub enum GroupCard {
    ForGood(String),
    Until { iccid: String, until: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EsimGoods {
    pub code: String,
    pub name: Option<String>,
    pub package: Option<String>,
    pub price: Option<String>,
    #[serde(default)]
    pub prices: Vec<GoodsPrice>,
    #[serde(default)]
    pub profiles: Vec<EsimProfile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsTemplate {
    pub code: String,
    pub account: Option<String>,
    pub text: Option<String>,
    pub signature: Option<String>,
    pub price: Option<String>,
    pub approved: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoodsPrice {
    pub account: String,
    pub price: Option<String>,
    pub retail_price: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EsimProfile {
    pub iccid: String,
    pub activation_code: String,
}
