//! Who asks: the four system parameters, the time window, the signature, the caller's address.

use super::errors::{NOT_PERMITTED, No};
use super::{DOOR, Door};
use crate::http::is_allowed;
use crate::lockout::Rule;
use kachi_dialects::eiotclub::codes::{self, Language};
use kachi_dialects::eiotclub::{Form, Limits, Params, System, canonical, is_ambiguous, signed_value, verify};
use kachi_domain::account::Switch;
use kachi_engine::{Actor, Catalogue, OrderNumber, RequestKey};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;

/// The language of refusals to a caller whose account is not known: the source's own.
pub const LANGUAGE_UNKNOWN: Language = Language::Zh;

/// An unknown appkey costs the same work as a known one, so that time does not tell which exist.
const DUMMY_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A request with its system parameters in place and its timestamp in the window; its signature not yet verified.
#[derive(Debug)]
pub struct Signed {
    /// Every parameter as it was sent.
    pub params: Params,
    /// The four that every request carries.
    pub system: System,
}

/// A caller whose signature fits.
#[derive(Debug)]
pub struct Caller {
    /// The account that acts.
    pub actor: Actor,
    /// The language of its messages.
    pub language: Language,
    /// How it wrote what it signed.
    pub form: Form,
}

/// A request that is refused before anybody's secret is asked for.
#[derive(Debug)]
pub struct Unread {
    /// Whom it names, if it says so.
    pub appkey: Option<String>,
    /// Why.
    pub no: No,
}

/// Reads a body up to the point where the caller's secret is needed.
pub fn read(door: &Door, body: Option<&[u8]>) -> Result<Signed, Unread> {
    let limits = Limits { bytes: door.settings.body_bytes_max, ..Limits::default() };
    let params = body.and_then(|b| Params::parse(b, limits).ok());
    let params = params.ok_or(Unread { appkey: None, no: No::Code(codes::PARAMETER_WRONG) })?;
    let refused = |code| Unread { appkey: params.text("appkey").map(Cow::into_owned), no: No::Code(code) };
    let system = System::extract(&params).map_err(|e| refused(e.code()))?;
    let off_seconds = door.engine.now().0.abs_diff(system.timestamp);
    if off_seconds > door.settings.window_seconds.max(0).unsigned_abs() {
        return Err(refused(codes::TIMESTAMP_STALE));
    }
    if is_ambiguous(&params) {
        // Not refused: honest remarks look so. The stored body hash answers one signature for one body only.
        tracing::debug!(appkey = %system.appkey, "a body that another body could be signed alike");
    }
    Ok(Signed { params, system })
}

/// Verifies the signature in every accepted form, the caller's address and the account's switch: one that is paused may ask
/// and not act.
pub fn authenticate(catalogue: &Catalogue, (signed, acts): (&Signed, bool), peer: Option<IpAddr>) -> Result<Caller, No> {
    let credential = catalogue.credential(DOOR, &signed.system.appkey);
    let form = verify(&signed.params, credential.map_or(DUMMY_SECRET, |(_, secret)| secret));
    let (id, _) = credential.ok_or(No::Code(codes::APPKEY_UNKNOWN))?;
    let form = form.ok_or(No::Code(codes::SIGN_WRONG))?;
    let (Some(info), Some(actor)) = (catalogue.account(id), catalogue.actor(id)) else {
        return Err(No::Fault(Some(format!("appkey {} names account {id}, which is not there", signed.system.appkey))));
    };
    if !is_allowed(&info.ip_allow, peer) {
        return Err(No::Code(codes::IP_NOT_ALLOWED));
    }
    if info.switch == Switch::Off || info.switch == Switch::Paused && acts {
        return Err(No::Code(NOT_PERMITTED));
    }
    Ok(Caller { actor, language: spoken(&info.account.language), form })
}

/// The language of the account that the appkey names, whether or not the signature fits.
pub fn language(catalogue: &Catalogue, appkey: &str) -> Language {
    let account = catalogue.credential(DOOR, appkey).and_then(|(id, _)| catalogue.account(id));
    account.map_or(LANGUAGE_UNKNOWN, |a| spoken(&a.account.language))
}

fn spoken(word: &str) -> Language {
    if word == "en" { Language::En } else { Language::Zh }
}

/// The acts that buy with a number of the buyer's own.
const BUYING: [&str; 3] = ["package/orderPackage", "cloudesim/purchase", "esim/purchase"];

/// What makes a signed request the same request: its path and its signature, which covers timestamp and nonce (as they are read, another
/// nonce can be signed alike); and its path with a hash of every parameter, signed or not. The path is not signed, and honest callers
/// whose nonce is always the same ask for two acts with one signature; but none buys with one twice, so [`BUYING`] are one path. White space, the
/// order of parameters and the escaping of texts do not make another request of it.
pub fn request_key(path: &str, signed: &Signed) -> RequestKey {
    let mut hash = Sha256::new();
    for (name, raw) in signed.params.iter().filter(|(name, _)| *name != "sign") {
        let value = match signed.params.text(name).filter(|_| raw.get().starts_with('"')) {
            Some(text) => Cow::Owned(quoted(&text)),
            None => Cow::Borrowed(raw.get()),
        };
        hash.update(quoted(name));
        hash.update(":");
        hash.update(value.as_bytes());
        hash.update(",");
    }
    let body_hash = hash.finalize().iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    });
    let scope = if BUYING.contains(&path) { "order" } else { path };
    let key = format!("{scope}|{}", signed.system.sign.to_ascii_uppercase());
    RequestKey { door: DOOR, key, number: None, body_hash: format!("{path}|{body_hash}"), correct_seconds: 0 }
}

/// As [`request_key`], of an act that places an order with that number of the buyer's own: with the number that whoever reads what was
/// signed in this form takes for it.
pub fn order_key(path: &str, signed: &Signed, form: Form, own: &str) -> RequestKey {
    let text = canonical(&signed.params, form);
    // What no database keeps is no order's number.
    let told = signed_value(&text, "outTradeNo").filter(|told| !told.contains('\0'));
    let number = told.map(|told| OrderNumber { told: told.to_owned(), is_the_orders: told == own });
    RequestKey { number, ..request_key(path, signed) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Door {
    /// Whether the caller has used up its wrong signatures for now.
    pub(super) fn is_locked_out(&self, signed: &Signed, peer: Option<IpAddr>) -> bool {
        self.lockout.holds(self.lockout_rule(), &signed.system.appkey, peer, self.engine.now())
    }

    /// Remembers whether the signature was wrong; a good one wipes the slate.
    pub(super) fn note_signature(&self, signed: &Signed, peer: Option<IpAddr>, wrong: bool) {
        self.lockout.note(self.lockout_rule(), &signed.system.appkey, peer, wrong, self.engine.now());
    }

    fn lockout_rule(&self) -> Rule {
        Rule { max: self.settings.lockout, seconds: self.settings.window_seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(body: &str) -> RequestKey {
        at("package/orderPackage", body)
    }

    fn at(path: &str, body: &str) -> RequestKey {
        let params = Params::parse(body.as_bytes(), Limits::default()).unwrap();
        let system = System::extract(&params).unwrap();
        request_key(path, &Signed { params, system })
    }

    #[test]
    fn a_request_written_again_is_the_same_and_a_changed_one_is_not() {
        let first = key(r#"{"appkey":"k","timestamp":1,"nonce":12345,"sign":"ab","remark":"中/x","on":true}"#);
        let again = key(r#"{ "on": true, "remark":"\u4e2d\/x","sign":"AB","nonce":12345,"timestamp":1,"appkey":"k"}"#);
        assert_eq!((&first.key, &first.body_hash), (&again.key, &again.body_hash));
        let elsewhere =
            at("cloudesim/purchase", r#"{"appkey":"k","timestamp":1,"nonce":12345,"sign":"ab","remark":"中/x","on":true}"#);
        assert!(first.key == elsewhere.key && first.body_hash != elsewhere.body_hash, "one signature buys at one path");
        let else_asked =
            at("card/refreshUsage", r#"{"appkey":"k","timestamp":1,"nonce":12345,"sign":"ab","remark":"中/x","on":true}"#);
        assert_ne!(first.key, else_asked.key);
        for other in [
            r#"{"appkey":"k","timestamp":1,"nonce":12345,"sign":"ab","remark":"中/y","on":true}"#,
            r#"{"appkey":"k","timestamp":1,"nonce":12345,"sign":"ab","remark":"中/x","on":true,"unsigned":""}"#,
            r#"{"appkey":"k","timestamp":1,"nonce":"12345","sign":"ab","remark":"中/x","on":true}"#,
        ] {
            let other = key(other);
            assert_eq!(first.key, other.key);
            assert_ne!(first.body_hash, other.body_hash);
        }
    }
}
