//! The parameters of a request, decoded, each with the bytes that were meant.

use super::grammar::Fault;
use super::text::{Written, decode};
use memchr::{memchr_iter, memchr2};
use std::collections::BTreeMap;

/// Parameters that a request may have at most; those of the busiest operation are eleven.
const PARAMETERS_MAX: usize = 64;
/// Characters of an entry of a list, with its comma, roughly.
const USUAL_ENTRY: usize = 16;

/// What was sent: name to text. A name stands once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(BTreeMap<String, (String, Written)>);

impl Form {
    /// Reads a query or a form: `name=value` joined by `&`, with `+` and `%xx`. Empty pieces are passed over (the source
    /// prints `&&` once). A control character other than tab and line ends is refused in any value.
    ///
    /// # Errors
    /// 1031, in words, for what cannot be read one way only.
    pub fn parse(raw: &[u8]) -> Result<Form, Fault> {
        let mut found = BTreeMap::new();
        for piece in pieces(raw, b'&').filter(|p| !p.is_empty()) {
            let split = piece.iter().position(|b| *b == b'=').unwrap_or(piece.len());
            let (name, value) = (&piece[..split], piece.get(split + 1..).unwrap_or_default());
            let (name, value) = (unescaped(name).ok_or(BROKEN)?, unescaped(value).ok_or(BROKEN)?);
            let name = String::from_utf8(name).map_err(|_| BROKEN)?;
            let (text, written) = decode(&value).ok_or(NO_TEXT)?;
            if has_controls(&name) || has_controls(&text) {
                return Err(CONTROL);
            }
            let twice = found.insert(name, (text.into_owned(), written)).is_some();
            if twice || found.len() > PARAMETERS_MAX {
                return Err(TWICE);
            }
        }
        Ok(Form(found))
    }

    /// What can be read of a query or form that [`Form::parse`] refuses: of each parameter the first value that is a text. It tells
    /// whose the request is, and is never acted on.
    pub fn salvage(raw: &[u8]) -> Form {
        let mut found = BTreeMap::new();
        for piece in pieces(raw, b'&').filter(|p| !p.is_empty()).take(PARAMETERS_MAX) {
            let split = piece.iter().position(|b| *b == b'=').unwrap_or(piece.len());
            let (name, value) = (unescaped(&piece[..split]), unescaped(piece.get(split + 1..).unwrap_or_default()));
            let (Some(Ok(name)), Some(value)) = (name.map(String::from_utf8), value) else { continue };
            if let Some((text, written)) = decode(&value) {
                found.entry(name).or_insert((text.into_owned(), written));
            }
        }
        Form(found)
    }

    /// The value of a parameter; empty if it is absent.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |v| &v.0)
    }

    /// Lets the value of another parameter stand for one that is absent or empty.
    pub(super) fn stand_in(&mut self, name: &str, other: &str) {
        if self.get(name).is_empty()
            && let Some(value) = self.0.get(other).cloned()
        {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// How the value of a parameter was written.
    pub fn written(&self, name: &str) -> Written {
        self.0.get(name).map_or(Written::Utf8, |v| v.1)
    }

    /// The entries of a list joined by commas; none of an absent or empty one.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let text = self.get(name);
        if text.is_empty() {
            return Vec::new();
        }
        let (mut entries, mut from) = (Vec::with_capacity(text.len() / USUAL_ENTRY), 0);
        for comma in memchr_iter(b',', text.as_bytes()) {
            entries.push(&text[from..comma]);
            from = comma + 1;
        }
        entries.push(&text[from..]);
        entries
    }

    /// Every parameter, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.0.as_str()))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Form {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(pairs: T) -> Form {
        Form(pairs.into_iter().map(|(name, value)| (name.to_owned(), (value.to_owned(), Written::Utf8))).collect())
    }
}

const BROKEN: Fault = Fault::value("", "请求参数无法解析, %后必须为两位十六进制数字");
const NO_TEXT: Fault = Fault::value("", "请求参数既不是utf-8也不是gb2312编码");
const CONTROL: Fault = Fault::value("", "请求参数不能包含控制字符");
const TWICE: Fault = Fault::value("", "请求参数重复或过多");

/// What stands between the marks, as `split` would have it; many times as fast for what is long.
fn pieces(raw: &[u8], mark: u8) -> impl Iterator<Item = &[u8]> {
    let ends = memchr_iter(mark, raw).chain([raw.len()]);
    ends.scan(0, |from, end| Some(&raw[std::mem::replace(from, end + 1)..end]))
}

fn has_controls(text: &str) -> bool {
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    // Most is ASCII, and long: there each byte is a character.
    if text.is_ascii() { text.bytes().fold(false, |any, b| any | odd(b.into())) } else { text.chars().any(odd) }
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).map(|d| d as u8);
    let plain = memchr2(b'+', b'%', text).unwrap_or(text.len());
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(&text[..plain]);
    let mut rest = &text[plain..];
    while let Some((first, after)) = rest.split_first() {
        (rest, _) = match first {
            b'+' => (after, out.push(b' ')),
            b'%' => {
                let [high, low, after @ ..] = after else { return None };
                (after, out.push(digit(high)? << 4 | digit(low)?))
            }
            byte => (after, out.push(*byte)),
        };
    }
    Some(out)
}
