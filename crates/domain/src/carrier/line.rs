//! What a carrier tells of a card.

use super::cycle::china;
use super::{Cycle, Month};
use crate::sim::{BaseState, Blocks};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A card as the carrier tells it. What it does not tell, or was not asked, is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Card number.
    pub iccid: Option<String>,
    /// Telephone number.
    pub msisdn: Option<String>,
    /// Subscriber identity.
    pub imsi: Option<String>,
    /// Where it stands.
    pub standing: Option<Standing>,
    /// Why it is stopped; nothing in the way is an empty one.
    pub stop: Option<Stop>,
    /// Its sessions; none of them: it is not connected.
    pub sessions: Option<Vec<Session>>,
    /// The device it is in.
    pub imei: Option<String>,
    /// Its access points.
    pub apns: Option<Vec<Apn>>,
    /// The month's usage so far, or that of the month asked for.
    pub month: Option<Period>,
    /// The day's usage so far, or that of the day asked for.
    pub day: Option<Period>,
    /// Its usage counter since the carrier began to count.
    pub counter: Option<Counter>,
    /// What it has at the carrier.
    pub packages: Option<Vec<Bought>>,
    /// The network it may use, as its product names it.
    pub network: Option<String>,
    /// How long it spoke in the month.
    pub voice: Option<Spoken>,
    /// Whether its device is switched on.
    pub power: Option<bool>,
}

/// What a card spoke in a billing month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    /// When the month began.
    pub from: Timestamp,
    /// Seconds; carriers that tell minutes tell begun ones.
    pub seconds: i64,
    /// When that was so.
    pub as_of: Timestamp,
}

impl Spoken {
    /// In the billing month that holds `as_of`.
    pub fn this_month(cycle: Cycle, seconds: i64, as_of: Timestamp) -> Spoken {
        Spoken { from: cycle.start(cycle.month(china().day(as_of))), seconds, as_of }
    }
}

/// A card's state in our word, with the carrier's beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Our word.
    pub base: BaseState,
    /// The carrier's, as it came.
    pub raw: String,
    /// When it last changed.
    pub since: Option<Timestamp>,
}

/// Why a card is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stop {
    /// In our words, as far as they are known.
    pub blocks: Blocks,
    /// As it came.
    pub raw: String,
    /// The carrier's words, and what of `raw` is not documented.
    pub words: String,
}

/// A session on the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Session {
    /// Since when it is up.
    pub since: Option<Timestamp>,
    /// Access point.
    pub apn: Option<String>,
    /// Address.
    pub ip: Option<String>,
    /// Radio, such as `LTE`.
    pub rat: Option<String>,
}

/// An access point of a card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Apn {
    /// Its name.
    pub name: String,
    /// Whether data is on there; none: not told.
    pub on: Option<bool>,
    /// Bytes of the month.
    pub bytes: Option<i64>,
}

/// Usage of a billing month or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first instant.
    pub from: Timestamp,
    /// Bytes since then, and when that was so.
    pub counter: Counter,
}

impl Period {
    /// Of a billing month.
    pub fn of_month(cycle: Cycle, month: Month, bytes: i64, as_of: Timestamp) -> Period {
        Period { from: cycle.start(month), counter: Counter { bytes, as_of } }
    }

    /// Of the billing month that holds `as_of`.
    pub fn this_month(cycle: Cycle, bytes: i64, as_of: Timestamp) -> Period {
        Period::of_month(cycle, cycle.month(china().day(as_of)), bytes, as_of)
    }

    /// Of a day in China.
    pub fn of_day(day: i64, bytes: i64, as_of: Timestamp) -> Period {
        Period { from: china().start_of_day(day), counter: Counter { bytes, as_of } }
    }
}

/// A carrier's own count of a card's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Bytes.
    pub bytes: i64,
    /// When that was so.
    pub as_of: Timestamp,
}

/// A package that a card has at the carrier.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bought {
    /// The carrier's code of it.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its allowance in bytes.
    pub total_bytes: Option<i64>,
    /// Bytes used of it.
    pub used_bytes: Option<i64>,
    /// When it is over.
    pub ends: Option<Timestamp>,
}
