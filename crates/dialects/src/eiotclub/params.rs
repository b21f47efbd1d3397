//! The parameters of a request, with every value as the JSON token that was sent.

use super::form::Nested;
use super::tokens::{Token, compact, decode, tokens};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// How large a body may be. The caller decides; nothing is read beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of the body.
    pub bytes: usize,
    /// Most brackets open at once, the outer object included.
    pub depth: usize,
}

impl Default for Limits {
    /// 1 MiB and 16 levels.
    fn default() -> Self {
        Limits { bytes: 1 << 20, depth: 16 }
    }
}

/// Why a body is no set of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseError {
    /// More bytes than [`Limits::bytes`].
    TooLarge,
    /// More levels than [`Limits::depth`].
    TooDeep,
    /// Not UTF-8, or an escape that is half a character.
    NotText,
    /// Not one JSON object; the text says where it breaks.
    NotAnObject(String),
    /// A name stands twice, so signer and reader could each take another value.
    Duplicate(String),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::TooLarge => f.write_str("the body is too large"),
            ParseError::TooDeep => f.write_str("the body is nested too deeply"),
            ParseError::NotText => f.write_str("the body is not UTF-8 text"),
            ParseError::NotAnObject(why) => write!(f, "the body is not a JSON object: {why}"),
            ParseError::Duplicate(name) => write!(f, "the parameter \"{name}\" stands twice"),
        }
    }
}

impl std::error::Error for ParseError {}

/// A JSON object, each value kept as the raw token that was sent: `1e3`, `1.0` and 2^53+1 are signed as written.
#[derive(Debug, Clone)]
pub struct Params(BTreeMap<String, Box<RawValue>>);

impl Params {
    /// Reads a request body. A byte order mark before it is no part of it (RFC 8259, 8.1).
    pub fn parse(body: &[u8], limits: Limits) -> Result<Params, ParseError> {
        if body.len() > limits.bytes {
            return Err(ParseError::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| ParseError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if depth(text) > limits.depth {
            return Err(ParseError::TooDeep);
        }
        let pairs: Pairs = serde_json::from_str(text).map_err(|e| ParseError::NotAnObject(e.to_string()))?;
        Params::from_pairs(pairs.0)
    }

    /// From names and raw values, refusing a name that stands twice.
    pub(super) fn from_pairs(pairs: Vec<(String, Box<RawValue>)>) -> Result<Params, ParseError> {
        let mut map = BTreeMap::new();
        for (name, value) in pairs {
            if value.get().contains("\\u") && strings(value.get()).any(|s| s.is_none()) {
                return Err(ParseError::NotText);
            }
            if map.contains_key(&name) {
                return Err(ParseError::Duplicate(name));
            }
            map.insert(name, value);
        }
        Ok(Params(map))
    }

    /// The raw token of one parameter.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(Box::as_ref)
    }

    /// A string's text or a number's token; `None` when absent, `null`, a boolean, a list or an object.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let raw = self.get(name)?.get();
        match raw.as_bytes()[0] {
            b'"' => decode(raw),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
            _ => None,
        }
    }

    /// Names and raw tokens in the order of signing.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }
}

/// Whether another body could have the same canonical string: a name holds `&` or `=`, or a value holds `&`, a
/// parameter-like name and `=`, as in `x&zz=1`. `sign` itself is not looked at.
pub fn is_ambiguous(params: &Params) -> bool {
    params.iter().filter(|(name, _)| *name != "sign").any(|(name, value)| {
        let raw = value.get();
        let text = match raw.as_bytes()[0] {
            b'"' => decode(raw).unwrap_or_default(),
            b'{' | b'[' => Cow::Owned(compact(raw, Nested::Plain)),
            _ => Cow::Borrowed(""),
        };
        name.contains(['&', '=']) || text.split('&').skip(1).any(starts_a_parameter)
    })
}

fn starts_a_parameter(text: &str) -> bool {
    let Some((name, _)) = text.split_once('=') else { return false };
    let first = name.as_bytes().first().copied().unwrap_or(b'0');
    !first.is_ascii_digit() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The texts of all strings in valid JSON, keys of inner objects included; `None` for half a character.
fn strings(raw: &str) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    tokens(raw).filter_map(|token| match token {
        Token::Text(text) => Some(decode(text)),
        Token::Rest(_) => None,
    })
}

/// The most brackets open at once; meaningful for valid JSON, harmless for the rest.
fn depth(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for token in tokens(text) {
        let Token::Rest(rest) = token else { continue };
        for byte in rest.bytes() {
            match byte {
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.saturating_sub(1),
                _ => continue,
            }
            most = most.max(open);
        }
    }
    most
}

struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::with_capacity(12);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Object)
    }
}
