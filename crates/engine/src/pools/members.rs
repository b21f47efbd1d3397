//! Who is in a pool. A card is in one at a time, of its own account and product; traffic counts for the pool from the
//! instant the card joins up to, and not at, the instant it leaves.

use super::{find, find_locked, lock_members, settle, stakes};
use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Fail, Result, fault};
use crate::{esim, notices};
use kachi_domain::event::EventKind;
use kachi_domain::sim::BaseState;
use kachi_domain::{Iccid, PoolId, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::pools::{Pool, Stay};
use kachi_store::sims::Sim;

/// Puts cards into a pool: all of them or none. One that is in it already stays.
pub fn add(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (id, iccids): (PoolId, &[Iccid]),
) -> Result<()> {
    let pool = find_locked(tx, actor, id)?;
    put_in(tx, catalogue, how, actor, (pool, iccids))
}

/// As [`add`], of a locked pool.
pub(super) fn put_in(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (mut pool, iccids): (Pool, &[Iccid]),
) -> Result<()> {
    let id = pool.id;
    let sims = cards(tx, actor, iccids)?;
    let ids: Vec<SimId> = sims.iter().map(|s| s.id).collect();
    let rows = lock_members(tx, id, &ids)?;
    // Read again: a card may have become another product, or another's, while its lock was waited for.
    let sims = cards(tx, actor, iccids)?;
    esim::refuse_unsold(tx, &sims)?;
    let stays = tx.pool_stays_of(&ids.iter().map(|s| s.0).collect::<Vec<_>>())?;
    let mut new = Vec::new();
    for sim in &sims {
        let row = rows.iter().find(|r| r.sim == sim.id).ok_or_else(|| fault(format!("card {} has no state", sim.id)))?;
        fits(catalogue, &pool, sim)?;
        if row.account != sim.account {
            return Err(Fail::Stale);
        }
        match pool_now(&stays, sim.id) {
            Some(there) if there == id => {}
            Some(there) => return Err(Refusal::InPool { pool: there.0 }.into()),
            None => new.push(sim),
        }
    }
    let there = tx.pool_members(id)?.len() as i64;
    if !pool.is_joint() && there + new.len() as i64 > pool.slots {
        return Err(Refusal::PoolFull { slots: pool.slots }.into());
    }
    let mut from: Option<Timestamp> = None;
    for sim in new {
        // Another node's clock may be a little ahead: a card does not join before it left.
        let left = stays.iter().filter(|s| s.sim == sim.id).filter_map(|s| s.left_at).max();
        let at = Timestamp(how.now.0.max(left.unwrap_or(i64::MIN)));
        tx.join_pool(id, sim.id, pool.account, at)?;
        let joined = notices::sim(catalogue, sim, EventKind::PoolChanged, &format!("joined pool {id}"), at)?;
        tx.tell(&[joined], how.now)?;
        from = Some(from.map_or(at, |f| f.min(at)));
    }
    if pool.is_joint() {
        return stakes::add_up(tx, catalogue, how, &pool, &[]);
    }
    if from.is_some() {
        settle(tx, catalogue, how, &mut pool, &[], from)?;
    }
    Ok(())
}

/// Takes cards out of a pool: all of them or none.
pub fn remove(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (id, iccids): (PoolId, &[Iccid]),
) -> Result<()> {
    let pool = find_locked(tx, actor, id)?;
    take_from(tx, catalogue, how, actor, (pool, iccids))
}

/// As [`remove`], of a locked pool.
pub(super) fn take_from(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (pool, iccids): (Pool, &[Iccid]),
) -> Result<()> {
    let sims = cards(tx, actor, iccids)?;
    leave(tx, catalogue, how, pool, &sims)
}

/// Takes a card that is about to be moved to another account out of its pool, if it is in one.
pub fn leave_all(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sim: &Sim) -> Result<()> {
    let Some(id) = pool_now(&tx.pool_stays_of(&[sim.id.0])?, sim.id) else { return Ok(()) };
    let pool = super::burn::lock(tx, id)?;
    leave(tx, catalogue, how, pool, std::slice::from_ref(sim))
}

fn leave(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, mut pool: Pool, sims: &[Sim]) -> Result<()> {
    let ids: Vec<SimId> = sims.iter().map(|s| s.id).collect();
    lock_members(tx, pool.id, &ids)?;
    let stays = tx.pool_stays_of(&ids.iter().map(|s| s.0).collect::<Vec<_>>())?;
    let mut from: Option<Timestamp> = None;
    for sim in sims {
        let stay = stays.iter().find(|s| s.sim == sim.id && s.pool == pool.id && s.left_at.is_none());
        let stay = stay.ok_or(Refusal::NotInPool)?;
        let at = Timestamp(how.now.0.max(stay.joined_at));
        tx.leave_pool(pool.id, sim.id, at)?;
        let words = format!("left pool {}", pool.id);
        tx.tell(&[notices::sim(catalogue, sim, EventKind::PoolChanged, &words, at)?], how.now)?;
        from = Some(from.map_or(at, |f| f.min(at)));
    }
    if pool.is_joint() {
        return stakes::add_up(tx, catalogue, how, &pool, &ids);
    }
    settle(tx, catalogue, how, &mut pool, &[], from)
}

/// The cards behind the numbers, each once, by number with us.
fn cards(tx: &mut Tx<'_>, actor: &Actor, iccids: &[Iccid]) -> Result<Vec<Sim>> {
    let mut sims = Vec::with_capacity(iccids.len());
    for iccid in iccids {
        sims.push(tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?);
    }
    sims.sort_by_key(|s| s.id);
    sims.dedup_by_key(|s| s.id);
    Ok(sims)
}

fn fits(catalogue: &Catalogue, pool: &Pool, sim: &Sim) -> Result<()> {
    let made_of = catalogue.package(pool.package).ok_or_else(|| fault(format!("package {} vanished", pool.package)))?;
    if sim.account != pool.account {
        return Err(Refusal::UnknownSim.into());
    }
    if sim.product != made_of.product {
        return Err(Refusal::PackageMisfit.into());
    }
    if BaseState::parse(&sim.state).is_ok_and(BaseState::is_over) {
        return Err(Refusal::SimOver.into());
    }
    Ok(())
}

fn pool_now(stays: &[Stay], sim: SimId) -> Option<PoolId> {
    stays.iter().find(|s| s.sim == sim && s.left_at.is_none()).map(|s| s.pool)
}

/// Those of the cards that could be added now, in the order given: none if every slot is taken.
pub fn addable(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, id: PoolId, iccids: &[Iccid]) -> Result<Vec<String>> {
    let pool = find(tx, actor, id)?;
    if tx.pool_members(id)?.len() as i64 >= pool.slots {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for iccid in iccids {
        let Some(sim) = tx.sim_by_iccid(&actor.path, iccid.as_str())? else { continue };
        let free = pool_now(&tx.pool_stays_of(&[sim.id.0])?, sim.id).is_none();
        if free && fits(catalogue, &pool, &sim).is_ok() {
            found.push(sim.iccid);
        }
    }
    Ok(found)
}

/// The cards in a pool, as they joined: (iccid, since).
pub fn members(tx: &mut Tx<'_>, actor: &Actor, id: PoolId) -> Result<Vec<(String, Timestamp)>> {
    find(tx, actor, id)?;
    Ok(tx.pool_members(id)?.into_iter().map(|(_, iccid, at)| (iccid, Timestamp(at))).collect())
}

/// The pool with slots that a card is in.
pub fn with_slots_of_card(tx: &mut Tx<'_>, actor: &Actor, iccid: &Iccid) -> Result<Option<PoolId>> {
    let Some(id) = of_card(tx, actor, iccid)? else { return Ok(None) };
    Ok(tx.pool_by_id(id)?.filter(|p| !p.is_joint()).map(|p| p.id))
}

/// The pool a card is in, with slots or without.
pub fn of_card(tx: &mut Tx<'_>, actor: &Actor, iccid: &Iccid) -> Result<Option<PoolId>> {
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    Ok(pool_now(&tx.pool_stays_of(&[sim.id.0])?, sim.id))
}
