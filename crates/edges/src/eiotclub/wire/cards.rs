//! Cards as getCardsInfo and getAllCardInfo write them.

use super::{Number, date, limit_of};
use kachi_domain::Timestamp;
use kachi_domain::alert::Lines;
use kachi_domain::rating::Live;
use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_engine::Catalogue;
use kachi_engine::lists::Counts;
use kachi_engine::pools::CardFigures;
use kachi_engine::sims::Card;
use serde::Serialize;

/// A card, alone (`eid`, `remark`) or in a list (the last seven fields).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardInfo<'a> {
    iccid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    eid: Option<&'a str>,
    imsi: &'a str,
    activate_date: String,
    card_status: &'static str,
    is_real_name: i64,
    month_remain_flow: Number,
    month_use_flow: Number,
    remain_flow_type: i64,
    product_code: &'a str,
    package_end_date: String,
    data_flow: Number,
    remain_flow: Number,
    expected_end_date: String,
    imei_pool_status: i64,
    imei_pool_unlock_count: i64,
    #[serde(rename = "isIMEIPool")]
    is_imei_pool: i64,
    network: &'a str,
    total_use_flow: Number,
    package_code: &'a str,
    package_kind: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'a str>,
    #[serde(flatten)]
    listed: Option<Listed<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    order_id: i64,
    flow_total: Number,
    flow_remain: Number,
    package_type: i64,
    package_name: &'a str,
    gzh_package_name: &'a str,
    imei: &'a str,
}

impl<'a> CardInfo<'a> {
    /// As getCardsInfo writes it.
    pub fn alone(catalogue: &'a Catalogue, card: &'a Card) -> CardInfo<'a> {
        let info = CardInfo::of(catalogue, card);
        CardInfo { eid: Some(text(&card.sim.eid)), remark: Some(&card.sim.remark), ..info }
    }

    /// As getAllCardInfo writes it.
    pub fn listed(catalogue: &'a Catalogue, card: &'a Card) -> CardInfo<'a> {
        let used = card.in_use();
        let package = used.and_then(|l| catalogue.package(l.package));
        let listed = Listed {
            order_id: used.map_or(0, |l| l.order.0),
            flow_total: Number::megabytes(used.map_or(0, allowance)),
            flow_remain: Number::megabytes(used.map_or(0, left)),
            package_type: used.map_or(0, |l| l.terms.kind.package_type()),
            package_name: package.map_or("", |p| &p.name),
            gzh_package_name: package.map_or("", |p| &p.retail_name),
            imei: text(&card.sim.imei),
        };
        CardInfo { listed: Some(listed), ..CardInfo::of(catalogue, card) }
    }

    /// With what its pools paid, and with what its pool has for the card, which burns first: the total and what is left of it
    /// are the pool's then.
    pub fn pooled(self, figures: Option<&CardFigures>) -> CardInfo<'a> {
        let Some(figures) = figures else { return self };
        let card = CardInfo { total_use_flow: Number::megabytes(figures.used_bytes), ..self };
        let Some(pool) = figures.supply else { return card };
        let (data_flow, remain_flow) = (Number::megabytes(pool.total_bytes), Number::megabytes(pool.left_bytes));
        CardInfo { remain_flow_type: 1, data_flow, remain_flow, ..card }
    }

    fn of(catalogue: &'a Catalogue, card: &'a Card) -> CardInfo<'a> {
        let (sim, state, used) = (&card.sim, &card.state, card.in_use());
        let product = catalogue.product(sim.product);
        let sum = |part: fn(&Live) -> i64| Number::megabytes(state.live.iter().map(part).fold(0, i64::saturating_add));
        CardInfo {
            iccid: &sim.iccid,
            eid: None,
            imsi: text(&sim.imsi),
            activate_date: date(sim.activated_at.map(Timestamp)),
            card_status: card_status(card.base_state(), card.blocks(), product.is_some_and(|p| p.bare_use)),
            is_real_name: card.has_real_name().into(),
            month_remain_flow: Number::megabytes(used.map_or(0, left)),
            month_use_flow: Number::megabytes(used.map_or(0, |l| l.window_used)),
            remain_flow_type: 0,
            product_code: product.map_or("", |p| &p.code),
            package_end_date: date(used.and_then(|l| l.running).map(|(_, end)| end)),
            data_flow: sum(allowance),
            remain_flow: sum(left),
            expected_end_date: date(state.last_paying_end(catalogue.zone(sim.account))),
            imei_pool_status: (card.blocks().0 & Blocks::IMEI_LOCK.0 != 0).into(),
            imei_pool_unlock_count: card.imei_group.map_or(0, |g| g.unlocks),
            is_imei_pool: card.imei_group.map_or(0, |g| if g.until.is_some() { 2 } else { 1 }),
            network: &sim.network,
            total_use_flow: Number::megabytes(state.total_used().saturating_add(state.outflow_bytes)),
            package_code: used.and_then(|l| catalogue.package(l.package)).map_or("", |p| &p.code),
            package_kind: used.map_or(0, |l| l.terms.kind.package_type() - 2),
            remark: None,
            listed: None,
        }
    }
}

pub(super) fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

/// Bytes of the present window; none of a package without limit.
pub(super) fn allowance(live: &Live) -> i64 {
    live.left().map_or(0, |_| limit_of(&live.terms))
}

/// Bytes left in the present window; none of a package without limit.
pub(super) fn left(live: &Live) -> i64 {
    if live.takes_bytes() { live.left().unwrap_or(0) } else { 0 }
}

/// The published word for a card's state and blocks.
pub(super) fn card_status(base: BaseState, blocks: Blocks, bare_use: bool) -> &'static str {
    let by_package = blocks.without(Blocks::BESIDE_DATA).only_package();
    match Stage::of(base, blocks) {
        Stage::Stopped if base == BaseState::Active && by_package && bare_use => "ACTIVATED_BASE",
        stage => STATUSES[stage as usize - 1],
    }
}

/// The word of each stage, in the order of [`Stage::ALL`].
const STATUSES: [&str; 5] = ["NON_ACTIVATED_NAME", "ACTIVATION_READY_NAME", "ACTIVATED_NAME", "DEACTIVATED_NAME", "RETIRED_NAME"];

/// The stage that a published word asks for; none = no such word.
pub fn stage_of(card_status: &str) -> Option<Stage> {
    Stage::ALL.into_iter().zip(STATUSES).find(|(_, word)| *word == card_status).map(|(stage, _)| stage)
}

/// A page of cards.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cards<'a> {
    /// The cards.
    pub card_info_list: Vec<CardInfo<'a>>,
    /// Pages in all.
    pub total_page: i64,
}

/// outputApi/queryCardNumber.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardNumbers {
    total_card: i64,
    activated_card: i64,
    using_card: i64,
    ordered_card: i64,
    deactivated_card: i64,
}

impl CardNumbers {
    /// The numbers as published: in use and out of use are the stages that getAllCardInfo lists as such.
    pub fn of(counts: &Counts) -> CardNumbers {
        CardNumbers {
            total_card: counts.total(),
            activated_card: counts.activated,
            using_card: counts.of(Stage::Working),
            ordered_card: counts.ordered,
            deactivated_card: counts.of(Stage::Stopped),
        }
    }
}

/// One line of outputApi/queryAccountWarningCard.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    iccid: String,
    #[serde(rename = "type")]
    alert_type: String,
    early_warning_value: i64,
}

impl Warning {
    /// A card below the line of a type, with the line.
    pub fn of((iccid, alert_type): (String, i64), lines: &Lines) -> Warning {
        Warning { iccid, alert_type: alert_type.to_string(), early_warning_value: lines.threshold(alert_type) }
    }
}

/// A page of warnings.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warnings {
    /// Pages in all.
    pub total_page: i64,
    /// The warnings.
    pub card_info_list: Vec<Warning>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_asked_for_is_the_status_shown() {
        for base in BaseState::ALL {
            for blocks in [Blocks::NONE, Blocks::QUOTA, Blocks::OWNER_STOP, Blocks::SMS_OFF] {
                let shown = card_status(*base, blocks, false);
                assert_eq!(stage_of(shown), Some(Stage::of(*base, blocks)), "{base:?} {:?} is shown as {shown}", blocks.names());
            }
        }
        for (base, word) in [
            (BaseState::Testing, "NON_ACTIVATED_NAME"),
            (BaseState::Ready, "ACTIVATION_READY_NAME"),
            (BaseState::Active, "ACTIVATED_NAME"),
            (BaseState::Stopped, "DEACTIVATED_NAME"),
            (BaseState::Unknown, "DEACTIVATED_NAME"),
            (BaseState::Replaced, "RETIRED_NAME"),
        ] {
            assert_eq!(card_status(base, Blocks::NONE, true), word);
        }
        assert!(stage_of("ACTIVATED_BASE").is_none());
        assert_eq!(card_status(BaseState::Active, Blocks::EXPIRED, true), "ACTIVATED_BASE");
        assert_eq!(card_status(BaseState::Active, Blocks(Blocks::EXPIRED.0 | Blocks::BESIDE_DATA.0), true), "ACTIVATED_BASE");
        assert_eq!(card_status(BaseState::Active, Blocks::BESIDE_DATA, true), "ACTIVATED_NAME");
        assert_eq!(card_status(BaseState::Active, Blocks::OWNER_STOP, true), "DEACTIVATED_NAME");
    }
}
