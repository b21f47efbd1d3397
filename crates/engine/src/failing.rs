//! Who of those that are called again and again has begun to fail, and who is back: for a log that tells each once and not at
//! every try. What is known here is this process's own and is learned anew after a start.

use kachi_domain::Timestamp;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

/// Tries that failed one after the other, after which it counts.
const FAILS_AFTER: u32 = 3;
/// Seconds in which one that failed and came back is not told a second time: one that fails now and then fills no log.
const TOLD_AGAIN_SECONDS: i64 = 600;

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
}

#[derive(Debug)]
struct Run {
    failures: u32,
    since: Timestamp,
    told_at: Option<Timestamp>,
    is_told: bool,
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
            return std::mem::take(&mut run.is_told).then(|| Turn::Back(now.since(run.since)));
        }
        let new = Run { failures: 0, since: now, told_at: None, is_told: false };
        let run = all.entry(of.clone()).or_insert(new);
        if run.failures == 0 {
            run.since = now;
        }
        run.failures = run.failures.saturating_add(if ended == Ended::ForAPerson { FAILS_AFTER } else { 1 });
        let lately = run.told_at.is_some_and(|at| (0..TOLD_AGAIN_SECONDS).contains(&now.since(at)));
        if run.failures < FAILS_AFTER || run.is_told || lately {
            return None;
        }
        (run.is_told, run.told_at) = (true, Some(now));
        Some(Turn::Fails)
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

    #[test]
    fn one_that_comes_and_goes_is_told_once_in_ten_minutes() {
        let failing = Failing::default();
        let told = |from: i64, to: i64| {
            let tries = (from..to).flat_map(|at| [(Ended::ForAPerson, at), (Ended::Well, at)]);
            tries.filter_map(|(ended, at)| failing.note(&7, ended, Timestamp(at))).count()
        };
        assert_eq!((told(1_000, 1_600), told(1_600, 1_601)), (2, 2));
        assert_eq!(told(0, 1), 2, "a clock that was ahead hides nothing");
    }
}
