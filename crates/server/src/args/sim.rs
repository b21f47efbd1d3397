//! Flags of `kachi admin sim`.

use super::Shape;
use clap::Subcommand;

/// Off or on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnOff {
    /// Off.
    Off,
    /// On.
    On,
}

/// Cards.
#[derive(Debug, Subcommand)]
pub enum Sim {
    /// Show a card: owner, state, what blocks it, its packages and how fresh that is
    Show {
        /// The card
        iccid: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Stop a card: its carrier is asked, and the card is stopped with its last word
    Stop {
        /// The card
        iccid: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Let a card on again, or activate one that was never on; refused where that would lift nothing, with who can
    Resume {
        /// The card
        iccid: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Force a card off, whatever its owner asks for, until that is lifted: its carrier is asked to stop it; on its record
    ForceStop {
        /// The card
        iccid: String,
        /// Who does it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Lift the operator's force: its carrier is asked to let the card on unless something else keeps it off; on its record
    ForceLift {
        /// The card
        iccid: String,
        /// Who does it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Close a card for good, which nothing undoes; refused while a package of it runs or waits, or a write is open. Its carrier is not
    /// asked; on its record
    Close {
        /// The card
        iccid: String,
        /// Who does it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Switch a card's messages off or on at its carrier, and nothing else
    Sms {
        /// The card
        iccid: String,
        /// Off or on
        to: OnOff,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Switch a card's voice off or on at its carrier, and nothing else
    Voice {
        /// The card
        iccid: String,
        /// Off or on
        to: OnOff,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Give a card to another account; its subscriptions go along, what it has used stays with the account it was used in
    Move {
        /// The card
        iccid: String,
        /// Code of the new owner
        #[arg(long, value_name = "CODE")]
        account: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Sell a card as another product; what it has bought stays its own, and its owner is told
    Product {
        /// The card
        iccid: String,
        /// Code of the new product
        #[arg(long, value_name = "CODE")]
        product: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Put a card into an IMEI group; it leaves the group it was in
    Join {
        /// The card
        iccid: String,
        /// Code of the group
        #[arg(long, value_name = "CODE")]
        group: String,
        /// When it leaves by itself, such as 2026-06-01T00:00:00Z
        #[arg(long, value_name = "INSTANT")]
        until: Option<String>,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Take a card out of its IMEI group, or free it from the device it is bound to; a lock is lifted
    Leave {
        /// The card
        iccid: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
