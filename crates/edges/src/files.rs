//! Watched folders: CDR files that are laid into one are taken in and moved to its `imported` folder.
//!
//! A file is taken once it has stopped growing (same size and time at two looks) and has a plain name: names that begin
//! with a dot or end in `.part`, `.tmp` or `.bad.csv` are still being written or are ours. The same content again is
//! known and only moved. A file that cannot be read is left where it is and tried at the next look.

use kachi_domain::PlatformId;
use kachi_engine::{Engine, import};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// One watched folder, with what was seen at the last look.
#[derive(Debug)]
pub struct Watched {
    /// The folder.
    pub dir: PathBuf,
    /// The platform whose files these are.
    pub platform: PlatformId,
    seen: HashMap<PathBuf, (u64, SystemTime)>,
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
            if self.seen.get(&path) == Some(&print) && self.take(engine, &path) {
                taken += 1;
            } else {
                present.insert(path, print);
            }
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

    fn take(&self, engine: &Engine, path: &Path) -> bool {
        match import::import_file(engine, self.platform, path, &mut |_| {}) {
            Ok(r) => {
                tracing::info!(file = %path.display(), loaded = r.loaded, duplicate = r.duplicate, orphan = r.orphan, bad = r.bad, known = r.known, "CDR file taken in");
                self.put_away(path)
            }
            Err(e) => {
                tracing::error!(file = %path.display(), error = %e, "the CDR file could not be taken in; it is tried again");
                false
            }
        }
    }

    fn put_away(&self, path: &Path) -> bool {
        let done = self.dir.join("imported");
        let moved =
            std::fs::create_dir_all(&done).and_then(|()| std::fs::rename(path, done.join(path.file_name().unwrap_or_default())));
        if let Err(e) = &moved {
            tracing::error!(file = %path.display(), error = %e, "the CDR file is taken in but cannot be moved to the imported folder");
        }
        moved.is_ok()
    }
}

fn is_complete_name(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    !name.starts_with('.') && !name.ends_with(".part") && !name.ends_with(".tmp") && !name.ends_with(".bad.csv")
}
