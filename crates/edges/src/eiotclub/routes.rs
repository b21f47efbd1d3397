//! The operations: each reads its fields, asks the engine and writes the answer. All of them are POST and answer
//! HTTP 200, refusals too; `code` tells.

mod acts;
mod cloudesim;
mod esim;
mod imei;
mod lists;
mod packages;
mod pools;
mod profits;
mod transfers;

use super::Door;
use super::auth::{self, Caller, Signed};
use super::errors::{self, No};
use super::fields::Fields;
use super::wire::{self, CodeAs};
use crate::http;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use kachi_dialects::eiotclub::codes::{self, Language};
use kachi_domain::order::{Channel, SubscriptionState};
use kachi_domain::sim::Stage;
use kachi_domain::time::{parse_day, parse_month};
use kachi_domain::{OrderId, Timestamp};
use kachi_engine::orders::Place;
use kachi_engine::records::{OrderName, RecordFilter, RecordList};
use kachi_engine::{Catalogue, Once, RequestKey};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $path:literal,)+) => {
        /// One operation of the door.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operation { $($(#[$doc])* $name),+ }
        impl Operation {
            /// All of them.
            pub const ALL: &'static [Operation] = &[$(Operation::$name),+];
            /// The path below `/api/v3/`.
            pub fn path(self) -> &'static str { match self { $(Operation::$name => $path),+ } }
        }
    };
}

operations! {
    /// A card as it is now.
    CardsInfo = "card/getCardsInfo",
    /// The account's cards, page by page.
    AllCardInfo = "card/getAllCardInfo",
    /// How many cards the account has, and what they are.
    CardNumber = "outputApi/queryCardNumber",
    /// The account's cards that run low, page by page.
    WarningCard = "outputApi/queryAccountWarningCard",
    /// What a card is sold as.
    Product = "card/product",
    /// The packages that can be bought for a card.
    Offers = "package/listOrderPackageByIccid",
    /// The packages of a product that can be bought.
    ProductOffers = "package/listOrderPackageByProduct",
    /// A package by its code.
    PackageByCode = "package/queryOrderPackageByPackageCode",
    /// Orders by their numbers, with what they bought.
    OrderDetails = "package/getOrderPackageDetails",
    /// Buys one.
    OrderPackage = "package/orderPackage",
    /// Where an order stands.
    QueryPackage = "package/queryPackage",
    /// What was bought for a card.
    OrderRecord = "package/packageOrderRecord",
    /// What would be given back.
    RefundAmount = "package/queryRefundAmount",
    /// Takes an order back.
    RefundPackage = "package/refundPackage",
    /// What the account may spend.
    Balance = "agent/balance",
    /// What the account earned on the sales below it.
    Profits = "outputApi/listProfitInfo",
    /// eSIM goods that can be bought.
    EsimGoods = "esim/goods",
    /// Buys a profile with its first package.
    EsimPurchase = "esim/purchase",
    /// Takes such an order back.
    EsimRefund = "esim/refund",
    /// Where such an order stands.
    EsimOrderStatus = "esim/orderStatus",
    /// What would be given back for it.
    EsimRefundAmount = "esim/queryRefundAmount",
    /// The account's cards with an EID, page by page.
    EidCards = "cloudesim/list",
    /// Such a card as it is now.
    EidCard = "cloudesim/get",
    /// The packages that can be bought for it.
    EidOffers = "cloudesim/pkg/list",
    /// What was bought for it.
    EidRecord = "cloudesim/pkg/record/list",
    /// Buys a package for it.
    EidPurchase = "cloudesim/purchase",
    /// Where such an order stands.
    EidOrderStatus = "cloudesim/orderStatus",
    /// Takes it back.
    EidRefund = "cloudesim/refund",
    /// What would be given back for it.
    EidRefundAmount = "cloudesim/queryRefundAmount",
    /// Moves what is left of a subscription to another such card.
    EidTransfer = "cloudesim/transferPkg",
    /// Moves what is left of a subscription to another card.
    TransferPackage = "card/transferPkg",
    /// Bytes of cards over days or a month.
    Traffic = "cdr/traffic/query",
    /// Unlocks a card that was seen outside its IMEI group.
    ImeiUnlock = "card/imeiUnlock",
    /// Adds a device to an IMEI group.
    PlockAddImei = "card/plockAddImei",
    /// Binds a card to one device.
    BindDevice = "card/bindDevice",
    /// Frees a card from the device it is bound to.
    UnbindDevice = "card/unbindDevice",
    /// The types of pool that can be bought.
    PoolTypes = "pool/pkg/list",
    /// Makes a pool.
    PoolCreate = "pool/create",
    /// Pools as they are now.
    PoolList = "pool/list",
    /// Deletes an empty pool.
    PoolDelete = "pool/delete",
    /// Buys a subscription for a pool.
    PoolSubscribe = "pool/sub",
    /// What was bought for a pool.
    PoolRecords = "pool/record/list",
    /// Takes a subscription of a pool back.
    PoolUnsubscribe = "pool/unsub",
    /// Which cards could be put into a pool.
    PoolAddable = "pool/card/can_add_list",
    /// Puts cards into a pool.
    PoolAdd = "pool/card/add",
    /// The cards in a pool.
    PoolMembers = "pool/card/list",
    /// Takes cards out of a pool.
    PoolRemove = "pool/card/remove",
    /// The pool that a card is in.
    PoolOfCard = "pool/by_iccid",
    /// The networks a card may switch to.
    SwitchOptions = "card/switchOptions",
    /// Switches a card to one of them.
    SwitchOperator = "card/switchOperator",
    /// Asks the carrier for a card's usage counter.
    RefreshUsage = "card/refreshUsage",
    /// The same by its old name.
    RefreshCard = "card/refreshCard",
    /// Cuts a card's session.
    CancelLocation = "card/cancelLocation",
    /// Cuts the sessions of many cards, as a task.
    Reset = "card/reset",
    /// Where tasks stand.
    TaskQuery = "task/query",
    /// Sends a message to a card.
    SendSms = "sms/sendSms",
    /// Asks the carrier for a CloudESIM card's usage counter.
    CloudRefreshUsage = "cloudesim/refreshUsage",
    /// Cuts a CloudESIM card's session.
    CloudCancelSession = "cloudesim/cancelSession",
}

impl Operation {
    /// Whether it changes something here or at the carrier.
    pub fn acts(self) -> bool {
        matches!(
            self,
            Operation::OrderPackage
                | Operation::RefundPackage
                | Operation::EsimPurchase
                | Operation::EsimRefund
                | Operation::EidPurchase
                | Operation::EidRefund
                | Operation::EidTransfer
                | Operation::TransferPackage
                | Operation::ImeiUnlock
                | Operation::PlockAddImei
                | Operation::BindDevice
                | Operation::UnbindDevice
                | Operation::PoolCreate
                | Operation::PoolDelete
                | Operation::PoolSubscribe
                | Operation::PoolUnsubscribe
                | Operation::PoolAdd
                | Operation::PoolRemove
                | Operation::SwitchOperator
                | Operation::RefreshUsage
                | Operation::RefreshCard
                | Operation::CancelLocation
                | Operation::Reset
                | Operation::SendSms
                | Operation::CloudRefreshUsage
                | Operation::CloudCancelSession
        )
    }

    /// Three operations publish their `code` as a number.
    fn code_as(self) -> CodeAs {
        match self {
            Operation::EsimGoods | Operation::EsimPurchase | Operation::EsimRefund => CodeAs::Number,
            _ => CodeAs::Text,
        }
    }
}

/// How often a request begins again because the catalogue, or a card, changed under it.
const ATTEMPTS_MAX: u32 = 3;

/// card/refreshCard is deprecated since 2025-10-22, China time (EIOTCLUB v3).
const REFRESH_CARD_DEPRECATED: Timestamp = Timestamp(1_761_062_400);

const REMARK_CHARS_MAX: usize = 200;
const OUT_TRADE_NO_CHARS_MAX: usize = 32;
const CUSTOM_DATA_CHARS_MAX: usize = 125;
/// Long numbers of orders have as many characters or more; an order's own number has less.
const LONG_NUMBER_CHARS: usize = 20;

/// Answers one request.
pub async fn serve(door: &Door, operation: Operation, request: Request) -> Response {
    let asked = http::take(request, door.settings.body_bytes_max, door.engine.now()).await;
    let (language, outcome) = answer(door, operation, asked.body.as_deref(), asked.peer).await;
    let (code, text) = match outcome {
        Ok(text) => (codes::SUCCESS, text),
        Err(no) => {
            let words = match &no {
                No::Fault(words) => words.as_deref(),
                No::Stale => Some("the catalogue, or a card, changed at every attempt"),
                No::Code(_) | No::Exists { .. } | No::Told { .. } => None,
            };
            if let Some(words) = words {
                tracing::error!(request = %asked.id, operation = operation.path(), "{words}");
            }
            let total = (operation == Operation::OrderRecord).then_some(0);
            (no.code(), wire::refusal(operation.code_as(), language, &no, total))
        }
    };
    door.counts.add(operation.path(), code);
    let mut response = http::json(StatusCode::OK, text, &asked.id);
    if operation == Operation::RefreshCard {
        http::deprecated(&mut response, REFRESH_CARD_DEPRECATED, "/api/v3/card/refreshUsage");
    }
    response
}

async fn answer(door: &Door, operation: Operation, body: Option<&[u8]>, peer: Option<IpAddr>) -> (Language, Result<String, No>) {
    let signed = match auth::read(door, body) {
        Ok(signed) => signed,
        Err(unread) => {
            let language = |appkey: &String| auth::language(&door.engine.catalogue_last(), appkey);
            return (unread.appkey.as_ref().map_or(auth::LANGUAGE_UNKNOWN, language), Err(unread.no));
        }
    };
    let mut catalogue = door.engine.catalogue_last();
    if door.is_locked_out(&signed, peer) {
        return (auth::language(&catalogue, &signed.system.appkey), Err(No::Code(codes::TOO_MANY_REQUESTS)));
    }
    let mut attempt = 1;
    loop {
        let caller = auth::authenticate(&catalogue, (&signed, operation.acts()), peer);
        let verdict = caller.as_ref().err().map(No::code);
        let form = caller.as_ref().ok().map(|c| c.form);
        let outcome = match caller {
            Ok(caller) => {
                let outcome = Ask { door, catalogue: &catalogue, caller: &caller, signed: &signed }.operate(operation).await;
                match keep_refused(door, operation, &signed, (&caller, &outcome)).await {
                    Ok(()) => outcome,
                    Err(fail) => Err(fail.into()),
                }
            }
            Err(no) => Err(no),
        };
        // A key, secret or network may be newer than the catalogue at hand.
        let again = attempt < ATTEMPTS_MAX && (verdict.is_some() || matches!(outcome, Err(No::Stale)));
        if again && outcome.as_ref().is_err_and(No::may_pass_later) {
            match newer(door, &catalogue).await {
                Ok(Some(newer)) => {
                    (catalogue, attempt) = (newer, attempt + 1);
                    continue;
                }
                // A card was moved while the request waited for it: the next attempt finds it where it is now.
                Ok(None) if verdict.is_none() => {
                    attempt += 1;
                    continue;
                }
                Ok(None) => {}
                Err(no) => return (auth::language(&catalogue, &signed.system.appkey), Err(no)),
            }
        }
        if let Some(form) = form {
            door.counts.add(form.label(), codes::SUCCESS);
        }
        door.note_signature(&signed, peer, verdict == Some(codes::SIGN_WRONG));
        return (auth::language(&catalogue, &signed.system.appkey), outcome);
    }
}

/// A signature is good for the body that it came with first, also where that was refused: values are joined as they are, so
/// another body can be signed alike.
async fn keep_refused(
    door: &Door,
    operation: Operation,
    signed: &Signed,
    (caller, outcome): (&Caller, &Result<String, No>),
) -> kachi_engine::Result<()> {
    if operation.acts() && outcome.as_ref().is_err_and(No::is_refusal) {
        door.engine.note_refused(&caller.actor, &auth::request_key(operation.path(), signed)).await?;
    }
    Ok(())
}

/// The catalogue as it is now, if it is newer than the one at hand.
async fn newer(door: &Door, at_hand: &Catalogue) -> Result<Option<Arc<Catalogue>>, No> {
    let fresh = door.engine.off_thread(|engine| engine.catalogue()).await?;
    Ok(Some(fresh).filter(|fresh| fresh.version > at_hand.version))
}

/// One authenticated request.
struct Ask<'a> {
    door: &'a Door,
    catalogue: &'a Arc<Catalogue>,
    caller: &'a Caller,
    signed: &'a Signed,
}

impl Ask<'_> {
    async fn operate(&self, operation: Operation) -> Result<String, No> {
        match operation {
            Operation::CardsInfo => self.card().await,
            Operation::AllCardInfo => self.cards().await,
            Operation::CardNumber => self.card_number().await,
            Operation::WarningCard => self.warning_cards().await,
            Operation::Product => self.product().await,
            Operation::Offers => self.offers().await,
            Operation::ProductOffers => self.offers_of_product().await,
            Operation::PackageByCode => self.package_by_code().await,
            Operation::OrderDetails => self.order_details().await,
            Operation::OrderPackage => self.order().await,
            Operation::QueryPackage => self.order_state().await,
            Operation::OrderRecord => self.record().await,
            Operation::RefundAmount => self.refund_amount().await,
            Operation::RefundPackage => self.refund().await,
            Operation::Balance => self.balance().await,
            Operation::Profits => self.profits().await,
            Operation::EsimGoods => self.esim_goods().await,
            Operation::EsimPurchase => self.esim_purchase().await,
            Operation::EsimRefund => self.esim_refund().await,
            Operation::EsimOrderStatus => self.esim_status().await,
            Operation::EsimRefundAmount => self.esim_refund_amount().await,
            Operation::EidCards => self.eid_cards().await,
            Operation::EidCard => self.eid_card().await,
            Operation::EidOffers => self.eid_offers().await,
            Operation::EidRecord => self.eid_record().await,
            Operation::EidPurchase => self.eid_purchase().await,
            Operation::EidOrderStatus => self.eid_status().await,
            Operation::EidRefund => self.eid_refund().await,
            Operation::EidRefundAmount => self.eid_refund_amount().await,
            Operation::EidTransfer => self.eid_transfer().await,
            Operation::TransferPackage => self.transfer_package().await,
            Operation::Traffic => self.traffic().await,
            Operation::ImeiUnlock => self.imei_unlock().await,
            Operation::PlockAddImei => self.plock_add_imei().await,
            Operation::BindDevice => self.bind_device().await,
            Operation::UnbindDevice => self.unbind_device().await,
            Operation::PoolTypes => self.pool_types().await,
            Operation::PoolCreate => self.pool_create().await,
            Operation::PoolList => self.pool_list().await,
            Operation::PoolDelete => self.pool_delete().await,
            Operation::PoolSubscribe => self.pool_subscribe().await,
            Operation::PoolRecords => self.pool_records().await,
            Operation::PoolUnsubscribe => self.pool_unsubscribe().await,
            Operation::PoolAddable => self.pool_addable().await,
            Operation::PoolAdd => self.pool_add().await,
            Operation::PoolMembers => self.pool_members().await,
            Operation::PoolRemove => self.pool_remove().await,
            Operation::PoolOfCard => self.pool_of_card().await,
            Operation::SwitchOptions => self.switch_options().await,
            Operation::SwitchOperator => self.switch_operator().await,
            Operation::RefreshUsage => self.refresh_usage().await,
            Operation::RefreshCard => self.refresh_card().await,
            Operation::CancelLocation => self.cancel_location().await,
            Operation::Reset => self.reset().await,
            Operation::TaskQuery => self.tasks().await,
            Operation::SendSms => self.send_sms().await,
            Operation::CloudRefreshUsage => self.cloud_refresh_usage().await,
            Operation::CloudCancelSession => self.cloud_cancel_session().await,
        }
    }

    fn fields(&self) -> Fields<'_> {
        Fields(&self.signed.params)
    }

    /// The stage that `cardStatus` asks for.
    fn stage(&self) -> Result<Option<Stage>, No> {
        match self.fields().text("cardStatus", codes::PARAMETER_WRONG)? {
            Some(word) => wire::stage_of(&word).map(Some).ok_or(No::Code(codes::PARAMETER_WRONG)),
            None => Ok(None),
        }
    }

    /// The partner's own number of an order: 1 to 32 characters, none of them a comma, no blank at its ends.
    fn out_trade_no(&self) -> Result<String, No> {
        let number = self.fields().required("outTradeNo", codes::OUT_TRADE_NO_MALFORMED)?.into_owned();
        let good = number.chars().count() <= OUT_TRADE_NO_CHARS_MAX && is_nameable(&number);
        if good { Ok(number) } else { Err(No::Code(codes::OUT_TRADE_NO_MALFORMED)) }
    }

    /// The partner's own data, which comes back with the order's notice.
    fn custom_data(&self) -> Result<Option<String>, No> {
        let data = self.fields().text("customData", codes::PARAMETER_WRONG)?;
        let long = data.as_ref().is_some_and(|d| d.chars().count() > CUSTOM_DATA_CHARS_MAX);
        if long { Err(No::Code(codes::PARAMETER_WRONG)) } else { Ok(data.map(Cow::into_owned)) }
    }

    /// Why an order is taken back: it must be said.
    fn remark(&self) -> Result<String, No> {
        let remark = self.fields().required("remark", errors::REMARK_EMPTY)?.into_owned();
        let long = remark.chars().count() > REMARK_CHARS_MAX;
        if long { Err(No::Code(codes::PARAMETER_WRONG)) } else { Ok(remark) }
    }

    /// What makes this act the same request.
    fn key(&self, operation: Operation) -> RequestKey {
        auth::request_key(operation.path(), self.signed)
    }

    /// The same of one that places an order with that number of the buyer's own.
    fn order_key(&self, operation: Operation, own: &str) -> RequestKey {
        auth::order_key(operation.path(), self.signed, self.caller.form, own)
    }

    async fn card(&self) -> Result<String, No> {
        let iccid = self.fields().iccid()?;
        let card = self.door.engine.card(self.catalogue, &self.caller.actor, &iccid).await?;
        let pools = self.door.engine.pooled_figures(self.catalogue, std::slice::from_ref(&card)).await?;
        let info = wire::CardInfo::alone(self.catalogue, &card).pooled(pools.get(&card.sim.id));
        Ok(wire::good(self.caller.language, &info))
    }

    async fn product(&self) -> Result<String, No> {
        let iccid = self.fields().iccid()?;
        let card = self.door.engine.card(self.catalogue, &self.caller.actor, &iccid).await?;
        let product_code = self.catalogue.product(card.sim.product).map_or("", |p| &p.code);
        Ok(wire::good(self.caller.language, &wire::Product { product_code }))
    }

    async fn offers(&self) -> Result<String, No> {
        let iccid = self.fields().iccid()?;
        let (_, offers) = self.door.engine.offers(self.catalogue, &self.caller.actor, &iccid).await?;
        let lines: Vec<_> = offers.iter().filter_map(|(id, quote)| wire::Offer::of(self.catalogue, *id, quote)).collect();
        Ok(wire::good(self.caller.language, &lines))
    }

    async fn order(&self) -> Result<String, No> {
        let fields = self.fields();
        let iccid = fields.iccid()?;
        let package_code = fields.required("packageCode", errors::PACKAGE_CODE_WRONG)?.into_owned();
        let own = self.out_trade_no()?;
        let key = self.order_key(Operation::OrderPackage, &own);
        let number = (self.door.settings.order_number)();
        let custom_data = self.custom_data()?;
        let cmd = Place { iccid, package_code, out_trade_no: Some(own), channel: Channel::Api, custom_data, number };
        let language = self.caller.language;
        let render = move |placed: &kachi_engine::orders::Placed| wire::good(language, &wire::OrderName::of(placed));
        Ok(text(self.door.engine.place(self.catalogue, &self.caller.actor, key, cmd, render).await?))
    }

    async fn order_state(&self) -> Result<String, No> {
        let (iccid, order) = (self.fields().iccid()?, self.fields().order_id()?);
        let state = self.door.engine.order_state(self.catalogue, &self.caller.actor, &iccid, order).await?;
        Ok(wire::good(self.caller.language, &wire::OrderStatus { status: state.wire() }))
    }

    async fn record(&self) -> Result<String, No> {
        let fields = self.fields();
        let iccid = fields.iccid()?;
        let filter = record_filter(fields)?;
        let page = fields.page("page", false, self.door.settings.page_max)?;
        let newest_first = match fields.text("orderBy", codes::PARAMETER_WRONG)?.as_deref() {
            None => false,
            Some("createDateDesc") => true,
            Some(_) => return Err(No::Code(codes::PARAMETER_WRONG)),
        };
        let list = RecordList { filter, newest_first, offset: page.offset, limit: page.size };
        let found = self.door.engine.records(self.catalogue, &self.caller.actor, &iccid, list).await?;
        let lines: Vec<_> = found.records.iter().map(|r| wire::RecordLine::of(self.catalogue, iccid.as_str(), r)).collect();
        Ok(wire::good_of(self.caller.language, found.total, &lines))
    }

    async fn refund_amount(&self) -> Result<String, No> {
        let (iccid, order) = (self.fields().iccid()?, self.fields().order_id()?);
        let quote = self.door.engine.refund_quote(self.catalogue, &self.caller.actor, &iccid, order).await?;
        Ok(wire::good(self.caller.language, &wire::Refundable::of(&quote)))
    }

    async fn refund(&self) -> Result<String, No> {
        let fields = self.fields();
        let (iccid, order) = (fields.iccid()?, fields.order_id()?);
        let remark = self.remark()?;
        let key = self.key(Operation::RefundPackage);
        let language = self.caller.language;
        let what = (iccid, order, remark);
        let render = move |_: &kachi_engine::refunds::RefundQuote| wire::good(language, &wire::Nothing {});
        Ok(text(self.door.engine.refund(self.catalogue, &self.caller.actor, key, what, render).await?))
    }

    async fn balance(&self) -> Result<String, No> {
        let money = self.door.engine.spendable(self.catalogue, &self.caller.actor).await?;
        Ok(wire::good(self.caller.language, &wire::Balance::of(money)))
    }

    async fn traffic(&self) -> Result<String, No> {
        let fields = self.fields();
        let (first, last) = days(fields)?;
        let iccids = fields.iccids(self.door.settings.iccids_max, errors::ICCID_OF_LIST_WRONG)?;
        let iccids = iccids.ok_or(No::Code(errors::ICCIDS_WRONG))?;
        let asked: Vec<String> = iccids.iter().map(ToString::to_string).collect();
        let mut found = self.door.engine.traffic(self.catalogue, &self.caller.actor, iccids, first, last).await?;
        found.retain(|(_, bytes)| *bytes > 0);
        found.sort_by_key(|(iccid, _)| asked.iter().position(|a| a == iccid));
        let lines: Vec<_> = found.into_iter().map(|(iccid, bytes)| wire::Traffic { iccid, traffic: bytes.to_string() }).collect();
        Ok(wire::good(self.caller.language, &lines))
    }
}

/// Whether a partner's own number can be asked for: lists of them are joined by commas, and blanks around one do not count there. A
/// number with a blank at an end would also buy once more what the number without it has bought.
fn is_nameable(out_trade_no: &str) -> bool {
    !out_trade_no.contains(',') && out_trade_no.trim() == out_trade_no
}

/// An order's number as a partner may write it: our own, which is short and all digits, or the long one.
fn order_name(text: &str) -> OrderName {
    let text = text.trim();
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && text.len() < LONG_NUMBER_CHARS;
    let id = if digits { text.parse().ok() } else { None };
    id.map_or_else(|| OrderName::Number(text.to_owned()), |id| OrderName::Id(OrderId(id)))
}

fn text(once: Once) -> String {
    match once {
        Once::Done(text) | Once::Repeated(text) => text,
    }
}

/// The days asked about, as the account counts them: both ends included.
fn days(fields: Fields<'_>) -> Result<(i64, i64), No> {
    let day = |name, code| fields.required(name, code).and_then(|t| parse_day(&t).map_err(|_| No::Code(code)));
    match &*fields.required("dateType", errors::DATES_WRONG)? {
        "daily" => {
            let (first, last) = (day("startDate", errors::START_DATE_WRONG)?, day("endDate", errors::END_DATE_WRONG)?);
            if last < first { Err(No::Code(errors::DATES_WRONG)) } else { Ok((first, last)) }
        }
        "monthly" => {
            let month = fields.required("month", errors::MONTH_WRONG)?;
            parse_month(&month).map_err(|_| No::Code(errors::MONTH_WRONG))
        }
        _ => Err(No::Code(errors::DATES_WRONG)),
    }
}

/// Which lines of an order record are wanted; every filter given narrows.
fn record_filter(fields: Fields<'_>) -> Result<RecordFilter, No> {
    let wanted = [
        fields.number("state", codes::PARAMETER_WRONG)?.map(|s| vec![s]),
        fields.numbers("stateArrStr", codes::PARAMETER_WRONG)?,
    ];
    if wanted.iter().flatten().flatten().any(|s| !(0..=2).contains(s)) {
        return Err(No::Code(codes::PARAMETER_WRONG));
    }
    let is_wanted = |s: &SubscriptionState| wanted.iter().flatten().all(|w| w.contains(&s.wire()));
    let narrowed = wanted.iter().any(Option::is_some);
    let states = narrowed.then(|| SubscriptionState::ALL.iter().copied().filter(is_wanted).collect());
    Ok(RecordFilter { states, ..filter_of_orders(fields)? })
}

/// As [`record_filter`], for an operation that does not publish the states.
fn filter_of_orders(fields: Fields<'_>) -> Result<RecordFilter, No> {
    let time = |name| Ok::<_, No>(fields.time(name)?.map(|t| t.0));
    Ok(RecordFilter {
        orders: fields.numbers("orderIdArrStr", codes::ORDER_ID_MALFORMED)?,
        created: [time("createDateStart")?, time("createDateEnd")?],
        updated: [time("updateDateStart")?, time("updateDateEnd")?],
        ..RecordFilter::default()
    })
}
