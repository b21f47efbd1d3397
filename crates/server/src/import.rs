//! `kachi import cdr`: usage records from files, each with its report; bad lines beside the file. A file that another worker is
//! taking in at the moment is waited for, and then told of as one that was known.

use crate::args::ImportCdr;
use crate::config::Config;
use crate::exit::Exit;
use crate::{open, print};
use kachi_domain::PlatformId;
use kachi_domain::cdr::foreign;
use kachi_edges::files::{bad_path, write_bad_lines};
use kachi_engine::import::{Report, Watch, bad_lines, import_file};
use kachi_engine::{Engine, Fail};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes by which a file is known that is no text.
const HEAD_BYTES: u64 = 64;
/// Between two looks at how far somebody else is who has the file in hand.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Takes in each file in turn, if all of them can be read. Bad lines make the exit code 1: the good ones are in. What came of
/// the files before one that fails is printed all the same.
pub fn cdr(config: &Config, args: &ImportCdr) -> Result<(), Exit> {
    args.files.iter().try_for_each(|f| readable(f))?;
    let engine = &open::engine(config)?;
    let platform = platform(engine, &args.platform)?;
    let (mut reports, mut clean, mut trouble) = (Vec::new(), true, None);
    for (i, file) in args.files.iter().enumerate() {
        match one(engine, platform, file, args.json.then_some(&mut reports)) {
            Ok(good) => clean &= good,
            Err(exit) => {
                let rest: Vec<String> = args.files[i + 1..].iter().map(|f| f.display().to_string()).collect();
                let after = if rest.is_empty() { String::new() } else { format!("; not taken in: {}", rest.join(", ")) };
                trouble = Some(Exit { words: format!("{}{after}", exit.words), ..exit });
                break;
            }
        }
    }
    if args.json {
        print::json(&reports)?;
    }
    match trouble {
        Some(exit) => Err(exit),
        None if clean => Ok(()),
        None => Err(Exit::finding()),
    }
}

/// Takes in one file and says what came of it; the answer is whether all of its lines were good.
fn one(engine: &Engine, platform: PlatformId, file: &Path, reports: Option<&mut Vec<Value>>) -> Result<bool, Exit> {
    let taken = take(engine, platform, file);
    clear_progress();
    let report = this_time(taken.map_err(|e| {
        let exit = Exit::from(e);
        Exit { words: format!("{}: {}", file.display(), exit.words), ..exit }
    })?);
    let bad_file = keep_bad_lines(engine, file, &report);
    let written = bad_file.as_ref().ok().and_then(|path| path.as_deref());
    match reports {
        Some(reports) => reports.push(json!({
            "file": file.display().to_string(), "known": report.known, "loaded": report.loaded,
            "duplicate": report.duplicate, "orphan": report.orphan, "bad": report.bad,
            "bad_lines": written.map(|p| p.display().to_string()),
        })),
        None => print::line(sentence(file, &report, written))?,
    }
    Ok(bad_file?.is_none())
}

/// Takes a file in, or what another leaves of it. While another has it in hand its marks are watched, so it is read again only once
/// the other is done, or has gone away. Whoever moves a mark goes on, so nothing is taken twice and one of them always gets on; a
/// try more is made only where another got on since the last.
fn take(engine: &Engine, platform: PlatformId, file: &Path) -> Result<Report, Fail> {
    let mut told = false;
    loop {
        let number = match import_file(engine, platform, file, &mut progress(file)) {
            Err(Fail::InHand { file }) => file,
            taken => return taken,
        };
        let mut watch = Watch::begin(engine, number)?;
        if !std::mem::replace(&mut told, true) {
            clear_progress();
            eprintln!("{}: another worker is taking this file in; waiting for it", file.display());
        }
        while !watch.is_free(engine)? {
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Refuses what is no file of text that can be read, before anything is done.
pub fn readable(path: &Path) -> Result<(), Exit> {
    let words = match head(path) {
        Ok(Some(head)) => match foreign(&head) {
            None => return Ok(()),
            Some(words) => words.to_owned(),
        },
        Ok(None) => "is a folder: name a CSV file that can be read".to_owned(),
        Err(e) => format!("cannot be read ({e}): name a CSV file that can be read"),
    };
    Err(Exit::refused(format!("{}: {words}", path.display())))
}

/// How a file begins; nothing of a folder. What comes through a pipe can be read once only, and is not looked at.
fn head(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let (meta, mut head) = (file.metadata()?, Vec::new());
    if meta.is_file() {
        file.take(HEAD_BYTES).read_to_end(&mut head)?;
    }
    Ok((!meta.is_dir()).then_some(head))
}

/// A platform by its code.
pub fn platform(engine: &Engine, code: &str) -> Result<PlatformId, Exit> {
    let catalogue = engine.catalogue()?;
    if let Some(platform) = catalogue.platform_by_code(code) {
        return Ok(platform.id);
    }
    let mut codes: Vec<&str> = catalogue.platforms().map(|p| p.code.as_str()).collect();
    codes.sort_unstable();
    Err(Exit::refused(format!("--platform: there is no platform {code}; {}", there_are(&codes))))
}

/// What may be named instead.
pub fn there_are(codes: &[&str]) -> String {
    match codes {
        [] => "there are none yet: `kachi apply` makes them".to_owned(),
        _ => format!("there are {}", codes.join(", ")),
    }
}

/// Of a file that was known before, nothing was loaded this time.
fn this_time(r: Report) -> Report {
    if r.known { Report { loaded: 0, duplicate: r.loaded + r.duplicate, ..r } } else { r }
}

fn sentence(file: &Path, r: &Report, bad: Option<&Path>) -> String {
    let known = if r.known { " (known before, nothing changed)" } else { "" };
    let counts = format!("loaded {}, duplicate {}, orphan {}, bad {}", r.loaded, r.duplicate, r.orphan, r.bad);
    let bad = bad.map_or_else(String::new, |p| format!("; the lines not loaded are in {}", p.display()));
    format!("{}: {counts}{known}{bad}", file.display())
}

/// A line a second on a terminal, nothing elsewhere.
fn progress(file: &Path) -> impl FnMut(u64) + use<> {
    let total = std::fs::metadata(file).map_or(0, |m| m.len()).max(1);
    let name = file.display().to_string();
    let shown = std::io::stderr().is_terminal();
    move |bytes| {
        if shown {
            let percent = (bytes.min(total) as u128 * 100 / u128::from(total)) as u64;
            eprint!("\r{name}: {percent:3} % of {} MB", total >> 20);
            let _ = std::io::stderr().flush();
        }
    }
}

fn clear_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// Writes the lines that were set aside; none if there are only orphans or nothing at all.
fn keep_bad_lines(engine: &Engine, file: &Path, report: &Report) -> Result<Option<PathBuf>, Exit> {
    if report.bad == 0 {
        return Ok(None);
    }
    let path = bad_path(file);
    let written = write_bad_lines(&path, bad_lines(engine, report.file)?);
    written.map(|()| Some(path.clone())).map_err(|e| {
        Exit::cannot(format!(
            "{}: cannot be written ({e}); the good lines are in: make room for it and import the file again, nothing is taken twice",
            path.display()
        ))
    })
}
