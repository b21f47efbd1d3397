//! Who acts, and that the same request acts once.
//!
//! An [`Actor`] is what a door hands over after it has checked a key or a session. It carries the accounts it may see;
//! every finder takes them, so a stranger's object is simply not there.

use crate::error::{Fail, Result};
use kachi_domain::account::Path;
use kachi_domain::{AccountId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::idempotency::Seen;
use std::sync::Arc;

/// An account that acts, with everything it may see.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who.
    pub account: AccountId,
    /// Its place in the tree.
    pub path: Path,
    /// Itself and all below.
    pub sees: Arc<Vec<AccountId>>,
}

impl Actor {
    /// Whether the account is this one or below it.
    pub fn may_see(&self, account: AccountId) -> bool {
        self.sees.binary_search(&account).is_ok()
    }
}

/// What makes a request the same request: the door, a key that the caller made, and a fingerprint of the whole body.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// Which door.
    pub door: &'static str,
    /// The caller's key.
    pub key: String,
    /// Hash of the whole body.
    pub body_hash: String,
}

/// The answer to a request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It was done now, with this answer.
    Done(String),
    /// It had been done before; this is the first answer, to the letter.
    Repeated(String),
}

/// Does `act` once per request: its effect and the rendered answer are kept in the same transaction. A repeated request
/// gets the first answer; the same key with another body is refused. A refused act keeps nothing and may be tried again.
pub fn once<T>(
    tx: &mut Tx<'_>,
    actor: &Actor,
    request: &RequestKey,
    now: Timestamp,
    act: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    render: impl FnOnce(&T) -> String,
) -> Result<Once> {
    // Two identical requests at once come one after the other. This lock is always the first of a transaction.
    tx.lock_requests(actor.account)?;
    match tx.request_seen(actor.account, request.door, &request.key, &request.body_hash)? {
        Seen::Same(answer) => return Ok(Once::Repeated(answer)),
        Seen::Different => return Err(Fail::Refused(Refusal::KeyReused)),
        Seen::New => {}
    }
    let done = act(tx)?;
    let answer = render(&done);
    tx.keep_answer(actor.account, request.door, &request.key, &request.body_hash, &answer, now)?;
    Ok(Once::Done(answer))
}
