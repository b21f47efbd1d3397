//! Readings of carriers' own counters: each keeps its source and instant. They reconcile and are never rated.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::carrier::Counter;
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp};

/// The source of a reading that a carrier told.
pub const CARRIER_COUNTER: &str = "carrier_counter";

impl Tx<'_> {
    /// Keeps what the carrier's counter showed. The same instant told again takes the newer word.
    pub fn put_counter(
        &mut self,
        (sim, account, platform): (SimId, AccountId, PlatformId),
        counter: Counter,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO counter_reading (sim_id, source, as_of, account_id, platform_id, bytes, received_at) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (sim_id, source, as_of) DO UPDATE SET bytes = excluded.bytes, received_at = excluded.received_at",
            &binds![sim.0, CARRIER_COUNTER, counter.as_of.0, account.0, platform.0, counter.bytes, now.0],
        )?;
        Ok(())
    }

    /// The newest reading of the card's counter at the carrier.
    pub fn counter(&mut self, sim: SimId) -> Result<Option<Counter>, Error> {
        let row = self.row::<(i64, i64)>(
            "SELECT bytes, as_of FROM counter_reading WHERE sim_id = ? AND source = ? ORDER BY as_of DESC LIMIT 1",
            &binds![sim.0, CARRIER_COUNTER],
        )?;
        Ok(row.map(|(bytes, as_of)| Counter { bytes, as_of: Timestamp(as_of) }))
    }
}
