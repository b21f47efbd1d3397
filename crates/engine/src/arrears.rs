//! Cards of accounts in arrears, stopped for it where an account is set so (`credit_stop`), and let on again once it has paid.
//!
//! Who acts: a worker. Promised: within seconds all living cards of such an account have the block `credit`, and their
//! carriers are asked by the rule for all blocks ([`crate::service`]); cards that come to it later, or back to life, too. When it is
//! not in arrears any more ([`kachi_domain::ledger::in_arrears`]), or no longer set so, the block goes, whatever else is in their way
//! stays, and their carriers are asked again. A card that is moved to another account leaves the block behind. Cards in stock or in
//! their test period have the block, so that no door lets them on, but their carriers are not asked: they cost nothing, and
//! are stopped when they leave it. Killed anywhere: the next look does the rest. Not promised: that the cards of accounts below it stop;
//! each account is judged by its own money.
//!
//! An account turns in one transaction, and its cards are then looked at once each, by number; a look in whose time it turned, once or
//! more often, counts for nothing. Whatever brings a card to an
//! account, or back to life, has it stand by what the account's row says and holds on to that row until it commits: it is seen by the
//! look, or it saw the turn. Last of all locks comes the row, and who turns waits for nobody that holds on to it, so that nobody waits in
//! a ring.

use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::{notices, service};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::{self, OPERATOR};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::lists::NewState;
use kachi_store::sims::Sim;
use std::collections::{BTreeMap, BTreeSet};

/// Cards stopped or let on in one transaction.
const AT_ONCE: i64 = 200;

/// Looks at every account that is set so, or whose cards are stopped; the answer is how much there was to do. One that is as it
/// was costs a look at its money.
pub fn step(engine: &Engine) -> Result<usize> {
    let due = engine.read(|tx, catalogue| {
        let mut all: BTreeSet<AccountId> = tx.credit_stops()?.into_iter().collect();
        all.extend(catalogue.accounts().filter(|a| a.account.credit_stop).map(|a| a.account.id));
        all.remove(&OPERATOR);
        let mut due = Vec::new();
        for account in all {
            let (stops, was) = (is_to_stop(tx, catalogue, account)?, tx.credit_stop(account)?);
            due.extend((was.stops != stops || was.looked_to.is_some()).then_some((account, was.stops != stops)));
        }
        Ok(due)
    })?;
    let mut done = 0;
    for (account, turns) in due {
        if turns {
            match engine.write(move |tx, catalogue, how| turn(tx, catalogue, how, account)) {
                Err(Fail::Stale) => continue, // somebody brings it a card just now: at the next look
                turned => done += usize::from(turned?),
            }
        }
        match engine.write(move |tx, catalogue, how| look(tx, catalogue, how, account)) {
            Err(Fail::Stale) => done += 1, // another worker was quicker, or it turned meanwhile
            looked => done += looked?,
        }
    }
    Ok(done)
}

/// Whether the account's cards are to be stopped now.
fn is_to_stop(tx: &mut Tx<'_>, catalogue: &Catalogue, account: AccountId) -> Result<bool> {
    if !catalogue.account(account).is_some_and(|a| a.account.credit_stop) {
        return Ok(false);
    }
    let (available, _, credit) = tx.balance(account)?;
    Ok(ledger::in_arrears(available, credit, tx.owed(&[account])?.first().map_or(0, |o| o.1)))
}

/// The account comes to be in arrears, or is no longer; false if it is as it was. Not now while a transaction holds on to its row.
fn turn(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, account: AccountId) -> Result<bool> {
    tx.lock_balances(&[account])?;
    let stops = is_to_stop(tx, catalogue, account)?;
    if tx.credit_stop(account)?.stops == stops {
        return Ok(false);
    }
    let detail = if stops { "in arrears: its cards are stopped" } else { "not in arrears: its cards are let on" };
    let body = Body::Account { account: account.0, detail: detail.into() };
    notices::emit(tx, catalogue, account, None, EventKind::AccountArrears, &body, how.now, how.now)?;
    tx.add_credit_stop(account, how.now)?;
    if !tx.take_credit_stop(account)? {
        return Err(Fail::Stale);
    }
    tx.set_credit_stop(account, stops, how.now)?;
    Ok(true)
}

/// The next of the account's cards are stopped or let on, if any were not looked at yet; the answer is how many.
fn look(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, account: AccountId) -> Result<usize> {
    let was = tx.credit_stop(account)?;
    let Some(after) = was.looked_to else { return Ok(0) };
    let found = tx.cards_to_credit_stop(account, was.stops, after, AT_ONCE)?;
    let ids: Vec<i64> = found.iter().map(|sim| sim.0).collect();
    tx.states(&ids)?;
    // Read under their locks: one may have been moved meanwhile.
    let sims: Vec<Sim> = tx.sims_by_id(&ids)?.into_iter().filter(|sim| sim.account == account).collect();
    switch(tx, catalogue, &sims, was.stops, how.now)?;
    let to = found.last().copied().filter(|_| ids.len() as i64 == AT_ONCE);
    if tx.credit_looked(account, was, to)? { Ok(ids.len()) } else { Err(Fail::Stale) }
}

/// A card, whose state is locked, has come to its account: whether it is stopped depends on that one, which does not change its
/// mind meanwhile.
pub(crate) fn moved(tx: &mut Tx<'_>, catalogue: &Catalogue, id: SimId, now: Timestamp) -> Result<()> {
    // Its blocks as this transaction left them: the move may have lifted others.
    let Some(sim) = tx.sim_by_id(id)? else { return Err(fault(format!("card {id} vanished"))) };
    let stops = tx.credit_stop_held(sim.account, now)?.stops;
    switch(tx, catalogue, &[sim], stops, now)
}

/// New cards have come: those of accounts in arrears are stopped.
pub(crate) fn came(tx: &mut Tx<'_>, catalogue: &Catalogue, new: &[Sim], now: Timestamp) -> Result<()> {
    let mut of: BTreeMap<AccountId, Vec<i64>> = BTreeMap::new();
    for sim in new {
        of.entry(sim.account).or_default().push(sim.id.0);
    }
    for (account, sims) in of {
        if tx.credit_stop_held(account, now)?.stops {
            let sims = tx.sims_by_id(&sims)?; // as they are by now: a card may have come twice
            switch(tx, catalogue, &sims, true, now)?;
        }
    }
    Ok(())
}

/// Cards, whose states are locked, stand otherwise, but for whom asks their carriers ([`service::follow`]): those that came back to life
/// stand by their account's arrears again, and the carriers of those that are used now are asked.
pub(crate) fn stood(tx: &mut Tx<'_>, catalogue: &Catalogue, changed: &[NewState<'_>], now: Timestamp) -> Result<()> {
    let base = |state: &str| BaseState::parse(state).unwrap_or(BaseState::Unknown);
    for change in changed {
        let (before, after) = (base(&change.before.state), base(change.state));
        if before.is_over() && !after.is_over() {
            moved(tx, catalogue, change.before.id, now)?;
        }
        let is_nearer = before.is_over() || before.is_stock() && !after.is_stock() || before.is_dormant() && !after.is_dormant();
        if is_nearer && Blocks(change.blocks).has(Blocks::CREDIT) {
            service::look_again(tx, catalogue, change.before.id, now)?;
        }
    }
    Ok(())
}

/// Sets the block of the cards, whose states are locked, or lifts it.
fn switch(tx: &mut Tx<'_>, catalogue: &Catalogue, sims: &[Sim], stops: bool, now: Timestamp) -> Result<()> {
    let is_over = |sim: &Sim| BaseState::parse(&sim.state).is_ok_and(BaseState::is_over);
    let change = |sim: &'_ Sim| -> Option<i64> {
        let without = Blocks(sim.blocks).without(Blocks::CREDIT);
        let blocks = if stops && !is_over(sim) { without.0 | Blocks::CREDIT.0 } else { without.0 };
        (blocks != sim.blocks).then_some(blocks)
    };
    let new = |(sim, blocks)| {
        let before: &Sim = sim;
        NewState { before, state: &before.state, blocks, activated_at: before.activated_at }
    };
    let changes: Vec<NewState<'_>> = sims.iter().filter_map(|sim| Some((sim, change(sim)?))).map(new).collect();
    tx.change_sim_states(&changes)?;
    service::follow(tx, catalogue, &changes, now)?;
    let said = if stops { "stopped for its account's arrears" } else { "no longer stopped for its account's arrears" };
    let mut records = Vec::with_capacity(changes.len());
    for change in &changes {
        let detail = format!("{said}: {} [{}]", change.state, Blocks(change.blocks).names().join(" "));
        records.push(notices::record(change.before, EventKind::SimStateChanged, &detail, now)?);
    }
    if records.is_empty() { Ok(()) } else { Ok(tx.tell(&records, now)?) }
}
