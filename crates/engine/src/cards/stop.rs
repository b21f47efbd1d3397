//! Which stop of a card it is: each is told once, also where history is told again and it came at another instant.

use super::Fold;
use kachi_domain::alert::Period;
use kachi_domain::package::{Resource, Window};
use kachi_domain::rating::Happening;
use kachi_domain::{SubscriptionId, Timestamp, Zone};
use kachi_store::orders::Subscription;

/// What stopped a card at an instant.
pub(super) struct Stop {
    period: Option<Period>,
    at: Timestamp,
}

impl Stop {
    /// A card is stopped by the pool that is used up, by the subscription that ended then, or by one in use whose allowance is
    /// used up until it refills. A joint pool is used up month by month, with one subscription: each time is told by its instant.
    pub(super) fn of(fold: &Fold, subs: &[Subscription], zone: &Zone, at: Timestamp) -> Stop {
        let over = |h: &Happening| match h {
            Happening::PoolOver(id, over) if *over == at => Some(*id),
            _ => None,
        };
        if let Some(id) = fold.happenings.iter().find_map(over) {
            return Stop { period: Some(Period::of(id)).filter(|_| fold.present.stake.is_none()), at };
        }
        let data = |s: &&Subscription| matches!(s.terms.resource, Resource::Data | Resource::Nb);
        let began = |s: &Subscription| s.started_at.is_some_and(|start| start <= at.0);
        let runs = |s: &&Subscription| began(s) && s.ended_at.is_none_or(|end| end > at.0);
        let running = subs.iter().filter(data).filter(runs).max_by_key(|s| !s.terms.category.is_side());
        let of_running = |s: &Subscription| {
            let there = subs.iter().filter(data).filter(|s| s.available_at.is_some_and(|from| from <= at.0));
            let refill = (s.terms.window == Window::CalendarMonth).then(|| zone.next_month(at));
            Period { subscription: s.id, newest: there.map(|s| s.id).max().unwrap_or(s.id), refill }
        };
        // The next one begins when the one before it ends: what is used up then stops the card.
        let fresh = running.filter(|s| s.started_at == Some(at.0)).map(of_running);
        let ended = || subs.iter().rev().find(|s| s.ended_at == Some(at.0)).map(|s| Period::of(s.id));
        Stop { period: fresh.or_else(ended).or_else(|| running.map(of_running)), at }
    }

    /// The subscription or pool's subscription that it is about, if there is one.
    pub(super) fn about(&self) -> Option<SubscriptionId> {
        self.period.map(|p| p.subscription)
    }

    /// What a telling of it is known by: no other stop of the card gives it.
    pub(super) fn named(&self, telling: &str) -> (String, i64) {
        self.period.map_or((telling.to_owned(), self.at.0), |p| (p.named(telling), p.subscription.0))
    }
}
