//! Flags of `kachi admin order`.

use super::Shape;
use clap::{Args, Subcommand};
use kachi_domain::order::OrderState;

/// Orders.
#[derive(Debug, Clone, Subcommand)]
pub enum Order {
    /// List orders, newest first; `kachi export orders` writes out those of a period
    List {
        /// Only those that this account or one below it bought
        #[arg(long, value_name = "CODE")]
        account: Option<String>,
        /// Only those for this card
        #[arg(long)]
        iccid: Option<String>,
        /// Only those in this state: in_review, pending, done, failed or refunded
        #[arg(long, value_parser = OrderState::parse)]
        state: Option<OrderState>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// Only older ones than the order with this short number
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show an order: what it bought, what its journals moved, what its carrier was asked for, and what went back
    Show {
        /// Which order.
        #[command(flatten)]
        which: WhichOrder,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Take an order back by the rules of package/refundPackage: its package ends, what is not used of its money and shares goes back,
    /// the card's owner is told where his API has a notice of it (EIOTCLUB; CardBOSS has none); who and why stay with the order
    Refund {
        /// Which order.
        #[command(flatten)]
        which: WhichOrder,
        /// Why
        #[arg(long, required_unless_present = "dry_run")]
        reason: Option<String>,
        /// Who does it
        #[arg(long, value_name = "NAME", required_unless_present = "dry_run")]
        by: Option<String>,
        /// Change nothing; tell what would go back now
        #[arg(long)]
        dry_run: bool,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// An order by one of its numbers.
#[derive(Debug, Clone, Args)]
pub struct WhichOrder {
    /// Its number, short or long
    #[arg(value_name = "NUMBER", required_unless_present = "out_trade_no", conflicts_with = "out_trade_no")]
    pub number: Option<String>,
    /// Code of the account that bought it, beside the buyer's own number
    #[arg(long, value_name = "CODE", requires = "out_trade_no", conflicts_with = "number")]
    pub account: Option<String>,
    /// The buyer's own number of it
    #[arg(long, value_name = "TEXT", requires = "account")]
    pub out_trade_no: Option<String>,
}
