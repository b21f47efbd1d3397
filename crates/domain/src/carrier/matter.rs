//! What of a card a write is about, and which earlier write it makes needless.
//!
//! Writes of one card about one matter go to its carrier in the order they were asked for: a later one waits for the last
//! word on an earlier one. Those of two matters do not wait for each other, for neither changes what the other asks for; a
//! message, the end of a session or a fresh counter waits for nothing and holds nothing.

use super::{Answer, Capabilities, Function, Write};

/// What of a card a write is about; the number is kept with the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// Nothing that stays.
    None = 0,
    /// Whether its carrier lets it on.
    Service = 1,
    /// What it has bought there.
    Packages = 2,
    /// Its data, on or off.
    Data = 3,
    /// Its speed.
    Speed = 4,
    /// The numbers it may call.
    Calls = 5,
    /// The network it may use.
    Network = 6,
    /// Its messages, on or off.
    Sms = 7,
    /// Its voice, on or off.
    Voice = 8,
}

impl Matter {
    /// The number it is kept as.
    pub fn number(self) -> i64 {
        self as i64
    }
}

impl Capabilities {
    /// Matters of a card that are one at this platform; none: each is by itself. Where data and speed are one plan, the plan that a write
    /// gives the card is made of the one it has, so that writes about either wait for the one before. Asked whenever writes are put in
    /// order and never kept with one: a platform may come to be otherwise while writes wait.
    pub fn one_matter(&self) -> &'static [Matter] {
        if self.one_plan { &[Matter::Data, Matter::Speed] } else { &[] }
    }

    /// The matters whose writes go in one order with this one at this platform: its own, and those that are one with it.
    pub fn matters(&self, write: &Write) -> Vec<Matter> {
        let own = write.matter();
        if self.one_matter().contains(&own) { self.one_matter().to_vec() } else { vec![own] }
    }
}

impl Write {
    /// What of the card it is about; at some platforms two matters are one ([`Capabilities::one_matter`]).
    pub fn matter(&self) -> Matter {
        match self {
            Write::Stop | Write::Resume | Write::Activate | Write::EndTest => Matter::Service,
            Write::Subscribe { .. } | Write::Unsubscribe { .. } => Matter::Packages,
            Write::DataOff { .. } | Write::DataOn { .. } => Matter::Data,
            Write::LimitSpeed { .. } => Matter::Speed,
            Write::SetFunction { function: Function::Sms, .. } => Matter::Sms,
            Write::SetFunction { function: Function::Voice, .. } => Matter::Voice,
            Write::AllowCalls { .. } | Write::BarCalls { .. } => Matter::Calls,
            Write::SwitchNetwork { .. } => Matter::Network,
            Write::ResetSession | Write::RefreshUsage | Write::SendSms { .. } | Write::SendPhone { .. } => Matter::None,
        }
    }

    /// Whether this asks for what an earlier write asked for. At which speed data comes is no wish of its own ([`Write::DataOn`]).
    pub fn repeats(&self, earlier: &Write) -> bool {
        match (self, earlier) {
            (Write::DataOn { apn: a, .. }, Write::DataOn { apn: b, .. }) => a == b,
            _ => self == earlier,
        }
    }

    /// Whether nobody wants an earlier write any more when this one is asked for: its contrary. What was bought is none of it:
    /// each purchase, and each taking back, is one of its own.
    pub fn undoes(&self, earlier: &Write) -> bool {
        match (self, earlier) {
            (Write::Stop, Write::Resume | Write::Activate) | (Write::Resume | Write::Activate, Write::Stop) => true,
            (Write::DataOff { apn: a }, Write::DataOn { apn: b, .. })
            | (Write::DataOn { apn: a, .. }, Write::DataOff { apn: b }) => a == b,
            (Write::SetFunction { function: a, on }, Write::SetFunction { function: b, on: earlier }) => a == b && on != earlier,
            (Write::LimitSpeed { .. }, Write::LimitSpeed { .. }) | (Write::SwitchNetwork { .. }, Write::SwitchNetwork { .. }) => {
                self != earlier
            }
            _ => false,
        }
    }
}

impl Answer {
    /// The last word on a write that was given up because its contrary was asked for since.
    pub fn superseded() -> Answer {
        let reason = "given up: the contrary was asked for since".into();
        Answer::Refused { code: "superseded".into(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(word: &str) -> Write {
        let (act, name) = word.split_once(':').map_or((word, None), |(act, name)| (act, Some(name.to_owned())));
        let named = || name.clone().unwrap_or_default();
        match act {
            "stop" => Write::Stop,
            "resume" => Write::Resume,
            "activate" => Write::Activate,
            "end_test" => Write::EndTest,
            "subscribe" => Write::subscribe(&named()),
            "unsubscribe" => Write::Unsubscribe { package: named(), of: None },
            "off" => Write::DataOff { apn: name },
            "on" => Write::DataOn { apn: name, kbps: None },
            "function" => {
                let (function, on) = name.as_deref().and_then(|n| n.split_once('_')).expect("sms_off and the like");
                Write::SetFunction { function: Function::parse(function).expect("a function"), on: on == "on" }
            }
            "speed" => Write::LimitSpeed { kbps: named().parse().ok() },
            "allow" => Write::AllowCalls { numbers: vec![named()], group: String::new() },
            "bar" => Write::BarCalls { numbers: vec![named()], group: String::new() },
            "network" => Write::SwitchNetwork { network: named() },
            "session" => Write::ResetSession,
            "counter" => Write::RefreshUsage,
            "sms" => Write::SendSms { text: named() },
            _ => Write::SendPhone { to: named(), text: named() },
        }
    }

    /// An earlier write and a later one of the same card: `apart` (neither waits), `after` (the later waits), `instead` (an
    /// earlier one that was not sent is given up).
    const CASES: &str = "
        stop resume: instead
        stop activate: instead
        resume stop: instead
        activate stop: instead
        resume activate: after
        stop stop: after
        end_test activate: after
        end_test stop: after
        off:a on:a: instead
        on off: instead
        off:a on:b: after
        off off: after
        off stop: apart
        subscribe:P subscribe:P: after
        subscribe:P unsubscribe:P: after
        unsubscribe:P subscribe:P: after
        subscribe:P stop: apart
        function:sms_off function:sms_on: instead
        function:sms_off function:sms_off: after
        function:sms_off function:voice_on: apart
        function:voice_off stop: apart
        speed:128 speed: instead
        speed:128 speed:128: after
        allow:1 bar:1: after
        network:A network:B: instead
        network:A network:A: after
        network:A stop: apart
        sms:x sms:x: apart
        session session: apart
        counter counter: apart
        phone:x phone:x: apart
        sms:x stop: apart
    ";

    #[test]
    fn writes_about_one_matter_go_in_their_order() {
        for case in CASES.trim().lines().map(str::trim) {
            let (words, wanted) = case.rsplit_once(": ").unwrap();
            let (earlier, later) = words.split_once(' ').unwrap();
            let (earlier, later) = (write(earlier), write(later));
            let waits = later.matter() != Matter::None && later.matter() == earlier.matter();
            let told = match (waits, later.undoes(&earlier)) {
                (true, true) => "instead",
                (true, false) => "after",
                (false, false) => "apart",
                (false, true) => "undoes what it does not wait for",
            };
            assert_eq!(told, wanted, "{case}");
        }
    }

    #[test]
    fn what_asks_for_the_same_repeats() {
        let on = |apn: Option<&str>, kbps| Write::DataOn { apn: apn.map(str::to_owned), kbps };
        assert!(on(None, Some(128)).repeats(&on(None, None)) && on(Some("a"), None).repeats(&on(Some("a"), Some(128))));
        assert!(!on(Some("a"), None).repeats(&on(None, None)) && !write("off").repeats(&on(None, None)));
        assert!(write("speed:128").repeats(&write("speed:128")) && !write("speed:128").repeats(&write("speed:256")));
    }

    #[test]
    fn data_and_speed_are_one_matter_where_they_are_one_plan() {
        let (apart, one_plan) = (Capabilities::default(), Capabilities { one_plan: true, ..Capabilities::default() });
        let matters = |can: Capabilities| ["on", "speed:128", "speed", "stop", "sms:x"].map(|word| can.matters(&write(word)));
        use Matter::{Data, None, Service, Speed};
        assert_eq!(matters(apart), [vec![Data], vec![Speed], vec![Speed], vec![Service], vec![None]]);
        let both = || vec![Data, Speed];
        assert_eq!(matters(one_plan), [both(), both(), both(), vec![Service], vec![None]]);
    }
}
