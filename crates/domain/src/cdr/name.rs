//! What a CDR file's name says.

use super::civil;
use crate::time::Timestamp;
use std::fmt;

/// A name such as `cdr_acme_20260101000000_20260101010000_20260101013000.csv`. It informs only: files of other names
/// are read too, and a record's own times count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// Whose cards; may hold `_`.
    pub account: String,
    /// First instant of the window.
    pub start: Timestamp,
    /// First instant after it, not before `start`.
    pub end: Timestamp,
    /// When the file was made.
    pub generated: Timestamp,
}

impl FileName {
    /// Reads a file's name or path; folders are ignored. The error says what is wrong with it.
    pub fn parse(path: &str) -> Result<FileName, String> {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let bad = |why: &str| format!("\"{name}\" is not cdr_{{account}}_{{start}}_{{end}}_{{generated}}.csv: {why}");
        let stem = match name.rsplit_once('.') {
            Some((stem, suffix)) if suffix.eq_ignore_ascii_case("csv") => stem,
            _ => return Err(bad("it does not end in .csv")),
        };
        let stem = stem.strip_prefix("cdr_").ok_or_else(|| bad("it does not begin with cdr_"))?;
        let mut parts = stem.rsplitn(4, '_');
        let mut time = |which: &str| {
            let text = parts.next().unwrap_or_default();
            let read = text.as_bytes().try_into().ok().and_then(civil::read_digits);
            read.ok_or_else(|| bad(&format!("{which} \"{text}\" is not a time yyyyMMddHHmmss")))
        };
        let (generated, end, start) = (time("generated")?, time("end")?, time("start")?);
        match parts.next() {
            None | Some("") => Err(bad("it names no account")),
            Some(_) if end < start => Err(bad("end is before start")),
            Some(account) => Ok(FileName { account: account.into(), start, end, generated }),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cdr_{}", self.account)?;
        for at in [self.start, self.end, self.generated] {
            let [year, month, day, hour, minute, second] = civil::parts(at);
            write!(f, "_{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")?;
        }
        f.write_str(".csv")
    }
}
