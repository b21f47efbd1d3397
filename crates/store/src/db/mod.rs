//! The two engines behind one transaction type.
//!
//! A transaction is a synchronous closure: nothing can be awaited inside it, so no transaction is ever open while the
//! network is waited for. On SQLite one writer thread commits all waiting closures together, each in its own
//! savepoint: many durable orders, one flush to disk. On PostgreSQL each closure has a connection of its own, but those
//! of one lane (an account), which would only wait for each other's locks, are committed together too.

mod backup;
mod bulk;
mod copy;
mod file;
pub mod gather;
mod lanes;
mod lookups;
mod migrate;
mod pool;
mod rows;
pub mod sql;
mod stamps;
mod writer;

use crate::sims::SimAndState;
pub use backup::{RestoreError, restore};
pub(crate) use bulk::Column as BulkColumn;
use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};
use file::Found;
use kachi_domain::address;
use lanes::Lanes;
use lookups::Lookups;
pub use migrate::MigrateError;
use pool::Pool;
pub use rows::Named;
use sql::{Row, Statement, Value};
pub use stamps::Stamp;
use stamps::Stamps;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use writer::Writer;

/// What went wrong below; the text is for the log, not for a customer.
#[derive(Debug)]
pub enum Error {
    /// A unique key or a check refused the row; the name of the constraint where the engine tells it.
    Constraint(String),
    /// PostgreSQL ended the transaction because it and another waited for each other's locks: done again, it may go through. Known
    /// by the server's English words; a server that speaks another language tells [`Error::Engine`].
    Deadlock(String),
    /// PostgreSQL gave no connection, or took one away. The log has once that none is given, and once that one is given again; who
    /// meets it and tries again need not tell it. Taking away is known by English words, as a deadlock is.
    Unreachable(String),
    /// Anything else: the engine's own words.
    Engine(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Constraint(words) => write!(f, "constraint: {words}"),
            Error::Deadlock(words) | Error::Unreachable(words) | Error::Engine(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Error {}

impl From<DieselError> for Error {
    fn from(e: DieselError) -> Error {
        match e {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::CheckViolation, info) => {
                Error::Constraint(info.message().to_owned())
            }
            DieselError::DatabaseError(_, info) if is_taken_away(info.message()) => Error::Unreachable(info.message().to_owned()),
            DieselError::DatabaseError(_, info) if info.message() == "deadlock detected" => {
                Error::Deadlock(info.message().to_owned())
            }
            other => Error::Engine(other.to_string()),
        }
    }
}

/// Whether PostgreSQL, or who ended it, took the connection away.
fn is_taken_away(words: &str) -> bool {
    ["terminating connection", "server closed the connection", "no connection to the server"].iter().any(|w| words.starts_with(w))
}

/// Where the data lies.
#[derive(Debug, Clone)]
pub enum Place {
    /// One SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(String),
}

impl Place {
    /// Reads `database.url`: `sqlite` (in the data folder), `sqlite:PATH`, or `postgres://...`. No error holds a password.
    pub fn parse(url: &str, data_dir: &Path) -> Result<Place, String> {
        if let Some((scheme, rest)) = url.split_once("://")
            && ["postgres", "postgresql"].iter().any(|s| s.eq_ignore_ascii_case(scheme))
        {
            return postgres(rest).map_err(|words| format!("database.url: {words}"));
        }
        match url {
            "" | "sqlite" => Ok(Place::File(data_dir.join("kachi.db"))),
            path => match path.strip_prefix("sqlite:") {
                Some(path) => Ok(Place::File(PathBuf::from(path))),
                None => {
                    Err(format!("database.url: \"{}\" is neither sqlite, sqlite:PATH nor postgres://...", address::masked(path)))
                }
            },
        }
    }
}

impl Place {
    /// Whether a database of ours is there already; none is made.
    pub fn is_made(&self) -> Result<bool, Error> {
        match self {
            Place::File(path) => Ok(path.metadata().is_ok_and(|m| m.len() > 0)),
            Place::Postgres(_) => migrate::is_made(&mut Conn::open(self)?),
        }
    }
}

impl fmt::Display for Place {
    /// Where that is, without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Postgres(url) => f.write_str(&address::masked(url)),
        }
    }
}

/// What follows the scheme, as libpq will understand it. What it would misread it would also print, a piece of the password
/// with it; so that is refused here.
fn postgres(rest: &str) -> Result<Place, String> {
    let authority = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
    if rest.matches('@').count() > 1 || rest[authority.len()..].contains('@') {
        return Err("of @ / ? # in a user or password write %40 %2F %3F %23, so that it is known where the host begins".into());
    }
    let digits = |at: usize| rest.as_bytes().get(at + 1..at + 3).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit));
    if rest.match_indices('%').any(|(at, _)| !digits(at)) {
        return Err("a % that stands for itself, as in a password, is written %25".into());
    }
    if ["sslmode=require", "sslmode=verify"].iter().any(|mode| rest.contains(mode)) {
        return Err("this build has no TLS; use sslmode=disable on a trusted network or a local TLS proxy".into());
    }
    Ok(Place::Postgres(format!("postgres://{rest}")))
}

pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Pg(PgConnection),
}

pub(crate) struct Conn {
    pub(crate) raw: Raw,
    /// While several acts share one transaction: what they share.
    group: Option<Group>,
}

/// What the acts of one transaction share.
#[derive(Default)]
struct Group {
    /// A savepoint is open: the act before this one ended well.
    open: bool,
    /// Locks that are held until the transaction ends.
    held: HashSet<(&'static str, i64)>,
    /// The catalogue's version when the first of them looked.
    catalogue: Option<i64>,
    /// The database failed the act at work.
    failed: bool,
}

impl Conn {
    fn open(place: &Place) -> Result<Conn, Error> {
        let connect = |e: diesel::ConnectionError| format!("cannot connect to the database: {}", e.to_string().trim());
        match place {
            Place::File(path) => {
                let mut conn = SqliteConnection::establish(&path.to_string_lossy()).map_err(|e| Error::Engine(connect(e)))?;
                conn.batch_execute(
                    "PRAGMA busy_timeout=20000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;
                     PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=134217728;
                     PRAGMA wal_autocheckpoint=24000;",
                )?;
                Ok(Conn { raw: Raw::Sqlite(conn), group: None })
            }
            Place::Postgres(url) => {
                let mut conn = PgConnection::establish(url).map_err(|e| Error::Unreachable(connect(e)))?;
                conn.batch_execute("SET client_min_messages = warning; SET jit = off")?;
                Ok(Conn { raw: Raw::Pg(conn), group: None })
            }
        }
    }

    /// One that reads a SQLite file in the system's own memory of it, without a copy. An error of the disk then ends the process,
    /// as a cut of the current does; so it is for single cards that are asked for in great number, and nothing else.
    fn open_mapped(place: &Place) -> Result<Conn, Error> {
        let mut conn = Conn::open(place)?;
        if let Place::File(_) = place {
            conn.batch("PRAGMA mmap_size=2147418112; PRAGMA cache_size=-2000; PRAGMA query_only=ON")?;
        }
        Ok(conn)
    }

    pub(crate) fn batch(&mut self, text: &str) -> Result<(), Error> {
        match &mut self.raw {
            Raw::Sqlite(c) => c.batch_execute(text)?,
            Raw::Pg(c) => c.batch_execute(text)?,
        }
        Ok(())
    }

    /// Remembers that the database failed the act at work; what the data refused is no failure.
    fn noted<T>(&mut self, result: Result<T, DieselError>) -> Result<T, Error> {
        let result = result.map_err(Error::from);
        if let (Err(Error::Engine(_) | Error::Deadlock(_) | Error::Unreachable(_)), Some(group)) = (&result, &mut self.group) {
            group.failed = true;
        }
        result
    }
}

/// The text with so many of the marks in place of its `{}`.
fn repeated(text: &str, marks: &str, times: usize) -> String {
    let mut all = String::with_capacity(text.len() + (marks.len() + 2) * times);
    let (before, after) = text.split_once("{}").unwrap_or((text, ""));
    all.push_str(before);
    for i in 0..times {
        all.push_str(if i == 0 { "" } else { ", " });
        all.push_str(marks);
    }
    all.push_str(after);
    all
}

/// An open transaction: the only way to read or write.
pub struct Tx<'c> {
    pub(crate) conn: &'c mut Conn,
}

impl Tx<'_> {
    /// All rows of a query. The statement stays prepared: its text must be one of few.
    pub(crate) fn rows<R: Row>(&mut self, text: &str, values: &[Value<'_>]) -> Result<Vec<R>, Error> {
        self.load(text, values, true)
    }

    /// All rows of a query whose text is put together for this once.
    pub(crate) fn rows_once<R: Row>(&mut self, text: &str, values: &[Value<'_>]) -> Result<Vec<R>, Error> {
        self.load(text, values, false)
    }

    fn load<R: Row>(&mut self, text: &str, values: &[Value<'_>], keep: bool) -> Result<Vec<R>, Error> {
        let found = match &mut self.conn.raw {
            Raw::Sqlite(c) => R::from_sqlite(text, values, keep, c),
            Raw::Pg(c) => R::from_postgres(text, values, keep, c),
        };
        self.conn.noted(found)
    }

    /// The first row of a query, if any.
    pub(crate) fn row<R: Row>(&mut self, text: &str, values: &[Value<'_>]) -> Result<Option<R>, Error> {
        Ok(self.rows::<R>(text, values)?.into_iter().next())
    }

    /// Runs a statement; the answer is the number of rows it touched. It stays prepared: its text must be one of few.
    pub(crate) fn run(&mut self, text: &str, values: &[Value<'_>]) -> Result<usize, Error> {
        self.execute(text, values, true)
    }

    /// Runs a statement on `groups` repetitions of `marks` in place of `{}`, each with as many of the values. Only a whole group
    /// stays prepared; on SQLite what is less goes in parts of so many that they stay prepared too, for there a statement
    /// costs less than to prepare one.
    pub(crate) fn run_group(
        &mut self,
        text: &str,
        marks: &str,
        groups: usize,
        whole: usize,
        values: &[Value<'_>],
    ) -> Result<usize, Error> {
        debug_assert!(values.len().is_multiple_of(groups), "as many values for each");
        let (each, mut touched, mut rest) = (values.len() / groups.max(1), 0, values);
        while !rest.is_empty() {
            let left = rest.len() / each;
            let some = if left == whole || self.is_postgres() { left } else { 1 << left.ilog2() };
            let (now, later) = rest.split_at(some * each);
            touched += self.execute(&repeated(text, marks, some), now, some == whole || !self.is_postgres())?;
            rest = later;
        }
        Ok(touched)
    }

    fn execute(&mut self, text: &str, values: &[Value<'_>], keep: bool) -> Result<usize, Error> {
        let statement = Statement::<diesel::sql_types::BigInt>::new(text, values, keep);
        let done = match &mut self.conn.raw {
            Raw::Sqlite(c) => statement.execute(c),
            Raw::Pg(c) => statement.execute(c),
        };
        self.conn.noted(done)
    }

    /// A condition that the column is one of a list of integers, bound as one value (see [`Tx::list`]): the statement's text
    /// stays the same for every list, so that it is prepared once.
    pub(crate) fn one_of(&self, column: &str) -> String {
        if self.is_postgres() {
            format!("{column} = ANY(CAST(? AS BIGINT[]))")
        } else {
            format!("{column} IN (SELECT value FROM json_each(?))")
        }
    }

    /// As [`Tx::one_of`] with its value; of a single number it is asked plainly, which is planned better.
    pub(crate) fn among(&self, column: &str, numbers: &[i64]) -> (String, Value<'static>) {
        match numbers {
            [one] => (format!("{column} = ?"), Value::Int(Some(*one))),
            many => (self.one_of(column), Value::Owned(self.list(many.iter().copied()))),
        }
    }

    /// As [`Tx::one_of`], for texts.
    pub(crate) fn one_of_texts(&self, column: &str) -> String {
        if self.is_postgres() {
            format!("{column} = ANY(ARRAY(SELECT json_array_elements_text(CAST(? AS JSON))))")
        } else {
            format!("{column} IN (SELECT value FROM json_each(?))")
        }
    }

    /// What to select from so that a table's rows are found for each text of a JSON list, the first value bound, as `k.value`:
    /// one after the other through the index that the condition fits, whatever the engine knows of the table. (Asked with
    /// `IN` beside an equality of another column, it may rather read all that the equality lets through.)
    pub(crate) fn row_each(&self, table_and_alias: &str, condition: &str) -> String {
        let alias = table_and_alias.rsplit(' ').next().unwrap_or_default();
        if self.is_postgres() {
            format!(
                "json_array_elements_text(CAST(? AS JSON)) AS k(value) CROSS JOIN LATERAL
                 (SELECT * FROM {table_and_alias} WHERE {condition} OFFSET 0) AS {alias}"
            )
        } else {
            format!("json_each(?) AS k CROSS JOIN {table_and_alias} ON {condition}")
        }
    }

    /// The value for [`Tx::one_of`].
    pub(crate) fn list(&self, numbers: impl IntoIterator<Item = i64>) -> String {
        let (open, close) = if self.is_postgres() { ('{', '}') } else { ('[', ']') };
        let mut text = String::from(open);
        for (i, n) in numbers.into_iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            text.push_str(&n.to_string());
        }
        text.push(close);
        text
    }

    /// Whether this is PostgreSQL: for the few statements that must differ.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.conn.raw, Raw::Pg(_))
    }

    /// ` FOR UPDATE` where the engine locks rows; on SQLite the one writer is the lock.
    pub(crate) fn for_update(&self) -> &'static str {
        if self.is_postgres() { " FOR UPDATE" } else { "" }
    }

    /// Whether a lock is still to be taken: on PostgreSQL, and not by an act of the same transaction before.
    pub(crate) fn must_lock(&mut self, kind: &'static str, id: i64) -> bool {
        let postgres = self.is_postgres();
        postgres && self.conn.group.as_mut().is_none_or(|group| group.held.insert((kind, id)))
    }

    /// Asks once a transaction what the acts of a group may share.
    pub(crate) fn catalogue_once(&mut self, ask: impl FnOnce(&mut Tx<'_>) -> Result<i64, Error>) -> Result<i64, Error> {
        if let Some(version) = self.conn.group.as_ref().and_then(|group| group.catalogue) {
            return Ok(version);
        }
        let version = ask(self)?;
        if let Some(group) = &mut self.conn.group {
            group.catalogue = Some(version);
        }
        Ok(version)
    }

    /// Runs `f` so that its failure undoes only what it did.
    pub fn savepoint<R, E: From<Error>>(&mut self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        self.conn.batch("SAVEPOINT inner_act")?;
        match f(&mut Tx { conn: self.conn }) {
            Ok(r) => {
                self.conn.batch("RELEASE SAVEPOINT inner_act")?;
                Ok(r)
            }
            Err(e) => {
                self.conn.batch("ROLLBACK TO SAVEPOINT inner_act; RELEASE SAVEPOINT inner_act")?;
                Err(e)
            }
        }
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    pool: Pool,
    /// For single cards of a SQLite file.
    cards: Pool,
    lanes: Lanes,
    lookups: Lookups,
    stamps: Stamps,
    /// The last to be closed.
    writer: Option<Writer>,
}

impl Store {
    /// Opens the database and brings its schema up to date. `connections_max` bounds the connections in use at once.
    pub fn open(place: Place, connections_max: usize) -> Result<Store, MigrateError> {
        if let Place::File(path) = &place {
            file::make_private(path);
        }
        let mut conn = Conn::open(&place).map_err(MigrateError::Engine)?;
        migrate::run(&mut conn)?;
        let writer = match &place {
            Place::File(path) => {
                let turn = file::turnstile(path).map_err(MigrateError::Engine)?;
                Some(Writer::start(conn, turn, Found::at(path)))
            }
            Place::Postgres(_) => None,
        };
        Ok(Store {
            inner: Arc::new(Inner {
                pool: Pool::new(place.clone(), connections_max, Conn::open),
                cards: Pool::new(place.clone(), connections_max, Conn::open_mapped),
                place,
                writer,
                lanes: Lanes::default(),
                lookups: Lookups::default(),
                stamps: Stamps::default(),
            }),
        })
    }

    /// Where the data lies.
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// How many transactions can write at once.
    pub fn writers(&self) -> usize {
        if self.inner.writer.is_some() { 1 } else { self.inner.pool.max() }
    }

    /// Reads in one transaction; what `f` sees does not change while it looks.
    pub fn read<R, E: From<Error>>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        let mut conn = self.inner.pool.get()?;
        conn.batch(match &self.inner.place {
            Place::File(_) => "BEGIN",
            Place::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })?;
        let result = f(&mut Tx { conn: &mut conn });
        conn.batch("COMMIT")?;
        result
    }

    /// Reads with one statement, so without the cost of a transaction.
    pub fn look<R, E: From<Error>>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        self.inner.pool.look(f)
    }

    /// A card with its package state and the catalogue's version, read in one statement. On PostgreSQL those that ask at once
    /// share one; on SQLite it is some microseconds of memory and asked right here.
    pub async fn card(&self, iccid: &str) -> Result<Option<SimAndState>, Error> {
        if let Place::File(_) = &self.inner.place {
            return self.inner.cards.look(|tx| tx.sim_and_state(iccid));
        }
        let (answer, must_ask) = self.inner.lookups.submit(iccid.to_owned());
        if must_ask {
            let store = self.clone();
            tokio::task::spawn_blocking(move || store.inner.lookups.ask(&store.inner.pool));
        }
        answer.await.unwrap_or_else(|_| Err(Error::Engine("the look-up's asker has stopped".into())))
    }

    /// What the database holds now, as a value to compare: equal to an earlier one, nothing was committed in between.
    pub async fn stamp(&self) -> Result<Stamp, Error> {
        if let Place::File(_) = &self.inner.place {
            return self.inner.stamps.read(&self.inner.place);
        }
        let (answer, must_ask) = self.inner.stamps.submit();
        if must_ask {
            let store = self.clone();
            tokio::task::spawn_blocking(move || store.inner.stamps.ask(&store.inner.place));
        }
        answer.await.unwrap_or_else(|_| Err(Error::Engine("the stamp's asker has stopped".into())))
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
                let store = self.clone();
                let joined = tokio::task::spawn_blocking(move || store.write_postgres(f)).await;
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
        let (answer, must_run) = self.inner.lanes.submit(lane, f);
        if must_run {
            let store = self.clone();
            tokio::task::spawn_blocking(move || store.inner.lanes.run(lane, &store.inner.pool));
        }
        answer.await.unwrap_or_else(|_| Err(writer::gone().into()))
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

    fn write_postgres<R, E: From<Error>>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        self.write_postgres_after("BEGIN", f)
    }

    fn write_postgres_after<R, E: From<Error>>(&self, begin: &str, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        let mut conn = self.inner.pool.get()?;
        conn.batch(begin)?;
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

/// Runs one statement on a PostgreSQL server outside any transaction: for making and dropping test databases.
pub fn execute(url: &str, statement: &str) -> Result<(), Error> {
    execute_in(&Place::Postgres(url.to_owned()), statement)
}

/// Runs statements on a database outside any transaction: for tests of what a migration makes of it.
pub fn execute_in(place: &Place, statements: &str) -> Result<(), Error> {
    Conn::open(place)?.batch(statements)
}
