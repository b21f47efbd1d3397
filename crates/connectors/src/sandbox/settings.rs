//! The terms under which the virtual carrier serves one platform account.
//!
//! Read once, when the connector is opened; every key has a default, and a key or value that makes no sense is an
//! error naming it.

use super::Fault;
use crate::keys::{self, Keys};
use kachi_domain::carrier::{Batches, Capabilities, Cycle, Facts, Pace};
use serde_json::{Map, Value};

const KEYS: [&str; 11] = [
    "account",
    "lag_seconds",
    "cool_down_seconds",
    "token_seconds",
    "fault_every",
    "faults",
    "seed",
    "stacks",
    "submit_batch",
    "without",
    "one_plan",
];
/// Cards of one batch of writes, at most.
const SUBMIT_BATCH_MAX: u64 = 100;

/// Takes a capability away.
type Take = fn(&mut Capabilities);

/// What `without` may take away.
const WITHOUT: &[(&str, Take)] = &[
    ("subscribe", |all| all.subscribe = false),
    ("unsubscribe", |all| all.unsubscribe = false),
    ("stop_resume", |all| all.stop_resume = false),
    ("activate", |all| all.activate = false),
    ("end_test", |all| all.end_test = false),
    ("data_switch", |all| all.data_switch = false),
    ("functions", |all| all.functions = false),
    ("speed", |all| all.speed = false),
    ("voice_list", |all| all.voice_list = false),
    ("session_reset", |all| all.session_reset = false),
    ("network", |all| all.network = false),
    ("usage", |all| all.usage = false),
    ("sms", |all| all.sms = false),
    ("phone_sms", |all| all.phone_sms = false),
    ("changes", |all| all.changes = false),
    ("batches", |all| all.batches = Batches::default()),
];

/// What a card platform may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The account at the carrier; platforms with the same account share its one live token. Default `sandbox`.
    pub account: String,
    /// Seconds from taking a write to its effect. Default 0.
    pub lag_seconds: i64,
    /// Seconds after a taken write in which its card takes no other. Default 0.
    pub cool_down_seconds: i64,
    /// Seconds a token lives. Default 7200.
    pub token_seconds: i64,
    /// Every how many writes a fault strikes; 0 is never. Default 0.
    pub fault_every: u64,
    /// The faults, taken in turn. Default none.
    pub faults: Vec<Fault>,
    /// Shifts which write meets which fault. Default 0.
    pub seed: u64,
    /// Whether a card may have a package several times, each purchase by its reference; else it has it once. Default true.
    pub stacks: bool,
    /// All, less those that the key `without` lists, with the cards of a batch of writes (`submit_batch`, default 1) and the
    /// rate of requests (any number, unless said). Default all.
    pub capabilities: Capabilities,
}

/// Everything that a carrier can do over a wire.
const ALL: Capabilities = Capabilities {
    subscribe: true,
    unsubscribe: true,
    stop_resume: true,
    activate: true,
    end_test: true,
    data_switch: true,
    functions: true,
    speed: true,
    one_plan: false,
    voice_list: true,
    session_reset: true,
    network: true,
    usage: true,
    sms: true,
    phone_sms: true,
    look: true,
    shows: false,
    by_hand: false,
    login: true,
    changes: true,
    callbacks: false,
    facts: Facts::ALL,
    batches: Batches { state: 100, day: 100, month: 100 },
    submit_batch: 1,
    cool_down_seconds: 0,
    cycle: Cycle::NATURAL,
    pace: Pace { per_minute: 0, burst: 1, per_day: 0, kept_percent: 0 },
};

impl Default for Settings {
    fn default() -> Self {
        Settings {
            account: "sandbox".into(),
            lag_seconds: 0,
            cool_down_seconds: 0,
            token_seconds: 7200,
            fault_every: 0,
            faults: Vec::new(),
            seed: 0,
            stacks: true,
            capabilities: ALL,
        }
    }
}

impl Settings {
    /// Reads the keys that are there.
    pub fn read(given: &Map<String, Value>) -> Result<Settings, String> {
        let mut settings = Settings::default();
        for (key, value) in given {
            match key.as_str() {
                "account" => settings.account = text(key, value)?.to_string(),
                "lag_seconds" => settings.lag_seconds = seconds(key, value, 0)?,
                "cool_down_seconds" => settings.cool_down_seconds = seconds(key, value, 0)?,
                "token_seconds" => settings.token_seconds = seconds(key, value, 1)?,
                "fault_every" => settings.fault_every = number(key, value)?,
                "faults" => {
                    let read = |v| Fault::read(v).map_err(|e| format!("faults: {e}"));
                    settings.faults = list(key, value)?.iter().map(read).collect::<Result<_, _>>()?;
                }
                "seed" => settings.seed = number(key, value)?,
                "one_plan" => {
                    settings.capabilities.one_plan =
                        value.as_bool().ok_or_else(|| format!("{key}: {value} is not true or false"))?;
                }
                "stacks" => settings.stacks = value.as_bool().ok_or_else(|| format!("{key}: {value} is not true or false"))?,
                "submit_batch" => settings.capabilities.submit_batch = batch(key, value)?,
                "without" => settings.capabilities = without(settings.capabilities, list(key, value)?)?,
                key if keys::PACE.contains(&key) => {}
                _ => return Err(crate::unknown_key(key, &[&KEYS[..], &keys::PACE[..]].concat())),
            }
        }
        settings.capabilities.pace = Keys::of(given).pace(ALL.pace)?;
        settings.capabilities.cool_down_seconds = settings.cool_down_seconds;
        if settings.fault_every > 0 && settings.faults.is_empty() {
            return Err("fault_every: faults lists none".into());
        }
        Ok(settings)
    }
}

fn without(mut all: Capabilities, names: &[Value]) -> Result<Capabilities, String> {
    for name in names {
        match WITHOUT.iter().find(|(known, _)| name.as_str() == Some(known)) {
            Some((_, take)) => take(&mut all),
            None => {
                let known: Vec<&str> = WITHOUT.iter().map(|(known, _)| *known).collect();
                return Err(format!("without: {name} is none of {}", known.join(", ")));
            }
        }
    }
    Ok(all)
}

fn text<'a>(key: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().filter(|t| !t.is_empty()).ok_or_else(|| format!("{key}: {value} is not a name"))
}

fn number(key: &str, value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{key}: {value} is not a whole number, 0 or more"))
}

fn batch(key: &str, value: &Value) -> Result<u16, String> {
    let read = value.as_u64().filter(|n| (1..=SUBMIT_BATCH_MAX).contains(n)).and_then(|n| u16::try_from(n).ok());
    read.ok_or_else(|| format!("{key}: {value} is not a whole number, 1 to {SUBMIT_BATCH_MAX}"))
}

fn seconds(key: &str, value: &Value, min: i64) -> Result<i64, String> {
    value.as_i64().filter(|s| *s >= min).ok_or_else(|| format!("{key}: {value} is not a whole number of seconds, {min} or more"))
}

fn list<'a>(key: &str, value: &'a Value) -> Result<&'a [Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("{key}: {value} is not a list"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Settings, String> {
        Settings::read(value.as_object().expect("an object"))
    }

    #[test]
    fn every_key_is_read() {
        let all = json!({"account": "a", "lag_seconds": 1, "cool_down_seconds": 2, "token_seconds": 3, "fault_every": 4,
            "faults": ["lost"], "seed": 5, "stacks": false, "submit_batch": 6, "without": ["stop_resume"],
            "one_plan": true});
        assert_eq!(all.as_object().expect("an object").len(), KEYS.len());
        let read = read(all).expect("settings");
        assert_eq!((read.account.as_str(), read.lag_seconds, read.cool_down_seconds, read.token_seconds), ("a", 1, 2, 3));
        assert_eq!((read.fault_every, read.faults, read.seed), (4, vec![Fault::Lost], 5));
        assert!(
            !read.stacks
                && read.capabilities.one_plan
                && !read.capabilities.stop_resume
                && read.capabilities.subscribe
                && read.capabilities.submit_batch == 6
        );
    }

    #[test]
    fn errors_name_the_key() {
        let cases = [
            (json!({"lagg": 1}), "unknown key \"lagg\""),
            (json!({"account": ""}), "account: "),
            (json!({"lag_seconds": -1}), "lag_seconds: -1"),
            (json!({"cool_down_seconds": "3"}), "cool_down_seconds: \"3\""),
            (json!({"token_seconds": 0}), "token_seconds: 0"),
            (json!({"fault_every": 1.5, "faults": ["lost"]}), "fault_every: 1.5"),
            (json!({"fault_every": 2}), "fault_every: faults lists none"),
            (json!({"faults": "lost"}), "faults: \"lost\" is not a list"),
            (json!({"faults": ["fire"]}), "faults: \"fire\" is not a fault"),
            (json!({"seed": null}), "seed: null"),
            (json!({"stacks": 1}), "stacks: 1 is not true or false"),
            (json!({"one_plan": "no"}), "one_plan: \"no\" is not true or false"),
            (json!({"submit_batch": 0}), "submit_batch: 0 is not"),
            (json!({"requests_burst": 0}), "requests_burst: 0 is not"),
            (json!({"without": ["look"]}), "without: \"look\" is none of"),
        ];
        for (settings, start) in cases {
            let error = read(settings.clone()).expect_err("an error");
            assert!(error.starts_with(start), "{settings}: {error}");
        }
    }
}
