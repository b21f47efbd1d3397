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
    /// Adds rows. `otherwise` is an `ON CONFLICT` clause or empty.
    pub(crate) fn add_rows(
        &mut self,
        table: &str,
        columns: &[Column],
        rows: &[Vec<Value<'_>>],
        otherwise: &str,
    ) -> Result<(), Error> {
        if self.is_postgres() && rows.len() > 1 {
            let text = format!("{} {otherwise}", insert_of_json(table, columns));
            for part in rows.chunks(ROWS_MAX) {
                self.run(&text, &[Value::Owned(json(columns, part)?)])?;
            }
        } else {
            let text = format!("{} {otherwise}", insert_of_values(table, columns));
            for row in rows {
                self.run(&text, row)?;
            }
        }
        Ok(())
    }

    /// Adds rows of a table that numbers them; the answer is their numbers, in the order of the rows.
    pub(crate) fn add_numbered(&mut self, table: &str, columns: &[Column], rows: &[Vec<Value<'_>>]) -> Result<Vec<i64>, Error> {
        let numbers = match rows {
            [] => Vec::new(),
            [row] if self.is_postgres() => {
                let text = format!("{} RETURNING id", insert_of_values(table, columns));
                self.rows::<(i64,)>(&text, row)?.into_iter().map(|r| r.0).collect()
            }
            many if self.is_postgres() => {
                let (text, mut numbers) = (format!("{} RETURNING id", insert_of_json(table, columns)), Vec::new());
                for part in many.chunks(ROWS_MAX) {
                    numbers.extend(self.rows::<(i64,)>(&text, &[Value::Owned(json(columns, part)?)])?.into_iter().map(|r| r.0));
                }
                // Numbers are given in the order in which rows come, whatever the order of the answer.
                numbers.sort_unstable();
                numbers
            }
            many => {
                // A row's number is the highest there is and one, and nobody else writes meanwhile. (`RETURNING` makes SQLite
                // write down, for each statement, how to undo it alone.)
                self.add_rows(table, columns, many, "")?;
                let last = self.row::<(i64,)>("SELECT last_insert_rowid()", &[])?.map_or(0, |r| r.0);
                (last + 1 - many.len() as i64..=last).collect()
            }
        };
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

fn insert_of_values(table: &str, columns: &[Column]) -> String {
    format!("INSERT INTO {table} ({}) VALUES ({})", names(columns), vec!["?"; columns.len()].join(", "))
}

/// Rows from a JSON list of objects, bound as one value (PostgreSQL).
fn insert_of_json(table: &str, columns: &[Column]) -> String {
    let (names, typed) = (names(columns), typed(columns));
    format!("INSERT INTO {table} ({names}) SELECT {names} FROM json_to_recordset(CAST(? AS JSON)) AS x({typed})")
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

#[cfg(test)]
mod tests {
    use super::Column;
    use crate::binds;
    use crate::db::sql::Value;
    use crate::db::{Error, Place, Store};

    /// SQLite tells no numbers of the rows it adds; PostgreSQL's are told by the rows themselves.
    #[test]
    fn rows_have_the_numbers_that_are_told_of_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(Place::File(folder.path().join("t.db")), 2).expect("it opens");
        store
            .write(|tx| {
                tx.conn.batch("CREATE TABLE t (id INTEGER PRIMARY KEY, n BIGINT); INSERT INTO t VALUES (7, 0)")?;
                for many in 0..=5_i64 {
                    let rows: Vec<Vec<Value<'_>>> = (1..=many).map(|n| binds![many * 100 + n].into()).collect();
                    let told = tx.add_numbered("t", &[Column::Int("n")], &rows)?;
                    let there = tx.rows::<(i64,)>("SELECT id FROM t WHERE n / 100 = ? AND n > 0 ORDER BY n", &binds![many])?;
                    assert_eq!(told, there.into_iter().map(|r| r.0).collect::<Vec<_>>(), "{many} rows");
                    // The highest one goes, and its number comes again.
                    tx.run("DELETE FROM t WHERE id = (SELECT MAX(id) FROM t)", &[])?;
                }
                Ok::<_, Error>(())
            })
            .expect("added");
    }

    #[test]
    fn every_group_of_values_is_written_once_whatever_their_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(Place::File(folder.path().join("t.db")), 2).expect("it opens");
        store
            .write(|tx| {
                tx.conn.batch("CREATE TABLE t (n BIGINT PRIMARY KEY, twice BIGINT)")?;
                for many in 0..=40 {
                    let values: Vec<Value<'_>> = (0..many).flat_map(|n| binds![n, 2 * n]).collect();
                    let added = tx.run_group("INSERT INTO t VALUES {}", "(?, ?)", many as usize, 25, &values)?;
                    let text = "SELECT COUNT(*), COALESCE(MAX(n), -1), SUM(CASE WHEN twice = 2 * n THEN 1 END) FROM t";
                    let there = tx.row::<(i64, i64, Option<i64>)>(text, &[])?;
                    assert_eq!((added, there), (many as usize, Some((many, many - 1, (many > 0).then_some(many)))));
                    tx.run("DELETE FROM t", &[])?;
                }
                Ok::<_, Error>(())
            })
            .expect("written");
    }
}
