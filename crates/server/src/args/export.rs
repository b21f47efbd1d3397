//! Flags of `kachi export`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What to write out.
#[derive(Debug, Clone, Subcommand)]
pub enum Export {
    /// Cards as they are
    Sims(ExportSims),
    /// Usage of each card and day, in the days of the account that had it
    ///
    /// `zone` is the account's as it is now: usage that was in before the account got another zone stays in the days of the one before.
    Usage(ExportUsage),
    /// Orders placed in a period, the newest first: what each is for, its price, and what it cost its buyer by now
    ///
    /// Of an order that waits for its carrier or the operator the price is held; one that failed cost nothing; `cost` is the price
    /// less what was refunded, whenever that was.
    Orders(ExportDays),
    /// Every posting of a period by account and bucket, between what the bucket had before it and after it
    ///
    /// The lines `opening` and `closing` are no postings: their balance is what was there before the first day began and after the
    /// last one ended (or now). The sum of `amount` between them is the difference. Each journal sums to zero where all accounts
    /// are written.
    Journal(ExportDays),
    /// Months of cards in which records and carriers' counts are apart: both numbers and both instants, UTC
    Reconcile(ExportReconcile),
}

/// In which form, and where to.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The form
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub format: Format,
    /// The file; standard output if left out
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write over the file if it is there
    #[arg(long, requires = "out")]
    pub overwrite: bool,
}

/// Which cards.
#[derive(Debug, Clone, Args)]
pub struct ExportSims {
    /// Only those of this account and below
    #[arg(long, value_name = "CODE")]
    pub account: Option<String>,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
}

/// The days between two, both included.
#[derive(Debug, Clone, Copy, Args)]
pub struct Between {
    /// The first day, such as 2026-03-01
    #[arg(long, value_name = "DAY", value_parser = kachi_domain::time::parse_day)]
    pub from: i64,
    /// The last day
    #[arg(long, value_name = "DAY", value_parser = kachi_domain::time::parse_day)]
    pub to: i64,
}

/// Which cards and days.
#[derive(Debug, Clone, Args)]
pub struct ExportUsage {
    /// Only what cards used while they were this account's or one's below
    #[arg(long, value_name = "CODE")]
    pub account: Option<String>,
    /// Of which days.
    #[command(flatten)]
    pub between: Between,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
}

/// Whose money and which days.
#[derive(Debug, Clone, Args)]
pub struct ExportDays {
    /// Only of this account and below; the days are this account's, or the operator's if left out
    #[arg(long, value_name = "CODE")]
    pub account: Option<String>,
    /// Of which days.
    #[command(flatten)]
    pub between: Between,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
}

/// Which findings.
#[derive(Debug, Clone, Args)]
pub struct ExportReconcile {
    /// Only this card platform
    #[arg(long, value_name = "CODE")]
    pub platform: Option<String>,
    /// Those that agree again too
    #[arg(long)]
    pub all: bool,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
}

/// Forms of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated, with a header
    Csv,
}
