//! Flushes of a SQLite file's log beside its writer, for acts that come so fast that the disk had better be at work while the next are.
//!
//! As a rule SQLite flushes inside the commit, and the writer waits for it. Here the commit only writes the log
//! (`synchronous=NORMAL`, under which SQLite still flushes around each time it carries its log over), a thread of its own flushes it,
//! and only then is anybody answered: those whose acts it holds, and those who read what it holds. (Another process that reads the file
//! may see it sooner, by as much as the flush takes; what that one writes is flushed together with what it saw.)
//!
//! A flush that fails is not tried again: the system may have dropped what it could not write, and would call the next one done.
//! Then nothing is written or read any more until the program is started again, as PostgreSQL does it too.

use super::patience::now;
use super::writer::{Answer, answer_all};
use super::{Conn, Error, Tx};
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, mpsc};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;
use tokio::sync::Notify;

/// Makes the disk keep what was written.
pub(super) type Flush = Box<dyn FnMut() -> io::Result<()> + Send>;

/// Which commits the disk has, of those that are flushed here. They are numbered from 1.
#[derive(Default)]
pub(super) struct Flushes {
    /// The last that has begun; what it wrote may be seen before it ends.
    begun: AtomicU64,
    /// The last of those that are kept, or were not made.
    kept: AtomicU64,
    /// Why a flush failed.
    lost: Mutex<Option<String>>,
    /// Told when one is kept or lost: to threads, and to tasks.
    turned: Condvar,
    turned_async: Notify,
    /// How long the last flush took, in nanoseconds.
    took: AtomicU64,
    /// The flusher's.
    thread: OnceLock<ThreadId>,
}

impl Flushes {
    /// A commit begins; the answer is its number.
    pub(super) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn keep(&self, number: u64) {
        let lost = self.lost.lock().expect("flushes lock");
        self.kept.store(number, Ordering::SeqCst);
        drop(lost);
        self.turned.notify_all();
        self.turned_async.notify_waiters();
    }

    fn lose(&self, why: &str) -> Error {
        let words = format!(
            "the disk did not keep what was written ({why}); nothing is read or written any more: look at the disk and start again"
        );
        tracing::error!("{words}");
        *self.lost.lock().expect("flushes lock") = Some(words.clone());
        self.turned.notify_all();
        self.turned_async.notify_waiters();
        Error::Lost(words)
    }

    /// Whether a flush has failed.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.lost.lock().expect("flushes lock").clone().map_or(Ok(()), |words| Err(Error::Lost(words)))
    }

    /// Waits until what was seen until now is kept.
    pub(super) fn wait(&self) -> Result<(), Error> {
        let seen = self.begun.load(Ordering::SeqCst);
        if self.has(seen) {
            return Ok(());
        }
        let mut lost = self.lost.lock().expect("flushes lock");
        while !self.has(seen) {
            if let Some(words) = &*lost {
                return Err(Error::Lost(words.clone()));
            }
            lost = self.turned.wait(lost).expect("flushes lock");
        }
        Ok(())
    }

    /// As [`Flushes::wait`], for tasks.
    pub(super) async fn wait_async(&self) -> Result<(), Error> {
        let seen = self.begun.load(Ordering::SeqCst);
        while !self.has(seen) {
            let turned = self.turned_async.notified();
            // It may have turned before it was listened to.
            if !self.has(seen) {
                self.check()?;
                turned.await;
            }
        }
        Ok(())
    }

    fn has(&self, number: u64) -> bool {
        self.kept.load(Ordering::SeqCst) >= number
    }

    /// How long the last flush took.
    pub(super) fn took(&self) -> Duration {
        Duration::from_nanos(self.took.load(Ordering::Relaxed))
    }

    /// Whether it is the flusher that asks.
    pub(super) fn are_mine(&self) -> bool {
        self.thread.get().is_some_and(|id| *id == std::thread::current().id())
    }
}

/// The thread that flushes, and answers those who wait for it.
pub(super) struct Flusher {
    /// None only while it is dropped.
    hand: Option<mpsc::Sender<Handed>>,
    thread: Option<JoinHandle<()>>,
    flushes: Arc<Flushes>,
}

/// A commit's number, and who waits for it.
type Handed = (u64, Vec<Answer>);

impl Flusher {
    pub(super) fn start(flush: Flush, flushes: Arc<Flushes>) -> Flusher {
        let (hand, handed) = mpsc::channel();
        let thread = std::thread::Builder::new().name("sqlite-flusher".into());
        let of_thread = flushes.clone();
        let thread = thread.spawn(move || run(flush, &handed, &of_thread)).expect("a thread");
        let _ = flushes.thread.set(thread.thread().id());
        Flusher { hand: Some(hand), thread: Some(thread), flushes }
    }

    /// Has a commit flushed, and then answers.
    pub(super) fn hand(&self, number: u64, answers: Vec<Answer>) {
        let Some(Err(mpsc::SendError((_, answers)))) = self.hand.as_ref().map(|hand| hand.send((number, answers))) else {
            return;
        };
        let trouble = self.flushes.lose("the thread that flushes has ended");
        answers.into_iter().for_each(|answer| answer(Some(trouble.clone())));
    }
}

impl Drop for Flusher {
    /// Waits until all is flushed that was handed over.
    fn drop(&mut self) {
        self.hand = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Flushes what was handed over, all of it at once, until there is no writer.
fn run(mut flush: Flush, handed: &mpsc::Receiver<Handed>, flushes: &Flushes) {
    while let Ok((mut number, mut answers)) = handed.recv() {
        for (later, more) in handed.try_iter() {
            number = later;
            answers.extend(more);
        }
        let trouble = flushes.check().err().or_else(|| {
            let began = now();
            let done = catch_unwind(AssertUnwindSafe(&mut flush)).unwrap_or_else(|_| Err(io::Error::other("a panic")));
            flushes.took.store(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
            match done {
                Ok(()) => {
                    flushes.keep(number);
                    None
                }
                Err(e) => Some(flushes.lose(&e.to_string())),
            }
        });
        answer_all(trouble, answers);
    }
}

/// Flushes the log of the file that the connection has open; none where SQLite keeps no log, as on some network file systems.
pub(super) fn of_log(conn: &mut Conn) -> Result<Option<Flush>, Error> {
    let mode = Tx { conn }.row::<(String,)>("PRAGMA journal_mode", &[])?;
    if mode.is_none_or(|(mode,)| mode != "wal") {
        return Ok(None);
    }
    let path = log_path(conn)?;
    // SQLite's locks lie on its other files, so that closing this one gives none of them up.
    let mut log = File::open(&path).ok();
    Ok(Some(Box::new(move || {
        // Of a database that may only be read there may be none.
        let opened = log.take().map_or_else(|| File::open(&path), Ok)?;
        log.insert(opened).sync_data()
    })))
}

/// Where it lies, as SQLite knows it: without links and parameters.
fn log_path(conn: &mut Conn) -> Result<String, Error> {
    let file = Tx { conn }.row::<(String,)>("SELECT file FROM pragma_database_list WHERE name = 'main'", &[])?;
    Ok(file.map(|(file,)| file + "-wal").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::Flush;
    use crate::binds;
    use crate::db::writer::Keeps;
    use crate::db::{Conn, Error, Place, Store, Tx};
    use std::io;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Duration;
    use tokio::sync::oneshot;

    /// A database whose acts beside the writer are flushed that way.
    fn open(path: &Path, flush: impl FnMut() -> io::Result<()> + Send + 'static) -> Store {
        let flush: Flush = Box::new(flush);
        let store = Store::open_flushed(Place::File(path.to_owned()), 4, |_| Ok(Some(flush))).expect("it opens");
        store.write(|tx| tx.conn.batch("CREATE TABLE t (n BIGINT PRIMARY KEY)")).expect("made");
        store
    }

    fn beside(
        store: &Store,
        f: impl FnOnce(&mut Tx<'_>) -> Result<usize, Error> + Send + 'static,
    ) -> oneshot::Receiver<Result<usize, Error>> {
        let (answer, waiter) = oneshot::channel();
        let writer = store.inner.writer.as_ref().expect("SQLite has a writer");
        writer.submit_to(Keeps::Beside, f, |told| drop(answer.send(told)));
        waiter
    }

    fn add(n: i64) -> impl FnOnce(&mut Tx<'_>) -> Result<usize, Error> + Send {
        move |tx| tx.run("INSERT INTO t (n) VALUES (?)", &binds![n])
    }

    fn numbers(tx: &mut Tx<'_>) -> Result<Vec<i64>, Error> {
        Ok(tx.rows::<(i64,)>("SELECT n FROM t ORDER BY n", &[])?.into_iter().map(|r| r.0).collect())
    }

    /// Reads the numbers in each of the ways there are, the last one beside others in a task; what is read comes by the channel.
    fn read_all_ways(store: &Store) -> mpsc::Receiver<usize> {
        let (tell, told) = mpsc::channel();
        for way in 0..4 {
            let (store, tell) = (store.clone(), tell.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                let found = match way {
                    0 => store.read(numbers).map(|n| n.len()),
                    1 => store.look(numbers).map(|n| n.len()),
                    2 => runtime.block_on(store.card("89860000000000000001")).map(|found| usize::from(found.is_none())),
                    _ => {
                        let seen = store.as_seen().read(numbers).map(|n| n.len());
                        runtime.block_on(store.kept()).and(seen)
                    }
                };
                let _ = tell.send(found.expect("it is read"));
            });
        }
        told
    }

    #[test]
    fn nobody_is_told_of_what_the_disk_has_not_yet_and_the_writer_works_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let (flushing, at_flush) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let store = open(&folder.path().join("t.db"), move || {
            let _ = flushing.send(());
            let _ = may_go.recv();
            Ok(())
        });
        let mut written = beside(&store, add(1));
        at_flush.recv().expect("it is flushed");
        let told = read_all_ways(&store);
        let wait = Duration::from_millis(300);
        assert_eq!(told.recv_timeout(wait), Err(RecvTimeoutError::Timeout), "a cut of the current could take it back");
        let refused = store.inner.writer.as_ref().expect("SQLite has a writer").submit(add(1));
        let (works, at_work) = mpsc::channel();
        let mut later = beside(&store, move |tx| {
            works.send(()).expect("it is waited for");
            add(2)(tx)
        });
        assert!(written.try_recv().is_err() && later.try_recv().is_err(), "nobody is answered before the flush");
        (0..3).for_each(|_| go.send(()).expect("the flush waits"));
        at_work.recv().expect("the writer is at work");
        written.blocking_recv().expect("answered").expect("written");
        assert!(matches!(refused.blocking_recv().expect("answered"), Err(Error::Constraint(_))), "it was there already");
        later.blocking_recv().expect("answered").expect("written");
        (0..4).for_each(|_| assert!(told.recv().expect("read") > 0));
        drop(go);
        assert_eq!(store.read(numbers).expect("read"), [1, 2]);
    }

    #[test]
    fn the_writer_does_not_wait_for_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let (works, at_work) = mpsc::channel::<()>();
        let mut is_first = true;
        let store = open(&folder.path().join("t.db"), move || {
            if std::mem::take(&mut is_first) {
                at_work.recv_timeout(Duration::from_secs(20)).expect("the next is worked at");
            }
            Ok(())
        });
        let first = beside(&store, add(1));
        let (flushed, next) = (first, store.clone());
        let next = beside(&next, move |tx| {
            let done = add(2)(tx);
            works.send(()).expect("the flush waits for it");
            done
        });
        flushed.blocking_recv().expect("answered").expect("written");
        next.blocking_recv().expect("answered").expect("written");
    }

    #[test]
    fn where_a_flush_failed_nothing_is_told_as_done_or_as_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let (count, (works, at_work)) = (Arc::new(AtomicU64::new(0)), mpsc::channel::<()>());
        let flushes = count.clone();
        let store = open(&folder.path().join("t.db"), move || match flushes.fetch_add(1, Ordering::SeqCst) {
            1 => {
                at_work.recv_timeout(Duration::from_secs(20)).expect("the writer is at work beside the flush");
                Err(io::Error::other("bad sector"))
            }
            _ => Ok(()),
        });
        beside(&store, add(1)).blocking_recv().expect("answered").expect("the disk is good");
        let lost = beside(&store, add(2));
        let next = beside(&store, move |tx| {
            let done = add(3)(tx);
            let _ = works.send(());
            done
        });
        let told = [
            lost.blocking_recv().expect("answered").map(drop),
            next.blocking_recv().expect("answered").map(drop),
            store.write(add(4)).map(drop),
            beside(&store, add(5)).blocking_recv().expect("answered").map(drop),
            store.read(numbers).map(drop),
            store.look(numbers).map(drop),
            store.check(),
        ];
        for (i, told) in told.into_iter().enumerate() {
            let error = told.expect_err("the disk is bad");
            let words = error.to_string();
            assert!(words.contains("bad sector") && words.contains("start again"), "{i}: {words}");
            assert!(error.for_log().is_none(), "the log has it from the flush: {i}");
        }
        assert_eq!(count.load(Ordering::SeqCst), 2, "it is not tried again");
        drop(store);
        let again = Store::open(Place::File(folder.path().join("t.db")), 2).expect("it opens");
        again.write(add(6)).expect("started again it goes on");
        let there = again.read(numbers).expect("read");
        assert!(there.starts_with(&[1]) && there.ends_with(&[6]) && !there.contains(&4) && !there.contains(&5), "{there:?}");
    }

    /// A panic of a flush is one that failed; one of an answer is nobody else's.
    #[test]
    fn a_panic_beside_the_writer_leaves_nobody_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut flushes = 0;
        let store = open(&folder.path().join("t.db"), move || {
            flushes += 1;
            assert!(flushes < 3, "a panic that is wanted");
            Ok(())
        });
        let writer = store.inner.writer.as_ref().expect("SQLite has a writer");
        writer.submit_to(Keeps::Beside, add(1), |_| panic!("a panic that is wanted"));
        beside(&store, add(2)).blocking_recv().expect("answered").expect("written");
        let mut outcome = beside(&store, add(3)).blocking_recv().expect("answered");
        if outcome.is_ok() {
            // The first two may have shared a flush.
            outcome = beside(&store, add(4)).blocking_recv().expect("answered");
        }
        assert!(outcome.expect_err("the flush panicked").to_string().contains("a panic"));
        assert!(store.read(numbers).is_err() && store.write(add(5)).is_err());
    }

    /// A cut of the current leaves at least what was flushed: here a copy of the files at each flush.
    #[test]
    fn what_was_answered_is_in_what_was_flushed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, count) = (folder.path().join("t.db"), Arc::new(AtomicU64::new(0)));
        let copy = |n: u64| folder.path().join(format!("{n}.db"));
        let (from, to, flushes) = (path.clone(), folder.path().to_owned(), count.clone());
        let store = open(&path, move || {
            let n = flushes.load(Ordering::SeqCst) + 1;
            std::fs::copy(&from, to.join(format!("{n}.db")))?;
            std::fs::copy(from.with_file_name("t.db-wal"), to.join(format!("{n}.db-wal")))?;
            flushes.store(n, Ordering::SeqCst);
            Ok(())
        });
        let answered: Vec<(i64, u64)> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..8_i64)
                .map(|client| {
                    let (store, count) = (&store, &count);
                    scope.spawn(move || {
                        let write = |i| {
                            let n = 100 * client + i;
                            beside(store, add(n)).blocking_recv().expect("answered").expect("written");
                            (n, count.load(Ordering::SeqCst))
                        };
                        (0..12_i64).map(write).collect::<Vec<_>>()
                    })
                })
                .collect();
            clients.into_iter().flat_map(|c| c.join().expect("a client ends well")).collect()
        });
        assert_eq!(answered.len(), 96);
        for n in 1..=count.load(Ordering::SeqCst) {
            let store = Store::open(Place::File(copy(n)), 1).expect("a cut leaves a good file");
            let there = store.read(numbers).expect("read");
            for (number, _) in answered.iter().filter(|(_, flush)| *flush == n) {
                assert!(there.contains(number), "{number} was told after flush {n}, which does not hold it: {there:?}");
            }
        }
    }

    #[test]
    fn the_log_of_a_link_lies_beside_what_it_leads_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real.db"), folder.path().join("link.db"));
        std::fs::write(&real, "").expect("a file");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        std::fs::write(folder.path().join("link.db-wal"), "another's").expect("a file");
        let store = Store::open(Place::File(link.clone()), 2).expect("it opens");
        beside(&store, |tx| tx.conn.batch("CREATE TABLE t (n BIGINT)").map(|()| 0))
            .blocking_recv()
            .expect("answered")
            .expect("made");
        let told = super::log_path(&mut Conn::open(&Place::File(link)).expect("it opens")).expect("a path");
        assert!(told.ends_with("/real.db-wal") && Path::new(&told).metadata().expect("a file").len() > 0, "{told}");
    }
}
