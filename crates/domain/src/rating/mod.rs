//! The package engine: who pays for each byte, and when each subscription starts and ends.
//!
//! A card's subscriptions and usage are a pure fold over its inputs in the order they happened. An [`Input`] is a
//! purchase, a refund, a move to another card or a reading; the order is [`Input::position`]. Time itself does the rest: ends, refills and
//! starts happen at their exact instants while [`CardState::advance`] moves on.
//!
//! What is promised: any order in which the inputs *arrive* gives the same answer, because a late one makes the caller
//! fold again from a state kept before it; a kept state changes the cost of the answer, never the answer. Every byte
//! is attributed exactly once: to a subscription or to out-of-package use.
//!
//! A state is kept just after its last input. What is true *now* is asked of a clone moved on with
//! [`CardState::advance`], so that an input which arrives a little late still finds the state it belongs to. Whether the
//! card is blocked is told once per instant, when everything of that instant is known: by `advance`, or by the next
//! [`CardState::apply`] of a later instant.
//!
//! Files: `fold` moves the state on, `meter` says what one subscription can pay, `totals` answers questions, `codec`
//! writes a state as bytes, `pool` shares an allowance between cards.

mod codec;
mod fold;
mod meter;
pub mod pool;
mod totals;

pub use fold::fold;
pub use pool::PoolStand;

use crate::ids::{OrderId, PackageId, SubscriptionId};
use crate::package::{StartRule, Terms};
use crate::time::{Timestamp, Zone};
use serde::{Deserialize, Serialize};

/// A subscription bought for the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// Identity; greater numbers were bought later, and the queue is in this order.
    pub subscription: SubscriptionId,
    /// The package it was; carried along for those who ask what is in use.
    pub package: PackageId,
    /// The order that bought it; carried along likewise.
    pub order: OrderId,
    /// When it became available to the card: the order's instant, or the carrier's confirmation.
    pub at: Timestamp,
    /// What was bought.
    pub terms: Terms,
    /// When it may start.
    pub start: StartRule,
    /// Not before this instant, where the order named a date.
    pub not_before: Option<Timestamp>,
    /// Bytes of its allowance already used when it came here from another system or card.
    pub used_before: i64,
    /// It came from another card, which counts what was used before; else this card counts it.
    pub moved: bool,
    /// Seconds of its validity that were left when it came from another card; none: all of it.
    pub left_seconds: Option<i64>,
    /// The zone of its calendar months: its owner's when it was bought, wherever the card goes. None: not known, as of what was bought
    /// before this was kept; the zone of whoever has the card.
    pub zone: Option<Zone>,
}

impl Purchase {
    /// As most are: bought here, of package and order 1, for the queue, with nothing used and all of its validity.
    pub fn plain(subscription: i64, at: Timestamp, terms: Terms) -> Purchase {
        Purchase {
            subscription: SubscriptionId(subscription),
            package: PackageId(1),
            order: OrderId(1),
            at,
            terms,
            start: StartRule::Queue,
            not_before: None,
            used_before: 0,
            moved: false,
            left_seconds: None,
            zone: None,
        }
    }
}

/// A usage fact, in bytes of the data resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Usage {
    /// When it counts: the record's stop time (rule 3).
    pub stop: Timestamp,
    /// First tie-breaker.
    pub start: Timestamp,
    /// Second tie-breaker: the source's own id.
    pub source_id: i64,
    /// Bytes, not negative: of a pool's member those that the pool did not pay.
    pub bytes: i64,
}

/// Something that happened to the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The subscription was taken back at the instant.
    Refund(Timestamp, SubscriptionId),
    /// What was left of the subscription went to another card at the instant.
    Move(Timestamp, SubscriptionId),
    /// A subscription was bought.
    Purchase(Purchase),
    /// Traffic was seen.
    Usage(Usage),
    /// From the instant on the card's pool stands so; none: it is in no pool, or in one that never had anything.
    Pool(Timestamp, Option<PoolStand>),
    /// From the instant on the card's stake in a joint pool stands so; none: it is in no joint pool.
    Stake(Timestamp, Option<Stake>),
}

/// A card's own package in a joint pool, whose cards use the sum of their own: its subscriptions of the package pay for every byte and never
/// end at their allowance, because what counts is what all cards together have used. Whoever adds that up says when there
/// is nothing left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stake {
    /// The package.
    pub package: PackageId,
    /// Since when nothing is left for the card; none: there is.
    pub until: Option<Timestamp>,
    /// Nothing is left because the card itself took all it may.
    pub capped: bool,
}

/// Where an input stands in the card's history: instant, then purchases before refunds and moves before usage, then ties.
/// (A refund may come in the very second of its purchase.) How its pool and its stake stand come last: one of each a
/// card and instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(pub Timestamp, pub u8, pub i64, pub i64);

impl Input {
    /// The input's place in the card's history.
    pub fn position(&self) -> Position {
        match self {
            Input::Refund(at, id) | Input::Move(at, id) => Position(*at, 1, id.0, 0),
            Input::Purchase(p) => Position(p.at, 0, p.subscription.0, 0),
            Input::Usage(u) => Position(u.stop, 2, u.start.0, u.source_id),
            Input::Pool(at, _) => Position(*at, 3, 0, 0),
            Input::Stake(at, _) => Position(*at, 4, 0, 0),
        }
    }
}

/// Why a subscription is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its allowance was used up.
    Quota,
    /// Its validity was over.
    Expired,
    /// It was refunded.
    Refunded,
    /// What was left of it went to another card.
    Moved,
}

impl EndReason {
    /// All of them.
    pub const ALL: [EndReason; 4] = [EndReason::Quota, EndReason::Expired, EndReason::Refunded, EndReason::Moved];

    /// The word as stored.
    pub fn word(self) -> &'static str {
        match self {
            EndReason::Quota => "quota",
            EndReason::Expired => "expired",
            EndReason::Refunded => "refunded",
            EndReason::Moved => "moved",
        }
    }

    /// Reads the word; none for any other.
    pub fn parse(word: &str) -> Option<EndReason> {
        EndReason::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// What is left of a subscription that goes to another card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Bytes that count against its present allowance.
    pub used_bytes: i64,
    /// Seconds of its validity that are left; none if it has not started.
    pub left_seconds: Option<i64>,
}

/// Why the card has no data left: the package block of the card (rule 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageBlock {
    /// Never had a package, or the last was refunded or moved away.
    NoPackage,
    /// The allowance is used up and nothing may start in its place.
    Quota,
    /// The validity is over and nothing may start in its place.
    Expired,
    /// The card's pool has nothing left, and the card nothing of its own.
    PoolExhausted,
}

/// A subscription that is waiting or in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Which one.
    pub id: SubscriptionId,
    /// The package it was.
    pub package: PackageId,
    /// The order that bought it.
    pub order: OrderId,
    /// What was bought.
    pub terms: Terms,
    /// Not before this instant.
    pub eligible: Timestamp,
    /// When it started and when its validity ends; none while it waits.
    pub running: Option<(Timestamp, Timestamp)>,
    /// When its monthly allowance refills next.
    pub refill: Option<Timestamp>,
    /// Bytes used in the present window.
    pub window_used: i64,
    /// Bytes that this card used of it, in all windows.
    pub used: i64,
    /// Seconds of validity it has once it starts, if it was moved here from another card.
    pub left_seconds: Option<i64>,
    /// The zone of its calendar months ([`Purchase::zone`]); none also where it knows no months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// Whether its speed was lowered in the present window (`throttled`).
    pub slow: bool,
    /// Whether it is the card's stake of a common allowance ([`CardState::stake`] says so).
    #[serde(skip)]
    pub staked: bool,
}

/// What came to pass, with its instant; the caller turns these into rows, events and notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The subscription is in use from here; the second instant is the end of its validity.
    Started(SubscriptionId, Timestamp, Timestamp),
    /// The subscription is over; the number is all bytes attributed to it.
    Ended(SubscriptionId, Timestamp, EndReason, i64),
    /// The subscription goes to another card with this rest; its end here follows.
    Moved(SubscriptionId, Timestamp, Rest),
    /// A monthly allowance was refilled.
    Refilled(SubscriptionId, Timestamp),
    /// The allowance of a `throttled` subscription is used up: ask the carrier for the lower speed.
    Slowed(SubscriptionId, Timestamp),
    /// The card's pool has nothing left from here; comes before the `Blocked` it causes. The pool's subscription that was
    /// the last to pay; of a card that took all it may of a joint pool, its own.
    PoolOver(SubscriptionId, Timestamp),
    /// Nothing usable is left from here, for this reason. The number is that of the card's stop ([`CardState::stops`]): a card that
    /// stays stopped for another reason is in the same stop.
    Blocked(PackageBlock, Timestamp, u32),
    /// Something usable is there again.
    Unblocked(Timestamp),
}

impl Happening {
    /// When it came to pass.
    pub fn at(&self) -> Timestamp {
        match self {
            Happening::Started(_, at, _)
            | Happening::Ended(_, at, ..)
            | Happening::Moved(_, at, _)
            | Happening::Refilled(_, at)
            | Happening::Slowed(_, at)
            | Happening::PoolOver(_, at)
            | Happening::Blocked(_, at, _)
            | Happening::Unblocked(at) => *at,
        }
    }
}

/// A card's package state just after its last input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardState {
    /// The instant up to which time has moved on.
    pub now: Timestamp,
    /// The last input folded in.
    pub last: Option<Position>,
    /// Waiting and running subscriptions, in the order bought.
    pub live: Vec<Live>,
    /// How the card's pool stands.
    pub pool: Option<PoolStand>,
    /// How the card's stake in a joint pool stands.
    #[serde(default)]
    pub stake: Option<Stake>,
    /// The block by the card's own subscriptions, where nothing usable of them is left; see [`CardState::verdict`].
    pub block: Option<PackageBlock>,
    /// The verdict as last told by a [`Happening`]; differs from it only until the instant `now` is over.
    pub told: Option<PackageBlock>,
    /// How often it was stopped, as told: how often it lost what it could use.
    #[serde(default)]
    pub stops: u32,
    /// Bytes of subscriptions that are over.
    pub ended_bytes: i64,
    /// Bytes seen while nothing could pay for them (rule 6).
    pub outflow_bytes: i64,
}
