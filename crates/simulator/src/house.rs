//! All five carriers in one house: a request comes in, is counted, meets the faults, and is answered from the world.

use crate::clock::Clock;
use crate::fault::{Fault, FaultKind, Faults};
use crate::settings::{AuthClock, Settings};
use crate::world::World;
use crate::world::acts::{Act, Job, Refusal};
use crate::{Base, Platform, calendar, ct, ctwing, jasper, onelink, telecom, unicom};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet, VecDeque};

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) platform: Platform,
    pub(crate) method: String,
    pub(crate) path: String,
    /// As sent, still encoded.
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    /// Verb, path and query, by which faults know requests: `PUT /rws/api/v1/devices/8986?`.
    pub(crate) fn what(&self) -> String {
        format!("{} {}?{}", self.method, self.path, self.query)
    }

    /// A header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Parameters of the query, decoded, in their order.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        let pair = |p: &str| {
            let (name, value) = p.split_once('=').unwrap_or((p, ""));
            (decode(name), decode(value))
        };
        self.query.split('&').filter(|p| !p.is_empty()).map(pair).collect()
    }

    /// The body as JSON; null if there is none, nothing if it is not JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        if self.body.iter().all(u8::is_ascii_whitespace) { Some(Value::Null) } else { serde_json::from_slice(&self.body).ok() }
    }

    fn mentions(&self, name: &str) -> bool {
        let body = String::from_utf8_lossy(&self.body);
        self.query.contains(name) || self.path.contains(name) || body.contains(name)
    }
}

/// `%41` and `+` of a query.
pub(crate) fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex =
            bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
    /// Real milliseconds before anything is sent.
    pub(crate) hold_ms: u64,
    /// Whether the connection breaks instead of the body.
    pub(crate) broken: bool,
}

pub(crate) const JSON: &str = "application/json;charset=UTF-8";
pub(crate) const XML: &str = "text/xml;charset=UTF-8";

impl Reply {
    /// 200 with JSON.
    pub(crate) fn json(value: &Value) -> Reply {
        Reply::with(200, JSON, value.to_string())
    }

    pub(crate) fn with(status: u16, kind: &'static str, body: String) -> Reply {
        Reply { status, kind, body: body.into_bytes(), hold_ms: 0, broken: false }
    }

    /// A gateway's page in the carrier's place.
    fn of_gateway(fault: &Fault) -> Reply {
        let words = axum::http::StatusCode::from_u16(fault.status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
        let page = format!("<html><body><h1>{} {words}</h1></body></html>", fault.status);
        Reply { hold_ms: fault.hold_ms, ..Reply::with(fault.status, "text/html", page) }
    }

    /// The same in GBK, and saying so.
    pub(crate) fn encode_gbk(&mut self) {
        self.kind = if self.kind == JSON { "application/json;charset=GBK" } else { "text/xml;charset=GBK" };
        let text = String::from_utf8_lossy(&self.body).replace("UTF-8", "GBK");
        self.body = encoding_rs::GBK.encode(&text).0.into_owned();
    }
}

/// Numbers that must not come twice, as many as were seen lately.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    set: HashSet<String>,
    order: VecDeque<String>,
}

/// Numbers of requests that are remembered.
const SEEN_MAX: usize = 1_000_000;

impl Seen {
    /// Whether the number is new; from now on it is not.
    pub(crate) fn is_new(&mut self, number: &str) -> bool {
        if !self.set.insert(number.to_owned()) {
            return false;
        }
        self.order.push_back(number.to_owned());
        if self.order.len() > SEEN_MAX
            && let Some(old) = self.order.pop_front()
        {
            self.set.remove(&old);
        }
        true
    }
}

/// Requests that came in.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) all: BTreeMap<Platform, u64>,
    /// By path, or by method where all share one path; card numbers in paths are stars.
    pub(crate) by_name: BTreeMap<(Platform, String), u64>,
}

/// Names of requests that are counted one by one.
const NAMES_MAX: usize = 1000;

impl Calls {
    fn count(&mut self, ask: &Ask) {
        *self.all.entry(ask.platform).or_default() += 1;
        let digits = |p: &str| p.len() > 10 && p.bytes().all(|b| b.is_ascii_hexdigit());
        let path: Vec<&str> = ask.path.split('/').map(|p| if digits(p) { "*" } else { p }).collect();
        let method = ask.query.split('&').find(|p| p.starts_with("method=")).map_or(String::new(), |m| format!("?{m}"));
        let key = (ask.platform, path.join("/") + &method);
        if self.by_name.len() < NAMES_MAX || self.by_name.contains_key(&key) {
            *self.by_name.entry(key).or_default() += 1;
        }
    }
}

/// The carriers and their world.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    pub(crate) onelink: onelink::Desk,
    pub(crate) unicom: unicom::Desk,
    pub(crate) jasper: jasper::Desk,
    /// The write of this request was done, and its caller will not hear of it, for this fault.
    lost: Option<Fault>,
}

impl House {
    pub(crate) fn new(settings: Settings) -> Result<House, String> {
        Ok(House {
            clock: Clock::starting_at(settings.start, settings.speed),
            world: World::new(&settings)?,
            faults: Faults::default(),
            calls: Calls::default(),
            onelink: onelink::Desk::default(),
            unicom: unicom::Desk::default(),
            jasper: jasper::Desk::default(),
            lost: None,
            settings,
        })
    }

    /// The world brought up to now.
    pub(crate) fn now(&mut self) -> i64 {
        let now = self.clock.now();
        self.world.catch_up(now);
        self.world.now
    }

    /// Now for callers' timestamps and the age of tokens.
    pub(crate) fn auth_now(&self) -> i64 {
        match self.settings.auth_clock {
            AuthClock::World => self.world.now,
            AuthClock::Wall => self.clock.wall(),
        }
    }

    /// Whether a caller's timestamp is near enough to now.
    pub(crate) fn is_fresh(&self, at: i64) -> bool {
        (self.auth_now() - at).abs() <= self.settings.stale_seconds
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, ask: &Ask) -> Reply {
        self.now();
        self.calls.count(ask);
        self.lost = None;
        if self.strikes(ask, FaultKind::Http500).is_some() {
            return Reply::with(500, "text/html", "<html><body><h1>500 Internal Server Error</h1></body></html>".into());
        }
        if let Some(fault) = self.strikes(ask, FaultKind::Unavailable) {
            return Reply::of_gateway(&fault);
        }
        for kind in [FaultKind::RateLimited, FaultKind::ErrorBody, FaultKind::NotGranted] {
            if self.strikes(ask, kind).is_some() {
                return refusal(self, ask, kind);
            }
        }
        let mut reply = match ask.platform {
            Platform::OneLink => onelink::answer(self, ask),
            Platform::CtWing => ctwing::answer(self, ask),
            Platform::Telecom => telecom::answer(self, ask),
            Platform::Unicom => unicom::answer(self, ask),
            Platform::Jasper => jasper::answer(self, ask),
        };
        self.spoil(ask, &mut reply);
        reply
    }

    /// What can still go wrong when all is done.
    fn spoil(&mut self, ask: &Ask, reply: &mut Reply) {
        match self.lost.take() {
            Some(fault) if fault.kind == FaultKind::AppliedButUnavailable => *reply = Reply::of_gateway(&fault),
            Some(fault) => (reply.hold_ms, reply.broken) = (fault.hold_ms, true),
            None => {}
        }
        if self.strikes(ask, FaultKind::GarbageXml).is_some() {
            reply.kind = XML;
            reply.body = b"<?xml version=\"1.0\"?><root><result>0</resul\x00<\xff\xfe".to_vec();
        }
        if self.strikes(ask, FaultKind::Gbk).is_some() {
            reply.encode_gbk();
        }
        if let Some(fault) = self.strikes(ask, FaultKind::Slow) {
            reply.hold_ms += fault.hold_ms;
        }
    }

    /// Whether a fault strikes this request; for a card if the request names it in any of its ways.
    fn strikes(&mut self, ask: &Ask, kind: FaultKind) -> Option<Fault> {
        let world = &self.world;
        let names = |iccid: &str| match world.find_anywhere(iccid) {
            Some(card) => world.cards[card as usize].names().iter().any(|name| ask.mentions(name)),
            None => ask.mentions(iccid),
        };
        self.faults.take(ask.platform, kind, &ask.what(), names)
    }

    /// Whether a fault strikes one of these cards.
    fn strikes_card(&mut self, ask: &Ask, kind: FaultKind, cards: &[u32]) -> Option<Fault> {
        let world = &self.world;
        let is = |iccid: &str| world.find_anywhere(iccid).is_some_and(|card| cards.contains(&card));
        self.faults.take(ask.platform, kind, &ask.what(), is)
    }

    /// A token is found dead.
    pub(crate) fn token_is_killed(&mut self, ask: &Ask) -> bool {
        self.strikes(ask, FaultKind::TokenKilled).is_some()
    }

    /// Accepts an act on a card, or says why not.
    pub(crate) fn write(&mut self, ask: &Ask, card: u32, act: Act) -> Result<(), Refusal> {
        let soon = self.strikes_card(ask, FaultKind::TooSoon, &[card]).is_some();
        if !soon && !self.settings.overlap && self.world.now < self.world.cards[card as usize].busy_until {
            return Err(Refusal::Busy);
        }
        if soon || self.world.is_cooling(card, self.settings.cooldown_seconds) {
            return Err(Refusal::TooSoon);
        }
        act.check(self.world.card(card))?;
        let hollow = self.strikes_card(ask, FaultKind::AcceptedNeverApplied, &[card]).is_some();
        self.world.accept(card, act, self.settings.write_seconds, hollow, None);
        self.lose_answer(ask, &[card]);
        Ok(())
    }

    fn lose_answer(&mut self, ask: &Ask, cards: &[u32]) {
        let kinds = [FaultKind::AppliedButTimedOut, FaultKind::AppliedButUnavailable];
        self.lost = kinds.into_iter().find_map(|kind| self.strikes_card(ask, kind, cards));
    }

    /// Accepts acts on many cards as one job, or refuses them all because one of the cards was written to a moment ago.
    /// What else is wrong with a card is told in its row when the job is done.
    pub(crate) fn write_batch(&mut self, ask: &Ask, acts: Vec<(u32, Act)>) -> Result<String, Refusal> {
        let cards: Vec<u32> = acts.iter().map(|a| a.0).collect();
        let poisoned =
            [FaultKind::PoisonedBatch, FaultKind::TooSoon].into_iter().any(|k| self.strikes_card(ask, k, &cards).is_some());
        let seconds = self.settings.cooldown_seconds;
        if poisoned || cards.iter().any(|c| self.world.is_cooling(*c, seconds)) {
            return Err(Refusal::TooSoon);
        }
        let now = self.world.now;
        let id = format!("{}{:012}", calendar::digits_of(calendar::day_of(now)), self.world.next_number());
        self.world.jobs.insert(id.clone(), Job { at: now, rows: cards.iter().map(|c| (*c, None)).collect() });
        for (row, (card, act)) in acts.into_iter().enumerate() {
            // A row that fails is one whose card is in no state for it.
            let fails = self.strikes_card(ask, FaultKind::RowFails, &[card]).is_some();
            let act = if fails { Act::Move(Base::Replaced, Base::Replaced) } else { act };
            let hollow = self.strikes_card(ask, FaultKind::AcceptedNeverApplied, &[card]).is_some();
            self.world.accept(card, act, self.settings.write_seconds, hollow, Some((id.clone(), row)));
        }
        self.lose_answer(ask, &cards);
        Ok(id)
    }

    /// The bytes of the running cycle as the carrier shows them, `behind` seconds old.
    pub(crate) fn shown_cycle(&mut self, ask: &Ask, card: u32, behind: i64) -> u64 {
        let now = self.world.now;
        let cycle = ask.platform.cycle();
        let first = calendar::start_of(cycle.around(calendar::day_of(now)).start);
        let mut at = now - behind.clamp(0, 7200);
        if now < first + 4 * 3600 && self.strikes_card(ask, FaultKind::MonthRoll, &[card]).is_some() {
            at = first - 1;
        }
        let bytes = self.world.cycle_bytes(card, at);
        if bytes > 0 && self.strikes_card(ask, FaultKind::CounterDown, &[card]).is_some() { bytes / 2 } else { bytes }
    }
}

/// The carrier's own words for an error that the request is not to blame for.
fn refusal(house: &House, ask: &Ask, kind: FaultKind) -> Reply {
    match ask.platform {
        Platform::OneLink => onelink::refusal(kind),
        Platform::CtWing | Platform::Telecom => {
            let code = match kind {
                FaultKind::RateLimited => ct::TOO_SOON,
                FaultKind::NotGranted => ct::REFUSED,
                _ => ct::OTHER,
            };
            ct::reply(house, ask, Err((ct::form(&ask.what()), code)))
        }
        Platform::Unicom => unicom::refusal(kind),
        Platform::Jasper => jasper::refusal(kind),
    }
}
