//! Where records and carriers' counts differ, and what records add up to.

use crate::binds;
use crate::db::{BulkColumn, Error, Tx};
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp};

/// A card's billing month in which the two are apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The card.
    pub sim: SimId,
    /// The first instant of the month.
    pub cycle_from: Timestamp,
    /// Who owns the card.
    pub account: AccountId,
    /// Where the card lives.
    pub platform: PlatformId,
    /// What the records add up to.
    pub record_bytes: i64,
    /// When the last of them ended; none: there are none.
    pub record_as_of: Option<i64>,
    /// What the carrier counted.
    pub carrier_bytes: i64,
    /// As of when.
    pub carrier_as_of: i64,
}

/// A finding as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Card number.
    pub iccid: String,
    /// What was found.
    pub finding: Finding,
    /// When it was first seen.
    pub first_seen: i64,
    /// When it was last seen.
    pub last_seen: i64,
    /// Since when the two agree again.
    pub resolved_at: Option<i64>,
}

type R = (i64, i64, i64, i64, i64, Option<i64>, i64, i64, String, i64, i64, Option<i64>);

fn listed(r: R) -> Listed {
    let finding = Finding {
        sim: SimId(r.0),
        cycle_from: Timestamp(r.1),
        account: AccountId(r.2),
        platform: PlatformId(r.3),
        record_bytes: r.4,
        record_as_of: r.5,
        carrier_bytes: r.6,
        carrier_as_of: r.7,
    };
    Listed { iccid: r.8, finding, first_seen: r.9, last_seen: r.10, resolved_at: r.11 }
}

const COLUMNS: &str =
    "f.sim_id, f.cycle_from, f.account_id, f.platform_id, f.record_bytes, f.record_as_of, f.carrier_bytes, f.carrier_as_of,
    s.iccid, f.first_seen, f.last_seen, f.resolved_at";

impl Tx<'_> {
    /// Keeps findings; one that is there is brought up to date, one that was settled is open again.
    pub fn put_findings(&mut self, findings: &[Finding], now: Timestamp) -> Result<(), Error> {
        use BulkColumn::Int;
        let columns = [
            Int("sim_id"),
            Int("cycle_from"),
            Int("account_id"),
            Int("platform_id"),
            Int("record_bytes"),
            Int("record_as_of"),
            Int("carrier_bytes"),
            Int("carrier_as_of"),
            Int("first_seen"),
            Int("last_seen"),
        ];
        let row = |f: &Finding| {
            binds![
                f.sim.0,
                f.cycle_from.0,
                f.account.0,
                f.platform.0,
                f.record_bytes,
                f.record_as_of,
                f.carrier_bytes,
                f.carrier_as_of,
                now.0,
                now.0
            ]
            .to_vec()
        };
        let rows: Vec<_> = findings.iter().map(row).collect();
        let again =
            "ON CONFLICT (sim_id, cycle_from) DO UPDATE SET account_id = excluded.account_id, platform_id = excluded.platform_id,
             record_bytes = excluded.record_bytes, record_as_of = excluded.record_as_of, carrier_bytes = excluded.carrier_bytes,
             carrier_as_of = excluded.carrier_as_of, last_seen = excluded.last_seen, resolved_at = NULL";
        self.add_rows("finding", &columns, &rows, again)?;
        Ok(())
    }

    /// The two agree in this card's month, with these numbers; false if there is no open finding of it.
    pub fn resolve_finding(&mut self, f: &Finding, now: Timestamp) -> Result<bool, Error> {
        let n = self.run(
            "UPDATE finding SET record_bytes = ?, record_as_of = ?, carrier_bytes = ?, carrier_as_of = ?, resolved_at = ?
             WHERE sim_id = ? AND cycle_from = ? AND resolved_at IS NULL",
            &binds![f.record_bytes, f.record_as_of, f.carrier_bytes, f.carrier_as_of, now.0, f.sim.0, f.cycle_from.0],
        )?;
        Ok(n > 0)
    }

    /// Months of these cards with an open finding: (card, first instant).
    pub fn open_findings(&mut self, sims: &[i64]) -> Result<Vec<(i64, i64)>, Error> {
        let text = format!(
            "SELECT sim_id, cycle_from FROM finding WHERE resolved_at IS NULL AND {} ORDER BY sim_id",
            self.one_of("sim_id")
        );
        let list = self.list(sims.iter().copied());
        self.rows(&text, &binds![list])
    }

    /// Findings, those with the greatest difference first; of one platform or all, open ones or all.
    pub fn findings(&mut self, platform: Option<PlatformId>, open_only: bool, limit: i64) -> Result<Vec<Listed>, Error> {
        let open = if open_only { "AND f.resolved_at IS NULL " } else { "" };
        let text = format!(
            "SELECT {COLUMNS} FROM finding f JOIN sim s ON s.id = f.sim_id
             WHERE (f.platform_id = ? OR ? = 0) {open}ORDER BY ABS(f.record_bytes - f.carrier_bytes) DESC, f.sim_id, f.cycle_from LIMIT ?"
        );
        let platform = platform.map_or(0, |p| p.0);
        Ok(self.rows::<R>(&text, &binds![platform, platform, limit])?.into_iter().map(listed).collect())
    }

    /// The open findings of a card, the newest month first.
    pub fn open_findings_of(&mut self, sim: SimId) -> Result<Vec<Listed>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM finding f JOIN sim s ON s.id = f.sim_id
             WHERE f.sim_id = ? AND f.resolved_at IS NULL ORDER BY f.cycle_from DESC"
        );
        Ok(self.rows::<R>(&text, &binds![sim.0])?.into_iter().map(listed).collect())
    }

    /// How many findings are open, and of how many cards.
    pub fn findings_open(&mut self) -> Result<(i64, i64), Error> {
        let text = "SELECT COUNT(*), COUNT(DISTINCT sim_id) FROM finding WHERE resolved_at IS NULL";
        Ok(self.row::<(i64, i64)>(text, &[])?.unwrap_or_default())
    }

    /// Usage of cards on days `first..=last` by who owned it: (card, account, bytes, known up to).
    pub fn use_by_account(&mut self, sims: &[i64], first: i64, last: i64) -> Result<Vec<(i64, i64, i64, i64)>, Error> {
        let text = format!(
            "SELECT sim_id, account_id, CAST(SUM(bytes) AS BIGINT), MAX(as_of) FROM sim_day
             WHERE {} AND day >= ? AND day <= ? GROUP BY sim_id, account_id ORDER BY sim_id",
            self.one_of("sim_id")
        );
        let list = self.list(sims.iter().copied());
        self.rows(&text, &binds![list, first, last])
    }
}
