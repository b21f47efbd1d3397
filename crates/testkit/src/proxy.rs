//! A way to PostgreSQL that can be blocked. Held, it takes what is sent and answers nothing, as a server does that is stopped; what has
//! vanished does not even acknowledge, as a host that lost its power.

use socket2::{SockFilter, SockRef};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What does not come this fast on a busy machine never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A filter that lets no packet through: it returns 0 bytes of each.
const NOTHING: SockFilter = SockFilter::new(0x06, 0, 0, 0);

/// A listener on loopback that passes on to PostgreSQL. What runs through it ends with it.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    to: SocketAddr,
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Default)]
struct State {
    is_held: bool,
    is_over: bool,
    trap: Option<Trap>,
    traps: u64,
    ways: Vec<Way>,
}

/// A connection.
struct Way {
    program: TcpStream,
    server: TcpStream,
    is_gone: Arc<AtomicBool>,
}

/// Holds everything when these texts went to PostgreSQL one after the other on one connection.
struct Trap {
    texts: Vec<&'static str>,
    holds: Holds,
}

/// What is held first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The statement with the last text: PostgreSQL does not get it.
    Statement,
    /// The answer to it: PostgreSQL did what it says.
    Answer,
}

impl Proxy {
    /// A way to the PostgreSQL of the address.
    pub fn to(url: &str) -> Proxy {
        let (host, port) = host(url).split_once(':').unwrap_or((host(url), "5432"));
        let to = (host, port.parse().expect("a port")).to_socket_addrs().expect("a host").next().expect("its address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared { to, state: Mutex::default(), turned: Condvar::new() });
        let passing = shared.clone();
        std::thread::spawn(move || {
            for program in listener.incoming().map_while(Result::ok) {
                if !passing.open(program) {
                    break;
                }
            }
        });
        Proxy { address, shared }
    }

    /// The address of a database, by this way.
    pub fn url(&self, database: &str) -> String {
        database.replacen(host(database), &self.address.to_string(), 1)
    }

    /// From now on nothing passes.
    pub fn hold(&self) {
        self.state().is_held = true;
    }

    /// Nothing passes from the moment on at which these texts, the one after the other, go to PostgreSQL on one connection.
    pub fn hold_at(&self, texts: &[&'static str], holds: Holds) {
        let mut state = self.state();
        state.trap = Some(Trap { texts: texts.to_vec(), holds });
        state.traps += 1;
    }

    /// Waits until nothing passes.
    ///
    /// # Panics
    /// If it takes too long.
    pub fn until_held(&self) {
        let waited = self.shared.turned.wait_timeout_while(self.state(), PATIENCE, |state| !state.is_held).expect("no panic");
        assert!(!waited.1.timed_out(), "what was to be held never came");
    }

    /// What was held passes.
    pub fn go_on(&self) {
        self.state().is_held = false;
        self.shared.turned.notify_all();
    }

    /// Ends all connections, and lets new ones pass: the server is another one now.
    pub fn cut(&self) {
        let mut state = self.state();
        state.is_held = false;
        for way in state.ways.drain(..) {
            let _ = way.program.shutdown(Shutdown::Both);
            let _ = way.server.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.turned.notify_all();
    }

    /// The connections that there are end for PostgreSQL, and the program is told nothing: what it sends is not even acknowledged.
    /// New ones pass.
    pub fn vanish(&self) {
        let mut state = self.state();
        state.is_held = false;
        for way in &state.ways {
            way.is_gone.store(true, Ordering::SeqCst);
            SockRef::from(&way.program).attach_filter(&[NOTHING]).expect("a filter");
            let _ = way.server.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.turned.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no panic while it is held")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state().is_over = true;
        self.cut();
        // The listener wakes up, and sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// Passes on what comes either way; false when it is over.
    fn open(self: &Arc<Shared>, program: TcpStream) -> bool {
        let mut state = self.state.lock().expect("no panic");
        if state.is_over {
            return false;
        }
        let Ok(server) = TcpStream::connect(self.to) else { return true };
        let copy = |stream: &TcpStream| stream.try_clone().expect("a handle");
        let is_gone = Arc::new(AtomicBool::new(false));
        state.ways.push(Way { program: copy(&program), server: copy(&server), is_gone: is_gone.clone() });
        let (there, back) = ((copy(&program), copy(&server)), (server, program));
        for (streams, is_there) in [(there, true), (back, false)] {
            let (shared, is_gone) = (self.clone(), is_gone.clone());
            std::thread::spawn(move || shared.pass(streams, is_there, &is_gone));
        }
        true
    }

    fn pass(&self, (mut from, mut to): (TcpStream, TcpStream), is_there: bool, is_gone: &AtomicBool) {
        let mut buffer = vec![0; 1 << 16];
        let (mut trap, mut seen) = (0, 0);
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let mut state = self.state.lock().expect("no panic");
            if std::mem::replace(&mut trap, state.traps) != state.traps {
                seen = 0;
            }
            let holds = if is_there { state.sprung(&buffer[..n], &mut seen) } else { None };
            if holds.is_some() {
                self.turned.notify_all();
            }
            let held = self.turned.wait_while(state, |state| state.is_held && holds != Some(Holds::Answer));
            drop(held.expect("no panic"));
            if is_gone.load(Ordering::SeqCst) || to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        if !is_gone.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Write);
        }
    }
}

impl State {
    /// Whether the trap springs with these bytes, and then what is held first; `seen` of its texts went by before on this connection.
    fn sprung(&mut self, bytes: &[u8], seen: &mut usize) -> Option<Holds> {
        let trap = self.trap.as_ref()?;
        let mut rest = bytes;
        while let Some(text) = trap.texts.get(*seen) {
            let at = rest.windows(text.len()).position(|part| part == text.as_bytes())?;
            rest = &rest[at + text.len()..];
            *seen += 1;
        }
        let holds = trap.holds;
        (self.trap, self.is_held) = (None, true);
        Some(holds)
    }
}

/// Host and port of an address.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}
