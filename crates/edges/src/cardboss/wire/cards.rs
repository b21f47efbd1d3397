//! Cards, what they used, and their packages.

use super::{Number, date, minutes, text};
use kachi_domain::Timestamp;
use kachi_domain::account::Switch;
use kachi_domain::carrier::{Heard, Session};
use kachi_domain::package::{Category, Kind, Resource};
use kachi_domain::rating::{Happening, Live};
use kachi_domain::renewal::least_months;
use kachi_domain::sim::BaseState;
use kachi_engine::Catalogue;
use kachi_engine::figures::Figures;
use kachi_engine::sims::Card;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A page of a list.
#[derive(Serialize)]
pub struct Page<T> {
    /// Cards in all.
    pub count: i64,
    /// This page.
    pub pageindex: i64,
    /// Pages in all.
    pub totalpage: i64,
    /// The cards.
    pub cards: Vec<T>,
}

/// Cards asked about.
#[derive(Serialize)]
pub struct Cards<'a> {
    /// How many are here.
    pub count: usize,
    /// The cards.
    pub cards: Vec<Detail<'a>>,
}

/// What cards used.
#[derive(Serialize)]
pub struct Usages<'a, T> {
    /// How many are here.
    pub count: usize,
    /// The day, where one was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<&'a str>,
    /// One line a card.
    pub usages: Vec<T>,
}

/// A line of card/list.
#[derive(Serialize)]
pub struct ListedCard<'a> {
    msisdn: &'a str,
    msisdns: &'a str,
    iccid: &'a str,
    imsi: &'a str,
    state: &'static str,
}

impl<'a> ListedCard<'a> {
    /// A card.
    pub fn of(catalogue: &Catalogue, card: &'a Card) -> ListedCard<'a> {
        let (sim, msisdn) = (&card.sim, text(&card.sim.msisdn));
        ListedCard { msisdn, msisdns: msisdn, iccid: &sim.iccid, imsi: text(&sim.imsi), state: state(catalogue, card) }
    }
}

/// A line of card/abnormal.
#[derive(Serialize)]
pub struct CardInDebt<'a> {
    msisdn: &'a str,
    iccid: &'a str,
    imsi: &'a str,
    state: &'static str,
    balance: Number,
}

impl<'a> CardInDebt<'a> {
    /// A card with what its account at the carrier has.
    pub fn of(catalogue: &Catalogue, card: &'a Card, minor: i64) -> CardInDebt<'a> {
        let sim = &card.sim;
        let (state, balance) = (state(catalogue, card), Number::money(minor, 2));
        CardInDebt { msisdn: text(&sim.msisdn), iccid: &sim.iccid, imsi: text(&sim.imsi), state, balance }
    }
}

/// The switch of the card's owner on our side, which says nothing of the card: 0 off, 2 paused, 1 on.
fn state(catalogue: &Catalogue, card: &Card) -> &'static str {
    match catalogue.switch(card.sim.account) {
        Switch::Off => "0",
        Switch::Paused => "2",
        Switch::On => "1",
    }
}

/// The card's use state: 0 stock, 1 to be activated, 2 normal, 3 stopped, 4 cancelled, 5 other, 6 testing.
fn msstatus(at_carrier: BaseState) -> &'static str {
    match at_carrier {
        BaseState::Inventory => "0",
        BaseState::Ready => "1",
        BaseState::Active => "2",
        BaseState::Stopped => "3",
        BaseState::PreClosed | BaseState::Closed | BaseState::Replaced => "4",
        BaseState::Unknown => "5",
        BaseState::Testing => "6",
    }
}

/// 1 test, 2 silent, 3 formal, 0 other.
fn cycle(at_carrier: BaseState) -> &'static str {
    match at_carrier {
        BaseState::Testing => "1",
        BaseState::Ready => "2",
        BaseState::Active | BaseState::Stopped => "3",
        _ => "0",
    }
}

/// The carrier's published letters.
pub fn mno(carrier: &str) -> &str {
    if carrier == "CU" { "UN" } else { carrier }
}

/// Whether the card is in a pool that has, or had, something: of its own, or of its cards' packages.
fn is_pooled(card: &Card) -> bool {
    card.state.pool.is_some() || card.state.stake.is_some()
}

/// What a card's packages have: 0 in all of a card in a pool.
#[derive(Serialize, Clone)]
struct Allowance {
    pkgtotalflow: Number,
    pkgusedflow: Number,
    pkgtotalusedflow: Number,
    pkgleftflow: Number,
}

impl Allowance {
    fn of(figures: &Figures) -> Allowance {
        let zero = Number::Whole(0);
        if is_pooled(&figures.card) {
            return Allowance {
                pkgtotalflow: zero.clone(),
                pkgusedflow: zero.clone(),
                pkgtotalusedflow: zero.clone(),
                pkgleftflow: zero,
            };
        }
        let sum = |f: fn(&Live) -> i64| {
            let valid = figures.card.state.live.iter().filter(|l| l.running.is_some() && l.takes_bytes());
            valid.map(f).fold(0, i64::saturating_add)
        };
        let used = sum(|l| l.window_used);
        Allowance {
            pkgtotalflow: Number::kb(sum(|l| if l.left().is_some() { l.terms.allowance } else { 0 })),
            pkgusedflow: Number::kb(used),
            pkgtotalusedflow: Number::kb(used.saturating_add(figures.ended_bytes)),
            pkgleftflow: Number::kb(sum(|l| l.left().unwrap_or(0))),
        }
    }
}

/// What a card used over some days.
#[derive(Serialize)]
struct Used {
    flowusage: Number,
    smsusage: i64,
    voiceusage: i64,
    connectusage: i64,
    outflowusage: Number,
}

impl Used {
    fn of(figures: &Figures) -> Used {
        Used {
            flowusage: Number::kb(figures.bytes),
            smsusage: figures.messages,
            voiceusage: minutes(figures.voice_seconds),
            connectusage: figures.connections,
            outflowusage: Number::kb(figures.outflow_bytes),
        }
    }
}

/// A line of card/usage/current.
#[derive(Serialize)]
pub struct CurrentUse<'a> {
    msisdn: &'a str,
    imsi: &'a str,
    iccid: &'a str,
    iccids: &'a str,
    state: &'static str,
    #[serde(flatten)]
    allowance: Allowance,
    #[serde(flatten)]
    used: Used,
}

impl<'a> CurrentUse<'a> {
    /// A card with its use of the present month.
    pub fn of(catalogue: &Catalogue, figures: &'a Figures) -> CurrentUse<'a> {
        let sim = &figures.card.sim;
        CurrentUse {
            msisdn: text(&sim.msisdn),
            imsi: text(&sim.imsi),
            iccid: &sim.iccid,
            iccids: &sim.iccid,
            state: state(catalogue, &figures.card),
            allowance: Allowance::of(figures),
            used: Used::of(figures),
        }
    }
}

/// A line of card/usage/past.
#[derive(Serialize)]
pub struct PastUse<'a> {
    month: &'a str,
    msisdn: &'a str,
    iccid: &'a str,
    #[serde(flatten)]
    used: Used,
}

impl<'a> PastUse<'a> {
    /// A card with its use of the month.
    pub fn of(figures: &'a Figures, month: &'a str) -> PastUse<'a> {
        let sim = &figures.card.sim;
        PastUse { month, msisdn: text(&sim.msisdn), iccid: &sim.iccid, used: Used::of(figures) }
    }
}

/// A line of card/usage/day.
#[derive(Serialize)]
pub struct DayUse<'a> {
    msisdn: &'a str,
    iccid: &'a str,
    iccids: &'a str,
    usage: Number,
}

impl<'a> DayUse<'a> {
    /// A card with its use of the day.
    pub fn of(figures: &'a Figures) -> DayUse<'a> {
        let sim = &figures.card.sim;
        DayUse { msisdn: text(&sim.msisdn), iccid: &sim.iccid, iccids: &sim.iccid, usage: Number::kb(figures.bytes) }
    }
}

/// A card in detail.
#[derive(Serialize)]
pub struct Detail<'a> {
    msisdn: &'a str,
    iccid: &'a str,
    imsi: &'a str,
    imei: &'a str,
    state: &'static str,
    balance: Number,
    status: &'static str,
    msstatus: &'static str,
    #[serde(rename = "msStatus")]
    ms_status: &'static str,
    cycle: &'static str,
    activedate: String,
    stoptestdate: String,
    stopsleepdate: String,
    expiredate: String,
    openpool: &'static str,
    mno: &'a str,
    yys: &'a str,
    pkgcode: &'a str,
    pkgname: &'a str,
    isxn: &'static str,
    isjyb: &'static str,
    isaxb: &'static str,
    sbbh: Cow<'a, str>,
    openapns: String,
    apnstatus: String,
    onoff: &'a str,
    #[serde(rename = "onOff")]
    on_off: &'a str,
    online: &'a str,
    #[serde(rename = "gprsStatus")]
    gprs_status: &'a str,
    apn: &'a str,
    rat: &'a str,
    ip: &'a str,
    #[serde(flatten)]
    allowance: Allowance,
    #[serde(flatten)]
    used: Used,
    statusyncdate: String,
    pkgsyncdate: String,
    monthsincdate: String,
    monthsyncdate: String,
}

impl<'a> Detail<'a> {
    /// A card with its use of the present month and its access points, each with whether its data is off.
    pub fn of(catalogue: &'a Catalogue, figures: &'a Figures, apns: &[(String, bool)]) -> Detail<'a> {
        let (card, sim) = (&figures.card, &figures.card.sim);
        let extras = Extras::of(card);
        let package = card.state.current_main().and_then(|l| catalogue.package(l.package));
        let mno = catalogue.product(sim.product).map_or("", |p| mno(&p.carrier));
        let bought = |category| if figures.bought.contains(&category) { "1" } else { "0" };
        let as_of = date(card.as_of);
        let at_carrier = figures.at_carrier();
        let (status, cycle) = (msstatus(at_carrier), cycle(at_carrier));
        let (online, session) = connected(&figures.heard);
        let power = figures.heard.power.map(|(is_on, _)| is_on);
        let ends = card.state.last_end(catalogue.zone(sim.account)).or(figures.expired_at);
        Detail {
            msisdn: text(&sim.msisdn),
            iccid: &sim.iccid,
            imsi: text(&sim.imsi),
            imei: text(&sim.imei),
            state: state(catalogue, card),
            balance: Number::money(figures.carrier_balance, 2),
            status: if status == "2" { "00-正常" } else { "" },
            msstatus: status,
            ms_status: status,
            cycle,
            activedate: date(sim.activated_at.map(Timestamp)),
            stoptestdate: extras.test_end(if cycle == "1" { None } else { sim.activated_at.map(Timestamp) }),
            stopsleepdate: last_day(extras.at("sleep_until")),
            expiredate: last_day(ends),
            openpool: if is_pooled(card) { "1" } else { "0" },
            mno,
            yys: mno,
            pkgcode: package.map_or("", |p| &p.code),
            pkgname: package.map_or("", |p| &p.name),
            isxn: if extras.is("isxn") { "1" } else { "0" },
            isjyb: bought(Category::TopUp),
            isaxb: bought(Category::Safety),
            sbbh: extras.text("sbbh").into(),
            openapns: apns.iter().map(|(apn, _)| apn.as_str()).collect::<Vec<_>>().join(","),
            apnstatus: apns.iter().map(switched).collect::<Vec<_>>().join(","),
            onoff: power.map_or("", |is_on| if is_on { "开机" } else { "关机" }),
            on_off: power.map_or("", |is_on| if is_on { "1" } else { "0" }),
            online,
            gprs_status: online,
            apn: session.map_or("", |s| generation(text(&s.rat))),
            rat: session.map_or("", |s| text(&s.apn)),
            ip: session.map_or("", |s| text(&s.ip)),
            allowance: Allowance::of(figures),
            used: Used::of(figures),
            statusyncdate: date(figures.heard.standing.as_ref().map(|(_, at)| *at)),
            pkgsyncdate: as_of.clone(),
            monthsincdate: as_of.clone(),
            monthsyncdate: as_of,
        }
    }
}

/// Whether the card is connected as its carrier last said, "" if it never did; and its session.
fn connected(heard: &Heard) -> (&'static str, Option<&Session>) {
    match &heard.sessions {
        None => ("", None),
        Some((sessions, _)) => (if sessions.is_empty() { "离线" } else { "在线" }, sessions.first()),
    }
}

/// A radio as the source writes it (`2G`, `4G`), which calls it the way of access and the access point the radio.
fn generation(rat: &str) -> &str {
    if rat == "LTE" { "4G" } else { rat }
}

/// What is kept of a card beyond its numbers and state.
struct Extras(Map<String, Value>);

impl Extras {
    fn of(card: &Card) -> Extras {
        Extras(if card.sim.details == "{}" { Map::new() } else { serde_json::from_str(&card.sim.details).unwrap_or_default() })
    }

    fn text(&self, name: &str) -> String {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn at(&self, name: &str) -> Option<Timestamp> {
        self.0.get(name).and_then(Value::as_str).and_then(|text| Timestamp::parse_rfc3339(text).ok())
    }

    /// The last day of the card's test: that until which it was to be, the day on which it was ended before, or on which a card that is
    /// in its test no longer was activated, whichever is first.
    fn test_end(&self, activated: Option<Timestamp>) -> String {
        let until = self.at("test_until");
        let ended = [self.at("test_ended"), activated.filter(|_| until.is_some())].into_iter().flatten().min();
        match (until, ended) {
            (Some(until), Some(ended)) if ended < until => date(Some(ended)),
            (None, Some(ended)) => date(Some(ended)),
            _ => last_day(until),
        }
    }
}

/// The last day before an end, which is the first instant that is over.
fn last_day(end: Option<Timestamp>) -> String {
    date(end.map(|end| end.plus(-1)))
}

fn switched((apn, is_off): &(String, bool)) -> String {
    format!("{apn}:{}", if *is_off { "暂停" } else { "正常" })
}

/// The packages of a card.
#[derive(Serialize)]
pub struct Packages<'a> {
    /// The card.
    pub msisdn: &'a str,
    /// How many are valid or wait.
    pub count: usize,
    /// The packages.
    pub pkgs: Vec<Package<'a>>,
}

/// A package of a card.
#[derive(Serialize)]
pub struct Package<'a> {
    msisdn: &'a str,
    pkgcode: &'a str,
    pkgname: &'a str,
    startdate: String,
    enddate: String,
    buycycle: u32,
    pkgtype: &'static str,
    pkgcategory: &'static str,
    mainpkg: bool,
    totalflow: Number,
}

impl<'a> Package<'a> {
    /// A subscription that is in use or waits; one that waits starts when those before it are over if only time passes.
    pub fn of(catalogue: &'a Catalogue, card: &'a Card, live: &Live) -> Package<'a> {
        let package = catalogue.package(live.package);
        let span = live.running.or_else(|| planned(catalogue, card, live));
        Package {
            msisdn: text(&card.sim.msisdn),
            pkgcode: package.map_or("", |p| &p.code),
            pkgname: package.map_or("", |p| &p.name),
            startdate: date(span.map(|s| s.0)),
            enddate: last_day(span.map(|s| s.1)),
            buycycle: least_months(package.map_or(&live.terms, |p| &p.terms)),
            pkgtype: match live.terms.resource {
                Resource::Data => "1",
                Resource::Voice => "2",
                Resource::Nb => "3",
                Resource::Sms => "4",
            },
            pkgcategory: match live.terms.category {
                Category::Month => "1",
                Category::Long => "2",
                Category::TopUp => "3",
                Category::Safety => "4",
                Category::Test => "5",
                Category::IdleHours => "6",
                Category::Postpaid => "7",
            },
            mainpkg: live.is_main(),
            totalflow: match (live.terms.resource, live.terms.kind) {
                (Resource::Voice | Resource::Sms, _) => Number::Whole(0),
                (_, Kind::Time) => Number::Whole(-1),
                _ => Number::kb(live.terms.allowance),
            },
        }
    }
}

/// When a waiting subscription starts and ends if only time passes.
fn planned(catalogue: &Catalogue, card: &Card, live: &Live) -> Option<(Timestamp, Timestamp)> {
    let zone = catalogue.zone(card.sim.account);
    let (mut ahead, mut heard) = (card.state.clone(), Vec::new());
    ahead.advance(ahead.last_end(zone)?.max(live.eligible).plus(1), zone, &mut heard);
    heard.iter().find_map(|h| match h {
        Happening::Started(id, start, end) if *id == live.id => Some((*start, *end)),
        _ => None,
    })
}
