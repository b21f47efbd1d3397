//! Lists of the cards an account sees, page by page, and how many of them are what.
//!
//! Who asks: the account itself; its list holds its own cards and those of all accounts below. Promised: page n costs
//! what page 1 costs; cards that are there all the while are on exactly one page, whatever is added meanwhile and
//! whatever goes away, as long as the next page is asked for within [`QUIET_SECONDS`]; nothing is counted by looking at
//! cards. Not promised: the same of a part of the list (a stage, the warnings), where a card that changes its stage
//! between two pages moves the later ones by one. After a crash nothing is missing: places and counts are written with
//! the card.

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::sims::{self, Card};
use kachi_domain::sim::{BaseState, Stage};
use kachi_domain::{Iccid, Refusal, Timestamp};
pub use kachi_store::lists::Counts;
use kachi_store::lists::Part;
use kachi_store::{Store, Tx};

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

/// A page of the cards the account sees, all or those of a stage, in the order they came in sight: `offset` entries passed
/// over, at most `limit`.
pub fn cards(
    store: &Store,
    catalogue: &Catalogue,
    actor: &Actor,
    stage: Option<Stage>,
    (offset, limit): (i64, i64),
    now: Timestamp,
) -> Result<Page<Card>> {
    store.read(|tx| {
        let (read, total) = tx.cards_page(actor.account, stage.map_or(Part::All, Part::Of), offset, limit)?;
        let entries = read.into_iter().map(|r| sims::card(catalogue, actor, Some(r), now)).collect::<Result<_>>()?;
        Ok(Page { entries, total, holes: stage.is_none() && tx.has_holes(actor.account)? })
    })
}

/// As [`cards`], of the cards named, by the time they were added; those that are not there or a stranger's are left out. The
/// caller bounds how many are named.
pub fn named(
    store: &Store,
    catalogue: &Catalogue,
    actor: &Actor,
    (iccids, stage): (&[&str], Option<Stage>),
    (offset, limit): (i64, i64),
    now: Timestamp,
) -> Result<Page<Card>> {
    let mut found = store.look(|tx| tx.sims_and_states(iccids).map_err(Fail::from))?;
    found.retain(|r| {
        let base = BaseState::parse(&r.sim.state).unwrap_or(BaseState::Unknown);
        actor.may_see(r.sim.account) && stage.is_none_or(|s| s == Stage::of(base, kachi_domain::sim::Blocks(r.sim.blocks)))
    });
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

/// Warnings (ICCID, type 1 to 3) of the cards the account sees, of all types or one: a page of them, or those of one card.
pub fn warnings(
    tx: &mut Tx<'_>,
    actor: &Actor,
    alert_type: Option<i64>,
    iccid: Option<&Iccid>,
    (offset, limit): (i64, i64),
) -> Result<Page<(String, i64)>> {
    let Some(iccid) = iccid else {
        let (entries, total) = tx.warnings_page(actor.account, alert_type, offset, limit)?;
        return Ok(Page { entries, total, holes: false });
    };
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let types = tx.warned(sim.id)?.types().filter(|t| alert_type.is_none_or(|a| a == *t));
    let lines: Vec<_> = types.map(|t| (sim.iccid.clone(), t)).collect();
    let total = lines.len() as i64;
    let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
    Ok(Page { entries: lines.into_iter().skip(offset).take(limit).collect(), total, holes: false })
}

/// Sums up counts and closes holes of lists at rest. The answer is how much there was to do.
pub fn tidy(engine: &Engine) -> Result<usize> {
    engine.write(|tx, _, how| {
        let (quiet, old) = (how.now.plus(-QUIET_SECONDS), how.now.plus(-HOLE_SECONDS_MAX));
        Ok(tx.close_holes(quiet, old)? + tx.sum_up_counts()?)
    })
}
