//! Files that are no lines of text, known by how they begin.

/// How a file of some kind begins, what it is and what to do.
const KINDS: [(&[u8], &str); 6] = [
    (b"\x1f\x8b", "is compressed with gzip: unpack it (`gunzip`) and take in the CSV file"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd: unpack it (`unzstd`) and take in the CSV file"),
    (b"\xfd7zXZ\0", "is compressed with xz: unpack it (`unxz`) and take in the CSV file"),
    (
        b"PK\x03\x04",
        "is a ZIP archive, as XLSX sheets are: unpack it, or save the sheet as CSV (UTF-8), and take in the CSV file",
    ),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
];

const UTF_16: &str = "is UTF-16: save it as CSV (UTF-8), or change it with `iconv -f UTF-16 -t UTF-8`, and take in that";
/// The same without the mark at its start, of which one half of each character is empty.
const UTF_16_BARE: [([bool; 4], &str); 2] = [
    (
        [true, false, true, false],
        "is UTF-16LE: save it as CSV (UTF-8), or change it with `iconv -f UTF-16LE -t UTF-8`, and take in that",
    ),
    (
        [false, true, false, true],
        "is UTF-16BE: save it as CSV (UTF-8), or change it with `iconv -f UTF-16BE -t UTF-8`, and take in that",
    ),
];

/// What a file that begins so is, and what to do with it; nothing where it may be text that can be read.
pub fn foreign(head: &[u8]) -> Option<&'static str> {
    let known = KINDS.iter().find(|(begin, _)| head.starts_with(begin)).map(|(_, words)| *words);
    let filled = head.first_chunk::<4>().map(|first| first.map(|b| b != 0));
    known.or_else(|| UTF_16_BARE.iter().find(|(halves, _)| filled == Some(*halves)).map(|(_, words)| *words))
}
