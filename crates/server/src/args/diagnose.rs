//! Flags of `kachi admin diagnose`.

use super::Shape;
use clap::{Args, ValueEnum};

/// Which card, and how it is told.
#[derive(Debug, Clone, Args)]
pub struct Diagnose {
    /// The card: ICCID, MSISDN, IMSI or EID
    #[arg(value_name = "CARD")]
    pub card: String,
    /// Have the card read at its carrier first; a running server does that
    #[arg(long)]
    pub fresh: bool,
    /// Language of the text
    #[arg(long, value_enum, default_value_t = Language::En)]
    pub language: Language,
    /// How to print.
    #[command(flatten)]
    pub shape: Shape,
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// English
    En,
    /// Chinese
    Zh,
}
