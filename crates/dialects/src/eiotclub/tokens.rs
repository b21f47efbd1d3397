//! Valid JSON text as tokens. Nothing is parsed into numbers, so every number keeps the digits its sender wrote.

use super::form::Nested;
use std::borrow::Cow;
use std::fmt::Write;

/// A piece of valid JSON text.
pub(super) enum Token<'a> {
    /// One string with its quotes.
    Text(&'a str),
    /// Everything up to the next string: brackets, commas, numbers, words, white space.
    Rest(&'a str),
}

/// Cuts valid JSON text into strings and the rest.
pub(super) fn tokens(json: &str) -> impl Iterator<Item = Token<'_>> {
    let mut left = json;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let is_text = left.starts_with('"');
        let end = if is_text { text_end(left) } else { left.find('"').unwrap_or(left.len()) };
        let (token, rest) = left.split_at(end);
        left = rest;
        Some(if is_text { Token::Text(token) } else { Token::Rest(token) })
    })
}

/// Where the string that starts `json` ends, after its closing quote.
fn text_end(json: &str) -> usize {
    let bytes = json.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The text of a string token. `None`: half a surrogate pair, the one thing that JSON's grammar lets through.
pub(super) fn decode(token: &str) -> Option<Cow<'_, str>> {
    if token.contains('\\') {
        return serde_json::from_str::<String>(token).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(&token[1..token.len() - 1]))
}

/// JSON text without white space, its strings written one way, everything else as it was sent.
pub(super) fn compact(json: &str, nested: Nested) -> String {
    let mut out = String::with_capacity(json.len());
    for token in tokens(json) {
        match token {
            Token::Rest(rest) => out.extend(rest.chars().filter(|c| !c.is_ascii_whitespace())),
            Token::Text(text) => encode(&decode(text).unwrap_or_default(), nested, &mut out),
        }
    }
    out
}

fn encode(text: &str, nested: Nested, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '/' if nested == Nested::Escaped => out.push_str("\\/"),
            c if (c as u32) < 0x20 || (nested == Nested::Escaped && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
