//! `kachi admin`: looking after people, keys, cards, orders, money, carriers' writes, tasks, messages, notices and orphans; the audit.

use crate::args::{Admin, Aside, Intent, Key, Orphan, Shape, User};
use crate::exit::Exit;
use crate::{print, secrets};
use kachi_domain::{AccountId, Timestamp};
use kachi_engine::{Engine, Fail, audit, intents};
use kachi_store::files::AsideRow;
use serde_json::{Value, json};
use std::path::Path;

mod account;
mod acts;
mod balance;
mod cdr;
mod delivery;
mod devices;
mod diagnose;
mod imei;
mod order;
mod pool;
mod price;
mod profit;
pub mod reconcile;
mod renewal;
mod sim;
pub mod sync;

/// Runs the verb.
pub fn run(engine: &Engine, verb: Admin) -> Result<(), Exit> {
    match verb {
        Admin::Audit(shape) => check(engine, shape),
        Admin::Doctor(_) => Err(Exit::usage("admin doctor opens the house by itself")),
        Admin::Account(verb) => account::run(engine, verb),
        Admin::Signature(verb) => account::signatures(engine, verb),
        Admin::User(User::Add { login, account, role, password_file, shape }) => {
            add_user(engine, &login, &account, &role, password_file.as_deref(), shape)
        }
        Admin::User(User::Remove { login, shape }) => remove_user(engine, &login, shape),
        Admin::User(User::List(shape)) => list_users(engine, shape),
        Admin::Key(Key::Create { account, name, door, shape }) => create_key(engine, &account, name, &door, shape),
        Admin::Key(Key::List(shape)) => list_keys(engine, shape),
        Admin::Intent(verb) => intent(engine, verb),
        Admin::Order(verb) => order::run(engine, verb),
        Admin::Price(verb) => price::run(engine, verb),
        Admin::Renewal(verb) => renewal::run(engine, verb),
        Admin::Delivery(verb) => delivery::run(engine, verb),
        Admin::Orphan(Orphan::List { limit, shape }) => list_orphans(engine, limit, shape),
        Admin::Aside(Aside::List { fate, limit, shape }) => list_asides(engine, fate, limit, shape),
        Admin::Sim(verb) => sim::run(engine, verb),
        Admin::Diagnose(asked) => diagnose::run(engine, &asked),
        Admin::Imei(verb) => imei::run(engine, verb),
        Admin::Cdr(verb) => cdr::run(engine, verb),
        Admin::Task(verb) => acts::tasks(engine, verb),
        Admin::Sms(verb) => acts::sms(engine, verb),
        Admin::Template(verb) => acts::templates(engine, verb),
        Admin::Device(verb) => devices::devices(engine, verb),
        Admin::Claim(verb) => devices::claims(engine, verb),
        Admin::Pool(verb) => pool::run(engine, verb),
        Admin::Balance(verb) => balance::run(engine, verb),
        Admin::Profit(verb) => profit::run(engine, verb),
        Admin::Sync(_) => Err(Exit::usage("admin sync needs the configuration")),
        Admin::Reconcile(verb) => reconcile::run(engine, verb),
    }
}

fn check(engine: &Engine, shape: Shape) -> Result<(), Exit> {
    let report = audit::audit(engine)?;
    if shape.json {
        print::json(&report)?
    } else {
        tell_audit(&report)?
    }
    if report.clean { Ok(()) } else { Err(Exit::finding()) }
}

/// What an audit found, for people.
pub fn tell_audit(report: &audit::Report) -> Result<(), Exit> {
    for violation in &report.violations {
        print::line(violation)?;
    }
    let verdict = match report.violations.len() {
        0 => "clean".to_owned(),
        1 => "1 violation".to_owned(),
        n => format!("{n} violations"),
    };
    let unrated = match report.unrated {
        0 => String::new(),
        n => format!(", {n} of them wait for their rating (a file being taken in, or left in the middle)"),
    };
    print::line(format_args!("{verdict}: {} cards, {} readings{unrated}", report.cards, report.readings))
}

/// The account of that code, as a flag names it.
pub fn account(engine: &Engine, code: &str) -> Result<AccountId, Exit> {
    let found = engine.catalogue()?.account_by_code(code).map(|a| a.account.id);
    found.ok_or_else(|| Exit::refused(format!("--account: there is no account {code}: `kachi apply` makes accounts")))
}

/// Refuses a range whose end is before its beginning.
pub fn refuse_backwards(from: i64, to: Option<i64>) -> Result<(), Exit> {
    match to {
        Some(to) if to < from => Err(Exit::usage(format!("TO: {to} is before FROM, {from}: write the smaller number first"))),
        _ => Ok(()),
    }
}

/// The code of an account, for people.
pub fn code(engine: &Engine, id: AccountId) -> Result<String, Exit> {
    Ok(engine.catalogue()?.account(id).map_or_else(|| id.to_string(), |a| a.account.code.clone()))
}

/// An instant as people and programs read it, UTC.
pub fn instant(seconds: i64) -> String {
    Timestamp(seconds).to_string()
}

fn add_user(engine: &Engine, login: &str, of: &str, role: &str, file: Option<&Path>, shape: Shape) -> Result<(), Exit> {
    let owner = account(engine, of)?;
    crate::apply::check_login(login).map_err(|e| Exit::refused(format!("LOGIN: {e}")))?;
    let given = file.map(secrets::password_from).transpose().map_err(|e| Exit::refused(format!("--password-file: {e}")))?;
    let password = given.clone().unwrap_or_else(secrets::made);
    let hash = secrets::hash(&password)?;
    let (name, role_word) = (login.to_owned(), role.to_owned());
    let taken = engine.write(move |tx, _, how| match tx.login(&name)? {
        Some((other, _, _)) if other != owner => Ok(true),
        _ => {
            tx.put_login(&name, owner, &role_word, &hash, how.now)?;
            Ok(false)
        }
    })?;
    if taken {
        return Err(Exit::refused(format!("LOGIN: {login} belongs to another account; choose another login")));
    }
    let shown = given.is_none().then_some(password);
    if shape.json {
        return print::json(&json!({"login": login, "account": of, "role": role, "password": shown}));
    }
    print::line(format_args!("{login}: {role} of {of}"))?;
    shown.map_or(Ok(()), |p| print::line(format_args!("password, shown once: {p}")))
}

fn remove_user(engine: &Engine, login: &str, shape: Shape) -> Result<(), Exit> {
    let name = login.to_owned();
    if !engine.write(move |tx, _, _| Ok(tx.remove_login(&name)?))? {
        return Err(Exit::refused(format!("LOGIN: nobody has {login}; `kachi admin user list` shows all logins")));
    }
    print::done(shape.json, &json!({"login": login}), format_args!("{login}: taken away"))
}

fn list_users(engine: &Engine, shape: Shape) -> Result<(), Exit> {
    let mut rows = Vec::new();
    for (login, owner, role) in engine.read(|tx, _| Ok(tx.logins()?))? {
        rows.push(vec![json!(login), json!(code(engine, owner)?), json!(role)]);
    }
    print::table(&["login", "account", "role"], &rows, shape.json)
}

fn create_key(engine: &Engine, of: &str, name: Option<String>, door: &str, shape: Shape) -> Result<(), Exit> {
    let owner = account(engine, of)?;
    let name = name.unwrap_or_else(|| owner.to_string());
    let secret = secrets::made();
    let (key, at, kept) = (name.clone(), door.to_owned(), secret.clone());
    let signed_before = engine.catalogue()?.key_of(door, owner).map(ToOwned::to_owned);
    let done = engine.write(move |tx, _, _| {
        tx.put_credential(&at, &key, owner, &kept)?;
        tx.touch_catalogue()?;
        Ok(())
    });
    match done {
        Err(Fail::Fault(kachi_store::Error::Constraint(_))) => {
            return Err(Exit::refused(format!("--name: {door} key {name} belongs to another account; choose another name")));
        }
        other => other?,
    }
    // Of several keys the first by name signs what is sent to the account.
    let signs = signed_before.as_ref().is_none_or(|before| name <= *before);
    if shape.json {
        return print::json(&json!({"account": of, "door": door, "appkey": name, "secret": secret, "signs_notices": signs}));
    }
    print::line(format_args!("{of}: {door} appkey {name}"))?;
    print::line(format_args!("secret, shown once: {secret}"))?;
    match signed_before {
        Some(before) if signs => print::line(format_args!(
            "notices to {of} are signed with this secret from now on, with that of {before} until now: the first key by name signs"
        )),
        _ => Ok(()),
    }
}

fn list_keys(engine: &Engine, shape: Shape) -> Result<(), Exit> {
    let mut keys = engine.read(|tx, _| Ok(tx.credentials()?))?;
    keys.sort();
    let mut rows = Vec::new();
    for (door, name, owner, _) in keys {
        rows.push(vec![json!(door), json!(name), json!(code(engine, owner)?)]);
    }
    print::table(&["door", "appkey", "account"], &rows, shape.json)
}

fn intent(engine: &Engine, verb: Intent) -> Result<(), Exit> {
    match verb {
        Intent::List { all, limit, shape } => list_intents(engine, !all, limit, shape),
        Intent::Confirm { id, by, shape } => {
            intents::confirm(engine, id, &by)?;
            print::done(shape.json, &json!({"id": id, "state": "confirmed"}), format_args!("write {id}: confirmed"))
        }
        Intent::Refuse { id, reason, by, shape } => {
            intents::refuse(engine, id, &by, &reason)?;
            print::done(shape.json, &json!({"id": id, "state": "refused"}), format_args!("write {id}: refused"))
        }
    }
}

fn list_intents(engine: &Engine, open_only: bool, limit: i64, shape: Shape) -> Result<(), Exit> {
    let found = engine.read(|tx, _| Ok(tx.intents(open_only, limit)?))?;
    let columns = ["id", "account", "asked_by", "platform", "order", "state", "attempts", "stored", "request", "answer"];
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let mut rows = Vec::new();
    for i in found {
        rows.push(vec![
            json!(i.id),
            json!(code(engine, i.account)?),
            json!(i.asked_by.map(|a| code(engine, a)).transpose()?),
            json!(i.platform),
            json!(i.order),
            json!(i.state),
            json!(i.attempts),
            json!(instant(i.created_at)),
            parsed(&i.request),
            i.last_answer.as_deref().map_or(Value::Null, parsed),
        ]);
    }
    print::table(&columns, &rows, shape.json)
}

fn list_asides(engine: &Engine, fate: Option<String>, limit: i64, shape: Shape) -> Result<(), Exit> {
    let found = engine.read(|tx, _| Ok(tx.asides(fate.as_deref(), limit)?))?;
    let row = |(file, line, fate, reason, iccid, text, at): AsideRow| {
        vec![json!(instant(at)), json!(file), json!(line), json!(fate), json!(reason), json!(iccid), json!(text)]
    };
    let rows: Vec<Vec<Value>> = found.into_iter().map(row).collect();
    print::table(&["at", "file", "line", "fate", "reason", "iccid", "text"], &rows, shape.json)
}

fn list_orphans(engine: &Engine, limit: i64, shape: Shape) -> Result<(), Exit> {
    let (found, catalogue) = (engine.read(|tx, _| Ok(tx.orphans(limit)?))?, engine.catalogue()?);
    let platform = |id| catalogue.platform(id).map(|p| &p.code);
    let row = |o: &kachi_store::files::Orphan| {
        vec![json!(o.iccid), json!(platform(o.platform)), json!(o.lines), json!(o.bytes), json!(o.files), json!(o.file)]
    };
    let rows: Vec<Vec<Value>> = found.iter().map(row).collect();
    print::table(&["iccid", "platform", "lines", "bytes", "files", "newest_file"], &rows, shape.json)
}
