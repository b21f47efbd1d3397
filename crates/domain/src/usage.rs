//! Usage facts and the fate of each line that brought one.

use crate::ids::Iccid;
use crate::package::words;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of a CDR file, well-formed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CdrRecord {
    /// The carrier's own id of the record; with the platform and the day it is the natural key.
    pub source_id: i64,
    /// When the session part began.
    pub start: Timestamp,
    /// When it ended; the instant at which it counts.
    pub stop: Timestamp,
    /// The card.
    pub iccid: Iccid,
    /// Subscriber identity used, digits; 0 where absent.
    pub imsi: i64,
    /// Bytes, not negative.
    pub bytes: i64,
    /// Device identity seen, digits; 0 where absent.
    pub imei: i64,
    /// Network seen: country code and network code as one number; 0 where absent.
    pub mccmnc: i64,
}

words!(/// What became of a line that is not, or not yet, a reading.
Fate {
    /// It could not be read; the reason says why.
    Bad = "bad",
    /// Its key is known with other content.
    Conflict = "conflict",
    /// Its card is not known; tried again when the card appears.
    Orphan = "orphan",
    /// It is older than `usage.late_days`.
    Late = "late",
    /// It is more than five minutes ahead of the clock.
    Ahead = "ahead",
});

/// A record may be this far ahead of the clock before it is set aside (two billing APIs use the same figure).
pub const AHEAD_SECONDS_MAX: i64 = 300;

/// Whether a record of this instant is too late or too far ahead to be rated at once.
pub fn admission(stop: Timestamp, now: Timestamp, late_days: i64) -> Result<(), Fate> {
    if stop.since(now) > AHEAD_SECONDS_MAX {
        Err(Fate::Ahead)
    } else if now.since(stop) > late_days.saturating_mul(crate::time::DAY_SECONDS) {
        Err(Fate::Late)
    } else {
        Ok(())
    }
}
