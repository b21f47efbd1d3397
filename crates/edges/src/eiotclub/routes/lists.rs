//! Lists of cards, and how many there are of which.

use super::Ask;
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::wire;
use kachi_dialects::eiotclub::codes;
use kachi_domain::Iccid;
use kachi_engine::desk::CardList;
use kachi_engine::lists::{Names, Part};

/// Warnings on a page.
const WARNINGS_A_PAGE: i64 = 500;

impl Ask<'_> {
    pub(super) async fn cards(&self) -> Result<String, No> {
        let (fields, settings) = (self.fields(), &self.door.settings);
        let page = fields.page("pageNum", true, settings.page_max)?;
        let part = self.stage()?.map(Part::Of);
        let iccids = fields.iccids(settings.iccids_max, errors::ICCIDS_WRONG)?;
        let names = iccids.map(|l| Names::Iccids(l.iter().map(ToString::to_string).collect()));
        let list = CardList { part, names, offset: page.offset, limit: page.size };
        let found = self.door.engine.cards(self.catalogue, &self.caller.actor, list).await?;
        let pools = self.door.engine.pooled_figures(self.catalogue, &found.entries).await?;
        let line = |card| wire::CardInfo::listed(self.catalogue, card).pooled(pools.get(&card.sim.id));
        let card_info_list = found.entries.iter().map(line).collect();
        let total_page = pages(found.total, page.size);
        Ok(wire::good(self.caller.language, &wire::Cards { card_info_list, total_page }))
    }

    pub(super) async fn card_number(&self) -> Result<String, No> {
        let counts = self.door.engine.card_counts(self.catalogue, &self.caller.actor).await?;
        Ok(wire::good(self.caller.language, &wire::CardNumbers::of(&counts)))
    }

    pub(super) async fn warning_cards(&self) -> Result<String, No> {
        let fields = self.fields();
        let page = fields.page_of("pageNum", WARNINGS_A_PAGE)?;
        let alert_type = fields.number("type", codes::PARAMETER_WRONG)?;
        if alert_type.is_some_and(|t| !(1..=3).contains(&t)) {
            return Err(No::Code(codes::PARAMETER_WRONG));
        }
        let iccid = fields.text("iccid", codes::ICCID_MALFORMED)?;
        let iccid = iccid.map(|t| Iccid::parse(&t).map_err(|_| No::Code(codes::ICCID_MALFORMED))).transpose()?;
        let (engine, stretch) = (&self.door.engine, (page.offset, page.size));
        let found = engine.warnings(self.catalogue, &self.caller.actor, (alert_type, iccid), stretch).await?;
        let lines = engine.settings().lines;
        let total_page = pages(found.total, page.size);
        let card_info_list = found.entries.into_iter().map(|warning| wire::Warning::of(warning, &lines)).collect();
        Ok(wire::good(self.caller.language, &wire::Warnings { total_page, card_info_list }))
    }
}

/// Pages that so many entries fill.
pub(super) fn pages(entries: i64, size: i64) -> i64 {
    entries.div_euclid(size) + i64::from(entries % size != 0)
}
