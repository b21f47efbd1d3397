//! Flags of `kachi admin price`.

use super::Shape;
use clap::Subcommand;

/// Prices.
#[derive(Debug, Clone, Subcommand)]
pub enum Price {
    /// List the prices in force: what each account pays for each package and what its shop asks, who set what it pays, and whether it
    /// can order it. `kachi apply` sets them
    List {
        /// Only those of this account
        #[arg(long, value_name = "CODE")]
        account: Option<String>,
        /// Only those of this package, or pool type
        #[arg(long, value_name = "CODE")]
        package: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
