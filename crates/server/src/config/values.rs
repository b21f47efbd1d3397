//! Values by key, each with the place it was given at, and the readers that check them.

use super::{ConfigArgs, Watch};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const DEFAULTS: &str = include_str!("../../../../config.default.toml");
/// Keys whose value may lie in a file of its own, named by the key with `_file`.
const SECRETS: &[&str] = &["database.url", "mqtt.url", "mqtt.password"];
const FILE: &str = "kachi.toml";
const PREFIX: &str = "KACHI_";
/// What the tests are told; never a key.
const TEST_PREFIX: &str = "KACHI_TEST_";

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: it is the default.
    Default,
    /// In this file.
    File(String),
    /// In this environment variable.
    Environment(String),
    /// By this flag.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(name) | Source::Environment(name) => f.write_str(name),
            Source::Flag(name) => f.write_str(name),
        }
    }
}

/// A key as it was given.
#[derive(Debug, Clone)]
pub struct Given {
    /// The key, `section.key`.
    pub key: String,
    /// Its value, with passwords struck out.
    pub value: Value,
    /// Where it was given.
    pub source: Source,
}

/// Every key with its value.
pub(super) struct Values(BTreeMap<String, (Value, Source)>);

impl Values {
    /// Layers the defaults, the file, the environment and the flags.
    pub(super) fn gather(args: &ConfigArgs, environment: impl Iterator<Item = (String, String)>) -> Result<Values, String> {
        let mut values = Values(BTreeMap::new());
        values.add_text(DEFAULTS, "config.default.toml", |_| Source::Default)?;
        for key in SECRETS {
            values.0.insert(format!("{key}_file"), (Value::String(String::new()), Source::Default));
        }
        let (path, asked) = match &args.config {
            Some(path) => (path.clone(), true),
            None => (PathBuf::from(FILE), false),
        };
        let name = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => values.add_text(&text, &name, |name| Source::File(name.to_owned()))?,
            Err(e) if !asked && e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(format!("{name}: cannot be read ({e}): name a readable file with --config")),
        }
        values.add_environment(environment)?;
        let flags = [
            ("data_dir", "--data-dir", &args.data_dir),
            ("listen.web", "--listen", &args.listen),
            ("database.url", "--database-url", &args.database_url),
        ];
        for (key, flag, value) in flags {
            if let Some(text) = value {
                values.put(key, Value::String(text.clone()), Source::Flag(flag));
            }
        }
        Ok(values)
    }

    fn add_text(&mut self, text: &str, name: &str, source: impl Fn(&str) -> Source) -> Result<(), String> {
        let table: Table = text.parse().map_err(|e: toml::de::Error| {
            let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            format!("{name}:{line}: {}", e.message().trim())
        })?;
        let first = self.0.is_empty();
        for (section, value) in table {
            match value {
                Value::Table(keys) => {
                    for (key, value) in keys {
                        self.add(format!("{section}.{key}"), value, source(name), first)?;
                    }
                }
                value => self.add(section, value, source(name), first)?,
            }
        }
        Ok(())
    }

    fn add(&mut self, key: String, value: Value, source: Source, any: bool) -> Result<(), String> {
        if !any && !self.0.contains_key(&key) {
            return Err(self.unknown(&source.to_string(), &key));
        }
        self.put(&key, value, source);
        Ok(())
    }

    /// A value given later wins, also over its `_file` given before.
    fn put(&mut self, key: &str, value: Value, source: Source) {
        if SECRETS.contains(&key) && source != Source::Default {
            self.0.insert(format!("{key}_file"), (Value::String(String::new()), Source::Default));
        }
        self.0.insert(key.to_owned(), (value, source));
    }

    fn add_environment(&mut self, environment: impl Iterator<Item = (String, String)>) -> Result<(), String> {
        let mut ours: Vec<_> =
            environment.filter(|(name, _)| name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX)).collect();
        // A `_file` comes after its key, so that the file wins where both are given.
        ours.sort();
        for (name, text) in ours {
            let key = name[PREFIX.len()..].to_lowercase().replacen("__", ".", 1);
            let Some((known, _)) = self.0.get(&key) else { return Err(self.unknown(&name, &key)) };
            let value = match known {
                Value::String(_) => Value::String(text),
                _ => text.parse().unwrap_or(Value::String(text)),
            };
            self.put(&key, value, Source::Environment(name));
        }
        Ok(())
    }

    fn unknown(&self, place: &str, key: &str) -> String {
        let near = self.0.keys().map(|known| (distance(known, key), known)).min().filter(|(apart, _)| *apart <= key.len() / 2);
        let meant = near.map_or_else(String::new, |(_, known)| format!(" did you mean {known}?"));
        format!("{place}: there is no key {key};{meant} `kachi config print` lists every key that has a value")
    }

    /// The sentence for a value that is not as it must be.
    pub(super) fn wrong(&self, key: &str, rule: &str) -> String {
        let (value, source) = &self.0[key];
        format!("{source}: {key} must be {rule}, not {}", inline(&masked(key, value)))
    }

    fn value(&self, key: &str) -> &Value {
        &self.0[key].0
    }

    pub(super) fn text(&self, key: &str) -> Result<String, String> {
        let text = self.value(key).as_str().filter(|t| !t.trim().is_empty());
        text.map(str::to_owned).ok_or_else(|| self.wrong(key, "text in quotes, not empty"))
    }

    pub(super) fn choice(&self, key: &str, words: &[&str]) -> Result<String, String> {
        let text = self.value(key).as_str().filter(|t| words.contains(t));
        text.map(str::to_owned).ok_or_else(|| self.wrong(key, &format!("one of {}", words.join(", "))))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, String> {
        self.value(key).as_bool().ok_or_else(|| self.wrong(key, "true or false"))
    }

    pub(super) fn whole(&self, key: &str, min: i64, max: i64) -> Result<i64, String> {
        let number = self.value(key).as_integer().filter(|n| (min..=max).contains(n));
        number.ok_or_else(|| self.wrong(key, &format!("a whole number from {min} to {max}")))
    }

    /// A shift of the clock; a century either way is enough.
    pub(super) fn offset(&self, key: &str) -> Result<i64, String> {
        self.whole(key, -3_155_760_000, 3_155_760_000)
    }

    pub(super) fn off_or(&self, key: &str, max: u32) -> Result<Option<u32>, String> {
        // The environment gives text even where a number is meant.
        let read = match self.value(key) {
            Value::String(text) if text == "off" => return Ok(None),
            Value::String(text) => text.parse().ok(),
            Value::Integer(n) => u32::try_from(*n).ok(),
            _ => None,
        };
        let number = read.filter(|n| (1..=max).contains(n));
        number.map(Some).ok_or_else(|| self.wrong(key, &format!("\"off\" or a whole number from 1 to {max}")))
    }

    pub(super) fn address(&self, key: &str) -> Result<SocketAddr, String> {
        let address = self.value(key).as_str().and_then(|t| t.parse().ok());
        address.ok_or_else(|| self.wrong(key, "an address and port such as \"127.0.0.1:8080\" or \"[::]:8080\""))
    }

    /// As [`Values::address`], or none for "off".
    pub(super) fn address_or_off(&self, key: &str) -> Result<Option<SocketAddr>, String> {
        if self.value(key).as_str() == Some("off") {
            return Ok(None);
        }
        let address = self.value(key).as_str().and_then(|t| t.parse().ok());
        address.map(Some).ok_or_else(|| self.wrong(key, "\"off\", or an address and port such as \"127.0.0.1:9011\""))
    }

    /// The value, or the first line of the file that its `_file` names.
    pub(super) fn secret(&self, key: &str) -> Result<String, String> {
        let twin = format!("{key}_file");
        match self.value(&twin).as_str() {
            Some("") => self.text(key),
            Some(path) => {
                let source = &self.0[&twin].1;
                let text = std::fs::read_to_string(path).map_err(|e| format!("{source}: {twin}: {path} cannot be read ({e})"))?;
                let line = text.lines().next().unwrap_or_default().trim();
                if line.is_empty() {
                    return Err(format!("{source}: {twin}: {path} is empty: write {key} on its first line"));
                }
                Ok(line.to_owned())
            }
            None => Err(self.wrong(&twin, "the path of a file, in quotes")),
        }
    }

    /// As [`Values::secret`]; none if neither the key nor its `_file` says anything.
    pub(super) fn secret_if_any(&self, key: &str) -> Result<Option<String>, String> {
        let is_empty = |key: &str| self.value(key).as_str() == Some("");
        if is_empty(key) && is_empty(&format!("{key}_file")) { Ok(None) } else { self.secret(key).map(Some) }
    }

    /// A text that may be empty.
    pub(super) fn text_if_any(&self, key: &str) -> Result<Option<String>, String> {
        match self.value(key).as_str() {
            Some(text) => Ok(Some(text.to_owned()).filter(|t| !t.is_empty())),
            None => Err(self.wrong(key, "text in quotes")),
        }
    }

    /// A list of as many as `count` says, each read by itself: the sentence names the one that is not as it must be.
    fn list<T>(
        &self,
        key: &str,
        count: RangeInclusive<usize>,
        (rule, rule_of_one): (&str, &str),
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, String> {
        let list = self.value(key).as_array().filter(|list| count.contains(&list.len())).ok_or_else(|| self.wrong(key, rule))?;
        let source = &self.0[key].1;
        let one = |(i, value): (usize, &Value)| {
            read(value).ok_or_else(|| format!("{source}: {key}[{i}] must be {rule_of_one}, not {}", inline(value)))
        };
        list.iter().enumerate().map(one).collect()
    }

    /// A list of topics, at least one.
    pub(super) fn topics(&self, key: &str) -> Result<Vec<String>, String> {
        let rules = ("a list of topics such as [\"/+/+/info/post\"]", "a topic such as \"/+/+/info/post\"");
        self.list(key, 1..=usize::MAX, rules, |v| v.as_str().filter(|t| !t.trim().is_empty()).map(str::to_owned))
    }

    pub(super) fn networks(&self, key: &str) -> Result<Vec<String>, String> {
        let rules =
            ("a list of networks such as [\"10.0.0.0/8\", \"127.0.0.1\"]", "a network such as \"10.0.0.0/8\" or \"127.0.0.1\"");
        self.list(key, 0..=usize::MAX, rules, |v| v.as_str().and_then(network))
    }

    pub(super) fn durations(&self, key: &str, max: usize) -> Result<Vec<i64>, String> {
        let rule = format!("a list of 1 to {max} durations such as [\"0s\", \"5m\", \"2h\"]");
        let rules = (rule.as_str(), "a duration such as \"0s\", \"5m\" or \"2h\", 30 days at most");
        self.list(key, 1..=max, rules, |v| v.as_str().and_then(seconds))
    }

    pub(super) fn watch(&self, key: &str) -> Result<Vec<Watch>, String> {
        let rules = (
            "a list of folders such as [{dir = \"/srv/cdr\", platform = \"hand\", every_seconds = 30}]",
            "a folder such as {dir = \"/srv/cdr\", platform = \"hand\", every_seconds = 30}",
        );
        self.list(key, 0..=usize::MAX, rules, watched)
    }

    /// Every key in the order of the manual's sections.
    pub(super) fn given(&self) -> Vec<Given> {
        let mut given: Vec<Given> = Vec::new();
        let shown = self.0.iter().filter(|(_, (value, source))| *source != Source::Default || value.as_str() != Some(""));
        for (key, (value, source)) in shown {
            given.push(Given { key: key.clone(), value: masked(key, value), source: source.clone() });
        }
        given.sort_by_key(|g| g.key.contains('.'));
        given
    }
}

/// A network in its standard form.
pub(crate) fn network(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits: u8 = bits.map_or(Some(most), |b| b.parse().ok())?;
    (bits <= most).then(|| format!("{address}/{bits}"))
}

fn seconds(text: &str) -> Option<i64> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let (number, unit) = units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))?;
    number.parse::<u32>().ok().map(|n| i64::from(n) * unit).filter(|s| *s <= 30 * 86_400)
}

fn watched(value: &Value) -> Option<Watch> {
    let table = value.as_table()?;
    if table.keys().any(|k| !["dir", "platform", "every_seconds"].contains(&k.as_str())) {
        return None;
    }
    let text = |key| table.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let every = table.get("every_seconds").map_or(Some(30), Value::as_integer)?;
    Some(Watch {
        dir: Path::new(text("dir")?).to_owned(),
        platform: text("platform")?.to_owned(),
        every_seconds: u64::try_from(every).ok().filter(|s| (1..=86_400).contains(s))?,
    })
}

/// `postgres://user:password@host` without its password; a secret that is no text, as one without its quotes, not at all.
fn masked(key: &str, value: &Value) -> Value {
    if !SECRETS.contains(&key) {
        return value.clone();
    }
    match value.as_str() {
        Some(text) if text.is_empty() || !key.ends_with("password") => Value::String(kachi_domain::address::masked(text)),
        _ => Value::String("***".into()),
    }
}

/// A value on one line.
pub(crate) fn inline(value: &Value) -> String {
    value.to_string().trim().replace('\n', " ")
}

/// Edits between two words (insert, delete, change), for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}
