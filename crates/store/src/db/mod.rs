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
mod flushes;
pub mod gather;
mod lanes;
mod lookups;
mod migrate;
mod patience;
mod place;
mod pool;
mod rows;
pub mod sql;
mod stamps;
mod store;
mod writer;

pub use backup::{CopyError, RestoreError, restore};
pub(crate) use bulk::Column as BulkColumn;
use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};
pub use migrate::{MigrateError, Schema};
use patience::Deadline;
pub use place::Place;
pub use rows::Named;
use sql::{Row, Statement, Value};
pub use stamps::Stamp;
use std::collections::HashSet;
use std::fmt;
pub use store::{Store, Took};

/// What went wrong below; the text is for the log, not for a customer.
#[derive(Debug, Clone)]
pub enum Error {
    /// A unique key or a check refused the row; the name of the constraint where the engine tells it.
    Constraint(String),
    /// PostgreSQL ended the transaction because it and another waited for each other's locks: done again, it may go through. Known
    /// by the server's English words; a server that speaks another language tells [`Error::Engine`].
    Deadlock(String),
    /// PostgreSQL gave no connection, took one away, or gave no answer for as long as the caller waits. The log has once that none is
    /// given, and once that one is given again; who meets it and tries again need not tell it. Taking away is known by English
    /// words, as a deadlock is.
    Unreachable(String),
    /// The disk did not keep what was written, so nothing is read or written any more. The log has it once.
    Lost(String),
    /// Anything else: the engine's own words.
    Engine(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Constraint(words) => write!(f, "constraint: {words}"),
            Error::Deadlock(words) | Error::Unreachable(words) | Error::Lost(words) | Error::Engine(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What the log is to say of it; nothing where it has said so already, and everybody is told the same from then on.
    pub fn for_log(&self) -> Option<String> {
        if matches!(self, Error::Lost(_)) { None } else { Some(self.to_string()) }
    }
}

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

/// What is said of a connection that PostgreSQL, who ended it, or the network took away.
const TAKEN_AWAY: [&str; 5] = [
    "terminating connection",
    "server closed the connection",
    "no connection to the server",
    "could not receive data from server",
    "could not send data to server",
];

fn is_taken_away(words: &str) -> bool {
    TAKEN_AWAY.iter().any(|w| words.starts_with(w))
}

pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Pg(PgConnection),
}

pub(crate) struct Conn {
    pub(crate) raw: Raw,
    /// While several acts share one transaction: what they share.
    group: Option<Group>,
    /// Until when whoever has it waits.
    deadline: Option<Deadline>,
    /// It was not done with in time, so nobody knows where it stands.
    is_late: bool,
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
                Ok(Conn::new(Raw::Sqlite(conn)))
            }
            Place::Postgres(url) => {
                let mut conn = PgConnection::establish(&place::with_limits(url)).map_err(|e| Error::Unreachable(connect(e)))?;
                conn.batch_execute(place::SESSION)?;
                Ok(Conn::new(Raw::Pg(conn)))
            }
        }
    }

    /// One that reads. Of a SQLite file it keeps few pages: whatever is written makes all it has kept worth nothing.
    fn open_reading(place: &Place) -> Result<Conn, Error> {
        let mut conn = Conn::open(place)?;
        if let Place::File(_) = place {
            conn.batch("PRAGMA cache_size=-2000")?;
        }
        Ok(conn)
    }

    /// One that reads a SQLite file in the system's own memory of it, without a copy. An error of the disk then ends the process,
    /// as a cut of the current does; so it is for single cards that are asked for in great number, and nothing else.
    fn open_mapped(place: &Place) -> Result<Conn, Error> {
        let mut conn = Conn::open_reading(place)?;
        if let Place::File(_) = place {
            conn.batch("PRAGMA mmap_size=2147418112; PRAGMA query_only=ON")?;
        }
        Ok(conn)
    }

    fn new(raw: Raw) -> Conn {
        Conn { raw, group: None, deadline: None, is_late: false }
    }

    /// Whether whoever has it still waits: else nothing more is done on it, not even what would end its transaction.
    fn in_time(&mut self) -> Result<(), Error> {
        let Some(deadline) = self.deadline.filter(Deadline::is_over) else { return Ok(()) };
        self.is_late = true;
        if let Some(group) = &mut self.group {
            group.failed = true;
        }
        Err(deadline.no_answer())
    }

    pub(crate) fn batch(&mut self, text: &str) -> Result<(), Error> {
        self.in_time()?;
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
        self.conn.in_time()?;
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
        self.conn.in_time()?;
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

/// Runs one statement on a PostgreSQL server outside any transaction: for making and dropping test databases.
pub fn execute(url: &str, statement: &str) -> Result<(), Error> {
    execute_in(&Place::Postgres(url.to_owned()), statement)
}

/// Runs statements on a database outside any transaction: for tests of what a migration makes of it.
pub fn execute_in(place: &Place, statements: &str) -> Result<(), Error> {
    Conn::open(place)?.batch(statements)
}
