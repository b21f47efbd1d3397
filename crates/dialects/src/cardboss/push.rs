//! What a platform tells its customers by itself: we ours, and our upstreams us.

use md5::{Digest, Md5};
use serde::Serialize;
use subtle::ConstantTimeEq;

/// A data push. `api` is reserved and empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Push<'a> {
    /// The account's own.
    pub sid: &'a str,
    /// The message's own, the same at every attempt.
    pub id: &'a str,
    /// What it tells: `OD1002`, `OD1010`.
    pub sn: &'a str,
    /// `info`, `warning` or `error`.
    pub level: &'a str,
    /// Reserved.
    pub api: &'a str,
    /// `yyyy-MM-dd HH:mm:ss`, China time.
    pub time: &'a str,
    /// JSON text.
    pub data: &'a str,
    /// In words.
    pub desc: &'a str,
}

/// 32 upper-case hex digits: MD5 of sid, apikey, id, sn, level, api, time, data and desc, joined.
pub fn sign_push(push: &Push<'_>, apikey: &str) -> String {
    let mut hash = Md5::new();
    for value in [push.sid, apikey, push.id, push.sn, push.level, push.api, push.time, push.data, push.desc] {
        hash.update(value);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Whether the text signs the push, in either case; compared in constant time.
pub fn verify_push(push: &Push<'_>, apikey: &str, sign: &str) -> bool {
    sign_push(push, apikey).as_bytes().ct_eq(sign.to_ascii_uppercase().as_bytes()).into()
}

/// The JSON text of a signed data push.
pub fn push_body(push: &Push<'_>, apikey: &str) -> String {
    #[derive(Serialize)]
    struct Signed<'a> {
        #[serde(flatten)]
        push: &'a Push<'a>,
        sign: String,
    }
    serde_json::to_string(&Signed { push, sign: sign_push(push, apikey) }).expect("a push can be written")
}

/// The JSON text of a message push (`P0001`, `P0002`), which the source leaves unsigned; `data` is JSON text.
pub fn sms_push_body(kind: &str, data: &str) -> String {
    serde_json::json!({"type": kind, "data": data}).to_string()
}
