//! China Telecom's 5G connection management platform (CTWing).
//!
//! Every request is signed by itself; there is no login. Promised besides what every connector promises: the bytes that are
//! signed are the bytes that are sent. Cards go by their access number. Before a write or a reading of one card the platform is asked for
//! the number of the ICCID, so that a wrong number with us never touches another card. A write counts by what the card then shows.
//!
//! Settings: `app_key`, `secret_key`, `cust_number`; `url`, `clock` (`GMT` as the document says, or `China` as many clients send),
//! `cool_down_seconds`, `apply_seconds`, `lag_seconds` (how far usage lags behind), `batch_cards`, `timeout_seconds`;
//! `speed_codes` (`KILOBITS=CODE,...`), and the rate of requests ([`crate::open`]). Messages are encrypted under the first nine
//! characters of `secret_key`; with a shorter one there are none. What became of a message the platform tells nobody who asks.

mod read;
mod wire;

use crate::http::{self, Ask as Question, Http, Reply};
use crate::json;
use crate::keys::Keys;
use crate::telecom::{self, Fields};
use crate::telecom_des;
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{
    Answer, Ask, Batches, Call, Capabilities, Card, Connector, Facts, Line, Login, Pace, Request, Sent, Write,
};
use serde_json::{Map, Value, json};

/// The carrier's address.
const URL: &str = "https://cmp-api.ctwing.cn:20164";
/// Cards of one batch (facts C3.2).
const BATCH_CARDS_MAX: i64 = 100;
/// Requests that it takes unless the settings say otherwise; the public sources name no number.
const PACE: Pace = Pace::a_second(10, 20);
/// Sends a message, which must not be done twice.
const SEND: &str = "/api/v1/na/notice/message/sendSms";
/// What changes a card, and the act of these that it does not show afterwards.
const ACTS: &str = "/5gcmp/openapi/v1/common/";
const SPEED: &str = "speedLimitAction";
/// What `msgCharset` says of a message's text.
const ASCII: u32 = 0;
const GB18030: u32 = 15;

/// The client of one account.
pub struct CtWing {
    http: Http,
    terms: Terms,
}

struct Terms {
    app_key: String,
    secret_key: String,
    cust_number: String,
    clock: &'static str,
    cool_down_seconds: i64,
    apply_seconds: i64,
    lag_seconds: i64,
    batch_cards: i64,
    pace: Pace,
    speeds: Vec<(u32, String)>,
    /// What messages are encrypted under.
    sms_key: Option<[String; 3]>,
}

impl CtWing {
    /// Reads the settings.
    pub fn open(settings: &Map<String, Value>, addresses: &Addresses) -> Result<CtWing, String> {
        let mut keys = Keys::of(settings);
        let (app_key, secret_key) = (keys.needed("app_key")?, keys.needed("secret_key")?);
        let (cust_number, url) = (keys.needed("cust_number")?, keys.text("url", URL)?);
        let clock = keys.one_of("clock", &["GMT", "China"])?;
        let cool_down_seconds = keys.number("cool_down_seconds", 180, (0, 86_400))?;
        let apply_seconds = keys.number("apply_seconds", 600, (1, 86_400))?;
        let lag_seconds = keys.number("lag_seconds", 1_800, (0, 86_400))?;
        let batch_cards = keys.number("batch_cards", BATCH_CARDS_MAX, (1, BATCH_CARDS_MAX))?;
        let timeout_seconds = keys.number("timeout_seconds", 30, (1, 300))?;
        let pace = keys.pace(PACE)?;
        let speeds = telecom::speeds(&keys.text("speed_codes", telecom::SPEED_CODES)?)?;
        keys.end()?;
        let http = Http::open(&url, timeout_seconds.unsigned_abs(), addresses).map_err(|e| format!("url: {e}"))?;
        let start: String = secret_key.chars().take(telecom_des::KEY_CHARS).collect();
        let terms = Terms {
            sms_key: telecom_des::thirds(&start),
            app_key,
            secret_key,
            cust_number,
            clock,
            cool_down_seconds,
            apply_seconds,
            lag_seconds,
            batch_cards,
            pace,
            speeds,
        };
        Ok(CtWing { http, terms })
    }

    fn send(&self, call: &Call<'_>, path: &str, params: &[(&str, &str)], body: Option<&Value>) -> Result<Reply, Answer> {
        call.next()?;
        let mut params = params.to_vec();
        params.sort_unstable();
        let plain = params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let body = body.map(Value::to_string).unwrap_or_default();
        let timestamp = wire::timestamp(self.terms.clock, call.now);
        let sign = wire::sign(&plain, &body, &self.terms.secret_key, &timestamp);
        let headers = vec![("AppKey", self.terms.app_key.clone()), ("Timestamp", timestamp), ("Sign", sign)];
        let shows = path.strip_prefix(ACTS).is_some_and(|act| act != SPEED);
        let (query, write) = (http::query(&params), path == SEND || shows);
        let path = if params.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let reply = self.http.send(
            call,
            if body.is_empty() {
                let headers = headers.into_iter().chain([("Content-Type", "application/json".to_owned())]).collect();
                Question { verb: "GET", path: &path, headers, body: None, write }
            } else {
                Question { verb: "POST", path: &path, headers, body: Some(("application/json", body.into_bytes())), write }
            },
        )?;
        Ok(reply)
    }

    /// One request about a card by its access number.
    fn about(&self, call: &Call<'_>, path: &str, number: &str, more: &[(&str, &str)]) -> Result<Fields, Answer> {
        let mut params = vec![("access_number", number)];
        params.extend_from_slice(more);
        self.fields(&self.send(call, path, &params, None)?)
    }

    fn fields(&self, reply: &Reply) -> Result<Fields, Answer> {
        telecom::open(reply, self.terms.cool_down_seconds)
    }

    /// A card's access number, as the platform tells it by the ICCID.
    fn number(&self, call: &Call<'_>, card: &Card) -> Result<String, Answer> {
        let params = [("iccid", telecom::iccid19(&card.iccid))];
        let told = self.fields(&self.send(call, "/openapi/v1/prodinst/getTelephone", &params, None)?)?;
        let unknown =
            || Answer::Refused { code: "access_number".into(), reason: "the carrier tells no number of the card".into() };
        told.get(&["SMSG"]).map(str::to_owned).ok_or_else(unknown)
    }

    fn main(&self, call: &Call<'_>, number: &str) -> Result<Fields, Answer> {
        self.about(call, "/openapi/v1/prodinst/queryCardMainStatus", number, &[])
    }

    fn write(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Answer> {
        let write = &request.write;
        if *write == Write::RefreshUsage {
            return Ok(Answer::Confirmed);
        }
        let number = self.number(call, &request.card).map_err(crate::before)?;
        if let Write::SendSms { text } = write {
            return self.send_text(call, &number, text);
        }
        let common = |act: &str, more: &[(&str, &str)]| self.about(call, &format!("{ACTS}{act}"), &number, more);
        let disabled = |order| common("disabledNumberService", &[("acctCd", ""), ("orderTypeId", order)]);
        let sent = match write {
            Write::DataOff { .. } => common("singleCutNet", &[("action", "ADD")]),
            Write::DataOn { .. } => common("singleCutNet", &[("action", "DEL")]),
            Write::LimitSpeed { kbps } => {
                // No question tells a card's speed: the answer is all there is.
                return common(SPEED, &telecom::speed(&self.terms.speeds, *kbps)).map(|_| Answer::Confirmed);
            }
            Write::Activate => {
                let now = self.main(call, &number).map_err(crate::before)?;
                match telecom::standing(&now) {
                    Some(standing) if telecom::is_so(write, &standing) => return Ok(Answer::Already),
                    // Its test has ended: that is lifted by its own act.
                    Some(standing) if standing.raw == "3" => disabled("22"),
                    _ => common("requestServActive", &[]),
                }
            }
            _ => disabled(telecom::order_type(write).ok_or_else(|| Answer::unsupported("do this"))?),
        };
        match sent {
            Ok(_) => Ok(Answer::ACCEPTED),
            Err(refused @ Answer::Refused { .. }) => Err(crate::refused_or_so(refused, || self.shows(call, write, &number))),
            Err(other) => Err(other),
        }
    }

    /// Sends a message; its text is encrypted as the portal encrypts (facts C3.2).
    fn send_text(&self, call: &Call<'_>, number: &str, text: &str) -> Result<Answer, Answer> {
        let Some(key) = &self.terms.sms_key else { return Err(Answer::unsupported("send messages")) };
        let content = telecom_des::encrypt(text, &key.each_ref().map(String::as_str));
        let charset = if text.is_ascii() { ASCII } else { GB18030 };
        let body = json!({
            "accessNumber": number, "custNumber": self.terms.cust_number, "content": content, "msgCharset": charset,
        });
        let reply = self.send(call, SEND, &[], Some(&body))?;
        self.fields(&reply)?;
        let told: Value = serde_json::from_str(&reply.text).unwrap_or_default();
        let id = told.get("data").and_then(|data| json::text(data, "messageId")).or_else(|| json::text(&told, "messageId"));
        Ok(Answer::Accepted { job: id })
    }

    fn shows(&self, call: &Call<'_>, write: &Write, number: &str) -> Result<bool, Answer> {
        let told = self.main(call, number)?;
        Ok(match write {
            Write::DataOff { .. } => telecom::is_cut(&told) == Some(true),
            Write::DataOn { .. } => telecom::is_cut(&told) == Some(false),
            write => telecom::standing(&told).is_some_and(|s| telecom::is_so(write, &s)),
        })
    }
}

impl Connector for CtWing {
    fn capabilities(&self) -> Capabilities {
        let cards = u16::try_from(self.terms.batch_cards).unwrap_or(1);
        Capabilities {
            stop_resume: true,
            activate: true,
            end_test: true,
            data_switch: true,
            speed: true,
            usage: true,
            sms: self.terms.sms_key.is_some(),
            look: true,
            shows: true,
            facts: read::FACTS,
            batches: Batches { state: cards, day: cards, month: cards },
            cool_down_seconds: self.terms.cool_down_seconds,
            pace: self.terms.pace,
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
        crate::looked(self.capabilities(), request, || match (&request.write, sent.accepted) {
            (Write::RefreshUsage, _) => Ok(Answer::Confirmed),
            // A message is not sent twice, and nobody tells what became of it.
            (Write::SendSms { .. }, Some(_)) => Ok(Answer::Accepted { job: sent.job.clone() }),
            (Write::SendSms { .. }, None) => {
                Err(Answer::InDoubt { reason: "the platform does not tell whether it has the message".into() })
            }
            // Done again it does no harm.
            (Write::LimitSpeed { .. }, accepted) => Ok(accepted.map_or(Answer::Unknown, |_| Answer::Confirmed)),
            (write, _) => {
                let number = self.number(call, &request.card)?;
                let done = self.shows(call, write, &number)?;
                Ok(crate::by_sight(done, call.now, sent, self.terms.apply_seconds))
            }
        })
    }

    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        self.line(call, card, wanted.and(read::FACTS))
    }

    fn cost(&self, wanted: Facts) -> u32 {
        read::cost(wanted.and(read::FACTS))
    }

    fn read_many(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        crate::bound(cards.len(), self.capabilities().batches.state)?;
        self.lines(call, cards, ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_checked() {
        for (settings, says) in [
            (json!({"app_key": "a"}), "secret_key is missing"),
            (json!({"app_key": "a", "secret_key": "s"}), "cust_number is missing"),
            (
                json!({"app_key": "a", "secret_key": "s", "cust_number": "C1", "clock": "UTC"}),
                "clock: \"UTC\" is none of GMT, China",
            ),
        ] {
            let error = CtWing::open(settings.as_object().unwrap(), &Addresses::default()).err().unwrap();
            assert!(error.starts_with(says), "{settings}: {error}");
        }
    }
}
