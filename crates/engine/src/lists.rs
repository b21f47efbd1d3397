//! Lists of the cards an account sees, page by page, and how many of them are what.
//!
//! Who asks: the account itself; its list holds its own cards and those of all accounts below. Promised: page n costs
//! what page 1 costs; cards that are there all the while are on exactly one page, whatever is added meanwhile and
//! whatever goes away, as long as the next page is asked for within [`QUIET_SECONDS`]; nothing is counted by looking at
//! cards. A part of the list (the cards of a stage, those with an EID, the warnings) is promised the same: what comes to it
//! stands last. After a crash nothing is missing: places and counts, or the note that a card must change its part, are
//! written with the card. If very much has changed just now, a page of a part shows the first of it only.

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::sims::{self, Card};
use kachi_domain::carrier::INTERNATIONAL;
use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_domain::{AccountId, Iccid, Refusal, Timestamp};
pub use kachi_store::lists::{Counts, Part};
use kachi_store::sims::Sim;
use kachi_store::{Store, Tx};

/// Cards by their names.
#[derive(Debug, Clone)]
pub enum Names {
    /// By ICCID.
    Iccids(Vec<String>),
    /// By EID.
    Eids(Vec<String>),
}

/// A list that nobody asked for so long is at rest: its holes are closed.
pub const QUIET_SECONDS: i64 = 300;
/// A hole this old is closed in any case.
pub const HOLE_SECONDS_MAX: i64 = 86_400;

/// Some entries of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Entries of the whole list; places that a card has just left count.
    pub total: i64,
    /// The list has such places: [`Engine::cards`] notes that it is being read.
    pub(crate) holes: bool,
}

/// A page of the cards the account sees, all or those of a part, in the order they came there: `offset` entries passed over,
/// at most `limit`. Of a part, [`settle_parts`] goes before.
pub fn cards(
    store: &Store,
    catalogue: &Catalogue,
    actor: &Actor,
    part: Option<Part>,
    (offset, limit): (i64, i64),
    now: Timestamp,
) -> Result<Page<Card>> {
    store.read(|tx| {
        let ((read, total), holes) = match part {
            None => (tx.cards_page(actor.account, offset, limit)?, tx.has_holes(actor.account)?),
            Some(part) => (tx.part_page(actor.account, part, offset, limit)?, tx.has_part_holes(actor.account, part)?),
        };
        let here = read.into_iter().filter(|r| actor.may_see(r.sim.account) && part.is_none_or(|p| is_of(p, &r.sim)));
        let entries = here.map(|r| sims::card(catalogue, actor, Some(r), now)).collect::<Result<_>>()?;
        Ok(Page { entries, total, holes })
    })
}

/// Whether the card is of the part now.
fn is_of(part: Part, sim: &Sim) -> bool {
    let is = |stage: Stage| stage == Stage::of(BaseState::parse(&sim.state).unwrap_or(BaseState::Unknown), Blocks(sim.blocks));
    match part {
        Part::Of(stage) => is(stage),
        Part::WithEid(stage) => sim.eid.is_some() && stage.is_none_or(is),
        Part::Warned(_) => false,
    }
}

/// Puts cards of the account that have changed into the parts of its list they belong to now.
pub fn settle_parts(tx: &mut Tx<'_>, account: AccountId, now: Timestamp) -> Result<usize> {
    Ok(tx.settle_parts(account, now)?)
}

/// As [`cards`], of the cards named, by the time they were added; those that are not there or a stranger's are left out. The
/// caller bounds how many are named.
pub fn named(
    store: &Store,
    catalogue: &Catalogue,
    actor: &Actor,
    (names, part): (&Names, Option<Part>),
    (offset, limit): (i64, i64),
    now: Timestamp,
) -> Result<Page<Card>> {
    let mut found = store.look(|tx| match names {
        Names::Iccids(iccids) => tx.sims_and_states(&iccids.iter().map(String::as_str).collect::<Vec<_>>()).map_err(Fail::from),
        Names::Eids(eids) => tx.sims_and_states_of_eids(eids).map_err(Fail::from),
    })?;
    found.retain(|r| actor.may_see(r.sim.account) && part.is_none_or(|p| is_of(p, &r.sim)));
    found.sort_by_key(|r| r.sim.id.0);
    let total = found.len() as i64;
    let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
    let page = found.into_iter().skip(offset).take(limit);
    let entries = page.map(|r| sims::card(catalogue, actor, Some(r), now)).collect::<Result<_>>()?;
    Ok(Page { entries, total, holes: false })
}

/// How many cards the account sees, and what they are.
pub fn counts(tx: &mut Tx<'_>, actor: &Actor) -> Result<Counts> {
    Ok(tx.card_counts(actor.account)?)
}

/// Warnings (ICCID, type 1 to 3) of the international cards the account sees, of all types or one: a page of them
/// ([`settle_parts`] goes before), or those of one card, which are none if it is no international card. One that is closed is warned of nothing.
pub fn warnings(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    (alert_type, iccid): (Option<i64>, Option<&Iccid>),
    (offset, limit): (i64, i64),
) -> Result<Page<(String, i64)>> {
    let Some(iccid) = iccid else {
        let (entries, total) = tx.warnings_page(actor.account, alert_type, offset, limit)?;
        return Ok(Page { entries, total, holes: tx.has_part_holes(actor.account, Part::Warned(alert_type))? });
    };
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let over = BaseState::parse(&sim.state).is_ok_and(BaseState::is_over);
    let listed = !over && catalogue.product(sim.product).is_some_and(|p| p.carrier == INTERNATIONAL);
    let types = tx.warned(sim.id)?.types().filter(|t| listed && alert_type.is_none_or(|a| a == *t));
    let lines: Vec<_> = types.map(|t| (sim.iccid.clone(), t)).collect();
    let total = lines.len() as i64;
    let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
    Ok(Page { entries: lines.into_iter().skip(offset).take(limit).collect(), total, holes: false })
}

/// Puts cards into the parts they belong to, sums up counts, and closes holes of lists at rest. The answer is how much there
/// was to do.
pub fn tidy(engine: &Engine) -> Result<usize> {
    // Each account in a transaction of its own: it locks the account's parts.
    let settled = engine.write(|tx, _, how| match tx.part_changes_of()? {
        Some(account) => settle_parts(tx, account, how.now),
        None => Ok(0),
    })?;
    let tidied = engine.write(|tx, _, how| {
        let (quiet, old) = (how.now.plus(-QUIET_SECONDS), how.now.plus(-HOLE_SECONDS_MAX));
        Ok(tx.close_holes(quiet, old)? + tx.sum_up_counts()? + tx.forget_record_walks(old)?)
    })?;
    Ok(settled + tidied)
}
