//! CDR files to customers: where they go, which facts they name, and one row for each file and each attempt.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::cdr::delivery::{Protocol, Target};
use kachi_domain::usage::CdrRecord;
use kachi_domain::{AccountId, Iccid, SimId, Timestamp};

/// A delivery under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The delivery.
    pub id: i64,
    /// Whose folder.
    pub account: AccountId,
    /// The half hour it was made at.
    pub slot: Timestamp,
    /// Attempts since it was made or asked for by hand.
    pub tries: i64,
}

/// What an attempt came to.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The delivery.
    pub id: i64,
    /// `done`, `waiting` or `dead`.
    pub state: &'static str,
    /// When the next one is due; none if it is settled.
    pub next: Option<Timestamp>,
    /// Records and bytes of the file, if it was made.
    pub size: Option<(i64, i64)>,
    /// How long it took.
    pub millis: i64,
    /// What the server said last, or the error.
    pub answer: String,
}

/// A delivery as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CdrDelivery {
    /// The delivery.
    pub id: i64,
    /// Whose folder.
    pub account: AccountId,
    /// The half hour it was made at.
    pub slot: Timestamp,
    /// `waiting`, `done` or `dead`.
    pub state: String,
    /// Attempts made.
    pub attempts: i64,
    /// When the next attempt is due.
    pub due_at: Option<i64>,
    /// When the file arrived last.
    pub done_at: Option<i64>,
    /// Records of the file.
    pub records: Option<i64>,
    /// Bytes of the file.
    pub bytes: Option<i64>,
    /// What came of the last attempt.
    pub last_answer: Option<String>,
}

/// An attempt as kept: (attempt, at, millis, answer).
pub type CdrAttemptRow = (i64, i64, i64, String);

/// Facts of one batch that a file names, and how far they were read.
#[derive(Debug, Clone)]
pub struct CdrBatch {
    id: i64,
    day: i64,
    platform: i64,
    next_source: i64,
    source_max: i64,
    /// Stop times from here on.
    from: i64,
    /// Stop times before this.
    before: i64,
}

const TARGET: &str = "protocol, host, port, user_name, password, private_key, directory, fingerprint";

impl Tx<'_> {
    /// The account's folder.
    pub fn cdr_target(&mut self, account: AccountId) -> Result<Option<Target>, Error> {
        type R = (String, String, i64, String, String, String, String, String);
        let row = self.row::<R>(&format!("SELECT {TARGET} FROM cdr_target WHERE account_id = ?"), &binds![account.0])?;
        let target = |r: R| {
            Ok(Target {
                protocol: Protocol::parse(&r.0).map_err(Error::Engine)?,
                host: r.1,
                port: u16::try_from(r.2).unwrap_or(0),
                user: r.3,
                password: r.4,
                private_key: r.5,
                directory: r.6,
                fingerprint: r.7,
            })
        };
        row.map(target).transpose()
    }

    /// Sets the account's folder: it gets the files of the half hours after `now`, or after it got its first folder.
    pub fn put_cdr_target(&mut self, account: AccountId, t: &Target, now: Timestamp) -> Result<(), Error> {
        let text = format!(
            "INSERT INTO cdr_target (account_id, {TARGET}, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (account_id) DO UPDATE SET protocol = excluded.protocol, host = excluded.host, port = excluded.port,
             user_name = excluded.user_name, password = excluded.password, private_key = excluded.private_key,
             directory = excluded.directory, fingerprint = excluded.fingerprint"
        );
        let port = i64::from(t.port);
        self.run(
            &text,
            &binds![
                account.0,
                t.protocol.word(),
                &t.host,
                port,
                &t.user,
                &t.password,
                &t.private_key,
                &t.directory,
                &t.fingerprint,
                now.0
            ],
        )?;
        Ok(())
    }

    /// The account gets no more files.
    pub fn drop_cdr_target(&mut self, account: AccountId) -> Result<(), Error> {
        self.run("DELETE FROM cdr_target WHERE account_id = ?", &binds![account.0])?;
        Ok(())
    }

    /// The last half hour whose files were made.
    pub fn last_cdr_slot(&mut self) -> Result<Option<Timestamp>, Error> {
        Ok(self.row::<(Option<i64>,)>("SELECT MAX(slot) FROM cdr_slot", &[])?.and_then(|r| r.0).map(Timestamp))
    }

    /// The half hours after `latest` were made by a clock that was ahead: they are to come, and what they saw first the next
    /// one sees. Their deliveries stay, and belong to nobody.
    pub fn unmake_cdr_slots(&mut self, latest: Timestamp) -> Result<(), Error> {
        self.run("DELETE FROM cdr_slot WHERE slot > ?", &binds![latest.0])?;
        self.run("UPDATE reading_batch SET cdr_slot = NULL WHERE cdr_slot > ?", &binds![latest.0])?;
        let text = "UPDATE cdr_delivery SET lease_token = NULL, lease_until = NULL WHERE slot > ? AND lease_until IS NOT NULL";
        self.run(text, &binds![latest.0])?;
        Ok(())
    }

    /// Makes the files of a half hour: batches rated by now that no earlier one saw are its own, and each account that has
    /// had a folder since before gets a delivery, or the one that a clock ahead made too early. False if it was made already.
    pub fn make_cdr_slot(&mut self, slot: Timestamp, now: Timestamp) -> Result<bool, Error> {
        if self.run("INSERT INTO cdr_slot (slot) VALUES (?) ON CONFLICT (slot) DO NOTHING", &binds![slot.0])? == 0 {
            return Ok(false);
        }
        self.run("UPDATE reading_batch SET cdr_slot = ? WHERE cdr_slot IS NULL AND rated = 1", &binds![slot.0])?;
        self.run(
            "INSERT INTO cdr_delivery (account_id, slot, state, attempts, tries, due_at)
             SELECT account_id, CAST(? AS BIGINT), 'waiting', 0, 0, CAST(? AS BIGINT) FROM cdr_target WHERE created_at < ? ORDER BY account_id
             ON CONFLICT (account_id, slot) DO UPDATE SET state = 'waiting', tries = 0, due_at = excluded.due_at",
            &binds![slot.0, now.0, slot.0],
        )?;
        Ok(true)
    }

    /// Where the facts of a half hour's file lie: those that stopped in `start..end`, and those that arrived since the half
    /// hour before and stopped earlier. It stays the same for ever.
    pub fn cdr_batches(&mut self, slot: Timestamp, start: Timestamp, end: Timestamp) -> Result<Vec<CdrBatch>, Error> {
        const DAY: i64 = kachi_domain::time::DAY_SECONDS;
        let text = "SELECT id, day, platform_id, source_min, source_max, cdr_slot FROM reading_batch
             WHERE cdr_slot = ? AND stop_min < ?
             UNION SELECT id, day, platform_id, source_min, source_max, cdr_slot FROM reading_batch
             WHERE day >= ? AND day <= ? AND cdr_slot < ? AND stop_min < ? AND stop_max >= ? ORDER BY id";
        let (first, last) = (start.0.div_euclid(DAY), end.0.div_euclid(DAY));
        let values = binds![slot.0, end.0, first, last, slot.0, end.0, start.0];
        let batch = |r: (i64, i64, i64, i64, i64, i64)| CdrBatch {
            id: r.0,
            day: r.1,
            platform: r.2,
            next_source: r.3,
            source_max: r.4,
            from: if r.5 == slot.0 { i64::MIN } else { start.0 },
            before: end.0,
        };
        Ok(self.rows(text, &values)?.into_iter().map(batch).collect())
    }

    /// Accounts whose file of the half hour is not delivered.
    pub fn cdr_accounts_waiting(&mut self, slot: Timestamp) -> Result<Vec<AccountId>, Error> {
        let text = "SELECT account_id FROM cdr_delivery WHERE due_at IS NOT NULL AND slot = ?";
        Ok(self.rows::<(i64,)>(text, &binds![slot.0])?.into_iter().map(|r| AccountId(r.0)).collect())
    }

    /// The next records of a batch that belong to the accounts, each with its account and card; none when it has no more.
    pub fn cdr_records(
        &mut self,
        batch: &mut CdrBatch,
        accounts: &[AccountId],
        limit: i64,
    ) -> Result<Vec<(AccountId, SimId, CdrRecord)>, Error> {
        let text = format!(
            "SELECT r.source_id, r.start_at, r.stop_at, s.iccid, r.imsi, r.bytes, r.imei, r.mccmnc, r.account_id, r.sim_id FROM reading r JOIN sim s ON s.id = r.sim_id
             WHERE r.day = ? AND r.platform_id = ? AND r.source_id >= ? AND r.source_id <= ? AND r.batch_id = ? AND r.stop_at >= ?
             AND r.stop_at < ? AND {} ORDER BY r.source_id LIMIT ?",
            self.one_of("r.account_id")
        );
        let list = self.list(accounts.iter().map(|a| a.0));
        let b = &*batch;
        let values = binds![b.day, b.platform, b.next_source, b.source_max, b.id, b.from, b.before, list, limit];
        type R = (i64, i64, i64, String, i64, i64, i64, i64, i64, i64);
        let mut found = Vec::new();
        for r in self.rows::<R>(&text, &values)? {
            let record = CdrRecord {
                source_id: r.0,
                start: Timestamp(r.1),
                stop: Timestamp(r.2),
                iccid: Iccid::parse(&r.3).map_err(|e| Error::Engine(e.to_string()))?,
                imsi: r.4,
                bytes: r.5,
                imei: r.6,
                mccmnc: r.7,
            };
            found.push((AccountId(r.8), SimId(r.9), record));
        }
        match found.last() {
            Some((.., last)) if last.source_id < i64::MAX => batch.next_source = last.source_id + 1,
            _ => (batch.next_source, batch.source_max) = (i64::MAX, i64::MIN),
        }
        Ok(found)
    }

    /// Whether a file is due.
    pub fn cdr_delivery_is_due(&mut self, now: Timestamp) -> Result<bool, Error> {
        let text = "SELECT id FROM cdr_delivery WHERE due_at IS NOT NULL AND due_at <= ? AND (lease_until IS NULL OR lease_until < ?) LIMIT 1";
        Ok(self.row::<(i64,)>(text, &binds![now.0, now.0])?.is_some())
    }

    /// Claims the file that is due longest under a lease; an account has one under lease at a time.
    pub fn claim_cdr_delivery(&mut self, now: Timestamp, until: Timestamp, token: i64) -> Result<Option<Claimed>, Error> {
        if self.is_postgres() {
            // One claim at a time: two that do not see each other's leases could take two files of one account.
            self.rows::<(i64,)>("SELECT CAST(1 AS BIGINT) FROM (SELECT pg_advisory_xact_lock(731950)) AS l", &[])?;
        }
        let text = "SELECT d.id, d.account_id, d.slot, d.tries FROM cdr_delivery d
             WHERE d.due_at IS NOT NULL AND d.due_at <= ? AND NOT EXISTS
             (SELECT 1 FROM cdr_delivery f WHERE f.account_id = d.account_id AND f.lease_until IS NOT NULL AND f.lease_until >= ?)
             ORDER BY d.due_at, d.id LIMIT 1";
        let row = self.row::<(i64, i64, i64, i64)>(text, &binds![now.0, now.0])?;
        let claimed = row.map(|r| Claimed { id: r.0, account: AccountId(r.1), slot: Timestamp(r.2), tries: r.3 });
        if let Some(c) = &claimed {
            self.run("UPDATE cdr_delivery SET lease_token = ?, lease_until = ? WHERE id = ?", &binds![token, until.0, c.id])?;
        }
        Ok(claimed)
    }

    /// Keeps the lease for longer; false if it was lost.
    pub fn keep_cdr_lease(&mut self, id: i64, token: i64, until: Timestamp) -> Result<bool, Error> {
        let text = "UPDATE cdr_delivery SET lease_until = ? WHERE id = ? AND lease_token = ?";
        Ok(self.run(text, &binds![until.0, id, token])? > 0)
    }

    /// Records an attempt; false, and nothing is recorded, if its lease was lost.
    pub fn settle_cdr_delivery(&mut self, token: i64, a: &Attempt, now: Timestamp) -> Result<bool, Error> {
        let done_at = (a.state == "done").then_some(now.0);
        let (records, bytes) = a.size.unzip();
        let counted = self.run(
            "UPDATE cdr_delivery SET state = ?, attempts = attempts + 1, tries = tries + 1, due_at = ?, done_at = COALESCE(?, done_at),
             records = COALESCE(?, records), bytes = COALESCE(?, bytes), last_answer = ?, lease_token = NULL, lease_until = NULL
             WHERE id = ? AND lease_token = ?",
            &binds![a.state, a.next.map(|t| t.0), done_at, records, bytes, &a.answer, a.id, token],
        )?;
        if counted == 0 {
            return Ok(false);
        }
        self.run(
            "INSERT INTO cdr_delivery_attempt (delivery_id, attempt, at, millis, answer)
             SELECT id, attempts, CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS TEXT) FROM cdr_delivery WHERE id = ?",
            &binds![now.0, a.millis, &a.answer, a.id],
        )?;
        Ok(true)
    }

    /// Makes deliveries due again at once, settled or waiting, but not those being sent; the answer is how many.
    pub fn resend_cdr(&mut self, accounts: &[AccountId], (from, to): (i64, i64), now: Timestamp) -> Result<usize, Error> {
        let text = format!(
            "UPDATE cdr_delivery SET state = 'waiting', tries = 0, due_at = ?, lease_token = NULL, lease_until = NULL
             WHERE id >= ? AND id <= ? AND (lease_until IS NULL OR lease_until < ?) AND {}",
            self.one_of("account_id")
        );
        let list = self.list(accounts.iter().map(|a| a.0));
        self.run(&text, &binds![now.0, from, to, now.0, list])
    }

    /// Accounts with a folder whose files are still sent after more than one try failed, with how many wait so and one of their last
    /// answers: the first so many.
    pub fn cdr_deliveries_failing(&mut self, limit: i64) -> Result<Vec<(AccountId, i64, String)>, Error> {
        let text = "SELECT account_id, COUNT(*), COALESCE(MAX(last_answer), '') FROM cdr_delivery
             WHERE due_at IS NOT NULL AND tries > 1
             AND EXISTS (SELECT 1 FROM cdr_target t WHERE t.account_id = cdr_delivery.account_id) GROUP BY account_id ORDER BY account_id LIMIT ?";
        let rows = self.rows::<(i64, i64, String)>(text, &binds![limit])?;
        Ok(rows.into_iter().map(|(account, files, answer)| (AccountId(account), files, answer)).collect())
    }

    /// How many files of half hours since `since` are dead.
    pub fn cdr_deliveries_dead(&mut self, since: Timestamp) -> Result<i64, Error> {
        let text = "SELECT COUNT(*) FROM cdr_delivery WHERE state = 'dead' AND slot >= ?";
        Ok(self.row::<(i64,)>(text, &binds![since.0])?.map_or(0, |r| r.0))
    }

    /// The newest deliveries of the accounts, newest first, of one state or all, or the one of that number.
    pub fn cdr_deliveries(
        &mut self,
        accounts: &[AccountId],
        (id, state): (Option<i64>, Option<&str>),
        limit: i64,
    ) -> Result<Vec<CdrDelivery>, Error> {
        let text = format!(
            "SELECT id, account_id, slot, state, attempts, due_at, done_at, records, bytes, last_answer FROM cdr_delivery
             WHERE {} AND (CAST(? AS BIGINT) IS NULL OR id = ?) AND (CAST(? AS TEXT) IS NULL OR state = ?) ORDER BY id DESC LIMIT ?",
            self.one_of("account_id")
        );
        let list = self.list(accounts.iter().map(|a| a.0));
        type R = (i64, i64, i64, String, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<String>);
        let line = |r: R| CdrDelivery {
            id: r.0,
            account: AccountId(r.1),
            slot: Timestamp(r.2),
            state: r.3,
            attempts: r.4,
            due_at: r.5,
            done_at: r.6,
            records: r.7,
            bytes: r.8,
            last_answer: r.9,
        };
        Ok(self.rows::<R>(&text, &binds![list, id, id, state, state, limit])?.into_iter().map(line).collect())
    }

    /// The attempts of a delivery, in order.
    pub fn cdr_delivery_attempts(&mut self, id: i64) -> Result<Vec<CdrAttemptRow>, Error> {
        let text = "SELECT attempt, at, millis, answer FROM cdr_delivery_attempt WHERE delivery_id = ? ORDER BY attempt";
        self.rows(text, &binds![id])
    }
}
