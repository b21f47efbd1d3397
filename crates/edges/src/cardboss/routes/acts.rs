//! The acts on cards: renewals.

use super::Ask;
use crate::cardboss::errors::No;
use crate::cardboss::{auth, wire};
use kachi_dialects::cardboss::codes;
use kachi_domain::ids::Msisdn;
use kachi_domain::renewal::{self, MONTHS_MAX};
use kachi_domain::time::{day_text, parse_day};
use kachi_domain::{Iccid, Refusal};
use kachi_engine::network::CardKey;
use kachi_engine::renewals::{Again, Renew, Review};
use kachi_engine::{Fail, Once};

impl Ask<'_> {
    pub(super) async fn renew(&self) -> Result<String, No> {
        let form = self.form;
        let given = |name: &str| Some(form.get(name)).filter(|text| !text.is_empty());
        let day = |text: &str| parse_day(text).map_err(|_| No::said(codes::DATE_WRONG, "startdate格式为yyyy-MM-dd"));
        let digits = u32::from_str_radix((self.door.settings.token)().get(..8).unwrap_or_default(), 16).unwrap_or(0);
        let renew = Renew {
            card: self.card()?,
            package_code: form.get("pkgcode").to_owned(),
            months: form.get("month").parse().unwrap_or(0),
            again: if form.get("repetition") == "1" { Again::Allow } else { Again::Refuse },
            start_day: given("startdate").map(day).transpose()?,
            review: if form.get("audit") == "2" { Review::Automatic } else { Review::Manual },
            remark: given("remark").map(ToOwned::to_owned),
            digits,
        };
        let key = auth::request_key(self.operation, form);
        let render = |renewed: &kachi_engine::renewals::Renewed| wire::good(&wire::Renewal::of(renewed));
        match self.door.engine.renew(self.catalogue, &self.caller.actor, key, renew, render).await {
            Ok(once) => Ok(text(once)),
            Err(Fail::Refused(refusal)) => Err(self.not_renewed(refusal)),
            Err(fail) => Err(fail.into()),
        }
    }

    /// What is in the way of a renewal has a code of its own, and a `result` all the same.
    fn not_renewed(&self, refusal: Refusal) -> No {
        let number = Some(self.form.get("msisdn")).filter(|n| !n.is_empty()).unwrap_or_else(|| self.form.get("iccid"));
        let why = match &refusal {
            Refusal::DuplicateRenewal { number: order } if order.is_empty() => format!("{number} 存在重复续费单"),
            Refusal::DuplicateRenewal { number: order } => format!("{number} 存在重复续费单, 单号: {order}"),
            Refusal::StackFull { stack_max } => format!("{number} 该套餐最多叠加{stack_max}个"),
            Refusal::SimOver => format!("{number} 该卡已销号"),
            Refusal::DateTaken { free } => {
                let detail =
                    format!("startdate须为{}或之后的日期, 此前卡有其他套餐; 不填写则顺延至最后到期的套餐之后", day_text(*free));
                return No::Code(codes::VALUE_WRONG, detail);
            }
            Refusal::BadField { field, .. } if field == "month" => return No::Code(codes::VALUE_WRONG, self.months()),
            _ => return refusal.into(),
        };
        let at = self.door.engine.now();
        No::NotRenewed { detail: format!("续费失败, 原因: {why}"), msisdn: self.form.get("msisdn").to_owned(), at }
    }

    /// For how many months the package can be renewed, which those that were asked for are not.
    fn months(&self) -> String {
        let Some(package) = self.catalogue.package_by_code(self.form.get("pkgcode")) else { return "month取值错误".into() };
        let (cycle, (least, most)) = (renewal::cycle_months(&package.terms), renewal::bounds_months(&package.terms));
        let fits = self.form.get("month").parse::<u32>().is_ok_and(|n| (least..=most).contains(&n) && n.is_multiple_of(cycle));
        match cycle {
            _ if fits => "month过大, 续费金额超出上限".into(),
            _ if least > MONTHS_MAX => format!("month取值错误, 该套餐周期为{cycle}个月, 不能由此接口续费"),
            1 => format!("month须为{least}至{most}个月"),
            _ => format!("month须为{least}至{most}个月, 且为{cycle}的整数倍"),
        }
    }

    /// The card: by one of its numbers, or by both, which must be the same card's.
    pub(super) fn card(&self) -> Result<CardKey, No> {
        let wrong = |name: &str| No::Code(codes::NUMBER_WRONG, format!("{name}格式错误"));
        let msisdn = Some(self.form.get("msisdn")).filter(|t| !t.is_empty()).map(Msisdn::parse);
        let iccid = Some(self.form.get("iccid")).filter(|t| !t.is_empty()).map(Iccid::parse);
        let msisdn = msisdn.transpose().map_err(|_| wrong("msisdn"))?;
        let iccid = iccid.transpose().map_err(|_| wrong("iccid"))?;
        Ok(match (msisdn, iccid) {
            (Some(msisdn), Some(iccid)) => CardKey::Line(msisdn, iccid),
            (Some(msisdn), None) => CardKey::Msisdn(msisdn),
            (None, Some(iccid)) => CardKey::Iccid(iccid),
            (None, None) => return Err(No::said(codes::PARAMETER_MISSING, "msisdn与iccid不能同时为空")),
        })
    }
}

/// The answer, whether it was given now or before.
pub(super) fn text(once: Once) -> String {
    match once {
        Once::Done(text) | Once::Repeated(text) => text,
    }
}
