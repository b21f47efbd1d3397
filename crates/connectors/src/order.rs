//! What a card has of a package, before and after an order. It is kept behind the order's number, for the connector keeps nothing:
//! `CR1909111603218752 2 1785513600`.

use kachi_domain::carrier::Bought;
use kachi_domain::time::Timestamp;

/// What stands for the number of an order that was given none.
const NO_NUMBER: &str = "-";

/// How often a card has a package, and when the last of it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Has {
    rows: usize,
    ends: Option<Timestamp>,
}

impl Has {
    /// Of these packages.
    pub(crate) fn of(packages: &[Bought], code: &str) -> Has {
        Has::among(packages.iter().filter(|p| p.code == code))
    }

    /// Of all packages, where the name under which one is ordered is not the one under which it is told.
    pub(crate) fn of_any(packages: &[Bought]) -> Has {
        Has::among(packages.iter())
    }

    fn among<'b>(packages: impl Iterator<Item = &'b Bought> + Clone) -> Has {
        Has { rows: packages.clone().count(), ends: packages.filter_map(|p| p.ends).max() }
    }

    /// The number of an order with this behind it.
    pub(crate) fn beside(&self, order: Option<&str>) -> String {
        let order = order.unwrap_or(NO_NUMBER);
        format!("{order} {} {}", self.rows, self.ends.map_or(0, |at| at.0))
    }

    /// The carrier's number of an order, as it was kept; none: it gave none.
    pub(crate) fn number(job: &str) -> Option<&str> {
        job.split(' ').next().filter(|number| !matches!(*number, "" | NO_NUMBER))
    }

    /// What stands behind the number of an order; none: nothing does.
    pub(crate) fn read(job: &str) -> Option<Has> {
        let [_, rows, ends] = job.split(' ').collect::<Vec<_>>()[..] else { return None };
        let ends = Some(Timestamp(ends.parse().ok()?)).filter(|at| at.0 > 0);
        Some(Has { rows: rows.parse().ok()?, ends })
    }

    /// Whether a renewal shows: a further row, or a later end.
    pub(crate) fn is_more_than(&self, before: &Has) -> bool {
        self.rows > before.rows || self.ends > before.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_shows_by_a_row_or_a_later_end() {
        let has = |rows: usize, ends: i64| Has { rows, ends: (ends > 0).then_some(Timestamp(ends)) };
        for (before, now, more) in [
            (has(0, 0), has(0, 0), false),
            (has(0, 0), has(1, 9), true),
            (has(1, 9), has(1, 9), false),
            (has(1, 9), has(1, 10), true),
            (has(1, 9), has(2, 9), true),
            (has(2, 9), has(1, 9), false),
            (has(2, 9), has(1, 10), true),
            (has(1, 0), has(1, 9), true),
        ] {
            assert_eq!(now.is_more_than(&before), more, "{before:?} {now:?}");
            assert_eq!(Has::read(&before.beside(Some("CR1"))), Some(before));
        }
        assert_eq!(Has::number(&has(1, 9).beside(Some("CR1"))), Some("CR1"));
        assert_eq!(Has::number(&has(1, 9).beside(None)), None);
        assert_eq!((Has::read("CR1"), Has::read("CR1 x 2"), Has::read("")), (None, None, None));
    }
}
