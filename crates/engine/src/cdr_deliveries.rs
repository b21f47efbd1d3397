//! CDR files to customers: every half hour one file for each account that has a folder on a file server.
//!
//! The cast: [`make_due`] makes the half hours that have come, in order: it notes which batches of the log are seen for the
//! first time and writes one delivery row an account, in one transaction. A worker claims a row under a lease
//! ([`claim`]), writes the file ([`content`]), uploads it with no transaction open, asks once more for its lease
//! ([`keep`]) before the file gets its final name, and settles the row ([`settle`]).
//!
//! A file names the records of the cards that the account sees, its own and those of accounts below, each with the
//! account that owned the card when the record was taken in. Besides those of its window it names the records that arrived
//! since the half hour before and stopped earlier: their window was sent without them. What a file names never changes, so
//! every attempt, and a resend by hand, sends the same bytes under the same name, and two workers that think the same row
//! theirs can only write the same file. Promised: at least once, never half a file under the final name. A half hour
//! that passed while nothing ran is made up for; one before the account had its folder is not. One that a clock which was ahead
//! made too early is made again when it has come, and its file sent again.

mod hour;

pub(crate) use hour::Hours;

use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use kachi_domain::cdr::delivery::{Slot, Target};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::{AccountId, Timestamp};
pub use kachi_store::cdr_deliveries::CdrDelivery;
use kachi_store::cdr_deliveries::{Attempt, CdrAttemptRow};
use std::fs::File;

/// Records read and written at once; bounds memory.
const RECORDS_AT_ONCE: i64 = 10_000;
/// Bytes written at once.
const BLOCK_BYTES: usize = 1 << 18;

/// A file to be uploaded.
#[derive(Debug, Clone)]
pub struct Job {
    /// The delivery.
    pub id: i64,
    /// The lease's token.
    pub token: i64,
    /// Whose folder.
    pub account: AccountId,
    /// The half hour it was made at.
    pub slot: Slot,
    /// The file's name.
    pub name: String,
    /// Where to; none if the account has no folder any more.
    pub target: Option<Target>,
    /// Attempts since it was made or asked for by hand.
    pub tries: i64,
}

/// A file's content, in a nameless file in the data folder.
#[derive(Debug)]
pub struct Content {
    /// At its first byte.
    pub file: File,
    /// Records in it.
    pub records: i64,
    /// Bytes in it: 0 where there are no records.
    pub bytes: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Whether the file is there, whole, under its name.
    pub arrived: bool,
    /// Records and bytes of the file, if it was made.
    pub size: Option<(i64, i64)>,
    /// What the server said, or the error.
    pub answer: String,
    /// How long it took.
    pub millis: i64,
}

/// Makes the next half hour that has come; the answer is 0 if none has, else 1.
pub fn make_due(engine: &Engine) -> Result<usize> {
    let latest = Slot::at(engine.now());
    // Another process may be a moment ahead of this one's clock; what lies further off was no half hour that had come.
    let is_early = move |last: Option<Timestamp>| last.is_some_and(|last| Slot::at(last) > latest.next());
    let due = move |last: Option<Timestamp>| match last {
        // Nothing was ever made: there is nothing to make up for.
        None => Some(latest),
        Some(last) => Some(Slot::at(last).next()).filter(|next| *next <= latest),
    };
    let last = engine.store().look(|tx| tx.last_cdr_slot().map_err(Fail::from))?;
    if due(last).is_none() && !is_early(last) {
        return Ok(0);
    }
    engine.write(move |tx, _, how| {
        if is_early(tx.last_cdr_slot()?) {
            tx.unmake_cdr_slots(latest.instant())?;
        }
        match due(tx.last_cdr_slot()?) {
            Some(slot) => Ok(usize::from(tx.make_cdr_slot(slot.instant(), how.now)?)),
            None => Ok(0),
        }
    })
}

/// Claims the file that is due longest. `token` must be new each time (from the roof).
pub fn claim(engine: &Engine, token: i64) -> Result<Option<Job>> {
    let now = engine.now();
    if !engine.store().look(|tx| tx.cdr_delivery_is_due(now).map_err(Fail::from))? {
        return Ok(None);
    }
    let lease = engine.settings().lease_seconds;
    engine.write(move |tx, _, how| {
        let Some(c) = tx.claim_cdr_delivery(how.now, how.now.plus(lease), token)? else { return Ok(None) };
        let slot = Slot::at(c.slot);
        let target = tx.cdr_target(c.account)?;
        Ok(Some(Job { id: c.id, token, account: c.account, slot, name: slot.file_name(c.account), target, tries: c.tries }))
    })
}

/// Writes the file's content: the header row and the records, or nothing where there are none. The log is read once for
/// all accounts whose files of that half hour are not delivered yet.
pub fn content(engine: &Engine, job: &Job) -> Result<Content> {
    engine.cdr_hours().content(engine, job.slot, job.account)
}

/// Keeps the lease for longer; false if another worker has taken the row meanwhile: then nothing more may be done for it.
pub fn keep(engine: &Engine, job: &Job) -> Result<bool> {
    let (id, token, lease) = (job.id, job.token, engine.settings().lease_seconds);
    engine.write(move |tx, _, how| Ok(tx.keep_cdr_lease(id, token, how.now.plus(lease))?))
}

/// Whether it is tried again by schedule if this attempt fails.
pub fn is_tried_again(engine: &Engine, job: &Job) -> bool {
    next_try(engine, job).is_some()
}

/// Seconds until the attempt after this one, unless it is the last.
fn next_try(engine: &Engine, job: &Job) -> Option<i64> {
    engine.settings().cdr_retry_seconds.get(usize::try_from(job.tries).ok()? + 1).copied()
}

/// Records how an attempt ended: done, waiting for the next one of the schedule (`cdr.retry`), or dead. False if the
/// lease was lost: then it counts for nothing.
pub fn settle(engine: &Engine, job: &Job, sent: Sent) -> Result<bool> {
    let next = next_try(engine, job);
    let token = job.token;
    let id = job.id;
    engine.write(move |tx, _, how| {
        let next = next.filter(|_| !sent.arrived).map(|seconds| how.now.plus(seconds));
        let state = match (sent.arrived, next) {
            (true, _) => "done",
            (false, Some(_)) => "waiting",
            (false, None) => "dead",
        };
        let attempt = Attempt { id, state, next, size: sent.size, millis: sent.millis, answer: sent.answer };
        Ok(tx.settle_cdr_delivery(token, &attempt, how.now)?)
    })
}

/// Makes deliveries of an account and those below it due at once, by number; the answer is how many. Those being sent
/// at this moment are left alone.
pub fn resend(engine: &Engine, account: Option<AccountId>, from: i64, to: i64) -> Result<usize> {
    let accounts = seen(engine, account.unwrap_or(OPERATOR))?;
    engine.write(move |tx, _, how| Ok(tx.resend_cdr(&accounts, (from, to), how.now)?))
}

/// The newest deliveries an account may see, of one state or all.
pub fn newest(engine: &Engine, account: AccountId, state: Option<&str>, limit: i64) -> Result<Vec<CdrDelivery>> {
    let accounts = seen(engine, account)?;
    engine.read(|tx, _| Ok(tx.cdr_deliveries(&accounts, (None, state), limit)?))
}

/// A delivery with its attempts, for the operator.
pub fn show(engine: &Engine, id: i64) -> Result<Option<(CdrDelivery, Vec<CdrAttemptRow>)>> {
    let accounts = seen(engine, OPERATOR)?;
    engine.read(|tx, _| {
        let Some(row) = tx.cdr_deliveries(&accounts, (Some(id), None), 1)?.pop() else { return Ok(None) };
        Ok(Some((row, tx.cdr_delivery_attempts(id)?)))
    })
}

/// The account and those below it.
fn seen(engine: &Engine, account: AccountId) -> Result<Vec<AccountId>> {
    Ok(engine.catalogue()?.account(account).map(|a| a.sees.to_vec()).unwrap_or_default())
}

fn unwritable(e: std::io::Error) -> Fail {
    fault(format!("the CDR file cannot be written to the data folder: {e}"))
}
