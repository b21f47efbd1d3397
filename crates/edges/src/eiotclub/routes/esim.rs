//! eSIM goods: a profile from stock with its first package.

use super::{Ask, Operation, text};
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::wire;
use kachi_dialects::eiotclub::codes;
use kachi_domain::OrderId;
use kachi_engine::esim::{EsimOrder, Purchase};
use kachi_engine::refunds::RefundQuote;

const GOODS_CODE_CHARS_MAX: usize = 255;

/// The codes that the operations of eSIM orders publish.
pub(super) fn as_esim(no: No) -> No {
    match no {
        No::Code(codes::ORDER_UNKNOWN) => No::Code(errors::ESIM_ORDER_UNKNOWN),
        No::Code(codes::NOT_REFUNDABLE) => No::Code(errors::ESIM_NOT_REFUNDABLE),
        other => other,
    }
}

impl Ask<'_> {
    /// esim/goods
    pub(super) async fn esim_goods(&self) -> Result<String, No> {
        self.door.engine.is_current(self.catalogue).await?;
        let catalogue = self.catalogue;
        let goods = catalogue.goods(self.caller.actor.account);
        let list = goods.filter_map(|(g, price, _)| wire::EsimGoods::of(catalogue, &g.code, &g.name, g.package, price)).collect();
        Ok(wire::good_numbered(self.caller.language, &wire::List { list }))
    }

    /// esim/purchase
    pub(super) async fn esim_purchase(&self) -> Result<String, No> {
        let fields = self.fields();
        let goods_code = fields.required("eSIMGoodsCode", codes::PARAMETER_WRONG)?.trim().to_owned();
        if goods_code.chars().count() > GOODS_CODE_CHARS_MAX {
            return Err(No::Code(codes::PARAMETER_WRONG));
        }
        let (out_trade_no, custom_data) = (self.out_trade_no()?, self.custom_data()?);
        let key = self.order_key(Operation::EsimPurchase, &out_trade_no);
        let cmd = Purchase { goods_code, out_trade_no, custom_data, number: (self.door.settings.order_number)() };
        let language = self.caller.language;
        let render = move |order: &EsimOrder| wire::good_numbered(language, &wire::EsimBought::of(order));
        let (engine, actor) = (&self.door.engine, &self.caller.actor);
        match engine.esim_purchase(self.catalogue, actor, key, cmd, render).await.map_err(No::from) {
            Ok(once) => Ok(text(once)),
            Err(No::Exists { order, .. }) => Err(self.esim_exists(order).await),
            Err(no) => Err(no),
        }
    }

    /// 503016 names the order that has the partner's number.
    async fn esim_exists(&self, order: i64) -> No {
        let found = self.door.engine.esim_order(self.catalogue, &self.caller.actor, OrderId(order)).await;
        let bought = found.as_ref().map_or_else(|_| wire::EsimBought::of_other(order), wire::EsimBought::of);
        let data = serde_json::to_value(bought).unwrap_or_default();
        No::Told { code: errors::ESIM_OUT_TRADE_NO_EXISTS, data }
    }

    /// esim/refund
    pub(super) async fn esim_refund(&self) -> Result<String, No> {
        let what = (self.fields().order_id()?, self.remark()?);
        let key = self.key(Operation::EsimRefund);
        let language = self.caller.language;
        let render = move |_: &RefundQuote| wire::good_numbered(language, &wire::Nothing {});
        let done = self.door.engine.esim_refund(self.catalogue, &self.caller.actor, key, what, render).await;
        Ok(text(done.map_err(No::from).map_err(as_esim)?))
    }

    /// esim/orderStatus
    pub(super) async fn esim_status(&self) -> Result<String, No> {
        let order = self.fields().order_id()?;
        let found = self.door.engine.esim_order(self.catalogue, &self.caller.actor, order).await;
        Ok(wire::good(self.caller.language, &wire::EsimStatus::of(found.map_err(No::from).map_err(as_esim)?)))
    }

    /// esim/queryRefundAmount
    pub(super) async fn esim_refund_amount(&self) -> Result<String, No> {
        let order = self.fields().order_id()?;
        let quote = self.door.engine.esim_refund_quote(self.catalogue, &self.caller.actor, order).await;
        Ok(wire::good(self.caller.language, &wire::RefundAmount::of(&quote.map_err(No::from).map_err(as_esim)?)))
    }
}
