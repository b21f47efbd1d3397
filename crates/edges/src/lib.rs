//! The doors: partner APIs, pages and files.
//!
//! A door authenticates, parses, calls the engine and writes the answer in its partner's words. It decides nothing and
//! knows nothing of another door; what doors share is plumbing ([`http`]), never words.

pub mod cardboss;
pub mod carriers;
pub mod eiotclub;
pub mod fastbee;
pub mod files;
pub mod http;
pub mod lockout;
pub mod mqtt;
pub mod outbound;
pub mod portal;
pub mod sender;
pub mod upload;
