//! Shared scaffolding for tests; never a normal dependency of anything.

pub mod carrier;
pub mod db;
pub mod ftp;
pub mod proxy;
pub mod trade;
pub mod world;
