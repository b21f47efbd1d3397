//! `kachi export journal`: the ledger of a period, posting by posting, for whoever closes a month or audits it.
//!
//! Promised: of each bucket, what it had before, every amount, and what it had then, so that the lines prove themselves; days that
//! are the same for all that is written. Not promised: that a journal is in it that is being booked while it is read.

use super::{Days, Sheet, plain};
use crate::admin;
use crate::args::ExportDays;
use crate::exit::Exit;
use kachi_domain::time::day_text;
use kachi_domain::{AccountId, Currency, Money, Timestamp};
use kachi_engine::{Catalogue, Engine};
use std::collections::BTreeMap;

/// Journals read at once.
const JOURNALS_AT_ONCE: i64 = 10_000;

const COLUMNS: [&str; 13] = [
    "journal",
    "at",
    "day",
    "account",
    "bucket",
    "currency",
    "act",
    "act_of",
    "cause",
    "amount",
    "balance",
    "value_date",
    "remark",
];

/// A bucket: whose, which, and of which currency, as the operator's have several.
type Bucket = (i64, String, String);

/// Runs the verb.
pub fn run(engine: &Engine, args: &ExportDays) -> Result<(), Exit> {
    let days = Days::of(engine, args)?;
    let mut sheet = Sheet::open(&args.target, &COLUMNS)?;
    let mut has: BTreeMap<Bucket, (i64, Currency)> = BTreeMap::new();
    let catalogue = engine.catalogue()?;
    for (account, bucket, act_of, minor) in engine.read(|tx, _| Ok(tx.posted_before(&days.accounts, days.from)?))? {
        let currency = currency_of(&catalogue, AccountId(act_of));
        has.entry((account, bucket, currency.to_string())).or_insert((0, currency)).0 += minor;
    }
    stand(&mut sheet, engine, &has, ("opening", days.from, args.between.from))?;
    let mut after = 0;
    loop {
        let (rows, last) = engine.read(|tx, _| {
            let rows = tx.posted(&days.accounts, (days.from, days.to), after, JOURNALS_AT_ONCE)?;
            Ok((rows, tx.next_journals(after, JOURNALS_AT_ONCE)?))
        })?;
        let catalogue = engine.catalogue()?;
        for row in rows {
            let currency = currency_of(&catalogue, row.act_of);
            let bucket = (row.account.0, row.bucket.clone(), currency.to_string());
            let (balance, _) = has.entry(bucket).or_insert((0, currency));
            *balance += row.minor;
            let money = |minor| Money { minor, currency }.to_decimal();
            sheet.row(&[
                row.journal.to_string(),
                admin::instant(row.at.0),
                day_text(days.zone.day(row.at)),
                admin::code(engine, row.account)?,
                row.bucket,
                currency.to_string(),
                row.name,
                admin::code(engine, row.act_of)?,
                plain(&row.cause),
                money(row.minor),
                money(*balance),
                row.value_day.map(day_text).unwrap_or_default(),
                plain(&row.remark),
            ])?;
        }
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    stand(&mut sheet, engine, &has, ("closing", days.to.min(engine.now()), args.between.to))?;
    sheet.close()
}

/// An account's money is in one currency, and what an act moves is in that of whose act it is.
fn currency_of(catalogue: &Catalogue, act_of: AccountId) -> Currency {
    catalogue.account(act_of).map_or(Currency::CNY, |a| a.account.currency)
}

/// What each bucket has at an instant.
fn stand(
    sheet: &mut Sheet,
    engine: &Engine,
    has: &BTreeMap<Bucket, (i64, Currency)>,
    (name, at, day): (&str, Timestamp, i64),
) -> Result<(), Exit> {
    for ((account, bucket, _), (minor, currency)) in has {
        let (account, balance) = (admin::code(engine, AccountId(*account))?, Money { minor: *minor, currency: *currency });
        let (at, day) = (admin::instant(at.0), day_text(day));
        let (currency, balance) = (currency.to_string(), balance.to_decimal());
        sheet.row(&["", &at, &day, &account, bucket, &currency, name, "", "", "", &balance, "", ""])?;
    }
    Ok(())
}
