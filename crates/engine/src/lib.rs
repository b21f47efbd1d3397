//! Use cases, jobs and reconcilers: each public function is a sentence of the trade.
//!
//! A command answers done, or a [`kachi_domain::Refusal`] that changed nothing; a question never fails for lack of data.
//! Nothing here knows HTTP, SQL text, a carrier's name or a partner's error code.

pub mod accounts;
pub mod act;
pub mod arrears;
pub mod audit;
pub mod card_reads;
pub mod cards;
pub mod catalogue;
pub mod cdr_deliveries;
pub mod clock;
pub mod close;
pub mod cloudesim;
pub mod desk;
pub mod devices;
pub mod diagnose;
pub mod direct;
pub mod error;
pub mod esim;
pub mod failing;
pub mod figures;
pub mod functions;
pub mod imei;
pub mod import;
pub mod intents;
mod kept;
pub mod lists;
pub mod money;
pub mod network;
pub mod news;
pub mod notices;
pub mod orders;
pub mod overview;
pub mod pools;
pub mod profits;
pub mod reconcile;
pub mod records;
pub mod refunds;
pub mod renewals;
mod service;
pub mod sims;
pub mod sms;
pub mod stock;
pub mod switch;
pub mod sync;
pub mod tasks;
mod told;
pub mod transfers;
mod upstream;
pub mod usage;
pub mod webhooks;

pub use act::{Actor, Once, OrderNumber, RequestKey, once};
pub use catalogue::{Catalogue, CatalogueCache};
pub use clock::Clock;
pub use desk::{Engine, Settings};
pub use error::{Fail, Result};
pub use service::not_let_on_cards;
