//! Watched folders: CDR files that are laid into one are taken in and moved to its `imported` folder.
//!
//! A file is taken once it has stopped growing (same size and time at two looks) and has a plain name: names that begin
//! with a dot or end in `.part`, `.tmp` or `.bad.csv` are still being written or are ours. Whoever writes one and pauses in it
//! writes under such a name and renames it. For those who do not, a file that was moved is looked at for a while more: what came
//! to it since it was read is taken in where it lies now. How a file was when it was read is not kept over a restart, so what was
//! written shortly before the first look at a folder is read again in `imported`. The same content again is known and only moved. A
//! file that cannot be read is left where it is and tried at the next look; one that another worker takes in is not read before that
//! one is done or does not get on ([`import::Watch`]). What is in `imported` is never written over, for it may be the only copy: a second
//! file of a name gets the number of its content with us. Bad lines are written beside the moved file.

use kachi_domain::PlatformId;
use kachi_engine::import::{self, Report, Watch};
use kachi_engine::{Engine, Fail};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where files go that were taken in, in the folder itself.
const DONE: &str = "imported";

/// Files of one name and content that are kept.
const COPIES_MAX: u32 = 10_000;

/// Looks for which a file that was moved is looked at again, counted from when it was last read.
const LOOKS_AFTER: u32 = 60;

/// A file of `imported` that was last written within so many seconds before the first look is read again.
const YOUNG_SECONDS: u64 = 3_600;

/// Size and time of a file.
type Print = (u64, SystemTime);

/// One watched folder, with what was seen at the last look.
#[derive(Debug)]
pub struct Watched {
    /// The folder.
    pub dir: PathBuf,
    /// The platform whose files these are.
    pub platform: PlatformId,
    seen: HashMap<PathBuf, Seen>,
    moved: HashMap<PathBuf, Moved>,
    /// Whether it was looked at before.
    begun: bool,
    /// What stands in the way of reading it, or of moving files, was told and is not gone since.
    is_unread: bool,
    is_stuck: bool,
}

/// A file that was there at the last look.
#[derive(Debug)]
struct Seen {
    print: Print,
    /// Another worker that has it in hand.
    holder: Option<Watch>,
}

/// A file that was taken in and moved.
#[derive(Debug)]
struct Moved {
    /// As it was when it was read; not known of one that was moved before we started.
    read: Option<Print>,
    /// As it was at the last look, where somebody has written on.
    grown: Option<Seen>,
    looks_left: u32,
}

impl Moved {
    fn read(read: Print) -> Moved {
        Moved { read: Some(read), ..Moved::unread() }
    }

    fn unread() -> Moved {
        Moved { read: None, grown: None, looks_left: LOOKS_AFTER }
    }
}

impl Watched {
    /// Watches a folder for a platform.
    pub fn new(dir: PathBuf, platform: PlatformId) -> Watched {
        let (seen, moved) = (HashMap::new(), HashMap::new());
        Watched { dir, platform, seen, moved, begun: false, is_unread: false, is_stuck: false }
    }

    /// One look: takes in every file that is complete; the answer is how many were taken in.
    pub fn look(&mut self, engine: &Engine) -> usize {
        if !std::mem::replace(&mut self.begun, true) {
            self.find_young(engine);
        }
        let mut taken = self.look_after(engine);
        let mut present = HashMap::new();
        for path in self.complete() {
            let Some(print) = print(&path) else { continue };
            let known = self.seen.remove(&path).filter(|seen| seen.print == print);
            let holder = match known.map(|seen| self.take(engine, &path, seen.holder)) {
                Some(Ok(to)) => {
                    self.moved.insert(to, Moved::read(print));
                    taken += 1;
                    continue;
                }
                Some(Err(holder)) => holder,
                None => None,
            };
            present.insert(path, Seen { print, holder });
        }
        self.seen = present;
        taken
    }

    /// The files that are complete; where the folder cannot be read none, and the log has that once.
    fn complete(&mut self) -> Vec<PathBuf> {
        match complete(&self.dir) {
            Ok(found) => {
                if std::mem::take(&mut self.is_unread) {
                    tracing::info!(dir = %self.dir.display(), "the watched folder can be read again");
                }
                found
            }
            Err(e) => {
                if !std::mem::replace(&mut self.is_unread, true) {
                    tracing::warn!(dir = %self.dir.display(), error = %e, "the watched folder cannot be read: make it, or let who runs Kachi read it");
                }
                Vec::new()
            }
        }
    }

    /// Finds the files that were moved before we started and may be written on still, or were meanwhile. A name that was taken for a
    /// move that never came is an empty file.
    fn find_young(&mut self, engine: &Engine) {
        let now = u64::try_from(engine.now().0).unwrap_or_default();
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(now.saturating_sub(YOUNG_SECONDS));
        let done = self.dir.join(DONE);
        if done.is_dir() {
            let young = |path: &PathBuf| print(path).is_some_and(|(bytes, written)| bytes > 0 && written >= since);
            self.moved.extend(complete(&done).unwrap_or_default().into_iter().filter(young).map(|path| (path, Moved::unread())));
        }
    }

    /// Takes in what came to files after they were moved, once they have stopped growing; the answer is to how many.
    fn look_after(&mut self, engine: &Engine) -> usize {
        let mut taken = 0;
        for (path, moved) in std::mem::take(&mut self.moved) {
            let Some(print) = print(&path) else { continue };
            if Some(print) == moved.read {
                let looks_left = moved.looks_left - 1;
                if looks_left > 0 {
                    self.moved.insert(path, Moved { looks_left, grown: None, ..moved });
                }
                continue;
            }
            if moved.grown.is_none() && moved.read.is_some() {
                tracing::warn!(file = %path.display(), "the CDR file was written on after it was taken in; what came is taken in: write under a name that ends in .part and rename it");
            }
            let known = moved.grown.filter(|seen| seen.print == print);
            let holder = match known.map(|seen| self.import(engine, &path, seen.holder)) {
                Some(Ok(report)) => {
                    if !report.known {
                        if report.bad == 0 {
                            // A line that was cut in two may have been bad; mostly there is none.
                            _ = std::fs::remove_file(bad_path(&path));
                        }
                        keep_bad_lines(engine, &path, &report);
                        taken += 1;
                    }
                    self.moved.insert(path, Moved::read(print));
                    continue;
                }
                Some(Err(holder)) => holder,
                None => None,
            };
            self.moved.insert(path, Moved { grown: Some(Seen { print, holder }), looks_left: LOOKS_AFTER, ..moved });
        }
        taken
    }

    /// Takes the file in and puts it away, or leaves it to be tried again; the answer is where it lies then.
    fn take(&mut self, engine: &Engine, path: &Path, holder: Option<Watch>) -> Result<PathBuf, Option<Watch>> {
        let report = self.import(engine, path, holder)?;
        if report.known && !self.is_stuck {
            tracing::info!(file = %path.display(), "this CDR file was taken in before: nothing of it is taken in again");
        }
        let Some(to) = self.put_away(path, report.file) else { return Err(None) };
        keep_bad_lines(engine, &to, &report);
        Ok(to)
    }

    /// Takes the file in, or leaves it to be tried again: at the next look, or when whoever has it in hand lets it go.
    fn import(&self, engine: &Engine, path: &Path, holder: Option<Watch>) -> Result<Report, Option<Watch>> {
        if let Some(mut watch) = holder
            && !is_free(engine, path, &mut watch)
        {
            return Err(Some(watch));
        }
        match import::import_file(engine, self.platform, path, &mut |_| {}) {
            Ok(r) => {
                if !r.known {
                    tracing::info!(file = %path.display(), loaded = r.loaded, duplicate = r.duplicate, orphan = r.orphan, bad = r.bad, "CDR file taken in");
                }
                Ok(r)
            }
            Err(Fail::InHand { file }) => {
                tracing::info!(file = %path.display(), "another worker is taking this CDR file in; it is tried again when that one is done or does not get on");
                Err(Watch::begin(engine, file).inspect_err(|e| not_watched(path, e)).ok())
            }
            Err(e) if e.is_lost() => Err(None),
            Err(e) => {
                tracing::error!(file = %path.display(), error = %e, "the CDR file could not be taken in; it is tried again");
                Err(None)
            }
        }
    }

    /// Moves a file that was taken in; one that is not there any more another worker has moved. The log has once that none can be moved.
    fn put_away(&mut self, path: &Path, number: i64) -> Option<PathBuf> {
        let to = match move_into(&self.dir.join(DONE), path, number) {
            Ok(to) => to,
            Err(e) if e.kind() == ErrorKind::NotFound && !path.exists() => return None,
            Err(e) => {
                if !std::mem::replace(&mut self.is_stuck, true) {
                    tracing::error!(file = %path.display(), error = %e, "the CDR file is taken in but cannot be moved to the imported folder; it is tried at every look");
                }
                return None;
            }
        };
        if std::mem::take(&mut self.is_stuck) {
            tracing::info!(file = %to.display(), "CDR files can be moved to the imported folder again");
        }
        Some(to)
    }
}

/// The files of a folder whose names say that they are complete, in their order. What a link points to is not in the folder: whoever
/// may lay files there would read by it, in the file of bad lines, what he may not.
fn complete(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.flatten();
    let is_file = |e: &std::fs::DirEntry| e.file_type().is_ok_and(|kind| kind.is_file());
    let mut found: Vec<PathBuf> = entries.filter(is_file).map(|e| e.path()).filter(|p| is_complete_name(p)).collect();
    found.sort();
    Ok(found)
}

fn print(path: &Path) -> Option<Print> {
    let meta = path.metadata().ok()?;
    Some((meta.len(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
}

/// Where the bad lines of a file go: beside it.
pub fn bad_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".bad.csv");
    PathBuf::from(name)
}

/// Writes bad lines ([`import::bad_lines`]) as a CSV file.
pub fn write_bad_lines(path: &Path, lines: Vec<(i64, String, String, String)>) -> Result<(), csv::Error> {
    let mut out = csv::Writer::from_path(path)?;
    out.write_record(["line", "fate", "reason", "text"])?;
    for (line, fate, reason, text) in lines {
        out.write_record([line.to_string(), fate, reason, text])?;
    }
    Ok(out.flush()?)
}

/// Leaves the bad lines, if there are any, beside a moved file.
fn keep_bad_lines(engine: &Engine, file: &Path, report: &Report) {
    if report.bad == 0 {
        return;
    }
    let path = bad_path(file);
    let written = import::bad_lines(engine, report.file).map_err(|e| e.to_string());
    let written = written.and_then(|lines| write_bad_lines(&path, lines).map_err(|e| e.to_string()));
    match written {
        Ok(()) => {
            tracing::warn!(file = %path.display(), bad = report.bad, "lines of the CDR file are not loaded; they are in this file")
        }
        Err(error) => {
            tracing::error!(file = %path.display(), error, "the bad lines of the CDR file cannot be written; `kachi admin aside list` tells them")
        }
    }
}

/// Whether the file is to be read again; not while nobody can tell.
fn is_free(engine: &Engine, path: &Path, watch: &mut Watch) -> bool {
    watch.is_free(engine).inspect_err(|e| not_watched(path, e)).unwrap_or(false)
}

fn not_watched(path: &Path, error: &Fail) {
    tracing::error!(file = %path.display(), %error, "it cannot be looked at how far another worker is with the CDR file; it is tried again");
}

/// Moves a file into a folder, which is made where there is none, under a name that is free there; the answer is where it lies then.
/// Where that is another file system it is copied and then removed: what happens in between leaves two, and the content is known.
fn move_into(folder: &Path, path: &Path, number: i64) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let free = free_name(folder, path, number)?;
    let moved = match std::fs::rename(path, &free) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices => std::fs::copy(path, &free)
            .and_then(|_| std::fs::File::open(&free)?.sync_all())
            .and_then(|()| std::fs::remove_file(path)),
        renamed => renamed,
    };
    match moved {
        Ok(()) => Ok(free),
        Err(e) => {
            _ = std::fs::remove_file(&free);
            Err(e)
        }
    }
}

/// A name in the folder that no file has: the file's own, else with the number of its content, else that counted on. It is
/// taken by an empty file, so that nobody else takes it before the move.
fn free_name(folder: &Path, path: &Path, number: i64) -> std::io::Result<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    let own = path.file_name().map_or_else(PathBuf::new, PathBuf::from);
    let numbered = [own, PathBuf::from(format!("{stem}.{number}{end}"))];
    let counted = (2..=COPIES_MAX).map(|n| PathBuf::from(format!("{stem}.{number}.{n}{end}")));
    for name in numbered.into_iter().chain(counted) {
        let free = folder.join(name);
        match std::fs::File::create_new(&free) {
            Ok(_) => return Ok(free),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(std::io::Error::other(format!("{COPIES_MAX} files of this name and content are there already: take some out")))
}

fn is_complete_name(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    !name.starts_with('.') && !name.ends_with(".part") && !name.ends_with(".tmp") && !name.ends_with(".bad.csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            folder.read_dir().expect("a folder").map(|f| f.expect("a file").file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_moves_to_another_file_system_and_one_that_is_gone_leaves_no_name() {
        let near = tempfile::tempdir().expect("a folder");
        // Linux has this file system in memory everywhere.
        let far = tempfile::tempdir_in("/dev/shm").expect("a folder");
        let done = near.path().join(DONE);
        std::os::unix::fs::symlink(far.path(), &done).expect("a link");
        let path = near.path().join("a.csv");
        for (content, name) in [("one", "a.csv"), ("two", "a.7.csv")] {
            std::fs::write(&path, content).expect("a file");
            assert_eq!(move_into(&done, &path, 7).expect("moved"), done.join(name));
            assert_eq!(std::fs::read_to_string(done.join(name)).expect("there"), content);
        }
        assert_eq!(move_into(&done, &path, 8).map_err(|e| e.kind()), Err(ErrorKind::NotFound));
        assert_eq!(
            (names(near.path()), names(far.path())),
            (vec![DONE.to_owned()], vec!["a.7.csv".to_owned(), "a.csv".to_owned()])
        );
    }
}
