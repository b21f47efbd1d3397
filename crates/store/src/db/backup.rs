//! Copies of the whole database, and databases out of copies. A copy is a SQLite file, whichever engine it was made from and
//! whichever it becomes: so it is also the way from one engine to the other.

use super::file::private;
use super::rows::{Named, list};
use super::sql::Value;
use super::{Conn, Error, MigrateError, Place, Store, Tx};
use crate::binds;
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Tables whose rows a new database has of its own.
const OWN: [&str; 5] = ["account", "balance", "credit_stop", "schema_step", "version"];

/// Why no database was made out of a copy.
#[derive(Debug)]
pub enum RestoreError {
    /// The copy cannot be read, or is none of a database of ours.
    Copy(String),
    /// The copy is one of a database of ours, and a part of it is not as it was written; what was found.
    Damaged(String),
    /// Something is there already where the database is to be made.
    Taken(String),
    /// The copy cannot be brought up to date.
    Migrate(MigrateError),
    /// The engine's own words.
    Engine(Error),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Copy(words) | RestoreError::Damaged(words) | RestoreError::Taken(words) => f.write_str(words),
            RestoreError::Migrate(e) => e.fmt(f),
            RestoreError::Engine(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<Error> for RestoreError {
    fn from(e: Error) -> RestoreError {
        RestoreError::Engine(e)
    }
}

impl From<MigrateError> for RestoreError {
    fn from(e: MigrateError) -> RestoreError {
        RestoreError::Migrate(e)
    }
}

/// Why no copy was made: whose fault it is, so that it is known where to mend it.
#[derive(Debug)]
pub enum CopyError {
    /// The database that is copied does not give its rows.
    Source(Error),
    /// The file that they go to is there already, or cannot be made where it was named.
    Target(String),
    /// It was made, and does not take them all.
    Unwritten(String),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CopyError::Source(e) => e.fmt(f),
            CopyError::Target(words) | CopyError::Unwritten(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for CopyError {}

/// Why rows do not go from one database to another.
enum Fault {
    /// The one that gives them fails.
    Giving(Error),
    /// The one that takes them does, or has some already.
    Taking(RestoreError),
}

/// What is not said to be another's fault is that of the database in whose transaction it happened: the one that takes them.
impl From<Error> for Fault {
    fn from(e: Error) -> Fault {
        Fault::Taking(RestoreError::Engine(e))
    }
}

impl From<Fault> for CopyError {
    fn from(fault: Fault) -> CopyError {
        match fault {
            Fault::Giving(e) => CopyError::Source(e),
            Fault::Taking(e) => CopyError::Unwritten(e.to_string()),
        }
    }
}

impl From<Fault> for RestoreError {
    fn from(fault: Fault) -> RestoreError {
        match fault {
            Fault::Giving(e) => RestoreError::Damaged(e.to_string()),
            Fault::Taking(e) => e,
        }
    }
}

/// A path with an I/O error.
fn words(path: &Path, e: &std::io::Error) -> String {
    format!("{}: {e}", path.display())
}

/// What is being made, under another name until it is whole; what is left of it goes with this.
struct Part(PathBuf);

impl Part {
    /// Under a name that no other process takes.
    fn beside(path: &Path) -> Part {
        let part = Part(path.with_added_extension(format!("{}.part", std::process::id())));
        part.clear();
        part
    }

    fn clear(&self) {
        for end in ["", "-wal", "-shm", ".turn"] {
            let _ = std::fs::remove_file(with_end(&self.0, end));
        }
    }

    /// Whether the file can be written to.
    fn takes_more(&self) -> std::io::Result<()> {
        let mut file = std::fs::File::options().append(true).open(&self.0)?;
        file.write_all(&[0; 4096])?;
        file.sync_all()
    }

    /// Gives it its name, for good.
    fn becomes(&self, path: &Path) -> std::io::Result<()> {
        // SQLite hides that there was no room to carry its log over: then the file alone is not all.
        if with_end(&self.0, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
            return Err(std::io::Error::other("the copy was not finished: make room"));
        }
        if path.try_exists()? {
            return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it was made by another meanwhile"));
        }
        std::fs::File::open(&self.0)?.sync_all()?;
        std::fs::rename(&self.0, path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.clear();
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut all = path.as_os_str().to_owned();
    all.push(end);
    PathBuf::from(all)
}

impl Store {
    /// Copies the database as it is at this moment into a new SQLite file, beside whoever works with it. A file that is not there in
    /// the end was not made: until it is whole it lies beside as `.part`.
    ///
    /// # Errors
    /// Where the file is there already or cannot be made, or the database cannot be read.
    pub fn copy_to(&self, path: &Path) -> Result<(), CopyError> {
        if path.try_exists().map_err(target(path))? {
            return Err(CopyError::Target(format!("{} is there already", path.display())));
        }
        let part = Part::beside(path);
        drop(private(&part.0).map_err(target(&part.0))?);
        match &self.inner.place {
            Place::File(_) => {
                let mut conn = self.inner.pool.get(None).map_err(CopyError::Source)?;
                let copied = Tx { conn: &mut conn }.run("VACUUM INTO ?", &binds![part.0.to_string_lossy().into_owned()]);
                copied.map_err(|e| match part.takes_more() {
                    // SQLite does not say which of the two files it means.
                    Ok(()) if !is_full(&e) => CopyError::Source(e),
                    Ok(()) => CopyError::Unwritten(e.to_string()),
                    Err(other) => CopyError::Unwritten(words(&part.0, &other)),
                })?;
                self.wait_kept().map_err(CopyError::Source)?;
            }
            Place::Postgres(_) => {
                let copy = Store::open(Place::File(part.0.clone()), 1).map_err(|e| CopyError::Unwritten(e.to_string()))?;
                copy.fill(self)?;
            }
        }
        part.becomes(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => CopyError::Target(words(path, &e)),
            _ => CopyError::Unwritten(words(path, &e)),
        })
    }

    /// Puts all rows of another database into this one, which has none but those of a new one.
    fn fill(&self, from: &Store) -> Result<(), Fault> {
        let (from, place) = (from.clone(), self.inner.place.clone());
        self.write(move |tx| {
            if tx.is_postgres() {
                // No server begins on it meanwhile.
                tx.conn.batch("LOCK TABLE account IN ACCESS EXCLUSIVE MODE")?;
            }
            refuse_taken(tx, &place).map_err(Fault::Taking)?;
            from.read(|source| Ok::<_, Error>(fill(tx, source))).map_err(Fault::Giving)?
        })
    }
}

/// What is wrong with the file of a copy.
fn target(path: &Path) -> impl Fn(std::io::Error) -> CopyError {
    move |e| CopyError::Target(words(path, &e))
}

/// Whether a copy found no room; a database that is read needs none.
fn is_full(e: &Error) -> bool {
    e.to_string().contains("is full")
}

fn refuse_taken(tx: &mut Tx<'_>, place: &Place) -> Result<(), RestoreError> {
    match own_rows_only(tx)? {
        Some(table) => Err(RestoreError::Taken(format!("{place} holds rows already, in the table {table}"))),
        None => Ok(()),
    }
}

/// Makes a database at `place` out of a copy, which stays as it is. It is brought up to date if it was made by an earlier version,
/// and `check` looks at it then, before anything of it is at the place; the answer is what that found. A folder to work in is `scratch`.
///
/// # Errors
/// Where anything is there already: nothing is ever written over. Where the copy is damaged, or `check` refuses it.
pub fn restore<R>(
    place: &Place,
    copy: &Path,
    scratch: &Path,
    check: impl FnOnce(&Store) -> Result<R, RestoreError>,
) -> Result<R, RestoreError> {
    let part = Part::beside(match place {
        Place::File(path) => path,
        Place::Postgres(_) => scratch,
    });
    refuse_made(place)?;
    take_copy(copy, &part.0)?;
    let store = Store::open(Place::File(part.0.clone()), 2)?;
    let found = check(&store)?;
    match place {
        Place::File(path) => {
            drop(store);
            part.becomes(path).map_err(|e| RestoreError::Engine(Error::Engine(words(path, &e))))?;
        }
        Place::Postgres(_) => Store::open(place.clone(), 2)?.fill(&store)?,
    }
    Ok(found)
}

/// Refuses a place where something is, before a schema there is brought up to date under whoever works with it.
fn refuse_made(place: &Place) -> Result<(), RestoreError> {
    match place {
        Place::File(path) => match ["", "-wal"].iter().map(|end| with_end(path, end)).find(|p| p.exists()) {
            Some(there) => Err(RestoreError::Taken(format!("{} is there already", there.display()))),
            None => Ok(()),
        },
        Place::Postgres(_) if place.is_made()? => refuse_taken(&mut Tx { conn: &mut Conn::open(place)? }, place),
        Place::Postgres(_) => Ok(()),
    }
}

/// Copies the file and what of it is still in its log, if that is a whole database of ours.
fn take_copy(copy: &Path, part: &Path) -> Result<(), RestoreError> {
    let not_ours =
        |e: &dyn fmt::Display| RestoreError::Copy(format!("{} is no copy of a database of Kachi's: {e}", copy.display()));
    let unreadable = |e: Error| {
        let words = e.to_string();
        if words.contains("malformed") { RestoreError::Damaged(words) } else { not_ours(&words) }
    };
    let changed = || ["", "-wal"].map(|end| with_end(copy, end).metadata().and_then(|m| Ok((m.len(), m.modified()?))).ok());
    let before = changed();
    for end in ["", "-wal"] {
        let (from, to) = (with_end(copy, end), with_end(part, end));
        if end.is_empty() || from.exists() {
            carry(&from, &to)?;
        }
    }
    if changed() != before {
        return Err(RestoreError::Copy(format!("{} was written to meanwhile, by a server that runs on it", copy.display())));
    }
    let mut conn = Conn::open(&Place::File(part.to_owned())).map_err(unreadable)?;
    let mut tx = Tx { conn: &mut conn };
    let tables = tx.tables().map_err(unreadable)?;
    if !["account", "schema_step", "sim"].iter().all(|t| tables.iter().any(|name| name == t)) {
        return Err(not_ours(&"it has other tables"));
    }
    match damage(&mut tx).unwrap_or_else(|e| Some(e.to_string())) {
        Some(words) => Err(RestoreError::Damaged(words)),
        None => Ok(()),
    }
}

/// Carries bytes into a new file; it is told which of the two files fails.
fn carry(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let unread = |e| RestoreError::Copy(words(from, &e));
    let unwritten = |e| RestoreError::Engine(Error::Engine(words(to, &e)));
    let mut source = std::fs::File::open(from).map_err(unread)?;
    let mut target = private(to).map_err(unwritten)?;
    let mut block = vec![0; 1 << 20];
    loop {
        match source.read(&mut block).map_err(unread)? {
            0 => return Ok(()),
            n => target.write_all(&block[..n]).map_err(unwritten)?,
        }
    }
}

/// What is wrong in a SQLite file: pages, indexes, what may not be null, and rows that name others.
fn damage(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    let told = tx.rows_once::<(String,)>("PRAGMA integrity_check(1)", &[])?;
    // Above what is wrong with a page stands which database it is in.
    let found = told.iter().flat_map(|row| row.0.lines()).find(|line| *line != "ok" && !line.starts_with("***"));
    if let Some(words) = found {
        return Ok(Some(words.to_owned()));
    }
    let lost = tx.row::<(String, String)>("SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1", &[])?;
    Ok(lost.map(|(table, parent)| format!("a row of {table} names one of {parent} that is not there")))
}

/// A table with rows that a new database does not have.
fn own_rows_only(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    for table in tx.tables()? {
        let least = i64::from(table == "account");
        let more = tx.row::<(i64,)>(&format!("SELECT COUNT(*) FROM (SELECT 1 FROM \"{table}\" LIMIT 2) AS few"), &[])?;
        if more.is_some_and(|r| r.0 > least) && (least == 1 || !OWN.contains(&table.as_str())) {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

fn fill(tx: &mut Tx<'_>, source: &mut Tx<'_>) -> Result<(), Fault> {
    for table in source.tables().map_err(Fault::Giving)? {
        if table == "schema_step" {
            continue;
        }
        let columns = source.columns(&table).map_err(Fault::Giving)?;
        if columns != tx.columns(&table)? {
            let e = Error::Engine(format!("the table {table} has other columns than it should"));
            // A copy is made here by this program, so what differs from it is the database.
            return Err(if tx.is_postgres() { e.into() } else { Fault::Giving(e) });
        }
        tx.run(&format!("DELETE FROM \"{table}\""), &[])?;
        let text = insert(&table, &columns, tx.is_postgres());
        let mut refused = None;
        let given = source.each_row(&table, &columns, |rows| {
            let put = tx.run(&text, &[Value::Owned(format!("[{}]", rows.join(",")))]);
            put.map(drop).inspect_err(|e| refused = Some((is_of_rows(e), Error::Engine(format!("the table {table}: {e}")))))
        });
        match (given, refused) {
            (_, Some((true, e))) => return Err(Fault::Giving(e)),
            (_, Some((false, e))) => return Err(e.into()),
            (given, None) => given.map_err(Fault::Giving)?,
        }
    }
    if tx.is_postgres() { Ok(go_on_numbering(tx)?) } else { Ok(()) }
}

/// Whether rows were refused for what they are: against a constraint, or text with a zero byte, which PostgreSQL takes in no table.
fn is_of_rows(e: &Error) -> bool {
    let words = e.to_string();
    matches!(e, Error::Constraint(_)) || ["not-null constraint", "Unicode escape"].iter().any(|w| words.contains(w))
}

/// A statement that adds rows out of a list of JSON objects.
fn insert(table: &str, columns: &[Named], postgres: bool) -> String {
    let names = list(columns);
    if postgres {
        return format!(
            "INSERT INTO \"{table}\" ({names}) SELECT {names} FROM json_populate_recordset(NULL::\"{table}\", CAST(? AS JSON))"
        );
    }
    let value = |Named { name, bytes, .. }: &Named| match bytes {
        true => format!("unhex(substr(value ->> '{name}', 3))"),
        false => format!("value ->> '{name}'"),
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    format!("INSERT INTO \"{table}\" ({names}) SELECT {} FROM json_each(?)", values.join(", "))
}

/// PostgreSQL numbers on behind the highest number that it was given. (SQLite does so by itself.)
fn go_on_numbering(tx: &mut Tx<'_>) -> Result<(), Error> {
    let numbered = "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns
                    WHERE table_schema = current_schema() AND is_identity = 'YES'";
    for (table, column) in tx.rows::<(String, String)>(numbered, &[])? {
        let text = format!(
            "SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), MAX(\"{column}\"))
             FROM \"{table}\" HAVING MAX(\"{column}\") IS NOT NULL"
        );
        tx.rows_once::<(i64,)>(&text, &[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Part, with_end};

    /// Where there was no room SQLite leaves its log beside the file, and says nothing.
    #[test]
    fn a_copy_whose_log_was_not_carried_over_gets_no_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("copy.db");
        let part = Part::beside(&path);
        std::fs::write(&part.0, "most of it").expect("a file");
        std::fs::write(with_end(&part.0, "-wal"), "the rest").expect("a file");
        let refused = part.becomes(&path).expect_err("it is not whole").to_string();
        assert!(refused.contains("make room") && !path.exists(), "{refused}");
        std::fs::write(with_end(&part.0, "-wal"), "").expect("a file");
        part.becomes(&path).expect("it is whole");
        drop(part);
        let left: Vec<_> = folder.path().read_dir().expect("a folder").map(|f| f.expect("a file").file_name()).collect();
        assert_eq!(left, ["copy.db"]);
    }
}
