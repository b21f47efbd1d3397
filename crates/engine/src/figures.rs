//! What cards are and used over some days, asked for many cards at once by printed numbers; pools in numbers.
//!
//! A card the account does not see is left out like one that is not there. Usage is that which the accounts it sees owned
//! when it happened; of messages, voice and what nothing paid for, which no roll-up keeps by owner, that is what came after they got
//! the card. Of voice, which carriers count by months, that is what the count of the month in which they got the card has grown by
//! since: since the last time it was told before, or, if it was not yet, since the first time after. Days are those of the asking
//! account's zone.

use crate::act::Actor;
use crate::cards;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::pools::{self, Over, View};
use crate::sims::{self, Card};
use crate::{service, told};
use kachi_domain::carrier::{Cycle, Heard};
use kachi_domain::order::SubscriptionState;
use kachi_domain::package::{Category, Window};
use kachi_domain::rating::{EndReason, Live};
use kachi_domain::service::{Service, UsedUp, wanted};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{Money, PoolId, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::beside::{Ask, Beside, Held};
use kachi_store::sims::Sim;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Cards by one kind of printed number, in the order of the answer. The caller bounds how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbers {
    /// By telephone numbers.
    Msisdns(Vec<String>),
    /// By card numbers, upper-case.
    Iccids(Vec<String>),
}

/// How much of each card is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Itself alone.
    Card,
    /// Its use.
    Use,
    /// Also what was bought for it, and its account at the carrier.
    All,
}

/// A card and what it used.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The card now.
    pub card: Card,
    /// Bytes over the days.
    pub bytes: i64,
    /// Usage records over the days: each is a connection.
    pub connections: i64,
    /// Messages to it that its carrier took, of a longer one each of its parts.
    pub messages: i64,
    /// Seconds that it spoke, of the billing months that are named after the calendar months of these days.
    pub voice_seconds: i64,
    /// Bytes of the days that nothing could pay for.
    pub outflow_bytes: i64,
    /// What was bought for it on these days or later, and is its own ([`Depth::All`]).
    pub bought: Vec<Category>,
    /// Bytes of the days that packages paid for which ended on these days or later ([`Depth::All`]).
    pub ended_bytes: i64,
    /// When the last of its packages was over, of a card that has none left ([`Depth::All`]).
    pub expired_at: Option<Timestamp>,
    /// What its own account at the carrier has, minor units of yuan ([`Depth::All`]).
    pub carrier_balance: i64,
    /// What becomes of it at its carrier while no package pays for it ([`Depth::All`]).
    pub used_up: UsedUp,
    /// Where it stands and whether it is connected, as its carrier last said ([`Depth::All`]).
    pub heard: Heard,
}

impl Figures {
    /// Where the card stands at its carrier, as far as is known ([`Depth::All`]): by the carrier's last word, which is kept until we do
    /// something about it; else as we have had it there, stopped for what keeps it off ([`kachi_domain::service`]) and for nothing else.
    pub fn at_carrier(&self) -> BaseState {
        let (base, blocks) = (self.card.base_state(), self.card.blocks());
        match self.heard.base().filter(|told| *told != BaseState::Unknown) {
            // A card that is over is not asked about any more.
            Some(told) if !base.is_over() => told,
            _ if wanted(base, blocks, self.used_up) == Some(Service::Off) => BaseState::Stopped,
            _ => base,
        }
    }
}

/// The cards with their use of days `first..=last`.
pub fn of(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    (numbers, depth): (&Numbers, Depth),
    (first, last): (i64, i64),
    now: Timestamp,
) -> Result<Vec<Figures>> {
    let found = cards_of(tx, catalogue, actor, numbers, now)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mut sims: Vec<i64> = found.iter().map(|c| c.sim.id.0).collect();
    sims.sort_unstable();
    let zone = catalogue.zone(actor.account);
    let (from, to) = (zone.start_of_day(first), zone.start_of_day(last + 1));
    let months = |card: &Card| (card.sim.id.0, billed(cycle(catalogue, card), (first, last)));
    let months: HashMap<i64, (Timestamp, Timestamp)> = found.iter().map(months).collect();
    let voice_since = months.values().map(|(from, _)| *from).fold(from, Timestamp::min);
    let (accounts, all) = (&actor.sees, depth == Depth::All);
    let ask = Ask { sims: &sims, accounts, days: (first, last), span: (from, to), voice_since, all };
    let mut known = if depth == Depth::Card { Beside::default() } else { tx.beside(&ask)? };
    let mut moves: BTreeMap<Timestamp, Vec<i64>> = BTreeMap::new();
    for (sim, came) in known.moved.iter().filter(|(_, came)| came.at > from) {
        moves.entry(came.at).or_default().push(*sim);
    }
    // Cards mostly move many at once.
    for (at, sims) in &moves {
        sims.iter().for_each(|sim| _ = known.messages.remove(sim));
        known.messages.extend(tx.messages_of(sims, *at, to)?);
    }
    let spoke = spoken(&known, &months);
    let expired = if all { expired(tx, catalogue, &found)? } else { HashMap::new() };
    let standing: Vec<(&Sim, Blocks)> = if all { found.iter().map(|c| (&c.sim, c.blocks())).collect() } else { Vec::new() };
    let mut used_up = service::used_up(tx, catalogue, &standing)?.into_iter();
    let mut figures = Vec::with_capacity(found.len());
    for card in found {
        let sim = card.sim.id.0;
        let (bytes, connections) = known.used.get(&sim).copied().unwrap_or_default();
        let any = bytes > 0 && card.state.outflow_bytes > 0;
        let since = known.moved.get(&sim).map_or(from, |came| came.at).max(from).min(to);
        let outflow_bytes =
            if any { cards::outflow_between(tx, card.sim.id, catalogue.zone(card.sim.account), since, to, now)? } else { 0 };
        let held = known.held.remove(&sim).unwrap_or_default();
        figures.push(Figures {
            bytes,
            connections,
            messages: known.messages.get(&sim).copied().unwrap_or(0),
            voice_seconds: spoke.get(&sim).copied().unwrap_or(0),
            outflow_bytes,
            bought: held.iter().filter(|s| is_bought(s, from)).map(|s| s.terms.category).collect(),
            ended_bytes: ended_bytes(&card, &held, from, bytes.saturating_sub(outflow_bytes)),
            expired_at: expired.get(&sim).copied(),
            used_up: used_up.next().unwrap_or(UsedUp::LeftOn),
            carrier_balance: known.balances.get(&sim).copied().unwrap_or(0),
            heard: known.heard.remove(&sim).unwrap_or_default().with_fresh_sessions(now),
            card,
        });
    }
    Ok(figures)
}

/// When the last package was over of the cards that have none left.
fn expired(tx: &mut Tx<'_>, catalogue: &Catalogue, found: &[Card]) -> Result<HashMap<i64, Timestamp>> {
    let bare = found.iter().filter(|c| c.state.last_end(catalogue.zone(c.sim.account)).is_none());
    let bare: Vec<i64> = bare.map(|c| c.sim.id.0).collect();
    let ends = if bare.is_empty() { Vec::new() } else { tx.last_ends(&bare)? };
    Ok(ends.into_iter().map(|(sim, at)| (sim, Timestamp(at))).collect())
}

/// Whether it was bought at the instant or later, and is the card's.
fn is_bought(s: &Held, since: Timestamp) -> bool {
    let had = !matches!(s.state, SubscriptionState::Void | SubscriptionState::Pending) && s.refunded_at.is_none();
    had && s.bought_at >= since.0
}

/// Seconds that cards spoke in these billing months since those got the card who ask: of the month in which they did, what it grew by.
fn spoken(known: &Beside, months: &HashMap<i64, (Timestamp, Timestamp)>) -> HashMap<i64, i64> {
    let mut spoke = HashMap::new();
    for (sim, began, seconds) in &known.voice {
        if !months.get(sim).is_some_and(|(from, to)| (*from..*to).contains(began)) {
            continue;
        }
        let own = match known.moved.get(sim) {
            Some(came) if *began < came.at => {
                came.spoke.filter(|(month, _)| month == began).map_or(0, |(_, before)| (seconds - before).max(0))
            }
            _ => *seconds,
        };
        let sum: &mut i64 = spoke.entry(*sim).or_default();
        *sum = sum.saturating_add(own);
    }
    spoke
}

/// The billing months of the card's platform.
fn cycle(catalogue: &Catalogue, card: &Card) -> Cycle {
    catalogue.product(card.sim.product).map_or(Cycle::NATURAL, |p| told::cycle(catalogue, p.platform))
}

/// When the billing months begin that are named after the calendar months of days `first..=last`, and when the next one does: a
/// carrier's month that begins on the 27th is the one that it ends in.
fn billed(cycle: Cycle, (first, last): (i64, i64)) -> (Timestamp, Timestamp) {
    let named = |day| Cycle::NATURAL.month(day);
    (cycle.start(named(first)), cycle.start(named(last).after()))
}

/// Bytes since an instant of packages that ended since then. One that refills each month has its whole life's bytes kept: of it counts
/// what the card used and the packages in use, since then, did not pay for.
fn ended_bytes(card: &Card, held: &[Held], since: Timestamp, paid_bytes: i64) -> i64 {
    let ended = |refills: bool| {
        let of =
            move |s: &&Held| s.ended_at.is_some_and(|at| at >= since.0) && (s.terms.window == Window::CalendarMonth) == refills;
        held.iter().filter(of).map(|s| s.used_bytes).fold(0, i64::saturating_add)
    };
    let fresh = |l: &&Live| {
        let started = l.running.map(|(started, _)| started);
        l.takes_bytes() && (l.terms.window == Window::CalendarMonth || started.is_some_and(|at| at >= since))
    };
    let running = card.state.live.iter().filter(|l| l.running.is_some()).filter(fresh).map(|l| l.window_used);
    let left = paid_bytes.saturating_sub(running.fold(0, i64::saturating_add)).max(0);
    ended(false).saturating_add(ended(true).min(left))
}

/// The cards that the account sees, each once, in the order asked; by a catalogue that is not older than what is read.
fn cards_of(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, numbers: &Numbers, now: Timestamp) -> Result<Vec<Card>> {
    let (kind, wanted) = match numbers {
        Numbers::Msisdns(list) => ("msisdn", list),
        Numbers::Iccids(list) => ("iccid", list),
    };
    let texts: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let mut read: HashMap<String, _> = HashMap::with_capacity(texts.len());
    // A card's own number is on its row.
    let there = if kind == "iccid" { tx.sims_and_states(&texts)? } else { tx.sims_and_states_by(kind, &texts)? };
    let version = there.first().map_or_else(|| tx.catalogue_version(), |r| Ok(r.version))?;
    if version > catalogue.version {
        return Err(Fail::Stale);
    }
    for r in there.into_iter().filter(|r| actor.may_see(r.sim.account)) {
        let number = if kind == "iccid" { Some(r.sim.iccid.clone()) } else { r.sim.msisdn.clone() };
        read.extend(number.map(|n| (n, r)));
    }
    let mut cards = Vec::with_capacity(read.len());
    for text in texts {
        if let Some(r) = read.remove(text) {
            cards.push(sims::card(catalogue, actor, Some(r), now)?);
        }
    }
    Ok(cards)
}

/// A pool in numbers.
#[derive(Debug, Clone)]
pub struct PoolFigures {
    /// The pool now.
    pub view: View,
    /// Activated cards that the subscription in use is there for; 0 where none is in use.
    pub activated: i64,
    /// Up to when usage of any of its cards is known.
    pub as_of: Option<Timestamp>,
    /// Of a joint pool: what its cards bring and took.
    pub sum: Option<pools::Sum>,
}

impl PoolFigures {
    /// What it has now: of a joint pool what its cards bring; of another the subscription in use, nothing where none is.
    pub fn in_force(&self) -> pools::Sum {
        let own = self.view.active.as_ref().map(|live| (live.terms.allowance, live.used));
        let (total_bytes, used_bytes) = own.unwrap_or_default();
        self.sum.unwrap_or(pools::Sum { cards: self.activated, total_bytes, used_bytes })
    }
}

/// The pools the account sees, by number.
pub fn pools(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, now: Timestamp) -> Result<Vec<PoolFigures>> {
    let mut views = pools::list(tx, catalogue, actor, (None, None), now)?;
    for pool in tx.pools(&actor.sees)?.into_iter().filter(kachi_store::pools::Pool::is_joint) {
        views.push(View { pool, members: 0, active: None, over: None });
    }
    views.sort_by_key(|v| v.pool.id);
    let ids: Vec<PoolId> = views.iter().map(|v| v.pool.id).collect();
    let counted = tx.pool_figures(&ids)?;
    let mut figures = Vec::with_capacity(views.len());
    for view in views {
        let counts = counted.iter().find(|c| c.0 == view.pool.id.0);
        let (members, activated, as_of) = counts.map_or((0, 0, None), |c| (c.1, c.2, c.3));
        let activated = if view.active.is_some() { activated } else { 0 };
        let (sum, over) = if view.pool.is_joint() {
            let (sum, since) = pools::sum_and_end(tx, catalogue, &view.pool, now)?;
            (Some(sum), since.map(|since| Over { since, why: Some(EndReason::Quota) }))
        } else {
            (None, view.over)
        };
        figures.push(PoolFigures { view: View { members, over, ..view }, activated, as_of: as_of.map(Timestamp), sum });
    }
    Ok(figures)
}

/// Cards that owe their carrier money, and how many there are.
#[derive(Debug, Clone)]
pub struct InDebt {
    /// The cards of the page, each with what its account at the carrier has, minor units of yuan.
    pub cards: Vec<(Card, i64)>,
    /// All of them.
    pub total: i64,
}

/// A page of the cards that owe their carrier money, by number.
pub fn in_debt(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    (offset, limit): (i64, i64),
    now: Timestamp,
) -> Result<InDebt> {
    let (owed, total) = tx.cards_in_debt(&actor.sees, offset, limit)?;
    let ids: Vec<i64> = owed.iter().map(|o| o.0).collect();
    let mut read: HashMap<i64, _> = tx.sims_and_states_of(&ids)?.into_iter().map(|r| (r.sim.id.0, r)).collect();
    let mut cards = Vec::with_capacity(owed.len());
    for (sim, minor) in owed {
        cards.push((sims::card(catalogue, actor, read.remove(&sim), now)?, minor));
    }
    Ok(InDebt { cards, total })
}

/// An account and what it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it has: also what is held for orders that have not taken effect, which it cannot spend; credit not counted.
    pub balance: Money,
    /// Its own cards, not those of accounts below it.
    pub own_cards: i64,
    /// The first of those who log in for it.
    pub login: Option<String>,
}

/// An account and what it owns.
pub fn standing(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor) -> Result<Standing> {
    let (_, held, _) = tx.balance(actor.account)?;
    let available = crate::money::balance(tx, catalogue, actor.account)?;
    let balance = Money { minor: available.minor.saturating_add(held), ..available };
    // Its list has the cards of everybody below it: those of the accounts right under it come off.
    let mut own_cards = tx.card_counts(actor.account)?.total();
    for child in actor.sees.iter().filter(|a| catalogue.parent(**a) == Some(actor.account)) {
        own_cards -= tx.card_counts(*child)?.total();
    }
    let login = tx.logins()?.into_iter().find(|l| l.1 == actor.account).map(|l| l.0);
    Ok(Standing { balance, own_cards, login })
}

impl Engine {
    /// The cards with their use of days `first..=last`; those the account does not see are left out.
    pub async fn figures(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        (numbers, depth): (Numbers, Depth),
        days: (i64, i64),
    ) -> Result<Vec<Figures>> {
        let (actor, now) = (actor.clone(), self.now());
        let catalogue = catalogue.clone();
        // Cards are read with the catalogue's version, which is not asked for by itself then.
        self.ask(move |store| store.read(|tx| of(tx, &catalogue, &actor, (&numbers, depth), days, now))).await
    }

    /// The pools the account sees in numbers.
    pub async fn pool_figures(&self, catalogue: &Arc<Catalogue>, actor: &Actor) -> Result<Vec<PoolFigures>> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, c| pools(tx, c, &actor, now)).await
    }

    /// A page of the cards that owe their carrier money.
    pub async fn cards_in_debt(&self, catalogue: &Arc<Catalogue>, actor: &Actor, stretch: (i64, i64)) -> Result<InDebt> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, c| in_debt(tx, c, &actor, stretch, now)).await
    }

    /// The account and what it owns.
    pub async fn standing(&self, catalogue: &Arc<Catalogue>, actor: &Actor) -> Result<Standing> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, c| standing(tx, c, &actor)).await
    }

    /// Keeps what a card's own account at the carrier has, in minor units of yuan.
    pub fn note_carrier_balance(&self, sim: SimId, minor: i64, as_of: Timestamp) -> Result<()> {
        self.write(move |tx, _, _| tx.put_carrier_balance(sim, minor, as_of).map_err(Fail::from))
    }
}
