//! Another platform that speaks the CardBOSS partner API v2.2.2, as our upstream: cards bought there are sold on here.
//!
//! Every request is signed (MD5 over the values that the contract lists, in its order); there is no login. Data operations and
//! those that go straight to the carrier have an address each. An order is done when its signed push (`OD1002`) says so, or when the
//! card has more of its package than before it was sent; the upstream keeps no reference of ours, so a lost answer to an order is
//! left to a person, never guessed. What became of messages and what devices wrote it hands out once, to whoever asks first.
//! `push` reads what the upstream tells by itself.
//!
//! Settings: `sid`, `apikey`, `url`, `direct_url`; `cool_down_seconds`, `apply_seconds`, `timeout_seconds`; and the rate of requests
//! ([`crate::open`]).

mod push;

use crate::amount::{self, Unit};
use crate::http::{self, Ask as Question, Http};
use crate::json;
use crate::keys::Keys;
use crate::order;
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{
    Answer, Apn, Ask, Batches, Bought, Call, Callback, Capabilities, Card, Connector, Cycle, Fact, Facts, LOGIN_REFUSED_SECONDS,
    Line, Login, News, Pace, Period, Request, Sent, Session, Spoken, Standing, Write,
};
use kachi_domain::sim::BaseState;
use kachi_domain::time::{Timestamp, day_text};
use md5::{Digest, Md5};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Cards of one question.
const BATCH_CARDS: u16 = 100;
/// Requests that it takes unless the settings say otherwise; its document names no number.
const PACE: Pace = Pace::a_second(10, 20);
const ROOT: &str = "/iotapi/rest/v2";
/// 数据为空: there is nothing of what was asked for.
const NO_DATA: &str = "1032";
/// What a card's page tells; its packages are asked for by themselves.
const FACTS: Facts = Facts::of(&[
    Fact::Numbers,
    Fact::State,
    Fact::Session,
    Fact::Imei,
    Fact::Apns,
    Fact::Month,
    Fact::Packages,
    Fact::Voice,
    Fact::Power,
]);

/// The client of one account.
pub struct CardBoss {
    data: Http,
    direct: Http,
    sid: String,
    apikey: String,
    cool_down_seconds: i64,
    apply_seconds: i64,
    pace: Pace,
}

/// An operation: how it is sent, and which of its fields are signed, in this order.
struct Operation {
    verb: &'static str,
    path: &'static str,
    direct: bool,
    signed: &'static [&'static str],
}

const DETAIL: Operation = Operation { verb: "GET", path: "/card/detail", direct: false, signed: &["msisdns", "iccids"] };
const PAST: Operation =
    Operation { verb: "GET", path: "/card/usage/past", direct: false, signed: &["month", "showday", "msisdns", "iccids"] };
const DAY: Operation = Operation { verb: "GET", path: "/card/usage/day", direct: false, signed: &["day", "msisdns", "iccids"] };
const PACKAGES: Operation = Operation { verb: "GET", path: "/card/pkg/get", direct: false, signed: &["msisdn", "iccid"] };
const RENEW: Operation =
    Operation { verb: "POST", path: "/card/pkg/renew", direct: false, signed: &["msisdn", "iccid", "pkgcode", "month"] };
const REPORTS: Operation = Operation { verb: "GET", path: "/sms/rpt/get", direct: false, signed: &[] };
const REPLIES: Operation = Operation { verb: "GET", path: "/sms/mo/get", direct: false, signed: &[] };
const SMS: Operation = Operation { verb: "POST", path: "/sms/sendlotsms", direct: false, signed: &["mobile", "content"] };
const STOP_TEST: Operation = Operation { verb: "POST", path: "/card/stoptest", direct: true, signed: &["msisdn", "iccid"] };
const ACTIVATE: Operation = Operation { verb: "POST", path: "/card/foractive", direct: true, signed: &["msisdn", "iccid"] };
const STOP_KEEP: Operation =
    Operation { verb: "POST", path: "/card/stopkeep", direct: true, signed: &["msisdn", "iccid", "stopkeep"] };
const SWITCH: Operation = Operation {
    verb: "POST",
    path: "/card/switchnet",
    direct: true,
    signed: &["msisdn", "iccid", "apnname", "opertype", "marginrat"],
};
const WHITE: Operation = Operation {
    verb: "POST",
    path: "/card/setvoicewhitetable",
    direct: true,
    signed: &["msisdn", "iccid", "opertype", "taskid", "content"],
};

/// The signature of an operation's values.
fn sign(operation: &Operation, (sid, apikey, ts): (&str, &str, &str), fields: &[(&str, &str)]) -> String {
    let value = |name: &&str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| *v);
    let signed: String = operation.signed.iter().map(value).collect();
    Md5::digest(format!("{sid}{apikey}{ts}{signed}")).iter().map(|b| format!("{b:02x}")).collect()
}

impl CardBoss {
    /// Reads the settings.
    pub fn open(settings: &Map<String, Value>, addresses: &Addresses) -> Result<CardBoss, String> {
        let mut keys = Keys::of(settings);
        let (sid, apikey) = (keys.needed("sid")?, keys.needed("apikey")?);
        let (url, direct_url) = (keys.needed("url")?, keys.needed("direct_url")?);
        let cool_down_seconds = keys.number("cool_down_seconds", 180, (0, 86_400))?;
        let apply_seconds = keys.number("apply_seconds", 600, (1, 86_400))?;
        let timeout_seconds = keys.number("timeout_seconds", 30, (1, 300))?.unsigned_abs();
        let pace = keys.pace(PACE)?;
        keys.end()?;
        let data = Http::open(&url, timeout_seconds, addresses).map_err(|e| format!("url: {e}"))?;
        let direct = Http::open(&direct_url, timeout_seconds, addresses).map_err(|e| format!("direct_url: {e}"))?;
        Ok(CardBoss { data, direct, sid, apikey, cool_down_seconds, apply_seconds, pace })
    }

    /// One operation: its whole answer.
    fn ask(&self, call: &Call<'_>, operation: &Operation, fields: &[(&str, &str)]) -> Result<Value, Answer> {
        call.next()?;
        let ts = crate::china().digits(call.now);
        let sign = sign(operation, (&self.sid, &self.apikey, &ts), fields);
        let mut all = vec![("sid", self.sid.as_str()), ("ts", ts.as_str()), ("sign", sign.as_str())];
        all.extend_from_slice(fields);
        let (query, mut path, mut body) = (http::query(&all), format!("{ROOT}{}", operation.path), None);
        if operation.verb == "GET" {
            path = format!("{path}?{query}");
        } else {
            body = Some(("application/x-www-form-urlencoded", query.into_bytes()));
        }
        let http = if operation.direct { &self.direct } else { &self.data };
        let write = operation.verb == "POST" && operation.path != WHITE.path;
        let reply = http.send(call, Question { verb: operation.verb, path: &path, body, write, ..Question::default() })?;
        let doubt = || Answer::InDoubt { reason: format!("HTTP {}: {}", reply.status, http::excerpt(&reply.text)) };
        let told: Value = serde_json::from_str(&reply.text).map_err(|_| doubt())?;
        // The white list passes on the carrier's own envelope.
        let code = json::text(&told, "code").or_else(|| json::text(&told, "status")).ok_or_else(doubt)?;
        let words = ["detail", "msg", "message"].iter().filter_map(|f| json::text(&told, f)).collect::<Vec<_>>().join(": ");
        if code == "0" { Ok(told) } else { Err(self.no(&code, &words)) }
    }

    /// Our word for the upstream's code, and for the carrier's that it passes on.
    fn no(&self, code: &str, words: &str) -> Answer {
        let (reason, cooling) = (format!("{code} {words}"), words.contains("13009") || code == "13009");
        match code {
            _ if cooling => Answer::Later { seconds: self.cool_down_seconds.max(1), reason },
            "13010" => Answer::Later { seconds: 60, reason },
            "1021" | "1030" => Answer::Later { seconds: 60, reason },
            // The account itself is refused: it says nothing of the card.
            "1001" | "1005" | "1006" | "1025" => Answer::Later { seconds: LOGIN_REFUSED_SECONDS, reason },
            "1034" | "1090" | "1091" | "1092" => Answer::InDoubt { reason },
            // The carrier's code for an error that says no more.
            "1099" if words.contains("19010") => Answer::InDoubt { reason },
            _ => crate::refused(code, words),
        }
    }

    /// What is told of these cards, by card number.
    fn details(&self, call: &Call<'_>, cards: &[Card]) -> Result<HashMap<String, Value>, Answer> {
        let iccids = cards.iter().map(|card| card.iccid.as_str()).collect::<Vec<_>>().join(",");
        let told = self.ask(call, &DETAIL, &[("msisdns", ""), ("iccids", &iccids)])?;
        Ok(by_iccid(result(&told), "cards"))
    }

    fn detail(&self, call: &Call<'_>, card: &Card) -> Result<Value, Answer> {
        self.details(call, std::slice::from_ref(card))?.remove(&card.iccid.to_ascii_uppercase()).ok_or_else(absent)
    }

    /// Whether the card stands as the write, one of those that stop it or let it on, would have it.
    fn stands(&self, call: &Call<'_>, request: &Request) -> Result<bool, Answer> {
        let base = learn(&self.detail(call, &request.card)?, Facts::of(&[Fact::State]), call).standing.map(|s| s.base);
        Ok(match &request.write {
            Write::Stop => base == Some(BaseState::Stopped),
            Write::EndTest => base.is_some_and(|b| b != BaseState::Testing && b != BaseState::Unknown),
            _ => base == Some(BaseState::Active),
        })
    }

    fn line(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        let mut line = Line::default();
        if wanted.without(Facts::of(&[Fact::Packages])) != Facts::NONE {
            line = learn(&self.detail(call, card)?, wanted, call);
        }
        if wanted.has(Fact::Packages) {
            line.packages = Some(self.packages(call, card)?);
        }
        Ok(line)
    }

    fn packages(&self, call: &Call<'_>, card: &Card) -> Result<Vec<Bought>, Answer> {
        let told = match self.ask(call, &PACKAGES, &[("msisdn", ""), ("iccid", &card.iccid)]) {
            // It has none yet; a card that is not the account's is refused by what is asked of it.
            Err(Answer::Refused { code, .. }) if code == NO_DATA => return Ok(Vec::new()),
            told => told?,
        };
        Ok(json::list(result(&told), "pkgs").iter().map(package).collect())
    }

    fn lines(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        let this_month = Cycle::NATURAL.month(crate::china().day(call.now));
        let iccids = cards.iter().map(|card| card.iccid.as_str()).collect::<Vec<_>>().join(",");
        // The same page tells all of a card: what else there is comes along. Not the device, which would be seen there now although
        // the upstream does not say when it was.
        let all = || -> Result<Vec<Result<Line, Answer>>, Answer> {
            let told = self.details(call, cards)?;
            let line = |card: &Card| {
                told.get(&card.iccid.to_ascii_uppercase()).map(|row| learn(row, FACTS.without(Facts::of(&[Fact::Imei])), call))
            };
            Ok(cards.iter().map(|card| line(card).ok_or_else(absent)).collect())
        };
        let (told, field) = match ask {
            Ask::State => return all(),
            Ask::Month(month) if month == this_month => return all(),
            Ask::Month(month) => {
                let fields = [("month", month.to_string()), ("iccids", iccids)];
                let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
                (self.ask(call, &PAST, &fields)?, "flowusage")
            }
            Ask::Day(day) => {
                let fields = [("day", day_text(day).replace('-', "")), ("iccids", iccids)];
                let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
                (self.ask(call, &DAY, &fields)?, "usage")
            }
        };
        let rows = by_iccid(result(&told), "usages");
        let line = |card: &Card| {
            let bytes = rows.get(&card.iccid.to_ascii_uppercase()).and_then(|row| kb(row, field)).ok_or_else(absent)?;
            Ok(match ask {
                Ask::Month(month) => {
                    let end = Cycle::NATURAL.start(month.after()).min(call.now);
                    Line { month: Some(Period::of_month(Cycle::NATURAL, month, bytes, end)), ..Line::default() }
                }
                Ask::Day(day) => {
                    let end = crate::china().start_of_day(day + 1).min(call.now);
                    Line { day: Some(Period::of_day(day, bytes, end)), ..Line::default() }
                }
                Ask::State => Line::default(),
            })
        };
        Ok(cards.iter().map(line).collect())
    }

    fn write(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Answer> {
        let msisdn = request.card.msisdn.as_deref().unwrap_or_default();
        let card = [("msisdn", msisdn), ("iccid", request.card.iccid.as_str())];
        let send = |operation: &Operation, more: &[(&str, &str)]| {
            let fields: Vec<(&str, &str)> = card.iter().chain(more).copied().collect();
            self.ask(call, operation, &fields)
        };
        let data = |apn: &Option<String>, act: &'static str| {
            let apn = apn.as_deref().unwrap_or_default();
            send(&SWITCH, &[("apnname", apn), ("opertype", act), ("marginrat", "")])
        };
        let stand = |operation: &Operation, more: &[(&str, &str)]| match send(operation, more) {
            Err(refused @ Answer::Refused { .. }) => Err(crate::refused_or_so(refused, || self.stands(call, request))),
            sent => sent,
        };
        match &request.write {
            Write::RefreshUsage => return Ok(Answer::Confirmed),
            Write::Stop => stand(&STOP_KEEP, &[("stopkeep", "0")])?,
            Write::Resume => stand(&STOP_KEEP, &[("stopkeep", "1")])?,
            Write::Activate => stand(&ACTIVATE, &[])?,
            Write::EndTest => stand(&STOP_TEST, &[])?,
            Write::DataOff { apn } => data(apn, "0")?,
            Write::DataOn { apn, .. } => data(apn, "1")?,
            Write::AllowCalls { numbers, group } => {
                for (n, number) in numbers.iter().enumerate() {
                    let sent = send(&WHITE, &[("opertype", "1"), ("taskid", group), ("content", number)]);
                    sent.map_err(|answer| crate::after(n, answer))?;
                }
                return Ok(Answer::Confirmed);
            }
            Write::BarCalls { numbers, group } => {
                send(&WHITE, &[("opertype", "0"), ("taskid", group), ("content", &numbers.join("_"))])?;
                return Ok(Answer::Confirmed);
            }
            Write::SendSms { text } => {
                let told = self.ask(call, &SMS, &[("mobile", &request.card.iccid), ("content", text)])?;
                return Ok(Answer::Accepted { job: told.get("result").and_then(|r| json::text(r, "taskid")) });
            }
            Write::Subscribe { package, months, lasts, from } => {
                let before = order::Has::of(&self.packages(call, &request.card).map_err(crate::before)?, package);
                // Month packages are sold for twelve at least (3.4.1): an order that names none is for as long as the package lasts with us.
                let months = months.or(*lasts).unwrap_or(1).to_string();
                let from = from.map(|at| day_text(crate::china().day(at))).unwrap_or_default();
                let mut more = vec![("pkgcode", package.as_str()), ("month", months.as_str()), ("audit", "2")];
                if !from.is_empty() {
                    more.push(("startdate", &from));
                }
                let told = send(&RENEW, &more)?;
                let order = told.get("result").and_then(|r| json::text(r, "orderid"));
                return Ok(Answer::Accepted { job: order.map(|order| before.beside(Some(&order))) });
            }
            _ => return Err(Answer::unsupported("do this")),
        };
        Ok(Answer::ACCEPTED)
    }

    fn outcome(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Result<Answer, Answer> {
        let write = &request.write;
        let done = match write {
            Write::Stop | Write::Resume | Write::Activate | Write::EndTest => self.stands(call, request)?,
            Write::DataOff { apn } | Write::DataOn { apn, .. } => {
                let apns = learn(&self.detail(call, &request.card)?, Facts::of(&[Fact::Apns]), call).apns.unwrap_or_default();
                let on = matches!(write, Write::DataOn { .. });
                apns.iter().any(|a| apn.as_ref().is_none_or(|apn| *apn == a.name) && a.on == Some(on))
            }
            Write::Subscribe { package, .. } => {
                if sent.accepted.is_none() {
                    let reason = "the upstream keeps no reference of ours; look there whether it has the order".into();
                    return Err(Answer::InDoubt { reason });
                }
                // A renewal buys what the card has already: only more of it than before shows that it was done.
                let before = sent.job.as_deref().and_then(order::Has::read);
                let now = order::Has::of(&self.packages(call, &request.card)?, package);
                let more = before.is_some_and(|before| now.is_more_than(&before));
                return Ok(if more { Answer::Confirmed } else { Answer::Accepted { job: sent.job.clone() } });
            }
            // A message is not sent twice; its report comes by itself.
            Write::SendSms { .. } if sent.accepted.is_some() => return Ok(Answer::Accepted { job: sent.job.clone() }),
            Write::SendSms { .. } => {
                return Err(Answer::InDoubt { reason: "the upstream does not tell whether it has the message".into() });
            }
            _ => return Ok(if sent.accepted.is_some() { Answer::Confirmed } else { Answer::Unknown }),
        };
        Ok(crate::by_sight(done, call.now, sent, self.apply_seconds))
    }
}

fn absent() -> Answer {
    Answer::Refused { code: "absent".into(), reason: "the upstream does not tell of the card".into() }
}

fn result(told: &Value) -> &Value {
    told.get("result").unwrap_or(&Value::Null)
}

fn by_iccid(result: &Value, list: &str) -> HashMap<String, Value> {
    let number = |row: &Value| json::text(row, "iccid").or_else(|| json::text(row, "iccids"));
    let rows = json::list(result, list).iter();
    rows.filter_map(|row| Some((number(row)?.to_ascii_uppercase(), row.clone()))).collect()
}

fn kb(row: &Value, field: &str) -> Option<i64> {
    json::text(row, field).and_then(|text| amount::bytes(&text, Unit::Kb))
}

fn state(raw: &str) -> BaseState {
    match raw {
        "0" => BaseState::Inventory,
        "1" => BaseState::Ready,
        "2" => BaseState::Active,
        "3" => BaseState::Stopped,
        "4" => BaseState::Closed,
        "6" => BaseState::Testing,
        _ => BaseState::Unknown,
    }
}

fn learn(row: &Value, wanted: Facts, call: &Call<'_>) -> Line {
    let mut line = Line::default();
    let field = |names: &[&str]| names.iter().find_map(|name| json::text(row, name));
    if wanted.has(Fact::Numbers) {
        (line.iccid, line.imsi) = (field(&["iccid"]), field(&["imsi"]));
        line.msisdn = field(&["msisdn", "msisdns"]);
    }
    if wanted.has(Fact::State) {
        let standing = |raw: String| Standing { base: state(&raw), raw, since: None };
        line.standing = field(&["msstatus", "msStatus"]).map(standing);
    }
    if wanted.has(Fact::Imei) {
        line.imei = field(&["imei"]);
    }
    if wanted.has(Fact::Session) {
        // `apn` is how it is connected there (4G), and `rat` where to (cmiot). Nothing said is not "off line".
        let session = || Session { since: None, apn: field(&["rat"]), ip: field(&["ip"]), rat: field(&["apn"]) };
        line.sessions = field(&["online", "gprsStatus"]).and_then(|word| match word.as_str() {
            "1" => Some(vec![session()]),
            "0" => Some(Vec::new()),
            word if word.contains("在线") => Some(vec![session()]),
            word if word.contains("离线") => Some(Vec::new()),
            _ => None,
        });
    }
    if wanted.has(Fact::Power) {
        // The table has words, the example a digit. Nothing said is not "off".
        line.power = field(&["onoff", "onOff"]).and_then(|word| match word.as_str() {
            "1" | "开机" => Some(true),
            "0" | "关机" => Some(false),
            _ => None,
        });
    }
    if wanted.has(Fact::Apns) {
        let apn = |pair: &str| {
            let (name, word) = pair.split_once(':')?;
            Some(Apn { name: name.trim().to_owned(), on: Some(word.trim() == "正常"), bytes: None })
        };
        line.apns = field(&["apnstatus"]).map(|status| status.split(',').filter_map(apn).collect());
    }
    let as_of = field(&["monthsincdate", "monthsyncdate"]).and_then(|text| crate::china().parse(&text).ok());
    let as_of = as_of.unwrap_or(call.now).min(call.now);
    if wanted.has(Fact::Voice) {
        let seconds =
            field(&["voiceusage"]).and_then(|text| text.parse::<i64>().ok()).and_then(|minutes| minutes.checked_mul(60));
        line.voice = seconds.map(|seconds| Spoken::this_month(Cycle::NATURAL, seconds, as_of));
    }
    if wanted.has(Fact::Month) {
        line.month = kb(row, "flowusage").map(|bytes| Period::this_month(Cycle::NATURAL, bytes, as_of));
    }
    line
}

fn package(row: &Value) -> Bought {
    Bought {
        code: json::text(row, "pkgcode").unwrap_or_default(),
        name: json::text(row, "pkgname").unwrap_or_default(),
        total_bytes: kb(row, "totalflow"),
        used_bytes: None,
        ends: json::text(row, "enddate").and_then(|text| crate::china().parse(&text).ok()),
    }
}

impl Connector for CardBoss {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            subscribe: true,
            stop_resume: true,
            activate: true,
            end_test: true,
            data_switch: true,
            voice_list: true,
            usage: true,
            sms: true,
            look: true,
            shows: true,
            callbacks: true,
            facts: FACTS,
            batches: Batches { state: BATCH_CARDS, day: BATCH_CARDS, month: BATCH_CARDS },
            cool_down_seconds: self.cool_down_seconds,
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
        u32::from(wanted.without(Facts::of(&[Fact::Packages])) != Facts::NONE) + u32::from(wanted.has(Fact::Packages))
    }

    fn read_many(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        crate::bound(cards.len(), BATCH_CARDS)?;
        self.lines(call, cards, ask)
    }

    fn hands_out(&self) -> bool {
        true
    }

    fn waiting(&self, call: &Call<'_>) -> Result<Vec<News>, Answer> {
        let reports = self.ask(call, &REPORTS, &[])?;
        let mut news: Vec<News> = json::list(result(&reports), "rpts").iter().filter_map(push::report).collect();
        // What was handed out is not handed out again: a question that fails now keeps what the first one told.
        if let Ok(replies) = self.ask(call, &REPLIES, &[]) {
            news.extend(json::list(result(&replies), "mos").iter().filter_map(|row| push::reply(row, call.now)));
        }
        Ok(news)
    }

    fn read_callback(&self, callback: &Callback<'_>, _: Timestamp) -> Result<Vec<News>, Answer> {
        push::read(&self.sid, &self.apikey, callback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_the_values_in_their_order_and_an_absent_one_is_empty() {
        let who = ("s", "k", "20260310080000");
        let md5 = |text: &str| Md5::digest(text).iter().map(|b| format!("{b:02x}")).collect::<String>();
        let fields = [("iccid", "2"), ("opertype", "0"), ("msisdn", "1")];
        assert_eq!(sign(&SWITCH, who, &fields), md5("sk20260310080000120"));
        assert_eq!(
            sign(&RENEW, who, &[("msisdn", "1"), ("iccid", "2"), ("pkgcode", "P"), ("month", "12"), ("audit", "2")]),
            md5("sk2026031008000012P12")
        );
    }
}
