//! Money that a person booked, each act under its reference.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::{AccountId, Timestamp};

/// An act as kept; its journal has the reference in its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoneyAct {
    /// What it is known by outside, such as a bank's number: no other act has it.
    pub reference: String,
    /// Whose money.
    pub account: AccountId,
    /// The journal's name.
    pub name: String,
    /// Minor units that the account may spend more, negative: less.
    pub minor: i64,
    /// Who booked it.
    pub said_by: String,
    /// Why.
    pub reason: String,
    /// When it was booked.
    pub at: Timestamp,
    /// The day on which the money reached the bank, as days since 1970.
    pub value_day: Option<i64>,
    /// What was said of it beside.
    pub remark: String,
}

type Row = (String, i64, String, i64, String, String, i64, Option<i64>, String);

fn act(r: Row) -> MoneyAct {
    MoneyAct {
        reference: r.0,
        account: AccountId(r.1),
        name: r.2,
        minor: r.3,
        said_by: r.4,
        reason: r.5,
        at: Timestamp(r.6),
        value_day: r.7,
        remark: r.8,
    }
}

const COLUMNS: &str = "reference, account_id, name, minor, said_by, reason, at, value_day, remark";

impl Tx<'_> {
    /// The act with this reference.
    pub fn money_act(&mut self, reference: &str) -> Result<Option<MoneyAct>, Error> {
        let text = format!("SELECT {COLUMNS} FROM money_act WHERE reference = ?");
        Ok(self.row::<Row>(&text, &binds![reference])?.map(act))
    }

    /// The newest acts, newest first; only the account's if one is named.
    pub fn money_acts(&mut self, account: Option<AccountId>, limit: i64) -> Result<Vec<MoneyAct>, Error> {
        let only = account.map_or_else(String::new, |a| format!("WHERE account_id = {}", a.0));
        let text = format!("SELECT {COLUMNS} FROM money_act {only} ORDER BY at DESC, reference LIMIT ?");
        Ok(self.rows::<Row>(&text, &binds![limit])?.into_iter().map(act).collect())
    }

    /// Keeps an act; a reference that was used before is a constraint error.
    pub fn add_money_act(&mut self, a: &MoneyAct) -> Result<(), Error> {
        self.run(
            &format!("INSERT INTO money_act ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
            &binds![&a.reference, a.account.0, &a.name, a.minor, &a.said_by, &a.reason, a.at.0, a.value_day, &a.remark],
        )?;
        Ok(())
    }
}
