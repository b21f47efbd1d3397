//! What is sold: an allowance, a price and a validity.

use crate::time::Span;
use serde::{Deserialize, Serialize};

/// A closed list of words, each with its stored text and, where a partner API numbers it, that number.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl $name {
            /// Every word of the list.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// The word as stored and as written in files.
            pub fn word(self) -> &'static str { match self { $($name::$variant => $text),+ } }
            /// Reads the word; the error lists the words there are.
            pub fn parse(text: &str) -> Result<Self, String> {
                match text { $($text => Ok($name::$variant),)+
                    _ => Err(format!("\"{text}\" is not one of {}", [$($text),+].join(", "))) }
            }
        }
    };
}
pub(crate) use words;

words!(/// How a package meets its limit.
Kind {
    /// Limited data within its validity; ends at its quota.
    Quota = "quota",
    /// Unlimited data within its validity.
    Time = "time",
    /// Within its validity, slower after its allowance; never ends at its quota.
    Throttled = "throttled",
});

words!(/// What place a package takes on a card.
Category {
    /// Month package (partner number 1).
    Month = "month",
    /// Long package (2).
    Long = "long",
    /// Top-up: runs beside the main package (3).
    TopUp = "top_up",
    /// Safety package, anxinbao (4): runs beside the main package.
    Safety = "safety",
    /// Test package (5).
    Test = "test",
    /// Idle-hours package (6).
    IdleHours = "idle_hours",
    /// Billed after use (7); never blocks on its quota.
    Postpaid = "postpaid",
});

words!(/// What the allowance counts.
Resource {
    /// Bytes.
    Data = "data",
    /// Seconds of voice.
    Voice = "voice",
    /// Bytes on a narrow-band network.
    Nb = "nb",
    /// Messages.
    Sms = "sms",
});

words!(/// When the allowance refills.
Window {
    /// One allowance for the whole validity.
    Whole = "whole",
    /// A fresh allowance on the first of each month, in the zone in which it was bought.
    CalendarMonth = "calendar_month",
});

words!(/// When a bought package may start.
StartRule {
    /// After what is already there; at once where nothing is in use.
    Queue = "queue",
    /// Top-ups: at once. A main package cannot start beside another, so for it this is `queue`.
    Now = "now",
    /// Top-ups: on the first of next month, in the zone in which it was bought.
    NextMonth = "next_month",
});

words!(/// Who makes the subscription real.
Fulfil {
    /// It starts in the order's own transaction.
    Local = "local",
    /// The carrier must confirm a write intent first.
    Carrier = "carrier",
});

impl Kind {
    /// The partner API's `packageType`.
    pub fn package_type(self) -> i64 {
        match self {
            Kind::Quota => 2,
            Kind::Time => 3,
            Kind::Throttled => 4,
        }
    }
}

impl Category {
    /// Runs beside the main package instead of waiting in its queue.
    pub fn is_side(self) -> bool {
        matches!(self, Category::TopUp | Category::Safety)
    }
}

/// The part of a package that the engine needs; copied into each subscription when it is bought, so that a later
/// change of the catalogue changes nothing that was sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How it meets its limit.
    pub kind: Kind,
    /// Its place on the card.
    pub category: Category,
    /// What it counts.
    pub resource: Resource,
    /// Allowance in bytes (or seconds, or messages), for the validity or for each month as `window` says. 0 for `time`.
    pub allowance: i64,
    /// How long it is valid once started.
    pub validity: Span,
    /// When the allowance refills.
    pub window: Window,
}

impl Terms {
    /// Whether the package ends, or blocks, when its allowance is used up.
    pub fn is_limited(&self) -> bool {
        self.kind == Kind::Quota && self.category != Category::Postpaid
    }
}

/// Reads a size such as `100MB`; KB, MB and GB are powers of 1024, a bare number is bytes.
pub fn parse_size(text: &str) -> Result<i64, String> {
    let bad = || format!("\"{text}\" is not a size: write 500KB, 100MB or 1GB");
    let (number, unit) = match text.trim() {
        t if t.ends_with("KB") => (&t[..t.len() - 2], 1_i64 << 10),
        t if t.ends_with("MB") => (&t[..t.len() - 2], 1 << 20),
        t if t.ends_with("GB") => (&t[..t.len() - 2], 1 << 30),
        t if t.ends_with('B') => (&t[..t.len() - 1], 1),
        t => (t, 1),
    };
    let number: i64 = number.trim().parse().map_err(|_| bad())?;
    if number < 0 {
        return Err(bad());
    }
    number.checked_mul(unit).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_size("100MB"), Ok(104_857_600));
        assert_eq!(parse_size("1GB"), Ok(1 << 30));
        assert_eq!(parse_size("512"), Ok(512));
        assert!(parse_size("1.5GB").is_err());
        assert!(parse_size("9999999999GB").is_err());
        assert!(parse_size("-1MB").is_err());
    }
}
