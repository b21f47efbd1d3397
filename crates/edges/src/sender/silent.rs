//! Which endpoints answer. One that does not, several times in a row, rests and is then tried with a few deliveries, ever more
//! rarely, until it answers. What is known here is this process's own and is learned anew after a start.

use kachi_domain::Timestamp;
use kachi_engine::webhooks::{Endpoint, Silent};
use std::collections::HashMap;
use std::sync::Mutex;

/// Posts without an answer, one after the other, after which an endpoint is silent.
const SILENT_AFTER: u32 = 3;
/// Seconds of rest before each next trial, up to the last. The first trial is at once: posts that ran side by side may all have met
/// one moment of trouble.
const REST_SECONDS: [i64; 6] = [0, 30, 60, 120, 300, 600];

#[derive(Debug, Default)]
struct Quiet {
    unanswered: u32,
    rests: usize,
    until: Option<Timestamp>,
}

impl Quiet {
    fn rest(&mut self, now: Timestamp) {
        self.until = Some(now.plus(REST_SECONDS[self.rests.min(REST_SECONDS.len() - 1)]));
        self.rests += 1;
    }
}

/// Endpoints that did not answer lately.
#[derive(Debug, Default)]
pub struct Ears(Mutex<HashMap<Endpoint, Quiet>>);

impl Ears {
    /// Notes whether a post got an answer.
    pub fn note(&self, endpoint: &Endpoint, answered: bool, now: Timestamp) {
        let mut all = self.0.lock().expect("no panic while it is held");
        if answered {
            all.remove(endpoint);
            return;
        }
        let quiet = all.entry(endpoint.clone()).or_default();
        quiet.unanswered += 1;
        // Posts that were under way together count as one trial.
        if quiet.unanswered >= SILENT_AFTER && quiet.until.is_none() {
            quiet.rest(now);
        }
    }

    /// Whether it is a silent one.
    pub fn is_silent(&self, endpoint: &Endpoint) -> bool {
        self.0.lock().expect("no panic while it is held").get(endpoint).is_some_and(|quiet| quiet.until.is_some())
    }

    /// The endpoint is tried: it rests afterwards if it does not answer.
    pub fn try_again(&self, endpoint: &Endpoint, now: Timestamp) {
        if let Some(quiet) = self.0.lock().expect("no panic while it is held").get_mut(endpoint) {
            quiet.rest(now);
        }
    }

    /// The silent ones: those that rest, and those to be tried, so many at once as there is room for.
    pub fn silent(&self, now: Timestamp, room: usize) -> Silent {
        let mut silent = Silent { room, ..Silent::default() };
        for (endpoint, quiet) in self.0.lock().expect("no panic while it is held").iter() {
            if let Some(until) = quiet.until {
                let list = if now < until { &mut silent.resting } else { &mut silent.tried };
                list.insert(endpoint.clone());
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kachi_domain::AccountId;

    #[test]
    fn an_endpoint_rests_ever_longer_until_it_answers() {
        let (ears, end) = (Ears::default(), (AccountId(7), "d".to_owned()));
        let mut now = Timestamp(0);
        let is = |now| {
            let silent = ears.silent(now, 10);
            (silent.resting.len(), silent.tried.len())
        };
        let unanswered = |times: u32| (0..times).for_each(|_| ears.note(&end, false, now));
        unanswered(2);
        ears.note(&end, true, now);
        unanswered(2);
        assert_eq!((is(now), ears.is_silent(&end)), ((0, 0), false), "an answer begins anew");
        unanswered(2);
        assert!(ears.is_silent(&end));
        for seconds in [0, 30, 60, 120, 300, 600, 600] {
            assert_eq!((is(now.plus(seconds - 1)), is(now.plus(seconds))), ((1, 0), (0, 1)), "{seconds}");
            now = now.plus(seconds);
            ears.try_again(&end, now);
            ears.note(&end, false, now.plus(15));
        }
        ears.note(&end, true, now);
        assert_eq!(is(now), (0, 0));
    }
}
