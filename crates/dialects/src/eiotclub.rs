//! The EIOTCLUB open API v3: parameters, signatures, result codes, notices.
//!
//! A request is one flat JSON object. Its signature is the upper-case hex SHA-1 of the non-empty parameters except
//! `sign`, sorted by ASCII name, as `name=value` joined by `&`, followed by `&secret=` and the secret. The prose of
//! the source says only "append the secret" and prints `username` once; its worked digest proves the form used here.
//!
//! # The escape trap
//! Names and values are not escaped. `{"remark":"x&zz=1"}` and `{"remark":"x","zz":"1"}` therefore have the same
//! canonical string and the same signature: whoever can change a request on its way can move the end of one value
//! into a parameter of its own. A server cannot tell them apart by the signature; it can refuse bodies where
//! [`is_ambiguous`] holds, and answer one signature for one body only.

pub mod codes;
mod form;
mod notice;
mod params;
mod sign;
mod system;
mod tokens;

pub use form::{Booleans, Empties, Form, Nested, Order};
pub use notice::{notice_body, sign_notice};
pub use params::{Limits, Params, ParseError, is_ambiguous};
pub use sign::{canonical, sign, signed_value, verify};
pub use system::{System, SystemError};
