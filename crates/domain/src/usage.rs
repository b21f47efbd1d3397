//! Usage facts and the fate of each line that brought one.

use crate::ids::{Iccid, SimId};
use crate::package::words;
use crate::time::{DAY_SECONDS, Timestamp};
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

/// Where the ids begin under which customers are told of days that carriers counted: above every id that a carrier gives.
const COUNTED_IDS: i64 = 9_000_000_000_000_000_000;
/// Cards of which each day has an id of its own.
const CARDS_MAX: i64 = 10_000_000_000;

impl CdrRecord {
    /// A day that a carrier counted as a whole, as a record of the card: under the card's number, so that the day and the card are
    /// its natural key.
    pub fn of_counted_day(card: SimId, iccid: Iccid, (start, end): (Timestamp, Timestamp), bytes: i64) -> CdrRecord {
        CdrRecord { source_id: card.0, start, stop: end.plus(-1), iccid, imsi: 0, bytes, imei: 0, mccmnc: 0 }
    }

    /// The id under which customers are told of this record of a card: the carrier's own, or, of a counted day, one that neither
    /// another day nor another card has.
    pub fn id_told(&self, card: SimId) -> i64 {
        let nobody = (self.imsi, self.imei, self.mccmnc) == (0, 0, 0);
        let counted = self.source_id == card.0 && nobody && self.stop.since(self.start) + 1 == DAY_SECONDS;
        let day = self.stop.0.div_euclid(DAY_SECONDS);
        let given = day.checked_mul(CARDS_MAX).and_then(|id| id.checked_add(card.0)).and_then(|id| id.checked_add(COUNTED_IDS));
        given.filter(|_| counted).unwrap_or(self.source_id)
    }
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
    } else if now.since(stop) > late_days.saturating_mul(DAY_SECONDS) {
        Err(Fate::Late)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_counted_day_has_an_id_of_its_own_and_a_record_keeps_its_carriers() {
        let iccid = Iccid::parse("89860000000000000001").expect("well-formed");
        let day = |n: i64| (Timestamp(n * DAY_SECONDS - 8 * 3600), Timestamp((n + 1) * DAY_SECONDS - 8 * 3600));
        let cards = [SimId(1), SimId(2), SimId(9_999_999_999)];
        let told = |n, card| CdrRecord::of_counted_day(card, iccid.clone(), day(n), 5).id_told(card);
        let ids: HashSet<i64> = (20_000..20_003).flat_map(|n| cards.map(|card| told(n, card))).collect();
        assert_eq!(ids.len(), 9);
        assert!(ids.iter().all(|id| *id > COUNTED_IDS));
        let counted = CdrRecord::of_counted_day(SimId(7), iccid.clone(), day(20_000), 5);
        let of_device = CdrRecord { imei: 490_154_203_237_518, ..counted.clone() };
        let part = CdrRecord { start: counted.start.plus(1), ..counted.clone() };
        for record in [of_device, part] {
            assert_eq!(record.id_told(SimId(7)), 7, "a record whose id is the card's number by chance");
        }
        assert_eq!(counted.id_told(SimId(8)), 7);
    }
}
