//! Orders of one account wait for each other anyway, for they hold its balance: those that wait are placed together, in one
//! transaction with one flush and few statements. Each still stands or falls by itself, and is one request.

use super::{Place, Placed, apart, place_all};
use crate::act::{Actor, Once, RequestKey, once_each};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use kachi_store::db::gather::Gather;
use kachi_store::{Store, Tx};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Orders that wait, by account.
#[derive(Default)]
pub(crate) struct Waiting(Gather<Order>);

/// Orders placed in one transaction at most; bounds how long the first of them waits.
const TOGETHER_MAX: usize = 64;

/// How long those who were answered together are waited for at most, until as many come again: a few hundredths of what their
/// orders took where a flush is slow, a tenth where it is quick.
const REST_MAX: Duration = Duration::from_micros(500);

/// An order to be placed, with its waiting caller.
type Order = (Work, oneshot::Sender<Result<Once>>);

/// What it is, and the database as its caller waits for it.
type Work = (Arc<Buying>, Store);

/// All that an order needs to be placed.
pub(crate) struct Buying {
    /// The catalogue that the door worked with.
    pub(crate) catalogue: Arc<Catalogue>,
    /// Who buys.
    pub(crate) actor: Actor,
    /// What makes the request the same request.
    pub(crate) key: RequestKey,
    /// What is to be bought.
    pub(crate) cmd: Place,
    /// Writes the answer.
    pub(crate) render: Box<dyn Fn(&Placed) -> String + Send + Sync>,
}

impl Waiting {
    /// Places an order, with others of its account that wait.
    pub(crate) async fn place(&self, engine: &Engine, work: Buying) -> Result<Once> {
        let (caller, answer) = oneshot::channel();
        let (lane, store) = (work.actor.account.0, engine.store().from_now());
        if self.0.submit(lane, ((Arc::new(work), store.clone()), caller), |(_, caller)| caller.is_closed()) {
            let engine = engine.clone();
            tokio::task::spawn_blocking(move || engine.orders_waiting().run(&engine, lane));
        }
        store.awaited(answer).await?.unwrap_or_else(|_| Err(fault("the order's transaction panicked")))
    }

    /// Places an account's orders until none waits: the first and those behind it in one transaction, or, if that fails,
    /// each by itself.
    fn run(&self, engine: &Engine, lane: i64) {
        let mut pace = Pace::default();
        self.0.run(lane, |first| {
            let most = pace.most(1 + self.0.waiting(lane));
            let mut orders = vec![first];
            while let Some(next) = self.0.next_if(lane, |((next, _), _)| {
                orders.len() < most && orders.iter().all(|((other, _), _)| next.may_go_with(other))
            }) {
                orders.push(next);
            }
            let many = orders.len();
            pace.place(engine, orders);
            if many > 1 {
                self.0.rest(lane, many, REST_MAX);
            }
        });
    }
}

/// How a runner of one account's orders goes on. On SQLite the disk can take what was written beside the work on the next orders: where
/// the work on all that come again and again takes longer than that, half of them are placed while the other half is being kept.
/// Else they would only wait for two flushes instead of one.
#[derive(Default)]
struct Pace {
    /// What one order took, and the disk, when last some were placed.
    an_order: Duration,
    keeping: Option<Duration>,
    /// The runner goes on while the disk takes what was placed.
    beside: bool,
    /// Those of them that are not answered yet: how many, and their end.
    unanswered: Option<(usize, mpsc::Receiver<()>)>,
}

impl Pace {
    /// How many are placed together at most while so many wait.
    fn most(&mut self, waiting: usize) -> usize {
        let all = waiting + self.unanswered.as_ref().map_or(0, |(many, _)| *many);
        self.beside = self.keeping.is_some_and(|keeping| self.an_order * u32::try_from(all).unwrap_or(u32::MAX) > keeping);
        if self.beside { all.div_ceil(2).min(TOGETHER_MAX) } else { TOGETHER_MAX }
    }

    /// Places orders in one transaction. Each caller is told when what it asked for is kept. Where the disk takes it beside, those before
    /// them are waited for, so that they may come again.
    fn place(&mut self, engine: &Engine, orders: Vec<Order>) {
        let many = orders.len();
        // The first waits longest already: what is not done while it waits is done for the others by themselves.
        let Some(store) = orders.first().map(|((_, store), _)| store.clone()) else { return };
        let together: Vec<Arc<Buying>> = orders.iter().map(|((one, _), _)| one.clone()).collect();
        let (how, engine, runtime) = (engine.settling(), engine.clone(), self.beside.then(Handle::current));
        let (end, ended) = mpsc::channel::<()>();
        let took = store.write_timed(
            self.beside,
            move |tx| buy(tx, &how, &together),
            move |told| match (told, runtime) {
                (Ok(outcomes), _) => {
                    // A caller that went away asks nobody.
                    orders.into_iter().zip(outcomes).for_each(|((_, caller), told)| drop(caller.send(told)));
                    drop(end);
                }
                (Err(_), None) => each_alone(&engine, orders, end),
                (Err(_), Some(runtime)) => drop(runtime.spawn_blocking(move || each_alone(&engine, orders, end))),
            },
        );
        self.an_order = took.unwrap_or_default().work / u32::try_from(many).unwrap_or(u32::MAX);
        self.keeping = took.map(|took| took.keeping);
        let before = std::mem::replace(&mut self.unanswered, self.beside.then_some((many, ended)));
        if let Some((_, ended)) = before {
            // Nothing is ever sent.
            let _ = ended.recv();
        }
    }
}

fn each_alone(engine: &Engine, orders: Vec<Order>, _end: mpsc::Sender<()>) {
    for ((one, store), caller) in orders {
        let how = engine.settling();
        let _ = caller.send(store.write(move |tx| buy(tx, &how, &[one])).and_then(only));
    }
}

impl Buying {
    fn may_go_with(&self, other: &Buying) -> bool {
        self.key.door == other.key.door && self.key.key != other.key.key && apart(&self.cmd, &other.cmd)
    }
}

/// Places orders of one account that may go together.
fn buy(tx: &mut Tx<'_>, how: &Settling, work: &[Arc<Buying>]) -> Result<Vec<Result<Once>>> {
    let version = tx.catalogue_version()?;
    // Those that know the catalogue as it is know the same one.
    let fresh: Vec<&Arc<Buying>> = work.iter().filter(|w| w.catalogue.version >= version).collect();
    let mut done = match fresh.first() {
        None => Vec::new(),
        Some(first) => {
            let keys: Vec<&RequestKey> = fresh.iter().map(|w| &w.key).collect();
            let act = |tx: &mut Tx<'_>, new: &[usize]| {
                let cmds: Vec<&Place> = new.iter().map(|i| &fresh[*i].cmd).collect();
                place_all(tx, &first.catalogue, how, &first.actor, &cmds)
            };
            once_each(tx, &first.actor, &keys, how.now, act, |i, placed| ((fresh[i].render)(placed), Some(placed.order)))?
        }
    }
    .into_iter();
    let of =
        |w: &Arc<Buying>| if w.catalogue.version < version { Err(Fail::Stale) } else { done.next().unwrap_or(Err(Fail::Stale)) };
    Ok(work.iter().map(of).collect())
}

/// The outcome of the only one.
fn only(outcomes: Vec<Result<Once>>) -> Result<Once> {
    outcomes.into_iter().next().unwrap_or_else(|| Err(fault("an order without an outcome")))
}

#[cfg(test)]
mod tests {
    use super::{Pace, TOGETHER_MAX};
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn half_are_placed_beside_the_disk_where_the_work_is_longer() {
        let micros = Duration::from_micros;
        let unanswered = |many: Option<usize>| many.map(|many| (many, mpsc::channel().1));
        // What an order takes, and the disk (none on PostgreSQL); how many wait and are not answered; how many are placed beside it.
        for (order, disk, waiting, kept, most) in [
            (50, Some(300), 32, None, Some(16)),
            (50, Some(300), 16, Some(16), Some(16)),
            (50, Some(300), 7, None, Some(4)),
            (50, Some(300), 6, None, None),
            (50, Some(5_000), 64, None, None),
            (50, Some(5_000), 120, Some(100), Some(TOGETHER_MAX)),
            (0, Some(0), 32, None, None),
            (50, None, 32, None, None),
        ] {
            let keeping = disk.map(micros);
            let mut pace = Pace { an_order: micros(order), keeping, beside: false, unanswered: unanswered(kept) };
            assert_eq!(pace.most(waiting), most.unwrap_or(TOGETHER_MAX), "{order} {disk:?} {waiting} {kept:?}");
            assert_eq!(pace.beside, most.is_some(), "{order} {disk:?} {waiting} {kept:?}");
        }
    }
}
