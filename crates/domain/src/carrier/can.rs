//! What a platform can do and tell.

use super::{Answer, Cycle, Pace, Write};
use serde::{Deserialize, Serialize};

/// What a connector can do; the engine asks before it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Activates packages at the carrier.
    pub subscribe: bool,
    /// Takes packages back at the carrier.
    pub unsubscribe: bool,
    /// Stops and resumes cards.
    pub stop_resume: bool,
    /// Activates cards.
    pub activate: bool,
    /// Ends a card's test period.
    pub end_test: bool,
    /// Switches a card's data off and on.
    pub data_switch: bool,
    /// Switches a card's messages, and its voice, off and on.
    pub functions: bool,
    /// Limits a card's speed, and lifts the limit.
    pub speed: bool,
    /// A card's data and its speed are one plan there: data that is switched on has the speed that is named with it, a card whose data is
    /// off has no speed, and one that is given a speed has data.
    pub one_plan: bool,
    /// Keeps a list of the numbers that a card may call and be called by.
    pub voice_list: bool,
    /// Cuts a card's session, so that its device connects anew.
    pub session_reset: bool,
    /// Switches a card to another network, and tells which one it is on.
    pub network: bool,
    /// Tells a card's usage counter.
    pub usage: bool,
    /// Sends a message to a card and tells what became of it.
    pub sms: bool,
    /// Sends messages to people's telephones.
    pub phone_sms: bool,
    /// Tells what became of a write.
    pub look: bool,
    /// Whether what it says to be done is what it was seen to show: it has been read back already.
    pub shows: bool,
    /// A person does the work and confirms it by hand.
    pub by_hand: bool,
    /// Calls need a login that is renewed.
    pub login: bool,
    /// Tells which cards changed.
    pub changes: bool,
    /// Tells things by itself, by a call to us.
    pub callbacks: bool,
    /// What can be read of one card.
    pub facts: Facts,
    /// How many cards can be asked about at once.
    pub batches: Batches,
    /// Cards of one batch of writes; 0 and 1: one by one.
    pub submit_batch: u16,
    /// Seconds after a write in which its card takes no other.
    pub cool_down_seconds: i64,
    /// The billing month.
    pub cycle: Cycle,
    /// How many requests it takes.
    pub pace: Pace,
}

/// Cards in one [`super::Connector::read_many`], at most; 0: it cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Batches {
    /// Where each stands.
    pub state: u16,
    /// Data of a day.
    pub day: u16,
    /// Data of a month.
    pub month: u16,
}

impl Capabilities {
    /// Whether the act can be asked of this platform.
    pub fn can(self, write: &Write) -> bool {
        match write {
            Write::Subscribe { .. } => self.subscribe,
            Write::Unsubscribe { .. } => self.unsubscribe,
            Write::Stop | Write::Resume => self.stop_resume,
            Write::Activate => self.activate,
            Write::EndTest => self.end_test,
            Write::DataOff { .. } | Write::DataOn { .. } => self.data_switch,
            Write::SetFunction { .. } => self.functions,
            Write::LimitSpeed { .. } => self.speed,
            Write::AllowCalls { .. } | Write::BarCalls { .. } => self.voice_list,
            Write::ResetSession => self.session_reset,
            Write::SwitchNetwork { .. } => self.network,
            Write::RefreshUsage => self.usage,
            Write::SendSms { .. } => self.sms,
            Write::SendPhone { .. } => self.phone_sms,
        }
    }

    /// The refusal of an act that cannot be asked; none if it can.
    pub fn refuse(self, write: &Write) -> Option<Answer> {
        let act = match write {
            Write::Subscribe { .. } => "activate packages",
            Write::Unsubscribe { .. } => "take packages back",
            Write::Stop | Write::Resume => "stop or resume cards",
            Write::Activate => "activate cards",
            Write::EndTest => "end test periods",
            Write::DataOff { .. } | Write::DataOn { .. } => "switch data off or on",
            Write::SetFunction { .. } => "switch messages or voice off or on",
            Write::LimitSpeed { .. } => "limit speeds",
            Write::AllowCalls { .. } | Write::BarCalls { .. } => "keep lists of numbers for calls",
            Write::ResetSession => "cut sessions",
            Write::SwitchNetwork { .. } => "switch networks",
            Write::RefreshUsage => "tell usage",
            Write::SendSms { .. } => "send messages",
            Write::SendPhone { .. } => "send messages to telephones",
        };
        (!self.can(write)).then(|| Answer::unsupported(act))
    }
}

/// Something that may be read of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The numbers it is known by.
    Numbers = 0,
    /// Where it stands.
    State = 1,
    /// Why it is stopped.
    StopReason = 2,
    /// Its session.
    Session = 3,
    /// The device it is in.
    Imei = 4,
    /// Its access points, on or off.
    Apns = 5,
    /// The month's usage so far.
    Month = 6,
    /// The day's usage so far.
    Day = 7,
    /// Bytes since the carrier began to count.
    Counter = 8,
    /// What it has at the carrier.
    Packages = 9,
    /// The network it may use.
    Network = 10,
    /// How long it spoke in the month.
    Voice = 11,
    /// Whether its device is switched on.
    Power = 12,
}

impl Fact {
    /// All of them.
    pub const ALL: [Fact; 13] = [
        Fact::Numbers,
        Fact::State,
        Fact::StopReason,
        Fact::Session,
        Fact::Imei,
        Fact::Apns,
        Fact::Month,
        Fact::Day,
        Fact::Counter,
        Fact::Packages,
        Fact::Network,
        Fact::Voice,
        Fact::Power,
    ];
}

/// A set of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(u32);

impl Facts {
    /// None.
    pub const NONE: Facts = Facts(0);
    /// Every one.
    pub const ALL: Facts = Facts::of(&Fact::ALL);

    /// These.
    pub const fn of(facts: &[Fact]) -> Facts {
        let (mut bits, mut i) = (0, 0);
        while i < facts.len() {
            bits |= 1 << facts[i] as u32;
            i += 1;
        }
        Facts(bits)
    }

    /// Whether it is one of them.
    pub const fn has(self, fact: Fact) -> bool {
        self.0 & 1 << fact as u32 != 0
    }

    /// Whether one of these is among them.
    pub fn any(self, of: &[Fact]) -> bool {
        self.0 & Facts::of(of).0 != 0
    }

    /// Those that are in both.
    pub const fn and(self, other: Facts) -> Facts {
        Facts(self.0 & other.0)
    }

    /// Those that are in either.
    pub const fn or(self, other: Facts) -> Facts {
        Facts(self.0 | other.0)
    }

    /// Those that are in the first alone.
    pub const fn without(self, other: Facts) -> Facts {
        Facts(self.0 & !other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        for (n, fact) in Fact::ALL.into_iter().enumerate() {
            assert_eq!(fact as usize, n);
            let one = Facts::of(&[fact]);
            assert!(Facts::ALL.has(fact) && one.has(fact) && !Facts::NONE.has(fact));
            assert!(!Facts::ALL.without(one).has(fact));
            assert_eq!(Facts::ALL.and(one), one);
            assert_eq!(one.any(&[Fact::Imei]), fact == Fact::Imei);
        }
    }

    #[test]
    fn capabilities_as_kept_before_are_still_read() {
        let kept = r#"{"subscribe":true,"look":true}"#;
        let read: Capabilities = serde_json::from_str(kept).unwrap();
        assert_eq!(read, Capabilities { subscribe: true, look: true, ..Capabilities::default() });
    }
}
