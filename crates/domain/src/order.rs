//! One purchase act and the states it goes through.

use crate::package::words;

words!(/// Where an order stands.
OrderState {
    /// The money is held; the operator has not approved the renewal yet.
    InReview = "in_review",
    /// The money is held; the carrier has not confirmed yet.
    Pending = "pending",
    /// Paid and the subscription is the card's.
    Done = "done",
    /// The carrier, or the operator, refused; the money went back.
    Failed = "failed",
    /// Taken back, in part or whole.
    Refunded = "refunded",
});

words!(/// Who bought, as the partner API tells it.
Channel {
    /// The card's user, by portal.
    User = "USER",
    /// A partner's client.
    Api = "API",
    /// The operator.
    Platform = "PLATFORM",
    /// A floor package.
    System = "SYSTEM",
    /// Moved from another card.
    Transfer = "TRANSFER",
});

words!(/// Where a subscription stands.
SubscriptionState {
    /// The carrier has not confirmed yet; not in the card's queue.
    Pending = "pending",
    /// In the queue.
    Waiting = "waiting",
    /// In use.
    Active = "active",
    /// Over: used up, expired or refunded.
    Ended = "ended",
    /// The carrier refused it; it never was.
    Void = "void",
});

impl SubscriptionState {
    /// The partner API's three: 0 waiting, 1 in use, 2 over.
    pub fn wire(self) -> i64 {
        match self {
            SubscriptionState::Pending | SubscriptionState::Waiting => 0,
            SubscriptionState::Active => 1,
            SubscriptionState::Ended | SubscriptionState::Void => 2,
        }
    }
}

impl OrderState {
    /// Whether its money is set aside and neither taken nor given back yet.
    pub fn holds_money(self) -> bool {
        matches!(self, OrderState::InReview | OrderState::Pending)
    }

    /// Whether its money, or a part of it, went back.
    pub fn gave_back(self) -> bool {
        matches!(self, OrderState::Failed | OrderState::Refunded)
    }

    /// The partner API's order status: 0 not yet, 1 done, -1 its money went back.
    pub fn wire(self) -> i64 {
        match self {
            OrderState::InReview | OrderState::Pending => 0,
            OrderState::Done => 1,
            OrderState::Failed | OrderState::Refunded => -1,
        }
    }

    /// The partner API's status of an eSIM's order: 1 under way, 2 done, 3 refunded, -1 failed.
    pub fn esim_wire(self) -> i64 {
        match self {
            OrderState::InReview | OrderState::Pending => 1,
            OrderState::Done => 2,
            OrderState::Refunded => 3,
            OrderState::Failed => -1,
        }
    }
}
