//! Whether a card's carrier is to let it on now: the one rule for all who stop cards and let them on.
//!
//! What is in a card's way with us keeps it off at its carrier too: its owner's stop, an IMEI lock, the operator's force, money
//! that is owed; and packages that are used up or missing, where the product does not allow bare use and its platform's cards
//! are stopped for that (`stop_cards`). Money that is owed leaves cards alone that lie in stock or are in their test period: they cost
//! nothing yet. A card is stopped for packages only if one of its own ended here: one that never had any is
//! left as its carrier has it. What the carrier itself keeps it off for is the carrier's. Only the present counts: who
//! asks the carrier compares this with what it was last asked for.

use crate::sim::{BaseState, Blocks};

/// Whether a carrier lets a card on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// What becomes of a card at its carrier while no package pays for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedUp {
    /// It is stopped, and let on again when the next one starts.
    Stopped,
    /// It is let on all the same.
    LeftOn,
    /// It never had a package here, and is left as its carrier has it.
    Untouched,
}

/// What keeps a card off whatever its packages are. An owner stops his card, a device of another group locks it, the operator
/// forces it off, and an account that is in arrears may be set so that its cards stop; unpaid is reserved for invoices.
pub const KEPT_OFF: Blocks =
    Blocks(Blocks::OWNER_STOP.0 | Blocks::CREDIT.0 | Blocks::FORCED.0 | Blocks::IMEI_LOCK.0 | Blocks::UNPAID.0);

/// Those of them that are about an account's money, and so about all of its cards.
const MONEY: Blocks = Blocks(Blocks::CREDIT.0 | Blocks::UNPAID.0);

/// Whether the carrier is to let a card on that stands here with this in its way; none: that is left as it is. A card that was
/// never on has no use of a package to lose, and one whose life is over is not asked about. One in stock or in its test period costs
/// its account nothing, and carriers stop cards that were activated alone, so that money that is owed is no matter of its carrier's until
/// it leaves the stock.
pub fn wanted(base: BaseState, blocks: Blocks, used_up: UsedUp) -> Option<Service> {
    let has = |of: Blocks| blocks.0 & of.0 != 0;
    match base {
        base if base.is_over() => None,
        base if base.is_stock() && !has(KEPT_OFF.without(MONEY)) => None,
        _ if has(KEPT_OFF) => Some(Service::Off),
        BaseState::Inventory | BaseState::Testing | BaseState::Ready => None,
        _ if used_up == UsedUp::Stopped && has(Blocks::PACKAGE) => Some(Service::Off),
        _ if used_up == UsedUp::Untouched && has(Blocks::PACKAGE) => None,
        _ => Some(Service::On),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `base: what is in its way | where used up cards are stopped, where they are left on, of one that never had a package`.
    const CASES: &str = "
        active: | on on on
        active: quota | off on -
        active: expired | off on -
        active: no_package | off on -
        active: quota pool_exhausted | off on -
        active: owner_stop | off off off
        active: owner_stop quota | off off off
        active: imei_lock | off off off
        active: forced | off off off
        active: credit | off off off
        active: unpaid | off off off
        active: data_off sms_off voice_off | on on on
        active: real_name region separation carrier_management | on on on
        active: real_name expired | off on -
        stopped: | on on on
        stopped: quota | off on -
        unknown: | on on on
        unknown: quota | off on -
        ready: no_package | - - -
        ready: no_package imei_lock | off off off
        testing: | - - -
        inventory: owner_stop | off off off
        inventory: credit no_package | - - -
        inventory: credit forced | off off off
        testing: unpaid credit | - - -
        testing: imei_lock credit | off off off
        ready: credit no_package | off off off
        pre_closed: owner_stop | - - -
        closed: quota | - - -
        replaced: | - - -
    ";

    fn set(words: &str) -> Blocks {
        let bit = |word: &str| (0..16).map(|n| Blocks(1 << n)).find(|b| b.names() == [word]).expect("a block's name").0;
        Blocks(words.split_whitespace().map(bit).fold(0, |set, bit| set | bit))
    }

    #[test]
    fn what_is_in_a_cards_way_keeps_it_off_at_its_carrier() {
        for case in CASES.trim().lines().map(str::trim) {
            let (card, outcome) = case.split_once('|').unwrap();
            let (base, blocks) = card.split_once(':').unwrap();
            let told = |used_up| match wanted(BaseState::parse(base).unwrap(), set(blocks), used_up) {
                Some(Service::On) => "on",
                Some(Service::Off) => "off",
                None => "-",
            };
            let all = [UsedUp::Stopped, UsedUp::LeftOn, UsedUp::Untouched].map(told).join(" ");
            assert_eq!(all, outcome.trim(), "{case}");
        }
    }
}
