//! Acts that go to the carrier, tasks over many cards, and messages.

use super::{Ask, Operation, text};
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::fields::Fields;
use crate::eiotclub::wire;
use kachi_dialects::eiotclub::codes;
use kachi_domain::Refusal;
use kachi_domain::ids::Imsi;
use kachi_domain::sms::CHARS_MAX;
use kachi_engine::Fail;
use kachi_engine::network::{CardKey, Paced};

/// Tasks that one question may name (EIOTCLUB v3, task/query).
const TASKS_MAX: usize = 100;

impl Ask<'_> {
    pub(super) async fn switch_options(&self) -> Result<String, No> {
        let card = CardKey::Iccid(self.fields().iccid()?);
        let (operators, network) = self.door.engine.switch_options(self.catalogue, &self.caller.actor, card).await?;
        Ok(wire::good(self.caller.language, &wire::SwitchOptions { operators, network }))
    }

    pub(super) async fn switch_operator(&self) -> Result<String, No> {
        let card = iccid_or_imsi(self.fields())?;
        let network = self.fields().required("network", errors::NETWORK_WRONG)?.trim().to_owned();
        let (language, what) = (self.caller.language, (card, network, self.reference()));
        let render = move |_: &()| wire::done(language);
        let key = self.key(Operation::SwitchOperator);
        Ok(text(self.door.engine.switch_network(self.catalogue, &self.caller.actor, key, what, render).await?))
    }

    pub(super) async fn refresh_usage(&self) -> Result<String, No> {
        self.paced(Operation::RefreshUsage, Paced::RefreshUsage).await
    }

    pub(super) async fn refresh_card(&self) -> Result<String, No> {
        self.paced(Operation::RefreshCard, Paced::RefreshCard).await
    }

    pub(super) async fn cancel_location(&self) -> Result<String, No> {
        self.paced(Operation::CancelLocation, Paced::CancelSession).await
    }

    pub(super) async fn cloud_refresh_usage(&self) -> Result<String, No> {
        self.cloud_paced(Operation::CloudRefreshUsage, Paced::RefreshUsage).await
    }

    pub(super) async fn cloud_cancel_session(&self) -> Result<String, No> {
        self.cloud_paced(Operation::CloudCancelSession, Paced::CancelSession).await
    }

    /// By ICCID: the answer has no `data`.
    async fn paced(&self, operation: Operation, act: Paced) -> Result<String, No> {
        let (card, language) = (CardKey::Iccid(self.fields().iccid()?), self.caller.language);
        self.ask_carrier(operation, (card, act), move |_: &()| wire::done(language)).await
    }

    /// By EID: the answer has an empty `data`.
    async fn cloud_paced(&self, operation: Operation, act: Paced) -> Result<String, No> {
        let card = CardKey::Eid(self.fields().eid("eid")?);
        let language = self.caller.language;
        self.ask_carrier(operation, (card, act), move |_: &()| wire::good(language, &wire::Nothing {})).await
    }

    async fn ask_carrier(
        &self,
        operation: Operation,
        (card, act): (CardKey, Paced),
        render: impl Fn(&()) -> String + Send + 'static,
    ) -> Result<String, No> {
        let (key, what) = (self.key(operation), (card, act, self.reference()));
        let asked = self.door.engine.ask_carrier(self.catalogue, &self.caller.actor, key, what, render).await;
        asked.map(text).map_err(|fail| over(fail, errors::REFRESH_FAILED))
    }

    pub(super) async fn reset(&self) -> Result<String, No> {
        let iccids = self.fields().iccids(self.door.settings.iccids_max, errors::ICCID_OF_LIST_WRONG)?;
        let iccids = iccids.ok_or(No::Code(errors::ICCIDS_WRONG))?;
        let (key, language) = (self.key(Operation::Reset), self.caller.language);
        let render = move |id: &i64| wire::good(language, &wire::TaskName { task_id: id.to_string() });
        Ok(text(self.door.engine.reset_cards(self.catalogue, &self.caller.actor, key, iccids, render).await?))
    }

    pub(super) async fn tasks(&self) -> Result<String, No> {
        let wrong = No::Code(codes::PARAMETER_WRONG);
        let Some(mut ids) = self.fields().numbers("ids", codes::PARAMETER_WRONG)? else { return Err(wrong) };
        if ids.len() > TASKS_MAX {
            return Err(wrong);
        }
        let tasks = self.door.engine.tasks(self.catalogue, &self.caller.actor, ids.clone()).await?;
        let mut seen = Vec::new();
        ids.retain(|id| {
            !seen.contains(id) && {
                seen.push(*id);
                true
            }
        });
        let lines: Vec<_> = ids.iter().filter_map(|id| tasks.iter().find(|t| t.task.id == *id)).map(wire::TaskLine::of).collect();
        Ok(wire::tasks(&lines))
    }

    pub(super) async fn send_sms(&self) -> Result<String, No> {
        let fields = self.fields();
        let message = fields.required("message", errors::SMS_TEXT_WRONG)?.into_owned();
        if message.chars().count() > CHARS_MAX {
            return Err(No::Code(errors::SMS_TEXT_WRONG));
        }
        let (iccid, number, language) = (fields.iccid()?, self.reference(), self.caller.language);
        let (key, trans_id) = (self.key(Operation::SendSms), number.clone());
        let render = move |_: &()| wire::good(language, &wire::SmsName { trans_id: &trans_id });
        let what = (iccid, message, number);
        let sent = self.door.engine.send_sms(self.catalogue, &self.caller.actor, key, what, render).await;
        sent.map(text).map_err(|fail| over(fail, errors::SMS_WRONG))
    }

    /// A text that no other act has.
    fn reference(&self) -> String {
        (self.door.settings.order_number)()
    }
}

/// What is asked by one of two numbers, or by both.
fn iccid_or_imsi(fields: Fields<'_>) -> Result<CardKey, No> {
    let wrong = No::Code(errors::IMSI_WRONG);
    let imsi = fields.text("imsi", errors::IMSI_WRONG)?.map(|t| Imsi::parse(&t).map_err(|_| wrong)).transpose()?;
    match (fields.text("iccid", codes::ICCID_MALFORMED)?, imsi) {
        (None, Some(imsi)) => Ok(CardKey::Imsi(imsi)),
        (_, None) => Ok(CardKey::Iccid(fields.iccid()?)),
        (Some(_), Some(imsi)) => Ok(CardKey::Both(fields.iccid()?, imsi)),
    }
}

/// A card whose life is over has its own code in each operation; the table's own is about orders.
fn over(fail: Fail, code: u32) -> No {
    match fail {
        Fail::Refused(Refusal::SimOver) => No::Code(code),
        other => other.into(),
    }
}
