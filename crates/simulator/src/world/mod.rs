//! The one world of cards behind all five carriers. Nothing in it runs by itself: a card is brought up to an instant when
//! somebody asks for it or changes it, and writes under way happen at their own instants before anybody sees a later one.

pub(crate) mod acts;
mod card;
mod make;
mod records;
pub(crate) mod usage;

pub use card::{Base, Card, Change, CutOff, Edit, Offer, Session, Sms, Stop};
pub use records::Record;

use crate::Platform;
use crate::calendar::{self, Day};
use crate::settings::Settings;
use crate::traffic::{Burst, draw};
use acts::{Job, Pending};
use records::Records;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use usage::Counted;

/// An allowance that cards share.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) number: String,
    pub(crate) platform: Platform,
    pub(crate) bytes: u64,
    pub(crate) members: BTreeSet<u32>,
}

/// What happens at an instant by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A write that was accepted takes effect.
    Write(u64),
    /// A message reaches its card.
    Deliver(u32, u64),
    /// The CDR files of the hour that ends at this instant.
    Files(i64),
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: i64,
    pub(crate) cards: Vec<Card>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) jobs: HashMap<String, Job>,
    names: HashMap<String, u32>,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    pendings: HashMap<u64, Pending>,
    changed: BTreeMap<(Platform, Day), BTreeSet<u32>>,
    records: Records,
    numbers: u64,
}

impl World {
    /// A world as the settings describe it; two equal settings make equal worlds.
    pub(crate) fn new(settings: &Settings) -> Result<World, String> {
        let mut world = World {
            seed: settings.seed,
            now: settings.start,
            cards: Vec::new(),
            pools: Vec::new(),
            jobs: HashMap::new(),
            names: HashMap::new(),
            events: BinaryHeap::new(),
            pendings: HashMap::new(),
            changed: BTreeMap::new(),
            records: Records::new(settings),
            numbers: 0,
        };
        make::populate(&mut world, settings)?;
        if settings.cdr_dir.is_some() {
            let end = (settings.start.div_euclid(3600) + 1) * 3600;
            world.at(end + settings.cdr_seconds, Event::Files(end));
        }
        Ok(world)
    }

    /// A number that was not given out yet.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn at(&mut self, at: i64, event: Event) {
        let number = self.next_number();
        self.events.push(Reverse((at, number, event)));
    }

    /// Brings the world up to an instant: all that is due happens, each at its own.
    pub(crate) fn catch_up(&mut self, now: i64) {
        while self.events.peek().is_some_and(|Reverse((at, _, _))| *at <= now) {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = self.now.max(at);
            match event {
                Event::Write(number) => self.take_effect(number),
                Event::Deliver(card, number) => self.deliver(card, number),
                Event::Files(end) => {
                    self.write_files(end);
                    let later = self.records.file_seconds();
                    self.at(end + 3600 + later, Event::Files(end + 3600));
                }
            }
        }
        self.now = self.now.max(now);
    }

    /// The card of a platform that bears the name: ICCID (with or without its last digit), MSISDN or IMSI.
    pub(crate) fn find(&self, platform: Platform, name: &str) -> Option<u32> {
        let number = *self.names.get(name.to_ascii_uppercase().as_str())?;
        (self.cards[number as usize].platform == platform).then_some(number)
    }

    /// The card of any platform.
    pub(crate) fn find_anywhere(&self, name: &str) -> Option<u32> {
        self.names.get(name.to_ascii_uppercase().as_str()).copied()
    }

    /// The card as of now.
    pub(crate) fn card(&mut self, number: u32) -> &Card {
        self.settle(number, self.now);
        &self.cards[number as usize]
    }

    fn settle(&mut self, number: u32, to: i64) {
        let records = &mut self.records;
        usage::settle(&mut self.cards[number as usize], self.seed, to, |card, counted| records.keep(card, counted));
    }

    /// Changes a card: up to now it was as it was, and from now on it is as it is. What follows from the change (history,
    /// session, the feed of changes) follows.
    pub(crate) fn change<T>(&mut self, number: u32, change: impl FnOnce(&mut Card) -> T) -> T {
        self.settle(number, self.now);
        let (seed, now) = (self.seed, self.now);
        let card = &mut self.cards[number as usize];
        let before = card.base;
        let mut next = card.clone();
        let answer = change(&mut next);
        if next.base == Base::Active && !next.stops.is_empty() {
            next.base = Base::Stopped;
        }
        next.modified = now;
        let (had, has) = (session_key(card), session_key(&next));
        if had != has {
            let records = &mut self.records;
            usage::cut_short(card, seed, now, |card, counted| records.keep(card, counted));
            begin_session(&mut next, has, seed, now);
        }
        next.usage = std::mem::take(&mut card.usage);
        *card = next;
        if card.base != before {
            if card.base == Base::Active {
                card.activated.get_or_insert(now);
            }
            card.changes.push(Change { at: now, from: before, to: card.base });
            let key = (card.platform, calendar::day_of(now));
            self.changed.entry(key).or_default().insert(number);
        }
        self.deliver_waiting(number);
        answer
    }

    /// The cards of a platform whose state changed on a day, in their order.
    pub(crate) fn changed_on(&self, platform: Platform, day: Day) -> Vec<u32> {
        self.changed.get(&(platform, day)).into_iter().flatten().copied().collect()
    }

    /// The card uses so many bytes at this moment, if it can use the network.
    pub(crate) fn use_bytes(&mut self, number: u32, bytes: u64) {
        self.settle(number, self.now);
        let (now, records) = (self.now, &mut self.records);
        let card = &mut self.cards[number as usize];
        if card.online {
            let burst = Burst { start: (now - 60).max(card.online_since.min(now)), stop: now, bytes };
            usage::count(card, burst, &mut |card: &Card, counted: Counted| records.keep(card, counted));
        }
    }

    /// A pool of a platform by its number.
    pub(crate) fn pool(&self, platform: Platform, number: &str) -> Option<u32> {
        let at = self.pools.iter().position(|p| p.platform == platform && p.number == number)?;
        u32::try_from(at).ok()
    }

    /// True bytes that a pool's members have used in the running cycle.
    pub(crate) fn pool_bytes(&mut self, pool: u32) -> u64 {
        let members: Vec<u32> = self.pools[pool as usize].members.iter().copied().collect();
        members.into_iter().map(|m| self.cycle_bytes(m, self.now)).sum()
    }

    /// Bytes of the card's cycle that ran at `at`, as they stood then.
    pub(crate) fn cycle_bytes(&mut self, number: u32, at: i64) -> u64 {
        let card = self.card(number);
        card.usage.cycle_as_of(card.platform.cycle(), at)
    }

    /// A message for the card, which has it a second later if it can be reached then.
    pub(crate) fn send_sms(&mut self, number: u32, text: &str) -> u64 {
        let id = self.next_number();
        let now = self.now;
        self.cards[number as usize].sms.push(Sms { id, at: now, text: text.into(), from_card: false, delivered: None });
        self.at(now + 1, Event::Deliver(number, id));
        id
    }

    /// A message that the card sends.
    pub(crate) fn receive_sms(&mut self, number: u32, text: &str) -> u64 {
        let (id, now) = (self.next_number(), self.now);
        let card = &mut self.cards[number as usize];
        card.usage.count_sms(now);
        card.sms.push(Sms { id, at: now, text: text.into(), from_card: true, delivered: Some(now) });
        id
    }

    fn deliver(&mut self, number: u32, id: u64) {
        let now = self.now;
        let card = &mut self.cards[number as usize];
        if !reachable(card) {
            return;
        }
        if let Some(sms) = card.sms.iter_mut().find(|s| s.id == id && s.delivered.is_none()) {
            sms.delivered = Some(now);
            card.usage.count_sms(now);
        }
    }

    /// What waited for the card to come back is delivered.
    fn deliver_waiting(&mut self, number: u32) {
        let card = &self.cards[number as usize];
        if reachable(card) {
            let due = |s: &&Sms| s.delivered.is_none() && s.at < self.now;
            for id in card.sms.iter().filter(due).map(|s| s.id).collect::<Vec<_>>() {
                self.deliver(number, id);
            }
        }
    }
}

fn reachable(card: &Card) -> bool {
    card.powered && !card.sms_off && matches!(card.base, Base::Active | Base::Testing)
}

/// What a session depends on: it ends when any of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SessionKey {
    online: bool,
    apn: String,
    imei: String,
    resets: u32,
}

fn session_key(card: &Card) -> SessionKey {
    SessionKey {
        online: card.powered && card.may_use_data(),
        apn: card.apn().to_owned(),
        imei: card.imei.clone(),
        resets: card.sessions,
    }
}

/// The device comes into the network, or leaves it.
fn begin_session(card: &mut Card, key: SessionKey, seed: u64, now: i64) {
    card.online = key.online;
    if !key.online {
        card.session = None;
        return;
    }
    card.online_since = now;
    card.sessions += 1;
    let dice = draw(seed, u64::from(card.number), 1000 + u64::from(card.sessions));
    card.session = Some(Session {
        ip: format!("10.{}.{}.{}", dice % 256, (dice >> 8) % 256, 1 + (dice >> 16) % 254),
        since: now,
        apn: card.apn().to_owned(),
        rat: if u64::from(card.number) % 10 == 9 { 8 } else { 6 },
    });
}
