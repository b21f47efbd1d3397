//! Templates of messages to people's telephones. What the operator writes here is approved and its signature registered.

use super::file;
use super::prices::priced;
use super::work::{Step, Work, check_code, differing};
use kachi_domain::AccountId;
use kachi_domain::sms::{BATCH_CHARS_MAX, SIGNATURE};
use kachi_store::sms::Template;

/// What a part costs unless the file says otherwise (CardBOSS v2.2.2, 3.5.5).
const PRICE: &str = "0.10";
/// Characters of a signature between its brackets.
const SIGNATURE_CHARS: std::ops::RangeInclusive<usize> = 2..=20;

impl Work<'_, '_> {
    /// Templates. One that a file no longer lists stays.
    pub fn sms_templates(&mut self, entries: &[file::SmsTemplate]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("sms_templates[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let known = self.tx.sms_template(&entry.code)?;
            let wanted = self.wanted_template(&place, entry, known.as_ref())?;
            match &known {
                None => self.outcome.added("sms template", &entry.code),
                Some(k) => {
                    let fields = differing(&[
                        ("account", k.account != wanted.account),
                        ("text", k.text != wanted.text),
                        ("signature", k.signature != wanted.signature),
                        ("price", k.price_minor != wanted.price_minor),
                        ("approved", k.approved != wanted.approved),
                    ]);
                    self.outcome.compared("sms template", &entry.code, &fields);
                }
            }
            if known.as_ref() != Some(&wanted) {
                self.tx.put_sms_template(&wanted)?;
            }
        }
        Ok(())
    }

    fn wanted_template(&mut self, place: &str, entry: &file::SmsTemplate, known: Option<&Template>) -> Step<Template> {
        let at = |key: &str| format!("{place}.{key}");
        let account = match (&entry.account, known) {
            (Some(code), _) => self.account(&at("account"), code)?,
            (None, Some(k)) => self.account_by_id(&at("account"), k.account)?,
            (None, None) => return self.refuse(&at("account"), "is missing; name the account that may send it"),
        };
        let text = entry.text.clone().or_else(|| known.map(|k| k.text.clone())).unwrap_or_default();
        if text.trim().is_empty() || text.chars().count() > BATCH_CHARS_MAX {
            return self.refuse(&at("text"), format!("write 1 to {BATCH_CHARS_MAX} characters, with variables such as @1@"));
        }
        let signature = entry.signature.clone().or_else(|| known.map(|k| k.signature.clone()));
        let signature = signature.unwrap_or_else(|| SIGNATURE.to_owned());
        let name = signature.strip_prefix('【').and_then(|rest| rest.strip_suffix('】')).unwrap_or_default();
        if !SIGNATURE_CHARS.contains(&name.chars().count()) || name.contains(['【', '】']) {
            return self.refuse(&at("signature"), format!("\"{signature}\" is not a name of 2 to 20 characters in 【】"));
        }
        let price = match (&entry.price, known) {
            (None, Some(k)) if k.account == account.id => Some(k.price_minor),
            (given, _) => self.price_amount(
                &priced(place, "price", &entry.code),
                Some(given.as_deref().unwrap_or(PRICE)),
                account.currency,
            )?,
        };
        Ok(Template {
            code: entry.code.clone(),
            account: account.id,
            text,
            signature,
            price_minor: price.unwrap_or_default(),
            approved: entry.approved.or(known.map(|k| k.approved)).unwrap_or(true),
        })
    }

    fn account_by_id(&mut self, place: &str, id: AccountId) -> Step<kachi_store::accounts::Account> {
        match self.tx.accounts()?.into_iter().find(|a| a.id == id) {
            Some(account) => Ok(account),
            None => self.refuse(place, format!("there is no account {id}")),
        }
    }
}
