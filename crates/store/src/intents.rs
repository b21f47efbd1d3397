//! Writes that a carrier must confirm: stored, claimed under a lease in the order in which a card's were asked for, settled by
//! whoever holds it.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use crate::page::integers;
use kachi_domain::carrier::Matter;
use kachi_domain::service::KEPT_OFF;
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, OrderId, PlatformId, SimId, Timestamp};

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
    /// `stored`, `sent` or `in_doubt`; in the end `confirmed`, `refused` or `superseded`.
    pub state: String,
    /// When it is looked at next; none: it is over, or left to a person.
    pub due_at: Option<i64>,
    /// Calls made.
    pub attempts: i64,
    /// The carrier's last word.
    pub last_answer: Option<String>,
    /// When it was stored.
    pub created_at: i64,
}

type R =
    (i64, i64, i64, i64, Option<i64>, String, Option<i64>, String, String, i64, Option<String>, i64, Option<i64>, Option<i64>);
/// The states that a write does not leave any more.
const OVER: &str = "('confirmed', 'refused', 'superseded')";
const COLUMNS: &str =
    "id, account_id, sim_id, platform_id, order_id, cause, task_id, request, state, attempts, last_answer, created_at,
    asked_by, due_at";

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
        due_at: r.13,
    }
}

/// Matters by their numbers, as a list of a statement has them.
fn numbers(matters: &[Matter]) -> String {
    integers(matters.iter().map(|m| m.number()))
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
    /// What of the card it is about, by its number; those about one matter go in their order. 0: none waits.
    pub matter: i64,
    /// The request, JSON.
    pub request: &'a str,
}

impl Tx<'_> {
    /// Stores a write, due at once: its request, JSON, and what of the card it is about. An order's is asked for by who bought.
    pub fn add_intent(
        &mut self,
        account: AccountId,
        sim: SimId,
        platform: PlatformId,
        order: Option<i64>,
        (request, matter): (&str, i64),
        now: Timestamp,
    ) -> Result<i64, Error> {
        let row = self.row::<(i64,)>(
            "INSERT INTO intent (account_id, sim_id, platform_id, order_id, asked_by, matter, request, state, attempts, due_at, created_at, updated_at)
             VALUES (?, ?, ?, ?, (SELECT account_id FROM orders WHERE id = ?), ?, ?, 'stored', 0, ?, ?, ?) RETURNING id",
            &binds![account.0, sim.0, platform.0, order, order, matter, request, now.0, now.0, now.0],
        )?;
        Ok(row.map_or(0, |r| r.0))
    }

    /// Stores a write that no order waits for, due at once; the answer is its number.
    pub fn add_wish(&mut self, w: &Wish<'_>, now: Timestamp) -> Result<i64, Error> {
        Ok(self.add_wishes(std::slice::from_ref(w), now)?.pop().unwrap_or(0))
    }

    /// As [`Tx::add_wish`], for many; the answer is their numbers, in their order.
    pub fn add_wishes(&mut self, wishes: &[Wish<'_>], now: Timestamp) -> Result<Vec<i64>, Error> {
        use BulkColumn::{Int, Text};
        let columns = [
            Int("account_id"),
            Int("sim_id"),
            Int("platform_id"),
            Text("cause"),
            Int("task_id"),
            Int("asked_by"),
            Int("matter"),
            Text("request"),
            Text("state"),
            Int("attempts"),
            Int("due_at"),
            Int("created_at"),
            Int("updated_at"),
        ];
        fn row<'a>(w: &Wish<'a>, now: i64) -> Vec<Value<'a>> {
            let asked_by = w.asked_by.map(|a| a.0);
            let of = binds![w.account.0, w.sim.0, w.platform.0, w.cause, w.task, asked_by, w.matter, w.request];
            of.into_iter().chain(binds!["stored", 0_i64, now, now, now]).collect()
        }
        self.add_numbered("intent", &columns, &wishes.iter().map(|w| row(w, now.0)).collect::<Vec<_>>())
    }

    /// The greatest number of a write; 0: there is none.
    pub fn last_intent_number(&mut self) -> Result<i64, Error> {
        Ok(self.row::<(i64,)>("SELECT COALESCE(MAX(id), 0) FROM intent", &[])?.map_or(0, |r| r.0))
    }

    /// The cards' writes about these matters that are not over, and the last about each of each card at each platform that was confirmed and
    /// is not of the cause `passing`, which leaves the matter as it was. By card and number.
    pub fn intents_about(&mut self, sims: &[SimId], matters: &[Matter], passing: &str) -> Result<Vec<Intent>, Error> {
        let (among, value) = self.among("i.sim_id", &sims.iter().map(|s| s.0).collect::<Vec<_>>());
        let text = format!(
            "SELECT {COLUMNS} FROM intent i WHERE {among} AND i.matter IN ({}) AND (i.state NOT IN {OVER} OR i.id =
               (SELECT MAX(x.id) FROM intent x WHERE x.sim_id = i.sim_id AND x.matter = i.matter AND x.platform_id = i.platform_id
                AND x.cause <> ? AND x.state = 'confirmed'))
             ORDER BY i.sim_id, i.id",
            numbers(matters)
        );
        let values = [value, Value::Text(Some(passing))];
        Ok(self.rows::<R>(&text, &values)?.into_iter().map(intent).collect())
    }

    /// Gives up those of these writes that were never sent, or are left to a person; the answer is which. One that a worker has
    /// in hand just now is not waited for: it counts as sent.
    pub fn supersede_intents(&mut self, ids: &[i64], answer: &str, now: Timestamp) -> Result<Vec<i64>, Error> {
        let unsent = if self.is_postgres() {
            "CAST(request AS JSON) -> 'sent' IS NULL"
        } else {
            "json_extract(request, '$.sent') IS NULL"
        };
        let doubtful = "state = 'in_doubt' AND due_at IS NULL";
        self.supersede(ids, &format!("state = 'stored' AND {unsent} OR {doubtful}"), answer, now)
    }

    /// Gives up a write that is in doubt; false if it is not any more, or a worker has it in hand just now.
    pub fn supersede_doubtful(&mut self, id: i64, answer: &str, now: Timestamp) -> Result<bool, Error> {
        let idle = format!("state = 'in_doubt' AND (lease_until IS NULL OR lease_until < {})", now.0);
        Ok(!self.supersede(&[id], &idle, answer, now)?.is_empty())
    }

    fn supersede(&mut self, ids: &[i64], which: &str, answer: &str, now: Timestamp) -> Result<Vec<i64>, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let (among, value) = self.among("id", ids);
        let text = format!(
            "UPDATE intent SET state = 'superseded', due_at = NULL, last_answer = ?, lease_token = NULL, lease_until = NULL, updated_at = ?
             WHERE id IN (SELECT id FROM intent WHERE {among} AND ({which}){lock}) RETURNING id"
        );
        let values = [Value::Text(Some(answer)), Value::Int(Some(now.0)), value];
        Ok(self.rows::<(i64,)>(&text, &values)?.into_iter().map(|r| r.0).collect())
    }

    /// Which of these cards had a write about one of these matters confirmed at the instant or later: (card, matter), each once.
    pub fn confirmed_since(&mut self, sims: &[i64], matters: &[Matter], since: Timestamp) -> Result<Vec<(i64, i64)>, Error> {
        let (among, value) = self.among("sim_id", sims);
        let matters = numbers(matters);
        let text = format!(
            "SELECT DISTINCT sim_id, matter FROM intent WHERE {among} AND matter IN ({matters}) AND state = 'confirmed' AND updated_at >= ?"
        );
        self.rows(&text, &[value, since.0.into()])
    }

    /// The card's newest write with this cause.
    pub fn last_intent(&mut self, sim: SimId, cause: &str) -> Result<Option<Intent>, Error> {
        let text = format!("SELECT {COLUMNS} FROM intent WHERE sim_id = ? AND cause = ? ORDER BY id DESC LIMIT 1");
        Ok(self.row::<R>(&text, &binds![sim.0, cause])?.map(intent))
    }

    /// The card's newest write with this cause that was neither refused nor given up.
    pub fn last_standing_intent(&mut self, sim: SimId, cause: &str) -> Result<Option<Intent>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM intent WHERE sim_id = ? AND cause = ? AND state NOT IN ('refused', 'superseded')
             ORDER BY id DESC LIMIT 1"
        );
        Ok(self.row::<R>(&text, &binds![sim.0, cause])?.map(intent))
    }

    /// The card's writes with this cause that have no last word yet.
    pub fn open_intents(&mut self, sim: SimId, cause: &str) -> Result<Vec<Intent>, Error> {
        let text = format!("SELECT {COLUMNS} FROM intent WHERE sim_id = ? AND cause = ? AND state NOT IN {OVER} ORDER BY id");
        Ok(self.rows::<R>(&text, &binds![sim.0, cause])?.into_iter().map(intent).collect())
    }

    /// The card's newest writes, newest first.
    pub fn intents_of_sim(&mut self, sim: SimId, limit: i64) -> Result<Vec<Intent>, Error> {
        let text = format!("SELECT {COLUMNS} FROM intent WHERE sim_id = ? ORDER BY id DESC LIMIT ?");
        Ok(self.rows::<R>(&text, &binds![sim.0, limit])?.into_iter().map(intent).collect())
    }

    /// The writes of an order, oldest first: for its card.
    pub fn intents_of_order(&mut self, sim: SimId, order: OrderId) -> Result<Vec<Intent>, Error> {
        let text = format!("SELECT {COLUMNS} FROM intent WHERE sim_id = ? AND order_id = ? ORDER BY id");
        Ok(self.rows::<R>(&text, &binds![sim.0, order.0])?.into_iter().map(intent).collect())
    }

    /// Whether a write at the platform is due.
    pub fn intents_due(&mut self, platform: PlatformId, now: Timestamp) -> Result<bool, Error> {
        let text = "SELECT id FROM intent WHERE platform_id = ? AND due_at IS NOT NULL AND due_at <= ? LIMIT 1";
        Ok(self.row::<(i64,)>(text, &binds![platform.0, now.0])?.is_some())
    }

    /// Claims due writes at a platform under a lease, so many at most. One about a matter of a card is not while an earlier one about it, or
    /// about one of those that are one with it there, is under way there; one that is left to a person holds up none.
    pub fn claim_intents(
        &mut self,
        now: Timestamp,
        (lease_until, token): (Timestamp, i64),
        (platform, one_matter): (PlatformId, &[Matter]),
        limit: i64,
    ) -> Result<Vec<Intent>, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE OF i SKIP LOCKED" } else { "" };
        let text = format!(
            "SELECT {COLUMNS} FROM intent i WHERE platform_id = ? AND due_at IS NOT NULL AND due_at <= ? AND (lease_until IS NULL OR lease_until < ?)
             AND (matter = 0 OR NOT EXISTS (SELECT 1 FROM intent e
               WHERE e.sim_id = i.sim_id AND (e.matter = i.matter OR e.matter IN ({one}) AND i.matter IN ({one}))
               AND e.platform_id = i.platform_id AND e.id < i.id AND e.due_at IS NOT NULL))
             ORDER BY due_at, id LIMIT ?{lock}",
            one = numbers(one_matter)
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
        let text = format!("SELECT {COLUMNS} FROM intent WHERE platform_id = ? AND job = ? AND state NOT IN {OVER} ORDER BY id");
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
        let text = format!(
            "UPDATE intent SET state = ?, attempts = attempts + 1, due_at = ?, last_answer = ?, lease_token = NULL, lease_until = NULL, updated_at = ?
             WHERE id = ? AND lease_token = ? AND state NOT IN {OVER}"
        );
        let n = self.run(&text, &binds![state, due.map(|d| d.0), answer, now.0, id, token])?;
        Ok(n > 0)
    }

    /// Settles an open write by a person's word; false if it is not open.
    pub fn settle_intent_by_hand(&mut self, id: i64, state: &str, answer: &str, now: Timestamp) -> Result<bool, Error> {
        let text = format!(
            "UPDATE intent SET state = ?, due_at = NULL, last_answer = ?, lease_token = NULL, lease_until = NULL, updated_at = ?
             WHERE id = ? AND state NOT IN {OVER}"
        );
        let n = self.run(&text, &binds![state, answer, now.0, id])?;
        Ok(n > 0)
    }

    /// How many writes are in doubt and not asked about any more.
    pub fn intents_left(&mut self) -> Result<i64, Error> {
        let text = "SELECT COUNT(*) FROM intent WHERE state = 'in_doubt' AND due_at IS NULL";
        Ok(self.row::<(i64,)>(text, &[])?.map_or(0, |r| r.0))
    }

    /// How many writes are open.
    pub fn intents_open(&mut self) -> Result<i64, Error> {
        let text = format!("SELECT COUNT(*) FROM intent WHERE state NOT IN {OVER}");
        Ok(self.row::<(i64,)>(&text, &[])?.map_or(0, |r| r.0))
    }

    /// Writes that are not tried or asked about before `until`, the first so many.
    pub fn intents_beyond(&mut self, until: Timestamp, limit: i64) -> Result<Vec<i64>, Error> {
        let text = "SELECT id FROM intent WHERE due_at > ? ORDER BY due_at, id LIMIT ?";
        Ok(self.rows::<(i64,)>(text, &binds![until.0, limit])?.into_iter().map(|r| r.0).collect())
    }

    /// Cards, the first so many by the time they were refused, that a package pays for, that nothing of ours keeps off, and whose last write that
    /// was to let them on for one of these causes was refused.
    pub fn cards_not_let_on(&mut self, causes: [&str; 2], limit: i64) -> Result<Vec<String>, Error> {
        let barred = Blocks::PACKAGE.0 | KEPT_OFF.0;
        let text = format!(
            "SELECT s.iccid FROM intent i JOIN sim s ON s.id = i.sim_id
             WHERE i.state = 'refused' AND i.cause IN (?, ?) AND s.state IN ('inventory', 'testing', 'ready', 'stopped') AND s.blocks & {barred} = 0
             AND NOT EXISTS (SELECT 1 FROM intent n WHERE n.sim_id = i.sim_id AND n.matter = i.matter AND n.id > i.id)
             ORDER BY i.id LIMIT ?"
        );
        Ok(self.rows::<(String,)>(&text, &binds![causes[0], causes[1], limit])?.into_iter().map(|r| r.0).collect())
    }

    /// How many open writes are done by hand: a person does them and says so.
    pub fn intents_by_hand(&mut self) -> Result<i64, Error> {
        let text = format!(
            "SELECT COUNT(*) FROM intent i JOIN platform p ON p.id = i.platform_id WHERE p.connector = 'manual' AND i.state NOT IN {OVER}"
        );
        Ok(self.row::<(i64,)>(&text, &[])?.map_or(0, |r| r.0))
    }

    /// A write by its number.
    pub fn intent(&mut self, id: i64) -> Result<Option<Intent>, Error> {
        Ok(self.row::<R>(&format!("SELECT {COLUMNS} FROM intent WHERE id = ?"), &binds![id])?.map(intent))
    }

    /// Writes, newest first, open ones only or all.
    pub fn intents(&mut self, open_only: bool, limit: i64) -> Result<Vec<Intent>, Error> {
        let clause = if open_only { format!("WHERE state NOT IN {OVER}") } else { String::new() };
        let text = format!("SELECT {COLUMNS} FROM intent {clause} ORDER BY id DESC LIMIT ?");
        Ok(self.rows::<R>(&text, &binds![limit])?.into_iter().map(intent).collect())
    }
}
