//! Many rows of integers into a table of PostgreSQL by `COPY`: the cheapest way in for rows that are not there yet. One that is
//! there is a constraint error, and nothing of the transaction counts.

use super::{Error, Raw, Tx};
use diesel::ExecuteCopyFromDsl;
use diesel::pg::CopyFormat;
use diesel::result::Error as DieselError;
use std::io::Write;

mod schema {
    diesel::table! {
        reading (day, platform_id, source_id) {
            day -> BigInt,
            platform_id -> BigInt,
            source_id -> BigInt,
            account_id -> BigInt,
            sim_id -> BigInt,
            start_at -> BigInt,
            stop_at -> BigInt,
            bytes -> BigInt,
            imsi -> BigInt,
            imei -> BigInt,
            mccmnc -> BigInt,
            batch_id -> BigInt,
        }
    }
    diesel::table! {
        sim_day (sim_id, day, account_id) {
            sim_id -> BigInt,
            day -> BigInt,
            account_id -> BigInt,
            bytes -> BigInt,
            records -> BigInt,
            as_of -> BigInt,
        }
    }
}

impl Tx<'_> {
    /// Adds rows of `reading`, columns in the order above.
    pub(crate) fn copy_readings(&mut self, rows: impl Iterator<Item = [i64; 12]> + Clone) -> Result<(), Error> {
        let Raw::Pg(conn) = &mut self.conn.raw else { return Ok(()) };
        let table = schema::reading::table;
        let copy = diesel::copy_from(table).from_raw_data(table, |out| lines(rows.clone(), out));
        Ok(copy.with_format(CopyFormat::Text).execute(conn).map(drop)?)
    }

    /// Adds rows of `sim_day`, columns in the order above.
    pub(crate) fn copy_days(&mut self, rows: impl Iterator<Item = [i64; 6]> + Clone) -> Result<(), Error> {
        let Raw::Pg(conn) = &mut self.conn.raw else { return Ok(()) };
        let table = schema::sim_day::table;
        let copy = diesel::copy_from(table).from_raw_data(table, |out| lines(rows.clone(), out));
        Ok(copy.with_format(CopyFormat::Text).execute(conn).map(drop)?)
    }
}

fn lines<const N: usize>(rows: impl Iterator<Item = [i64; N]>, out: &mut dyn Write) -> Result<(), DieselError> {
    let failed = |e: std::io::Error| DieselError::SerializationError(Box::new(e));
    let mut buffer = Vec::with_capacity(1 << 16);
    for row in rows {
        push_line(&mut buffer, &row);
        if buffer.len() > (1 << 16) - 256 {
            out.write_all(&buffer).map_err(failed)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer).map_err(failed)
}

fn push_line(out: &mut Vec<u8>, values: &[i64]) {
    for (i, v) in values.iter().enumerate() {
        if i > 0 {
            out.push(b'\t');
        }
        push_int(out, *v);
    }
    out.push(b'\n');
}

fn push_int(out: &mut Vec<u8>, v: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = v.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if v < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}
