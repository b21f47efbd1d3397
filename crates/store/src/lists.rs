//! Kept lists: the cards an account sees, page by page at one price, and how many of them are what.
//!
//! Each account has one list of the cards it sees, its own and those of the accounts below it. A card takes the next
//! place of every such list when it comes in sight and keeps it until it leaves; then its place is a hole, which counts
//! as an entry until it is closed, so that nobody's later pages move. Counts for each block of [`BLOCK`] places lead to
//! the n-th entry without walking there. A change of a count is a row of its own, so that no two transactions wait for
//! each other over a count, and [`Tx::sum_up_counts`] adds it in later; whoever reads adds what is not summed up yet.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::sims::{Sim, SimAndState};
use kachi_domain::account::Path;
use kachi_domain::alert::Below;
use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_domain::{AccountId, SimId, Timestamp};
use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Places counted together.
pub const BLOCK: i64 = 1024;

/// Rows in one statement.
const GROUP: usize = 100;
/// Changes summed up, and holes closed, at once.
const AT_ONCE: i64 = 5_000;

/// What is counted of an account's cards; stages have their own numbers, 1 to 5.
mod kind {
    /// Places of the list, holes too.
    pub const PLACES: i64 = 0;
    /// Cards that were ever activated.
    pub const ACTIVATED: i64 = 6;
    /// Cards that ever had a package.
    pub const ORDERED: i64 = 7;

    /// Cards below the line of a warning type (1 to 3).
    pub const fn warned(alert_type: i64) -> i64 {
        7 + alert_type
    }
}

/// The block of kinds that are counted as a whole.
const NO_BLOCK: i64 = -1;

/// A part of an account's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Every card.
    All,
    /// The cards of a stage.
    Of(Stage),
    /// The warnings: one entry for each line a card is below; all types, or one (1 to 3).
    Warned(Option<i64>),
}

impl Part {
    /// The kinds that count its entries, first and last.
    fn kinds(self) -> (i64, i64) {
        match self {
            Part::All => (kind::PLACES, kind::PLACES),
            Part::Of(stage) => (stage.number(), stage.number()),
            Part::Warned(None) => (kind::warned(1), kind::warned(3)),
            Part::Warned(Some(t)) => (kind::warned(t), kind::warned(t)),
        }
    }
}

/// Where a stretch of a list lies: from the first place of a block on, some entries passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    first_place: i64,
    /// Entries passed over from there.
    skip: i64,
    /// The last block's end: no entry of the stretch lies at or behind it.
    end_place: i64,
}

/// What an account's cards are, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Cards of each stage, in the order of [`Stage::ALL`].
    pub stages: [i64; 5],
    /// Cards that were ever activated.
    pub activated: i64,
    /// Cards that ever had a package.
    pub ordered: i64,
}

impl Counts {
    /// Cards in all.
    pub fn total(&self) -> i64 {
        self.stages.iter().sum()
    }

    /// Cards of a stage.
    pub fn of(&self, stage: Stage) -> i64 {
        self.stages[stage as usize - 1]
    }
}

/// What is counted of one card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    stage: Stage,
    activated: bool,
    ordered: bool,
    warned: Below,
}

impl Standing {
    fn of(state: &str, blocks: i64, activated_at: Option<i64>) -> Standing {
        let base = BaseState::parse(state).unwrap_or(BaseState::Unknown);
        Standing {
            stage: Stage::of(base, Blocks(blocks)),
            activated: activated_at.is_some() || base.is_activated(),
            ordered: false,
            warned: Below::default(),
        }
    }

    /// The kinds it is counted under, besides its place; and whether by block.
    fn kinds(&self) -> Vec<(i64, bool)> {
        let mut kinds = vec![(self.stage.number(), true)];
        kinds.extend(self.activated.then_some((kind::ACTIVATED, false)));
        kinds.extend(self.ordered.then_some((kind::ORDERED, false)));
        kinds.extend(self.warned.types().map(|t| (kind::warned(t), true)));
        kinds
    }
}

/// Cards that come in sight of an account.
type Newcomers = Vec<(SimId, Standing)>;

/// Changes of counts by account, kind and block.
#[derive(Default)]
struct Changes(BTreeMap<(i64, i64, i64), i64>);

impl Changes {
    fn add(&mut self, (account, place): (i64, i64), kinds: &[(i64, bool)], cards: i64) {
        for (kind, by_block) in kinds {
            let block = if *by_block { place / BLOCK } else { NO_BLOCK };
            *self.0.entry((account, *kind, block)).or_default() += cards;
        }
    }

    /// The same places, with other kinds.
    fn swap(&mut self, places: &[(i64, i64)], before: &Standing, after: &Standing) {
        for place in places {
            self.add(*place, &before.kinds(), -1);
            self.add(*place, &after.kinds(), 1);
        }
    }
}

impl Tx<'_> {
    /// Gives new cards their places in the lists of their owners and of the accounts above. On PostgreSQL the lists stay
    /// locked until the transaction ends, so that places are seen in the order in which they were given; the deepest
    /// are locked first.
    pub fn place_new(&mut self, sims: &[Sim]) -> Result<(), Error> {
        let mut chains: HashMap<AccountId, Vec<AccountId>> = HashMap::new();
        // By depth, the deepest first, and number.
        let mut lists: BTreeMap<(Reverse<usize>, i64), Newcomers> = BTreeMap::new();
        for sim in sims {
            let chain = match chains.entry(sim.account) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.chain_up(sim.account)?),
            };
            for (i, account) in chain.iter().enumerate() {
                let list = lists.entry((Reverse(chain.len() - i), account.0)).or_default();
                list.push((sim.id, Standing::of(&sim.state, sim.blocks, sim.activated_at)));
            }
        }
        for ((_, account), sims) in lists {
            self.place(AccountId(account), &sims)?;
        }
        Ok(())
    }

    fn place(&mut self, account: AccountId, sims: &[(SimId, Standing)]) -> Result<(), Error> {
        let next = self.row::<(i64,)>(
            "INSERT INTO sim_list (account_id, next_place) VALUES (?, ?)
             ON CONFLICT (account_id) DO UPDATE SET next_place = sim_list.next_place + excluded.next_place RETURNING next_place",
            &binds![account.0, sims.len() as i64],
        )?;
        let first = next.map_or(0, |r| r.0) - sims.len() as i64;
        let mut changes = Changes::default();
        for (part, from) in sims.chunks(GROUP).zip((first..).step_by(GROUP)) {
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 5);
            for ((sim, standing), place) in part.iter().zip(from..) {
                values.extend(binds![account.0, place, sim.0, standing.stage.number(), standing.warned.0]);
                changes.add((account.0, place), &[(kind::PLACES, true)], 1);
                changes.add((account.0, place), &standing.kinds(), 1);
            }
            let text = "INSERT INTO sim_place (account_id, place, sim_id, stage, warned) VALUES {}";
            self.run_group(text, "(?, ?, ?, ?, ?)", part.len(), GROUP, &values)?;
        }
        self.note_changes(&changes)
    }

    /// The card goes from one account to another: it keeps its place where both are seen, leaves a hole in the lists that
    /// lose it, and takes the next place of those that get it.
    pub(crate) fn move_places(&mut self, sim: SimId, from: AccountId, to: AccountId, now: Timestamp) -> Result<(), Error> {
        let standing = self.standing(sim)?;
        let (before, after) = (self.chain_up(from)?, self.chain_up(to)?);
        let mut changes = Changes::default();
        for account in before.iter().filter(|a| !after.contains(a)) {
            let text =
                "UPDATE sim_place SET sim_id = NULL, stage = 0, warned = 0, left_at = ? WHERE account_id = ? AND sim_id = ?
                 RETURNING account_id, place";
            for place in self.rows::<(i64, i64)>(text, &binds![now.0, account.0, sim.0])? {
                changes.add(place, &standing.kinds(), -1);
            }
        }
        self.note_changes(&changes)?;
        for account in after.iter().filter(|a| !before.contains(a)) {
            self.place(*account, &[(sim, standing)])?;
        }
        Ok(())
    }

    /// The card goes for good: it leaves a hole in every list.
    pub(crate) fn leave_places(&mut self, sim: SimId, now: Timestamp) -> Result<(), Error> {
        let standing = self.standing(sim)?;
        let text =
            "UPDATE sim_place SET sim_id = NULL, stage = 0, warned = 0, left_at = ? WHERE sim_id = ? RETURNING account_id, place";
        let mut changes = Changes::default();
        for place in self.rows::<(i64, i64)>(text, &binds![now.0, sim.0])? {
            changes.add(place, &standing.kinds(), -1);
        }
        self.note_changes(&changes)
    }

    /// The card's base state, blocks or first activation changed.
    pub(crate) fn change_stage(
        &mut self,
        sim: SimId,
        before: (&str, i64, Option<i64>),
        after: (&str, i64, Option<i64>),
    ) -> Result<(), Error> {
        let (before, after) = (Standing::of(before.0, before.1, before.2), Standing::of(after.0, after.1, after.2));
        if before == after {
            return Ok(());
        }
        let text = "UPDATE sim_place SET stage = ? WHERE sim_id = ? RETURNING account_id, place";
        let places = self.rows::<(i64, i64)>(text, &binds![after.stage.number(), sim.0])?;
        self.swap_kinds(&places, &before, &after)
    }

    /// The card is below other warning lines than before. The caller holds the card's state.
    pub fn set_warned(&mut self, sim: SimId, before: Below, after: Below) -> Result<(), Error> {
        self.run("UPDATE sim_state SET warned = ? WHERE sim_id = ?", &binds![after.0, sim.0])?;
        let text = "UPDATE sim_place SET warned = ? WHERE sim_id = ? RETURNING account_id, place";
        let places = self.rows::<(i64, i64)>(text, &binds![after.0, sim.0])?;
        let any = Standing::of("", 0, None);
        self.swap_kinds(&places, &Standing { warned: before, ..any }, &Standing { warned: after, ..any })
    }

    /// The card has had a package. The caller holds the card's state.
    pub fn set_ordered(&mut self, sim: SimId) -> Result<(), Error> {
        if self.run("UPDATE sim SET ordered = 1 WHERE id = ? AND ordered = 0", &binds![sim.0])? == 0 {
            return Ok(());
        }
        let places = self.rows::<(i64, i64)>("SELECT account_id, place FROM sim_place WHERE sim_id = ?", &binds![sim.0])?;
        let before = Standing::of("", 0, None);
        self.swap_kinds(&places, &before, &Standing { ordered: true, ..before })
    }

    fn swap_kinds(&mut self, places: &[(i64, i64)], before: &Standing, after: &Standing) -> Result<(), Error> {
        let mut changes = Changes::default();
        changes.swap(places, before, after);
        self.note_changes(&changes)
    }

    fn note_changes(&mut self, changes: &Changes) -> Result<(), Error> {
        let rows: Vec<_> = changes.0.iter().filter(|(_, cards)| **cards != 0).collect();
        for part in rows.chunks(GROUP) {
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 4);
            for ((account, kind, block), cards) in part {
                values.extend(binds![*account, *kind, *block, **cards]);
            }
            let text = "INSERT INTO sim_count_change (account_id, kind, block, cards) VALUES {}";
            // A card that changes has some rows at each level: few lengths, so each is worth keeping prepared.
            let whole = if part.len() <= 16 { part.len() } else { GROUP };
            self.run_group(text, "(?, ?, ?, ?)", part.len(), whole, &values)?;
        }
        Ok(())
    }

    fn standing(&mut self, sim: SimId) -> Result<Standing, Error> {
        let text = "SELECT s.state, s.blocks, s.activated_at, s.ordered, t.warned FROM sim s JOIN sim_state t ON t.sim_id = s.id
             WHERE s.id = ?";
        let row = self.row::<(String, i64, Option<i64>, i64, i64)>(text, &binds![sim.0])?;
        let r = row.ok_or_else(|| Error::Engine(format!("there is no card {sim}")))?;
        Ok(Standing { ordered: r.3 != 0, warned: Below(r.4), ..Standing::of(&r.0, r.1, r.2) })
    }

    /// The account and those above it, the deepest first: the order in which lists are locked.
    fn chain_up(&mut self, account: AccountId) -> Result<Vec<AccountId>, Error> {
        let path = self.row::<(String,)>("SELECT path FROM account WHERE id = ?", &binds![account.0])?;
        let path = path.ok_or_else(|| Error::Engine(format!("there is no account {account}")))?;
        let mut chain = Path::stored(path.0).chain();
        chain.reverse();
        Ok(chain)
    }
}

impl Tx<'_> {
    /// Entries of the whole list, and where the stretch lies; none if the list ends before it.
    fn stretch(&mut self, account: AccountId, part: Part, offset: i64, limit: i64) -> Result<(i64, Option<Stretch>), Error> {
        let (first, last) = part.kinds();
        let text = "SELECT block, CAST(SUM(cards) AS BIGINT) FROM (
               SELECT block, cards FROM sim_block WHERE account_id = ? AND kind >= ? AND kind <= ?
               UNION ALL SELECT block, cards FROM sim_count_change WHERE account_id = ? AND kind >= ? AND kind <= ?) x
             GROUP BY block ORDER BY block";
        let blocks = self.rows::<(i64, i64)>(text, &binds![account.0, first, last, account.0, first, last])?;
        let total = blocks.iter().map(|b| b.1).sum();
        let (mut before, mut found) = (0, None::<Stretch>);
        for (block, cards) in blocks {
            let after = before + cards;
            if after > offset && found.is_none() {
                found = Some(Stretch { first_place: block * BLOCK, skip: offset - before, end_place: 0 });
            }
            if let Some(stretch) = &mut found {
                stretch.end_place = (block + 1) * BLOCK;
                if after >= offset.saturating_add(limit) {
                    break;
                }
            }
            before = after;
        }
        Ok((total, found))
    }

    /// Cards of the account's list with their states, in the order of their places, `offset` entries passed over and at most
    /// `limit` looked at; and the entries of the whole list. Holes are entries without a card. For [`Part::All`] and
    /// [`Part::Of`].
    pub fn cards_page(
        &mut self,
        account: AccountId,
        part: Part,
        offset: i64,
        limit: i64,
    ) -> Result<(Vec<SimAndState>, i64), Error> {
        let (total, stretch) = self.stretch(account, part, offset, limit)?;
        let Some(Stretch { first_place, skip, .. }) = stretch else { return Ok((Vec::new(), total)) };
        let ids = match part {
            Part::Of(stage) => self.rows::<(Option<i64>,)>(
                "SELECT sim_id FROM sim_place WHERE account_id = ? AND stage = ? AND place >= ? ORDER BY place LIMIT ? OFFSET ?",
                &binds![account.0, stage.number(), first_place, limit, skip],
            )?,
            Part::All | Part::Warned(_) => self.rows::<(Option<i64>,)>(
                "SELECT sim_id FROM sim_place WHERE account_id = ? AND place >= ? ORDER BY place LIMIT ? OFFSET ?",
                &binds![account.0, first_place, limit, skip],
            )?,
        };
        let ids: Vec<i64> = ids.into_iter().filter_map(|r| r.0).collect();
        let found = self.sims_and_states_of(&ids)?;
        let mut found: HashMap<i64, SimAndState> = found.into_iter().map(|s| (s.sim.id.0, s)).collect();
        Ok((ids.iter().filter_map(|id| found.remove(id)).collect(), total))
    }

    /// Warnings of the account's cards (ICCID, type), by place and type, `offset` passed over and at most `limit`; and how
    /// many there are. Reads no more than the warned cards of the blocks that the page lies in.
    pub fn warnings_page(
        &mut self,
        account: AccountId,
        alert_type: Option<i64>,
        offset: i64,
        limit: i64,
    ) -> Result<(Vec<(String, i64)>, i64), Error> {
        let (total, stretch) = self.stretch(account, Part::Warned(alert_type), offset, limit)?;
        let Some(stretch) = stretch else { return Ok((Vec::new(), total)) };
        let text = "SELECT s.iccid, p.warned FROM sim_place p JOIN sim s ON s.id = p.sim_id
             WHERE p.account_id = ? AND p.place >= ? AND p.place < ? AND p.warned <> 0 ORDER BY p.place";
        let cards = self.rows::<(String, i64)>(text, &binds![account.0, stretch.first_place, stretch.end_place])?;
        let lines = cards.into_iter().flat_map(|(iccid, warned)| {
            Below(warned)
                .types()
                .filter(|t| alert_type.is_none_or(|a| a == *t))
                .map(move |t| (iccid.clone(), t))
                .collect::<Vec<_>>()
        });
        let (skip, limit) = (usize::try_from(stretch.skip).unwrap_or(0), usize::try_from(limit).unwrap_or(0));
        Ok((lines.skip(skip).take(limit).collect(), total))
    }

    /// The lines one card is below.
    pub fn warned(&mut self, sim: SimId) -> Result<Below, Error> {
        let row = self.row::<(i64,)>("SELECT warned FROM sim_state WHERE sim_id = ?", &binds![sim.0])?;
        Ok(Below(row.map_or(0, |r| r.0)))
    }

    /// The numbers of the cards that an account sees.
    pub fn card_counts(&mut self, account: AccountId) -> Result<Counts, Error> {
        let text = "SELECT kind, CAST(SUM(cards) AS BIGINT) FROM (
               SELECT kind, cards FROM sim_total WHERE account_id = ?
               UNION ALL SELECT kind, cards FROM sim_count_change WHERE account_id = ?) x
             GROUP BY kind";
        let by_kind: HashMap<i64, i64> = self.rows(text, &binds![account.0, account.0])?.into_iter().collect();
        let of = |kind: i64| by_kind.get(&kind).copied().unwrap_or(0);
        Ok(Counts { stages: Stage::ALL.map(|s| of(s.number())), activated: of(kind::ACTIVATED), ordered: of(kind::ORDERED) })
    }
}

impl Tx<'_> {
    /// Whether the account's list has holes.
    pub fn has_holes(&mut self, account: AccountId) -> Result<bool, Error> {
        let text = "SELECT place FROM sim_place WHERE account_id = ? AND left_at IS NOT NULL LIMIT 1";
        Ok(self.row::<(i64,)>(text, &binds![account.0])?.is_some())
    }

    /// A page of the account's list was asked for: its holes stay for the pages that follow.
    pub fn note_walk(&mut self, account: AccountId, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO sim_walk (account_id, asked_at) VALUES (?, ?)
             ON CONFLICT (account_id) DO UPDATE SET asked_at = excluded.asked_at WHERE sim_walk.asked_at < excluded.asked_at",
            &binds![account.0, now.0],
        )?;
        Ok(())
    }

    /// Closes holes of lists that nobody asked for since `quiet`, if they are older themselves; and those older than `old` in
    /// any case. The answer is how many.
    pub fn close_holes(&mut self, quiet: Timestamp, old: Timestamp) -> Result<usize, Error> {
        let closed = self.rows::<(i64, i64)>(
            "DELETE FROM sim_place WHERE (account_id, place) IN (
               SELECT p.account_id, p.place FROM sim_place p LEFT JOIN sim_walk w ON w.account_id = p.account_id
               WHERE p.left_at IS NOT NULL AND p.left_at <= ?
               AND (w.asked_at IS NULL OR w.asked_at <= ? OR p.left_at <= ?) LIMIT ?)
             RETURNING account_id, place",
            &binds![quiet.0, quiet.0, old.0, AT_ONCE],
        )?;
        let mut changes = Changes::default();
        for place in &closed {
            changes.add(*place, &[(kind::PLACES, true)], -1);
        }
        self.note_changes(&changes)?;
        Ok(closed.len())
    }

    /// Adds changes of counts to the counts themselves. The answer is how many.
    pub fn sum_up_counts(&mut self) -> Result<usize, Error> {
        let taken = self.rows::<(i64, i64, i64, i64)>(
            "DELETE FROM sim_count_change WHERE id IN (SELECT id FROM sim_count_change ORDER BY id LIMIT ?)
             RETURNING account_id, kind, block, cards",
            &binds![AT_ONCE],
        )?;
        let (mut totals, mut blocks) = (BTreeMap::new(), BTreeMap::new());
        for (account, kind, block, cards) in &taken {
            *totals.entry((*account, *kind)).or_insert(0) += cards;
            if *block != NO_BLOCK {
                *blocks.entry((*account, *kind, *block)).or_insert(0) += cards;
            }
        }
        for ((account, kind), cards) in totals {
            self.run(
                "INSERT INTO sim_total (account_id, kind, cards) VALUES (?, ?, ?)
                 ON CONFLICT (account_id, kind) DO UPDATE SET cards = sim_total.cards + excluded.cards",
                &binds![account, kind, cards],
            )?;
        }
        for ((account, kind, block), cards) in blocks {
            self.run(
                "INSERT INTO sim_block (account_id, kind, block, cards) VALUES (?, ?, ?, ?)
                 ON CONFLICT (account_id, kind, block) DO UPDATE SET cards = sim_block.cards + excluded.cards",
                &binds![account, kind, block, cards],
            )?;
        }
        Ok(taken.len())
    }
}

/// Each query lists what must not be; `{}` is the card or account.
const AUDITS: &[(&str, &str)] = &[
    (
        "card {}: has no place in the list of an account that sees it",
        "SELECT s.id FROM sim s JOIN account o ON o.id = s.account_id JOIN account a ON o.path LIKE a.path || '%'
         LEFT JOIN sim_place p ON p.sim_id = s.id AND p.account_id = a.id WHERE p.place IS NULL LIMIT 50",
    ),
    (
        "card {}: has a place in the list of an account that does not see it",
        "SELECT s.id FROM sim_place p JOIN sim s ON s.id = p.sim_id JOIN account o ON o.id = s.account_id
         JOIN account a ON a.id = p.account_id WHERE o.path NOT LIKE a.path || '%' LIMIT 50",
    ),
    (
        "card {}: its places do not say what warnings it has",
        "SELECT t.sim_id FROM sim_state t JOIN sim_place p ON p.sim_id = t.sim_id WHERE p.warned <> t.warned LIMIT 50",
    ),
    (
        "card {}: not noted whether it ever had a package",
        "SELECT s.id FROM sim s WHERE (s.ordered = 1) <>
         EXISTS (SELECT 1 FROM subscription b WHERE b.sim_id = s.id AND b.available_at IS NOT NULL) LIMIT 50",
    ),
    (
        "account {}: counts by block are not what its list holds",
        "SELECT account_id FROM (
           SELECT account_id, kind, block, cards FROM sim_block
           UNION ALL SELECT account_id, kind, block, cards FROM sim_count_change WHERE block >= 0
           UNION ALL SELECT account_id, 0, place / 1024, -1 FROM sim_place
           UNION ALL SELECT account_id, stage, place / 1024, -1 FROM sim_place WHERE sim_id IS NOT NULL
           UNION ALL SELECT account_id, 8, place / 1024, -1 FROM sim_place WHERE warned % 2 = 1
           UNION ALL SELECT account_id, 9, place / 1024, -1 FROM sim_place WHERE warned / 2 % 2 = 1
           UNION ALL SELECT account_id, 10, place / 1024, -1 FROM sim_place WHERE warned / 4 % 2 = 1) x
         GROUP BY account_id, kind, block HAVING SUM(cards) <> 0 LIMIT 50",
    ),
    (
        "account {}: counts in all are not what its list holds",
        "SELECT account_id FROM (
           SELECT account_id, kind, cards FROM sim_total UNION ALL SELECT account_id, kind, cards FROM sim_count_change
           UNION ALL SELECT account_id, 0, -1 FROM sim_place
           UNION ALL SELECT account_id, stage, -1 FROM sim_place WHERE sim_id IS NOT NULL
           UNION ALL SELECT p.account_id, 6, -1 FROM sim_place p JOIN sim s ON s.id = p.sim_id
             WHERE s.activated_at IS NOT NULL OR s.state IN ('active', 'stopped')
           UNION ALL SELECT p.account_id, 7, -1 FROM sim_place p JOIN sim s ON s.id = p.sim_id WHERE s.ordered = 1) x
         WHERE kind < 8 GROUP BY account_id, kind HAVING SUM(cards) <> 0 LIMIT 50",
    ),
];

impl Tx<'_> {
    /// Where the lists and the cards disagree, in sentences.
    pub fn audit_lists(&mut self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for (sentence, query) in AUDITS {
            for (id,) in self.rows_once::<(i64,)>(query, &[])? {
                found.push(sentence.replace("{}", &id.to_string()));
            }
        }
        let text = "SELECT DISTINCT s.state, s.blocks, p.stage FROM sim_place p JOIN sim s ON s.id = p.sim_id";
        for (state, blocks, stage) in self.rows_once::<(String, i64, i64)>(text, &[])? {
            let wanted = Standing::of(&state, blocks, None).stage.number();
            if stage != wanted {
                found.push(format!("cards that are {state} with blocks {blocks}: listed under stage {stage}, not {wanted}"));
            }
        }
        Ok(found)
    }
}
