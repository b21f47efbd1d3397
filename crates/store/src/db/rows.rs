//! Every row of every table as one JSON object: the same text on both engines, so that a database can be copied from one to
//! the other, and before and after be compared to the letter. Numbers keep all their digits; bytes are `\x` and hexadecimal
//! digits, which is how PostgreSQL writes them.

use super::sql::Statement;
use super::{Error, Raw, Tx};
use crate::binds;
use diesel::RunQueryDsl;
use diesel::sql_types::Text;
use std::collections::BTreeMap;

/// Rows that are held at once.
const PAGE: usize = 1_000;

/// A column of a table. There are integers, texts and bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// It holds texts.
    pub text: bool,
    /// It holds bytes.
    pub bytes: bool,
}

impl Tx<'_> {
    /// The names of all tables but those of the engine itself.
    pub fn tables(&mut self) -> Result<Vec<String>, Error> {
        let text = if self.is_postgres() {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        };
        let mut tables: Vec<String> = self.rows::<(String,)>(text, &[])?.into_iter().map(|r| r.0).collect();
        // Not by the engine, which may sort as people of some country do.
        tables.sort();
        Ok(tables)
    }

    /// A table's columns, by name.
    pub fn columns(&mut self, table: &str) -> Result<Vec<Named>, Error> {
        let text = if self.is_postgres() {
            "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = ?"
        } else {
            "SELECT name, type FROM pragma_table_info(?)"
        };
        let named = |(name, kind): (String, String)| {
            let is = |kinds: [&str; 2]| kinds.contains(&kind.as_str());
            Named { name, text: is(["TEXT", "text"]), bytes: is(["BLOB", "bytea"]) }
        };
        let mut columns: Vec<Named> = self.rows::<(String, String)>(text, &binds![table])?.into_iter().map(named).collect();
        columns.sort();
        Ok(columns)
    }

    /// Hands over a table's rows, some at a time, each a JSON object.
    pub(super) fn each_row<E: From<Error>>(
        &mut self,
        table: &str,
        columns: &[Named],
        mut take: impl FnMut(Vec<String>) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut self.conn.raw {
            Raw::Sqlite(conn) => {
                let text = format!("SELECT json_object({}) FROM \"{table}\"", pairs(columns));
                let rows = Statement::<(Text,)>::new(&text, &[], false).load_iter::<(String,), _>(conn).map_err(Error::from)?;
                let mut some = Vec::with_capacity(PAGE);
                for row in rows {
                    some.push(row.map_err(Error::from)?.0);
                    if some.len() == PAGE {
                        take(std::mem::replace(&mut some, Vec::with_capacity(PAGE)))?;
                    }
                }
                if some.is_empty() { Ok(()) } else { take(some) }
            }
            Raw::Pg(_) => {
                let names = list(columns);
                self.conn.batch(&format!(
                    "DECLARE every_row NO SCROLL CURSOR FOR
                     SELECT CAST(row_to_json(r) AS TEXT) FROM (SELECT {names} FROM \"{table}\") r"
                ))?;
                let fetch = format!("FETCH FORWARD {PAGE} FROM every_row");
                loop {
                    let some: Vec<String> = self.rows_once::<(String,)>(&fetch, &[])?.into_iter().map(|r| r.0).collect();
                    if some.is_empty() {
                        break;
                    }
                    take(some)?;
                }
                Ok(self.conn.batch("CLOSE every_row")?)
            }
        }
    }

    /// The rows of each table, sorted, by the table's name. It reads the whole database: for tests.
    pub fn dump(&mut self) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let mut found = BTreeMap::new();
        for table in self.tables()? {
            let (columns, mut all) = (self.columns(&table)?, Vec::new());
            self.each_row(&table, &columns, |some| {
                all.extend(some);
                Ok::<_, Error>(())
            })?;
            all.sort();
            found.insert(table, all);
        }
        Ok(found)
    }
}

/// Columns as a statement lists them.
pub(super) fn list(columns: &[Named]) -> String {
    columns.iter().map(|c| format!("\"{}\"", c.name)).collect::<Vec<_>>().join(", ")
}

/// Names and values for SQLite's `json_object`.
fn pairs(columns: &[Named]) -> String {
    let pair = |Named { name, bytes, .. }: &Named| match bytes {
        // The hexadecimal digits of null are none, but a value.
        true => format!("'{name}', CASE WHEN \"{name}\" IS NOT NULL THEN '\\x' || lower(hex(\"{name}\")) END"),
        false => format!("'{name}', \"{name}\""),
    };
    columns.iter().map(pair).collect::<Vec<_>>().join(", ")
}
