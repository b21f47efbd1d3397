//! Communication plans: what a card may have of data, and how fast, as one plan of the account's own (China Unicom, Jasper).
//!
//! Plans are named in the settings, for each account has its own. A card whose data is off has the plan without data, so that it has no
//! speed then; data that is switched on again has the speed that is wanted by then.

use crate::keys::Keys;
use crate::speeds;
use kachi_domain::carrier::{Answer, Apn, Write};

/// The keys under which the settings name plans: with data, without, and slower ones.
pub type Names = [&'static str; 3];

/// The account's plans.
#[derive(Debug)]
pub struct Plans {
    on: String,
    off: Option<String>,
    speeds: Vec<(u32, String)>,
}

/// What is to be done about a card that has a plan.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'p> {
    /// Give it this plan.
    Give(&'p str),
    /// Nothing.
    Said(Answer),
}

impl Plans {
    /// Reads the plans; none are named: neither data nor speeds are switched.
    pub fn read(keys: &mut Keys<'_>, [on, off, slow]: Names) -> Result<Option<Plans>, String> {
        let (with, without) = (keys.optional(on)?, keys.optional(off)?);
        let speeds = speeds::read(slow, &keys.text(slow, "")?)?;
        match with {
            None if without.is_none() && speeds.is_empty() => Ok(None),
            Some(with)
                if without.as_ref() == Some(&with) || speeds.iter().any(|(_, p)| *p == with || without.as_ref() == Some(p)) =>
            {
                Err(format!("{on}, {off} and {slow} must name different plans, or a card shows one for another"))
            }
            Some(with) if without.is_some() || !speeds.is_empty() => Ok(Some(Plans { on: with, off: without, speeds })),
            _ => Err(format!("{on} and {off} go together, and {slow} with {on}")),
        }
    }

    /// Whether a card's data can be switched.
    pub fn switches(&self) -> bool {
        self.off.is_some()
    }

    /// Whether a card can be slowed.
    pub fn slows(&self) -> bool {
        !self.speeds.is_empty()
    }

    /// Whether it is one of the acts that give a card a plan.
    pub fn is_for(write: &Write) -> bool {
        matches!(write, Write::DataOff { .. } | Write::DataOn { .. } | Write::LimitSpeed { .. })
    }

    fn target(&self, write: &Write) -> Option<&str> {
        match write {
            Write::DataOff { .. } => self.off.as_deref(),
            Write::DataOn { kbps: Some(kbps), .. } if !self.speeds.is_empty() => speeds::step(&self.speeds, *kbps),
            Write::DataOn { .. } | Write::LimitSpeed { kbps: None } => Some(&self.on),
            Write::LimitSpeed { kbps: Some(kbps) } => speeds::step(&self.speeds, *kbps),
            _ => None,
        }
    }

    fn is_off(&self, plan: &str) -> bool {
        self.off.as_deref() == Some(plan)
    }

    /// Whether a card with this plan needs nothing more: one with a slow plan has data too.
    pub fn is_so(&self, write: &Write, plan: &str) -> bool {
        match write {
            Write::DataOn { .. } => !self.is_off(plan),
            Write::LimitSpeed { kbps: None } if self.is_off(plan) => true,
            write => self.target(write) == Some(plan),
        }
    }

    /// What is to be done about a card with this plan.
    pub fn next(&self, write: &Write, plan: &str) -> Next<'_> {
        if self.is_so(write, plan) {
            return Next::Said(Answer::Already);
        }
        if matches!(write, Write::LimitSpeed { .. }) && self.is_off(plan) {
            let reason = "the card has the plan without data; it is asked again when its data is on".into();
            return Next::Said(Answer::Refused { code: "data_off".into(), reason });
        }
        self.target(write).map_or_else(|| Next::Said(Answer::unsupported("do this")), Next::Give)
    }

    /// A card's data as a whole, by its plan.
    pub fn apn(&self, plan: &str) -> Apn {
        Apn { name: String::new(), on: Some(!self.is_off(plan)), bytes: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(settings: &Value) -> Result<Option<Plans>, String> {
        Plans::read(&mut Keys::of(settings.as_object().expect("an object")), ["on", "off", "slow"])
    }

    #[test]
    fn plans_are_named_together() {
        assert!(read(&json!({})).unwrap().is_none());
        for alone in [json!({"on": "A"}), json!({"off": "B"}), json!({"slow": "128=C"})] {
            assert_eq!(read(&alone).err().as_deref(), Some("on and off go together, and slow with on"), "{alone}");
        }
        let data = read(&json!({"on": "A", "off": "B"})).unwrap().unwrap();
        assert_eq!((data.switches(), data.slows()), (true, false));
        let slow = read(&json!({"on": "A", "slow": "128=C"})).unwrap().unwrap();
        assert_eq!((slow.switches(), slow.slows()), (false, true));
        assert!(read(&json!({"on": "A", "slow": "C"})).err().unwrap().starts_with("slow: \"C\" is not of the form"));
    }

    #[test]
    fn a_plan_says_what_is_done_and_what_is_to_do() {
        let plans = read(&json!({"on": "ON", "off": "OFF", "slow": "512=M,128=S"})).unwrap().unwrap();
        let (off, on) = (Write::DataOff { apn: None }, Write::DataOn { apn: None, kbps: None });
        let slowly = |kbps| Write::DataOn { apn: None, kbps: Some(kbps) };
        let slow = |kbps| Write::LimitSpeed { kbps };
        let refused = |next: Next<'_>| matches!(next, Next::Said(Answer::Refused { code, .. }) if code == "data_off");
        assert_eq!(plans.next(&off, "ON"), Next::Give("OFF"));
        assert_eq!(plans.next(&off, "OFF"), Next::Said(Answer::Already));
        assert_eq!(plans.next(&on, "OFF"), Next::Give("ON"));
        assert_eq!(plans.next(&slowly(600), "OFF"), Next::Give("M"), "never of full speed in between");
        assert_eq!(
            plans.next(&slowly(128), "ON"),
            Next::Said(Answer::Already),
            "it has data, and its speed is asked for by itself"
        );
        assert_eq!(plans.next(&on, "S"), Next::Said(Answer::Already), "a slow one has data");
        assert_eq!(plans.next(&slow(Some(600)), "ON"), Next::Give("M"));
        assert_eq!(plans.next(&slow(Some(128)), "M"), Next::Give("S"));
        assert_eq!(plans.next(&slow(Some(1)), "ON"), Next::Give("S"), "the lowest there is");
        assert_eq!(plans.next(&slow(None), "S"), Next::Give("ON"));
        assert!(refused(plans.next(&slow(Some(512)), "OFF")), "it would switch the data on");
        assert_eq!(plans.next(&slow(None), "OFF"), Next::Said(Answer::Already), "it will be of full speed");
    }
}
