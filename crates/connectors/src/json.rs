//! Fields of carriers' answers: numbers come as texts and texts as numbers, and a blank means there is none.

use serde_json::Value;

/// A value as text; none if it is empty, blank or no single value.
pub fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A field as text.
pub fn text(row: &Value, field: &str) -> Option<String> {
    row.get(field).and_then(word)
}

/// A field as a list; one that is not there is an empty one.
pub fn list<'a>(row: &'a Value, field: &str) -> &'a [Value] {
    row.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_blank_is_nothing_and_a_number_is_a_text() {
        let row = json!({"a": " ", "b": 7, "c": "x ", "d": null, "e": [1], "f": ""});
        let read = |field| text(&row, field);
        assert_eq!((read("a"), read("b").as_deref(), read("c").as_deref(), read("d")), (None, Some("7"), Some("x"), None));
        assert_eq!((read("e"), read("f"), read("g"), list(&row, "e").len(), list(&row, "a").len()), (None, None, None, 1, 0));
    }
}
