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

/// Tellings remembered in one statement at most; bounds its text.
const TOLD_AT_ONCE: usize = 1_000;

/// An event as kept: (id, account, card, kind, at, body).
pub type EventRow = (i64, i64, Option<i64>, String, i64, String);

/// So many of the newest rows of a table are looked through for what a clock that was ahead wrote.
const LOOKED_THROUGH: i64 = 1_000;

impl Tx<'_> {
    /// What time it is by PostgreSQL's clock; none on SQLite, which has no other than the program's machine.
    pub fn servers_clock(&mut self) -> Result<Option<Timestamp>, Error> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let row = self.row::<(i64,)>("SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp())) AS BIGINT)", &[])?;
        Ok(row.map(|r| Timestamp(r.0)))
    }

    /// The newest instant at which something was noted: of the last events, journals and CDR files.
    pub fn newest_noted(&mut self) -> Result<Option<Timestamp>, Error> {
        let mut newest = None;
        for (table, column) in [("event", "created_at"), ("journal", "at"), ("cdr_file", "created_at")] {
            let text = format!("SELECT MAX(t.n) FROM (SELECT {column} AS n FROM {table} ORDER BY id DESC LIMIT ?) AS t");
            newest = newest.max(self.row::<(Option<i64>,)>(&text, &binds![LOOKED_THROUGH])?.and_then(|r| r.0));
        }
        Ok(newest.map(Timestamp))
    }

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

    /// As [`Tx::announce`], of many; the answer is those that were not told before.
    fn announce_all(&mut self, told: &[(i64, &str, i64)]) -> Result<HashSet<(i64, String, i64)>, Error> {
        let mut added = HashSet::with_capacity(told.len());
        if !self.is_postgres() {
            for (sim, kind, subject) in told {
                if self.announce(SimId(*sim), kind, *subject)? {
                    added.insert((*sim, (*kind).to_owned(), *subject));
                }
            }
            return Ok(added);
        }
        let text = "INSERT INTO announced (sim_id, kind, subject)
             SELECT CAST(t.value ->> 0 AS BIGINT), t.value ->> 1, CAST(t.value ->> 2 AS BIGINT) FROM json_array_elements(CAST(? AS JSON)) AS t
             ON CONFLICT (sim_id, kind, subject) DO NOTHING RETURNING sim_id, kind, subject";
        for part in told.chunks(TOLD_AT_ONCE) {
            let list = serde_json::to_string(part).map_err(|e| Error::Engine(e.to_string()))?;
            added.extend(self.rows::<(i64, String, i64)>(text, &binds![list])?);
        }
        Ok(added)
    }

    /// The events that were not told before, each remembered as told from now on.
    fn untold<'e>(&mut self, events: &'e [NewEvent]) -> Result<Vec<&'e NewEvent>, Error> {
        let key = |e: &'e NewEvent| e.sim.zip(e.once.as_ref()).map(|(sim, (kind, subject))| (sim.0, &**kind, *subject));
        let once: Vec<(i64, &str, i64)> = events.iter().filter_map(key).collect();
        let mut added = self.announce_all(&once)?;
        let mut is_new = |(sim, kind, subject): (i64, &str, i64)| added.remove(&(sim, kind.to_owned(), subject));
        Ok(events.iter().filter(|e| key(e).is_none_or(&mut is_new)).collect())
    }

    /// The newest events of the accounts, newest first.
    pub fn events_newest(&mut self, accounts: &[AccountId], limit: i64) -> Result<Vec<EventRow>, Error> {
        let seen = self.one_of("account_id");
        let text = format!("SELECT id, account_id, sim_id, kind, at, body FROM event WHERE {seen} ORDER BY id DESC LIMIT ?");
        let list = self.list(accounts.iter().map(|a| a.0));
        self.rows(&text, &binds![list, limit])
    }
}
