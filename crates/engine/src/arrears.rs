//! Cards of accounts in arrears, stopped for it where an account is set so (`credit_stop`), and let on again once it has paid.
//!
//! Who acts: a worker. Promised: within seconds all living cards of such an account have the block `credit`, and their
//! carriers are asked by the rule for all blocks ([`crate::service`]); cards that come to it later too. When it is not in arrears
//! any more ([`kachi_domain::ledger::in_arrears`]), or no longer set so, the block goes, whatever else is in their way stays, and
//! their carriers are asked again. A card that is moved to another account leaves the block behind. Killed anywhere: the next look
//! does the rest. Not promised: that the cards of accounts below it stop; each account is judged by its own money.

use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::{notices, service};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::{self, OPERATOR};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::lists::NewState;
use kachi_store::sims::Sim;
use std::collections::BTreeSet;

/// Cards stopped or let on in one transaction.
const AT_ONCE: i64 = 200;

/// Looks at every account that is set so, or whose cards are stopped; the answer is how much there was to do.
pub fn step(engine: &Engine) -> Result<usize> {
    let due = engine.read(|tx, catalogue| {
        let mut all: BTreeSet<AccountId> = tx.credit_stops()?.into_iter().map(|(account, _)| account).collect();
        all.extend(catalogue.accounts().filter(|a| a.account.credit_stop).map(|a| a.account.id));
        all.remove(&OPERATOR);
        let mut due = Vec::new();
        for account in all {
            let (stops, was) = (is_to_stop(tx, catalogue, account)?, tx.credit_stop(account)?);
            let is_due = match was {
                None => stops,
                Some(was) => was != stops || !stops || !tx.cards_to_credit_stop(account, stops, 1)?.is_empty(),
            };
            due.extend(is_due.then_some(account));
        }
        Ok(due)
    })?;
    let mut done = 0;
    for account in due {
        done += engine.write(move |tx, catalogue, how| settle(tx, catalogue, how, account))?;
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

fn settle(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, account: AccountId) -> Result<usize> {
    tx.lock_balances(&[account])?;
    let (stops, was) = (is_to_stop(tx, catalogue, account)?, tx.credit_stop(account)?);
    let is_news = was.unwrap_or(false) != stops;
    if is_news {
        tx.set_credit_stop(account, stops, how.now)?;
        let detail = if stops { "in arrears: its cards are stopped" } else { "not in arrears: its cards are let on" };
        let body = Body::Account { account: account.0, detail: detail.into() };
        notices::emit(tx, catalogue, account, None, EventKind::AccountArrears, &body, how.now, how.now)?;
    }
    let ids: Vec<i64> = tx.cards_to_credit_stop(account, stops, AT_ONCE)?.into_iter().map(|sim| sim.0).collect();
    if ids.is_empty() {
        tx.end_credit_stop(account)?;
        return Ok(usize::from(is_news));
    }
    tx.states(&ids)?;
    // Read under their locks: one may have been moved meanwhile.
    let sims: Vec<Sim> = tx.sims_by_id(&ids)?.into_iter().filter(|sim| sim.account == account).collect();
    switch(tx, catalogue, &sims, stops, how.now)?;
    Ok(ids.len())
}

/// A card, whose state is locked, has come to its account: whether it is stopped depends on that one, which does not change its
/// mind meanwhile.
pub(crate) fn moved(tx: &mut Tx<'_>, catalogue: &Catalogue, id: SimId, now: Timestamp) -> Result<()> {
    // Its blocks as this transaction left them: the move may have lifted others.
    let Some(sim) = tx.sim_by_id(id)? else { return Err(fault(format!("card {id} vanished"))) };
    let stops = tx.credit_stop_shared(sim.account)? == Some(true);
    switch(tx, catalogue, &[sim], stops, now)
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
