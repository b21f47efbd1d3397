//! `kachi import sims`: cards from a CSV file, a thousand in one transaction; bad lines beside the file.
//!
//! A known card is changed where the file says something and stays as it is where a cell is empty. Its state is never changed: where the
//! file has another, that is told with its line, and is no fault of it, for a card lives on after the file was written. Stop it anywhere
//! and start it again: what is in is found the same.

mod lines;

use crate::args::ImportSims;
use crate::config::Config;
use crate::exit::Exit;
use crate::import::{platform, readable, there_are};
use crate::{open, print};
use csv::{ByteRecord, StringRecord};
use kachi_domain::account::Path as Tree;
use kachi_domain::ids::{Eid, Imsi, Msisdn};
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Iccid, ProductId};
use kachi_edges::files::bad_path;
use kachi_engine::sims::{self, Arrivals, Put};
use kachi_engine::{Engine, Fail, import};
use lines::Lines;
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;

/// Cards in one transaction.
const BATCH: usize = 1_000;
/// Bytes of a usual line.
const LINE_BYTES: usize = 256;
/// Cards that keep another state than the file has for them, told one by one; the rest are counted.
const KEPT_SHOWN: usize = 20;
const COLUMNS: [&str; 9] = ["iccid", "imsi", "msisdn", "eid", "state", "alias", "group", "remark", "real_name"];

/// What a line says of a card; nothing where the cell is empty.
#[derive(Debug, Clone)]
struct Row {
    line: u64,
    text: String,
    iccid: Iccid,
    imsi: Option<String>,
    msisdn: Option<String>,
    eid: Option<String>,
    state: Option<BaseState>,
    alias: Option<String>,
    group: Option<String>,
    remark: Option<String>,
    real_name: Option<bool>,
}

/// A line that was not loaded.
struct Bad {
    line: u64,
    reason: String,
    text: String,
}

/// A known card that keeps its state, though the file has another for it.
struct Kept {
    line: u64,
    iccid: Iccid,
    state: BaseState,
    wanted: BaseState,
}

impl Kept {
    /// What makes the card what the file says, if anything does.
    fn remedy(&self) -> &'static str {
        match (self.state, self.wanted) {
            (BaseState::Closed | BaseState::Replaced, _) => "its life here is over, which nothing undoes",
            (_, BaseState::PreClosed | BaseState::Closed | BaseState::Replaced) => {
                "`kachi admin sim close` closes it, if its life here is over"
            }
            (_, BaseState::Stopped) => "`kachi admin sim stop` stops it",
            (_, BaseState::Active) => "`kachi admin sim resume` lets it on, or activates one that was never on",
            _ => "its carrier's word and its packages move it on, and no command does",
        }
    }

    fn sentence(&self) -> String {
        let Kept { iccid, state, wanted, .. } = self;
        format!("{iccid} is known as {}; {} is not taken over: {}", state.word(), wanted.word(), self.remedy())
    }

    fn json(&self) -> Value {
        let Kept { line, iccid, state, wanted } = self;
        json!({"line": line, "iccid": iccid.as_str(), "state": state.word(), "not_taken_over": wanted.word(), "remedy": self.remedy()})
    }
}

#[derive(Default)]
struct Counts {
    loaded: usize,
    changed: usize,
    duplicate: usize,
    luhn: usize,
    kept: Vec<Kept>,
}

/// Takes in the file. Bad lines make the exit code 1: the good ones are in.
pub fn run(config: &Config, args: &ImportSims) -> Result<(), Exit> {
    let mut reader = reader(&args.file)?;
    let columns = header(&args.file, &mut reader)?;
    let engine = &open::engine(config)?;
    let (account, product) = owner(engine, args)?;
    let (mut counts, mut bad, mut batch) = (Counts::default(), Vec::new(), Vec::new());
    while let Some((line, record)) = next(&mut reader) {
        match record.and_then(|record| text(record, line)).and_then(|record| row(&record, line, &columns)) {
            Ok(row) => batch.push(row),
            Err(b) => bad.push(b),
        }
        if batch.len() == BATCH {
            load(engine, (account, product), std::mem::take(&mut batch), &mut counts, &mut bad)?;
        }
    }
    load(engine, (account, product), batch, &mut counts, &mut bad)?;
    // Usage that waited for the new cards and was too much for their own transactions.
    while import::adopt_stragglers(engine)? > 0 {}
    report(args, &counts, bad)
}

fn owner(engine: &Engine, args: &ImportSims) -> Result<(AccountId, ProductId), Exit> {
    let platform = platform(engine, &args.platform)?;
    let catalogue = engine.catalogue()?;
    let code = args.account.as_deref().unwrap_or(crate::open::OPERATOR_CODE);
    let account = catalogue
        .account_by_code(code)
        .ok_or_else(|| Exit::refused(format!("--account: there is no account {code}: `kachi apply` makes accounts")))?;
    let products = engine.read(|tx, _| Ok(tx.products()?))?;
    let fitting: Vec<_> = products.iter().filter(|p| p.platform == platform).collect();
    let codes: Vec<&str> = fitting.iter().map(|p| p.code.as_str()).collect();
    let product = match (&args.product, fitting.as_slice()) {
        (Some(code), _) => fitting.iter().find(|p| p.code == *code).ok_or_else(|| {
            Exit::refused(format!("--product: platform {} has no product {code}; {}", args.platform, there_are(&codes)))
        })?,
        (None, [only]) => only,
        (None, _) => {
            return Err(Exit::usage(format!("--product: say which product the cards are; {}", there_are(&codes))));
        }
    };
    Ok((account.account.id, product.id))
}

fn reader(file: &Path) -> Result<csv::Reader<Lines<File>>, Exit> {
    readable(file)?;
    let is_sheet = file.extension().is_some_and(|e| ["xlsx", "xls"].iter().any(|s| e.eq_ignore_ascii_case(s)));
    if is_sheet {
        return Err(Exit::refused(format!(
            "{}: this version reads CSV only: save the sheet as CSV (UTF-8) and import that",
            file.display()
        )));
    }
    let opened = File::open(file).and_then(Lines::new);
    let lines = opened.map_err(|e| Exit::refused(format!("{}: cannot be read ({e})", file.display())))?;
    // A spreadsheet's blanks around a cell mean nothing.
    Ok(csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(lines))
}

/// For each column of the file, which of ours it is.
fn header(file: &Path, reader: &mut csv::Reader<Lines<File>>) -> Result<Vec<usize>, Exit> {
    let place = reader.byte_headers().ok().and_then(|header| header.position().cloned());
    let line = place.map_or(1, |place| reader.get_mut().number(&place));
    let refuse = |words: String| Exit::refused(format!("{}:{line}: {words}", file.display()));
    let header = reader.headers().map_err(|e| refuse(format!("the header cannot be read ({e})")))?;
    let mut columns = Vec::new();
    for name in header {
        let known = COLUMNS.iter().position(|c| c.eq_ignore_ascii_case(name));
        let column = known.ok_or_else(|| refuse(format!("there is no column \"{name}\"; there are {}", COLUMNS.join(","))))?;
        if columns.contains(&column) {
            return Err(refuse(format!("the column \"{name}\" stands twice")));
        }
        columns.push(column);
    }
    if !columns.contains(&0) {
        return Err(refuse(format!("the header has no column iccid; it names some of {}", COLUMNS.join(","))));
    }
    Ok(columns)
}

/// The next line that is not blank, with its number.
fn next(reader: &mut csv::Reader<Lines<File>>) -> Option<(u64, Result<ByteRecord, Bad>)> {
    let mut record = ByteRecord::new();
    let read = reader.read_byte_record(&mut record);
    let line = record.position().map_or(0, |place| reader.get_mut().number(place));
    match read {
        Ok(false) => None,
        Ok(true) => Some((line, Ok(record))),
        Err(e) => Some((line, Err(Bad { line, reason: format!("cannot be read: {e}"), text: String::new() }))),
    }
}

/// A line as text.
fn text(record: ByteRecord, line: u64) -> Result<StringRecord, Bad> {
    StringRecord::from_byte_record(record).map_err(|e| Bad {
        line,
        reason: "is not UTF-8: save the sheet as CSV (UTF-8)".to_owned(),
        text: written(e.into_byte_record().iter()),
    })
}

/// The cells as a line that can be read again once it is put right.
fn written(cells: impl Iterator<Item = impl AsRef<[u8]>>) -> String {
    let mut out = csv::WriterBuilder::new().buffer_capacity(LINE_BYTES).from_writer(Vec::new());
    let line = out.write_record(cells).ok().and_then(|()| out.into_inner().ok()).unwrap_or_default();
    String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned()
}

fn row(record: &StringRecord, line: u64, columns: &[usize]) -> Result<Row, Bad> {
    let text = written(record.iter());
    read(record, columns, line, &text).map_err(|reason| Bad { line, reason, text })
}

fn read(record: &StringRecord, columns: &[usize], line: u64, text: &str) -> Result<Row, String> {
    if record.len() > columns.len() {
        let (found, named) = (record.len(), columns.len());
        return Err(format!(
            "has {found} columns, the header {named}: take out the comma that is too many, or put its value in double quotes"
        ));
    }
    let mut cells: [Option<String>; COLUMNS.len()] = Default::default();
    for (cell, column) in record.iter().zip(columns) {
        cells[*column] = Some(cell.to_owned()).filter(|c| !c.is_empty());
    }
    let [iccid, imsi, msisdn, eid, state, alias, group, remark, real_name] = cells;
    macro_rules! number {
        ($type:ty, $cell:expr) => {
            $cell
                .map(|t| <$type>::parse(&t).map(|n| n.as_str().to_owned()).map_err(|e| format!("{e}, not \"{t}\"")))
                .transpose()?
        };
    }
    let iccid = iccid.ok_or("iccid: is empty")?;
    Ok(Row {
        line,
        text: text.to_owned(),
        iccid: Iccid::parse(&iccid).map_err(|e| format!("{e}, not \"{iccid}\""))?,
        imsi: number!(Imsi, imsi),
        msisdn: number!(Msisdn, msisdn),
        eid: number!(Eid, eid),
        state: state.map(|t| BaseState::parse(&t).map_err(|e| format!("state: {e}"))).transpose()?,
        alias,
        group,
        remark,
        real_name: real_name.map(|t| yes(&t)).transpose()?,
    })
}

fn yes(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!("real_name: \"{text}\" is not one of true, false")),
    }
}

/// Loads rows in one transaction; a refused row is bad and holds nothing back.
fn load(
    engine: &Engine,
    (account, product): (AccountId, ProductId),
    rows: Vec<Row>,
    counts: &mut Counts,
    bad: &mut Vec<Bad>,
) -> Result<(), Exit> {
    counts.luhn += rows.iter().filter(|r| !r.iccid.luhn_ok()).count();
    let outcomes = engine.write(move |tx, catalogue, how| {
        let (mut outcomes, mut arrivals) = (Vec::with_capacity(rows.len()), Arrivals::default());
        for row in rows {
            let there = tx.sim_by_iccid(&Tree::root(), row.iccid.as_str())?;
            let is_new = there.is_none();
            let kept = there.as_ref().and_then(|there| keeps(&row, &there.state));
            let base = there.unwrap_or_else(|| sims::blank(&row.iccid, account, product));
            let wanted = kachi_store::sims::Sim {
                account,
                product,
                imsi: row.imsi.or(base.imsi),
                msisdn: row.msisdn.or(base.msisdn),
                eid: row.eid.or(base.eid),
                state: row.state.filter(|_| is_new).map_or(base.state, |s| s.word().to_owned()),
                alias: row.alias.unwrap_or(base.alias),
                group: row.group.unwrap_or(base.group),
                remark: row.remark.unwrap_or(base.remark),
                real_name: row.real_name.unwrap_or(base.real_name),
                ..base
            };
            match arrivals.put(tx, catalogue, how, &wanted) {
                Ok(put) => outcomes.push(Ok((put, kept))),
                Err(Fail::Refused(r)) => outcomes.push(Err(Bad { line: row.line, reason: r.to_string(), text: row.text })),
                Err(other) => return Err(other),
            }
        }
        arrivals.settle(tx, catalogue, how)?;
        Ok(outcomes)
    })?;
    for outcome in outcomes {
        match outcome {
            Ok((put, kept)) => {
                counts.kept.extend(kept);
                match put {
                    Put::Added(_) => counts.loaded += 1,
                    Put::Changed(_) => counts.changed += 1,
                    Put::Same(_) => counts.duplicate += 1,
                }
            }
            Err(b) => bad.push(b),
        }
    }
    Ok(())
}

/// What the row would have the card be, where that is something else than it is.
fn keeps(row: &Row, state: &str) -> Option<Kept> {
    let state = BaseState::parse(state).unwrap_or(BaseState::Unknown);
    let wanted = row.state.filter(|wanted| *wanted != state)?;
    Some(Kept { line: row.line, iccid: row.iccid.clone(), state, wanted })
}

fn report(args: &ImportSims, counts: &Counts, mut bad: Vec<Bad>) -> Result<(), Exit> {
    bad.sort_by_key(|b| b.line);
    let path = bad_path(&args.file);
    let written = if bad.is_empty() { Ok(()) } else { write_bad(&path, &bad) };
    if counts.luhn > 0 {
        eprintln!("kachi: {} ICCIDs fail the Luhn check; they are in, but look whether digits were lost", counts.luhn);
    }
    let name = args.file.display();
    for kept in counts.kept.iter().take(KEPT_SHOWN) {
        eprintln!("kachi: {name}:{}: {}", kept.line, kept.sentence());
    }
    if counts.kept.len() > KEPT_SHOWN {
        eprintln!("kachi: {name}: {} more cards keep their state; --json tells them all", counts.kept.len() - KEPT_SHOWN);
    }
    if args.json {
        print::json(&json!({
            "file": name.to_string(), "loaded": counts.loaded, "changed": counts.changed,
            "duplicate": counts.duplicate, "bad": bad.len(),
            "states_kept": counts.kept.iter().map(Kept::json).collect::<Vec<_>>(),
        }))?;
    } else {
        let Counts { loaded, changed, duplicate, kept, .. } = counts;
        let is_written = !bad.is_empty() && written.is_ok();
        let rest = if is_written { format!("; the lines not loaded are in {}", path.display()) } else { String::new() };
        let kept = if kept.is_empty() { String::new() } else { format!(", states kept {}", kept.len()) };
        print::line(format_args!(
            "{name}: loaded {loaded}, changed {changed}, duplicate {duplicate}, bad {}{kept}{rest}",
            bad.len()
        ))?;
    }
    written?;
    if bad.is_empty() { Ok(()) } else { Err(Exit::finding()) }
}

fn write_bad(path: &Path, bad: &[Bad]) -> Result<(), Exit> {
    let cannot = |e: csv::Error| {
        Exit::cannot(format!(
            "{}: cannot be written ({e}); the good lines are in: make room for it and import the file again, nothing is taken twice",
            path.display()
        ))
    };
    let mut out = csv::Writer::from_path(path).map_err(cannot)?;
    out.write_record(["line", "fate", "reason", "text"]).map_err(cannot)?;
    for b in bad {
        out.write_record([&b.line.to_string(), "bad", &b.reason, &b.text]).map_err(cannot)?;
    }
    out.flush().map_err(|e| cannot(e.into()))
}
