//! The file of a SQLite database: who may read it, whose turn it is to write, and whether it still lies at its place.

use super::{Error, Store};
use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes a file that nobody else may read.
pub(super) fn private(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes the file of a new database, which holds secrets; SQLite gives the files beside it the same rights. One that is there keeps
/// its own, and of one that cannot be made SQLite tells.
pub(super) fn make_private(path: &Path) {
    let _ = private(path);
}

/// The file whose lock is the turn to write. Whoever may read it may take turns: another user of the system may have made it.
pub(super) fn turnstile(path: &Path) -> Result<File, Error> {
    let path = path.with_added_extension("turn");
    File::open(&path).or_else(|_| File::create(&path)).map_err(|e| Error::Engine(format!("{}: {e}", path.display())))
}

/// A file as it was found at its path.
#[derive(Debug, Clone)]
pub(super) struct Found {
    path: PathBuf,
    id: Option<(u64, u64)>,
}

impl Found {
    pub(super) fn at(path: &Path) -> Found {
        Found { path: path.to_owned(), id: id(path) }
    }

    /// Whether it still lies there. What is written into a file that was moved away, or over which another was laid, is lost to
    /// everybody who looks at the path.
    pub(super) fn check(&self) -> Result<(), Error> {
        if id(&self.path) == self.id {
            return Ok(());
        }
        let path = self.path.display();
        let words = "was taken away, or another file was laid in its place, while it was open: nothing is written any more";
        Err(Error::Engine(format!("{path} {words}; put the right one there and start again")))
    }

    /// Whether so many bytes are free where it lies.
    pub(super) fn has_room(&self, bytes: u64) -> Result<(), Error> {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let told = |words: String| Error::Engine(format!("{}: {words}", self.path.display()));
        let disk = rustix::fs::statvfs(folder).map_err(|e| told(e.to_string()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= bytes {
            return Ok(());
        }
        Err(told(format!("only {} MB are free: make room, or soon nothing can be written", free >> 20)))
    }
}

fn id(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|m| (m.dev(), m.ino()))
}

impl Store {
    /// Whether it can be worked with: it answers, and PostgreSQL takes what is written; a SQLite file lies where it was opened and has
    /// room to grow.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(writer) = &self.inner.writer {
            self.look(|tx| tx.rows::<(i64,)>("SELECT CAST(1 AS BIGINT)", &[]))?;
            return writer.check();
        }
        // It is on for each transaction of a standby.
        let read_only = "SELECT CAST(1 AS BIGINT) WHERE current_setting('transaction_read_only') = 'on'";
        if self.look(|tx| tx.row::<(i64,)>(read_only, &[]))?.is_none() {
            return Ok(());
        }
        let words = "takes no writes (transaction_read_only is on): a standby, or default_transaction_read_only is set there";
        Err(Error::Engine(format!("PostgreSQL {words}; name the primary in database.url, or set it off")))
    }

    /// Whether it takes what is written: a SQLite file that may only be read opens too, and so does a PostgreSQL that follows another.
    pub fn check_writing(&self) -> Result<(), Error> {
        self.write(|tx| tx.run("UPDATE schema_step SET number = number WHERE number < 0", &[]).map(|_| ()))
    }
}

#[cfg(test)]
mod tests {
    use crate::db::{Error, Place, Store};
    use std::os::unix::fs::PermissionsExt;

    fn add(store: &Store) -> Result<(), Error> {
        store.write(|tx| tx.touch_catalogue())
    }

    #[test]
    fn nothing_is_written_into_a_file_that_was_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, away) = (folder.path().join("t.db"), folder.path().join("away.db"));
        let store = Store::open(Place::File(path.clone()), 2).expect("it opens");
        add(&store).expect("written");
        store.check().expect("good");
        std::fs::rename(&path, &away).expect("moved");
        for is_another_there in [false, true] {
            if is_another_there {
                std::fs::copy(&away, &path).expect("another is laid there");
            }
            for refused in [add(&store), store.check()] {
                let words = refused.expect_err("it is not where it was").to_string();
                assert!(words.contains("t.db was taken away, or another file"), "{words}");
            }
        }
        std::fs::rename(&away, &path).expect("put back");
        store.check().expect("good again");
        add(&store).expect("written");
    }

    #[test]
    fn a_disk_that_is_nearly_full_is_told_with_what_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.db");
        let store = Store::open(Place::File(path.clone()), 2).expect("it opens");
        let found = super::Found::at(&path);
        assert!(found.has_room(1).is_ok() && store.check().is_ok(), "there is room for the tests");
        let words = found.has_room(u64::MAX).expect_err("nobody has that much").to_string();
        assert!(words.contains("t.db: only ") && words.contains(" MB are free"), "{words}");
    }

    #[test]
    fn a_closed_database_is_one_file_that_others_cannot_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.db");
        let store = Store::open(Place::File(path.clone()), 2).expect("it opens");
        let again = store.clone();
        add(&store).expect("written");
        drop(store);
        let beside = |name: &str| folder.path().join(name).exists();
        assert!(beside("t.db-wal"), "it is open");
        drop(again);
        assert!(!beside("t.db-wal") && !beside("t.db-shm"), "all is in the one file");
        assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn whoever_may_read_the_turnstile_takes_turns() {
        let folder = tempfile::tempdir().expect("a folder");
        let turn = folder.path().join("t.db.turn");
        std::fs::write(&turn, "").expect("made");
        std::fs::set_permissions(&turn, std::fs::Permissions::from_mode(0o444)).expect("nobody writes it");
        let held = super::turnstile(&folder.path().join("t.db")).expect("it is opened");
        held.lock().expect("a turn");
        assert!(super::turnstile(&folder.path().join("t.db")).expect("opened").try_lock().is_err(), "one at a time");
    }
}
