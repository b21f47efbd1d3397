//! The CardBOSS door held against its published contract, on SQLite and on PostgreSQL.

#[path = "cardboss/acts.rs"]
mod acts;
#[path = "cardboss/answers.rs"]
mod answers;
#[path = "cardboss/callers.rs"]
mod callers;
#[path = "cardboss/calls.rs"]
mod calls;
#[path = "cardboss/contract.rs"]
mod contract;
#[path = "cardboss/pushes.rs"]
mod pushes;
#[path = "cardboss/refusals.rs"]
mod refusals;
#[path = "cardboss/renewals.rs"]
mod renewals;
#[path = "cardboss/shop.rs"]
mod shop;
#[path = "cardboss/sms.rs"]
mod sms;
