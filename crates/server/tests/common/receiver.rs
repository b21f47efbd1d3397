//! A receiver inside the test's own process: it outlives every server, verifies, remembers, and now and then refuses.

use kachi_dialects::eiotclub::{Limits, Params, verify};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One of so many notices is refused at its first attempt.
const REFUSE_EVERY: u64 = 7;

/// What has arrived.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Notices by id, as first seen.
    pub notices: BTreeMap<u64, Value>,
    /// Ids in the order of their first arrival.
    pub order: Vec<u64>,
    /// Attempts, repeated ones included.
    pub attempts: usize,
    /// Ids that were acknowledged.
    pub acknowledged: HashSet<u64>,
    /// Bodies that are not genuine, or that changed between two attempts.
    pub wrong: Vec<String>,
}

/// The receiver.
pub struct Receiver {
    pub url: String,
    arrived: Arc<Mutex<Arrived>>,
}

impl Receiver {
    pub fn start(secret: &'static str) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/notices", listener.local_addr().expect("an address"));
        let arrived = Arc::new(Mutex::new(Arrived::default()));
        let kept = arrived.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                std::thread::spawn(move || while answer_one(&stream, &kept, secret).is_some() {});
            }
        });
        Receiver { url, arrived }
    }

    /// Looks at what has arrived.
    pub fn look<T>(&self, f: impl FnOnce(&Arrived) -> T) -> T {
        f(&self.arrived.lock().expect("the receiver"))
    }
}

fn answer_one(mut stream: &TcpStream, arrived: &Mutex<Arrived>, secret: &str) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(n) = line.strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let taken = arrived.lock().expect("the receiver").take(&String::from_utf8_lossy(&body), secret);
    let body = String::from_utf8_lossy(&body);
    // As published: these have an answer without fields.
    let bare = ["CardMovedInIMEIPool", "CardMovedOutIMEIPool", "CloudESimLocked", "CloudESimUnLock"];
    let (status, text) = match taken {
        true if bare.iter().any(|event| body.contains(event)) => ("200 OK", "{}"),
        true => ("200 OK", r#"{"status":"SUCCESS"}"#),
        false => ("500 No", r#"{"status":"FAIL"}"#),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).ok()
}

impl Arrived {
    fn take(&mut self, body: &str, secret: &str) -> bool {
        self.attempts += 1;
        let notice: Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
        let id = notice.get("id").and_then(Value::as_str).and_then(|id| id.strip_prefix("KN")).and_then(|n| n.parse().ok());
        let Some(id) = id.filter(|_| is_genuine(body, secret)) else {
            self.wrong.push(body.to_owned());
            return false;
        };
        let bare: Value = notice.into_iter().filter(|(k, _)| !["timestamp", "nonce", "sign"].contains(&k.as_str())).collect();
        match self.notices.get(&id) {
            Some(first) if *first != bare => self.wrong.push(format!("{first} became {bare}")),
            Some(_) => {}
            None => {
                self.order.push(id);
                self.notices.insert(id, bare);
                if id.is_multiple_of(REFUSE_EVERY) {
                    return false;
                }
            }
        }
        self.acknowledged.insert(id);
        true
    }
}

fn is_genuine(body: &str, secret: &str) -> bool {
    Params::parse(body.as_bytes(), Limits::default()).is_ok_and(|params| verify(&params, secret).is_some())
}
