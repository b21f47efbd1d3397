//! What goes wrong on demand: each fault is armed for a number of times and is used up only when it strikes.

use crate::Platform;
use serde::{Deserialize, Serialize};

/// Most times for which a fault can be armed.
pub const COUNT_MAX: u32 = 10_000;
/// Longest that an answer is held back, in real milliseconds.
pub const HOLD_MAX_MS: u64 = 60_000;
/// Most faults that are armed at once.
const ARMED_MAX: usize = 1000;
/// What a gateway answers with that has no way to the carrier, and what it may answer with.
const UNAVAILABLE: u16 = 503;
const GATEWAY: [u16; 4] = [TOO_MANY, 502, UNAVAILABLE, 504];
const TOO_MANY: u16 = 429;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Somebody else has logged in: the token is worthless.
    TokenKilled,
    /// The write is refused because the same card was written to a moment ago.
    TooSoon,
    /// One card of the batch cools down, so the whole batch is refused.
    PoisonedBatch,
    /// The act is done, and the caller never hears of it.
    AppliedButTimedOut,
    /// The act is accepted, and never done.
    AcceptedNeverApplied,
    /// HTTP 200 with an error in the body that says no more than that there is one; nothing is done.
    ErrorBody,
    /// HTTP 200 with a refusal in the body: the account was not given this call, and nothing is done.
    NotGranted,
    /// The answer cannot be read, whatever was done.
    GarbageXml,
    /// The answer is encoded in GBK.
    Gbk,
    /// A counter is lower than it was.
    CounterDown,
    /// In the first four hours of a cycle a counter still tells the last cycle's total.
    MonthRoll,
    /// A row of a batch's job fails.
    RowFails,
    /// HTTP 500, and nothing is done.
    #[serde(rename = "http_500")]
    Http500,
    /// A gateway answers in the carrier's place (see [`Fault::status`]), and nothing is done.
    Unavailable,
    /// The act is done, and a gateway answers in the carrier's place (see [`Fault::status`]).
    AppliedButUnavailable,
    /// The answer comes late.
    Slow,
    /// Too many requests, says the carrier, and nothing is done.
    RateLimited,
}

/// A fault that waits for its occasion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where.
    pub platform: Platform,
    /// What.
    pub kind: FaultKind,
    /// How many times it strikes.
    #[serde(default = "once")]
    pub count: u32,
    /// Only for this card.
    #[serde(default)]
    pub iccid: Option<String>,
    /// Only where this text stands in the request's verb, path and query, such as `PUT /rws/api/v1/devices/8986?`.
    #[serde(default)]
    pub on: Option<String>,
    /// For how many real milliseconds the answer, or its absence, is held back.
    #[serde(default)]
    pub hold_ms: u64,
    /// The HTTP status of a gateway that answers in the carrier's place: 429, 502, 503 or 504.
    #[serde(default = "unavailable")]
    pub status: u16,
}

fn once() -> u32 {
    1
}

fn unavailable() -> u16 {
    UNAVAILABLE
}

impl Fault {
    /// Strikes once, at any card and request.
    pub fn new(platform: Platform, kind: FaultKind) -> Fault {
        Fault { platform, kind, count: once(), iccid: None, on: None, hold_ms: 0, status: UNAVAILABLE }
    }

    /// Strikes so many times.
    pub fn count(mut self, count: u32) -> Fault {
        self.count = count;
        self
    }

    /// Only for this card.
    pub fn iccid(mut self, iccid: &str) -> Fault {
        self.iccid = Some(iccid.to_owned());
        self
    }

    /// Only for requests in whose verb, path and query this text stands.
    pub fn on(mut self, text: &str) -> Fault {
        self.on = Some(text.to_owned());
        self
    }

    /// Holds back for so many real milliseconds.
    pub fn hold_ms(mut self, ms: u64) -> Fault {
        self.hold_ms = ms;
        self
    }

    /// With this HTTP status, where a gateway answers.
    pub fn status(mut self, status: u16) -> Fault {
        self.status = status;
        self
    }

    fn check(&self) -> Result<(), String> {
        let one_link = matches!(self.kind, FaultKind::TokenKilled | FaultKind::PoisonedBatch | FaultKind::RowFails);
        if one_link && self.platform != Platform::OneLink {
            return Err(format!("kind: {:?} exists at onelink only, not at {}", self.kind, self.platform.name()));
        }
        if !(1..=COUNT_MAX).contains(&self.count) {
            return Err(format!("count: {} is not within 1 to {COUNT_MAX}", self.count));
        }
        if self.hold_ms > HOLD_MAX_MS {
            return Err(format!("hold_ms: {} is more than {HOLD_MAX_MS}", self.hold_ms));
        }
        if !GATEWAY.contains(&self.status) {
            return Err(format!("status: {} is none of {GATEWAY:?}", self.status));
        }
        if self.kind == FaultKind::AppliedButUnavailable && self.status == TOO_MANY {
            return Err(format!("status: {TOO_MANY} says that nothing was done"));
        }
        Ok(())
    }
}

/// The armed faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<Fault>,
}

impl Faults {
    pub(crate) fn arm(&mut self, fault: Fault) -> Result<(), String> {
        fault.check()?;
        if self.armed.len() >= ARMED_MAX {
            return Err(format!("{ARMED_MAX} faults are armed already: let some strike first"));
        }
        self.armed.push(fault);
        Ok(())
    }

    /// Those that have not struck as often as they should.
    pub(crate) fn left(&self) -> &[Fault] {
        &self.armed
    }

    /// Disarms everything.
    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    /// The fault that strikes now, if one does: `on` says what the request is, `card` whether it is about a card.
    pub(crate) fn take(&mut self, platform: Platform, kind: FaultKind, on: &str, card: impl Fn(&str) -> bool) -> Option<Fault> {
        let strikes = |f: &Fault| {
            f.platform == platform
                && f.kind == kind
                && f.on.as_ref().is_none_or(|text| on.contains(text.as_str()))
                && f.iccid.as_ref().is_none_or(|iccid| card(iccid))
        };
        let at = self.armed.iter().position(strikes)?;
        self.armed[at].count -= 1;
        let fault = self.armed[at].clone();
        if fault.count == 0 {
            self.armed.remove(at);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_is_armed_for_and_only_where_it_belongs() {
        let mut faults = Faults::default();
        faults.arm(Fault::new(Platform::OneLink, FaultKind::TooSoon).count(2).iccid("A").on("change")).unwrap();
        let mut strikes = |on: &str, card: &str| faults.take(Platform::OneLink, FaultKind::TooSoon, on, |c| c == card).is_some();
        assert_eq!([strikes("/query", "A"), strikes("/change", "B")], [false; 2]);
        assert_eq!([strikes("/change", "A"), strikes("/change", "A"), strikes("/change", "A")], [true, true, false]);
        assert_eq!(faults.left(), []);
    }

    #[test]
    fn a_fault_without_bounds_or_at_the_wrong_carrier_is_refused() {
        let mut faults = Faults::default();
        let slow = Fault::new(Platform::Unicom, FaultKind::Slow);
        assert_eq!(faults.arm(slow.clone().count(0)), Err("count: 0 is not within 1 to 10000".into()));
        assert_eq!(faults.arm(slow.hold_ms(60_001)), Err("hold_ms: 60001 is more than 60000".into()));
        let token = Fault::new(Platform::Jasper, FaultKind::TokenKilled);
        assert_eq!(faults.arm(token), Err("kind: TokenKilled exists at onelink only, not at jasper".into()));
        let gateway = Fault::new(Platform::Unicom, FaultKind::AppliedButUnavailable);
        assert_eq!(faults.arm(gateway.clone().status(200)), Err("status: 200 is none of [429, 502, 503, 504]".into()));
        assert_eq!(faults.arm(gateway.clone().status(429)), Err("status: 429 says that nothing was done".into()));
        assert_eq!(faults.arm(gateway.status(504)), Ok(()));
    }
}
