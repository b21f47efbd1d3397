//! Devices: what they report, and which card is in which.
//!
//! Who acts: devices, through the broker they publish to; a person, who settles claims ([`claims`]); a worker, which asks
//! the platforms for cards that nobody here knows ([`look`]). Promised: reports handed over together are kept in one
//! transaction, all or none; the same report again changes nothing but its count; a device has one card and a card one
//! device, of the same account; a claim that contradicts what is known of the card binds nothing and waits for a
//! person; a report that names its own IMEI is a sighting of its card, and holds it to its IMEI group as a usage record
//! would, unless an account claims what it cannot see. Not promised: that a device is what it says it is, which the broker
//! must see to; nor an order between reports of different devices.

pub mod claims;
pub mod look;

use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::{imei, notices};
use kachi_domain::device::{self, CardDevices, ClaimState, Doubt, Report};
use kachi_domain::event::EventKind;
use kachi_domain::imei::Sighting;
use kachi_domain::{AccountId, PlatformId, SimId};
use kachi_store::Tx;
use kachi_store::devices::{Claim, Device};
use kachi_store::sims::SimAndState;
use kachi_store::states::StateRow;
use std::collections::{HashMap, HashSet};

/// A report as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The device's serial number.
    pub serial: String,
    /// The product it reports under, in its maker's numbering.
    pub product: String,
    /// What it says.
    pub report: Report,
}

/// Takes in reports, in the order they came. All of them or none.
pub fn take(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, heard: &[Heard]) -> Result<()> {
    let mut serials: Vec<&str> = heard.iter().map(|h| h.serial.as_str()).collect();
    serials.sort_unstable();
    serials.dedup();
    let mut batch = Batch::new(how, tx.devices_of_serials(&serials, how.now)?);
    let places: HashMap<String, usize> = batch.devices.iter().enumerate().map(|(i, d)| (d.serial.clone(), i)).collect();
    let mut reported = Vec::with_capacity(heard.len());
    for h in heard {
        let Some(place) = places.get(&h.serial) else { continue };
        batch.hear(*place, h);
        reported.push((*place, &h.report));
    }
    batch.decide(tx, catalogue)?;
    let rows: Vec<_> = reported.iter().map(|(i, r)| (batch.devices[*i].id, batch.devices[*i].account, *r)).collect();
    tx.add_device_reports(&rows, how.now)?;
    batch.write(tx, catalogue)
}

/// Looks again at what a device says of its card: the card has become known, or a person has spoken.
pub(crate) fn reconsider(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, device: Device) -> Result<ClaimState> {
    let mut batch = Batch::new(how, vec![device]);
    batch.say(0);
    batch.decide(tx, catalogue)?;
    let state = batch.devices[0].claim.unwrap_or(ClaimState::Gone);
    batch.write(tx, catalogue)?;
    Ok(state)
}

/// What a device says of its card.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    device: usize,
    iccid: String,
    imei: i64,
    platform: Option<i64>,
}

/// Reports that are taken in together.
struct Batch<'h> {
    how: &'h Settling,
    devices: Vec<Device>,
    said: Vec<Said>,
    /// The last thing each device said, by its place.
    last: HashMap<usize, usize>,
    claims: HashMap<(i64, String), Claim>,
    changed: HashSet<(i64, String)>,
    states: HashMap<i64, StateRow>,
    cards: HashMap<String, SimAndState>,
    holders: HashMap<i64, i64>,
    bound: HashMap<i64, usize>,
    seen: HashSet<i64>,
    sightings: Vec<(SimId, Sighting)>,
}

impl<'h> Batch<'h> {
    fn new(how: &'h Settling, devices: Vec<Device>) -> Batch<'h> {
        Batch {
            how,
            devices,
            said: Vec::new(),
            last: HashMap::new(),
            claims: HashMap::new(),
            changed: HashSet::new(),
            states: HashMap::new(),
            cards: HashMap::new(),
            holders: HashMap::new(),
            bound: HashMap::new(),
            seen: HashSet::new(),
            sightings: Vec::new(),
        }
    }

    /// Notes what is new of the device; what a report leaves out stays as it was.
    fn hear(&mut self, place: usize, h: &Heard) {
        let (d, r) = (&mut self.devices[place], &h.report);
        let before = (d.iccid.clone(), d.imei.clone(), d.platform);
        d.product.clone_from(&h.product);
        if let Some(iccid) = &r.iccid {
            // A platform belongs to the card it is named with.
            (d.iccid, d.platform) = (Some(iccid.as_str().to_owned()), r.platform.map(|p| p.0));
        }
        if let Some(imei) = &r.imei {
            d.imei = Some(imei.as_str().to_owned());
        }
        d.user = r.user.or(d.user);
        d.rssi = r.rssi.or(d.rssi);
        d.status = r.status.or(d.status);
        for (kept, said) in [
            (&mut d.firmware, &r.firmware),
            (&mut d.longitude, &r.longitude),
            (&mut d.latitude, &r.latitude),
            (&mut d.summary, &r.summary),
        ] {
            if let Some(said) = said {
                kept.clone_from(said);
            }
        }
        d.reports += 1;
        d.reported_at = self.how.now.0;
        let is_news = before != (d.iccid.clone(), d.imei.clone(), d.platform) || d.claim != Some(ClaimState::Bound);
        // What a bound device says again is a sighting if it names its own identity, and nothing without.
        if r.iccid.is_some() && (is_news || d.imei.is_some()) {
            self.say(place);
        }
    }

    fn say(&mut self, place: usize) {
        let d = &self.devices[place];
        let Some(iccid) = d.iccid.clone() else { return };
        let said = Said { device: place, iccid, imei: device::digits(d.imei.as_deref()), platform: d.platform };
        if self.last.get(&place).is_none_or(|last| self.said[*last] != said) {
            self.last.insert(place, self.said.len());
            self.said.push(said);
        }
    }

    /// Decides what follows from what was said. States of the cards are locked by number.
    fn decide(&mut self, tx: &mut Tx<'_>, catalogue: &Catalogue) -> Result<()> {
        if self.said.is_empty() {
            return Ok(());
        }
        self.know(tx)?;
        let holds = self.groups_hold(tx)?;
        let said = std::mem::take(&mut self.said);
        for (said, holds) in said.iter().zip(holds) {
            match self.cards.get(&said.iccid).map(|c| c.sim.id) {
                None => self.missing(said),
                Some(sim) => self.claim(catalogue, said, sim, holds),
            }
        }
        Ok(())
    }

    /// Reads what is known of the cards and of earlier claims.
    fn know(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let mut iccids: Vec<&str> = self.said.iter().map(|s| s.iccid.as_str()).collect();
        iccids.sort_unstable();
        iccids.dedup();
        let mut sims: Vec<i64> = tx.sims_of_iccids(&iccids)?.into_iter().map(|(_, sim, _)| sim).collect();
        sims.sort_unstable();
        self.states = tx.states(&sims)?.into_iter().map(|s| (s.sim.0, s)).collect();
        self.cards = tx.sims_and_states(&iccids)?.into_iter().map(|c| (c.sim.iccid.clone(), c)).collect();
        // A card that appeared between the two statements is not locked: it is found at the next report.
        self.cards.retain(|_, c| self.states.contains_key(&c.sim.id.0));
        let mut speakers: Vec<i64> = self.said.iter().map(|s| self.devices[s.device].id).collect();
        speakers.sort_unstable();
        speakers.dedup();
        let claims = tx.claims_of_devices(&speakers)?;
        self.claims = claims.into_iter().map(|c| ((c.device, c.iccid.clone()), c)).collect();
        let held = tx.devices_of_sims(&sims)?;
        self.holders = held.into_iter().filter_map(|d| Some((d.sim?.0, d.id))).collect();
        Ok(())
    }

    /// For each that was said, whether the card's IMEI group holds the device; none of a card that is in no group.
    fn groups_hold(&self, tx: &mut Tx<'_>) -> Result<Vec<Option<bool>>> {
        let mut asked = Vec::new();
        let mut places = Vec::new();
        for (i, said) in self.said.iter().enumerate().filter(|(_, s)| s.imei != 0) {
            let group = self.cards.get(&said.iccid).and_then(|c| c.imei_group);
            if let Some(group) = group.filter(|g| g.until.is_none_or(|until| until > self.how.now.0)) {
                asked.push((group.group, Sighting { at: self.how.now, imei: said.imei }));
                places.push(i);
            }
        }
        let mut holds = vec![None; self.said.len()];
        if !asked.is_empty() {
            for (place, answer) in places.into_iter().zip(imei::holding(tx, &asked)?) {
                holds[place] = Some(answer);
            }
        }
        Ok(holds)
    }

    /// Nobody here knows the card: the platforms are asked, once for the same claim.
    fn missing(&mut self, said: &Said) {
        let known = self.known(said);
        let state = match known {
            Some(c) if c.platform == said.platform && c.state != ClaimState::Gone && c.state != ClaimState::Bound => c.state,
            _ => {
                self.put_claim(said, ClaimState::Looking, None, String::new());
                ClaimState::Looking
            }
        };
        self.devices[said.device].claim = Some(state);
    }

    /// A claim to a card that is known.
    fn claim(&mut self, catalogue: &Catalogue, said: &Said, sim: SimId, holds: Option<bool>) {
        let Some(card) = self.cards.get(&said.iccid) else { return };
        let Some(state) = self.states.get(&sim.0) else { return };
        let seen = if state.seen.imei != 0 { state.seen.imei } else { device::digits(card.sim.imei.as_deref()) };
        let devices = holds.map_or(CardDevices::LastSeen(seen), |holds| CardDevices::Group { holds });
        let owner_fits = self.owner_fits(catalogue, said, card.sim.account);
        let lives = catalogue.product(card.sim.product).map_or(PlatformId(0), |p| p.platform);
        let claim = device::Claim { owner_fits, imei: said.imei, platform: said.platform.map(PlatformId) };
        let known = self.known(said).cloned();
        let accepted = known.as_ref().is_some_and(|c| !c.settled_by.is_empty() && c.imei == said.imei);
        if known.as_ref().is_some_and(|c| c.state == ClaimState::Refused && c.imei == said.imei && c.platform == said.platform) {
            self.devices[said.device].claim = Some(ClaimState::Refused);
            return;
        }
        let doubt = if accepted && known.as_ref().is_some_and(|c| c.state != ClaimState::Gone) {
            None
        } else {
            claim.doubt(devices, lives).filter(|_| !accepted).or_else(|| self.by_turns(said, sim, seen, known.as_ref()))
        };
        let group = card.imei_group.map(|g| g.group);
        if said.imei != 0 && (owner_fits || accepted) {
            self.sightings.push((sim, Sighting { at: self.how.now, imei: said.imei }));
        }
        match doubt {
            None => self.bind(said, sim, known.as_ref()),
            Some(doubt) => {
                let words = self.words(catalogue, said, sim, doubt, (seen, group, lives));
                let is_new = known.is_none_or(|c| c.state != ClaimState::Open || c.words != words || c.imei != said.imei);
                if is_new {
                    self.put_claim(said, ClaimState::Open, Some(doubt), words);
                }
                self.devices[said.device].claim = Some(ClaimState::Open);
            }
        }
    }

    fn known(&self, said: &Said) -> Option<&Claim> {
        self.claims.get(&(self.devices[said.device].id, said.iccid.clone()))
    }

    /// Whether everybody whose the device is, or says it is, sees an account's cards. The operator sees all; a number that is
    /// no account here says nothing.
    fn owner_fits(&self, catalogue: &Catalogue, said: &Said, owner: AccountId) -> bool {
        let d = &self.devices[said.device];
        let sees = |a: AccountId| catalogue.account(a).is_none_or(|a| a.sees.binary_search(&owner).is_ok());
        sees(d.account) && d.user.is_none_or(|user| sees(AccountId(user)))
    }

    /// The card was taken from this device by another, which still holds it, and the network does not say that it is back.
    fn by_turns(&self, said: &Said, sim: SimId, seen: i64, known: Option<&Claim>) -> Option<Doubt> {
        let holder = self.holders.get(&sim.0).filter(|h| **h != self.devices[said.device].id);
        let proven = said.imei != 0 && device::same(seen, said.imei);
        let was_here = known.is_some_and(|c| matches!(c.state, ClaimState::Gone) || c.doubt == Doubt::Device.word());
        (holder.is_some() && was_here && !proven).then_some(Doubt::Device)
    }

    /// The card is in the device.
    fn bind(&mut self, said: &Said, sim: SimId, known: Option<&Claim>) {
        let Some(card) = self.cards.get(&said.iccid) else { return };
        let owner = card.sim.account;
        let me = self.devices[said.device].id;
        if self.devices[said.device].sim != Some(sim) {
            for other in self.devices.iter_mut().filter(|d| d.sim == Some(sim)) {
                (other.sim, other.claim) = (None, Some(ClaimState::Gone));
            }
            if let Some(left) = self.devices[said.device].sim {
                self.bound.remove(&left.0);
                self.holders.remove(&left.0);
            }
            self.bound.insert(sim.0, said.device);
            self.holders.insert(sim.0, me);
        }
        let d = &mut self.devices[said.device];
        (d.sim, d.account, d.claim) = (Some(sim), owner, Some(ClaimState::Bound));
        let as_it_was = |c: &Claim| c.state == ClaimState::Bound && c.imei == said.imei && c.platform == said.platform;
        if !known.is_some_and(as_it_was) {
            self.put_claim(said, ClaimState::Bound, None, String::new());
        }
        if said.imei != 0
            && let Some(state) = self.states.get_mut(&sim.0)
            && !device::same(state.seen.imei, said.imei)
        {
            state.seen = state.seen.max(Sighting { at: self.how.now, imei: said.imei });
            self.seen.insert(sim.0);
        }
    }

    fn put_claim(&mut self, said: &Said, state: ClaimState, doubt: Option<Doubt>, words: String) {
        let d = &self.devices[said.device];
        let key = (d.id, said.iccid.clone());
        let before = self.claims.get(&key);
        // A person's word holds for what it was about: this device with this identity, until something else is in doubt.
        let holds = |c: &&Claim| c.imei == said.imei && c.state != ClaimState::Refused && state != ClaimState::Open;
        let settled_by = before.filter(holds).map(|c| c.settled_by.clone());
        let claim = Claim {
            id: before.map_or(0, |c| c.id),
            device: d.id,
            account: d.account,
            iccid: said.iccid.clone(),
            imei: said.imei,
            platform: said.platform,
            state,
            doubt: doubt.map_or_else(String::new, |d| d.word().to_owned()),
            words,
            settled_by: settled_by.unwrap_or_default(),
            tries: 0,
            due_at: (state == ClaimState::Looking).then_some(self.how.now.0),
            created_at: before.map_or(self.how.now.0, |c| c.created_at),
        };
        self.claims.insert(key.clone(), claim);
        self.changed.insert(key);
    }

    /// What the claim contradicts, in a sentence.
    fn words(
        &self,
        catalogue: &Catalogue,
        said: &Said,
        sim: SimId,
        doubt: Doubt,
        (seen, group, lives): (i64, Option<i64>, PlatformId),
    ) -> String {
        let code = |a: AccountId| catalogue.account(a).map_or_else(|| a.to_string(), |a| a.account.code.clone());
        let platform = |p: i64| catalogue.platform(PlatformId(p)).map_or_else(|| "none here".to_owned(), |p| p.code.clone());
        let (d, ours) = (&self.devices[said.device], kachi_domain::imei::text(said.imei));
        match doubt {
            Doubt::Owner => {
                let user = d.user.filter(|u| catalogue.account(AccountId(*u)).is_some());
                let says = user.map_or_else(String::new, |u| format!(" and says it is {}'s", code(AccountId(u))));
                let owner = self.cards.get(&said.iccid).map_or_else(String::new, |c| code(c.sim.account));
                format!("the device is {}'s{says}; the card is {owner}'s", code(d.account))
            }
            Doubt::Imei => match group {
                Some(group) => format!("the card is in IMEI group {group}, which does not hold {ours}"),
                None => format!("the card was last seen in {}, the device is {ours}", kachi_domain::imei::text(seen)),
            },
            Doubt::Platform | Doubt::Product => {
                let named = said.platform.unwrap_or(0);
                format!(
                    "the card lives on platform {} ({}), the device names {named} ({})",
                    lives,
                    platform(lives.0),
                    platform(named)
                )
            }
            Doubt::Device => {
                let holder = self.holders.get(&sim.0).copied().unwrap_or(0);
                format!("device number {holder} took the card over and still names it")
            }
        }
    }

    /// Writes everything but the reports themselves.
    fn write(mut self, tx: &mut Tx<'_>, catalogue: &Catalogue) -> Result<()> {
        let now = self.how.now;
        let mut released: Vec<i64> = self.bound.keys().copied().collect();
        released.sort_unstable();
        if !released.is_empty() {
            tx.release_sims(&released)?;
        }
        let mut changed: Vec<_> = self.changed.iter().cloned().collect();
        changed.sort_unstable();
        for key in &changed {
            let Some(claim) = self.claims.get(key) else { continue };
            let latest = self.devices.iter().any(|d| d.id == key.0 && d.iccid.as_deref() == Some(key.1.as_str()));
            let state = if latest { claim.state } else { ClaimState::Gone };
            tx.put_claim(&Claim { state, due_at: claim.due_at.filter(|_| latest), ..claim.clone() }, now)?;
            if latest && state == ClaimState::Bound {
                tx.end_other_claims(key.0, &key.1, now)?;
            }
        }
        tx.put_devices(&self.devices)?;
        self.tell(tx, catalogue)?;
        self.sightings.sort_unstable();
        self.sightings.dedup();
        let in_group = |sim: &SimId| self.states.get(&sim.0).is_some_and(|s| s.imei_group.is_some());
        let of_cards = self.sightings.chunk_by(|a, b| a.0 == b.0).filter(|c| in_group(&c[0].0));
        let watched: Vec<(SimId, Vec<Sighting>)> = of_cards.map(|c| (c[0].0, c.iter().map(|s| s.1).collect())).collect();
        imei::watch(tx, catalogue, self.how, &watched)?;
        let mut states: Vec<StateRow> = self.seen.iter().filter_map(|sim| self.states.remove(sim)).collect();
        states.sort_unstable_by_key(|s| s.sim);
        Ok(tx.put_states(&states)?)
    }

    /// For the record: which card is in which device from now on.
    fn tell(&self, tx: &mut Tx<'_>, catalogue: &Catalogue) -> Result<()> {
        let mut bound: Vec<_> = self.bound.iter().collect();
        bound.sort_unstable();
        let mut events = Vec::with_capacity(bound.len());
        for (sim, place) in bound {
            let d = &self.devices[*place];
            let card = self.cards.values().find(|c| c.sim.id.0 == *sim && d.sim == Some(c.sim.id));
            if let Some(card) = card {
                let detail = format!("in device {}", d.serial);
                events.push(notices::sim(catalogue, &card.sim, EventKind::DeviceBound, &detail, self.how.now)?);
            }
        }
        if events.is_empty() { Ok(()) } else { Ok(tx.tell(&events, self.how.now)?) }
    }
}
