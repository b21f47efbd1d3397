//! What is asked of a carrier for a card.

use crate::package::words;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

words!(/// What a card can do beside data, switched by itself at its carrier (OneLink's communication functions).
Function {
    /// Messages.
    Sms = "sms",
    /// Calls.
    Voice = "voice",
});

/// What is asked of the carrier for one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Write {
    /// Activate a package, under our own reference.
    Subscribe {
        /// The carrier's code of the package.
        package: String,
        /// How many months of it, where it is sold by the month: a renewal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        months: Option<u32>,
        /// How many months it lasts with us, where it lasts whole ones: what is bought of a carrier that sells by the month.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts: Option<u32>,
        /// From when; none: the carrier's own rule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
    },
    /// Take a package back.
    Unsubscribe {
        /// The carrier's code of the package, as it is by now: it may have been bought under another one.
        package: String,
        /// The reference under which it was activated, by which it is found; none: it is not known. Another purchase of the same package is never
        /// taken back for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    },
    /// Cut the card off.
    Stop,
    /// Let the card on again.
    Resume,
    /// Make the card an active one, from stock, test or readiness.
    Activate,
    /// End the card's test period: it is to be activated then.
    EndTest,
    /// Cut the card's data, and nothing else.
    DataOff {
        /// The access point; none: the card's only one.
        apn: Option<String>,
    },
    /// Let the card have data again.
    DataOn {
        /// The access point; none: the card's only one.
        apn: Option<String>,
        /// The speed at which it has data then, where data and speed are one plan ([`super::Capabilities::one_plan`]); none: as fast as
        /// it can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kbps: Option<u32>,
    },
    /// Switch one of the card's other functions off or on, and nothing else.
    SetFunction {
        /// Which.
        function: Function,
        /// On, or off.
        on: bool,
    },
    /// Let the card have data at this speed at most; none: as fast as it can.
    LimitSpeed {
        /// Kilobits (1024 bits) a second. A platform that has steps takes the next one below, or its lowest.
        kbps: Option<u32>,
    },
    /// Put numbers on the list of those that the card may call and be called by.
    AllowCalls {
        /// The numbers.
        numbers: Vec<String>,
        /// The group of cards whose list is meant, where the caller names one; empty: the card's own list.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        group: String,
    },
    /// Take numbers off that list.
    BarCalls {
        /// The numbers.
        numbers: Vec<String>,
        /// The group of cards whose list is meant, where the caller names one; empty: the card's own list.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        group: String,
    },
    /// Cut the card's session; its device connects anew by itself.
    ResetSession,
    /// Let the card use this network from now on.
    SwitchNetwork {
        /// The network, as the card's product names it.
        network: String,
    },
    /// Bring the usage counter up to date; what it then shows is read with [`super::Connector::read`].
    RefreshUsage,
    /// Send a message to the card's device. Accepted is sent, confirmed is delivered.
    SendSms {
        /// What it says.
        text: String,
    },
    /// Send a message to a person's telephone; there is no card. Accepted is sent, confirmed is delivered.
    SendPhone {
        /// The telephone's number.
        to: String,
        /// What it says.
        text: String,
    },
}

impl Write {
    /// Whether it makes something of the card that a second time would leave as it is.
    pub fn sets(&self) -> bool {
        matches!(
            self,
            Write::Stop
                | Write::Resume
                | Write::Activate
                | Write::EndTest
                | Write::DataOff { .. }
                | Write::DataOn { .. }
                | Write::SetFunction { .. }
                | Write::LimitSpeed { .. }
        )
    }

    /// Whether it counts for the pause that carriers want between two writes for one card.
    pub fn cools(&self) -> bool {
        self.sets() || matches!(self, Write::ResetSession | Write::SwitchNetwork { .. })
    }

    /// Activate a package once, from when the carrier will have it.
    pub fn subscribe(package: &str) -> Write {
        Write::Subscribe { package: package.to_owned(), months: None, lasts: None, from: None }
    }
}

/// A card by the numbers that carriers ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Card {
    /// Card number.
    pub iccid: String,
    /// Telephone number, where it is known. A connector that needs it asks the carrier for one that is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
}

impl Card {
    /// Known by its card number alone.
    pub fn of_iccid(iccid: &str) -> Card {
        Card { iccid: iccid.to_owned(), msisdn: None }
    }
}

/// A write for one card, with the reference under which its outcome can be asked for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Our reference; the same for every try of the same act.
    pub reference: String,
    /// The card.
    #[serde(flatten)]
    pub card: Card,
    /// The act.
    pub write: Write,
}

/// What is known of a write that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// When it was last sent.
    pub at: Timestamp,
    /// When the carrier took it; none: it is not known to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Timestamp>,
    /// The carrier's number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

impl Sent {
    /// Sent, and not known to be taken.
    pub fn in_doubt(at: Timestamp) -> Sent {
        Sent { at, accepted: None, job: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_as_kept_before_is_still_read() {
        let kept = r#"{"reference":"R1","iccid":"8986","write":{"act":"stop"}}"#;
        let read: Request = serde_json::from_str(kept).unwrap();
        assert_eq!(read, Request { reference: "R1".into(), card: Card::of_iccid("8986"), write: Write::Stop });
        assert_eq!(serde_json::to_string(&read).unwrap(), kept);
        let on = Write::DataOn { apn: None, kbps: None };
        assert_eq!(serde_json::from_str::<Write>(r#"{"act":"data_on","apn":null}"#).unwrap(), on);
        assert_eq!(
            serde_json::from_str::<super::super::Answer>(r#"{"answer":"accepted"}"#).unwrap(),
            super::super::Answer::ACCEPTED
        );
    }
}
