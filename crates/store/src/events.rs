//! Events, and the memory of what was told once.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use kachi_domain::event::EventKind;
use kachi_domain::{AccountId, SimId, Timestamp};
use std::borrow::Cow;
use std::collections::HashSet;

/// An event to be written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Whose.
    pub account: AccountId,
    /// About which card.
    pub sim: Option<SimId>,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// Its snapshot, JSON.
    pub body: String,
    /// The doors at which it is to be delivered.
    pub doors: Vec<String>,
    /// What makes it the same telling for the card, which is told once for ever: a kind and a subject.
    pub once: Option<(Cow<'static, str>, i64)>,
}

/// An event as kept: (id, account, card, kind, at, body).
pub type EventRow = (i64, i64, Option<i64>, String, i64, String);

impl Tx<'_> {
    /// Writes events with their deliveries, which are due at once; what was told before is left out.
    pub fn tell(&mut self, events: &[NewEvent], now: Timestamp) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        let news = self.untold(events)?;
        let rows: Vec<Vec<Value<'_>>> =
            news.iter().map(|e| binds![e.account.0, e.sim.map(|s| s.0), e.kind.word(), e.at.0, &e.body, now.0].into()).collect();
        let columns = [Int("account_id"), Int("sim_id"), Text("kind"), Int("at"), Text("body"), Int("created_at")];
        let ids = self.add_numbered("event", &columns, &rows)?;
        let mut rows: Vec<Vec<Value<'_>>> = Vec::new();
        for (e, id) in news.iter().zip(ids) {
            for door in &e.doors {
                rows.push(binds![e.account.0, e.sim.map_or(0, |s| s.0), id, door, "waiting", 0_i64, now.0].into());
            }
        }
        let columns =
            [Int("account_id"), Int("sim_id"), Int("event_id"), Text("door"), Text("state"), Int("attempts"), Int("due_at")];
        self.add_numbered("delivery", &columns, &rows)?;
        Ok(())
    }

    /// Remembers that this was told; false if it was told before.
    pub fn announce(&mut self, sim: SimId, kind: &str, subject: i64) -> Result<bool, Error> {
        let n = self.run(
            "INSERT INTO announced (sim_id, kind, subject) VALUES (?, ?, ?) ON CONFLICT (sim_id, kind, subject) DO NOTHING",
            &binds![sim.0, kind, subject],
        )?;
        Ok(n > 0)
    }

    /// The events that were not told before, each remembered as told from now on.
    fn untold<'e>(&mut self, events: &'e [NewEvent]) -> Result<Vec<&'e NewEvent>, Error> {
        use BulkColumn::{Int, Text};
        let rows: Vec<Vec<Value<'_>>> = events
            .iter()
            .filter_map(|e| e.sim.zip(e.once.as_ref()))
            .map(|(sim, (kind, subject))| binds![sim.0, &**kind, *subject].into())
            .collect();
        if rows.is_empty() {
            return Ok(events.iter().collect());
        }
        let columns = [Int("sim_id"), Text("kind"), Int("subject")];
        let otherwise = "ON CONFLICT (sim_id, kind, subject) DO NOTHING";
        let added = self.add_rows::<(i64, String, i64)>("announced", &columns, &rows, otherwise, "sim_id, kind, subject")?;
        let mut added: HashSet<_> = added.into_iter().collect();
        let mut is_new =
            |(sim, (kind, subject)): (SimId, &(Cow<'_, str>, i64))| added.remove(&(sim.0, kind.to_string(), *subject));
        Ok(events.iter().filter(|e| e.sim.zip(e.once.as_ref()).is_none_or(&mut is_new)).collect())
    }

    /// The newest events of the accounts, newest first.
    pub fn events_newest(&mut self, accounts: &[AccountId], limit: i64) -> Result<Vec<EventRow>, Error> {
        let seen = self.one_of("account_id");
        let text = format!("SELECT id, account_id, sim_id, kind, at, body FROM event WHERE {seen} ORDER BY id DESC LIMIT ?");
        let list = self.list(accounts.iter().map(|a| a.0));
        self.rows(&text, &binds![list, limit])
    }
}
