//! A card's state as bytes: a version, then variable-length integers. A card with one running package takes about 50
//! bytes, a seventh of its JSON, and states are kept for millions of cards.
//!
//! Instants are written as the distance to `now`, which is short; the distance wraps, so every value survives.

use super::{CardState, Live, PackageBlock, PoolStand, Position, Stake};
use crate::ids::{OrderId, PackageId, SubscriptionId};
use crate::package::{Category, Kind, Resource, Terms, Window};
use crate::time::{Span, Timestamp, Zone};

/// A card in no pool.
const VERSION: u8 = 1;
/// A card in a pool: how that stands follows the last input.
const POOLED: u8 = 2;
/// A card with a stake: what follows the last input is whether it is also in a pool, how that stands, its stake.
const STAKED: u8 = 3;
/// Added by every program that counts how often the card was stopped: that comes before its packages.
const COUNTED: u8 = 4;
const RUNNING: u8 = 1;
const REFILL: u8 = 2;
const SLOW: u8 = 4;
const MOVED: u8 = 8;
const ZONED: u8 = 16;

/// The stored number of each word. Numbers are never given out anew: kept bytes carry them.
const KINDS: &[(u8, Kind)] = &[(1, Kind::Quota), (2, Kind::Time), (3, Kind::Throttled)];
const CATEGORIES: &[(u8, Category)] = &[
    (1, Category::Month),
    (2, Category::Long),
    (3, Category::TopUp),
    (4, Category::Safety),
    (5, Category::Test),
    (6, Category::IdleHours),
    (7, Category::Postpaid),
];
const RESOURCES: &[(u8, Resource)] = &[(1, Resource::Data), (2, Resource::Voice), (3, Resource::Nb), (4, Resource::Sms)];
const WINDOWS: &[(u8, Window)] = &[(1, Window::Whole), (2, Window::CalendarMonth)];
const BLOCKS: &[(u8, Option<PackageBlock>)] = &[
    (0, None),
    (1, Some(PackageBlock::NoPackage)),
    (2, Some(PackageBlock::Quota)),
    (3, Some(PackageBlock::Expired)),
    (4, Some(PackageBlock::PoolExhausted)),
];

impl CardState {
    /// The state in its compact stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer { bytes: Vec::with_capacity(24 + 32 * self.live.len()), now: self.now };
        let version = match (self.pool, self.stake) {
            (_, Some(_)) => STAKED,
            (Some(_), None) => POOLED,
            (None, None) => VERSION,
        };
        w.bytes.push(version | COUNTED);
        w.signed(self.now.0);
        w.bytes.push(code(BLOCKS, self.block) << 4 | code(BLOCKS, self.told));
        w.bytes.push(u8::from(self.last.is_some()));
        if let Some(Position(at, class, first, second)) = self.last {
            w.instant(at);
            w.bytes.push(class);
            w.instant(Timestamp(first));
            w.signed(second);
        }
        if self.stake.is_some() {
            w.bytes.push(u8::from(self.pool.is_some()));
        }
        if let Some(pool) = self.pool {
            w.instant(pool.until);
            w.signed(pool.last.0);
        }
        if let Some(stake) = self.stake {
            w.signed(stake.package.0);
            w.bytes.push(u8::from(stake.capped) << 1 | u8::from(stake.until.is_some()));
            stake.until.into_iter().for_each(|until| w.instant(until));
        }
        w.signed(self.ended_bytes);
        w.signed(self.outflow_bytes);
        w.unsigned(u64::from(self.stops));
        w.unsigned(self.live.len() as u64);
        for live in &self.live {
            w.live(live);
        }
        w.bytes
    }

    /// The last input of a state as [`CardState::to_bytes`] wrote it, without reading the rest.
    pub fn last_in(bytes: &[u8]) -> Result<Option<Position>, String> {
        let mut r = Reader { rest: bytes, now: Timestamp(0) };
        r.byte()?;
        r.now = Timestamp(r.signed()?);
        r.byte()?;
        r.last()
    }

    /// Reads what [`CardState::to_bytes`] wrote; the error says what is wrong with the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<CardState, String> {
        let mut r = Reader { rest: bytes, now: Timestamp(0) };
        let written = r.byte()?;
        let (version, counted) = (written & !COUNTED, written & COUNTED != 0);
        if !(VERSION..=STAKED).contains(&version) {
            let newest = STAKED | COUNTED;
            return Err(format!("card state: version {written} is not known, this program reads versions {VERSION} to {newest}"));
        }
        r.now = Timestamp(r.signed()?);
        let blocks = r.byte()?;
        let last = r.last()?;
        let pooled = version == POOLED || version == STAKED && r.flag(1)? == 1;
        let pool = match pooled {
            true => Some(PoolStand { until: r.instant()?, last: SubscriptionId(r.signed()?) }),
            false => None,
        };
        let stake = if version == STAKED { Some(r.stake()?) } else { None };
        let (ended_bytes, outflow_bytes) = (r.signed()?, r.signed()?);
        let (block, told) = (word(BLOCKS, blocks >> 4)?, word(BLOCKS, blocks & 15)?);
        // Written before stops were counted, by a card in one of them: that is its first.
        let uncounted = u32::from(told.is_some_and(|of| of != PackageBlock::NoPackage));
        let stops = if counted { r.stops()? } else { uncounted };
        let live = r.lives()?;
        if !r.rest.is_empty() {
            return Err(format!("card state: {} bytes too many", r.rest.len()));
        }
        let mut state = CardState { now: r.now, last, live, pool, stake, block, told, stops, ended_bytes, outflow_bytes };
        state.mark_staked();
        Ok(state)
    }
}

fn code<T: Copy + PartialEq>(table: &[(u8, T)], word: T) -> u8 {
    table.iter().find(|(_, w)| *w == word).expect("each word has a number").0
}

fn word<T: Copy>(table: &[(u8, T)], code: u8) -> Result<T, String> {
    let found = table.iter().find(|(c, _)| *c == code);
    found.map(|(_, w)| *w).ok_or_else(|| format!("card state: {code} is not the number of a word"))
}

struct Writer {
    bytes: Vec<u8>,
    now: Timestamp,
}

impl Writer {
    fn unsigned(&mut self, mut n: u64) {
        while n >= 128 {
            self.bytes.push(n as u8 | 128);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }

    /// Small numbers of either sign are short.
    fn signed(&mut self, n: i64) {
        self.unsigned((n << 1 ^ n >> 63) as u64);
    }

    fn instant(&mut self, at: Timestamp) {
        self.signed(at.0.wrapping_sub(self.now.0));
    }

    fn live(&mut self, live: &Live) {
        let terms = &live.terms;
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        self.signed(live.id.0);
        self.signed(live.package.0);
        self.signed(live.order.0);
        self.bytes.push(code(KINDS, terms.kind) << 4 | code(CATEGORIES, terms.category));
        self.bytes.push(code(RESOURCES, terms.resource) << 4 | code(WINDOWS, terms.window));
        let running = flag(live.running.is_some(), RUNNING) | flag(live.refill.is_some(), REFILL);
        let moved = flag(live.left_seconds.is_some(), MOVED) | flag(live.zone.is_some(), ZONED);
        self.bytes.push(running | flag(live.slow, SLOW) | moved);
        self.signed(terms.allowance);
        self.unsigned(match terms.validity {
            Span::Days(n) => u64::from(n) << 1,
            Span::Months(n) => u64::from(n) << 1 | 1,
        });
        self.instant(live.eligible);
        if let Some((start, end)) = live.running {
            self.instant(start);
            self.instant(end);
        }
        if let Some(refill) = live.refill {
            self.instant(refill);
        }
        if let Some(left) = live.left_seconds {
            self.signed(left);
        }
        if let Some(zone) = &live.zone {
            self.unsigned(zone.name().len() as u64);
            self.bytes.extend(zone.name().bytes());
        }
        self.signed(live.window_used);
        self.signed(live.used.wrapping_sub(live.window_used));
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    now: Timestamp,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.rest.split_first().ok_or("card state: the bytes end too early")?;
        self.rest = rest;
        Ok(*first)
    }

    fn unsigned(&mut self) -> Result<u64, String> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 127);
            if part << shift >> shift != part {
                break;
            }
            n |= part << shift;
            if byte < 128 {
                return Ok(n);
            }
        }
        Err("card state: a number is longer than 64 bits".to_string())
    }

    fn signed(&mut self) -> Result<i64, String> {
        let n = self.unsigned()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    fn instant(&mut self) -> Result<Timestamp, String> {
        Ok(Timestamp(self.signed()?.wrapping_add(self.now.0)))
    }

    fn last(&mut self) -> Result<Option<Position>, String> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(Position(self.instant()?, self.byte()?, self.instant()?.0, self.signed()?))),
            other => Err(format!("card state: {other} is neither yes nor no")),
        }
    }

    /// A byte of flags, none above `most`.
    fn flag(&mut self, most: u8) -> Result<u8, String> {
        self.byte().and_then(|b| if b > most { Err(format!("card state: {b} is not a set of flags")) } else { Ok(b) })
    }

    fn stops(&mut self) -> Result<u32, String> {
        let n = self.unsigned()?;
        u32::try_from(n).map_err(|_| format!("card state: {n} is not how often a card was stopped"))
    }

    fn stake(&mut self) -> Result<Stake, String> {
        let package = PackageId(self.signed()?);
        let flags = self.flag(3)?;
        let until = if flags & 1 == 1 { Some(self.instant()?) } else { None };
        Ok(Stake { package, until, capped: flags & 2 == 2 })
    }

    fn lives(&mut self) -> Result<Vec<Live>, String> {
        let count = self.unsigned()?;
        let mut lives: Vec<Live> = Vec::new();
        for _ in 0..count {
            let live = self.live()?;
            if lives.last().is_some_and(|before| before.id >= live.id) {
                return Err("card state: subscriptions are not in the order bought".to_string());
            }
            lives.push(live);
        }
        Ok(lives)
    }

    fn live(&mut self) -> Result<Live, String> {
        let id = SubscriptionId(self.signed()?);
        let (package, order) = (PackageId(self.signed()?), OrderId(self.signed()?));
        let (first, second, flags) = (self.byte()?, self.byte()?, self.byte()?);
        if flags & !(RUNNING | REFILL | SLOW | MOVED | ZONED) != 0 {
            return Err(format!("card state: {flags} is not a set of flags"));
        }
        let terms = Terms {
            kind: word(KINDS, first >> 4)?,
            category: word(CATEGORIES, first & 15)?,
            resource: word(RESOURCES, second >> 4)?,
            allowance: self.signed()?,
            validity: self.span()?,
            window: word(WINDOWS, second & 15)?,
        };
        let eligible = self.instant()?;
        let running = if flags & RUNNING == 0 { None } else { Some((self.instant()?, self.instant()?)) };
        let refill = if flags & REFILL == 0 { None } else { Some(self.instant()?) };
        let left_seconds = if flags & MOVED == 0 { None } else { Some(self.signed()?) };
        let zone = if flags & ZONED == 0 { None } else { Some(self.zone()?) };
        let window_used = self.signed()?;
        let used = self.signed()?.wrapping_add(window_used);
        let slow = flags & SLOW != 0;
        Ok(Live {
            id,
            package,
            order,
            terms,
            eligible,
            running,
            refill,
            window_used,
            used,
            left_seconds,
            zone,
            slow,
            staked: false,
        })
    }

    fn zone(&mut self) -> Result<Zone, String> {
        let length = usize::try_from(self.unsigned()?).unwrap_or(usize::MAX);
        let (name, rest) = self.rest.split_at_checked(length).ok_or("card state: the bytes end too early")?;
        self.rest = rest;
        let name = std::str::from_utf8(name).map_err(|e| format!("card state: {e}"))?;
        Zone::find(name).map_err(|e| format!("card state: {e}"))
    }

    fn span(&mut self) -> Result<Span, String> {
        let n = self.unsigned()?;
        let count = u32::try_from(n >> 1).map_err(|_| "card state: a validity is too long".to_string())?;
        Ok(if n & 1 == 0 { Span::Days(count) } else { Span::Months(count) })
    }
}
