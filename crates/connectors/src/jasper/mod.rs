//! Jasper's REST interface: China Unicom's older accounts, and operators abroad.
//!
//! Every request carries the user's name and key; there is no login. Promised besides what every connector promises: what the
//! platform tells by itself counts only under a good signature. A write counts by what the card then shows, a message by its
//! number.
//!
//! Settings: `username`, `api_key`; `url`, `apply_seconds`, `timeout_seconds`, `cycle_first_day`; `push_secret` (without it nothing
//! is taken that the platform tells by itself) and `push_hash` (`sha256` or `sha1`); the account's own names of its communication plans
//! ([`crate::plans`]): `plan_on` with data, `plan_off` without (with both a card's data can be switched), `plan_speeds` slower ones
//! (`KILOBITS=NAME,...`; with `plan_on` a card can be slowed); and the rate of
//! requests ([`crate::open`]).

mod push;

use crate::http::{self, Ask as Question, Http};
use crate::json;
use crate::keys::Keys;
use crate::plans::{Next, Plans};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{
    Answer, Bought, Call, Callback, Capabilities, Card, Change, Changes, Connector, Cycle, Fact, Facts, LOGIN_REFUSED_SECONDS,
    Line, Login, News, Pace, Period, Request, Sent, Session, Standing, Stop, Write,
};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::time::Timestamp;
use serde_json::{Map, Value, json};

/// The address of China Unicom's accounts.
const URL: &str = "https://api.10646.cn";
/// Requests that it takes unless the settings say otherwise; the public sources name no number, but a code for too many.
const PACE: Pace = Pace::a_second(5, 10);
/// Seconds to wait when the platform has had too many questions.
const BUSY_SECONDS: i64 = 60;
/// Cards of one page.
const PAGE_ROWS: &str = "50";
/// What a card's own page tells.
const DEVICE: Facts = Facts::of(&[Fact::Numbers, Fact::State, Fact::StopReason, Fact::Imei, Fact::Packages, Fact::Apns]);

/// The client of one account.
pub struct Jasper {
    http: Http,
    authorization: String,
    apply_seconds: i64,
    cycle: Cycle,
    push: Option<push::Secret>,
    plans: Option<Plans>,
    pace: Pace,
}

impl Jasper {
    /// Reads the settings.
    pub fn open(settings: &Map<String, Value>, addresses: &Addresses) -> Result<Jasper, String> {
        let mut keys = Keys::of(settings);
        let (username, api_key, url) = (keys.needed("username")?, keys.needed("api_key")?, keys.text("url", URL)?);
        let apply_seconds = keys.number("apply_seconds", 600, (1, 86_400))?;
        let timeout_seconds = keys.number("timeout_seconds", 30, (1, 300))?;
        let first_day = u8::try_from(keys.number("cycle_first_day", 27, (1, 28))?).unwrap_or(27);
        let hash = keys.one_of("push_hash", &["sha256", "sha1"])?;
        let push = keys.optional("push_secret")?.map(|secret| push::Secret::new(secret, hash));
        let plans = Plans::read(&mut keys, ["plan_on", "plan_off", "plan_speeds"])?;
        let pace = keys.pace(PACE)?;
        keys.end()?;
        let http = Http::open(&url, timeout_seconds.unsigned_abs(), addresses).map_err(|e| format!("url: {e}"))?;
        let authorization = format!("Basic {}", STANDARD.encode(format!("{username}:{api_key}")));
        Ok(Jasper { http, authorization, apply_seconds, cycle: Cycle { first_day }, push, plans, pace })
    }

    /// What can be read of a card: whether its data is on only where that is a plan of the account's.
    fn facts(&self) -> Facts {
        let switches = self.plans.as_ref().is_some_and(Plans::switches);
        let device = if switches { DEVICE } else { DEVICE.without(Facts::of(&[Fact::Apns])) };
        device.or(Facts::of(&[Fact::Month, Fact::Session]))
    }

    /// One request; `path` is what follows `/rws/api/v1/`.
    fn ask(&self, call: &Call<'_>, verb: &'static str, path: &str, body: Option<Value>) -> Result<Value, Answer> {
        call.next()?;
        let path = format!("/rws/api/v1/{path}");
        let headers = vec![("Authorization", self.authorization.clone()), ("Accept", "application/json".to_owned())];
        let write = verb != "GET";
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        let reply = self.http.send(call, Question { verb, path: &path, headers, body, write })?;
        let doubt = || Answer::InDoubt { reason: format!("HTTP {}: {}", reply.status, http::excerpt(&reply.text)) };
        let told: Value = serde_json::from_str(&reply.text).map_err(|_| doubt())?;
        match (reply.status, no(reply.status, &told)) {
            (200..=299, None) => Ok(told),
            // An error may come with a good status too.
            (_, no) => Err(no.unwrap_or_else(doubt)),
        }
    }

    fn device(&self, call: &Call<'_>, card: &Card) -> Result<Value, Answer> {
        self.ask(call, "GET", &format!("devices/{}", http::encoded(&card.iccid)), None)
    }

    fn line(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        let (mut line, of) = (Line::default(), format!("devices/{}", http::encoded(&card.iccid)));
        if wanted.and(DEVICE) != Facts::NONE {
            let told = self.device(call, card)?;
            learn(&mut line, &told, wanted);
            if let Some(plans) = self.plans.as_ref().filter(|_| wanted.has(Fact::Apns)) {
                line.apns = json::text(&told, "communicationPlan").map(|plan| vec![plans.apn(&plan)]);
            }
        }
        if wanted.has(Fact::Month) {
            let told = self.ask(call, "GET", &format!("{of}/ctdUsages"), None)?;
            let bytes = json::text(&told, "ctdDataUsage").and_then(|text| crate::amount::bytes(&text, crate::amount::Unit::Byte));
            line.month = bytes.map(|bytes| Period::this_month(self.cycle, bytes, call.now));
        }
        if wanted.has(Fact::Session) {
            let told = match self.ask(call, "GET", &format!("{of}/sessionInfo"), None) {
                // A card without a session has none to tell.
                Err(Answer::Refused { .. }) => Value::Null,
                told => told?,
            };
            line.sessions = Some(session(&told).into_iter().collect());
        }
        Ok(line)
    }

    fn write(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Answer> {
        crate::from_now(&request.write)?;
        let of = format!("devices/{}", http::encoded(&request.card.iccid));
        let body = match &request.write {
            Write::RefreshUsage => return Ok(Answer::Confirmed),
            Write::SendSms { text } => {
                let body = json!({"messageText": text, "messageEncoding": "LITERAL"});
                let told = self.ask(call, "POST", &format!("{of}/smsMessages"), Some(body))?;
                return Ok(Answer::Accepted { job: json::text(&told, "smsMessageId") });
            }
            Write::Subscribe { package, .. } => json!({"ratePlan": package}),
            write if Plans::is_for(write) => {
                let Some(plans) = &self.plans else { return Err(Answer::unsupported("do this")) };
                let has = plan(&self.device(call, &request.card).map_err(crate::before)?).map_err(crate::before)?;
                match plans.next(write, &has) {
                    Next::Said(answer) => return Ok(answer),
                    Next::Give(plan) => json!({"communicationPlan": plan}),
                }
            }
            write => json!({"status": target(write).ok_or_else(|| Answer::unsupported("do this"))?}),
        };
        match self.ask(call, "PUT", &of, Some(body)) {
            Ok(_) => Ok(Answer::ACCEPTED),
            Err(refused @ Answer::Refused { .. }) => Err(crate::refused_or_so(refused, || self.shows(call, request))),
            Err(other) => Err(other),
        }
    }

    /// Whether the card shows the act as done.
    fn shows(&self, call: &Call<'_>, request: &Request) -> Result<bool, Answer> {
        let told = self.device(call, &request.card)?;
        if let Some(plans) = self.plans.as_ref().filter(|_| Plans::is_for(&request.write)) {
            return Ok(plans.is_so(&request.write, &plan(&told)?));
        }
        Ok(match &request.write {
            Write::Subscribe { package, .. } => json::text(&told, "ratePlan").as_ref() == Some(package),
            write => json::text(&told, "status").as_deref() == target(write),
        })
    }

    fn message(&self, call: &Call<'_>, sent: &Sent) -> Result<Answer, Answer> {
        let Some(job) = &sent.job else {
            return Err(Answer::InDoubt { reason: "the platform did not number the message".into() });
        };
        let told = self.ask(call, "GET", &format!("smsMessages/{}", http::encoded(job)), None)?;
        let status = json::text(&told, "status").unwrap_or_default();
        Ok(match status.to_ascii_lowercase().as_str() {
            "delivered" | "received" => Answer::Confirmed,
            "failed" | "rejected" | "expired" | "cancelled" | "undeliverable" => {
                Answer::Refused { code: status.clone(), reason: "the message was not delivered".into() }
            }
            _ => Answer::Accepted { job: Some(job.clone()) },
        })
    }
}

/// The name of a card's communication plan.
fn plan(device: &Value) -> Result<String, Answer> {
    json::text(device, "communicationPlan").ok_or_else(|| Answer::InDoubt { reason: "a plan that is not told".into() })
}

/// The platform's no; none if it does not say why.
fn no(status: u16, told: &Value) -> Option<Answer> {
    let words = json::text(told, "errorMessage")?;
    let code = json::text(told, "errorCode").unwrap_or_else(|| format!("HTTP {status}"));
    Some(match (status, code.as_str()) {
        _ if words.contains("in progress") => Answer::Later { seconds: BUSY_SECONDS, reason: format!("{code} {words}") },
        (_, "40000029") => Answer::Later { seconds: BUSY_SECONDS, reason: format!("{code} {words}") },
        // The account itself is refused: it says nothing of the card.
        (401 | 403, _) | (_, "10000001") => Answer::Later { seconds: LOGIN_REFUSED_SECONDS, reason: format!("{code} {words}") },
        // A server in trouble, which the platform tells of with HTTP 200: it may have done what it was asked for.
        _ if code.starts_with("3000") => Answer::InDoubt { reason: format!("{code} {words}") },
        _ => crate::refused(&code, &words),
    })
}

/// A card's state.
fn state(raw: &str) -> BaseState {
    match raw {
        "INVENTORY" => BaseState::Inventory,
        "TEST_READY" => BaseState::Testing,
        "ACTIVATION_READY" => BaseState::Ready,
        "ACTIVATED" => BaseState::Active,
        "DEACTIVATED" => BaseState::Stopped,
        "RETIRED" | "PURGED" => BaseState::Closed,
        "REPLACED" => BaseState::Replaced,
        _ => BaseState::Unknown,
    }
}

/// The state that an act asks for.
fn target(write: &Write) -> Option<&'static str> {
    match write {
        Write::Stop => Some("DEACTIVATED"),
        Write::Resume | Write::Activate => Some("ACTIVATED"),
        Write::EndTest => Some("ACTIVATION_READY"),
        _ => None,
    }
}

fn standing(row: &Value) -> Option<Standing> {
    let raw = json::text(row, "status")?;
    Some(Standing { base: state(&raw), raw, since: None })
}

fn learn(line: &mut Line, row: &Value, wanted: Facts) {
    if wanted.has(Fact::Numbers) {
        line.iccid = json::text(row, "iccid");
        line.msisdn = json::text(row, "msisdn");
        line.imsi = json::text(row, "imsi");
    }
    let standing = standing(row);
    if wanted.has(Fact::StopReason) {
        let stopped = standing.as_ref().is_some_and(|s| s.base == BaseState::Stopped);
        let blocks = if stopped { Blocks::OWNER_STOP } else { Blocks::NONE };
        let raw = standing.as_ref().map(|s| s.raw.clone()).unwrap_or_default();
        line.stop = Some(Stop { blocks, raw, words: blocks.names().join(", ") });
    }
    line.standing = standing.filter(|_| wanted.has(Fact::State));
    if wanted.has(Fact::Imei) {
        line.imei = json::text(row, "imei");
    }
    if wanted.has(Fact::Packages) {
        let plan = json::text(row, "ratePlan").map(|code| Bought { name: code.clone(), code, ..Bought::default() });
        line.packages = Some(plan.into_iter().collect());
    }
}

fn session(told: &Value) -> Option<Session> {
    let since = json::text(told, "dateSessionStarted")?;
    if json::text(told, "dateSessionEnded").is_some() {
        return None;
    }
    let ip = json::text(told, "ipAddress").or_else(|| json::text(told, "ipv6Address"));
    Some(Session { since: time(&since), ip, apn: json::text(told, "apn"), rat: None })
}

/// A time with its zone, or one in China.
fn time(text: &str) -> Option<Timestamp> {
    let dashed = || text.get(..19).map(|t| t.replace('T', " ")).and_then(|t| crate::china().parse(&t).ok());
    Timestamp::parse_rfc3339(text).ok().or_else(dashed)
}

impl Connector for Jasper {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            subscribe: true,
            stop_resume: true,
            activate: true,
            end_test: true,
            data_switch: self.plans.as_ref().is_some_and(Plans::switches),
            speed: self.plans.as_ref().is_some_and(Plans::slows),
            one_plan: self.plans.is_some(),
            usage: true,
            sms: true,
            look: true,
            shows: true,
            changes: true,
            callbacks: self.push.is_some(),
            facts: self.facts(),
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
            Write::SendSms { .. } => self.message(call, sent),
            _ => Ok(crate::by_sight(self.shows(call, request)?, call.now, sent, self.apply_seconds)),
        })
    }

    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        self.line(call, card, wanted.and(self.facts()))
    }

    fn cost(&self, wanted: Facts) -> u32 {
        u32::from(wanted.and(DEVICE) != Facts::NONE) + u32::from(wanted.has(Fact::Month)) + u32::from(wanted.has(Fact::Session))
    }

    fn changes(&self, call: &Call<'_>, day: i64, from: Option<&str>) -> Result<Changes, Answer> {
        let page: u32 = from
            .map_or(Ok(1), str::parse)
            .map_err(|_| Answer::Refused { code: "page".into(), reason: "the page is none that was given out".into() })?;
        let since = format!("{}+08:00", crate::china().text(crate::china().start_of_day(day)).replace(' ', "T"));
        let page_text = page.to_string();
        let params = [("modifiedSince", since.as_str()), ("pageSize", PAGE_ROWS), ("pageNumber", page_text.as_str())];
        let told = self.ask(call, "GET", &format!("devices?{}", http::query(&params)), None)?;
        let change = |row: &Value| Change { iccid: json::text(row, "iccid"), msisdn: None, standing: standing(row) };
        let last = json::text(&told, "lastPage").is_none_or(|last| last == "true");
        Ok(Changes {
            changes: json::list(&told, "devices").iter().map(change).collect(),
            next: (!last).then(|| (page + 1).to_string()),
        })
    }

    fn read_callback(&self, callback: &Callback<'_>, _: Timestamp) -> Result<Vec<News>, Answer> {
        match &self.push {
            Some(secret) => push::read(secret, callback),
            None => Err(Answer::unsupported("be heard without push_secret")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        for (settings, says) in [
            (json!({"username": "u"}), "api_key is missing"),
            (json!({"username": "u", "api_key": "k", "push_hash": "md5"}), "push_hash: \"md5\" is none of sha256, sha1"),
            (json!({"username": "u", "api_key": "k", "cycle_first_day": 29}), "cycle_first_day: 29"),
        ] {
            let error = Jasper::open(settings.as_object().unwrap(), &Addresses::default()).err().unwrap();
            assert!(error.starts_with(says), "{settings}: {error}");
        }
    }

    #[test]
    fn every_no_has_its_class() {
        let told = |code: &str| json!({"errorMessage": "words", "errorCode": code});
        for (status, code, class) in [
            (401, "", "later"),
            (404, "20000001", "refused"),
            (400, "40000029", "later"),
            (400, "10000001", "later"),
            (400, "20000030", "refused"),
            (200, "30000001", "in_doubt"),
        ] {
            let answer = no(status, &told(code)).unwrap();
            assert_eq!(serde_json::to_value(answer).unwrap()["answer"], class, "{status} {code}");
        }
        let busy = json!({"errorMessage": "A previous change of this device is in progress", "errorCode": "20000031"});
        assert!(matches!(no(400, &busy), Some(Answer::Later { .. })));
        assert_eq!(no(400, &json!({})), None);
    }

    #[test]
    fn every_state_is_known() {
        for (raw, word) in [
            ("TEST_READY", "testing"),
            ("INVENTORY", "inventory"),
            ("ACTIVATION_READY", "ready"),
            ("ACTIVATED", "active"),
            ("DEACTIVATED", "stopped"),
            ("RETIRED", "closed"),
            ("PURGED", "closed"),
            ("REPLACED", "replaced"),
            ("X", "unknown"),
        ] {
            assert_eq!(state(raw).word(), word);
        }
    }
}
