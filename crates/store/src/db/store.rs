//! The handle on a database: what is read and written goes through it, one transaction at a time.

use super::file::{self, Found};
use super::flushes::{self, Flush};
use super::lanes::{self, Lanes};
use super::lookups::Lookups;
use super::patience::{Deadline, now};
use super::pool::Pool;
use super::stamps::{Stamp, Stamps};
use super::writer::{self, Keeps, Writer};
use super::{Conn, Error, MigrateError, Place, Schema, Tx, migrate};
use crate::sims::SimAndState;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
    /// How long its callers wait for PostgreSQL; none: as long as it takes.
    pub(super) patience: Option<Duration>,
    /// Until when its one caller does.
    pub(super) deadline: Option<Deadline>,
    /// It does not wait for the disk to keep what was read.
    pub(super) as_seen: bool,
}

pub(super) struct Inner {
    pub(super) place: Place,
    schema: Schema,
    pub(super) pool: Pool,
    /// For single cards of a SQLite file.
    cards: Pool,
    lanes: Lanes,
    lookups: Lookups,
    stamps: Stamps,
    /// The last to be closed.
    pub(super) writer: Option<Writer>,
}

/// How long an act on SQLite took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Took {
    /// The work itself.
    pub work: Duration,
    /// Until the disk had it; where that was not waited for, of one before it.
    pub keeping: Duration,
}

impl Store {
    /// Opens the database and brings its schema up to date. `connections_max` bounds the connections in use at once.
    pub fn open(place: Place, connections_max: usize) -> Result<Store, MigrateError> {
        Store::open_flushed(place, connections_max, flushes::of_log)
    }

    /// As [`Store::open`], where the log of a SQLite file is flushed that way.
    pub(super) fn open_flushed(
        place: Place,
        connections_max: usize,
        flush: impl FnOnce(&mut Conn) -> Result<Option<Flush>, Error>,
    ) -> Result<Store, MigrateError> {
        if let Place::File(path) = &place {
            file::make_private(path);
        }
        let mut conn = Conn::open(&place).map_err(MigrateError::Engine)?;
        let schema = migrate::run(&mut conn)?;
        let writer = match &place {
            Place::File(path) => {
                let turn = file::turnstile(path).map_err(MigrateError::Engine)?;
                let flush = flush(&mut conn).map_err(MigrateError::Engine)?;
                Some(Writer::start(conn, turn, Found::at(path), flush))
            }
            Place::Postgres(_) => None,
        };
        Ok(Store {
            inner: Arc::new(Inner {
                pool: Pool::new(place.clone(), connections_max, Conn::open_reading),
                cards: Pool::new(place.clone(), connections_max, Conn::open_mapped),
                place,
                schema,
                writer,
                lanes: Lanes::default(),
                lookups: Lookups::default(),
                stamps: Stamps::default(),
            }),
            patience: None,
            deadline: None,
            as_seen: false,
        })
    }

    /// Where the data lies.
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// Which schema was there when it was opened, and which is now.
    pub fn schema(&self) -> Schema {
        self.inner.schema
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.inner.place, Place::File(_))
    }

    /// How many transactions can write at once.
    pub fn writers(&self) -> usize {
        if self.inner.writer.is_some() { 1 } else { self.inner.pool.max() }
    }

    /// Reads in one transaction; what `f` sees does not change while it looks.
    pub fn read<R, E: From<Error>>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        let begin = if self.is_file() { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        let mut conn = self.inner.pool.begin(self.deadline(), begin)?;
        let result = f(&mut Tx { conn: &mut conn });
        conn.batch("COMMIT")?;
        drop(conn);
        self.wait_kept()?;
        result
    }

    /// Waits until what was seen until now is kept by the disk, before it is told; not for [`Store::as_seen`], whose caller waits himself.
    pub(super) fn wait_kept(&self) -> Result<(), Error> {
        match &self.inner.writer {
            Some(writer) if !self.as_seen => writer.flushes().wait(),
            _ => Ok(()),
        }
    }

    /// The same database, where a reader is not kept waiting until the disk has what it saw: whoever asks so waits for
    /// [`Store::kept`] before anybody is told.
    pub fn as_seen(&self) -> Store {
        Store { as_seen: true, ..self.clone() }
    }

    /// Waits until what was seen until now is kept by the disk.
    ///
    /// # Errors
    /// If it does not keep it.
    pub async fn kept(&self) -> Result<(), Error> {
        match &self.inner.writer {
            Some(writer) => writer.flushes().wait_async().await,
            None => Ok(()),
        }
    }

    /// Reads with one statement, so without the cost of a transaction.
    pub fn look<R, E: From<Error>>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        let result = self.inner.pool.look(self.deadline(), f);
        self.wait_kept()?;
        result
    }

    /// A card with its package state and the catalogue's version, read in one statement. On PostgreSQL those that ask at once
    /// share one; on SQLite it is some microseconds of memory and asked right here.
    pub async fn card(&self, iccid: &str) -> Result<Option<SimAndState>, Error> {
        if self.is_file() {
            let found = self.inner.cards.look(None, |tx| tx.sim_and_state(iccid));
            self.kept().await?;
            return found;
        }
        let (answer, must_ask) = self.inner.lookups.submit(iccid.to_owned());
        if must_ask {
            let store = self.clone();
            tokio::task::spawn_blocking(move || store.inner.lookups.ask(&store.inner.pool, store.patience));
        }
        self.awaited(answer).await?.unwrap_or_else(|_| Err(Error::Engine("the look-up's asker has stopped".into())))
    }

    /// What the database holds now, as a value to compare: equal to an earlier one, nothing was committed in between.
    pub async fn stamp(&self) -> Result<Stamp, Error> {
        if self.is_file() {
            return self.inner.stamps.read(&self.inner.place);
        }
        let (answer, must_ask) = self.inner.stamps.submit();
        if must_ask {
            let store = self.clone();
            tokio::task::spawn_blocking(move || store.inner.stamps.ask(&store.inner.place));
        }
        self.awaited(answer).await?.unwrap_or_else(|_| Err(Error::Engine("the stamp's asker has stopped".into())))
    }

    /// Writes in one durable transaction: all of `f` or nothing.
    pub fn write<R, E>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.inner.writer {
            Some(writer) => writer.submit(f).blocking_recv().unwrap_or_else(|_| Err(writer::gone().into())),
            None => self.write_postgres(f),
        }
    }

    /// As [`Store::write`], for async callers: waits without holding a thread where the engine allows it.
    pub async fn write_async<R, E>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.inner.writer {
            Some(writer) => writer.submit(f).await.unwrap_or_else(|_| Err(writer::gone().into())),
            None => {
                let (store, caller) = (self.from_now(), self.from_now());
                let joined = caller.awaited(tokio::task::spawn_blocking(move || store.write_postgres(f))).await?;
                joined.unwrap_or_else(|e| Err(Error::Engine(format!("the transaction panicked: {e}")).into()))
            }
        }
    }

    /// As [`Store::write_async`], for acts of which those of one lane would only wait for each other's locks: on PostgreSQL they
    /// share a transaction and its flush, each in a savepoint of its own. One that the database fails there (it met a
    /// lock of somebody else's) is done again by itself.
    pub async fn write_in_lane<R, E>(
        &self,
        lane: i64,
        f: impl FnMut(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if let Some(writer) = &self.inner.writer {
            return writer.submit(f).await.unwrap_or_else(|_| Err(writer::gone().into()));
        }
        let caller = self.from_now();
        let (answer, must_run) = self.inner.lanes.submit(lane, caller.deadline, f);
        if must_run {
            let store = self.clone();
            tokio::task::spawn_blocking(move || store.inner.lanes.run(lane, &store.inner.pool));
        }
        caller.awaited(answer).await?.unwrap_or_else(|_| Err(writer::gone().into()))
    }

    /// As [`Store::write`], for an act on several cards at once that is done piece by piece if it fails: on PostgreSQL it
    /// gives up at a lock that is not free soon.
    pub fn write_impatient<R, E>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.inner.writer {
            Some(_) => self.write(f),
            None => self.write_postgres_after(&format!("BEGIN; SET LOCAL lock_timeout = '{}'", lanes::LOCK_WAIT), f),
        }
    }

    /// As [`Store::write_impatient`], but `told` hears the outcome, and the answer is how long that took; nothing on PostgreSQL.
    /// `beside`: on SQLite the caller goes on as soon as the act was worked at, while the disk takes it. Then `told` must neither wait
    /// nor ask the database: its thread answers others too.
    pub fn write_timed<R, E>(
        &self,
        beside: bool,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
        told: impl FnOnce(Result<R, E>) + Send + 'static,
    ) -> Option<Took>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let Some(writer) = &self.inner.writer else {
            told(self.write_impatient(f));
            return None;
        };
        let (worked, is_worked) = mpsc::channel();
        let act = move |tx: &mut Tx<'_>| {
            let began = now();
            let done = f(tx);
            let _ = worked.send((began.elapsed(), now()));
            done
        };
        if beside {
            writer.submit_to(Keeps::Beside, act, told);
            // An act that panics, or is not worked at any more, tells nothing.
            let (work, _) = is_worked.recv().ok()?;
            return Some(Took { work, keeping: writer.flushes().took() });
        }
        let (answer, answered) = mpsc::channel();
        writer.submit_to(Keeps::AtOnce, act, move |outcome| drop(answer.send(outcome)));
        let outcome = answered.recv().unwrap_or_else(|_| Err(writer::gone().into()));
        let took = is_worked.recv().ok().map(|(work, ended)| Took { work, keeping: ended.elapsed() });
        told(outcome);
        took
    }

    fn write_postgres<R, E: From<Error>>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        self.write_postgres_after("BEGIN", f)
    }

    fn write_postgres_after<R, E: From<Error>>(&self, begin: &str, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        let mut conn = self.inner.pool.begin(self.deadline(), begin)?;
        match f(&mut Tx { conn: &mut conn }) {
            Ok(r) => {
                conn.batch("COMMIT")?;
                Ok(r)
            }
            Err(e) => {
                conn.batch("ROLLBACK")?;
                Err(e)
            }
        }
    }
}
