//! What `kachi export` writes into: standard output, or a file that gets its name when it is whole.

use crate::args::{Format, Target};
use crate::exit::Exit;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file that is being written.
pub(super) struct Sheet {
    csv: csv::Writer<Box<dyn Write>>,
    name: String,
    /// Where it is written until it is whole; after `csv`, which writes out what it has when it goes.
    part: Option<Part>,
}

impl Sheet {
    pub(super) fn open(target: &Target, columns: &[&str]) -> Result<Sheet, Exit> {
        let Format::Csv = target.format;
        let (to, name, part) = match &target.out {
            None => (Box::new(std::io::stdout().lock()) as Box<dyn Write>, "standard output".into(), None),
            Some(path) => {
                let name = format!("--out: {}", path.display());
                let (file, part) = make(path, target.overwrite).map_err(|e| unmade(&name, &e))?;
                (Box::new(file) as Box<dyn Write>, name, part)
            }
        };
        let csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(to);
        let mut sheet = Sheet { csv, name, part };
        sheet.row(columns)?;
        Ok(sheet)
    }

    pub(super) fn row(&mut self, cells: &[impl AsRef<[u8]>]) -> Result<(), Exit> {
        let written = self.csv.write_record(cells).map_err(|e| match e.into_kind() {
            csv::ErrorKind::Io(e) => e,
            other => std::io::Error::other(format!("{other:?}")),
        });
        self.check(written)
    }

    pub(super) fn close(mut self) -> Result<(), Exit> {
        let written = self.csv.flush();
        self.check(written)?;
        let named = self.part.as_ref().map_or(Ok(()), Part::becomes);
        named.map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => unmade(&self.name, &e),
            _ => self.unwritten(&e),
        })
    }

    /// A reader that has gone away ends the program quietly.
    fn check(&self, written: std::io::Result<()>) -> Result<(), Exit> {
        written.map_err(|e| match e.kind() {
            ErrorKind::BrokenPipe => Exit { code: 0, words: String::new() },
            _ => self.unwritten(&e),
        })
    }

    fn unwritten(&self, e: &std::io::Error) -> Exit {
        let remedy = match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                ": make room, or name a file where there is some"
            }
            _ => "",
        };
        Exit::cannot(format!("{} cannot be written to ({e}){remedy}", self.name))
    }
}

/// Why there is no file to write into.
fn unmade(name: &str, e: &std::io::Error) -> Exit {
    match e.kind() {
        ErrorKind::AlreadyExists => {
            Exit::refused(format!("{name} is there already: name a new file, or write over it with --overwrite"))
        }
        _ => Exit::refused(format!("{name} cannot be written ({e}): name a file in a folder where you may write")),
    }
}

/// Opens what is written into. What is no file, as a pipe, keeps nothing that could be lost, and is written into as it is.
fn make(path: &Path, overwrite: bool) -> std::io::Result<(File, Option<Part>)> {
    if path.exists() && !path.is_file() {
        return Ok((File::create(path)?, None));
    }
    let part = Part::beside(path, overwrite)?;
    let file = File::create_new(&part.path)?;
    if let Ok(old) = part.becomes.metadata() {
        file.set_permissions(old.permissions())?;
    }
    Ok((file, Some(part)))
}

/// A file under another name until it is whole; what is left of it goes with this.
struct Part {
    path: PathBuf,
    becomes: PathBuf,
    overwrite: bool,
}

impl Part {
    /// Under a name that no other process takes, beside the file that a link leads to.
    fn beside(path: &Path, overwrite: bool) -> std::io::Result<Part> {
        let becomes = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let path = becomes.with_added_extension(format!("{}.part", std::process::id()));
        let part = Part { path, becomes, overwrite };
        part.check()?;
        part.clear();
        Ok(part)
    }

    /// Whether nothing is there that is to stay. A link that leads nowhere is there too.
    fn check(&self) -> std::io::Result<()> {
        if !self.overwrite && self.becomes.symlink_metadata().is_ok() { Err(ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    /// Gives it its name, for good.
    fn becomes(&self) -> std::io::Result<()> {
        self.check()?;
        File::open(&self.path)?.sync_all()?;
        std::fs::rename(&self.path, &self.becomes)
    }

    fn clear(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.clear();
    }
}
