//! The newest rows of a set of accounts, for lists that are read page by page from the newest on.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::AccountId;

/// Up to so many accounts each has its own walk along the index by account; more are found on the way from the newest row.
const WALKS_MAX: usize = 32;

/// A table with rows of accounts, numbered in the order they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newest {
    /// Cards.
    Sims,
    /// Orders.
    Orders,
    /// Deliveries.
    Deliveries,
}

impl Newest {
    fn table(self) -> &'static str {
        match self {
            Newest::Sims => "sim",
            Newest::Orders => "orders",
            Newest::Deliveries => "delivery",
        }
    }

    /// Whether an index begins with the account.
    fn by_account(self) -> bool {
        self != Newest::Orders
    }
}

impl Tx<'_> {
    /// Numbers of the newest rows of the accounts, newest first, below `before`.
    pub(crate) fn newest_ids(
        &mut self,
        of: Newest,
        accounts: &[AccountId],
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<i64>, Error> {
        let (table, before) = (of.table(), before.unwrap_or(i64::MAX));
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        if !of.by_account() || accounts.len() > WALKS_MAX {
            // The plus keeps both engines from gathering and sorting everything that the index by account finds.
            let text = format!(
                "SELECT id FROM {table} WHERE +account_id IN ({}) AND id < ? ORDER BY id DESC LIMIT ?",
                integers(accounts.iter().map(|a| a.0))
            );
            return Ok(self.rows::<(i64,)>(&text, &binds![before, limit])?.into_iter().map(|r| r.0).collect());
        }
        let text = format!("SELECT id FROM {table} WHERE account_id = ? AND id < ? ORDER BY id DESC LIMIT ?");
        let mut ids = Vec::new();
        for account in accounts {
            ids.extend(self.rows::<(i64,)>(&text, &binds![account.0, before, limit])?.into_iter().map(|r| r.0));
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(ids)
    }
}

/// Integers as the inside of an `IN (...)`; an empty list matches nothing.
pub(crate) fn integers(ids: impl Iterator<Item = i64>) -> String {
    let list = ids.map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    if list.is_empty() { "NULL".to_owned() } else { list }
}
