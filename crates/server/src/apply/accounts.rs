//! Accounts and what belongs to them: money, keys, prices and people.

use super::file;
use super::prices::priced;
use super::work::{Step, Work, check_code, differing};
use crate::{open, secrets};
use kachi_domain::account::{Path, Switch};
use kachi_domain::address::masked;
use kachi_domain::ledger::{Journal, OPERATOR};
use kachi_domain::time::DEFAULT_ZONE;
use kachi_domain::{AccountId, Money, Zone};
use kachi_edges::fastbee;
use kachi_engine::{Catalogue, money};
use kachi_store::accounts::Account;
use kachi_store::catalogue::Price;
use std::collections::HashSet;

/// The first number given to an account that names none.
const FIRST_ID: i64 = 10_001;
/// Characters of a bearer token, at least.
const TOKEN_MIN: usize = 4;
/// The cause of an opening balance: it makes the credit happen once.
const OPENING: &str = "opening balance";

impl Work<'_, '_> {
    /// Accounts, parents before children in whatever order they are listed.
    pub fn accounts(&mut self, entries: &[file::Account]) -> Step {
        let (mut codes, mut ids) = (HashSet::new(), HashSet::new());
        for (i, entry) in entries.iter().enumerate() {
            if !codes.insert(&entry.code) {
                return self.refuse(&format!("accounts[{i}].code"), format!("{} stands twice; keep one", entry.code));
            }
            if let Some(id) = entry.id.filter(|id| !ids.insert(*id)) {
                return self.refuse(&format!("accounts[{i}].id"), format!("{id} stands twice; choose another"));
            }
        }
        let mut waiting: Vec<(usize, &file::Account)> = entries.iter().enumerate().collect();
        while !waiting.is_empty() {
            let known: HashSet<String> = self.tx.accounts()?.into_iter().map(|a| a.code).collect();
            let ready = |(_, e): &(usize, &file::Account)| e.parent.as_ref().is_none_or(|p| known.contains(p));
            let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
            if let (true, Some((i, entry))) = (now.is_empty(), later.first()) {
                let parent = entry.parent.as_deref().unwrap_or_default();
                let words = match circle(entry, &later) {
                    Some(circle) => format!("{circle}: one of them must stand elsewhere, or name no parent"),
                    None => format!("there is no account {parent}; list it under accounts"),
                };
                return self.refuse(&format!("accounts[{i}].parent"), words);
            }
            for (i, entry) in now {
                self.account_itself(&format!("accounts[{i}]"), entry)?;
            }
            waiting = later;
        }
        Ok(())
    }

    fn account_itself(&mut self, place: &str, entry: &file::Account) -> Step {
        self.at(&format!("{place}.code"), check_code(&entry.code))?;
        let all = self.tx.accounts()?;
        let base = match all.iter().find(|a| a.code == entry.code) {
            Some(known) => {
                self.check_fixed(place, entry, known, &all)?;
                known.clone()
            }
            None => self.fresh(place, entry, &all)?,
        };
        let is_new = all.iter().all(|a| a.id != base.id);
        let wanted = self.wanted_account(place, entry, base.clone())?;
        if is_new {
            self.outcome.added("account", &entry.code);
        } else {
            let fields = differing(&[
                ("name", base.name != wanted.name),
                ("time_zone", base.time_zone != wanted.time_zone),
                ("language", base.language != wanted.language),
                ("credit", base.credit_minor != wanted.credit_minor),
                ("ip_allow", base.ip_allow != wanted.ip_allow),
                ("notify", base.notify != wanted.notify),
                ("contact", base.contact != wanted.contact),
                ("state", base.switch != wanted.switch),
                ("fastbee.claim", base.claims != wanted.claims),
                ("credit_stop", base.credit_stop != wanted.credit_stop),
            ]);
            if base.time_zone != wanted.time_zone {
                self.outcome.warnings.push(format!(
                    "{}: {place}.time_zone: usage of {} that is in already stays in the days of {}; what comes in from now on is in those of {}; packages that its cards have keep their months; days and months of its statements (`kachi export journal`, `orders`) are those of {3} from now on, past ones too",
                    self.file, entry.code, base.time_zone, wanted.time_zone
                ));
            }
            let credit = ("credit", Some(base.credit_minor), Some(wanted.credit_minor));
            self.outcome.priced("account", &entry.code, &fields, &[credit], wanted.currency);
        }
        if is_new || base != wanted {
            self.tx.put_account(&wanted, self.how.now)?;
        }
        Ok(())
    }

    /// Number, place and currency of a known account never change.
    fn check_fixed(&self, place: &str, entry: &file::Account, known: &Account, all: &[Account]) -> Step {
        if let Some(id) = entry.id.filter(|id| *id != known.id.0) {
            return self
                .refuse(&format!("{place}.id"), format!("{} has number {}, not {id}; it never changes", known.code, known.id));
        }
        if let Some(text) = entry.currency.as_ref().filter(|t| *t != known.currency.as_str()) {
            return self.refuse(
                &format!("{place}.currency"),
                format!("{} pays in {}, which never changes to {text}", known.code, known.currency),
            );
        }
        let parent = known.path.chain().iter().rev().nth(1).and_then(|p| all.iter().find(|a| a.id == *p));
        if let (Some(given), Some(parent)) = (&entry.parent, parent)
            && *given != parent.code
        {
            return self
                .refuse(&format!("{place}.parent"), format!("{} stands under {}, which never changes", known.code, parent.code));
        }
        Ok(())
    }

    /// A new account with everything optional as it is where nothing is said.
    fn fresh(&mut self, place: &str, entry: &file::Account, all: &[Account]) -> Step<Account> {
        let parent_code = entry.parent.as_deref().unwrap_or(open::OPERATOR_CODE);
        let parent = self.account(&format!("{place}.parent"), parent_code)?;
        let id = match entry.id {
            Some(id) if id <= 1 => return self.refuse(&format!("{place}.id"), "must be 2 or more; 1 is the operator"),
            Some(id) => id,
            None => self.tx.last_account_id()?.max(self.claimed_id).max(FIRST_ID - 1) + 1,
        };
        if let Some(holder) = all.iter().find(|a| a.id.0 == id) {
            return self.refuse(&format!("{place}.id"), format!("{id} is account {}; choose another", holder.code));
        }
        let text = entry.currency.as_deref().unwrap_or(parent.currency.as_str());
        let currency = self.currency(&format!("{place}.currency"), text)?;
        // Each level earns its share of a sale in the currency of the sale: nothing could be sold across two of them.
        if parent.id != OPERATOR && currency != parent.currency {
            return self.refuse(
                &format!("{place}.currency"),
                format!(
                    "{} would pay in {currency} under {parent_code}, which pays in {above}: nothing could be sold to it; write {above}, \
                     or let it stand under the operator",
                    entry.code,
                    above = parent.currency
                ),
            );
        }
        Ok(Account {
            id: AccountId(id),
            code: entry.code.clone(),
            path: Path::child(&parent.path, AccountId(id)),
            name: entry.code.clone(),
            currency,
            time_zone: DEFAULT_ZONE.to_owned(),
            language: "zh".to_owned(),
            credit_minor: 0,
            ip_allow: "[]".to_owned(),
            notify: "{}".to_owned(),
            contact: "{}".to_owned(),
            switch: Switch::On,
            claims: false,
            credit_stop: false,
        })
    }

    fn wanted_account(&mut self, place: &str, entry: &file::Account, base: Account) -> Step<Account> {
        let mut wanted = base;
        if let Some(name) = &entry.name {
            wanted.name = name.clone();
        }
        if let Some(zone) = &entry.time_zone {
            self.at(place, Zone::find(zone))?;
            wanted.time_zone = zone.clone();
        }
        if let Some(language) = &entry.language {
            if !["zh", "en"].contains(&language.as_str()) {
                return self.refuse(&format!("{place}.language"), format!("\"{language}\" is not one of zh, en"));
            }
            wanted.language = language.clone();
        }
        if let Some(minor) = self.amount(&format!("{place}.credit"), entry.credit.as_deref(), wanted.currency)? {
            let (available, _, _) = self.tx.balance(wanted.id)?;
            if available < -minor {
                let owed = Money { minor: -available, currency: wanted.currency }.to_decimal();
                return self
                    .refuse(&format!("{place}.credit"), format!("{} owes {owed} already; give at least that", wanted.code));
            }
            wanted.credit_minor = minor;
        }
        if let Some(networks) = &entry.ip_allow {
            let read = |n: &String| {
                crate::config::network(n).ok_or_else(|| format!("\"{n}\" is not a network: write 10.1.0.0/16 or 10.1.2.3"))
            };
            let networks = self.at(&format!("{place}.ip_allow"), networks.iter().map(read).collect::<Result<Vec<_>, _>>())?;
            wanted.ip_allow = serde_json::json!(networks).to_string();
        }
        if let Some(notify) = &entry.notify {
            for (door, url) in notify {
                let place = format!("{place}.notify.{door}");
                if !secrets::NOTIFY.contains(&door.as_str()) {
                    return self
                        .refuse(&place, format!("not supported by this version; there are {}", secrets::NOTIFY.join(", ")));
                }
                if !["http://", "https://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme)) {
                    return self
                        .refuse(&place, format!("\"{}\" is not an address: write http://... or https://...", masked(url)));
                }
            }
            wanted.notify = serde_json::json!(notify).to_string();
        }
        if let Some(claim) = entry.fastbee.as_ref().and_then(|f| f.claim) {
            wanted.claims = claim;
        }
        if let Some(stops) = entry.credit_stop {
            wanted.credit_stop = stops;
        }
        if let Some(contact) = &entry.contact {
            wanted.contact = self.at(&format!("{place}.contact"), serde_json::to_string(contact))?;
        }
        if let Some(word) = &entry.state {
            wanted.switch = self.at(&format!("{place}.state"), Switch::parse(word))?;
            if wanted.id == OPERATOR && wanted.switch != Switch::On {
                return self.refuse(&format!("{place}.state"), "the operator's own account stays on");
            }
        }
        Ok(wanted)
    }

    /// What hangs on accounts and needs packages: keys, prices, people.
    pub fn belongings(&mut self, entries: &[file::Account]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("accounts[{i}]");
            let account = self.account(&place, &entry.code)?;
            self.keys(&place, entry, &account)?;
            self.token(&place, entry, &account)?;
            self.cdr_folder(&place, entry, &account)?;
            for (n, price) in entry.prices.iter().enumerate() {
                self.price(&format!("{place}.prices[{n}]"), price, &account)?;
            }
            for (n, user) in entry.users.iter().enumerate() {
                self.user(&format!("{place}.users[{n}]"), user, &account)?;
            }
        }
        Ok(())
    }

    /// Money that accounts bring along, credited once.
    pub fn opening_balances(&mut self, catalogue: &Catalogue, entries: &[file::Account]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("accounts[{i}].opening_balance");
            let account = self.account(&place, &entry.code)?;
            self.opening_balance(catalogue, place, entry, &account)?;
        }
        Ok(())
    }

    fn opening_balance(&mut self, catalogue: &Catalogue, place: String, entry: &file::Account, account: &Account) -> Step {
        let Some(minor) = self.amount(&place, entry.opening_balance.as_deref(), account.currency)? else { return Ok(()) };
        let opened = self.tx.journal_amount(account.id, Journal::TopUp, OPENING)?;
        if let Some(opened) = opened.filter(|opened| *opened != minor) {
            let words = |minor| Money { minor, currency: account.currency }.to_decimal();
            let code = &account.code;
            self.outcome.warnings.push(format!(
                "{}: {place}: {code} was opened with {} {} and {} is not applied; more money is booked with `kachi admin balance top-up {code} \
                 AMOUNT --reference TEXT`",
                self.file, words(opened), account.currency, words(minor)
            ));
        }
        if minor == 0 {
            return Ok(());
        }
        let amount = Money { minor, currency: account.currency };
        let name = format!("{} {} {}", account.code, amount.to_decimal(), amount.currency);
        let posted = money::top_up(self.tx, catalogue, account.id, amount, OPENING, self.how.now);
        if self.engine(&place, posted)? {
            self.outcome.added(OPENING, &name);
        } else {
            self.outcome.compared(OPENING, &name, &[]);
        }
        Ok(())
    }

    fn keys(&mut self, place: &str, entry: &file::Account, account: &Account) -> Step {
        let Some(given) = &entry.credentials else { return Ok(()) };
        if let Some(key) = &given.eiotclub {
            self.key(
                &format!("{place}.credentials.eiotclub"),
                (secrets::DOORS[0], "appkey", &key.appkey, "secret", &key.secret),
                account,
            )?;
        }
        if let Some(key) = &given.cardboss {
            let place = format!("{place}.credentials.cardboss");
            // Messages are encrypted with its first sixteen characters and its last sixteen.
            if key.apikey.as_ref().is_some_and(|k| k.len() < 16 || !k.is_ascii()) {
                return self
                    .refuse(&format!("{place}.apikey"), "has fewer than 16 ASCII characters; leave it out to have one made");
            }
            self.key(&place, (secrets::DOORS[1], "sid", &key.sid, "apikey", &key.apikey), account)?;
        }
        Ok(())
    }

    /// A key at a door: its name and secret as the door calls them, each as given.
    fn key(
        &mut self,
        place: &str,
        (door, name_is, name, secret_is, secret): (&str, &str, &Option<String>, &str, &Option<String>),
        account: &Account,
    ) -> Step {
        let all = self.tx.credentials()?;
        let mut own: Vec<_> = all.iter().filter(|c| c.0 == door && c.2 == account.id).collect();
        own.sort();
        let name = name.clone().or_else(|| own.first().map(|c| c.1.clone())).unwrap_or_else(|| account.id.to_string());
        if name.is_empty() || secret.as_deref() == Some("") {
            return self.refuse(place, format!("an {name_is} or {secret_is} is not empty; leave it out to have one made"));
        }
        let known = all.iter().find(|c| c.0 == door && c.1 == name);
        if known.is_some_and(|c| c.2 != account.id) {
            return self.refuse(&format!("{place}.{name_is}"), format!("{name} belongs to another account; choose another"));
        }
        let label = format!("{} {door} {name}", account.code);
        let secret = match (secret, known) {
            (None, Some(_)) => {
                self.outcome.compared("key", &label, &[]);
                return Ok(());
            }
            (Some(secret), _) => secret.clone(),
            (None, None) => {
                let made = secrets::made();
                self.outcome.secrets.push(format!("{label}: {secret_is}, shown once: {made}"));
                made
            }
        };
        match known {
            None => self.outcome.added("key", &label),
            Some(k) => self.outcome.compared("key", &label, &differing(&[(secret_is, k.3 != secret)])),
        }
        if known.is_none_or(|k| k.3 != secret) {
            self.tx.put_credential(door, &name, account.id, &secret)?;
        }
        Ok(())
    }

    /// The bearer token of the card door: one an account, kept as its digest.
    fn token(&mut self, place: &str, entry: &file::Account, account: &Account) -> Step {
        let Some(given) = &entry.fastbee else { return Ok(()) };
        let place = format!("{place}.fastbee.token");
        let all = self.tx.credentials()?;
        let own = all.iter().find(|c| c.0 == fastbee::DOOR && c.2 == account.id);
        let label = format!("{} {}", account.code, fastbee::DOOR);
        let token = match (&given.token, own) {
            (None, Some(_)) => {
                self.outcome.compared("token", &label, &[]);
                return Ok(());
            }
            (Some(token), _) if token.len() < TOKEN_MIN || !token.bytes().all(|b| b.is_ascii_graphic()) => {
                let rule = format!(
                    "must have at least {TOKEN_MIN} letters, digits or signs without blanks; leave it out to have one made"
                );
                return self.refuse(&place, rule);
            }
            (Some(token), _) => token.clone(),
            (None, None) => {
                let made = secrets::made();
                self.outcome.secrets.push(format!("{label}: token, shown once: {made}"));
                made
            }
        };
        let name = fastbee::token_name(&token);
        if all.iter().any(|c| c.0 == fastbee::DOOR && c.1 == name && c.2 != account.id) {
            return self.refuse(&place, "is another account's; choose another");
        }
        match own {
            None => self.outcome.added("token", &label),
            Some(own) => self.outcome.compared("token", &label, &differing(&[("token", own.1 != name)])),
        }
        if own.is_none_or(|own| own.1 != name) {
            self.tx.remove_credentials(fastbee::DOOR, account.id)?;
            self.tx.put_credential(fastbee::DOOR, &name, account.id, "")?;
        }
        Ok(())
    }

    fn price(&mut self, place: &str, entry: &file::Price, account: &Account) -> Step {
        let package = self.package(&format!("{place}.package"), &entry.package)?;
        if package.currency != account.currency {
            let words =
                format!("{} is sold in {}, {} pays in {}", package.code, package.currency, account.code, account.currency);
            return self.refuse(&format!("{place}.package"), format!("{words}; choose a package of its currency"));
        }
        let known = self.tx.prices()?.into_iter().find(|p| p.account == account.id && p.package == package.id);
        let wanted = Price {
            account: account.id,
            package: package.id,
            price_minor: self
                .price_amount(&priced(place, "price", &entry.package), entry.price.as_deref(), account.currency)?
                .or(known.and_then(|k| k.price_minor)),
            retail_minor: self
                .price_amount(&priced(place, "retail_price", &entry.package), entry.retail_price.as_deref(), account.currency)?
                .or(known.and_then(|k| k.retail_minor)),
            listed: entry.listed.or(known.and_then(|k| k.listed)),
        };
        let label = format!("{} {}", account.code, package.code);
        match known {
            None => {
                let price = wanted.price_minor.map(|minor| Money { minor, currency: account.currency });
                let price = price.map_or_else(String::new, |p| format!(" {} {}", p.to_decimal(), p.currency));
                self.outcome.added("price", &format!("{label}{price}"));
            }
            Some(k) => {
                let fields = differing(&[
                    ("price", k.price_minor != wanted.price_minor),
                    ("retail_price", k.retail_minor != wanted.retail_minor),
                    ("listed", k.listed != wanted.listed),
                ]);
                let moved = [("price", k.price_minor, wanted.price_minor), ("retail_price", k.retail_minor, wanted.retail_minor)];
                self.outcome.priced("price", &label, &fields, &moved, account.currency);
            }
        }
        if known != Some(wanted) {
            self.tx.put_price(&wanted)?;
        }
        Ok(())
    }

    fn user(&mut self, place: &str, entry: &file::User, account: &Account) -> Step {
        self.at(&format!("{place}.login"), check_login(&entry.login))?;
        if !secrets::ROLES.contains(&entry.role.as_str()) {
            return self
                .refuse(&format!("{place}.role"), format!("\"{}\" is not one of {}", entry.role, secrets::ROLES.join(", ")));
        }
        let password = match &entry.password_file {
            Some(path) => Some(self.at(&format!("{place}.password_file"), secrets::password_from(&self.folder.join(path)))?),
            None => None,
        };
        let known = self.tx.login(&entry.login)?;
        if known.as_ref().is_some_and(|(owner, _, _)| *owner != account.id) {
            return self.refuse(&format!("{place}.login"), format!("{} belongs to another account; choose another", entry.login));
        }
        let hashed = |password: &str| secrets::hash(password).map_err(|e| e.words);
        let (hash, fields) = match (&known, &password) {
            (Some((_, role, hash)), Some(p)) => {
                let fits = secrets::fits(p, hash);
                let hash = if fits { hash.clone() } else { self.at(place, hashed(p))? };
                (hash, differing(&[("role", *role != entry.role), ("password", !fits)]))
            }
            (Some((_, role, hash)), None) => (hash.clone(), differing(&[("role", *role != entry.role)])),
            (None, Some(p)) => (self.at(place, hashed(p))?, vec!["new"]),
            (None, None) => {
                let made = secrets::made();
                self.outcome.secrets.push(format!("{} {}: password, shown once: {made}", account.code, entry.login));
                (self.at(place, hashed(&made))?, vec!["new"])
            }
        };
        let label = format!("{} {}", account.code, entry.login);
        if known.is_none() {
            self.outcome.added("user", &label);
        } else {
            self.outcome.compared("user", &label, &fields);
        }
        if !fields.is_empty() {
            self.tx.put_login(&entry.login, account.id, &entry.role, &hash, self.how.now)?;
        }
        Ok(())
    }
}

/// The circle of parents, in words, that an account leads to: `a under b, b under a`.
fn circle(from: &file::Account, waiting: &[(usize, &file::Account)]) -> Option<String> {
    let mut way: Vec<&file::Account> = vec![from];
    loop {
        let parent = way.last()?.parent.as_ref()?;
        let next = waiting.iter().find(|(_, e)| e.code == *parent).map(|(_, e)| *e)?;
        if let Some(begin) = way.iter().position(|e| e.code == next.code) {
            let step = |e: &&file::Account| format!("{} under {}", e.code, e.parent.as_deref().unwrap_or_default());
            return Some(way[begin..].iter().map(step).collect::<Vec<_>>().join(", "));
        }
        way.push(next);
    }
}

/// A login: one word that can be typed.
pub fn check_login(login: &str) -> Result<(), String> {
    if login.is_empty() || login.chars().count() > 128 || login.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("\"{login}\" is not a login: use letters, digits and signs without blanks"));
    }
    Ok(())
}
