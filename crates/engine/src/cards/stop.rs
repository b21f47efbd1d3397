//! Which stop of a card it is: each is told once, also where history is told again and it came at another instant or for another
//! reason.

use super::Fold;
use kachi_domain::package::Resource;
use kachi_domain::rating::{Happening, PackageBlock};
use kachi_domain::{SubscriptionId, Timestamp};
use kachi_store::orders::Subscription;

/// What a telling of the card's stop with this number is known by: no other stop of the card gives it. A late record changes when
/// the card was stopped, and why, but not which of its stops it was.
pub(super) fn named(telling: &str, number: u32) -> (String, i64) {
    (format!("{telling}#"), i64::from(number))
}

/// The last bought of the subscriptions with data that began and ended at the instant: a card that was stopped before, and was let
/// on for no longer than that, has no new number, and its stop is told by what it had then.
pub(super) fn fleeting(subs: &[Subscription], at: Timestamp) -> Option<SubscriptionId> {
    let was = |s: &&Subscription| has_data(s) && s.started_at == Some(at.0) && s.ended_at == Some(at.0);
    subs.iter().rev().find(was).map(|s| s.id)
}

/// What a stop is about: the pool's subscription that is used up, the card's that ended then, or one in use whose allowance is used
/// up. None where it is about what cards of a joint pool have together.
pub(super) fn about(fold: &Fold, subs: &[Subscription], block: PackageBlock, at: Timestamp) -> Option<SubscriptionId> {
    if block == PackageBlock::PoolExhausted {
        let over = fold.happenings.iter().find_map(|h| match h {
            Happening::PoolOver(id, over) if *over == at => Some(*id),
            _ => None,
        });
        return over.filter(|id| !subs.iter().any(|s| s.id == *id));
    }
    let runs = |s: &&Subscription| s.started_at.is_some_and(|start| start <= at.0) && s.ended_at.is_none_or(|end| end > at.0);
    let running = subs.iter().filter(|s| has_data(s)).filter(runs).max_by_key(|s| !s.terms.category.is_side());
    // The next one begins when the one before it ends: what is used up then stops the card.
    let fresh = running.filter(|s| s.started_at == Some(at.0));
    let ended = || subs.iter().rev().find(|s| s.ended_at == Some(at.0));
    fresh.or_else(ended).or(running).map(|s| s.id)
}

fn has_data(s: &Subscription) -> bool {
    matches!(s.terms.resource, Resource::Data | Resource::Nb)
}
