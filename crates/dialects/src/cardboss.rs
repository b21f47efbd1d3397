//! The CardBOSS partner API v2.2.2: operations, parameters, signatures, result codes, pushes.
//!
//! A request carries its parameters in the query (GET) or in a form (POST). Its signature is the MD5 of `sid`, the
//! account's `apikey`, `ts` and the values that the operation lists, one behind the other with nothing between them; an
//! absent optional value is the empty text.
//!
//! # The joining trap
//! Nothing separates the values: `msisdns=1064800000001&iccids=` and `msisdns=106480000000&iccids=1` have the same
//! signature. Every field is therefore held to a grammar before anything is hashed ([`read`]): numbers have one of two
//! lengths, which numbers can be told apart by, months have no leading zero, switches one digit. What that leaves open,
//! a package's code and the months behind it, a message and the number before it, the number of a white-list's group, is closed by whoever answers one
//! signature for one body only. MD5 with the secret in front can also be extended by whoever knows no secret; such a text
//! has zero bytes in it, and those are refused.

mod cipher;
pub mod codes;
mod form;
mod grammar;
mod operation;
mod push;
mod sign;
mod text;

pub use cipher::{Unsealed, seal, unseal};
pub use form::Form;
pub use grammar::{Fault, LIST_MAX, MOBILES_MAX, read, read_message};
pub use operation::{Method, Operation, Port};
pub use push::{Push, push_body, sign_push, sms_push_body, verify_push};
pub use sign::{sign, signed_text, verify};
pub use text::Written;
