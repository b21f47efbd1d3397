//! Messages and voice of a card, switched off and on by themselves at its carrier.
//!
//! Who acts: the operator, by command. Promised: as with a stop ([`crate::switch`]) the card has the block, or has it no longer,
//! with the carrier's last word and never before; asked for again while the carrier has not answered, it is one with the first; one
//! that was not sent yet gives way to its contrary. It does not stop the card: data goes on. Not promised: that what a carrier
//! switches by itself is known here.

use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::intents::order;
use crate::network::{self, CardKey};
use crate::switch;
use kachi_domain::carrier::{Function, Write};
use kachi_domain::sim::Blocks;
use kachi_domain::{Iccid, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use kachi_store::sims::Sim;

/// What these writes are stored for.
const FUNCTION: &str = "function";

/// What came of asking for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// The carrier is being asked.
    Asked,
    /// It is being asked already.
    Waiting,
    /// It is so already.
    Already,
    /// The card's present carrier has no such switch: what another one had switched off counts no more.
    Lifted,
}

/// Asks the carrier to switch one function of a card off or on. `reference` is a text that no other write has.
pub fn set(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (iccid, (function, on), reference): (&Iccid, (Function, bool), &str),
) -> Result<Set> {
    let sim = CardKey::Iccid(iccid.clone()).lock(tx, actor)?;
    network::refuse_out_of_service(tx, &sim)?;
    let write = Write::SetFunction { function, on };
    let is_off = Blocks(sim.blocks).has(block(function));
    let platform = network::platform(catalogue, &sim)?;
    if on && is_off && platform.capabilities.is_some_and(|can| !can.can(&write)) {
        let blocks = Blocks(sim.blocks).without(block(function)).0;
        let why = format!("{} is no longer switched off: its carrier has no such switch", function.word());
        switch::stand(tx, &sim, (&sim.state, blocks), &why, how.now)?;
        return Ok(Set::Lifted);
    }
    network::refuse_unable(catalogue, &sim, &write)?;
    let mut last = None;
    for intent in order::about(tx, &[sim.id], &[write.matter()])?.into_iter().filter(|i| i.platform == platform.id) {
        let asked = network::asked(&intent)?.write;
        last = Some((network::is_under_way(&intent), network::is_open(&intent), asked));
    }
    match last {
        Some((true, _, asked)) if asked == write => return Ok(Set::Waiting),
        // Left to a person, it may have been done: nobody knows how it is, so that it is asked for.
        Some((_, true, _)) => {}
        _ if is_off != on => return Ok(Set::Already),
        _ => {}
    }
    network::wish(tx, catalogue, &sim, (FUNCTION, None, actor.account), (reference, write), how.now)?;
    Ok(Set::Asked)
}

fn block(function: Function) -> Blocks {
    match function {
        Function::Sms => Blocks::SMS_OFF,
        Function::Voice => Blocks::VOICE_OFF,
    }
}

/// The carrier, or a person, says that it is done.
pub(crate) fn done(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    intent: &Intent,
    (function, on): (Function, bool),
    now: Timestamp,
) -> Result<()> {
    let row = tx.state_locked(intent.sim)?;
    let Some(sim) = tx.sim_by_id(intent.sim)? else { return Err(fault(format!("card {} vanished", intent.sim))) };
    if network::platform(catalogue, &sim)?.id != intent.platform {
        return Ok(()); // it has another carrier by now
    }
    let sim = Sim { account: row.account, ..sim };
    let without = Blocks(sim.blocks).without(block(function));
    let blocks = if on { without.0 } else { without.0 | block(function).0 };
    if blocks == sim.blocks {
        return Ok(());
    }
    let why = format!("{} switched {}", function.word(), if on { "on" } else { "off" });
    switch::stand(tx, &sim, (&sim.state, blocks), &why, now)
}
