//! IMEI groups: the devices a card belongs in, its lock when it is seen in another, and its unlocking.
//!
//! Who acts: the owner of a group (or whoever is above it) puts devices and cards into it; whoever sees a card unlocks
//! it; readings lock it. Promised: a card is in one group at most; it is locked once and told once, however late, often
//! or shuffled its readings come ([`kachi_domain::imei`]); a lock, its notice and the wish that the carrier cuts the
//! card off are one transaction with the rating of the reading that caused it. Not promised: that no byte is used by a
//! locked card: what the carrier let through was used and is rated like any other. Every act holds the lock of the
//! card's state first, as orders, timers and imports do. Crash anywhere: the transaction is gone and with it everything.

use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::{notices, service};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ids::Imei;
use kachi_domain::imei::{self, Device, Membership, Sighting};
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, Iccid, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::imei::{HeldDevice, ImeiGroup, ImeiMember};
use kachi_store::lists::NewState;
use kachi_store::sims::Sim;
use std::collections::HashMap;

/// Cards whose time in a group has passed that are taken out in one transaction.
const DUE_AT_ONCE: i64 = 200;

/// A group that cards and devices can be put into, of an account that the actor sees; bindings are none.
pub fn group(tx: &mut Tx<'_>, actor: &Actor, id: i64) -> Result<ImeiGroup> {
    let found = tx.imei_group(id)?.filter(|g| g.bound_sim.is_none() && actor.may_see(g.account));
    Ok(found.ok_or(Refusal::UnknownImeiGroup)?)
}

/// The group holds the device from here on. A card that is locked already stays locked: unlocking has limits of its own.
pub fn add_imei(tx: &mut Tx<'_>, actor: &Actor, id: i64, imei: &Imei) -> Result<()> {
    let group = group(tx, actor, id)?;
    tx.add_imei(&group, imei)?;
    Ok(())
}

/// The group holds the device no longer: a card seen in it from here on is locked, one that was seen in it before is not.
/// False if it did not hold it.
pub fn remove_imei(tx: &mut Tx<'_>, how: &Settling, actor: &Actor, id: i64, imei: &Imei) -> Result<bool> {
    let group = group(tx, actor, id)?;
    Ok(tx.remove_imei(group.id, imei, how.now)?)
}

/// What came of putting a card into a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It came in.
    Joined,
    /// It was in already and stays for another time now.
    Changed,
    /// It was in already.
    Same,
}

/// Puts a card into a group, for good or until an instant; it leaves the group it was in.
pub fn join(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (iccid, group): (&Iccid, &ImeiGroup),
    until: Option<Timestamp>,
) -> Result<Joined> {
    let bad = |field: &str, rule: String| Err(Refusal::BadField { field: field.into(), rule }.into());
    if until.is_some_and(|until| until <= how.now) {
        return bad("until", "lies in the past; leave it out, or name an instant to come".into());
    }
    let mut card = Card::open(tx, catalogue, how, actor, iccid)?;
    if !catalogue.sees(group.account, card.sim.account) {
        return bad("iccid", format!("{iccid} is not a card of the group's account or one below it"));
    }
    if let Some(mut member) = card.member.take_if(|m| m.group == group.id) {
        if member.membership.until == until {
            return Ok(Joined::Same);
        }
        // Seen outside the group after what is now the end of its time there, it was not in the group.
        member.membership.until = until;
        if member.membership.lock.is_some_and(|l| until.is_some_and(|until| l.at >= until)) {
            card.lift(tx, catalogue, how, &member, how.now)?;
            member.membership.lock = None;
        }
        tx.put_imei_member(card.sim.account, &member)?;
        return Ok(Joined::Changed);
    }
    card.leave(tx, catalogue, how, how.now)?;
    card.enter(tx, catalogue, how, group.id, until)?;
    Ok(Joined::Joined)
}

/// Takes a card out of its group and lifts its lock; the answer is the group it was in.
pub fn leave(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, iccid: &Iccid) -> Result<Option<i64>> {
    Card::open(tx, catalogue, how, actor, iccid)?.leave(tx, catalogue, how, how.now)
}

/// Unlocks a card; the answer is how often that was done this month.
pub fn unlock(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, iccid: &Iccid) -> Result<i64> {
    Card::open(tx, catalogue, how, actor, iccid)?.unlock(tx, catalogue, how)
}

/// Binds a card to one device: a group of its own. Bound to another device before, it leaves that, as [`unbind`] would
/// have it; in a group of several it stays there, and the binding is refused.
pub fn bind(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, (iccid, imei): (&Iccid, &Imei)) -> Result<()> {
    let mut card = Card::open(tx, catalogue, how, actor, iccid)?;
    if let Some(bound) = card.binding(tx)? {
        if tx.imeis_of_group(bound)? == [imei.as_str()] {
            return Ok(());
        }
        card.free(tx, catalogue, how)?;
    }
    let group = ImeiGroup {
        id: 0,
        account: card.sim.account,
        code: format!("device:{iccid}"),
        unlocks_per_month: imei::UNLOCKS_PER_MONTH,
        bound_sim: Some(card.sim.id),
    };
    let group = ImeiGroup { id: tx.add_imei_group(&group, how.now)?, ..group };
    tx.add_imei(&group, imei)?;
    card.enter(tx, catalogue, how, group.id, None)
}

/// Frees a card from the device it is bound to; one that is not bound stays as it is. Freeing a locked card unlocks it, so
/// it is refused where unlocking it would be, and counts like that.
pub fn unbind(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, iccid: &Iccid) -> Result<()> {
    let mut card = Card::open(tx, catalogue, how, actor, iccid)?;
    if card.binding(tx)?.is_some() {
        card.free(tx, catalogue, how)?;
    }
    Ok(())
}

/// A card is about to go to another account, its state locked: it leaves a group whose owner does not see it there.
pub fn before_move(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sim: &Sim, to: AccountId) -> Result<()> {
    let Some(member) = tx.imei_member(sim.id)? else { return Ok(()) };
    let group = tx.imei_group(member.group)?.ok_or_else(|| fault(format!("IMEI group {} vanished", member.group)))?;
    if !catalogue.sees(group.account, to) {
        Card { sim: sim.clone(), member: Some(member) }.leave(tx, catalogue, how, how.now)?;
    }
    Ok(())
}

/// Takes out cards whose time in their group has passed, at the instant at which it had; the answer is how many.
pub fn end_due(engine: &Engine) -> Result<usize> {
    let now = engine.now();
    if engine.store().look(|tx| tx.imei_members_due(now, 1).map_err(Fail::from))?.is_empty() {
        return Ok(0);
    }
    engine.write(|tx, catalogue, how| {
        let mut due = tx.imei_members_due(how.now, DUE_AT_ONCE)?;
        due.sort_unstable();
        for sim in &due {
            let sim = SimId(*sim);
            tx.state_locked(sim)?;
            Card::of(tx, catalogue, how, sim)?;
        }
        Ok(due.len())
    })
}

/// Holds the sightings of fresh readings against the groups of their cards: (card, sightings), by card number, states
/// locked. Cards in no group are none of them; two statements for all that are.
pub fn watch(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, seen: &[(SimId, Vec<Sighting>)]) -> Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let sims: Vec<i64> = seen.iter().map(|(sim, _)| sim.0).collect();
    let mut members = tx.imei_members(&sims)?;
    let counting = |m: &ImeiMember| -> Vec<Sighting> {
        let of_card = seen.binary_search_by_key(&m.sim, |(sim, _)| *sim).map_or(&[][..], |i| &seen[i].1);
        of_card.iter().copied().filter(|s| m.membership.counts(*s)).collect()
    };
    members.retain(|m| !m.membership.is_over(how.now) && !counting(m).is_empty());
    let known = Known::of(tx, &members, counting)?;
    for mut member in members {
        let foreign = counting(&member).into_iter().filter(|s| !known.holds(member.group, *s));
        let before = member.membership.lock;
        let locked = member.membership.see(how.now, foreign.collect::<Vec<_>>());
        if member.membership.lock == before {
            continue;
        }
        let Some(sim) = tx.sim_by_id(member.sim)? else { return Err(fault(format!("card {} vanished", member.sim))) };
        tx.put_imei_member(sim.account, &member)?;
        if locked {
            Card { sim, member: None }.lock(tx, catalogue, how, &member)?;
        }
    }
    Ok(())
}

/// Whether each group holds the device that was seen at the time, in the order asked; two statements at most.
pub(crate) fn holding(tx: &mut Tx<'_>, asked: &[(i64, Sighting)]) -> Result<Vec<bool>> {
    let known = Known::of_groups(tx, asked.iter().map(|(group, _)| *group).collect(), asked.iter().map(|(_, seen)| *seen))?;
    Ok(asked.iter().map(|(group, seen)| known.holds(*group, *seen)).collect())
}

/// The devices of groups, as many as some sightings can be held against.
struct Known(HashMap<(i64, i64), Vec<HeldDevice>>);

impl Known {
    fn of(tx: &mut Tx<'_>, members: &[ImeiMember], sightings: impl Fn(&ImeiMember) -> Vec<Sighting>) -> Result<Known> {
        Known::of_groups(tx, members.iter().map(|m| m.group).collect(), members.iter().flat_map(sightings))
    }

    fn of_groups(tx: &mut Tx<'_>, mut groups: Vec<i64>, seen: impl Iterator<Item = Sighting>) -> Result<Known> {
        let mut serials: Vec<i64> = seen.flat_map(|s| Device::seen(s.imei)).map(|d| d.serial).collect();
        for list in [&mut groups, &mut serials] {
            list.sort_unstable();
            list.dedup();
        }
        let mut known: HashMap<(i64, i64), Vec<HeldDevice>> = HashMap::new();
        if !groups.is_empty() {
            for held in tx.devices_of_groups(&groups, &serials)? {
                known.entry((held.0, held.1.serial)).or_default().push(held);
            }
        }
        Ok(Known(known))
    }

    /// Whether the group held the device at the time.
    fn holds(&self, group: i64, seen: Sighting) -> bool {
        let held = |d: Device| self.0.get(&(group, d.serial)).into_iter().flatten().filter(move |(_, h, _)| h.is(d));
        Device::seen(seen.imei).flat_map(held).any(|(_, _, gone)| gone.is_none_or(|gone| seen.at <= gone))
    }
}

/// A card whose state is locked, with its place in a group as it is now.
struct Card {
    sim: Sim,
    member: Option<ImeiMember>,
}

impl Card {
    /// Finds the card and locks its state; it may have changed hands while the lock was waited for.
    fn open(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, iccid: &Iccid) -> Result<Card> {
        let seen = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
        tx.state_locked(seen.id)?;
        let card = Card::of(tx, catalogue, how, seen.id)?;
        if actor.may_see(card.sim.account) { Ok(card) } else { Err(Refusal::UnknownSim.into()) }
    }

    /// The card under its number; if its time in its group has passed it leaves, as of that instant.
    fn of(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sim: SimId) -> Result<Card> {
        let Some(sim) = tx.sim_by_id(sim)? else { return Err(fault(format!("card {sim} vanished"))) };
        let mut card = Card { member: tx.imei_member(sim.id)?, sim };
        let over = card.member.as_ref().and_then(|m| m.membership.until).filter(|until| *until <= how.now);
        if let Some(until) = over {
            card.leave(tx, catalogue, how, until)?;
        }
        Ok(card)
    }

    /// The group that is its binding to a device; refused if it is in one of several.
    fn binding(&self, tx: &mut Tx<'_>) -> Result<Option<i64>> {
        let Some(member) = &self.member else { return Ok(None) };
        let bound = tx.imei_group(member.group)?.is_some_and(|g| g.bound_sim == Some(self.sim.id));
        if bound { Ok(Some(member.group)) } else { Err(Refusal::InImeiGroup.into()) }
    }

    fn enter(
        &mut self,
        tx: &mut Tx<'_>,
        catalogue: &Catalogue,
        how: &Settling,
        group: i64,
        until: Option<Timestamp>,
    ) -> Result<()> {
        let unlocks = tx.imei_unlocks(self.sim.id)?;
        let member = ImeiMember { sim: self.sim.id, group, membership: Membership::new(how.now, until, unlocks) };
        tx.put_imei_member(self.sim.account, &member)?;
        self.member = Some(member);
        let body = Body::ImeiGroup { iccid: self.sim.iccid.clone(), group };
        self.tell(tx, catalogue, EventKind::ImeiGroupJoined, &body, how.now, how.now)
    }

    /// Unlocks it within the limits of its group; the answer is how often that was done this month.
    fn unlock(&mut self, tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling) -> Result<i64> {
        let locked = self.member.clone().ok_or(Refusal::NotLocked)?;
        let group = tx.imei_group(locked.group)?.ok_or_else(|| fault(format!("IMEI group {} vanished", locked.group)))?;
        let mut member = locked.clone();
        member.membership.unlock(group.unlocks_per_month, how.now, catalogue.zone(self.sim.account))?;
        self.lift(tx, catalogue, how, &locked, how.now)?;
        tx.put_imei_member(self.sim.account, &member)?;
        let count = member.membership.unlocks.count;
        self.member = Some(member);
        Ok(count)
    }

    /// Leaves its binding, unlocked first if it is locked.
    fn free(&mut self, tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling) -> Result<()> {
        if self.member.as_ref().is_some_and(|m| m.membership.lock.is_some()) {
            self.unlock(tx, catalogue, how)?;
        }
        self.leave(tx, catalogue, how, how.now)?;
        Ok(())
    }

    /// Leaves its group as of the instant; a group that was its binding is gone.
    fn leave(&mut self, tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, at: Timestamp) -> Result<Option<i64>> {
        let Some(member) = self.member.take() else { return Ok(None) };
        if member.membership.lock.is_some() {
            self.lift(tx, catalogue, how, &member, at)?;
        }
        tx.remove_imei_member(self.sim.id)?;
        if tx.imei_group(member.group)?.is_some_and(|g| g.bound_sim == Some(self.sim.id)) {
            tx.remove_imei_group(member.group)?;
        }
        let body = Body::ImeiGroup { iccid: self.sim.iccid.clone(), group: member.group };
        self.tell(tx, catalogue, EventKind::ImeiGroupLeft, &body, at, how.now)?;
        Ok(Some(member.group))
    }

    fn lock(&mut self, tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, member: &ImeiMember) -> Result<()> {
        self.set_blocks(tx, catalogue, self.sim.blocks | Blocks::IMEI_LOCK.0, how.now)?;
        let at = member.membership.lock.map_or(how.now, |l| l.at);
        self.tell_lock(tx, catalogue, EventKind::SimLocked, member, at, how.now)
    }

    /// Takes away the block. The carrier is asked to let the card on again unless something else keeps it off.
    fn lift(&mut self, tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, member: &ImeiMember, at: Timestamp) -> Result<()> {
        self.set_blocks(tx, catalogue, self.sim.blocks & !Blocks::IMEI_LOCK.0, how.now)?;
        self.tell_lock(tx, catalogue, EventKind::SimUnlocked, member, at, how.now)
    }

    fn set_blocks(&mut self, tx: &mut Tx<'_>, catalogue: &Catalogue, blocks: i64, now: Timestamp) -> Result<()> {
        let change = NewState { before: &self.sim, state: &self.sim.state, blocks, activated_at: self.sim.activated_at };
        tx.change_sim_states(std::slice::from_ref(&change))?;
        service::follow(tx, catalogue, &[change], now)?;
        self.sim.blocks = blocks;
        Ok(())
    }

    fn tell_lock(
        &self,
        tx: &mut Tx<'_>,
        catalogue: &Catalogue,
        kind: EventKind,
        member: &ImeiMember,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let Some(seen) = member.membership.lock else { return Ok(()) };
        let (iccid, eid) = (self.sim.iccid.clone(), self.sim.eid.clone());
        let body = Body::Lock { iccid, eid, imei: imei::text(seen.imei), seen_at: seen.at.0 };
        self.tell(tx, catalogue, kind, &body, at, now)
    }

    fn tell(
        &self,
        tx: &mut Tx<'_>,
        catalogue: &Catalogue,
        kind: EventKind,
        body: &Body,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        notices::emit(tx, catalogue, self.sim.account, Some(self.sim.id), kind, body, at, now)
    }
}
