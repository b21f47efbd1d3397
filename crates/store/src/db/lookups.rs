//! Look-ups of single cards on PostgreSQL, many in one statement. Each is a way to another process and back, and under load
//! many wait at once: whoever comes first asks for all that wait, and while that is under way the next gather. Alone, a
//! look-up is asked at once. Each answer is read in one statement, so from one instant.

use super::gather::is_long;
use super::patience::Deadline;
use super::pool::Pool;
use super::{Error, Tx};
use crate::sims::SimAndState;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::oneshot;

/// Statements under way at once.
const ASKERS_MAX: usize = 2;
/// Cards asked for in one statement at most.
const CARDS_MAX: usize = 256;

/// What is told to one who asked.
pub(super) type Answer = Result<Option<SimAndState>, Error>;

/// The look-ups that wait.
#[derive(Default)]
pub(super) struct Lookups {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<(String, oneshot::Sender<Answer>)>,
    askers: usize,
}

impl Lookups {
    /// Queues a look-up; the answer's receiver, and whether the caller must see to it that [`Lookups::ask`] runs.
    pub(super) fn submit(&self, iccid: String) -> (oneshot::Receiver<Answer>, bool) {
        let (caller, answer) = oneshot::channel();
        let mut state = self.state.lock().expect("look-ups lock");
        if is_long(state.waiting.len()) {
            state.waiting.retain(|(_, caller)| !caller.is_closed());
        }
        state.waiting.push((iccid, caller));
        let must_ask = state.askers < ASKERS_MAX;
        state.askers += usize::from(must_ask);
        (answer, must_ask)
    }

    /// Asks until nothing waits, each time for as long as callers wait.
    pub(super) fn ask(&self, pool: &Pool, patience: Option<Duration>) {
        let mut leaving = Leaving { lookups: self, left: false };
        while let Some(part) = leaving.next_or_leave() {
            let iccids: Vec<&str> = part.iter().map(|(iccid, _)| iccid.as_str()).collect();
            match find(pool, &iccids, patience.map(Deadline::after)) {
                Ok(found) => answer(part, found),
                Err(e) => part.into_iter().for_each(|(_, caller)| {
                    let _ = caller.send(Err(e.clone()));
                }),
            }
        }
    }
}

/// The cards; a connection that broke while it lay idle is replaced, for a question can be asked again.
fn find(pool: &Pool, iccids: &[&str], deadline: Option<Deadline>) -> Result<Vec<SimAndState>, Error> {
    loop {
        let mut conn = pool.get(deadline)?;
        let found = Tx { conn: &mut conn }.sims_and_states(iccids);
        if found.is_err() {
            // The connection itself may be what failed: one that no longer answers is not kept.
            let _ = conn.batch("SELECT 1");
        }
        match found {
            Err(Error::Unreachable(_)) if conn.may_be_replaced() => {}
            found => return found,
        }
    }
}

/// A caller that went away asks nobody; a card that two asked for is told to both.
fn answer(part: Vec<(String, oneshot::Sender<Answer>)>, found: Vec<SimAndState>) {
    let by_iccid: HashMap<String, SimAndState> = found.into_iter().map(|f| (f.sim.iccid.clone(), f)).collect();
    for (iccid, caller) in part {
        let _ = caller.send(Ok(by_iccid.get(&iccid).cloned()));
    }
}

/// An asker that ends, or panics, makes room for the next.
struct Leaving<'l> {
    lookups: &'l Lookups,
    left: bool,
}

impl Leaving<'_> {
    /// The next look-ups; without any the asker leaves, in the same breath, so that none is left behind.
    fn next_or_leave(&mut self) -> Option<Vec<(String, oneshot::Sender<Answer>)>> {
        let mut state = self.lookups.state.lock().expect("look-ups lock");
        // Those who waited too long have gone.
        state.waiting.retain(|(_, caller)| !caller.is_closed());
        if state.waiting.is_empty() {
            state.askers -= 1;
            self.left = true;
            return None;
        }
        let n = state.waiting.len().min(CARDS_MAX);
        Some(state.waiting.drain(..n).collect())
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let (false, Ok(mut state)) = (self.left, self.lookups.state.lock()) {
            // Those that wait are told by their senders' end; the next look-up finds room for an asker.
            state.askers -= 1;
            state.waiting.clear();
        }
    }
}
