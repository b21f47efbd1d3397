//! Deliveries: one row per event and door, claimed under a lease and settled by whoever holds it.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::page::{LOOKED_THROUGH, Newest, integers};
use kachi_domain::{AccountId, SimId, Timestamp};
use std::collections::BTreeMap;

/// A delivery that was claimed, with its event.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The delivery.
    pub id: i64,
    /// Whose endpoint.
    pub account: AccountId,
    /// About which card (0 = none).
    pub sim: i64,
    /// In which dialect.
    pub door: String,
    /// Attempts made of its schedule.
    pub attempts: i64,
    /// Attempts made before that began anew.
    pub attempts_before: i64,
    /// The event's kind.
    pub kind: String,
    /// When it happened.
    pub at: i64,
    /// The event's body.
    pub body: String,
}

/// Somebody's address at a door: account and door.
pub type Endpoint = (AccountId, String);

/// What of an endpoint's deliveries may be claimed now, in its order.
const DUE: &str = "d.due_at IS NOT NULL AND d.due_at <= ? AND (d.lease_until IS NULL OR d.lease_until < ?)
    AND (d.attempts > 0 OR NOT EXISTS (SELECT 1 FROM delivery f WHERE f.sim_id = d.sim_id AND f.attempts = 0 AND f.due_at IS NOT NULL
         AND f.id < d.id AND f.lease_until >= ? AND f.account_id = d.account_id AND f.door = d.door))
    ORDER BY d.due_at, d.id";

/// A delivery with its event, and when it was due.
type ClaimRow = (i64, i64, i64, String, i64, String, i64, String, i64, i64);

fn claimed(r: ClaimRow) -> Claimed {
    Claimed {
        id: r.0,
        account: AccountId(r.1),
        sim: r.2,
        door: r.3,
        attempts: r.4,
        attempts_before: r.9,
        kind: r.5,
        at: r.6,
        body: r.7,
    }
}

/// Which settled deliveries are to be sent again; every field given narrows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Replay<'a> {
    /// From this number to that.
    pub numbers: Option<(i64, i64)>,
    /// To these accounts.
    pub accounts: Option<&'a [AccountId]>,
    /// At this door.
    pub door: Option<&'a str>,
    /// Of what happened then or later.
    pub since: Option<Timestamp>,
    /// Acknowledged ones too, and not dead ones alone.
    pub done: bool,
}

/// What an attempt came to.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The delivery.
    pub id: i64,
    /// Which attempt of its schedule, from 1.
    pub number: i64,
    /// Attempts made before that began anew.
    pub before: i64,
    /// HTTP status, none if there was no answer.
    pub status: Option<i64>,
    /// The first characters of the answer, or the error.
    pub answer: String,
    /// How long it took.
    pub millis: i64,
    /// When the next one is due; none if it is settled.
    pub next: Option<Timestamp>,
    /// `done`, `waiting` or `dead`.
    pub state: &'static str,
}

/// A delivery for a list: (id, event, kind, iccid or body part, door, state, attempts, due, done, last answer, at).
pub type DeliveryRow = (i64, i64, String, String, String, String, i64, Option<i64>, Option<i64>, Option<String>, i64);

/// An attempt as kept: (attempt, at, millis, status, answer).
pub type AttemptRow = (i64, i64, i64, Option<i64>, String);

impl Attempt {
    fn done_at(&self, now: Timestamp) -> Option<i64> {
        (self.state == "done").then_some(now.0)
    }
}

/// Attempts recorded in one statement.
const ATTEMPTS: usize = 200;

impl Tx<'_> {
    /// The endpoints for which something is due, in their order. What waits for them is not read.
    pub fn due_endpoints(&mut self, now: Timestamp) -> Result<Vec<Endpoint>, Error> {
        let text = "WITH RECURSIVE head (id) AS (
             SELECT (SELECT d.id FROM delivery d WHERE d.due_at IS NOT NULL ORDER BY d.account_id, d.door, d.due_at, d.id LIMIT 1)
             UNION ALL
             SELECT (SELECT n.id FROM delivery n WHERE n.due_at IS NOT NULL AND (n.account_id, n.door) > (d.account_id, d.door)
                     ORDER BY n.account_id, n.door, n.due_at, n.id LIMIT 1)
             FROM head h JOIN delivery d ON d.id = h.id)
             SELECT d.account_id, d.door FROM head h JOIN delivery d ON d.id = h.id WHERE d.due_at <= ? ORDER BY d.account_id, d.door";
        let rows = self.rows::<(i64, String)>(text, &binds![now.0])?;
        Ok(rows.into_iter().map(|(account, door)| (AccountId(account), door)).collect())
    }

    /// Claims due deliveries under a lease, so many of each endpoint, the longest due first. A first attempt is not claimed
    /// while an earlier first attempt for the same card and endpoint is under another's lease, and takes with it those that would
    /// come later, so first attempts keep their order, which is that of their numbers.
    pub fn claim_deliveries(
        &mut self,
        now: Timestamp,
        (lease_until, token): (Timestamp, i64),
        (endpoints, each): (&[Endpoint], i64),
    ) -> Result<Vec<Claimed>, Error> {
        if endpoints.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = if self.is_postgres() {
            // One claim at a time: two that do not see each other's leases could break the order of first attempts.
            self.rows::<(i64,)>("SELECT CAST(1 AS BIGINT) FROM (SELECT pg_advisory_xact_lock(731949)) AS l", &[])?;
            let list: Vec<_> = endpoints.iter().map(|(a, door)| serde_json::json!({"a": a.0, "d": door})).collect();
            let list = serde_json::to_string(&list).map_err(|e| Error::Engine(e.to_string()))?;
            let text = format!(
                "SELECT d.id, d.account_id, d.sim_id, d.door, d.attempts, e.kind, e.at, e.body, d.due_at, d.attempts_before
                 FROM json_to_recordset(CAST(? AS JSON)) AS x(a BIGINT, d TEXT)
                 CROSS JOIN LATERAL (SELECT d.* FROM delivery d WHERE d.account_id = x.a AND d.door = x.d AND {DUE} LIMIT ?) AS d
                 JOIN event e ON e.id = d.event_id ORDER BY d.account_id, d.door, d.due_at, d.id"
            );
            self.rows::<ClaimRow>(&text, &binds![list, now.0, now.0, now.0, each])?
        } else {
            let text = format!(
                "SELECT d.id, d.account_id, d.sim_id, d.door, d.attempts, e.kind, e.at, e.body, d.due_at, d.attempts_before
                 FROM delivery d JOIN event e ON e.id = d.event_id
                 WHERE d.account_id = ? AND d.door = ? AND {DUE} LIMIT ?"
            );
            let mut rows = Vec::new();
            for (account, door) in endpoints {
                rows.extend(self.rows::<ClaimRow>(&text, &binds![account.0, door, now.0, now.0, now.0, each])?);
            }
            rows
        };
        let overtaken = self.overtaken(&rows)?;
        rows.extend(overtaken);
        let text = format!("UPDATE delivery SET lease_token = ?, lease_until = ? WHERE {}", self.one_of("id"));
        for part in rows.chunks(1_000) {
            let ids = self.list(part.iter().map(|r| r.0));
            self.run(&text, &binds![token, lease_until.0, ids])?;
        }
        Ok(rows.into_iter().map(claimed).collect())
    }

    /// The first attempts that these would overtake: earlier ones that are due later. An act that waited for the card's lock is
    /// written after another that began after it, perhaps at another server, so what it tells has the later number and is due sooner.
    fn overtaken(&mut self, claimed: &[ClaimRow]) -> Result<Vec<ClaimRow>, Error> {
        // Of each card and endpoint the last of its claimed first attempts, and when the soonest of them was due.
        let mut cards = BTreeMap::new();
        for c in claimed.iter().filter(|c| c.4 == 0) {
            let (last, soonest) = cards.entry((c.2, c.1, c.3.as_str())).or_insert((c.0, c.8));
            (*last, *soonest) = ((*last).max(c.0), (*soonest).min(c.8));
        }
        if cards.is_empty() {
            return Ok(Vec::new());
        }
        // A sum is in no index: they are found by card, of which few wait, and not among all that wait for the endpoint.
        let open = "f.attempts = 0 AND f.due_at IS NOT NULL AND f.due_at + 0";
        let from = if self.is_postgres() {
            format!(
                "json_to_recordset(CAST(? AS JSON)) AS k(sim BIGINT, account BIGINT, door TEXT, last BIGINT, soonest BIGINT) CROSS JOIN LATERAL
                 (SELECT f.* FROM delivery f WHERE f.sim_id = k.sim AND f.account_id + 0 = k.account AND f.door = k.door
                  AND f.id < k.last AND {open} > k.soonest OFFSET 0) AS f"
            )
        } else {
            format!(
                "json_each(?) AS k CROSS JOIN delivery f
                 ON f.sim_id = k.value->>'sim' AND f.account_id + 0 = k.value->>'account' AND f.door = k.value->>'door'
                 AND f.id < k.value->>'last' AND {open} > k.value->>'soonest'"
            )
        };
        let cards = cards.iter().map(|((sim, account, door), (last, soonest))| {
            serde_json::json!({"sim": sim, "account": account, "door": door, "last": last, "soonest": soonest})
        });
        let cards = serde_json::Value::from_iter(cards).to_string();
        let text = format!("SELECT f.id, f.account_id, f.sim_id, f.door, f.due_at FROM {from}");
        let mut waiting = self.rows::<(i64, i64, i64, String, i64)>(&text, &binds![cards])?;
        waiting.retain(|f| {
            let passed = |c: &ClaimRow| c.4 == 0 && (f.1, f.2, &f.3) == (c.1, c.2, &c.3) && f.0 < c.0 && f.4 > c.8;
            claimed.iter().any(passed) && claimed.iter().all(|c| c.0 != f.0)
        });
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "SELECT d.id, d.account_id, d.sim_id, d.door, d.attempts, e.kind, e.at, e.body, d.due_at, d.attempts_before
             FROM delivery d JOIN event e ON e.id = d.event_id WHERE {}",
            self.one_of("d.id")
        );
        let ids = self.list(waiting.iter().map(|f| f.0));
        self.rows::<ClaimRow>(&text, &binds![ids])
    }

    /// Gives back deliveries that were claimed and not tried.
    pub fn release_deliveries(&mut self, token: i64, ids: &[i64]) -> Result<(), Error> {
        let text =
            format!("UPDATE delivery SET lease_token = NULL, lease_until = NULL WHERE lease_token = ? AND {}", self.one_of("id"));
        for part in ids.chunks(1_000) {
            let list = self.list(part.iter().copied());
            self.run(&text, &binds![token, list])?;
        }
        Ok(())
    }

    /// Records attempts; those whose lease was lost in the meantime change nothing. The answer is how many counted.
    pub fn settle_deliveries(&mut self, token: i64, attempts: &[Attempt], now: Timestamp) -> Result<usize, Error> {
        let mut counted = 0;
        for part in attempts.chunks(ATTEMPTS) {
            counted += if self.is_postgres() {
                self.settle_by_array(token, part, now)?
            } else {
                self.settle_one_by_one(token, part, now)?
            };
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 6);
            for a in part {
                values.extend(binds![a.id, a.before + a.number, now.0, a.millis, a.status, &a.answer]);
            }
            self.run_group(
                "INSERT INTO delivery_attempt (delivery_id, attempt, at, millis, status, answer) VALUES {} ON CONFLICT (delivery_id, attempt) DO NOTHING",
                "(?, ?, ?, ?, ?, ?)",
                part.len(),
                ATTEMPTS,
                &values,
            )?;
        }
        Ok(counted)
    }

    fn settle_one_by_one(&mut self, token: i64, part: &[Attempt], now: Timestamp) -> Result<usize, Error> {
        let mut counted = 0;
        for a in part {
            counted += self.run(
                "UPDATE delivery SET state = ?, attempts = ?, due_at = ?, done_at = ?, last_answer = ?, lease_token = NULL, lease_until = NULL
                 WHERE id = ? AND lease_token = ?",
                &binds![a.state, a.number, a.next.map(|t| t.0), a.done_at(now), &a.answer, a.id, token],
            )?;
        }
        Ok(counted)
    }

    /// Each statement is a way to another process: all rows travel in one, as JSON.
    fn settle_by_array(&mut self, token: i64, part: &[Attempt], now: Timestamp) -> Result<usize, Error> {
        let rows: Vec<_> = part
            .iter()
            .map(|a| serde_json::json!({"id": a.id, "s": a.state, "n": a.number, "due": a.next.map(|t| t.0), "done": a.done_at(now), "a": a.answer}))
            .collect();
        let rows = serde_json::to_string(&rows).map_err(|e| Error::Engine(e.to_string()))?;
        self.run(
            "UPDATE delivery d SET state = x.s, attempts = x.n, due_at = x.due, done_at = x.done, last_answer = x.a, lease_token = NULL, lease_until = NULL
             FROM json_to_recordset(CAST(? AS JSON)) AS x(id BIGINT, s TEXT, n BIGINT, due BIGINT, done BIGINT, a TEXT)
             WHERE d.id = x.id AND d.lease_token = ?",
            &binds![rows, token],
        )
    }

    /// Those of these deliveries that are dead.
    pub fn deliveries_dead_of(&mut self, ids: &[i64]) -> Result<Vec<i64>, Error> {
        let text = format!("SELECT id FROM delivery WHERE state = 'dead' AND {}", self.one_of("id"));
        let list = self.list(ids.iter().copied());
        Ok(self.rows::<(i64,)>(&text, &binds![list])?.into_iter().map(|r| r.0).collect())
    }

    /// How many deliveries of events since `since` are dead, of the newest [`DELIVERIES_LOOKED_THROUGH`] of all.
    pub fn deliveries_dead(&mut self, since: Timestamp) -> Result<i64, Error> {
        let text = "SELECT COUNT(*) FROM delivery d JOIN event e ON e.id = d.event_id
             WHERE d.id > (SELECT COALESCE(MAX(id), 0) FROM delivery) - ? AND d.state = 'dead' AND e.at >= ?";
        Ok(self.row::<(i64,)>(text, &binds![DELIVERIES_LOOKED_THROUGH, since.0])?.map_or(0, |r| r.0))
    }

    /// Deliveries that wait, in work or later.
    pub fn deliveries_waiting(&mut self) -> Result<i64, Error> {
        Ok(self.row::<(i64,)>("SELECT COUNT(*) FROM delivery WHERE due_at IS NOT NULL", &[])?.map_or(0, |r| r.0))
    }

    /// The newest deliveries, newest first, optionally of one state.
    pub fn deliveries_newest(
        &mut self,
        accounts: &[AccountId],
        state: Option<&str>,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, Error> {
        let text = format!(
            "SELECT d.id, d.event_id, e.kind, COALESCE(s.iccid, ''), d.door, d.state, d.attempts + d.attempts_before, d.due_at, d.done_at, d.last_answer, e.at
             FROM delivery d JOIN event e ON e.id = d.event_id LEFT JOIN sim s ON s.id = d.sim_id
             WHERE {} AND (CAST(? AS TEXT) IS NULL OR d.state = ?) ORDER BY d.id DESC LIMIT ?",
            self.one_of("d.account_id")
        );
        let list = self.list(accounts.iter().map(|a| a.0));
        self.rows(&text, &binds![list, state, state, limit])
    }

    /// The attempts of a delivery: (attempt, at, millis, status, answer).
    pub fn delivery_attempts(&mut self, id: i64) -> Result<Vec<AttemptRow>, Error> {
        self.rows(
            "SELECT attempt, at, millis, status, answer FROM delivery_attempt WHERE delivery_id = ? ORDER BY attempt",
            &binds![id],
        )
    }

    /// How many settled deliveries are to be sent again, by endpoint.
    pub fn replayable_counted(&mut self, of: &Replay<'_>) -> Result<Vec<(Endpoint, i64)>, Error> {
        let (clause, values) = replay_clause(of);
        let text = format!(
            "SELECT d.account_id, d.door, COUNT(*) FROM delivery d JOIN event e ON e.id = d.event_id WHERE {clause}
             GROUP BY d.account_id, d.door ORDER BY d.account_id, d.door"
        );
        let rows = self.rows::<(i64, String, i64)>(&text, &values)?;
        Ok(rows.into_iter().map(|(account, door, n)| ((AccountId(account), door), n)).collect())
    }

    /// Makes settled deliveries due again, the oldest first and at most so many, each with its whole schedule before it; the
    /// answer is how many of which endpoint. As none of that was tried, they go out in each card's order.
    pub fn replay_deliveries(&mut self, of: &Replay<'_>, most: i64, now: Timestamp) -> Result<BTreeMap<Endpoint, i64>, Error> {
        let (clause, mut values) = replay_clause(of);
        values.push(most.into());
        let lock = if self.is_postgres() { " FOR UPDATE OF d" } else { "" };
        let text = format!(
            "SELECT d.id, d.account_id, d.door FROM delivery d JOIN event e ON e.id = d.event_id WHERE {clause}
             ORDER BY d.id LIMIT ?{lock}"
        );
        let found = self.rows::<(i64, i64, String)>(&text, &values)?;
        let text = format!(
            "UPDATE delivery SET state = 'waiting', attempts_before = attempts_before + attempts, attempts = 0, due_at = ?,
             done_at = NULL, lease_token = NULL, lease_until = NULL WHERE due_at IS NULL AND {}",
            self.one_of("id")
        );
        for part in found.chunks(1_000) {
            let ids = self.list(part.iter().map(|r| r.0));
            self.run(&text, &binds![now.0, ids])?;
        }
        let mut counted = BTreeMap::new();
        for (_, account, door) in found {
            *counted.entry((AccountId(account), door)).or_default() += 1;
        }
        Ok(counted)
    }
}

/// Which settled deliveries these are: a clause and its values.
fn replay_clause(of: &Replay<'_>) -> (String, Vec<Value<'static>>) {
    // In these words the index of dead ones serves, unless acknowledged ones are wanted too.
    let states = if of.done { "d.state IN ('dead', 'done')" } else { "d.state = 'dead'" };
    let (mut clause, mut values) = (format!("d.due_at IS NULL AND {states}"), Vec::new());
    if let Some((from, to)) = of.numbers {
        clause.push_str(" AND d.id >= ? AND d.id <= ?");
        values.extend([from.into(), to.into()]);
    }
    if let Some(accounts) = of.accounts {
        clause.push_str(&format!(" AND d.account_id IN ({})", integers(accounts.iter().map(|a| a.0))));
    }
    if let Some(door) = of.door {
        clause.push_str(" AND d.door = ?");
        values.push(door.to_owned().into());
    }
    if let Some(since) = of.since {
        clause.push_str(" AND e.at >= ?");
        values.push(since.0.into());
    }
    (clause, values)
}

/// A delivery as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryLine {
    /// The delivery.
    pub id: i64,
    /// Whose endpoint.
    pub account: AccountId,
    /// The event's kind.
    pub kind: String,
    /// The card, none for events without one.
    pub iccid: Option<String>,
    /// Whose card it is by now.
    pub owner: Option<AccountId>,
    /// In which dialect.
    pub door: String,
    /// `waiting`, `done` or `dead`.
    pub state: String,
    /// Attempts made, of all its schedules.
    pub attempts: i64,
    /// When it happened.
    pub at: i64,
    /// When the next attempt is due.
    pub due_at: Option<i64>,
    /// When it was acknowledged.
    pub done_at: Option<i64>,
    /// The first characters of the last answer, or the last error.
    pub last_answer: Option<String>,
}

/// Where the deliveries of a list stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveriesIn {
    /// They wait, in work or later.
    Waiting,
    /// Their schedule is used up.
    Dead,
}

/// So many of the newest deliveries are looked through for those of one card.
pub const DELIVERIES_LOOKED_THROUGH: i64 = LOOKED_THROUGH;

impl Tx<'_> {
    /// A page of the accounts' deliveries, newest first, numbers below `before`.
    pub fn deliveries_before(
        &mut self,
        accounts: &[AccountId],
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<DeliveryLine>, Error> {
        let ids = self.newest_ids(Newest::Deliveries, accounts, before, limit)?;
        self.delivery_lines(&ids)
    }

    /// A page of the accounts' deliveries that are given up, or that wait, newest first, numbers below `before`; and below which
    /// number the next page begins.
    pub fn deliveries_in_state(
        &mut self,
        of: DeliveriesIn,
        accounts: &[AccountId],
        before: Option<i64>,
        limit: i64,
    ) -> Result<(Vec<DeliveryLine>, Option<i64>), Error> {
        let state = match of {
            DeliveriesIn::Waiting => "state = 'waiting'",
            DeliveriesIn::Dead => "state = 'dead'",
        };
        let (ids, next) = self.newest_in_state((Newest::Deliveries, state), accounts, before, limit)?;
        Ok((self.delivery_lines(&ids)?, next))
    }

    /// The newest deliveries of a card among the newest [`DELIVERIES_LOOKED_THROUGH`] of all, newest first.
    pub fn deliveries_of_sim(&mut self, accounts: &[AccountId], sim: SimId, limit: i64) -> Result<Vec<DeliveryLine>, Error> {
        let text = format!(
            "SELECT id FROM delivery WHERE account_id IN ({}) AND sim_id = ?
             AND id > (SELECT COALESCE(MAX(id), 0) FROM delivery) - ? ORDER BY id DESC LIMIT ?",
            integers(accounts.iter().map(|a| a.0))
        );
        let ids = self.rows::<(i64,)>(&text, &binds![sim.0, DELIVERIES_LOOKED_THROUGH, limit])?;
        self.delivery_lines(&ids.into_iter().map(|r| r.0).collect::<Vec<_>>())
    }

    fn delivery_lines(&mut self, ids: &[i64]) -> Result<Vec<DeliveryLine>, Error> {
        let text = format!(
            "SELECT d.id, d.account_id, e.kind, s.iccid, s.account_id, d.door, d.state, d.attempts + d.attempts_before, e.at, d.due_at, d.done_at, d.last_answer
             FROM delivery d JOIN event e ON e.id = d.event_id LEFT JOIN sim s ON s.id = d.sim_id
             WHERE d.id IN ({}) ORDER BY d.id DESC",
            integers(ids.iter().copied())
        );
        type R =
            (i64, i64, String, Option<String>, Option<i64>, String, String, i64, i64, Option<i64>, Option<i64>, Option<String>);
        let line = |r: R| DeliveryLine {
            id: r.0,
            account: AccountId(r.1),
            kind: r.2,
            iccid: r.3,
            owner: r.4.map(AccountId),
            door: r.5,
            state: r.6,
            attempts: r.7,
            at: r.8,
            due_at: r.9,
            done_at: r.10,
            last_answer: r.11,
        };
        Ok(self.rows::<R>(&text, &[])?.into_iter().map(line).collect())
    }

    /// How many deliveries of the accounts are in each state: (state, deliveries).
    pub fn deliveries_counted(&mut self, accounts: &[AccountId]) -> Result<Vec<(String, i64)>, Error> {
        let text = format!(
            "SELECT state, COUNT(*) FROM delivery WHERE account_id IN ({}) GROUP BY state ORDER BY state",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows(&text, &[])
    }
}
