//! Devices by their IMEI, and the lock of a card to the devices of its group.
//!
//! A card in an IMEI group belongs in the group's devices. Seen in another one it is locked (block `imei_lock`) until it
//! is unlocked or leaves the group. Sightings come with usage records, so they come late, twice and in any order; what
//! is promised is that this does not matter: the lock is the earliest sighting that counts, it is told once, and what
//! happened before the card joined, after its time in the group, or before it was last unlocked never locks it.

use crate::Refusal;
use crate::ids::Imei;
use crate::time::{Timestamp, Zone};

/// Unlocks of one card must be so many seconds apart (domain rule 7).
pub const UNLOCK_PAUSE_SECONDS: i64 = 300;
/// Unlocks of a card in a calendar month, where its group says nothing else.
pub const UNLOCKS_PER_MONTH: i64 = 3;

/// A card seen in a device: the IMEI of a usage record, as a number, at the record's stop time. Of two at one instant
/// the greater number is the later one, so that the order in which they arrive does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// When.
    pub at: Timestamp,
    /// Digits; 0 where the record had none.
    pub imei: i64,
}

/// A device: type and serial number, the first fourteen digits of its IMEI. The fifteenth is a check digit, which
/// networks send as 0 or not at all; an IMEI of sixteen digits has a software version there (3GPP TS 23.003 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// Fourteen digits, as a number.
    pub serial: i64,
    /// The check digit, where it says anything.
    pub check: Option<i64>,
}

impl Device {
    /// The device of a printed IMEI.
    pub fn of(imei: &Imei) -> Device {
        let digits = imei.as_str();
        let number = |text: &str| text.parse::<i64>().unwrap_or(0);
        let check = if digits.len() == 15 { Some(number(&digits[14..])).filter(|d| *d != 0) } else { None };
        Device { serial: number(&digits[..14]), check }
    }

    /// The devices that the IMEI of a usage record may mean. A record keeps it as a number, without leading zeros, so an
    /// IMEI with a version that begins with 0 looks like one with a check digit that begins with 1: it may be either.
    pub fn seen(imei: i64) -> impl Iterator<Item = Device> {
        const SIXTEEN: i64 = 1_000_000_000_000_000;
        const FIFTEEN: i64 = 100_000_000_000_000;
        let with_check = Device { serial: imei / 10, check: Some(imei % 10).filter(|d| *d != 0) };
        let with_version = Device { serial: imei / 100, check: None };
        let (first, second) = match imei {
            SIXTEEN.. => (with_version, None),
            FIFTEEN.. if imei < 2 * FIFTEEN => (with_check, Some(with_version)),
            FIFTEEN.. => (with_check, None),
            _ if imei >= crate::cdr::WITH_ZEROS_BELOW => (Device { serial: imei, check: None }, None),
            _ => (with_check, None),
        };
        [Some(first), second].into_iter().flatten()
    }

    /// Whether the two are one.
    pub fn is(self, other: Device) -> bool {
        let same = |(a, b): (i64, i64)| a == b;
        self.serial == other.serial && self.check.zip(other.check).is_none_or(same)
    }
}

/// The digits of a usage record's IMEI as they are printed.
pub fn text(imei: i64) -> String {
    if imei < crate::cdr::WITH_ZEROS_BELOW { format!("{imei:015}") } else { imei.to_string() }
}

/// A card's time in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// When it joined; sightings after this instant count.
    pub since: Timestamp,
    /// When it leaves by itself; none = it stays.
    pub until: Option<Timestamp>,
    /// Why it is locked: the earliest sighting that counts.
    pub lock: Option<Sighting>,
    /// How it was unlocked so far.
    pub unlocks: Unlocks,
}

/// How a card was unlocked. It keeps this whichever group it goes to, or coming back would be a way around the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlocks {
    /// The last time.
    pub last: Option<Timestamp>,
    /// How often in the month of the last time.
    pub count: i64,
    /// When that month is over.
    pub until: Timestamp,
}

impl Unlocks {
    /// Never.
    pub const NONE: Unlocks = Unlocks { last: None, count: 0, until: Timestamp(i64::MIN) };
}

impl Membership {
    /// A card joins, with what it was unlocked in other groups or in this one before.
    pub fn new(since: Timestamp, until: Option<Timestamp>, unlocks: Unlocks) -> Membership {
        Membership { since, until, lock: None, unlocks }
    }

    /// Whether the card's time in the group has passed.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether a sighting is of the card's time in the group, and after it was last unlocked.
    pub fn counts(&self, seen: Sighting) -> bool {
        let after = |instant: Timestamp| seen.at > instant;
        seen.imei != 0
            && after(self.since)
            && self.unlocks.last.is_none_or(after)
            && self.until.is_none_or(|until| seen.at < until)
    }

    /// Takes in sightings in devices outside the group, in any order. True if they lock the card, which was free.
    pub fn see(&mut self, now: Timestamp, foreign: impl IntoIterator<Item = Sighting>) -> bool {
        let was_free = self.lock.is_none();
        if !self.is_over(now) {
            let earliest = foreign.into_iter().filter(|s| self.counts(*s)).chain(self.lock).min();
            self.lock = earliest;
        }
        was_free && self.lock.is_some()
    }

    /// Unlocks in the calendar month of `now`.
    pub fn unlocks_this_month(&self, now: Timestamp) -> i64 {
        if now < self.unlocks.until { self.unlocks.count } else { 0 }
    }

    /// Unlocks the card. Refused if it is not locked, was unlocked less than five minutes ago, or as often as may be in
    /// this calendar month of the zone.
    pub fn unlock(&mut self, per_month: i64, now: Timestamp, zone: &Zone) -> Result<(), Refusal> {
        if self.lock.is_none() {
            return Err(Refusal::NotLocked);
        }
        if self.unlocks.last.is_some_and(|at| now.since(at) < UNLOCK_PAUSE_SECONDS) {
            return Err(Refusal::UnlockTooSoon);
        }
        let before = self.unlocks_this_month(now);
        if before >= per_month {
            return Err(Refusal::UnlocksUsedUp { per_month });
        }
        self.lock = None;
        self.unlocks = Unlocks { last: Some(now), count: before + 1, until: zone.next_month(now) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(printed: &str, seen: i64) -> bool {
        let printed = Device::of(&Imei::parse(printed).unwrap());
        Device::seen(seen).any(|d| d.is(printed))
    }

    #[test]
    fn a_device_is_known_by_its_fourteen_digits() {
        for (printed, seen, same) in [
            ("867530912345678", 867_530_912_345_678, true),
            ("867530912345678", 867_530_912_345_679, false),
            ("867530912345678", 867_530_912_345_670, true), // the check digit was sent as 0
            ("867530912345678", 86_753_091_234_567, true),  // or not at all
            ("867530912345678", 8_675_309_123_456_702, true), // a software version in its place
            ("8675309123456702", 867_530_912_345_678, true),
            ("8675309123456702", 8_675_309_123_456_703, true),
            ("867530912345678", 867_530_912_345_688, false),
            ("012345678901237", 12_345_678_901_237, true), // leading zeros are lost in a record
            ("0123456789012301", 123_456_789_012_399, true),
            ("123456789012345", 123_456_789_012_345, true),
            ("123456789012345", 123_456_789_012_346, false),
        ] {
            assert_eq!(is_same(printed, seen), same, "{printed} and {seen}");
        }
    }

    #[test]
    fn an_imei_is_printed_with_its_zeros() {
        assert_eq!(text(867_530_912_345_678), "867530912345678");
        assert_eq!(text(12_345_678_901_237), "012345678901237");
        assert_eq!(text(86_753_091_234_567), "86753091234567");
    }
}
