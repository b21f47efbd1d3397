//! What acts at the carrier leave behind on a card: access points whose data is off, and the numbers it may call.

use crate::binds;
use crate::db::{Error, Tx};
use crate::page::integers;
use kachi_domain::{SimId, Timestamp};

impl Tx<'_> {
    /// Access points whose data is off, of these cards: (card, name).
    pub fn apns_off(&mut self, sims: &[SimId]) -> Result<Vec<(i64, String)>, Error> {
        if sims.is_empty() {
            return Ok(Vec::new());
        }
        let sims = integers(sims.iter().map(|s| s.0));
        self.rows(&format!("SELECT sim_id, apn FROM sim_apn_off WHERE sim_id IN ({sims}) ORDER BY sim_id, apn"), &[])
    }

    /// The access point's data is off from now on.
    pub fn put_apn_off(&mut self, sim: SimId, apn: &str, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO sim_apn_off (sim_id, apn, off_at) VALUES (?, ?, ?) ON CONFLICT (sim_id, apn) DO NOTHING",
            &binds![sim.0, apn, now.0],
        )?;
        Ok(())
    }

    /// The access point's data is on again.
    pub fn remove_apn_off(&mut self, sim: SimId, apn: &str) -> Result<(), Error> {
        self.run("DELETE FROM sim_apn_off WHERE sim_id = ? AND apn = ?", &binds![sim.0, apn])?;
        Ok(())
    }

    /// The numbers a card may call.
    pub fn voice_numbers(&mut self, sim: SimId) -> Result<Vec<String>, Error> {
        let rows =
            self.rows::<(String,)>("SELECT number FROM voice_number WHERE sim_id = ? ORDER BY added_at, number", &binds![sim.0])?;
        Ok(rows.into_iter().map(|r| r.0).collect())
    }

    /// The card may call the number.
    pub fn put_voice_number(&mut self, sim: SimId, number: &str, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO voice_number (sim_id, number, added_at) VALUES (?, ?, ?) ON CONFLICT (sim_id, number) DO NOTHING",
            &binds![sim.0, number, now.0],
        )?;
        Ok(())
    }

    /// It may not any more.
    pub fn remove_voice_number(&mut self, sim: SimId, number: &str) -> Result<(), Error> {
        self.run("DELETE FROM voice_number WHERE sim_id = ? AND number = ?", &binds![sim.0, number])?;
        Ok(())
    }
}
