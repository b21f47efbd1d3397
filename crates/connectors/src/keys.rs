//! A card platform's settings: each key is read once, and what is left over, missing or no good is an error that names it.

use kachi_domain::carrier::Pace;
use serde_json::{Map, Value};

/// The keys of a platform's rate of requests, which every connector that makes requests has.
pub const PACE: [&str; 5] =
    ["requests_per_second", "requests_per_minute", "requests_burst", "requests_per_day", "requests_kept_percent"];
/// Requests a second, at most.
const PER_SECOND_MAX: i64 = 10_000;
/// Requests a day, at most.
const PER_DAY_MAX: i64 = 1_000_000_000;
/// Percent that may be kept for acts: something must be left to keep what we know up to date.
const KEPT_MAX: i64 = 90;

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
    pub fn number(&mut self, key: &'static str, usual: i64, bounds: (i64, i64)) -> Result<i64, String> {
        Ok(self.number_if(key, bounds)?.unwrap_or(usual))
    }

    /// A whole number within bounds, where there is one.
    fn number_if(&mut self, key: &'static str, (min, max): (i64, i64)) -> Result<Option<i64>, String> {
        let read = |v: &Value| {
            v.as_i64()
                .filter(|n| (min..=max).contains(n))
                .ok_or_else(|| format!("{key}: {v} is not a whole number, {min} to {max}"))
        };
        self.take(key).map(read).transpose()
    }

    /// How many requests the platform takes, where the settings say otherwise than usual. 0 is any number.
    pub fn pace(&mut self, usual: Pace) -> Result<Pace, String> {
        let [second, minute, burst, day, kept] = PACE;
        let a_second = self.number_if(second, (0, PER_SECOND_MAX))?;
        let a_minute = self.number_if(minute, (0, PER_SECOND_MAX * 60))?;
        let per_minute = match (a_second, a_minute) {
            (Some(_), Some(_)) => return Err(format!("{second} and {minute} say the same: leave one out")),
            (Some(a_second), None) => a_second * 60,
            (None, Some(a_minute)) => a_minute,
            (None, None) => i64::from(usual.per_minute),
        };
        let burst = self.number(burst, i64::from(usual.burst.max(1)), (1, PER_SECOND_MAX))?;
        let per_day = self.number(day, i64::from(usual.per_day), (0, PER_DAY_MAX))?;
        let kept = self.number(kept, i64::from(usual.kept_percent), (0, KEPT_MAX))?;
        let small = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        let kept_percent = u8::try_from(kept).unwrap_or(0);
        Ok(Pace { per_minute: small(per_minute), burst: small(burst), per_day: small(per_day), kept_percent })
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_rate_of_requests_is_read_and_what_is_no_good_is_named() {
        let usual = Pace::a_second(10, 20);
        let read = |settings: Value| Keys::of(settings.as_object().unwrap()).pace(usual);
        assert_eq!(read(json!({})), Ok(usual));
        let all = json!({"requests_per_minute": 30, "requests_burst": 5, "requests_per_day": 1000, "requests_kept_percent": 50});
        assert_eq!(read(all), Ok(Pace { per_minute: 30, burst: 5, per_day: 1000, kept_percent: 50 }));
        assert_eq!(read(json!({"requests_per_second": 2})).unwrap().per_minute, 120);
        assert_eq!(read(json!({"requests_per_second": 0})).unwrap().per_minute, 0, "any number");
        for (settings, says) in [
            (json!({"requests_per_second": -1}), "requests_per_second: -1 is not a whole number, 0 to 10000"),
            (
                json!({"requests_per_second": 1, "requests_per_minute": 1}),
                "requests_per_second and requests_per_minute say the same",
            ),
            (json!({"requests_burst": 0}), "requests_burst: 0 is not"),
            (json!({"requests_per_day": "many"}), "requests_per_day: \"many\" is not"),
            (json!({"requests_kept_percent": 91}), "requests_kept_percent: 91 is not a whole number, 0 to 90"),
        ] {
            let error = read(settings.clone()).unwrap_err();
            assert!(error.starts_with(says), "{settings}: {error}");
        }
    }
}
