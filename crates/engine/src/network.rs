//! A card at the carrier's network: its session, the network it is on, and the carrier's own count of its usage.
//!
//! Who acts: a partner's key, for a card the account sees. Promised: an act is stored as a carrier write in the same
//! transaction as its answer, and the intents' worker sends it; a refresh and the end of a session may each be asked for
//! once in five minutes a card; a card's network changes with us only when the carrier has been read and shows it. Not
//! promised: that it is done when the answer is given. A reading of the carrier's counter is kept with its source and
//! instant and is never rated; packages burn by CDRs alone.

use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Fail, Result, fault};
use crate::intents::order;
use crate::{esim, notices};
use kachi_domain::carrier::{Card, Request, Sent, Write};
use kachi_domain::event::EventKind;
use kachi_domain::ids::{Eid, Imsi, Msisdn};
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Iccid, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::catalogue::{Platform, Product};
use kachi_store::intents::{Intent, Wish};
use kachi_store::sims::Sim;
use serde::{Deserialize, Serialize};

/// Seconds before the same act may be asked for again for the same card (EIOTCLUB v3, code 44001).
pub const PAUSE_SECONDS: i64 = 300;

/// Seconds after which a switch that does not show bars no other.
pub const DOUBT_SECONDS: i64 = 600;

const SWITCH: &str = "switch_network";

/// One of the numbers that are printed on a card, by which it is asked about.
#[derive(Debug, Clone)]
pub enum CardKey {
    /// Card number.
    Iccid(Iccid),
    /// Subscriber identity.
    Imsi(Imsi),
    /// eSIM identity.
    Eid(Eid),
    /// Telephone number.
    Msisdn(Msisdn),
    /// Both must be the same card's.
    Line(Msisdn, Iccid),
    /// Both must be the same card's.
    Both(Iccid, Imsi),
}

impl CardKey {
    /// The card; a stranger's is not there.
    pub(crate) fn find(&self, tx: &mut Tx<'_>, actor: &Actor) -> Result<Sim> {
        let found = match self {
            CardKey::Iccid(iccid) => tx.sim_by_iccid(&actor.path, iccid.as_str())?,
            CardKey::Imsi(imsi) => tx.sim_by_number(&actor.path, "imsi", imsi.as_str())?,
            CardKey::Eid(eid) => tx.sim_by_number(&actor.path, "eid", eid.as_str())?,
            CardKey::Msisdn(msisdn) => tx.sim_by_number(&actor.path, "msisdn", msisdn.as_str())?,
            CardKey::Line(msisdn, iccid) => {
                tx.sim_by_iccid(&actor.path, iccid.as_str())?.filter(|s| s.msisdn.as_deref() == Some(msisdn.as_str()))
            }
            CardKey::Both(iccid, imsi) => {
                tx.sim_by_iccid(&actor.path, iccid.as_str())?.filter(|s| s.imsi.as_deref() == Some(imsi.as_str()))
            }
        };
        Ok(found.ok_or(Refusal::UnknownSim)?)
    }

    /// The card, with its state row locked: acts for one card come one after the other.
    pub(crate) fn lock(&self, tx: &mut Tx<'_>, actor: &Actor) -> Result<Sim> {
        let seen = self.find(tx, actor)?;
        let row = tx.state_locked(seen.id)?;
        // Read again: another act may have changed it while the lock was waited for.
        let sim = self.find(tx, actor)?;
        if (row.account, seen.id) == (sim.account, sim.id) { Ok(sim) } else { Err(Fail::Stale) }
    }
}

/// What may be asked for once in [`PAUSE_SECONDS`] a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paced {
    /// Ask the carrier for its counter.
    RefreshUsage,
    /// The same by its old name, with a pause of its own.
    RefreshCard,
    /// Cut the session, so that the device connects anew.
    CancelSession,
}

impl Paced {
    fn cause(self) -> &'static str {
        match self {
            Paced::RefreshUsage => "refresh_usage",
            Paced::RefreshCard => "refresh_card",
            Paced::CancelSession => "cancel_session",
        }
    }

    fn write(self) -> Write {
        match self {
            Paced::RefreshUsage | Paced::RefreshCard => Write::RefreshUsage,
            Paced::CancelSession => Write::ResetSession,
        }
    }
}

/// Asks the carrier for the act, unless the same was asked for less than [`PAUSE_SECONDS`] ago. `reference` is a text that
/// no other write has (made at the roof).
pub fn ask(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (card, act, reference): (&CardKey, Paced, &str),
) -> Result<()> {
    let sim = card.lock(tx, actor)?;
    refuse_out_of_service(tx, &sim)?;
    if let Some(last) = tx.last_intent(sim.id, act.cause())? {
        let seconds = PAUSE_SECONDS - how.now.since(Timestamp(last.created_at));
        if seconds > 0 {
            return Err(Refusal::TooSoon { seconds }.into());
        }
    }
    refuse_unable(catalogue, &sim, &act.write())?;
    wish(tx, catalogue, &sim, (act.cause(), None, actor.account), (reference, act.write()), how.now)?;
    Ok(())
}

/// The networks a card may switch to, and the one it is on as far as is known ("" if it is not).
pub fn options(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, card: &CardKey) -> Result<(Vec<String>, String)> {
    let sim = card.find(tx, actor)?;
    Ok((catalogue.product(sim.product).map(networks).unwrap_or_default(), sim.network))
}

/// Asks the carrier to let the card use another network. A switch to the network that is already being asked for is one
/// with it; to another one it is refused while the first is on its way. One that was not sent yet gives way, and so does one
/// that has been in doubt for [`DOUBT_SECONDS`]: its device may be off, and says nothing for days.
pub fn switch(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (card, network, reference): (&CardKey, &str, &str),
) -> Result<()> {
    let sim = card.lock(tx, actor)?;
    if sim.state != BaseState::Active.word() {
        return Err(Refusal::SwitchBarred.into());
    }
    let offered = catalogue.product(sim.product).map(networks).unwrap_or_default();
    if !offered.iter().any(|n| n == network) {
        return Err(Refusal::NetworkUnfit.into());
    }
    let write = Write::SwitchNetwork { network: network.to_owned() };
    refuse_unable(catalogue, &sim, &write)?;
    if let Some(open) = tx.last_intent(sim.id, SWITCH)?.filter(is_under_way) {
        let first = kept(&open)?.first;
        let doubtful = open.state == "in_doubt" && first.is_some_and(|first| how.now.since(first) >= DOUBT_SECONDS);
        let is_over = doubtful && order::give_up(tx, &open, how.now)?;
        if !is_over && asked(&open)?.write == write {
            return Ok(());
        }
        if !is_over && !order::is_unsent(&open)? {
            return Err(Refusal::SwitchBarred.into());
        }
    }
    wish(tx, catalogue, &sim, (SWITCH, None, actor.account), (reference, write), how.now)?;
    Ok(())
}

/// The carrier has been read, or a person says so: the card is on this network.
pub(crate) fn switched(tx: &mut Tx<'_>, sim: SimId, network: &str, now: Timestamp) -> Result<()> {
    let row = tx.state_locked(sim)?;
    let Some(card) = tx.sim_by_id(sim)? else { return Err(fault(format!("card {sim} vanished"))) };
    if card.network == network {
        return Ok(());
    }
    tx.set_sim_network(sim, network)?;
    let detail = format!("from \"{}\" to \"{network}\"", card.network);
    let card = Sim { account: row.account, ..card };
    Ok(tx.tell(&[notices::record(&card, EventKind::NetworkSwitched, &detail, now)?], now)?)
}

/// Stores a carrier write for the card: what for, in which task, asked for by whom, under which reference. Earlier ones that it
/// makes needless are given up. The answer is its number.
pub(crate) fn wish(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    sim: &Sim,
    (cause, task, asked_by): (&str, Option<i64>, impl Into<Option<AccountId>>),
    (reference, write): (&str, Write),
    now: Timestamp,
) -> Result<i64> {
    let asked_by = asked_by.into();
    let platform = platform(catalogue, sim)?;
    order::make_way(tx, sim.id, (&write, platform.capabilities.unwrap_or_default(), asked_by), now)?;
    let matter = write.matter();
    let request = Request { reference: reference.to_owned(), card: named(sim), write };
    let request = serde_json::to_string(&request).map_err(|e| fault(e.to_string()))?;
    let (platform, matter) = (platform.id, matter.number());
    let wish = Wish { account: sim.account, sim: sim.id, platform, cause, task, asked_by, matter, request: &request };
    Ok(tx.add_wish(&wish, now)?)
}

/// A card by the numbers that carriers ask for.
pub(crate) fn named(sim: &Sim) -> Card {
    Card { iccid: sim.iccid.clone(), msisdn: sim.msisdn.clone() }
}

/// The platform the card lives on.
pub(crate) fn platform<'c>(catalogue: &'c Catalogue, sim: &Sim) -> Result<&'c Platform> {
    let product = catalogue.product(sim.product);
    product.and_then(|p| catalogue.platform(p.platform)).ok_or_else(|| fault(format!("card {} has no platform", sim.id)))
}

/// Nothing is asked of the carrier for a card whose life is over.
pub(crate) fn refuse_over(sim: &Sim) -> Result<()> {
    if BaseState::parse(&sim.state).is_ok_and(BaseState::is_over) { Err(Refusal::SimOver.into()) } else { Ok(()) }
}

/// As [`refuse_over`]; nor for a profile of eSIM goods that is in stock: it is nobody's card until it is sold.
pub(crate) fn refuse_out_of_service(tx: &mut Tx<'_>, sim: &Sim) -> Result<()> {
    refuse_over(sim)?;
    esim::refuse_unsold(tx, [sim])
}

/// What the platform is known not to be able to do is refused at once; what is not known is found out by asking.
pub(crate) fn refuse_unable(catalogue: &Catalogue, sim: &Sim, write: &Write) -> Result<()> {
    let can = platform(catalogue, sim)?.capabilities;
    if can.is_some_and(|can| !can.can(write)) { Err(Refusal::Unsupported.into()) } else { Ok(()) }
}

/// Whether its last word is still to come.
pub(crate) fn is_open(intent: &Intent) -> bool {
    !matches!(intent.state.as_str(), "confirmed" | "refused" | "superseded")
}

/// Whether its last word is still to come, and is asked for: one that is left to a person is not.
pub(crate) fn is_under_way(intent: &Intent) -> bool {
    intent.due_at.is_some()
}

/// A write as it is kept: the request, and what is known of its sending.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
    /// None: it was never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// When it was first sent, of the times that it may have been taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
}

/// What a stored write asks, and what is known of its sending.
pub(crate) fn kept(intent: &Intent) -> Result<Kept> {
    serde_json::from_str(&intent.request).map_err(|e| fault(e.to_string()))
}

/// What a stored write asks.
pub(crate) fn asked(intent: &Intent) -> Result<Request> {
    Ok(kept(intent)?.request)
}

/// The networks a product's cards may switch to.
fn networks(product: &Product) -> Vec<String> {
    let details: serde_json::Value = serde_json::from_str(&product.details).unwrap_or_default();
    serde_json::from_value(details["networks"].clone()).unwrap_or_default()
}
