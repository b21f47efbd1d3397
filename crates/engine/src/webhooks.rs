//! Telling customers: one delivery per event and door, tried until acknowledged.
//!
//! The cast: the transaction that causes an event writes its deliveries ([`crate::notices`]); a worker claims due ones under
//! a lease, posts them with no transaction open, and settles them under the same lease token. Promised: at least once, with
//! a stable id; first attempts for one card and endpoint go out in the order things happened, and a failed one holds nothing back;
//! retries on the fixed schedule, then `dead`, listed and replayable; each endpoint has its share of every claim, so that one with a
//! long queue, or without an answer, does not hold up the others. The lease is not for speed: it lets another worker go on
//! when this one dies, and its token makes a late answer of a lost lease count for nothing.

use crate::act::refuse_unsaid;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Result;
use crate::notices;
use kachi_domain::event::{Body, EventKind};
use kachi_domain::{AccountId, Timestamp};
use kachi_store::Tx;
pub use kachi_store::webhooks::Endpoint;
use kachi_store::webhooks::{Attempt, Claimed};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// One delivery to be posted.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number; the stable id of the notice is made from it.
    pub id: i64,
    /// Whose endpoint.
    pub account: AccountId,
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
    /// Attempts made of its schedule.
    pub attempts: i64,
    /// Attempts made before that began anew.
    pub attempts_before: i64,
}

impl Job {
    /// The endpoint it goes to.
    pub fn endpoint(&self) -> Endpoint {
        (self.account, self.door.clone())
    }
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
    /// Deliveries of one card to one endpoint, in order; the endpoints by turns.
    pub lanes: Vec<Vec<Job>>,
    /// Deliveries to endpoints that are silent, to find out whether they answer again.
    pub probes: Vec<Job>,
    /// Deliveries that cannot be sent now, with the reason.
    pub unsendable: Vec<(Job, String)>,
}

impl Claim {
    /// Whether nothing was claimed.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.probes.is_empty() && self.unsendable.is_empty()
    }

    /// All of it, to be given back.
    pub fn into_jobs(self) -> Vec<Job> {
        let unsendable = self.unsendable.into_iter().map(|(job, _)| job);
        self.lanes.into_iter().flatten().chain(self.probes).chain(unsendable).collect()
    }
}

/// Endpoints that did not answer in time, several times in a row.
#[derive(Debug, Clone, Default)]
pub struct Silent {
    /// Nothing is claimed for these now.
    pub resting: HashSet<Endpoint>,
    /// For these a few deliveries are claimed, to be posted aside from all others.
    pub tried: HashSet<Endpoint>,
    /// For so many of them at once.
    pub room: usize,
}

/// Deliveries with which a silent endpoint is tried.
pub const PROBES: usize = 3;

/// Claims due deliveries, each endpoint its share: what waits for one holds no other up. `token` must be new each time
/// (from the roof).
pub fn claim(engine: &Engine, token: i64, silent: &Silent) -> Result<Claim> {
    claim_for(engine, (token, engine.settings().lease_seconds), silent)
}

/// As [`claim`], under a lease of so many seconds.
pub fn claim_for(engine: &Engine, (token, lease): (i64, i64), silent: &Silent) -> Result<Claim> {
    let limit = engine.settings().delivery_batch.max(1);
    let silent = silent.clone();
    let (claimed, probes) = engine.write(move |tx, _, how| {
        let mut due = tx.due_endpoints(how.now)?;
        let (now, lease) = (how.now, (how.now.plus(lease), token));
        due.retain(|e| !silent.resting.contains(e));
        let (mut tried, mut due): (Vec<_>, Vec<_>) = due.into_iter().partition(|e| silent.tried.contains(e));
        // More endpoints than may be claimed for at once have their turn by chance.
        for list in [&mut tried, &mut due] {
            let turn = usize::try_from(token.unsigned_abs() % list.len().max(1) as u64).unwrap_or(0);
            list.rotate_left(turn);
        }
        tried.truncate(silent.room);
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let each = limit / (due.len().max(1) as i64);
        let mut claimed = tx.claim_deliveries(now, lease, (&due, each))?;
        // What some did not need is for those that have more.
        let left = limit - claimed.len() as i64;
        let had = |e: &Endpoint| claimed.iter().filter(|c| c.account == e.0 && c.door == e.1).count() as i64;
        let mut more: Vec<Endpoint> =
            if left > 0 { due.iter().filter(|e| had(e) >= each).cloned().collect() } else { Vec::new() };
        more.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        claimed.extend(tx.claim_deliveries(now, lease, (&more, left / (more.len().max(1) as i64)))?);
        let mut probes = tx.claim_deliveries(now, lease, (&tried, PROBES as i64))?;
        // They go side by side: of a card's first attempts the earliest alone.
        probes.sort_by_key(|c| c.id);
        let mut firsts = HashSet::new();
        let (probes, spare): (Vec<_>, Vec<_>) =
            probes.into_iter().partition(|c| c.attempts > 0 || firsts.insert((c.account, c.door.clone(), c.sim)));
        tx.release_deliveries(token, &spare.iter().map(|c| c.id).collect::<Vec<_>>())?;
        Ok((claimed, probes))
    })?;
    let catalogue = engine.catalogue()?;
    let mut claim = Claim { token, ..Claim::default() };
    let mut sendable = |c: &Claimed| match job(&catalogue, c) {
        (job, Some(reason)) => {
            claim.unsendable.push((job, reason));
            None
        }
        (job, None) => Some(job),
    };
    let mut by_endpoint: BTreeMap<Endpoint, Vec<Vec<Job>>> = BTreeMap::new();
    let mut places: HashMap<(Endpoint, i64), usize> = HashMap::new();
    for c in &claimed {
        let Some(job) = sendable(c) else { continue };
        let endpoint = job.endpoint();
        let lanes = by_endpoint.entry(endpoint.clone()).or_default();
        // A retry waits for nobody: only first attempts keep their order.
        let place = if c.attempts > 0 { lanes.len() } else { *places.entry((endpoint, c.sim)).or_insert(lanes.len()) };
        match lanes.get_mut(place) {
            Some(lane) => lane.push(job),
            None => lanes.push(vec![job]),
        }
    }
    claim.probes = probes.iter().filter_map(sendable).collect();
    by_endpoint.values_mut().flatten().for_each(|lane| lane.sort_by_key(|job| job.id));
    claim.lanes = by_turns(by_endpoint.into_values().collect());
    Ok(claim)
}

/// The first of each, then the second of each, and so on.
fn by_turns<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    while !lists.is_empty() {
        lists.retain_mut(|list| list.next().map(|one| all.push(one)).is_some());
    }
    all
}

/// Gives back what was claimed and not tried.
pub fn release(engine: &Engine, token: i64, jobs: &[Job]) -> Result<()> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
    engine.write(move |tx, _, _| Ok(tx.release_deliveries(token, &ids)?))
}

/// The door whose keys sign what goes to a notify address: one with several addresses (`cardboss_data`, `cardboss_sms`) has one
/// key for all of them.
pub fn key_door(address: &str) -> &str {
    address.split('_').next().unwrap_or_default()
}

fn job(catalogue: &crate::Catalogue, c: &Claimed) -> (Job, Option<String>) {
    let info = catalogue.account(c.account);
    let url = info.and_then(|i| i.notify.get(&c.door)).cloned().unwrap_or_default();
    let keys = key_door(&c.door);
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
        account: c.account,
        door: c.door.clone(),
        url,
        name,
        secret,
        kind: c.kind.clone(),
        at: c.at,
        body: c.body.clone(),
        attempts: c.attempts,
        attempts_before: c.attempts_before,
    };
    (job, trouble)
}

/// Records how posts ended: acknowledged ones are done, the others wait for their next attempt or are dead. The answer is
/// those that are dead now: their schedule is used up.
pub fn settle(engine: &Engine, token: i64, posted: Vec<(Job, Posted)>) -> Result<Vec<Job>> {
    let schedule = engine.settings().retry_seconds.clone();
    let now = engine.now();
    let mut last: Vec<Job> = Vec::new();
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
            let (id, before) = (job.id, job.attempts_before);
            if state == "dead" {
                last.push(job);
            }
            Attempt { id, number, before, status: p.status, answer: p.answer, millis: p.millis, next, state }
        })
        .collect();
    let ids: Vec<i64> = last.iter().map(|job| job.id).collect();
    let dead = engine.write(move |tx, _, how| {
        tx.settle_deliveries(token, &attempts, how.now)?;
        // Of one whose lease was lost another decides.
        Ok(if ids.is_empty() { Vec::new() } else { tx.deliveries_dead_of(&ids)? })
    })?;
    last.retain(|job| dead.contains(&job.id));
    Ok(last)
}

/// Which notices are to be sent again; every field given narrows.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// From this number to that.
    pub numbers: Option<(i64, i64)>,
    /// To this account and those below it.
    pub account: Option<AccountId>,
    /// At this door.
    pub door: Option<String>,
    /// Of what happened then or later.
    pub since: Option<Timestamp>,
    /// Acknowledged ones too, and not dead ones alone.
    pub done: bool,
}

/// Notices that are sent again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many of which endpoint.
    pub notices: BTreeMap<Endpoint, i64>,
    /// How many more there are: another turn takes them.
    pub more: i64,
    /// Acknowledged ones with the numbers asked for, which are not sent again.
    pub acknowledged: i64,
}

impl Replayed {
    /// Of all endpoints.
    pub fn total(&self) -> i64 {
        self.notices.values().sum()
    }
}

/// How many notices [`replay`] would send again in all.
pub fn replayable(engine: &Engine, of: &Replay) -> Result<Replayed> {
    engine.read(|tx, catalogue| countable(tx, catalogue, of))
}

/// Sends settled notices again, the oldest first and so many at most: each has its whole schedule before it, as when it was new,
/// and those of one card go out in their order. Who did it is on the record of each account.
pub fn replay(engine: &Engine, of: &Replay, most: i64, who: &str) -> Result<Replayed> {
    refuse_unsaid(&[("by", who)])?;
    let (of, who) = (of.clone(), who.to_owned());
    engine.write(move |tx, catalogue, how| {
        let all = countable(tx, catalogue, &of)?;
        let sees = sees(catalogue, &of);
        let notices = tx.replay_deliveries(&stored(&of, sees.as_deref().map(Vec::as_slice)), most, how.now)?;
        for ((account, door), n) in &notices {
            let detail = format!("{n} notices of {door} are sent again, by {who}");
            let body = Body::Account { account: account.0, detail };
            notices::emit(tx, catalogue, *account, None, EventKind::NoticesReplayed, &body, how.now, how.now)?;
        }
        let replayed = Replayed { notices, ..all.clone() };
        Ok(Replayed { more: all.total() - replayed.total(), ..replayed })
    })
}

fn countable(tx: &mut Tx<'_>, catalogue: &Catalogue, of: &Replay) -> Result<Replayed> {
    let sees = sees(catalogue, of);
    let notices: BTreeMap<Endpoint, i64> =
        tx.replayable_counted(&stored(of, sees.as_deref().map(Vec::as_slice)))?.into_iter().collect();
    let acknowledged = match of.numbers {
        Some(_) if !of.done => {
            let done = Replay { done: true, ..of.clone() };
            let all: i64 =
                tx.replayable_counted(&stored(&done, sees.as_deref().map(Vec::as_slice)))?.iter().map(|(_, n)| n).sum();
            all - notices.values().sum::<i64>()
        }
        _ => 0,
    };
    Ok(Replayed { notices, more: 0, acknowledged })
}

fn sees(catalogue: &Catalogue, of: &Replay) -> Option<Arc<Vec<AccountId>>> {
    of.account.map(|id| catalogue.account(id).map(|info| info.sees.clone()).unwrap_or_default())
}

fn stored<'a>(of: &'a Replay, accounts: Option<&'a [AccountId]>) -> kachi_store::webhooks::Replay<'a> {
    kachi_store::webhooks::Replay { numbers: of.numbers, accounts, door: of.door.as_deref(), since: of.since, done: of.done }
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
