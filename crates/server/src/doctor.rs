//! `kachi admin doctor`: can this system run, and if not, what is to be done.

use crate::admin;
use crate::args::Shape;
use crate::config::{Config, Mqtt, Watch};
use crate::exit::Exit;
use crate::{open, print, workers};
use kachi_domain::time::DAY_SECONDS;
use kachi_engine::intents::PUT_OFF_SECONDS_MAX;
use kachi_engine::webhooks::key_door;
use kachi_engine::{Engine, clock as clocks, import, not_let_on_cards, overview};
use kachi_store::Place;
use kachi_store::files::LeftFile;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};

/// 2024-01-01 and 2100-01-01: a clock outside was never set.
const PLAUSIBLE: std::ops::Range<i64> = 1_704_067_200..4_102_444_800;

/// Days for which what died of what goes to customers is counted.
const DEAD_DAYS: i64 = 7;

/// Days for which a file that was left in the middle is trouble; later it is told all the same.
const LEFT_DAYS: i64 = 7;

/// Files, writes, or accounts, that are named, at most.
const NAMED_MAX: i64 = 20;

/// Cards that are named, at most.
const CARDS_NAMED: i64 = 20;

/// What a check came to: a sentence either way.
type Verdict = Result<String, String>;

/// Runs every check, prints what each came to; exit 1 if any failed.
pub fn run(config: Result<Config, String>, shape: Shape) -> Result<(), Exit> {
    let checks = match &config {
        Ok(config) => with_config(config),
        Err(words) => vec![("config", Err(words.clone()))],
    };
    let row = |(name, verdict): &Check| -> Vec<Value> {
        let (word, text) = match verdict {
            Ok(words) => ("ok", words),
            Err(words) => ("trouble", words),
        };
        vec![json!(name), json!(word), json!(text)]
    };
    print::table(&["check", "state", "words"], &checks.iter().map(row).collect::<Vec<_>>(), shape.json)?;
    if checks.iter().all(|(_, verdict)| verdict.is_ok()) { Ok(()) } else { Err(Exit::finding()) }
}

/// A check and what it came to.
type Check = (&'static str, Verdict);

fn with_config(config: &Config) -> Vec<Check> {
    let mut checks = vec![("config", Ok("every key is good".to_owned())), ("data_dir", writable(config))];
    checks.extend(with_database(config));
    checks.extend(config.mqtt.as_ref().map(|mqtt| ("mqtt", broker(config, mqtt))));
    checks.push(("clock", clock(config)));
    checks
}

/// The checks that ask the database, in their order.
const OF_DATABASE: [&str; 7] = ["database", "secrets", "cdr.watch", "carriers", "deliveries", "usage", "time"];

/// What is heard from the thread that asks the database.
enum Told {
    /// It answers and is opened now, which may bring its schema up to date: that is finished, however long it takes.
    Opening,
    /// What the next of [`OF_DATABASE`] came to.
    Came(Verdict),
}

/// The checks that ask the database; on PostgreSQL each for no longer than anybody waits for an answer.
fn with_database(config: &Config) -> Vec<Check> {
    let (tell, told) = mpsc::channel();
    let asked = config.clone();
    // It is left behind, and ends with the program, where the database hangs.
    std::thread::spawn(move || ask_database(&asked, |word| drop(tell.send(word))));
    let is_file = matches!(open::place(config), Ok(Place::File(_)));
    let (mut verdicts, mut is_opening) = (Vec::new(), false);
    loop {
        let word = match is_file || is_opening {
            true => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => told.recv_timeout(config.patience()),
        };
        is_opening = matches!(word, Ok(Told::Opening));
        match word {
            Ok(Told::Opening) => {}
            Ok(Told::Came(verdict)) => verdicts.push(verdict),
            Err(RecvTimeoutError::Timeout) => {
                verdicts.push(Err(silent(config)));
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    OF_DATABASE.into_iter().zip(verdicts).collect()
}

/// What is said of a database that gives no answer.
fn silent(config: &Config) -> String {
    let words = format!("no answer within {} s", config.database.timeout_seconds);
    match open::place(config) {
        Ok(place) => open::unopened(&place, &words).words,
        Err(exit) => exit.words,
    }
}

fn ask_database(config: &Config, tell: impl Fn(Told)) {
    if let Err(exit) = open::is_new(config) {
        return tell(Told::Came(Err(exit.words)));
    }
    tell(Told::Opening);
    let engine = match open::existing(config) {
        Ok(engine) => engine,
        Err(exit) => return tell(Told::Came(Err(exit.words))),
    };
    let sound = is_sound(&engine).map(|()| "reachable, schema up to date, takes what is written".to_owned());
    tell(Told::Came(sound.map_err(|exit| exit.words)));
    // As in [`OF_DATABASE`].
    tell(Told::Came(secrets(&engine)));
    tell(Told::Came(folders(config, &engine)));
    tell(Told::Came(carriers(&engine)));
    tell(Told::Came(deliveries(&engine)));
    tell(Told::Came(usage(config, &engine)));
    tell(Told::Came(time(&engine)));
}

/// Whether the database takes what is written and has room for it.
fn is_sound(engine: &Engine) -> Result<(), Exit> {
    open::check_writing(engine)?;
    overview::ready(engine).map_err(|fail| Exit::cannot(format!("database.url: {fail}")))
}

fn writable(config: &Config) -> Verdict {
    let dir = &config.data_dir;
    if !dir.exists() {
        return Ok(format!("{} is not there yet; it is made when it is needed", dir.display()));
    }
    match probe(dir) {
        Ok(()) => Ok(format!("{} can be written to", dir.display())),
        Err(e) => Err(unwritable("data_dir", dir, &e)),
    }
}

/// Whether files can be made and taken away there.
fn probe(dir: &Path) -> std::io::Result<()> {
    let file = dir.join(format!(".doctor-{}", std::process::id()));
    // A full disk makes the file, and then writes nothing into it.
    let (written, gone) = (std::fs::write(&file, b"x"), std::fs::remove_file(&file));
    written.and(gone)
}

/// Why a folder cannot be written to, and what is to be done.
fn unwritable(key: &str, dir: &Path, e: &std::io::Error) -> String {
    let remedy = match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room",
        _ => "name another or change its owner",
    };
    format!("{key}: {} cannot be written to ({e}): {remedy}", dir.display())
}

/// A notify address is of no use without the secret that signs its notices.
fn secrets(engine: &Engine) -> Verdict {
    let catalogue = engine.catalogue().map_err(|e| e.to_string())?;
    let mut missing: Vec<String> = Vec::new();
    for info in catalogue.accounts() {
        let doors: BTreeSet<&str> = info.notify.keys().map(|address| key_door(address)).collect();
        let without = doors.into_iter().filter(|door| catalogue.secret_of(door, info.account.id).is_none());
        missing.extend(without.map(|door| format!("kachi admin key create --account {} --door {door}", info.account.code)));
    }
    missing.sort();
    if missing.is_empty() {
        return Ok("every account that wants notices has a key to sign them".to_owned());
    }
    Err(format!("accounts want notices but have no key to sign them: {}", missing.join("; ")))
}

fn folders(config: &Config, engine: &Engine) -> Verdict {
    let catalogue = engine.catalogue().map_err(|e| e.to_string())?;
    for watch in &config.cdr.watch {
        if catalogue.platform_by_code(&watch.platform).is_none() {
            return Err(format!("cdr.watch: there is no platform {}: `kachi apply` makes platforms", watch.platform));
        }
        if let Err(e) = std::fs::read_dir(&watch.dir) {
            return Err(format!("cdr.watch: {} cannot be read ({e}): make the folder", watch.dir.display()));
        }
        // Files are moved out of it when they are taken in.
        if let Err(e) = probe(&watch.dir) {
            return Err(unwritable("cdr.watch", &watch.dir, &e));
        }
    }
    Ok(format!("{} folders can be read and written to", config.cdr.watch.len()))
}

/// Writes that are left to a person, and platforms that do not let us in.
fn carriers(engine: &Engine) -> Verdict {
    let now = engine.now();
    let found = engine.read(|tx, _| Ok((tx.intents_left()?, tx.intents_by_hand()?, tx.logins_held(now)?)));
    let (left, by_hand, held) = found.map_err(|e| e.to_string())?;
    let mut troubles: Vec<String> = held.into_iter().map(|(code, words)| format!("platform {code}: {words}")).collect();
    if left > 0 {
        troubles.push(format!("{left} writes have no last word and wait for a person: kachi admin intent list"));
    }
    let refused = not_let_on_cards(engine, CARDS_NAMED).map_err(|e| e.to_string())?;
    if !refused.is_empty() {
        troubles.push(format!(
            "cards are off, as their carrier refused to let them on when a package began to pay for them: {}: kachi admin diagnose CARD says why, kachi admin sim resume CARD asks again",
            refused.join(", ")
        ));
    }
    match (troubles.is_empty(), by_hand) {
        (false, _) => Err(troubles.join("; ")),
        (true, 0) => Ok("no write is left to a person".to_owned()),
        (true, n) => Ok(format!("{n} writes wait for the word of the person who does them by hand: kachi admin intent list")),
    }
}

/// Notices and CDR files to customers that nothing sends any more.
fn deliveries(engine: &Engine) -> Verdict {
    let since = engine.now().plus(-DEAD_DAYS * DAY_SECONDS);
    let found = engine
        .read(|tx, _| Ok((tx.deliveries_dead(since)?, tx.cdr_deliveries_dead(since)?, tx.cdr_deliveries_failing(NAMED_MAX)?)));
    let (notices, files, failing) = found.map_err(|e| e.to_string())?;
    let dead = [
        (
            notices,
            "notices",
            "kachi admin delivery list --state dead, then kachi admin delivery replay NUMBER, or --account CODE for all of an account",
        ),
        (files, "CDR files to customers", "kachi admin cdr list --state dead, then kachi admin cdr resend NUMBER"),
    ];
    let told = |(n, what, verbs): (i64, &str, &str)| {
        (n > 0)
            .then(|| format!("{n} {what} of the last {DEAD_DAYS} days used up their schedule and are not sent any more: {verbs}"))
    };
    let mut troubles: Vec<String> = dead.into_iter().filter_map(told).collect();
    for (account, files, answer) in failing {
        let of = admin::code(engine, account).map_err(|exit| exit.words)?;
        troubles.push(format!(
            "{files} CDR files to {of} failed more than once and are tried again: {answer:?}: kachi admin cdr list --account {of}"
        ));
    }
    if troubles.is_empty() {
        Ok(format!("none of the last {DEAD_DAYS} days used up its schedule"))
    } else {
        Err(troubles.join("; "))
    }
}

/// Files of usage that were left in the middle. Where usage records and carriers' counts are apart, and usage that has no card, is only
/// told.
fn usage(config: &Config, engine: &Engine) -> Verdict {
    let known = known_apart(engine)?;
    let left = import::left(engine, NAMED_MAX).map_err(|e| e.to_string())?;
    if left.is_empty() {
        return Ok(known);
    }
    let told: Vec<String> = left.iter().map(|file| told_left(config, file)).collect();
    let words = format!("{known}; {}", told.join("; "));
    // Who does not bring a file again, as it came whole under another name, is not told of trouble for good.
    let since = engine.now().plus(-LEFT_DAYS * DAY_SECONDS);
    if left.iter().any(|file| file.moved_at >= since) { Err(words) } else { Ok(words) }
}

/// How far a file was taken in that was left, and who goes on with it.
fn told_left(config: &Config, file: &LeftFile) -> String {
    let LeftFile { platform, name, offset_bytes, bytes, moved_at } = file;
    let lies = |w: &&Watch| w.platform == *platform && w.dir.join(name).is_file();
    let remedy = match config.cdr.watch.iter().find(lies) {
        Some(watch) => {
            format!("it lies in {}, which kachi serve watches, and goes on when that looks there", watch.dir.display())
        }
        None => format!("import it again, it goes on there: kachi import cdr --platform {platform} {name}"),
    };
    format!("{name} of platform {platform} was left at {offset_bytes} of {bytes} bytes, {moved_at}: {remedy}")
}

/// Where usage records and carriers' counts are apart, and usage that has no card. Neither keeps the system from running.
fn known_apart(engine: &Engine) -> Verdict {
    let found = engine.read(|tx, _| Ok((tx.findings_open()?, tx.orphans_waiting()?)));
    let ((months, cards), orphans) = found.map_err(|e| e.to_string())?;
    let apart = match months {
        0 => "records and carriers' counts agree wherever they were compared".to_owned(),
        _ => format!("records and carriers' counts are apart in {months} months of {cards} cards: kachi admin reconcile list"),
    };
    Ok(match orphans {
        0 => apart,
        n => format!("{apart}; {n} lines wait for a card that is not known: kachi admin orphan list"),
    })
}

/// What a clock that was ahead once left behind, and clocks that are apart.
fn time(engine: &Engine) -> Verdict {
    let now = engine.now();
    let ahead = clocks::noted_ahead(engine).map_err(|e| e.to_string())?;
    let until = now.plus(PUT_OFF_SECONDS_MAX);
    let far = engine.read(|tx, _| Ok(tx.intents_beyond(until, NAMED_MAX)?)).map_err(|e| e.to_string())?;
    let mut troubles = Vec::new();
    if let Some(seconds) = clocks::apart(engine).map_err(|e| e.to_string())? {
        let ahead = if seconds > 0 { "ahead of" } else { "behind" };
        troubles.push(format!(
            "this machine's clock is {} s {ahead} PostgreSQL's: set both by one time server; each server of the database goes by its own",
            seconds.abs()
        ));
    }
    if let Some(newest) = ahead {
        troubles.push(format!(
            "the database holds things of {newest}, and the clock says {now}: set the clock if it is behind; if it was ahead once, what was put off then waits until that time: kachi admin sync run reads a platform now"
        ));
    }
    if !far.is_empty() {
        let numbers = far.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        troubles.push(format!(
            "writes whose next try lies more than a day ahead, which no schedule does: {numbers}: settle them with kachi admin intent confirm|refuse, and ask again"
        ));
    }
    if troubles.is_empty() { Ok("nothing is of a time to come".to_owned()) } else { Err(troubles.join("; ")) }
}

/// Whether the broker that devices report to lets us in.
fn broker(config: &Config, mqtt: &Mqtt) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let found = runtime.block_on(kachi_edges::mqtt::look(&workers::broker(config, mqtt)));
    // A name that is still being looked up keeps nobody waiting.
    runtime.shutdown_background();
    let address = &mqtt.address;
    found.map(|()| format!("{address} lets us in")).map_err(|words| format!("mqtt.url: {address}: {words}"))
}

fn clock(config: &Config) -> Verdict {
    let now = open::clock(config).now();
    match config.clock.offset_seconds {
        0 if PLAUSIBLE.contains(&now.0) => Ok(format!("{now}")),
        0 => Err(format!("the system's clock says {now}: set it, signatures and expiry depend on it")),
        offset => Ok(format!("{now}, shifted by {offset} s for a test (clock.offset_seconds)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_on_a_full_disk_is_not_said_to_be_another_owners() {
        let words = |kind: ErrorKind| unwritable("data_dir", Path::new("d"), &kind.into());
        assert!(words(ErrorKind::StorageFull).ends_with(": make room"), "{}", words(ErrorKind::StorageFull));
        assert!(words(ErrorKind::PermissionDenied).ends_with(": name another or change its owner"));
    }

    #[test]
    fn a_look_at_a_full_disk_leaves_nothing_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(format!(".doctor-{}", std::process::id()));
        std::os::unix::fs::symlink("/dev/full", &file).expect("a file that takes nothing");
        assert_eq!(probe(folder.path()).map_err(|e| e.kind()), Err(ErrorKind::StorageFull));
        assert!(file.symlink_metadata().is_err(), "nothing is left");
    }
}
