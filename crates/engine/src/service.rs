//! Whether carriers let cards on: the one place that asks them to stop a card, or to let it on again, for what is in its way
//! here ([`kachi_domain::service`]).
//!
//! Who acts: whatever sets or lifts a block, in its own transaction, with the card's state locked: packages that end and start,
//! IMEI locks; an owner's own stop and resume are asked for where he asks ([`crate::switch`], [`crate::direct`]), and kept off by
//! the same rule. Promised: what is wanted now is compared with what was last asked for, so that a past that is told again asks
//! for nothing; what an owner asked for and has no last word yet counts as said; a refused wish is on the card's record and is
//! not asked again until another is wanted; one that had no last word in time is asked for once more, and then left to a person.
//! Many cards are read and written together. Not promised: that a card is off before its carrier has done it, or that a platform
//! that cannot stop cards does.

use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::intents::order;
use crate::{network, notices};
use kachi_domain::carrier::{Answer, Matter, Request, Write};
use kachi_domain::event::EventKind;
use kachi_domain::service::{KEPT_OFF, Service, UsedUp, wanted};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::{Intent, Wish};
use kachi_store::lists::NewState;
use kachi_store::sims::Sim;
use std::collections::HashMap;

/// What these writes are stored for, and those that are asked for once more.
const SERVICE: &str = "service";
const AGAIN: &str = "service_again";

/// A card of which something else may be wanted.
struct Turn<'a> {
    sim: &'a Sim,
    base: BaseState,
    blocks: Blocks,
    /// It was never on before.
    first: bool,
}

fn base(state: &str) -> BaseState {
    BaseState::parse(state).unwrap_or(BaseState::Unknown)
}

fn is_dormant(base: BaseState) -> bool {
    matches!(base, BaseState::Inventory | BaseState::Testing | BaseState::Ready)
}

impl Turn<'_> {
    /// A card of which something else may be wanted than before. Whatever else keeps it off counts alone: its owner's stop may be
    /// about to be lifted.
    fn of<'a>(change: &NewState<'a>) -> Option<Turn<'a>> {
        let (before, after) = (base(&change.before.state), base(change.state));
        let matters = |base: BaseState, blocks: i64| {
            (blocks & KEPT_OFF.0, blocks & Blocks::PACKAGE.0 != 0, is_dormant(base), base.is_over())
        };
        if matters(before, change.before.blocks) == matters(after, change.blocks) {
            return None;
        }
        let first = is_dormant(before) && after == BaseState::Active;
        Some(Turn { sim: change.before, base: after, blocks: Blocks(change.blocks), first })
    }
}

/// Cards stand otherwise from now on: their carriers are asked for what is wanted of them.
pub(crate) fn follow(tx: &mut Tx<'_>, catalogue: &Catalogue, changed: &[NewState<'_>], now: Timestamp) -> Result<()> {
    let turns: Vec<Turn<'_>> = changed.iter().filter_map(Turn::of).collect();
    ask(tx, catalogue, &turns, SERVICE, now)
}

/// A card is looked at anew, whatever was wanted of it before.
pub(crate) fn look_again(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: SimId, now: Timestamp) -> Result<()> {
    again(tx, catalogue, (sim, false), SERVICE, now)
}

fn again(tx: &mut Tx<'_>, catalogue: &Catalogue, (id, first): (SimId, bool), cause: &str, now: Timestamp) -> Result<()> {
    tx.state_locked(id)?;
    let Some(sim) = tx.sim_by_id(id)? else { return Err(fault(format!("card {id} vanished"))) };
    let turn = Turn { base: base(&sim.state), blocks: Blocks(sim.blocks), sim: &sim, first };
    ask(tx, catalogue, &[turn], cause, now)
}

/// Whether something keeps the card off that its owner cannot lift, with this in its way.
pub(crate) fn keeps_off(catalogue: &Catalogue, sim: &Sim, blocks: Blocks) -> bool {
    let others = Blocks(blocks.0 & !Blocks::OWNER_STOP.0);
    wanted(base(&sim.state), others, used_up(catalogue, sim)) == Some(Service::Off)
}

/// What becomes of the card when its packages are used up.
fn used_up(catalogue: &Catalogue, sim: &Sim) -> UsedUp {
    let stopped = |p: &&kachi_store::catalogue::Product| !p.bare_use && catalogue.stops_cards(p.platform);
    if catalogue.product(sim.product).filter(stopped).is_some() { UsedUp::Stopped } else { UsedUp::LeftOn }
}

fn ask(tx: &mut Tx<'_>, catalogue: &Catalogue, turns: &[Turn<'_>], cause: &str, now: Timestamp) -> Result<()> {
    let mut able = Vec::with_capacity(turns.len());
    for turn in turns {
        let platform = network::platform(catalogue, turn.sim)?;
        if platform.capabilities.is_none_or(|can| can.stop_resume) {
            able.push((turn, platform));
        }
    }
    if able.is_empty() {
        return Ok(());
    }
    let mut known: HashMap<SimId, Vec<Intent>> = HashMap::new();
    let ids: Vec<SimId> = able.iter().map(|(turn, _)| turn.sim.id).collect();
    for intent in tx.intents_about(&ids, Matter::Service.number())? {
        known.entry(intent.sim).or_default().push(intent);
    }
    let (mut asked, mut needless) = (Vec::new(), Vec::new());
    for (turn, platform) in able {
        let mut before = known.remove(&turn.sim.id).unwrap_or_default();
        before.retain(|i| i.platform == platform.id);
        let activates = platform.capabilities.is_some_and(|can| can.activate);
        if let Some(write) = decide(turn, used_up(catalogue, turn.sim), activates, before, &mut needless)? {
            asked.push((turn.sim, platform.id, write));
        }
    }
    order::supersede(tx, &needless, now)?;
    if asked.is_empty() {
        return Ok(());
    }
    // A card's state is locked, so the number is another each time it is asked about.
    let number = tx.last_intent_number()?;
    let mut requests = Vec::with_capacity(asked.len());
    for (sim, _, write) in &asked {
        let reference = format!("service-{}-{number}", sim.id);
        let request = Request { reference, card: network::named(sim), write: write.clone() };
        requests.push(serde_json::to_string(&request).map_err(|e| fault(e.to_string()))?);
    }
    let matter = Matter::Service.number();
    let mut wishes = Vec::with_capacity(asked.len());
    for ((sim, platform, _), request) in asked.iter().zip(&requests) {
        let (account, sim, platform) = (sim.account, sim.id, *platform);
        wishes.push(Wish { account, sim, platform, cause, task: None, asked_by: None, matter, request });
    }
    tx.add_wishes(&wishes, now)?;
    Ok(())
}

/// What is to be asked for the card, which has these writes, and which of them nobody wants any more.
fn decide(
    turn: &Turn<'_>,
    used_up: UsedUp,
    activates: bool,
    before: Vec<Intent>,
    needless: &mut Vec<Intent>,
) -> Result<Option<Write>> {
    let mut writes = Vec::with_capacity(before.len());
    for intent in before {
        match network::asked(&intent)?.write {
            Write::Stop => writes.push((intent, Service::Off)),
            Write::Resume | Write::Activate => writes.push((intent, Service::On)),
            _ => {}
        }
    }
    let mut blocks = turn.blocks;
    for (_, service) in writes.iter().filter(|(i, _)| i.asked_by.is_some() && network::is_under_way(i)) {
        // What its owner has asked for is as good as done.
        let stop = if *service == Service::Off { Blocks::OWNER_STOP.0 } else { 0 };
        blocks = Blocks(blocks.0 & !Blocks::OWNER_STOP.0 | stop);
    }
    let Some(service) = wanted(turn.base, blocks, used_up) else { return Ok(None) };
    let write = match service {
        Service::Off => Write::Stop,
        Service::On if !turn.first => Write::Resume,
        Service::On if activates => Write::Activate,
        Service::On => return Ok(None),
    };
    let (mut last, mut given_up) = (None, false);
    for (intent, service) in writes {
        if order::is_needless(&intent, &write, None)? {
            given_up = true;
            needless.push(intent);
        } else {
            last = Some(service);
        }
    }
    // A card that nobody asked about is on, if it ever was.
    let is_so = match last {
        Some(last) => last == service,
        None => service == Service::On && !turn.first && !given_up,
    };
    Ok((!is_so).then_some(write))
}

/// The carrier's last word, or a person's, on a write that stops a card or lets it on.
pub(crate) fn told(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (intent, write): (&Intent, &Write),
    answer: &Answer,
    now: Timestamp,
) -> Result<()> {
    if write.matter() != Matter::Service || !answer.is_last() {
        return Ok(());
    }
    let is_ours = intent.cause == SERVICE || intent.cause == AGAIN;
    match answer {
        Answer::Refused { code, reason } if is_ours => {
            let Some(sim) = tx.sim_by_id(intent.sim)? else { return Ok(()) };
            let act = if *write == Write::Stop { "stop it" } else { "let it on" };
            let detail = format!("the carrier does not {act}: {code} {reason}");
            Ok(tx.tell(&[notices::record(&sim, EventKind::ServiceRefused, &detail, now)?], now)?)
        }
        // The owner's wish is not to be; what else is wanted may have waited for it.
        Answer::Refused { .. } => look_again(tx, catalogue, intent.sim, now),
        _ if is_ours && *write != Write::Stop => on_again(tx, intent.sim, now),
        _ => Ok(()),
    }
}

/// A card that was seen to be stopped meanwhile is active again.
fn on_again(tx: &mut Tx<'_>, id: SimId, now: Timestamp) -> Result<()> {
    tx.state_locked(id)?;
    let Some(sim) = tx.sim_by_id(id)?.filter(|s| base(&s.state) == BaseState::Stopped) else { return Ok(()) };
    let (state, activated_at) = (BaseState::Active.word(), sim.activated_at.or(Some(now.0)));
    tx.change_sim_states(&[NewState { before: &sim, state, blocks: sim.blocks, activated_at }])?;
    let detail = format!("{} -> {state}, let on by the carrier", sim.state);
    Ok(tx.tell(&[notices::record(&sim, EventKind::SimStateChanged, &detail, now)?], now)?)
}

/// A write had no last word in time: what is wanted now is asked for once more.
pub(crate) fn left(tx: &mut Tx<'_>, catalogue: &Catalogue, intent: &Intent, now: Timestamp) -> Result<()> {
    if intent.cause != SERVICE {
        return Ok(());
    }
    let first = network::asked(intent)?.write == Write::Activate;
    again(tx, catalogue, (intent.sim, first), AGAIN, now)
}
