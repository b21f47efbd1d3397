//! `kachi apply`: files that say what should be there; all of it is made so, or nothing is.
//!
//! All files go through one transaction, in which everything is checked. What cards already had in another system needs the
//! engine with the catalogue that this transaction made, so it follows in a second one: it was checked in the first, so that
//! only a crash can come between, and applying the same files again finishes the work. A try (`--dry-run`) does the first
//! transaction and takes it back.

mod accounts;
mod cards;
mod catalogue;
mod file;
mod work;

use crate::args::ApplyArgs;
use crate::exit::Exit;
use crate::{print, secrets};
use file::Document;
use kachi_domain::account::Path as Tree;
use kachi_engine::{Engine, Fail, import, sims};
use kachi_store::Tx;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use work::{Brought, Outcome, Step, Stop, Work};

pub use accounts::check_login;

/// A file that was read.
struct Source {
    name: String,
    folder: PathBuf,
    document: Document,
}

/// Applies the files, or tries to; prints the difference.
pub fn run(engine: &Engine, args: &ApplyArgs) -> Result<(), Exit> {
    let sources = args.files.iter().map(|f| read(f)).collect::<Result<Vec<_>, _>>()?;
    let (before, how, dry_run) = (engine.catalogue()?, engine.settling(), args.dry_run);
    let done = engine.store().write(move |tx| {
        let outcome = apply(tx, before, how, &sources)?;
        if dry_run { Err(Stop::Tried(Box::new(outcome))) } else { Ok(outcome) }
    });
    let mut outcome = match done {
        Ok(outcome) => outcome,
        Err(Stop::Tried(outcome)) => *outcome,
        Err(Stop::Refused(words)) => return Err(Exit::refused(format!("{words}; nothing was changed"))),
        Err(Stop::Fault(words)) => return Err(Exit::cannot(words)),
    };
    if !dry_run {
        bring(engine, std::mem::take(&mut outcome.brought))?;
        while outcome.cards_added && import::adopt_stragglers(engine)? > 0 {}
    }
    report(&outcome, dry_run)
}

fn read(path: &Path) -> Result<Source, Exit> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Exit::refused(format!("{name}: cannot be read ({e})")))?;
    let document = Document::parse(&text).map_err(|e| Exit::refused(format!("{name}: {e}")))?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok(Source { name, folder, document })
}

fn apply(
    tx: &mut Tx<'_>,
    before: Arc<kachi_engine::Catalogue>,
    how: kachi_engine::cards::Settling,
    sources: &[Source],
) -> Step<Outcome> {
    let claimed_id = sources.iter().flat_map(|s| &s.document.accounts).filter_map(|a| a.id).max().unwrap_or(0);
    let mut work = Work { tx, before, how, claimed_id, file: String::new(), folder: PathBuf::new(), outcome: Outcome::default() };
    for source in sources {
        (work.file, work.folder) = (source.name.clone(), source.folder.clone());
        let d = &source.document;
        work.accounts(&d.accounts)?;
        work.platforms(&d.platforms)?;
        work.products(&d.products)?;
        work.packages(&d.packages)?;
        work.belongings(&d.accounts)?;
        work.check_prices()?;
        work.sims(&d.sims)?;
        work.subscriptions(&d.subscriptions)?;
    }
    if work.outcome.is_change() {
        work.tx.touch_catalogue()?;
    }
    Ok(work.outcome)
}

/// Gives cards what they had in another system, all in one transaction.
fn bring(engine: &Engine, brought: Vec<Brought>) -> Result<(), Exit> {
    if brought.is_empty() {
        return Ok(());
    }
    let done = engine.write(move |tx, catalogue, how| {
        for b in brought {
            let sim = tx.sim_by_iccid(&Tree::root(), &b.iccid)?;
            if let (Some(sim), Some(package)) = (sim, catalogue.package_by_code(&b.package)) {
                sims::bring_subscription(tx, catalogue, how, &sim, package.id, b.start, b.used_bytes, secrets::made())?;
            }
        }
        Ok::<_, Fail>(())
    });
    done.map_err(|e| Exit::cannot(format!("everything is in except the subscriptions ({e}): apply the same files again")))
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
