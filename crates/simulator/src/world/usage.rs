//! What a card has used: a row a day, and the last hours one by one, so that a counter can be shown as it was.

use crate::calendar::{self, Cycle, Day};
use crate::traffic::{self, Burst};
use crate::world::card::Card;
use std::collections::VecDeque;
use std::ops::Range;

/// Seconds for which single records are remembered, which bounds how far behind a counter may be shown.
const RECENT_SECONDS: i64 = 7200;

/// Days for which a card's rows are kept.
const DAYS_KEPT: i32 = 400;

/// One day of one card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DayUse {
    pub(crate) day: Day,
    pub(crate) bytes: u64,
    pub(crate) sessions: u32,
    pub(crate) sms: u32,
}

/// What a card has used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    /// Up to which instant all is counted.
    pub(crate) settled: i64,
    days: Vec<DayUse>,
    recent: VecDeque<(i64, u64)>,
    records: u32,
    /// The running cycle and its bytes, kept for the line above which data is cut.
    cycle: Range<Day>,
    cycle_bytes: u64,
}

impl Usage {
    pub(crate) fn from(start: i64) -> Usage {
        Usage { settled: start, ..Usage::default() }
    }

    fn day(&mut self, day: Day) -> &mut DayUse {
        let at = match self.days.binary_search_by_key(&day, |d| d.day) {
            Ok(at) => at,
            Err(at) => {
                self.days.insert(at, DayUse { day, ..DayUse::default() });
                let old = self.days.partition_point(|d| d.day < day - DAYS_KEPT);
                self.days.drain(..old);
                at - old.min(at)
            }
        };
        &mut self.days[at]
    }

    fn count(&mut self, cycle: Cycle, at: i64, bytes: u64) -> i64 {
        let day = calendar::day_of(at);
        let row = self.day(day);
        row.bytes += bytes;
        row.sessions += 1;
        while self.recent.front().is_some_and(|(t, _)| *t < at - RECENT_SECONDS) {
            self.recent.pop_front();
        }
        self.recent.push_back((at, bytes));
        self.turn(cycle, day);
        self.cycle_bytes += bytes;
        self.records += 1;
        i64::from(self.records)
    }

    fn turn(&mut self, cycle: Cycle, day: Day) {
        if !self.cycle.contains(&day) {
            self.cycle = cycle.around(day);
            self.cycle_bytes = 0;
        }
    }

    pub(crate) fn count_sms(&mut self, at: i64) {
        self.day(calendar::day_of(at)).sms += 1;
    }

    /// Sums of the days in a range.
    pub(crate) fn sum(&self, days: &Range<Day>) -> DayUse {
        let mut sum = DayUse { day: days.start, ..DayUse::default() };
        for row in &self.days[self.days.partition_point(|d| d.day < days.start)..] {
            if row.day >= days.end {
                break;
            }
            sum.bytes += row.bytes;
            sum.sessions += row.sessions;
            sum.sms += row.sms;
        }
        sum
    }

    /// Bytes of the cycle that ran at `at`, as they stood then; `at` may be two hours back at most.
    pub(crate) fn cycle_as_of(&self, cycle: Cycle, at: i64) -> u64 {
        self.days_as_of(&cycle.around(calendar::day_of(at)), at)
    }

    /// Bytes of some days, as they stood at `at`.
    pub(crate) fn days_as_of(&self, days: &Range<Day>, at: i64) -> u64 {
        let days = days.start..days.end.min(calendar::day_of(at) + 1);
        let not_yet = self.recent.iter().filter(|(t, _)| *t > at && days.contains(&calendar::day_of(*t)));
        self.sum(&days).bytes.saturating_sub(not_yet.map(|(_, bytes)| bytes).sum())
    }
}

/// A usage record in the making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) id: i64,
    pub(crate) burst: Burst,
}

/// Counts everything that the card did by itself up to `to`, if it was in its present state all the time.
pub(crate) fn settle(card: &mut Card, seed: u64, to: i64, mut sink: impl FnMut(&Card, Counted)) {
    let from = card.usage.settled;
    if to <= from {
        return;
    }
    card.usage.settled = to;
    if !card.online {
        return;
    }
    let habit = card.habit(seed);
    for hour in from.div_euclid(3600)..=to.div_euclid(3600) {
        let Some(burst) = traffic::burst(habit, hour) else { continue };
        if burst.stop > from && burst.stop <= to && burst.start >= card.online_since {
            count(card, burst, &mut sink);
        }
    }
}

/// Ends the session that is under way, with the share of its bytes that has passed.
pub(crate) fn cut_short(card: &mut Card, seed: u64, at: i64, mut sink: impl FnMut(&Card, Counted)) {
    let Some(burst) = traffic::burst(card.habit(seed), at.div_euclid(3600)) else { return };
    if !card.online || burst.start < card.online_since || burst.start >= at || burst.stop <= at {
        return;
    }
    let passed = u128::from(burst.bytes) * (at - burst.start).unsigned_abs() as u128;
    let bytes = passed / (burst.stop - burst.start).unsigned_abs() as u128;
    count(card, Burst { stop: at, bytes: u64::try_from(bytes).unwrap_or(burst.bytes), ..burst }, &mut sink);
}

/// Counts one record, unless the card's data is cut for the rest of the cycle.
pub(crate) fn count(card: &mut Card, burst: Burst, sink: &mut impl FnMut(&Card, Counted)) {
    if is_cut(card, burst.stop) {
        return;
    }
    let number = card.usage.count(card.platform.cycle(), burst.stop, burst.bytes);
    let id = (i64::from(card.number) + 1) << 28 | number;
    sink(card, Counted { id, burst });
}

/// Whether the card has reached the line above which it has no data in this cycle.
pub(crate) fn is_cut(card: &mut Card, at: i64) -> bool {
    let Some(line) = card.line(at) else { return false };
    card.usage.turn(card.platform.cycle(), calendar::day_of(at));
    card.usage.cycle_bytes >= line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_can_be_shown_as_it_was_an_hour_ago_even_across_the_end_of_a_month() {
        let midnight = calendar::china_instant("20260401000000").unwrap();
        let mut usage = Usage::from(midnight - 86_400);
        for (at, bytes) in [(-80_000, 1), (-1800, 20), (-60, 300), (600, 4000)] {
            usage.count(Cycle::Natural, midnight + at, bytes);
        }
        let of = |at| usage.cycle_as_of(Cycle::Natural, midnight + at);
        assert_eq!([of(-3600), of(-1000), of(-1), of(0), of(600)], [1, 21, 321, 0, 4000]);
        assert_eq!(usage.cycle_as_of(Cycle::From27, midnight + 600), 4321);
        let day = calendar::day_of(midnight);
        assert_eq!((usage.sum(&(day - 1..day)).bytes, usage.sum(&(day..day + 1)).sessions), (321, 1));
    }
}
