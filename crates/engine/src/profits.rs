//! What each level earned on the sales below it, line by line.
//!
//! The money itself moves in the journal of the sale or refund ([`kachi_domain::ledger`]); the lines here are written in the
//! same transaction, so that an account's lines always add up to what those journals posted to it. The audit compares them.

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Result;
use kachi_domain::ledger::Share;
use kachi_domain::{ProductId, Timestamp, profit};
use kachi_store::Tx;
use kachi_store::orders::Order;
use kachi_store::profits::ProfitFilter;
pub use kachi_store::profits::ProfitLine;
use std::sync::Arc;

/// The order was paid: each level between has its line.
pub fn earned(tx: &mut Tx<'_>, order: &Order, shares: &[Share], now: Timestamp) -> Result<()> {
    Ok(tx.add_profits(order, &profit::of_sale(shares), now)?)
}

/// `back` of the order was given back, and of these shares their part.
pub fn went_back(tx: &mut Tx<'_>, order: &Order, back: i64, shares: &[Share], now: Timestamp) -> Result<()> {
    Ok(tx.add_profits(order, &profit::of_refund(order.paid_minor, back, shares), now)?)
}

/// Which lines are asked for; every field given narrows.
#[derive(Debug, Clone, Default)]
pub struct ProfitList {
    /// ICCID or telephone number of the card.
    pub number: Option<String>,
    /// The product of what was sold.
    pub product: Option<ProductId>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Not after this instant.
    pub to: Option<Timestamp>,
    /// The order's long number.
    pub order_number: Option<String>,
    /// Lines to pass over.
    pub offset: i64,
    /// Lines at most.
    pub limit: i64,
}

impl Engine {
    /// A stretch of what the account itself earned, oldest first, and how many lines there are in all.
    pub async fn profits(&self, catalogue: &Arc<Catalogue>, actor: &Actor, list: ProfitList) -> Result<(Vec<ProfitLine>, i64)> {
        let account = actor.account;
        self.question(catalogue, move |tx, catalogue| {
            let of_pools = |product| catalogue.pool_types().into_iter().map(|t| t.0).filter(move |p| p.product == product);
            let all = |product| catalogue.packages_of(product).into_iter().chain(of_pools(product)).map(|p| p.id.0);
            let packages = list.product.map(|product| all(product).collect::<Vec<_>>());
            let filter = ProfitFilter {
                number: list.number.as_deref(),
                packages: packages.as_deref(),
                from: list.from,
                to: list.to,
                order_number: list.order_number.as_deref(),
            };
            Ok((tx.profits(account, &filter, list.offset, list.limit)?, tx.profits_count(account, &filter)?))
        })
        .await
    }
}
