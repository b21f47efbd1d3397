//! The flushes of a SQLite file's log, beside its writer: while the disk takes what one transaction wrote, the next is worked at.
//!
//! SQLite itself flushes inside the commit and the writer would wait for it. Here the commit only writes the log
//! (`synchronous=NORMAL`, under which SQLite still flushes around each checkpoint), the flusher flushes it, and only then is
//! anybody answered: those whose acts it holds, and those who read what it holds. So nothing is known outside this process that a cut
//! of the current could take back. (Another process that reads the file in that millisecond may see it sooner.)
//!
//! A flush that fails is not tried again: the system may have dropped what it could not write, and would call the next one done.
//! Then nothing is written or read any more until the program is started again, as PostgreSQL does it too.

use super::{Conn, Error, Tx};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

/// Makes the disk keep what was written.
pub(super) type Flush = Box<dyn FnMut() -> io::Result<()> + Send>;

/// Which commits the disk has.
#[derive(Default)]
pub(super) struct Flushes {
    /// Commits that have begun; what one wrote may be seen before it ends.
    begun: AtomicU64,
    /// Of those, how many are kept, or were not made.
    kept: AtomicU64,
    /// Why a flush failed.
    lost: Mutex<Option<String>>,
    turned: Condvar,
}

impl Flushes {
    /// A commit begins: no other is on its way.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// All that has begun is kept, or was not made.
    pub(super) fn keep(&self) {
        let _lost = self.lost.lock().expect("flushes lock");
        self.kept.store(self.begun.load(Ordering::SeqCst), Ordering::SeqCst);
        self.turned.notify_all();
    }

    /// The disk did not take what was committed.
    pub(super) fn lose(&self, error: &io::Error) {
        let words = format!(
            "the disk did not keep what was written ({error}); nothing is read or written any more: look at the disk and start again"
        );
        tracing::error!("{words}");
        *self.lost.lock().expect("flushes lock") = Some(words);
        self.turned.notify_all();
    }

    /// Whether a flush has failed.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.lost.lock().expect("flushes lock").clone().map_or(Ok(()), |words| Err(Error::Engine(words)))
    }

    /// Whether what was seen until now is kept already.
    pub(super) fn are_done(&self) -> bool {
        self.kept.load(Ordering::SeqCst) >= self.begun.load(Ordering::SeqCst)
    }

    /// Waits until what was seen until now is kept.
    pub(super) fn wait(&self) -> Result<(), Error> {
        let seen = self.begun.load(Ordering::SeqCst);
        if self.kept.load(Ordering::SeqCst) >= seen {
            return Ok(());
        }
        let mut lost = self.lost.lock().expect("flushes lock");
        while self.kept.load(Ordering::SeqCst) < seen {
            if let Some(words) = &*lost {
                return Err(Error::Engine(words.clone()));
            }
            lost = self.turned.wait(lost).expect("flushes lock");
        }
        Ok(())
    }
}

/// Flushes the log of the file that the connection has open.
pub(super) fn of_log(conn: &mut Conn) -> Result<Flush, Error> {
    // As SQLite knows it: without links and parameters.
    let file = Tx { conn }.row::<(String,)>("SELECT file FROM pragma_database_list WHERE name = 'main'", &[])?;
    let path = file.map(|(file,)| file + "-wal").unwrap_or_default();
    // SQLite's locks lie on its other files, so that closing this one gives none of them up.
    let mut log = File::open(&path).ok();
    Ok(Box::new(move || {
        // One that may only be read may have none.
        let opened = log.take().map_or_else(|| File::open(&path), Ok)?;
        log.insert(opened).sync_data()
    }))
}

#[cfg(test)]
mod tests {
    use super::Flush;
    use crate::binds;
    use crate::db::{Error, Place, Store, Tx};
    use std::io;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Duration;

    fn open(path: &Path, flush: impl FnMut() -> io::Result<()> + Send + 'static) -> Store {
        let flush: Flush = Box::new(flush);
        let store = Store::open_flushed(Place::File(path.to_owned()), 4, |_| Ok(flush)).expect("it opens");
        store.write(|tx| tx.conn.batch("CREATE TABLE t (n BIGINT PRIMARY KEY)")).expect("made");
        store
    }

    fn add(n: i64) -> impl FnOnce(&mut Tx<'_>) -> Result<usize, Error> + Send {
        move |tx| tx.run("INSERT INTO t (n) VALUES (?)", &binds![n])
    }

    fn numbers(tx: &mut Tx<'_>) -> Result<Vec<i64>, Error> {
        Ok(tx.rows::<(i64,)>("SELECT n FROM t ORDER BY n", &[])?.into_iter().map(|r| r.0).collect())
    }

    #[test]
    fn nobody_is_told_of_what_the_disk_has_not_yet_and_the_writer_works_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let (flushing, at_flush) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        // The first is the table's.
        let mut is_first = true;
        let store = open(&folder.path().join("t.db"), move || {
            if !std::mem::take(&mut is_first) {
                let _ = flushing.send(());
                let _ = may_go.recv();
            }
            Ok(())
        });
        let writer = store.inner.writer.as_ref().expect("SQLite has a writer");
        let mut written = writer.submit(add(1));
        at_flush.recv().expect("it is flushed");
        let (works, at_work) = mpsc::channel();
        let mut later = writer.submit(move |tx| {
            works.send(()).expect("it is waited for");
            add(2)(tx)
        });
        at_work.recv().expect("the writer is at work beside the flush");
        let (tell, told) = mpsc::channel();
        for way in 0..3 {
            let (store, tell) = (store.clone(), tell.clone());
            std::thread::spawn(move || {
                let found = match way {
                    0 => store.read(numbers),
                    1 => store.look(numbers),
                    _ => {
                        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                        runtime.block_on(store.card("89860000000000000001")).map(|found| {
                            assert!(found.is_none());
                            vec![1]
                        })
                    }
                };
                let _ = tell.send(found.expect("it is read"));
            });
        }
        assert_eq!(told.recv_timeout(Duration::from_millis(300)), Err(RecvTimeoutError::Timeout), "a cut could take it back");
        assert!(written.try_recv().is_err() && later.try_recv().is_err(), "nobody is answered before the flush");
        go.send(()).expect("the flush waits");
        written.blocking_recv().expect("answered").expect("written");
        for _ in 0..3 {
            assert_eq!(told.recv(), Ok(vec![1]));
        }
        at_flush.recv().expect("then the later one is flushed");
        assert!(later.try_recv().is_err());
        go.send(()).expect("the flush waits");
        later.blocking_recv().expect("answered").expect("written");
        drop(go);
        assert_eq!(store.read(numbers).expect("read"), [1, 2]);
    }

    #[test]
    fn where_a_flush_failed_nothing_is_told_as_done_or_as_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let (count, (works, at_work)) = (Arc::new(AtomicU64::new(0)), mpsc::channel::<()>());
        let flushes = count.clone();
        let store = open(&folder.path().join("t.db"), move || match flushes.fetch_add(1, Ordering::SeqCst) {
            2 => {
                at_work.recv().expect("the writer is at work beside the flush");
                Err(io::Error::other("bad sector"))
            }
            _ => Ok(()),
        });
        store.write(add(1)).expect("the disk is good");
        let writer = store.inner.writer.as_ref().expect("SQLite has a writer");
        let lost = writer.submit(add(2));
        let beside = writer.submit(move |tx| {
            let done = add(3)(tx);
            works.send(()).expect("the flush waits");
            done
        });
        let told = [
            lost.blocking_recv().expect("answered").map(drop),
            beside.blocking_recv().expect("answered").map(drop),
            store.write(add(4)).map(drop),
            store.read(numbers).map(drop),
            store.look(numbers).map(drop),
            store.check(),
        ];
        for (i, told) in told.into_iter().enumerate() {
            let words = told.expect_err("the disk is bad").to_string();
            assert!(words.contains("bad sector") && words.contains("start again"), "{i}: {words}");
        }
        assert_eq!(count.load(Ordering::SeqCst), 3, "it is not tried again");
        drop(store);
        let again = Store::open(Place::File(folder.path().join("t.db")), 2).expect("it opens");
        again.write(add(5)).expect("started again it goes on");
        let there = again.read(numbers).expect("read");
        assert!(there.starts_with(&[1]) && !there.contains(&3) && !there.contains(&4), "{there:?}");
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
                            store.write(add(n)).expect("written");
                            (n, count.load(Ordering::SeqCst))
                        };
                        (0..12_i64).map(write).collect::<Vec<_>>()
                    })
                })
                .collect();
            clients.into_iter().flat_map(|c| c.join().expect("a client ends well")).collect()
        });
        assert_eq!(answered.len(), 96);
        let last = count.load(Ordering::SeqCst);
        assert!(last < 97, "many share a flush: {last}");
        for n in 1..=last {
            let there = Store::open(Place::File(copy(n)), 1).expect("a cut leaves a good file").read(numbers).expect("read");
            for (number, _) in answered.iter().filter(|(_, flush)| *flush == n) {
                assert!(there.contains(number), "{number} was told after flush {n}, which does not hold it: {there:?}");
            }
        }
    }
}
