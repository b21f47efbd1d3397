//! Cards as getCardsInfo and getAllCardInfo write them.

use super::{Number, bytes_of, date};
use kachi_domain::Timestamp;
use kachi_domain::rating::Live;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_engine::Catalogue;
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
            is_real_name: sim.real_name.into(),
            month_remain_flow: Number::megabytes(used.map_or(0, left)),
            month_use_flow: Number::megabytes(used.map_or(0, |l| l.window_used)),
            remain_flow_type: 0,
            product_code: product.map_or("", |p| &p.code),
            package_end_date: date(used.and_then(|l| l.running).map(|(_, end)| end)),
            data_flow: sum(allowance),
            remain_flow: sum(left),
            expected_end_date: date(state.expected_end(catalogue.zone(sim.account))),
            imei_pool_status: (card.blocks().0 & Blocks::IMEI_LOCK.0 != 0).into(),
            imei_pool_unlock_count: card.imei_group.map_or(0, |g| g.unlocks),
            is_imei_pool: card.imei_group.map_or(0, |g| if g.until.is_some() { 2 } else { 1 }),
            network: &sim.network,
            total_use_flow: Number::megabytes(state.total_used()),
            package_code: used.and_then(|l| catalogue.package(l.package)).map_or("", |p| &p.code),
            package_kind: used.map_or(0, |l| l.terms.kind.package_type() - 2),
            remark: None,
            listed: None,
        }
    }
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

/// Bytes of the present window; none of a package without limit.
fn allowance(live: &Live) -> i64 {
    bytes_of(&live.terms)
}

/// Bytes left in the present window; none of a package without limit.
fn left(live: &Live) -> i64 {
    if live.takes_bytes() { live.left().unwrap_or(0) } else { 0 }
}

/// The published word for a card's state and blocks.
fn card_status(base: BaseState, blocks: Blocks, bare_use: bool) -> &'static str {
    match base {
        BaseState::Inventory | BaseState::Testing => "NON_ACTIVATED_NAME",
        BaseState::Ready => "ACTIVATION_READY_NAME",
        BaseState::Active if blocks.is_empty() => "ACTIVATED_NAME",
        BaseState::Active if blocks.only_package() && bare_use => "ACTIVATED_BASE",
        BaseState::Active | BaseState::Stopped | BaseState::Unknown => "DEACTIVATED_NAME",
        BaseState::PreClosed | BaseState::Closed | BaseState::Replaced => "RETIRED_NAME",
    }
}

/// The base states, and blocked or not, that a published word asks for; none = no such word.
pub fn states_of(card_status: &str) -> Option<(&'static [BaseState], Option<bool>)> {
    Some(match card_status {
        "NON_ACTIVATED_NAME" => (&[BaseState::Inventory, BaseState::Testing], None),
        "ACTIVATION_READY_NAME" => (&[BaseState::Ready], None),
        "ACTIVATED_NAME" => (&[BaseState::Active], Some(false)),
        "DEACTIVATED_NAME" => (&[BaseState::Active, BaseState::Stopped], Some(true)),
        "RETIRED_NAME" => (&[BaseState::PreClosed, BaseState::Closed, BaseState::Replaced], None),
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_asked_for_is_the_status_shown() {
        for base in BaseState::ALL {
            for blocks in [Blocks::NONE, Blocks::QUOTA, Blocks::OWNER_STOP] {
                let shown = card_status(*base, blocks, false);
                let (states, blocked) = states_of(shown).unwrap();
                let listed = states.contains(base) && blocked.is_none_or(|b| b != blocks.is_empty());
                let lost = *base == BaseState::Unknown || (*base == BaseState::Stopped && blocks.is_empty());
                assert!(listed || lost, "{base:?} {:?} is shown as {shown}", blocks.names());
            }
        }
        assert!(states_of("ACTIVATED_BASE").is_none());
        assert_eq!(card_status(BaseState::Active, Blocks::EXPIRED, true), "ACTIVATED_BASE");
    }
}
