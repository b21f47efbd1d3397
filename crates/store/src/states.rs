//! Each card's package state as encoded by the engine, and the daily roll-ups. Written once per card and batch.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::page::integers;
use kachi_domain::alert::Below;
use kachi_domain::imei::Sighting;
use kachi_domain::{AccountId, SimId, Timestamp};
use std::collections::HashSet;

/// A card's package state as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    /// The card.
    pub sim: SimId,
    /// Its owner.
    pub account: AccountId,
    /// State after the last input.
    pub head: Vec<u8>,
    /// When something happens by itself.
    pub due_at: Option<i64>,
    /// The same as it was read: where it stays, its index is let be.
    due_was: Option<i64>,
    /// The latest instant up to which usage is known.
    pub as_of: Option<i64>,
    /// How often it was written; a write counts only on the version it read.
    pub version: i64,
    /// The device it was last seen in; never, while it is 0.
    pub seen: Sighting,
    /// The IMEI group whose devices it is held against ([`Tx::put_imei_member`] sets it).
    pub imei_group: Option<i64>,
    /// How often the card joined or left a pool; 0 = never in one.
    pub pool_moves: i64,
    /// The warning lines it is below; [`Tx::relist`] when they change.
    pub warned: Below,
    /// When usage of it last came in; 0 = never.
    pub used_at: i64,
}

/// Usage of a card on a day: (card, day, account, bytes, records, as of).
pub type DayRow = (i64, i64, i64, i64, i64, i64);

type R = (i64, i64, Vec<u8>, Option<i64>, Option<i64>, i64, i64, i64, Option<i64>, i64, i64, i64);

fn state(r: R) -> StateRow {
    let seen = Sighting { at: Timestamp(r.7), imei: r.6 };
    let (due_at, as_of, version, imei_group) = (r.3, r.4, r.5, r.8);
    let (sim, account, pool_moves) = (SimId(r.0), AccountId(r.1), r.9);
    let (warned, used_at) = (Below(r.10), r.11);
    StateRow { sim, account, head: r.2, due_at, due_was: due_at, as_of, version, seen, imei_group, pool_moves, warned, used_at }
}

const COLUMNS: &str = "sim_id, account_id, head, due_at, as_of, version, imei, imei_at, imei_group, pool_moves, warned, used_at";

/// Rows in one statement of repeated groups (SQLite).
const GROUP: usize = 100;
/// Rows in one statement of arrays (PostgreSQL).
const ARRAY: usize = 2_000;
/// Fewer days than this are not worth a question which of them are new.
const FEW_DAYS: usize = 50;
/// Days between the first and the last up to which all that a card has between them is looked at.
const NEAR_DAYS: i64 = 31;

impl Tx<'_> {
    /// The states of these cards (sorted by number), locked in that order where the engine locks rows.
    pub fn states(&mut self, sims: &[i64]) -> Result<Vec<StateRow>, Error> {
        debug_assert!(sims.is_sorted());
        let lock = self.for_update();
        let mut found = Vec::with_capacity(sims.len());
        for part in sims.chunks(ARRAY) {
            let (among, value) = match part.len() {
                many if many > 1 && self.is_postgres() => {
                    (self.one_of("sim_id"), Value::Ints(part.iter().map(|sim| Some(*sim)).collect()))
                }
                _ => self.among("sim_id", part),
            };
            let text = format!("SELECT {COLUMNS} FROM sim_state WHERE {among} ORDER BY sim_id{lock}");
            found.extend(self.rows::<R>(&text, &[value])?.into_iter().map(state));
        }
        Ok(found)
    }

    /// One card's state, locked where the engine locks rows.
    pub fn state_locked(&mut self, sim: SimId) -> Result<StateRow, Error> {
        self.states(&[sim.0])?.pop().ok_or_else(|| Error::Engine(format!("card {sim} has no state row")))
    }

    /// When usage of the card last came in; 0 = never.
    pub fn usage_came_at(&mut self, sim: SimId) -> Result<i64, Error> {
        let text = "SELECT used_at FROM sim_state WHERE sim_id = ?";
        Ok(self.row::<(i64,)>(text, &binds![sim.0])?.map_or(0, |r| r.0))
    }

    /// The older states from which the histories of these cards (sorted by number) can be told again; empty = from the beginning.
    pub fn state_bases(&mut self, sims: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, Error> {
        debug_assert!(sims.is_sorted());
        let (among, value) = self.among("sim_id", sims);
        let rows = self.rows::<(i64, Option<Vec<u8>>)>(&format!("SELECT sim_id, base FROM sim_state WHERE {among}"), &[value])?;
        Ok(rows.into_iter().map(|(sim, base)| (sim, base.unwrap_or_default())).collect())
    }

    /// Keeps another older state.
    pub fn put_state_base(&mut self, sim: SimId, base: Option<&[u8]>) -> Result<(), Error> {
        self.run("UPDATE sim_state SET base = ? WHERE sim_id = ?", &binds![base, sim.0])?;
        Ok(())
    }

    /// Writes states, one row a card. If another wrote one of them since it was read, nothing counts: a constraint error.
    pub fn put_states(&mut self, states: &[StateRow]) -> Result<(), Error> {
        let written = if self.is_postgres() { self.put_states_by_arrays(states)? } else { self.put_states_by_groups(states)? };
        if written == states.len() {
            Ok(())
        } else {
            Err(Error::Constraint("a card's state was written by another meanwhile".into()))
        }
    }

    /// SQLite writes the entry in an index anew for each column that a statement sets, whether its value changes or not; few
    /// states change when they are due.
    fn put_states_by_groups(&mut self, states: &[StateRow]) -> Result<usize, Error> {
        let (stay, moves): (Vec<&StateRow>, Vec<&StateRow>) = states.iter().partition(|s| s.due_at == s.due_was);
        Ok(self.put_states_due(&stay, "")? + self.put_states_due(&moves, "due_at = excluded.due_at,")?)
    }

    fn put_states_due(&mut self, states: &[&StateRow], due: &str) -> Result<usize, Error> {
        let text = format!(
            "INSERT INTO sim_state (sim_id, account_id, head, due_at, as_of, version, imei, imei_at, warned, used_at) VALUES {{}}
             ON CONFLICT (sim_id) DO UPDATE SET head = excluded.head, {due} as_of = excluded.as_of,
             imei = excluded.imei, imei_at = excluded.imei_at, warned = excluded.warned, used_at = excluded.used_at, version = excluded.version + 1
             WHERE sim_state.version = excluded.version"
        );
        let mut written = 0;
        for part in states.chunks(GROUP) {
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 10);
            for s in part {
                values.extend(binds![s.sim.0, s.account.0, &s.head, s.due_at, s.as_of, s.version]);
                values.extend(binds![s.seen.imei, s.seen.at.0, s.warned.0, s.used_at]);
            }
            written += self.run_group(&text, "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", part.len(), GROUP, &values)?;
        }
        Ok(written)
    }

    fn put_states_by_arrays(&mut self, states: &[StateRow]) -> Result<usize, Error> {
        let text = "UPDATE sim_state t SET head = x.head, due_at = x.due_at, as_of = x.as_of, version = t.version + 1, imei = x.imei, imei_at = x.imei_at,
             warned = x.warned, used_at = x.used_at FROM unnest(CAST(? AS BIGINT[]), CAST(? AS BYTEA[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]))
             AS x(sim_id, head, due_at, as_of, version, imei, imei_at, warned, used_at) WHERE t.sim_id = x.sim_id AND t.version = x.version";
        let mut written = 0;
        for part in states.chunks(ARRAY) {
            let ints = |f: fn(&StateRow) -> Option<i64>| Value::Ints(part.iter().map(f).collect());
            let values = [
                ints(|s| Some(s.sim.0)),
                Value::Blobs(part.iter().map(|s| s.head.as_slice()).collect()),
                ints(|s| s.due_at),
                ints(|s| s.as_of),
                ints(|s| Some(s.version)),
                ints(|s| Some(s.seen.imei)),
                ints(|s| Some(s.seen.at.0)),
                ints(|s| Some(s.warned.0)),
                ints(|s| Some(s.used_at)),
            ];
            written += self.run(text, &values)?;
        }
        Ok(written)
    }

    /// Adds to the daily roll-ups (rows distinct by card, day and account; the cards' states are locked, so that nobody else
    /// adds to theirs).
    pub fn add_days(&mut self, days: &[DayRow]) -> Result<(), Error> {
        if self.is_postgres() {
            return days.chunks(ARRAY).try_for_each(|part| self.add_days_known_or_new(part));
        }
        let text = format!("INSERT INTO sim_day (sim_id, day, account_id, bytes, records, as_of) VALUES {{}} {ADD_TO_DAY}");
        for part in days.chunks(GROUP) {
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 6);
            for d in part {
                values.extend(binds![d.0, d.1, d.2, d.3, d.4, d.5]);
            }
            self.run_group(&text, "(?, ?, ?, ?, ?, ?)", part.len(), GROUP, &values)?;
        }
        Ok(())
    }

    /// Days that are new are copied in, which costs half of what it costs to ask of each whether it is there.
    fn add_days_known_or_new(&mut self, days: &[DayRow]) -> Result<(), Error> {
        let (first, last) = (days.iter().map(|d| d.1).min().unwrap_or(0), days.iter().map(|d| d.1).max().unwrap_or(0));
        if days.len() < FEW_DAYS || last - first > NEAR_DAYS {
            return self.add_days_by_arrays(days);
        }
        let mut sims: Vec<Option<i64>> = days.iter().map(|d| Some(d.0)).collect();
        sims.dedup();
        let text =
            format!("SELECT sim_id, day, account_id FROM sim_day WHERE {} AND day >= ? AND day <= ?", self.one_of("sim_id"));
        let values = [Value::Ints(sims), Value::Int(Some(first)), Value::Int(Some(last))];
        let known: HashSet<(i64, i64, i64)> = self.rows(&text, &values)?.into_iter().collect();
        let (known, new): (Vec<DayRow>, Vec<DayRow>) = days.iter().partition(|d| known.contains(&(d.0, d.1, d.2)));
        self.copy_days(new.iter().map(|d| [d.0, d.1, d.2, d.3, d.4, d.5]))?;
        self.add_days_by_arrays(&known)
    }

    fn add_days_by_arrays(&mut self, days: &[DayRow]) -> Result<(), Error> {
        let text = format!(
            "INSERT INTO sim_day (sim_id, day, account_id, bytes, records, as_of)
             SELECT * FROM unnest(CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]))
             {ADD_TO_DAY}"
        );
        for part in days.chunks(ARRAY) {
            let column = |f: fn(&DayRow) -> i64| Value::Ints(part.iter().map(|d| Some(f(d))).collect());
            let values = [column(|d| d.0), column(|d| d.1), column(|d| d.2), column(|d| d.3), column(|d| d.4), column(|d| d.5)];
            self.run(&text, &values)?;
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
        let text = format!(
            "SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM sim_day WHERE {} AND day >= ? AND day <= ? AND {} GROUP BY sim_id",
            self.one_of("sim_id"),
            self.one_of("account_id")
        );
        let (sims, accounts) = (self.list(sims.iter().copied()), self.list(accounts.iter().map(|a| a.0)));
        self.rows(&text, &binds![sims, first, last, accounts])
    }

    /// All bytes of these cards, whoever owned them, with what their subscriptions brought along from another system: (card,
    /// bytes).
    pub fn used_in_all(&mut self, sims: &[i64]) -> Result<Vec<(i64, i64)>, Error> {
        let (of_sims, list) = (self.one_of("sim_id"), self.list(sims.iter().copied()));
        let text = format!(
            "SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM (
               SELECT sim_id, bytes FROM sim_day WHERE {of_sims}
               UNION ALL
               SELECT sim_id, used_before AS bytes FROM subscription WHERE {of_sims} AND available_at IS NOT NULL AND used_before > 0
               AND NOT EXISTS (SELECT 1 FROM transfer t WHERE t.to_subscription_id = subscription.id)
             ) part GROUP BY sim_id"
        );
        self.rows(&text, &binds![&list, &list])
    }

    /// Bytes per day of the accounts: (day, bytes).
    pub fn usage_by_day(&mut self, accounts: &[AccountId], first: i64) -> Result<Vec<(i64, i64)>, Error> {
        let seen = self.one_of("account_id");
        let text =
            format!("SELECT day, CAST(SUM(bytes) AS BIGINT) FROM sim_day WHERE {seen} AND day >= ? GROUP BY day ORDER BY day");
        let list = self.list(accounts.iter().map(|a| a.0));
        self.rows(&text, &binds![list, first])
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

    /// The highest card number; 0 if there is none.
    pub fn last_state(&mut self) -> Result<i64, Error> {
        Ok(self.row::<(Option<i64>,)>("SELECT MAX(sim_id) FROM sim_state", &[])?.and_then(|r| r.0).unwrap_or(0))
    }

    /// Every card's state after `after`, for the audit.
    pub fn states_page(&mut self, after: i64, limit: i64) -> Result<Vec<StateRow>, Error> {
        let text = format!("SELECT {COLUMNS} FROM sim_state WHERE sim_id > ? ORDER BY sim_id LIMIT ?");
        Ok(self.rows::<R>(&text, &binds![after, limit])?.into_iter().map(state).collect())
    }

    /// Summed roll-ups of cards `first..=last`: (card, bytes).
    pub fn audit_days(&mut self, first: i64, last: i64) -> Result<Vec<(i64, i64)>, Error> {
        self.rows(
            "SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM sim_day WHERE sim_id >= ? AND sim_id <= ? GROUP BY sim_id ORDER BY sim_id",
            &binds![first, last],
        )
    }
}

impl Tx<'_> {
    /// Usage per day of the accounts, or of one card while it was theirs, days `first..=last`: (day, bytes, known up to).
    pub fn usage_days(
        &mut self,
        accounts: &[AccountId],
        sim: Option<SimId>,
        first: i64,
        last: i64,
    ) -> Result<Vec<(i64, i64, i64)>, Error> {
        let of_sim = sim.map_or_else(String::new, |s| format!("sim_id = {} AND ", s.0));
        let text = format!(
            "SELECT day, CAST(SUM(bytes) AS BIGINT), MAX(as_of) FROM sim_day
             WHERE {of_sim}account_id IN ({}) AND day >= ? AND day <= ? GROUP BY day ORDER BY day",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows(&text, &binds![first, last])
    }
}

const ADD_TO_DAY: &str = "ON CONFLICT (sim_id, day, account_id) DO UPDATE SET bytes = sim_day.bytes + excluded.bytes,
     records = sim_day.records + excluded.records, as_of = CASE WHEN excluded.as_of > sim_day.as_of THEN excluded.as_of ELSE sim_day.as_of END";
