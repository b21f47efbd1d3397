//! Answers that partners ask for over and over, kept while nothing changed.
//!
//! An answer is made of the question, who asks, the catalogue, the database and the time. It is kept under the first three, with
//! the database's stamp from before it was made and the first instant at which time alone may make another answer of it. It is
//! given again only while the stamp is the same and that instant has not come, so nobody is told what has changed, by whichever
//! process: a kept answer changes the cost of a question, never the answer.
//!
//! Not promised: that an answer is found again. Memory is bounded (`limits.kept_answers_mb`), and every commit makes all of
//! them be made anew.

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Fail;
use kachi_domain::Timestamp;
use kachi_store::Stamp;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Bytes that an entry takes beside its question and its answer.
const ENTRY_BYTES: u64 = 200;
/// Bytes of an answer worth keeping, roughly, to size the table.
const USUAL_BYTES: u64 = 16_384;

/// A question: who asks, with which catalogue, what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    account: i64,
    catalogue: i64,
    text: String,
}

#[derive(Clone)]
struct Kept {
    stamp: Stamp,
    made: Timestamp,
    until: Timestamp,
    text: Arc<[u8]>,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Question, Kept> for Bytes {
    fn weight(&self, question: &Question, kept: &Kept) -> u64 {
        ENTRY_BYTES + (question.text.len() + kept.text.len()) as u64
    }
}

/// The answers that are kept; none where there is no room for any.
pub(crate) struct KeptAnswers(Option<Cache<Question, Kept, Bytes>>);

impl KeptAnswers {
    pub(crate) fn new(bytes_max: u64) -> KeptAnswers {
        let entries = usize::try_from(bytes_max / USUAL_BYTES).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        KeptAnswers((bytes_max > 0).then(|| Cache::with_weighter(entries, bytes_max, Bytes)))
    }
}

impl Engine {
    /// The answer to a question of the account: the kept one if it still holds, else what `make` makes. `question` names everything
    /// that the answer is made of beside account, catalogue, database and time; `make` says with its answer up to when it holds if
    /// nothing is written.
    pub async fn kept<E: From<Fail>>(
        &self,
        catalogue: &Catalogue,
        actor: &Actor,
        question: String,
        make: impl Future<Output = Result<(String, Timestamp), E>>,
    ) -> Result<Arc<[u8]>, E> {
        let Some(cache) = &self.kept_answers().0 else { return Ok(make.await?.0.into_bytes().into()) };
        let question = Question { account: actor.account.0, catalogue: catalogue.version, text: question };
        // Read before the answer is made: what is committed meanwhile makes another stamp.
        let (stamp, made) = (self.store().stamp().await.map_err(Fail::from)?, self.now());
        let kept = cache.get(&question).filter(|k| k.stamp == stamp && (k.made..k.until).contains(&made));
        if let Some(kept) = kept {
            return Ok(kept.text);
        }
        let (text, until) = make.await?;
        let text: Arc<[u8]> = text.into_bytes().into();
        cache.insert(question, Kept { stamp, made, until, text: text.clone() });
        Ok(text)
    }
}
