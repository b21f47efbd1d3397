//! Messages to cards and what became of each.

use crate::binds;
use crate::db::BulkColumn;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use kachi_domain::sms::SmsState;
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp};

/// A message as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sms {
    /// Our number for it.
    pub id: i64,
    /// Who sends.
    pub account: AccountId,
    /// To which card; 0: to a person's telephone.
    pub sim: SimId,
    /// The number its sender knows it by; its reference at the carrier.
    pub number: String,
    /// What it says.
    pub text: String,
    /// Where it stands.
    pub state: SmsState,
    /// The last word on it.
    pub note: String,
    /// When it was handed in.
    pub created_at: i64,
    /// When it moved last.
    pub updated_at: i64,
    /// The batch it was handed in with; empty: with none.
    pub batch: String,
    /// The number that reports on it name.
    pub mobile: String,
}

type R = (i64, i64, i64, String, String, String, String, i64, i64, String, String);
const COLUMNS: &str = "id, account_id, sim_id, number, text, state, note, created_at, updated_at, batch, mobile";

fn sms(r: R) -> Result<Sms, Error> {
    Ok(Sms {
        id: r.0,
        account: AccountId(r.1),
        sim: SimId(r.2),
        number: r.3,
        text: r.4,
        state: SmsState::parse(&r.5).map_err(Error::Engine)?,
        note: r.6,
        created_at: r.7,
        updated_at: r.8,
        batch: r.9,
        mobile: r.10,
    })
}

/// A report on a message: (batch, mobile, state, at).
pub type ReportRow = (String, String, String, i64);

/// What a device wrote: (carrier's number, mobile, sent to, text, at).
pub type ReplyRow = (String, String, String, String, i64);

impl Tx<'_> {
    /// Keeps a message that waits for the carrier; a known number is a constraint error.
    pub fn add_sms(&mut self, account: AccountId, sim: SimId, number: &str, text: &str, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO sms (account_id, sim_id, number, text, state, note, created_at, updated_at) VALUES (?, ?, ?, ?, ?, '', ?, ?)",
            &binds![account.0, sim.0, number, text, SmsState::Queued.word(), now.0, now.0],
        )?;
        Ok(())
    }

    /// A message by its number.
    pub fn sms(&mut self, number: &str) -> Result<Option<Sms>, Error> {
        self.row::<R>(&format!("SELECT {COLUMNS} FROM sms WHERE number = ?"), &binds![number])?.map(sms).transpose()
    }

    /// What became of a message.
    pub fn set_sms(&mut self, number: &str, state: SmsState, note: &str, now: Timestamp) -> Result<(), Error> {
        self.run(
            "UPDATE sms SET state = ?, note = ?, updated_at = ? WHERE number = ?",
            &binds![state.word(), note, now.0, number],
        )?;
        Ok(())
    }

    /// The newest messages of all accounts that nobody has taken, with the reason why in their note.
    pub fn sms_held(&mut self, limit: i64) -> Result<Vec<Sms>, Error> {
        let text = format!("SELECT {COLUMNS} FROM sms WHERE state = ? AND note <> '' ORDER BY id DESC LIMIT ?");
        self.rows::<R>(&text, &binds![SmsState::Queued.word(), limit])?.into_iter().map(sms).collect()
    }

    /// The newest messages of all accounts.
    pub fn sms_newest(&mut self, limit: i64) -> Result<Vec<Sms>, Error> {
        let text = format!("SELECT {COLUMNS} FROM sms ORDER BY id DESC LIMIT ?");
        self.rows::<R>(&text, &binds![limit])?.into_iter().map(sms).collect()
    }

    /// Keeps the messages of a batch, each a card, a number that reports name and a reference that no other has; all of
    /// them wait for the carrier.
    pub fn add_sms_batch(
        &mut self,
        (account, batch): (AccountId, &str),
        messages: &[(SimId, String, String)],
        (text, note): (&str, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        let columns = [
            Int("account_id"),
            Int("sim_id"),
            Text("number"),
            Text("text"),
            Text("state"),
            Text("note"),
            Int("created_at"),
            Int("updated_at"),
            Text("batch"),
            Text("mobile"),
        ];
        let row = |(sim, mobile, number): &(SimId, String, String)| -> Vec<Value<'static>> {
            let owned = |t: &str| Value::Owned(t.to_owned());
            vec![
                account.0.into(),
                sim.0.into(),
                owned(number),
                owned(text),
                owned(SmsState::Queued.word()),
                owned(note),
                now.0.into(),
                now.0.into(),
                owned(batch),
                owned(mobile),
            ]
        };
        let rows: Vec<_> = messages.iter().map(row).collect();
        self.add_rows("sms", &columns, &rows, "")?;
        Ok(())
    }

    /// Keeps a report on a message of a batch until it is handed out.
    pub fn add_sms_report(&mut self, sms: &Sms, state: &str, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO sms_report (account_id, batch, mobile, state, at) VALUES (?, ?, ?, ?, ?)",
            &binds![sms.account.0, &sms.batch, &sms.mobile, state, now.0],
        )?;
        Ok(())
    }

    /// Hands out the account's oldest reports: (batch, mobile, state, at). Nobody gets them again. The caller holds the
    /// account's requests.
    pub fn take_sms_reports(&mut self, account: AccountId, limit: i64, now: Timestamp) -> Result<Vec<ReportRow>, Error> {
        let rows = self.rows::<(i64, String, String, String, i64)>(
            "SELECT id, batch, mobile, state, at FROM sms_report WHERE account_id = ? AND taken_at IS NULL ORDER BY id LIMIT ?",
            &binds![account.0, limit],
        )?;
        self.take("sms_report", rows.iter().map(|r| r.0), now)?;
        Ok(rows.into_iter().map(|r| (r.1, r.2, r.3, r.4)).collect())
    }

    /// Keeps what a device wrote until it is handed out; false if it is known.
    pub fn add_sms_reply(&mut self, r: &NewReply<'_>, now: Timestamp) -> Result<bool, Error> {
        let n = self.run(
            "INSERT INTO sms_reply (account_id, platform_id, carrier_id, sim_id, mobile, sent_to, text, at, received_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (platform_id, carrier_id) DO NOTHING",
            &binds![r.account.0, r.platform.0, r.carrier_id, r.sim.0, r.mobile, r.sent_to, r.text, r.at.0, now.0],
        )?;
        Ok(n > 0)
    }

    /// Hands out the account's oldest replies: (carrier's number, mobile, sent to, text, at). Nobody gets them again. The
    /// caller holds the account's requests.
    pub fn take_sms_replies(&mut self, account: AccountId, limit: i64, now: Timestamp) -> Result<Vec<ReplyRow>, Error> {
        let rows = self.rows::<(i64, String, String, String, String, i64)>(
            "SELECT id, carrier_id, mobile, sent_to, text, at FROM sms_reply WHERE account_id = ? AND taken_at IS NULL ORDER BY id LIMIT ?",
            &binds![account.0, limit],
        )?;
        self.take("sms_reply", rows.iter().map(|r| r.0), now)?;
        Ok(rows.into_iter().map(|r| (r.1, r.2, r.3, r.4, r.5)).collect())
    }

    fn take(&mut self, table: &str, ids: impl Iterator<Item = i64>, now: Timestamp) -> Result<(), Error> {
        let ids: Vec<i64> = ids.collect();
        if ids.is_empty() {
            return Ok(());
        }
        let (among, value) = self.among("id", &ids);
        self.run(&format!("UPDATE {table} SET taken_at = ? WHERE {among}"), &[now.0.into(), value])?;
        Ok(())
    }

    /// Forgets reports and replies older than the instant, handed out or not; the answer is how many.
    pub fn forget_sms_reports(&mut self, before: Timestamp) -> Result<usize, Error> {
        Ok(self.run("DELETE FROM sms_report WHERE at < ?", &binds![before.0])?
            + self.run("DELETE FROM sms_reply WHERE received_at < ?", &binds![before.0])?)
    }

    /// Cards of a platform that a message was sent to since the instant, by number, those numbered above `after`; so many at most.
    pub fn sims_messaged(
        &mut self,
        platform: PlatformId,
        since: Timestamp,
        (after, limit): (SimId, i64),
    ) -> Result<Vec<SimId>, Error> {
        let rows = self.rows::<(i64,)>(
            "SELECT m.sim_id FROM sms m JOIN sim s ON s.id = m.sim_id JOIN product p ON p.id = s.product_id
             WHERE m.created_at >= ? AND p.platform_id = ? AND m.sim_id > ? GROUP BY m.sim_id ORDER BY m.sim_id LIMIT ?",
            &binds![since.0, platform.0, after.0, limit],
        )?;
        Ok(rows.into_iter().map(|r| SimId(r.0)).collect())
    }

    /// A template by its code.
    pub fn sms_template(&mut self, code: &str) -> Result<Option<Template>, Error> {
        let text = format!("{TEMPLATES} WHERE code = ?");
        Ok(self.row::<TemplateRow>(&text, &binds![code])?.map(template))
    }

    /// Every template, by code.
    pub fn sms_templates(&mut self) -> Result<Vec<Template>, Error> {
        let text = format!("{TEMPLATES} ORDER BY code");
        Ok(self.rows::<TemplateRow>(&text, &[])?.into_iter().map(template).collect())
    }

    /// Messages of the batch wait for a platform that sends such messages.
    pub fn set_sms_unsent(&mut self, account: AccountId, batch: &str) -> Result<(), Error> {
        self.run("UPDATE sms SET unsent = 1 WHERE account_id = ? AND batch = ?", &binds![account.0, batch])?;
        Ok(())
    }

    /// The oldest messages that wait for a platform that sends such messages.
    pub fn sms_unsent(&mut self, limit: i64) -> Result<Vec<Sms>, Error> {
        let text = format!("SELECT {COLUMNS} FROM sms WHERE unsent = 1 ORDER BY id LIMIT ?");
        self.rows::<R>(&text, &binds![limit])?.into_iter().map(sms).collect()
    }

    /// The messages of this number, or of the batch of this name, that nobody has taken, with the reason why in their note.
    pub fn sms_held_named(&mut self, name: &str) -> Result<Vec<Sms>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM sms WHERE (number = ? OR batch = ? AND batch <> '') AND state = ? AND note <> '' ORDER BY id"
        );
        self.rows::<R>(&text, &binds![name, name, SmsState::Queued.word()])?.into_iter().map(sms).collect()
    }

    /// How many messages the account's batch has.
    pub fn sms_in_batch(&mut self, account: AccountId, batch: &str) -> Result<i64, Error> {
        let text = "SELECT COUNT(*) FROM sms WHERE account_id = ? AND batch = ?";
        Ok(self.row::<(i64,)>(text, &binds![account.0, batch])?.map_or(0, |r| r.0))
    }

    /// A message that waited is on its way; false if it no longer waits.
    pub fn set_sms_on_its_way(&mut self, id: i64, now: Timestamp) -> Result<bool, Error> {
        let text = "UPDATE sms SET unsent = 0, note = '', updated_at = ? WHERE id = ? AND unsent = 1";
        Ok(self.run(text, &binds![now.0, id])? > 0)
    }

    /// Adds a template or changes one.
    pub fn put_sms_template(&mut self, t: &Template) -> Result<(), Error> {
        self.run(
            "INSERT INTO sms_template (code, account_id, text, signature, price_minor, approved) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (code) DO UPDATE SET account_id = excluded.account_id, text = excluded.text, signature = excluded.signature,
             price_minor = excluded.price_minor, approved = excluded.approved",
            &binds![&t.code, t.account.0, &t.text, &t.signature, t.price_minor, t.approved],
        )?;
        Ok(())
    }
}

type TemplateRow = (String, i64, String, String, i64, i64);
const TEMPLATES: &str = "SELECT code, account_id, text, signature, price_minor, approved FROM sms_template";

fn template(r: TemplateRow) -> Template {
    Template { code: r.0, account: AccountId(r.1), text: r.2, signature: r.3, price_minor: r.4, approved: r.5 != 0 }
}

/// What a device wrote, to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewReply<'a> {
    /// Whose card.
    pub account: AccountId,
    /// Through which platform.
    pub platform: PlatformId,
    /// The carrier's number of it.
    pub carrier_id: &'a str,
    /// The card.
    pub sim: SimId,
    /// Its number.
    pub mobile: &'a str,
    /// To which number.
    pub sent_to: &'a str,
    /// What it says.
    pub text: &'a str,
    /// When.
    pub at: Timestamp,
}

/// A text that an account may send to people's telephones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its code.
    pub code: String,
    /// Who may send it.
    pub account: AccountId,
    /// The text, with variables such as `@1@`.
    pub text: String,
    /// The name it bears.
    pub signature: String,
    /// What a part costs, minor units of the account's currency.
    pub price_minor: i64,
    /// Whether it may be sent.
    pub approved: bool,
}
