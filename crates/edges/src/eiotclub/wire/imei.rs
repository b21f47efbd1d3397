//! Answers about IMEI groups.

use serde::Serialize;

/// card/imeiUnlock.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unlocked {
    /// How often the card was unlocked this month.
    pub imei_pool_unlock_count: i64,
}
