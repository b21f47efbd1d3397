//! Many rows of one table at once. On PostgreSQL, where each statement is a way to another process, they travel as JSON
//! in one statement that stays prepared for any number of rows; on SQLite each row is a prepared statement of its own,
//! which costs nothing more.

use super::sql::Value;
use super::{Error, Tx};
use std::fmt::Write;

/// A column and its type.
pub(crate) enum Column {
    /// A 64-bit integer.
    Int(&'static str),
    /// Text.
    Text(&'static str),
}

impl Column {
    fn name(&self) -> &'static str {
        match self {
            Column::Int(name) | Column::Text(name) => name,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Column::Int(_) => "BIGINT",
            Column::Text(_) => "TEXT",
        }
    }
}

/// Rows that travel in one statement at most; bounds its text.
const ROWS_MAX: usize = 1_000;

impl Tx<'_> {
    /// Adds rows and answers the `answer` column of each that was added, in the order of the rows. `otherwise` is an
    /// `ON CONFLICT` clause or empty.
    pub(crate) fn add_rows<R: super::sql::Row>(
        &mut self,
        table: &str,
        columns: &[Column],
        rows: &[Vec<Value<'_>>],
        otherwise: &str,
        answer: &str,
    ) -> Result<Vec<R>, Error> {
        let names = names(columns);
        let mut added = Vec::with_capacity(rows.len());
        if self.is_postgres() && rows.len() > 1 {
            let text = format!(
                "INSERT INTO {table} ({names}) SELECT {names} FROM json_to_recordset(CAST(? AS JSON)) AS x({}) {otherwise} RETURNING {answer}",
                typed(columns)
            );
            for part in rows.chunks(ROWS_MAX) {
                added.extend(self.rows::<R>(&text, &[Value::Owned(json(columns, part)?)])?);
            }
        } else {
            let marks = vec!["?"; columns.len()].join(", ");
            let text = format!("INSERT INTO {table} ({names}) VALUES ({marks}) {otherwise} RETURNING {answer}");
            for row in rows {
                added.extend(self.rows::<R>(&text, row)?);
            }
        }
        Ok(added)
    }

    /// Adds rows of a table that numbers them; the answer is their numbers, in the order of the rows.
    pub(crate) fn add_numbered(&mut self, table: &str, columns: &[Column], rows: &[Vec<Value<'_>>]) -> Result<Vec<i64>, Error> {
        let mut numbers: Vec<i64> = self.add_rows::<(i64,)>(table, columns, rows, "", "id")?.into_iter().map(|r| r.0).collect();
        // Numbers are given in the order in which rows come, whatever the order of the answer.
        numbers.sort_unstable();
        if numbers.len() == rows.len() { Ok(numbers) } else { Err(Error::Engine(format!("{table}: a row has no number"))) }
    }

    /// Changes rows by their key, an integer and the first of the columns, to what the other columns say.
    pub(crate) fn change_rows(&mut self, table: &str, columns: &[Column], rows: &[Vec<Value<'_>>]) -> Result<(), Error> {
        let (key, rest) = columns.split_first().expect("a key");
        let key = key.name();
        if !self.is_postgres() || rows.len() == 1 {
            let set: Vec<String> = rest.iter().map(|c| format!("{} = ?", c.name())).collect();
            let text = format!("UPDATE {table} SET {} WHERE {key} = ?", set.join(", "));
            for row in rows {
                let mut values = row[1..].to_vec();
                values.push(row[0].clone());
                self.run(&text, &values)?;
            }
            return Ok(());
        }
        let set: Vec<String> = rest.iter().map(|c| format!("{0} = x.{0}", c.name())).collect();
        // The list of keys says no more than the join, but lets the rows be found by their key whatever is known of the table.
        let text = format!(
            "UPDATE {table} t SET {} FROM json_to_recordset(CAST(? AS JSON)) AS x({}) WHERE t.{key} = x.{key} AND {}",
            set.join(", "),
            typed(columns),
            self.one_of(&format!("t.{key}"))
        );
        for part in rows.chunks(ROWS_MAX) {
            let keys = part.iter().filter_map(|row| if let Value::Int(key) = row[0] { key } else { None });
            let keys = self.list(keys);
            self.run(&text, &[Value::Owned(json(columns, part)?), Value::Owned(keys)])?;
        }
        Ok(())
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(Column::name).collect::<Vec<_>>().join(", ")
}

fn typed(columns: &[Column]) -> String {
    columns.iter().map(|c| format!("{} {}", c.name(), c.kind())).collect::<Vec<_>>().join(", ")
}

fn json(columns: &[Column], rows: &[Vec<Value<'_>>]) -> Result<String, Error> {
    let mut text = String::from("[");
    for (i, row) in rows.iter().enumerate() {
        debug_assert_eq!(row.len(), columns.len(), "a value for each column");
        for (j, (column, value)) in columns.iter().zip(row).enumerate() {
            text.push_str(match (i, j) {
                (0, 0) => "{",
                (_, 0) => ",{",
                _ => ",",
            });
            let _ = write!(text, "\"{}\":", column.name());
            match value {
                Value::Int(Some(n)) => _ = write!(text, "{n}"),
                Value::Text(Some(t)) => quoted(t, &mut text)?,
                Value::Owned(t) => quoted(t, &mut text)?,
                Value::Int(None) | Value::Text(None) => text.push_str("null"),
                Value::Blob(_) | Value::Ints(_) | Value::Blobs(_) => {
                    return Err(Error::Engine(format!("{}: neither bytes nor lists travel as JSON", column.name())));
                }
            }
        }
        text.push('}');
    }
    text.push(']');
    Ok(text)
}

fn quoted(value: &str, text: &mut String) -> Result<(), Error> {
    text.push_str(&serde_json::to_string(value).map_err(|e| Error::Engine(e.to_string()))?);
    Ok(())
}
