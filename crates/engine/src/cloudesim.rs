//! Cards that their owner knows by EID (CloudESIM). They are cards like any other: what is asked or done by EID is asked or
//! done of the card behind it.

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::records::{self, OrderName};
use kachi_domain::ids::Eid;
use kachi_domain::order::OrderState;
use kachi_domain::{Iccid, OrderId, Refusal};
use kachi_store::Tx;
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

impl Engine {
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
