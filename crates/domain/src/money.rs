//! Money: integer minor units of one currency. There is no conversion and no float.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The codes of ISO 4217 in use, by the alphabet.
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW \
                     CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG \
                     HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK \
                     MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR \
                     SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW \
                     UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// A currency by its code of ISO 4217. One that was kept before it was held to that list is good for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Chinese yuan.
    pub const CNY: Currency = Currency(*b"CNY");
    /// United States dollar.
    pub const USD: Currency = Currency(*b"USD");

    /// A code of ISO 4217, as a person writes it for something new.
    pub fn iso(text: &str) -> Result<Self, String> {
        match Currency::parse(text) {
            Ok(currency) if CODES.split(' ').any(|code| code == text) => Ok(currency),
            _ => Err(format!("\"{text}\" is no currency of ISO 4217; write the code of one, such as USD, CNY or EUR")),
        }
    }

    /// Three capital letters, as they are kept.
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

    /// Decimal places of the major unit by ISO 4217: 2, or 0 for the yen and its like.
    pub fn exponent(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX" | b"UYI"
            | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
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
        let bad = || match currency.exponent() {
            0 => format!("\"{text}\" is not an amount in {currency}: digits without decimals"),
            n => format!("\"{text}\" is not an amount in {currency}: digits with at most {n} decimals"),
        };
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
        let minor: i64 = format!("{whole}{part:0<places$}").parse().map_err(|_| {
            let most = Money { minor: i64::MAX, currency }.to_decimal();
            format!("\"{text}\" is more than {most} {currency}, the most that an amount can be")
        })?;
        Ok(Money { minor: if negative { -minor } else { minor }, currency })
    }

    /// Decimal text with all the currency's places: `28.80`, `-0.05`, `120` (yen).
    pub fn to_decimal(&self) -> String {
        decimal(self.minor, self.currency.exponent())
    }
}

/// `minor` as decimal text with exactly `places` decimals.
pub fn decimal(minor: i64, places: u32) -> String {
    let (digits, places) = (minor.unsigned_abs().to_string(), places as usize);
    let mut text = String::with_capacity(digits.len() + places + 3);
    text.push_str(if minor < 0 { "-" } else { "" });
    text.extend(std::iter::repeat_n('0', (places + 1).saturating_sub(digits.len())));
    text.push_str(&digits);
    if places > 0 {
        text.insert(text.len() - places, '.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_currency_is_one_of_iso_4217_with_its_decimals() {
        let places = |code: &str| Currency::iso(code).map(|c| c.exponent());
        for (places_wanted, codes) in [(0, "JPY KRW RWF XPF"), (2, "USD CNY EUR HUF ZWG AED"), (3, "KWD IQD LYD"), (4, "CLF UYW")]
        {
            assert!(codes.split(' ').all(|code| places(code) == Ok(places_wanted)), "{codes}");
        }
        for text in ["UDS", "XXX", "usd", "US", "", "AED AFN", "ED ", "D A"] {
            assert!(places(text).is_err_and(|e| e.contains("ISO 4217; write")), "{text}");
        }
        assert_eq!(Currency::parse("UDS").map(|c| c.exponent()), Ok(2), "what is kept is kept");
    }

    #[test]
    fn decimal_text_has_a_digit_before_the_point_and_all_places_behind_it() {
        for (minor, places, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (7, 2, "0.07"),
            (-7, 3, "-0.007"),
            (100, 2, "1.00"),
            (-12_345, 2, "-123.45"),
            (i64::MIN, 4, "-922337203685477.5808"),
        ] {
            assert_eq!(decimal(minor, places), text);
        }
    }

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
        for (text, currency, says) in [
            ("1.305", Currency::USD, "is not an amount in USD: digits with at most 2 decimals"),
            ("1.5", jpy, "is not an amount in JPY: digits without decimals"),
            ("", Currency::USD, "is not an amount in USD"),
            ("1e3", Currency::USD, "is not an amount in USD"),
            (".5", Currency::USD, "is not an amount in USD"),
            ("92233720368547758.08", Currency::USD, "is more than 92233720368547758.07 USD, the most that an amount can be"),
        ] {
            let refused = Money::parse(text, currency).unwrap_err();
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }
}
