//! The four system parameters that every request carries.

use super::codes;
use super::params::Params;
use std::fmt;

/// The system parameters, present and of the right kind. Whether they are true is the caller's to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Names the client.
    pub appkey: String,
    /// Unix seconds by the client's clock.
    pub timestamp: i64,
    /// Any text; the source says five digits, existing clients send a number or a string.
    pub nonce: String,
    /// The signature as sent, not verified.
    pub sign: String,
}

/// A system parameter that is missing, empty, `null` or of no usable kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemError {
    /// 42101.
    AppkeyEmpty,
    /// 42201.
    TimestampEmpty,
    /// 42204: there, but not a whole number in digits.
    TimestampMalformed,
    /// 42301.
    NonceEmpty,
    /// 42401.
    SignEmpty,
}

impl SystemError {
    /// The published result code.
    pub fn code(self) -> u32 {
        match self {
            SystemError::AppkeyEmpty => codes::APPKEY_EMPTY,
            SystemError::TimestampEmpty => codes::TIMESTAMP_EMPTY,
            SystemError::TimestampMalformed => codes::TIMESTAMP_MALFORMED,
            SystemError::NonceEmpty => codes::NONCE_EMPTY,
            SystemError::SignEmpty => codes::SIGN_EMPTY,
        }
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(codes::message(self.code(), codes::Language::En).unwrap_or_default())
    }
}

impl std::error::Error for SystemError {}

impl System {
    /// Takes the four out of a request, in the order in which the first failure is answered: appkey, timestamp,
    /// nonce, sign. Each may be a JSON string or a number; a text with U+0000, which no database keeps, is none.
    pub fn extract(params: &Params) -> Result<System, SystemError> {
        let text = |name: &str| params.text(name).filter(|text| !text.is_empty() && !text.contains('\0'));
        let appkey = text("appkey").ok_or(SystemError::AppkeyEmpty)?.into_owned();
        let timestamp = match (params.get("timestamp").map(|raw| raw.get()), text("timestamp")) {
            (None | Some("null" | "\"\""), _) => return Err(SystemError::TimestampEmpty),
            (_, text) => text.and_then(|t| t.parse().ok()).ok_or(SystemError::TimestampMalformed)?,
        };
        let nonce = text("nonce").ok_or(SystemError::NonceEmpty)?.into_owned();
        let sign = text("sign").ok_or(SystemError::SignEmpty)?.into_owned();
        Ok(System { appkey, timestamp, nonce, sign })
    }
}
