//! Money: integer minor units of one currency. There is no conversion and no float.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An ISO 4217 code with the number of its decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Chinese yuan.
    pub const CNY: Currency = Currency(*b"CNY");
    /// United States dollar.
    pub const USD: Currency = Currency(*b"USD");

    /// Three capital letters.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|l| l.is_ascii_uppercase()) => Ok(Currency([*a, *b, *c])),
            _ => Err(format!("currency: \"{text}\" is not three capital letters such as USD")),
        }
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three ASCII letters")
    }

    /// Decimal places of the major unit: 2, or 0 for the yen and its like.
    pub fn exponent(&self) -> u32 {
        match &self.0 {
            b"JPY" | b"KRW" | b"VND" | b"CLP" | b"ISK" | b"UGX" | b"XAF" | b"XOF" | b"PYG" => 0,
            b"BHD" | b"KWD" | b"OMR" | b"JOD" | b"TND" => 3,
            _ => 2,
        }
    }

    /// Minor units in one major unit.
    pub fn scale(&self) -> i64 {
        10_i64.pow(self.exponent())
    }
}

impl TryFrom<String> for Currency {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Currency::parse(&text)
    }
}

impl From<Currency> for String {
    fn from(c: Currency) -> String {
        c.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units (fen, cent, yen).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; negative for what is owed.
    pub minor: i64,
    /// The currency it is in.
    pub currency: Currency,
}

impl Money {
    /// Reads decimal text such as `1.30`; more decimals than the currency has are an error, not rounded.
    pub fn parse(text: &str, currency: Currency) -> Result<Money, String> {
        let bad = || format!("\"{text}\" is not an amount in {currency}: digits with at most {} decimals", currency.exponent());
        let (negative, rest) = match text.trim().strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        let (whole, part) = rest.split_once('.').unwrap_or((rest, ""));
        let places = currency.exponent() as usize;
        let part = if part.len() > places { part.trim_end_matches('0') } else { part };
        let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || part.len() > places || !all_digits(whole) || !all_digits(part) {
            return Err(bad());
        }
        let minor: i64 = format!("{whole}{part:0<places$}").parse().map_err(|_| bad())?;
        Ok(Money { minor: if negative { -minor } else { minor }, currency })
    }

    /// Decimal text with all the currency's places: `28.80`, `-0.05`, `120` (yen).
    pub fn to_decimal(&self) -> String {
        decimal(self.minor, self.currency.exponent())
    }
}

/// `minor` as decimal text with exactly `places` decimals.
pub fn decimal(minor: i64, places: u32) -> String {
    let scale = 10_u64.pow(places);
    let size = minor.unsigned_abs();
    let sign = if minor < 0 { "-" } else { "" };
    if places == 0 {
        return format!("{sign}{size}");
    }
    format!("{sign}{}.{:0width$}", size / scale, size % scale, width = places as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_round_trips_and_excess_precision_is_refused() {
        let jpy = Currency::parse("JPY").unwrap();
        for (text, currency, minor, shown) in [
            ("1.30", Currency::USD, 130, "1.30"),
            ("1.3", Currency::USD, 130, "1.30"),
            ("0.05", Currency::CNY, 5, "0.05"),
            ("-0.05", Currency::CNY, -5, "-0.05"),
            ("100", Currency::USD, 10_000, "100.00"),
            ("1.300", Currency::USD, 130, "1.30"),
            ("120", jpy, 120, "120"),
        ] {
            let money = Money::parse(text, currency).unwrap();
            assert_eq!((money.minor, money.to_decimal().as_str()), (minor, shown), "{text}");
        }
        for (text, currency) in
            [("1.305", Currency::USD), ("1.5", jpy), ("", Currency::USD), ("1e3", Currency::USD), (".5", Currency::USD)]
        {
            assert!(Money::parse(text, currency).is_err(), "{text}");
        }
    }
}
