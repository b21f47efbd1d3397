//! What is true in the SIM trade, as pure rules.
//!
//! Nothing here reads a clock, a file, a database or a random number: time and seeds are handed in, and a
//! rule can only answer or refuse. Bytes and money are integers with the unit in the name.

pub mod account;
pub mod address;
pub mod alert;
pub mod carrier;
pub mod cdr;
pub mod coverage;
pub mod device;
pub mod diagnose;
pub mod esim;
pub mod event;
pub mod ids;
pub mod imei;
pub mod ledger;
pub mod money;
pub mod order;
pub mod package;
pub mod profit;
pub mod rating;
pub mod reconcile;
pub mod refund;
pub mod refusal;
pub mod renewal;
pub mod resume;
pub mod service;
pub mod sim;
pub mod sms;
pub mod sync;
pub mod task;
pub mod time;
pub mod usage;
pub mod voice;

pub use ids::{AccountId, Iccid, OrderId, PackageId, PlatformId, PoolId, ProductId, SimId, SubscriptionId};
pub use money::{Currency, Money};
pub use refusal::Refusal;
pub use time::{Span, Timestamp, Zone};
