//! Every row of every table as text: to see what an act changed, and that a refused one changed nothing.

use super::{Error, Tx};
use crate::binds;
use std::collections::BTreeMap;

impl Tx<'_> {
    /// The rows of each table, sorted, by the table's name. It reads the whole database: for tests.
    pub fn dump(&mut self) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let tables = if self.is_postgres() {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        };
        let mut found = BTreeMap::new();
        for (table,) in self.rows::<(String,)>(tables, &[])? {
            let row = if self.is_postgres() { "CAST(t AS TEXT)".to_owned() } else { self.quoted_columns(&table)? };
            let rows = self.rows_once::<(String,)>(&format!("SELECT {row} FROM \"{table}\" AS t ORDER BY 1"), &[])?;
            found.insert(table, rows.into_iter().map(|(text,)| text).collect());
        }
        Ok(found)
    }

    /// An expression that is a whole row as text.
    fn quoted_columns(&mut self, table: &str) -> Result<String, Error> {
        let columns = self.rows::<(String,)>("SELECT name FROM pragma_table_info(?)", &binds![table])?;
        let quoted: Vec<String> = columns.iter().map(|(name,)| format!("quote(t.\"{name}\")")).collect();
        Ok(quoted.join(" || ',' || "))
    }
}
