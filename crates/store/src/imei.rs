//! IMEI groups: their devices and the cards in them. Who changes a card's place in a group holds the lock of its state.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::ids::Imei;
use kachi_domain::imei::{Device, Membership, Sighting, Unlocks};
use kachi_domain::{AccountId, SimId, Timestamp};

/// A group as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImeiGroup {
    /// Its number; 0 = to be given.
    pub id: i64,
    /// Who owns it; it may hold cards of this account and those below.
    pub account: AccountId,
    /// Its code, unique.
    pub code: String,
    /// How often a card may be unlocked in a calendar month.
    pub unlocks_per_month: i64,
    /// The one card of a group that is the binding of a card to a device.
    pub bound_sim: Option<SimId>,
}

type G = (i64, i64, String, i64, Option<i64>);

fn group(r: G) -> ImeiGroup {
    ImeiGroup { id: r.0, account: AccountId(r.1), code: r.2, unlocks_per_month: r.3, bound_sim: r.4.map(SimId) }
}

const GROUP: &str = "SELECT id, account_id, code, unlocks_per_month, bound_sim FROM imei_group";

/// A card in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImeiMember {
    /// The card.
    pub sim: SimId,
    /// The group.
    pub group: i64,
    /// Since when, until when, whether it is locked.
    pub membership: Membership,
}

type M = (i64, i64, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, i64, i64);

fn member(r: M) -> ImeiMember {
    let lock = r.4.zip(r.5).map(|(at, imei)| Sighting { at: Timestamp(at), imei });
    let unlocks = Unlocks { last: r.6.map(Timestamp), count: r.7, until: Timestamp(r.8) };
    let membership = Membership { since: Timestamp(r.2), until: r.3.map(Timestamp), lock, unlocks };
    ImeiMember { sim: SimId(r.0), group: r.1, membership }
}

const MEMBER: &str =
    "SELECT sim_id, group_id, since, until, lock_at, lock_imei, unlocked_at, unlocks, unlocks_until FROM imei_member";

/// A device of a group, and when it was taken out.
pub type HeldDevice = (i64, Device, Option<Timestamp>);

impl Tx<'_> {
    /// Every group but the bindings, by number, with how many devices and cards it has.
    pub fn imei_groups(&mut self) -> Result<Vec<(ImeiGroup, i64, i64)>, Error> {
        let text = "SELECT id, account_id, code, unlocks_per_month, bound_sim,
             (SELECT COUNT(*) FROM imei_device d WHERE d.group_id = g.id AND d.removed_at IS NULL),
             (SELECT COUNT(*) FROM imei_member m WHERE m.group_id = g.id)
             FROM imei_group g WHERE bound_sim IS NULL ORDER BY id";
        type R = (i64, i64, String, i64, Option<i64>, i64, i64);
        Ok(self.rows::<R>(text, &[])?.into_iter().map(|r| (group((r.0, r.1, r.2, r.3, r.4)), r.5, r.6)).collect())
    }

    /// A group by its number.
    pub fn imei_group(&mut self, id: i64) -> Result<Option<ImeiGroup>, Error> {
        Ok(self.row::<G>(&format!("{GROUP} WHERE id = ?"), &binds![id])?.map(group))
    }

    /// A group by its code.
    pub fn imei_group_by_code(&mut self, code: &str) -> Result<Option<ImeiGroup>, Error> {
        Ok(self.row::<G>(&format!("{GROUP} WHERE code = ?"), &binds![code])?.map(group))
    }

    /// Adds a group under its number, or under a new one if that is 0; the answer is its number. A number or code that is
    /// taken is a constraint error.
    pub fn add_imei_group(&mut self, g: &ImeiGroup, now: Timestamp) -> Result<i64, Error> {
        let bound = g.bound_sim.map(|s| s.0);
        if g.id == 0 {
            let text = "INSERT INTO imei_group (account_id, code, unlocks_per_month, bound_sim, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id";
            let row = self.row::<(i64,)>(text, &binds![g.account.0, &g.code, g.unlocks_per_month, bound, now.0])?;
            return row.map(|r| r.0).ok_or_else(|| Error::Engine("a new IMEI group has no number".into()));
        }
        self.run(
            "INSERT INTO imei_group (id, account_id, code, unlocks_per_month, bound_sim, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            &binds![g.id, g.account.0, &g.code, g.unlocks_per_month, bound, now.0],
        )?;
        if self.is_postgres() {
            // Numbers given out later lie beyond; SQLite sees to it by itself.
            let sequence = "pg_get_serial_sequence('imei_group', 'id')";
            let text = format!("SELECT setval({sequence}, GREATEST(nextval({sequence}), (SELECT MAX(id) FROM imei_group)))");
            self.row::<(i64,)>(&text, &[])?;
        }
        Ok(g.id)
    }

    /// Changes how often the group's cards may be unlocked in a month.
    pub fn set_imei_group_limit(&mut self, id: i64, unlocks_per_month: i64) -> Result<(), Error> {
        self.run("UPDATE imei_group SET unlocks_per_month = ? WHERE id = ?", &binds![unlocks_per_month, id])?;
        Ok(())
    }

    /// Removes a group and its devices; its cards have left it.
    pub fn remove_imei_group(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM imei_device WHERE group_id = ?", &binds![id])?;
        self.run("DELETE FROM imei_group WHERE id = ?", &binds![id])?;
        Ok(())
    }

    /// The group holds the device from here on; false if it did before, under this IMEI.
    pub fn add_imei(&mut self, group: &ImeiGroup, imei: &Imei) -> Result<bool, Error> {
        let device = Device::of(imei);
        let n = self.run(
            "INSERT INTO imei_device (group_id, account_id, serial, check_digit, imei) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (group_id, serial, imei) DO UPDATE SET removed_at = NULL WHERE imei_device.removed_at IS NOT NULL",
            &binds![group.id, group.account.0, device.serial, device.check, imei.as_str()],
        )?;
        Ok(n > 0)
    }

    /// The group holds the device no longer; what was seen until now counts as in it. False if it did not hold it.
    pub fn remove_imei(&mut self, group: i64, imei: &Imei, now: Timestamp) -> Result<bool, Error> {
        let text = "UPDATE imei_device SET removed_at = ? WHERE group_id = ? AND serial = ? AND imei = ? AND removed_at IS NULL";
        Ok(self.run(text, &binds![now.0, group, Device::of(imei).serial, imei.as_str()])? > 0)
    }

    /// The IMEIs of a group, sorted.
    pub fn imeis_of_group(&mut self, id: i64) -> Result<Vec<String>, Error> {
        let text = "SELECT imei FROM imei_device WHERE group_id = ? AND removed_at IS NULL ORDER BY serial, imei";
        Ok(self.rows::<(String,)>(text, &binds![id])?.into_iter().map(|r| r.0).collect())
    }

    /// Those devices of the groups that have one of these serial numbers: (group, device, when it was taken out).
    pub fn devices_of_groups(&mut self, groups: &[i64], serials: &[i64]) -> Result<Vec<HeldDevice>, Error> {
        let text = format!(
            "SELECT group_id, serial, check_digit, removed_at FROM imei_device WHERE {} AND {}",
            self.one_of("group_id"),
            self.one_of("serial")
        );
        let (groups, serials) = (self.list(groups.iter().copied()), self.list(serials.iter().copied()));
        let found = self.rows::<(i64, i64, Option<i64>, Option<i64>)>(&text, &binds![groups, serials])?;
        Ok(found.into_iter().map(|(group, serial, check, gone)| (group, Device { serial, check }, gone.map(Timestamp))).collect())
    }

    /// A card's place in a group.
    pub fn imei_member(&mut self, sim: SimId) -> Result<Option<ImeiMember>, Error> {
        Ok(self.row::<M>(&format!("{MEMBER} WHERE sim_id = ?"), &binds![sim.0])?.map(member))
    }

    /// The places of many cards, by card number.
    pub fn imei_members(&mut self, sims: &[i64]) -> Result<Vec<ImeiMember>, Error> {
        let text = format!("{MEMBER} WHERE {} ORDER BY sim_id", self.one_of("sim_id"));
        let list = self.list(sims.iter().copied());
        Ok(self.rows::<M>(&text, &binds![list])?.into_iter().map(member).collect())
    }

    /// The cards of a group, by card number.
    pub fn imei_members_of_group(&mut self, group: i64) -> Result<Vec<ImeiMember>, Error> {
        let text = format!("{MEMBER} WHERE group_id = ? ORDER BY sim_id");
        Ok(self.rows::<M>(&text, &binds![group])?.into_iter().map(member).collect())
    }

    /// Cards whose time in their group has passed.
    pub fn imei_members_due(&mut self, now: Timestamp, limit: i64) -> Result<Vec<i64>, Error> {
        let text = "SELECT sim_id FROM imei_member WHERE until IS NOT NULL AND until <= ? ORDER BY until LIMIT ?";
        Ok(self.rows::<(i64,)>(text, &binds![now.0, limit])?.into_iter().map(|r| r.0).collect())
    }

    /// How a card that is in no group was unlocked before.
    pub fn imei_unlocks(&mut self, sim: SimId) -> Result<Unlocks, Error> {
        let text = "SELECT unlocked_at, unlocks, unlocks_until FROM imei_unlocks WHERE sim_id = ?";
        let kept = self.row::<(i64, i64, i64)>(text, &binds![sim.0])?;
        Ok(kept.map_or(Unlocks::NONE, |(last, count, until)| Unlocks {
            last: Some(Timestamp(last)),
            count,
            until: Timestamp(until),
        }))
    }

    /// Puts a card of the account into a group, or changes its place there.
    pub fn put_imei_member(&mut self, account: AccountId, m: &ImeiMember) -> Result<(), Error> {
        let p = &m.membership;
        self.run(
            "INSERT INTO imei_member (sim_id, account_id, group_id, since, until, lock_at, lock_imei, unlocked_at, unlocks, unlocks_until)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (sim_id) DO UPDATE SET account_id = excluded.account_id, group_id = excluded.group_id, since = excluded.since,
             until = excluded.until, lock_at = excluded.lock_at, lock_imei = excluded.lock_imei, unlocked_at = excluded.unlocked_at,
             unlocks = excluded.unlocks, unlocks_until = excluded.unlocks_until",
            &binds![
                m.sim.0, account.0, m.group, p.since.0, p.until.map(|t| t.0), p.lock.map(|l| l.at.0), p.lock.map(|l| l.imei),
                p.unlocks.last.map(|t| t.0), p.unlocks.count, p.unlocks.until.0
            ],
        )?;
        self.run("UPDATE sim_state SET imei_group = ? WHERE sim_id = ?", &binds![m.group, m.sim.0])?;
        Ok(())
    }

    /// Takes a card out of its group. What it was unlocked is kept for the next one.
    pub fn remove_imei_member(&mut self, sim: SimId) -> Result<(), Error> {
        self.run(
            "INSERT INTO imei_unlocks (sim_id, unlocked_at, unlocks, unlocks_until)
             SELECT sim_id, unlocked_at, unlocks, unlocks_until FROM imei_member WHERE sim_id = ? AND unlocked_at IS NOT NULL
             ON CONFLICT (sim_id) DO UPDATE SET unlocked_at = excluded.unlocked_at, unlocks = excluded.unlocks,
             unlocks_until = excluded.unlocks_until",
            &binds![sim.0],
        )?;
        self.run("DELETE FROM imei_member WHERE sim_id = ?", &binds![sim.0])?;
        self.run("UPDATE sim_state SET imei_group = NULL WHERE sim_id = ?", &binds![sim.0])?;
        Ok(())
    }

    /// What does not fit together of locks and groups, a sentence each. `block` is the bit of a locked card.
    pub fn audit_imei(&mut self, block: i64) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let mut add = |sims: Vec<(i64,)>, words: &str| found.extend(sims.iter().map(|(sim,)| format!("card {sim}: {words}")));
        let locked =
            "SELECT s.id FROM sim s LEFT JOIN imei_member m ON m.sim_id = s.id WHERE (s.blocks & ?) <> 0 AND m.lock_at IS NULL";
        add(self.rows(locked, &binds![block])?, "is locked without a sighting outside its IMEI group");
        let free =
            "SELECT s.id FROM sim s JOIN imei_member m ON m.sim_id = s.id WHERE (s.blocks & ?) = 0 AND m.lock_at IS NOT NULL";
        add(self.rows(free, &binds![block])?, "was seen outside its IMEI group and is not locked");
        let past = "SELECT sim_id FROM imei_member WHERE lock_at <= since OR lock_at <= unlocked_at OR lock_at >= until";
        add(self.rows(past, &[])?, "is locked for what was before it joined, after it left, or before it was unlocked");
        let watched = "SELECT t.sim_id FROM sim_state t LEFT JOIN imei_member m ON m.sim_id = t.sim_id
             WHERE COALESCE(t.imei_group, 0) <> COALESCE(m.group_id, 0)";
        add(self.rows(watched, &[])?, "is held against another IMEI group than it is in");
        Ok(found)
    }
}
