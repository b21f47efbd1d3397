//! Commands of one lane gather while one of them is at work: whoever finds the lane empty runs it, and those that come
//! meanwhile wait in it and are done next, together where the runner wants so. Lanes go side by side.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The lanes in which something waits or runs.
#[derive(Debug)]
pub struct Gather<C> {
    lanes: Mutex<HashMap<i64, Lane<C>>>,
    /// Told when in some lane as many wait as its runner rests for.
    enough_wait: Condvar,
}

#[derive(Debug)]
struct Lane<C> {
    waiting: VecDeque<C>,
    /// For how many the runner rests, while it does.
    enough: Option<usize>,
}

impl<C> Default for Lane<C> {
    fn default() -> Lane<C> {
        Lane { waiting: VecDeque::new(), enough: None }
    }
}

impl<C> Default for Gather<C> {
    fn default() -> Gather<C> {
        Gather { lanes: Mutex::new(HashMap::new()), enough_wait: Condvar::new() }
    }
}

impl<C> Gather<C> {
    /// Queues a command; whether the caller must see to it that [`Gather::run`] runs the lane. Those whose callers are gone are
    /// dropped where many wait: for a runner that hangs.
    pub fn submit(&self, lane: i64, command: C, is_gone: impl Fn(&C) -> bool) -> bool {
        let mut lanes = self.lanes();
        let must_run = !lanes.contains_key(&lane);
        let lane = lanes.entry(lane).or_default();
        if is_long(lane.waiting.len()) {
            lane.waiting.retain(|waiting| !is_gone(waiting));
        }
        lane.waiting.push_back(command);
        if lane.enough.is_some_and(|enough| lane.waiting.len() >= enough) {
            self.enough_wait.notify_all();
        }
        must_run
    }

    /// Hands the lane's commands to `act`, one after the other, until nothing waits. `act` may take more with
    /// [`Gather::next_if`].
    pub fn run(&self, lane: i64, mut act: impl FnMut(C)) {
        let cleared = Clear { gather: self, lane };
        while let Some(first) = self.next_or_leave(lane) {
            act(first);
        }
        std::mem::forget(cleared);
    }

    /// The next command of the lane, if there is one and it fits.
    pub fn next_if(&self, lane: i64, fits: impl FnOnce(&C) -> bool) -> Option<C> {
        let mut lanes = self.lanes();
        let waiting = &mut lanes.get_mut(&lane)?.waiting;
        if waiting.front().is_some_and(fits) { waiting.pop_front() } else { None }
    }

    /// How many commands of the lane wait.
    pub fn waiting(&self, lane: i64) -> usize {
        self.lanes().get(&lane).map_or(0, |lane| lane.waiting.len())
    }

    /// For the lane's runner, when it has answered many at once: rests until as many wait again, but no longer than that. Those
    /// who ask without a pause come again within moments, and would else be done in two groups that wait for each other.
    pub fn rest(&self, lane: i64, enough: usize, longest: Duration) {
        let mut lanes = self.lanes();
        lanes.entry(lane).or_default().enough = Some(enough);
        let few = |lanes: &mut HashMap<i64, Lane<C>>| lanes.get(&lane).is_some_and(|lane| lane.waiting.len() < enough);
        let (mut lanes, _) = self.enough_wait.wait_timeout_while(lanes, longest, few).expect("lanes lock");
        if let Some(lane) = lanes.get_mut(&lane) {
            lane.enough = None;
        }
    }

    /// The next command; without one the lane is given up, in the same breath, so that none is left behind in it.
    fn next_or_leave(&self, lane: i64) -> Option<C> {
        let mut lanes = self.lanes();
        let next = lanes.get_mut(&lane)?.waiting.pop_front();
        if next.is_none() {
            lanes.remove(&lane);
        }
        next
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<i64, Lane<C>>> {
        self.lanes.lock().expect("lanes lock")
    }
}

/// If a lane's runner panics, those that wait in it are dropped, which tells them, and the next command finds a runner.
struct Clear<'g, C> {
    gather: &'g Gather<C>,
    lane: i64,
}

impl<C> Drop for Clear<'_, C> {
    fn drop(&mut self) {
        if let Ok(mut lanes) = self.gather.lanes.lock() {
            lanes.remove(&self.lane);
        }
    }
}

/// Whether so many wait that it is worth a look who of them is gone: now and then, not each time.
pub(super) fn is_long(waiting: usize) -> bool {
    waiting != 0 && waiting.is_multiple_of(LONG)
}

const LONG: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::{Gather, LONG as MANY};
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_runner_that_rests_goes_on_as_soon_as_enough_wait_in_its_own_lane() {
        let gather = Gather::default();
        assert!(gather.submit(1, 0, |_| false), "whoever finds the lane empty runs it");
        std::thread::scope(|scope| {
            let runner = scope.spawn(|| {
                let mut groups = Vec::new();
                gather.run(1, |first| {
                    let mut group = vec![first];
                    while let Some(next) = gather.next_if(1, |_| true) {
                        group.push(next);
                    }
                    groups.push(group);
                    if groups.len() == 1 {
                        gather.rest(1, 2, LONG);
                    }
                });
                groups
            });
            let rests = || gather.lanes().get(&1).is_some_and(|lane| lane.enough.is_some());
            while !rests() {
                std::thread::yield_now();
            }
            assert!(!gather.submit(1, 1, |_| false), "the lane has its runner");
            for n in 0..3 {
                gather.submit(2, n, |_| false);
            }
            assert!(rests(), "one is not enough, and the other lane's are not its own");
            gather.submit(1, 2, |_| false);
            assert_eq!(runner.join().expect("it ends"), [vec![0], vec![1, 2]]);
        });
    }

    #[test]
    fn those_who_are_gone_do_not_wait_for_ever_for_a_runner_that_hangs() {
        let gather = Gather::default();
        for n in 0..3 * MANY {
            gather.submit(1, n, |n| *n < 2 * MANY);
        }
        assert_eq!(gather.lanes()[&1].waiting.len(), MANY);
    }

    #[test]
    fn a_runner_rests_no_longer_than_it_may() {
        let gather = Gather::default();
        gather.submit(1, 0, |_| false);
        let mut done = Vec::new();
        gather.run(1, |n| {
            done.push(n);
            gather.rest(1, 2, Duration::from_millis(1));
        });
        assert_eq!(done, [0]);
        assert!(gather.submit(1, 1, |_| false), "the lane was given up");
    }
}
