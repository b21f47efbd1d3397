//! Messages to cards and what became of each.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::sms::SmsState;
use kachi_domain::{AccountId, SimId, Timestamp};

/// A message as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sms {
    /// Our number for it.
    pub id: i64,
    /// Who sends.
    pub account: AccountId,
    /// To which card.
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
}

type R = (i64, i64, i64, String, String, String, String, i64, i64);
const COLUMNS: &str = "id, account_id, sim_id, number, text, state, note, created_at, updated_at";

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
    })
}

impl Tx<'_> {
    /// Keeps a message that waits for the carrier; a known number is a constraint error.
    pub fn add_sms(
        &mut self,
        account: AccountId,
        sim: SimId,
        number: &str,
        text: &str,
        note: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO sms (account_id, sim_id, number, text, state, note, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            &binds![account.0, sim.0, number, text, SmsState::Queued.word(), note, now.0, now.0],
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

    /// The newest messages of all accounts.
    pub fn sms_newest(&mut self, limit: i64) -> Result<Vec<Sms>, Error> {
        let text = format!("SELECT {COLUMNS} FROM sms ORDER BY id DESC LIMIT ?");
        self.rows::<R>(&text, &binds![limit])?.into_iter().map(sms).collect()
    }
}
