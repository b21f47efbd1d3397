//! The five carrier platforms.

use crate::calendar::Cycle;
use serde::{Deserialize, Serialize};

/// A carrier platform of the virtual world. Each has its own cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// China Mobile OneLink, EC API v5.
    OneLink,
    /// China Telecom 5G CMP.
    CtWing,
    /// China Telecom's older portal, whose requests are signed with a DES of its own.
    Telecom,
    /// China Unicom's gateway.
    Unicom,
    /// Jasper REST.
    Jasper,
}

impl Platform {
    /// All, in the order of their ports.
    pub const ALL: [Platform; 5] = [Platform::OneLink, Platform::CtWing, Platform::Telecom, Platform::Unicom, Platform::Jasper];

    /// Its name at the control port and in files.
    pub fn name(self) -> &'static str {
        match self {
            Platform::OneLink => "onelink",
            Platform::CtWing => "ctwing",
            Platform::Telecom => "telecom",
            Platform::Unicom => "unicom",
            Platform::Jasper => "jasper",
        }
    }

    /// The port on which `kachi simulate` serves it.
    pub fn port(self) -> u16 {
        match self {
            Platform::OneLink => 7101,
            Platform::CtWing => 7102,
            Platform::Telecom => 7103,
            Platform::Unicom => 7104,
            Platform::Jasper => 7105,
        }
    }

    /// Its usual APN.
    pub(crate) fn apn(self) -> &'static str {
        match self {
            Platform::OneLink => "CMIOT",
            Platform::CtWing | Platform::Telecom => "CTIOT",
            Platform::Unicom | Platform::Jasper => "UNIM2M.NJM2MAPN",
        }
    }

    /// When its month begins: the 27th at Unicom.
    pub(crate) fn cycle(self) -> Cycle {
        match self {
            Platform::Unicom | Platform::Jasper => Cycle::From27,
            _ => Cycle::Natural,
        }
    }

    /// Country and network.
    pub(crate) fn network(self) -> &'static str {
        match self {
            Platform::OneLink => "46004",
            Platform::CtWing | Platform::Telecom => "46011",
            Platform::Unicom | Platform::Jasper => "46006",
        }
    }
}
