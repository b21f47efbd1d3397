//! Billing months: the natural month, or one that begins late in the month before (China Unicom: 27th to 26th).

use crate::time::{DEFAULT_ZONE, Timestamp, Zone, day_text, parse_day};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A billing month by the calendar month that it is named after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// Months since January of the year 0.
    since_zero: i64,
}

impl Month {
    /// Reads `yyyyMM`.
    pub fn parse(text: &str) -> Result<Month, String> {
        let digits = text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i64>().ok().filter(|n| digits && (1..=12).contains(&(n % 100)));
        let number = number.ok_or_else(|| format!("\"{text}\" is not a month such as 202601"))?;
        Ok(Month { since_zero: number / 100 * 12 + number % 100 - 1 })
    }

    /// The month before.
    pub fn before(self) -> Month {
        Month { since_zero: self.since_zero - 1 }
    }

    /// The month after.
    pub fn after(self) -> Month {
        Month { since_zero: self.since_zero + 1 }
    }

    fn day(self, day: u8) -> i64 {
        parse_day(&format!("{:04}-{:02}-{day:02}", self.since_zero / 12, self.since_zero % 12 + 1)).unwrap_or(0)
    }
}

/// As `yyyyMM`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}", self.since_zero / 12, self.since_zero % 12 + 1)
    }
}

/// When billing months begin, in China's days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// The first day, 1 to 28. From the 2nd on a month begins in the calendar month before the one it is named after.
    pub first_day: u8,
}

impl Default for Cycle {
    fn default() -> Self {
        Cycle::NATURAL
    }
}

impl Cycle {
    /// The calendar month.
    pub const NATURAL: Cycle = Cycle { first_day: 1 };

    /// The month that holds this day (days since 1970-01-01).
    pub fn month(self, day: i64) -> Month {
        let text = day_text(day);
        let calendar = Month::parse(&format!("{}{}", &text[..4], &text[5..7])).unwrap_or(Month { since_zero: 0 });
        let late = self.first_day > 1 && text[8..].parse::<u8>().is_ok_and(|d| d >= self.first_day);
        if late { calendar.after() } else { calendar }
    }

    /// The first day of a month, days since 1970-01-01.
    pub fn first(self, month: Month) -> i64 {
        if self.first_day > 1 { month.before().day(self.first_day) } else { month.day(1) }
    }

    /// The last day of a month.
    pub fn last(self, month: Month) -> i64 {
        self.first(month.after()) - 1
    }

    /// The first instant of a month in China.
    pub fn start(self, month: Month) -> Timestamp {
        china().start_of_day(self.first(month))
    }
}

/// The zone in which carriers count days.
pub(crate) fn china() -> Zone {
    Zone::find(DEFAULT_ZONE).expect("it is compiled in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_lies_in_the_month_that_its_carrier_bills() {
        for (first_day, day, month, first, last) in [
            (1, "2026-01-01", "202601", "2026-01-01", "2026-01-31"),
            (1, "2026-02-28", "202602", "2026-02-01", "2026-02-28"),
            (27, "2026-01-26", "202601", "2025-12-27", "2026-01-26"),
            (27, "2026-01-27", "202602", "2026-01-27", "2026-02-26"),
            (27, "2026-12-27", "202701", "2026-12-27", "2027-01-26"),
            (27, "2028-03-01", "202803", "2028-02-27", "2028-03-26"),
        ] {
            let cycle = Cycle { first_day };
            let found = cycle.month(parse_day(day).unwrap());
            assert_eq!(found.to_string(), month, "{day}");
            assert_eq!((day_text(cycle.first(found)).as_str(), day_text(cycle.last(found)).as_str()), (first, last), "{day}");
        }
    }

    #[test]
    fn a_month_is_read_as_it_is_written() {
        assert_eq!(Month::parse("202612").unwrap().after().to_string(), "202701");
        assert_eq!(Month::parse("202601").unwrap().before().to_string(), "202512");
        for bad in ["2026-1", "202613", "202600", "20261", "+20261"] {
            assert!(Month::parse(bad).is_err(), "{bad}");
        }
    }
}
