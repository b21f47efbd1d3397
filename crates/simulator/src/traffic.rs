//! How a card uses the network by itself: at most one session an hour, drawn from the seed, the card and the hour.
//!
//! The same world draws the same sessions whoever asks when, so nothing has to run while nobody looks.

use serde::{Deserialize, Serialize};

/// The shape of a card's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// No traffic but what a test or a person makes.
    Silent,
    /// One session every six hours, all of about the same size.
    Steady,
    /// A session every three days or so, of up to 150 times the size.
    Bursty,
    /// Sessions between midnight and five o'clock in China.
    Night,
    /// A session every hour, of forty times the size: a device gone wild.
    Runaway,
}

/// One session of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Burst {
    pub(crate) start: i64,
    pub(crate) stop: i64,
    pub(crate) bytes: u64,
}

/// A number that depends on all three and looks like chance (the finaliser of SplitMix64, thrice).
pub(crate) fn draw(seed: u64, a: u64, b: u64) -> u64 {
    mix(mix(mix(seed) ^ a) ^ b)
}

fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// What kind of card it is, as far as traffic goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habit {
    /// Drawn once for the card.
    pub(crate) dice: u64,
    pub(crate) shape: Shape,
    /// Bytes of an ordinary session.
    pub(crate) rate: u64,
}

/// The session that the card begins and ends within an hour (counted from 1970), if any.
pub(crate) fn burst(habit: Habit, hour: i64) -> Option<Burst> {
    let times = match habit.shape {
        Shape::Silent => return None,
        Shape::Steady => u64::from(hour.unsigned_abs().wrapping_add(habit.dice).is_multiple_of(6)),
        Shape::Night => u64::from((hour + 8).rem_euclid(24) < 5) * 2,
        Shape::Runaway => 40,
        Shape::Bursty => match draw(habit.dice, hour.unsigned_abs(), 1) % 4320 {
            n @ 0..60 => 30 + 2 * n,
            _ => 0,
        },
    };
    if times == 0 {
        return None;
    }
    let chance = draw(habit.dice, hour.unsigned_abs(), 2);
    let start = hour * 3600 + (chance % 1800) as i64;
    let length = 60 + (chance >> 16) as i64 % 1700;
    let bytes = habit.rate * times;
    Some(Burst { start, stop: start + length.abs(), bytes: bytes - bytes / 4 + (chance >> 32) % (bytes / 2).max(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_has_its_hours_and_every_session_stays_within_its_own() {
        let month = |shape| {
            let habit = Habit { dice: 7, shape, rate: 1000 };
            (490_000..490_720).filter_map(|hour| burst(habit, hour).map(|b| (hour, b))).collect::<Vec<_>>()
        };
        let bytes = |shape| month(shape).iter().map(|(_, b)| b.bytes).sum::<u64>();
        assert_eq!(month(Shape::Silent), []);
        assert_eq!(month(Shape::Steady).len(), 120);
        assert_eq!(month(Shape::Runaway).len(), 720);
        assert_eq!(month(Shape::Night).len(), 150);
        assert!(month(Shape::Night).iter().all(|(hour, _)| (hour + 8) % 24 < 5));
        assert!((3..30).contains(&month(Shape::Bursty).len()));
        assert!(bytes(Shape::Runaway) > 20 * bytes(Shape::Steady) && bytes(Shape::Bursty) > bytes(Shape::Steady) / 2);
        for shape in [Shape::Steady, Shape::Bursty, Shape::Night, Shape::Runaway] {
            for (hour, b) in month(shape) {
                assert!(b.start >= hour * 3600 && b.start + 60 <= b.stop && b.stop < (hour + 1) * 3600, "{shape:?} {b:?}");
            }
            assert_eq!(month(shape), month(shape));
        }
    }
}
