//! A card's life: one base state and a set of blocks.

use crate::package::words;
use crate::rating::{CardState, PackageBlock};
use serde::{Deserialize, Serialize};

words!(/// Where a card stands in its life.
BaseState {
    /// In stock.
    Inventory = "inventory",
    /// In its test period.
    Testing = "testing",
    /// To be activated.
    Ready = "ready",
    /// Activated.
    Active = "active",
    /// Stopped at the carrier.
    Stopped = "stopped",
    /// Closing.
    PreClosed = "pre_closed",
    /// Closed for good.
    Closed = "closed",
    /// Another card took its place.
    Replaced = "replaced",
    /// Not known.
    Unknown = "unknown",
});

impl BaseState {
    /// Whether the card is activated, whatever is in its way now.
    pub fn is_activated(self) -> bool {
        matches!(self, BaseState::Active | BaseState::Stopped)
    }

    /// Whether the card was never on.
    pub fn is_dormant(self) -> bool {
        matches!(self, BaseState::Inventory | BaseState::Testing | BaseState::Ready)
    }

    /// In stock, or in the test period that its carrier gives: nobody pays for it yet.
    pub fn is_stock(self) -> bool {
        matches!(self, BaseState::Inventory | BaseState::Testing)
    }

    /// Closed for good or on the way there: nothing can be bought for it or asked of its carrier.
    pub fn is_over(self) -> bool {
        matches!(self, BaseState::PreClosed | BaseState::Closed | BaseState::Replaced)
    }
}

/// A set of reasons why a card cannot use the network, as bits. A card uses the network when it is active and
/// the set is empty; its data when the set has none but [`Blocks::BESIDE_DATA`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Blocks(pub i64);

macro_rules! blocks {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $word:literal;)+) => {
        impl Blocks {
            $($(#[$doc])* pub const $name: Blocks = Blocks(1 << $bit);)+
            const NAMES: &'static [(Blocks, &'static str)] = &[$((Blocks::$name, $word)),+];
            /// Every one alone, in a fixed order.
            pub const ALL: &'static [Blocks] = &[$(Blocks::$name),+];
        }
    };
}

blocks! {
    /// The owner stopped it.
    OWNER_STOP = 0, "owner_stop";
    /// Data switched off.
    DATA_OFF = 1, "data_off";
    /// Messages switched off.
    SMS_OFF = 2, "sms_off";
    /// Voice switched off.
    VOICE_OFF = 3, "voice_off";
    /// Allowance used up and nothing may start in its place.
    QUOTA = 4, "quota";
    /// Validity over and nothing may start in its place.
    EXPIRED = 5, "expired";
    /// Never had a package, or the last was refunded.
    NO_PACKAGE = 6, "no_package";
    /// Its account is in arrears, and set so that its cards are stopped for it.
    CREDIT = 7, "credit";
    /// Forced by the operator.
    FORCED = 8, "forced";
    /// Real name missing.
    REAL_NAME = 9, "real_name";
    /// Seen in a device outside its group.
    IMEI_LOCK = 10, "imei_lock";
    /// Outside its region.
    REGION = 11, "region";
    /// Card and device separated.
    SEPARATION = 12, "separation";
    /// Frozen by the carrier.
    CARRIER_MANAGEMENT = 13, "carrier_management";
    /// Its pool is used up.
    POOL_EXHAUSTED = 14, "pool_exhausted";
    /// An invoice is unpaid. Reserved: nothing sets it while there are no invoices; it keeps a card off as every block of money does.
    UNPAID = 15, "unpaid";
}

impl Blocks {
    /// Nothing in the way.
    pub const NONE: Blocks = Blocks(0);
    /// The four that the package engine sets and lifts.
    pub const PACKAGE: Blocks = Blocks(Blocks::QUOTA.0 | Blocks::EXPIRED.0 | Blocks::NO_PACKAGE.0 | Blocks::POOL_EXHAUSTED.0);

    /// Those of services beside data. What is sold is data: a card with none but these works, and is not stopped.
    pub const BESIDE_DATA: Blocks = Blocks(Blocks::SMS_OFF.0 | Blocks::VOICE_OFF.0);

    /// Whether none of them keeps the card's data away.
    pub fn let_data_through(self) -> bool {
        self.without(Blocks::BESIDE_DATA).is_empty()
    }

    /// Whether nothing is in the way.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every reason is one the package engine sets.
    pub fn only_package(self) -> bool {
        self.0 & !Blocks::PACKAGE.0 == 0
    }

    /// The same set with the package engine's verdict in place of the old one.
    pub fn with_package(self, block: Option<PackageBlock>) -> Blocks {
        let bit = match block {
            None => Blocks::NONE,
            Some(PackageBlock::NoPackage) => Blocks::NO_PACKAGE,
            Some(PackageBlock::Quota) => Blocks::QUOTA,
            Some(PackageBlock::Expired) => Blocks::EXPIRED,
            Some(PackageBlock::PoolExhausted) => Blocks::POOL_EXHAUSTED,
        };
        Blocks(self.0 & !Blocks::PACKAGE.0 | bit.0)
    }

    /// As [`Blocks::with_package`], as the card's state has it: a card that has used up its own package and whose pool is
    /// used up too has both reasons.
    pub fn with_state(self, state: &CardState) -> Blocks {
        let verdict = state.verdict();
        let pool = if verdict.is_some() && state.is_pool_exhausted() { Blocks::POOL_EXHAUSTED } else { Blocks::NONE };
        Blocks(self.with_package(verdict).0 | pool.0)
    }

    /// Those of the set, each alone, in a fixed order.
    pub fn each(self) -> impl Iterator<Item = Blocks> {
        Blocks::ALL.iter().copied().filter(move |b| self.has(*b))
    }

    /// Whether one of these is among them.
    pub fn has(self, of: Blocks) -> bool {
        self.0 & of.0 != 0
    }

    /// The set but for these.
    #[must_use]
    pub fn without(self, these: Blocks) -> Blocks {
        Blocks(self.0 & !these.0)
    }

    /// The names of the set, in a fixed order.
    pub fn names(self) -> Vec<&'static str> {
        Blocks::NAMES.iter().filter(|(b, _)| self.0 & b.0 != 0).map(|(_, n)| *n).collect()
    }
}

/// Where a card stands as those see it who own it: lists are filtered by it and counts are kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// In stock or in its test period.
    Stock = 1,
    /// To be activated.
    Ready = 2,
    /// Active, and nothing keeps its data away.
    Working = 3,
    /// Active with something in its data's way, stopped, or not known.
    Stopped = 4,
    /// Closed, closing or replaced.
    Over = 5,
}

impl Stage {
    /// All of them, by number.
    pub const ALL: [Stage; 5] = [Stage::Stock, Stage::Ready, Stage::Working, Stage::Stopped, Stage::Over];

    /// The stage of a base state with these blocks.
    pub fn of(base: BaseState, blocks: Blocks) -> Stage {
        match base {
            BaseState::Inventory | BaseState::Testing => Stage::Stock,
            BaseState::Ready => Stage::Ready,
            BaseState::Active if blocks.let_data_through() => Stage::Working,
            BaseState::Active | BaseState::Stopped | BaseState::Unknown => Stage::Stopped,
            BaseState::PreClosed | BaseState::Closed | BaseState::Replaced => Stage::Over,
        }
    }

    /// Its word; where it is a base state's, it is that one's.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Stock => "inventory",
            Stage::Ready => "ready",
            Stage::Working => "working",
            Stage::Stopped => "stopped",
            Stage::Over => "over",
        }
    }

    /// The number it is kept as.
    pub fn number(self) -> i64 {
        self as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_verdict_replaces_only_package_blocks() {
        let blocks = Blocks(Blocks::OWNER_STOP.0 | Blocks::QUOTA.0);
        assert_eq!(blocks.with_package(Some(PackageBlock::Expired)).names(), ["owner_stop", "expired"]);
        assert_eq!(blocks.with_package(None).names(), ["owner_stop"]);
        assert!(Blocks::NO_PACKAGE.only_package() && !blocks.only_package());
    }

    #[test]
    fn a_card_whose_data_goes_through_works_whatever_else_is_off() {
        for block in Blocks::ALL {
            let beside = matches!(*block, Blocks::SMS_OFF | Blocks::VOICE_OFF);
            let with_messages_off = Blocks(block.0 | Blocks::SMS_OFF.0);
            for blocks in [*block, with_messages_off] {
                let stage = if beside { Stage::Working } else { Stage::Stopped };
                assert_eq!(Stage::of(BaseState::Active, blocks), stage, "{:?}", blocks.names());
                assert_eq!(Stage::of(BaseState::Stopped, blocks), Stage::Stopped, "{:?}", blocks.names());
            }
        }
    }
}
