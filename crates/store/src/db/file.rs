//! The file of a SQLite database: who may read it, whose turn it is to write, and whether it still lies at its place.

use super::{Error, Store};
use rustix::fs::{StatVfs, StatVfsMountFlags};
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

    /// Whether its folder takes what is written, with so many bytes free.
    pub(super) fn has_room(&self, bytes: u64) -> Result<(), Error> {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let told = |words: String| Error::Engine(format!("{}: {words}", self.path.display()));
        let disk = rustix::fs::statvfs(folder).map_err(|e| told(e.to_string()))?;
        room(&disk, bytes).map_err(told)
    }
}

/// What is in the way of so many bytes. A file system turns read-only by itself where its disk fails.
fn room(disk: &StatVfs, bytes: u64) -> Result<(), String> {
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err("its folder has become read-only: look at the disk, and mount it for writing".into());
    }
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= bytes {
        Ok(())
    } else {
        Err(format!("only {} MB are free: make room, or soon nothing can be written", free >> 20))
    }
}

fn id(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|m| (m.dev(), m.ino()))
}

/// Writes nothing, and is refused where nothing can be written: in a file that may only be read, and by a PostgreSQL that follows
/// another.
const WRITE: &str = "UPDATE schema_step SET number = number WHERE number < 0";

impl Store {
    /// Whether it can be worked with: it answers, and PostgreSQL takes what is written; a SQLite file lies where it was opened, in a
    /// folder that takes what is written, and has room to grow.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(writer) = &self.inner.writer {
            self.look(|tx| tx.rows::<(i64,)>("SELECT CAST(1 AS BIGINT)", &[]))?;
            return writer.check();
        }
        self.look(|tx| tx.run(WRITE, &[])).map(drop).map_err(|e| match e {
            Error::Engine(words) if words.contains("in a read-only transaction") => Error::Engine(
                "PostgreSQL takes no writes (transaction_read_only is on): it is a standby, or default_transaction_read_only is set there; name the primary in database.url, or set it off".into(),
            ),
            other => other,
        })
    }

    /// Whether it takes what is written, however long the turn for that is waited for: a SQLite file that may only be read opens too.
    pub fn check_writing(&self) -> Result<(), Error> {
        if self.is_file() { self.write(|tx| tx.run(WRITE, &[])).map(drop) } else { self.check() }
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
    fn a_folder_that_became_read_only_is_told() {
        let mut disk = rustix::fs::statvfs(std::env::temp_dir().as_path()).expect("a file system");
        assert_eq!(super::room(&disk, 1), Ok(()));
        disk.f_flag |= rustix::fs::StatVfsMountFlags::RDONLY;
        let words = super::room(&disk, 1).expect_err("nothing can be written");
        assert!(words.contains("has become read-only"), "{words}");
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
