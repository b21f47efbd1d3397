//! Who of those that are called again and again has begun to fail, and who is back: for a log that tells each once and not at
//! every try, and whose last word is never wrong. What is known here is this process's own and is learned anew after a start.

use kachi_domain::Timestamp;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

/// Tries that failed one after the other, after which it counts.
const FAILS_AFTER: u32 = 3;
/// One that fails again within so many seconds comes and goes, and fills no log: how it stands is told when it has stood so for as
/// long, and once in as long that it still comes and goes.
pub const STEADY_SECONDS: i64 = 600;

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As it should.
    Well,
    /// It failed, and the next one may not.
    Badly,
    /// It failed in a way that only a person mends: it counts at once.
    ForAPerson,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has begun to fail.
    Fails,
    /// It is back, after so many seconds from the first failure on.
    Back(i64),
    /// It fails again: it comes and goes, and has begun to fail so often since that was last told.
    ComesAndGoes(u32),
}

/// What was last told of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Good,
    Fails,
    ComesAndGoes,
}

#[derive(Debug)]
struct Run {
    failures: u32,
    /// The first failure since it was last told to be good.
    since: Timestamp,
    is_failing: bool,
    /// When it last began to fail, or came back.
    turned_at: Option<Timestamp>,
    told: Told,
    /// When it was last told that it fails, or that it comes and goes.
    told_at: Option<Timestamp>,
    /// How often it has begun to fail since then.
    times: u32,
}

impl Run {
    /// What is to be told of it now that it has turned, or has not.
    fn tell(&mut self, turned: bool, now: Timestamp) -> Option<Turn> {
        let lately = |at: Option<Timestamp>| at.is_some_and(|at| (0..STEADY_SECONDS).contains(&now.since(at)));
        if turned {
            self.turned_at = Some(now);
            self.times += u32::from(self.is_failing);
        }
        let turn = match (self.told, self.is_failing) {
            (Told::Good, false) | (Told::Fails, true) => return None,
            (Told::Good, true) if lately(self.told_at) => Turn::ComesAndGoes(self.times),
            (Told::Good, true) => Turn::Fails,
            (Told::Fails, false) => Turn::Back(now.since(self.since)),
            (Told::ComesAndGoes, true) if turned && !lately(self.told_at) => Turn::ComesAndGoes(self.times),
            (Told::ComesAndGoes, _) if lately(self.turned_at) => return None,
            (Told::ComesAndGoes, true) => Turn::Fails,
            (Told::ComesAndGoes, false) => Turn::Back(now.since(self.since)),
        };
        self.told = match turn {
            Turn::Fails => Told::Fails,
            Turn::Back(_) => Told::Good,
            Turn::ComesAndGoes(_) => Told::ComesAndGoes,
        };
        if self.told != Told::Good {
            (self.told_at, self.times) = (Some(now), 0);
        }
        Some(turn)
    }
}

/// Those that failed lately.
#[derive(Debug)]
pub struct Failing<K>(Mutex<HashMap<K, Run>>);

impl<K> Default for Failing<K> {
    fn default() -> Failing<K> {
        Failing(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Failing<K> {
    /// Notes how a try ended; the answer is what is to be told now.
    pub fn note(&self, of: &K, ended: Ended, now: Timestamp) -> Option<Turn> {
        let mut all = self.0.lock().expect("no panic while it is held");
        if ended == Ended::Well {
            let run = all.get_mut(of)?;
            run.failures = 0;
            let turned = std::mem::take(&mut run.is_failing);
            return run.tell(turned, now);
        }
        let new = Run { failures: 0, since: now, is_failing: false, turned_at: None, told: Told::Good, told_at: None, times: 0 };
        let run = all.entry(of.clone()).or_insert(new);
        if run.failures == 0 && run.told == Told::Good {
            run.since = now;
        }
        run.failures = run.failures.saturating_add(if ended == Ended::ForAPerson { FAILS_AFTER } else { 1 });
        let turned = run.failures >= FAILS_AFTER && !run.is_failing;
        run.is_failing |= turned;
        run.tell(turned, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_is_told_once_and_once_when_it_is_back() {
        let failing = Failing::default();
        let note = |ended, at| failing.note(&7, ended, Timestamp(at));
        assert_eq!((note(Ended::Well, 0), note(Ended::Badly, 1), note(Ended::Badly, 2)), (None, None, None));
        assert_eq!((note(Ended::Well, 3), note(Ended::Badly, 4), note(Ended::Badly, 5)), (None, None, None), "it began anew");
        assert_eq!(
            (note(Ended::Badly, 6), note(Ended::Badly, 7), note(Ended::ForAPerson, 9_000)),
            (Some(Turn::Fails), None, None)
        );
        assert_eq!(failing.note(&8, Ended::ForAPerson, Timestamp(9)), Some(Turn::Fails), "another, at once");
        assert_eq!((note(Ended::Well, 9_004), note(Ended::Well, 9_005)), (Some(Turn::Back(9_000)), None));
    }

    /// Each second it fails and comes back; what is told of it.
    fn flaps(failing: &Failing<u8>, seconds: std::ops::Range<i64>) -> Vec<Turn> {
        let tries = seconds.flat_map(|at| [(Ended::ForAPerson, at), (Ended::Well, at)]);
        tries.filter_map(|(ended, at)| failing.note(&7, ended, Timestamp(at))).collect()
    }

    #[test]
    fn one_that_comes_and_goes_is_told_as_that_once_in_ten_minutes() {
        let failing = Failing::default();
        assert_eq!(flaps(&failing, 1_000..1_601), [Turn::Fails, Turn::Back(0), Turn::ComesAndGoes(1)]);
        assert_eq!(flaps(&failing, 1_601..2_201), [Turn::ComesAndGoes(600)]);
        assert_eq!(flaps(&failing, 0..1), [Turn::ComesAndGoes(600)], "a clock that was ahead hides nothing");
    }

    #[test]
    fn what_was_told_last_is_how_it_stands() {
        for ends_well in [true, false] {
            let failing = Failing::default();
            let note = |ended, at| failing.note(&7, ended, Timestamp(at));
            assert_eq!((note(Ended::ForAPerson, 0), note(Ended::Well, 10)), (Some(Turn::Fails), Some(Turn::Back(10))));
            assert_eq!(note(Ended::ForAPerson, 20), Some(Turn::ComesAndGoes(1)), "it is not as the log says: that is told");
            let (ended, told) = match ends_well {
                true => (Ended::Well, Turn::Back(630 - 20)),
                false => (Ended::Badly, Turn::Fails),
            };
            let from = if ends_well { 30 } else { 20 };
            let until: Vec<_> = (from..from + STEADY_SECONDS).filter_map(|at| note(ended, at)).collect();
            assert_eq!((until, note(ended, from + STEADY_SECONDS)), (Vec::new(), Some(told)), "once it has stood so for long");
            assert_eq!(note(ended, 9_000), None);
            let (other, told) = match ends_well {
                true => (Ended::ForAPerson, Turn::Fails),
                false => (Ended::Well, Turn::Back(9_001 - 20)),
            };
            assert_eq!(note(other, 9_001), Some(told), "and from then on at once");
        }
    }
}
