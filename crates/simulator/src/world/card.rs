//! A card as it truly is, whatever a carrier says of it at the moment.

use crate::Platform;
use crate::traffic::{Habit, Shape, draw};
use crate::world::usage::Usage;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where a card stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Base {
    Testing,
    /// Telecom: the test has ended.
    TestEnded,
    Inventory,
    Ready,
    Active,
    Stopped,
    PreClosed,
    Closed,
    Replaced,
}

/// Why a card is stopped; it may be for several reasons at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Stop {
    OfferExpired,
    Separation,
    Management,
    Credit,
    Owner,
    Region,
    Forced,
    RealName,
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Unix seconds.
    pub at: i64,
    /// The state before.
    pub from: Base,
    /// The state after.
    pub to: Base,
}

/// Another feature that was changed over the wire, as an audit trail keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// Unix seconds.
    pub at: i64,
    /// The feature, in Jasper's words.
    pub field: String,
    /// Its value before.
    pub from: String,
    /// Its value after.
    pub to: String,
}

/// A message to or from a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sms {
    /// Number of the message, unique in the world.
    pub id: u64,
    /// When it was handed in, or sent by the card; unix seconds.
    pub at: i64,
    /// The text.
    pub text: String,
    /// Whether the card sent it.
    pub from_card: bool,
    /// When the card had it; none while it is under way, or the card cannot be reached.
    pub delivered: Option<i64>,
}

/// A data session that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Address given to the device.
    pub ip: String,
    /// Since when, unix seconds.
    pub since: i64,
    /// Over which APN.
    pub apn: String,
    /// In OneLink's numbers: 6 LTE, 8 NB-IoT.
    pub rat: u8,
}

/// A package that a card has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Its number at the carrier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Bytes of each cycle.
    pub bytes: u64,
    /// From when, unix seconds.
    pub from: i64,
    /// Until when, unix seconds.
    pub until: i64,
    /// Whether it is the card's main package.
    pub main: bool,
}

/// Above so many bytes of a cycle the card has no data until the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CutOff {
    /// The line.
    pub bytes: u64,
    /// Whether the package's bytes come on top.
    pub beyond_package: bool,
}

/// One card.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Card {
    /// Its place in the world, from 0.
    pub number: u32,
    pub platform: Platform,
    /// On OneLink-PB.
    pub pb: bool,
    /// Another customer's.
    pub foreign: bool,
    pub iccid: String,
    pub msisdn: String,
    pub imsi: String,
    pub imei: String,
    pub base: Base,
    pub stops: BTreeSet<Stop>,
    pub apns: Vec<String>,
    /// APNs on which data is paused.
    pub data_off: BTreeSet<String>,
    pub sms_off: bool,
    pub voice_off: bool,
    /// Management freeze: the owner may neither stop nor resume.
    pub frozen: bool,
    /// Whether the card is held to a region.
    pub region_limited: bool,
    pub real_name: bool,
    /// Whether the device is switched on.
    pub powered: bool,
    /// Whether the device is in a data session; follows from the others.
    pub online: bool,
    pub session: Option<Session>,
    pub shape: Shape,
    /// Bytes of an ordinary session.
    pub rate: u64,
    pub opened: i64,
    pub activated: Option<i64>,
    /// When anything was changed last.
    pub modified: i64,
    pub changes: Vec<Change>,
    pub edits: Vec<Edit>,
    pub sms: Vec<Sms>,
    pub offers: Vec<Offer>,
    pub pool: Option<u32>,
    /// Bytes of a cycle that the card may take from its pool.
    pub pool_limit: Option<u64>,
    pub rate_plan: String,
    pub communication_plan: String,
    pub overage: String,
    pub custom: BTreeMap<String, String>,
    pub cut_off: Option<CutOff>,
    /// The carrier's code of a lower speed.
    pub speed: Option<String>,
    /// The device that the card is bound to.
    pub bound_imei: Option<String>,
    pub(crate) usage: Usage,
    pub(crate) written: i64,
    /// When the last write that was accepted takes effect.
    pub(crate) busy_until: i64,
    pub(crate) region_asked: i64,
    pub(crate) online_since: i64,
    pub(crate) sessions: u32,
}

impl Card {
    /// Stops the card for a reason.
    pub fn stop(&mut self, reason: Stop) {
        self.stops.insert(reason);
        self.base = Base::Stopped;
    }

    /// Takes a reason away; the card works again when none is left.
    pub fn resume(&mut self, reason: Stop) {
        self.stops.remove(&reason);
        if self.stops.is_empty() && self.base == Base::Stopped {
            self.base = Base::Active;
        }
    }

    /// The APN that carries the traffic.
    pub fn apn(&self) -> &str {
        self.apns.first().map_or("", String::as_str)
    }

    /// Bytes that the card's packages give each cycle.
    pub fn allowance(&self, at: i64) -> u64 {
        self.offers.iter().filter(|o| o.from <= at && at < o.until).map(|o| o.bytes).sum()
    }

    /// The line above which the card has no data in the present cycle, if there is one.
    pub fn line(&self, at: i64) -> Option<u64> {
        let cut = self.cut_off.map(|c| if c.beyond_package { c.bytes + self.allowance(at) } else { c.bytes });
        [cut, self.pool_limit].into_iter().flatten().min()
    }

    pub(crate) fn habit(&self, seed: u64) -> Habit {
        Habit { dice: draw(seed, u64::from(self.number), 0), shape: self.shape, rate: self.rate }
    }

    /// Whether the network lets data through, if the device wants any.
    pub(crate) fn may_use_data(&self) -> bool {
        matches!(self.base, Base::Active | Base::Testing) && self.stops.is_empty() && !self.data_off.contains(self.apn())
    }

    /// Names under which a carrier is asked for the card; Telecom leaves the check digit out.
    pub(crate) fn names(&self) -> [&str; 4] {
        [&self.iccid, self.iccid.get(..19).unwrap_or(&self.iccid), &self.msisdn, &self.imsi]
    }
}
