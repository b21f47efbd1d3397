//! `kachi apply`: files that say what should be there; all of it is made so, or nothing is.
//!
//! All files go through one transaction. The engine works in it with the catalogue as the transaction has made it so far
//! ([`Catalogue::of`]): money, cards, the usage that waited for them and what they had in another system are in it like
//! everything else. A try (`--dry-run`) is the same transaction taken back.

mod accounts;
mod cards;
mod catalogue;
mod cdr_ftp;
mod file;
mod goods;
mod imei;
mod messages;
mod once;
mod pools;
mod prices;
mod shape;
mod work;

use crate::args::ApplyArgs;
use crate::config::Config;
use crate::exit::Exit;
use crate::{open, print};
use file::Document;
use kachi_engine::cards::Settling;
use kachi_engine::{Catalogue, import};
use kachi_store::Tx;
use std::path::{Path, PathBuf};
use work::{Outcome, Step, Stop, Work};

pub use accounts::check_login;

/// A file that was read.
struct Source {
    name: String,
    folder: PathBuf,
    document: Document,
}

/// Applies the files, or tries to; prints the difference.
pub fn run(config: &Config, args: &ApplyArgs) -> Result<(), Exit> {
    // Read first: a file that is not there makes no database.
    let sources = args.files.iter().map(|f| read(f)).collect::<Result<Vec<_>, _>>()?;
    let engine = &open::engine(config)?;
    let (how, dry_run) = (engine.settling(), args.dry_run);
    let done = engine.store().write(move |tx| {
        let outcome = apply(tx, how, &sources)?;
        if dry_run { Err(Stop::Tried(Box::new(outcome))) } else { Ok(outcome) }
    });
    let outcome = match done {
        Ok(outcome) => outcome,
        Err(Stop::Tried(outcome)) => *outcome,
        Err(Stop::Refused(words)) => return Err(Exit::refused(format!("{words}; nothing was changed"))),
        Err(Stop::Fault(words)) => return Err(Exit::cannot(words)),
    };
    if !dry_run {
        // Usage that waited for new cards and was too much for the one transaction.
        while import::adopt_stragglers(engine)? > 0 {}
    }
    report(&outcome, dry_run)
}

fn read(path: &Path) -> Result<Source, Exit> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Exit::refused(format!("{name}: cannot be read ({e})")))?;
    let document = Document::parse(&text).map_err(|e| Exit::refused(format!("{name}: {e}")))?;
    if let Some((place, twice)) = document.twice() {
        return Err(Exit::refused(format!("{name}: {place}: {twice} stands twice; keep one; nothing was changed")));
    }
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok(Source { name, folder, document })
}

fn apply(tx: &mut Tx<'_>, how: Settling, sources: &[Source]) -> Step<Outcome> {
    let claimed_id = sources.iter().flat_map(|s| &s.document.accounts).filter_map(|a| a.id).max().unwrap_or(0);
    let mut work = Work { tx, how, claimed_id, file: String::new(), folder: PathBuf::new(), outcome: Outcome::default() };
    for source in sources {
        (work.file, work.folder) = (source.name.clone(), source.folder.clone());
        let d = &source.document;
        work.accounts(&d.accounts)?;
        work.platforms(&d.platforms)?;
        work.products(&d.products)?;
        work.packages(&d.packages)?;
        work.pool_types(&d.pool_types)?;
        work.belongings(&d.accounts)?;
        let catalogue = Catalogue::of(work.tx)?;
        work.check_prices(&catalogue, d)?;
        work.opening_balances(&catalogue, &d.accounts)?;
        work.sims(&catalogue, &d.sims)?;
        work.subscriptions(&catalogue, &d.subscriptions)?;
        work.imei_groups(&catalogue, &d.imei_groups)?;
        work.esim_goods(&catalogue, &d.esim_goods)?;
        work.sms_templates(&d.sms_templates)?;
        work.pools(&catalogue, &d.pools)?;
    }
    if work.outcome.is_change() {
        work.tx.touch_catalogue()?;
    }
    Ok(work.outcome)
}

fn report(outcome: &Outcome, dry_run: bool) -> Result<(), Exit> {
    for words in &outcome.warnings {
        eprintln!("kachi: {words}");
    }
    for line in outcome.lines() {
        print::line(line)?;
    }
    if dry_run {
        return print::line("a try: nothing was changed");
    }
    outcome.secrets.iter().try_for_each(print::line)
}
