//! China Unicom's gateway (雁飞智连 CMP).
//!
//! Every request is signed by itself (SM3); there is no login. Promised besides what every connector promises: no two requests
//! have the same number; both envelopes of an answer are checked; months are those from the 27th to the 26th. A write counts by
//! what the card then shows.
//!
//! Settings: `app_id`, `app_secret`, `open_id`; `url`, `apply_seconds`, `lag_seconds` (how far usage lags behind), `batch_cards`,
//! `timeout_seconds`, `cycle_first_day`; the account's own numbers of its communication plans ([`crate::plans`]): `nac_on` with data,
//! `nac_off` without (with both a card's data can be switched), `nac_speeds` slower ones (`KILOBITS=NUMBER,...`; with `nac_on` a card
//! can be slowed); and the rate of requests ([`crate::open`]).

mod wire;

use crate::amount::{self, Unit};
use crate::http::{Ask as Question, Http};
use crate::json;
use crate::keys::Keys;
use crate::plans::{Next, Plans};
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{
    Answer, Ask, Batches, Bought, Call, Capabilities, Card, Connector, Cycle, Fact, Facts, Line, Login, Pace, Period, Request,
    Sent, Session, Standing, Stop, Write,
};
use kachi_domain::sim::Blocks;
use kachi_domain::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The carrier's address.
const URL: &str = "https://gwapi.10646.cn";
/// Cards of one question (facts C4.2).
const BATCH_CARDS_MAX: i64 = 50;
/// Requests that it takes unless the settings say otherwise; the public sources name no number.
const PACE: Pace = Pace::a_second(10, 20);
/// What changes a card, and what of its communication plan; all of it shows afterwards.
const EDIT: &str = "wsEditTerminal";
const EDIT_ACCESS: &str = "wsEditNetworkAccessConfig";
/// What [`EDIT`] changes: a card's state, and its rate plan.
const CHANGE_STATE: &str = "3";
const CHANGE_PLAN: &str = "4";
/// What the question about many cards tells of each.
const DETAILS: Facts = Facts::of(&[Fact::Numbers, Fact::State, Fact::StopReason, Fact::Imei, Fact::Month, Fact::Packages]);

/// The client of one account.
pub struct Unicom {
    http: Http,
    app_id: String,
    app_secret: String,
    open_id: String,
    apply_seconds: i64,
    lag_seconds: i64,
    batch_cards: i64,
    cycle: Cycle,
    plans: Option<Plans>,
    pace: Pace,
}

impl Unicom {
    /// Reads the settings.
    pub fn open(settings: &Map<String, Value>, addresses: &Addresses) -> Result<Unicom, String> {
        let mut keys = Keys::of(settings);
        let (app_id, app_secret) = (keys.needed("app_id")?, keys.needed("app_secret")?);
        let (open_id, url) = (keys.needed("open_id")?, keys.text("url", URL)?);
        let apply_seconds = keys.number("apply_seconds", 600, (1, 86_400))?;
        let lag_seconds = keys.number("lag_seconds", 900, (0, 86_400))?;
        let batch_cards = keys.number("batch_cards", BATCH_CARDS_MAX, (1, BATCH_CARDS_MAX))?;
        let timeout_seconds = keys.number("timeout_seconds", 30, (1, 300))?;
        let first_day = u8::try_from(keys.number("cycle_first_day", 27, (1, 28))?).unwrap_or(27);
        let plans = Plans::read(&mut keys, ["nac_on", "nac_off", "nac_speeds"])?;
        let pace = keys.pace(PACE)?;
        keys.end()?;
        let http = Http::open(&url, timeout_seconds.unsigned_abs(), addresses).map_err(|e| format!("url: {e}"))?;
        let cycle = Cycle { first_day };
        Ok(Unicom { http, app_id, app_secret, open_id, apply_seconds, lag_seconds, batch_cards, cycle, plans, pace })
    }

    /// What can be read of a card: whether its data is on only where that is a plan of the account's.
    fn facts(&self) -> Facts {
        let switches = self.plans.as_ref().is_some_and(Plans::switches);
        let apns = if switches { Facts::of(&[Fact::Apns]) } else { Facts::NONE };
        DETAILS.or(Facts::of(&[Fact::Session])).or(apns)
    }

    /// One request: what stands inside of both envelopes.
    fn ask(&self, call: &Call<'_>, api: &str, data: Value) -> Result<Value, Answer> {
        let (timestamp, trans_id) = wire::stamps(call.now, call.next()?);
        let token = wire::token(&self.app_id, &timestamp, &trans_id, &self.app_secret);
        let write = api == EDIT || api == EDIT_ACCESS;
        let mut inner = json!({"messageId": trans_id, "openId": self.open_id, "version": "1.0"});
        if let (Some(inner), Value::Object(more)) = (inner.as_object_mut(), data) {
            inner.extend(more);
        }
        let body = json!({
            "app_id": self.app_id, "timestamp": timestamp, "trans_id": trans_id, "token": token, "data": inner,
        });
        let body = Some(("application/json", body.to_string().into_bytes()));
        let path = format!("/api/{api}/V1/1Main/vV1.1");
        let reply = self.http.send(call, Question { verb: "POST", path: &path, body, write, ..Question::default() })?;
        wire::open(reply.status, &reply.text, write)
    }

    /// What is told of these cards, by card number.
    fn details(&self, call: &Call<'_>, cards: &[Card]) -> Result<HashMap<String, Value>, Answer> {
        let iccids: Vec<&str> = cards.iter().map(|card| card.iccid.as_str()).collect();
        let told = self.ask(call, "wsGetTerminalDetails", json!({"iccids": iccids}))?;
        let rows = json::list(&told, "terminals").iter();
        Ok(rows.filter_map(|row| Some((json::text(row, "iccid")?.to_ascii_uppercase(), row.clone()))).collect())
    }

    fn detail(&self, call: &Call<'_>, card: &Card) -> Result<Value, Answer> {
        let absent = || Answer::Refused { code: "absent".into(), reason: "the carrier does not tell of the card".into() };
        self.details(call, std::slice::from_ref(card))?.remove(&card.iccid.to_ascii_uppercase()).ok_or_else(absent)
    }

    fn learn(&self, row: &Value, wanted: Facts, now: Timestamp) -> Line {
        let mut line = Line::default();
        if wanted.has(Fact::Numbers) {
            line.iccid = json::text(row, "iccid");
            line.msisdn = json::text(row, "msisdn");
            line.imsi = json::text(row, "imsi");
        }
        let raw = json::text(row, "simStatus");
        if wanted.has(Fact::State) {
            let standing = |raw: &String| Standing { base: wire::state(raw), raw: raw.clone(), since: None };
            line.standing = raw.as_ref().map(standing);
        }
        if wanted.has(Fact::StopReason) {
            line.stop = raw.map(|raw| stop(row, raw));
        }
        if wanted.has(Fact::Imei) {
            line.imei = json::text(row, "imei");
        }
        if wanted.has(Fact::Month) {
            let bytes = json::text(row, "monthToDateDataUsage").or_else(|| json::text(row, "monthToDateUsage"));
            let bytes = bytes.and_then(|text| amount::bytes(&text, Unit::Mb));
            line.month = bytes.map(|bytes| Period::this_month(self.cycle, bytes, now.plus(-self.lag_seconds)));
        }
        if wanted.has(Fact::Packages) {
            let plan = json::text(row, "ratePlan").map(|code| Bought { name: code.clone(), code, ..Bought::default() });
            line.packages = Some(plan.into_iter().collect());
        }
        line
    }

    fn line(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        let mut line = Line::default();
        if wanted.and(DETAILS) != Facts::NONE {
            line = self.learn(&self.detail(call, card)?, wanted, call.now);
        }
        if wanted.has(Fact::Session) {
            let told = match self.ask(call, "wsGetSessionInfo", json!({"iccid": card.iccid})) {
                // A card without a session has none to tell.
                Err(Answer::Refused { .. }) => Value::Null,
                told => told?,
            };
            line.sessions = Some(session(&told).into_iter().collect());
        }
        if let Some(plans) = self.plans.as_ref().filter(|_| wanted.has(Fact::Apns)) {
            line.apns = Some(vec![plans.apn(&self.plan(call, card)?)]);
        }
        Ok(line)
    }

    /// The number of a card's communication plan.
    fn plan(&self, call: &Call<'_>, card: &Card) -> Result<String, Answer> {
        let told = self.ask(call, "wsGetNetworkAccessConfig", json!({"iccids": [card.iccid]}))?;
        wire::plan_of(&told, &card.iccid).ok_or_else(|| Answer::InDoubt { reason: "a plan that is not told".into() })
    }

    fn lines(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        let wanted = match ask {
            // The row that tells the state tells the reason too.
            Ask::State => Facts::of(&[Fact::State, Fact::StopReason]),
            Ask::Month(month) if month == self.cycle.month(crate::china().day(call.now)) => Facts::of(&[Fact::Month]),
            Ask::Month(_) | Ask::Day(_) => {
                return Err(Answer::unsupported("tell many cards' usage of a day or of a month that is over"));
            }
        };
        let told = self.details(call, cards)?;
        let absent = || Answer::Refused { code: "absent".into(), reason: "the carrier does not tell of the card".into() };
        let line = |card: &Card| told.get(&card.iccid.to_ascii_uppercase()).map(|row| self.learn(row, wanted, call.now));
        Ok(cards.iter().map(|card| line(card).ok_or_else(absent)).collect())
    }

    fn write(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Answer> {
        if request.write == Write::RefreshUsage {
            return Ok(Answer::Confirmed);
        }
        crate::from_now(&request.write)?;
        let (api, data) = match (&request.write, &self.plans) {
            (write, Some(plans)) if Plans::is_for(write) => {
                let has = self.plan(call, &request.card).map_err(crate::before)?;
                match plans.next(write, &has) {
                    Next::Said(answer) => return Ok(answer),
                    Next::Give(plan) => (EDIT_ACCESS, json!({"asynchronous": "0", "iccid": request.card.iccid, "nacId": plan})),
                }
            }
            (write, _) => {
                let (change, target) = match write {
                    Write::Subscribe { package, .. } => (CHANGE_PLAN, package.as_str()),
                    write => (CHANGE_STATE, wire::target(write).ok_or_else(|| Answer::unsupported("do this"))?),
                };
                let data = json!({
                    "asynchronous": "0", "iccid": request.card.iccid, "changeType": change, "targetValue": target,
                    "effectiveDate": "",
                });
                (EDIT, data)
            }
        };
        match self.ask(call, api, data) {
            Ok(_) => Ok(Answer::ACCEPTED),
            Err(refused @ Answer::Refused { .. }) => Err(crate::refused_or_so(refused, || self.shows(call, request))),
            Err(other) => Err(other),
        }
    }

    /// Whether the card shows the act as done.
    fn shows(&self, call: &Call<'_>, request: &Request) -> Result<bool, Answer> {
        if let Some(plans) = self.plans.as_ref().filter(|_| Plans::is_for(&request.write)) {
            return Ok(plans.is_so(&request.write, &self.plan(call, &request.card)?));
        }
        let row = self.detail(call, &request.card)?;
        Ok(match &request.write {
            Write::Subscribe { package, .. } => json::text(&row, "ratePlan").as_ref() == Some(package),
            write => json::text(&row, "simStatus").as_deref() == wire::target(write),
        })
    }
}

/// Why a card has no network, as far as the gateway tells.
fn stop(row: &Value, raw: String) -> Stop {
    let locked = json::text(row, "lockStatus").as_deref() == Some("1");
    let stopped = if raw == "3" { Blocks::OWNER_STOP } else { Blocks::NONE };
    let locked = if locked { Blocks::CARRIER_MANAGEMENT } else { Blocks::NONE };
    let over = json::text(row, "overageLimitReached").is_some_and(|w| matches!(w.as_str(), "1" | "true" | "Y"));
    let over = if over { Blocks::QUOTA } else { Blocks::NONE };
    let blocks = Blocks(stopped.0 | locked.0 | over.0);
    Stop { blocks, raw, words: blocks.names().join(", ") }
}

/// A session in an answer; an end that is told means there is none.
fn session(told: &Value) -> Option<Session> {
    let told = ["sessionInfo", "terminals", "sessions"].iter().find_map(|f| told.get(f)?.as_array()?.first()).unwrap_or(told);
    let field = |names: &[&str]| names.iter().find_map(|name| json::text(told, name));
    let since = field(&["dateSessionStarted", "sessionStartTime", "startTime"]);
    let ip = field(&["ipAddress", "ip", "deviceIpAddress"]);
    let ended = field(&["dateSessionEnded", "sessionEndTime", "endTime"]);
    if ended.is_some() || (since.is_none() && ip.is_none()) {
        return None;
    }
    let since = since.and_then(|text| crate::china().parse(text.get(..19)?.replace('T', " ").as_str()).ok());
    Some(Session { since, ip, apn: field(&["apn", "apnName"]), rat: field(&["networkType", "rat"]) })
}

impl Connector for Unicom {
    fn capabilities(&self) -> Capabilities {
        let cards = u16::try_from(self.batch_cards).unwrap_or(1);
        Capabilities {
            subscribe: true,
            stop_resume: true,
            activate: true,
            end_test: true,
            data_switch: self.plans.as_ref().is_some_and(Plans::switches),
            speed: self.plans.as_ref().is_some_and(Plans::slows),
            one_plan: self.plans.is_some(),
            usage: true,
            look: true,
            shows: true,
            facts: self.facts(),
            batches: Batches { state: cards, day: 0, month: cards },
            cycle: self.cycle,
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
        crate::looked(self.capabilities(), request, || match &request.write {
            Write::RefreshUsage => Ok(Answer::Confirmed),
            _ => Ok(crate::by_sight(self.shows(call, request)?, call.now, sent, self.apply_seconds)),
        })
    }

    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        self.line(call, card, wanted.and(self.facts()))
    }

    fn cost(&self, wanted: Facts) -> u32 {
        let wanted = wanted.and(self.facts());
        u32::from(wanted.and(DETAILS) != Facts::NONE) + u32::from(wanted.has(Fact::Session)) + u32::from(wanted.has(Fact::Apns))
    }

    fn read_many(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        crate::bound(cards.len(), if matches!(ask, Ask::Day(_)) { 0 } else { self.capabilities().batches.state })?;
        self.lines(call, cards, ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        for (settings, says) in [
            (json!({"app_id": "a"}), "app_secret is missing"),
            (json!({"app_id": "a", "app_secret": "s", "open_id": "o", "nac_on": "1"}), "nac_on and nac_off go together"),
            (json!({"app_id": "a", "app_secret": "s", "open_id": "o", "batch_cards": 51}), "batch_cards: 51 is not"),
        ] {
            let error = Unicom::open(settings.as_object().unwrap(), &Addresses::default()).err().unwrap();
            assert!(error.starts_with(says), "{settings}: {error}");
        }
    }

    #[test]
    fn a_session_that_has_ended_is_none() {
        let up = json!({"iccid": "8986", "ipAddress": "10.0.0.1", "dateSessionStarted": "2026-03-10 08:00:00"});
        assert_eq!(session(&up).unwrap().since, crate::china().parse("2026-03-10 08:00:00").ok());
        let mut over = up.clone();
        over["dateSessionEnded"] = json!("2026-03-10 09:00:00");
        assert_eq!((session(&over), session(&Value::Null), session(&json!({"iccid": "8986"}))), (None, None, None));
    }
}
