//! Messages to cards and to people, what became of them, and what was answered.

use super::acts::text;
use super::{Ask, written_as};
use crate::cardboss::errors::No;
use crate::cardboss::{auth, wire};
use kachi_dialects::cardboss::{Operation, codes, read_message, unseal};
use kachi_domain::ids::Msisdn;
use kachi_domain::{Iccid, Refusal};
use kachi_engine::network::CardKey;
use kachi_engine::sms::{Carriage, PhoneSms, Sent};
use kachi_engine::{Fail, Once};

impl Ask<'_> {
    pub(super) async fn sms_iot(&self) -> Result<String, No> {
        self.send((self.form.get("mobile"), self.form.get("content")), Carriage::Plain).await
    }

    pub(super) async fn sms_iot_encrypted(&self) -> Result<String, No> {
        let apikey = self.catalogue.credential(crate::cardboss::DOOR, self.form.get("sid")).map_or("", |(_, key)| key);
        let open = unseal(self.form.get("text"), apikey).map_err(|code| No::said(code, "密文须为Base64(AES(号码##内容))"))?;
        read_message(&open.mobiles, &open.content)?;
        if !open.content.is_ascii() {
            self.door.counts.add(written_as(open.written), codes::SUCCESS);
        }
        self.send((open.mobiles.as_str(), open.content.as_str()), Carriage::Sealed).await
    }

    async fn send(&self, (mobiles, content): (&str, &str), carriage: Carriage) -> Result<String, No> {
        let wrong = |number: &str| No::Code(codes::NUMBER_WRONG, format!("{number}格式错误"));
        let card = |number: &str| match number.len() {
            11 | 13 => Msisdn::parse(number).map(CardKey::Msisdn).map_err(|_| wrong(number)),
            _ => Iccid::parse(number).map(CardKey::Iccid).map_err(|_| wrong(number)),
        };
        let cards = mobiles.split(',').map(card).collect::<Result<Vec<_>, _>>()?;
        let key = auth::request_key(self.operation, self.form);
        let message = (cards, content.to_owned(), (self.door.settings.token)(), carriage);
        let render = |sent: &Sent| wire::good(&wire::Handed::of(sent));
        sent(self.door.engine.send_iot_sms(self.catalogue, &self.caller.actor, key, message, render).await, "content不能为空")
    }

    pub(super) async fn sms_phone(&self) -> Result<String, No> {
        let numbers = self.form.list("mobile").into_iter().map(ToOwned::to_owned).collect();
        let (template, content) = (self.form.get("tplid").to_owned(), self.form.get("content").to_owned());
        let key = auth::request_key(Operation::SmsPhone, self.form);
        let cmd = PhoneSms { numbers, template, content, task: (self.door.settings.token)() };
        let render = |sent: &Sent| wire::good(&wire::Handed::of(sent));
        let values = "content须为短信模板的每个变量各给一个值, 格式为@1@=值|@2@=值";
        sent(self.door.engine.send_phone_sms(self.catalogue, &self.caller.actor, key, cmd, render).await, values)
    }

    pub(super) async fn sms_reports(&self) -> Result<String, No> {
        let reports = self.door.engine.take_sms_reports(self.catalogue, &self.caller.actor).await?;
        let rpts: Vec<_> = reports.iter().map(wire::ReportLine::of).collect();
        Ok(wire::good(&wire::Reports { count: rpts.len(), rpts }))
    }

    pub(super) async fn sms_replies(&self) -> Result<String, No> {
        let replies = self.door.engine.take_sms_replies(self.catalogue, &self.caller.actor).await?;
        let mos: Vec<_> = replies.iter().map(wire::ReplyLine::of).collect();
        Ok(wire::good(&wire::Replies { count: mos.len(), mos }))
    }
}

/// The answer, or the refusal with the code it has for messages; `content` says what a good one is.
fn sent(outcome: kachi_engine::Result<Once>, content: &str) -> Result<String, No> {
    let refusal = match outcome {
        Ok(once) => return Ok(text(once)),
        Err(Fail::Refused(refusal)) => refusal,
        Err(fail) => return Err(fail.into()),
    };
    Err(match &refusal {
        Refusal::SmsTooLong { max } => No::Code(codes::SMS_TOO_LONG, format!("短信内容最多{max}个字")),
        Refusal::TooMany { max } => No::Code(codes::NUMBERS_TOO_MANY, format!("单次最多{max}个号码")),
        Refusal::SimOver => No::said(codes::NUMBER_WRONG, "该卡已销号"),
        Refusal::BadField { field, .. } if field == "mobile" => No::said(codes::NUMBER_WRONG, "mobile号码格式错误"),
        Refusal::BadField { field, .. } if field == "content" => No::said(codes::VALUE_WRONG, content),
        Refusal::UnknownTemplate => No::said(codes::VALUE_WRONG, "短信模板tplid不存在"),
        Refusal::TemplateNotApproved => No::said(codes::VALUE_WRONG, "短信模板tplid尚未生效"),
        _ => refusal.into(),
    })
}
