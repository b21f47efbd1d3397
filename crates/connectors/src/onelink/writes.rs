//! Writes at OneLink: one card at a time, or the same act for many as a job; and what became of them.

use super::{OneLink, wire};
use crate::order::Has;
use crate::{before, json};
use kachi_domain::carrier::{Answer, Call, Card, Function, Request, Sent, Write};
use serde_json::Value;

/// Orders a package; sends a message.
const ORDER: &str = "order/gprspackage-order";
const SEND: &str = "operate/sim-mt-sms";
/// What a card shows afterwards: its state, for one and for many, its data, its messages, its voice.
const STATE: &str = "change/sim-status";
const STATES: &str = "change/sim-status/batch";
const DATA: &str = "operate/sim-apn-function";
const SMS: &str = "operate/sim-sms-function";
const VOICE: &str = "operate/sim-call-function";

/// Whether the call is a write that must not be done twice, or that a card shows afterwards.
pub(super) fn is_write(path: &str) -> bool {
    [ORDER, SEND, STATE, STATES, DATA, SMS, VOICE].contains(&path)
}

impl OneLink {
    /// Sends a write for one card. The error is its answer too.
    pub(super) fn write(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Answer> {
        match &request.write {
            Write::Stop | Write::Resume | Write::Activate | Write::EndTest => self.change_state(call, request),
            Write::DataOff { apn } => self.switch_data(call, request, (apn.as_deref(), "1")),
            Write::DataOn { apn, .. } => self.switch_data(call, request, (apn.as_deref(), "0")),
            Write::SetFunction { function, on } => {
                let path = match function {
                    Function::Sms => SMS,
                    Function::Voice => VOICE,
                };
                self.about(call, path, &request.card, &[("operType", if *on { "0" } else { "1" })])?;
                Ok(Answer::ACCEPTED)
            }
            Write::LimitSpeed { kbps } => {
                let apn = self.only_apn(call, request).map_err(before)?;
                let params = [("apnName", apn.as_str()), ("serviceUsageState", wire::speed(*kbps))];
                self.about(call, "operate/network-speed", &request.card, &params)?;
                // No question tells a card's speed: the answer is all there is.
                Ok(Answer::Confirmed)
            }
            Write::AllowCalls { numbers, group } => self.list_numbers(call, request, ("1", numbers, group)),
            Write::BarCalls { numbers, group } => self.list_numbers(call, request, ("4", numbers, group)),
            Write::ResetSession => {
                self.about(call, "operate/sim-gprs-status-reset", &request.card, &[])?;
                Ok(Answer::Confirmed)
            }
            // Reading it is what brings it up to date.
            Write::RefreshUsage => Ok(Answer::Confirmed),
            Write::SendSms { text } => {
                let Some((action, encode)) = &self.terms.sms else { return Err(Answer::unsupported("send messages")) };
                let msisdn = self.msisdn(call, request)?;
                let params = [
                    ("actionid", action.as_str()),
                    ("msisdns", msisdn.as_str()),
                    ("params", text.as_str()),
                    ("encode", encode.as_str()),
                ];
                self.ask(call, SEND, &params)?;
                Ok(Answer::ACCEPTED)
            }
            Write::Subscribe { package, .. } => self.order(call, request, package),
            Write::Unsubscribe { .. } | Write::SwitchNetwork { .. } | Write::SendPhone { .. } => {
                Err(Answer::unsupported("do this"))
            }
        }
    }

    /// Orders a package by its type (23R08). The carrier takes no reference of ours: its own number is kept, and what the card had.
    fn order(&self, call: &Call<'_>, request: &Request, package: &str) -> Result<Answer, Answer> {
        let Some(main) = &self.terms.main_offer else { return Err(Answer::unsupported("activate packages")) };
        crate::one_order(&request.write)?;
        let had = Has::of_any(&self.offerings(call, request).map_err(before)?);
        let params = [("maincommoDity", main.as_str()), ("packageType", package)];
        let told = self.about(call, ORDER, &request.card, &params)?;
        Ok(Answer::Accepted { job: Some(had.beside(json::text(&told, "orderNum").as_deref())) })
    }

    /// What became of an order: by its number, where the carrier gave one, and by what the card has.
    fn ordered(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Result<Answer, Answer> {
        let Some(job) = sent.job.as_deref().filter(|_| sent.accepted.is_some()) else {
            let reason = "the carrier keeps no reference of ours; look there whether it has the order".into();
            return Err(Answer::InDoubt { reason });
        };
        let waits = Answer::Accepted { job: sent.job.clone() };
        if let Some(number) = Has::number(job) {
            let rows = self.ask(call, "query/order-info", &[("orderNum", number)])?;
            let status = rows.first().and_then(|row| json::text(row, "status")).unwrap_or_default();
            match status.as_str() {
                "failed" | "aborted" | "cancelled" => {
                    return Ok(Answer::Refused { code: status, reason: format!("order {number} came to nothing") });
                }
                // What is said to be done must show.
                "completed" => {}
                _ => return Ok(waits),
            }
        }
        let has = Has::of_any(&self.offerings(call, request)?);
        let more = Has::read(job).is_some_and(|had| has.is_more_than(&had));
        Ok(if more { Answer::Confirmed } else { waits })
    }

    fn change_state(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Answer> {
        let write = &request.write;
        let act = match wire::single(write, kachi_domain::sim::BaseState::Unknown) {
            Some(act) => act,
            None => {
                let from = self.standing(call, &request.card).map_err(before)?.base;
                if wire::is_so(write, from) {
                    return Ok(Answer::Already);
                }
                let reason = || format!("nothing leads there from \"{}\"", from.word());
                wire::single(write, from).ok_or_else(|| Answer::Refused { code: "state".into(), reason: reason() })?
            }
        };
        match self.about(call, STATE, &request.card, &[("operType", act)]) {
            Ok(_) => Ok(Answer::ACCEPTED),
            // Not allowed in the present state: because it is that already, or not.
            Err(refused @ Answer::Refused { .. }) if is_code(&refused, "12089") => {
                Err(crate::refused_or_so(refused, || Ok(wire::is_so(write, self.standing(call, &request.card)?.base))))
            }
            Err(answer) => Err(answer),
        }
    }

    fn switch_data(&self, call: &Call<'_>, request: &Request, (apn, act): (Option<&str>, &str)) -> Result<Answer, Answer> {
        let apn = match apn {
            Some(apn) => apn.to_owned(),
            None => self.only_apn(call, request).map_err(before)?,
        };
        self.about(call, DATA, &request.card, &[("apnName", &apn), ("operType", act)])?;
        Ok(Answer::ACCEPTED)
    }

    fn only_apn(&self, call: &Call<'_>, request: &Request) -> Result<String, Answer> {
        let mut apns = self.apns(call, &request.card)?;
        match (apns.pop(), apns.is_empty()) {
            (Some(apn), true) => Ok(apn.name),
            (None, _) => Err(Answer::Refused { code: "apn".into(), reason: "the card has no access point".into() }),
            (Some(_), false) => {
                let reason = "the card has several access points; say which".into();
                Err(Answer::Refused { code: "apn".into(), reason })
            }
        }
    }

    fn list_numbers(
        &self,
        call: &Call<'_>,
        request: &Request,
        (act, numbers, group): (&str, &[String], &str),
    ) -> Result<Answer, Answer> {
        let Some(param) = &self.terms.voice_param else { return Err(Answer::unsupported("keep lists of numbers for calls")) };
        let path = "config/member-voice-whitelist";
        // One number a call may be put on the list, two may be taken off.
        let most = if act == "1" { 1 } else { 2 };
        for (n, some) in numbers.chunks(most).enumerate() {
            let joined = some.join("_");
            let mut fields = vec![("operType", act), (param.as_str(), joined.as_str())];
            fields.extend((!group.is_empty()).then_some(("groupId", group)));
            match self.about(call, path, &request.card, &fields) {
                Ok(_) | Err(Answer::Already) => {}
                Err(answer) => return Err(crate::after(n, answer)),
            }
        }
        Ok(Answer::Confirmed)
    }

    fn msisdn(&self, call: &Call<'_>, request: &Request) -> Result<String, Answer> {
        if let Some(known) = &request.card.msisdn {
            return Ok(known.clone());
        }
        let row = self.about(call, "query/sim-basic-info", &request.card, &[]).map_err(before)?;
        let unknown = || Answer::Refused { code: "msisdn".into(), reason: "the card has no telephone number".into() };
        json::text(&row, "msisdn").ok_or_else(unknown)
    }

    /// The same act for many cards as one job, where there is such a call, else card by card.
    pub(super) fn write_many(&self, call: &Call<'_>, requests: &[Request]) -> Vec<Answer> {
        let one_by_one = || -> Vec<Answer> { requests.iter().map(|request| self.write_one(call, request)).collect() };
        let Some(first) = requests.first() else { return Vec::new() };
        let Some(act) = wire::batch(&first.write) else { return one_by_one() };
        let unfit = |r: &Request| r.card.msisdn.is_none() || r.write != first.write;
        if requests.iter().any(unfit) {
            return one_by_one();
        }
        // Where one card makes the carrier refuse them all, nothing was recorded for any.
        let poisons = |answer: &Answer| match answer {
            Answer::Refused { .. } => true,
            Answer::Later { reason, .. } => reason.starts_with("13009") || reason.starts_with("13010"),
            _ => false,
        };
        let job = |some: &[Request]| {
            let msisdns: Vec<&str> = some.iter().filter_map(|r| r.card.msisdn.as_deref()).collect();
            let params = [("msisdns", msisdns.join("_")), ("operType", act.to_owned()), ("reason", "01".to_owned())];
            let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let rows = self.ask(call, STATES, &params)?;
            match rows.first().and_then(|row| json::text(row, "jobId")) {
                Some(job) => Ok(Answer::Accepted { job: Some(job) }),
                None => Err(Answer::InDoubt { reason: "a job without a number".into() }),
            }
        };
        crate::by_halves(requests, &job, &poisons, &|request| self.write_one(call, request))
    }

    fn write_one(&self, call: &Call<'_>, request: &Request) -> Answer {
        self.write(call, request).unwrap_or_else(|answer| answer)
    }

    /// What became of a write: by its job, then by what the card shows.
    pub(super) fn outcome(&self, call: &Call<'_>, request: &Request, sent: &Sent) -> Result<Answer, Answer> {
        if let Some(job) = sent.job.as_ref().filter(|_| request.write.sets())
            && let Some(told) = self.job(call, request, job)?
        {
            return Ok(told);
        }
        let done = match &request.write {
            Write::Stop | Write::Resume | Write::Activate | Write::EndTest => {
                wire::is_so(&request.write, self.standing(call, &request.card)?.base)
            }
            Write::DataOff { apn } => self.data_is(call, request, (apn.as_deref(), false))?,
            Write::DataOn { apn, .. } => self.data_is(call, request, (apn.as_deref(), true))?,
            Write::Subscribe { .. } => return self.ordered(call, request, sent),
            Write::SetFunction { function, on } => self.function(call, &request.card, *function)? == Some(*on),
            // Told once, and done no harm by a second time.
            Write::AllowCalls { .. }
            | Write::BarCalls { .. }
            | Write::LimitSpeed { .. }
            | Write::ResetSession
            | Write::RefreshUsage => {
                return Ok(if sent.accepted.is_some() { Answer::Confirmed } else { Answer::Unknown });
            }
            // A message is not sent twice, and nobody tells what became of it.
            _ if sent.accepted.is_some() => return Ok(Answer::ACCEPTED),
            _ => return Ok(Answer::InDoubt { reason: "the carrier does not tell whether it has the message".into() }),
        };
        Ok(crate::by_sight(done, call.now, sent, self.terms.apply_seconds))
    }

    /// What the job says of the card; none if it is done there, which the card itself must show.
    fn job(&self, call: &Call<'_>, request: &Request, job: &str) -> Result<Option<Answer>, Answer> {
        let rows = self.ask(call, "query/sim-batch-result", &[("jobId", job)])?;
        let row = rows.into_iter().next().unwrap_or_default();
        let mine = |r: &&Value| {
            let id = json::text(r, "resultId");
            id.is_some() && (id == request.card.msisdn || id.as_deref() == Some(request.card.iccid.as_str()))
        };
        let result = json::list(&row, "resultList").iter().find(mine);
        let status = json::text(&row, "jobStatus").unwrap_or_default();
        Ok(match (status.as_str(), result.map(|r| (json::text(r, "status").unwrap_or_default(), r))) {
            ("0" | "1", _) => Some(Answer::Accepted { job: Some(job.to_owned()) }),
            ("2", _) => None,
            (_, Some((code, _))) if code == "0" => None,
            (_, Some((code, r))) => {
                let words = json::text(r, "message").unwrap_or_default();
                Some(match wire::answer(&code, &words, self.terms.cool_down_seconds) {
                    // The job is over: that it failed is no doubt, whatever the reason.
                    Answer::InDoubt { reason } => Answer::Refused { code, reason },
                    told => told,
                })
            }
            ("4", None) => Some(Answer::Refused { code: "job".into(), reason: format!("job {job} failed") }),
            _ => None,
        })
    }

    /// Whether a function of the card is on (23M08); none: that is not told.
    fn function(&self, call: &Call<'_>, card: &Card, function: Function) -> Result<Option<bool>, Answer> {
        let code = match function {
            Function::Voice => "01",
            Function::Sms => "08",
        };
        let row = self.about(call, "query/sim-communication-function-status", card, &[])?;
        let mine = |r: &&Value| json::text(r, "serviceType").as_deref() == Some(code);
        let found = json::list(&row, "serviceTypeList").iter().find(mine);
        Ok(found.and_then(|r| json::text(r, "serviceStatus")).map(|status| status == "1"))
    }

    fn data_is(&self, call: &Call<'_>, request: &Request, (apn, on): (Option<&str>, bool)) -> Result<bool, Answer> {
        let apns = self.apns(call, &request.card)?;
        let asked = |name: &str| apn.is_none_or(|apn| apn == name);
        Ok(apns.iter().any(|a| asked(&a.name) && a.on == Some(on)))
    }
}

fn is_code(answer: &Answer, code: &str) -> bool {
    matches!(answer, Answer::Refused { code: told, .. } if told == code)
}
