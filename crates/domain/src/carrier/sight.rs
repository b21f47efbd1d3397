//! What a card shows of a write that is said to be done.

use super::{Fact, Facts, Line, Write};
use crate::sim::{BaseState, Blocks};

/// What a reading says of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It is done.
    Done,
    /// It is not, or not yet: what is seen instead.
    Not(String),
    /// The platform does not tell; its word has to do.
    Untold,
}

impl Write {
    /// By which facts its effect shows.
    pub fn shown_by(&self) -> Facts {
        match self {
            Write::Stop | Write::Activate | Write::EndTest => Facts::of(&[Fact::State]),
            Write::Resume => Facts::of(&[Fact::State, Fact::StopReason]),
            Write::DataOff { .. } | Write::DataOn { .. } => Facts::of(&[Fact::Apns]),
            Write::SwitchNetwork { .. } => Facts::of(&[Fact::Network]),
            Write::RefreshUsage => Facts::of(&[Fact::Counter, Fact::Month]),
            _ => Facts::NONE,
        }
    }

    /// What the card shows of it.
    pub fn seen(&self, line: &Line) -> Sight {
        match self {
            Write::Stop | Write::Resume | Write::Activate | Write::EndTest => self.seen_standing(line),
            Write::DataOff { apn } => seen_data(line, apn.as_deref(), false),
            Write::DataOn { apn, .. } => seen_data(line, apn.as_deref(), true),
            Write::SwitchNetwork { network } if line.network.as_ref() == Some(network) => Sight::Done,
            Write::SwitchNetwork { .. } => {
                let seen = line.network.as_ref().map_or_else(|| "none that it tells".to_owned(), |n| format!("\"{n}\""));
                Sight::Not(format!("the card's network is {seen}"))
            }
            Write::RefreshUsage if line.counter.is_some() || line.month.is_some() => Sight::Done,
            Write::RefreshUsage => Sight::Not("no counter is told".into()),
            _ => Sight::Untold,
        }
    }

    fn seen_standing(&self, line: &Line) -> Sight {
        let Some(standing) = line.standing.as_ref().filter(|s| s.base != BaseState::Unknown) else { return Sight::Untold };
        let base = standing.base;
        let is_so = match self {
            Write::Stop => base == BaseState::Stopped || base.is_over(),
            // What else keeps a card stopped is not what its owner had lifted.
            Write::Resume => {
                let others = |blocks: Blocks| !blocks.is_empty() && blocks.0 & Blocks::OWNER_STOP.0 == 0;
                base != BaseState::Stopped || line.stop.as_ref().is_some_and(|stop| others(stop.blocks))
            }
            Write::Activate => base.is_activated(),
            _ => base != BaseState::Testing,
        };
        if is_so { Sight::Done } else { Sight::Not(format!("the card is {} ({})", base.word(), standing.raw)) }
    }
}

/// Where no access point is named, it is all of them.
fn seen_data(line: &Line, apn: Option<&str>, on: bool) -> Sight {
    let asked = line.apns.iter().flatten().filter(|a| apn.is_none_or(|apn| apn == a.name) && a.on.is_some());
    let mut seen = 0;
    for found in asked {
        seen += 1;
        if found.on != Some(on) {
            return Sight::Not(format!("data at access point \"{}\" is {}", found.name, if on { "off" } else { "on" }));
        }
    }
    if seen > 0 { Sight::Done } else { Sight::Untold }
}

#[cfg(test)]
mod tests {
    use super::super::{Apn, Counter, Standing, Stop};
    use super::*;
    use crate::time::Timestamp;

    /// A card that stands so, is stopped for these reasons, and has data at these access points (`name+` on, `name-` off).
    fn line(base: &str, stop: Option<Blocks>, apns: &str) -> Line {
        let apn = |text: &str| {
            let (name, on) = text.split_at(text.len() - 1);
            Apn { name: name.into(), on: (on != "?").then_some(on == "+"), bytes: None }
        };
        Line {
            standing: BaseState::parse(base).ok().map(|base| Standing { base, raw: "4".into(), since: None }),
            stop: stop.map(|blocks| Stop { blocks, ..Stop::default() }),
            apns: Some(apns.split_whitespace().map(apn).collect()),
            ..Line::default()
        }
    }

    #[test]
    fn a_write_is_done_when_the_card_shows_it() {
        let data = |on: bool, apn: Option<&str>| {
            let apn = apn.map(str::to_owned);
            if on { Write::DataOn { apn, kbps: None } } else { Write::DataOff { apn } }
        };
        let both = Blocks(Blocks::OWNER_STOP.0 | Blocks::CREDIT.0);
        for (write, line, seen) in [
            (Write::Stop, line("stopped", None, ""), "done"),
            (Write::Stop, line("closed", None, ""), "done"),
            (Write::Stop, line("active", None, ""), "the card is active (4)"),
            (Write::Stop, line("unknown", None, ""), "untold"),
            (Write::Stop, line("", None, ""), "untold"),
            (Write::Resume, line("active", None, ""), "done"),
            (Write::Resume, line("stopped", None, ""), "the card is stopped (4)"),
            (Write::Resume, line("stopped", Some(Blocks::NONE), ""), "the card is stopped (4)"),
            (Write::Resume, line("stopped", Some(both), ""), "the card is stopped (4)"),
            (Write::Resume, line("stopped", Some(Blocks::CREDIT), ""), "done"),
            (Write::Activate, line("active", None, ""), "done"),
            (Write::Activate, line("ready", None, ""), "the card is ready (4)"),
            (Write::EndTest, line("ready", None, ""), "done"),
            (Write::EndTest, line("testing", None, ""), "the card is testing (4)"),
            (data(false, None), line("active", None, "a- b-"), "done"),
            (data(false, None), line("active", None, "a- b+"), "data at access point \"b\" is on"),
            (data(false, Some("a")), line("active", None, "a- b+"), "done"),
            (data(true, Some("a")), line("active", None, "a- b+"), "data at access point \"a\" is off"),
            (data(true, Some("c")), line("active", None, "a- b+"), "untold"),
            (data(true, None), line("active", None, "a?"), "untold"),
            (Write::ResetSession, line("active", None, ""), "untold"),
            (Write::RefreshUsage, line("active", None, ""), "no counter is told"),
            (Write::SwitchNetwork { network: "N".into() }, line("active", None, ""), "the card's network is none that it tells"),
        ] {
            let words = match write.seen(&line) {
                Sight::Done => "done".to_owned(),
                Sight::Untold => "untold".to_owned(),
                Sight::Not(words) => words,
            };
            assert_eq!(words, seen, "{write:?} {line:?}");
        }
    }

    #[test]
    fn a_network_and_a_counter_show_by_being_told() {
        let counter = Some(Counter { bytes: 1, as_of: Timestamp(1) });
        let told = Line { network: Some("N".into()), counter, ..Line::default() };
        assert_eq!(Write::SwitchNetwork { network: "N".into() }.seen(&told), Sight::Done);
        assert_eq!(Write::SwitchNetwork { network: "M".into() }.seen(&told), Sight::Not("the card's network is \"N\"".into()));
        assert_eq!(Write::RefreshUsage.seen(&told), Sight::Done);
    }

    #[test]
    fn each_write_that_shows_says_by_what() {
        assert!(Write::Stop.shown_by().has(Fact::State) && Write::Resume.shown_by().has(Fact::StopReason));
        assert_eq!(Write::SendSms { text: "x".into() }.shown_by(), Facts::NONE);
    }
}
