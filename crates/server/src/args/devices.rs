//! Devices that report, and their claims to cards.

use super::Shape;
use clap::Subcommand;

/// Devices that report over the message broker.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List the devices that reported last, newest first
    List {
        /// Only those of this account and below
        #[arg(long, value_name = "CODE")]
        account: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show a device, the card in it and its newest reports
    Show {
        /// Its serial number
        serial: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// List what devices sent and could not be read, newest first
    Aside {
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// Claims of devices to cards.
#[derive(Debug, Subcommand)]
pub enum Claim {
    /// List the claims that wait for a person or for a platform's word, newest first
    List {
        /// Settled ones too
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Say whether the card is in the device
    Settle {
        /// Number of the claim
        id: i64,
        /// It is: the card is bound to the device, and the device comes to the card's account
        #[arg(long, conflicts_with = "refuse", required_unless_present = "refuse")]
        accept: bool,
        /// It is not: nothing is bound, however often the device says so
        #[arg(long)]
        refuse: bool,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
        /// Who says so
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// Code of the product, for a card that is not known here: it is added
        #[arg(long, value_name = "CODE", conflicts_with = "refuse")]
        product: Option<String>,
        /// Code of the account a card that is added belongs to; the operator if left out
        #[arg(long, value_name = "CODE", requires = "product")]
        account: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
