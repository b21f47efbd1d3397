//! Flags of `kachi admin task`, `kachi admin sms` and `kachi admin template`.

use super::Shape;
use clap::Subcommand;

/// Work over many cards.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Task {
    /// List tasks, newest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show a task and the last word on each of its cards
    Show {
        /// Number of the task
        id: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Stop a task: cards whose turn has not come are left alone
    Stop {
        /// Number of the task
        id: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// Messages to cards and to telephones.
#[derive(Debug, Clone, Subcommand)]
pub enum Sms {
    /// List messages, newest first, with what became of each
    List {
        /// Only those that nobody has taken yet, with the reason
        #[arg(long)]
        waiting: bool,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Refuse messages that nobody has taken yet: their sender has back what was paid for them, and is told
    Refuse {
        /// Number of the message, or name of its batch
        name: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who says so
        #[arg(long, default_value = "the operator", value_name = "NAME")]
        by: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}

/// Templates of messages to people's telephones; `kachi apply` makes them.
#[derive(Debug, Clone, Subcommand)]
pub enum Template {
    /// List templates by code
    List(Shape),
    /// Let a template and its signature be used
    Approve {
        /// Code of the template
        code: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
    /// Let a template not be used any more
    Withdraw {
        /// Code of the template
        code: String,
        /// How to print.
        #[command(flatten)]
        shape: Shape,
    },
}
