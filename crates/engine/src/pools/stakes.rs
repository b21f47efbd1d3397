//! Joint pools: a named set of cards, without slots, that use the sum of their own packages (CardBOSS v2.2.2, 3.3.1).
//!
//! Each card brings what it has of the pool's package, which then pays for its bytes without an end of its own
//! ([`kachi_domain::rating::Stake`]). Who acts: the operator, by file and command. Promised: what the cards took in their
//! present windows is held against what they bring whenever one of them used, bought, started, ended or refilled
//! something, or came or left; when nothing is left every card without another package is stopped, one that took its own
//! cap is stopped alone, and both go on when there is something again. That happens soon after the fact, so a record may
//! take a pool beyond its sum. Not promised: bytes back to a card that leaves; it goes on with its own use of its own.
//!
//! Locks as of all pools: the pool, then the states of its cards by number. A card's fold only notes that its pool is to be
//! added up ([`kachi_store::Tx::stir_pools`]).

use super::members;
use crate::act::Actor;
use crate::cards::{self, Settle, Settling};
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::notices;
use kachi_domain::rating::{CardState, Input, Stake};
use kachi_domain::{Iccid, PoolId, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::pools::Pool;
use kachi_store::states::StateRow;

/// A new joint pool.
#[derive(Debug, Clone)]
pub struct CreateJoint {
    /// The package that its cards stake.
    pub package_code: String,
    /// The owner's note.
    pub memo: String,
    /// The most bytes that one card takes in its present window.
    pub member_cap_bytes: Option<i64>,
    /// A number (0: any) and a code given by a file.
    pub named: (PoolId, String),
}

/// Makes an empty joint pool for the account.
pub fn create(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &CreateJoint) -> Result<PoolId> {
    let package = catalogue.package_by_code(&cmd.package_code).ok_or(Refusal::UnknownPackage)?;
    let mut pool = Pool {
        id: cmd.named.0,
        account: actor.account,
        code: Some(cmd.named.1.clone()),
        package: package.id,
        slots: 0,
        member_cap_bytes: cmd.member_cap_bytes,
        memo: cmd.memo.clone(),
        state: String::new(),
        due_at: None,
        created_at: how.now.0,
        deleted_at: None,
    };
    pool.id = tx.add_pool(&pool)?;
    notices::pool(tx, catalogue, &pool, "made, of its cards' own packages", how.now, how.now)?;
    Ok(pool.id)
}

/// Puts cards into a joint pool: all of them or none. One that is in it already stays.
pub fn join(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (id, iccids): (PoolId, &[Iccid]),
) -> Result<()> {
    let pool = locked(tx, actor, id)?;
    members::put_in(tx, catalogue, how, actor, (pool, iccids))
}

/// Takes cards out of a joint pool: all of them or none.
pub fn take_out(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (id, iccids): (PoolId, &[Iccid]),
) -> Result<()> {
    let pool = locked(tx, actor, id)?;
    members::take_from(tx, catalogue, how, actor, (pool, iccids))
}

fn locked(tx: &mut Tx<'_>, actor: &Actor, id: PoolId) -> Result<Pool> {
    let seen = |p: &Pool| actor.may_see(p.account) && p.deleted_at.is_none() && p.is_joint();
    Ok(tx.pool_locked(id)?.filter(seen).ok_or(Refusal::UnknownPool)?)
}

/// What a joint pool has and took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Cards whose package is in use.
    pub cards: i64,
    /// Bytes that they bring in their present windows.
    pub total_bytes: i64,
    /// Bytes that they took of them.
    pub used_bytes: i64,
}

impl Sum {
    fn add(&mut self, own: Option<(i64, i64)>) {
        let Some((size, used)) = own else { return };
        self.cards += 1;
        self.total_bytes = self.total_bytes.saturating_add(size);
        self.used_bytes = self.used_bytes.saturating_add(used);
    }

    /// Whether its cards took all that they bring.
    pub fn is_used_up(&self) -> bool {
        self.cards > 0 && self.used_bytes >= self.total_bytes
    }
}

/// The sum of a pool's cards as they are now.
pub fn sum(tx: &mut Tx<'_>, catalogue: &Catalogue, pool: &Pool, now: Timestamp) -> Result<Sum> {
    Ok(sum_and_end(tx, catalogue, pool, now)?.0)
}

/// The same, and since when its cards are stopped for it where they took all that they bring.
pub fn sum_and_end(tx: &mut Tx<'_>, catalogue: &Catalogue, pool: &Pool, now: Timestamp) -> Result<(Sum, Option<Timestamp>)> {
    let mut ids: Vec<i64> = tx.pool_members(pool.id)?.iter().map(|m| m.0).collect();
    ids.sort_unstable();
    let (mut sum, mut since) = (Sum::default(), None);
    for read in tx.sims_and_states_of(&ids)? {
        let state = present(catalogue, pool, read.head.as_deref().unwrap_or_default(), now)?;
        sum.add(state.stake_of(pool.package));
        let stopped = state.stake.filter(|stake| !stake.capped).and_then(|stake| stake.until);
        since = since.max(stopped);
    }
    Ok((sum, since.filter(|_| sum.is_used_up())))
}

fn present(catalogue: &Catalogue, pool: &Pool, head: &[u8], now: Timestamp) -> Result<CardState> {
    let mut state = cards::decode(head)?;
    state.advance(now, catalogue.zone(pool.account), &mut Vec::new());
    Ok(state)
}

/// Adds a locked pool up and tells its cards, and those that just left it, how their stakes stand from now on.
pub(super) fn add_up(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, pool: &Pool, left: &[SimId]) -> Result<()> {
    let mut members: Vec<i64> = tx.pool_members(pool.id)?.iter().map(|m| m.0).collect();
    members.sort_unstable();
    let mut ids: Vec<i64> = members.iter().copied().chain(left.iter().map(|s| s.0)).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = tx.states(&ids)?;
    tx.calm_pools(&ids)?;
    let (mut sum, mut own) = (Sum::default(), Vec::with_capacity(rows.len()));
    for row in &rows {
        let brought = present(catalogue, pool, &row.head, how.now)?.stake_of(pool.package);
        let is_member = members.binary_search(&row.sim.0).is_ok();
        if is_member {
            sum.add(brought);
        }
        own.push(is_member.then(|| brought.map_or(0, |(_, used)| used)));
    }
    let (mut settle, mut changed) = (Settle::default(), Vec::new());
    for (mut row, used) in rows.into_iter().zip(own) {
        let told = cards::decode(&row.head)?.stake;
        let stake = used.map(|used| staked(pool, &sum, used, told, how.now));
        if stake != told {
            tell(tx, pool, &row, stake, how.now)?;
            settle.fold(tx, catalogue, how, &mut row, &[Input::Stake(how.now, stake)])?;
            changed.push(row);
        }
    }
    settle.finish(tx, catalogue, how)?;
    tx.put_states(&changed)?;
    Ok(())
}

/// How a member's stake stands now; one that was stopped before, and is to be still, stays so since then.
fn staked(pool: &Pool, sum: &Sum, used: i64, told: Option<Stake>, now: Timestamp) -> Stake {
    let capped = pool.member_cap_bytes.is_some_and(|cap| used >= cap);
    if !capped && !sum.is_used_up() {
        return Stake { package: pool.package, until: None, capped: false };
    }
    let before = told.filter(|t| t.package == pool.package && t.until.is_some());
    before.unwrap_or(Stake { package: pool.package, until: Some(now), capped })
}

fn tell(tx: &mut Tx<'_>, pool: &Pool, row: &StateRow, stake: Option<Stake>, now: Timestamp) -> Result<()> {
    let package = stake.map(|s| s.package.0);
    let (until, capped) = (stake.and_then(|s| s.until).map(|t| t.0), stake.is_some_and(|s| s.capped));
    Ok(tx.put_pool_stake(&(row.sim.0, now.0, pool.id.0, package, until, i64::from(capped)))?)
}

/// Pools added up in one look.
const AT_ONCE: i64 = 50;

/// Adds up the pools of which a card changed; the answer is how many.
pub(super) fn add_up_stirred(engine: &Engine) -> Result<usize> {
    let stirred = engine.store().look(|tx| tx.pools_stirred(AT_ONCE).map_err(crate::Fail::from))?;
    let n = stirred.len();
    for id in stirred {
        engine.write(move |tx, catalogue, how| {
            let pool = tx.pool_locked(id)?.ok_or_else(|| fault(format!("pool {id} vanished")))?;
            add_up(tx, catalogue, how, &pool, &[])
        })?;
    }
    Ok(n)
}
