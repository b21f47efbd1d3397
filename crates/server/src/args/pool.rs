//! Flags of `kachi admin pool`.

use super::Shape;
use clap::Subcommand;

/// Pools; `kachi apply` makes them and puts cards in.
#[derive(Debug, Clone, Subcommand)]
pub enum Pool {
    /// List pools by number, with what their cards may use and used
    List(Shape),
    /// Take cards out of a pool
    TakeOut {
        /// Number of the pool
        id: i64,
        /// Card numbers
        #[arg(required = true)]
        iccids: Vec<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
