//! Cards and the look-up from any printed number to one.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use crate::lists::NewState;
use crate::page::{KEPT_OFF, Newest, integers};
use kachi_domain::account::Path;
use kachi_domain::{AccountId, PlatformId, ProductId, SimId, Timestamp};

/// A card as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sim {
    /// Its number with us.
    pub id: SimId,
    /// Its owner.
    pub account: AccountId,
    /// Card number.
    pub iccid: String,
    /// Subscriber identity.
    pub imsi: Option<String>,
    /// Telephone number.
    pub msisdn: Option<String>,
    /// eSIM identity.
    pub eid: Option<String>,
    /// Device identity last seen.
    pub imei: Option<String>,
    /// What it is sold as.
    pub product: ProductId,
    /// Base state, as its word.
    pub state: String,
    /// Blocks, as bits.
    pub blocks: i64,
    /// When it became active.
    pub activated_at: Option<i64>,
    /// The network it is on.
    pub network: String,
    /// Whether its user's real name is known.
    pub real_name: bool,
    /// The owner's alias.
    pub alias: String,
    /// The owner's group.
    pub group: String,
    /// The owner's remark.
    pub remark: String,
    /// Everything else, JSON.
    pub details: String,
}

pub(crate) type SimRow = (
    i64,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    String,
    i64,
    Option<i64>,
    String,
    i64,
    String,
    String,
    String,
    String,
);

pub(crate) const SIM_COLUMNS: &str =
    "s.id, s.account_id, s.iccid, s.imsi, s.msisdn, s.eid, s.imei, s.product_id, s.state, s.blocks, s.activated_at,
    s.network, s.real_name, s.alias, s.group_name, s.remark, s.details";

pub(crate) fn sim(r: SimRow) -> Sim {
    Sim {
        id: SimId(r.0),
        account: AccountId(r.1),
        iccid: r.2,
        imsi: r.3,
        msisdn: r.4,
        eid: r.5,
        imei: r.6,
        product: ProductId(r.7),
        state: r.8,
        blocks: r.9,
        activated_at: r.10,
        network: r.11,
        real_name: r.12 != 0,
        alias: r.13,
        group: r.14,
        remark: r.15,
        details: r.16,
    }
}

/// A card with the package state after its last input and the catalogue's version, read in one statement.
#[derive(Debug, Clone)]
pub struct SimAndState {
    /// The card.
    pub sim: Sim,
    /// Package state, encoded; none before the first input.
    pub head: Option<Vec<u8>>,
    /// The latest instant up to which usage is known.
    pub as_of: Option<i64>,
    /// The catalogue's version at the same moment.
    pub version: i64,
    /// The IMEI it was last seen with, as a number; 0 before any.
    pub imei: i64,
    /// Its place in an IMEI group.
    pub imei_group: Option<ImeiPlace>,
    /// How often it joined or left a pool.
    pub pool_moves: i64,
}

/// A card's place in an IMEI group, as much as a card's answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImeiPlace {
    /// The group.
    pub group: i64,
    /// When it leaves by itself.
    pub until: Option<i64>,
    /// Unlocks in the month of the last one.
    pub unlocks: i64,
    /// When that month is over.
    pub unlocks_until: i64,
}

impl Tx<'_> {
    /// The card with this ICCID among those the account sees.
    pub fn sim_by_iccid(&mut self, actor: &Path, iccid: &str) -> Result<Option<Sim>, Error> {
        let text = format!("SELECT {SIM_COLUMNS} FROM sim s JOIN account a ON a.id = s.account_id WHERE s.iccid = ? AND {BELOW}");
        Ok(self.row::<SimRow>(&text, &binds![iccid, actor.as_str(), actor.as_str()])?.map(sim))
    }

    /// The cards with these ICCIDs among those the account sees, in no order.
    pub fn sims_by_iccid(&mut self, actor: &Path, iccids: &[&str]) -> Result<Vec<Sim>, Error> {
        let text = format!(
            "SELECT {SIM_COLUMNS} FROM sim s JOIN account a ON a.id = s.account_id WHERE {} AND {BELOW}",
            self.one_of_texts("s.iccid")
        );
        let list = serde_json::to_string(iccids).map_err(|e| Error::Engine(e.to_string()))?;
        Ok(self.rows::<SimRow>(&text, &binds![list, actor.as_str(), actor.as_str()])?.into_iter().map(sim).collect())
    }

    /// The card with this number of that kind (`iccid`, `imsi`, `msisdn`, `eid`) among those the account sees.
    pub fn sim_by_number(&mut self, actor: &Path, kind: &str, number: &str) -> Result<Option<Sim>, Error> {
        let text = format!(
            "SELECT {SIM_COLUMNS} FROM sim_key k JOIN sim s ON s.id = k.sim_id JOIN account a ON a.id = s.account_id
             WHERE k.number = ? AND k.kind = ? AND {BELOW}"
        );
        Ok(self.row::<SimRow>(&text, &binds![number, kind, actor.as_str(), actor.as_str()])?.map(sim))
    }

    /// Which cards have these numbers, each of a kind (`imsi`, `msisdn`, `eid`): (kind, card).
    pub fn sims_with_numbers(&mut self, numbers: &[(&str, &str)]) -> Result<Vec<(String, i64)>, Error> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let either = vec!["(number = ? AND kind = ?)"; numbers.len()].join(" OR ");
        let values: Vec<Value<'_>> = numbers.iter().flat_map(|(kind, number)| binds![*number, *kind]).collect();
        self.rows(&format!("SELECT kind, sim_id FROM sim_key WHERE {either} ORDER BY kind"), &values)
    }

    /// The card with this ICCID, its package state and the catalogue's version, in one statement. The caller checks the owner.
    pub fn sim_and_state(&mut self, iccid: &str) -> Result<Option<SimAndState>, Error> {
        Ok(self.row::<StatedRow>(sim_and_state_text(), &binds![iccid])?.map(stated))
    }

    /// As [`Tx::sim_and_state`], for many cards in one statement; those that are not there are left out.
    pub fn sims_and_states(&mut self, iccids: &[&str]) -> Result<Vec<SimAndState>, Error> {
        let text = sim_and_state_text().replace("s.iccid = ?", &self.one_of_texts("s.iccid"));
        let list = serde_json::to_string(iccids).map_err(|e| Error::Engine(e.to_string()))?;
        Ok(self.rows::<StatedRow>(&text, &binds![list])?.into_iter().map(stated).collect())
    }

    /// As [`Tx::sims_and_states`], by printed numbers of a kind (`iccid`, `msisdn`, ...).
    pub fn sims_and_states_by(&mut self, kind: &str, numbers: &[&str]) -> Result<Vec<SimAndState>, Error> {
        let rows = self.row_each("sim_key n", "n.number = k.value AND n.kind = ?");
        let from = format!("FROM {rows} JOIN sim s ON s.id = n.sim_id LEFT");
        let text = sim_and_state_text().replace("FROM sim s LEFT", &from).replace(" WHERE s.iccid = ?", "");
        let list = serde_json::to_string(numbers).map_err(|e| Error::Engine(e.to_string()))?;
        Ok(self.rows::<StatedRow>(&text, &binds![list, kind])?.into_iter().map(stated).collect())
    }

    /// As [`Tx::sims_and_states`], by EID.
    pub fn sims_and_states_of_eids(&mut self, eids: &[String]) -> Result<Vec<SimAndState>, Error> {
        let text = sim_and_state_text().replace("s.iccid = ?", &self.one_of_texts("s.eid"));
        let list = serde_json::to_string(eids).map_err(|e| Error::Engine(e.to_string()))?;
        Ok(self.rows::<StatedRow>(&text, &binds![list])?.into_iter().map(stated).collect())
    }

    /// As [`Tx::sims_and_states`], by their numbers with us.
    pub fn sims_and_states_of(&mut self, sims: &[i64]) -> Result<Vec<SimAndState>, Error> {
        let text = sim_and_state_text().replace("s.iccid = ?", &self.one_of("s.id"));
        let list = self.list(sims.iter().copied());
        Ok(self.rows::<StatedRow>(&text, &binds![list])?.into_iter().map(stated).collect())
    }

    /// The card by its number with us.
    pub fn sim_by_id(&mut self, id: SimId) -> Result<Option<Sim>, Error> {
        Ok(self.sims_by_id(&[id.0])?.pop())
    }

    /// Cards by their numbers with us, in that order.
    pub fn sims_by_id(&mut self, ids: &[i64]) -> Result<Vec<Sim>, Error> {
        let (among, value) = self.among("s.id", ids);
        let text = format!("SELECT {SIM_COLUMNS} FROM sim s WHERE {among} ORDER BY s.id");
        Ok(self.rows::<SimRow>(&text, &[value])?.into_iter().map(sim).collect())
    }

    /// Card numbers, owners and zones for many ICCIDs: (iccid, sim, account).
    pub fn sims_of_iccids(&mut self, iccids: &[&str]) -> Result<Vec<(String, i64, i64)>, Error> {
        let mut found = Vec::with_capacity(iccids.len());
        let text =
            format!("SELECT number, sim_id, account_id FROM sim_key WHERE kind = 'iccid' AND {}", self.one_of_texts("number"));
        for part in iccids.chunks(1_000) {
            let list = serde_json::to_string(part).map_err(|e| Error::Engine(e.to_string()))?;
            found.extend(self.rows::<(String, i64, i64)>(&text, &binds![list])?);
        }
        Ok(found)
    }

    /// As [`Tx::sims_of_iccids`], of the cards that live on this platform, and whether each had another owner before.
    pub fn sims_of_platform(&mut self, platform: PlatformId, iccids: &[&str]) -> Result<Vec<(String, i64, i64, bool)>, Error> {
        let mut found = Vec::with_capacity(iccids.len());
        let text = format!(
            "SELECT k.number, k.sim_id, k.account_id, CAST(CASE WHEN EXISTS (SELECT 1 FROM sim_move m WHERE m.sim_id = k.sim_id) THEN 1 ELSE 0 END AS BIGINT)
             FROM sim_key k CROSS JOIN sim s WHERE k.kind = 'iccid' AND {} AND s.id = k.sim_id
             AND s.product_id IN (SELECT id FROM product WHERE platform_id = ?)",
            self.one_of_texts("k.number")
        );
        for part in iccids.chunks(1_000) {
            let list = serde_json::to_string(part).map_err(|e| Error::Engine(e.to_string()))?;
            let rows = self.rows::<(String, i64, i64, i64)>(&text, &binds![list, platform.0])?;
            found.extend(rows.into_iter().map(|(iccid, sim, account, moved)| (iccid, sim, account, moved != 0)));
        }
        Ok(found)
    }

    /// Adds a card; a known ICCID is a constraint error. It is in no list before [`Tx::place_new`].
    pub fn add_sim(&mut self, s: &Sim, now: Timestamp) -> Result<SimId, Error> {
        let id = self.row::<(i64,)>(
            "INSERT INTO sim (account_id, iccid, imsi, msisdn, eid, imei, product_id, state, blocks, activated_at, network, real_name, alias,
             group_name, remark, details, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            &binds![
                s.account.0, &s.iccid, s.imsi.as_deref(), s.msisdn.as_deref(), s.eid.as_deref(), s.imei.as_deref(), s.product.0, &s.state,
                s.blocks, s.activated_at, &s.network, s.real_name, &s.alias, &s.group, &s.remark, &s.details, now.0
            ],
        )?;
        let id = id.map_or(0, |r| r.0);
        for (kind, number) in numbers(s) {
            self.add_sim_key(SimId(id), s.account, kind, number)?;
        }
        // Every card has a state row from the start, so that there is always something to lock.
        self.run("INSERT INTO sim_state (sim_id, account_id, head) VALUES (?, ?, ?)", &binds![id, s.account.0, b"".as_slice()])?;
        Ok(SimId(id))
    }

    /// The number leads to the card; one that leads to another card already is an error.
    fn add_sim_key(&mut self, id: SimId, account: AccountId, kind: &str, number: Option<&str>) -> Result<(), Error> {
        let Some(number) = number else { return Ok(()) };
        let added = self.run(
            "INSERT INTO sim_key (number, kind, sim_id, account_id) VALUES (?, ?, ?, ?) ON CONFLICT (number, kind) DO NOTHING",
            &binds![number, kind, id.0, account.0],
        )?;
        if added == 0 {
            return Err(Error::Constraint(format!("{kind} {number} was given to another card meanwhile")));
        }
        Ok(())
    }

    /// Changes what `apply` and import may change of a card: everything but ICCID, owner and state.
    pub fn change_sim(&mut self, id: SimId, s: &Sim) -> Result<(), Error> {
        if let Some(before) = self.sim_by_id(id)? {
            for ((kind, old), (_, new)) in numbers(&before).into_iter().zip(numbers(s)).skip(1).filter(|(old, new)| old != new) {
                let text = "DELETE FROM sim_key WHERE number = ? AND kind = ? AND sim_id = ?";
                self.run(text, &binds![old, kind, id.0])?;
                self.add_sim_key(id, before.account, kind, new)?;
            }
            if before.product != s.product || before.eid != s.eid {
                self.relist(&[id])?;
            }
            if before.product != s.product {
                self.watch_anew(id)?;
            }
        }
        self.run(
            "UPDATE sim SET imsi = ?, msisdn = ?, eid = ?, product_id = ?, real_name = ?, alias = ?, group_name = ?, remark = ?, details = ? WHERE id = ?",
            &binds![
                s.imsi.as_deref(), s.msisdn.as_deref(), s.eid.as_deref(), s.product.0, s.real_name, &s.alias, &s.group, &s.remark,
                &s.details, id.0
            ],
        )?;
        Ok(())
    }

    /// Gives a card, its numbers, state and subscriptions to another account. What was used before stays where it is.
    pub fn move_sim(&mut self, id: SimId, to: AccountId, now: Timestamp) -> Result<(), Error> {
        if let Some(sim) = self.sim_by_id(id)? {
            self.move_places(id, sim.account, to, now)?;
            let spoke = "SELECT from_at, seconds FROM voice_use WHERE sim_id = ? AND from_at <= ? ORDER BY from_at DESC LIMIT 1";
            let spoke = self.row::<(i64, i64)>(spoke, &binds![id.0, now.0])?;
            // Whoever had it within that second alone had it at no time; until then it was the first one's.
            let text = "INSERT INTO sim_move (sim_id, at, from_account, voice_from, voice_seconds)
                 SELECT CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT)
                 WHERE NOT EXISTS (SELECT 1 FROM sim_move WHERE sim_id = ? AND at = ?)";
            let (of, until) = spoke.map_or((None, None), |s| (Some(s.0), Some(s.1)));
            self.run(text, &binds![id.0, now.0, sim.account.0, of, until, id.0, now.0])?;
            for (kind, number) in numbers(&sim) {
                let text = "UPDATE sim_key SET account_id = ? WHERE number = ? AND kind = ? AND sim_id = ?";
                self.run(text, &binds![to.0, number, kind, id.0])?;
            }
        }
        self.run("UPDATE sim SET account_id = ? WHERE id = ?", &binds![to.0, id.0])?;
        self.run("UPDATE sim_state SET account_id = ? WHERE sim_id = ?", &binds![to.0, id.0])?;
        self.run("UPDATE subscription SET account_id = ? WHERE sim_id = ?", &binds![to.0, id.0])?;
        self.run("UPDATE imei_member SET account_id = ? WHERE sim_id = ?", &binds![to.0, id.0])?;
        // The device it is in goes along.
        self.run("UPDATE device SET account_id = ? WHERE sim_id = ?", &binds![to.0, id.0])?;
        Ok(())
    }

    /// When cards changed hands, card by card in the order of time: (card, when, whose it was until then).
    pub fn moves_of(&mut self, sims: &[i64]) -> Result<Vec<(i64, i64, i64)>, Error> {
        let (among, value) = self.among("sim_id", sims);
        self.rows(&format!("SELECT sim_id, at, from_account FROM sim_move WHERE {among} ORDER BY sim_id, at"), &[value])
    }

    /// Sets the network a card is on.
    pub fn set_sim_network(&mut self, id: SimId, network: &str) -> Result<(), Error> {
        self.run("UPDATE sim SET network = ? WHERE id = ?", &binds![network, id.0])?;
        Ok(())
    }

    /// Which of these cards are to be on and were not activated by their carriers yet, and since when.
    pub fn activations_owed(&mut self, sims: &[i64]) -> Result<Vec<(SimId, Timestamp)>, Error> {
        let (among, value) = self.among("id", sims);
        let text = format!("SELECT id, activation_owed_since FROM sim WHERE {among} AND activation_owed_since IS NOT NULL");
        Ok(self.rows::<(i64, i64)>(&text, &[value])?.into_iter().map(|r| (SimId(r.0), Timestamp(r.1))).collect())
    }

    /// Since when that is so of one card.
    pub fn activation_owed(&mut self, sim: SimId) -> Result<Option<Timestamp>, Error> {
        Ok(self.activations_owed(&[sim.0])?.pop().map(|(_, since)| since))
    }

    /// These cards are to be activated by their carriers from now on.
    pub fn owe_activations(&mut self, sims: &[i64], now: Timestamp) -> Result<(), Error> {
        if sims.is_empty() {
            return Ok(());
        }
        let (among, value) = self.among("id", sims);
        self.run(&format!("UPDATE sim SET activation_owed_since = ? WHERE {among}"), &[now.0.into(), value])?;
        Ok(())
    }

    /// They are not any more.
    pub fn owe_no_activations(&mut self, sims: &[i64]) -> Result<(), Error> {
        if sims.is_empty() {
            return Ok(());
        }
        let (among, value) = self.among("id", sims);
        let text = format!("UPDATE sim SET activation_owed_since = NULL WHERE {among} AND activation_owed_since IS NOT NULL");
        self.run(&text, &[value])?;
        Ok(())
    }

    /// Sets a card's base state, blocks and first activation, and with them the part of the lists it is in.
    pub fn set_sim_state(&mut self, id: SimId, state: &str, blocks: i64, activated_at: Option<i64>) -> Result<(), Error> {
        let Some(before) = self.sim_by_id(id)? else { return Ok(()) };
        self.change_sim_states(&[NewState { before: &before, state, blocks, activated_at }])
    }

    /// As [`Tx::set_sim_state`], of cards at hand as they are, each once.
    pub fn change_sim_states(&mut self, changed: &[NewState<'_>]) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        if changed.is_empty() {
            return Ok(());
        }
        let row = |c: &NewState<'_>| binds![c.before.id.0, c.state.to_owned(), c.blocks, c.activated_at].to_vec();
        let rows: Vec<Vec<Value<'_>>> = changed.iter().map(row).collect();
        self.change_rows("sim", &[Int("id"), Text("state"), Int("blocks"), Int("activated_at")], &rows)?;
        self.restage(changed)
    }
}

/// The numbers that lead to a card, each with its kind.
fn numbers(s: &Sim) -> [(&'static str, Option<&str>); 4] {
    [("iccid", Some(&s.iccid)), ("imsi", s.imsi.as_deref()), ("msisdn", s.msisdn.as_deref()), ("eid", s.eid.as_deref())]
}

type StatedRow = (
    i64,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    String,
    i64,
    Option<i64>,
    String,
    i64,
    String,
    String,
    String,
    String,
    Option<Vec<u8>>,
    Option<i64>,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

fn stated(r: StatedRow) -> SimAndState {
    SimAndState {
        sim: sim((r.0, r.1, r.2, r.3, r.4, r.5, r.6, r.7, r.8, r.9, r.10, r.11, r.12, r.13, r.14, r.15, r.16)),
        head: r.17,
        as_of: r.18,
        version: r.19,
        imei: r.20.unwrap_or(0),
        imei_group: r.21.map(|group| ImeiPlace {
            group,
            until: r.22,
            unlocks: r.23.unwrap_or(0),
            unlocks_until: r.24.unwrap_or(0),
        }),
        pool_moves: r.25.unwrap_or(0),
    }
}

fn sim_and_state_text() -> &'static str {
    "SELECT s.id, s.account_id, s.iccid, s.imsi, s.msisdn, s.eid, s.imei, s.product_id, s.state, s.blocks, s.activated_at,
     s.network, s.real_name, s.alias, s.group_name, s.remark, s.details, t.head, t.as_of,
     (SELECT number FROM version WHERE name = 'catalogue'), t.imei, m.group_id, m.until, m.unlocks, m.unlocks_until,
     t.pool_moves FROM sim s LEFT JOIN sim_state t ON t.sim_id = s.id LEFT JOIN imei_member m ON m.sim_id = s.id WHERE s.iccid = ?"
}

/// That account `a` is at or below the one whose path is bound, twice. (With `LIKE`, SQLite plans the statement anew for every
/// pattern.)
pub(crate) const BELOW: &str = "substr(a.path, 1, length(?)) = ?";

/// Which cards of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cards {
    /// All.
    #[default]
    All,
    /// Those that something keeps off, but a missing package: stopped, not known, or active with another block in its data's way.
    KeptOff,
    /// Active ones that only lack a package.
    Bare,
}

impl Cards {
    fn newest(self) -> Newest {
        match self {
            Cards::All => Newest::Sims,
            Cards::KeptOff => Newest::KeptOff,
            Cards::Bare => Newest::Bare,
        }
    }
}

impl Tx<'_> {
    /// A page of the accounts' cards, the newest first, numbers below `before`.
    pub fn sims_before(&mut self, accounts: &[AccountId], before: Option<i64>, limit: i64) -> Result<Vec<Sim>, Error> {
        self.sims_of_before(Cards::All, accounts, before, limit)
    }

    /// As [`Tx::sims_before`], of such cards alone.
    pub fn sims_of_before(
        &mut self,
        of: Cards,
        accounts: &[AccountId],
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Sim>, Error> {
        let ids = self.newest_ids(of.newest(), accounts, before, limit)?;
        let text = format!("SELECT {SIM_COLUMNS} FROM sim s WHERE s.id IN ({}) ORDER BY s.id DESC", integers(ids.into_iter()));
        Ok(self.rows::<SimRow>(&text, &[])?.into_iter().map(sim).collect())
    }

    /// Cards of the accounts of which a known number (ICCID, MSISDN, IMSI, EID) lies in `from..to`, by that number. A
    /// card may come more than once.
    pub fn sims_by_number(&mut self, accounts: &[AccountId], from: &str, to: &str, limit: i64) -> Result<Vec<Sim>, Error> {
        let text = format!(
            "SELECT {SIM_COLUMNS} FROM sim_key k JOIN sim s ON s.id = k.sim_id
             WHERE k.number >= ? AND k.number < ? AND s.account_id IN ({}) ORDER BY k.number LIMIT ?",
            integers(accounts.iter().map(|a| a.0))
        );
        Ok(self.rows::<SimRow>(&text, &binds![from, to, limit])?.into_iter().map(sim).collect())
    }

    /// How many cards of the accounts something keeps off. Those that only lack a package are not among them.
    pub fn sims_kept_off(&mut self, accounts: &[AccountId]) -> Result<i64, Error> {
        let of = integers(accounts.iter().map(|a| a.0));
        let text = format!("SELECT COUNT(*) FROM sim WHERE {KEPT_OFF} AND account_id IN ({of})");
        Ok(self.row::<(i64,)>(&text, &[])?.map_or(0, |r| r.0))
    }

    /// Cards of the accounts whose ICCID or MSISDN ends in these digits, 4 or more, by that number. A card may come more than once.
    pub fn sims_by_tail(&mut self, accounts: &[AccountId], tail: &str, limit: i64) -> Result<Vec<Sim>, Error> {
        // The index has the last four: of a million cards some hundred have them.
        let (last, whole) = match self.is_postgres() {
            true => ("right(k.number, 4)", "right(k.number, CAST(? AS INTEGER))"),
            false => ("substr(k.number, -4)", "substr(k.number, -?)"),
        };
        let text = format!(
            "SELECT {SIM_COLUMNS} FROM sim_key k JOIN sim s ON s.id = k.sim_id
             WHERE {last} = ? AND k.kind IN ('iccid', 'msisdn') AND {whole} = ? AND k.account_id IN ({}) ORDER BY k.number LIMIT ?",
            integers(accounts.iter().map(|a| a.0))
        );
        let Some(four) = tail.len().checked_sub(4).and_then(|from| tail.get(from..)) else { return Ok(Vec::new()) };
        let values = binds![four, tail.len() as i64, tail, limit];
        Ok(self.rows::<SimRow>(&text, &values)?.into_iter().map(sim).collect())
    }

    /// ICCIDs of cards by their numbers with us: (card, iccid).
    pub fn iccids_of(&mut self, sims: &[SimId]) -> Result<Vec<(i64, String)>, Error> {
        let text = format!("SELECT id, iccid FROM sim WHERE id IN ({})", integers(sims.iter().map(|s| s.0)));
        self.rows(&text, &[])
    }
}
