//! A carrier's own counts of a card, each kept with what it counts.

use super::cycle::china;
use super::{Counter, Cycle, Line, Period};
use crate::time::Timestamp;

/// What a count counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// Everything since the carrier began to count.
    Total,
    /// A billing month.
    Month,
    /// A day in China.
    Day,
}

impl Of {
    /// The word as stored.
    pub fn word(self) -> &'static str {
        match self {
            Of::Total => "total",
            Of::Month => "month",
            Of::Day => "day",
        }
    }
}

/// A count as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// What it counts.
    pub of: Of,
    /// The first instant it counts; 0 for a total.
    pub from: Timestamp,
    /// Bytes, and when that was so.
    pub counter: Counter,
}

impl Count {
    /// Of everything.
    pub fn total(counter: Counter) -> Count {
        Count { of: Of::Total, from: Timestamp(0), counter }
    }

    /// Of a day.
    pub fn day(day: Period) -> Count {
        Count { of: Of::Day, from: day.from, counter: day.counter }
    }

    /// Of the billing month that holds the last second it counts: what was so at the first instant of a month is all of the
    /// month before.
    pub fn month(cycle: Cycle, told: Period) -> Count {
        let month = cycle.month(china().day(told.counter.as_of.plus(-1)));
        Count { of: Of::Month, from: cycle.start(month), counter: told.counter }
    }

    /// Every count that a carrier told of a card.
    pub fn all(cycle: Cycle, line: &Line) -> Vec<Count> {
        let month = line.month.map(|told| Count::month(cycle, told));
        line.counter.map(Count::total).into_iter().chain(month).chain(line.day.map(Count::day)).collect()
    }

    /// The bytes of an earlier reading of the same count that were more: a counter that went backwards. It is kept as it
    /// was told; that it fell is kept with it.
    pub fn fell_from(&self, before: Option<Counter>) -> Option<i64> {
        before.filter(|b| b.as_of <= self.counter.as_of && b.bytes > self.counter.bytes).map(|b| b.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::Month;

    fn at(text: &str) -> Timestamp {
        china().parse(text).expect("a time")
    }

    #[test]
    fn a_month_is_that_of_the_last_second_it_counts() {
        for (first_day, as_of, from) in [
            (1, "2026-03-10 08:00:00", "2026-03-01"),
            // Told after the 1st, as it stood at midnight: all of it is last month's.
            (1, "2026-03-01 00:00:00", "2026-02-01"),
            (1, "2026-03-01 00:00:01", "2026-03-01"),
            (27, "2026-03-26 23:59:59", "2026-02-27"),
            (27, "2026-03-27 00:00:00", "2026-02-27"),
            (27, "2026-03-27 00:15:00", "2026-03-27"),
            (27, "2026-01-05 12:00:00", "2025-12-27"),
        ] {
            let cycle = Cycle { first_day };
            let told = Period::this_month(cycle, 5, at(as_of));
            let kept = Count::month(cycle, told);
            assert_eq!((kept.from, kept.counter.as_of), (at(from), at(as_of)), "{first_day} {as_of}");
        }
        let february = Month::parse("202602").unwrap();
        let closed = Period::of_month(Cycle::NATURAL, february, 5, at("2026-03-01"));
        assert_eq!(Count::month(Cycle::NATURAL, closed).from, at("2026-02-01"));
    }

    #[test]
    fn a_counter_that_falls_says_so_and_one_that_comes_late_does_not() {
        let count = |bytes, at| Count::total(Counter { bytes, as_of: Timestamp(at) });
        let before = |bytes, at| Some(Counter { bytes, as_of: Timestamp(at) });
        for (told, known, fell) in [
            (count(5, 10), None, None),
            (count(5, 10), before(5, 9), None),
            (count(5, 10), before(6, 9), Some(6)),
            (count(5, 10), before(6, 10), Some(6)),
            (count(5, 8), before(6, 9), None),
        ] {
            assert_eq!(told.fell_from(known), fell, "{told:?} after {known:?}");
        }
    }

    #[test]
    fn every_count_of_a_line_is_kept() {
        let counter = Counter { bytes: 9, as_of: at("2026-03-10 08:00:00") };
        let line = Line {
            counter: Some(counter),
            month: Some(Period { from: at("2026-03-01"), counter }),
            day: Some(Period { from: at("2026-03-10"), counter }),
            ..Line::default()
        };
        let kept: Vec<_> = Count::all(Cycle::NATURAL, &line).into_iter().map(|c| (c.of, c.from)).collect();
        assert_eq!(kept, [(Of::Total, Timestamp(0)), (Of::Month, at("2026-03-01")), (Of::Day, at("2026-03-10"))]);
        assert_eq!(Count::all(Cycle::NATURAL, &Line::default()), []);
    }
}
