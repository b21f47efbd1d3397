//! How the program ends: a number for scripts, a sentence for people.

use kachi_domain::Refusal;
use std::fmt::Display;
use std::process::ExitCode;

/// A finding, or input that was refused.
pub const FINDING: u8 = 1;
/// The program was called wrongly.
pub const USAGE: u8 = 2;
/// The program cannot run here.
pub const CANNOT_RUN: u8 = 3;

/// Why a verb did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// 1 a finding or refused input, 2 wrong usage, 3 cannot run.
    pub code: u8,
    /// One sentence for standard error; empty if everything was said already.
    pub words: String,
}

impl Exit {
    /// The input was refused.
    pub fn refused(words: impl Display) -> Exit {
        Exit { code: FINDING, words: words.to_string() }
    }

    /// Something was found, and has been printed.
    pub fn finding() -> Exit {
        Exit { code: FINDING, words: String::new() }
    }

    /// The command line makes no sense.
    pub fn usage(words: impl Display) -> Exit {
        Exit { code: USAGE, words: words.to_string() }
    }

    /// The program cannot run.
    pub fn cannot(words: impl Display) -> Exit {
        Exit { code: CANNOT_RUN, words: words.to_string() }
    }

    /// Says the sentence and hands over the number.
    pub fn leave(self) -> ExitCode {
        if !self.words.is_empty() {
            eprintln!("kachi: {}", self.words);
        }
        ExitCode::from(self.code)
    }
}

/// A field as the command line has it.
fn argument(field: &str) -> &str {
    match field {
        "by" => "--by",
        "reason" => "--reason",
        "reference" => "--reference",
        "remark" => "--remark",
        "product" => "--product",
        "until" => "--until",
        "intent" | "task" | "claim" | "withdrawal" => "ID",
        "code" => "CODE",
        "message" => "NAME",
        other => other,
    }
}

impl From<kachi_engine::Fail> for Exit {
    /// A refusal is about the input; anything else means that the program cannot go on.
    fn from(fail: kachi_engine::Fail) -> Exit {
        match fail {
            kachi_engine::Fail::Refused(Refusal::BadField { field, rule }) => {
                Exit::refused(format_args!("{}: {rule}", argument(&field)))
            }
            kachi_engine::Fail::Refused(refusal) => Exit::refused(refusal),
            other => Exit::cannot(other),
        }
    }
}

impl From<kachi_store::Error> for Exit {
    fn from(error: kachi_store::Error) -> Exit {
        Exit::cannot(error)
    }
}
