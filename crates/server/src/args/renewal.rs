//! Flags of `kachi admin renewal`.

use super::Shape;
use clap::Subcommand;

/// Renewals.
#[derive(Debug, Clone, Subcommand)]
pub enum Renewal {
    /// List the renewals in review, newest first
    List {
        /// Settled ones, and those at the carrier, too
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Let a renewal go to the carrier, or into effect where no carrier has to confirm it
    Approve {
        /// Number of its order, short or long
        order: String,
        /// Who says so
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Refuse a renewal; its money goes back and the buyer is told why
    Reject {
        /// Number of its order, short or long
        order: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who says so
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
