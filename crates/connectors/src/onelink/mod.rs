//! China Mobile OneLink, EC API v5.
//!
//! Promised besides what every connector promises: no two requests ever have the same number; one account has one live
//! token, and a killed one is told as such; a write for one card counts by what the card then shows, a batch by its job and
//! then by what each card shows; a batch that one cooling card makes the carrier refuse goes again without it.
//!
//! Settings: `appid`, `password`; `url`; `verb` (both are accepted by the carrier); `cool_down_seconds`, `apply_seconds` (how
//! long a taken write may take to show), `token_margin_seconds`, `timeout_seconds`; `batch_cards`; `start_num` (what the change feed's
//! `startNum` counts: `page` or `row`); `main_offer` (`0` or `1`, what `maincommoDity` says of a package that is ordered: without
//! it none are); `voice_param` (the name of the parameter
//! with a voice list's numbers, which no public source tells: without it there are no voice lists); `sms_action` (the number of
//! the registered template: without it there are no messages) and `sms_encode`; and the rate of requests ([`crate::open`]).

mod read;
mod wire;
mod writes;

use crate::http::{self, Ask as Question, Http};
use crate::json;
use crate::keys::Keys;
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{
    Answer, Ask, Batches, Call, Capabilities, Card, Changes, Connector, Cycle, Fact, Facts, Line, Login, Pace, Request, Sent,
};
use serde_json::{Map, Value};
use wire::Envelope;

/// The carrier's address.
const URL: &str = "https://api.iot.10086.cn";
/// Cards of one batch (facts C1.1).
const BATCH_CARDS_MAX: i64 = 100;
/// Requests that it takes unless the settings say otherwise; the public sources name no number.
const PACE: Pace = Pace::a_second(10, 20);
/// What can be read of a card.
const FACTS: Facts = Facts::ALL.without(Facts::of(&[Fact::Day, Fact::Counter, Fact::Network]));

/// The client of one OneLink account.
pub struct OneLink {
    http: Http,
    terms: Terms,
}

/// The account's settings.
struct Terms {
    appid: String,
    password: String,
    verb: &'static str,
    cool_down_seconds: i64,
    apply_seconds: i64,
    token_margin_seconds: i64,
    batch_cards: i64,
    /// Whether pages of the change feed are asked for by their number, or by that of their first row.
    by_page: bool,
    /// What is said of a package that is ordered.
    main_offer: Option<String>,
    /// What the carrier calls the numbers of a voice list.
    voice_param: Option<String>,
    sms: Option<(String, String)>,
    pace: Pace,
}

impl OneLink {
    /// Reads the settings.
    pub fn open(settings: &Map<String, Value>, addresses: &Addresses) -> Result<OneLink, String> {
        let mut keys = Keys::of(settings);
        let (appid, password) = (keys.needed("appid")?, keys.needed("password")?);
        let (url, verb) = (keys.text("url", URL)?, keys.one_of("verb", &["GET", "POST"])?);
        let cool_down_seconds = keys.number("cool_down_seconds", 180, (0, 86_400))?;
        let apply_seconds = keys.number("apply_seconds", 600, (1, 86_400))?;
        let token_margin_seconds = keys.number("token_margin_seconds", 300, (0, 3_000))?;
        let timeout_seconds = keys.number("timeout_seconds", 30, (1, 300))?;
        let batch_cards = keys.number("batch_cards", BATCH_CARDS_MAX, (1, BATCH_CARDS_MAX))?;
        let by_page = keys.one_of("start_num", &["page", "row"])? == "page";
        let main_offer = keys.optional("main_offer")?;
        if main_offer.as_ref().is_some_and(|word| !matches!(word.as_str(), "0" | "1")) {
            return Err("main_offer: it is none of \"0\", \"1\"".into());
        }
        let voice_param = keys.optional("voice_param")?;
        let encode = keys.text("sms_encode", "0")?;
        let sms = keys.optional("sms_action")?.map(|action| (action, encode));
        let pace = keys.pace(PACE)?;
        keys.end()?;
        let http = Http::open(&url, timeout_seconds.unsigned_abs(), addresses).map_err(|e| format!("url: {e}"))?;
        let terms = Terms {
            appid,
            password,
            verb,
            cool_down_seconds,
            apply_seconds,
            token_margin_seconds,
            batch_cards,
            by_page,
            main_offer,
            voice_param,
            sms,
            pace,
        };
        Ok(OneLink { http, terms })
    }

    /// One request; the rows of its result. `path` is what follows `/v5/ec/`.
    fn ask(&self, call: &Call<'_>, path: &str, params: &[(&str, &str)]) -> Result<Vec<Value>, Answer> {
        if !call.login.is_live(call.now) {
            return Err(Answer::NoLogin { reason: "there is no live login".into() });
        }
        let transid = wire::transid(&self.terms.appid, call.now, call.next()?);
        let mut all = vec![("transid", transid.as_str()), ("token", call.login.token.as_str())];
        all.extend_from_slice(params);
        self.send(call, path, &all)
    }

    fn send(&self, call: &Call<'_>, path: &str, params: &[(&str, &str)]) -> Result<Vec<Value>, Answer> {
        let write = writes::is_write(path);
        let mut path = format!("/v5/ec/{path}");
        let mut body = None;
        if self.terms.verb == "GET" {
            path = format!("{path}?{}", http::query(params));
        } else {
            let fields: Map<String, Value> = params.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
            body = Some(("application/json", Value::Object(fields).to_string().into_bytes()));
        }
        let reply = self.http.send(call, Question { verb: self.terms.verb, path: &path, body, write, ..Question::default() })?;
        match wire::open(reply.status, &reply.text) {
            Envelope::Rows(rows) => Ok(rows),
            Envelope::No(code, words) => Err(wire::answer(&code, &words, self.terms.cool_down_seconds)),
            Envelope::Noise(seen) => Err(Answer::InDoubt { reason: seen }),
        }
    }

    /// One request about one card; the first row of its result.
    fn about(&self, call: &Call<'_>, path: &str, card: &Card, more: &[(&str, &str)]) -> Result<Value, Answer> {
        let mut params = vec![("iccid", card.iccid.as_str())];
        params.extend_from_slice(more);
        Ok(self.ask(call, path, &params)?.into_iter().next().unwrap_or_default())
    }
}

impl Connector for OneLink {
    fn capabilities(&self) -> Capabilities {
        let cards = u16::try_from(self.terms.batch_cards).unwrap_or(1);
        Capabilities {
            subscribe: self.terms.main_offer.is_some(),
            stop_resume: true,
            activate: true,
            end_test: true,
            data_switch: true,
            functions: true,
            speed: true,
            voice_list: self.terms.voice_param.is_some(),
            session_reset: true,
            usage: true,
            sms: self.terms.sms.is_some(),
            look: true,
            shows: true,
            login: true,
            changes: true,
            facts: FACTS,
            batches: Batches { state: 0, day: cards, month: cards },
            submit_batch: cards,
            cool_down_seconds: self.terms.cool_down_seconds,
            cycle: Cycle::NATURAL,
            pace: self.terms.pace,
            ..Capabilities::default()
        }
    }

    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer> {
        let transid = wire::transid(&self.terms.appid, call.now, call.next()?);
        let who =
            [("appid", self.terms.appid.as_str()), ("password", self.terms.password.as_str()), ("transid", transid.as_str())];
        let told = match self.send(call, "get/token", &who) {
            Err(Answer::Later { seconds: kachi_domain::carrier::LOGIN_REFUSED_SECONDS, reason }) => {
                return Err(Answer::Refused { code: "login".into(), reason });
            }
            told => told?,
        };
        let row = told.into_iter().next().unwrap_or_default();
        let unread = || Answer::InDoubt { reason: "a login without a token".into() };
        let token = json::text(&row, "token").ok_or_else(unread)?;
        let ttl = json::text(&row, "ttl").and_then(|ttl| ttl.parse::<i64>().ok()).unwrap_or(0);
        // A margin as long as the token lives would have it renewed for ever.
        let margin = self.terms.token_margin_seconds.min(ttl / 2);
        Ok(Login { token, expires: Some(call.now.plus(ttl - margin)) })
    }

    fn submit(&self, call: &Call<'_>, request: &Request) -> Answer {
        crate::submitted(self.capabilities(), request, || self.write(call, request))
    }

    fn submit_many(&self, call: &Call<'_>, requests: &[Request]) -> Vec<Answer> {
        self.write_many(call, requests)
    }

    fn look(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Answer {
        crate::looked(self.capabilities(), request, || self.outcome(call, request, sent))
    }

    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        self.line(call, card, wanted.and(FACTS))
    }

    fn cost(&self, wanted: Facts) -> u32 {
        read::cost(wanted.and(FACTS))
    }

    fn read_many(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        crate::bound(cards.len(), if ask == Ask::State { 0 } else { self.capabilities().batches.day })?;
        self.lines(call, cards, ask)
    }

    fn changes(&self, call: &Call<'_>, day: i64, from: Option<&str>) -> Result<Changes, Answer> {
        self.changed(call, day, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_checked_and_secrets_not_shown() {
        let open = |settings: Value| {
            OneLink::open(settings.as_object().expect("an object"), &Addresses::default()).err().unwrap_or_default()
        };
        for (settings, says) in [
            (json!({}), "appid is missing"),
            (json!({"appid": "1"}), "password is missing"),
            (json!({"appid": "1", "password": 7}), "password must be a text"),
            (json!({"appid": "1", "password": "p", "verb": "PUT"}), "verb: \"PUT\" is none of GET, POST"),
            (json!({"appid": "1", "password": "p", "batch_cards": 101}), "batch_cards: 101 is not a whole number, 1 to 100"),
            (json!({"appid": "1", "password": "p", "main_offer": "2"}), "main_offer: it is none of"),
            (json!({"appid": "1", "password": "p", "url": "http://10.0.0.1"}), "url: 10.0.0.1 is in a private"),
            (json!({"appid": "1", "password": "p", "speed": 1}), "unknown key \"speed\"; the keys are: appid, password, url"),
            (json!({"appid": "1", "password": "p"}), ""),
        ] {
            let error = open(settings.clone());
            assert!(if says.is_empty() { error.is_empty() } else { error.starts_with(says) }, "{settings}: {error}");
        }
    }
}
