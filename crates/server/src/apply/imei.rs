//! IMEI groups: the devices and cards that a file lists are in the group afterwards; what it does not list stays.

use super::file::{self, GroupCard};
use super::work::{Step, Work, check_code, differing};
use kachi_domain::ids::Imei;
use kachi_domain::imei::UNLOCKS_PER_MONTH;
use kachi_domain::ledger::OPERATOR;
use kachi_domain::{Iccid, Timestamp};
use kachi_engine::imei::{self, Joined};
use kachi_engine::{Actor, Catalogue};
use kachi_store::imei::ImeiGroup;

impl Work<'_, '_> {
    /// Groups, their devices and their cards. A card comes in from the group it was in.
    pub fn imei_groups(&mut self, catalogue: &Catalogue, entries: &[file::ImeiGroup]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("imei_groups[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let there = self.tx.imei_group_by_code(&entry.code)?;
            let group = self.imei_group(&place, entry, there.as_ref())?;
            let mut devices = false;
            for (n, text) in entry.imeis.iter().enumerate() {
                let imei = self.number(&format!("{place}.imeis[{n}]"), text, Imei::parse)?;
                devices |= self.tx.add_imei(&group, &imei)?;
            }
            let cards = self.group_cards(catalogue, &place, entry, &group)?;
            match there {
                None => self.outcome.added("IMEI group", &entry.code),
                Some(there) => {
                    let limit = there.unlocks_per_month != group.unlocks_per_month;
                    let fields = differing(&[("unlocks_per_month", limit), ("imeis", devices), ("sims", cards)]);
                    self.outcome.compared("IMEI group", &entry.code, &fields);
                }
            }
        }
        Ok(())
    }

    /// The group, made or changed.
    fn imei_group(&mut self, place: &str, entry: &file::ImeiGroup, there: Option<&ImeiGroup>) -> Step<ImeiGroup> {
        let account = match &entry.account {
            Some(code) => Some(self.account(&format!("{place}.account"), code)?.id),
            None => None,
        };
        if entry.unlocks_per_month.is_some_and(|n| n < 0) {
            return self.refuse(&format!("{place}.unlocks_per_month"), "must not be below 0");
        }
        if let Some(there) = there {
            if entry.id.is_some_and(|id| id != there.id) {
                return self.refuse(&format!("{place}.id"), format!("{} has the number {} for ever", there.code, there.id));
            }
            if account.is_some_and(|account| account != there.account) {
                return self.refuse(&format!("{place}.account"), format!("{} stays with its account", there.code));
            }
            let limit = entry.unlocks_per_month.unwrap_or(there.unlocks_per_month);
            self.tx.set_imei_group_limit(there.id, limit)?;
            return Ok(ImeiGroup { unlocks_per_month: limit, ..there.clone() });
        }
        let Some(account) = account else {
            return self.refuse(&format!("{place}.account"), "is missing; name the account that owns the group");
        };
        if let Some(id) = entry.id
            && (id < 1 || self.tx.imei_group(id)?.is_some())
        {
            return self.refuse(&format!("{place}.id"), format!("{id} is taken or below 1; choose another or leave it out"));
        }
        let group = ImeiGroup {
            id: entry.id.unwrap_or(0),
            account,
            code: entry.code.clone(),
            unlocks_per_month: entry.unlocks_per_month.unwrap_or(UNLOCKS_PER_MONTH),
            bound_sim: None,
        };
        Ok(ImeiGroup { id: self.tx.add_imei_group(&group, self.how.now)?, ..group })
    }

    /// Whether any card came in or has another end now. An end that has passed is over: the card is not put in again.
    fn group_cards(&mut self, catalogue: &Catalogue, place: &str, entry: &file::ImeiGroup, group: &ImeiGroup) -> Step<bool> {
        let Some(actor): Option<Actor> = catalogue.actor(OPERATOR) else { return self.refuse(place, "there is no operator") };
        let mut changed = false;
        for (n, card) in entry.sims.iter().enumerate() {
            let place = format!("{place}.sims[{n}]");
            let (iccid, until) = match card {
                GroupCard::ForGood(iccid) => (iccid, None),
                GroupCard::Until { iccid, until } => (iccid, Some(self.at(&place, Timestamp::parse_rfc3339(until))?)),
            };
            let iccid = self.number(&place, iccid, Iccid::parse)?;
            if until.is_some_and(|until| until <= self.how.now) {
                continue;
            }
            let joined = imei::join(self.tx, catalogue, &self.how, &actor, (&iccid, group), until);
            changed |= self.engine(&place, joined)? != Joined::Same;
        }
        Ok(changed)
    }
}
