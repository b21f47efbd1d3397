//! placeholder
/// placeholder
pub enum Refusal {}
