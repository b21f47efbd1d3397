//! Flags of `kachi admin profit`.

use super::Shape;
use clap::Subcommand;

/// Profits that are paid out.
#[derive(Debug, Clone, Subcommand)]
pub enum Profit {
    /// List withdrawals, newest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show what accounts earned that no withdrawal has paid out or holds
    Waiting(Shape),
    /// Begin to pay out what an account earned and has not been paid out: the money is held until it is settled
    Withdraw {
        /// Code of the account
        #[arg(long, value_name = "CODE")]
        account: String,
        /// As the system's daily settlement: paid out at once
        #[arg(long)]
        daily: bool,
        /// Who begins it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Change nothing; print what would be withdrawn
        #[arg(long)]
        dry_run: bool,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Say that a withdrawal was paid out
    Settle {
        /// Number of the withdrawal
        id: i64,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Say that a withdrawal will not be paid out: the account may spend the money again
    Fail {
        /// Number of the withdrawal
        id: i64,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
