//! A small world whose cards live on a platform that tells what the test wrote down, and keeps what it was asked.

use kachi_domain::carrier::{
    Answer, Apn, Ask, Call, Capabilities, Card, Change, Changes, Connector, Counter, Fact, Facts, Line, Login, Period, Request,
    Sent, Spoken, Standing, Stop,
};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::time::{Timestamp, Zone, day_text};
use kachi_domain::{PlatformId, SimId};
use kachi_engine::{Fail, Settings, intents, sync};
use kachi_store::Store;
use kachi_store::catalogue::Product;
use kachi_testkit::world::{ACME, World, sim_id};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// China's time.
pub fn at(text: &str) -> Timestamp {
    let zone = Zone::find("Asia/Shanghai").expect("a zone");
    zone.parse(&format!("2026-{text}:00")).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// China's day.
pub fn day(text: &str) -> i64 {
    kachi_domain::time::parse_day(&format!("2026-{text}")).expect("a day")
}

/// What the platform has to tell, and what it was asked.
#[derive(Default)]
pub struct Book {
    /// Where each card stands.
    pub states: HashMap<u64, BaseState>,
    /// The access points of cards of which they are told, each with whether data is on there.
    pub apns: HashMap<u64, Vec<(String, bool)>>,
    /// The network of cards of which it is told.
    pub networks: HashMap<u64, String>,
    /// Why each card is stopped.
    pub reasons: HashMap<u64, Blocks>,
    /// Cards whose reason it does not tell.
    pub mute: HashSet<u64>,
    /// What it answers instead to a question for a card's reason.
    pub reasons_no: HashMap<u64, Answer>,
    /// Whether cards' devices are on, told with where they stand.
    pub powers: HashMap<u64, bool>,
    /// Requests that the reason costs beside those for the rest.
    pub reason_costs: u32,
    /// Bytes of each card's days.
    pub days: HashMap<(u64, i64), i64>,
    /// Each card's month: bytes and as of when.
    pub months: HashMap<u64, (i64, Timestamp)>,
    /// Seconds that each card spoke this month.
    pub voices: HashMap<u64, i64>,
    /// Cards that it does not know.
    pub unknown: HashSet<u64>,
    /// The pages of a day's feed: cards, and whether their state is told.
    pub feed: HashMap<i64, Vec<Vec<(u64, bool)>>>,
    /// What it answers instead of anything else.
    pub no: Option<Answer>,
    /// What happens elsewhere, once, before it answers.
    pub meanwhile: Option<Box<dyn FnOnce() + Send>>,
    /// Every request.
    pub asked: Vec<String>,
}

impl Book {
    fn reason(&self, card: u64) -> Blocks {
        self.reasons.get(&card).copied().unwrap_or(Blocks::NONE)
    }
}

/// The platform.
pub struct Fake {
    can: Capabilities,
    book: Mutex<Book>,
}

fn number(card: &Card) -> u64 {
    card.iccid[8..].parse().expect("a card of this world")
}

impl Fake {
    /// The platform's book.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no test panics with it")
    }

    fn asks(&self, call: &Call<'_>, what: String) -> Result<MutexGuard<'_, Book>, Answer> {
        call.next()?;
        if let Some(meanwhile) = self.book().meanwhile.take() {
            meanwhile();
        }
        let mut book = self.book();
        book.asked.push(what);
        match &book.no {
            Some(no) => Err(no.clone()),
            None => Ok(book),
        }
    }

    fn standing(book: &Book, card: u64) -> Standing {
        let base = book.states.get(&card).copied().unwrap_or(BaseState::Active);
        Standing { base, raw: base.word().into(), since: None }
    }
}

fn refused() -> Answer {
    Answer::Refused { code: "12010".into(), reason: "no such card".into() }
}

impl Connector for Fake {
    fn capabilities(&self) -> Capabilities {
        self.can
    }

    fn renew(&self, _: &Call<'_>) -> Result<Login, Answer> {
        Err(refused())
    }

    fn submit(&self, _: &Call<'_>, _: &Request) -> Answer {
        refused()
    }

    fn look(&self, _: &Call<'_>, _: &Request, _: &Sent) -> Answer {
        refused()
    }

    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        let n = number(card);
        let what = match wanted {
            _ if wanted.has(Fact::State) => "state",
            _ if wanted == Facts::of(&[Fact::Voice]) => "voice",
            _ if wanted == Facts::of(&[Fact::StopReason]) => "reason",
            _ => "month",
        };
        let book = self.asks(call, format!("{what}: {n}"))?;
        if book.unknown.contains(&n) {
            return Err(refused());
        }
        if let Some(no) = book.reasons_no.get(&n).filter(|_| what == "reason") {
            return Err(no.clone());
        }
        let month = book.months.get(&n).map(|(bytes, as_of)| Period::this_month(self.can.cycle, *bytes, *as_of));
        Ok(Line {
            standing: wanted.has(Fact::State).then(|| Fake::standing(&book, n)),
            stop: (wanted.has(Fact::StopReason) && !book.mute.contains(&n))
                .then(|| Stop { blocks: book.reason(n), ..Stop::default() }),
            network: book.networks.get(&n).filter(|_| wanted.has(Fact::Network)).cloned(),
            power: book.powers.get(&n).filter(|_| wanted.has(Fact::State)).copied(),
            month: month.filter(|_| wanted.has(Fact::Month)),
            voice: book
                .voices
                .get(&n)
                .filter(|_| wanted.has(Fact::Voice))
                .map(|s| Spoken::this_month(self.can.cycle, *s, call.now)),
            ..Line::default()
        })
    }

    fn cost(&self, wanted: Facts) -> u32 {
        let reason = Facts::of(&[Fact::StopReason]);
        let rest = u32::from(wanted.without(reason) != Facts::NONE);
        rest + if wanted.has(Fact::StopReason) { self.book().reason_costs } else { 0 }
    }

    fn read_many(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        let what = match ask {
            Ask::State => "states".to_owned(),
            Ask::Day(day) => format!("day {}", &day_text(day)[5..]),
            Ask::Month(month) => format!("month {month}"),
        };
        let book = self.asks(call, format!("{what}: {} cards", cards.len()))?;
        let one = |card: &Card| {
            let n = number(card);
            if book.unknown.contains(&n) {
                return Err(refused());
            }
            let mut line = Line::default();
            match ask {
                Ask::State => {
                    let apn = |(name, on): &(String, bool)| Apn { name: name.clone(), on: Some(*on), bytes: None };
                    line.standing = Some(Fake::standing(&book, n));
                    line.power = book.powers.get(&n).copied();
                    line.apns = book.apns.get(&n).map(|all| all.iter().map(apn).collect());
                }
                Ask::Day(day) => {
                    let end = Zone::find("Asia/Shanghai").expect("a zone").start_of_day(day + 1);
                    line.day = Some(Period::of_day(day, book.days.get(&(n, day)).copied().unwrap_or(0), end.min(call.now)));
                }
                Ask::Month(month) => {
                    let told = book.months.get(&n).copied().unwrap_or((0, call.now));
                    line.month =
                        Some(Period { from: self.can.cycle.start(month), counter: Counter { bytes: told.0, as_of: told.1 } });
                }
            }
            Ok(line)
        };
        Ok(cards.iter().map(one).collect())
    }

    fn changes(&self, call: &Call<'_>, day: i64, from: Option<&str>) -> Result<Changes, Answer> {
        let page: usize = from.map_or(0, |p| p.parse().expect("a page of this feed"));
        let book = self.asks(call, format!("feed {} page {page}", &day_text(day)[5..]))?;
        let pages = book.feed.get(&day).cloned().unwrap_or_default();
        let change = |(n, told): &(u64, bool)| Change {
            iccid: Some(World::iccid(*n).as_str().to_owned()),
            msisdn: None,
            standing: told.then(|| Fake::standing(&book, *n)),
        };
        let changes = pages.get(page).map(|cards| cards.iter().map(change).collect()).unwrap_or_default();
        Ok(Changes { changes, next: (page + 1 < pages.len()).then(|| (page + 1).to_string()) })
    }
}

/// The world and its platform.
pub struct Scene {
    /// The world; its cards are ours since the year began.
    pub w: World,
    /// The platform.
    pub fake: Arc<Fake>,
    /// Its number.
    pub platform: PlatformId,
}

impl Scene {
    /// A world of so many cards on a platform that can do this, on 10 March at noon in China.
    pub fn new(store: Store, can: Capabilities, cards: u64) -> Scene {
        Scene::with(store, can, cards, Settings::default())
    }

    /// As [`Scene::new`], with settings of the test's own.
    pub fn with(store: Store, can: Capabilities, cards: u64, settings: Settings) -> Scene {
        let w = World::with(store, settings);
        w.set_now(at("01-01 00:00").0);
        let moved = w.engine.write(|tx, catalogue, _| {
            tx.put_platform(0, "far", "manual", "{}")?;
            let platform = tx.platforms()?.into_iter().find(|p| p.code == "far").map(|p| p.id);
            let platform = platform.ok_or_else(|| Fail::fault("platform"))?;
            let known = catalogue.product_by_code("1US-1").ok_or_else(|| Fail::fault("product"))?;
            tx.put_product(&Product { platform, ..known.clone() })?;
            tx.touch_catalogue()?;
            Ok(platform)
        });
        let platform = moved.expect("the product moves");
        w.add_cards(ACME, 0..cards);
        w.set_now(at("03-10 12:00").0);
        let fake = Arc::new(Fake { can, book: Mutex::default() });
        let open: Arc<dyn Connector> = fake.clone();
        intents::remember(&w.engine, &HashMap::from([(platform, open)])).expect("it is kept");
        Scene { w, fake, platform }
    }

    /// A worker does all that is due; what the platform was asked meanwhile.
    pub fn work(&self) -> Vec<String> {
        self.fake.book().asked.clear();
        for _ in 0..100 {
            if sync::at(&self.w.engine, (self.platform, self.fake.as_ref()), 7).expect("a step") == 0 {
                return std::mem::take(&mut self.fake.book().asked);
            }
        }
        panic!("the work never ends: {:?}", self.fake.book().asked);
    }

    /// Time passes, then a worker does all that is due.
    pub fn later(&self, seconds: i64) -> Vec<String> {
        self.w.pass(seconds);
        self.work()
    }

    /// The card's number with us.
    pub fn sim(&self, card: u64) -> SimId {
        sim_id(&self.w, card)
    }

    /// The card's base state with us.
    pub fn state(&self, card: u64) -> String {
        self.w.card(card).sim.state
    }

    /// Every reading of carriers' counters, as it is kept: (counts, from, as of, bytes, fell from), of one card.
    pub fn counts(&self, card: u64) -> Vec<(String, Timestamp, Timestamp, i64, Option<i64>)> {
        let sim = self.sim(card);
        self.w.engine.read(|tx, _| Ok(tx.counts_of(sim)?)).expect("they are read")
    }
}
