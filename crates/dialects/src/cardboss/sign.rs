//! The signature of a request.

use super::form::Form;
use super::operation::Operation;
use super::text::{Written, gb2312};
use md5::{Digest, Md5};
use subtle::{Choice, ConstantTimeEq};

/// The signature of a request: 32 lower-case hex digits, over texts written as given. None: a text has a character that
/// GB2312 does not have.
pub fn sign(operation: Operation, form: &Form, apikey: &str, written: Written) -> Option<String> {
    Some(digest(operation, form, apikey, written)?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The text that is signed, with stars for the apikey. For people who look for their mistake.
pub fn signed_text(operation: Operation, form: &Form) -> String {
    let mut text = format!("{}***{}", form.get("sid"), form.get("ts"));
    text.extend(operation.signed().iter().map(|name| form.get(name)));
    text
}

/// How the texts were written that the request's `sign` was made over; none if it fits neither way, or is no 32 hex
/// digits. Hex digits of either case are accepted. Both ways are computed and compared in constant time, whichever fits.
pub fn verify(operation: Operation, form: &Form, apikey: &str) -> Option<Written> {
    let given = given(form.get("sign"))?;
    let fits = |written| digest(operation, form, apikey, written).map_or(Choice::from(0), |d| d.ct_eq(&given));
    let utf8 = fits(Written::Utf8);
    let plain = operation.signed().iter().all(|name| form.get(name).is_ascii());
    let gb = if plain { Choice::from(0) } else { fits(Written::Gb2312) };
    match (bool::from(utf8), bool::from(gb)) {
        (true, _) => Some(Written::Utf8),
        (false, true) => Some(Written::Gb2312),
        (false, false) => None,
    }
}

fn digest(operation: Operation, form: &Form, apikey: &str, written: Written) -> Option<[u8; 16]> {
    let mut hash = Md5::new();
    for value in [form.get("sid"), apikey, form.get("ts")] {
        hash.update(value);
    }
    for name in operation.signed() {
        match written {
            Written::Utf8 => hash.update(form.get(name)),
            Written::Gb2312 => hash.update(gb2312(form.get(name))?),
        }
    }
    Some(hash.finalize().into())
}

fn given(sign: &str) -> Option<[u8; 16]> {
    let hex = sign.as_bytes();
    let mut out = [0; 16];
    if hex.len() != 2 * out.len() {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).map(|d| d as u8);
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(out)
}
