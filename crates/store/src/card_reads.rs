//! Cards that somebody wants to see as they are at their carrier now: asked for, claimed under a lease, settled.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::{AccountId, Iccid, PlatformId, ProductId, SimId, Timestamp};

/// One such wish as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardRead {
    /// Its number; 0 = to be given.
    pub id: i64,
    /// Who asks.
    pub account: AccountId,
    /// The card.
    pub iccid: String,
    /// The card's number with us; none = it is to be added.
    pub sim: Option<SimId>,
    /// As which product it is to be added.
    pub product: Option<ProductId>,
    /// The platform that is asked.
    pub platform: PlatformId,
    /// What is wanted, as the engine names it.
    pub what: String,
    /// `waiting`, `done` or `failed`.
    pub state: String,
    /// The platform's last word.
    pub words: String,
    /// How often it was asked.
    pub tries: i64,
}

type R = (i64, i64, String, Option<i64>, Option<i64>, i64, String, String, String, i64);
const COLUMNS: &str = "id, account_id, iccid, sim_id, product_id, platform_id, what, state, words, tries";

fn card_read(r: R) -> CardRead {
    CardRead {
        id: r.0,
        account: AccountId(r.1),
        iccid: r.2,
        sim: r.3.map(SimId),
        product: r.4.map(ProductId),
        platform: PlatformId(r.5),
        what: r.6,
        state: r.7,
        words: r.8,
        tries: r.9,
    }
}

impl Tx<'_> {
    /// Stores a wish, due at once; those of the same account for the same card and the same that are settled are forgotten.
    pub fn add_card_read(&mut self, r: &CardRead, now: Timestamp) -> Result<i64, Error> {
        let of_card = "account_id = ? AND iccid = ? AND what = ?";
        let text = format!("DELETE FROM card_read WHERE {of_card} AND state <> 'waiting'");
        self.run(&text, &binds![r.account.0, &r.iccid, &r.what])?;
        let row = self.row::<(i64,)>(
            "INSERT INTO card_read (account_id, iccid, sim_id, product_id, platform_id, what, state, words, tries, due_at, created_at, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, 'waiting', '', 0, ?, ?, ?) RETURNING id",
            &binds![
                r.account.0, &r.iccid, r.sim.map(|s| s.0), r.product.map(|p| p.0), r.platform.0, &r.what, now.0, now.0, now.0
            ],
        )?;
        row.map(|r| r.0).ok_or_else(|| Error::Engine("a new card reading has no number".into()))
    }

    /// The account's wish for the card that is not settled yet.
    pub fn open_card_read(&mut self, account: AccountId, iccid: &Iccid, what: &str) -> Result<Option<CardRead>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM card_read WHERE account_id = ? AND iccid = ? AND what = ? AND state = 'waiting' ORDER BY id LIMIT 1"
        );
        Ok(self.row::<R>(&text, &binds![account.0, iccid.as_str(), what])?.map(card_read))
    }

    /// A wish by its number.
    pub fn card_read(&mut self, id: i64) -> Result<Option<CardRead>, Error> {
        Ok(self.row::<R>(&format!("SELECT {COLUMNS} FROM card_read WHERE id = ?"), &binds![id])?.map(card_read))
    }

    /// Whether any is due at the platform.
    pub fn card_reads_due(&mut self, platform: PlatformId, now: Timestamp) -> Result<bool, Error> {
        let text = "SELECT id FROM card_read WHERE platform_id = ? AND due_at IS NOT NULL AND due_at <= ? LIMIT 1";
        Ok(self.row::<(i64,)>(text, &binds![platform.0, now.0])?.is_some())
    }

    /// Claims due wishes at a platform under a lease.
    pub fn claim_card_reads(
        &mut self,
        now: Timestamp,
        (lease_until, token): (Timestamp, i64),
        (platform, limit): (PlatformId, i64),
    ) -> Result<Vec<CardRead>, Error> {
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let text = format!(
            "SELECT {COLUMNS} FROM card_read WHERE platform_id = ? AND due_at IS NOT NULL AND due_at <= ? AND (lease_until IS NULL OR lease_until < ?)
             ORDER BY due_at, id LIMIT ?{lock}"
        );
        let due: Vec<CardRead> =
            self.rows::<R>(&text, &binds![platform.0, now.0, now.0, limit])?.into_iter().map(card_read).collect();
        for r in &due {
            let text = "UPDATE card_read SET lease_token = ?, lease_until = ? WHERE id = ?";
            self.run(text, &binds![token, lease_until.0, r.id])?;
        }
        Ok(due)
    }

    /// Sets what became of a claimed wish; false if the lease was lost.
    pub fn settle_card_read(
        &mut self,
        (id, token): (i64, i64),
        state: &str,
        words: &str,
        due: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let n = self.run(
            "UPDATE card_read SET state = ?, words = ?, due_at = ?, tries = tries + 1, lease_token = NULL, lease_until = NULL, updated_at = ?
             WHERE id = ? AND lease_token = ?",
            &binds![state, words, due.map(|d| d.0), now.0, id, token],
        )?;
        Ok(n > 0)
    }
}
