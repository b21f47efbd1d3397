//! Whether a card can be let on again, decided before the carrier is asked.
//!
//! A resume lifts one thing: the stop that the owner asked for. If something else keeps the card off that its owner cannot
//! lift (ours, or the reason the carrier gave when it was last read), the carrier would refuse, so it is not asked: the
//! owner's stop is taken away here where there is one, and otherwise the resume is refused. What is left in the card's way is
//! told in each case, with who can lift it ([`Cause::row`]). Packages that are missing keep no carrier from letting a card on.

use crate::diagnose::Cause;
use crate::sim::{BaseState, Blocks};

/// What a resume comes to, each time with what is left in the card's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// The carrier is to be asked.
    Ask {
        /// What will be left.
        left: Vec<Cause>,
    },
    /// The owner's stop is taken away; the carrier is not asked, others keep the card off.
    Lift {
        /// What is left.
        left: Vec<Cause>,
    },
    /// It is on already: there is nothing to lift.
    On {
        /// What is left.
        left: Vec<Cause>,
    },
    /// Others keep it off, and there is nothing of its owner's to lift.
    Barred {
        /// What does.
        by: Vec<Cause>,
    },
}

/// Ours that keep a card off and that its owner cannot lift with a resume.
const OURS: Blocks = Blocks(
    Blocks::CREDIT.0
        | Blocks::FORCED.0
        | Blocks::IMEI_LOCK.0
        | Blocks::UNPAID.0
        | Blocks::REAL_NAME.0
        | Blocks::REGION.0
        | Blocks::SEPARATION.0
        | Blocks::CARRIER_MANAGEMENT.0,
);

/// A carrier's stop reasons for which it refuses a resume (OneLink 12098, 12099; facts of its stop reasons).
const CARRIERS: Blocks = Blocks(
    Blocks::CREDIT.0
        | Blocks::FORCED.0
        | Blocks::EXPIRED.0
        | Blocks::REAL_NAME.0
        | Blocks::REGION.0
        | Blocks::SEPARATION.0
        | Blocks::CARRIER_MANAGEMENT.0,
);

/// What a resume of a card comes to whose life is not over: where it stands and what is in its way with us, and what its
/// carrier last said of its state and, not longer than a day ago, of why it is stopped.
pub fn resume(base: BaseState, blocks: Blocks, (told, reasons): (Option<BaseState>, Blocks)) -> Resume {
    let by = Cause::all(Blocks(blocks.0 & OURS.0), Blocks(reasons.0 & CARRIERS.0));
    let left = Cause::all(Blocks(blocks.0 & !Blocks::OWNER_STOP.0), Blocks(reasons.0 & !Blocks::OWNER_STOP.0));
    let stopped_here = blocks.has(Blocks::OWNER_STOP);
    let off_there = told == Some(BaseState::Stopped) || reasons.has(Blocks::OWNER_STOP);
    match (by.is_empty(), stopped_here) {
        (false, true) => Resume::Lift { left },
        (false, false) => Resume::Barred { by },
        (true, _) if stopped_here || base != BaseState::Active || off_there => Resume::Ask { left },
        (true, _) => Resume::On { left },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `base: ours / carrier's state: its reasons | outcome: what is left or bars`.
    const CASES: &str = "
        active: owner_stop / - | ask
        active: owner_stop no_package / - | ask: no_package
        active: owner_stop expired data_off / active | ask: data_off expired
        active: owner_stop / stopped: owner_stop | ask
        stopped: / - | ask
        stopped: / stopped | ask
        ready: no_package / - | ask: no_package
        unknown: / - | ask
        active: / stopped | ask
        active: / stopped: owner_stop | ask
        active: / active: data_off | on: carrier_data_off
        active: data_off / active: data_off | on: data_off
        active: / - | on
        active: / active | on
        active: quota / active | on: quota
        active: no_package pool_exhausted / - | on: no_package pool_exhausted
        active: owner_stop forced / - | lift: forced
        active: owner_stop / stopped: owner_stop credit | lift: carrier_credit
        active: owner_stop quota imei_lock / - | lift: quota imei_lock
        active: forced / - | barred: forced
        active: imei_lock expired / - | barred: imei_lock
        active: credit unpaid / - | barred: unpaid credit
        active: real_name / stopped: real_name | barred: real_name
        stopped: / stopped: separation | barred: separation
        stopped: / stopped: region | barred: region
        stopped: / stopped: carrier_management | barred: carrier_management
        stopped: / stopped: expired | barred: carrier_expired
        stopped: / stopped: credit forced owner_stop | barred: carrier_credit carrier_forced
    ";

    fn set(words: &str) -> Blocks {
        let bit = |w: &str| Blocks::ALL.iter().find(|b| b.names() == [w]).unwrap_or_else(|| panic!("{w} is no block")).0;
        Blocks(words.split_whitespace().map(bit).sum())
    }

    fn named(word: &str, causes: &[Cause]) -> String {
        let names: Vec<&str> = causes.iter().map(|c| c.word()).collect();
        if names.is_empty() { word.to_owned() } else { format!("{word}: {}", names.join(" ")) }
    }

    #[test]
    fn a_resume_lifts_one_thing_or_is_refused_before_anything_is_sent() {
        for case in CASES.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (given, wanted) = case.split_once(" | ").unwrap();
            let (ours, told) = given.split_once(" / ").unwrap();
            let (base, blocks) = ours.split_once(':').unwrap();
            let (state, reasons) = told.split_once(':').unwrap_or((told, ""));
            let heard = ((state != "-").then(|| BaseState::parse(state).unwrap()), set(reasons));
            let found = match resume(BaseState::parse(base).unwrap(), set(blocks), heard) {
                Resume::Ask { left } => named("ask", &left),
                Resume::Lift { left } => named("lift", &left),
                Resume::On { left } => named("on", &left),
                Resume::Barred { by } => named("barred", &by),
            };
            assert_eq!(found, wanted, "{case}");
        }
    }

    #[test]
    fn whatever_its_owner_cannot_lift_bars_it_and_nothing_else() {
        for block in Blocks::ALL {
            let cause = Cause::of_block(*block).expect("every block is a cause");
            let barred = matches!(resume(BaseState::Active, *block, (None, Blocks::NONE)), Resume::Barred { .. });
            let others = *block != Blocks::OWNER_STOP && !block.only_package();
            let data = matches!(*block, Blocks::DATA_OFF | Blocks::SMS_OFF | Blocks::VOICE_OFF);
            assert_eq!(barred, others && !data, "{}", cause.word());
        }
    }
}
