//! The table of what each connector can do (`docs/carriers.md`) is what they say themselves.

use super::*;
use kachi_connectors::NAMES;
use kachi_domain::carrier::{Batches, Capabilities};

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

fn yes(can: bool) -> String {
    if can { "yes" } else { "" }.to_owned()
}

fn many(cards: u16) -> String {
    if cards > 0 { format!("{cards} cards") } else { String::new() }
}

/// The rows of the table, with what a connector says to each. Everything that it can say is named here: what is new does not compile
/// before it has its row, or its reason why it has none.
fn rows(can: Capabilities) -> Vec<(&'static str, String)> {
    let Capabilities {
        subscribe,
        unsubscribe,
        stop_resume,
        activate,
        end_test,
        data_switch,
        functions,
        speed,
        one_plan: _, // how data and speed go together: said in words below the table
        voice_list,
        session_reset,
        network,
        usage: _, // that its counters can be asked for anew: which it tells is in the rows of the facts
        sms,
        phone_sms,
        look: _,  // how a write is settled, which the operator is not asked about
        shows: _, // the same
        by_hand,
        login: _, // that it is logged in to
        changes,
        callbacks,
        facts,
        batches,
        submit_batch,
        cool_down_seconds,
        cycle,
        pace: _, // a setting, of every platform
    } = can;
    let Batches { state, day, month } = batches;
    let tells = |fact: Fact| {
        let row = match fact {
            Fact::Numbers => "Tells: numbers",
            Fact::State => "Tells: state",
            Fact::StopReason => "Tells: stop reason",
            Fact::Session => "Tells: session",
            Fact::Power => "Tells: device switched on",
            Fact::Imei => "Tells: IMEI",
            Fact::Apns => "Tells: access points",
            Fact::Month => "Tells: the month's data",
            Fact::Day => "Tells: today's data",
            Fact::Counter => "Tells: data in all",
            Fact::Packages => "Tells: packages",
            Fact::Network => "Tells: network",
            Fact::Voice => "Tells: minutes spoken",
        };
        (row, yes(facts.has(fact)))
    };
    let first_day = if by_hand { String::new() } else { cycle.first_day.to_string() };
    let seconds = if cool_down_seconds > 0 { cool_down_seconds.to_string() } else { String::new() };
    let acts = [
        ("Activates packages", yes(subscribe)),
        ("Takes packages back", yes(unsubscribe)),
        ("Stops and resumes", yes(stop_resume)),
        ("Activates cards", yes(activate)),
        ("Ends test periods", yes(end_test)),
        ("Data off and on", yes(data_switch)),
        ("Messages and voice off and on", yes(functions)),
        ("Limits speed", yes(speed)),
        ("List of numbers for calls", yes(voice_list)),
        ("Cuts sessions", yes(session_reset)),
        ("Another network", yes(network)),
        ("Messages to devices", yes(sms)),
        ("Messages to telephones", yes(phone_sms)),
        ("Many stops or resumes at once", many(submit_batch)),
    ];
    let rest = [
        ("States of many cards", many(state)),
        ("Days of many cards", many(day)),
        ("Months of many cards", many(month)),
        ("Tells what changed", yes(changes)),
        ("Tells things by itself", yes(callbacks)),
        ("Months begin on the", first_day),
        ("Seconds between writes to a card", seconds),
    ];
    acts.into_iter().chain(Fact::ALL.map(tells)).chain(rest).collect()
}

fn table() -> String {
    // The virtual carrier can be made to do anything, and says nothing of any other.
    let names: Vec<&str> = NAMES.iter().copied().filter(|name| *name != "sandbox").collect();
    let all: Vec<Both> = names.iter().map(|name| both(name)).collect();
    let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (n, (row, _)) in rows(Capabilities::default()).into_iter().enumerate() {
        let cell = |both: &Both| {
            let (least, most) = (rows(both.least).swap_remove(n).1, rows(both.most).swap_remove(n).1);
            if least == most {
                return if most.is_empty() { "–".to_owned() } else { most };
            }
            let key = both.by.iter().find(|(what, _)| *what == row).map(|(_, key)| *key);
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
