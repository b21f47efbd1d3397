//! CDR files: `cdr_{account}_{start}_{end}_{generated}.csv`, one usage record a line, eight columns.
//!
//! | column | holds |
//! |---|---|
//! | `id` | the carrier's id of the record, a 64-bit integer |
//! | `start_time`, `stop_time` | `yyyy-MM-dd HH:mm:ss`, UTC |
//! | `iccid` | the card, 18 to 22 hexadecimal digits |
//! | `imsi` | up to 15 digits, may be empty |
//! | `data_usage` | bytes, 0 to [`RECORD_BYTES_MAX`] |
//! | `imei` | 14 to 16 digits, may be empty; some carriers leave out the check digit |
//! | `mccmnc` | country code of 3 digits and network code of 2 or 3, may be empty |
//!
//! Every line has one fate: a record, a bad line with its reason, or nothing to tell (blank, header). One bad line
//! spoils no other. A header row may be absent; where there is one it decides which column is which. A file that was
//! cut gives all its whole lines, and its last line only when that cannot be told from a whole one. A file that is no text
//! ([`foreign()`]), or whose lines end with CR alone, is one bad line.
//!
//! [`Feed`] takes a file in blocks of any size, [`Reader`] one line at a time, [`write_record`] writes a line. [`delivery`]: files on their way out.

pub(crate) mod civil;
mod columns;
pub mod delivery;
mod feed;
mod foreign;
mod name;
mod values;
mod write;

pub use feed::{Feed, Position};
pub use foreign::foreign;
pub use name::FileName;
pub(crate) use write::WITH_ZEROS_BELOW;
pub use write::{write_header, write_record};

use crate::ids::Iccid;
use crate::time::Timestamp;
use crate::usage::CdrRecord;
use columns::Layout;
use std::borrow::Cow;

/// Bytes a line may have, without its terminator.
pub const LINE_BYTES_MAX: usize = 4096;

/// Bytes of usage one record may carry: 2^48 (281 TB), far above any card, and low enough that sums of them stay in range.
pub const RECORD_BYTES_MAX: i64 = 1 << 48;

/// Characters of a bad line that are kept.
pub const BAD_TEXT_CHARS_MAX: usize = 500;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One well-formed line, borrowed from it; nothing is allocated. The fields mean what they mean in [`CdrRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// The line it stands on, from 1.
    pub line: u64,
    /// The carrier's own id of the record.
    pub source_id: i64,
    /// When the session part began.
    pub start: Timestamp,
    /// When it ended, not before `start`.
    pub stop: Timestamp,
    /// Subscriber identity; 0 where absent.
    pub imsi: i64,
    /// Bytes, 0 to [`RECORD_BYTES_MAX`].
    pub bytes: i64,
    /// Device identity; 0 where absent.
    pub imei: i64,
    /// Network as one number; 0 where absent.
    pub mccmnc: i64,
    // Private because `to_record` relies on its having been checked.
    iccid: &'a str,
}

impl<'a> RawRecord<'a> {
    /// The card in the form in which cards are compared (upper-case). Borrowed unless the file writes small letters.
    pub fn iccid(&self) -> Cow<'a, str> {
        if self.iccid.bytes().any(|b| b.is_ascii_lowercase()) {
            Cow::Owned(self.iccid.to_ascii_uppercase())
        } else {
            Cow::Borrowed(self.iccid)
        }
    }

    /// The same record with an ICCID of its own.
    pub fn to_record(&self) -> CdrRecord {
        CdrRecord {
            source_id: self.source_id,
            start: self.start,
            stop: self.stop,
            iccid: Iccid::parse(self.iccid).expect("checked when the line was read"),
            imsi: self.imsi,
            bytes: self.bytes,
            imei: self.imei,
            mccmnc: self.mccmnc,
        }
    }
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its number in the file, from 1; blank lines and the header count.
    pub line: u64,
    /// The column, the value and the rule it broke.
    pub reason: String,
    /// The line as it was, at most [`BAD_TEXT_CHARS_MAX`] characters; what is not UTF-8, and NUL, shows as U+FFFD. Empty where the
    /// file is no text.
    pub text: String,
}

/// What became of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// A usage record.
    Record(RawRecord<'a>),
    /// Not readable; kept and listed.
    Bad(BadLine),
    /// Blank, the header row, or more of a file that is no text.
    Skip,
}

/// How a line was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Terminator,
    EndOfFile,
}

/// Reads a file line by line. It remembers the line number, what the header said and the last date seen.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    lines_read: u64,
    layout: Layout,
    days: civil::DayCache,
}

impl Reader {
    /// A reader at the start of a file.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Lines read so far.
    pub fn lines_read(&self) -> u64 {
        self.lines_read
    }

    /// Reads the next line, given without its LF; a CR before the LF may be there.
    pub fn line<'a>(&mut self, bytes: &'a [u8]) -> Line<'a> {
        self.next(bytes, Ending::Terminator)
    }

    /// Reads a last line that has no LF, once the file is known to be complete. Such a line may have been cut, so
    /// only one whose `mccmnc` has 5 or 6 digits is a record.
    pub fn last_line<'a>(&mut self, bytes: &'a [u8]) -> Line<'a> {
        self.next(bytes, Ending::EndOfFile)
    }

    fn knows_layout(&self) -> bool {
        !matches!(self.layout, Layout::Unknown)
    }

    fn next<'a>(&mut self, bytes: &'a [u8], ending: Ending) -> Line<'a> {
        let mut line = self.read(bytes, ending);
        if let Line::Record(record) = &mut line {
            record.line = self.lines_read;
        }
        line
    }

    fn read<'a>(&mut self, bytes: &'a [u8], ending: Ending) -> Line<'a> {
        self.lines_read += 1;
        let mut bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if self.lines_read == 1 {
            bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
            if let Some(words) = foreign(bytes) {
                self.layout = Layout::Foreign;
                return Line::Bad(BadLine { line: 1, reason: format!("file {words}"), text: String::new() });
            }
        }
        if matches!(self.layout, Layout::InOrder { .. })
            && bytes.len() <= LINE_BYTES_MAX
            && let Some(record) = values::plain(bytes, ending, &mut self.days)
        {
            return Line::Record(record);
        }
        match self.any(bytes, ending) {
            Ok(line) => line,
            Err(reason) => Line::Bad(BadLine { line: self.lines_read, reason, text: kept_text(bytes) }),
        }
    }

    /// Reads any line, however written, and finds the reason where it is bad.
    fn any<'a>(&mut self, bytes: &'a [u8], ending: Ending) -> Result<Line<'a>, String> {
        let is_blank = bytes.len() <= LINE_BYTES_MAX && bytes.iter().all(|b| matches!(b, b' ' | b'\t'));
        if is_blank || matches!(self.layout, Layout::Foreign) {
            return Ok(Line::Skip);
        }
        if self.lines_read == 1 && has_inner_cr(bytes) {
            return Err(CR_ALONE.to_owned());
        }
        let text = checked_text(bytes);
        if !self.knows_layout() {
            let header = text.as_ref().ok().and_then(|text| columns::header(text));
            self.layout = header.clone().unwrap_or_else(Layout::plain);
            match header {
                Some(Layout::Unusable(reason)) => return Err(reason),
                Some(_) => return Ok(Line::Skip),
                None => {}
            }
        }
        values::any(text?, ending, &self.layout, &mut self.days).map(Line::Record)
    }
}

/// What is wrong with a first line that is the whole file, as old Macs wrote it.
const CR_ALONE: &str = "lines end with CR alone: save the file with LF or CRLF and take in that";

/// Whether something follows a CR.
fn has_inner_cr(bytes: &[u8]) -> bool {
    memchr::memchr(b'\r', bytes).is_some_and(|at| bytes[at..].iter().any(|b| *b != b'\r'))
}

fn checked_text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > LINE_BYTES_MAX {
        return Err(format!("line is longer than {LINE_BYTES_MAX} bytes"));
    }
    if let Some(at) = memchr::memchr(0, bytes) {
        return Err(format!("NUL at byte {}", at + 1));
    }
    std::str::from_utf8(bytes).map_err(|e| format!("not UTF-8 at byte {}", e.valid_up_to() + 1))
}

fn kept_text(bytes: &[u8]) -> String {
    // A character has at most four bytes. NUL goes because PostgreSQL's text cannot hold it.
    let head = &bytes[..bytes.len().min(4 * BAD_TEXT_CHARS_MAX)];
    let chars = |c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(head).chars().take(BAD_TEXT_CHARS_MAX).map(chars).collect()
}
