//! An empty database on each engine for each test. A missing engine is a failure, never a skip.

use kachi_store::{Place, Store};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where PostgreSQL is: `KACHI_TEST_POSTGRES`, or the local server.
pub fn postgres_url() -> String {
    std::env::var("KACHI_TEST_POSTGRES").unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
}

static MADE: AtomicU64 = AtomicU64::new(0);

/// A database that is gone when this is.
pub struct Database {
    /// Where it is.
    pub place: Place,
    cleanup: Cleanup,
}

enum Cleanup {
    Folder(#[allow(dead_code)] tempfile::TempDir),
    Postgres(String),
}

impl Database {
    /// An empty SQLite database.
    pub fn sqlite() -> Database {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Database { place: Place::File(folder.path().join("kachi.db")), cleanup: Cleanup::Folder(folder) }
    }

    /// An empty PostgreSQL database on the test server.
    pub fn postgres() -> Database {
        let name = format!("kachi_test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::SeqCst));
        kachi_store::db::execute(&postgres_url(), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .unwrap_or_else(|e| panic!("PostgreSQL is needed for this test (KACHI_TEST_POSTGRES = {}): {e}", postgres_url()));
        kachi_store::db::execute(&postgres_url(), &format!("CREATE DATABASE {name}")).expect("the test database is made");
        // The server itself is never killed by a test, so nothing is learnt from its waiting for the disk.
        let quick = format!("ALTER DATABASE {name} SET synchronous_commit = off");
        kachi_store::db::execute(&postgres_url(), &quick).expect("a setting of the database");
        Database { place: Place::Postgres(with_database(&postgres_url(), &name)), cleanup: Cleanup::Postgres(name) }
    }

    /// An empty database on the engine of another.
    pub fn like(store: &Store) -> Database {
        match store.place() {
            Place::File(_) => Database::sqlite(),
            Place::Postgres(_) => Database::postgres(),
        }
    }

    /// Opens it.
    pub fn open(&self) -> Store {
        Store::open(self.place.clone(), 8).expect("the database opens")
    }

    /// Its address as `database.url` takes it.
    pub fn url(&self) -> String {
        match &self.place {
            Place::File(path) => format!("sqlite:{}", path.display()),
            Place::Postgres(url) => url.clone(),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Cleanup::Postgres(name) = &self.cleanup {
            let _ = kachi_store::db::execute(&postgres_url(), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(a, q)| (a, Some(q)));
    let server = address.rfind('/').map_or(address, |i| &address[..i]);
    match query {
        Some(q) => format!("{server}/{name}?{q}"),
        None => format!("{server}/{name}"),
    }
}

/// Runs a test on a fresh database of each engine.
pub fn each(test: impl Fn(Store)) {
    for database in [Database::sqlite(), Database::postgres()] {
        test(database.open());
    }
}
