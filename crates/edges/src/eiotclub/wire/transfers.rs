//! What came of a move to another card.

use serde::Serialize;

/// card/transferPkg.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transferred<'a> {
    /// The package's code.
    pub new_pkg_code: &'a str,
    /// The new order's number.
    pub new_order_id: i64,
}

/// cloudesim/transferPkg.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EidTransferred<'a> {
    /// The package's code.
    pub new_pkg_code: &'a str,
    /// The new order's number.
    pub new_eshop_order_id: i64,
}
