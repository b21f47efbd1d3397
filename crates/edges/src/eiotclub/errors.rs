//! Each refusal of the engine and its published code.

use kachi_dialects::eiotclub::codes;
use kachi_domain::Refusal;
use kachi_engine::Fail;
use serde_json::Value;

/// Why a request got no good answer.
#[derive(Debug)]
pub enum No {
    /// A published code says it all.
    Code(u32),
    /// 42002: the partner's number is known; the answer names the order.
    Exists {
        /// Its number.
        order: i64,
        /// Its long number.
        number: String,
    },
    /// As [`No::Exists`], where the operation has a code or names of its own for it.
    Told {
        /// The published code.
        code: u32,
        /// `data`.
        data: Value,
    },
    /// The catalogue changed meanwhile: begin again.
    Stale,
    /// Ours; the words are for the log alone, and none where it has them already.
    Fault(Option<String>),
}

impl No {
    /// The published code.
    pub fn code(&self) -> u32 {
        match self {
            No::Code(code) | No::Told { code, .. } => *code,
            No::Exists { .. } => codes::OUT_TRADE_NO_EXISTS,
            No::Stale | No::Fault(_) => codes::FAILED,
        }
    }

    /// Whether the request was refused, and may be tried again as it is.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, No::Stale | No::Fault(_))
    }

    /// Whether another catalogue could know the caller better: a new key, a changed secret or network.
    pub fn may_pass_later(&self) -> bool {
        let again = [codes::APPKEY_UNKNOWN, codes::SIGN_WRONG, codes::IP_NOT_ALLOWED, NOT_PERMITTED];
        matches!(self, No::Stale) || matches!(self, No::Code(code) if again.contains(code))
    }
}

impl From<Fail> for No {
    fn from(fail: Fail) -> No {
        match fail {
            Fail::Refused(refusal) => refusal.into(),
            Fail::Fault(e) => No::Fault(e.for_log()),
            Fail::Stale | Fail::InHand { .. } => No::Stale,
        }
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> No {
        No::Code(match refusal {
            Refusal::UnknownSim => codes::CARD_UNKNOWN,
            Refusal::UnknownPackage | Refusal::NoPrice => codes::PACKAGE_UNKNOWN,
            Refusal::PackageMisfit => PACKAGE_MISFIT,
            Refusal::SimOver | Refusal::StackFull { .. } | Refusal::DuplicateRenewal { .. } => ORDER_ABNORMAL,
            Refusal::InsufficientBalance => codes::BALANCE_INSUFFICIENT,
            Refusal::DuplicateOrder { order, number } => return No::Exists { order, number },
            Refusal::UnknownGoods => ESIM_GOODS_UNKNOWN,
            Refusal::OutOfStock => ESIM_OUT_OF_STOCK,
            Refusal::UnknownOrder => codes::ORDER_UNKNOWN,
            Refusal::NotMovable => ORDER_STATUS_ABNORMAL,
            Refusal::MadeByCarrier => CARRIER_UNSUPPORTED,
            Refusal::NotRefundable => codes::NOT_REFUNDABLE,
            Refusal::UnknownPool => POOL_UNKNOWN,
            Refusal::PoolFull { .. } | Refusal::PoolNotEmpty | Refusal::InPool { .. } | Refusal::NotInPool => {
                codes::PARAMETER_WRONG
            }
            Refusal::TooSoon { .. } => TOO_SOON,
            Refusal::NetworkUnfit => NETWORK_UNFIT,
            Refusal::SwitchBarred => SWITCH_BARRED,
            Refusal::Unsupported => OPERATOR_UNSUPPORTED,
            Refusal::BadField { .. }
            | Refusal::DateTaken { .. }
            | Refusal::MayNotAdd
            | Refusal::WhichApn { .. }
            | Refusal::UnknownApn { .. }
            | Refusal::BelowMargin { .. }
            | Refusal::KeptOff { .. }
            | Refusal::VoiceListFull { .. }
            | Refusal::VoiceDeleteUsedUp
            | Refusal::SmsTooLong { .. }
            | Refusal::TooMany { .. }
            | Refusal::UnknownTemplate
            | Refusal::TemplateNotApproved => codes::PARAMETER_WRONG,
            Refusal::KeyReused => codes::SIGN_WRONG,
            Refusal::UnknownImeiGroup => IMEI_GROUP_UNKNOWN,
            Refusal::InImeiGroup => codes::PARAMETER_WRONG,
            Refusal::NotLocked => NOT_LOCKED,
            Refusal::UnlockTooSoon => UNLOCK_TOO_SOON,
            Refusal::UnlocksUsedUp { .. } => UNLOCKS_USED_UP,
        })
    }
}

/// The account is switched off, or paused and would act.
pub const NOT_PERMITTED: u32 = 403;
/// `iccids` is missing or malformed.
pub const ICCIDS_WRONG: u32 = 41001;
/// One ICCID of a list is malformed.
pub const ICCID_OF_LIST_WRONG: u32 = 41002;
/// `startDate` is missing or malformed.
pub const START_DATE_WRONG: u32 = 41004;
/// `endDate` is missing or malformed.
pub const END_DATE_WRONG: u32 = 41005;
/// The dates do not fit each other, or `dateType` is none of the two.
pub const DATES_WRONG: u32 = 41006;
/// More ICCIDs than the limit.
pub const ICCIDS_TOO_MANY: u32 = 41007;
/// `imsi` is malformed.
pub const IMSI_WRONG: u32 = 41013;
/// `network` is missing.
pub const NETWORK_WRONG: u32 = 41014;
/// The card's platform cannot do it.
pub const OPERATOR_UNSUPPORTED: u32 = 41032;
/// `message` is missing or too long.
pub const SMS_TEXT_WRONG: u32 = 42000;
/// The same was asked for this card within five minutes.
pub const TOO_SOON: u32 = 44001;
/// There is nothing to refresh: the card's life is over.
pub const REFRESH_FAILED: u32 = 44002;
/// No message can go to this card.
pub const SMS_WRONG: u32 = 45101;
/// The card is not in use, or another switch is under way.
pub const SWITCH_BARRED: u32 = 45105;
/// The card's product does not offer the network.
pub const NETWORK_UNFIT: u32 = 45107;
/// The month is missing or malformed.
pub const MONTH_WRONG: u32 = 41009;
/// `imei` is missing or malformed.
pub const IMEI_WRONG: u32 = 41015;
/// `packageCode` is missing.
pub const PACKAGE_CODE_WRONG: u32 = 41018;
/// The carrier cannot do it.
pub const CARRIER_UNSUPPORTED: u32 = 41032;
/// The order cannot be placed and no code says it better.
pub const ORDER_ABNORMAL: u32 = 41036;
/// The package belongs to another product than the card.
pub const PACKAGE_MISFIT: u32 = 41050;
/// The order is in a state in which this cannot be done.
pub const ORDER_STATUS_ABNORMAL: u32 = 42006;
/// More orders than may be asked for at once.
pub const ORDERS_TOO_MANY: u32 = 42009;
/// The page number is missing or malformed.
pub const PAGE_NUMBER_WRONG: u32 = 42403;
/// The pool's number is missing, malformed or not one of this account's.
pub const POOL_UNKNOWN: u32 = 42404;
/// The page size is malformed or over the limit.
pub const PAGE_SIZE_WRONG: u32 = 42407;
/// No such IMEI group, or a stranger's.
pub const IMEI_GROUP_UNKNOWN: u32 = 42408;
/// A time is malformed.
pub const TIME_WRONG: u32 = 42409;
/// The card was unlocked a moment ago.
pub const UNLOCK_TOO_SOON: u32 = 45102;
/// The card was unlocked as often as may be in a month.
pub const UNLOCKS_USED_UP: u32 = 45103;
/// The card is not locked.
pub const NOT_LOCKED: u32 = 45104;
/// `remark` is missing.
pub const REMARK_EMPTY: u32 = 45106;
/// No such product.
pub const PRODUCT_UNKNOWN: u32 = 45108;
/// No such eSIM goods.
pub const ESIM_GOODS_UNKNOWN: u32 = 45109;
/// No profile of the goods is left.
pub const ESIM_OUT_OF_STOCK: u32 = 45110;
/// No such order of an eSIM.
pub const ESIM_ORDER_UNKNOWN: u32 = 45111;
/// An eSIM's order that cannot be refunded as it is.
pub const ESIM_NOT_REFUNDABLE: u32 = 45113;
/// An eSIM's order number that was used before.
pub const ESIM_OUT_TRADE_NO_EXISTS: u32 = 503_016;

#[cfg(test)]
mod tests {
    use super::*;
    use kachi_dialects::eiotclub::codes::{Language, message};

    #[test]
    fn every_refusal_has_a_published_code() {
        let all = [
            (Refusal::UnknownSim, 42405),
            (Refusal::UnknownPackage, 42007),
            (Refusal::NoPrice, 42007),
            (Refusal::PackageMisfit, 41050),
            (Refusal::SimOver, 41036),
            (Refusal::StackFull { stack_max: 1 }, 41036),
            (Refusal::DuplicateRenewal { number: String::new() }, 41036),
            (Refusal::InsufficientBalance, 45112),
            (Refusal::DuplicateOrder { order: 1, number: String::new() }, 42002),
            (Refusal::UnknownGoods, 45109),
            (Refusal::OutOfStock, 45110),
            (Refusal::UnknownOrder, 42004),
            (Refusal::NotMovable, 42006),
            (Refusal::MadeByCarrier, 41032),
            (Refusal::NotRefundable, 42008),
            (Refusal::UnknownPool, 42404),
            (Refusal::PoolFull { slots: 1 }, 43332),
            (Refusal::PoolNotEmpty, 43332),
            (Refusal::InPool { pool: 1 }, 43332),
            (Refusal::NotInPool, 43332),
            (Refusal::TooSoon { seconds: 1 }, 44001),
            (Refusal::NetworkUnfit, 45107),
            (Refusal::SwitchBarred, 45105),
            (Refusal::Unsupported, 41032),
            (Refusal::BadField { field: String::new(), rule: String::new() }, 43332),
            (Refusal::DateTaken { free: 0 }, 43332),
            (Refusal::MayNotAdd, 43332),
            (Refusal::WhichApn { apns: Vec::new() }, 43332),
            (Refusal::UnknownApn { apns: Vec::new() }, 43332),
            (Refusal::BelowMargin { left_percent: 1, margin_percent: 2 }, 43332),
            (Refusal::VoiceListFull { max: 5 }, 43332),
            (Refusal::VoiceDeleteUsedUp, 43332),
            (Refusal::SmsTooLong { max: 350 }, 43332),
            (Refusal::TooMany { max: 1000 }, 43332),
            (Refusal::UnknownTemplate, 43332),
            (Refusal::TemplateNotApproved, 43332),
            (Refusal::KeyReused, 42402),
            (Refusal::UnknownImeiGroup, 42408),
            (Refusal::InImeiGroup, 43332),
            (Refusal::NotLocked, 45104),
            (Refusal::UnlockTooSoon, 45102),
            (Refusal::UnlocksUsedUp { per_month: 3 }, 45103),
        ];
        for (refusal, code) in all {
            let no = No::from(refusal.clone());
            assert_eq!(no.code(), code, "{refusal}");
            assert!(message(no.code(), Language::En).is_some() && message(no.code(), Language::Zh).is_some(), "{refusal}");
        }
    }
}
