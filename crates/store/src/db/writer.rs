//! The one writer of a SQLite file: takes every closure that waits, runs each in a savepoint, commits them together,
//! and only then answers. A closure that fails or panics undoes itself and nobody else.

use super::{Conn, Error, Tx};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Closures committed together at most; bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

type Answer = Box<dyn FnOnce(Option<Error>) + Send>;
/// Without a connection the job is not run, only its answer made.
type Job = Box<dyn FnOnce(Option<&mut Conn>) -> Answer + Send>;

pub(super) struct Writer {
    jobs: mpsc::SyncSender<Job>,
}

pub(super) fn gone() -> Error {
    Error::Engine("the database writer has stopped".into())
}

impl Writer {
    pub(super) fn start(conn: Conn, turn: File) -> Writer {
        let (jobs, queue) = mpsc::sync_channel(4 * GROUP_MAX);
        std::thread::Builder::new().name("sqlite-writer".into()).spawn(move || run(conn, &turn, &queue)).expect("a thread");
        Writer { jobs }
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
        let job: Job = Box::new(move |conn| {
            let result = match conn {
                Some(conn) => in_savepoint(conn, f),
                None => Err(gone().into()),
            };
            Box::new(move |commit_error| {
                let _ = answer.send(match commit_error {
                    Some(e) => Err(e.into()),
                    None => result,
                });
            })
        });
        // A closed queue drops the job and with it the answer's sender: the waiter is told that way.
        let _ = self.jobs.send(job);
        waiter
    }
}

/// Runs one act of a group: its failure undoes only what it did. The savepoint of an act that ended well is released by
/// the next act or the commit.
pub(super) fn in_savepoint<R, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
    let open = conn.group.as_ref().is_some_and(|group| group.open);
    conn.batch(if open { "RELEASE SAVEPOINT act; SAVEPOINT act" } else { "SAVEPOINT act" })?;
    if let Some(group) = &mut conn.group {
        group.open = true;
    }
    let result = catch_unwind(AssertUnwindSafe(|| f(&mut Tx { conn })));
    if !matches!(result, Ok(Ok(_))) {
        // Locks taken since the savepoint go with it.
        if let Some(group) = &mut conn.group {
            (group.open, group.catalogue) = (false, None);
            group.held.clear();
        }
        conn.batch("ROLLBACK TO SAVEPOINT act; RELEASE SAVEPOINT act")?;
    }
    result.unwrap_or_else(|_| Err(Error::Engine("the transaction panicked and was undone".into()).into()))
}

/// SQLite gives its lock to whoever asks at the right moment, so a process that writes without a pause (an import) keeps
/// others out until their patience ends. Whoever waits therefore holds the turnstile, and the other must wait behind it.
fn begin(conn: &mut Conn, turn: &File) -> Result<(), Error> {
    let _ = turn.lock();
    let begun = conn.batch("BEGIN IMMEDIATE; SAVEPOINT whole_group");
    let _ = turn.unlock();
    begun
}

fn run(mut conn: Conn, turn: &File, queue: &mpsc::Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        if let Err(e) = begin(&mut conn, turn) {
            let _ = conn.batch("ROLLBACK");
            first(None)(Some(e));
            continue;
        }
        conn.group = Some(super::Group::default());
        let mut answers = vec![first(Some(&mut conn))];
        while answers.len() < GROUP_MAX {
            match queue.try_recv() {
                Ok(job) => answers.push(job(Some(&mut conn))),
                Err(_) => break,
            }
        }
        conn.group = None;
        // After some errors (a full disk) SQLite undoes the whole transaction by itself, and the next savepoint begins another. Then the
        // first savepoint is not there any more, and nothing of the group may count: some of it is gone.
        let committed = conn.batch("RELEASE SAVEPOINT whole_group; COMMIT");
        if committed.is_err() {
            let _ = conn.batch("ROLLBACK");
        }
        for answer in answers {
            answer(committed.as_ref().err().map(|e| Error::Engine(e.to_string())));
        }
    }
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
}
