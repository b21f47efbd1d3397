//! What carriers last said of cards: where each stands, why it is stopped, whether it is connected and its device
//! switched on, as they told it and with the time it was read. What the card is with us is on its own row.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use kachi_domain::carrier::{Heard, Standing, Stop};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{SimId, Timestamp};

const COLUMNS: &str = "sim_id, base, raw, since, standing_at, stop_blocks, stop_raw, stop_words, stop_at, sessions, sessions_at,
     power, power_at";

/// What is kept of a carrier's word: the columns of [`COLUMNS`].
pub(crate) type R = (
    i64,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

/// The card, and what was said of it.
pub(crate) fn heard(r: R) -> (i64, Heard) {
    let standing = |at: i64| {
        let base = r.1.as_deref().and_then(|word| BaseState::parse(word).ok()).unwrap_or(BaseState::Unknown);
        (Standing { base, raw: r.2.clone().unwrap_or_default(), since: r.3.map(Timestamp) }, Timestamp(at))
    };
    let stop = |at: i64| {
        let (raw, words) = (r.6.clone().unwrap_or_default(), r.7.clone().unwrap_or_default());
        (Stop { blocks: Blocks(r.5.unwrap_or(0)), raw, words }, Timestamp(at))
    };
    let sessions = |at: i64| {
        let all = r.9.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        (all, Timestamp(at))
    };
    let power = |at: i64| (r.11 == Some(1), Timestamp(at));
    let (standing, stop) = (r.4.map(standing), r.8.map(stop));
    (r.0, Heard { standing, stop, sessions: r.10.map(sessions), power: r.12.map(power) })
}

impl Tx<'_> {
    /// What its carrier last said of the card.
    pub fn carrier_word(&mut self, sim: SimId) -> Result<Heard, Error> {
        Ok(self.carrier_words(&[sim.0])?.pop().map(|(_, word)| word).unwrap_or_default())
    }

    /// The same of many: (card, that); of those of which anything was said.
    pub fn carrier_words(&mut self, sims: &[i64]) -> Result<Vec<(i64, Heard)>, Error> {
        let (among, value) = self.among("sim_id", sims);
        let text = format!("SELECT {COLUMNS} FROM carrier_word WHERE {among}");
        Ok(self.rows::<R>(&text, &[value])?.into_iter().map(heard).collect())
    }

    /// Those of the cards that are stopped by their carriers' last word, each with the reasons that were read no earlier than `since`.
    pub fn told_stopped(&mut self, sims: &[SimId], since: Timestamp) -> Result<Vec<(SimId, Blocks)>, Error> {
        let (among, value) = self.among("sim_id", &sims.iter().map(|s| s.0).collect::<Vec<_>>());
        let text = format!(
            "SELECT sim_id, CASE WHEN stop_at >= ? THEN COALESCE(stop_blocks, 0) ELSE 0 END FROM carrier_word
             WHERE base = 'stopped' AND {among}"
        );
        let rows = self.rows::<(i64, i64)>(&text, &[Value::Int(Some(since.0)), value])?;
        Ok(rows.into_iter().map(|(sim, reasons)| (SimId(sim), Blocks(reasons))).collect())
    }

    /// Keeps what their carriers last said of cards, each once.
    pub fn put_carrier_words(&mut self, words: &[(SimId, Heard)]) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        let columns = [
            Int("sim_id"),
            Text("base"),
            Text("raw"),
            Int("since"),
            Int("standing_at"),
            Int("stop_blocks"),
            Text("stop_raw"),
            Text("stop_words"),
            Int("stop_at"),
            Text("sessions"),
            Int("sessions_at"),
            Int("power"),
            Int("power_at"),
        ];
        let mut rows = Vec::with_capacity(words.len());
        for (sim, word) in words {
            let (standing, stop) = (word.standing.as_ref(), word.stop.as_ref());
            let sessions = word.sessions.as_ref().map(|(all, _)| serde_json::to_string(all)).transpose();
            let sessions = sessions.map_err(|e| Error::Engine(e.to_string()))?;
            let mut row: Vec<Value<'_>> = Vec::with_capacity(columns.len());
            row.extend(binds![
                sim.0,
                standing.map(|(s, _)| s.base.word()),
                standing.map(|(s, _)| s.raw.as_str()),
                standing.and_then(|(s, _)| s.since).map(|t| t.0),
                standing.map(|(_, at)| at.0),
                stop.map(|(s, _)| s.blocks.0),
                stop.map(|(s, _)| s.raw.as_str()),
                stop.map(|(s, _)| s.words.as_str()),
                stop.map(|(_, at)| at.0)
            ]);
            row.push(sessions.map_or(Value::Text(None), Value::Owned));
            row.push(word.sessions.as_ref().map(|(_, at)| at.0).into());
            row.push(word.power.map(|(is_on, _)| i64::from(is_on)).into());
            row.push(word.power.map(|(_, at)| at.0).into());
            rows.push(row);
        }
        let newer = "ON CONFLICT (sim_id) DO UPDATE SET base = excluded.base, raw = excluded.raw, since = excluded.since,
             standing_at = excluded.standing_at, stop_blocks = excluded.stop_blocks, stop_raw = excluded.stop_raw,
             stop_words = excluded.stop_words, stop_at = excluded.stop_at, sessions = excluded.sessions,
             sessions_at = excluded.sessions_at, power = excluded.power, power_at = excluded.power_at";
        self.add_rows("carrier_word", &columns, &rows, newer)?;
        Ok(())
    }

    /// The same of one card.
    pub fn put_carrier_word(&mut self, sim: SimId, word: &Heard) -> Result<(), Error> {
        self.put_carrier_words(&[(sim, word.clone())])
    }

    /// What was said of the card no longer holds: something was done since.
    pub fn forget_carrier_word(&mut self, sim: SimId) -> Result<(), Error> {
        self.run("DELETE FROM carrier_word WHERE sim_id = ?", &binds![sim.0])?;
        Ok(())
    }
}
