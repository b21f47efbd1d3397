//! Renewals: what an order was asked for beyond a package and a card, and who let it go.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::renewal::Review;
use kachi_domain::{AccountId, OrderId, SimId, Timestamp};

/// A renewal as kept, beside its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Its order.
    pub order: OrderId,
    /// Who bought.
    pub account: AccountId,
    /// For which card.
    pub sim: SimId,
    /// The order's long number, which no other renewal has.
    pub number: String,
    /// For how many months.
    pub months: u32,
    /// The day asked for, days since 1970-01-01 in the account's zone.
    pub start_day: Option<i64>,
    /// Who lets it go to the carrier.
    pub review: Review,
    /// The buyer's own words.
    pub remark: String,
    /// Who approved or rejected it.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<i64>,
    /// Why it did not take effect; empty if it did, or may still.
    pub reason: String,
}

type R = (i64, i64, i64, String, i64, Option<i64>, String, String, Option<String>, Option<i64>, String);
const COLUMNS: &str = "r.order_id, r.account_id, r.sim_id, r.number, r.months, r.start_day, r.review, r.remark, r.decided_by, r.decided_at, r.reason";

fn renewal(r: R) -> Result<Renewal, Error> {
    Ok(Renewal {
        order: OrderId(r.0),
        account: AccountId(r.1),
        sim: SimId(r.2),
        number: r.3,
        months: u32::try_from(r.4).map_err(|e| Error::Engine(format!("renewal {}: {e}", r.0)))?,
        start_day: r.5,
        review: Review::parse(&r.6).map_err(Error::Engine)?,
        remark: r.7,
        decided_by: r.8,
        decided_at: r.9,
        reason: r.10,
    })
}

impl Tx<'_> {
    /// Keeps a renewal beside its order. A number that another has is a constraint error.
    pub fn add_renewal(&mut self, r: &Renewal) -> Result<(), Error> {
        self.run(
            "INSERT INTO renewal (order_id, account_id, sim_id, number, months, start_day, review, remark, decided_by, decided_at, reason)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &binds![
                r.order.0,
                r.account.0,
                r.sim.0,
                &r.number,
                i64::from(r.months),
                r.start_day,
                r.review.word(),
                &r.remark,
                r.decided_by.as_deref(),
                r.decided_at,
                &r.reason
            ],
        )?;
        Ok(())
    }

    /// The renewal of an order, if the order is one.
    pub fn renewal(&mut self, order: OrderId) -> Result<Option<Renewal>, Error> {
        let text = format!("SELECT {COLUMNS} FROM renewal r WHERE r.order_id = ?");
        self.row::<R>(&text, &binds![order.0])?.map(renewal).transpose()
    }

    /// For how many months those of these orders are that are renewals: (order, months).
    pub fn months_of_orders(&mut self, orders: &[OrderId]) -> Result<Vec<(i64, i64)>, Error> {
        let (among, value) = self.among("order_id", &orders.iter().map(|o| o.0).collect::<Vec<_>>());
        self.rows(&format!("SELECT order_id, months FROM renewal WHERE {among}"), &[value])
    }

    /// The order of the renewal with this long number.
    pub fn renewal_order(&mut self, number: &str) -> Result<Option<OrderId>, Error> {
        let row = self.row::<(i64,)>("SELECT order_id FROM renewal WHERE number = ?", &binds![number])?;
        Ok(row.map(|r| OrderId(r.0)))
    }

    /// The long number of the card's first renewal that neither took effect nor was refused, and who ordered it.
    pub fn open_renewal(&mut self, sim: SimId) -> Result<Option<(String, AccountId)>, Error> {
        let row = self.row::<(String, i64)>(
            "SELECT r.number, r.account_id FROM renewal r JOIN orders o ON o.id = r.order_id
             WHERE r.sim_id = ? AND o.state IN ('in_review', 'pending') ORDER BY r.order_id LIMIT 1",
            &binds![sim.0],
        )?;
        Ok(row.map(|r| (r.0, AccountId(r.1))))
    }

    /// The long number of the card's first renewal that waits for the operator.
    pub fn renewal_in_review(&mut self, sim: SimId) -> Result<Option<String>, Error> {
        let row = self.row::<(String,)>(
            "SELECT r.number FROM renewal r JOIN orders o ON o.id = r.order_id
             WHERE r.sim_id = ? AND o.state = 'in_review' ORDER BY r.order_id LIMIT 1",
            &binds![sim.0],
        )?;
        Ok(row.map(|r| r.0))
    }

    /// Who approved or rejected a renewal, and why it did not take effect.
    pub fn decide_renewal(&mut self, order: OrderId, who: &str, now: Timestamp) -> Result<(), Error> {
        self.run("UPDATE renewal SET decided_by = ?, decided_at = ? WHERE order_id = ?", &binds![who, now.0, order.0])?;
        Ok(())
    }

    /// Why a renewal did not take effect.
    pub fn set_renewal_reason(&mut self, order: OrderId, reason: &str) -> Result<(), Error> {
        self.run("UPDATE renewal SET reason = ? WHERE order_id = ?", &binds![reason, order.0])?;
        Ok(())
    }

    /// Renewals, newest first: those in review, or all.
    pub fn renewals_newest(&mut self, in_review_only: bool, limit: i64) -> Result<Vec<Renewal>, Error> {
        let clause = if in_review_only { "JOIN orders o ON o.id = r.order_id WHERE o.state = 'in_review'" } else { "" };
        let text = format!("SELECT {COLUMNS} FROM renewal r {clause} ORDER BY r.order_id DESC LIMIT ?");
        self.rows::<R>(&text, &binds![limit])?.into_iter().map(renewal).collect()
    }
}
