//! Which column is which, and where one ends.

pub(super) const ID: usize = 0;
pub(super) const START: usize = 1;
pub(super) const STOP: usize = 2;
pub(super) const ICCID: usize = 3;
pub(super) const IMSI: usize = 4;
pub(super) const BYTES: usize = 5;
pub(super) const IMEI: usize = 6;
pub(super) const MCCMNC: usize = 7;

/// The columns in their order, by the names they have in a header and in reasons.
pub(super) const NAMES: [&str; 8] = ["id", "start_time", "stop_time", "iccid", "imsi", "data_usage", "imei", "mccmnc"];

/// What is known of the file's columns.
#[derive(Debug, Clone, Default)]
pub(super) enum Layout {
    /// No line with anything on it has been seen.
    #[default]
    Unknown,
    /// The eight, in order; more may follow, and so many are expected.
    InOrder { columns: usize },
    /// As the header says: for each column of the file, which of the eight it is.
    Named(Vec<Option<usize>>),
    /// The header does not name all eight once; no line of the file can be read.
    Unusable(String),
    /// The file is no text, which was told of its first line.
    Foreign,
}

impl Layout {
    /// That of a file without a header.
    pub(super) fn plain() -> Layout {
        Layout::InOrder { columns: NAMES.len() }
    }

    /// Which of the eight the file's column at this place is.
    pub(super) fn column(&self, place: usize) -> Option<usize> {
        match self {
            Layout::Named(columns) => columns.get(place).copied().flatten(),
            _ => (place < NAMES.len()).then_some(place),
        }
    }

    /// Columns a line must have.
    pub(super) fn columns_min(&self) -> usize {
        match self {
            Layout::Named(columns) => columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1),
            _ => NAMES.len(),
        }
    }

    /// Columns a line has where no comma too many stands in it.
    pub(super) fn columns_usual(&self) -> usize {
        match self {
            Layout::Named(columns) => columns.len(),
            Layout::InOrder { columns } => *columns,
            _ => NAMES.len(),
        }
    }
}

/// What the first line says as a header; nothing where it is not one.
pub(super) fn header(line: &str) -> Option<Layout> {
    let fields = Fields::new(line).collect::<Result<Vec<_>, _>>().ok()?;
    let columns: Vec<_> = fields.iter().map(|name| named(name)).collect();
    let first = fields.first()?;
    let known = columns.iter().flatten().count();
    if first.parse::<i64>().is_ok() || (columns[0].is_none() && known < 2) {
        return None;
    }
    for (column, name) in NAMES.iter().enumerate() {
        match columns.iter().filter(|c| **c == Some(column)).count() {
            1 => {}
            0 => return Some(Layout::Unusable(format!("header has no column {name}"))),
            _ => return Some(Layout::Unusable(format!("header names the column {name} more than once"))),
        }
    }
    let in_order = columns[..NAMES.len()].iter().copied().eq((0..NAMES.len()).map(Some));
    Some(if in_order { Layout::InOrder { columns: columns.len() } } else { Layout::Named(columns) })
}

/// A unit other than bytes makes another name, and so a header that lacks `data_usage`.
fn named(name: &str) -> Option<usize> {
    let letters: String = name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    Some(match letters.as_str() {
        "id" | "cdrid" | "recordid" => ID,
        "starttime" | "starttimeutc" => START,
        "stoptime" | "stoptimeutc" | "endtime" | "endtimeutc" => STOP,
        "iccid" => ICCID,
        "imsi" => IMSI,
        "datausage" | "datausagebytes" => BYTES,
        "imei" => IMEI,
        "mccmnc" => MCCMNC,
        _ => return None,
    })
}

/// What is wrong with a line that ends inside of quotes.
pub(super) const UNCLOSED: &str = "a quote is not closed";

/// The fields of a line: between commas, without surrounding blanks and quotes.
pub(super) struct Fields<'a> {
    rest: Option<&'a str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Fields { rest: Some(line) }
    }

    /// Splits what follows an opening quote into the value and what comes after the closing quote.
    fn quoted(text: &'a str) -> Option<(&'a str, &'a str)> {
        let mut from = 0;
        loop {
            let end = from + text[from..].find('"')?;
            let after = &text[end + 1..];
            if !after.starts_with('"') {
                return Some((&text[..end], after));
            }
            from = end + 2;
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<&'a str, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let (value, after) = match trim(rest).strip_prefix('"').map(Self::quoted) {
            None => match memchr::memchr(b',', rest.as_bytes()) {
                Some(comma) => (&rest[..comma], &rest[comma..]),
                None => (rest, ""),
            },
            Some(Some((value, after))) => (value, trim(after)),
            Some(None) => return Some(Err(UNCLOSED)),
        };
        if !after.is_empty() {
            let Some(next) = after.strip_prefix(',') else { return Some(Err("text after a closing quote")) };
            self.rest = Some(next);
        }
        Some(Ok(trim(value)))
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
