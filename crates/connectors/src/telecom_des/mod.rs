//! China Telecom's self-service portal (the "DES" interface of `api.ct10649.com`).
//!
//! Every request carries the password and a signature under the portal's own cipher (`strenc.rs`); there is no login. Promised
//! besides what every connector promises: what is signed is what the facts say, and nothing else; an answer may be XML or
//! JSON, UTF-8 or GBK. Cards go by their ICCID, so that a wrong telephone number with us never touches another card. A write counts by
//! what the card then shows. An order for a package (its code is the portal's `flowValue`) is done when the card has more than before; the
//! portal keeps no reference of ours, so a lost answer to one is left to a person.
//!
//! Settings: `user_id`, `password`, `key` (nine characters); `url`, `cool_down_seconds`, `apply_seconds`, `lag_seconds` (how far
//! usage lags behind), `timeout_seconds`; `speed_codes` (`KILOBITS=CODE,...`), and the rate of requests ([`crate::open`]).

mod strenc;

pub use strenc::{decrypt, encrypt};

use crate::http::{self, Ask as Question, Http};
use crate::keys::Keys;
use crate::order::Has;
use crate::telecom::{self, Fields, product};
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{
    Answer, Apn, Bought, Call, Capabilities, Card, Connector, Cycle, Fact, Facts, Line, Login, Pace, Period, Request, Sent,
    Standing, Stop, Write,
};
use kachi_domain::sim::Blocks;
use serde_json::{Map, Value};

/// The carrier's address.
const URL: &str = "http://api.ct10649.com:9001";
/// Requests that it takes unless the settings say otherwise; the public sources name no number, but a code for too many.
const PACE: Pace = Pace::a_second(5, 20);
/// Characters of a key.
pub(crate) const KEY_CHARS: usize = 9;
/// What is ordered has an address of its own (facts C2.1).
const ORDERS: [&str; 2] = ["speedLimitAction", ORDER];
/// Orders a package, which must not be done twice.
const ORDER: &str = "orderFlow";
/// What changes a card, which shows it afterwards: its data, its state, its first use.
const DATA: &str = "singleCutNet";
const STATE: &str = "disabledNumber";
const ACTIVATE: &str = "requestServActive";
/// What can be read of a card.
const FACTS: Facts = Facts::of(&[
    Fact::Numbers,
    Fact::State,
    Fact::StopReason,
    Fact::Session,
    Fact::Imei,
    Fact::Month,
    Fact::Day,
    Fact::Packages,
    Fact::Apns,
]);

/// The client of one account of the portal.
pub struct TelecomDes {
    http: Http,
    user_id: String,
    password: String,
    key: [String; 3],
    cool_down_seconds: i64,
    apply_seconds: i64,
    lag_seconds: i64,
    pace: Pace,
    speeds: Vec<(u32, String)>,
}

impl TelecomDes {
    /// Reads the settings.
    pub fn open(settings: &Map<String, Value>, addresses: &Addresses) -> Result<TelecomDes, String> {
        let mut keys = Keys::of(settings);
        let (user_id, password, key) = (keys.needed("user_id")?, keys.needed("password")?, keys.needed("key")?);
        let url = keys.text("url", URL)?;
        let cool_down_seconds = keys.number("cool_down_seconds", 180, (0, 86_400))?;
        let apply_seconds = keys.number("apply_seconds", 600, (1, 86_400))?;
        let lag_seconds = keys.number("lag_seconds", 1_800, (0, 86_400))?;
        let timeout_seconds = keys.number("timeout_seconds", 30, (1, 300))?;
        let pace = keys.pace(PACE)?;
        let speeds = telecom::speeds(&keys.text("speed_codes", telecom::SPEED_CODES)?)?;
        keys.end()?;
        let key = thirds(&key).ok_or("key must be nine characters")?;
        let http = Http::open(&url, timeout_seconds.unsigned_abs(), addresses).map_err(|e| format!("url: {e}"))?;
        Ok(TelecomDes { http, user_id, password, key, cool_down_seconds, apply_seconds, lag_seconds, pace, speeds })
    }

    /// The signature over these values, the account and the method.
    fn sign(&self, method: &str, values: &[&str]) -> String {
        let mut all = vec![self.user_id.as_str(), &self.password, method];
        all.extend_from_slice(values);
        all.sort_unstable();
        self.under_key(&all.join(","))
    }

    fn under_key(&self, text: &str) -> String {
        encrypt(text, &self.key.each_ref().map(String::as_str))
    }

    /// One request about a card: `signed` parameters are signed, `plain` ones are not.
    fn ask(
        &self,
        call: &Call<'_>,
        method: &str,
        card: &Card,
        signed: &[(&str, &str)],
        plain: &[(&str, &str)],
    ) -> Result<Fields, Answer> {
        call.next()?;
        let number = telecom::iccid19(&card.iccid);
        let mut values: Vec<&str> = signed.iter().map(|(_, value)| *value).collect();
        values.push(number);
        let (pass, sign) = (self.under_key(&self.password), self.sign(method, &values));
        let mut params = vec![("method", method), ("user_id", self.user_id.as_str()), ("iccid", number)];
        params.extend_from_slice(signed);
        params.extend_from_slice(plain);
        params.extend([("passWord", pass.as_str()), ("sign", sign.as_str())]);
        let page = if ORDERS.contains(&method) { "app/serviceAccept.do" } else { "query.do" };
        let path = format!("/m2m_ec/{page}?{}", http::query(&params));
        let write = [ORDER, DATA, STATE, ACTIVATE].contains(&method);
        let reply = self.http.send(call, Question { verb: "GET", path: &path, write, ..Question::default() })?;
        telecom::open(&reply, self.cool_down_seconds)
    }

    fn query(&self, call: &Call<'_>, method: &str, card: &Card) -> Result<Fields, Answer> {
        self.ask(call, method, card, &[], &[])
    }

    fn write(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Answer> {
        let (card, write) = (&request.card, &request.write);
        let sent = match write {
            Write::DataOff { .. } => self.ask(call, DATA, card, &[("action", "ADD")], &[]),
            Write::DataOn { .. } => self.ask(call, DATA, card, &[("action", "DEL")], &[]),
            Write::Activate => {
                let now = self.main(call, card).map_err(crate::before)?;
                let standing = telecom::standing(&now);
                if standing.as_ref().is_some_and(|s| telecom::is_so(write, s)) {
                    return Ok(Answer::Already);
                }
                match standing.as_ref().map(|s| s.raw.as_str()) {
                    // Its test has ended: that is lifted by its own act.
                    Some("3") => self.ask(call, STATE, card, &[("orderTypeId", "22"), ("acctCd", "")], &[]),
                    _ => self.query(call, ACTIVATE, card),
                }
            }
            Write::RefreshUsage => return Ok(Answer::Confirmed),
            Write::Subscribe { package, .. } => {
                crate::one_order(write)?;
                let had = self.offers(call, card).map_err(crate::before)?;
                self.ask(call, ORDER, card, &[("flowValue", package)], &[])?;
                return Ok(Answer::Accepted { job: Some(had.beside(None)) });
            }
            Write::LimitSpeed { kbps } => {
                // No question tells a card's speed: the answer is all there is.
                let told = self.ask(call, "speedLimitAction", card, &telecom::speed(&self.speeds, *kbps), &[]);
                return told.map(|_| Answer::Confirmed);
            }
            _ => {
                let act = telecom::order_type(write).ok_or_else(|| Answer::unsupported("do this"))?;
                self.ask(call, STATE, card, &[("orderTypeId", act), ("acctCd", "")], &[])
            }
        };
        match sent {
            Ok(_) => Ok(Answer::ACCEPTED),
            Err(refused @ Answer::Refused { .. }) => Err(crate::refused_or_so(refused, || self.shows(call, request))),
            Err(other) => Err(other),
        }
    }

    /// What the card has of packages, for an order: by the one question that tells of purchases.
    fn offers(&self, call: &Call<'_>, card: &Card) -> Result<Has, Answer> {
        Ok(Has::of_any(&product::offers(&self.query(call, "prodInstQuery", card)?)))
    }

    /// What the card has, with its use in the month in China where the portal tells it. The month is named by its first day and is
    /// not signed; public clients differ about what is told without it.
    fn packages(&self, call: &Call<'_>, card: &Card) -> Result<Vec<Bought>, Answer> {
        let mut packages = product::offers(&self.query(call, "prodInstQuery", card)?);
        let month = format!("{}01", Cycle::NATURAL.month(crate::china().day(call.now)));
        match self.ask(call, "queryPakage", card, &[], &[("monthDate", &month)]) {
            Ok(told) => product::add_use(&mut packages, &told),
            Err(Answer::Refused { .. }) => {}
            Err(no) => return Err(no),
        }
        Ok(packages)
    }

    /// What became of an order that the portal took.
    fn ordered(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Result<Answer, Answer> {
        let Some(had) = sent.job.as_deref().and_then(Has::read).filter(|_| sent.accepted.is_some()) else {
            let reason = "the portal keeps no reference of ours; look there whether it has the order".into();
            return Err(Answer::InDoubt { reason });
        };
        let has = self.offers(call, &request.card)?;
        Ok(if has.is_more_than(&had) { Answer::Confirmed } else { Answer::Accepted { job: sent.job.clone() } })
    }

    /// Why the card is stopped, by its product's state; where its data is cut, with whether that is for what it used.
    fn reason(&self, call: &Call<'_>, card: &Card, line: &mut Line, wanted: Facts) -> Result<(), Answer> {
        let told = match self.query(call, "queryCardStatus", card) {
            Err(Answer::Refused { .. }) => None,
            told => Some(told?),
        };
        let raw = told.as_ref().and_then(|told| told.get(&["productStatusCd"]));
        // An account whose main state is not told has this one.
        if wanted.has(Fact::State) && line.standing.is_none() {
            line.standing = raw.map(|raw| Standing { base: telecom::product_state(raw), raw: raw.to_owned(), since: None });
        }
        let by_product = raw.map(telecom::product_stop);
        if by_product.as_ref().is_some_and(|stop| !stop.blocks.is_empty()) {
            line.stop = by_product;
            return Ok(());
        }
        let main = match self.main(call, card) {
            Err(Answer::Refused { .. }) => None,
            main => telecom::main_stop(&main?),
        };
        line.stop = match (by_product, main) {
            (Some(product), Some(main)) if !main.blocks.is_empty() => {
                Some(Stop { blocks: main.blocks, words: main.words, ..product })
            }
            (product, main) => product.or(main),
        };
        if line.stop.as_ref().is_some_and(|stop| stop.blocks.has(Blocks::DATA_OFF)) {
            match self.query(call, "prodInstQuery", card) {
                Ok(told) => line.stop = line.stop.take().map(|stop| product::explain(stop, &told)),
                Err(Answer::Refused { .. }) => {}
                Err(no) => return Err(no),
            }
        }
        Ok(())
    }

    fn main(&self, call: &Call<'_>, card: &Card) -> Result<Fields, Answer> {
        self.query(call, "queryCardMainStatus", card)
    }

    /// Whether the card shows the act as done.
    fn shows(&self, call: &Call<'_>, request: &Request) -> Result<bool, Answer> {
        let told = self.main(call, &request.card)?;
        Ok(match &request.write {
            Write::DataOff { .. } => telecom::is_cut(&told) == Some(true),
            Write::DataOn { .. } => telecom::is_cut(&told) == Some(false),
            write => telecom::standing(&told).is_some_and(|s| telecom::is_so(write, &s)),
        })
    }

    fn line(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        let (mut line, as_of) = (Line::default(), call.now.plus(-self.lag_seconds));
        if wanted.has(Fact::Numbers) {
            line.iccid = Some(card.iccid.clone());
            line.msisdn = self.query(call, "getTelephone", card)?.get(&["SMSG"]).map(str::to_owned);
            line.imsi = self.query(call, "queryIMSI", card)?.get(&["imsi"]).map(str::to_owned);
        }
        if wanted.any(&[Fact::State, Fact::Apns]) {
            let told = self.main(call, card)?;
            line.standing = telecom::standing(&told).filter(|_| wanted.has(Fact::State));
            if wanted.has(Fact::Apns) {
                // The portal knows of a card's data as a whole.
                let on = telecom::is_cut(&told).map(|cut| !cut);
                line.apns = Some(vec![Apn { name: String::new(), on, bytes: None }]);
            }
        }
        if wanted.has(Fact::StopReason) {
            self.reason(call, card, &mut line, wanted)?;
        }
        if wanted.any(&[Fact::Session, Fact::Imei]) {
            let told = self.query(call, "getOnlineStatus", card)?;
            telecom::session(&mut line, &told);
            line.sessions = line.sessions.filter(|_| wanted.has(Fact::Session));
            line.imei = told.get(&["imei"]).filter(|_| wanted.has(Fact::Imei)).map(str::to_owned);
        }
        if wanted.has(Fact::Month) {
            let told = self.ask(call, "queryTraffic", card, &[], &[("needDtl", "0")])?;
            line.month = telecom::total_bytes(&told).map(|bytes| Period::this_month(Cycle::NATURAL, bytes, as_of));
        }
        if wanted.has(Fact::Day) {
            let told = self.ask(call, "queryTrafficOfToday", card, &[], &[("needDtl", "0")])?;
            let day = crate::china().day(call.now);
            line.day =
                telecom::total_bytes(&told).map(|bytes| Period::of_day(day, bytes, as_of.max(crate::china().start_of_day(day))));
        }
        if wanted.has(Fact::Packages) {
            line.packages = match self.packages(call, card) {
                Err(Answer::Refused { .. }) => None, // an account that has no such question is told the rest
                told => Some(told?),
            };
        }
        Ok(line)
    }
}

/// A key of nine characters in three.
pub(crate) fn thirds(key: &str) -> Option<[String; 3]> {
    let chars: Vec<char> = key.chars().collect();
    let third = |n: usize| chars[3 * n..3 * n + 3].iter().collect();
    (chars.len() == KEY_CHARS).then(|| [third(0), third(1), third(2)])
}

impl Connector for TelecomDes {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            subscribe: true,
            stop_resume: true,
            activate: true,
            end_test: true,
            data_switch: true,
            speed: true,
            usage: true,
            look: true,
            shows: true,
            facts: FACTS,
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
        crate::looked(self.capabilities(), request, || match &request.write {
            Write::RefreshUsage => Ok(Answer::Confirmed),
            Write::Subscribe { .. } => self.ordered(call, request, sent),
            // Done again it does no harm.
            Write::LimitSpeed { .. } => Ok(sent.accepted.map_or(Answer::Unknown, |_| Answer::Confirmed)),
            _ => Ok(crate::by_sight(self.shows(call, request)?, call.now, sent, self.apply_seconds)),
        })
    }

    fn read(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        self.line(call, card, wanted.and(FACTS))
    }

    fn cost(&self, wanted: Facts) -> u32 {
        let one = |facts: &[Fact], n: u32| if wanted.any(facts) { n } else { 0 };
        one(&[Fact::Numbers], 2)
            + one(&[Fact::State, Fact::Apns], 1)
            + one(&[Fact::StopReason], 3)
            + one(&[Fact::Session, Fact::Imei], 1)
            + one(&[Fact::Month], 1)
            + one(&[Fact::Day], 1)
            + one(&[Fact::Packages], 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn open(settings: &Value) -> Result<TelecomDes, String> {
        TelecomDes::open(settings.as_object().expect("an object"), &Addresses::default())
    }

    #[test]
    fn what_is_signed_is_as_in_the_vectors() {
        let portal = open(&json!({"user_id": "demoUser", "password": "demoPass1", "key": "k1ak2bk3c"})).ok().unwrap();
        let under = |text: &str| encrypt(text, &["k1a", "k2b", "k3c"]);
        assert_eq!(portal.sign("queryTraffic", &["14912345678"]), under("14912345678,demoPass1,demoUser,queryTraffic"));
        let number = "8986031234567890123";
        assert_eq!(portal.sign("getTelephone", &[number]), under("8986031234567890123,demoPass1,demoUser,getTelephone"));
        assert_eq!(
            portal.sign("singleCutNet", &["ADD", "14912345678"]),
            under("14912345678,ADD,demoPass1,demoUser,singleCutNet")
        );
        assert_eq!(
            portal.sign("disabledNumber", &["19", "", "14912345678"]),
            under(",14912345678,19,demoPass1,demoUser,disabledNumber"),
            "the account that is not named is signed too"
        );
    }

    #[test]
    fn settings_are_checked() {
        for (settings, says) in [
            (json!({}), "user_id is missing"),
            (json!({"user_id": "u", "password": "p", "key": "short"}), "key must be nine characters"),
            (json!({"user_id": "u", "password": "p", "key": "k1ak2bk3c", "lag": 1}), "unknown key \"lag\""),
        ] {
            assert!(open(&settings).err().unwrap().starts_with(says), "{settings}");
        }
    }
}
