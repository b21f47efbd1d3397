//! Which stop of a card it is: each is told once, also where history is told again and it came at another instant.

use super::Fold;
use kachi_domain::alert::Period;
use kachi_domain::package::{Resource, Window};
use kachi_domain::rating::{Happening, PackageBlock};
use kachi_domain::{SubscriptionId, Timestamp, Zone};
use kachi_store::orders::Subscription;

/// What stopped a card at an instant.
pub(super) struct Stop {
    period: Option<Period>,
    /// When the card last left a pool in the month of a package that refills: what it had of the pool let it on in between.
    left: Option<Timestamp>,
    at: Timestamp,
}

impl Stop {
    /// A card is stopped by the pool that is used up, by the subscription that ended then, or by one in use whose allowance is
    /// used up until it refills, or until the card leaves a pool that paid meanwhile. Every time a joint pool is used up is told by
    /// its instant, which is written down: its cards have one subscription for all of them. `left` is when the card left pools:
    /// facts that no late record changes, as instants of stops may be.
    pub(super) fn of(fold: &Fold, (subs, left): (&[Subscription], &[Timestamp]), zone: &Zone, at: Timestamp) -> Stop {
        let over = |h: &Happening| match h {
            Happening::PoolOver(id, over) if *over == at => Some(*id),
            _ => None,
        };
        if let Some(id) = fold.happenings.iter().find_map(over) {
            let own = subs.iter().any(|s| s.id == id);
            return Stop { period: Some(Period::of(id)).filter(|_| !own), left: None, at };
        }
        let by_sum = fold.used_up.contains(&at) && fold.happenings.contains(&Happening::Blocked(PackageBlock::PoolExhausted, at));
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
        let period = fresh.or_else(ended).or_else(|| running.filter(|_| !by_sum).map(of_running));
        let month = |of: Timestamp| zone.next_month(of);
        let in_it = |left: &Timestamp| *left <= at && month(*left) == month(at);
        let left = period.and_then(|p| p.refill).and_then(|_| left.iter().copied().filter(in_it).max());
        Stop { period, left, at }
    }

    /// The subscription or pool's subscription that it is about, if there is one.
    pub(super) fn about(&self) -> Option<SubscriptionId> {
        self.period.map(|p| p.subscription)
    }

    /// What a telling of it is known by: no other stop of the card gives it.
    pub(super) fn named(&self, telling: &str) -> (String, i64) {
        let left = self.left.map_or_else(String::new, |left| format!("<{}", left.0));
        self.period.map_or((telling.to_owned(), self.at.0), |p| (p.named(telling) + &left, p.subscription.0))
    }
}
