//! The table of what each connector can do (`docs/carriers.md`) is what they say themselves.

use super::*;
use kachi_connectors::NAMES;
use kachi_domain::carrier::Capabilities;

/// A connector with what it needs alone, and with everything that makes it do more; `by` says which key is for what.
struct Both {
    least: Capabilities,
    most: Capabilities,
    by: &'static [(&'static str, &'static str)],
}

fn both(name: &str) -> Both {
    let far = json!("http://127.0.0.1:9");
    let (least, more, by): (Value, Value, &'static [(&str, &str)]) = match name {
        "onelink" => (
            json!({"appid": "1", "password": "p"}),
            json!({"main_offer": "1", "voice_param": "x", "sms_action": "x"}),
            &[
                ("Activates packages", "main_offer"),
                ("List of numbers for calls", "voice_param"),
                ("Messages to devices", "sms_action"),
            ],
        ),
        "ctwing" => (json!({"app_key": "a", "secret_key": "SECRET123", "cust_number": "C1"}), json!({}), &[]),
        "telecom_des" => (json!({"user_id": "u", "password": "p", "key": "k1ak2bk3c"}), json!({}), &[]),
        "unicom" => (
            json!({"app_id": "a", "app_secret": "s", "open_id": "o"}),
            json!({"nac_on": "1", "nac_off": "2", "nac_speeds": "128=3"}),
            &[("Data off and on", "nac_off"), ("Limits speed", "nac_speeds"), ("Tells: access points", "nac_off")],
        ),
        "jasper" => (
            json!({"username": "u", "api_key": "k"}),
            json!({"plan_on": "1", "plan_off": "2", "plan_speeds": "128=3", "push_secret": "s"}),
            &[
                ("Data off and on", "plan_off"),
                ("Limits speed", "plan_speeds"),
                ("Tells: access points", "plan_off"),
                ("Tells things by itself", "push_secret"),
            ],
        ),
        "eiotclub" => (json!({"appkey": "a", "secret": "s", "url": far}), json!({}), &[]),
        "cardboss" => (json!({"sid": "s", "apikey": "k", "url": far, "direct_url": far}), json!({}), &[]),
        _ => (json!({}), json!({}), &[]),
    };
    let addresses = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
    let can = |settings: &Value| {
        let opened = open(name, settings, &sandbox::World::default(), &addresses);
        opened.unwrap_or_else(|e| panic!("{name}: {e}")).capabilities()
    };
    let mut all = least.clone();
    all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    Both { least: can(&least), most: can(&all), by }
}

/// What a row of the table asks of a connector.
type Row = (&'static str, fn(&Capabilities) -> String);

fn yes(can: bool) -> String {
    if can { "yes" } else { "" }.to_owned()
}

fn many(cards: u16) -> String {
    if cards > 0 { format!("{cards} cards") } else { String::new() }
}

const ROWS: &[Row] = &[
    ("Activates packages", |c| yes(c.subscribe)),
    ("Takes packages back", |c| yes(c.unsubscribe)),
    ("Stops and resumes", |c| yes(c.stop_resume)),
    ("Activates cards", |c| yes(c.activate)),
    ("Ends test periods", |c| yes(c.end_test)),
    ("Data off and on", |c| yes(c.data_switch)),
    ("Messages and voice off and on", |c| yes(c.functions)),
    ("Limits speed", |c| yes(c.speed)),
    ("List of numbers for calls", |c| yes(c.voice_list)),
    ("Cuts sessions", |c| yes(c.session_reset)),
    ("Another network", |c| yes(c.network)),
    ("Messages to devices", |c| yes(c.sms)),
    ("Messages to telephones", |c| yes(c.phone_sms)),
    ("Many stops or resumes at once", |c| many(c.submit_batch)),
    ("Tells: numbers", |c| yes(c.facts.has(Fact::Numbers))),
    ("Tells: state", |c| yes(c.facts.has(Fact::State))),
    ("Tells: stop reason", |c| yes(c.facts.has(Fact::StopReason))),
    ("Tells: session", |c| yes(c.facts.has(Fact::Session))),
    ("Tells: device switched on", |c| yes(c.facts.has(Fact::Power))),
    ("Tells: IMEI", |c| yes(c.facts.has(Fact::Imei))),
    ("Tells: access points", |c| yes(c.facts.has(Fact::Apns))),
    ("Tells: the month's data", |c| yes(c.facts.has(Fact::Month))),
    ("Tells: today's data", |c| yes(c.facts.has(Fact::Day))),
    ("Tells: data in all", |c| yes(c.facts.has(Fact::Counter))),
    ("Tells: packages", |c| yes(c.facts.has(Fact::Packages))),
    ("Tells: network", |c| yes(c.facts.has(Fact::Network))),
    ("Tells: minutes spoken", |c| yes(c.facts.has(Fact::Voice))),
    ("States of many cards", |c| many(c.batches.state)),
    ("Days of many cards", |c| many(c.batches.day)),
    ("Months of many cards", |c| many(c.batches.month)),
    ("Tells what changed", |c| yes(c.changes)),
    ("Tells things by itself", |c| yes(c.callbacks)),
    ("Months begin on the", |c| if c.by_hand { String::new() } else { c.cycle.first_day.to_string() }),
    (
        "Seconds between writes to a card",
        |c| if c.cool_down_seconds > 0 { c.cool_down_seconds.to_string() } else { String::new() },
    ),
];

fn table() -> String {
    // The virtual carrier can be made to do anything, and says nothing of any other.
    let names: Vec<&str> = NAMES.iter().copied().filter(|name| *name != "sandbox").collect();
    let all: Vec<Both> = names.iter().map(|name| both(name)).collect();
    let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (row, of) in ROWS {
        let cell = |both: &Both| {
            let (least, most) = (of(&both.least), of(&both.most));
            if least == most {
                return if most.is_empty() { "–".to_owned() } else { most };
            }
            let key = both.by.iter().find(|(what, _)| what == row).map(|(_, key)| *key);
            format!("with `{}`", key.unwrap_or_else(|| panic!("\"{row}\" hangs on a key that is not named here")))
        };
        text += &format!("| {row} | {} |\n", all.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    text
}

#[test]
fn the_table_in_the_documentation_is_what_the_connectors_say() {
    let table = table();
    let page = include_str!("../../../../docs/carriers.md");
    assert!(page.contains(&table), "docs/carriers.md must hold this table:\n{table}");
}
