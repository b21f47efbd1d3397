//! Devices that report, what they reported, their claims to cards, and payloads that could not be read. Who writes a
//! device holds its row; states of cards are locked after it.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use crate::page::integers;
use kachi_domain::device::{ClaimState, Report};
use kachi_domain::{AccountId, SimId, Timestamp};

/// A device as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its number; 0 = to be given.
    pub id: i64,
    /// Its serial number, unique.
    pub serial: String,
    /// Whose it is: the owner of its card, or of the last one it had; the operator before that.
    pub account: AccountId,
    /// The product it reports under, in its maker's numbering.
    pub product: String,
    /// The card it last named.
    pub iccid: Option<String>,
    /// The identity it last named.
    pub imei: Option<String>,
    /// The card platform it last named.
    pub platform: Option<i64>,
    /// Whose it last said it is.
    pub user: Option<i64>,
    /// The card it is bound to.
    pub sim: Option<SimId>,
    /// Where its newest claim stands; none before it named a card.
    pub claim: Option<ClaimState>,
    /// Signal strength, dBm.
    pub rssi: Option<i64>,
    /// 1 not activated, 2 disabled, 3 on line, 4 off line.
    pub status: Option<i64>,
    /// Firmware version.
    pub firmware: String,
    /// Degrees, as sent.
    pub longitude: String,
    /// Degrees, as sent.
    pub latitude: String,
    /// The rest of what it says, a JSON object.
    pub summary: String,
    /// How often it reported.
    pub reports: i64,
    /// When it was first heard of.
    pub created_at: i64,
    /// When it last reported.
    pub reported_at: i64,
}

type D = (
    i64,
    String,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    String,
    Option<i64>,
    Option<i64>,
    String,
    String,
    String,
    String,
    i64,
    i64,
    i64,
);

const DEVICE: &str =
    "id, serial, account_id, product, iccid, imei, platform_id, user_number, sim_id, claim, rssi, status, firmware,
     longitude, latitude, summary, reports, created_at, reported_at";

fn device(r: D) -> Device {
    Device {
        id: r.0,
        serial: r.1,
        account: AccountId(r.2),
        product: r.3,
        iccid: r.4,
        imei: r.5,
        platform: r.6,
        user: r.7,
        sim: r.8.map(SimId),
        claim: ClaimState::parse(&r.9).ok(),
        rssi: r.10,
        status: r.11,
        firmware: r.12,
        longitude: r.13,
        latitude: r.14,
        summary: r.15,
        reports: r.16,
        created_at: r.17,
        reported_at: r.18,
    }
}

/// A device's claim to a card as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its number; 0 = to be given.
    pub id: i64,
    /// The device.
    pub device: i64,
    /// Whose device it is.
    pub account: AccountId,
    /// The card it names.
    pub iccid: String,
    /// The digits of the device's identity; 0 = not known.
    pub imei: i64,
    /// The platform it names.
    pub platform: Option<i64>,
    /// Where it stands.
    pub state: ClaimState,
    /// What it contradicts, as its word; empty if nothing.
    pub doubt: String,
    /// The same, in a sentence.
    pub words: String,
    /// Who settled it; empty = nobody.
    pub settled_by: String,
    /// How often the platforms were asked.
    pub tries: i64,
    /// When they are asked next.
    pub due_at: Option<i64>,
    /// When it was first made.
    pub created_at: i64,
}

type C = (i64, i64, i64, String, i64, Option<i64>, String, String, String, String, i64, Option<i64>, i64);

const CLAIM: &str =
    "id, device_id, account_id, iccid, imei, platform_id, state, doubt, words, settled_by, tries, due_at, created_at";

fn claim(r: C) -> Result<Claim, Error> {
    Ok(Claim {
        id: r.0,
        device: r.1,
        account: AccountId(r.2),
        iccid: r.3,
        imei: r.4,
        platform: r.5,
        state: ClaimState::parse(&r.6).map_err(Error::Engine)?,
        doubt: r.7,
        words: r.8,
        settled_by: r.9,
        tries: r.10,
        due_at: r.11,
        created_at: r.12,
    })
}

/// One report as it is kept: device, whose, what.
pub type Reported<'a> = (i64, AccountId, &'a Report);

/// A kept report: (when, iccid, imei, platform, rssi, status, firmware, longitude, latitude).
pub type ReportRow =
    (i64, Option<String>, Option<String>, Option<i64>, Option<i64>, Option<i64>, Option<String>, Option<String>, Option<String>);

/// Rows in one statement.
const GROUP: usize = 100;

impl Tx<'_> {
    /// The devices with these serial numbers (sorted, each once), locked in the order of their numbers where the engine locks
    /// rows; those that are not there are made, of the operator.
    pub fn devices_of_serials(&mut self, serials: &[&str], now: Timestamp) -> Result<Vec<Device>, Error> {
        let mut found = self.devices_locked(serials)?;
        if found.len() < serials.len() {
            let known: std::collections::HashSet<&str> = found.iter().map(|d| d.serial.as_str()).collect();
            let missing: Vec<&str> = serials.iter().copied().filter(|s| !known.contains(s)).collect();
            let text = "INSERT INTO device (serial, account_id, product, claim, firmware, longitude, latitude, summary, reports, created_at,
                 reported_at) VALUES {} ON CONFLICT (serial) DO NOTHING";
            for part in missing.chunks(GROUP) {
                let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 11);
                for serial in part {
                    values.extend(binds![*serial, 1_i64, "", "", "", "", "", "{}", 0_i64, now.0, now.0]);
                }
                self.run_group(text, "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", part.len(), GROUP, &values)?;
            }
            found = self.devices_locked(serials)?;
        }
        Ok(found)
    }

    fn devices_locked(&mut self, serials: &[&str]) -> Result<Vec<Device>, Error> {
        let text = format!("SELECT {DEVICE} FROM device WHERE {} ORDER BY id{}", self.one_of_texts("serial"), self.for_update());
        let mut found = Vec::with_capacity(serials.len());
        let list = serde_json::to_string(serials).map_err(|e| Error::Engine(e.to_string()))?;
        found.extend(self.rows::<D>(&text, &binds![list])?.into_iter().map(device));
        Ok(found)
    }

    /// A device by its number, locked where the engine locks rows.
    pub fn device_locked(&mut self, id: i64) -> Result<Option<Device>, Error> {
        let text = format!("SELECT {DEVICE} FROM device WHERE id = ?{}", self.for_update());
        Ok(self.row::<D>(&text, &binds![id])?.map(device))
    }

    /// A device by its serial number among those of the accounts.
    pub fn device_by_serial(&mut self, accounts: &[AccountId], serial: &str) -> Result<Option<Device>, Error> {
        let text = format!(
            "SELECT {DEVICE} FROM device WHERE serial = ? AND account_id IN ({})",
            integers(accounts.iter().map(|a| a.0))
        );
        Ok(self.rows_once::<D>(&text, &binds![serial])?.into_iter().next().map(device))
    }

    /// Devices by their numbers.
    pub fn devices(&mut self, ids: &[i64]) -> Result<Vec<Device>, Error> {
        let text = format!("SELECT {DEVICE} FROM device WHERE {}", self.one_of("id"));
        let list = self.list(ids.iter().copied());
        Ok(self.rows::<D>(&text, &binds![list])?.into_iter().map(device).collect())
    }

    /// The devices that hold these cards.
    pub fn devices_of_sims(&mut self, sims: &[i64]) -> Result<Vec<Device>, Error> {
        let (among, value) = self.among("sim_id", sims);
        let text = format!("SELECT {DEVICE} FROM device WHERE sim_id IS NOT NULL AND {among}");
        Ok(self.rows::<D>(&text, &[value])?.into_iter().map(device).collect())
    }

    /// The accounts' devices that reported last, newest first.
    pub fn devices_newest(&mut self, accounts: &[AccountId], limit: i64) -> Result<Vec<Device>, Error> {
        let text = format!(
            "SELECT {DEVICE} FROM device WHERE account_id IN ({}) ORDER BY reported_at DESC, id DESC LIMIT ?",
            integers(accounts.iter().map(|a| a.0))
        );
        Ok(self.rows_once::<D>(&text, &binds![limit])?.into_iter().map(device).collect())
    }

    /// Writes devices, all but their serial numbers and making. A card that another held was released before.
    pub fn put_devices(&mut self, devices: &[Device]) -> Result<(), Error> {
        let columns = [
            BulkColumn::Int("id"),
            BulkColumn::Int("account_id"),
            BulkColumn::Text("product"),
            BulkColumn::Text("iccid"),
            BulkColumn::Text("imei"),
            BulkColumn::Int("platform_id"),
            BulkColumn::Int("user_number"),
            BulkColumn::Int("sim_id"),
            BulkColumn::Text("claim"),
            BulkColumn::Int("rssi"),
            BulkColumn::Int("status"),
            BulkColumn::Text("firmware"),
            BulkColumn::Text("longitude"),
            BulkColumn::Text("latitude"),
            BulkColumn::Text("summary"),
            BulkColumn::Int("reports"),
            BulkColumn::Int("reported_at"),
        ];
        let row = |d: &'_ Device| -> Vec<Value<'static>> {
            let owned = |t: &Option<String>| t.clone().map_or(Value::Text(None), Value::Owned);
            vec![
                d.id.into(),
                d.account.0.into(),
                Value::Owned(d.product.clone()),
                owned(&d.iccid),
                owned(&d.imei),
                d.platform.into(),
                d.user.into(),
                d.sim.map(|s| s.0).into(),
                Value::Text(Some(d.claim.map_or("", ClaimState::word))),
                d.rssi.into(),
                d.status.into(),
                Value::Owned(d.firmware.clone()),
                Value::Owned(d.longitude.clone()),
                Value::Owned(d.latitude.clone()),
                Value::Owned(d.summary.clone()),
                d.reports.into(),
                d.reported_at.into(),
            ]
        };
        let rows: Vec<_> = devices.iter().map(row).collect();
        self.change_rows("device", &columns, &rows)
    }

    /// Whoever holds one of these cards holds it no longer, and its claim is gone.
    pub fn release_sims(&mut self, sims: &[i64]) -> Result<(), Error> {
        let (among, value) = self.among("sim_id", sims);
        let of_holders =
            "UPDATE device_claim SET state = 'gone' WHERE state = 'bound' AND device_id IN (SELECT id FROM device WHERE";
        self.run(&format!("{of_holders} sim_id IS NOT NULL AND {among})"), std::slice::from_ref(&value))?;
        self.run(&format!("UPDATE device SET sim_id = NULL, claim = 'gone' WHERE sim_id IS NOT NULL AND {among}"), &[value])?;
        Ok(())
    }

    /// Keeps reports, all of one instant.
    pub fn add_device_reports(&mut self, reports: &[Reported<'_>], now: Timestamp) -> Result<(), Error> {
        let text =
            "INSERT INTO device_report (device_id, account_id, received_at, iccid, imei, platform_id, rssi, status, firmware,
             longitude, latitude) VALUES {}";
        for part in reports.chunks(GROUP) {
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 11);
            for (device, account, r) in part {
                let (iccid, imei) = (r.iccid.as_ref().map(|i| i.as_str()), r.imei.as_ref().map(|i| i.as_str()));
                let (long, lat) = (r.longitude.as_deref(), r.latitude.as_deref());
                let platform = r.platform.map(|p| p.0);
                values.extend(binds![
                    *device,
                    account.0,
                    now.0,
                    iccid,
                    imei,
                    platform,
                    r.rssi,
                    r.status,
                    r.firmware.as_deref(),
                    long,
                    lat
                ]);
            }
            self.run_group(text, "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", part.len(), GROUP, &values)?;
        }
        Ok(())
    }

    /// The newest reports of a device, newest first.
    pub fn device_reports(&mut self, device: i64, limit: i64) -> Result<Vec<ReportRow>, Error> {
        let text = "SELECT received_at, iccid, imei, platform_id, rssi, status, firmware, longitude, latitude
             FROM device_report WHERE device_id = ? ORDER BY id DESC LIMIT ?";
        self.rows(text, &binds![device, limit])
    }

    /// How many different firmware versions the kept reports name, and how many reports there are: for tests and benchmarks that
    /// number reports with it. Reads all of them.
    pub fn device_reports_counted(&mut self) -> Result<(i64, i64), Error> {
        let found = self.row::<(i64, i64)>("SELECT COUNT(DISTINCT firmware), COUNT(*) FROM device_report", &[])?;
        Ok(found.unwrap_or_default())
    }

    /// Forgets reports and set-aside payloads from before the instant, at most `limit` of each; the answer is how many.
    pub fn forget_device_reports(&mut self, before: Timestamp, limit: i64) -> Result<usize, Error> {
        let mut n = 0;
        for table in ["device_report", "device_aside"] {
            let text = format!(
                "DELETE FROM {table} WHERE id IN (SELECT x.id FROM (SELECT id, received_at FROM {table} ORDER BY id LIMIT ?) x
                 WHERE x.received_at < ?)"
            );
            n += self.run(&text, &binds![limit, before.0])?;
        }
        Ok(n)
    }
}

impl Tx<'_> {
    /// The claims of devices.
    pub fn claims_of_devices(&mut self, devices: &[i64]) -> Result<Vec<Claim>, Error> {
        let text = format!("SELECT {CLAIM} FROM device_claim WHERE {}", self.one_of("device_id"));
        let list = self.list(devices.iter().copied());
        self.rows::<C>(&text, &binds![list])?.into_iter().map(claim).collect()
    }

    /// A claim by its number.
    pub fn claim(&mut self, id: i64) -> Result<Option<Claim>, Error> {
        self.row::<C>(&format!("SELECT {CLAIM} FROM device_claim WHERE id = ?"), &binds![id])?.map(claim).transpose()
    }

    /// How many claims are due to be asked for, 0 or 1.
    pub fn claims_due(&mut self, now: Timestamp) -> Result<usize, Error> {
        let text = "SELECT id FROM device_claim WHERE due_at IS NOT NULL AND due_at <= ? LIMIT 1";
        Ok(self.rows::<(i64,)>(text, &binds![now.0])?.len())
    }

    /// A claim, locked where the engine locks rows.
    pub fn claim_locked(&mut self, id: i64) -> Result<Option<Claim>, Error> {
        let text = format!("SELECT {CLAIM} FROM device_claim WHERE id = ?{}", self.for_update());
        self.row::<C>(&text, &binds![id])?.map(claim).transpose()
    }

    /// Claims of the accounts' devices, newest first; those that wait, or all.
    pub fn claims(&mut self, accounts: &[AccountId], waiting_only: bool, limit: i64) -> Result<Vec<Claim>, Error> {
        let clause = if waiting_only { "AND state IN ('looking', 'unknown', 'open')" } else { "" };
        let text = format!(
            "SELECT {CLAIM} FROM device_claim WHERE account_id IN ({}) {clause} ORDER BY id DESC LIMIT ?",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows_once::<C>(&text, &binds![limit])?.into_iter().map(claim).collect()
    }

    /// Writes a claim: a new one, or the device's known one to that card. A lease on it is gone.
    pub fn put_claim(&mut self, c: &Claim, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO device_claim (device_id, account_id, iccid, imei, platform_id, state, doubt, words, settled_by, tries, due_at,
             created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (device_id, iccid) DO UPDATE SET account_id = excluded.account_id, imei = excluded.imei,
             platform_id = excluded.platform_id, state = excluded.state, doubt = excluded.doubt, words = excluded.words,
             settled_by = excluded.settled_by, tries = excluded.tries, due_at = excluded.due_at, lease_token = NULL, lease_until = NULL,
             updated_at = excluded.updated_at",
            &binds![
                c.device, c.account.0, &c.iccid, c.imei, c.platform, c.state.word(), &c.doubt, &c.words, &c.settled_by, c.tries, c.due_at,
                c.created_at, now.0
            ],
        )?;
        Ok(())
    }

    /// Other claims of the device that wait, or hold, are gone: it names another card now.
    pub fn end_other_claims(&mut self, device: i64, iccid: &str, now: Timestamp) -> Result<(), Error> {
        let text = "UPDATE device_claim SET state = 'gone', due_at = NULL, updated_at = ?
             WHERE device_id = ? AND iccid <> ? AND state IN ('looking', 'unknown', 'open', 'bound')";
        self.run(text, &binds![now.0, device, iccid])?;
        Ok(())
    }

    /// Claims for which platforms are to be asked, under a lease.
    pub fn claim_claims(&mut self, now: Timestamp, lease_until: Timestamp, token: i64, limit: i64) -> Result<Vec<Claim>, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let text = format!(
            "SELECT {CLAIM} FROM device_claim WHERE due_at IS NOT NULL AND due_at <= ? AND (lease_until IS NULL OR lease_until < ?)
             ORDER BY due_at, id LIMIT ?{lock}"
        );
        let due = self.rows::<C>(&text, &binds![now.0, now.0, limit])?.into_iter().map(claim).collect::<Result<Vec<_>, _>>()?;
        for c in &due {
            let text = "UPDATE device_claim SET lease_token = ?, lease_until = ? WHERE id = ?";
            self.run(text, &binds![token, lease_until.0, c.id])?;
        }
        Ok(due)
    }

    /// Whether the claim is still under this lease; it is locked where the engine locks rows.
    pub fn holds_claim(&mut self, id: i64, token: i64) -> Result<bool, Error> {
        let text = format!("SELECT id FROM device_claim WHERE id = ? AND lease_token = ?{}", self.for_update());
        Ok(self.row::<(i64,)>(&text, &binds![id, token])?.is_some())
    }

    /// Sets an unreadable payload aside and counts it by its reason's first word.
    pub fn put_device_aside(&mut self, topic: &str, payload: &str, reason: &str, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO device_aside (topic, payload, reason, received_at) VALUES (?, ?, ?, ?)",
            &binds![topic, payload, reason, now.0],
        )?;
        self.run(
            "INSERT INTO device_aside_count (reason, payloads) VALUES (?, 1)
             ON CONFLICT (reason) DO UPDATE SET payloads = device_aside_count.payloads + 1",
            &binds![reason.split(':').next().unwrap_or_default()],
        )?;
        Ok(())
    }

    /// Payloads set aside, newest first: (number, topic, payload, reason, when); and how many there ever were.
    #[allow(clippy::type_complexity)]
    pub fn device_asides(&mut self, limit: i64) -> Result<(Vec<(i64, String, String, String, i64)>, i64), Error> {
        let text = "SELECT id, topic, payload, reason, received_at FROM device_aside ORDER BY id DESC LIMIT ?";
        let found = self.rows(text, &binds![limit])?;
        let all = self.row::<(i64,)>("SELECT CAST(COALESCE(SUM(payloads), 0) AS BIGINT) FROM device_aside_count", &[])?;
        Ok((found, all.map_or(0, |r| r.0)))
    }

    /// Takes, or keeps, work that one process does at a time; false while another has it.
    pub fn take_lease(&mut self, name: &str, token: i64, until: Timestamp, now: Timestamp) -> Result<bool, Error> {
        let n = self.run(
            "INSERT INTO lease (name, token, until) VALUES (?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET token = excluded.token, until = excluded.until
             WHERE lease.token = excluded.token OR lease.until < ?",
            &binds![name, token, until.0, now.0],
        )?;
        Ok(n > 0)
    }

    /// Keeps work that was taken; false if another has had it since, or it was given back.
    pub fn keep_lease(&mut self, name: &str, token: i64, until: Timestamp) -> Result<bool, Error> {
        let text = "UPDATE lease SET until = ? WHERE name = ? AND token = ?";
        Ok(self.run(text, &binds![until.0, name, token])? > 0)
    }

    /// Gives the work back, if it was this one's.
    pub fn give_lease(&mut self, name: &str, token: i64) -> Result<(), Error> {
        self.run("DELETE FROM lease WHERE name = ? AND token = ?", &binds![name, token])?;
        Ok(())
    }

    /// What does not fit together of devices and cards, a sentence each.
    pub fn audit_devices(&mut self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let strangers = "SELECT d.serial FROM device d LEFT JOIN sim s ON s.id = d.sim_id
             WHERE d.sim_id IS NOT NULL AND (s.id IS NULL OR s.account_id <> d.account_id)";
        for (serial,) in self.rows::<(String,)>(strangers, &[])? {
            found.push(format!("device {serial}: is bound to a card that is not there or another account's"));
        }
        let unclaimed = "SELECT d.serial FROM device d JOIN sim s ON s.id = d.sim_id
             LEFT JOIN device_claim c ON c.device_id = d.id AND c.iccid = s.iccid AND c.state IN ('bound', 'open') WHERE c.id IS NULL";
        for (serial,) in self.rows::<(String,)>(unclaimed, &[])? {
            found.push(format!("device {serial}: is bound to a card that it does not claim"));
        }
        Ok(found)
    }
}
