//! Connections kept open for reuse, bounded in number. None is tried before it is handed out: where nothing was done on it yet a
//! broken one is replaced, else it fails its caller once, and neither it nor what lay idle beside it is used again.

use super::patience::{Deadline, now};
use super::{Conn, Error, Place, Tx};
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

pub(super) struct Pool {
    place: Place,
    open: fn(&Place) -> Result<Conn, Error>,
    state: Mutex<State>,
    freed: Condvar,
    max: usize,
}

struct State {
    idle: Vec<Conn>,
    out: usize,
    waiting: usize,
    /// What failed last, if that has not been put right since.
    lost: Option<Lost>,
    /// How often that changed.
    turns: u64,
    /// When one that was out came back in good order.
    answered: Option<Instant>,
    /// Of those that are out, until when whoever has them waits, where that has an end.
    bounds: Vec<Deadline>,
}

/// How it is seen that there is no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// No connection is given: when that was seen last, and whether by waiting in vain. Those that are open may be good all the same, so
    /// their answers do not say that it is over.
    NotGiven(Instant, bool),
    /// Nobody gets an answer.
    NoAnswer,
}

/// If no connection was refused for so long while those that are open give answers, none is wanting.
const NONE_REFUSED: Duration = Duration::from_secs(10);

pub(super) struct Guard<'p> {
    pool: &'p Pool,
    conn: Option<Conn>,
    broken: bool,
    /// It was opened for this.
    is_fresh: bool,
    turns: u64,
    /// As it was asked for; a lane's may become sooner.
    bound: Option<Deadline>,
}

impl Pool {
    pub(super) fn new(place: Place, max: usize, open: fn(&Place) -> Result<Conn, Error>) -> Pool {
        let state = State { idle: Vec::new(), out: 0, waiting: 0, lost: None, turns: 0, answered: None, bounds: Vec::new() };
        Pool { place, open, state: Mutex::new(state), freed: Condvar::new(), max: max.max(1) }
    }

    /// Connections that can be in use at once.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// A connection for one who waits until then for all that is done on it.
    pub(super) fn get(&self, deadline: Option<Deadline>) -> Result<Guard<'_>, Error> {
        let mut state = self.state.lock().expect("pool lock");
        loop {
            if let Some(deadline) = deadline.filter(Deadline::is_over) {
                // It may have been woken for one that is free: that is another's now.
                self.freed.notify_one();
                drop(state);
                return Err(self.waited_in_vain(&deadline));
            }
            if !state.idle.is_empty() || state.out < self.max {
                break;
            }
            state.waiting += 1;
            state = match deadline {
                None => self.freed.wait(state).expect("pool lock"),
                Some(deadline) => self.freed.wait_timeout(state, deadline.left()).expect("pool lock").0,
            };
            state.waiting -= 1;
        }
        state.out += 1;
        state.bounds.extend(deadline);
        let (conn, turns) = (state.idle.pop(), state.turns);
        drop(state);
        let mut guard = Guard { pool: self, is_fresh: conn.is_none(), conn, broken: false, turns, bound: deadline };
        if guard.is_fresh {
            let opened = (self.open)(&self.place);
            self.tell(&opened, turns);
            guard.conn = Some(opened?);
        }
        guard.deadline = deadline;
        Ok(guard)
    }

    /// Reads with one statement.
    pub(super) fn look<R, E: From<Error>>(
        &self,
        deadline: Option<Deadline>,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut conn = self.get(deadline)?;
        let result = f(&mut Tx { conn: &mut conn });
        if result.is_err() {
            // The connection itself may be what failed: one that no longer answers is not kept.
            let _ = conn.batch("SELECT 1");
        }
        result
    }

    /// A connection on which a transaction was begun. Nothing had been done before, so a connection that broke while it lay idle is
    /// replaced and fails nobody.
    pub(super) fn begin(&self, deadline: Option<Deadline>, text: &str) -> Result<Guard<'_>, Error> {
        loop {
            let mut conn = self.get(deadline)?;
            match conn.batch(text) {
                Err(Error::Unreachable(_)) if conn.may_be_replaced() => {}
                begun => return begun.map(|()| conn),
            }
        }
    }

    /// What is told to one who waited as long as it wanted; the log has once that nobody gets an answer.
    pub(super) fn waited_in_vain(&self, deadline: &Deadline) -> Error {
        let mut state = self.state.lock().expect("pool lock");
        if state.answered.is_some_and(|at| at > deadline.began()) {
            // Others were answered meanwhile.
            return if state.out >= self.max { deadline.none_free(self.max) } else { deadline.no_answer() };
        }
        if state.out >= self.max && !state.bounds.iter().any(Deadline::is_over) {
            // This one never had any: all are out with others, none of whom waited in vain.
            return deadline.none_free(self.max);
        }
        let is_news = !matches!(state.lost, Some(Lost::NoAnswer | Lost::NotGiven(_, true)));
        if state.lost != Some(Lost::NoAnswer) {
            (state.lost, state.turns) = (Some(Lost::NoAnswer), state.turns + 1);
        }
        drop(state);
        let error = deadline.no_answer();
        if is_news {
            self.say_lost(true, &error);
        }
        error
    }

    /// Tells the log once that no connection is given any more, and once that one is given again. Of tries side by side those that
    /// began before the last turn say nothing.
    fn tell(&self, opened: &Result<Conn, Error>, turns: u64) {
        let mut state = self.state.lock().expect("pool lock");
        if let (Some(Lost::NotGiven(last, _)), Err(_)) = (&mut state.lost, opened) {
            *last = now();
        }
        if state.lost.is_some() == opened.is_err() || state.turns != turns {
            return;
        }
        let lost = opened.as_ref().err().map(|error| (is_no_answer(error), error));
        (state.lost, state.turns) = (lost.map(|(in_vain, _)| Lost::NotGiven(now(), in_vain)), turns + 1);
        drop(state);
        match lost {
            Some((in_vain, error)) => self.say_lost(in_vain, error),
            None => self.say_back(),
        }
    }

    fn say_lost(&self, in_vain: bool, error: &Error) {
        let what = if in_vain { "the database gives no answer" } else { "the database cannot be reached" };
        tracing::error!(database = %self.place, %error, "{what}; what needs it fails and is tried again");
    }

    fn say_back(&self) {
        tracing::info!(database = %self.place, "the database can be reached again");
    }
}

/// Whether libpq says that it waited in vain for a connection.
fn is_no_answer(error: &Error) -> bool {
    matches!(error, Error::Unreachable(words) if words.contains("timeout expired"))
}

impl State {
    /// One that was out came back in good order; whether that is news.
    fn is_answered(&mut self, turns: u64) -> bool {
        self.answered = Some(now());
        let proves = match self.lost {
            None => false,
            Some(Lost::NotGiven(last, _)) => last.elapsed() >= NONE_REFUSED,
            Some(Lost::NoAnswer) => true,
        };
        // What was begun before that was lost says nothing of now.
        let is_back = proves && self.turns == turns;
        if is_back {
            (self.lost, self.turns) = (None, turns + 1);
        }
        is_back
    }
}

impl Guard<'_> {
    /// Runs a control statement; a connection on which that fails is not used again.
    pub(super) fn batch(&mut self, text: &str) -> Result<(), Error> {
        let result = self.conn.as_mut().expect("held until drop").batch(text);
        self.broken |= result.is_err();
        result
    }

    /// Whether what failed on it may be tried on another: it lay idle before, and there is time.
    pub(super) fn may_be_replaced(&self) -> bool {
        !self.is_fresh && !self.is_late
    }
}

impl Deref for Guard<'_> {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        self.conn.as_ref().expect("held until drop")
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn.as_mut().expect("held until drop")
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let (mut is_back, mut stale) = (false, Vec::new());
        let mut state = self.pool.state.lock().expect("pool lock");
        state.out -= 1;
        if let Some(at) = self.bound.and_then(|bound| state.bounds.iter().position(|other| *other == bound)) {
            state.bounds.swap_remove(at);
        }
        match self.conn.take() {
            Some(mut conn) if !self.broken && !std::thread::panicking() => {
                conn.deadline = None;
                is_back = state.is_answered(self.turns);
                state.idle.push(conn);
            }
            // What broke this one broke those that lay idle meanwhile.
            Some(conn) if self.broken && !conn.is_late => stale = std::mem::take(&mut state.idle),
            _ => {}
        }
        // To wake nobody costs a call of the system all the same.
        if state.waiting > 0 {
            self.pool.freed.notify_one();
        }
        drop(state);
        drop(stale);
        if is_back {
            self.pool.say_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lost, NONE_REFUSED, Pool, now};
    use crate::db::{Conn, Error, Place};
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    static REFUSES: AtomicBool = AtomicBool::new(false);

    fn open(place: &Place) -> Result<Conn, Error> {
        if REFUSES.load(Relaxed) { Err(Error::Unreachable("no more clients".into())) } else { Conn::open(place) }
    }

    /// A server that gives no more connections, while those that are open are good: told once, not with each answer.
    #[test]
    fn an_open_connection_does_not_say_that_others_are_given_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let pool = Pool::new(Place::File(folder.path().join("a.db")), 3, open);
        let lost = || pool.state.lock().expect("pool lock").lost;
        drop((pool.get(None).expect("one"), pool.get(None).expect("another")));
        REFUSES.store(true, Relaxed);
        let (one, other) = (pool.get(None).expect("an open one"), pool.get(None).expect("an open one"));
        assert!(pool.get(None).is_err() && matches!(lost(), Some(Lost::NotGiven(_, false))));
        drop(one);
        drop(pool.get(None).expect("an open one"));
        assert!(matches!(lost(), Some(Lost::NotGiven(..))), "it answered, yet none is given");
        REFUSES.store(false, Relaxed);
        let one = pool.get(None).expect("an open one");
        drop(pool.get(None).expect("a new one"));
        assert_eq!(lost(), None, "one was given");
        // Nobody needs a new one any more.
        let long_ago = now().checked_sub(NONE_REFUSED).expect("this machine runs for longer");
        pool.state.lock().expect("pool lock").lost = Some(Lost::NotGiven(long_ago, false));
        drop(pool.get(None).expect("an open one"));
        assert_eq!(lost(), None, "none was refused for long");
        drop((one, other));
    }
}
