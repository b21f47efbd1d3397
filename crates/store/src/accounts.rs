//! Accounts, their keys at each door, and the people who log in.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::account::{Path, Switch};
use kachi_domain::{AccountId, Currency, Timestamp};

/// A tenant as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Our own unique word for it.
    pub code: String,
    /// Its place in the tree.
    pub path: Path,
    /// Its name.
    pub name: String,
    /// The one currency it pays in.
    pub currency: Currency,
    /// IANA zone of its days and months.
    pub time_zone: String,
    /// `zh` or `en`, of messages.
    pub language: String,
    /// Minor units it may owe.
    pub credit_minor: i64,
    /// JSON list of networks that may call; empty = any.
    pub ip_allow: String,
    /// JSON object from door to notify address.
    pub notify: String,
    /// JSON object.
    pub contact: String,
    /// Its own switch; one that is stricter above it holds too.
    pub switch: Switch,
    /// Whether it may take cards of the operator's contracts that nobody has here.
    pub claims: bool,
    /// Whether its cards are stopped while it is in arrears.
    pub credit_stop: bool,
}

type AccountRow = (i64, String, String, String, String, String, String, i64, String, String, String, String, i64, i64);

const ACCOUNT_COLUMNS: &str =
    "id, code, path, name, currency, time_zone, language, credit_minor, ip_allow, notify, contact, switch, claims, credit_stop";

fn account(r: AccountRow) -> Result<Account, Error> {
    let currency = Currency::parse(&r.4).map_err(Error::Engine)?;
    Ok(Account {
        id: AccountId(r.0),
        code: r.1,
        path: Path::stored(r.2),
        name: r.3,
        currency,
        time_zone: r.5,
        language: r.6,
        credit_minor: r.7,
        ip_allow: r.8,
        notify: r.9,
        contact: r.10,
        switch: Switch::parse(&r.11).map_err(Error::Engine)?,
        claims: r.12 != 0,
        credit_stop: r.13 != 0,
    })
}

/// A key at a door: (door, name, account, secret).
pub type Credential = (String, String, AccountId, String);

impl Tx<'_> {
    /// Every account, parents before children.
    pub fn accounts(&mut self) -> Result<Vec<Account>, Error> {
        let text = format!("SELECT {ACCOUNT_COLUMNS} FROM account ORDER BY LENGTH(path), id");
        self.rows::<AccountRow>(&text, &[])?.into_iter().map(account).collect()
    }

    /// Creates the account, or changes everything but its number, place and currency.
    pub fn put_account(&mut self, a: &Account, now: Timestamp) -> Result<(), Error> {
        let parent = a.path.chain().iter().rev().nth(1).map(|p| p.0);
        self.run(
            "INSERT INTO account (id, code, parent_id, path, name, currency, time_zone, language, credit_minor, ip_allow, notify, contact, switch, claims, credit_stop, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone, language = excluded.language,
             credit_minor = excluded.credit_minor, ip_allow = excluded.ip_allow, notify = excluded.notify, contact = excluded.contact,
             switch = excluded.switch, claims = excluded.claims, credit_stop = excluded.credit_stop",
            &binds![
                a.id.0, &a.code, parent, a.path.as_str(), &a.name, a.currency.as_str(), &a.time_zone, &a.language,
                a.credit_minor, &a.ip_allow, &a.notify, &a.contact, a.switch.word(), a.claims, a.credit_stop, now.0
            ],
        )?;
        self.run(
            "INSERT INTO balance (account_id, available_minor, held_minor, credit_minor) VALUES (?, 0, 0, ?)
             ON CONFLICT (account_id) DO UPDATE SET credit_minor = excluded.credit_minor",
            &binds![a.id.0, a.credit_minor],
        )?;
        self.add_credit_stop(a.id, now)
    }

    /// The greatest account number in use.
    pub fn last_account_id(&mut self) -> Result<i64, Error> {
        Ok(self.row::<(i64,)>("SELECT COALESCE(MAX(id), 0) FROM account", &[])?.map_or(0, |r| r.0))
    }

    /// Every key of every door.
    pub fn credentials(&mut self) -> Result<Vec<Credential>, Error> {
        let rows = self.rows::<(String, String, i64, String)>("SELECT door, name, account_id, secret FROM credential", &[])?;
        Ok(rows.into_iter().map(|(door, name, id, secret)| (door, name, AccountId(id), secret)).collect())
    }

    /// Creates or changes a key. A name taken by another account is a constraint error.
    pub fn put_credential(&mut self, door: &str, name: &str, account: AccountId, secret: &str) -> Result<(), Error> {
        let n = self.run(
            "INSERT INTO credential (door, name, account_id, secret) VALUES (?, ?, ?, ?)
             ON CONFLICT (door, name) DO UPDATE SET secret = excluded.secret WHERE credential.account_id = excluded.account_id",
            &binds![door, name, account.0, secret],
        )?;
        if n == 0 {
            return Err(Error::Constraint(format!("credentials: {door} key \"{name}\" belongs to another account")));
        }
        Ok(())
    }

    /// Creates a person's login, or changes its password and role; who is logged in with it logs in again.
    pub fn put_login(
        &mut self,
        name: &str,
        account: AccountId,
        role: &str,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO login (name, account_id, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash",
            &binds![name, account.0, role, password_hash, now.0],
        )?;
        self.close_sessions(name)
    }

    /// Takes a person's login away, and who is logged in with it out; whether there was one.
    pub fn remove_login(&mut self, name: &str) -> Result<bool, Error> {
        self.close_sessions(name)?;
        Ok(self.run("DELETE FROM login WHERE name = ?", &binds![name])? > 0)
    }

    /// A login's account, role and password hash.
    pub fn login(&mut self, name: &str) -> Result<Option<(AccountId, String, String)>, Error> {
        let row =
            self.row::<(i64, String, String)>("SELECT account_id, role, password_hash FROM login WHERE name = ?", &binds![name])?;
        Ok(row.map(|(id, role, hash)| (AccountId(id), role, hash)))
    }

    /// Every login: name, account, role.
    pub fn logins(&mut self) -> Result<Vec<(String, AccountId, String)>, Error> {
        let rows = self.rows::<(String, i64, String)>("SELECT name, account_id, role FROM login ORDER BY name", &[])?;
        Ok(rows.into_iter().map(|(name, id, role)| (name, AccountId(id), role)).collect())
    }

    /// Opens a session of a login whose password is still the one with this hash; whether it is. Old sessions are swept.
    pub fn put_session(
        &mut self,
        token_hash: &str,
        (login, account, password_hash): (&str, AccountId, &str),
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.run("DELETE FROM session WHERE expires_at < ?", &binds![now.0])?;
        // Who gives the login another password meanwhile waits, and then ends this session too.
        let lock = if self.is_postgres() { " FOR UPDATE" } else { "" };
        let found = self.row::<(String,)>(
            &format!("SELECT password_hash FROM login WHERE name = ? AND account_id = ?{lock}"),
            &binds![login, account.0],
        )?;
        if found.is_none_or(|(hash,)| hash != password_hash) {
            return Ok(false);
        }
        self.run(
            "INSERT INTO session (token_hash, login, account_id, expires_at) VALUES (?, ?, ?, ?)",
            &binds![token_hash, login, account.0, expires.0],
        )?;
        Ok(true)
    }

    /// The login and account of a live session.
    pub fn session(&mut self, token_hash: &str, now: Timestamp) -> Result<Option<(String, AccountId)>, Error> {
        let row = self.row::<(String, i64)>(
            "SELECT login, account_id FROM session WHERE token_hash = ? AND expires_at >= ?",
            &binds![token_hash, now.0],
        )?;
        Ok(row.map(|(login, id)| (login, AccountId(id))))
    }
}

impl Tx<'_> {
    /// Ends a session.
    pub fn close_session(&mut self, token_hash: &str) -> Result<(), Error> {
        self.run("DELETE FROM session WHERE token_hash = ?", &binds![token_hash])?;
        Ok(())
    }

    /// Ends all sessions of a login.
    fn close_sessions(&mut self, login: &str) -> Result<(), Error> {
        self.run("DELETE FROM session WHERE login = ?", &binds![login])?;
        Ok(())
    }
}
