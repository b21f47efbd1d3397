//! Accounts whose cards are stopped because they are in arrears, how far their cards were looked at, and those cards.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, SimId, Timestamp};

/// Whether an account's cards are stopped for what it owes, and how far that is so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CreditStop {
    /// They are, or else are let on.
    pub stops: bool,
    /// Its cards up to this number were looked at since; none: all were.
    pub looked_to: Option<SimId>,
    /// How often that came to be otherwise: with it no later state of the row equals an earlier one.
    pub turns: i64,
}

const COLUMNS: &str = "stops, looked_to, turns";

fn stop((stops, looked_to, turns): (i64, Option<i64>, i64)) -> CreditStop {
    CreditStop { stops: stops != 0, looked_to: looked_to.map(SimId), turns }
}

impl Tx<'_> {
    /// A new account's cards are not stopped. One that has its row keeps it.
    pub fn add_credit_stop(&mut self, account: AccountId, now: Timestamp) -> Result<(), Error> {
        let text = "INSERT INTO credit_stop (account_id, since, stops) VALUES (?, ?, 0) ON CONFLICT (account_id) DO NOTHING";
        self.run(text, &binds![account.0, now.0])?;
        Ok(())
    }

    /// Accounts whose cards are stopped for what they owe, or were not all let on again yet.
    pub fn credit_stops(&mut self) -> Result<Vec<AccountId>, Error> {
        let text = "SELECT account_id FROM credit_stop WHERE stops = 1 OR looked_to IS NOT NULL ORDER BY account_id";
        Ok(self.rows::<(i64,)>(text, &[])?.into_iter().map(|r| AccountId(r.0)).collect())
    }

    /// Whether the account's cards are stopped for what it owes.
    pub fn credit_stop(&mut self, account: AccountId) -> Result<CreditStop, Error> {
        let row = self.row(&format!("SELECT {COLUMNS} FROM credit_stop WHERE account_id = ?"), &binds![account.0])?;
        Ok(row.map(stop).unwrap_or_default())
    }

    /// The same, which nobody changes until the transaction ends; that its cards are looked at goes on beside it.
    pub fn credit_stop_held(&mut self, account: AccountId, now: Timestamp) -> Result<CreditStop, Error> {
        let lock = if self.is_postgres() { " FOR KEY SHARE" } else { "" };
        let text = format!("SELECT {COLUMNS} FROM credit_stop WHERE account_id = ?{lock}");
        if let Some(row) = self.row(&text, &binds![account.0])? {
            return Ok(stop(row));
        }
        // Made by a program of before the rows, still running beside this one.
        self.add_credit_stop(account, now)?;
        self.row(&text, &binds![account.0])?.map(stop).ok_or_else(|| Error::Engine(format!("account {account} is not there")))
    }

    /// Takes the account's row for a change, unless a transaction holds on to it or is looking at its cards: nobody waits.
    pub fn take_credit_stop(&mut self, account: AccountId) -> Result<bool, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let text = format!("SELECT account_id FROM credit_stop WHERE account_id = ?{lock}");
        Ok(self.row::<(i64,)>(&text, &binds![account.0])?.is_some())
    }

    /// From now on the account's cards are stopped, or let on again; the row is taken. None was looked at yet.
    pub fn set_credit_stop(&mut self, account: AccountId, stops: bool, now: Timestamp) -> Result<(), Error> {
        let text = "UPDATE credit_stop SET since = ?, stops = ?, looked_to = 0, turns = turns + 1 WHERE account_id = ?";
        self.run(text, &binds![now.0, stops, account.0])?;
        Ok(())
    }

    /// The account's cards were looked at up to this one, or all of them. False if another look, or another turn, came before: this
    /// one counts for nothing.
    pub fn credit_looked(&mut self, account: AccountId, was: CreditStop, to: Option<SimId>) -> Result<bool, Error> {
        let text = "UPDATE credit_stop SET looked_to = ? WHERE account_id = ? AND turns = ? AND looked_to = ?";
        let (to, from) = (to.map(|sim| sim.0), was.looked_to.map(|sim| sim.0));
        Ok(self.run(text, &binds![to, account.0, was.turns, from])? == 1)
    }

    /// Cards of the account that are not stopped for what it owes and live, or (`stops` false) that are, by number, from the one
    /// after this.
    pub fn cards_to_credit_stop(
        &mut self,
        account: AccountId,
        stops: bool,
        after: SimId,
        limit: i64,
    ) -> Result<Vec<SimId>, Error> {
        let which = if stops { "= 0 AND state NOT IN ('pre_closed', 'closed', 'replaced')" } else { "<> 0" };
        // Written out, as the index of those that are stopped has it.
        let text = format!(
            "SELECT id FROM sim WHERE account_id = ? AND id > ? AND (blocks & {}) {which} ORDER BY id LIMIT ?",
            Blocks::CREDIT.0
        );
        let rows = self.rows::<(i64,)>(&text, &binds![account.0, after.0, limit])?;
        Ok(rows.into_iter().map(|r| SimId(r.0)).collect())
    }

    /// Cards that are stopped for what their account owes or are not, which is not what it says of all its cards; a sentence each.
    pub fn audit_credit_stops(&mut self) -> Result<Vec<String>, Error> {
        let text = format!(
            "SELECT s.id, c.stops FROM credit_stop c JOIN sim s ON s.account_id = c.account_id WHERE c.looked_to IS NULL AND
             (c.stops = 0 AND (s.blocks & {bit}) <> 0
              OR c.stops = 1 AND (s.blocks & {bit}) = 0 AND s.state NOT IN ('pre_closed', 'closed', 'replaced')) LIMIT 50",
            bit = Blocks::CREDIT.0
        );
        let said = |(sim, stops): (i64, i64)| match stops {
            0 => format!("card {sim}: stopped for arrears that its account is not in"),
            _ => format!("card {sim}: not stopped for its account's arrears"),
        };
        Ok(self.rows(&text, &[])?.into_iter().map(said).collect())
    }
}
