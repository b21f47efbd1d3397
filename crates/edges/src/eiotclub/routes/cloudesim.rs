//! Cards known by EID: the same acts as by ICCID, usage in bytes.

use super::esim::as_esim;
use super::lists::pages;
use super::{Ask, Operation, filter_of_orders, order_name, text};
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::wire;
use kachi_dialects::eiotclub::codes;
use kachi_domain::order::Channel;
use kachi_domain::{Iccid, OrderId};
use kachi_engine::cloudesim::EidOrder;
use kachi_engine::desk::CardList;
use kachi_engine::lists::{Names, Part};
use kachi_engine::orders::{Place, Placed};
use kachi_engine::records::{OrderName, RecordList};
use kachi_engine::refunds::RefundQuote;

/// Most records of one page.
const RECORDS_MAX: i64 = 1000;

impl Ask<'_> {
    /// cloudesim/list
    pub(super) async fn eid_cards(&self) -> Result<String, No> {
        let (fields, settings) = (self.fields(), &self.door.settings);
        let page = fields.page("pageNum", true, settings.page_max)?;
        let stage = self.stage()?;
        let eids = fields.eids(settings.iccids_max)?;
        let names = eids.map(|l| Names::Eids(l.iter().map(ToString::to_string).collect()));
        let list = CardList { part: Some(Part::WithEid(stage)), names, offset: page.offset, limit: page.size };
        let found = self.door.engine.cards(self.catalogue, &self.caller.actor, list).await?;
        let pools = self.door.engine.pooled_figures(self.catalogue, &found.entries).await?;
        let line = |card| wire::EidCard::of(self.catalogue, card).pooled(pools.get(&card.sim.id));
        let card_info_list = found.entries.iter().map(line).collect();
        let total_page = pages(found.total, page.size);
        Ok(wire::good(self.caller.language, &wire::EidCards { card_info_list, total_page }))
    }

    /// cloudesim/get
    pub(super) async fn eid_card(&self) -> Result<String, No> {
        let iccid = self.iccid_of("eid").await?;
        let card = self.door.engine.card(self.catalogue, &self.caller.actor, &iccid).await?;
        let pools = self.door.engine.pooled_figures(self.catalogue, std::slice::from_ref(&card)).await?;
        let info = wire::EidCard::of(self.catalogue, &card).pooled(pools.get(&card.sim.id));
        Ok(wire::good(self.caller.language, &info))
    }

    /// cloudesim/pkg/list
    pub(super) async fn eid_offers(&self) -> Result<String, No> {
        let iccid = self.iccid_of("eid").await?;
        let (_, offers) = self.door.engine.offers(self.catalogue, &self.caller.actor, &iccid).await?;
        let list = offers.iter().filter_map(|(id, quote)| wire::Package::in_bytes(self.catalogue, *id, quote)).collect();
        Ok(wire::good(self.caller.language, &wire::List { list }))
    }

    /// cloudesim/pkg/record/list
    pub(super) async fn eid_record(&self) -> Result<String, No> {
        let fields = self.fields();
        let eid = fields.eid("eid")?;
        let filter = filter_of_orders(fields)?;
        let page_max = self.door.settings.page_max;
        let page = fields.page_sized("page", false, page_max, RECORDS_MAX.max(page_max))?;
        let iccid = self.iccid_of("eid").await?;
        let list = RecordList { filter, newest_first: false, offset: page.offset, limit: page.size };
        let found = self.door.engine.records(self.catalogue, &self.caller.actor, &iccid, list).await?;
        let list = found.records.iter().map(|r| wire::EidRecord::of(self.catalogue, eid.as_str(), r)).collect();
        Ok(wire::good(self.caller.language, &wire::EidRecords { list, total: found.total }))
    }

    /// cloudesim/purchase
    pub(super) async fn eid_purchase(&self) -> Result<String, No> {
        let fields = self.fields();
        fields.eid("eid")?;
        let package_code = fields.required("packageCode", errors::PACKAGE_CODE_WRONG)?.into_owned();
        let own = self.out_trade_no()?;
        let cmd = Place {
            iccid: self.iccid_of("eid").await?,
            package_code,
            out_trade_no: Some(own.clone()),
            channel: Channel::Api,
            custom_data: self.custom_data()?,
            number: (self.door.settings.order_number)(),
        };
        let key = self.order_key(Operation::EidPurchase, &own);
        let (language, number) = (self.caller.language, own.clone());
        let render = move |placed: &Placed| wire::good(language, &wire::EidPlaced::of(&number, placed));
        let done = self.door.engine.place(self.catalogue, &self.caller.actor, key, cmd, render).await;
        done.map(text).map_err(|fail| match No::from(fail) {
            No::Exists { order, number } => {
                let names = wire::EidPlaced { out_trade_no: &own, order_id: &number, eshop_order_id: order };
                No::Told { code: codes::OUT_TRADE_NO_EXISTS, data: serde_json::to_value(names).unwrap_or_default() }
            }
            no => no,
        })
    }

    /// cloudesim/orderStatus
    pub(super) async fn eid_status(&self) -> Result<String, No> {
        Ok(wire::good(self.caller.language, &wire::EidStatus::of(self.eid_order().await?)))
    }

    /// cloudesim/refund
    pub(super) async fn eid_refund(&self) -> Result<String, No> {
        let remark = self.remark()?;
        let EidOrder { iccid, order, .. } = self.eid_order().await?;
        let key = self.key(Operation::EidRefund);
        let language = self.caller.language;
        let render = move |_: &RefundQuote| wire::good(language, &wire::Nothing {});
        let what = (iccid, order, remark);
        let done = self.door.engine.refund(self.catalogue, &self.caller.actor, key, what, render).await;
        Ok(text(done.map_err(No::from).map_err(as_esim)?))
    }

    /// cloudesim/queryRefundAmount
    pub(super) async fn eid_refund_amount(&self) -> Result<String, No> {
        let EidOrder { iccid, order, .. } = self.eid_order().await?;
        let quote = self.door.engine.refund_quote(self.catalogue, &self.caller.actor, &iccid, order).await;
        Ok(wire::good(self.caller.language, &wire::RefundAmount::of(&quote.map_err(No::from).map_err(as_esim)?)))
    }

    /// The card whose EID is in the field.
    pub(super) async fn iccid_of(&self, field: &str) -> Result<Iccid, No> {
        let eid = self.fields().eid(field)?;
        Ok(self.door.engine.iccid_of_eid(self.catalogue, &self.caller.actor, &eid).await?)
    }

    /// The order asked about: by `eshopOrderId`, or by the long number under the older name `orderId`.
    async fn eid_order(&self) -> Result<EidOrder, No> {
        let fields = self.fields();
        let name = match fields.number("eshopOrderId", codes::ORDER_ID_MALFORMED)? {
            Some(id) => OrderName::Id(OrderId(id)),
            None => order_name(&fields.required("orderId", codes::ORDER_ID_MALFORMED)?),
        };
        let found = self.door.engine.eid_order(self.catalogue, &self.caller.actor, name).await;
        found.map_err(No::from).map_err(as_esim)
    }
}
