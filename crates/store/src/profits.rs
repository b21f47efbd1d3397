//! What each level earned on sales, line by line: kept beside the journals, for the list of profits.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::orders::Order;
use crate::page::integers;
use kachi_domain::profit::Profit;
use kachi_domain::{AccountId, Currency, OrderId, PackageId, Timestamp};

/// A line of an account's profits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfitLine {
    /// Its number.
    pub id: i64,
    /// The card that was bought for; empty where it was a pool.
    pub iccid: String,
    /// The order.
    pub order: OrderId,
    /// What was bought.
    pub package: PackageId,
    /// What the buyer paid, minor units.
    pub paid_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Whether the card had a package before.
    pub renewal: bool,
    /// The account's own part, minor units; negative for what went back.
    pub minor: i64,
    /// The parts of the levels below it, minor units.
    pub child_minor: i64,
    /// When.
    pub at: i64,
}

/// Which lines; every field given narrows.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProfitFilter<'a> {
    /// ICCID or telephone number of the card.
    pub number: Option<&'a str>,
    /// Numbers of packages.
    pub packages: Option<&'a [i64]>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
    /// The order's long number.
    pub order_number: Option<&'a str>,
}

impl<'a> ProfitFilter<'a> {
    fn clause(&self, account: AccountId) -> (String, Vec<Value<'a>>) {
        let mut clause = String::from("p.account_id = ?");
        let mut values = vec![Value::from(account.0)];
        let mut and = |words: &str, value: Value<'a>| {
            clause.push_str(" AND ");
            clause.push_str(words);
            values.push(value);
        };
        if let Some(from) = self.from {
            and("p.at >= ?", from.0.into());
        }
        if let Some(to) = self.to {
            and("p.at <= ?", to.0.into());
        }
        if let Some(number) = self.order_number {
            and("o.number = ?", number.into());
        }
        if let Some(number) = self.number {
            and("p.sim_id IN (SELECT sim_id FROM sim_key WHERE number = ? AND kind IN ('iccid', 'msisdn'))", number.into());
        }
        if let Some(packages) = self.packages {
            clause.push_str(&format!(" AND o.package_id IN ({})", integers(packages.iter().copied())));
        }
        (clause, values)
    }
}

type Row = (i64, String, i64, i64, i64, String, i64, i64, i64, i64);

fn line(r: Row) -> Result<ProfitLine, Error> {
    Ok(ProfitLine {
        id: r.0,
        iccid: r.1,
        order: OrderId(r.2),
        package: PackageId(r.3),
        paid_minor: r.4,
        currency: Currency::parse(&r.5).map_err(Error::Engine)?,
        renewal: r.6 != 0,
        minor: r.7,
        child_minor: r.8,
        at: r.9,
    })
}

impl Tx<'_> {
    /// Writes the lines of a sale, or of what went back of one.
    pub fn add_profits(&mut self, order: &Order, lines: &[Profit], now: Timestamp) -> Result<(), Error> {
        for p in lines {
            self.run(
                "INSERT INTO profit (account_id, order_id, sim_id, minor, child_minor, at) VALUES (?, ?, ?, ?, ?, ?)",
                &binds![p.account.0, order.id.0, order.sim.0, p.minor, p.child_minor, now.0],
            )?;
        }
        Ok(())
    }

    /// A stretch of the account's lines, oldest first.
    pub fn profits(
        &mut self,
        account: AccountId,
        filter: &ProfitFilter<'_>,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<ProfitLine>, Error> {
        let (clause, mut values) = filter.clause(account);
        let text = format!(
            "SELECT p.id, COALESCE(s.iccid, ''), o.id, o.package_id, o.paid_minor, o.currency, o.renewal, p.minor, p.child_minor, p.at
             FROM profit p JOIN orders o ON o.id = p.order_id LEFT JOIN sim s ON s.id = p.sim_id
             WHERE {clause} ORDER BY p.id LIMIT ? OFFSET ?"
        );
        values.extend(binds![limit, offset]);
        self.rows_once::<Row>(&text, &values)?.into_iter().map(line).collect()
    }

    /// How many lines the account has.
    pub fn profits_count(&mut self, account: AccountId, filter: &ProfitFilter<'_>) -> Result<i64, Error> {
        let (clause, values) = filter.clause(account);
        let text = format!("SELECT COUNT(*) FROM profit p JOIN orders o ON o.id = p.order_id WHERE {clause}");
        Ok(self.rows_once::<(i64,)>(&text, &values)?.first().map_or(0, |r| r.0))
    }

    /// Accounts whose lines do not add up to what sales and refunds posted to them: (account, lines, postings).
    pub fn audit_profits(&mut self) -> Result<Vec<(i64, i64, i64)>, Error> {
        self.rows(
            "SELECT account_id, CAST(SUM(listed) AS BIGINT), CAST(SUM(posted) AS BIGINT) FROM (
               SELECT account_id, SUM(minor) AS listed, 0 AS posted FROM profit GROUP BY account_id
               UNION ALL SELECT p.account_id, 0, SUM(p.minor) FROM journal j JOIN posting p ON p.journal_id = j.id
               WHERE j.name IN ('purchase', 'capture', 'refund') AND j.cause LIKE 'order %' AND p.line > 1 AND p.bucket = 'available' GROUP BY p.account_id
             ) AS x GROUP BY account_id HAVING SUM(listed) <> SUM(posted) LIMIT 100",
            &[],
        )
    }
}
