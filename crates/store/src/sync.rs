//! Keeping up with platforms: how far each is, what is known of which card, and the requests that were made.

use crate::binds;
use crate::db::{BulkColumn, Error, Tx};
use kachi_domain::sim::Blocks;
use kachi_domain::sync::{Stale, What};
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp};

/// How far a platform is kept up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPlace {
    /// Not to be worked on before.
    pub due_at: Timestamp,
    /// Its last word where that was no answer.
    pub words: String,
    /// Since when every card is read once, before the feed is used.
    pub filling_since: Option<Timestamp>,
    /// The day of the present walk through the feed, days since 1970-01-01.
    pub feed_day: Option<i64>,
    /// The page the walk goes on at; none: it is yet to begin.
    pub feed_page: Option<String>,
    /// When the walk began.
    pub walk_began: Option<Timestamp>,
    /// Its pages so far.
    pub walk_pages: i64,
    /// When it begins.
    pub walk_due: Option<Timestamp>,
    /// The last card that was reconciled.
    pub compared_sim: i64,
    /// When reconciling begins anew.
    pub compare_due: Timestamp,
}

impl SyncPlace {
    /// Nothing was done yet; everything is due.
    pub const NEW: SyncPlace = SyncPlace {
        due_at: Timestamp(0),
        words: String::new(),
        filling_since: None,
        feed_day: None,
        feed_page: None,
        walk_began: None,
        walk_pages: 0,
        walk_due: None,
        compared_sim: 0,
        compare_due: Timestamp(0),
    };
}

/// A card whose fact may be stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its number with us.
    pub sim: i64,
    /// Card number.
    pub iccid: String,
    /// Telephone number.
    pub msisdn: Option<String>,
    /// Base state, as its word.
    pub state: String,
    /// Since when we have it.
    pub since: i64,
    /// Its owner.
    pub account: i64,
    /// Its package state after its last input, encoded.
    pub head: Vec<u8>,
    /// As of when the fact is known.
    pub as_of: Option<i64>,
}

/// What was asked of a card, and came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The card.
    pub sim: i64,
    /// As of when it is known now; none: it was not told, and what was known before stays.
    pub as_of: Option<i64>,
    /// Not to be asked for again before.
    pub held_until: Option<i64>,
    /// Why it was not told.
    pub words: String,
}

/// How many cards there are, of them never read, and stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncFigure {
    /// Cards that are read.
    pub cards: i64,
    /// Of them never read.
    pub never: i64,
    /// Of the others, those that are stale.
    pub stale: i64,
    /// The oldest instant as of which a card's fact is known.
    pub oldest: Option<i64>,
}

/// What is known of the age of a platform's readings before its cards are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Since when the first of its products is looked at; none: it has none.
    pub since: Option<Timestamp>,
    /// Whether some readings are noted to be older than they may be.
    pub is_stale: bool,
    /// Until when nothing can be, by what was found at the last look at every card.
    pub quiet_until: Option<Timestamp>,
}

/// How old a fact of a platform's cards is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// Cards of which it is to be known and that are looked at for long enough.
    pub cards: i64,
    /// Of them those of which it is older than it may be, or was never read.
    pub old: i64,
    /// Cards of which it was never read, looked at for long enough or not.
    pub unread: i64,
    /// As of when the oldest is known.
    pub oldest: Option<Timestamp>,
}

/// Which cards of a platform a question is about: its living ones.
const OF_PLATFORM: &str = "FROM sim s JOIN product p ON p.id = s.product_id AND p.platform_id = ?
     LEFT JOIN sync_read r ON r.sim_id = s.id AND r.what = ? AND r.platform_id = p.platform_id";
const LIVING: &str = "s.state NOT IN ('closed', 'replaced')";

type PlaceRow = (i64, String, Option<i64>, Option<i64>, Option<String>, Option<i64>, i64, Option<i64>, i64, i64);

impl Tx<'_> {
    /// How far the platform is kept up with.
    pub fn sync_place(&mut self, platform: PlatformId) -> Result<SyncPlace, Error> {
        let text = "SELECT due_at, words, filling_since, feed_day, feed_page, walk_began, walk_pages, walk_due, compared_sim, compare_due
             FROM sync_place WHERE platform_id = ?";
        let place = |r: PlaceRow| SyncPlace {
            due_at: Timestamp(r.0),
            words: r.1,
            filling_since: r.2.map(Timestamp),
            feed_day: r.3,
            feed_page: r.4,
            walk_began: r.5.map(Timestamp),
            walk_pages: r.6,
            walk_due: r.7.map(Timestamp),
            compared_sim: r.8,
            compare_due: Timestamp(r.9),
        };
        Ok(self.row::<PlaceRow>(text, &binds![platform.0])?.map_or(SyncPlace::NEW, place))
    }

    /// Keeps how far the platform is kept up with, but for its reconciling.
    pub fn put_sync_place(&mut self, platform: PlatformId, p: &SyncPlace) -> Result<(), Error> {
        self.run(
            "INSERT INTO sync_place (platform_id, due_at, words, filling_since, feed_day, feed_page, walk_began, walk_pages, walk_due,
             compared_sim, compare_due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)
             ON CONFLICT (platform_id) DO UPDATE SET due_at = excluded.due_at, words = excluded.words,
             filling_since = excluded.filling_since, feed_day = excluded.feed_day, feed_page = excluded.feed_page,
             walk_began = excluded.walk_began, walk_pages = excluded.walk_pages, walk_due = excluded.walk_due",
            &binds![
                platform.0, p.due_at.0, &p.words, p.filling_since.map(|t| t.0), p.feed_day, p.feed_page.as_deref(),
                p.walk_began.map(|t| t.0), p.walk_pages, p.walk_due.map(|t| t.0)
            ],
        )?;
        Ok(())
    }

    /// Keeps how far the platform's cards are reconciled.
    pub fn put_compared(&mut self, platform: PlatformId, sim: i64, due: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO sync_place (platform_id, due_at, words, walk_pages, compared_sim, compare_due) VALUES (?, 0, '', 0, ?, ?)
             ON CONFLICT (platform_id) DO UPDATE SET compared_sim = excluded.compared_sim, compare_due = excluded.compare_due",
            &binds![platform.0, sim, due.0],
        )?;
        Ok(())
    }

    /// Cards of the platform, ours since before `since`, whose fact was never read or read as of before `as_of`, and may be asked for
    /// now: those below a warning line and not used up first, then the stalest.
    pub fn sync_candidates(
        &mut self,
        (platform, what): (PlatformId, &str),
        (as_of, since): (Timestamp, Timestamp),
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Candidate>, Error> {
        type R = (i64, String, Option<String>, String, i64, i64, Vec<u8>, Option<i64>);
        let used_up = Blocks::QUOTA.0;
        let text = format!(
            "SELECT s.id, s.iccid, s.msisdn, s.state, s.created_at, s.account_id, t.head, r.as_of
             {OF_PLATFORM} JOIN sim_state t ON t.sim_id = s.id
             WHERE {LIVING} AND s.created_at < ? AND (r.as_of IS NULL OR r.as_of < ?) AND (r.held_until IS NULL OR r.held_until <= ?)
             ORDER BY CASE WHEN t.warned <> 0 AND s.blocks & {used_up} = 0 THEN 0 ELSE 1 END, COALESCE(r.as_of, 0), s.id LIMIT ?"
        );
        let candidate =
            |r: R| Candidate { sim: r.0, iccid: r.1, msisdn: r.2, state: r.3, since: r.4, account: r.5, head: r.6, as_of: r.7 };
        let found = self.rows::<R>(&text, &binds![platform.0, what, since.0, as_of.0, now.0, limit])?;
        Ok(found.into_iter().map(candidate).collect())
    }

    /// Cards of the platform that are stopped by its word, with us too, without a reason that was read since, and may be asked for it now:
    /// those that were never asked for first.
    pub fn unexplained_stops(
        &mut self,
        (platform, what): (PlatformId, &str),
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Candidate>, Error> {
        if limit <= 0 {
            return Ok(Vec::new());
        }
        type R = (i64, String, Option<String>, String, i64, i64, Option<i64>);
        let text = "SELECT s.id, s.iccid, s.msisdn, s.state, s.created_at, s.account_id, r.asked_at FROM carrier_word w
             JOIN sim s ON s.id = w.sim_id JOIN product p ON p.id = s.product_id
             LEFT JOIN sync_read r ON r.sim_id = s.id AND r.what = ? AND r.platform_id = p.platform_id
             WHERE w.base = 'stopped' AND w.stop_at IS NULL AND s.state = 'stopped' AND p.platform_id = ?
             AND (r.held_until IS NULL OR r.held_until <= ?)
             ORDER BY COALESCE(r.asked_at, 0), s.id LIMIT ?";
        let candidate = |r: R| Candidate {
            sim: r.0,
            iccid: r.1,
            msisdn: r.2,
            state: r.3,
            since: r.4,
            account: r.5,
            head: Vec::new(),
            as_of: r.6,
        };
        let found = self.rows::<R>(text, &binds![what, platform.0, now.0, limit])?;
        Ok(found.into_iter().map(candidate).collect())
    }

    /// Looks at the age of the platform's readings: what was not looked at before is from now on. `then`: cards that became another
    /// product by then are like all others; `alert`: `sync.alert_seconds`.
    pub fn look_at_age(
        &mut self,
        platform: PlatformId,
        (then, now): (Timestamp, Timestamp),
        alert: i64,
    ) -> Result<Looked, Error> {
        let text = "UPDATE product SET watched_since = ? WHERE platform_id = ? AND watched_since IS NULL";
        self.run(text, &binds![now.0, platform.0])?;
        self.run(
            "INSERT INTO sync_place (platform_id, due_at, words, walk_pages, compared_sim, compare_due) VALUES (?, 0, '', 0, 0, 0)
             ON CONFLICT (platform_id) DO NOTHING",
            &binds![platform.0],
        )?;
        let of_it = "sim_id IN (SELECT s.id FROM sim s JOIN product p ON p.id = s.product_id WHERE p.platform_id = ?)";
        self.run(&format!("DELETE FROM sync_since WHERE at <= ? AND {of_it}"), &binds![then.0, platform.0])?;
        self.run(&format!("UPDATE sync_since SET at = ? WHERE at IS NULL AND {of_it}"), &binds![now.0, platform.0])?;
        type R = (Option<i64>, Option<i64>, Option<i64>);
        let text = "SELECT (SELECT MIN(watched_since) FROM product WHERE platform_id = n.id), y.stale_since,
             CASE WHEN y.quiet_alert = ? THEN y.quiet_until END
             FROM platform n LEFT JOIN sync_place y ON y.platform_id = n.id WHERE n.id = ?";
        let row = self.row::<R>(text, &binds![alert, platform.0])?.unwrap_or_default();
        Ok(Looked { since: row.0.map(Timestamp), is_stale: row.1.is_some(), quiet_until: row.2.map(Timestamp) })
    }

    /// Notes until when nothing of the platform can be older than it may be.
    pub fn set_quiet(&mut self, platform: PlatformId, until: Timestamp, alert: i64) -> Result<(), Error> {
        let text = "UPDATE sync_place SET quiet_until = ?, quiet_alert = ? WHERE platform_id = ?";
        self.run(text, &binds![until.0, alert, platform.0])?;
        Ok(())
    }

    /// Nobody looks at the age of the platform's readings any more, until somebody does again.
    pub(crate) fn look_away(&mut self, platform: PlatformId) -> Result<(), Error> {
        self.run("UPDATE product SET watched_since = NULL WHERE platform_id = ?", &binds![platform.0])?;
        self.run("UPDATE sync_place SET stale_since = NULL WHERE platform_id = ?", &binds![platform.0])?;
        Ok(())
    }

    /// The card is another product: its readings are looked at from then on.
    pub(crate) fn watch_anew(&mut self, sim: SimId) -> Result<(), Error> {
        let text = "INSERT INTO sync_since (sim_id, at) VALUES (?, NULL) ON CONFLICT (sim_id) DO UPDATE SET at = NULL";
        self.run(text, &binds![sim.0])?;
        Ok(())
    }

    /// How old each fact (in the order of [`What::ALL`]) of the platform's cards is: one walk through them. Old are those that were
    /// looked at and ours since `then`. A fact that is not told has nothing.
    pub fn sync_ages(&mut self, platform: PlatformId, stale: [Option<Stale>; 3], then: Timestamp) -> Result<[Age; 3], Error> {
        type One = (i64, i64, i64, Option<i64>);
        type R = (i64, i64, i64, Option<i64>, i64, i64, i64, Option<i64>, i64, i64, i64, Option<i64>);
        let (mut columns, mut facts, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (what, of) in What::ALL.into_iter().zip(stale) {
            let word = what.word();
            // Nothing is ours since before all time.
            let of = of.unwrap_or(Stale { as_of: Timestamp(i64::MIN), since: Timestamp(i64::MIN) });
            facts.push(format!("MAX(CASE WHEN r.what = '{word}' THEN r.as_of END) AS {word}_at"));
            let sum = |words: &str| format!("CAST(COALESCE(SUM(CASE WHEN {words} THEN 1 ELSE 0 END), 0) AS BIGINT)");
            columns.push(sum("watched = 1 AND since < ?"));
            columns.push(sum(&format!("watched = 1 AND since < ? AND ({word}_at IS NULL OR {word}_at < ?)")));
            columns.push(sum(&format!("since < ? AND {word}_at IS NULL")));
            columns.push(format!("MIN(CASE WHEN since < ? THEN {word}_at END)"));
            let old = of.since.min(then);
            values.extend(binds![old.0, old.0, of.as_of.0, of.since.0, of.since.0]);
        }
        let text = format!(
            "SELECT {} FROM (SELECT s.id, s.created_at AS since, {},
               MIN(CASE WHEN p.watched_since <= ? AND (m.sim_id IS NULL OR m.at <= ?) THEN 1 ELSE 0 END) AS watched
             FROM sim s JOIN product p ON p.id = s.product_id AND p.platform_id = ?
             LEFT JOIN sync_read r ON r.sim_id = s.id AND r.platform_id = p.platform_id
             LEFT JOIN sync_since m ON m.sim_id = s.id
             WHERE {LIVING} GROUP BY s.id, s.created_at) AS x",
            columns.join(", "),
            facts.join(", ")
        );
        values.extend(binds![then.0, then.0, platform.0]);
        let r = self.row::<R>(&text, &values)?.unwrap_or_default();
        let age = |(cards, old, unread, oldest): One| Age { cards, old, unread, oldest: oldest.map(Timestamp) };
        Ok([(r.0, r.1, r.2, r.3), (r.4, r.5, r.6, r.7), (r.8, r.9, r.10, r.11)].map(age))
    }

    /// Notes since when readings of the platform are older than they may be, or that none is. Whether that is news.
    pub fn set_stale(&mut self, platform: PlatformId, since: Option<Timestamp>) -> Result<bool, Error> {
        let changed = match since {
            Some(since) => self.run(
                "UPDATE sync_place SET stale_since = ? WHERE platform_id = ? AND stale_since IS NULL",
                &binds![since.0, platform.0],
            )?,
            None => self.run(
                "UPDATE sync_place SET stale_since = NULL WHERE platform_id = ? AND stale_since IS NOT NULL",
                &binds![platform.0],
            )?,
        };
        Ok(changed > 0)
    }

    /// Whether there is a card of the platform for whose fact nobody asked since `since`.
    pub fn has_unasked(&mut self, platform: PlatformId, what: &str, since: Timestamp) -> Result<bool, Error> {
        let text = format!("SELECT s.id {OF_PLATFORM} WHERE {LIVING} AND (r.asked_at IS NULL OR r.asked_at < ?) LIMIT 1");
        Ok(self.row::<(i64,)>(&text, &binds![platform.0, what, since.0])?.is_some())
    }

    /// Notes what was asked of cards of the platform.
    pub fn note_asked(&mut self, platform: PlatformId, what: &str, asked: &[Asked], now: Timestamp) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        let columns =
            [Int("sim_id"), Text("what"), Int("platform_id"), Int("as_of"), Int("asked_at"), Int("held_until"), Text("words")];
        let row = |a: &Asked| binds![a.sim, what, platform.0, a.as_of, now.0, a.held_until, a.words.clone()].to_vec();
        let rows: Vec<_> = asked.iter().map(row).collect();
        let known = "ON CONFLICT (sim_id, what) DO UPDATE SET as_of = CASE WHEN excluded.as_of IS NULL
             AND sync_read.platform_id = excluded.platform_id THEN sync_read.as_of ELSE excluded.as_of END,
             platform_id = excluded.platform_id, asked_at = excluded.asked_at, held_until = excluded.held_until, words = excluded.words";
        self.add_rows("sync_read", &columns, &rows, known)?;
        Ok(())
    }

    /// What was known of a fact of these cards counts no more: it is to be read.
    pub fn forget_asked(&mut self, what: &str, sims: &[i64]) -> Result<(), Error> {
        let text = format!("UPDATE sync_read SET as_of = NULL, held_until = NULL WHERE what = ? AND {}", self.one_of("sim_id"));
        let list = self.list(sims.iter().copied());
        self.run(&text, &binds![what, list])?;
        Ok(())
    }

    /// Adds requests made on a day in China.
    pub fn add_sync_calls(&mut self, platform: PlatformId, day: i64, what: &str, calls: i64) -> Result<(), Error> {
        self.run(
            "INSERT INTO sync_calls (platform_id, day, what, calls) VALUES (?, ?, ?, ?)
             ON CONFLICT (platform_id, day, what) DO UPDATE SET calls = sync_calls.calls + excluded.calls",
            &binds![platform.0, day, what, calls],
        )?;
        Ok(())
    }

    /// Requests made on a day in China: (for what, requests).
    pub fn sync_calls(&mut self, platform: PlatformId, day: i64) -> Result<Vec<(String, i64)>, Error> {
        self.rows("SELECT what, calls FROM sync_calls WHERE platform_id = ? AND day = ? ORDER BY what", &binds![platform.0, day])
    }

    /// How fresh a fact of the platform's cards is, those being stale that are known as of before `as_of`.
    pub fn sync_figure(
        &mut self,
        (platform, what): (PlatformId, &str),
        (as_of, since): (Timestamp, Timestamp),
    ) -> Result<SyncFigure, Error> {
        let text = format!(
            "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN r.as_of IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT),
             CAST(COALESCE(SUM(CASE WHEN r.as_of < ? THEN 1 ELSE 0 END), 0) AS BIGINT), MIN(r.as_of)
             {OF_PLATFORM} WHERE {LIVING} AND s.created_at < ?"
        );
        let row = self.row::<(i64, i64, i64, Option<i64>)>(&text, &binds![as_of.0, platform.0, what, since.0])?;
        Ok(row.map_or_else(SyncFigure::default, |(cards, never, stale, oldest)| SyncFigure { cards, never, stale, oldest }))
    }

    /// The platform's cards numbered above `after`, by number: (card, account, ours since).
    pub fn cards_of_platform(&mut self, platform: PlatformId, after: i64, limit: i64) -> Result<Vec<(i64, i64, i64)>, Error> {
        self.rows(
            "SELECT s.id, s.account_id, s.created_at FROM sim s JOIN product p ON p.id = s.product_id
             WHERE p.platform_id = ? AND s.id > ? ORDER BY s.id LIMIT ?",
            &binds![platform.0, after, limit],
        )
    }

    /// Which of these cards live on the platform.
    pub fn on_platform(&mut self, platform: PlatformId, sims: &[i64]) -> Result<Vec<SimId>, Error> {
        let text = format!(
            "SELECT s.id FROM sim s JOIN product p ON p.id = s.product_id WHERE p.platform_id = ? AND {} ORDER BY s.id",
            self.one_of("s.id")
        );
        let list = self.list(sims.iter().copied());
        Ok(self.rows::<(i64,)>(&text, &binds![platform.0, list])?.into_iter().map(|r| SimId(r.0)).collect())
    }

    /// Cards by telephone number: (number, card, account).
    pub fn sims_of_msisdns(&mut self, numbers: &[&str]) -> Result<Vec<(String, i64, AccountId)>, Error> {
        let text =
            format!("SELECT number, sim_id, account_id FROM sim_key WHERE kind = 'msisdn' AND {}", self.one_of_texts("number"));
        let list = serde_json::to_string(numbers).map_err(|e| Error::Engine(e.to_string()))?;
        let found = self.rows::<(String, i64, i64)>(&text, &binds![list])?;
        Ok(found.into_iter().map(|(number, sim, account)| (number, sim, AccountId(account))).collect())
    }
}
