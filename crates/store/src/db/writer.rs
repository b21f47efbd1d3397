//! The one writer of a SQLite file: takes every closure that waits, runs them in one transaction, commits them together,
//! and only then answers. Where the first of them [`Keeps::Beside`], all of them are flushed beside the writer (see [`super::flushes`]). A closure that fails or panics undoes itself and nobody else: the first of a transaction with the
//! transaction, each later one by a savepoint of its own. (In a savepoint SQLite copies each page before it is changed and
//! looks through the copies after each statement, so the first, which is often the only one, goes without.)

use super::file::Found;
use super::flushes::{Flush, Flusher, Flushes};
use super::{Conn, Error, Tx};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Closures committed together at most; bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

/// Bytes that are to be free beside the file: a log grows to three times this before it is carried over.
const ROOM_BYTES: u64 = 32 << 20;

/// Pages of the log after which it is carried over, and in how many transactions they are written where nothing else is known.
const CARRIED_PAGES: i64 = 24_000;
const CARRIED_COMMITS: i64 = 400;

pub(super) type Answer = Box<dyn FnOnce(Option<Error>) + Send>;

/// Without a connection it is not run, only its answer made.
type Run = Box<dyn FnOnce(Option<(&mut Conn, Turn)>) -> Answer + Send>;

/// An act that waits.
struct Job {
    run: Run,
    keeps: Keeps,
}

/// When the disk is to have what an act wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Before the writer goes on.
    AtOnce,
    /// While the writer is at work on the next.
    Beside,
}

/// Which of a transaction's acts one is.
#[derive(Clone, Copy)]
enum Turn {
    First,
    Later,
}

pub(super) struct Writer {
    /// None only while it is dropped.
    jobs: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    flushes: Arc<Flushes>,
    file: Found,
}

impl Drop for Writer {
    /// Waits until the writer has done what it was handed and has closed its connection. With the last connection to a file SQLite
    /// carries its log over, so that what is left is one file and all of the database.
    fn drop(&mut self) {
        self.jobs = None;
        // A job or its answer may hold the last of the store: then this is the writer's own thread or its flusher's.
        let is_own = |t: &JoinHandle<()>| t.thread().id() == std::thread::current().id() || self.flushes.are_mine();
        if let Some(thread) = self.thread.take().filter(|t| !is_own(t)) {
            let _ = thread.join();
        }
    }
}

pub(super) fn gone() -> Error {
    Error::Engine("the database writer has stopped".into())
}

impl Writer {
    pub(super) fn start(conn: Conn, turn: File, file: Found, flush: Option<Flush>) -> Writer {
        let (jobs, queue) = mpsc::sync_channel(4 * GROUP_MAX);
        let thread = std::thread::Builder::new().name("sqlite-writer".into());
        let flushes = Arc::new(Flushes::default());
        let flusher = flush.map(|flush| Flusher::start(flush, flushes.clone()));
        let desk = Desk {
            turn,
            file: file.clone(),
            flushes: flushes.clone(),
            flusher,
            mode: Keeps::AtOnce,
            carried_every: CARRIED_COMMITS,
            until_carried: CARRIED_COMMITS,
            is_rescued: false,
        };
        let thread = thread.spawn(move || run(conn, desk, &queue)).expect("a thread");
        Writer { jobs: Some(jobs), thread: Some(thread), flushes, file }
    }

    /// Which commits the disk has.
    pub(super) fn flushes(&self) -> &Flushes {
        &self.flushes
    }

    /// Whether what is written is kept, and will be for some time.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.flushes.check()?;
        self.file.check()?;
        self.file.has_room(ROOM_BYTES)
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
        self.submit_to(Keeps::AtOnce, f, |result| drop(answer.send(result)));
        waiter
    }

    /// As [`Writer::submit`], but `told` hears the answer, on a thread that answers others too: it must neither wait nor ask the
    /// database.
    pub(super) fn submit_to<R, E>(
        &self,
        keeps: Keeps,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
        told: impl FnOnce(Result<R, E>) + Send + 'static,
    ) where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let run: Run = Box::new(move |conn| {
            let result = match conn {
                Some((conn, Turn::First)) => in_transaction(conn, f),
                Some((conn, Turn::Later)) => in_savepoint(conn, f),
                None => Err(gone().into()),
            };
            Box::new(move |commit_error| told(commit_error.map_or(result, |e| Err(e.into()))))
        });
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(Job { run, keeps }));
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
    flushes: Arc<Flushes>,
    /// None where SQLite keeps no log.
    flusher: Option<Flusher>,
    /// What the connection is set to.
    mode: Keeps,
    /// Transactions after which the log is carried over where SQLite does not do so by itself, and until that is next.
    carried_every: i64,
    until_carried: i64,
    /// A flush had failed, and what could be done then was done.
    is_rescued: bool,
}

impl Desk {
    /// Sets the connection to flush in the commit or not at all. Without a flush it does not carry the log over in a commit either.
    fn set(&mut self, conn: &mut Conn, mode: Keeps) -> Result<(), Error> {
        if self.mode != mode {
            conn.batch(match mode {
                Keeps::AtOnce => "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=24000",
                Keeps::Beside => "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0",
            })?;
            self.mode = mode;
        }
        Ok(())
    }

    /// Commits; the answers are made when the disk has it.
    fn commit(&mut self, conn: &mut Conn, text: &str, answers: Vec<Answer>) {
        let Some(flusher) = self.flusher.as_ref().filter(|_| self.mode == Keeps::Beside) else {
            let trouble = end(conn, text);
            return self.answer(trouble, answers);
        };
        let number = self.flushes.begin();
        match end(conn, text) {
            None => flusher.hand(number, answers),
            trouble => {
                // Nothing is to be kept of it: its number is when those before it are.
                flusher.hand(number, Vec::new());
                self.answer(trouble, answers);
            }
        }
        self.carry_over(conn);
    }

    /// Answers acts that wrote nothing, or whose writing is kept. What they found may be kept a moment later.
    fn answer(&self, trouble: Option<Error>, answers: Vec<Answer>) {
        answer_all(trouble.or_else(|| self.flushes.wait().err()), answers);
    }

    /// Carries the log over between transactions, so that nobody who reads waits for it. Readers who still look at what was may leave
    /// it unfinished: then it is tried again soon.
    fn carry_over(&mut self, conn: &mut Conn) {
        self.until_carried -= 1;
        if self.until_carried > 0 {
            return;
        }
        let told = Tx { conn }.row::<(i64, i64, i64)>("PRAGMA wal_checkpoint(PASSIVE)", &[]);
        self.until_carried = match told {
            Ok(Some((_, log, carried))) if log == carried => {
                self.carried_every =
                    (self.carried_every * CARRIED_PAGES / log.max(1)).clamp(CARRIED_COMMITS / 40, CARRIED_COMMITS);
                self.carried_every
            }
            _ => CARRIED_COMMITS / 40,
        };
    }

    /// SQLite gives its lock to whoever asks at the right moment, so a process that writes without a pause (an import) keeps
    /// others out until their patience ends. Whoever waits therefore holds the turnstile, and the other must wait behind it.
    fn begin(&mut self, conn: &mut Conn, keeps: Keeps) -> Result<(), Error> {
        if let Err(lost) = self.flushes.check() {
            if !std::mem::replace(&mut self.is_rescued, true) {
                // What the system still has of the log goes into the file, so that who starts again does not build on a hole.
                let _ = conn.batch("PRAGMA wal_checkpoint(TRUNCATE)");
            }
            return Err(lost);
        }
        self.file.check()?;
        self.set(conn, if self.flusher.is_some() { keeps } else { Keeps::AtOnce })?;
        let _ = self.turn.lock();
        let begun = conn.batch("BEGIN IMMEDIATE");
        let _ = self.turn.unlock();
        begun
    }
}

/// One answer that panics is not to keep the others from theirs.
pub(super) fn answer_all(trouble: Option<Error>, answers: Vec<Answer>) {
    for answer in answers {
        let _ = catch_unwind(AssertUnwindSafe(|| answer(trouble.clone())));
    }
}

/// Commits; the answer is why that failed.
fn end(conn: &mut Conn, text: &str) -> Option<Error> {
    let trouble = conn.batch(text).err();
    if trouble.is_some() {
        let _ = conn.batch("ROLLBACK");
    }
    trouble
}

fn run(mut conn: Conn, mut desk: Desk, queue: &mpsc::Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut next = Some(first);
        while let Some(first) = next.take() {
            next = group(&mut conn, &mut desk, queue, first);
        }
    }
}

/// Runs a job and those that wait behind it in one transaction; the answer is one that could not be taken into it.
fn group(conn: &mut Conn, desk: &mut Desk, queue: &mpsc::Receiver<Job>, first: Job) -> Option<Job> {
    if let Err(e) = desk.begin(conn, first.keeps) {
        let _ = conn.batch("ROLLBACK");
        (first.run)(None)(Some(e));
        return None;
    }
    conn.group = Some(super::Group::default());
    let mut answers = vec![(first.run)(Some((&mut *conn, Turn::First)))];
    let (mut later, mut lost) = (None, None);
    while conn.group.is_some() && answers.len() < GROUP_MAX {
        let Ok(job) = queue.try_recv() else { break };
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
        answers.push((job.run)(Some((&mut *conn, Turn::Later))));
    }
    let is_open = conn.group.take().is_some() && lost.is_none();
    // The first savepoint is not there any more where SQLite undid the transaction, and without one there is nothing to commit.
    let end = if answers.len() > 1 { "RELEASE SAVEPOINT whole_group; COMMIT" } else { "COMMIT" };
    if is_open {
        desk.commit(conn, end, answers);
    } else {
        if lost.is_some() {
            let _ = conn.batch("ROLLBACK");
        }
        desk.answer(lost, answers);
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
