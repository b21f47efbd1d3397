//! A file of the wrong shape: the place, what may stand there and what to write, told as every other refusal of a file and not in the
//! YAML reader's words. What stands there is not repeated, for it may be a secret.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Error, Segment};

/// How the reader begins what it finds wrong: a key that is not known, one that has to be there, one that stands twice; a list where a
/// text belongs, and the like; a number that is too great or too small.
const UNKNOWN: &str = "unknown field `";
const MISSING: &str = "missing field `";
const TWICE: &str = "duplicate field `";
const KIND: &str = "invalid type: ";
const VALUE: &str = "invalid value: ";
/// How what a type of ours expects begins (`serde(expecting)`).
const OWN: &str = "must be ";

/// Reads YAML; the error is one sentence.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_path_to_error::deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|e| told(&e))
}

fn told(error: &Error<serde_yaml::Error>) -> String {
    let path = error.path();
    let place = if path.iter().len() == 0 { "the file".to_owned() } else { path.to_string() };
    let whole = error.inner().to_string();
    // The reader puts its own place before its words.
    let begun = [UNKNOWN, MISSING, TWICE, KIND, VALUE, OWN].into_iter().filter_map(|begin| Some((whole.find(begin)?, begin)));
    let Some((at, begin)) = begun.min() else {
        return format!("cannot be read as YAML ({whole}); put it right there");
    };
    let words = &whole[at + begin.len()..];
    let (words, line) = words.rsplit_once(" at line ").map_or((words, None), |(words, at)| (words, at.split(' ').next()));
    let field = words.split('`').next().unwrap_or_default();
    let beside = if path.iter().len() == 0 { String::new() } else { format!("{place}.") };
    let said = match begin {
        UNKNOWN => {
            let keys: Vec<&str> = words.split('`').skip(2).step_by(2).collect();
            format!("{place}: there is no such key; leave it out, or write one of {}", keys.join(", "))
        }
        MISSING => format!("{beside}{field}: is missing; write {field}: ..."),
        TWICE => format!("{beside}{field}: stands twice; keep one"),
        OWN => format!("{place}: {OWN}{words}"),
        _ => {
            let (found, expected) = words.rsplit_once(", expected ").unwrap_or((words, "something else"));
            let key =
                path.iter().next_back().and_then(|last| if let Segment::Map { key } = last { Some(key.as_str()) } else { None });
            format!("{place}: {}", misplaced(found, expected, key))
        }
    };
    line.map_or_else(|| said.clone(), |line| format!("{said} (line {line})"))
}

/// What may stand at the key, what does, and what to write.
fn misplaced(found: &str, expected: &str, key: Option<&str>) -> String {
    let (allowed, example) = match expected {
        "a string" => ("a text", "\"...\""),
        "a boolean" => ("true or false", "true"),
        "i64" => ("a whole number of up to 18 digits", "30"),
        "u32" => ("a whole number of 0 to 4294967295", "30"),
        "u16" => ("a whole number of 0 to 65535", "22"),
        "a sequence" => ("a list", "[...]"),
        of if of == "a map" || of.starts_with("struct ") => ("keys with their values", "{...}"),
        other => (other, "that"),
    };
    let found = match found.split(' ').next().unwrap_or_default() {
        "sequence" => "a list",
        "map" => "keys with their values",
        "string" => "a text",
        "integer" => "this number",
        "floating" => "a number with a fraction",
        "boolean" => "true or false",
        _ => "nothing",
    };
    let bare = if found == "a text" && ["true", "30", "22"].contains(&example) { ", without quotes" } else { "" };
    let write = key.map_or_else(|| example.to_owned(), |key| format!("{key}: {example}"));
    format!("must be {allowed}, not {found}; write {write}{bare}")
}

#[cfg(test)]
mod tests {
    use super::super::file::Document;

    /// A file (`\n`: a line end), and what is said of it.
    const CASES: &str = r#"
        packages: [{code: A}, {code: B, price: [1, 2]}] => packages[1].price: must be a text, not a list; write price: "..." (line 1)
        packages:\n- code: A\n- code: B\n  price: {usd: 1} => packages[1].price: must be a text, not keys with their values; write price: "..." (line 4)
        packages: [{code: A, listed: "true"}] => packages[0].listed: must be true or false, not a text; write listed: true, without quotes (line 1)
        packages: [{code: A, listed: 1}] => packages[0].listed: must be true or false, not this number; write listed: true (line 1)
        packages: [{code: A, stack_max: "3"}] => packages[0].stack_max: must be a whole number of up to 18 digits, not a text; write stack_max: 30, without quotes (line 1)
        packages: [{code: A, stack_max: many}] => packages[0].stack_max: must be a whole number of up to 18 digits, not a text; write stack_max: 30, without quotes (line 1)
        packages: [{code: A, stack_max: 1.5}] => packages[0].stack_max: must be a whole number of up to 18 digits, not a number with a fraction; write stack_max: 30 (line 1)
        packages: [{code: A, stack_max: true}] => packages[0].stack_max: must be a whole number of up to 18 digits, not true or false; write stack_max: 30 (line 1)
        packages: [{code: A, stack_max: 9999999999999999999}] => packages[0].stack_max: must be a whole number of up to 18 digits, not this number; write stack_max: 30 (line 1)
        packages: [{code: A, data: [1]}] => packages[0].data: must be a size; write 100MB, or bytes as a whole number (line 1)
        packages: [{code: A, data: 1.5}] => packages[0].data: must be a size; write 100MB, or bytes as a whole number (line 1)
        packages: [A] => packages[0]: must be keys with their values, not a text; write {...} (line 1)
        packages: [null] => packages[0]: must be keys with their values, not nothing; write {...} (line 1)
        packages: {code: A} => packages: must be a list, not keys with their values; write packages: [...] (line 1)
        packages: null => packages: must be a list, not nothing; write packages: [...] (line 1)
        packages: [{code: A, prize: "1.00"}] => packages[0].prize: there is no such key; leave it out, or write one of code, name, retail_name, product, kind, category, resource, data, validity, window, price, retail_price, currency, listed, stack_max, sms, voice, start, speed, fulfil, carrier_code (line 1)
        packages: [{name: A}] => packages[0].code: is missing; write code: ... (line 1)
        packages: [{code: A, code: B}] => packages[0].code: stands twice; keep one (line 1)
        accounts: []\naccount: [] => account: there is no such key; leave it out, or write one of accounts, platforms, products, packages, sims, subscriptions, pool_types, pools, imei_groups, esim_goods, sms_templates (line 2)
        accounts: []\naccounts: [] => accounts: stands twice; keep one
        accounts: [{code: A, ip_allow: 10.0.0.0/8}] => accounts[0].ip_allow: must be a list, not a text; write ip_allow: [...] (line 1)
        accounts: [{code: A, ip_allow: [[1]]}] => accounts[0].ip_allow[0]: must be a text, not a list; write "..." (line 1)
        accounts: [{code: A, notify: "http://h/"}] => accounts[0].notify: must be keys with their values, not a text; write notify: {...} (line 1)
        accounts: [{code: A, notify: {eiotclub: [1]}}] => accounts[0].notify.eiotclub: must be a text, not a list; write eiotclub: "..." (line 1)
        accounts: [{code: A, credentials: {eiotclub: secret}}] => accounts[0].credentials.eiotclub: must be keys with their values, not a text; write eiotclub: {...} (line 1)
        accounts: [{code: A, credentials: {eiot: {}}}] => accounts[0].credentials.eiot: there is no such key; leave it out, or write one of eiotclub, cardboss (line 1)
        accounts: [{code: A, cdr_ftp: {port: 70000}}] => accounts[0].cdr_ftp.port: must be a whole number of 0 to 65535, not this number; write port: 22 (line 1)
        pool_types: [{code: A, days: -1}] => pool_types[0].days: must be a whole number of 0 to 4294967295, not this number; write days: 30 (line 1)
        pools: [{code: A, member_cap: [1]}] => pools[0].member_cap: must be a size; write 100MB, or bytes as a whole number (line 1)
        products: [{code: A, zone: {land: x}}] => products[0].zone.land: there is no such key; leave it out, or write one of name, img, countries (line 1)
        products: [{code: A, zone: {countries: [{operators: [{name: [x]}]}]}}] => products[0].zone.countries[0].operators[0].name: must be a text, not a list; write name: "..." (line 1)
        imei_groups: [{code: A, sims: [{iccid: "1", untill: "2"}]}] => imei_groups[0].sims[0]: must be an ICCID in quotes, or one with its end; write "8986...", or {iccid: "8986...", until: "2026-06-01T00:00:00Z"} (line 1)
        imei_groups: [{code: A, sims: [{iccid: "1", until: "2", since: "3"}]}] => imei_groups[0].sims[0]: must be an ICCID in quotes, or one with its end; write "8986...", or {iccid: "8986...", until: "2026-06-01T00:00:00Z"} (line 1)
        - accounts => the file: must be keys with their values, not a list; write {...}
        accounts => the file: must be keys with their values, not a text; write {...}
        accounts: [{code: A => cannot be read as YAML (did not find expected ',' or '}' at line 2 column 1, while parsing a flow mapping at line 1 column 12); put it right there
    "#;

    #[test]
    fn a_wrong_shape_is_told_by_its_place_with_what_may_stand_there_and_what_to_write() {
        let told = |(text, wanted): (&str, &str)| {
            let told = Document::parse(&text.replace("\\n", "\n")).map_or_else(|words| words, |_| "it is read".into());
            (told != wanted).then(|| format!("{text}\n  wanted {wanted}\n  told   {told}"))
        };
        let cases = CASES.trim().lines().map(|case| case.trim().split_once(" => ").expect("a case"));
        let wrong: Vec<String> = cases.filter_map(told).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn an_empty_file_and_plain_numbers_for_texts_are_read() {
        for text in ["", "# nothing yet", "packages: [{code: 1, price: 1.50, listed: null, name: ~}]", "accounts:"] {
            Document::parse(text).map(|_| ()).expect(text);
        }
    }
}
