//! UTC times as text and back, by hand: this is half of a line's bytes and the general routines are too slow for it.

use crate::time::{DAY_SECONDS, Timestamp};

/// The last date read and its first second. A file holds few dates and they come in order.
#[derive(Debug, Clone)]
pub(super) struct DayCache {
    date: [u8; 10],
    midnight_seconds: i64,
}

impl Default for DayCache {
    fn default() -> Self {
        DayCache { date: *b"1970-01-01", midnight_seconds: 0 }
    }
}

impl DayCache {
    /// Reads `yyyy-MM-dd HH:mm:ss`; nothing where it is written otherwise or does not exist.
    #[inline]
    pub(super) fn read(&mut self, text: &[u8; 19]) -> Option<Timestamp> {
        let [date @ .., b' ', h1, h2, b':', m1, m2, b':', s1, s2] = text else { return None };
        if *date != self.date {
            self.midnight_seconds = day(date)? * DAY_SECONDS;
            self.date = *date;
        }
        Some(Timestamp(self.midnight_seconds + second_of_day([*h1, *h2, *m1, *m2, *s1, *s2])?))
    }
}

/// Reads `yyyyMMddHHmmss`.
pub(super) fn read_digits(text: &[u8; 14]) -> Option<Timestamp> {
    let [y1, y2, y3, y4, m1, m2, d1, d2, time @ ..] = text;
    let day = day(&[*y1, *y2, *y3, *y4, b'-', *m1, *m2, b'-', *d1, *d2])?;
    Some(Timestamp(day * DAY_SECONDS + second_of_day(*time)?))
}

/// The parts of an instant: year, month, day, hour, minute, second. Years outside 0 to 9999 have no four-digit form
/// and are brought to the nearest that has.
pub(crate) fn parts(at: Timestamp) -> [i64; 6] {
    const FIRST: i64 = -62_167_219_200;
    const LAST: i64 = 253_402_300_799;
    let seconds = at.0.clamp(FIRST, LAST);
    let (day, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
    // Years are counted from March, so that the leap day is the last of its year; 719,468 days from 0000-03-01 to 1970.
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    [year, month, day - (153 * march_month + 2) / 5 + 1, second / 3600, second / 60 % 60, second % 60]
}

/// Days since 1970-01-01 of `yyyy-MM-dd`.
fn day(text: &[u8; 10]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let (year, month, day) = (two(y1, y2)? * 100 + two(y3, y4)?, two(m1, m2)?, two(d1, d2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    let (year, march_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    Some(era * 146_097 + year * 365 + year / 4 - year / 100 + (153 * march_month + 2) / 5 + day - 1 - 719_468)
}

#[inline]
fn second_of_day([h1, h2, m1, m2, s1, s2]: [u8; 6]) -> Option<i64> {
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

#[inline]
fn two(a: u8, b: u8) -> Option<i64> {
    let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
    (a < 10 && b < 10).then(|| i64::from(a * 10 + b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years_reads_back() {
        let mut expected = -719_528;
        for year in 0..10_000 {
            for month in 1..=12 {
                for date in 1..=31 {
                    let text = format!("{year:04}-{month:02}-{date:02}");
                    if let Some(found) = day(text.as_bytes().try_into().unwrap()) {
                        assert_eq!(found, expected, "{text}");
                        assert_eq!(parts(Timestamp(found * DAY_SECONDS + 86_399)), [year, month, date, 23, 59, 59]);
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 2_932_897);
    }
}
