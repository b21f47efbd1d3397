//! Journals, their postings, and the balances kept from them in the same transaction.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use crate::page::integers;
use kachi_domain::ledger::{Bucket, Journal, Posting};
use kachi_domain::{AccountId, OrderId, Timestamp};
use std::collections::BTreeMap;

/// (account, kept available, summed available, kept held, summed held), minor units.
pub type BalanceDifference = (i64, i64, i64, i64, i64);

/// (what it is known by, whose, minor units by what it says itself, by its journals).
pub type SaidAndBooked = (String, i64, i64, i64);

/// A journal to be written.
#[derive(Debug, Clone)]
pub struct NewJournal {
    /// Whose act.
    pub account: AccountId,
    /// Its name.
    pub name: Journal,
    /// What caused it.
    pub cause: String,
    /// Its lines; they sum to zero.
    pub postings: Vec<Posting>,
}

/// A line of a journal, with the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The journal's number.
    pub journal: i64,
    /// When it was booked.
    pub at: Timestamp,
    /// The journal's name.
    pub name: String,
    /// What caused it.
    pub cause: String,
    /// Whose act: the line is in this account's currency.
    pub act_of: AccountId,
    /// Whose bucket.
    pub account: AccountId,
    /// Which bucket.
    pub bucket: String,
    /// Minor units, negative for what leaves.
    pub minor: i64,
    /// Of money that came in, the day on which it reached the bank, as days since 1970.
    pub value_day: Option<i64>,
    /// What was said of it beside.
    pub remark: String,
}

type PostedRow = (i64, i64, String, String, i64, i64, String, i64, Option<i64>, String);

fn posted((journal, at, name, cause, act_of, account, bucket, minor, value_day, remark): PostedRow) -> Posted {
    let (at, act_of, account) = (Timestamp(at), AccountId(act_of), AccountId(account));
    Posted { journal, at, name, cause, act_of, account, bucket, minor, value_day, remark }
}

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
    ) -> Result<(), Error> {
        self.post_all(&[NewJournal { account, name, cause: cause.to_owned(), postings: postings.to_vec() }], now)
    }

    /// Writes journals with their postings and moves the balances. A balance below its credit line is a constraint error.
    pub fn post_all(&mut self, journals: &[NewJournal], now: Timestamp) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        let rows: Vec<Vec<Value<'_>>> =
            journals.iter().map(|j| binds![j.account.0, j.name.word(), &j.cause, now.0].into()).collect();
        let ids = self.add_numbered("journal", &[Int("account_id"), Text("name"), Text("cause"), Int("at")], &rows)?;
        let (mut rows, mut moved) = (Vec::<Vec<Value<'_>>>::new(), BTreeMap::<i64, (i64, i64)>::new());
        for (j, id) in journals.iter().zip(ids) {
            debug_assert_eq!(j.postings.iter().map(|p| p.minor).sum::<i64>(), 0, "{:?} must balance", j.name);
            for (line, p) in j.postings.iter().enumerate() {
                rows.push(binds![id, line as i64, p.account.0, p.bucket.word(), p.minor].into());
                match p.bucket {
                    Bucket::Available => moved.entry(p.account.0).or_default().0 += p.minor,
                    Bucket::Held => moved.entry(p.account.0).or_default().1 += p.minor,
                    // The operator's own sides are summed from the postings when asked: a kept row would be one lock for all. So
                    // is what is owed: few accounts ever owe.
                    Bucket::Owed | Bucket::Cash | Bucket::Revenue | Bucket::Adjust => {}
                }
            }
        }
        let columns = [Int("journal_id"), Int("line"), Int("account_id"), Text("bucket"), Int("minor")];
        self.add_rows("posting", &columns, &rows, "")?;
        self.move_balances(&moved)
    }

    /// Adds to balances: account -> (available, held), minor units.
    fn move_balances(&mut self, moved: &BTreeMap<i64, (i64, i64)>) -> Result<(), Error> {
        if self.is_postgres() {
            let text = "UPDATE balance b SET available_minor = available_minor + m.available, held_minor = held_minor + m.held
                 FROM unnest(CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[])) AS m(account_id, available, held)
                 WHERE b.account_id = m.account_id";
            let of = |f: fn((&i64, &(i64, i64))) -> i64| moved.iter().map(f).collect::<Vec<_>>();
            let (accounts, available, held) = (of(|m| *m.0), of(|m| m.1.0), of(|m| m.1.1));
            self.run(text, &binds![self.list(accounts), self.list(available), self.list(held)])?;
        } else {
            let text =
                "UPDATE balance SET available_minor = available_minor + ?, held_minor = held_minor + ? WHERE account_id = ?";
            for (account, (available, held)) in moved {
                self.run(text, &binds![*available, *held, *account])?;
            }
        }
        Ok(())
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

    /// Minor units that the account got by the journal of this name and cause, if there is one; what of it paid a debt too.
    pub fn journal_amount(&mut self, account: AccountId, name: Journal, cause: &str) -> Result<Option<i64>, Error> {
        let row = self.row::<(i64,)>(
            "SELECT CAST(SUM(p.minor) AS BIGINT) FROM journal j JOIN posting p ON p.journal_id = j.id WHERE j.account_id = ? AND j.name = ?
             AND j.cause = ? AND p.account_id = j.account_id AND p.bucket IN ('available', 'owed') GROUP BY j.id ORDER BY j.id LIMIT 1",
            &binds![account.0, name.word(), cause],
        )?;
        Ok(row.map(|r| r.0))
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
    /// What those of the accounts owe that owe something: (account, minor units above zero).
    pub fn owed(&mut self, accounts: &[AccountId]) -> Result<Vec<(i64, i64)>, Error> {
        let text = format!(
            "SELECT account_id, CAST(-SUM(minor) AS BIGINT) FROM posting WHERE bucket = 'owed' AND account_id IN ({})
             GROUP BY account_id HAVING SUM(minor) <> 0",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows(&text, &[])
    }

    /// Accounts that paid more than they owed: (account, minor units).
    pub fn audit_owed(&mut self) -> Result<Vec<(i64, i64)>, Error> {
        self.rows(
            "SELECT account_id, CAST(SUM(minor) AS BIGINT) FROM posting WHERE bucket = 'owed' GROUP BY account_id HAVING SUM(minor) > 0 LIMIT 100",
            &[],
        )
    }

    /// Balances of accounts: (account, available, held, credit), minor units.
    pub fn balances(&mut self, accounts: &[AccountId]) -> Result<Vec<(i64, i64, i64, i64)>, Error> {
        let text = format!(
            "SELECT account_id, available_minor, held_minor, credit_minor FROM balance WHERE account_id IN ({})",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows(&text, &[])
    }
}

impl Tx<'_> {
    /// What was posted to the accounts' buckets before an instant, by whose act: (account, bucket, whose act, minor units).
    pub fn posted_before(&mut self, accounts: &[AccountId], at: Timestamp) -> Result<Vec<(i64, String, i64, i64)>, Error> {
        let text = format!(
            "SELECT p.account_id, p.bucket, j.account_id, CAST(SUM(p.minor) AS BIGINT) FROM posting p JOIN journal j ON j.id = p.journal_id
             WHERE j.at < ? AND p.account_id IN ({}) GROUP BY p.account_id, p.bucket, j.account_id",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows(&text, &binds![at.0])
    }

    /// Postings to the accounts' buckets from the first instant on and before the second, by journal; of so many journals
    /// numbered above `after`.
    pub fn posted(
        &mut self,
        accounts: &[AccountId],
        (from, to): (Timestamp, Timestamp),
        after: i64,
        journals: i64,
    ) -> Result<Vec<Posted>, Error> {
        // An act by hand and its journal are of one instant.
        let text = format!(
            "SELECT j.id, j.at, j.name, j.cause, j.account_id, p.account_id, p.bucket, p.minor, m.value_day, COALESCE(m.remark, '')
             FROM journal j JOIN posting p ON p.journal_id = j.id
             LEFT JOIN money_act m ON m.at = j.at AND m.account_id = j.account_id AND m.name = j.name AND j.cause = m.reference || ', by ' || m.said_by
             WHERE j.id IN (SELECT id FROM journal WHERE id > ? ORDER BY id LIMIT ?) AND j.at >= ? AND j.at < ? AND p.account_id IN ({})
             ORDER BY j.id, p.line",
            integers(accounts.iter().map(|a| a.0))
        );
        let rows = self.rows::<PostedRow>(&text, &binds![after, journals, from.0, to.0])?;
        Ok(rows.into_iter().map(posted).collect())
    }

    /// Every posting of the journals that an order caused, in the order booked: those of whoever bought it.
    pub fn posted_of_order(&mut self, buyer: AccountId, order: OrderId) -> Result<Vec<Posted>, Error> {
        let text = "SELECT j.id, j.at, j.name, j.cause, j.account_id, p.account_id, p.bucket, p.minor, CAST(NULL AS BIGINT), ''
             FROM journal j JOIN posting p ON p.journal_id = j.id WHERE j.account_id = ? AND j.cause = ? ORDER BY j.id, p.line";
        let rows = self.rows::<PostedRow>(text, &binds![buyer.0, format!("order {order}")])?;
        Ok(rows.into_iter().map(posted).collect())
    }

    /// The highest number of the next so many journals above `after`; none: there are no more.
    pub fn next_journals(&mut self, after: i64, journals: i64) -> Result<Option<i64>, Error> {
        let text = "SELECT MAX(id) FROM (SELECT id FROM journal WHERE id > ? ORDER BY id LIMIT ?) AS x";
        Ok(self.row::<(Option<i64>,)>(text, &binds![after, journals])?.and_then(|r| r.0))
    }

    /// Orders that cost their buyer another amount by their journals than by what they say, also where the order itself is gone.
    /// One that is open or failed cost nothing: what is set aside for it lies in another bucket of the buyer.
    pub fn audit_costs(&mut self) -> Result<Vec<SaidAndBooked>, Error> {
        self.rows(
            "SELECT cause, account_id, said, booked FROM
               (SELECT account_id, cause, CAST(SUM(said) AS BIGINT) AS said, CAST(SUM(booked) AS BIGINT) AS booked FROM
                  (SELECT account_id, 'order ' || CAST(id AS TEXT) AS cause,
                     CASE WHEN state IN ('done', 'refunded') THEN paid_minor - refunded_minor ELSE 0 END AS said, 0 AS booked FROM orders
                   UNION ALL SELECT j.account_id, j.cause, 0, -p.minor FROM journal j
                     JOIN posting p ON p.journal_id = j.id AND p.account_id = j.account_id
                     WHERE j.name IN ('purchase', 'hold', 'capture', 'release', 'refund') AND j.cause LIKE 'order %'
                     AND p.bucket IN ('available', 'held', 'owed')) AS lines GROUP BY account_id, cause) AS x
             WHERE said <> booked ORDER BY cause LIMIT 100",
            &[],
        )
    }

    /// Acts by hand whose journal is not there or gave the account another amount. Journals are read once and not for each act.
    pub fn audit_money_acts(&mut self) -> Result<Vec<SaidAndBooked>, Error> {
        self.rows(
            "SELECT reference, account_id, said, booked FROM
               (SELECT MAX(reference) AS reference, account_id, CAST(SUM(said) AS BIGINT) AS said, CAST(SUM(booked) AS BIGINT) AS booked FROM
                  (SELECT reference, account_id, name, reference || ', by ' || said_by AS cause, minor AS said, 0 AS booked FROM money_act
                   UNION ALL SELECT NULL, j.account_id, j.name, j.cause, 0, p.minor FROM journal j
                     JOIN posting p ON p.journal_id = j.id AND p.account_id = j.account_id
                     WHERE j.name IN ('top_up', 'correction') AND p.bucket IN ('available', 'owed')) AS lines
                GROUP BY account_id, name, cause) AS x
             WHERE reference IS NOT NULL AND said <> booked ORDER BY reference LIMIT 100",
            &[],
        )
    }

    /// Orders that were paid in another currency than their account's: (order, account, currency).
    pub fn audit_currencies(&mut self) -> Result<Vec<(i64, i64, String)>, Error> {
        self.rows(
            "SELECT o.id, o.account_id, o.currency FROM orders o JOIN account a ON a.id = o.account_id
             WHERE o.currency <> a.currency AND o.paid_minor <> 0 ORDER BY o.id LIMIT 100",
            &[],
        )
    }

    /// Numbers of journals that have postings and are not there themselves.
    pub fn audit_lost_journals(&mut self) -> Result<Vec<(i64,)>, Error> {
        self.rows(
            "SELECT DISTINCT journal_id FROM posting p WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.id = p.journal_id)
             ORDER BY journal_id LIMIT 100",
            &[],
        )
    }
}
