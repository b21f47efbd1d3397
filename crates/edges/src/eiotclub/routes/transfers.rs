//! What is left of a subscription goes to another card.

use super::{Ask, Operation, REMARK_CHARS_MAX, text};
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::wire;
use kachi_dialects::eiotclub::codes;
use kachi_domain::OrderId;
use kachi_engine::records::OrderName;
use kachi_engine::transfers::{Move, Moved};

impl Ask<'_> {
    /// card/transferPkg
    pub(super) async fn transfer_package(&self) -> Result<String, No> {
        let fields = self.fields();
        let (from, to) = (fields.iccid_in("oldIccid")?, fields.iccid_in("newIccid")?);
        let order = match fields.number("orderId", codes::ORDER_ID_MALFORMED)? {
            Some(id) => OrderName::Id(OrderId(id)),
            None => OrderName::Number(fields.required("orderNumber", codes::ORDER_ID_MALFORMED)?.trim().to_owned()),
        };
        let cmd = Move { from, to, order, memo: self.memo()?, number: (self.door.settings.order_number)() };
        let (language, catalogue) = (self.caller.language, self.catalogue.clone());
        let render = move |moved: &Moved| {
            let new_pkg_code = catalogue.package(moved.package).map_or("", |p| &p.code);
            wire::good(language, &wire::Transferred { new_pkg_code, new_order_id: moved.order.0 })
        };
        let key = self.key(Operation::TransferPackage);
        Ok(text(self.door.engine.transfer_subscription(self.catalogue, &self.caller.actor, key, cmd, render).await?))
    }

    /// cloudesim/transferPkg
    pub(super) async fn eid_transfer(&self) -> Result<String, No> {
        let fields = self.fields();
        fields.eid("oldEid")?;
        fields.eid("newEid")?;
        let id = fields.number("oldEshopOrderId", codes::ORDER_ID_MALFORMED)?.ok_or(No::Code(codes::ORDER_ID_MALFORMED))?;
        let (order, memo) = (OrderName::Id(OrderId(id)), self.memo()?);
        let (from, to) = (self.iccid_of("oldEid").await?, self.iccid_of("newEid").await?);
        let cmd = Move { from, to, order, memo, number: (self.door.settings.order_number)() };
        let (language, catalogue) = (self.caller.language, self.catalogue.clone());
        let render = move |moved: &Moved| {
            let new_pkg_code = catalogue.package(moved.package).map_or("", |p| &p.code);
            wire::good(language, &wire::EidTransferred { new_pkg_code, new_eshop_order_id: moved.order.0 })
        };
        let key = self.key(Operation::EidTransfer);
        let done = self.door.engine.transfer_subscription(self.catalogue, &self.caller.actor, key, cmd, render).await;
        done.map(text).map_err(|fail| match No::from(fail) {
            No::Code(codes::ORDER_UNKNOWN) => No::Code(errors::ESIM_ORDER_UNKNOWN),
            no => no,
        })
    }

    /// Why something is moved, if it is said.
    fn memo(&self) -> Result<String, No> {
        let memo = self.fields().text("memo", codes::PARAMETER_WRONG)?.unwrap_or_default().into_owned();
        if memo.chars().count() > REMARK_CHARS_MAX { Err(No::Code(codes::PARAMETER_WRONG)) } else { Ok(memo) }
    }
}
