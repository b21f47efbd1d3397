//! Why an act was not done. Each door has one table from these to its own codes.

use crate::diagnose::{Cause, Lang, listed};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A refusal: nothing was changed and nothing charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such card, or a stranger's: the two answer alike.
    UnknownSim,
    /// No such package, or not sold to this account.
    UnknownPackage,
    /// The package does not fit the card's product.
    PackageMisfit,
    /// The package has no price in the account's currency.
    NoPrice,
    /// The card's life is over.
    SimOver,
    /// Already as many of this package wait or run as may be stacked.
    StackFull {
        /// The package's limit.
        stack_max: i64,
    },
    /// Not enough money.
    InsufficientBalance,
    /// The partner's own number is known; the order it named is in the answer.
    DuplicateOrder {
        /// Its number.
        order: i64,
        /// Its long number.
        number: String,
    },
    /// An earlier renewal of the card has neither taken effect nor been refused yet.
    DuplicateRenewal {
        /// The long number of its order; empty: it is the order of an account that is not seen.
        number: String,
    },
    /// On the date a renewal is to start, another package still has the card's one main place.
    DateTaken {
        /// The first day on which it could start, days since 1970-01-01 in the card owner's zone.
        free: i64,
    },
    /// No such eSIM goods, or not sold to this account.
    UnknownGoods,
    /// No profile of the goods is left.
    OutOfStock,
    /// No such order, or a stranger's.
    UnknownOrder,
    /// The order's subscription is not one that can go to another card now: it is over, or not confirmed yet.
    NotMovable,
    /// Only the carrier can make the package real, so it cannot go to another card.
    MadeByCarrier,
    /// The order is not one that can be refunded now.
    NotRefundable,
    /// No such pool, or a stranger's.
    UnknownPool,
    /// Every slot of the pool is taken.
    PoolFull {
        /// How many there are.
        slots: i64,
    },
    /// The pool has cards in it, or a subscription that was paid and never used.
    PoolNotEmpty,
    /// The card is in a pool already.
    InPool {
        /// In which.
        pool: i64,
    },
    /// The card is not in the pool.
    NotInPool,
    /// The account may not add cards itself.
    MayNotAdd,
    /// A field is missing or malformed.
    BadField {
        /// The field.
        field: String,
        /// What a good one looks like.
        rule: String,
    },
    /// The same was asked for this card a moment ago.
    TooSoon {
        /// Seconds until it may be asked for again.
        seconds: i64,
    },
    /// The card's product does not offer the network.
    NetworkUnfit,
    /// The card is not in use, or another switch is under way.
    SwitchBarred,
    /// The card's platform cannot do it.
    Unsupported,
    /// The card has several access points and one must be named.
    WhichApn {
        /// They are.
        apns: Vec<String>,
    },
    /// The card has no such access point.
    UnknownApn {
        /// It has these.
        apns: Vec<String>,
    },
    /// No more than the margin is left of the card's allowance.
    BelowMargin {
        /// What is left, rounded down.
        left_percent: i64,
        /// The margin asked for.
        margin_percent: i64,
    },
    /// The card's list of numbers is full.
    VoiceListFull {
        /// How many it holds.
        max: i64,
    },
    /// Numbers were taken off the card's list this month already.
    VoiceDeleteUsedUp,
    /// The message has more characters than may be.
    SmsTooLong {
        /// How many it may have.
        max: i64,
    },
    /// More numbers than one call may have.
    TooMany {
        /// How many it may have.
        max: i64,
    },
    /// No such template for messages, or a stranger's.
    UnknownTemplate,
    /// The template is not approved yet.
    TemplateNotApproved,
    /// Letting the card on would lift nothing: this keeps it off, and others can lift it. Nothing was asked of the carrier.
    KeptOff {
        /// What does, the gravest first.
        by: Vec<Cause>,
    },
    /// The same key came with another body.
    KeyReused,
    /// No such IMEI group, or a stranger's.
    UnknownImeiGroup,
    /// The card is in an IMEI group: it cannot be bound to, or freed from, one device by itself.
    InImeiGroup,
    /// The card is not locked.
    NotLocked,
    /// The card was unlocked less than five minutes ago.
    UnlockTooSoon,
    /// The card was unlocked as often as its group lets it be in a month.
    UnlocksUsedUp {
        /// The group's limit.
        per_month: i64,
    },
}

impl Refusal {
    /// What a person names is not there, or does not stand so that it can be acted on; `list` is the verb of `kachi` that shows what is.
    pub fn see(field: &str, what: impl fmt::Display, list: &str) -> Refusal {
        Refusal::BadField { field: field.into(), rule: format!("{what}: see `kachi {list}`") }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::UnknownSim => write!(f, "there is no such card in this account"),
            Refusal::UnknownPackage => write!(f, "there is no such package for this account"),
            Refusal::PackageMisfit => write!(f, "the package belongs to another product than the card"),
            Refusal::NoPrice => write!(f, "the package has no price in the account's currency"),
            Refusal::SimOver => write!(f, "the card is closed: nothing can be bought for it or asked of its carrier"),
            Refusal::StackFull { stack_max } => write!(f, "{stack_max} of this package already wait or run, which is its limit"),
            Refusal::InsufficientBalance => write!(f, "the balance and credit do not cover the price"),
            Refusal::DuplicateOrder { order, .. } => write!(f, "the order number was used before, for order {order}"),
            Refusal::DateTaken { free } => date_taken(f, *free),
            Refusal::DuplicateRenewal { number } => write!(
                f,
                "renewal {} of the card is not settled yet",
                if number.is_empty() { "of another account" } else { number }
            ),
            Refusal::UnknownGoods => write!(f, "there are no such eSIM goods for this account"),
            Refusal::OutOfStock => write!(f, "no profile of these eSIM goods is left"),
            Refusal::UnknownOrder => write!(f, "there is no such order in this account"),
            Refusal::NotMovable => write!(f, "the order has nothing that can go to another card in its present state"),
            Refusal::MadeByCarrier => write!(f, "the package is made real by the carrier and cannot go to another card"),
            Refusal::NotRefundable => write!(f, "the order cannot be refunded in its present state"),
            Refusal::UnknownPool => write!(f, "there is no such pool in this account"),
            Refusal::PoolFull { slots } => write!(f, "the pool has {slots} slots and not that many are free"),
            Refusal::PoolNotEmpty => {
                write!(
                    f,
                    "the pool has cards in it, or a paid subscription that was never used; take them out, or it back, first"
                )
            }
            Refusal::InPool { pool } => write!(f, "the card is in pool {pool} already"),
            Refusal::NotInPool => write!(f, "the card is not in this pool"),
            Refusal::MayNotAdd => {
                write!(
                    f,
                    "this account may not add cards itself: the operator adds them, or lets it by `fastbee: {{claim: true}}` in apply"
                )
            }
            Refusal::BadField { field, rule } => write!(f, "{field}: {rule}"),
            Refusal::TooSoon { seconds } => write!(f, "the same was asked for a moment ago; again in {seconds} seconds"),
            Refusal::NetworkUnfit => write!(f, "the card's product does not offer the network"),
            Refusal::SwitchBarred => write!(f, "the card is not in use, or another switch is under way"),
            Refusal::Unsupported => write!(f, "the card's platform cannot do it"),
            Refusal::WhichApn { apns } => write!(f, "the card has the access points {}: name one", apns.join(",")),
            Refusal::UnknownApn { apns } => write!(f, "the card has no such access point; it has {}", apns.join(",")),
            Refusal::BelowMargin { left_percent, margin_percent } => {
                write!(f, "{left_percent}% of the card's allowance is left, not more than {margin_percent}%")
            }
            Refusal::VoiceListFull { max } => write!(f, "the card's list holds {max} numbers"),
            Refusal::VoiceDeleteUsedUp => write!(f, "numbers were taken off the card's list this month already"),
            Refusal::SmsTooLong { max } => write!(f, "the message has more than {max} characters"),
            Refusal::TooMany { max } => write!(f, "more than {max} numbers"),
            Refusal::UnknownTemplate => write!(f, "there is no such template in this account"),
            Refusal::TemplateNotApproved => write!(f, "the template is not approved yet"),
            Refusal::KeptOff { by } => write!(f, "the card stays off whoever lets it on: {}", listed(by, Lang::En, |_| true)),
            Refusal::KeyReused => write!(f, "the same request key came with another body"),
            Refusal::UnknownImeiGroup => write!(f, "there is no such IMEI group in this account"),
            Refusal::InImeiGroup => write!(f, "the card is in an IMEI group; take it out of the group first"),
            Refusal::NotLocked => write!(f, "the card is not locked to its devices"),
            Refusal::UnlockTooSoon => write!(f, "the card was unlocked less than five minutes ago"),
            Refusal::UnlocksUsedUp { per_month } => {
                write!(f, "the card was unlocked {per_month} times this month, which is its group's limit")
            }
        }
    }
}

fn date_taken(f: &mut fmt::Formatter<'_>, free: i64) -> fmt::Result {
    let free = crate::time::day_text(free);
    write!(f, "startdate: {free} or later, as another package is in use until then; without a date it starts after the last one")
}
