//! Flags of `kachi admin account` and `kachi admin signature`.

use super::Shape;
use clap::Subcommand;

/// Accounts and their switches.
#[derive(Debug, Clone, Subcommand)]
pub enum Accounts {
    /// List accounts with their switches
    List(Shape),
    /// Let an account in again at every door
    On(Switching),
    /// Let an account ask and not act, nor any account below it
    Pause(Switching),
    /// Let an account in at no door, nor any account below it
    Off(Switching),
}

/// Which account, and who says so.
#[derive(Debug, Clone, clap::Args)]
pub struct Switching {
    /// Code of the account
    pub account: String,
    /// Who says so
    #[arg(long, default_value = "the operator", value_name = "NAME")]
    pub by: String,
    /// How to print.
    #[command(flatten)]
    pub shape: Shape,
}

/// Signatures of partners.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Signature {
    /// List signatures that came again with another body and were refused, the last seen first
    Reused {
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
