//! `kachi backup` and `kachi restore`: the whole database into a file, and a database out of one, on whichever engine.

use crate::args::{Backup, Restore};
use crate::config::Config;
use crate::exit::Exit;
use crate::{admin, open, print};
use kachi_engine::{Engine, Fail, audit};
use kachi_store::{CopyError, Place, RestoreError, Store};
use serde_json::json;
use std::path::Path;

/// Copies the database as it is now.
pub fn backup(config: &Config, to: &Backup) -> Result<(), Exit> {
    let engine = open::existing(config)?;
    let (file, place, at) = (to.file.display(), engine.store().place().to_string(), engine.now());
    engine.store().copy_to(&to.file).map_err(|e| match e {
        CopyError::Source(e) => open::unopened(engine.store().place(), &e.to_string()),
        CopyError::Target(words) => Exit::refused(format_args!("FILE: {words}; name a new file in a folder where you may write")),
        CopyError::Unwritten(words) => Exit::cannot(format_args!("FILE: {words}; name a new file in a folder that has room")),
    })?;
    let bytes = to.file.metadata().map_err(Exit::cannot)?.len();
    if to.shape.json {
        return print::json(&json!({"file": to.file, "database": place, "at": at, "bytes": bytes}));
    }
    print::line(format_args!("{file}: {place} as it was at {at}, {bytes} bytes"))
}

/// Makes the database that the configuration names, which is not there yet, out of a copy that was checked before.
pub fn restore(config: &Config, from: &Restore) -> Result<(), Exit> {
    let place = open::place(config)?;
    open::make_folder(&config.data_dir)?;
    let check = |copy: &Store| look_through(config, copy).map_err(|e| RestoreError::Damaged(e.to_string()));
    let found = kachi_store::restore(&place, &from.file, &config.data_dir.join("restored"), check);
    let in_copy = found.map_err(|e| unmade(&place, &from.file, e))?;
    let engine = open::existing(config)?;
    let report = match place {
        // It is the file that was looked through.
        Place::File(_) => in_copy,
        Place::Postgres(_) => audit::audit(&engine)?,
    };
    let open_writes = engine.store().look(|tx| Ok::<_, Fail>(tx.intents_open()?))?;
    let file = from.file.display();
    if from.shape.json {
        let found = json!({"database": place.to_string(), "file": from.file, "audit": report, "open_writes": open_writes});
        print::json(&found)?;
    } else {
        print::line(format_args!("{place}: made out of {file}"))?;
        admin::tell_audit(&report)?;
        if open_writes > 0 {
            print::line(format_args!(
                "writes to carriers that are open in it: {open_writes}; they may have been sent since the copy was made and would be sent once more: look at `kachi admin intent list` before you start"
            ))?;
        }
    }
    if report.clean { Ok(()) } else { Err(Exit::finding()) }
}

/// Audits a copy that is no database of ours yet. A damage that the engine does not see may be such that it cannot be.
fn look_through(config: &Config, copy: &Store) -> kachi_engine::Result<audit::Report> {
    audit::audit(&Engine::open(copy.clone(), open::clock(config), config.settings())?)
}

/// Why no database was made, and what is to be done.
fn unmade(place: &Place, file: &Path, e: RestoreError) -> Exit {
    match e {
        RestoreError::Copy(words) => Exit::refused(format!("FILE: {words}; name a file that `kachi backup` made")),
        RestoreError::Damaged(words) => {
            let words = words.lines().map(str::trim).collect::<Vec<_>>().join(" ");
            Exit::refused(format!("FILE: {} is damaged ({words}), and nothing was made of it: take another copy", file.display()))
        }
        RestoreError::Taken(words) => Exit::refused(format!(
            "database.url: {words}, and nothing is written over: take it away, or name another with --data-dir or --database-url"
        )),
        other => open::unopened(place, &other.to_string()),
    }
}
