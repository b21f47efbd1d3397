//! The carriers' side of the wire: OneLink, CTWing, Telecom's portal, Unicom's gateway and Jasper, over one virtual world
//! of cards with its own clock.
//!
//! Written from what the carriers publish and from what public clients agree on, never from our own clients: each side checks the
//! other. What the sources leave open is a key of [`Settings`].

mod calendar;
mod clock;
mod control;
mod ct;
mod ctwing;
mod fault;
mod house;
mod jasper;
mod onelink;
mod platform;
mod serve;
mod settings;
mod telecom;
mod traffic;
mod unicom;
mod world;

pub use fault::{COUNT_MAX, Fault, FaultKind, HOLD_MAX_MS};
pub use platform::Platform;
pub use serve::{Addresses, Simulator};
pub use settings::{
    AuthClock, CardSpec, CtWingLogin, JasperLogin, Lag, Logins, OneLinkLogin, Settings, TelecomLogin, TimeZoneOf, UnicomLogin,
};
pub use traffic::Shape;
pub use world::{Base, Card, Change, CutOff, Edit, Offer, Record, Session, Sms, Stop};
