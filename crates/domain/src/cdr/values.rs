//! One line to one record, twice: fast for lines written plainly, and slowly with reasons for all others. Whatever
//! the fast way accepts, the slow way reads alike.

use super::columns::{BYTES, Fields, ICCID, ID, IMEI, IMSI, Layout, MCCMNC, NAMES, START, STOP, UNCLOSED};
use super::{Ending, RECORD_BYTES_MAX, RawRecord, civil::DayCache};
use crate::time::Timestamp;
use std::ops::RangeInclusive;

const ICCID_LENGTH: RangeInclusive<usize> = 18..=22;
const IMSI_LENGTH_MAX: usize = 15;
const IMEI_LENGTH: RangeInclusive<usize> = 14..=16;
const MCCMNC_LENGTH: RangeInclusive<usize> = 5..=6;

/// Said of a last line without a line break that could have been cut where it ends.
const UNSURE: &str = "file ends in this line, and nothing shows that it is whole: get the whole file, or end the line with a line break \
                      if nothing is missing";

/// Characters of a value shown in a reason.
const SHOWN_CHARS_MAX: usize = 40;

/// Reads a line of exactly the eight columns in order, without quotes, blanks or signs. Nothing where it is anything
/// else, good or bad.
#[inline]
pub(super) fn plain<'a>(line: &'a [u8], ending: Ending, days: &mut DayCache) -> Option<RawRecord<'a>> {
    let (id, id_length, line) = number(line)?;
    let (start, line) = comma(line)?.split_first_chunk()?;
    let (stop, line) = comma(line)?.split_first_chunk()?;
    let (start, stop) = (days.read(start)?, days.read(stop)?);
    let line = comma(line)?;
    let (iccid, line) = line.split_at(line.iter().take_while(|b| b.is_ascii_hexdigit()).count());
    let (imsi, imsi_length, line) = number(comma(line)?)?;
    let (bytes, bytes_length, line) = number(comma(line)?)?;
    let (imei, imei_length, line) = number(comma(line)?)?;
    let (mccmnc, mccmnc_length, line) = number(comma(line)?)?;
    let good = id_length > 0
        && start <= stop
        && ICCID_LENGTH.contains(&iccid.len())
        && imsi_length <= IMSI_LENGTH_MAX
        && bytes_length > 0
        && bytes <= RECORD_BYTES_MAX
        && (imei_length == 0 || IMEI_LENGTH.contains(&imei_length))
        && (MCCMNC_LENGTH.contains(&mccmnc_length) || (mccmnc_length == 0 && ending == Ending::Terminator))
        && line.is_empty();
    let iccid = std::str::from_utf8(iccid).ok()?;
    good.then_some(RawRecord { line: 0, source_id: id, start, stop, imsi, bytes, imei, mccmnc, iccid })
}

#[inline]
fn comma(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b",")
}

/// The digits at the start, their number and what follows. More than 18, which might not fit, are left to the slow way.
#[inline]
fn number(line: &[u8]) -> Option<(i64, usize, &[u8])> {
    let (mut value, mut length) = (0, 0);
    while let Some(digit) = line.get(length).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        if length == 18 {
            return None;
        }
        value = value * 10 + i64::from(digit);
        length += 1;
    }
    Some((value, length, &line[length..]))
}

/// Reads a line of any layout; the error is the reason.
pub(super) fn any<'a>(line: &'a str, ending: Ending, layout: &Layout, days: &mut DayCache) -> Result<RawRecord<'a>, String> {
    if let Layout::Unusable(reason) = layout {
        return Err(reason.clone());
    }
    let mut values = [""; NAMES.len()];
    let (mut count, mut last) = (0, None);
    for field in Fields::new(line) {
        let is_cut = |reason: &str| ending == Ending::EndOfFile && reason == UNCLOSED;
        let value = field.map_err(|reason| if is_cut(reason) { cut_in(count + 1, layout) } else { reason.into() })?;
        last = layout.column(count);
        if let Some(column) = last {
            values[column] = value;
        }
        count += 1;
    }
    if count < layout.columns_min() {
        return Err(if ending == Ending::EndOfFile { cut_in(count, layout) } else { too_few(line, count, layout) });
    }
    // Of the columns only mccmnc can show that it was not cut, so no other may be the last thing in a file.
    let whole = last.is_none_or(|c| c == MCCMNC) && MCCMNC_LENGTH.contains(&values[MCCMNC].len());
    if ending == Ending::EndOfFile && !whole {
        return Err(UNSURE.into());
    }
    record(&values, days).map_err(|reason| if count > layout.columns_usual() { too_many(reason, count, layout) } else { reason })
}

/// The file was cut in the line's column with this number.
fn cut_in(column: usize, layout: &Layout) -> String {
    let columns = layout.columns_usual().max(column);
    format!("file ends in the middle of this line, in column {column} of {columns}: get the whole file")
}

fn too_few(line: &str, count: usize, layout: &Layout) -> String {
    let least = layout.columns_min();
    let between = [(';', "semicolons"), ('\t', "tabs")].into_iter().find(|(sign, _)| line.matches(*sign).count() + 1 >= least);
    let needed = match (between, layout) {
        (Some((_, signs)), _) => format!("they are parted by {signs}; write commas"),
        (None, Layout::Named(_)) => "write every column that the header names, an empty one too".to_owned(),
        (None, _) => format!("write {}, an empty one too", NAMES.join(",")),
    };
    format!("{count} columns instead of {least}: {needed}")
}

/// A comma inside of a value moves all values after it, so what is wrong with one is the lesser half.
fn too_many(reason: String, count: usize, layout: &Layout) -> String {
    let usual = layout.columns_usual();
    format!(
        "{reason} ({count} columns instead of {usual}: take out the comma that is too many, or put its value in double quotes)"
    )
}

fn record<'a>(values: &[&'a str; 8], days: &mut DayCache) -> Result<RawRecord<'a>, String> {
    let source_id = id(values[ID]).ok_or_else(|| not(ID, values[ID], "a 64-bit integer"))?;
    let (start, stop) = (time(values, START, days)?, time(values, STOP, days)?);
    if stop < start {
        return Err(format!("stop_time: {} is before start_time {}", values[STOP], values[START]));
    }
    let iccid = values[ICCID];
    if !ICCID_LENGTH.contains(&iccid.len()) || !iccid.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(not(ICCID, iccid, "18 to 22 hexadecimal digits"));
    }
    Ok(RawRecord {
        line: 0,
        source_id,
        start,
        stop,
        iccid,
        imsi: digits(values, IMSI, 1..=IMSI_LENGTH_MAX, "empty or up to 15 digits")?,
        bytes: bytes(values[BYTES])?,
        imei: digits(values, IMEI, IMEI_LENGTH, "empty or 14 to 16 digits")?,
        mccmnc: digits(values, MCCMNC, MCCMNC_LENGTH, "empty or 5 to 6 digits")?,
    })
}

fn id(value: &str) -> Option<i64> {
    // Rust reads +5, the format has no such form.
    if value.starts_with('+') { None } else { value.parse().ok() }
}

fn time(values: &[&str; 8], column: usize, days: &mut DayCache) -> Result<Timestamp, String> {
    let read = values[column].as_bytes().try_into().ok().and_then(|text| days.read(text));
    read.ok_or_else(|| not(column, values[column], "a time that exists, written yyyy-MM-dd HH:mm:ss"))
}

/// The number of an optional column of digits; 0 where it is empty.
fn digits(values: &[&str; 8], column: usize, length: RangeInclusive<usize>, rule: &str) -> Result<i64, String> {
    let value = values[column];
    match value.parse() {
        _ if value.is_empty() => Ok(0),
        Ok(number) if length.contains(&value.len()) && all_digits(value) => Ok(number),
        _ => Err(not(column, value, rule)),
    }
}

fn bytes(value: &str) -> Result<i64, String> {
    let name = NAMES[BYTES];
    if value.strip_prefix('-').is_some_and(all_digits) {
        return Err(format!("{name}: {} is negative", shown(value)));
    }
    if !all_digits(value) {
        return Err(not(BYTES, value, "a whole number of bytes"));
    }
    match value.parse::<i64>() {
        Ok(bytes) if bytes <= RECORD_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(format!("{name}: {value} is more than {RECORD_BYTES_MAX} bytes, the most the engine rates in one record")),
        Err(_) => Err(format!("{name}: {} is more than {} bytes", shown(value), i64::MAX)),
    }
}

fn all_digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}

fn not(column: usize, value: &str, rule: &str) -> String {
    if value.is_empty() {
        format!("{}: empty, must be {rule}", NAMES[column])
    } else {
        format!("{}: {} is not {rule}", NAMES[column], shown(value))
    }
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_string(),
    }
}
