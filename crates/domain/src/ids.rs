//! Identifiers: the integers we give out and the numbers printed on cards and devices.
//!
//! Parsed once at the door; a value of one of these types is well-formed. Whether it exists is another question.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    };
}

integer_id!(/// A tenant. The operator is account 1.
    AccountId);
integer_id!(/// One card.
    SimId);
integer_id!(/// One upstream account at a carrier (`cardPlatformId` at the device door).
    PlatformId);
integer_id!(/// What a card is sold as.
    ProductId);
integer_id!(/// A package of the catalogue.
    PackageId);
integer_id!(/// An order, numbered from 10000001.
    OrderId);
integer_id!(/// One package bought for one card or pool. Later purchases have greater numbers.
    SubscriptionId);
integer_id!(/// A shared allowance (`pool_object_id` of the partner API).
    PoolId);

/// Why a printed number was not accepted: the field and the rule it broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The kind of number, for example `iccid`.
    pub field: &'static str,
    /// What a good one looks like.
    pub rule: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: must be {}", self.field, self.rule)
    }
}

macro_rules! printed_number {
    ($(#[$doc:meta])* $name:ident, $field:literal, $rule:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);
        impl $name {
            /// Parses and normalises; the error names the field and the rule.
            pub fn parse(text: &str) -> Result<Self, Malformed> {
                let text = text.trim();
                let ok: fn(&str) -> bool = $ok;
                if ok(text) { Ok(Self(text.to_ascii_uppercase())) } else { Err(Malformed { field: $field, rule: $rule }) }
            }
            /// The normalised text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}

fn digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

printed_number!(/// Card number: 18-22 of `[0-9A-Fa-f]` (IoT cards carry letters), compared upper-case.
    Iccid, "iccid", "18 to 22 hexadecimal digits",
    |t| (18..=22).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_hexdigit()));
printed_number!(/// Telephone number of a card: 11-13 digits.
    Msisdn, "msisdn", "11 to 13 digits", |t| (11..=13).contains(&t.len()) && digits(t));
printed_number!(/// Subscriber identity: 15 digits.
    Imsi, "imsi", "15 digits", |t| t.len() == 15 && digits(t));
printed_number!(/// Device identity: 15 or 16 digits.
    Imei, "imei", "15 or 16 digits", |t| (15..=16).contains(&t.len()) && digits(t));
printed_number!(/// eSIM identity: 32 digits.
    Eid, "eid", "32 digits", |t| t.len() == 32 && digits(t));

impl Iccid {
    /// Whether the last digit is the Luhn check digit. A failure is a warning, never a refusal:
    /// one of the partner API's own examples fails it.
    pub fn luhn_ok(&self) -> bool {
        let mut sum = 0;
        for (i, b) in self.0.bytes().rev().enumerate() {
            let Some(d) = (b as char).to_digit(10) else { return false };
            let d = if i % 2 == 1 { d * 2 } else { d };
            sum += d / 10 + d % 10;
        }
        sum % 10 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iccid_may_carry_letters_and_is_compared_upper_case() {
        assert_eq!(Iccid::parse(" 898604293620c0000970 ").unwrap().as_str(), "898604293620C0000970");
        assert!(Iccid::parse("89860429362").is_err());
        assert!(Iccid::parse("898604293620G0000970").is_err());
    }

    #[test]
    fn luhn_is_computed_over_the_whole_number() {
        assert!(Iccid::parse("8988303000000614224").unwrap().luhn_ok());
        assert!(!Iccid::parse("8988303000000614225").unwrap().luhn_ok());
        assert!(!Iccid::parse("898604293620C0000970").unwrap().luhn_ok());
    }
}
