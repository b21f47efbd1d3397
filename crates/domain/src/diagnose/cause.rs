//! The closed list of causes: how sure each is where it is found, who can take it away, by which act, and what is looked at.

use super::{Topic, words};
use crate::package::words as list;
use crate::service::KEPT_OFF;
use crate::sim::{BaseState, Blocks};

list!(/// Who can take a cause away, the nearest to the card first.
Who {
    /// The account that owns the card.
    Owner = "owner",
    /// Whoever has the device in hand.
    Device = "device",
    /// An account above the owner.
    Reseller = "reseller",
    /// The operator of this platform.
    Operator = "operator",
    /// The carrier.
    Carrier = "carrier",
});

list!(/// How sure it is that this keeps the card from the network.
Certainty {
    /// It is so.
    Certain = "certain",
    /// It would explain it, and what is known may be old or incomplete.
    Likely = "likely",
    /// It may have to do with it.
    Possible = "possible",
});

/// A row of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// How sure it is while what speaks for it is fresh.
    pub certainty: Certainty,
    /// Who can take it away.
    pub who: Who,
    /// By which act.
    pub act: Act,
    /// What is looked at.
    pub topics: &'static [Topic],
    /// What it is, in English and in Chinese.
    pub title: (&'static str, &'static str),
}

macro_rules! causes {
    ($($name:ident $word:literal $certainty:ident $who:ident $act:ident [$($topic:ident)*] $en:literal $zh:literal;)+) => {
        list!(/// Why a card has no network, the gravest first.
        Cause { $(#[doc = $en] $name = $word),+ });

        impl Cause {
            /// Its row.
            pub fn row(self) -> Row {
                match self {
                    $(Cause::$name => Row {
                        certainty: Certainty::$certainty,
                        who: Who::$who,
                        act: Act::$act,
                        topics: &[$(Topic::$topic),*],
                        title: ($en, $zh),
                    }),+
                }
            }
        }
    };
}

causes! {
    // Its life.
    Closed "closed" Certain Owner MoveOn [State CarrierState] "the card is closed for good" "该卡已销户";
    Replaced "replaced" Certain Owner MoveOn [State CarrierState] "another card took its place" "该卡已被换卡";
    Closing "closing" Certain Operator AskCarrier [State CarrierState] "the card is being closed" "该卡预销户中";
    CarrierClosed "carrier_closed" Certain Operator AskCarrier [State CarrierState] "the card is over at its carrier, and not with us" "该卡在运营商侧已销户，本平台尚未记录";
    InStock "in_stock" Certain Owner Activate [State CarrierState] "the card is in stock and was never activated" "该卡为库存状态，从未激活";
    CarrierDormant "carrier_dormant" Certain Owner Activate [State CarrierState] "the card is not activated at its carrier, and is with us" "该卡在运营商侧未激活，本平台记录为已激活";
    NotActivated "not_activated" Likely Owner Activate [State CarrierState LastUse] "the card waits for its activation" "该卡待激活";
    Testing "testing" Possible Owner Activate [State CarrierState LastUse] "the card is in its test period, whose allowance may be used up" "该卡处于测试期，测试流量可能已用尽";
    StateUnknown "state_unknown" Possible Operator Read [State CarrierState] "where the card stands is not known" "卡状态未知";
    // What its owner and the owner's money did.
    OwnerStop "owner_stop" Certain Owner Resume [Blocks CarrierState StopReason Write] "its owner stopped the card" "用户已停机";
    CarrierOwnerStop "carrier_owner_stop" Certain Owner Resume [Blocks CarrierState StopReason Write] "the card is stopped at its carrier on request, and not with us" "该卡在运营商侧为主动停机，本平台无停机记录";
    DataOff "data_off" Certain Owner DataOn [Blocks AccessPoints CarrierState] "data is switched off" "数据业务已关闭";
    CarrierDataOff "carrier_data_off" Certain Owner DataOn [AccessPoints StopReason] "data is switched off at the carrier, and not with us" "该卡在运营商侧已断网，本平台无断网记录";
    Quota "quota" Certain Owner Buy [Blocks Package Outflow Waiting LastUse Findings CarrierState] "the allowance is used up and nothing may start in its place" "流量已用尽，且无可立即生效的套餐";
    Expired "expired" Certain Owner Buy [Blocks Package Waiting CarrierState] "the validity is over and nothing may start in its place" "套餐已到期，且无可立即生效的套餐";
    NoPackage "no_package" Certain Owner Buy [Blocks Package Waiting Renewal CarrierState] "the card has no package" "该卡无套餐";
    PoolExhausted "pool_exhausted" Certain Owner BuyForPool [Blocks Pool Package CarrierState] "its pool is used up and it has nothing of its own" "流量池已用尽，且该卡无自有套餐";
    Unpaid "unpaid" Certain Owner Settle [Blocks Balance] "an invoice is unpaid" "账单未付";
    Credit "credit" Certain Reseller Pay [Blocks Balance] "the account is in arrears, and its cards are stopped for it" "账户欠费，其卡已停机";
    RealName "real_name" Certain Owner RegisterName [Blocks RealName CarrierState StopReason] "the user's real name is missing" "未实名登记";
    // Devices.
    ImeiLock "imei_lock" Certain Owner Unlock [Blocks ImeiGroup Imei CarrierState] "the card was seen in a device outside its IMEI group" "机卡绑定不符：出现在 IMEI 池以外的设备";
    Separation "separation" Certain Device PutBack [Blocks Imei CarrierState StopReason] "card and device were separated, says the carrier" "运营商判定机卡分离";
    // Others.
    Forced "forced" Certain Operator ForceLift [Blocks CarrierState] "the operator stopped the card" "平台强制停机";
    CarrierCredit "carrier_credit" Certain Operator AskCarrier [CarrierState StopReason] "the carrier stopped the card because money is owed" "运营商信控停机（欠费）";
    CarrierExpired "carrier_expired" Certain Operator AskCarrier [CarrierState StopReason] "the offer at the carrier is over" "运营商侧资费/商品到期失效";
    CarrierQuota "carrier_quota" Certain Operator AskCarrier [StopReason Counter Findings] "the carrier cut the card at its threshold of usage" "运营商侧达量断网";
    Region "region" Certain Carrier AskCarrier [Blocks CarrierState StopReason Network] "the card is outside its region, says the carrier" "运营商区域限制停机";
    CarrierForced "carrier_forced" Certain Carrier AskCarrier [CarrierState StopReason] "the carrier stopped the card by force" "运营商强制停机";
    CarrierManagement "carrier_management" Certain Carrier AskCarrier [Blocks CarrierState StopReason] "the carrier has frozen the card" "运营商管控停机";
    CarrierUnnamed "carrier_unnamed" Certain Carrier AskCarrier [CarrierState StopReason] "the carrier stopped the card for a reason that it does not document" "运营商停机，原因未公开";
    Stopped "stopped" Certain Owner Resume [State CarrierState StopReason Write] "the card is stopped at its carrier, which gives no reason" "该卡在运营商侧停机，未给出原因";
    // On its way.
    WaitsForPerson "waits_for_person" Likely Operator Confirm [Write] "a write waits for a person to do it" "待人工办理的运营商操作";
    WriteOpen "write_open" Likely Carrier Wait [Write CarrierState] "the carrier has not said its last word on a write" "运营商操作尚无最终结果";
    OrderOpen "order_open" Certain Carrier Wait [Blocks Ordered Write Package Waiting CarrierState] "a package is paid for, and the carrier has not confirmed it" "套餐已付款，待运营商确认";
    OrderByHand "order_by_hand" Certain Operator Confirm [Blocks Ordered Write Package Waiting CarrierState] "a package is paid for, and a person has to book it at the carrier" "套餐已付款，待人工在运营商侧办理";
    OrderRefused "order_refused" Likely Owner Buy [Write Waiting] "the last package that was ordered was refused, and its money went back" "最近订购的套餐被拒绝，款项已退回";
    LetOnRefused "let_on_refused" Likely Owner Resume [Write StopReason] "the carrier refused to let the card on" "运营商拒绝为该卡复机或激活";
    WriteRefused "write_refused" Likely Operator Read [Write StopReason] "the carrier refused the last write of its kind" "运营商拒绝了最近一次操作";
    RenewalInReview "renewal_in_review" Likely Operator Approve [Renewal] "a renewal waits for the operator" "续费订单待平台审核";
    PackageWaits "package_waits" Likely Owner Buy [Waiting] "a package is there and may not start yet" "已有套餐，但尚未到生效时间";
    BalanceShort "balance_short" Possible Reseller Settle [Balance] "the owner's account cannot buy: nothing is left of its balance and credit" "账户余额与额度已用尽，无法订购";
    AccountOff "account_off" Possible Operator SwitchOn [Account] "the owner's account is switched off and can do nothing about its cards" "账户已停用，无法办理其卡的任何业务";
    AccountPaused "account_paused" Possible Operator SwitchOn [Account] "the owner's account is paused: it can ask about its cards and change nothing" "账户已暂停，只能查询，不能办理业务";
    AccessPointOff "access_point_off" Possible Owner DataOn [AccessPoints] "data is off at some of its access points" "部分 APN 已关闭";
    SmsOff "sms_off" Possible Operator SmsOn [Blocks] "messages are switched off" "短信业务已关闭";
    VoiceOff "voice_off" Possible Operator VoiceOn [Blocks VoiceList] "voice is switched off" "语音业务已关闭";
}

impl Cause {
    /// The cause that a base state is; none where it is in nobody's way.
    pub fn of_state(base: BaseState) -> Option<Cause> {
        match base {
            BaseState::Inventory => Some(Cause::InStock),
            BaseState::Testing => Some(Cause::Testing),
            BaseState::Ready => Some(Cause::NotActivated),
            BaseState::Active => None,
            BaseState::Stopped => Some(Cause::Stopped),
            BaseState::PreClosed => Some(Cause::Closing),
            BaseState::Closed => Some(Cause::Closed),
            BaseState::Replaced => Some(Cause::Replaced),
            BaseState::Unknown => Some(Cause::StateUnknown),
        }
    }

    /// The cause that one of our blocks is; none only for what is no block.
    pub fn of_block(block: Blocks) -> Option<Cause> {
        Some(match block {
            Blocks::OWNER_STOP => Cause::OwnerStop,
            Blocks::DATA_OFF => Cause::DataOff,
            Blocks::SMS_OFF => Cause::SmsOff,
            Blocks::VOICE_OFF => Cause::VoiceOff,
            Blocks::QUOTA => Cause::Quota,
            Blocks::EXPIRED => Cause::Expired,
            Blocks::NO_PACKAGE => Cause::NoPackage,
            Blocks::CREDIT => Cause::Credit,
            Blocks::FORCED => Cause::Forced,
            Blocks::REAL_NAME => Cause::RealName,
            Blocks::IMEI_LOCK => Cause::ImeiLock,
            Blocks::REGION => Cause::Region,
            Blocks::SEPARATION => Cause::Separation,
            Blocks::CARRIER_MANAGEMENT => Cause::CarrierManagement,
            Blocks::POOL_EXHAUSTED => Cause::PoolExhausted,
            Blocks::UNPAID => Cause::Unpaid,
            _ => return None,
        })
    }

    /// The cause that a carrier's stop reason is. Where the same word is ours too it is another cause: a carrier's credit is
    /// the operator's to settle, ours the owner's.
    pub fn of_stop(reason: Blocks) -> Option<Cause> {
        Some(match reason {
            Blocks::OWNER_STOP => Cause::CarrierOwnerStop,
            Blocks::DATA_OFF => Cause::CarrierDataOff,
            Blocks::QUOTA => Cause::CarrierQuota,
            Blocks::EXPIRED => Cause::CarrierExpired,
            Blocks::CREDIT => Cause::CarrierCredit,
            Blocks::FORCED => Cause::CarrierForced,
            other => return Cause::of_block(other),
        })
    }

    /// The causes that these blocks of ours and these stop reasons of the carrier are, each once, the gravest first.
    pub fn all(ours: Blocks, stop: Blocks) -> Vec<Cause> {
        let carriers = Cause::carriers(ours, stop);
        let mut all: Vec<Cause> =
            ours.each().filter_map(Cause::of_block).chain(carriers.each().filter_map(Cause::of_stop)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The carrier's stop reasons that are not ours too: what was asked of it is one thing, here and there. A card that is
    /// kept off here, or whose packages are over, was stopped there on our own request.
    pub(crate) fn carriers(ours: Blocks, stop: Blocks) -> Blocks {
        let asked_for = Blocks(KEPT_OFF.0 | Blocks::PACKAGE.0);
        let stopped = if ours.has(asked_for) { Blocks::OWNER_STOP.0 } else { 0 };
        Blocks(stop.0 & !(stopped | ours.0 & Blocks::DATA_OFF.0))
    }

    /// Whether it is in the way of data, and not of a service beside data alone.
    pub fn keeps_data_off(self) -> bool {
        !matches!(self, Cause::SmsOff | Cause::VoiceOff)
    }

    /// What it is, in a language.
    pub fn title(self, lang: words::Lang) -> &'static str {
        let (en, zh) = self.row().title;
        lang.pick(en, zh)
    }
}

macro_rules! acts {
    ($($name:ident $word:literal $command:literal [$($operation:literal)*] $en:literal $zh:literal;)+) => {
        list!(/// What takes a cause away.
        Act { $(#[doc = $en] $name = $word),+ });

        impl Act {
            /// The command of ours that does it, with `{card}` and `{of}` to be filled in; empty where none does.
            fn template(self) -> &'static str {
                match self { $(Act::$name => $command),+ }
            }

            /// The operations of our doors that do it, `{card}` to be filled in.
            pub fn operations(self) -> &'static [&'static str] {
                match self { $(Act::$name => &[$($operation),*]),+ }
            }

            /// What is to be done, in a language.
            pub fn says(self, lang: words::Lang) -> &'static str {
                match self { $(Act::$name => lang.pick($en, $zh)),+ }
            }
        }
    };
}

acts! {
    Resume "resume" "kachi admin sim resume {card}" ["POST /card/resume/{card}" "card/stopkeep"]
        "let the card on again" "复机";
    Activate "activate" "kachi admin sim resume {card}" ["POST /card/activate/{card}" "card/foractive"]
        "activate the card" "激活该卡";
    DataOn "data_on" "" ["card/switchnet"]
        "switch its data on again" "恢复数据业务";
    SmsOn "sms_on" "kachi admin sim sms {card} on" []
        "have the operator switch its messages on again" "由平台恢复短信业务";
    VoiceOn "voice_on" "kachi admin sim voice {card} on" []
        "have the operator switch its voice on again" "由平台恢复语音业务";
    Buy "buy" "" ["package/orderPackage" "card/pkg/renew"]
        "buy a package for the card" "为该卡订购套餐";
    BuyForPool "buy_for_pool" "" ["pool/sub" "package/orderPackage" "card/pkg/renew"]
        "buy for the pool, or a package for the card itself" "为流量池续订，或为该卡订购套餐";
    Settle "settle" "" []
        "settle it between the account and those above it; the block is theirs to lift" "由该账户与其上级账户结清，由上级解除";
    Pay "pay" "kachi admin balance top-up {of} AMOUNT --reference TEXT --by NAME" []
        "have the account pay what it owes; its cards are let on again by themselves" "由账户结清欠费，其卡将自动复机";
    ForceLift "force_lift" "kachi admin sim force-lift {card} --by NAME --reason TEXT" []
        "have the operator lift it, once its matter is settled" "事由解决后，由平台解除强制停机";
    RegisterName "register_name" "" []
        "register the user's real name with the carrier, then have the card read again" "在运营商处完成实名登记，然后重新读取该卡";
    Unlock "unlock" "kachi admin sim leave {card}" ["card/imeiUnlock" "card/plockAddImei"]
        "put the card back into a device of its group and unlock it; or add the device to the group first" "将卡装回池内设备后解锁，或先将该设备加入 IMEI 池";
    PutBack "put_back" "" ["card/cancelLocation"]
        "put the card back into the device it belongs in; if the device was replaced, have the carrier bind the card anew" "将卡装回原设备；若已更换设备，请运营商重新绑定";
    AskCarrier "ask_carrier" "" []
        "ask the carrier, who alone can lift it; then have the card read again" "联系运营商处理，然后重新读取该卡";
    MoveOn "move_on" "" ["card/transferPkg"]
        "use another card; what is left of its package can go there" "改用其他卡；剩余套餐可转移";
    Read "read" "kachi admin diagnose {card} --fresh" ["POST /card/syncStatus"]
        "have the card read at its carrier" "向运营商重新读取该卡";
    LookThere "look_there" "" []
        "see in the carrier's portal how the card stands; ask again for what was refused, if it is still wanted" "在运营商门户查看该卡状态；被拒绝的操作如仍需要，请重新提交";
    Confirm "confirm" "kachi admin intent confirm {of}" []
        "do it in the carrier's portal and confirm it, or refuse it" "在运营商门户办理后确认，或拒绝";
    Wait "wait" "kachi admin intent list" []
        "wait for the carrier; it is asked again by itself" "等待运营商结果，系统会自动查询";
    SwitchOn "switch_on" "kachi admin account on {of}" []
        "let the account in again, once its matter is settled" "事由解决后，重新启用该账户";
    Approve "approve" "kachi admin renewal approve {of}" []
        "approve the renewal, or reject it" "审核该续费订单（通过或驳回）";
}

impl Act {
    /// The command of ours that does it for the card; `of` is what it is about (a write's or an order's number).
    pub fn command(self, card: &str, of: &str) -> Option<String> {
        let text = self.template();
        (!text.is_empty()).then(|| text.replace("{card}", card).replace("{of}", of))
    }
}
