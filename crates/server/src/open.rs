//! Opening the house: folder, database, clock, engine, and the operator's own account.

use crate::config::Config;
use crate::exit::Exit;
use kachi_domain::account::{Path, Switch};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::time::DEFAULT_ZONE;
use kachi_domain::{Currency, Timestamp};
use kachi_engine::{Clock, Engine, Fail};
use kachi_store::accounts::Account;
use kachi_store::{Place, Store};
use std::time::{SystemTime, UNIX_EPOCH};

/// Code of the account that everything stands under.
pub const OPERATOR_CODE: &str = "operator";

/// Opens the engine: makes the data folder, brings the schema up to date, makes sure that there is an operator.
pub fn engine(config: &Config) -> Result<Engine, Exit> {
    let store = store(config)?;
    let clock = clock(config);
    ensure_operator(&store, clock.now())?;
    Engine::open(store, clock, config.settings()).map_err(Exit::cannot)
}

/// As [`engine`], for whoever will write: a file that may only be read opens too.
pub fn writable(config: &Config) -> Result<Engine, Exit> {
    let engine = engine(config)?;
    check_writing(&engine)?;
    Ok(engine)
}

/// Whether something can be written.
pub fn check_writing(engine: &Engine) -> Result<(), Exit> {
    let store = engine.store();
    store.check_writing().map_err(|e| unopened(store.place(), &e.to_string()))
}

/// Whether there is no database yet where one will be opened.
pub fn is_new(config: &Config) -> Result<bool, Exit> {
    let place = place(config)?;
    place.is_made().map(|made| !made).map_err(|e| unopened(&place, &e.to_string()))
}

/// As [`engine`], where a database must be there already: for whoever asks or mends, a new and empty one is only the wrong
/// folder.
pub fn existing(config: &Config) -> Result<Engine, Exit> {
    if is_new(config)? {
        let place = place(config)?;
        return Err(Exit::cannot(format!(
            "database.url: there is no database of Kachi's at {place}: name its folder with --data-dir or its address with --database-url, or make one with `kachi serve`, `kachi apply` or `kachi migrate`"
        )));
    }
    engine(config)
}

pub fn place(config: &Config) -> Result<Place, Exit> {
    Place::parse(&config.database.url, &config.data_dir).map_err(Exit::cannot)
}

/// Opens the database alone.
fn store(config: &Config) -> Result<Store, Exit> {
    let place = place(config)?;
    make_folder(&config.data_dir)?;
    Store::open(place.clone(), config.database.connections_max).map_err(|e| unopened(&place, &e.to_string()))
}

/// What the engines say of a database that cannot be opened, and what is to be done then.
const REMEDIES: [(&str, &str); 20] = [
    ("no answer within", "it hangs, or what lies between does: look at PostgreSQL's log and its disk, and at the network"),
    (
        "timeout expired",
        "it hangs, or nobody is there: look at PostgreSQL's log, mend host and port in the address, or open the firewall",
    ),
    ("already exists", "these are the tables of another program: name an empty database, or Kachi's own"),
    ("malformed", "put a copy of it back, with the files -wal and -shm beside it taken away first"),
    ("Permission denied", "change its owner to who runs Kachi"),
    ("program knows up to", "use the newer program"),
    ("file is not a database", "name another file, or put a copy of this one back"),
    ("unable to open database file", "make its folder, or name one that you may write to with --data-dir"),
    ("readonly database", "change its owner, or name a folder that you may write to with --data-dir"),
    ("read-only transaction", "it is a standby, or default_transaction_read_only is set there: name the primary, or set it off"),
    ("password authentication failed", "mend user and password in the address"),
    ("no password supplied", "write user:password@ before the host"),
    ("No such file", "make its folder, or name another"),
    ("No space left", "make room there"),
    ("disk is full", "make room beside it"),
    ("is locked", "another program holds it: wait until that is done, or end it"),
    ("role ", "make this user in PostgreSQL (createuser), or name another in the address"),
    ("database ", "make it in PostgreSQL (createdb), or name another at the end of the address"),
    ("could not translate host name", "mend the host in the address"),
    ("onnection", "start PostgreSQL there, or mend host and port in the address"),
];

/// Why the database cannot be opened, in the engine's words on one line, and what is to be done.
pub fn unopened(place: &Place, words: &str) -> Exit {
    let words: Vec<&str> = words.lines().map(str::trim).collect();
    let words = words.join(" ");
    // The engine's own words end in what they say last; what leads there may speak of connections too.
    let last = words.rsplit("FATAL:").next().unwrap_or(&words);
    let last = last.rsplit("cannot connect to the database:").next().unwrap_or(last);
    let remedy =
        REMEDIES.iter().find(|(said, _)| last.contains(said)).map_or_else(String::new, |(_, remedy)| format!(": {remedy}"));
    Exit::cannot(format!("database.url: {place}: {words}{remedy}"))
}

/// The system's clock, shifted as the configuration says.
pub fn clock(config: &Config) -> Clock {
    let offset = config.clock.offset_seconds;
    Clock::new(move || {
        let seconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_secs() as i64,
            Err(before) => -(before.duration().as_secs() as i64),
        };
        Timestamp(seconds + offset)
    })
}

/// A folder only we can look into: it holds secrets and customers' data.
pub fn make_folder(dir: &std::path::Path) -> Result<(), Exit> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .recursive(true)
        .create(dir)
        .map_err(|e| Exit::cannot(format!("data_dir: {} cannot be made ({e}): name a folder you may write to", dir.display())))
}

/// Creates the operator's account if there is none. Any number of processes may do so at once.
pub(crate) fn ensure_operator(store: &Store, now: Timestamp) -> Result<(), Exit> {
    let there = store.look(|tx| Ok::<_, Fail>(tx.accounts()?.iter().any(|a| a.id == OPERATOR)))?;
    if there {
        return Ok(());
    }
    let operator = Account {
        id: OPERATOR,
        code: OPERATOR_CODE.to_owned(),
        path: Path::root(),
        name: "Operator".to_owned(),
        currency: Currency::CNY,
        time_zone: DEFAULT_ZONE.to_owned(),
        language: "zh".to_owned(),
        credit_minor: 0,
        ip_allow: "[]".to_owned(),
        notify: "{}".to_owned(),
        contact: "{}".to_owned(),
        switch: Switch::On,
        claims: false,
        credit_stop: false,
    };
    store.write(move |tx| {
        tx.put_account(&operator, now)?;
        tx.touch_catalogue()?;
        Ok::<_, Fail>(())
    })?;
    Ok(())
}
