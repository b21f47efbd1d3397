//! What an owner is warned of with the card's figures, at the doors that tell warnings so.
//!
//! Each is told once: little data left once per period, whichever line is crossed first, an end, a stop or a pool's share once per subscription, data beyond
//! every package once a month. Warnings of voice, messages and connections are given where those are counted
//! ([`super::allowances`]).

use super::{Fold, month_number, stop};
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::{notices, service};
use kachi_domain::event::{Body, EventKind, Warning, WarningKind};
use kachi_domain::imei;
use kachi_domain::rating::{CardState, EndReason, Happening, PackageBlock};
use kachi_domain::{AccountId, SubscriptionId, Timestamp};
use kachi_store::events::NewEvent;
use kachi_store::orders::Subscription;
use kachi_store::sims::Sim;
use std::borrow::Cow;

/// Whether anyone is told such warnings of the account's cards.
pub(crate) fn wanted(catalogue: &Catalogue, account: AccountId) -> bool {
    let told = |door: &String| EventKind::CardWarning.told_at(door);
    catalogue.account(account).is_some_and(|info| info.notify.keys().any(told))
}

/// Adds the warnings that follow from a fold.
pub(super) fn warn(
    catalogue: &Catalogue,
    fold: &Fold,
    sim: &Sim,
    subs: &[Subscription],
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    if !wanted(catalogue, sim.account) {
        return Ok(());
    }
    let mut told_as = |(name, subject): (Cow<'static, str>, i64), kind, about, at| {
        let body = Body::Warning(snapshot(catalogue, fold, sim, subs, (kind, about, at)));
        let event = notices::event(catalogue, sim.account, Some(sim.id), EventKind::CardWarning, &body, at)?;
        events.push(NewEvent { once: Some((name, subject)), ..event });
        Ok::<_, crate::Fail>(())
    };
    for (at, id) in fold.ending.iter().copied() {
        told_as(("warned31".into(), id.0), WarningKind::PackageEnding, Some(id), at)?;
    }
    for c in &fold.crossings {
        let id = c.period.subscription;
        let (name, kind, about) = match c.alert_type {
            // One type for both lines: the first that is crossed tells it.
            1 | 2 => ("warned11", WarningKind::DataLow, Some(id)),
            // The line of days is that of the last package, and with it that of the card: told with what is in use.
            _ => ("warned42", WarningKind::CardEnding, None),
        };
        told_as((c.period.named(name).into(), id.0), kind, about, c.at)?;
    }
    let (mut last, mut off) = (None, fold.was_off);
    for happening in &fold.happenings {
        match happening {
            Happening::Ended(id, at, reason, _) => {
                last = Some(*id);
                if *reason == EndReason::Expired {
                    told_as(("warned32".into(), id.0), WarningKind::PackageExpired, last, *at)?;
                }
            }
            Happening::PoolOver(id, at) => {
                // What a card takes of a joint pool is its own, and is used up month by month.
                let joint = subs.iter().any(|s| s.id == *id);
                last = Some(*id).filter(|_| !joint);
                let subject = if joint { at.0 } else { id.0 };
                told_as(("warned15".into(), subject), WarningKind::PoolShareUsed, None, *at)?;
            }
            Happening::Unblocked(_) => off = false,
            Happening::Blocked(block, at, number) => {
                let was_off = std::mem::replace(&mut off, true);
                let about = || stop::about(fold, subs, *block, *at);
                let (name, kind, about) = match block {
                    // It says that the card is stopped, which is so where the platform's cards are.
                    PackageBlock::Quota | PackageBlock::PoolExhausted if !service::stops(catalogue, sim) => {
                        continue;
                    }
                    PackageBlock::Quota | PackageBlock::PoolExhausted => ("warned51", WarningKind::StoppedAtCap, about()),
                    PackageBlock::Expired | PackageBlock::NoPackage => ("warned41", WarningKind::NoPackage, None),
                };
                let again = stop::fleeting(subs, *at).filter(|_| was_off).map(|id| (name.to_owned(), id.0));
                let (name, subject) = again.unwrap_or_else(|| stop::named(name, *number));
                told_as((name.into(), subject), kind, about, *at)?;
            }
            _ => {}
        }
    }
    for (month, (at, _)) in &fold.outflow {
        told_as(("warned21".into(), *month), WarningKind::DataOver, last, *at)?;
    }
    Ok(())
}

fn snapshot(
    catalogue: &Catalogue,
    fold: &Fold,
    sim: &Sim,
    subs: &[Subscription],
    (warning, about, at): (WarningKind, Option<SubscriptionId>, Timestamp),
) -> Warning {
    let (state, zone) = (&fold.present, catalogue.zone(sim.account));
    let month = month_number(at, zone);
    let plain = of_card(catalogue, sim, (state, fold.seen), (warning, at));
    let plain = Warning { outflow: fold.outflow.get(&month).map_or(0, |(_, bytes)| *bytes), ..plain };
    if month != month_number(state.now, zone) && warning == WarningKind::DataOver {
        return plain; // the package in use now is not that of a month that is over
    }
    let live = state.live.iter().find(|l| Some(l.id) == about).or_else(|| state.current_main().filter(|_| about.is_none()));
    let over = subs.iter().find(|s| Some(s.id) == about);
    let package = live.map(|l| l.package).or(over.map(|s| s.package)).and_then(|id| catalogue.package(id));
    let (total, used) = match (live, over) {
        (Some(l), _) => (l.terms.allowance, l.window_used),
        (None, Some(s)) => (s.terms.allowance, s.used_bytes),
        (None, None) => (0, 0),
    };
    let package_ends_at = live.and_then(|l| l.running).map(|(_, end)| end.0).or(over.and_then(|s| s.ended_at.or(s.ends_at)));
    let last_end = || subs.iter().filter_map(|s| s.ended_at).max();
    Warning {
        package_name: package.map_or_else(String::new, |p| p.name.clone()),
        package_ends_at,
        card_ends_at: plain.card_ends_at.or_else(last_end),
        total,
        used,
        ..plain
    }
}

/// A warning with the card alone; `seen` is the device it was last seen in, 0 before any.
pub(super) fn of_card(
    catalogue: &Catalogue,
    sim: &Sim,
    (state, seen): (&CardState, i64),
    (warning, at): (WarningKind, Timestamp),
) -> Warning {
    let details: serde_json::Value = serde_json::from_str(&sim.details).unwrap_or_default();
    Warning {
        warning,
        at: at.0,
        carrier: catalogue.product(sim.product).map_or_else(String::new, |p| p.carrier.clone()),
        iccid: sim.iccid.clone(),
        msisdn: sim.msisdn.clone().unwrap_or_default(),
        imei: if seen == 0 { sim.imei.clone().unwrap_or_default() } else { imei::text(seen) },
        equipment: details["sbbh"].as_str().unwrap_or_default().to_owned(),
        package_name: String::new(),
        package_ends_at: None,
        card_ends_at: state.last_end(catalogue.zone(sim.account)).map(|t| t.0),
        total: 0,
        used: 0,
        outflow: 0,
    }
}
