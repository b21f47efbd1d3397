//! Whether carriers let cards on: the one place that asks them to stop a card, or to let it on again, for what is in its way
//! here ([`kachi_domain::service`]).
//!
//! Who acts: whatever sets or lifts a block, in its own transaction, with the card's state locked: packages that end and start,
//! IMEI locks; an owner's own stop and resume are asked for where he asks ([`crate::switch`], [`crate::direct`]), and kept off by
//! the same rule. Promised: what is wanted now is compared with what was last asked for, so that a past that is told again asks
//! for nothing; what an owner asked for and has no last word yet counts as said; a card that nobody here stopped and that never had a
//! package is left as its carrier has it, and one that is known to be stopped is let on when its package starts; a stop of ours
//! for which there is no reason any more is taken back, whatever the card is; a refused wish is on the card's record and is
//! not asked again until another is wanted; one that had no last word in time is asked for once more, and then left to a person.
//! Where the carrier has an act of its own for a card that was never on, that is owed from the start of its first package until the
//! carrier has done it, shows the card on, or has refused it: a stop is lifted first, and to lift it is not to activate the card.
//! Many cards are read and written together. Not promised: that a card is off before its carrier has done it, or that a platform
//! that cannot stop cards does.

use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::intents::order;
use crate::{arrears, network, notices, switch};
use kachi_domain::carrier::{Answer, Matter, Request, Write};
use kachi_domain::diagnose::FRESH_SECONDS;
use kachi_domain::event::EventKind;
use kachi_domain::resume::{Resume, resume};
use kachi_domain::service::{KEPT_OFF, Service, UsedUp, wanted};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::sync::What;
use kachi_domain::{SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::catalogue::Platform;
use kachi_store::intents::{Intent, Wish};
use kachi_store::lists::NewState;
use kachi_store::sims::Sim;
use std::collections::{HashMap, HashSet};

/// What these writes are stored for, and those that are asked for once more.
const SERVICE: &str = "service";
const AGAIN: &str = "service_again";

/// A card of which something else may be wanted.
#[derive(Clone, Copy)]
struct Turn<'a> {
    sim: &'a Sim,
    base: BaseState,
    blocks: Blocks,
    /// It was never on before, or its carrier has yet to activate it.
    first: bool,
    /// Its carrier has just refused what would be asked by its own word, that the card is stopped.
    refused: bool,
}

/// What is known of a card beside its writes.
struct Known {
    used_up: UsedUp,
    /// Its carrier has an act of its own for a card that was never on.
    activates: bool,
    /// It is known to be stopped, by no write of ours, and by nothing that a resume does not lift.
    stopped: bool,
}

/// What is to be asked for a card.
enum Next {
    Nothing,
    Ask(Write),
    /// The same, if an earlier write that is to be given up was on its way by then.
    AskUnlessGone(Write),
}

fn base(state: &str) -> BaseState {
    BaseState::parse(state).unwrap_or(BaseState::Unknown)
}

impl Turn<'_> {
    /// A card of which something else may be wanted than before. Whatever else keeps it off counts alone: its owner's stop may be
    /// about to be lifted.
    fn of<'a>(change: &NewState<'a>) -> Option<Turn<'a>> {
        let (before, after) = (base(&change.before.state), base(change.state));
        let matters = |base: BaseState, blocks: i64| {
            (blocks & KEPT_OFF.0, blocks & Blocks::PACKAGE.0 != 0, base.is_stock(), base.is_dormant(), base.is_over())
        };
        let ended = |blocks: i64| Blocks(blocks).has(Blocks(Blocks::QUOTA.0 | Blocks::EXPIRED.0));
        // A package may be over as soon as the card has it: it was brought along.
        let ends = ended(change.blocks) && !ended(change.before.blocks);
        if !ends && matters(before, change.before.blocks) == matters(after, change.blocks) {
            return None;
        }
        let first = before.is_dormant() && after == BaseState::Active;
        Some(Turn { sim: change.before, base: after, blocks: Blocks(change.blocks), first, refused: false })
    }

    /// A card that is not on, although a package pays for it and nothing of ours keeps it off.
    fn want(sim: &Sim) -> Option<Turn<'_>> {
        let turn = Turn { sim, base: base(&sim.state), blocks: Blocks(sim.blocks), first: false, refused: false };
        match turn.base {
            _ if turn.blocks.has(Blocks(Blocks::PACKAGE.0 | KEPT_OFF.0)) => None,
            base if base.is_dormant() => Some(turn.activating()),
            BaseState::Stopped => Some(turn),
            _ => None,
        }
    }

    /// It is to be activated, also where it was read meanwhile as it was before.
    fn activating(self) -> Self {
        let base = if self.base.is_dormant() { BaseState::Active } else { self.base };
        Turn { base, first: true, ..self }
    }

    /// Its carrier has yet to activate it. While something is in its way, one that was read as it was before is that.
    fn owed(self) -> Self {
        let is_free = !self.blocks.has(Blocks(Blocks::PACKAGE.0 | KEPT_OFF.0));
        if is_free || !self.base.is_dormant() { self.activating() } else { self }
    }
}

/// Cards stand otherwise from now on: their carriers are asked for what is wanted of them.
pub(crate) fn follow(tx: &mut Tx<'_>, catalogue: &Catalogue, changed: &[NewState<'_>], now: Timestamp) -> Result<()> {
    follow_wants(tx, catalogue, (changed, &[]), now)
}

/// The same, and something wants the other cards on: those that are not are asked for again. A card comes once in each.
pub(crate) fn follow_wants(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (changed, wanted): (&[NewState<'_>], &[&Sim]),
    now: Timestamp,
) -> Result<()> {
    let mut turns: Vec<Turn<'_>> = changed.iter().filter_map(Turn::of).collect();
    let asked: HashSet<SimId> = turns.iter().map(|turn| turn.sim.id).collect();
    turns.extend(wanted.iter().filter(|sim| !asked.contains(&sim.id)).filter_map(|sim| Turn::want(sim)));
    ask(tx, catalogue, &turns, SERVICE, now)
}

/// A card is looked at anew, whatever was wanted of it before.
pub(crate) fn look_again(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: SimId, now: Timestamp) -> Result<()> {
    again(tx, catalogue, sim, |turn| turn, (SERVICE, now))
}

fn again(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    id: SimId,
    so: impl FnOnce(Turn<'_>) -> Turn<'_>,
    (cause, now): (&str, Timestamp),
) -> Result<()> {
    tx.state_locked(id)?;
    let Some(sim) = tx.sim_by_id(id)? else { return Err(fault(format!("card {id} vanished"))) };
    let turn = Turn { base: base(&sim.state), blocks: Blocks(sim.blocks), sim: &sim, first: false, refused: false };
    ask(tx, catalogue, &[so(turn)], cause, now)
}

/// Whether something keeps the card off that its owner cannot lift, with this in its way.
pub(crate) fn keeps_off(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, blocks: Blocks) -> Result<bool> {
    let others = Blocks(blocks.0 & !Blocks::OWNER_STOP.0);
    let used_up = used_up(tx, catalogue, &[(sim, others)])?.pop().unwrap_or(UsedUp::LeftOn);
    Ok(wanted(base(&sim.state), others, used_up) == Some(Service::Off))
}

/// Whether the card is stopped at its carrier while no package of its own pays for it.
pub(crate) fn stops(catalogue: &Catalogue, sim: &Sim) -> bool {
    catalogue.product(sim.product).is_some_and(|p| !p.bare_use && catalogue.stops_cards(p.platform))
}

/// What becomes of each card, with this in its way, while no package pays for it.
pub(crate) fn used_up(tx: &mut Tx<'_>, catalogue: &Catalogue, cards: &[(&Sim, Blocks)]) -> Result<Vec<UsedUp>> {
    let has_none = |blocks: Blocks| blocks.0 & Blocks::PACKAGE.0 == Blocks::NO_PACKAGE.0;
    let bare: Vec<i64> = cards.iter().filter(|(sim, b)| has_none(*b) && stops(catalogue, sim)).map(|(sim, _)| sim.id.0).collect();
    let had = if bare.is_empty() { Vec::new() } else { tx.sims_with_a_past(&bare)? };
    let had: HashSet<SimId> = had.into_iter().collect();
    let of = |(sim, blocks): &(&Sim, Blocks)| {
        if !stops(catalogue, sim) {
            UsedUp::LeftOn
        } else if has_none(*blocks) && !had.contains(&sim.id) {
            UsedUp::Untouched
        } else {
            UsedUp::Stopped
        }
    };
    Ok(cards.iter().map(of).collect())
}

/// Which of the cards are known to be stopped, by whomever, although a package pays for them: they are let on when it starts.
/// What a carrier would refuse to lift is not asked for.
fn stopped(tx: &mut Tx<'_>, turns: &[Turn<'_>], now: Timestamp) -> Result<HashSet<SimId>> {
    let paid: Vec<&Turn<'_>> = turns.iter().filter(|t| !t.refused && !t.blocks.has(Blocks::PACKAGE)).collect();
    if paid.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<SimId> = paid.iter().map(|turn| turn.sim.id).collect();
    let told: HashMap<SimId, Blocks> = tx.told_stopped(&ids, now.plus(-FRESH_SECONDS))?.into_iter().collect();
    let is_so = |turn: &&Turn<'_>| {
        let told = told.get(&turn.sim.id).copied();
        let heard = (told.map(|_| BaseState::Stopped), told.unwrap_or(Blocks::NONE));
        (told.is_some() || turn.base == BaseState::Stopped) && matches!(resume(turn.base, turn.blocks, heard), Resume::Ask { .. })
    };
    Ok(paid.into_iter().filter(is_so).map(|turn| turn.sim.id).collect())
}

/// Whether the platform has an act of its own for a card that was never on.
fn activates(platform: &Platform) -> bool {
    platform.capabilities.is_some_and(|can| can.activate)
}

/// Notes which of the cards are to be activated from now on; those whose activation is owed from before are to be activated still.
fn owe(tx: &mut Tx<'_>, turns: &mut [Turn<'_>], platforms: &[&Platform], now: Timestamp) -> Result<()> {
    let mut able: Vec<&mut Turn<'_>> = turns.iter_mut().zip(platforms).filter(|(_, p)| activates(p)).map(|(t, _)| t).collect();
    if able.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = able.iter().map(|turn| turn.sim.id.0).collect();
    let owed: HashSet<SimId> = tx.activations_owed(&ids)?.into_iter().map(|(sim, _)| sim).collect();
    for turn in able.iter_mut().filter(|turn| owed.contains(&turn.sim.id)) {
        **turn = turn.owed();
    }
    let new: Vec<i64> = able.iter().filter(|t| t.first && !owed.contains(&t.sim.id)).map(|t| t.sim.id.0).collect();
    Ok(tx.owe_activations(&new, now)?)
}

fn ask(tx: &mut Tx<'_>, catalogue: &Catalogue, turns: &[Turn<'_>], cause: &str, now: Timestamp) -> Result<()> {
    let (mut able, mut platforms) = (Vec::with_capacity(turns.len()), Vec::with_capacity(turns.len()));
    for turn in turns {
        let platform = network::platform(catalogue, turn.sim)?;
        if platform.capabilities.is_none_or(|can| can.stop_resume) {
            able.push(*turn);
            platforms.push(platform);
        }
    }
    if able.is_empty() {
        return Ok(());
    }
    owe(tx, &mut able, &platforms, now)?;
    let mut before: HashMap<SimId, Vec<Intent>> = HashMap::new();
    let ids: Vec<SimId> = able.iter().map(|turn| turn.sim.id).collect();
    for intent in order::about(tx, &ids, &[Matter::Service])? {
        before.entry(intent.sim).or_default().push(intent);
    }
    let used_up = used_up(tx, catalogue, &able.iter().map(|turn| (turn.sim, turn.blocks)).collect::<Vec<_>>())?;
    let stopped = stopped(tx, &able, now)?;
    let (mut asked, mut needless) = (Vec::new(), Vec::new());
    for ((turn, platform), used_up) in able.iter().zip(platforms).zip(used_up) {
        let mut writes = before.remove(&turn.sim.id).unwrap_or_default();
        writes.retain(|i| i.platform == platform.id);
        let known = Known { used_up, activates: activates(platform), stopped: stopped.contains(&turn.sim.id) };
        match decide(turn, &known, writes, &mut needless)? {
            Next::Nothing => {}
            Next::Ask(write) => asked.push((turn.sim, platform.id, write, true)),
            Next::AskUnlessGone(write) => asked.push((turn.sim, platform.id, write, false)),
        }
    }
    let gone = order::supersede(tx, &needless, now)?;
    asked.retain(|(sim, .., sure)| *sure || needless.iter().any(|i| i.sim == sim.id && !gone.contains(&i.id)));
    // A stop that a worker has just taken up goes out: it is lifted before the card is activated.
    for intent in needless.iter().filter(|i| !gone.contains(&i.id)) {
        if network::asked(intent)?.write == Write::Stop {
            let activations = asked.iter_mut().filter(|(sim, _, write, _)| sim.id == intent.sim && *write == Write::Activate);
            activations.for_each(|(_, _, write, _)| *write = Write::Resume);
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    // A card's state is locked, so the number is another each time it is asked about.
    let number = tx.last_intent_number()?;
    let mut requests = Vec::with_capacity(asked.len());
    for (sim, _, write, _) in &asked {
        let reference = format!("service-{}-{number}", sim.id);
        let request = Request { reference, card: network::named(sim), write: write.clone() };
        requests.push(serde_json::to_string(&request).map_err(|e| fault(e.to_string()))?);
    }
    let matter = Matter::Service.number();
    let mut wishes = Vec::with_capacity(asked.len());
    for ((sim, platform, ..), request) in asked.iter().zip(&requests) {
        let (account, sim, platform) = (sim.account, sim.id, *platform);
        wishes.push(Wish { account, sim, platform, cause, task: None, asked_by: None, matter, request });
    }
    tx.add_wishes(&wishes, now)?;
    Ok(())
}

/// What is to be asked for the card, which has these writes, and which of them nobody wants any more.
fn decide(turn: &Turn<'_>, known: &Known, before: Vec<Intent>, needless: &mut Vec<Intent>) -> Result<Next> {
    if turn.base.is_over() {
        return Ok(Next::Nothing); // nobody is asked about it
    }
    let mut writes = Vec::with_capacity(before.len());
    for intent in before {
        let write = network::asked(&intent)?.write;
        if matches!(write, Write::Stop | Write::Resume | Write::Activate) {
            writes.push((intent, write));
        }
    }
    let mut blocks = turn.blocks;
    for (_, write) in writes.iter().filter(|(i, _)| i.asked_by.is_some() && network::is_under_way(i)) {
        // What its owner has asked for is as good as done.
        let stop = if *write == Write::Stop { Blocks::OWNER_STOP.0 } else { 0 };
        blocks = Blocks(blocks.0 & !Blocks::OWNER_STOP.0 | stop);
    }
    let activates = turn.first && known.activates;
    let wanted = wanted(turn.base, blocks, known.used_up).or(activates.then_some(Service::On));
    // A stop that may have been done, or a resume without a last word: it is lifted first, for to activate a card lifts no stop.
    let mut lifts = false;
    for (intent, write) in writes.iter().filter(|(i, _)| network::is_open(i)) {
        lifts |= *write == Write::Resume || *write == Write::Stop && !order::is_unsent(intent)?;
    }
    let write = match wanted {
        Some(Service::Off) => Write::Stop,
        Some(Service::On) if activates && !lifts => Write::Activate,
        // Where nothing is wanted, only a stop for which there is no reason any more is taken back.
        Some(Service::On) | None => Write::Resume,
    };
    let (mut last, mut unsent, mut left) = (None::<(Intent, Write)>, false, false);
    for (intent, asked) in writes {
        let is_left = network::is_open(&intent) && !network::is_under_way(&intent);
        let counts = wanted.is_some() || asked == Write::Stop || asked == Write::Resume && is_left;
        if counts && order::is_needless(&intent, &write, None)? {
            let was_sent = !order::is_unsent(&intent)?;
            (unsent, left) = (unsent || !was_sent, left || was_sent);
            needless.push(intent);
            // What was done before it says nothing any more, but for a stop that is to be lifted.
            last = last.filter(|(i, asked)| network::is_open(i) || write != Write::Stop && *asked == Write::Stop);
        } else {
            last = Some((intent, asked));
        }
    }
    Ok(match (wanted, last.map(|(i, asked)| (network::is_under_way(&i), asked))) {
        (Some(Service::Off), Some((_, Write::Stop))) => Next::Nothing,
        (Some(Service::Off), _) => Next::Ask(write),
        (_, Some((_, Write::Stop))) => Next::Ask(Write::Resume),
        // What is given up here is not done by another act that lets cards on.
        (Some(Service::On), Some((_, on))) if left && on != write => Next::Ask(write),
        (None, _) if left => Next::Ask(write),
        (None, _) => Next::AskUnlessGone(write),
        (_, Some((false, _))) | (_, None) if known.stopped => Next::Ask(Write::Resume),
        // Its stop is lifted, but it is not activated, or was before this was owed.
        (_, Some((false, _))) if activates => Next::Ask(write),
        (_, Some(_)) => Next::Nothing,
        (_, None) if left || activates || !turn.first && unsent => Next::Ask(write),
        // A card that nobody asked about is on, if it ever was.
        (_, None) => Next::AskUnlessGone(write),
    })
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
            tx.state_locked(intent.sim)?;
            let Some(sim) = tx.sim_by_id(intent.sim)? else { return Ok(()) };
            let act = if *write == Write::Stop { "stop it" } else { "let it on" };
            let detail = format!("the carrier does not {act}: {code} {reason}");
            tx.tell(&[notices::record(&sim, EventKind::ServiceRefused, &detail, now)?], now)?;
            not_let_on(tx, catalogue, (&sim, intent, write), now)?;
            // There was no stop to lift: what is owed waits for it no more.
            let waited = *write == Write::Resume && tx.activation_owed(sim.id)?.is_some();
            if waited && !switch::stop_stands(tx, catalogue, &sim)? {
                again(tx, catalogue, sim.id, |turn| Turn { refused: true, ..turn }, (SERVICE, now))?;
            }
            Ok(())
        }
        Answer::Refused { .. } if *write == Write::EndTest => Ok(()),
        // The owner's wish is not to be; what else is wanted may have waited for it.
        Answer::Refused { .. } => again(tx, catalogue, intent.sim, |turn| Turn { refused: true, ..turn }, (SERVICE, now)),
        _ => {
            if *write == Write::Activate {
                activated(tx, intent, now)?;
            }
            if is_ours && *write != Write::Stop { on_again(tx, catalogue, (intent.sim, write), now) } else { Ok(()) }
        }
    }
}

/// The carrier has activated the card: that is owed no more. Of one that may be stopped there a carrier says so whatever it is when its
/// stop is lifted: of a card that was never on it is owed until then.
fn activated(tx: &mut Tx<'_>, intent: &Intent, now: Timestamp) -> Result<()> {
    tx.state_locked(intent.sim)?;
    for other in order::about(tx, &[intent.sim], &[Matter::Service])? {
        let asked = network::asked(&other)?.write;
        let lifts = asked == Write::Resume || asked == Write::Stop && other.id < intent.id;
        if lifts && network::is_open(&other) && other.platform == intent.platform {
            let is_new = tx.sim_by_id(intent.sim)?.is_some_and(|sim| base(&sim.state).is_dormant());
            let is_owed = tx.activation_owed(intent.sim)?.is_some();
            return if is_new && !is_owed { Ok(tx.owe_activations(&[intent.sim.0], now)?) } else { Ok(()) };
        }
    }
    Ok(tx.owe_no_activations(&[intent.sim.0])?)
}

/// The carrier has let the card on: what it owes of its activation is asked for now, and a card that is not wanted on any more is stopped.
pub(crate) fn was_let_on(tx: &mut Tx<'_>, catalogue: &Catalogue, (id, write): (SimId, &Write), now: Timestamp) -> Result<()> {
    let is_lifted = *write == Write::Resume && tx.activation_owed(id)?.is_some();
    if is_lifted || *write == Write::Activate { look_again(tx, catalogue, id, now) } else { Ok(()) }
}

/// A card that was seen to be stopped meanwhile, or that is activated now, is active.
fn on_again(tx: &mut Tx<'_>, catalogue: &Catalogue, (id, write): (SimId, &Write), now: Timestamp) -> Result<()> {
    tx.state_locked(id)?;
    let Some(sim) = tx.sim_by_id(id)? else { return Ok(()) };
    let before = base(&sim.state);
    if before != BaseState::Stopped && !(*write == Write::Activate && before.is_dormant()) {
        return Ok(());
    }
    let change = NewState {
        before: &sim,
        state: BaseState::Active.word(),
        blocks: sim.blocks,
        activated_at: sim.activated_at.or(Some(now.0)),
    };
    tx.change_sim_states(std::slice::from_ref(&change))?;
    arrears::stood(tx, catalogue, std::slice::from_ref(&change), now)?;
    let detail = format!("{} -> {}, let on by the carrier", sim.state, change.state);
    Ok(tx.tell(&[notices::record(&sim, EventKind::SimStateChanged, &detail, now)?], now)?)
}

/// A card that its carrier has refused to let on does not stand as on: it is stopped, or to be activated as before. What the
/// carrier has done or told since it was asked says more.
fn not_let_on(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (sim, intent, write): (&Sim, &Intent, &Write),
    now: Timestamp,
) -> Result<()> {
    let before = base(&sim.state);
    let (after, activated_at) = match write {
        Write::Activate if before == BaseState::Active || before.is_dormant() => {
            let Some(since) = tx.activation_owed(sim.id)? else { return Ok(()) };
            tx.owe_no_activations(&[sim.id.0])?;
            // It was on at no time since.
            let activated_at = sim.activated_at.filter(|at| *at < since.0);
            (if before.is_dormant() { before } else { BaseState::Ready }, activated_at)
        }
        Write::Resume if before == BaseState::Active && !let_on_since(tx, catalogue, (sim, intent))? => {
            (BaseState::Stopped, sim.activated_at)
        }
        _ => return Ok(()),
    };
    let state = after.word();
    tx.change_sim_states(&[NewState { before: sim, state, blocks: sim.blocks, activated_at }])?;
    tx.forget_asked(What::State.word(), &[sim.id.0])?; // so that it is read soon, where it can be
    if after == before {
        return Ok(());
    }
    let detail = format!("{} -> {state}, as the carrier does not let it on", sim.state);
    Ok(tx.tell(&[notices::record(sim, EventKind::SimStateChanged, &detail, now)?], now)?)
}

/// Whether the carrier has let an active card on, or told of it, since this resume was asked for. The stop that it was to lift, which it
/// waited for, says nothing of that.
fn let_on_since(tx: &mut Tx<'_>, catalogue: &Catalogue, (sim, intent): (&Sim, &Intent)) -> Result<bool> {
    let asked_at = Timestamp(intent.created_at);
    let done_since = !tx.confirmed_since(&[sim.id.0], &[Matter::Service], asked_at)?.is_empty();
    Ok(done_since && switch::last_asked(tx, catalogue, sim)? != Some(Write::Stop)
        || tx.carrier_word(sim.id)?.standing.is_some_and(|(_, as_of)| as_of > asked_at))
}

/// Cards that stand as not on, although a package pays for them, because their carrier refused to let them on: the first so many.
pub fn not_let_on_cards(engine: &Engine, limit: i64) -> Result<Vec<String>> {
    engine.read(|tx, _| Ok(tx.cards_not_let_on([SERVICE, AGAIN], limit)?))
}

/// A write had no last word in time: what is wanted now is asked for once more.
pub(crate) fn left(tx: &mut Tx<'_>, catalogue: &Catalogue, intent: &Intent, now: Timestamp) -> Result<()> {
    if intent.cause != SERVICE {
        return Ok(());
    }
    let first = network::asked(intent)?.write == Write::Activate;
    if first && tx.activation_owed(intent.sim)?.is_none() {
        return Ok(()); // it was seen to be on since
    }
    again(tx, catalogue, intent.sim, |turn| if first { turn.activating() } else { turn }, (AGAIN, now))
}
