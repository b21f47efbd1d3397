//! The speed of cards whose `throttled` package is used up: the carrier is asked for the lower one, and for the full one again
//! when the month refills, the next subscription starts or another has an allowance (domain rule: carriers do not restore it).
//!
//! Promised: what a card's state wants is noted with the state, and at most one write about its speed is under way a card; when
//! it has its last word and something else is wanted by then, that is asked for. Where a card's data and its speed are one plan, writes
//! about them go one after the other, data that is switched on comes at the speed that is wanted, and a lower speed is asked for again when
//! its data is on again. A platform that cannot limit speeds leaves the
//! card as fast as it is, and the card's record says so. Not promised: that a carrier's steps have the very speed.

use super::{Fold, Settling};
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::{network, notices};
use kachi_domain::carrier::{Answer, Write};
use kachi_domain::event::EventKind;
use kachi_domain::{AccountId, PackageId, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::events::NewEvent;
use kachi_store::intents::Intent;
use kachi_store::sims::Sim;
use std::collections::HashMap;

/// What writes about speeds are stored for.
const SPEED: &str = "speed";
/// The lower speed where a package names none, kilobits a second: the lowest step that a carrier is known to have.
const SLOW_KBPS: u32 = 128;

/// Asks for the speeds of these cards, where they are to be others than before.
pub(super) fn follow(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (folds, sims): (&[Fold], &HashMap<SimId, Sim>),
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let moved: Vec<&Fold> = folds.iter().filter(|f| f.moves()).collect();
    if moved.is_empty() || !catalogue.throttles() {
        return Ok(());
    }
    let ids: Vec<i64> = moved.iter().map(|f| f.sim.0).collect();
    let before: HashMap<SimId, Option<u32>> = tx.card_speeds(&ids)?.into_iter().collect();
    for fold in moved {
        let wanted = fold.present.slowed_by().map(|package| slow(catalogue, package));
        let Some(sim) = sims.get(&fold.sim).filter(|_| wanted != before.get(&fold.sim).copied().flatten()) else { continue };
        tx.put_card_speed(sim.id, wanted, how.now)?;
        let platform = network::platform(catalogue, sim)?;
        let write = Write::LimitSpeed { kbps: wanted };
        let detail = if platform.capabilities.is_some_and(|can| !can.can(&write)) {
            format!("{} is due, but card platform {} cannot limit speeds", words(wanted), platform.code)
        } else {
            ask(tx, catalogue, sim, write, how.now)?;
            format!("{} is asked of the carrier", words(wanted))
        };
        events.push(notices::record(sim, EventKind::SpeedChanged, &detail, how.now)?);
    }
    Ok(())
}

fn slow(catalogue: &Catalogue, package: PackageId) -> u32 {
    catalogue.package(package).and_then(|p| p.speed_kbps).unwrap_or(SLOW_KBPS)
}

fn words(kbps: Option<u32>) -> String {
    kbps.map_or_else(|| "full speed".to_owned(), |kbps| format!("a speed of {kbps} kbit/s"))
}

/// Stores the write, unless one is under way: its last word asks for what is wanted then.
fn ask(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, write: Write, now: Timestamp) -> Result<()> {
    if tx.open_intents(sim.id, SPEED)?.iter().any(network::is_under_way) {
        return Ok(());
    }
    let reference = format!("speed-{}-{}", sim.id, tx.count_speed_ask(sim.id)?);
    network::wish(tx, catalogue, sim, (SPEED, None, None::<AccountId>), (&reference, write), now)?;
    Ok(())
}

/// The carrier's word on a card's speed, or a person's.
pub(crate) fn told(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (intent, kbps): (&Intent, Option<u32>),
    answer: &Answer,
) -> Result<()> {
    if intent.cause != SPEED || !answer.is_last() {
        return Ok(());
    }
    tx.state_locked(intent.sim)?;
    let Some(sim) = tx.sim_by_id(intent.sim)? else { return Err(fault(format!("card {} vanished", intent.sim))) };
    let detail = match answer {
        Answer::Refused { code, reason } => format!("{} is refused by the carrier: {code} {reason}", words(kbps)),
        _ => format!("{} is set at the carrier", words(kbps)),
    };
    tx.tell(&[notices::record(&sim, EventKind::SpeedChanged, &detail, how.now)?], how.now)?;
    catch_up(tx, catalogue, &sim, kbps, how.now)
}

/// A write had no last word in time: another speed that is wanted by now waits for it no longer.
pub(crate) fn left(tx: &mut Tx<'_>, catalogue: &Catalogue, intent: &Intent, now: Timestamp) -> Result<()> {
    if intent.cause != SPEED {
        return Ok(());
    }
    let Write::LimitSpeed { kbps } = network::asked(intent)?.write else { return Ok(()) };
    tx.state_locked(intent.sim)?;
    let Some(sim) = tx.sim_by_id(intent.sim)? else { return Err(fault(format!("card {} vanished", intent.sim))) };
    catch_up(tx, catalogue, &sim, kbps, now)
}

/// The speed that a card is to have when its data is switched on, where that is one plan with its data; none: full speed, or it is set
/// by itself.
pub(crate) fn with_data(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim) -> Result<Option<u32>> {
    if !is_of_data(catalogue, sim)? {
        return Ok(None);
    }
    Ok(tx.card_speeds(&[sim.id.0])?.pop().and_then(|(_, wanted)| wanted))
}

fn is_of_data(catalogue: &Catalogue, sim: &Sim) -> Result<bool> {
    Ok(network::platform(catalogue, sim)?.capabilities.is_some_and(|can| can.one_plan && can.speed))
}

/// The card's data is on again: where its speed is of the same plan, what is wanted is asked for once more, so that the carrier's
/// word on it is on the card's record; a speed that came with the data is there already.
pub(crate) fn data_is_on(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: SimId, now: Timestamp) -> Result<()> {
    let Some(sim) = tx.sim_by_id(sim)? else { return Err(fault(format!("card {sim} vanished"))) };
    if is_of_data(catalogue, &sim)? { catch_up(tx, catalogue, &sim, None, now) } else { Ok(()) }
}

/// Asks for the speed that is wanted now, if it is another than the one that was asked for.
fn catch_up(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, asked: Option<u32>, now: Timestamp) -> Result<()> {
    match tx.card_speeds(&[sim.id.0])?.pop() {
        Some((_, wanted)) if wanted != asked => ask(tx, catalogue, sim, Write::LimitSpeed { kbps: wanted }, now),
        _ => Ok(()),
    }
}
