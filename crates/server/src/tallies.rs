//! What the doors answered since the program began, as counts in the log: each hour, and when it stops.
//!
//! A line names the door, what was asked (an operation, or the way in which a request was signed or written), the code of
//! the answer and how often.

use kachi_edges::http::Counts;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(3600);

/// The counts of each door.
#[derive(Clone, Default)]
pub struct Tallies(Vec<(&'static str, Arc<Counts>)>);

impl Tallies {
    /// Takes a door's counts along.
    pub fn add(&mut self, door: &'static str, counts: Arc<Counts>) {
        self.0.push((door, counts));
    }

    /// Writes them now.
    pub fn write(&self) {
        for (door, counts) in &self.0 {
            for (what, code, count) in counts.all() {
                tracing::info!(door, what, code, count, "answered so far");
            }
        }
    }

    /// Writes them each hour until the program stops.
    pub async fn hourly(self, mut stopped: watch::Receiver<bool>) {
        while tokio::time::timeout(EVERY, stopped.wait_for(|s| *s)).await.is_err() {
            self.write();
        }
    }
}
