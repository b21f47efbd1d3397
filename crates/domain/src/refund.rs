//! How much of an order is given back (the partner API's refund rules; a pure function whose inputs are stored
//! with the refund).

use crate::package::{Kind, Window};
use crate::time::{DAY_SECONDS, Span, Timestamp, Zone};
use serde::{Deserialize, Serialize};

/// Everything the amount depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundBasis {
    /// What was paid, in minor units.
    pub paid_minor: i64,
    /// When it was bought.
    pub bought_at: Timestamp,
    /// When the refund is asked for.
    pub at: Timestamp,
    /// The package's kind.
    pub kind: Kind,
    /// Its validity.
    pub validity: Span,
    /// When its allowance refills.
    pub window: Window,
    /// When it started and when its validity ends; none if it has not started.
    pub running: Option<(Timestamp, Timestamp)>,
    /// The instant it ended, if it is over.
    pub ended_at: Option<Timestamp>,
    /// Its allowance in bytes: of one window.
    pub allowance_bytes: i64,
    /// Bytes used, of all windows so far.
    pub used_bytes: i64,
    /// The zone of its calendar months: that in which it was bought.
    pub zone: Zone,
}

/// Seconds after purchase in which everything is given back, used or not.
pub const FULL_REFUND_SECONDS: i64 = 24 * 3600;

/// The refundable amount in minor units, rounded down.
///
/// Within 24 h of purchase all of it. After that, of a quota package the lesser of unused days and unused bytes as a
/// share of the whole; of a time or throttled package the share of unused days. Unused days are whole days left; the
/// total is the days of the validity. The whole of the bytes is what the validity allows: of a package that refills
/// monthly the allowance of every month that it is valid in, the first and the last one too. Not started: all unused.
/// Over: nothing.
pub fn refundable_minor(basis: &RefundBasis) -> i64 {
    if basis.at.since(basis.bought_at) < FULL_REFUND_SECONDS {
        return basis.paid_minor;
    }
    if basis.ended_at.is_some_and(|end| end <= basis.at) {
        return 0;
    }
    let (start, end) = validity(basis);
    let total_days = end.since(start) / DAY_SECONDS;
    let days = ((end.since(basis.at).max(0) / DAY_SECONDS).min(total_days), total_days);
    let paid = i128::from(basis.paid_minor);
    let by = |(unused, total): (i64, i64)| {
        if total <= 0 { 0 } else { (paid * i128::from(unused.clamp(0, total)) / i128::from(total)) as i64 }
    };
    match basis.kind {
        Kind::Quota => {
            let total = basis.allowance_bytes.saturating_mul(windows(basis.window, (start, end), &basis.zone));
            by(days).min(by((total - basis.used_bytes, total)))
        }
        Kind::Time | Kind::Throttled => by(days),
    }
}

/// From when until when it is valid; one that waits would be from now on.
fn validity(basis: &RefundBasis) -> (Timestamp, Timestamp) {
    basis.running.unwrap_or_else(|| (basis.at, basis.zone.end_of(basis.at, basis.validity)))
}

/// How often an allowance is given within a validity: once, and again on each first of a month before its end.
fn windows(window: Window, (start, end): (Timestamp, Timestamp), zone: &Zone) -> i64 {
    match window {
        Window::Whole => 1,
        Window::CalendarMonth => {
            let firsts = std::iter::successors(Some(zone.next_month(start)), |first| Some(zone.next_month(*first)));
            1 + firsts.take_while(|first| *first < end).count() as i64
        }
    }
}

/// Everything that the refund of a pool's subscription depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRefundBasis {
    /// What was paid, in minor units.
    pub paid_minor: i64,
    /// Bytes burned of it; none once it is over.
    pub used_bytes: Option<i64>,
}

impl PoolRefundBasis {
    /// The refundable amount in minor units: all of it before the first use; none = not refundable any more.
    pub fn refundable_minor(&self) -> Option<i64> {
        (self.used_bytes == Some(0)).then_some(self.paid_minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = DAY_SECONDS;

    fn basis(kind: Kind, at: i64, used: i64) -> RefundBasis {
        RefundBasis {
            paid_minor: 1000,
            bought_at: Timestamp(0),
            at: Timestamp(at),
            kind,
            validity: Span::Days(30),
            window: Window::Whole,
            running: Some((Timestamp(0), Timestamp(30 * DAY))),
            ended_at: None,
            allowance_bytes: 300,
            used_bytes: used,
            zone: Zone::find("Asia/Shanghai").unwrap(),
        }
    }

    #[test]
    fn the_formulas_of_the_source() {
        let table = [
            // kind, asked at, used, refund of 1000
            (Kind::Quota, DAY - 1, 300, 1000),
            (Kind::Quota, DAY, 0, 966),
            (Kind::Quota, DAY, 30, 900),
            (Kind::Quota, 15 * DAY, 0, 500),
            (Kind::Quota, 15 * DAY + 1, 0, 466),
            (Kind::Quota, 15 * DAY, 299, 3),
            (Kind::Quota, 15 * DAY, 301, 0),
            (Kind::Time, 15 * DAY, 299, 500),
            (Kind::Throttled, 29 * DAY, 900, 33),
            (Kind::Time, 29 * DAY + 1, 0, 0),
            (Kind::Time, 31 * DAY, 0, 0),
        ];
        for (kind, at, used, refund) in table {
            assert_eq!(refundable_minor(&basis(kind, at, used)), refund, "{kind:?} at {at} used {used}");
        }
        let waiting = RefundBasis { running: None, ..basis(Kind::Quota, 90 * DAY, 0) };
        assert_eq!(refundable_minor(&waiting), 1000);
        let over = RefundBasis { ended_at: Some(Timestamp(2 * DAY)), ..basis(Kind::Quota, 3 * DAY, 300) };
        assert_eq!(refundable_minor(&over), 0);
    }
    #[test]
    fn a_monthly_allowance_is_given_in_every_month_of_the_validity() {
        let zone = Zone::find("Asia/Shanghai").unwrap();
        let at = |text: &str| zone.parse(text).unwrap();
        let table = [
            // validity, start, asked on, used of 300 a month, refund of 12000: by days, or by bytes
            (Span::Months(12), "2026-01-01", "2026-02-10", 300, 12_000 * 325 / 365), // 11/12 of the bytes are more
            (Span::Months(12), "2026-01-01", "2026-01-03", 300, 11_000),             // 363/365 of the days are more
            (Span::Months(12), "2026-01-01", "2026-02-10", 600, 10_000),
            (Span::Months(12), "2026-01-15", "2026-01-17", 300, 12_000 * 12 / 13), // a part of a month at both ends
            (Span::Months(1), "2026-01-01", "2026-01-03", 150, 6_000),             // within one month: given once
            (Span::Days(30), "2026-01-20", "2026-01-22", 300, 6_000),
            (Span::Months(12), "2026-01-01", "2026-12-20", 0, 12_000 * 12 / 365), // what lapsed is unused: days decide
            (Span::Months(12), "2026-01-01", "2026-12-30", 3_600, 0),
        ];
        for (validity, start, asked, used_bytes, refund) in table {
            let start = at(start);
            let basis = RefundBasis {
                paid_minor: 12_000,
                bought_at: start,
                at: at(asked),
                validity,
                window: Window::CalendarMonth,
                running: Some((start, zone.end_of(start, validity))),
                ..basis(Kind::Quota, 0, used_bytes)
            };
            assert_eq!(refundable_minor(&basis), refund, "{validity} from {start}, {used_bytes} used, asked {asked}");
            let slow = RefundBasis { kind: Kind::Throttled, ..basis.clone() };
            let time = RefundBasis { kind: Kind::Time, allowance_bytes: 0, ..basis };
            assert_eq!(refundable_minor(&slow), refundable_minor(&time), "what was used says nothing of these");
        }
        let waiting = RefundBasis { window: Window::CalendarMonth, running: None, ..basis(Kind::Quota, 90 * DAY, 0) };
        assert_eq!(refundable_minor(&waiting), 1000);
    }
}
