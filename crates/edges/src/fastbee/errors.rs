//! Every no: its HTTP status, which the body's `code` repeats, and its words, which name the field and what to do.

use axum::http::StatusCode;
use kachi_domain::Refusal;
use kachi_engine::Fail;
use std::fmt;

/// Why a request got no good answer.
#[derive(Debug)]
pub enum No {
    /// No token, or none that is known.
    Token,
    /// The caller's address is not one of the account's.
    Address,
    /// The account is switched off.
    SwitchedOff,
    /// The account is paused and would act.
    Paused,
    /// The operation has another method.
    Method,
    /// The body is too large, or broke off.
    Body {
        /// Bytes at most.
        bytes_max: usize,
    },
    /// A field is missing or malformed.
    Field {
        /// The field.
        field: String,
        /// What a good one looks like.
        rule: String,
    },
    /// The rules refuse it.
    Refused(Refusal),
    /// The carrier refuses it, or cannot tell; its words.
    Carrier(String),
    /// The catalogue changed meanwhile: begin again.
    Stale,
    /// Ours; the words are for the log alone, and none where it has them already.
    Fault(Option<String>),
}

impl No {
    /// A field with what a good one looks like.
    pub fn field(field: &str, rule: impl Into<String>) -> No {
        No::Field { field: field.to_owned(), rule: rule.into() }
    }

    /// The field it is about, if it is about one.
    pub fn of_field(&self) -> Option<&str> {
        match self {
            No::Field { field, .. } | No::Refused(Refusal::BadField { field, .. }) => Some(field),
            _ => None,
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            No::Token => StatusCode::UNAUTHORIZED,
            No::Address | No::SwitchedOff | No::Paused => StatusCode::FORBIDDEN,
            No::Method => StatusCode::METHOD_NOT_ALLOWED,
            No::Body { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            // A device is named by nothing else.
            No::Refused(Refusal::BadField { field, .. }) if field == "serialNumber" => StatusCode::NOT_FOUND,
            No::Field { .. } | No::Refused(Refusal::BadField { .. }) => StatusCode::BAD_REQUEST,
            No::Refused(Refusal::MayNotAdd) => StatusCode::FORBIDDEN,
            No::Refused(Refusal::UnknownSim) => StatusCode::NOT_FOUND,
            No::Refused(Refusal::TooSoon { .. }) => StatusCode::TOO_MANY_REQUESTS,
            No::Refused(Refusal::Unsupported) => StatusCode::NOT_IMPLEMENTED,
            No::Refused(_) => StatusCode::CONFLICT,
            No::Carrier(_) => StatusCode::BAD_GATEWAY,
            No::Stale | No::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether another catalogue could know the caller better: a new token, network or switch.
    pub fn may_pass_later(&self) -> bool {
        matches!(self, No::Stale | No::Token | No::Address | No::SwitchedOff | No::Paused)
    }
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            No::Token => write!(f, "the token is missing or not known: send Authorization: Bearer TOKEN"),
            No::Address => write!(f, "calls from this address are not allowed for the account"),
            No::SwitchedOff => write!(f, "the account is switched off; ask the operator"),
            No::Paused => write!(f, "the account is paused: it may ask and not act; ask the operator"),
            No::Method => write!(f, "the operation has another method"),
            No::Body { bytes_max } => write!(f, "the body is larger than {bytes_max} bytes, or broke off"),
            No::Field { field, rule } => write!(f, "{field}: {rule}"),
            No::Refused(Refusal::SwitchBarred) => {
                write!(f, "the carrier is still being asked for the opposite; try again when it has answered")
            }
            No::Refused(refusal) => refusal.fmt(f),
            No::Carrier(words) => write!(f, "the card platform says: {words}"),
            No::Stale | No::Fault(_) => write!(f, "something failed on our side; try again"),
        }
    }
}

impl From<Fail> for No {
    fn from(fail: Fail) -> No {
        match fail {
            Fail::Refused(refusal) => No::Refused(refusal),
            Fail::Fault(e) => No::Fault(e.for_log()),
            Fail::Stale | Fail::InHand { .. } => No::Stale,
        }
    }
}
