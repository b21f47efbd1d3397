//! All SQL, on SQLite and PostgreSQL alike. A file here is a noun; a function is one statement or a few that belong
//! together. Nothing is decided here: the engine decides, the store keeps.

pub mod accounts;
pub mod arrears;
pub mod beside;
pub mod card_acts;
pub mod card_reads;
pub mod carrier_words;
pub mod catalogue;
pub mod cdr_deliveries;
pub mod cloudesim;
pub mod counters;
pub mod db;
pub mod devices;
pub mod esim;
pub mod events;
pub mod figures;
pub mod files;
pub mod idempotency;
pub mod imei;
pub mod intents;
pub mod ledger;
pub mod lists;
pub mod money_acts;
pub mod orders;
pub mod page;
pub mod pools;
pub mod profits;
pub mod rating_lanes;
pub mod readings;
pub mod reconcile;
pub mod records;
pub mod renewals;
pub mod sims;
pub mod sms;
pub mod stakes;
pub mod states;
pub mod stock;
pub mod sync;
pub mod tasks;
pub mod transfers;
pub mod upstream;
pub mod webhooks;

pub use db::{CopyError, Error, MigrateError, Place, RestoreError, Schema, Stamp, Store, Tx, restore};
