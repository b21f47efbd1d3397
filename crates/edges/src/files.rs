//! Watched folders: CDR files that are laid into one are taken in and moved to its `imported` folder.
//!
//! A file is taken once it has stopped growing (same size and time at two looks) and has a plain name: names that begin
//! with a dot or end in `.part`, `.tmp` or `.bad.csv` are still being written or are ours. The same content again is
//! known and only moved. A file that cannot be read is left where it is and tried at the next look; one that another worker
//! takes in is not read before that one is done or does not get on ([`import::Watch`]). What is in `imported`
//! is never written over, for it may be the only copy: a second file of a name gets the number of its content with us.

use kachi_domain::PlatformId;
use kachi_engine::import::{self, Watch};
use kachi_engine::{Engine, Fail};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files of one name and content that are kept.
const COPIES_MAX: u32 = 10_000;

/// One watched folder, with what was seen at the last look.
#[derive(Debug)]
pub struct Watched {
    /// The folder.
    pub dir: PathBuf,
    /// The platform whose files these are.
    pub platform: PlatformId,
    seen: HashMap<PathBuf, Seen>,
}

/// A file that was there at the last look.
#[derive(Debug)]
struct Seen {
    /// Its size and time.
    print: (u64, SystemTime),
    /// Another worker that has it in hand.
    holder: Option<Watch>,
}

impl Watched {
    /// Watches a folder for a platform.
    pub fn new(dir: PathBuf, platform: PlatformId) -> Watched {
        Watched { dir, platform, seen: HashMap::new() }
    }

    /// One look: takes in every file that is complete; the answer is how many were taken in.
    pub fn look(&mut self, engine: &Engine) -> usize {
        let mut taken = 0;
        let mut present = HashMap::new();
        for path in self.candidates() {
            let Ok(meta) = path.metadata() else { continue };
            let print = (meta.len(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            let known = self.seen.remove(&path).filter(|seen| seen.print == print);
            let holder = match known.map(|seen| self.take(engine, &path, seen.holder)) {
                Some(Ok(())) => {
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

    fn candidates(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else {
            tracing::warn!(dir = %self.dir.display(), "the watched folder cannot be read");
            return Vec::new();
        };
        let mut found: Vec<PathBuf> =
            entries.flatten().map(|e| e.path()).filter(|p| p.is_file() && is_complete_name(p)).collect();
        found.sort();
        found
    }

    /// Takes the file in and puts it away, or leaves it to be tried again: at the next look, or when whoever has it in hand lets it go.
    fn take(&self, engine: &Engine, path: &Path, holder: Option<Watch>) -> Result<(), Option<Watch>> {
        if let Some(mut watch) = holder
            && !is_free(engine, path, &mut watch)
        {
            return Err(Some(watch));
        }
        match import::import_file(engine, self.platform, path, &mut |_| {}) {
            Ok(r) => {
                tracing::info!(file = %path.display(), loaded = r.loaded, duplicate = r.duplicate, orphan = r.orphan, bad = r.bad, known = r.known, "CDR file taken in");
                if self.put_away(path, r.file) { Ok(()) } else { Err(None) }
            }
            Err(Fail::InHand { file }) => {
                tracing::info!(file = %path.display(), "another worker is taking this CDR file in; it is tried again when that one is done or does not get on");
                Err(Watch::begin(engine, file).inspect_err(|e| not_watched(path, e)).ok())
            }
            Err(e) => {
                tracing::error!(file = %path.display(), error = %e, "the CDR file could not be taken in; it is tried again");
                Err(None)
            }
        }
    }

    fn put_away(&self, path: &Path, number: i64) -> bool {
        let done = self.dir.join("imported");
        let moved = std::fs::create_dir_all(&done)
            .and_then(|()| free_name(&done, path, number))
            .and_then(|free| std::fs::rename(path, free));
        if let Err(e) = &moved {
            tracing::error!(file = %path.display(), error = %e, "the CDR file is taken in but cannot be moved to the imported folder");
        }
        moved.is_ok()
    }
}

/// Whether the file is to be read again; not while nobody can tell.
fn is_free(engine: &Engine, path: &Path, watch: &mut Watch) -> bool {
    watch.is_free(engine).inspect_err(|e| not_watched(path, e)).unwrap_or(false)
}

fn not_watched(path: &Path, error: &Fail) {
    tracing::error!(file = %path.display(), %error, "it cannot be looked at how far another worker is with the CDR file; it is tried again");
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
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(std::io::Error::other(format!("{COPIES_MAX} files of this name and content are there already: take some out")))
}

fn is_complete_name(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    !name.starts_with('.') && !name.ends_with(".part") && !name.ends_with(".tmp") && !name.ends_with(".bad.csv")
}
