//! A file in blocks.

use super::{BOM, LINE_BYTES_MAX, Line, Reader};

/// Bytes of an unfinished line that are kept: enough for [`Reader`] to see that it is too long, after it has taken
/// off a BOM and a CR.
const CARRY_BYTES_MAX: usize = LINE_BYTES_MAX + BOM.len() + 2;

/// A place between two lines of a file, at which reading may go on later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Bytes before it.
    pub offset: u64,
    /// Lines before it.
    pub line: u64,
}

/// Reads a file handed over in blocks of any size, cut anywhere. Lines inside a block are read where they lie; only
/// the piece of a line at a block's end is copied, so memory stays below [`LINE_BYTES_MAX`] and a few bytes.
///
/// ```
/// use kachi_domain::cdr::{Feed, Line};
/// let mut feed = Feed::new();
/// let mut bytes = 0;
/// let mut each = |line: Line<'_>| if let Line::Record(record) = line { bytes += record.bytes };
/// feed.block(b"1,2026-01-01 00:00:00,2026-01-01 00:30:00,8986042936200", &mut each);
/// feed.block(b"0000970,460040000000001,2048,861234567890123,46004\n", &mut each);
/// assert_eq!(feed.position().line, 1);
/// feed.finish(&mut each);
/// assert_eq!(bytes, 2048);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Feed {
    reader: Reader,
    offset: u64,
    carry: Vec<u8>,
    carry_bytes: u64,
}

impl Feed {
    /// At the start of a file.
    pub fn new() -> Feed {
        Feed::default()
    }

    /// At a position that [`Feed::position`] gave earlier for the same file; the next block must start at its offset.
    /// `head` is the file's beginning, with its first line that is not blank: there the header is found again.
    pub fn resume(head: &[u8], at: Position) -> Feed {
        let mut reader = Reader::new();
        let lines_before = usize::try_from(at.line).unwrap_or(usize::MAX);
        for line in head.split(|b| *b == b'\n').take(lines_before) {
            if reader.knows_layout() {
                break;
            }
            reader.line(line);
        }
        reader.lines_read = at.line;
        Feed { reader, offset: at.offset, ..Feed::default() }
    }

    /// Hands out every line that this block completes, in order.
    pub fn block(&mut self, block: &[u8], each: &mut impl FnMut(Line<'_>)) {
        let mut rest = block;
        if self.carry_bytes > 0 {
            let Some(end) = memchr::memchr(b'\n', rest) else { return self.keep(rest) };
            self.keep(&rest[..end]);
            rest = &rest[end + 1..];
            each(self.reader.line(&self.carry));
            self.offset += self.carry_bytes + 1;
            self.carry.clear();
            self.carry_bytes = 0;
        }
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', rest) {
            each(self.reader.line(&rest[from..end]));
            from = end + 1;
        }
        self.offset += from as u64;
        self.keep(&rest[from..]);
    }

    /// Says that the file is complete: hands out a last line that has no LF. Gives the file's end.
    pub fn finish(mut self, each: &mut impl FnMut(Line<'_>)) -> Position {
        if self.carry_bytes > 0 {
            each(self.reader.last_line(&self.carry));
            self.offset += self.carry_bytes;
        }
        self.position()
    }

    /// The end of the last line handed out.
    pub fn position(&self) -> Position {
        Position { offset: self.offset, line: self.reader.lines_read() }
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = CARRY_BYTES_MAX - self.carry.len();
        self.carry.extend_from_slice(&piece[..piece.len().min(room)]);
        self.carry_bytes += piece.len() as u64;
    }
}
