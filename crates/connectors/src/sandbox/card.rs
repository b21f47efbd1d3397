//! A card at the virtual carrier: what is so, and what each write makes of it.

use kachi_domain::carrier::{
    Apn, Bought, Card as Named, Counter, Cycle, Fact, Facts, Function, Line, Period, Request, Session, Spoken, Standing, Stop,
    Write,
};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The one access point of every card.
const APN: &str = "sandbox";

/// What the carrier knows of a card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// Where it stands; none: active, as it was when it came into the world.
    pub base: Option<BaseState>,
    /// Since when it stands there.
    pub since: Option<Timestamp>,
    /// Whether its data is switched off.
    pub data_off: bool,
    /// What else is switched off.
    pub functions_off: Vec<Function>,
    /// Its speed at most, kilobits a second; none: as fast as it can.
    pub speed: Option<u32>,
    /// Whether its data and its speed are one plan: data that is switched on is of full speed.
    pub one_plan: bool,
    /// The numbers it may call.
    pub numbers: BTreeSet<String>,
    /// The group that was named when one was last added.
    pub voice_group: String,
    /// The device it is in.
    pub imei: Option<String>,
    /// What it has bought, by the reference of the purchase: the carrier's code of the package, and when it became active.
    pub bought: BTreeMap<String, (String, Timestamp)>,
    /// Since when the card is cut off; none: it is on.
    pub stopped: Option<Timestamp>,
    /// The network it was switched to; none: never switched.
    pub network: Option<String>,
    /// Since when its device is connected; none: it is not.
    pub session: Option<Timestamp>,
    /// Sessions its device began.
    pub sessions: u32,
    /// Bytes its device used.
    pub bytes: i64,
    /// The same by the day in China.
    pub days: BTreeMap<i64, i64>,
    /// Seconds it spoke, all in the present month.
    pub seconds: i64,
    /// The counter as the carrier shows it; none until it was first brought up to date.
    pub counter: Option<Counter>,
    /// Messages delivered to its device, oldest first.
    pub messages: Vec<String>,
}

impl Card {
    /// The device connects, or connects anew; a card that is cut off does not.
    pub(super) fn connect(&mut self, at: Timestamp) {
        if self.stopped.is_none() && !self.data_off {
            self.session = Some(at);
            self.sessions += 1;
        }
    }

    /// The device uses data.
    pub(super) fn spend(&mut self, bytes: i64, at: Timestamp) {
        self.bytes += bytes;
        *self.days.entry(crate::china().day(at)).or_default() += bytes;
    }

    /// Where it stands.
    pub fn base(&self) -> BaseState {
        match self.base.unwrap_or(BaseState::Active) {
            base if self.stopped.is_some() && !base.is_over() => BaseState::Stopped,
            base => base,
        }
    }

    /// The packages it has, each once, and when the first of them became active.
    pub fn packages(&self) -> BTreeMap<String, Timestamp> {
        let mut packages: BTreeMap<String, Timestamp> = BTreeMap::new();
        for (code, at) in self.bought.values() {
            let first = packages.entry(code.clone()).or_insert(*at);
            *first = (*first).min(*at);
        }
        packages
    }

    /// The purchase that a taking back is about: the one under its reference, or any of the package where it names none.
    fn taken_back(&self, package: &str, of: Option<&str>) -> Option<String> {
        let same =
            |(reference, (code, _)): &(&String, &(String, Timestamp))| of.map_or(code == package, |of| of == reference.as_str());
        self.bought.iter().find(same).map(|(reference, _)| reference.clone())
    }

    /// Bytes from one day to another, both counted.
    pub(super) fn between(&self, first: i64, last: i64) -> i64 {
        self.days.range(first..=last).map(|(_, bytes)| bytes).sum()
    }

    /// What of it is wanted, as the carrier tells it.
    pub(super) fn told(&self, named: &Named, wanted: Facts, now: Timestamp) -> Line {
        let (today, cycle) = (crate::china().day(now), Cycle::NATURAL);
        let month = cycle.month(today);
        let mut line = Line::default();
        if wanted.has(Fact::Numbers) {
            (line.iccid, line.msisdn) = (Some(named.iccid.clone()), named.msisdn.clone());
        }
        if wanted.has(Fact::State) {
            line.standing = Some(self.standing());
        }
        if wanted.has(Fact::StopReason) {
            let blocks = if self.stopped.is_some() { Blocks::OWNER_STOP } else { Blocks::NONE };
            line.stop = Some(Stop { blocks, raw: blocks.names().join(" "), words: String::new() });
        }
        if wanted.has(Fact::Session) {
            let up = |since| Session { since: Some(since), apn: Some(APN.into()), ..Session::default() };
            line.sessions = Some(self.session.map(up).into_iter().collect());
        }
        if wanted.has(Fact::Imei) {
            line.imei = self.imei.clone();
        }
        let month = (cycle.first(month), month);
        if wanted.has(Fact::Apns) {
            let bytes = Some(self.between(month.0, today));
            line.apns = Some(vec![Apn { name: APN.into(), on: Some(!self.data_off), bytes }]);
        }
        if wanted.has(Fact::Month) {
            line.month = Some(Period::of_month(cycle, month.1, self.between(month.0, today), now));
        }
        if wanted.has(Fact::Day) {
            line.day = Some(Period::of_day(today, self.between(today, today), now));
        }
        if wanted.has(Fact::Counter) {
            line.counter = self.counter;
        }
        if wanted.has(Fact::Packages) {
            line.packages = Some(self.packages().into_keys().map(|code| Bought { code, ..Bought::default() }).collect());
        }
        if wanted.has(Fact::Voice) {
            line.voice = Some(Spoken::this_month(cycle, self.seconds, now));
        }
        if wanted.has(Fact::Power) {
            line.power = Some(self.session.is_some());
        }
        if wanted.has(Fact::Network) {
            line.network = self.network.clone();
        }
        line
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { base: self.base(), raw: self.base().word().into(), since: self.since }
    }

    /// Whether there is nothing to do. A purchase is one of its own, unless a card has a package once.
    pub(super) fn is_so(&self, write: &Write, stacks: bool) -> bool {
        match write {
            Write::Subscribe { package, months, .. } => {
                !stacks && months.is_none() && self.bought.values().any(|(code, _)| code == package)
            }
            Write::Unsubscribe { package, of } => self.taken_back(package, of.as_deref()).is_none(),
            Write::Stop => self.stopped.is_some(),
            Write::Resume => self.stopped.is_none(),
            Write::Activate => self.base().is_activated(),
            Write::EndTest => self.base() != BaseState::Testing,
            Write::DataOff { .. } => self.data_off,
            Write::DataOn { .. } => !self.data_off,
            Write::SetFunction { function, on } => self.functions_off.contains(function) != *on,
            Write::LimitSpeed { kbps } => self.speed == *kbps,
            Write::AllowCalls { numbers, .. } => numbers.iter().all(|n| self.numbers.contains(n)),
            Write::BarCalls { numbers, .. } => !numbers.iter().any(|n| self.numbers.contains(n)),
            Write::ResetSession => self.session.is_none(),
            Write::SwitchNetwork { network } => self.network.as_ref() == Some(network),
            Write::RefreshUsage | Write::SendSms { .. } | Write::SendPhone { .. } => false,
        }
    }

    pub(super) fn apply(&mut self, request: &Request, at: Timestamp) {
        match &request.write {
            Write::Subscribe { package, .. } => {
                self.bought.entry(request.reference.clone()).or_insert_with(|| (package.clone(), at));
            }
            Write::Unsubscribe { package, of } => {
                if let Some(reference) = self.taken_back(package, of.as_deref()) {
                    self.bought.remove(&reference);
                }
            }
            Write::Stop => {
                self.stopped.get_or_insert(at);
                (self.session, self.since) = (None, Some(at));
            }
            Write::Resume => (self.stopped, self.since) = (None, Some(at)),
            Write::Activate => (self.base, self.since) = (Some(BaseState::Active), Some(at)),
            Write::EndTest if self.base == Some(BaseState::Testing) => {
                (self.base, self.since) = (Some(BaseState::Ready), Some(at))
            }
            // Its test had ended when its turn came.
            Write::EndTest => {}
            Write::DataOff { .. } => {
                (self.data_off, self.session) = (true, None);
                self.speed = self.speed.filter(|_| !self.one_plan);
            }
            Write::DataOn { kbps, .. } => {
                self.data_off = false;
                if self.one_plan {
                    self.speed = *kbps;
                }
            }
            Write::SetFunction { function, on: true } => self.functions_off.retain(|off| off != function),
            Write::SetFunction { function, .. } => self.functions_off.push(*function),
            Write::LimitSpeed { kbps } => {
                self.speed = *kbps;
                // The plan that it is given has data.
                self.data_off &= !self.one_plan;
            }
            Write::AllowCalls { numbers, group } => {
                self.numbers.extend(numbers.iter().cloned());
                self.voice_group.clone_from(group);
            }
            Write::BarCalls { numbers, .. } => self.numbers.retain(|n| !numbers.contains(n)),
            Write::ResetSession => self.reconnect(at),
            Write::SwitchNetwork { network } => {
                self.network = Some(network.clone());
                self.reconnect(at);
            }
            Write::RefreshUsage => self.counter = Some(Counter { bytes: self.bytes, as_of: at }),
            Write::SendSms { text } => self.messages.push(text.clone()),
            // Telephones are no cards: what they get is kept with the card without a number.
            Write::SendPhone { to, text } => self.messages.push(format!("{to} {text}")),
        }
    }

    /// A device whose session is cut connects at once.
    fn reconnect(&mut self, at: Timestamp) {
        if self.session.is_some() {
            self.connect(at);
        }
    }
}
