//! The engine as the doors see it: one handle, each method a sentence of the trade, each in its own transaction.
//!
//! A door authenticates with the catalogue it has ([`Engine::catalogue_last`]) and hands it back with each call; a call
//! that finds a newer catalogue answers [`Fail::Stale`], and the door begins again with [`Engine::catalogue`].

mod acts;
mod imei;
mod lists;
mod pools;
mod stock;

pub use lists::CardList;
pub use stock::Reading;

use crate::act::{Actor, Once, RequestKey, once};
use crate::cards::Settling;
use crate::catalogue::{Catalogue, CatalogueCache, Quote};
use crate::cdr_deliveries::Hours;
use crate::clock::Clock;
use crate::error::{Fail, Result, fault};
use crate::failing::Failing;
use crate::kept::KeptAnswers;
use crate::orders::{Buying, Place, Placed, Waiting};
use crate::refunds::RefundQuote;
use crate::sims::Card;
use crate::{money, orders, reconcile, refunds, sims, usage};
use kachi_domain::alert::Lines;
use kachi_domain::order::OrderState;
use kachi_domain::{Iccid, Money, OrderId, PackageId, PlatformId, Refusal, Timestamp, sync};
use kachi_store::sims::Sim;
use kachi_store::{Place as Where, Store, Tx};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What the engine is told by the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `usage.late_days`: older records are set aside.
    pub late_days: i64,
    /// `alerts.*`: the warning lines.
    pub lines: Lines,
    /// `limits.import_rows`: records loaded, or rated, per transaction of an import.
    pub import_rows: usize,
    /// `limits.rate_rows`: records of a file loaded before their cards are rated.
    pub rate_rows: usize,
    /// Where loaded records wait to be rated, beyond memory (the data folder).
    pub scratch_dir: PathBuf,
    /// `limits.delivery_batch`: deliveries claimed at once.
    pub delivery_batch: i64,
    /// `webhooks.retry`: seconds before each attempt.
    pub retry_seconds: Vec<i64>,
    /// `cdr.retry`: seconds before each attempt to deliver a CDR file.
    pub cdr_retry_seconds: Vec<i64>,
    /// `limits.lease_seconds`: how long claimed work stays with its worker.
    pub lease_seconds: i64,
    /// `limits.kept_answers_mb`: most memory for answers that are kept while nothing changes; 0 keeps none.
    pub kept_answers_bytes: u64,
    /// `sync.*`: how fresh what carriers know is to be here.
    pub sync: sync::Terms,
    /// `sync.every_seconds`: seconds until a platform is looked at again at which nothing was due.
    pub sync_every_seconds: i64,
    /// `reconcile.*`: how records are held against carriers' counts.
    pub reconcile: reconcile::Terms,
    /// `carriers.last_word_hours`, in seconds: after that a write which its carrier may have taken is left to a person.
    pub last_word_seconds: i64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            late_days: 35,
            lines: Lines::default(),
            import_rows: 100_000,
            rate_rows: 5_000_000,
            scratch_dir: std::env::temp_dir(),
            delivery_batch: 500,
            retry_seconds: vec![0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000],
            cdr_retry_seconds: vec![0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000],
            lease_seconds: 60,
            kept_answers_bytes: 128 << 20,
            sync: sync::Terms::default(),
            sync_every_seconds: 300,
            reconcile: reconcile::Terms::default(),
            last_word_seconds: 86_400,
        }
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    store: Store,
    cache: CatalogueCache,
    clock: Clock,
    settings: Arc<Settings>,
    /// Orders that wait, by account.
    orders: Arc<Waiting>,
    /// Told when a carrier write of this process has its word.
    writes: Arc<Notify>,
    /// The records of CDR files that are on their way.
    cdr_hours: Arc<Hours>,
    /// Answers that hold while nothing changes.
    kept: Arc<KeptAnswers>,
    /// Card platforms that fail.
    failing: Arc<Failing<PlatformId>>,
}

impl Engine {
    /// Opens the engine over a database.
    pub fn open(store: Store, clock: Clock, settings: Settings) -> Result<Engine> {
        Ok(Engine {
            cache: CatalogueCache::open(store.clone())?,
            store,
            clock,
            kept: Arc::new(KeptAnswers::new(settings.kept_answers_bytes)),
            settings: Arc::new(settings),
            orders: Arc::default(),
            writes: Arc::default(),
            cdr_hours: Arc::default(),
            failing: Arc::default(),
        })
    }

    /// The same engine for callers who wait no longer than that for PostgreSQL, in all; then they have a fault.
    pub fn within(&self, patience: Duration) -> Engine {
        self.through(self.store.within(patience))
    }

    /// The same engine for what nobody waits for.
    pub fn unhurried(&self) -> Engine {
        self.through(self.store.unhurried())
    }

    fn through(&self, store: Store) -> Engine {
        Engine { cache: self.cache.through(&store), store, ..self.clone() }
    }

    /// Does on a thread that may wait what one caller waits for.
    pub async fn off_thread<T: Send + 'static>(&self, f: impl FnOnce(&Engine) -> Result<T> + Send + 'static) -> Result<T> {
        let (engine, store) = (self.through(self.store.from_now()), self.store.from_now());
        let work = tokio::task::spawn_blocking(move || f(&engine));
        store.awaited(work).await?.unwrap_or_else(|e| Err(fault(format!("it panicked: {e}"))))
    }

    /// The database, for the binary's own commands.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn kept_answers(&self) -> &KeptAnswers {
        &self.kept
    }

    pub(crate) fn failing(&self) -> &Failing<PlatformId> {
        &self.failing
    }

    pub(crate) fn cdr_hours(&self) -> &Hours {
        &self.cdr_hours
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the configuration said.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The catalogue as it is now.
    pub fn catalogue(&self) -> Result<Arc<Catalogue>> {
        self.cache.fresh()
    }

    /// The catalogue as last read; asks nobody.
    pub fn catalogue_last(&self) -> Arc<Catalogue> {
        self.cache.last()
    }

    /// The present, and what the fold needs besides the card.
    pub fn settling(&self) -> Settling {
        Settling { now: self.clock.now(), late_days: self.settings.late_days, lines: self.settings.lines }
    }

    /// Writes in one transaction, from a thread that may wait.
    pub fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>, &Catalogue, &Settling) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (catalogue, how) = (self.catalogue()?, self.settling());
        self.store.write(move |tx| f(tx, &catalogue, &how))
    }

    /// Reads in one transaction, from a thread that may wait.
    pub fn read<T>(&self, f: impl FnOnce(&mut Tx<'_>, &Catalogue) -> Result<T>) -> Result<T> {
        let catalogue = self.catalogue()?;
        self.store.read(|tx| f(tx, &catalogue))
    }

    /// A question, asked where waiting does no harm: a SQLite read is a few microseconds of memory, a PostgreSQL read is
    /// a wait for another process.
    pub(crate) async fn ask<T: Send + 'static>(&self, f: impl FnOnce(&Store) -> Result<T> + Send + 'static) -> Result<T> {
        match self.store.place() {
            Where::File(_) => {
                let found = f(&self.store.as_seen());
                self.store.kept().await?;
                found
            }
            Where::Postgres(_) => {
                let (store, caller) = (self.store.from_now(), self.store.from_now());
                let read = caller.awaited(tokio::task::spawn_blocking(move || f(&store))).await?;
                read.unwrap_or_else(|e| Err(fault(format!("a read panicked: {e}"))))
            }
        }
    }

    pub(crate) async fn question<T: Send + 'static>(
        &self,
        catalogue: &Arc<Catalogue>,
        f: impl FnOnce(&mut Tx<'_>, &Catalogue) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let catalogue = catalogue.clone();
        self.ask(move |store| {
            store.read(|tx| {
                fresh_enough(tx, &catalogue)?;
                f(tx, &catalogue)
            })
        })
        .await
    }

    pub(crate) async fn command<T: 'static>(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        act: impl Fn(&mut Tx<'_>, &Catalogue, &Settling, &Actor) -> Result<T> + Send + 'static,
        render: impl Fn(&T) -> String + Send + 'static,
    ) -> Result<Once> {
        let (catalogue, actor, how) = (catalogue.clone(), actor.clone(), self.settling());
        // Acts of one account wait for each other anyway: they hold its balance.
        self.store
            .write_in_lane(actor.account.0, move |tx| {
                fresh_enough(tx, &catalogue)?;
                once(tx, &actor, &key, how.now, |tx| act(tx, &catalogue, &how, &actor), &render)
            })
            .await
    }

    /// Buys a package; the same request again gets the same answer. Orders of one account that wait are placed together.
    pub async fn place(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        cmd: Place,
        render: impl Fn(&Placed) -> String + Send + Sync + 'static,
    ) -> Result<Once> {
        let (catalogue, actor) = (catalogue.clone(), actor.clone());
        self.orders.place(self, Buying { catalogue, actor, key, cmd, render: Box::new(render) }).await
    }

    /// Told when a carrier write of this process has its word.
    pub(crate) fn writes_settled(&self) -> &Notify {
        &self.writes
    }

    pub(crate) fn orders_waiting(&self) -> &Waiting {
        &self.orders
    }

    /// Takes an order back; the same request again gets the same answer.
    pub async fn refund(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (iccid, order, remark): (Iccid, OrderId, String),
        render: impl Fn(&RefundQuote) -> String + Send + 'static,
    ) -> Result<Once> {
        let act = move |tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor| {
            refunds::refund(tx, catalogue, how, actor, &iccid, order, &remark)
        };
        self.command(catalogue, actor, key, act, render).await
    }

    /// Whether the catalogue is the newest, for an answer that comes out of it alone; [`Fail::Stale`] if not.
    pub async fn is_current(&self, catalogue: &Arc<Catalogue>) -> Result<()> {
        self.question(catalogue, |_, _| Ok(())).await
    }

    /// A card as it is now.
    pub async fn card(&self, catalogue: &Arc<Catalogue>, actor: &Actor, iccid: &Iccid) -> Result<Card> {
        let read = self.store.card(iccid.as_str()).await?;
        if read.as_ref().is_some_and(|r| r.version > catalogue.version) {
            return Err(Fail::Stale);
        }
        sims::card(catalogue, actor, read, self.now())
    }

    /// The packages the account can buy for the card, each with its price; and the card.
    pub async fn offers(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        iccid: &Iccid,
    ) -> Result<(Sim, Vec<(PackageId, Quote)>)> {
        let (actor, iccid) = (actor.clone(), iccid.clone());
        self.question(catalogue, move |tx, catalogue| {
            let (sim, offers) = sims::offers(tx, catalogue, &actor, &iccid)?;
            Ok((sim, offers.into_iter().map(|o| (o.package.id, o.quote)).collect()))
        })
        .await
    }

    /// Where an order of a card stands.
    pub async fn order_state(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        iccid: &Iccid,
        order: OrderId,
    ) -> Result<OrderState> {
        let (actor, iccid) = (actor.clone(), iccid.clone());
        self.question(catalogue, move |tx, _| Ok(orders::find(tx, &actor, &iccid, order)?.0.state)).await
    }

    /// What would be given back for an order now.
    pub async fn refund_quote(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        iccid: &Iccid,
        order: OrderId,
    ) -> Result<RefundQuote> {
        let (actor, iccid, now) = (actor.clone(), iccid.clone(), self.now());
        self.question(catalogue, move |tx, catalogue| refunds::quote(tx, catalogue, &actor, &iccid, order, now)).await
    }

    /// What the account can buy for now, its credit counted.
    pub async fn spendable(&self, catalogue: &Arc<Catalogue>, actor: &Actor) -> Result<Money> {
        let account = actor.account;
        self.question(catalogue, move |tx, catalogue| money::spendable(tx, catalogue, account)).await
    }

    /// Bytes of cards over local days `first..=last`; any card the account does not see refuses the whole question.
    pub async fn traffic(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        iccids: Vec<Iccid>,
        first: i64,
        last: i64,
    ) -> Result<Vec<(String, i64)>> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| {
            let wanted: Vec<&str> = iccids.iter().map(Iccid::as_str).collect();
            let known = tx.sims_of_iccids(&wanted)?;
            let seen =
                |i: &&str| known.iter().any(|(iccid, _, account)| iccid == i && actor.may_see(kachi_domain::AccountId(*account)));
            if !wanted.iter().all(seen) {
                return Err(Fail::Refused(Refusal::UnknownSim));
            }
            usage::of_days(tx, &actor, &wanted, first, last)
        })
        .await
    }
}

/// Refuses what was decided by a catalogue that does not count any more.
pub(crate) fn fresh_enough(tx: &mut Tx<'_>, catalogue: &Catalogue) -> Result<()> {
    if tx.catalogue_version()? > catalogue.version { Err(Fail::Stale) } else { Ok(()) }
}
