//! Each card's package state as encoded by the engine, and the daily roll-ups. Written once per card and batch.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use kachi_domain::{AccountId, SimId, Timestamp};

/// A card's package state as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    /// The card.
    pub sim: SimId,
    /// Its owner.
    pub account: AccountId,
    /// State after the last input.
    pub head: Vec<u8>,
    /// State at an older point; none = from the beginning.
    pub base: Option<Vec<u8>>,
    /// When something happens by itself.
    pub due_at: Option<i64>,
    /// The latest instant up to which usage is known.
    pub as_of: Option<i64>,
}

/// Usage of a card on a day: (card, day, account, bytes, records, as of).
pub type DayRow = (i64, i64, i64, i64, i64, i64);

type R = (i64, i64, Vec<u8>, Option<Vec<u8>>, Option<i64>, Option<i64>);

fn state(r: R) -> StateRow {
    StateRow { sim: SimId(r.0), account: AccountId(r.1), head: r.2, base: r.3, due_at: r.4, as_of: r.5 }
}

/// Rows in one multi-row statement.
const GROUP: usize = 200;

impl Tx<'_> {
    /// The states of these cards (sorted by number), locked where the engine locks rows.
    pub fn states_locked(&mut self, sims: &[i64]) -> Result<Vec<StateRow>, Error> {
        debug_assert!(sims.is_sorted());
        let lock = self.for_update();
        let mut found = Vec::with_capacity(sims.len());
        for part in sims.chunks(500) {
            let ids: Vec<String> = part.iter().map(i64::to_string).collect();
            let text = format!(
                "SELECT sim_id, account_id, head, base, due_at, as_of FROM sim_state WHERE sim_id IN ({}) ORDER BY sim_id{lock}",
                ids.join(", ")
            );
            found.extend(self.rows::<R>(&text, &[])?.into_iter().map(state));
        }
        Ok(found)
    }

    /// One card's state, locked where the engine locks rows.
    pub fn state_locked(&mut self, sim: SimId) -> Result<StateRow, Error> {
        self.states_locked(&[sim.0])?.pop().ok_or_else(|| Error::Engine(format!("card {sim} has no state row")))
    }

    /// Writes states, one row a card.
    pub fn put_states(&mut self, states: &[StateRow]) -> Result<(), Error> {
        for part in states.chunks(GROUP) {
            let marks = vec!["(?, ?, ?, ?, ?, ?)"; part.len()].join(", ");
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 6);
            for s in part {
                values.extend(binds![s.sim.0, s.account.0, &s.head, s.base.as_deref(), s.due_at, s.as_of]);
            }
            self.run(
                &format!(
                    "INSERT INTO sim_state (sim_id, account_id, head, base, due_at, as_of) VALUES {marks}
                     ON CONFLICT (sim_id) DO UPDATE SET head = excluded.head, base = excluded.base, due_at = excluded.due_at, as_of = excluded.as_of"
                ),
                &values,
            )?;
        }
        Ok(())
    }

    /// Adds to the daily roll-ups.
    pub fn add_days(&mut self, days: &[DayRow]) -> Result<(), Error> {
        for part in days.chunks(GROUP) {
            let marks = vec!["(?, ?, ?, ?, ?, ?)"; part.len()].join(", ");
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 6);
            for d in part {
                values.extend(binds![d.0, d.1, d.2, d.3, d.4, d.5]);
            }
            self.run(
                &format!(
                    "INSERT INTO sim_day (sim_id, day, account_id, bytes, records, as_of) VALUES {marks}
                     ON CONFLICT (sim_id, day, account_id) DO UPDATE SET bytes = sim_day.bytes + excluded.bytes,
                     records = sim_day.records + excluded.records,
                     as_of = CASE WHEN excluded.as_of > sim_day.as_of THEN excluded.as_of ELSE sim_day.as_of END"
                ),
                &values,
            )?;
        }
        Ok(())
    }

    /// Bytes per card over days `first..=last`, of the usage these accounts owned: (card, bytes).
    pub fn usage_of_days(
        &mut self,
        accounts: &[AccountId],
        sims: &[i64],
        first: i64,
        last: i64,
    ) -> Result<Vec<(i64, i64)>, Error> {
        let list = |ids: &mut dyn Iterator<Item = i64>| ids.map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM sim_day WHERE sim_id IN ({}) AND day >= ? AND day <= ? AND account_id IN ({}) GROUP BY sim_id",
            list(&mut sims.iter().copied()),
            list(&mut accounts.iter().map(|a| a.0))
        );
        self.rows(&text, &binds![first, last])
    }

    /// Bytes per day of the accounts: (day, bytes).
    pub fn usage_by_day(&mut self, accounts: &[AccountId], first: i64) -> Result<Vec<(i64, i64)>, Error> {
        let ids: Vec<String> = accounts.iter().map(|a| a.0.to_string()).collect();
        let text = format!(
            "SELECT day, CAST(SUM(bytes) AS BIGINT) FROM sim_day WHERE account_id IN ({}) AND day >= ? GROUP BY day ORDER BY day",
            ids.join(", ")
        );
        self.rows(&text, &binds![first])
    }

    /// Cards for which something is due: (card, account).
    pub fn states_due(&mut self, now: Timestamp, limit: i64) -> Result<Vec<(i64, i64)>, Error> {
        self.rows(
            "SELECT sim_id, account_id FROM sim_state WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT ?",
            &binds![now.0, limit],
        )
    }

    /// When something is due next.
    pub fn next_state_due(&mut self) -> Result<Option<i64>, Error> {
        Ok(self.row::<(Option<i64>,)>("SELECT MIN(due_at) FROM sim_state WHERE due_at IS NOT NULL", &[])?.and_then(|r| r.0))
    }

    /// Every card's state after `after`, for the audit.
    pub fn states_page(&mut self, after: i64, limit: i64) -> Result<Vec<StateRow>, Error> {
        let text = "SELECT sim_id, account_id, head, base, due_at, as_of FROM sim_state WHERE sim_id > ? ORDER BY sim_id LIMIT ?";
        Ok(self.rows::<R>(text, &binds![after, limit])?.into_iter().map(state).collect())
    }

    /// Summed roll-ups of cards `first..=last`: (card, bytes).
    pub fn audit_days(&mut self, first: i64, last: i64) -> Result<Vec<(i64, i64)>, Error> {
        self.rows(
            "SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM sim_day WHERE sim_id >= ? AND sim_id <= ? GROUP BY sim_id ORDER BY sim_id",
            &binds![first, last],
        )
    }
}
