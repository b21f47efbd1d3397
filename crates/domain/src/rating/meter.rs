//! What one subscription can pay, and when it may start.

use super::{EndReason, Live, PackageBlock, Purchase, Rest};
use crate::package::{Category, Kind, Resource, StartRule, Window};
use crate::time::{Span, Timestamp, Zone};

impl Purchase {
    /// The first instant at which the subscription may start. The zone is that of whoever has the card.
    pub fn eligible(&self, zone: &Zone) -> Timestamp {
        let zone = self.zone.as_ref().unwrap_or(zone);
        let at = match self.start {
            StartRule::Queue | StartRule::Now => self.at,
            StartRule::NextMonth => zone.next_month(self.at),
        };
        self.not_before.map_or(at, |date| date.max(at))
    }
}

impl EndReason {
    /// The block a card gets when its last usable subscription ends so.
    pub fn block(self) -> PackageBlock {
        match self {
            EndReason::Quota => PackageBlock::Quota,
            EndReason::Expired => PackageBlock::Expired,
            EndReason::Refunded | EndReason::Moved => PackageBlock::NoPackage,
        }
    }
}

/// Adds bytes. A card that has seen 2^63 bytes has been fed nonsense, and a wrong total would be worse than a stop.
pub(super) fn add_bytes(a: i64, b: i64) -> i64 {
    a.checked_add(b).expect("the bytes of one card stay below 2^63")
}

impl Live {
    /// A subscription as it waits right after its purchase. Bytes used elsewhere count against its allowance at once; a
    /// limited window is never fuller than that. What another card of ours used is that card's alone.
    pub(super) fn bought(p: &Purchase, zone: &Zone) -> Live {
        debug_assert!(p.used_before >= 0, "bytes are not negative");
        let before = p.used_before.max(0);
        let window_used = if p.terms.is_limited() { before.min(p.terms.allowance.max(0)) } else { before };
        let used = if p.moved { 0 } else { before };
        let mut live = Live {
            package: p.package,
            order: p.order,
            id: p.subscription,
            terms: p.terms.clone(),
            eligible: p.eligible(zone),
            running: None,
            refill: None,
            window_used,
            used,
            left_seconds: p.left_seconds,
            zone: None,
            slow: false,
            staked: false,
        };
        live.keep_zone(p.zone.as_ref());
        live
    }

    /// Whether its windows or its end lie where a calendar has them.
    fn knows_months(&self) -> bool {
        let validity = self.left_seconds.is_none() && matches!(self.terms.validity, Span::Months(_));
        validity || self.terms.window == Window::CalendarMonth
    }

    /// Whether it knows months and not in which zone.
    pub fn lacks_zone(&self) -> bool {
        self.zone.is_none() && self.knows_months()
    }

    /// From here on its months are those of the zone in which it was bought.
    pub fn keep_zone(&mut self, bought_in: Option<&Zone>) {
        self.zone = bought_in.filter(|_| self.knows_months()).cloned();
    }

    /// The zone of its months; the owner's now where it is not known in which it was bought.
    pub fn zone<'z>(&'z self, owners: &'z Zone) -> &'z Zone {
        self.zone.as_ref().unwrap_or(owners)
    }

    /// Whether it can pay for bytes at all; voice and messages only live and expire.
    pub fn takes_bytes(&self) -> bool {
        matches!(self.terms.resource, Resource::Data | Resource::Nb)
    }

    /// Whether it takes the card's one main place (rule 1); all others run beside it.
    pub fn is_main(&self) -> bool {
        self.takes_bytes() && !self.terms.category.is_side()
    }

    /// Whether its own allowance limits it.
    pub fn is_limited(&self) -> bool {
        self.terms.is_limited() && !self.staked
    }

    /// Bytes left in the present window; none where there is no limit of its own (`time`, postpaid, a stake).
    pub fn left(&self) -> Option<i64> {
        let unlimited = self.terms.kind == Kind::Time || self.terms.category == Category::Postpaid || self.staked;
        (!unlimited).then(|| self.terms.allowance.max(0).saturating_sub(self.window_used).max(0))
    }

    /// Whether it goes on at a lower speed once its allowance is used up.
    pub(super) fn is_throttled(&self) -> bool {
        self.terms.kind == Kind::Throttled && self.terms.category != Category::Postpaid
    }

    /// Whether it is over when its allowance is used up, and it is.
    pub(super) fn is_finished(&self) -> bool {
        self.takes_bytes() && self.is_limited() && self.terms.window == Window::Whole && self.left() == Some(0)
    }

    /// Running data with something left of its allowance.
    pub(super) fn can_pay(&self) -> bool {
        self.running.is_some() && self.takes_bytes() && self.left() != Some(0)
    }

    /// Running data that goes on, if slowly, without allowance.
    pub(super) fn can_pay_slowly(&self) -> bool {
        self.running.is_some() && self.takes_bytes() && self.is_throttled()
    }

    /// Its place in the burn order (rule 4): what ends before the main one, the main one, the others; earliest end
    /// first, then as bought.
    pub(super) fn turn(&self, main_end: Option<Timestamp>) -> (u8, Timestamp, i64) {
        let end = self.running.map_or(Timestamp(i64::MAX), |(_, end)| end);
        let class = match main_end {
            _ if self.is_main() => 1,
            Some(main_end) if end < main_end => 0,
            _ => 2,
        };
        (class, end, self.id.0)
    }

    /// Takes bytes.
    pub(super) fn charge(&mut self, bytes: i64) {
        self.window_used = add_bytes(self.window_used, bytes);
        self.used = add_bytes(self.used, bytes);
    }

    /// Uses it from `at`; answers the end of its validity.
    pub(super) fn begin(&mut self, at: Timestamp, zone: &Zone) -> Timestamp {
        let end = self.end_from(at, zone);
        if self.terms.window == Window::CalendarMonth && self.zone(zone).next_month(self.eligible) <= at {
            // What was used of a month that is over since it came here does not count in this one.
            self.window_used = 0;
        }
        self.running = Some((at, end));
        self.refill = self.next_refill(at, zone);
        end
    }

    /// The end of its validity if it starts at `at`.
    pub(super) fn end_from(&self, at: Timestamp, zone: &Zone) -> Timestamp {
        let end = self.left_seconds.map_or_else(|| self.zone(zone).end_of(at, self.terms.validity), |left| at.plus(left));
        // Beyond the calendar's last year the sum can lie before the start.
        end.max(at)
    }

    /// When it is over if it starts at `at`: at once, if nothing is left of it.
    pub(super) fn end_if_begun(&self, at: Timestamp, zone: &Zone) -> Timestamp {
        if self.is_finished() { at } else { self.end_from(at, zone) }
    }

    /// What would go along to another card at `at`.
    pub fn rest(&self, at: Timestamp) -> Rest {
        let running = self.running.map(|(_, end)| end.since(at).max(0));
        Rest { used_bytes: self.window_used, left_seconds: running.or(self.left_seconds) }
    }

    /// The next refill after `at` within the validity.
    pub(super) fn next_refill(&self, at: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let (_, end) = self.running.filter(|_| self.terms.window == Window::CalendarMonth)?;
        Some(self.zone(zone).next_month(at)).filter(|next| *next > at && *next < end)
    }
}
