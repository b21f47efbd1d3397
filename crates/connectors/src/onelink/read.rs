//! Reading cards at OneLink: one with what is wanted of it, many by the batch calls, and those that changed.

use super::OneLink;
use super::wire;
use crate::json;
use kachi_domain::carrier::{
    Answer, Apn, Ask, Bought, Call, Card, Change, Changes, Cycle, Fact, Facts, Line, Month, Period, Request, Session, Spoken,
    Standing,
};
use kachi_domain::time::{Timestamp, day_text};
use serde_json::Value;
use std::collections::HashMap;

/// Rows of one page of the change feed (facts: at most 50).
const PAGE_ROWS: usize = 50;
/// The states by which the change feed is asked, CT and PB alike by their CT number.
const STATES: [&str; 7] = ["1", "2", "4", "6", "7", "8", "9"];

/// The figure of each card, or why there is none.
type Amounts = Vec<Result<Option<i64>, Answer>>;

/// Whether the device is switched on.
const POWER: &str = "on-off-status";

/// What each request tells.
const REQUESTS: [(&[Fact], &str); 9] = [
    (&[Fact::Numbers], "sim-basic-info"),
    // What a month's figure is worth depends on the platform, which the state tells.
    (&[Fact::State, Fact::Month], "sim-status"),
    (&[Fact::StopReason], "sim-stop-reason"),
    (&[Fact::Session], "sim-session"),
    (&[Fact::Imei], "sim-imei"),
    (&[Fact::Apns], "apn-info"),
    (&[Fact::Packages], "sim-data-margin"),
    (&[Fact::Voice], "sim-voice-usage"),
    (&[Fact::Power], POWER),
];

/// Requests that a reading makes.
pub(super) fn cost(wanted: Facts) -> u32 {
    let questions = REQUESTS.iter().filter(|(facts, _)| wanted.any(facts)).count();
    let usage = usize::from(wanted.any(&[Fact::Month, Fact::Apns]));
    u32::try_from(questions + usage).unwrap_or(u32::MAX)
}

impl OneLink {
    /// A card with what is wanted of it, one request a fact.
    pub(super) fn line(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        let mut line = Line::default();
        for (_, path) in REQUESTS.iter().filter(|(facts, _)| wanted.any(facts)) {
            let row = match self.about(call, &format!("query/{path}"), card, &[]) {
                // An account that was not given this question is told the rest.
                Err(Answer::Refused { .. }) if *path == POWER => continue,
                row => row?,
            };
            learn(&mut line, path, &row);
            if *path == "sim-voice-usage" {
                line.voice = spoken(&row, call.now);
            }
        }
        if wanted.any(&[Fact::Month, Fact::Apns]) {
            let row = self.about(call, "query/sim-data-usage", card, &[])?;
            usage(&mut line, &row, call.now);
        }
        line.standing = line.standing.filter(|_| wanted.has(Fact::State));
        line.month = line.month.filter(|_| wanted.has(Fact::Month));
        line.apns = line.apns.filter(|_| wanted.has(Fact::Apns));
        Ok(line)
    }

    /// Where a card stands.
    pub(super) fn standing(&self, call: &Call<'_>, card: &Card) -> Result<Standing, Answer> {
        let row = self.about(call, "query/sim-status", card, &[])?;
        wire::standing(&row, "lastChangeDate").ok_or_else(|| Answer::InDoubt { reason: "a state that is not told".into() })
    }

    /// A card's access points.
    pub(super) fn apns(&self, call: &Call<'_>, card: &Card) -> Result<Vec<Apn>, Answer> {
        let mut line = Line::default();
        learn(&mut line, "apn-info", &self.about(call, "query/apn-info", card, &[])?);
        Ok(line.apns.unwrap_or_default())
    }

    /// The packages that a card has ordered (23R00), each with its end.
    pub(super) fn offerings(&self, call: &Call<'_>, request: &Request) -> Result<Vec<Bought>, Answer> {
        let row = self.about(call, "query/ordered-offerings", &request.card, &[("queryType", "3")])?;
        let ends = |p: &Value| ["expiredDate", "expiriedDate", "expireDate"].iter().find_map(|f| json::text(p, f));
        let package = |p: &Value| Bought {
            code: json::text(p, "offeringId").unwrap_or_default(),
            name: json::text(p, "offeringName").unwrap_or_default(),
            ends: ends(p).and_then(|text| crate::china().parse(&text).ok()),
            ..Bought::default()
        };
        Ok(json::list(&row, "offeringInfoList").iter().map(package).collect())
    }

    /// Usage of many cards.
    pub(super) fn lines(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        let (path, date) = match ask {
            Ask::State => return Err(Answer::unsupported("tell states of many cards")),
            Ask::Day(day) => ("query/sim-data-usage-daily/batch", day_text(day).replace('-', "")),
            Ask::Month(month) => ("query/sim-data-usage-monthly/batch", month.to_string()),
        };
        let amounts = self.amounts(call, (path, &date), cards)?;
        let line = |bytes: i64| match ask {
            Ask::Month(month) => Line { month: Some(of_month(month, bytes, call.now)), ..Line::default() },
            Ask::Day(day) => Line { day: Some(of_day(day, bytes, call.now)), ..Line::default() },
            Ask::State => Line::default(),
        };
        let absent = || Answer::InDoubt { reason: "the card is not in the answer".into() };
        Ok(amounts.into_iter().map(|amount| amount?.map(line).ok_or_else(absent)).collect())
    }

    /// The figure of each card. A card that makes the carrier refuse the batch is found by halves, so that it holds up no other.
    fn amounts(&self, call: &Call<'_>, (path, date): (&str, &str), cards: &[Card]) -> Result<Amounts, Answer> {
        let iccids = cards.iter().map(|card| card.iccid.as_str()).collect::<Vec<_>>().join("_");
        let rows = match self.ask(call, path, &[("iccids", &iccids), ("queryDate", date)]) {
            Err(no) if cards.len() == 1 && wire::may_be_one_cards(&no) => return Ok(vec![Err(no)]),
            Err(no) if cards.len() > 1 && wire::may_be_one_cards(&no) => {
                let (first, second) = cards.split_at(cards.len() / 2);
                let mut all = self.amounts(call, (path, date), first)?;
                all.extend(self.amounts(call, (path, date), second)?);
                return Ok(all);
            }
            rows => rows?,
        };
        let mut told: HashMap<String, i64> = HashMap::new();
        for row in &rows {
            let nested = json::list(row, "dataAmountList");
            for row in if nested.is_empty() { std::slice::from_ref(row) } else { nested } {
                if let (Some(iccid), Some(bytes)) = (json::text(row, "iccid"), amount(row)) {
                    told.insert(iccid.to_ascii_uppercase(), bytes);
                }
            }
        }
        Ok(cards.iter().map(|card| Ok(told.get(&card.iccid.to_ascii_uppercase()).copied())).collect())
    }

    /// Cards whose state changed on a day, state by state and page by page; a page's place is `state:start`.
    pub(super) fn changed(&self, call: &Call<'_>, day: i64, from: Option<&str>) -> Result<Changes, Answer> {
        let (state, start) = from.and_then(|f| f.split_once(':')).unwrap_or((STATES[0], "1"));
        let at = STATES.iter().position(|s| *s == state);
        let (Some(at), Ok(start)) = (at, start.parse::<usize>()) else {
            return Err(Answer::Refused { code: "page".into(), reason: "the page is none that was given out".into() });
        };
        let (date, first, size) = (day_text(day).replace('-', ""), start.to_string(), PAGE_ROWS.to_string());
        let params =
            [("changeDate", date.as_str()), ("cardStatus", state), ("startNum", first.as_str()), ("pageSize", size.as_str())];
        let rows = self.ask(call, "query/changeable-sim-date", &params)?;
        let list = rows.iter().find_map(|row| row.as_object()?.values().find_map(Value::as_array));
        let cards: &[Value] = list.map_or(rows.as_slice(), Vec::as_slice);
        let change = |row: &Value| Change {
            iccid: json::text(row, "iccid"),
            msisdn: json::text(row, "msisdn"),
            standing: wire::standing(row, "changeDate")
                .or_else(|| Some(Standing { base: wire::state(state), raw: state.to_owned(), since: None })),
        };
        let changes: Vec<Change> = cards.iter().map(change).filter(|c| c.iccid.is_some() || c.msisdn.is_some()).collect();
        let next = if changes.len() >= PAGE_ROWS {
            Some(format!("{state}:{}", start + if self.terms.by_page { 1 } else { PAGE_ROWS }))
        } else {
            STATES.get(at + 1).map(|next| format!("{next}:1"))
        };
        Ok(Changes { changes, next })
    }
}

/// A card's figure; a blank one is none used.
fn amount(row: &Value) -> Option<i64> {
    match row.get("dataAmount") {
        Some(Value::String(blank)) if blank.trim().is_empty() => Some(0),
        _ => wire::kb(row, "dataAmount"),
    }
}

fn learn(line: &mut Line, path: &str, row: &Value) {
    match path {
        "sim-basic-info" => {
            line.iccid = json::text(row, "iccid");
            line.msisdn = json::text(row, "msisdn");
            line.imsi = json::text(row, "imsi");
        }
        "sim-status" => line.standing = wire::standing(row, "lastChangeDate"),
        "sim-stop-reason" => line.stop = json::text(row, "stopReason").map(|raw| wire::stop(&raw)),
        "sim-session" => {
            let online = |s: &&Value| json::text(s, "status").as_deref() == Some("01");
            let session = |s: &Value| Session {
                since: json::text(s, "createDate").and_then(|t| crate::china().parse(&t).ok()),
                apn: json::text(s, "apnId"),
                ip: json::text(s, "ip").or_else(|| json::text(s, "ipv6")),
                rat: json::text(s, "rat").map(|code| wire::rat(&code)),
            };
            line.sessions = Some(json::list(row, "simSessionList").iter().filter(online).map(session).collect());
        }
        "sim-imei" => line.imei = json::text(row, "imei"),
        "on-off-status" => {
            line.power = json::text(row, "status").and_then(|status| match status.as_str() {
                "0" => Some(false),
                "1" => Some(true),
                _ => None,
            });
        }
        "apn-info" => {
            let on = |a: &Value| json::text(a, "status").map(|status| status == "1");
            let apn = |a: &Value| Some(Apn { name: json::text(a, "apnName")?, on: on(a), bytes: None });
            line.apns = Some(json::list(row, "apnList").iter().filter_map(apn).collect());
        }
        "sim-data-margin" => {
            let package = |p: &Value| Bought {
                code: json::text(p, "offeringId").unwrap_or_default(),
                name: json::text(p, "offeringName").unwrap_or_default(),
                total_bytes: wire::kb(p, "totalAmount"),
                used_bytes: wire::kb(p, "useAmount"),
                ends: None,
            };
            line.packages = Some(json::list(row, "accmMarginList").iter().map(package).collect());
        }
        _ => {}
    }
}

/// The month so far, and that of each access point. Cards of the PB platform are told as they stood at midnight.
fn usage(line: &mut Line, row: &Value, now: Timestamp) {
    let pb = line.standing.as_ref().is_some_and(|s| wire::is_pb(&s.raw));
    let as_of = if pb { crate::china().start_of_day(crate::china().day(now)) } else { now };
    line.month = amount(row).map(|bytes| Period::this_month(Cycle::NATURAL, bytes, as_of.min(now)));
    for used in json::list(row, "apnUseAmountList") {
        let (Some(name), bytes) = (json::text(used, "apnName"), wire::kb(used, "apnUseAmount")) else { continue };
        if let Some(apn) = line.apns.iter_mut().flatten().find(|apn| apn.name == name) {
            apn.bytes = bytes;
        }
    }
}

/// Minutes that a card spoke this month (23U01).
fn spoken(row: &Value, now: Timestamp) -> Option<Spoken> {
    let minutes: i64 = json::text(row, "voiceAmount")?.parse().ok()?;
    Some(Spoken::this_month(Cycle::NATURAL, minutes.checked_mul(60)?, now))
}

/// A month by the batch call: the present one is counted to yesterday's end.
fn of_month(month: Month, bytes: i64, now: Timestamp) -> Period {
    let midnight = crate::china().start_of_day(crate::china().day(now));
    let as_of = Cycle::NATURAL.start(month.after()).min(midnight).max(Cycle::NATURAL.start(month));
    Period::of_month(Cycle::NATURAL, month, bytes, as_of)
}

fn of_day(day: i64, bytes: i64, now: Timestamp) -> Period {
    Period::of_day(day, bytes, crate::china().start_of_day(day + 1).min(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reading_costs_one_request_a_fact_and_two_for_a_month() {
        assert_eq!(cost(Facts::of(&[Fact::State])), 1);
        assert_eq!(cost(Facts::of(&[Fact::Month])), 2);
        assert_eq!(cost(Facts::of(&[Fact::State, Fact::Month])), 2);
        assert_eq!(cost(super::super::FACTS), 10);
        assert_eq!(cost(Facts::NONE), 0);
    }

    #[test]
    fn a_months_figure_says_as_of_when_it_is() {
        let now = crate::china().parse("2026-03-10 08:00:00").unwrap();
        let row = json!({"dataAmount": "20480.5", "apnUseAmountList": [{"apnName": "CMIOT", "apnUseAmount": "20480.5"}]});
        let line = |raw: &str| {
            let base = wire::state(raw);
            let mut line = Line { standing: Some(Standing { base, raw: raw.into(), since: None }), ..Line::default() };
            line.apns = Some(vec![Apn { name: "CMIOT".into(), ..Apn::default() }]);
            usage(&mut line, &row, now);
            line
        };
        let (ct, pb) = (line("2"), line("00"));
        assert_eq!(ct.month.map(|m| (m.counter.bytes, m.counter.as_of)), Some((20_972_032, now)));
        assert_eq!(pb.month.map(|m| m.counter.as_of), Some(crate::china().parse("2026-03-10").unwrap()));
        assert_eq!(ct.apns.unwrap()[0].bytes, Some(20_972_032));
        let march = Month::parse("202603").unwrap();
        let as_of = |month| of_month(month, 1, now).counter.as_of;
        assert_eq!(as_of(march), crate::china().parse("2026-03-10").unwrap(), "to yesterday's end");
        assert_eq!(as_of(march.before()), crate::china().parse("2026-03-01").unwrap());
    }

    #[test]
    fn blanks_are_nothing() {
        let mut line = Line::default();
        learn(&mut line, "sim-imei", &json!({"imei": " "}));
        learn(&mut line, "sim-stop-reason", &json!({"stopReason": "000020000020"}));
        learn(&mut line, "on-off-status", &json!({"status": " "}));
        assert_eq!(line.power, None);
        assert_eq!((line.imei, line.stop.map(|s| s.raw)), (None, Some("000020000020".into())));
        assert_eq!((amount(&json!({"dataAmount": " "})), amount(&json!({}))), (Some(0), None));
    }
}
