//! Telling customers: one delivery per event and door, tried until acknowledged.
//!
//! The cast: the transaction that causes an event writes its deliveries ([`crate::notices`]); a worker claims due ones under
//! a lease, posts them with no transaction open, and settles them under the same lease token. Promised: at least once, with
//! a stable id; first attempts for one card go out in the order things happened, and a failed one holds nothing back;
//! retries on the fixed schedule, then `dead`, listed and replayable. The lease is not for speed: it lets another worker go on
//! when this one dies, and its token makes a late answer of a lost lease count for nothing.

use crate::desk::Engine;
use crate::error::Result;
use kachi_domain::AccountId;
use kachi_store::webhooks::{Attempt, Claimed};
use std::collections::HashMap;

/// One delivery to be posted.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number; the stable id of the notice is made from it.
    pub id: i64,
    /// In which dialect.
    pub door: String,
    /// Where to.
    pub url: String,
    /// The name of the account's key at that door.
    pub name: String,
    /// The account's secret at that door.
    pub secret: String,
    /// The event's kind.
    pub kind: String,
    /// When it happened, epoch seconds.
    pub at: i64,
    /// The event's body.
    pub body: String,
    /// Attempts made before.
    pub attempts: i64,
}

/// How a post ended.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Whether the receiver acknowledged it as its dialect asks.
    pub acknowledged: bool,
    /// HTTP status, none without an answer.
    pub status: Option<i64>,
    /// The first characters of the answer, or the error.
    pub answer: String,
    /// How long it took.
    pub millis: i64,
}

/// A claimed set of deliveries: lanes that may be posted side by side, each lane one after the other.
#[derive(Debug, Default)]
pub struct Claim {
    /// The lease's token.
    pub token: i64,
    /// Deliveries of one card to one endpoint, in order.
    pub lanes: Vec<Vec<Job>>,
    /// Deliveries that cannot be sent now, with the reason.
    pub unsendable: Vec<(Job, String)>,
}

/// Claims due deliveries. `token` must be new each time (from the roof).
pub fn claim(engine: &Engine, token: i64) -> Result<Claim> {
    let limit = engine.settings().delivery_batch;
    let lease = engine.settings().lease_seconds;
    let claimed = engine.write(move |tx, _, how| Ok(tx.claim_deliveries(how.now, how.now.plus(lease), token, limit)?))?;
    let catalogue = engine.catalogue()?;
    let mut lanes: HashMap<(i64, i64, String), Vec<Job>> = HashMap::new();
    let mut claim = Claim { token, ..Claim::default() };
    for c in claimed {
        let (job, trouble) = job(&catalogue, &c);
        match trouble {
            Some(reason) => claim.unsendable.push((job, reason)),
            // A retry waits for nobody: only first attempts keep their order.
            None if c.attempts > 0 => claim.lanes.push(vec![job]),
            None => lanes.entry((c.account.0, c.sim, c.door)).or_default().push(job),
        }
    }
    claim.lanes.extend(lanes.into_values());
    Ok(claim)
}

fn job(catalogue: &crate::Catalogue, c: &Claimed) -> (Job, Option<String>) {
    let info = catalogue.account(c.account);
    let url = info.and_then(|i| i.notify.get(&c.door)).cloned().unwrap_or_default();
    // A door with several notify addresses (`cardboss_data`, `cardboss_sms`) has one key for all of them.
    let keys = c.door.split('_').next().unwrap_or_default();
    let name = catalogue.key_of(keys, c.account).unwrap_or_default().to_owned();
    let secret = catalogue.secret_of(keys, c.account).unwrap_or_default().to_owned();
    let trouble = if url.is_empty() {
        Some(format!("the account has no notify address for {}", c.door))
    } else if secret.is_empty() {
        Some(format!("the account has no key for {keys}"))
    } else {
        None
    };
    let job = Job {
        id: c.id,
        door: c.door.clone(),
        url,
        name,
        secret,
        kind: c.kind.clone(),
        at: c.at,
        body: c.body.clone(),
        attempts: c.attempts,
    };
    (job, trouble)
}

/// Records how posts ended: acknowledged ones are done, the others wait for their next attempt or are dead.
pub fn settle(engine: &Engine, token: i64, posted: Vec<(Job, Posted)>) -> Result<usize> {
    let schedule = engine.settings().retry_seconds.clone();
    let now = engine.now();
    let attempts: Vec<Attempt> = posted
        .into_iter()
        .map(|(job, p)| {
            let number = job.attempts + 1;
            let next = if p.acknowledged { None } else { schedule.get(number as usize).map(|s| now.plus(*s)) };
            let state = match (p.acknowledged, next) {
                (true, _) => "done",
                (false, Some(_)) => "waiting",
                (false, None) => "dead",
            };
            Attempt { id: job.id, number, status: p.status, answer: p.answer, millis: p.millis, next, state }
        })
        .collect();
    engine.write(move |tx, _, how| Ok(tx.settle_deliveries(token, &attempts, how.now)?))
}

/// Makes settled deliveries due again, by number.
pub fn replay(engine: &Engine, from: i64, to: i64) -> Result<usize> {
    engine.write(move |tx, _, how| Ok(tx.replay_deliveries(from, to, how.now)?))
}

/// The newest deliveries an account may see.
pub fn newest(
    engine: &Engine,
    account: AccountId,
    state: Option<String>,
    limit: i64,
) -> Result<Vec<kachi_store::webhooks::DeliveryRow>> {
    engine.read(|tx, catalogue| {
        let sees = catalogue.account(account).map(|a| a.sees.clone()).unwrap_or_default();
        Ok(tx.deliveries_newest(&sees, state.as_deref(), limit)?)
    })
}
