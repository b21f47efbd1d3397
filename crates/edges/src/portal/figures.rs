//! Counts over whole tables, shared by everyone who looks at an account and counted again only as often as they cost
//! little: counting takes at most a fiftieth of the time. Their age is shown with them.

use kachi_domain::AccountId;
use kachi_engine::overview::{self, Figures};
use kachi_engine::{Actor, Engine};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;

const AT_MOST_EVERY: Duration = Duration::from_secs(2);
const AFTER_TROUBLE: Duration = Duration::from_secs(10);
const REST_PER_WORK: u32 = 50;
const WAIT_FOR_FIRST: Duration = Duration::from_millis(1500);
const WAIT_FOR_NEWER: Duration = Duration::from_millis(300);

/// The last counts of each account that someone looks at.
#[derive(Default)]
pub struct FigureCache {
    slots: Mutex<HashMap<AccountId, Slot>>,
}

struct Slot {
    last: watch::Sender<Option<Arc<Figures>>>,
    counting: bool,
    due: Instant,
}

impl FigureCache {
    /// The newest counts; older ones, or none yet, if counting takes long.
    pub async fn get(self: &Arc<Self>, engine: &Engine, actor: &Actor) -> Option<Arc<Figures>> {
        let (mut watcher, start) = self.look(actor.account);
        let known = watcher.borrow_and_update().clone();
        if start {
            // Callers do not wait for it, and what takes long would else never be counted.
            let (cache, engine, actor) = (self.clone(), engine.unhurried(), actor.clone());
            tokio::task::spawn_blocking(move || cache.count(&engine, &actor));
        }
        if !start && known.is_some() {
            return known;
        }
        let wait = if known.is_some() { WAIT_FOR_NEWER } else { WAIT_FOR_FIRST };
        let _ = timeout(wait, watcher.changed()).await;
        watcher.borrow().clone()
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<AccountId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, account: AccountId) -> (watch::Receiver<Option<Arc<Figures>>>, bool) {
        let now = Instant::now();
        let mut slots = self.slots();
        let slot = slots.entry(account).or_insert_with(|| Slot { last: watch::channel(None).0, counting: false, due: now });
        let start = !slot.counting && slot.due <= now;
        slot.counting |= start;
        let watcher = slot.last.subscribe();
        (watcher, start)
    }

    fn count(&self, engine: &Engine, actor: &Actor) {
        let began = Instant::now();
        // A panic below must not leave the slot counting for ever.
        let counted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| overview::figures(engine, actor)));
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(&actor.account) else { return };
        slot.counting = false;
        let rest = match counted {
            Ok(Ok(figures)) => {
                slot.last.send_replace(Some(Arc::new(figures)));
                (began.elapsed() * REST_PER_WORK).max(AT_MOST_EVERY)
            }
            trouble => {
                let words =
                    trouble.map_or_else(|_| "panicked".to_owned(), |r| r.err().map_or_else(String::new, |e| e.to_string()));
                tracing::error!(error = words, "the portal's figures were not counted");
                slot.last.send_modify(|_| {});
                AFTER_TROUBLE
            }
        };
        slot.due = Instant::now() + rest;
    }
}
