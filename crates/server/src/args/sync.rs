//! Flags of `kachi admin sync` and `kachi admin reconcile`.

use super::Shape;
use clap::Subcommand;

/// Keeping up with what carriers know.
#[derive(Debug, Clone, Subcommand)]
pub enum Sync {
    /// Show how fresh each platform's figures are, how far its feed of changes was followed, and today's requests
    Show {
        /// Only this card platform
        #[arg(long, value_name = "CODE")]
        platform: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Read what is due now, until nothing is or the platform wants to rest; a walk through its feed begins at once
    Run {
        /// Only this card platform
        #[arg(long, value_name = "CODE")]
        platform: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// Records held against carriers' counts.
#[derive(Debug, Clone, Subcommand)]
pub enum Reconcile {
    /// List the months of cards in which the two are apart, those with the greatest difference first
    List {
        /// Only this card platform
        #[arg(long, value_name = "CODE")]
        platform: Option<String>,
        /// Those that agree again too
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Compare every card now
    Run {
        /// Only this card platform
        #[arg(long, value_name = "CODE")]
        platform: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
