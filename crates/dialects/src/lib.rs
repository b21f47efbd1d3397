//! The partner protocols as pure text work: canonical forms, signatures and wire codes.
//!
//! Nothing here reads a clock, a socket, a file or a random number. Times, nonces, ids and secrets are handed in,
//! and both sides of a protocol are here: what we verify as a server and what we sign as a sender.

pub mod cardboss;
pub mod eiotclub;
pub mod fastbee;
pub mod standard_webhooks;
