//! Claims of devices to cards that a person settles.
//!
//! Promised: an accepted claim binds the card, and the same device with the same identity is believed of that card from
//! then on; a refused one binds nothing however often it is made again; both are kept with who said so. An accepted
//! device comes to the card's account. Not promised: that a card whose IMEI group does not hold the device is not
//! locked; that is for the group.

use super::{look, reconsider};
use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use kachi_domain::account::Path;
use kachi_domain::device::{ClaimState, digits};
use kachi_domain::{AccountId, Iccid, ProductId, Refusal};
use kachi_store::Tx;
use kachi_store::devices::{Claim, Device};
use kachi_store::sims::Sim;

/// A claim with the device that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The claim.
    pub claim: Claim,
    /// The device.
    pub device: Device,
}

/// Claims of the devices that the account sees, newest first: those that wait, or all.
pub fn list(tx: &mut Tx<'_>, actor: &Actor, waiting_only: bool, limit: i64) -> Result<Vec<Line>> {
    let claims = tx.claims(&actor.sees, waiting_only, limit)?;
    let devices = tx.devices(&claims.iter().map(|c| c.device).collect::<Vec<_>>())?;
    let line = |claim: Claim| Some(Line { device: devices.iter().find(|d| d.id == claim.device)?.clone(), claim });
    Ok(claims.into_iter().filter_map(line).collect())
}

/// How a card that is not known here is to be added when its claim is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adding {
    /// As which product.
    pub product: ProductId,
    /// For which account.
    pub account: AccountId,
}

/// A person says that the card is in the device. A card that is not known yet is added as `adding` says.
pub fn accept(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (id, who): (i64, &str),
    adding: Option<Adding>,
) -> Result<()> {
    let (claim, device) = open(tx, id)?;
    let iccid = Iccid::parse(&claim.iccid).map_err(|e| fault(e.to_string()))?;
    let there = tx.sim_by_iccid(&Path::root(), iccid.as_str())?;
    match (&there, adding) {
        (Some(_), Some(_)) => {
            return bad("product", format!("{iccid} is here already; leave out as what it is to be added"));
        }
        (None, None) => {
            return bad("product", format!("{iccid} is not known here: name the product it is, or import the card first"));
        }
        (None, Some(adding)) => look::add(tx, catalogue, how, &iccid, adding)?,
        (Some(_), None) => {}
    }
    let owner = tx.sim_by_iccid(&Path::root(), iccid.as_str())?.map_or(device.account, |s| s.account);
    let about = (digits(device.imei.as_deref()), device.platform);
    let settled_by = who.to_owned();
    tx.put_claim(
        &Claim { state: ClaimState::Open, imei: about.0, platform: about.1, settled_by, due_at: None, ..claim },
        how.now,
    )?;
    match reconsider(tx, catalogue, how, Device { account: owner, ..device })? {
        ClaimState::Bound => Ok(()),
        other => Err(fault(format!("an accepted claim is {}", other.word()))),
    }
}

/// An account says which of its devices a card of its is in, whatever the device last said.
pub fn place(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (sim, serial, who): (&Sim, &str, &str),
) -> Result<()> {
    let missing =
        || Refusal::BadField { field: "serialNumber".into(), rule: format!("there is no device {serial} in this account") };
    let seen = tx.device_by_serial(&actor.sees, serial)?.ok_or_else(missing)?;
    let device = tx.device_locked(seen.id)?.filter(|d| actor.may_see(d.account)).ok_or_else(missing)?;
    if device.sim == Some(sim.id) {
        return Ok(());
    }
    let device = Device { account: sim.account, iccid: Some(sim.iccid.clone()), platform: None, ..device };
    let claim = Claim {
        id: 0,
        device: device.id,
        account: device.account,
        iccid: sim.iccid.clone(),
        imei: digits(device.imei.as_deref()),
        platform: None,
        state: ClaimState::Open,
        doubt: String::new(),
        words: String::new(),
        settled_by: who.to_owned(),
        tries: 0,
        due_at: None,
        created_at: how.now.0,
    };
    tx.put_claim(&claim, how.now)?;
    reconsider(tx, catalogue, how, device)?;
    Ok(())
}

/// A person says that the card is not in the device; it is bound to it no longer, if it was.
pub fn refuse(tx: &mut Tx<'_>, how: &Settling, (id, who): (i64, &str), reason: &str) -> Result<()> {
    let (claim, mut device) = open(tx, id)?;
    let sim = tx.sim_by_iccid(&Path::root(), &claim.iccid)?.map(|s| s.id);
    if sim.is_some() && device.sim == sim {
        device.sim = None;
    }
    device.claim = Some(ClaimState::Refused);
    tx.put_devices(&[device])?;
    let words = if reason.is_empty() { claim.words.clone() } else { reason.to_owned() };
    tx.put_claim(&Claim { state: ClaimState::Refused, settled_by: who.to_owned(), due_at: None, words, ..claim }, how.now)?;
    Ok(())
}

/// The claim and its device, both locked, the device first as reports lock it.
fn open(tx: &mut Tx<'_>, id: i64) -> Result<(Claim, Device)> {
    let missing = || Refusal::see("claim", format!("there is no claim {id} that waits or was refused"), "admin claim list --all");
    let seen = tx.claim(id)?.ok_or_else(missing)?;
    let device = tx.device_locked(seen.device)?.ok_or_else(|| fault(format!("device {} vanished", seen.device)))?;
    let settleable = |c: &Claim| c.state.is_waiting() || c.state == ClaimState::Refused;
    let claim = tx.claim_locked(id)?.filter(settleable).ok_or_else(missing)?;
    if device.iccid.as_deref() != Some(claim.iccid.as_str()) {
        let rule = format!("device {} names another card now; there is nothing to settle", device.serial);
        return bad("claim", rule);
    }
    Ok((claim, device))
}

fn bad<T>(field: &str, rule: String) -> Result<T> {
    Err(Refusal::BadField { field: field.into(), rule }.into())
}
