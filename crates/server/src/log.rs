//! The log of `kachi serve`, on standard error.

use crate::config::Log;
use crate::exit::Exit;
use std::io::{IsTerminal, Write};
use tracing_subscriber::EnvFilter;

/// The levels, from nothing to everything.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// What others call them.
const ELSEWHERE: [(&str, &str); 8] = [
    ("warning", "warn"),
    ("information", "info"),
    ("notice", "info"),
    ("err", "error"),
    ("critical", "error"),
    ("fatal", "error"),
    ("verbose", "debug"),
    ("none", "off"),
];

/// What is logged by `log.level`: levels, or `PART=LEVEL`, with commas between them. The error names what is none of these. The
/// library takes any other word for the name of a part, and then nothing of all others is logged.
pub fn filter(level: &str) -> Result<EnvFilter, String> {
    let directives: Vec<String> = level.split(',').map(directive).collect::<Result<_, _>>()?;
    EnvFilter::builder().parse(directives.join(",")).map_err(|e| e.to_string())
}

/// A level, or a part of the program with its level.
fn directive(text: &str) -> Result<String, String> {
    let (part, word) = text.trim().split_once('=').map_or((None, text.trim()), |(part, word)| (Some(part), word));
    let word = word.to_ascii_lowercase();
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_:-".contains(c));
    if let Some(part) = part.filter(|part| !is_part(part)) {
        return Err(format!("\"{part}\" is not the name of a part"));
    }
    if !LEVELS.contains(&word.as_str()) {
        let meant = ELSEWHERE.iter().find(|(other, _)| *other == word).map(|(_, ours)| format!(": write {ours}"));
        return Err(format!("\"{word}\" is not a level{}", meant.unwrap_or_default()));
    }
    Ok(part.map_or_else(|| word.clone(), |part| format!("{part}={word}")))
}

/// Starts logging as the configuration says.
pub fn start(log: &Log) -> Result<(), Exit> {
    let filter = filter(&log.level).map_err(|e| Exit::cannot(format!("log.level: {e}")))?;
    // The FTP library's trace holds every command, passwords too.
    let filter = filter.add_directive("suppaftp=info".parse().map_err(Exit::cannot)?);
    // A certificate that is not accepted is told by whoever asked, once and with what to do.
    let filter = filter.add_directive("rustls_platform_verifier=off".parse().map_err(Exit::cannot)?);
    let out = tracing_subscriber::fmt().with_env_filter(filter);
    if log.json {
        out.json().with_writer(std::io::stderr).init();
    } else {
        out.with_ansi(std::io::stderr().is_terminal()).with_writer(|| Line).init();
    }
    Ok(())
}

/// Standard error, on which every event is one line, whatever characters the names and answers in it have.
struct Line;

impl Write for Line {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        std::io::stderr().write_all(on_one_line(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// The event with its control characters written as in Rust's source, but for the last line feed and for colours, which move nothing.
fn on_one_line(event: &str) -> String {
    let is_colour = |rest: &str| {
        let code = rest.strip_prefix("\u{1b}[").map(|code| code.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
        code.is_some_and(|end| end.starts_with('m'))
    };
    let (text, end) = event.strip_suffix('\n').map_or((event, ""), |text| (text, "\n"));
    let mut line = String::with_capacity(event.len());
    for (at, c) in text.char_indices() {
        match c.is_control() && !is_colour(&text[at..]) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line + end
}
