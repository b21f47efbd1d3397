//! Group commit for PostgreSQL. Acts of one lane (orders of one account) would only wait for each other's row locks and
//! then each for a flush of its own; here whoever comes first runs all that wait, each in a savepoint, in one
//! transaction, and only then are they answered. Lanes go side by side on connections of their own.
//!
//! A group waits for a lock of somebody else's no longer than [`LOCK_WAIT`], well below the time after which PostgreSQL
//! looks for a deadlock: several acts in one transaction hold locks of several cards, in no order. The act that met the
//! lock, or any other failure of the database, is undone and done again by itself, waiting as long as it takes. What the
//! act itself refuses is its answer.

use super::gather::Gather;
use super::patience::Deadline;
use super::pool::{Guard, Pool};
use super::writer::in_savepoint;
use super::{Conn, Error, Group, Tx};
use tokio::sync::oneshot;

/// Acts committed together at most; bounds how long the first of them waits.
const GROUP_MAX: usize = 64;

/// How long a group waits for a lock.
pub(super) const LOCK_WAIT: &str = "200ms";

/// The acts that wait or run, by lane.
#[derive(Default)]
pub(super) struct Lanes {
    waiting: Gather<Box<dyn Job>>,
}

/// An act with its waiting caller.
trait Job: Send {
    /// Does it, in a savepoint; keeps the outcome.
    fn attempt(&mut self, conn: &mut Conn);
    /// Answers with the outcome, or with why it was not committed.
    fn answer(self: Box<Self>, trouble: Option<Error>);
    /// Until when its caller waits.
    fn deadline(&self) -> Option<Deadline>;
    /// Whether its caller went away.
    fn is_gone(&self) -> bool;
}

struct Act<R, E, F> {
    act: F,
    deadline: Option<Deadline>,
    outcome: Option<Result<R, E>>,
    caller: oneshot::Sender<Result<R, E>>,
}

impl<R, E, F> Job for Act<R, E, F>
where
    R: Send,
    E: From<Error> + Send,
    F: FnMut(&mut Tx<'_>) -> Result<R, E> + Send,
{
    fn attempt(&mut self, conn: &mut Conn) {
        self.outcome = Some(in_savepoint(conn, &mut self.act));
    }

    fn answer(self: Box<Self>, trouble: Option<Error>) {
        let outcome = match trouble {
            Some(e) => Err(e.into()),
            None => self.outcome.unwrap_or_else(|| Err(super::writer::gone().into())),
        };
        // A caller that went away asks nobody.
        let _ = self.caller.send(outcome);
    }

    fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    fn is_gone(&self) -> bool {
        self.caller.is_closed()
    }
}

impl Lanes {
    /// Queues an act; the answer's receiver, and whether the caller must [`Lanes::run`] the lane.
    pub(super) fn submit<R, E>(
        &self,
        lane: i64,
        deadline: Option<Deadline>,
        act: impl FnMut(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
    ) -> (oneshot::Receiver<Result<R, E>>, bool)
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let must_run = self.waiting.submit(lane, Box::new(Act { act, deadline, outcome: None, caller }), |job| job.is_gone());
        (answer, must_run)
    }

    /// Runs a lane until nothing waits in it.
    pub(super) fn run(&self, lane: i64, pool: &Pool) {
        self.waiting.run(lane, |first| {
            let again = match pool.begin(first.deadline(), &format!("BEGIN; SET LOCAL lock_timeout = '{LOCK_WAIT}'")) {
                Ok(mut conn) => self.group(lane, first, &mut conn),
                Err(e) => {
                    first.answer(Some(e));
                    Vec::new()
                }
            };
            for job in again {
                alone(job, pool);
            }
        });
    }

    /// Does the first and those behind it in the transaction that was begun; the answer is those that are to be done again.
    fn group(&self, lane: i64, first: Box<dyn Job>, conn: &mut Guard<'_>) -> Vec<Box<dyn Job>> {
        conn.group = Some(Group::default());
        let (mut done, mut failed) = (Vec::new(), None);
        let mut next = Some(first);
        while let Some(mut job) = next {
            // What is committed together is committed while all wait for it.
            conn.deadline = job.deadline().map(|deadline| deadline.or_sooner(conn.deadline)).or(conn.deadline);
            job.attempt(conn);
            if conn.group.as_ref().is_some_and(|group| group.failed) {
                failed = Some(job);
                break;
            }
            done.push(job);
            next = self.next(lane, done.len());
        }
        let (trouble, is_sent) = end(conn);
        // Where one's time was over nothing was committed, and those who still wait lose nothing by it.
        let is_over = |deadline: Option<Deadline>| deadline.is_some_and(|deadline| deadline.is_over());
        let (mut again, told): (Vec<_>, Vec<_>) = done.into_iter().partition(|job| !is_sent && !is_over(job.deadline()));
        for job in told {
            job.answer(trouble.clone());
        }
        again.extend(failed);
        again
    }

    /// The next act whose caller still waits, where there is room for one more.
    fn next(&self, lane: i64, done: usize) -> Option<Box<dyn Job>> {
        loop {
            let job = self.waiting.next_if(lane, |_| done < GROUP_MAX)?;
            match job.deadline().filter(Deadline::is_over) {
                Some(deadline) => job.answer(Some(deadline.no_answer())),
                None => return Some(job),
            }
        }
    }
}

/// Does one act in a transaction of its own.
fn alone(mut job: Box<dyn Job>, pool: &Pool) {
    match pool.begin(job.deadline(), "BEGIN") {
        Err(e) => job.answer(Some(e)),
        Ok(mut conn) => {
            job.attempt(&mut conn);
            let (trouble, _) = end(&mut conn);
            job.answer(trouble);
        }
    }
}

/// Commits; the answer is why that failed, and whether PostgreSQL was asked at all: it is not when the time is over.
fn end(conn: &mut Guard<'_>) -> (Option<Error>, bool) {
    conn.group = None;
    let trouble = conn.batch("COMMIT").err();
    let is_sent = !conn.is_late;
    if trouble.is_some() {
        let _ = conn.batch("ROLLBACK");
    }
    (trouble, is_sent)
}
