//! What the account earned on the sales below it.

use super::Ask;
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::wire;
use kachi_dialects::eiotclub::codes;
use kachi_domain::Iccid;
use kachi_domain::ids::Msisdn;
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
        let list = ProfitList {
            number: number.transpose().map_err(|_| wrong)?,
            product: product.transpose()?,
            from: fields.time("startDate")?,
            to: fields.time("endDate")?,
            order_number: fields.text("orderNumber", codes::PARAMETER_WRONG)?.map(|t| t.trim().to_owned()),
            offset: page.offset,
            limit: page.size,
        };
        let (lines, total) = match self.withdrawn()? {
            true => (Vec::new(), 0),
            false => self.door.engine.profits(self.catalogue, &self.caller.actor, list).await?,
        };
        let company = self.catalogue.account(self.caller.actor.account).map_or("", |a| &a.account.name);
        let data = lines.iter().map(|line| wire::Profit::of(self.catalogue, company, line)).collect();
        let total = total.div_euclid(page.size) + i64::from(total % page.size != 0);
        Ok(wire::good(self.caller.language, &wire::Profits { total, data }))
    }

    /// Whether only lines with a withdrawal are asked for. Shares are in the balance at once, and nothing is withdrawn here.
    fn withdrawn(&self) -> Result<bool, No> {
        let within = |name: &str, from: i64, to: i64| {
            let number = self.fields().number(name, codes::PARAMETER_WRONG)?;
            if number.is_some_and(|n| n < from || n > to) { Err(No::Code(codes::PARAMETER_WRONG)) } else { Ok(number) }
        };
        let (state, kind) = (within("ifWithdrawDeposit", 0, 3)?, within("withdrawDepositType", 1, 2)?);
        Ok(state.is_some_and(|s| s > 0) || kind.is_some())
    }
}
