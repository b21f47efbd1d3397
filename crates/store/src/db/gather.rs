//! Commands of one lane gather while one of them is at work: whoever finds the lane empty runs it, and those that come
//! meanwhile wait in it and are done next, together where the runner wants so. Lanes go side by side.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

/// The lanes in which something waits or runs.
#[derive(Debug)]
pub struct Gather<C> {
    waiting: Mutex<HashMap<i64, VecDeque<C>>>,
}

impl<C> Default for Gather<C> {
    fn default() -> Gather<C> {
        Gather { waiting: Mutex::new(HashMap::new()) }
    }
}

impl<C> Gather<C> {
    /// Queues a command; whether the caller must see to it that [`Gather::run`] runs the lane.
    pub fn submit(&self, lane: i64, command: C) -> bool {
        let mut waiting = self.waiting.lock().expect("lanes lock");
        let must_run = !waiting.contains_key(&lane);
        waiting.entry(lane).or_default().push_back(command);
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
        let mut waiting = self.waiting.lock().expect("lanes lock");
        let queue = waiting.get_mut(&lane)?;
        if queue.front().is_some_and(fits) { queue.pop_front() } else { None }
    }

    /// The next command; without one the lane is given up, in the same breath, so that none is left behind in it.
    fn next_or_leave(&self, lane: i64) -> Option<C> {
        let mut waiting = self.waiting.lock().expect("lanes lock");
        let next = waiting.get_mut(&lane)?.pop_front();
        if next.is_none() {
            waiting.remove(&lane);
        }
        next
    }
}

/// If a lane's runner panics, those that wait in it are dropped, which tells them, and the next command finds a runner.
struct Clear<'g, C> {
    gather: &'g Gather<C>,
    lane: i64,
}

impl<C> Drop for Clear<'_, C> {
    fn drop(&mut self) {
        if let Ok(mut waiting) = self.gather.waiting.lock() {
            waiting.remove(&self.lane);
        }
    }
}
