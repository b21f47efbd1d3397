//! A file as the reader of CSV is to see it: without a byte order mark, each line ended by LF. That reader ends a line of CRLF at its CR
//! and counts it at its LF, counts none that a CR alone ends, and takes what follows blank lines to begin at the first of them: its
//! numbers would be lower than an editor's.

use csv::Position;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Bytes, Read, Result};
use std::iter::Peekable;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The file's bytes, and where among them blank lines lie.
pub struct Lines<R: Read> {
    bytes: Peekable<Bytes<BufReader<R>>>,
    /// Bytes handed on.
    handed: u64,
    /// Whether the next one begins a line.
    begins: bool,
    /// Runs of blank lines in what was handed on: where each begins, and how many they are.
    blank: VecDeque<(u64, u64)>,
}

impl<R: Read> Lines<R> {
    /// From the start of a file.
    pub fn new(file: R) -> Result<Lines<R>> {
        let mut file = BufReader::new(file);
        if file.fill_buf()?.starts_with(BOM) {
            file.consume(BOM.len());
        }
        Ok(Lines { bytes: file.bytes().peekable(), handed: 0, begins: true, blank: VecDeque::new() })
    }

    /// The line of the file, from 1, on which what the reader found at this place begins. Places are asked about in their order.
    pub fn number(&mut self, place: &Position) -> u64 {
        while self.blank.front().is_some_and(|(first, _)| *first < place.byte()) {
            self.blank.pop_front();
        }
        let here = self.blank.front().filter(|(first, _)| *first == place.byte());
        place.line() + here.map_or(0, |(_, lines)| *lines)
    }

    fn hand_on(&mut self, byte: u8) {
        let ends = byte == b'\n';
        if ends && self.begins {
            match self.blank.back_mut().filter(|(first, lines)| first + *lines == self.handed) {
                Some((_, lines)) => *lines += 1,
                None => self.blank.push_back((self.handed, 1)),
            }
        }
        self.begins = ends;
        self.handed += 1;
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut n = 0;
        while n < out.len() {
            let Some(mut byte) = self.bytes.next().transpose()? else { break };
            if byte == b'\r' {
                if matches!(self.bytes.peek(), Some(Ok(b'\n'))) {
                    continue;
                }
                byte = b'\n';
            }
            self.hand_on(byte);
            out[n] = byte;
            n += 1;
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csv::ByteRecord;

    /// What begins on which line.
    fn numbers(file: &str) -> Vec<(u64, String)> {
        let lines = Lines::new(file.as_bytes()).expect("it begins");
        let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(lines);
        let (mut found, mut record) = (Vec::new(), ByteRecord::new());
        while reader.read_byte_record(&mut record).expect("a record") {
            let line = record.position().map_or(0, |place| reader.get_mut().number(place));
            found.push((line, String::from_utf8_lossy(&record[0]).into_owned()));
        }
        found
    }

    #[test]
    fn each_line_has_the_number_that_an_editor_gives_it() {
        let table: [(&str, &[(u64, &str)]); 11] = [
            ("a\nb\nc", &[(1, "a"), (2, "b"), (3, "c")]),
            ("a\n\nb\n\n\nc\n", &[(1, "a"), (3, "b"), (6, "c")]),
            ("\n\na\n", &[(3, "a")]),
            ("a\r\n\r\n\r\nb\r\nc", &[(1, "a"), (4, "b"), (5, "c")]),
            ("a\r\rb\rc", &[(1, "a"), (3, "b"), (4, "c")]),
            ("a\r\r\nb\n\rc", &[(1, "a"), (3, "b"), (5, "c")]),
            ("\u{feff}a\nb", &[(1, "a"), (2, "b")]),
            ("\u{feff}\r\n\r\na\r\n", &[(3, "a")]),
            ("\"a\n\n1\"\n\nb,\"x\ny\"\nc\n", &[(1, "a\n\n1"), (5, "b"), (7, "c")]),
            ("a\n \nb\n", &[(1, "a"), (2, " "), (3, "b")]),
            ("\n\n\n", &[]),
        ];
        for (file, wanted) in table {
            let wanted: Vec<(u64, String)> = wanted.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
            assert_eq!(numbers(file), wanted, "{file:?}");
        }
        // Far more than the reader takes at once.
        let found = numbers(&"x\n\n\n".repeat(20_000));
        assert_eq!(found.len(), 20_000);
        assert!(found.iter().zip((1..).step_by(3)).all(|((line, _), wanted)| *line == wanted));
    }
}
