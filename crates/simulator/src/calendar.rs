//! China's calendar: the days, texts and billing cycles in which all five carriers count.
//!
//! China time is UTC+8 without daylight saving, so days are plain arithmetic.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use std::ops::Range;

/// Seconds by which China is ahead of UTC.
const CHINA: i64 = 8 * 3600;
const DAY: i64 = 86_400;

/// A day in China, counted from 1970-01-01.
pub(crate) type Day = i32;

/// The day in China at an instant.
pub(crate) fn day_of(at: i64) -> Day {
    (at + CHINA).div_euclid(DAY) as Day
}

/// The first instant of a day.
pub(crate) fn start_of(day: Day) -> i64 {
    i64::from(day) * DAY - CHINA
}

fn date(day: Day) -> Date {
    Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().days(i64::from(day).clamp(-700_000, 2_900_000)))
}

fn number(date: Date) -> Day {
    (Date::constant(1970, 1, 1).until(date).map_or(0, |s| s.get_days())) as Day
}

/// A day written as yyyymmdd.
pub(crate) fn digits_of(day: Day) -> u32 {
    let date = date(day);
    (i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day())).unsigned_abs()
}

/// The day that yyyymmdd names.
pub(crate) fn day_of_digits(digits: u32) -> Option<Day> {
    let part = |n: u32| i8::try_from(n).ok();
    Date::new(i16::try_from(digits / 10_000).ok()?, part(digits / 100 % 100)?, part(digits % 100)?).ok().map(number)
}

/// An instant as China time, in a form such as `%Y-%m-%d %H:%M:%S`.
pub(crate) fn china(at: i64, form: &str) -> String {
    text(at, form, Offset::constant(8))
}

/// An instant as UTC.
pub(crate) fn utc(at: i64, form: &str) -> String {
    text(at, form, Offset::UTC)
}

fn text(at: i64, form: &str, offset: Offset) -> String {
    jiff::Timestamp::from_second(at)
        .map_or_else(|_| String::new(), |t| t.to_zoned(TimeZone::fixed(offset)).strftime(form).to_string())
}

/// `yyyy-MM-dd HH:mm:ss` in China, as most carriers write an instant.
pub(crate) fn stamp(at: i64) -> String {
    china(at, "%Y-%m-%d %H:%M:%S")
}

/// Reads `yyyyMMddHHmmss` as if the clock stood `ahead` seconds before UTC's.
fn instant(digits: &str, ahead: i64) -> Option<i64> {
    if digits.len() != 14 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let day = day_of_digits(digits[..8].parse().ok()?)?;
    let part = |range: Range<usize>, most: i64| digits[range].parse::<i64>().ok().filter(|n| *n <= most);
    Some(i64::from(day) * DAY + part(8..10, 23)? * 3600 + part(10..12, 59)? * 60 + part(12..14, 60)? - ahead)
}

/// Reads `yyyyMMddHHmmss` in China time.
pub(crate) fn china_instant(digits: &str) -> Option<i64> {
    instant(digits, CHINA)
}

/// Reads `yyyyMMddHHmmss` in UTC.
pub(crate) fn utc_instant(digits: &str) -> Option<i64> {
    instant(digits, 0)
}

/// When a carrier's month begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cycle {
    /// On the 1st.
    Natural,
    /// On the 27th; the month's name is that in which the 26th falls.
    From27,
}

impl Cycle {
    /// The days of the cycle in which a day falls.
    pub(crate) fn around(self, day: Day) -> Range<Day> {
        let (year, month) = self.label(day);
        self.days(year, month)
    }

    /// The name of the cycle in which a day falls, as yyyymm.
    pub(crate) fn name(self, day: Day) -> u32 {
        let (year, month) = self.label(day);
        (i32::from(year) * 100 + i32::from(month)).unsigned_abs()
    }

    /// The days of the cycle that yyyymm names.
    pub(crate) fn named(self, digits: u32) -> Option<Range<Day>> {
        let (year, month) = (i16::try_from(digits / 100).ok()?, i8::try_from(digits % 100).ok()?);
        (1..=12).contains(&month).then(|| self.days(year, month))
    }

    fn label(self, day: Day) -> (i16, i8) {
        let date = date(day);
        match self {
            Cycle::From27 if date.day() >= 27 => next(date.year(), date.month()),
            _ => (date.year(), date.month()),
        }
    }

    fn days(self, year: i16, month: i8) -> Range<Day> {
        let day = |(y, m): (i16, i8), d: i8| Date::new(y, m, d).map_or(0, number);
        match self {
            Cycle::Natural => day((year, month), 1)..day(next(year, month), 1),
            Cycle::From27 => day(before(year, month), 27)..day((year, month), 27),
        }
    }
}

fn next(year: i16, month: i8) -> (i16, i8) {
    if month == 12 { (year + 1, 1) } else { (year, month + 1) }
}

fn before(year: i16, month: i8) -> (i16, i8) {
    if month == 1 { (year - 1, 12) } else { (year, month - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_in_china() {
        let at = china_instant("20260310080000").unwrap();
        assert_eq!(at, 1_773_100_800);
        assert_eq!(stamp(at), "2026-03-10 08:00:00");
        assert_eq!(digits_of(day_of(at)), 20_260_310);
        assert_eq!(start_of(day_of(at)), at - 8 * 3600);
        assert_eq!(day_of_digits(20_260_310), Some(day_of(at)));
        assert_eq!(day_of(start_of(day_of(at)) - 1), day_of(at) - 1);
        assert_eq!(utc_instant("20260310000000"), Some(at));
        assert_eq!((day_of_digits(20_260_230), china_instant("2026031008000x")), (None, None));
    }

    #[test]
    fn a_cycle_from_the_27th_bears_the_name_of_the_month_of_its_26th() {
        let day = |d| day_of_digits(d).unwrap();
        for (at, natural, unicom) in [
            (20_260_326, 202_603, 202_603),
            (20_260_327, 202_603, 202_604),
            (20_260_401, 202_604, 202_604),
            (20_251_227, 202_512, 202_601),
        ] {
            assert_eq!((Cycle::Natural.name(day(at)), Cycle::From27.name(day(at))), (natural, unicom), "{at}");
        }
        assert_eq!(Cycle::From27.named(202_604), Some(day(20_260_327)..day(20_260_427)));
        assert_eq!(Cycle::From27.around(day(20_260_110)), day(20_251_227)..day(20_260_127));
        assert_eq!(Cycle::Natural.around(day(20_260_228)), day(20_260_201)..day(20_260_301));
        assert_eq!(Cycle::Natural.named(202_613), None);
    }
}
