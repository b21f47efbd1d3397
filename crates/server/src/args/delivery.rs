//! Flags of `kachi admin delivery`.

use super::Shape;
use clap::{Args, Subcommand};

/// Notices to customers.
#[derive(Debug, Subcommand)]
pub enum Delivery {
    /// List notices, newest first
    List {
        /// Only those of this account and below
        #[arg(long, value_name = "CODE")]
        account: Option<String>,
        /// Only those in this state
        #[arg(long, value_parser = ["waiting", "done", "dead"])]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show the attempts of a notice
    Show {
        /// Number of the notice
        id: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Send notices again that are dead: whose schedule is used up. Each gets its whole schedule again; those of one card go out
    /// in their order
    Replay(Replay),
}

/// Which notices are sent again.
#[derive(Debug, Args)]
pub struct Replay {
    /// Number of the first notice; without it, all dead ones of --account
    pub from: Option<i64>,
    /// Number of the last one, if there are several
    pub to: Option<i64>,
    /// Only those of this account and below
    #[arg(long, value_name = "CODE")]
    pub account: Option<String>,
    /// Only those of this door
    #[arg(long, value_parser = crate::secrets::NOTIFY)]
    pub door: Option<String>,
    /// Only of what happened at this time or later, such as 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Those too that were acknowledged
    #[arg(long)]
    pub done: bool,
    /// At most so many, the oldest first
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    pub limit: i64,
    /// Send nothing; print how many there are
    #[arg(long)]
    pub dry_run: bool,
    /// Who has them sent again
    #[arg(long, default_value = "the operator", value_name = "NAME")]
    pub by: String,
    /// How to print.
    #[command(flatten)]
    pub shape: Shape,
}
