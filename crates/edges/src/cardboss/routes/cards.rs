//! The questions: the account, its cards, what they used, their packages, its pools.

use super::Ask;
use crate::cardboss::errors::No;
use crate::cardboss::wire;
use axum::body::Bytes;
use kachi_dialects::cardboss::{Operation, codes};
use kachi_domain::diagnose::FRESH_SECONDS;
use kachi_domain::ids::Msisdn;
use kachi_domain::time::{parse_day, parse_month};
use kachi_domain::{Iccid, Refusal, Timestamp, Zone};
use kachi_engine::desk::CardList;
use kachi_engine::figures::{Depth, Figures, Numbers};

/// Cards of one page.
const PAGE: i64 = 100;
/// Months before the present one that can be asked about.
const MONTHS_BACK: i64 = 3;
/// Days before today that can be asked about.
const DAYS_BACK: i64 = 7;

impl Ask<'_> {
    pub(super) async fn customer(&self) -> Result<String, No> {
        let standing = self.door.engine.standing(self.catalogue, &self.caller.actor).await?;
        let Some(info) = self.catalogue.account(self.caller.actor.account) else {
            return Err(No::Fault(Some("an account that acts is not in the catalogue".into())));
        };
        Ok(wire::customer(&wire::Customer::of(self.form.get("sid"), info, &standing)))
    }

    pub(super) async fn card_list(&self) -> Result<String, No> {
        let page = self.page();
        let list = CardList { offset: (page - 1) * PAGE, limit: PAGE, ..CardList::default() };
        let found = self.door.engine.cards(self.catalogue, &self.caller.actor, list).await?;
        let cards: Vec<_> = found.entries.iter().map(|card| wire::ListedCard::of(self.catalogue, card)).collect();
        Ok(wire::good(&wire::Page { count: found.total, pageindex: page, totalpage: pages(found.total), cards }))
    }

    pub(super) async fn card_abnormal(&self) -> Result<String, No> {
        let page = self.page();
        let found = self.door.engine.cards_in_debt(self.catalogue, &self.caller.actor, ((page - 1) * PAGE, PAGE)).await?;
        let cards: Vec<_> = found.cards.iter().map(|(card, minor)| wire::CardInDebt::of(self.catalogue, card, *minor)).collect();
        Ok(wire::good(&wire::Page { count: found.total, pageindex: page, totalpage: pages(found.total), cards }))
    }

    pub(super) async fn card_detail(&self) -> Result<Bytes, No> {
        self.kept(async {
            let figures = self.figures(Depth::All, self.this_month()).await?;
            let sims = figures.iter().filter(|f| f.card.sim.details.contains("apns")).map(|f| f.card.sim.id).collect::<Vec<_>>();
            let apns = match sims.is_empty() {
                true => Vec::new(),
                false => self.door.engine.apns(self.catalogue, &self.caller.actor, sims).await?,
            };
            let apns_of = |f: &Figures| apns.iter().find(|(sim, _)| *sim == f.card.sim.id).map_or(&[][..], |(_, apns)| apns);
            let cards: Vec<_> = figures.iter().map(|f| wire::Detail::of(self.catalogue, f, apns_of(f))).collect();
            Ok((wire::good(&wire::Cards { count: cards.len(), cards }), self.holds_until(&figures)))
        })
        .await
    }

    pub(super) async fn usage_current(&self) -> Result<Bytes, No> {
        self.kept(async {
            let figures = self.figures(Depth::All, self.this_month()).await?;
            let usages: Vec<_> = figures.iter().map(|f| wire::CurrentUse::of(self.catalogue, f)).collect();
            let answer = wire::good(&wire::Usages { count: usages.len(), day: None, usages });
            Ok((answer, self.holds_until(&figures)))
        })
        .await
    }

    /// The answer about cards that was given before, if it still holds: partners ask for the same ones over and over.
    async fn kept(&self, make: impl Future<Output = Result<(String, Timestamp), No>>) -> Result<Bytes, No> {
        let question = [self.operation.path(), self.form.get("msisdns"), self.form.get("iccids")].join("|");
        let answer = self.door.engine.kept(self.catalogue, &self.caller.actor, question, make).await?;
        Ok(Bytes::from_owner(answer))
    }

    /// Up to when figures of the present month hold if nothing is written: the next of what cards have ahead, and of midnights.
    fn holds_until(&self, figures: &[Figures]) -> Timestamp {
        let midnight = self.zone().start_of_day(self.zone().day(self.door.engine.now()) + 1);
        let ahead = figures.iter().filter_map(|f| f.card.changes_at(self.catalogue));
        let sessions = figures.iter().filter_map(|f| f.heard.sessions.as_ref()).map(|(_, at)| *at);
        let heard = sessions.chain(figures.iter().filter_map(|f| f.heard.power).map(|(_, at)| at));
        ahead.chain(heard.map(|at| at.plus(FRESH_SECONDS + 1))).fold(midnight, Timestamp::min)
    }

    pub(super) async fn usage_past(&self) -> Result<String, No> {
        let month = self.form.get("month");
        let (year, of_year) = month.split_at(4);
        let days = parse_month(&format!("{year}-{of_year}")).map_err(|_| No::said(codes::DATE_WRONG, "month格式为yyyyMM"))?;
        let ordinal = |year: &str, of_year: &str| year.parse::<i64>().unwrap_or(0) * 12 + of_year.parse::<i64>().unwrap_or(0);
        let today = self.zone().text(self.door.engine.now());
        let back = ordinal(&today[..4], &today[5..7]) - ordinal(year, of_year);
        if !(0..=MONTHS_BACK).contains(&back) {
            return Err(No::said(codes::VALUE_WRONG, "month只允许查询最近3个月"));
        }
        let figures = self.figures(Depth::Use, days).await?;
        let usages: Vec<_> = figures.iter().map(|f| wire::PastUse::of(f, month)).collect();
        Ok(wire::good(&wire::Usages { count: usages.len(), day: None, usages }))
    }

    pub(super) async fn usage_day(&self) -> Result<String, No> {
        let text = self.form.get("day");
        let day = parse_day(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]));
        let day = day.map_err(|_| No::said(codes::DATE_WRONG, "day格式为yyyyMMdd"))?;
        let today = self.zone().day(self.door.engine.now());
        if !(today - DAYS_BACK..=today).contains(&day) {
            return Err(No::said(codes::VALUE_WRONG, "day只允许查询最近7日"));
        }
        let figures = self.figures(Depth::Use, (day, day)).await?;
        let usages: Vec<_> = figures.iter().map(wire::DayUse::of).collect();
        Ok(wire::good(&wire::Usages { count: usages.len(), day: Some(text), usages }))
    }

    pub(super) async fn pkg_get(&self) -> Result<String, No> {
        let mut figures = self.figures(Depth::Card, self.this_month()).await?;
        let found = figures.pop().ok_or(Refusal::UnknownSim)?;
        let pkgs: Vec<_> = found.card.state.live.iter().map(|l| wire::Package::of(self.catalogue, &found.card, l)).collect();
        Ok(wire::good(&wire::Packages { msisdn: wire::text(&found.card.sim.msisdn), count: pkgs.len(), pkgs }))
    }

    pub(super) async fn pool_list(&self) -> Result<String, No> {
        let figures = self.door.engine.pool_figures(self.catalogue, &self.caller.actor).await?;
        let pools: Vec<_> = figures.iter().map(|p| wire::PoolLine::of(self.catalogue, p)).collect();
        Ok(wire::good(&wire::Pools { count: pools.len(), pools }))
    }

    /// Which page: the grammar has seen that it is a number from 1.
    fn page(&self) -> i64 {
        self.form.get("pageindex").parse().unwrap_or(1)
    }

    fn zone(&self) -> &Zone {
        self.catalogue.zone(self.caller.actor.account)
    }

    /// First and last day of the present month.
    fn this_month(&self) -> (i64, i64) {
        let today = self.zone().text(self.door.engine.now());
        parse_month(&today[..7]).unwrap_or((0, 0))
    }

    /// The cards asked about, in the order asked; none of them seen is no data.
    async fn figures(&self, depth: Depth, days: (i64, i64)) -> Result<Vec<Figures>, No> {
        let figures = self.door.engine.figures(self.catalogue, &self.caller.actor, (self.numbers()?, depth), days).await?;
        if figures.is_empty() { Err(Refusal::UnknownSim.into()) } else { Ok(figures) }
    }

    /// The numbers that the operation signs, and no others; telephone numbers win over card numbers.
    fn numbers(&self) -> Result<Numbers, No> {
        let (msisdns, iccids) = if self.operation == Operation::PkgGet { ("msisdn", "iccid") } else { ("msisdns", "iccids") };
        let wrong = |number: &str| No::Code(codes::NUMBER_WRONG, format!("{number}格式错误"));
        let msisdns = self.form.list(msisdns);
        if !msisdns.is_empty() {
            let read = |n: &&str| Msisdn::parse(n).map(|m| m.as_str().to_owned()).map_err(|_| wrong(n));
            return Ok(Numbers::Msisdns(msisdns.iter().map(read).collect::<Result<_, _>>()?));
        }
        let read = |n: &&str| Iccid::parse(n).map(|i| i.as_str().to_owned()).map_err(|_| wrong(n));
        Ok(Numbers::Iccids(self.form.list(iccids).iter().map(read).collect::<Result<_, _>>()?))
    }
}

fn pages(total: i64) -> i64 {
    total.saturating_add(PAGE - 1) / PAGE
}
