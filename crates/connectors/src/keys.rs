//! A card platform's settings: each key is read once, and what is left over, missing or no good is an error that names it.

use serde_json::{Map, Value};

/// Settings that are being read.
#[derive(Debug)]
pub struct Keys<'a> {
    settings: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    /// All of them.
    pub fn of(settings: &'a Map<String, Value>) -> Keys<'a> {
        Keys { settings, known: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.settings.get(key)
    }

    /// A text that must be there.
    pub fn needed(&mut self, key: &'static str) -> Result<String, String> {
        let text = self.optional(key)?;
        text.ok_or_else(|| format!("{key} is missing"))
    }

    /// A text that may be there; not an empty one.
    pub fn optional(&mut self, key: &'static str) -> Result<Option<String>, String> {
        let read = |v: &Value| match v {
            Value::String(text) if !text.is_empty() => Ok(text.clone()),
            // Never what it is: it may be a secret.
            _ => Err(format!("{key} must be a text in quotes, not empty")),
        };
        self.take(key).map(read).transpose()
    }

    /// A text, or the usual one.
    pub fn text(&mut self, key: &'static str, usual: &str) -> Result<String, String> {
        Ok(self.optional(key)?.unwrap_or_else(|| usual.to_owned()))
    }

    /// A whole number within bounds, or the usual one.
    pub fn number(&mut self, key: &'static str, usual: i64, (min, max): (i64, i64)) -> Result<i64, String> {
        let read = |v: &Value| {
            v.as_i64()
                .filter(|n| (min..=max).contains(n))
                .ok_or_else(|| format!("{key}: {v} is not a whole number, {min} to {max}"))
        };
        self.take(key).map(read).transpose().map(|n| n.unwrap_or(usual))
    }

    /// One of these words, or the first.
    pub fn one_of(&mut self, key: &'static str, words: &[&'static str]) -> Result<&'static str, String> {
        let read = |v: &Value| {
            let found = words.iter().find(|w| v.as_str() == Some(**w)).copied();
            found.ok_or_else(|| format!("{key}: {v} is none of {}", words.join(", ")))
        };
        self.take(key).map(read).transpose().map(|w| w.unwrap_or(words[0]))
    }

    /// Nothing else may be there.
    pub fn end(self) -> Result<(), String> {
        match self.settings.keys().find(|key| !self.known.contains(&key.as_str())) {
            Some(key) => Err(crate::unknown_key(key, &self.known)),
            None => Ok(()),
        }
    }
}
