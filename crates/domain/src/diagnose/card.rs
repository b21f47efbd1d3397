//! What is known of a card, each piece with its source and age, or with the reason why it is not known.

use super::Cause;
use crate::account::Switch;
use crate::carrier::{Count, Session, Standing, Stop};
use crate::money::Money;
use crate::package::words;
use crate::sim::{BaseState, Blocks};
use crate::time::Timestamp;

words!(/// Where a piece of knowledge comes from.
Source {
    /// Kept here: true now, as far as we are concerned.
    Kept = "kept",
    /// Usage records.
    Cdr = "cdr",
    /// The carrier's own word.
    Carrier = "carrier",
    /// The device's own report.
    Device = "device",
});

words!(/// Why a piece is not known.
Why {
    /// Nobody has asked yet.
    NeverRead = "never_read",
    /// The card platform has no such answer.
    CannotTell = "cannot_tell",
    /// The card platform is a person.
    ByHand = "by_hand",
    /// Asked, and not answered in time.
    NoAnswer = "no_answer",
    /// Asked, and not told.
    Failed = "failed",
});

words!(/// What is looked at.
Topic {
    /// Base state with us.
    State = "state",
    /// Blocks with us.
    Blocks = "blocks",
    /// The carrier's state.
    CarrierState = "carrier_state",
    /// Why the carrier stopped it.
    StopReason = "stop_reason",
    /// Whether it is connected.
    Session = "session",
    /// Whether its device is switched on.
    Power = "power",
    /// Access points whose data is off.
    AccessPoints = "access_points",
    /// The package in use, or the last one.
    Package = "package",
    /// Packages that wait.
    Waiting = "waiting",
    /// Packages that are paid for and not confirmed.
    Ordered = "ordered",
    /// Its pool, and how that stands to it.
    Pool = "pool",
    /// Bytes that nothing could pay for.
    Outflow = "outflow",
    /// Its IMEI group and lock.
    ImeiGroup = "imei_group",
    /// The device it was last seen in.
    Imei = "imei",
    /// Writes to the carrier: open ones, and refusals.
    Write = "write",
    /// A renewal that is not settled.
    Renewal = "renewal",
    /// What its owner may spend.
    Balance = "balance",
    /// The switch of its owner's account, or of the one above that is stricter.
    Account = "account",
    /// Whether the user's real name is known.
    RealName = "real_name",
    /// Numbers it may call.
    VoiceList = "voice_list",
    /// The network it is on.
    Network = "network",
    /// The last usage record.
    LastUse = "last_use",
    /// The carrier's own count.
    Counter = "counter",
    /// Billing months in which records and the carrier's count are apart.
    Findings = "findings",
    /// What the device says of itself.
    Device = "device",
});

/// A piece of knowledge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<T> {
    /// It is so, or was at the instant.
    Known {
        /// What.
        value: T,
        /// Says who.
        source: Source,
        /// When that was so.
        as_of: Timestamp,
    },
    /// There is none.
    None,
    /// It is not known.
    Not {
        /// Why.
        why: Why,
        /// In whose words, if there are any.
        words: String,
    },
}

impl<T> Piece<T> {
    /// Not known, without further words.
    pub fn not(why: Why) -> Piece<T> {
        Piece::Not { why, words: String::new() }
    }

    /// What is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Piece::Known { value, .. } => Some(value),
            Piece::None | Piece::Not { .. } => None,
        }
    }

    /// When it was so.
    pub fn as_of(&self) -> Option<Timestamp> {
        match self {
            Piece::Known { as_of, .. } => Some(*as_of),
            Piece::None | Piece::Not { .. } => None,
        }
    }
}

/// A package of the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Bytes used of its present allowance.
    pub used_bytes: i64,
    /// Bytes left; none where there is no limit, or it is over.
    pub left_bytes: Option<i64>,
    /// The end of its validity, or when it was over; of one that waits, its start if only time passes.
    pub at: Option<Timestamp>,
    /// When its allowance is whole again, if it is one by the month.
    pub refills_at: Option<Timestamp>,
    /// Why it was over.
    pub over: Option<String>,
}

/// A package that is paid for, and that is the card's when its carrier confirms it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The order's number.
    pub order: i64,
    /// The package's name.
    pub name: String,
    /// The write that it waits for.
    pub write: i64,
    /// Whether a person does that.
    pub by_hand: bool,
}

impl Ordered {
    /// The cause that it is for a card without a package.
    pub fn cause(&self) -> Cause {
        if self.by_hand { Cause::OrderByHand } else { Cause::OrderOpen }
    }
}

/// The pool a card is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its number.
    pub id: i64,
    /// Until when it can pay for the card; none: it never had anything, or, of a joint one, there is no end by itself.
    pub until: Option<Timestamp>,
    /// Whether its cards use the sum of their own packages.
    pub joint: bool,
}

impl Pool {
    /// Whether it has nothing left for the card.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// The IMEI group a card is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its code.
    pub code: String,
    /// The device that locked it, and when it was seen there.
    pub lock: Option<(String, Timestamp)>,
    /// Unlocks this month, and how many there may be.
    pub unlocks: (i64, i64),
}

/// A write to the carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteSeen {
    /// Its number.
    pub id: i64,
    /// The act, as its word.
    pub act: String,
    /// Where it stands, as its word: `refused`, or it is open.
    pub state: String,
    /// Whether a person does it.
    pub by_hand: bool,
    /// When it was asked for.
    pub at: Timestamp,
    /// The carrier's last word, or ours on what is known.
    pub words: String,
}

/// A billing month in which records and the carrier's count are too far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// Its first instant.
    pub from: Timestamp,
    /// What the records add up to.
    pub record_bytes: i64,
    /// When the last of them ended; none: there are none.
    pub record_as_of: Option<Timestamp>,
    /// What the carrier counted.
    pub carrier_bytes: i64,
    /// As of when.
    pub carrier_as_of: Timestamp,
}

/// What an account may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Without credit.
    pub available: Money,
    /// What it may owe.
    pub credit: Money,
    /// What it owes of shares that went back after it had spent them, and pays first.
    pub owed: Money,
}

/// Everything that is known of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The card.
    pub iccid: String,
    /// The present.
    pub now: Timestamp,
    /// Where it stands with us.
    pub base: BaseState,
    /// What is in its way with us, its packages' state as it is now.
    pub blocks: Blocks,
    /// Whether it may be used without a package.
    pub bare_use: bool,
    /// Where it stands at the carrier.
    pub standing: Piece<Standing>,
    /// Why the carrier stopped it.
    pub stop: Piece<Stop>,
    /// Its sessions; none of them: it is not connected.
    pub sessions: Piece<Vec<Session>>,
    /// Whether its device is switched on.
    pub power: Piece<bool>,
    /// Access points whose data is off; an empty name is its only one.
    pub apns_off: Vec<String>,
    /// The package in use, or the last that was.
    pub package: Option<Package>,
    /// Packages that wait.
    pub waiting: Vec<Package>,
    /// Packages that are paid for and not confirmed; a renewal in review is not among them.
    pub ordered: Vec<Ordered>,
    /// Its pool.
    pub pool: Option<Pool>,
    /// Bytes that nothing could pay for.
    pub outflow_bytes: i64,
    /// Its IMEI group.
    pub group: Option<Group>,
    /// The device it was last seen in.
    pub imei: Piece<String>,
    /// Open writes, and the last of a kind where that was refused.
    pub writes: Vec<WriteSeen>,
    /// A renewal in review: its number.
    pub renewal: Option<String>,
    /// What its owner may spend.
    pub balance: Piece<Balance>,
    /// The account whose switch decides what its owner may do with us, by its code, and that switch.
    pub account: (String, Switch),
    /// Whether the user's real name is known to us.
    pub real_name: bool,
    /// How many numbers it may call.
    pub voice_numbers: usize,
    /// The network it is on.
    pub network: String,
    /// The last usage record.
    pub last_use: Piece<i64>,
    /// The carrier's own count.
    pub counter: Piece<Count>,
    /// Billing months in which the records and that count are too far apart.
    pub findings: Piece<Vec<Apart>>,
    /// What the device says of itself.
    pub device: Piece<String>,
}
