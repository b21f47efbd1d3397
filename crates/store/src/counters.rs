//! Readings of carriers' own counters: each keeps its source, what it counts, and its instant. They reconcile; where a platform
//! has no records, its days are taken in as records too.

use crate::binds;
use crate::db::{BulkColumn, Error, Tx};
use kachi_domain::carrier::{Count, Counter, Of};
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp};
use std::collections::HashMap;

/// The source of a reading that a carrier told.
pub const CARRIER_COUNTER: &str = "carrier_counter";

/// A count to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCount {
    /// The card.
    pub sim: SimId,
    /// Who owns it.
    pub account: AccountId,
    /// What was told.
    pub count: Count,
    /// What an earlier reading of the same count showed, where that was more.
    pub fell_from: Option<i64>,
}

/// A reading as kept: (counts, from, as of, bytes, from what it fell).
pub type KeptCount = (String, Timestamp, Timestamp, i64, Option<i64>);

/// One that fell: (card number, counts, as of, bytes, from what).
pub type FallenCount = (String, String, i64, i64, i64);

/// What a card's days of a span add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaysSum {
    /// The card.
    pub sim: i64,
    /// How many days are known.
    pub days: i64,
    /// Their bytes.
    pub bytes: i64,
    /// The first instant of the last of them.
    pub last_from: i64,
}

impl Tx<'_> {
    /// Keeps what the platform's counters showed. The same instant told again takes the newer word; that it once fell stays.
    pub fn put_counts(&mut self, platform: PlatformId, counts: &[NewCount], now: Timestamp) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        let columns = [
            Int("sim_id"),
            Text("source"),
            Text("counts"),
            Int("from_at"),
            Int("as_of"),
            Int("account_id"),
            Int("platform_id"),
            Int("bytes"),
            Int("received_at"),
            Int("fell_from"),
        ];
        let row = |c: &NewCount| {
            let told = c.count;
            binds![
                c.sim.0,
                CARRIER_COUNTER,
                told.of.word(),
                told.from.0,
                told.counter.as_of.0,
                c.account.0,
                platform.0,
                told.counter.bytes,
                now.0,
                c.fell_from
            ]
            .to_vec()
        };
        let rows: Vec<_> = counts.iter().map(row).collect();
        let newer = "ON CONFLICT (sim_id, source, counts, from_at, as_of) DO UPDATE SET bytes = excluded.bytes,
             received_at = excluded.received_at, fell_from = COALESCE(excluded.fell_from, counter_reading.fell_from)";
        self.add_rows("counter_reading", &columns, &rows, newer)?;
        Ok(())
    }

    /// The newest readings of a count of these cards.
    pub fn last_counts(&mut self, of: Of, from: Timestamp, sims: &[i64]) -> Result<HashMap<i64, Counter>, Error> {
        let text = format!(
            "SELECT c.sim_id, c.bytes, c.as_of FROM counter_reading c WHERE {} AND c.source = ? AND c.counts = ? AND c.from_at = ?
             AND c.as_of = (SELECT MAX(d.as_of) FROM counter_reading d
             WHERE d.sim_id = c.sim_id AND d.source = c.source AND d.counts = c.counts AND d.from_at = c.from_at)",
            self.one_of("c.sim_id")
        );
        let list = self.list(sims.iter().copied());
        let found = self.rows::<(i64, i64, i64)>(&text, &binds![list, CARRIER_COUNTER, of.word(), from.0])?;
        Ok(found.into_iter().map(|(sim, bytes, as_of)| (sim, Counter { bytes, as_of: Timestamp(as_of) })).collect())
    }

    /// Keeps how many seconds a card spoke in the billing month that began at `from`; an older word changes nothing. Of a month
    /// in which the card moved and that was not told before, this is what it had spoken then.
    pub fn put_voice(&mut self, sim: SimId, from: Timestamp, seconds: i64, as_of: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO voice_use (sim_id, from_at, seconds, as_of) VALUES (?, ?, ?, ?) ON CONFLICT (sim_id, from_at) DO UPDATE
             SET seconds = excluded.seconds, as_of = excluded.as_of WHERE voice_use.as_of <= excluded.as_of",
            &binds![sim.0, from.0, seconds, as_of.0],
        )?;
        self.run(
            "UPDATE sim_move SET voice_from = ?, voice_seconds = ? WHERE sim_id = ? AND at > ? AND (voice_from IS NULL OR voice_from < ?)",
            &binds![from.0, seconds, sim.0, from.0, from.0],
        )?;
        Ok(())
    }

    /// What a card spoke, by billing month: (its beginning, seconds), the oldest first.
    pub fn voice_months(&mut self, sim: SimId) -> Result<Vec<(i64, i64)>, Error> {
        self.rows("SELECT from_at, seconds FROM voice_use WHERE sim_id = ? ORDER BY from_at", &binds![sim.0])
    }

    /// The newest reading of the card's counter at the carrier: of a month or of everything.
    pub fn counter(&mut self, sim: SimId) -> Result<Option<Counter>, Error> {
        Ok(self.count(sim)?.map(|count| count.counter))
    }

    /// The same, with what it counts.
    pub fn count(&mut self, sim: SimId) -> Result<Option<Count>, Error> {
        let row = self.row::<(i64, i64, i64, i64)>(
            "SELECT CAST(CASE WHEN counts = 'month' THEN 1 ELSE 0 END AS BIGINT), from_at, bytes, as_of FROM counter_reading
             WHERE sim_id = ? AND source = ? AND counts <> 'day' ORDER BY as_of DESC LIMIT 1",
            &binds![sim.0, CARRIER_COUNTER],
        )?;
        Ok(row.map(|(of_month, from, bytes, as_of)| Count {
            of: if of_month == 1 { Of::Month } else { Of::Total },
            from: Timestamp(from),
            counter: Counter { bytes, as_of: Timestamp(as_of) },
        }))
    }

    /// The newest readings of the month's count that began at `from`, as of `until` or earlier: (card, bytes, as of).
    pub fn month_counts(&mut self, sims: &[i64], from: Timestamp, until: Timestamp) -> Result<Vec<(i64, i64, i64)>, Error> {
        let text = format!(
            "SELECT c.sim_id, c.bytes, c.as_of FROM counter_reading c WHERE {} AND c.source = ? AND c.counts = 'month' AND c.from_at = ?
             AND c.as_of = (SELECT MAX(d.as_of) FROM counter_reading d WHERE d.sim_id = c.sim_id AND d.source = c.source
             AND d.counts = 'month' AND d.from_at = c.from_at AND d.as_of <= ?)",
            self.one_of("c.sim_id")
        );
        let list = self.list(sims.iter().copied());
        self.rows(&text, &binds![list, CARRIER_COUNTER, from.0, until.0])
    }

    /// The days of cards that began in `from..to` and were over, and told as such, by `until`.
    pub fn day_counts(
        &mut self,
        sims: &[i64],
        (from, to): (Timestamp, Timestamp),
        until: Timestamp,
        day_seconds: i64,
    ) -> Result<Vec<DaysSum>, Error> {
        let text = format!(
            "SELECT c.sim_id, COUNT(*), CAST(SUM(c.bytes) AS BIGINT), MAX(c.from_at) FROM counter_reading c
             WHERE {} AND c.source = ? AND c.counts = 'day' AND c.from_at >= ? AND c.from_at < ? AND c.as_of <= ? AND c.as_of - c.from_at = ?
             GROUP BY c.sim_id ORDER BY c.sim_id",
            self.one_of("c.sim_id")
        );
        let list = self.list(sims.iter().copied());
        let rows =
            self.rows::<(i64, i64, i64, i64)>(&text, &binds![list, CARRIER_COUNTER, from.0, to.0, until.0, day_seconds])?;
        Ok(rows.into_iter().map(|(sim, days, bytes, last_from)| DaysSum { sim, days, bytes, last_from }).collect())
    }

    /// Every reading of the card's counters, the oldest first.
    pub fn counts_of(&mut self, sim: SimId) -> Result<Vec<KeptCount>, Error> {
        let text = "SELECT counts, from_at, as_of, bytes, fell_from FROM counter_reading WHERE sim_id = ? AND source = ? ORDER BY as_of, counts";
        let rows = self.rows::<(String, i64, i64, i64, Option<i64>)>(text, &binds![sim.0, CARRIER_COUNTER])?;
        Ok(rows.into_iter().map(|(of, from, as_of, n, fell)| (of, Timestamp(from), Timestamp(as_of), n, fell)).collect())
    }

    /// Readings of the platform's counters that were received since `since` and fell, the newest first.
    pub fn fallen_counts(&mut self, platform: PlatformId, since: Timestamp, limit: i64) -> Result<Vec<FallenCount>, Error> {
        self.rows(
            "SELECT s.iccid, c.counts, c.as_of, c.bytes, c.fell_from FROM counter_reading c JOIN sim s ON s.id = c.sim_id
             WHERE c.platform_id = ? AND c.received_at >= ? AND c.fell_from IS NOT NULL ORDER BY c.as_of DESC, s.id LIMIT ?",
            &binds![platform.0, since.0, limit],
        )
    }
}
