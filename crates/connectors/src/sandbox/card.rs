//! A card at the virtual carrier: what is so, and what each write makes of it.

use kachi_domain::carrier::{Counter, Line, Write};
use kachi_domain::time::Timestamp;
use std::collections::BTreeMap;

/// What the carrier knows of a card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// Active packages by the carrier's code, with the instant each became active.
    pub packages: BTreeMap<String, Timestamp>,
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
    /// The counter as the carrier shows it; none until it was first brought up to date.
    pub counter: Option<Counter>,
    /// Messages delivered to its device, oldest first.
    pub messages: Vec<String>,
}

impl Card {
    /// The device connects, or connects anew; a card that is cut off does not.
    pub(super) fn connect(&mut self, at: Timestamp) {
        if self.stopped.is_none() {
            self.session = Some(at);
            self.sessions += 1;
        }
    }

    /// As the carrier tells it.
    pub(super) fn told(&self) -> Line {
        Line { network: self.network.clone(), session: self.session, counter: self.counter }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_so(&self, write: &Write) -> bool {
        match write {
            Write::Subscribe { package } => self.packages.contains_key(package),
            Write::Unsubscribe { package } => !self.packages.contains_key(package),
            Write::Stop => self.stopped.is_some(),
            Write::Resume => self.stopped.is_none(),
            Write::ResetSession => self.session.is_none(),
            Write::SwitchNetwork { network } => self.network.as_ref() == Some(network),
            Write::RefreshUsage | Write::SendSms { .. } => false,
        }
    }

    pub(super) fn apply(&mut self, write: &Write, at: Timestamp) {
        match write {
            Write::Subscribe { package } => {
                self.packages.entry(package.clone()).or_insert(at);
            }
            Write::Unsubscribe { package } => {
                self.packages.remove(package);
            }
            Write::Stop => {
                self.stopped.get_or_insert(at);
                self.session = None;
            }
            Write::Resume => self.stopped = None,
            Write::ResetSession => self.reconnect(at),
            Write::SwitchNetwork { network } => {
                self.network = Some(network.clone());
                self.reconnect(at);
            }
            Write::RefreshUsage => self.counter = Some(Counter { bytes: self.bytes, as_of: at }),
            Write::SendSms { text } => self.messages.push(text.clone()),
        }
    }

    /// A device whose session is cut connects at once.
    fn reconnect(&mut self, at: Timestamp) {
        if self.session.is_some() {
            self.connect(at);
        }
    }
}
