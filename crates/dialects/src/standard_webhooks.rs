//! Standard Webhooks 1.0 signatures, for the native API's webhooks and beside the older schemes.
//!
//! The header `webhook-signature` is `v1,` and the base64 HMAC-SHA256 of `{id}.{timestamp}.{body}`; while a secret
//! is being rotated it holds one such signature per secret, with a space between. The id stays over retries, the
//! timestamp is that of the attempt, and how old it may be is the receiver's to judge.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// A signing secret: 24 to 64 bytes, written `whsec_` and base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Why a text is no secret. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretError {
    /// It does not start with `whsec_`.
    Prefix,
    /// What follows is not base64.
    Base64,
    /// Not 24 to 64 bytes.
    Length,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretError::Prefix => "a webhook secret starts with whsec_",
            SecretError::Base64 => "a webhook secret is whsec_ and base64",
            SecretError::Length => "a webhook secret holds 24 to 64 bytes",
        })
    }
}

impl std::error::Error for SecretError {}

impl Secret {
    /// From random bytes of the caller's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Secret, SecretError> {
        if (24..=64).contains(&bytes.len()) { Ok(Secret(bytes.to_vec())) } else { Err(SecretError::Length) }
    }

    /// From `whsec_...`.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        let base64 = text.strip_prefix("whsec_").ok_or(SecretError::Prefix)?;
        Secret::from_bytes(&STANDARD.decode(base64).map_err(|_| SecretError::Base64)?)
    }

    /// The `whsec_...` text, to be shown to its owner once.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.0))
    }

    fn mac(&self, id: &str, timestamp: i64, body: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The header for one attempt, signed with each secret that is valid now. `timestamp` in Unix seconds; the id must
/// hold no full stop, or two messages could share a signature.
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    debug_assert!(!id.contains('.'), "a webhook id holds no full stop");
    let one = |secret: &Secret| format!("v1,{}", STANDARD.encode(secret.mac(id, timestamp, body)));
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Whether any signature in the header is by the secret. Other versions than `v1` are passed over; all signatures
/// are compared, each in constant time.
pub fn verify(secret: &Secret, id: &str, timestamp: i64, body: &[u8], header: &str) -> bool {
    let expected = secret.mac(id, timestamp, body);
    let given = header.split(' ').filter_map(|part| STANDARD.decode(part.strip_prefix("v1,")?).ok());
    let fits = given.fold(Choice::from(0), |fits, mac| fits | mac.as_slice().ct_eq(expected.as_slice()));
    fits.into() && !id.contains('.')
}
