//! Parts of an account's list: the cards of a stage, those with an EID, the warnings. Each is a list of its own, with places
//! and holes like the whole one: what comes to a part takes its next place, what leaves it leaves a hole.
//!
//! An act that changes what a card is only notes the card for the accounts that see it ([`Tx::relist`]): to give places in
//! the act itself would make all acts of all accounts wait for each other at the operator's list. Whoever reads a part,
//! and a worker, first puts what was noted into its parts ([`Tx::settle_parts`]), under a lock of that account's parts alone.

use super::{Changes, GROUP, Stretch, kind};
use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::sims::SimAndState;
use kachi_domain::alert::Below;
use kachi_domain::carrier::INTERNATIONAL;
use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_domain::{AccountId, ProductId, SimId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Cards put into their parts, and holes closed, at once.
const AT_ONCE: i64 = 5_000;

/// A part of an account's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The cards of a stage.
    Of(Stage),
    /// The cards with an EID, all or those of a stage.
    WithEid(Option<Stage>),
    /// The warnings of international cards, an entry for each line that a card is below: all types, or one (1 to 3).
    Warned(Option<i64>),
}

impl Part {
    /// The number it is kept as: 1 to 5 the stages, 6 to 9 the warnings by type and all, 10 to 15 with an EID.
    pub(crate) fn number(self) -> i64 {
        match self {
            Part::Of(stage) => stage.number(),
            Part::Warned(one) => one.map_or(9, |t| 5 + t),
            Part::WithEid(stage) => 10 + stage.map_or(0, Stage::number),
        }
    }
}

/// A part, and what the entry says (the type of a warning; else 0).
type Entry = (i64, i64);
/// A card's entries.
type Entries = BTreeSet<Entry>;
/// Entries and their places, by card.
type Placed = HashMap<i64, Vec<(Entry, i64)>>;

/// What decides in which parts a card is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    stage: Stage,
    warned: Below,
    has_eid: bool,
}

impl Kind {
    fn of(state: &str, blocks: i64, warned: i64, has_eid: i64, carrier: &str) -> Kind {
        let base = BaseState::parse(state).unwrap_or(BaseState::Unknown);
        let stage = Stage::of(base, Blocks(blocks));
        let warned = if carrier == INTERNATIONAL && stage != Stage::Over { Below(warned) } else { Below::default() };
        Kind { stage, warned, has_eid: has_eid != 0 }
    }

    fn entries(&self) -> Entries {
        let mut parts = vec![(Part::Of(self.stage), 0)];
        if self.has_eid {
            parts.extend([(Part::WithEid(None), 0), (Part::WithEid(Some(self.stage)), 0)]);
        }
        for t in self.warned.types() {
            parts.extend([(Part::Warned(Some(t)), t), (Part::Warned(None), t)]);
        }
        parts.into_iter().map(|(part, what)| (part.number(), what)).collect()
    }
}

impl Tx<'_> {
    /// What decides in which parts these cards are has changed: [`Tx::settle_parts`] will see to it.
    pub fn relist(&mut self, sims: &[SimId]) -> Result<(), Error> {
        if sims.is_empty() {
            return Ok(());
        }
        let (among, value) = self.among("sim_id", &sims.iter().map(|s| s.0).collect::<Vec<_>>());
        let text = format!(
            "INSERT INTO sim_part_change (account_id, sim_id) SELECT account_id, sim_id FROM sim_place WHERE {among} ORDER BY sim_id"
        );
        self.run(&text, &[value])?;
        Ok(())
    }

    /// As [`Tx::relist`], for all cards of a product.
    pub(crate) fn relist_product(&mut self, product: ProductId) -> Result<(), Error> {
        self.run(
            "INSERT INTO sim_part_change (account_id, sim_id)
             SELECT p.account_id, p.sim_id FROM sim s JOIN sim_place p ON p.sim_id = s.id WHERE s.product_id = ? ORDER BY s.id",
            &binds![product.0],
        )?;
        Ok(())
    }

    /// Whether something of the account's cards is noted and not in its parts yet.
    pub fn has_part_changes(&mut self, account: AccountId) -> Result<bool, Error> {
        let text = "SELECT id FROM sim_part_change WHERE account_id = ? LIMIT 1";
        Ok(self.row::<(i64,)>(text, &binds![account.0])?.is_some())
    }

    /// The account of which something has been noted for the longest time.
    pub fn part_changes_of(&mut self) -> Result<Option<AccountId>, Error> {
        let text = "SELECT account_id FROM sim_part_change ORDER BY id LIMIT 1";
        Ok(self.row::<(i64,)>(text, &[])?.map(|r| AccountId(r.0)))
    }

    /// Puts cards of the account that were noted into the parts they belong to, in the order they were noted, up to
    /// a bound. On PostgreSQL the account's parts are locked until the transaction ends. The answer is how many notes there
    /// were.
    pub fn settle_parts(&mut self, account: AccountId, now: Timestamp) -> Result<usize, Error> {
        if self.is_postgres() {
            self.run(
                "INSERT INTO sim_part_list (account_id, part, next_place) VALUES (?, 0, 0)
                 ON CONFLICT (account_id, part) DO UPDATE SET next_place = sim_part_list.next_place",
                &binds![account.0],
            )?;
        }
        let mut noted = self.rows::<(i64, i64)>(
            "DELETE FROM sim_part_change WHERE id IN (SELECT id FROM sim_part_change WHERE account_id = ? ORDER BY id LIMIT ?)
             RETURNING id, sim_id",
            &binds![account.0, AT_ONCE],
        )?;
        noted.sort_unstable();
        let mut seen = HashSet::new();
        let sims: Vec<i64> = noted.iter().map(|n| n.1).filter(|sim| seen.insert(*sim)).collect();
        let (wanted, there) = (self.wanted_entries(account, &sims)?, self.entries_there(account, &sims)?);
        let (mut left, mut new) = (BTreeMap::<i64, Vec<i64>>::new(), BTreeMap::<i64, Vec<(i64, i64)>>::new());
        for sim in &sims {
            let there: &[(Entry, i64)] = there.get(sim).map_or(&[], Vec::as_slice);
            let wanted = wanted.get(sim);
            for ((part, _), place) in there.iter().filter(|(entry, _)| wanted.is_none_or(|w| !w.contains(entry))) {
                left.entry(*part).or_default().push(*place);
            }
            let missing = wanted.into_iter().flatten().filter(|entry| there.iter().all(|(e, _)| e != *entry));
            for (part, what) in missing {
                new.entry(*part).or_default().push((*sim, *what));
            }
        }
        for (part, places) in left {
            let (among, value) = self.among("place", &places);
            let text = format!("UPDATE sim_part SET sim_id = NULL, left_at = ? WHERE account_id = ? AND part = ? AND {among}");
            self.run(&text, &[now.0.into(), account.0.into(), part.into(), value])?;
        }
        self.append_to_parts(account, &new)?;
        Ok(noted.len())
    }

    fn wanted_entries(&mut self, account: AccountId, sims: &[i64]) -> Result<HashMap<i64, Entries>, Error> {
        type R = (i64, String, i64, i64, i64, String);
        // Card by card through the keys, whatever the engine knows of the tables: many cards may have come just now.
        let each = |table: &str, key: &str| match self.is_postgres() {
            true => format!("CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {key} = k.value OFFSET 0)"),
            false => format!("CROSS JOIN {table}"),
        };
        let (list_of, also) =
            if self.is_postgres() { ("unnest(CAST(? AS BIGINT[]))", "k(value)") } else { ("json_each(?)", "k") };
        let text = format!(
            "SELECT p.sim_id, s.state, s.blocks, t.warned, CAST(CASE WHEN s.eid IS NULL THEN 0 ELSE 1 END AS BIGINT), r.carrier
             FROM {list_of} AS {also} {} p {} s {} t JOIN product r ON r.id = s.product_id
             WHERE p.sim_id = k.value AND p.account_id = ? AND s.id = k.value AND t.sim_id = k.value",
            each("sim_place", "sim_id"),
            each("sim", "id"),
            each("sim_state", "sim_id"),
        );
        let list = self.list(sims.iter().copied());
        let rows = self.rows::<R>(&text, &binds![list, account.0])?;
        Ok(rows.into_iter().map(|r| (r.0, Kind::of(&r.1, r.2, r.3, r.4, &r.5).entries())).collect())
    }

    /// The entries that cards have: by card, each with its place.
    fn entries_there(&mut self, account: AccountId, sims: &[i64]) -> Result<Placed, Error> {
        let text = format!("SELECT sim_id, part, what, place FROM sim_part WHERE {} AND account_id = ?", self.one_of("sim_id"));
        let list = self.list(sims.iter().copied());
        let mut there = Placed::new();
        for (sim, part, what, place) in self.rows::<(i64, i64, i64, i64)>(&text, &binds![list, account.0])? {
            there.entry(sim).or_default().push(((part, what), place));
        }
        Ok(there)
    }

    fn append_to_parts(&mut self, account: AccountId, new: &BTreeMap<i64, Vec<(i64, i64)>>) -> Result<(), Error> {
        let mut changes = Changes::default();
        for (part, entries) in new {
            let next = self.row::<(i64,)>(
                "INSERT INTO sim_part_list (account_id, part, next_place) VALUES (?, ?, ?) ON CONFLICT (account_id, part)
                 DO UPDATE SET next_place = sim_part_list.next_place + excluded.next_place RETURNING next_place",
                &binds![account.0, *part, entries.len() as i64],
            )?;
            let first = next.map_or(0, |r| r.0) - entries.len() as i64;
            for (some, from) in entries.chunks(GROUP).zip((first..).step_by(GROUP)) {
                let mut values: Vec<Value<'_>> = Vec::with_capacity(some.len() * 5);
                for ((sim, what), place) in some.iter().zip(from..) {
                    values.extend(binds![account.0, *part, place, *sim, *what]);
                    changes.place((account.0, place), kind::places_of(*part), 1);
                }
                let text = "INSERT INTO sim_part (account_id, part, place, sim_id, what) VALUES {}";
                self.run_group(text, "(?, ?, ?, ?, ?)", some.len(), GROUP, &values)?;
            }
        }
        self.note_changes(&changes)
    }

    /// As [`Tx::cards_page`], of the cards of a part. A card may have left the part, or the account's sight, a moment ago:
    /// the caller looks.
    pub fn part_page(
        &mut self,
        account: AccountId,
        part: Part,
        offset: i64,
        limit: i64,
    ) -> Result<(Vec<SimAndState>, i64), Error> {
        let (total, stretch) = self.stretch(account, kind::places_of(part.number()), offset)?;
        let Some(Stretch { first_place, skip }) = stretch else { return Ok((Vec::new(), total)) };
        let text = "SELECT sim_id FROM sim_part WHERE account_id = ? AND part = ? AND place >= ? ORDER BY place LIMIT ? OFFSET ?";
        let ids = self.rows::<(Option<i64>,)>(text, &binds![account.0, part.number(), first_place, limit, skip])?;
        Ok((self.in_order(ids)?, total))
    }

    /// Warnings of the account's international cards (ICCID, type), of one type or all, `offset` entries passed over and at
    /// most `limit` looked at; and the entries of the whole list.
    pub fn warnings_page(
        &mut self,
        account: AccountId,
        alert_type: Option<i64>,
        offset: i64,
        limit: i64,
    ) -> Result<(Vec<(String, i64)>, i64), Error> {
        let part = Part::Warned(alert_type).number();
        let (total, stretch) = self.stretch(account, kind::places_of(part), offset)?;
        let Some(Stretch { first_place, skip }) = stretch else { return Ok((Vec::new(), total)) };
        // A card that the account no longer sees has no place in its whole list.
        let text = "SELECT s.iccid, p.what, t.warned FROM sim_part p
             LEFT JOIN sim_place l ON l.account_id = p.account_id AND l.sim_id = p.sim_id
             LEFT JOIN sim s ON s.id = l.sim_id LEFT JOIN sim_state t ON t.sim_id = l.sim_id
             WHERE p.account_id = ? AND p.part = ? AND p.place >= ? ORDER BY p.place LIMIT ? OFFSET ?";
        let values = binds![account.0, part, first_place, limit, skip];
        let entries = self.rows::<(Option<String>, i64, Option<i64>)>(text, &values)?;
        let still = |(iccid, t, warned): (Option<String>, i64, Option<i64>)| {
            iccid.filter(|_| Below(warned.unwrap_or(0)).types().any(|w| w == t)).map(|iccid| (iccid, t))
        };
        Ok((entries.into_iter().filter_map(still).collect(), total))
    }

    /// Whether the part has holes.
    pub fn has_part_holes(&mut self, account: AccountId, part: Part) -> Result<bool, Error> {
        let text = "SELECT place FROM sim_part WHERE account_id = ? AND part = ? AND left_at IS NOT NULL LIMIT 1";
        Ok(self.row::<(i64,)>(text, &binds![account.0, part.number()])?.is_some())
    }

    pub(super) fn close_holes_of_parts(&mut self, quiet: Timestamp, old: Timestamp) -> Result<usize, Error> {
        let closed = self.rows::<(i64, i64, i64)>(
            "DELETE FROM sim_part WHERE (account_id, part, place) IN (
               SELECT p.account_id, p.part, p.place FROM sim_part p LEFT JOIN sim_walk w ON w.account_id = p.account_id
               WHERE p.left_at IS NOT NULL AND p.left_at <= ?
               AND (w.asked_at IS NULL OR w.asked_at <= ? OR p.left_at <= ?) LIMIT ?)
             RETURNING account_id, part, place",
            &binds![quiet.0, quiet.0, old.0, AT_ONCE],
        )?;
        let mut changes = Changes::default();
        for (account, part, place) in &closed {
            changes.place((*account, *place), kind::places_of(*part), -1);
        }
        self.note_changes(&changes)?;
        Ok(closed.len())
    }

    /// Cards that are in other parts than they should be, and not noted.
    pub(super) fn audit_parts(&mut self, found: &mut Vec<String>) -> Result<(), Error> {
        type R = (i64, String, i64, i64, i64, String, i64);
        // Which parts, as the sum of 2 to their numbers.
        let text = "SELECT MIN(p.sim_id), s.state, s.blocks, t.warned, CAST(CASE WHEN s.eid IS NULL THEN 0 ELSE 1 END AS BIGINT), r.carrier,
               COALESCE(x.parts, 0)
             FROM sim_place p JOIN sim s ON s.id = p.sim_id JOIN sim_state t ON t.sim_id = p.sim_id
             JOIN product r ON r.id = s.product_id
             LEFT JOIN (SELECT account_id, sim_id, CAST(SUM(CAST(1 AS BIGINT) << CAST(part AS INTEGER)) AS BIGINT) AS parts
               FROM sim_part WHERE sim_id IS NOT NULL GROUP BY account_id, sim_id) x
             ON x.account_id = p.account_id AND x.sim_id = p.sim_id
             WHERE NOT EXISTS (SELECT 1 FROM sim_part_change c WHERE c.account_id = p.account_id AND c.sim_id = p.sim_id)
             GROUP BY s.state, s.blocks, t.warned, CAST(CASE WHEN s.eid IS NULL THEN 0 ELSE 1 END AS BIGINT), r.carrier, COALESCE(x.parts, 0)";
        for (sim, state, blocks, warned, eid, carrier, parts) in self.rows_once::<R>(text, &[])? {
            let wanted: i64 = Kind::of(&state, blocks, warned, eid, &carrier).entries().iter().map(|(part, _)| 1 << part).sum();
            if parts != wanted {
                found.push(format!("card {sim} and any like it: in the parts {parts:#x} of a list, not {wanted:#x}"));
            }
        }
        let text = "SELECT DISTINCT x.sim_id FROM sim_part x
             LEFT JOIN sim_place p ON p.account_id = x.account_id AND p.sim_id = x.sim_id
             WHERE x.sim_id IS NOT NULL AND p.place IS NULL AND NOT EXISTS
               (SELECT 1 FROM sim_part_change c WHERE c.account_id = x.account_id AND c.sim_id = x.sim_id) LIMIT 50";
        for (sim,) in self.rows_once::<(i64,)>(text, &[])? {
            found.push(format!("card {sim}: in a part of the list of an account that does not see it"));
        }
        Ok(())
    }
}
