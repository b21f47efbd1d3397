//! The log of usage facts. It is written with one key, the natural key that dedupes, and nothing else; a second order,
//! by card, is built for whole batches at once after loading ([`Tx::index_batches`]), because keeping it while
//! loading costs most of the speed. Questions by card read the second order plus the batches it does not cover yet.
//!
//! A batch is what one transaction loaded of one UTC day; it names the file it came from. It may be loaded before it is
//! rated: until then its facts are in the log and in no answer ([`Tx::readings_of_sims`] leaves them out).

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::rating_lanes::IN_LANE;
use std::collections::HashMap;

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
    /// The batch that brought it (given by [`Tx::load_readings`]).
    pub batch: i64,
}

/// Whether the facts of a batch are rated in the transaction that loads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rating {
    /// They are: their cards are settled before the transaction ends.
    Now,
    /// A later transaction rates them ([`Tx::rate_up_to`]).
    Later,
}

/// A fact as the rating needs it: (card, stop, start, source id, bytes).
pub type Rated = (i64, i64, i64, i64, i64);

const COLUMNS: &str = "day, platform_id, source_id, account_id, sim_id, start_at, stop_at, bytes, imsi, imei, mccmnc, batch_id";
const MARKS: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Rows in one insert statement of SQLite.
const GROUP: usize = 64;

type R = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);

fn reading(r: R) -> Reading {
    Reading {
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
        batch: r.11,
    }
}

impl Reading {
    fn values(&self) -> [i64; 12] {
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
            self.batch,
        ]
    }

    /// What it is known by with its platform: the day, and the source's own number.
    pub fn key(&self) -> (i64, i64) {
        (self.day, self.source_id)
    }

    /// Whether another fact under the same key says the same: of the same card, time, bytes, identity, device and network.
    pub fn same_content(&self, other: &Reading) -> bool {
        let content = |r: &Reading| (r.sim, r.start, r.stop, r.bytes, r.imsi, r.imei, r.mccmnc);
        content(self) == content(other)
    }
}

impl Tx<'_> {
    /// Loads facts of a file (sorted by day), all or none, with a batch for each day: a known key is a constraint error, and
    /// then [`Tx::known_readings`] tells which.
    pub fn load_readings(&mut self, file: i64, readings: &mut [Reading], rating: Rating) -> Result<(), Error> {
        if readings.is_empty() {
            return Ok(());
        }
        self.savepoint(|tx| {
            for of_day in readings.chunk_by_mut(|a, b| a.day == b.day) {
                let batch = tx.add_batch(file, of_day, rating)?;
                of_day.iter_mut().for_each(|r| r.batch = batch);
            }
            if tx.is_postgres() {
                return tx.copy_readings(readings.iter().map(Reading::values));
            }
            readings.chunks(GROUP).try_for_each(|part| tx.insert_group(part))
        })
    }

    fn add_batch(&mut self, file: i64, of_day: &[Reading], rating: Rating) -> Result<i64, Error> {
        let first = &of_day[0];
        let ids = || of_day.iter().map(|r| r.source_id);
        let stops = || of_day.iter().map(|r| r.stop);
        let row = self.row::<(i64,)>(
            "INSERT INTO reading_batch (file_id, day, platform_id, source_min, source_max, stop_min, stop_max, records, indexed, rated)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?) RETURNING id",
            &binds![
                file,
                first.day,
                first.platform,
                ids().min().unwrap_or(0),
                ids().max().unwrap_or(0),
                stops().min().unwrap_or(0),
                stops().max().unwrap_or(0),
                of_day.len() as i64,
                rating == Rating::Now
            ],
        )?;
        row.map(|r| r.0).ok_or_else(|| Error::Engine("a new batch has no number".into()))
    }

    /// Those of the facts whose key is known, each with the fact that is there.
    pub fn known_readings(&mut self, readings: &[Reading]) -> Result<Vec<(Reading, Reading)>, Error> {
        let mut known = Vec::new();
        for run in readings.chunk_by(|a, b| (a.day, a.platform) == (b.day, b.platform)) {
            for part in run.chunks(500) {
                let rows =
                    self.row_each("reading r", "r.day = ? AND r.platform_id = ? AND r.source_id = CAST(k.value AS BIGINT)");
                let ids: Vec<i64> = part.iter().map(|r| r.source_id).collect();
                let ids = serde_json::to_string(&ids).map_err(|e| Error::Engine(e.to_string()))?;
                let text = format!("SELECT {COLUMNS} FROM {rows}");
                for there in self.rows::<R>(&text, &binds![ids, part[0].day, part[0].platform])?.into_iter().map(reading) {
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

    /// Brings the by-card order up to date for at most `limit` rated batches; the answer is how many were done.
    pub fn index_batches(&mut self, limit: i64) -> Result<usize, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let open = self.rows::<(i64, i64, i64, i64, i64)>(
            &format!(
                "SELECT id, day, platform_id, source_min, source_max FROM reading_batch WHERE indexed = 0 AND rated = 1 ORDER BY id LIMIT ?{lock}"
            ),
            &binds![limit],
        )?;
        for &(id, day, platform, min, max) in &open {
            self.run(
                "INSERT INTO reading_by_sim (day, sim_id, stop_at, start_at, source_id, platform_id, bytes)
                 SELECT day, sim_id, stop_at, start_at, source_id, platform_id, bytes FROM reading
                 WHERE day = ? AND platform_id = ? AND source_id >= ? AND source_id <= ? AND batch_id = ?
                 ORDER BY sim_id, stop_at, start_at, source_id
                 ON CONFLICT (day, sim_id, stop_at, start_at, source_id, platform_id) DO NOTHING",
                &binds![day, platform, min, max, id],
            )?;
            self.run("UPDATE reading_batch SET indexed = 1 WHERE id = ?", &binds![id])?;
        }
        Ok(open.len())
    }

    /// The file's batches that wait for their rating.
    pub fn unrated_batches(&mut self, file: i64) -> Result<Vec<UnratedBatch>, Error> {
        let text =
            "SELECT id, day, platform_id, source_min, source_max FROM reading_batch WHERE file_id = ? AND rated = 0 ORDER BY id";
        type R = (i64, i64, i64, i64, i64);
        let batch = |r: R| UnratedBatch { id: r.0, day: r.1, platform: r.2, next_source: r.3, source_max: r.4 };
        Ok(self.rows::<R>(text, &binds![file])?.into_iter().map(batch).collect())
    }

    /// The next facts of a waiting batch, those of cards that are rated among them; none when it has no more.
    pub fn waiting_readings(&mut self, batch: &mut UnratedBatch, limit: i64) -> Result<Vec<Reading>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM reading WHERE day = ? AND platform_id = ? AND source_id >= ? AND source_id <= ? AND batch_id = ?
             ORDER BY source_id LIMIT ?"
        );
        let values = binds![batch.day, batch.platform, batch.next_source, batch.source_max, batch.id, limit];
        let found: Vec<Reading> = self.rows::<R>(&text, &values)?.into_iter().map(reading).collect();
        match found.last() {
            Some(last) if last.source_id < i64::MAX => batch.next_source = last.source_id + 1,
            _ => batch.source_max = batch.next_source - 1,
        }
        Ok(found)
    }

    /// Rated facts of these cards over UTC days `first..=last`, sorted by card and time.
    pub fn readings_of_sims(&mut self, sims: &[i64], first: i64, last: i64) -> Result<Vec<Rated>, Error> {
        let mut found: Vec<(Rated, i64)> = Vec::new();
        for part in sims.chunks(500) {
            let of_sims = self.one_of("sim_id");
            // Read once, and not again for each row that is looked at.
            let ids = match self.is_postgres() {
                true => Value::Ints(part.iter().map(|sim| Some(*sim)).collect()),
                false => self.list(part.iter().copied()).into(),
            };
            // Open batches first: one that is indexed between the two looks is then seen twice, never missed.
            let text = format!(
                "SELECT r.sim_id, r.stop_at, r.start_at, r.source_id, r.bytes, r.platform_id
                 FROM reading_batch b JOIN reading r
                 ON r.day = b.day AND r.platform_id = b.platform_id AND r.source_id >= b.source_min AND r.source_id <= b.source_max AND r.batch_id = b.id
                 WHERE b.indexed = 0 AND b.day >= ? AND b.day <= ? AND (b.rated = 1 OR {IN_LANE}) AND r.{of_sims}"
            );
            type R = (i64, i64, i64, i64, i64, i64);
            found.extend(
                self.rows::<R>(&text, &binds![first, last, ids.clone()])?.into_iter().map(|r| ((r.0, r.1, r.2, r.3, r.4), r.5)),
            );
            let days = self.days_with_readings(first, last)?;
            for day in days {
                let text = format!(
                    "SELECT sim_id, stop_at, start_at, source_id, bytes, platform_id FROM reading_by_sim WHERE day = ? AND {of_sims}"
                );
                type R = (i64, i64, i64, i64, i64, i64);
                found.extend(
                    self.rows::<R>(&text, &binds![day, ids.clone()])?.into_iter().map(|r| ((r.0, r.1, r.2, r.3, r.4), r.5)),
                );
            }
        }
        // A batch that was covered between the two looks: the same fact twice is one.
        found.sort_unstable();
        found.dedup();
        Ok(found.into_iter().map(|(r, _)| r).collect())
    }

    /// UTC days with records, of these.
    pub fn days_with_readings(&mut self, first: i64, last: i64) -> Result<Vec<i64>, Error> {
        let text = "SELECT DISTINCT day FROM reading_batch WHERE day >= ? AND day <= ? ORDER BY day";
        Ok(self.rows::<(i64,)>(text, &binds![first, last])?.into_iter().map(|r| r.0).collect())
    }

    /// Number of all facts, and of those that wait for their rating, for the audit.
    pub fn audit_readings(&mut self) -> Result<(i64, i64), Error> {
        let all = self.row::<(i64,)>("SELECT COUNT(*) FROM reading", &[])?.map_or(0, |r| r.0);
        let text = format!("SELECT COUNT(*) {}", unrated());
        Ok((all, self.row::<(i64,)>(&text, &[])?.map_or(0, |r| r.0)))
    }

    /// Bytes of rated facts per card over all days: (card, bytes).
    pub fn audit_readings_by_sim(&mut self) -> Result<HashMap<i64, i64>, Error> {
        let all = "SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM reading GROUP BY sim_id";
        let mut rated: HashMap<i64, i64> = self.rows::<(i64, i64)>(all, &[])?.into_iter().collect();
        let text = format!("SELECT r.sim_id, CAST(SUM(r.bytes) AS BIGINT) {} GROUP BY r.sim_id", unrated());
        for (sim, bytes) in self.rows::<(i64, i64)>(&text, &[])? {
            *rated.entry(sim).or_default() -= bytes;
        }
        Ok(rated)
    }
}

/// Facts that are loaded and not rated yet.
fn unrated() -> String {
    format!(
        "FROM reading_batch b JOIN reading r
         ON r.day = b.day AND r.platform_id = b.platform_id AND r.source_id >= b.source_min AND r.source_id <= b.source_max AND r.batch_id = b.id
         WHERE b.rated = 0 AND NOT {IN_LANE}"
    )
}

/// A batch that waits for its rating, and how far it was read.
#[derive(Debug, Clone)]
pub struct UnratedBatch {
    id: i64,
    day: i64,
    platform: i64,
    next_source: i64,
    source_max: i64,
}
