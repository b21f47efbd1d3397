//! Flags of `kachi admin balance`.

use super::Shape;
use clap::Subcommand;

/// What accounts have, and what a person books.
#[derive(Debug, Clone, Subcommand)]
pub enum Balance {
    /// Show what an account has, or what all have
    Show {
        /// Code of the account; all of them if left out
        account: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// List what was booked by command, newest first; `kachi export journal` tells all that moved money
    List {
        /// Only what was booked for this account
        #[arg(long, value_name = "CODE")]
        account: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Credit money that came in; the same reference again changes nothing, whatever its value date or remark
    TopUp {
        /// Code of the account
        account: String,
        /// How much, in the account's currency, such as 100.00
        amount: String,
        /// What the payment is known by, such as the bank's number of it
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// The day on which the money reached the bank, in the account's zone: today, or at most 366 days ago
        #[arg(long, value_name = "DAY", value_parser = kachi_domain::time::parse_day)]
        value_date: Option<i64>,
        /// What is to be kept beside it
        #[arg(long, value_name = "TEXT")]
        remark: Option<String>,
        /// Who books it
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Put a balance right, up or down; the same reference again changes nothing
    Correct {
        /// Code of the account
        account: String,
        /// How much more the account may spend, such as 5.00; less: -5.00
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// What the correction is known by
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who books it
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
