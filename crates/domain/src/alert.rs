//! The partner API's three warnings: little data left, a small share left, few days left.
//!
//! They are about data: packages of voice or messages have no part in them. Data of a throttled package counts like any
//! other: it does not end with its allowance, but its speed does.
//!
//! A warning fires when its line is crossed downwards, so a package smaller than the line never fires it, and once
//! per card, [`Period`] and threshold. Being below a line ([`Below`]) is another question: a package smaller than the line
//! is below it from its start.

use crate::ids::SubscriptionId;
use crate::rating::{CardState, Live, PackageBlock};
use crate::time::{DAY_SECONDS, Timestamp, Zone};

/// Lines of the three warnings; 0 switches one off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// Type 1: bytes left on the card.
    pub remaining_bytes: i64,
    /// Type 2: percent of the card's allowance left.
    pub remaining_percent: i64,
    /// Type 3: days until the last package is over.
    pub remaining_days: i64,
    /// Connections that a card should not exceed in a month.
    pub connections: i64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines { remaining_bytes: 100 << 20, remaining_percent: 10, remaining_days: 7, connections: 0 }
    }
}

/// A stretch in which a line is told once: of one subscription in use, until its allowance refills or more is bought for the
/// card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The subscription in use.
    pub subscription: SubscriptionId,
    /// The last one with data bought that was there.
    pub newest: SubscriptionId,
    /// When its allowance refills next, if it will.
    pub refill: Option<Timestamp>,
}

impl Period {
    /// All the time of a subscription.
    pub fn of(subscription: SubscriptionId) -> Period {
        Period { subscription, newest: subscription, refill: None }
    }

    /// A name for a warning of its subscription that no other period of that subscription gives it.
    pub fn named(&self, warning: &str) -> String {
        let newest = if self.newest == self.subscription { String::new() } else { format!("+{}", self.newest) };
        let refill = self.refill.map_or_else(String::new, |at| format!("@{}", at.0));
        format!("{warning}{newest}{refill}")
    }
}

/// A line crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// 1 bytes, 2 percent, 3 days.
    pub alert_type: i64,
    /// MB, percent or days.
    pub threshold: i64,
    /// The period it belongs to.
    pub period: Period,
    /// When.
    pub at: Timestamp,
}

/// What of the card's state the warnings look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    remaining: i64,
    allowance: i64,
    period: Option<Period>,
}

impl Level {
    /// Reads the level off a state.
    pub fn of(state: &CardState) -> Level {
        let data = state.live.iter().filter(|l| l.takes_bytes());
        let limit = |l: &Live| l.left().filter(|_| l.terms.allowance > 0);
        let (mut remaining, mut allowance) = (0_i64, 0_i64);
        for (live, left) in data.clone().filter_map(|l| Some((l, limit(l)?))) {
            allowance = allowance.saturating_add(live.terms.allowance);
            remaining = remaining.saturating_add(left);
        }
        let mut running = data.clone().filter(|l| l.running.is_some());
        let unlimited = running.clone().any(|l| l.left().is_none());
        let used = running.find(|l| limit(l).is_some()).filter(|_| !unlimited);
        let newest = |of| data.clone().next_back().map_or(of, |l| l.id);
        let period = used.map(|l| Period { newest: newest(l.id), refill: l.refill, ..Period::of(l.id) });
        Level { remaining, allowance, period }
    }
}

/// The lines of bytes and percent crossed downwards between two states.
pub fn crossings(before: Level, after: Level, lines: &Lines, at: Timestamp, out: &mut Vec<Crossing>) {
    let Some(period) = before.period else { return };
    if lines.remaining_bytes > 0 && before.remaining >= lines.remaining_bytes && after.remaining < lines.remaining_bytes {
        out.push(Crossing { alert_type: 1, threshold: lines.remaining_bytes >> 20, period, at });
    }
    let above = |l: Level| i128::from(l.remaining) * 100 >= i128::from(l.allowance) * i128::from(lines.remaining_percent);
    if lines.remaining_percent > 0
        && before.allowance > 0
        && above(before)
        && !above(Level { allowance: before.allowance, ..after })
    {
        out.push(Crossing { alert_type: 2, threshold: lines.remaining_percent, period, at });
    }
}

/// When the warning of days left is due: `remaining_days` before the card's expected end, or when that came so near because a package
/// was used up; and of which package it is: of the last main one that the card had before that line. A card whose packages all came
/// later is below the line from its start, and is not warned.
pub fn days_due(state: &CardState, lines: &Lines, zone: &Zone) -> Option<(Timestamp, SubscriptionId)> {
    let (started, _) = state.current_main().filter(|_| lines.remaining_days > 0)?.running?;
    let line = state.expected_end(zone)?.plus(-lines.remaining_days * DAY_SECONDS);
    let last = state.live.iter().rev().find(|l| l.is_main() && l.eligible < line)?;
    Some((line.max(started), last.id))
}

/// When each package in use, whatever it is of, is about to end: `remaining_days` before it does, if that is after it began.
pub fn packages_ending(state: &CardState, lines: &Lines) -> impl Iterator<Item = (Timestamp, SubscriptionId)> {
    let days = lines.remaining_days;
    let due = move |l: &Live| {
        let (started, end) = l.running.filter(|_| days > 0)?;
        let due = end.plus(-days * DAY_SECONDS);
        (due > started).then_some((due, l.id))
    };
    state.live.iter().filter_map(due)
}

/// How an amount used stands to a whole: (little is left, or nothing), (more than all of it).
pub fn spent(total: i64, used: i64, lines: &Lines) -> (bool, bool) {
    let left = i128::from(total.saturating_sub(used).max(0));
    let low = total > 0 && lines.remaining_percent > 0 && left * 100 < i128::from(total) * i128::from(lines.remaining_percent);
    (low, total > 0 && used > total)
}

/// The lines that a card is below, a bit each: 1 bytes, 2 percent, 4 days (at its line already: the instant at which the
/// warning of days fires). A card whose data is used up, and that has none waiting, is below the first two until there is more: it
/// crossed them on its way. Any other card with nothing in use is below none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Below(pub i64);

impl Below {
    /// The lines that a card in this state, moved on to the present, is below.
    pub fn of(state: &CardState, lines: &Lines, zone: &Zone) -> Below {
        let level = Level::of(state);
        let (limited, percent) = (level.period.is_some(), lines.remaining_percent);
        let empty = state.block == Some(PackageBlock::Quota) && level.remaining == 0;
        let bytes = (limited || empty) && level.remaining < lines.remaining_bytes;
        let little = || i128::from(level.remaining) * 100 < i128::from(level.allowance) * i128::from(percent);
        let share = percent > 0 && (empty || limited && little());
        let soon = state.now.plus(lines.remaining_days * DAY_SECONDS);
        let days =
            lines.remaining_days > 0 && state.current_main().is_some() && state.expected_end(zone).is_some_and(|end| end <= soon);
        Below(i64::from(bytes) | i64::from(share) << 1 | i64::from(days) << 2)
    }

    /// The types of the warnings: 1 bytes, 2 percent, 3 days.
    pub fn types(self) -> impl Iterator<Item = i64> {
        (1..=3).filter(move |t| self.0 >> (t - 1) & 1 == 1)
    }
}

impl Lines {
    /// The line of a warning type as it is told: MB, percent or days.
    pub fn threshold(&self, alert_type: i64) -> i64 {
        match alert_type {
            1 => self.remaining_bytes >> 20,
            2 => self.remaining_percent,
            _ => self.remaining_days,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{Category, Kind, Resource, Terms, Window};
    use crate::rating::{Input, Purchase, Usage};
    use crate::time::Span;

    const MB: i64 = 1 << 20;

    /// Types crossed by using so many MB, and the lines the card is below then, of a card with packages of (kind, resource, MB).
    fn warned(packages: &[(Kind, Resource, i64)], used_mb: i64) -> (Vec<i64>, Vec<i64>) {
        let (zone, lines) = (Zone::find("UTC").unwrap(), Lines::default());
        let (mut state, mut unheard, mut out) = (CardState::new(), Vec::new(), Vec::new());
        for (id, (kind, resource, mb)) in (1..).zip(packages) {
            let terms = Terms {
                kind: *kind,
                category: Category::Long,
                resource: *resource,
                allowance: mb * MB,
                validity: Span::Days(30),
                window: Window::Whole,
            };
            state.apply(&Input::Purchase(Purchase::plain(id, Timestamp(0), terms)), &zone, &mut unheard);
        }
        let before = Level::of(&state);
        let usage = Usage { stop: Timestamp(60), start: Timestamp(0), source_id: 1, bytes: used_mb * MB };
        state.apply(&Input::Usage(usage), &zone, &mut unheard);
        crossings(before, Level::of(&state), &lines, Timestamp(60), &mut out);
        (out.iter().map(|c| c.alert_type).collect(), Below::of(&state, &lines, &zone).types().collect())
    }

    /// Packages, MB used, lines crossed, lines the card is below then.
    type Case<'c> = (&'c [(Kind, Resource, i64)], i64, &'c [i64], &'c [i64]);

    #[test]
    fn warnings_are_of_data_whatever_its_speed() {
        use Kind::{Quota, Throttled, Time};
        use Resource::{Data, Nb, Sms, Voice};
        let table: [Case<'_>; 12] = [
            (&[(Quota, Data, 200)], 101, &[1], &[1]),
            (&[(Quota, Nb, 200)], 199, &[1, 2], &[1, 2]),
            (&[(Quota, Data, 200)], 200, &[1, 2], &[1, 2]), // used up by one record
            (&[(Quota, Data, 50)], 50, &[2], &[1, 2]),
            (&[(Quota, Data, 200), (Quota, Data, 200)], 200, &[], &[]), // the next one begins
            (&[(Throttled, Data, 200)], 199, &[1, 2], &[1, 2]),
            (&[(Throttled, Data, 200)], 300, &[1, 2], &[1, 2]), // slow by now
            (&[(Time, Data, 0)], 300, &[], &[]),
            (&[(Quota, Voice, 600)], 0, &[], &[]), // 600 of anything but bytes
            (&[(Quota, Voice, 600), (Quota, Data, 200)], 199, &[1, 2], &[1, 2]),
            (&[(Quota, Sms, 1), (Quota, Data, 200)], 0, &[], &[]),
            (&[(Time, Voice, 0), (Quota, Data, 200)], 101, &[1], &[1]), // unlimited voice is no data
        ];
        for (packages, used, crossed, below) in table {
            assert_eq!(warned(packages, used), (crossed.to_vec(), below.to_vec()), "{packages:?}, {used} MB used");
        }
    }

    #[test]
    fn what_brings_no_data_makes_no_other_period() {
        let (zone, mut state) = (Zone::find("UTC").unwrap(), CardState::new());
        for (id, resource) in [(1, Resource::Data), (2, Resource::Voice), (3, Resource::Sms)] {
            let terms = Terms {
                kind: Kind::Quota,
                category: Category::Long,
                resource,
                allowance: 200 * MB,
                validity: Span::Days(30),
                window: Window::Whole,
            };
            state.apply(&Input::Purchase(Purchase::plain(id, Timestamp(0), terms)), &zone, &mut Vec::new());
            let period = Level::of(&state).period.expect("data in use");
            assert_eq!(period, Period::of(SubscriptionId(1)), "after a package of {resource:?}");
        }
    }

    #[test]
    fn the_end_is_warned_of_once_for_each_package_bought_before_the_line() {
        let (zone, lines) = (Zone::find("UTC").unwrap(), Lines::default());
        // (days, bought on day) of each package; the day looked at; when the warning is due, and of which package.
        type Case<'c> = (&'c [(u32, i64)], i64, Option<(i64, i64)>);
        let table: [Case<'_>; 9] = [
            (&[(30, 0)], 0, Some((23, 1))),
            (&[(30, 0), (30, 0)], 0, Some((53, 2))),
            (&[(30, 0), (5, 26)], 26, Some((28, 2))), // above the line again, for two days
            (&[(30, 0), (5, 26)], 31, Some((30, 2))),
            (&[(30, 0), (3, 28)], 28, Some((26, 1))), // below it all the time
            (&[(30, 0), (3, 28)], 31, None),
            (&[(5, 0)], 0, None),
            (&[(5, 0), (5, 0)], 0, Some((3, 2))),
            (&[], 0, None),
        ];
        for (packages, at, due) in table {
            let mut state = CardState::new();
            for (id, (days, bought)) in (1..).zip(packages) {
                let terms = Terms {
                    kind: Kind::Time,
                    category: Category::Long,
                    resource: Resource::Data,
                    allowance: 0,
                    validity: Span::Days(*days),
                    window: Window::Whole,
                };
                let bought = Timestamp(bought * DAY_SECONDS);
                state.apply(&Input::Purchase(Purchase::plain(id, bought, terms)), &zone, &mut Vec::new());
            }
            state.advance(Timestamp(at * DAY_SECONDS), &zone, &mut Vec::new());
            let is = days_due(&state, &lines, &zone).map(|(at, of)| (at.0 / DAY_SECONDS, of.0));
            assert_eq!(is, due, "{packages:?} on day {at}");
        }
    }

    #[test]
    fn little_is_less_than_the_share_and_over_is_more_than_all() {
        let lines = Lines::default();
        for (total, used, stands) in [
            (100, 0, (false, false)),
            (100, 90, (false, false)),
            (100, 91, (true, false)),
            (100, 100, (true, false)),
            (100, 101, (true, true)),
            (0, 5, (false, false)),
            (i64::MAX, i64::MAX, (true, false)),
        ] {
            assert_eq!(spent(total, used, &lines), stands, "{used} of {total}");
        }
        assert_eq!(spent(100, 200, &Lines { remaining_percent: 0, ..lines }), (false, true));
    }
}
