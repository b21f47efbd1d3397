//! Accounts whose cards are stopped because they are in arrears, and those cards.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, SimId, Timestamp};

impl Tx<'_> {
    /// Accounts whose cards are stopped for what they owe (true), or are being let on again (false).
    pub fn credit_stops(&mut self) -> Result<Vec<(AccountId, bool)>, Error> {
        let rows = self.rows::<(i64, i64)>("SELECT account_id, stops FROM credit_stop ORDER BY account_id", &[])?;
        Ok(rows.into_iter().map(|(account, stops)| (AccountId(account), stops != 0)).collect())
    }

    /// Whether the account's cards are stopped for what it owes; none: it is not about them.
    pub fn credit_stop(&mut self, account: AccountId) -> Result<Option<bool>, Error> {
        let row = self.row::<(i64,)>("SELECT stops FROM credit_stop WHERE account_id = ?", &binds![account.0])?;
        Ok(row.map(|r| r.0 != 0))
    }

    /// The same, which nobody changes until the transaction ends.
    pub fn credit_stop_shared(&mut self, account: AccountId) -> Result<Option<bool>, Error> {
        let lock = if self.is_postgres() { " FOR SHARE" } else { "" };
        let row = self.row::<(i64,)>(&format!("SELECT stops FROM credit_stop WHERE account_id = ?{lock}"), &binds![account.0])?;
        Ok(row.map(|r| r.0 != 0))
    }

    /// The account's cards are to be stopped, or to be let on again.
    pub fn set_credit_stop(&mut self, account: AccountId, stops: bool, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO credit_stop (account_id, since, stops) VALUES (?, ?, ?)
             ON CONFLICT (account_id) DO UPDATE SET since = excluded.since, stops = excluded.stops",
            &binds![account.0, now.0, stops],
        )?;
        Ok(())
    }

    /// All of the account's cards are let on again.
    pub fn end_credit_stop(&mut self, account: AccountId) -> Result<(), Error> {
        self.run("DELETE FROM credit_stop WHERE account_id = ? AND stops = 0", &binds![account.0])?;
        Ok(())
    }

    /// Cards of the account that are not stopped for what it owes and live, or (`stops` false) that are, by number.
    pub fn cards_to_credit_stop(&mut self, account: AccountId, stops: bool, limit: i64) -> Result<Vec<SimId>, Error> {
        let which = if stops { "= 0 AND state NOT IN ('pre_closed', 'closed', 'replaced')" } else { "<> 0" };
        // Written out, as the index of those that are stopped has it.
        let text =
            format!("SELECT id FROM sim WHERE account_id = ? AND (blocks & {}) {which} ORDER BY id LIMIT ?", Blocks::CREDIT.0);
        let rows = self.rows::<(i64,)>(&text, &binds![account.0, limit])?;
        Ok(rows.into_iter().map(|r| SimId(r.0)).collect())
    }
}
