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
    /// Settle a claim: say whether the card is in the device, by --accept or --refuse. One that was refused can be accepted later
    Settle {
        /// Number of the claim, as `admin claim list` tells it
        id: i64,
        /// The card is in the device: it is bound to it, and the device comes to the card's account
        #[arg(long, conflicts_with = "refuse", required_unless_present = "refuse")]
        accept: bool,
        /// The card is not in the device: nothing is bound, however often the device says so
        #[arg(long)]
        refuse: bool,
        /// Why it is refused; kept with the claim in place of what was said of it before
        #[arg(long, value_name = "TEXT", conflicts_with = "accept", requires = "refuse")]
        reason: Option<String>,
        /// Who says so
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// With --accept, and only for a card that is not known here: the code of the product as which it is added
        #[arg(long, value_name = "CODE", conflicts_with = "refuse")]
        product: Option<String>,
        /// Code of the account for which it is added; the operator if left out
        #[arg(long, value_name = "CODE", requires = "product")]
        account: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
