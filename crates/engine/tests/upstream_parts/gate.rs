//! A connector around another: it counts what passes, holds logins back, refuses them, or takes its worker with it.

use kachi_domain::carrier::{Answer, Call, Capabilities, Card, Connector, Facts, Line, Login, Request, Sent, Uplink};
use kachi_testkit::carrier::Carrier;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What the gate does.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Doing {
    #[default]
    Letting,
    HoldingLogins,
    RefusingLogins,
    DyingAtLogin,
    DyingAfterSubmit,
}

#[derive(Debug, Default)]
struct State {
    doing: Doing,
    renewals: u64,
    submits: u64,
    held: usize,
}

/// The gate; what is asked of it holds from then on.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    /// The carrier, with this gate before its connector.
    pub fn around(gate: &Arc<Gate>, carrier: Carrier) -> Carrier {
        carrier.around(|inner| Arc::new(Gated { gate: gate.clone(), inner }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn does(&self, doing: Doing) {
        self.lock().doing = doing;
        self.changed.notify_all();
    }

    /// Everything passes.
    pub fn open(&self) {
        self.does(Doing::Letting);
    }

    /// Logins wait.
    pub fn close(&self) {
        self.does(Doing::HoldingLogins);
    }

    /// Logins are refused.
    pub fn refuses_logins(&self) {
        self.does(Doing::RefusingLogins);
    }

    /// The next login takes its worker with it.
    pub fn dies_at_login(&self) {
        self.does(Doing::DyingAtLogin);
    }

    /// The next write is handed in, and takes its worker with it.
    pub fn dies_after_submit(&self) {
        self.does(Doing::DyingAfterSubmit);
    }

    /// Until a login waits.
    pub fn wait_for_one(&self) {
        let state = self.lock();
        drop(self.changed.wait_while(state, |s| s.held == 0).expect("nobody dies here"));
    }

    /// Logins that were asked for.
    pub fn renewals(&self) -> u64 {
        self.lock().renewals
    }

    /// Writes, or batches of them, that were handed in.
    pub fn submits(&self) -> u64 {
        self.lock().submits
    }
}

struct Gated {
    gate: Arc<Gate>,
    inner: Arc<dyn Connector>,
}

impl Gated {
    fn submitted(&self, told: Vec<Answer>) -> Vec<Answer> {
        let mut state = self.gate.lock();
        // Under a login that is dead nothing was handed in.
        state.submits += u64::from(told.iter().any(|answer| !matches!(answer, Answer::NoLogin { .. })));
        if state.doing == Doing::DyingAfterSubmit {
            state.doing = Doing::Letting;
            drop(state);
            panic!("as asked for");
        }
        told
    }
}

impl Connector for Gated {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer> {
        let mut state = self.gate.lock();
        state.renewals += 1;
        match state.doing {
            Doing::RefusingLogins => {
                return Err(Answer::Refused { code: "12022".into(), reason: "wrong password".into() });
            }
            Doing::DyingAtLogin => {
                state.doing = Doing::Letting;
                drop(state);
                panic!("as asked for");
            }
            _ => {}
        }
        state.held += 1;
        self.gate.changed.notify_all();
        let mut state =
            self.gate.changed.wait_while(state, |s| s.doing == Doing::HoldingLogins).unwrap_or_else(PoisonError::into_inner);
        state.held -= 1;
        drop(state);
        self.inner.renew(call)
    }

    fn submit(&self, call: &Call<'_>, request: &Request) -> Answer {
        self.submitted(vec![self.inner.submit(call, request)]).remove(0)
    }

    fn submit_many(&self, call: &Call<'_>, requests: &[Request]) -> Vec<Answer> {
        self.submitted(self.inner.submit_many(call, requests))
    }

    fn look(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Answer {
        self.inner.look(call, request, sent)
    }

    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        self.inner.read(call, card, wanted)
    }

    fn tells_uplinks(&self) -> bool {
        true
    }

    fn uplinks(&self, call: &Call<'_>, cards: &[Card]) -> Result<Vec<Uplink>, Answer> {
        self.inner.uplinks(call, cards)
    }
}
