//! Who acts, and that the same request acts once.
//!
//! An [`Actor`] is what a door hands over after it has checked a key or a session. It carries the accounts it may see;
//! every finder takes them, so a stranger's object is simply not there.

use crate::error::{Result, fault};
use kachi_domain::account::Path;
use kachi_domain::{AccountId, OrderId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::idempotency::FirstAnswer;
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

/// Characters of a name, a reference or a reason that a person gives, at most.
const SAID_MAX: usize = 200;

/// Refuses what a person says of an act and is kept with it (who does it, why), each under its field's name, if nothing is said or
/// it cannot be shown in a line.
pub(crate) fn refuse_unsaid(said: &[(&str, &str)]) -> Result<()> {
    let good = |t: &str| !t.trim().is_empty() && t.chars().count() <= SAID_MAX && !t.chars().any(char::is_control);
    match said.iter().find(|(_, text)| !good(text)) {
        None => Ok(()),
        Some((field, _)) => {
            let rule = format!("must have 1 to {SAID_MAX} characters, all printable");
            Err(Refusal::BadField { field: (*field).into(), rule }.into())
        }
    }
}

/// What makes a request the same request: the door, a key that the caller made, and a fingerprint of the whole body.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// Which door.
    pub door: &'static str,
    /// The caller's key.
    pub key: String,
    /// The buyer's own number of an order, if the key tells it: the answer is kept with the order and found by the number.
    pub number: Option<OrderNumber>,
    /// Hash of the whole body.
    pub body_hash: String,
    /// For how many seconds another body may come with the key after one was refused: where honest callers who correct what is
    /// not signed make the same key of it.
    pub correct_seconds: i64,
}

/// The buyer's own number of an order, as the request's key tells it: requests with the same key are told the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderNumber {
    /// The number.
    pub told: String,
    /// Whether it is the one that the order gets. Else the answer is not kept with the order, where nobody would find it.
    pub is_the_orders: bool,
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
/// gets the first answer; the same key with another body is refused. A refused act keeps nothing here and may be tried again;
/// whoever keeps that it was refused ([`Engine::note_refused`]) has its key bound to that body, after `correct_seconds`.
///
/// [`Engine::note_refused`]: crate::Engine::note_refused
pub fn once<T>(
    tx: &mut Tx<'_>,
    actor: &Actor,
    request: &RequestKey,
    now: Timestamp,
    act: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    render: impl FnOnce(&T) -> String,
) -> Result<Once> {
    let mut render = Some(render);
    let act = |tx: &mut Tx<'_>, _: &[usize]| Ok(vec![Ok(act(tx)?)]);
    let render = |_, t: &T| (render.take().map_or_else(String::new, |r| r(t)), None);
    let done = once_each(tx, actor, &[request], now, act, render)?;
    done.into_iter().next().unwrap_or_else(|| Err(fault("an act without an outcome")))
}

/// As [`once`], for requests of one door with different keys: `act` is handed the places of those that are new and answers
/// each by itself; one that it refuses must have changed nothing. What is rendered is the answer and the order that it is of.
pub fn once_each<T>(
    tx: &mut Tx<'_>,
    actor: &Actor,
    requests: &[&RequestKey],
    now: Timestamp,
    act: impl FnOnce(&mut Tx<'_>, &[usize]) -> Result<Vec<Result<T>>>,
    mut render: impl FnMut(usize, &T) -> (String, Option<OrderId>),
) -> Result<Vec<Result<Once>>> {
    // Two identical requests at once come one after the other. This lock is always the first of a transaction.
    tx.lock_requests(actor.account)?;
    let door = requests.first().map_or("", |r| r.door);
    debug_assert!(requests.iter().all(|r| r.door == door));
    let keys: Vec<&str> = requests.iter().map(|r| r.key.as_str()).collect();
    let numbers: Vec<&str> = requests.iter().filter_map(|r| Some(r.number.as_ref()?.told.as_str())).collect();
    // Orders first: another body that was refused under the key of one later takes nothing away.
    let mut seen = if numbers.is_empty() { Vec::new() } else { tx.orders_seen(actor.account, door, &numbers)? };
    seen.extend(tx.requests_seen(actor.account, door, &keys)?);
    let mut outcomes: Vec<Option<Result<Once>>> = requests
        .iter()
        .map(|r| {
            let (_, hash, answer, at) = seen.iter().find(|(key, ..)| *key == r.key)?;
            let corrects = answer.is_empty() && now.0 - at < r.correct_seconds;
            if *hash != r.body_hash && !corrects {
                return Some(Err(Refusal::KeyReused.into()));
            }
            // Without an answer it was refused: the same body may be tried again.
            (!answer.is_empty()).then(|| Ok(Once::Repeated(answer.clone())))
        })
        .collect();
    let new: Vec<usize> = (0..requests.len()).filter(|i| outcomes[*i].is_none()).collect();
    let mut orders = vec![None; requests.len()];
    if !new.is_empty() {
        for (i, done) in new.iter().zip(act(tx, &new)?) {
            outcomes[*i] = Some(done.map(|t| {
                let (answer, order) = render(*i, &t);
                orders[*i] = order.filter(|_| requests[*i].number.as_ref().is_some_and(|n| n.is_the_orders));
                Once::Done(answer)
            }));
        }
    }
    let first = |(i, outcome): (usize, &'_ Option<Result<Once>>)| match outcome {
        Some(Ok(Once::Done(answer))) => Some((i, answer.clone())),
        _ => None,
    };
    let answers: Vec<(usize, String)> = outcomes.iter().enumerate().filter_map(first).collect();
    for (i, _) in answers.iter().filter(|(i, _)| seen.iter().any(|(key, ..)| *key == requests[*i].key)) {
        tx.forget_refused_request(actor.account, (door, &requests[*i].key))?;
    }
    let rows: Vec<FirstAnswer<'_>> = answers
        .iter()
        .map(|(i, answer)| FirstAnswer {
            account: actor.account,
            door,
            key: &requests[*i].key,
            body_hash: &requests[*i].body_hash,
            answer,
            order: orders[*i],
        })
        .collect();
    tx.keep_answers(&rows, now)?;
    outcomes.into_iter().map(|o| o.ok_or_else(|| fault("an act without an outcome"))).collect()
}
