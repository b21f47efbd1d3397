//! `kachi serve --demo`: an empty database becomes a small reseller's business with a past.
//!
//! The past is made the way it would have come about ([`past`]). Its last transaction makes the login of the page and the last
//! key, and that is the mark by which a whole demo is known: one that was interrupted while it was made has neither, and is
//! refused with what to do. The login is printed before that transaction, so that it is never lost.

mod past;

use crate::config::Config;
use crate::exit::Exit;
use crate::secrets;
use kachi_domain::{AccountId, Iccid, Timestamp};
use kachi_edges::portal::receiver::PATH as RECEIVER;
use kachi_engine::{Engine, Fail};
use kachi_store::accounts::Account;
use kachi_store::{Place, Tx};
use past::Past;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The demo partner's key.
pub const APPKEY: &str = "100001";
/// The demo partner's secret. Known to everyone: the demo listens on loopback.
pub const SECRET: &str = "demo-secret-of-acme";
/// The key that the last transaction of the making gives to the shop.
const LAST_KEY: &str = "100003";
/// The login to the page.
const LOGIN: &str = "admin";
const NORTH: AccountId = AccountId(10_001);
const ACME: AccountId = AccountId(10_002);
const SHOP: AccountId = AccountId(10_003);

/// How much of a past is made.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Cards.
    sims: u64,
    /// Days.
    days: i64,
}

const WHOLE: Extent = Extent { sims: 2_000, days: 90 };

/// What is shown once the server is ready.
pub struct Shown {
    password: Option<String>,
}

/// Fills an empty database; a database that is already the demo is left as it is; any other is refused, and so is one of
/// which the making was interrupted. Its notices go to the page that is served at `address`.
pub fn prepare(engine: &Engine, config: &Config, address: SocketAddr) -> Result<Shown, Exit> {
    prepare_extent(engine, config, address, WHOLE)
}

fn prepare_extent(engine: &Engine, config: &Config, address: SocketAddr, extent: Extent) -> Result<Shown, Exit> {
    let receiver = format!("http://{}{RECEIVER}", reached(address));
    let catalogue = engine.catalogue()?;
    let is_demo = catalogue.account(ACME).is_some_and(|a| a.account.code == "acme");
    if is_demo && catalogue.credential("eiotclub", APPKEY).is_some() {
        let login = engine.read(|tx, _| Ok(tx.login(LOGIN)?))?;
        if login.is_none() || catalogue.credential("eiotclub", LAST_KEY).is_none() {
            return Err(Exit::refused(format!("serve --demo: the demo was interrupted while it was made; {}", anew(engine))));
        }
        engine.write(move |tx, _, how| point(tx, &receiver, how.now))?;
        return Ok(Shown { password: None });
    }
    if catalogue.accounts().count() > 1 {
        return Err(Exit::refused("serve --demo: the database has data of its own; use another folder with --data-dir"));
    }
    let Extent { sims, days } = extent;
    eprintln!("making the demo: {sims} SIMs with {days} days of usage ...");
    Past::open(engine, config, extent)?.make()?;
    let password = secrets::made()[..20].to_owned();
    let hash = secrets::hash(&password)?;
    // Before the mark: whoever is interrupted here has a password for nothing, and not a demo without one.
    println!("the demo is made; its login is {LOGIN} with the password {password}");
    engine.write(move |tx, _, how| {
        for id in [ACME, SHOP] {
            let account = of(tx, id)?;
            tx.put_account(&Account { notify: notify(&receiver), ..account }, how.now)?;
        }
        tx.put_credential("eiotclub", LAST_KEY, SHOP, SECRET)?;
        tx.put_login(LOGIN, AccountId(1), "owner", &hash, how.now)?;
        Ok(tx.touch_catalogue()?)
    })?;
    Ok(Shown { password: Some(password) })
}

/// What to do about a demo that is not whole.
fn anew(engine: &Engine) -> String {
    match engine.store().place() {
        Place::File(path) => format!(
            "delete {} with the files beside it that begin with the same name, or name another folder with --data-dir, and start again",
            path.display()
        ),
        Place::Postgres(_) => "make the database anew, or name another with --database-url, and start again".to_owned(),
    }
}

/// The address at which the program reaches itself: one that listens everywhere is there on loopback too.
pub fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn notify(receiver: &str) -> String {
    serde_json::json!({ "eiotclub": receiver }).to_string()
}

fn of(tx: &mut Tx<'_>, id: AccountId) -> Result<Account, Fail> {
    tx.accounts()?.into_iter().find(|a| a.id == id).ok_or_else(|| Fail::fault(format!("the demo has no account {id}")))
}

/// Notices that went to the page's receiver at another address go to this one; an address of somebody's own is left alone.
fn point(tx: &mut Tx<'_>, receiver: &str, now: Timestamp) -> Result<(), Fail> {
    let wanted = notify(receiver);
    let ours = |notify: &str| notify.starts_with("{\"eiotclub\":\"http://") && notify.ends_with(&format!("{RECEIVER}\"}}"));
    let moved: Vec<Account> = tx.accounts()?.into_iter().filter(|a| ours(&a.notify) && a.notify != wanted).collect();
    if moved.is_empty() {
        return Ok(());
    }
    for account in moved {
        tx.put_account(&Account { notify: wanted.clone(), ..account }, now)?;
    }
    Ok(tx.touch_catalogue()?)
}

impl Shown {
    /// Says where the demo is and how to try it.
    pub fn print(&self, engine: &Engine, address: SocketAddr) {
        let address = reached(address);
        println!("\nKachi demo (demo data, secrets known to everyone)\n");
        println!("  page      http://{address}/");
        match &self.password {
            Some(password) => {
                println!("  login     admin  {password}   (shown once; a new one: kachi admin user add admin --role owner)")
            }
            None => println!(
                "  login     admin, with the password shown when the demo was made (a new one: kachi admin user add admin --role owner)"
            ),
        }
        println!("  notices   arrive on the page; the receiver is http://{address}{RECEIVER}\n");
        println!("Two signed requests, good for 5 minutes (kachi sign eiotclub makes new ones):\n");
        let iccid = iccid(1);
        println!("{}\n", curl(address, "card/getCardsInfo", engine.now(), &[("iccid", iccid.as_str())]));
        let trade_no = format!("demo-{}", engine.now().0);
        let order = [("iccid", iccid.as_str()), ("packageCode", "US-100M-30D"), ("outTradeNo", trade_no.as_str())];
        println!("{}\n", curl(address, "package/orderPackage", engine.now(), &order));
    }
}

fn curl(address: SocketAddr, operation: &str, now: Timestamp, fields: &[(&str, &str)]) -> String {
    use kachi_dialects::eiotclub::{Form, Limits, Params, sign};
    let mut body =
        format!("{{\"appkey\":\"{APPKEY}\",\"timestamp\":{},\"nonce\":{}", now.0, 10_000 + rand::random::<u32>() % 90_000);
    for (name, value) in fields {
        let _ = write!(body, ",\"{name}\":\"{value}\"");
    }
    let params = Params::parse(format!("{body}}}").as_bytes(), Limits { bytes: 4096, depth: 4 }).expect("our own JSON");
    let _ = write!(body, ",\"sign\":\"{}\"}}", sign(&params, SECRET, Form::CANONICAL));
    format!("curl -s http://{address}/api/v3/{operation} -H 'Content-Type: application/json' -d '{body}'")
}

fn iccid(n: u64) -> Iccid {
    let body = format!("89860012026{n:08}");
    let sum: u32 = body.bytes().rev().enumerate().map(|(i, b)| luhn_part(u32::from(b - b'0'), i % 2 == 0)).sum();
    Iccid::parse(&format!("{body}{}", (10 - sum % 10) % 10)).expect("twenty digits")
}

fn luhn_part(digit: u32, doubled: bool) -> u32 {
    let d = if doubled { digit * 2 } else { digit };
    d / 10 + d % 10
}

#[cfg(test)]
mod tests;
