//! One run of `apply` inside its transaction: what it needs, what it found, how it stops.

use kachi_domain::ids::Malformed;
use kachi_domain::{Currency, Money};
use kachi_engine::Fail;
use kachi_engine::cards::Settling;
use kachi_store::Tx;
use kachi_store::accounts::Account;
use kachi_store::catalogue::{Package, Product};
use std::collections::BTreeMap;

/// Lines of one section that are printed; the rest are counted.
const LINES_MAX: usize = 40;

/// Why a run ends without changing anything.
pub enum Stop {
    /// The file asks for what cannot be; one sentence.
    Refused(String),
    /// Something below failed.
    Fault(String),
    /// It was only a try; this is what it would have done.
    Tried(Box<Outcome>),
}

impl From<kachi_store::Error> for Stop {
    fn from(e: kachi_store::Error) -> Stop {
        match e {
            kachi_store::Error::Constraint(words) => Stop::Refused(format!("the database refuses it: {words}")),
            other => Stop::Fault(other.to_string()),
        }
    }
}

impl From<Fail> for Stop {
    fn from(f: Fail) -> Stop {
        match f {
            Fail::Refused(r) => Stop::Refused(r.to_string()),
            Fail::Fault(e) => e.into(),
            Fail::Stale => Stop::Fault("the catalogue has changed meanwhile: apply again".into()),
            Fail::InHand { .. } => Stop::Fault(f.to_string()),
        }
    }
}

/// What a step of a run comes to.
pub type Step<T = ()> = Result<T, Stop>;

/// What a run did, or would do.
#[derive(Default)]
pub struct Outcome {
    sections: BTreeMap<&'static str, Section>,
    order: Vec<&'static str>,
    /// Secrets made, to be shown once.
    pub secrets: Vec<String>,
    /// What looks odd but is allowed.
    pub warnings: Vec<String>,
}

/// A field of money, in minor units: before, and after.
type Moved<'a> = (&'a str, Option<i64>, Option<i64>);

#[derive(Default)]
struct Section {
    new: usize,
    changed: usize,
    same: usize,
    lines: Vec<String>,
}

impl Outcome {
    fn section(&mut self, kind: &'static str) -> &mut Section {
        if !self.order.contains(&kind) {
            self.order.push(kind);
        }
        self.sections.entry(kind).or_default()
    }

    /// Something that was not there.
    pub fn added(&mut self, kind: &'static str, name: &str) {
        let section = self.section(kind);
        section.new += 1;
        section.lines.push(format!("+ {kind} {name}"));
    }

    /// Something that was there: changed in these fields, or the same if there are none.
    pub fn compared(&mut self, kind: &'static str, name: &str, fields: &[&str]) {
        let section = self.section(kind);
        if fields.is_empty() {
            section.same += 1;
        } else {
            section.changed += 1;
            section.lines.push(format!("~ {kind} {name}: {}", fields.join(", ")));
        }
    }

    /// The same of what has prices: those that differ with the amounts before and after, so that whoever tries a file sees them.
    pub fn priced(&mut self, kind: &'static str, name: &str, fields: &[&str], moved: &[Moved<'_>], currency: Currency) {
        let amount = |minor: Option<i64>| minor.map_or_else(|| "none".to_owned(), |m| Money { minor: m, currency }.to_decimal());
        let told = |field: &&str| match moved.iter().find(|(moves, ..)| moves == field) {
            Some((_, from, to)) => format!("{field} {} -> {} {currency}", amount(*from), amount(*to)),
            None => (*field).to_owned(),
        };
        let told: Vec<String> = fields.iter().map(told).collect();
        self.compared(kind, name, &told.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Whether anything is new or different.
    pub fn is_change(&self) -> bool {
        self.sections.values().any(|s| s.new + s.changed > 0)
    }

    /// The difference, a line each, and the counts.
    pub fn lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        for kind in &self.order {
            let section = &self.sections[kind];
            out.extend(section.lines.iter().take(LINES_MAX).cloned());
            if section.lines.len() > LINES_MAX {
                out.push(format!("  ... and {} more ({kind})", section.lines.len() - LINES_MAX));
            }
        }
        let sum = |f: fn(&Section) -> usize| self.sections.values().map(f).sum::<usize>();
        let counts = format!("+ {} new, ~ {} changed, = {} same", sum(|s| s.new), sum(|s| s.changed), sum(|s| s.same));
        out.push(if self.is_change() { counts } else { format!("nothing changed ({counts})") });
        out
    }
}

/// A run.
pub struct Work<'t, 'c> {
    /// The transaction.
    pub tx: &'t mut Tx<'c>,
    /// The present.
    pub how: Settling,
    /// The greatest account number that the files claim: numbers made lie beyond.
    pub claimed_id: i64,
    /// The file being applied, and the folder its paths start from.
    pub file: String,
    pub folder: std::path::PathBuf,
    /// What came of it so far.
    pub outcome: Outcome,
}

impl Work<'_, '_> {
    /// A refusal that names file and place; what the place ends in is not said twice.
    pub fn refuse<T>(&self, place: &str, words: impl std::fmt::Display) -> Step<T> {
        let words = words.to_string();
        let field = place.rsplit('.').next().unwrap_or(place);
        let words = words.strip_prefix(&format!("{field}: ")).unwrap_or(&words);
        Err(Stop::Refused(format!("{}: {place}: {words}", self.file)))
    }

    /// Reads a printed number; the error tells what stood there.
    pub fn number<T>(&self, place: &str, text: &str, parse: fn(&str) -> Result<T, Malformed>) -> Step<T> {
        self.at(place, parse(text).map_err(|e| format!("{e}, not \"{text}\"")))
    }

    /// Gives the engine's refusal its place.
    pub fn engine<T>(&self, place: &str, result: kachi_engine::Result<T>) -> Step<T> {
        match result {
            Err(Fail::Refused(refusal)) => self.refuse(place, refusal),
            other => Ok(other?),
        }
    }

    /// Gives a reading's error its place.
    pub fn at<T, E: std::fmt::Display>(&self, place: &str, result: Result<T, E>) -> Step<T> {
        result.or_else(|e| self.refuse(place, e))
    }

    /// A currency: of ISO 4217, or one that an account here has already.
    pub fn currency(&mut self, place: &str, text: &str) -> Step<Currency> {
        let named = Currency::iso(text);
        let known = if named.is_err() { self.tx.accounts()? } else { Vec::new() };
        let known = known.into_iter().map(|a| a.currency).find(|c| c.as_str() == text);
        self.at(place, known.map_or(named, Ok))
    }

    /// The account of that code, also one put earlier in the run.
    pub fn account(&mut self, place: &str, code: &str) -> Step<Account> {
        match self.tx.accounts()?.into_iter().find(|a| a.code == code) {
            Some(account) => Ok(account),
            None => self.refuse(place, format!("there is no account {code}; list it under accounts")),
        }
    }

    /// The product of that code, also one put earlier in the run.
    pub fn product(&mut self, place: &str, code: &str) -> Step<Product> {
        match self.tx.products()?.into_iter().find(|p| p.code == code) {
            Some(product) => Ok(product),
            None => self.refuse(place, format!("there is no product {code}; list it under products")),
        }
    }

    /// The package of that code, also one put earlier in the run.
    pub fn package(&mut self, place: &str, code: &str) -> Step<Package> {
        match self.tx.packages()?.into_iter().find(|p| p.code == code) {
            Some(package) => Ok(package),
            None => self.refuse(place, format!("there is no package {code}; list it under packages")),
        }
    }
}

/// The names of the fields that differ.
pub fn differing<'a>(fields: &[(&'a str, bool)]) -> Vec<&'a str> {
    fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
}

/// A code: one word that can be typed and put in a file name.
pub fn check_code(code: &str) -> Result<(), String> {
    let good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if code.is_empty() || code.chars().count() > 64 || !code.chars().all(good) {
        return Err(format!("\"{code}\" is not a code: use 1 to 64 letters, digits, -, _ and ."));
    }
    Ok(())
}
