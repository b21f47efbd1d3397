//! Text as clients write it: UTF-8, or GB2312 (read and written as its superset GBK).

use encoding_rs::GBK;
use std::borrow::Cow;

/// How a text was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// UTF-8; all of ASCII is.
    Utf8,
    /// GB2312.
    Gb2312,
}

/// Reads a text: valid UTF-8 is UTF-8, anything else GB2312. None: neither.
pub fn decode(bytes: &[u8]) -> Option<(Cow<'_, str>, Written)> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some((Cow::Borrowed(text), Written::Utf8));
    }
    GBK.decode_without_bom_handling_and_without_replacement(bytes).map(|text| (text, Written::Gb2312))
}

/// The text in GB2312; none if a character is not in it.
pub fn gb2312(text: &str) -> Option<Cow<'_, [u8]>> {
    let (bytes, _, unmappable) = GBK.encode(text);
    (!unmappable).then_some(bytes)
}
