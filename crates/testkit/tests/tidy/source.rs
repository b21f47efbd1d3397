//! Just enough of Rust's lexis to tell code from comments and literals.

use std::path::{Path, PathBuf};

/// A Rust file of the project.
pub struct Source {
    /// Its path from the project's root, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Comments and the insides of literals are blanks; lines and columns stay.
    pub code: String,
    /// String literals: (line, inside).
    pub strings: Vec<(usize, String)>,
}

impl Source {
    /// Whether it holds tests only.
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// Lines of code, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(i, line)| (i + 1, line))
    }
}

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the project's folder")
}

/// A file of the project as text.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every Rust file below `crates/` and `benches/`.
pub fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["crates", "benches"] {
        collect(&root().join(folder), &mut paths);
    }
    paths.sort();
    let source = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (code, strings) = lex(&text);
        let path = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        Source { path, text, code, strings }
    };
    paths.into_iter().map(source).collect()
}

fn collect(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// What stands at a place in the text, and how many characters it takes.
enum Piece {
    Code,
    Comment(usize),
    /// Whole length, and where its inside begins and ends.
    Text(usize, usize, usize),
}

/// Code with everything else blanked, and the string literals.
pub fn lex(text: &str) -> (String, Vec<(usize, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut strings) = (String::with_capacity(text.len()), Vec::new());
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let length = match piece(&chars, at) {
            Piece::Code => {
                line += usize::from(chars[at] == '\n');
                code.push(chars[at]);
                at += 1;
                continue;
            }
            Piece::Comment(length) => length,
            Piece::Text(length, from, to) => {
                strings.push((line, chars[at + from..at + to].iter().collect()));
                length
            }
        };
        for c in &chars[at..(at + length).min(chars.len())] {
            line += usize::from(*c == '\n');
            code.push(if *c == '\n' { '\n' } else { ' ' });
        }
        at += length;
    }
    (code, strings)
}

fn piece(chars: &[char], at: usize) -> Piece {
    let get = |i: usize| chars.get(at + i).copied().unwrap_or('\0');
    match (get(0), get(1)) {
        ('/', '/') => Piece::Comment(chars[at..].iter().take_while(|c| **c != '\n').count()),
        ('/', '*') => Piece::Comment(block_comment(&chars[at..])),
        ('"', _) => quoted(chars, at, 0),
        ('b' | 'c', '"') if !in_word(chars, at) => quoted(chars, at, 1),
        ('r', '"' | '#') if !in_word(chars, at) => raw(chars, at, 1),
        ('b' | 'c', 'r') if matches!(get(2), '"' | '#') && !in_word(chars, at) => raw(chars, at, 2),
        ('\'', '\\') => Piece::Comment(2 + 1 + chars[at + 3..].iter().take_while(|c| **c != '\'').count() + 1),
        ('\'', _) if get(2) == '\'' => Piece::Comment(3),
        _ => Piece::Code,
    }
}

fn in_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut i) = (0_usize, 0);
    while i < rest.len() {
        match (rest[i], rest.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn quoted(chars: &[char], at: usize, prefix: usize) -> Piece {
    let from = prefix + 1;
    let mut i = from;
    while at + i < chars.len() && chars[at + i] != '"' {
        i += if chars[at + i] == '\\' { 2 } else { 1 };
    }
    let to = i.min(chars.len() - at);
    Piece::Text((i + 1).min(chars.len() - at), from.min(to), to)
}

fn raw(chars: &[char], at: usize, prefix: usize) -> Piece {
    let hashes = chars[at + prefix..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + prefix + hashes) != Some(&'"') {
        return Piece::Code; // a raw identifier
    }
    let from = prefix + hashes + 1;
    let closes =
        |i: usize| chars[at + i] == '"' && chars[at + i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    let mut i = from;
    while at + i < chars.len() && !closes(i) {
        i += 1;
    }
    Piece::Text((i + 1 + hashes).min(chars.len() - at), from, i)
}

/// Functions with a body: (name, first line, lines).
pub fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let bytes = code.as_bytes();
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if is_word || name.is_empty() {
            continue;
        }
        if let Some((open, close)) = body(bytes, at) {
            found.push((name, line_of(at), line_of(close) - line_of(at) + 1));
            debug_assert!(open < close);
        }
    }
    found
}

/// Where the body of the function at `at` opens and closes; none where it has none.
fn body(code: &[u8], at: usize) -> Option<(usize, usize)> {
    let (mut inside, mut depth, mut open) = (0_i32, 0_i32, None);
    for (i, b) in code.iter().enumerate().skip(at) {
        match (b, open) {
            (b'(' | b'[', None) => inside += 1,
            (b')' | b']', None) => inside -= 1,
            (b';', None) if inside == 0 => return None,
            (b'{', None) if inside == 0 => (open, depth) = (Some(i), 1),
            (b'{', Some(_)) => depth += 1,
            (b'}', Some(from)) => {
                depth -= 1;
                if depth == 0 {
                    return Some((from, i));
                }
            }
            _ => {}
        }
    }
    None
}
