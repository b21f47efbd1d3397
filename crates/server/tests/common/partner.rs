//! A partner that signs and calls, one connection a call, and tells a lost answer from a refusal.

use kachi_dialects::eiotclub::{Form, Limits, Params, sign};
use serde_json::{Map, Value, json};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A partner's key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub secret: &'static str,
}

/// No two requests of this process are the same one.
static NONCE: AtomicU64 = AtomicU64::new(0);

impl Key {
    /// A signed body.
    pub fn sealed(&self, fields: &[(&str, &str)]) -> String {
        let nonce = 10_000 + NONCE.fetch_add(1, Ordering::Relaxed) % 90_000;
        let mut body: Map<String, Value> = fields.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
        body.insert("appkey".into(), json!(self.name));
        body.insert("timestamp".into(), json!(super::now()));
        body.insert("nonce".into(), json!(nonce));
        let text = Value::from(body.clone()).to_string();
        let params = Params::parse(text.as_bytes(), Limits { bytes: 1 << 20, depth: 4 }).expect("our own JSON");
        body.insert("sign".into(), json!(sign(&params, self.secret, Form::CANONICAL)));
        Value::from(body).to_string()
    }

    /// One signed call; an error is a lost answer.
    pub fn call(&self, address: &str, operation: &str, fields: &[(&str, &str)]) -> Result<Value> {
        post(address, operation, &self.sealed(fields))
    }

    /// One signed call that is answered.
    ///
    /// # Panics
    /// If the answer is lost.
    pub fn ask(&self, address: &str, operation: &str, fields: &[(&str, &str)]) -> Value {
        self.call(address, operation, fields).unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    /// Buys a package for the n-th card.
    pub fn order(&self, address: &str, card: u64, package: &str, out_trade_no: &str) -> Value {
        self.ask(address, "package/orderPackage", &order(&super::iccid(card), package, out_trade_no))
    }

    /// Buys a package for the n-th card and wants it bought; the answer is the order.
    pub fn bought(&self, address: &str, card: u64, package: &str, out_trade_no: &str) -> i64 {
        let answer = self.order(address, card, package, out_trade_no);
        assert_eq!(answer["code"], "200", "{answer}");
        answer["data"]["orderId"].as_i64().expect("a number")
    }

    /// Where an order of the n-th card stands: 0 not yet, 1 done, -1 refunded.
    pub fn order_state(&self, address: &str, card: u64, order: i64) -> i64 {
        let fields = [("iccid", super::iccid(card)), ("orderId", order.to_string())];
        let answer = self.ask(address, "package/queryPackage", &fields.each_ref().map(|(k, v)| (*k, v.as_str())));
        answer["data"]["status"].as_i64().unwrap_or_else(|| panic!("{answer}"))
    }
}

/// The fields of an order.
pub fn order<'a>(iccid: &'a str, package: &'a str, out_trade_no: &'a str) -> [(&'static str, &'a str); 3] {
    [("iccid", iccid), ("packageCode", package), ("outTradeNo", out_trade_no)]
}

/// Posts exactly this body. A cut connection, or half an answer, is an error.
pub fn post(address: &str, operation: &str, body: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let head = format!(
        "POST /api/v3/{operation} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let cut = || Error::new(ErrorKind::UnexpectedEof, "half an answer");
    let text = std::str::from_utf8(&answer).map_err(|_| cut())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
    assert!(head.starts_with("HTTP/1.1 200 "), "{text}");
    serde_json::from_str(body).map_err(|_| cut())
}
