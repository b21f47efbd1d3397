//! The virtual carrier itself, the far side of the sandbox's wire.
//!
//! Who calls: [`super::Sandbox`], once per request, with the time of the call. Promised: one live token an account, a
//! new login kills the old; a reference is taken once, and a taken one is done once, `lag_seconds` later, at that very
//! instant; a taken write cools its card. Each purchase of a package is one of its own, by its reference; or,
//! as `stacks` says, a package that a card has is not activated again, whatever the reference. Every card exists; the carrier belongs to whoever asks.
//!
//! Devices live on the same side: [`World::connect`] and [`World::spend`] are what they do. Tests also look behind the
//! counter: [`World::card`], [`World::effects`], [`World::logins`], and break things with [`World::fail`]. Nothing here reads a clock; work that is due is done when the next call brings its time.

use super::{Card, Fault, Settings};
use kachi_domain::carrier::{Ask, Card as Named, Change, Cycle, Facts, Line as Told, Login, Period, Request, Uplink, Write};
use kachi_domain::sim::BaseState;
use kachi_domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const COOLING: &str = "13009 too many writes for one card";
const OVERLOADED: &str = "the platform is overloaded";
const NOISE: &str = "<html>502</html>";

/// A virtual carrier; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct World(Arc<Mutex<State>>);

/// What comes back over the wire.
#[derive(Debug)]
pub(super) enum Reply {
    Taken,
    Done,
    AlreadySo,
    Refused { code: String, reason: String },
    Busy { seconds: i64, reason: String },
    TokenRefused,
    NeverHeard,
    Silence,
    Noise(String),
    Line(Box<Told>),
    Lines(Vec<Told>),
    Changes(Vec<Change>),
    Many(Vec<Reply>),
    Uplinks(Vec<Uplink>),
}

impl World {
    /// The next new write, of whichever card, meets this fault. Several wait their turn.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.push_back((None, fault));
    }

    /// The next new write for this card meets this fault. Several wait their turn.
    pub fn fail_card(&self, iccid: &str, fault: Fault) {
        self.lock().faults.push_back((Some(iccid.into()), fault));
    }

    /// No write and no reading meets a fault that was asked for and has not struck yet.
    pub fn calm(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.read_faults.clear();
    }

    /// The next reading of a card meets this fault. Several wait their turn.
    pub fn fail_read(&self, fault: Fault) {
        self.lock().read_faults.push_back(fault);
    }

    /// The card's device connects.
    pub fn connect(&self, iccid: &str, now: Timestamp) {
        let mut state = self.lock();
        state.run(now);
        state.line(iccid).card.connect(now);
    }

    /// The card's device uses data. The carrier's counter shows it once it is asked to be brought up to date.
    pub fn spend(&self, iccid: &str, bytes: i64, now: Timestamp) {
        let mut state = self.lock();
        state.run(now);
        state.line(iccid).card.spend(bytes, now);
    }

    /// The card is spoken with.
    pub fn speak(&self, iccid: &str, seconds: i64, now: Timestamp) {
        let mut state = self.lock();
        state.run(now);
        state.line(iccid).card.seconds += seconds;
    }

    /// The card stands here from now on, without anybody having asked for it.
    pub fn stand(&self, iccid: &str, base: BaseState, now: Timestamp) {
        let mut state = self.lock();
        state.run(now);
        let card = &mut state.line(iccid).card;
        let is_stopped = base == BaseState::Stopped;
        card.stopped = is_stopped.then_some(now);
        (card.base, card.since) = (Some(if is_stopped { BaseState::Active } else { base }), Some(now));
        state.changed.push((now, iccid.to_owned()));
    }

    /// The card is in this device.
    pub fn put_into(&self, iccid: &str, imei: &str) {
        self.lock().line(iccid).card.imei = Some(imei.to_owned());
    }

    /// The card's device writes to us.
    pub fn write_from(&self, iccid: &str, id: &str, text: &str, now: Timestamp) {
        let (id, card, to, text) = (id.to_owned(), iccid.to_owned(), String::new(), text.to_owned());
        self.lock().uplinks.push(Uplink { id, card, to, text, at: now });
    }

    /// The account's live token stops working.
    pub fn kill_token(&self, account: &str) {
        self.lock().account(account).live = None;
    }

    /// The card as it is at `now`.
    pub fn card(&self, iccid: &str, now: Timestamp) -> Card {
        let mut state = self.lock();
        state.run(now);
        state.seen(iccid)
    }

    /// How many times a write under this reference was done up to the latest call: 1 is what everybody wants.
    pub fn effects(&self, reference: &str) -> u32 {
        self.lock().effects.get(reference).copied().unwrap_or(0)
    }

    /// How many times the account logged in.
    pub fn logins(&self, account: &str) -> u64 {
        self.lock().account(account).logins
    }

    /// How many requests the account made under a live token.
    pub fn requests(&self, account: &str) -> u64 {
        self.lock().account(account).requests
    }

    pub(super) fn login(&self, terms: &Settings, now: Timestamp) -> Login {
        let mut state = self.lock();
        let account = state.account(&terms.account);
        account.logins += 1;
        let token = format!("{}-{}-{}", terms.account, terms.seed, account.logins);
        let expires = now.plus(terms.token_seconds);
        account.live = Some((token.clone(), expires));
        Login { token, expires: Some(expires) }
    }

    pub(super) fn look(&self, terms: &Settings, token: &str, request: &Request, now: Timestamp) -> Reply {
        let mut state = self.lock();
        state.run(now);
        if !state.admits(&terms.account, token, now) {
            return Reply::TokenRefused;
        }
        state.recall(&terms.account, request, now).unwrap_or(Reply::NeverHeard)
    }

    pub(super) fn read(&self, terms: &Settings, token: &str, (card, wanted): (&Named, Facts), now: Timestamp) -> Reply {
        self.question(terms, token, now, |state| Reply::Line(Box::new(state.seen(&card.iccid).told(card, wanted, now))))
    }

    pub(super) fn read_many(&self, terms: &Settings, token: &str, (cards, ask): (&[Named], Ask), now: Timestamp) -> Reply {
        self.question(terms, token, now, |state| {
            let one = |named: &Named| {
                let (card, cycle) = (state.seen(&named.iccid), Cycle::NATURAL);
                let of = |first, last| card.between(first, last);
                match ask {
                    Ask::State => Told { standing: Some(card.standing()), ..Told::default() },
                    Ask::Day(day) => Told { day: Some(Period::of_day(day, of(day, day), now)), ..Told::default() },
                    Ask::Month(month) => {
                        let bytes = of(cycle.first(month), cycle.last(month));
                        Told { month: Some(Period::of_month(cycle, month, bytes, now)), ..Told::default() }
                    }
                }
            };
            Reply::Lines(cards.iter().map(one).collect())
        })
    }

    pub(super) fn changes(&self, terms: &Settings, token: &str, day: i64, now: Timestamp) -> Reply {
        self.question(terms, token, now, |state| {
            let start = crate::china().start_of_day(day);
            let since: BTreeSet<&String> = state.changed.iter().filter(|c| c.0 >= start).map(|c| &c.1).collect();
            let change = |iccid: &String| Change {
                iccid: Some(iccid.clone()),
                msisdn: None,
                standing: Some(state.seen(iccid).standing()),
            };
            Reply::Changes(since.into_iter().map(change).collect())
        })
    }

    pub(super) fn uplinks(&self, terms: &Settings, token: &str, cards: &[Named], now: Timestamp) -> Reply {
        self.question(terms, token, now, |state| {
            let asked = |uplink: &&Uplink| cards.iter().any(|card| card.iccid == uplink.card);
            Reply::Uplinks(state.uplinks.iter().filter(asked).cloned().collect())
        })
    }

    /// A question that changes nothing, unless it meets a fault.
    fn question(&self, terms: &Settings, token: &str, now: Timestamp, tell: impl FnOnce(&State) -> Reply) -> Reply {
        let mut state = self.lock();
        state.run(now);
        if !state.admits(&terms.account, token, now) {
            return Reply::TokenRefused;
        }
        match state.read_faults.pop_front() {
            None => tell(&state),
            Some(Fault::TokenKilled) => {
                state.account(&terms.account).live = None;
                Reply::TokenRefused
            }
            Some(Fault::Overloaded { seconds }) => Reply::Busy { seconds, reason: OVERLOADED.into() },
            Some(Fault::Garbage) => Reply::Noise(NOISE.into()),
            Some(_) => Reply::Silence,
        }
    }

    pub(super) fn write(&self, terms: &Settings, token: &str, request: &Request, now: Timestamp) -> Reply {
        let mut state = self.lock();
        state.run(now);
        if !state.admits(&terms.account, token, now) {
            return Reply::TokenRefused;
        }
        let reply = state.write_one(terms, request, now);
        state.run(now);
        reply
    }

    /// Writes for many cards: one that cools down makes the carrier refuse them all.
    pub(super) fn write_many(&self, terms: &Settings, token: &str, requests: &[Request], now: Timestamp) -> Reply {
        let mut state = self.lock();
        state.run(now);
        if !state.admits(&terms.account, token, now) {
            return Reply::TokenRefused;
        }
        for request in requests {
            let iccid = &request.card.iccid;
            let begins = |(card, fault): &(Option<String>, Fault)| match fault {
                Fault::Cooling { seconds } if card.as_ref() == Some(iccid) => Some(*seconds),
                _ => None,
            };
            if let Some(seconds) = state.faults.iter().find_map(begins) {
                state.faults.retain(|fault| begins(fault).is_none());
                state.line(iccid).cool = Some(now.plus(seconds));
            }
            let known = state.recall(&terms.account, request, now).is_some();
            if let Some(end) = state.line(iccid).cool.filter(|end| !known && now < *end) {
                return Reply::Busy { seconds: end.since(now), reason: COOLING.into() };
            }
        }
        let replies = requests.iter().map(|request| state.write_one(terms, request, now)).collect();
        state.run(now);
        Reply::Many(replies)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<String, Account>,
    lines: HashMap<String, Line>,
    jobs: HashMap<Key, Job>,
    due: BTreeMap<(Timestamp, u64), Key>,
    taken: u64,
    faults: VecDeque<(Option<String>, Fault)>,
    read_faults: VecDeque<Fault>,
    effects: HashMap<String, u32>,
    changed: Vec<(Timestamp, String)>,
    uplinks: Vec<Uplink>,
}

/// A card with what the carrier keeps to itself.
#[derive(Debug, Default)]
struct Line {
    card: Card,
    cool: Option<Timestamp>,
    waiting: u32,
}

/// An account and a reference of its own.
type Key = (String, String);

#[derive(Debug, Default)]
struct Account {
    live: Option<(String, Timestamp)>,
    logins: u64,
    requests: u64,
    writes: u64,
    struck: u64,
}

#[derive(Debug)]
struct Job {
    request: Request,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    Waiting,
    Stuck { forgotten: Option<Timestamp> },
    Done,
    Refused { code: String, reason: String },
}

impl State {
    fn account(&mut self, name: &str) -> &mut Account {
        self.accounts.entry(name.into()).or_default()
    }

    /// A card as it is; one that never did anything is as any other.
    fn seen(&self, iccid: &str) -> Card {
        self.lines.get(iccid).map(|line| line.card.clone()).unwrap_or_default()
    }

    fn line(&mut self, iccid: &str) -> &mut Line {
        self.lines.entry(iccid.into()).or_default()
    }

    fn admits(&mut self, account: &str, token: &str, now: Timestamp) -> bool {
        let account = self.account(account);
        let lives = account.live.as_ref().is_some_and(|(live, end)| live == token && now < *end);
        account.requests += u64::from(lives);
        lives
    }

    fn write_one(&mut self, terms: &Settings, request: &Request, now: Timestamp) -> Reply {
        match self.recall(&terms.account, request, now) {
            Some(Reply::Done) => return Reply::AlreadySo,
            Some(known) => return known,
            None => {}
        }
        let iccid = &request.card.iccid;
        if let Some(end) = self.line(iccid).cool.filter(|end| now < *end) {
            return Reply::Busy { seconds: end.since(now), reason: COOLING.into() };
        }
        match self.fault(terms, iccid) {
            Some(fault) => self.strike(fault, terms, request, now),
            None => self.take(terms, request, now),
        }
    }

    /// Does the work that is due, in the order of its instants.
    fn run(&mut self, now: Timestamp) {
        while let Some(entry) = self.due.first_entry().filter(|e| e.key().0 <= now) {
            let ((at, _), key) = entry.remove_entry();
            let Some(job) = self.jobs.get_mut(&key) else { continue };
            job.progress = Progress::Done;
            *self.effects.entry(key.1).or_default() += 1;
            let iccid = &job.request.card.iccid;
            let line = self.lines.entry(iccid.clone()).or_default();
            line.waiting -= 1;
            let before = line.card.base();
            line.card.apply(&job.request, at);
            if line.card.base() != before {
                self.changed.push((at, iccid.clone()));
            }
        }
    }

    /// What is known of the reference. One that comes back for another act is a caller's mistake.
    fn recall(&mut self, account: &str, request: &Request, now: Timestamp) -> Option<Reply> {
        let key = (account.to_string(), request.reference.clone());
        let job = self.jobs.get(&key)?;
        if job.request != *request {
            let reason = "the reference belongs to another act".into();
            return Some(Reply::Refused { code: "11000".into(), reason });
        }
        match &job.progress {
            Progress::Stuck { forgotten: Some(end) } if *end <= now => {
                self.jobs.remove(&key);
                None
            }
            Progress::Waiting | Progress::Stuck { .. } => Some(Reply::Taken),
            Progress::Done => Some(Reply::Done),
            Progress::Refused { code, reason } => Some(Reply::Refused { code: code.clone(), reason: reason.clone() }),
        }
    }

    /// The fault this write meets: one asked for, else the settings' turn.
    fn fault(&mut self, terms: &Settings, iccid: &str) -> Option<Fault> {
        let account = self.account(&terms.account);
        account.writes += 1;
        let turn = terms.fault_every > 0 && account.writes.wrapping_add(terms.seed).is_multiple_of(terms.fault_every);
        let asked = self.faults.iter().position(|(card, _)| card.as_deref().is_none_or(|card| card == iccid));
        if let Some((_, fault)) = asked.and_then(|at| self.faults.remove(at)) {
            return Some(fault);
        }
        if !turn {
            return None;
        }
        let account = self.account(&terms.account);
        let at = account.struck.wrapping_add(terms.seed) % terms.faults.len() as u64;
        account.struck += 1;
        Some(terms.faults[at as usize].clone())
    }

    fn strike(&mut self, fault: Fault, terms: &Settings, request: &Request, now: Timestamp) -> Reply {
        match fault {
            Fault::TokenKilled => {
                self.account(&terms.account).live = None;
                Reply::TokenRefused
            }
            Fault::Cooling { seconds } => {
                self.line(&request.card.iccid).cool = Some(now.plus(seconds));
                Reply::Busy { seconds, reason: COOLING.into() }
            }
            Fault::Refused { code, reason } => {
                self.keep(terms, request, Progress::Refused { code: code.clone(), reason: reason.clone() });
                Reply::Refused { code, reason }
            }
            Fault::AppliedTimedOut => {
                self.take(terms, request, now);
                Reply::Silence
            }
            Fault::NeverApplied { forget_seconds } => {
                self.cool(terms, request, now);
                self.keep(terms, request, Progress::Stuck { forgotten: forget_seconds.map(|s| now.plus(s)) });
                Reply::Taken
            }
            Fault::Lost => Reply::Silence,
            Fault::Overloaded { seconds } => Reply::Busy { seconds, reason: OVERLOADED.into() },
            Fault::Garbage => {
                self.take(terms, request, now);
                Reply::Noise(NOISE.into())
            }
            Fault::Hollow => {
                self.cool(terms, request, now);
                self.keep(terms, request, Progress::Done);
                Reply::Taken
            }
        }
    }

    /// Takes the write, unless it is so already; behind a waiting one nobody knows yet, so it queues.
    fn take(&mut self, terms: &Settings, request: &Request, now: Timestamp) -> Reply {
        let line = self.line(&request.card.iccid);
        line.card.one_plan = terms.capabilities.one_plan;
        if line.card.one_plan && line.card.data_off && matches!(request.write, Write::LimitSpeed { kbps: Some(_) }) {
            let (code, reason) = ("data_off".to_owned(), "the card has the plan without data".to_owned());
            self.keep(terms, request, Progress::Refused { code: code.clone(), reason: reason.clone() });
            return Reply::Refused { code, reason };
        }
        if line.waiting == 0 && line.card.is_so(&request.write, terms.stacks) {
            // A purchase that is not made is not known afterwards: what the card has is another one's.
            if !matches!(request.write, Write::Subscribe { .. }) {
                self.keep(terms, request, Progress::Done);
            }
            return Reply::AlreadySo;
        }
        line.waiting += 1;
        self.cool(terms, request, now);
        self.taken += 1;
        let key = self.keep(terms, request, Progress::Waiting);
        self.due.insert((now.plus(terms.lag_seconds), self.taken), key);
        Reply::Taken
    }

    fn keep(&mut self, terms: &Settings, request: &Request, progress: Progress) -> Key {
        let key = (terms.account.clone(), request.reference.clone());
        self.jobs.insert(key.clone(), Job { request: request.clone(), progress });
        key
    }

    fn cool(&mut self, terms: &Settings, request: &Request, now: Timestamp) {
        if terms.cool_down_seconds > 0 {
            self.line(&request.card.iccid).cool = Some(now.plus(terms.cool_down_seconds));
        }
    }
}
