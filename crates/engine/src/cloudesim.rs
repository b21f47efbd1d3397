//! Cards that their owner knows by EID (CloudESIM). They are cards like any other: what is asked or done by EID is asked or
//! done of the card behind it.

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::records::{self, OrderName};
use crate::sims::{self, Card};
use kachi_domain::ids::Eid;
use kachi_domain::order::OrderState;
use kachi_domain::sim::Stage;
use kachi_domain::{Iccid, OrderId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::cloudesim::EidFilter;
use std::sync::Arc;

/// An order for a card with an EID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EidOrder {
    /// Its number.
    pub order: OrderId,
    /// Where it stands.
    pub state: OrderState,
    /// The card.
    pub iccid: Iccid,
    /// The card's EID.
    pub eid: String,
}

/// The card with this EID that the account sees.
pub fn card(tx: &mut Tx<'_>, actor: &Actor, eid: &Eid) -> Result<Iccid> {
    let sim = tx.sim_by_eid(&actor.path, eid.as_str())?.ok_or(Refusal::UnknownSim)?;
    Iccid::parse(&sim.iccid).map_err(|e| fault(e.to_string()))
}

/// An order that the account sees, for a card with an EID that it sees.
pub fn order(tx: &mut Tx<'_>, actor: &Actor, name: &OrderName) -> Result<EidOrder> {
    let order = records::find(tx, actor, name)?;
    let sim = tx.sim_by_id(order.sim)?.filter(|s| actor.may_see(s.account)).ok_or(Refusal::UnknownOrder)?;
    let eid = sim.eid.ok_or(Refusal::UnknownOrder)?;
    let iccid = Iccid::parse(&sim.iccid).map_err(|e| fault(e.to_string()))?;
    Ok(EidOrder { order: order.id, state: order.state, iccid, eid })
}

/// Which cards of the list, and which stretch of it.
#[derive(Debug, Clone, Default)]
pub struct EidList {
    /// Only of this stage; none = all.
    pub stage: Option<Stage>,
    /// Only with these EIDs, in a number that the caller bounds; none = all.
    pub eids: Option<Vec<String>>,
    /// Cards to pass over.
    pub offset: i64,
    /// Cards at most.
    pub limit: i64,
}

/// A page of the cards with an EID that the account sees, and how many there are in all.
pub fn list(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, list: &EidList, now: Timestamp) -> Result<(Vec<Card>, i64)> {
    let filter = EidFilter { stage: list.stage, eids: list.eids.as_deref() };
    let who = (actor.account, actor.sees.as_slice());
    let iccids = tx.eid_iccids(who, &filter, list.offset, list.limit)?;
    let mut read = tx.sims_and_states(&iccids.iter().map(String::as_str).collect::<Vec<_>>())?;
    read.sort_by_key(|r| r.sim.id);
    let cards = read.into_iter().map(|r| sims::card(catalogue, actor, Some(r), now)).collect::<Result<_>>()?;
    Ok((cards, tx.eid_count(who, &filter)?))
}

impl Engine {
    /// A page of the cards with an EID that the account sees, and how many there are in all.
    pub async fn eid_cards(&self, catalogue: &Arc<Catalogue>, actor: &Actor, wanted: EidList) -> Result<(Vec<Card>, i64)> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, catalogue| list(tx, catalogue, &actor, &wanted, now)).await
    }

    /// The card with this EID.
    pub async fn iccid_of_eid(&self, catalogue: &Arc<Catalogue>, actor: &Actor, eid: &Eid) -> Result<Iccid> {
        let (actor, eid) = (actor.clone(), eid.clone());
        self.question(catalogue, move |tx, _| card(tx, &actor, &eid)).await
    }

    /// An order for a card with an EID.
    pub async fn eid_order(&self, catalogue: &Arc<Catalogue>, actor: &Actor, name: OrderName) -> Result<EidOrder> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| order(tx, &actor, &name)).await
    }
}
