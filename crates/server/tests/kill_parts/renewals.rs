//! Renewals at the CardBOSS door, and the book of what was answered: held, taken at once, or asked of the carrier. A lost
//! answer is asked for again by the same form, which must get the first answer or, if that never was, buy now.

use super::driver::{CARRIER, LOCAL};
use super::{Dice, RENEW_CARD, RENEW_CARRIER_CARD, RENEWALS};
use crate::common::{House, iccid, now};
use kachi_dialects::cardboss::{Form, Operation, Written, sign};
use kachi_domain::{Timestamp, Zone};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The partner's key.
pub const SID: &str = "kill";
pub const APIKEY: &str = "0123456789abcdef0123456789abcdef";

/// One of our renewals.
#[derive(Debug)]
pub struct Ours {
    /// In its remark; no other has it.
    name: String,
    form: String,
    /// The order's long number; none while in doubt.
    number: Option<String>,
    price: i64,
}

/// The book.
#[derive(Debug, Default)]
pub struct Renewals(Vec<Ours>);

impl Renewals {
    /// How many were asked for.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Asks again for what is in doubt, each once.
    pub fn ask_again(&mut self, address: &str) -> Result<()> {
        self.0.iter_mut().filter(|r| r.number.is_none()).try_for_each(|ours| ours.send(address))
    }

    /// Renews a card: reviewed or not, of a package that is local or the carrier's.
    pub fn renew(&mut self, address: &str, dice: &mut Dice) -> Result<()> {
        let (first, package, price) =
            if dice.below(2) == 0 { (RENEW_CARD, LOCAL, 130) } else { (RENEW_CARRIER_CARD, CARRIER, 300) };
        let (card, audit) = (iccid(first + dice.below(RENEWALS)), (1 + dice.below(2)).to_string());
        let name = format!("kill-r-{}", self.0.len());
        // No two are signed alike: the remark is not signed, so the time is moved instead.
        let at = Timestamp(now() - (self.0.len() % 60) as i64);
        let ts = Zone::find("Asia/Shanghai").expect("a zone").digits(at);
        let fields = [("sid", SID), ("ts", &*ts), ("iccid", &*card), ("pkgcode", package), ("month", "1")];
        let unsigned = [("repetition", "1"), ("audit", &*audit), ("remark", &*name)];
        let signed: Form = fields.iter().copied().collect();
        let sign = sign(Operation::PkgRenew, &signed, APIKEY, Written::Utf8).expect("UTF-8");
        let sealed = [("sign", &*sign)];
        let all = fields.iter().chain(&unsigned).chain(&sealed);
        let form = all.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        if self.0.iter().any(|r| r.form.ends_with(&sign)) {
            return Ok(()); // the same second, card and package: it would be the same request
        }
        self.0.push(Ours { name, form, number: None, price });
        self.0.last_mut().expect("one").send(address)
    }

    /// Each is there once with the number it was answered; what waits for the operator is approved and rejected in turn.
    pub fn decide(&self, house: &House) {
        let list = || house.done(&["admin", "renewal", "list", "--all", "--limit", "100000", "--json"]).json();
        let there = by_name(&list());
        for (n, ours) in self.0.iter().enumerate() {
            let rows = there.get(&ours.name).map_or(&[][..], Vec::as_slice);
            match (&ours.number, rows) {
                (Some(number), [row]) => assert_eq!(&row["number"], number, "{ours:?}"),
                (None, [] | [_]) => {}
                _ => panic!("{ours:?}: {rows:?}"),
            }
            if let [row] = rows
                && row["state"] == "in_review"
            {
                let order = row["order"].to_string();
                let approve: &[&str] = &["admin", "renewal", "approve", &order];
                let reject: &[&str] = &["admin", "renewal", "reject", &order, "--reason", "not today"];
                house.done(if n % 2 == 0 { approve } else { reject });
            }
        }
        assert_eq!(there.values().map(Vec::len).sum::<usize>(), there.len(), "nothing twice");
    }

    /// What was paid for them, when nothing is open any more.
    pub fn paid(&self, house: &House) -> i64 {
        let there = by_name(&house.done(&["admin", "renewal", "list", "--all", "--limit", "100000", "--json"]).json());
        let mut paid = 0;
        for ours in &self.0 {
            for row in there.get(&ours.name).into_iter().flatten() {
                assert!(["done", "failed"].contains(&row["state"].as_str().unwrap_or_default()), "{row}");
                paid += if row["state"] == "done" { ours.price } else { 0 };
            }
        }
        paid
    }
}

impl Ours {
    fn send(&mut self, address: &str) -> Result<()> {
        let answer = post(address, &self.form)?;
        // In doubt for longer than a signature is good for: it stays in doubt.
        if answer["code"] != "1005" {
            assert_eq!(answer["code"], "0", "{answer}");
            self.number = Some(answer["result"]["orderid"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
        }
        Ok(())
    }
}

fn by_name(list: &Value) -> HashMap<String, Vec<Value>> {
    let mut found: HashMap<String, Vec<Value>> = HashMap::new();
    for row in list.as_array().expect("a list") {
        found.entry(row["remark"].as_str().expect("our name").to_owned()).or_default().push(row.clone());
    }
    found
}

fn post(address: &str, form: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let head = format!(
        "POST /iotapi/rest/v2/card/pkg/renew HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        form.len()
    );
    stream.write_all(format!("{head}{form}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let cut = || Error::new(ErrorKind::UnexpectedEof, "half an answer");
    let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(cut)?;
    serde_json::from_str(body).map_err(|_| cut())
}
