//! How many requests a platform may be made: a bucket that fills as time passes, a number a day, and a share of both that is
//! kept for what somebody waits for.

use super::REQUESTS_MAX;
use super::cycle::china;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a request is counted in, so that a number a minute fills the bucket by whole units a second.
const SIXTIETHS: i64 = 60;
/// A bucket last filled further ahead than this was filled by a clock that was wrong.
const AHEAD_SECONDS: i64 = 60;

/// What a question to a platform is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A person or an act waits for it.
    Act,
    /// Keeping what we know up to date. It never uses the share that is kept for acts.
    Sync,
}

/// How many requests a platform takes; nothing set: as many as there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pace {
    /// Requests a minute, on average; 0: any number.
    pub per_minute: u32,
    /// Requests at once after a quiet while; counts only with a number a minute.
    pub burst: u32,
    /// Requests a day in China; 0: any number.
    pub per_day: u32,
    /// Percent of the burst and of the day that are kept for acts.
    pub kept_percent: u8,
}

impl Pace {
    /// So many a second on average and so many at once, a fifth of them kept for acts.
    pub const fn a_second(requests: u32, burst: u32) -> Pace {
        Pace { per_minute: requests * 60, burst, per_day: 0, kept_percent: 20 }
    }

    /// Of a number of requests those that are kept for acts.
    fn kept(self, of: u32) -> i64 {
        (i64::from(of) * i64::from(self.kept_percent)).div_euclid(100)
    }

    /// Requests that one question for this purpose may make at once, where the bucket is full.
    pub fn at_once(self, purpose: Purpose) -> i64 {
        let kept = if purpose == Purpose::Sync { self.kept(self.burst) } else { 0 };
        if self.per_minute == 0 { i64::from(REQUESTS_MAX) } else { (i64::from(self.burst) - kept).max(1) }
    }
}

/// Requests that were let through: so many are taken, and a call may make so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Taken from the bucket and the day; what is made of it is told by [`Bucket::settle`].
    pub taken: u32,
    /// What the call may make, at most.
    pub most: u32,
}

/// What is left of a platform's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Sixtieths of a request; less than none while more was made than was there.
    pub sixtieths: i64,
    /// When it was so.
    pub at: Timestamp,
    /// The day in China, days since 1970-01-01.
    pub day: i64,
    /// Requests of that day.
    pub today: i64,
}

impl Bucket {
    /// A full one.
    pub fn full(pace: Pace, now: Timestamp) -> Bucket {
        Bucket { sixtieths: i64::from(pace.burst) * SIXTIETHS, at: now, day: china().day(now), today: 0 }
    }

    /// Lets time pass. A clock that is a little behind another's fills nothing twice.
    fn fill(&mut self, pace: Pace, now: Timestamp) {
        let seconds = now.since(self.at);
        if seconds > 0 {
            let more = seconds.saturating_mul(i64::from(pace.per_minute));
            self.sixtieths = self.sixtieths.saturating_add(more);
            self.at = now;
        } else if seconds < -AHEAD_SECONDS {
            self.at = now;
        }
        self.sixtieths = self.sixtieths.min(i64::from(pace.burst) * SIXTIETHS);
        let day = china().day(now);
        if day > self.day || self.day > day + 1 {
            (self.day, self.today) = (day, 0);
        }
    }

    /// Takes what a question needs that makes so many requests, or says after how many seconds it may be asked again. An act
    /// takes what it needs and may turn out to have made more, which the next ones wait for; a sync takes all that is free for
    /// it, and can make no more.
    pub fn take(&mut self, pace: Pace, purpose: Purpose, requests: u32, now: Timestamp) -> Result<Grant, i64> {
        self.fill(pace, now);
        let wanted = i64::from(requests.clamp(1, REQUESTS_MAX));
        let sync = purpose == Purpose::Sync;
        let mut free = i64::from(REQUESTS_MAX);
        if pace.per_day > 0 {
            let kept = if sync { pace.kept(pace.per_day) } else { 0 };
            let left = i64::from(pace.per_day) - kept - self.today;
            if left < wanted.min(i64::from(pace.per_day) - kept).max(1) {
                return Err(china().start_of_day(self.day + 1).since(now).max(1));
            }
            free = free.min(left);
        }
        if pace.per_minute > 0 {
            let kept = if sync { pace.kept(pace.burst) } else { 0 };
            let needed = wanted.min(pace.at_once(purpose));
            let short = (kept + needed) * SIXTIETHS - self.sixtieths;
            if short > 0 {
                let a_second = i64::from(pace.per_minute);
                return Err((short + a_second - 1).div_euclid(a_second).max(1));
            }
            if sync {
                free = free.min(self.sixtieths.div_euclid(SIXTIETHS) - kept);
            }
        }
        let is_counted = pace.per_minute > 0 || pace.per_day > 0;
        let most = u32::try_from(free).unwrap_or(REQUESTS_MAX);
        let taken = match (is_counted, sync) {
            (false, _) => 0,
            (true, true) => most,
            (true, false) => u32::try_from(wanted).unwrap_or(1).min(most),
        };
        self.spend(pace, i64::from(taken));
        Ok(Grant { taken, most })
    }

    /// Puts right what was taken by what was made.
    pub fn settle(&mut self, pace: Pace, taken: u32, made: u32, now: Timestamp) {
        self.fill(pace, now);
        self.spend(pace, i64::from(made) - i64::from(taken));
    }

    fn spend(&mut self, pace: Pace, requests: i64) {
        if pace.per_minute > 0 {
            self.sixtieths = (self.sixtieths - requests * SIXTIETHS).min(i64::from(pace.burst) * SIXTIETHS);
        }
        // What was taken on a day that is over is no part of this one.
        self.today = (self.today + requests).max(0);
    }

    /// Whether anything is counted at all.
    pub fn counts(pace: Pace) -> bool {
        pace.per_minute > 0 || pace.per_day > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_773_115_200); // 2026-03-10 12:00 in China
    const PACE: Pace = Pace { per_minute: 60, burst: 10, per_day: 0, kept_percent: 20 };

    fn grant(taken: u32, most: u32) -> Result<Grant, i64> {
        Ok(Grant { taken, most })
    }

    #[test]
    fn nothing_set_is_any_number() {
        let mut bucket = Bucket::full(Pace::default(), NOON);
        for _ in 0..1_000 {
            assert_eq!(bucket.take(Pace::default(), Purpose::Sync, 8, NOON), grant(0, REQUESTS_MAX));
        }
        assert_eq!((bucket.today, Bucket::counts(Pace::default()), Bucket::counts(PACE)), (0, false, true));
    }

    #[test]
    fn a_bucket_gives_what_it_holds_and_fills_as_time_passes() {
        let mut bucket = Bucket::full(PACE, NOON);
        for _ in 0..10 {
            assert_eq!(bucket.take(PACE, Purpose::Act, 1, NOON), grant(1, REQUESTS_MAX));
        }
        assert_eq!(bucket.take(PACE, Purpose::Act, 1, NOON), Err(1), "one a second");
        assert_eq!(bucket.take(PACE, Purpose::Act, 5, NOON.plus(2)), Err(3), "two are there");
        assert_eq!(bucket.take(PACE, Purpose::Act, 5, NOON.plus(5)), grant(5, REQUESTS_MAX));
        assert_eq!(
            bucket.take(PACE, Purpose::Act, 99, NOON.plus(3600)),
            grant(99, REQUESTS_MAX),
            "a full one gives more than it holds"
        );
        assert_eq!(bucket.take(PACE, Purpose::Act, 1, NOON.plus(3600)), Err(90), "which the next ones wait for");
    }

    #[test]
    fn a_sync_leaves_what_is_kept_for_acts() {
        let mut bucket = Bucket::full(PACE, NOON);
        assert_eq!(bucket.take(PACE, Purpose::Sync, 1, NOON), grant(8, 8), "all but a fifth");
        assert_eq!(bucket.take(PACE, Purpose::Sync, 1, NOON), Err(1));
        assert_eq!(bucket.take(PACE, Purpose::Act, 2, NOON), grant(2, REQUESTS_MAX), "which an act has");
        bucket.settle(PACE, 8, 3, NOON);
        assert_eq!(bucket.take(PACE, Purpose::Sync, 4, NOON), Err(1), "five are left, two of them kept");
        assert_eq!(bucket.take(PACE, Purpose::Sync, 3, NOON), grant(3, 3));
        assert_eq!(bucket.take(PACE, Purpose::Sync, 99, NOON.plus(7)), Err(1), "what costs more waits for all there is");
        assert_eq!(bucket.take(PACE, Purpose::Sync, 99, NOON.plus(8)), grant(8, 8));
    }

    #[test]
    fn what_was_made_beyond_what_was_taken_is_waited_for() {
        let mut bucket = Bucket::full(PACE, NOON);
        assert_eq!(bucket.take(PACE, Purpose::Act, 1, NOON), grant(1, REQUESTS_MAX));
        bucket.settle(PACE, 1, 15, NOON);
        assert_eq!(bucket.take(PACE, Purpose::Act, 1, NOON), Err(6));
        assert_eq!(bucket.take(PACE, Purpose::Act, 1, NOON.plus(6)), grant(1, REQUESTS_MAX));
        bucket.settle(PACE, 50, 0, NOON.plus(6));
        assert_eq!(bucket.sixtieths, 600, "it never holds more than the burst");
    }

    #[test]
    fn a_day_has_its_number_and_ends_at_midnight_in_china() {
        let pace = Pace { per_minute: 0, burst: 0, per_day: 10, kept_percent: 50 };
        let mut bucket = Bucket::full(pace, NOON);
        assert_eq!(bucket.take(pace, Purpose::Sync, 1, NOON), grant(5, 5));
        assert_eq!(bucket.take(pace, Purpose::Sync, 1, NOON), Err(43_200), "until midnight");
        assert_eq!(bucket.take(pace, Purpose::Act, 4, NOON), grant(4, 5));
        assert_eq!(bucket.take(pace, Purpose::Act, 4, NOON), Err(43_200));
        assert_eq!(bucket.take(pace, Purpose::Act, 1, NOON), grant(1, 1));
        assert_eq!(bucket.take(pace, Purpose::Act, 1, NOON.plus(43_200)), grant(1, 10));
        assert_eq!(bucket.today, 1);
    }

    #[test]
    fn a_clock_that_is_behind_fills_nothing_twice_and_a_wrong_one_stops_nobody() {
        let mut bucket = Bucket::full(PACE, NOON);
        let mut taken = 0;
        for n in 0..100 {
            // Two processes, one of them two seconds behind, for twenty seconds.
            let now = NOON.plus(n / 5 - if n % 2 == 0 { 0 } else { 2 });
            taken += i64::from(bucket.take(PACE, Purpose::Act, 1, now).is_ok());
        }
        assert!(taken <= 10 + 20, "{taken}");
        bucket.at = NOON.plus(86_400);
        assert!(bucket.take(PACE, Purpose::Act, 10, NOON).is_err(), "it was empty");
        assert!(bucket.take(PACE, Purpose::Act, 10, NOON.plus(10)).is_ok());
    }
}
