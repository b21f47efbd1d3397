//! Connections kept open for reuse, bounded in number. None is tried before it is handed out: a broken one fails its
//! caller once and is not put back.

use super::{Conn, Error, Place, Tx};
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex};

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
    /// None could be opened at the last try.
    is_lost: bool,
    /// How often that changed.
    turns: u64,
}

pub(super) struct Guard<'p> {
    pool: &'p Pool,
    conn: Option<Conn>,
    broken: bool,
}

impl Pool {
    pub(super) fn new(place: Place, max: usize, open: fn(&Place) -> Result<Conn, Error>) -> Pool {
        Pool {
            place,
            open,
            state: Mutex::new(State { idle: Vec::new(), out: 0, waiting: 0, is_lost: false, turns: 0 }),
            freed: Condvar::new(),
            max: max.max(1),
        }
    }

    /// Connections that can be in use at once.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) fn get(&self) -> Result<Guard<'_>, Error> {
        let mut state = self.state.lock().expect("pool lock");
        while state.idle.is_empty() && state.out >= self.max {
            state.waiting += 1;
            state = self.freed.wait(state).expect("pool lock");
            state.waiting -= 1;
        }
        state.out += 1;
        let (conn, turns) = (state.idle.pop(), state.turns);
        drop(state);
        let mut guard = Guard { pool: self, conn, broken: false };
        if guard.conn.is_none() {
            let opened = (self.open)(&self.place);
            self.tell(&opened, turns);
            guard.conn = Some(opened?);
        }
        Ok(guard)
    }

    /// Reads with one statement on a connection of its own.
    pub(super) fn look<R, E: From<Error>>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        let mut conn = self.get()?;
        let result = f(&mut Tx { conn: &mut conn });
        if result.is_err() {
            // The connection itself may be what failed: one that no longer answers is not kept.
            let _ = conn.batch("SELECT 1");
        }
        result
    }

    /// Tells the log once that no connection is given any more, and once that one is given again. Of tries side by side those that
    /// began before the last turn say nothing.
    fn tell(&self, opened: &Result<Conn, Error>, turns: u64) {
        let mut state = self.state.lock().expect("pool lock");
        if state.is_lost == opened.is_err() || state.turns != turns {
            return;
        }
        (state.is_lost, state.turns) = (opened.is_err(), turns + 1);
        drop(state);
        match opened {
            Err(error) => {
                tracing::error!(database = %self.place, %error, "the database cannot be reached; what needs it fails and is tried again")
            }
            Ok(_) => tracing::info!(database = %self.place, "the database can be reached again"),
        }
    }
}

impl Guard<'_> {
    /// Runs a control statement; a connection on which that fails is not used again.
    pub(super) fn batch(&mut self, text: &str) -> Result<(), Error> {
        let result = self.conn.as_mut().expect("held until drop").batch(text);
        self.broken |= result.is_err();
        result
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
        let mut state = self.pool.state.lock().expect("pool lock");
        state.out -= 1;
        if let Some(conn) = self.conn.take()
            && !self.broken
            && !std::thread::panicking()
        {
            state.idle.push(conn);
        }
        // To wake nobody costs a call of the system all the same.
        if state.waiting > 0 {
            self.pool.freed.notify_one();
        }
    }
}
