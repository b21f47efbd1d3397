//! What acts at the carrier leave behind on a card: access points whose data is off, and the numbers it may call.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use kachi_domain::{SimId, Timestamp};

impl Tx<'_> {
    /// The speeds that these cards are to have at their carrier, kilobits a second; those that were never another are left out.
    pub fn card_speeds(&mut self, sims: &[i64]) -> Result<Vec<(SimId, Option<u32>)>, Error> {
        let (among, value) = self.among("sim_id", sims);
        let rows = self.rows::<(i64, Option<i64>)>(&format!("SELECT sim_id, kbps FROM card_speed WHERE {among}"), &[value])?;
        let kbps = |kbps: Option<i64>| kbps.and_then(|k| u32::try_from(k).ok());
        Ok(rows.into_iter().map(|r| (SimId(r.0), kbps(r.1))).collect())
    }

    /// Notes the speed that a card is to have.
    pub fn put_card_speed(&mut self, sim: SimId, kbps: Option<u32>, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO card_speed (sim_id, kbps, asks, wanted_at) VALUES (?, ?, 0, ?)
             ON CONFLICT (sim_id) DO UPDATE SET kbps = excluded.kbps, wanted_at = excluded.wanted_at",
            &binds![sim.0, kbps.map(i64::from), now.0],
        )?;
        Ok(())
    }

    /// Counts that the card's speed is asked for; the answer is how often it was, this time included.
    pub fn count_speed_ask(&mut self, sim: SimId) -> Result<i64, Error> {
        let row = self.row::<(i64,)>("UPDATE card_speed SET asks = asks + 1 WHERE sim_id = ? RETURNING asks", &binds![sim.0])?;
        row.map(|r| r.0).ok_or_else(|| Error::Engine(format!("card {sim} has no speed of its own")))
    }

    /// Access points whose data is off, of these cards: (card, name).
    pub fn apns_off(&mut self, sims: &[SimId]) -> Result<Vec<(i64, String)>, Error> {
        if sims.is_empty() {
            return Ok(Vec::new());
        }
        let (among, value) = self.among("sim_id", &sims.iter().map(|s| s.0).collect::<Vec<_>>());
        self.rows(&format!("SELECT sim_id, apn FROM sim_apn_off WHERE {among} ORDER BY sim_id, apn"), &[value])
    }

    /// The access point's data is off from now on.
    pub fn put_apn_off(&mut self, sim: SimId, apn: &str, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO sim_apn_off (sim_id, apn, off_at) VALUES (?, ?, ?) ON CONFLICT (sim_id, apn) DO NOTHING",
            &binds![sim.0, apn, now.0],
        )?;
        Ok(())
    }

    /// As [`Tx::put_apn_off`], of many: (card, access point).
    pub fn put_apns_off(&mut self, off: &[(SimId, String)], now: Timestamp) -> Result<(), Error> {
        let columns = [BulkColumn::Int("sim_id"), BulkColumn::Text("apn"), BulkColumn::Int("off_at")];
        let rows: Vec<Vec<Value<'_>>> = off.iter().map(|(sim, apn)| binds![sim.0, apn, now.0].to_vec()).collect();
        self.add_rows("sim_apn_off", &columns, &rows, "ON CONFLICT (sim_id, apn) DO NOTHING")?;
        Ok(())
    }

    /// Data is on again at this access point of these cards.
    pub fn remove_apn_off_of(&mut self, apn: &str, sims: &[i64]) -> Result<(), Error> {
        let (among, value) = self.among("sim_id", sims);
        self.run(&format!("DELETE FROM sim_apn_off WHERE {among} AND apn = ?"), &[value, apn.into()])?;
        Ok(())
    }

    /// The access point's data is on again.
    pub fn remove_apn_off(&mut self, sim: SimId, apn: &str) -> Result<(), Error> {
        self.run("DELETE FROM sim_apn_off WHERE sim_id = ? AND apn = ?", &binds![sim.0, apn])?;
        Ok(())
    }

    /// Data is on again at every access point of the card.
    pub fn remove_apns_off(&mut self, sim: SimId) -> Result<(), Error> {
        self.run("DELETE FROM sim_apn_off WHERE sim_id = ?", &binds![sim.0])?;
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
