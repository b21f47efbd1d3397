//! Kept lists: the cards an account sees, page by page at one price, and how many of them are what.
//!
//! Each account has one list of the cards it sees, its own and those of the accounts below it. A card takes the next
//! place of every such list when it comes in sight and keeps it until it leaves; then its place is a hole, which counts
//! as an entry until it is closed, so that nobody's later pages move. Counts for each block of [`BLOCK`] places lead to
//! the n-th entry without walking there. A change of a count is a row of its own, so that no two transactions wait for
//! each other over a count, and [`Tx::sum_up_counts`] adds it in later; whoever reads adds what is not summed up yet.
//! Parts of the list, such as the cards of a stage, are lists of their own: [`Part`].

mod parts;

pub use parts::Part;

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

/// What is counted of an account's cards; stages have their own numbers, 1 to 5, counted as a whole.
mod kind {
    /// Places of the list, holes too.
    pub const PLACES: i64 = 0;
    /// Cards that were ever activated.
    pub const ACTIVATED: i64 = 6;
    /// Cards that ever had a package.
    pub const ORDERED: i64 = 7;

    /// Places of a part of the list, holes too.
    pub const fn places_of(part: i64) -> i64 {
        20 + part
    }
}

/// The block of kinds that are counted as a whole.
const NO_BLOCK: i64 = -1;

/// Where a stretch of a list lies: from the first place of a block on, some entries passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    first_place: i64,
    /// Entries passed over from there.
    skip: i64,
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
}

impl Standing {
    fn of(state: &str, blocks: i64, activated_at: Option<i64>) -> Standing {
        let base = BaseState::parse(state).unwrap_or(BaseState::Unknown);
        Standing {
            stage: Stage::of(base, Blocks(blocks)),
            activated: activated_at.is_some() || base.is_activated(),
            ordered: false,
        }
    }

    /// The kinds it is counted under, besides its place.
    fn kinds(&self) -> Vec<i64> {
        let mut kinds = vec![self.stage.number()];
        kinds.extend(self.activated.then_some(kind::ACTIVATED));
        kinds.extend(self.ordered.then_some(kind::ORDERED));
        kinds
    }
}

/// A card's new base state, blocks and first activation.
#[derive(Debug, Clone)]
pub struct NewState<'a> {
    /// The card as it is.
    pub before: &'a Sim,
    /// Its base state, as its word.
    pub state: &'a str,
    /// Its blocks, as bits.
    pub blocks: i64,
    /// When it became active.
    pub activated_at: Option<i64>,
}

/// Cards that come in sight of an account.
type Newcomers = Vec<(SimId, Standing)>;

/// Changes of counts by account, kind and block.
#[derive(Default)]
struct Changes(BTreeMap<(i64, i64, i64), i64>);

impl Changes {
    /// A place of a list comes or goes.
    fn place(&mut self, (account, place): (i64, i64), kind: i64, cards: i64) {
        *self.0.entry((account, kind, place / BLOCK)).or_default() += cards;
    }

    /// A card comes or goes.
    fn card(&mut self, account: i64, standing: &Standing, cards: i64) {
        for kind in standing.kinds() {
            *self.0.entry((account, kind, NO_BLOCK)).or_default() += cards;
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
            let mut values: Vec<Value<'_>> = Vec::with_capacity(part.len() * 3);
            let mut relisted: Vec<Value<'_>> = Vec::with_capacity(part.len() * 2);
            for ((sim, standing), place) in part.iter().zip(from..) {
                values.extend(binds![account.0, place, sim.0]);
                relisted.extend(binds![account.0, sim.0]);
                changes.place((account.0, place), kind::PLACES, 1);
                changes.card(account.0, standing, 1);
            }
            let text = "INSERT INTO sim_place (account_id, place, sim_id) VALUES {}";
            self.run_group(text, "(?, ?, ?)", part.len(), GROUP, &values)?;
            let text = "INSERT INTO sim_part_change (account_id, sim_id) VALUES {}";
            self.run_group(text, "(?, ?)", part.len(), GROUP, &relisted)?;
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
            let text = "UPDATE sim_place SET sim_id = NULL, left_at = ? WHERE account_id = ? AND sim_id = ?";
            if self.run(text, &binds![now.0, account.0, sim.0])? > 0 {
                changes.card(account.0, &standing, -1);
                self.run("INSERT INTO sim_part_change (account_id, sim_id) VALUES (?, ?)", &binds![account.0, sim.0])?;
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
        self.relist(&[sim])?;
        let text = "UPDATE sim_place SET sim_id = NULL, left_at = ? WHERE sim_id = ? RETURNING account_id";
        let mut changes = Changes::default();
        for (account,) in self.rows::<(i64,)>(text, &binds![now.0, sim.0])? {
            changes.card(account, &standing, -1);
        }
        self.note_changes(&changes)
    }

    /// The numbers and parts of the lists follow the cards' new states.
    pub(crate) fn restage(&mut self, changed: &[NewState<'_>]) -> Result<(), Error> {
        let mut turned: HashMap<i64, (Standing, Standing)> = HashMap::new();
        for c in changed {
            let before = Standing::of(&c.before.state, c.before.blocks, c.before.activated_at);
            let after = Standing::of(c.state, c.blocks, c.activated_at);
            if before != after {
                turned.insert(c.before.id.0, (before, after));
            }
        }
        if turned.is_empty() {
            return Ok(());
        }
        let mut changes = Changes::default();
        for (sim, account) in self.seen_by(turned.keys().copied())? {
            let (before, after) = &turned[&sim];
            changes.card(account, before, -1);
            changes.card(account, after, 1);
        }
        self.note_changes(&changes)?;
        let other = turned.iter().filter(|(_, (before, after))| before.stage != after.stage);
        self.relist(&other.map(|(sim, _)| SimId(*sim)).collect::<Vec<_>>())
    }

    /// The cards have had a package. The caller holds their states.
    pub fn set_ordered(&mut self, sims: &[SimId]) -> Result<(), Error> {
        if sims.is_empty() {
            return Ok(());
        }
        let (among, value) = self.among("id", &sims.iter().map(|s| s.0).collect::<Vec<_>>());
        let text = format!("UPDATE sim SET ordered = 1 WHERE {among} AND ordered = 0 RETURNING id");
        let new: Vec<i64> = self.rows::<(i64,)>(&text, &[value])?.into_iter().map(|r| r.0).collect();
        let mut changes = Changes::default();
        for (_, account) in self.seen_by(new)? {
            *changes.0.entry((account, kind::ORDERED, NO_BLOCK)).or_default() += 1;
        }
        self.note_changes(&changes)
    }

    /// In whose lists the cards are: (card, account).
    fn seen_by(&mut self, sims: impl IntoIterator<Item = i64>) -> Result<Vec<(i64, i64)>, Error> {
        let sims: Vec<i64> = sims.into_iter().collect();
        if sims.is_empty() {
            return Ok(Vec::new());
        }
        let (among, value) = self.among("sim_id", &sims);
        self.rows(&format!("SELECT sim_id, account_id FROM sim_place WHERE {among}"), &[value])
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
        let text = "SELECT state, blocks, activated_at, ordered FROM sim WHERE id = ?";
        let row = self.row::<(String, i64, Option<i64>, i64)>(text, &binds![sim.0])?;
        let r = row.ok_or_else(|| Error::Engine(format!("there is no card {sim}")))?;
        Ok(Standing { ordered: r.3 != 0, ..Standing::of(&r.0, r.1, r.2) })
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
    /// Entries of the whole list that this kind counts, and where the stretch lies; none if the list ends before it.
    fn stretch(&mut self, account: AccountId, kind: i64, offset: i64) -> Result<(i64, Option<Stretch>), Error> {
        let text = "SELECT block, CAST(SUM(cards) AS BIGINT) FROM (
               SELECT block, cards FROM sim_block WHERE account_id = ? AND kind = ?
               UNION ALL SELECT block, cards FROM sim_count_change WHERE account_id = ? AND kind = ?) x
             GROUP BY block ORDER BY block";
        let blocks = self.rows::<(i64, i64)>(text, &binds![account.0, kind, account.0, kind])?;
        let total = blocks.iter().map(|b| b.1).sum();
        let mut before = 0;
        for (block, cards) in blocks {
            if before + cards > offset {
                return Ok((total, Some(Stretch { first_place: block * BLOCK, skip: offset - before })));
            }
            before += cards;
        }
        Ok((total, None))
    }

    /// Cards of the account's list with their states, in the order of their places, `offset` entries passed over and at most
    /// `limit` looked at; and the entries of the whole list. Holes are entries without a card.
    pub fn cards_page(&mut self, account: AccountId, offset: i64, limit: i64) -> Result<(Vec<SimAndState>, i64), Error> {
        let (total, stretch) = self.stretch(account, kind::PLACES, offset)?;
        let Some(Stretch { first_place, skip }) = stretch else { return Ok((Vec::new(), total)) };
        let text = "SELECT sim_id FROM sim_place WHERE account_id = ? AND place >= ? ORDER BY place LIMIT ? OFFSET ?";
        let ids = self.rows::<(Option<i64>,)>(text, &binds![account.0, first_place, limit, skip])?;
        Ok((self.in_order(ids)?, total))
    }

    /// The cards of some places with their states, in that order.
    fn in_order(&mut self, places: Vec<(Option<i64>,)>) -> Result<Vec<SimAndState>, Error> {
        let ids: Vec<i64> = places.into_iter().filter_map(|r| r.0).collect();
        let found = self.sims_and_states_of(&ids)?;
        let mut found: HashMap<i64, SimAndState> = found.into_iter().map(|s| (s.sim.id.0, s)).collect();
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// The lines one card is below.
    pub fn warned(&mut self, sim: SimId) -> Result<Below, Error> {
        let row = self.row::<(i64,)>("SELECT warned FROM sim_state WHERE sim_id = ?", &binds![sim.0])?;
        Ok(Below(row.map_or(0, |r| r.0)))
    }

    /// How many cards each of the accounts sees, its own and those below.
    pub fn cards_seen(&mut self, accounts: &[AccountId]) -> Result<Vec<(AccountId, i64)>, Error> {
        let of = self.one_of("account_id");
        let text = format!(
            "SELECT account_id, CAST(SUM(cards) AS BIGINT) FROM (
               SELECT account_id, cards FROM sim_total WHERE {of} AND kind BETWEEN 1 AND 5
               UNION ALL SELECT account_id, cards FROM sim_count_change WHERE {of} AND kind BETWEEN 1 AND 5) x
             GROUP BY account_id"
        );
        let list = self.list(accounts.iter().map(|a| a.0));
        Ok(self.rows::<(i64, i64)>(&text, &binds![&list, &list])?.into_iter().map(|r| (AccountId(r.0), r.1)).collect())
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
    /// Whether the account's whole list has holes.
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
            changes.place(*place, kind::PLACES, -1);
        }
        self.note_changes(&changes)?;
        Ok(closed.len() + self.close_holes_of_parts(quiet, old)?)
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
           UNION ALL SELECT account_id, 20 + part, place / 1024, -1 FROM sim_part) x
         GROUP BY account_id, kind, block HAVING SUM(cards) <> 0 LIMIT 50",
    ),
    (
        "account {}: counts in all are not what its list holds",
        "SELECT account_id FROM (
           SELECT account_id, kind, cards FROM sim_total UNION ALL SELECT account_id, kind, cards FROM sim_count_change
           UNION ALL SELECT account_id, 0, -1 FROM sim_place
           UNION ALL SELECT account_id, 20 + part, -1 FROM sim_part
           UNION ALL SELECT p.account_id, 6, -1 FROM sim_place p JOIN sim s ON s.id = p.sim_id
             WHERE s.activated_at IS NOT NULL OR s.state IN ('active', 'stopped')
           UNION ALL SELECT p.account_id, 7, -1 FROM sim_place p JOIN sim s ON s.id = p.sim_id WHERE s.ordered = 1) x
         WHERE kind NOT BETWEEN 1 AND 5 GROUP BY account_id, kind HAVING SUM(cards) <> 0 LIMIT 50",
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
        self.audit_stages(&mut found)?;
        self.audit_parts(&mut found)?;
        Ok(found)
    }

    fn audit_stages(&mut self, found: &mut Vec<String>) -> Result<(), Error> {
        let mut counts: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        let text = "SELECT account_id, kind, CAST(SUM(cards) AS BIGINT) FROM (
               SELECT account_id, kind, cards FROM sim_total UNION ALL SELECT account_id, kind, cards FROM sim_count_change) x
             WHERE kind BETWEEN 1 AND 5 GROUP BY account_id, kind";
        for (account, kind, cards) in self.rows_once::<(i64, i64, i64)>(text, &[])? {
            counts.insert((account, kind), cards);
        }
        let text = "SELECT p.account_id, s.state, s.blocks, COUNT(*) FROM sim_place p JOIN sim s ON s.id = p.sim_id
             GROUP BY p.account_id, s.state, s.blocks";
        for (account, state, blocks, cards) in self.rows_once::<(i64, String, i64, i64)>(text, &[])? {
            *counts.entry((account, Standing::of(&state, blocks, None).stage.number())).or_default() -= cards;
        }
        for ((account, stage), _) in counts.into_iter().filter(|(_, cards)| *cards != 0) {
            found.push(format!("account {account}: the number of its cards of stage {stage} is not what its list holds"));
        }
        Ok(())
    }
}
