//! What the account earned on the sales below it.

use super::{Ask, order_name};
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::wire;
use kachi_dialects::eiotclub::codes;
use kachi_domain::Iccid;
use kachi_domain::ids::Msisdn;
use kachi_domain::profit::{WithdrawalKind, WithdrawalState};
use kachi_engine::profits::ProfitList;

impl Ask<'_> {
    /// outputApi/listProfitInfo
    pub(super) async fn profits(&self) -> Result<String, No> {
        let fields = self.fields();
        fields.required("pageSize", errors::PAGE_SIZE_WRONG)?;
        let page = fields.page("pageNum", true, self.door.settings.page_max)?;
        let wrong = No::Code(codes::PARAMETER_WRONG);
        let number = fields.text("param", codes::PARAMETER_WRONG)?.map(|text| {
            let iccid = Iccid::parse(&text).map(|i| i.as_str().to_owned());
            iccid.or_else(|_| Msisdn::parse(&text).map(|m| m.as_str().to_owned()))
        });
        let product = fields.text("productCode", codes::PARAMETER_WRONG)?.map(|code| {
            let product = self.catalogue.product_by_code(code.trim());
            product.map(|p| p.id).ok_or(No::Code(errors::PRODUCT_UNKNOWN))
        });
        let (withdrawal, kind) = self.withdrawal()?;
        let list = ProfitList {
            withdrawal,
            kind,
            number: number.transpose().map_err(|_| wrong)?,
            product: product.transpose()?,
            from: fields.time("startDate")?,
            to: fields.time("endDate")?,
            order: fields.text("orderNumber", codes::PARAMETER_WRONG)?.map(|t| order_name(&t)),
            offset: page.offset,
            limit: page.size,
        };
        let (lines, total) = self.door.engine.profits(self.catalogue, &self.caller.actor, list).await?;
        let company = self.catalogue.account(self.caller.actor.account).map_or("", |a| &a.account.name);
        let data = lines.iter().map(|line| wire::Profit::of(self.catalogue, company, line)).collect();
        let total = total.div_euclid(page.size) + i64::from(total % page.size != 0);
        Ok(wire::good(self.caller.language, &wire::Profits { total, data }))
    }

    /// Which withdrawals of lines are asked for: 0 waits for one, 1 under review, 2 done, 3 failed; 1 manual, 2 daily.
    fn withdrawal(&self) -> Result<(Option<Option<WithdrawalState>>, Option<WithdrawalKind>), No> {
        let wrong = No::Code(codes::PARAMETER_WRONG);
        let state = match self.fields().number("ifWithdrawDeposit", codes::PARAMETER_WRONG)? {
            None => None,
            Some(0) => Some(None),
            Some(1) => Some(Some(WithdrawalState::Review)),
            Some(2) => Some(Some(WithdrawalState::Done)),
            Some(3) => Some(Some(WithdrawalState::Failed)),
            Some(_) => return Err(wrong),
        };
        let kind = match self.fields().number("withdrawDepositType", codes::PARAMETER_WRONG)? {
            None => None,
            Some(1) => Some(WithdrawalKind::Manual),
            Some(2) => Some(WithdrawalKind::Daily),
            Some(_) => return Err(wrong),
        };
        Ok((state, kind))
    }
}
