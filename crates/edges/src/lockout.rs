//! Callers that gave wrong signatures, by key and address, and for how long they are shut out.

use kachi_domain::Timestamp;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Mutex;

/// Counts wrong signatures. Bounded: when full, it forgets the past first, then all.
#[derive(Debug, Default)]
pub struct Lockout(Mutex<HashMap<u64, Strikes>>);

#[derive(Debug, Clone, Copy)]
struct Strikes {
    count: u32,
    last: i64,
}

/// So many wrong signatures in a row (none = any number) shut a caller out for so many seconds.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Wrong signatures.
    pub max: Option<u32>,
    /// Seconds.
    pub seconds: i64,
}

const CALLERS_MAX: usize = 10_000;

impl Lockout {
    /// Whether the caller has used up its wrong signatures for now.
    pub fn holds(&self, rule: Rule, key: &str, peer: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(max) = rule.max else { return false };
        let callers = self.0.lock().expect("lockout lock");
        callers.get(&hash(key, peer)).is_some_and(|s| s.count >= max && recent(s, rule, now))
    }

    /// Remembers whether the signature was wrong; a good one wipes the slate.
    pub fn note(&self, rule: Rule, key: &str, peer: Option<IpAddr>, wrong: bool, now: Timestamp) {
        if rule.max.is_none() {
            return;
        }
        let mut callers = self.0.lock().expect("lockout lock");
        let caller = hash(key, peer);
        if !wrong {
            callers.remove(&caller);
            return;
        }
        if callers.len() >= CALLERS_MAX {
            callers.retain(|_, s| recent(s, rule, now));
        }
        if callers.len() >= CALLERS_MAX {
            callers.clear();
        }
        let before = callers.get(&caller).filter(|s| recent(s, rule, now)).map_or(0, |s| s.count);
        callers.insert(caller, Strikes { count: before.saturating_add(1), last: now.0 });
    }
}

fn recent(strikes: &Strikes, rule: Rule, now: Timestamp) -> bool {
    now.0.saturating_sub(strikes.last) <= rule.seconds
}

fn hash(key: &str, peer: Option<IpAddr>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, peer).hash(&mut hasher);
    hasher.finish()
}
