//! The signature: computed in one form, verified in all of them.

use super::form::{Booleans, Empties, Form, Nested, Order};
use super::params::Params;
use super::tokens::{compact, decode};
use serde_json::value::RawValue;
use sha1::{Digest, Sha1};
use std::borrow::Cow;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// The signature of a request in one form: 40 upper-case hex digits.
pub fn sign(params: &Params, secret: &str, form: Form) -> String {
    digest(&canonical(params, form), secret).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The text that is signed, without the secret: `a=1&b=2`. For people who look for their mistake.
pub fn canonical(params: &Params, form: Form) -> String {
    match form.order {
        Order::Names => joined(signed(params), form),
        Order::Pairs => {
            let mut pairs: Vec<_> = signed(params).collect();
            pairs.sort_by_cached_key(|(name, _)| format!("{name}="));
            joined(pairs.into_iter(), form)
        }
    }
}

/// What the signed text alone tells of a parameter: all from the first `name=` to the next `&`. Bodies that are signed alike agree
/// on it; on the parameter they need not, as values are not escaped.
pub fn signed_value<'t>(canonical: &'t str, name: &str) -> Option<&'t str> {
    canonical.split('&').find_map(|piece| piece.strip_prefix(name)?.strip_prefix('='))
}

/// The parameters that are signed, by name.
fn signed(params: &Params) -> impl Iterator<Item = (&str, &RawValue)> {
    params.iter().filter(|(name, _)| *name != "sign")
}

fn joined<'a>(pairs: impl Iterator<Item = (&'a str, &'a RawValue)>, form: Form) -> String {
    let mut out = String::with_capacity(256);
    for (name, raw) in pairs {
        let Some(text) = text(raw.get(), form) else { continue };
        if !out.is_empty() {
            out.push('&');
        }
        out.extend([name, "=", &text]);
    }
    out
}

/// The form in which `sign` fits the other parameters, the canonical one if several coincide. `None`: no form, or no
/// 40 hex digits. Hex digits of either case are accepted. Every form that differs for this body is computed and
/// compared in constant time, whichever fits; a flat body without booleans and empty values, none of whose names is
/// another with a digit or a sign before `=` behind it, costs one digest.
pub fn verify(params: &Params, secret: &str) -> Option<Form> {
    let given = given_digest(params)?;
    let varies = Varies::of(params);
    let mut found = Choice::from(0);
    let mut index = 0_u8;
    for (i, form) in (0..).zip(Form::ALL).filter(|(_, form)| varies.is_distinct(*form)) {
        let fits = digest(&canonical(params, form), secret).ct_eq(&given);
        index.conditional_assign(&i, fits & !found);
        found |= fits;
    }
    bool::from(found).then(|| Form::ALL[usize::from(index)])
}

/// Which choices of a form make a difference to this body.
struct Varies {
    booleans: bool,
    blanks: bool,
    empties: bool,
    nested: bool,
    order: bool,
}

impl Varies {
    fn of(params: &Params) -> Varies {
        let mut varies = Varies { booleans: false, blanks: false, empties: false, nested: false, order: false };
        let mut before = None;
        for (name, raw) in signed(params) {
            let raw = raw.get();
            varies.booleans |= matches!(raw, "true" | "false");
            varies.blanks |= raw == BLANK;
            varies.empties |= is_empty(raw);
            // Between a name and those that begin with it there is no other.
            let rest = before.replace(name).and_then(|before| name.strip_prefix(before));
            varies.order |= rest.is_some_and(|rest| rest < "=");
            varies.nested |= is_nested(raw) && raw.bytes().any(|b| b == b'/' || b == b'\\' || !b.is_ascii());
        }
        varies
    }

    /// Forms that coincide for this body are computed once, as the first of them in [`Form::ALL`].
    fn is_distinct(&self, form: Form) -> bool {
        let differs = match (form.booleans, form.empties) {
            (Booleans::Words, Empties::Dropped) => true,
            (Booleans::Words, Empties::Kept) => self.blanks || self.empties,
            (Booleans::Digits, Empties::Dropped) => self.booleans || (self.blanks && self.empties),
            (Booleans::Digits, Empties::Kept) => self.booleans && self.empties,
        };
        differs && (self.nested || form.nested == Nested::Plain) && (self.order || form.order == Order::Names)
    }
}

/// A value as it is signed; `None`: left out.
fn text(raw: &str, form: Form) -> Option<Cow<'_, str>> {
    let is_dropped = is_empty(raw) || (raw == BLANK && form.booleans == Booleans::Words);
    if form.empties == Empties::Dropped && is_dropped {
        return None;
    }
    Some(match (raw, form.booleans) {
        ("true", Booleans::Digits) => Cow::Borrowed("1"),
        ("false", Booleans::Digits) => Cow::Borrowed("0"),
        _ if raw.starts_with('"') => decode(raw).unwrap_or_default(),
        _ if is_nested(raw) => Cow::Owned(compact(raw, form.nested)),
        _ => Cow::Borrowed(raw),
    })
}

fn is_nested(raw: &str) -> bool {
    raw.starts_with(['{', '['])
}

/// The empty text.
const BLANK: &str = "\"\"";

/// Nothing, an empty list or an empty object.
fn is_empty(raw: &str) -> bool {
    raw == "null" || (is_nested(raw) && raw[1..raw.len() - 1].trim().is_empty())
}

fn digest(canonical: &str, secret: &str) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(canonical);
    hash.update(if canonical.is_empty() { "secret=" } else { "&secret=" });
    hash.update(secret);
    hash.finalize().into()
}

fn given_digest(params: &Params) -> Option<[u8; 20]> {
    let given = params.text("sign")?;
    let hex = given.as_bytes();
    let mut out = [0; 20];
    if hex.len() != 2 * out.len() {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).map(|d| d as u8);
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(out)
}
