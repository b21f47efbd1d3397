//! Cards as their owner keeps them: found by what they are, added, changed, taken out, counted.
//!
//! Who acts: an account, for cards it sees; what it adds, where the operator lets it add cards, is its own or an account's below
//! it. Promised: a number is one card's, whoever adds it, and no owner changes those by which the carrier is asked; a card to which
//! anything has happened (money, usage, an act at its carrier) is never taken out; several cards are taken out together or
//! not at all.

use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::devices;
use crate::error::{Result, fault};
use crate::import::LEFT_SECONDS;
use crate::lists::Page;
use crate::sims::{self, Card};
use kachi_domain::account::Path;
use kachi_domain::carrier::Counter;
use kachi_domain::ids::{Imsi, Msisdn};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::time::parse_month;
use kachi_domain::{AccountId, Iccid, PlatformId, ProductId, Refusal, SimId, Timestamp};
use kachi_store::Tx;
pub use kachi_store::devices::Device;
use kachi_store::sims::{Sim, SimAndState};
pub use kachi_store::stock::{Alike, Find};
use serde_json::{Map, Value};

/// A card by our number or its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Our number.
    Id(SimId),
    /// Its card number.
    Iccid(Iccid),
}

/// A card as it is now, with the device it is in.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The card.
    pub card: Card,
    /// The device that says so.
    pub device: Option<Device>,
    /// Its carrier's own count, where one card is asked about.
    pub counter: Option<Counter>,
}

/// Which cards are asked for: by a number of theirs, or by what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// With these numbers: kind (`iccid`, `imsi`, `msisdn`) and number; all must be the same card's.
    Numbers(Vec<(&'static str, String)>, Find),
    /// By what they are.
    Found(Find),
}

/// A page of cards.
pub fn find(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    which: &Which,
    (offset, limit): (i64, i64),
    now: Timestamp,
) -> Result<Page<Kept>> {
    let (read, total) = match which {
        Which::Found(find) => tx.find_sims(&actor.sees, find, (offset, limit))?,
        Which::Numbers(numbers, find) => {
            let found = by_numbers(tx, actor, numbers)?.filter(|r| fits(&r.sim, find));
            let found: Vec<SimAndState> = found.into_iter().collect();
            let total = found.len() as i64;
            (if offset == 0 { found } else { Vec::new() }, total)
        }
    };
    let mut devices = tx.devices_of_sims(&read.iter().map(|r| r.sim.id.0).collect::<Vec<_>>())?;
    let mut entries = Vec::with_capacity(read.len());
    for r in read {
        let device = devices.iter().position(|d| d.sim == Some(r.sim.id)).map(|i| devices.swap_remove(i));
        entries.push(Kept { card: sims::card(catalogue, actor, Some(r), now)?, device, counter: None });
    }
    Ok(Page { entries, total, holes: false })
}

fn by_numbers(tx: &mut Tx<'_>, actor: &Actor, numbers: &[(&'static str, String)]) -> Result<Option<SimAndState>> {
    let mut found: Option<Sim> = None;
    for (kind, number) in numbers {
        let Some(sim) = tx.sim_by_number(&actor.path, kind, number)? else { return Ok(None) };
        if found.as_ref().is_some_and(|f| f.id != sim.id) {
            return Ok(None);
        }
        found = Some(sim);
    }
    let Some(sim) = found else { return Ok(None) };
    Ok(tx.sim_and_state_of(sim.id.0)?)
}

fn fits(sim: &Sim, find: &Find) -> bool {
    let base = BaseState::parse(&sim.state).unwrap_or(BaseState::Unknown);
    let in_state = |(state, blocked): &(BaseState, Option<bool>)| {
        *state == base && blocked.is_none_or(|blocked| blocked != Blocks(sim.blocks).let_data_through())
    };
    find.states.as_ref().is_none_or(|s| s.iter().any(in_state))
        && find.odd.as_ref().is_none_or(|(states, blocks)| states.contains(&base) || sim.blocks & blocks.0 != 0)
        && find.products.as_ref().is_none_or(|p| p.contains(&sim.product.0))
        && find.device.is_none()
}

/// One card.
pub fn show(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, key: &Key, now: Timestamp) -> Result<Kept> {
    let sim = sim(tx, actor, key)?;
    let card = sims::card(catalogue, actor, tx.sim_and_state_of(sim.id.0)?, now)?;
    Ok(Kept { device: tx.devices_of_sims(&[sim.id.0])?.pop(), counter: tx.counter(sim.id)?, card })
}

/// The card; a stranger's is not there.
pub(crate) fn sim(tx: &mut Tx<'_>, actor: &Actor, key: &Key) -> Result<Sim> {
    let found = match key {
        Key::Id(id) => tx.sim_by_id(*id)?.filter(|s| actor.may_see(s.account)),
        Key::Iccid(iccid) => tx.sim_by_iccid(&actor.path, iccid.as_str())?,
    };
    Ok(found.ok_or(Refusal::UnknownSim)?)
}

/// A device that the account sees, with the card it is bound to.
pub fn device(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    serial: &str,
    now: Timestamp,
) -> Result<(Device, Option<Card>)> {
    let missing =
        || Refusal::BadField { field: "serialNumber".into(), rule: format!("there is no device {serial} in this account") };
    let device = tx.device_by_serial(&actor.sees, serial)?.ok_or_else(missing)?;
    let read = match device.sim {
        Some(sim) => tx.sim_and_state_of(sim.0)?.filter(|r| actor.may_see(r.sim.account)),
        None => None,
    };
    let card = read.map(|r| sims::card(catalogue, actor, Some(r), now)).transpose()?;
    Ok((device, card))
}

/// What is said of a card; what is not said is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Subscriber identity.
    pub imsi: Option<Imsi>,
    /// Telephone number.
    pub msisdn: Option<Msisdn>,
    /// The owner's alias.
    pub alias: Option<String>,
    /// The owner's remark.
    pub remark: Option<String>,
    /// Serial number of the device it is in.
    pub device: Option<String>,
    /// Anything else, kept under the door's name.
    pub details: Map<String, Value>,
}

/// A card to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Its number.
    pub iccid: Iccid,
    /// Whose; the one who adds it if left out.
    pub account: Option<AccountId>,
    /// What it is sold as; may be left out where its platform has one product.
    pub product: Option<String>,
    /// The platform it lives on; may be left out where the product is named.
    pub platform: Option<PlatformId>,
    /// Where it stands; in stock if left out.
    pub state: Option<BaseState>,
    /// The rest.
    pub said: Said,
}

/// As which product a card is added.
pub fn product(catalogue: &Catalogue, code: Option<&str>, platform: Option<PlatformId>) -> Result<ProductId> {
    if let Some(platform) = platform.filter(|p| catalogue.platform(*p).is_none()) {
        return bad("cardPlatformId", format!("there is no card platform {platform}; GET /card/platform/list names them"));
    }
    let mut fitting: Vec<_> = catalogue.products().filter(|p| platform.is_none_or(|id| p.platform == id)).collect();
    fitting.sort_unstable_by_key(|p| p.id);
    let codes = || fitting.iter().take(20).map(|p| p.code.as_str()).collect::<Vec<_>>().join(", ");
    match (code, fitting.as_slice()) {
        (Some(code), _) => match fitting.iter().find(|p| p.code == code) {
            Some(product) => Ok(product.id),
            None => bad("productCode", format!("there is no product {code} there; there are: {}", codes())),
        },
        (None, [only]) => Ok(only.id),
        (None, []) => bad("cardPlatformId", "no product lives on this card platform; name another".into()),
        (None, _) => bad("productCode", format!("name what the card is: {}", codes())),
    }
}

/// Refuses an account that may not add cards.
pub fn may_add(catalogue: &Catalogue, actor: &Actor) -> Result<()> {
    if catalogue.may_add(actor.account) { Ok(()) } else { Err(Refusal::MayNotAdd.into()) }
}

/// Adds a card.
pub fn create(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, door: &str, new: New) -> Result<SimId> {
    may_add(catalogue, actor)?;
    let account = new.account.unwrap_or(actor.account);
    if !actor.may_see(account) {
        return bad("tenantId", format!("there is no account {account} here"));
    }
    let product = product(catalogue, new.product.as_deref(), new.platform)?;
    if tx.sim_by_iccid(&Path::root(), new.iccid.as_str())?.is_some() {
        return bad("iccid", format!("{} is there already; an ICCID is unique", new.iccid));
    }
    let mut wanted = sims::blank(&new.iccid, account, product);
    if let Some(state) = new.state {
        state.word().clone_into(&mut wanted.state);
        wanted.activated_at = (state == BaseState::Active).then_some(how.now.0);
    }
    let wanted = said(wanted, door, &new.said);
    // Whose card it is is not told, and nobody but the operator takes a number from another card.
    if actor.account != OPERATOR
        && let Some((kind, _)) = sims::holders(tx, &wanted, None)?.first()
    {
        return bad(kind, "is another card's already; a number is one card's".into());
    }
    Ok(sims::put(tx, catalogue, how, &wanted)?.id())
}

/// Changes what an owner may change of a card, and which device it is in. The numbers by which its carrier is asked are the operator's.
pub fn change(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    door: &str,
    (key, news): (&Key, &Said),
) -> Result<SimId> {
    let there = sim(tx, actor, key)?;
    if let Some(serial) = &news.device {
        let who = catalogue.account(actor.account).map_or_else(|| actor.account.to_string(), |a| a.account.code.clone());
        devices::claims::place(tx, catalogue, how, actor, (&there, serial, &who))?;
    }
    tx.state_locked(there.id)?;
    if actor.account != OPERATOR {
        let changes = |given: Option<&str>, there: &Option<String>| given.is_some() && given != there.as_deref();
        for (kind, given, there) in [
            ("imsi", news.imsi.as_ref().map(Imsi::as_str), &there.imsi),
            ("msisdn", news.msisdn.as_ref().map(Msisdn::as_str), &there.msisdn),
        ] {
            if changes(given, there) {
                let now = there.as_ref().map_or_else(|| "leave it out".to_owned(), |n| format!("leave it out, or send {n}"));
                return bad(kind, format!("is the carrier's, and changed by the operator alone; {now}"));
            }
        }
    }
    let wanted = said(sim(tx, actor, key)?, door, news);
    Ok(sims::put(tx, catalogue, how, &wanted)?.id())
}

fn said(sim: Sim, door: &str, said: &Said) -> Sim {
    let mut details: Map<String, Value> = serde_json::from_str(&sim.details).unwrap_or_default();
    if !said.details.is_empty() {
        let of_door = details.entry(door).or_insert_with(|| Value::Object(Map::new()));
        for (key, value) in &said.details {
            of_door[key] = value.clone();
        }
    }
    Sim {
        imsi: said.imsi.as_ref().map(|n| n.as_str().to_owned()).or(sim.imsi),
        msisdn: said.msisdn.as_ref().map(|n| n.as_str().to_owned()).or(sim.msisdn),
        alias: said.alias.clone().unwrap_or(sim.alias),
        remark: said.remark.clone().unwrap_or(sim.remark),
        details: Value::Object(details).to_string(),
        ..sim
    }
}

/// Takes cards out, all of them or none. Only cards to which nothing has happened.
pub fn delete(tx: &mut Tx<'_>, how: &Settling, actor: &Actor, keys: &[Key]) -> Result<usize> {
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        found.push(sim(tx, actor, key)?);
    }
    found.sort_unstable_by_key(|s| s.id);
    found.dedup_by_key(|s| s.id);
    if tx.usage_is_coming(how.now.plus(-LEFT_SECONDS))? {
        let rule = format!(
            "a usage file is being taken in, or was left in the middle less than {} minutes ago; cards are taken out when it is done, so try again then",
            LEFT_SECONDS / 60
        );
        return bad("ids", rule);
    }
    tx.states(&found.iter().map(|s| s.id.0).collect::<Vec<_>>())?;
    for sim in &found {
        if let Some(what) = tx.sim_history(sim)? {
            return bad(
                "ids",
                format!("{} has {what} and is kept; a card that is no longer used is closed, not deleted", sim.iccid),
            );
        }
        tx.remove_sim(sim, how.now)?;
    }
    Ok(found.len())
}

/// What an account's cards are, in numbers.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Cards that are alike.
    pub alike: Vec<Alike>,
    /// The cards that used most this month, with those bytes.
    pub top: Vec<(Card, i64)>,
}

/// What an account's cards are, in numbers, with those that used most in the account's present month.
pub fn statistics(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, top: i64, now: Timestamp) -> Result<Statistics> {
    let zone = catalogue.zone(actor.account);
    let today = zone.day(now);
    let (month, _) = parse_month(&zone.text(now)[..7]).map_err(fault)?;
    let alike = tx.sims_alike(&actor.sees)?;
    let most = tx.sims_by_use(&actor.sees, month, today, top)?;
    let mut read = tx.sims_with_states(&most.iter().map(|m| m.0).collect::<Vec<_>>())?;
    let mut ranked = Vec::with_capacity(most.len());
    for (sim, bytes) in most {
        let place = read.iter().position(|r| r.sim.id.0 == sim && actor.may_see(r.sim.account));
        if let Some(place) = place {
            ranked.push((sims::card(catalogue, actor, Some(read.swap_remove(place)), now)?, bytes));
        }
    }
    Ok(Statistics { alike, top: ranked })
}

fn bad<T>(field: &str, rule: String) -> Result<T> {
    Err(Refusal::BadField { field: field.into(), rule }.into())
}
