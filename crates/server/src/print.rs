//! Printing for people and for scripts. A reader that has gone away ends the program quietly.

use crate::exit::Exit;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::Display;
use std::io::Write;

/// One line on standard output.
pub fn line(words: impl Display) -> Result<(), Exit> {
    match writeln!(std::io::stdout().lock(), "{words}") {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(Exit { code: 0, words: String::new() }),
        Err(e) => Err(Exit::cannot(format!("standard output cannot be written to ({e})"))),
    }
}

/// A value as JSON.
pub fn json(value: &impl Serialize) -> Result<(), Exit> {
    line(serde_json::to_string_pretty(value).map_err(Exit::cannot)?)
}

/// What was done: as JSON, or in a sentence.
pub fn done(as_json: bool, value: &impl Serialize, words: impl Display) -> Result<(), Exit> {
    if as_json { json(value) } else { line(words) }
}

/// Rows under a heading, or as a JSON list of objects.
pub fn table(columns: &[&str], rows: &[Vec<Value>], as_json: bool) -> Result<(), Exit> {
    if as_json {
        let object = |row: &Vec<Value>| columns.iter().map(|c| (*c).to_owned()).zip(row.iter().cloned()).collect::<Map<_, _>>();
        return json(&rows.iter().map(object).collect::<Vec<_>>());
    }
    let mut texts: Vec<Vec<String>> = vec![columns.iter().map(|c| (*c).to_owned()).collect()];
    texts.extend(rows.iter().map(|row| row.iter().map(text).collect()));
    let widths: Vec<usize> =
        (0..columns.len()).map(|i| texts.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    for row in texts {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        // What others sent us must not steer the terminal.
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        other => other.to_string(),
    }
}
