//! Each refusal of the engine and its published code.

use kachi_dialects::cardboss::{Fault, codes};
use kachi_domain::renewal::DAYS_AHEAD_MAX;
use kachi_domain::{Refusal, Timestamp};
use kachi_engine::Fail;

/// Why a request got no good answer.
#[derive(Debug)]
pub enum No {
    /// A published code, and what is wrong in words.
    Code(u32, String),
    /// 1080: something is in the way of a renewal; the answer has a `result` all the same.
    NotRenewed {
        /// What.
        detail: String,
        /// The card's number as it was given.
        msisdn: String,
        /// When it was asked for.
        at: Timestamp,
    },
    /// The carrier's own refusal, passed on as it is.
    Passed {
        /// Its code.
        status: String,
        /// Its words.
        message: String,
    },
    /// 1005: the signature came before, with another body.
    Reused,
    /// The catalogue changed meanwhile: begin again.
    Stale,
    /// Ours; the words are for the log alone, and none where it has them already.
    Fault(Option<String>),
}

impl No {
    /// A published code with words.
    pub fn said(code: u32, words: &str) -> No {
        No::Code(code, words.to_owned())
    }

    /// The published code.
    pub fn code(&self) -> u32 {
        match self {
            No::Code(code, _) => *code,
            No::NotRenewed { .. } => codes::RENEWAL_FAILED,
            No::Passed { .. } => codes::CARRIER_ERROR,
            No::Reused => codes::AUTHENTICATION_FAILED,
            No::Stale | No::Fault(_) => codes::INTERNAL,
        }
    }

    /// `detail`.
    pub fn detail(&self) -> &str {
        match self {
            No::Code(_, words) | No::NotRenewed { detail: words, .. } | No::Passed { message: words, .. } => words,
            No::Reused => "同一签名已用于其他请求内容",
            No::Stale | No::Fault(_) => "请稍后重试",
        }
    }

    /// Whether the request was refused, and may be tried again as it is.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, No::Reused | No::Stale | No::Fault(_))
    }

    /// Whether another catalogue could know the caller better: a new key, a changed secret, network or switch.
    pub fn may_pass_later(&self) -> bool {
        let asked_again = [codes::AUTHENTICATION_FAILED, codes::IP_NOT_ALLOWED, codes::ACCOUNT_DISABLED];
        matches!(self, No::Stale) || matches!(self, No::Code(code, _) if asked_again.contains(code))
    }
}

impl From<Fault> for No {
    fn from(fault: Fault) -> No {
        No::Code(fault.code, format!("{}{}", fault.field, fault.rule))
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

/// What a good value of a field is, in this door's language, where its grammar has not said so already.
fn rule(field: &str) -> String {
    match field {
        "startdate" => format!("须为今日起{DAYS_AHEAD_MAX}日内的日期, 格式为yyyy-MM-dd"),
        "iccid" => "所指的卡尚未售出".into(),
        _ => "取值错误".into(),
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> No {
        let (code, words) = match &refusal {
            Refusal::UnknownSim => (codes::NO_DATA, "当前账号下无此卡"),
            Refusal::UnknownPackage | Refusal::NoPrice => (codes::VALUE_WRONG, "套餐不存在"),
            Refusal::PackageMisfit => (codes::VALUE_WRONG, "套餐与卡不匹配"),
            Refusal::InsufficientBalance => (codes::BALANCE_SHORT, "账户余额不足, 请联系客服充值"),
            Refusal::KeyReused => return No::Reused,
            Refusal::SimOver => (codes::CARRIER_ERROR, "该卡已销号"),
            Refusal::Unsupported => (codes::CARRIER_ERROR, "该卡所属上级通道不支持此业务"),
            Refusal::BadField { field, .. } => return No::Code(codes::VALUE_WRONG, format!("{field}{}", rule(field))),
            _ => (codes::VALUE_WRONG, "该业务当前不能办理"),
        };
        No::said(code, words)
    }
}
