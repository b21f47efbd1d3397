//! Writes that a carrier must confirm: stored, claimed under a lease, settled by whoever holds it.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp};

/// A carrier write as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its number.
    pub id: i64,
    /// Whose card.
    pub account: AccountId,
    /// The card.
    pub sim: SimId,
    /// The platform it goes to.
    pub platform: PlatformId,
    /// The account that asked for it; none if nobody did.
    pub asked_by: Option<AccountId>,
    /// The order that waits for it.
    pub order: Option<i64>,
    /// What it was asked for, as the engine names it.
    pub cause: String,
    /// The task it is a part of.
    pub task: Option<i64>,
    /// The request, JSON.
    pub request: String,
    /// `stored`, `sent`, `confirmed`, `refused` or `in_doubt`.
    pub state: String,
    /// Calls made.
    pub attempts: i64,
    /// The carrier's last word.
    pub last_answer: Option<String>,
    /// When it was stored.
    pub created_at: i64,
}

type R = (i64, i64, i64, i64, Option<i64>, String, Option<i64>, String, String, i64, Option<String>, i64, Option<i64>);
const COLUMNS: &str =
    "id, account_id, sim_id, platform_id, order_id, cause, task_id, request, state, attempts, last_answer, created_at,
    asked_by";

fn intent(r: R) -> Intent {
    Intent {
        id: r.0,
        account: AccountId(r.1),
        sim: SimId(r.2),
        platform: PlatformId(r.3),
        order: r.4,
        cause: r.5,
        task: r.6,
        request: r.7,
        state: r.8,
        attempts: r.9,
        last_answer: r.10,
        created_at: r.11,
        asked_by: r.12.map(AccountId),
    }
}

/// A write that no order waits for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Whose card.
    pub account: AccountId,
    /// The card.
    pub sim: SimId,
    /// The platform it goes to.
    pub platform: PlatformId,
    /// What it is asked for, as the engine names it.
    pub cause: &'a str,
    /// The task it is a part of.
    pub task: Option<i64>,
    /// The account that asks; none: nobody does.
    pub asked_by: Option<AccountId>,
    /// The request, JSON.
    pub request: &'a str,
}

impl Tx<'_> {
    /// Stores a write, due at once. An order's is asked for by who bought.
    pub fn add_intent(
        &mut self,
        account: AccountId,
        sim: SimId,
        platform: PlatformId,
        order: Option<i64>,
        request: &str,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let row = self.row::<(i64,)>(
            "INSERT INTO intent (account_id, sim_id, platform_id, order_id, asked_by, request, state, attempts, due_at, created_at, updated_at)
             VALUES (?, ?, ?, ?, (SELECT account_id FROM orders WHERE id = ?), ?, 'stored', 0, ?, ?, ?) RETURNING id",
            &binds![account.0, sim.0, platform.0, order, order, request, now.0, now.0, now.0],
        )?;
        Ok(row.map_or(0, |r| r.0))
    }

    /// Stores a write that no order waits for, due at once; the answer is its number.
    pub fn add_wish(&mut self, w: &Wish<'_>, now: Timestamp) -> Result<i64, Error> {
        let row = self.row::<(i64,)>(
            "INSERT INTO intent (account_id, sim_id, platform_id, cause, task_id, asked_by, request, state, attempts, due_at, created_at, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, 'stored', 0, ?, ?, ?) RETURNING id",
            &binds![w.account.0, w.sim.0, w.platform.0, w.cause, w.task, w.asked_by.map(|a| a.0), w.request, now.0, now.0, now.0],
        )?;
        Ok(row.map_or(0, |r| r.0))
    }

    /// The card's newest write with this cause.
    pub fn last_intent(&mut self, sim: SimId, cause: &str) -> Result<Option<Intent>, Error> {
        let text = format!("SELECT {COLUMNS} FROM intent WHERE sim_id = ? AND cause = ? ORDER BY id DESC LIMIT 1");
        Ok(self.row::<R>(&text, &binds![sim.0, cause])?.map(intent))
    }

    /// The card's newest write with this cause that was not refused.
    pub fn last_unrefused_intent(&mut self, sim: SimId, cause: &str) -> Result<Option<Intent>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM intent WHERE sim_id = ? AND cause = ? AND state <> 'refused' ORDER BY id DESC LIMIT 1"
        );
        Ok(self.row::<R>(&text, &binds![sim.0, cause])?.map(intent))
    }

    /// The card's writes with this cause that have no last word yet.
    pub fn open_intents(&mut self, sim: SimId, cause: &str) -> Result<Vec<Intent>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM intent WHERE sim_id = ? AND cause = ? AND state NOT IN ('confirmed', 'refused') ORDER BY id"
        );
        Ok(self.rows::<R>(&text, &binds![sim.0, cause])?.into_iter().map(intent).collect())
    }

    /// The card's newest writes, newest first.
    pub fn intents_of_sim(&mut self, sim: SimId, limit: i64) -> Result<Vec<Intent>, Error> {
        let text = format!("SELECT {COLUMNS} FROM intent WHERE sim_id = ? ORDER BY id DESC LIMIT ?");
        Ok(self.rows::<R>(&text, &binds![sim.0, limit])?.into_iter().map(intent).collect())
    }

    /// Whether a write at the platform is due.
    pub fn intents_due(&mut self, platform: PlatformId, now: Timestamp) -> Result<bool, Error> {
        let text = "SELECT id FROM intent WHERE platform_id = ? AND due_at IS NOT NULL AND due_at <= ? LIMIT 1";
        Ok(self.row::<(i64,)>(text, &binds![platform.0, now.0])?.is_some())
    }

    /// Claims due writes at a platform under a lease.
    pub fn claim_intents(
        &mut self,
        now: Timestamp,
        (lease_until, token): (Timestamp, i64),
        (platform, limit): (PlatformId, i64),
    ) -> Result<Vec<Intent>, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let text = format!(
            "SELECT {COLUMNS} FROM intent WHERE platform_id = ? AND due_at IS NOT NULL AND due_at <= ? AND (lease_until IS NULL OR lease_until < ?)
             ORDER BY due_at, id LIMIT ?{lock}"
        );
        let claimed: Vec<Intent> =
            self.rows::<R>(&text, &binds![platform.0, now.0, now.0, limit])?.into_iter().map(intent).collect();
        for i in &claimed {
            self.run("UPDATE intent SET lease_token = ?, lease_until = ? WHERE id = ?", &binds![token, lease_until.0, i.id])?;
        }
        Ok(claimed)
    }

    /// Keeps what is known of a claimed write's sending with its request, JSON, and the carrier's number of it, and the lease
    /// until then; false if it was lost.
    pub fn keep_intent(
        &mut self,
        id: i64,
        token: i64,
        lease_until: Timestamp,
        (request, job): (&str, Option<&str>),
    ) -> Result<bool, Error> {
        let text = "UPDATE intent SET request = ?, job = ?, lease_until = ? WHERE id = ? AND lease_token = ?";
        Ok(self.run(text, &binds![request, job, lease_until.0, id, token])? > 0)
    }

    /// Writes without a last word that the carrier took under this number.
    pub fn intents_of_job(&mut self, platform: PlatformId, job: &str) -> Result<Vec<Intent>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM intent WHERE platform_id = ? AND job = ? AND state NOT IN ('confirmed', 'refused') ORDER BY id"
        );
        Ok(self.rows::<R>(&text, &binds![platform.0, job])?.into_iter().map(intent).collect())
    }

    /// Sets what became of a claimed write; false if the lease was lost.
    pub fn settle_intent(
        &mut self,
        id: i64,
        token: i64,
        state: &str,
        due: Option<Timestamp>,
        answer: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let n = self.run(
            "UPDATE intent SET state = ?, attempts = attempts + 1, due_at = ?, last_answer = ?, lease_token = NULL, lease_until = NULL, updated_at = ?
             WHERE id = ? AND lease_token = ? AND state NOT IN ('confirmed', 'refused')",
            &binds![state, due.map(|d| d.0), answer, now.0, id, token],
        )?;
        Ok(n > 0)
    }

    /// Settles an open write by a person's word; false if it is not open.
    pub fn settle_intent_by_hand(&mut self, id: i64, state: &str, answer: &str, now: Timestamp) -> Result<bool, Error> {
        let n = self.run(
            "UPDATE intent SET state = ?, due_at = NULL, last_answer = ?, lease_token = NULL, lease_until = NULL, updated_at = ?
             WHERE id = ? AND state NOT IN ('confirmed', 'refused')",
            &binds![state, answer, now.0, id],
        )?;
        Ok(n > 0)
    }

    /// How many writes are in doubt and not asked about any more.
    pub fn intents_left(&mut self) -> Result<i64, Error> {
        let text = "SELECT COUNT(*) FROM intent WHERE state = 'in_doubt' AND due_at IS NULL";
        Ok(self.row::<(i64,)>(text, &[])?.map_or(0, |r| r.0))
    }

    /// A write by its number.
    pub fn intent(&mut self, id: i64) -> Result<Option<Intent>, Error> {
        Ok(self.row::<R>(&format!("SELECT {COLUMNS} FROM intent WHERE id = ?"), &binds![id])?.map(intent))
    }

    /// Writes, newest first, open ones only or all.
    pub fn intents(&mut self, open_only: bool, limit: i64) -> Result<Vec<Intent>, Error> {
        let clause = if open_only { "WHERE state NOT IN ('confirmed', 'refused')" } else { "" };
        let text = format!("SELECT {COLUMNS} FROM intent {clause} ORDER BY id DESC LIMIT ?");
        Ok(self.rows::<R>(&text, &binds![limit])?.into_iter().map(intent).collect())
    }
}
