//! How much of an order is given back (the partner API's refund rules; a pure function whose inputs are stored
//! with the refund).

use crate::package::Kind;
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
    /// When it started and when its validity ends; none if it has not started.
    pub running: Option<(Timestamp, Timestamp)>,
    /// The instant it ended, if it is over.
    pub ended_at: Option<Timestamp>,
    /// Its allowance in bytes.
    pub allowance_bytes: i64,
    /// Bytes used.
    pub used_bytes: i64,
}

/// Seconds after purchase in which everything is given back, used or not.
pub const FULL_REFUND_SECONDS: i64 = 24 * 3600;

/// The refundable amount in minor units, rounded down.
///
/// Within 24 h of purchase all of it. After that, of a quota package the lesser of unused days and unused bytes as a
/// share of the whole; of a time or throttled package the share of unused days. Unused days are whole days left; the
/// total is the days of the validity. Not started: all unused. Over: nothing.
pub fn refundable_minor(basis: &RefundBasis, zone: &Zone) -> i64 {
    if basis.at.since(basis.bought_at) < FULL_REFUND_SECONDS {
        return basis.paid_minor;
    }
    if basis.ended_at.is_some_and(|end| end <= basis.at) {
        return 0;
    }
    let days = days_share(basis, zone);
    let paid = i128::from(basis.paid_minor);
    let by = |(unused, total): (i64, i64)| {
        if total <= 0 { 0 } else { (paid * i128::from(unused.clamp(0, total)) / i128::from(total)) as i64 }
    };
    match basis.kind {
        Kind::Quota => by(days).min(by((basis.allowance_bytes - basis.used_bytes, basis.allowance_bytes))),
        Kind::Time | Kind::Throttled => by(days),
    }
}

fn days_share(basis: &RefundBasis, zone: &Zone) -> (i64, i64) {
    let (start, end) = match basis.running {
        Some(running) => running,
        None => (basis.at, zone.end_of(basis.at, basis.validity)),
    };
    let total = end.since(start) / DAY_SECONDS;
    let left = end.since(basis.at).max(0) / DAY_SECONDS;
    (left.min(total), total)
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
            running: Some((Timestamp(0), Timestamp(30 * DAY))),
            ended_at: None,
            allowance_bytes: 300,
            used_bytes: used,
        }
    }

    #[test]
    fn the_formulas_of_the_source() {
        let zone = Zone::find("Asia/Shanghai").unwrap();
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
            assert_eq!(refundable_minor(&basis(kind, at, used), &zone), refund, "{kind:?} at {at} used {used}");
        }
        let waiting = RefundBasis { running: None, ..basis(Kind::Quota, 90 * DAY, 0) };
        assert_eq!(refundable_minor(&waiting, &zone), 1000);
        let over = RefundBasis { ended_at: Some(Timestamp(2 * DAY)), ..basis(Kind::Quota, 3 * DAY, 300) };
        assert_eq!(refundable_minor(&over, &zone), 0);
    }
}
