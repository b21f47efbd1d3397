//! What the platform tells by itself: a form with an event and a signature over its timestamp.

use crate::http::excerpt;
use crate::telecom::Fields;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use kachi_domain::carrier::{Answer, Callback, Change, News, Standing};
use sha1::Sha1;
use sha2::Sha256;
use std::collections::HashMap;

/// The shared secret, and the hash that the account's signatures are made with.
pub struct Secret {
    secret: String,
    hash: &'static str,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a secret for {}", self.hash)
    }
}

impl Secret {
    /// The secret.
    pub fn new(secret: String, hash: &'static str) -> Secret {
        Secret { secret, hash }
    }

    /// Whether this signs that text; compared in constant time.
    fn signs(&self, text: &str, signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        let key = self.secret.as_bytes();
        if self.hash == "sha1" {
            Hmac::<Sha1>::new_from_slice(key).is_ok_and(|m| m.chain_update(text).verify_slice(&signature).is_ok())
        } else {
            Hmac::<Sha256>::new_from_slice(key).is_ok_and(|m| m.chain_update(text).verify_slice(&signature).is_ok())
        }
    }
}

/// Reads an event.
pub fn read(secret: &Secret, callback: &Callback<'_>) -> Result<Vec<News>, Answer> {
    let form = form(&crate::http::text(callback.body));
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let signature =
        if secret.hash == "sha1" || field("signature2").is_empty() { field("signature") } else { field("signature2") };
    if field("timestamp").is_empty() || !secret.signs(field("timestamp"), signature) {
        return Err(Answer::Refused { code: "signature".into(), reason: "the event is not signed with push_secret".into() });
    }
    let unread = |seen: String| Answer::Refused { code: "data".into(), reason: format!("the event does not read: {seen}") };
    let data = Fields::read(field("data")).map_err(unread)?;
    let Some(iccid) = data.get(&["iccid"]) else { return Err(unread(excerpt(field("data")))) };
    let raw = data.get(&["currentState", "newSimStatus", "simStatus", "status"]);
    let standing = raw.map(|raw| Standing { base: super::state(raw), raw: raw.to_owned(), since: None });
    let standing = standing.filter(|s| s.base != kachi_domain::sim::BaseState::Unknown);
    Ok(vec![News::Changed(Change { iccid: Some(iccid.to_owned()), msisdn: data.get(&["msisdn"]).map(str::to_owned), standing })])
}

/// A body of `name=value` pairs.
fn form(body: &str) -> HashMap<String, String> {
    let decoded = |text: &str| {
        let (bytes, mut out, mut i) = (text.as_bytes(), Vec::new(), 0);
        while i < bytes.len() {
            let hex = text.get(i + 1..i + 3).filter(|_| bytes[i] == b'%').and_then(|h| u8::from_str_radix(h, 16).ok());
            out.push(hex.unwrap_or(if bytes[i] == b'+' { b' ' } else { bytes[i] }));
            i += if hex.is_some() { 3 } else { 1 };
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (decoded(name), decoded(value)));
    body.split('&').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::query;

    fn signed(text: &str, secret: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text);
        STANDARD.encode(mac.finalize().into_bytes())
    }

    #[test]
    fn only_what_is_signed_is_taken() {
        let secret = Secret::new("s3cret".into(), "sha256");
        let data = "<SimStateChange><iccid>8986</iccid><currentState>DEACTIVATED</currentState></SimStateChange>";
        let body = |signature: &str| {
            query(&[
                ("eventId", "1"),
                ("eventType", "SIM_STATE_CHANGE"),
                ("timestamp", "2026-03-10T00:00:00Z"),
                ("signature2", signature),
                ("data", data),
            ])
        };
        let read = |body: &str| read(&secret, &Callback { query: "", headers: &[], body: body.as_bytes() });
        let told = read(&body(&signed("2026-03-10T00:00:00Z", "s3cret"))).unwrap();
        let News::Changed(change) = &told[0] else { panic!("{told:?}") };
        assert_eq!((change.iccid.as_deref(), change.standing.as_ref().map(|s| s.base.word())), (Some("8986"), Some("stopped")));
        for wrong in [signed("2026-03-10T00:00:00Z", "other"), signed("2026", "s3cret"), "?".into(), String::new()] {
            assert!(matches!(read(&body(&wrong)), Err(Answer::Refused { .. })), "{wrong}");
        }
        assert!(!format!("{secret:?}").contains("s3cret"));
    }
}
