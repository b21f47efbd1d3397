//! Reading cards at CTWing: one with what is wanted of it, many by the batch calls.

use super::CtWing;
use crate::amount::{self, Unit};
use crate::telecom::product;
use crate::{json, telecom};
use kachi_domain::carrier::{Answer, Apn, Ask, Call, Card, Cycle, Fact, Facts, Line, Period, Standing};
use kachi_domain::time::day_text;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What can be read of a card.
pub(super) const FACTS: Facts = Facts::of(&[
    Fact::Numbers,
    Fact::State,
    Fact::StopReason,
    Fact::Session,
    Fact::Imei,
    Fact::Apns,
    Fact::Month,
    Fact::Day,
    Fact::Packages,
]);

/// Requests that a reading makes, with one for the card's number.
pub(super) fn cost(wanted: Facts) -> u32 {
    let one = |facts: &[Fact]| u32::from(wanted.any(facts));
    let questions = one(&[Fact::Numbers])
        + one(&[Fact::State, Fact::StopReason, Fact::Apns])
        + one(&[Fact::StopReason, Fact::Packages])
        + one(&[Fact::Session])
        + one(&[Fact::Imei])
        + one(&[Fact::Month])
        + one(&[Fact::Day]);
    questions + u32::from(questions > 0)
}

impl CtWing {
    pub(super) fn line(&self, call: &Call<'_>, card: &Card, wanted: Facts) -> Result<Line, Answer> {
        let mut line = Line::default();
        if wanted == Facts::NONE {
            return Ok(line);
        }
        let number = self.number(call, card)?;
        let as_of = call.now.plus(-self.terms.lag_seconds);
        let mut asked = false;
        if wanted.any(&[Fact::State, Fact::StopReason, Fact::Apns]) {
            let told = self.main(call, &number)?;
            line.standing = telecom::standing(&told).filter(|_| wanted.has(Fact::State));
            line.stop = telecom::main_stop(&told).filter(|_| wanted.has(Fact::StopReason));
            asked = wanted.has(Fact::Packages) || line.stop.as_ref().is_some_and(telecom::wants_reason);
            if asked {
                self.product(call, &number, wanted, &mut line)?;
            }
            // The platform tells a card's data as a whole.
            let apn = || vec![Apn { name: String::new(), on: telecom::is_cut(&told).map(|cut| !cut), bytes: None }];
            line.apns = wanted.has(Fact::Apns).then(apn);
        }
        if wanted.has(Fact::Packages) && !asked {
            self.product(call, &number, wanted, &mut line)?;
        }
        if wanted.has(Fact::Numbers) {
            let told = self.about(call, "/api/v1/dac/connect/getImsiInfo", &number, &[])?;
            line.imsi = told.get(&["imsi"]).map(str::to_owned);
            (line.iccid, line.msisdn) = (Some(card.iccid.clone()), Some(number.clone()));
        }
        if wanted.has(Fact::Session) {
            telecom::session(&mut line, &self.about(call, "/openapi/v1/prodinst/getOnlineStatus", &number, &[])?);
        }
        if wanted.has(Fact::Imei) {
            let params = [("iccid", telecom::iccid19(&card.iccid))];
            let told = self.fields(&self.send(call, "/openapi/v1/prodinst/gete2einfo", &params, None)?)?;
            line.imei = told.get(&["IMEI"]).map(str::to_owned);
        }
        if wanted.has(Fact::Month) {
            let told = self.about(call, "/api/v1/openbill/queryTraffic", &number, &[("needDtl", "0")])?;
            line.month = telecom::total_bytes(&told).map(|bytes| Period::this_month(Cycle::NATURAL, bytes, as_of));
        }
        if wanted.has(Fact::Day) {
            let day = crate::china().day(call.now);
            let date = day_text(day).replace('-', "");
            let dates = [("needDtl", "0"), ("startDate", date.as_str()), ("endDate", date.as_str())];
            let told = self.about(call, "/api/v1/openbill/queryTrafficByDate", &number, &dates)?;
            let start = crate::china().start_of_day(day);
            line.day = telecom::total_bytes(&told).map(|bytes| Period::of_day(day, bytes, as_of.max(start)));
        }
        Ok(line)
    }

    /// The card as a product: its packages, and what that says of why it has no network. An account that has no such question is told
    /// neither.
    fn product(&self, call: &Call<'_>, number: &str, wanted: Facts, line: &mut Line) -> Result<(), Answer> {
        match self.about(call, "/openapi/v1/prodinst/prodInstQuery", number, &[]) {
            Ok(told) => {
                line.packages = wanted.has(Fact::Packages).then(|| product::offers(&told));
                line.stop = line.stop.take().map(|stop| product::explain(stop, &told));
            }
            Err(Answer::Refused { .. }) => {}
            Err(no) => return Err(no),
        }
        Ok(())
    }

    pub(super) fn lines(&self, call: &Call<'_>, cards: &[Card], ask: Ask) -> Result<Vec<Result<Line, Answer>>, Answer> {
        // A card whose number is not known and cannot be found out holds up no other.
        let number = |card: &Card| card.msisdn.clone().map_or_else(|| self.number(call, card), Ok);
        let numbers: Vec<Result<String, Answer>> = cards.iter().map(number).collect();
        let known: Vec<&String> = numbers.iter().filter_map(|n| n.as_ref().ok()).collect();
        if known.is_empty() {
            return Ok(numbers.into_iter().map(|n| n.map(|_| Line::default())).collect());
        }
        let cust = &self.terms.cust_number;
        let (path, body) = match ask {
            Ask::State => ("prod/batchQrySimStatus", json!({"accessNumbers": known, "custNumber": cust})),
            Ask::Month(month) => {
                let body = json!({"accessNumber": known, "custNumber": cust, "month": month.to_string()});
                ("batchQry/batchQryFlowByMonth", body)
            }
            Ask::Day(day) => {
                let date = day_text(day).replace('-', "");
                let body = json!({"accessNumber": known, "custNumber": cust, "startDate": date, "endDate": date});
                ("batchQry/batchQryFlowByDate", body)
            }
        };
        let reply = self.send(call, &format!("/api/v1/{path}"), &[], Some(&body))?;
        let doubt = || Answer::InDoubt { reason: format!("HTTP {}: {}", reply.status, crate::http::excerpt(&reply.text)) };
        let told: Value = serde_json::from_str(&reply.text).map_err(|_| doubt())?;
        match json::text(&told, "code").or_else(|| json::text(&told, "resultCode")) {
            Some(code) if code.bytes().all(|b| b == b'0') => {}
            Some(code) => {
                let words = json::text(&told, "msg").unwrap_or_default();
                return Err(telecom::answer(&code, &words, self.terms.cool_down_seconds));
            }
            None => return Err(doubt()),
        }
        let rows = rows(&told);
        let absent = || Answer::InDoubt { reason: "the card is not in the answer".into() };
        let line = |number: String| match rows.get(&number) {
            Some(row) => self.row(row, ask, call),
            None => Err(absent()),
        };
        Ok(numbers.into_iter().map(|number| line(number?)).collect())
    }

    fn row(&self, row: &Value, ask: Ask, call: &Call<'_>) -> Result<Line, Answer> {
        if let Some(code) = json::text(row, "result").filter(|code| !code.bytes().all(|b| b == b'0')) {
            let words = json::text(row, "statusDesc").or_else(|| json::text(row, "msg")).unwrap_or_default();
            return Err(telecom::answer(&code, &words, self.terms.cool_down_seconds));
        }
        let as_of = call.now.plus(-self.terms.lag_seconds);
        let unread = || Answer::InDoubt { reason: "a row without a figure".into() };
        let bytes = || {
            let unit = Unit::parse(&json::text(row, "unit").unwrap_or_else(|| "MB".into()))?;
            amount::bytes(&json::text(row, "flowAmount")?, unit)
        };
        match ask {
            Ask::State => {
                let raw =
                    ["productMainStatusCd", "simStatus", "status"].iter().find_map(|f| json::text(row, f)).ok_or_else(unread)?;
                let standing = Standing { base: telecom::main_state(&raw), raw, since: None };
                Ok(Line { standing: Some(standing), ..Line::default() })
            }
            Ask::Month(month) => {
                let end = Cycle::NATURAL.start(month.after());
                let period = Period::of_month(Cycle::NATURAL, month, bytes().ok_or_else(unread)?, as_of.min(end));
                Ok(Line { month: Some(period), ..Line::default() })
            }
            Ask::Day(day) => {
                let (start, end) = (crate::china().start_of_day(day), crate::china().start_of_day(day + 1));
                let period = Period::of_day(day, bytes().ok_or_else(unread)?, as_of.max(start).min(end));
                Ok(Line { day: Some(period), ..Line::default() })
            }
        }
    }
}

/// The rows of a batch's answer by access number, wherever the list stands.
fn rows(told: &Value) -> HashMap<String, &Value> {
    fn gather<'v>(value: &'v Value, into: &mut HashMap<String, &'v Value>) {
        match value {
            Value::Array(rows) => rows.iter().for_each(|row| gather(row, into)),
            Value::Object(fields) => {
                match ["accessNumber", "access_number", "accNumber"].iter().find_map(|f| json::text(value, f)) {
                    Some(number) => drop(into.insert(number, value)),
                    None => fields.values().for_each(|inner| gather(inner, into)),
                }
            }
            _ => {}
        }
    }
    let mut found = HashMap::new();
    gather(told, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_wherever_the_list_stands() {
        let flat = json!({"code": 0, "data": [{"accessNumber": "149", "flowAmount": "1.5", "unit": "MB"}]});
        let deep = json!({"code": 0, "data": {"qrySimInfoList": [{"accessNumber": 149, "simStatus": "4"}]}});
        assert_eq!((rows(&flat).len(), rows(&deep).len()), (1, 1));
        assert!(rows(&deep).contains_key("149"));
    }
}
