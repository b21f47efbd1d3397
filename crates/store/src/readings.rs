//! The log of usage facts. It is written with one key, the natural key that dedupes, and nothing else; a second order,
//! by card, is built for whole stretches at once after loading ([`Tx::index_batches`]), because keeping it while
//! loading costs most of the speed. Questions by card read the second order plus the stretches it does not cover yet.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Conn, Error, Tx};
use diesel::ExecuteCopyFromDsl;
use diesel::pg::CopyFormat;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// One usage fact as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// UTC day of its stop time.
    pub day: i64,
    /// Where it came from.
    pub platform: i64,
    /// The source's own id; with platform and day the natural key.
    pub source_id: i64,
    /// Who owned the card.
    pub account: i64,
    /// The card.
    pub sim: i64,
    /// When the session part began.
    pub start: i64,
    /// When it ended.
    pub stop: i64,
    /// Bytes.
    pub bytes: i64,
    /// Digits, 0 where absent.
    pub imsi: i64,
    /// Digits, 0 where absent.
    pub imei: i64,
    /// Digits, 0 where absent.
    pub mccmnc: i64,
}

/// A fact as the rating needs it: (card, stop, start, source id, bytes).
pub type Rated = (i64, i64, i64, i64, i64);

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
        }
    }
}

const COLUMNS: &str = "day, platform_id, source_id, account_id, sim_id, start_at, stop_at, bytes, imsi, imei, mccmnc";
const MARKS: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Rows in one insert statement of SQLite.
const GROUP: usize = 64;

impl Reading {
    fn values(&self) -> [i64; 11] {
        [
            self.day,
            self.platform,
            self.source_id,
            self.account,
            self.sim,
            self.start,
            self.stop,
            self.bytes,
            self.imsi,
            self.imei,
            self.mccmnc,
        ]
    }

    /// Whether another fact under the same key says the same.
    pub fn same_content(&self, other: &Reading) -> bool {
        (self.sim, self.start, self.stop, self.bytes) == (other.sim, other.start, other.stop, other.bytes)
    }
}

impl Tx<'_> {
    /// Loads facts, all or none: a known key is a constraint error, and then [`Tx::known_readings`] tells which.
    pub fn load_readings(&mut self, readings: &[Reading]) -> Result<(), Error> {
        if readings.is_empty() {
            return Ok(());
        }
        self.savepoint(|tx| {
            if tx.is_postgres() {
                return tx.copy_readings(readings);
            }
            readings.chunks(GROUP).try_for_each(|part| tx.insert_group(part))
        })
    }

    /// Those of the facts whose key is known, each with the fact that is there.
    pub fn known_readings(&mut self, readings: &[Reading]) -> Result<Vec<(Reading, Reading)>, Error> {
        let mut known = Vec::new();
        for run in readings.chunk_by(|a, b| (a.day, a.platform) == (b.day, b.platform)) {
            for part in run.chunks(500) {
                let text =
                    format!("SELECT {COLUMNS} FROM reading WHERE day = ? AND platform_id = ? AND {}", self.one_of("source_id"));
                let ids = self.list(part.iter().map(|r| r.source_id));
                type R = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);
                for r in self.rows::<R>(&text, &binds![part[0].day, part[0].platform, ids])? {
                    let there = Reading {
                        day: r.0,
                        platform: r.1,
                        source_id: r.2,
                        account: r.3,
                        sim: r.4,
                        start: r.5,
                        stop: r.6,
                        bytes: r.7,
                        imsi: r.8,
                        imei: r.9,
                        mccmnc: r.10,
                    };
                    if let Ok(i) = part.binary_search_by_key(&there.source_id, |p| p.source_id) {
                        known.push((part[i], there));
                    }
                }
            }
        }
        Ok(known)
    }

    fn insert_group(&mut self, part: &[Reading]) -> Result<(), Error> {
        let values: Vec<Value<'_>> = part.iter().flat_map(|r| r.values().map(|v| Value::Int(Some(v)))).collect();
        self.run_group(&format!("INSERT INTO reading ({COLUMNS}) VALUES {{}}"), MARKS, part.len(), GROUP, &values)?;
        Ok(())
    }

    fn copy_readings(&mut self, readings: &[Reading]) -> Result<(), Error> {
        let Conn::Pg(conn) = self.conn else { return Ok(()) };
        diesel::copy_from(schema::reading::table)
            .from_raw_data(schema::reading::table, |out| {
                let mut buffer = Vec::with_capacity(1 << 16);
                for r in readings {
                    write_copy_line(&mut buffer, &r.values());
                    if buffer.len() > (1 << 16) - 256 {
                        out.write_all(&buffer).map_err(|e| DieselError::SerializationError(Box::new(e)))?;
                        buffer.clear();
                    }
                }
                out.write_all(&buffer).map_err(|e| DieselError::SerializationError(Box::new(e)))
            })
            .with_format(CopyFormat::Text)
            .execute(conn)
            .map(|_| ())
            .map_err(|e: DieselError| match e {
                DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                    Error::Constraint(info.message().to_owned())
                }
                other => Error::Engine(other.to_string()),
            })
    }

    /// Notes a stretch of the log that the by-card order does not cover yet.
    pub fn add_batch(&mut self, day: i64, platform: i64, source_min: i64, source_max: i64, records: i64) -> Result<(), Error> {
        self.run(
            "INSERT INTO reading_batch (day, platform_id, source_min, source_max, records, indexed) VALUES (?, ?, ?, ?, ?, 0)",
            &binds![day, platform, source_min, source_max, records],
        )?;
        Ok(())
    }

    /// Brings the by-card order up to date for at most `limit` stretches; the answer is how many were done.
    pub fn index_batches(&mut self, limit: i64) -> Result<usize, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let open = self.rows::<(i64, i64, i64, i64, i64)>(
            &format!("SELECT id, day, platform_id, source_min, source_max FROM reading_batch WHERE indexed = 0 ORDER BY id LIMIT ?{lock}"),
            &binds![limit],
        )?;
        for &(id, day, platform, min, max) in &open {
            self.run(
                "INSERT INTO reading_by_sim (day, sim_id, stop_at, start_at, source_id, platform_id, bytes)
                 SELECT day, sim_id, stop_at, start_at, source_id, platform_id, bytes FROM reading
                 WHERE day = ? AND platform_id = ? AND source_id >= ? AND source_id <= ? ORDER BY sim_id, stop_at, start_at, source_id
                 ON CONFLICT (day, sim_id, stop_at, start_at, source_id, platform_id) DO NOTHING",
                &binds![day, platform, min, max],
            )?;
            self.run("UPDATE reading_batch SET indexed = 1 WHERE id = ?", &binds![id])?;
        }
        Ok(open.len())
    }

    /// Facts of these cards over UTC days `first..=last`, sorted by card and time.
    pub fn readings_of_sims(&mut self, sims: &[i64], first: i64, last: i64) -> Result<Vec<Rated>, Error> {
        let mut found: Vec<(Rated, i64)> = Vec::new();
        for part in sims.chunks(500) {
            let (of_sims, ids) = (self.one_of("sim_id"), self.list(part.iter().copied()));
            // Open stretches first: one that is indexed between the two looks is then seen twice, never missed.
            let text = format!(
                "SELECT r.sim_id, r.stop_at, r.start_at, r.source_id, r.bytes, r.platform_id FROM reading_batch b JOIN reading r
                 ON r.day = b.day AND r.platform_id = b.platform_id AND r.source_id >= b.source_min AND r.source_id <= b.source_max
                 WHERE b.indexed = 0 AND b.day >= ? AND b.day <= ? AND r.{of_sims}"
            );
            type R = (i64, i64, i64, i64, i64, i64);
            found
                .extend(self.rows::<R>(&text, &binds![first, last, &ids])?.into_iter().map(|r| ((r.0, r.1, r.2, r.3, r.4), r.5)));
            let days = self.days_with_readings(first, last)?;
            for day in days {
                let text = format!(
                    "SELECT sim_id, stop_at, start_at, source_id, bytes, platform_id FROM reading_by_sim WHERE day = ? AND {of_sims}"
                );
                type R = (i64, i64, i64, i64, i64, i64);
                found.extend(self.rows::<R>(&text, &binds![day, &ids])?.into_iter().map(|r| ((r.0, r.1, r.2, r.3, r.4), r.5)));
            }
        }
        // A stretch may overlap one that is already covered: the same fact twice is one.
        found.sort_unstable();
        found.dedup();
        Ok(found.into_iter().map(|(r, _)| r).collect())
    }

    fn days_with_readings(&mut self, first: i64, last: i64) -> Result<Vec<i64>, Error> {
        let text = "SELECT DISTINCT day FROM reading_batch WHERE day >= ? AND day <= ? ORDER BY day";
        Ok(self.rows::<(i64,)>(text, &binds![first, last])?.into_iter().map(|r| r.0).collect())
    }

    /// Number and bytes of all facts, for the audit.
    pub fn audit_readings(&mut self) -> Result<(i64, i64), Error> {
        let text = "SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM reading";
        Ok(self.row::<(i64, i64)>(text, &[])?.unwrap_or((0, 0)))
    }

    /// Bytes of facts per card over all days, in pages by card: (card, bytes).
    pub fn audit_readings_by_sim(&mut self) -> Result<Vec<(i64, i64)>, Error> {
        self.rows("SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM reading GROUP BY sim_id ORDER BY sim_id", &[])
    }
}

fn write_copy_line(out: &mut Vec<u8>, values: &[i64]) {
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
