//! Devices that report over a message broker: what one says of itself, and whether its word on its card is believed.
//!
//! A report is a claim: whoever may publish can name any card. A claim binds the card to the device unless it
//! contradicts what is known of the card from elsewhere: its owner, the device the network saw it in, the devices of
//! its IMEI group, the platform it lives on. A contradiction is for a person to settle.

use crate::ids::{Iccid, Imei, PlatformId};
use crate::imei::Device;
use crate::package::words;

/// What a device says of itself in one report. What it leaves out is none; texts are as they were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The card in it.
    pub iccid: Option<Iccid>,
    /// The number of the card platform that should know the card; none = any.
    pub platform: Option<PlatformId>,
    /// Its own identity.
    pub imei: Option<Imei>,
    /// Whose it is, as the number it was set up with.
    pub user: Option<i64>,
    /// Signal strength in dBm.
    pub rssi: Option<i64>,
    /// 1 not activated, 2 disabled, 3 on line, 4 off line.
    pub status: Option<i64>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Degrees, as sent.
    pub longitude: Option<String>,
    /// Degrees, as sent.
    pub latitude: Option<String>,
    /// The rest: name, chip, author and the like, a JSON object.
    pub summary: Option<String>,
}

words!(/// Where a device's claim to a card stands.
ClaimState {
    /// The card is not known here; the platforms are being asked.
    Looking = "looking",
    /// No platform knows the card; they are asked again now and then.
    Unknown = "unknown",
    /// It contradicts what is known and waits for a person.
    Open = "open",
    /// The card is bound to the device.
    Bound = "bound",
    /// A person refused it.
    Refused = "refused",
    /// The device names another card now, or the card is another device's.
    Gone = "gone",
});

impl ClaimState {
    /// Whether a person, or a platform, still has to say something.
    pub fn is_waiting(self) -> bool {
        matches!(self, ClaimState::Looking | ClaimState::Unknown | ClaimState::Open)
    }
}

words!(/// Why a claim waits for a person.
Doubt {
    /// The device is, or says it is, of an account that does not see the card, or may not add it.
    Owner = "owner",
    /// The card was seen in another device, or its IMEI group does not hold this one.
    Imei = "imei",
    /// The card lives on another platform than the device names, or there is no such platform.
    Platform = "platform",
    /// A platform knows the card, but it is not clear as which product it is to be added here.
    Product = "product",
    /// Another device took the card over and still holds it: the two name it by turns.
    Device = "device",
});

/// What is known of a claimed card's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardDevices {
    /// It is in no IMEI group; the digits it was last seen with, 0 = never.
    LastSeen(i64),
    /// It is in an IMEI group, which holds the device or does not.
    Group {
        /// Whether it does.
        holds: bool,
    },
}

/// A device's claim to a card that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Whether everybody whose the device is known, or says, to be sees the card.
    pub owner_fits: bool,
    /// The device's digits, 0 = not known.
    pub imei: i64,
    /// The platform it names.
    pub platform: Option<PlatformId>,
}

impl Claim {
    /// What the claim contradicts; the owner first, because a stranger is told nothing more.
    pub fn doubt(&self, devices: CardDevices, platform: PlatformId) -> Option<Doubt> {
        let is_other = self.imei != 0
            && match devices {
                CardDevices::LastSeen(seen) => seen != 0 && !same(seen, self.imei),
                CardDevices::Group { holds } => !holds,
            };
        if !self.owner_fits {
            Some(Doubt::Owner)
        } else if is_other {
            Some(Doubt::Imei)
        } else {
            self.platform.filter(|p| *p != platform).map(|_| Doubt::Platform)
        }
    }
}

/// Whether two IMEIs, as digits, are one device's.
pub fn same(a: i64, b: i64) -> bool {
    Device::seen(a).any(|a| Device::seen(b).any(|b| a.is(b)))
}

/// The digits of a printed IMEI; 0 of none.
pub fn digits(imei: Option<&str>) -> i64 {
    imei.and_then(|text| text.parse().ok()).unwrap_or(0)
}
