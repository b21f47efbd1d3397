//! Journals, their postings, and the balances kept from them in the same transaction.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::page::integers;
use kachi_domain::ledger::{Bucket, Journal, Posting};
use kachi_domain::{AccountId, Timestamp};

/// (account, kept available, summed available, kept held, summed held), minor units.
pub type BalanceDifference = (i64, i64, i64, i64, i64);

impl Tx<'_> {
    /// Makes the account's requests that change something wait for each other, until the transaction ends.
    pub fn lock_requests(&mut self, account: AccountId) -> Result<(), Error> {
        if self.must_lock("requests", account.0) {
            let key = 7_319_500_000_000 + account.0;
            self.rows::<(i64,)>("SELECT CAST(1 AS BIGINT) FROM (SELECT pg_advisory_xact_lock(?)) AS l", &binds![key])?;
        }
        Ok(())
    }

    /// Locks the accounts' balances in the order given, until the transaction ends: always the deepest account first and
    /// then upwards, so that two sales in one branch of the tree never wait for each other in a ring.
    pub fn lock_balances(&mut self, accounts: &[AccountId]) -> Result<(), Error> {
        for id in accounts {
            if !self.must_lock("balance", id.0) {
                continue;
            }
            self.rows::<(i64,)>("SELECT account_id FROM balance WHERE account_id = ? FOR UPDATE", &binds![id.0])?;
        }
        Ok(())
    }

    /// Writes a journal with its postings and moves the balances. A balance below its credit line is a constraint error.
    pub fn post(
        &mut self,
        account: AccountId,
        name: Journal,
        cause: &str,
        postings: &[Posting],
        now: Timestamp,
    ) -> Result<i64, Error> {
        debug_assert_eq!(postings.iter().map(|p| p.minor).sum::<i64>(), 0, "{name:?} must balance");
        if self.is_postgres() {
            return self.post_in_one(account, name, cause, postings, now);
        }
        let id = self.row::<(i64,)>(
            "INSERT INTO journal (account_id, name, cause, at) VALUES (?, ?, ?, ?) RETURNING id",
            &binds![account.0, name.word(), cause, now.0],
        )?;
        let id = id.map_or(0, |r| r.0);
        let marks = vec!["(?, ?, ?, ?, ?)"; postings.len()].join(", ");
        let mut values: Vec<Value<'_>> = Vec::with_capacity(postings.len() * 5);
        for (line, p) in postings.iter().enumerate() {
            values.extend(binds![id, line as i64, p.account.0, p.bucket.word(), p.minor]);
        }
        self.run(&format!("INSERT INTO posting (journal_id, line, account_id, bucket, minor) VALUES {marks}"), &values)?;
        for p in postings {
            match p.bucket {
                Bucket::Available => self.run(
                    "UPDATE balance SET available_minor = available_minor + ? WHERE account_id = ?",
                    &binds![p.minor, p.account.0],
                )?,
                Bucket::Held => self
                    .run("UPDATE balance SET held_minor = held_minor + ? WHERE account_id = ?", &binds![p.minor, p.account.0])?,
                // The operator's own sides are summed from the postings when asked: a kept row would be one lock for all.
                Bucket::Cash | Bucket::Revenue => 0,
            };
        }
        Ok(id)
    }

    /// Each statement is a way to another process: journal, postings and balances travel in one.
    fn post_in_one(
        &mut self,
        account: AccountId,
        name: Journal,
        cause: &str,
        postings: &[Posting],
        now: Timestamp,
    ) -> Result<i64, Error> {
        let accounts = self.list(postings.iter().map(|p| p.account.0));
        let minors = self.list(postings.iter().map(|p| p.minor));
        let buckets = format!("{{{}}}", postings.iter().map(|p| p.bucket.word()).collect::<Vec<_>>().join(","));
        let row = self.row::<(i64,)>(
            "WITH line AS (SELECT * FROM unnest(CAST(? AS BIGINT[]), CAST(? AS TEXT[]), CAST(? AS BIGINT[]))
               WITH ORDINALITY AS x(account_id, bucket, minor, number)),
             journal AS (INSERT INTO journal (account_id, name, cause, at) VALUES (?, ?, ?, ?) RETURNING id),
             posted AS (INSERT INTO posting (journal_id, line, account_id, bucket, minor)
               SELECT j.id, l.number - 1, l.account_id, l.bucket, l.minor FROM journal j, line l),
             moved AS (UPDATE balance b SET available_minor = available_minor + m.available, held_minor = held_minor + m.held
               FROM (SELECT account_id, CAST(COALESCE(SUM(minor) FILTER (WHERE bucket = 'available'), 0) AS BIGINT) AS available,
                       CAST(COALESCE(SUM(minor) FILTER (WHERE bucket = 'held'), 0) AS BIGINT) AS held
                     FROM line WHERE bucket IN ('available', 'held') GROUP BY account_id) m
               WHERE b.account_id = m.account_id)
             SELECT id FROM journal",
            &binds![accounts, buckets, minors, account.0, name.word(), cause, now.0],
        )?;
        row.map(|r| r.0).ok_or_else(|| Error::Engine("a new journal has no number".into()))
    }

    /// (available, held, credit) in minor units.
    pub fn balance(&mut self, account: AccountId) -> Result<(i64, i64, i64), Error> {
        let row = self.row::<(i64, i64, i64)>(
            "SELECT available_minor, held_minor, credit_minor FROM balance WHERE account_id = ?",
            &binds![account.0],
        )?;
        Ok(row.unwrap_or((0, 0, 0)))
    }

    /// Whether a journal of this name and cause exists.
    pub fn journal_exists(&mut self, account: AccountId, name: Journal, cause: &str) -> Result<bool, Error> {
        let row = self.row::<(i64,)>(
            "SELECT id FROM journal WHERE account_id = ? AND name = ? AND cause = ? LIMIT 1",
            &binds![account.0, name.word(), cause],
        )?;
        Ok(row.is_some())
    }

    /// Journals whose postings do not sum to zero: (journal, sum).
    pub fn audit_unbalanced(&mut self) -> Result<Vec<(i64, i64)>, Error> {
        self.rows(
            "SELECT journal_id, CAST(SUM(minor) AS BIGINT) FROM posting GROUP BY journal_id HAVING SUM(minor) <> 0 LIMIT 100",
            &[],
        )
    }

    /// Balances that differ from their postings: (account, kept available, summed, kept held, summed).
    pub fn audit_balances(&mut self) -> Result<Vec<BalanceDifference>, Error> {
        self.rows(
            "SELECT * FROM (SELECT b.account_id AS account_id, b.available_minor AS a, CAST(COALESCE(SUM(CASE WHEN p.bucket = 'available' THEN p.minor END), 0) AS BIGINT) AS pa,
             b.held_minor AS h, CAST(COALESCE(SUM(CASE WHEN p.bucket = 'held' THEN p.minor END), 0) AS BIGINT) AS ph
             FROM balance b LEFT JOIN posting p ON p.account_id = b.account_id GROUP BY b.account_id, b.available_minor, b.held_minor) AS x
             WHERE a <> pa OR h <> ph LIMIT 100",
            &[],
        )
    }
}

impl Tx<'_> {
    /// Balances of accounts: (account, available, held, credit), minor units.
    pub fn balances(&mut self, accounts: &[AccountId]) -> Result<Vec<(i64, i64, i64, i64)>, Error> {
        let text = format!(
            "SELECT account_id, available_minor, held_minor, credit_minor FROM balance WHERE account_id IN ({})",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows(&text, &[])
    }
}
