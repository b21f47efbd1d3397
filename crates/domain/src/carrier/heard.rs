//! What a carrier last said of a card, put together from what its readings told.

use super::{Line, Session, Standing, Stop};
use crate::diagnose::FRESH_SECONDS;
use crate::sim::{BaseState, Blocks};
use crate::time::Timestamp;

/// What a carrier last said of a card, each piece with the time it was read; none: it never told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// Where it stands.
    pub standing: Option<(Standing, Timestamp)>,
    /// Why it is stopped.
    pub stop: Option<(Stop, Timestamp)>,
    /// Its sessions; none of them: it was not connected.
    pub sessions: Option<(Vec<Session>, Timestamp)>,
    /// Whether its device was switched on.
    pub power: Option<(bool, Timestamp)>,
}

impl Heard {
    /// With what a reading told at the instant. What it did not tell stays as it was read before; but a reason to stop is
    /// over with the state that it was the reason of.
    pub fn hear(self, line: &Line, at: Timestamp) -> Heard {
        let word = |s: &Standing| (s.base, s.raw.clone());
        let moved = match (&self.standing, &line.standing) {
            (Some((before, _)), Some(told)) => word(before) != word(told),
            _ => false,
        };
        let stop = self.stop.filter(|_| !moved);
        Heard {
            standing: line.standing.clone().map(|told| (told, at)).or(self.standing),
            stop: line.stop.clone().map(|told| (told, at)).or(stop),
            sessions: line.sessions.clone().map(|told| (told, at)).or(self.sessions),
            power: line.power.map(|told| (told, at)).or(self.power),
        }
    }

    /// Why it was stopped, as far as that was read more than a day ago.
    pub fn old_reasons(&self, now: Timestamp) -> Blocks {
        self.reasons().without(self.fresh_reasons(now))
    }

    /// The same without sessions, and without whether the device is on, that were read more than a day ago: by then they tell nothing of
    /// now ([`FRESH_SECONDS`]).
    #[must_use]
    pub fn with_fresh_sessions(self, now: Timestamp) -> Heard {
        let is_fresh = |at: Timestamp| now.since(at) <= FRESH_SECONDS;
        let (sessions, power) = (self.sessions.filter(|(_, at)| is_fresh(*at)), self.power.filter(|(_, at)| is_fresh(*at)));
        Heard { sessions, power, ..self }
    }

    /// Where it stands.
    pub fn base(&self) -> Option<BaseState> {
        self.standing.as_ref().map(|(standing, _)| standing.base)
    }

    /// Why it is stopped.
    pub fn reasons(&self) -> Blocks {
        self.stop.as_ref().map_or(Blocks::NONE, |(stop, _)| stop.blocks)
    }

    /// The same, as far as it was read within a day: much can be lifted in a day ([`FRESH_SECONDS`]), and a carrier that is asked
    /// says itself what still holds.
    pub fn fresh_reasons(&self, now: Timestamp) -> Blocks {
        let fresh = self.stop.as_ref().filter(|(_, at)| now.since(*at) <= FRESH_SECONDS);
        fresh.map_or(Blocks::NONE, |(stop, _)| stop.blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_and_a_switched_on_device_are_told_for_a_day() {
        let line = Line { sessions: Some(Vec::new()), power: Some(false), ..Line::default() };
        let heard = Heard::default().hear(&line, Timestamp(1));
        let told = |now| {
            let fresh = heard.clone().with_fresh_sessions(Timestamp(now));
            (fresh.sessions.is_some(), fresh.power.is_some())
        };
        assert_eq!([told(1), told(1 + FRESH_SECONDS), told(2 + FRESH_SECONDS)], [(true, true), (true, true), (false, false)]);
        let later = heard.hear(&Line::default(), Timestamp(9));
        assert_eq!(later.power, Some((false, Timestamp(1))), "what is not told stays as it was read");
    }

    #[test]
    fn what_is_not_told_stays_but_a_reason_goes_with_its_state() {
        let stands =
            |base: BaseState| Line { standing: Some(Standing { base, raw: base.word().into(), since: None }), ..Line::default() };
        let stop = Stop { blocks: Blocks::CREDIT, ..Stop::default() };
        let first = Line { stop: Some(stop), sessions: Some(Vec::new()), ..stands(BaseState::Stopped) };
        let heard = Heard::default().hear(&first, Timestamp(1));
        let same = heard.clone().hear(&stands(BaseState::Stopped), Timestamp(2));
        assert_eq!((same.reasons(), same.standing.as_ref().map(|s| s.1)), (Blocks::CREDIT, Some(Timestamp(2))));
        let on = same.hear(&stands(BaseState::Active), Timestamp(3));
        assert_eq!((on.base(), on.stop), (Some(BaseState::Active), None));
        assert_eq!(on.sessions, Some((Vec::new(), Timestamp(1))));
        let reasons_at = |at: i64| heard.fresh_reasons(Timestamp(at));
        assert_eq!([reasons_at(1 + FRESH_SECONDS), reasons_at(2 + FRESH_SECONDS)], [Blocks::CREDIT, Blocks::NONE]);
        let old_at = |at: i64| heard.old_reasons(Timestamp(at));
        assert_eq!([old_at(1 + FRESH_SECONDS), old_at(2 + FRESH_SECONDS)], [Blocks::NONE, Blocks::CREDIT]);
        let usage = heard.clone().hear(&Line::default(), Timestamp(4));
        assert_eq!(usage, heard);
    }
}
