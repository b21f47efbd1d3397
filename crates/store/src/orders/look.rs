//! Orders as people look at them: pages, the newest first, and what is kept of an order beside its row.

use super::{ORDER_COLUMNS, Order, OrderRow, order};
use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::page::{Newest, integers};
use kachi_domain::order::OrderState;
use kachi_domain::{AccountId, OrderId, SimId};

/// Which orders of a list; every field given narrows.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderFilter<'a> {
    /// Bought by one of these accounts.
    pub accounts: Option<&'a [AccountId]>,
    /// For this card.
    pub sim: Option<SimId>,
    /// In this state.
    pub state: Option<OrderState>,
    /// With a number below this one.
    pub before: Option<i64>,
}

/// Where the orders of a list stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrdersIn {
    /// They have taken effect.
    Done,
    /// They wait for their carrier or for the operator.
    Open,
    /// They came to nothing.
    Failed,
}

impl OrdersIn {
    fn clause(self) -> &'static str {
        match self {
            OrdersIn::Done => "state = 'done'",
            OrdersIn::Open => "state IN ('pending', 'in_review')",
            OrdersIn::Failed => "state = 'failed'",
        }
    }
}

impl Tx<'_> {
    /// A page of the accounts' orders that stand so, newest first, numbers below `before`; and below which number the next page begins.
    pub fn orders_in_state(
        &mut self,
        of: OrdersIn,
        accounts: &[AccountId],
        before: Option<i64>,
        limit: i64,
    ) -> Result<(Vec<Order>, Option<i64>), Error> {
        let (ids, next) = self.newest_in_state((Newest::Orders, of.clause()), accounts, before, limit)?;
        let text =
            format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id IN ({}) ORDER BY o.id DESC", integers(ids.into_iter()));
        let orders = self.rows::<OrderRow>(&text, &[])?.into_iter().map(order).collect::<Result<_, _>>()?;
        Ok((orders, next))
    }

    /// A page of the accounts' orders, newest first, numbers below `before`.
    pub fn orders_before(&mut self, accounts: &[AccountId], before: Option<i64>, limit: i64) -> Result<Vec<Order>, Error> {
        let ids = self.newest_ids(Newest::Orders, accounts, before, limit)?;
        let text =
            format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id IN ({}) ORDER BY o.id DESC", integers(ids.into_iter()));
        self.rows::<OrderRow>(&text, &[])?.into_iter().map(order).collect()
    }

    /// A page of such orders, whoever's they are, newest first.
    pub fn orders_found(&mut self, of: OrderFilter<'_>, limit: i64) -> Result<Vec<Order>, Error> {
        let (mut clause, mut values) = ("o.id < ?".to_owned(), vec![Value::from(of.before.unwrap_or(i64::MAX))]);
        let mut and = |words: &str, value: Value<'static>| {
            clause.push_str(" AND ");
            clause.push_str(words);
            values.push(value);
        };
        if let Some(accounts) = of.accounts {
            // The plus keeps both engines from gathering and sorting everything that the index by account finds.
            let column = if accounts.len() == 1 { "o.account_id" } else { "+o.account_id" };
            let (among, value) = self.among(column, &accounts.iter().map(|a| a.0).collect::<Vec<_>>());
            and(&among, value);
        }
        if let Some(sim) = of.sim {
            and("o.id IN (SELECT order_id FROM subscription WHERE sim_id = ?)", sim.0.into());
        }
        if let Some(state) = of.state {
            and("o.state = ?", state.word().into());
        }
        values.push(limit.into());
        let text = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE {clause} ORDER BY o.id DESC LIMIT ?");
        self.rows::<OrderRow>(&text, &values)?.into_iter().map(order).collect()
    }

    /// How many orders of the accounts are in each state: (state, orders).
    pub fn orders_counted(&mut self, accounts: &[AccountId]) -> Result<Vec<(String, i64)>, Error> {
        let text = format!(
            "SELECT state, COUNT(*) FROM orders WHERE account_id IN ({}) GROUP BY state ORDER BY state",
            integers(accounts.iter().map(|a| a.0))
        );
        self.rows(&text, &[])
    }

    /// What was said when an order was taken back, and the inputs that its amount was computed from, JSON; nothing of one that was not.
    pub fn refund_of_order(&mut self, id: OrderId) -> Result<Option<(String, String)>, Error> {
        let text = "SELECT remark, refund_basis FROM orders WHERE id = ? AND refund_basis IS NOT NULL";
        let row = self.row::<(Option<String>, String)>(text, &binds![id.0])?;
        Ok(row.map(|(remark, basis)| (remark.unwrap_or_default(), basis)))
    }
}
