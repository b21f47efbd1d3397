//! Orders and the subscriptions they bought.

mod look;

pub use look::{OrderFilter, OrdersIn};

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use kachi_domain::order::{OrderState, SubscriptionState};
use kachi_domain::package::{Resource, StartRule, Terms};
use kachi_domain::{AccountId, Currency, OrderId, PackageId, SimId, SubscriptionId, Timestamp, Zone};

/// An order as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its number, from 10000001.
    pub id: OrderId,
    /// Who bought.
    pub account: AccountId,
    /// Its long number.
    pub number: String,
    /// For which card; 0 for a pool.
    pub sim: SimId,
    /// Which package.
    pub package: PackageId,
    /// The partner's own number.
    pub out_trade_no: Option<String>,
    /// Where it stands.
    pub state: OrderState,
    /// What was paid, minor units.
    pub paid_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Shares of the levels between, JSON.
    pub shares: String,
    /// Who bought, as the partner API tells it.
    pub channel: String,
    /// The caller's own data.
    pub custom_data: Option<String>,
    /// Whether the card had a package before.
    pub renewal: bool,
    /// When.
    pub created_at: i64,
    /// Last change.
    pub updated_at: i64,
    /// What went back, minor units.
    pub refunded_minor: i64,
    /// Where its subscription was moved from, JSON of [`kachi_domain::event::Origin`].
    pub origin: Option<String>,
}

type OrderRow = (
    i64,
    i64,
    String,
    i64,
    i64,
    Option<String>,
    String,
    i64,
    String,
    String,
    String,
    Option<String>,
    i64,
    i64,
    i64,
    i64,
    Option<String>,
);
const ORDER_COLUMNS: &str =
    "o.id, o.account_id, o.number, o.sim_id, o.package_id, o.out_trade_no, o.state, o.paid_minor, o.currency, o.shares,
    o.channel, o.custom_data, o.renewal, o.created_at, o.updated_at, o.refunded_minor, o.origin";

fn order(r: OrderRow) -> Result<Order, Error> {
    Ok(Order {
        id: OrderId(r.0),
        account: AccountId(r.1),
        number: r.2,
        sim: SimId(r.3),
        package: PackageId(r.4),
        out_trade_no: r.5,
        state: OrderState::parse(&r.6).map_err(Error::Engine)?,
        paid_minor: r.7,
        currency: Currency::parse(&r.8).map_err(Error::Engine)?,
        shares: r.9,
        channel: r.10,
        custom_data: r.11,
        renewal: r.12 != 0,
        created_at: r.13,
        updated_at: r.14,
        refunded_minor: r.15,
        origin: r.16,
    })
}

/// A subscription as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its number; the queue is in this order.
    pub id: SubscriptionId,
    /// Who owns the card.
    pub account: AccountId,
    /// The card; 0 for a pool's.
    pub sim: SimId,
    /// The order that bought it.
    pub order: OrderId,
    /// The package.
    pub package: PackageId,
    /// What was sold.
    pub terms: Terms,
    /// When it may start.
    pub start: StartRule,
    /// Not before this instant.
    pub not_before: Option<i64>,
    /// When it was bought.
    pub bought_at: i64,
    /// When the card could use it; none while the carrier has not confirmed.
    pub available_at: Option<i64>,
    /// Bytes used before it was moved here.
    pub used_before: i64,
    /// Where it stands.
    pub state: SubscriptionState,
    /// In use since.
    pub started_at: Option<i64>,
    /// The end of its validity.
    pub ends_at: Option<i64>,
    /// When it was over.
    pub ended_at: Option<i64>,
    /// Why.
    pub end_reason: Option<String>,
    /// Bytes attributed to it when it ended; of a live one ask the card's state.
    pub used_bytes: i64,
    /// When it was taken back.
    pub refunded_at: Option<i64>,
    /// Last change.
    pub updated_at: i64,
    /// The zone of its calendar months: that of the card's (or pool's) owner when it was bought.
    pub zone: Option<Zone>,
}

pub(crate) type SubRow = (
    i64,
    i64,
    i64,
    i64,
    i64,
    String,
    String,
    Option<i64>,
    i64,
    Option<i64>,
    i64,
    String,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    i64,
    Option<i64>,
    i64,
    Option<String>,
);
pub(crate) const SUB_COLUMNS: &str =
    "id, account_id, sim_id, order_id, package_id, terms, start_rule, not_before, bought_at, available_at, used_before, state,
    started_at, ends_at, ended_at, end_reason, used_bytes, refunded_at, updated_at, time_zone";

pub(crate) fn subscription(r: SubRow) -> Result<Subscription, Error> {
    Ok(Subscription {
        id: SubscriptionId(r.0),
        account: AccountId(r.1),
        sim: SimId(r.2),
        order: OrderId(r.3),
        package: PackageId(r.4),
        terms: serde_json::from_str(&r.5).map_err(|e| Error::Engine(format!("subscription {}: {e}", r.0)))?,
        start: StartRule::parse(&r.6).map_err(Error::Engine)?,
        not_before: r.7,
        bought_at: r.8,
        available_at: r.9,
        used_before: r.10,
        state: SubscriptionState::parse(&r.11).map_err(Error::Engine)?,
        started_at: r.12,
        ends_at: r.13,
        ended_at: r.14,
        end_reason: r.15,
        used_bytes: r.16,
        refunded_at: r.17,
        updated_at: r.18,
        zone: r.19.map(Zone::try_from).transpose().map_err(|e| Error::Engine(format!("subscription {}: {e}", r.0)))?,
    })
}

impl Tx<'_> {
    /// Adds an order; the answer is its number. A repeated partner number is a constraint error.
    pub fn add_order(&mut self, o: &Order) -> Result<OrderId, Error> {
        Ok(self.add_orders(std::slice::from_ref(o))?[0])
    }

    /// Adds orders; the answer is their numbers. A repeated partner number is a constraint error.
    pub fn add_orders(&mut self, orders: &[Order]) -> Result<Vec<OrderId>, Error> {
        use BulkColumn::{Int, Text};
        let columns = [
            Int("account_id"),
            Text("number"),
            Int("sim_id"),
            Int("package_id"),
            Text("out_trade_no"),
            Text("state"),
            Int("paid_minor"),
            Text("currency"),
            Text("shares"),
            Text("channel"),
            Text("custom_data"),
            Int("renewal"),
            Int("created_at"),
            Int("updated_at"),
            Int("refunded_minor"),
            Text("origin"),
        ];
        fn row(o: &Order) -> Vec<Value<'_>> {
            binds![
                o.account.0,
                &o.number,
                o.sim.0,
                o.package.0,
                o.out_trade_no.as_deref(),
                o.state.word(),
                o.paid_minor,
                o.currency.as_str(),
                &o.shares,
                &o.channel,
                o.custom_data.as_deref(),
                o.renewal,
                o.created_at,
                o.updated_at,
                0_i64,
                o.origin.as_deref()
            ]
            .into()
        }
        let rows: Vec<_> = orders.iter().map(row).collect();
        Ok(self.add_numbered("orders", &columns, &rows)?.into_iter().map(OrderId).collect())
    }

    /// The order with this partner number.
    pub fn order_by_out_trade_no(&mut self, account: AccountId, out_trade_no: &str) -> Result<Option<Order>, Error> {
        Ok(self.orders_by_out_trade_no(account, &[out_trade_no])?.pop())
    }

    /// The account's orders with these partner numbers.
    pub fn orders_by_out_trade_no(&mut self, account: AccountId, numbers: &[&str]) -> Result<Vec<Order>, Error> {
        let rows = self.row_each("orders o", "o.account_id = ? AND o.out_trade_no = k.value");
        let text = format!("SELECT {ORDER_COLUMNS} FROM {rows}");
        let list = serde_json::to_string(numbers).map_err(|e| Error::Engine(e.to_string()))?;
        self.rows::<OrderRow>(&text, &binds![list, account.0])?.into_iter().map(order).collect()
    }

    /// An order of one of these accounts, locked where the engine locks rows.
    pub fn order_locked(&mut self, accounts: &[AccountId], id: OrderId) -> Result<Option<Order>, Error> {
        let lock = self.for_update();
        let text = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id = ? AND {}{lock}", self.one_of("o.account_id"));
        let list = self.list(accounts.iter().map(|a| a.0));
        self.row::<OrderRow>(&text, &binds![id.0, list])?.map(order).transpose()
    }

    /// An order of one of these accounts.
    pub fn order(&mut self, accounts: &[AccountId], id: OrderId) -> Result<Option<Order>, Error> {
        let text = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id = ? AND {}", self.one_of("o.account_id"));
        let list = self.list(accounts.iter().map(|a| a.0));
        self.row::<OrderRow>(&text, &binds![id.0, list])?.map(order).transpose()
    }

    /// An order by its number, whoever's it is: for what happens by itself.
    pub fn order_by_id(&mut self, id: OrderId) -> Result<Option<Order>, Error> {
        Ok(self.orders_by_id(&[id])?.pop())
    }

    /// Orders by their numbers, whoever's they are.
    pub fn orders_by_id(&mut self, ids: &[OrderId]) -> Result<Vec<Order>, Error> {
        let (among, value) = self.among("o.id", &ids.iter().map(|id| id.0).collect::<Vec<_>>());
        let text = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE {among} ORDER BY o.id");
        self.rows::<OrderRow>(&text, &[value])?.into_iter().map(order).collect()
    }

    /// Orders with one of the long numbers, whoever's they are, and orders of the accounts with one of the buyer's own numbers;
    /// oldest first.
    pub fn orders_by_numbers(
        &mut self,
        accounts: &[AccountId],
        numbers: &[String],
        out_trade_nos: &[String],
    ) -> Result<Vec<Order>, Error> {
        let (account, number, own) = (self.one_of("account_id"), self.one_of_texts("number"), self.one_of_texts("out_trade_no"));
        let text = format!(
            "SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id IN (SELECT id FROM orders WHERE {number}
             UNION SELECT id FROM orders WHERE {account} AND {own}) ORDER BY o.id"
        );
        let accounts = self.list(accounts.iter().map(|a| a.0));
        let json = |texts: &[String]| serde_json::to_string(texts).map_err(|e| Error::Engine(e.to_string()));
        let values = binds![json(numbers)?, &accounts, json(out_trade_nos)?];
        self.rows::<OrderRow>(&text, &values)?.into_iter().map(order).collect()
    }

    /// Every order of a card, oldest first.
    pub fn orders_of_sim(&mut self, sim: SimId) -> Result<Vec<Order>, Error> {
        let of_card = "SELECT order_id FROM subscription WHERE sim_id = ?";
        let text = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id IN ({of_card}) ORDER BY o.id");
        self.rows::<OrderRow>(&text, &binds![sim.0])?.into_iter().map(order).collect()
    }

    /// The newest order of a card, whoever bought it.
    pub fn newest_order_of(&mut self, sim: SimId) -> Result<Option<OrderId>, Error> {
        let text = "SELECT MAX(order_id) FROM subscription WHERE sim_id = ?";
        Ok(self.row::<(Option<i64>,)>(text, &binds![sim.0])?.and_then(|r| r.0).map(OrderId))
    }

    /// The newest orders of the accounts, newest first.
    pub fn orders_newest(&mut self, accounts: &[AccountId], limit: i64) -> Result<Vec<Order>, Error> {
        let text =
            format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE {} ORDER BY o.id DESC LIMIT ?", self.one_of("o.account_id"));
        let list = self.list(accounts.iter().map(|a| a.0));
        self.rows::<OrderRow>(&text, &binds![list, limit])?.into_iter().map(order).collect()
    }

    /// Moves an order to another state.
    pub fn set_order_state(&mut self, id: OrderId, state: OrderState, now: Timestamp) -> Result<(), Error> {
        self.run("UPDATE orders SET state = ?, updated_at = ? WHERE id = ?", &binds![state.word(), now.0, id.0])?;
        Ok(())
    }

    /// Writes the refund into the order, with the inputs its amount was computed from.
    pub fn set_order_refunded(
        &mut self,
        id: OrderId,
        minor: i64,
        basis: &str,
        remark: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.run(
            "UPDATE orders SET state = 'refunded', refunded_minor = ?, refund_basis = ?, remark = ?, updated_at = ? WHERE id = ?",
            &binds![minor, basis, remark, now.0, id.0],
        )?;
        Ok(())
    }

    /// Adds a subscription; the answer is its number.
    pub fn add_subscription(&mut self, s: &Subscription) -> Result<SubscriptionId, Error> {
        Ok(self.add_subscriptions(std::slice::from_ref(s))?[0])
    }

    /// Adds subscriptions; the answer is their numbers.
    pub fn add_subscriptions(&mut self, subscriptions: &[Subscription]) -> Result<Vec<SubscriptionId>, Error> {
        use BulkColumn::{Int, Text};
        let columns = [
            Int("account_id"),
            Int("sim_id"),
            Int("order_id"),
            Int("package_id"),
            Text("terms"),
            Text("start_rule"),
            Int("not_before"),
            Int("bought_at"),
            Int("available_at"),
            Int("used_before"),
            Text("state"),
            Int("used_bytes"),
            Int("updated_at"),
            Text("time_zone"),
        ];
        fn row(s: &Subscription) -> Result<Vec<Value<'_>>, Error> {
            let terms = serde_json::to_string(&s.terms).map_err(|e| Error::Engine(e.to_string()))?;
            Ok(binds![
                s.account.0,
                s.sim.0,
                s.order.0,
                s.package.0,
                terms,
                s.start.word(),
                s.not_before,
                s.bought_at,
                s.available_at,
                s.used_before,
                s.state.word(),
                s.used_bytes,
                s.updated_at,
                s.zone.as_ref().map(Zone::name)
            ]
            .into())
        }
        let rows: Vec<_> = subscriptions.iter().map(row).collect::<Result<_, _>>()?;
        Ok(self.add_numbered("subscription", &columns, &rows)?.into_iter().map(SubscriptionId).collect())
    }

    /// Every subscription of a card, in the order bought.
    pub fn subscriptions(&mut self, sim: SimId) -> Result<Vec<Subscription>, Error> {
        self.subscriptions_of(&[sim.0])
    }

    /// Every subscription of these cards, card by card in their order, each card's in the order bought.
    pub fn subscriptions_of(&mut self, sims: &[i64]) -> Result<Vec<Subscription>, Error> {
        debug_assert!(sims.is_sorted());
        let (among, value) = self.among("sim_id", sims);
        let text = format!("SELECT {SUB_COLUMNS} FROM subscription WHERE {among} ORDER BY sim_id, id");
        self.rows::<SubRow>(&text, &[value])?.into_iter().map(subscription).collect()
    }

    /// What a card has and had: of each subscription the package and where it stands.
    pub fn holdings(&mut self, sim: SimId) -> Result<Vec<(PackageId, SubscriptionState)>, Error> {
        let text = "SELECT package_id, state FROM subscription WHERE sim_id = ?";
        let holding =
            |(package, state): (i64, String)| Ok((PackageId(package), SubscriptionState::parse(&state).map_err(Error::Engine)?));
        self.rows(text, &binds![sim.0])?.into_iter().map(holding).collect()
    }

    /// What was bought for these cards and waits for a carrier or a person: the card and the package.
    pub fn pending_of(&mut self, sims: &[i64]) -> Result<Vec<(SimId, PackageId)>, Error> {
        let (among, value) = self.among("sim_id", sims);
        let text = format!("SELECT sim_id, package_id FROM subscription WHERE state = 'pending' AND {among}");
        Ok(self.rows::<(i64, i64)>(&text, &[value])?.into_iter().map(|(sim, package)| (SimId(sim), PackageId(package))).collect())
    }

    /// Those of the cards that had a package of data here: one of their own that started, or a place in a pool, over or not. Voice
    /// and messages say nothing of a card's data.
    pub fn sims_with_a_past(&mut self, sims: &[i64]) -> Result<Vec<SimId>, Error> {
        let ((own, a), (pool, b)) = (self.among("sim_id", sims), self.among("sim_id", sims));
        let resource =
            if self.is_postgres() { "CAST(terms AS JSON) ->> 'resource'" } else { "json_extract(terms, '$.resource')" };
        let text = format!(
            "SELECT sim_id FROM subscription WHERE {own} AND started_at IS NOT NULL AND {resource} IN (?, ?)
             UNION SELECT sim_id FROM pool_member WHERE {pool}"
        );
        let (data, nb) = (Resource::Data.word().into(), Resource::Nb.word().into());
        Ok(self.rows::<(i64,)>(&text, &[a, data, nb, b])?.into_iter().map(|r| SimId(r.0)).collect())
    }

    /// The subscription of an order.
    pub fn subscription_of_order(&mut self, order: OrderId, sim: SimId) -> Result<Option<Subscription>, Error> {
        let text = format!("SELECT {SUB_COLUMNS} FROM subscription WHERE sim_id = ? AND order_id = ?");
        self.row::<SubRow>(&text, &binds![sim.0, order.0])?.map(subscription).transpose()
    }

    /// The carrier confirmed: the card may use it from `now` on.
    pub fn set_subscription_available(&mut self, id: SubscriptionId, now: Timestamp) -> Result<(), Error> {
        self.run(
            "UPDATE subscription SET available_at = ?, state = 'waiting', updated_at = ? WHERE id = ?",
            &binds![now.0, now.0, id.0],
        )?;
        Ok(())
    }

    /// The carrier refused: it never was.
    pub fn set_subscription_void(&mut self, id: SubscriptionId, now: Timestamp) -> Result<(), Error> {
        self.run("UPDATE subscription SET state = 'void', updated_at = ? WHERE id = ?", &binds![now.0, id.0])?;
        Ok(())
    }

    /// Taken back at `now`.
    pub fn set_subscription_refunded(&mut self, id: SubscriptionId, now: Timestamp) -> Result<(), Error> {
        self.run("UPDATE subscription SET refunded_at = ?, updated_at = ? WHERE id = ?", &binds![now.0, now.0, id.0])?;
        Ok(())
    }

    /// Writes the engine's verdicts on subscriptions.
    pub fn set_subscription_verdicts(&mut self, subscriptions: &[Subscription]) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        let columns = [
            Int("id"),
            Text("state"),
            Int("started_at"),
            Int("ends_at"),
            Int("ended_at"),
            Text("end_reason"),
            Int("used_bytes"),
            Int("updated_at"),
        ];
        fn row(s: &Subscription) -> Vec<Value<'_>> {
            binds![
                s.id.0,
                s.state.word(),
                s.started_at,
                s.ends_at,
                s.ended_at,
                s.end_reason.as_deref(),
                s.used_bytes,
                s.updated_at
            ]
            .into()
        }
        let rows: Vec<_> = subscriptions.iter().map(row).collect();
        self.change_rows("subscription", &columns, &rows)
    }
}

/// Sentences for the audit: each query lists what must not be.
const AUDITS: &[(&str, &str)] = &[
    (
        "order {}: without a subscription of its card",
        "SELECT o.id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM subscription s WHERE s.order_id = o.id AND s.sim_id = o.sim_id) LIMIT 50",
    ),
    (
        "order {}: paid something without a journal",
        "SELECT CAST(SUBSTR(x.cause, 7) AS BIGINT) FROM (SELECT account_id, 'order ' || CAST(id AS TEXT) AS cause FROM orders WHERE paid_minor > 0
         EXCEPT SELECT account_id, cause FROM journal) AS x LIMIT 50",
    ),
    ("order {}: gave back more than was paid", "SELECT id FROM orders WHERE refunded_minor > paid_minor LIMIT 50"),
    (
        "order {}: refunded, but its subscription is not over",
        "SELECT o.id FROM orders o JOIN subscription s ON s.order_id = o.id AND s.sim_id = o.sim_id WHERE o.state = 'refunded' AND s.state <> 'ended' LIMIT 50",
    ),
    (
        "order {}: failed, but its subscription is not void",
        "SELECT o.id FROM orders o JOIN subscription s ON s.order_id = o.id AND s.sim_id = o.sim_id WHERE o.state = 'failed' AND s.state <> 'void' LIMIT 50",
    ),
    (
        "order {}: pending without an open intent",
        "SELECT o.id FROM orders o WHERE o.state = 'pending' AND NOT EXISTS (SELECT 1 FROM intent i WHERE i.order_id = o.id AND i.state NOT IN ('confirmed', 'refused', 'superseded')) LIMIT 50",
    ),
    (
        "order {}: in review without a renewal, or with a write to the carrier",
        "SELECT o.id FROM orders o WHERE o.state = 'in_review' AND (NOT EXISTS (SELECT 1 FROM renewal r WHERE r.order_id = o.id)
         OR EXISTS (SELECT 1 FROM intent i WHERE i.order_id = o.id)) LIMIT 50",
    ),
    (
        "account {}: the money it has set aside is not that of its open orders and withdrawals",
        "SELECT b.account_id FROM balance b LEFT JOIN (SELECT account_id, SUM(minor) AS minor FROM
           (SELECT account_id, paid_minor AS minor FROM orders WHERE state IN ('in_review', 'pending')
            UNION ALL SELECT account_id, minor FROM withdrawal WHERE state = 'review') AS held GROUP BY account_id) AS h
         ON h.account_id = b.account_id WHERE b.held_minor <> COALESCE(h.minor, 0) LIMIT 50",
    ),
    (
        "card {}: in the stock of eSIM goods, but another account's",
        "SELECT p.sim_id FROM esim_profile p JOIN sim s ON s.id = p.sim_id WHERE p.order_id IS NULL AND s.account_id <> 1 LIMIT 50",
    ),
    ("delivery {}: neither due nor settled", "SELECT id FROM delivery WHERE due_at IS NULL AND state = 'waiting' LIMIT 50"),
    ("card {}: no state row", "SELECT id FROM sim WHERE NOT EXISTS (SELECT 1 FROM sim_state t WHERE t.sim_id = sim.id) LIMIT 50"),
    (
        "card {}: its state, numbers or subscriptions are another account's",
        "SELECT s.id FROM sim s JOIN sim_state t ON t.sim_id = s.id WHERE t.account_id <> s.account_id
         UNION SELECT s.id FROM sim s JOIN sim_key k ON k.sim_id = s.id WHERE k.account_id <> s.account_id
         UNION SELECT s.id FROM sim s JOIN subscription b ON b.sim_id = s.id WHERE b.account_id <> s.account_id LIMIT 50",
    ),
    (
        "card {}: one of its numbers leads to another card",
        "SELECT s.id FROM sim s WHERE s.msisdn IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM sim_key k WHERE k.number = s.msisdn AND k.kind = 'msisdn' AND k.sim_id = s.id)
         UNION SELECT s.id FROM sim s WHERE s.imsi IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM sim_key k WHERE k.number = s.imsi AND k.kind = 'imsi' AND k.sim_id = s.id)
         UNION SELECT s.id FROM sim s WHERE s.eid IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM sim_key k WHERE k.number = s.eid AND k.kind = 'eid' AND k.sim_id = s.id) LIMIT 50",
    ),
    (
        "account {}: below its credit line",
        "SELECT account_id FROM balance WHERE available_minor < -credit_minor OR held_minor < 0 LIMIT 50",
    ),
];

impl Tx<'_> {
    /// What must not be, in sentences.
    pub fn audit_orders(&mut self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for (sentence, query) in AUDITS {
            for (id,) in self.rows::<(i64,)>(query, &[])? {
                found.push(sentence.replace("{}", &id.to_string()));
            }
        }
        Ok(found)
    }

    /// Bytes that subscriptions brought along from another system: (card, bytes).
    pub fn audit_brought(&mut self) -> Result<Vec<(i64, i64)>, Error> {
        self.rows(
            "SELECT sim_id, CAST(SUM(used_before) AS BIGINT) FROM subscription WHERE available_at IS NOT NULL AND used_before > 0
             AND NOT EXISTS (SELECT 1 FROM transfer t WHERE t.to_subscription_id = subscription.id) GROUP BY sim_id",
            &[],
        )
    }
}

impl Tx<'_> {
    /// Subscriptions of these cards that are over, with the bytes they are said to have paid: (card, subscription, bytes).
    pub fn audit_ended(&mut self, from: i64, to: i64) -> Result<Vec<(i64, i64, i64)>, Error> {
        self.rows(
            "SELECT sim_id, id, used_bytes FROM subscription WHERE sim_id >= ? AND sim_id <= ? AND state = 'ended' ORDER BY sim_id, id",
            &binds![from, to],
        )
    }
}
