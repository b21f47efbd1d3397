//! The newest rows of a set of accounts, for lists that are read page by page from the newest on.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::AccountId;

/// Up to so many accounts each has its own walk along the index by account; more are found on the way from the newest row.
const WALKS_MAX: usize = 32;

/// Cards that something keeps off, but a missing package: in the very words of their index.
pub(crate) const KEPT_OFF: &str =
    "(CASE WHEN state IN ('stopped', 'unknown') OR (state = 'active' AND (blocks & -77) <> 0) THEN 1 ELSE 0 END) = 1";
/// Active cards that only lack a package. No index has them: it would be written with nearly every order.
const BARE: &str = "state = 'active' AND (blocks & -13) = 64";

/// A table with rows of accounts, numbered in the order they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newest {
    /// Cards.
    Sims,
    /// Cards that something keeps off.
    KeptOff,
    /// Active cards that only lack a package.
    Bare,
    /// Orders.
    Orders,
    /// Deliveries.
    Deliveries,
}

impl Newest {
    fn table(self) -> &'static str {
        match self {
            Newest::Sims | Newest::KeptOff | Newest::Bare => "sim",
            Newest::Orders => "orders",
            Newest::Deliveries => "delivery",
        }
    }

    /// Whether an index begins with the account.
    fn by_account(self) -> bool {
        self != Newest::Orders
    }

    /// Which rows, where it is not all.
    fn only(self) -> Option<&'static str> {
        match self {
            Newest::KeptOff => Some(KEPT_OFF),
            Newest::Bare => Some(BARE),
            Newest::Sims | Newest::Orders | Newest::Deliveries => None,
        }
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
        if let Some(only) = of.only().filter(|_| of == Newest::Bare || accounts.len() > WALKS_MAX) {
            // The plus: as below.
            let text = format!(
                "SELECT id FROM (SELECT id, state, blocks FROM {table} WHERE +account_id IN ({}) AND id < ? ORDER BY id DESC LIMIT {LOOKED_THROUGH})
                 AS looked WHERE {only} ORDER BY id DESC LIMIT ?",
                integers(accounts.iter().map(|a| a.0))
            );
            return Ok(self.rows::<(i64,)>(&text, &binds![before, limit])?.into_iter().map(|r| r.0).collect());
        }
        if !of.by_account() || accounts.len() > WALKS_MAX {
            // The plus keeps both engines from gathering and sorting everything that the index by account finds.
            let text = format!(
                "SELECT id FROM {table} WHERE +account_id IN ({}) AND id < ? ORDER BY id DESC LIMIT ?",
                integers(accounts.iter().map(|a| a.0))
            );
            return Ok(self.rows::<(i64,)>(&text, &binds![before, limit])?.into_iter().map(|r| r.0).collect());
        }
        let only = of.only().map_or_else(String::new, |words| format!("{words} AND "));
        let text = format!("SELECT id FROM {table} WHERE {only}account_id = ? AND id < ? ORDER BY id DESC LIMIT ?");
        let mut ids = Vec::new();
        for account in accounts {
            ids.extend(self.rows::<(i64,)>(&text, &binds![account.0, before, limit])?.into_iter().map(|r| r.0));
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(ids)
    }
}

/// So many of the newest rows are looked through for those in a state.
pub const LOOKED_THROUGH: i64 = 100_000;

/// A page of rows in some state: their numbers, newest first, and below which number the next page begins; none: nothing is older.
pub(crate) type StatePage = (Vec<i64>, Option<i64>);

impl Tx<'_> {
    /// As [`Tx::newest_ids`], of rows of which `state` holds, among [`LOOKED_THROUGH`] numbers of the table at most.
    pub(crate) fn newest_in_state(
        &mut self,
        (of, state): (Newest, &'static str),
        accounts: &[AccountId],
        before: Option<i64>,
        limit: i64,
    ) -> Result<StatePage, Error> {
        let table = of.table();
        // Each end by itself is found at once; the two in one question are not, by SQLite.
        let ends = format!("SELECT COALESCE((SELECT MIN(id) FROM {table}), 0), COALESCE((SELECT MAX(id) FROM {table}), 0)");
        let (first, last) = self.row::<(i64, i64)>(&ends, &[])?.unwrap_or_default();
        let top = before.unwrap_or(i64::MAX).min(last.saturating_add(1));
        let low = top.saturating_sub(LOOKED_THROUGH);
        // The plus keeps both engines from gathering and sorting everything that the index by account finds.
        let text = format!(
            "SELECT id FROM {table} WHERE {state} AND +account_id IN ({}) AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?",
            integers(accounts.iter().map(|a| a.0))
        );
        let ids: Vec<i64> = self.rows::<(i64,)>(&text, &binds![low, top, limit])?.into_iter().map(|r| r.0).collect();
        let is_full = ids.len() as i64 == limit;
        let next = if is_full { ids.last().copied() } else { Some(low) };
        Ok((ids, next.filter(|next| *next > first)))
    }
}

/// Integers as the inside of an `IN (...)`; an empty list matches nothing.
pub(crate) fn integers(ids: impl Iterator<Item = i64>) -> String {
    let list = ids.map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    if list.is_empty() { "NULL".to_owned() } else { list }
}
