//! Closing a card: the end of its life with us, which nothing undoes.
//!
//! Who acts: whoever sees the card; who may is the caller's to see to. Promised: from the commit on nothing is bought for the card,
//! asked of its carrier or read there; it has left its pool and its IMEI group; its numbers are good for the card that comes after it;
//! its usage, orders and messages stay; who closed it, and why, is on its record. Refused: while a package of it runs or waits, or a
//! write that was asked for it is open: money or an answer would be lost. Not promised: that its carrier closes it too, which is not asked.

use crate::act::{Actor, refuse_unsaid};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Fail, Result};
use crate::{esim, imei, network, pools, switch};
use kachi_domain::order::SubscriptionState;
use kachi_domain::sim::BaseState;
use kachi_domain::{Iccid, Refusal};
use kachi_store::Tx;

/// Newest writes of a card that are looked at: more are never open.
const WRITES: i64 = 1_000;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It is closed from now on.
    Closed,
    /// It was before.
    Already,
}

/// Closes a card for good.
pub fn close(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (iccid, who, why): (&Iccid, &str, &str),
) -> Result<Closed> {
    refuse_unsaid(&[("by", who), ("reason", why)])?;
    let bad = |rule: String| Err(Refusal::BadField { field: "iccid".into(), rule }.into());
    let seen = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let before = tx.last_intent_number()?;
    // Pools are locked before the states of cards.
    pools::leave_all(tx, catalogue, how, &seen)?;
    tx.state_locked(seen.id)?;
    if pools::of_card(tx, actor, iccid)?.is_some() {
        return Err(Fail::Stale); // it joined another meanwhile
    }
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    match BaseState::parse(&sim.state) {
        Ok(BaseState::Closed) => return Ok(Closed::Already),
        Ok(BaseState::Replaced) => return bad(format!("{iccid} is replaced: its life is over already")),
        _ => {}
    }
    esim::refuse_unsold(tx, [&sim])?;
    let runs_or_waits = |state| matches!(state, SubscriptionState::Waiting | SubscriptionState::Active);
    let open = tx.subscriptions(sim.id)?.iter().filter(|s| runs_or_waits(s.state)).count();
    if open > 0 {
        let rule = format!(
            "{iccid} has packages that run or wait ({open}): give them back, move them to another card, or close it when they are over"
        );
        return bad(rule);
    }
    if let Some((number, _)) = tx.open_renewal(sim.id)? {
        return bad(format!("{iccid} has renewal {number}, which is not settled yet: `kachi admin renewal list` shows it"));
    }
    // What leaving its pool has asked of the carrier goes on: it stops the card.
    let asked = |i: &&kachi_store::intents::Intent| network::is_open(i) && (i.id <= before || i.asked_by.is_some());
    if let Some(write) = tx.intents_of_sim(sim.id, WRITES)?.iter().find(asked) {
        let rule = format!(
            "{iccid} has an open write: wait for its carrier's word, or `kachi admin intent confirm {id}` or `refuse {id}`",
            id = write.id
        );
        return bad(rule);
    }
    switch::stand(tx, &sim, (BaseState::Closed.word(), sim.blocks), &format!("closed by {who} ({why})"), how.now)?;
    imei::leave(tx, catalogue, how, actor, iccid)?;
    Ok(Closed::Closed)
}
