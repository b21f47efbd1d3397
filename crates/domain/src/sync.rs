//! Keeping up with a carrier platform: which calls come next.
//!
//! A pure plan over what is known: of each card and fact how fresh it is, and how much hangs on it. The cheapest call a card
//! comes first (a batch before single readings; where the carrier tells what changed, that instead of reading states), and
//! among calls of one price the stalest and most at risk. No fact of a card is asked for within its freshness. The feed of
//! changes tells nothing of cards that stood still, so it counts only after every card was read once.

use crate::carrier::{Ask, Capabilities, Fact, Facts, Month};
use crate::time::{DEFAULT_ZONE, Timestamp, Zone};

/// Days that carriers answer for afterwards (OneLink: the last seven).
pub const DAYS_BACK: i64 = 7;
/// Seconds of a new billing month in which carriers may still tell the last one's figures.
pub const ROLL_OVER_SECONDS: i64 = 4 * 3_600;
/// Seconds after a day's end before the walk that closes it: what changed last must be in the feed.
pub const CLOSE_SECONDS: i64 = 600;

/// What is kept up to date of each card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Where it stands.
    State,
    /// Its data of each day, once the day is over.
    Day,
    /// Its data of the billing month.
    Month,
}

impl What {
    /// All of them.
    pub const ALL: [What; 3] = [What::State, What::Day, What::Month];

    /// The word as stored.
    pub fn word(self) -> &'static str {
        match self {
            What::State => "state",
            What::Day => "day",
            What::Month => "month",
        }
    }
}

/// How fresh things are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// `sync.state_seconds`: a state read so long ago is stale; also the least wait between two walks through the feed.
    pub state_seconds: i64,
    /// `sync.month_seconds`: the same for the running month's figure, where a platform does not tell single days.
    pub month_seconds: i64,
    /// `sync.day_ready_seconds`: seconds after midnight until the day before is asked for.
    pub day_ready_seconds: i64,
    /// `sync.feed_page_seconds`: the feed's pages of a day are at most one in so many seconds, but for its last two walks.
    pub feed_page_seconds: i64,
    /// `sync.reason_requests`: requests a day at each platform, at most, for why cards are stopped; 0: none.
    pub reason_requests: i64,
    /// `sync.alert_seconds`: what has been stale for so long the operator is told of; 0: of nothing.
    pub alert_seconds: i64,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            state_seconds: 3_600,
            month_seconds: 21_600,
            day_ready_seconds: 14_400,
            feed_page_seconds: 150,
            reason_requests: 300,
            alert_seconds: 86_400,
        }
    }
}

/// How the carrier's feed of changes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// There is none: states are read.
    Absent,
    /// Every card is read once first; what was read before this instant does not count.
    Filling(Timestamp),
    /// It is enough; whether a walk is due or on its way.
    On {
        /// Now.
        due: bool,
    },
}

/// A platform and the present.
#[derive(Debug, Clone)]
pub struct Place {
    now: Timestamp,
    can: Capabilities,
    feed: Feed,
    zone: Zone,
    today: i64,
    last_day: i64,
    stale: [Option<Stale>; 3],
}

/// How much hangs on knowing a card's figures: the more, the earlier it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// It uses nothing: in stock, stopped.
    Idle = 1,
    /// In use.
    Usual = 2,
    /// A fifth or less of its allowance is left, or three days or fewer.
    Near = 4,
    /// A twentieth or less is left, or a day or less.
    Brink = 8,
}

impl Risk {
    /// Of a card that is in use or not, by the share of its allowance that is left, in thousandths, and the seconds until
    /// its package ends.
    pub fn of(in_use: bool, left_permille: Option<i64>, ends_in: Option<i64>) -> Risk {
        let below = |permille: i64, seconds: i64| {
            left_permille.is_some_and(|left| left <= permille) || ends_in.is_some_and(|end| end <= seconds)
        };
        match in_use {
            false => Risk::Idle,
            true if below(50, 86_400) => Risk::Brink,
            true if below(200, 3 * 86_400) => Risk::Near,
            true => Risk::Usual,
        }
    }
}

/// What is known of a fact of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The card.
    pub card: i64,
    /// The fact.
    pub what: What,
    /// As of when; none: never read.
    pub as_of: Option<Timestamp>,
    /// Not to be asked for before this instant: it was just asked for, and told nothing new.
    pub held_until: Option<Timestamp>,
    /// Since when we have the card.
    pub since: Timestamp,
    /// What hangs on it.
    pub risk: Risk,
}

/// What of a fact is stale: read as of before the first instant (or never), of cards that we have since before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// Read as of before.
    pub as_of: Timestamp,
    /// Ours since before.
    pub since: Timestamp,
}

/// A thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Go on with the walk through the feed, so many pages at most.
    Feed {
        /// One request each.
        pages: u32,
    },
    /// Ask one thing of these cards, the most urgent first: at once, or if it is one card that no batch can ask, alone.
    Read {
        /// What is asked.
        ask: Ask,
        /// Of which cards.
        cards: Vec<i64>,
        /// Requests that it makes, at most.
        requests: u32,
    },
}

impl Place {
    /// A platform by what its connector can do and how its feed stands.
    pub fn new(now: Timestamp, can: Capabilities, feed: Feed, terms: Terms) -> Place {
        let zone = china();
        let today = zone.day(now);
        let ready = now >= zone.start_of_day(today).plus(terms.day_ready_seconds);
        let last_day = if ready { today - 1 } else { today - 2 };
        let mut place = Place { now, can, feed, zone, today, last_day, stale: [None; 3] };
        place.stale = What::ALL.map(|what| place.is_stale(what, terms));
        place
    }

    /// What of the fact is stale now; none where the platform does not tell it, or not now.
    pub fn stale(&self, what: What) -> Option<Stale> {
        self.stale[what as usize]
    }

    fn is_stale(&self, what: What, terms: Terms) -> Option<Stale> {
        let of_any = |as_of| Some(Stale { as_of, since: Timestamp(i64::MAX) });
        let (can, month) = (self.can, self.month());
        let begin = can.cycle.start(month);
        match what {
            What::State if !can.facts.has(Fact::State) && can.batches.state == 0 => None,
            What::State => of_any(match self.feed {
                Feed::Absent => self.now.plus(1 - terms.state_seconds),
                Feed::Filling(since) => since,
                Feed::On { .. } => Timestamp(i64::MIN),
            }),
            What::Day if can.batches.day == 0 => None,
            What::Day => of_any(self.zone.start_of_day(self.last_day + 1)),
            What::Month if can.batches.month == 0 && !can.facts.any(&[Fact::Month, Fact::Counter]) => None,
            What::Month if self.now < begin.plus(ROLL_OVER_SECONDS) => None,
            // Days are told one by one: of a month only the last word is wanted, of cards that we had all along.
            What::Month if self.by_days() => Some(Stale { as_of: begin, since: can.cycle.start(month.before()).plus(1) }),
            What::Month => of_any(self.now.plus(1 - terms.month_seconds)),
        }
    }

    /// What is to be asked of a card, if anything is.
    pub fn due(&self, known: &Known) -> Option<Ask> {
        let stale = self.stale(known.what)?;
        let held = known.held_until.is_some_and(|until| self.now < until);
        if held || known.since >= stale.since || known.as_of.is_some_and(|at| at >= stale.as_of) {
            return None;
        }
        Some(match known.what {
            What::State => Ask::State,
            What::Day => {
                let next = known.as_of.map_or(self.last_day, |at| self.zone.day(at)).max(self.today - DAYS_BACK);
                Ask::Day(next.min(self.last_day))
            }
            What::Month if self.by_days() => Ask::Month(self.month().before()),
            What::Month => Ask::Month(self.month()),
        })
    }

    fn month(&self) -> Month {
        self.can.cycle.month(self.today)
    }

    fn by_days(&self) -> bool {
        self.can.batches.day > 0 && self.can.batches.month > 0
    }

    /// Cards that one call asks about.
    fn at_once(&self, ask: Ask) -> usize {
        let batches = self.can.batches;
        usize::from(match ask {
            Ask::State => batches.state,
            Ask::Day(_) => batches.day,
            Ask::Month(_) => batches.month,
        })
    }

    /// How far behind a card is, weighed by what hangs on it.
    fn urgency(&self, known: &Known) -> i64 {
        let behind = known.as_of.map_or(i64::MAX / 16, |at| self.now.since(at).clamp(0, i64::MAX / 16));
        behind.saturating_mul(known.risk as i64)
    }
}

/// The facts that a single reading of a card wants.
pub fn facts(ask: Ask) -> Facts {
    match ask {
        Ask::State => Facts::of(&[Fact::State]),
        Ask::Day(_) => Facts::of(&[Fact::Day]),
        Ask::Month(_) => Facts::of(&[Fact::Month, Fact::Counter, Fact::Voice]),
    }
}

/// What to do next, in order, with so many requests. `cost` says how many a single reading makes.
pub fn plan(place: &Place, known: &[Known], cost: &dyn Fn(Facts) -> u32, budget: u32) -> Vec<Step> {
    let mut due: Vec<(Ask, &Known)> = known.iter().filter_map(|k| Some((place.due(k)?, k))).collect();
    due.sort_by_key(|(ask, k)| (order(*ask), std::cmp::Reverse(place.urgency(k)), k.card));
    let mut calls = Vec::new();
    for of_ask in due.chunk_by(|a, b| a.0 == b.0) {
        let ask = of_ask[0].0;
        let requests = if place.at_once(ask) == 0 { cost(facts(ask).and(place.can.facts)).max(1) } else { 1 };
        for part in of_ask.chunks(place.at_once(ask).max(1)) {
            let cards: Vec<i64> = part.iter().map(|(_, k)| k.card).collect();
            let price = u64::from(requests) * 1_000_000 / cards.len() as u64;
            calls.push((price, std::cmp::Reverse(place.urgency(part[0].1)), Step::Read { ask, cards, requests }));
        }
    }
    calls.sort_by_key(|(price, urgency, _)| (*price, *urgency));
    let (mut left, mut steps) = (budget, Vec::new());
    if place.feed == (Feed::On { due: true }) && left > 0 {
        let pages = if calls.is_empty() { left } else { left.div_ceil(2) };
        left -= pages;
        steps.push(Step::Feed { pages });
    }
    for (_, _, step) in calls {
        if let Step::Read { requests, .. } = step
            && requests <= left
        {
            left -= requests;
            steps.push(step);
        }
    }
    steps
}

fn order(ask: Ask) -> (u8, i64) {
    match ask {
        Ask::State => (0, 0),
        Ask::Day(day) => (1, day),
        Ask::Month(_) => (2, 0),
    }
}

/// A walk through the feed of a day, from its first page to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// The day in China, days since 1970-01-01.
    pub day: i64,
    /// When it began.
    pub began: Timestamp,
    /// How many pages it had.
    pub pages: i64,
}

impl Walk {
    /// The day and instant of the next walk. A day is walked again and again until a walk began when it was over; how soon,
    /// depends on how much such a walk costs.
    pub fn next(self, terms: Terms) -> (i64, Timestamp) {
        let end = |day: i64| china().start_of_day(day + 1);
        let wait = terms.state_seconds.max(self.pages.saturating_mul(terms.feed_page_seconds));
        let closed = self.began >= end(self.day).plus(CLOSE_SECONDS);
        let (day, wait) = if closed { (self.day + 1, terms.state_seconds) } else { (self.day, wait) };
        let due = self.began.plus(wait);
        (day, if due >= end(day) { end(day).plus(CLOSE_SECONDS) } else { due })
    }
}

/// Whether the feed was not looked at for so long that every card is to be read again.
pub fn lost_track(day: i64, now: Timestamp) -> bool {
    china().day(now) - day > DAYS_BACK
}

/// The zone in which carriers count days.
fn china() -> Zone {
    Zone::find(DEFAULT_ZONE).expect("it is compiled in")
}
