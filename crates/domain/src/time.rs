//! Instants and calendars. Everything is stored and computed as seconds since 1970 UTC; a [`Zone`] is asked only
//! where the trade speaks of days and months. No function here reads a clock.

use crate::cdr::civil::parts;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An instant: whole seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// Seconds in a UTC day.
pub const DAY_SECONDS: i64 = 86_400;

impl Timestamp {
    /// Later by `seconds`.
    pub fn plus(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to here.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads RFC 3339 text such as `2026-01-01T00:00:00Z`.
    pub fn parse_rfc3339(text: &str) -> Result<Timestamp, String> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Timestamp(t.as_second()))
            .map_err(|e| format!("\"{text}\" is not an instant such as 2026-01-01T00:00:00Z ({e})"))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(t) => t.fmt(f),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

/// How long a package is valid: days of 86,400 s, or calendar months clamped to the month's last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Span {
    /// Whole days of 86,400 seconds.
    Days(u32),
    /// Calendar months of the zone in which it was bought.
    Months(u32),
}

impl Span {
    /// Reads `30d` or `1mo`.
    pub fn parse(text: &str) -> Result<Span, String> {
        let bad = || format!("\"{text}\" is not a duration: write 30d or 1mo");
        let (number, span): (&str, fn(u32) -> Span) = if let Some(n) = text.strip_suffix("mo") {
            (n, Span::Months)
        } else if let Some(n) = text.strip_suffix('d') {
            (n, Span::Days)
        } else {
            return Err(bad());
        };
        match number.parse::<u32>() {
            Ok(n) if (1..=36_500).contains(&n) => Ok(span(n)),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Span::parse(&text)
    }
}

impl From<Span> for String {
    fn from(s: Span) -> String {
        s.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::Days(n) => write!(f, "{n}d"),
            Span::Months(n) => write!(f, "{n}mo"),
        }
    }
}

/// A time zone by its IANA name, which is all that two of them are compared by and that is written of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    tz: TimeZone,
    fixed_offset_seconds: Option<(i64, i64)>,
}

/// The zone of days and months where nothing else is said.
pub const DEFAULT_ZONE: &str = "Asia/Shanghai";

/// The first and the last instant that are told as a date; whatever lies beyond is told as these.
const FIRST: Timestamp = Timestamp(-377_705_000_000);
const LAST: Timestamp = Timestamp(253_402_000_000);
/// The first instant of a year that has four digits, a day in.
const YEAR_ZERO: Timestamp = Timestamp(-62_167_132_800);

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl TryFrom<String> for Zone {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Zone::find(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name().to_owned()
    }
}

impl Zone {
    /// Its name, such as `Asia/Shanghai`.
    pub fn name(&self) -> &str {
        self.tz.iana_name().unwrap_or("UTC")
    }

    /// Finds the zone in the compiled-in database.
    pub fn find(name: &str) -> Result<Zone, String> {
        let tz = TimeZone::get(name).map_err(|_| format!("time_zone: \"{name}\" is not an IANA zone such as Asia/Shanghai"))?;
        // China has had one offset since September 1991; most other zones move.
        let fixed_offset_seconds = match name {
            "Asia/Shanghai" => Some((684_867_600, 28_800)),
            "UTC" | "Etc/UTC" => Some((i64::MIN, 0)),
            _ => None,
        };
        Ok(Zone { tz, fixed_offset_seconds })
    }

    fn offset(&self, at: Timestamp) -> i64 {
        match self.fixed_offset_seconds {
            Some((since, offset)) if at.0 >= since => offset,
            _ => jiff::Timestamp::from_second(at.0).map_or(0, |t| i64::from(self.tz.to_offset(t).seconds())),
        }
    }

    /// Days since 1970-01-01 of the local date at this instant.
    pub fn day(&self, at: Timestamp) -> i64 {
        at.0.saturating_add(self.offset(at)).div_euclid(DAY_SECONDS)
    }

    fn local(&self, at: Timestamp) -> DateTime {
        let t = jiff::Timestamp::from_second(at.0.clamp(FIRST.0, LAST.0)).expect("clamped");
        self.tz.to_datetime(t)
    }

    fn instant(&self, local: DateTime) -> Timestamp {
        Timestamp(self.tz.to_ambiguous_zoned(local).compatible().map_or(i64::MAX, |z| z.timestamp().as_second()))
    }

    /// The instant at which a span that starts at `from` is over.
    pub fn end_of(&self, from: Timestamp, span: Span) -> Timestamp {
        match span {
            Span::Days(n) => from.plus(i64::from(n) * DAY_SECONDS),
            Span::Months(n) => {
                let local = self.local(from);
                match local.checked_add(jiff::Span::new().months(i64::from(n))) {
                    Ok(end) => self.instant(end),
                    Err(_) => Timestamp(i64::MAX),
                }
            }
        }
    }

    /// The first instant of the month after the one that holds `at`.
    pub fn next_month(&self, at: Timestamp) -> Timestamp {
        let first = self.local(at).date().first_of_month();
        match first.checked_add(jiff::Span::new().months(1)) {
            Ok(next) => self.instant(next.to_datetime(jiff::civil::Time::midnight())),
            Err(_) => Timestamp(i64::MAX),
        }
    }

    /// The first instant of the local date that is `day` days after 1970-01-01.
    pub fn start_of_day(&self, day: i64) -> Timestamp {
        match Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(day)) {
            Ok(date) => self.instant(date.to_datetime(jiff::civil::Time::midnight())),
            Err(_) => Timestamp(i64::MAX),
        }
    }

    /// `yyyy-MM-dd HH:mm:ss` of the local time, by hand: answers about cards are full of times. What lies before the year 0 is told as
    /// its beginning.
    pub fn text(&self, at: Timestamp) -> String {
        let at = Timestamp(at.0.clamp(YEAR_ZERO.0, LAST.0));
        let parts = parts(at.plus(self.offset(at)));
        let mut text = String::with_capacity(19);
        for (n, (before, places)) in parts.into_iter().zip([("", 4), ("-", 2), ("-", 2), (" ", 2), (":", 2), (":", 2)]) {
            text.push_str(before);
            text.extend((0..places).rev().map(|place| char::from(b'0' + (n / 10_i64.pow(place) % 10) as u8)));
        }
        text
    }

    /// `yyyy-MM-dd` of the local date, as [`Zone::text`] begins.
    pub fn date(&self, at: Timestamp) -> String {
        let mut text = self.text(at);
        text.truncate(10);
        text
    }

    /// `yyyyMMddHHmmss` of the local time.
    pub fn digits(&self, at: Timestamp) -> String {
        self.local(at).strftime("%Y%m%d%H%M%S").to_string()
    }

    /// Reads `yyyy-MM-dd HH:mm:ss` or `yyyy-MM-dd` as local time; a date that does not exist is an error.
    pub fn parse(&self, text: &str) -> Result<Timestamp, String> {
        let bad = || format!("\"{text}\" is not a time such as 2026-01-31 23:59:59");
        let local = match text.len() {
            10 => DateTime::strptime("%Y-%m-%d %H:%M:%S", format!("{text} 00:00:00")).map_err(|_| bad())?,
            19 => DateTime::strptime("%Y-%m-%d %H:%M:%S", text).map_err(|_| bad())?,
            _ => return Err(bad()),
        };
        Ok(self.instant(local))
    }
}

/// Days since 1970-01-01 of a calendar date written `yyyy-MM-dd`.
pub fn parse_day(text: &str) -> Result<i64, String> {
    let bad = || format!("\"{text}\" is not a date such as 2026-01-31");
    if text.len() != 10 {
        return Err(bad());
    }
    let date = Date::strptime("%Y-%m-%d", text).map_err(|_| bad())?;
    Ok(i64::from(Date::constant(1970, 1, 1).until(date).map_err(|_| bad())?.get_days()))
}

/// First and last day (days since 1970-01-01) of a month written `yyyy-MM`.
pub fn parse_month(text: &str) -> Result<(i64, i64), String> {
    let first = parse_day(&format!("{text}-01")).map_err(|_| format!("\"{text}\" is not a month such as 2026-01"))?;
    let date = Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(first)).map_err(|e| e.to_string())?;
    Ok((first, first + i64::from(date.days_in_month()) - 1))
}

/// `yyyy-MM-dd` of a day number.
pub fn day_text(day: i64) -> String {
    match Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(day)) {
        Ok(date) => date.to_string(),
        Err(_) => format!("day {day}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn china() -> Zone {
        Zone::find("Asia/Shanghai").unwrap()
    }

    #[test]
    fn a_time_is_written_as_the_calendar_library_writes_it() {
        for name in ["Asia/Shanghai", "UTC", "America/New_York"] {
            let zone = Zone::find(name).unwrap();
            let odd = [i64::MAX, 0, -1, 684_867_599, 684_867_600, 253_402_000_000, YEAR_ZERO.0];
            // Some hours apart, over leap years and changes of the clock.
            let even = (-3_000_i64..20_000).map(|n| n * 100_003);
            for at in odd.into_iter().chain(even) {
                let text = zone.local(Timestamp(at)).strftime("%Y-%m-%d %H:%M:%S").to_string();
                assert_eq!(
                    (zone.text(Timestamp(at)), zone.date(Timestamp(at))),
                    (text.clone(), text[..10].to_owned()),
                    "{name} {at}"
                );
            }
        }
    }

    #[test]
    fn a_month_is_a_calendar_month_clamped_to_its_last_day() {
        let zone = china();
        for (from, months, end) in [
            ("2026-01-31 10:00:00", 1, "2026-02-28 10:00:00"),
            ("2028-01-31 10:00:00", 1, "2028-02-29 10:00:00"),
            ("2026-11-30 00:00:00", 3, "2027-02-28 00:00:00"),
            ("2026-01-15 23:59:59", 12, "2027-01-15 23:59:59"),
        ] {
            let from = zone.parse(from).unwrap();
            assert_eq!(zone.text(zone.end_of(from, Span::Months(months))), end);
        }
    }

    #[test]
    fn days_and_months_turn_at_local_midnight() {
        let zone = china();
        let before = Timestamp::parse_rfc3339("2026-01-31T15:59:59Z").unwrap();
        assert_eq!(zone.day(before) + 1, zone.day(before.plus(1)));
        assert_eq!(zone.next_month(before), before.plus(1));
        assert_eq!(zone.text(zone.next_month(before.plus(1))), "2026-03-01 00:00:00");
        assert_eq!(zone.start_of_day(zone.day(before)), zone.parse("2026-01-31").unwrap());
        let berlin = Zone::find("Europe/Berlin").unwrap();
        assert_eq!(berlin.day(Timestamp::parse_rfc3339("2026-06-30T22:00:00Z").unwrap()), parse_day("2026-07-01").unwrap());
    }

    #[test]
    fn dates_that_do_not_exist_are_errors() {
        assert!(parse_day("2026-02-29").is_err());
        assert!(parse_day("2026-2-1").is_err());
        assert!(parse_month("2026-13").is_err());
        assert!(china().parse("2026-01-01 24:00:00").is_err());
        assert_eq!(parse_month("2028-02").map(|(a, b)| b - a + 1), Ok(29));
        assert_eq!(day_text(parse_day("2026-03-01").unwrap() - 1), "2026-02-28");
    }
}
