//! An account's switch, and what was seen of its signatures.
//!
//! Who acts: the operator. Promised: from the commit on no door lets an account in that is off, or lets one act that is
//! paused, nor any account below it; what was ordered before goes its way, and what is told goes on being told. A signature
//! whose request was refused is bound to that request's body; one that came again with another body is kept, once, with how often and from where it came last. Not promised: that the
//! cards of such an account stop; that is another act.

use crate::act::{Actor, RequestKey};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Result;
use crate::notices;
use kachi_domain::account::Switch;
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::{AccountId, Refusal};
use kachi_store::Tx;
use kachi_store::accounts::Account;

/// Switches an account; the answer is how it stood before.
pub fn switch(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    id: AccountId,
    (to, who): (Switch, &str),
) -> Result<Switch> {
    let bad = |rule: &str| Refusal::BadField { field: "account".into(), rule: rule.into() };
    if id == OPERATOR && to != Switch::On {
        return Err(bad("the operator's own account stays on").into());
    }
    let account = tx.accounts()?.into_iter().find(|a| a.id == id).ok_or_else(|| bad("there is no such account"))?;
    let before = account.switch;
    if before != to {
        tx.put_account(&Account { switch: to, ..account }, how.now)?;
        tx.touch_catalogue()?;
        let detail = format!("{} -> {} by {who}", before.word(), to.word());
        let body = Body::Account { account: id.0, detail };
        notices::emit(tx, catalogue, id, None, EventKind::AccountSwitched, &body, how.now, how.now)?;
    }
    Ok(before)
}

impl Engine {
    /// Keeps which body a signature came with whose request was refused: from now on it is good for no other one. The same
    /// request may be tried again. The caller has seen that the signature is the account's.
    pub async fn note_refused(&self, actor: &Actor, key: &RequestKey) -> Result<()> {
        let (account, key, now) = (actor.account, key.clone(), self.now());
        let kept = self.store().write_in_lane(account.0, move |tx| {
            tx.lock_requests(account)?;
            tx.keep_refused_request(account, (key.door, &key.key), &key.body_hash, now)
        });
        Ok(kept.await?)
    }

    /// Keeps that a signature came again with another body; `peer` is where it came from.
    pub async fn note_reused(&self, actor: &Actor, key: &RequestKey, peer: &str) -> Result<()> {
        let (account, door, key, peer, now) = (actor.account, key.door, key.key.clone(), peer.to_owned(), self.now());
        Ok(self.store().write_in_lane(account.0, move |tx| tx.note_reused_request(account, (door, &key), &peer, now)).await?)
    }
}
