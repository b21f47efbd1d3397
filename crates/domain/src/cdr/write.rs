//! Records to lines.

use super::civil;
use super::columns::NAMES;
use crate::time::Timestamp;
use crate::usage::CdrRecord;

/// Appends the header row with the eight published names.
pub fn write_header(out: &mut Vec<u8>) {
    out.extend_from_slice(NAMES.join(",").as_bytes());
    out.push(b'\n');
}

/// Appends the record as one line with LF, in the form that is read: a record that was read comes back equal.
///
/// An IMSI, IMEI or network of 0 is written as an empty field. Instants outside the years 0 to 9999 have no form here
/// and are brought to the nearest that has.
pub fn write_record(out: &mut Vec<u8>, record: &CdrRecord) {
    signed(out, record.source_id);
    out.push(b',');
    time(out, record.start);
    out.push(b',');
    time(out, record.stop);
    out.push(b',');
    out.extend_from_slice(record.iccid.as_str().as_bytes());
    out.push(b',');
    identity(out, record.imsi);
    out.push(b',');
    signed(out, record.bytes);
    out.push(b',');
    identity(out, record.imei);
    out.push(b',');
    if record.mccmnc != 0 {
        padded(out, record.mccmnc.unsigned_abs(), 5);
    }
    out.push(b'\n');
}

/// Identities below this number are written with leading zeros.
pub(crate) const WITH_ZEROS_BELOW: i64 = 20_000_000_000_000;

/// A record keeps an identity as a number, without its leading zeros. They are needed for IMEIs of 01 (North America)
/// and IMSIs of 001 (test networks); a greater number of 14 digits is one that was written without a check digit.
fn identity(out: &mut Vec<u8>, number: i64) {
    match number {
        0 => {}
        _ if number < WITH_ZEROS_BELOW => padded(out, number.unsigned_abs(), 15),
        _ => padded(out, number.unsigned_abs(), 1),
    }
}

fn time(out: &mut Vec<u8>, at: Timestamp) {
    let [year, month, day, hour, minute, second] = civil::parts(at).map(i64::unsigned_abs);
    padded(out, year, 4);
    for (before, part) in [(b'-', month), (b'-', day), (b' ', hour), (b':', minute), (b':', second)] {
        out.push(before);
        padded(out, part, 2);
    }
}

fn signed(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    padded(out, number.unsigned_abs(), 1);
}

/// Decimal digits, with zeros in front up to `width` (at most 20).
fn padded(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    while number > 0 || digits.len() - from < width {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[from..]);
}
