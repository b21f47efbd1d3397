//! The acts on cards that are passed straight to the carrier, whose word is the answer.

use super::Ask;
use crate::cardboss::errors::No;
use crate::cardboss::{auth, wire};
use kachi_dialects::cardboss::{Operation, codes};
use kachi_domain::Refusal;
use kachi_domain::diagnose::{Cause, Lang, listed};
use kachi_engine::Fail;
use kachi_engine::direct::{Act, Outcome};

impl Ask<'_> {
    pub(super) async fn end_test(&self) -> Result<String, No> {
        self.act(Act::EndTest).await
    }

    pub(super) async fn activate(&self) -> Result<String, No> {
        self.act(Act::Activate).await
    }

    pub(super) async fn stop_or_resume(&self) -> Result<String, No> {
        self.act(if self.is_zero("stopkeep") { Act::Stop } else { Act::Resume }).await
    }

    pub(super) async fn switch_data(&self) -> Result<String, No> {
        let apn = Some(self.form.get("apnname")).filter(|name| !name.is_empty()).map(ToOwned::to_owned);
        let margin_percent = self.form.get("marginrat").parse().unwrap_or(0);
        self.act(if self.is_zero("opertype") { Act::DataOff { apn } } else { Act::DataOn { apn, margin_percent } }).await
    }

    pub(super) async fn voice_whitelist(&self) -> Result<String, No> {
        let numbers = self.form.get("content").split('_').map(ToOwned::to_owned).collect();
        let group = self.form.get("taskid").to_owned();
        let act = if self.is_zero("opertype") { Act::VoiceDelete { numbers, group } } else { Act::VoiceAdd { numbers, group } };
        self.act(act).await
    }

    fn is_zero(&self, name: &str) -> bool {
        self.form.get(name) == "0"
    }

    async fn act(&self, act: Act) -> Result<String, No> {
        let (key, resumes) = (auth::request_key(self.operation, self.form), act == Act::Resume);
        let asked = (self.card()?, act, (self.door.settings.token)());
        let wait = self.door.settings.carrier_wait;
        match self.door.engine.act_now(self.catalogue, &self.caller.actor, key, asked, wait).await {
            Ok(Outcome::Done { left }) if resumes && !left.is_empty() => {
                Ok(wire::done_but(&format!("复机已办理，仍有：{}", in_its_way(&left))))
            }
            Ok(Outcome::Done { .. } | Outcome::Accepted) => Ok(wire::done()),
            Ok(Outcome::Refused { code, reason }) => Err(self.carriers(&code, &reason)),
            Ok(Outcome::Unanswered) => Err(No::said(codes::CARRIER_ERROR, "通道方未在限定时间内应答, 业务处理中")),
            Err(Fail::Refused(refusal)) => Err(self.barred(refusal)),
            Err(fail) => Err(fail.into()),
        }
    }

    /// A refusal of ours that is one of the carrier's rules has the carrier's code for it.
    fn barred(&self, refusal: Refusal) -> No {
        match &refusal {
            Refusal::TooSoon { .. } if self.operation == Operation::VoiceWhitelist => {
                self.carriers("13010", "同一卡号 1 分钟内不能调用该接口超过 1 次")
            }
            Refusal::TooSoon { .. } => self.carriers("13009", "同一卡号 3 分钟内不能通过此类接口重复办理业务"),
            Refusal::VoiceListFull { .. } => self.carriers("19019", "群组白名单+成员白名单数量已达上限，不允许办理业务。"),
            Refusal::VoiceDeleteUsedUp => self.carriers("12144", "本月删除白名单号码次数已达上限，本次业务办理失败"),
            Refusal::KeptOff { by } => self.carriers(kept_off(by), &in_its_way(by)),
            Refusal::WhichApn { apns } => {
                let apns = apns.join(",");
                No::Code(
                    codes::VALUE_WRONG,
                    format!("该卡开通多个 APN 上网功能 {apns}, apnname 参数不能为空, 必须指定需要操作的 APN 名称"),
                )
            }
            Refusal::UnknownApn { apns } if apns.is_empty() => {
                No::said(codes::VALUE_WRONG, "该卡未登记APN, apnname不能以0或1结尾")
            }
            Refusal::UnknownApn { apns } => No::Code(codes::VALUE_WRONG, format!("apnname不是该卡开通的APN: {}", apns.join(","))),
            Refusal::BelowMargin { left_percent, margin_percent } => {
                No::Code(codes::CARRIER_ERROR, format!("该卡余量占比{left_percent}%, 未高于{margin_percent}%, 不能恢复上网"))
            }
            _ => refusal.into(),
        }
    }

    /// What the carrier refused with: its own envelope for the white-list, as the source shows; else its code in `detail`.
    fn carriers(&self, code: &str, words: &str) -> No {
        if self.operation == Operation::VoiceWhitelist {
            return No::Passed { status: code.to_owned(), message: words.to_owned() };
        }
        No::Code(codes::CARRIER_ERROR, format!("通道方返回错误码:{code},{words}"))
    }
}

/// What keeps a card off and who can lift it, with this door's operations and no other's.
fn in_its_way(causes: &[Cause]) -> String {
    listed(causes, Lang::Zh, |operation| Operation::find(operation).is_some())
}

/// The code with which China Mobile refuses to let a card on: its package is over, or used up, or the reason of its stop is not
/// one that its owner can lift.
fn kept_off(by: &[Cause]) -> &'static str {
    let all = |of: &[Cause]| by.iter().all(|cause| of.contains(cause));
    if all(&[Cause::Expired, Cause::NoPackage, Cause::CarrierExpired]) {
        "12099"
    } else if all(&[Cause::Quota, Cause::PoolExhausted, Cause::CarrierQuota]) {
        "12100"
    } else {
        "12098"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_names_this_doors_operations_and_no_others() {
        let mut named = Vec::new();
        for cause in Cause::ALL.iter().copied() {
            let words = in_its_way(&[cause]);
            let other = cause.row().act.operations().iter().find(|o| Operation::find(o).is_none() && words.contains(**o));
            assert_eq!(other, None, "{words}");
            named.extend(cause.row().act.operations().iter().copied().filter(|o| words.contains(o)));
        }
        named.sort_unstable();
        named.dedup();
        assert_eq!(named, ["card/foractive", "card/pkg/renew", "card/stopkeep", "card/switchnet"]);
    }
}
