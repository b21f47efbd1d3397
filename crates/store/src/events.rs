//! Events, and the memory of what was told once.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::event::EventKind;
use kachi_domain::{AccountId, SimId, Timestamp};

/// An event as kept: (id, account, card, kind, at, body).
pub type EventRow = (i64, i64, Option<i64>, String, i64, String);

impl Tx<'_> {
    /// Writes an event; the answer is its number.
    pub fn add_event(
        &mut self,
        account: AccountId,
        sim: Option<SimId>,
        kind: EventKind,
        at: Timestamp,
        body: &str,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let row = self.row::<(i64,)>(
            "INSERT INTO event (account_id, sim_id, kind, at, body, created_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            &binds![account.0, sim.map(|s| s.0), kind.word(), at.0, body, now.0],
        )?;
        Ok(row.map_or(0, |r| r.0))
    }

    /// Remembers that this was told; false if it was told before.
    pub fn announce(&mut self, sim: SimId, kind: &str, subject: i64) -> Result<bool, Error> {
        let n = self.run(
            "INSERT INTO announced (sim_id, kind, subject) VALUES (?, ?, ?) ON CONFLICT (sim_id, kind, subject) DO NOTHING",
            &binds![sim.0, kind, subject],
        )?;
        Ok(n > 0)
    }

    /// The newest events of the accounts, newest first.
    pub fn events_newest(&mut self, accounts: &[AccountId], limit: i64) -> Result<Vec<EventRow>, Error> {
        let seen = self.one_of("account_id");
        let text = format!("SELECT id, account_id, sim_id, kind, at, body FROM event WHERE {seen} ORDER BY id DESC LIMIT ?");
        let list = self.list(accounts.iter().map(|a| a.0));
        self.rows(&text, &binds![list, limit])
    }
}
