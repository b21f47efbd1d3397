//! What is sold, and orders by their numbers.

use super::Ask;
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::wire;
use kachi_dialects::eiotclub::codes;

/// Most orders asked for at once, and most of one page.
const ORDERS_MAX: i64 = 50;

impl Ask<'_> {
    /// package/listOrderPackageByProduct
    pub(super) async fn offers_of_product(&self) -> Result<String, No> {
        self.door.engine.is_current(self.catalogue).await?;
        let code = self.fields().required("productCode", codes::PARAMETER_WRONG)?;
        let catalogue = self.catalogue;
        let product = catalogue.product_by_code(code.trim()).ok_or(No::Code(errors::PRODUCT_UNKNOWN))?;
        let sold = |id| catalogue.quote(self.caller.actor.account, id).map(|quote| (id.id, quote));
        let offers = catalogue.packages_of(product.id).into_iter().filter_map(sold);
        let list = offers.filter_map(|(id, quote)| wire::Package::listed(catalogue, id, &quote)).collect();
        Ok(wire::good(self.caller.language, &wire::List { list }))
    }

    /// package/queryOrderPackageByPackageCode
    pub(super) async fn package_by_code(&self) -> Result<String, No> {
        self.door.engine.is_current(self.catalogue).await?;
        let code = self.fields().required("packageCode", errors::PACKAGE_CODE_WRONG)?;
        let package = self.catalogue.package_by_code(code.trim());
        let sold = package.filter(|p| self.catalogue.quote(self.caller.actor.account, p).is_some());
        let line = sold.and_then(|p| wire::Package::alone(self.catalogue, p.id)).ok_or(No::Code(codes::PACKAGE_UNKNOWN))?;
        Ok(wire::good(self.caller.language, &line))
    }

    /// package/getOrderPackageDetails
    pub(super) async fn order_details(&self) -> Result<String, No> {
        let fields = self.fields();
        let numbers = fields.texts("orderNumberArrStr", codes::PARAMETER_WRONG)?;
        let out_trade_nos = fields.texts("outTradeNoArrStr", codes::OUT_TRADE_NO_MALFORMED)?;
        let asked = numbers.len() + out_trade_nos.len();
        if asked == 0 {
            return Err(No::Code(codes::PARAMETER_WRONG));
        }
        if asked > ORDERS_MAX as usize {
            return Err(No::Code(errors::ORDERS_TOO_MANY));
        }
        let state = fields.number("state", codes::PARAMETER_WRONG)?.filter(|s| (0..=2).contains(s));
        let state = state.ok_or(No::Code(codes::PARAMETER_WRONG))?;
        fields.required("pageSize", errors::PAGE_SIZE_WRONG)?;
        let page = fields.page("page", true, ORDERS_MAX)?;
        let engine = &self.door.engine;
        let found = engine.records_by_numbers(self.catalogue, &self.caller.actor, numbers, out_trade_nos).await?;
        let wanted = found.iter().filter(|(_, record)| record.subscription.state.wire() == state);
        let lines: Vec<_> = wanted
            .skip(usize::try_from(page.offset).unwrap_or(usize::MAX))
            .take(usize::try_from(page.size).unwrap_or(0))
            .map(|(iccid, record)| wire::OrderDetail::of(self.catalogue, iccid, record))
            .collect();
        Ok(wire::good(self.caller.language, &lines))
    }
}
