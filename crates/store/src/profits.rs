//! What each level earned on sales, line by line: kept beside the journals, for the list of profits.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::orders::Order;
use crate::page::integers;
use kachi_domain::profit::{Profit, WithdrawalKind, WithdrawalState};
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
    /// The order.
    pub order: Option<OrderId>,
    /// The order's long number.
    pub order_number: Option<&'a str>,
    /// Lines whose last withdrawal is in this state; `Some(None)`: those that no withdrawal has taken.
    pub withdrawal: Option<Option<WithdrawalState>>,
    /// Lines whose last withdrawal is of this kind.
    pub kind: Option<WithdrawalKind>,
}

impl<'a> ProfitFilter<'a> {
    /// Whether every line is meant.
    fn is_whole(&self) -> bool {
        let narrows = [self.number.is_some(), self.packages.is_some(), self.from.is_some(), self.to.is_some()];
        let more = [self.order.is_some(), self.order_number.is_some(), self.withdrawal.is_some(), self.kind.is_some()];
        !narrows.into_iter().chain(more).any(|narrows| narrows)
    }

    /// What has to be looked at beside the lines themselves.
    fn joins(&self) -> String {
        let mut joins = String::new();
        if self.order_number.is_some() || self.packages.is_some() {
            joins.push_str(" JOIN orders o ON o.id = p.order_id");
        }
        if self.kind.is_some() || matches!(self.withdrawal, Some(Some(_))) {
            joins.push_str(" JOIN withdrawal w ON w.id = p.withdrawal_id");
        }
        joins
    }

    fn clause(&self, account: AccountId) -> (String, Vec<Value<'a>>) {
        let mut clause = String::from("p.account_id = ?");
        let mut values = vec![Value::from(account.0)];
        match self.withdrawal {
            Some(None) => clause.push_str(" AND p.withdrawal_id IS NULL"),
            Some(Some(state)) => clause.push_str(&format!(" AND w.state = '{}'", state.word())),
            None => {}
        }
        if let Some(kind) = self.kind {
            clause.push_str(&format!(" AND w.kind = '{}'", kind.word()));
        }
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
        if let Some(order) = self.order {
            and("p.order_id = ?", order.0.into());
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
    /// Writes the lines of a sale, or of what went back of one. The caller holds the balances of their accounts: each line has the
    /// next number of its account.
    pub fn add_profits(&mut self, order: &Order, lines: &[Profit], now: Timestamp) -> Result<(), Error> {
        for p in lines {
            self.run(
                "INSERT INTO profit (account_id, order_id, sim_id, minor, child_minor, at, nth)
                 SELECT ?, ?, ?, ?, ?, ?, COALESCE(MAX(nth), 0) + 1 FROM profit WHERE account_id = ?",
                &binds![p.account.0, order.id.0, order.sim.0, p.minor, p.child_minor, now.0, p.account.0],
            )?;
        }
        Ok(())
    }

    /// A stretch of the account's lines, oldest first: found by their numbers where all are meant, so that the last page costs what
    /// the first does; else those before it are passed over without looking at their orders.
    pub fn profits(
        &mut self,
        account: AccountId,
        filter: &ProfitFilter<'_>,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<ProfitLine>, Error> {
        let (clause, mut values) = filter.clause(account);
        let stretch = if filter.is_whole() {
            values.extend(binds![offset, offset.saturating_add(limit)]);
            format!("{clause} AND p.nth > ? AND p.nth <= ?")
        } else {
            values.extend(binds![limit, offset]);
            let joins = filter.joins();
            format!("p.id IN (SELECT p.id FROM profit p{joins} WHERE {clause} ORDER BY p.nth LIMIT ? OFFSET ?)")
        };
        let text = format!(
            "SELECT p.id, COALESCE(s.iccid, ''), o.id, o.package_id, o.paid_minor, o.currency, o.renewal, p.minor, p.child_minor, p.at
             FROM profit p JOIN orders o ON o.id = p.order_id LEFT JOIN sim s ON s.id = p.sim_id WHERE {stretch} ORDER BY p.nth"
        );
        self.rows_once::<Row>(&text, &values)?.into_iter().map(line).collect()
    }

    /// How many lines the account has.
    pub fn profits_count(&mut self, account: AccountId, filter: &ProfitFilter<'_>) -> Result<i64, Error> {
        let (clause, values) = filter.clause(account);
        let what = if filter.is_whole() { "COALESCE(MAX(p.nth), 0)" } else { "COUNT(*)" };
        let text = format!("SELECT {what} FROM profit p{} WHERE {clause}", filter.joins());
        Ok(self.rows_once::<(i64,)>(&text, &values)?.first().map_or(0, |r| r.0))
    }

    /// Accounts whose lines are not numbered from 1 on without a gap: (account, lines, the last number).
    pub fn audit_profit_numbers(&mut self) -> Result<Vec<(i64, i64, i64)>, Error> {
        self.rows(
            "SELECT account_id, COUNT(*), MAX(nth) FROM profit GROUP BY account_id HAVING COUNT(*) <> MAX(nth) LIMIT 100",
            &[],
        )
    }

    /// Accounts whose lines do not add up to what sales and refunds posted to them: (account, lines, postings).
    pub fn audit_profits(&mut self) -> Result<Vec<(i64, i64, i64)>, Error> {
        self.rows(
            "SELECT account_id, CAST(SUM(listed) AS BIGINT), CAST(SUM(posted) AS BIGINT) FROM (
               SELECT account_id, SUM(minor) AS listed, 0 AS posted FROM profit GROUP BY account_id
               UNION ALL SELECT p.account_id, 0, SUM(p.minor) FROM journal j JOIN posting p ON p.journal_id = j.id
               WHERE j.name IN ('purchase', 'capture', 'refund') AND j.cause LIKE 'order %' AND p.line > 1 AND p.bucket IN ('available', 'owed') GROUP BY p.account_id
             ) AS x GROUP BY account_id HAVING SUM(listed) <> SUM(posted) LIMIT 100",
            &[],
        )
    }
}

/// Profits that are, or were to be, paid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Its number.
    pub id: i64,
    /// Whose profits.
    pub account: AccountId,
    /// By a person's word, or as the daily one.
    pub kind: WithdrawalKind,
    /// Where it stands.
    pub state: WithdrawalState,
    /// How much, minor units.
    pub minor: i64,
    /// When it began.
    pub created_at: i64,
    /// Who began it; none where that was not kept yet.
    pub begun_by: Option<String>,
    /// When it was settled.
    pub settled_at: Option<i64>,
    /// Who said that it was paid out, or will not be.
    pub settled_by: Option<String>,
    /// Why it was not paid out.
    pub note: String,
}

/// A withdrawal whose lines or journals say otherwise than it does; all amounts are minor units.
#[derive(Debug)]
pub struct WithdrawalFound {
    /// Its number.
    pub id: i64,
    /// Whose profits.
    pub account: i64,
    /// Where it says that it stands.
    pub state: String,
    /// What it says itself.
    pub minor: i64,
    /// What its lines add up to.
    pub lines: i64,
    /// What its journals hold.
    pub held: i64,
    /// What by its journals has left.
    pub paid: i64,
}

type W = (i64, i64, String, String, i64, i64, Option<String>, Option<i64>, Option<String>, String);

fn withdrawal(r: W) -> Result<Withdrawal, Error> {
    Ok(Withdrawal {
        id: r.0,
        account: AccountId(r.1),
        kind: WithdrawalKind::parse(&r.2).map_err(Error::Engine)?,
        state: WithdrawalState::parse(&r.3).map_err(Error::Engine)?,
        minor: r.4,
        created_at: r.5,
        begun_by: r.6,
        settled_at: r.7,
        settled_by: r.8,
        note: r.9,
    })
}

const WITHDRAWAL: &str =
    "SELECT id, account_id, kind, state, minor, created_at, begun_by, settled_at, settled_by, note FROM withdrawal";

/// Lines that no withdrawal has taken, or one that failed.
const WAITS: &str = "(withdrawal_id IS NULL OR withdrawal_id IN (SELECT id FROM withdrawal WHERE state = 'failed'))";

impl Tx<'_> {
    /// Begins a withdrawal of the account's lines that wait for one, which add up to so much; the answer is its number. The caller
    /// holds the account's balance.
    pub fn add_withdrawal(
        &mut self,
        account: AccountId,
        (kind, by): (WithdrawalKind, &str),
        minor: i64,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let id = self.row::<(i64,)>(
            "INSERT INTO withdrawal (account_id, kind, state, minor, created_at, begun_by, note) VALUES (?, ?, 'review', ?, ?, ?, '')
             RETURNING id",
            &binds![account.0, kind.word(), minor, now.0, by],
        )?;
        let id = id.map_or(0, |r| r.0);
        self.run(&format!("UPDATE profit SET withdrawal_id = ? WHERE account_id = ? AND {WAITS}"), &binds![id, account.0])?;
        Ok(id)
    }

    /// A withdrawal.
    pub fn withdrawal(&mut self, id: i64) -> Result<Option<Withdrawal>, Error> {
        self.row::<W>(&format!("{WITHDRAWAL} WHERE id = ?"), &binds![id])?.map(withdrawal).transpose()
    }

    /// Withdrawals, newest first.
    pub fn withdrawals(&mut self, limit: i64) -> Result<Vec<Withdrawal>, Error> {
        self.rows::<W>(&format!("{WITHDRAWAL} ORDER BY id DESC LIMIT ?"), &binds![limit])?.into_iter().map(withdrawal).collect()
    }

    /// What accounts earned that no withdrawal has taken, or one that failed; of one account if it is named: (account, minor units,
    /// lines).
    pub fn profits_waiting(&mut self, account: Option<AccountId>) -> Result<Vec<(i64, i64, i64)>, Error> {
        let only = account.map_or_else(String::new, |a| format!("account_id = {} AND ", a.0));
        let text = format!(
            "SELECT account_id, CAST(SUM(minor) AS BIGINT), COUNT(*) FROM profit WHERE {only}{WAITS} GROUP BY account_id ORDER BY account_id"
        );
        self.rows(&text, &[])
    }

    /// Settles a withdrawal under review; false if it is settled.
    pub fn settle_withdrawal(
        &mut self,
        id: i64,
        state: WithdrawalState,
        (by, note): (&str, &str),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let text = "UPDATE withdrawal SET state = ?, settled_at = ?, settled_by = ?, note = ? WHERE id = ? AND state = 'review'";
        Ok(self.run(text, &binds![state.word(), now.0, by, note, id])? > 0)
    }

    /// Withdrawals whose lines, or whose journals, say otherwise than they do. Under review it is held, and nowhere else; done it has
    /// left, and failed it is back, and its lines may be another one's. Journals are read once and not for each withdrawal.
    pub fn audit_withdrawals(&mut self) -> Result<Vec<WithdrawalFound>, Error> {
        type Row = (i64, i64, String, i64, i64, i64, i64);
        let rows = self.rows::<Row>(
            "SELECT id, account_id, state, minor, lines, held, paid FROM
               (SELECT w.id, w.account_id, w.state, w.minor, COALESCE(l.minor, 0) AS lines, COALESCE(b.held, 0) AS held, COALESCE(b.paid, 0) AS paid
                FROM withdrawal w
                LEFT JOIN (SELECT withdrawal_id, CAST(SUM(minor) AS BIGINT) AS minor FROM profit WHERE withdrawal_id IS NOT NULL
                  GROUP BY withdrawal_id) AS l ON l.withdrawal_id = w.id
                LEFT JOIN (SELECT j.account_id, j.cause,
                  CAST(SUM(CASE WHEN p.bucket = 'held' AND p.account_id = j.account_id THEN p.minor ELSE 0 END) AS BIGINT) AS held,
                  CAST(SUM(CASE WHEN p.bucket = 'cash' AND j.name = 'withdrawal' THEN p.minor ELSE 0 END) AS BIGINT) AS paid
                  FROM journal j JOIN posting p ON p.journal_id = j.id WHERE j.cause LIKE 'withdrawal %' GROUP BY j.account_id, j.cause) AS b
                ON b.account_id = w.account_id AND b.cause = 'withdrawal ' || CAST(w.id AS TEXT)) AS x
             WHERE (state <> 'failed' AND minor <> lines) OR held <> CASE WHEN state = 'review' THEN minor ELSE 0 END
             OR paid <> CASE WHEN state = 'done' THEN minor ELSE 0 END ORDER BY id LIMIT 100",
            &[],
        )?;
        let found =
            |(id, account, state, minor, lines, held, paid)| WithdrawalFound { id, account, state, minor, lines, held, paid };
        Ok(rows.into_iter().map(found).collect())
    }
}
