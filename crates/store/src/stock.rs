//! Cards as their owner keeps them: found by what they are, counted by what they are, and taken out again while nothing
//! has happened to them.

use crate::binds;
use crate::db::{Error, Tx};
use crate::page::integers;
use crate::sims::{Sim, SimAndState};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, Timestamp};

/// Which cards are looked for: those that meet everything that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Find {
    /// In one of these states, with something in its data's way or nothing where that is said.
    pub states: Option<Vec<(BaseState, Option<bool>)>>,
    /// In one of these states, or with one of these blocks.
    pub odd: Option<(Vec<BaseState>, Blocks)>,
    /// Of one of these products.
    pub products: Option<Vec<i64>>,
    /// In the device of this number.
    pub device: Option<i64>,
}

/// Cards that are alike: product, base state, blocks, how many.
pub type Alike = (i64, String, i64, i64);

impl Tx<'_> {
    /// A page of the accounts' cards that are looked for, in the order they were added, with how many there are. Reads all
    /// cards of the accounts.
    pub fn find_sims(
        &mut self,
        accounts: &[AccountId],
        find: &Find,
        (offset, limit): (i64, i64),
    ) -> Result<(Vec<SimAndState>, i64), Error> {
        let mut clauses = vec![format!("s.account_id IN ({})", integers(accounts.iter().map(|a| a.0)))];
        if let Some(states) = &find.states {
            let in_the_way = format!("(s.blocks & ~{})", Blocks::BESIDE_DATA.0);
            let one = |(state, blocked): &(BaseState, Option<bool>)| match blocked {
                None => format!("s.state = '{}'", state.word()),
                Some(true) => format!("(s.state = '{}' AND {in_the_way} <> 0)", state.word()),
                Some(false) => format!("(s.state = '{}' AND {in_the_way} = 0)", state.word()),
            };
            clauses.push(format!("({})", states.iter().map(one).collect::<Vec<_>>().join(" OR ")));
        }
        if let Some((states, blocks)) = &find.odd {
            let mut any: Vec<String> = states.iter().map(|s| format!("s.state = '{}'", s.word())).collect();
            any.push(format!("(s.blocks & {}) <> 0", blocks.0));
            clauses.push(format!("({})", any.join(" OR ")));
        }
        if let Some(products) = &find.products {
            clauses.push(format!("s.product_id IN ({})", integers(products.iter().copied())));
        }
        if let Some(device) = find.device {
            clauses.push(format!("s.id IN (SELECT sim_id FROM device WHERE id = {device} AND sim_id IS NOT NULL)"));
        }
        let which = clauses.join(" AND ");
        let total = self.rows_once::<(i64,)>(&format!("SELECT COUNT(*) FROM sim s WHERE {which}"), &[])?;
        let text = format!("SELECT s.id FROM sim s WHERE {which} ORDER BY s.id LIMIT ? OFFSET ?");
        let ids: Vec<i64> = self.rows_once::<(i64,)>(&text, &binds![limit, offset])?.into_iter().map(|r| r.0).collect();
        let mut found = self.sims_and_states_of(&ids)?;
        found.sort_unstable_by_key(|s| s.sim.id);
        Ok((found, total.first().map_or(0, |r| r.0)))
    }

    /// The card with this number of ours, with its state. The caller checks the owner.
    pub fn sim_and_state_of(&mut self, sim: i64) -> Result<Option<SimAndState>, Error> {
        Ok(self.sims_and_states_of(&[sim])?.pop())
    }

    /// As [`Tx::sim_and_state_of`], of several, in no order.
    pub fn sims_with_states(&mut self, sims: &[i64]) -> Result<Vec<SimAndState>, Error> {
        self.sims_and_states_of(sims)
    }

    /// How many of the accounts' cards are alike. Reads all of them.
    pub fn sims_alike(&mut self, accounts: &[AccountId]) -> Result<Vec<Alike>, Error> {
        let text = format!(
            "SELECT product_id, state, blocks, COUNT(*) FROM sim WHERE account_id IN ({}) GROUP BY product_id, state, blocks",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows_once(&text, &[])
    }

    /// The cards that used most over days `first..=last`, of the usage these accounts owned: (card, bytes).
    pub fn sims_by_use(&mut self, accounts: &[AccountId], first: i64, last: i64, limit: i64) -> Result<Vec<(i64, i64)>, Error> {
        let text = format!(
            "SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM sim_day WHERE account_id IN ({}) AND day >= ? AND day <= ?
             GROUP BY sim_id ORDER BY 2 DESC, 1 LIMIT ?",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows_once(&text, &binds![first, last, limit])
    }

    /// What has happened to the card so that it can no longer be taken out, in a word or two; none if nothing has. The
    /// caller holds the card's state.
    pub fn sim_history(&mut self, sim: &Sim) -> Result<Option<&'static str>, Error> {
        for (what, table, column) in [
            ("orders", "subscription", "sim_id"), // each order has its subscription, of the same card
            ("usage", "sim_day", "sim_id"),
            ("acts at the carrier", "intent", "sim_id"),
            ("a place in an IMEI group", "imei_member", "sim_id"),
            ("a lock to an IMEI group", "imei_unlocks", "sim_id"),
            ("an eSIM profile", "esim_profile", "sim_id"),
            ("messages", "sms", "sim_id"),
            ("a task", "task_item", "sim_id"),
        ] {
            let text = format!("SELECT {column} FROM {table} WHERE {column} = ? LIMIT 1");
            if self.row::<(i64,)>(&text, &binds![sim.id.0])?.is_some() {
                return Ok(Some(what));
            }
        }
        let text = "SELECT sim_id FROM sim_state WHERE sim_id = ? AND (as_of IS NOT NULL OR pool_moves > 0 OR LENGTH(head) > 0)";
        if self.row::<(i64,)>(text, &binds![sim.id.0])?.is_some() {
            return Ok(Some("usage or packages"));
        }
        Ok(None)
    }

    /// Whether a CDR file is being taken in, whose importer remembers the cards it has looked up: one that has moved since
    /// `before`, or of which loaded facts wait for their rating. Other files that are not at their end were left: their
    /// importers, should they come back, find them moved and begin again with what is there then. On PostgreSQL no other file
    /// begins until the transaction ends.
    pub fn usage_is_coming(&mut self, before: Timestamp) -> Result<bool, Error> {
        if self.is_postgres() {
            self.run("LOCK TABLE cdr_file IN SHARE ROW EXCLUSIVE MODE", &[])?;
        }
        let text = "SELECT id FROM cdr_file WHERE done = 0
             AND (moved_at >= ? OR id IN (SELECT file_id FROM reading_batch WHERE rated = 0)) LIMIT 1";
        if self.row::<(i64,)>(text, &binds![before.0])?.is_some() {
            return Ok(true);
        }
        self.run("UPDATE cdr_file SET rounds = rounds + 1 WHERE done = 0", &[])?;
        Ok(false)
    }

    /// Takes a card out, with its numbers and places, to which nothing has happened ([`Tx::sim_history`]).
    pub fn remove_sim(&mut self, sim: &Sim, now: Timestamp) -> Result<(), Error> {
        self.release_sims(&[sim.id.0])?;
        self.leave_places(sim.id, now)?;
        for text in [
            "DELETE FROM sim_key WHERE sim_id = ?",
            "DELETE FROM counter_reading WHERE sim_id = ?",
            "DELETE FROM sync_read WHERE sim_id = ?",
            "DELETE FROM sync_since WHERE sim_id = ?",
            "DELETE FROM voice_use WHERE sim_id = ?",
            "DELETE FROM finding WHERE sim_id = ?",
            "DELETE FROM carrier_word WHERE sim_id = ?",
            "DELETE FROM sim_move WHERE sim_id = ?",
            "DELETE FROM sim_state WHERE sim_id = ?",
            "DELETE FROM sim WHERE id = ?",
        ] {
            self.run(text, &binds![sim.id.0])?;
        }
        Ok(())
    }

    /// The account's keys at a door are no longer good.
    pub fn remove_credentials(&mut self, door: &str, account: AccountId) -> Result<(), Error> {
        self.run("DELETE FROM credential WHERE door = ? AND account_id = ?", &binds![door, account.0])?;
        Ok(())
    }
}
