//! Who asks: the signature, the time window, the caller's address.

use super::errors::No;
use super::{CHINA, DOOR, Door};
use crate::http::is_allowed;
use crate::lockout::Rule;
use kachi_dialects::cardboss::{Form, Method, Operation, Written, codes, verify};
use kachi_domain::account::Switch;
use kachi_engine::{Actor, Catalogue, RequestKey};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::net::IpAddr;

/// An unknown sid costs the same work as a known one, so that time does not tell which exist.
const DUMMY_APIKEY: &str = "0123456789abcdef0123456789abcdef";

/// A caller whose signature fits.
#[derive(Debug)]
pub struct Caller {
    /// The account that acts.
    pub actor: Actor,
    /// How the signed texts were written.
    pub written: Written,
}

/// Verifies signature, time, the caller's address and the account's switch, in this order. One that is paused may ask and not act.
pub fn authenticate(
    door: &Door,
    catalogue: &Catalogue,
    (operation, form): (Operation, &Form),
    peer: Option<IpAddr>,
) -> Result<Caller, No> {
    let credential = catalogue.credential(DOOR, form.get("sid"));
    let written = verify(operation, form, credential.map_or(DUMMY_APIKEY, |(_, apikey)| apikey));
    let (Some((id, _)), Some(written)) = (credential, written) else {
        return Err(No::said(codes::AUTHENTICATION_FAILED, "sid不存在或签名错误, 请确定apikey是否正确"));
    };
    let at = moment(form.get("ts")).ok_or_else(|| No::said(codes::DATE_WRONG, "ts格式为yyyyMMddHHmmss"))?;
    let off_seconds = door.engine.now().0.abs_diff(at);
    if off_seconds > door.settings.window_seconds.max(0).unsigned_abs() {
        return Err(No::said(codes::AUTHENTICATION_FAILED, "时间戳ts不在有效期内, 请使用北京时间"));
    }
    let (Some(info), Some(actor)) = (catalogue.account(id), catalogue.actor(id)) else {
        return Err(No::Fault(Some(format!("sid {} names account {id}, which is not there", form.get("sid")))));
    };
    if !is_allowed(&info.ip_allow, peer) {
        return Err(No::said(codes::IP_NOT_ALLOWED, "请求IP不在已报备IP中"));
    }
    match info.switch {
        Switch::Off => return Err(No::said(codes::ACCOUNT_DISABLED, "联系客服人员开启")),
        Switch::Paused if operation.method() == Method::Post => {
            return Err(No::said(codes::ACCOUNT_DISABLED, "账号已暂停, 只能查询, 联系客服人员开启"));
        }
        Switch::Paused | Switch::On => {}
    }
    Ok(Caller { actor, written })
}

/// `yyyyMMddHHmmss` in China time as epoch seconds; a moment that does not exist is none.
pub fn moment(ts: &str) -> Option<i64> {
    let part = |from: usize, to: usize| ts.get(from..to);
    let text = format!("{}-{}-{} {}:{}:{}", part(0, 4)?, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?);
    CHINA.parse(&text).ok().map(|t| t.0)
}

/// A client that is refused with 1080 and asks again at once with `repetition=1`, which is not signed, signs alike until its `ts`,
/// a second, is another: that long another body is let in after a refusal.
const CORRECT_SECONDS: i64 = 2;

/// What makes a signed request the same request: its operation and signature, which covers sid and ts; and a hash of every
/// parameter, signed or not. The order of parameters and their escaping do not make another request of it.
pub fn request_key(operation: Operation, form: &Form) -> RequestKey {
    let mut hash = Sha256::new();
    for (name, value) in form.iter().filter(|(name, _)| *name != "sign") {
        for text in [name, value] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
    }
    key(operation, form, hash)
}

/// The same of a request of which the form is not all: its bytes count.
pub fn unread_key(operation: Operation, form: &Form, raw: &[u8]) -> RequestKey {
    key(operation, form, Sha256::new().chain_update("unread").chain_update(raw))
}

fn key(operation: Operation, form: &Form, hash: Sha256) -> RequestKey {
    let body_hash = hash.finalize().iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    });
    let key = format!("{}|{}", operation.path(), form.get("sign").to_ascii_lowercase());
    RequestKey { door: DOOR, key, number: None, body_hash, correct_seconds: CORRECT_SECONDS }
}

impl Door {
    /// Whether the caller has used up its wrong signatures for now.
    pub(super) fn is_locked_out(&self, sid: &str, peer: Option<IpAddr>) -> bool {
        self.lockout.holds(self.lockout_rule(), sid, peer, self.engine.now())
    }

    /// Remembers whether the signature was wrong; a good one wipes the slate.
    pub(super) fn note_signature(&self, sid: &str, peer: Option<IpAddr>, wrong: bool) {
        self.lockout.note(self.lockout_rule(), sid, peer, wrong, self.engine.now());
    }

    fn lockout_rule(&self) -> Rule {
        Rule { max: self.settings.lockout, seconds: self.settings.window_seconds }
    }
}
