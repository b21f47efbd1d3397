//! What the database holds, as one value: while the stamp is the same, no commit of any process came between, and every
//! question has the answer it had. Those that ask at once share one reading.
//!
//! SQLite counts the commits of all other connections (`PRAGMA data_version`), so one connection that never writes is kept
//! for this. PostgreSQL's snapshot names the transactions that are seen: two equal ones see the same rows. Transactions that
//! change nothing have no number there; those of other databases of the server have one, and then a stamp differs that
//! need not.

use super::gather::is_long;
use super::{Conn, Error, Place, Tx};
use crate::binds;
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// A value that stays the same as long as nothing is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(String);

/// What is told to one who asked.
type Answer = Result<Stamp, Error>;

/// How long the asker, having answered many at once, waits at most for as many to come again before it asks for them together:
/// on two cores, asking without a rest takes the processor from those who are asked about.
const REST_MAX: Duration = Duration::from_micros(500);

/// Those who wait for a stamp, and the connection that reads it.
#[derive(Default)]
pub(super) struct Stamps {
    waiting: Mutex<Waiting>,
    /// Told when as many wait as the resting asker waits for.
    enough_wait: Condvar,
    reader: Mutex<Reader>,
}

#[derive(Default)]
struct Waiting {
    callers: Vec<oneshot::Sender<Answer>>,
    asked: bool,
    /// For how many the asker rests, while it does.
    enough: Option<usize>,
}

#[derive(Default)]
struct Reader {
    conn: Option<Conn>,
    /// Connections opened so far: each counts anew.
    opened: u64,
}

impl Stamps {
    /// Reads the stamp here and now.
    pub(super) fn read(&self, place: &Place) -> Answer {
        self.reader.lock().expect("stamps lock").read(place)
    }

    /// Queues a question; the answer's receiver, and whether the caller must see to it that [`Stamps::ask`] runs.
    pub(super) fn submit(&self) -> (oneshot::Receiver<Answer>, bool) {
        let (caller, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock().expect("stamps lock");
        if is_long(waiting.callers.len()) {
            waiting.callers.retain(|caller| !caller.is_closed());
        }
        waiting.callers.push(caller);
        if waiting.enough.is_some_and(|enough| waiting.callers.len() >= enough) {
            self.enough_wait.notify_one();
        }
        let must_ask = !std::mem::replace(&mut waiting.asked, true);
        (answer, must_ask)
    }

    /// Asks until nobody waits. Each reading is for those who had asked before it began.
    pub(super) fn ask(&self, place: &Place) {
        let _leaving = Leaving(self);
        while let Some(callers) = self.next_or_leave() {
            let many = callers.len();
            let stamp = self.read(place);
            for caller in callers {
                let _ = caller.send(stamp.clone()); // a caller that went away asks nobody
            }
            if many > 1 {
                self.rest(many);
            }
        }
    }

    /// Waits until that many wait, or long enough.
    fn rest(&self, enough: usize) {
        let mut waiting = self.waiting.lock().expect("stamps lock");
        waiting.enough = Some(enough);
        let few = |waiting: &mut Waiting| waiting.callers.len() < enough;
        let (mut waiting, _) = self.enough_wait.wait_timeout_while(waiting, REST_MAX, few).expect("stamps lock");
        waiting.enough = None;
    }

    fn next_or_leave(&self) -> Option<Vec<oneshot::Sender<Answer>>> {
        let mut waiting = self.waiting.lock().expect("stamps lock");
        waiting.asked = !waiting.callers.is_empty();
        waiting.asked.then(|| std::mem::take(&mut waiting.callers))
    }
}

/// An asker that panics makes room for the next, and those who wait are told by their senders' end.
struct Leaving<'s>(&'s Stamps);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(mut waiting) = self.0.waiting.lock()
        {
            *waiting = Waiting::default();
        }
    }
}

impl Reader {
    /// A connection that broke since it was asked last is replaced, for a question can be asked again.
    fn read(&mut self, place: &Place) -> Answer {
        let is_old = self.conn.is_some();
        match self.ask(place) {
            Err(Error::Unreachable(_)) if is_old => self.ask(place),
            told => told,
        }
    }

    fn ask(&mut self, place: &Place) -> Answer {
        if self.conn.is_none() {
            self.conn = Some(Conn::open(place)?);
            self.opened += 1;
        }
        let found = self.conn.as_mut().map_or(Ok(None), |conn| {
            let mut tx = Tx { conn };
            if tx.is_postgres() {
                Ok(tx.row::<(String,)>("SELECT CAST(pg_current_snapshot() AS TEXT)", &binds![])?.map(|r| r.0))
            } else {
                Ok(tx.row::<(i64,)>("PRAGMA data_version", &binds![])?.map(|r| r.0.to_string()))
            }
        });
        match found {
            Ok(Some(text)) => Ok(Stamp(format!("{}/{text}", self.opened))),
            failed => {
                self.conn = None; // the connection itself may be what failed
                Err(failed.err().unwrap_or_else(|| Error::Engine("the database tells no stamp".into())))
            }
        }
    }
}
