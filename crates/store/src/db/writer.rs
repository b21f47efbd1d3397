//! The one writer of a SQLite file: takes every closure that waits, runs them in one transaction and commits them together. They are
//! answered when the disk has them, which the writer does not wait for (see [`super::flushes`]). A closure that fails or panics undoes itself and nobody else: the first of a transaction with the
//! transaction, each later one by a savepoint of its own. (In a savepoint SQLite copies each page before it is changed and
//! looks through the copies after each statement, so the first, which is often the only one, goes without.)

use super::file::Found;
use super::flushes::{Flush, Flushes};
use super::patience::now;
use super::{Conn, Error, Tx};
use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Closures committed together at most; bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

/// Closures that wait at most; whoever brings another waits for room.
const WAITING_MAX: usize = 4 * GROUP_MAX;

/// Bytes that are to be free beside the file: a log grows to three times this before it is carried over.
const ROOM_BYTES: u64 = 32 << 20;

type Answer = Box<dyn FnOnce(Option<Error>) + Send>;
/// Without a connection the job is not run, only its answer made.
type Job = Box<dyn FnOnce(Option<(&mut Conn, Turn)>) -> Answer + Send>;

/// Which of a transaction's acts one is.
#[derive(Clone, Copy)]
enum Turn {
    First,
    Later,
}

pub(super) struct Writer {
    queue: Arc<Queue>,
    flushes: Arc<Flushes>,
    thread: Option<JoinHandle<()>>,
    /// The writer's and the flusher's.
    own: [ThreadId; 2],
    file: Found,
}

impl Drop for Writer {
    /// Waits until the writer has done what it was handed and has closed its connection. With the last connection to a file SQLite
    /// carries its log over, so that what is left is one file and all of the database.
    fn drop(&mut self) {
        self.queue.close(false);
        // A job or its answer may hold the last of the store: then this is a thread of the writer's own.
        if let Some(thread) = self.thread.take().filter(|_| !self.own.contains(&std::thread::current().id())) {
            let _ = thread.join();
        }
    }
}

pub(super) fn gone() -> Error {
    Error::Engine("the database writer has stopped".into())
}

impl Writer {
    pub(super) fn start(mut conn: Conn, turn: File, file: Found, flush: Flush) -> Result<Writer, Error> {
        conn.batch("PRAGMA synchronous=NORMAL")?;
        let (queue, flushes) = (Arc::new(Queue::default()), Arc::new(Flushes::default()));
        let (hand, handed) = mpsc::channel();
        let flusher = std::thread::Builder::new().name("sqlite-flusher".into());
        let of_flusher = (queue.clone(), flushes.clone());
        let flusher = flusher.spawn(move || flush_all(flush, &handed, &of_flusher.0, &of_flusher.1)).expect("a thread");
        let flusher_id = flusher.thread().id();
        let desk = Desk { turn, file: file.clone(), queue: queue.clone(), flushes: flushes.clone(), hand };
        let thread = std::thread::Builder::new().name("sqlite-writer".into());
        let thread = thread.spawn(move || {
            run(conn, desk);
            let _ = flusher.join();
        });
        let thread = thread.expect("a thread");
        Ok(Writer { queue, flushes, own: [thread.thread().id(), flusher_id], thread: Some(thread), file })
    }

    /// Whether what is written is kept, and will be for some time.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.flushes.check()?;
        self.file.check()?;
        self.file.has_room(ROOM_BYTES)
    }

    /// Which commits the disk has.
    pub(super) fn flushes(&self) -> &Arc<Flushes> {
        &self.flushes
    }

    pub(super) fn submit<R, E>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
    ) -> oneshot::Receiver<Result<R, E>>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, waiter) = oneshot::channel();
        // A closed queue drops the job and with it the answer's sender: the waiter is told that way.
        self.submit_to(f, |result| drop(answer.send(result)));
        waiter
    }

    /// As [`Writer::submit`], but the answer is handed to `told`, on a thread that must not be held.
    pub(super) fn submit_to<R, E>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
        told: impl FnOnce(Result<R, E>) + Send + 'static,
    ) where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.queue.push(Box::new(move |conn| {
            let result = match conn {
                Some((conn, Turn::First)) => in_transaction(conn, f),
                Some((conn, Turn::Later)) => in_savepoint(conn, f),
                None => Err(gone().into()),
            };
            Box::new(move |commit_error| told(commit_error.map_or(result, |e| Err(e.into()))))
        }));
    }

    /// How long the last flush took.
    pub(super) fn flush_took(&self) -> Duration {
        self.queue.lock().flush_took
    }
}

/// What waits for the writer.
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    /// For the writer: a job came, a flush ended, or none will come any more.
    news: Condvar,
    /// For those who bring a job: there is room.
    room: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
    is_flushing: bool,
    /// How long the last flush took.
    flush_took: Duration,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().expect("the writer's queue lock")
    }

    fn push(&self, job: Job) {
        let mut state = self.lock();
        while state.jobs.len() >= WAITING_MAX && !state.is_closed {
            state = self.room.wait(state).expect("the writer's queue lock");
        }
        if !state.is_closed {
            state.jobs.push_back(job);
            self.news.notify_one();
        }
    }

    /// Takes no job any more; those that wait are done, or dropped.
    fn close(&self, drops: bool) {
        let mut state = self.lock();
        state.is_closed = true;
        let dropped = if drops { std::mem::take(&mut state.jobs) } else { VecDeque::new() };
        drop(state);
        drop(dropped);
        self.news.notify_one();
        self.room.notify_all();
    }

    /// The first of a transaction; none when all is done.
    fn first(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = self.take(&mut state) {
                return Some(job);
            }
            if state.is_closed {
                return None;
            }
            state = self.news.wait(state).expect("the writer's queue lock");
        }
    }

    /// The next of a transaction with so many acts, or none where it is to be committed. It is not before the one in front of it is
    /// flushed. Where the work takes longer than a flush it is as soon as half of all have been done, so that there is work
    /// while the disk takes it; else all that wait share the flush.
    fn next(&self, done: usize, began: Instant) -> Option<Job> {
        let mut state = self.lock();
        loop {
            let waiting = state.jobs.len();
            let halves = || done >= waiting && began.elapsed() * (done + waiting) as u32 / done as u32 > state.flush_took;
            if !state.is_flushing && (waiting == 0 || done >= GROUP_MAX || halves()) {
                return None;
            }
            if done < GROUP_MAX
                && let Some(job) = self.take(&mut state)
            {
                return Some(job);
            }
            state = self.news.wait(state).expect("the writer's queue lock");
        }
    }

    fn take(&self, state: &mut Waiting) -> Option<Job> {
        let job = state.jobs.pop_front()?;
        if state.jobs.len() == WAITING_MAX - 1 {
            self.room.notify_all();
        }
        Some(job)
    }

    /// Waits until nothing is being flushed.
    fn rest(&self) {
        let state = self.lock();
        drop(self.news.wait_while(state, |state| state.is_flushing).expect("the writer's queue lock"));
    }

    fn flush_begins(&self) {
        self.lock().is_flushing = true;
    }

    fn flush_ended(&self, took: Duration) {
        let mut state = self.lock();
        (state.is_flushing, state.flush_took) = (false, took);
        self.news.notify_one();
    }
}

/// Flushes what each transaction wrote and answers its callers, until there is no writer.
fn flush_all(mut flush: Flush, handed: &mpsc::Receiver<Vec<Answer>>, queue: &Queue, flushes: &Flushes) {
    while let Ok(answers) = handed.recv() {
        let began = now();
        match flush() {
            Ok(()) => flushes.keep(),
            Err(e) => flushes.lose(&e),
        }
        let trouble = flushes.check().err();
        // The writer goes on meanwhile.
        queue.flush_ended(began.elapsed());
        for answer in answers {
            answer(trouble.clone());
        }
    }
}

/// Runs the first act of a transaction: its failure undoes the transaction.
fn in_transaction<R, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
    let result = run_act(conn, f);
    if result.is_err() {
        conn.group = None;
        // SQLite may have undone it already; what cannot be undone is in the way of the next transaction, which tries again.
        let _ = conn.batch("ROLLBACK");
    }
    result
}

/// Runs an act; a panic is a failure.
fn run_act<R, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
    catch_unwind(AssertUnwindSafe(|| f(&mut Tx { conn })))
        .unwrap_or_else(|_| Err(Error::Engine("the transaction panicked and was undone".into()).into()))
}

/// Runs one act of a group: its failure undoes only what it did. The savepoint of an act that ended well is released by
/// the next act or the commit.
pub(super) fn in_savepoint<R, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
    let open = conn.group.as_ref().is_some_and(|group| group.open);
    conn.batch(if open { "RELEASE SAVEPOINT act; SAVEPOINT act" } else { "SAVEPOINT act" })?;
    if let Some(group) = &mut conn.group {
        group.open = true;
    }
    let result = run_act(conn, f);
    if result.is_err() {
        // Locks taken since the savepoint go with it.
        if let Some(group) = &mut conn.group {
            (group.open, group.catalogue) = (false, None);
            group.held.clear();
        }
        conn.batch("ROLLBACK TO SAVEPOINT act; RELEASE SAVEPOINT act")?;
    }
    result
}

/// What the writer's thread has beside its connection.
struct Desk {
    turn: File,
    file: Found,
    queue: Arc<Queue>,
    flushes: Arc<Flushes>,
    hand: mpsc::Sender<Vec<Answer>>,
}

impl Drop for Desk {
    /// However the thread ends, nobody waits for it in vain.
    fn drop(&mut self) {
        self.queue.close(true);
    }
}

impl Desk {
    /// SQLite gives its lock to whoever asks at the right moment, so a process that writes without a pause (an import) keeps
    /// others out until their patience ends. Whoever waits therefore holds the turnstile, and the other must wait behind it.
    fn begin(&self, conn: &mut Conn) -> Result<(), Error> {
        self.flushes.check()?;
        self.file.check()?;
        let _ = self.turn.lock();
        let begun = conn.batch("BEGIN IMMEDIATE");
        let _ = self.turn.unlock();
        begun
    }

    /// Ends the transaction and sees to it that its callers are answered.
    fn end(&self, conn: &mut Conn, end: Result<&str, Error>, answers: Vec<Answer>) {
        // What is flushed is one transaction at a time.
        self.queue.rest();
        let done = self.flushes.check().and(end).and_then(|text| {
            self.flushes.begin();
            conn.batch(text).inspect_err(|_| self.flushes.keep())
        });
        match done {
            Ok(()) => {
                self.queue.flush_begins();
                // It is there as long as the writer is.
                let _ = self.hand.send(answers);
            }
            Err(trouble) => {
                let _ = conn.batch("ROLLBACK");
                for answer in answers {
                    answer(Some(trouble.clone()));
                }
            }
        }
    }
}

fn run(mut conn: Conn, desk: Desk) {
    while let Some(first) = desk.queue.first() {
        let mut next = Some(first);
        while let Some(first) = next.take() {
            next = group(&mut conn, &desk, first);
        }
    }
}

/// Runs a job and those that wait behind it in one transaction; the answer is one that could not be taken into it.
fn group(conn: &mut Conn, desk: &Desk, first: Job) -> Option<Job> {
    if let Err(e) = desk.begin(conn) {
        let _ = conn.batch("ROLLBACK");
        first(None)(Some(e));
        return None;
    }
    conn.group = Some(super::Group::default());
    let began = now();
    let mut answers = vec![first(Some((&mut *conn, Turn::First)))];
    let (mut later, mut lost) = (None, None);
    while conn.group.is_some() {
        let Some(job) = desk.queue.next(answers.len(), began) else { break };
        // After some errors (a full disk) SQLite undoes the whole transaction by itself, and a savepoint would begin another. Then
        // nothing of the group may count: some of it is gone. Where a transaction is open none can be begun.
        if answers.len() == 1 && conn.batch("BEGIN; ROLLBACK").is_ok() {
            (later, lost) = (Some(job), Some(undone()));
            break;
        }
        if answers.len() == 1
            && let Err(e) = conn.batch("SAVEPOINT whole_group")
        {
            (later, lost) = (Some(job), Some(e));
            break;
        }
        answers.push(job(Some((&mut *conn, Turn::Later))));
    }
    let is_open = conn.group.take().is_some();
    // The first savepoint is not there any more where SQLite undid the transaction, and without one there is nothing to commit.
    let text = if answers.len() > 1 { "RELEASE SAVEPOINT whole_group; COMMIT" } else { "COMMIT" };
    if is_open || lost.is_some() {
        desk.end(conn, lost.map_or(Ok(text), Err), answers);
    } else {
        // The first failed and undid the transaction: nothing was written, but what it found may have been a moment before.
        let trouble = desk.flushes.wait().err();
        for answer in answers {
            answer(trouble.clone());
        }
    }
    later
}

fn undone() -> Error {
    Error::Engine("the database undid the transaction".into())
}

#[cfg(test)]
mod tests {
    use crate::binds;
    use crate::db::{Error, Place, Store, Tx};
    use std::sync::mpsc::channel;

    fn rows(store: &Store) -> Vec<i64> {
        let found = store.read(|tx| tx.rows::<(i64,)>("SELECT n FROM t ORDER BY n", &[])).expect("the table is there");
        found.into_iter().map(|r| r.0).collect()
    }

    fn add(n: i64) -> impl FnOnce(&mut Tx<'_>) -> Result<usize, Error> + Send {
        move |tx| tx.run("INSERT INTO t (n, bytes) VALUES (?, ?)", &binds![n, Some([7_u8; 100].as_slice())])
    }

    /// A file that may grow no more is to SQLite what a full disk is: it undoes the whole transaction.
    #[test]
    fn what_was_answered_as_done_is_there_though_the_disk_was_full_in_between() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(Place::File(folder.path().join("t.db")), 2).expect("it opens");
        store.write(|tx| tx.conn.batch("CREATE TABLE t (n BIGINT PRIMARY KEY, bytes BLOB)")).expect("made");
        store.write(add(1)).expect("added");
        let writer = store.inner.writer.as_ref().expect("SQLite has a writer");
        let (go, wait) = channel::<()>();
        let first = writer.submit(move |_| wait.recv().map_err(|e| Error::Engine(e.to_string())));
        let before = writer.submit(add(2));
        let full = writer.submit(|tx| {
            tx.conn.batch("PRAGMA max_page_count = 1")?;
            tx.run("INSERT INTO t (n, bytes) VALUES (?, ?)", &binds![3, Some(vec![7_u8; 1 << 20].as_slice())])
        });
        let after = writer.submit(|tx: &mut Tx<'_>| {
            tx.conn.batch("PRAGMA max_page_count = 1000000")?;
            add(4)(tx)
        });
        go.send(()).expect("the first waits");
        let done =
            [first.blocking_recv().map(|r| r.map(|()| 0)), before.blocking_recv(), full.blocking_recv(), after.blocking_recv()];
        let done: Vec<bool> = done.into_iter().map(|told| told.expect("answered").is_ok()).collect();
        assert!(!done[2], "there was no room for it");
        let there: Vec<i64> =
            [(1, true), (2, done[1]), (4, done[3])].into_iter().filter(|(_, done)| *done).map(|(n, _)| n).collect();
        assert_eq!(rows(&store), there, "what was answered as done is there, and nothing else: {done:?}");
        store.write(|tx: &mut Tx<'_>| tx.conn.batch("PRAGMA max_page_count = 1000000")).expect("there is room again");
        store.write(add(5)).expect("the writer goes on");
    }

    /// The first act of a transaction has no savepoint that would be missing: it hides that the database undid it all.
    #[test]
    fn what_the_first_act_hides_is_told_and_those_behind_it_are_done() {
        for many in [0, 2] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = Store::open(Place::File(folder.path().join("t.db")), 2).expect("it opens");
            store.write(|tx| tx.conn.batch("CREATE TABLE t (n BIGINT PRIMARY KEY, bytes BLOB)")).expect("made");
            let writer = store.inner.writer.as_ref().expect("SQLite has a writer");
            let (go, wait) = channel::<()>();
            let first = writer.submit(move |tx| {
                wait.recv().map_err(|e| Error::Engine(e.to_string()))?;
                add(1)(tx)?;
                tx.conn.batch("PRAGMA max_page_count = 1")?;
                let full = tx.run("INSERT INTO t (n, bytes) VALUES (?, ?)", &binds![2, Some(vec![7_u8; 1 << 20].as_slice())]);
                assert!(full.is_err(), "there was no room for it");
                tx.conn.batch("PRAGMA max_page_count = 1000000").map(|()| 1)
            });
            let behind: Vec<_> = (0..many).map(|n| writer.submit(add(10 + n))).collect();
            go.send(()).expect("the first waits");
            assert!(first.blocking_recv().expect("answered").is_err(), "nothing of it is there");
            for one in behind {
                one.blocking_recv().expect("answered").expect("it is done in a transaction of its own");
            }
            assert_eq!(rows(&store), (10..10 + many).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_act_that_fails_or_panics_undoes_itself_and_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(Place::File(folder.path().join("t.db")), 2).expect("it opens");
        store.write(|tx| tx.conn.batch("CREATE TABLE t (n BIGINT PRIMARY KEY, bytes BLOB)")).expect("made");
        let writer = store.inner.writer.as_ref().expect("SQLite has a writer");
        // Which of the acts that wait together is bad, and how.
        for (turn, (bad, panics)) in [(0, false), (0, true), (1, false), (1, true), (2, false), (2, true)].into_iter().enumerate()
        {
            let (go, wait) = channel::<()>();
            let mut wait = Some(wait);
            let numbers: Vec<i64> = (0..3).map(|n| 10 * (turn as i64 + 1) + n).collect();
            let asked: Vec<_> = numbers
                .iter()
                .enumerate()
                .map(|(i, n)| {
                    let (n, wait) = (*n, wait.take());
                    writer.submit(move |tx| {
                        wait.map_or(Ok(()), |w| w.recv()).map_err(|e| Error::Engine(e.to_string()))?;
                        add(n)(tx)?;
                        assert!(!(i == bad && panics), "a panic that is wanted");
                        if i == bad { Err(Error::Engine("no".into())) } else { Ok(n) }
                    })
                })
                .collect();
            go.send(()).expect("the first waits");
            for (i, one) in asked.into_iter().enumerate() {
                assert_eq!(one.blocking_recv().expect("answered").is_err(), i == bad, "{turn}: {i}");
            }
            let there = rows(&store).into_iter().filter(|n| numbers.contains(n)).collect::<Vec<_>>();
            assert_eq!(there, numbers.iter().copied().filter(|n| *n != numbers[bad]).collect::<Vec<_>>(), "{turn}");
        }
    }
}
