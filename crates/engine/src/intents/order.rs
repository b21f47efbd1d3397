//! Writes of one card in their order: which earlier ones give way to a new one.
//!
//! Promised: about one matter of a card a write is sent when those asked for before it have their last word (the claim in the
//! store sees to that); one that was never sent and whose contrary is asked for since is never sent: it is superseded, which is
//! its last word for whoever waits for it; so is one that is left to a person, for nobody wants to know any more. What an
//! account asked for is given up only for an account's wish, not for one of ours. Whether a write was sent is asked of its row
//! under a lock, so none is both sent and superseded.

use super::text;
use crate::error::Result;
use crate::{direct, network, tasks};
use kachi_domain::carrier::{Answer, Capabilities, Matter, Write};
use kachi_domain::{AccountId, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;

/// Gives up the card's earlier writes that this one makes needless, at a platform that can do so much.
pub(crate) fn make_way(
    tx: &mut Tx<'_>,
    sim: SimId,
    (write, can, asked_by): (&Write, Capabilities, Option<AccountId>),
    now: Timestamp,
) -> Result<()> {
    if write.matter() == Matter::None {
        return Ok(());
    }
    let mut needless = Vec::new();
    for earlier in about(tx, &[sim], &can.matters(write))? {
        if is_needless(&earlier, write, asked_by)? {
            needless.push(earlier);
        }
    }
    supersede(tx, &needless, now)?;
    Ok(())
}

/// The cards' writes about these matters that are open, and the last about each of each card at each platform that was done. What ended
/// a test let no card on and stopped none.
pub(crate) fn about(tx: &mut Tx<'_>, sims: &[SimId], matters: &[Matter]) -> Result<Vec<Intent>> {
    Ok(tx.intents_about(sims, matters, direct::END_TEST)?)
}

/// Whether an earlier write about the same matter gives way to this one.
pub(crate) fn is_needless(earlier: &Intent, write: &Write, asked_by: Option<AccountId>) -> Result<bool> {
    let asked = network::asked(earlier)?.write;
    if is_unsent(earlier)? {
        return Ok(write.undoes(&asked) && (asked_by.is_some() || earlier.asked_by.is_none()));
    }
    let is_left = earlier.state == "in_doubt" && earlier.due_at.is_none();
    Ok(is_left && (write.undoes(&asked) || write.repeats(&asked) && write.sets()))
}

/// Whether the carrier has never heard of it.
pub(crate) fn is_unsent(intent: &Intent) -> Result<bool> {
    Ok(intent.state == "stored" && network::kept(intent)?.sent.is_none())
}

/// Gives up those of these writes that were not sent meanwhile; whoever waits for them is told. The answer is which.
pub(crate) fn supersede(tx: &mut Tx<'_>, needless: &[Intent], now: Timestamp) -> Result<Vec<i64>> {
    if needless.is_empty() {
        return Ok(Vec::new());
    }
    let answer = Answer::superseded();
    let ids: Vec<i64> = needless.iter().map(|i| i.id).collect();
    let gone = tx.supersede_intents(&ids, &text(&answer)?, now)?;
    for intent in needless.iter().filter(|i| gone.contains(&i.id)) {
        tasks::told(tx, intent, &answer, now)?;
    }
    Ok(gone)
}

/// Gives up a write that is in doubt, for another wish; false if it has a last word by now, or its carrier is being asked about it.
pub(crate) fn give_up(tx: &mut Tx<'_>, doubtful: &Intent, now: Timestamp) -> Result<bool> {
    let answer = Answer::superseded();
    let is_gone = tx.supersede_doubtful(doubtful.id, &text(&answer)?, now)?;
    if is_gone {
        tasks::told(tx, doubtful, &answer, now)?;
    }
    Ok(is_gone)
}
