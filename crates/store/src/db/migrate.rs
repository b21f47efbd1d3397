//! The schema's steps, compiled in, each run once; those that a database lacks in one transaction. A database that is newer
//! than the program is refused.

use super::{Conn, Error, Raw, Tx};
use std::fmt;

/// (number, SQLite, PostgreSQL).
type Step = (i64, &'static str, &'static str);

macro_rules! step {
    ($number:literal, $file:literal) => {
        (
            $number,
            include_str!(concat!("../../../../migrations/sqlite/", $file)),
            include_str!(concat!("../../../../migrations/postgres/", $file)),
        )
    };
}

const STEPS: &[Step] = &[
    step!(1, "0001_spine.sql"),
    step!(2, "0002_batches.sql"),
    step!(3, "0003_imei_groups.sql"),
    step!(4, "0004_goods.sql"),
    step!(5, "0005_imei_removed.sql"),
    step!(6, "0006_pools.sql"),
    step!(7, "0007_lists.sql"),
    step!(8, "0008_cdr_delivery.sql"),
    step!(9, "0009_acts.sql"),
    step!(10, "0010_file_rounds.sql"),
    step!(11, "0011_transfers.sql"),
    step!(12, "0012_devices.sql"),
    step!(13, "0013_part_lists.sql"),
    step!(14, "0014_renewals.sql"),
    step!(15, "0015_cardboss.sql"),
    step!(16, "0016_asked_by.sql"),
    step!(17, "0017_goods_prices.sql"),
    step!(18, "0018_withdrawals.sql"),
    step!(19, "0019_card_acts.sql"),
    step!(20, "0020_sms_reports.sql"),
    step!(21, "0021_sync.sql"),
    step!(22, "0022_carrier_words.sql"),
    step!(23, "0023_switches.sql"),
    step!(24, "0024_stakes.sql"),
    step!(25, "0025_imei_unlocks.sql"),
    step!(26, "0026_used_at.sql"),
    step!(27, "0027_data_warnings.sql"),
    step!(28, "0028_upstream.sql"),
    step!(29, "0029_speed.sql"),
    step!(30, "0030_claims.sql"),
    step!(31, "0031_endpoints.sql"),
    step!(32, "0032_money_acts.sql"),
    step!(33, "0033_platform_lanes.sql"),
    step!(34, "0034_matters.sql"),
    step!(35, "0035_sim_moves.sql"),
    step!(36, "0036_owed.sql"),
    step!(37, "0037_rating_lanes.sql"),
    step!(38, "0038_power.sql"),
    step!(39, "0039_reasons.sql"),
    step!(40, "0040_watched.sql"),
    step!(41, "0041_voice_at_moves.sql"),
    step!(42, "0042_arrears_and_profits.sql"),
    step!(43, "0043_arrears_walk.sql"),
    step!(44, "0044_carrier_code.sql"),
    step!(45, "0045_arrears_turns.sql"),
    step!(46, "0046_ahead.sql"),
    step!(47, "0047_orders_at_one_place.sql"),
    step!(48, "0048_pending.sql"),
    step!(49, "0049_who_and_when_of_money.sql"),
    step!(50, "0050_beside_data.sql"),
    step!(51, "0051_used_up_warnings.sql"),
    step!(52, "0052_support.sql"),
    step!(53, "0053_activation_owed.sql"),
    step!(54, "0054_zones.sql"),
    step!(55, "0055_request_keys.sql"),
];

/// Why the database could not be opened.
#[derive(Debug)]
pub enum MigrateError {
    /// It was written by a newer program.
    Newer {
        /// Its schema.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The engine's own words.
    Engine(Error),
}

impl fmt::Display for MigrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MigrateError::Newer { found, known } => {
                write!(f, "the database has schema {found} and this program knows up to {known}")
            }
            MigrateError::Engine(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for MigrateError {}

impl From<Error> for MigrateError {
    fn from(e: Error) -> MigrateError {
        MigrateError::Engine(e)
    }
}

/// The numbers of the schema that was found (0: none) and of the one that is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// What was found.
    pub found: i64,
    /// What is there now.
    pub now: i64,
}

pub(super) fn run(conn: &mut Conn) -> Result<Schema, MigrateError> {
    let postgres = matches!(conn.raw, Raw::Pg(_));
    if postgres {
        // Two nodes that start together must not both migrate.
        conn.batch("SELECT pg_advisory_lock(731948)")?;
    }
    let result = run_steps(conn, postgres);
    if postgres {
        conn.batch("SELECT pg_advisory_unlock(731948)")?;
    }
    result
}

fn run_steps(conn: &mut Conn, postgres: bool) -> Result<Schema, MigrateError> {
    let known = STEPS.last().map_or(0, |s| s.0);
    let found = if is_made(conn)? { last_step(conn)? } else { 0 };
    if found > known {
        return Err(MigrateError::Newer { found, known });
    }
    let schema = Schema { found, now: known };
    if found == known {
        return Ok(schema);
    }
    // An upgrade is whole, or it was not begun.
    conn.batch(if postgres { "BEGIN" } else { "BEGIN IMMEDIATE" })?;
    let done = take_steps(conn, postgres).and_then(|()| conn.batch("COMMIT"));
    if done.is_err() {
        let _ = conn.batch("ROLLBACK");
    }
    done?;
    Ok(schema)
}

/// Whether it is a database of ours.
pub(super) fn is_made(conn: &mut Conn) -> Result<bool, Error> {
    let mut tx = Tx { conn };
    let text = if tx.is_postgres() {
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_step'"
    } else {
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_step'"
    };
    Ok(tx.row::<(i64,)>(text, &[])?.is_some_and(|r| r.0 > 0))
}

/// Takes the steps that are missing now that nobody else can take them.
fn take_steps(conn: &mut Conn, postgres: bool) -> Result<(), Error> {
    conn.batch("CREATE TABLE IF NOT EXISTS schema_step (number BIGINT PRIMARY KEY)")?;
    let found = last_step(conn)?;
    for (number, sqlite, pg) in STEPS.iter().filter(|s| s.0 > found) {
        conn.batch(if postgres { pg } else { sqlite })?;
        conn.batch(&format!("INSERT INTO schema_step VALUES ({number})"))?;
    }
    Ok(())
}

fn last_step(conn: &mut Conn) -> Result<i64, Error> {
    Ok(Tx { conn }.row::<(i64,)>("SELECT COALESCE(MAX(number), 0) FROM schema_step", &[])?.map_or(0, |r| r.0))
}
