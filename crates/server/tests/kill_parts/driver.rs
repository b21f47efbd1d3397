//! Orders and refunds over HTTP, and the book of what was answered. A lost answer is asked for again: by the same
//! request, which must get the first answer, or by a new one with the same number, which must not buy twice.

use super::renewals::Renewals;
use super::{CARDS, CARRIER_CARD, CARRIER_CARDS, Dice};
use crate::common::iccid;
use crate::common::partner::{Key, order, post};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The partner.
pub const KEY: Key = Key { name: "kill-key", secret: "kill-a1b1c1d1" };
pub const LOCAL: &str = "GJ-100M-30D";
pub const CARRIER: &str = "EU-CARRIER";

/// Where one of our orders stands as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// No answer came.
    InDoubt,
    /// It was acknowledged.
    Bought,
    /// Its refund was asked for and no answer came.
    RefundInDoubt,
    /// Its refund was acknowledged.
    Refunded,
}

/// One of our orders.
#[derive(Debug)]
pub struct Ours {
    pub card: u64,
    pub package: &'static str,
    pub number: String,
    pub body: String,
    /// The order's number with the server; 0 while in doubt.
    pub id: i64,
    pub known: Known,
    /// It was ordered by another request too.
    pub asked_otherwise: bool,
}

/// The driver and its book.
#[derive(Debug, Default)]
pub struct Driver {
    pub orders: Vec<Ours>,
    /// Answers that never came.
    pub lost: usize,
    /// Tasks over the virtual carrier's cards that were acknowledged.
    pub tasks: Vec<String>,
    /// Renewals at the other door.
    pub renewals: Renewals,
    answered: Arc<AtomicU64>,
}

impl Driver {
    /// Answers so far, for another thread to watch.
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.answered.clone()
    }

    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Orders that were taken back.
    pub fn refunded(&self) -> usize {
        self.orders.iter().filter(|o| o.known == Known::Refunded).count()
    }

    /// Drives until told to stop or the server is gone.
    pub fn drive(&mut self, (address, cardboss): (&str, &str), dice: &mut Dice, stop: &AtomicBool) {
        if self.renewals.ask_again(cardboss).is_err() {
            return;
        }
        for i in self.in_doubt() {
            if self.ask_again(i, address, dice.below(2) == 0).is_err() {
                return;
            }
        }
        while !stop.load(Ordering::SeqCst) {
            let done = match self.refundable(dice).filter(|_| dice.below(3) == 0) {
                Some(i) => self.refund(i, address),
                None if dice.below(8) == 0 => self.reset(address),
                None if dice.below(4) == 0 => self.renewals.renew(cardboss, dice),
                None => self.buy(address, dice),
            };
            if done.is_err() {
                return;
            }
        }
    }

    /// Asks again until nothing is in doubt.
    pub fn resolve(&mut self, address: &str) {
        for i in self.in_doubt() {
            self.ask_again(i, address, i.is_multiple_of(2)).expect("nobody kills this server");
        }
        assert!(self.in_doubt().is_empty());
    }

    fn in_doubt(&self) -> Vec<usize> {
        let open = |k: Known| matches!(k, Known::InDoubt | Known::RefundInDoubt);
        (0..self.orders.len()).filter(|i| open(self.orders[*i].known)).collect()
    }

    fn refundable(&self, dice: &mut Dice) -> Option<usize> {
        let i = dice.below(self.orders.len().max(1) as u64) as usize;
        self.orders.get(i).filter(|o| o.known == Known::Bought && o.package == LOCAL).map(|_| i)
    }

    fn buy(&mut self, address: &str, dice: &mut Dice) -> std::io::Result<()> {
        let is_carrier = dice.below(6) == 0;
        let (card, package) =
            if is_carrier { (CARRIER_CARD + dice.below(CARRIER_CARDS), CARRIER) } else { (dice.below(CARDS), LOCAL) };
        let number = format!("kill-{}", self.orders.len());
        let body = KEY.sealed(&order(&iccid(card), package, &number));
        self.orders.push(Ours {
            card,
            package,
            number,
            body: body.clone(),
            id: 0,
            known: Known::InDoubt,
            asked_otherwise: false,
        });
        let answer = self.heard(post(address, "package/orderPackage", &body))?;
        if answer["code"] != "200" {
            return Err(std::io::Error::other(format!("trouble: {answer}"))); // the server's log says which
        }
        self.bought(self.orders.len() - 1, &answer);
        Ok(())
    }

    fn bought(&mut self, i: usize, answer: &Value) {
        self.orders[i].id = answer["data"]["orderId"].as_i64().unwrap_or_else(|| panic!("{answer}"));
        self.orders[i].known = Known::Bought;
    }

    fn refund(&mut self, i: usize, address: &str) -> std::io::Result<()> {
        let was = std::mem::replace(&mut self.orders[i].known, Known::RefundInDoubt);
        let (iccid, id) = (iccid(self.orders[i].card), self.orders[i].id.to_string());
        let fields = [("iccid", iccid.as_str()), ("orderId", id.as_str()), ("remark", "kill")];
        let answer = self.heard(KEY.call(address, "package/refundPackage", &fields))?;
        let codes: &[&str] = if was == Known::RefundInDoubt { &["200", "42008"] } else { &["200"] };
        assert!(codes.contains(&answer["code"].as_str().unwrap_or_default()), "{answer}");
        self.orders[i].known = Known::Refunded;
        Ok(())
    }

    fn reset(&mut self, address: &str) -> std::io::Result<()> {
        let cards: Vec<String> = (CARRIER_CARD..CARRIER_CARD + CARRIER_CARDS).map(iccid).collect();
        let answer = self.heard(KEY.call(address, "card/reset", &[("iccids", &*cards.join(","))]))?;
        assert_eq!(answer["code"], "200", "{answer}");
        self.tasks.push(answer["data"]["taskId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
        Ok(())
    }

    fn ask_again(&mut self, i: usize, address: &str, same_request: bool) -> std::io::Result<()> {
        if self.orders[i].known == Known::RefundInDoubt {
            return self.refund(i, address);
        }
        let ours = &mut self.orders[i];
        let (sent, codes): (_, &[&str]) = if same_request {
            // Where another request for it was heard, it may be that one which bought.
            let bought_otherwise = if ours.asked_otherwise { "42002" } else { "200" };
            (post(address, "package/orderPackage", &ours.body), &["200", bought_otherwise])
        } else {
            ours.asked_otherwise = true;
            let fields = order(&iccid(ours.card), ours.package, &ours.number).map(|(k, v)| (k, v.to_owned()));
            (KEY.call(address, "package/orderPackage", &fields.each_ref().map(|(k, v)| (*k, v.as_str()))), &["200", "42002"])
        };
        let answer = self.heard(sent)?;
        assert!(codes.contains(&answer["code"].as_str().unwrap_or_default()), "{answer}");
        self.bought(i, &answer);
        Ok(())
    }

    fn heard(&mut self, answer: std::io::Result<Value>) -> std::io::Result<Value> {
        match answer {
            Ok(answer) => {
                self.answered.fetch_add(1, Ordering::SeqCst);
                Ok(answer)
            }
            Err(e) => {
                self.lost += 1;
                Err(e)
            }
        }
    }
}
