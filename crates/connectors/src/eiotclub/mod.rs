//! Another platform that speaks the EIOTCLUB open API v3, as our upstream: cards bought there are sold on here.
//!
//! Requests are signed as the partner door checks them (`kachi_dialects::eiotclub`); there is no login. An order goes under our
//! own reference, which the upstream takes once for ever, so a lost answer is settled by its order record.
//!
//! Settings: `appkey`, `secret`, `url` (up to and without `/api/v3`); `timeout_seconds`; and the rate of requests ([`crate::open`]).

use crate::amount::{self, Unit};
use crate::http::{self, Ask as Question, Http};
use crate::json;
use crate::keys::Keys;
use kachi_dialects::eiotclub::{Form, Limits, Params, sign};
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{
    Answer, Ask, Batches, Bought, Call, Capabilities, Card, Connector, Counter, Cycle, Fact, Facts, LOGIN_REFUSED_SECONDS, Line,
    Login, Pace, Period, Request, Sent, Standing, Write,
};
use kachi_domain::sim::BaseState;
use kachi_domain::time::day_text;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Cards of one question about usage (code 42009).
const BATCH_CARDS: u16 = 50;
/// Seconds between two refreshes of a card (code 44001).
const REFRESH_SECONDS: i64 = 300;
/// Requests that it takes unless the settings say otherwise; its document names no number.
const PACE: Pace = Pace::a_second(10, 20);
/// Orders a package; sends a message: what must not be done twice.
const ORDER: &str = "package/orderPackage";
const SEND: &str = "sms/sendSms";
/// Lets a card use another network, which it shows afterwards.
const SWITCH: &str = "card/switchOperator";
/// What a card's page tells.
const FACTS: Facts = Facts::of(&[Fact::Numbers, Fact::State, Fact::Counter, Fact::Packages, Fact::Network, Fact::Month]);

/// The client of one account.
pub struct Eiotclub {
    http: Http,
    appkey: String,
    secret: String,
    pace: Pace,
}

impl Eiotclub {
    /// Reads the settings.
    pub fn open(settings: &Map<String, Value>, addresses: &Addresses) -> Result<Eiotclub, String> {
        let mut keys = Keys::of(settings);
        let (appkey, secret, url) = (keys.needed("appkey")?, keys.needed("secret")?, keys.needed("url")?);
        let timeout_seconds = keys.number("timeout_seconds", 30, (1, 300))?;
        let pace = keys.pace(PACE)?;
        keys.end()?;
        let http = Http::open(&url, timeout_seconds.unsigned_abs(), addresses).map_err(|e| format!("url: {e}"))?;
        Ok(Eiotclub { http, appkey, secret, pace })
    }

    /// One operation: its data.
    fn ask(&self, call: &Call<'_>, operation: &str, fields: Value) -> Result<Value, Answer> {
        // Published: an integer of five digits.
        let nonce = 10_000 + call.next()? % 90_000;
        let mut body = json!({"appkey": self.appkey, "timestamp": call.now.0, "nonce": nonce});
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
        }
        let params = Params::parse(body.to_string().as_bytes(), Limits::default());
        let params = params.map_err(|e| Answer::Refused { code: "request".into(), reason: e.to_string() })?;
        body["sign"] = Value::from(sign(&params, &self.secret, Form::default()));
        let body = Some(("application/json", body.to_string().into_bytes()));
        let (path, write) = (format!("/api/v3/{operation}"), [ORDER, SEND, SWITCH].contains(&operation));
        let reply = self.http.send(call, Question { verb: "POST", path: &path, body, write, ..Question::default() })?;
        let doubt = || Answer::InDoubt { reason: format!("HTTP {}: {}", reply.status, http::excerpt(&reply.text)) };
        let told: Value = serde_json::from_str(&reply.text).map_err(|_| doubt())?;
        match json::text(&told, "code").as_deref() {
            Some("200") => Ok(told.get("data").cloned().unwrap_or_default()),
            Some(code) => Err(no(code, &json::text(&told, "message").unwrap_or_default())),
            None => Err(doubt()),
        }
    }

    fn card(&self, call: &Call<'_>, card: &Card) -> Result<Value, Answer> {
        self.ask(call, "card/getCardsInfo", json!({"iccid": card.iccid}))
    }

    fn line(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        let mut line = Line::default();
        if wanted.without(Facts::of(&[Fact::Month])) != Facts::NONE {
            learn(&mut line, &self.card(call, card)?, wanted, call);
        }
        if wanted.has(Fact::Month) {
            let month = Cycle::NATURAL.month(crate::china().day(call.now));
            let told = self.lines(call, std::slice::from_ref(card), Ask::Month(month))?;
            line.month = told.into_iter().next().and_then(Result::ok).and_then(|line| line.month);
        }
        Ok(line)
    }

    fn lines(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        let iccids = cards.iter().map(|card| card.iccid.as_str()).collect::<Vec<_>>().join(",");
        let fields = match ask {
            Ask::State => return Err(Answer::unsupported("tell states of many cards")),
            Ask::Day(day) => {
                json!({"dateType": "daily", "iccids": iccids, "startDate": day_text(day), "endDate": day_text(day), "month": ""})
            }
            Ask::Month(month) => {
                let text = month.to_string();
                let month = format!("{}-{}", &text[..4], &text[4..]);
                json!({"dateType": "monthly", "iccids": iccids, "startDate": "", "endDate": "", "month": month})
            }
        };
        let told = self.ask(call, "cdr/traffic/query", fields)?;
        let rows: HashMap<String, i64> = told
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| {
                Some((json::text(row, "iccid")?.to_ascii_uppercase(), amount::bytes(&json::text(row, "traffic")?, Unit::Byte)?))
            })
            .collect();
        // A card without traffic may have no row.
        let bytes = |card: &Card| rows.get(&card.iccid.to_ascii_uppercase()).copied().unwrap_or(0);
        let line = |card: &Card| match ask {
            Ask::Day(day) => {
                let end = crate::china().start_of_day(day + 1).min(call.now);
                Line { day: Some(Period::of_day(day, bytes(card), end)), ..Line::default() }
            }
            Ask::Month(month) => {
                let end = Cycle::NATURAL.start(month.after()).min(call.now);
                Line { month: Some(Period::of_month(Cycle::NATURAL, month, bytes(card), end)), ..Line::default() }
            }
            Ask::State => Line::default(),
        };
        Ok(cards.iter().map(|card| Ok(line(card))).collect())
    }

    fn write(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Answer> {
        let iccid = &request.card.iccid;
        match &request.write {
            Write::Subscribe { package, .. } => {
                crate::one_order(&request.write)?;
                let fields = json!({"iccid": iccid, "packageCode": package, "outTradeNo": request.reference});
                match self.ask(call, ORDER, fields) {
                    Ok(order) => Ok(Answer::Accepted { job: json::text(&order, "orderId") }),
                    // Our reference is there: it was taken when we did not hear of it.
                    Err(Answer::Already) => Ok(Answer::ACCEPTED),
                    Err(answer) => Err(answer),
                }
            }
            Write::Unsubscribe { of, .. } => {
                // The card's other orders are others' and stay; the package may be ordered under another code by now.
                let bought = of.as_deref().or(request.reference.strip_suffix("-back")).unwrap_or(&request.reference);
                let is_it = |o: &&Value| json::text(o, "outTradeNo").as_deref() == Some(bought) && !is_refunded(o);
                let orders = self.orders(call, request)?;
                let Some(order) = orders.iter().find(is_it) else { return Ok(Answer::Already) };
                let order = json::text(order, "orderId").unwrap_or_default();
                self.ask(call, "package/refundPackage", json!({"iccid": iccid, "orderId": order, "remark": request.reference}))?;
                Ok(Answer::Confirmed)
            }
            Write::ResetSession => {
                self.ask(call, "card/cancelLocation", json!({"iccid": iccid}))?;
                Ok(Answer::Confirmed)
            }
            Write::SwitchNetwork { network } => {
                self.ask(call, SWITCH, json!({"iccid": iccid, "network": network}))?;
                Ok(Answer::ACCEPTED)
            }
            Write::RefreshUsage => {
                self.ask(call, "card/refreshUsage", json!({"iccid": iccid}))?;
                Ok(Answer::Confirmed)
            }
            Write::SendSms { text } => {
                let told = self.ask(call, SEND, json!({"iccid": iccid, "message": text}))?;
                Ok(Answer::Accepted { job: json::text(&told, "trans_id") })
            }
            _ => Err(Answer::unsupported("do this")),
        }
    }

    /// The card's orders.
    fn orders(&self, call: &Call<'_>, request: &Request) -> Result<Vec<Value>, Answer> {
        let told = self.ask(call, "package/packageOrderRecord", json!({"iccid": request.card.iccid}))?;
        Ok(told.as_array().cloned().unwrap_or_default())
    }

    fn outcome(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Result<Answer, Answer> {
        match &request.write {
            Write::Subscribe { .. } => {
                let ours = |o: &Value| {
                    let by_reference = json::text(o, "outTradeNo").as_ref() == Some(&request.reference);
                    by_reference || (sent.job.is_some() && json::text(o, "orderId") == sent.job)
                };
                let there = self.orders(call, request)?.iter().any(ours);
                Ok(match (there, &sent.accepted) {
                    (true, _) => Answer::Confirmed,
                    (false, Some(_)) => Answer::Accepted { job: sent.job.clone() },
                    // The reference is taken once: sending it again does no harm.
                    (false, None) => Answer::Unknown,
                })
            }
            Write::SwitchNetwork { network } => {
                let told = json::text(&self.card(call, &request.card)?, "network");
                Ok(if told.as_ref() == Some(network) { Answer::Confirmed } else { crate::by_sight(false, call.now, sent, 600) })
            }
            // A message is not sent twice, and nobody tells what became of it.
            Write::SendSms { .. } if sent.accepted.is_some() => Ok(Answer::Accepted { job: sent.job.clone() }),
            Write::SendSms { .. } => {
                Err(Answer::InDoubt { reason: "the upstream does not tell whether it has the message".into() })
            }
            _ if sent.accepted.is_some() => Ok(Answer::Confirmed),
            _ => Ok(Answer::Unknown),
        }
    }
}

/// Our word for the upstream's code.
fn no(code: &str, words: &str) -> Answer {
    let reason = format!("{code} {words}");
    match code {
        "42002" | "503016" => Answer::Already,
        "44001" => Answer::Later { seconds: REFRESH_SECONDS, reason },
        "501" => Answer::Later { seconds: 5, reason },
        // The account itself is refused: it says nothing of the card.
        "403" | "502" | "41998" | "42101" | "42102" | "42104" | "42201" | "42203" | "42204" | "42301" | "42401" | "42402" => {
            Answer::Later { seconds: LOGIN_REFUSED_SECONDS, reason }
        }
        "500" | "43331" => Answer::InDoubt { reason },
        _ => crate::refused(code, words),
    }
}

fn is_refunded(order: &Value) -> bool {
    json::text(order, "isRefund").as_deref() == Some("1")
}

/// A card's state.
fn state(raw: &str) -> BaseState {
    match raw {
        "NON_ACTIVATED_NAME" => BaseState::Inventory,
        "ACTIVATION_READY_NAME" => BaseState::Ready,
        "ACTIVATED_NAME" | "ACTIVATED_BASE" => BaseState::Active,
        "DEACTIVATED_NAME" => BaseState::Stopped,
        "RETIRED_NAME" => BaseState::Closed,
        _ => BaseState::Unknown,
    }
}

fn learn(line: &mut Line, row: &Value, wanted: Facts, call: &Call<'_>) {
    if wanted.has(Fact::Numbers) {
        (line.iccid, line.imsi) = (json::text(row, "iccid"), json::text(row, "imsi"));
    }
    if wanted.has(Fact::State) {
        let standing = |raw: String| Standing { base: state(&raw), raw, since: None };
        line.standing = json::text(row, "cardStatus").map(standing);
    }
    let mb = |field: &str| json::text(row, field).and_then(|text| amount::bytes(&text, Unit::Mb));
    if wanted.has(Fact::Counter) {
        line.counter = mb("totalUseFlow").map(|bytes| Counter { bytes, as_of: call.now });
    }
    if wanted.has(Fact::Packages) {
        let bought = |code: String| Bought {
            name: code.clone(),
            code,
            total_bytes: mb("dataFlow"),
            used_bytes: mb("monthUseFlow"),
            ends: json::text(row, "packageEndDate").and_then(|t| crate::china().parse(&t).ok()),
        };
        line.packages = Some(json::text(row, "packageCode").map(bought).into_iter().collect());
    }
    if wanted.has(Fact::Network) {
        line.network = json::text(row, "network");
    }
}

impl Connector for Eiotclub {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            subscribe: true,
            unsubscribe: true,
            session_reset: true,
            network: true,
            usage: true,
            sms: true,
            look: true,
            facts: FACTS,
            batches: Batches { state: 0, day: BATCH_CARDS, month: BATCH_CARDS },
            pace: self.pace,
            ..Capabilities::default()
        }
    }

    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer> {
        Ok(call.login.clone())
    }

    fn submit(&self, call: &Call<'_>, request: &Request) -> Answer {
        crate::submitted(self.capabilities(), request, || self.write(call, request))
    }

    fn look(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Answer {
        crate::looked(self.capabilities(), request, || self.outcome(call, request, sent))
    }

    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        self.line(call, card, wanted.and(FACTS))
    }

    fn cost(&self, wanted: Facts) -> u32 {
        let wanted = wanted.and(FACTS);
        u32::from(wanted.without(Facts::of(&[Fact::Month])) != Facts::NONE) + u32::from(wanted.has(Fact::Month))
    }

    fn read_many(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        crate::bound(cards.len(), if ask == Ask::State { 0 } else { BATCH_CARDS })?;
        self.lines(call, cards, ask)
    }
}
