//! Stopping cards and letting them on again: one room for it, whichever door asks.
//!
//! Who acts: an account, for cards it sees. Promised: a stop or a resume is stored as a carrier write and changes the card
//! with us when the carrier's word is its last, never before; asked for again while the carrier has not answered, it is one
//! with the first, whichever door it came by; one that was not sent yet gives way to its contrary. A resume that the carrier would refuse is refused here before anything is sent
//! ([`kachi_domain::resume`]), by what is in the card's way with us and by what its carrier said when it was last read; what
//! is left in its way is told with every answer. What the carrier said before a write that it has confirmed since is
//! forgotten: it says nothing of after. Not promised: that a resumed card works.

use crate::act::{Actor, refuse_unsaid};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::diagnose::told;
use crate::error::{Fail, Result, fault};
use crate::intents::order;
use crate::network::CardKey;
use crate::stock::{self, Key};
use crate::told::CARRIERS;
use crate::{arrears, network, notices, service, sims};
use kachi_domain::carrier::{Heard, Line, Matter, Write};
use kachi_domain::diagnose::Cause;
use kachi_domain::event::EventKind;
use kachi_domain::resume::{Resume, resume};
use kachi_domain::service::KEPT_OFF;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{Iccid, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use kachi_store::lists::NewState;
use kachi_store::sims::Sim;
use std::borrow::Cow;
use std::collections::HashMap;

/// What stopping and letting on by the owner is called among the carrier writes of a card.
const SWITCH: &str = "owner_switch";

/// What came of asking for a stop or a resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switched {
    /// The carrier is being asked.
    Asked {
        /// What a resume leaves in the card's way.
        left: Vec<Cause>,
    },
    /// It is being asked already.
    Waiting,
    /// The owner's stop is taken away; others keep the card off, so that the carrier was not asked.
    Lifted {
        /// What does.
        left: Vec<Cause>,
    },
    /// The card is so already.
    Already {
        /// What is in the way of one that is on.
        left: Vec<Cause>,
    },
}

/// Asks the carrier to stop a card, or to let it on again. `reference` is a text that no other write has.
pub fn switch(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (key, write, reference): (&Key, Write, &str),
) -> Result<Switched> {
    let seen = stock::sim(tx, actor, key)?;
    let row = tx.state_locked(seen.id)?;
    let sim = stock::sim(tx, actor, key)?;
    if row.account != sim.account {
        return Err(Fail::Stale);
    }
    network::refuse_out_of_service(tx, &sim)?;
    let resumes = write == Write::Resume;
    let write = if resumes { letting_on(tx, catalogue, &sim)? } else { write };
    network::refuse_unable(catalogue, &sim, &write)?;
    let open = under_way(tx, catalogue, &sim)?;
    let is_asked = open.as_ref().is_some_and(|(_, asked)| *asked == write);
    if let Some((open, _)) = &open
        && !is_asked
        && !order::is_unsent(open)?
    {
        return Err(Refusal::SwitchBarred.into());
    }
    let mut left = Vec::new();
    if resumes {
        match decide(tx, catalogue, &sim, how.now)?.0 {
            // One that is under way lifts nothing of what came in its way since.
            Resume::Barred { by } if open.is_none() || is_asked => return Err(Refusal::KeptOff { by }.into()),
            Resume::Barred { by: left } | Resume::Lift { left } => {
                lift(tx, catalogue, &sim, how.now)?;
                return Ok(Switched::Lifted { left: told(tx, catalogue, &sim, left)? });
            }
            _ if is_asked => return Ok(Switched::Waiting),
            Resume::On { left } if open.is_none() => {
                return Ok(Switched::Already { left: told(tx, catalogue, &sim, left)? });
            }
            Resume::On { left: after } | Resume::Ask { left: after } => left = told(tx, catalogue, &sim, after)?,
        }
    } else if is_asked {
        return Ok(Switched::Waiting);
    } else if Blocks(sim.blocks).has(Blocks::OWNER_STOP) && open.is_none() {
        return Ok(Switched::Already { left });
    }
    network::wish(tx, catalogue, &sim, (SWITCH, None, actor.account), (reference, write), how.now)?;
    Ok(Switched::Asked { left })
}

/// What the operator does about a card, whatever its owner asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It is forced off.
    Stop,
    /// That is lifted.
    Lift,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// The card stands otherwise, and its carrier is asked for what is wanted now.
    Changed,
    /// It was so already.
    Already,
}

/// Forces a card off, or lifts that: who does it and why are on its record. Its carrier is asked as for any other block; who may do
/// it is the caller's to see to.
pub fn force(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (iccid, force, who, why): (&Iccid, Force, &str, &str),
) -> Result<Forced> {
    refuse_unsaid(&[("by", who), ("reason", why)])?;
    let sim = CardKey::Iccid(iccid.clone()).lock(tx, actor)?;
    match force {
        Force::Stop => network::refuse_out_of_service(tx, &sim)?,
        Force::Lift => network::refuse_over(&sim)?,
    }
    let (blocks, said) = match force {
        Force::Stop => (sim.blocks | Blocks::FORCED.0, "forced off"),
        Force::Lift => (sim.blocks & !Blocks::FORCED.0, "force lifted"),
    };
    if blocks == sim.blocks {
        return Ok(Forced::Already);
    }
    let change = NewState { before: &sim, state: &sim.state, blocks, activated_at: sim.activated_at };
    tx.change_sim_states(std::slice::from_ref(&change))?;
    service::follow(tx, catalogue, &[change], how.now)?;
    let detail = format!("{said} by {who} ({why}): {} [{}]", sim.state, Blocks(blocks).names().join(" "));
    tx.tell(&[notices::record(&sim, EventKind::SimStateChanged, &detail, how.now)?], how.now)?;
    Ok(Forced::Changed)
}

fn base(sim: &Sim) -> BaseState {
    BaseState::parse(&sim.state).unwrap_or(BaseState::Unknown)
}

/// The card's stops, resumes and activations at its carrier that are open, and the last that was done; in their order.
fn standing(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim) -> Result<Vec<(Intent, Write)>> {
    let platform = network::platform(catalogue, sim)?.id;
    let mut all = Vec::new();
    for intent in order::about(tx, &[sim.id], &[Matter::Service])? {
        let write = network::asked(&intent)?.write;
        if intent.platform == platform && write != Write::EndTest {
            all.push((intent, write));
        }
    }
    Ok(all)
}

/// Whether the card's carrier has an act of its own for a card that was never on.
fn activates(catalogue: &Catalogue, sim: &Sim) -> Result<bool> {
    Ok(network::platform(catalogue, sim)?.capabilities.is_some_and(|can| can.activate))
}

/// What lets the card on. One that was never on is activated where the carrier has an act of its own for that; a stop is lifted first.
fn letting_on(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim) -> Result<Write> {
    let is_new = base(sim).is_dormant() || tx.activation_owed(sim.id)?.is_some();
    let is_stopped = Blocks(sim.blocks).has(Blocks::OWNER_STOP) || stop_stands(tx, catalogue, sim)?;
    Ok(if is_new && !is_stopped && activates(catalogue, sim)? { Write::Activate } else { Write::Resume })
}

/// Whether a stop of ours stands at the card's carrier, or is not known to be lifted there: whatever it has not heard of yet.
pub(crate) fn stop_stands(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim) -> Result<bool> {
    let mut stands = false;
    for (intent, write) in standing(tx, catalogue, sim)? {
        stands = match write {
            Write::Stop => stands || !order::is_unsent(&intent)?,
            Write::Resume => network::is_open(&intent),
            _ => stands,
        };
    }
    Ok(stands)
}

/// The owner's stop of a card that was never on is lifted: what he asked for is done when it is activated. Not if it is kept off by now.
fn activate_too(tx: &mut Tx<'_>, catalogue: &Catalogue, (sim, intent): (&Sim, &Intent), now: Timestamp) -> Result<()> {
    let kept_off = Blocks(sim.blocks).without(Blocks::OWNER_STOP).has(KEPT_OFF);
    if kept_off || last_asked(tx, catalogue, sim)? == Some(Write::Stop) {
        return Ok(());
    }
    let reference = format!("{}-activate", network::asked(intent)?.reference);
    network::wish(tx, catalogue, sim, (SWITCH, None, intent.asked_by), (&reference, Write::Activate), now)?;
    Ok(())
}

/// What was last asked for, by whomever, and not refused.
pub(crate) fn last_asked(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim) -> Result<Option<Write>> {
    Ok(standing(tx, catalogue, sim)?.pop().map(|(_, write)| write))
}

/// What an account last asked for, at whatever door, and the carrier is being asked.
fn under_way(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim) -> Result<Option<(Intent, Write)>> {
    let asked = |(intent, _): &(Intent, Write)| intent.asked_by.is_some() && network::is_under_way(intent);
    Ok(standing(tx, catalogue, sim)?.into_iter().rfind(asked))
}

/// What a resume of the card comes to now, and what its carrier last said.
pub(crate) fn decide(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, now: Timestamp) -> Result<(Resume, Heard)> {
    let blocks = Blocks(sim.blocks).with_state(&sims::present(tx, catalogue, sim, now)?);
    let heard = tx.carrier_word(sim.id)?;
    // A block that the carrier gave as its reason bars as long as that is fresh.
    let ours = blocks.without(Blocks(heard.old_reasons(now).0 & CARRIERS.0));
    let decided = match resume(base(sim), ours, (heard.base(), heard.fresh_reasons(now))) {
        // It is stopped there because its packages are used up, until the next one starts: only its owner's stop can be lifted.
        Resume::Ask { left } | Resume::On { left } if service::keeps_off(tx, catalogue, sim, blocks)? => {
            let stopped = blocks.has(Blocks::OWNER_STOP) || !unsent_stops(tx, sim.id)?.is_empty();
            if stopped { Resume::Lift { left } } else { Resume::On { left } }
        }
        decided => decided,
    };
    Ok((decided, heard))
}

/// Keeps what readings told of where cards stand, why they are stopped, whether they are connected and their devices switched on. The cards are locked.
pub(crate) fn heard(tx: &mut Tx<'_>, read: &[(SimId, Cow<'_, Line>)], at: Timestamp) -> Result<()> {
    let says = |line: &Line| line.standing.is_some() || line.stop.is_some() || line.sessions.is_some() || line.power.is_some();
    let said: Vec<_> = read.iter().filter(|(_, line)| says(line)).collect();
    if said.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = said.iter().map(|(sim, _)| sim.0).collect();
    let mut before: HashMap<i64, Heard> = tx.carrier_words(&ids)?.into_iter().collect();
    let word = |(sim, line): &(SimId, Cow<'_, Line>)| (*sim, before.remove(&sim.0).unwrap_or_default().hear(line, at));
    Ok(tx.put_carrier_words(&said.into_iter().map(word).collect::<Vec<_>>())?)
}

/// The owner's stop is taken away with us alone, or given up if it was not sent: others keep the card off.
pub(crate) fn lift(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, now: Timestamp) -> Result<()> {
    let stops = unsent_stops(tx, sim.id)?;
    order::supersede(tx, &stops, now)?;
    stand(tx, sim, (&sim.state, sim.blocks & !Blocks::OWNER_STOP.0), "resumed, but kept off", now)?;
    service::look_again(tx, catalogue, sim.id, now)
}

/// The stops that its owner asked for and the carrier has not heard of.
fn unsent_stops(tx: &mut Tx<'_>, sim: SimId) -> Result<Vec<Intent>> {
    let mut stops = Vec::new();
    for intent in order::about(tx, &[sim], &[Matter::Service])? {
        if intent.asked_by.is_some() && order::is_unsent(&intent)? && network::asked(&intent)?.write == Write::Stop {
            stops.push(intent);
        }
    }
    Ok(stops)
}

/// The carrier's last word on a write that stops a card or lets it on, or a person's: what the owner asked for is so.
pub(crate) fn switched(tx: &mut Tx<'_>, catalogue: &Catalogue, (intent, write): (&Intent, &Write), now: Timestamp) -> Result<()> {
    let row = tx.state_locked(intent.sim)?;
    let Some(sim) = tx.sim_by_id(intent.sim)? else { return Err(fault(format!("card {} vanished", intent.sim))) };
    if intent.cause != SWITCH {
        return Ok(tx.forget_carrier_word(sim.id)?);
    }
    let sim = Sim { account: row.account, ..sim };
    if *write != Write::Resume || !base(&sim).is_dormant() {
        return done(tx, catalogue, (&sim, write), now);
    }
    // Where the carrier has no act of its own for it, letting a card on that was never on has activated it.
    if !activates(catalogue, &sim)? {
        return done(tx, catalogue, (&sim, &Write::Activate), now);
    }
    done(tx, catalogue, (&sim, write), now)?;
    activate_too(tx, catalogue, (&sim, intent), now)
}

/// The card is as the write would have it.
pub(crate) fn done(tx: &mut Tx<'_>, catalogue: &Catalogue, (sim, write): (&Sim, &Write), now: Timestamp) -> Result<()> {
    tx.forget_carrier_word(sim.id)?;
    let (before, active) = (base(sim), BaseState::Active.word());
    let (state, blocks, why) = match write {
        Write::EndTest if matches!(before, BaseState::Testing | BaseState::Inventory) => {
            (BaseState::Ready.word(), sim.blocks, "test period ended")
        }
        Write::Activate if !before.is_activated() => (active, sim.blocks & !Blocks::OWNER_STOP.0, "activated"),
        Write::Stop => (sim.state.as_str(), sim.blocks | Blocks::OWNER_STOP.0, "stopped by its owner"),
        Write::Resume => {
            let known_off = matches!(before, BaseState::Stopped | BaseState::Unknown);
            let state = if known_off { active } else { sim.state.as_str() };
            (state, sim.blocks & !Blocks::OWNER_STOP.0, "resumed by its owner")
        }
        _ => return Ok(()),
    };
    if (state, blocks) == (sim.state.as_str(), sim.blocks) {
        return Ok(());
    }
    if before == BaseState::Testing && state != sim.state || *write == Write::EndTest {
        note_test_ended(tx, sim, now)?;
    }
    stand(tx, sim, (state, blocks), why, now)?;
    arrears::stood(tx, catalogue, &[NewState { before: sim, state, blocks, activated_at: None }], now)
}

/// Keeps when the card's test ended, which may be before the day until which it was to last.
fn note_test_ended(tx: &mut Tx<'_>, sim: &Sim, now: Timestamp) -> Result<()> {
    let mut details: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&sim.details).unwrap_or_default();
    details.insert("test_ended".into(), now.to_string().into());
    Ok(tx.change_sim(sim.id, &Sim { details: serde_json::Value::Object(details).to_string(), ..sim.clone() })?)
}

/// The card stands otherwise from now on; that is on its record.
pub(crate) fn stand(tx: &mut Tx<'_>, sim: &Sim, (state, blocks): (&str, i64), why: &str, now: Timestamp) -> Result<()> {
    let activated = sim.activated_at.or((state == BaseState::Active.word()).then_some(now.0));
    tx.set_sim_state(sim.id, state, blocks, activated)?;
    let detail = format!("{why}: {} [{}]", state, Blocks(blocks).names().join(" "));
    Ok(tx.tell(&[notices::record(sim, EventKind::SimStateChanged, &detail, now)?], now)?)
}
