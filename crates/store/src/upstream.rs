//! How much each platform was asked of late, by all processes together; its login, and who renews it; cards that cool down.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::carrier::Bucket;
use kachi_domain::{PlatformId, SimId, Timestamp};

/// A platform as its callers share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The first of the numbers of calls that were taken.
    pub first_call: u64,
    /// What is left of its requests; none: it was never asked.
    pub bucket: Option<Bucket>,
    /// The stored login, JSON.
    pub login: String,
    /// Why nobody else may renew the login for a while.
    pub held: Option<Held>,
}

/// Why a login may not be renewed for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Until when.
    pub until: Timestamp,
    /// Whether somebody is renewing it.
    pub renews: bool,
    /// In words.
    pub words: String,
}

type R = (i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>, String);

impl Tx<'_> {
    /// The platform, with so many numbers for calls that nobody else has or ever will have. Its row is locked until the end of
    /// the transaction.
    pub fn open_upstream(&mut self, platform: PlatformId, calls: u32) -> Result<Upstream, Error> {
        let row = self.row::<R>(
            "INSERT INTO upstream (platform_id, calls, renewal_words) VALUES (?, ?, '')
             ON CONFLICT (platform_id) DO UPDATE SET calls = upstream.calls + excluded.calls
             RETURNING calls, sixtieths, filled_at, day, today, renewal, renewal_until, renewal_words",
            &binds![platform.0, i64::from(calls)],
        )?;
        let r = row.ok_or_else(|| Error::Engine(format!("platform {platform} has no row of its own")))?;
        let bucket = match (r.1, r.2, r.3, r.4) {
            (Some(sixtieths), Some(at), Some(day), Some(today)) => Some(Bucket { sixtieths, at: Timestamp(at), day, today }),
            _ => None,
        };
        Ok(Upstream {
            first_call: u64::try_from(r.0 - i64::from(calls)).unwrap_or_default(),
            bucket,
            login: self.platform_login(platform)?,
            held: r.6.map(|until| Held { until: Timestamp(until), renews: r.5.is_some(), words: r.7 }),
        })
    }

    /// Keeps what is left of the platform's requests.
    pub fn put_bucket(&mut self, platform: PlatformId, b: &Bucket) -> Result<(), Error> {
        self.run(
            "UPDATE upstream SET sixtieths = ?, filled_at = ?, day = ?, today = ? WHERE platform_id = ?",
            &binds![b.sixtieths, b.at.0, b.day, b.today, platform.0],
        )?;
        Ok(())
    }

    /// Notes who renews the login from now on, and until when nobody else may.
    pub fn begin_renewal(&mut self, platform: PlatformId, token: i64, until: Timestamp, words: &str) -> Result<(), Error> {
        self.run(
            "UPDATE upstream SET renewal = ?, renewal_until = ?, renewal_words = ? WHERE platform_id = ?",
            &binds![token, until.0, words, platform.0],
        )?;
        Ok(())
    }

    /// Ends a renewal; with an instant and words nobody may try again before. False if it is not this one's any more.
    pub fn end_renewal(&mut self, platform: PlatformId, token: i64, held: Option<(Timestamp, &str)>) -> Result<bool, Error> {
        let (until, words) = held.map_or((None, ""), |(until, words)| (Some(until.0), words));
        let n = self.run(
            "UPDATE upstream SET renewal = NULL, renewal_until = ?, renewal_words = ? WHERE platform_id = ? AND renewal = ?",
            &binds![until, words, platform.0, token],
        )?;
        Ok(n > 0)
    }

    /// Platforms whose login failed and is left alone for now, with the words.
    pub fn logins_held(&mut self, now: Timestamp) -> Result<Vec<(String, String)>, Error> {
        let text = "SELECT p.code, u.renewal_words FROM upstream u JOIN platform p ON p.id = u.platform_id
                    WHERE u.renewal IS NULL AND u.renewal_until > ? ORDER BY p.code";
        self.rows(text, &binds![now.0])
    }

    /// That the platform's login failed is forgotten: a person has looked. Whoever is renewing it goes on.
    pub fn forget_failed_renewal(&mut self, platform: PlatformId) -> Result<(), Error> {
        let text = "UPDATE upstream SET renewal_until = NULL, renewal_words = '' WHERE platform_id = ? AND renewal IS NULL";
        self.run(text, &binds![platform.0])?;
        Ok(())
    }

    /// Whoever renews the platform's login does it for nothing: it is another account.
    pub fn forget_renewal(&mut self, platform: PlatformId) -> Result<(), Error> {
        let text = "UPDATE upstream SET renewal = NULL, renewal_until = NULL, renewal_words = '' WHERE platform_id = ?";
        self.run(text, &binds![platform.0])?;
        Ok(())
    }

    /// A write for the card was taken: the carrier takes no other before this instant.
    pub fn cool(&mut self, sim: SimId, until: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO card_cooling (sim_id, until) VALUES (?, ?)
             ON CONFLICT (sim_id) DO UPDATE SET until = excluded.until WHERE card_cooling.until < excluded.until",
            &binds![sim.0, until.0],
        )?;
        Ok(())
    }

    /// Of these cards those that cool down, with the end of it.
    pub fn cooling(&mut self, sims: &[i64], now: Timestamp) -> Result<Vec<(SimId, Timestamp)>, Error> {
        if sims.is_empty() {
            return Ok(Vec::new());
        }
        let (among, value) = self.among("sim_id", sims);
        let text = format!("SELECT sim_id, until FROM card_cooling WHERE until > ? AND {among}");
        let rows = self.rows::<(i64, i64)>(&text, &[now.0.into(), value])?;
        Ok(rows.into_iter().map(|(sim, until)| (SimId(sim), Timestamp(until))).collect())
    }
}
