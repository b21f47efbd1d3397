//! What is told to the outside: an event is written in the transaction that caused it, and its body is a snapshot.

use crate::package::words;
use serde::{Deserialize, Serialize};

words!(/// What happened, in our words; each door has its own name for it.
EventKind {
    /// A subscription was bought for, or moved to, a card.
    SubscriptionBought = "subscription_bought",
    /// An order waits for the carrier; its money is held.
    OrderHeld = "order_held",
    /// A subscription came along from another system.
    SubscriptionBrought = "subscription_brought",
    /// A subscription is in use.
    SubscriptionStarted = "subscription_started",
    /// A subscription is over.
    SubscriptionEnded = "subscription_ended",
    /// The last usable subscription is over.
    SimStopped = "sim_stopped",
    /// Usable again.
    SimRestored = "sim_restored",
    /// Something about a card that its owner may want to act on, told with the card's figures.
    CardWarning = "card_warning",
    /// A threshold was crossed.
    UsageAlert = "usage_alert",
    /// Money went back.
    Refunded = "refunded",
    /// An order was refused by the carrier.
    OrderFailed = "order_failed",
    /// A renewal took effect, or was refused by the carrier or the operator.
    RenewalSettled = "renewal_settled",
    /// A message of a batch has its last word.
    SmsReported = "sms_reported",
    /// A card's device wrote.
    SmsReplied = "sms_replied",
    /// The base state of a card changed.
    SimStateChanged = "sim_state_changed",
    /// A card is on another network.
    NetworkSwitched = "network_switched",
    /// A card's speed is to be another, or is.
    SpeedChanged = "speed_changed",
    /// A carrier had no last word on a write for its card in time: a person settles it.
    WriteLeft = "write_left",
    /// A carrier does not stop a card, or does not let it on, although that is wanted for what is in its way here.
    ServiceRefused = "service_refused",
    /// A card came to, or left, an account.
    SimMoved = "sim_moved",
    /// Money came in.
    ToppedUp = "topped_up",
    /// An account's balance was put right by a person.
    BalanceCorrected = "balance_corrected",
    /// A card was seen in a device outside its IMEI group and is locked.
    SimLocked = "sim_locked",
    /// That lock was lifted.
    SimUnlocked = "sim_unlocked",
    /// A card came into an IMEI group.
    ImeiGroupJoined = "imei_group_joined",
    /// A card left an IMEI group.
    ImeiGroupLeft = "imei_group_left",
    /// A card is sold as another product.
    ProductSwitched = "product_switched",
    /// A card is in another device, by the device's own word or a person's.
    DeviceBound = "device_bound",
    /// An account was switched on, off, or paused.
    AccountSwitched = "account_switched",
    /// Notices that were settled are sent again by a person.
    NoticesReplayed = "notices_replayed",
    /// An account came to be in arrears, and its cards are stopped for it; or it is no longer.
    AccountArrears = "account_arrears",
    /// What a platform tells of its cards is older than the operator lets it be.
    ReadingsStale = "readings_stale",
    /// It is not any more.
    ReadingsFresh = "readings_fresh",
    /// A pool was made or deleted, its subscriptions changed, or a card joined or left it.
    PoolChanged = "pool_changed",
});

impl EventKind {
    /// Whether a customer is told at this door; what no door tells is kept for the record.
    pub fn told_at(self, door: &str) -> bool {
        match door {
            "cardboss_data" => matches!(self, EventKind::RenewalSettled | EventKind::CardWarning),
            "cardboss_sms" => matches!(self, EventKind::SmsReported | EventKind::SmsReplied),
            _ => self.is_notice(),
        }
    }

    /// Whether a customer is told at the doors that tell of packages and locks one by one.
    pub fn is_notice(self) -> bool {
        matches!(
            self,
            EventKind::SubscriptionBought
                | EventKind::SubscriptionStarted
                | EventKind::SubscriptionEnded
                | EventKind::SimStopped
                | EventKind::UsageAlert
                | EventKind::Refunded
                | EventKind::SimLocked
                | EventKind::SimUnlocked
                | EventKind::ImeiGroupJoined
                | EventKind::ImeiGroupLeft
                | EventKind::ProductSwitched
        )
    }
}

/// A subscription as an event tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionSnapshot {
    /// The card.
    pub iccid: String,
    /// Set where the owner knows the card by EID.
    pub eid: Option<String>,
    /// The order's number.
    pub order: i64,
    /// The package's code.
    pub package_code: String,
    /// The package's name.
    pub package_name: String,
    /// The name the retail shop gives it.
    pub retail_name: String,
    /// 2 quota, 3 time, 4 throttled.
    pub package_type: i64,
    /// 0 waiting, 1 in use, 2 over.
    pub state: i64,
    /// Who bought.
    pub channel: String,
    /// The partner's own number.
    pub out_trade_no: Option<String>,
    /// Bought at, epoch seconds.
    pub bought_at: i64,
    /// In use since, epoch seconds.
    pub started_at: Option<i64>,
    /// The end of its validity, or its real end once it is over, epoch seconds.
    pub ends_at: Option<i64>,
    /// Where it came from, if it was moved here from another card.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// The buyer's own data.
    #[serde(default)]
    pub custom_data: Option<String>,
}

/// Where a subscription was moved here from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The order it belonged to.
    pub order: i64,
    /// The card it was on.
    pub iccid: String,
    /// That card's EID.
    pub eid: Option<String>,
}

/// What a customer is warned of, numbered as CardBOSS v2.2.2 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// 11: little data is left.
    DataLow,
    /// 12: little voice is left.
    VoiceLow,
    /// 13: few messages are left.
    SmsLow,
    /// 14: few connections are left.
    ConnectionsLow,
    /// 15: the card's pool has nothing left for it.
    PoolShareUsed,
    /// 21: data was used that no package could pay for.
    DataOver,
    /// 22: the same of voice.
    VoiceOver,
    /// 23: the same of messages.
    SmsOver,
    /// 24: the same of connections.
    ConnectionsOver,
    /// 31: the package in use is about to end.
    PackageEnding,
    /// 32: a package has expired.
    PackageExpired,
    /// 41: the card has no package.
    NoPackage,
    /// 42: the last package is about to end.
    CardEnding,
    /// 51: the card is stopped because its allowance is used up.
    StoppedAtCap,
}

impl WarningKind {
    /// All of them, with their published numbers.
    pub const ALL: [(WarningKind, i64); 14] = [
        (WarningKind::DataLow, 11),
        (WarningKind::VoiceLow, 12),
        (WarningKind::SmsLow, 13),
        (WarningKind::ConnectionsLow, 14),
        (WarningKind::PoolShareUsed, 15),
        (WarningKind::DataOver, 21),
        (WarningKind::VoiceOver, 22),
        (WarningKind::SmsOver, 23),
        (WarningKind::ConnectionsOver, 24),
        (WarningKind::PackageEnding, 31),
        (WarningKind::PackageExpired, 32),
        (WarningKind::NoPackage, 41),
        (WarningKind::CardEnding, 42),
        (WarningKind::StoppedAtCap, 51),
    ];

    /// What its amounts count.
    pub fn counts(self) -> Counts {
        match self {
            WarningKind::VoiceLow | WarningKind::VoiceOver => Counts::Seconds,
            WarningKind::SmsLow | WarningKind::SmsOver => Counts::Pieces,
            WarningKind::ConnectionsLow | WarningKind::ConnectionsOver => Counts::Pieces,
            _ => Counts::Bytes,
        }
    }

    /// Its published number.
    pub fn number(self) -> i64 {
        WarningKind::ALL.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, number)| *number)
    }
}

/// What the amounts of a warning count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Bytes of data.
    Bytes,
    /// Seconds of voice.
    Seconds,
    /// Messages or connections.
    Pieces,
}

/// A warning with the card's figures at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Of what.
    pub warning: WarningKind,
    /// When, epoch seconds.
    pub at: i64,
    /// The carrier, as its product names it.
    pub carrier: String,
    /// The card.
    pub iccid: String,
    /// Its telephone number, empty where it is not known.
    pub msisdn: String,
    /// The device it was last seen in, empty where it is not known.
    pub imei: String,
    /// The customer's own number of the device it is in.
    pub equipment: String,
    /// The package it is about, empty of none.
    pub package_name: String,
    /// When that package ends or ended, epoch seconds.
    pub package_ends_at: Option<i64>,
    /// When the last package ends, epoch seconds.
    pub card_ends_at: Option<i64>,
    /// The allowance it is about: bytes, seconds of voice, messages or connections.
    #[serde(alias = "total_bytes")]
    pub total: i64,
    /// What was used of it.
    #[serde(alias = "used_bytes")]
    pub used: i64,
    /// Bytes that nothing could pay for, ever; of the others what was used beyond it.
    #[serde(alias = "outflow_bytes")]
    pub outflow: i64,
}

/// The body of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// About one subscription.
    Subscription(SubscriptionSnapshot),
    /// About the card alone.
    Sim {
        /// The card.
        iccid: String,
        /// Set where the owner knows the card by EID.
        #[serde(default)]
        eid: Option<String>,
        /// What changed, in words.
        detail: String,
    },
    /// A threshold crossed: 1 bytes left, 2 share left, 3 days left.
    Alert {
        /// The card.
        iccid: String,
        /// Set where the owner knows the card by EID.
        #[serde(default)]
        eid: Option<String>,
        /// Which of the three.
        alert_type: i64,
        /// The threshold: MB, percent or days.
        threshold: i64,
    },
    /// A warning with the card's figures.
    Warning(Warning),
    /// Money went back.
    Refund {
        /// The card.
        iccid: String,
        /// Set where the owner knows the card by EID.
        #[serde(default)]
        eid: Option<String>,
        /// The order's number.
        order: i64,
        /// The order's long number.
        #[serde(default)]
        number: String,
        /// The partner's own number.
        out_trade_no: Option<String>,
        /// What was paid, decimal text.
        paid: String,
        /// What went back, decimal text.
        refunded: String,
    },
    /// The lock of a card was set or lifted.
    Lock {
        /// The card.
        iccid: String,
        /// Set where the owner knows the card by EID.
        eid: Option<String>,
        /// The device outside its group.
        imei: String,
        /// When the card was seen in it, epoch seconds.
        seen_at: i64,
    },
    /// The card came into, or left, an IMEI group.
    ImeiGroup {
        /// The card.
        iccid: String,
        /// The group's number.
        group: i64,
    },
    /// The card is sold as another product.
    Product {
        /// The card.
        iccid: String,
        /// Set where the owner knows the card by EID.
        eid: Option<String>,
        /// The new product's code.
        product_code: String,
    },
    /// About a pool.
    Pool {
        /// Its number.
        pool: i64,
        /// What changed, in words.
        detail: String,
    },
    /// About an account.
    Account {
        /// Its number.
        account: i64,
        /// What changed, in words.
        detail: String,
    },
    /// What became of a message of a batch.
    SmsReport {
        /// To which number.
        mobile: String,
        /// `DELIVRD`, or the carrier's code.
        state: String,
        /// The batch.
        task: String,
    },
    /// What a card's device wrote.
    SmsReply {
        /// The card's number.
        mobile: String,
        /// The carrier's number of it.
        id: String,
        /// To which number.
        to: String,
        /// What it says.
        text: String,
    },
    /// How a renewal ended.
    Renewal {
        /// The card.
        iccid: String,
        /// Its telephone number, empty where it is not known.
        msisdn: String,
        /// Its subscriber identity, empty where it is not known.
        imsi: String,
        /// The customer's own number of the device it is in.
        equipment: String,
        /// The order's long number.
        number: String,
        /// The package's code.
        package_code: String,
        /// The package's name.
        package_name: String,
        /// For how many months.
        months: u32,
        /// Whether it is done.
        done: bool,
        /// Whether its package is not in use yet.
        #[serde(default)]
        waits: bool,
        /// Why it is not done.
        reason: String,
    },
    /// Money came in.
    Money {
        /// Decimal text.
        amount: String,
        /// Its currency.
        currency: String,
    },
}
