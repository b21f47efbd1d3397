//! Everything in the database as text, so that before and after can be compared to the letter.

use super::{Error, Tx};
use crate::binds;

impl Tx<'_> {
    /// Every row of every table, a line each, sorted: `table: values`. Reads everything: for tests.
    pub fn whole(&mut self) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        for table in self.tables()? {
            let text = if self.is_postgres() {
                format!("SELECT CAST(t AS TEXT) FROM {table} t")
            } else {
                let columns = self.rows::<(String,)>("SELECT name FROM pragma_table_info(?) ORDER BY cid", &binds![&table])?;
                let quoted: Vec<String> = columns.into_iter().map(|(name,)| format!("quote({name})")).collect();
                format!("SELECT {} FROM {table}", quoted.join(" || ',' || "))
            };
            lines.extend(self.rows_once::<(String,)>(&text, &[])?.into_iter().map(|(values,)| format!("{table}: {values}")));
        }
        lines.sort();
        Ok(lines)
    }

    fn tables(&mut self) -> Result<Vec<String>, Error> {
        let text = if self.is_postgres() {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        };
        Ok(self.rows::<(String,)>(text, &[])?.into_iter().map(|r| r.0).collect())
    }
}
