//! Amounts of data as carriers write them, as whole bytes. 1 MB = 1024 KB with all of them; nothing is ever a float.

/// Bytes of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 1 byte.
    Byte,
    /// 1,024 bytes.
    Kb,
    /// 1,024 KB.
    Mb,
    /// 1,024 MB.
    Gb,
}

impl Unit {
    fn bytes(self) -> i128 {
        match self {
            Unit::Byte => 1,
            Unit::Kb => 1 << 10,
            Unit::Mb => 1 << 20,
            Unit::Gb => 1 << 30,
        }
    }

    /// By its name in any case; the shortest forms too.
    pub fn parse(text: &str) -> Option<Unit> {
        match text.trim().to_ascii_uppercase().as_str() {
            "B" | "BYTE" => Some(Unit::Byte),
            "K" | "KB" => Some(Unit::Kb),
            "M" | "MB" => Some(Unit::Mb),
            "G" | "GB" => Some(Unit::Gb),
            _ => None,
        }
    }
}

/// A decimal number of a unit as whole bytes, half a byte up; none if it does not read, is negative or too large.
pub fn bytes(text: &str, unit: Unit) -> Option<i64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let number = whole.parse::<i128>().ok()? * scale + if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? };
    i64::try_from((number * unit.bytes() * 2 + scale) / (scale * 2)).ok()
}

/// A number with its unit behind it, such as `12.34MB`.
pub fn with_unit(text: &str) -> Option<i64> {
    let text = text.trim();
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    bytes(&text[..at], Unit::parse(&text[at..])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_becomes_whole_bytes() {
        for (text, unit, expected) in [
            ("20480.5", Unit::Kb, Some(20_971_520 + 512)),
            ("0", Unit::Kb, Some(0)),
            ("0.00", Unit::Mb, Some(0)),
            ("0.0004", Unit::Kb, Some(0)),
            ("0.0005", Unit::Kb, Some(1)),
            ("1", Unit::Gb, Some(1 << 30)),
            ("12345678901234", Unit::Byte, Some(12_345_678_901_234)),
            ("-1", Unit::Kb, None),
            ("", Unit::Kb, None),
            (".5", Unit::Kb, None),
            ("1e3", Unit::Kb, None),
            ("99999999999999999", Unit::Gb, None),
        ] {
            assert_eq!(bytes(text, unit), expected, "{text} {unit:?}");
        }
        for (text, expected) in [
            ("12.34MB", Some(12_939_428)),
            ("0.00MB", Some(0)),
            ("3 KB", Some(3072)),
            ("1GB", Some(1 << 30)),
            ("7", None),
            ("MB", None),
        ] {
            assert_eq!(with_unit(text), expected, "{text}");
        }
    }
}
